/* SPDX-License-Identifier: BSD-2-Clause */
#include "twin_ixgbe_rig.h"

static const uint8_t other[6] = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55};
static const uint8_t group[6] = {0x01, 0x00, 0x5E, 0x01, 0x02, 0x03};
static const uint8_t everybody[6] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

enum outcome { DROPPED, EXACT, INEXACT };

static enum outcome send_to(struct rig *rig, const uint8_t to[6])
{
  uint8_t frame[128];
  uint32_t bytes = rig_udp(frame, 1, 2, 30);
  memcpy(frame, to, 6);
  rig_send(rig, frame, bytes);
  const struct rig_rx *rx = rig_rx_take(rig);
  if (!rx)
    return DROPPED;
  rig_write(rig, IXGBE_RDT(0), (rig->rx_head + RIG_RING - 1) % RIG_RING);
  return rx->status & IXGBE_RXD_STAT_PIF ? INEXACT : EXACT;
}

static void only_its_own_address_at_first(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  assert_int_equal(send_to(rig, rig_mac), EXACT);
  assert_int_equal(send_to(rig, other), DROPPED);
  assert_int_equal(send_to(rig, group), DROPPED);
  assert_int_equal(send_to(rig, everybody), DROPPED);
  assert_int_equal(rig_count(rig, "not_addressed"), 3);
  assert_int_equal(rig_read(rig, IXGBE_GPRC), 1);
}

static void any_of_the_addresses(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  rig_write(rig, IXGBE_RAL(127), 0x33221102);
  rig_write(rig, IXGBE_RAH(127), 0x5544 | IXGBE_RAH_AV);
  assert_int_equal(send_to(rig, other), EXACT);
  rig_write(rig, IXGBE_RAH(127), 0x5544); /* no longer valid */
  assert_int_equal(send_to(rig, other), DROPPED);
  rig_write(rig, IXGBE_RAL_ALIAS(3), 0x015E0001); /* a group may stand there too */
  rig_write(rig, IXGBE_RAH_ALIAS(3), 0x0302 | IXGBE_RAH_AV);
  assert_int_equal(send_to(rig, group), EXACT);
}

static void promiscuous_modes(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  rig_write(rig, IXGBE_FCTRL, IXGBE_FCTRL_UPE);
  assert_int_equal(send_to(rig, rig_mac), EXACT);
  assert_int_equal(send_to(rig, other), INEXACT);
  assert_int_equal(send_to(rig, group), DROPPED);
  assert_int_equal(send_to(rig, everybody), DROPPED);
  rig_write(rig, IXGBE_FCTRL, IXGBE_FCTRL_MPE);
  assert_int_equal(send_to(rig, other), DROPPED);
  assert_int_equal(send_to(rig, group), INEXACT);
  assert_int_equal(send_to(rig, everybody), INEXACT); /* a group like any other */
  rig_write(rig, IXGBE_FCTRL, IXGBE_FCTRL_BAM);
  assert_int_equal(send_to(rig, everybody), EXACT);
  assert_int_equal(send_to(rig, group), DROPPED);
}

/* The places in the table as drivers compute them from bytes 4 and 5 of the address. */
static void hashed_groups(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  for (uint32_t mode = 0; mode < 4; mode++) {
    static const unsigned down[] = {4, 3, 2, 0};
    static const unsigned up[] = {4, 5, 6, 8};
    uint32_t place = ((uint32_t)group[4] >> down[mode] | (uint32_t)group[5] << up[mode]) & 0xFFF;
    rig_write(rig, IXGBE_MCSTCTRL, mode | IXGBE_MCSTCTRL_MFE);
    assert_int_equal(send_to(rig, group), DROPPED);
    rig_write(rig, IXGBE_MTA(place / 32), 1u << place % 32);
    assert_int_equal(send_to(rig, group), INEXACT);
    rig_write(rig, IXGBE_MCSTCTRL, mode); /* the table is not used */
    assert_int_equal(send_to(rig, group), DROPPED);
    rig_write(rig, IXGBE_MTA(place / 32), 0);
  }
}

static void hashed_unicast(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  uint32_t place = ((uint32_t)other[4] >> 4 | (uint32_t)other[5] << 4) & 0xFFF;
  rig_write(rig, IXGBE_MCSTCTRL, IXGBE_MCSTCTRL_MFE);
  rig_write(rig, IXGBE_MTA(place / 32), 1u << place % 32); /* for groups only */
  assert_int_equal(send_to(rig, other), DROPPED);
  rig_write(rig, IXGBE_PFUTA(place / 32), 1u << place % 32);
  assert_int_equal(send_to(rig, other), INEXACT);
}

static bool send_tagged(struct rig *rig, uint16_t tag)
{
  uint8_t frame[128];
  uint32_t bytes = rig_udp(frame, 1, 2, 30);
  memmove(frame + 16, frame + 12, bytes - 12);
  shunt_store_be16(frame + 12, 0x8100);
  shunt_store_be16(frame + 14, tag);
  rig_send(rig, frame, bytes + 4);
  bool is_received = rig_rx_take(rig) != NULL;
  rig_write(rig, IXGBE_RDT(0), (rig->rx_head + RIG_RING - 1) % RIG_RING);
  return is_received;
}

static void the_vlan_table(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  assert_true(send_tagged(rig, 77));
  rig_write(rig, IXGBE_VLNCTRL, rig_read(rig, IXGBE_VLNCTRL) | IXGBE_VLNCTRL_VFE);
  assert_false(send_tagged(rig, 77));
  rig_write(rig, IXGBE_VFTA(77 / 32), 1u << 77 % 32);
  assert_true(send_tagged(rig, 77));
  assert_true(send_tagged(rig, 0xE000 | 77)); /* whatever the priority */
  assert_false(send_tagged(rig, 78));
  rig_write(rig, IXGBE_VFTA(127), 1u << 31);
  assert_true(send_tagged(rig, 4095));
  rig_write(rig, IXGBE_VLNCTRL, rig_read(rig, IXGBE_VLNCTRL) | IXGBE_VLNCTRL_CFIEN);
  assert_true(send_tagged(rig, 77));
  assert_false(send_tagged(rig, 0x1000 | 77));
  rig_write(rig, IXGBE_VLNCTRL, rig_read(rig, IXGBE_VLNCTRL) | IXGBE_VLNCTRL_CFI);
  assert_true(send_tagged(rig, 0x1000 | 77));
  assert_int_equal(rig_count(rig, "vlan_filtered"), 3);
  assert_int_equal(send_to(rig, rig_mac), EXACT); /* frames without a tag pass */
}

static void two_tags(void **state)
{
  struct rig *rig = *state;
  uint8_t frame[128];
  rig_rx_start(rig, 0);
  rig_write(rig, IXGBE_CTRL_EXT, rig_read(rig, IXGBE_CTRL_EXT) | IXGBE_CTRL_EXT_EXT_VLAN);
  rig_write(rig, IXGBE_EXVET, 0x88A80000);
  rig_write(rig, IXGBE_RXDCTL(0), IXGBE_RXDCTL_ENABLE | IXGBE_RXDCTL_VME);
  uint32_t bytes = rig_udp(frame, 1, 2, 30);
  memmove(frame + 20, frame + 12, bytes - 12);
  static const uint8_t tags[8] = {0x88, 0xA8, 0, 1, 0x81, 0, 0, 2};
  memcpy(frame + 12, tags, 8);
  rig_send(rig, frame, bytes + 8);
  const struct rig_rx *rx = rig_rx_take(rig);
  assert_non_null(rx);
  assert_int_equal(rx->vlan, 2); /* the inner one is stripped */
  assert_int_equal(rx->bytes, bytes + 4);
  assert_memory_equal(rx->data + 12, tags, 4);
  assert_true(rx->status & IXGBE_RXD_STAT_VEXT);
  assert_true(rx->status & IXGBE_RXD_STAT_L4CS);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      RIG_TEST(only_its_own_address_at_first),
      RIG_TEST(any_of_the_addresses),
      RIG_TEST(promiscuous_modes),
      RIG_TEST(hashed_groups),
      RIG_TEST(hashed_unicast),
      RIG_TEST(the_vlan_table),
      RIG_TEST(two_tags),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
