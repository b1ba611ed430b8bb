/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/pci/pci.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

/* A function with one register, which changes when its time has come. */
struct device {
  struct pci pci;
  struct shunt_virtual_clock virtual_clock;
  struct shunt_clock clock;
  uint32_t before, after;
  uint64_t change_ns;
  unsigned reads, steps, closed;
};

static uint32_t device_read32(struct pci *pci, unsigned bar, uint64_t offset)
{
  struct device *device = (struct device *)pci;
  assert_int_equal(bar, 0);
  assert_int_equal(offset, 0x2F00);
  device->reads++;
  return device->virtual_clock.now_ns >= device->change_ns ? device->after : device->before;
}

static unsigned device_step(struct pci *pci)
{
  ((struct device *)pci)->steps++;
  return 0;
}

static void device_close(struct pci *pci)
{
  ((struct device *)pci)->closed++;
}

static const struct pci_ops hardware = {.read32 = device_read32, .close = device_close};
static const struct pci_ops model = {.read32 = device_read32, .step = device_step};

static void make_device(struct device *device, const struct pci_ops *ops)
{
  *device = (struct device){.change_ns = UINT64_MAX};
  shunt_virtual_clock_init(&device->virtual_clock, 5 * MS);
  device->clock = shunt_virtual_clock_view(&device->virtual_clock);
  device->pci = (struct pci){.ops = ops, .clock = &device->clock, .address = "0000:03:00.0"};
}

static void a_wait_ends_when_the_register_says_so(void **state)
{
  (void)state;
  struct device device;
  make_device(&device, &hardware);
  device.before = 0xF0;
  device.after = 0xFF;
  device.change_ns = 5 * MS + 700 * US;
  assert_int_equal(pci_wait32(&device.pci, 0x2F00, 0x8, 0x8, 10 * MS, "DMAIDONE", NULL), 0);
  assert_in_range(device.virtual_clock.now_ns, 5 * MS + 700 * US, 5 * MS + 800 * US);
  /* What holds already takes no time. */
  uint64_t now_ns = device.virtual_clock.now_ns;
  assert_int_equal(pci_wait32(&device.pci, 0x2F00, 0x8, 0x8, 0, "DMAIDONE", NULL), 0);
  assert_int_equal(device.virtual_clock.now_ns, now_ns);
}

static void a_wait_ends_at_its_deadline_and_says_what_was_read(void **state)
{
  (void)state;
  struct device device;
  struct shunt_error error;
  make_device(&device, &hardware);
  device.before = 0x17;
  assert_int_equal(pci_wait32(&device.pci, 0x2F00, 0x8, 0x8, 3 * MS, "RDRXCTL.DMAIDONE", &error),
                   -ETIMEDOUT);
  assert_int_equal(device.virtual_clock.now_ns, 8 * MS);
  assert_non_null(strstr(error.what, "0000:03:00.0: waited 3000 us for RDRXCTL.DMAIDONE"));
  assert_non_null(strstr(error.why, "register 0x02f00"));
  assert_non_null(strstr(error.why, "should be 0x00000008; it reads 0x00000017"));
  assert_in_range(device.reads, 10, 60);
}

static void a_wait_that_comes_true_at_the_deadline_is_no_time_out(void **state)
{
  (void)state;
  struct device device;
  make_device(&device, &hardware);
  device.after = 1;
  device.change_ns = 6 * MS;
  assert_int_equal(pci_wait32(&device.pci, 0x2F00, 1, 1, MS, "bit", NULL), 0);
  device.change_ns = device.virtual_clock.now_ns + MS + 1;
  assert_int_equal(pci_wait32(&device.pci, 0x2F00, 1, 1, MS, "bit", NULL), -ETIMEDOUT);
}

static void a_device_that_is_gone_is_found_at_once(void **state)
{
  (void)state;
  struct device device;
  struct shunt_error error;
  make_device(&device, &hardware);
  device.before = UINT32_MAX;
  /* The bit that is waited for reads as set, and that must not count. */
  assert_int_equal(pci_wait32(&device.pci, 0x2F00, 0x8, 0x8, MS, "DMAIDONE", &error), -EIO);
  assert_int_equal(device.reads, 1);
  assert_non_null(strstr(error.what, "does not answer"));
  assert_non_null(strstr(error.why, "0xffffffff"));
  /* Unless all ones are what is waited for. */
  assert_int_equal(pci_wait32(&device.pci, 0x2F00, UINT32_MAX, UINT32_MAX, MS, "all", NULL), 0);
}

static void a_delay_lasts_as_long_as_asked(void **state)
{
  (void)state;
  struct device device;
  make_device(&device, &hardware);
  pci_delay_ns(&device.pci, 1234567);
  assert_int_equal(device.virtual_clock.now_ns, 5 * MS + 1234567);
  pci_delay_ns(&device.pci, 0);
  assert_int_equal(device.virtual_clock.now_ns, 5 * MS + 1234567);
}

static void a_model_gets_its_turns_meanwhile(void **state)
{
  (void)state;
  struct device device;
  make_device(&device, &model);
  pci_delay_ns(&device.pci, 10 * MS);
  assert_int_equal(device.virtual_clock.now_ns, 15 * MS);
  assert_in_range(device.steps, 100, 120);
  device.steps = 0;
  pci_delay_ns(&device.pci, 0);
  assert_int_equal(device.steps, 1);
  assert_int_equal(pci_wait32(&device.pci, 0x2F00, 1, 1, MS, "bit", NULL), -ETIMEDOUT);
  assert_in_range(device.steps, 11, 30);
  device.steps = 0;
  assert_int_equal(pci_step(&device.pci), 0);
  assert_int_equal(device.steps, 1);
}

static void closing_asks_the_back_end(void **state)
{
  (void)state;
  struct device device;
  make_device(&device, &hardware);
  pci_close(NULL);
  assert_int_equal(pci_step(&device.pci), 0);
  pci_close(&device.pci);
  assert_int_equal(device.closed, 1);
}

static void a_location_is_an_address_or_twin(void **state)
{
  (void)state;
  struct pci *pci = NULL;
  struct shunt_error error;
  struct pci_open_options options = {.sysfs = "/nowhere"};
  assert_int_equal(pci_open("twins", &options, &pci, &error), -EINVAL);
  assert_int_equal(pci_open("", &options, &pci, &error), -EINVAL);
  assert_int_equal(pci_open("0000:03:00.0", &options, &pci, &error), -ENODEV);
  assert_null(pci);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_wait_ends_when_the_register_says_so),
      cmocka_unit_test(a_wait_ends_at_its_deadline_and_says_what_was_read),
      cmocka_unit_test(a_wait_that_comes_true_at_the_deadline_is_no_time_out),
      cmocka_unit_test(a_device_that_is_gone_is_found_at_once),
      cmocka_unit_test(a_delay_lasts_as_long_as_asked),
      cmocka_unit_test(a_model_gets_its_turns_meanwhile),
      cmocka_unit_test(closing_asks_the_back_end),
      cmocka_unit_test(a_location_is_an_address_or_twin),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
