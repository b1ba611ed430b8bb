/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual interfaces: the rings and events of ef_vi, on any device that shunt drives.
 *
 * Source compatible with Solarflare's ef_vi: names, types and values of what a program may name are
 * those of its public headers; nothing here is a hardware layout. A call returns 0 (or what it
 * says) or a negative errno; the reason is then in shunt_last_error() (shunt/error.h).
 *
 * A virtual interface, with its event queue and both its rings, belongs to one thread at a time. */
#ifndef SHUNT_ETHERFABRIC_EF_VI_H
#define SHUNT_ETHERFABRIC_EF_VI_H
#define __EFAB_EF_VI_H__ /* programs ask whether it is included */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#define EF_VI_ALIGN(bytes) __attribute__((aligned(bytes)))
#define ef_vi_inline       static inline
#define ef_vi_pure         __attribute__((pure))
#define ef_vi_cold         __attribute__((cold))
#define ef_vi_noinline     __attribute__((noinline))

/* What DMA addresses of packets are best aligned to: a cache line. */
#if defined(__powerpc64__)
#define EF_VI_DMA_ALIGN 128
#else
#define EF_VI_DMA_ALIGN 64
#endif

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* --- Handles, addresses, ids ------------------------------------------------------------------ */

typedef int ef_driver_handle; /* a file descriptor: readable when a primed event queue has events */
typedef uint32_t ef_eventq_ptr;
typedef uint64_t ef_addr; /* of registered memory, as the device sees it: ef_memreg_dma_addr() */
typedef char *ef_vi_ioaddr_t;
typedef uint64_t ef_addrspace;
typedef int ef_request_id; /* the program's own number of a packet or buffer */

#define EF_ADDRSPACE_LOCAL       ((uint64_t)-1)
#define EF_REQUEST_ID_MASK       0xffffffff /* as an id: none */
#define EF_VI_MAX_QS             32         /* interfaces on one event queue */
#define EF_VI_MAX_EFCT_RXQS      8
#define EF_VI_EVENT_POLL_MIN_EVS 2  /* least room in a call of ef_eventq_poll */
#define EF_VI_RECEIVE_BATCH      15 /* most ids that ef_vi_receive_unbundle returns */
#define EF_VI_TRANSMIT_BATCH     64 /* most ids that ef_vi_transmit_unbundle returns */
#define EF_VI_TX_TS_FRAC_NS_BITS 4

struct ef_vi;
struct ef_pd;
struct ef_pio;
struct ef_filter_spec;
struct ef_filter_cookie;

/* --- Events ----------------------------------------------------------------------------------- */

enum {
  EF_EVENT_TYPE_RX,                /* a packet, or a piece of one: rx */
  EF_EVENT_TYPE_TX,                /* packets were sent: ef_vi_transmit_unbundle */
  EF_EVENT_TYPE_RX_DISCARD,        /* a packet that is not as it should be: rx_discard */
  EF_EVENT_TYPE_TX_ERROR,          /* a packet could not be sent: tx_error */
  EF_EVENT_TYPE_RX_NO_DESC_TRUNC,  /* a packet's rest found no buffer: rx_no_desc_trunc */
  EF_EVENT_TYPE_SW,                /* ef_eventq_put: sw */
  EF_EVENT_TYPE_OFLOW,             /* events were lost */
  EF_EVENT_TYPE_TX_WITH_TIMESTAMP, /* a packet was sent, and when: tx_timestamp */
  EF_EVENT_TYPE_RX_PACKED_STREAM,  /* packets in a large buffer: rx_packed_stream */
  EF_EVENT_TYPE_RX_MULTI,          /* several packets: ef_vi_receive_unbundle */
  EF_EVENT_TYPE_TX_ALT,            /* a packet of an alternative was sent: tx_alt */
  EF_EVENT_TYPE_RX_MULTI_DISCARD,
  EF_EVENT_TYPE_RESET, /* the device was reset: the interface is to be made anew */
  EF_EVENT_TYPE_RX_MULTI_PKTS,
  EF_EVENT_TYPE_RX_REF, /* a packet in memory of the interface's own: efct_vi_rxpkt_get */
  EF_EVENT_TYPE_RX_REF_DISCARD,
  EF_EVENT_TYPE_MAX,
};

/* One event. Each member begins with its type, and all but the first two with the queue behind. */
typedef union {
  struct {
    uint16_t type;
  } generic;
  struct {
    uint16_t type;
    uint32_t data;
  } sw;
  struct {
    uint16_t type;
    uint8_t q_id;
    uint8_t reserved;
    uint32_t rq_id; /* as it was given to ef_vi_receive_init */
    uint16_t len;   /* bytes of the packet so far, the prefix among them */
    uint16_t flags; /* EF_EVENT_FLAG_* */
    uint16_t ofs;
  } rx;
  struct {
    uint16_t type;
    uint8_t q_id;
    uint8_t reserved;
    uint32_t rq_id;
    uint16_t len;
    uint16_t flags;
    uint16_t subtype; /* EF_EVENT_RX_DISCARD_* */
  } rx_discard;
  struct {
    uint16_t type;
    uint8_t q_id;
  } rx_no_desc_trunc;
  struct {
    uint16_t type;
    uint8_t q_id;
    uint8_t reserved;
    uint16_t flags;
    uint16_t n_pkts;
    uint8_t ps_flags;
  } rx_packed_stream;
  struct {
    uint16_t type;
    uint8_t q_id;
    uint8_t reserved;
    uint16_t n_descs;
    uint16_t flags;
  } rx_multi;
  struct {
    uint16_t type;
    uint8_t q_id;
    uint8_t reserved;
    uint16_t n_descs;
    uint16_t flags;
    uint16_t subtype;
  } rx_multi_discard;
  struct {
    uint16_t type;
    uint8_t q_id;
    uint8_t reserved;
    uint16_t n_pkts;
    uint16_t flags;
  } rx_multi_pkts;
  struct {
    uint16_t type;
    uint16_t len;
    uint32_t pkt_id;
    uint8_t q_id;
    uint8_t user;
    uint16_t filter_id;
  } rx_ref;
  struct {
    uint16_t type;
    uint16_t len;
    uint32_t pkt_id;
    uint8_t q_id;
    uint8_t user;
    uint16_t filter_id;
    uint16_t flags; /* enum ef_vi_rx_discard_err_flags */
  } rx_ref_discard;
  struct {
    uint16_t type;
    uint8_t q_id;
    uint8_t flags;
    uint16_t desc_id; /* behind the last descriptor that is done */
    uint16_t deferred_evs;
  } tx;
  struct {
    uint16_t type;
    uint8_t q_id;
    uint8_t flags;
    uint16_t desc_id;
    uint16_t deferred_evs;
    uint16_t subtype; /* EF_EVENT_TX_ERROR_* */
  } tx_error;
  struct {
    uint16_t type;
    uint8_t q_id;
    uint8_t flags : 8 - EF_VI_TX_TS_FRAC_NS_BITS;
    uint8_t ts_nsec_frac : EF_VI_TX_TS_FRAC_NS_BITS; /* in 1/16 ns */
    uint32_t rq_id;
    uint32_t ts_sec;
    uint32_t ts_nsec : 30;
    uint32_t ts_flags : 2; /* EF_VI_SYNC_FLAG_* */
  } tx_timestamp;
  struct {
    uint16_t type;
    uint8_t q_id;
    uint8_t reserved;
    uint16_t alt_id;
  } tx_alt;
} ef_event;

/* Flags of a received packet, and of a sent one. */
#define EF_EVENT_FLAG_SOP            0x1 /* its first piece */
#define EF_EVENT_FLAG_CONT           0x2 /* the next piece belongs to it too */
#define EF_EVENT_FLAG_ISCSI_OK       0x4
#define EF_EVENT_FLAG_MULTICAST      0x8
#define EF_EVENT_FLAG_PS_NEXT_BUFFER 0x10
#define EF_EVENT_FLAG_CTPIO          0x1

#define EF_EVENT_TYPE(e)    ((e).generic.type)
#define EF_EVENT_FMT        "[ev:%x]"
#define EF_EVENT_PRI_ARG(e) (unsigned)(e).generic.type

#define EF_EVENT_RX_BYTES(e)          ((e).rx.len)
#define EF_EVENT_RX_Q_ID(e)           ((e).rx.q_id)
#define EF_EVENT_RX_RQ_ID(e)          ((e).rx.rq_id)
#define EF_EVENT_RX_CONT(e)           ((e).rx.flags & EF_EVENT_FLAG_CONT)
#define EF_EVENT_RX_SOP(e)            ((e).rx.flags & EF_EVENT_FLAG_SOP)
#define EF_EVENT_RX_ISCSI_OKAY(e)     ((e).rx.flags & EF_EVENT_FLAG_ISCSI_OK)
#define EF_EVENT_RX_PS_NEXT_BUFFER(e) ((e).rx_packed_stream.flags & EF_EVENT_FLAG_PS_NEXT_BUFFER)

#define EF_EVENT_RX_DISCARD_Q_ID(e)  ((e).rx_discard.q_id)
#define EF_EVENT_RX_DISCARD_RQ_ID(e) ((e).rx_discard.rq_id)
#define EF_EVENT_RX_DISCARD_CONT(e)  ((e).rx_discard.flags & EF_EVENT_FLAG_CONT)
#define EF_EVENT_RX_DISCARD_SOP(e)   ((e).rx_discard.flags & EF_EVENT_FLAG_SOP)
#define EF_EVENT_RX_DISCARD_TYPE(e)  ((e).rx_discard.subtype)
#define EF_EVENT_RX_DISCARD_BYTES(e) ((e).rx_discard.len)

#define EF_EVENT_RX_MULTI_Q_ID(e)         ((e).rx_multi.q_id)
#define EF_EVENT_RX_MULTI_CONT(e)         ((e).rx_multi.flags & EF_EVENT_FLAG_CONT)
#define EF_EVENT_RX_MULTI_SOP(e)          ((e).rx_multi.flags & EF_EVENT_FLAG_SOP)
#define EF_EVENT_RX_MULTI_DISCARD_TYPE(e) ((e).rx_multi_discard.subtype)
#define EF_EVENT_RX_NO_DESC_TRUNC_Q_ID(e) ((e).rx_no_desc_trunc.q_id)

enum {
  EF_EVENT_RX_DISCARD_CSUM_BAD,
  EF_EVENT_RX_DISCARD_MCAST_MISMATCH,
  EF_EVENT_RX_DISCARD_CRC_BAD,
  EF_EVENT_RX_DISCARD_TRUNC,
  EF_EVENT_RX_DISCARD_RIGHTS,
  EF_EVENT_RX_DISCARD_EV_ERROR,
  EF_EVENT_RX_DISCARD_OTHER,
  EF_EVENT_RX_DISCARD_INNER_CSUM_BAD,
  EF_EVENT_RX_DISCARD_MAX,
};

#define EF_EVENT_TX_Q_ID(e)       ((e).tx.q_id)
#define EF_EVENT_TX_CTPIO(e)      ((e).tx.flags & EF_EVENT_FLAG_CTPIO)
#define EF_EVENT_TX_ERROR_Q_ID(e) ((e).tx_error.q_id)
#define EF_EVENT_TX_ERROR_TYPE(e) ((e).tx_error.subtype)
#define EF_EVENT_TX_ALT_Q_ID(e)   ((e).tx_alt.q_id)
#define EF_EVENT_TX_ALT_ALT_ID(e) ((e).tx_alt.alt_id)

enum {
  EF_EVENT_TX_ERROR_RIGHTS,
  EF_EVENT_TX_ERROR_OFLOW,
  EF_EVENT_TX_ERROR_2BIG,
  EF_EVENT_TX_ERROR_BUS,
};

/* Of a time stamp: whether the clock was ever set, and whether it follows another. */
#define EF_VI_SYNC_FLAG_CLOCK_SET     1
#define EF_VI_SYNC_FLAG_CLOCK_IN_SYNC 2

#define EF_EVENT_TX_WITH_TIMESTAMP_Q_ID(e)  ((e).tx_timestamp.q_id)
#define EF_EVENT_TX_WITH_TIMESTAMP_RQ_ID(e) ((e).tx_timestamp.rq_id)
#define EF_EVENT_TX_WITH_TIMESTAMP_SEC(e)   ((e).tx_timestamp.ts_sec)
#define EF_EVENT_TX_WITH_TIMESTAMP_NSEC(e)  ((e).tx_timestamp.ts_nsec)
#define EF_EVENT_TX_WITH_TIMESTAMP_NSEC_FRAC16(e)                                                  \
  (((uint16_t)(e).tx_timestamp.ts_nsec_frac) << (16 - EF_VI_TX_TS_FRAC_NS_BITS))
#define EF_EVENT_TX_WITH_TIMESTAMP_SYNC_MASK                                                       \
  (EF_VI_SYNC_FLAG_CLOCK_SET | EF_VI_SYNC_FLAG_CLOCK_IN_SYNC)
#define EF_EVENT_TX_WITH_TIMESTAMP_SYNC_FLAGS(e)                                                   \
  ((e).tx_timestamp.ts_flags & EF_EVENT_TX_WITH_TIMESTAMP_SYNC_MASK)

#define EF_EVENT_SW_DATA_MASK 0xffff
#define EF_EVENT_SW_DATA(e)   ((e).sw.data)

/* --- Pieces and times ------------------------------------------------------------------------- */

typedef struct {
  ef_addr iov_base EF_VI_ALIGN(8);
  unsigned iov_len;
} ef_iovec;

#define EF_RIOV_FLAG_TRANSLATE_ADDR 0x1

typedef struct {
  ef_addr iov_base EF_VI_ALIGN(8);
  unsigned iov_len;
  uint32_t flags; /* EF_RIOV_FLAG_* */
  ef_addrspace addrspace;
} ef_remote_iovec;

#define ef_timespec struct timespec

typedef struct {
  int64_t tv_sec;
  uint32_t tv_nsec;
  uint16_t tv_nsec_frac; /* in 1/65536 ns */
  uint16_t tv_flags;     /* EF_VI_SYNC_FLAG_* */
} ef_precisetime;

/* --- Flags ------------------------------------------------------------------------------------ */

/* What an interface is wished to be. The last one needs more than 32 bits, hence __extension__. */
__extension__ enum ef_vi_flags {
  EF_VI_FLAGS_DEFAULT = 0x0,
  EF_VI_ISCSI_RX_HDIG = 0x2,
  EF_VI_ISCSI_TX_HDIG = 0x4,
  EF_VI_ISCSI_RX_DDIG = 0x8,
  EF_VI_ISCSI_TX_DDIG = 0x10,
  EF_VI_TX_PHYS_ADDR = 0x20,
  EF_VI_RX_PHYS_ADDR = 0x40,
  EF_VI_TX_IP_CSUM_DIS = 0x80,      /* don't fill in IPv4 header checksums */
  EF_VI_TX_TCPUDP_CSUM_DIS = 0x100, /* don't fill in TCP and UDP checksums */
  EF_VI_TX_TCPUDP_ONLY = 0x200, /* to EF_VI_TX_FILTER_MASK_3: refused, nobody drops what is sent */
  EF_VI_TX_FILTER_IP = 0x400,
  EF_VI_TX_FILTER_MAC = 0x800,
  EF_VI_TX_FILTER_MASK_1 = 0x1000,
  EF_VI_TX_FILTER_MASK_2 = 0x2000,
  EF_VI_TX_FILTER_MASK_3 = 0x3000,
  EF_VI_TX_PUSH_DISABLE = 0x4000,
  EF_VI_TX_PUSH_ALWAYS = 0x8000,
  EF_VI_RX_TIMESTAMPS = 0x10000,    /* a prefix with the time; every packet's under AF_XDP, an 82599
                                       stamps PTP's event messages only */
  EF_VI_TX_TIMESTAMPS = 0x20000,    /* TX_WITH_TIMESTAMP events, one a packet: AF_XDP, Linux 6.8 */
  EF_VI_RX_PACKED_STREAM = 0x80000, /* etherfabric/packedstream.h */
  EF_VI_RX_PS_BUF_SIZE_64K = 0x100000,
  EF_VI_RX_EVENT_MERGE = 0x200000, /* RX_MULTI events: ef_vi_receive_unbundle */
  EF_VI_TX_ALT = 0x400000,         /* ef_vi_transmit_alt_alloc */
  EF_VI_ENABLE_EV_TIMER = 0x800000,
  EF_VI_TX_CTPIO = 0x1000000,
  EF_VI_TX_CTPIO_NO_POISON = 0x2000000,
  EF_VI_RX_ZEROCOPY = 0x4000000, /* AF_XDP: fail where the kernel would copy frames */
  EF_VI_ALLOW_MEMCPY = 0x8000000,
  EF_VI_EFCT_UNIQUEUE = 0x10000000,
  EF_VI_RX_EXCLUSIVE = 0x20000000, /* always so */
  EF_VI_ENABLE_TPH = 0x40000000,   /* this and the next: a hint that no device here takes */
  EF_VI_TPH_TAG_MODE = 0x80000000,
  EF_VI_RX_FILTER_ID = 0x100000000ull, /* a prefix with the filter that took the packet */
};

/* What it became. */
enum ef_vi_out_flags {
  EF_VI_OUT_CLOCK_SYNC_STATUS = 0x1, /* time stamps say whether the clock is in step */
};

/* Why a received packet is announced as a discard. */
enum ef_vi_rx_discard_err_flags {
  EF_VI_DISCARD_RX_L4_CSUM_ERR = 0x1,
  EF_VI_DISCARD_RX_L3_CSUM_ERR = 0x2,
  EF_VI_DISCARD_RX_ETH_FCS_ERR = 0x4,
  EF_VI_DISCARD_RX_ETH_LEN_ERR = 0x8,
  EF_VI_DISCARD_RX_TOBE_DISC = 0x10,
  EF_VI_DISCARD_RX_INNER_L4_CSUM_ERR = 0x20,
  EF_VI_DISCARD_RX_INNER_L3_CSUM_ERR = 0x40,
  EF_VI_DISCARD_RX_L2_CLASS_OTHER = 0x80,
  EF_VI_DISCARD_RX_L3_CLASS_OTHER = 0x100,
  EF_VI_DISCARD_RX_L4_CLASS_OTHER = 0x200,
};

enum ef_timestamp_format {
  TS_FORMAT_SECONDS_27FRACTION = 0,
  TS_FORMAT_SECONDS_QTR_NANOSECONDS = 1,
};

enum ef_vi_arch {
  EF_VI_ARCH_FALCON,
  EF_VI_ARCH_EF10,
  EF_VI_ARCH_EF100,
  EF_VI_ARCH_EFCT,
  EF_VI_ARCH_AF_XDP, /* what interfaces of shunt's say: buffers are posted, none is the device's
                        own */
  EF_VI_ARCH_EF10CT, /* ... but those of domains with EF_PD_EXPRESS */
};

struct ef_vi_nic_type {
  unsigned char arch; /* enum ef_vi_arch */
  char variant;
  unsigned char revision;
  unsigned char nic_flags;
};

/* --- The interface ---------------------------------------------------------------------------- */

/* Indices run free, modulo 2^32; a slot is the index masked. */
typedef struct {
  uint32_t previous; /* what transmit_push has told of */
  uint32_t added;
  uint32_t removed;
  uint32_t ct_added;
  uint32_t ct_removed;
  uint32_t ts_nsec;
  uint16_t ts_nsec_frac;
  uint16_t ts_flags;
} ef_vi_txq_state;

typedef struct {
  uint32_t posted; /* what receive_push has told of */
  uint32_t added;
  uint32_t removed;
  uint32_t in_jumbo;  /* a packet's first pieces were polled, its last was not */
  uint32_t bytes_acc; /* their bytes */
  uint16_t last_desc_i;
  uint16_t rx_ps_credit_avail;
} ef_vi_rxq_state;

typedef struct {
  ef_eventq_ptr evq_ptr; /* events polled so far */
  uint32_t sync_flags;
  int32_t min_unused_evq_slots;
} ef_eventq_state;

typedef struct {
  ef_eventq_state evq;
  ef_vi_txq_state txq;
  ef_vi_rxq_state rxq;
} ef_vi_state;

typedef struct {
  uint32_t mask; /* the ring's length less 1, and what it holds at most */
  uint32_t ct_fifo_bytes;
  void *descriptors;
  uint32_t *ids; /* request ids by slot; EF_REQUEST_ID_MASK: not a packet's last piece */
} ef_vi_txq;

typedef struct {
  uint32_t mask;
  void *descriptors;
  uint32_t *ids;
} ef_vi_rxq;

typedef struct {
  uint32_t rx_ev_lost;
  uint32_t rx_ev_bad_desc_i;
  uint32_t rx_ev_bad_q_label;
  uint32_t evq_gap;
} ef_vi_stats;

struct ef_vi_transmit_alt_overhead {
  uint32_t pre_round;
  uint32_t mask;
  uint32_t post_round;
};

enum ef_vi_tx_extra_flags {
  EF_VI_TX_EXTRA_MARK = 0x1,
  EF_VI_TX_EXTRA_INGRESS_MPORT = 0x2,
  EF_VI_TX_EXTRA_EGRESS_MPORT = 0x4,
  EF_VI_TX_EXTRA_CAPSULE_METADATA = 0x8,
};

struct ef_vi_tx_extra {
  enum ef_vi_tx_extra_flags flags;
  uint32_t mark;
  uint16_t ingress_mport;
  uint16_t egress_mport;
};

typedef struct {
  unsigned removed;
  char *vi_ctpio_mmap_ptr;
} ef_vi_tx_warm_state;

/* An interface. Read what you like; only ef_vi_receive_set_buffer_len and the calls write.
 *
 * The original's users are told to keep out of this structure, and of those of its rings, its state
 * and its statistics (ef_vi_txq, ef_vi_rxq, ef_vi_state, ef_vi_stats). Of their members those are
 * here that a program can make sense of; those that describe a card's mapped memory, event queue,
 * clock and shared receive queues (vi_mem_mmap_ptr, io, evq_base, rx_ts_correction, efct_rxqs,
 * xdp_kick and the like, internal_ops, compat_data, efct_rxq_stats) are not, as there is none of
 * it. Nor is ops.future_eventq_poll, which no public macro calls: efct_vi_rx_future_poll does it.
 */
typedef struct ef_vi {
  unsigned inited; /* a constant while the interface is alive */
  unsigned vi_resource_id;
  unsigned vi_i; /* which queue of its device */
  ef_driver_handle dh;
  unsigned rx_buffer_len; /* most bytes that go into one receive buffer, the prefix included */
  unsigned rx_prefix_len; /* bytes in front of each packet that are not the packet's */
  uint8_t last_ctpio_failed;
  uint64_t rx_discard_mask; /* enum ef_vi_rx_discard_err_flags */
  enum ef_timestamp_format ts_format;
  int vi_clustered;
  int vi_is_packed_stream;
  int vi_is_normal;
  unsigned vi_ps_buf_size;
  struct ef_pio *linked_pio;
  unsigned evq_mask;
  unsigned timer_quantum_ns;
  unsigned tx_push_thresh;
  ef_vi_txq vi_txq;
  ef_vi_rxq vi_rxq;
  ef_vi_state *ep_state;
  enum ef_vi_flags vi_flags;
  enum ef_vi_out_flags vi_out_flags;
  ef_vi_stats *vi_stats;
  struct ef_vi *evq_vi; /* whose event queue it uses: its own, mostly */
  struct ef_vi *vi_qs[EF_VI_MAX_QS];
  int vi_qs_n;
  unsigned tx_alt_num;
  struct ef_vi_nic_type nic_type;
  void *shunt; /* the library's own */

  /* Behind the macros below. None is NULL. */
  struct ops {
    int (*transmit)(struct ef_vi *, ef_addr base, int len, ef_request_id);
    int (*transmitv)(struct ef_vi *, const ef_iovec *, int iov_len, ef_request_id);
    int (*transmitv_init)(struct ef_vi *, const ef_iovec *, int iov_len, ef_request_id);
    void (*transmit_push)(struct ef_vi *);
    int (*transmit_pio)(struct ef_vi *, int offset, int len, ef_request_id dma_id);
    int (*transmit_copy_pio)(struct ef_vi *, int pio_offset, const void *src_buf, int len,
                             ef_request_id dma_id);
    void (*start_transmit_warm)(struct ef_vi *, ef_vi_tx_warm_state *saved_state,
                                char *warm_ctpio_mmap_ptr);
    void (*stop_transmit_warm)(struct ef_vi *, ef_vi_tx_warm_state *saved_state);
    void (*transmit_pio_warm)(struct ef_vi *);
    void (*transmit_copy_pio_warm)(struct ef_vi *, int pio_offset, const void *src_buf, int len);
    void (*transmitv_ctpio)(struct ef_vi *, size_t frame_len, const struct iovec *iov, int iov_len,
                            unsigned threshold);
    void (*transmitv_ctpio_copy)(struct ef_vi *, size_t frame_len, const struct iovec *iov,
                                 int iov_len, unsigned threshold, void *fallback);
    int (*transmit_ctpio_fallback)(struct ef_vi *, ef_addr dma_addr, size_t len,
                                   ef_request_id dma_id);
    int (*transmitv_ctpio_fallback)(struct ef_vi *, const ef_iovec *dma_iov, int dma_iov_len,
                                    ef_request_id dma_id);
    int (*transmit_alt_select)(struct ef_vi *, unsigned alt_id);
    int (*transmit_alt_select_default)(struct ef_vi *);
    int (*transmit_alt_stop)(struct ef_vi *, unsigned alt_id);
    int (*transmit_alt_go)(struct ef_vi *, unsigned alt_id);
    int (*transmit_alt_discard)(struct ef_vi *, unsigned alt_id);
    int (*receive_set_discards)(struct ef_vi *, unsigned discard_err_flags);
    uint64_t (*receive_get_discards)(struct ef_vi *);
    int (*receive_init)(struct ef_vi *, ef_addr, ef_request_id);
    void (*receive_push)(struct ef_vi *);
    int (*receive_get_timestamp)(struct ef_vi *, const void *pkt, ef_precisetime *);
    int (*receive_poll)(struct ef_vi *, ef_event *evs, int evs_len);
    int32_t (*receive_get_filter_id)(struct ef_vi *, const ef_event *rx_event,
                                     const void *rx_packet);
    int (*set_client_buffer_count)(struct ef_vi *, size_t buffer_count);
    int (*eventq_poll)(struct ef_vi *, ef_event *, int evs_len);
    void (*eventq_prime)(struct ef_vi *);
    void (*eventq_timer_prime)(struct ef_vi *, unsigned v);
    void (*eventq_timer_run)(struct ef_vi *, unsigned v);
    void (*eventq_timer_clear)(struct ef_vi *);
    void (*eventq_timer_zero)(struct ef_vi *);
    int (*eventq_has_event)(const struct ef_vi *);
    int (*eventq_has_many_events)(const struct ef_vi *, int n_events);
  } ops;
} ef_vi;

ef_vi_inline unsigned ef_vi_resource_id(ef_vi *vi)
{
  return vi->vi_resource_id;
}

ef_vi_inline enum ef_vi_flags ef_vi_flags(ef_vi *vi)
{
  return vi->vi_flags;
}

ef_vi_inline unsigned ef_vi_instance(ef_vi *vi)
{
  return vi->vi_i;
}

/* Constant text: this library's version, and what is below it. */
extern const char *ef_vi_version_str(void);
extern const char *ef_vi_driver_interface_str(void);

/* --- Receive ---------------------------------------------------------------------------------- */

ef_vi_inline int ef_vi_receive_prefix_len(const ef_vi *vi)
{
  return (int)vi->rx_prefix_len;
}

ef_vi_inline int ef_vi_receive_buffer_len(const ef_vi *vi)
{
  return (int)vi->rx_buffer_len;
}

/* Of the buffers that are posted from now on, at least 64 bytes. A packet fills as many as it
 * takes, each but its last to the end; what stands in front of it, in the first alone. */
ef_vi_inline void ef_vi_receive_set_buffer_len(ef_vi *vi, unsigned buf_len)
{
  vi->rx_buffer_len = buf_len;
}

/* Of an interface that posts nothing (EF_PD_EXPRESS): always full. */
ef_vi_inline int ef_vi_receive_fill_level(const ef_vi *vi)
{
  return (int)(vi->ep_state->rxq.added - vi->ep_state->rxq.removed);
}

ef_vi_inline int ef_vi_receive_capacity(const ef_vi *vi)
{
  return (int)vi->vi_rxq.mask;
}

ef_vi_inline int ef_vi_receive_space(const ef_vi *vi)
{
  return ef_vi_receive_capacity(vi) - ef_vi_receive_fill_level(vi);
}

/* Put a buffer on the ring; the device does not know of it before the push.
 *
 * addr     of registered memory, ef_vi_receive_buffer_len() bytes
 * Owner    the interface, until an event returns dma_id
 * Returns  0, -EAGAIN (the ring is full), -EFAULT (the memory is not registered) */
#define ef_vi_receive_init(vi, addr, dma_id) (vi)->ops.receive_init((vi), (addr), (dma_id))
#define ef_vi_receive_push(vi)               (vi)->ops.receive_push((vi))
/* Both. */
extern int ef_vi_receive_post(ef_vi *vi, ef_addr addr, ef_request_id dma_id);

/* When a packet arrived.
 *
 * pkt      the buffer's first byte: the prefix
 * Returns  0, -EOPNOTSUPP (made without EF_VI_RX_TIMESTAMPS), -ENODATA (this packet has none) */
#define ef_vi_receive_get_precise_timestamp(vi, pkt, ts_out)                                       \
  (vi)->ops.receive_get_timestamp((vi), (pkt), (ts_out))
extern __attribute__((deprecated("ef_vi_receive_get_precise_timestamp"))) int
ef_vi_receive_get_timestamp(ef_vi *vi, const void *pkt, ef_timespec *ts_out);
extern __attribute__((deprecated("ef_vi_receive_get_precise_timestamp"))) int
ef_vi_receive_get_timestamp_with_sync_flags(ef_vi *vi, const void *pkt, ef_timespec *ts_out,
                                            unsigned *flags_out);

/* The length of a packet, from its prefix. Returns 0 or -EOPNOTSUPP (there is no prefix). */
extern int ef_vi_receive_get_bytes(ef_vi *vi, const void *pkt, uint16_t *bytes_out);
extern __attribute__((deprecated)) int
ef_vi_receive_get_user_data(ef_vi *vi, const void *pkt, uint32_t *user_mark, uint8_t *user_flag);

/* The request ids behind a merged event (EF_VI_RX_EVENT_MERGE): at most EF_VI_RECEIVE_BATCH; the
 * packets' lengths stand in their prefixes. Returns how many. */
extern int ef_vi_receive_unbundle(ef_vi *ep, const ef_event *event, ef_request_id *ids);

/* The request id of the buffer that the next packet goes into. Not where the ring is empty. */
extern ef_request_id ef_vi_rxq_next_desc_id(ef_vi *vi);

/* Which packets are announced as discards rather than received: enum ef_vi_rx_discard_err_flags. */
#define ef_vi_receive_set_discards(vi, discard_err_flags)                                          \
  (vi)->ops.receive_set_discards((vi), (discard_err_flags))
#define ef_vi_receive_get_discards(vi) (vi)->ops.receive_get_discards((vi))

/* The discard event's subtype that stands for the flags. */
ef_vi_inline unsigned ef_vi_get_rx_discard_subtype_from_flags(unsigned flags)
{
  if (flags & EF_VI_DISCARD_RX_ETH_FCS_ERR)
    return EF_EVENT_RX_DISCARD_CRC_BAD;
  if (flags & EF_VI_DISCARD_RX_ETH_LEN_ERR)
    return EF_EVENT_RX_DISCARD_TRUNC;
  if (flags & (EF_VI_DISCARD_RX_L4_CSUM_ERR | EF_VI_DISCARD_RX_L3_CSUM_ERR))
    return EF_EVENT_RX_DISCARD_CSUM_BAD;
  if (flags & (EF_VI_DISCARD_RX_INNER_L4_CSUM_ERR | EF_VI_DISCARD_RX_INNER_L3_CSUM_ERR))
    return EF_EVENT_RX_DISCARD_INNER_CSUM_BAD;
  if (flags & (EF_VI_DISCARD_RX_L2_CLASS_OTHER | EF_VI_DISCARD_RX_L3_CLASS_OTHER |
               EF_VI_DISCARD_RX_L4_CLASS_OTHER))
    return EF_EVENT_RX_DISCARD_OTHER;
  return 0;
}

/* The filter that a packet matched. Returns its id, or -EOPNOTSUPP. */
#define ef_vi_receive_get_filter_id(vi, rx_event, rx_packet)                                       \
  (vi)->ops.receive_get_filter_id((vi), (rx_event), (rx_packet))

enum ef_vi_layout_type {
  EF_VI_LAYOUT_FRAME,
  EF_VI_LAYOUT_MINOR_TICKS,
  EF_VI_LAYOUT_PACKET_LENGTH,
  EF_VI_LAYOUT_COMPAT_TS,
  EF_VI_LAYOUT_FILTER_ID,
};

typedef struct {
  enum ef_vi_layout_type evle_type;
  int evle_offset; /* bytes from the buffer's start */
  const char *evle_description;
} ef_vi_layout_entry;

/* What lies where in a received buffer. Returns 0; the table is the library's, constant. */
extern int ef_vi_receive_query_layout(ef_vi *vi, const ef_vi_layout_entry **const layout_out,
                                      int *layout_len_out);
extern __attribute__((deprecated)) int ef_vi_receive_get_discard_flags(ef_vi *vi, const void *pkt,
                                                                       unsigned *discard_flags);

/* --- Transmit --------------------------------------------------------------------------------- */

ef_vi_inline int ef_vi_transmit_fill_level(const ef_vi *vi)
{
  return (int)(vi->ep_state->txq.added - vi->ep_state->txq.removed);
}

ef_vi_inline int ef_vi_transmit_capacity(const ef_vi *vi)
{
  return (int)vi->vi_txq.mask;
}

ef_vi_inline int ef_vi_transmit_space(const ef_vi *vi)
{
  return ef_vi_transmit_capacity(vi) - ef_vi_transmit_fill_level(vi);
}

ef_vi_inline int ef_vi_transmit_fill_level_bytes(const ef_vi *vi)
{
  return (int)(vi->ep_state->txq.ct_added - vi->ep_state->txq.ct_removed);
}

ef_vi_inline int ef_vi_transmit_space_bytes(const ef_vi *vi)
{
  return (int)vi->vi_txq.ct_fifo_bytes - ef_vi_transmit_fill_level_bytes(vi);
}

/* Put a packet on the ring; the device does not see it before the push.
 *
 * addr     of registered memory; bytes, without the FCS
 * Owner    the interface, until ef_vi_transmit_unbundle returns dma_id
 * Returns  0, -EAGAIN (the ring is full), -EINVAL (no packet has that length), -EFAULT (the memory
 *          is not registered) */
extern int ef_vi_transmit_init(ef_vi *vi, ef_addr addr, int bytes, ef_request_id dma_id);
/* The same, of several pieces. */
#define ef_vi_transmitv_init(vi, iov, iov_len, dma_id)                                             \
  (vi)->ops.transmitv_init((vi), (iov), (iov_len), (dma_id))
/* The same, where extra asks for nothing and the memory is this process's; else -EOPNOTSUPP. */
extern __attribute__((deprecated("ef_vi_transmitv_init_extra"))) int
ef_vi_transmitv_init_extra(struct ef_vi *, const struct ef_vi_tx_extra *, const ef_remote_iovec *,
                           int iov_len, ef_request_id);
#define ef_vi_transmit_push(vi) (vi)->ops.transmit_push((vi))
/* Both. */
#define ef_vi_transmit(vi, base, len, dma_id) (vi)->ops.transmit((vi), (base), (len), (dma_id))
#define ef_vi_transmitv(vi, iov, iov_len, dma_id)                                                  \
  (vi)->ops.transmitv((vi), (iov), (iov_len), (dma_id))

/* Take back what was put on the ring since the last push. */
extern void ef_vi_transmit_init_undo(ef_vi *vi);

/* The request ids of sent packets, from a TX (or TX_ERROR) event.
 *
 * ids      room for EF_VI_TRANSMIT_BATCH
 * Returns  how many; the ring has their room again */
extern int ef_vi_transmit_unbundle(ef_vi *ep, const ef_event *event, ef_request_id *ids);

/* PIO and CTPIO: a packet written to the device rather than fetched by it; here, to its ring.
 *
 * ef_vi_transmit_pio sends from the linked region (etherfabric/pio.h), at an offset that is a
 * multiple of 64; ef_vi_transmit_copy_pio copies there first. They return 0, -EINVAL, -EAGAIN (the
 * ring is full).
 * ef_vi_transmit_ctpio sends at once, without filling in checksums; a fallback has to follow before
 * anything else is sent: it brings the id, and is the packet where there was no room for the first.
 * No packet is announced as sent by CTPIO (EF_EVENT_TX_CTPIO). */
#define ef_vi_transmit_pio(vi, offset, len, dma_id)                                                \
  (vi)->ops.transmit_pio((vi), (offset), (len), (dma_id))
#define ef_vi_transmit_copy_pio(vi, pio_offset, src_buf, len, dma_id)                              \
  (vi)->ops.transmit_copy_pio((vi), (pio_offset), (src_buf), (len), (dma_id))
#define ef_vi_transmit_pio_warm(vi) (vi)->ops.transmit_pio_warm((vi))
#define ef_vi_transmit_copy_pio_warm(vi, pio_offset, src_buf, len)                                 \
  (vi)->ops.transmit_copy_pio_warm((vi), (pio_offset), (src_buf), (len))
#define EF_VI_CTPIO_CT_THRESHOLD_SNF 0xffff
#define ef_vi_transmitv_ctpio(vi, frame_len, frame_iov, frame_iov_len, ct_threshold)               \
  (vi)->ops.transmitv_ctpio((vi), (frame_len), (frame_iov), (frame_iov_len), (ct_threshold))
#define ef_vi_transmitv_ctpio_copy(vi, frame_len, frame_iov, frame_iov_len, ct_threshold,          \
                                   fallback)                                                       \
  (vi)->ops.transmitv_ctpio_copy((vi), (frame_len), (frame_iov), (frame_iov_len), (ct_threshold),  \
                                 (fallback))
#define ef_vi_transmit_ctpio_fallback(vi, dma_addr, len, dma_id)                                   \
  (vi)->ops.transmit_ctpio_fallback((vi), (dma_addr), (len), (dma_id))
#define ef_vi_transmitv_ctpio_fallback(vi, dma_iov, dma_iov_len, dma_id)                           \
  (vi)->ops.transmitv_ctpio_fallback((vi), (dma_iov), (dma_iov_len), (dma_id))

ef_vi_inline void ef_vi_transmit_ctpio(ef_vi *vi, const void *frame_buf, size_t frame_len,
                                       unsigned ct_threshold)
{
  struct iovec iov;
  iov.iov_base = (void *)(uintptr_t)frame_buf;
  iov.iov_len = frame_len;
  ef_vi_transmitv_ctpio(vi, frame_len, &iov, 1, ct_threshold);
}

/* Run the transmit path without sending, so that it is in the caches when it counts. */
#define ef_vi_start_transmit_warm(vi, saved_state, warm_ctpio_mmap_ptr)                            \
  (vi)->ops.start_transmit_warm((vi), (saved_state), (warm_ctpio_mmap_ptr))
#define ef_vi_stop_transmit_warm(vi, saved_state) (vi)->ops.stop_transmit_warm((vi), (saved_state))

/* Alternatives: packets that lie ready and are sent by one call (ef_vi_transmit_alt_alloc).
 *
 *   ef_vi_transmit_alt_select(vi, 0);
 *   ef_vi_transmit(vi, addr, bytes, id);      EF_EVENT_TYPE_TX says that the buffer is free
 *   ef_vi_transmit_alt_select_normal(vi);
 *   ...
 *   ef_vi_transmit_alt_go(vi, 0);             EF_EVENT_TYPE_TX_ALT says that it was sent
 *
 * In the STOP state an alternative keeps packets; in GO it sends them, also those that come; in
 * DISCARD it throws them away, with the same event for each. The calls return 0 or -EINVAL (there
 * is no such alternative); sends to one that finds no buffer return -ENOSPC. */
extern unsigned ef_vi_transmit_alt_num_ids(ef_vi *vi);
#define ef_vi_transmit_alt_select(vi, alt_id)  (vi)->ops.transmit_alt_select((vi), (alt_id))
#define ef_vi_transmit_alt_select_normal(vi)   (vi)->ops.transmit_alt_select_default((vi))
#define ef_vi_transmit_alt_stop(vi, alt_id)    (vi)->ops.transmit_alt_stop((vi), (alt_id))
#define ef_vi_transmit_alt_go(vi, alt_id)      (vi)->ops.transmit_alt_go((vi), (alt_id))
#define ef_vi_transmit_alt_discard(vi, alt_id) (vi)->ops.transmit_alt_discard((vi), (alt_id))
extern int ef_vi_transmit_alt_query_overhead(ef_vi *vi, struct ef_vi_transmit_alt_overhead *params);

/* Bytes that a packet takes of the alternatives' buffers: whole ones of 2048. */
ef_vi_inline ef_vi_pure uint32_t
ef_vi_transmit_alt_usage(const struct ef_vi_transmit_alt_overhead *params, uint32_t pkt_len)
{
  return ((pkt_len + params->pre_round) & params->mask) + params->post_round;
}

extern void ef_vi_set_tx_push_threshold(ef_vi *vi, unsigned threshold);

/* Give up what stands on the ring after a TX_ERROR; the ids of what is lost come from the loop
 *
 *   ef_request_id id;
 *   ef_vi_for_each_tx_error_failed_transmit(vi, id)
 *     lost(id);
 *   ef_vi_reinit_txq_post_error(vi);
 *
 * Returns 0 or a negative errno. */
#define ef_vi_reinit_txq_post_error(vi) __ef_vi_reinit_txq_post_error((vi))
extern int __ef_vi_reinit_txq_post_error(ef_vi *vi);
#define ef_vi_for_each_tx_error_failed_transmit(vi, dma_id)                                        \
  for (; (vi)->ep_state->txq.removed != (vi)->ep_state->txq.added; (vi)->ep_state->txq.removed++)  \
    if (((dma_id) =                                                                                \
             (ef_request_id)(vi)->vi_txq.ids[(vi)->ep_state->txq.removed & (vi)->vi_txq.mask]) !=  \
        (ef_request_id)EF_REQUEST_ID_MASK)

/* --- Event queues ----------------------------------------------------------------------------- */

/* Take up to evs_len events, at least EF_VI_EVENT_POLL_MIN_EVS. Never waits. Returns how many. */
#define ef_eventq_poll(evq, evs, evs_len) (evq)->ops.eventq_poll((evq), (evs), (evs_len))
/* The same, of received packets alone. */
#define ef_receive_poll(evq, evs, evs_len) (evq)->ops.receive_poll((evq), (evs), (evs_len))
/* Whether an event, or more than n_events, are there to be polled. */
#define ef_eventq_has_event(vi)                 (vi)->ops.eventq_has_event((vi))
#define ef_eventq_has_many_events(vi, n_events) (vi)->ops.eventq_has_many_events((vi), (n_events))
#define ef_eventq_check_event(vi, look_ahead)   ef_eventq_has_many_events((vi), (look_ahead))
#define ef_eventq_check_event_phase_bit(vi, look_ahead)                                            \
  ef_eventq_has_many_events((vi), (look_ahead))
#define efxdp_ef_eventq_check_event(vi, look_ahead) ef_eventq_has_many_events((vi), (look_ahead))
#define efct_ef_eventq_check_event(vi)              ef_eventq_has_event((vi))
/* Let the next event make the driver handle readable. */
#define ef_eventq_prime(vi) (vi)->ops.eventq_prime((vi))

/* Most events that the queue holds. */
extern int ef_eventq_capacity(ef_vi *vi);

/* Where the queue stands, for ef_vi_prime and ef_eventq_wait. */
ef_vi_inline unsigned ef_eventq_current(ef_vi *evq)
{
  return (unsigned)evq->ep_state->evq.evq_ptr;
}

/* The interface of an event's queue id; NULL where there is none. */
ef_vi_inline ef_vi *__ef_vi_get_vi_from_q_id(ef_vi *vi, int q_id)
{
  return q_id >= 0 && q_id < vi->vi_qs_n ? vi->vi_qs[q_id] : (ef_vi *)0;
}
#define ef_vi_get_vi_from_q_id(vi, q_id) __ef_vi_get_vi_from_q_id((vi), (q_id))

/* How many of the device's buffers nobody else may leave the interface without (EF_PD_EXPRESS):
 * here its queue and all of that's buffers are its own. Returns 0, -EINVAL (under 2, or more than
 * the queue has), -EOPNOTSUPP (an interface that posts its own). */
#define ef_vi_set_shrub_client_buffer_count(vi, buffer_count)                                      \
  (vi)->ops.set_client_buffer_count((vi), (buffer_count))

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
