/* SPDX-License-Identifier: BSD-2-Clause */
/* The directory of journals: its lock, and its files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shunt/clock.h"
#include "src/core/error_internal.h"
#include "src/core/sysfs.h"
#include "src/netlink/journal.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* uapi/asm-generic/socket.h, Linux 5.14 */
#endif

#define LOCK_DEADLINE_NS (UINT64_C(5) * 1000000000)
#define LOCK_PAUSE_NS    UINT64_C(5000000)

static uint64_t namespace_inode(void)
{
  struct stat status;
  return stat("/proc/thread-self/ns/net", &status) ? 0 : status.st_ino;
}

/* A namespace's cookie is never given again while the kernel runs; its inode may be. */
static uint64_t network_namespace(void)
{
  uint64_t cookie = 0;
  socklen_t length = sizeof(cookie);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  bool known = fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) == 0;
  if (fd >= 0)
    close(fd);
  return known ? cookie : namespace_inode();
}

static int take_lock(int lock)
{
  const struct shunt_clock *clock = shunt_clock_real();
  uint64_t end_ns = shunt_clock_now_ns(clock) + LOCK_DEADLINE_NS;
  while (flock(lock, LOCK_EX | LOCK_NB)) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return -errno;
    if (shunt_clock_now_ns(clock) >= end_ns)
      return -ETIMEDOUT;
    shunt_clock_sleep_ns(clock, LOCK_PAUSE_NS);
  }
  return 0;
}

/* What is written there is believed later by who has CAP_NET_ADMIN: so nobody else may write. */
static int check_directory(int directory)
{
  struct stat status;
  if (fstat(directory, &status))
    return -errno;
  bool ours = status.st_uid == 0 || status.st_uid == geteuid();
  return ours && !(status.st_mode & (S_IWGRP | S_IWOTH)) ? 0 : -EPERM;
}

int journals_open(const char *directory, struct journals *journals, struct shunt_error *error)
{
  int code = 0;
  *journals = (struct journals){.directory = -1,
                                .lock = -1,
                                .space = network_namespace(),
                                .namespace_inode = namespace_inode()};
  sysfs_read("/proc/sys/kernel/random/boot_id", journals->boot, sizeof(journals->boot));
  if (!*journals->boot)
    snprintf(journals->boot, sizeof(journals->boot), "unknown");
  mkdir(directory, 0755); /* there already, or the next call says why not */
  journals->directory = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  code = journals->directory < 0 ? -errno : check_directory(journals->directory);
  if (code == 0) {
    journals->lock =
        openat(journals->directory, "setup.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    code = journals->lock < 0 ? -errno : take_lock(journals->lock);
  }
  if (code == 0)
    return 0;
  journals_close(journals);
  error_set_errno(error, code, "can't keep a journal of changes in %s", directory);
  if (code == -EPERM)
    shunt_error_why(error, "it is another user's, or others may write to it");
  if (code == -ETIMEDOUT)
    shunt_error_why(error, "another process has had setup.lock there for 5 s");
  shunt_error_remedy(error,
                     code == -ETIMEDOUT
                         ? "look who holds it: fuser %s/setup.lock"
                         : "run as root, or let root make %s for this user (mode 0755); a "
                           "port needs neither with shunt xdp-helper (helper=1)",
                     directory);
  return code;
}

void journals_close(struct journals *journals)
{
  if (journals->lock >= 0)
    close(journals->lock);
  if (journals->directory >= 0)
    close(journals->directory);
}

static void file_name(const struct journals *journals, int ifindex, char name[64])
{
  snprintf(name, 64, "setup-%" PRIx64 "-%d", journals->space, ifindex);
}

/* Returns how many bytes, or -errno; -E2BIG where the file is no journal of ours. */
static ssize_t read_file(const struct journals *journals, const char *name,
                         char text[JOURNAL_BYTES])
{
  int fd = openat(journals->directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  ssize_t bytes = read(fd, text, JOURNAL_BYTES);
  int code = bytes < 0 ? -errno : 0;
  close(fd);
  return code ? code : bytes;
}

int journals_read_file(const struct journals *journals, const char *file, struct journal *journal)
{
  char text[JOURNAL_BYTES];
  ssize_t bytes = read_file(journals, file, text);
  return bytes < 0 ? (int)bytes : journal_parse(text, (size_t)bytes, journal);
}

int journals_read(const struct journals *journals, int ifindex, struct journal *journal,
                  struct shunt_error *error)
{
  char name[64];
  file_name(journals, ifindex, name);
  int code = journals_read_file(journals, name, journal);
  if (code == 0 && !strcmp(journal->boot, journals->boot) && journal->ifindex == ifindex)
    return 0;
  if (code == 0 || code == -ENOENT) { /* an earlier boot's settings went with it */
    memset(journal, 0, sizeof(*journal));
    memcpy(journal->boot, journals->boot, sizeof(journal->boot));
    journal->namespace_inode = journals->namespace_inode;
    journal->ifindex = ifindex;
    return 0;
  }
  error_set_errno(error, code, "can't read the journal of changes %s", name);
  if (code == -EINVAL) {
    shunt_error_why(error, "the file is damaged");
    shunt_error_remedy(error, "look at it and at the interface's settings, and remove it");
  }
  return code;
}

int journals_write(const struct journals *journals, const struct journal *journal,
                   struct shunt_error *error)
{
  char name[64], text[JOURNAL_BYTES];
  file_name(journals, journal->ifindex, name);
  if (!journal->setting_count) {
    if (!unlinkat(journals->directory, name, 0) || errno == ENOENT)
      return 0;
    return error_set_errno(error, -errno, "can't remove the journal of changes %s", name);
  }
  size_t bytes = journal_format(journal, text);
  int fd = openat(journals->directory, "setup.new",
                  O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  int code = fd < 0 ? -errno : 0;
  if (code == 0) {
    errno = ENOSPC; /* for a short write */
    code = write(fd, text, bytes) == (ssize_t)bytes ? 0 : -errno;
    close(fd);
  }
  if (code == 0)
    code = renameat(journals->directory, "setup.new", journals->directory, name) ? -errno : 0;
  if (code < 0)
    error_set_errno(error, code, "can't write the journal of changes %s", name);
  return code;
}

/* The interface's index where the name is that of a journal, else 0. */
static int index_of(const char *file)
{
  uint64_t space;
  int ifindex;
  return sscanf(file, "setup-%" SCNx64 "-%d", &space, &ifindex) == 2 ? ifindex : 0;
}

bool journals_is_foreign(const struct journals *journals, const char *file)
{
  char own[64];
  int ifindex = index_of(file);
  file_name(journals, ifindex, own);
  return ifindex && strcmp(own, file) != 0;
}

int journals_list(const struct journals *journals, int ifindices[], unsigned most, unsigned *others)
{
  unsigned count = 0;
  int copy = dup(journals->directory);
  DIR *directory = copy < 0 ? NULL : fdopendir(copy);
  *others = 0;
  if (!directory) {
    int code = -errno;
    if (copy >= 0)
      close(copy);
    return code;
  }
  rewinddir(directory);
  for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    int ifindex = index_of(entry->d_name);
    if (journals_is_foreign(journals, entry->d_name))
      (*others)++;
    else if (ifindex && count < most)
      ifindices[count++] = ifindex;
  }
  closedir(directory);
  return (int)count;
}
