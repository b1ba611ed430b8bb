/* SPDX-License-Identifier: BSD-2-Clause */
/* Each way in which a work request can end, brought about from the API. */
#include "tests/unit/fabric_rig.h"

static const struct shunt_fabric_qp_options srd = {.type = SHUNT_FABRIC_SRD,
                                                   .rnr_retries = SHUNT_FABRIC_RNR_NEVER};

/* Post it, and see how it ends; then a good one has to come through as ever. */
static void ends_as(struct rig *rig, const struct shunt_fabric_work *work,
                    enum shunt_fabric_status status)
{
  rig_post(&rig->left, work);
  const struct shunt_fabric_completion *end = rig_next(rig, &rig->left);
  assert_true(end->id == work->id);
  if (end->status != status)
    fail_msg("%s instead of %s", shunt_fabric_status_name(end->status),
             shunt_fabric_status_name(status));
}

static void a_good_one_goes_through(struct rig *rig)
{
  struct shunt_fabric_work work = rig_send(&rig->left, &rig->right, 1000, 0, 100);
  rig_receive(&rig->right, 1, 0, 8192);
  ends_as(rig, &work, SHUNT_FABRIC_OK);
  assert_int_equal(rig_next(rig, &rig->right)->status, SHUNT_FABRIC_OK);
}

static void local_mistakes(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("", srd);
  struct shunt_fabric_work work = rig_send(&rig->left, &rig->right, 1, 0, 100);
  work.piece[0].lkey ^= 0x5A;
  ends_as(rig, &work, SHUNT_FABRIC_INVALID_LKEY);
  work = rig_send(&rig->left, &rig->right, 2, RIG_BYTES - 99, 100);
  ends_as(rig, &work, SHUNT_FABRIC_INVALID_LKEY);
  work = rig_send(&rig->left, &rig->right, 3, 0, 100);
  work.to.ah += 100;
  ends_as(rig, &work, SHUNT_FABRIC_INVALID_AH);
  work = rig_send(&rig->left, &rig->right, 4, 0, 8929);
  ends_as(rig, &work, SHUNT_FABRIC_BAD_LENGTH);
  work = rig_send(&rig->left, &rig->right, 5, 0, 10);
  work.op = 9;
  work.pieces = 1;
  ends_as(rig, &work, SHUNT_FABRIC_UNSUPPORTED_OP);
  a_good_one_goes_through(rig);
  rig_destroy(rig);
}

static void devices_that_have_no_rdma_say_so(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("&id=efa0", srd);
  struct shunt_fabric_work work = rig_rdma(&rig->left, &rig->right, SHUNT_FABRIC_READ, 1, 0, 0, 64);
  ends_as(rig, &work, SHUNT_FABRIC_UNSUPPORTED_OP);
  a_good_one_goes_through(rig);
  rig_destroy(rig);
  rig = rig_pair("&id=efa1", srd);
  work = rig_rdma(&rig->left, &rig->right, SHUNT_FABRIC_WRITE, 1, 0, 0, 64);
  ends_as(rig, &work, SHUNT_FABRIC_UNSUPPORTED_OP);
  work = rig_rdma(&rig->left, &rig->right, SHUNT_FABRIC_READ, 1, 0, 0, 64);
  ends_as(rig, &work, SHUNT_FABRIC_OK);
  rig_destroy(rig);
}

static void a_peer_that_can_not_is_told_of(void **state)
{
  (void)state;
  struct rig *rig = rig_create();
  rig_open(rig, &rig->left, "", 0);
  rig_open(rig, &rig->right, "&id=efa1", 0);
  rig_furnish(rig, &rig->left);
  rig_furnish(rig, &rig->right);
  rig->left.qp = rig_qp(rig, &rig->left, srd);
  rig->right.qp = rig_qp(rig, &rig->right, srd);
  rig_meet(rig);
  struct shunt_fabric_work work =
      rig_rdma(&rig->left, &rig->right, SHUNT_FABRIC_WRITE, 1, 0, 0, 64);
  ends_as(rig, &work, SHUNT_FABRIC_REMOTE_FEATURE_MISMATCH);
  a_good_one_goes_through(rig);
  rig_destroy(rig);
}

static void the_other_sides_mistakes(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("", srd);
  struct shunt_fabric_work work = rig_send(&rig->left, &rig->right, 1, 0, 100);
  ends_as(rig, &work, SHUNT_FABRIC_REMOTE_RNR); /* nothing posted */
  rig_receive(&rig->right, 1, 0, 99);
  ends_as(rig, &work, SHUNT_FABRIC_REMOTE_BAD_LENGTH);
  work = rig_send(&rig->left, &rig->right, 2, 0, 99); /* the buffer is still there */
  ends_as(rig, &work, SHUNT_FABRIC_OK);
  assert_int_equal(rig_next(rig, &rig->right)->status, SHUNT_FABRIC_OK);
  work.to.qpn ^= 1;
  ends_as(rig, &work, SHUNT_FABRIC_REMOTE_BAD_DEST_QPN);
  work.to.qpn ^= 1;
  work.to.qkey++;
  ends_as(rig, &work, SHUNT_FABRIC_REMOTE_BAD_DEST_QPN);
  assert_int_equal(rig_statistic(rig, &rig->right, "qkey_viol"), 1);

  /* A receive that can't be written to fails there, and here. */
  struct shunt_fabric_receive receive = {
      .id = 9, .pieces = 1, .piece[0] = rig_piece(&rig->right, 0, 100)};
  receive.piece[0].lkey ^= 0x77;
  assert_int_equal(shunt_fabric_recv_post(rig->right.qp, &receive, 1), 1);
  work = rig_send(&rig->left, &rig->right, 3, 0, 64);
  ends_as(rig, &work, SHUNT_FABRIC_REMOTE_ABORT);
  const struct shunt_fabric_completion *end = rig_next(rig, &rig->right);
  assert_int_equal(end->id, 9);
  assert_int_equal(end->status, SHUNT_FABRIC_INVALID_LKEY);
  a_good_one_goes_through(rig);
  rig_destroy(rig);
}

static void retries_are_counted_or_go_on_for_ever(void **state)
{
  (void)state;
  struct shunt_fabric_qp_options options = srd;
  options.rnr_retries = SHUNT_FABRIC_RNR_FOR_EVER;
  struct rig *rig = rig_pair("", options);
  struct shunt_fabric_work work = rig_send(&rig->left, &rig->right, 1, 0, 100);
  rig_post(&rig->left, &work);
  rig_run(rig, 500000);
  assert_int_equal(shunt_fabric_poll(rig->left.cq, rig->left.completions, 1), 0);
  assert_true(shunt_model_counter(rig_model(&rig->left), "rnr_received") > 7);
  rig_receive(&rig->right, 1, 0, 128);
  assert_int_equal(rig_next(rig, &rig->left)->status, SHUNT_FABRIC_OK);
  rig_destroy(rig);

  options.rnr_retries = 3;
  rig = rig_pair("", options);
  work = rig_send(&rig->left, &rig->right, 1, 0, 100);
  ends_as(rig, &work, SHUNT_FABRIC_REMOTE_RNR);
  assert_int_equal(shunt_model_counter(rig_model(&rig->left), "rnr_received"), 4);
  rig_destroy(rig);
}

static void keys_of_remote_memory_hold(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("", srd);
  struct shunt_fabric_mr *readable;
  struct shunt_fabric_work work =
      rig_rdma(&rig->left, &rig->right, SHUNT_FABRIC_WRITE, 1, 0, 0, 100000);
  work.rkey ^= 0x0F;
  ends_as(rig, &work, SHUNT_FABRIC_REMOTE_BAD_ADDRESS);
  work = rig_rdma(&rig->left, &rig->right, SHUNT_FABRIC_READ, 2, 0, RIG_BYTES - 50, 51);
  ends_as(rig, &work, SHUNT_FABRIC_REMOTE_BAD_ADDRESS);
  rig_ok(rig, shunt_fabric_mr_register(rig->right.pd, rig->right.region, 4096, 4096,
                                       SHUNT_FABRIC_REMOTE_READ, NULL, &readable, &rig->error));
  assert_ptr_equal(shunt_fabric_mr_base(readable), rig->right.memory + 4096);
  work = rig_rdma(&rig->left, &rig->right, SHUNT_FABRIC_WRITE, 3, 0, 4096, 64);
  work.rkey = shunt_fabric_mr_rkey(readable);
  ends_as(rig, &work, SHUNT_FABRIC_REMOTE_BAD_ADDRESS);
  work.op = SHUNT_FABRIC_READ;
  ends_as(rig, &work, SHUNT_FABRIC_OK);
  rig_ok(rig, shunt_fabric_mr_deregister(readable, &rig->error));
  ends_as(rig, &work, SHUNT_FABRIC_REMOTE_BAD_ADDRESS);
  rig_destroy(rig);
}

static void rdma_needs_to_be_known(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("", srd);
  rig_ok(rig, shunt_fabric_ah_destroy(rig->right.ah, &rig->error));
  struct shunt_fabric_work work = rig_rdma(&rig->left, &rig->right, SHUNT_FABRIC_READ, 1, 0, 0, 64);
  ends_as(rig, &work, SHUNT_FABRIC_REMOTE_UNKNOWN_PEER);
  rig_ok(rig, shunt_fabric_ah_create(rig->right.pd, &rig->left.gid, &rig->right.ah, &rig->error));
  ends_as(rig, &work, SHUNT_FABRIC_OK);
  rig_destroy(rig);
}

static void a_handle_that_goes_takes_its_work_requests(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("", srd);
  struct shunt_fabric_work work = rig_send(&rig->left, &rig->right, 1, 0, 64);
  rig_post(&rig->left, &work);
  shunt_wire_cut(rig_end(&rig->left));
  rig_run(rig, 5);
  rig_ok(rig, shunt_fabric_ah_destroy(rig->left.ah, &rig->error));
  assert_int_equal(rig_next(rig, &rig->left)->status, SHUNT_FABRIC_INVALID_AH);
  rig_destroy(rig);
}

static void nobody_there(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("", srd);
  struct shunt_gid nowhere = {{0xFE, 0x80, [15] = 0x99}};
  struct shunt_fabric_ah *ah;
  rig_ok(rig, shunt_fabric_ah_create(rig->left.pd, &nowhere, &ah, &rig->error));
  struct shunt_fabric_work work = rig_send(&rig->left, &rig->right, 1, 0, 64);
  work.to.ah = shunt_fabric_ah_number(ah);
  ends_as(rig, &work, SHUNT_FABRIC_UNREACHABLE);
  a_good_one_goes_through(rig);
  shunt_wire_cut(rig_end(&rig->left));
  work = rig_send(&rig->left, &rig->right, 2, 0, 64);
  ends_as(rig, &work, SHUNT_FABRIC_UNRESPONSIVE);
  shunt_wire_join(rig_end(&rig->left));
  assert_int_equal(rig_statistic(rig, &rig->left, "unresponsive_remote_events"), 2);
  rig_destroy(rig);
}

static void a_queue_pair_that_stops_flushes_all(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("", srd);
  shunt_wire_cut(rig_end(&rig->left));
  for (unsigned i = 0; i < 10; i++) {
    struct shunt_fabric_work work = rig_send(&rig->left, &rig->right, i, 0, 64);
    assert_int_equal(shunt_fabric_send_post(rig->left.qp, &work), 0);
    if (i == 4) {
      shunt_fabric_send_push(rig->left.qp);
      rig_run(rig, 10);
    }
    rig_receive(&rig->left, 100 + i, 0, 64);
  }
  rig_ok(rig, shunt_fabric_qp_stop(rig->left.qp, &rig->error));
  uint64_t ids = 0;
  rig_poll(rig, &rig->left, 20, 1000);
  for (unsigned i = 0; i < 20; i++) {
    const struct shunt_fabric_completion *end = &rig->left.completions[i];
    assert_int_equal(end->status, SHUNT_FABRIC_FLUSHED);
    ids += end->id;
  }
  assert_int_equal(ids, 45 + 1045);
  struct shunt_fabric_work work = rig_send(&rig->left, &rig->right, 1, 0, 64);
  struct shunt_fabric_receive receive = {.pieces = 1, .piece[0] = rig_piece(&rig->left, 0, 64)};
  assert_int_equal(shunt_fabric_send_post(rig->left.qp, &work), -EAGAIN);
  assert_int_equal(shunt_fabric_recv_post(rig->left.qp, &receive, 1), 0);
  rig_destroy(rig);
}

static void each_status_is_told_in_words(void **state)
{
  (void)state;
  for (unsigned status = 0; status < 300; status++) {
    const char *name = shunt_fabric_status_name(status);
    bool known = status <= 15 || status == 18;
    assert_int_equal(strcmp(name, "unknown") != 0, known);
    assert_true(strlen(shunt_fabric_status_text(status)) > 5);
    assert_int_equal(!*shunt_fabric_status_advice(status), status == 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(local_mistakes),
      cmocka_unit_test(devices_that_have_no_rdma_say_so),
      cmocka_unit_test(a_peer_that_can_not_is_told_of),
      cmocka_unit_test(the_other_sides_mistakes),
      cmocka_unit_test(retries_are_counted_or_go_on_for_ever),
      cmocka_unit_test(keys_of_remote_memory_hold),
      cmocka_unit_test(rdma_needs_to_be_known),
      cmocka_unit_test(a_handle_that_goes_takes_its_work_requests),
      cmocka_unit_test(nobody_there),
      cmocka_unit_test(a_queue_pair_that_stops_flushes_all),
      cmocka_unit_test(each_status_is_told_in_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
