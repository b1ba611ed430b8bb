/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules in a file: a list on each line, and comments. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shunt/xdp_rule.h"
#include "src/bpf/rule.h"
#include "src/core/error_internal.h"

/* SHUNT_XDP_RULES_MOST rules of SHUNT_XDP_RULE_TEXT_BYTES are 2.5 MiB; the rest is for comments. */
#define FILE_BYTES_MOST (8u << 20)

static int too_many(const char *path, unsigned line, unsigned most, struct shunt_error *error)
{
  shunt_error_set(error, -E2BIG, "%s:%u: there are too many rules", path, line);
  shunt_error_why(error, "there is room for %u", most);
  shunt_error_remedy(error, "write ports as lists and ranges, addresses as prefixes");
  return -E2BIG;
}

static int has_nul(const char *path, unsigned line, struct shunt_error *error)
{
  shunt_error_set(error, -EINVAL, "%s:%u: this is no text", path, line);
  shunt_error_why(error, "a byte of it is 0");
  shunt_error_remedy(error, "write a rule a line, as in shunt(1)");
  return -EINVAL;
}

int rule_file_parse(const char *path, char *text, size_t bytes, struct shunt_xdp_rule rules[],
                    unsigned most, unsigned *count, struct shunt_error *error)
{
  const char *const end = text + bytes;
  unsigned number = 0;

  *count = 0;
  for (char *line = text, *next; line < end; line = next) {
    char *newline = memchr(line, '\n', (size_t)(end - line));
    unsigned added = 0;
    next = newline ? newline + 1 : text + bytes + 1;
    number++;
    next[-1] = '\0';
    if (strlen(line) != (size_t)(next - 1 - line))
      return has_nul(path, number, error);
    line[strcspn(line, "#")] = '\0';
    int result = shunt_xdp_rules_parse(line, rules + *count, most - *count, &added, error);
    if (result == -E2BIG)
      return too_many(path, number, most, error);
    if (result)
      return shunt_error_within(error, result, "%s:%u", path, number);
    *count += added;
  }
  return 0;
}

/* ---- The file ---- */

static int cant_read(const char *path, int code, struct shunt_error *error)
{
  shunt_error_set(error, code, "can't read the rules in %s", path);
  if (code == -EFBIG)
    shunt_error_why(error, "it is longer than %u bytes", FILE_BYTES_MOST);
  else if (code == -EINVAL)
    shunt_error_why(error, "it is no regular file");
  else
    shunt_error_why(error, "%s", strerrordesc_np(-code));
  return code;
}

static int check_file(int fd, size_t *bytes)
{
  struct stat state;
  if (fstat(fd, &state))
    return -errno;
  if (!S_ISREG(state.st_mode))
    return -EINVAL;
  *bytes = (size_t)state.st_size;
  return state.st_size > FILE_BYTES_MOST ? -EFBIG : 0;
}

/* Read what there is, up to *bytes; *bytes becomes how much there was. */
static int read_all(int fd, char *text, size_t *bytes)
{
  size_t done = 0;
  while (done < *bytes) {
    ssize_t n = read(fd, text + done, *bytes - done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -errno;
    if (n == 0)
      break;
    done += (size_t)n;
  }
  *bytes = done;
  return 0;
}

int shunt_xdp_rules_read(const char *path, struct shunt_xdp_rule rules[], unsigned most,
                         unsigned *count, struct shunt_error *error)
{
  size_t bytes = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO would have us wait */
  if (fd < 0)
    return cant_read(path, -errno, error);
  int result = check_file(fd, &bytes);
  char *text = result ? NULL : malloc(bytes + 1);
  if (!result)
    result = text ? read_all(fd, text, &bytes) : -ENOMEM;
  close(fd);
  result = result ? cant_read(path, result, error)
                  : rule_file_parse(path, text, bytes, rules, most, count, error);
  free(text);
  return result;
}
