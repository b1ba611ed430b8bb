/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "src/port/name.h"

static void a_name_is_driver_location_keys(void **state)
{
  (void)state;
  struct port_name name;
  struct shunt_error error;
  assert_int_equal(port_name_parse(&name, "ixgbe:0000:03:00.0", &error), 0);
  assert_string_equal(name.driver, "ixgbe");
  assert_string_equal(name.location, "0000:03:00.0");
  assert_int_equal(name.params.count, 0);

  assert_int_equal(port_name_parse(&name, "ixgbe:vfio-user:/run/x.sock?queues=4&mtu=9000", &error),
                   0);
  assert_string_equal(name.location, "vfio-user:/run/x.sock");
  assert_int_equal(name.params.count, 2);
  assert_string_equal(params_take(&name.params, "mtu"), "9000");
}

static void what_is_no_name_is_refused(void **state)
{
  (void)state;
  char long_name[400];
  memset(long_name, 'a', sizeof(long_name));
  memcpy(long_name, "ixgbe:", 6);
  long_name[399] = 0;
  const char *const wrong[] = {NULL,
                               "",
                               "ixgbe",
                               ":03:00.0",
                               "ixgbe:",
                               "ixgbe:?queues=1",
                               "averyveryverylongdriver:x",
                               "ixgbe:twin?queues",
                               "ixgbe:twin?queues=1&queues=2",
                               long_name};
  for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    struct port_name name;
    struct shunt_error error = {0};
    assert_int_equal(port_name_parse(&name, wrong[i], &error), -EINVAL);
    assert_int_equal(error.code, -EINVAL);
    assert_true(error.what[0] != 0);
  }
}

static int complete(const char *keys, const struct shunt_port_options *given,
                    struct shunt_port_options *options, struct shunt_error *error)
{
  struct params params;
  assert_int_equal(params_parse(&params, keys, error), 0);
  return port_options_complete(options, given, &params, error);
}

static void defaults_are_filled_in(void **state)
{
  (void)state;
  struct shunt_port_options options;
  struct shunt_error error;
  assert_int_equal(complete(NULL, NULL, &options, &error), 0);
  assert_int_equal(options.queues, 1);
  assert_int_equal(options.rx_ring, 512);
  assert_int_equal(options.tx_ring, 512);
  assert_int_equal(options.mtu, 1500);
  assert_int_equal(options.tx_report_interval, 1);
  assert_int_equal(options.interrupt_interval_us, 20);
  assert_non_null(options.clock);
  assert_int_equal(options.rx_metadata, 0);
}

static void keys_override_options(void **state)
{
  (void)state;
  const struct shunt_port_options given = {
      .size = sizeof(given), .queues = 2, .mtu = 2000, .promiscuous = 1};
  struct shunt_port_options options;
  struct shunt_error error;
  assert_int_equal(
      complete("queues=8&promiscuous=off&vlan_strip=yes&rx_ring=0x400", &given, &options, &error),
      0);
  assert_int_equal(options.queues, 8);
  assert_int_equal(options.mtu, 2000);
  assert_int_equal(options.promiscuous, 0);
  assert_int_equal(options.rx_ring, 1024);
  assert_int_equal(options.rx_metadata, 1); /* where else would the tag go */
}

static void an_older_callers_options_are_shorter(void **state)
{
  (void)state;
  struct shunt_port_options given, options;
  struct shunt_error error;
  memset(&given, 0xFF, sizeof(given)); /* what lies behind the end must not be read */
  given.size = offsetof(struct shunt_port_options, queues);
  given.region = NULL;
  assert_int_equal(complete(NULL, &given, &options, &error), 0);
  assert_int_equal(options.queues, 1);
  given.size = sizeof(given) + 8;
  assert_int_equal(complete(NULL, &given, &options, &error), -EINVAL);
  assert_non_null(strstr(error.remedy, "sizeof"));
  given.size = 0;
  assert_int_equal(complete(NULL, &given, &options, &error), -EINVAL);
}

static void values_out_of_range_name_the_rule(void **state)
{
  (void)state;
  const struct {
    const char *keys, *rule;
  } wrong[] = {{"rx_ring=100", "64, 128"},
               {"tx_ring=8192", ""},
               {"rx_ring=32", ""},
               {"queues=0", ""},
               {"queues=129", ""},
               {"mtu=67", ""},
               {"mtu=9711", ""},
               {"interrupt_interval_us=1", ""},
               {"tx_ring=64&tx_report_interval=33", "half of tx_ring"},
               {"checked=maybe", ""},
               {"mtu=15x", ""},
               {"mtu=-1", ""}};
  for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    struct shunt_port_options options;
    struct shunt_error error = {0};
    assert_int_equal(complete(wrong[i].keys, NULL, &options, &error), -EINVAL);
    assert_true(error.what[0] != 0);
    assert_non_null(strstr(error.why, wrong[i].rule));
  }
  struct shunt_port_options given = {.size = sizeof(given), .rx_ring = 65}, options;
  struct shunt_error error = {0};
  assert_int_equal(complete(NULL, &given, &options, &error), -EINVAL);
  assert_non_null(strstr(error.why, "64, 128"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_name_is_driver_location_keys),
      cmocka_unit_test(what_is_no_name_is_refused),
      cmocka_unit_test(defaults_are_filled_in),
      cmocka_unit_test(keys_override_options),
      cmocka_unit_test(an_older_callers_options_are_shorter),
      cmocka_unit_test(values_out_of_range_name_the_rule),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
