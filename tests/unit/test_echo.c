/* SPDX-License-Identifier: BSD-2-Clause */
/* The responder over queues of the test's own, which hand out frames and note what is done with
 * them, in order: so "sent, and only then refilled" can be seen. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "shunt/echo.h"

#define BUF_BYTES 2048u
#define BUFS      256u

struct fake {
  struct shunt_queue head;
  uint8_t memory[BUFS * BUF_BYTES];
  struct shunt_frame arriving[BUFS], sent[BUFS];
  unsigned arriving_count, taken, sent_count, room;
  unsigned pushed;   /* of sent, made visible */
  unsigned returned; /* of sent, given back by tx_poll */
  shunt_buf reposted[BUFS];
  unsigned reposted_count;
  char events[512]; /* p: push, r: repost */
};

static struct fake *of(struct shunt_queue *q)
{
  return (struct fake *)q;
}

static unsigned fake_rx_post(struct shunt_queue *q, const shunt_buf bufs[], unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    of(q)->reposted[of(q)->reposted_count++] = bufs[i] & ~(uint64_t)(BUF_BYTES - 1);
  if (n)
    strcat(of(q)->events, "r");
  return n;
}

static unsigned fake_rx_poll(struct shunt_queue *q, struct shunt_frame frames[], unsigned n)
{
  unsigned got = 0;
  while (got < n && of(q)->taken < of(q)->arriving_count)
    frames[got++] = of(q)->arriving[of(q)->taken++];
  return got;
}

static unsigned fake_tx_post(struct shunt_queue *q, const struct shunt_frame frames[], unsigned n)
{
  unsigned taken = 0;
  while (taken < n && of(q)->room) {
    of(q)->sent[of(q)->sent_count++] = frames[taken++];
    of(q)->room--;
  }
  return taken;
}

static void fake_tx_push(struct shunt_queue *q)
{
  of(q)->pushed = of(q)->sent_count;
  strcat(of(q)->events, "p");
}

static unsigned fake_tx_poll(struct shunt_queue *q, shunt_buf bufs[], unsigned n)
{
  unsigned got = 0;
  while (got < n && of(q)->returned < of(q)->pushed)
    bufs[got++] = of(q)->sent[of(q)->returned++].addr;
  return got;
}

static const struct shunt_queue_verbs fake_verbs = {fake_rx_post, fake_rx_poll, fake_tx_post,
                                                    fake_tx_push, fake_tx_poll};

static const struct shunt_host host = {
    .mac = {{2, 0, 0, 0, 0, 1}}, .ipv4 = 0x0A000001, .prefix_bits = 24, .udp_echo_port = 7};

static int set_up(void **state)
{
  struct fake *fake = calloc(1, sizeof(*fake));
  if (!fake)
    return -1;
  fake->head.verbs = fake->head.inner = &fake_verbs;
  fake->head.base = fake->memory;
  fake->room = BUFS;
  *state = fake;
  return 0;
}

static int tear_down(void **state)
{
  free(*state);
  return 0;
}

/* An echo request of that many bytes of ICMP data, in a buffer of its own. */
static uint8_t *arrive_request(struct fake *fake, uint32_t data_bytes, uint8_t fill)
{
  struct shunt_frame *frame = &fake->arriving[fake->arriving_count];
  uint32_t ip_bytes = 28 + data_bytes;
  frame->addr = (uint64_t)fake->arriving_count++ * BUF_BYTES;
  frame->len = (uint16_t)(14 + ip_bytes);
  uint8_t *bytes = fake->memory + frame->addr;
  const uint8_t head[42] = {2,
                            0,
                            0,
                            0,
                            0,
                            1,
                            2,
                            0,
                            0,
                            0,
                            0,
                            2,
                            8,
                            0,
                            0x45,
                            0,
                            (uint8_t)(ip_bytes >> 8),
                            (uint8_t)ip_bytes,
                            0,
                            1,
                            0x40,
                            0,
                            64,
                            1,
                            0,
                            0,
                            10,
                            0,
                            0,
                            2,
                            10,
                            0,
                            0,
                            1,
                            8,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0};
  memcpy(bytes, head, sizeof(head));
  memset(bytes + 42, fill, data_bytes);
  uint16_t sum = shunt_checksum(bytes + 14, 20);
  bytes[24] = (uint8_t)(sum >> 8);
  bytes[25] = (uint8_t)sum;
  sum = shunt_checksum(bytes + 34, 8 + data_bytes);
  bytes[36] = (uint8_t)(sum >> 8);
  bytes[37] = (uint8_t)sum;
  return bytes;
}

/* The answer that shunt/respond.h makes is the oracle: it is tested on its own. */
static void expect_like_respond(const uint8_t *answer, const uint8_t *request, uint32_t bytes)
{
  uint8_t wanted[2048];
  memcpy(wanted, request, bytes);
  assert_int_equal(shunt_respond_in_place(wanted, bytes, 0, &host), SHUNT_CAUSE_NONE);
  assert_memory_equal(answer, wanted, bytes);
}

static void the_cropped_answer_is_the_full_one(void **state)
{
  struct fake *fake = *state;
  struct shunt_echo echo;
  uint8_t request[2048];
  for (unsigned batch = 1; batch <= 2; batch++) {
    shunt_echo_init(&echo, &host, 0);
    for (uint32_t data = 18; data < 1400; data += 97) {
      fake->arriving_count = fake->taken = fake->sent_count = fake->pushed = fake->returned = 0;
      fake->reposted_count = 0;
      fake->events[0] = 0;
      uint8_t *bytes = arrive_request(fake, data, (uint8_t)data);
      memcpy(request, bytes, 42 + data);
      if (batch == 1)
        assert_int_equal(shunt_echo_round_with(&fake_verbs, &fake->head, &echo, 1), 1);
      else
        assert_int_equal(shunt_echo_round(&fake->head, &echo, 32), 1);
      assert_int_equal(fake->sent_count, 1);
      assert_int_equal(fake->pushed, 1);
      assert_int_equal(fake->sent[0].addr, fake->arriving[0].addr); /* the buffer it came in */
      expect_like_respond(bytes, request, 42 + data);
    }
  }
}

/* RFC 1624's corner: a request that is zero in every byte but its type. */
static void two_zeros_are_told_apart(void **state)
{
  struct fake *fake = *state;
  struct shunt_echo echo;
  shunt_echo_init(&echo, &host, 0);
  uint8_t *bytes = arrive_request(fake, 18, 0);
  assert_int_equal(bytes[36] << 8 | bytes[37], 0xF7FF);
  assert_int_equal(shunt_echo_round_with(&fake_verbs, &fake->head, &echo, 1), 1);
  assert_int_equal(fake->sent_count, 1);
  assert_int_equal(shunt_checksum(bytes + 34, 26), 0);
  assert_int_equal(bytes[36] << 8 | bytes[37], 0xFFFF);
}

static void refill_comes_after_the_answer(void **state)
{
  struct fake *fake = *state;
  struct shunt_echo echo;
  shunt_echo_init(&echo, &host, 0);
  for (unsigned i = 0; i < 80; i++)
    arrive_request(fake, 18, 1);
  fake->memory[fake->arriving[3].addr + 34] = 0; /* an answer, not a request: dropped */
  while (shunt_echo_round(&fake->head, &echo, 32))
    ;
  assert_int_equal(fake->events[0], 'p'); /* the dropped one's buffer waits for the push too */
  assert_int_equal(fake->events[1], 'r');
  assert_int_equal(shunt_echo_answered(&echo), 79);
  assert_int_equal(shunt_echo_unanswered(&echo), 1);
  assert_int_equal(echo.unanswered[SHUNT_CAUSE_ICMP_NOT_ECHO_REQUEST], 1);
  assert_int_equal(fake->reposted_count, 80); /* none lost, none twice */
  for (unsigned i = 0; i < 80; i++)
    for (unsigned k = 0; k < i; k++)
      assert_true(fake->reposted[i] != fake->reposted[k]);
}

static void a_full_send_ring_costs_the_answer_not_the_buffer(void **state)
{
  struct fake *fake = *state;
  struct shunt_echo echo;
  shunt_echo_init(&echo, &host, 0);
  for (unsigned i = 0; i < 12; i++)
    arrive_request(fake, 18, 1);
  fake->room = 5;
  shunt_echo_round(&fake->head, &echo, 8);
  assert_int_equal(shunt_echo_round_with(&fake_verbs, &fake->head, &echo, 1), 1);
  shunt_echo_round(&fake->head, &echo, 8);
  while (shunt_echo_round(&fake->head, &echo, 8))
    ;
  assert_int_equal(shunt_echo_answered(&echo), 5);
  assert_int_equal(echo.no_room, 7);
  assert_int_equal(fake->reposted_count, 12);
}

static void what_is_not_plain_takes_the_full_way(void **state)
{
  struct fake *fake = *state;
  struct shunt_echo echo;
  shunt_echo_init(&echo, &host, 0);
  /* Cropped: the address asked is not looked at. A fragment, a broadcast, a short frame are. */
  arrive_request(fake, 18, 1)[33] = 99;
  arrive_request(fake, 24, 1)[20] = 0x20;
  memset(arrive_request(fake, 18, 1), 0xFF, 6);
  arrive_request(fake, 18, 1);
  fake->arriving[3].len = 41;
  shunt_echo_round(&fake->head, &echo, 8);
  assert_int_equal(shunt_echo_answered(&echo), 1);
  assert_int_equal(echo.unanswered[SHUNT_CAUSE_IPV4_FRAGMENT], 1);
  assert_int_equal(echo.unanswered[SHUNT_CAUSE_IPV4_IN_LINK_BROADCAST], 1);
  assert_int_equal(echo.unanswered[SHUNT_CAUSE_IPV4_BEYOND_FRAME], 1);
}

static void validation_looks_at_everything(void **state)
{
  struct fake *fake = *state;
  struct shunt_echo echo;
  shunt_echo_init(&echo, &host, 1);
  arrive_request(fake, 18, 1);
  arrive_request(fake, 18, 1)[33] = 99; /* breaks the IPv4 checksum first */
  arrive_request(fake, 18, 1)[50] ^= 1; /* and this the ICMP checksum */
  for (unsigned i = 0; i < 3; i++)
    assert_int_equal(shunt_echo_round_with(&fake_verbs, &fake->head, &echo, 1), 1);
  assert_int_equal(shunt_echo_answered(&echo), 1);
  assert_int_equal(echo.unanswered[SHUNT_CAUSE_IPV4_BAD_CHECKSUM], 1);
  assert_int_equal(echo.unanswered[SHUNT_CAUSE_ICMP_BAD_CHECKSUM], 1);
}

/* Cut the request in the given buffer into pieces of at most piece_bytes, each in its own buffer.
 */
static void cut(struct fake *fake, uint32_t piece_bytes)
{
  struct shunt_frame whole = fake->arriving[--fake->arriving_count];
  uint8_t copy[BUF_BYTES];
  memcpy(copy, fake->memory + whole.addr, whole.len);
  for (uint32_t at = 0; at < whole.len; at += piece_bytes) {
    struct shunt_frame *piece = &fake->arriving[fake->arriving_count];
    uint32_t len = whole.len - at < piece_bytes ? whole.len - at : piece_bytes;
    *piece = (struct shunt_frame){.addr = (uint64_t)fake->arriving_count++ * BUF_BYTES,
                                  .len = (uint16_t)len,
                                  .flags = at + len < whole.len ? SHUNT_FRAME_MORE : 0};
    memcpy(fake->memory + piece->addr, copy + at, len);
  }
}

static void frames_in_pieces_are_answered_in_pieces(void **state)
{
  struct fake *fake = *state;
  for (int validate = 0; validate < 2; validate++) {
    struct shunt_echo echo;
    uint8_t request[2048], answer[2048];
    uint32_t at = 0;
    shunt_echo_init(&echo, &host, validate);
    fake->arriving_count = fake->taken = fake->sent_count = fake->pushed = fake->returned = 0;
    fake->reposted_count = 0;
    fake->events[0] = 0;
    memcpy(request, arrive_request(fake, 1000, 3), 1042);
    cut(fake, 100);
    arrive_request(fake, 18, 4);
    unsigned pieces = fake->arriving_count;
    while (shunt_echo_round(&fake->head, &echo, 4))
      ;
    assert_int_equal(shunt_echo_answered(&echo), 2);
    assert_int_equal(fake->sent_count, pieces);
    for (unsigned i = 0; i + 1 < pieces; i++) {
      memcpy(answer + at, fake->memory + fake->sent[i].addr, fake->sent[i].len);
      at += fake->sent[i].len;
    }
    expect_like_respond(answer, request, 1042);
    assert_int_equal(fake->reposted_count, pieces);
  }
}

static void a_frame_of_too_many_pieces_is_dropped_whole(void **state)
{
  struct fake *fake = *state;
  struct shunt_echo echo;
  shunt_echo_init(&echo, &host, 0);
  arrive_request(fake, 1000, 3);
  cut(fake, 20); /* 53 pieces */
  arrive_request(fake, 18, 4);
  unsigned pieces = fake->arriving_count;
  while (shunt_echo_round(&fake->head, &echo, 64))
    ;
  assert_int_equal(shunt_echo_answered(&echo), 1);
  assert_int_equal(echo.too_many_pieces, 1);
  assert_int_equal(shunt_echo_unanswered(&echo), 1);
  assert_int_equal(fake->reposted_count, pieces);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(the_cropped_answer_is_the_full_one, set_up, tear_down),
      cmocka_unit_test_setup_teardown(two_zeros_are_told_apart, set_up, tear_down),
      cmocka_unit_test_setup_teardown(refill_comes_after_the_answer, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_full_send_ring_costs_the_answer_not_the_buffer, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(what_is_not_plain_takes_the_full_way, set_up, tear_down),
      cmocka_unit_test_setup_teardown(validation_looks_at_everything, set_up, tear_down),
      cmocka_unit_test_setup_teardown(frames_in_pieces_are_answered_in_pieces, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_frame_of_too_many_pieces_is_dropped_whole, set_up,
                                      tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
