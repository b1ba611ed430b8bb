/* SPDX-License-Identifier: BSD-2-Clause */
/* VLANs: filter, strip, insert. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ixgbe_rig.h"

static int queue_of_vlan(struct rig *rig, uint16_t vlan)
{
  struct rig_flow flow = rig_flow_to_port(rig);
  flow.vlan = vlan;
  return rig_queue_of(rig, &flow);
}

static int change(struct rig *rig, uint16_t vlan, bool add)
{
  return add ? shunt_port_vlan_add(rig->port, vlan, &rig->error)
             : shunt_port_vlan_remove(rig->port, vlan, &rig->error);
}

static void the_first_turns_the_filter_on_and_the_last_off(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "");
  assert_int_equal(queue_of_vlan(rig, 100), 0);
  assert_int_equal(change(rig, 100, true), 0);
  assert_int_equal(change(rig, 4094, true), 0);
  assert_int_equal(queue_of_vlan(rig, 100), 0);
  assert_int_equal(queue_of_vlan(rig, 4094), 0);
  assert_int_equal(queue_of_vlan(rig, 101), -1);
  assert_int_equal(queue_of_vlan(rig, 0), 0); /* untagged */
  assert_int_equal(change(rig, 100, false), 0);
  assert_int_equal(queue_of_vlan(rig, 100), -1);
  assert_int_equal(change(rig, 4094, false), 0);
  assert_int_equal(queue_of_vlan(rig, 100), 0);
  rig_assert_no_faults(rig);
}

static void added_twice_is_removed_twice(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "");
  assert_int_equal(change(rig, 5, true), 0);
  assert_int_equal(change(rig, 5, true), 0);
  assert_int_equal(change(rig, 5, false), 0);
  assert_int_equal(queue_of_vlan(rig, 5), 0);
  assert_int_equal(queue_of_vlan(rig, 6), -1);
  assert_int_equal(change(rig, 5, false), 0);
  assert_int_equal(change(rig, 5, false), -ENOENT);
  assert_int_equal(change(rig, 4095, true), -EINVAL);
}

static void a_tag_is_taken_off_and_told(void **state)
{
  struct rig *rig = *state;
  rig->options.vlan_strip = rig->options.rx_metadata = 1;
  rig_open(rig, "");
  struct shunt_queue *q = shunt_port_queue(rig->port, 0);
  struct rig_flow flow = rig_flow_to_port(rig);
  flow.vlan = 0x6123; /* priority 3 */
  flow.bytes = 80;
  rig_send_flow(rig, &flow, 0x11);
  flow.vlan = 0;
  rig_send_flow(rig, &flow, 0x22);
  assert_int_equal(rig_receive(rig, 0), 2);
  assert_int_equal(rig->frames[0].len, 76);
  assert_true(rig->frames[0].flags & SHUNT_FRAME_VLAN);
  assert_int_equal(rig->frames[0].vlan, 0x6123);
  uint8_t *data = shunt_frame_data(q, &rig->frames[0]);
  assert_int_equal(shunt_load_be16(data + 12), 0x0800);
  assert_int_equal(data[75], 0x11);
  assert_int_equal(rig->frames[1].len, 80);
  assert_false(rig->frames[1].flags & SHUNT_FRAME_VLAN);
}

static void without_strip_the_tag_stays(void **state)
{
  struct rig *rig = *state;
  rig->options.rx_metadata = 1;
  rig_open(rig, "");
  struct rig_flow flow = rig_flow_to_port(rig);
  flow.vlan = 7;
  rig_send_flow(rig, &flow, 0);
  assert_int_equal(rig_receive(rig, 0), 1);
  assert_int_equal(rig->frames[0].len, 64);
  uint8_t *data = shunt_frame_data(shunt_port_queue(rig->port, 0), &rig->frames[0]);
  assert_int_equal(shunt_load_be16(data + 12), 0x8100);
}

static void a_tag_is_put_on(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "");
  struct shunt_queue *q = shunt_port_queue(rig->port, 0);
  struct shunt_frame frame = {.len = 80, .flags = SHUNT_FRAME_VLAN, .vlan = 0x2064};
  struct rig_flow flow = {.to = {{2, 2, 2, 2, 2, 2}}, .bytes = 80};
  assert_int_equal(shunt_pool_take(rig->pool, &frame.addr, 1), 1);
  rig_frame(shunt_frame_data(q, &frame), &flow, 0x33);
  assert_int_equal(shunt_tx_post(q, &frame, 1), 1);
  shunt_tx_push(q);
  rig_run(rig, 20);
  assert_int_equal(rig->sent_by_port, 1);
  assert_int_equal(rig->last_bytes, 84);
  assert_int_equal(shunt_load_be16(rig->last + 12), 0x8100);
  assert_int_equal(shunt_load_be16(rig->last + 14), 0x2064);
  assert_int_equal(shunt_load_be16(rig->last + 16), 0x0800);
  assert_int_equal(rig->last[83], 0x33);
  rig_assert_no_faults(rig);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
      TEST(the_first_turns_the_filter_on_and_the_last_off),
      TEST(added_twice_is_removed_twice),
      TEST(a_tag_is_taken_off_and_told),
      TEST(without_strip_the_tag_stays),
      TEST(a_tag_is_put_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
