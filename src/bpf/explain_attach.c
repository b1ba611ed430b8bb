/* SPDX-License-Identifier: BSD-2-Clause */
/* Why an XDP program can't be attached: the kernel gives a link's creator an errno and no words
 * (net/core/dev.c, dev_xdp_attach), so the interface and the program are looked at. */
#include <errno.h>
#include <linux/if_link.h>
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
  shunt_error_why(error,
                  "Operation not supported (EOPNOTSUPP): driver \"%s\" has no XDP in %s mode",
                  one->interface.driver, hardware ? "hw" : "drv");
  shunt_error_remedy(error, "allow skb mode, which every interface has");
}

/* The driver can't give frames of that MTU in one piece (veth, ixgbe and others: -ERANGE,
 * -EOPNOTSUPP, -EINVAL), and the program does not take them in several. */
static void attach_too_long(const struct attach_case *one, struct shunt_error *error)
{
  shunt_error_why(error,
                  "Numerical result out of range (ERANGE): the MTU of %s (%u) or of its peer is "
                  "more than the driver gives a program in one piece",
                  one->interface.name, one->interface.mtu);
  shunt_error_remedy(error, "load the program with BPF_F_XDP_HAS_FRAGS (fragments=1), or lower the "
                            "MTU on both sides");
}

static void attach_invalid(const struct attach_case *one, struct shunt_error *error)
{
  struct bpf_program_state state;
  struct features features;
  memset(&features, 0, sizeof(features));
  if (bpf_program_info(one->program, &state, NULL) == 0 && state.ifindex != 0) {
    bool elsewhere = state.ifindex != (uint32_t)one->ifindex;
    shunt_error_why(error, "Invalid argument (EINVAL): program \"%s\" is bound to interface %u%s",
                    state.name, state.ifindex, elsewhere ? "" : ", which skb mode does not allow");
    shunt_error_remedy(error, elsewhere ? "load it bound to this interface"
                                        : "attach it in drv mode, or load it without receive "
                                          "times");
    return;
  }
  if ((one->flags & XDP_FLAGS_HW_MODE) != 0) {
    shunt_error_why(error, "Invalid argument (EINVAL): the program was not made for the NIC of %s",
                    one->interface.name);
    shunt_error_remedy(error, "few NICs run programs themselves (nfp): use drv mode");
    return;
  }
  if (features_need(&features, FEATURE_XDP_LINK, "a program that goes with its process", error) < 0)
    return;
  error_why_errno(error, -EINVAL);
  shunt_error_remedy(error,
                     "dmesg may say what driver \"%s\" minds; skb mode asks the driver for "
                     "nothing",
                     one->interface.driver);
}

static void attach_why(const struct attach_case *one, int code, struct shunt_error *error)
{
  switch (code) {
  case -EBUSY:
    attach_busy(one, error);
    return;
  case -EOPNOTSUPP:
    attach_no_mode(one, error);
    return;
  case -ERANGE:
    attach_too_long(one, error);
    return;
  case -ENOSPC: /* veth_xdp_set */
    shunt_error_why(error,
                    "No space left on device (ENOSPC): %s has %u receive queues, fewer than "
                    "its peer has transmit queues",
                    one->interface.name, one->interface.rx_queues);
    shunt_error_remedy(error, "ethtool -L %s rx N, or fewer tx queues on the peer",
                       one->interface.name);
    return;
  case -ENODEV:
    shunt_error_remedy(error, "see ip link show in this network namespace");
    return;
  case -EPERM:
    explain_permission(NULL, error);
    return;
  case -EINVAL:
    attach_invalid(one, error);
    return;
  default:
    return;
  }
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
