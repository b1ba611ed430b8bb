/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/netlink/setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/netlink/interface.h"
#include "src/netlink/journal.h"
#include "src/netlink/membership.h"
#include "src/netlink/setting.h"
#include "src/netlink/setup_plan.h"

struct setup {
  char directory[256];
  const struct shunt_log *log;
  struct journal_owner owner;
  int held[SETUP_PLAN_INTERFACES]; /* whose journals name us */
  unsigned held_count;
  struct membership *membership; /* promiscuity; NULL: not asked for */
  uint8_t remaining;
  char why[SHUNT_ERROR_TEXT_BYTES];
};

/* ---- Putting back ---- */

static bool is_gone(int ifindex)
{
  char name[IF_NAMESIZE];
  return !if_indextoname((unsigned)ifindex, name) && errno != EINTR;
}

static int put_back_one(const struct interface_state *state, const struct journal_setting *setting,
                        const struct shunt_log *log, unsigned *restored, struct shunt_error *error)
{
  uint32_t now;
  if (!setting_read(state, setting->key, &now) || now == setting->before)
    return 0;
  if (now != setting->after) {
    shunt_log_write(log, SHUNT_LOG_INFO, "%s of %s is left at %u: someone changed it since",
                    setting->key, state->name, now);
    return 0;
  }
  int code = setting_write(state->ifindex, setting->key, setting->before, error);
  if (code == 0)
    (*restored)++;
  return code;
}

/* Put back everything that the journal holds, in the order in which it was changed: segmentation
 * offloads can be had again only after the checksums that they stand on. What fails stays in the
 * journal. Returns 0, or the first failure. */
static int put_back(struct journal *journal, const struct shunt_log *log, unsigned *restored,
                    struct shunt_error *error)
{
  struct interface_state state;
  struct shunt_error ignored;
  int first = 0;
  unsigned left = 0, count = journal->setting_count;
  journal->setting_count = 0;
  if (is_gone(journal->ifindex) || !count)
    return 0;
  for (unsigned i = 0; i < count; i++) {
    /* Read anew for each: one setting can move another. */
    int code = interface_read_index(journal->ifindex, &state, first ? &ignored : error);
    if (code == 0)
      code = put_back_one(&state, &journal->settings[i], log, restored, first ? &ignored : error);
    if (code < 0)
      journal->settings[left++] = journal->settings[i];
    first = first ? first : code;
  }
  journal->setting_count = left;
  return first;
}

/* Put back what owners that are gone have left. With living ones nothing happens. */
static int recover(const struct journals *journals, struct journal *journal,
                   const struct shunt_log *log, unsigned *restored, struct shunt_error *error)
{
  if (!journal->setting_count || journal_bury(journal))
    return 0;
  int code = put_back(journal, log, restored, error);
  int written = journals_write(journals, journal, code ? NULL : error);
  if (*restored)
    shunt_log_write(log, SHUNT_LOG_INFO,
                    "%u settings of %s were put back: a process had ended without", *restored,
                    journal->name);
  return code ? code : written;
}

/* ---- Holding ---- */

static int held_otherwise(const struct journal *journal, const struct journal_setting *setting,
                          uint32_t wanted, struct shunt_error *error)
{
  shunt_error_set(error, -EBUSY, "can't set %s of %s to %u", setting->key, journal->name, wanted);
  shunt_error_why(error, "process %d has set it to %u and needs it so", journal->owners[0].pid,
                  setting->after);
  shunt_error_remedy(error, "ask for %u too, or end that process", setting->after);
  return -EBUSY;
}

/* Write one change into the journal. An offload that is off by itself needs nobody to hold it so:
 * set-ups only ever switch offloads off, and put back on what is in a journal.
 * Returns 1 where it is in the journal now, 0 where it need not be, or -errno. */
static int enter_one(struct journal *journal, const struct interface_state *state,
                     const struct setup_change *change, struct shunt_error *error)
{
  uint32_t now = change->value;
  struct journal_setting *setting = journal_find(journal, change->key);
  if (setting && setting->after != change->value)
    return held_otherwise(journal, setting, change->value, error);
  if (setting)
    return 1;
  setting_read(state, change->key, &now);
  if (now == change->value && interface_offload_bit(change->key))
    return 0;
  if (journal->setting_count == JOURNAL_SETTINGS)
    return shunt_error_set(error, -ENOSPC, "too many settings of %s are held", state->name);
  setting = &journal->settings[journal->setting_count++];
  *setting = (struct journal_setting){.before = now, .after = change->value};
  snprintf(setting->key, sizeof(setting->key), "%s", change->key);
  return 1;
}

/* Write into the journal what will be changed, and for whom. Returns how many settings are held. */
static int enter(struct journal *journal, const struct interface_state *state,
                 const struct setup_interface *planned, const struct journal_owner *owner,
                 struct shunt_error *error)
{
  int held = 0;
  memcpy(journal->name, state->name, sizeof(journal->name));
  for (unsigned i = 0; i < planned->count; i++) {
    int code = enter_one(journal, state, &planned->changes[i], error);
    if (code < 0)
      return code;
    held += code;
  }
  if (held && journal->owner_count == JOURNAL_OWNERS)
    return shunt_error_set(error, -ENOSPC, "%s is held by %d set-ups already", state->name,
                           JOURNAL_OWNERS);
  if (held)
    journal->owners[journal->owner_count++] = *owner;
  return held;
}

static int change_all(const struct interface_state *state, const struct setup_change *changes,
                      unsigned count, struct shunt_error *error)
{
  for (unsigned i = 0; i < count; i++) {
    uint32_t now;
    if (setting_read(state, changes[i].key, &now) && now == changes[i].value)
      continue;
    int code = setting_write(state->ifindex, changes[i].key, changes[i].value, error);
    if (code < 0)
      return code;
  }
  return 0;
}

/* Hold one interface of the plan: recover it, write down, change. */
static int hold(struct setup *setup, const struct journals *journals,
                const struct setup_interface *planned, struct shunt_error *error)
{
  struct journal journal;
  struct interface_state state = {0};
  unsigned restored = 0;
  int code = journals_read(journals, planned->ifindex, &journal, error);
  if (code == 0)
    code = recover(journals, &journal, setup->log, &restored, error);
  if (code == 0)
    code = interface_read_index(planned->ifindex, &state, error);
  if (code == 0)
    code = enter(&journal, &state, planned, &setup->owner, error);
  if (code <= 0)
    return code; /* refused, or nothing to change and nothing to hold */
  code = journals_write(journals, &journal, error);
  if (code < 0)
    return code;
  setup->held[setup->held_count++] = planned->ifindex;
  return change_all(&state, planned->changes, planned->count, error);
}

static int hold_all(struct setup *setup, const struct setup_plan *plan, struct shunt_error *error)
{
  struct journals journals;
  int code = journals_open(setup->directory, &journals, error);
  if (code < 0)
    return code;
  for (unsigned i = 0; i < plan->count && code == 0; i++)
    code = hold(setup, &journals, &plan->interfaces[i], error);
  journals_close(&journals);
  return code;
}

/* ---- The calls ---- */

/* What processes that are gone have left is put back before anything is looked at, also at a veth's
 * other end, so that a plan starts from what the interfaces are by themselves. Trouble with another
 * interface is none of ours; trouble with this one is met again when its journal is opened. */
static void recover_first(const struct setup *setup)
{
  struct setup_recovered recovered;
  struct shunt_error error;
  if (setup_recover(setup->directory, NULL, false, setup->log, &recovered, &error))
    shunt_log_error(setup->log, SHUNT_LOG_WARNING, &error);
}

static int hold_promiscuous(struct setup *setup, int ifindex, struct shunt_error *error)
{
  int code = membership_open(ifindex, &setup->membership, error);
  return code ? code : membership_promiscuous(setup->membership, true, error);
}

static int set_up(struct setup *setup, const char *interface, const struct setup_wanted *wanted,
                  struct shunt_error *error)
{
  struct setup_plan plan;
  bool journaled =
      wanted->channels || wanted->mtu || wanted->up || wanted->traps || wanted->traps_try;
  if (journaled)
    recover_first(setup);
  int code = setup_plan_make(interface, wanted, &plan, error);
  if (code < 0)
    return code;
  setup->remaining = plan.remaining;
  memcpy(setup->why, plan.why, sizeof(setup->why));
  if (plan.remaining)
    shunt_log_write(setup->log, SHUNT_LOG_WARNING, "%s: %s", interface, plan.why);
  if (plan.count)
    code = hold_all(setup, &plan, error);
  if (code == 0 && wanted->promiscuous)
    code = hold_promiscuous(setup, plan.ifindex, error);
  return code;
}

int setup_open(const char *directory, const char *interface, const struct setup_wanted *wanted,
               const struct shunt_log *log, struct setup **setup, struct shunt_error *error)
{
  struct setup *new = calloc(1, sizeof(*new));
  if (!new)
    return shunt_error_set(error, -ENOMEM, "can't set up %s: out of memory", interface);
  new->log = log;
  snprintf(new->directory, sizeof(new->directory), "%s", directory ? directory : SETUP_DIRECTORY);
  int code = journal_owner_self(&new->owner);
  if (code < 0) {
    shunt_error_set(error, code, "/proc does not tell when this process began");
    shunt_error_remedy(error, "mount /proc");
  } else {
    code = set_up(new, interface, wanted, error);
  }
  if (code < 0) {
    shunt_error_within(error, code, "can't set up %s", interface);
    setup_close(new, NULL);
    return code;
  }
  *setup = new;
  return 0;
}

uint8_t setup_remaining(const struct setup *setup, const char **why)
{
  if (why)
    *why = setup->why;
  return setup->remaining;
}

static int leave(const struct setup *setup, const struct journals *journals, int ifindex,
                 struct shunt_error *error)
{
  struct journal journal;
  unsigned restored = 0;
  int code = journals_read(journals, ifindex, &journal, error);
  if (code < 0)
    return code;
  journal_leave(&journal, setup->owner.token);
  if (!journal_bury(&journal))
    code = put_back(&journal, setup->log, &restored, error);
  int written = journals_write(journals, &journal, code ? NULL : error);
  return code ? code : written;
}

int setup_close(struct setup *setup, struct shunt_error *error)
{
  struct journals journals;
  int first = 0;
  if (!setup)
    return 0;
  membership_close(setup->membership);
  if (setup->held_count)
    first = journals_open(setup->directory, &journals, error);
  if (setup->held_count && first == 0) {
    while (setup->held_count) {
      int ifindex = setup->held[--setup->held_count];
      int code = leave(setup, &journals, ifindex, first ? NULL : error);
      first = first ? first : code;
    }
    journals_close(&journals);
  }
  free(setup);
  return first;
}

/* ---- Recovery ---- */

#define RECOVER_MOST 256

static int recover_one(const struct journals *journals, int ifindex, bool dry,
                       const struct shunt_log *log, struct setup_recovered *recovered,
                       struct shunt_error *error)
{
  struct journal journal;
  int code = journals_read(journals, ifindex, &journal, error);
  if (code < 0)
    return code;
  if (!journal.setting_count) /* of an earlier boot */
    return dry ? 0 : journals_write(journals, &journal, error);
  if (journal_bury(&journal)) {
    recovered->held++;
    return 0;
  }
  recovered->journals++;
  if (dry)
    return 0;
  unsigned restored = 0;
  code = recover(journals, &journal, log, &restored, error);
  recovered->settings += restored;
  return code;
}

int setup_recover(const char *directory, const char *interface, bool dry,
                  const struct shunt_log *log, struct setup_recovered *recovered,
                  struct shunt_error *error)
{
  struct journals journals;
  int ifindices[RECOVER_MOST], first = 0;
  int only = interface ? (int)if_nametoindex(interface) : 0;
  memset(recovered, 0, sizeof(*recovered));
  if (interface && !only)
    return shunt_error_set(error, -ENODEV, "there is no network interface \"%.15s\"", interface);
  int code = journals_open(directory ? directory : SETUP_DIRECTORY, &journals, error);
  if (code < 0)
    return code;
  int count = journals_list(&journals, ifindices, RECOVER_MOST, &recovered->others);
  if (recovered->others && !dry)
    recovered->others -= journals_sweep(&journals, NULL, log);
  for (int i = 0; i < count; i++) {
    if (only && ifindices[i] != only)
      continue;
    code = recover_one(&journals, ifindices[i], dry, log, recovered, first ? NULL : error);
    first = first ? first : code;
  }
  journals_close(&journals);
  return count < 0 ? shunt_error_set(error, count, "can't list the journals of changes") : first;
}
