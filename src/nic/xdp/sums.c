/* SPDX-License-Identifier: BSD-2-Clause */
/* What a frame asks for before it is sent: checksums and a VLAN tag. By default this library does
 * it, in place. With metadata in front of frames (XDP_TX_METADATA, Linux 6.8) the kernel or the NIC
 * fills in the TCP or UDP sum and notes when the frame was sent; the IPv4 header's sum, which
 * metadata has no field for, and the tag stay ours. */
#include <string.h>

#include "shunt/bytes.h"
#include "shunt/checksum.h"
#include "src/nic/xdp/xdp.h"

#define ADDRESSES_BYTES 12u /* in front of a tag */
#define TAG_BYTES       4u
#define UDP_SUM_OFFSET  6u  /* RFC 768 */
#define TCP_SUM_OFFSET  16u /* RFC 9293 3.1 */
#define IP_SUM_OFFSET   10u /* RFC 791 3.1 */

static uint8_t *data_of(const struct xdp_queue *queue, const struct shunt_frame *piece)
{
  return queue->inlined.head.base + piece->addr;
}

/* Bytes of a piece's chunk in front of it and behind it. */
static uint32_t room_before(const struct xdp *xdp, const struct shunt_frame *piece)
{
  return (uint32_t)piece->addr & (xdp->chunk_bytes - 1);
}

static uint32_t room_behind(const struct xdp *xdp, const struct shunt_frame *piece)
{
  const uint32_t end = room_before(xdp, piece) + piece->len;
  return end < xdp->chunk_bytes ? xdp->chunk_bytes - end : 0;
}

static bool has_room_for_tag(const struct xdp *xdp, const struct shunt_frame *piece)
{
  return piece->len >= ADDRESSES_BYTES && room_behind(xdp, piece) >= TAG_BYTES;
}

/* The frame keeps its address, by which its buffer comes back; so the rest moves up. */
static void put_tag(const struct xdp_queue *queue, struct shunt_frame *piece)
{
  uint8_t *data = data_of(queue, piece);
  memmove(data + ADDRESSES_BYTES + TAG_BYTES, data + ADDRESSES_BYTES, piece->len - ADDRESSES_BYTES);
  shunt_store_be16(data + ADDRESSES_BYTES, 0x8100); /* IEEE 802.1Q */
  shunt_store_be16(data + ADDRESSES_BYTES + 2, piece->vlan);
  piece->len = (uint16_t)(piece->len + TAG_BYTES);
}

/* The sum over the frame from its byte `from` on. A piece that begins at an odd byte of what is
 * summed has its bytes the other way round (RFC 1071 2(B)). */
static uint16_t sum_from(const struct xdp_queue *queue, const struct shunt_frame pieces[],
                         unsigned n, uint32_t from)
{
  uint32_t sum = 0, summed = 0;
  for (unsigned i = 0; i < n; i++) {
    const uint32_t skip = i ? 0 : from, bytes = pieces[i].len - skip;
    uint16_t part = (uint16_t)~shunt_checksum_finish(
        shunt_checksum_add(0, data_of(queue, &pieces[i]) + skip, bytes));
    sum += summed & 1 ? (uint32_t)(uint16_t)(part << 8 | part >> 8) : part;
    summed += bytes;
  }
  return shunt_checksum_finish(sum);
}

/* All headers lie in the first piece: it is asked for no less than their length. */
static bool fill_sums(struct xdp_queue *queue, const struct shunt_frame pieces[], unsigned n,
                      struct xdp_tx_metadata *metadata)
{
  const struct shunt_frame *first = &pieces[0];
  const bool ip = first->flags & SHUNT_FRAME_IP_SUM, udp = first->flags & SHUNT_FRAME_UDP_SUM,
             l4_too = first->flags & (SHUNT_FRAME_UDP_SUM | SHUNT_FRAME_TCP_SUM);
  const uint32_t l3 = first->l2_bytes, l4 = l3 + first->l3_bytes;
  const uint32_t offset = udp ? UDP_SUM_OFFSET : TCP_SUM_OFFSET;
  uint8_t *data = data_of(queue, first);
  if ((ip && (first->l3_bytes < 20 || l4 > first->len)) || (l4_too && l4 + offset + 2 > first->len))
    return false;
  if (ip) {
    shunt_store_be16(data + l3 + IP_SUM_OFFSET, 0);
    shunt_store_be16(data + l3 + IP_SUM_OFFSET, shunt_checksum(data + l3, first->l3_bytes));
    queue->counts.tx_sums++;
  }
  if (!l4_too)
    return true;
  if (queue->xdp->wanted.sums != XDP_SUMS_SOFTWARE) {
    metadata->flags |= XDP_TX_META_CHECKSUM;
    metadata->request.checksum_start =
        (uint16_t)(l4 + ((first->flags & SHUNT_FRAME_VLAN) ? TAG_BYTES : 0));
    metadata->request.checksum_offset = (uint16_t)offset;
    return true;
  }
  uint16_t sum = sum_from(queue, pieces, n, l4);
  shunt_store_be16(data + l4 + offset, udp && !sum ? 0xFFFF : sum);
  queue->counts.tx_sums++;
  return true;
}

int xdp_sums_fill(struct xdp_queue *queue, struct shunt_frame pieces[], unsigned n,
                  uint32_t *options)
{
  const struct xdp *xdp = queue->xdp;
  struct xdp_tx_metadata metadata = {.flags = xdp->wanted.tx_time ? XDP_TX_META_TIMESTAMP : 0};
  for (unsigned i = 0; xdp->metadata_bytes && i < n; i++)
    if (room_before(xdp, &pieces[i]) < xdp->metadata_bytes)
      return 0;
  if (xdp->wanted.tx_time && pieces[0].addr & 1)
    return 0; /* it would come back by another address, where no time is: see shunt/xdp.h */
  /* Whatever may be refused is looked at first: what is refused is the caller's, as it was. */
  const bool tagged = pieces[0].flags & SHUNT_FRAME_VLAN;
  if ((tagged && !has_room_for_tag(xdp, &pieces[0])) || !fill_sums(queue, pieces, n, &metadata))
    return 0;
  if (tagged)
    put_tag(queue, &pieces[0]);
  if (metadata.flags) {
    memcpy(data_of(queue, &pieces[0]) - xdp->metadata_bytes, &metadata, sizeof(metadata));
    *options = XDP_TX_METADATA;
  }
  return 1;
}

/* The time comes to where the request for a checksum was. A driver that stamps nothing leaves that
 * there, which has no upper half: no time that a clock shows 5 s after it was started. */
static bool is_request(const struct xdp_tx_metadata *metadata)
{
  return (metadata->flags & XDP_TX_META_CHECKSUM) && !(metadata->completion.tx_time_ns >> 32);
}

uint64_t shunt_xdp_tx_time(const struct shunt_xdp_queue *q, shunt_buf buf)
{
  const struct xdp *xdp = xdp_queue_of(q)->xdp;
  struct xdp_tx_metadata metadata;
  if (!xdp->wanted.tx_time)
    return 0;
  memcpy(&metadata, q->head.base + buf - xdp->metadata_bytes, sizeof(metadata));
  return is_request(&metadata) ? 0 : metadata.completion.tx_time_ns;
}
