/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/tree.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_path(char path[TREE_PATH_BYTES], const char *root, const char *format,
                     va_list arguments) SHUNT_PRINTF(3, 0);

static int make_path(char path[TREE_PATH_BYTES], const char *root, const char *format,
                     va_list arguments)
{
  int used = snprintf(path, TREE_PATH_BYTES, "%s", root);
  if (used < 0 || used >= TREE_PATH_BYTES)
    return -ENAMETOOLONG;
  int more = vsnprintf(path + used, (size_t)(TREE_PATH_BYTES - used), format, arguments);
  return more < 0 || more >= TREE_PATH_BYTES - used ? -ENAMETOOLONG : 0;
}

static int read_path(const char *path, char *text, size_t bytes)
{
  size_t used = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return -errno;
  ssize_t got = 0;
  while (used < bytes - 1) {
    got = read(fd, text + used, bytes - 1 - used);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      break;
    used += (size_t)got;
  }
  int code = got < 0 ? -errno : 0;
  close(fd);
  used = code < 0 ? 0 : used;
  while (used > 0 && isspace((unsigned char)text[used - 1]))
    used--;
  text[used] = '\0';
  return code;
}

int tree_read(const char *root, char *text, size_t bytes, const char *format, ...)
{
  char path[TREE_PATH_BYTES];
  va_list arguments;
  text[0] = '\0';
  va_start(arguments, format);
  int code = make_path(path, root, format, arguments);
  va_end(arguments);
  return code < 0 ? code : read_path(path, text, bytes);
}

int tree_number(const char *root, uint64_t *number, const char *format, ...)
{
  char path[TREE_PATH_BYTES], text[64] = "";
  va_list arguments;
  va_start(arguments, format);
  int code = make_path(path, root, format, arguments);
  va_end(arguments);
  if (code == 0)
    code = read_path(path, text, sizeof(text));
  if (code < 0)
    return code;
  char *end;
  unsigned long long value = strtoull(text, &end, 10);
  if (end == text || text[0] == '-')
    return -EINVAL;
  *number = value;
  return 0;
}

bool tree_exists(const char *root, const char *format, ...)
{
  char path[TREE_PATH_BYTES];
  struct stat status;
  va_list arguments;
  va_start(arguments, format);
  int code = make_path(path, root, format, arguments);
  va_end(arguments);
  return code == 0 && lstat(path, &status) == 0;
}

void tree_link(const char *root, char *name, size_t bytes, const char *format, ...)
{
  char path[TREE_PATH_BYTES], target[TREE_PATH_BYTES];
  va_list arguments;
  name[0] = '\0';
  va_start(arguments, format);
  int code = make_path(path, root, format, arguments);
  va_end(arguments);
  ssize_t length = code == 0 ? readlink(path, target, sizeof(target) - 1) : -1;
  if (length < 0)
    return;
  target[length] = '\0';
  const char *slash = strrchr(target, '/');
  snprintf(name, bytes, "%s", slash ? slash + 1 : target);
}

static int is_visible(const struct dirent *entry)
{
  return entry->d_name[0] != '.';
}

int tree_each(const char *root, const char *path, bool (*visit)(void *context, const char *name),
              void *context)
{
  char whole[TREE_PATH_BYTES];
  struct dirent **entries;
  if (snprintf(whole, sizeof(whole), "%s%s", root, path) >= (int)sizeof(whole))
    return -ENAMETOOLONG;
  int count = scandir(whole, &entries, is_visible, alphasort);
  if (count < 0)
    return -errno;
  int visited = 0;
  for (bool more = true; visited < count && more; visited++)
    more = visit(context, entries[visited]->d_name);
  for (int i = 0; i < count; i++)
    free(entries[i]);
  free(entries);
  return visited;
}

/* Where word stands in words at the beginning of one of them. */
static const char *find_word(const char *words, const char *word)
{
  for (const char *at = words; (at = strstr(at, word)) != NULL; at++)
    if (at == words || isspace((unsigned char)at[-1]))
      return at;
  return NULL;
}

bool tree_has_word(const char *words, const char *word)
{
  size_t length = strlen(word);
  for (const char *at = words; (at = find_word(at, word)) != NULL; at += length)
    if ((at == words || isspace((unsigned char)at[-1])) &&
        (at[length] == '\0' || isspace((unsigned char)at[length])))
      return true;
  return false;
}

bool tree_word_value(const char *words, const char *key, char *value, size_t bytes)
{
  const char *at = find_word(words, key);
  value[0] = '\0';
  if (!at)
    return false;
  at += strlen(key);
  snprintf(value, bytes, "%.*s", (int)strcspn(at, " \t\n"), at);
  return true;
}

bool tree_line_value(const char *text, const char *key, char *value, size_t bytes)
{
  size_t length = strlen(key);
  value[0] = '\0';
  for (const char *line = text; line; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (strncmp(line, key, length) != 0)
      continue;
    line += length;
    line += strspn(line, " \t");
    snprintf(value, bytes, "%.*s", (int)strcspn(line, "\n"), line);
    return true;
  }
  return false;
}
