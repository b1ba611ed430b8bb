/* SPDX-License-Identifier: BSD-2-Clause */
/* The module in the cage of an SFP+ port: what it is, and the analog settings that suit it.
 *
 * Its EEPROM hangs on a two-wire bus that software drives bit by bit through I2CCTL (datasheet
 * 8.2.3.1.5, 3.5.3.1); what its bytes mean is SFF-8472, table 4-1. The bus runs at no more than
 * 100 kHz; slower is allowed, so delays are lower bounds. */
#include <errno.h>
#include <string.h>

#include "hw/ixgbe_eeprom.h"
#include "hw/sfp.h"
#include "src/nic/ixgbe/ixgbe.h"

/* Half clock periods of 100 kHz, and how long a module may stretch the clock. */
#define LOW_US     5
#define HIGH_US    4
#define STRETCH_US 500
#define TRIES      3
/* Bounds for an EEPROM that holds rubbish. */
#define SETTINGS_MODULES_MOST 32u
#define SETTINGS_WORDS_MOST   64u

/* --- The bus: one line pulled low by either side, one clock ------------------------------------
 */

struct bus {
  struct ixgbe *ixgbe;
  uint32_t control; /* I2CCTL as written last */
};

/* Waiting counts from when the device has the write, so that is read back first. */
static void drive(struct bus *bus, uint32_t lines, unsigned us)
{
  bus->control = lines;
  ixgbe_write(bus->ixgbe, IXGBE_I2CCTL, bus->control);
  ixgbe_flush(bus->ixgbe);
  ixgbe_delay_us(bus->ixgbe, us);
}

/* A line that is there already is left alone: a message over vfio-user costs microseconds. */
static void set_data(struct bus *bus, bool high, unsigned us)
{
  uint32_t data = high ? IXGBE_I2CCTL_DATA_OUT : 0;
  if ((bus->control & IXGBE_I2CCTL_DATA_OUT) != data)
    drive(bus, (bus->control & ~IXGBE_I2CCTL_DATA_OUT) | data, us);
}

static void clock_low(struct bus *bus)
{
  drive(bus, bus->control & ~IXGBE_I2CCTL_CLK_OUT, LOW_US);
}

/* The module may hold the clock low until it is ready. Data is valid from the moment that it is
 * high: *data is the line in the same read. */
static int clock_high(struct bus *bus, bool *data)
{
  bus->control |= IXGBE_I2CCTL_CLK_OUT;
  ixgbe_write(bus->ixgbe, IXGBE_I2CCTL, bus->control);
  for (unsigned us = 0; us < STRETCH_US; us += 10) {
    uint32_t lines = ixgbe_read(bus->ixgbe, IXGBE_I2CCTL);
    *data = (lines & IXGBE_I2CCTL_DATA_IN) != 0;
    ixgbe_delay_us(bus->ixgbe, lines & IXGBE_I2CCTL_CLK_IN ? HIGH_US : 10);
    if (lines & IXGBE_I2CCTL_CLK_IN)
      return 0;
  }
  return -ETIMEDOUT;
}

static int start(struct bus *bus)
{
  bool data;
  set_data(bus, true, 1);
  int result = clock_high(bus, &data);
  set_data(bus, false, HIGH_US);
  clock_low(bus);
  return result;
}

static void stop(struct bus *bus)
{
  bool data;
  set_data(bus, false, 1);
  (void)clock_high(bus, &data);
  set_data(bus, true, LOW_US);
}

/* One bit: the data line is set while the clock is low and looked at while it is high. */
static int exchange(struct bus *bus, bool out, bool *in)
{
  set_data(bus, out, 1);
  int result = clock_high(bus, in);
  clock_low(bus);
  return result;
}

static int send_byte(struct bus *bus, uint8_t byte)
{
  bool line = false;
  int result = 0;
  for (unsigned bit = 0x80; bit && !result; bit >>= 1)
    result = exchange(bus, byte & bit, &line);
  if (!result)
    result = exchange(bus, true, &line); /* the module acknowledges by pulling low */
  return result ? result : line ? -ENXIO : 0;
}

/* We acknowledge all but the last. */
static int receive_byte(struct bus *bus, uint8_t *byte, bool is_last)
{
  bool line = false;
  int result = 0;
  *byte = 0;
  for (unsigned i = 0; i < 8 && !result; i++) {
    result = exchange(bus, true, &line);
    *byte = (uint8_t)(*byte << 1 | line);
  }
  return result ? result : exchange(bus, is_last, &line);
}

/* A sequential read (SFF-8472 refers to the AT24C01A): write the offset, start again, read. */
static int try_read(struct bus *bus, uint8_t offset, uint8_t bytes[], unsigned n)
{
  int result = start(bus);
  if (!result)
    result = send_byte(bus, SFP_I2C_ADDRESS);
  if (!result)
    result = send_byte(bus, offset);
  if (!result)
    result = start(bus);
  if (!result)
    result = send_byte(bus, SFP_I2C_ADDRESS | 1);
  for (unsigned i = 0; i < n && !result; i++)
    result = receive_byte(bus, &bytes[i], i + 1 == n);
  stop(bus);
  return result;
}

/* A module that lost count in the middle of a byte lets go of the line within nine clocks. */
static void clear_bus(struct bus *bus)
{
  bool line;
  for (unsigned i = 0; i < 9; i++)
    (void)exchange(bus, true, &line);
  stop(bus);
}

static int read_bytes(struct bus *bus, uint8_t offset, uint8_t bytes[], unsigned n)
{
  int result = 0;
  for (unsigned i = 0; i < TRIES; i++) {
    result = try_read(bus, offset, bytes, n);
    if (!result)
      return 0;
    clear_bus(bus);
  }
  return result;
}

/* --- What is in the cage -----------------------------------------------------------------------
 */

static int read_text(struct bus *bus, uint8_t offset, char text[17])
{
  uint8_t bytes[16];
  int result = read_bytes(bus, offset, bytes, sizeof(bytes));
  if (result)
    return result;
  for (unsigned i = 0; i < 16; i++)
    text[i] = bytes[i] >= 0x20 && bytes[i] < 0x7F ? (char)bytes[i] : ' ';
  for (unsigned end = 16; end && text[end - 1] == ' '; end--) /* padded with blanks */
    text[end - 1] = '\0';
  return 0;
}

static int read_module(struct bus *bus, struct ixgbe_module *module)
{
  uint8_t codes[SFP_FC_TECHNOLOGY + 1];
  int result = read_bytes(bus, 0, codes, sizeof(codes));
  if (!result)
    result = read_text(bus, SFP_VENDOR_NAME, module->vendor);
  if (!result)
    result = read_text(bus, SFP_VENDOR_PN, module->part);
  if (!result)
    result = read_text(bus, SFP_VENDOR_SN, module->serial);
  if (result)
    return result;
  module->identifier = codes[SFP_IDENTIFIER];
  module->codes_10g = codes[SFP_10G_CODES];
  module->codes_1g = codes[SFP_1G_CODES];
  module->cable = codes[SFP_FC_TECHNOLOGY];
  return 0;
}

/* In the order in which other drivers of the chip decide: cables before optics. */
static enum ixgbe_module_kind kind_of(const struct ixgbe_module *module)
{
  if (module->identifier != SFP_IDENTIFIER_SFP)
    return IXGBE_MODULE_UNKNOWN;
  if (module->cable & SFP_PASSIVE_CABLE)
    return IXGBE_MODULE_DA_PASSIVE;
  if (module->cable & SFP_ACTIVE_CABLE)
    return IXGBE_MODULE_DA_ACTIVE;
  if (module->codes_10g & SFP_10G_SR)
    return IXGBE_MODULE_SR;
  if (module->codes_10g & SFP_10G_LR)
    return IXGBE_MODULE_LR;
  return module->codes_1g & (SFP_1G_SX | SFP_1G_LX | SFP_1G_T) ? IXGBE_MODULE_1G
                                                               : IXGBE_MODULE_UNKNOWN;
}

const char *ixgbe_module_name(enum ixgbe_module_kind kind)
{
  switch (kind) {
  case IXGBE_MODULE_DA_PASSIVE:
    return "10GBASE-CR (SFP+ direct attach)";
  case IXGBE_MODULE_DA_ACTIVE:
    return "10GBASE-CR (SFP+ active direct attach)";
  case IXGBE_MODULE_SR:
    return "10GBASE-SR (SFP+ optics)";
  case IXGBE_MODULE_LR:
    return "10GBASE-LR (SFP+ optics)";
  case IXGBE_MODULE_1G:
    return "1000BASE-X or -T (SFP)";
  case IXGBE_MODULE_NONE:
  case IXGBE_MODULE_UNREADABLE:
  case IXGBE_MODULE_UNKNOWN:
    break;
  }
  return "SFP+";
}

/* SDP2 says whether the cage is full, as boards are wired by the reference design; a module that
 * answers is believed whatever the pin says. */
int ixgbe_sfp_identify(struct ixgbe *ixgbe, struct shunt_error *error)
{
  uint32_t phy = ixgbe->lan ? IXGBE_SYNC_PHY1 : IXGBE_SYNC_PHY0;
  int result = ixgbe_acquire(ixgbe, phy, error);
  if (result)
    return result;
  struct ixgbe_module module = {.kind = IXGBE_MODULE_NONE,
                                .pin = ixgbe_read(ixgbe, IXGBE_ESDP) & IXGBE_ESDP_SFP_PRESENT,
                                .read_ns = shunt_clock_now_ns(ixgbe->pci->clock)};
  struct bus bus = {.ixgbe = ixgbe};
  drive(&bus, IXGBE_I2CCTL_CLK_OUT | IXGBE_I2CCTL_DATA_OUT, HIGH_US);
  if (!read_module(&bus, &module))
    module.kind = kind_of(&module);
  else if (module.pin)
    module.kind = IXGBE_MODULE_UNREADABLE;
  ixgbe_release(ixgbe, phy);
  ixgbe->module = module;
  return 0;
}

/* --- Analog settings ----------------------------------------------------------------------------
 */

/* How the EEPROM's list numbers modules: a number for each kind and port. Active cables and 1G
 * modules take the settings of optics. */
static uint16_t type_in_list(const struct ixgbe *ixgbe)
{
  if (ixgbe->module.kind == IXGBE_MODULE_DA_PASSIVE)
    return ixgbe->lan ? IXGBE_SFP_TYPE_DA_CU_CORE1 : IXGBE_SFP_TYPE_DA_CU_CORE0;
  return ixgbe->lan ? IXGBE_SFP_TYPE_SRLR_CORE1 : IXGBE_SFP_TYPE_SRLR_CORE0;
}

/* The list: one word to skip, then pairs of number and pointer. *data stays 0 where the module is
 * not in it. */
static int find_settings(struct ixgbe *ixgbe, uint16_t *data, struct shunt_error *error)
{
  uint16_t list, pair[2];
  int result = ixgbe_eeprom_read(ixgbe, IXGBE_EEPROM_SFP_INIT, &list, 1, error);
  if (result || list == 0 || list == IXGBE_EEPROM_SFP_END)
    return result;
  for (unsigned i = 0; i < SETTINGS_MODULES_MOST; i++) {
    result = ixgbe_eeprom_read(ixgbe, (uint16_t)(list + 1 + 2 * i), pair, 2, error);
    if (result || pair[0] == IXGBE_EEPROM_SFP_END)
      return result;
    if (pair[0] == type_in_list(ixgbe)) {
      *data = pair[1] == IXGBE_EEPROM_SFP_END ? 0 : pair[1];
      return 0;
    }
  }
  return 0;
}

static unsigned settings_length(const uint16_t words[], unsigned n)
{
  unsigned length = 0;
  while (length < n && words[length] != IXGBE_EEPROM_SFP_END)
    length++;
  return length;
}

/* 8.2.3.22: each word is an analog register's number and value, for CORECTL as it stands. */
int ixgbe_sfp_tune(struct ixgbe *ixgbe, struct shunt_error *error)
{
  uint16_t data = 0, words[SETTINGS_WORDS_MOST];
  int result = find_settings(ixgbe, &data, error);
  if (result || !data)
    return result;
  result = ixgbe_eeprom_read(ixgbe, (uint16_t)(data + 1), words, SETTINGS_WORDS_MOST, error);
  if (result)
    return result;
  unsigned n = settings_length(words, SETTINGS_WORDS_MOST);
  if (n == SETTINGS_WORDS_MOST) {
    shunt_log_write(ixgbe->pci->log, SHUNT_LOG_WARNING,
                    "%s: the EEPROM's settings for the module have no end: not loaded",
                    ixgbe->pci->address);
    return 0;
  }
  result = ixgbe_acquire(ixgbe, IXGBE_SYNC_MAC_CSR, error);
  if (result)
    return result;
  for (unsigned i = 0; i < n; i++) {
    ixgbe_write(ixgbe, IXGBE_CORECTL, words[i]);
    ixgbe_flush(ixgbe);
    ixgbe_delay_us(ixgbe, 10);
  }
  ixgbe_release(ixgbe, IXGBE_SYNC_MAC_CSR);
  return 0;
}
