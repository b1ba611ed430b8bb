/* SPDX-License-Identifier: BSD-2-Clause */
/* Transmit offloads: VLAN tags, checksums, segmentation (datasheet 7.2.4, 7.2.5). */
#include "twin/ixgbe/tx.h"

void twin_ixgbe_offload(struct twin_ixgbe *twin, const struct twin_ixgbe_tx_frame *frame)
{
  (void)frame;
  twin->faults.bad_offload++;
}
