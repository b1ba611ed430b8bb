/* SPDX-License-Identifier: BSD-2-Clause */
/* Every way in which a work request between two software EFAs can end but well. */
#include "twin_efa_pair.h"

static void test_flushed(void **state)
{
  (void)state;
  rig_post_recv(left, 8, HERE, 64);
  shunt_wire_cut(shunt_twin_efa_end(right->model));
  struct efa_tx_wqe wqe = rig_wqe(left, right, 6, HERE, 10);
  rig_post_send(left, &wqe, sizeof(wqe));
  rig_run(&rig, MS);
  assert_int_equal(rig_sent(left), -1);
  rig_modify(left, EFA_MODIFY_QP_STATE, EFA_QP_ERR, 0, 0);
  assert_int_equal(rig_sent(left), EFA_STATUS_FLUSHED);
  struct efa_cqe_wide cqe = received(left);
  assert_int_equal(cqe.base.status, EFA_STATUS_FLUSHED);
  assert_int_equal(cqe.base.req_id, 8);
}

static void test_bad_requests(void **state)
{
  (void)state;
  struct efa_tx_wqe wqe = rig_wqe(left, right, 1, HERE, 10);
  wqe.meta.ctrl2 &= (uint8_t)~EFA_TX_CTRL2_LAST;
  assert_int_equal(ends(&wqe), EFA_STATUS_LOCAL_QP_INTERNAL);
  wqe = rig_wqe(left, right, 1, HERE, 10);
  wqe.meta.length = 3;
  assert_int_equal(ends(&wqe), EFA_STATUS_LOCAL_QP_INTERNAL);
  wqe = rig_wqe(left, right, 1, HERE, 10);
  wqe.meta.ctrl1 = EFA_TX_CTRL1_META | 9;
  assert_int_equal(ends(&wqe), EFA_STATUS_LOCAL_UNSUPPORTED_OP);
  wqe = rig_wqe(left, right, 1, HERE, 8929);
  assert_int_equal(ends(&wqe), EFA_STATUS_LOCAL_BAD_LENGTH);
  wqe = rig_wqe(left, right, 1, 0, 0);
  wqe.meta.ctrl1 |= EFA_TX_CTRL1_INLINE;
  wqe.meta.length = 33;
  assert_int_equal(ends(&wqe), EFA_STATUS_LOCAL_BAD_LENGTH);
  assert_int_equal(counter(left, "bad_wqe"), 5);
}

static void test_bad_handle(void **state)
{
  (void)state;
  struct efa_tx_wqe wqe = rig_wqe(left, right, 1, HERE, 10);
  wqe.meta.ah = 300;
  assert_int_equal(ends(&wqe), EFA_STATUS_LOCAL_INVALID_AH);
  wqe.meta.ah = 0xFFFF;
  assert_int_equal(ends(&wqe), EFA_STATUS_LOCAL_INVALID_AH);
  /* One of another protection domain. */
  uint16_t pd = left->pd;
  left->pd = rig_take(left, EFA_ADMIN_ALLOC_PD);
  wqe.meta.ah = rig_create_ah(left, &right->gid);
  left->pd = pd;
  assert_int_equal(ends(&wqe), EFA_STATUS_LOCAL_INVALID_AH);
  assert_int_equal(counter(left, "bad_ah"), 3);
}

static void test_bad_lkey(void **state)
{
  (void)state;
  struct efa_tx_wqe wqe = rig_wqe(left, right, 1, HERE, 10);
  wqe.data.sge[0].lkey = 0x123456;
  assert_int_equal(ends(&wqe), EFA_STATUS_LOCAL_INVALID_LKEY);
  wqe = rig_wqe(left, right, 1, RIG_DATA - 1, 10); /* before the region */
  assert_int_equal(ends(&wqe), EFA_STATUS_LOCAL_INVALID_LKEY);
  wqe = rig_wqe(left, right, 1, RIG_BYTES - 5, 10); /* over its end */
  assert_int_equal(ends(&wqe), EFA_STATUS_LOCAL_INVALID_LKEY);
  /* A region of another protection domain. */
  uint16_t pd = left->pd;
  uint32_t other;
  left->pd = rig_take(left, EFA_ADMIN_ALLOC_PD);
  rig_must(rig_reg_mr(left, RIG_DATA, 0x10000, EFA_MR_LOCAL_WRITE, &other));
  left->pd = pd;
  wqe = rig_wqe(left, right, 1, HERE, 10);
  wqe.data.sge[0].lkey = other;
  assert_int_equal(ends(&wqe), EFA_STATUS_LOCAL_INVALID_LKEY);
  /* One that is not registered any more. */
  struct efa_dereg_mr dereg = {.lkey = left->lkey};
  rig_must(RIG_COMMAND(left, EFA_ADMIN_DEREG_MR, dereg, NULL));
  wqe = rig_wqe(left, right, 1, HERE, 10);
  assert_int_equal(ends(&wqe), EFA_STATUS_LOCAL_INVALID_LKEY);
  assert_int_equal(counter(left, "bad_lkey"), 5);
  assert_int_equal(right->received, 0);
}

static void test_read_needs_permission(void **state)
{
  (void)state;
  uint32_t readonly;
  rig_must(rig_reg_mr(left, RIG_DATA, 0x10000, 0, &readonly));
  struct efa_tx_wqe read = rig_rdma(left, right, EFA_OP_RDMA_READ, HERE, THERE, 8);
  read.data.rdma.local[0].lkey = readonly;
  assert_int_equal(ends(&read), EFA_STATUS_LOCAL_INVALID_LKEY);
}

static void test_bad_rkey(void **state)
{
  (void)state;
  struct efa_tx_wqe write = rig_rdma(left, right, EFA_OP_RDMA_WRITE, HERE, THERE, 100);
  write.data.rdma.remote.rkey = 0x654321;
  assert_int_equal(ends(&write), EFA_STATUS_REMOTE_BAD_ADDRESS);
  write = rig_rdma(left, right, EFA_OP_RDMA_WRITE, HERE, RIG_BYTES - 50, 100);
  assert_int_equal(ends(&write), EFA_STATUS_REMOTE_BAD_ADDRESS);
  struct efa_tx_wqe read = rig_rdma(left, right, EFA_OP_RDMA_READ, HERE, RIG_DATA - 1, 100);
  assert_int_equal(ends(&read), EFA_STATUS_REMOTE_BAD_ADDRESS);
  uint32_t local_only;
  rig_must(rig_reg_mr(right, RIG_DATA, 0x10000, EFA_MR_LOCAL_WRITE, &local_only));
  write = rig_rdma(left, right, EFA_OP_RDMA_WRITE, HERE, RIG_DATA, 100);
  write.data.rdma.remote.rkey = local_only;
  assert_int_equal(ends(&write), EFA_STATUS_REMOTE_BAD_ADDRESS);
  read = rig_rdma(left, right, EFA_OP_RDMA_READ, HERE, RIG_DATA, 100);
  read.data.rdma.remote.rkey = local_only;
  assert_int_equal(ends(&read), EFA_STATUS_REMOTE_BAD_ADDRESS);
  assert_int_equal(counter(right, "bad_rkey"), 5);
}

static void test_no_rdma_on_efa0(void **state)
{
  (void)state;
  struct efa_tx_wqe write = rig_rdma(left, right, EFA_OP_RDMA_WRITE, HERE, THERE, 100);
  assert_int_equal(ends(&write), EFA_STATUS_LOCAL_UNSUPPORTED_OP);
  struct efa_tx_wqe read = rig_rdma(left, right, EFA_OP_RDMA_READ, HERE, THERE, 100);
  assert_int_equal(ends(&read), EFA_STATUS_LOCAL_UNSUPPORTED_OP);
}

static void test_bad_queue_pair(void **state)
{
  (void)state;
  struct efa_tx_wqe wqe = rig_wqe(left, right, 1, HERE, 10);
  rig_post_recv(right, 1, THERE, 64);
  wqe.meta.dest_qp_num = (uint16_t)(right->qpn + 1);
  assert_int_equal(ends(&wqe), EFA_STATUS_REMOTE_BAD_DEST_QPN);
  assert_int_equal(counter(right, "no_qp"), 1);
  wqe = rig_wqe(left, right, 1, HERE, 10);
  wqe.meta.qkey = 0x2222;
  assert_int_equal(ends(&wqe), EFA_STATUS_REMOTE_BAD_DEST_QPN);
  assert_int_equal(counter(right, "qkey_violation"), 1);
  struct efa_qp_handle qp = {.handle = right->handle};
  rig_must(RIG_COMMAND(right, EFA_ADMIN_DESTROY_QP, qp, NULL));
  wqe = rig_wqe(left, right, 1, HERE, 10);
  assert_int_equal(ends(&wqe), EFA_STATUS_REMOTE_BAD_DEST_QPN);
}

static void test_not_ready(void **state)
{
  (void)state;
  struct efa_tx_wqe wqe = rig_wqe(left, right, 1, HERE, 10);
  rig_modify(left, EFA_MODIFY_QP_RNR_RETRY, 0, 0, 2);
  assert_int_equal(ends(&wqe), EFA_STATUS_REMOTE_RNR);
  assert_int_equal(counter(right, "rnr_sent"), 3);
  assert_int_equal(counter(left, "rnr_received"), 3);
  /* Of two at once each has its own retries, and its own end. */
  rig_post_send(left, &wqe, sizeof(wqe));
  rig_post_send(left, &wqe, sizeof(wqe));
  rig_run(&rig, 10 * MS);
  assert_int_equal(rig_sent(left), EFA_STATUS_REMOTE_RNR);
  assert_int_equal(rig_sent(left), EFA_STATUS_REMOTE_RNR);
  assert_int_equal(counter(left, "rnr_received"), 9);
  /* For ever: it goes through as soon as there is a buffer. */
  rig_modify(left, EFA_MODIFY_QP_RNR_RETRY, 0, 0, EFA_RNR_RETRY_INFINITE);
  assert_int_equal(ends(&wqe), -1);
  rig_post_recv(right, 1, THERE, 64);
  rig_run(&rig, 10 * MS);
  assert_int_equal(rig_sent(left), EFA_STATUS_OK);
}

static void test_too_long(void **state)
{
  (void)state;
  struct efa_tx_wqe wqe = rig_wqe(left, right, 1, HERE, 100);
  rig_post_recv(right, 1, THERE, 99);
  assert_int_equal(ends(&wqe), EFA_STATUS_REMOTE_BAD_LENGTH);
  assert_int_equal(right->memory[THERE], 0);
  wqe = rig_wqe(left, right, 1, HERE, 99);
  assert_int_equal(ends(&wqe), EFA_STATUS_OK); /* the buffer is still there */
}

static void test_bad_buffer(void **state)
{
  (void)state;
  struct efa_tx_wqe wqe = rig_wqe(left, right, 1, HERE, 10);
  uint32_t lkey = right->lkey;
  right->lkey = 0x111111;
  rig_post_recv(right, 31, THERE, 64);
  right->lkey = lkey;
  assert_int_equal(ends(&wqe), EFA_STATUS_REMOTE_ABORT);
  struct efa_cqe_wide cqe = received(right);
  assert_int_equal(cqe.base.status, EFA_STATUS_LOCAL_INVALID_LKEY);
  assert_int_equal(cqe.base.req_id, 31);
}

static void test_unreachable_and_unresponsive(void **state)
{
  (void)state;
  struct efa_tx_wqe wqe = rig_wqe(left, right, 1, HERE, 10);
  shunt_wire_cut(shunt_twin_efa_end(right->model));
  assert_int_equal(ends(&wqe), EFA_STATUS_LOCAL_UNREACHABLE_REMOTE);
  shunt_wire_join(shunt_twin_efa_end(right->model));
  rig_post_recv(right, 1, THERE, 64);
  assert_int_equal(ends(&wqe), EFA_STATUS_OK);
  shunt_wire_cut(shunt_twin_efa_end(right->model));
  assert_int_equal(ends(&wqe), EFA_STATUS_LOCAL_UNRESPONSIVE_REMOTE);
  assert_int_equal(counter(left, "unreachable"), 1);
  assert_int_equal(counter(left, "unresponsive"), 1);
}

static void test_peer_was_reset(void **state)
{
  (void)state;
  struct efa_tx_wqe wqe = rig_wqe(left, right, 1, HERE, 10);
  rig_post_recv(right, 1, THERE, 64);
  assert_int_equal(ends(&wqe), EFA_STATUS_OK);
  rig_reset(right);
  assert_int_equal(ends(&wqe), EFA_STATUS_REMOTE_ABORT);
}

static void test_doorbell_beyond_ring(void **state)
{
  (void)state;
  *rig_doorbell(left, left->sq_doorbell) = RIG_RING + 1;
  *rig_doorbell(right, right->rq_doorbell) = 5000;
  rig_run(&rig, MS);
  assert_int_equal(counter(left, "bad_doorbell"), 1); /* once, however often it is looked at */
  assert_int_equal(rig_sent(left), -1);
  *rig_doorbell(left, left->sq_doorbell) = 0;
  struct efa_tx_wqe wqe = rig_wqe(left, right, 1, HERE, 10);
  rig_modify(left, EFA_MODIFY_QP_RNR_RETRY, 0, 0, 0);
  assert_int_equal(ends(&wqe), EFA_STATUS_REMOTE_RNR);
  assert_int_equal(counter(right, "bad_doorbell"), 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      CASE(test_flushed),
      CASE(test_bad_requests),
      CASE(test_bad_handle),
      CASE(test_bad_lkey),
      CASE(test_read_needs_permission),
      CASE(test_bad_rkey),
      CASE_OF(set_up_efa0, test_no_rdma_on_efa0),
      CASE(test_bad_queue_pair),
      CASE(test_not_ready),
      CASE(test_too_long),
      CASE(test_bad_buffer),
      CASE(test_unreachable_and_unresponsive),
      CASE(test_peer_was_reset),
      CASE(test_doorbell_beyond_ring),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
