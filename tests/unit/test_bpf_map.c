/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "bpf_rig.h"
#include "src/bpf/call.h"

#define MANY 100

/* What a map of addresses is looked up by: prefix length, then the bytes of the address. */
struct prefix {
  uint32_t bits;
  uint8_t address[4];
};

static int map_of(const struct bpf_map_spec *spec)
{
  int map = -1;
  struct shunt_error error = {0};
  if (bpf_map_new(spec, &map, &error) < 0)
    print_error("%s: %s\n", error.what, error.why);
  assert_true(map >= 0);
  return map;
}

static void need_bpf(void)
{
  if (!bpf_rig_usable())
    skip();
}

static void test_hash(void **state)
{
  (void)state;
  need_bpf();
  struct bpf_map_spec spec = {.type = BPF_MAP_TYPE_HASH,
                              .key_bytes = 4,
                              .value_bytes = 8,
                              .entries = 2,
                              .name = "a name/that is too long"};
  int map = map_of(&spec);
  uint32_t keys[] = {7, 8, 9};
  uint64_t value = 70;
  struct shunt_error error;
  struct bpf_map_info info;

  assert_int_equal(bpf_map_get(map, &keys[0], &value, &error), -ENOENT);
  assert_int_equal(bpf_map_set(map, &keys[0], &value, BPF_EXIST, NULL), -ENOENT);
  assert_int_equal(bpf_map_set(map, &keys[0], &value, BPF_NOEXIST, NULL), 0);
  assert_int_equal(bpf_map_set(map, &keys[0], &value, BPF_NOEXIST, NULL), -EEXIST);
  assert_int_equal(bpf_map_set(map, &keys[1], &value, BPF_ANY, NULL), 0);
  assert_int_equal(bpf_map_set(map, &keys[2], &value, BPF_ANY, &error), -E2BIG);
  assert_non_null(strstr(error.remedy, "more entries"));
  value = 0;
  assert_int_equal(bpf_map_get(map, &keys[0], &value, NULL), 0);
  assert_int_equal(value, 70);
  assert_int_equal(bpf_map_delete(map, &keys[0], NULL), 0);
  assert_int_equal(bpf_map_delete(map, &keys[0], &error), -ENOENT);

  uint32_t next = 0;
  assert_int_equal(bpf_map_next(map, NULL, &next, NULL), 0);
  assert_int_equal(next, keys[1]);
  error.code = 1;
  assert_int_equal(bpf_map_next(map, &next, &next, &error), -ENOENT);
  assert_int_equal(error.code, 1); /* the end is no error */

  assert_int_equal(bpf_map_info(map, &info, NULL), 0);
  assert_string_equal(info.name, "a_name_that_is_");
  assert_int_equal(info.max_entries, 2);
  int again;
  assert_int_equal(bpf_map_open(info.id, &again, NULL), 0);
  assert_int_equal(bpf_map_get(again, &keys[1], &value, NULL), 0);
  close(again);
  close(map);
}

static void test_prefixes(void **state)
{
  (void)state;
  need_bpf();
  struct bpf_map_spec spec = {.type = BPF_MAP_TYPE_LPM_TRIE,
                              .key_bytes = sizeof(struct prefix),
                              .value_bytes = 4,
                              .entries = 4,
                              .flags = BPF_F_NO_PREALLOC,
                              .name = "prefixes"};
  int map = map_of(&spec);
  struct prefix wide = {8, {10, 0, 0, 0}}, narrow = {24, {10, 1, 2, 0}}, one = {32, {10, 1, 2, 3}};
  uint32_t value = 8;
  assert_int_equal(bpf_map_set(map, &wide, &value, BPF_ANY, NULL), 0);
  value = 24;
  assert_int_equal(bpf_map_set(map, &narrow, &value, BPF_ANY, NULL), 0);
  assert_int_equal(bpf_map_get(map, &one, &value, NULL), 0);
  assert_int_equal(value, 24);
  one.address[2] = 9;
  assert_int_equal(bpf_map_get(map, &one, &value, NULL), 0);
  assert_int_equal(value, 8);
  one.address[0] = 11;
  assert_int_equal(bpf_map_get(map, &one, &value, NULL), -ENOENT);
  close(map);

  struct shunt_error error;
  spec.flags = 0;
  assert_int_equal(bpf_map_new(&spec, &map, &error), -EINVAL);
  assert_int_equal(map, -1);
  assert_non_null(strstr(error.what, "\"prefixes\""));
}

static void test_queues(void **state)
{
  (void)state;
  need_bpf();
  struct bpf_map_spec spec = {
      .type = BPF_MAP_TYPE_XSKMAP, .key_bytes = 4, .value_bytes = 4, .entries = 4, .name = "xsks"};
  int map = map_of(&spec);
  uint32_t queue = 4, socket = (uint32_t)map; /* no socket */
  assert_int_equal(bpf_map_set(map, &queue, &socket, BPF_ANY, NULL), -E2BIG);
  queue = 0;
  assert_true(bpf_map_set(map, &queue, &socket, BPF_ANY, NULL) < 0);
  assert_int_equal(bpf_map_get(map, &queue, &socket, NULL), -EOPNOTSUPP);
  close(map);
}

/* All there is, some at a time; returns how many, and adds up the values. */
static uint32_t sum_all(int map, const struct bpf_map_spec *spec, uint32_t at_once, size_t stride,
                        uint64_t *sum)
{
  uint8_t cursor[16];
  uint32_t total = 0;
  uint8_t *keys = calloc(at_once, spec->key_bytes);
  uint8_t *values = calloc(at_once, stride);
  int result = 0;
  *sum = 0;
  for (bool first = true; result == 0; first = false) {
    uint32_t count = at_once;
    result = bpf_map_get_many(map, spec, first, cursor, keys, values, &count, NULL);
    assert_true(result == 0 || result == -ENOENT);
    assert_true(count <= at_once);
    for (uint32_t i = 0; i < count; i++) {
      uint64_t value;
      memcpy(&value, values + i * stride, sizeof(value));
      *sum += value;
    }
    total += count;
  }
  free(keys);
  free(values);
  return total;
}

/* Batches where the kernel has them for the type, and one by one where it has not (LRU maps of
 * sockets, tries of old kernels): the same. */
static void many_of(uint32_t type, uint32_t flags)
{
  struct bpf_map_spec spec = {.type = type,
                              .key_bytes = 8, /* also a prefix length of 32 with 4 bytes */
                              .value_bytes = 8,
                              .entries = MANY,
                              .flags = flags,
                              .name = "many"};
  struct prefix keys[MANY];
  uint64_t values[MANY];
  uint64_t sum;
  int map = map_of(&spec);
  for (uint32_t i = 0; i < MANY; i++) {
    keys[i] = (struct prefix){32, {10, 0, 0, (uint8_t)i}};
    values[i] = i;
  }
  uint32_t count = MANY;
  assert_int_equal(bpf_map_set_many(map, &spec, keys, values, &count, NULL), 0);
  assert_int_equal(count, MANY);
  assert_int_equal(sum_all(map, &spec, MANY, 8, &sum), MANY);
  assert_int_equal(sum, MANY * (MANY - 1) / 2);
  count = MANY / 2;
  assert_int_equal(bpf_map_delete_many(map, &spec, keys, &count, NULL), 0);
  assert_int_equal(count, MANY / 2);
  assert_int_equal(sum_all(map, &spec, 64, 8, &sum), MANY - MANY / 2);
  count = 0;
  assert_int_equal(bpf_map_set_many(map, &spec, keys, values, &count, NULL), 0);
  assert_int_equal(bpf_map_delete_many(map, &spec, keys, &count, NULL), 0);
  close(map);
}

static void test_many(void **state)
{
  (void)state;
  need_bpf();
  many_of(BPF_MAP_TYPE_HASH, 0);
  many_of(BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC);
}

/* Full in the middle: how far it came is told. */
static void test_many_full(void **state)
{
  (void)state;
  need_bpf();
  struct bpf_map_spec spec = {
      .type = BPF_MAP_TYPE_HASH, .key_bytes = 4, .value_bytes = 8, .entries = 3, .name = "small"};
  int map = map_of(&spec);
  uint32_t keys[] = {1, 2, 3, 4, 5}, count = 5;
  uint64_t values[5] = {0};
  struct shunt_error error;
  assert_int_equal(bpf_map_set_many(map, &spec, keys, values, &count, &error), -E2BIG);
  assert_int_equal(count, 3);
  assert_non_null(strstr(error.what, "element 3 of 5"));
  close(map);
}

/* Types that have no batches are read and written one by one. */
static void test_many_single(void **state)
{
  (void)state;
  need_bpf();
  struct bpf_map_spec spec = {
      .type = BPF_MAP_TYPE_DEVMAP_HASH, .key_bytes = 4, .value_bytes = 4, .entries = 4};
  int map = map_of(&spec);
  uint32_t keys[] = {3, 4}, values[] = {1, 1}, read_keys[1], read_values[1], cursor, count = 2;
  assert_int_equal(bpf_map_set_many(map, &spec, keys, values, &count, NULL), 0); /* lo is 1 */
  assert_int_equal(count, 2);
  uint32_t seen = 0;
  int result = 0;
  for (bool first = true; result == 0; first = false) {
    count = 1;
    result = bpf_map_get_many(map, &spec, first, &cursor, read_keys, read_values, &count, NULL);
    seen += count > 0 ? read_keys[0] : 0;
  }
  assert_int_equal(result, -ENOENT);
  assert_int_equal(seen, 7);
  count = 2;
  assert_int_equal(bpf_map_delete_many(map, &spec, keys, &count, NULL), 0);
  count = 1;
  struct shunt_error error;
  assert_int_equal(bpf_map_delete_many(map, &spec, keys, &count, &error), -ENOENT);
  assert_int_equal(count, 0);
  close(map);
}

static void test_per_cpu(void **state)
{
  (void)state;
  need_bpf();
  struct bpf_map_spec spec = {.type = BPF_MAP_TYPE_PERCPU_ARRAY,
                              .key_bytes = 4,
                              .value_bytes = 8,
                              .entries = 3,
                              .name = "counters"};
  uint32_t cpus;
  assert_int_equal(bpf_cpu_count(&cpus, NULL), 0);
  assert_true(cpus >= (uint32_t)sysconf(_SC_NPROCESSORS_ONLN));
  uint64_t *values = calloc(cpus, sizeof(uint64_t));
  uint64_t sum;
  uint32_t key = 1;
  int map = map_of(&spec);
  for (uint32_t cpu = 0; cpu < cpus; cpu++)
    values[cpu] = cpu + 1;
  assert_int_equal(bpf_map_set(map, &key, values, BPF_ANY, NULL), 0);
  memset(values, 0, cpus * sizeof(uint64_t));
  assert_int_equal(bpf_map_get(map, &key, values, NULL), 0);
  assert_int_equal(values[cpus - 1], cpus);
  assert_int_equal(sum_all(map, &spec, 2, cpus * sizeof(uint64_t), &sum), 3);
  assert_int_equal(sum, 1); /* the first CPU's */
  assert_int_equal(bpf_map_delete(map, &key, NULL), -EINVAL);
  free(values);
  close(map);
}

static void test_wrong(void **state)
{
  (void)state;
  need_bpf();
  struct bpf_map_spec spec = {
      .type = 9999, .key_bytes = 4, .value_bytes = 4, .entries = 1, .name = "of no type"};
  struct shunt_error error;
  struct bpf_map_info info;
  uint32_t key = 0, value = 0, count = 1;
  int map;
  assert_int_equal(bpf_map_new(&spec, &map, &error), -EINVAL);
  assert_non_null(strstr(error.what, "type 9999"));
  assert_non_null(strstr(error.remedy, "flags 0x0"));
  assert_int_equal(bpf_map_set(-1, &key, &value, 0, &error), -EBADF);
  assert_int_equal(bpf_map_get(-1, &key, &value, &error), -EBADF);
  assert_int_equal(bpf_map_next(-1, NULL, &key, &error), -EBADF);
  assert_int_equal(bpf_map_info(-1, &info, &error), -EBADF);
  assert_int_equal(bpf_map_open(UINT_MAX, &map, &error), -ENOENT);
  assert_int_equal(bpf_map_set_many(-1, &spec, &key, &value, &count, &error), -EBADF);
  assert_int_equal(bpf_map_get_many(-1, &spec, true, &key, &key, &value, &count, &error), -EBADF);
  assert_int_equal(count, 0);
}

static void test_name(void **state)
{
  (void)state;
  char name[BPF_OBJ_NAME_LEN];
  call_name(name, NULL);
  assert_string_equal(name, "");
  call_name(name, "rule-1.a b");
  assert_string_equal(name, "rule_1.a_b");
  call_name(name, "0123456789abcdefgh");
  assert_string_equal(name, "0123456789abcde");
}

static void test_memory(void **state)
{
  (void)state;
  need_bpf();
  struct bpf_map_spec spec = {.type = BPF_MAP_TYPE_ARRAY,
                              .key_bytes = 4,
                              .value_bytes = 6000,
                              .entries = 1,
                              .flags = BPF_F_MMAPABLE};
  int map = map_of(&spec);
  const uint32_t key = 0;
  uint8_t value[6000] = {[0] = 1, [5999] = 2};
  const void *memory = NULL;
  struct shunt_error error;

  assert_int_equal(bpf_map_memory(map, spec.value_bytes, &memory, &error), 0);
  assert_int_equal(bpf_map_set(map, &key, value, BPF_ANY, NULL), 0);
  close(map);
  assert_memory_equal(memory, value, sizeof(value));
  munmap((void *)(uintptr_t)memory, spec.value_bytes);

  spec.flags = 0;
  map = map_of(&spec);
  assert_true(bpf_map_memory(map, spec.value_bytes, &memory, &error) < 0);
  assert_non_null(strstr(error.what, "can't map 6000 bytes of BPF map fd"));
  close(map);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_hash),      cmocka_unit_test(test_prefixes),
      cmocka_unit_test(test_queues),    cmocka_unit_test(test_many),
      cmocka_unit_test(test_many_full), cmocka_unit_test(test_many_single),
      cmocka_unit_test(test_per_cpu),   cmocka_unit_test(test_wrong),
      cmocka_unit_test(test_name),      cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
