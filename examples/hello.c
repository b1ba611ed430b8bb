/* SPDX-License-Identifier: BSD-2-Clause */
/* Two cards in software, joined by a wire: one sends a frame, the other receives it.
 *
 *   cc hello.c $(pkg-config --cflags --libs shunt) && ./a.out
 *
 * With a real card, only the name changes: "ixgbe:0000:03:00.0". */
#include <stdio.h>
#include <string.h>

#include <shunt/shunt.h>

#define BUFFERS      64
#define DEADLINE_NS  UINT64_C(5000000000)
#define ETHERTYPE_HI 0x88 /* 0x88B5: for experiments (IEEE 802, local experimental 1) */
#define ETHERTYPE_LO 0xB5

static int report(const struct shunt_error *error)
{
  char text[1024];
  shunt_error_format(error, text, sizeof(text));
  fprintf(stderr, "%s\n", text);
  return 1;
}

/* Twins have no thread of their own: whoever waits for them gives them their turns. */
static int wait_for_link(struct shunt_testbed *testbed, struct shunt_port *port,
                         struct shunt_error *error)
{
  struct shunt_link link = {.size = sizeof(link)};
  uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  do {
    shunt_testbed_poll(testbed);
    int result = shunt_port_link(port, &link, error);
    if (result || link.up)
      return result;
  } while (shunt_monotonic_ns() < end_ns);
  return shunt_error_set(error, -1, "no link: %s", link.diagnosis);
}

static int say_hello(struct shunt_queue *q, struct shunt_pool *pool, const struct shunt_mac *from,
                     const struct shunt_mac *to)
{
  static const char words[] = "hello, wire";
  struct shunt_frame frame = {.len = 60};
  if (!shunt_pool_take(pool, &frame.addr, 1))
    return 0;
  uint8_t *bytes = shunt_frame_data(q, &frame);
  memset(bytes, 0, frame.len);
  memcpy(bytes, to->bytes, 6);
  memcpy(bytes + 6, from->bytes, 6);
  bytes[12] = ETHERTYPE_HI;
  bytes[13] = ETHERTYPE_LO;
  memcpy(bytes + 14, words, sizeof(words));
  unsigned sent = shunt_tx_post(q, &frame, 1);
  shunt_tx_push(q);
  return sent == 1;
}

static int hear_hello(struct shunt_testbed *testbed, struct shunt_queue *q)
{
  uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  do {
    struct shunt_frame frame;
    shunt_testbed_poll(testbed);
    if (!shunt_rx_poll(q, &frame, 1))
      continue;
    const uint8_t *bytes = shunt_frame_data(q, &frame);
    printf("received %u bytes: \"%s\"\n", frame.len, (const char *)bytes + 14);
    shunt_rx_post(q, &frame.addr, 1); /* the buffer goes back to the card */
    return 1;
  } while (shunt_monotonic_ns() < end_ns);
  return 0;
}

/* Frames live in a region, which both ports share: it is registered with each. */
static int exchange(struct shunt_testbed *testbed, struct shunt_region *region,
                    struct shunt_error *error)
{
  struct shunt_port_options options = {
      .size = sizeof(options), .region = region, .testbed = testbed};
  struct shunt_port_info a = {.size = sizeof(a)}, b = {.size = sizeof(b)};
  struct shunt_port *left = NULL, *right = NULL;
  struct shunt_pool *pool = NULL;
  int result = shunt_port_open("ixgbe:twin?wire=w", &options, &left, error);
  if (!result)
    result = shunt_port_open("ixgbe:twin?wire=w", &options, &right, error);
  if (!result)
    result = shunt_pool_create(region, 2 * BUFFERS, &pool, error);
  if (!result)
    result = wait_for_link(testbed, right, error);
  if (!result) {
    shunt_buf bufs[BUFFERS];
    shunt_port_info(left, &a);
    shunt_port_info(right, &b);
    shunt_rx_post(shunt_port_queue(right, 0), bufs, shunt_pool_take(pool, bufs, BUFFERS));
    if (!say_hello(shunt_port_queue(left, 0), pool, &a.mac, &b.mac) ||
        !hear_hello(testbed, shunt_port_queue(right, 0)))
      result = shunt_error_set(error, -1, "nothing was received");
  }
  shunt_port_close(right);
  shunt_port_close(left);
  shunt_pool_destroy(pool);
  return result;
}

int main(void)
{
  struct shunt_error error;
  struct shunt_testbed *testbed = NULL;
  struct shunt_region *region = NULL;
  struct shunt_region_options memory = {
      .size = sizeof(memory), .bytes = 2 << 20, .numa_node = SHUNT_NUMA_ANY};
  int result = shunt_testbed_create(NULL, &testbed, &error);
  if (!result)
    result = shunt_region_create(&memory, &region, &error);
  if (!result)
    result = exchange(testbed, region, &error);
  shunt_region_destroy(region);
  shunt_testbed_destroy(testbed);
  return result ? report(&error) : 0;
}
