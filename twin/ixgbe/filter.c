/* SPDX-License-Identifier: BSD-2-Clause */
/* Which frames are received (datasheet 7.1.1): length, destination address, then VLAN. */
#include "shunt/bytes.h"
#include "shunt/ethernet.h"
#include "twin/ixgbe/rx.h"
#include "twin/ixgbe/statistics.h"

#define BROADCAST         UINT64_C(0xFFFFFFFFFFFF)
#define NO_FRAMES_ADDRESS UINT64_MAX
#define GROUP_BIT         UINT64_C(0x01) /* of the first byte on the wire */
#define HASH_MASK         0xFFFu

static void filter_read_addresses(struct twin_ixgbe *twin, struct twin_ixgbe_rx_config *config)
{
  config->address_count = 0;
  config->addresses[0] = NO_FRAMES_ADDRESS;
  for (unsigned i = 0; i < TWIN_IXGBE_FILTERS; i++) {
    uint32_t high = twin_ixgbe_get(twin, IXGBE_RAH(i));
    if (!(high & IXGBE_RAH_AV))
      continue;
    unsigned n = config->address_count++;
    config->address_index[n] = (uint8_t)i;
    config->addresses[n] =
        (uint64_t)(high & IXGBE_RAH_ADDRESS) << 32 | twin_ixgbe_get(twin, IXGBE_RAL(i));
  }
}

/* 8.2.3.22.13: MAXFRS counts for jumbo frames alone. Without HLREG0.JUMBOEN the limit is that of
 * IEEE 802.3. */
static uint32_t filter_max_bytes(const struct twin_ixgbe *twin)
{
  if (!(twin_ixgbe_get(twin, IXGBE_HLREG0) & IXGBE_HLREG0_JUMBOEN))
    return HW_GET(IXGBE_MAXFRS_MFS, IXGBE_MAXFRS_RESET);
  return HW_GET(IXGBE_MAXFRS_MFS, twin_ixgbe_get(twin, IXGBE_MAXFRS));
}

void twin_ixgbe_filter_decode(struct twin_ixgbe *twin, struct twin_ixgbe_rx_config *config)
{
  config->seen_writes = twin->settings_writes;
  config->fctrl = twin_ixgbe_get(twin, IXGBE_FCTRL);
  config->vlnctrl = twin_ixgbe_get(twin, IXGBE_VLNCTRL);
  config->mcstctrl = twin_ixgbe_get(twin, IXGBE_MCSTCTRL);
  config->rxcsum = twin_ixgbe_get(twin, IXGBE_RXCSUM);
  config->vlan_type = (uint16_t)HW_GET(IXGBE_VLNCTRL_VET, config->vlnctrl);
  config->outer_vlan_type = (uint16_t)HW_GET(IXGBE_EXVET_VET, twin_ixgbe_get(twin, IXGBE_EXVET));
  config->is_double_vlan = twin_ixgbe_get(twin, IXGBE_CTRL_EXT) & IXGBE_CTRL_EXT_EXT_VLAN;
  /* 8.2.3.8.8: the two bits are to be equal; where they are not, one that strips is enough. */
  config->is_crc_kept = !(twin_ixgbe_get(twin, IXGBE_HLREG0) & IXGBE_HLREG0_RXCRCSTRP) &&
                        !(twin_ixgbe_get(twin, IXGBE_RDRXCTL) & IXGBE_RDRXCTL_CRCSTRIP);
  config->max_bytes = filter_max_bytes(twin);
  filter_read_addresses(twin, config);
  twin_ixgbe_steer_refresh(twin, config);
  config->is_plain = !config->is_steered && !config->is_crc_kept && !config->is_double_vlan &&
                     config->vlan_type != SHUNT_ETHERNET_TYPE_IPV4;
}

/* ---- Length ---- */

/* Longest frame that is taken: tags come on top of the limit (8.2.3.22.13). */
static uint32_t filter_most_bytes(const struct twin_ixgbe_rx_config *config, const uint8_t *frame)
{
  uint32_t tags = 0;
  uint16_t type = shunt_load_be16(frame + 12);
  if (config->is_double_vlan && type == config->outer_vlan_type)
    type = shunt_load_be16(frame + 12 + SHUNT_VLAN_TAG_BYTES * ++tags);
  if (type == config->vlan_type)
    tags++;
  return config->max_bytes + tags * SHUNT_VLAN_TAG_BYTES;
}

bool twin_ixgbe_filter_odd_length(struct twin_ixgbe *twin,
                                  const struct twin_ixgbe_rx_config *config, const uint8_t *frame,
                                  uint32_t bytes)
{
  if (bytes < SHUNT_ETHERNET_MIN_BYTES) {
    twin->drops.too_short++;
    twin_ixgbe_count(twin, IXGBE_RUC, 1);
    return false;
  }
  if (bytes + TWIN_IXGBE_FCS_BYTES > filter_most_bytes(config, frame)) {
    twin->drops.too_long++;
    twin_ixgbe_count(twin, IXGBE_ROC, 1);
    return false;
  }
  return true;
}

/* ---- Addresses ---- */

/* 8.2.3.7.3, 7.1.1.1: twelve of the address's last sixteen bits, counted as a number whose bits
 * 47:32 are the bytes 5 and 4. */
static bool filter_hash_hit(const struct twin_ixgbe *twin, uint64_t address, uint32_t mode,
                            uint32_t table)
{
  static const unsigned shifts[] = {36, 35, 34, 32};
  uint32_t hash = (uint32_t)(address >> shifts[mode & IXGBE_MCSTCTRL_MO]) & HASH_MASK;
  return twin_ixgbe_get(twin, table + 4 * (hash / 32)) >> hash % 32 & 1;
}

static uint32_t filter_exact(const struct twin_ixgbe_rx_config *config, uint64_t address)
{
  for (unsigned i = 0; i < config->address_count; i++)
    if (config->addresses[i] == address)
      return config->address_index[i];
  return TWIN_IXGBE_NO_ADDRESS;
}

/* Exact entries hold unicast and multicast addresses alike. The tables are used with MFE set:
 * MTA for multicast, PFUTA for unicast (7.1.1.1, 7.1.1.2). */
enum twin_ixgbe_verdict twin_ixgbe_filter_search(const struct twin_ixgbe *twin,
                                                 const struct twin_ixgbe_rx_config *config,
                                                 uint64_t address, uint32_t *index)
{
  *index = filter_exact(config, address);
  if (*index != TWIN_IXGBE_NO_ADDRESS)
    return TWIN_IXGBE_PASS;
  bool is_group = address & GROUP_BIT;
  if (address == BROADCAST && config->fctrl & IXGBE_FCTRL_BAM)
    return TWIN_IXGBE_PASS;
  if (address == BROADCAST && !(config->fctrl & IXGBE_FCTRL_MPE))
    return TWIN_IXGBE_NOT_ADDRESSED;
  if (config->fctrl & (is_group ? IXGBE_FCTRL_MPE : IXGBE_FCTRL_UPE))
    return TWIN_IXGBE_PASS_INEXACT;
  if (config->mcstctrl & IXGBE_MCSTCTRL_MFE &&
      filter_hash_hit(twin, address, config->mcstctrl, is_group ? IXGBE_MTA(0) : IXGBE_PFUTA(0)))
    return TWIN_IXGBE_PASS_INEXACT;
  return TWIN_IXGBE_NOT_ADDRESSED;
}

/* ---- VLAN ---- */

/* 7.1.1.3: the identifier's bit in the table; and, where CFIEN asks for it, the CFI bit. */
bool twin_ixgbe_filter_vlan(const struct twin_ixgbe *twin,
                            const struct twin_ixgbe_rx_config *config, uint16_t vlan)
{
  if (!(config->vlnctrl & IXGBE_VLNCTRL_VFE))
    return true;
  if (config->vlnctrl & IXGBE_VLNCTRL_CFIEN &&
      !(config->vlnctrl & IXGBE_VLNCTRL_CFI) != !(vlan & SHUNT_VLAN_DROP_ELIGIBLE))
    return false;
  uint32_t id = vlan & SHUNT_VLAN_ID_MASK;
  return twin_ixgbe_get(twin, IXGBE_VFTA(id / 32)) >> id % 32 & 1;
}
