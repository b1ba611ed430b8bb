/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/ipv4.h"

#include <errno.h>
#include <string.h>

#include "shunt/bytes.h"
#include "shunt/checksum.h"

extern inline bool shunt_ipv4_is_multicast(uint32_t address);
extern inline bool shunt_ipv4_is_loopback(uint32_t address);
extern inline bool shunt_ipv4_is_this_network(uint32_t address);

bool shunt_ipv4_is_broadcast(uint32_t address, uint32_t local, uint8_t prefix_bits)
{
  if (address == SHUNT_IPV4_BROADCAST)
    return true;
  if (prefix_bits == 0 || prefix_bits > 30)
    return false;
  return address == (local | UINT32_MAX >> prefix_bits);
}

struct shunt_mac shunt_ipv4_multicast_mac(uint32_t group)
{
  return (struct shunt_mac){
      {0x01, 0x00, 0x5e, (uint8_t)(group >> 16 & 0x7f), (uint8_t)(group >> 8), (uint8_t)group}};
}

/* Read a decimal number without leading zeros. Returns what follows it, or NULL. */
static const char *ipv4_read_number(const char *text, uint32_t max, uint32_t *number)
{
  uint32_t value = 0;
  const char *at = text;

  while (*at >= '0' && *at <= '9') {
    value = value * 10 + (uint32_t)(*at++ - '0');
    if (value > max)
      return NULL;
  }
  if (at == text || (text[0] == '0' && at != text + 1))
    return NULL;
  *number = value;
  return at;
}

/* Read four numbers with dots. Returns what follows them, or NULL. */
static const char *ipv4_read_address(const char *text, uint32_t *address)
{
  uint32_t value = 0;

  for (unsigned i = 0; i < 4; i++) {
    uint32_t part = 0;
    if (i > 0 && *text++ != '.')
      return NULL;
    text = ipv4_read_number(text, 255, &part);
    if (!text)
      return NULL;
    value = value << 8 | part;
  }
  *address = value;
  return text;
}

int shunt_ipv4_parse(const char *text, uint32_t *address)
{
  uint32_t value = 0;
  const char *rest = ipv4_read_address(text, &value);
  if (!rest || *rest)
    return -EINVAL;
  *address = value;
  return 0;
}

int shunt_ipv4_prefix_parse(const char *text, uint32_t *address, uint8_t *prefix_bits)
{
  uint32_t value = 0;
  uint32_t bits = 32;
  const char *rest = ipv4_read_address(text, &value);

  if (rest && *rest == '/')
    rest = ipv4_read_number(rest + 1, 32, &bits);
  if (!rest || *rest)
    return -EINVAL;
  *address = value;
  *prefix_bits = (uint8_t)bits;
  return 0;
}

static char *ipv4_write_number(char *at, uint8_t number)
{
  if (number >= 100)
    *at++ = (char)('0' + number / 100);
  if (number >= 10)
    *at++ = (char)('0' + number / 10 % 10);
  *at++ = (char)('0' + number % 10);
  return at;
}

char *shunt_ipv4_format(uint32_t address, char text[SHUNT_IPV4_TEXT_BYTES])
{
  char *at = text;

  for (int shift = 24; shift >= 0; shift -= 8) {
    at = ipv4_write_number(at, (uint8_t)(address >> shift));
    *at++ = shift ? '.' : '\0';
  }
  return text;
}

uint32_t shunt_ipv4_build(void *header, uint32_t capacity, const struct shunt_ipv4_fields *fields)
{
  uint32_t option_bytes = (fields->option_bytes + 3u) & ~3u;
  uint32_t header_bytes = SHUNT_IPV4_HEADER_BYTES + option_bytes;

  if (option_bytes > SHUNT_IPV4_OPTIONS_BYTES || header_bytes > capacity ||
      fields->payload_bytes > SHUNT_IPV4_TOTAL_BYTES_MAX - header_bytes)
    return 0;

  struct shunt_ipv4_header *ipv4 = header;
  memset(header, SHUNT_IPV4_OPTION_END, header_bytes);
  ipv4->version_and_length = (uint8_t)(4u << 4 | header_bytes / 4);
  ipv4->type_of_service = fields->type_of_service;
  shunt_store_be16(ipv4->total_bytes, (uint16_t)(header_bytes + fields->payload_bytes));
  shunt_store_be16(ipv4->id, fields->id);
  shunt_store_be16(ipv4->fragment, fields->fragment);
  ipv4->time_to_live = fields->time_to_live;
  ipv4->protocol = fields->protocol;
  shunt_store_be32(ipv4->source, fields->source);
  shunt_store_be32(ipv4->destination, fields->destination);
  if (fields->option_bytes)
    memcpy(ipv4 + 1, fields->options, fields->option_bytes);
  shunt_store_be16(ipv4->checksum, shunt_checksum(header, header_bytes));
  return header_bytes;
}

int shunt_ipv4_option_next(const void *options, uint32_t bytes, uint32_t *at,
                           struct shunt_ipv4_option *option)
{
  const uint8_t *start = options;

  if (*at >= bytes || start[*at] == SHUNT_IPV4_OPTION_END)
    return 0;
  uint32_t left = bytes - *at;
  uint8_t type = start[*at];
  uint8_t length = 1;
  if (type != SHUNT_IPV4_OPTION_NOP) {
    if (left < 2 || start[*at + 1] < 2 || start[*at + 1] > left)
      return -EINVAL;
    length = start[*at + 1];
  }
  *option = (struct shunt_ipv4_option){.type = type, .bytes = length, .start = *at};
  *at += length;
  return 1;
}
