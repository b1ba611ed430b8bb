/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts over vfio-user: which eventfd is signalled, and when. */
#include "vfio_user_rig.h"

#include <fcntl.h>

#define INTX  VFIO_PCI_INTX_IRQ_INDEX
#define MSI   VFIO_PCI_MSI_IRQ_INDEX
#define MSIX  VFIO_PCI_MSIX_IRQ_INDEX
#define EVENT (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)
#define NONE  VFIO_IRQ_SET_DATA_NONE

static struct rig rig;
static int events[RIG_VECTORS];

static int set_up(void **state)
{
  (void)state;
  rig_open(&rig, NULL);
  for (unsigned i = 0; i < RIG_VECTORS; i++)
    events[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  for (unsigned i = 0; i < RIG_VECTORS; i++)
    close(events[i]);
  rig_end(&rig);
  return 0;
}

static void raise_vector(unsigned vector)
{
  rig_write32(&rig, 0, RIG_INTERRUPT, vector);
}

static void each_vector_has_its_eventfd(void **state)
{
  (void)state;
  assert_int_equal(rig_set_irqs(&rig, EVENT, MSIX, 0, 16, events, 16), 0);
  assert_int_equal(rig_set_irqs(&rig, EVENT, MSIX, 16, 4, events + 16, 4), 0);
  for (unsigned i = 0; i < RIG_VECTORS; i++) {
    raise_vector(i);
    for (unsigned k = 0; k < RIG_VECTORS; k++)
      assert_int_equal(rig_signals(events[k]), k == i);
  }
  assert_int_equal(rig_count(&rig, "interrupts"), RIG_VECTORS);
}

static void eventfds_are_replaced_and_taken_away(void **state)
{
  (void)state;
  assert_int_equal(rig_set_irqs(&rig, EVENT, MSIX, 0, 3, events, 3), 0);
  assert_int_equal(rig_set_irqs(&rig, EVENT, MSIX, 1, 1, events + 7, 1), 0);
  raise_vector(1);
  assert_int_equal(rig_signals(events[1]), 0);
  assert_int_equal(rig_signals(events[7]), 1);
  /* No descriptor: those are deassigned, and only those. */
  assert_int_equal(rig_set_irqs(&rig, EVENT, MSIX, 0, 2, NULL, 0), 0);
  raise_vector(0);
  raise_vector(1);
  raise_vector(2);
  assert_int_equal(rig_signals(events[0]) + rig_signals(events[7]), 0);
  assert_int_equal(rig_signals(events[2]), 1);
  assert_int_equal(rig_count(&rig, "interrupts_unheard"), 2);
  /* Count 0 without data: the whole kind. */
  assert_int_equal(rig_set_irqs(&rig, NONE | VFIO_IRQ_SET_ACTION_TRIGGER, MSIX, 0, 0, NULL, 0), 0);
  raise_vector(2);
  assert_int_equal(rig_signals(events[2]), 0);
}

static void msi_stands_in_for_vector_0(void **state)
{
  (void)state;
  assert_int_equal(rig_set_irqs(&rig, EVENT, MSI, 0, 1, events, 1), 0);
  raise_vector(0);
  assert_int_equal(rig_signals(events[0]), 1);
  raise_vector(1);
  assert_int_equal(rig_signals(events[0]), 0);
}

static void clients_can_trigger_by_themselves(void **state)
{
  static struct rig_reply reply;
  struct {
    struct vfio_user_irq_set set;
    uint8_t chosen[4];
  } bools = {{24, VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER, MSIX, 1, 4}, {1, 0, 0, 1}};
  (void)state;
  assert_int_equal(rig_set_irqs(&rig, EVENT, MSIX, 0, 6, events, 6), 0);
  assert_int_equal(rig_set_irqs(&rig, NONE | VFIO_IRQ_SET_ACTION_TRIGGER, MSIX, 1, 2, NULL, 0), 0);
  assert_int_equal(rig_signals(events[0]), 0);
  assert_int_equal(rig_signals(events[1]), 1);
  assert_int_equal(rig_signals(events[2]), 1);
  assert_int_equal(rig_ask(&rig, VFIO_USER_DEVICE_SET_IRQS, &bools, sizeof bools, &reply), 0);
  for (unsigned i = 0; i < 6; i++)
    assert_int_equal(rig_signals(events[i]), i == 1 || i == 4);
  /* A byte for each, or nothing is done. */
  assert_int_equal(rig_ask(&rig, VFIO_USER_DEVICE_SET_IRQS, &bools, sizeof bools - 1, &reply),
                   EINVAL);
  assert_int_equal(rig_signals(events[1]), 0);
}

static void masked_vectors_wait(void **state)
{
  (void)state;
  assert_int_equal(rig_set_irqs(&rig, EVENT, MSIX, 0, 2, events, 2), 0);
  assert_int_equal(rig_set_irqs(&rig, NONE | VFIO_IRQ_SET_ACTION_MASK, MSIX, 0, 1, NULL, 0), 0);
  raise_vector(0);
  raise_vector(0);
  raise_vector(1);
  assert_int_equal(rig_signals(events[0]), 0);
  assert_int_equal(rig_signals(events[1]), 1);
  assert_int_equal(rig_set_irqs(&rig, NONE | VFIO_IRQ_SET_ACTION_UNMASK, MSIX, 0, 2, NULL, 0), 0);
  assert_int_equal(rig_signals(events[0]), 1);
  assert_int_equal(rig_signals(events[1]), 0);
}

static void intx_masks_itself_and_comes_again_while_the_line_is_up(void **state)
{
  const uint32_t unmask = NONE | VFIO_IRQ_SET_ACTION_UNMASK;
  (void)state;
  assert_int_equal(rig_set_irqs(&rig, EVENT, INTX, 0, 1, events, 1), 0);
  raise_vector(0x100);
  assert_int_equal(rig_signals(events[0]), 1);
  raise_vector(0x100);
  assert_int_equal(rig_signals(events[0]), 0);
  assert_int_equal(rig_set_irqs(&rig, unmask, INTX, 0, 1, NULL, 0), 0);
  assert_int_equal(rig_signals(events[0]), 1);
  raise_vector(0x101);
  assert_int_equal(rig_set_irqs(&rig, unmask, INTX, 0, 1, NULL, 0), 0);
  assert_int_equal(rig_signals(events[0]), 0);
  raise_vector(0x100);
  assert_int_equal(rig_signals(events[0]), 1);
}

static void a_line_that_is_up_is_told_to_who_comes_late(void **state)
{
  (void)state;
  raise_vector(0x100);
  assert_int_equal(rig_set_irqs(&rig, EVENT, INTX, 0, 1, events, 1), 0);
  assert_int_equal(rig_signals(events[0]), 1);
}

static void a_full_eventfd_delays_nobody(void **state)
{
  const uint64_t full = UINT64_MAX - 1;
  (void)state;
  assert_int_equal(rig_set_irqs(&rig, EVENT, MSIX, 0, 1, events, 1), 0);
  assert_int_equal(write(events[0], &full, sizeof full), sizeof full);
  /* The client's description of the file is ours as well: it can make it blocking again. */
  assert_int_equal(fcntl(events[0], F_SETFL, 0), 0);
  raise_vector(0);
  assert_int_equal(rig_count(&rig, "interrupts_full"), 1);
  assert_int_equal(rig_signals(events[0]), full);
  raise_vector(0);
  assert_int_equal(rig_signals(events[0]), 1);
}

static void requests_that_cant_be_change_nothing(void **state)
{
  static const struct {
    uint32_t flags, kind, start, count;
    unsigned fds;
    int code;
  } bad[] = {
      {EVENT, MSIX, RIG_VECTORS, 1, 1, EINVAL},
      {EVENT, MSIX, RIG_VECTORS - 1, 2, 2, EINVAL},
      {EVENT, MSIX, UINT32_MAX, 2, 2, EINVAL},
      {EVENT, MSIX, 1, UINT32_MAX, 1, EINVAL},
      {EVENT, INTX, 0, 2, 2, EINVAL},
      {EVENT, VFIO_PCI_ERR_IRQ_INDEX, 0, 1, 1, EINVAL},
      {EVENT, 5, 0, 0, 0, EINVAL},
      {EVENT, UINT32_MAX, 0, 0, 0, EINVAL},
      {EVENT, MSIX, 0, 3, 2, EINVAL},
      {EVENT, MSIX, 0, 2, 3, EINVAL},
      {NONE, MSIX, 0, 1, 0, EINVAL},
      {VFIO_IRQ_SET_ACTION_TRIGGER, MSIX, 0, 1, 0, EINVAL},
      {EVENT | NONE, MSIX, 0, 1, 1, EINVAL},
      {EVENT | VFIO_IRQ_SET_ACTION_MASK, MSIX, 0, 1, 1, EINVAL},
      {EVENT | 0x100, MSIX, 0, 1, 1, EINVAL},
      {VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, INTX, 0, 1, 1, ENOTSUP},
  };
  const unsigned n = sizeof bad / sizeof bad[0];
  (void)state;
  assert_int_equal(rig_set_irqs(&rig, EVENT, MSIX, 0, 1, events, 1), 0);
  for (unsigned i = 0; i < n; i++)
    assert_int_equal(rig_set_irqs(&rig, bad[i].flags, bad[i].kind, bad[i].start, bad[i].count,
                                  events + 1, bad[i].fds),
                     bad[i].code);
  assert_int_equal(rig_count(&rig, "bad_irq"), n);
  raise_vector(0);
  assert_int_equal(rig_signals(events[0]), 1);
  for (unsigned i = 1; i < RIG_VECTORS; i++)
    assert_int_equal(rig_signals(events[i]), 0);
}

static void what_is_no_eventfd_is_never_written_to(void **state)
{
  int ends[2], memory = rig_memory(4096, 0);
  uint8_t byte;
  (void)state;
  assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
  const int kinds[] = {ends[1], memory, rig.fd};
  for (unsigned i = 0; i < 3; i++) {
    const int pair[2] = {events[0], kinds[i]};
    assert_int_equal(rig_set_irqs(&rig, EVENT, MSIX, 0, 2, pair, 2), EBADF);
    raise_vector(0);
    raise_vector(1);
  }
  assert_int_equal(read(ends[0], &byte, 1), -1);
  assert_int_equal(rig_count(&rig, "bad_fd"), 3);
  assert_int_equal(rig_signals(events[0]), 0);
  close(ends[0]);
  close(ends[1]);
  close(memory);
}

static unsigned open_fds(void)
{
  unsigned n = 0;
  for (int fd = 0; fd < 256; fd++)
    n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

static void no_descriptor_is_left_behind(void **state)
{
  unsigned before = open_fds();
  (void)state;
  for (unsigned i = 0; i < 100; i++) {
    assert_int_equal(rig_set_irqs(&rig, EVENT, MSIX, 0, 16, events, 16), 0);
    assert_int_equal(rig_set_irqs(&rig, EVENT, MSIX, 0, 3, events, 2), EINVAL);
    assert_int_equal(rig_set_irqs(&rig, NONE | VFIO_IRQ_SET_ACTION_TRIGGER, MSIX, 0, 1, events, 2),
                     0);
  }
  assert_int_equal(rig_count(&rig, "unexpected_fds"), 100);
  assert_int_equal(rig_set_irqs(&rig, NONE | VFIO_IRQ_SET_ACTION_TRIGGER, MSIX, 0, 0, NULL, 0), 0);
  assert_int_equal(open_fds(), before);
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      RIG_TEST(each_vector_has_its_eventfd),
      RIG_TEST(eventfds_are_replaced_and_taken_away),
      RIG_TEST(msi_stands_in_for_vector_0),
      RIG_TEST(clients_can_trigger_by_themselves),
      RIG_TEST(masked_vectors_wait),
      RIG_TEST(intx_masks_itself_and_comes_again_while_the_line_is_up),
      RIG_TEST(a_line_that_is_up_is_told_to_who_comes_late),
      RIG_TEST(a_full_eventfd_delays_nobody),
      RIG_TEST(requests_that_cant_be_change_nothing),
      RIG_TEST(what_is_no_eventfd_is_never_written_to),
      RIG_TEST(no_descriptor_is_left_behind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
