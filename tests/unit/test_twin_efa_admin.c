/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers and the admin queue of the software EFA, by the interface documents alone. */
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
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  rig_free(&rig);
  return 0;
}

static void begin(void)
{
  rig_reset(left);
  rig_admin_begin(left);
}

static uint64_t fault(const char *name)
{
  return shunt_model_counter(left->model, name);
}

static void test_identity(void **state)
{
  (void)state;
  assert_int_equal(shunt_model_config_read(left->model, 0, 4), 0xEFA21D0F);
  assert_int_equal(shunt_model_config_read(left->model, 8, 4) >> 8, 0x020000);
}

/* In the order of Linux's probe. */
static void test_registers(void **state)
{
  (void)state;
  rig_write32(left, EFA_MMIO_RESP_HI, (uint32_t)((RIG_IOVA + RIG_MMIO) >> 32));
  rig_write32(left, EFA_MMIO_RESP_LO, (uint32_t)(RIG_IOVA + RIG_MMIO));
  assert_int_equal(rig_read32(left, EFA_DEV_STS), EFA_DEV_STS_READY);
  uint32_t caps = rig_read32(left, EFA_CAPS);
  assert_true(HW_GET(EFA_CAPS_RESET_TIMEOUT, caps) > 0);
  assert_in_range(HW_GET(EFA_CAPS_DMA_ADDRESS_BITS, caps), 32, 64);
  assert_true(rig_read32(left, EFA_VERSION) >= 1);
  assert_true(HW_GET(EFA_CONTROLLER_VERSION_SUBMINOR, rig_read32(left, EFA_CONTROLLER_VERSION)) >=
              1);
}

static void test_reset(void **state)
{
  (void)state;
  begin();
  uint16_t pd = rig_take(left, EFA_ADMIN_ALLOC_PD);
  rig_write32(left, EFA_DEV_CTL, EFA_DEV_CTL_RESET);
  /* It forgets where to answer; the driver says so again, in reset. */
  struct efa_mmio_response *answer = (void *)(left->memory + RIG_MMIO);
  answer->req_id = 0x7777;
  rig_write32(left, EFA_MMIO_REG_READ, 5 | EFA_DEV_STS << 16);
  assert_int_equal(answer->req_id, 0x7777);
  rig_write32(left, EFA_MMIO_RESP_HI, (uint32_t)((RIG_IOVA + RIG_MMIO) >> 32));
  rig_write32(left, EFA_MMIO_RESP_LO, (uint32_t)(RIG_IOVA + RIG_MMIO));
  assert_true(rig_read32(left, EFA_DEV_STS) & EFA_DEV_STS_RESET_IN_PROGRESS);
  rig_write32(left, EFA_DEV_CTL, 0);
  assert_false(rig_read32(left, EFA_DEV_STS) & EFA_DEV_STS_RESET_IN_PROGRESS);
  begin();
  assert_int_equal(rig_take(left, EFA_ADMIN_ALLOC_PD), pd); /* all is free again */
}

static void test_queue_wraps(void **state)
{
  (void)state;
  begin();
  for (unsigned i = 0; i < 5 * RIG_DEPTH; i++) {
    struct efa_number number = {.number = rig_take(left, EFA_ADMIN_ALLOC_PD)};
    assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_DEALLOC_PD, number, NULL), EFA_ADMIN_SUCCESS);
  }
  assert_int_equal(left->interrupts[EFA_VECTOR_ADMIN], 10 * RIG_DEPTH);
}

static void test_interrupt_mask(void **state)
{
  (void)state;
  begin();
  rig_write32(left, EFA_INTR_MASK, EFA_INTR_MASK_ADMIN);
  rig_take(left, EFA_ADMIN_ALLOC_PD);
  assert_int_equal(left->interrupts[EFA_VECTOR_ADMIN], 0);
  rig_write32(left, EFA_INTR_MASK, 0);
  assert_int_equal(left->interrupts[EFA_VECTOR_ADMIN], 1);
}

static struct efa_get_feature_response feature(uint8_t id, int expected)
{
  struct efa_feature_command asked = {.feature = id};
  struct efa_get_feature_response answer = {0};
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_GET_FEATURE, asked, &answer), expected);
  return answer;
}

static void test_features(void **state)
{
  (void)state;
  begin();
  struct efa_feature_device device = feature(EFA_FEATURE_DEVICE_ATTR, EFA_ADMIN_SUCCESS).u.device;
  assert_int_equal(device.supported_features & 0x3C, 0x3C);
  assert_int_equal(device.doorbell_bar, 4);
  assert_int_equal(device.caps & EFA_DEVICE_RDMA_READ, EFA_DEVICE_RDMA_READ);
  assert_int_equal(device.caps & EFA_DEVICE_RDMA_WRITE, EFA_DEVICE_RDMA_WRITE);
  struct efa_feature_network network =
      feature(EFA_FEATURE_NETWORK_ATTR, EFA_ADMIN_SUCCESS).u.network;
  assert_memory_equal(network.gid, &left->gid, 16);
  assert_int_equal(network.mtu, 8928);
  struct efa_feature_queues queues = feature(EFA_FEATURE_QUEUE_ATTR_1, EFA_ADMIN_SUCCESS).u.queues;
  assert_int_equal(queues.sub_cqs_per_cq, 1);
  assert_true(queues.max_llq_bytes >= queues.max_sq_depth * 64);
  /* As many libfabric posts at once, into an array that has no room for more. */
  assert_int_equal(queues.max_rq_depth / queues.max_recv_sges, 8192);
  assert_int_equal(
      feature(EFA_FEATURE_QUEUE_ATTR_2, EFA_ADMIN_SUCCESS).u.queues_2.inline_bytes_wide, 80);
  assert_true(feature(EFA_FEATURE_EVENT_QUEUE_ATTR, EFA_ADMIN_SUCCESS).u.event_queues.max_eq > 0);
  assert_int_equal(feature(EFA_FEATURE_AENQ_CONFIG, EFA_ADMIN_SUCCESS).u.aenq.supported_groups,
                   0x1E);
  feature(EFA_FEATURE_HW_HINTS, EFA_ADMIN_SUCCESS);
  feature(8, EFA_ADMIN_ILLEGAL_PARAMETER);
  feature(200, EFA_ADMIN_ILLEGAL_PARAMETER);
}

static void test_host_info(void **state)
{
  (void)state;
  begin();
  uint64_t at = RIG_IOVA + RIG_LISTS;
  struct efa_feature_command asked = {
      .head.flags = EFA_AQ_CONTROL,
      .buffer = {sizeof(struct efa_host_info), {(uint32_t)at, (uint32_t)(at >> 32)}},
      .feature = EFA_FEATURE_HOST_INFO};
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_SET_FEATURE, asked, NULL), EFA_ADMIN_SUCCESS);
  asked.buffer.address.hi = 0xFFFF;
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_SET_FEATURE, asked, NULL),
                   EFA_ADMIN_ILLEGAL_PARAMETER);
}

static struct efa_aenq_entry *event(unsigned n)
{
  return (void *)(left->memory + RIG_AENQ_AT + n % RIG_AENQ * 64);
}

static void test_keep_alive(void **state)
{
  (void)state;
  begin();
  struct efa_feature_command asked = {.feature = EFA_FEATURE_AENQ_CONFIG,
                                      .u.aenq.enabled_groups = EFA_AENQ_GROUPS};
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_SET_FEATURE, asked, NULL), EFA_ADMIN_SUCCESS);
  rig_run(&rig, 3500 * MS);
  assert_int_equal(event(0)->group, EFA_AENQ_KEEP_ALIVE);
  assert_int_equal(event(3)->flags & EFA_AENQ_PHASE, EFA_AENQ_PHASE);
  assert_int_equal(event(4)->flags & EFA_AENQ_PHASE, 0);
  /* The ring is full until the driver says that it has read. */
  rig_run(&rig, 20000 * MS);
  assert_true(fault("aenq_full") > 0);
  rig_write32(left, EFA_AENQ_CONS_DB, RIG_AENQ);
  rig_run(&rig, 2000 * MS);
  assert_int_equal(event(16)->flags & EFA_AENQ_PHASE, 0); /* the second round's phase */
  asked.u.aenq.enabled_groups = 0xFF;
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_SET_FEATURE, asked, NULL),
                   EFA_ADMIN_ILLEGAL_PARAMETER);
}

static void test_unknown_commands(void **state)
{
  (void)state;
  begin();
  struct efa_aq_head none = {0};
  assert_int_equal(RIG_COMMAND(left, 0, none, NULL), EFA_ADMIN_BAD_OPCODE);
  assert_int_equal(RIG_COMMAND(left, 77, none, NULL), EFA_ADMIN_BAD_OPCODE);
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_ALLOC_MR, none, NULL), EFA_ADMIN_UNSUPPORTED_OPCODE);
  assert_int_equal(fault("bad_command"), 3);
}

static void test_wrong_phase(void **state)
{
  (void)state;
  begin();
  memset(left->memory + RIG_AQ, 0, 64);
  rig_write32(left, EFA_AQ_PROD_DB, ++left->commands);
  const struct efa_acq_entry *done = (void *)(left->memory + RIG_ACQ);
  assert_int_equal(done->head.status, EFA_ADMIN_MALFORMED_REQUEST);
  assert_int_equal(fault("bad_phase"), 1);
}

static void test_bad_admin_queues(void **state)
{
  (void)state;
  rig_reset(left);
  rig_write32(left, EFA_AQ_PROD_DB, 1); /* nothing is set up */
  assert_int_equal(fault("bad_queue"), 1);
  rig_admin_begin(left);
  rig_write32(left, EFA_AQ_CAPS, 33 | 64u << 16); /* no power of two */
  rig_write32(left, EFA_AQ_CAPS, RIG_DEPTH | 32u << 16);
  rig_write32(left, EFA_AQ_BASE_HI, 0xFFFF); /* no memory */
  rig_write32(left, EFA_AQ_CAPS, RIG_DEPTH | 64u << 16);
  assert_int_equal(fault("bad_queue"), 4);
  begin();
  rig_write32(left, EFA_AQ_PROD_DB, 1000); /* more than the ring has */
  assert_int_equal(fault("bad_doorbell"), 1);
  assert_int_equal(fault("commands"), 0);
}

static void test_numbers(void **state)
{
  (void)state;
  begin();
  uint16_t pd = rig_take(left, EFA_ADMIN_ALLOC_PD);
  struct efa_number number = {.number = pd};
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_DEALLOC_PD, number, NULL), EFA_ADMIN_SUCCESS);
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_DEALLOC_PD, number, NULL),
                   EFA_ADMIN_ILLEGAL_PARAMETER);
  number.number = 0xFFFF;
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_DEALLOC_UAR, number, NULL),
                   EFA_ADMIN_ILLEGAL_PARAMETER);
  for (unsigned i = 0; i < 256; i++)
    rig_take(left, EFA_ADMIN_ALLOC_UAR);
  struct efa_aq_head none = {0};
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_ALLOC_UAR, none, NULL),
                   EFA_ADMIN_RESOURCE_ALLOCATION_FAILURE);
}

static void test_in_use(void **state)
{
  (void)state;
  rig_set_up(left);
  left->ah = rig_create_ah(left, &rig.devices[1].gid);
  rig_must(rig_create_qp(left, EFA_QP_SRD, 64, 0));
  struct efa_number pd = {.number = left->pd}, uar = {.number = left->uar};
  struct efa_destroy_cq cq = {.cq = left->send_cq};
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_DEALLOC_PD, pd, NULL), EFA_ADMIN_RESOURCE_BUSY);
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_DEALLOC_UAR, uar, NULL), EFA_ADMIN_RESOURCE_BUSY);
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_DESTROY_CQ, cq, NULL), EFA_ADMIN_RESOURCE_BUSY);
  struct efa_qp_handle qp = {.handle = left->handle};
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_DESTROY_QP, qp, NULL), EFA_ADMIN_SUCCESS);
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_DESTROY_CQ, cq, NULL), EFA_ADMIN_SUCCESS);
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_DESTROY_CQ, cq, NULL), EFA_ADMIN_ILLEGAL_PARAMETER);
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_DESTROY_QP, qp, NULL), EFA_ADMIN_ILLEGAL_PARAMETER);
}

/* Linux asks for a handle as often as its users do. */
static void test_address_handles(void **state)
{
  (void)state;
  begin();
  left->pd = rig_take(left, EFA_ADMIN_ALLOC_PD);
  uint16_t other_pd = rig_take(left, EFA_ADMIN_ALLOC_PD);
  uint16_t ah = rig_create_ah(left, &rig.devices[1].gid);
  assert_int_equal(rig_create_ah(left, &rig.devices[1].gid), ah);
  struct efa_destroy_ah wrong = {.ah = ah, .pd = other_pd}, right = {.ah = ah, .pd = left->pd};
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_DESTROY_AH, wrong, NULL),
                   EFA_ADMIN_ILLEGAL_PARAMETER);
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_DESTROY_AH, right, NULL), EFA_ADMIN_SUCCESS);
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_DESTROY_AH, right, NULL), EFA_ADMIN_SUCCESS);
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_DESTROY_AH, right, NULL),
                   EFA_ADMIN_ILLEGAL_PARAMETER);
}

/* --- Memory regions ------------------------------------------------------------------------------
 */

static struct efa_reg_mr region(uint64_t bytes)
{
  return (struct efa_reg_mr){.pd = left->pd,
                             .length = bytes,
                             .flags = 12,
                             .permissions = EFA_MR_LOCAL_WRITE,
                             .iova = RIG_DATA};
}

static int reg_mr(struct efa_reg_mr asked)
{
  return RIG_COMMAND(left, EFA_ADMIN_REG_MR, asked, NULL);
}

static void test_inline_pages(void **state)
{
  (void)state;
  begin();
  left->pd = rig_take(left, EFA_ADMIN_ALLOC_PD);
  struct efa_reg_mr four = region(4 * RIG_PAGE);
  for (unsigned i = 0; i < 4; i++)
    four.pbl.pages[i] = RIG_IOVA + RIG_DATA + i * RIG_PAGE;
  assert_int_equal(reg_mr(four), EFA_ADMIN_SUCCESS);
  struct efa_reg_mr five = four;
  five.length = 5 * RIG_PAGE;
  assert_int_equal(reg_mr(five), EFA_ADMIN_ILLEGAL_PARAMETER);
  struct efa_reg_mr outside = four;
  outside.pbl.pages[2] = RIG_IOVA + RIG_BYTES;
  assert_int_equal(reg_mr(outside), EFA_ADMIN_ILLEGAL_PARAMETER);
  struct efa_reg_mr crooked = four;
  crooked.pbl.pages[1]++;
  assert_int_equal(reg_mr(crooked), EFA_ADMIN_ILLEGAL_PARAMETER);
  struct efa_reg_mr miscounted = four;
  miscounted.page_num = 5;
  assert_int_equal(reg_mr(miscounted), EFA_ADMIN_ILLEGAL_PARAMETER);
  assert_int_equal(fault("bad_page_list"), 3);
}

static void test_bad_regions(void **state)
{
  (void)state;
  begin();
  left->pd = rig_take(left, EFA_ADMIN_ALLOC_PD);
  struct efa_reg_mr good = region(RIG_PAGE), bad;
  good.pbl.pages[0] = RIG_IOVA + RIG_DATA;
  assert_int_equal(reg_mr(good), EFA_ADMIN_SUCCESS);
  bad = good, bad.pd = 99;
  assert_int_equal(reg_mr(bad), EFA_ADMIN_ILLEGAL_PARAMETER);
  bad = good, bad.flags = 5;
  assert_int_equal(reg_mr(bad), EFA_ADMIN_ILLEGAL_PARAMETER);
  bad = good, bad.flags |= EFA_MR_PHYSICAL;
  assert_int_equal(reg_mr(bad), EFA_ADMIN_ILLEGAL_PARAMETER);
  bad = good, bad.permissions = 0x80;
  assert_int_equal(reg_mr(bad), EFA_ADMIN_ILLEGAL_PARAMETER);
  bad = good, bad.length = 0;
  assert_int_equal(reg_mr(bad), EFA_ADMIN_ILLEGAL_PARAMETER);
  bad = good, bad.length = UINT64_MAX;
  assert_int_equal(reg_mr(bad), EFA_ADMIN_ILLEGAL_PARAMETER);
  struct efa_dereg_mr never = {.lkey = 0x123456};
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_DEREG_MR, never, NULL), EFA_ADMIN_ILLEGAL_PARAMETER);
}

/* Two chunks: pointers to pages of addresses, and at the end where it goes on. */
static void chunks(struct efa_pbl_chunk *first, struct efa_pbl_chunk *second, uint64_t *addresses)
{
  for (unsigned i = 0; i < EFA_PBL_CHUNK_POINTERS; i++)
    first->pages[i] = second->pages[i] = RIG_IOVA + (uint64_t)((uint8_t *)addresses - left->memory);
  for (unsigned i = 0; i < EFA_PBL_PAGE_POINTERS; i++)
    addresses[i] = RIG_IOVA + RIG_DATA;
  uint64_t next = RIG_IOVA + (uint64_t)((uint8_t *)second - left->memory);
  first->next =
      (struct efa_control_buffer){EFA_PBL_CHUNK_BYTES, {(uint32_t)next, (uint32_t)(next >> 32)}};
}

static void test_indirect_pages(void **state)
{
  (void)state;
  begin();
  left->pd = rig_take(left, EFA_ADMIN_ALLOC_PD);
  struct efa_pbl_chunk *first = (void *)(left->memory + RIG_LISTS), *second = first + 1;
  chunks(first, second, (void *)(first + 2));
  /* A page more than one chunk can name. */
  uint64_t pages = (uint64_t)EFA_PBL_CHUNK_POINTERS * EFA_PBL_PAGE_POINTERS + 1;
  struct efa_reg_mr asked = region(pages * RIG_PAGE);
  uint64_t at = RIG_IOVA + RIG_LISTS;
  asked.head.flags = EFA_AQ_CONTROL | EFA_AQ_CONTROL_INDIRECT;
  asked.pbl.list =
      (struct efa_control_buffer){EFA_PBL_CHUNK_BYTES, {(uint32_t)at, (uint32_t)(at >> 32)}};
  assert_int_equal(reg_mr(asked), EFA_ADMIN_SUCCESS);
  /* A list that comes back to its beginning ends all the same. */
  first->next = asked.pbl.list;
  assert_int_equal(reg_mr(asked), EFA_ADMIN_SUCCESS);
  first->next.address.hi = 0xFFFF;
  assert_int_equal(reg_mr(asked), EFA_ADMIN_ILLEGAL_PARAMETER);
  first->pages[7] = 0;
  asked.length = 1 << 24;
  assert_int_equal(reg_mr(asked), EFA_ADMIN_ILLEGAL_PARAMETER);
  assert_int_equal(fault("bad_page_list"), 2);
}

/* --- Queues
 * ---------------------------------------------------------------------------------------- */

static struct efa_create_cq cq_wanted(void)
{
  uint64_t base = RIG_IOVA + RIG_SCQ;
  return (struct efa_create_cq){.caps2 = 4,
                                .sub_cq_depth = 64,
                                .base = {(uint32_t)base, (uint32_t)(base >> 32)},
                                .num_sub_cqs = 1,
                                .uar = left->uar};
}

static void refused_cq(struct efa_create_cq asked)
{
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_CREATE_CQ, asked, NULL),
                   EFA_ADMIN_ILLEGAL_PARAMETER);
}

static void test_bad_completion_queues(void **state)
{
  (void)state;
  begin();
  left->uar = rig_take(left, EFA_ADMIN_ALLOC_UAR);
  struct efa_create_cq good = cq_wanted(), bad;
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_CREATE_CQ, good, NULL), EFA_ADMIN_SUCCESS);
  bad = good, bad.caps2 = 5, refused_cq(bad);
  bad = good, bad.caps2 |= EFA_CREATE_CQ_SRC_ADDR, refused_cq(bad);
  bad = good, bad.sub_cq_depth = 63, refused_cq(bad);
  bad = good, bad.num_sub_cqs = 2, refused_cq(bad);
  bad = good, bad.uar = 9, refused_cq(bad);
  bad = good, bad.caps1 = EFA_CREATE_CQ_VIRTUAL, refused_cq(bad);
  bad = good, bad.caps1 = EFA_CREATE_CQ_INTERRUPT, refused_cq(bad); /* no event queue */
  bad = good, bad.base.hi = 0xFFFF, refused_cq(bad);
}

static void test_bad_event_queues(void **state)
{
  (void)state;
  begin();
  uint64_t base = RIG_IOVA + RIG_EQ;
  struct efa_create_eq good = {.depth = 16,
                               .vector = 1,
                               .caps = 4,
                               .base = {(uint32_t)base, (uint32_t)(base >> 32)},
                               .events = EFA_CREATE_EQ_COMPLETIONS};
  struct efa_create_eq bad;
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_CREATE_EQ, good, NULL), EFA_ADMIN_SUCCESS);
  bad = good, bad.depth = 15;
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_CREATE_EQ, bad, NULL), EFA_ADMIN_ILLEGAL_PARAMETER);
  bad = good, bad.vector = 32;
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_CREATE_EQ, bad, NULL), EFA_ADMIN_ILLEGAL_PARAMETER);
  bad = good, bad.base.lo = 0, bad.base.hi = 0;
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_CREATE_EQ, bad, NULL), EFA_ADMIN_ILLEGAL_PARAMETER);
  struct efa_number number = {.number = 0};
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_DESTROY_EQ, number, NULL), EFA_ADMIN_SUCCESS);
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_DESTROY_EQ, number, NULL),
                   EFA_ADMIN_ILLEGAL_PARAMETER);
}

static void test_bad_queue_pairs(void **state)
{
  (void)state;
  rig_set_up(left);
  uint16_t cq = left->send_cq, pd = left->pd;
  assert_int_equal(rig_create_qp(left, 3, 64, 0), EFA_ADMIN_ILLEGAL_PARAMETER);
  assert_int_equal(rig_create_qp(left, EFA_QP_SRD, 96, 0), EFA_ADMIN_ILLEGAL_PARAMETER);
  assert_int_equal(rig_create_qp(left, EFA_QP_SRD, 64, EFA_CREATE_QP_RQ_VIRTUAL),
                   EFA_ADMIN_ILLEGAL_PARAMETER);
  left->send_cq = 400;
  assert_int_equal(rig_create_qp(left, EFA_QP_SRD, 64, 0), EFA_ADMIN_ILLEGAL_PARAMETER);
  left->send_cq = cq, left->pd = 77;
  assert_int_equal(rig_create_qp(left, EFA_QP_SRD, 64, 0), EFA_ADMIN_ILLEGAL_PARAMETER);
  left->pd = pd;
  assert_int_equal(rig_create_qp(left, EFA_QP_SRD, 128, 0), EFA_ADMIN_SUCCESS);
}

static void test_states(void **state)
{
  (void)state;
  rig_set_up(left);
  rig_must(rig_create_qp(left, EFA_QP_SRD, 64, 0));
  struct efa_modify_qp leap = {
      .mask = EFA_MODIFY_QP_STATE, .handle = left->handle, .state = EFA_QP_RTS};
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_MODIFY_QP, leap, NULL), EFA_ADMIN_ILLEGAL_PARAMETER);
  rig_qp_up(left);
  rig_modify(left, EFA_MODIFY_QP_RNR_RETRY, 0, 0, 3);
  struct efa_modify_qp often = {
      .mask = EFA_MODIFY_QP_RNR_RETRY, .handle = left->handle, .rnr_retry = 8};
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_MODIFY_QP, often, NULL),
                   EFA_ADMIN_ILLEGAL_PARAMETER);
  struct efa_modify_qp nobody = {.handle = 200};
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_MODIFY_QP, nobody, NULL),
                   EFA_ADMIN_ILLEGAL_PARAMETER);
  struct efa_qp_handle asked = {.handle = left->handle};
  struct efa_acq_entry entry = {0};
  struct efa_query_qp_response answer;
  assert_int_equal(RIG_COMMAND(left, EFA_ADMIN_QUERY_QP, asked, &entry), EFA_ADMIN_SUCCESS);
  memcpy(&answer, &entry, sizeof(answer));
  assert_int_equal(answer.state, EFA_QP_RTS);
  assert_int_equal(answer.qkey, 0x1111);
  assert_int_equal(answer.rnr_retry, 3);
}

/* A number is not used again soon, so that what is late does not reach a stranger. */
static void test_queue_pair_numbers(void **state)
{
  (void)state;
  static bool seen[65536];
  rig_set_up(left);
  memset(seen, 0, sizeof(seen));
  for (unsigned i = 0; i < 2000; i++) {
    rig_must(rig_create_qp(left, EFA_QP_SRD, 64, 0));
    assert_false(seen[left->qpn]);
    seen[left->qpn] = true;
    struct efa_qp_handle qp = {.handle = left->handle};
    rig_must(RIG_COMMAND(left, EFA_ADMIN_DESTROY_QP, qp, NULL));
  }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      CASE(test_identity),
      CASE(test_registers),
      CASE(test_reset),
      CASE(test_queue_wraps),
      CASE(test_interrupt_mask),
      CASE(test_features),
      CASE(test_host_info),
      CASE(test_keep_alive),
      CASE(test_unknown_commands),
      CASE(test_wrong_phase),
      CASE(test_bad_admin_queues),
      CASE(test_numbers),
      CASE(test_in_use),
      CASE(test_address_handles),
      CASE(test_inline_pages),
      CASE(test_bad_regions),
      CASE(test_indirect_pages),
      CASE(test_bad_completion_queues),
      CASE(test_bad_event_queues),
      CASE(test_bad_queue_pairs),
      CASE(test_states),
      CASE(test_queue_pair_numbers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
