/* SPDX-License-Identifier: BSD-2-Clause */
/* The type of a filter specification: what was set; and filters beside those of other interfaces.
 */
#ifndef SRC_EFVI_FILTER_H
#define SRC_EFVI_FILTER_H

#include "src/efvi/efvi.h"

enum {
  SPEC_MAC = 1 << 0,
  SPEC_IP4 = 1 << 1,
  SPEC_IP6 = 1 << 2,
  SPEC_FULL = 1 << 3, /* of IP: the source, too */
  SPEC_VLAN = 1 << 4,
  SPEC_ETHER_TYPE = 1 << 5,
  SPEC_IP_PROTO = 1 << 6,
  SPEC_UNICAST_ALL = 1 << 7,
  SPEC_MULTICAST_ALL = 1 << 8,
  SPEC_UNICAST_MISMATCH = 1 << 9,
  SPEC_MULTICAST_MISMATCH = 1 << 10,
  SPEC_SNIFF = 1 << 11,
  SPEC_TX_SNIFF = 1 << 12,
  SPEC_BLOCK_KERNEL = 1 << 13,
  SPEC_DEST = 1 << 14,
};

/* The queue of SPEC_DEST, in flags. */
#define SPEC_DEST_SHIFT 16

/* overlap.c. Lock held. */
/* Whether the target may have the filter beside others'. is_group: it matches multicast alone.
 * Returns 0 or -EEXIST. */
int efvi_overlap_check(const struct efvi_target *target, const struct efvi_match *match,
                       bool is_group, struct shunt_error *error);
/* Count pairs with the filters of others than whose list this is. */
void efvi_overlap_add(struct efvi_device *device, const struct efvi_filters *filters,
                      const struct efvi_match *match);
void efvi_overlap_remove(struct efvi_device *device, const struct efvi_filters *filters,
                         const struct efvi_match *match);

#endif
