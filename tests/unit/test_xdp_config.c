/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/shunt/config.c"     /* NOLINT(bugprone-suspicious-include) */
#include "tools/shunt/xdp_config.c" /* NOLINT(bugprone-suspicious-include) */

static void becomes(const char *file, const char *name, const char *wanted)
{
  struct cli_config *config;
  struct shunt_error error;
  assert_int_equal(cli_config_parse(file, &config, &error), 0);
  assert_string_equal(xdp_config_name(config, name), wanted);
  cli_config_free(config);
}

static void keys_go_behind_the_name(void **state)
{
  (void)state;
  becomes("[net.xdp]\nxdp_mode = drv\nbusy_poll_us = 20\n", "xdp:eth0",
          "xdp:eth0?mode=drv&busy_poll_us=20");
  becomes("[net.xdp]\nxdp_mode = drv\n", "xdp:eth0?queues=2", "xdp:eth0?queues=2&mode=drv");
  becomes("[net.xdp]\n", "xdp:eth0", "xdp:eth0");
}

static void what_the_name_says_wins(void **state)
{
  (void)state;
  becomes("[net.xdp]\nxdp_mode = drv\nqueue = 3\n", "xdp:eth0?mode=skb",
          "xdp:eth0?mode=skb&queue=3");
  becomes("[net.xdp]\nqueue = 3\n", "xdp:eth0?queues=2&queue=1", "xdp:eth0?queues=2&queue=1");
  /* A key that another begins with is not that other. */
  becomes("[net.xdp]\nqueue = 3\n", "xdp:eth0?queues=2", "xdp:eth0?queues=2&queue=3");
}

static void values_of_the_guide_are_read(void **state)
{
  (void)state;
  becomes("[net.xdp]\nxdp_mode = \"skb\"\nxdp_zero_copy = false\n", "xdp:e",
          "xdp:e?mode=skb&zero_copy=never");
  becomes("[net.xdp]\nxdp_zero_copy = true\n", "xdp:e", "xdp:e?zero_copy=require");
  becomes("[net.xdp]\nxdp_zero_copy = prefer\n", "xdp:e", "xdp:e?zero_copy=prefer");
  becomes("[net.xdp]\nrules = \"arp;udp port 9\"\n", "xdp:e", "xdp:e?rules=arp;udp port 9");
  becomes("[net.xdp]\nrules_file = \"/etc/shunt/feeds.rules\"\n", "xdp:e?rules=arp",
          "xdp:e?rules=arp&rules_file=/etc/shunt/feeds.rules");
}

static void other_drivers_are_left_alone(void **state)
{
  (void)state;
  becomes("[net.xdp]\nxdp_mode = drv\n", "ixgbe:twin", "ixgbe:twin");
  becomes("[other]\nxdp_mode = drv\n", "xdp:eth0", "xdp:eth0");
  const char *name = "xdp:eth0";
  assert_ptr_equal(xdp_config_name(NULL, name), name);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(keys_go_behind_the_name),
      cmocka_unit_test(what_the_name_says_wins),
      cmocka_unit_test(values_of_the_guide_are_read),
      cmocka_unit_test(other_drivers_are_left_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
