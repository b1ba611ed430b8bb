/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of AWS's Elastic Fabric Adapter, inside.
 *
 *   efa.c         which devices; up, down, and up again
 *   registers.c   reading registers by DMA; reset
 *   admin.c       commands and their completions
 *   features.c    what the device is and has             statistics.c  what it has counted
 *   events.c      keep-alive and other events of the device; what wakes sleepers
 *   memory.c      the driver's own DMA memory; regions that the device sees
 *   mr.c          memory registration and page lists     objects.c     domains, address handles
 *   cq.c          completion queues                      qp.c          queue pairs
 *   verbs.c       the portable verbs
 *
 * The inline fast path is include/shunt/efa.h, what the device expects hw/efa.h. */
#ifndef SRC_NIC_EFA_EFA_H
#define SRC_NIC_EFA_EFA_H

#include "hw/efa.h"
#include "shunt/efa.h"
#include "src/fabric/driver.h"
#include "src/pci/pci.h"

#define EFA_NS_PER_MS UINT64_C(1000000)

/* Depths as Linux has them (efa_com.h). One command at a time is enough here. */
#define EFA_AQ_DEPTH   32u
#define EFA_AENQ_DEPTH 16u

#define EFA_PAGE_BYTES    4096u
#define EFA_CHUNK_PAGES   ((unsigned)(SHUNT_REGION_ALIGN_BYTES / EFA_PAGE_BYTES))
#define EFA_SUB_CQS_MOST  16u
#define EFA_QUEUE_NUMBERS 65536u

/* 2 MiB of the driver's own DMA memory, given out by pages. */
struct efa_chunk {
  struct efa_chunk *next;
  struct shunt_region *region;
  uint64_t delta;
  bool taken[EFA_CHUNK_PAGES];
};

struct efa_block {
  struct efa_chunk *chunk; /* NULL: none */
  void *memory;
  uint64_t address; /* the device's */
  uint64_t bytes;   /* a power of two, and what the address is a multiple of */
};

/* A region of the caller's that the device can see. */
struct efa_mapping {
  struct efa_mapping *next;
  struct shunt_region *region;
  uint64_t *delta;
  unsigned users;
};

/* What one completion queue's sleeper is woken by. */
struct efa_waker {
  bool taken;
  uint16_t eqn;
  struct efa_block ring;
  uint32_t count; /* events ever taken */
};

struct efa {
  struct shunt_fabric fabric; /* first: the two are converted by a cast */
  struct pci *pci;
  char device_name[48];

  struct efa_chunk *chunks;
  struct efa_mapping *mappings;

  /* Registers */
  struct efa_block small; /* what registers read as, the admin queues, host information */
  uint16_t read_sequence;
  uint64_t read_timeout_ns;

  /* Commands */
  bool admin_ready;
  uint32_t commands, completions; /* ever, in this life of the device */
  uint64_t admin_timeout_ns;
  uint64_t submitted, completed, failed, unanswered;

  /* Events */
  uint32_t events; /* ever taken, in this life */
  uint64_t watchdog_ns, alive_ns;
  uint64_t keep_alives, warnings, notifications;
  bool has_failed;  /* it said so */
  bool keeps_alive; /* it has the events */
  uint16_t failure;

  /* What it is */
  struct efa_feature_device device;
  struct efa_feature_queues queues;
  struct efa_feature_network network;
  struct efa_feature_event_queues event_queues;
  struct efa_feature_hints hints;
  uint32_t inline_bytes_wide;
  uint16_t uar;

  int *fds; /* of the vectors: the device's and each sleeper's */
  struct efa_waker *wakers;

  struct shunt_efa_qp *by_number[EFA_QUEUE_NUMBERS]; /* nobody where there is none */
  struct shunt_efa_qp nobody;
  uint64_t nobodys_ids[2];
  uint32_t no_doorbell; /* where those of queues ring that are no more */
};

struct efa_cq {
  struct shunt_efa_cq fast; /* first: the two are converted by a cast */
  struct fabric_object object;
  uint16_t number;
  uint32_t depth; /* of each sub-queue */
  struct efa_block ring;
  volatile uint32_t *doorbell;
  struct efa_waker *waker; /* NULL: does not sleep */
  uint32_t command_number; /* counts events, as the doorbell wants it */
  unsigned current;        /* the sub-queue that fast is about */
  struct {
    const struct efa_cqe_wide *next;
    uint32_t expect;
  } sub[EFA_SUB_CQS_MOST];
};

struct efa_qp {
  struct shunt_efa_qp fast; /* first */
  struct fabric_object object;
  uint32_t handle;
  struct efa_cq *send_cq, *recv_cq;
  struct efa_block rq;
};

static inline struct efa *efa_of(struct shunt_fabric *fabric)
{
  return (struct efa *)fabric;
}
static inline const struct efa *efa_of_const(const struct shunt_fabric *fabric)
{
  return (const struct efa *)fabric;
}
static inline struct efa_cq *efa_cq_of(const struct fabric_object *object)
{
  return (struct efa_cq *)((uintptr_t)object - offsetof(struct efa_cq, object));
}
static inline struct efa_qp *efa_qp_of(const struct fabric_object *object)
{
  return (struct efa_qp *)((uintptr_t)object - offsetof(struct efa_qp, object));
}
static inline uint64_t efa_now_ns(const struct efa *efa)
{
  return shunt_clock_now_ns(efa->pci->clock);
}
static inline struct efa_address efa_address(uint64_t address)
{
  return (struct efa_address){(uint32_t)address, (uint32_t)(address >> 32)};
}

/* efa.c: all but opening and closing the function. */
int efa_open_pci(struct pci *pci, const struct shunt_fabric_options *options,
                 struct shunt_fabric **fabric, struct shunt_error *error);

/* registers.c */
/* A turn of a wait: false when the time is over, else a while has passed. */
struct efa_wait {
  uint64_t start_ns, timeout_ns, step_ns;
};
struct efa_wait efa_wait_begin(const struct efa *efa, uint64_t timeout_ns);
bool efa_wait_on(struct efa *efa, struct efa_wait *wait);

int efa_read(struct efa *efa, uint32_t offset, const char *name, uint32_t *value,
             struct shunt_error *error);
static inline void efa_write(struct efa *efa, uint32_t offset, uint32_t value)
{
  pci_write32(efa->pci, offset, value);
}
int efa_device_reset(struct efa *efa, enum efa_reset_reason reason, struct shunt_error *error);

/* admin.c */
void efa_admin_start(struct efa *efa);
struct efa_aenq_entry *efa_events_ring(const struct efa *efa);
/* Do a command and wait for its end.
 *
 * command  begins with struct efa_aq_head, of which the opcode is set; bytes: at most an entry
 * answer   a whole entry, or NULL
 * Returns  0; -ENOSPC, -EOPNOTSUPP, -EBUSY, -EIO by the status; -ETIMEDOUT; -EIO too where an
 *          earlier one was never answered: the device has to be reset first */
int efa_command(struct efa *efa, void *command, size_t bytes, struct efa_acq_entry *answer,
                struct shunt_error *error);

/* features.c */
int efa_features_read(struct efa *efa, struct shunt_error *error);
int efa_events_enable(struct efa *efa, struct shunt_error *error);
void efa_host_tell(struct efa *efa);
uint32_t efa_caps(const struct efa *efa); /* enum shunt_fabric_caps */

/* statistics.c */
int efa_statistics(struct shunt_fabric *fabric, struct shunt_statistic statistics[], unsigned n,
                   unsigned *count, struct shunt_error *error);

/* events.c */
void efa_events_start(struct efa *efa);
int efa_check(struct shunt_fabric *fabric, struct shunt_error *error);
int efa_waker_take(struct efa *efa, struct efa_waker **waker, struct shunt_error *error);
void efa_waker_give(struct efa *efa, struct efa_waker *waker, bool dead);
/* Whether it has fired since it was armed last; and arm it. */
bool efa_waker_fired(struct efa *efa, struct efa_waker *waker);
void efa_waker_arm(struct efa *efa, const struct efa_waker *waker);
int efa_waker_fd(const struct efa *efa, const struct efa_waker *waker);

/* memory.c: zeroed memory for the device, a power of two of at least so many bytes. */
int efa_block_take(struct efa *efa, uint64_t bytes, struct efa_block *block,
                   struct shunt_error *error);
void efa_block_give(struct efa_block *block); /* one that was never taken is fine */
int efa_region_map(struct efa *efa, struct shunt_region *region, struct efa_mapping **mapping,
                   struct shunt_error *error);
void efa_region_unmap(struct efa *efa, struct efa_mapping *mapping);
void efa_memory_destroy(struct efa *efa);
/* Plain memory in a BAR of the device, or NULL. */
void *efa_bar_memory(struct efa *efa, unsigned bar, uint64_t offset, uint64_t bytes,
                     struct shunt_error *error);

/* mr.c */
int efa_mr_register(struct shunt_fabric_pd *pd, struct shunt_region *region, uint64_t offset,
                    uint64_t bytes, unsigned access, uint64_t page_bytes,
                    struct shunt_fabric_mr **mr, struct shunt_error *error);
int efa_mr_deregister(struct fabric_object *object, struct shunt_error *error);
/* The indirect form of a page list (hw/efa_admin.h): n addresses into pages, their pages into
 * chunks. chunks and pages lie one behind the other at their device address. */
unsigned efa_pbl_chunks(uint32_t n);
unsigned efa_pbl_pages(uint32_t n);
void efa_pbl_chain(struct efa_pbl_chunk chunks[], uint64_t chunks_address, uint64_t pages_address,
                   uint32_t n);

/* objects.c */
int efa_pd_create(struct shunt_fabric *fabric, struct shunt_fabric_pd **pd,
                  struct shunt_error *error);
int efa_ah_create(struct shunt_fabric_pd *pd, const struct shunt_gid *gid,
                  struct shunt_fabric_ah **ah, struct shunt_error *error);
int efa_destroy(struct fabric_object *object, struct shunt_error *error);

/* cq.c */
int efa_cq_create(struct shunt_fabric *fabric, const struct shunt_fabric_cq_options *options,
                  struct shunt_fabric_cq **cq, struct shunt_error *error);
int efa_cq_destroy(struct fabric_object *object, struct shunt_error *error);
int efa_cq_fd(const struct shunt_fabric_cq *head);
void efa_cq_arm(struct shunt_fabric_cq *head);
/* Take in what a queue pair of that number has completed, so that nobody polls it. */
void efa_cq_forget(struct efa_cq *cq, uint16_t qp_number);
/* Which numbers of a queue pair have completions that nobody has polled. */
void efa_cq_mark(const struct efa_cq *cq, uint16_t qp_number, enum efa_queue_type type,
                 bool there[], uint32_t mask);
/* Complete one in place of a device that does not. */
void efa_cq_flush(struct efa_cq *cq, uint16_t qp_number, enum efa_queue_type type, uint16_t number);

/* qp.c */
int efa_qp_create(struct shunt_fabric_pd *pd, const struct shunt_fabric_qp_options *options,
                  struct shunt_fabric_qp **qp, struct shunt_error *error);
int efa_qp_stop(struct shunt_fabric_qp *head, struct shunt_error *error);
int efa_qp_destroy(struct fabric_object *object, struct shunt_error *error);
/* The device was reset: what is under way ends as flushed. */
void efa_qp_flush(struct efa_qp *qp);

/* verbs.c */
extern const struct shunt_fabric_qp_verbs efa_verbs;
unsigned efa_poll(struct shunt_fabric_cq *cq, struct shunt_fabric_completion completions[],
                  unsigned n);
/* For twins that only this fabric's calls give turns. */
unsigned efa_poll_and_step(struct shunt_fabric_cq *cq, struct shunt_fabric_completion completions[],
                           unsigned n);

#endif
