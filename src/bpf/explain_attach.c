/* SPDX-License-Identifier: BSD-2-Clause */
/* Why an XDP program can't be attached: the kernel gives a link's creator an errno and no words
 * (net/core/dev.c, dev_xdp_attach), so it is asked again, and the interface is looked at. */
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>

#include "src/bpf/bpf_attach.h"
#include "src/bpf/explain.h"
#include "src/bpf/features.h"
#include "src/core/error_internal.h"
#include "src/netlink/interface.h"

struct attach_case {
  int program, ifindex;
  uint32_t flags;
  struct interface_state interface;
  char said[SHUNT_ERROR_TEXT_BYTES]; /* by the kernel: its words, or the errno's */
};

static void attach_busy(const struct attach_case *one, struct shunt_error *error)
{
  struct bpf_attached attached;
  char text[SHUNT_ERROR_TEXT_BYTES];
  if (bpf_attach_query(one->ifindex, &attached, NULL) < 0 || attached.program == 0) {
    shunt_error_why(error, "a program was there, and is gone by now");
    shunt_error_remedy(error, "try again");
    return;
  }
  bpf_attach_describe(&attached, text, sizeof(text));
  shunt_error_why(error, "a program is there: %.230s", text);
  if (attached.by_link)
    shunt_error_remedy(error,
                       "end the process that holds it (bpftool link show id %u), or join it "
                       "with join=1 where it redirects by an XSKMAP",
                       attached.link);
  else
    shunt_error_remedy(error,
                       "if nobody needs it: ip link set dev %s %s off; or join it with "
                       "join=1 where it redirects by an XSKMAP",
                       one->interface.name,
                       attached.mode == XDP_FLAGS_SKB_MODE ? "xdpgeneric" : "xdp");
}

static void attach_no_mode(const struct attach_case *one, struct shunt_error *error)
{
  bool hardware = (one->flags & XDP_FLAGS_HW_MODE) != 0;
  shunt_error_why(error, "%.180s; driver \"%s\" has no XDP in %s mode", one->said,
                  one->interface.driver, hardware ? "hw" : "drv");
  shunt_error_remedy(error, hardware ? "few NICs run programs themselves (nfp): use drv mode"
                                     : "allow skb mode, which every interface has");
}

/* Drivers that can't give frames of that MTU in one piece refuse a program that takes them in no
 * other way: veth, ixgbe and others. */
static void attach_too_long(const struct attach_case *one, struct shunt_error *error)
{
  shunt_error_why(error,
                  "%.120s; the MTU of %s (%u) or of its peer is more than the driver gives a "
                  "program in one piece",
                  one->said, one->interface.name, one->interface.mtu);
  shunt_error_remedy(error,
                     "take frames in several pieces (multi_buffer=1, which loads the program "
                     "with BPF_F_XDP_HAS_FRAGS), or lower the MTU on both sides");
}

static void attach_few_queues(const struct attach_case *one, struct shunt_error *error)
{
  const struct interface_channels *channels = &one->interface.channels;
  shunt_error_why(error,
                  "%.120s; %s has %u receive queues, fewer than its peer has transmit queues",
                  one->said, one->interface.name,
                  channels->known ? channels->combined + channels->rx : one->interface.rx_queues);
  shunt_error_remedy(error, "ethtool -L %s rx N, or fewer tx queues on the peer",
                     one->interface.name);
}

static void attach_invalid(const struct attach_case *one, struct shunt_error *error)
{
  struct features features;
  memset(&features, 0, sizeof(features));
  if (strstr(one->said, "generic mode") != NULL)
    shunt_error_remedy(error, "attach a device-bound program in drv mode, or load it without "
                              "receive times");
  else if (strstr(one->said, "different device") != NULL)
    shunt_error_remedy(error, "load the program bound to this interface");
  else if ((one->flags & XDP_FLAGS_HW_MODE) != 0) /* what a driver says that knows no programs */
    attach_no_mode(one, error);
  else if (features_need(&features, FEATURE_XDP_LINK, "a program that goes with its process",
                         error) < 0)
    return;
  else
    shunt_error_remedy(error,
                       "dmesg may say what driver \"%s\" minds; skb mode asks the driver "
                       "for nothing",
                       one->interface.driver);
}

static void attach_why(struct attach_case *one, int code, struct shunt_error *error)
{
  char words[BPF_ATTACH_WORDS_BYTES];
  switch (code) {
  case -EBUSY:
    attach_busy(one, error);
    return;
  case -EPERM:
    explain_permission(NULL, error);
    return;
  case -ENODEV:
    shunt_error_remedy(error, "see ip link show in this network namespace");
    return;
  default:
    break;
  }
  bpf_attach_ask(one->program, one->ifindex, one->flags, words);
  if (words[0] != '\0')
    shunt_error_why(error, "the kernel says \"%s\" (%s)", words, strerrorname_np(-code));
  snprintf(one->said, sizeof(one->said), "%s", error->why);
  if (code == -EOPNOTSUPP)
    attach_no_mode(one, error);
  else if (code == -ERANGE)
    attach_too_long(one, error);
  else if (code == -ENOSPC)
    attach_few_queues(one, error);
  else if (code == -EINVAL)
    attach_invalid(one, error);
}

int explain_attach(int program, int ifindex, uint32_t xdp_flags, int code,
                   struct shunt_error *error)
{
  struct attach_case one = {.program = program, .ifindex = ifindex, .flags = xdp_flags};
  int there = interface_read_index(ifindex, &one.interface, NULL);
  if (code == -EEXIST) /* one is there in the other mode */
    code = -EBUSY;
  if (code == -EINVAL && there == -ENODEV) /* a link's creator hears no more of a wrong index */
    code = -ENODEV;
  if (there == 0)
    error_set_errno(error, code, "can't attach the XDP program to %s", one.interface.name);
  else
    error_set_errno(error, code, "can't attach the XDP program to interface %d", ifindex);
  if (error != NULL)
    attach_why(&one, code, error);
  return code;
}
