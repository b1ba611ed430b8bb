/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/netlink/ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/netlink/netlink.h"

/* net/ethtool/common.c, netdev_features_strings; in the order of enum interface_offload. */
static const char *const offload_names[INTERFACE_OFFLOADS] = {
    "tx-checksum-ip-generic",
    "tx-checksum-ipv4",
    "tx-checksum-ipv6",
    "tx-checksum-sctp",
    "tx-generic-segmentation",
    "tx-tcp-segmentation",
    "tx-tcp6-segmentation",
    "tx-udp-segmentation",
    "tx-vlan-hw-insert",
    "rx-vlan-hw-parse",
    "rx-checksum",
    "rx-gro",
    "rx-gro-list",
    "rx-gro-hw",
    "rx-lro",
};

const char *interface_offload_name(enum interface_offload offload)
{
  for (unsigned i = 0; i < INTERFACE_OFFLOADS; i++)
    if ((uint32_t)offload == UINT32_C(1) << i)
      return offload_names[i];
  return NULL;
}

uint32_t interface_offload_bit(const char *name)
{
  for (unsigned i = 0; i < INTERFACE_OFFLOADS; i++)
    if (!strcmp(name, offload_names[i]))
      return UINT32_C(1) << i;
  return 0;
}

/* ---- Requests ---- */

struct ethtool {
  struct netlink netlink;
  uint16_t family;
};

static int ethtool_open(struct ethtool *ethtool)
{
  int code = netlink_open(&ethtool->netlink, NETLINK_GENERIC);
  if (code < 0)
    return code;
  code = netlink_family(&ethtool->netlink, ETHTOOL_GENL_NAME, &ethtool->family);
  if (code < 0)
    netlink_close(&ethtool->netlink);
  return code;
}

/* Each request begins with a nest that says which interface; its type is 1 in all of them. */
static_assert(ETHTOOL_A_CHANNELS_HEADER == 1 && ETHTOOL_A_FEATURES_HEADER == 1 &&
                  ETHTOOL_A_RINGS_HEADER == 1 && ETHTOOL_A_LINKMODES_HEADER == 1,
              "linux/ethtool_netlink.h");

static struct nlmsghdr *begin(struct ethtool *ethtool, void *buffer, uint8_t command, int ifindex,
                              uint32_t flags)
{
  struct nlmsghdr *request =
      netlink_begin_generic(&ethtool->netlink, buffer, ethtool->family, command, 0);
  struct nlattr *header = mnl_attr_nest_start(request, 1);
  mnl_attr_put_u32(request, ETHTOOL_A_HEADER_DEV_INDEX, (uint32_t)ifindex);
  if (flags)
    mnl_attr_put_u32(request, ETHTOOL_A_HEADER_FLAGS, flags);
  mnl_attr_nest_end(request, header);
  return request;
}

static int get(struct ethtool *ethtool, uint8_t command, int ifindex, mnl_cb_t take, void *context)
{
  char buffer[NETLINK_REQUEST_BYTES];
  struct nlmsghdr *request = begin(ethtool, buffer, command, ifindex, 0);
  return netlink_talk(&ethtool->netlink, request, take, context);
}

/* ---- Channels, rings, speed ---- */

static int take_channel(const struct nlattr *attribute, void *context)
{
  struct interface_channels *channels = context;
  uint32_t *const places[] = {
      [ETHTOOL_A_CHANNELS_RX_MAX] = &channels->rx_max,
      [ETHTOOL_A_CHANNELS_TX_MAX] = &channels->tx_max,
      [ETHTOOL_A_CHANNELS_COMBINED_MAX] = &channels->combined_max,
      [ETHTOOL_A_CHANNELS_RX_COUNT] = &channels->rx,
      [ETHTOOL_A_CHANNELS_TX_COUNT] = &channels->tx,
      [ETHTOOL_A_CHANNELS_COMBINED_COUNT] = &channels->combined,
  };
  unsigned type = mnl_attr_get_type(attribute);
  if (type < sizeof(places) / sizeof(places[0]) && places[type]) {
    *places[type] = netlink_u32(attribute, 0);
    channels->known = true;
  }
  return MNL_CB_OK;
}

static int take_channels(const struct nlmsghdr *header, void *context)
{
  return mnl_attr_parse(header, sizeof(struct genlmsghdr), take_channel, context);
}

static int take_ring(const struct nlattr *attribute, void *context)
{
  struct interface_state *state = context;
  uint32_t *const places[] = {
      [ETHTOOL_A_RINGS_RX_MAX] = &state->rx_ring_max,
      [ETHTOOL_A_RINGS_TX_MAX] = &state->tx_ring_max,
      [ETHTOOL_A_RINGS_RX] = &state->rx_ring,
      [ETHTOOL_A_RINGS_TX] = &state->tx_ring,
  };
  unsigned type = mnl_attr_get_type(attribute);
  if (type < sizeof(places) / sizeof(places[0]) && places[type]) {
    *places[type] = netlink_u32(attribute, 0);
    state->rings_known = true;
  }
  return MNL_CB_OK;
}

static int take_rings(const struct nlmsghdr *header, void *context)
{
  return mnl_attr_parse(header, sizeof(struct genlmsghdr), take_ring, context);
}

static int take_speed(const struct nlattr *attribute, void *context)
{
  struct interface_state *state = context;
  if (mnl_attr_get_type(attribute) == ETHTOOL_A_LINKMODES_SPEED) {
    uint32_t speed = netlink_u32(attribute, 0);
    state->speed_mbps = speed == (uint32_t)SPEED_UNKNOWN ? 0 : speed;
  }
  return MNL_CB_OK;
}

static int take_link_modes(const struct nlmsghdr *header, void *context)
{
  return mnl_attr_parse(header, sizeof(struct genlmsghdr), take_speed, context);
}

/* ---- Features ---- */

struct bits {
  uint32_t set;
  bool list; /* no mask: what is listed is set */
};

struct bit {
  uint32_t which; /* INTERFACE_*; 0: none of ours */
  bool value;
};

static int take_bit(const struct nlattr *attribute, void *context)
{
  struct bit *bit = context;
  char name[48];
  if (mnl_attr_get_type(attribute) == ETHTOOL_A_BITSET_BIT_NAME) {
    netlink_text(attribute, name, sizeof(name));
    bit->which = interface_offload_bit(name);
  } else if (mnl_attr_get_type(attribute) == ETHTOOL_A_BITSET_BIT_VALUE) {
    bit->value = true;
  }
  return MNL_CB_OK;
}

static int take_bits(const struct nlattr *attribute, void *context)
{
  struct bits *bits = context;
  struct bit bit = {0};
  mnl_attr_parse_nested(attribute, take_bit, &bit);
  if (bits->list || bit.value)
    bits->set |= bit.which;
  return MNL_CB_OK;
}

static int take_bitset_kind(const struct nlattr *attribute, void *context)
{
  if (mnl_attr_get_type(attribute) == ETHTOOL_A_BITSET_NOMASK)
    ((struct bits *)context)->list = true;
  return MNL_CB_OK;
}

static int take_bitset(const struct nlattr *attribute, void *context)
{
  if (mnl_attr_get_type(attribute) == ETHTOOL_A_BITSET_BITS)
    mnl_attr_parse_nested(attribute, take_bits, context);
  return MNL_CB_OK;
}

struct features {
  uint32_t changeable, active, fixed;
};

static int take_feature_set(const struct nlattr *attribute, void *context)
{
  struct features *features = context;
  struct bits bits = {0};
  mnl_attr_parse_nested(attribute, take_bitset_kind, &bits);
  mnl_attr_parse_nested(attribute, take_bitset, &bits);
  switch (mnl_attr_get_type(attribute)) {
  case ETHTOOL_A_FEATURES_HW:
    features->changeable = bits.set;
    break;
  case ETHTOOL_A_FEATURES_ACTIVE:
    features->active = bits.set;
    break;
  case ETHTOOL_A_FEATURES_NOCHANGE:
    features->fixed = bits.set;
    break;
  default:
    break;
  }
  return MNL_CB_OK;
}

static int take_features(const struct nlmsghdr *header, void *context)
{
  /* The first attribute is the header's nest, which has no bits. */
  return mnl_attr_parse(header, sizeof(struct genlmsghdr), take_feature_set, context);
}

static int get_features(struct ethtool *ethtool, int ifindex, struct features *features)
{
  memset(features, 0, sizeof(*features));
  int code = get(ethtool, ETHTOOL_MSG_FEATURES_GET, ifindex, take_features, features);
  features->changeable &= ~features->fixed;
  return code;
}

/* ---- All of it ---- */

void ethtool_read_driver(struct interface_state *state)
{
  struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
  struct ifreq request = {.ifr_data = (void *)&info};
  if (*state->driver)
    return;
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return;
  memcpy(request.ifr_name, state->name, sizeof(request.ifr_name));
  if (ioctl(fd, SIOCETHTOOL, &request) == 0)
    snprintf(state->driver, sizeof(state->driver), "%.*s", (int)sizeof(info.driver) - 1,
             info.driver);
  close(fd);
}

void ethtool_read(struct interface_state *state)
{
  struct ethtool ethtool;
  struct features features;
  ethtool_read_driver(state);
  if (ethtool_open(&ethtool))
    return;
  get(&ethtool, ETHTOOL_MSG_CHANNELS_GET, state->ifindex, take_channels, &state->channels);
  get(&ethtool, ETHTOOL_MSG_RINGS_GET, state->ifindex, take_rings, state);
  get(&ethtool, ETHTOOL_MSG_LINKMODES_GET, state->ifindex, take_link_modes, state);
  if (get_features(&ethtool, state->ifindex, &features) == 0) {
    state->offloads_known = true;
    state->offloads = features.active;
    state->offloads_changeable = features.changeable;
  }
  netlink_close(&ethtool.netlink);
}

int interface_read_channels(int ifindex, struct interface_channels *channels)
{
  struct ethtool ethtool;
  *channels = (struct interface_channels){0};
  int code = ethtool_open(&ethtool);
  if (code < 0)
    return code;
  code = get(&ethtool, ETHTOOL_MSG_CHANNELS_GET, ifindex, take_channels, channels);
  netlink_close(&ethtool.netlink);
  return code == -EOPNOTSUPP ? 0 : code;
}

/* ---- Changes ---- */

static int refuse(const struct ethtool *ethtool, int code, int ifindex, const char *what,
                  const char *value, struct shunt_error *error)
{
  char name[IF_NAMESIZE] = "?";
  if_indextoname((unsigned)ifindex, name);
  shunt_error_set(error, code, "can't set %s of %s to %s", what, name, value);
  netlink_why(&ethtool->netlink, code, error);
  if (code == -EPERM)
    shunt_error_remedy(error, "run with CAP_NET_ADMIN");
  return code;
}

static int set_channels(struct ethtool *ethtool, int ifindex, const char *kind, uint32_t count,
                        struct shunt_error *error)
{
  char buffer[NETLINK_REQUEST_BYTES], value[16];
  struct interface_channels channels = {0};
  snprintf(value, sizeof(value), "%u", count);
  bool rx = !strcmp(kind, "rx"), tx = !strcmp(kind, "tx");
  uint16_t attribute = rx   ? ETHTOOL_A_CHANNELS_RX_COUNT
                       : tx ? ETHTOOL_A_CHANNELS_TX_COUNT
                            : ETHTOOL_A_CHANNELS_COMBINED_COUNT;
  struct nlmsghdr *request = begin(ethtool, buffer, ETHTOOL_MSG_CHANNELS_SET, ifindex, 0);
  mnl_attr_put_u32(request, attribute, count);
  int code = netlink_talk(&ethtool->netlink, request, NULL, NULL);
  if (code == 0)
    code = get(ethtool, ETHTOOL_MSG_CHANNELS_GET, ifindex, take_channels, &channels);
  if (code < 0)
    return refuse(ethtool, code, ifindex, "the channels", value, error);
  uint32_t is = rx ? channels.rx : tx ? channels.tx : channels.combined;
  if (is == count)
    return 0;
  code = refuse(ethtool, -EIO, ifindex, "the channels", value, error);
  shunt_error_why(error, "the driver said yes, and has %u %s channels", is, kind);
  return code;
}

int interface_set_channels(int ifindex, const char *kind, uint32_t count, struct shunt_error *error)
{
  struct ethtool ethtool;
  int code = ethtool_open(&ethtool);
  if (code < 0) {
    shunt_error_set(error, code, "can't change the channels of an interface");
    shunt_error_why(error, "this kernel has no ethtool netlink (Linux 5.6)");
    return code;
  }
  code = set_channels(&ethtool, ifindex, kind, count, error);
  netlink_close(&ethtool.netlink);
  return code;
}

static int set_offload(struct ethtool *ethtool, int ifindex, enum interface_offload offload,
                       bool on, struct shunt_error *error)
{
  char buffer[NETLINK_REQUEST_BYTES];
  struct features features = {0};
  const char *name = interface_offload_name(offload), *value = on ? "on" : "off";
  struct nlmsghdr *request =
      begin(ethtool, buffer, ETHTOOL_MSG_FEATURES_SET, ifindex, ETHTOOL_FLAG_OMIT_REPLY);
  struct nlattr *wanted = mnl_attr_nest_start(request, ETHTOOL_A_FEATURES_WANTED);
  struct nlattr *bits = mnl_attr_nest_start(request, ETHTOOL_A_BITSET_BITS);
  struct nlattr *bit = mnl_attr_nest_start(request, ETHTOOL_A_BITSET_BITS_BIT);
  mnl_attr_put_strz(request, ETHTOOL_A_BITSET_BIT_NAME, name);
  if (on)
    mnl_attr_put(request, ETHTOOL_A_BITSET_BIT_VALUE, 0, NULL);
  mnl_attr_nest_end(request, bit);
  mnl_attr_nest_end(request, bits);
  mnl_attr_nest_end(request, wanted);
  int code = netlink_talk(&ethtool->netlink, request, NULL, NULL);
  if (code == 0)
    code = get_features(ethtool, ifindex, &features);
  if (code < 0)
    return refuse(ethtool, code, ifindex, name, value, error);
  if (!(features.active & (uint32_t)offload) == !on)
    return 0;
  code = refuse(ethtool, -EOPNOTSUPP, ifindex, name, value, error);
  shunt_error_why(error, features.changeable & (uint32_t)offload
                             ? "the kernel said yes, and left it: another setting stands against it"
                             : "it is fixed: the driver does not let it be changed");
  return code;
}

int interface_set_offload(int ifindex, enum interface_offload offload, bool on,
                          struct shunt_error *error)
{
  struct ethtool ethtool;
  if (!interface_offload_name(offload))
    return shunt_error_set(error, -EINVAL, "there is no such offload: 0x%x", (unsigned)offload);
  int code = ethtool_open(&ethtool);
  if (code < 0) {
    shunt_error_set(error, code, "can't change the offloads of an interface");
    shunt_error_why(error, "this kernel has no ethtool netlink (Linux 5.6)");
    return code;
  }
  code = set_offload(&ethtool, ifindex, offload, on, error);
  netlink_close(&ethtool.netlink);
  return code;
}
