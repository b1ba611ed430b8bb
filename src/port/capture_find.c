/* SPDX-License-Identifier: BSD-2-Clause */
/* Attachable ports are memfds of a known name. /proc/PID/fd (proc(5)) lists a process's descriptors
 * and opens them, for whoever may look into the process. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/core/error_internal.h"
#include "src/core/sysfs.h"
#include "src/port/capture.h"

#define LINK_TEXT "/memfd:" TAP_FILE_NAME " (deleted)"

struct finding {
  struct shunt_capture_port *ports;
  unsigned room, count;
  ino_t last; /* the file found last: a process may have it open twice */
};

/* Whether a directory entry is a number. */
static bool is_number(const char *text, uint32_t *number)
{
  char *end;
  if (!isdigit((unsigned char)text[0]))
    return false;
  unsigned long value = strtoul(text, &end, 10);
  *number = (uint32_t)value;
  return !*end && value <= UINT32_MAX;
}

/* The descriptor of another process. O_NONBLOCK: whatever it is, it is not waited for. */
static int open_descriptor(uint32_t pid, uint32_t fd)
{
  char path[64], link[64];
  snprintf(path, sizeof(path), "/proc/%u/fd/%u", pid, fd);
  ssize_t got = readlink(path, link, sizeof(link));
  if (got < 0)
    return -errno;
  if ((size_t)got != strlen(LINK_TEXT) || memcmp(link, LINK_TEXT, (size_t)got) != 0)
    return -ENOENT;
  int opened = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
  return opened < 0 ? -errno : opened;
}

/* The process's number as it knows itself: the last one behind NSpid, in the innermost namespace
 * (proc(5)). A process that captures has the memory open, too, and so has a child; the header says
 * whose it is. */
static uint32_t own_number(uint32_t pid)
{
  char path[64], text[4096];
  snprintf(path, sizeof(path), "/proc/%u/status", pid);
  if (sysfs_read(path, text, sizeof(text)))
    return 0;
  const char *line = strstr(text, "\nNSpid:");
  if (!line)
    return pid;
  size_t bytes = strcspn(line + 1, "\n");
  const char *last = memrchr(line + 1, '\t', bytes);
  return last ? (uint32_t)strtoul(last + 1, NULL, 10) : pid;
}

static off_t session_offset(uint32_t queue)
{
  return (off_t)((1 + queue) * TAP_PAGE_BYTES + offsetof(struct tap_shared_queue, session));
}

static bool has_session(int fd, uint32_t queues)
{
  uint32_t session = 0;
  for (uint32_t i = 0; i < queues && !session; i++)
    if (pread(fd, &session, sizeof(session), session_offset(i)) != (ssize_t)sizeof(session))
      return false;
  return session != 0;
}

bool capture_end_orphans(int fd, uint32_t queues)
{
  static const uint32_t none;
  if (!has_session(fd, queues))
    return false;
  if (flock(fd, LOCK_EX | LOCK_NB))
    return true;
  for (uint32_t i = 0; i < queues; i++)
    if (pwrite(fd, &none, sizeof(none), session_offset(i)) != (ssize_t)sizeof(none))
      break; /* whoever attaches will try again */
  return false;
}

/* A text of the header, which may lack its end. */
static void copy_text(char *to, const char *from, size_t bytes)
{
  memcpy(to, from, bytes - 1);
  to[bytes - 1] = 0;
}

static void add(struct finding *finding, uint32_t pid, uint32_t fd, int opened,
                const struct tap_header *header)
{
  char path[64];
  bool busy = capture_end_orphans(opened, header->queues);
  if (finding->count++ >= finding->room)
    return;
  struct shunt_capture_port *port = &finding->ports[finding->count - 1];
  memset(port, 0, sizeof(*port));
  port->pid = pid;
  port->fd = fd;
  snprintf(path, sizeof(path), "/proc/%u/comm", pid);
  sysfs_read(path, port->process, sizeof(port->process));
  copy_text(port->name, header->name, sizeof(port->name));
  copy_text(port->driver, header->driver, sizeof(port->driver));
  copy_text(port->device, header->device, sizeof(port->device));
  copy_text(port->path, header->path, sizeof(port->path));
  port->queues = header->queues;
  port->reader = busy ? header->reader : 0;
  port->model = header->model;
}

static void look_at(struct finding *finding, uint32_t pid, uint32_t fd)
{
  struct tap_header header = {.magic = 0};
  struct stat status;
  int opened = open_descriptor(pid, fd);
  if (opened < 0)
    return;
  if (!fstat(opened, &status) && status.st_ino != finding->last &&
      pread(opened, &header, sizeof(header), 0) == (ssize_t)sizeof(header) &&
      !capture_check_header(&header, (uint64_t)status.st_size, NULL) && !header.closed &&
      header.pid == own_number(pid)) {
    finding->last = status.st_ino;
    add(finding, pid, fd, opened, &header);
  }
  close(opened);
}

/* Returns 0 or the errno of opening its list of descriptors. */
static int look_into(struct finding *finding, uint32_t pid)
{
  char path[64];
  snprintf(path, sizeof(path), "/proc/%u/fd", pid);
  DIR *folder = opendir(path);
  if (!folder)
    return -errno;
  finding->last = 0;
  uint32_t fd;
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
    if (is_number(entry->d_name, &fd))
      look_at(finding, pid, fd);
  closedir(folder);
  return 0;
}

static int refuse(uint32_t pid, int code, struct shunt_error *error)
{
  if (code == -ENOENT || code == -ESRCH)
    return shunt_error_set(error, -ESRCH, "there is no process %u", pid);
  if (code != -EACCES && code != -EPERM)
    return error_set_errno(error, code, "can't look into process %u", pid);
  shunt_error_set(error, -EPERM, "process %u may not be looked into", pid);
  shunt_error_why(error, "it is another user's, or has more privileges than this one");
  shunt_error_remedy(error, "be root, or its user with as many capabilities");
  return -EPERM;
}

int shunt_capture_list(uint32_t pid, struct shunt_capture_port ports[], unsigned n,
                       struct shunt_error *error)
{
  struct finding finding = {.ports = ports, .room = n};
  if (pid) {
    int code = look_into(&finding, pid);
    return code ? refuse(pid, code, error) : (int)finding.count;
  }
  DIR *folder = opendir("/proc");
  if (!folder)
    return error_set_errno(error, -errno, "can't list processes: /proc");
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
    if (is_number(entry->d_name, &pid))
      look_into(&finding, pid);
  closedir(folder);
  return (int)finding.count;
}

int capture_open(const struct shunt_capture_port *port, int *fd, int *pidfd,
                 struct shunt_error *error)
{
  int process = pidfd_open((pid_t)port->pid, 0);
  if (process < 0)
    return refuse(port->pid, -errno, error);
  int opened = open_descriptor(port->pid, port->fd);
  struct pollfd wait = {.fd = process, .events = POLLIN};
  /* Where the process has ended, its number may have been another's when the file was opened. */
  bool ended = poll(&wait, 1, 0) > 0;
  if (opened >= 0 && !ended) {
    *fd = opened;
    *pidfd = process;
    return 0;
  }
  close(process);
  if (opened >= 0)
    close(opened);
  if (opened == -EACCES || opened == -EPERM)
    return refuse(port->pid, opened, error);
  return shunt_error_set(error, -ESRCH, "process %u has %s open no more", port->pid, port->name);
}
