/* SPDX-License-Identifier: BSD-2-Clause */
#include "twin/ixgbe/rx_buffer.h"

#include <string.h>

#include "twin/ixgbe/ixgbe.h"

#define BUFFER_BYTES TWIN_IXGBE_PACKET_BUFFER_BYTES

/* How many of bytes from at on lie before the end; the others lie at the start. */
static uint32_t buffer_until_end(uint32_t at, uint32_t bytes)
{
  return bytes < BUFFER_BYTES - at ? bytes : BUFFER_BYTES - at;
}

void twin_ixgbe_rx_buffer_add(struct twin_ixgbe_rx_buffer *buffer, const void *data, uint32_t bytes)
{
  uint32_t at = (buffer->first + buffer->used) % BUFFER_BYTES;
  uint32_t early = buffer_until_end(at, bytes);
  memcpy(buffer->data + at, data, early);
  memcpy(buffer->data, (const uint8_t *)data + early, bytes - early);
  buffer->used += bytes;
}

void twin_ixgbe_rx_buffer_look(const struct twin_ixgbe_rx_buffer *buffer, uint32_t offset,
                               void *data, uint32_t bytes)
{
  uint32_t at = (buffer->first + offset) % BUFFER_BYTES;
  uint32_t early = buffer_until_end(at, bytes);
  memcpy(data, buffer->data + at, early);
  memcpy((uint8_t *)data + early, buffer->data, bytes - early);
}

void twin_ixgbe_rx_buffer_remove(struct twin_ixgbe_rx_buffer *buffer, uint32_t bytes)
{
  buffer->first = (buffer->first + bytes) % BUFFER_BYTES;
  buffer->used -= bytes;
}
