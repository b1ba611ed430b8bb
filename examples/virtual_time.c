/* SPDX-License-Identifier: BSD-2-Clause */
/* A test in virtual time: two 82599 twins on a bad wire, the same to the frame at each run.
 *
 * Nothing sleeps. Time passes when the program, or a driver that waits, says so, and the twins get
 * their turns as it passes. What the wire lost, doubled and held back is counted there, exactly. */
#include <stdio.h>
#include <string.h>

#include <shunt/shunt.h>

#define FRAMES  1000u
#define BUFFERS 512u
#define TWIN    "ixgbe:twin?wire=w"
/* The first twin furnishes the wire. */
#define BAD_WIRE TWIN "&seed=7&loss=0.1&duplicate=0.05&corrupt=0.02&delay_us=5&jitter_us=3"

struct bench {
  struct shunt_virtual_clock time;
  struct shunt_clock clock; /* what the ports and the testbed are given */
  struct shunt_testbed *testbed;
  struct shunt_port *left, *right;
  struct shunt_pool *left_pool, *right_pool;
  unsigned sent, received;
};

/* Called at each step of the time. */
static void turn(void *context, uint64_t now_ns)
{
  struct bench *bench = context;
  (void)now_ns;
  if (bench->testbed)
    shunt_testbed_poll(bench->testbed);
}

static int bench_open(struct bench *bench, struct shunt_error *error)
{
  shunt_virtual_clock_init(&bench->time, 0);
  shunt_virtual_clock_hook(&bench->time, turn, bench, 1000); /* a turn each microsecond */
  bench->clock = shunt_virtual_clock_view(&bench->time);
  struct shunt_testbed_options testbed = {.size = sizeof(testbed), .clock = &bench->clock};
  int result = shunt_testbed_create(&testbed, &bench->testbed, error);
  struct shunt_port_options options = {
      .size = sizeof(options), .testbed = bench->testbed, .clock = &bench->clock};
  if (!result)
    result = shunt_port_open(BAD_WIRE, &options, &bench->left, error);
  if (!result)
    result = shunt_port_open(TWIN, &options, &bench->right, error);
  if (!result)
    result = shunt_pool_create(shunt_port_region(bench->left), BUFFERS, &bench->left_pool, error);
  if (!result)
    result = shunt_pool_create(shunt_port_region(bench->right), BUFFERS, &bench->right_pool, error);
  if (!result)
    shunt_rx_fill(shunt_port_queue(bench->right, 0), bench->right_pool);
  return result;
}

static void bench_close(struct bench *bench)
{
  shunt_pool_destroy(bench->left_pool);
  shunt_pool_destroy(bench->right_pool);
  shunt_port_close(bench->left);
  shunt_port_close(bench->right);
  shunt_testbed_destroy(bench->testbed);
}

/* One frame out, 10 us, and what has arrived by then. */
static void exchange(struct bench *bench)
{
  struct shunt_queue *out = shunt_port_queue(bench->left, 0);
  struct shunt_queue *in = shunt_port_queue(bench->right, 0);
  struct shunt_frame frame = {.len = 60}, got;
  shunt_buf buf;
  if (shunt_pool_take(bench->left_pool, &frame.addr, 1)) {
    uint8_t *bytes = shunt_frame_data(out, &frame);
    memset(bytes, 0, frame.len);
    memset(bytes, 0xFF, 6); /* to everybody */
    bench->sent += shunt_tx_post(out, &frame, 1);
    shunt_tx_push(out);
  }
  shunt_virtual_clock_advance(&bench->time, 10000);
  for (; shunt_rx_poll(in, &got, 1); bench->received++)
    shunt_rx_post(in, &got.addr, 1);
  while (shunt_tx_poll(out, &buf, 1))
    shunt_pool_give(bench->left_pool, &buf, 1);
}

/* The books of the right twin's end of the wire, and of the twin, agree with what came. */
static int books_balance(struct bench *bench, struct shunt_wire_statistics *wire)
{
  struct shunt_model *right = shunt_testbed_model(bench->testbed, 0); /* made last */
  *wire = (struct shunt_wire_statistics){.size = sizeof(*wire)};
  shunt_wire_statistics(shunt_testbed_end(bench->testbed, right), wire);
  uint64_t filtered = shunt_model_counter(right, "not_addressed"); /* damaged addresses */
  return wire->offered == bench->sent &&
         wire->offered + wire->duplicated ==
             wire->delivered + wire->lost + wire->overflowed + wire->no_carrier + wire->in_flight &&
         wire->delivered == bench->received + filtered;
}

static int run(struct shunt_wire_statistics *wire, struct shunt_error *error)
{
  struct bench bench = {.sent = 0};
  int result = bench_open(&bench, error);
  for (unsigned i = 0; i < FRAMES && !result; i++)
    exchange(&bench);
  if (!result && !books_balance(&bench, wire))
    result = shunt_error_set(error, -1, "%u sent, %u received: the books don't balance", bench.sent,
                             bench.received);
  bench_close(&bench);
  return result;
}

int main(void)
{
  struct shunt_error error;
  struct shunt_wire_statistics first, second;
  int result = run(&first, &error);
  if (!result)
    result = run(&second, &error);
  if (!result && memcmp(&first, &second, sizeof(first)) != 0)
    result = shunt_error_set(&error, -1, "two runs differ");
  if (!result)
    printf("%llu sent, %llu lost, %llu doubled, %llu damaged, %llu delivered; twice the same\n",
           (unsigned long long)first.offered, (unsigned long long)first.lost,
           (unsigned long long)first.duplicated, (unsigned long long)first.corrupted,
           (unsigned long long)first.delivered);
  if (result) {
    char text[1024];
    shunt_error_format(&error, text, sizeof(text));
    fprintf(stderr, "%s\n", text);
  }
  return result ? 1 : 0;
}
