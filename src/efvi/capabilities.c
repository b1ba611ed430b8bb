/* SPDX-License-Identifier: BSD-2-Clause */
/* What devices can do, asked before any of them is opened. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <etherfabric/capabilities.h>

#include "src/efvi/efvi.h"

/* 512, 1024, 2048 and 4096 */
#define RING_SIZES   (2 * EFVI_RING_MOST - EFVI_RING_LEAST)
#define PACKED_SIZES (1024 | 64)

/* What works, though in software, is there. */
struct capability {
  const char *name;
  unsigned long value; /* of an 82599 */
  unsigned long xdp;   /* of AF_XDP */
};

static const struct capability capabilities[EF_VI_CAP_MAX] = {
    [EF_VI_CAP_PIO] = {"PIO, in the device (without, its calls write to the ring)", 0, 0},
    [EF_VI_CAP_PIO_BUFFER_SIZE] = {"PIO buffer size", EFVI_PIO_BYTES, EFVI_PIO_BYTES},
    [EF_VI_CAP_PIO_BUFFER_COUNT] = {"PIO buffers", EFVI_QUEUES, EFVI_QUEUES},
    [EF_VI_CAP_HW_MULTICAST_LOOPBACK] = {"multicast loopback", 0, 0},
    [EF_VI_CAP_HW_MULTICAST_REPLICATION] = {"multicast to several interfaces", 0, 0},
    [EF_VI_CAP_HW_RX_TIMESTAMPING] = {"time stamps of every received packet", 0, 1},
    [EF_VI_CAP_HW_TX_TIMESTAMPING] = {"time stamps of sent packets", 0, 1},
    [EF_VI_CAP_PACKED_STREAM] = {"packed stream", 1, 1},
    [EF_VI_CAP_PACKED_STREAM_BUFFER_SIZES] = {"packed stream buffer sizes, KiB", PACKED_SIZES,
                                              PACKED_SIZES},
    [EF_VI_CAP_VPORTS] = {"virtual ports", 0, 0},
    [EF_VI_CAP_PHYS_MODE] = {"physical addresses", 0, 0},
    [EF_VI_CAP_BUFFER_MODE] = {"registered memory", 1, 1},
    [EF_VI_CAP_MULTICAST_FILTER_CHAINING] = {"one group on several interfaces", 0, 0},
    [EF_VI_CAP_MAC_SPOOFING] = {"sending from any MAC address", 1, 1},
    [EF_VI_CAP_RX_FILTER_TYPE_UDP_LOCAL] = {"filter: IPv4 UDP, local", 1, 1},
    [EF_VI_CAP_RX_FILTER_TYPE_TCP_LOCAL] = {"filter: IPv4 TCP, local", 1, 1},
    [EF_VI_CAP_RX_FILTER_TYPE_UDP_FULL] = {"filter: IPv4 UDP, full", 1, 1},
    [EF_VI_CAP_RX_FILTER_TYPE_TCP_FULL] = {"filter: IPv4 TCP, full", 1, 1},
    [EF_VI_CAP_RX_FILTER_TYPE_IP_VLAN] = {"filter: IPv4 and VLAN", 1, 1},
    [EF_VI_CAP_RX_FILTER_TYPE_UDP6_LOCAL] = {"filter: IPv6 UDP, local", 1, 1},
    [EF_VI_CAP_RX_FILTER_TYPE_TCP6_LOCAL] = {"filter: IPv6 TCP, local", 1, 1},
    [EF_VI_CAP_RX_FILTER_TYPE_UDP6_FULL] = {"filter: IPv6 UDP, full", 1, 1},
    [EF_VI_CAP_RX_FILTER_TYPE_TCP6_FULL] = {"filter: IPv6 TCP, full", 1, 1},
    [EF_VI_CAP_RX_FILTER_TYPE_IP6_VLAN] = {"filter: IPv6 and VLAN", 1, 1},
    [EF_VI_CAP_RX_FILTER_TYPE_ETH_LOCAL] = {"filter: MAC address", 1, 1},
    [EF_VI_CAP_RX_FILTER_TYPE_ETH_LOCAL_VLAN] = {"filter: MAC address and VLAN", 1, 1},
    [EF_VI_CAP_RX_FILTER_TYPE_UCAST_ALL] = {"filter: all unicast", 1, 1},
    [EF_VI_CAP_RX_FILTER_TYPE_MCAST_ALL] = {"filter: all multicast", 1, 1},
    [EF_VI_CAP_RX_FILTER_TYPE_UCAST_MISMATCH] = {"filter: other unicast", 1, 1},
    [EF_VI_CAP_RX_FILTER_TYPE_MCAST_MISMATCH] = {"filter: other multicast", 1, 1},
    [EF_VI_CAP_RX_FILTER_TYPE_SNIFF] = {"filter: copies of received packets", 1, 0},
    [EF_VI_CAP_TX_FILTER_TYPE_SNIFF] = {"filter: copies of sent packets", 0, 0},
    [EF_VI_CAP_RX_FILTER_IP4_PROTO] = {"filter: IP protocol", 1, 1},
    [EF_VI_CAP_RX_FILTER_ETHERTYPE] = {"filter: EtherType", 1, 1},
    [EF_VI_CAP_RXQ_SIZES] = {"receive ring sizes", RING_SIZES, RING_SIZES},
    [EF_VI_CAP_TXQ_SIZES] = {"transmit ring sizes", RING_SIZES, RING_SIZES},
    [EF_VI_CAP_EVQ_SIZES] = {"event queue sizes", 2 * EFVI_RING_MOST, 2 * EFVI_RING_MOST},
    [EF_VI_CAP_ZERO_RX_PREFIX] = {"packets without a prefix", 1, 1},
    [EF_VI_CAP_TX_PUSH_ALWAYS] = {"push of every descriptor", 0, 0},
    [EF_VI_CAP_NIC_PACE] = {"least time between packets", 0, 0},
    [EF_VI_CAP_RX_MERGE] = {"merged receive events", 1, 1},
    [EF_VI_CAP_TX_ALTERNATIVES] = {"transmit alternatives", 1, 1},
    [EF_VI_CAP_TX_ALTERNATIVES_VFIFOS] = {"transmit alternatives: how many", EFVI_ALTS, EFVI_ALTS},
    [EF_VI_CAP_TX_ALTERNATIVES_CP_BUFFERS] = {"transmit alternatives: buffers", EFVI_ALT_BUFS,
                                              EFVI_ALT_BUFS},
    [EF_VI_CAP_RX_FW_VARIANT] = {"receive firmware", 0, 0},
    [EF_VI_CAP_TX_FW_VARIANT] = {"transmit firmware", 0, 0},
    [EF_VI_CAP_CTPIO] = {"CTPIO, in the device (without, its calls write to the ring)", 0, 0},
    [EF_VI_CAP_TX_ALTERNATIVES_CP_BUFFER_SIZE] = {"transmit alternatives: buffer size",
                                                  EFVI_BUF_BYTES, EFVI_BUF_BYTES},
    [EF_VI_CAP_RX_FORCE_EVENT_MERGING] = {"receive events always merged", 0, 0},
    [EF_VI_CAP_MIN_BUFFER_MODE_SIZE] = {"smallest page of registered memory", EF_VI_NIC_PAGE_SIZE,
                                        EF_VI_NIC_PAGE_SIZE},
    [EF_VI_CAP_CTPIO_ONLY] = {"sends by CTPIO alone", 0, 0},
    [EF_VI_CAP_RX_SHARED] = {"receives others' packets, too", 0, 0},
    [EF_VI_CAP_RX_FILTER_SET_DEST] = {"filter: to another's queue", 0, 0},
    [EF_VI_CAP_RX_FILTER_MAC_IP4_PROTO] = {"filter: MAC address and IP protocol", 1, 1},
    [EF_VI_CAP_RX_POLL] = {"polling for received packets alone (EF_PD_EXPRESS)", 0, 0},
    [EF_VI_CAP_RX_REF] = {"packets in the device's memory (EF_PD_EXPRESS)", 0, 0},
    [EF_VI_CAP_EXTRA_DATAPATHS] = {"further data paths", EF_VI_EXTRA_DATAPATH_EXPRESS,
                                   EF_VI_EXTRA_DATAPATH_EXPRESS},
    [EF_VI_CAP_RX_FILTER_ID] = {"a packet's filter", 1, 1},
};

int ef_vi_capabilities_max(void)
{
  return EF_VI_CAP_MAX - 1;
}

const char *ef_vi_capabilities_name(enum ef_vi_capability cap)
{
  return (unsigned)cap < EF_VI_CAP_MAX ? capabilities[cap].name : NULL;
}

/* What the express path has, and what it has not. Both ways to poll, and alternatives, work on
 * either path; but a program that is told of polling for packets alone does that, as it does on
 * cards whose express path has no alternatives, and is never told that one was sent. */
static unsigned long express_value(enum ef_vi_capability cap, unsigned long otherwise)
{
  switch (cap) {
  case EF_VI_CAP_RX_REF:
  case EF_VI_CAP_RX_POLL:
    return 1;
  case EF_VI_CAP_PACKED_STREAM:
  case EF_VI_CAP_RX_MERGE:
  case EF_VI_CAP_TX_ALTERNATIVES:
  case EF_VI_CAP_TX_ALTERNATIVES_VFIFOS:
  case EF_VI_CAP_TX_ALTERNATIVES_CP_BUFFERS:
  case EF_VI_CAP_TX_ALTERNATIVES_CP_BUFFER_SIZE:
    return 0;
  default:
    return otherwise;
  }
}

/* Where 0 is an answer: numbers, of which it is one, and PIO and CTPIO. The device has neither of
 * these, and their calls work all the same. A program that looks at the value takes the ordinary
 * path, which is the fastest here; one that needs them, and so asks whether it may use them, runs.
 */
static bool is_answered(enum ef_vi_capability cap, unsigned long value)
{
  return value || cap == EF_VI_CAP_RX_FW_VARIANT || cap == EF_VI_CAP_TX_FW_VARIANT ||
         cap == EF_VI_CAP_PIO || cap == EF_VI_CAP_CTPIO;
}

/* Lock held. */
static int capability_get(ef_driver_handle handle, bool is_xdp, bool express,
                          enum ef_vi_capability cap, unsigned long *value)
{
  if (!efvi_handle_known(handle))
    return efvi_refuse(-EBADF, "%d is no driver handle", handle);
  if ((unsigned)cap >= EF_VI_CAP_MAX)
    return efvi_refuse(-ENOSYS, "there is no capability %d", (int)cap);
  if (!value)
    return efvi_refuse(-EINVAL, "no place for the capability's value");
  *value = is_xdp ? capabilities[cap].xdp : capabilities[cap].value;
  if (express)
    *value = express_value(cap, *value);
  return is_answered(cap, *value)
             ? 0
             : efvi_refuse(-EOPNOTSUPP, "not on this device: %s", capabilities[cap].name);
}

int ef_vi_capabilities_get_from_pd_flags(ef_driver_handle handle, int ifindex,
                                         enum ef_pd_flags pd_flags, enum ef_vi_capability cap,
                                         unsigned long *value)
{
  struct shunt_error error = {0};
  char name[12], device[EFVI_NAME_BYTES];
  snprintf(name, sizeof(name), "%d", ifindex);
  int result = ifindex > 0
                   ? efvi_name_resolve(name, getenv("SHUNT_EFVI_DEVICE"), device, &error)
                   : shunt_error_set(&error, -EINVAL, "%d is no interface's index", ifindex);
  if (result)
    return efvi_fail(&error);
  efvi_lock();
  result =
      capability_get(handle, strncmp(device, "xdp:", 4) == 0, pd_flags & EF_PD_EXPRESS, cap, value);
  efvi_unlock();
  return result;
}

int ef_vi_capabilities_get(ef_driver_handle handle, int ifindex, enum ef_vi_capability cap,
                           unsigned long *value)
{
  return ef_vi_capabilities_get_from_pd_flags(handle, ifindex, EF_PD_DEFAULT, cap, value);
}

int ef_pd_capabilities_get(ef_driver_handle handle, ef_pd *pd, ef_driver_handle pd_dh,
                           enum ef_vi_capability cap, unsigned long *value)
{
  (void)pd_dh;
  efvi_lock();
  struct efvi_pd *own = efvi_pd_of(pd);
  int result = own ? capability_get(handle, own->device->is_xdp, own->express, cap, value)
                   : efvi_refuse(-EINVAL, "this is no protection domain");
  efvi_unlock();
  return result;
}
