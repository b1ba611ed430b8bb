/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "src/bpf/bpf.h"
#include "src/bpf/call.h"
#include "src/bpf/explain.h"
#include "src/core/error_internal.h"
#include "src/core/sysfs.h"

#define MAP_CPUS_PATH "/sys/devices/system/cpu/possible"

int bpf_map_new(const struct bpf_map_spec *spec, int *fd, struct shunt_error *error)
{
  union bpf_attr attr = {
      .map_type = spec->type,
      .key_size = spec->key_bytes,
      .value_size = spec->value_bytes,
      .max_entries = spec->entries,
      .map_flags = spec->flags,
  };
  call_name(attr.map_name, spec->name);
  *fd = -1;
  int result = call_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
  if (result >= 0) {
    *fd = result;
    return 0;
  }
  error_set_errno(error, result, "can't make BPF map \"%s\" (type %u, %u entries of %u + %u bytes)",
                  attr.map_name, spec->type, spec->entries, spec->key_bytes, spec->value_bytes);
  if (result == -EPERM)
    explain_permission(NULL, error);
  if (result == -EINVAL)
    shunt_error_remedy(error,
                       "compare the type, the sizes and flags 0x%x with what this kernel's "
                       "map type takes",
                       spec->flags);
  if (result == -ENOMEM || result == -E2BIG)
    shunt_error_remedy(error, "use fewer entries, or give the cgroup more memory");
  return result;
}

static union bpf_attr map_element(int map, const void *key, const void *value, uint64_t flags)
{
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.map_fd = (uint32_t)map;
  attr.key = call_address(key);
  attr.value = call_address(value);
  attr.flags = flags;
  return attr;
}

int bpf_map_set(int map, const void *key, const void *value, uint64_t flags,
                struct shunt_error *error)
{
  union bpf_attr attr = map_element(map, key, value, flags);
  int result = call_bpf(BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr));
  if (result == 0)
    return 0;
  error_set_errno(error, result, "can't set an element of BPF map fd %d", map);
  if (result == -E2BIG)
    shunt_error_remedy(error, "the map is full, or the index is past its end: make it with more "
                              "entries");
  if (result == -EPERM)
    explain_permission(NULL, error);
  return result;
}

int bpf_map_get(int map, const void *key, void *value, struct shunt_error *error)
{
  union bpf_attr attr = map_element(map, key, value, 0);
  int result = call_bpf(BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr));
  if (result < 0)
    error_set_errno(error, result, "can't read an element of BPF map fd %d", map);
  return result;
}

int bpf_map_memory(int map, size_t bytes, const void **memory, struct shunt_error *error)
{
  void *mapped = mmap(NULL, bytes, PROT_READ, MAP_SHARED, map, 0);
  if (mapped == MAP_FAILED)
    return error_set_errno(error, -errno, "can't map %zu bytes of BPF map fd %d", bytes, map);
  *memory = mapped;
  return 0;
}

int bpf_map_delete(int map, const void *key, struct shunt_error *error)
{
  union bpf_attr attr = map_element(map, key, NULL, 0);
  int result = call_bpf(BPF_MAP_DELETE_ELEM, &attr, sizeof(attr));
  if (result < 0)
    error_set_errno(error, result, "can't remove an element of BPF map fd %d", map);
  return result;
}

int bpf_map_next(int map, const void *key, void *next, struct shunt_error *error)
{
  union bpf_attr attr = map_element(map, key, next, 0);
  int result = call_bpf(BPF_MAP_GET_NEXT_KEY, &attr, sizeof(attr));
  if (result < 0 && result != -ENOENT)
    error_set_errno(error, result, "can't step through BPF map fd %d", map);
  return result;
}

/* ---- many at once ---- */

/* A per-CPU map's value is one for each possible CPU, rounded up to 8 bytes (kernel/bpf/syscall.c,
 * bpf_map_value_size). Returns the bytes of a value in the caller's array, or -errno. */
static int64_t map_value_stride(const struct bpf_map_spec *spec, struct shunt_error *error)
{
  switch (spec->type) {
  case BPF_MAP_TYPE_PERCPU_ARRAY:
  case BPF_MAP_TYPE_PERCPU_HASH:
  case BPF_MAP_TYPE_LRU_PERCPU_HASH:
    break;
  default:
    return spec->value_bytes;
  }
  uint32_t cpus = 0;
  int result = bpf_cpu_count(&cpus, error);
  return result < 0 ? result : (int64_t)cpus * (((int64_t)spec->value_bytes + 7) & ~INT64_C(7));
}

/* Kernels before 5.6 don't know the command, later ones not for every type of map. */
static bool map_no_batch(int result)
{
  return result == -EINVAL || result == -CALL_ENOTSUPP || result == -EOPNOTSUPP;
}

static int map_batch(enum bpf_cmd command, int map, const void *keys, const void *values,
                     uint32_t *count)
{
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.batch.map_fd = (uint32_t)map;
  attr.batch.keys = call_address(keys);
  attr.batch.values = call_address(values);
  attr.batch.count = *count;
  int result = call_bpf(command, &attr, sizeof(attr));
  if (!map_no_batch(result))
    *count = attr.batch.count;
  return result;
}

int bpf_map_set_many(int map, const struct bpf_map_spec *spec, const void *keys, const void *values,
                     uint32_t *count, struct shunt_error *error)
{
  uint32_t wanted = *count;
  if (wanted == 0)
    return 0;
  int result = map_batch(BPF_MAP_UPDATE_BATCH, map, keys, values, count);
  if (result == 0)
    return 0;
  if (!map_no_batch(result))
    return error_set_errno(error, result, "can't set element %u of %u of BPF map fd %d", *count,
                           wanted, map);
  *count = 0;
  int64_t stride = map_value_stride(spec, error);
  if (stride < 0)
    return (int)stride;
  for (; *count < wanted; (*count)++) {
    const char *key = (const char *)keys + (size_t)*count * spec->key_bytes;
    const char *value = (const char *)values + (size_t)*count * (size_t)stride;
    result = bpf_map_set(map, key, value, BPF_ANY, error);
    if (result < 0)
      return result;
  }
  return 0;
}

int bpf_map_delete_many(int map, const struct bpf_map_spec *spec, const void *keys, uint32_t *count,
                        struct shunt_error *error)
{
  uint32_t wanted = *count;
  if (wanted == 0)
    return 0;
  int result = map_batch(BPF_MAP_DELETE_BATCH, map, keys, NULL, count);
  if (result == 0)
    return 0;
  if (!map_no_batch(result))
    return error_set_errno(error, result, "can't remove element %u of %u of BPF map fd %d", *count,
                           wanted, map);
  for (*count = 0; *count < wanted; (*count)++) {
    const char *key = (const char *)keys + (size_t)*count * spec->key_bytes;
    result = bpf_map_delete(map, key, error);
    if (result < 0)
      return result;
  }
  return 0;
}

/* bpf_map_get_many one by one: the cursor is the key that was read last. */
static int map_get_each(int map, const struct bpf_map_spec *spec, bool first, char *cursor,
                        char *keys, char *values, uint32_t *count, struct shunt_error *error)
{
  uint32_t room = *count;
  *count = 0;
  int64_t stride = map_value_stride(spec, error);
  if (stride < 0)
    return (int)stride;
  while (*count < room) {
    char *key = keys + (size_t)*count * spec->key_bytes;
    int result = bpf_map_next(map, first ? NULL : cursor, key, error);
    if (result < 0)
      return result;
    first = false;
    memcpy(cursor, key, spec->key_bytes);
    result = bpf_map_get(map, key, values + (size_t)*count * (size_t)stride, error);
    if (result == -ENOENT) /* removed meanwhile */
      continue;
    if (result < 0)
      return result;
    (*count)++;
  }
  return 0;
}

int bpf_map_get_many(int map, const struct bpf_map_spec *spec, bool first, void *cursor, void *keys,
                     void *values, uint32_t *count, struct shunt_error *error)
{
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.batch.in_batch = call_address(first ? NULL : cursor);
  attr.batch.out_batch = call_address(cursor);
  attr.batch.keys = call_address(keys);
  attr.batch.values = call_address(values);
  attr.batch.count = *count;
  attr.batch.map_fd = (uint32_t)map;
  int result = call_bpf(BPF_MAP_LOOKUP_BATCH, &attr, sizeof(attr));
  if (map_no_batch(result))
    return map_get_each(map, spec, first, cursor, keys, values, count, error);
  uint32_t room = *count;
  *count = result == 0 || result == -ENOENT ? attr.batch.count : 0;
  if (result == 0 || result == -ENOENT)
    return result;
  error_set_errno(error, result, "can't read up to %u elements of BPF map fd %d at once", room,
                  map);
  if (result == -ENOSPC) /* a hash bucket is read whole (kernel/bpf/hashtab.c) */
    shunt_error_remedy(error, "give room for more elements: one bucket of the hash holds more");
  return result;
}

/* ---- info ---- */

int bpf_map_info(int map, struct bpf_map_info *info, struct shunt_error *error)
{
  memset(info, 0, sizeof(*info));
  union bpf_attr attr = {
      .info = {.bpf_fd = (uint32_t)map, .info_len = sizeof(*info), .info = call_address(info)}};
  int result = call_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr));
  if (result < 0)
    error_set_errno(error, result, "can't ask the kernel about BPF map fd %d", map);
  return result;
}

int bpf_map_open(uint32_t id, int *fd, struct shunt_error *error)
{
  union bpf_attr attr = {.map_id = id};
  *fd = -1;
  int result = call_bpf(BPF_MAP_GET_FD_BY_ID, &attr, sizeof(attr));
  if (result >= 0) {
    *fd = result;
    return 0;
  }
  error_set_errno(error, result, "can't open BPF map id %u", id);
  if (result == -EPERM)
    shunt_error_remedy(error, "opening maps of others needs CAP_SYS_ADMIN");
  return result;
}

int bpf_cpu_count(uint32_t *count, struct shunt_error *error)
{
  char text[256]; /* "0-3" or "0,2-5": the last number is the highest */
  int result = sysfs_read(MAP_CPUS_PATH, text, sizeof(text));
  if (result < 0)
    return error_set_errno(error, result, "can't read %s", MAP_CPUS_PATH);
  const char *last = text + strlen(text);
  while (last > text && last[-1] >= '0' && last[-1] <= '9')
    last--;
  char *end;
  unsigned long highest = strtoul(last, &end, 10);
  if (end == last || highest >= UINT16_MAX) {
    shunt_error_set(error, -EINVAL, "can't tell how many CPUs there are");
    shunt_error_why(error, "%s says \"%.64s\"", MAP_CPUS_PATH, text);
    return -EINVAL;
  }
  *count = (uint32_t)highest + 1;
  return 0;
}
