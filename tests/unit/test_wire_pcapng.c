/* SPDX-License-Identifier: BSD-2-Clause */
/* What a wire carried is a pcapng file, and a pcapng file can be what it carries. */
#include "pcapng_file.h"

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
      cmocka_unit_test(a_capture_is_played_with_its_timing),
      cmocka_unit_test(what_a_wire_records_can_be_played),
      cmocka_unit_test(a_recording_that_fails_leaves_the_wire_alone),
      cmocka_unit_test(bad_captures_are_not_played),
      cmocka_unit_test(a_capture_that_changes_ends_the_playing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
