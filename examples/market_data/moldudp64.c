/* SPDX-License-Identifier: BSD-2-Clause */
#include "moldudp64.h"

#include "bytes64.h"

/* Do count blocks fill exactly bytes? */
static bool blocks_fill(const uint8_t *block, uint32_t bytes, uint32_t count)
{
  for (; count; count--) {
    if (bytes < MOLDUDP64_LENGTH_BYTES)
      return false;
    uint32_t block_bytes = MOLDUDP64_LENGTH_BYTES + shunt_load_be16(block);
    if (block_bytes > bytes)
      return false;
    block += block_bytes;
    bytes -= block_bytes;
  }
  return bytes == 0;
}

enum moldudp64_cause moldudp64_read(const void *payload, uint32_t bytes,
                                    struct moldudp64_packet *packet)
{
  const struct moldudp64_header *header = payload;
  if (bytes < MOLDUDP64_HEADER_BYTES)
    return MOLDUDP64_TRUNCATED;
  uint64_t sequence = load_be64(header->sequence);
  if (sequence == 0 || sequence > MOLDUDP64_SEQUENCE_MAX)
    return MOLDUDP64_BAD_SEQUENCE;
  uint32_t count = shunt_load_be16(header->count);
  enum moldudp64_kind kind = count == 0                          ? MOLDUDP64_HEARTBEAT
                             : count == MOLDUDP64_END_OF_SESSION ? MOLDUDP64_END
                                                                 : MOLDUDP64_MESSAGES;
  if (kind == MOLDUDP64_END)
    count = 0;
  const uint8_t *blocks = (const uint8_t *)payload + MOLDUDP64_HEADER_BYTES;
  if (!blocks_fill(blocks, bytes - MOLDUDP64_HEADER_BYTES, count))
    return MOLDUDP64_BAD_COUNT;
  *packet = (struct moldudp64_packet){.kind = kind,
                                      .session = header->session,
                                      .sequence = sequence,
                                      .count = count,
                                      .blocks = blocks};
  return MOLDUDP64_SOUND;
}

const char *moldudp64_cause_name(enum moldudp64_cause cause)
{
  static const char *const names[MOLDUDP64_CAUSES] = {
      [MOLDUDP64_SOUND] = "sound",
      [MOLDUDP64_TRUNCATED] = "truncated",
      [MOLDUDP64_BAD_SEQUENCE] = "bad-sequence",
      [MOLDUDP64_BAD_COUNT] = "bad-count",
  };
  return (unsigned)cause < MOLDUDP64_CAUSES ? names[cause] : "unknown";
}

uint32_t moldudp64_begin(void *packet, uint32_t capacity,
                         const char session[MOLDUDP64_SESSION_BYTES], uint64_t sequence)
{
  struct moldudp64_header *header = packet;
  if (capacity < MOLDUDP64_HEADER_BYTES)
    return 0;
  memcpy(header->session, session, MOLDUDP64_SESSION_BYTES);
  store_be64(header->sequence, sequence);
  shunt_store_be16(header->count, 0);
  return MOLDUDP64_HEADER_BYTES;
}

uint32_t moldudp64_append(void *packet, uint32_t bytes, uint32_t capacity, const void *message,
                          uint32_t message_bytes)
{
  struct moldudp64_header *header = packet;
  uint32_t count = shunt_load_be16(header->count) + 1u;
  if (count >= MOLDUDP64_END_OF_SESSION || message_bytes > UINT16_MAX ||
      bytes + MOLDUDP64_LENGTH_BYTES + message_bytes > capacity)
    return 0;
  uint8_t *block = (uint8_t *)packet + bytes;
  shunt_store_be16(block, (uint16_t)message_bytes);
  memcpy(block + MOLDUDP64_LENGTH_BYTES, message, message_bytes);
  shunt_store_be16(header->count, (uint16_t)count);
  return bytes + MOLDUDP64_LENGTH_BYTES + message_bytes;
}

void moldudp64_end(void *packet)
{
  struct moldudp64_header *header = packet;
  shunt_store_be16(header->count, MOLDUDP64_END_OF_SESSION);
}

void moldudp64_session(char session[MOLDUDP64_SESSION_BYTES], const char *text)
{
  size_t bytes = strnlen(text, MOLDUDP64_SESSION_BYTES);
  memset(session, ' ', MOLDUDP64_SESSION_BYTES);
  memcpy(session, text, bytes);
}
