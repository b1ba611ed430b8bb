/* SPDX-License-Identifier: BSD-2-Clause */
/* The inline verbs: a workload compiled into the driver's loop.
 *
 * The right card sends back whatever it receives, with the addresses swapped, through the inline
 * verbs of shunt/ixgbe.h: no call, direct or indirect, between the descriptor and the frame. The
 * left one, through the portable calls, sends and counts what comes back. */
#include <stdio.h>
#include <string.h>

#include <shunt/ixgbe.h>
#include <shunt/testbed.h>

#define FRAMES      1000
#define BATCH       32
#define BUFFERS     256
#define DEADLINE_NS UINT64_C(10000000000)

/* Receive a burst, edit it in place, send it from the same buffers, and only then refill the
 * receive ring with what was sent before. */
static void echo_round(struct shunt_ixgbe_queue *q)
{
  struct shunt_frame frames[BATCH];
  shunt_buf bufs[BATCH];
  unsigned received = shunt_ixgbe_rx_poll(q, frames, BATCH);
  for (unsigned i = 0; i < received; i++) {
    uint8_t *bytes = q->head.base + frames[i].addr, destination[6];
    memcpy(destination, bytes, 6);
    memcpy(bytes, bytes + 6, 6);
    memcpy(bytes + 6, destination, 6);
  }
  unsigned sent = shunt_ixgbe_tx_post(q, frames, received);
  if (sent)
    shunt_ixgbe_tx_push(q);
  for (unsigned i = sent; i < received; i++) /* the send ring is full: dropped */
    shunt_ixgbe_rx_post(q, &frames[i].addr, 1);
  unsigned done = shunt_ixgbe_tx_poll(q, bufs, BATCH);
  shunt_ixgbe_rx_post(q, bufs, done);
}

/* Up to n frames to anyone, from free buffers. */
static unsigned send_some(struct shunt_queue *q, struct shunt_pool *pool,
                          const struct shunt_mac *from, unsigned n)
{
  struct shunt_frame frames[BATCH];
  shunt_buf bufs[BATCH];
  unsigned taken = shunt_pool_take(pool, bufs, n < BATCH ? n : BATCH);
  for (unsigned i = 0; i < taken; i++) {
    frames[i] = (struct shunt_frame){.addr = bufs[i], .len = 60};
    uint8_t *bytes = shunt_frame_data(q, &frames[i]);
    memset(bytes, 0, 60);
    memset(bytes, 0xFF, 6);
    memcpy(bytes + 6, from->bytes, 6);
    bytes[12] = 0x88; /* 0x88B5: for experiments (IEEE 802, local experimental 1) */
    bytes[13] = 0xB5;
  }
  unsigned sent = shunt_tx_post(q, frames, taken);
  if (sent)
    shunt_tx_push(q);
  shunt_pool_give(pool, bufs + sent, taken - sent);
  return sent;
}

/* Returns how many frames came back, and gives their buffers to the receive ring again. */
static unsigned receive_some(struct shunt_queue *q, struct shunt_pool *pool)
{
  struct shunt_frame frames[BATCH];
  shunt_buf bufs[BATCH];
  unsigned received = shunt_rx_poll(q, frames, BATCH);
  for (unsigned i = 0; i < received; i++)
    shunt_rx_post(q, &frames[i].addr, 1);
  shunt_pool_give(pool, bufs, shunt_tx_poll(q, bufs, BATCH));
  return received;
}

static int run(struct shunt_testbed *testbed, struct shunt_port *left, struct shunt_port *right,
               struct shunt_error *error)
{
  struct shunt_pool *pool = NULL, *echo_pool = NULL;
  struct shunt_queue *asks = shunt_port_queue(left, 0);
  struct shunt_ixgbe_queue *answers = shunt_ixgbe_queue(shunt_port_queue(right, 0));
  struct shunt_link link = {.size = sizeof(link)};
  struct shunt_port_info info = {.size = sizeof(info)};
  shunt_port_info(left, &info);
  if (!answers)
    return shunt_error_set(error, -1, "the queue has no inline verbs");
  int result = shunt_pool_create(shunt_port_region(left), BUFFERS, &pool, error);
  if (!result)
    result = shunt_pool_create(shunt_port_region(right), BUFFERS, &echo_pool, error);
  unsigned sent = 0, returned = 0;
  uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  if (!result) {
    shunt_buf bufs[BUFFERS];
    shunt_rx_post(asks, bufs, shunt_pool_take(pool, bufs, BUFFERS / 2));
    shunt_rx_fill(&answers->head, echo_pool);
  }
  while (!result && !link.up && shunt_monotonic_ns() < end_ns) {
    shunt_testbed_poll(testbed);
    result = shunt_port_link(left, &link, error);
  }
  while (!result && returned < FRAMES && shunt_monotonic_ns() < end_ns) {
    /* No more under way than the buffers that wait for them. */
    if (sent - returned < BUFFERS / 4)
      sent += send_some(asks, pool, &info.mac, FRAMES - sent);
    shunt_testbed_poll(testbed);
    echo_round(answers);
    returned += receive_some(asks, pool);
  }
  if (!result)
    printf("%u frames sent, %u came back\n", sent, returned);
  if (!result && returned != FRAMES)
    result = shunt_error_set(error, -1, "%u frames were lost", sent - returned);
  shunt_pool_destroy(echo_pool);
  shunt_pool_destroy(pool);
  return result;
}

int main(void)
{
  struct shunt_error error;
  struct shunt_testbed *testbed = NULL;
  struct shunt_port *left = NULL, *right = NULL;
  int result = shunt_testbed_create(NULL, &testbed, &error);
  struct shunt_port_options options = {.size = sizeof(options), .testbed = testbed};
  if (!result)
    result = shunt_port_open("ixgbe:twin?wire=w", &options, &left, &error);
  if (!result)
    result = shunt_port_open("ixgbe:twin?wire=w", &options, &right, &error);
  if (!result)
    result = run(testbed, left, right, &error);
  shunt_port_close(right);
  shunt_port_close(left);
  shunt_testbed_destroy(testbed);
  if (result) {
    char text[1024];
    shunt_error_format(&error, text, sizeof(text));
    fprintf(stderr, "%s\n", text);
  }
  return result ? 1 : 0;
}
