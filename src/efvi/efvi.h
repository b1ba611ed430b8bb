/* SPDX-License-Identifier: BSD-2-Clause */
/* ef_vi on the five verbs of shunt's ports.
 *
 * A device is a port, opened when its first virtual interface is made; each virtual interface is
 * one of the port's queues. Programs receive into and send from memory of their own, at any address
 * of it, registered at any time; NICs want buffers of one size in one region, known before the port
 * is opened, and write to a place inside them that is theirs to choose (its start on an 82599, 256
 * bytes behind it under AF_XDP). So a frame is copied once between the two, in poll and in
 * transmit_init. Domains with EF_PD_EXPRESS, whose programs take packets from memory of the
 * device's own (efct_vi.h), receive without that copy.
 *
 * DMA addresses are a domain's own: a page table says where in this process they lead, so that an
 * address that was never registered is found out on every device, and touches nothing. */
#ifndef SRC_EFVI_EFVI_H
#define SRC_EFVI_EFVI_H

#include <stdbool.h>
#include <stddef.h>

#include <etherfabric/base.h>
#include <etherfabric/memreg.h>
#include <etherfabric/packedstream.h>
#include <etherfabric/pd.h>
#include <etherfabric/pio.h>
#include <etherfabric/vi.h>

#include "shunt/error.h"
#include "shunt/port.h"
#include "shunt/testbed.h"

#define EFVI_NAME_BYTES   192
#define EFVI_BUF_BYTES    2048u /* of the device's buffers */
#define EFVI_SHORT_STRIDE 128u  /* from one short packet to the next */
#define EFVI_TX_SPARE     4u    /* buffers behind a transmit ring's: see struct efvi_tx_slot */
#define EFVI_TX_TIME_ROOM                                                                          \
  64u                           /* bytes in front of a packet, where AF_XDP notes when it was sent \
                                 */
#define EFVI_ALTS         16u   /* alternatives of an interface */
#define EFVI_ALT_BUFS     64u   /* buffers that they share: bits of a word */
#define EFVI_PIO_BYTES    4096u /* most bytes of a PIO region */
#define EFVI_RING_LEAST   64u
#define EFVI_RING_MOST    4096u
#define EFVI_RING_DEFAULT 512u
#define EFVI_RING_SHARED  1024u /* at least, of a device that several interfaces may share */
#define EFVI_PREFIX_BYTES 14u   /* of interfaces with time stamps; its layout: prefix.c */
#define EFVI_PREFIX_LONG  18u   /* with the filter and the discard flags, too */
#define EFVI_FRAME_LEAST  17u   /* shunt_tx_post */
#define EFVI_HEADER_MOST  18u   /* Ethernet header and a VLAN tag */
#define EFVI_BURST        16u
#define EFVI_INBOX        512u /* buffers of frames that others handed over (spread.c) */
#define EFVI_FILTERS      32u
#define EFVI_SW_EVENTS    16u
#define EFVI_QUEUES       16u
#define EFVI_QUEUES_USUAL 4u /* of an 82599 whose name does not say */
#define EFVI_NO_FILTER    (-1)
#define EFVI_CLOCK_DEVICE (-1)
#define EFVI_INITED       0x51EF1AB5u

/* Page table of a domain: 2^22 pages of 4 KiB. Address 0 is never given out. */
#define EFVI_PAGES (UINT64_C(1) << 22)

struct efvi_vi;
struct efvi_set;
struct efvi_hand;

/* What stamps frames, and how far UTC is ahead of it (clock.c). Interfaces of one device ask from
 * threads of their own. */
struct efvi_clock {
  int id;                      /* the kernel's clockid_t, or EFVI_CLOCK_DEVICE */
  uint64_t (*read_ns)(int id); /* a clock of the kernel's; tests have their own */
  uint64_t ahead_ns;           /* atomic: what is added, and may be less than 0 */
  uint64_t error_ns;           /* atomic: at most so much is wrong with it */
  uint64_t next_look_ns;       /* atomic: by this clock, when it is compared again */
};

/* A queue of a device. Buffers that the device was given stay with it when an interface ends: there
 * is no taking them back while others use the port, and the next interface inherits them. */
struct efvi_queue {
  struct efvi_vi *owner;
  bool retired;       /* frames never left it: nobody gets it any more */
  shunt_buf *rx_free; /* room for a whole ring */
  uint32_t rx_free_count;
  uint32_t rx_given;      /* buffers that the device has */
  struct efvi_hand *hand; /* of a device that hands frames over; else NULL */
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
  unsigned set_queues;  /* wanted by sets before the port was opened */
  /* Where frames go that nothing steers: to a set, or to a queue, while filters count on it. */
  struct efvi_set *route_set;
  unsigned route_queue, route_filters;
  bool is_xdp;
  bool spread;                          /* AF_XDP with several queues: frames are handed over */
  bool copies;                          /* the kernel does: AF_XDP without zero copy */
  bool stamps_received, stamps_sent;    /* opened so */
  struct efvi_clock rx_clock, tx_clock; /* that stamp them */
  bool sleeps;                          /* its queues can wake */
};

struct efvi_pd {
  struct efvi_pd *next;
  ef_pd *user;
  struct efvi_device *device;
  uint8_t **pages;    /* by page of the DMA address; NULL: not registered */
  uint64_t next_page; /* behind the latest registration's */
  unsigned vi_count, memreg_count;
  bool express;
};

/* A PIO region: memory of this process, as no device here has any. */
struct efvi_pio {
  struct efvi_pio *next;
  ef_pio *user;
  struct efvi_vi *vi; /* NULL: not linked */
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
#define EFVI_MATCH_ALL        (1u << 10)
#define EFVI_MATCH_NOTHING    (1u << 11)

struct efvi_filter {
  bool used;
  int type;
  struct efvi_match match;
  bool promiscuous;
  bool grouped; /* group was added to the port */
  struct shunt_mac group;
  bool ruled; /* AF_XDP: it has this rule */
  uint32_t rule;
  bool steered; /* by a filter of the 82599 */
  uint32_t steering;
  bool routed; /* counts on the device's route */
  bool sniffs;
};

/* What a filter asks of words of a frame: (word ^ value) & mask is 0. Decides for nearly every
 * frame (fast.c). */
#define EFVI_QUICK_WORDS 5u
struct efvi_quick {
  uint64_t value[EFVI_QUICK_WORDS], mask[EFVI_QUICK_WORDS];
  uint64_t least, span; /* bytes of a frame: least to least + span */
  bool more;            /* something of the last two words, too */
};

/* The filters of an interface or of a set. Interfaces read those of their set from threads of their
 * own: a filter is whole before it is used, and stays as it was after. */
struct efvi_filters {
  struct efvi_quick quick; /* of an interface's own */
  struct efvi_filter list[EFVI_FILTERS];
  unsigned count;
  uint32_t fields; /* EFVI_MATCH_* of all */
};

/* Interfaces that share what the set's filters match. It lives as long as one of them, if longer
 * than the program's structure. */
struct efvi_set {
  struct efvi_set *next;
  unsigned id;
  bool dropped; /* by the program */
  struct efvi_pd *pd;
  unsigned size, count;
  struct efvi_vi *members[EFVI_QUEUES];
  struct efvi_filters filters;
};

/* What an interface counts, and as what programs see it: what went wrong in four bytes, as the
 * cards' libraries have it, which is all that some programs can print. */
#define EFVI_COUNTERS(X)                                                                           \
  X(uint64_t, rx_packets)                                                                          \
  X(uint64_t, rx_bytes)                                                                            \
  X(uint32_t, rx_discards)                                                                         \
  X(uint32_t, rx_unfiltered)                                                                       \
  X(uint32_t, rx_truncated)                                                                        \
  X(uint32_t, rx_no_buffer)                                                                        \
  X(uint64_t, tx_packets)                                                                          \
  X(uint64_t, tx_bytes)                                                                            \
  X(uint64_t, tx_alternatives)                                                                     \
  X(uint32_t, tx_alternatives_discarded)                                                           \
  X(uint32_t, tx_errors)

struct efvi_counters {
#define X(type, name) uint64_t name;
  EFVI_COUNTERS(X)
#undef X
};

struct efvi_statistics {
#define X(type, name) type name;
  EFVI_COUNTERS(X)
#undef X
};

/* A packet's buffers lie one behind the other. One that begins near the ring's end goes on in spare
 * buffers behind it, which are free again before the ring has come round. */
struct efvi_tx_slot {
  uint32_t buffer; /* which, from tx_first on; of an alternative's packet: from alt_first on */
  uint16_t len;
  uint8_t more;
  uint8_t alt; /* 1 + the alternative that the packet goes to, not to the device; 0: none */
};

enum efvi_alt_state { EFVI_ALT_STOP, EFVI_ALT_GO, EFVI_ALT_DISCARD };

struct efvi_alternative {
  enum efvi_alt_state state;
  struct shunt_frame frames[EFVI_ALT_BUFS]; /* pieces that lie ready, in order */
  unsigned ready;
  unsigned due; /* packets sent or discarded, of which no event was given yet */
};

/* The alternatives of an interface (alternative.c). Their packets lie in buffers of the device. */
struct efvi_alternatives {
  unsigned count;
  int selected;    /* -1: none, packets go to the device */
  uint64_t used;   /* buffers, by bit */
  uint64_t flying; /* those that the device has */
  uint64_t last;   /* ... that a packet ends in */
  unsigned due;    /* of all */
  uint8_t owner[EFVI_ALT_BUFS];
  uint32_t done; /* ring descriptors that the device has completed, not yet counted as such */
  struct efvi_alternative list[];
};

/* What becomes of received packets. */
enum efvi_rx_mode {
  EFVI_RX_PLAIN,   /* an event a buffer */
  EFVI_RX_MERGED,  /* EF_VI_RX_EVENT_MERGE: an event for several */
  EFVI_RX_PACKED,  /* EF_VI_RX_PACKED_STREAM (packed.c) */
  EFVI_RX_EXPRESS, /* EF_PD_EXPRESS: they stay where the device put them (express.c) */
};

#ifdef SHUNT_CHECKED
/* Who is in a call of an interface (checked.h). */
struct efvi_check {
  int thread; /* 0: nobody */
  unsigned depth;
  const char *call;
};
#endif

struct efvi_vi {
  /* What every packet touches stands together (fast.c). The program's receive buffers, by slot, and
   * the device's change places on the way; packets to send are in buffers from tx_first on,
   * EFVI_TX_SPARE more than slots, short ones in places from tx_short on. */
  struct shunt_queue *queue;
  uint8_t *const *pages; /* the domain's */
  ef_vi_state state;
  uint8_t **rx_targets;
  struct efvi_queue *rx;
  struct efvi_tx_slot *tx_slots;
  shunt_buf tx_short, tx_first, alt_first;
  uint32_t rx_filled;  /* program's buffers filled, as a free-running index */
  uint32_t tx_sent;    /* on the device's ring, as a free-running index */
  uint32_t tx_done;    /* completed */
  uint32_t tx_told;    /* of which events were given */
  uint32_t ctpio_slot; /* as this index ... */
  bool ctpio_open;     /* ... a packet was sent whose id comes with the fallback */
  bool tx_warm;        /* packets are prepared and thrown away */
  bool tx_aside;       /* packets take the general way (fast.c): it is warm or primed */
  bool detour;         /* atomic: something waits that only the general way tells of (fast.c) */
  struct efvi_counters counters;
  struct efvi_filters filters;

#ifdef SHUNT_CHECKED
  struct efvi_check check;
#endif
  ef_vi *user;
  struct efvi_pd *pd;
  struct efvi_device *device;
  ef_vi_stats lost;
  unsigned users; /* interfaces that use this one's event queue, itself not counted */
  uint64_t flags; /* enum ef_vi_flags */
  struct efvi_set *set;
  unsigned set_index;

  /* Receive. */
  uint16_t *rx_rooms; /* bytes of each */
  struct shunt_frame frames[EFVI_BURST];
  int16_t frame_filters[EFVI_BURST]; /* which took them */
  unsigned frame_next, frame_count;  /* polled, not yet told of */
  enum efvi_rx_mode rx_mode;
  uint32_t rx_used;      /* bytes of the next one, which is filled in part */
  uint16_t rx_filter;    /* that took the frame polled last */
  uint8_t *packed;       /* packed stream: the buffer that is being filled, NULL: none */
  uint32_t packed_used;  /* bytes of it */
  uint64_t *held;        /* express: time of each packet that the program has, by buffer ... */
  uint8_t *held_flags;   /* ... and that it has it */
  uint32_t frame_taken;  /* bytes of frames[frame_next] that are delivered */
  bool rx_group;         /* the packet that is being told of is a group's */
  shunt_buf inbox_first; /* buffers of what others hand over (spread.c) */
  bool rx_inboxed;       /* the frames polled last were handed over by others */
  bool rx_inside;        /* more pieces of the frame polled last are to come ... */
  bool rx_dropping;      /* ... which no filter takes */
  bool rx_skipping;      /* the rest of a frame that found no buffer is thrown away */

  /* Send. */
  uint32_t tx_offset;                     /* of a packet in its buffer */
  struct efvi_alternatives *alternatives; /* NULL: none */
  uint64_t *tx_times;                     /* when slots' packets were sent; NULL: nobody asks */

  struct efvi_counters zero; /* counters at the last reset */

  uint16_t sw_events[EFVI_SW_EVENTS]; /* under the lock, but for the count */
  unsigned sw_count;                  /* atomic */

  int wake_fd;           /* a timer that wakes who sleeps; -1: nobody has yet ... */
  int wake_handle;       /* ... and this handle, by the queue */
  bool primed;           /* its event queue is, and has had no event since */
  int timer_fd;          /* -1: none was set yet */
  bool timer_runs;       /* it was started, and nobody has seen its end */
  uint64_t timer_primed; /* nanoseconds that run from the next event on; 0: none */
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
  struct efvi_set *sets;
  struct efvi_pio *pios;
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
/* The same, of an error in one sentence; as an expression it is the code. */
#define efvi_refuse(code, ...) (efvi_keep((code), __VA_ARGS__), efvi_code(code))
void efvi_keep(int code, const char *what, ...) SHUNT_PRINTF(2, 3);
static inline int efvi_code(int code)
{
  return code;
}

/* --- Names (name.c) ----------------------------------------------------------------------------
 */

/* The device that a name means, with map as in SHUNT_EFVI_DEVICE (NULL: none).
 * Returns 0, -EINVAL, -ENODEV, -EOPNOTSUPP (an EFA). */
int efvi_name_resolve(const char *name, const char *map, char device[EFVI_NAME_BYTES],
                      struct shunt_error *error);
/* What the interface is called that a name, or the number of one that is there, means. */
void efvi_name_of(const char *name, char interface[EFVI_NAME_BYTES]);

/* --- Devices (device.c). Lock held. ------------------------------------------------------------
 */

/* The device of that name, held once more; interface is what the program calls it. NULL: no memory.
 */
struct efvi_device *efvi_device_hold(const char *name, const char *interface);
void efvi_device_release(struct efvi_device *device);

/* Take a queue with rings of those sizes for the interface; the first one opens the port, with what
 * the interface's flags need. Fills queue, rx and tx_first. Returns the queue's index or a negative
 * errno. */
int efvi_device_attach(struct efvi_device *device, struct efvi_vi *vi, uint32_t rx_ring,
                       uint32_t tx_ring, struct shunt_error *error);
/* What it had polled and sent is flushed already. */
void efvi_device_detach(struct efvi_device *device, struct efvi_vi *vi);

/* How many queues its port has, or would be opened with. */
unsigned efvi_device_queues(const struct efvi_device *device);

/* Have frames that nothing steers go to the interface, or to all of the set. Returns 0, or
 * -EOPNOTSUPP: others count on them. */
int efvi_route_take(struct efvi_device *device, struct efvi_vi *vi, struct efvi_set *set,
                    struct shunt_error *error);
void efvi_route_leave(struct efvi_device *device);
/* The set's interfaces have changed; where none is left, what nothing steers is nobody's. */
int efvi_route_refresh(struct efvi_device *device, struct efvi_set *set, struct shunt_error *error);

/* --- Filters (match.c, filter.c) ---------------------------------------------------------------
 */

/* Read a specification. Returns 0, -EINVAL or -EOPNOTSUPP. */
int efvi_match_read(const ef_filter_spec *spec, bool is_xdp, struct efvi_match *match,
                    struct shunt_error *error);
/* Whether it asks for a copy of frames to other stations, too. */
bool efvi_sniffs_all(const ef_filter_spec *spec);
/* Which filter takes a frame: its id, a set's from EFVI_FILTERS on; EFVI_NO_FILTER: none. */
int efvi_match_any(const struct efvi_vi *vi, const uint8_t *frame, uint32_t bytes);
/* Remove every filter of the interface, or of the set. Lock held. */
void efvi_filters_clear(struct efvi_vi *vi);
void efvi_set_filters_clear(struct efvi_set *set);

/* Whose a filter is: an interface's, or a set's (vi is NULL then). */
struct efvi_target {
  struct efvi_device *device;
  struct efvi_vi *vi;
  struct efvi_set *set;
  struct efvi_filters *filters;
};
/* Add a filter. Lock held. Returns its id or a negative errno. */
int efvi_filter_add(const struct efvi_target *target, const ef_filter_spec *spec,
                    struct shunt_error *error);
/* Lock held. Returns 0 or -ENOENT. */
int efvi_filter_remove(const struct efvi_target *target, const ef_filter_cookie *cookie);

/* --- Sets (set.c). Lock held. ------------------------------------------------------------------
 */

/* The set that a program's structure names, NULL where it is none. */
struct efvi_set *efvi_set_of(const ef_vi_set *set);
/* The interface ends. */
void efvi_set_leave(struct efvi_vi *vi);
/* The domain ends, and with it its sets, which have no interfaces any more. */
void efvi_sets_end(const struct efvi_pd *pd);

/* What ef_vi_alloc_from_pd and ef_vi_alloc_from_set have in common (vi.c). Lock held. */
struct efvi_request {
  ef_vi *vi;
  ef_driver_handle handle;
  struct efvi_pd *pd;
  int evq_capacity, rxq_capacity, txq_capacity;
  ef_vi *evq;
  enum ef_vi_flags flags;
};
int efvi_vi_alloc(const struct efvi_request *request, ef_driver_handle pd_dh,
                  ef_driver_handle evq_dh, struct shunt_error *error);
/* The interface's end; nobody uses its event queue, and what it sent is flushed. Lock held. */
void efvi_vi_end(struct efvi_vi *own);

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

/* prefix.c */
/* Bytes of the prefix of an interface with these flags. */
uint32_t efvi_prefix_bytes(uint64_t flags);
/* In front of the packet of those pieces, all that it has. filter: that took it. */
void efvi_prefix_write(const struct efvi_vi *vi, uint8_t *prefix, const struct shunt_frame pieces[],
                       unsigned n, int filter);
int efvi_receive_get_timestamp(ef_vi *user, const void *pkt, ef_precisetime *time);
int32_t efvi_receive_get_filter_id(ef_vi *user, const ef_event *event, const void *pkt);

/* clock.c */
/* Compare a clock with UTC. read_ns NULL: the kernel's. */
void efvi_clock_start(struct efvi_clock *clock, int id, uint64_t (*read_ns)(int id));
/* When a frame came, by the device's clock for received ones; 0: not known. An 82599 stamps PTP's
 * event messages alone, by a clock of its own (EFVI_STAMP_DEVICE is set then): of others it is when
 * they were polled, by the kernel's clock. */
#define EFVI_STAMP_DEVICE (UINT64_C(1) << 63)
uint64_t efvi_stamp_ns(const struct efvi_device *device, const struct shunt_frame *frame);
/* A frame's time by the clock, as what the calls hand out: UTC where that can be known. 0 is none.
 * One time is always the same, and a later one is later, unless UTC is set meanwhile.
 * Returns 0 or -ENODATA. */
int efvi_time_of(struct efvi_clock *clock, uint64_t time_ns, ef_precisetime *time);

/* receive.c */
int efvi_receive_init(ef_vi *user, ef_addr addr, ef_request_id id);
void efvi_receive_push(ef_vi *user);
int efvi_receive_set_discards(ef_vi *user, unsigned flags);
uint64_t efvi_receive_get_discards(ef_vi *user);
/* Poll the device where nothing waits. Returns whether a frame, or a part of one, waits. */
bool efvi_receive_waits(struct efvi_vi *vi);
/* Turn waiting frames into at most n events. Returns how many. */
int efvi_receive_events(struct efvi_vi *vi, uint8_t q_id, ef_event events[], int n);
/* Leave out what no filter takes of the frames that were polled. */
void efvi_frames_filter(struct efvi_vi *vi);
/* Forget all frames and buffers. */
void efvi_receive_flush(struct efvi_vi *vi);
/* The flags of a discard that a frame's are. */
unsigned efvi_discard_flags(uint32_t frame_flags);
/* The frame at frame_next is used up. Returns whether it was a packet's last piece. */
bool efvi_piece_done(struct efvi_vi *vi);
/* The same, of a frame whose buffer somebody keeps. */
bool efvi_piece_keep(struct efvi_vi *vi);
/* Hand the device buffers, up to count. */
void efvi_receive_give(struct efvi_vi *vi, uint32_t count);

/* spread.c: several queues of an interface. Interfaces of such a device share what comes by any. */
/* A queue that has its buffers, of a port that was just opened. Returns 0 or -ENOMEM. */
int efvi_spread_start(struct efvi_device *device, struct efvi_queue *queue);
void efvi_spread_end(struct efvi_queue *queue);
/* Others may hand it frames from now on, and not any more; then its queue is nobody's. */
void efvi_spread_join(struct efvi_vi *vi);
void efvi_spread_leave(struct efvi_vi *vi);
void efvi_spread_left(struct efvi_queue *queue);
/* As shunt_rx_poll, of what was handed over and of its own queue. */
unsigned efvi_spread_poll(struct efvi_vi *vi, struct shunt_frame frames[], unsigned n);
/* A piece of its own queue's that no filter of its takes: give it to whom it belongs. */
void efvi_spread_pass(struct efvi_vi *vi, const struct shunt_frame *frame);
/* Whether the buffer is of the inbox; it is used up; the device gets all that the interface has. */
bool efvi_spread_keeps(const struct efvi_vi *vi, shunt_buf buf);
void efvi_spread_release(struct efvi_vi *vi, shunt_buf buf);
void efvi_spread_give(struct efvi_vi *vi);
/* It may sleep: have frames wake the handle that are handed over, or come by queues that nobody
 * else looks into. Returns 0 or a negative errno. */
int efvi_spread_prime(struct efvi_vi *vi, ef_driver_handle handle, struct shunt_error *error);

/* packed.c: the event of frames that wait, or 0: they found no room. */
int efvi_packed_event(struct efvi_vi *vi, uint8_t q_id, ef_event *event);
/* Bytes of a buffer of a packed stream. */
uint32_t efvi_packed_bytes(const struct efvi_vi *vi);

/* express.c */
int efvi_express_start(struct efvi_vi *vi);
int efvi_express_set_count(ef_vi *user, size_t count);
int efvi_express_event(struct efvi_vi *vi, uint8_t q_id, ef_event *event);
/* Whether pkt is a packet that the program has; its time. */
bool efvi_express_time(const struct efvi_vi *vi, const void *pkt, uint64_t *time_ns);
/* Take back what the program has. */
void efvi_express_flush(struct efvi_vi *vi);

/* transmit.c */
int efvi_transmit(ef_vi *user, ef_addr base, int len, ef_request_id id);
int efvi_transmitv(ef_vi *user, const ef_iovec *iov, int iov_len, ef_request_id id);
int efvi_transmitv_init(ef_vi *user, const ef_iovec *iov, int iov_len, ef_request_id id);
void efvi_transmit_push(ef_vi *user);
void efvi_start_transmit_warm(ef_vi *user, ef_vi_tx_warm_state *saved, char *ctpio);
void efvi_stop_transmit_warm(ef_vi *user, ef_vi_tx_warm_state *saved);
/* A packet from this process's memory: unchanged, and past the alternatives, where straight. */
int efvi_transmit_copy(struct efvi_vi *vi, const struct iovec *iov, int iov_len, uint64_t bytes,
                       bool straight, ef_request_id id);
/* Ask the device. Returns how many descriptors are done and not yet told of. */
uint32_t efvi_transmit_waits(struct efvi_vi *vi);
int efvi_transmit_events(struct efvi_vi *vi, uint8_t q_id, ef_event events[], int n);
void efvi_transmit_flush(struct efvi_vi *vi);

/* pio.c: PIO and CTPIO */
int efvi_transmit_pio(ef_vi *user, int offset, int len, ef_request_id id);
int efvi_transmit_copy_pio(ef_vi *user, int offset, const void *data, int len, ef_request_id id);
void efvi_transmit_pio_warm(ef_vi *user);
void efvi_transmit_copy_pio_warm(ef_vi *user, int offset, const void *data, int len);
void efvi_transmitv_ctpio(ef_vi *user, size_t bytes, const struct iovec *iov, int iov_len,
                          unsigned threshold);
void efvi_transmitv_ctpio_copy(ef_vi *user, size_t bytes, const struct iovec *iov, int iov_len,
                               unsigned threshold, void *fallback);
int efvi_transmit_ctpio_fallback(ef_vi *user, ef_addr addr, size_t len, ef_request_id id);
int efvi_transmitv_ctpio_fallback(ef_vi *user, const ef_iovec *iov, int iov_len, ef_request_id id);
/* The interface ends. Lock held. */
void efvi_pio_unlink(struct efvi_vi *vi);

/* alternative.c */
int efvi_alt_select(ef_vi *user, unsigned alt_id);
int efvi_alt_select_normal(ef_vi *user);
int efvi_alt_stop(ef_vi *user, unsigned alt_id);
int efvi_alt_go(ef_vi *user, unsigned alt_id);
int efvi_alt_discard(ef_vi *user, unsigned alt_id);
/* Take count buffers that lie in a row. Returns the first, or -ENOSPC. */
int efvi_alt_take(struct efvi_vi *vi, uint32_t count);
/* Give up a packet that never got to its alternative. */
void efvi_alt_undo(struct efvi_vi *vi, const struct efvi_tx_slot *slot);
/* The packet in a slot goes to its alternative. */
void efvi_alt_put(struct efvi_vi *vi, const struct efvi_tx_slot *slot);
/* Poll completions, the alternatives' among them, and count those of the ring in tx_done. */
void efvi_alt_poll(struct efvi_vi *vi);
int efvi_alt_events(struct efvi_vi *vi, uint8_t q_id, ef_event events[], int n);
/* Forget every packet that waits. */
void efvi_alt_flush(struct efvi_vi *vi);

/* sums.c: fill in the checksums of a packet to send. ip, l4: which. */
void efvi_sums_fill(uint8_t *frame, uint32_t bytes, bool ip, bool l4);

/* fast.c: give a new interface the operations of its device that take no detour; and have them know
 * its filters, after each change of these. */
void efvi_fast_install(struct efvi_vi *vi);
void efvi_quick_update(struct efvi_filters *filters);

/* event.c */
int efvi_eventq_poll(ef_vi *user, ef_event *events, int n);
int efvi_receive_poll(ef_vi *user, ef_event *events, int n);
int efvi_eventq_has_event(const ef_vi *user);
int efvi_eventq_has_many_events(const ef_vi *user, int n);

/* wake.c */
void efvi_eventq_prime(ef_vi *user);
/* Wake who sleeps until the event queue has events. Lock held, or nobody else has the queue. */
void efvi_wake(const struct efvi_vi *vi);
/* Packets are on their way from an interface that is primed. */
void efvi_wake_sent(struct efvi_vi *vi);
/* Events were taken from the event queue: what it was primed for is over. */
void efvi_wake_over(const ef_vi *user);
/* The interface ends. */
void efvi_wake_end(struct efvi_vi *vi);
/* A timer in the handle. Returns its descriptor or a negative errno. */
int efvi_timer_open(ef_driver_handle handle);

/* timer.c */
void efvi_timer_prime(ef_vi *user, unsigned us);
void efvi_timer_run(ef_vi *user, unsigned us);
void efvi_timer_clear(ef_vi *user);
void efvi_timer_zero(ef_vi *user);
/* The queue was polled: what was primed runs where there were events, and what has run out is over.
 */
void efvi_timer_polled(struct efvi_vi *vi, bool events);
/* Whether the timer has run out since the last look; it has not any more. */
bool efvi_timer_expired(struct efvi_vi *vi);

/* ops.c */
extern const struct ops efvi_ops;        /* of an interface that is alive */
extern const struct ops efvi_ops_closed; /* closed.c: of one that is not: every call says -EINVAL */

#endif
