/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "twin/wire/wire.h"

#define FRAME_BYTES 64
#define MOST        20000

/* What arrived, by the number in the first bytes of each frame. */
struct sink {
  unsigned count;
  uint32_t numbers[MOST];
  uint64_t times_ns[MOST];
  uint8_t last[FRAME_BYTES];
};

struct bench {
  struct shunt_wire *wire;
  struct shunt_wire_end *from, *to;
  struct sink sink, other;
  uint32_t sent;
};

static void sink_deliver(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct sink *sink = context;
  assert_int_equal(bytes, FRAME_BYTES);
  assert_true(sink->count < MOST);
  memcpy(&sink->numbers[sink->count], frame, sizeof(uint32_t));
  memcpy(sink->last, frame, FRAME_BYTES);
  sink->times_ns[sink->count++] = now_ns;
}

static const struct shunt_wire_end_ops sink_ops = {.deliver = sink_deliver};

static struct bench *bench_make(uint64_t seed, const struct shunt_impairments *impairments)
{
  struct bench *bench = calloc(1, sizeof(*bench));
  assert_non_null(bench);
  struct shunt_wire_options options = {.size = sizeof(options), .seed = seed};
  assert_int_equal(shunt_wire_create(&options, &bench->wire, NULL), 0);
  assert_int_equal(
      shunt_wire_attach(bench->wire, "from", &sink_ops, &bench->other, &bench->from, NULL), 0);
  assert_int_equal(shunt_wire_attach(bench->wire, "to", &sink_ops, &bench->sink, &bench->to, NULL),
                   0);
  assert_int_equal(shunt_wire_impair(bench->to, impairments, NULL), 0);
  return bench;
}

static void bench_end(struct bench *bench)
{
  shunt_wire_destroy(bench->wire);
  free(bench);
}

static void bench_send(struct bench *bench, uint64_t now_ns)
{
  uint8_t frame[FRAME_BYTES] = {0};
  memcpy(frame, &bench->sent, sizeof(bench->sent));
  bench->sent++;
  struct iovec piece = {.iov_base = frame, .iov_len = sizeof(frame)};
  assert_int_equal(shunt_wire_send(bench->from, &piece, 1, now_ns), 0);
}

/* Let all that is in flight arrive, at exactly its time. Returns that of the last. */
static uint64_t bench_drain(struct bench *bench)
{
  uint64_t now_ns = 0;
  for (uint64_t next_ns; (next_ns = shunt_wire_next_ns(bench->wire)) != UINT64_MAX;) {
    now_ns = next_ns;
    shunt_wire_poll(bench->wire, now_ns);
  }
  return now_ns;
}

static struct shunt_wire_statistics statistics_of(const struct shunt_wire_end *end)
{
  struct shunt_wire_statistics s = {.size = sizeof(s)};
  shunt_wire_statistics(end, &s);
  assert_int_equal(s.offered + s.duplicated,
                   s.delivered + s.lost + s.overflowed + s.no_carrier + s.in_flight);
  return s;
}

/* ---- Random numbers ---- */

/* The first outputs from the state 1, 2, 3, 4: worked out from the algorithm's definition. */
static void the_generator_is_xoshiro256(void **state)
{
  (void)state;
  static const uint64_t outputs[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240)};
  struct random_stream stream = {.state = {1, 2, 3, 4}};
  for (unsigned i = 0; i < 4; i++)
    assert_true(random_next(&stream) == outputs[i]);
}

static void streams_differ_and_repeat(void **state)
{
  (void)state;
  struct random_stream a, b, c, again;
  random_seed(&a, 1, 0);
  random_seed(&b, 1, 1);
  random_seed(&c, 0, 1);
  random_seed(&again, 1, 0);
  unsigned equal = 0;
  for (unsigned i = 0; i < 1000; i++) {
    uint64_t value = random_next(&a);
    equal += value == random_next(&b);
    equal += value == random_next(&c);
    assert_true(value == random_next(&again));
  }
  assert_int_equal(equal, 0);
}

static void ranges_are_even(void **state)
{
  (void)state;
  struct random_stream stream;
  unsigned counts[10] = {0};
  random_seed(&stream, 7, 0);
  for (unsigned i = 0; i < 100000; i++)
    counts[random_below_or_equal(&stream, 9)]++;
  for (unsigned i = 0; i < 10; i++)
    assert_in_range(counts[i], 9500, 10500);
  assert_int_equal(random_below_or_equal(&stream, 0), 0);
  random_below_or_equal(&stream, UINT64_MAX);
  for (unsigned i = 0; i < 1000; i++) {
    assert_true(random_chance(&stream, 1));
    assert_false(random_chance(&stream, 0));
  }
}

/* ---- Counting ---- */

static const struct shunt_impairments everything = {
    .size = sizeof(struct shunt_impairments),
    .delay_ns = 5000,
    .jitter_ns = 3000,
    .rate_bps = UINT64_C(1000000000),
    .loss = 0.1,
    .duplicate = 0.07,
    .reorder = 0.05,
    .reorder_ns = 20000,
    .corrupt = 0.03,
};

static void no_frame_goes_unaccounted_under_any_seed(void **state)
{
  (void)state;
  for (uint64_t seed = 0; seed < 200; seed++) {
    struct bench *bench = bench_make(seed, &everything);
    assert_int_equal(shunt_wire_impair_all(bench->wire, &everything, NULL), 0);
    for (unsigned i = 0; i < 500; i++) {
      uint64_t now_ns = i * (seed % 7) * 200;
      bench_send(bench, now_ns);
      shunt_wire_poll(bench->wire, now_ns);
      if (i == 250 && seed % 3 == 0)
        shunt_wire_cut(bench->to);
      if (i == 300)
        shunt_wire_join(bench->to);
      assert_int_equal(statistics_of(bench->to).offered, i + 1);
      assert_int_equal(statistics_of(bench->to).delivered, bench->sink.count);
    }
    bench_drain(bench);
    struct shunt_wire_statistics s = statistics_of(bench->to);
    assert_int_equal(s.in_flight, 0);
    assert_int_equal(s.overflowed, 0);
    assert_int_equal(s.delivered, bench->sink.count);
    assert_true(s.lost > 0 && s.duplicated > 0 && s.reordered > 0 && s.corrupted > 0);
    assert_int_equal(statistics_of(bench->from).offered, 0);
    bench_end(bench);
  }
}

static void rates_are_as_asked(void **state)
{
  (void)state;
  struct shunt_impairments set = everything;
  set.rate_bps = 0;
  struct bench *bench = bench_make(3, &set);
  const unsigned n = 15000;
  for (unsigned i = 0; i < n; i++)
    bench_send(bench, i);
  bench_drain(bench);
  struct shunt_wire_statistics s = statistics_of(bench->to);
  /* Five standard deviations of a binomial distribution. */
  const struct {
    uint64_t count, of;
    double p;
  } cases[] = {{s.lost, n, 0.1},
               {s.duplicated, n - s.lost, 0.07},
               {s.reordered, n - s.lost, 0.05},
               {s.corrupted, n - s.lost, 0.03}};
  for (unsigned i = 0; i < 4; i++) {
    double mean = (double)cases[i].of * cases[i].p;
    assert_true(fabs((double)cases[i].count - mean) < 5 * sqrt(mean * (1 - cases[i].p)));
  }
  bench_end(bench);
}

static void extremes_are_exact(void **state)
{
  (void)state;
  struct shunt_impairments all = {.size = sizeof(all), .loss = 1};
  struct bench *bench = bench_make(0, &all);
  for (unsigned i = 0; i < 100; i++)
    bench_send(bench, i);
  assert_int_equal(statistics_of(bench->to).lost, 100);
  all.loss = 0;
  all.duplicate = 1;
  assert_int_equal(shunt_wire_impair(bench->to, &all, NULL), 0);
  for (unsigned i = 0; i < 100; i++)
    bench_send(bench, i);
  assert_int_equal(bench->sink.count, 200);
  assert_int_equal(bench->sink.numbers[0], 100);
  assert_int_equal(bench->sink.numbers[1], 100);
  assert_int_equal(bench->sink.numbers[199], 199);
  assert_int_equal(shunt_wire_impair(bench->to, NULL, NULL), 0);
  bench_send(bench, 100);
  assert_int_equal(bench->sink.count, 201);
  bench_end(bench);
}

/* ---- Independence ---- */

/* Which of 2000 frames arrive, as a map. */
static void lost_frames(uint64_t seed, const struct shunt_impairments *set, bool arrived[2000])
{
  struct bench *bench = bench_make(seed, set);
  for (unsigned i = 0; i < 2000; i++)
    bench_send(bench, i * 10);
  bench_drain(bench);
  memset(arrived, 0, 2000 * sizeof(bool));
  for (unsigned i = 0; i < bench->sink.count; i++) {
    if (bench->sink.numbers[i] < 2000)
      arrived[bench->sink.numbers[i]] = true;
  }
  bench_end(bench);
}

static void losses_do_not_depend_on_the_rest(void **state)
{
  (void)state;
  bool alone[2000], among[2000], other_seed[2000];
  struct shunt_impairments set = {.size = sizeof(set), .loss = 0.1};
  lost_frames(11, &set, alone);
  lost_frames(12, &set, other_seed);
  assert_memory_not_equal(alone, other_seed, sizeof(alone));
  struct shunt_impairments full = everything;
  full.corrupt = 0; /* would change the numbers in the frames */
  lost_frames(11, &full, among);
  assert_memory_equal(alone, among, sizeof(alone));
}

static void ends_have_streams_of_their_own(void **state)
{
  (void)state;
  struct shunt_impairments set = {.size = sizeof(set), .loss = 0.5};
  struct bench *bench = bench_make(5, &set);
  struct sink *third = calloc(1, sizeof(*third));
  struct shunt_wire_end *end = NULL;
  assert_int_equal(shunt_wire_attach(bench->wire, "third", &sink_ops, third, &end, NULL), 0);
  assert_int_equal(shunt_wire_impair(end, &set, NULL), 0);
  for (unsigned i = 0; i < 200; i++)
    bench_send(bench, 0);
  assert_true(third->count > 50 && bench->sink.count > 50);
  assert_memory_not_equal(third->numbers, bench->sink.numbers, 50 * sizeof(uint32_t));
  bench_end(bench);
  free(third);
}

static void a_wire_impairs_ends_that_come_later(void **state)
{
  (void)state;
  struct shunt_impairments set = {.size = sizeof(set), .loss = 1};
  struct bench *bench = bench_make(5, NULL);
  struct sink *third = calloc(1, sizeof(*third));
  struct shunt_wire_end *end = NULL;
  assert_int_equal(shunt_wire_impair_all(bench->wire, &set, NULL), 0);
  assert_int_equal(shunt_wire_attach(bench->wire, "third", &sink_ops, third, &end, NULL), 0);
  bench_send(bench, 0);
  assert_int_equal(bench->sink.count + third->count, 0);
  assert_int_equal(shunt_wire_impair_all(bench->wire, NULL, NULL), 0);
  bench_send(bench, 0);
  assert_int_equal(bench->sink.count + third->count, 2);
  bench_end(bench);
  free(third);
}

static void a_reseeded_wire_is_a_new_one(void **state)
{
  (void)state;
  struct shunt_impairments set = {.size = sizeof(set), .loss = 0.5};
  struct bench *made = bench_make(5, &set), *reseeded = bench_make(6, &set);
  wire_reseed(reseeded->wire, 5);
  for (unsigned i = 0; i < 500; i++) {
    bench_send(made, 0);
    bench_send(reseeded, 0);
  }
  assert_int_equal(made->sink.count, reseeded->sink.count);
  assert_memory_equal(made->sink.numbers, reseeded->sink.numbers, sizeof(made->sink.numbers));
  bench_end(made);
  bench_end(reseeded);
}

/* ---- Time ---- */

static void delay_is_exact(void **state)
{
  (void)state;
  struct shunt_impairments set = {.size = sizeof(set), .delay_ns = 1234};
  struct bench *bench = bench_make(0, &set);
  for (unsigned i = 0; i < 100; i++)
    bench_send(bench, i * 7);
  bench_drain(bench);
  for (unsigned i = 0; i < 100; i++) {
    assert_int_equal(bench->sink.numbers[i], i);
    assert_int_equal(bench->sink.times_ns[i], i * 7 + 1234);
  }
  assert_int_equal(statistics_of(bench->to).delayed, 100);
  bench_end(bench);
}

static void jitter_stays_in_range_and_in_order(void **state)
{
  (void)state;
  struct shunt_impairments set = {.size = sizeof(set), .delay_ns = 100, .jitter_ns = 1000};
  struct bench *bench = bench_make(0, &set);
  uint64_t least = UINT64_MAX, most = 0;
  for (unsigned i = 0; i < 2000; i++)
    bench_send(bench, i * 2000);
  bench_drain(bench);
  for (unsigned i = 0; i < 2000; i++) {
    uint64_t took_ns = bench->sink.times_ns[i] - i * 2000;
    assert_int_equal(bench->sink.numbers[i], i);
    assert_in_range(took_ns, 100, 1100);
    least = took_ns < least ? took_ns : least;
    most = took_ns > most ? took_ns : most;
  }
  assert_true(least < 120 && most > 1080);
  /* Closer together than the jitter: nobody overtakes. */
  uint64_t start_ns = 2000 * 2000;
  for (unsigned i = 0; i < 2000; i++)
    bench_send(bench, start_ns + i);
  bench_drain(bench);
  for (unsigned i = 0; i < 4000; i++)
    assert_int_equal(bench->sink.numbers[i], i);
  bench_end(bench);
}

/* 64 bytes and 24 around them are 704 bits: 70.4 ns at 10 Gb/s. */
static void rate_is_exact_over_many_frames(void **state)
{
  (void)state;
  struct shunt_impairments set = {.size = sizeof(set), .rate_bps = UINT64_C(10000000000)};
  struct bench *bench = bench_make(0, &set);
  for (unsigned i = 0; i < 1000; i++)
    bench_send(bench, 500);
  bench_drain(bench);
  assert_int_equal(bench->sink.times_ns[0], 500 + 70);
  assert_int_equal(bench->sink.times_ns[4], 500 + 352);
  assert_int_equal(bench->sink.times_ns[999], 500 + 70400);
  /* After a pause the link is free, and begins at the frame's own time. */
  bench_send(bench, 1000000);
  assert_int_equal(bench_drain(bench), 1000070);
  bench_end(bench);
}

static void short_frames_take_the_time_of_60_bytes(void **state)
{
  (void)state;
  struct impair impair = {.on = false};
  struct shunt_impairments set = {.size = sizeof(set), .rate_bps = UINT64_C(1000000000)};
  struct impair_verdict verdict = {.lost = false};
  impair_init(&impair, 0, 0);
  assert_int_equal(impair_set(&impair, &set, NULL), 0);
  assert_int_equal(impair_due_ns(&impair, &verdict, 1, 0), 672);
  assert_int_equal(impair_due_ns(&impair, &verdict, 60, 0), 2 * 672);
  assert_int_equal(impair_due_ns(&impair, &verdict, 61, 0), 3 * 672 + 8);
  verdict.lost = true; /* takes its time all the same */
  assert_int_equal(impair_due_ns(&impair, &verdict, 60, 0), 4 * 672 + 8);
  /* As late as it gets: time does not wrap. */
  set = (struct shunt_impairments){.size = sizeof(set), .rate_bps = 1};
  assert_int_equal(impair_set(&impair, &set, NULL), 0);
  verdict.lost = false;
  assert_true(impair_due_ns(&impair, &verdict, 1514, UINT64_MAX - 5) == UINT64_MAX);
}

static void reorder_lets_later_frames_overtake(void **state)
{
  (void)state;
  struct shunt_impairments set = {
      .size = sizeof(set), .delay_ns = 10, .reorder = 0.2, .reorder_ns = 55};
  struct bench *bench = bench_make(9, &set);
  for (unsigned i = 0; i < 1000; i++)
    bench_send(bench, i * 10);
  bench_drain(bench);
  unsigned late = 0, overtaken = 0;
  for (unsigned i = 0; i < 1000; i++) {
    uint64_t took_ns = bench->sink.times_ns[i] - bench->sink.numbers[i] * UINT64_C(10);
    assert_true(took_ns == 10 || took_ns == 65);
    late += took_ns == 65;
    overtaken += i > 0 && bench->sink.numbers[i] < bench->sink.numbers[i - 1];
  }
  assert_int_equal(late, statistics_of(bench->to).reordered);
  assert_true(late > 100 && overtaken > 50);
  bench_end(bench);
}

static void held_back_frames_wait_100_us_unasked(void **state)
{
  (void)state;
  struct shunt_impairments set = {.size = sizeof(set), .reorder = 1};
  struct bench *bench = bench_make(9, &set);
  bench_send(bench, 7);
  assert_int_equal(bench_drain(bench), 100007);
  bench_end(bench);
}

static void corruption_flips_one_bit(void **state)
{
  (void)state;
  struct shunt_impairments set = {.size = sizeof(set), .corrupt = 1};
  struct bench *bench = bench_make(2, &set);
  bool seen[8 * FRAME_BYTES] = {false};
  for (unsigned i = 0; i < 10000; i++) {
    bench->sent = 0;
    bench_send(bench, i);
    unsigned flipped = 0;
    for (unsigned bit = 0; bit < 8 * FRAME_BYTES; bit++) {
      if (bench->sink.last[bit / 8] & (1u << (bit % 8))) {
        flipped++;
        seen[bit] = true;
      }
    }
    assert_int_equal(flipped, 1);
  }
  for (unsigned bit = 0; bit < 8 * FRAME_BYTES; bit++)
    assert_true(seen[bit]);
  assert_int_equal(statistics_of(bench->to).corrupted, 10000);
  bench_end(bench);
}

/* ---- Bad values ---- */

static void bad_values_are_named(void **state)
{
  (void)state;
  struct bench *bench = bench_make(0, &everything);
  struct shunt_error error;
  const struct {
    struct shunt_impairments set;
    const char *named;
  } cases[] = {
      {{.size = sizeof(struct shunt_impairments), .loss = 1.5}, "loss"},
      {{.size = sizeof(struct shunt_impairments), .duplicate = -0.1}, "duplicate"},
      {{.size = sizeof(struct shunt_impairments), .reorder = NAN}, "reorder"},
      {{.size = sizeof(struct shunt_impairments), .corrupt = INFINITY}, "corrupt"},
      {{.size = sizeof(struct shunt_impairments), .delay_ns = UINT64_MAX}, "delay_ns"},
      {{.size = sizeof(struct shunt_impairments), .jitter_ns = UINT64_MAX}, "jitter_ns"},
      {{.size = sizeof(struct shunt_impairments), .reorder_ns = UINT64_MAX}, "reorder_ns"},
      {{.size = sizeof(struct shunt_impairments), .rate_bps = UINT64_MAX}, "rate_bps"},
      {{.size = 0}, "size"},
      {{.size = 1000}, "size"},
  };
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_int_equal(shunt_wire_impair(bench->to, &cases[i].set, &error), -EINVAL);
    assert_non_null(strstr(error.why, cases[i].named));
    assert_int_equal(shunt_wire_impair_all(bench->wire, &cases[i].set, &error), -EINVAL);
  }
  bench_end(bench);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_generator_is_xoshiro256),
      cmocka_unit_test(streams_differ_and_repeat),
      cmocka_unit_test(ranges_are_even),
      cmocka_unit_test(no_frame_goes_unaccounted_under_any_seed),
      cmocka_unit_test(rates_are_as_asked),
      cmocka_unit_test(extremes_are_exact),
      cmocka_unit_test(losses_do_not_depend_on_the_rest),
      cmocka_unit_test(ends_have_streams_of_their_own),
      cmocka_unit_test(a_wire_impairs_ends_that_come_later),
      cmocka_unit_test(a_reseeded_wire_is_a_new_one),
      cmocka_unit_test(delay_is_exact),
      cmocka_unit_test(jitter_stays_in_range_and_in_order),
      cmocka_unit_test(rate_is_exact_over_many_frames),
      cmocka_unit_test(short_frames_take_the_time_of_60_bytes),
      cmocka_unit_test(reorder_lets_later_frames_overtake),
      cmocka_unit_test(held_back_frames_wait_100_us_unasked),
      cmocka_unit_test(corruption_flips_one_bit),
      cmocka_unit_test(bad_values_are_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
