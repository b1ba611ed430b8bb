/* SPDX-License-Identifier: BSD-2-Clause */
/* The facts of hw/: array macros at their edges, fields that must tile a register, lists of
 * counters that must not collide. */
#include "hw/ixgbe.h"
#include "hw/ixgbe_desc.h"
#include "hw/ixgbe_eeprom.h"
#include "hw/pci.h"
#include "hw/sfp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Sections 8.2.3.1 - 8.2.3.27 again, written down once more and not computed. */
static_assert(IXGBE_CTRL == 0x00000u && IXGBE_STATUS == 0x00008u && IXGBE_CTRL_EXT == 0x00018u, "");
static_assert(IXGBE_EEC == 0x10010u && IXGBE_EERD == 0x10014u && IXGBE_SWSM == 0x10140u, "");
static_assert(IXGBE_EICR == 0x00800u && IXGBE_EIMS == 0x00880u && IXGBE_EIMC == 0x00888u, "");
static_assert(IXGBE_RXCTRL == 0x03000u && IXGBE_DMATXCTL == 0x04A80u && IXGBE_MTQC == 0x08120u, "");
static_assert(IXGBE_HLREG0 == 0x04240u && IXGBE_AUTOC == 0x042A0u && IXGBE_LINKS == 0x042A4u, "");
static_assert(IXGBE_FDIRHASH % 8 == 0 && IXGBE_FDIRCMD == IXGBE_FDIRHASH + 4, "one quadword");

/* The sums that drivers hard-code (datasheet 9.3.9 - 9.3.11). */
static_assert(PCI_82599_MSIX + PCI_MSIX_CONTROL == 0x72u, "");
static_assert(PCI_82599_PCIE + PCI_PCIE_DEVICE_STATUS == 0xAAu, "");
static_assert(PCI_82599_PCIE + PCI_PCIE_LINK_STATUS == 0xB2u, "");
static_assert(PCI_82599_PCIE + PCI_PCIE_DEVICE_CONTROL_2 == 0xC8u, "");
static_assert(PCI_82599_PM + PCI_PM_BYTES <= PCI_82599_MSI, "capabilities don't overlap");
static_assert(PCI_82599_MSI + PCI_MSI_BYTES <= PCI_82599_MSIX, "capabilities don't overlap");
static_assert(PCI_82599_MSIX + PCI_MSIX_BYTES <= PCI_82599_PCIE, "capabilities don't overlap");
static_assert(IXGBE_MSIX_VECTORS * PCI_MSIX_ENTRY_BYTES <= IXGBE_MSIX_PBA, "table before PBA");

/* SFF-8472 table 4-1: the fields follow each other without a gap. */
static_assert(SFP_VENDOR_NAME + SFP_VENDOR_NAME_BYTES + 1 == SFP_VENDOR_OUI, "");
static_assert(SFP_VENDOR_OUI + SFP_VENDOR_OUI_BYTES == SFP_VENDOR_PN, "");
static_assert(SFP_VENDOR_PN + SFP_VENDOR_PN_BYTES == SFP_VENDOR_REV, "");
static_assert(SFP_VENDOR_REV + SFP_VENDOR_REV_BYTES == SFP_WAVELENGTH_NM, "");
static_assert(SFP_VENDOR_SN + SFP_VENDOR_SN_BYTES == SFP_DATE_CODE, "");
static_assert(SFP_DATE_CODE + SFP_DATE_CODE_BYTES == SFP_DIAGNOSTICS_TYPE, "");

static void fields_are_taken_and_placed(void **state)
{
  (void)state;
  assert_int_equal(HW_LOWEST(0x00003F00u), 0x100u);
  assert_int_equal(HW_LOWEST(0x80000000u), 0x80000000u);
  assert_int_equal(HW_GET(IXGBE_SRRCTL_BSIZEPACKET, IXGBE_SRRCTL_RESET), 2);
  assert_int_equal(HW_GET(IXGBE_SRRCTL_BSIZEHEADER, IXGBE_SRRCTL_RESET), 4);
  assert_int_equal(HW_GET(IXGBE_LINKS_SPEED, 0x70000000u), IXGBE_LINKS_SPEED_10G);
  assert_int_equal(HW_GET(0xFFFFFFFFu, 0x89ABCDEFu), 0x89ABCDEFu);
  assert_int_equal(HW_FIELD(IXGBE_AUTOC_LMS, IXGBE_LMS_10G_SERIAL_NO_AN), 3u << 13);
  assert_int_equal(HW_FIELD(IXGBE_EERD_ADDR, 0x4001u), 4); /* what does not fit is cut off */
  assert_int_equal(HW_SET(IXGBE_MAXFRS_MFS, 0x05EE1234u, 9018u), 0x233A1234u);
}

static void queues_lie_in_two_runs(void **state)
{
  (void)state;
  assert_int_equal(IXGBE_RDT(0), 0x01018);
  assert_int_equal(IXGBE_RDT(1), 0x01058);
  assert_int_equal(IXGBE_RDT(63), 0x01FD8);
  assert_int_equal(IXGBE_RDT(64), 0x0D018);
  assert_int_equal(IXGBE_RDT(127), 0x0DFD8);
  assert_int_equal(IXGBE_RDBAL(64), 0x0D000);
  assert_int_equal(IXGBE_RDLEN(127), 0x0DFC8);
  assert_int_equal(IXGBE_RXDCTL(63), 0x01FE8);
  assert_int_equal(IXGBE_RXDCTL(64), 0x0D028);
  assert_int_equal(IXGBE_RSCCTL(127), 0x0DFEC);
  assert_int_equal(IXGBE_SRRCTL(15), 0x013D4);
  assert_int_equal(IXGBE_SRRCTL(16), 0x01414);
  assert_int_equal(IXGBE_SRRCTL(64), 0x0D014);
  assert_int_equal(IXGBE_SRRCTL_ALIAS(0), 0x02100);
  assert_int_equal(IXGBE_SRRCTL_ALIAS(15), 0x0213C);
  assert_int_equal(IXGBE_DCA_RXCTRL(16), 0x0140C);
  assert_int_equal(IXGBE_DCA_RXCTRL_ALIAS(15), 0x0223C);
  assert_int_equal(IXGBE_TDT(0), 0x06018);
  assert_int_equal(IXGBE_TDT(64), 0x07018);
  assert_int_equal(IXGBE_TDT(127), 0x07FD8);
  assert_int_equal(IXGBE_TDWBAH(127), 0x07FFC);
}

static void an_argument_is_an_expression(void **state)
{
  (void)state;
  unsigned q = 60;
  assert_int_equal(IXGBE_RDT(q + 3), 0x01FD8);
  assert_int_equal(IXGBE_RDT(q + 4), 0x0D018);
  assert_int_equal(IXGBE_EITR(q - 37), 0x0087C);
  assert_int_equal(IXGBE_IVAR_RX_SHIFT(q | 1), 16);
  assert_int_equal(IXGBE_PFVFLRE(q & 1), 0x00600);
}

static void interrupts_at_their_edges(void **state)
{
  (void)state;
  assert_int_equal(IXGBE_EITR(0), 0x00820);
  assert_int_equal(IXGBE_EITR(23), 0x0087C);
  assert_int_equal(IXGBE_EITR(24), 0x12300);
  assert_int_equal(IXGBE_EITR(128), 0x124A0);
  assert_int_equal(IXGBE_IVAR_OF_QUEUE(0), 0x00900);
  assert_int_equal(IXGBE_IVAR_OF_QUEUE(1), 0x00900);
  assert_int_equal(IXGBE_IVAR_OF_QUEUE(127), 0x009FC);
  assert_int_equal(IXGBE_IVAR_RX_SHIFT(0), 0);
  assert_int_equal(IXGBE_IVAR_TX_SHIFT(0), 8);
  assert_int_equal(IXGBE_IVAR_RX_SHIFT(1), 16);
  assert_int_equal(IXGBE_IVAR_TX_SHIFT(127), 24);
  assert_int_equal(IXGBE_EIMS_EX(1), 0x00AA4);
  assert_int_equal(IXGBE_EIAM_EX(1), 0x00AD4);
  assert_int_equal(IXGBE_PBACL(7), 0x110DC);
  assert_int_equal(IXGBE_GSCL(4), 0x1101C);
  assert_int_equal(IXGBE_GSCN(0), 0x11020);
  assert_int_equal(IXGBE_GSCL(5), 0x11030);
}

static void filters_at_their_edges(void **state)
{
  (void)state;
  assert_int_equal(IXGBE_RAL(0), 0x0A200);
  assert_int_equal(IXGBE_RAH(15), 0x0A27C);
  assert_int_equal(IXGBE_RAL(127), 0x0A5F8);
  assert_int_equal(IXGBE_RAL_ALIAS(15), 0x05478);
  assert_int_equal(IXGBE_RAH_ALIAS(0), 0x05404);
  assert_int_equal(IXGBE_MPSAR_LO(0), IXGBE_RAH(127) + 4);
  assert_int_equal(IXGBE_PSRTYPE(63), 0x0EAFC);
  assert_int_equal(IXGBE_PSRTYPE_ALIAS(0), IXGBE_RAH_ALIAS(15) + 4);
  assert_int_equal(IXGBE_MTA(IXGBE_MTA_DWORDS), IXGBE_RAL_ALIAS(0));
  assert_int_equal(IXGBE_VFTA(IXGBE_VFTA_DWORDS), IXGBE_RAL(0));
  assert_int_equal(IXGBE_RETA(32), IXGBE_RSSRK(0));
  assert_int_equal(IXGBE_RETA_ENTRY(127), 0x0F000000);
  assert_int_equal(IXGBE_DAQF(0), IXGBE_SAQF(IXGBE_FTQF_FILTERS));
  assert_int_equal(IXGBE_SDPQF(0), IXGBE_DAQF(IXGBE_FTQF_FILTERS));
  assert_int_equal(IXGBE_FTQF(0), IXGBE_SDPQF(IXGBE_FTQF_FILTERS));
  assert_int_equal(IXGBE_L34TIMIR(0), IXGBE_FTQF(IXGBE_FTQF_FILTERS));
  assert_int_equal(IXGBE_PFVFLRE(0), 0x00600);
  assert_int_equal(IXGBE_PFVFLRE(1), 0x001C0);
}

/* A descriptor's fields fill their dword without overlap. */
static void descriptor_fields_tile(void **state)
{
  (void)state;
  const uint32_t info[] = {IXGBE_RXD_RSS_TYPE, IXGBE_RXD_PACKET_TYPE, IXGBE_RXD_RSCCNT,
                           IXGBE_RXD_HDR_LEN, IXGBE_RXD_SPH};
  const uint32_t context[] = {IXGBE_TXC_IPLEN, IXGBE_TXC_MACLEN, IXGBE_TXC_VLAN};
  uint32_t sum = 0;
  for (size_t i = 0; i < sizeof info / sizeof *info; i++) {
    assert_int_equal(sum & info[i], 0);
    sum |= info[i];
  }
  assert_int_equal(sum, 0xFFFFFFFFu);
  sum = 0;
  for (size_t i = 0; i < sizeof context / sizeof *context; i++) {
    assert_int_equal(sum & context[i], 0);
    sum |= context[i];
  }
  assert_int_equal(sum, 0xFFFFFFFFu);
  assert_int_equal(IXGBE_TXD_PAYLEN >> IXGBE_TXD_PAYLEN_SHIFT << IXGBE_TXD_PAYLEN_SHIFT,
                   IXGBE_TXD_PAYLEN);
  assert_int_equal(HW_LOWEST(IXGBE_TXC_MSS), 1u << IXGBE_TXC_MSS_SHIFT);
  assert_int_equal(HW_LOWEST(IXGBE_TXC_L4LEN), 1u << IXGBE_TXC_L4LEN_SHIFT);
  assert_int_equal(HW_LOWEST(IXGBE_TXC_MACLEN), 1u << IXGBE_TXC_MACLEN_SHIFT);
  assert_int_equal(HW_LOWEST(IXGBE_RXD_HDR_LEN), 1u << IXGBE_RXD_HDR_LEN_SHIFT);
}

static void a_store_of_the_upper_half_publishes_done_and_length(void **state)
{
  (void)state;
  union ixgbe_rx_desc desc = {.read = {.packet_address = 1, .header_address = 0}};
  desc.quad[1] = 0x0064004000000003u;
  assert_true(desc.wb.status_error & IXGBE_RXD_STAT_DD);
  assert_true(desc.wb.status_error & IXGBE_RXD_STAT_EOP);
  assert_int_equal(desc.wb.length, 64);
  assert_int_equal(desc.wb.vlan, 100);
}

struct counter {
  const char *name;
  uint32_t low, high;
  unsigned width;
};

#define MAC_COUNTER(name, low, high, width, what) {#name, low, high, width},
#define TC_COUNTER(name, low, width, what)        {#name, low, IXGBE_NO_HIGH, width},
#define QUEUE_COUNTER(name, low, low_stride, high, high_stride, width, what)                       \
  {#name, low, high, width},
static const struct counter counters[] = {IXGBE_STATISTICS(MAC_COUNTER) IXGBE_TC_STATISTICS(
    TC_COUNTER) IXGBE_QUEUE_STATISTICS(QUEUE_COUNTER)};
#define COUNTERS (sizeof counters / sizeof *counters)

static int compare_offsets(const void *a, const void *b)
{
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static void no_two_counters_share_a_register(void **state)
{
  (void)state;
  uint32_t offsets[2 * COUNTERS];
  size_t n = 0;
  for (size_t i = 0; i < COUNTERS; i++) {
    offsets[n++] = counters[i].low;
    if (counters[i].high != IXGBE_NO_HIGH)
      offsets[n++] = counters[i].high;
  }
  qsort(offsets, n, sizeof *offsets, compare_offsets);
  for (size_t i = 0; i < n; i++) {
    assert_true(offsets[i] % 4 == 0 && offsets[i] < IXGBE_BAR_REGISTERS_BYTES);
    assert_true(i == 0 || offsets[i] != offsets[i - 1]);
  }
}

static void a_wide_counter_has_a_high_register(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNTERS; i++) {
    const struct counter *c = &counters[i];
    if (c->high == IXGBE_NO_HIGH ? c->width > 32 : c->width <= 32 || c->high != c->low + 4)
      fail_msg("%s: width %u, high at %#x", c->name, c->width, c->high);
  }
}

#define QUEUE_LOW(name, low, low_stride, high, high_stride, width, what)                           \
  static uint32_t name##_at(unsigned n)                                                            \
  {                                                                                                \
    return (low) + (low_stride)*n;                                                                 \
  }
IXGBE_QUEUE_STATISTICS(QUEUE_LOW)

static void lists_agree_with_single_names(void **state)
{
  (void)state;
  const unsigned last = IXGBE_STATISTICS_QUEUES - 1;
  assert_int_equal(QPRC_at(last), IXGBE_QPRC(last));
  assert_int_equal(QPRDC_at(last), IXGBE_QPRDC(last));
  assert_int_equal(QBRC_at(last), IXGBE_QBRC_L(last));
  assert_int_equal(QPTC_at(last), IXGBE_QPTC(last));
  assert_int_equal(QBTC_at(last), IXGBE_QBTC_L(last));
  assert_int_equal(IXGBE_QPTC_ALIAS(last), 0x086BC);
  assert_true(IXGBE_QPRC(last) < IXGBE_QPRDC(0));
  assert_int_equal(IXGBE_QBTC_H(last), 0x0877C);
  assert_int_equal(IXGBE_QSM_SET(6), 0x000F0000);
}

/* An alias that is another's register, or its own, would make a device model loop or lose writes.
 */
static void aliases_lead_to_registers(void **state)
{
  (void)state;
#define ALIAS(name, alias, alias_stride, to, stride, count)                                        \
  {alias, alias_stride, to, stride, count},
  const struct {
    uint32_t alias, alias_stride, to, stride, count;
  } map[] = {IXGBE_ALIASES(ALIAS)};
  const size_t n = sizeof map / sizeof *map;
  for (size_t i = 0; i < n; i++) {
    const uint32_t last = map[i].alias + map[i].alias_stride * (map[i].count - 1);
    for (size_t j = 0; j < n; j++) {
      for (uint32_t k = 0; k < map[j].count; k++) {
        const uint32_t target = map[j].to + map[j].stride * k;
        assert_false(target >= map[i].alias && target <= last);
      }
      const uint32_t other = map[j].alias + map[j].alias_stride * (map[j].count - 1);
      assert_true(i == j || last < map[j].alias || other < map[i].alias);
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fields_are_taken_and_placed),
      cmocka_unit_test(queues_lie_in_two_runs),
      cmocka_unit_test(an_argument_is_an_expression),
      cmocka_unit_test(interrupts_at_their_edges),
      cmocka_unit_test(filters_at_their_edges),
      cmocka_unit_test(descriptor_fields_tile),
      cmocka_unit_test(a_store_of_the_upper_half_publishes_done_and_length),
      cmocka_unit_test(no_two_counters_share_a_register),
      cmocka_unit_test(a_wide_counter_has_a_high_register),
      cmocka_unit_test(lists_agree_with_single_names),
      cmocka_unit_test(aliases_lead_to_registers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
