/* SPDX-License-Identifier: BSD-2-Clause */
#include "igmp_host.h"

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

void igmp_host_init(struct igmp_host *host, struct shunt_mac mac, uint32_t address, uint64_t seed)
{
  *host = (struct igmp_host){
      .mac = mac, .address = address, .due_ns = IGMP_HOST_NEVER_NS, .random = seed};
}

static void find_earliest(struct igmp_host *host)
{
  host->due_ns = IGMP_HOST_NEVER_NS;
  for (unsigned i = 0; i < host->count; i++)
    if (host->groups[i].due_ns < host->due_ns)
      host->due_ns = host->groups[i].due_ns;
}

static bool speaks_v2(const struct igmp_host *host, uint64_t now_ns)
{
  return now_ns < host->v2_until_ns;
}

static void change(struct igmp_host *host, struct igmp_host_group *group, uint64_t now_ns)
{
  group->changed = true;
  group->repeats = ROBUSTNESS - 1;
  group->due_ns = now_ns;
  find_earliest(host);
}

int igmp_host_join(struct igmp_host *host, uint32_t group, uint64_t now_ns)
{
  if (!shunt_ipv4_is_multicast(group) || group == SHUNT_IGMP_ALL_SYSTEMS)
    return -EINVAL;
  for (unsigned i = 0; i < host->count; i++)
    if (host->groups[i].address == group)
      return 0;
  if (host->count == IGMP_HOST_GROUPS)
    return -ENOSPC;
  struct igmp_host_group *joined = &host->groups[host->count++];
  joined->address = group;
  change(host, joined, now_ns);
  return 0;
}

void igmp_host_answer_only(struct igmp_host *host)
{
  for (unsigned i = 0; i < host->count; i++) {
    struct igmp_host_group *group = &host->groups[i];
    group->changed = false;
    group->repeats = 0;
    group->due_ns = IGMP_HOST_NEVER_NS;
  }
  find_earliest(host);
}

void igmp_host_leave(struct igmp_host *host, uint64_t now_ns)
{
  host->leaving = true;
  for (unsigned i = 0; i < host->count; i++)
    change(host, &host->groups[i], now_ns);
}

void igmp_host_query(struct igmp_host *host, const struct shunt_igmp_query *query, uint64_t now_ns)
{
  host->queries++;
  if (query->version < 3)
    host->v2_until_ns = now_ns + ROBUSTNESS * OLDER_QUERIER_S * NS_PER_S + RESPONSE_OF_OLD_NS;
  if (host->leaving)
    return;
  /* RFC 3376 5.2: within the time asked for, but never later than what is due already. */
  uint64_t due_ns = now_ns + random_below(&host->random, query->max_response_ms + 1) * NS_PER_MS;
  for (unsigned i = 0; i < host->count; i++) {
    struct igmp_host_group *group = &host->groups[i];
    if ((query->group == 0 || query->group == group->address) && due_ns < group->due_ns)
      group->due_ns = due_ns;
  }
  find_earliest(host);
}

/* A report of the group has been built: what is due next? */
static void reported(struct igmp_host *host, struct igmp_host_group *group, uint64_t now_ns)
{
  group->due_ns = IGMP_HOST_NEVER_NS;
  if (!group->repeats) {
    group->changed = false;
    return;
  }
  uint64_t most_ns = speaks_v2(host, now_ns) ? V2_UNSOLICITED_NS : V3_UNSOLICITED_NS;
  group->repeats--;
  group->due_ns = now_ns + 1 + random_below(&host->random, most_ns);
}

/* Version 2 has a frame for each group. */
static uint32_t build_v2(struct igmp_host *host, void *frame, uint64_t now_ns)
{
  for (unsigned i = 0; i < host->count; i++) {
    struct igmp_host_group *group = &host->groups[i];
    if (group->due_ns > now_ns)
      continue;
    reported(host, group, now_ns);
    return (host->leaving ? shunt_igmp_v2_leave_build : shunt_igmp_v2_join_build)(
        frame, IGMP_HOST_FRAME_BYTES, host->mac, host->address, group->address);
  }
  return 0;
}

static uint32_t build_v3(struct igmp_host *host, void *frame, uint64_t now_ns)
{
  struct shunt_igmp_record records[IGMP_HOST_GROUPS];
  uint32_t n = 0;
  for (unsigned i = 0; i < host->count; i++) {
    struct igmp_host_group *group = &host->groups[i];
    if (group->due_ns > now_ns)
      continue;
    records[n++] = (struct shunt_igmp_record){.type = host->leaving    ? SHUNT_IGMP_TO_INCLUDE
                                                      : group->changed ? SHUNT_IGMP_TO_EXCLUDE
                                                                       : SHUNT_IGMP_IS_EXCLUDE,
                                              .group = group->address};
    reported(host, group, now_ns);
  }
  return n ? shunt_igmp_v3_report_build(frame, IGMP_HOST_FRAME_BYTES, host->mac, host->address,
                                        records, n)
           : 0;
}

uint32_t igmp_host_frame(struct igmp_host *host, void *frame, uint64_t now_ns)
{
  if (now_ns < host->due_ns)
    return 0;
  uint32_t bytes =
      speaks_v2(host, now_ns) ? build_v2(host, frame, now_ns) : build_v3(host, frame, now_ns);
  host->reports += bytes != 0;
  find_earliest(host);
  return bytes;
}
