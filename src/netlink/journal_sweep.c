/* SPDX-License-Identifier: BSD-2-Clause */
/* Journals that nobody will ever read: of an earlier boot, and of network namespaces that are gone,
 * which took their interfaces' settings with them.
 *
 * Kernels from 6.18 on are asked for each (namespace.h). Older ones list no namespaces, so they are
 * looked for: one lives as long as a thread is in it, a file is open on it, or it is mounted
 * somewhere (namespaces(7)), and /proc shows all three of every process to who may see them. Inodes
 * of namespaces are given again, so one that is gone may look as though it were there: its journal
 * then stays, and does no harm. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shunt/privileges.h"
#include "src/netlink/journal.h"
#include "src/netlink/namespace.h"

#define SWEEP_MOST 256
#define FIRST_PIDS "pid:[4026531836]" /* PROC_PID_INIT_INO of linux/proc_ns.h */

struct candidate {
  char file[64], interface[IF_NAMESIZE];
  uint64_t inode;
  bool there;
};

struct sweep {
  struct candidate candidates[SWEEP_MOST];
  unsigned count;
  bool can_ask; /* for each namespace; else they are looked for in /proc */
  bool blind;   /* something could not be looked at */
};

/* ---- What is there ---- */

static void mark(struct sweep *sweep, const char *text)
{
  uint64_t inode;
  if (sscanf(text, "net:[%" SCNu64 "]", &inode) != 1)
    return;
  for (unsigned i = 0; i < sweep->count; i++)
    sweep->candidates[i].there |= sweep->candidates[i].inode == inode;
}

/* Processes end while they are looked at; one that has ended and was not waited for yet has no
 * mounts (EINVAL: mounts_open_common, fs/proc_namespace.c). */
static void failed(struct sweep *sweep)
{
  sweep->blind |= errno != ENOENT && errno != ESRCH && errno != EINVAL;
}

static void look_at_link(struct sweep *sweep, int directory, const char *name)
{
  char text[64];
  ssize_t bytes = readlinkat(directory, name, text, sizeof(text) - 1);
  if (bytes < 0) {
    failed(sweep);
    return;
  }
  text[bytes] = '\0';
  mark(sweep, text);
}

static void each_in(struct sweep *sweep, int parent, const char *name,
                    void (*each)(struct sweep *sweep, int directory, const char *name))
{
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *directory = fd < 0 ? NULL : fdopendir(fd);
  if (!directory) {
    failed(sweep);
    if (fd >= 0)
      close(fd);
    return;
  }
  for (const struct dirent *entry; !sweep->blind && (entry = readdir(directory)) != NULL;)
    if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
      each(sweep, fd, entry->d_name);
  closedir(directory);
}

static void look_at_thread(struct sweep *sweep, int directory, const char *name)
{
  char path[64];
  snprintf(path, sizeof(path), "%.32s/ns/net", name);
  look_at_link(sweep, directory, path);
}

/* proc(5): the fourth field is what of its file system is mounted, of a namespace "net:[INODE]". */
static void look_at_mounts(struct sweep *sweep, int process)
{
  char *line = NULL;
  size_t room = 0;
  int fd = openat(process, "mountinfo", O_RDONLY | O_CLOEXEC);
  FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
  if (!file) {
    failed(sweep);
    if (fd >= 0)
      close(fd);
    return;
  }
  while (getline(&line, &room, file) > 0) {
    const char *root = strstr(line, " net:[");
    if (root)
      mark(sweep, root + 1);
  }
  free(line);
  fclose(file);
}

static void look_at_process(struct sweep *sweep, int proc, const char *name)
{
  int process = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (process < 0) {
    failed(sweep);
    return;
  }
  each_in(sweep, process, "task", look_at_thread);
  each_in(sweep, process, "fd", look_at_link);
  look_at_mounts(sweep, process);
  close(process);
}

/* Whether every process of the machine can be looked into from here. */
static bool sees_all(void)
{
  char text[64] = "";
  return readlink("/proc/self/ns/pid", text, sizeof(text) - 1) > 0 && !strcmp(text, FIRST_PIDS) &&
         shunt_privileges_have("sys_ptrace");
}

/* ---- What is not ---- */

static bool is_there(const struct sweep *sweep, const char *file, uint64_t inode)
{
  struct namespace_name name = {.inode = inode};
  return sweep->can_ask && sscanf(file, "setup-%" SCNx64, &name.cookie) == 1 &&
         !namespace_is_gone(&name);
}

static void collect(struct sweep *sweep, const struct journals *journals, const char *file)
{
  struct journal journal;
  struct candidate *candidate = &sweep->candidates[sweep->count];
  if (sweep->count == SWEEP_MOST || strlen(file) >= sizeof(candidate->file) ||
      journals_read_file(journals, file, &journal))
    return;
  const bool earlier = strcmp(journal.boot, journals->boot) != 0;
  if (!earlier && (!journal.namespace_inode || journal_bury(&journal)))
    return;
  if (!earlier && is_there(sweep, file, journal.namespace_inode))
    return;
  *candidate = (struct candidate){.inode = earlier ? 0 : journal.namespace_inode};
  memcpy(candidate->file, file, strlen(file) + 1);
  memcpy(candidate->interface, journal.name, sizeof(candidate->interface));
  sweep->count++;
}

static unsigned remove_gone(const struct sweep *sweep, const struct journals *journals,
                            const struct shunt_log *log)
{
  unsigned removed = 0;
  for (unsigned i = 0; i < sweep->count; i++) {
    const struct candidate *candidate = &sweep->candidates[i];
    if (candidate->there || (candidate->inode && sweep->blind) ||
        unlinkat(journals->directory, candidate->file, 0))
      continue;
    removed++;
    shunt_log_write(log, SHUNT_LOG_INFO,
                    "the journal of %s, whose network namespace is gone, was "
                    "removed",
                    candidate->interface);
  }
  return removed;
}

unsigned journals_sweep(const struct journals *journals, const char *proc,
                        const struct shunt_log *log)
{
  const struct namespace_name own = {journals->space, journals->namespace_inode};
  const bool can_ask = !proc && namespace_can_ask(&own);
  struct sweep sweep = {.can_ask = can_ask, .blind = !proc && !can_ask && !sees_all()};
  unsigned living = 0;
  int copy = dup(journals->directory);
  DIR *directory = copy < 0 ? NULL : fdopendir(copy);
  if (!directory) {
    if (copy >= 0)
      close(copy);
    return 0;
  }
  rewinddir(directory);
  for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
    if (journals_is_foreign(journals, entry->d_name))
      collect(&sweep, journals, entry->d_name);
  closedir(directory);
  for (unsigned i = 0; i < sweep.count; i++)
    living += sweep.candidates[i].inode != 0;
  if (living && !sweep.can_ask && !sweep.blind)
    each_in(&sweep, AT_FDCWD, proc ? proc : "/proc", look_at_process);
  return remove_gone(&sweep, journals, log);
}
