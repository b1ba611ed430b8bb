/* SPDX-License-Identifier: BSD-2-Clause */
/* The AF_XDP driver from the inside.
 *
 *   xdp.c         a port comes up and goes down; what it says of itself
 *   options.c     keys of the device's name
 *   rules.c       what is ours: of the name, and while traffic flows
 *   ladder.c      which way frames take: one rung after another, until one is granted
 *   socket.c      one queue: memory, rings, bind
 *   lender.c      the memory of several ports on one region
 *   settings.c    socket options that may be refused: send budget, busy poll, send buffer
 *   verbs.c       the five verbs as functions, and frames that the inline ones leave to a call
 *   wake.c        what is said to the kernel while frames move
 *   sums.c        checksums and tags that a frame asks for
 *   statistics.c  counters
 *   link.c        link, addresses, time
 *   access.h      what needs privilege: in this process (access_direct.c) or by a helper
 *   system.h      system calls
 *
 * The fast path is include/shunt/xdp.h. Rules of the kernel's side: Documentation/networking/
 * af_xdp.rst and net/xdp/ of Linux. */
#ifndef SRC_NIC_XDP_XDP_H
#define SRC_NIC_XDP_XDP_H

#include "hw/xdp.h"
#include "shunt/xdp.h"
#include "src/netlink/interface.h"
#include "src/nic/xdp/access.h"
#include "src/nic/xdp/system.h"
#include "src/port/driver.h"
#include "src/xdp_helper/socket_options.h"

struct membership;

/* How much a rung, or an ability, is wanted. */
enum xdp_want { XDP_NEVER, XDP_PREFER, XDP_REQUIRE };

enum xdp_sums { XDP_SUMS_SOFTWARE, XDP_SUMS_KERNEL, XDP_SUMS_DEVICE };

#define XDP_MODES            3   /* of enum shunt_xdp_mode */
#define XDP_ETHERNET_BYTES   18u /* header and one VLAN tag */
#define XDP_BUSY_DEADLINE_NS UINT64_C(2000000000)
#define XDP_BUSY_RETRY_NS    UINT64_C(1000000)
#define XDP_LOOK_NS          UINT64_C(1000000000)

/* Rules, in the order in which they are tried. */
struct xdp_rules {
  struct shunt_xdp_rule *list;
  uint32_t *ids; /* what the filter calls each */
  unsigned count;
};

struct xdp_wanted {
  uint32_t first_queue;
  enum xdp_want mode[XDP_MODES];
  enum xdp_want zero_copy, copy;
  struct xdp_rules rules; /* of the name; while the port is open, those that are there */
  bool join;
  bool wakeup;
  bool multi_buffer_given, multi_buffer;
  uint32_t tx_budget; /* 0: the Tx ring */
  enum xdp_sums sums;
  bool tx_time;
  uint32_t busy_poll_us, busy_budget;
  uint32_t channels;
  bool mtu_given;     /* by name, so that 1500 is a wish as any other */
  bool setup;         /* change the interface where it would spoil frames */
  const char *helper; /* NULL: this process does it itself */
};

/* What a queue counts itself; the kernel's six are read from the socket. */
struct xdp_counts {
  uint64_t rx_extra_pieces, tx_extra_pieces; /* beyond a frame's first */
  uint64_t rx_wakes, tx_wakes;               /* system calls */
  uint64_t tx_again;      /* the kernel stopped at its budget, or for lack of room: called again */
  uint64_t tx_busy;       /* the driver had no room and dropped a frame */
  uint64_t tx_no_memory;  /* no socket buffer: the frame waits on the ring */
  uint64_t tx_down;       /* the interface is down: frames wait on the ring */
  uint64_t tx_gone;       /* the interface is gone */
  uint64_t tx_wake_other; /* any other refusal */
  uint64_t tx_refused;    /* frames that break a rule of AF_XDP and were not taken */
  uint64_t tx_sums;       /* checksums filled in here */
};

struct xdp_queue {
  struct shunt_xdp_queue inlined; /* first: what the inline verbs see */
  struct xdp *xdp;
  int fd; /* -1: none */
  void *rings[4];
  size_t ring_bytes[4];
  struct xdp_counts counts;
  uint32_t tx_lost; /* descriptors that may never complete: tx_invalid_descs, when last looked */
  uint32_t stalls;
  bool gone;
  bool inside_frame; /* the next received piece is not a frame's first */
  bool napi_unknown; /* busy polling is wanted, and nobody has said yet whom to poll */
  uint32_t napi_looks;
};

struct xdp {
  struct shunt_port port;
  const struct xdp_system *system;
  struct shunt_port_options options; /* complete */
  struct xdp_wanted wanted;
  struct xdp_access *access;
  struct membership *membership; /* made when first needed */

  char interface[IF_NAMESIZE];
  struct interface_state state; /* when it was opened */
  uint32_t chunk_bytes;

  /* Granted. */
  enum shunt_xdp_mode mode;
  bool attached, zero_copy, multi_buffer;
  uint8_t frame_time; /* enum filter_time: of the time in front of received frames */
  uint32_t umem_flags, metadata_bytes, tx_budget;
  struct shunt_xdp_refusal refusals[SHUNT_XDP_REFUSALS_MOST];
  uint32_t refusal_count;

  unsigned queue_count;
  struct xdp_queue **queues;
  bool told_no_busy_poll;
  uint32_t left_out;       /* receive queues that are not ours, as a person was told */
  uint64_t look_ns;        /* when to look at their number, and at the program, again */
  struct xdp *next_lender; /* on the same region; see lender.c */
  char device_text[64], path_text[96];
};

static inline struct xdp *xdp_of(const struct shunt_port *port)
{
  return (struct xdp *)(uintptr_t)port; /* port is its first member */
}

static inline struct xdp_queue *xdp_queue_of(const struct shunt_xdp_queue *q)
{
  return (struct xdp_queue *)(uintptr_t)q; /* inlined is its first member */
}

/* xdp.c. Open on an access and by wishes of the caller's, which the port owns from here on, also
 * where it fails: a test passes its own, and its own system. */
int xdp_open_with(const struct xdp_system *system, struct xdp_access *access,
                  const struct interface_state *state, struct xdp_wanted *wanted,
                  const struct shunt_port_options *options, struct shunt_port **port,
                  struct shunt_error *error);
extern const struct port_ops xdp_ops;

/* options.c. Take the driver's keys. Returns 0, -EINVAL or -ENOMEM, and then nothing to free; else
 * there are the rules. */
int xdp_wanted_take(struct params *params, struct xdp_wanted *wanted, struct shunt_error *error);
/* Whether a port could be opened with these keys, as they stand behind a name, and these options
 * (or NULL), as far as it can be told without its interface. Returns 0, -EINVAL, or what reading
 * rules_file gave. */
int xdp_keys_check(const char *keys, const struct shunt_port_options *given,
                   struct shunt_error *error);

/* rules.c. Take the keys that say what is ours. Returns 0; -EINVAL, -E2BIG, -ENOMEM, or errors of
 * reading a file, and then nothing to free. */
int xdp_rules_take(struct params *params, bool join, struct xdp_rules *rules,
                   struct shunt_error *error);
void xdp_rules_free(struct xdp_rules *rules);
/* Two counters for each rule that is there; returns how many. */
unsigned xdp_rules_statistics(struct xdp *xdp, struct shunt_statistic statistics[], unsigned n);

/* ladder.c. Attach the program and make all sockets, by the first rung that is granted; what was
 * refused before is noted in xdp->refusals. */
int xdp_ladder_climb(struct xdp *xdp, struct shunt_error *error);
/* Whether in zero-copy mode only whole KiB of a buffer are filled. */
bool xdp_ladder_whole_kib(const struct interface_state *state);

/* socket.c. Make a queue's socket and bind it. shared_fd: of the queue that registered the memory;
 * -1: this one does. On failure nothing is left of it. */
int xdp_socket_open(struct xdp_queue *queue, uint32_t queue_id, bool zero_copy, int shared_fd,
                    struct shunt_error *error);
/* Unmap and close; takes a queue in any state. In this order: a mapped ring keeps the socket, and
 * so the queue, bound (xsk_mmap holds a reference to the file). */
void xdp_socket_close(struct xdp_queue *queue);

/* settings.c. What is set by whoever makes a socket. */
struct xdp_socket_wanted xdp_settings_socket(const struct xdp *xdp);
/* After bind: what may be refused without harm. */
int xdp_settings_apply(struct xdp_queue *queue, struct shunt_error *error);
/* Whether the kernel knows the NAPI that busy polling of the queue would run. */
bool xdp_settings_busy_poll(const struct xdp_queue *queue);
/* Why it does not; where it was asked for and can't work, a person is told, once. */
void xdp_settings_why_no_busy_poll(const struct xdp_queue *queue, char *why, size_t bytes);
void xdp_settings_tell_busy_poll(struct xdp *xdp);

/* lender.c. Have other ports on the region use its registration from now on; and no longer, before
 * the queues are closed (also where there was no lending yet). */
void xdp_lend(struct xdp *xdp);
void xdp_lend_no_more(struct xdp *xdp);
/* A socket, the caller's to close, whose memory the port can share where it goes this way to it;
 * -1: there is none. */
int xdp_borrow(const struct xdp *xdp, bool zero_copy);

/* verbs.c. Choose the queue's verbs. */
void xdp_verbs_install(struct shunt_xdp_queue *q, bool rx_metadata);

/* wake.c. How many descriptors can be posted now. */
uint32_t xdp_tx_room(struct xdp_queue *queue);
/* Offer the kernel again what it left on the ring; called where frames are under way and none is
 * back. */
void xdp_tx_stalled(struct xdp_queue *queue);

/* sums.c. Fill in the checksums, or put on the tag, that the frame of these pieces asks for, or
 * have the kernel do so. Returns 0 where that can't be: no room for a tag or for metadata, headers
 * that don't fit. options: what the descriptor of the first piece carries. */
int xdp_sums_fill(struct xdp_queue *queue, struct shunt_frame pieces[], unsigned n,
                  uint32_t *options);

/* report.c. The port, or NULL where it is none of AF_XDP. */
struct xdp *xdp_of_port(const struct shunt_port *port, struct shunt_error *error);

/* statistics.c */
unsigned xdp_statistics_read(struct shunt_port *port, struct shunt_statistic statistics[],
                             unsigned n);
/* The kernel's own, since the queue was opened. */
void xdp_statistics_kernel(const struct xdp_queue *queue, struct xdp_statistics *statistics);

/* link.c */
int xdp_link(struct shunt_port *port, struct shunt_link *link, struct shunt_error *error);
int xdp_check(struct shunt_port *port, struct shunt_error *error);
int xdp_promiscuous(struct shunt_port *port, int on, struct shunt_error *error);
int xdp_multicast(struct shunt_port *port, const struct shunt_mac *group, bool add,
                  struct shunt_error *error);
int xdp_time(struct shunt_port *port, uint64_t *time_ns, struct shunt_error *error);
/* Tell a person of receive queues that the port does not have, where their number has changed. */
void xdp_left_out(struct xdp *xdp, const struct interface_channels *channels);
/* The clock of software time stamps. */
uint64_t xdp_time_now_ns(void);
/* Whether the socket still has its interface (SO_ERROR); looked at when asked. */
bool xdp_gone(struct xdp_queue *queue);

#endif
