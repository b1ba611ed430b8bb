/* SPDX-License-Identifier: BSD-2-Clause */
/* Each drop is in a child: it can't be undone. What an AF_XDP port still does afterwards is in
 * tests/netns/test_xdp_privileges.sh. */
#include "shunt/privileges.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NEED(condition)                                                                            \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                      \
      return 1;                                                                                    \
    }                                                                                              \
  } while (0)

static void in_a_child(int (*body)(void))
{
  int status;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0)
    _exit(body());
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

/* The line of /proc/thread-self/status that begins with key. */
static unsigned long long status_of(const char *key)
{
  char line[256];
  unsigned long long value = 0xbad;
  FILE *file = fopen("/proc/thread-self/status", "re");
  while (file && fgets(line, sizeof(line), file))
    if (!strncmp(line, key, strlen(key)))
      value = strtoull(line + strlen(key), NULL, 16);
  if (file)
    fclose(file);
  return value;
}

static int has_nothing(void)
{
  NEED(status_of("CapEff:") == 0);
  NEED(status_of("CapPrm:") == 0);
  NEED(status_of("CapInh:") == 0);
  NEED(status_of("CapAmb:") == 0);
  NEED(status_of("NoNewPrivs:") == 1);
  NEED(!shunt_privileges_have("net_raw"));
  NEED(socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EPERM);
  return 0;
}

static int drops_and_stays(void)
{
  struct shunt_error error = {0};
  NEED(shunt_privileges_have("net_raw"));
  NEED(shunt_privileges_drop(NULL, &error) == 0);
  NEED(getuid() == 0);
  NEED(status_of("CapBnd:") == 0);
  NEED(prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) & 1); /* SECBIT_NOROOT */
  NEED(has_nothing() == 0);
  /* A shell of user 0 gets nothing either. */
  NEED(system("grep -q '^CapEff:.0*$' /proc/self/status") == 0);
  NEED(shunt_privileges_drop(NULL, &error) == 0); /* once more does no harm */
  NEED(shunt_privileges_drop("65534:65534", &error) == -EPERM);
  NEED(strstr(error.why, "CAP_SETUID"));
  return 0;
}

static int drops_to_a_user(void)
{
  struct shunt_error error = {0};
  NEED(shunt_privileges_drop("65534:65533", &error) == 0);
  NEED(getuid() == 65534 && geteuid() == 65534 && getgid() == 65533 && getgroups(0, NULL) == 0);
  NEED(setuid(0) < 0);
  return has_nothing();
}

static int drops_to_a_name(void)
{
  struct shunt_error error = {0};
  NEED(shunt_privileges_drop("nobody", &error) == 0);
  NEED(getuid() != 0);
  return has_nothing();
}

static int knows_no_such_user(void)
{
  struct shunt_error error = {0};
  static const char *const wrong[] = {"",           ":",  "nosuchuser", "nobody:nosuchgroup",
                                      "4294967295", "-1", "nobody:"};
  for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    NEED(shunt_privileges_drop(wrong[i], &error) == -ENOENT);
    NEED(*error.what);
  }
  NEED(shunt_privileges_have("net_raw")); /* nothing was given up */
  return 0;
}

static void *wait_for_ever(void *context)
{
  (void)context;
  pause();
  return NULL;
}

static int refuses_with_other_threads(void)
{
  pthread_t thread;
  struct shunt_error error = {0};
  NEED(pthread_create(&thread, NULL, wait_for_ever, NULL) == 0);
  NEED(shunt_privileges_drop(NULL, &error) == -EBUSY);
  NEED(strstr(error.why, "2 threads"));
  return 0;
}

#define TEST(body)                                                                                 \
  static void test_##body(void **state)                                                            \
  {                                                                                                \
    (void)state;                                                                                   \
    if (geteuid() != 0 || !shunt_privileges_have("setpcap"))                                       \
      skip();                                                                                      \
    in_a_child(body);                                                                              \
  }

TEST(drops_and_stays)
TEST(drops_to_a_user)
TEST(drops_to_a_name)
TEST(knows_no_such_user)
TEST(refuses_with_other_threads)

static void knows_capabilities(void **state)
{
  (void)state;
  assert_int_equal(shunt_privileges_have("no_such_capability"), 0);
  assert_int_equal(shunt_privileges_have(""), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_drops_and_stays),
      cmocka_unit_test(test_drops_to_a_user),
      cmocka_unit_test(test_drops_to_a_name),
      cmocka_unit_test(test_knows_no_such_user),
      cmocka_unit_test(test_refuses_with_other_threads),
      cmocka_unit_test(knows_capabilities),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
