/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/privileges.h"

#include <cap-ng.h>
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "src/core/error_internal.h"

/* ---- Who to become ---- */

struct identity {
  uid_t user;
  gid_t group;
  bool has_group;
};

static bool is_number(const char *text, unsigned *number)
{
  char *end;
  errno = 0;
  unsigned long value = strtoul(text, &end, 10);
  *number = (unsigned)value;
  /* The last number stands for "no change" (setresuid(2)). */
  return *text >= '0' && *text <= '9' && !*end && !errno && value < UINT32_MAX;
}

static int find_user(const char *name, struct identity *identity)
{
  char text[4096];
  unsigned number;
  struct passwd entry, *found = NULL;
  bool numeric = is_number(name, &number);
  if (numeric)
    getpwuid_r(number, &entry, text, sizeof(text), &found);
  else
    getpwnam_r(name, &entry, text, sizeof(text), &found);
  if (!found && !numeric)
    return -ENOENT;
  identity->user = found ? found->pw_uid : number;
  if (found && !identity->has_group) {
    identity->group = found->pw_gid;
    identity->has_group = true;
  }
  return identity->has_group ? 0 : -ENOENT;
}

static int find_group(const char *name, struct identity *identity)
{
  char text[4096];
  unsigned number;
  struct group entry, *found = NULL;
  if (is_number(name, &number)) {
    identity->group = number;
  } else {
    getgrnam_r(name, &entry, text, sizeof(text), &found);
    if (!found)
      return -ENOENT;
    identity->group = found->gr_gid;
  }
  identity->has_group = true;
  return 0;
}

static int find(const char *text, struct identity *identity, struct shunt_error *error)
{
  char user[64];
  const char *colon = strchr(text, ':');
  size_t length = colon ? (size_t)(colon - text) : strlen(text);
  snprintf(user, sizeof(user), "%.*s", (int)length, text);
  if (colon && find_group(colon + 1, identity)) {
    shunt_error_set(error, -ENOENT, "there is no group \"%.64s\"", colon + 1);
    return -ENOENT;
  }
  if (length < sizeof(user) && find_user(user, identity) == 0)
    return 0;
  shunt_error_set(error, -ENOENT, "there is no user \"%.64s\"", text);
  shunt_error_remedy(error, "name one that is there, or both by number: 65534:65534");
  return -ENOENT;
}

/* ---- The only thread ---- */

static unsigned count_threads(void)
{
  unsigned count = 0;
  DIR *directory = opendir("/proc/self/task");
  if (!directory)
    return 1; /* not to be known */
  for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
    count += entry->d_name[0] != '.';
  closedir(directory);
  return count;
}

/* ---- Giving up ---- */

/* Each step makes the next ones impossible, so this is their order. CAP_SETPCAP allows the bounding
 * set and the secure bits to be changed; without it no_new_privs does what they would. */
static int give_up(const struct identity *identity)
{
  bool may = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) == 1;
  capng_clear(CAPNG_SELECT_ALL);
  if (may && capng_apply(CAPNG_SELECT_BOUNDS))
    return -EPERM;
  if (may && capng_lock() < 0)
    return -EPERM;
  if (identity->has_group &&
      (setgroups(0, NULL) || setresgid(identity->group, identity->group, identity->group) ||
       setresuid(identity->user, identity->user, identity->user)))
    return -errno;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    return -errno;
  if (capng_apply(CAPNG_SELECT_CAPS) || capng_apply(CAPNG_SELECT_AMBIENT))
    return -EPERM;
  return capng_get_caps_process() == 0 && capng_have_permitted_capabilities() == CAPNG_NONE
             ? 0
             : -EPERM;
}

int shunt_privileges_drop(const char *user, struct shunt_error *error)
{
  struct identity identity = {0};
  int code = user ? find(user, &identity, error) : 0;
  unsigned threads = count_threads();
  if (code < 0)
    return code;
  if (threads > 1) {
    shunt_error_set(error, -EBUSY, "can't give up privileges now");
    shunt_error_why(error, "there are %u threads, and each has capabilities of its own", threads);
    shunt_error_remedy(error, "give them up before another thread is started");
    return -EBUSY;
  }
  if (capng_get_caps_process())
    return shunt_error_set(error, -EPERM, "the kernel does not tell this process's capabilities");
  bool may = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) == 1 &&
             capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID) == 1;
  if (user && !may) {
    shunt_error_set(error, -EPERM, "can't go on as user %.64s", user);
    shunt_error_why(error, "CAP_SETUID and CAP_SETGID are missing");
    shunt_error_remedy(error, "start as root, or stay the user that this is");
    return -EPERM;
  }
  code = give_up(&identity);
  if (code < 0) {
    error_set_errno(error, code, "privileges were given up in part");
    shunt_error_remedy(error, "end the process");
  }
  return code;
}

int shunt_privileges_have(const char *capability)
{
  int number = capng_name_to_capability(capability);
  return number >= 0 && capng_get_caps_process() == 0 &&
         capng_have_capability(CAPNG_EFFECTIVE, (unsigned)number) == 1;
}
