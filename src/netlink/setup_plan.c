/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/netlink/setup_plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "src/netlink/elsewhere.h"

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
     "joins segments to up to 64 KiB", "tso off gso off tx-udp-segmentation off"},
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

/* What sends from another namespace is not changed from here; sender: NULL where it could not be
 * looked at. */
static bool is_elsewhere(const struct interface_state *own)
{
  return own->peer && !own->peer_is_here;
}

/* Whether a trap stays on; why, where it is not for an end elsewhere. */
static bool plan_trap(const struct interface_state *own, const struct interface_state *sender,
                      const struct trap *trap, struct setup_plan *plan,
                      char why[SHUNT_ERROR_TEXT_BYTES])
{
  plan_offloads(own, trap->own, plan);
  if (is_elsewhere(own))
    return says_why(own, trap->own, trap, why) || !sender || sender->offloads & trap->sender;
  if (sender)
    plan_offloads(sender, trap->sender, plan);
  return says_why(own, trap->own, trap, why) ||
         (sender && says_why(sender, trap->sender, trap, why));
}

static void tell(struct setup_plan *plan, const char *why)
{
  const size_t used = strlen(plan->why);
  snprintf(plan->why + used, sizeof(plan->why) - used, "%s%s", used ? "; " : "", why);
}

/* "leaves checksums half done, keeps VLAN tags beside the frame", or what switches that off. */
static void list_traps(uint8_t which, bool features, char text[SHUNT_ERROR_TEXT_BYTES])
{
  size_t used = 0;
  text[0] = '\0';
  for (unsigned i = 0; i < sizeof(traps) / sizeof(traps[0]); i++)
    if ((which & traps[i].trap) && used < SHUNT_ERROR_TEXT_BYTES)
      used += (size_t)snprintf(text + used, SHUNT_ERROR_TEXT_BYTES - used, "%s%s",
                               !used      ? ""
                               : features ? " "
                                          : ", ",
                               features ? traps[i].features : traps[i].does);
}

static void tell_elsewhere(const struct interface_state *sender, uint8_t which,
                           struct setup_plan *plan)
{
  char does[SHUNT_ERROR_TEXT_BYTES], features[SHUNT_ERROR_TEXT_BYTES], why[SHUNT_ERROR_TEXT_BYTES];
  list_traps(which, false, does);
  list_traps(which, true, features);
  if (sender)
    snprintf(why, sizeof(why),
             "its other end is in another network namespace and %.100s; there: ethtool -K %s %.60s",
             does, sender->name, features);
  else
    snprintf(why, sizeof(why),
             "its other end is in another network namespace and, unless told not to, %.95s; "
             "there: ethtool -K IFACE %.58s",
             does, features);
  tell(plan, why);
}

static int refuse_trap(const struct interface_state *own, const char *why,
                       struct shunt_error *error)
{
  shunt_error_set(error, -EOPNOTSUPP, "frames would not arrive on %s as they were sent", own->name);
  shunt_error_why(error, "%s", why);
  shunt_error_remedy(error, "switch that off there, or allow it here");
  return -EOPNOTSUPP;
}

static int plan_traps(const struct interface_state *own, const struct interface_state *sender,
                      const struct setup_wanted *wanted, struct setup_plan *plan,
                      struct shunt_error *error)
{
  uint8_t elsewhere = 0;
  for (unsigned i = 0; i < sizeof(traps) / sizeof(traps[0]); i++) {
    const struct trap *trap = &traps[i];
    char why[SHUNT_ERROR_TEXT_BYTES] = "";
    if (!((wanted->traps | wanted->traps_try) & trap->trap) ||
        !plan_trap(own, sender, trap, plan, why))
      continue;
    plan->remaining |= (uint8_t)trap->trap;
    if (*why)
      tell(plan, why);
    else
      elsewhere |= (uint8_t)trap->trap;
  }
  if (elsewhere)
    tell_elsewhere(sender, elsewhere, plan);
  return plan->remaining & wanted->traps ? refuse_trap(own, plan->why, error) : 0;
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

/* Whether a veth's other end could be looked at, here or elsewhere. */
static bool read_peer(const struct interface_state *own, struct interface_state *peer)
{
  if (!own->peer)
    return false;
  int code = is_elsewhere(own) ? elsewhere_read(own->peer_space, own->peer, peer)
                               : interface_read_index(own->peer, peer, NULL);
  return code == 0 && peer->offloads_known;
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
  else if (read_peer(&own, &peer))
    sender = &peer;
  return setup_plan_from(&own, sender, wanted, plan, error);
}
