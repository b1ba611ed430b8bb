/* SPDX-License-Identifier: BSD-2-Clause */
/* Nodes of one process hand packets to each other as they lie: the same promises, no checksum. */
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
  rig.hands = rig.whole = true;
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  rig_free(&rig);
  return 0;
}

static void expect(struct rig_work *work, enum srd_status status)
{
  rig_post(&rig, 0, 1, work);
  rig_run(&rig, MS);
  assert_int_equal(work->ends, 1);
  assert_int_equal(work->status, status);
}

static void messages_are_handed_over_with_their_data(void **state)
{
  (void)state;
  static const uint32_t sizes[] = {0, 1, 64, 1001, RIG_MTU};
  struct rig_node *there = &rig.nodes[1];
  for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    struct rig_work work = rig_transfer(SRD_SEND, sizes[i]);
    work.work.has_immediate = i & 1;
    work.work.immediate = i & 1 ? 0xfeedbeef : 0;
    expect(&work, SRD_OK);
    const struct rig_record *record = &there->records[i];
    assert_int_equal(there->received, i + 1);
    assert_int_equal(record->arrival.bytes, sizes[i]);
    assert_int_equal(record->arrival.qpn, 5);
    assert_int_equal(record->arrival.source_qpn, 3);
    assert_int_equal(record->arrival.qkey, 9);
    assert_int_equal(record->arrival.has_immediate, i & 1);
    assert_int_equal(record->arrival.immediate, i & 1 ? 0xfeedbeef : 0);
    assert_memory_equal(&record->source, &rig.nodes[0].gid, sizeof(record->source));
    assert_memory_equal(there->last, rig.nodes[0].memory + 4096, sizes[i]);
  }
  assert_int_equal(rig.sent, 0);
  assert_true(rig.handed >= 10); /* each message, and an answer to each */
  assert_int_equal(srd_statistics(there->srd)->rx_packets, 5);
  assert_int_equal(srd_statistics(there->srd)->rx_bytes, 1001 + 65 + RIG_MTU);
}

static void memory_is_written_and_read(void **state)
{
  (void)state;
  const uint32_t bytes = 5 * RIG_MTU + 17;
  struct rig_work write = rig_transfer(SRD_WRITE, bytes), read = rig_transfer(SRD_READ, bytes);
  expect(&write, SRD_OK);
  assert_memory_equal(rig.nodes[1].memory + 512, rig.nodes[0].memory + 4096, bytes);
  read.work.remote_address = 70000;
  expect(&read, SRD_OK);
  assert_memory_equal(rig.nodes[1].memory + 70000, rig.nodes[0].memory + 4096, bytes);
  assert_int_equal(rig.sent, 0);
}

static void what_is_scattered_is_put_together_and_sent(void **state)
{
  (void)state;
  struct rig_work work = rig_transfer(SRD_SEND, 1000);
  rig.whole = false;
  expect(&work, SRD_OK);
  assert_int_equal(rig.sent, 1);
  assert_int_equal(rig.handed, 1); /* the answer */
  assert_memory_equal(rig.nodes[1].last, rig.nodes[0].memory + 4096, 1000);
}

static void refusals_come_back(void **state)
{
  (void)state;
  struct rig_work work = rig_transfer(SRD_SEND, 100), write = rig_transfer(SRD_WRITE, 3 * RIG_MTU);
  rig.nodes[1].refuse = 1;
  rig.nodes[1].receive_with = SRD_REMOTE_BAD_DEST_QPN;
  expect(&work, SRD_REMOTE_BAD_DEST_QPN);
  write.work.rkey++;
  expect(&write, SRD_REMOTE_BAD_ADDRESS);
  work = rig_transfer(SRD_SEND, 100);
  work.work.rnr_retries = 2;
  rig.nodes[1].refuse = 2;
  rig.nodes[1].receive_with = SRD_REMOTE_RNR;
  expect(&work, SRD_OK);
  assert_int_equal(srd_statistics(rig.nodes[1].srd)->rnr_sent, 2);
}

static void packets_handed_and_sent_are_one_sequence(void **state)
{
  (void)state;
  static struct rig_work works[200];
  rig.loss = 0.2;
  for (unsigned i = 0; i < 200; i++) {
    rig.hands = i & 2;
    works[i] = rig_transfer(SRD_SEND, 64 + i);
    rig_post(&rig, 0, 1, &works[i]);
    rig_step(&rig, UINT64_MAX);
  }
  rig_run(&rig, 2000 * MS);
  for (unsigned i = 0; i < 200; i++)
    assert_true(works[i].ends == 1 && works[i].status == SRD_OK);
  assert_int_equal(rig.nodes[1].received, 200);
  assert_true(rig.sent > 20 && rig.handed > 20);
}

/* ---- What no node of ours would hand over ---- */

static struct srd_statistics after(const void *head, size_t head_bytes, size_t data_bytes)
{
  static uint8_t bytes[RIG_MTU];
  void *exact = malloc(head_bytes + !head_bytes); /* a byte behind it is not ours */
  const struct iovec pieces[2] = {{exact, head_bytes}, {bytes, data_bytes}};
  struct srd *srd = rig.nodes[1].srd;
  assert_non_null(exact);
  memcpy(exact, head, head_bytes);
  srd_restart(srd, 8);
  srd_receive_handed(srd, &pieces[0], data_bytes ? &pieces[1] : NULL, rig.now_ns);
  free(exact);
  return *srd_statistics(srd);
}

static uint32_t write_packet(enum srd_type type, uint32_t data_bytes, unsigned to, uint8_t *header)
{
  struct srd_envelope envelope;
  struct iovec pieces[2] = {{NULL, 0}, {NULL, data_bytes}};
  struct srd_packet packet = {
      .type = type, .incarnation = 7, .message_bytes = data_bytes, .rdma_bytes = data_bytes};
  srd_envelope_make(&envelope, rig.nodes[0].mac, &rig.nodes[0].gid, &rig.nodes[to].gid);
  srd_packet_write(&envelope, &packet, header, pieces, 2);
  return (uint32_t)pieces[0].iov_len;
}

static void what_does_not_fit_together_is_dropped(void **state)
{
  (void)state;
  uint8_t header[SRD_ACK_ROOM];
  uint32_t bytes = write_packet(SRD_TYPE_MESSAGE, 100, 1, header);
  assert_int_equal(after(header, bytes, 100).rx_packets, 1);
  assert_int_equal(after(header, bytes, 99).malformed, 1); /* the lengths say 100 */
  assert_int_equal(after(header, bytes, 0).malformed, 1);
  for (uint32_t cut = 0; cut < bytes; cut++) /* headers may not reach into the data */
    assert_int_equal(after(header, cut, 100 + bytes - cut).malformed, 1);
  bytes = write_packet(SRD_TYPE_MESSAGE, 100, 2, header);
  assert_int_equal(after(header, bytes, 100).not_for_us, 1);
  bytes = write_packet(SRD_TYPE_ACK, 8, 1, header); /* an answer has no data */
  assert_int_equal(after(header, bytes, 8).malformed, 1);
  bytes = write_packet(SRD_TYPE_READ, 8, 1, header); /* nor has a request */
  assert_int_equal(after(header, bytes, 8).malformed, 1);
  bytes = write_packet(SRD_TYPE_WRITE, 8, 1, header);
  assert_int_equal(after(header, bytes, 8).rx_packets, 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      CASE(messages_are_handed_over_with_their_data),   CASE(memory_is_written_and_read),
      CASE(what_is_scattered_is_put_together_and_sent), CASE(refusals_come_back),
      CASE(packets_handed_and_sent_are_one_sequence),   CASE(what_does_not_fit_together_is_dropped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
