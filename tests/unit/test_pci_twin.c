/* SPDX-License-Identifier: BSD-2-Clause */
/* The in-process back end (src/pci/inproc.c) with the software 82599 behind it: what a driver meets
 * in its first steps. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hw/ixgbe.h"
#include "shunt/testbed.h"
#include "src/pci/pci.h"

#define MS UINT64_C(1000000)

static struct pci *open_twin(struct shunt_testbed *testbed, const char *keys)
{
  struct pci *pci = NULL;
  struct shunt_error error;
  struct pci_open_options options = {.testbed = testbed, .kind = "ixgbe", .keys = keys};
  if (pci_open("twin", &options, &pci, &error) != 0)
    fail_msg("%s: %s", error.what, error.why);
  return pci;
}

static void it_is_an_82599(void **state)
{
  (void)state;
  struct pci *pci = open_twin(NULL, "id=10f9");
  assert_int_equal(pci->vendor, 0x8086);
  assert_int_equal(pci->device, 0x10F9);
  assert_int_equal(pci->vectors, 64);
  assert_true(pci->is_model);
  assert_non_null(strstr(pci->path, "twin"));
  pci_close(pci);
}

static void a_reset_clears_itself_in_time(void **state)
{
  (void)state;
  struct pci *pci = open_twin(NULL, NULL);
  struct shunt_error error = {0};
  pci_write32(pci, IXGBE_CTRL, pci_read32(pci, IXGBE_CTRL) | IXGBE_CTRL_RST);
  assert_int_equal(pci_wait32(pci, IXGBE_CTRL, IXGBE_CTRL_RST, 0, 100 * MS, "CTRL.RST", &error), 0);
  assert_int_not_equal(pci_read32(pci, IXGBE_STATUS), UINT32_MAX);
  pci_close(pci);
}

static void two_private_twins_do_not_know_each_other(void **state)
{
  (void)state;
  struct pci *left = open_twin(NULL, NULL), *right = open_twin(NULL, NULL);
  pci_write32(left, IXGBE_FCTRL, 0x402);
  pci_write32(right, IXGBE_FCTRL, 0x100);
  assert_int_equal(pci_read32(left, IXGBE_FCTRL), 0x402);
  assert_int_equal(pci_read32(right, IXGBE_FCTRL), 0x100);
  pci_close(left);
  assert_int_equal(pci_read32(right, IXGBE_FCTRL), 0x100);
  pci_close(right);
}

static void tails_are_direct_in_shared_mode_only(void **state)
{
  (void)state;
  struct pci *pci = open_twin(NULL, "mode=shared");
  assert_non_null(pci_direct(pci, IXGBE_RDT(0)));
  assert_non_null(pci_direct(pci, IXGBE_TDT(0)));
  assert_null(pci_direct(pci, IXGBE_CTRL));
  pci_close(pci);
  pci = open_twin(NULL, "mode=trap");
  assert_null(pci_direct(pci, IXGBE_RDT(0)));
  assert_null(pci_direct(pci, IXGBE_TDT(0)));
  pci_close(pci);
}

static void a_cause_that_is_set_arrives_as_an_interrupt(void **state)
{
  (void)state;
  struct pci *pci = open_twin(NULL, NULL);
  int fds[2];
  assert_int_equal(pci->ops->interrupts(pci, 2, fds, NULL), 0);
  /* MSI-X mode, cause 0 on vector 1 (datasheet 7.3.4.3 and 8.2.3.5). */
  pci_write32(pci, IXGBE_GPIE,
              IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_EIAME | IXGBE_GPIE_PBA_SUPPORT);
  pci_write32(pci, IXGBE_IVAR(0), IXGBE_IVAR_VALID | 1);
  pci_write32(pci, IXGBE_EIMS, 1u << 1);
  pci_write32(pci, IXGBE_EICS, 1u << 1);
  pci_delay_ns(pci, MS);
  struct pollfd wait[2] = {{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};
  assert_int_equal(poll(wait, 2, 0), 1);
  assert_true(wait[1].revents & POLLIN);
  pci_close(pci);
}

static void a_wrong_key_is_refused(void **state)
{
  (void)state;
  struct pci *pci = NULL;
  struct shunt_error error = {0};
  struct pci_open_options options = {.kind = "ixgbe", .keys = "colour=blue"};
  assert_int_equal(pci_open("twin", &options, &pci, &error), -EINVAL);
  assert_null(pci);
  assert_string_not_equal(error.what, "");
}

static void the_callers_testbed_survives(void **state)
{
  (void)state;
  struct shunt_testbed *testbed;
  assert_int_equal(shunt_testbed_create(NULL, &testbed, NULL), 0);
  struct pci *left = open_twin(testbed, "wire=a"), *right = open_twin(testbed, "wire=a");
  pci_close(left);
  pci_step(right);
  pci_close(right);
  left = open_twin(testbed, "wire=b");
  pci_close(left);
  shunt_testbed_destroy(testbed);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_is_an_82599),
      cmocka_unit_test(a_reset_clears_itself_in_time),
      cmocka_unit_test(two_private_twins_do_not_know_each_other),
      cmocka_unit_test(tails_are_direct_in_shared_mode_only),
      cmocka_unit_test(a_cause_that_is_set_arrives_as_an_interrupt),
      cmocka_unit_test(a_wrong_key_is_refused),
      cmocka_unit_test(the_callers_testbed_survives),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
