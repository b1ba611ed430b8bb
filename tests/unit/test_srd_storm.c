/* SPDX-License-Identifier: BSD-2-Clause */
/* A million operations of all kinds between three nodes, under a hundred seeds, on a network that
 * loses, doubles and overtakes a fifth of all frames: each ends once, with what really happened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "srd_rig.h"

#define SEEDS       100u
#define OPERATIONS  10000u
#define AT_ONCE     256u
#define MTU         512u
#define SLICE_BYTES (RIG_MEMORY / 1024u)

/* An operation has a part of both memories to itself while it runs. */
struct operation {
  struct rig_work rig;
  unsigned from, to;
  bool running;
  uint32_t number;
  uint32_t bytes;
  uint8_t want[SLICE_BYTES];
};

static struct rig rig;
static struct operation operations[AT_ONCE];
static uint8_t came[OPERATIONS]; /* how often each number was received */
static unsigned ended, failed;
static uint32_t next_number;

static uint8_t *local_memory(struct operation *operation)
{
  return rig.nodes[operation->from].memory + operation->rig.local;
}

static uint8_t *remote_memory(struct operation *operation)
{
  return rig.nodes[operation->to].memory + operation->rig.work.remote_address;
}

static void fill(struct random_stream *random, uint8_t *memory, uint32_t bytes)
{
  for (uint32_t i = 0; i < bytes; i++)
    memory[i] = (uint8_t)random_next(random);
}

static void begin(struct operation *operation, struct random_stream *random)
{
  uint64_t draw = random_next(random);
  unsigned slot = (unsigned)(operation - operations);
  operation->from = draw % RIG_NODES;
  operation->to = (operation->from + 1 + (draw >> 8) % (RIG_NODES - 1)) % RIG_NODES;
  operation->bytes = (uint32_t)(draw >> 16) % SLICE_BYTES;
  operation->number = next_number++;
  operation->running = true;
  operation->rig = (struct rig_work){
      .work = {.op = (enum srd_op)((draw >> 40) % 3),
               .source_qpn = 1,
               .destination_qpn = (uint16_t)slot,
               .immediate = operation->number,
               .has_immediate = (draw >> 42) & 1,
               .rnr_retries = SRD_FOR_EVER,
               .bytes = operation->bytes,
               .rkey = RIG_RKEY,
               .remote_address = RIG_MEMORY / 2 + slot * SLICE_BYTES},
      .local = slot * SLICE_BYTES,
  };
  if (operation->rig.work.op == SRD_SEND) {
    operation->rig.work.has_immediate = true;
    operation->rig.work.bytes = operation->bytes %= MTU + 1;
  }
  fill(random, operation->want, operation->bytes);
  bool reads = operation->rig.work.op == SRD_READ;
  memcpy(reads ? remote_memory(operation) : local_memory(operation), operation->want,
         operation->bytes);
  rig_post(&rig, operation->from, operation->to, &operation->rig);
}

static enum srd_status receive(void *context, const struct srd_arrival *arrival, const void *data)
{
  struct rig_node *node = context;
  if (random_chance(&rig.random, 0.01))
    return SRD_REMOTE_RNR;
  struct operation *operation = &operations[arrival->qpn];
  assert_true(operation->running);
  assert_int_equal(operation->number, arrival->immediate);
  assert_ptr_equal(node, &rig.nodes[operation->to]);
  assert_int_equal(came[arrival->immediate]++, 0);
  /* What was sent, or, behind a write, all that was written. */
  assert_memory_equal(data ? data : remote_memory(operation), operation->want, operation->bytes);
  return SRD_OK;
}

static void done(struct rig_node *node, struct srd_work *work, enum srd_status status)
{
  struct operation *operation = (struct operation *)work;
  assert_true(operation->running);
  assert_ptr_equal(node, &rig.nodes[operation->from]);
  operation->running = false;
  ended++;
  if (status != SRD_OK) {
    failed++;
    return;
  }
  if (work->op == SRD_READ)
    assert_memory_equal(local_memory(operation), operation->want, operation->bytes);
  if (work->op == SRD_WRITE)
    assert_memory_equal(remote_memory(operation), operation->want, operation->bytes);
  bool told = work->op == SRD_SEND || (work->op == SRD_WRITE && work->has_immediate);
  assert_int_equal(came[operation->number], told);
}

static void storm(uint64_t seed)
{
  struct random_stream random;
  struct srd_ops ops = rig_ops;
  ops.receive = receive;
  random_seed(&random, seed, 1);
  rig_init(&rig, seed);
  for (unsigned i = 0; i < RIG_NODES; i++) {
    struct rig_node *node = &rig.nodes[i];
    struct srd_options options = rig_options(node, 7);
    options.give_up_ns = UINT64_C(20000000000);
    options.mtu = MTU;
    node->done = done;
    srd_destroy(node->srd);
    assert_int_equal(srd_create(&options, &ops, node, &node->srd, NULL), 0);
  }
  rig.loss = rig.duplicate = rig.reorder = 0.2;
  memset(came, 0, sizeof(came));
  memset(operations, 0, sizeof(operations));
  ended = failed = next_number = 0;
  while (ended < OPERATIONS) {
    for (unsigned i = 0; i < AT_ONCE && next_number < OPERATIONS; i++)
      if (!operations[i].running)
        begin(&operations[i], &random);
    assert_true(rig_step(&rig, UINT64_MAX - 1));
  }
  assert_int_equal(failed, 0);
  rig_free(&rig);
}

static void test_exactly_once(void **state)
{
  (void)state;
  for (uint64_t seed = 0; seed < SEEDS; seed++)
    storm(seed);
}

/* The same seed, the same story: to the frame and to the nanosecond. */
static void test_repeats(void **state)
{
  (void)state;
  uint64_t sent[2], now_ns[2];
  for (unsigned i = 0; i < 2; i++) {
    storm(4711);
    sent[i] = rig.sent;
    now_ns[i] = rig.now_ns;
  }
  assert_int_equal(sent[0], sent[1]);
  assert_int_equal(now_ns[0], now_ns[1]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_exactly_once),
      cmocka_unit_test(test_repeats),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
