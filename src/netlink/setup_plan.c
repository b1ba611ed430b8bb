/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/netlink/setup_plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- Collecting ---- */

static void add(struct setup_plan *plan, int ifindex, const char *key, uint32_t value)
{
  unsigned i = 0;
  while (i < plan->count && plan->interfaces[i].ifindex != ifindex)
    i++;
  if (i == SETUP_PLAN_INTERFACES)
    return;
  struct setup_interface *interface = &plan->interfaces[i];
  if (i == plan->count) {
    plan->count++;
    interface->ifindex = ifindex;
  }
  if (interface->count < SETUP_PLAN_CHANGES)
    interface->changes[interface->count++] = (struct setup_change){key, value};
}

/* ---- Channels and MTU ---- */

static int plan_channels(const struct interface_state *own, uint32_t wanted,
                         struct setup_plan *plan, struct shunt_error *error)
{
  const struct interface_channels *channels = &own->channels;
  bool combined = channels->combined_max > 0;
  uint32_t apart = channels->rx_max < channels->tx_max ? channels->rx_max : channels->tx_max;
  uint32_t most = combined ? channels->combined_max : apart;
  if (!channels->known && wanted == 1)
    return 0; /* what has no channels has one queue */
  if (!channels->known || wanted > most) {
    int code = channels->known ? -EINVAL : -EOPNOTSUPP;
    shunt_error_set(error, code, "%s can't have %u channels", own->name, wanted);
    if (!channels->known)
      shunt_error_why(error, "the driver %s has no setting for them", own->driver);
    else
      shunt_error_why(error, "the driver %s has %u at most", own->driver, most);
    shunt_error_remedy(error, !strcmp(own->driver, "veth")
                                  ? "make the pair with numrxqueues N numtxqueues N"
                                  : "ask for fewer");
    return code;
  }
  if (combined) {
    add(plan, own->ifindex, "channels-combined", wanted);
  } else {
    add(plan, own->ifindex, "channels-rx", wanted);
    add(plan, own->ifindex, "channels-tx", wanted);
  }
  return 0;
}

static int plan_mtu(const struct interface_state *own, uint32_t wanted, struct setup_plan *plan,
                    struct shunt_error *error)
{
  if (own->mtu_max && wanted > own->mtu_max) {
    shunt_error_set(error, -EINVAL, "%s can't have an MTU of %u", own->name, wanted);
    shunt_error_why(error, "the driver %s takes %u at most", own->driver, own->mtu_max);
    return -EINVAL;
  }
  add(plan, own->ifindex, "mtu", wanted);
  return 0;
}

/* ---- Traps ---- */

/* A trap: the offloads that make it, at the interface itself and at who sends to it. */
static const struct trap {
  enum setup_trap trap;
  uint32_t own, sender;
  const char *does;
  const char *features; /* in ethtool -K's words, of the sender */
} traps[] = {
    {SETUP_PARTIAL_CHECKSUMS, 0, INTERFACE_TX_CHECKSUMS, "leaves checksums half done", "tx off"},
    {SETUP_AGGREGATES, INTERFACE_RX_AGGREGATES, INTERFACE_TX_SEGMENTS,
     "joins segments to frames of up to 64 KiB", "tso off gso off tx-udp-segmentation off"},
    {SETUP_STRIPPED_TAGS, INTERFACE_RX_VLAN_STRIP, INTERFACE_TX_VLAN_INSERT,
     "keeps VLAN tags beside the frame", "txvlan off"},
};

static void plan_offloads(const struct interface_state *state, uint32_t offloads,
                          struct setup_plan *plan)
{
  for (unsigned i = 0; i < INTERFACE_OFFLOADS; i++) {
    uint32_t bit = UINT32_C(1) << i;
    if (offloads & state->offloads_changeable & bit)
      add(plan, state->ifindex, interface_offload_name((enum interface_offload)bit), 0);
  }
}

/* What is on and can't be switched off, of one trap. */
static bool says_why(const struct interface_state *state, uint32_t offloads,
                     const struct trap *trap, char why[SHUNT_ERROR_TEXT_BYTES])
{
  uint32_t fixed = offloads & state->offloads & ~state->offloads_changeable;
  if (!fixed)
    return false;
  snprintf(why, SHUNT_ERROR_TEXT_BYTES, "%s %s, and its %s is fixed", state->name, trap->does,
           interface_offload_name((enum interface_offload)(fixed & -fixed)));
  return true;
}

static bool plan_trap(const struct interface_state *own, const struct interface_state *sender,
                      const struct trap *trap, struct setup_plan *plan,
                      char why[SHUNT_ERROR_TEXT_BYTES])
{
  why[0] = '\0';
  plan_offloads(own, trap->own, plan);
  if (sender)
    plan_offloads(sender, trap->sender, plan);
  if (own->peer && !own->peer_is_here) {
    snprintf(
        why, SHUNT_ERROR_TEXT_BYTES,
        "the other end of this veth pair %s for what its kernel sends, unless told not to, and "
        "is in another network namespace; there: ethtool -K IFACE %s",
        trap->does, trap->features);
    return true;
  }
  return says_why(own, trap->own, trap, why) ||
         (sender && says_why(sender, trap->sender, trap, why));
}

static int plan_traps(const struct interface_state *own, const struct interface_state *sender,
                      const struct setup_wanted *wanted, struct setup_plan *plan,
                      struct shunt_error *error)
{
  char why[SHUNT_ERROR_TEXT_BYTES];
  for (unsigned i = 0; i < sizeof(traps) / sizeof(traps[0]); i++) {
    const struct trap *trap = &traps[i];
    if (!((wanted->traps | wanted->traps_try) & trap->trap) ||
        !plan_trap(own, sender, trap, plan, why))
      continue;
    if (wanted->traps & trap->trap) {
      shunt_error_set(error, -EOPNOTSUPP, "frames would not arrive on %s as they were sent",
                      own->name);
      shunt_error_why(error, "%s", why);
      shunt_error_remedy(error, "switch that off there, or allow it here");
      return -EOPNOTSUPP;
    }
    plan->remaining |= (uint8_t)trap->trap;
    if (!*plan->why)
      memcpy(plan->why, why, sizeof(why));
  }
  return 0;
}

/* ---- The plan ---- */

int setup_plan_from(const struct interface_state *own, const struct interface_state *sender,
                    const struct setup_wanted *wanted, struct setup_plan *plan,
                    struct shunt_error *error)
{
  int code = 0;
  memset(plan, 0, sizeof(*plan));
  plan->ifindex = own->ifindex;
  if (wanted->up)
    add(plan, own->ifindex, "up", 1);
  if (wanted->mtu)
    code = plan_mtu(own, wanted->mtu, plan, error);
  if (code == 0 && wanted->channels)
    code = plan_channels(own, wanted->channels, plan, error);
  return code ? code : plan_traps(own, sender, wanted, plan, error);
}

int setup_plan_make(const char *interface, const struct setup_wanted *wanted,
                    struct setup_plan *plan, struct shunt_error *error)
{
  struct interface_state own, peer;
  const struct interface_state *sender = NULL;
  int code = interface_read(interface, &own, error);
  if (code < 0)
    return code;
  if (!strcmp(own.name, "lo"))
    sender = &own;
  else if (own.peer && own.peer_is_here && interface_read_index(own.peer, &peer, error) == 0)
    sender = &peer;
  return setup_plan_from(&own, sender, wanted, plan, error);
}
