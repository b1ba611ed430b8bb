/* SPDX-License-Identifier: BSD-2-Clause */
/* The EEPROM (datasheet chapter 6): its contents, and the two ways to it, EERD and the SPI port in
 * EEC (8.2.3.2). What a driver writes to it lasts until the twin is destroyed. */
#include <string.h>

#include "hw/ixgbe_eeprom.h"
#include "twin/ixgbe/ixgbe.h"

#define EEPROM_WORDS (sizeof(((struct twin_ixgbe *)0)->eeprom) / sizeof(uint16_t))
#define SIZE_FIELD   8u /* 2^(8 + 6) words */
_Static_assert(EEPROM_WORDS == 1u << (SIZE_FIELD + IXGBE_EEC_SIZE_BIAS), "EEC.SIZE says how many");
_Static_assert(EEPROM_WORDS - 1 == IXGBE_EERD_ADDR >> 2, "EERD reaches all of it, and no more");

#define IMAGE_VERSION    0x3001u
#define ETRACK_ID        0x800000A5u
#define FIRMWARE_VERSION (IXGBE_EEPROM_FW_VERSION_MIN + 1)
#define CONTROL_1        HW_FIELD(IXGBE_EEPROM_SIGNATURE, IXGBE_EEPROM_SIGNATURE_VALID)
/* Device capabilities (word 0x2C): any module will do, and nothing is to be written to it. */
#define DEVICE_CAPS (IXGBE_EEPROM_CAPS_ALLOW_ANY_SFP | IXGBE_EEPROM_CAPS_NO_CROSSTALK_WR)
#define PBA_TEXT    "SHUNT-8259900"

/* ---- Contents ---- */

/* Sections are laid one behind the other from the end of the header on. */
struct layout {
  uint16_t *words;
  uint16_t next;
};

static uint16_t section_begin(struct layout *layout, unsigned pointer)
{
  layout->words[pointer] = layout->next;
  return layout->next;
}

static void section_put(struct layout *layout, uint16_t word)
{
  layout->words[layout->next++] = word;
}

/* A section of the header's first pointers: its length in words, then they. */
static void section_build(struct layout *layout, unsigned pointer, const uint16_t words[],
                          uint16_t n)
{
  section_begin(layout, pointer);
  section_put(layout, n);
  for (unsigned i = 0; i < n; i++)
    section_put(layout, words[i]);
}

/* Where hardware takes the port's address from (6.3.7). */
static void core_build(struct layout *layout, const uint8_t mac[6])
{
  uint16_t words[3];
  for (unsigned i = 0; i < 3; i++)
    words[i] = (uint16_t)(mac[2 * i] | mac[2 * i + 1] << 8);
  section_build(layout, IXGBE_EEPROM_CORE0, words, 3);
}

/* A length that counts itself, then two characters a word. */
static void pba_build(struct layout *layout)
{
  static const char text[] = PBA_TEXT;
  const uint16_t n = (uint16_t)(sizeof(text) / 2);
  layout->words[IXGBE_EEPROM_PBA0] = IXGBE_EEPROM_PBA_GUARD;
  section_begin(layout, IXGBE_EEPROM_PBA1);
  section_put(layout, (uint16_t)(n + 1));
  for (unsigned i = 0; i < n; i++)
    section_put(layout, (uint16_t)((uint8_t)text[2 * i] << 8 | (uint8_t)text[2 * i + 1]));
}

/* The list names for each type of module a sequence of values for the analog block. */
static void sfp_build(struct layout *layout)
{
  static const uint16_t types[] = {IXGBE_SFP_TYPE_DA_CU_CORE0, IXGBE_SFP_TYPE_DA_CU_CORE1,
                                   IXGBE_SFP_TYPE_SRLR_CORE0, IXGBE_SFP_TYPE_SRLR_CORE1};
  static const uint16_t analog_values[] = {0x0B1C, 0x0C0A};
  const unsigned type_count = sizeof(types) / sizeof(types[0]);
  uint16_t at = section_begin(layout, IXGBE_EEPROM_SFP_INIT);
  uint16_t *list = layout->words + at;
  layout->next = (uint16_t)(at + 1 + 2 * type_count + 1);
  list[0] = (uint16_t)(2 * type_count);
  for (unsigned i = 0; i < type_count; i++) {
    list[1 + 2 * i] = types[i];
    list[2 + 2 * i] = layout->next;
    section_put(layout, 0); /* skipped by drivers */
    for (unsigned j = 0; j < sizeof(analog_values) / sizeof(analog_values[0]); j++)
      section_put(layout, analog_values[j]);
    section_put(layout, IXGBE_EEPROM_SFP_END);
  }
  list[1 + 2 * type_count] = IXGBE_EEPROM_SFP_END;
}

/* [FIRMWARE] -> word 4 -> word 7: a version that Linux takes. No LESM. */
static void firmware_build(struct layout *layout)
{
  uint16_t block = section_begin(layout, IXGBE_EEPROM_FIRMWARE);
  layout->next = (uint16_t)(block + 16);
  memset(layout->words + block, 0xFF, 16 * sizeof(uint16_t));
  uint16_t patch = section_begin(layout, block + IXGBE_EEPROM_FW_PATCH_POINTER);
  layout->next = (uint16_t)(patch + 16);
  memset(layout->words + patch, 0, 16 * sizeof(uint16_t));
  layout->words[patch + IXGBE_EEPROM_FW_PATCH_VERSION] = FIRMWARE_VERSION;
}

/* What must be added for the sum to come out (6.2.10). */
static uint16_t checksum_of(const uint16_t words[])
{
  uint16_t sum = 0;
  for (unsigned i = 0; i < IXGBE_EEPROM_CHECKSUM; i++)
    sum = (uint16_t)(sum + words[i]);
  for (unsigned i = IXGBE_EEPROM_SECTION_FIRST; i <= IXGBE_EEPROM_SECTION_LAST; i++) {
    uint16_t at = words[i];
    if (at == 0 || at == IXGBE_EEPROM_NO_POINTER)
      continue;
    for (unsigned j = 1; j <= words[at]; j++)
      sum = (uint16_t)(sum + words[at + j]);
  }
  return (uint16_t)(IXGBE_EEPROM_SUM - sum);
}

void twin_ixgbe_eeprom_build(struct twin_ixgbe *twin)
{
  static const uint16_t analog[] = {0x0001, 0x0002}, general[] = {0x0000, 0x0120, 0x0000};
  static const uint16_t mac[] = {0x0000, 0x0000, 0x0000};
  uint16_t *words = twin->eeprom;
  struct layout layout = {words, IXGBE_EEPROM_CHECKSUM + 1};
  memset(words, 0xFF, sizeof(twin->eeprom));
  words[IXGBE_EEPROM_CONTROL_1] = CONTROL_1;
  words[IXGBE_EEPROM_CONTROL_2] = 0;
  words[IXGBE_EEPROM_CONTROL_3] = 0;
  words[IXGBE_EEPROM_IMAGE_VERSION] = IMAGE_VERSION;
  words[IXGBE_EEPROM_ETRACK_LOW] = (uint16_t)ETRACK_ID;
  words[IXGBE_EEPROM_ETRACK_HIGH] = (uint16_t)(ETRACK_ID >> 16);
  words[IXGBE_EEPROM_DEVICE_CAPS] = DEVICE_CAPS;

  section_build(&layout, IXGBE_EEPROM_PCIE_ANALOG, analog, 2);
  section_build(&layout, IXGBE_EEPROM_CORE0_ANALOG, analog, 2);
  section_build(&layout, IXGBE_EEPROM_PCIE_GENERAL, general, 3);
  section_build(&layout, IXGBE_EEPROM_PCIE_CONFIG0, general, 3);
  core_build(&layout, twin->options.mac.bytes);
  section_build(&layout, IXGBE_EEPROM_MAC0, mac, 3);
  pba_build(&layout);
  firmware_build(&layout);
  if (twin->options.device_id == IXGBE_DEVICE_82599_SFP)
    sfp_build(&layout);
  words[IXGBE_EEPROM_FREE_SPACE] = layout.next;
  words[IXGBE_EEPROM_CHECKSUM] = checksum_of(words);
}

/* A pointer may be anything: drivers can write the EEPROM. */
void twin_ixgbe_eeprom_mac(const struct twin_ixgbe *twin, uint8_t mac[6])
{
  unsigned at = twin->eeprom[IXGBE_EEPROM_CORE0] + IXGBE_EEPROM_CORE_MAC;
  for (unsigned i = 0; i < 3; i++) {
    uint16_t word = twin->eeprom[(at + i) % EEPROM_WORDS];
    mac[2 * i] = (uint8_t)word;
    mac[2 * i + 1] = (uint8_t)(word >> 8);
  }
}

/* ---- EERD, EEWR: a word at a time, done at once (8.2.3.2.2) ---- */

uint32_t twin_ixgbe_eerd_write(struct twin_ixgbe *twin, uint32_t value)
{
  if (!(value & IXGBE_EERD_START))
    return value & ~IXGBE_EERD_DONE;
  uint16_t word = twin->eeprom[HW_GET(IXGBE_EERD_ADDR, value)];
  return (value & IXGBE_EERD_ADDR) | HW_FIELD(IXGBE_EERD_DATA, word) | IXGBE_EERD_DONE;
}

uint32_t twin_ixgbe_eewr_write(struct twin_ixgbe *twin, uint32_t value)
{
  if (!(value & IXGBE_EERD_START))
    return value & ~IXGBE_EERD_DONE;
  twin->eeprom[HW_GET(IXGBE_EERD_ADDR, value)] = (uint16_t)HW_GET(IXGBE_EERD_DATA, value);
  return (value & ~IXGBE_EERD_START) | IXGBE_EERD_DONE;
}

/* ---- EEC: the part's SPI port, bit by bit (8.2.3.2.1) ---- */

static uint8_t eeprom_byte(const struct twin_ixgbe *twin, uint32_t address)
{
  uint16_t word = twin->eeprom[address / 2 % EEPROM_WORDS];
  return (uint8_t)(address % 2 ? word >> 8 : word);
}

/* The byte that goes out behind the bits that came in: of READ behind opcode and address. */
static uint8_t spi_next_byte(struct twin_ixgbe *twin)
{
  struct twin_ixgbe_spi *spi = &twin->spi;
  if (spi->opcode == IXGBE_SPI_READ && spi->bits >= 24)
    return eeprom_byte(twin, spi->address++);
  return 0; /* READ STATUS: neither busy nor protected */
}

/* The part takes a bit when the clock rises ... */
static void spi_rise(struct twin_ixgbe_spi *spi, bool bit)
{
  spi->in = (uint8_t)(spi->in << 1 | bit);
  spi->bits++;
  if (spi->bits == 8)
    spi->opcode = spi->in;
  if (spi->bits == 16 || spi->bits == 24)
    spi->address = (spi->address << 8 | spi->in) & 0xFFFF;
}

/* ... and gives the next when it falls. */
static void spi_fall(struct twin_ixgbe *twin)
{
  struct twin_ixgbe_spi *spi = &twin->spi;
  if (spi->bits % 8 == 0)
    spi->out = spi_next_byte(twin);
  spi->data_out = spi->out & 0x80;
  spi->out = (uint8_t)(spi->out << 1);
}

/* Chip select is low while the part listens; both low at power on does not select it: the port
 * works only for who asked for it and was granted it, at once, as no firmware wants it. */
static void spi_step(struct twin_ixgbe *twin, uint32_t old, uint32_t value)
{
  if ((value & IXGBE_EEC_CS) || !(value & IXGBE_EEC_REQ)) {
    memset(&twin->spi, 0, sizeof(twin->spi));
    return;
  }
  bool was_high = old & IXGBE_EEC_SK, is_high = value & IXGBE_EEC_SK;
  if (is_high && !was_high)
    spi_rise(&twin->spi, value & IXGBE_EEC_DI);
  if (was_high && !is_high && twin->spi.bits)
    spi_fall(twin);
}

uint32_t twin_ixgbe_eec_write(struct twin_ixgbe *twin, uint32_t value)
{
  const uint32_t written =
      IXGBE_EEC_SK | IXGBE_EEC_CS | IXGBE_EEC_DI | IXGBE_EEC_FWE | IXGBE_EEC_REQ;
  const uint32_t fixed = IXGBE_EEC_PRES | IXGBE_EEC_ARD | IXGBE_EEC_ADDR_SIZE |
                         HW_FIELD(IXGBE_EEC_SIZE, SIZE_FIELD) | IXGBE_EEC_PCI_ANA_DONE |
                         IXGBE_EEC_PCI_CORE_DONE | IXGBE_EEC_PCI_GEN_DONE;
  spi_step(twin, twin_ixgbe_get(twin, IXGBE_EEC), value);
  uint32_t state = (value & written) | fixed;
  if (value & IXGBE_EEC_REQ)
    state |= IXGBE_EEC_GNT;
  return twin->spi.data_out ? state | IXGBE_EEC_DO : state;
}
