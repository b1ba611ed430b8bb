/* SPDX-License-Identifier: BSD-2-Clause */
/* Specifications of filters: what was set, and what it matches. The structure is the program's, but
 * what stands in it is our own affair. */
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#include "src/efvi/efvi.h"
#include "src/efvi/filter.h"

/* data[] of a specification. */
enum {
  DATA_VLAN,
  DATA_PROTOCOL, /* or ethertype, in network order */
  DATA_DESTINATION,
  DATA_SOURCE = DATA_DESTINATION + 4,
  DATA_DESTINATION_PORT = DATA_SOURCE + 4,
  DATA_SOURCE_PORT,
};

/* Put a type beside what is set already, where that is nothing or one of the allowed. */
static int spec_add(ef_filter_spec *spec, unsigned type, unsigned allowed)
{
  if (!spec)
    return efvi_refuse(-EINVAL, "no filter specification");
  if (spec->type & ~allowed)
    return efvi_refuse(-EPROTONOSUPPORT, "the filter can't match this beside what was set before");
  spec->type |= type;
  return 0;
}

void ef_filter_spec_init(ef_filter_spec *filter_spec, enum ef_filter_flags flags)
{
  if (filter_spec)
    *filter_spec = (ef_filter_spec){.flags = (unsigned)flags};
}

static int set_ip(ef_filter_spec *spec, unsigned type, int protocol, const void *host, int port,
                  const void *rhost, int rport)
{
  const size_t bytes = type & SPEC_IP6 ? 16 : 4;
  if (!host || (type & SPEC_FULL && !rhost))
    return efvi_refuse(-EINVAL, "a filter without an address");
  int result = spec_add(spec, type, SPEC_VLAN | SPEC_DEST);
  if (result)
    return result;
  spec->data[DATA_PROTOCOL] = (unsigned)protocol;
  memcpy(&spec->data[DATA_DESTINATION], host, bytes);
  spec->data[DATA_DESTINATION_PORT] = (unsigned)port;
  if (type & SPEC_FULL) {
    memcpy(&spec->data[DATA_SOURCE], rhost, bytes);
    spec->data[DATA_SOURCE_PORT] = (unsigned)rport;
  }
  return 0;
}

int ef_filter_spec_set_ip4_local(ef_filter_spec *filter_spec, int protocol, unsigned host_be32,
                                 int port_be16)
{
  return set_ip(filter_spec, SPEC_IP4, protocol, &host_be32, port_be16, NULL, 0);
}

int ef_filter_spec_set_ip4_full(ef_filter_spec *filter_spec, int protocol, unsigned host_be32,
                                int port_be16, unsigned rhost_be32, int rport_be16)
{
  return set_ip(filter_spec, SPEC_IP4 | SPEC_FULL, protocol, &host_be32, port_be16, &rhost_be32,
                rport_be16);
}

int ef_filter_spec_set_ip6_local(ef_filter_spec *filter_spec, int protocol,
                                 const struct in6_addr *host, int port_be16)
{
  return set_ip(filter_spec, SPEC_IP6, protocol, host, port_be16, NULL, 0);
}

int ef_filter_spec_set_ip6_full(ef_filter_spec *filter_spec, int protocol,
                                const struct in6_addr *host, int port_be16,
                                const struct in6_addr *rhost, int rport_be16)
{
  return set_ip(filter_spec, SPEC_IP6 | SPEC_FULL, protocol, host, port_be16, rhost, rport_be16);
}

int ef_filter_spec_set_vlan(ef_filter_spec *filter_spec, int vlan_id)
{
  int result = spec_add(filter_spec, SPEC_VLAN,
                        SPEC_IP4 | SPEC_IP6 | SPEC_FULL | SPEC_UNICAST_MISMATCH |
                            SPEC_MULTICAST_MISMATCH | SPEC_IP_PROTO | SPEC_ETHER_TYPE | SPEC_DEST);
  if (!result)
    filter_spec->data[DATA_VLAN] = (unsigned)vlan_id;
  return result;
}

int ef_filter_spec_set_eth_local(ef_filter_spec *filter_spec, int vlan_id, const void *mac)
{
  if (!mac)
    return efvi_refuse(-EINVAL, "a filter without an address");
  int result = spec_add(filter_spec, SPEC_MAC, SPEC_IP_PROTO | SPEC_ETHER_TYPE | SPEC_DEST);
  if (result)
    return result;
  memcpy(&filter_spec->data[DATA_DESTINATION], mac, 6);
  if (vlan_id != EF_FILTER_VLAN_ID_ANY) {
    filter_spec->type |= SPEC_VLAN;
    filter_spec->data[DATA_VLAN] = (unsigned)vlan_id;
  }
  return 0;
}

int ef_filter_spec_set_eth_type(ef_filter_spec *filter_spec, uint16_t ether_type_be16)
{
  int result = spec_add(filter_spec, SPEC_ETHER_TYPE, SPEC_VLAN | SPEC_MAC);
  if (!result)
    filter_spec->data[DATA_PROTOCOL] = ether_type_be16;
  return result;
}

int ef_filter_spec_set_ip_proto(ef_filter_spec *filter_spec, uint8_t ip_proto)
{
  int result = spec_add(filter_spec, SPEC_IP_PROTO, SPEC_VLAN | SPEC_MAC);
  if (!result)
    filter_spec->data[DATA_PROTOCOL] = ip_proto;
  return result;
}

int ef_filter_spec_set_unicast_all(ef_filter_spec *filter_spec)
{
  return spec_add(filter_spec, SPEC_UNICAST_ALL, SPEC_VLAN);
}

int ef_filter_spec_set_multicast_all(ef_filter_spec *filter_spec)
{
  return spec_add(filter_spec, SPEC_MULTICAST_ALL, SPEC_VLAN | SPEC_DEST);
}

int ef_filter_spec_set_unicast_mismatch(ef_filter_spec *filter_spec)
{
  return spec_add(filter_spec, SPEC_UNICAST_MISMATCH, SPEC_VLAN | SPEC_DEST);
}

int ef_filter_spec_set_multicast_mismatch(ef_filter_spec *filter_spec)
{
  return spec_add(filter_spec, SPEC_MULTICAST_MISMATCH, SPEC_VLAN | SPEC_DEST);
}

int ef_filter_spec_set_port_sniff(ef_filter_spec *filter_spec, int promiscuous)
{
  int result = spec_add(filter_spec, SPEC_SNIFF, 0);
  if (!result)
    filter_spec->data[DATA_PROTOCOL] = promiscuous != 0;
  return result;
}

int ef_filter_spec_set_tx_port_sniff(ef_filter_spec *filter_spec)
{
  return spec_add(filter_spec, SPEC_TX_SNIFF, 0);
}

int ef_filter_spec_set_block_kernel(ef_filter_spec *filter_spec)
{
  return spec_add(filter_spec, SPEC_BLOCK_KERNEL, 0);
}

int ef_filter_spec_set_block_kernel_multicast(ef_filter_spec *filter_spec)
{
  int result = spec_add(filter_spec, SPEC_BLOCK_KERNEL, 0);
  if (!result)
    filter_spec->data[DATA_PROTOCOL] = EFVI_MATCH_MULTICAST;
  return result;
}

int ef_filter_spec_set_block_kernel_unicast(ef_filter_spec *filter_spec)
{
  int result = spec_add(filter_spec, SPEC_BLOCK_KERNEL, 0);
  if (!result)
    filter_spec->data[DATA_PROTOCOL] = EFVI_MATCH_UNICAST;
  return result;
}

int ef_filter_spec_set_dest(ef_filter_spec *filter_spec, int dest, unsigned flags)
{
  if (!filter_spec)
    return efvi_refuse(-EINVAL, "no filter specification");
  if (filter_spec->type & (SPEC_SNIFF | SPEC_TX_SNIFF | SPEC_BLOCK_KERNEL))
    return efvi_refuse(-EPROTONOSUPPORT, "such a filter has no destination");
  if (filter_spec->flags & EF_FILTER_FLAG_EXCLUSIVE_RXQ && dest == 0)
    return efvi_refuse(-EINVAL, "queue 0 is nobody's alone");
  if (flags || dest < 0 || dest > UINT16_MAX)
    return efvi_refuse(-EINVAL, "no queue %d with flags 0x%x", dest, flags);
  filter_spec->type |= SPEC_DEST;
  filter_spec->flags =
      (filter_spec->flags & UINT16_MAX) | (unsigned)dest << SPEC_DEST_SHIFT; /* data[] is full */
  return 0;
}

int ef_filter_spec_set_user_mark(ef_filter_spec *filter_spec, uint32_t user_mark, int bitwise_or)
{
  (void)filter_spec, (void)user_mark, (void)bitwise_or;
  return efvi_refuse(-EOPNOTSUPP, "marks are of cards that are no longer made");
}

int ef_filter_spec_set_user_flag(ef_filter_spec *filter_spec, uint8_t user_flag, int bitwise_or)
{
  (void)filter_spec, (void)user_flag, (void)bitwise_or;
  return efvi_refuse(-EOPNOTSUPP, "marks are of cards that are no longer made");
}

/* --- What it matches ----------------------------------------------------------------------------
 */

/* Filters that take no frame of their own to know. */
static int read_special(const ef_filter_spec *spec, bool is_xdp, struct efvi_match *match,
                        struct shunt_error *error)
{
  match->fields =
      spec->type & SPEC_SNIFF ? EFVI_MATCH_ALL : EFVI_MATCH_NOTHING | spec->data[DATA_PROTOCOL];
  if (!is_xdp && !(spec->type & SPEC_TX_SNIFF))
    return 0;
  shunt_error_set(error, -EOPNOTSUPP, "the device has no such filter");
  if (spec->type & SPEC_TX_SNIFF)
    shunt_error_why(error, "no device here loops back what it sends");
  else if (spec->type & SPEC_SNIFF)
    shunt_error_why(error, "XDP hands a frame to one receiver: it makes no copies");
  else
    shunt_error_why(error, "what the filters of AF_XDP don't take is the kernel's, as ever");
  shunt_error_remedy(error, spec->type & SPEC_BLOCK_KERNEL
                                ? "ask for all (unicast_all, multicast_all)"
                                : "capture with `shunt capture`");
  return -EOPNOTSUPP;
}

bool efvi_sniffs_all(const ef_filter_spec *spec)
{
  return spec->type & SPEC_SNIFF && spec->data[DATA_PROTOCOL];
}

static int read_ip(const ef_filter_spec *spec, struct efvi_match *match, struct shunt_error *error)
{
  const unsigned protocol = spec->data[DATA_PROTOCOL];
  const size_t bytes = spec->type & SPEC_IP6 ? 16 : 4;
  if (protocol != IPPROTO_UDP && protocol != IPPROTO_TCP)
    return shunt_error_set(error, -EINVAL, "a filter of ports of IP protocol %u", protocol);
  match->fields |= EFVI_MATCH_PROTOCOL | (bytes == 16 ? EFVI_MATCH_IP6 : EFVI_MATCH_IP4);
  match->protocol = (uint8_t)protocol;
  memcpy(match->destination, &spec->data[DATA_DESTINATION], bytes);
  match->destination_port = (uint16_t)spec->data[DATA_DESTINATION_PORT];
  if (spec->type & SPEC_FULL) {
    match->fields |= EFVI_MATCH_SOURCE;
    memcpy(match->source, &spec->data[DATA_SOURCE], bytes);
    match->source_port = (uint16_t)spec->data[DATA_SOURCE_PORT];
  }
  return 0;
}

/* The VLAN, which goes with most. */
static int read_vlan(const ef_filter_spec *spec, struct efvi_match *match,
                     struct shunt_error *error)
{
  if (!(spec->type & SPEC_VLAN) || (int)spec->data[DATA_VLAN] == EF_FILTER_VLAN_ID_ANY)
    return 0;
  if (spec->data[DATA_VLAN] > 4095)
    return shunt_error_set(error, -EINVAL, "a filter of VLAN %d", (int)spec->data[DATA_VLAN]);
  match->fields |= EFVI_MATCH_VLAN;
  match->vlan = (uint16_t)spec->data[DATA_VLAN];
  return 0;
}

/* What can be set, but not be added. */
static const char *contradiction(const ef_filter_spec *spec)
{
  const unsigned all = SPEC_UNICAST_ALL | SPEC_MULTICAST_ALL;
  const unsigned exclusive = EF_FILTER_FLAG_EXCLUSIVE_RXQ, shared = EF_FILTER_FLAG_SHARED_RXQ;
  if (!(spec->type & ~(unsigned)(SPEC_VLAN | SPEC_DEST)))
    return "a filter that matches nothing";
  if (spec->type & all && spec->type & SPEC_VLAN)
    return "a filter of all frames, and of one VLAN";
  if (spec->type & (all | SPEC_UNICAST_MISMATCH | SPEC_MULTICAST_MISMATCH) &&
      spec->type & SPEC_DEST)
    return "a filter of all frames with a queue of its own";
  return spec->flags & exclusive && spec->flags & shared ? "a queue that is exclusive and shared"
                                                         : NULL;
}

int efvi_match_read(const ef_filter_spec *spec, bool is_xdp, struct efvi_match *match,
                    struct shunt_error *error)
{
  const unsigned type = spec->type & ~(unsigned)(SPEC_VLAN | SPEC_DEST);
  *match = (struct efvi_match){0};
  if (contradiction(spec))
    return shunt_error_set(error, -EINVAL, "%s", contradiction(spec));
  if (type & (SPEC_SNIFF | SPEC_TX_SNIFF | SPEC_BLOCK_KERNEL))
    return read_special(spec, is_xdp, match, error);
  int result = read_vlan(spec, match, error);
  if (result || type & (SPEC_IP4 | SPEC_IP6))
    return result ? result : read_ip(spec, match, error);
  if (type & SPEC_MAC) {
    match->fields |= EFVI_MATCH_MAC;
    memcpy(match->mac, &spec->data[DATA_DESTINATION], 6);
  }
  if (type & SPEC_ETHER_TYPE) {
    match->fields |= EFVI_MATCH_ETHERTYPE;
    match->ethertype = (uint16_t)spec->data[DATA_PROTOCOL];
  } else if (type & SPEC_IP_PROTO) { /* of IPv4, as with the cards */
    match->fields |= EFVI_MATCH_PROTOCOL | EFVI_MATCH_ETHERTYPE;
    match->ethertype = htons(ETHERTYPE_IP);
    match->protocol = (uint8_t)spec->data[DATA_PROTOCOL];
  }
  if (type & (SPEC_UNICAST_ALL | SPEC_UNICAST_MISMATCH))
    match->fields |= EFVI_MATCH_UNICAST;
  if (type & (SPEC_MULTICAST_ALL | SPEC_MULTICAST_MISMATCH))
    match->fields |= EFVI_MATCH_MULTICAST;
  if (type & (SPEC_UNICAST_MISMATCH | SPEC_MULTICAST_MISMATCH))
    match->fields |= EFVI_MATCH_NONE_OTHER;
  return 0;
}
