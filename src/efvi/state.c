/* SPDX-License-Identifier: BSD-2-Clause */
/* The one table a process of what ef_vi names by numbers and structures, and what calls say. */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shunt/log.h"
#include "src/efvi/checked.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct efvi_state state;

void efvi_lock(void)
{
  pthread_mutex_lock(&mutex);
}

void efvi_unlock(void)
{
  pthread_mutex_unlock(&mutex);
}

struct efvi_state *efvi_state(void)
{
  return &state;
}

void efvi_use_testbed(struct shunt_testbed *testbed, const struct shunt_clock *clock)
{
  if (!state.testbed_is_given)
    shunt_testbed_destroy(state.testbed);
  state.testbed = testbed;
  state.testbed_is_given = testbed != NULL;
  state.clock = clock;
}

static void to_standard_error(void *context, enum shunt_log_level level, const char *text)
{
  const struct iovec line[] = {
      {.iov_base = (void *)(uintptr_t) "ef_vi: ", .iov_len = strlen("ef_vi: ")},
      {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)},
      {.iov_base = (void *)(uintptr_t) "\n", .iov_len = 1},
  };
  (void)context, (void)level;
  (void)!writev(STDERR_FILENO, line, sizeof(line) / sizeof(line[0]));
}

/* A program that was written for the cards knows no shunt_last_error: its user has reasons written
 * out by the variable that the cards' library has for this. */
static void tell_user(const struct shunt_error *error)
{
  static const struct shunt_log log = {.level = SHUNT_LOG_ERROR, .write = to_standard_error};
  const char *level = getenv("EF_VI_LOG_LEVEL");
  if (level && atoi(level) > 0)
    shunt_log_error(&log, SHUNT_LOG_ERROR, error);
}

int efvi_fail(const struct shunt_error *error)
{
  struct shunt_error whole = *error;
  if (whole.code == -EACCES) /* what takes a privilege is -EPERM with the cards */
    whole.code = -EPERM;
  efvi_check_site(&whole);
  shunt_error_keep(&whole);
  tell_user(&whole);
  return whole.code;
}

void efvi_keep(int code, const char *what, ...)
{
  struct shunt_error error = {0};
  char text[SHUNT_ERROR_TEXT_BYTES];
  va_list arguments;
  va_start(arguments, what);
  vsnprintf(text, sizeof(text), what, arguments);
  va_end(arguments);
  shunt_error_set(&error, code, "%s", text);
  (void)efvi_fail(&error);
}

struct efvi_pd *efvi_pd_of(const ef_pd *pd)
{
  struct efvi_pd *own = state.pds;
  while (own && pd &&
         (own->dropped || own->id != pd->pd_resource_id || own->name != pd->pd_intf_name))
    own = own->next;
  return pd ? own : NULL;
}

bool efvi_id_was(unsigned id)
{
  return id && id <= state.next_id;
}

struct efvi_vi *efvi_vi_of(const ef_vi *vi)
{
  return vi && vi->inited == EFVI_INITED ? efvi_own(vi) : NULL;
}

const char *ef_vi_version_str(void)
{
  return "shunt " SHUNT_VERSION;
}

const char *ef_vi_driver_interface_str(void)
{
  return "shunt ports";
}
