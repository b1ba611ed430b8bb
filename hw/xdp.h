/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_XDP as the kernel has it today, on top of the headers of Debian 12 (Linux 6.1): what came
 * later, each with the version that brings it. Source: include/uapi/linux/if_xdp.h of Linux, and
 * where a rule is named, net/xdp/ there. A kernel that lacks one of these refuses it with EINVAL or
 * ENOPROTOOPT, so all may be asked for at run time. */
#ifndef HW_XDP_H
#define HW_XDP_H

#include <assert.h>
#include <linux/if_xdp.h>
#include <stddef.h>
#include <stdint.h>

/* --- Bind: sockaddr_xdp.sxdp_flags --------------------------------------------------------------
 */

#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4) /* 6.6: frames of several buffers, both ways */
#endif

/* --- Descriptors: xdp_desc.options --------------------------------------------------------------
 */

#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD (1 << 0) /* 6.6: the frame goes on in the next descriptor */
#endif
#ifndef XDP_TX_METADATA
#define XDP_TX_METADATA (1 << 1) /* 6.8: a struct xdp_tx_metadata stands in front of the frame */
#endif

/* Descriptors of a frame to send: MAX_SKB_FRAGS + 1 of a kernel as Debian configures it
 * (CONFIG_MAX_SKB_FRAGS=17). The descriptors of a longer frame are counted as tx_invalid_descs, and
 * never completed (xsk_build_skb, net/xdp/xsk.c). */
#define XDP_TX_PIECES_MOST 18

/* --- Memory: struct xdp_umem_reg ----------------------------------------------------------------
 */

#ifndef XDP_UMEM_TX_SW_CSUM
#define XDP_UMEM_TX_SW_CSUM (1 << 1) /* 6.8: checksums that are asked for are the kernel's work */
#endif
#ifndef XDP_UMEM_TX_METADATA_LEN
#define XDP_UMEM_TX_METADATA_LEN (1 << 2) /* 6.11: tx_metadata_len is looked at */
#endif

/* struct xdp_umem_reg, with the field that 6.8 added. */
struct xdp_umem_registration {
  uint64_t addr;
  uint64_t len;
  uint32_t chunk_size;
  uint32_t headroom;
  uint32_t flags;
  uint32_t tx_metadata_len; /* multiple of 8, below 256 (xdp_umem_reg, net/xdp/xdp_umem.c) */
};
static_assert(sizeof(struct xdp_umem_registration) == 32, "as the kernel reads it");
static_assert(offsetof(struct xdp_umem_registration, tx_metadata_len) == 28, "the later field");

/* A chunk is no smaller than this and no larger than a page; unless chunks are unaligned, a power
 * of two (xdp_umem_reg). */
#define XDP_CHUNK_LEAST_BYTES 2048u

/* Between a chunk's start and a received frame: XDP_PACKET_HEADROOM (uapi/linux/bpf.h), behind the
 * headroom that was asked for (xsk_pool_get_headroom). */
#define XDP_RX_HEADROOM_BYTES 256u

/* --- Metadata of a frame to send: struct xsk_tx_metadata ----------------------------------------
 */

#define XDP_TX_META_TIMESTAMP   (UINT64_C(1) << 0) /* 6.8: XDP_TXMD_FLAGS_TIMESTAMP */
#define XDP_TX_META_CHECKSUM    (UINT64_C(1) << 1) /* 6.8: XDP_TXMD_FLAGS_CHECKSUM */
#define XDP_TX_META_LAUNCH_TIME (UINT64_C(1) << 2) /* 6.15: XDP_TXMD_FLAGS_LAUNCH_TIME */

struct xdp_tx_metadata {
  uint64_t flags;
  union {
    struct {
      uint16_t checksum_start;  /* from the frame's first byte: where summing begins */
      uint16_t checksum_offset; /* from there: where the sum goes */
      uint32_t reserved;
      uint64_t launch_time_ns;
    } request;
    struct {
      uint64_t tx_time_ns;
    } completion; /* once the completion ring has the frame */
  };
};
static_assert(sizeof(struct xdp_tx_metadata) == 24, "as the kernel reads it");
static_assert(offsetof(struct xdp_tx_metadata, request.launch_time_ns) == 16, "the last field");

/* --- Socket options, SOL_XDP --------------------------------------------------------------------
 */

#ifndef XDP_MAX_TX_SKB_BUDGET
/* 6.17: int, 32 to the Tx ring's entries: frames that one sendto sends in copy mode. Without, 32
 * (TX_BATCH_SIZE, net/xdp/xsk.c). */
#define XDP_MAX_TX_SKB_BUDGET 9
#endif
#define XDP_TX_SKB_BUDGET_LEAST 32u

#ifndef SOL_XDP
#define SOL_XDP 283
#endif
#ifndef AF_XDP
#define AF_XDP 44
#endif

/* A kernel before 5.4 writes a shorter struct, without the flags. */
static_assert(sizeof(struct xdp_mmap_offsets) == 128, "four rings of four offsets");
static_assert(sizeof(struct xdp_desc) == 16, "two words, as the rings are strided");

#endif
