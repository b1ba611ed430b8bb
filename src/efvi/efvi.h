/* SPDX-License-Identifier: BSD-2-Clause */
/* ef_vi on the five verbs of shunt's ports.
 *
 * A device is a port, opened when its first virtual interface is made; each virtual interface is
 * one of the port's queues. Programs receive into and send from memory of their own, at any address
 * of it, registered at any time; NICs want buffers of one size in one region, known before the port
 * is opened. So a frame is copied once between the two, in poll and in transmit_init.
 *
 * DMA addresses are a domain's own: a page table says where in this process they lead, so that an
 * address that was never registered is found out on every device, and touches nothing. */
#ifndef SRC_EFVI_EFVI_H
#define SRC_EFVI_EFVI_H

#include <stdbool.h>
#include <stddef.h>

#include <etherfabric/base.h>
#include <etherfabric/memreg.h>
#include <etherfabric/pd.h>
#include <etherfabric/vi.h>

#include "shunt/error.h"
#include "shunt/port.h"
#include "shunt/testbed.h"

#define EFVI_NAME_BYTES   192
#define EFVI_BUF_BYTES    2048u /* of the device's buffers */
#define EFVI_TX_SPARE     4u    /* buffers behind a transmit ring's: see struct efvi_tx_slot */
#define EFVI_RING_LEAST   64u
#define EFVI_RING_MOST    4096u
#define EFVI_RING_DEFAULT 512u
#define EFVI_PREFIX_BYTES 14u /* of interfaces with time stamps; its layout: receive.c */
#define EFVI_FRAME_LEAST  17u /* shunt_tx_post */
#define EFVI_HEADER_MOST  18u /* Ethernet header and a VLAN tag */
#define EFVI_BURST        16u
#define EFVI_FILTERS      32u
#define EFVI_SW_EVENTS    16u
#define EFVI_QUEUES       16u
#define EFVI_INITED       0x51EF1AB5u

/* Page table of a domain: 2^22 pages of 4 KiB. Address 0 is never given out. */
#define EFVI_PAGES (UINT64_C(1) << 22)

struct efvi_vi;

/* A queue of a device. Buffers that the device was given stay with it when an interface ends: there
 * is no taking them back while others use the port, and the next interface inherits them. */
struct efvi_queue {
  struct efvi_vi *owner;
  bool retired;       /* frames never left it: nobody gets it any more */
  shunt_buf *rx_free; /* room for a whole ring */
  uint32_t rx_free_count;
  uint32_t rx_given; /* buffers that the device has */
};

struct efvi_device {
  struct efvi_device *next;
  char name[EFVI_NAME_BYTES];      /* shunt's */
  char interface[EFVI_NAME_BYTES]; /* of twins in this process: whose; a name stands for many */
  unsigned domains;                /* that hold it */
  struct shunt_region *region;
  struct shunt_port *port; /* NULL while it has no interface */
  struct shunt_port_info info;
  struct efvi_queue queues[EFVI_QUEUES];
  unsigned vi_count;
  unsigned promiscuous; /* filters that need it */
  bool is_xdp;
  bool sleeps; /* its queues can wake */
};

struct efvi_pd {
  struct efvi_pd *next;
  ef_pd *user;
  struct efvi_device *device;
  uint8_t **pages; /* by page of the DMA address; NULL: not registered */
  uint64_t next_page;
  unsigned vi_count, memreg_count;
};

/* What a filter asks for; what is not asked for is 0 in fields. All but vlan in network order.
 * Without padding: two are the same where their bytes are. */
struct efvi_match {
  uint32_t fields; /* EFVI_MATCH_* */
  uint16_t vlan;
  uint16_t ethertype;
  uint16_t source_port, destination_port;
  uint8_t mac[6];
  uint8_t protocol;
  uint8_t reserved;
  uint8_t source[16], destination[16]; /* IPv4 in the first four bytes */
};
_Static_assert(sizeof(struct efvi_match) == 52, "compared by memcmp");

#define EFVI_MATCH_MAC        (1u << 0)
#define EFVI_MATCH_VLAN       (1u << 1) /* this tag; none asked for: tagged or not */
#define EFVI_MATCH_ETHERTYPE  (1u << 2)
#define EFVI_MATCH_PROTOCOL   (1u << 3)
#define EFVI_MATCH_IP4        (1u << 4) /* destination and its port */
#define EFVI_MATCH_IP6        (1u << 5)
#define EFVI_MATCH_SOURCE     (1u << 6) /* source and its port */
#define EFVI_MATCH_UNICAST    (1u << 7)
#define EFVI_MATCH_MULTICAST  (1u << 8)
#define EFVI_MATCH_NONE_OTHER (1u << 9) /* only what no other filter of the interface takes */

struct efvi_filter {
  bool used;
  int type;
  struct efvi_match match;
  bool promiscuous;
  bool grouped; /* group was added to the port */
  struct shunt_mac group;
  unsigned rule_count; /* of AF_XDP */
  uint32_t rules[2];
  bool steered; /* by a filter of the 82599 */
  uint32_t steering;
};

/* What an interface counts; the layout that programs get is made from this list. */
#define EFVI_COUNTERS(X)                                                                           \
  X(rx_packets)                                                                                    \
  X(rx_bytes)                                                                                      \
  X(rx_discards)                                                                                   \
  X(rx_unfiltered)                                                                                 \
  X(rx_truncated)                                                                                  \
  X(rx_no_buffer)                                                                                  \
  X(tx_packets)                                                                                    \
  X(tx_bytes)                                                                                      \
  X(tx_errors)

struct efvi_counters {
#define X(name) uint64_t name;
  EFVI_COUNTERS(X)
#undef X
};

/* A packet's buffers lie one behind the other. One that begins near the ring's end goes on in spare
 * buffers behind it, which are free again before the ring has come round. */
struct efvi_tx_slot {
  uint32_t buffer; /* which, from tx_first on */
  uint16_t len;
  bool more;
};

struct efvi_vi {
  ef_vi *user;
  struct efvi_pd *pd;
  struct efvi_device *device;
  struct shunt_queue *queue;
  ef_vi_state state;
  ef_vi_stats lost;
  unsigned users; /* interfaces that use this one's event queue, itself not counted */

  /* Receive: the program's buffers by slot, and the device's, which change places on the way. */
  uint8_t **rx_targets;
  struct efvi_queue *rx;
  struct shunt_frame frames[EFVI_BURST];
  unsigned frame_next, frame_count; /* polled, not yet told of */
  uint32_t frame_taken;             /* bytes of frames[frame_next] that are delivered */
  bool rx_inside;                   /* more pieces of the frame polled last are to come ... */
  bool rx_dropping;                 /* ... which no filter takes */
  bool rx_skipping;                 /* the rest of a frame that found no buffer is thrown away */

  /* Send: buffers from tx_first on, EFVI_TX_SPARE more than slots. */
  shunt_buf tx_first;
  struct efvi_tx_slot *tx_slots;
  uint32_t tx_sent; /* on the device's ring, as a free-running index */
  uint32_t tx_done; /* completed */
  uint32_t tx_told; /* of which events were given */
  bool tx_warm;     /* packets are prepared and thrown away */

  struct efvi_filter filters[EFVI_FILTERS];
  unsigned filter_count;
  struct efvi_counters counters, zero; /* zero: at the last reset */

  uint16_t sw_events[EFVI_SW_EVENTS]; /* under the lock, but for the count */
  unsigned sw_count;                  /* atomic */
};

/* --- State of the process (state.c) ------------------------------------------------------------
 */

/* Handles are numbers, and interfaces are told apart by name, so there is one table of them a
 * process. Set-up calls hold its lock; poll, transmit and receive never do. */
void efvi_lock(void);
void efvi_unlock(void);

/* Whether it is an open handle. Lock held. */
bool efvi_handle_known(ef_driver_handle handle);

/* The domain behind a program's structure, NULL where it is none. Lock held. */
struct efvi_pd *efvi_pd_of(const ef_pd *pd);
/* The interface behind a program's structure, NULL where it is none. */
struct efvi_vi *efvi_vi_of(const ef_vi *vi);

struct efvi_state {
  struct efvi_device *devices;
  struct efvi_pd *pds;
  unsigned next_id;
  struct shunt_testbed *testbed; /* of twins in this process; NULL: none needed yet */
  bool testbed_is_given;
  const struct shunt_clock *clock; /* NULL: the real one */
};
struct efvi_state *efvi_state(void);

/* Have twins live on a testbed, and time pass on a clock, of the caller's; NULL: back to our own.
 * No domain may exist. For tests. */
void efvi_use_testbed(struct shunt_testbed *testbed, const struct shunt_clock *clock);

/* Keep the error for shunt_last_error, and return its code. */
int efvi_fail(const struct shunt_error *error);
/* The same, of an error in one sentence. */
int efvi_refuse(int code, const char *what, ...) SHUNT_PRINTF(2, 3);

/* --- Names (name.c) ----------------------------------------------------------------------------
 */

/* The device that a name means, with map as in SHUNT_EFVI_DEVICE (NULL: none).
 * Returns 0, -EINVAL, -ENODEV. */
int efvi_name_resolve(const char *name, const char *map, char device[EFVI_NAME_BYTES],
                      struct shunt_error *error);

/* --- Devices (device.c). Lock held. ------------------------------------------------------------
 */

/* The device of that name, held once more; interface is what the program calls it. NULL: no memory.
 */
struct efvi_device *efvi_device_hold(const char *name, const char *interface);
void efvi_device_release(struct efvi_device *device);

/* Take a queue with rings of those sizes for the interface; the first one opens the port. Fills
 * queue, rx and tx_first. Returns the queue's index or a negative errno. */
int efvi_device_attach(struct efvi_device *device, struct efvi_vi *vi, uint32_t rx_ring,
                       uint32_t tx_ring, struct shunt_error *error);
/* What it had polled and sent is flushed already. */
void efvi_device_detach(struct efvi_device *device, struct efvi_vi *vi);

/* --- Filters (match.c, filter.c) ---------------------------------------------------------------
 */

/* Read a specification. Returns 0, -EINVAL or -EOPNOTSUPP. */
int efvi_match_read(const ef_filter_spec *spec, struct efvi_match *match,
                    struct shunt_error *error);
/* Whether one of the filters takes a frame. */
bool efvi_match_any(const struct efvi_vi *vi, const uint8_t *frame, uint32_t bytes);
/* Remove every filter. Lock held. */
void efvi_filters_clear(struct efvi_vi *vi);

/* --- The interface's calls ---------------------------------------------------------------------
 */

/* Where a DMA address leads, if all of its bytes are registered and lie in one piece; else NULL. */
static inline uint8_t *efvi_address(const struct efvi_pd *pd, ef_addr addr, uint32_t bytes)
{
  const uint64_t first = addr >> EF_VI_NIC_PAGE_SHIFT,
                 last = (addr + bytes - 1) >> EF_VI_NIC_PAGE_SHIFT;
  if (SHUNT_UNLIKELY(first >= EFVI_PAGES || last >= EFVI_PAGES || last < first))
    return NULL;
  uint8_t *const page = pd->pages[first];
  if (SHUNT_UNLIKELY(!page))
    return NULL;
  for (uint64_t next = first + 1; next <= last; next++)
    if (pd->pages[next] != page + ((next - first) << EF_VI_NIC_PAGE_SHIFT))
      return NULL;
  return page + (addr & (EF_VI_NIC_PAGE_SIZE - 1));
}

static inline struct efvi_vi *efvi_own(const ef_vi *vi)
{
  return (struct efvi_vi *)vi->shunt;
}

/* receive.c */
int efvi_receive_init(ef_vi *user, ef_addr addr, ef_request_id id);
void efvi_receive_push(ef_vi *user);
int efvi_receive_get_timestamp(ef_vi *user, const void *pkt, ef_precisetime *time);
int efvi_receive_set_discards(ef_vi *user, unsigned flags);
uint64_t efvi_receive_get_discards(ef_vi *user);
/* Poll the device where nothing waits. Returns whether a frame, or a part of one, waits. */
bool efvi_receive_waits(struct efvi_vi *vi);
/* Turn waiting frames into at most n events. Returns how many. */
int efvi_receive_events(struct efvi_vi *vi, uint8_t q_id, ef_event events[], int n);
/* Forget all frames and buffers. */
void efvi_receive_flush(struct efvi_vi *vi);

/* transmit.c */
int efvi_transmit(ef_vi *user, ef_addr base, int len, ef_request_id id);
int efvi_transmitv(ef_vi *user, const ef_iovec *iov, int iov_len, ef_request_id id);
int efvi_transmitv_init(ef_vi *user, const ef_iovec *iov, int iov_len, ef_request_id id);
void efvi_transmit_push(ef_vi *user);
int efvi_transmit_ctpio_fallback(ef_vi *user, ef_addr addr, size_t len, ef_request_id id);
int efvi_transmitv_ctpio_fallback(ef_vi *user, const ef_iovec *iov, int iov_len, ef_request_id id);
void efvi_start_transmit_warm(ef_vi *user, ef_vi_tx_warm_state *saved, char *ctpio);
void efvi_stop_transmit_warm(ef_vi *user, ef_vi_tx_warm_state *saved);
/* Ask the device. Returns how many descriptors are done and not yet told of. */
uint32_t efvi_transmit_waits(struct efvi_vi *vi);
int efvi_transmit_events(struct efvi_vi *vi, uint8_t q_id, ef_event events[], int n);
void efvi_transmit_flush(struct efvi_vi *vi);

/* sums.c: fill in the checksums of a packet to send. ip, l4: which. */
void efvi_sums_fill(uint8_t *frame, uint32_t bytes, bool ip, bool l4);

/* event.c */
int efvi_eventq_poll(ef_vi *user, ef_event *events, int n);
int efvi_receive_poll(ef_vi *user, ef_event *events, int n);
int efvi_eventq_has_event(const ef_vi *user);
int efvi_eventq_has_many_events(const ef_vi *user, int n);
void efvi_eventq_prime(ef_vi *user);

/* unsupported.c */
extern const struct ops efvi_ops;        /* of an interface that is alive */
extern const struct ops efvi_ops_closed; /* closed.c: of one that is not: every call says -EINVAL */

#endif
