/* SPDX-License-Identifier: BSD-2-Clause */
/* Each verb, from one endpoint to another. */
#include "tests/unit/fabric_rig.h"

static const struct shunt_fabric_qp_options srd = {.type = SHUNT_FABRIC_SRD};
static const struct shunt_fabric_qp_options ud = {.type = SHUNT_FABRIC_UD};
static const struct shunt_fabric_qp_options wide = {.type = SHUNT_FABRIC_SRD, .wide = 1};

static void a_message_arrives(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("", srd);
  rig_fill(rig->left.memory, 8000, 1);
  rig_receive(&rig->right, 77, 65536, 8192);
  struct shunt_fabric_work work =
      rig_send(&rig->left, &rig->right, UINT64_C(0x123456789ABCDEF0), 0, 8000);
  rig_post(&rig->left, &work);
  const struct shunt_fabric_completion *got = rig_next(rig, &rig->right);
  assert_int_equal(got->id, 77);
  assert_int_equal(got->status, SHUNT_FABRIC_OK);
  assert_int_equal(got->flags & SHUNT_FABRIC_RECEIVED, SHUNT_FABRIC_RECEIVED);
  assert_int_equal(got->flags & SHUNT_FABRIC_IMMEDIATE, 0);
  assert_int_equal(got->bytes, 8000);
  assert_int_equal(got->source_ah, shunt_fabric_ah_number(rig->right.ah));
  assert_int_equal(got->source_qpn, shunt_fabric_qp_number(rig->left.qp));
  assert_ptr_equal(got->qp, rig->right.qp);
  assert_memory_equal(rig->left.memory, rig->right.memory + 65536, 8000);
  const struct shunt_fabric_completion *sent = rig_next(rig, &rig->left);
  assert_true(sent->id == UINT64_C(0x123456789ABCDEF0));
  assert_int_equal(sent->status, SHUNT_FABRIC_OK);
  assert_int_equal(sent->flags & SHUNT_FABRIC_RECEIVED, 0);
  assert_int_equal(shunt_fabric_completion_op(sent), SHUNT_FABRIC_SEND);
  assert_ptr_equal(sent->qp, rig->left.qp);
  rig_destroy(rig);
}

static void inline_data_of_every_length_arrives(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("", srd);
  uint8_t data[33];
  rig_fill(data, sizeof(data), 9);
  for (uint32_t bytes = 0; bytes <= 32; bytes++) {
    rig_receive(&rig->right, bytes, 0, 64);
    memset(rig->right.memory, 0xEE, 64);
    struct shunt_fabric_work work = {.id = 100 + bytes,
                                     .to = rig_to(&rig->left, &rig->right),
                                     .is_inline = 1,
                                     .inline_data = data,
                                     .inline_bytes = bytes};
    rig_post(&rig->left, &work);
    const struct shunt_fabric_completion *got = rig_next(rig, &rig->right);
    assert_int_equal(got->id, bytes);
    assert_int_equal(got->bytes, bytes);
    assert_memory_equal(rig->right.memory, data, bytes);
    assert_int_equal(rig->right.memory[bytes], 0xEE);
    assert_int_equal(rig_next(rig, &rig->left)->id, 100 + bytes);
  }
  struct shunt_fabric_work more = {.to = rig_to(&rig->left, &rig->right),
                                   .is_inline = 1,
                                   .inline_data = data,
                                   .inline_bytes = 33};
  assert_int_equal(shunt_fabric_send_post(rig->left.qp, &more), -EINVAL);
  more.inline_bytes = 8;
  more.op = SHUNT_FABRIC_WRITE; /* takes 128 bytes */
  assert_int_equal(shunt_fabric_send_post(rig->left.qp, &more), -EINVAL);
  rig_destroy(rig);
}

static void wide_work_requests_take_80_bytes_inline(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("", wide);
  uint8_t data[81];
  rig_fill(data, sizeof(data), 3);
  for (uint32_t bytes = 0; bytes <= 80; bytes += 8) { /* more of them than the ring has */
    for (unsigned again = 0; again < 40; again++) {
      rig_receive(&rig->right, 1, 0, 128);
      struct shunt_fabric_work work = {.id = bytes,
                                       .to = rig_to(&rig->left, &rig->right),
                                       .is_inline = 1,
                                       .inline_data = data,
                                       .inline_bytes = bytes};
      memset(rig->right.memory, 0, 128);
      rig_post(&rig->left, &work);
      assert_int_equal(rig_next(rig, &rig->right)->bytes, bytes);
      assert_memory_equal(rig->right.memory, data, bytes);
      rig_next(rig, &rig->left);
    }
  }
  struct shunt_fabric_work write =
      rig_rdma(&rig->left, &rig->right, SHUNT_FABRIC_WRITE, 5, 0, 4096, 80);
  write.pieces = 0;
  write.is_inline = 1;
  write.inline_data = data;
  write.inline_bytes = 80;
  rig_post(&rig->left, &write);
  assert_int_equal(rig_next(rig, &rig->left)->status, SHUNT_FABRIC_OK);
  assert_memory_equal(rig->right.memory + 4096, data, 80);
  write.inline_bytes = 81;
  assert_int_equal(shunt_fabric_send_post(rig->left.qp, &write), -EINVAL);
  rig_destroy(rig);
}

static void pieces_are_gathered_and_scattered(void **state)
{
  (void)state;
  struct shunt_fabric_qp_options options = srd;
  options.recv_pieces = 2;
  struct rig *rig = rig_pair("", options);
  rig_fill(rig->left.memory, 10000, 4);
  struct shunt_fabric_receive receive = {
      .id = 6,
      .pieces = 2,
      .piece = {rig_piece(&rig->right, 0, 1000), rig_piece(&rig->right, 5000, 4000)}};
  assert_int_equal(shunt_fabric_recv_post(rig->right.qp, &receive, 1), 1);
  struct shunt_fabric_work work = rig_send(&rig->left, &rig->right, 8, 100, 700);
  work.pieces = 2;
  work.piece[1] = rig_piece(&rig->left, 5000, 1300);
  work.has_immediate = 1;
  work.immediate = 0xABCD1234;
  rig_post(&rig->left, &work);
  const struct shunt_fabric_completion *got = rig_next(rig, &rig->right);
  assert_int_equal(got->bytes, 2000);
  assert_int_equal(got->flags & SHUNT_FABRIC_IMMEDIATE, SHUNT_FABRIC_IMMEDIATE);
  assert_int_equal(got->immediate, 0xABCD1234);
  assert_memory_equal(rig->right.memory, rig->left.memory + 100, 700);
  assert_memory_equal(rig->right.memory + 700, rig->left.memory + 5000, 300);
  assert_memory_equal(rig->right.memory + 5000, rig->left.memory + 5300, 1000);

  work.pieces = 3;
  assert_int_equal(shunt_fabric_send_post(rig->left.qp, &work), -EINVAL);
  work.pieces = 2;
  work.op = SHUNT_FABRIC_READ;
  assert_int_equal(shunt_fabric_send_post(rig->left.qp, &work), -EINVAL);
  receive.pieces = 3;
  assert_int_equal(shunt_fabric_recv_post(rig->right.qp, &receive, 1), 0);
  receive.pieces = 0;
  assert_int_equal(shunt_fabric_recv_post(rig->right.qp, &receive, 1), 0);
  receive.pieces = 1;
  receive.piece[0].bytes = 65536;
  assert_int_equal(shunt_fabric_recv_post(rig->right.qp, &receive, 1), 0);
  rig_destroy(rig);
}

static void datagrams_come_behind_40_bytes(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("", ud);
  rig_fill(rig->left.memory, 500, 2);
  rig_receive(&rig->right, 1, 0, 1000);
  struct shunt_fabric_work work = rig_send(&rig->left, &rig->right, 2, 0, 500);
  rig_post(&rig->left, &work);
  const struct shunt_fabric_completion *got = rig_next(rig, &rig->right);
  assert_int_equal(got->bytes, SHUNT_FABRIC_UD_PREFIX_BYTES + 500);
  assert_memory_equal(rig->right.memory + 40, rig->left.memory, 500);
  assert_memory_equal(rig->right.memory + 8, rig->left.gid.bytes, 16);
  assert_int_equal(rig_next(rig, &rig->left)->status, SHUNT_FABRIC_OK);

  /* Nobody waits for it: lost, and still sent. */
  rig_post(&rig->left, &work);
  assert_int_equal(rig_next(rig, &rig->left)->status, SHUNT_FABRIC_OK);
  rig_run(rig, 1000);
  assert_int_equal(shunt_fabric_poll(rig->right.cq, rig->right.completions, 1), 0);
  assert_int_equal(rig_statistic(rig, &rig->right, "rx_drops"), 1);
  rig_destroy(rig);
}

static void a_stranger_is_known_by_its_gid(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("", srd);
  rig_ok(rig, shunt_fabric_ah_destroy(rig->right.ah, &rig->error));
  rig->right.ah = NULL;
  rig_receive(&rig->right, 1, 0, 64);
  struct shunt_fabric_work work = rig_send(&rig->left, &rig->right, 2, 0, 32);
  rig_post(&rig->left, &work);
  const struct shunt_fabric_completion *got = rig_next(rig, &rig->right);
  assert_int_equal(got->source_ah, SHUNT_FABRIC_AH_UNKNOWN);
  assert_memory_equal(&got->source, &rig->left.gid, sizeof(got->source));
  rig_destroy(rig);
}

static void memory_is_read_and_written_over_there(void **state)
{
  (void)state;
  const uint32_t bytes = 1000000;
  struct rig *rig = rig_pair("", srd);
  rig_fill(rig->left.memory, bytes, 5);
  struct shunt_fabric_work write =
      rig_rdma(&rig->left, &rig->right, SHUNT_FABRIC_WRITE, 1, 0, 2000000, bytes);
  rig_post(&rig->left, &write);
  const struct shunt_fabric_completion *done = rig_next(rig, &rig->left);
  assert_int_equal(done->status, SHUNT_FABRIC_OK);
  assert_int_equal(shunt_fabric_completion_op(done), SHUNT_FABRIC_WRITE);
  assert_memory_equal(rig->right.memory + 2000000, rig->left.memory, bytes);

  struct shunt_fabric_work read =
      rig_rdma(&rig->left, &rig->right, SHUNT_FABRIC_READ, 2, 3000000, 2000000, bytes);
  rig_post(&rig->left, &read);
  done = rig_next(rig, &rig->left);
  assert_int_equal(done->status, SHUNT_FABRIC_OK);
  assert_int_equal(shunt_fabric_completion_op(done), SHUNT_FABRIC_READ);
  assert_memory_equal(rig->left.memory + 3000000, rig->left.memory, bytes);
  assert_int_equal(rig_statistic(rig, &rig->left, "rdma_write_bytes"), bytes);
  assert_int_equal(rig_statistic(rig, &rig->left, "rdma_read_bytes"), bytes);
  assert_int_equal(rig_statistic(rig, &rig->right, "rdma_write_recv_bytes"), bytes);
  rig_destroy(rig);
}

static void immediates_of_writes(void **state, bool unsolicited)
{
  (void)state;
  struct shunt_fabric_qp_options options = srd;
  options.unsolicited = unsolicited;
  struct rig *rig = rig_pair("", options);
  if (!unsolicited)
    rig_receive(&rig->right, 55, 0, 64);
  struct shunt_fabric_work write =
      rig_rdma(&rig->left, &rig->right, SHUNT_FABRIC_WRITE, 1, 0, 4096, 100000);
  write.has_immediate = 1;
  write.immediate = 4711;
  rig_post(&rig->left, &write);
  const struct shunt_fabric_completion *got = rig_next(rig, &rig->right);
  assert_int_equal(got->status, SHUNT_FABRIC_OK);
  assert_int_equal(shunt_fabric_completion_op(got), SHUNT_FABRIC_WRITE);
  assert_int_equal(got->immediate, 4711);
  assert_int_equal(got->bytes, 100000); /* more than 16 bits */
  assert_int_equal(!!(got->flags & SHUNT_FABRIC_UNSOLICITED_WRITE), unsolicited);
  if (!unsolicited)
    assert_int_equal(got->id, 55);
  rig_destroy(rig);
}

static void an_immediate_takes_a_receive(void **state)
{
  immediates_of_writes(state, false);
}

static void or_none_where_that_was_asked_for(void **state)
{
  immediates_of_writes(state, true);
}

/* Rings go round many times; as many are under way as fit. */
static void rings_go_round(void **state, const char *keys, struct shunt_fabric_qp_options options)
{
  (void)state;
  options.send_depth = 32;
  options.recv_depth = 64;
  struct rig *rig = rig_pair(keys, options);
  uint8_t seen[2000] = {0};
  unsigned posted = 0, sent = 0, received = 0, receives = 0;
  for (unsigned turn = 0; received < sizeof(seen) && turn < 100000; turn++) {
    struct shunt_fabric_receive receive = {.pieces = 1};
    for (; receives < received + 64; receives++) {
      receive.id = receives;
      receive.piece[0] = rig_piece(&rig->right, (receives % 64) * 128, 128);
      if (!shunt_fabric_recv_post(rig->right.qp, &receive, 1))
        break;
    }
    for (; posted < sizeof(seen) && posted < receives; posted++) {
      struct shunt_fabric_work work = {.id = posted,
                                       .to = rig_to(&rig->left, &rig->right),
                                       .is_inline = 1,
                                       .inline_data = &posted,
                                       .inline_bytes = sizeof(posted)};
      if (shunt_fabric_send_post(rig->left.qp, &work))
        break;
    }
    assert_true(posted - sent <= 32);
    shunt_fabric_send_push(rig->left.qp);
    rig_run(rig, 5);
    struct shunt_fabric_completion completions[7];
    unsigned n = shunt_fabric_poll(rig->right.cq, completions, 7);
    for (unsigned i = 0; i < n; i++, received++) {
      uint32_t value;
      assert_int_equal(completions[i].status, SHUNT_FABRIC_OK);
      memcpy(&value, rig->right.memory + (completions[i].id % 64) * 128, sizeof(value));
      assert_true(value < sizeof(seen));
      seen[value]++;
    }
    n = shunt_fabric_poll(rig->left.cq, completions, 7);
    for (unsigned i = 0; i < n; i++, sent++)
      assert_int_equal(completions[i].status, SHUNT_FABRIC_OK);
  }
  for (unsigned i = 0; i < sizeof(seen); i++)
    assert_int_equal(seen[i], 1);
  assert_int_equal(shunt_model_counter(rig_model(&rig->left), "bad_wqe"), 0);
  assert_int_equal(shunt_model_counter(rig_model(&rig->left), "bad_doorbell"), 0);
  rig_destroy(rig);
}

static void rings_go_round_on_efa2(void **state)
{
  rings_go_round(state, "", srd);
}

static void rings_go_round_with_wide_entries(void **state)
{
  rings_go_round(state, "", wide);
}

static void rings_go_round_on_efa0_with_two_rings_a_queue(void **state)
{
  rings_go_round(state, "&id=efa0", srd);
}

static void the_doorbell_rings_before_a_batch_is_too_long(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("", srd);
  struct shunt_efa_qp *qp = shunt_efa_qp(rig->left.qp);
  uint32_t byte = 7;
  qp->sq_batch = 4; /* as a device with max_tx_batch 4 would have it */
  qp->sq_due = qp->sq_posted + 4;
  for (unsigned i = 0; i < 8; i++)
    rig_receive(&rig->right, i, 0, 64);
  for (unsigned i = 0; i < 7; i++) {
    struct shunt_fabric_work work = {.id = i,
                                     .to = rig_to(&rig->left, &rig->right),
                                     .is_inline = 1,
                                     .inline_data = &byte,
                                     .inline_bytes = 1};
    assert_int_equal(shunt_efa_send_post(qp, &work), 0);
  }
  rig_run(rig, 1000);
  assert_int_equal(shunt_fabric_poll(rig->left.cq, rig->left.completions, 16), 4);
  shunt_efa_send_push(qp);
  rig_run(rig, 1000);
  assert_int_equal(shunt_fabric_poll(rig->left.cq, rig->left.completions, 16), 3);
  rig_destroy(rig);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_message_arrives),
      cmocka_unit_test(inline_data_of_every_length_arrives),
      cmocka_unit_test(wide_work_requests_take_80_bytes_inline),
      cmocka_unit_test(pieces_are_gathered_and_scattered),
      cmocka_unit_test(datagrams_come_behind_40_bytes),
      cmocka_unit_test(a_stranger_is_known_by_its_gid),
      cmocka_unit_test(memory_is_read_and_written_over_there),
      cmocka_unit_test(an_immediate_takes_a_receive),
      cmocka_unit_test(or_none_where_that_was_asked_for),
      cmocka_unit_test(rings_go_round_on_efa2),
      cmocka_unit_test(rings_go_round_with_wide_entries),
      cmocka_unit_test(rings_go_round_on_efa0_with_two_rings_a_queue),
      cmocka_unit_test(the_doorbell_rings_before_a_batch_is_too_long),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
