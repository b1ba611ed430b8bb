/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/core/sysfs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Read until the end of the file or of the room. Returns how much, or -errno. */
static ssize_t sysfs_read_all(int fd, char *text, size_t bytes)
{
  size_t used = 0;
  while (used < bytes) {
    ssize_t got = read(fd, text + used, bytes - used);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return -errno;
    if (got == 0)
      break;
    used += (size_t)got;
  }
  return (ssize_t)used;
}

int sysfs_read(const char *path, char *text, size_t bytes)
{
  if (bytes == 0)
    return -E2BIG;
  text[0] = '\0';
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  ssize_t used = sysfs_read_all(fd, text, bytes);
  close(fd);
  if (used < 0 || (size_t)used == bytes) {
    text[0] = '\0';
    return used < 0 ? (int)used : -E2BIG;
  }
  while (used > 0 && isspace((unsigned char)text[used - 1]))
    used--;
  text[used] = '\0';
  return 0;
}

int sysfs_read_int(const char *path, int *value)
{
  char text[32];
  int result = sysfs_read(path, text, sizeof text);
  if (result < 0)
    return result;
  char *end;
  errno = 0;
  long number = strtol(text, &end, 10);
  if (end == text || *end != '\0' || errno != 0 || number < INT_MIN || number > INT_MAX)
    return -EINVAL;
  *value = (int)number;
  return 0;
}
