/* SPDX-License-Identifier: BSD-2-Clause */
/* Work requests and completions of AWS's Elastic Fabric Adapter: what is on its send, receive,
 * completion and event queues. Little-endian. From efa_io_defs.h (see hw/efa.h) and, for the wide
 * send descriptor, from what rdma-core's provider reads and writes (efa_io_defs.h there).
 *
 * This header stands alone, in C and C++, because the inline fast path includes it. */
#ifndef HW_EFA_DESC_H
#define HW_EFA_DESC_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "work requests are little-endian, and are accessed as they are"
#endif

#define EFA_SEND_SGES           2u
#define EFA_RDMA_SGES           1u
#define EFA_INLINE_BYTES        32u /* in a work request of 64 bytes */
#define EFA_INLINE_BYTES_WIDE   80u /* in one of 128 bytes */
#define EFA_SQ_ENTRY_BYTES      64u
#define EFA_SQ_ENTRY_BYTES_WIDE 128u
#define EFA_AH_UNKNOWN          0xFFFFu
#define EFA_LKEY                UINT32_C(0x00FFFFFF)

enum efa_queue_type { EFA_QUEUE_SEND = 1, EFA_QUEUE_RECEIVE = 2 };

enum efa_op {
  EFA_OP_SEND = 0,
  EFA_OP_RDMA_READ = 1,
  EFA_OP_RDMA_WRITE = 2,
  EFA_OP_FAST_REGISTER = 3,
  EFA_OP_FAST_INVALIDATE = 4,
};

/* What a completion says of its work request. */
enum efa_status {
  EFA_STATUS_OK = 0,
  EFA_STATUS_FLUSHED = 1,           /* its queue pair was destroyed or is in error */
  EFA_STATUS_LOCAL_QP_INTERNAL = 2, /* the work request can't be understood */
  EFA_STATUS_LOCAL_UNSUPPORTED_OP = 3,
  EFA_STATUS_LOCAL_INVALID_AH = 4,
  EFA_STATUS_LOCAL_INVALID_LKEY = 5,  /* not registered, or the address is not in it */
  EFA_STATUS_LOCAL_BAD_LENGTH = 6,    /* longer than a message may be */
  EFA_STATUS_REMOTE_BAD_ADDRESS = 7,  /* rkey not registered, or the address is not in it */
  EFA_STATUS_REMOTE_ABORT = 8,        /* the other side reset the connection */
  EFA_STATUS_REMOTE_BAD_DEST_QPN = 9, /* no such queue pair there, or it is in error */
  EFA_STATUS_REMOTE_RNR = 10,         /* nothing is posted to receive it */
  EFA_STATUS_REMOTE_BAD_LENGTH = 11,  /* longer than what is posted to receive it */
  EFA_STATUS_REMOTE_BAD_STATUS = 12,
  EFA_STATUS_LOCAL_UNRESPONSIVE_REMOTE = 13, /* answered before, does not now */
  EFA_STATUS_REMOTE_UNKNOWN_PEER = 14,       /* it has no address handle of us: RDMA needs one */
  EFA_STATUS_LOCAL_UNREACHABLE_REMOTE = 15,  /* never answered */
  EFA_STATUS_REMOTE_FEATURE_MISMATCH = 18,
};

/* --- Send queue ---------------------------------------------------------------------------- */

/* The first half of a send work request: who and what. */
struct efa_tx_meta {
  uint16_t req_id;
  uint8_t ctrl1; /* EFA_TX_CTRL1_* */
  uint8_t ctrl2; /* EFA_TX_CTRL2_* */
  uint16_t dest_qp_num;
  uint16_t length; /* SGEs behind it, or bytes inline */
  uint32_t immediate_data;
  uint16_t ah;
  uint8_t hints; /* EFA_TX_HINT_* */
  uint8_t reserved;
  uint32_t qkey;
  uint8_t reserved2[6];
  uint16_t req_id_ex[3]; /* comes back in the completion, beside req_id */
};
static_assert(sizeof(struct efa_tx_meta) == 32, "half of a work request");
static_assert(offsetof(struct efa_tx_meta, ah) == 12, "layout");

#define EFA_TX_CTRL1_OP        0x0Fu
#define EFA_TX_CTRL1_IMMEDIATE 0x10u
#define EFA_TX_CTRL1_INLINE    0x20u
#define EFA_TX_CTRL1_EXTENSION 0x40u /* must be 0 */
#define EFA_TX_CTRL1_META      0x80u /* must be 1 */

#define EFA_TX_HINT_BURST 0x01u /* throughput before latency */

#define EFA_TX_CTRL2_PHASE      0x01u
#define EFA_TX_CTRL2_FIRST      0x04u /* must be 1 */
#define EFA_TX_CTRL2_LAST       0x08u /* must be 1 */
#define EFA_TX_CTRL2_COMPLETION 0x10u /* a completion is wanted */

struct efa_tx_sge {
  uint32_t length;
  uint32_t lkey; /* EFA_LKEY */
  uint32_t address_lo;
  uint32_t address_hi;
};

struct efa_remote_address {
  uint32_t length;
  uint32_t rkey;
  uint32_t address_lo;
  uint32_t address_hi;
};

struct efa_rdma_request {
  struct efa_remote_address remote;
  struct efa_tx_sge local[EFA_RDMA_SGES];
};

/* Kernel users change what a region maps from the send queue. */
struct efa_fast_register {
  uint32_t lkey;
  uint8_t permissions; /* EFA_MR_* of hw/efa_admin.h */
  uint8_t flags;       /* page shift in [4:0], page list mode in [6:5] */
  uint8_t reserved[2];
  uint64_t iova;
  uint64_t length;
  uint64_t page; /* the page itself (inline mode), or where the list is (direct mode) */
};

/* A send work request of 64 bytes. */
struct efa_tx_wqe {
  struct efa_tx_meta meta;
  union {
    struct efa_tx_sge sge[EFA_SEND_SGES];
    uint8_t inline_data[EFA_INLINE_BYTES];
    struct efa_rdma_request rdma;
    struct efa_fast_register fast_register;
  } data;
};
static_assert(sizeof(struct efa_tx_wqe) == EFA_SQ_ENTRY_BYTES, "one write-combined line");

/* One of 128 bytes, for queues whose ring was made with so much for each: more fits inline, and an
 * RDMA write may carry its data inline too. */
struct efa_tx_wqe_wide {
  struct efa_tx_meta meta;
  union {
    struct efa_tx_sge sge[EFA_SEND_SGES];
    uint8_t inline_data[EFA_INLINE_BYTES_WIDE];
    struct {
      struct efa_remote_address remote;
      uint8_t inline_data[EFA_INLINE_BYTES_WIDE];
    } rdma_inline;
    struct efa_rdma_request rdma;
  } data;
};
static_assert(sizeof(struct efa_tx_wqe_wide) == EFA_SQ_ENTRY_BYTES_WIDE, "two lines");

/* --- Receive queue ------------------------------------------------------------------------- */

struct efa_rx_desc {
  uint32_t address_lo;
  uint32_t address_hi;
  uint16_t req_id;
  uint16_t length;
  uint32_t lkey_ctrl; /* EFA_LKEY, EFA_RX_FIRST, EFA_RX_LAST */
};
static_assert(sizeof(struct efa_rx_desc) == 16, "layout");
#define EFA_RX_FIRST UINT32_C(0x40000000)
#define EFA_RX_LAST  UINT32_C(0x80000000)

/* --- Completion queue ------------------------------------------------------------------------ */

/* Of a send: the work request's own numbers come back. */
struct efa_tx_cqe {
  uint16_t req_id;
  uint8_t status; /* enum efa_status */
  uint8_t flags;  /* EFA_CQE_*; written last */
  uint16_t qp_num;
  uint16_t req_id_ex[3];
  uint8_t reserved[4];
};
static_assert(sizeof(struct efa_tx_cqe) == 16, "layout");

/* Of a receive, and the common head of both. */
struct efa_cqe {
  uint16_t req_id;
  uint8_t status; /* enum efa_status */
  uint8_t flags;  /* EFA_CQE_*; written last */
  uint16_t qp_num;
  uint16_t length; /* of receives: bits 15:0 */
  uint16_t ah;     /* of receives: who sent it, or EFA_AH_UNKNOWN */
  uint16_t src_qp_num;
  uint32_t immediate;
};
static_assert(sizeof(struct efa_cqe) == 16, "layout");
static_assert(offsetof(struct efa_cqe, flags) == 3, "layout");

struct efa_cqe_wide {
  struct efa_cqe base;
  union {
    uint16_t length_hi;  /* of RDMA writes with immediate: bits 31:16 */
    uint8_t src_gid[16]; /* where ah is unknown and the queue was made with set_src_addr */
  } u;
};
static_assert(sizeof(struct efa_cqe_wide) == 32, "layout");

#define EFA_CQE_PHASE       0x01u
#define EFA_CQE_QUEUE       0x06u /* enum efa_queue_type */
#define EFA_CQE_IMMEDIATE   0x08u
#define EFA_CQE_OP          0x70u /* enum efa_op */
#define EFA_CQE_UNSOLICITED 0x80u

/* --- Event queue (efa_admin_defs.h) ------------------------------------------------------------
 */

struct efa_eqe {
  uint32_t common; /* EFA_EQE_* */
  uint32_t reserved;
  uint16_t cqn;
  uint16_t reserved2;
  uint32_t reserved3;
};
static_assert(sizeof(struct efa_eqe) == 16, "layout");
#define EFA_EQE_PHASE           UINT32_C(0x00000001)
#define EFA_EQE_TYPE            UINT32_C(0x000001FE)
#define EFA_EQE_TYPE_COMPLETION 0u

#endif
