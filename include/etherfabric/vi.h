/* SPDX-License-Identifier: BSD-2-Clause */
/* Making virtual interfaces, choosing what they receive, and asking what they have counted. */
#ifndef SHUNT_ETHERFABRIC_VI_H
#define SHUNT_ETHERFABRIC_VI_H
#define __EFAB_VI_H__ /* programs ask whether it is included */

#include <etherfabric/base.h>
#include <etherfabric/ef_vi.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct ef_pd;
struct in6_addr;

/* --- Interfaces ------------------------------------------------------------------------------- */

/* Make a virtual interface: an event queue, a receive ring and a transmit ring, each or none.
 *
 * evq_capacity, rxq_capacity, txq_capacity
 *          how many events and buffers; -1: the default; 0: none. Rings are rounded up to the next
 *          power of two, 512 to 4096, and hold one less
 * evq_opt  another interface, whose event queue this one uses, with its handle evq_dh; NULL: its
 *          own, whatever evq_capacity says
 * flags    enum ef_vi_flags; what the device can't do is refused. Time stamps and zero copy are the
 *          port's, which the device's first interface opens: it has to ask for them, and for rings
 *          above 1024 where another will
 * Owner    the caller, until ef_vi_free, or vi_dh is closed; vi must stay where it is until then
 * Returns  which queue of the device it has (0 or more), or -EINVAL, -EBADF, -EBUSY (the device has
 *          no queue left: see the key queues in shunt/port.h; or evq_opt has
 *          EF_VI_MAX_QS already), -EOPNOTSUPP, -EPERM (opening the
 *          device takes a privilege), -ENOMEM, and what shunt_port_open returns
 * A frame arrives only when a filter of the interface says so. */
extern int ef_vi_alloc_from_pd(ef_vi *vi, ef_driver_handle vi_dh, struct ef_pd *pd,
                               ef_driver_handle pd_dh, int evq_capacity, int rxq_capacity,
                               int txq_capacity, ef_vi *evq_opt, ef_driver_handle evq_dh,
                               enum ef_vi_flags flags);
/* Returns 0 (also where its handle was closed), -EINVAL (vi is none), -EBUSY (others use its event
 * queue). */
extern int ef_vi_free(ef_vi *vi, ef_driver_handle nic);

/* Empty the rings: what was received and not polled is lost, buffers and packets on the rings are
 * the caller's again, and no event says so. Waits at most a second for packets to leave. */
extern int ef_vi_flush(ef_vi *vi, ef_driver_handle nic);

/* Least time between packets. Returns -EOPNOTSUPP: no device here keeps it. */
extern int ef_vi_pace(ef_vi *vi, ef_driver_handle nic, int val);

/* Bytes of the longest untagged frame: the interface's MTU and the Ethernet header, without the
 * frame check; 0 where vi is none. */
extern unsigned ef_vi_mtu(ef_vi *vi, ef_driver_handle vi_dh);
/* mac_out  6 bytes. Returns 0 or -EINVAL. */
extern int ef_vi_get_mac(ef_vi *vi, ef_driver_handle vi_dh, void *mac_out);

/* Let the handle become readable when the queue has events behind current_ptr.
 * Returns 0, -EINVAL, -EBADF, -EOPNOTSUPP (the device can't wake anybody). */
extern int ef_vi_prime(ef_vi *vi, ef_driver_handle dh, unsigned current_ptr);

/* Put an EF_EVENT_TYPE_SW event on the event queue that the interface with that resource id uses.
 *
 * ev_bits  its data, EF_EVENT_SW_DATA_MASK
 * Thread   any
 * Returns  0, -EINVAL, -EBADF, -ENOENT (there is no such interface), -EAGAIN (16 wait already) */
extern int ef_eventq_put(unsigned resource_id, ef_driver_handle evq_dh, unsigned ev_bits);

/* Make transmit alternatives: packets that lie ready, of which one call sends one (see
 * ef_vi_transmit_alt_select). They are at first in the STOP state.
 *
 * vi         made with EF_VI_TX_ALT
 * num_alts   1 to 16; their ids are 0 and up
 * buf_space  bytes of packets, up to 128 KiB for all: see ef_vi_transmit_alt_query_overhead
 * Returns    0, -EINVAL, -EALREADY (there are some), -EBUSY (more than there can be), -ENOMEM */
extern int ef_vi_transmit_alt_alloc(struct ef_vi *vi, ef_driver_handle vi_dh, int num_alts,
                                    size_t buf_space);
/* End them; packets that lie ready are thrown away. Returns 0, -EINVAL, -EBUSY (packets have not
 * left the device for a second). */
extern int ef_vi_transmit_alt_free(struct ef_vi *vi, ef_driver_handle vi_dh);
/* Returns the bytes that n_alts alternatives share, or -EINVAL. */
extern int ef_vi_transmit_alt_query_buffering(struct ef_vi *vi, int ifindex, ef_driver_handle vi_dh,
                                              int n_alts);

/* --- Sets: interfaces that share what a filter matches ---------------------------------------- */

typedef struct {
  unsigned vis_res_id;
  struct ef_pd *vis_pd;
} ef_vi_set;

/* Make a set of n_vis interfaces.
 *
 * n_vis    1 to 16. A device that is not open yet gets a queue for each, unless its name says how
 *          many (queues=N)
 * Owner    the caller, until ef_vi_set_free or the domain's end; interfaces of a set that is freed
 *          go on sharing what its filters match
 * Returns  0, -EINVAL, -EBADF, -EBUSY (the device has fewer queues), -ENOMEM
 * An 82599 spreads over the set's interfaces by the hash of addresses and ports; AF_XDP by the
 * interface's own queues, of which each member has one; what comes by others is handed over. */
extern int ef_vi_set_alloc_from_pd(ef_vi_set *vi_set, ef_driver_handle vi_set_dh, struct ef_pd *pd,
                                   ef_driver_handle pd_dh, int n_vis);
/* Returns 0 or -EINVAL. */
extern int ef_vi_set_free(ef_vi_set *vi_set, ef_driver_handle vi_set_dh);
/* Make an interface of the set, as ef_vi_alloc_from_pd does.
 *
 * index_in_vi_set  0 to n_vis - 1; -1: any
 * Returns          as ef_vi_alloc_from_pd; -EBUSY also where the place is taken */
extern int ef_vi_alloc_from_set(ef_vi *vi, ef_driver_handle vi_dh, ef_vi_set *vi_set,
                                ef_driver_handle vi_set_dh, int index_in_vi_set, int evq_capacity,
                                int rxq_capacity, int txq_capacity, ef_vi *evq_opt,
                                ef_driver_handle evq_dh, enum ef_vi_flags flags);

/* --- Filters ---------------------------------------------------------------------------------- */

enum ef_filter_flags {
  EF_FILTER_FLAG_NONE = 0x0,
  EF_FILTER_FLAG_MCAST_LOOP_RECEIVE = 0x2, /* nothing loops back: see EF_PD_MCAST_LOOP */
  EF_FILTER_FLAG_EXCLUSIVE_RXQ = 0x4,
  EF_FILTER_FLAG_SHARED_RXQ = 0x8,
  EF_FILTER_FLAG_REQUEST_WAKEUPS = 0x10,
};

typedef struct ef_filter_spec {
  unsigned type;
  unsigned flags;
  unsigned data[12];
} ef_filter_spec;

enum {
  EF_FILTER_VLAN_ID_ANY = -1,
};

typedef struct ef_filter_cookie {
  int filter_id;
  int filter_type;
} ef_filter_cookie;

/* Say what a filter matches: empty it, then set one thing, or two that go together.
 *
 * protocol            IPPROTO_UDP or IPPROTO_TCP
 * host_be32, port_be16, rhost_be32, rport_be16
 *                     destination and source, in network order
 * vlan_id             0 to 4095, or EF_FILTER_VLAN_ID_ANY: tagged or not
 * Returns             0, or -EPROTONOSUPPORT (does not go with what was set before; the VLAN goes
 *                     with most, a MAC address with an EtherType or an IP protocol) */
extern void ef_filter_spec_init(ef_filter_spec *filter_spec, enum ef_filter_flags flags);
extern int ef_filter_spec_set_ip4_local(ef_filter_spec *filter_spec, int protocol,
                                        unsigned host_be32, int port_be16);
extern int ef_filter_spec_set_ip4_full(ef_filter_spec *filter_spec, int protocol,
                                       unsigned host_be32, int port_be16, unsigned rhost_be32,
                                       int rport_be16);
extern int ef_filter_spec_set_ip6_local(ef_filter_spec *filter_spec, int protocol,
                                        const struct in6_addr *host, int port_be16);
extern int ef_filter_spec_set_ip6_full(ef_filter_spec *filter_spec, int protocol,
                                       const struct in6_addr *host, int port_be16,
                                       const struct in6_addr *rhost, int rport_be16);
extern int ef_filter_spec_set_vlan(ef_filter_spec *filter_spec, int vlan_id);
extern int ef_filter_spec_set_eth_local(ef_filter_spec *filter_spec, int vlan_id, const void *mac);
extern int ef_filter_spec_set_eth_type(ef_filter_spec *filter_spec, uint16_t ether_type_be16);
extern int ef_filter_spec_set_ip_proto(ef_filter_spec *filter_spec, uint8_t ip_proto);
extern int ef_filter_spec_set_unicast_all(ef_filter_spec *filter_spec);
extern int ef_filter_spec_set_multicast_all(ef_filter_spec *filter_spec);
/* What no other filter of the device matches. */
extern int ef_filter_spec_set_unicast_mismatch(ef_filter_spec *filter_spec);
extern int ef_filter_spec_set_multicast_mismatch(ef_filter_spec *filter_spec);
/* A copy of what the port receives: where nobody else asks for frames of it, which is no copy then.
 * Or of what it sends, which no device here can make. */
extern int ef_filter_spec_set_port_sniff(ef_filter_spec *filter_spec, int promiscuous);
extern int ef_filter_spec_set_tx_port_sniff(ef_filter_spec *filter_spec);
/* Keep frames from the kernel: there is none behind a device that shunt drives itself. */
extern int ef_filter_spec_set_block_kernel(ef_filter_spec *filter_spec);
extern int ef_filter_spec_set_block_kernel_multicast(ef_filter_spec *filter_spec);
extern int ef_filter_spec_set_block_kernel_unicast(ef_filter_spec *filter_spec);
/* The device's queue that matches go to: the interface's own (ef_vi_instance). */
extern int ef_filter_spec_set_dest(ef_filter_spec *filter_spec, int dest, unsigned flags);
extern __attribute__((deprecated("ef_filter_spec_set_user_mark"))) int
ef_filter_spec_set_user_mark(ef_filter_spec *filter_spec, uint32_t user_mark, int bitwise_or);
extern __attribute__((deprecated("ef_filter_spec_set_user_flag"))) int
ef_filter_spec_set_user_flag(ef_filter_spec *filter_spec, uint8_t user_flag, int bitwise_or);

/* Let the interface receive what the filter matches, from now on.
 *
 * A frame that several filters match goes by the most specific one, whichever interface of the
 * device that is of: first those with the source (full), then the destination and its port alone
 * (local), a MAC address, an IP protocol, an EtherType, all of a kind, and last what no other
 * filter matches (mismatch); of two that ask for the same kinds of things, the one with a VLAN. A
 * filter that an interface or a set has, no other of the device can have: -EEXIST. But that of a
 * multicast address, or of all or other multicast, several may have where the device is AF_XDP, and
 * each gets a copy; an 82599 hands a frame to one queue, so there it is -EEXIST, too.
 *
 * filter_cookie_out  names it; may be NULL
 * Returns            0, -EINVAL (an empty or impossible combination, or vi has no receive ring),
 *                    -EEXIST (as above), -ENOSPC (1024 an interface, or the device's table is
 *                    full), -EPERM, -EOPNOTSUPP (shunt_last_error() says what can't be had, why)
 *
 * Of an 82599's interfaces and sets one may have filters that don't name an IPv4 address and port,
 * any number; others get -EOPNOTSUPP for these, as the device can't tell whose a frame is. */
extern int ef_vi_filter_add(ef_vi *vi, ef_driver_handle vi_dh, const ef_filter_spec *filter_spec,
                            ef_filter_cookie *filter_cookie_out);
/* Returns 0, -EINVAL, -ENOENT. */
extern int ef_vi_filter_del(ef_vi *vi, ef_driver_handle vi_dh, ef_filter_cookie *filter_cookie);

enum ef_filter_info_fields {
  EF_FILTER_FIELD_ID = 0x0001,
  EF_FILTER_FIELD_QUEUE = 0x0002,
};

enum ef_filter_info_flags {
  EF_FILTER_IS_EXCLUSIVE = 0x0004,
};

typedef struct ef_filter_info {
  uint64_t valid_fields; /* enum ef_filter_info_fields */
  unsigned flags;        /* enum ef_filter_info_flags */
  unsigned filter_id;
  unsigned q_id;
} ef_filter_info;

/* Returns 0, -EINVAL (filter_info_size is not the structure's), -ENOENT. */
extern int ef_vi_filter_query(ef_vi *vi, ef_driver_handle vi_dh,
                              const ef_filter_cookie *filter_cookie, ef_filter_info *filter_info,
                              size_t filter_info_size);
/* The same, for a set that has interfaces: its filters end with the last of them. */
extern int ef_vi_set_filter_add(ef_vi_set *vi_set, ef_driver_handle vi_set_dh,
                                const ef_filter_spec *filter_spec,
                                ef_filter_cookie *filter_cookie_out);
extern int ef_vi_set_filter_del(ef_vi_set *vi_set, ef_driver_handle vi_set_dh,
                                ef_filter_cookie *filter_cookie);

/* --- Statistics ------------------------------------------------------------------------------- */

typedef struct {
  char *evsfl_name;
  int evsfl_offset;
  int evsfl_size; /* bytes; a number in this machine's order */
} ef_vi_stats_field_layout;

__extension__ typedef struct {
  int evsl_data_size; /* bytes that ef_vi_stats_query fills */
  int evsl_fields_num;
  ef_vi_stats_field_layout evsl_fields[];
} ef_vi_stats_layout;

/* Returns 0 or -EINVAL; the layout lives as long as the interface. */
extern int ef_vi_stats_query_layout(ef_vi *vi, const ef_vi_stats_layout **const layout_out);
/* do_reset  count from 0 again. Returns 0 or -EINVAL. */
extern int ef_vi_stats_query(ef_vi *vi, ef_driver_handle vi_dh, void *data, int do_reset);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
