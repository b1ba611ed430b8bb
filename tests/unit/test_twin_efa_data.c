/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages between two software EFAs, their events and counts. */
#include "twin_efa_pair.h"

static void test_send(void **state)
{
  (void)state;
  struct efa_tx_wqe wqe = rig_wqe(left, right, 77, HERE, 8000);
  wqe.meta.ctrl1 |= EFA_TX_CTRL1_IMMEDIATE;
  wqe.meta.immediate_data = 0xABCD1234;
  rig_post_recv(right, 42, THERE, 8192);
  assert_int_equal(ends(&wqe), EFA_STATUS_OK);
  struct efa_cqe_wide cqe = received(right);
  assert_int_equal(cqe.base.status, EFA_STATUS_OK);
  assert_int_equal(cqe.base.req_id, 42);
  assert_int_equal(cqe.base.qp_num, right->qpn);
  assert_int_equal(cqe.base.src_qp_num, left->qpn);
  assert_int_equal(cqe.base.length, 8000);
  assert_int_equal(cqe.base.ah, right->ah);
  assert_int_equal(cqe.base.immediate, 0xABCD1234);
  assert_int_equal(cqe.base.flags, EFA_CQE_PHASE | EFA_QUEUE_RECEIVE << 1 | EFA_CQE_IMMEDIATE);
  assert_memory_equal(right->memory + THERE, left->memory + HERE, 8000);
}

static void test_inline_and_pieces(void **state)
{
  (void)state;
  struct efa_tx_wqe wqe = rig_wqe(left, right, 1, 0, 0);
  wqe.meta.ctrl1 |= EFA_TX_CTRL1_INLINE;
  wqe.meta.length = 32;
  memcpy(wqe.data.inline_data, left->memory + HERE, 32);
  rig_post_recv(right, 1, THERE, 64);
  assert_int_equal(ends(&wqe), EFA_STATUS_OK);
  assert_memory_equal(right->memory + THERE, left->memory + HERE, 32);
  received(right);

  wqe = rig_wqe(left, right, 2, HERE, 100);
  wqe.meta.length = 2;
  wqe.data.sge[1] = (struct efa_tx_sge){200, left->lkey, HERE + 100, 0};
  struct efa_rx_desc first = {
      .address_lo = THERE, .req_id = 2, .length = 150, .lkey_ctrl = right->lkey | EFA_RX_FIRST};
  memcpy(right->memory + RIG_RQ + right->rq_count++ % RIG_RING * 16, &first, sizeof(first));
  struct efa_rx_desc second = {.address_lo = THERE + 5000,
                               .req_id = 2,
                               .length = 150,
                               .lkey_ctrl = right->lkey | EFA_RX_LAST};
  memcpy(right->memory + RIG_RQ + right->rq_count++ % RIG_RING * 16, &second, sizeof(second));
  *rig_doorbell(right, right->rq_doorbell) = right->rq_count;
  assert_int_equal(ends(&wqe), EFA_STATUS_OK);
  assert_int_equal(received(right).base.length, 300);
  assert_memory_equal(right->memory + THERE, left->memory + HERE, 150);
  assert_memory_equal(right->memory + THERE + 5000, left->memory + HERE + 150, 150);
}

static void test_wide(void **state)
{
  (void)state;
  struct efa_tx_wqe_wide wqe = {.meta = rig_wqe(left, right, 5, 0, 0).meta};
  wqe.meta.ctrl1 |= EFA_TX_CTRL1_INLINE;
  wqe.meta.length = 80;
  wqe.meta.req_id_ex[1] = 0x5555;
  memcpy(wqe.data.inline_data, left->memory + HERE, 80);
  rig_post_recv(right, 1, THERE, 100);
  rig_post_send(left, &wqe, sizeof(wqe));
  rig_run(&rig, 10 * MS);
  struct efa_cqe_wide cqe;
  struct efa_tx_cqe sent;
  assert_true(rig_next(left, RIG_SCQ, &left->sent, &cqe));
  memcpy(&sent, &cqe, sizeof(sent));
  assert_int_equal(sent.status, EFA_STATUS_OK);
  assert_int_equal(sent.req_id_ex[1], 0x5555);
  assert_memory_equal(right->memory + THERE, left->memory + HERE, 80);

  /* Inline data of an RDMA write. */
  struct efa_tx_wqe_wide write = {.meta = wqe.meta};
  write.meta.ctrl1 = EFA_TX_CTRL1_META | EFA_TX_CTRL1_INLINE | EFA_OP_RDMA_WRITE;
  write.meta.length = 80;
  write.data.rdma_inline.remote = (struct efa_remote_address){80, right->lkey, THERE + 500, 0};
  memcpy(write.data.rdma_inline.inline_data, left->memory + HERE, 80);
  rig_post_send(left, &write, sizeof(write));
  rig_run(&rig, 10 * MS);
  assert_int_equal(rig_sent(left), EFA_STATUS_OK);
  assert_memory_equal(right->memory + THERE + 500, left->memory + HERE, 80);
}

static void test_datagram(void **state)
{
  (void)state;
  struct efa_tx_wqe wqe = rig_wqe(left, right, 3, HERE, 1000);
  rig_post_recv(right, 9, THERE, 1040);
  assert_int_equal(ends(&wqe), EFA_STATUS_OK);
  struct efa_cqe_wide cqe = received(right);
  assert_int_equal(cqe.base.length, 1040);
  /* A global routing header goes before it. */
  assert_int_equal(right->memory[THERE], 0x60);
  assert_memory_equal(right->memory + THERE + 8, &left->gid, 16);
  assert_memory_equal(right->memory + THERE + 40, left->memory + HERE, 1000);
  /* With nothing posted it is gone, and the sender does not learn it. */
  assert_int_equal(ends(&wqe), EFA_STATUS_OK);
  assert_int_equal(counter(right, "not_ready"), 1);
  rig_post_recv(right, 9, THERE, 1039);
  assert_int_equal(ends(&wqe), EFA_STATUS_OK);
  assert_int_equal(counter(right, "too_long"), 1);
}

static void test_write_and_read(void **state)
{
  (void)state;
  struct efa_tx_wqe write = rig_rdma(left, right, EFA_OP_RDMA_WRITE, HERE, THERE, 100000);
  assert_int_equal(ends(&write), EFA_STATUS_OK);
  assert_memory_equal(right->memory + THERE, left->memory + HERE, 100000);
  struct efa_tx_wqe read = rig_rdma(left, right, EFA_OP_RDMA_READ, HERE + 200000, THERE, 100000);
  assert_int_equal(ends(&read), EFA_STATUS_OK);
  assert_memory_equal(left->memory + HERE + 200000, left->memory + HERE, 100000);
}

static void test_write_with_immediate(void **state)
{
  (void)state;
  struct efa_tx_wqe write = rig_rdma(left, right, EFA_OP_RDMA_WRITE, HERE, THERE, 100000);
  write.meta.ctrl1 |= EFA_TX_CTRL1_IMMEDIATE;
  write.meta.immediate_data = 99;
  rig_post_recv(right, 4, THERE, 8);
  assert_int_equal(ends(&write), EFA_STATUS_OK);
  struct efa_cqe_wide cqe = received(right);
  assert_int_equal(cqe.base.req_id, 4);
  assert_int_equal(cqe.base.immediate, 99);
  assert_int_equal(cqe.base.length | cqe.u.length_hi << 16, 100000);
  assert_int_equal(HW_GET(EFA_CQE_OP, cqe.base.flags), EFA_OP_RDMA_WRITE);
  assert_false(cqe.base.flags & EFA_CQE_UNSOLICITED);
}

static void test_unsolicited(void **state)
{
  (void)state;
  rig_must(rig_create_qp(right, EFA_QP_SRD, 64, EFA_CREATE_QP_UNSOLICITED_WRITE_RECV));
  rig_qp_up(right);
  struct efa_tx_wqe write = rig_rdma(left, right, EFA_OP_RDMA_WRITE, HERE, THERE, 64);
  write.meta.ctrl1 |= EFA_TX_CTRL1_IMMEDIATE;
  assert_int_equal(ends(&write), EFA_STATUS_OK);
  assert_true(received(right).base.flags & EFA_CQE_UNSOLICITED);
}

/* Whom one does not know is named by the GID. */
static void test_unknown_sender(void **state)
{
  (void)state;
  struct efa_destroy_ah asked = {.ah = right->ah, .pd = right->pd};
  rig_must(RIG_COMMAND(right, EFA_ADMIN_DESTROY_AH, asked, NULL));
  struct efa_tx_wqe wqe = rig_wqe(left, right, 1, HERE, 10);
  rig_post_recv(right, 1, THERE, 64);
  assert_int_equal(ends(&wqe), EFA_STATUS_OK);
  struct efa_cqe_wide cqe = received(right);
  assert_int_equal(cqe.base.ah, EFA_AH_UNKNOWN);
  assert_memory_equal(cqe.u.src_gid, &left->gid, 16);
  /* For RDMA it must know. */
  struct efa_tx_wqe read = rig_rdma(left, right, EFA_OP_RDMA_READ, HERE, THERE, 8);
  assert_int_equal(ends(&read), EFA_STATUS_REMOTE_UNKNOWN_PEER);
}

static void test_to_oneself(void **state)
{
  (void)state;
  left->ah = rig_create_ah(left, &left->gid);
  struct efa_tx_wqe wqe = rig_wqe(left, left, 1, HERE, 500);
  rig_post_recv(left, 1, HERE + 8192, 512);
  assert_int_equal(ends(&wqe), EFA_STATUS_OK);
  assert_memory_equal(left->memory + HERE + 8192, left->memory + HERE, 500);
}

/* --- Events
 * ---------------------------------------------------------------------------------------------- */

static void test_completion_events(void **state)
{
  (void)state;
  uint64_t base = RIG_IOVA + RIG_EQ;
  struct efa_create_eq eq = {.depth = 16,
                             .vector = 3,
                             .caps = 4,
                             .base = {(uint32_t)base, (uint32_t)(base >> 32)},
                             .events = EFA_CREATE_EQ_COMPLETIONS};
  rig_must(RIG_COMMAND(right, EFA_ADMIN_CREATE_EQ, eq, NULL));
  uint64_t ring = RIG_IOVA + RIG_LISTS + 0x10000;
  struct efa_create_cq asked = {.caps1 = EFA_CREATE_CQ_INTERRUPT,
                                .caps2 = 4,
                                .sub_cq_depth = 64,
                                .base = {(uint32_t)ring, (uint32_t)(ring >> 32)},
                                .num_sub_cqs = 1,
                                .uar = right->uar};
  struct efa_acq_entry entry = {0};
  struct efa_create_cq_response answer;
  rig_must(RIG_COMMAND(right, EFA_ADMIN_CREATE_CQ, asked, &entry));
  memcpy(&answer, &entry, sizeof(answer));
  right->recv_cq = answer.cq;
  rig_must(rig_create_qp(right, EFA_QP_SRD, 64, 0));
  rig_qp_up(right);
  struct efa_tx_wqe wqe = rig_wqe(left, right, 1, HERE, 10);
  for (unsigned i = 0; i < 8; i++)
    rig_post_recv(right, 1, THERE, 64);

  assert_int_equal(ends(&wqe), EFA_STATUS_OK); /* nobody asked */
  assert_int_equal(right->interrupts[3], 0);
  rig_write32(right, EFA_EQ_DB, 0 | EFA_EQ_DB_ARM);
  /* One has come that was not seen: told of at once. */
  *rig_doorbell(right, answer.doorbell) = 0 | EFA_CQ_DB_ARM;
  rig_run(&rig, MS);
  assert_int_equal(right->interrupts[3], 1);
  const struct efa_eqe *event = (void *)(right->memory + RIG_EQ);
  assert_int_equal(event->common, EFA_EQE_PHASE);
  assert_int_equal(event->cqn, answer.cq);
  /* Armed anew, having seen it: told of the next, once. */
  *rig_doorbell(right, answer.doorbell) = 1 | EFA_CQ_DB_ARM | 1u << 29;
  rig_run(&rig, MS);
  assert_int_equal(event[1].common, 0);
  assert_int_equal(ends(&wqe), EFA_STATUS_OK);
  assert_int_equal(ends(&wqe), EFA_STATUS_OK);
  assert_int_equal(event[1].common, EFA_EQE_PHASE);
  assert_int_equal(event[2].common, 0);
  /* The event queue was not armed: its interrupt waits. */
  assert_int_equal(right->interrupts[3], 1);
  rig_write32(right, EFA_EQ_DB, 0 | EFA_EQ_DB_ARM);
  assert_int_equal(right->interrupts[3], 2);
}

/* --- Counting
 * --------------------------------------------------------------------------------------------- */

static void stats(struct rig_device *device, uint8_t type, struct efa_get_stats_response *answer)
{
  struct efa_get_stats asked = {.type = type};
  struct efa_acq_entry entry = {0};
  rig_must(RIG_COMMAND(device, EFA_ADMIN_GET_STATS, asked, &entry));
  memcpy(answer, &entry, sizeof(*answer));
}

static void test_statistics(void **state)
{
  (void)state;
  struct efa_get_stats_response mine, theirs;
  struct efa_tx_wqe wqe = rig_wqe(left, right, 1, HERE, 1000);
  struct efa_tx_wqe write = rig_rdma(left, right, EFA_OP_RDMA_WRITE, HERE, THERE, 20000);
  struct efa_tx_wqe read = rig_rdma(left, right, EFA_OP_RDMA_READ, HERE, THERE, 10000);
  struct efa_tx_wqe bad = rig_rdma(left, right, EFA_OP_RDMA_READ, HERE, 0, 10000);
  rig_post_recv(right, 1, THERE, 2000);
  ends(&wqe), ends(&write), ends(&read), ends(&bad);
  stats(left, EFA_STATS_MESSAGES, &mine);
  stats(right, EFA_STATS_MESSAGES, &theirs);
  assert_int_equal(mine.u.messages.send_wrs, 1);
  assert_int_equal(mine.u.messages.send_bytes, 1000);
  assert_int_equal(theirs.u.messages.recv_wrs, 1);
  assert_int_equal(theirs.u.messages.recv_bytes, 1000);
  stats(left, EFA_STATS_RDMA_WRITE, &mine);
  stats(right, EFA_STATS_RDMA_WRITE, &theirs);
  assert_int_equal(mine.u.rdma_write.write_wrs, 1);
  assert_int_equal(mine.u.rdma_write.write_bytes, 20000);
  assert_int_equal(theirs.u.rdma_write.write_recv_bytes, 20000);
  stats(left, EFA_STATS_RDMA_READ, &mine);
  stats(right, EFA_STATS_RDMA_READ, &theirs);
  assert_int_equal(mine.u.rdma_read.read_wrs, 1);
  assert_int_equal(mine.u.rdma_read.read_wr_err, 1);
  assert_int_equal(theirs.u.rdma_read.read_resp_bytes, 10000);
  stats(left, EFA_STATS_BASIC, &mine);
  stats(right, EFA_STATS_BASIC, &theirs);
  /* 1 message, 3 packets of data, and 2 + 2 requests; of which the peer answers 2 with data. */
  assert_int_equal(mine.u.basic.tx_pkts, 1 + 3 + 2 + 2);
  assert_int_equal(mine.u.basic.tx_bytes, 21000);
  assert_int_equal(theirs.u.basic.rx_bytes, 21000);
  assert_int_equal(theirs.u.basic.tx_bytes, 10000);
  assert_int_equal(mine.u.basic.rx_bytes, 10000);
  stats(left, EFA_STATS_NETWORK, &mine);
  assert_int_equal(mine.u.network.retrans_pkts, 0);
  struct efa_get_stats odd = {.type = 9};
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_GET_STATS, odd, NULL), EFA_ADMIN_ILLEGAL_PARAMETER);
}

static void test_losses_are_repaired(void **state)
{
  (void)state;
  struct shunt_impairments impairments = {
      .size = sizeof(impairments), .loss = 0.2, .reorder = 0.2, .duplicate = 0.2};
  struct efa_get_stats_response mine;
  assert_int_equal(shunt_wire_impair_all(rig.wire, &impairments, NULL), 0);
  for (unsigned i = 0; i < 1000; i++) {
    struct efa_tx_wqe wqe = rig_wqe(left, right, (uint16_t)i, HERE + i, 200);
    rig_post_recv(right, (uint16_t)i, THERE, 256);
    rig_post_send(left, &wqe, sizeof(wqe));
    rig_run(&rig, 300 * MS);
    assert_int_equal(rig_sent(left), EFA_STATUS_OK);
    assert_int_equal(received(right).base.req_id, i);
    assert_memory_equal(right->memory + THERE, left->memory + HERE + i, 200);
  }
  stats(left, EFA_STATS_NETWORK, &mine);
  assert_true(mine.u.network.retrans_pkts > 100);
  assert_int_equal(mine.u.network.retrans_pkts, counter(left, "retrans_pkts"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CASE(test_send),
      CASE(test_inline_and_pieces),
      CASE_OF(set_up_wide, test_wide),
      CASE_OF(set_up_ud, test_datagram),
      CASE(test_write_and_read),
      CASE(test_write_with_immediate),
      CASE(test_unsolicited),
      CASE(test_unknown_sender),
      CASE(test_to_oneself),
      CASE(test_completion_events),
      CASE(test_statistics),
      CASE(test_losses_are_repaired),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
