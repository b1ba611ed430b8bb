/* SPDX-License-Identifier: BSD-2-Clause */
/* What a sender and a receiver of scalable reliable datagrams are promised, one promise a test. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "srd_rig.h"

#define MS UINT64_C(1000000)

static struct rig rig;

static int set_up(void **state)
{
  (void)state;
  rig_init(&rig, 1);
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  rig_free(&rig);
  return 0;
}

static struct rig_work message(uint32_t bytes)
{
  return (struct rig_work){
      .work = {.op = SRD_SEND, .source_qpn = 3, .destination_qpn = 5, .qkey = 9, .bytes = bytes},
      .local = 4096};
}

static void test_message(void **state)
{
  (void)state;
  struct rig_work work = message(100);
  work.work.has_immediate = true;
  work.work.immediate = 0xfeedbeef;
  rig_post(&rig, 0, 1, &work);
  rig_run(&rig, MS);
  assert_int_equal(work.ends, 1);
  assert_int_equal(work.status, SRD_OK);
  struct rig_node *there = &rig.nodes[1];
  assert_int_equal(there->received, 1);
  const struct srd_arrival *arrival = &there->records[0].arrival;
  assert_int_equal(arrival->source_qpn, 3);
  assert_int_equal(arrival->qpn, 5);
  assert_int_equal(arrival->qkey, 9);
  assert_int_equal(arrival->bytes, 100);
  assert_true(arrival->has_immediate);
  assert_int_equal(arrival->immediate, 0xfeedbeef);
  assert_memory_equal(&there->records[0].source, &rig.nodes[0].gid, 16);
  assert_memory_equal(there->last, rig.nodes[0].memory + 4096, 100);
}

static void test_empty_message(void **state)
{
  (void)state;
  struct rig_work work = message(0);
  rig_post(&rig, 0, 1, &work);
  rig_run(&rig, MS);
  assert_int_equal(work.status, SRD_OK);
  assert_int_equal(rig.nodes[1].received, 1);
}

static void test_to_oneself(void **state)
{
  (void)state;
  struct rig_work work = message(64);
  rig_post(&rig, 0, 0, &work);
  rig_run(&rig, MS);
  assert_int_equal(work.ends, 1);
  assert_int_equal(work.status, SRD_OK);
  assert_int_equal(rig.nodes[0].received, 1);
}

static void test_datagram(void **state)
{
  (void)state;
  struct rig_work work = message(200);
  srd_datagram(rig.nodes[0].srd, &rig.nodes[1].gid, &work.work);
  rig_run(&rig, MS);
  assert_int_equal(rig.nodes[1].datagrams, 1);
  assert_memory_equal(rig.nodes[1].last, rig.nodes[0].memory + 4096, 200);
  assert_int_equal(srd_statistics(rig.nodes[1].srd)->acks_sent, 0);
}

static void test_write_out_of_order(void **state)
{
  (void)state;
  rig.jitter_ns = 200000;
  struct rig_work work = rig_transfer(SRD_WRITE, 300000);
  rig_post(&rig, 0, 1, &work);
  rig_run(&rig, 100 * MS);
  assert_int_equal(work.ends, 1);
  assert_int_equal(work.status, SRD_OK);
  assert_memory_equal(rig.nodes[1].memory + 512, rig.nodes[0].memory + 4096, 300000);
  assert_int_equal(rig.nodes[1].received, 0);
}

/* The immediate must not come before any of the data, however it is shuffled. */
static void test_write_with_immediate(void **state)
{
  (void)state;
  rig.jitter_ns = 500000;
  struct rig_work work = rig_transfer(SRD_WRITE, 100000);
  work.work.has_immediate = true;
  work.work.immediate = 77;
  rig_post(&rig, 0, 1, &work);
  while (!rig.nodes[1].received && rig_step(&rig, UINT64_MAX)) {
  }
  assert_memory_equal(rig.nodes[1].memory + 512, rig.nodes[0].memory + 4096, 100000);
  rig_run(&rig, 100 * MS);
  assert_int_equal(rig.nodes[1].received, 1);
  assert_int_equal(rig.nodes[1].records[0].arrival.bytes, 100000);
  assert_int_equal(rig.nodes[1].records[0].arrival.immediate, 77);
  assert_int_equal(work.ends, 1);
  assert_int_equal(work.status, SRD_OK);
}

static void test_short_write_with_immediate(void **state)
{
  (void)state;
  struct rig_work work = rig_transfer(SRD_WRITE, 100);
  work.work.has_immediate = true;
  rig_post(&rig, 0, 1, &work);
  rig_run(&rig, MS);
  assert_int_equal(work.status, SRD_OK);
  assert_int_equal(rig.nodes[1].received, 1);
  assert_int_equal(srd_statistics(rig.nodes[0].srd)->tx_packets, 1);
}

static void test_read(void **state)
{
  (void)state;
  rig.jitter_ns = 200000;
  rig.loss = 0.1;
  struct rig_work work = rig_transfer(SRD_READ, 300000);
  rig_post(&rig, 0, 1, &work);
  rig_run(&rig, 1000 * MS);
  assert_int_equal(work.ends, 1);
  assert_int_equal(work.status, SRD_OK);
  assert_memory_equal(rig.nodes[0].memory + 4096, rig.nodes[1].memory + 512, 300000);
}

static void test_bad_addresses(void **state)
{
  (void)state;
  struct rig_work write = rig_transfer(SRD_WRITE, 50000), read = rig_transfer(SRD_READ, 50000);
  write.work.rkey = read.work.rkey = 1;
  struct rig_work beyond = rig_transfer(SRD_WRITE, 50000);
  beyond.work.remote_address = RIG_MEMORY - 20000; /* some of its packets are good */
  rig_post(&rig, 0, 1, &write);
  rig_post(&rig, 0, 1, &read);
  rig_post(&rig, 0, 1, &beyond);
  rig_run(&rig, 10 * MS);
  assert_int_equal(write.status, SRD_REMOTE_BAD_ADDRESS);
  assert_int_equal(read.status, SRD_REMOTE_BAD_ADDRESS);
  assert_int_equal(beyond.status, SRD_REMOTE_BAD_ADDRESS);
  assert_int_equal(write.ends + read.ends + beyond.ends, 3);
}

static void test_source_fails(void **state)
{
  (void)state;
  struct rig_work work = message(64);
  work.local = RIG_MEMORY;
  rig_post(&rig, 0, 1, &work);
  rig_run(&rig, MS);
  assert_int_equal(work.ends, 1);
  assert_int_equal(work.status, SRD_INVALID_LKEY);
  /* What comes behind it is not held up. */
  struct rig_work next = message(64);
  rig_post(&rig, 0, 1, &next);
  rig_run(&rig, MS);
  assert_int_equal(next.status, SRD_OK);
}

static void test_refusals(void **state)
{
  (void)state;
  static const enum srd_status told[] = {SRD_REMOTE_BAD_DEST_QPN, SRD_REMOTE_BAD_LENGTH,
                                         SRD_REMOTE_UNKNOWN_PEER, SRD_REMOTE_FEATURE_MISMATCH};
  for (unsigned i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
    struct rig_work work = message(64), good = message(64);
    rig.nodes[1].receive_with = told[i];
    rig.nodes[1].refuse = 1;
    rig_post(&rig, 0, 1, &work);
    rig_post(&rig, 0, 1, &good);
    rig_run(&rig, MS);
    assert_int_equal(work.ends, 1);
    assert_int_equal(work.status, told[i]);
    assert_int_equal(good.status, SRD_OK);
  }
  struct rig_work odd = message(64);
  rig.nodes[1].receive_with = (enum srd_status)99;
  rig.nodes[1].refuse = 1;
  rig_post(&rig, 0, 1, &odd);
  rig_run(&rig, MS);
  assert_int_equal(odd.status, SRD_REMOTE_BAD_STATUS);
}

/* More refusals than an acknowledgement holds, and acknowledgements that get lost. */
static void test_many_refusals(void **state)
{
  (void)state;
  static struct rig_work works[500];
  rig.loss = 0.3;
  rig.nodes[1].receive_with = SRD_REMOTE_BAD_DEST_QPN;
  rig.nodes[1].refuse = 500;
  for (unsigned i = 0; i < 500; i++) {
    works[i] = message(16);
    rig_post(&rig, 0, 1, &works[i]);
  }
  rig_run(&rig, 4000 * MS);
  for (unsigned i = 0; i < 500; i++) {
    assert_int_equal(works[i].ends, 1);
    assert_int_equal(works[i].status, SRD_REMOTE_BAD_DEST_QPN);
  }
  assert_int_equal(rig.nodes[1].refuse, 0); /* each was looked at once */
}

static void rnr(uint8_t retries, unsigned refuse, enum srd_status expected)
{
  struct rig_work work = message(64);
  work.work.rnr_retries = retries;
  rig.nodes[1].receive_with = SRD_REMOTE_RNR;
  rig.nodes[1].refuse = refuse;
  unsigned before = rig.nodes[1].received;
  rig_post(&rig, 0, 1, &work);
  rig_run(&rig, 1000 * MS);
  assert_int_equal(work.ends, 1);
  assert_int_equal(work.status, expected);
  assert_int_equal(rig.nodes[1].received - before, expected == SRD_OK);
  rig.nodes[1].refuse = 0;
}

static void test_receiver_not_ready(void **state)
{
  (void)state;
  rnr(0, 1, SRD_REMOTE_RNR);
  rnr(3, 3, SRD_OK);
  rnr(3, 4, SRD_REMOTE_RNR);
  rnr(SRD_FOR_EVER, 50, SRD_OK);
  assert_int_equal(srd_statistics(rig.nodes[1].srd)->rnr_sent,
                   srd_statistics(rig.nodes[0].srd)->rnr_received);
  assert_int_equal(srd_statistics(rig.nodes[1].srd)->rnr_sent, 1 + 3 + 4 + 50);
}

static void test_not_ready_for_immediate(void **state)
{
  (void)state;
  struct rig_work work = rig_transfer(SRD_WRITE, 50000);
  work.work.has_immediate = true;
  work.work.rnr_retries = 5;
  rig.nodes[1].receive_with = SRD_REMOTE_RNR;
  rig.nodes[1].refuse = 2;
  rig_post(&rig, 0, 1, &work);
  rig_run(&rig, 100 * MS);
  assert_int_equal(work.ends, 1);
  assert_int_equal(work.status, SRD_OK);
  assert_int_equal(rig.nodes[1].received, 1);
  assert_memory_equal(rig.nodes[1].memory + 512, rig.nodes[0].memory + 4096, 50000);
}

/* One refusal of several packets in flight is enough: the transfer begins anew, once. */
static void test_not_ready_for_packets(void **state)
{
  (void)state;
  struct rig_work work = rig_transfer(SRD_WRITE, 100000);
  work.work.rnr_retries = SRD_FOR_EVER;
  rig.nodes[1].refuse_writes = 40;
  rig_post(&rig, 0, 1, &work);
  rig_run(&rig, 1000 * MS);
  assert_int_equal(work.ends, 1);
  assert_int_equal(work.status, SRD_OK);
  assert_memory_equal(rig.nodes[1].memory + 512, rig.nodes[0].memory + 4096, 100000);
}

/* A link of 1 Gb/s and 100 us there and back, two senders: it is kept full, and what waits in front
 * of it stays short, though a window of both would fill it for 67 ms. */
static void test_congestion(void **state)
{
  (void)state;
  struct rig_work works[2] = {rig_transfer(SRD_WRITE, 900000), rig_transfer(SRD_WRITE, 900000)};
  uint64_t moved = 0;
  rig.rate_bps = 1000000000;
  rig.delay_ns = 50000;
  works[0].local = works[1].local = 0;
  rig_post(&rig, 0, 1, &works[0]);
  rig_post(&rig, 2, 1, &works[1]);
  uint64_t start_ns = rig.now_ns, later_ns = start_ns + 500 * MS;
  while (rig.now_ns < later_ns && rig_step(&rig, UINT64_MAX - 1)) {
    for (unsigned i = 0; i < 2; i++) {
      if (!works[i].ends)
        continue;
      assert_int_equal(works[i].status, SRD_OK);
      moved += 900000;
      rig_post(&rig, i ? 2 : 0, 1, &works[i]);
    }
    if (rig.now_ns < start_ns + 100 * MS)
      rig.longest_queue_ns = 0; /* they are still finding out */
  }
  uint64_t possible = rig.rate_bps / 8 * (rig.now_ns - start_ns) / 1000000000;
  print_message("%llu %% of the link, longest queue %llu us\n",
                (unsigned long long)(moved * 100 / possible),
                (unsigned long long)(rig.longest_queue_ns / 1000));
  assert_true(moved * 100 > possible * 85);
  assert_true(rig.longest_queue_ns < 3 * MS);
}

static void test_unreachable(void **state)
{
  (void)state;
  static struct rig_work works[100];
  rig.nodes[1].blocked = true; /* it hears, and can't answer */
  for (unsigned i = 0; i < 100; i++) {
    works[i] = message(64);
    rig_post(&rig, 0, 1, &works[i]);
  }
  rig_run(&rig, 3000 * MS);
  for (unsigned i = 0; i < 100; i++) {
    assert_int_equal(works[i].ends, 1);
    assert_int_equal(works[i].status, SRD_UNREACHABLE);
  }
  assert_int_equal(srd_statistics(rig.nodes[0].srd)->unreachable, 100);
}

static void test_unresponsive(void **state)
{
  (void)state;
  struct rig_work first = message(64), second = message(64);
  rig_post(&rig, 0, 1, &first);
  rig_run(&rig, MS);
  rig.nodes[1].blocked = true;
  rig_post(&rig, 0, 1, &second);
  rig_run(&rig, 3000 * MS);
  assert_int_equal(second.ends, 1);
  assert_int_equal(second.status, SRD_UNRESPONSIVE);
  /* And back: what it took, unheard, is not taken again. */
  rig.nodes[1].blocked = false;
  struct rig_work third = message(64);
  rig_post(&rig, 0, 1, &third);
  rig_run(&rig, 3000 * MS);
  assert_int_equal(third.status, SRD_OK);
  assert_int_equal(rig.nodes[1].received, 3);
}

static void test_peer_restarts(void **state)
{
  (void)state;
  struct rig_work before = message(64), during = message(64), after = message(64);
  rig_post(&rig, 0, 1, &before);
  rig_run(&rig, MS);
  assert_int_equal(before.status, SRD_OK);
  srd_destroy(rig.nodes[1].srd);
  rig_birth(&rig.nodes[1], 8);
  rig_post(&rig, 0, 1, &during);
  rig_run(&rig, 100 * MS);
  assert_int_equal(during.ends, 1);
  assert_int_equal(during.status, SRD_REMOTE_ABORT);
  rig_post(&rig, 0, 1, &after);
  rig_run(&rig, 100 * MS);
  assert_int_equal(after.status, SRD_OK);
  assert_int_equal(rig.nodes[1].received, 2);
  assert_int_equal(srd_statistics(rig.nodes[0].srd)->restarts, 1);
}

/* A packet of an earlier life, met again later, changes nothing. */
static uint8_t kept[SRD_ACK_ROOM + RIG_MTU];
static uint32_t kept_bytes;
static void keep(void *context, const struct iovec pieces[], unsigned n)
{
  kept_bytes = 0;
  for (unsigned i = 0; i < n; i++) {
    memcpy(kept + kept_bytes, pieces[i].iov_base, pieces[i].iov_len);
    kept_bytes += (uint32_t)pieces[i].iov_len;
  }
  rig_transmit(context, pieces, n);
}

static void test_replay(void **state)
{
  (void)state;
  struct rig_node *node = &rig.nodes[0];
  struct srd_ops ops = rig_ops;
  struct srd_options options = rig_options(node, 7);
  ops.transmit = keep;
  srd_destroy(node->srd);
  assert_int_equal(srd_create(&options, &ops, node, &node->srd, NULL), 0);
  struct rig_work work = message(64);
  rig_post(&rig, 0, 1, &work);
  rig_run(&rig, MS);
  assert_int_equal(rig.nodes[1].received, 1);
  for (unsigned i = 0; i < 3; i++)
    srd_receive(rig.nodes[1].srd, kept, kept_bytes, rig.now_ns);
  assert_int_equal(rig.nodes[1].received, 1);
  assert_int_equal(srd_statistics(rig.nodes[1].srd)->duplicates, 3);

  srd_destroy(node->srd);
  rig_birth(node, 9);
  struct rig_work again = message(64);
  rig_post(&rig, 0, 1, &again);
  rig_run(&rig, 10 * MS);
  assert_int_equal(again.status, SRD_OK);
  srd_receive(rig.nodes[1].srd, kept, kept_bytes, rig.now_ns);
  assert_int_equal(rig.nodes[1].received, 2);
  assert_int_equal(srd_statistics(rig.nodes[1].srd)->stale, 1);
}

static bool of_queue(void *context, const struct srd_work *work)
{
  return work->source_qpn == *(const uint16_t *)context;
}

static void test_cancel(void **state)
{
  (void)state;
  static struct rig_work works[200];
  uint16_t queue = 8;
  rig.nodes[1].blocked = true;
  for (unsigned i = 0; i < 200; i++) {
    works[i] = message(64);
    works[i].work.source_qpn = i % 2 ? 8 : 3;
    rig_post(&rig, 0, 1, &works[i]);
  }
  rig_run(&rig, MS);
  srd_cancel(rig.nodes[0].srd, of_queue, &queue, SRD_FLUSHED);
  for (unsigned i = 1; i < 200; i += 2) {
    assert_int_equal(works[i].ends, 1);
    assert_int_equal(works[i].status, SRD_FLUSHED);
  }
  rig.nodes[1].blocked = false;
  rig_run(&rig, 900 * MS);
  for (unsigned i = 0; i < 200; i += 2) {
    assert_int_equal(works[i].ends, 1);
    assert_int_equal(works[i].status, SRD_OK);
  }
}

/* A small message does not wait for a large transfer to end. */
static void test_turns(void **state)
{
  (void)state;
  struct rig_work large = rig_transfer(SRD_WRITE, 900000), small = message(64);
  large.local = 0;
  rig_post(&rig, 0, 1, &large);
  rig_post(&rig, 0, 1, &small);
  while (!small.ends && rig_step(&rig, UINT64_MAX)) {
  }
  assert_int_equal(large.ends, 0);
  rig_run(&rig, 1000 * MS);
  assert_int_equal(large.status, SRD_OK);
}

static bool only_path_0_is_dead(struct rig *r, const struct srd_packet *packet)
{
  (void)r;
  return packet->path != 0;
}

static void test_avoids_bad_path(void **state)
{
  (void)state;
  rig.pass = only_path_0_is_dead;
  static struct rig_work works[2000];
  for (unsigned i = 0; i < 2000; i++) {
    works[i] = message(64);
    rig_post(&rig, 0, 1, &works[i]);
    rig_run(&rig, MS / 10);
  }
  rig_run(&rig, 100 * MS);
  for (unsigned i = 0; i < 2000; i++)
    assert_int_equal(works[i].status, SRD_OK);
  const struct srd_statistics *seen = srd_statistics(rig.nodes[0].srd);
  assert_true(seen->impaired_paths > 0);
  /* One in four would go wrong without. */
  assert_true(seen->retransmitted_packets < 200);
}

static void test_spreads(void **state)
{
  (void)state;
  static struct rig_work works[400];
  for (unsigned i = 0; i < 400; i++) {
    works[i] = message(64);
    rig_post(&rig, 0, 1, &works[i]);
  }
  rig_run(&rig, 100 * MS);
  assert_int_equal(srd_statistics(rig.nodes[0].srd)->retransmitted_packets, 0);
  assert_int_equal(rig.nodes[1].received, 400);
}

static void test_options(void **state)
{
  (void)state;
  struct srd_options options = rig_options(&rig.nodes[0], 1);
  struct shunt_error error;
  struct srd *srd;
  options.mtu = SRD_MTU_MOST + 1;
  assert_int_equal(srd_create(&options, &rig_ops, NULL, &srd, &error), -EINVAL);
  assert_string_equal(error.why, "it must be from 256 to 15360");
  options.mtu = 4096;
  options.paths = 65;
  assert_int_equal(srd_create(&options, &rig_ops, NULL, &srd, &error), -EINVAL);
}

static void test_peers_are_bounded(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 16; i++)
    assert_non_null(srd_peer(rig.nodes[0].srd, &(struct srd_gid){{0xfe, 0x80, (uint8_t)i}}));
  assert_null(srd_peer(rig.nodes[0].srd, &(struct srd_gid){{1}}));
  struct rig_work work = message(64);
  rig_post(&rig, 1, 0, &work);
  rig_run(&rig, 3000 * MS);
  assert_int_equal(work.status, SRD_UNREACHABLE);
  assert_true(srd_statistics(rig.nodes[0].srd)->no_room > 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      CASE(test_message),
      CASE(test_empty_message),
      CASE(test_to_oneself),
      CASE(test_datagram),
      CASE(test_write_out_of_order),
      CASE(test_write_with_immediate),
      CASE(test_short_write_with_immediate),
      CASE(test_read),
      CASE(test_bad_addresses),
      CASE(test_source_fails),
      CASE(test_refusals),
      CASE(test_many_refusals),
      CASE(test_receiver_not_ready),
      CASE(test_not_ready_for_immediate),
      CASE(test_not_ready_for_packets),
      CASE(test_congestion),
      CASE(test_unreachable),
      CASE(test_unresponsive),
      CASE(test_peer_restarts),
      CASE(test_replay),
      CASE(test_cancel),
      CASE(test_turns),
      CASE(test_avoids_bad_path),
      CASE(test_spreads),
      CASE(test_options),
      CASE(test_peers_are_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
