/* SPDX-License-Identifier: BSD-2-Clause */
#include "membership.h"

#include <errno.h>

#include "random.h"

/* RFC 3376 8.1, 8.2, 8.3, 8.11, 8.12; RFC 2236 8.10. */
#define ROBUSTNESS         2
#define V3_UNSOLICITED_NS  UINT64_C(1000000000)
#define V2_UNSOLICITED_NS  UINT64_C(10000000000)
#define OLDER_QUERIER_S    125
#define NS_PER_MS          UINT64_C(1000000)
#define NS_PER_S           UINT64_C(1000000000)
#define RESPONSE_OF_OLD_NS (10 * NS_PER_S)

void membership_init(struct membership *membership, struct shunt_mac mac, uint32_t address,
                     uint64_t seed)
{
  *membership = (struct membership){
      .mac = mac, .address = address, .due_ns = MEMBERSHIP_NEVER_NS, .random = seed};
}

static void find_earliest(struct membership *membership)
{
  membership->due_ns = MEMBERSHIP_NEVER_NS;
  for (unsigned i = 0; i < membership->count; i++)
    if (membership->groups[i].due_ns < membership->due_ns)
      membership->due_ns = membership->groups[i].due_ns;
}

static bool speaks_v2(const struct membership *membership, uint64_t now_ns)
{
  return now_ns < membership->v2_until_ns;
}

static void change(struct membership *membership, struct membership_group *group, uint64_t now_ns)
{
  group->changed = true;
  group->repeats = ROBUSTNESS - 1;
  group->due_ns = now_ns;
  find_earliest(membership);
}

int membership_join(struct membership *membership, uint32_t group, uint64_t now_ns)
{
  if (!shunt_ipv4_is_multicast(group) || group == SHUNT_IGMP_ALL_SYSTEMS)
    return -EINVAL;
  for (unsigned i = 0; i < membership->count; i++)
    if (membership->groups[i].address == group)
      return 0;
  if (membership->count == MEMBERSHIP_GROUPS)
    return -ENOSPC;
  struct membership_group *joined = &membership->groups[membership->count++];
  joined->address = group;
  change(membership, joined, now_ns);
  return 0;
}

void membership_leave(struct membership *membership, uint64_t now_ns)
{
  membership->leaving = true;
  for (unsigned i = 0; i < membership->count; i++)
    change(membership, &membership->groups[i], now_ns);
}

void membership_query(struct membership *membership, const struct shunt_igmp_query *query,
                      uint64_t now_ns)
{
  membership->queries++;
  if (query->version < 3)
    membership->v2_until_ns = now_ns + ROBUSTNESS * OLDER_QUERIER_S * NS_PER_S + RESPONSE_OF_OLD_NS;
  if (membership->leaving)
    return;
  /* RFC 3376 5.2: within the time asked for, but never later than what is due already. */
  uint64_t due_ns =
      now_ns + random_below(&membership->random, query->max_response_ms + 1) * NS_PER_MS;
  for (unsigned i = 0; i < membership->count; i++) {
    struct membership_group *group = &membership->groups[i];
    if ((query->group == 0 || query->group == group->address) && due_ns < group->due_ns)
      group->due_ns = due_ns;
  }
  find_earliest(membership);
}

/* A report of the group has been built: what is due next? */
static void reported(struct membership *membership, struct membership_group *group, uint64_t now_ns)
{
  group->due_ns = MEMBERSHIP_NEVER_NS;
  if (!group->repeats) {
    group->changed = false;
    return;
  }
  uint64_t most_ns = speaks_v2(membership, now_ns) ? V2_UNSOLICITED_NS : V3_UNSOLICITED_NS;
  group->repeats--;
  group->due_ns = now_ns + 1 + random_below(&membership->random, most_ns);
}

/* Version 2 has a frame for each group. */
static uint32_t build_v2(struct membership *membership, void *frame, uint64_t now_ns)
{
  for (unsigned i = 0; i < membership->count; i++) {
    struct membership_group *group = &membership->groups[i];
    if (group->due_ns > now_ns)
      continue;
    reported(membership, group, now_ns);
    return (membership->leaving ? shunt_igmp_v2_leave_build : shunt_igmp_v2_join_build)(
        frame, MEMBERSHIP_FRAME_BYTES, membership->mac, membership->address, group->address);
  }
  return 0;
}

static uint32_t build_v3(struct membership *membership, void *frame, uint64_t now_ns)
{
  struct shunt_igmp_record records[MEMBERSHIP_GROUPS];
  uint32_t n = 0;
  for (unsigned i = 0; i < membership->count; i++) {
    struct membership_group *group = &membership->groups[i];
    if (group->due_ns > now_ns)
      continue;
    records[n++] = (struct shunt_igmp_record){.type = membership->leaving ? SHUNT_IGMP_TO_INCLUDE
                                                      : group->changed    ? SHUNT_IGMP_TO_EXCLUDE
                                                                          : SHUNT_IGMP_IS_EXCLUDE,
                                              .group = group->address};
    reported(membership, group, now_ns);
  }
  return n ? shunt_igmp_v3_report_build(frame, MEMBERSHIP_FRAME_BYTES, membership->mac,
                                        membership->address, records, n)
           : 0;
}

uint32_t membership_frame(struct membership *membership, void *frame, uint64_t now_ns)
{
  if (now_ns < membership->due_ns)
    return 0;
  uint32_t bytes = speaks_v2(membership, now_ns) ? build_v2(membership, frame, now_ns)
                                                 : build_v3(membership, frame, now_ns);
  membership->reports += bytes != 0;
  find_earliest(membership);
  return bytes;
}
