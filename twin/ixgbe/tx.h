/* SPDX-License-Identifier: BSD-2-Clause */
/* Between tx.c, which reads descriptors, and offload.c, which turns one frame that asks for work
 * into the frames that leave. */
#ifndef TWIN_IXGBE_TX_H
#define TWIN_IXGBE_TX_H

#include <sys/uio.h>

#include "twin/ixgbe/ixgbe.h"

/* Headers that offloads change: MACLEN, IPLEN and L4LEN at their largest (7.2.3.2.3), and a tag. */
#define TWIN_IXGBE_TX_HEADER_BYTES (127u + 511u + 255u + 4u)
/* Pieces of one frame on its way out: its buffers, one cut in two, a changed header, the padding;
 * and as many more as 256 KiB, the most that PAYLEN can say, have pages, which an IOMMU may have
 * put together from here and there. */
#define TWIN_IXGBE_TX_PIECES (IXGBE_TX_DESCRIPTORS_PER_FRAME + 64u + 4u)

/* What a context descriptor said, 7.2.3.2.3. */
struct twin_ixgbe_tx_context {
  bool is_valid;
  uint16_t vlan;
  uint16_t mac_bytes, ip_bytes, l4_bytes, mss_bytes;
  uint32_t tucmd;
};

/* One frame as the driver gave it, its buffers checked against registered memory. */
struct twin_ixgbe_tx_frame {
  bool is_legacy;
  uint32_t command; /* cmd_type_len, or the legacy lower dword, of its first descriptor */
  uint32_t options; /* olinfo_status, or the legacy upper dword, likewise */
  const struct twin_ixgbe_tx_context *context; /* NULL: none was set up under that index */
  struct iovec pieces[TWIN_IXGBE_TX_PIECES];
  unsigned piece_count;
  uint32_t bytes; /* of all pieces */
};

/* offload.c: tag, sum and segment as the frame's descriptors say, and send what comes out. A frame
 * whose context does not fit it is dropped and counted in bad_offload. */
void twin_ixgbe_offload(struct twin_ixgbe *twin, const struct twin_ixgbe_tx_frame *frame);

/* tx.c: pad, count and send one frame as it is to leave. There must be room for one piece more. */
void twin_ixgbe_tx_send(struct twin_ixgbe *twin, struct iovec pieces[], unsigned n, uint32_t bytes);

/* Base and length as 7.1.9 and 7.2.3.3 want them. */
static inline bool twin_ixgbe_ring_is_valid(uint64_t base, uint32_t bytes)
{
  return bytes && bytes % IXGBE_RING_ALIGN_BYTES == 0 && base % IXGBE_RING_ALIGN_BYTES == 0 &&
         bytes <= IXGBE_RDLEN_MAX_BYTES;
}

#endif
