/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/keeper.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shunt/privileges.h"

extern char **environ;

int keeper_start(struct shunt_error *error)
{
  char pid[16];
  char *arguments[] = {"shunt", "doctor", "--repair", "--after", pid, NULL};
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  pid_t keeper;
  if (!shunt_privileges_have("net_admin"))
    return 0;
  snprintf(pid, sizeof(pid), "%d", (int)getpid());
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  /* Not the standard output: who reads it waits for its end, which is ours. */
  for (int fd = 0; fd < 3; fd++)
    posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_addclosefrom_np(&files, 3);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  int result = posix_spawn(&keeper, "/proc/self/exe", &files, &attributes, arguments, environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (!result)
    return 0;
  shunt_error_set(error, -result, "can't start who puts the interfaces back");
  shunt_error_why(error, "/proc/self/exe: %s", strerror(result));
  return -result;
}
