/* SPDX-License-Identifier: BSD-2-Clause */
/* The generic netlink family "netdev" (Documentation/netlink/specs/netdev.yaml). Debian 12's
 * headers (6.1) don't have it; its numbers are those of include/uapi/linux/netdev.h of Linux 6.12.
 */
#include <linux/genetlink.h>

#include "src/netlink/ethtool.h"
#include "src/netlink/netlink.h"

#define NETDEV_FAMILY_NAME           "netdev"
#define NETDEV_CMD_DEV_GET           1
#define NETDEV_A_DEV_IFINDEX         1
#define NETDEV_A_DEV_XDP_FEATURES    3 /* 6.3 */
#define NETDEV_A_DEV_XDP_ZC_MAX_SEGS 4 /* 6.6 */
#define NETDEV_A_DEV_XDP_RX_METADATA 5 /* 6.7 */
#define NETDEV_A_DEV_XSK_FEATURES    6 /* 6.8 */

static int take_feature(const struct nlattr *attribute, void *context)
{
  struct interface_state *state = context;
  switch (mnl_attr_get_type(attribute)) {
  case NETDEV_A_DEV_XDP_FEATURES:
    state->xdp_features = netlink_u64(attribute, 0);
    state->xdp_features_known = true;
    break;
  case NETDEV_A_DEV_XDP_ZC_MAX_SEGS:
    state->xdp_zc_max_segments = netlink_u32(attribute, 0);
    break;
  case NETDEV_A_DEV_XDP_RX_METADATA:
    state->xdp_rx_metadata = netlink_u64(attribute, 0);
    state->xdp_rx_metadata_known = true;
    break;
  case NETDEV_A_DEV_XSK_FEATURES:
    state->xsk_features = netlink_u64(attribute, 0);
    break;
  default:
    break;
  }
  return MNL_CB_OK;
}

static int take_device(const struct nlmsghdr *header, void *context)
{
  return mnl_attr_parse(header, sizeof(struct genlmsghdr), take_feature, context);
}

void netdev_read(struct interface_state *state)
{
  char buffer[NETLINK_REQUEST_BYTES];
  struct netlink netlink;
  uint16_t family;
  if (netlink_open(&netlink, NETLINK_GENERIC))
    return;
  if (netlink_family(&netlink, NETDEV_FAMILY_NAME, &family) == 0) {
    struct nlmsghdr *request =
        netlink_begin_generic(&netlink, buffer, family, NETDEV_CMD_DEV_GET, 0);
    mnl_attr_put_u32(request, NETDEV_A_DEV_IFINDEX, (uint32_t)state->ifindex);
    netlink_talk(&netlink, request, take_device, state);
  }
  netlink_close(&netlink);
}
