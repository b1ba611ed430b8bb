/* SPDX-License-Identifier: BSD-2-Clause */
/* The same cases over every driver and device there is: what shunt/port.h promises, observed. */
#include "conformance/cases.h"

#include <errno.h>
#include <stdio.h>

#include "conformance/efvi_port.h"

static struct device devices[] = {
    {"82599 SFP+, shared tails", "ixgbe:twin?wire=c&id=10fb"},
    {"82599 SFP+, trapped", "ixgbe:twin?wire=c&id=10fb&mode=trap"},
    {"82599 CX4", "ixgbe:twin?wire=c&id=10f9"},
    {"82599 XAUI", "ixgbe:twin?wire=c&id=10fc"},
    /* The CX4 card: the SFP+ cage is asked bit by bit, three thousand messages for each port. */
    {.label = "82599 over vfio-user, shared tails", .keys = "wire=c&id=10f9"},
    {.label = "82599 over vfio-user, trapped", .keys = "wire=c&id=10f9&mode=trap"},
    {.label = "AF_XDP, skb",
     .name = "xdp:xa?mode=skb",
     .peer_name = "xdp:xb?mode=skb",
     .kernel = 1},
    {.label = "AF_XDP, drv",
     .name = "xdp:xa?mode=drv",
     .peer_name = "xdp:xb?mode=drv",
     .kernel = 1},
    {.label = "ef_vi on an 82599",
     .name = "efvi:ixgbe:twin?wire=c&id=10fb",
     .driver = &efvi_port_driver},
    {.label = "ef_vi on an 82599 over vfio-user",
     .keys = "wire=c&id=10f9",
     .driver = &efvi_port_driver,
     .prefix = "efvi:"},
    {.label = "ef_vi on AF_XDP",
     .name = "efvi:xdp:xa?mode=skb",
     .peer_name = "efvi:xdp:xb?mode=skb",
     .driver = &efvi_port_driver,
     .kernel = 1},
};

/* The twins of the case that runs, where they are behind sockets. */
static struct served *served;

void case_open(struct pair *pair, const struct device *device,
               const struct shunt_port_options *options, uint32_t buf_bytes)
{
  struct shunt_error error = {0};
  int result = pair_create(pair, device, served, options, buf_bytes, &error);
  if (result == -EOPNOTSUPP) {
    print_message("%s: %s\n", error.what, error.why);
    skip();
  }
  if (result)
    fail_msg("%s: %s: %s", device->label, error.what, error.why);
}

void case_skip_without(struct pair *pair, int result, const struct shunt_error *error)
{
  if (result != -EOPNOTSUPP)
    return;
  print_message("%s: %s\n", error->what, error->why);
  pair_destroy(pair);
  skip();
}

/* ---- Every case over every device ---- */

struct run {
  struct device *device;
  const struct conformance_case *one;
};

/* Made for the first case that wants them. */
static const char *no_interfaces;
static bool interfaces_tried;

static void run_case(void **state)
{
  const struct run *run = *state;
  if (run->device->kernel && !interfaces_tried) {
    no_interfaces = kernel_pair_make();
    interfaces_tried = true;
  }
  if (run->device->kernel && no_interfaces) {
    print_message("%s\n", no_interfaces);
    skip();
  }
  const char *lacks = run->device->driver ? efvi_port_lacks(run->one->name) : NULL;
  if (lacks) {
    print_message("%s\n", lacks);
    skip();
  }
  run->one->run(run->device);
}

static int start_served(void **state)
{
  const struct run *run = *state;
  struct shunt_error error = {0};
  if (run->device->keys && !(served = served_start(run->device, &error)))
    print_error("%s: %s\n", error.what, error.why);
  return run->device->keys && !served ? -1 : 0;
}

static int stop_served(void **state)
{
  (void)state;
  if (served)
    served_stop(served);
  served = NULL;
  return 0;
}

static const struct conformance_case *const groups[] = {ports_cases, frames_cases, settings_cases};

#define CASES_MOST 64
#define DEVICES    (sizeof(devices) / sizeof(devices[0]))

/* An argument is a pattern of cases to run alone: "*trapped: filters*". */
int main(int argc, char **argv)
{
  static struct CMUnitTest tests[CASES_MOST * DEVICES];
  static struct run runs[CASES_MOST * DEVICES];
  static char names[CASES_MOST * DEVICES][128];
  unsigned n = 0;
  for (unsigned d = 0; d < DEVICES; d++)
    for (unsigned g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
      for (const struct conformance_case *one = groups[g]; one->name; one++, n++) {
        if (n == CASES_MOST * DEVICES)
          return 1; /* CASES_MOST is too small */
        runs[n] = (struct run){&devices[d], one};
        snprintf(names[n], sizeof(names[n]), "%s: %s", devices[d].label, one->name);
        tests[n] = (struct CMUnitTest){.name = names[n],
                                       .test_func = run_case,
                                       .setup_func = start_served,
                                       .teardown_func = stop_served,
                                       .initial_state = &runs[n]};
      }
  if (argc > 1)
    cmocka_set_test_filter(argv[1]);
  return cmocka_run_group_tests_name("conformance", tests, NULL, NULL); /* skips empty ones */
}
