/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that run: on packets, with a context, and with live frames. */
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "bpf_rig.h"
#include "src/bpf/features.h"

#define FRAME_BYTES 64

/* Frames of one EtherType are dropped and those that are too short aborted; others pass, with 0xaa
 * as their first byte. */
static void write_filter(struct bpf_assembler *a, int map)
{
  (void)map;
  struct bpf_label pass = bpf_label(a, "pass"), abort = bpf_label(a, "abort");
  bpf_load(a, BPF_W, R2, R1, offsetof(struct xdp_md, data));
  bpf_load(a, BPF_W, R3, R1, offsetof(struct xdp_md, data_end));
  bpf_move(a, R4, R2);
  bpf_add_imm(a, R4, 20);
  bpf_jump(a, BPF_JGT, R4, R3, abort);
  bpf_load(a, BPF_H, R5, R2, 12);
  bpf_be(a, R5, 16);
  bpf_jump_imm(a, BPF_JNE, R5, 0x88f7, pass);
  bpf_move_imm(a, R0, XDP_DROP);
  bpf_exit(a);
  bpf_place(a, pass);
  bpf_store_imm(a, BPF_B, R2, 0, 0xaa);
  bpf_move_imm(a, R0, XDP_PASS);
  bpf_exit(a);
  bpf_place(a, abort);
  bpf_move_imm(a, R0, XDP_ABORTED);
  bpf_exit(a);
}

static int load(bpf_rig_writer *write, int map)
{
  int fd;
  struct shunt_error error;
  if (!bpf_rig_usable())
    skip();
  if (bpf_rig_load(write, map, &fd, &error) < 0)
    print_error("%s\n%s\n", error.what, error.why);
  assert_true(fd >= 0);
  return fd;
}

static void test_verdicts(void **state)
{
  (void)state;
  int program = load(write_filter, -1);
  uint8_t frame[FRAME_BYTES] = {0}, out[FRAME_BYTES];
  struct bpf_test test = {
      .in = frame, .in_bytes = sizeof(frame), .out = out, .out_bytes = sizeof(out)};
  frame[12] = 0x88;
  frame[13] = 0xf7;
  assert_int_equal(bpf_program_test(program, &test, NULL), 0);
  assert_int_equal(test.verdict, XDP_DROP);
  frame[12] = 0xf7; /* the other byte order is another type */
  frame[13] = 0x88;
  test.out_bytes = sizeof(out);
  test.repeat = 100;
  assert_int_equal(bpf_program_test(program, &test, NULL), 0);
  assert_int_equal(test.verdict, XDP_PASS);
  assert_int_equal(test.out_bytes, sizeof(frame));
  assert_int_equal(out[0], 0xaa);
  assert_int_equal(frame[0], 0);
  test = (struct bpf_test){.in = frame, .in_bytes = 19};
  assert_int_equal(bpf_program_test(program, &test, NULL), 0);
  assert_int_equal(test.verdict, XDP_ABORTED);
  close(program);
}

static void test_test_wrong(void **state)
{
  (void)state;
  int program = load(bpf_rig_pass, -1);
  uint8_t frame[FRAME_BYTES] = {0}, out[8];
  struct shunt_error error;
  struct bpf_test test = {.in = frame, .in_bytes = 13};
  assert_int_equal(bpf_program_test(program, &test, &error), -EINVAL);
  assert_non_null(strstr(error.what, "13 bytes"));
  assert_non_null(strstr(error.remedy, "14 bytes"));
  test = (struct bpf_test){.in = frame, .in_bytes = 64, .out = out, .out_bytes = sizeof(out)};
  assert_int_equal(bpf_program_test(program, &test, &error), -ENOSPC);
  assert_int_equal(test.out_bytes, 64);
  assert_int_equal(test.verdict, XDP_PASS);
  assert_int_equal(bpf_program_test(-1, &test, &error), -EBADF);
  close(program);
}

/* r0 = the queue, from the context */
static void write_queue(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_load(a, BPF_W, R0, R1, offsetof(struct xdp_md, rx_queue_index));
  bpf_exit(a);
}

/* In a namespace of its own, so that the loopback interface is one. */
static void test_context(void **state)
{
  (void)state;
  int program = load(write_queue, -1);
  uint8_t frame[FRAME_BYTES] = {0};
  struct xdp_md context = {.data_end = sizeof(frame), .ingress_ifindex = 1, .rx_queue_index = 0};
  struct bpf_test test = {.in = frame, .in_bytes = sizeof(frame), .context = &context};
  struct shunt_error error;
  assert_int_equal(bpf_program_test(program, &test, NULL), 0);
  assert_int_equal(test.verdict, 0);
  context.rx_queue_index = 77; /* lo has one queue */
  assert_int_equal(bpf_program_test(program, &test, &error), -EINVAL);
  assert_non_null(strstr(error.remedy, "data_end"));
  close(program);
}

/* Count in a map and drop: the map's only value is added to in place. */
static void write_count(struct bpf_assembler *a, int map)
{
  bpf_load_map_value(a, R1, map, 8);
  bpf_move_imm(a, R2, 1);
  bpf_atomic(a, BPF_DW, BPF_ADD, R1, 0, R2);
  bpf_move_imm(a, R0, XDP_DROP);
  bpf_exit(a);
}

static void test_live(void **state)
{
  (void)state;
  struct bpf_map_spec spec = {
      .type = BPF_MAP_TYPE_ARRAY, .key_bytes = 4, .value_bytes = 16, .entries = 1, .name = "n"};
  struct features features = {0};
  int map = -1;
  if (!bpf_rig_usable() || features_state(&features, FEATURE_LIVE_FRAMES) != FEATURE_PRESENT)
    skip();
  assert_int_equal(bpf_map_new(&spec, &map, NULL), 0);
  int program = load(write_count, map);
  uint8_t frame[FRAME_BYTES] = {0};
  struct bpf_test test = {
      .in = frame, .in_bytes = sizeof(frame), .repeat = 1000, .live = true, .batch = 32};
  assert_int_equal(bpf_program_test(program, &test, NULL), 0);
  uint32_t key = 0;
  uint64_t values[2];
  assert_int_equal(bpf_map_get(map, &key, values, NULL), 0);
  assert_int_equal(values[0], 0);
  assert_int_equal(values[1], 1000);
  struct shunt_error error;
  test.batch = 257;
  assert_int_equal(bpf_program_test(program, &test, &error), -E2BIG);
  close(program);

  /* The program names its map. */
  struct bpf_program_state about;
  struct bpf_map_info info;
  program = load(write_count, map);
  assert_int_equal(bpf_map_info(map, &info, NULL), 0);
  assert_int_equal(bpf_program_info(program, &about, NULL), 0);
  assert_int_equal(about.map_count, 1);
  assert_int_equal(about.maps[0], info.id);
  close(program);
  close(map);
}

static void test_info(void **state)
{
  (void)state;
  struct timespec now;
  int program = load(bpf_rig_pass, -1), again = load(bpf_rig_pass, -1), opened;
  struct bpf_program_state first, second, third;
  clock_gettime(CLOCK_BOOTTIME, &now);
  assert_int_equal(bpf_program_info(program, &first, NULL), 0);
  assert_int_equal(bpf_program_info(again, &second, NULL), 0);
  assert_int_equal(first.type, BPF_PROG_TYPE_XDP);
  assert_string_equal(first.name, "shunt_test");
  assert_int_equal(strlen(first.tag), 16);
  assert_string_equal(first.tag, second.tag);
  assert_int_not_equal(first.id, second.id);
  assert_int_equal(first.uid, getuid());
  assert_true(first.loaded_ns / 1000000000u <= (uint64_t)now.tv_sec);
  assert_true(first.loaded_ns / 1000000000u + 60 > (uint64_t)now.tv_sec);
  assert_int_equal(first.insns, 2);
  assert_int_equal(bpf_program_open(first.id, &opened, NULL), 0);
  assert_int_equal(bpf_program_info(opened, &third, NULL), 0);
  assert_memory_equal(&first, &third, sizeof(first));
  close(opened);
  close(again);
  close(program);
  struct shunt_error error;
  assert_int_equal(bpf_program_info(-1, &first, &error), -EBADF);
}

/* Generating and loading is quick enough to do it anew for each change of the rules: measured, and
 * held only against what would be a mistake. */
static void test_load_time(void **state)
{
  (void)state;
  struct timespec start, end;
  close(load(write_filter, -1));
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (unsigned i = 0; i < 20; i++) {
    int fd;
    assert_int_equal(bpf_rig_load(write_filter, -1, &fd, NULL), 0);
    close(fd);
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  int64_t each_us =
      ((int64_t)(end.tv_sec - start.tv_sec) * 1000000 + (end.tv_nsec - start.tv_nsec) / 1000) / 20;
  print_message("generating, assembling and loading: %lld us\n", (long long)each_us);
  assert_true(each_us < 100000);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_verdicts), cmocka_unit_test(test_test_wrong),
      cmocka_unit_test(test_context),  cmocka_unit_test(test_live),
      cmocka_unit_test(test_info),     cmocka_unit_test(test_load_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
