/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal of what was changed at one interface, and for whom: a small text file.
 *
 *   shunt-setup 1
 *   boot 7d3c1a52-...                      /proc/sys/kernel/random/boot_id
 *   namespace 4026531840                   its inode, by which it can be found; may be left out
 *   interface 5 eth0                       the name is for people: the index counts
 *   owner 4711 892311 1f00ba51             process, its start (proc(5), stat field 22), a token
 *   setting mtu 1500 9000                  before, after
 *   setting tx-checksum-ip-generic 1 0
 *   end
 *
 * The file is DIRECTORY/setup-<network namespace's cookie>-<ifindex>, mode 0600, replaced as a
 * whole by rename(2). All files of a directory have one lock. */
#ifndef SRC_NETLINK_JOURNAL_H
#define SRC_NETLINK_JOURNAL_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shunt/error.h"
#include "shunt/log.h"

#define JOURNAL_OWNERS   32
#define JOURNAL_SETTINGS 24
#define JOURNAL_BYTES    4096

struct journal_owner {
  int32_t pid;
  uint64_t start; /* clock ticks since boot */
  uint32_t token; /* tells the set-ups of one process apart */
};

struct journal_setting {
  char key[32]; /* lower-case letters, digits and '-' */
  uint32_t before, after;
};

struct journal {
  char boot[40];
  uint64_t namespace_inode; /* 0: not known */
  int32_t ifindex;
  char name[IF_NAMESIZE];
  unsigned owner_count, setting_count;
  struct journal_owner owners[JOURNAL_OWNERS];
  struct journal_setting settings[JOURNAL_SETTINGS];
};

/* Read a journal's text: all of it, or -EINVAL. Takes any bytes. */
int journal_parse(const char *text, size_t bytes, struct journal *journal);
/* Write it. Returns its length, below JOURNAL_BYTES. */
size_t journal_format(const struct journal *journal, char text[JOURNAL_BYTES]);

/* A directory of journals, locked. */
struct journals {
  int directory, lock;
  uint64_t space; /* the network namespace: SO_NETNS_COOKIE, or its inode before Linux 5.14 */
  uint64_t namespace_inode;
  char boot[40];
};

/* Open (and make) the directory and take its lock.
 * Returns 0; -ETIMEDOUT (held by another for 5 s); -EPERM (others could write there); -errno */
int journals_open(const char *directory, struct journals *journals, struct shunt_error *error);
void journals_close(struct journals *journals);

/* The journal of an interface in this namespace; empty where there is none, or where it is of an
 * earlier boot. Returns 0; -EINVAL: damaged; -errno */
int journals_read(const struct journals *journals, int ifindex, struct journal *journal,
                  struct shunt_error *error);
/* Replace it; without a setting the file is removed. Returns 0 or -errno. */
int journals_write(const struct journals *journals, const struct journal *journal,
                   struct shunt_error *error);
/* The indices of the interfaces of this namespace that have a journal, into ifindices[most].
 * others: how many there are of other namespaces. Returns how many, or -errno. */
int journals_list(const struct journals *journals, int ifindices[], unsigned most,
                  unsigned *others);

/* A file of the directory by its name: 0, -EINVAL (it is no sound journal), -errno. */
int journals_read_file(const struct journals *journals, const char *file, struct journal *journal);
/* Whether that is the name of a journal of another namespace. */
bool journals_is_foreign(const struct journals *journals, const char *file);

/* Remove the journals of other namespaces that are of an earlier boot, or whose owners and whose
 * namespace are gone (journal_sweep.c).
 *
 * proc     where processes are looked at. NULL: the kernel is asked for each namespace, or /proc
 *          looked at, where this process sees all of them: else only those of an earlier boot go
 * Returns  how many were removed */
unsigned journals_sweep(const struct journals *journals, const char *proc,
                        const struct shunt_log *log);

/* This process as an owner, with a new token. */
int journal_owner_self(struct journal_owner *owner);
/* Whether the process still runs: it has not ended, and its id was not given to another. */
bool journal_owner_lives(const struct journal_owner *owner);

/* Strike out the owners that are gone. Returns how many are left. */
unsigned journal_bury(struct journal *journal);
/* Strike out one. */
void journal_leave(struct journal *journal, uint32_t token);
/* The setting of that key, or NULL. */
struct journal_setting *journal_find(struct journal *journal, const char *key);

#endif
