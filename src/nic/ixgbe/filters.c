/* SPDX-License-Identifier: BSD-2-Clause */
/* Which frames are received (datasheet 7.1.1), and five-tuple filters, which choose their queue
 * (7.1.2.5). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/nic/ixgbe/ixgbe.h"

/* Filter ids: the five-tuple table's index, or this and the perfect filter's. */
#define PERFECT_ID UINT32_C(0x10000)

/* --- Addresses ----------------------------------------------------------------------------------
 */

static void write_address(struct ixgbe *ixgbe, unsigned entry, const struct shunt_mac *mac)
{
  const uint8_t *b = mac->bytes;
  uint32_t low = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
  ixgbe_write(ixgbe, IXGBE_RAL(entry), low); /* takes effect with RAH (8.2.3.7.8) */
  ixgbe_write(ixgbe, IXGBE_RAH(entry), IXGBE_RAH_AV | b[4] | (uint32_t)b[5] << 8);
}

static void clear_address(struct ixgbe *ixgbe, unsigned entry)
{
  ixgbe_write(ixgbe, IXGBE_RAH(entry), 0); /* not valid first */
  ixgbe_write(ixgbe, IXGBE_RAL(entry), 0);
}

/* 8.2.3.7.3, MO = 0: bits 47:36 of the address, byte 5 being the highest. */
static unsigned hash_of(const struct shunt_mac *group)
{
  return (unsigned)group->bytes[4] >> 4 | (unsigned)group->bytes[5] << 4;
}

static void write_filter_control(struct ixgbe *ixgbe)
{
  uint32_t fctrl = IXGBE_FCTRL_BAM;
  if (ixgbe->promiscuous)
    fctrl |= IXGBE_FCTRL_UPE | IXGBE_FCTRL_MPE;
  ixgbe_write(ixgbe, IXGBE_FCTRL, fctrl);
  ixgbe_write(ixgbe, IXGBE_MCSTCTRL, ixgbe->hashed ? IXGBE_MCSTCTRL_MFE : 0);
}

/* Entry 0 is the port's own address, from the EEPROM. The tables are cleared: a reset does not
 * promise that (4.6.7). */
void ixgbe_filters_start(struct ixgbe *ixgbe)
{
  for (unsigned i = 1; i < IXGBE_MAC_ADDRESSES; i++)
    clear_address(ixgbe, i);
  for (unsigned i = 0; i < IXGBE_MTA_DWORDS; i++)
    ixgbe_write(ixgbe, IXGBE_MTA(i), 0);
  for (unsigned i = 0; i < IXGBE_FTQF_FILTERS; i++)
    ixgbe_write(ixgbe, IXGBE_FTQF(i), 0);
  for (unsigned i = 0; i < IXGBE_ETQF_FILTERS; i++)
    ixgbe_write(ixgbe, IXGBE_ETQF(i), 0);
  ixgbe_write(ixgbe, IXGBE_SYNQF, 0);
  ixgbe->entries_used[0] = 1;
  write_filter_control(ixgbe);
}

int ixgbe_promiscuous(struct shunt_port *port, int on, struct shunt_error *error)
{
  struct ixgbe *ixgbe = ixgbe_of(port);
  (void)error;
  ixgbe->promiscuous = on != 0;
  write_filter_control(ixgbe);
  ixgbe_vlan_update(ixgbe);
  return 0;
}

/* --- Multicast: an exact entry while there is one, then a bit of the hash table ------------------
 */

static struct ixgbe_group *find_group(struct ixgbe *ixgbe, const struct shunt_mac *mac)
{
  for (unsigned i = 0; i < ixgbe->group_count; i++)
    if (!memcmp(&ixgbe->groups[i].mac, mac, sizeof(*mac)))
      return &ixgbe->groups[i];
  return NULL;
}

/* 0 where all are taken: entry 0 is never free. */
static uint8_t take_entry(struct ixgbe *ixgbe)
{
  for (unsigned i = 1; i < IXGBE_MAC_ADDRESSES; i++) {
    if (ixgbe->entries_used[i / 32] & UINT32_C(1) << (i % 32))
      continue;
    ixgbe->entries_used[i / 32] |= UINT32_C(1) << (i % 32);
    return (uint8_t)i;
  }
  return 0;
}

static void enter_group(struct ixgbe *ixgbe, struct ixgbe_group *group)
{
  group->entry = take_entry(ixgbe);
  if (group->entry) {
    write_address(ixgbe, group->entry, &group->mac);
    return;
  }
  unsigned hash = hash_of(&group->mac);
  if (!ixgbe->hash_references[hash]++)
    ixgbe_set(ixgbe, IXGBE_MTA(hash / 32), UINT32_C(1) << (hash % 32));
  ixgbe->hashed++;
  write_filter_control(ixgbe);
}

static void leave_group(struct ixgbe *ixgbe, const struct ixgbe_group *group)
{
  if (group->entry) {
    clear_address(ixgbe, group->entry);
    ixgbe->entries_used[group->entry / 32] &= ~(UINT32_C(1) << (group->entry % 32));
    return;
  }
  unsigned hash = hash_of(&group->mac);
  if (!--ixgbe->hash_references[hash])
    ixgbe_clear(ixgbe, IXGBE_MTA(hash / 32), UINT32_C(1) << (hash % 32));
  ixgbe->hashed--;
  write_filter_control(ixgbe);
}

static int add_group(struct ixgbe *ixgbe, const struct shunt_mac *mac, struct shunt_error *error)
{
  struct ixgbe_group *group = find_group(ixgbe, mac);
  if (group) {
    group->references++;
    return 0;
  }
  if (ixgbe->group_count == UINT16_MAX)
    return shunt_error_set(error, -ENOSPC, "no more than %u multicast groups", UINT16_MAX);
  if (ixgbe->group_count == ixgbe->group_room) {
    unsigned room = ixgbe->group_room ? 2 * ixgbe->group_room : 16;
    struct ixgbe_group *groups = realloc(ixgbe->groups, room * sizeof(*groups));
    if (!groups)
      return shunt_error_set(error, -ENOSPC, "no memory for another multicast group");
    ixgbe->groups = groups;
    ixgbe->group_room = room;
  }
  group = &ixgbe->groups[ixgbe->group_count++];
  *group = (struct ixgbe_group){.mac = *mac, .references = 1};
  enter_group(ixgbe, group);
  return 0;
}

static int remove_group(struct ixgbe *ixgbe, const struct shunt_mac *mac, struct shunt_error *error)
{
  struct ixgbe_group *group = find_group(ixgbe, mac);
  if (!group) {
    shunt_error_set(error, -ENOENT, "the multicast group can't be removed");
    shunt_error_why(error, "it was not added, or has been removed as often as it was added");
    return -ENOENT;
  }
  if (--group->references)
    return 0;
  leave_group(ixgbe, group);
  *group = ixgbe->groups[--ixgbe->group_count];
  return 0;
}

int ixgbe_multicast(struct shunt_port *port, const struct shunt_mac *group, bool add,
                    struct shunt_error *error)
{
  return add ? add_group(ixgbe_of(port), group, error) : remove_group(ixgbe_of(port), group, error);
}

/* --- Five-tuple filters ------------------------------------------------------------------------
 */

static uint32_t protocol_code(uint8_t protocol)
{
  switch (protocol) {
  case 6:
    return IXGBE_FTQF_PROTOCOL_TCP;
  case 17:
    return IXGBE_FTQF_PROTOCOL_UDP;
  case 132:
    return IXGBE_FTQF_PROTOCOL_SCTP;
  default:
    return IXGBE_FTQF_PROTOCOL_OTHER;
  }
}

/* 8.2.3.7.16 - .19: addresses and ports as they lie in the frame, all else by masks. FTQF goes
 * last: it holds the enable bit. */
static void write_five_tuple(struct ixgbe *ixgbe, unsigned i, const struct shunt_filter *filter)
{
  uint32_t ports = (uint32_t)__builtin_bswap16(filter->destination_port) << 16 |
                   __builtin_bswap16(filter->source_port);
  ixgbe_write(ixgbe, IXGBE_SAQF(i), __builtin_bswap32(filter->source_ip));
  ixgbe_write(ixgbe, IXGBE_DAQF(i), __builtin_bswap32(filter->destination_ip));
  ixgbe_write(ixgbe, IXGBE_SDPQF(i), ports);
  ixgbe_write(ixgbe, IXGBE_L34TIMIR(i),
              IXGBE_L34TIMIR_SIZE_BP | IXGBE_L34TIMIR_RESERVED |
                  HW_FIELD(IXGBE_L34TIMIR_RX_QUEUE, (uint32_t)filter->queue));

  uint32_t ftqf = IXGBE_FTQF_QUEUE_ENABLE | IXGBE_FTQF_POOL_MASK |
                  HW_FIELD(IXGBE_FTQF_PROTOCOL, protocol_code(filter->protocol)) |
                  HW_FIELD(IXGBE_FTQF_PRIORITY, filter->priority ? filter->priority : 1u);
  ftqf |= filter->source_ip ? 0 : IXGBE_FTQF_MASK_SOURCE_ADDRESS;
  ftqf |= filter->destination_ip ? 0 : IXGBE_FTQF_MASK_DESTINATION_ADDRESS;
  ftqf |= filter->source_port ? 0 : IXGBE_FTQF_MASK_SOURCE_PORT;
  ftqf |= filter->destination_port ? 0 : IXGBE_FTQF_MASK_DESTINATION_PORT;
  ftqf |= filter->protocol ? 0 : IXGBE_FTQF_MASK_PROTOCOL;
  ixgbe_write(ixgbe, IXGBE_FTQF(i), ftqf);
}

static bool same_tuple(const struct shunt_filter *a, const struct shunt_filter *b)
{
  return a->source_ip == b->source_ip && a->destination_ip == b->destination_ip &&
         a->source_port == b->source_port && a->destination_port == b->destination_port &&
         a->protocol == b->protocol && a->priority == b->priority;
}

static int five_tuple_rules(const struct shunt_filter *filter, struct shunt_error *error)
{
  const char *why = NULL;
  if (filter->vlan)
    why = "it does not look at VLAN tags; perfect filters do";
  else if (filter->queue == SHUNT_FILTER_DROP)
    why = "it can't drop; perfect filters can";
  if (!why)
    return 0;
  shunt_error_set(error, -EOPNOTSUPP, "a five-tuple filter can't express this");
  shunt_error_why(error, "%s (datasheet 7.1.2.5, 7.1.2.7)", why);
  return -EOPNOTSUPP;
}

static int add_five_tuple(struct ixgbe *ixgbe, const struct shunt_filter *filter, uint32_t *id,
                          struct shunt_error *error)
{
  unsigned chosen = IXGBE_FTQF_FILTERS;
  int result = five_tuple_rules(filter, error);
  if (result)
    return result;
  for (unsigned i = IXGBE_FTQF_FILTERS; i-- > 0;) {
    if (!ixgbe->five_tuples[i].used)
      chosen = i;
    else if (same_tuple(&ixgbe->five_tuples[i].filter, filter))
      return shunt_error_set(error, -EEXIST, "there is a filter for this already (id %u)", i);
  }
  if (chosen == IXGBE_FTQF_FILTERS)
    return shunt_error_set(error, -ENOSPC, "all %u five-tuple filters are in use", chosen);
  ixgbe->five_tuples[chosen] = (struct ixgbe_five_tuple){.used = true, .filter = *filter};
  write_five_tuple(ixgbe, chosen, filter);
  *id = chosen;
  return 0;
}

static int add_perfect(struct ixgbe *ixgbe, const struct shunt_filter *filter, uint32_t *id,
                       struct shunt_error *error)
{
  uint32_t index;
  int result = ixgbe_flow_director_add(ixgbe, filter, &index, error);
  if (!result)
    *id = PERFECT_ID + index;
  return result;
}

/* --- Filters of either kind --------------------------------------------------------------------
 */

/* What is wrong for both tables. */
static int filter_rules(const struct shunt_filter *filter, struct shunt_error *error)
{
  bool known = !filter->protocol || protocol_code(filter->protocol) != IXGBE_FTQF_PROTOCOL_OTHER;
  const char *why = NULL;
  if (!filter->source_ip && !filter->destination_ip && !filter->source_port &&
      !filter->destination_port && !filter->protocol && !filter->vlan)
    why = "it names no field: nothing would distinguish its frames";
  else if (!known)
    why = "the protocol must be 6 (TCP), 17 (UDP), 132 (SCTP) or 0 (any)";
  else if (filter->priority > 7)
    why = "priorities are 1 to 7, 0 standing for 1";
  else if (filter->vlan > 4094)
    why = "IEEE 802.1Q has VLANs 1 to 4094";
  if (!why)
    return 0;
  shunt_error_set(error, -EINVAL, "this is no filter");
  shunt_error_why(error, "%s", why);
  return -EINVAL;
}

int ixgbe_filter_add(struct shunt_port *port, const struct shunt_filter *filter, uint32_t *id,
                     struct shunt_error *error)
{
  struct ixgbe *ixgbe = ixgbe_of(port);
  int result = filter_rules(filter, error);
  if (result)
    return result;
  switch (filter->kind) {
  case SHUNT_FILTER_FIVE_TUPLE:
    return add_five_tuple(ixgbe, filter, id, error);
  case SHUNT_FILTER_PERFECT:
    return add_perfect(ixgbe, filter, id, error);
  case SHUNT_FILTER_ANY:
    /* The table without a rule of its own about fields first. */
    result = add_five_tuple(ixgbe, filter, id, error);
    if (result == -EOPNOTSUPP || result == -ENOSPC)
      result = add_perfect(ixgbe, filter, id, error);
    return result;
  }
  return shunt_error_set(error, -EINVAL, "there is no filter kind %d", (int)filter->kind);
}

int ixgbe_filter_remove(struct shunt_port *port, uint32_t id, struct shunt_error *error)
{
  struct ixgbe *ixgbe = ixgbe_of(port);
  if (id >= PERFECT_ID)
    return ixgbe_flow_director_remove(ixgbe, id - PERFECT_ID, error);
  if (id >= IXGBE_FTQF_FILTERS || !ixgbe->five_tuples[id].used)
    return shunt_error_set(error, -ENOENT, "there is no filter with id %u", id);
  ixgbe_write(ixgbe, IXGBE_FTQF(id), 0);
  ixgbe->five_tuples[id].used = false;
  return 0;
}
