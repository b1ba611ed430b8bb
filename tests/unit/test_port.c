/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "shunt/ixgbe.h"
#include "shunt/port.h"
#include "shunt/testbed.h"

static void wrong_names_say_what_would_be_right(void **state)
{
  (void)state;
  const struct {
    const char *name;
    int code;
    const char *says;
  } wrong[] = {
      {"nosuch:twin", -EINVAL, "ixgbe"},
      {"ixgbe:twin?wier=a", -EINVAL, "wier"},
      {"ixgbe:twin?queues=1&module=gold", -EINVAL, "module"},
      {"ixgbe:twin?rx_ring=77", -EINVAL, "64"},
      {"ixgbe:ffff:ff:1f.7", -ENODEV, "ffff:ff:1f.7"},
      {"ixgbe:not-an-address", -EINVAL, "not-an-address"},
  };
  for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    struct shunt_port *port = (void *)0x1;
    struct shunt_error error = {0};
    char text[1024];
    assert_int_equal(shunt_port_open(wrong[i].name, NULL, &port, &error), wrong[i].code);
    assert_int_equal(error.code, wrong[i].code);
    assert_ptr_equal(port, (void *)0x1);
    shunt_error_format(&error, text, sizeof(text));
    assert_non_null(strstr(text, wrong[i].name)); /* the whole name, so that a log line suffices */
    assert_non_null(strstr(text, wrong[i].says));
    assert_int_equal(shunt_port_open(wrong[i].name, NULL, &port, NULL), wrong[i].code);
  }
}

static void a_given_region_stays_the_callers(void **state)
{
  (void)state;
  struct shunt_region *region;
  struct shunt_port *port;
  struct shunt_error error;
  assert_int_equal(shunt_region_create(NULL, &region, &error), 0);
  struct shunt_port_options options = {.size = sizeof(options), .region = region};
  assert_int_equal(shunt_port_open("ixgbe:twin", &options, &port, &error), 0);
  assert_ptr_equal(shunt_port_region(port), region);
  shunt_port_close(port);
  memset(shunt_region_base(region), 1, 4096); /* still there */
  shunt_region_destroy(region);

  assert_int_equal(shunt_port_open("ixgbe:twin?queues=3", NULL, &port, &error), 0);
  assert_true(shunt_region_bytes(shunt_port_region(port)) >= 3 * 1024 * 2048);
  shunt_port_close(port);
  shunt_port_close(NULL);
}

static void inline_verbs_are_for_bare_queues_of_the_82599(void **state)
{
  (void)state;
  const struct {
    const char *name;
    int inlined;
  } ports[] = {{"ixgbe:twin", 1},
               {"ixgbe:twin?rx_metadata=1", 1},
               {"ixgbe:twin?mode=trap", 0},
               {"ixgbe:twin?checked=1", 0}};
  for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
    struct shunt_port *port;
    struct shunt_error error;
    assert_int_equal(shunt_port_open(ports[i].name, NULL, &port, &error), 0);
#ifndef SHUNT_CHECKED
    assert_int_equal(shunt_ixgbe_queue(shunt_port_queue(port, 0)) != NULL, ports[i].inlined);
#endif
    shunt_port_close(port);
  }
  assert_null(shunt_ixgbe_queue(NULL));
}

static void filling_stops_at_ring_or_pool(void **state)
{
  (void)state;
  struct shunt_port *port;
  struct shunt_pool *small, *large;
  struct shunt_error error;
  assert_int_equal(shunt_port_open("ixgbe:twin?rx_ring=128", NULL, &port, &error), 0);
  struct shunt_region *region = shunt_port_region(port);
  assert_int_equal(shunt_pool_create(region, 100, &small, &error), 0);
  assert_int_equal(shunt_pool_create(region, 100, &large, &error), 0);
  assert_int_equal(shunt_rx_fill(shunt_port_queue(port, 0), small), 100);
  assert_int_equal(shunt_pool_free(small), 0);
  assert_int_equal(shunt_rx_fill(shunt_port_queue(port, 0), large), 27);
  assert_int_equal(shunt_pool_free(large), 73);
  shunt_pool_destroy(small);
  shunt_pool_destroy(large);
  shunt_port_close(port);
}

static void wrong_steering_is_refused_before_the_device(void **state)
{
  (void)state;
  struct shunt_port *port;
  struct shunt_error error;
  uint32_t id;
  struct shunt_filter filter = {.size = sizeof(filter), .queue = 2, .protocol = 17};
  struct shunt_rss rss = {.size = sizeof(rss), .table = {[100] = 2}};
  assert_int_equal(shunt_port_open("ixgbe:twin?queues=2", NULL, &port, &error), 0);
  assert_int_equal(shunt_port_filter_add(port, &filter, &id, &error), -EINVAL);
  assert_non_null(strstr(error.why, "0 to 1"));
  assert_int_equal(shunt_port_rss_set(port, &rss, &error), -EINVAL);
  assert_non_null(strstr(error.what, "entry 100"));
  assert_int_equal(shunt_port_vlan_add(port, 4095, &error), -EINVAL);
  shunt_port_close(port);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(wrong_names_say_what_would_be_right),
      cmocka_unit_test(a_given_region_stays_the_callers),
      cmocka_unit_test(inline_verbs_are_for_bare_queues_of_the_82599),
      cmocka_unit_test(filling_stops_at_ring_or_pool),
      cmocka_unit_test(wrong_steering_is_refused_before_the_device),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
