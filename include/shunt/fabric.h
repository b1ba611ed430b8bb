/* SPDX-License-Identifier: BSD-2-Clause */
/* Endpoints that send messages and read and write each other's memory: AWS's EFA, real or a twin.
 *
 *   shunt_fabric_open("efa:twin?wire=a", &options, &fabric, &error);
 *   shunt_fabric_pd_create(fabric, &pd, &error);
 *   shunt_fabric_mr_register(pd, region, 0, bytes, SHUNT_FABRIC_LOCAL_WRITE, NULL, &mr, &error);
 *   shunt_fabric_cq_create(fabric, NULL, &cq, &error);
 *   shunt_fabric_qp_create(pd, &qp_options, &qp, &error);          (ready to send and receive)
 *   shunt_fabric_ah_create(pd, &peers_gid, &ah, &error);
 *   shunt_fabric_recv_post(qp, receives, n);
 *   shunt_fabric_send_post(qp, &work);
 *   shunt_fabric_send_push(qp);
 *   n = shunt_fabric_poll(cq, completions, 16);
 *
 * What is sent is work requests. Each ends in one completion, which carries the caller's id and a
 * status: what went wrong goes wrong for that work request alone (shunt_fabric_status_text says
 * what it means, shunt_fabric_status_advice what to look at).
 *
 * UD and SRD queue pairs have no connection: each work request names an address handle (whose
 * device), a queue pair number there and its qkey. UD datagrams may get lost. SRD messages arrive
 * at most once, their completion says whether they did, and they arrive in NO particular order:
 * that is what makes SRD fast, and what surprises people. A message is at most info.mtu bytes long;
 * RDMA (SRD only) moves up to info.max_rdma_bytes.
 *
 * Threads. A completion queue and the queue pairs that complete there belong to one thread at a
 * time; its calls take no lock, allocate nothing and make no system call. All other calls on one
 * fabric, and on what was made from it, come from one thread at a time. */
#ifndef SHUNT_FABRIC_H
#define SHUNT_FABRIC_H

#include "shunt/base.h"
#include "shunt/clock.h"
#include "shunt/error.h"
#include "shunt/log.h"
#include "shunt/port.h"
#include "shunt/region.h"

SHUNT_BEGIN_DECLS

struct shunt_fabric;
struct shunt_fabric_pd; /* protection domain: what may use what */
struct shunt_fabric_mr; /* memory that the device may reach */
struct shunt_fabric_ah; /* address handle: a peer's device */
struct shunt_fabric_cq; /* completion queue */
struct shunt_fabric_qp; /* queue pair */
struct shunt_testbed;
struct fabric_object;

/* --- Addresses -------------------------------------------------------------------------------- */

/* A device's address: an IPv6 address in network order. */
struct shunt_gid {
  uint8_t bytes[16];
};

#define SHUNT_GID_TEXT_BYTES 46

/* Write it as IPv6 addresses are written ("fe80::..."; RFC 5952). Returns text. */
const char *shunt_gid_format(const struct shunt_gid *gid, char text[SHUNT_GID_TEXT_BYTES]);
/* Returns 0 and *gid, or -EINVAL where text is no IPv6 address. */
int shunt_gid_parse(const char *text, struct shunt_gid *gid);

/* --- Opening ---------------------------------------------------------------------------------- */

struct shunt_fabric_options {
  size_t size;                     /* sizeof(struct shunt_fabric_options) */
  const struct shunt_clock *clock; /* time and sleep; NULL: the real ones */
  const struct shunt_log *log;     /* NULL: silent */
  struct shunt_testbed *testbed;   /* where twins of this process live; NULL: one is made for the
                                      fabric and given its turn by the fabric's own calls */
  uint32_t sleepers;               /* completion queues that may sleep (an MSI-X vector each, and
                                      one for the device); 0: none, all are polled */
  uint32_t admin_timeout_ms; /* how long a command may take; 0: what the device says, or 3000 */
  uint32_t watchdog_ms;      /* without a keep-alive the device is given up (see
                                shunt_fabric_check); 0: what the device says, or 5000 */
};

/* Open a device by name.
 *
 * name     driver:location[?key=value[&key=value...]]
 *            efa:0000:00:06.0            a card at that PCI address, through vfio or sysfs
 *            efa:vfio-user:/run/x.sock   a device that another process serves, such as shunt twin
 *            efa:twin                    a software EFA in this process (keys: shunt/testbed.h)
 *          The keys sleepers, admin_timeout_ms and watchdog_ms override the options.
 * options  NULL for the defaults
 * fabric   where it goes; untouched on failure
 * Owner    the caller, until shunt_fabric_close
 * Returns  0, with the device reset and its admin queue at work, or
 *   -EINVAL      the name or an option is wrong; the error names the rule
 *   -ENODEV      no such device, or not one that the driver knows
 *   -EBUSY       someone else has it
 *   -EPERM       the remedy says which capability, group or file mode is missing
 *   -ENOMEM      memory or huge pages exhausted
 *   -EIO, -ETIMEDOUT  the device does not answer: the error says what was awaited
 *   -EOPNOTSUPP  interrupts are wanted that this path to the device has not; or its doorbells can't
 *                be reached as memory; or it is too old */
int shunt_fabric_open(const char *name, const struct shunt_fabric_options *options,
                      struct shunt_fabric **fabric, struct shunt_error *error);

/* The driver that opens a PCI device of these ids, as the first part of a name: "efa".
 *
 * error   filled where there is none: why not
 * Thread  any
 * Returns constant text, or NULL */
const char *shunt_fabric_driver(uint16_t vendor, uint16_t device, struct shunt_error *error);

/* Reset the device and close. Whatever was made from the fabric and not destroyed goes with it.
 * Nothing of it may be in use by another thread. NULL is fine. Bounded: a few seconds on dead
 * hardware. */
void shunt_fabric_close(struct shunt_fabric *fabric);

enum shunt_fabric_caps {
  SHUNT_FABRIC_RDMA_READ = 1 << 0,
  SHUNT_FABRIC_RDMA_WRITE = 1 << 1,
  SHUNT_FABRIC_RNR_RETRY = 1 << 2,   /* a queue pair may say how often a receiver is tried again */
  SHUNT_FABRIC_UNSOLICITED = 1 << 3, /* immediates of writes need no posted receive */
};

/* What it is, and how much of everything it has. */
struct shunt_fabric_info {
  size_t size;        /* set by the caller to sizeof(struct shunt_fabric_info) */
  const char *name;   /* as opened; valid as long as the fabric, as all texts here */
  const char *driver; /* "efa" */
  const char *device; /* "Amazon EFA (efa2)" */
  const char *path;   /* how it is reached: "twin, shared doorbells" */
  struct shunt_gid gid;
  uint16_t vendor_id, device_id;
  uint32_t firmware_version;
  uint32_t mtu;               /* most bytes of a message */
  uint32_t max_rdma_bytes;    /* of one RDMA work request; 0: no RDMA */
  uint32_t caps;              /* enum shunt_fabric_caps */
  uint32_t inline_bytes;      /* most bytes inline in a work request of 64 bytes */
  uint32_t inline_bytes_wide; /* in one of 128; 0: there are none */
  uint32_t max_qp, max_cq, max_mr, max_pd, max_ah;
  uint32_t max_send_depth, max_recv_depth, max_cq_depth;
  uint32_t max_send_pieces, max_recv_pieces, max_rdma_pieces; /* of local memory a work request */
  uint32_t max_tx_batch; /* in 64 bytes of work requests between two doorbells; 0: no limit */
  uint32_t link_gbps;    /* 0: not told */
  uint32_t sleepers;     /* completion queues that may sleep */
  int numa_node;         /* SHUNT_NUMA_ANY where not known */
  uint8_t model;         /* 1: a software twin: figures are not hardware figures */
  uint8_t steps;         /* 1: the twin is in this process: somebody must give it turns */
};
void shunt_fabric_info(const struct shunt_fabric *fabric, struct shunt_fabric_info *info);

/* All counters: the device's, by the names that the kernel's driver gives them below
 * /sys/class/infiniband (hw_counters), and the driver's own.
 *
 * statistics, n  where to and how many fit; n may be 0, and the device is not asked then
 * count          how many there are
 * Returns        0, or what a command that fails returns */
int shunt_fabric_statistics(struct shunt_fabric *fabric, struct shunt_statistic statistics[],
                            unsigned n, unsigned *count, struct shunt_error *error);

/* Give the twins on the fabric's testbed their turn. Only needed where the caller passed a testbed
 * and nothing else polls it; does nothing on hardware. Returns how much was done. */
unsigned shunt_fabric_step(struct shunt_fabric *fabric);

/* Is the device alive? Takes in its events, and looks at when it last said so (each second, by
 * default). To be called now and then, at least every 10 s, by who sets things up.
 *
 * Returns 0, -ETIMEDOUT (no keep-alive for watchdog_ms: the error says since when, and what the
 *         device's status register reads) or -EIO (it has reported a fatal error, or is gone).
 *         After these only shunt_fabric_reset or _close help. */
int shunt_fabric_check(struct shunt_fabric *fabric, struct shunt_error *error);

/* Reset the device and bring it up again. All that was made from the fabric stops to work: what its
 * queue pairs had on the way ends as flushed in their completion queues, post refuses, and all that
 * is left to do with each object is to destroy it. What is made afterwards works.
 *
 * Thread  no queue of the fabric may be in use meanwhile
 * Returns as shunt_fabric_open does */
int shunt_fabric_reset(struct shunt_fabric *fabric, struct shunt_error *error);

/* --- Objects ------------------------------------------------------------------------------------
 *
 * Each create call returns 0, -EINVAL (an argument breaks a rule), -ENOMEM, -ENOSPC (the device has
 * no more of them), -EOPNOTSUPP (the device can't do it), -EIO or -ETIMEDOUT (it refuses or does
 * not answer: the error names command and status). Each destroy call takes NULL. It returns 0;
 * -EBUSY where something that was made with the object is still there (nothing has happened then);
 * or -EIO or -ETIMEDOUT where the device did not play along: the object is gone all the same. */

int shunt_fabric_pd_create(struct shunt_fabric *fabric, struct shunt_fabric_pd **pd,
                           struct shunt_error *error);
int shunt_fabric_pd_destroy(struct shunt_fabric_pd *pd, struct shunt_error *error);

enum shunt_fabric_access { /* beside reading here, which is always allowed */
                           SHUNT_FABRIC_LOCAL_WRITE =
                               1 << 0, /* the device may put here what it receives or reads */
                           SHUNT_FABRIC_REMOTE_WRITE = 1 << 1, /* peers may write */
                           SHUNT_FABRIC_REMOTE_READ = 1 << 2,  /* peers may read */
};

struct shunt_fabric_mr_options {
  size_t size;         /* sizeof(struct shunt_fabric_mr_options) */
  uint64_t page_bytes; /* pages that the device is told of; 0: the largest that will do; else a
                          power of two, 4096..2 MiB */
};

/* Let the device reach bytes [offset, +bytes) of a region, under a key.
 *
 * region   stays the caller's, and must not be destroyed before the memory is deregistered
 * access   SHUNT_FABRIC_LOCAL_WRITE, _REMOTE_WRITE, _REMOTE_READ
 * options  NULL for the defaults
 *
 * Work requests name bytes by this process's virtual address and the lkey; peers by the same
 * address, of which they must be told, and the rkey. */
int shunt_fabric_mr_register(struct shunt_fabric_pd *pd, struct shunt_region *region,
                             uint64_t offset, uint64_t bytes, unsigned access,
                             const struct shunt_fabric_mr_options *options,
                             struct shunt_fabric_mr **mr, struct shunt_error *error);
int shunt_fabric_mr_deregister(struct shunt_fabric_mr *mr, struct shunt_error *error);

void *shunt_fabric_mr_base(const struct shunt_fabric_mr *mr); /* its first byte */
uint32_t shunt_fabric_mr_lkey(const struct shunt_fabric_mr *mr);
uint32_t shunt_fabric_mr_rkey(const struct shunt_fabric_mr *mr);

/* A handle on the device with that address: work requests of queue pairs of the same protection
 * domain name it by its number. Destroyed while work requests to it are under way, they fail. RDMA
 * needs a handle on both sides: a device answers no peer that it does not know. */
int shunt_fabric_ah_create(struct shunt_fabric_pd *pd, const struct shunt_gid *gid,
                           struct shunt_fabric_ah **ah, struct shunt_error *error);
int shunt_fabric_ah_destroy(struct shunt_fabric_ah *ah, struct shunt_error *error);
uint16_t shunt_fabric_ah_number(const struct shunt_fabric_ah *ah);

struct shunt_fabric_cq_options {
  size_t size;    /* sizeof(struct shunt_fabric_cq_options) */
  uint32_t depth; /* completions; 0: 1024; rounded up to a power of two. Must hold all that its
                     queue pairs can have under way: more are lost, as on hardware */
  uint8_t sleeps; /* shunt_fabric_cq_fd and _arm work; the fabric must have been opened so */
};

int shunt_fabric_cq_create(struct shunt_fabric *fabric,
                           const struct shunt_fabric_cq_options *options,
                           struct shunt_fabric_cq **cq, struct shunt_error *error);
int shunt_fabric_cq_destroy(struct shunt_fabric_cq *cq, struct shunt_error *error);

/* A file descriptor that becomes readable when an armed queue gets a completion. The queue's own.
 * Returns it, or -EINVAL where the queue was made without sleeps. */
int shunt_fabric_cq_fd(const struct shunt_fabric_cq *cq, struct shunt_error *error);
/* Let the next completion make the descriptor readable, once. Reads it empty. Poll once more after
 * arming and before sleeping.
 * Thread: the queue's. It makes system calls. */
void shunt_fabric_cq_arm(struct shunt_fabric_cq *cq);

enum shunt_fabric_qp_type {
  SHUNT_FABRIC_SRD = 0, /* reliable, unordered */
  SHUNT_FABRIC_UD = 1,  /* unreliable: success means sent, not received */
};

enum shunt_fabric_rnr { /* how often a receiver that is not ready is tried again, beside 1 to 6 */
                        SHUNT_FABRIC_RNR_FOR_EVER = 0,
                        SHUNT_FABRIC_RNR_NEVER = 255,
};

struct shunt_fabric_qp_options {
  size_t size; /* sizeof(struct shunt_fabric_qp_options) */
  enum shunt_fabric_qp_type type;
  struct shunt_fabric_cq *send_cq, *recv_cq; /* may be the same one */
  uint32_t send_depth;  /* work requests under way; 0: 256; rounded up to a power of two */
  uint32_t recv_depth;  /* receives posted; 0: 256; rounded up likewise */
  uint32_t recv_pieces; /* of memory a receive, 1..info.max_recv_pieces; 0: 1 */
  uint32_t qkey;        /* what senders have to show */
  uint8_t rnr_retries;  /* 1..6 times, or enum shunt_fabric_rnr; SRD only */
  uint8_t wide;         /* work requests of 128 bytes: more fits inline */
  uint8_t unsolicited;  /* immediates of RDMA writes take no posted receive */
};

/* A queue pair, ready to send and to receive. */
int shunt_fabric_qp_create(struct shunt_fabric_pd *pd,
                           const struct shunt_fabric_qp_options *options,
                           struct shunt_fabric_qp **qp, struct shunt_error *error);

/* End all that the queue pair has under way: each work request and each receive completes, as
 * flushed where it was not done before. It sends and receives no more. */
int shunt_fabric_qp_stop(struct shunt_fabric_qp *qp, struct shunt_error *error);

/* What is under way is ended, and its completions that were not polled yet are forgotten: stop it,
 * and poll, to see them. */
int shunt_fabric_qp_destroy(struct shunt_fabric_qp *qp, struct shunt_error *error);

uint16_t shunt_fabric_qp_number(const struct shunt_fabric_qp *qp);

/* --- Work requests ---------------------------------------------------------------------------- */

#define SHUNT_FABRIC_PIECES 2

/* Bytes of registered memory. */
struct shunt_fabric_piece {
  uint64_t address; /* this process's virtual address */
  uint32_t bytes;
  uint32_t lkey;
};

/* Whom a work request is for. */
struct shunt_fabric_destination {
  uint16_t ah;  /* shunt_fabric_ah_number */
  uint16_t qpn; /* shunt_fabric_qp_number, as the peer told it */
  uint32_t qkey;
};

enum shunt_fabric_op {
  SHUNT_FABRIC_SEND = 0,
  SHUNT_FABRIC_READ = 1,  /* from the peer's memory into the one piece here */
  SHUNT_FABRIC_WRITE = 2, /* from the one piece here, or from inline data of a wide queue pair */
};

struct shunt_fabric_work {
  uint64_t id; /* comes back in the completion */
  struct shunt_fabric_destination to;
  uint8_t op; /* enum shunt_fabric_op */
  uint8_t has_immediate;
  uint8_t is_inline;
  uint8_t pieces; /* of local memory, 0..SHUNT_FABRIC_PIECES; RDMA: 0 or 1 */
  uint32_t immediate;
  struct shunt_fabric_piece piece[SHUNT_FABRIC_PIECES];
  /* In place of pieces, where is_inline is set: copied before the call returns. */
  const void *inline_data;
  uint32_t inline_bytes;
  /* RDMA: the peer's memory. */
  uint32_t rkey;
  uint64_t remote_address;
};

struct shunt_fabric_receive {
  uint64_t id;
  uint32_t pieces; /* 1..the queue pair's recv_pieces */
  struct shunt_fabric_piece piece[SHUNT_FABRIC_PIECES];
};

/* What a completion says: the values are those of EFA's completions (hw/efa_desc.h). */
enum shunt_fabric_status {
  SHUNT_FABRIC_OK = 0,
  SHUNT_FABRIC_FLUSHED = 1,
  SHUNT_FABRIC_QP_INTERNAL = 2,
  SHUNT_FABRIC_UNSUPPORTED_OP = 3,
  SHUNT_FABRIC_INVALID_AH = 4,
  SHUNT_FABRIC_INVALID_LKEY = 5,
  SHUNT_FABRIC_BAD_LENGTH = 6,
  SHUNT_FABRIC_REMOTE_BAD_ADDRESS = 7,
  SHUNT_FABRIC_REMOTE_ABORT = 8,
  SHUNT_FABRIC_REMOTE_BAD_DEST_QPN = 9,
  SHUNT_FABRIC_REMOTE_RNR = 10,
  SHUNT_FABRIC_REMOTE_BAD_LENGTH = 11,
  SHUNT_FABRIC_REMOTE_BAD_STATUS = 12,
  SHUNT_FABRIC_UNRESPONSIVE = 13,
  SHUNT_FABRIC_REMOTE_UNKNOWN_PEER = 14,
  SHUNT_FABRIC_UNREACHABLE = 15,
  SHUNT_FABRIC_REMOTE_FEATURE_MISMATCH = 18,
};

/* "no buffer was posted to receive it": what a status means, and what to check: "the receiver must
 * keep receives posted; or give the sender more rnr_retries". Constant text, for any number. */
const char *shunt_fabric_status_text(unsigned status);
const char *shunt_fabric_status_advice(unsigned status);
/* "remote-rnr": its name, as in reports. "unknown" for what is none. */
const char *shunt_fabric_status_name(unsigned status);

enum shunt_fabric_completion_flags { /* the others mean nothing */
                                     SHUNT_FABRIC_RECEIVED = 1
                                                             << 2, /* of a receive, or of a peer's
                                                                      write; else of our own work */
                                     SHUNT_FABRIC_IMMEDIATE = 1 << 3, /* immediate is filled in */
                                     SHUNT_FABRIC_UNSOLICITED_WRITE =
                                         1 << 7, /* took no receive: id means nothing */
};

struct shunt_fabric_completion {
  uint64_t id;
  struct shunt_fabric_qp *qp;
  uint16_t reserved;
  uint8_t status; /* enum shunt_fabric_status */
  uint8_t flags;  /* enum shunt_fabric_completion_flags, and the operation */
  /* What follows is filled in where something was received. */
  uint32_t bytes; /* of UD, the 40 bytes in front of the data among them */
  uint32_t immediate;
  uint16_t source_ah; /* SHUNT_FABRIC_AH_UNKNOWN: there is no handle of the sender, and ... */
  uint16_t source_qpn;
  struct shunt_gid source; /* ... of SENDs, this is its address; else not filled in */
};

/* What the work request was; of what was received, SEND or WRITE. */
static inline enum shunt_fabric_op
shunt_fabric_completion_op(const struct shunt_fabric_completion *completion)
{
  return (enum shunt_fabric_op)(completion->flags >> 4 & 7);
}
#define SHUNT_FABRIC_AH_UNKNOWN 0xFFFFu

/* A received datagram begins with so many bytes of routing header (InfiniBand 11.4.1.2): buffers of
 * UD queue pairs have to be that much longer, and the data stands behind. */
#define SHUNT_FABRIC_UD_PREFIX_BYTES 40

/* --- The verbs --------------------------------------------------------------------------------
 *
 * Below they are portable calls; shunt/efa.h has them inline. Both may be mixed. */

struct shunt_fabric_qp_verbs {
  int (*send_post)(struct shunt_fabric_qp *qp, const struct shunt_fabric_work *work);
  void (*send_push)(struct shunt_fabric_qp *qp);
  unsigned (*recv_post)(struct shunt_fabric_qp *qp, const struct shunt_fabric_receive receives[],
                        unsigned n);
};

/* The heads of every driver's queue pair and completion queue. Read, don't write, but for user. */
struct shunt_fabric_qp {
  const struct shunt_fabric_qp_verbs *verbs;
  struct fabric_object *object; /* the library's own */
  void *user;                   /* the caller's own: a completion names the queue pair */
  uint16_t number;
};
struct shunt_fabric_cq {
  unsigned (*poll)(struct shunt_fabric_cq *cq, struct shunt_fabric_completion completions[],
                   unsigned n);
  struct fabric_object *object;
};

/* Put a work request on the send queue. The device may not see it before push.
 *
 * work     copied, inline data too; the memory of its pieces is the device's until the completion
 * Thread   the one that owns qp
 * Returns  0; -EAGAIN (the send queue is full: poll); -EINVAL (more inline bytes or pieces than a
 *          work request of this queue pair has room for). All other mistakes are told by the work
 *          request's completion. Where the device limits how much may wait for a doorbell
 *          (max_tx_batch), it is rung here in time. */
inline int shunt_fabric_send_post(struct shunt_fabric_qp *qp, const struct shunt_fabric_work *work)
{
  return qp->verbs->send_post(qp, work);
}

/* Ring the doorbell for all that was posted since. Thread: the one that owns qp. */
inline void shunt_fabric_send_push(struct shunt_fabric_qp *qp)
{
  qp->verbs->send_push(qp);
}

/* Post up to n receives, and tell the device of them.
 *
 * Owner    the device owns the memory until the receive completes
 * Thread   the one that owns qp
 * Returns  how many were taken, 0..n: fewer where the queue is full, or the first that was not
 *          taken has no pieces or too many, or one of more than 65535 bytes */
inline unsigned shunt_fabric_recv_post(struct shunt_fabric_qp *qp,
                                       const struct shunt_fabric_receive receives[], unsigned n)
{
  return qp->verbs->recv_post(qp, receives, n);
}

/* Take up to n completions.
 *
 * Thread   the one that owns cq
 * Returns  how many, 0..n; never waits */
inline unsigned shunt_fabric_poll(struct shunt_fabric_cq *cq,
                                  struct shunt_fabric_completion completions[], unsigned n)
{
  return cq->poll(cq, completions, n);
}

SHUNT_END_DECLS

#endif
