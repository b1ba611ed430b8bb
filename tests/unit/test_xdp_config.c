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
  struct cli_config *config = NULL;
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
  becomes("[net.xdp]\nrules_file = \"/etc/shunt/feeds.rules\"\n", "xdp:e?queue=1",
          "xdp:e?queue=1&rules_file=/etc/shunt/feeds.rules");
}

static void what_the_name_contradicts_goes(void **state)
{
  (void)state;
  becomes("[net.xdp]\nxdp_mode = skb\nqueue = 3\n", "xdp:e?drv=require",
          "xdp:e?drv=require&queue=3");
  becomes("[net.xdp]\ndrv = require\nhw = prefer\n", "xdp:e?mode=auto", "xdp:e?mode=auto");
  becomes("[net.xdp]\nxdp_zero_copy = true\n", "xdp:e?copy=require", "xdp:e?copy=require");
  becomes("[net.xdp]\nrules = arp\nrules_file = x\n", "xdp:e?join=1", "xdp:e?join=1");
  becomes("[net.xdp]\nrules_file = x\n", "xdp:e?rules=arp", "xdp:e?rules=arp");
  becomes("[net.xdp]\njoin = 1\n", "xdp:e?rules=arp", "xdp:e?rules=arp");
  becomes("[net.xdp]\njoin = 1\n", "xdp:e?helper=1", "xdp:e?helper=1");
  becomes("[net.xdp]\nhelper = 1\nrules = arp\n", "xdp:e?join=1", "xdp:e?join=1");
  /* What is off contradicts nothing. */
  becomes("[net.xdp]\nrules = arp\n", "xdp:e?join=no", "xdp:e?join=no&rules=arp");
  becomes("[net.xdp]\nhelper = 1\n", "xdp:e?join=0&queue=1", "xdp:e?join=0&queue=1&helper=1");
  becomes("[net.xdp]\njoin = 1\n", "xdp:e?helper=0", "xdp:e?helper=0&join=1");
  /* Keys of the section that go together stay together. */
  becomes("[net.xdp]\nmode = drv\nskb = prefer\nrules = arp\nrules_file = x\n", "xdp:e",
          "xdp:e?mode=drv&skb=prefer&rules=arp&rules_file=x");
}

/* what: of the error; line 0: none is named */
static void is_refused(const char *file, unsigned wanted_line, const char *what)
{
  struct cli_config *config = NULL;
  struct shunt_error error;
  unsigned line = 99;
  assert_int_equal(cli_config_parse(file, &config, &error), 0);
  assert_int_equal(xdp_config_check(config, &line, &error), -EINVAL);
  assert_int_equal(line, wanted_line);
  if (!strstr(error.what, what))
    fail_msg("\"%s\" does not say \"%s\"", error.what, what);
  cli_config_free(config);
}

static void mistakes_are_found_with_their_line(void **state)
{
  (void)state;
  is_refused("[net.xdp]\n\nbogus = 1\n", 3, "the key bogus is not known");
  is_refused("# 1\n[net.xdp]\nxdp_mode = drv\nmode = skb\n", 4, "the key mode is given twice");
  is_refused("[net.xdp]\nzero_copy = never\n[echo]\nbatch = 1\n[net.xdp]\nxdp_zero_copy = 1\n", 6,
             "the key zero_copy is given twice");
  is_refused("[net.xdp]\nrules = arp\n  udp port 9\n", 3, "the key rules is given twice");
  is_refused("[net.xdp]\nxdp_mode = native\n", 2, "mode=native");
  is_refused("[net.xdp]\nqueues = many\n", 2, "queues=many");
  is_refused("[net.xdp]\nrules = udp prot 9\n", 2, "prot");
  is_refused("[net.xdp]\nmode = drv&queue=1\n", 2, "has an &");
  /* Each is right, and all of them are not. */
  is_refused("[net.xdp]\nrules = arp\njoin = 1\n", 0, "rules and join exclude each other");
  is_refused("[net.xdp]\nmode = drv\nskb = require\n", 0, "can't both be required");
}

static void a_section_that_is_too_long_is_refused(void **state)
{
  (void)state;
  static const char *const keys[] = {"queue",       "channels", "tx_budget", "busy_poll_us",
                                     "busy_budget", "rx_ring",  "tx_ring"};
  char file[2048] = "[net.xdp]\nrules = arp\n";
  for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
    snprintf(file + strlen(file), sizeof(file) - strlen(file), "%s = %0150u\n", keys[i], 64);
  is_refused(file, 9, "too long");
}

static void what_is_right_is_taken(void **state)
{
  (void)state;
  static const char *const files[] = {
      "", "[net.xdp]\n", "[other]\nbogus = 1\n",
      "[net.xdp]\nxdp_mode = \"drv\"\nxdp_zero_copy = true\nrules = arp\nrules_file = /nowhere\n",
      "[net.xdp]\ntx_report_interval = 1024\nqueues = 2\ncapture = 1"};
  for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
    struct cli_config *config = NULL;
    struct shunt_error error = {0};
    unsigned line;
    assert_int_equal(cli_config_parse(files[i], &config, &error), 0);
    if (xdp_config_check(config, &line, &error))
      fail_msg("\"%s\": %s: %s", files[i], error.what, error.why);
    cli_config_free(config);
  }
  unsigned line;
  assert_int_equal(xdp_config_check(NULL, &line, NULL), 0);
}

static void a_long_line_is_no_two(void **state)
{
  (void)state;
  char file[400] = "[net.xdp]\nrules = ";
  struct cli_config *config = NULL;
  struct shunt_error error;
  memset(file + strlen(file), ';', 250);
  assert_int_equal(cli_config_parse(file, &config, &error), -EINVAL);
  assert_non_null(strstr(error.what, "line 2"));
  cli_config_free(config); /* NULL: nothing was made */
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
      cmocka_unit_test(what_the_name_contradicts_goes),
      cmocka_unit_test(mistakes_are_found_with_their_line),
      cmocka_unit_test(a_section_that_is_too_long_is_refused),
      cmocka_unit_test(what_is_right_is_taken),
      cmocka_unit_test(a_long_line_is_no_two),
      cmocka_unit_test(other_drivers_are_left_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
