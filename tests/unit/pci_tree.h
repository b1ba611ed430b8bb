/* SPDX-License-Identifier: BSD-2-Clause */
/* A sysfs of a test's own, in a directory that is gone afterwards. Paths are relative to it. */
#ifndef TESTS_UNIT_PCI_TREE_H
#define TESTS_UNIT_PCI_TREE_H

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree[64];

static inline const char *tree_path(const char *file)
{
  static char paths[8][PATH_MAX]; /* so that a few can be used in one expression */
  static unsigned next;
  char *path = paths[next++ % 8];
  snprintf(path, PATH_MAX, "%s/%s", tree, file);
  return path;
}

/* Make the directories that lead to a file. */
static inline void tree_lead(const char *file)
{
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s", tree_path(file));
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(path, 0755);
    *slash = '/';
  }
}

static inline void tree_put_bytes(const char *file, const void *data, size_t bytes)
{
  tree_lead(file);
  int fd = open(tree_path(file), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes)
    abort();
  close(fd);
}

static inline void tree_put(const char *file, const char *text)
{
  tree_put_bytes(file, text, strlen(text));
}

/* A link whose target is another path of the tree, which need not exist. */
static inline void tree_link(const char *file, const char *target)
{
  tree_lead(file);
  unlink(tree_path(file));
  if (symlink(tree_path(target), tree_path(file)) != 0)
    abort();
}

static inline const char *tree_get(const char *file)
{
  static char text[256];
  FILE *f = fopen(tree_path(file), "r");
  size_t used = f != NULL ? fread(text, 1, sizeof text - 1, f) : 0;
  text[used] = '\0';
  if (f != NULL)
    fclose(f);
  return text;
}

static inline int tree_make(void)
{
  strcpy(tree, "/tmp/shunt-pci-XXXXXX");
  return mkdtemp(tree) != NULL ? 0 : -1;
}

static inline int tree_remove(void)
{
  char command[96];
  snprintf(command, sizeof command, "rm -rf %s", tree);
  return system(command);
}

#endif
