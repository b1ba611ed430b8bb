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
#define EFVI_RING_LEAST   512u  /* of any card that programs were written on */
#define EFVI_RING_MOST    4096u
#define EFVI_RING_DEFAULT 512u
#define EFVI_RING_SHARED  1024u /* at least, of a device that several interfaces may share */
#define EFVI_PREFIX_BYTES 14u   /* of interfaces with time stamps; its layout: prefix.c */
#define EFVI_PREFIX_LONG  18u   /* with the filter and the discard flags, too */
#define EFVI_FRAME_LEAST  17u   /* shunt_tx_post */
#define EFVI_HEADER_MOST  18u   /* Ethernet header and a VLAN tag */
#define EFVI_BURST        16u
#define EFVI_FILTERS      1024u
#define EFVI_SW_EVENTS    16u
#define EFVI_QUEUES       16u
#define EFVI_QUEUES_USUAL 4u /* of an 82599 whose name does not say */
#define EFVI_NO_FILTER    (-1)
#define EFVI_CLOCK_DEVICE (-1)
#define EFVI_INITED       0x51EF1AB5u
#define EFVI_ENDED        0x51EF0FFFu /* with its handle; ef_vi_free is yet to come, or not */
#define EFVI_NOWHERE      (1u << 20)  /* bytes: no receive buffer is longer */

/* Page table of a domain: 2^22 pages of 4 KiB. Address 0 is never given out. */
#define EFVI_PAGES (UINT64_C(1) << 22)

struct efvi_vi;
struct efvi_set;
struct efvi_memreg;
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
  unsigned overlaps;                    /* atomic: pairs of interfaces' filters (overlap.c) */
  uint32_t inbox;                       /* a queue's buffers for those; a power of two, or 0 */
  bool copies;                          /* the kernel does: AF_XDP without zero copy */
  bool stamps_received, stamps_sent;    /* opened so */
  struct efvi_clock rx_clock, tx_clock; /* that stamp them */
  bool sleeps;                          /* its queues can wake */
};

/* It lives as long as its interfaces and its memory, if longer than for the program. */
struct efvi_pd {
  struct efvi_pd *next;
  unsigned id;
  char *name; /* the interface's. The program's structure has both, and so do copies of it */
  ef_driver_handle handle;
  bool dropped; /* by the program */
  struct efvi_device *device;
  uint8_t **pages;    /* by page of the DMA address; NULL: not registered */
  uint64_t next_page; /* behind the latest registration's */
  uint8_t *nowhere;   /* where frames go whose buffers are no registered memory any more */
  unsigned vi_count;
  struct efvi_memreg *memregs;
  bool express;
};

/* A PIO region: memory of this process, as no device here has any. */
struct efvi_pio {
  struct efvi_pio *next;
  ef_pio *user;
  uint8_t *buffer;
  ef_driver_handle handle;
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
#define EFVI_MATCH_NONE_OTHER (1u << 9) /* only what no other filter of the device takes */
#define EFVI_MATCH_ALL        (1u << 10)
#define EFVI_MATCH_NOTHING    (1u << 11)

struct efvi_filter {
  bool used;
  uint8_t rank; /* of match */
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
#define EFVI_LOCAL_BITS 11u
#define EFVI_LOCALS     (1u << EFVI_LOCAL_BITS)
_Static_assert(EFVI_LOCALS >= 2 * EFVI_FILTERS, "a table that is at most half full");
struct efvi_filters {
  struct efvi_quick quick; /* the first of an interface's own */
  unsigned local_count;
  uint64_t locals[EFVI_LOCALS]; /* of all, by address and port (quick.h); 0: nothing */
  struct efvi_filter list[EFVI_FILTERS];
  unsigned count;
  uint32_t fields; /* EFVI_MATCH_* of all */
  unsigned rank;   /* atomic: the highest of all */
};

/* Interfaces that share what the set's filters match. It lives as long as one of them, if longer
 * than the program's structure. */
struct efvi_set {
  struct efvi_set *next;
  unsigned id;
  ef_driver_handle handle;
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
  ef_vi *copy; /* of that as it was when it was made, which stays */
  struct efvi_pd *pd;
  struct efvi_device *device;
  ef_vi_stats lost;
  ef_driver_handle handle;
  struct efvi_vi *evq; /* whose event queue it uses */
  unsigned users;      /* interfaces that use this one's event queue, itself not counted */
  uint64_t flags;      /* enum ef_vi_flags */
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

/* Whether it is an open handle (handle.c). Lock held. */
bool efvi_handle_known(ef_driver_handle handle);

/* What is made with a handle has an id. Whether this is one that was given out: who frees what has
 * ended with its handle has nothing left to do, as with the cards. Lock held. */
bool efvi_id_was(unsigned id);

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
/* How specific it is: of filters that match a frame, the one of the highest rank takes it. */
uint8_t efvi_match_rank(const struct efvi_match *match);
/* Whether there are frames that both match. */
bool efvi_match_overlaps(const struct efvi_match *one, const struct efvi_match *other);
/* Which filter takes a frame: its id, a set's from EFVI_FILTERS on; EFVI_NO_FILTER: none. */
int efvi_match_any(const struct efvi_vi *vi, const uint8_t *frame, uint32_t bytes);
/* The same, with the filter's rank. */
int efvi_match_best(const struct efvi_vi *vi, const uint8_t *frame, uint32_t bytes, unsigned *rank);
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
/* The handle is closed that they were made with: they are the program's no more. */
void efvi_sets_drop(ef_driver_handle handle);

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

/* --- Domains and memory (pd.c, memreg.c). Lock held. --------------------------------------------
 */

/* An interface of it has ended, or memory: the domain goes with the last, if it was dropped. */
void efvi_pd_settle(struct efvi_pd *own);
/* The handle is closed that they were made with. */
void efvi_pds_drop(ef_driver_handle handle);
void efvi_memregs_end(ef_driver_handle handle);
/* Bring memory in, for writing. Returns 0, or -EFAULT and the like where there is none. */
int efvi_memory_fetch(const void *memory, size_t bytes);

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

#endif
