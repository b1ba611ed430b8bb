/* SPDX-License-Identifier: BSD-2-Clause */
/* Bring-up and close against a chip that is watched: the order of what is written, and what comes
 * of a chip that does not do its part. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ixgbe_fake.h"

#define MS UINT64_C(1000000)

struct bench {
  struct fake fake;
  struct shunt_region *region;
  struct shunt_port_options options;
  struct shunt_error error;
};

static int set_up(void **state)
{
  struct bench *bench = calloc(1, sizeof(*bench));
  struct shunt_region_options wanted = {.size = sizeof(wanted),
                                        .bytes = 4 << 20,
                                        .pages = SHUNT_PAGES_4K,
                                        .numa_node = SHUNT_NUMA_ANY};
  *state = bench;
  if (!bench || shunt_region_create(&wanted, &bench->region, &bench->error))
    return -1;
  fake_init(&bench->fake, 0x10FB);
  bench->options = (struct shunt_port_options){.size = sizeof(bench->options),
                                               .region = bench->region,
                                               .queues = 1,
                                               .rx_ring = 64,
                                               .tx_ring = 64,
                                               .mtu = 1500,
                                               .tx_report_interval = 1,
                                               .interrupt_interval_us = 20,
                                               .clock = &bench->fake.clock};
  return 0;
}

static int tear_down(void **state)
{
  struct bench *bench = *state;
  shunt_region_destroy(bench->region);
  free(bench);
  return 0;
}

static int open_fake(struct bench *bench, struct shunt_port **port)
{
  return ixgbe_open_pci(&bench->fake.pci, &bench->options, port, &bench->error);
}

static struct shunt_port *opened(struct bench *bench)
{
  struct shunt_port *port = NULL;
  if (open_fake(bench, &port))
    fail_msg("%s: %s", bench->error.what, bench->error.why);
  return port;
}

/* Nothing is left behind: no mapping, no open function, no bus mastering. */
static void assert_clean(const struct bench *bench)
{
  assert_int_equal(bench->fake.mapped, 0);
  assert_int_equal(bench->fake.closed, 1);
  assert_int_equal(bench->fake.command & PCI_CMD_BUS_MASTER, 0);
}

/* ---- In order ---- */

static void comes_up_in_the_datasheets_order(void **state)
{
  struct bench *bench = *state;
  struct fake *fake = &bench->fake;
  struct shunt_port *port = opened(bench);

  unsigned masked = fake_find(fake, 0, IXGBE_EIMC, UINT32_MAX, IXGBE_EIMC_ALL);
  unsigned master = fake_find(fake, masked, IXGBE_CTRL, IXGBE_CTRL_GIO_DIS, IXGBE_CTRL_GIO_DIS);
  unsigned reset = fake_find(fake, master, IXGBE_CTRL, IXGBE_CTRL_RST, IXGBE_CTRL_RST);
  unsigned again = fake_find(fake, reset, IXGBE_EIMC, UINT32_MAX, IXGBE_EIMC_ALL);
  unsigned ring = fake_find(fake, again, IXGBE_RDLEN(0), UINT32_MAX, 64 * 16);
  unsigned enabled =
      fake_find(fake, ring, IXGBE_RXDCTL(0), IXGBE_RXDCTL_ENABLE, IXGBE_RXDCTL_ENABLE);
  unsigned tail = fake_find(fake, enabled, IXGBE_RDT(0), UINT32_MAX, 0);
  unsigned stop =
      fake_find(fake, tail, IXGBE_SECRXCTRL, IXGBE_SECRXCTRL_RX_DIS, IXGBE_SECRXCTRL_RX_DIS);
  unsigned on = fake_find(fake, stop, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN, IXGBE_RXCTRL_RXEN);
  unsigned go = fake_find(fake, on, IXGBE_SECRXCTRL, IXGBE_SECRXCTRL_RX_DIS, 0);
  assert_true(go < FAKE_TRACE); /* so all before were found, each behind the one before */

  unsigned arbiter = fake_find(fake, again, IXGBE_RTTDCS, IXGBE_RTTDCS_ARBDIS, IXGBE_RTTDCS_ARBDIS);
  unsigned queues = fake_find(fake, arbiter, IXGBE_MTQC, UINT32_MAX, 0);
  unsigned released = fake_find(fake, queues, IXGBE_RTTDCS, IXGBE_RTTDCS_ARBDIS, 0);
  unsigned unit = fake_find(fake, released, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE, IXGBE_DMATXCTL_TE);
  unsigned send = fake_find(fake, unit, IXGBE_TXDCTL(0), IXGBE_TXDCTL_ENABLE, IXGBE_TXDCTL_ENABLE);
  assert_true(send < FAKE_TRACE);
  assert_true(send < on);
  assert_int_equal(fake->rejected_rdt, 0);
  assert_int_equal(fake->command & PCI_CMD_BUS_MASTER, PCI_CMD_BUS_MASTER);
  port->ops->close(port);
  assert_clean(bench);
}

static void sets_what_real_silicon_wants(void **state)
{
  struct bench *bench = *state;
  struct fake *fake = &bench->fake;
  bench->fake.registers[IXGBE_AUTOC / 4] = 0;
  struct shunt_port *port = opened(bench);
  uint32_t rdrxctl = *fake_register(fake, IXGBE_RDRXCTL);
  uint32_t hlreg0 = *fake_register(fake, IXGBE_HLREG0);
  assert_true(rdrxctl & IXGBE_RDRXCTL_CRCSTRIP);
  assert_true(hlreg0 & IXGBE_HLREG0_RXCRCSTRP);
  assert_false(hlreg0 & IXGBE_HLREG0_JUMBOEN);
  assert_true(*fake_register(fake, IXGBE_CTRL_EXT) & IXGBE_CTRL_EXT_NS_DIS);
  assert_true(*fake_register(fake, IXGBE_CTRL_EXT) & IXGBE_CTRL_EXT_DRV_LOAD);
  assert_int_equal(*fake_register(fake, IXGBE_DCA_RXCTRL(0)) & IXGBE_DCA_RXCTRL_RESERVED_12, 0);
  assert_int_equal(HW_GET(IXGBE_SRRCTL_BSIZEPACKET, *fake_register(fake, IXGBE_SRRCTL(0))), 2);
  assert_int_equal(*fake_register(fake, IXGBE_RXPBSIZE(0)),
                   IXGBE_RX_PACKET_BUFFER_BYTES - IXGBE_FLOW_DIRECTOR_BYTES);
  assert_int_equal(*fake_register(fake, IXGBE_AUTOC), IXGBE_AUTOC_AN_RESTART);
  assert_int_equal(*fake_register(fake, IXGBE_ESDP) & IXGBE_ESDP_LASER_OFF, 0);
  assert_int_equal(*fake_register(fake, IXGBE_SW_FW_SYNC), 0); /* no semaphore is kept */
  port->ops->close(port);
}

static void goes_down_in_order(void **state)
{
  struct bench *bench = *state;
  struct fake *fake = &bench->fake;
  struct shunt_port *port = opened(bench);
  unsigned from = fake->writes;
  port->ops->close(port);
  unsigned masked = fake_find(fake, from, IXGBE_EIMC, UINT32_MAX, IXGBE_EIMC_ALL);
  unsigned off = fake_find(fake, masked, IXGBE_RXCTRL, UINT32_MAX, 0);
  unsigned send = fake_find(fake, off, IXGBE_TXDCTL(0), IXGBE_TXDCTL_ENABLE, 0);
  unsigned receive = fake_find(fake, send, IXGBE_RXDCTL(0), IXGBE_RXDCTL_ENABLE, 0);
  unsigned master = fake_find(fake, receive, IXGBE_CTRL, IXGBE_CTRL_GIO_DIS, IXGBE_CTRL_GIO_DIS);
  unsigned reset = fake_find(fake, master, IXGBE_CTRL, IXGBE_CTRL_RST, IXGBE_CTRL_RST);
  unsigned dark = fake_find(fake, reset, IXGBE_ESDP, IXGBE_ESDP_LASER_OFF, IXGBE_ESDP_LASER_OFF);
  assert_true(dark < FAKE_TRACE);
  assert_clean(bench);
}

static void several_queues_do_not_block_each_other(void **state)
{
  struct bench *bench = *state;
  struct shunt_port *port = opened(bench);
  assert_int_equal(*fake_register(&bench->fake, IXGBE_SRRCTL(0)) & IXGBE_SRRCTL_DROP_EN, 0);
  port->ops->close(port);
  bench->options.queues = 64;
  bench->options.rx_ring = bench->options.tx_ring = 4096;
  fake_init(&bench->fake, 0x10FB);
  port = opened(bench);
  for (unsigned i = 0; i < 64; i++) {
    uint32_t low = *fake_register(&bench->fake, IXGBE_RDBAL(i));
    assert_true(*fake_register(&bench->fake, IXGBE_SRRCTL(i)) & IXGBE_SRRCTL_DROP_EN);
    assert_int_equal(low % (4096 * 16), 0); /* so no ring lies across a jump of addresses */
    assert_true(*fake_register(&bench->fake, IXGBE_TXDCTL(i)) & IXGBE_TXDCTL_ENABLE);
  }
  port->ops->close(port);
}

static void rings_of_different_lengths_keep_their_alignment(void **state)
{
  struct bench *bench = *state;
  bench->options.queues = 3;
  bench->options.tx_ring = 4096;
  struct shunt_port *port = opened(bench);
  for (unsigned i = 0; i < 3; i++)
    assert_int_equal(*fake_register(&bench->fake, IXGBE_TDBAL(i)) % (4096 * 16), 0);
  port->ops->close(port);
}

/* ---- Out of order ---- */

static void each_wait_ends_and_says_what_it_waited_for(void **state)
{
  struct bench *bench = *state;
  static const struct {
    uint32_t offset, mask, value;
    const char *name;
  } waits[] = {
      {IXGBE_CTRL, IXGBE_CTRL_RST, IXGBE_CTRL_RST, "CTRL.RST"},
      {IXGBE_EEC, IXGBE_EEC_ARD, 0, "EEC.ARD"},
      {IXGBE_RDRXCTL, IXGBE_RDRXCTL_DMAIDONE, 0, "RDRXCTL.DMAIDONE"},
      {IXGBE_RXDCTL(0), IXGBE_RXDCTL_ENABLE, 0, "RXDCTL.ENABLE of queue 0"},
      {IXGBE_TXDCTL(0), IXGBE_TXDCTL_ENABLE, 0, "TXDCTL.ENABLE of queue 0"},
      {IXGBE_FDIRCTRL, IXGBE_FDIRCTRL_INIT_DONE, 0, "FDIRCTRL.INIT_DONE"},
      {IXGBE_SECRXSTAT, IXGBE_SECRXSTAT_RDY, 0, "SECRXSTAT"},
      {IXGBE_SWSM, IXGBE_SWSM_SMBI, IXGBE_SWSM_SMBI, "SWSM.SMBI"},
  };
  for (unsigned i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
    struct shunt_port *port = NULL;
    fake_init(&bench->fake, 0x10FB);
    bench->fake.stuck_offset = waits[i].offset;
    bench->fake.stuck_mask = waits[i].mask;
    bench->fake.stuck_value = waits[i].value;
    assert_int_equal(open_fake(bench, &port), -ETIMEDOUT);
    assert_null(port);
    assert_non_null(strstr(bench->error.what, waits[i].name));
    assert_non_null(strstr(bench->error.why, "register"));
    assert_true(bench->fake.time.now_ns < 5000 * MS);
    assert_clean(bench);
  }
}

static void a_chip_that_stays_silent_times_out(void **state)
{
  struct bench *bench = *state;
  struct shunt_port *port = NULL;
  bench->fake.stuck_offset = IXGBE_EEC;
  bench->fake.stuck_mask = UINT32_MAX;
  assert_int_equal(open_fake(bench, &port), -ETIMEDOUT);
  assert_clean(bench);
}

static void a_chip_that_is_gone_is_an_io_error(void **state)
{
  struct bench *bench = *state;
  struct shunt_port *port = NULL;
  bench->fake.reads_left = 0;
  assert_int_equal(open_fake(bench, &port), -EIO);
  assert_non_null(strstr(bench->error.why, "ffffffff"));
  assert_true(bench->error.remedy[0] != '\0');
  assert_clean(bench);
}

static void a_port_says_that_its_chip_is_gone(void **state)
{
  struct bench *bench = *state;
  struct shunt_port *port = opened(bench);
  assert_int_equal(shunt_port_check(port, &bench->error), 0);
  bench->fake.reads_left = 0;
  assert_int_equal(shunt_port_check(port, &bench->error), -ENODEV);
  assert_non_null(strstr(bench->error.what, "is gone"));
  port->ops->close(port);
  assert_clean(bench);
}

/* Pull the card after each number of reads: never a hang, a crash or a success. */
static void a_chip_may_go_at_any_time(void **state)
{
  struct bench *bench = *state;
  struct shunt_port *port = opened(bench);
  port->ops->close(port);
  unsigned failures = 0;
  for (uint64_t reads = 1; reads < 2000; reads += reads < 300 ? 1 : 37) {
    fake_init(&bench->fake, 0x10F9);
    bench->fake.reads_left = reads;
    port = NULL;
    int result = open_fake(bench, &port);
    failures += result != 0;
    if (!result)
      port->ops->close(port);
    assert_true(result == 0 || result == -EIO || result == -ETIMEDOUT || result == -EBUSY);
    assert_true(bench->fake.time.now_ns < 5000 * MS);
    assert_clean(bench);
  }
  assert_true(failures > 20);
}

static void a_close_on_dead_hardware_takes_a_second_at_most(void **state)
{
  struct bench *bench = *state;
  bench->options.queues = 64;
  struct shunt_port *port = opened(bench);
  uint64_t start_ns = bench->fake.time.now_ns;
  bench->fake.stuck_offset = IXGBE_RXDCTL(5);
  bench->fake.stuck_mask = bench->fake.stuck_value = IXGBE_RXDCTL_ENABLE;
  port->ops->close(port);
  assert_true(bench->fake.time.now_ns - start_ns < 1000 * MS);
  assert_clean(bench);

  fake_init(&bench->fake, 0x10FB);
  port = opened(bench);
  start_ns = bench->fake.time.now_ns;
  bench->fake.reads_left = 0;
  port->ops->close(port);
  assert_true(bench->fake.time.now_ns - start_ns < 1000 * MS);
  assert_clean(bench);
}

/* What a chip does that was left in the middle of DMA: it needs its buffers cleared and two resets
 * (datasheet 4.2.1.6.1). */
static void stuck_requests_get_a_second_reset(void **state)
{
  struct bench *bench = *state;
  struct fake *fake = &bench->fake;
  fake->stuck_offset = IXGBE_STATUS;
  fake->stuck_mask = fake->stuck_value = IXGBE_STATUS_GIO;
  struct shunt_port *port = opened(bench);
  unsigned cleared =
      fake_find(fake, 0, IXGBE_GCR_EXT, IXGBE_GCR_EXT_BUFFERS_CLEAR, IXGBE_GCR_EXT_BUFFERS_CLEAR);
  unsigned first = fake_find(fake, cleared, IXGBE_CTRL, IXGBE_CTRL_RST, IXGBE_CTRL_RST);
  unsigned second = fake_find(fake, first + 1, IXGBE_CTRL, IXGBE_CTRL_RST, IXGBE_CTRL_RST);
  unsigned rings = fake_find(fake, 0, IXGBE_RDLEN(0), UINT32_MAX, 64 * 16);
  assert_true(second < rings && rings < FAKE_TRACE);
  fake->stuck_mask = 0;
  port->ops->close(port);
  assert_clean(bench);
}

static void a_card_without_an_address_is_refused(void **state)
{
  struct bench *bench = *state;
  struct shunt_port *port = NULL;
  *fake_register(&bench->fake, IXGBE_RAH(0)) = 0;
  assert_int_equal(open_fake(bench, &port), -EIO);
  assert_non_null(strstr(bench->error.why, "RAH0"));
  fake_init(&bench->fake, 0x10FB);
  *fake_register(&bench->fake, IXGBE_RAL(0)) = 0x00000001; /* a group's */
  assert_int_equal(open_fake(bench, &port), -EIO);
  assert_clean(bench);
}

/* ---- What is refused ---- */

static void relatives_are_refused_by_name(void **state)
{
  struct bench *bench = *state;
  static const struct {
    uint16_t device;
    const char *name;
  } others[] = {{0x1528, "X540"},  {0x1563, "X550"},      {0x15AB, "X550"},
                {0x10DB, "82598"}, {0x151C, "10GBASE-T"}, {0x1558, "QSFP"}};
  for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
    struct shunt_port *port = NULL;
    fake_init(&bench->fake, others[i].device);
    assert_int_equal(open_fake(bench, &port), -ENODEV);
    assert_non_null(strstr(bench->error.why, others[i].name));
    assert_int_equal(bench->fake.writes, 0); /* not touched */
    assert_clean(bench);
  }
  struct shunt_port *port = NULL;
  fake_init(&bench->fake, 0x10FB);
  bench->fake.pci.vendor = 0x1924;
  assert_int_equal(open_fake(bench, &port), -ENODEV);
  assert_non_null(strstr(bench->error.why, "1924"));
}

static void every_known_id_comes_up(void **state)
{
  struct bench *bench = *state;
  static const uint16_t ids[] = {0x10FB, 0x10F9, 0x10FC, 0x10F7, 0x10F8,
                                 0x1507, 0x1514, 0x1517, 0x154D, 0x1557};
  for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
    struct shunt_port_info info = {.size = sizeof(info)};
    char id[8];
    fake_init(&bench->fake, ids[i]);
    struct shunt_port *port = opened(bench);
    snprintf(id, sizeof(id), "%04X", ids[i]);
    port->ops->info(port, &info);
    assert_non_null(strstr(info.device, id));
    port->ops->close(port);
    assert_clean(bench);
  }
}

static void too_many_queues_are_refused(void **state)
{
  struct bench *bench = *state;
  struct shunt_port *port = NULL;
  bench->options.queues = 65;
  assert_int_equal(open_fake(bench, &port), -EINVAL);
  assert_non_null(strstr(bench->error.why, "64"));
  assert_clean(bench);

  fake_init(&bench->fake, 0x10FB);
  bench->options.queues = 64;
  bench->options.interrupts = 1;
  assert_int_equal(open_fake(bench, &port), -EOPNOTSUPP);
  assert_non_null(strstr(bench->error.why, "vector"));
  assert_clean(bench);
}

static void what_interrupts_can_not_do_is_refused(void **state)
{
  struct bench *bench = *state;
  struct shunt_port *port = NULL;
  bench->options.interrupts = 1;
  bench->options.interrupt_interval_us = 1047;
  assert_int_equal(open_fake(bench, &port), -EOPNOTSUPP);
  assert_non_null(strstr(bench->error.why, "EITR"));
  fake_init(&bench->fake, 0x10FB);
  bench->options.interrupt_interval_us = 20;
  bench->fake.pci.vectors = 0;
  assert_int_equal(open_fake(bench, &port), -EOPNOTSUPP);
  assert_non_null(strstr(bench->error.remedy, "vfio"));
  assert_clean(bench);
}

static void buffers_must_suit_the_chip(void **state)
{
  struct bench *bench = *state;
  struct shunt_port *port = NULL;
  struct shunt_region_options wanted = {.size = sizeof(wanted),
                                        .bytes = 2 << 20,
                                        .buf_bytes = 512,
                                        .pages = SHUNT_PAGES_4K,
                                        .numa_node = SHUNT_NUMA_ANY};
  struct shunt_region *small = NULL, *large = NULL;
  assert_int_equal(shunt_region_create(&wanted, &small, &bench->error), 0);
  wanted.buf_bytes = 32768;
  assert_int_equal(shunt_region_create(&wanted, &large, &bench->error), 0);
  bench->options.region = small;
  assert_int_equal(open_fake(bench, &port), -EINVAL);
  fake_init(&bench->fake, 0x10FB);
  bench->options.region = large;
  assert_int_equal(open_fake(bench, &port), -EINVAL);
  assert_non_null(strstr(bench->error.why, "BSIZEPACKET"));
  assert_clean(bench);
  shunt_region_destroy(small);
  shunt_region_destroy(large);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(comes_up_in_the_datasheets_order),
      TEST(sets_what_real_silicon_wants),
      TEST(goes_down_in_order),
      TEST(several_queues_do_not_block_each_other),
      TEST(rings_of_different_lengths_keep_their_alignment),
      TEST(each_wait_ends_and_says_what_it_waited_for),
      TEST(a_chip_that_stays_silent_times_out),
      TEST(a_chip_that_is_gone_is_an_io_error),
      TEST(a_port_says_that_its_chip_is_gone),
      TEST(a_chip_may_go_at_any_time),
      TEST(a_close_on_dead_hardware_takes_a_second_at_most),
      TEST(stuck_requests_get_a_second_reset),
      TEST(a_card_without_an_address_is_refused),
      TEST(relatives_are_refused_by_name),
      TEST(every_known_id_comes_up),
      TEST(too_many_queues_are_refused),
      TEST(what_interrupts_can_not_do_is_refused),
      TEST(buffers_must_suit_the_chip),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
