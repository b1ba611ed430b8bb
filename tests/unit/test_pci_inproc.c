/* SPDX-License-Identifier: BSD-2-Clause */
/* The testbed here is the test's own: it holds one small model, and checks that the back end keeps
 * the rules of shunt/testbed.h (the lock around each access, none around a call that takes it). */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hw/pci.h"
#include "shunt/testbed.h"
#include "src/pci/pci.h"

#define MIB UINT64_C(0x100000)

/* ---- A model: 16 KiB of registers, of which the second page may be mapped ---- */

enum {
  REG_DMA_ADDRESS = 0x0, /* low and high half */
  REG_DMA_VALUE = 0x8,   /* written to memory there */
  REG_RAISE = 0xC,       /* raise that vector in the next turn */
  REG_TURNS = 0x10,
  REG_DIRECT = 0x1004,
};

struct small {
  struct shunt_model model;
  uint32_t registers[4096];
  unsigned raise, turns;
};

struct shunt_testbed {
  bool locked, fails;
  unsigned polls, twins, removed, destroys;
  char keys[64];
  struct small *small;
};

static struct shunt_testbed own; /* what shunt_testbed_create hands out */

static const struct shunt_model_area small_areas[] = {{.offset = 0x1000, .bytes = 0x1000}};

static struct shunt_testbed *testbed_of(const struct shunt_model *model)
{
  return own.small == (const struct small *)model ? &own : NULL;
}

static void assert_locked(const struct shunt_model *model)
{
  if (testbed_of(model) != NULL)
    assert_true(testbed_of(model)->locked);
}

static uint64_t small_read(struct shunt_model *model, unsigned bar, uint64_t offset, unsigned bytes)
{
  struct small *small = (struct small *)model;
  assert_locked(model);
  assert_int_equal(bar, 0);
  assert_int_equal(bytes, 4);
  return offset == REG_TURNS ? small->turns : small->registers[offset / 4];
}

static void small_write(struct shunt_model *model, unsigned bar, uint64_t offset, unsigned bytes,
                        uint64_t value)
{
  struct small *small = (struct small *)model;
  assert_locked(model);
  assert_int_equal(bar, 0);
  assert_int_equal(bytes, 4);
  small->registers[offset / 4] = (uint32_t)value;
  if (offset == REG_RAISE)
    small->raise = (unsigned)value;
  if (offset != REG_DMA_VALUE)
    return;
  uint64_t iova = small->registers[0] | (uint64_t)small->registers[1] << 32;
  uint8_t *memory = shunt_model_dma(model, iova, 1, 1);
  if (memory != NULL)
    *memory = (uint8_t)value;
}

static unsigned small_poll(struct shunt_model *model, uint64_t now_ns)
{
  struct small *small = (struct small *)model;
  (void)now_ns;
  small->turns++;
  if (small->raise > 0 && model->host.interrupt != NULL)
    model->host.interrupt(model->host.context, small->raise - 1, 1);
  small->raise = 0;
  return 1;
}

static void small_destroy(struct shunt_model *model)
{
  free(model);
}

static const struct shunt_model_ops small_ops = {
    .bar_read = small_read,
    .bar_write = small_write,
    .poll = small_poll,
    .destroy = small_destroy,
};

/* ---- The testbed ---- */

int shunt_testbed_create(const struct shunt_testbed_options *options,
                         struct shunt_testbed **testbed, struct shunt_error *error)
{
  (void)error;
  assert_non_null(options->clock);
  own = (struct shunt_testbed){.fails = own.fails};
  *testbed = &own;
  return 0;
}

void shunt_testbed_destroy(struct shunt_testbed *testbed)
{
  assert_false(testbed->locked);
  assert_int_equal(testbed->twins, testbed->removed);
  testbed->destroys++;
}

unsigned shunt_testbed_poll(struct shunt_testbed *testbed)
{
  shunt_testbed_lock(testbed);
  testbed->polls++;
  unsigned done = shunt_model_poll(&testbed->small->model, 0);
  shunt_testbed_unlock(testbed);
  return done;
}

void shunt_testbed_lock(struct shunt_testbed *testbed)
{
  assert_false(testbed->locked);
  testbed->locked = true;
}

void shunt_testbed_unlock(struct shunt_testbed *testbed)
{
  assert_true(testbed->locked);
  testbed->locked = false;
}

int shunt_testbed_twin(struct shunt_testbed *testbed, const char *kind, const char *keys,
                       struct shunt_model **model, struct shunt_error *error)
{
  assert_false(testbed->locked);
  assert_string_equal(kind, "small");
  if (testbed->fails)
    return shunt_error_set(error, -EINVAL, "no such key");
  strcpy(testbed->keys, keys != NULL ? keys : "");
  struct small *small = calloc(1, sizeof *small);
  assert_non_null(small);
  small->model.ops = &small_ops;
  small->model.kind = "small";
  strcpy(small->model.path, "twin, small");
  small->model.vectors = 3;
  small->model.bars[0] = (struct shunt_model_bar){.bytes = sizeof small->registers,
                                                  .memory = small->registers,
                                                  .fd = -1,
                                                  .areas = small_areas,
                                                  .area_count = 1};
  const uint8_t config[] = {0x86, 0x80, 0xFB, 0x10};
  memcpy(small->model.config, config, sizeof config);
  small->model.config_writable[PCI_CFG_COMMAND] = 0xFF;
  testbed->twins++;
  testbed->small = small;
  *model = &small->model;
  return 0;
}

void shunt_testbed_remove(struct shunt_testbed *testbed, struct shunt_model *model)
{
  assert_false(testbed->locked);
  assert_ptr_equal(model, testbed->small);
  assert_null(model->host.interrupt);
  testbed->removed++;
  shunt_model_destroy(model);
  testbed->small = NULL;
}

/* ---- Tests ---- */

static struct pci *open_small(struct shunt_testbed *testbed)
{
  struct pci *pci;
  struct shunt_error error;
  struct pci_open_options options = {.testbed = testbed, .kind = "small", .keys = "mode=x"};
  assert_int_equal(pci_open("twin", &options, &pci, &error), 0);
  return pci;
}

static int set_up(void **state)
{
  own = (struct shunt_testbed){0};
  *state = open_small(NULL);
  return 0;
}

static int tear_down(void **state)
{
  pci_close(*state);
  return own.destroys == 1 && own.small == NULL ? 0 : -1;
}

static struct shunt_region *make_region(uint64_t bytes)
{
  struct shunt_region *region;
  struct shunt_region_options options = {
      .size = sizeof options, .bytes = bytes, .pages = SHUNT_PAGES_4K, .numa_node = SHUNT_NUMA_ANY};
  assert_int_equal(shunt_region_create(&options, &region, NULL), 0);
  return region;
}

static void it_is_what_its_model_says(void **state)
{
  struct pci *pci = *state;
  assert_int_equal(pci->vendor, 0x8086);
  assert_int_equal(pci->device, 0x10FB);
  assert_int_equal(pci->vectors, 3);
  assert_int_equal(pci->numa_node, SHUNT_NUMA_ANY);
  assert_true(pci->is_model);
  assert_string_equal(pci->address, "twin");
  assert_string_equal(pci->path, "twin, small");
  assert_string_equal(own.keys, "mode=x");
  uint32_t command;
  assert_int_equal(pci->ops->config_read(pci, PCI_CFG_COMMAND, 2, &command), 0);
  assert_int_equal(command, PCI_CMD_MEMORY | PCI_CMD_BUS_MASTER);
}

static void registers_reach_the_model_which_gets_its_turns(void **state)
{
  struct pci *pci = *state;
  pci_write32(pci, 0x20, 0xC0FFEE);
  assert_int_equal(pci_read32(pci, 0x20), 0xC0FFEE);
  uint32_t turns = pci_read32(pci, REG_TURNS);
  assert_int_equal(pci_read32(pci, REG_TURNS), turns + 1);
  pci_write32(pci, 0x20, 1);
  assert_int_equal(pci_read32(pci, REG_TURNS), turns + 3);
  assert_int_equal(pci_step(pci), 1);
  assert_int_equal(pci_read32(pci, 0x10000), UINT32_MAX);
  assert_int_equal(pci->ops->read32(pci, 7, 0), UINT32_MAX);
}

static void a_testbed_of_the_callers_is_left_to_the_caller(void **state)
{
  (void)state;
  own = (struct shunt_testbed){0};
  struct pci *pci = open_small(&own);
  pci_write32(pci, 0x20, 7);
  assert_int_equal(pci_read32(pci, 0x20), 7);
  assert_int_equal(own.polls, 0);
  assert_int_equal(pci_step(pci), 1);
  assert_int_equal(own.polls, 1);
  pci_close(pci);
  assert_int_equal(own.removed, 1);
  assert_int_equal(own.destroys, 0);
}

static void only_mappable_registers_are_direct(void **state)
{
  struct pci *pci = *state;
  volatile uint32_t *direct = pci_direct(pci, REG_DIRECT);
  assert_non_null(direct);
  *direct = 99;
  assert_int_equal(pci_read32(pci, REG_DIRECT), 99);
  assert_non_null(pci_direct(pci, 0x1000));
  assert_non_null(pci_direct(pci, 0x1FFC));
  assert_null(pci_direct(pci, 0xFFC));
  assert_null(pci_direct(pci, 0x2000));
  assert_null(pci_direct(pci, 0x1002));
  assert_null(pci_direct(pci, UINT64_MAX - 3));
  assert_null(pci->ops->direct(pci, 1, 0x1000));
  assert_null(pci->ops->direct(pci, 6, 0x1000));
  own.small->model.bars[0].memory = NULL;
  assert_null(pci_direct(pci, REG_DIRECT));
}

static void odd_accesses_to_configuration_are_refused(void **state)
{
  struct pci *pci = *state;
  uint32_t value;
  assert_int_equal(pci->ops->config_read(pci, 0, 4, &value), 0);
  assert_int_equal(value, 0x10FB8086);
  assert_int_equal(pci->ops->config_read(pci, 1, 2, &value), -EINVAL);
  assert_int_equal(pci->ops->config_read(pci, 0, 3, &value), -EINVAL);
  assert_int_equal(pci->ops->config_read(pci, 0, 0, &value), -EINVAL);
  assert_int_equal(pci->ops->config_read(pci, 4096, 4, &value), -EINVAL);
  assert_int_equal(pci->ops->config_write(pci, 4096, 1, 0), -EINVAL);
  assert_int_equal(pci->ops->config_write(pci, 2, 4, 0), -EINVAL);
}

/* Have the model write one byte at a device address; returns its count of faults. */
static uint64_t dma_write(struct pci *pci, uint64_t iova, uint8_t value)
{
  pci_write32(pci, REG_DMA_ADDRESS, (uint32_t)iova);
  pci_write32(pci, REG_DMA_ADDRESS + 4, (uint32_t)(iova >> 32));
  pci_write32(pci, REG_DMA_VALUE, value);
  return own.small->model.dma_faults;
}

static void device_addresses_reach_the_memory_and_nothing_else(void **state)
{
  struct pci *pci = *state;
  struct shunt_region *region = make_region(8 * MIB);
  uint8_t *base = shunt_region_base(region);
  uint64_t delta[4];
  assert_int_equal(pci->ops->dma_map(pci, region, delta, NULL), 0);
  for (unsigned i = 0; i < 4; i++) {
    uint64_t offset = i * 2 * MIB + 5;
    assert_int_equal(dma_write(pci, offset + delta[i], (uint8_t)(i + 1)), 0);
    assert_int_equal(base[offset], i + 1);
  }
  /* The three mistakes: this process's address, a bare offset, and a region taken as contiguous. */
  assert_int_equal(dma_write(pci, (uintptr_t)base, 9), 1);
  assert_int_equal(dma_write(pci, 5, 9), 2);
  assert_int_equal(dma_write(pci, 6 * MIB + 5 + delta[0], 9), 3);
  assert_true(delta[0] >> 32 != 0);

  pci->ops->dma_unmap(pci, region, delta);
  assert_int_equal(dma_write(pci, 5 + delta[0], 9), 4);
  assert_int_equal(dma_write(pci, 6 * MIB + 5 + delta[3], 9), 5);
  assert_int_equal(own.small->model.range_count, 0);
  shunt_region_destroy(region);
}

static void regions_get_addresses_of_their_own(void **state)
{
  struct pci *pci = *state;
  struct shunt_region *left = make_region(2 * MIB), *right = make_region(4 * MIB);
  uint64_t left_delta[1], right_delta[2];
  assert_int_equal(pci->ops->dma_map(pci, left, left_delta, NULL), 0);
  assert_int_equal(pci->ops->dma_map(pci, right, right_delta, NULL), 0);
  assert_int_equal(dma_write(pci, left_delta[0], 1), 0);
  assert_int_equal(dma_write(pci, right_delta[0], 2), 0);
  assert_int_equal(*(uint8_t *)shunt_region_base(left), 1);
  assert_int_equal(*(uint8_t *)shunt_region_base(right), 2);
  /* Right behind a region is nothing. */
  assert_int_equal(dma_write(pci, left_delta[0] + 2 * MIB, 3), 1);
  pci->ops->dma_unmap(pci, left, left_delta);
  assert_int_equal(dma_write(pci, right_delta[0], 4), 1);
  assert_int_equal(dma_write(pci, left_delta[0], 4), 2);
  pci->ops->dma_unmap(pci, right, right_delta);
  shunt_region_destroy(left);
  shunt_region_destroy(right);
}

static void a_full_model_refuses_and_keeps_nothing(void **state)
{
  struct pci *pci = *state;
  struct shunt_region *region = make_region(4 * MIB);
  struct shunt_model *model = &own.small->model;
  uint64_t delta[2];
  struct shunt_error error;
  static uint8_t byte[1];
  for (unsigned i = 0; i < SHUNT_MODEL_DMA_RANGES - 1; i++)
    assert_int_equal(shunt_model_dma_map(model, (i + 1) * 4096, byte, 1, 1), 0);
  assert_int_equal(pci->ops->dma_map(pci, region, delta, &error), -ENOSPC);
  char most[32];
  snprintf(most, sizeof(most), "%u ranges", (unsigned)SHUNT_MODEL_DMA_RANGES);
  assert_non_null(strstr(error.remedy, most));
  assert_int_equal(model->range_count, SHUNT_MODEL_DMA_RANGES - 1);
  shunt_region_destroy(region);
}

static bool readable(int fd)
{
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  return poll(&wait, 1, 0) == 1;
}

static void vectors_arrive_on_their_eventfds(void **state)
{
  struct pci *pci = *state;
  int fds[3];
  uint64_t count;
  assert_int_equal(pci->ops->interrupts(pci, 3, fds, NULL), 0);
  pci_write32(pci, REG_RAISE, 2);
  assert_false(readable(fds[0]));
  assert_true(readable(fds[1]));
  assert_false(readable(fds[2]));
  assert_int_equal(read(fds[1], &count, sizeof count), sizeof count);
  assert_int_equal(count, 1);
  assert_int_equal(read(fds[1], &count, sizeof count), -1);
  assert_int_equal(errno, EAGAIN);
  pci_write32(pci, REG_RAISE, 4);
  pci_write32(pci, REG_RAISE, 1 + SHUNT_MODEL_INTX);
  assert_false(readable(fds[0]) || readable(fds[1]) || readable(fds[2]));
}

static void interrupts_can_be_replaced_and_switched_off(void **state)
{
  struct pci *pci = *state;
  int fds[4], fewer[1];
  struct shunt_error error;
  assert_int_equal(pci->ops->interrupts(pci, 4, fds, &error), -EINVAL);
  assert_non_null(strstr(error.what, "the model has 3"));
  assert_int_equal(pci->ops->interrupts(pci, 3, fds, NULL), 0);
  assert_int_equal(pci->ops->interrupts(pci, 1, fewer, NULL), 0);
  pci_write32(pci, REG_RAISE, 1);
  assert_true(readable(fewer[0]));
  pci_write32(pci, REG_RAISE, 3);
  assert_int_equal(pci->ops->interrupts(pci, 0, NULL, NULL), 0);
  assert_int_equal(close(fewer[0]), -1);
  assert_int_equal(errno, EBADF);
  pci_write32(pci, REG_RAISE, 1);
}

static void a_twin_that_can_not_be_made_leaves_nothing(void **state)
{
  (void)state;
  struct pci *pci = NULL;
  struct shunt_error error;
  struct pci_open_options options = {.kind = "small", .keys = "wrong=1"};
  own = (struct shunt_testbed){.fails = true};
  assert_int_equal(pci_open("twin", &options, &pci, &error), -EINVAL);
  assert_string_equal(error.what, "no such key");
  assert_null(pci);
  assert_int_equal(own.destroys, 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(it_is_what_its_model_says, set_up, tear_down),
      cmocka_unit_test_setup_teardown(registers_reach_the_model_which_gets_its_turns, set_up,
                                      tear_down),
      cmocka_unit_test(a_testbed_of_the_callers_is_left_to_the_caller),
      cmocka_unit_test_setup_teardown(only_mappable_registers_are_direct, set_up, tear_down),
      cmocka_unit_test_setup_teardown(odd_accesses_to_configuration_are_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(device_addresses_reach_the_memory_and_nothing_else, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(regions_get_addresses_of_their_own, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_full_model_refuses_and_keeps_nothing, set_up, tear_down),
      cmocka_unit_test_setup_teardown(vectors_arrive_on_their_eventfds, set_up, tear_down),
      cmocka_unit_test_setup_teardown(interrupts_can_be_replaced_and_switched_off, set_up,
                                      tear_down),
      cmocka_unit_test(a_twin_that_can_not_be_made_leaves_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
