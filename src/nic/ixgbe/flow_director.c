/* SPDX-License-Identifier: BSD-2-Clause */
/* Perfect-match flow director filters (datasheet 7.1.2.7, 8.2.3.21).
 *
 * The chip keeps them in a hash table in a part of the Rx packet buffer; software computes the
 * bucket. One set of masks holds for all filters: the first filter chooses which fields are
 * compared, and the others must have the same ones until all are gone. */
#include <errno.h>
#include <stdlib.h>

#include "src/nic/ixgbe/ixgbe.h"

#define INIT_MS    20 /* 60 us at 10 Gb/s, 6 ms at 100 Mb/s, four times that under load */
#define COMMAND_MS 10
#define DROP_QUEUE 127u

/* 8.2.3.21.1: PBALLOC 1 is 64 KiB. Matches are not reported in the descriptor, where the RSS hash
 * stands. */
int ixgbe_flow_director_start(struct ixgbe *ixgbe, struct shunt_error *error)
{
  ixgbe->perfect = calloc(IXGBE_PERFECT_FILTERS, sizeof(*ixgbe->perfect));
  if (!ixgbe->perfect)
    return shunt_error_set(error, -ENOMEM, "no memory for the list of perfect filters");
  ixgbe_write(ixgbe, IXGBE_FDIRHKEY, IXGBE_FDIRHKEY_RESET);
  ixgbe_write(ixgbe, IXGBE_FDIRSKEY, IXGBE_FDIRSKEY_RESET);
  ixgbe_write(ixgbe, IXGBE_FDIRCTRL,
              HW_FIELD(IXGBE_FDIRCTRL_PBALLOC, 1u) | IXGBE_FDIRCTRL_PERFECT_MATCH |
                  HW_FIELD(IXGBE_FDIRCTRL_DROP_QUEUE, DROP_QUEUE) |
                  HW_FIELD(IXGBE_FDIRCTRL_FLEX_OFFSET, 6u) |
                  HW_FIELD(IXGBE_FDIRCTRL_MAX_LENGTH, 10u) |
                  HW_FIELD(IXGBE_FDIRCTRL_FULL_THRESH, 4u));
  return ixgbe_wait_ms(ixgbe, IXGBE_FDIRCTRL, IXGBE_FDIRCTRL_INIT_DONE, IXGBE_FDIRCTRL_INIT_DONE,
                       INIT_MS, "FDIRCTRL.INIT_DONE", error);
}

/* --- What a filter is to the chip ---------------------------------------------------------------
 */

static uint32_t l4_type(uint8_t protocol)
{
  switch (protocol) {
  case 6:
    return IXGBE_FDIR_L4TYPE_TCP;
  case 17:
    return IXGBE_FDIR_L4TYPE_UDP;
  case 132:
    return IXGBE_FDIR_L4TYPE_SCTP;
  default:
    return IXGBE_FDIR_L4TYPE_OTHER;
  }
}

/* 7.1.2.7.4: the compared fields lie in a ring of 336 bits; the 32-bit key, repeated, lies over
 * bits 1 to 351 of it; each one in the key adds (XOR) the 15 bits that begin there. Windows a
 * multiple of 32 bits apart meet the same key bit, so all of them are XORed into two dwords first:
 * low for windows that begin in an upper half (key bits 0-15), high for those in a lower half. The
 * first dword (pool, flow type, VLAN) is met twice, once aligned and once at the ring's seam 16
 * bits off; no window begins at its bit 0. */
uint16_t ixgbe_flow_director_hash(const struct shunt_filter *filter)
{
  uint32_t first = l4_type(filter->protocol) << 16 | filter->vlan;
  uint32_t others = filter->source_ip ^ filter->destination_ip ^
                    ((uint32_t)filter->source_port << 16 | filter->destination_port);
  uint32_t high = others ^ first ^ first >> 16;
  uint32_t low = others >> 16 | others << 16;
  uint32_t hash = 0;
  for (unsigned i = 0; i < 16; i++) {
    if (IXGBE_FDIRHKEY_RESET >> i & 1)
      hash ^= low >> i;
    if (IXGBE_FDIRHKEY_RESET >> (i + 16) & 1)
      hash ^= high >> i;
    if (i == 0)
      low ^= first ^ first << 16;
  }
  return hash & 0x1FFF;
}

/* All ones where the filter has a value. */
static struct shunt_filter fields_of(const struct shunt_filter *filter)
{
  return (struct shunt_filter){
      .source_ip = filter->source_ip ? UINT32_MAX : 0,
      .destination_ip = filter->destination_ip ? UINT32_MAX : 0,
      .source_port = filter->source_port ? UINT16_MAX : 0,
      .destination_port = filter->destination_port ? UINT16_MAX : 0,
      .protocol = filter->protocol ? UINT8_MAX : 0,
      .vlan = filter->vlan ? UINT16_MAX : 0,
  };
}

static bool same_values(const struct shunt_filter *a, const struct shunt_filter *b)
{
  return a->source_ip == b->source_ip && a->destination_ip == b->destination_ip &&
         a->source_port == b->source_port && a->destination_port == b->destination_port &&
         a->protocol == b->protocol && a->vlan == b->vlan;
}

/* 8.2.3.21: a bit set in these registers is not compared. IPv6, flexible word, pool and VLAN
 * priority never are. */
static void write_masks(struct ixgbe *ixgbe, const struct shunt_filter *fields)
{
  uint32_t ports = (uint32_t)fields->destination_port << 16 | fields->source_port;
  uint32_t fdirm = IXGBE_FDIRM_DIPV6 | IXGBE_FDIRM_FLEX | IXGBE_FDIRM_POOL | IXGBE_FDIRM_VLANP;
  fdirm |= fields->vlan ? 0 : IXGBE_FDIRM_VLANID;
  fdirm |= fields->protocol ? 0 : IXGBE_FDIRM_L4P;
  ixgbe_write(ixgbe, IXGBE_FDIRM, fdirm);
  ixgbe_write(ixgbe, IXGBE_FDIRTCPM, ~ports);
  ixgbe_write(ixgbe, IXGBE_FDIRUDPM, ~ports);
  ixgbe_write(ixgbe, IXGBE_FDIRSIP4M, ~fields->source_ip);
  ixgbe_write(ixgbe, IXGBE_FDIRDIP4M, ~fields->destination_ip);
}

/* --- Commands ----------------------------------------------------------------------------------
 */

static int run(struct ixgbe *ixgbe, uint32_t fdirhash, uint32_t fdircmd, struct shunt_error *error)
{
  ixgbe_write(ixgbe, IXGBE_FDIRHASH, fdirhash);
  ixgbe_flush(ixgbe); /* the command takes what is there when it arrives */
  ixgbe_write(ixgbe, IXGBE_FDIRCMD, fdircmd);
  return ixgbe_wait_ms(ixgbe, IXGBE_FDIRCMD, IXGBE_FDIRCMD_CMD, 0, COMMAND_MS, "FDIRCMD.CMD",
                       error);
}

static uint32_t hash_register(uint16_t hash, uint32_t index)
{
  return HW_FIELD(IXGBE_FDIRHASH_HASH, (uint32_t)hash) |
         HW_FIELD(IXGBE_FDIRHASH_SIG_SW_INDEX, index);
}

/* 8.2.3.21.12: addresses lie in the registers as in the frame, ports and VLAN as numbers. */
static int add_flow(struct ixgbe *ixgbe, const struct ixgbe_perfect *perfect, uint32_t index,
                    struct shunt_error *error)
{
  const struct shunt_filter *filter = &perfect->filter;
  bool drop = filter->queue == SHUNT_FILTER_DROP;
  for (unsigned i = 0; i < 3; i++)
    ixgbe_write(ixgbe, IXGBE_FDIRSIPV6(i), 0);
  ixgbe_write(ixgbe, IXGBE_FDIRIPSA, __builtin_bswap32(filter->source_ip));
  ixgbe_write(ixgbe, IXGBE_FDIRIPDA, __builtin_bswap32(filter->destination_ip));
  ixgbe_write(ixgbe, IXGBE_FDIRPORT,
              (uint32_t)filter->destination_port << 16 | filter->source_port);
  ixgbe_write(ixgbe, IXGBE_FDIRVLAN, filter->vlan);

  uint32_t fdircmd = IXGBE_FDIRCMD_ADD_FLOW | IXGBE_FDIRCMD_FILTER_UPDATE | IXGBE_FDIRCMD_LAST |
                     IXGBE_FDIRCMD_QUEUE_EN | (drop ? IXGBE_FDIRCMD_DROP : 0) |
                     HW_FIELD(IXGBE_FDIRCMD_L4TYPE, l4_type(filter->protocol)) |
                     HW_FIELD(IXGBE_FDIRCMD_RX_QUEUE, drop ? DROP_QUEUE : (uint32_t)filter->queue);
  (void)ixgbe_read(ixgbe, IXGBE_FDIRFSTAT); /* clears it: what it counts now is ours */
  int result = run(ixgbe, hash_register(perfect->hash, index), fdircmd, error);
  if (result)
    return result;
  uint32_t failed = HW_GET(IXGBE_FDIRFSTAT_FADD, ixgbe_read(ixgbe, IXGBE_FDIRFSTAT));
  if (!failed)
    return 0;
  shunt_error_set(error, -ENOSPC, "the chip refused the perfect filter");
  shunt_error_why(error, "FDIRFSTAT.FADD counts it as failed; %u filters are in the table",
                  ixgbe->perfect_count);
  return -ENOSPC;
}

/* 7.1.2.7.10: removing what is not there would leave the table inconsistent, so ask first. */
static int remove_flow(struct ixgbe *ixgbe, uint16_t hash, uint32_t index,
                       struct shunt_error *error)
{
  uint32_t fdirhash = hash_register(hash, index);
  int result = run(ixgbe, fdirhash, IXGBE_FDIRCMD_QUERY_FILTER, error);
  if (result)
    return result;
  if (ixgbe_read(ixgbe, IXGBE_FDIRCMD) & IXGBE_FDIRCMD_FILTER_VALID)
    return run(ixgbe, fdirhash, IXGBE_FDIRCMD_REMOVE_FLOW, error);
  shunt_error_set(error, -EIO, "the chip does not have perfect filter %u", index);
  shunt_error_why(error, "FDIRCMD.FILTER_VALID reads 0 for bucket %04x", hash);
  return -EIO;
}

/* --- The list ------------------------------------------------------------------------------------
 */

static int rules(struct ixgbe *ixgbe, const struct shunt_filter *filter, struct shunt_error *error)
{
  struct shunt_filter fields = fields_of(filter);
  bool ports = filter->source_port || filter->destination_port;
  const char *why = NULL, *remedy = "a five-tuple filter has its own fields";
  if (ports && !filter->protocol)
    why = "ports need a protocol, 6 or 17, to be compared with";
  else if (ports && l4_type(filter->protocol) == IXGBE_FDIR_L4TYPE_SCTP)
    why = "the chip does not compare SCTP's ports here";
  else if (ixgbe->perfect_count && !same_values(&fields, &ixgbe->perfect_fields)) {
    why = "all perfect filters compare the same fields, and the first one chose others";
    remedy = "give this one values for the same fields, or remove the others first, or use a "
             "five-tuple filter";
  }
  if (!why)
    return 0;
  shunt_error_set(error, -EOPNOTSUPP, "a perfect filter can't express this");
  shunt_error_why(error, "%s (datasheet 7.1.2.7)", why);
  shunt_error_remedy(error, "%s", remedy);
  return -EOPNOTSUPP;
}

static int find_place(const struct ixgbe *ixgbe, const struct shunt_filter *filter, uint32_t *index,
                      struct shunt_error *error)
{
  *index = IXGBE_PERFECT_FILTERS;
  for (uint32_t i = IXGBE_PERFECT_FILTERS; i-- > 0;) {
    if (!ixgbe->perfect[i].used)
      *index = i;
    else if (same_values(&ixgbe->perfect[i].filter, filter))
      return shunt_error_set(error, -EEXIST, "there is a perfect filter for this already");
  }
  if (*index == IXGBE_PERFECT_FILTERS)
    return shunt_error_set(error, -ENOSPC, "all %u perfect filters are in use", *index);
  return 0;
}

int ixgbe_flow_director_add(struct ixgbe *ixgbe, const struct shunt_filter *filter, uint32_t *index,
                            struct shunt_error *error)
{
  int result = rules(ixgbe, filter, error);
  if (!result)
    result = find_place(ixgbe, filter, index, error);
  if (result)
    return result;
  if (!ixgbe->perfect_count) {
    ixgbe->perfect_fields = fields_of(filter);
    write_masks(ixgbe, &ixgbe->perfect_fields);
  }
  struct ixgbe_perfect perfect = {
      .used = true, .hash = ixgbe_flow_director_hash(filter), .filter = *filter};
  result = add_flow(ixgbe, &perfect, *index, error);
  if (result)
    return result;
  ixgbe->perfect[*index] = perfect;
  ixgbe->perfect_count++;
  return 0;
}

int ixgbe_flow_director_remove(struct ixgbe *ixgbe, uint32_t index, struct shunt_error *error)
{
  if (index >= IXGBE_PERFECT_FILTERS || !ixgbe->perfect[index].used)
    return shunt_error_set(error, -ENOENT, "there is no such perfect filter");
  int result = remove_flow(ixgbe, ixgbe->perfect[index].hash, index, error);
  if (result && result != -EIO)
    return result;
  ixgbe->perfect[index].used = false;
  ixgbe->perfect_count--;
  return result;
}
