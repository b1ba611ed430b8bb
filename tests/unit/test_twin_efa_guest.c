/* SPDX-License-Identifier: BSD-2-Clause */
/* What Linux's driver and libfabric were seen to expect of the software EFA in a guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "twin_efa_rig.h"

#define MS UINT64_C(1000000)

static struct rig rig;
static struct rig_device *const left = &rig.devices[0];

static int set_up(void **state)
{
  (void)state;
  rig_make(&rig, 0);
  rig_reset(left);
  rig_admin_begin(left);
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  rig_free(&rig);
  return 0;
}

/* AENQ_CONS_DB begins at 0, and counts what was consumed (efa_com.c: efa_com_admin_init_aenq). */
static void test_events_find_an_empty_ring(void **state)
{
  (void)state;
  struct efa_feature_command asked = {.feature = EFA_FEATURE_AENQ_CONFIG,
                                      .u.aenq.enabled_groups = EFA_AENQ_GROUPS};
  rig_write32(left, EFA_AENQ_CONS_DB, 0);
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_SET_FEATURE, asked, NULL), EFA_ADMIN_SUCCESS);
  const struct efa_aenq_entry *events = (const void *)(left->memory + RIG_AENQ_AT);
  rig_run(&rig, 15500 * MS);
  assert_int_equal(events[15].flags & EFA_AENQ_PHASE, EFA_AENQ_PHASE);
  assert_int_equal(shunt_model_counter(left->model, "aenq_full"), 0);
  rig_run(&rig, 1000 * MS);
  assert_int_equal(shunt_model_counter(left->model, "aenq_full"), 1);
  assert_int_equal(shunt_model_counter(left->model, "keep_alives"), 16);
  assert_int_equal(shunt_model_counter(left->model, "control_resets"), 1);
  rig_write32(left, EFA_AENQ_CONS_DB, 1);
  rig_run(&rig, 1000 * MS);
  assert_int_equal(events[0].flags & EFA_AENQ_PHASE, 0);
  assert_int_equal(events[1].flags & EFA_AENQ_PHASE, EFA_AENQ_PHASE);
  /* More than there were can't have been consumed. */
  rig_write32(left, EFA_AENQ_CONS_DB, 1000);
  rig_run(&rig, 1000 * MS);
  assert_int_equal(shunt_model_counter(left->model, "aenq_full"), 2);
}

/* Linux makes the node's GUID of these bytes as they are, and that is a number in network order. */
static void test_guid_is_the_interface_id(void **state)
{
  (void)state;
  struct efa_feature_command asked = {.feature = EFA_FEATURE_DEVICE_ATTR};
  struct efa_get_feature_response answer = {0};
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_GET_FEATURE, asked, &answer), EFA_ADMIN_SUCCESS);
  assert_memory_equal(&answer.u.device.guid, left->gid.bytes + 8, 8);
}

static int create_receiver(uint32_t depth, uint32_t ring_bytes)
{
  struct efa_create_qp asked = {.pd = left->pd,
                                .type = EFA_QP_SRD,
                                .rq_base = RIG_IOVA + RIG_RQ,
                                .send_cq = left->send_cq,
                                .recv_cq = left->recv_cq,
                                .rq_ring_bytes = ring_bytes,
                                .rq_depth = depth,
                                .uar = left->uar};
  struct efa_acq_entry entry = {0};
  struct efa_create_qp_response answer;
  int status = RIG_COMMAND(left, EFA_ADMIN_CREATE_QP, asked, &entry);
  memcpy(&answer, &entry, sizeof(answer));
  left->handle = answer.handle;
  left->rq_doorbell = answer.rq_doorbell;
  return status;
}

/* Work requests of up to two pieces: libibverbs says how many, and makes the ring for twice that.
 */
static void test_receive_ring_has_more_descriptors_than_requests(void **state)
{
  (void)state;
  struct efa_cqe_wide cqe;
  rig_set_up(left);
  assert_int_equal(create_receiver(RIG_RING + 1, RIG_RING * 16), EFA_ADMIN_ILLEGAL_PARAMETER);
  assert_int_equal(create_receiver(8, RIG_RING * 16 + 8), EFA_ADMIN_ILLEGAL_PARAMETER);
  assert_int_equal(create_receiver(8, 48 * 16), EFA_ADMIN_ILLEGAL_PARAMETER);
  assert_int_equal(create_receiver(RIG_RING / 2, RIG_RING * 16), EFA_ADMIN_SUCCESS);
  rig_qp_up(left);
  for (uint16_t i = 0; i < RIG_RING; i++)
    rig_post_recv(left, i, RIG_DATA, 64);
  rig_modify(left, EFA_MODIFY_QP_STATE, EFA_QP_ERR, 0, 0);
  for (uint16_t i = 0; i < RIG_RING; i++) {
    assert_true(rig_next(left, RIG_RCQ, &left->received, &cqe));
    assert_int_equal(cqe.base.req_id, i);
    assert_int_equal(cqe.base.status, EFA_STATUS_FLUSHED);
  }
  assert_false(rig_next(left, RIG_RCQ, &left->received, &cqe));
}

static void put(uint8_t *chunk, size_t at, uint64_t value, size_t bytes)
{
  memcpy(chunk + at, &value, bytes);
}

/* Where a chained page list goes on stands behind 510 pointers: length, low and high half of the
 * address (efa_verbs.c: pbl_chunk_list_create). */
static void test_page_list_goes_on_where_linux_says(void **state)
{
  (void)state;
  uint8_t *first = left->memory + RIG_LISTS, *second = first + 4096, *addresses = second + 4096;
  uint64_t lists = RIG_IOVA + RIG_LISTS;
  for (unsigned i = 0; i < 510; i++)
    put(first, 8 * i, lists + 8192, 8);
  put(first, 4080, 4096, 4);
  put(first, 4084, (uint32_t)(lists + 4096), 4);
  put(first, 4088, lists >> 32, 4);
  put(second, 0, lists + 8192, 8);
  for (unsigned i = 0; i < 512; i++)
    put(addresses, 8 * i, RIG_IOVA + RIG_DATA, 8);
  struct efa_reg_mr asked = {.head.flags = EFA_AQ_CONTROL | EFA_AQ_CONTROL_INDIRECT,
                             .pd = rig_take(left, EFA_ADMIN_ALLOC_PD),
                             .length = (UINT64_C(510) * 512 + 1) * RIG_PAGE,
                             .flags = 12,
                             .pbl.list = {4096, {(uint32_t)lists, (uint32_t)(lists >> 32)}}};
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_REG_MR, asked, NULL), EFA_ADMIN_SUCCESS);
}

/* Each name that Linux has for a port's statistics is one of the model's counters. */
static void test_statistics_have_linux_names(void **state)
{
  static const char linux_names[] =
      "tx_bytes tx_pkts rx_bytes rx_pkts rx_drops send_bytes send_wrs recv_bytes recv_wrs "
      "rdma_read_wrs rdma_read_bytes rdma_read_wr_err rdma_read_resp_bytes rdma_write_wrs "
      "rdma_write_bytes rdma_write_wr_err rdma_write_recv_bytes retrans_bytes retrans_pkts "
      "retrans_timeout_events unresponsive_remote_events impaired_remote_conn_events";
  (void)state;
  char wanted[sizeof(linux_names)];
  const char *names[128];
  uint64_t values[128];
  unsigned n = shunt_model_counters(left->model, names, values, 128);
  memcpy(wanted, linux_names, sizeof(wanted));
  for (char *rest, *name = strtok_r(wanted, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
    unsigned i = 0;
    while (i < n && strcmp(names[i], name) != 0)
      i++;
    if (i == n)
      fail_msg("there is no %s", name);
  }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      CASE(test_events_find_an_empty_ring),
      CASE(test_guid_is_the_interface_id),
      CASE(test_receive_ring_has_more_descriptors_than_requests),
      CASE(test_page_list_goes_on_where_linux_says),
      CASE(test_statistics_have_linux_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
