/* SPDX-License-Identifier: BSD-2-Clause */
/* A PCI function behind a socket: our client at our server. The server has a thread; what the
 * client's thread must not touch, it does not. */
#include "vfio_user_rig.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "shunt/port.h"
#include "src/pci/backend.h"

/* ---- A server in a thread ---- */

static struct rig rig; /* of its client's half only next_id is used, and that not here */
static pthread_t thread;
static atomic_bool ends;
static struct pci *pci;

static void *serve(void *context)
{
  struct pollfd ready = {.fd = shunt_vfio_user_fd(rig.server), .events = POLLIN};
  (void)context;
  while (!atomic_load(&ends)) {
    if (shunt_vfio_user_poll(rig.server) == 0)
      poll(&ready, 1, 1);
  }
  return NULL;
}

static void start(const struct shunt_vfio_user_options *options)
{
  rig_serve(&rig, options);
  atomic_store(&ends, false);
  assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
}

static void stop(void)
{
  atomic_store(&ends, true);
  pthread_join(thread, NULL);
}

static int open_path(const char *path, uint64_t wait_ns, struct shunt_error *error)
{
  const struct pci_open_options options = {0};
  return vfio_user_open(path, &options, wait_ns, &pci, error);
}

static int set_up_with(const struct shunt_vfio_user_options *options)
{
  struct shunt_error error = {0};
  start(options);
  if (open_path(rig.path, 0, &error) < 0)
    fail_msg("%s: %s", error.what, error.why);
  return 0;
}

static int set_up(void **state)
{
  (void)state;
  return set_up_with(NULL);
}

static int set_up_trapped(void **state)
{
  const struct shunt_vfio_user_options options = {.size = sizeof options, .no_areas = 1};
  (void)state;
  return set_up_with(&options);
}

static int tear_down(void **state)
{
  (void)state;
  pci_close(pci);
  pci = NULL;
  stop();
  rig_end(&rig);
  return 0;
}

/* ---- What the device is and does ---- */

static void it_is_what_the_server_says(void **state)
{
  uint32_t command = 0;
  (void)state;
  assert_int_equal(pci->vendor, 0x8086);
  assert_int_equal(pci->device, 0x10FB);
  assert_int_equal(pci->vectors, RIG_VECTORS);
  assert_int_equal(pci->numa_node, SHUNT_NUMA_ANY);
  assert_true(pci->is_model);
  assert_string_equal(pci->path, "vfio-user, shared pages");
  assert_memory_equal(pci->address, "vfio-user:/tmp/", 15);
  assert_int_equal(pci->ops->config_read(pci, PCI_CFG_COMMAND, 2, &command), 0);
  assert_int_equal(command & PCI_CMD_BUS_MASTER, PCI_CMD_BUS_MASTER);
}

static void a_name_leads_to_it(void **state)
{
  struct pci_open_options options = {0};
  struct pci *second;
  struct shunt_error error;
  char location[80];
  (void)state;
  pci_close(pci);
  snprintf(location, sizeof location, "vfio-user:%s", rig.path);
  assert_int_equal(pci_open(location, &options, &second, &error), 0);
  pci = second;
  assert_int_equal(pci_read32(pci, 0x100), 0);
}

static void registers_are_reached_by_message_or_directly(void **state)
{
  (void)state;
  pci_write32(pci, 0x100, 0xC0FFEE);
  assert_int_equal(pci_read32(pci, 0x100), 0xC0FFEE);
  volatile uint32_t *direct = pci_direct(pci, 0x1018);
  assert_non_null(direct);
  *direct = 99;
  assert_int_equal(pci_read32(pci, 0x1018), 99);
  pci_write32(pci, 0x3FFC, 7);
  assert_int_equal(*pci_direct(pci, 0x3FFC), 7);
  assert_null(pci_direct(pci, 0xFFC));
  assert_null(pci_direct(pci, 0x2000));
  assert_null(pci_direct(pci, 0x101A));
  assert_null(pci_direct(pci, RIG_BAR0_BYTES));
  assert_null(pci_direct(pci, UINT64_MAX - 3));
  assert_null(pci->ops->direct(pci, 2, 0));
  assert_null(pci->ops->direct(pci, 6, 0));
  pci->ops->write32(pci, 2, 0x20, 5);
  assert_int_equal(pci->ops->read32(pci, 2, 0x20), 5);
  assert_int_equal(pci_read32(pci, RIG_BAR0_BYTES), UINT32_MAX);
  assert_int_equal(pci_read32(pci, 0x102), UINT32_MAX);
  assert_int_equal(pci->ops->read32(pci, 1, 0), UINT32_MAX);
  assert_int_equal(pci->ops->read32(pci, 7, 0), UINT32_MAX);
}

/* Stores to the pages and loads from them send no message; calls always do, because some registers
 * among them clear when they are read. */
static void mapped_pages_send_no_message(void **state)
{
  (void)state;
  pci_read32(pci, 0);
  uint64_t before = rig_count(&rig, "messages");
  for (uint32_t i = 0; i < 1000; i++)
    *pci_direct(pci, 0x1000 + 4 * i) = i;
  for (uint32_t i = 0; i < 1000; i++)
    assert_int_equal(*pci_direct(pci, 0x1000 + 4 * i), i);
  assert_int_equal(rig_count(&rig, "messages"), before);
  assert_int_equal(pci_read32(pci, 0x1004), 1);
  pci_write32(pci, 0x1004, 2);
  assert_int_equal(*pci_direct(pci, 0x1004), 2);
  assert_int_equal(rig_count(&rig, "messages"), before + 2);
  assert_int_equal(rig_count(&rig, "posted_writes"), 0);
}

static void without_areas_writes_are_posted_and_keep_their_order(void **state)
{
  (void)state;
  assert_string_equal(pci->path, "vfio-user, all accesses trapped");
  assert_null(pci_direct(pci, 0x1018));
  for (unsigned i = 1; i <= 20000; i++)
    pci_write32(pci, 0x100, i);
  assert_int_equal(pci_read32(pci, 0x100), 20000);
  assert_int_equal(rig_count(&rig, "posted_writes"), 20000);
}

static void configuration_space_is_reached_in_whole_words(void **state)
{
  uint32_t value = 0;
  (void)state;
  assert_int_equal(pci->ops->config_read(pci, 0, 4, &value), 0);
  assert_int_equal(value, 0x10FB8086);
  assert_int_equal(pci->ops->config_read(pci, 3, 1, &value), 0);
  assert_int_equal(value, 0x10);
  assert_int_equal(pci->ops->config_write(pci, PCI_CFG_COMMAND, 2, 0), 0);
  assert_int_equal(pci->ops->config_read(pci, PCI_CFG_COMMAND, 2, &value), 0);
  assert_int_equal(value, 0);
  assert_int_equal(pci->ops->config_read(pci, 1, 2, &value), -EINVAL);
  assert_int_equal(pci->ops->config_read(pci, 0, 3, &value), -EINVAL);
  assert_int_equal(pci->ops->config_read(pci, 4096, 4, &value), -EINVAL);
  assert_int_equal(pci->ops->config_write(pci, 4096, 1, 0), -EINVAL);
}

static struct shunt_region *make_region(uint64_t bytes)
{
  struct shunt_region *region = NULL;
  const struct shunt_region_options options = {
      .size = sizeof options, .bytes = bytes, .pages = SHUNT_PAGES_4K, .numa_node = SHUNT_NUMA_ANY};
  assert_int_equal(shunt_region_create(&options, &region, NULL), 0);
  return region;
}

static void dma_poke(uint64_t iova, uint8_t value)
{
  pci_write32(pci, RIG_DMA_ADDRESS, (uint32_t)iova);
  pci_write32(pci, RIG_DMA_ADDRESS + 4, (uint32_t)(iova >> 32));
  pci_write32(pci, RIG_DMA_POKE, value);
  pci_read32(pci, 0x100);
}

static void regions_are_the_devices_too(void **state)
{
  struct shunt_region *a = make_region(6 << 20), *b = make_region(2 << 20);
  uint8_t *base = shunt_region_base(a);
  uint64_t delta_a[3], delta_b[1];
  (void)state;
  assert_int_equal(pci->ops->dma_map(pci, a, delta_a, NULL), 0);
  assert_int_equal(pci->ops->dma_map(pci, b, delta_b, NULL), 0);
  assert_true(delta_a[0] >= UINT64_C(1) << 32);
  assert_true(delta_a[0] != (uintptr_t)base);
  for (uint64_t offset = 5; offset < 6 << 20; offset += 2 << 20) {
    dma_poke(offset + delta_a[offset >> SHUNT_REGION_ALIGN_SHIFT], (uint8_t)(offset >> 16 | 1));
    assert_int_equal(base[offset], (uint8_t)(offset >> 16 | 1));
  }
  dma_poke(delta_b[0], 0x44);
  assert_int_equal(*(uint8_t *)shunt_region_base(b), 0x44);
  pci->ops->dma_unmap(pci, a, delta_a);
  base[5] = 0;
  dma_poke(5 + delta_a[0], 0x12);
  assert_int_equal(base[5], 0);
  /* The addresses are free again. */
  uint64_t again[3];
  assert_int_equal(pci->ops->dma_map(pci, a, again, NULL), 0);
  assert_int_equal(again[0], delta_a[0]);
  pci->ops->dma_unmap(pci, a, again);
  pci->ops->dma_unmap(pci, b, delta_b);
  shunt_region_destroy(a);
  shunt_region_destroy(b);
}

static void interrupts_arrive_on_eventfds(void **state)
{
  int fds[RIG_VECTORS + 1];
  struct shunt_error error;
  (void)state;
  assert_int_equal(pci->ops->interrupts(pci, RIG_VECTORS + 1, fds, &error), -EINVAL);
  assert_int_equal(pci->ops->interrupts(pci, RIG_VECTORS, fds, &error), 0);
  for (unsigned i = 0; i < RIG_VECTORS; i++) {
    pci_write32(pci, RIG_INTERRUPT, i);
    pci_read32(pci, 0x100);
    assert_int_equal(rig_signals(fds[i]), 1);
  }
  assert_int_equal(pci->ops->interrupts(pci, 2, fds, &error), 0);
  pci_write32(pci, RIG_INTERRUPT, 2);
  pci_write32(pci, RIG_INTERRUPT, 1);
  pci_read32(pci, 0x100);
  assert_int_equal(rig_signals(fds[1]), 1);
  assert_int_equal(rig_count(&rig, "interrupts_unheard"), 1);
  assert_int_equal(pci->ops->interrupts(pci, 0, fds, &error), 0);
}

static void *hammer(void *context)
{
  const uint64_t offset = *(const uint64_t *)context;
  for (uint32_t i = 0; i < 2000; i++) {
    pci_write32(pci, offset, i);
    if (pci_read32(pci, offset) != i)
      return context;
  }
  return NULL;
}

static void threads_take_turns(void **state)
{
  static uint64_t offsets[2] = {0x200, 0x204};
  pthread_t hammers[2];
  (void)state;
  for (unsigned i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&hammers[i], NULL, hammer, &offsets[i]), 0);
  for (unsigned i = 0; i < 2; i++) {
    void *wrong;
    pthread_join(hammers[i], &wrong);
    assert_null(wrong);
  }
}

static void a_server_that_is_gone_is_a_card_that_fell_off(void **state)
{
  struct shunt_region *region = make_region(2 << 20);
  struct shunt_error error;
  uint64_t delta[1];
  uint32_t value;
  int fds[1];
  (void)state;
  assert_int_equal(pci->ops->dma_map(pci, region, delta, NULL), 0);
  assert_int_equal(pci->ops->interrupts(pci, 1, fds, NULL), 0);
  stop();
  shunt_vfio_user_destroy(rig.server);
  assert_int_equal(pci_read32(pci, 0x100), UINT32_MAX);
  pci_write32(pci, 0x100, 1);
  /* Its pages are still there, but nobody is behind them. */
  assert_int_equal(pci_read32(pci, 0x1000), UINT32_MAX);
  assert_int_equal(pci->ops->config_read(pci, 0, 4, &value), -ECONNRESET);
  assert_int_equal(pci->ops->dma_map(pci, region, delta, &error), -ECONNRESET);
  assert_int_equal(pci->ops->interrupts(pci, 1, fds, &error), -ECONNRESET);
  assert_int_equal(pci_wait32(pci, 0x100, 1, 1, 1000000, "DONE", &error), -EIO);
  assert_non_null(strstr(error.what, "does not answer"));
  pci->ops->dma_unmap(pci, region, delta);
  pci_close(pci);
  shunt_region_destroy(region);
  shunt_model_destroy(&rig.model->model);
  assert_int_equal(set_up_with(NULL), 0); /* for tear_down */
}

static void who_comes_second_waits_and_is_told_why(void **state)
{
  struct pci *first = pci;
  struct shunt_error error = {0};
  (void)state;
  assert_int_equal(open_path(rig.path, 50000000, &error), -ETIMEDOUT);
  assert_non_null(strstr(error.remedy, "one client at a time"));
  pci = first;
  assert_int_equal(pci_read32(pci, 0x100), 0);
}

static void where_nobody_serves_the_remedy_says_so(void **state)
{
  struct shunt_error error = {0};
  char path[200];
  (void)state;
  assert_int_equal(open_path("/tmp/shunt-nobody-here", 0, &error), -ENOENT);
  assert_non_null(strstr(error.remedy, "shunt twin /tmp/shunt-nobody-here=ixgbe"));
  assert_int_equal(open_path("", 0, &error), -EINVAL);
  memset(path, 'x', sizeof path);
  path[sizeof path - 1] = '\0';
  assert_int_equal(open_path(path, 0, &error), -EINVAL);
}

#define RIG_TEST(name)    cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define RIG_TRAPPED(name) cmocka_unit_test_setup_teardown(name, set_up_trapped, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      RIG_TEST(it_is_what_the_server_says),
      RIG_TEST(a_name_leads_to_it),
      RIG_TEST(registers_are_reached_by_message_or_directly),
      RIG_TEST(mapped_pages_send_no_message),
      RIG_TRAPPED(without_areas_writes_are_posted_and_keep_their_order),
      RIG_TEST(configuration_space_is_reached_in_whole_words),
      RIG_TEST(regions_are_the_devices_too),
      RIG_TRAPPED(regions_are_the_devices_too),
      RIG_TEST(interrupts_arrive_on_eventfds),
      RIG_TRAPPED(interrupts_arrive_on_eventfds),
      RIG_TEST(threads_take_turns),
      RIG_TEST(a_server_that_is_gone_is_a_card_that_fell_off),
      RIG_TEST(who_comes_second_waits_and_is_told_why),
      cmocka_unit_test(where_nobody_serves_the_remedy_says_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
