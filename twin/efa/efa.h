/* SPDX-License-Identifier: BSD-2-Clause */
/* The software EFA, inside.
 *
 *   efa.c        the model: BARs, turns, counters, the wire      config.c    configuration space
 *   registers.c  registers, reset, answers to register reads     admin.c     admin queues, events
 *   features.c   what the device says of itself, statistics      objects.c   PD, UAR, AH, EQ
 *   memory.c     memory regions and their page lists             queues.c    CQ and QP
 *   send.c       work requests to messages                       receive.c   messages to buffers
 *   complete.c   completions and completion events
 *
 * What goes between two devices is src/srd/. */
#ifndef TWIN_EFA_EFA_H
#define TWIN_EFA_EFA_H

#include <stdbool.h>
#include <stddef.h>

#include "hw/efa.h"
#include "shunt/twin.h"
#include "src/srd/srd.h"

#define EFA_TWIN_VECTORS  32u
#define EFA_TWIN_EQS      (EFA_TWIN_VECTORS - EFA_VECTOR_EQ)
#define EFA_TWIN_QPS      256u
#define EFA_TWIN_CQS      512u
#define EFA_TWIN_UARS     256u
#define EFA_TWIN_PDS      1024u
#define EFA_TWIN_AHS      4096u
#define EFA_TWIN_MRS      65536u
#define EFA_TWIN_MR_PAGES (1u << 22) /* 16 GiB of 4 KiB pages */
#define EFA_TWIN_SUB_CQS  2u         /* at most */

#define EFA_TWIN_SQ_DEPTH     4096u
#define EFA_TWIN_SQ_DEPTH_MIN 32u
#define EFA_TWIN_RQ_DEPTH     16384u /* 8192 of two buffers: libfabric posts no more at once */
#define EFA_TWIN_RQ_SGES      2u
#define EFA_TWIN_CQ_DEPTH     32768u
#define EFA_TWIN_EQ_DEPTH     4096u
#define EFA_TWIN_LLQ_BYTES    (EFA_TWIN_SQ_DEPTH * EFA_SQ_ENTRY_BYTES) /* each queue pair */
#define EFA_TWIN_MTU          8928u
#define EFA_TWIN_RDMA_BYTES   (1u << 30)
#define EFA_TWIN_TX_BATCH     0u /* work requests between two doorbells: as many as there are */

/* BAR 0: registers and the MSI-X table. BAR 2: send queues, EFA_TWIN_LLQ_BYTES for each queue pair.
 * BAR 4: doorbells, a page for each UAR, in it 4 bytes for each send queue, then for each receive
 * queue, then for each completion queue: what is looked at in every turn is on no line that a
 * receiver writes. The latter two BARs are plain memory that is looked at. */
#define EFA_TWIN_BAR_DOORBELLS  4u
#define EFA_TWIN_REGISTER_BYTES 0x4000u
#define EFA_TWIN_MSIX_TABLE     0x2000u
#define EFA_TWIN_MSIX_PBA       0x3000u
#define EFA_TWIN_PAGE_BYTES     4096u
#define EFA_TWIN_LLQ_BAR_BYTES  (EFA_TWIN_QPS * EFA_TWIN_LLQ_BYTES)
#define EFA_TWIN_DOORBELL_BYTES (EFA_TWIN_UARS * EFA_TWIN_PAGE_BYTES)
#define EFA_TWIN_RQ_DOORBELLS   (EFA_TWIN_QPS * 4u) /* where they begin in a page */
#define EFA_TWIN_CQ_DOORBELLS   (EFA_TWIN_QPS * 8u)
_Static_assert(EFA_TWIN_CQ_DOORBELLS + EFA_TWIN_CQS * 4u == EFA_TWIN_PAGE_BYTES, "a page is full");

/* What the driver did wrong. */
#define EFA_TWIN_FAULTS(X)                                                                         \
  X(bad_access)    /* of a register: not a dword, or where none is */                              \
  X(bad_queue)     /* an admin queue's depth, entry size or address */                             \
  X(bad_phase)     /* of a command */                                                              \
  X(bad_command)   /* unknown, or refused: the completion says why */                              \
  X(bad_page_list) /* of a region: loops, points outside DMA memory, too short */                  \
  X(bad_doorbell)  /* beyond the ring */                                                           \
  X(bad_wqe)       /* a work request without sense */                                              \
  X(bad_ah)        /* of a work request: none, or of another protection domain */                  \
  X(bad_lkey)      /* of a work request or receive buffer: none, another's, out of bounds */       \
  X(bad_rkey)      /* the same, of a peer */                                                       \
  X(aenq_full)     /* events that found no room */

/* What was not delivered. */
#define EFA_TWIN_DROPS(X)                                                                          \
  X(no_qp) /* for a queue pair that is not there, or does not receive */                           \
  X(qkey_violation)                                                                                \
  X(not_ready)   /* nothing posted to receive it */                                                \
  X(too_long)    /* longer than what was posted */                                                 \
  X(not_enabled) /* frames that came while the device was in reset */                              \
  X(foreign)     /* frames of other protocols */                                                   \
  X(loopback_full)

struct efa_twin;

/* An admin queue's ring. */
struct efa_twin_ring {
  uint64_t base;
  uint32_t depth; /* 0: not set up */
  uint8_t vector;
  uint32_t count; /* entries ever consumed or produced */
};

struct efa_twin_mr {
  bool live;
  uint8_t generation;
  uint8_t permissions; /* EFA_MR_* */
  uint8_t page_shift;
  uint16_t pd;
  uint32_t page_count;
  uint64_t iova, length;
  uint64_t *pages; /* DMA addresses */
  unsigned hint;   /* the range that they lie in, most likely */
};

struct efa_twin_ah {
  struct srd_gid gid;
  struct srd_peer *peer;
  uint16_t pd;
  uint16_t uses; /* 0: free */
  uint16_t next; /* in its bucket; of free ones: the next free one */
};
#define EFA_TWIN_AH_BUCKETS 1024u

struct efa_twin_eq {
  bool live, armed;
  uint8_t vector;
  uint16_t depth;
  uint32_t count;
  uint64_t base;
  uint32_t waiting; /* events written since the last interrupt */
};

struct efa_twin_cq {
  bool live, has_events, wants_source, armed;
  uint8_t sub_cqs;
  uint16_t depth; /* of a sub-queue */
  uint16_t uar;
  uint16_t eqn;
  uint16_t users; /* queue pairs */
  uint32_t entry_bytes;
  uint64_t base;
  unsigned hint; /* the range that it lies in, most likely */
  uint32_t counts[EFA_TWIN_SUB_CQS];
  uint32_t count;         /* of all sub-queues */
  uint32_t doorbell_seen; /* as it was looked at last */
};

/* A send work request on its way. */
struct efa_twin_send {
  struct srd_work work; /* first: the two are converted by a cast */
  struct efa_twin_send *next_free;
  uint16_t req_id;
  uint16_t req_id_ex[3];
  uint16_t ah;
  uint8_t op; /* enum efa_op */
  bool wants_completion, is_inline;
  uint8_t sges;
  /* Loaded right after it was stored, which takes long across two lines of the cache. */
  struct efa_tx_sge sge[EFA_SEND_SGES] __attribute__((aligned(sizeof(struct efa_tx_sge))));
  uint8_t inline_data[EFA_INLINE_BYTES_WIDE];
};

struct efa_twin_qp {
  bool live;
  uint8_t type, state; /* enum efa_qp_type, enum efa_qp_state */
  uint8_t rnr_retry;
  bool unsolicited;
  uint16_t number; /* index, and above it a count so that a number is not soon used again */
  uint16_t pd, uar;
  uint16_t send_cq, recv_cq, send_sub_cq, recv_sub_cq;
  uint32_t qkey, sq_psn;
  uint16_t sq_depth, rq_depth; /* of the latter, descriptors */
  uint32_t wqe_bytes;
  uint64_t rq_base;
  unsigned rq_hint;            /* the range that it lies in, most likely */
  uint16_t sq_count, rq_count; /* consumed, as the doorbells count */
  uint16_t rq_produced;        /* as the doorbell said last: read again when all that is consumed */
  uint16_t sq_seen, rq_seen;   /* doorbells that are known to be bad */
  struct efa_twin_send *sends, *free_sends;
  uint32_t sends_running;
};

struct efa_twin_frame {
  struct efa_twin_frame *next;
  uint32_t bytes;
  uint8_t data[];
};

struct efa_twin_statistics {
  struct efa_stats_messages messages;
  struct efa_stats_rdma_read read;
  struct efa_stats_rdma_write write;
  uint64_t ud_tx_bytes, ud_tx_pkts, ud_rx_bytes, ud_rx_pkts;
};

struct efa_twin {
  struct shunt_model model; /* first: the two are converted by a cast */
  struct shunt_twin_efa_options options;
  struct shunt_wire_end *end;
  uint64_t now_ns;
  uint32_t incarnation; /* of the transport's present life */
  struct srd *srd;
  struct srd_gid gid;
  bool is_destroyed;

  uint8_t *llq, *doorbells; /* BARs 2 and 4 */
  int llq_fd, doorbell_fd;
  uint8_t msix[EFA_TWIN_REGISTER_BYTES];

  /* Registers */
  bool in_reset;
  uint32_t interrupt_mask;
  uint64_t aq_base, acq_base, aenq_base, mmio_response;
  struct efa_twin_ring aq, acq, aenq;
  uint32_t aenq_consumed; /* events that the driver has read */
  bool admin_interrupt_held;
  uint32_t aenq_groups;
  uint64_t keep_alive_ns; /* when the next is due; 0: none */

  /* Objects */
  bool pds[EFA_TWIN_PDS], uars[EFA_TWIN_UARS];
  struct efa_twin_ah ahs[EFA_TWIN_AHS];
  uint16_t ah_buckets[EFA_TWIN_AH_BUCKETS], ah_free;
  struct efa_twin_eq eqs[EFA_TWIN_EQS];
  struct efa_twin_cq cqs[EFA_TWIN_CQS];
  struct efa_twin_qp qps[EFA_TWIN_QPS];
  struct efa_twin_mr *mrs; /* EFA_TWIN_MRS */
  uint32_t next_mr;
  uint16_t qp_uses[EFA_TWIN_QPS]; /* how often each was created */
  uint16_t qps_live[EFA_TWIN_QPS];
  unsigned qp_count;
  uint16_t next_qp;
  unsigned event_cqs; /* completion queues with events */

  struct efa_twin_frame *loopback, **loopback_end; /* frames to oneself */
  unsigned loopback_count;

  struct efa_twin_statistics statistics;
  uint64_t mmio_reads, mmio_writes, commands, interrupts, resets, keep_alives;
#define EFA_TWIN_COUNTER(name) uint64_t name;
  struct {
    EFA_TWIN_FAULTS(EFA_TWIN_COUNTER)
  } faults;
  struct {
    EFA_TWIN_DROPS(EFA_TWIN_COUNTER)
  } drops;
#undef EFA_TWIN_COUNTER
};

/* What device id has. */
bool efa_twin_has_read(const struct efa_twin *twin);
bool efa_twin_has_write(const struct efa_twin *twin);
bool efa_twin_has_wide(const struct efa_twin *twin);
uint16_t efa_twin_sub_cqs(const struct efa_twin *twin);

/* config.c */
void efa_twin_config_build(struct efa_twin *twin);
void efa_twin_config_written(struct shunt_model *model, unsigned offset, unsigned bytes);

/* registers.c */
uint32_t efa_twin_register_read(struct efa_twin *twin, uint32_t offset);
void efa_twin_register_write(struct efa_twin *twin, uint32_t offset, uint32_t value);
/* Forget all that a driver has set up. */
void efa_twin_forget(struct efa_twin *twin);

/* admin.c */
void efa_twin_admin_poll(struct efa_twin *twin, uint32_t produced);
void efa_twin_admin_interrupt(struct efa_twin *twin);
/* Write an event; false where there is no room, or its group is not enabled. */
bool efa_twin_event(struct efa_twin *twin, uint16_t group, uint16_t syndrome);
void efa_twin_interrupt(struct efa_twin *twin, unsigned vector);
unsigned efa_twin_keep_alive(struct efa_twin *twin);

/* How a command ends: an enum efa_admin_status. response is zeroed, but for its head. */
typedef uint8_t efa_twin_command(struct efa_twin *twin, const void *command, void *response);
efa_twin_command efa_twin_get_feature, efa_twin_set_feature, efa_twin_get_stats;
uint64_t efa_twin_rx_drops(const struct efa_twin *twin);
efa_twin_command efa_twin_alloc_pd, efa_twin_dealloc_pd, efa_twin_alloc_uar, efa_twin_dealloc_uar,
    efa_twin_create_ah, efa_twin_destroy_ah, efa_twin_create_eq, efa_twin_destroy_eq;
efa_twin_command efa_twin_reg_mr, efa_twin_dereg_mr;
efa_twin_command efa_twin_create_cq, efa_twin_destroy_cq, efa_twin_create_qp, efa_twin_modify_qp,
    efa_twin_query_qp, efa_twin_destroy_qp;

/* objects.c */
void efa_twin_objects_forget(struct efa_twin *twin);
bool efa_twin_pd_live(const struct efa_twin *twin, uint16_t pd);
/* The handle of a peer in a protection domain, or EFA_AH_UNKNOWN. */
uint16_t efa_twin_ah_of(struct efa_twin *twin, const struct srd_gid *gid, uint16_t pd);

/* memory.c: [address, +bytes) of the region as pieces of memory.
 *
 * key         lkey or rkey
 * permission  EFA_MR_* that is needed; 0: none
 * pieces, n   appended from *n on, at most SRD_PIECES_MOST in all
 * Returns     false where the key is none, of another protection domain, or lacks the permission;
 *             where any byte is out of bounds, or not in DMA memory */
bool efa_twin_memory(struct efa_twin *twin, uint32_t key, uint16_t pd, uint8_t permission,
                     uint64_t address, uint32_t bytes, struct iovec pieces[], unsigned *n);
/* The region that [address, +bytes) lies in, whether its pages are there or not; else NULL. A
 * region has no holes. */
struct efa_twin_mr *efa_twin_mr_of(struct efa_twin *twin, uint32_t key, uint16_t pd,
                                   uint8_t permission, uint64_t address, uint32_t bytes);
void efa_twin_memory_forget(struct efa_twin *twin);

/* queues.c */
struct efa_twin_qp *efa_twin_qp_by_number(struct efa_twin *twin, uint16_t number);
uint32_t *efa_twin_doorbell(struct efa_twin *twin, uint32_t offset);
uint32_t efa_twin_sq_doorbell(const struct efa_twin *twin, const struct efa_twin_qp *qp);
uint32_t efa_twin_rq_doorbell(const struct efa_twin *twin, const struct efa_twin_qp *qp);
uint32_t efa_twin_cq_doorbell(const struct efa_twin *twin, const struct efa_twin_cq *cq);
void efa_twin_qp_forget(struct efa_twin *twin, struct efa_twin_qp *qp);

/* complete.c */
/* An entry as the numbers that it is stored as, for it is built in registers: what is put together
 * in memory can't be loaded at once before the stores of earlier entries are through, and those
 * wait for lines that the driver polls. */
struct efa_twin_completion {
  uint64_t low, high;           /* struct efa_cqe or efa_tx_cqe; flags without phase */
  uint16_t length_hi;           /* behind them in a wide entry, or: */
  const struct srd_gid *source; /* NULL, or the sender's GID, for queues that want it */
};
_Static_assert(offsetof(struct efa_twin_completion, high) == 8, "as in an entry");
void efa_twin_complete(struct efa_twin *twin, uint16_t number, uint16_t sub_cq,
                       const struct efa_twin_completion *completion);
/* Look at the doorbells of queues with events. */
unsigned efa_twin_events_poll(struct efa_twin *twin);
void efa_twin_eq_arm(struct efa_twin *twin, uint16_t eqn);

/* send.c */
unsigned efa_twin_send_poll(struct efa_twin *twin);
/* End all that a queue pair has on its way, or in its ring, as flushed. */
void efa_twin_send_flush(struct efa_twin *twin, struct efa_twin_qp *qp);
void efa_twin_ah_gone(struct efa_twin *twin, uint16_t ah);
extern const struct srd_ops efa_twin_srd_ops;
unsigned efa_twin_loopback_poll(struct efa_twin *twin);
void efa_twin_loopback_forget(struct efa_twin *twin);

/* receive.c */
enum srd_status efa_twin_receive(void *context, const struct srd_arrival *arrival,
                                 const void *data);
enum srd_status efa_twin_write(void *context, const struct srd_arrival *arrival, uint32_t rkey,
                               uint64_t address, const void *data, uint32_t bytes);
enum srd_status efa_twin_read(void *context, const struct srd_arrival *arrival, uint32_t rkey,
                              uint64_t address, uint32_t bytes, struct iovec pieces[], unsigned *n);
void efa_twin_datagram(void *context, const struct srd_arrival *arrival, const void *data);
void efa_twin_receive_flush(struct efa_twin *twin, struct efa_twin_qp *qp);

#endif
