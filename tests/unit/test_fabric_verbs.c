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

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_message_arrives),
  };
  (void)ud, (void)wide;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
