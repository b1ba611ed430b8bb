/* SPDX-License-Identifier: BSD-2-Clause */
/* Metadata in front of sent frames, with the kernel's side played by the test. What frames ask for
 * is in test_xdp_verbs.c. */
#include "unit/xdp_rig.h"

static struct shunt_port *port;
static struct shunt_xdp_queue *q;

static void open_port(const char *keys)
{
  struct shunt_error error = {0};
  rig_reset();
  if (rig_open_with(NULL, keys, &port, &error))
    fail_msg("%s: %s", error.what, error.why);
  struct shunt_queue *head = port->ops->queue(port, 0);
  head->inner = head->verbs;
  q = shunt_xdp_queue_of(head);
  assert_non_null(q);
}

/* Send a frame from addr, which the driver stamps with this time, 0: it does not stamp. Returns
 * what is known of it. */
static uint64_t time_of(shunt_buf addr, uint32_t flags, uint64_t stamp_ns)
{
  const struct shunt_frame frame = {
      .addr = addr, .len = 60, .flags = (uint16_t)flags, .l2_bytes = 14, .l3_bytes = 20};
  uint8_t *stamp = q->head.base + addr - sizeof(struct xdp_tx_metadata) +
                   offsetof(struct xdp_tx_metadata, completion);
  shunt_buf back = 0;
  assert_int_equal(shunt_xdp_tx_post(q, &frame, 1), 1);
  if (stamp_ns)
    memcpy(stamp, &stamp_ns, sizeof(stamp_ns));
  shunt_xdp_tx_push(q);
  rig_take(0, 1);
  assert_int_equal(shunt_xdp_tx_poll(q, &back, 1), 1);
  return shunt_xdp_tx_time(q, back);
}

static void what_was_not_stamped_has_no_time(void **state)
{
  (void)state;
  open_port("checksum=device&tx_time=1");
  assert_int_equal(time_of(2048 + 256, SHUNT_FRAME_UDP_SUM, 0), 0);
  assert_int_equal(time_of(4096 + 256, SHUNT_FRAME_UDP_SUM, UINT64_C(5000000001)), 5000000001);
  assert_int_equal(time_of(6144 + 256, 0, 0), 0);
  assert_int_equal(time_of(8192 + 256, 0, 7), 7); /* a clock that has just begun */
  rig_end(port);
}

/* The kernel would give such a frame back by another address, and its time would be read there. */
static void frames_at_odd_addresses_are_not_stamped(void **state)
{
  (void)state;
  const struct shunt_frame odd = {.addr = 2048 + 129, .len = 60};
  open_port("tx_time=1");
  assert_int_equal(shunt_xdp_tx_post(q, &odd, 1), 0);
  assert_int_equal(xdp_queue_of(q)->counts.tx_refused, 1);
  assert_int_equal(time_of(2048 + 130, 0, 9), 9);
  rig_end(port);
  open_port("checksum=kernel"); /* whose request is read where it was put */
  assert_int_equal(shunt_xdp_tx_post(q, &odd, 1), 1);
  rig_end(port);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_was_not_stamped_has_no_time),
      cmocka_unit_test(frames_at_odd_addresses_are_not_stamped),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  shunt_region_destroy(rig_region);
  return failed;
}
