/* SPDX-License-Identifier: BSD-2-Clause */
/* Plans from states that were read; what is made of them is in test_setup.c. */
#include "src/netlink/setup_plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct setup_wanted all_traps = {.traps_try = SETUP_PARTIAL_CHECKSUMS |
                                                           SETUP_AGGREGATES | SETUP_STRIPPED_TAGS};

/* A veth here, and its other end: elsewhere, with these offloads on. */
static const struct interface_state near = {.ifindex = 3, .name = "near", .peer = 4};

static struct interface_state far_with(uint32_t offloads)
{
  return (struct interface_state){.ifindex = 4,
                                  .name = "far",
                                  .offloads_known = true,
                                  .offloads = offloads,
                                  .offloads_changeable = ~UINT32_C(0)};
}

static struct setup_plan plan_of(const struct interface_state *own,
                                 const struct interface_state *sender)
{
  struct setup_plan plan;
  struct shunt_error error = {0};
  assert_int_equal(setup_plan_from(own, sender, &all_traps, &plan, &error), 0);
  return plan;
}

static void an_end_that_is_out_of_sight_may_do_all(void **state)
{
  (void)state;
  const struct setup_plan plan = plan_of(&near, NULL);
  assert_int_equal(plan.remaining, all_traps.traps_try);
  assert_string_equal(plan.why,
                      "its other end is in another network namespace and, unless told not to, "
                      "leaves checksums half done, joins segments to up to 64 KiB, keeps VLAN "
                      "tags beside the frame; there: ethtool -K IFACE tx off tso off gso off "
                      "tx-udp-segmentation off txvlan off");
  assert_int_equal(plan.count, 0);
}

static void of_an_end_that_was_seen_is_told_what_is_on(void **state)
{
  (void)state;
  struct interface_state far = far_with(INTERFACE_TX_CHECKSUM_GENERIC | INTERFACE_TX_VLAN_INSERT);
  struct setup_plan plan = plan_of(&near, &far);
  assert_int_equal(plan.remaining, SETUP_PARTIAL_CHECKSUMS | SETUP_STRIPPED_TAGS);
  assert_non_null(strstr(plan.why, "half done, keeps VLAN tags beside the frame; "
                                   "there: ethtool -K far tx off txvlan off"));
  assert_int_equal(plan.count, 0); /* nothing is changed there */

  far = far_with(INTERFACE_RX_GRO);
  plan = plan_of(&near, &far);
  assert_int_equal(plan.remaining, 0);
  assert_string_equal(plan.why, "");
}

static void every_trap_that_stays_is_told(void **state)
{
  (void)state;
  const struct interface_state card = {.ifindex = 5,
                                       .name = "card",
                                       .offloads_known = true,
                                       .offloads = INTERFACE_RX_LRO | INTERFACE_RX_VLAN_STRIP};
  const struct setup_wanted strict = {.traps = SETUP_STRIPPED_TAGS};
  struct setup_plan plan = plan_of(&card, NULL);
  struct shunt_error error = {0};
  assert_int_equal(plan.remaining, SETUP_AGGREGATES | SETUP_STRIPPED_TAGS);
  assert_non_null(strstr(plan.why, "rx-lro is fixed; card keeps VLAN tags"));
  assert_int_equal(setup_plan_from(&card, NULL, &strict, &plan, &error), -EOPNOTSUPP);
  assert_non_null(strstr(error.why, "rx-vlan-hw-parse is fixed"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_end_that_is_out_of_sight_may_do_all),
      cmocka_unit_test(of_an_end_that_was_seen_is_told_what_is_on),
      cmocka_unit_test(every_trap_that_stays_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
