/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands, responses and events of the admin queues of AWS's Elastic Fabric Adapter. All is
 * little-endian and naturally aligned; "must be 0" fields are named reserved. From
 * efa_admin_defs.h and efa_admin_cmds_defs.h (see hw/efa.h). */
#ifndef HW_EFA_ADMIN_H
#define HW_EFA_ADMIN_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* Entries of the queues. Depths are the driver's: Linux takes 32, 32 and 16 (efa_com.h). */
#define EFA_AQ_ENTRY_BYTES   64u
#define EFA_ACQ_ENTRY_BYTES  64u
#define EFA_AENQ_ENTRY_BYTES 64u

enum efa_admin_opcode {
  EFA_ADMIN_CREATE_QP = 1,
  EFA_ADMIN_MODIFY_QP = 2,
  EFA_ADMIN_QUERY_QP = 3,
  EFA_ADMIN_DESTROY_QP = 4,
  EFA_ADMIN_CREATE_AH = 5,
  EFA_ADMIN_DESTROY_AH = 6,
  EFA_ADMIN_REG_MR = 7,
  EFA_ADMIN_DEREG_MR = 8,
  EFA_ADMIN_CREATE_CQ = 9,
  EFA_ADMIN_DESTROY_CQ = 10,
  EFA_ADMIN_GET_FEATURE = 11,
  EFA_ADMIN_SET_FEATURE = 12,
  EFA_ADMIN_GET_STATS = 13,
  EFA_ADMIN_ALLOC_PD = 14,
  EFA_ADMIN_DEALLOC_PD = 15,
  EFA_ADMIN_ALLOC_UAR = 16,
  EFA_ADMIN_DEALLOC_UAR = 17,
  EFA_ADMIN_CREATE_EQ = 18,
  EFA_ADMIN_DESTROY_EQ = 19,
  EFA_ADMIN_ALLOC_MR = 20,
};

enum efa_admin_status {
  EFA_ADMIN_SUCCESS = 0,
  EFA_ADMIN_RESOURCE_ALLOCATION_FAILURE = 1,
  EFA_ADMIN_BAD_OPCODE = 2,
  EFA_ADMIN_UNSUPPORTED_OPCODE = 3,
  EFA_ADMIN_MALFORMED_REQUEST = 4,
  EFA_ADMIN_ILLEGAL_PARAMETER = 5, /* the extended status may say more */
  EFA_ADMIN_UNKNOWN_ERROR = 6,
  EFA_ADMIN_RESOURCE_BUSY = 7,
};

enum efa_feature {
  EFA_FEATURE_DEVICE_ATTR = 1,
  EFA_FEATURE_AENQ_CONFIG = 2,
  EFA_FEATURE_NETWORK_ATTR = 3,
  EFA_FEATURE_QUEUE_ATTR_1 = 4,
  EFA_FEATURE_HW_HINTS = 5,
  EFA_FEATURE_HOST_INFO = 6,
  EFA_FEATURE_EVENT_QUEUE_ATTR = 7,
  EFA_FEATURE_QUEUE_ATTR_2 = 9,
};

enum efa_qp_type { EFA_QP_UD = 1, EFA_QP_SRD = 2 };

enum efa_qp_state {
  EFA_QP_RESET = 0,
  EFA_QP_INIT = 1,
  EFA_QP_RTR = 2,
  EFA_QP_RTS = 3,
  EFA_QP_SQD = 4,
  EFA_QP_SQE = 5,
  EFA_QP_ERR = 6,
};

enum efa_stats_type {
  EFA_STATS_BASIC = 0,
  EFA_STATS_MESSAGES = 1,
  EFA_STATS_RDMA_READ = 2,
  EFA_STATS_RDMA_WRITE = 3,
  EFA_STATS_NETWORK = 4,
};
enum efa_stats_scope { EFA_STATS_ALL = 0, EFA_STATS_QUEUE = 1 };

enum efa_aenq_group {
  EFA_AENQ_FATAL_ERROR = 1,
  EFA_AENQ_WARNING = 2,
  EFA_AENQ_NOTIFICATION = 3,
  EFA_AENQ_KEEP_ALIVE = 4,
};
/* Groups 1 to 4 as a mask: Linux refuses a device without them (efa_main.c). */
#define EFA_AENQ_GROUPS UINT32_C(0x1E)

/* --- What every command and response begins with --------------------------------------------- */

struct efa_address {
  uint32_t lo;
  uint32_t hi;
};

/* Where more data is; at the end of an indirect page list's chunk, where the next chunk is. */
struct efa_control_buffer {
  uint32_t length;
  struct efa_address address;
};

struct efa_aq_head {
  uint16_t command_id; /* EFA_AQ_COMMAND_ID */
  uint8_t opcode;
  uint8_t flags; /* EFA_AQ_* */
};
#define EFA_AQ_COMMAND_ID       0x0FFFu
#define EFA_AQ_PHASE            0x01u
#define EFA_AQ_CONTROL          0x02u /* the control buffer is valid */
#define EFA_AQ_CONTROL_INDIRECT 0x04u /* and points to a list of pages */

struct efa_aq_entry {
  struct efa_aq_head head;
  uint8_t body[60];
};
static_assert(sizeof(struct efa_aq_entry) == EFA_AQ_ENTRY_BYTES, "layout");

struct efa_acq_head {
  uint16_t command; /* the command_id, as it came */
  uint8_t status;   /* enum efa_admin_status */
  uint8_t flags;    /* EFA_ACQ_PHASE */
  uint16_t extended_status;
  uint16_t sq_head; /* commands consumed so far */
};
static_assert(sizeof(struct efa_acq_head) == 8, "layout");
#define EFA_ACQ_PHASE 0x01u

struct efa_acq_entry {
  struct efa_acq_head head;
  uint8_t body[56];
};
static_assert(sizeof(struct efa_acq_entry) == EFA_ACQ_ENTRY_BYTES, "layout");

struct efa_aenq_entry {
  uint16_t group; /* enum efa_aenq_group */
  uint16_t syndrome;
  uint8_t flags; /* EFA_AENQ_PHASE */
  uint8_t reserved[3];
  uint32_t timestamp_lo;
  uint32_t timestamp_hi;
  uint8_t body[48];
};
static_assert(sizeof(struct efa_aenq_entry) == EFA_AENQ_ENTRY_BYTES, "layout");
#define EFA_AENQ_PHASE 0x01u

/* The answer to MMIO_REG_READ. */
struct efa_mmio_response {
  uint16_t req_id; /* written last */
  uint16_t reg_off;
  uint32_t value;
};
static_assert(sizeof(struct efa_mmio_response) == 8, "layout");

/* --- Queue pairs ----------------------------------------------------------------------------- */

struct efa_create_qp {
  struct efa_aq_head head;
  uint16_t pd;
  uint8_t type;     /* enum efa_qp_type */
  uint8_t flags;    /* EFA_CREATE_QP_* */
  uint64_t sq_base; /* not used: send queues are in the device's memory */
  uint64_t rq_base;
  uint32_t send_cq;
  uint32_t recv_cq;
  uint32_t sq_lkey;
  uint32_t rq_lkey;
  uint32_t sq_ring_bytes; /* sq_ring_bytes / sq_depth: what a work request has, 64 or 128 */
  uint32_t sq_depth;
  uint32_t rq_ring_bytes; /* / 16: descriptors, of which a work request may have several */
  uint32_t rq_depth;      /* work requests (rdma-core, providers/efa/verbs.c: efa_setup_qp) */
  uint16_t uar;
  uint8_t service_level;
  uint8_t reserved;
  uint32_t reserved2;
};
static_assert(sizeof(struct efa_create_qp) == EFA_AQ_ENTRY_BYTES, "fills the entry");
#define EFA_CREATE_QP_SQ_VIRTUAL             0x01u
#define EFA_CREATE_QP_RQ_VIRTUAL             0x02u
#define EFA_CREATE_QP_UNSOLICITED_WRITE_RECV 0x04u

struct efa_create_qp_response {
  struct efa_acq_head head;
  uint32_t handle;
  uint16_t qp_num;
  uint16_t reserved;
  uint16_t send_sub_cq;
  uint16_t recv_sub_cq;
  uint32_t sq_doorbell; /* offset in the doorbell BAR */
  uint32_t rq_doorbell;
  uint32_t llq; /* offset in the LLQ BAR */
};

struct efa_modify_qp {
  struct efa_aq_head head;
  uint32_t mask; /* EFA_MODIFY_QP_* */
  uint32_t handle;
  uint32_t state; /* enum efa_qp_state */
  uint32_t current_state;
  uint32_t qkey;
  uint32_t sq_psn;
  uint8_t sq_drained_notify;
  uint8_t rnr_retry; /* 0..6 times, 7 for ever */
  uint16_t reserved;
};
static_assert(sizeof(struct efa_modify_qp) == 32, "layout");
#define EFA_MODIFY_QP_STATE             UINT32_C(0x01)
#define EFA_MODIFY_QP_CURRENT_STATE     UINT32_C(0x02)
#define EFA_MODIFY_QP_QKEY              UINT32_C(0x04)
#define EFA_MODIFY_QP_SQ_PSN            UINT32_C(0x08)
#define EFA_MODIFY_QP_SQ_DRAINED_NOTIFY UINT32_C(0x10)
#define EFA_MODIFY_QP_RNR_RETRY         UINT32_C(0x20)
#define EFA_RNR_RETRY_INFINITE          7u

/* QUERY_QP and DESTROY_QP. */
struct efa_qp_handle {
  struct efa_aq_head head;
  uint32_t handle;
};

struct efa_query_qp_response {
  struct efa_acq_head head;
  uint32_t state;
  uint32_t qkey;
  uint32_t sq_psn;
  uint8_t sq_draining;
  uint8_t rnr_retry;
  uint16_t reserved;
};

/* --- Address handles, protection domains, UARs ----------------------------------------------- */

struct efa_create_ah {
  struct efa_aq_head head;
  uint8_t gid[16];
  uint16_t pd;
  uint16_t reserved;
};
struct efa_create_ah_response {
  struct efa_acq_head head;
  uint16_t ah;
  uint16_t reserved;
};
struct efa_destroy_ah {
  struct efa_aq_head head;
  uint16_t ah;
  uint16_t pd;
};

/* DEALLOC_PD, DEALLOC_UAR and DESTROY_EQ: the number to give back. */
struct efa_number {
  struct efa_aq_head head;
  uint16_t number;
  uint16_t reserved;
};
/* Of ALLOC_PD, ALLOC_UAR and CREATE_EQ: the number given out. */
struct efa_number_response {
  struct efa_acq_head head;
  uint16_t number;
  uint16_t reserved;
};

/* --- Memory regions ----------------------------------------------------------------------------
 */

struct efa_reg_mr {
  struct efa_aq_head head;
  uint16_t pd;
  uint16_t reserved;
  union {
    uint64_t pages[4]; /* neither control flag is set */
    struct efa_control_buffer list;
  } pbl;
  uint64_t length;
  uint8_t flags;       /* EFA_MR_PAGE_SHIFT, EFA_MR_PHYSICAL */
  uint8_t permissions; /* EFA_MR_* */
  uint16_t reserved2;
  uint32_t page_num; /* 0 from drivers up to Linux 6.12: computed then */
  uint64_t iova;
};
static_assert(sizeof(struct efa_reg_mr) == EFA_AQ_ENTRY_BYTES, "fills the entry");
static_assert(offsetof(struct efa_reg_mr, pbl) == 8, "layout");
static_assert(offsetof(struct efa_reg_mr, length) == 40, "layout");
#define EFA_MR_PAGE_SHIFT   0x1Fu
#define EFA_MR_PHYSICAL     0x80u
#define EFA_MR_LOCAL_WRITE  0x01u
#define EFA_MR_REMOTE_WRITE 0x02u
#define EFA_MR_REMOTE_READ  0x04u

/* An indirect page list is chunks of 4 KiB: addresses of pages that hold addresses, and at the end
 * a control buffer that says where the next chunk is and how long (efa_verbs.c: pbl_chunk_list_*).
 */
#define EFA_PBL_CHUNK_BYTES    4096u
#define EFA_PBL_CHUNK_POINTERS 510u
#define EFA_PBL_CHUNK_NEXT     4080u
#define EFA_PBL_PAGE_POINTERS  512u
struct efa_pbl_chunk {
  uint64_t pages[EFA_PBL_CHUNK_POINTERS];
  struct efa_control_buffer next;
  uint32_t reserved;
};
static_assert(sizeof(struct efa_pbl_chunk) == EFA_PBL_CHUNK_BYTES, "layout");
static_assert(offsetof(struct efa_pbl_chunk, next) == EFA_PBL_CHUNK_NEXT, "layout");

struct efa_reg_mr_response {
  struct efa_acq_head head;
  uint32_t lkey;
  uint32_t rkey;
  uint8_t validity; /* which of the interconnect ids mean something */
  uint8_t recv_ic_id;
  uint8_t rdma_read_ic_id;
  uint8_t rdma_recv_ic_id;
};
struct efa_dereg_mr {
  struct efa_aq_head head;
  uint32_t lkey;
};
/* An empty region, to be filled from a send queue. Its response is that of REG_MR. */
struct efa_alloc_mr {
  struct efa_aq_head head;
  uint16_t pd;
  uint16_t reserved;
  uint32_t max_pages;
};

/* --- Completion queues and event queues --------------------------------------------------------
 */

struct efa_create_cq {
  struct efa_aq_head head;
  uint8_t caps1;         /* EFA_CREATE_CQ_INTERRUPT, _VIRTUAL */
  uint8_t caps2;         /* EFA_CREATE_CQ_ENTRY_WORDS, _SRC_ADDR */
  uint16_t sub_cq_depth; /* entries, a power of two */
  uint16_t eqn;
  uint16_t reserved;
  struct efa_address base; /* of sub-queue 0; the others follow */
  uint32_t lkey;
  uint16_t num_sub_cqs;
  uint16_t uar;
};
static_assert(sizeof(struct efa_create_cq) == 28, "layout");
#define EFA_CREATE_CQ_INTERRUPT   0x20u
#define EFA_CREATE_CQ_VIRTUAL     0x40u
#define EFA_CREATE_CQ_ENTRY_WORDS 0x1Fu /* 4 or 8 */
#define EFA_CREATE_CQ_SRC_ADDR    0x20u

struct efa_create_cq_response {
  struct efa_acq_head head;
  uint16_t cq;
  uint16_t sub_cq_depth;
  uint32_t doorbell; /* offset in the doorbell BAR */
  uint32_t flags;    /* EFA_CREATE_CQ_DOORBELL_VALID */
};
#define EFA_CREATE_CQ_DOORBELL_VALID UINT32_C(1)

struct efa_destroy_cq {
  struct efa_aq_head head;
  uint16_t cq;
  uint16_t reserved;
};

struct efa_create_eq {
  struct efa_aq_head head;
  uint16_t depth; /* entries, a power of two */
  uint8_t vector;
  uint8_t caps; /* EFA_CREATE_EQ_ENTRY_WORDS */
  struct efa_address base;
  uint32_t events; /* EFA_CREATE_EQ_COMPLETIONS */
  uint32_t reserved;
};
static_assert(sizeof(struct efa_create_eq) == 24, "layout");
#define EFA_CREATE_EQ_ENTRY_WORDS 0x1Fu
#define EFA_CREATE_EQ_COMPLETIONS UINT32_C(1)

/* --- Statistics ----------------------------------------------------------------------------------
 */

struct efa_get_stats {
  struct efa_aq_head head;
  struct efa_control_buffer buffer;
  uint8_t type;  /* enum efa_stats_type */
  uint8_t scope; /* enum efa_stats_scope */
  uint16_t scope_modifier;
};
static_assert(sizeof(struct efa_get_stats) == 20, "layout");

struct efa_stats_basic {
  uint64_t tx_bytes, tx_pkts, rx_bytes, rx_pkts, rx_drops, qkey_viol;
};
struct efa_stats_messages {
  uint64_t send_bytes, send_wrs, recv_bytes, recv_wrs;
};
struct efa_stats_rdma_read {
  uint64_t read_wrs, read_bytes, read_wr_err, read_resp_bytes;
};
struct efa_stats_rdma_write {
  uint64_t write_wrs, write_bytes, write_wr_err, write_recv_bytes;
};
struct efa_stats_network {
  uint64_t retrans_bytes, retrans_pkts, retrans_timeout_events, unresponsive_remote_events,
      impaired_remote_conn_events;
};
struct efa_get_stats_response {
  struct efa_acq_head head;
  union {
    struct efa_stats_basic basic;
    struct efa_stats_messages messages;
    struct efa_stats_rdma_read rdma_read;
    struct efa_stats_rdma_write rdma_write;
    struct efa_stats_network network;
  } u;
};

/* --- Features ------------------------------------------------------------------------------------
 */

struct efa_feature_device {
  uint64_t supported_features; /* bit n: enum efa_feature n */
  uint64_t page_sizes;         /* bit n: 2^n bytes */
  uint32_t firmware_version;
  uint32_t admin_api_version; /* major in [31:16], minor in [15:0] */
  uint32_t device_version;
  uint16_t doorbell_bar;
  uint8_t physical_address_bits;
  uint8_t virtual_address_bits;
  uint32_t caps; /* EFA_DEVICE_* */
  uint32_t max_rdma_bytes;
  uint64_t guid; /* in network order: Linux passes it on as it is */
  uint16_t max_link_speed_gbps;
  uint16_t reserved;
  uint32_t reserved2;
};
static_assert(sizeof(struct efa_feature_device) == 56, "fills the response");
#define EFA_DEVICE_RDMA_READ              UINT32_C(0x01)
#define EFA_DEVICE_RNR_RETRY              UINT32_C(0x02)
#define EFA_DEVICE_DATA_POLLING_128       UINT32_C(0x04)
#define EFA_DEVICE_RDMA_WRITE             UINT32_C(0x08)
#define EFA_DEVICE_UNSOLICITED_WRITE_RECV UINT32_C(0x10)

struct efa_feature_queues {
  uint32_t max_qp;
  uint32_t max_sq_depth;
  uint32_t inline_bytes;
  uint32_t max_rq_depth;
  uint32_t max_cq;
  uint32_t max_cq_depth;
  uint16_t sub_cqs_per_cq;
  uint16_t min_sq_depth;
  uint16_t max_send_sges;
  uint16_t max_recv_sges;
  uint32_t max_mr;
  uint32_t max_mr_pages;
  uint32_t max_pd;
  uint32_t max_ah;
  uint32_t max_llq_bytes;
  uint16_t max_rdma_sges;
  uint16_t max_tx_batch; /* in 64 bytes between two doorbells; 0: no limit */
};
static_assert(sizeof(struct efa_feature_queues) == 56, "fills the response");

struct efa_feature_queues_2 {
  uint16_t inline_bytes_wide;
};

struct efa_feature_event_queues {
  uint32_t max_eq;
  uint32_t max_eq_depth;
  uint32_t events;
};

struct efa_feature_aenq {
  uint32_t supported_groups;
  uint32_t enabled_groups;
};

struct efa_feature_network {
  uint8_t gid[16];
  uint32_t mtu; /* most bytes of a message */
};

/* 0: the driver's own value. */
struct efa_feature_hints {
  uint16_t mmio_read_timeout_ms;
  uint16_t watchdog_timeout_ms;
  uint16_t admin_timeout_ms;
  uint16_t poll_interval_ms;
};

struct efa_feature_command {
  struct efa_aq_head head;
  struct efa_control_buffer buffer;
  uint8_t reserved;
  uint8_t feature; /* enum efa_feature */
  uint16_t reserved2;
  union {
    uint32_t raw[11];
    struct efa_feature_aenq aenq; /* of SET_FEATURE */
  } u;
};
static_assert(sizeof(struct efa_feature_command) == EFA_AQ_ENTRY_BYTES, "fills the entry");

struct efa_get_feature_response {
  struct efa_acq_head head;
  union {
    uint32_t raw[14];
    struct efa_feature_device device;
    struct efa_feature_queues queues;
    struct efa_feature_queues_2 queues_2;
    struct efa_feature_event_queues event_queues;
    struct efa_feature_aenq aenq;
    struct efa_feature_network network;
    struct efa_feature_hints hints;
  } u;
};
static_assert(sizeof(struct efa_get_feature_response) == EFA_ACQ_ENTRY_BYTES, "fills the entry");

/* What SET_FEATURE HOST_INFO points to. */
struct efa_host_info {
  uint8_t distribution[128]; /* text */
  uint32_t os_type;          /* 0: Linux */
  uint8_t kernel_version_text[32];
  uint32_t kernel_version;
  uint32_t driver_version; /* major, minor, sub-minor, module type from the top byte down */
  uint16_t bdf;
  uint16_t spec_version; /* major in [15:8], minor in [7:0] */
  uint32_t flags;        /* EFA_HOST_* */
};
static_assert(sizeof(struct efa_host_info) == 180, "layout");
#define EFA_HOST_IN_TREE UINT32_C(1)
#define EFA_HOST_GDR     UINT32_C(2)

#endif
