/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/xdp_hint.h"

#include <linux/if_link.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shunt/base.h"
#include "src/bpf/bpf.h"

/* Beyond this many bytes behind the Ethernet header a frame does not fit one buffer of 2048 with
 * what AF_XDP and a tag take of it. */
#define LARGEST_IN_ONE_BUFFER 1750

static void trouble(struct xdp_hint *hint, const char *remedy, const char *format, ...)
    SHUNT_PRINTF(3, 4);

/* All that stands against it is told; of the remedies the first. */
static void trouble(struct xdp_hint *hint, const char *remedy, const char *format, ...)
{
  size_t used = strlen(hint->trouble);
  va_list arguments;
  if (used && used + 2 < sizeof(hint->trouble))
    used += (size_t)snprintf(hint->trouble + used, sizeof(hint->trouble) - used, "; ");
  va_start(arguments, format);
  vsnprintf(hint->trouble + used, sizeof(hint->trouble) - used, format, arguments);
  va_end(arguments);
  if (!*hint->remedy)
    snprintf(hint->remedy, sizeof(hint->remedy), "%s", remedy);
}

static void look_at_modes(const struct interface_state *state, struct xdp_hint *hint)
{
  uint64_t can = state->xdp_features;
  const char *pieces = can & INTERFACE_XDP_RX_FRAGMENTS ? ", long frames in pieces" : "";
  /* A veth says what it can only while its other end has a program or GRO is on. */
  if (!strcmp(state->driver, "veth"))
    snprintf(hint->modes, sizeof(hint->modes), "skb and drv, copy");
  else if (!state->xdp_features_known)
    snprintf(hint->modes, sizeof(hint->modes),
             "skb, copy; the kernel does not tell of drv (Linux 6.3)");
  else if (!(can & INTERFACE_XDP_BASIC))
    snprintf(hint->modes, sizeof(hint->modes), "skb, copy");
  else
    snprintf(hint->modes, sizeof(hint->modes), "skb and drv%s, %s%s",
             can & INTERFACE_XDP_HW_OFFLOAD ? " and hw" : "",
             can & INTERFACE_XDP_ZERO_COPY ? "zero copy and copy" : "copy", pieces);
}

static void look_at_program(const struct interface_state *state, struct xdp_hint *hint)
{
  struct bpf_program_state program;
  int fd;
  static const char *const modes[] = {"", "drv", "skb", "hw", "several modes"};
  hint->taken = state->xdp_attached != XDP_ATTACHED_NONE;
  if (!hint->taken)
    return;
  const char *mode = modes[state->xdp_attached < 5 ? state->xdp_attached : 0];
  if (bpf_program_open(state->xdp_program, &fd, NULL) == 0) {
    if (bpf_program_info(fd, &program, NULL) == 0)
      trouble(hint, "end its program, or share it: join=1",
              "program %u \"%s\" of user %u is attached (%s)", state->xdp_program, program.name,
              program.uid, mode);
    close(fd);
  }
  if (!*hint->trouble)
    trouble(hint, "bpftool net; end its program, or share it: join=1",
            "program %u is attached (%s)", state->xdp_program, mode);
}

static void look_at_frames(const struct interface_state *state, struct xdp_hint *hint)
{
  if (!state->up)
    trouble(hint, "ip link set IFACE up", "it is down");
  if (state->mtu > LARGEST_IN_ONE_BUFFER)
    trouble(hint, "leave multi_buffer=auto (Linux 6.6), or set the MTU down",
            "an MTU of %u takes several buffers a frame", state->mtu);
  if (!strcmp(state->driver, "veth") && !state->peer_is_here)
    trouble(
        hint, "in the other network namespace: ethtool -K IFACE tx off tso off gso off",
        "its other end is in another network namespace, and may leave checksums half done there");
  if (!state->has_mac)
    trouble(hint, "take another interface", "it has no Ethernet address");
}

void xdp_hint_make(const struct interface_state *state, struct xdp_hint *hint)
{
  memset(hint, 0, sizeof(*hint));
  look_at_modes(state, hint);
  look_at_program(state, hint);
  look_at_frames(state, hint);
}
