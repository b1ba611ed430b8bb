/* SPDX-License-Identifier: BSD-2-Clause */
/* The module in the SFP+ cage: its identification (SFF-8472) and its side of the I2C bus that
 * software drives bit by bit through I2CCTL (datasheet 8.2.3.1.5). */
#include "hw/sfp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "twin/ixgbe/ixgbe.h"

#define VENDOR        "SHUNT"
#define COPPER_PART   "TWIN-DAC-1M"
#define OPTICAL_PART  "TWIN-SR"
#define SERIAL        "TWIN00000001"
#define DATE_CODE     "260101"
#define COMPLIANCE_12 0x08u /* SFF-8472 revision 12.x (table 8-8) */
#define RATE_10G      103u  /* 10.3 GBd */
#define CALIBRATED    0x28u /* diagnostics: internally calibrated, average power (table 8-5) */
#define WAVELENGTH_NM 850u
#define OM3_300M      30u /* in units of 10 m */

/* Diagnostics page A2h (tables 9-5, 9-11): thresholds begin at 0, live values at 96. */
#define LIVE_TEMPERATURE  96u  /* 1/256 degree */
#define LIVE_VOLTAGE      98u  /* 100 uV */
#define LIVE_BIAS         100u /* 2 uA */
#define LIVE_TX_POWER     102u /* 0.1 uW */
#define LIVE_RX_POWER     104u
#define CHECK_DIAGNOSTICS 95u /* of bytes 0-94 */

/* ---- Contents ---- */

static void put_text(uint8_t *at, unsigned bytes, const char *text)
{
  size_t length = strlen(text);
  memset(at, ' ', bytes);
  memcpy(at, text, length < bytes ? length : bytes);
}

static void put_16(uint8_t *at, unsigned value)
{
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static uint8_t sum_of(const uint8_t *page, unsigned first, unsigned last)
{
  unsigned sum = 0;
  for (unsigned i = first; i <= last; i++)
    sum += page[i];
  return (uint8_t)sum;
}

static void copper_build(uint8_t *page)
{
  page[SFP_CONNECTOR] = SFP_CONNECTOR_COPPER_PIGTAIL;
  page[SFP_FC_TECHNOLOGY] = SFP_PASSIVE_CABLE;
  page[SFP_LENGTH_COPPER_M] = 1;
  page[SFP_CABLE_COMPLIANCE] = SFP_PASSIVE_SFF_8431;
  put_text(page + SFP_VENDOR_PN, SFP_VENDOR_PN_BYTES, COPPER_PART);
}

static void optical_build(uint8_t *page)
{
  page[SFP_CONNECTOR] = SFP_CONNECTOR_LC;
  page[SFP_10G_CODES] = SFP_10G_SR;
  page[SFP_ENCODING] = SFP_ENCODING_64B66B;
  page[SFP_LENGTH_OM3_10M] = OM3_300M;
  put_16(page + SFP_WAVELENGTH_NM, WAVELENGTH_NM);
  page[SFP_DIAGNOSTICS_TYPE] = SFP_DIAGNOSTICS_IMPLEMENTED | CALIBRATED;
  put_text(page + SFP_VENDOR_PN, SFP_VENDOR_PN_BYTES, OPTICAL_PART);
}

/* Each value with alarm and warning limits around it, high before low (table 9-5). */
static void diagnostics_build(uint8_t *page)
{
  static const struct {
    uint8_t live;
    uint16_t value, high_alarm, low_alarm, high_warning, low_warning;
  } values[] = {
      {LIVE_TEMPERATURE, 35 << 8, 75 << 8, 0, 70 << 8, 5 << 8},
      {LIVE_VOLTAGE, 33000, 36300, 29700, 34650, 31350},
      {LIVE_BIAS, 3000, 6000, 1000, 5500, 1250},
      {LIVE_TX_POWER, 5623, 10000, 1585, 7943, 1995},
      {LIVE_RX_POWER, 5012, 10000, 646, 7943, 1023},
  };
  for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
    put_16(page + 8 * i, values[i].high_alarm);
    put_16(page + 8 * i + 2, values[i].low_alarm);
    put_16(page + 8 * i + 4, values[i].high_warning);
    put_16(page + 8 * i + 6, values[i].low_warning);
    put_16(page + values[i].live, values[i].value);
  }
  page[CHECK_DIAGNOSTICS] = sum_of(page, 0, CHECK_DIAGNOSTICS - 1);
}

void twin_ixgbe_sfp_build(struct twin_ixgbe *twin)
{
  static const uint8_t oui[SFP_VENDOR_OUI_BYTES] = {0x02, 0x82, 0x59}; /* locally administered */
  uint8_t *page = twin->sfp_a0;
  memset(page, 0, sizeof(twin->sfp_a0));
  memset(twin->sfp_a2, 0, sizeof(twin->sfp_a2));
  page[SFP_IDENTIFIER] = SFP_IDENTIFIER_SFP;
  page[SFP_EXT_IDENTIFIER] = SFP_EXT_IDENTIFIER_TWO_WIRE;
  page[SFP_SIGNALING_RATE] = RATE_10G;
  put_text(page + SFP_VENDOR_NAME, SFP_VENDOR_NAME_BYTES, VENDOR);
  memcpy(page + SFP_VENDOR_OUI, oui, sizeof(oui));
  put_text(page + SFP_VENDOR_REV, SFP_VENDOR_REV_BYTES, "A");
  put_text(page + SFP_VENDOR_SN, SFP_VENDOR_SN_BYTES, SERIAL);
  put_text(page + SFP_DATE_CODE, SFP_DATE_CODE_BYTES, DATE_CODE);
  page[SFP_SFF_8472_COMPLIANCE] = COMPLIANCE_12;
  if (twin->options.module == SHUNT_TWIN_MODULE_SR) {
    optical_build(page);
    diagnostics_build(twin->sfp_a2);
  } else {
    copper_build(page);
  }
  page[SFP_CC_BASE] = sum_of(page, 0, SFP_CC_BASE - 1);
  page[SFP_CC_EXT] = sum_of(page, SFP_OPTIONS, SFP_CC_EXT - 1);
}

/* ---- The bus ---- */

enum i2c_state {
  I2C_IDLE,    /* until a start */
  I2C_ADDRESS, /* eight bits of device address come in */
  I2C_OFFSET,  /* then the byte offset, of a write */
  I2C_WRITE,   /* then data, which a read-only part takes and forgets */
  I2C_READ,    /* eight bits go out */
};

struct twin_ixgbe_i2c {
  enum i2c_state state;
  bool clock, data; /* as the driver drives them */
  bool holds_low;   /* the module pulls data */
  bool is_ack;      /* the ninth clock of a byte */
  bool is_sending;  /* that byte went out */
  bool is_acked;    /* what the driver said in it, of a read */
  unsigned bits;    /* of the present byte */
  uint8_t shift;
  uint8_t offset; /* the next byte to read; wraps, as in the part */
  const uint8_t *page;
};

/* The page behind a device address, or NULL: no acknowledge. */
static const uint8_t *page_at(const struct twin_ixgbe *twin, uint8_t address)
{
  if (twin->options.device_id != IXGBE_DEVICE_82599_SFP ||
      twin->options.module == SHUNT_TWIN_MODULE_NONE)
    return NULL;
  if ((address & ~1u) == SFP_I2C_ADDRESS)
    return twin->sfp_a0;
  bool has_diagnostics = twin->options.module == SHUNT_TWIN_MODULE_SR;
  return (address & ~1u) == SFP_I2C_ADDRESS_DIAGNOSTICS && has_diagnostics ? twin->sfp_a2 : NULL;
}

static void i2c_start(struct twin_ixgbe_i2c *i2c)
{
  i2c->state = I2C_ADDRESS;
  i2c->bits = 0;
  i2c->is_ack = false;
  i2c->holds_low = false;
}

static void i2c_stop(struct twin_ixgbe_i2c *i2c)
{
  i2c->state = I2C_IDLE;
  i2c->holds_low = false;
}

/* A byte has come in whole: what it was decides what the next one is. False: not acknowledged. */
static bool i2c_take(struct twin_ixgbe *twin, uint8_t byte)
{
  struct twin_ixgbe_i2c *i2c = twin->i2c;
  switch (i2c->state) {
  case I2C_ADDRESS:
    i2c->page = page_at(twin, byte);
    if (!i2c->page)
      return false;
    i2c->state = byte & 1 ? I2C_READ : I2C_OFFSET;
    return true;
  case I2C_OFFSET:
    i2c->offset = byte;
    i2c->state = I2C_WRITE;
    return true;
  default:
    return true;
  }
}

static void i2c_send_bit(struct twin_ixgbe_i2c *i2c)
{
  i2c->holds_low = !(i2c->shift & 0x80);
  i2c->shift = (uint8_t)(i2c->shift << 1);
}

static void i2c_send_byte(struct twin_ixgbe_i2c *i2c)
{
  i2c->shift = i2c->page[i2c->offset++];
  i2c_send_bit(i2c);
}

/* Data is taken while the clock is high. */
static void i2c_rise(struct twin_ixgbe_i2c *i2c)
{
  if (i2c->state == I2C_IDLE)
    return;
  if (i2c->is_ack) {
    i2c->is_acked = !i2c->data;
    return;
  }
  if (i2c->state != I2C_READ)
    i2c->shift = (uint8_t)(i2c->shift << 1 | i2c->data);
  i2c->bits++;
}

/* The ninth clock is over: the next byte begins, in the direction that the state says. */
static void i2c_ack_ends(struct twin_ixgbe_i2c *i2c)
{
  i2c->is_ack = false;
  i2c->bits = 0;
  i2c->holds_low = false;
  if (i2c->state != I2C_READ)
    return;
  if (i2c->is_sending && !i2c->is_acked)
    i2c_stop(i2c); /* the driver has enough */
  else
    i2c_send_byte(i2c);
}

/* Data changes while the clock is low. */
static void i2c_fall(struct twin_ixgbe *twin)
{
  struct twin_ixgbe_i2c *i2c = twin->i2c;
  if (i2c->state == I2C_IDLE)
    return;
  if (i2c->is_ack) {
    i2c_ack_ends(i2c);
    return;
  }
  if (i2c->bits < 8) {
    if (i2c->state == I2C_READ && i2c->bits)
      i2c_send_bit(i2c);
    return;
  }
  i2c->is_ack = true;
  i2c->is_sending = i2c->state == I2C_READ;
  if (i2c->is_sending) {
    i2c->holds_low = false; /* the driver's turn to acknowledge */
    return;
  }
  i2c->holds_low = i2c_take(twin, i2c->shift);
  if (!i2c->holds_low)
    i2c_stop(i2c);
}

static void i2c_lines(struct twin_ixgbe *twin, bool clock, bool data)
{
  struct twin_ixgbe_i2c *i2c = twin->i2c;
  bool was_clock = i2c->clock, was_data = i2c->data;
  i2c->clock = clock;
  i2c->data = data;
  if (was_clock && clock && was_data != data) {
    if (data)
      i2c_stop(i2c);
    else
      i2c_start(i2c);
    return;
  }
  if (!was_clock && clock)
    i2c_rise(i2c);
  if (was_clock && !clock)
    i2c_fall(twin);
}

/* ---- I2CCTL ---- */

uint32_t twin_ixgbe_i2cctl_write(struct twin_ixgbe *twin, uint32_t value)
{
  i2c_lines(twin, value & IXGBE_I2CCTL_CLK_OUT, value & IXGBE_I2CCTL_DATA_OUT);
  return value & (IXGBE_I2CCTL_CLK_OUT | IXGBE_I2CCTL_DATA_OUT);
}

/* IN shows the wires: low where either side pulls. The module never stretches the clock. */
uint32_t twin_ixgbe_i2cctl_read(struct twin_ixgbe *twin)
{
  const struct twin_ixgbe_i2c *i2c = twin->i2c;
  uint32_t value = twin_ixgbe_get(twin, IXGBE_I2CCTL);
  if (i2c->clock)
    value |= IXGBE_I2CCTL_CLK_IN;
  if (i2c->data && !i2c->holds_low)
    value |= IXGBE_I2CCTL_DATA_IN;
  return value;
}

void twin_ixgbe_i2c_reset(struct twin_ixgbe *twin)
{
  *twin->i2c = (struct twin_ixgbe_i2c){.clock = true, .data = true};
}

int twin_ixgbe_i2c_create(struct twin_ixgbe *twin)
{
  twin->i2c = calloc(1, sizeof(*twin->i2c));
  return twin->i2c ? 0 : -ENOMEM;
}

void twin_ixgbe_i2c_destroy(struct twin_ixgbe *twin)
{
  free(twin->i2c);
  twin->i2c = NULL;
}
