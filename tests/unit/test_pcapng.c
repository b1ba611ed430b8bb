/* SPDX-License-Identifier: BSD-2-Clause */
#include "pcapng_file.h"

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
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
