/* SPDX-License-Identifier: BSD-2-Clause */
/* Two network namespaces without a name, a veth pair between them, and a source of frames in the
 * kernel: the interface on which AF_XDP is measured. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shunt/udp.h"
#include "src/bpf/assembler.h"
#include "src/bpf/bpf.h"
#include "src/bpf/bpf_attach.h"
#include "src/netlink/interface.h"
#include "src/netlink/netlink.h"
#include "tools/shunt/bench_xdp.h"

#define FLOOD_FRAMES                                                                               \
  (1u << 18) /* a call of some ten milliseconds: a short one is mostly set-up                      \
              */

static const uint8_t macs[BENCH_ENDS][6] = {
    [BENCH_NEAR] = {2, 0, 0, 0, 0, 0xfe},
    [BENCH_FAR] = {2, 0, 0, 0, 0, 0xff},
};

struct bench_veth {
  int home;               /* the namespace in which it began */
  int spaces[BENCH_ENDS]; /* -1: none */
  struct netlink talks[BENCH_ENDS];
  int indices[BENCH_ENDS];
  int links[BENCH_ENDS]; /* of programs; -1: none */
  int target;            /* the program on the near end; -1: not known */
};

static int fail(struct shunt_error *error, int code, const char *what)
{
  shunt_error_set(error, code, "no veth pair to measure on");
  shunt_error_why(error, "%s: %s", what, strerror(-code));
  if (code == -EPERM)
    shunt_error_remedy(error, "run as root, with CAP_SYS_ADMIN and CAP_NET_ADMIN");
  return code;
}

static void close_one(int fd)
{
  if (fd >= 0)
    close(fd);
}

/* ---- Namespaces ---- */

static int own_space(void)
{
  int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

static int make_spaces(struct bench_veth *veth, struct shunt_error *error)
{
  veth->home = own_space();
  if (veth->home < 0)
    return fail(error, veth->home, "this network namespace");
  for (enum bench_end end = 0; end < BENCH_ENDS; end++) {
    if (unshare(CLONE_NEWNET))
      return fail(error, -errno, "a network namespace");
    veth->spaces[end] = own_space();
    if (veth->spaces[end] < 0)
      return fail(error, veth->spaces[end], "its descriptor");
    int code = netlink_open(&veth->talks[end], NETLINK_ROUTE);
    if (code)
      return fail(error, code, "a netlink socket");
  }
  return 0;
}

int bench_veth_enter(struct bench_veth *veth, enum bench_end end, struct shunt_error *error)
{
  return setns(veth->spaces[end], CLONE_NEWNET) ? fail(error, -errno, "entering its namespace") : 0;
}

void bench_veth_leave(struct bench_veth *veth)
{
  setns(veth->home, CLONE_NEWNET);
}

/* ---- The pair ---- */

static void put_link(struct nlmsghdr *request, enum bench_end end)
{
  mnl_attr_put_strz(request, IFLA_IFNAME, BENCH_VETH);
  mnl_attr_put(request, IFLA_ADDRESS, sizeof(macs[end]), macs[end]);
}

/* Without ARP: what the kernel itself sends needs no neighbour then (arp(7), NUD_NOARP). */
static int make_pair(struct bench_veth *veth, struct shunt_error *error)
{
  char buffer[NETLINK_REQUEST_BYTES];
  struct ifinfomsg *head;
  const struct ifinfomsg peer_head = {.ifi_family = AF_UNSPEC};
  struct netlink *netlink = &veth->talks[BENCH_NEAR];
  struct nlmsghdr *request =
      netlink_begin(netlink, buffer, RTM_NEWLINK, NLM_F_CREATE, (void *)&head, sizeof(*head));
  head->ifi_flags = head->ifi_change = IFF_NOARP;
  put_link(request, BENCH_NEAR);
  struct nlattr *kind = mnl_attr_nest_start(request, IFLA_LINKINFO);
  mnl_attr_put_strz(request, IFLA_INFO_KIND, "veth");
  struct nlattr *data = mnl_attr_nest_start(request, IFLA_INFO_DATA);
  struct nlattr *peer = mnl_attr_nest_start(request, VETH_INFO_PEER);
  memcpy(mnl_nlmsg_put_extra_header(request, sizeof(peer_head)), &peer_head, sizeof(peer_head));
  put_link(request, BENCH_FAR);
  mnl_attr_put_u32(request, IFLA_NET_NS_FD, (uint32_t)veth->spaces[BENCH_FAR]);
  mnl_attr_nest_end(request, peer);
  mnl_attr_nest_end(request, data);
  mnl_attr_nest_end(request, kind);
  int code = netlink_talk(netlink, request, NULL, NULL);
  return code ? fail(error, code, "a veth pair") : 0;
}

static int add_address(struct bench_veth *veth, struct shunt_error *error)
{
  char buffer[NETLINK_REQUEST_BYTES];
  struct ifaddrmsg *head;
  struct netlink *netlink = &veth->talks[BENCH_NEAR];
  struct nlmsghdr *request =
      netlink_begin(netlink, buffer, RTM_NEWADDR, NLM_F_CREATE, (void *)&head, sizeof(*head));
  head->ifa_family = AF_INET;
  head->ifa_prefixlen = 24;
  head->ifa_index = (uint32_t)veth->indices[BENCH_NEAR];
  mnl_attr_put_u32(request, IFA_LOCAL, htobe32(BENCH_NEAR_IPV4));
  mnl_attr_put_u32(request, IFA_ADDRESS, htobe32(BENCH_NEAR_IPV4));
  int code = netlink_talk(netlink, request, NULL, NULL);
  return code ? fail(error, code, "an IPv4 address") : 0;
}

/* Up, and without checksum offload, with which sums of what the kernel sends would be missing. */
static int furnish_end(struct bench_veth *veth, enum bench_end end, struct shunt_error *error)
{
  int code = bench_veth_enter(veth, end, error);
  if (code)
    return code;
  veth->indices[end] = (int)if_nametoindex(BENCH_VETH);
  code = interface_set_offload(veth->indices[end], INTERFACE_TX_CHECKSUM_GENERIC, false, error);
  if (!code)
    code = interface_set_up(veth->indices[end], true, error);
  bench_veth_leave(veth);
  return code;
}

/* ---- Programs ---- */

/* A program that gives each frame the same verdict. */
static int load_verdict(uint32_t verdict, int *program, struct shunt_error *error)
{
  struct bpf_assembler *a;
  struct bpf_program_spec spec = {.name = "shunt_bench"};
  int code = bpf_assembler_new(&a, error);
  if (code)
    return code;
  bpf_move_imm(a, R0, (int32_t)verdict);
  bpf_exit(a);
  code = bpf_assemble(a, &spec.insns, &spec.count, error);
  if (!code)
    code = bpf_program_load(&spec, program, error);
  bpf_assembler_free(a);
  return code;
}

int bench_veth_verdict(struct bench_veth *veth, enum bench_end end, uint32_t verdict,
                       struct shunt_error *error)
{
  int program;
  close_one(veth->links[end]);
  veth->links[end] = -1;
  if (!verdict)
    return 0;
  int code = load_verdict(verdict, &program, error);
  if (code)
    return code;
  code = bench_veth_enter(veth, end, error);
  if (!code)
    code = bpf_link_xdp(program, veth->indices[end], XDP_FLAGS_DRV_MODE, &veth->links[end], error);
  bench_veth_leave(veth);
  close(program);
  return code;
}

void bench_veth_clear(struct bench_veth *veth)
{
  struct bpf_attached attached;
  struct shunt_error unused;
  int program = -1;
  if (bench_veth_enter(veth, BENCH_NEAR, &unused))
    return;
  const int index = veth->indices[BENCH_NEAR];
  if (!bpf_attach_query(index, &attached, &unused) && attached.program && !attached.by_link &&
      !bpf_program_open(attached.program, &program, &unused))
    bpf_attach_replace(-1, program, index, attached.mode, &unused);
  bench_veth_leave(veth);
  close_one(program);
}

/* ---- Frames ---- */

void bench_veth_frame(const struct bench_veth *veth, uint8_t frame[BENCH_FRAME_BYTES])
{
  struct shunt_ipv4_ends ends = {.source = BENCH_FAR_IPV4, .destination = BENCH_NEAR_IPV4};
  static const uint8_t payload[BENCH_PAYLOAD_BYTES], other[] = {2, 0, 0, 0, 0, 0xfd};
  (void)veth;
  memcpy(&ends.source_mac, other, sizeof(ends.source_mac));
  memcpy(&ends.destination_mac, macs[BENCH_NEAR], sizeof(ends.destination_mac));
  shunt_udp_frame_build(frame, BENCH_FRAME_BYTES, &ends, BENCH_FAR_PORT, BENCH_NEAR_PORT, payload,
                        sizeof(payload));
  /* No sum, so that a sequence number can be put in. */
  memset(frame + SHUNT_UDP_PAYLOAD_START - 2, 0, 2);
}

int bench_veth_aim(struct bench_veth *veth, struct shunt_error *error)
{
  struct interface_state state;
  close_one(veth->target);
  veth->target = -1;
  int code = bench_veth_enter(veth, BENCH_NEAR, error);
  if (!code)
    code = interface_read(BENCH_VETH, &state, error);
  bench_veth_leave(veth);
  if (code)
    return code;
  if (!state.xdp_program)
    return fail(error, -ENOENT, "no program is on the near end");
  return bpf_program_open(state.xdp_program, &veth->target, error);
}

int bench_veth_flood(struct bench_veth *veth, struct shunt_error *error)
{
  uint8_t frame[BENCH_FRAME_BYTES];
  const struct xdp_md context = {.data_end = sizeof(frame),
                                 .ingress_ifindex = (uint32_t)veth->indices[BENCH_NEAR]};
  struct bpf_test test = {.in = frame,
                          .in_bytes = sizeof(frame),
                          .context = &context,
                          .repeat = FLOOD_FRAMES,
                          .live = true};
  bench_veth_frame(veth, frame);
  int code = bpf_program_test(veth->target, &test, error);
  return code == -EINTR ? 0 : code;
}

static int take_statistics(const struct nlattr *attribute, void *context)
{
  struct rtnl_link_stats64 statistics;
  if (mnl_attr_get_type(attribute) != IFLA_STATS64)
    return MNL_CB_OK;
  size_t bytes = mnl_attr_get_payload_len(attribute);
  memset(&statistics, 0, sizeof(statistics));
  memcpy(&statistics, mnl_attr_get_payload(attribute),
         bytes < sizeof(statistics) ? bytes : sizeof(statistics));
  *(uint64_t *)context = statistics.rx_packets;
  return MNL_CB_OK;
}

static int take_link(const struct nlmsghdr *header, void *context)
{
  return mnl_attr_parse(header, sizeof(struct ifinfomsg), take_statistics, context);
}

int bench_veth_arrived(struct bench_veth *veth, uint64_t *frames, struct shunt_error *error)
{
  char buffer[NETLINK_REQUEST_BYTES];
  struct ifinfomsg *head;
  struct netlink *netlink = &veth->talks[BENCH_FAR];
  struct nlmsghdr *request =
      netlink_begin(netlink, buffer, RTM_GETLINK, 0, (void *)&head, sizeof(*head));
  head->ifi_index = veth->indices[BENCH_FAR];
  int code = netlink_talk(netlink, request, take_link, frames);
  return code ? fail(error, code, "the far end's count of frames") : 0;
}

/* ---- All of it ---- */

int bench_veth_open(struct bench *bench, struct bench_veth **made, struct shunt_error *error)
{
  (void)bench;
  struct bench_veth *veth = calloc(1, sizeof(*veth));
  if (!veth)
    return shunt_error_set(error, -ENOMEM, "no memory to measure AF_XDP");
  veth->home = veth->target = -1;
  for (enum bench_end end = 0; end < BENCH_ENDS; end++)
    veth->spaces[end] = veth->links[end] = -1;
  int code = make_spaces(veth, error);
  if (veth->home >= 0)
    bench_veth_leave(veth);
  if (!code)
    code = make_pair(veth, error);
  for (enum bench_end end = 0; !code && end < BENCH_ENDS; end++)
    code = furnish_end(veth, end, error);
  if (!code)
    code = add_address(veth, error);
  if (code)
    bench_veth_close(veth);
  else
    *made = veth;
  return code;
}

void bench_veth_close(struct bench_veth *veth)
{
  if (!veth)
    return;
  for (enum bench_end end = 0; end < BENCH_ENDS; end++) {
    close_one(veth->links[end]);
    if (veth->talks[end].socket)
      netlink_close(&veth->talks[end]);
    close_one(veth->spaces[end]);
  }
  close_one(veth->target);
  close_one(veth->home);
  free(veth);
}
