/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/ethernet.h"

#include <errno.h>
#include <string.h>

#include "shunt/bytes.h"

#define ETHERNET_ADDRESSES_BYTES 12

extern inline bool shunt_mac_is_group(struct shunt_mac mac);

bool shunt_mac_is_broadcast(struct shunt_mac mac)
{
  static const struct shunt_mac broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
  return shunt_mac_equal(mac, broadcast);
}

bool shunt_mac_equal(struct shunt_mac a, struct shunt_mac b)
{
  return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

/* The value of a hexadecimal digit, or -1. */
static int ethernet_hex_value(char digit)
{
  if (digit >= '0' && digit <= '9')
    return digit - '0';
  if (digit >= 'a' && digit <= 'f')
    return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F')
    return digit - 'A' + 10;
  return -1;
}

int shunt_mac_parse(const char *text, struct shunt_mac *mac)
{
  struct shunt_mac read;

  for (unsigned i = 0; i < sizeof(read.bytes); i++) {
    if (i > 0 && *text++ != ':')
      return -EINVAL;
    int high = ethernet_hex_value(text[0]);
    int low = high < 0 ? -1 : ethernet_hex_value(text[1]);
    if (low < 0)
      return -EINVAL;
    read.bytes[i] = (uint8_t)(high << 4 | low);
    text += 2;
  }
  if (*text)
    return -EINVAL;
  *mac = read;
  return 0;
}

char *shunt_mac_format(struct shunt_mac mac, char text[SHUNT_MAC_TEXT_BYTES])
{
  static const char digits[] = "0123456789abcdef";
  char *at = text;

  for (unsigned i = 0; i < sizeof(mac.bytes); i++) {
    *at++ = digits[mac.bytes[i] >> 4];
    *at++ = digits[mac.bytes[i] & 0xf];
    *at++ = ':';
  }
  at[-1] = '\0';
  return text;
}

uint32_t shunt_ethernet_build(void *frame, struct shunt_mac destination, struct shunt_mac source,
                              uint16_t type)
{
  struct shunt_ethernet_header *header = frame;
  header->destination = destination;
  header->source = source;
  shunt_store_be16(header->type, type);
  return SHUNT_ETHERNET_HEADER_BYTES;
}

uint32_t shunt_ethernet_pad(void *frame, uint32_t bytes, uint32_t capacity)
{
  if (bytes > capacity)
    return 0;
  if (bytes >= SHUNT_ETHERNET_MIN_BYTES)
    return bytes;
  if (capacity < SHUNT_ETHERNET_MIN_BYTES)
    return 0;
  memset((uint8_t *)frame + bytes, 0, SHUNT_ETHERNET_MIN_BYTES - bytes);
  return SHUNT_ETHERNET_MIN_BYTES;
}

static void vlan_write_tag(uint8_t *at, uint16_t type, uint16_t control)
{
  struct shunt_vlan_tag *tag = (struct shunt_vlan_tag *)at;
  shunt_store_be16(tag->type, type);
  shunt_store_be16(tag->control, control);
}

/* Does the frame begin with a whole tag, and a type field behind it? */
static bool vlan_read_tag(const uint8_t *frame, uint32_t bytes, uint16_t *type, uint16_t *control)
{
  if (bytes < SHUNT_ETHERNET_HEADER_BYTES + SHUNT_VLAN_TAG_BYTES)
    return false;
  const struct shunt_vlan_tag *tag =
      (const struct shunt_vlan_tag *)(frame + ETHERNET_ADDRESSES_BYTES);
  uint16_t tag_type = shunt_load_be16(tag->type);
  if (tag_type != SHUNT_ETHERNET_TYPE_VLAN && tag_type != SHUNT_ETHERNET_TYPE_VLAN_S)
    return false;
  if (type)
    *type = tag_type;
  if (control)
    *control = shunt_load_be16(tag->control);
  return true;
}

uint32_t shunt_vlan_insert(void *frame, uint32_t bytes, uint32_t capacity, uint16_t type,
                           uint16_t control)
{
  if (bytes < SHUNT_ETHERNET_HEADER_BYTES || bytes > capacity ||
      capacity - bytes < SHUNT_VLAN_TAG_BYTES)
    return 0;
  uint8_t *at = (uint8_t *)frame + ETHERNET_ADDRESSES_BYTES;
  memmove(at + SHUNT_VLAN_TAG_BYTES, at, bytes - ETHERNET_ADDRESSES_BYTES);
  vlan_write_tag(at, type, control);
  return bytes + SHUNT_VLAN_TAG_BYTES;
}

void *shunt_vlan_insert_headroom(void *frame, uint16_t type, uint16_t control)
{
  uint8_t *start = (uint8_t *)frame - SHUNT_VLAN_TAG_BYTES;
  memmove(start, frame, ETHERNET_ADDRESSES_BYTES);
  vlan_write_tag(start + ETHERNET_ADDRESSES_BYTES, type, control);
  return start;
}

uint32_t shunt_vlan_remove(void *frame, uint32_t bytes, uint16_t *type, uint16_t *control)
{
  if (!vlan_read_tag(frame, bytes, type, control))
    return 0;
  uint8_t *at = (uint8_t *)frame + ETHERNET_ADDRESSES_BYTES;
  memmove(at, at + SHUNT_VLAN_TAG_BYTES, bytes - ETHERNET_ADDRESSES_BYTES - SHUNT_VLAN_TAG_BYTES);
  return bytes - SHUNT_VLAN_TAG_BYTES;
}

void *shunt_vlan_remove_headroom(void *frame, uint32_t bytes, uint16_t *type, uint16_t *control)
{
  if (!vlan_read_tag(frame, bytes, type, control))
    return NULL;
  uint8_t *start = (uint8_t *)frame + SHUNT_VLAN_TAG_BYTES;
  memmove(start, frame, ETHERNET_ADDRESSES_BYTES);
  return start;
}
