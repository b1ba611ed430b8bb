/* SPDX-License-Identifier: BSD-2-Clause */
/* Capture files that tests build byte by byte, and what they expect to read. */
#ifndef TESTS_UNIT_PCAPNG_FILE_H
#define TESTS_UNIT_PCAPNG_FILE_H

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "shunt/wire.h"
#include "src/core/pcapng.h"

struct file {
  bool swapped;
  size_t used;
  uint8_t bytes[4096];
};

static inline void put(struct file *file, const void *bytes, size_t count)
{
  assert_true(file->used + count <= sizeof(file->bytes));
  memcpy(file->bytes + file->used, bytes, count);
  file->used += count;
}

static inline void put_u16(struct file *file, uint16_t value)
{
  value = file->swapped ? __builtin_bswap16(value) : value;
  put(file, &value, sizeof(value));
}

static inline void put_u32(struct file *file, uint32_t value)
{
  value = file->swapped ? __builtin_bswap32(value) : value;
  put(file, &value, sizeof(value));
}

static inline void put_u64(struct file *file, uint64_t value)
{
  value = file->swapped ? __builtin_bswap64(value) : value;
  put(file, &value, sizeof(value));
}

static inline void put_section(struct file *file)
{
  put_u32(file, PCAPNG_BLOCK_SECTION);
  put_u32(file, 28);
  put_u32(file, PCAPNG_BYTE_ORDER_MAGIC);
  put_u16(file, 1);
  put_u16(file, 0);
  put_u64(file, UINT64_MAX);
  put_u32(file, 28);
}

static inline void put_interface(struct file *file, uint16_t link_type, uint32_t snapshot_bytes)
{
  put_u32(file, PCAPNG_BLOCK_INTERFACE);
  put_u32(file, 20);
  put_u16(file, link_type);
  put_u16(file, 0);
  put_u32(file, snapshot_bytes);
  put_u32(file, 20);
}

/* With if_name (skipped), if_tsresol and, where it is not 0, if_tsoffset. */
static inline void put_timed_interface(struct file *file, uint8_t resolution, int64_t offset_s)
{
  uint32_t total = 20 + 8 + 8 + (offset_s ? 12 : 0) + 4;
  put_u32(file, PCAPNG_BLOCK_INTERFACE);
  put_u32(file, total);
  put_u16(file, 1);
  put_u16(file, 0);
  put_u32(file, 0);
  put_u16(file, PCAPNG_IF_NAME);
  put_u16(file, 3);
  put(file, "abc", 4);
  put_u16(file, PCAPNG_IF_TSRESOL);
  put_u16(file, 1);
  put(file, (uint8_t[]){resolution, 0, 0, 0}, 4);
  if (offset_s) {
    put_u16(file, PCAPNG_IF_TSOFFSET);
    put_u16(file, 8);
    put_u64(file, (uint64_t)offset_s);
  }
  put_u32(file, PCAPNG_OPTION_END);
  put_u32(file, total);
}

static inline void put_enhanced(struct file *file, uint32_t interface, uint64_t stamp,
                                const char *data)
{
  uint32_t bytes = (uint32_t)strlen(data), padding = -bytes & 3;
  put_u32(file, PCAPNG_BLOCK_ENHANCED);
  put_u32(file, 32 + bytes + padding);
  put_u32(file, interface);
  put_u32(file, (uint32_t)(stamp >> 32));
  put_u32(file, (uint32_t)stamp);
  put_u32(file, bytes);
  put_u32(file, bytes + 100);
  put(file, data, bytes);
  put(file, "\0\0\0", padding);
  put_u32(file, 32 + bytes + padding);
}

static inline int open_file(struct file *file, struct pcapng_reader **reader,
                            struct shunt_error *error)
{
  FILE *stream = fmemopen(file->bytes, file->used, "rb");
  assert_non_null(stream);
  return pcapng_reader_open_stream(stream, "memory", reader, error);
}

static inline void expect_frame(struct pcapng_reader *reader, uint64_t time_ns, const char *data)
{
  struct pcapng_frame frame;
  struct shunt_error error = {0};
  assert_int_equal(pcapng_reader_next(reader, &frame, &error), 1);
  assert_true(frame.time_ns == time_ns);
  assert_int_equal(frame.captured_bytes, strlen(data));
  assert_memory_equal(frame.data, data, strlen(data));
}

static inline void expect_end(struct pcapng_reader *reader)
{
  struct pcapng_frame frame;
  assert_int_equal(pcapng_reader_next(reader, &frame, NULL), 0);
  assert_int_equal(pcapng_reader_next(reader, &frame, NULL), 0);
  pcapng_reader_close(reader);
}

/* Read to the end. Returns 0 or the error. */
static inline int read_all(struct file *file, struct shunt_error *error)
{
  struct pcapng_reader *reader = NULL;
  struct pcapng_frame frame;
  int code = open_file(file, &reader, error);
  if (code < 0)
    return code;
  while ((code = pcapng_reader_next(reader, &frame, error)) > 0)
    ;
  pcapng_reader_close(reader);
  return code;
}

static inline char *scratch_path(char path[64])
{
  snprintf(path, 64, "/tmp/shunt-test-XXXXXX");
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  return path;
}

#endif
