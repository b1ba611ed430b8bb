/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/netlink/journal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "src/core/sysfs.h"

/* ---- Reading a line ---- */

/* What is left of one line: bytes up to, and not with, its line feed. */
struct line {
  const char *at, *end;
};

/* The next word, up to a space or the line's end, into text. False: there is none, it is too long,
 * or has a byte that no journal has. */
static bool take_word(struct line *line, char *text, size_t bytes)
{
  size_t used = 0;
  for (; line->at < line->end && *line->at != ' '; line->at++) {
    if (*line->at <= ' ' || *line->at > '~' || used + 1 >= bytes)
      return false;
    text[used++] = *line->at;
  }
  text[used] = '\0';
  if (line->at < line->end)
    line->at++;
  return used > 0;
}

static bool take_number(struct line *line, int base, uint64_t most, uint64_t *number)
{
  char word[24], *end;
  if (!take_word(line, word, sizeof(word)) || word[0] == '-' || word[0] == '+')
    return false;
  errno = 0;
  *number = strtoull(word, &end, base);
  return !errno && !*end && *number <= most;
}

static bool take_owner(struct line *line, struct journal *journal)
{
  uint64_t pid, start, token;
  if (journal->owner_count == JOURNAL_OWNERS || !take_number(line, 10, INT32_MAX, &pid) || !pid ||
      !take_number(line, 10, UINT64_MAX, &start) || !take_number(line, 16, UINT32_MAX, &token))
    return false;
  journal->owners[journal->owner_count++] =
      (struct journal_owner){.pid = (int32_t)pid, .start = start, .token = (uint32_t)token};
  return true;
}

static bool take_setting(struct line *line, struct journal *journal)
{
  struct journal_setting setting = {0};
  uint64_t before, after;
  if (journal->setting_count == JOURNAL_SETTINGS ||
      !take_word(line, setting.key, sizeof(setting.key)) ||
      strspn(setting.key, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(setting.key) ||
      journal_find(journal, setting.key) || !take_number(line, 10, UINT32_MAX, &before) ||
      !take_number(line, 10, UINT32_MAX, &after))
    return false;
  setting.before = (uint32_t)before;
  setting.after = (uint32_t)after;
  journal->settings[journal->setting_count++] = setting;
  return true;
}

static bool take_interface(struct line *line, struct journal *journal)
{
  uint64_t ifindex;
  if (journal->ifindex || !take_number(line, 10, INT32_MAX, &ifindex) || !ifindex)
    return false;
  journal->ifindex = (int32_t)ifindex;
  return take_word(line, journal->name, sizeof(journal->name));
}

static bool take_line(struct line *line, struct journal *journal, bool *end)
{
  char word[16];
  if (*end || !take_word(line, word, sizeof(word)))
    return false;
  if (!strcmp(word, "end"))
    *end = true;
  else if (!strcmp(word, "boot"))
    return !*journal->boot && take_word(line, journal->boot, sizeof(journal->boot));
  else if (!strcmp(word, "namespace"))
    return !journal->namespace_inode &&
           take_number(line, 10, UINT64_MAX, &journal->namespace_inode);
  else if (!strcmp(word, "interface"))
    return take_interface(line, journal);
  else if (!strcmp(word, "owner"))
    return take_owner(line, journal);
  else if (!strcmp(word, "setting"))
    return take_setting(line, journal);
  else
    return false;
  return true;
}

#define FIRST_LINE "shunt-setup 1\n"

int journal_parse(const char *text, size_t bytes, struct journal *journal)
{
  bool end = false;
  const char *at = text, *last = text + bytes;
  memset(journal, 0, sizeof(*journal));
  if (bytes >= JOURNAL_BYTES || bytes < strlen(FIRST_LINE) ||
      memcmp(text, FIRST_LINE, strlen(FIRST_LINE)) != 0)
    return -EINVAL;
  for (at += strlen(FIRST_LINE); at < last;) {
    const char *feed = memchr(at, '\n', (size_t)(last - at));
    struct line line = {at, feed};
    if (!feed || !take_line(&line, journal, &end) || line.at != line.end)
      return -EINVAL;
    at = feed + 1;
  }
  return end && journal->ifindex && *journal->boot ? 0 : -EINVAL;
}

size_t journal_format(const struct journal *journal, char text[JOURNAL_BYTES])
{
  size_t used = (size_t)snprintf(text, JOURNAL_BYTES, FIRST_LINE "boot %s\n", journal->boot);
  if (journal->namespace_inode)
    used += (size_t)snprintf(text + used, JOURNAL_BYTES - used, "namespace %" PRIu64 "\n",
                             journal->namespace_inode);
  used += (size_t)snprintf(text + used, JOURNAL_BYTES - used, "interface %d %s\n", journal->ifindex,
                           journal->name);
  for (unsigned i = 0; i < journal->owner_count; i++)
    used += (size_t)snprintf(text + used, JOURNAL_BYTES - used, "owner %d %" PRIu64 " %08x\n",
                             journal->owners[i].pid, journal->owners[i].start,
                             journal->owners[i].token);
  for (unsigned i = 0; i < journal->setting_count; i++)
    used += (size_t)snprintf(text + used, JOURNAL_BYTES - used, "setting %s %u %u\n",
                             journal->settings[i].key, journal->settings[i].before,
                             journal->settings[i].after);
  return used + (size_t)snprintf(text + used, JOURNAL_BYTES - used, "end\n");
}

/* The longest journal fits: owners have 45 bytes a line at most, settings 63. */
static_assert(160 + JOURNAL_OWNERS * 48 + JOURNAL_SETTINGS * 64 < JOURNAL_BYTES, "journal.h");

/* ---- Owners and settings ---- */

/* The state and the start of a process: fields 3 and 22 of /proc/PID/stat, counted behind the last
 * ')', since the name may hold anything. */
static int process_start(int32_t pid, char *state, uint64_t *start)
{
  char path[32], text[1024];
  snprintf(path, sizeof(path), "/proc/%d/stat", pid);
  int code = sysfs_read(path, text, sizeof(text));
  if (code < 0)
    return code;
  const char *at = strrchr(text, ')');
  if (!at || sscanf(at,
                    ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                    "%*s %" SCNu64,
                    state, start) != 2)
    return -EINVAL;
  return 0;
}

int journal_owner_self(struct journal_owner *owner)
{
  char state;
  owner->pid = getpid();
  int code = process_start(owner->pid, &state, &owner->start);
  if (code < 0)
    return code;
  return getrandom(&owner->token, sizeof(owner->token), 0) == sizeof(owner->token) ? 0 : -EIO;
}

bool journal_owner_lives(const struct journal_owner *owner)
{
  uint64_t start;
  char state;
  if (kill(owner->pid, 0) && errno == ESRCH)
    return false;
  if (process_start(owner->pid, &state, &start))
    return true; /* it is there, and /proc hides it */
  return start == owner->start && state != 'Z' && state != 'X';
}

unsigned journal_bury(struct journal *journal)
{
  unsigned left = 0;
  for (unsigned i = 0; i < journal->owner_count; i++)
    if (journal_owner_lives(&journal->owners[i]))
      journal->owners[left++] = journal->owners[i];
  journal->owner_count = left;
  return left;
}

void journal_leave(struct journal *journal, uint32_t token)
{
  unsigned left = 0;
  for (unsigned i = 0; i < journal->owner_count; i++)
    if (journal->owners[i].token != token || journal->owners[i].pid != getpid())
      journal->owners[left++] = journal->owners[i];
  journal->owner_count = left;
}

struct journal_setting *journal_find(struct journal *journal, const char *key)
{
  for (unsigned i = 0; i < journal->setting_count; i++)
    if (!strcmp(journal->settings[i].key, key))
      return &journal->settings[i];
  return NULL;
}
