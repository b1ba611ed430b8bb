/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports and queues: any NIC as Ethernet rings, behind five verbs.
 *
 * A port is opened by a name (see shunt_port_open) and has one or more queue pairs. A queue pair
 * belongs to one thread at a time. Buffers go round: rx_post gives free ones to the NIC, rx_poll
 * brings them back filled, tx_post and tx_push give filled ones to the NIC, tx_poll brings them
 * back free. Nothing is copied and nothing allocated.
 *
 *   shunt_port_open("ixgbe:0000:03:00.0", NULL, &port, &error);
 *   struct shunt_queue *q = shunt_port_queue(port, 0);
 *   n = shunt_rx_poll(q, frames, 32);
 *   ... look at shunt_frame_data(q, &frames[i]) ...
 *   sent = shunt_tx_post(q, frames, n);
 *   shunt_tx_push(q);
 *   free = shunt_tx_poll(q, bufs, 32);
 *   shunt_rx_post(q, bufs, free); */
#ifndef SHUNT_PORT_H
#define SHUNT_PORT_H

#include "shunt/base.h"
#include "shunt/clock.h"
#include "shunt/error.h"
#include "shunt/ethernet.h"
#include "shunt/frame.h"
#include "shunt/log.h"
#include "shunt/region.h"

SHUNT_BEGIN_DECLS

struct shunt_port;
struct shunt_queue;
struct shunt_testbed;

/* --- Opening ----------------------------------------------------------------------------- */

struct shunt_port_options {
  size_t size;                    /* sizeof(struct shunt_port_options) */
  struct shunt_region *region;    /* the queues' memory; NULL: the port makes one of its own */
  uint16_t queues;                /* queue pairs, 1..the device's; 0: 1 */
  uint32_t rx_ring;               /* Rx descriptors a queue; 0: 512. A power of two, 64..4096 */
  uint32_t tx_ring;               /* Tx descriptors a queue; 0: 512. A power of two, 64..4096 */
  uint32_t mtu;                   /* bytes behind the Ethernet header; 0: 1500; 68..9710 */
  uint32_t tx_report_interval;    /* ask the NIC to report sent frames at the first push after so
                                     many; 0 or 1: at each push, so that no buffer waits */
  uint32_t interrupt_interval_us; /* least time between a queue's interrupts; 0: 20; 2..8000 */
  uint8_t rx_metadata;            /* fill in hash, vlan and time_ns of received frames */
  uint8_t rx_time;     /* time stamp received frames (PTP clock); implies metadata. The 82599 can
                          stamp PTP event messages only, one at a time */
  uint8_t promiscuous; /* receive what is addressed to others too */
  uint8_t vlan_strip;  /* take 802.1Q tags off received frames */
  uint8_t interrupts;  /* make the queues able to sleep: shunt_queue_fd, _arm */
  uint8_t checked;     /* check ownership and bounds of every buffer in each verb */
  uint8_t capture;     /* let shunt/capture.h attach: costs six instructions a burst while
                          nobody does, and the inline verbs of shunt/ixgbe.h */
  const struct shunt_clock *clock; /* time and sleep; NULL: the real ones */
  const struct shunt_log *log;     /* NULL: silent */
  struct shunt_testbed *testbed;   /* where twins of this process live; NULL: one is made for
                                      the port and given its turn by the port's own calls */
};

/* Open a device by name.
 *
 * name     driver:location[?key=value[&key=value...]]
 *            ixgbe:0000:03:00.0   a real card at that PCI address, through vfio or sysfs
 *            ixgbe:twin           a software 82599 in this process (keys: shunt/testbed.h)
 *            xdp:eth0             an interface of the kernel, by AF_XDP (keys: shunt/xdp.h)
 *          Keys of every device are the names of struct shunt_port_options: queues, rx_ring,
 *          tx_ring, mtu, tx_report_interval, interrupt_interval_us, rx_metadata, rx_time,
 *          promiscuous, vlan_strip, interrupts, checked, capture; a key overrides the
 *          option.
 * options  NULL for the defaults
 * port     where the port goes; untouched on failure
 * Owner    the caller, until shunt_port_close; a region given stays the caller's
 * Thread   any
 * Returns  0, with every queue's Rx ring still empty (post buffers before frames can arrive), or
 *   -EINVAL      the name or an option is wrong; the error names the rule and what would be right
 *   -ENODEV      no such device
 *   -EBUSY       someone else has it: the error says who
 *   -EPERM       the remedy says which capability, group or file mode is missing
 *   -ENOMEM      memory or huge pages exhausted
 *   -ETIMEDOUT   the hardware did not answer: the error says what was awaited and what was read
 *   -EOPNOTSUPP  the device can't do what an option asks */
int shunt_port_open(const char *name, const struct shunt_port_options *options,
                    struct shunt_port **port, struct shunt_error *error);

/* The driver that opens a PCI device of these ids, as the first part of a port's name: "ixgbe".
 *
 * error   filled where there is none: why not
 * Thread  any
 * Returns constant text, or NULL */
const char *shunt_port_driver(uint16_t vendor, uint16_t device, struct shunt_error *error);

/* Quiesce the device and close. Buffers that the NIC held are the caller's again. No queue may be
 * in use by another thread. NULL is fine. Bounded: at most about a second on dead hardware. */
void shunt_port_close(struct shunt_port *port);

/* What was granted. */
struct shunt_port_info {
  size_t size;        /* set by the caller to sizeof(struct shunt_port_info) */
  const char *name;   /* as opened; valid as long as the port */
  const char *driver; /* "ixgbe" */
  const char *device; /* "Intel 82599 (10FB, SFP+)" */
  const char *path;   /* how it is reached: "vfio group 12", "twin, shared tails" */
  struct shunt_mac mac;
  uint16_t queues;
  uint16_t max_queues;
  uint32_t rx_ring, tx_ring;
  uint32_t mtu;
  uint32_t rx_buf_bytes; /* most bytes that one received piece has */
  int numa_node;         /* SHUNT_NUMA_ANY where not known */
  uint8_t model;         /* 1: a software twin: figures are not hardware figures */
  uint8_t interrupts;    /* 1: queues can sleep */
  uint8_t steps;         /* 1: the twin is in this process: somebody must give it turns */
};
void shunt_port_info(const struct shunt_port *port, struct shunt_port_info *info);

struct shunt_region *shunt_port_region(const struct shunt_port *port);

/* The queue pair of that index, or NULL where there is none. */
struct shunt_queue *shunt_port_queue(struct shunt_port *port, unsigned index);

/* Give the software device behind the port its turn. Only needed where the caller passed a testbed
 * and nothing else polls it; does nothing on hardware. Returns how much was done. */
unsigned shunt_port_step(struct shunt_port *port);

/* --- The five verbs -------------------------------------------------------------------------- */

struct shunt_queue_verbs {
  unsigned (*rx_post)(struct shunt_queue *q, const shunt_buf bufs[], unsigned n);
  unsigned (*rx_poll)(struct shunt_queue *q, struct shunt_frame frames[], unsigned n);
  unsigned (*tx_post)(struct shunt_queue *q, const struct shunt_frame frames[], unsigned n);
  void (*tx_push)(struct shunt_queue *q);
  unsigned (*tx_poll)(struct shunt_queue *q, shunt_buf bufs[], unsigned n);
};

/* The head of every driver's queue. Only what the inline calls need is visible; read, don't write.
 */
struct shunt_queue {
  const struct shunt_queue_verbs *verbs;
  uint8_t *base;                         /* the region's first byte */
  const struct shunt_queue_verbs *inner; /* the driver's verbs, where verbs checks or steps first */
  struct shunt_port *port;
  uint32_t index;
  uint32_t buf_bytes;
};

/* Hand up to n free buffers to the NIC to receive into.
 *
 * bufs     buffers of q's region; any byte inside a buffer names it
 * Owner    the NIC, until rx_poll returns the buffer or the port is closed
 * Thread   the one that owns q
 * Returns  how many were taken, 0..n; fewer than n means that the ring is full
 * Never fails. On 82599 visible to the NIC at once (RDT, datasheet 7.1.9), unless
 * fewer than the ring's batch are pending: see shunt_ixgbe_rx_post. */
inline unsigned shunt_rx_post(struct shunt_queue *q, const shunt_buf bufs[], unsigned n)
{
  return q->verbs->rx_post(q, bufs, n);
}

/* Take up to n received frames (pieces, where a frame is longer than a buffer).
 *
 * Owner    the caller owns the buffers of the frames returned
 * Thread   the one that owns q
 * Returns  how many, 0..n; never waits. Fewer than n does not mean that there are no more (a burst
 *          may end at the ring's end); 0 does. A frame's pieces may be split over two calls. */
inline unsigned shunt_rx_poll(struct shunt_queue *q, struct shunt_frame frames[], unsigned n)
{
  return q->verbs->rx_poll(q, frames, n);
}

/* Put up to n frames (pieces) on the send ring. The NIC may not see them before tx_push.
 *
 * frames   addr, len and the send flags are looked at. 17..(mtu + 18) bytes a frame; the NIC pads
 *          what is shorter than 60 bytes
 * Owner    the NIC owns the buffers of the frames taken, until tx_poll returns them
 * Thread   the one that owns q
 * Returns  how many were taken, 0..n, whole frames only; fewer than n: the ring is full (poll
 *          completions), or the first frame not taken breaks a rule (checked ports say which) */
inline unsigned shunt_tx_post(struct shunt_queue *q, const struct shunt_frame frames[], unsigned n)
{
  return q->verbs->tx_post(q, frames, n);
}

/* Ring the doorbell for all that was posted since the last push. Thread: the one that owns q. */
inline void shunt_tx_push(struct shunt_queue *q)
{
  q->verbs->tx_push(q);
}

/* Take back up to n buffers whose frames were sent.
 *
 * bufs     each is the addr of a piece as it was posted
 * Thread   the one that owns q
 * Returns  how many, 0..n; never waits. Fewer than n does not mean that there are no more; 0 does
 */
inline unsigned shunt_tx_poll(struct shunt_queue *q, shunt_buf bufs[], unsigned n)
{
  return q->verbs->tx_poll(q, bufs, n);
}

/* The bytes of a frame. */
inline void *shunt_frame_data(const struct shunt_queue *q, const struct shunt_frame *frame)
{
  return q->base + frame->addr;
}

/* Fill q's Rx ring from a pool: posts until the ring is full or the pool is empty.
 * Thread: the one that owns q and pool. Returns how many buffers were posted. */
unsigned shunt_rx_fill(struct shunt_queue *q, struct shunt_pool *pool);

/* Checked ports: how often a verb was handed what breaks a rule (a buffer that the NIC still owns,
 * an address outside the region, a frame too short, too long or without end). Such buffers and
 * frames are refused and stay the caller's. last, unless NULL, is filled with the latest: the rule,
 * the verb and the buffer. Returns 0 on a port that is not checked. */
uint64_t shunt_port_violations(const struct shunt_port *port, struct shunt_error *last);

/* --- Sleeping ----------------------------------------------------------------------------------
 */

/* A file descriptor that becomes readable when an armed queue receives. The port must have been
 * opened with interrupts. The queue's own; not to be closed.
 * Returns it, -EINVAL (the port was opened without) or -EOPNOTSUPP. */
int shunt_queue_fd(struct shunt_queue *q, struct shunt_error *error);

/* Let the next frame make the queue's descriptor readable. Poll once more after arming and before
 * sleeping: what came before arming raises nothing. Reads the descriptor empty. */
void shunt_queue_arm(struct shunt_queue *q);

/* --- Link, addresses, statistics ---------------------------------------------------------------
 */

struct shunt_link {
  size_t size; /* set by the caller to sizeof(struct shunt_link) */
  uint8_t up;
  uint32_t speed_mbps; /* 0 while down */
  char media[64];      /* "10GBASE-CR (SFP+ direct attach)" */
  char module[96];     /* vendor, part and serial number; empty where there is no cage */
  char diagnosis[160]; /* empty while up; else why it is down and what to look at */
};
/* The link as it is now; a link that is down is no error, and the diagnosis says why it is.
 * Returns 0 or -EOPNOTSUPP. */
int shunt_port_link(struct shunt_port *port, struct shunt_link *link, struct shunt_error *error);

/* Find out whether the device is still there: an interface can be deleted, a card pulled. The verbs
 * don't say: no frame comes any more, and those that are sent don't come back. An 82599 tells by
 * registers that read all ones, AF_XDP by the error that the kernel leaves on a socket. Costs the
 * read of a register or a system call for each queue, so that a loop can ask a few times a second.
 * On AF_XDP it also looks, at most once a second, whether its program is still on the interface,
 * and whether the interface was given more queues than the port has, on which frames would be lost
 * to it, and warns by the port's log.
 *
 * Thread   any, one at a time on a port
 * Returns  0, also where the driver can't tell; -ENODEV: it is gone for good, error says which it
 *          was, and all that is left is to close the port. On AF_XDP also -ENOLINK (the program was
 *          taken off, or the owner of a joined one has ended) and -ECONNRESET (the helper is gone):
 *          no frame comes any more */
int shunt_port_check(struct shunt_port *port, struct shunt_error *error);

struct shunt_statistic {
  char name[32];  /* stable, as ethtool -S spells its kind: "rx_packets", "rx_q0_bytes" */
  uint64_t value; /* since the port was opened */
};
/* Read all counters, the NIC's own and the driver's, accumulated to 64 bits.
 *
 * statistics, n  where to and how many fit; n may be 0
 * Returns        how many there are (so call once with 0, allocate, call again) */
unsigned shunt_port_statistics(struct shunt_port *port, struct shunt_statistic statistics[],
                               unsigned n);

/* Receive all, or only what is addressed to us. Returns 0 or -EOPNOTSUPP. */
int shunt_port_promiscuous(struct shunt_port *port, int on, struct shunt_error *error);

/* Receive frames sent to a multicast address (exact while the device has room, by hash beyond: the
 * receiver must expect others' groups).
 * Returns 0, -EINVAL (not multicast), -ENOENT (remove: was not added), -ENOSPC, -EOPNOTSUPP. */
int shunt_port_multicast_add(struct shunt_port *port, const struct shunt_mac *group,
                             struct shunt_error *error);
int shunt_port_multicast_remove(struct shunt_port *port, const struct shunt_mac *group,
                                struct shunt_error *error);

/* Receive the VLAN. The first one added turns the filter on, the last one removed turns it off.
 * Returns 0, -EINVAL (above 4094), -ENOENT (remove: was not added), -ENOSPC (added too often),
 * -EOPNOTSUPP. */
int shunt_port_vlan_add(struct shunt_port *port, uint16_t vlan, struct shunt_error *error);
int shunt_port_vlan_remove(struct shunt_port *port, uint16_t vlan, struct shunt_error *error);

/* --- Steering ------------------------------------------------------------------------------------
 */

#define SHUNT_RSS_KEY_BYTES 40
#define SHUNT_RSS_IPV4      (UINT32_C(1) << 0)
#define SHUNT_RSS_TCP_IPV4  (UINT32_C(1) << 1)
#define SHUNT_RSS_UDP_IPV4  (UINT32_C(1) << 2)
#define SHUNT_RSS_IPV6      (UINT32_C(1) << 3)
#define SHUNT_RSS_TCP_IPV6  (UINT32_C(1) << 4)
#define SHUNT_RSS_UDP_IPV6  (UINT32_C(1) << 5)

struct shunt_rss {
  size_t size;                      /* sizeof(struct shunt_rss) */
  uint8_t key[SHUNT_RSS_KEY_BYTES]; /* Toeplitz key, first byte first */
  uint8_t table[128];               /* queue by the hash's low 7 bits */
  uint32_t fields;                  /* SHUNT_RSS_*: which headers are hashed */
};
/* Set or read how frames are spread over the queues. What is read is what the device holds.
 * Returns 0, -EINVAL (a table entry names no queue), -EOPNOTSUPP. */
int shunt_port_rss_set(struct shunt_port *port, const struct shunt_rss *rss,
                       struct shunt_error *error);
int shunt_port_rss_get(struct shunt_port *port, struct shunt_rss *rss, struct shunt_error *error);

#define SHUNT_FILTER_DROP UINT16_MAX

enum shunt_filter_kind {
  SHUNT_FILTER_ANY = 0,    /* whichever table of the device can hold it */
  SHUNT_FILTER_FIVE_TUPLE, /* 82599: 128 of them, each field exact or wild (datasheet 7.1.2.5) */
  SHUNT_FILTER_PERFECT,    /* 82599: flow director, one set of fields for all (7.1.2.7) */
};

struct shunt_filter {
  size_t size; /* sizeof(struct shunt_filter) */
  enum shunt_filter_kind kind;
  uint32_t source_ip, destination_ip;     /* IPv4, host order; 0: any */
  uint16_t source_port, destination_port; /* host order; 0: any */
  uint8_t protocol;                       /* 6, 17, 132; 0: any */
  uint8_t priority;                       /* 1..7, 7 wins; 0: 1. FIVE_TUPLE only */
  uint16_t vlan;                          /* 0: any. PERFECT only */
  uint16_t queue;                         /* queue index, or SHUNT_FILTER_DROP (PERFECT only) */
};
/* Steer matching frames to a queue.
 *
 * id       names the filter for removal
 * Returns  0, -EINVAL, -ENOSPC (table full), -EEXIST, -EOPNOTSUPP (the table can't express it; the
 *          error says what can) */
int shunt_port_filter_add(struct shunt_port *port, const struct shunt_filter *filter, uint32_t *id,
                          struct shunt_error *error);
/* Returns 0, -ENOENT (no filter has that id), -EOPNOTSUPP, or -EIO, -ETIMEDOUT of a device that
 * does not answer. */
int shunt_port_filter_remove(struct shunt_port *port, uint32_t id, struct shunt_error *error);

/* The clock that stamps frames, in nanoseconds: the NIC's, or on AF_XDP CLOCK_MONOTONIC where
 * software stamps them. Returns 0 or -EOPNOTSUPP, also where on AF_XDP the NIC stamps them: its
 * clock is read by way of the kernel (PTP). */
int shunt_port_time(struct shunt_port *port, uint64_t *time_ns, struct shunt_error *error);

SHUNT_END_DECLS

#endif
