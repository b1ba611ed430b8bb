/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets that an 82599 receives in several buffers of its own, and what a program's buffers hold
 * of them: full ones, one after the other, however long either's are. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "efvi_rig.h"

#define MEMORY   ((size_t)RIG_BUFS * RIG_BUF_BYTES)
#define LONGEST  9014u /* with its Ethernet header, at an MTU of 9000 */
#define SHORTEST 60u
#define ALL      UINT32_MAX

/* Posted buffers of room bytes each, one behind the other, with their numbers for ids. */
struct posted {
  struct rig *rig;
  uint32_t room;
  unsigned count, next; /* which one the next event has to name */
  ef_event events[8];
  int polled, told;
};

static uint8_t *data_of(const struct posted *posted, unsigned i)
{
  return posted->rig->memory + (size_t)i * ((posted->room + 63) & ~63u);
}

static void post(struct posted *posted, unsigned n)
{
  for (; n > 0; n--, posted->count++) {
    const size_t offset = (size_t)(data_of(posted, posted->count) - posted->rig->memory);
    assert_true(offset + posted->room <= MEMORY);
    assert_int_equal(ef_vi_receive_init(&posted->rig->vi,
                                        ef_memreg_dma_addr(&posted->rig->memreg, offset),
                                        (ef_request_id)posted->count),
                     0);
  }
  ef_vi_receive_push(&posted->rig->vi);
}

static struct posted open_with(struct rig *rig, enum ef_vi_flags flags, uint32_t room, unsigned n)
{
  struct posted posted = {.rig = rig, .room = room};
  if (!rig->vi.inited) {
    setenv("SHUNT_EFVI_DEVICE", "eth0=" RIG_DEVICE "&mtu=9000", 1);
    assert_int_equal(ef_memreg_free(&rig->memreg, rig->handle), 0);
    assert_int_equal(ef_pd_free(&rig->pd, rig->handle), 0);
    assert_int_equal(ef_pd_alloc_by_name(&rig->pd, rig->handle, "eth0", EF_PD_DEFAULT), 0);
    assert_int_equal(
        ef_memreg_alloc(&rig->memreg, rig->handle, &rig->pd, rig->handle, rig->memory, MEMORY), 0);
    rig_open(rig, flags, 0);
    rig_filter_all(rig);
  }
  memset(rig->memory, 0xEE, MEMORY);
  ef_vi_receive_set_buffer_len(&rig->vi, room);
  post(&posted, n);
  rig_run(rig, 10);
  return posted;
}

/* A frame whose every byte says where it stands. */
static void frame_make(const struct rig *rig, uint8_t frame[LONGEST], uint32_t bytes)
{
  rig_frame(rig, frame, bytes, 2000, 0);
  for (uint32_t i = 42; i < bytes; i++)
    frame[i] = (uint8_t)(i * 7 + i / 251 + bytes);
}

static void frame_send(struct rig *rig, uint32_t bytes)
{
  uint8_t frame[LONGEST];
  frame_make(rig, frame, bytes);
  rig_send(rig, frame, bytes);
}

/* The next event, of those that were polled, at most so many at a time. */
static const ef_event *next_event(struct posted *posted, int at_once)
{
  for (unsigned i = 0; posted->told == posted->polled && i < 100; i++) {
    posted->told = 0;
    posted->polled = ef_eventq_poll(&posted->rig->vi, posted->events, at_once);
    rig_run(posted->rig, 20);
  }
  assert_true(posted->told < posted->polled);
  return &posted->events[posted->told++];
}

static bool is_merged(const struct posted *posted)
{
  return (posted->rig->vi.vi_flags & EF_VI_RX_EVENT_MERGE) != 0;
}

/* An event names the next buffer, and bytes of the packet so far where there is nothing merged.
 * Returns its flags. */
static unsigned check_event(struct posted *posted, const ef_event *event, uint32_t bytes)
{
  ef_request_id ids[EF_VI_RECEIVE_BATCH];
  if (is_merged(posted)) {
    assert_int_equal(EF_EVENT_TYPE(*event), EF_EVENT_TYPE_RX_MULTI);
    assert_int_equal(ef_vi_receive_unbundle(&posted->rig->vi, event, ids), 1);
    assert_int_equal(ids[0], posted->next);
    return event->rx_multi.flags;
  }
  assert_int_equal(EF_EVENT_TYPE(*event), EF_EVENT_TYPE_RX);
  assert_int_equal(EF_EVENT_RX_RQ_ID(*event), posted->next);
  assert_int_equal(EF_EVENT_RX_BYTES(*event), bytes);
  return event->rx.flags;
}

/* The events of a frame, or of so many of its buffers, told of at most so many at a time. */
static void expect(struct posted *posted, uint32_t bytes, uint32_t buffers, int at_once)
{
  const uint32_t prefix = posted->rig->vi.rx_prefix_len;
  uint8_t frame[LONGEST];
  uint16_t whole;
  frame_make(posted->rig, frame, bytes);
  rig_run(posted->rig, 50);
  for (uint32_t done = 0, i = 0; done < bytes && i < buffers; i++) {
    const uint32_t front = i ? 0 : prefix, room = posted->room - front;
    const uint32_t here = bytes - done < room ? bytes - done : room;
    const uint8_t *data = data_of(posted, posted->next) + front;
    const unsigned flags = check_event(posted, next_event(posted, at_once), prefix + done + here);
    assert_int_equal(!!(flags & EF_EVENT_FLAG_SOP), i == 0);
    assert_int_equal(!!(flags & EF_EVENT_FLAG_CONT), done + here < bytes);
    assert_memory_equal(data, frame + done, here);
    if (room > here && here >= 64)
      assert_int_equal(data[here], 0xEE); /* not a byte more */
    if (front) {                          /* the length is there with the first event */
      assert_int_equal(ef_vi_receive_get_bytes(&posted->rig->vi, data - front, &whole), 0);
      assert_int_equal(whole, bytes);
    }
    done += here;
    posted->next++;
  }
}

static void expect_none(struct posted *posted)
{
  assert_int_equal(posted->told, posted->polled);
  rig_run(posted->rig, 200);
  assert_int_equal(rig_poll(posted->rig), 0);
}

/* --- Sizes --------------------------------------------------------------------------------------
 */

static const uint32_t sizes[] = {SHORTEST, 1500, 1792, 2047, 2048, 2049, 4095,
                                 4096,     4097, 6144, 6145, 8192, 9013, LONGEST};
static const uint32_t rooms[] = {64, 100, 1024, 1792, 2047, 2048, 2049, 3000, 4096, 9032, 16384};

/* One frame at a time, in buffers of every length, told of by two events at a time or more. */
static void one_by_one(struct rig *rig, enum ef_vi_flags flags)
{
  for (unsigned r = 0; r < sizeof(rooms) / sizeof(rooms[0]); r++)
    for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
      const uint32_t needed = (sizes[s] + EFVI_PREFIX_LONG + rooms[r] - 1) / rooms[r];
      if (needed > 100)
        continue;
      struct posted posted = open_with(rig, flags, rooms[r], needed + 2);
      frame_send(rig, sizes[s]);
      expect(&posted, sizes[s], ALL, s % 2 ? 2 : 7);
      expect_none(&posted);
      frame_send(rig, SHORTEST);
      expect(&posted, SHORTEST, ALL, 2);
      assert_int_equal(ef_vi_flush(&rig->vi, rig->handle), 0);
    }
  assert_int_equal(rig_count(rig, "rx_truncated"), 0);
  assert_int_equal(rig_count(rig, "rx_no_buffer"), 0);
}

static void plain(void **state)
{
  one_by_one(*state, EF_VI_FLAGS_DEFAULT);
}

static void stamped(void **state)
{
  one_by_one(*state, EF_VI_RX_TIMESTAMPS);
}

static void merged(void **state)
{
  one_by_one(*state, EF_VI_RX_EVENT_MERGE);
}

/* Long and short ones behind each other, while the program polls by twos and posts by eights, so
 * that frames end anywhere in what was polled at once. */
static void stream(void **state)
{
  struct rig *rig = *state;
  struct posted posted = open_with(rig, EF_VI_FLAGS_DEFAULT, 1000, 100);
  for (unsigned round = 0; round < 12; round++) {
    for (unsigned i = 0; i < 4; i++)
      frame_send(rig, sizes[(round * 4 + i) % (sizeof(sizes) / sizeof(sizes[0]))]);
    for (unsigned i = 0; i < 4; i++)
      expect(&posted, sizes[(round * 4 + i) % (sizeof(sizes) / sizeof(sizes[0]))], ALL, 2);
    if (posted.count < 400)
      post(&posted, ef_vi_receive_space(&rig->vi) > 80 ? 80 : 1);
  }
  assert_int_equal(rig_count(rig, "rx_packets"), 48);
}

/* --- Too few buffers ----------------------------------------------------------------------------
 */

/* What the posted buffers hold is told of, and that the rest is lost; what comes behind is not. */
static void too_few(struct rig *rig, enum ef_vi_flags flags)
{
  static const struct {
    uint32_t room, count;
  } posts[] = {{64, 1}, {1792, 1}, {1792, 4}, {2048, 2}, {3000, 2}, {4096, 1}, {8192, 1}};
  for (unsigned i = 0; i < sizeof(posts) / sizeof(posts[0]); i++) {
    struct posted posted = open_with(rig, flags, posts[i].room, posts[i].count);
    frame_send(rig, LONGEST);
    expect(&posted, LONGEST, posts[i].count, i % 2 ? 2 : 7);
    const ef_event *event = next_event(&posted, 2);
    if (EF_EVENT_TYPE(*event) != EF_EVENT_TYPE_RX_NO_DESC_TRUNC)
      fail_msg("an event of type %u", EF_EVENT_TYPE(*event));
    assert_int_equal(EF_EVENT_RX_NO_DESC_TRUNC_Q_ID(*event), 0);
    assert_int_equal(rig_count(rig, "rx_truncated"), i + 1);
    post(&posted, 20); /* not for the rest, which is lost */
    expect_none(&posted);
    frame_send(rig, SHORTEST);
    expect(&posted, SHORTEST, ALL, 2);
    assert_int_equal(ef_vi_flush(&rig->vi, rig->handle), 0);
  }
}

static void too_few_plain(void **state)
{
  too_few(*state, EF_VI_FLAGS_DEFAULT);
}

static void too_few_stamped(void **state)
{
  too_few(*state, EF_VI_RX_TIMESTAMPS);
}

static void too_few_merged(void **state)
{
  too_few(*state, EF_VI_RX_EVENT_MERGE);
}

/* --- What else meets a frame in pieces ----------------------------------------------------------
 */

/* The last event says that something is wrong with it, and the prefix in its first buffer. */
static void discard(void **state)
{
  struct rig *rig = *state;
  struct posted posted = open_with(rig, EF_VI_RX_EVENT_MERGE, 3000, 8);
  uint8_t frame[LONGEST];
  unsigned flags;
  frame_make(rig, frame, LONGEST);
  frame[24] ^= 1; /* the IPv4 header's checksum */
  rig_send(rig, frame, LONGEST);
  assert_int_equal(rig_poll(rig), 4);
  for (int i = 0; i < 4; i++)
    assert_int_equal(EF_EVENT_TYPE(rig->events[i]),
                     i == 3 ? EF_EVENT_TYPE_RX_MULTI_DISCARD : EF_EVENT_TYPE_RX_MULTI);
  assert_int_equal(EF_EVENT_RX_MULTI_DISCARD_TYPE(rig->events[3]), EF_EVENT_RX_DISCARD_CSUM_BAD);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  assert_int_equal(ef_vi_receive_get_discard_flags(&rig->vi, data_of(&posted, 0), &flags), 0);
  assert_int_equal(flags, EF_VI_DISCARD_RX_L3_CSUM_ERR);
#pragma GCC diagnostic pop
  assert_int_equal(rig_count(rig, "rx_discards"), 1);
}

static void discard_plain(void **state)
{
  struct rig *rig = *state;
  struct posted posted = open_with(rig, EF_VI_FLAGS_DEFAULT, 5000, 8);
  uint8_t frame[LONGEST];
  frame_make(rig, frame, LONGEST);
  frame[24] ^= 1;
  rig_send(rig, frame, LONGEST);
  assert_int_equal(rig_poll(rig), 2);
  assert_int_equal(EF_EVENT_TYPE(rig->events[0]), EF_EVENT_TYPE_RX);
  assert_int_equal(EF_EVENT_TYPE(rig->events[1]), EF_EVENT_TYPE_RX_DISCARD);
  assert_int_equal(EF_EVENT_RX_DISCARD_BYTES(rig->events[1]), LONGEST);
  assert_false(EF_EVENT_RX_DISCARD_CONT(rig->events[1]));
  assert_memory_equal(data_of(&posted, 1), frame + 5000, LONGEST - 5000);
}

/* To a group: each of its events says so. */
static void group(void **state)
{
  struct rig *rig = *state;
  open_with(rig, EF_VI_FLAGS_DEFAULT, 3000, 8);
  ef_filter_spec spec;
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_multicast_all(&spec), 0);
  assert_int_equal(ef_vi_filter_add(&rig->vi, rig->handle, &spec, NULL), 0);
  uint8_t frame[LONGEST];
  frame_make(rig, frame, LONGEST);
  frame[0] |= 1;
  rig_send(rig, frame, LONGEST);
  assert_int_equal(rig_poll(rig), 4);
  for (int i = 0; i < 4; i++)
    assert_true(rig->events[i].rx.flags & EF_EVENT_FLAG_MULTICAST);
  frame_send(rig, LONGEST);
  assert_int_equal(rig_poll(rig), 4);
  for (int i = 0; i < 4; i++)
    assert_false(rig->events[i].rx.flags & EF_EVENT_FLAG_MULTICAST);
}

/* Each buffer is as long as was said when it was posted, whatever is said later. */
static void lengths(void **state)
{
  struct rig *rig = *state;
  struct posted posted = open_with(rig, EF_VI_FLAGS_DEFAULT, 4096, 1);
  ef_vi *vi = &rig->vi;
  ef_vi_receive_set_buffer_len(vi, 256);
  const size_t second = (size_t)(data_of(&posted, 1) - rig->memory);
  assert_int_equal(ef_vi_receive_post(vi, ef_memreg_dma_addr(&rig->memreg, second), 1), 0);
  ef_vi_receive_set_buffer_len(vi, 65536 * 4);
  assert_int_equal(ef_vi_receive_post(vi, ef_memreg_dma_addr(&rig->memreg, second * 2), 2), 0);
  ef_vi_receive_set_buffer_len(vi, 0);
  assert_int_equal(ef_vi_receive_post(vi, ef_memreg_dma_addr(&rig->memreg, second * 3), 3),
                   -EINVAL);
  frame_send(rig, LONGEST);
  assert_int_equal(rig_poll(rig), 3);
  assert_int_equal(EF_EVENT_RX_BYTES(rig->events[0]), 4096);
  assert_int_equal(EF_EVENT_RX_BYTES(rig->events[1]), 4096 + 256);
  assert_int_equal(EF_EVENT_RX_BYTES(rig->events[2]), LONGEST);
}

/* A flush in the middle of a frame: what comes of it later belongs to nobody. Four frames of five
 * pieces are more than is polled at once. */
static void flush(void **state)
{
  struct rig *rig = *state;
  struct posted posted = open_with(rig, EF_VI_FLAGS_DEFAULT, 1792, 40);
  for (unsigned told = 1; told < 24; told++) {
    for (unsigned i = 0; i < 4; i++)
      frame_send(rig, LONGEST);
    for (unsigned left = told; left > 0; left -= left < 6 ? left : 6)
      expect(&posted, LONGEST, left, 1 + (int)told % 3 + 1);
    assert_int_equal(ef_vi_flush(&rig->vi, rig->handle), 0);
    posted = open_with(rig, EF_VI_FLAGS_DEFAULT, 1792, 40);
    expect_none(&posted);
    frame_send(rig, 3000);
    expect(&posted, 3000, ALL, 2);
    assert_int_equal(ef_vi_flush(&rig->vi, rig->handle), 0);
    posted = open_with(rig, EF_VI_FLAGS_DEFAULT, 1792, 40);
  }
}

int main(void)
{
#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
  const struct CMUnitTest tests[] = {
      ON_RIG(plain),           ON_RIG(stamped),        ON_RIG(merged),  ON_RIG(stream),
      ON_RIG(too_few_plain),   ON_RIG(too_few_merged), ON_RIG(discard), ON_RIG(discard_plain),
      ON_RIG(too_few_stamped), ON_RIG(group),          ON_RIG(lengths), ON_RIG(flush),
  };
  return cmocka_run_group_tests_name("efvi_pieces", tests, NULL, NULL);
}
