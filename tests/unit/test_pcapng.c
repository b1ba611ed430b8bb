/* SPDX-License-Identifier: BSD-2-Clause */
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

/* ---- Building files byte by byte ---- */

struct file {
  bool swapped;
  size_t used;
  uint8_t bytes[4096];
};

static void put(struct file *file, const void *bytes, size_t count)
{
  assert_true(file->used + count <= sizeof(file->bytes));
  memcpy(file->bytes + file->used, bytes, count);
  file->used += count;
}

static void put_u16(struct file *file, uint16_t value)
{
  value = file->swapped ? __builtin_bswap16(value) : value;
  put(file, &value, sizeof(value));
}

static void put_u32(struct file *file, uint32_t value)
{
  value = file->swapped ? __builtin_bswap32(value) : value;
  put(file, &value, sizeof(value));
}

static void put_u64(struct file *file, uint64_t value)
{
  value = file->swapped ? __builtin_bswap64(value) : value;
  put(file, &value, sizeof(value));
}

static void put_section(struct file *file)
{
  put_u32(file, PCAPNG_BLOCK_SECTION);
  put_u32(file, 28);
  put_u32(file, PCAPNG_BYTE_ORDER_MAGIC);
  put_u16(file, 1);
  put_u16(file, 0);
  put_u64(file, UINT64_MAX);
  put_u32(file, 28);
}

static void put_interface(struct file *file, uint16_t link_type, uint32_t snapshot_bytes)
{
  put_u32(file, PCAPNG_BLOCK_INTERFACE);
  put_u32(file, 20);
  put_u16(file, link_type);
  put_u16(file, 0);
  put_u32(file, snapshot_bytes);
  put_u32(file, 20);
}

/* With if_name (skipped), if_tsresol and, where it is not 0, if_tsoffset. */
static void put_timed_interface(struct file *file, uint8_t resolution, int64_t offset_s)
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

static void put_enhanced(struct file *file, uint32_t interface, uint64_t stamp, const char *data)
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

static int open_file(struct file *file, struct pcapng_reader **reader, struct shunt_error *error)
{
  FILE *stream = fmemopen(file->bytes, file->used, "rb");
  assert_non_null(stream);
  return pcapng_reader_open_stream(stream, "memory", reader, error);
}

static void expect_frame(struct pcapng_reader *reader, uint64_t time_ns, const char *data)
{
  struct pcapng_frame frame;
  struct shunt_error error = {0};
  assert_int_equal(pcapng_reader_next(reader, &frame, &error), 1);
  assert_true(frame.time_ns == time_ns);
  assert_int_equal(frame.captured_bytes, strlen(data));
  assert_memory_equal(frame.data, data, strlen(data));
}

static void expect_end(struct pcapng_reader *reader)
{
  struct pcapng_frame frame;
  assert_int_equal(pcapng_reader_next(reader, &frame, NULL), 0);
  assert_int_equal(pcapng_reader_next(reader, &frame, NULL), 0);
  pcapng_reader_close(reader);
}

/* Read to the end. Returns 0 or the error. */
static int read_all(struct file *file, struct shunt_error *error)
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

/* ---- Reading ---- */

static void both_byte_orders_and_several_sections(void **state)
{
  (void)state;
  struct file file = {.used = 0};
  for (unsigned i = 0; i < 4; i++) {
    file.swapped = i & 1;
    put_section(&file);
    put_interface(&file, (uint16_t)(1 + i), 0);
    put_enhanced(&file, 0, 1000000 * (i + 1), "hello");
  }
  struct pcapng_reader *reader = NULL;
  assert_int_equal(open_file(&file, &reader, NULL), 0);
  for (unsigned i = 0; i < 4; i++) {
    struct pcapng_frame frame;
    assert_int_equal(pcapng_reader_next(reader, &frame, NULL), 1);
    assert_int_equal(frame.time_ns, UINT64_C(1000000000) * (i + 1)); /* microseconds by default */
    assert_int_equal(frame.link_type, 1 + i);
    assert_int_equal(frame.original_bytes, 105);
    assert_memory_equal(frame.data, "hello", 5);
    assert_int_equal(pcapng_reader_offset(reader), i * (28 + 20 + 40) + 48);
  }
  assert_int_equal(pcapng_reader_rewind(reader, NULL), 0);
  expect_frame(reader, 1000000000, "hello");
  expect_frame(reader, 2000000000, "hello");
  pcapng_reader_close(reader);
}

static void time_stamps_have_many_units(void **state)
{
  (void)state;
  static const struct {
    uint8_t resolution;
    int64_t offset_s;
    uint64_t stamp, time_ns;
  } cases[] = {
      {9, 0, 123456789, 123456789},
      {3, 0, 1500, 1500000000},
      {0, 0, 2, 2000000000},
      {12, 0, 1999, 1},
      {0x80 | 10, 0, 1536, 1500000000},
      {0x80 | 32, 0, UINT64_C(3) << 31, 1500000000},
      {9, 100, 5, UINT64_C(100000000005)},
      {9, -1, 1000000001, 1},
      {9, -1, 5, 0},                  /* before 1970 */
      {0, 0, UINT64_MAX, UINT64_MAX}, /* after the year 2554 */
      {9, INT64_MAX, UINT64_MAX, UINT64_MAX},
      {19, 0, UINT64_MAX, 1844674407},
      {0x80 | 63, 0, UINT64_MAX, 1999999999},
  };
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    for (unsigned swapped = 0; swapped < 2; swapped++) {
      struct file file = {.swapped = swapped};
      struct pcapng_reader *reader = NULL;
      put_section(&file);
      put_timed_interface(&file, cases[i].resolution, cases[i].offset_s);
      put_enhanced(&file, 0, cases[i].stamp, "x");
      assert_int_equal(open_file(&file, &reader, NULL), 0);
      expect_frame(reader, cases[i].time_ns, "x");
      expect_end(reader);
    }
  }
}

static void simple_and_obsolete_blocks_are_read(void **state)
{
  (void)state;
  for (unsigned swapped = 0; swapped < 2; swapped++) {
    struct file file = {.swapped = swapped};
    put_section(&file);
    put_interface(&file, 1, 6);
    put_enhanced(&file, 0, 7, "first");
    put_u32(&file, PCAPNG_BLOCK_SIMPLE); /* 9 bytes long, 6 of them captured */
    put_u32(&file, 24);
    put_u32(&file, 9);
    put(&file, "simple\0\0", 8);
    put_u32(&file, 24);
    put_u32(&file, 0x0BAD); /* unknown */
    put_u32(&file, 16);
    put_u32(&file, 0);
    put_u32(&file, 16);
    put_u32(&file, PCAPNG_BLOCK_PACKET);
    put_u32(&file, 36);
    put_u16(&file, 0);
    put_u16(&file, 77); /* drops */
    put_u32(&file, 0);
    put_u32(&file, 9);
    put_u32(&file, 3);
    put_u32(&file, 3);
    put(&file, "old\0", 4);
    put_u32(&file, 36);
    struct pcapng_reader *reader = NULL;
    assert_int_equal(open_file(&file, &reader, NULL), 0);
    expect_frame(reader, 7000, "first");
    expect_frame(reader, 7000, "simple");
    expect_frame(reader, 9000, "old");
    expect_end(reader);
  }
}

static void classic_files_are_read(void **state)
{
  (void)state;
  for (unsigned kind = 0; kind < 4; kind++) {
    struct file file = {.swapped = kind & 1};
    bool ns = kind & 2;
    put_u32(&file, ns ? PCAP_MAGIC_NS : PCAP_MAGIC_US);
    put_u16(&file, 2);
    put_u16(&file, 4);
    put_u64(&file, 0);
    put_u32(&file, 65535);
    put_u32(&file, 0xF0000000u | 113);
    for (uint32_t i = 1; i <= 2; i++) {
      put_u32(&file, i);
      put_u32(&file, 5);
      put_u32(&file, 4);
      put_u32(&file, 60);
      put(&file, "data", 4);
    }
    struct pcapng_reader *reader = NULL;
    assert_int_equal(open_file(&file, &reader, NULL), 0);
    expect_frame(reader, ns ? 1000000005 : 1000005000, "data");
    assert_int_equal(pcapng_reader_offset(reader), 24);
    struct pcapng_frame frame;
    assert_int_equal(pcapng_reader_next(reader, &frame, NULL), 1);
    assert_int_equal(frame.link_type, 113);
    assert_int_equal(frame.original_bytes, 60);
    assert_int_equal(pcapng_reader_offset(reader), 44);
    assert_int_equal(pcapng_reader_rewind(reader, NULL), 0);
    expect_frame(reader, ns ? 1000000005 : 1000005000, "data");
    pcapng_reader_close(reader);
  }
}

static void a_file_cut_anywhere_is_an_error_or_an_end(void **state)
{
  (void)state;
  struct file whole = {.used = 0};
  put_section(&whole);
  size_t section = whole.used;
  put_timed_interface(&whole, 9, 5);
  size_t interface = whole.used;
  put_enhanced(&whole, 0, 1, "cut me");
  for (size_t cut = 1; cut <= whole.used; cut++) {
    struct file file = whole;
    struct shunt_error error = {0};
    file.used = cut;
    int code = read_all(&file, &error);
    bool at_border = cut == section || cut == interface || cut == whole.used;
    assert_int_equal(code, at_border ? 0 : -EBADMSG);
    if (!at_border) {
      char byte[32];
      snprintf(byte, sizeof(byte), "at byte %zu:", cut);
      assert_non_null(strstr(error.why, byte));
    }
  }
}

/* The word at that offset is replaced by a lie. */
static void lengths_are_not_trusted(void **state)
{
  (void)state;
  static const struct {
    size_t offset;
    uint32_t word;
    const char *why;
  } lies[] = {
      {0, 0x12345678, "at byte 0: neither a pcapng nor a pcap file"},
      {4, 12, "at byte 0: a block of 12 bytes"},
      {4, 16, "at byte 0: a section header of 16 bytes"},
      {4, 29, "at byte 0: a block of 29 bytes"},
      {4, 32, "at byte 28: the block's length is 1 at its end, and 32"},
      {4, 0xFFFFFFFC, "the file ends"},
      {8, 0, "at byte 8: no byte-order magic"},
      {12, 2, "at byte 0: version 2.0"},
      {24, 24, "at byte 24: the block's length is 24 at its end, and 28"},
      {32, 12, "at byte 28: an interface block of 12 bytes"},
      {32, 0, "at byte 28: a block of 0 bytes"},
      {52, 28, "at byte 48: a packet block of 28 bytes"},
      {56, 1, "at byte 48: a frame of interface 1, and there are 1"},
      {56, UINT32_MAX, "a frame of interface 4294967295"},
      {68, 13, "at byte 48: a frame of 13 bytes in a block that has room for 8"},
      {68, UINT32_MAX, "a frame of 4294967295 bytes in a block"},
  };
  for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
    struct file file = {.used = 0};
    struct shunt_error error = {0};
    put_section(&file);
    put_interface(&file, 1, 0);
    put_enhanced(&file, 0, 1, "honest");
    memcpy(file.bytes + lies[i].offset, &lies[i].word, sizeof(uint32_t));
    assert_int_equal(read_all(&file, &error), -EBADMSG);
    if (strstr(error.why, lies[i].why) == NULL)
      fail_msg("lie %u: %s", i, error.why);
  }
}

static void more_lies(void **state)
{
  (void)state;
  struct shunt_error error;
  struct file file = {.used = 0};
  put_section(&file);
  put_timed_interface(&file, 20, 0);
  assert_int_equal(read_all(&file, &error), -EBADMSG);
  assert_non_null(strstr(error.why, "10^-20"));

  file.used = 0;
  put_section(&file);
  put_timed_interface(&file, 0x80 | 64, 0);
  assert_int_equal(read_all(&file, &error), -EBADMSG);
  assert_non_null(strstr(error.why, "2^-64"));

  file.used = 0;
  put_section(&file);
  put_timed_interface(&file, 9, 0);
  file.bytes[28 + 16 + 2] = 200; /* the name's length */
  assert_int_equal(read_all(&file, &error), -EBADMSG);
  assert_non_null(strstr(error.why, "an option of 200 bytes"));

  file.used = 0;
  put_section(&file);
  put_enhanced(&file, 0, 0, "of no interface");
  assert_int_equal(read_all(&file, &error), -EBADMSG);

  /* Larger than any capture tool writes, in a block that claims to hold it. */
  file.used = 0;
  put_section(&file);
  put_interface(&file, 1, 0);
  put_u32(&file, PCAPNG_BLOCK_ENHANCED);
  put_u32(&file, 0x7FFFFFFC);
  put_u32(&file, 0);
  put_u64(&file, 0);
  put_u32(&file, PCAPNG_FRAME_BYTES_MAX + 1);
  put_u32(&file, PCAPNG_FRAME_BYTES_MAX + 1);
  assert_int_equal(read_all(&file, &error), -EBADMSG);
  assert_non_null(strstr(error.why, "262144 is the most"));

  file.used = 0;
  put_u32(&file, PCAP_MAGIC_US);
  put_u16(&file, 3);
  for (unsigned i = 0; i < 9; i++)
    put_u16(&file, 0);
  assert_int_equal(read_all(&file, &error), -EBADMSG);
  assert_non_null(strstr(error.why, "version 3 of pcap"));
}

static void files_that_are_none(void **state)
{
  (void)state;
  struct pcapng_reader *reader = NULL;
  struct shunt_error error;
  assert_int_equal(pcapng_reader_open("/nonexistent", &reader, &error), -ENOENT);
  assert_int_equal(pcapng_reader_open("/", &reader, &error), -EISDIR);
  assert_int_equal(pcapng_reader_open("/dev/null", &reader, &error), -EBADMSG);
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(write(ends[1], "\x0a\x0d\x0d\x0a", 4), 4);
  close(ends[1]);
  assert_int_equal(pcapng_reader_open_stream(fdopen(ends[0], "rb"), "pipe", &reader, &error),
                   -ESPIPE);
  assert_non_null(strstr(error.remedy, "not a pipe"));
  pcapng_reader_close(NULL);
}

/* ---- Writing ---- */

static char *scratch_path(char path[64])
{
  snprintf(path, 64, "/tmp/shunt-test-XXXXXX");
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  return path;
}

#define STAMP_NS UINT64_C(1700000000123456789)

static int write_frame(struct pcapng_writer *writer, int interface, unsigned number,
                       enum pcapng_direction direction, const struct iovec pieces[], unsigned n)
{
  const struct pcapng_packet packet = {.interface = interface,
                                       .time_ns = STAMP_NS + number,
                                       .direction = direction,
                                       .has_queue = interface == 1,
                                       .queue = 7,
                                       .original_bytes = 61};
  return pcapng_writer_frame(writer, &packet, pieces, n);
}

/* Two interfaces, three frames; the last is of queue 7, and cut to the snapshot length of 20. */
static void write_sample(const char *path)
{
  struct pcapng_writer *writer = NULL;
  uint8_t frame[61];
  const struct pcapng_interface left = {.name = "left"};
  const struct pcapng_interface right = {"right", "a NIC", "of a test", 20};
  struct pcapng_statistics statistics = {1, STAMP_NS, STAMP_NS + 5, 3, 2};
  memset(frame, 0xAB, sizeof(frame));
  assert_int_equal(pcapng_writer_open(path, "test", &writer, NULL), 0);
  assert_int_equal(pcapng_writer_interface(writer, &left), 0);
  assert_int_equal(pcapng_writer_interface(writer, &right), 1);
  struct iovec whole = {frame, 61};
  struct iovec pieces[] = {{frame, 14}, {frame + 14, 47}};
  assert_int_equal(write_frame(writer, 0, 0, PCAPNG_DIRECTION_OUTBOUND, &whole, 1), 0);
  assert_int_equal(write_frame(writer, 0, 1, PCAPNG_DIRECTION_INBOUND, pieces, 2), 0);
  assert_int_equal(write_frame(writer, 1, 2, PCAPNG_DIRECTION_UNKNOWN, pieces, 2), 0);
  assert_int_equal(write_frame(writer, 2, 3, PCAPNG_DIRECTION_UNKNOWN, &whole, 1), -EINVAL);
  assert_int_equal(write_frame(writer, -1, 3, PCAPNG_DIRECTION_UNKNOWN, &whole, 1), -EINVAL);
  assert_int_equal(pcapng_writer_statistics(writer, &statistics), 0);
  statistics.interface = 2;
  assert_int_equal(pcapng_writer_statistics(writer, &statistics), -EINVAL);
  assert_int_equal(pcapng_writer_close(writer), 0);
}

static void what_is_written_is_read(void **state)
{
  (void)state;
  char path[64];
  struct pcapng_reader *reader = NULL;
  struct pcapng_frame frame;
  write_sample(scratch_path(path));
  assert_int_equal(pcapng_reader_open(path, &reader, NULL), 0);
  for (unsigned i = 0; i < 3; i++) {
    assert_int_equal(pcapng_reader_next(reader, &frame, NULL), 1);
    assert_true(frame.time_ns == STAMP_NS + i);
    assert_int_equal(frame.interface, i == 2);
    assert_int_equal(frame.link_type, 1);
    assert_int_equal(frame.captured_bytes, i == 2 ? 20 : 61);
    assert_int_equal(frame.original_bytes, 61);
    for (unsigned byte = 0; byte < frame.captured_bytes; byte++)
      assert_int_equal(frame.data[byte], 0xAB);
  }
  expect_end(reader);
  unlink(path);
}

static void tshark_agrees(void **state)
{
  (void)state;
  if (system("tshark --version >/dev/null 2>&1") != 0) {
    print_message("tshark is not installed\n");
    skip();
  }
  char path[64], command[512], line[256];
  write_sample(scratch_path(path));
  snprintf(command, sizeof(command),
           "tshark -n -r %s -T fields -E separator=, -e frame.time_epoch -e frame.interface_name"
           " -e frame.packet_flags_direction -e frame.cap_len -e frame.len"
           " -e frame.interface_description 2>/dev/null",
           path);
  FILE *tshark = popen(command, "r");
  assert_non_null(tshark);
  static const char *const expected[] = {
      "1700000000.123456789,left,0x00000002,61,61,\n",
      "1700000000.123456790,left,0x00000001,61,61,\n",
      "1700000000.123456791,right,0x00000000,20,61,a NIC\n",
  };
  for (unsigned i = 0; i < 3; i++) {
    assert_non_null(fgets(line, sizeof(line), tshark));
    assert_string_equal(line, expected[i]);
  }
  assert_null(fgets(line, sizeof(line), tshark));
  assert_int_equal(pclose(tshark), 0);
  unlink(path);
}

static void a_full_disk_is_reported(void **state)
{
  (void)state;
  struct pcapng_writer *writer = NULL;
  struct shunt_error error;
  assert_int_equal(pcapng_writer_open("/nonexistent/x", NULL, &writer, &error), -ENOENT);
  assert_string_not_equal(error.remedy, "");
  assert_int_equal(pcapng_writer_open("/dev/full", NULL, &writer, &error), -ENOSPC);
  assert_non_null(strstr(error.what, "/dev/full"));
  assert_int_equal(pcapng_writer_close(NULL), 0);
}

/* ---- A wire that records and plays ---- */

struct listener {
  unsigned count;
  uint64_t times_ns[64];
  uint32_t bytes[64];
  uint8_t first[64];
};

static void listen_to(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct listener *listener = context;
  assert_true(listener->count < 64);
  listener->times_ns[listener->count] = now_ns;
  listener->bytes[listener->count] = bytes;
  listener->first[listener->count++] = *(const uint8_t *)frame;
}

static const struct shunt_wire_end_ops listener_ops = {.deliver = listen_to};

static struct shunt_wire *listening_wire(struct listener *listener, int64_t epoch_ns,
                                         struct shunt_wire_end **end)
{
  struct shunt_wire_options options = {.size = sizeof(options), .epoch_ns = epoch_ns};
  struct shunt_wire *wire = NULL;
  memset(listener, 0, sizeof(*listener));
  assert_int_equal(shunt_wire_create(&options, &wire, NULL), 0);
  assert_int_equal(shunt_wire_attach(wire, "listener", &listener_ops, listener, end, NULL), 0);
  return wire;
}

/* Three frames of 10, 100 and 20000 bytes (too long for a wire), 1 us and 2 us apart. */
static void record_sample(const char *path)
{
  static uint8_t frame[20000];
  struct pcapng_writer *writer = NULL;
  struct iovec piece = {.iov_base = frame};
  static const uint32_t sizes[] = {10, 100, 20000};
  static const uint64_t times_ns[] = {5000, 6000, 8000};
  assert_int_equal(pcapng_writer_open(path, NULL, &writer, NULL), 0);
  assert_int_equal(pcapng_writer_interface(writer, &(struct pcapng_interface){0}), 0);
  for (unsigned i = 0; i < 3; i++) {
    frame[0] = (uint8_t)(i + 1);
    piece.iov_len = sizes[i];
    const struct pcapng_packet packet = {.time_ns = times_ns[i], .original_bytes = sizes[i]};
    assert_int_equal(pcapng_writer_frame(writer, &packet, &piece, 1), 0);
  }
  assert_int_equal(pcapng_writer_close(writer), 0);
}

static void play_sample(double speed, uint32_t loops, struct listener *listener)
{
  char path[64];
  struct shunt_wire_end *end, *player;
  struct shunt_wire *wire = listening_wire(listener, 0, &end);
  struct shunt_play_options options = {.size = sizeof(options), .speed = speed, .loops = loops};
  struct shunt_wire_statistics statistics = {.size = sizeof(statistics)};
  uint64_t frames = 3 * (loops ? loops : 1);
  record_sample(scratch_path(path));
  assert_int_equal(shunt_wire_play(wire, path, &options, &player, NULL), 0);
  assert_int_equal(shunt_wire_play_left(player), frames);
  assert_int_equal(shunt_wire_play_left(end), 0);

  /* Not before anyone listens. */
  shunt_wire_cut(end);
  assert_true(shunt_wire_next_ns(wire) == UINT64_MAX);
  shunt_wire_poll(wire, 50);
  shunt_wire_join(end);
  uint64_t now_ns = 100;
  for (unsigned i = 0; i < 100 && shunt_wire_play_left(player) > 0; i++) {
    shunt_wire_poll(wire, now_ns);
    uint64_t next_ns = shunt_wire_next_ns(wire);
    now_ns = next_ns != UINT64_MAX && next_ns > now_ns ? next_ns : now_ns;
  }
  assert_int_equal(shunt_wire_play_left(player), 0);
  shunt_wire_statistics(player, &statistics);
  assert_int_equal(statistics.sent, frames / 3 * 2);
  assert_int_equal(statistics.outside_oversized, frames / 3);
  assert_int_equal(statistics.outside_errors, 0);
  shunt_wire_destroy(wire);
  unlink(path);
}

static void a_capture_is_played_with_its_timing(void **state)
{
  (void)state;
  struct listener listener;
  play_sample(1, 0, &listener);
  assert_int_equal(listener.count, 2);
  assert_int_equal(listener.times_ns[0], 100);
  assert_int_equal(listener.times_ns[1], 1100);
  assert_int_equal(listener.bytes[0], 60); /* lengthened */
  assert_int_equal(listener.bytes[1], 100);
  assert_int_equal(listener.first[0], 1);

  play_sample(2, 0, &listener);
  assert_int_equal(listener.times_ns[1], 600);

  play_sample(0, 0, &listener);
  assert_int_equal(listener.times_ns[0], 100);
  assert_int_equal(listener.times_ns[1], 100);

  /* A loop lasts 3000 ns, and frames are 1500 ns apart on average. */
  play_sample(1, 3, &listener);
  assert_int_equal(listener.count, 6);
  assert_int_equal(listener.times_ns[2], 100 + 4500);
  assert_int_equal(listener.times_ns[5], 100 + 2 * 4500 + 1000);
  assert_int_equal(listener.first[4], 1);
}

static void what_a_wire_records_can_be_played(void **state)
{
  (void)state;
  char path[64];
  struct listener a, b;
  struct shunt_wire_end *from, *to;
  struct shunt_wire *wire = listening_wire(&a, INT64_C(1600000000000000000), &from);
  struct shunt_error error;
  scratch_path(path);
  assert_int_equal(shunt_wire_record(wire, path, NULL), 0);
  assert_int_equal(shunt_wire_record(wire, "/dev/null", &error), -EBUSY);
  assert_non_null(strstr(error.why, path));
  assert_int_equal(shunt_wire_attach(wire, "late", &listener_ops, &b, &to, NULL), 0);
  memset(&b, 0, sizeof(b));
  struct iovec pieces[] = {{"\x01header", 7}, {"payload", 7}};
  assert_int_equal(shunt_wire_send(from, pieces, 2, 1000), 0);
  shunt_wire_cut(from);
  assert_int_equal(shunt_wire_send(from, pieces, 2, 1500), -ENETDOWN);
  assert_int_equal(shunt_wire_send(to, pieces, 2, 2000), 0);

  /* It reaches the file without the recording having ended. */
  shunt_wire_poll(wire, 200000000);
  struct pcapng_reader *reader = NULL;
  struct pcapng_frame frame;
  assert_int_equal(pcapng_reader_open(path, &reader, NULL), 0);
  for (unsigned i = 0; i < 2; i++) {
    assert_int_equal(pcapng_reader_next(reader, &frame, NULL), 1);
    assert_true(frame.time_ns == UINT64_C(1600000000000001000) + i * 1000);
    assert_int_equal(frame.interface, i);
    assert_int_equal(frame.captured_bytes, 14);
    assert_memory_equal(frame.data, "\x01headerpayload", 14);
  }
  expect_end(reader);
  assert_int_equal(shunt_wire_record_end(wire, &error), 0);
  assert_int_equal(shunt_wire_record_end(wire, &error), 0);
  assert_int_equal(shunt_wire_record(wire, "/dev/full", &error), -ENOSPC);
  shunt_wire_destroy(wire);
  unlink(path);
}

/* The wire goes on, and the end of the recording tells. */
static void a_recording_that_fails_leaves_the_wire_alone(void **state)
{
  (void)state;
  static uint8_t frame[9000];
  struct listener listener;
  struct shunt_wire_end *from, *to;
  struct shunt_wire *wire = listening_wire(&listener, 0, &from);
  struct shunt_error error = {0};
  assert_int_equal(shunt_wire_attach(wire, "to", &listener_ops, &listener, &to, NULL), 0);
  char path[64];
  scratch_path(path);
  assert_int_equal(shunt_wire_record(wire, path, NULL), 0);
  /* The writer's descriptor is swapped for one that is always full. */
  int recorded = -1;
  for (int fd = 3; fd < 64 && recorded < 0; fd++) {
    struct stat a, b;
    if (fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev)
      recorded = fd;
  }
  assert_true(recorded >= 0);
  FILE *full = fopen("/dev/full", "w");
  assert_non_null(full);
  assert_int_equal(dup2(fileno(full), recorded), recorded);
  fclose(full);
  struct iovec piece = {frame, sizeof(frame)};
  for (unsigned i = 0; i < 20; i++)
    assert_int_equal(shunt_wire_send(from, &piece, 1, i), 0);
  assert_int_equal(listener.count, 20);
  assert_int_equal(shunt_wire_record_end(wire, &error), -ENOSPC);
  assert_non_null(strstr(error.what, "not complete"));
  shunt_wire_destroy(wire);
  unlink(path);
}

static void bad_captures_are_not_played(void **state)
{
  (void)state;
  char path[64];
  struct listener listener;
  struct shunt_wire_end *end, *player;
  struct shunt_wire *wire = listening_wire(&listener, 0, &end);
  struct shunt_error error;
  assert_int_equal(shunt_wire_play(wire, "/nonexistent", NULL, &player, &error), -ENOENT);
  assert_int_equal(shunt_wire_play(wire, "/dev/null", NULL, &player, &error), -EBADMSG);
  static const double speeds[] = {-1, 1.0 / 0.0, 0.0 / 0.0};
  for (unsigned i = 0; i < 3; i++) {
    struct shunt_play_options options = {.size = sizeof(options), .speed = speeds[i]};
    assert_int_equal(shunt_wire_play(wire, "/dev/null", &options, &player, &error), -EINVAL);
  }
  struct file file = {.used = 0};
  put_section(&file);
  FILE *stream = fopen(scratch_path(path), "wb");
  fwrite(file.bytes, 1, file.used, stream);
  fclose(stream);
  assert_int_equal(shunt_wire_play(wire, path, NULL, &player, &error), -ENODATA);

  put_interface(&file, 113, 0);
  put_enhanced(&file, 0, 0, "Linux cooked");
  stream = fopen(path, "wb");
  fwrite(file.bytes, 1, file.used, stream);
  fclose(stream);
  assert_int_equal(shunt_wire_play(wire, path, NULL, &player, &error), -EBADMSG);
  assert_non_null(strstr(error.why, "at byte 48: a frame of link type 113"));
  shunt_wire_destroy(wire);
  unlink(path);
}

/* The file shrinks after it has been looked through. */
static void a_capture_that_changes_ends_the_playing(void **state)
{
  (void)state;
  char path[64];
  struct listener listener;
  struct shunt_wire_end *end, *player;
  struct shunt_wire *wire = listening_wire(&listener, 0, &end);
  struct shunt_play_options options = {.size = sizeof(options), .speed = 0, .loops = 5};
  record_sample(scratch_path(path));
  assert_int_equal(shunt_wire_play(wire, path, &options, &player, NULL), 0);
  assert_int_equal(truncate(path, 0), 0);
  for (unsigned i = 0; i < 20; i++)
    shunt_wire_poll(wire, i);
  struct shunt_wire_statistics statistics = {.size = sizeof(statistics)};
  shunt_wire_statistics(player, &statistics);
  assert_int_equal(statistics.outside_errors, 1);
  assert_int_equal(shunt_wire_play_left(player), 0);
  shunt_wire_destroy(wire);
  unlink(path);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(both_byte_orders_and_several_sections),
      cmocka_unit_test(time_stamps_have_many_units),
      cmocka_unit_test(simple_and_obsolete_blocks_are_read),
      cmocka_unit_test(classic_files_are_read),
      cmocka_unit_test(a_file_cut_anywhere_is_an_error_or_an_end),
      cmocka_unit_test(lengths_are_not_trusted),
      cmocka_unit_test(more_lies),
      cmocka_unit_test(files_that_are_none),
      cmocka_unit_test(what_is_written_is_read),
      cmocka_unit_test(tshark_agrees),
      cmocka_unit_test(a_full_disk_is_reported),
      cmocka_unit_test(a_capture_is_played_with_its_timing),
      cmocka_unit_test(what_a_wire_records_can_be_played),
      cmocka_unit_test(a_recording_that_fails_leaves_the_wire_alone),
      cmocka_unit_test(bad_captures_are_not_played),
      cmocka_unit_test(a_capture_that_changes_ends_the_playing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
