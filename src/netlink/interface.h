/* SPDX-License-Identifier: BSD-2-Clause */
/* A network interface of the kernel: its state, and changes to it.
 *
 * Asked by rtnetlink (rtnetlink(7)), the generic netlink families "ethtool"
 * (Documentation/networking/ethtool-netlink.rst, Linux 5.6 and later) and "netdev"
 * (Documentation/netlink/specs/netdev.yaml, 6.3 and later). What an old kernel or a driver does not
 * tell is said to be not known, and is no error. Changes need CAP_NET_ADMIN. Each call opens a
 * socket of its own, in the network namespace of the calling thread. */
#ifndef SRC_NETLINK_INTERFACE_H
#define SRC_NETLINK_INTERFACE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "shunt/error.h"
#include "shunt/ethernet.h"

/* Offloads that matter to who reads raw frames. A bit stands for the feature of that name
 * (include/linux/netdev_features.h; "ethtool -k" shows some of them under older names). */
enum interface_offload {
  INTERFACE_TX_CHECKSUM_GENERIC = 1 << 0, /* tx-checksum-ip-generic */
  INTERFACE_TX_CHECKSUM_IPV4 = 1 << 1,    /* tx-checksum-ipv4 */
  INTERFACE_TX_CHECKSUM_IPV6 = 1 << 2,    /* tx-checksum-ipv6 */
  INTERFACE_TX_CHECKSUM_SCTP = 1 << 3,    /* tx-checksum-sctp */
  INTERFACE_TX_GENERIC_SEGMENT = 1 << 4,  /* tx-generic-segmentation */
  INTERFACE_TX_TCP4_SEGMENT = 1 << 5,     /* tx-tcp-segmentation */
  INTERFACE_TX_TCP6_SEGMENT = 1 << 6,     /* tx-tcp6-segmentation */
  INTERFACE_TX_UDP_SEGMENT = 1 << 7,      /* tx-udp-segmentation */
  INTERFACE_TX_VLAN_INSERT = 1 << 8,      /* tx-vlan-hw-insert */
  INTERFACE_RX_VLAN_STRIP = 1 << 9,       /* rx-vlan-hw-parse */
  INTERFACE_RX_CHECKSUM = 1 << 10,        /* rx-checksum */
  INTERFACE_RX_GRO = 1 << 11,             /* rx-gro */
  INTERFACE_RX_GRO_LIST = 1 << 12,        /* rx-gro-list */
  INTERFACE_RX_GRO_HW = 1 << 13,          /* rx-gro-hw */
  INTERFACE_RX_LRO = 1 << 14,             /* rx-lro */
};
#define INTERFACE_OFFLOADS 15

#define INTERFACE_TX_CHECKSUMS                                                                     \
  (INTERFACE_TX_CHECKSUM_GENERIC | INTERFACE_TX_CHECKSUM_IPV4 | INTERFACE_TX_CHECKSUM_IPV6 |       \
   INTERFACE_TX_CHECKSUM_SCTP)
#define INTERFACE_TX_SEGMENTS                                                                      \
  (INTERFACE_TX_GENERIC_SEGMENT | INTERFACE_TX_TCP4_SEGMENT | INTERFACE_TX_TCP6_SEGMENT |          \
   INTERFACE_TX_UDP_SEGMENT)
#define INTERFACE_RX_AGGREGATES                                                                    \
  (INTERFACE_RX_GRO | INTERFACE_RX_GRO_LIST | INTERFACE_RX_GRO_HW | INTERFACE_RX_LRO)

/* What a driver says it can do with XDP (enum netdev_xdp_act of uapi/linux/netdev.h, 6.3). A hint,
 * not a promise: it can be refused all the same, and works at times unsaid. */
#define INTERFACE_XDP_BASIC        (UINT64_C(1) << 0) /* a program in the driver */
#define INTERFACE_XDP_REDIRECT     (UINT64_C(1) << 1)
#define INTERFACE_XDP_NDO_XMIT     (UINT64_C(1) << 2) /* others can redirect to it */
#define INTERFACE_XDP_ZERO_COPY    (UINT64_C(1) << 3) /* NETDEV_XDP_ACT_XSK_ZEROCOPY */
#define INTERFACE_XDP_HW_OFFLOAD   (UINT64_C(1) << 4)
#define INTERFACE_XDP_RX_FRAGMENTS (UINT64_C(1) << 5) /* NETDEV_XDP_ACT_RX_SG */
#define INTERFACE_XDP_TX_FRAGMENTS (UINT64_C(1) << 6) /* NETDEV_XDP_ACT_NDO_XMIT_SG */
/* enum netdev_xdp_rx_metadata (6.6 / 6.8): kfuncs that a device-bound program may call. */
#define INTERFACE_XDP_RX_TIME (UINT64_C(1) << 0)
#define INTERFACE_XDP_RX_HASH (UINT64_C(1) << 1)
#define INTERFACE_XDP_RX_VLAN (UINT64_C(1) << 2)
/* enum netdev_xsk_flags (6.8): what can be asked for a sent frame. */
#define INTERFACE_XSK_TX_TIME     (UINT64_C(1) << 0)
#define INTERFACE_XSK_TX_CHECKSUM (UINT64_C(1) << 1)
#define INTERFACE_XSK_TX_LAUNCH   (UINT64_C(1) << 2)

struct interface_channels {
  bool known;
  uint32_t rx, tx, combined;
  uint32_t rx_max, tx_max, combined_max;
};

struct interface_state {
  int ifindex;
  char name[IF_NAMESIZE];
  char driver[32]; /* "virtio_net", or the kind of a virtual one: "veth", "tun"; may be empty */
  struct shunt_mac mac;
  bool has_mac; /* it has an address of six bytes */
  uint32_t mtu, mtu_max;
  bool up, carrier;
  uint32_t promiscuity;          /* how many want it so */
  uint64_t rx_missed;            /* rx_missed_errors: frames that the NIC had no buffer for */
  uint32_t rx_queues, tx_queues; /* that exist in the kernel: IFLA_NUM_{RX,TX}_QUEUES */
  int peer;                      /* ifindex of a veth's other end; 0: none */
  bool peer_is_here; /* in this network namespace, so that it can be changed from here */
  int peer_space;    /* else the number of its namespace in this one: elsewhere.h */
  int numa_node;     /* SHUNT_NUMA_ANY (-1) where not known */

  /* XDP */
  uint8_t xdp_attached; /* XDP_ATTACHED_* of linux/if_link.h */
  uint32_t xdp_program; /* its id; 0: none, or several (then the ids are below) */
  uint32_t xdp_program_skb, xdp_program_drv, xdp_program_hw;
  bool xdp_features_known; /* the family "netdev" is there */
  uint64_t xdp_features;   /* INTERFACE_XDP_* */
  bool xdp_rx_metadata_known;
  uint64_t xdp_rx_metadata, xsk_features;
  uint32_t xdp_zc_max_segments; /* 0: not known */

  /* ethtool */
  struct interface_channels channels;
  bool rings_known;
  uint32_t rx_ring, rx_ring_max, tx_ring, tx_ring_max;
  bool offloads_known;
  uint32_t offloads;            /* active */
  uint32_t offloads_changeable; /* what of them can be changed */
  uint32_t speed_mbps;          /* 0: down or not known */
};

/* Room for any name of an interface: altnames (ip-link(8), "property") are longer than its own. */
#define INTERFACE_NAME_BYTES 128 /* ALTIFNAMSIZ of linux/if.h */

/* Read the state of one interface.
 *
 * name     its own, which state has afterwards, or an altname of its
 * Returns 0; -ENODEV (there is none of this name in this namespace); -errno of netlink */
int interface_read(const char *name, struct interface_state *state, struct shunt_error *error);
int interface_read_index(int ifindex, struct interface_state *state, struct shunt_error *error);

/* Of its state rx_missed alone, as it is now: one question where interface_read asks many. Returns
 * as interface_read. */
int interface_read_missed(int ifindex, uint64_t *frames);

/* Likewise the id of the XDP program on it, the NIC's before the driver's before skb mode's; 0:
 * there is none. */
int interface_read_program(int ifindex, uint32_t *program);

/* Of its state channels alone, likewise; known is false where the driver has no setting for them.
 * Returns 0 or -errno (-ENODEV: it is gone). */
int interface_read_channels(int ifindex, struct interface_channels *channels);

/* Read what rtnetlink alone tells (up to xdp_program_hw, without the netdev and ethtool families)
 * of every interface, in order.
 *
 * each     called for each; what it returns below 0 ends the walk and is returned
 * Returns  0, what each returned, or -errno of netlink */
int interface_list(int (*each)(void *context, const struct interface_state *state), void *context,
                   struct shunt_error *error);

/* Of every address of every interface. text: "192.0.2.2/24". Returns as interface_list. */
int interface_list_addresses(int (*each)(void *context, int ifindex, const char *text),
                             void *context, struct shunt_error *error);

/* Changes. Each returns once the kernel has made it, and checks that it was made.
 *
 * Returns 0; -EPERM (CAP_NET_ADMIN); -ENODEV; -EOPNOTSUPP, -EINVAL, -EBUSY, ... of the driver, with
 * the kernel's own words (extended acknowledgement) as the reason */
int interface_set_up(int ifindex, bool up, struct shunt_error *error);
int interface_set_mtu(int ifindex, uint32_t mtu, struct shunt_error *error);
/* kind: "rx", "tx" or "combined". */
int interface_set_channels(int ifindex, const char *kind, uint32_t count,
                           struct shunt_error *error);
/* offload: exactly one bit. -EOPNOTSUPP where it is fixed. */
int interface_set_offload(int ifindex, enum interface_offload offload, bool on,
                          struct shunt_error *error);

/* The kernel's name of one offload bit: "tx-checksum-ip-generic"; NULL where it is none. */
const char *interface_offload_name(enum interface_offload offload);
/* The bit of a name, 0 where it is none of ours. */
uint32_t interface_offload_bit(const char *name);

#endif
