/* SPDX-License-Identifier: BSD-2-Clause */
/* The EFA driver on devices that do not play along: each wait ends, and says what was awaited. The
 * device is a software EFA behind a function that loses, changes or holds back what is asked of it.
 */
#include "tests/unit/fabric_rig.h"

enum trouble {
  NONE,
  NO_ANSWERS,      /* register reads are not answered */
  GONE,            /* nothing is; plain reads give all ones */
  NEVER_RESETS,    /* the reset does not begin */
  RESETS_FOR_EVER, /* ... or does not end */
  NO_COMMANDS,     /* from the n-th command on */
  WRONG_REGISTER,  /* another register's answer */
  REGISTER_READS,  /* one register reads as something else */
  NO_MEMORY,       /* no BAR can be reached as memory */
};

struct mute {
  struct pci pci;
  struct pci *inner;
  enum trouble trouble;
  uint32_t reg, value; /* of REGISTER_READS */
  unsigned commands;   /* before NO_COMMANDS */
  uint64_t response;
};

static struct mute *mute_of(struct pci *pci)
{
  return (struct mute *)pci;
}

static void mute_close(struct pci *pci)
{
  pci_close(mute_of(pci)->inner);
  free(pci);
}

static uint32_t mute_read32(struct pci *pci, unsigned bar, uint64_t offset)
{
  struct mute *mute = mute_of(pci);
  return mute->trouble == GONE ? UINT32_MAX : mute->inner->ops->read32(mute->inner, bar, offset);
}

static bool is_lost(struct mute *mute, uint64_t offset, uint32_t value)
{
  switch (mute->trouble) {
  case NO_ANSWERS:
    return offset == EFA_MMIO_REG_READ;
  case GONE:
    return true;
  case NEVER_RESETS:
    return offset == EFA_DEV_CTL && value & EFA_DEV_CTL_RESET;
  case RESETS_FOR_EVER:
    return offset == EFA_DEV_CTL && !(value & EFA_DEV_CTL_RESET);
  case NO_COMMANDS:
    return offset == EFA_AQ_PROD_DB && value > mute->commands;
  default:
    return false;
  }
}

/* Change the answer where it stands. */
static void falsify(struct mute *mute, uint32_t request)
{
  struct efa_mmio_response *answer = shunt_model_dma(inproc_model(mute->inner), mute->response,
                                                     sizeof(struct efa_mmio_response), 1);
  if (!answer)
    return;
  if (mute->trouble == WRONG_REGISTER)
    answer->reg_off++;
  if (mute->trouble == REGISTER_READS && HW_GET(EFA_MMIO_REG_READ_REG_OFF, request) == mute->reg)
    answer->value = mute->value;
}

static void mute_write32(struct pci *pci, unsigned bar, uint64_t offset, uint32_t value)
{
  struct mute *mute = mute_of(pci);
  if (offset == EFA_MMIO_RESP_LO)
    mute->response = (mute->response & ~(uint64_t)UINT32_MAX) | value;
  if (offset == EFA_MMIO_RESP_HI)
    mute->response = (uint32_t)mute->response | (uint64_t)value << 32;
  if (is_lost(mute, offset, value))
    return;
  mute->inner->ops->write32(mute->inner, bar, offset, value);
  if (offset == EFA_MMIO_REG_READ)
    falsify(mute, value);
}

static volatile uint32_t *mute_direct(struct pci *pci, unsigned bar, uint64_t offset)
{
  struct mute *mute = mute_of(pci);
  return mute->trouble == NO_MEMORY ? NULL : mute->inner->ops->direct(mute->inner, bar, offset);
}

static int mute_config_read(struct pci *pci, unsigned offset, unsigned bytes, uint32_t *value)
{
  return mute_of(pci)->inner->ops->config_read(mute_of(pci)->inner, offset, bytes, value);
}

static int mute_config_write(struct pci *pci, unsigned offset, unsigned bytes, uint32_t value)
{
  return mute_of(pci)->inner->ops->config_write(mute_of(pci)->inner, offset, bytes, value);
}

static int mute_dma_map(struct pci *pci, struct shunt_region *region, uint64_t delta[],
                        struct shunt_error *error)
{
  return mute_of(pci)->inner->ops->dma_map(mute_of(pci)->inner, region, delta, error);
}

static void mute_dma_unmap(struct pci *pci, struct shunt_region *region, const uint64_t delta[])
{
  mute_of(pci)->inner->ops->dma_unmap(mute_of(pci)->inner, region, delta);
}

static unsigned mute_step(struct pci *pci)
{
  return pci_step(mute_of(pci)->inner);
}

static const struct pci_ops mute_ops = {.close = mute_close,
                                        .read32 = mute_read32,
                                        .write32 = mute_write32,
                                        .direct = mute_direct,
                                        .config_read = mute_config_read,
                                        .config_write = mute_config_write,
                                        .dma_map = mute_dma_map,
                                        .dma_unmap = mute_dma_unmap,
                                        .step = mute_step};

static struct mute *mute_create(struct rig *rig)
{
  struct pci_open_options options = {
      .clock = &rig->clock, .testbed = rig->testbed, .kind = "efa", .keys = "wire=w"};
  struct mute *mute = calloc(1, sizeof(*mute));
  assert_non_null(mute);
  rig_ok(rig, pci_open("twin", &options, &mute->inner, &rig->error));
  mute->pci = *mute->inner;
  mute->pci.ops = &mute_ops;
  return mute;
}

static int open_mute(struct rig *rig, struct mute *mute)
{
  const struct shunt_fabric_options options = {.size = sizeof(options), .clock = &rig->clock};
  return efa_open_pci(&mute->pci, &options, &rig->left.fabric, &rig->error);
}

/* Opening fails so, and so fast, and says that. */
static void refuses(enum trouble trouble, uint32_t reg, uint32_t value, int code, const char *text,
                    uint64_t most_ms)
{
  struct rig *rig = rig_create();
  struct mute *mute = mute_create(rig);
  char told[1024];
  mute->trouble = trouble;
  mute->reg = reg;
  mute->value = value;
  mute->commands = value;
  uint64_t before_ns = rig->time.now_ns;
  int result = open_mute(rig, mute);
  uint64_t ms = (rig->time.now_ns - before_ns) / 1000000;
  shunt_error_format(&rig->error, told, sizeof(told));
  if (result != code || !strstr(told, text) || ms > most_ms)
    fail_msg("trouble %d: %d after %llu ms: %s", (int)trouble, result, (unsigned long long)ms,
             told);
  rig->left.fabric = NULL;
  rig_destroy(rig);
}

static void registers_that_are_not_answered(void **state)
{
  (void)state;
  refuses(NO_ANSWERS, 0, 0, -ETIMEDOUT, "waited 50 ms for the answer to reading DEV_STS", 200);
  refuses(GONE, 0, 0, -EIO, "0xffffffff", 200);
  refuses(WRONG_REGISTER, 0, 0, -EIO, "asked for register 0x58, it answered for 0x59", 200);
}

static void resets_that_do_not_happen(void **state)
{
  (void)state;
  refuses(NEVER_RESETS, 0, 0, -ETIMEDOUT, "for the reset to begin", 7000);
  refuses(RESETS_FOR_EVER, 0, 0, -ETIMEDOUT, "for the reset to end", 7000);
  refuses(REGISTER_READS, EFA_DEV_STS, 0, -EIO, "READY", 200);
  refuses(REGISTER_READS, EFA_CAPS, 0x3400, -EIO, "CAPS 0x00003400", 200);
}

static void devices_that_are_too_old(void **state)
{
  (void)state;
  refuses(REGISTER_READS, EFA_VERSION, 0, -EOPNOTSUPP, "interface's version is 0x0", 200);
  refuses(REGISTER_READS, EFA_CONTROLLER_VERSION, 0xFF000000, -EOPNOTSUPP, "controller", 200);
  refuses(REGISTER_READS, EFA_CAPS, 0x103D, -EOPNOTSUPP, "width of DMA addresses is 0x10", 200);
}

static void commands_that_are_not_answered(void **state)
{
  (void)state;
  for (unsigned n = 0; n < 8; n++)
    refuses(NO_COMMANDS, 0, n, -ETIMEDOUT, "waited 1500 ms for the completion of", 4000);
}

static void a_command_that_is_lost_costs_the_device_and_a_reset_brings_it_back(void **state)
{
  (void)state;
  struct rig *rig = rig_create();
  struct mute *mute = mute_create(rig);
  struct shunt_fabric_pd *pd;
  rig_ok(rig, open_mute(rig, mute));
  mute->trouble = NO_COMMANDS;
  assert_int_equal(shunt_fabric_pd_create(rig->left.fabric, &pd, &rig->error), -ETIMEDOUT);
  assert_non_null(strstr(rig->error.what, "ALLOC_PD"));
  assert_non_null(strstr(rig->error.remedy, "shunt_fabric_reset"));
  mute->trouble = NONE; /* too late */
  uint64_t before_ns = rig->time.now_ns;
  assert_int_equal(shunt_fabric_pd_create(rig->left.fabric, &pd, &rig->error), -EIO);
  assert_true(rig->time.now_ns == before_ns);
  rig_ok(rig, shunt_fabric_reset(rig->left.fabric, &rig->error));
  rig_ok(rig, shunt_fabric_pd_create(rig->left.fabric, &pd, &rig->error));
  assert_int_equal(rig_statistic(rig, &rig->left, "no_completion_cmds"), 1);
  rig_destroy(rig);
}

static void a_device_that_vanishes_is_missed(void **state)
{
  (void)state;
  struct rig *rig = rig_create();
  struct mute *mute = mute_create(rig);
  rig_ok(rig, open_mute(rig, mute));
  rig_furnish(rig, &rig->left);
  rig->left.qp = rig_qp(rig, &rig->left, (struct shunt_fabric_qp_options){0});
  rig_run(rig, 2000000);
  rig_ok(rig, shunt_fabric_check(rig->left.fabric, &rig->error));
  mute->trouble = GONE;
  efa_twin_register_write((struct efa_twin *)inproc_model(mute->inner), EFA_DEV_CTL,
                          EFA_DEV_CTL_RESET);
  rig_run(rig, 6000000);
  assert_int_equal(shunt_fabric_check(rig->left.fabric, &rig->error), -EIO);
  assert_non_null(strstr(rig->error.what, "no keep-alive for"));
  assert_int_equal(shunt_fabric_qp_destroy(rig->left.qp, &rig->error),
                   -EIO); /* gone all the same */
  assert_int_equal(shunt_fabric_reset(rig->left.fabric, &rig->error), -EIO);
  rig_destroy(rig);
}

static void doorbells_that_can_not_be_reached(void **state)
{
  (void)state;
  struct rig *rig = rig_create();
  struct mute *mute = mute_create(rig);
  struct shunt_fabric_qp *qp;
  rig_ok(rig, open_mute(rig, mute));
  rig_furnish(rig, &rig->left);
  mute->trouble = NO_MEMORY;
  struct shunt_fabric_qp_options options = {
      .size = sizeof(options), .send_cq = rig->left.cq, .recv_cq = rig->left.cq};
  assert_int_equal(shunt_fabric_qp_create(rig->left.pd, &options, &qp, &rig->error), -EOPNOTSUPP);
  assert_non_null(strstr(rig->error.remedy, "areas=on"));
  mute->trouble = NONE;
  rig_ok(rig, shunt_fabric_qp_create(rig->left.pd, &options, &qp, &rig->error));
  rig_destroy(rig);
}

/* Numbers that were never taken, queues that are not there: what a device must not say costs order,
 * and never memory. */
static void completions_out_of_nowhere(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("", (struct shunt_fabric_qp_options){.send_depth = 32});
  struct efa_twin *twin = rig_twin(&rig->left);
  uint16_t number = shunt_fabric_qp_number(rig->left.qp);
  for (unsigned i = 0; i < 400; i++) {
    const struct efa_cqe cqe = {.req_id = (uint16_t)(i * 2657),
                                .status = (uint8_t)i,
                                .flags =
                                    (uint8_t)(HW_FIELD(EFA_CQE_QUEUE, i & 3) | (i & 16 ? 0xF8 : 0)),
                                .qp_num = (uint16_t)(i % 5 ? number : i * 7),
                                .length = (uint16_t)i,
                                .ah = (uint16_t)(i & 8 ? 0xFFFF : i)};
    struct efa_twin_completion completion = {0};
    memcpy(&completion.low, &cqe, sizeof(cqe)); /* and high */
    efa_twin_complete(twin, 0, 0, &completion);
    struct shunt_fabric_work work = rig_send(&rig->left, &rig->right, UINT64_MAX - i, 0, 8);
    (void)shunt_fabric_send_post(rig->left.qp, &work);
    assert_true(shunt_fabric_poll(rig->left.cq, rig->left.completions, 4) <= 1);
  }
  rig_destroy(rig);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(registers_that_are_not_answered),
      cmocka_unit_test(resets_that_do_not_happen),
      cmocka_unit_test(devices_that_are_too_old),
      cmocka_unit_test(commands_that_are_not_answered),
      cmocka_unit_test(a_command_that_is_lost_costs_the_device_and_a_reset_brings_it_back),
      cmocka_unit_test(a_device_that_vanishes_is_missed),
      cmocka_unit_test(doorbells_that_can_not_be_reached),
      cmocka_unit_test(completions_out_of_nowhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
