/* SPDX-License-Identifier: BSD-2-Clause */
/* From what is wanted of an interface to the settings that have to change, at it and at a veth's
 * other end. Reads, and changes nothing. */
#ifndef SRC_NETLINK_SETUP_PLAN_H
#define SRC_NETLINK_SETUP_PLAN_H

#include "src/netlink/interface.h"
#include "src/netlink/setup.h"

#define SETUP_PLAN_INTERFACES 2
#define SETUP_PLAN_CHANGES    24

struct setup_change {
  const char *key; /* constant text: see setting.h */
  uint32_t value;
};

struct setup_interface {
  int ifindex;
  unsigned count;
  struct setup_change changes[SETUP_PLAN_CHANGES];
};

struct setup_plan {
  int ifindex; /* of the interface itself */
  unsigned count;
  struct setup_interface interfaces[SETUP_PLAN_INTERFACES];
  uint8_t remaining; /* traps that stay on */
  char why[SHUNT_ERROR_TEXT_BYTES];
};

/* Make the plan. What has the wanted value already is in it, too: it may be held so by others.
 * Returns 0; -ENODEV; -EINVAL (more channels than there are, MTU out of range); -EOPNOTSUPP (no
 * channels to set; a trap of wanted->traps that can't be switched off) */
int setup_plan_make(const char *interface, const struct setup_wanted *wanted,
                    struct setup_plan *plan, struct shunt_error *error);

/* The same from states that were read: sender is what sends to own by the kernel without a wire
 * between (the peer of a veth, which is only looked at where it is in another network namespace;
 * own itself for the loopback interface), or NULL. */
int setup_plan_from(const struct interface_state *own, const struct interface_state *sender,
                    const struct setup_wanted *wanted, struct setup_plan *plan,
                    struct shunt_error *error);

#endif
