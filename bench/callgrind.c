/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/callgrind.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int run_worker(const char *self, const char *functions, const char *folder)
{
  char toggle[96], out[96];
  snprintf(toggle, sizeof(toggle), "--toggle-collect=%s", functions);
  snprintf(out, sizeof(out), "--callgrind-out-file=%s/dump", folder);
  pid_t child = fork();
  if (!child) {
    execlp("valgrind", "valgrind", "--tool=callgrind", "-q", "--collect-atstart=no",
           "--compress-strings=no", toggle, out, self, "--worker", (char *)NULL);
    fprintf(stderr, "%s: can't run valgrind: %s\n", self, strerror(errno));
    _exit(127);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child)
    return -errno;
  return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

static bool begins_with_one_of(const char *name, const char *const beginnings[])
{
  for (; *beginnings; beginnings++)
    if (!strncmp(name, *beginnings, strlen(*beginnings)))
      return true;
  return false;
}

/* One dump (format: Valgrind manual, "Callgrind Format Specification"): after fn= come lines of a
 * position and a cost; the one behind calls= is what the callee cost, and counted there. */
static int read_dump(const char *path, const char *const apart[], struct callgrind_count *count)
{
  FILE *file = fopen(path, "r");
  char line[1024];
  bool is_apart = false, is_callee = false;
  if (!file)
    return -errno;
  *count = (struct callgrind_count){.words = ""};
  while (fgets(line, sizeof(line), file)) {
    unsigned long long cost;
    const char *words = strstr(line, "Client Request: ");
    if (words)
      snprintf(count->words, sizeof(count->words), "%s", words + strlen("Client Request: "));
    if (sscanf(line, "totals: %llu", &cost) == 1)
      count->instructions = cost;
    if (!strncmp(line, "fn=", 3))
      is_apart = begins_with_one_of(line + 3, apart);
    if (is_apart && !is_callee && strchr("0123456789+-*", line[0]) &&
        sscanf(line, "%*s %llu", &cost) == 1)
      count->apart += cost;
    is_callee = !strncmp(line, "calls=", 6);
  }
  fclose(file);
  return count->words[0] ? 0 : -ENOENT;
}

int callgrind_run(const char *self, const char *functions, const char *const apart[],
                  struct callgrind_count counts[], unsigned n)
{
  char folder[] = "/tmp/shunt-callgrind-XXXXXX", path[512];
  unsigned found = 0;
  if (!mkdtemp(folder)) {
    perror("mkdtemp");
    return -errno;
  }
  int code = run_worker(self, functions, folder);
  DIR *dir = opendir(folder);
  for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
    if (entry->d_name[0] == '.')
      continue;
    snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
    if (found < n && !read_dump(path, apart, &counts[found]))
      found++;
    unlink(path);
  }
  if (dir)
    closedir(dir);
  rmdir(folder);
  if (code)
    fprintf(stderr, "%s: the worker failed\n", self);
  return code ? code : (int)found;
}
