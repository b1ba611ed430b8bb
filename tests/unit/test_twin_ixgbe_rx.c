/* SPDX-License-Identifier: BSD-2-Clause */
#include "twin_ixgbe_rig.h"

#include "twin/ixgbe/crc.h"

#define CHECKED (IXGBE_RXD_STAT_IPCS | IXGBE_RXD_STAT_L4CS)
#define WRONG   (IXGBE_RXD_ERR_IPE | IXGBE_RXD_ERR_L4E)

static uint8_t frame[16384];

static void a_frame_fills_a_buffer(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  uint32_t bytes = rig_udp(frame, 1, 2, 100);
  rig_send(rig, frame, bytes);
  const struct rig_rx *rx = rig_rx_take(rig);
  assert_non_null(rx);
  assert_int_equal(rx->bytes, bytes);
  assert_int_equal(rx->descriptors, 1);
  assert_memory_equal(rx->data, frame, bytes);
  assert_int_equal(rx->info, IXGBE_RXD_TYPE_IPV4 | IXGBE_RXD_TYPE_UDP);
  assert_int_equal(rx->status & (CHECKED | WRONG), CHECKED);
  assert_true(rx->status & IXGBE_RXD_STAT_UDPCS);
  assert_null(rig_rx_take(rig));
  assert_int_equal(rig_read(rig, IXGBE_RDH(0)), 1);
  assert_int_equal(rig_read(rig, IXGBE_GPRC), 1);
  assert_int_equal(rig_read(rig, IXGBE_QPRC(0)), 1);
}

static void the_ring_goes_round(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  uint32_t bytes = rig_udp(frame, 1, 2, 20);
  for (uint32_t i = 0; i < 100; i++) {
    frame[50] = (uint8_t)i;
    rig_send(rig, frame, bytes);
    const struct rig_rx *rx = rig_rx_take(rig);
    assert_non_null(rx);
    assert_int_equal(rx->data[50], i);
    rig_write(rig, IXGBE_RDT(0), (rig->rx_head + RIG_RING - 1) % RIG_RING);
  }
}

static void jumbo_frames_take_several_buffers(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  uint32_t bytes = rig_udp(frame, 1, 2, 8958);
  rig_send(rig, frame, bytes);
  assert_null(rig_rx_take(rig));
  assert_int_equal(rig_count(rig, "too_long"), 1);
  assert_int_equal(rig_read(rig, IXGBE_ROC), 1);
  rig_write(rig, IXGBE_HLREG0, rig_read(rig, IXGBE_HLREG0) | IXGBE_HLREG0_JUMBOEN);
  rig_write(rig, IXGBE_MAXFRS, HW_FIELD(IXGBE_MAXFRS_MFS, bytes + 4));
  rig_send(rig, frame, bytes);
  const struct rig_rx *rx = rig_rx_take(rig);
  assert_non_null(rx);
  assert_int_equal(rx->bytes, bytes);
  assert_int_equal(rx->descriptors, 5);
  assert_memory_equal(rx->data, frame, bytes);
  assert_int_equal(rx->status & (CHECKED | WRONG), CHECKED);
  rig_write(rig, IXGBE_MAXFRS, HW_FIELD(IXGBE_MAXFRS_MFS, bytes + 3));
  rig_send(rig, frame, bytes);
  assert_int_equal(rig_count(rig, "too_long"), 2);
}

static void limits_of_length(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  memset(frame, 0, sizeof(frame));
  rig_ethernet(frame, rig_mac, 0x88B5);
  rig_send(rig, frame, 59);
  assert_int_equal(rig_count(rig, "too_short"), 1);
  assert_int_equal(rig_read(rig, IXGBE_RUC), 1);
  rig_send(rig, frame, 60);
  rig_send(rig, frame, 1514);
  rig_send(rig, frame, 1515);
  assert_int_equal(rig_count(rig, "too_long"), 1);
  rig_ethernet(frame, rig_mac, 0x8100); /* a tag comes on top */
  rig_send(rig, frame, 1518);
  rig_send(rig, frame, 1519);
  assert_int_equal(rig_count(rig, "too_long"), 2);
  const uint32_t lengths[] = {60, 1514, 1518};
  for (unsigned i = 0; i < 3; i++) {
    const struct rig_rx *rx = rig_rx_take(rig);
    assert_non_null(rx);
    assert_int_equal(rx->bytes, lengths[i]);
    assert_int_equal(rx->info, 0); /* not IP: nothing is claimed */
    assert_int_equal(rx->status & (CHECKED | WRONG), 0);
  }
}

static void the_crc_may_be_kept(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  rig_write(rig, IXGBE_HLREG0, rig_read(rig, IXGBE_HLREG0) & ~IXGBE_HLREG0_RXCRCSTRP);
  rig_write(rig, IXGBE_RDRXCTL, rig_read(rig, IXGBE_RDRXCTL) & ~IXGBE_RDRXCTL_CRCSTRIP);
  uint32_t bytes = rig_udp(frame, 1, 2, 30);
  rig_send(rig, frame, bytes);
  const struct rig_rx *rx = rig_rx_take(rig);
  assert_int_equal(rx->bytes, bytes + 4);
  uint32_t crc = twin_ixgbe_crc32(frame, bytes);
  assert_memory_equal(rx->data + bytes, &crc, 4);
  assert_int_equal(twin_ixgbe_crc32("123456789", 9), 0xCBF43926u); /* the usual check value */
}

static void tags_are_stripped_where_asked(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  uint32_t bytes = rig_udp(frame, 1, 2, 60);
  memmove(frame + 16, frame + 12, bytes - 12);
  shunt_store_be16(frame + 12, 0x8100);
  shunt_store_be16(frame + 14, 0xA123);
  rig_send(rig, frame, bytes + 4);
  const struct rig_rx *rx = rig_rx_take(rig);
  assert_int_equal(rx->bytes, bytes + 4);
  assert_false(rx->status & IXGBE_RXD_STAT_VP);
  assert_int_equal(rx->status & (CHECKED | WRONG), CHECKED); /* seen behind the tag */
  rig_write(rig, IXGBE_RXDCTL(0), IXGBE_RXDCTL_ENABLE | IXGBE_RXDCTL_VME);
  rig_send(rig, frame, bytes + 4);
  rx = rig_rx_take(rig);
  assert_int_equal(rx->bytes, bytes);
  assert_true(rx->status & IXGBE_RXD_STAT_VP);
  assert_int_equal(rx->vlan, 0xA123);
  assert_memory_equal(rx->data, frame, 12);
  assert_memory_equal(rx->data + 12, frame + 16, bytes - 12);
}

/* ---- Checksums ---- */

static uint32_t status_of(struct rig *rig, uint32_t bytes)
{
  rig_send(rig, frame, bytes);
  const struct rig_rx *rx = rig_rx_take(rig);
  assert_non_null(rx);
  rig_write(rig, IXGBE_RDT(0), (rig->rx_head + RIG_RING - 1) % RIG_RING);
  return rx->status & (CHECKED | WRONG | IXGBE_RXD_STAT_UDPCS);
}

static void checksums_are_verified(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  uint32_t bytes = rig_tcp(frame, 1, 2, 101);
  assert_int_equal(status_of(rig, bytes), CHECKED);
  frame[60] ^= 1;
  assert_int_equal(status_of(rig, bytes), CHECKED | IXGBE_RXD_ERR_L4E);
  frame[60] ^= 1;
  frame[22] ^= 1; /* TTL */
  assert_int_equal(status_of(rig, bytes), CHECKED | IXGBE_RXD_ERR_IPE);
  assert_int_equal(rig_read(rig, IXGBE_XEC), 2);
  bytes = rig_udp(frame, 1, 2, 50);
  shunt_store_be16(frame + 40, 0); /* UDP without a checksum */
  assert_int_equal(status_of(rig, bytes), IXGBE_RXD_STAT_IPCS);
  bytes = rig_ipv4(frame, 1, 0x0800, 0, 8, 40); /* ICMP */
  assert_int_equal(status_of(rig, bytes), IXGBE_RXD_STAT_IPCS);
  bytes = rig_ipv4(frame, 132, 1, 2, 12, 40);
  uint32_t crc = ~twin_ixgbe_crc32c_add(UINT32_MAX, frame + 34, 52);
  memcpy(frame + 42, &crc, 4);
  assert_int_equal(status_of(rig, bytes), CHECKED);
  frame[42] ^= 1;
  assert_int_equal(status_of(rig, bytes), CHECKED | IXGBE_RXD_ERR_L4E);
}

static void fragments_are_not_summed(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  rig_write(rig, IXGBE_RXCSUM, IXGBE_RXCSUM_IPPCSE);
  uint32_t bytes = rig_udp(frame, 1, 2, 64);
  shunt_store_be16(frame + 20, 0x2000);
  shunt_store_be16(frame + 24, 0);
  shunt_store_be16(frame + 24, shunt_checksum(frame + 14, 20));
  rig_send(rig, frame, bytes);
  const struct rig_rx *rx = rig_rx_take(rig);
  assert_int_equal(rx->info, IXGBE_RXD_TYPE_IPV4);
  assert_int_equal(rx->status & (CHECKED | WRONG), IXGBE_RXD_STAT_IPCS);
  assert_true(rx->status & IXGBE_RXD_STAT_UDPV);
  uint16_t sum = (uint16_t)~shunt_checksum(frame + 34, 72);
  assert_int_equal(rx->hash, (uint32_t)sum << 16 | 0x1234);
}

/* IPv6 with hop-by-hop options before UDP; extra bytes of them. */
static uint32_t ipv6_udp(uint8_t extension, uint32_t extra, uint32_t payload)
{
  uint8_t *ip = frame + 14;
  uint8_t *l4 = ip + 40 + extra;
  uint32_t l4_bytes = 8 + payload;
  memset(frame, 0, 14 + 40 + extra + l4_bytes + 60);
  rig_ethernet(frame, rig_mac, 0x86DD);
  ip[0] = 0x60;
  shunt_store_be16(ip + 4, (uint16_t)(extra + l4_bytes));
  ip[6] = extra ? extension : 17;
  ip[8] = ip[24] = 0xFE;
  ip[9] = ip[25] = 0x80;
  if (extra) {
    ip[40] = 17;
    ip[41] = (uint8_t)(extra / 8 - 1);
  }
  shunt_store_be16(l4, 7);
  shunt_store_be16(l4 + 2, 8);
  shunt_store_be16(l4 + 4, (uint16_t)l4_bytes);
  memset(l4 + 8, 0x5A, payload);
  uint32_t sum = shunt_checksum_add(17 + l4_bytes, ip + 8, 32);
  shunt_store_be16(l4 + 6, shunt_checksum_finish(shunt_checksum_add(sum, l4, l4_bytes)));
  return 14 + 40 + extra + l4_bytes;
}

static void ipv6_extension_headers_are_skipped(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  const uint32_t udp = IXGBE_RXD_STAT_L4CS | IXGBE_RXD_STAT_UDPCS;
  assert_int_equal(status_of(rig, ipv6_udp(0, 0, 33)), udp);
  assert_int_equal(status_of(rig, ipv6_udp(0, 16, 33)), udp);
  assert_int_equal(status_of(rig, ipv6_udp(60, 8, 33)), udp);
  uint32_t bytes = ipv6_udp(43, 8, 33);
  assert_int_equal(status_of(rig, bytes), udp);
  frame[14 + 40 + 3] = 1; /* a routing header with a segment left: another destination */
  assert_int_equal(status_of(rig, bytes), 0);
  bytes = ipv6_udp(44, 8, 33);
  frame[14 + 40 + 3] = 1; /* a fragment: more to come */
  assert_int_equal(status_of(rig, bytes), 0);
  bytes = ipv6_udp(0, 8, 33);
  frame[14 + 41] = 255; /* options beyond the end */
  assert_int_equal(status_of(rig, bytes), 0);
}

/* Lengths that lie: nothing behind them is claimed, and nothing is read (ASan looks). */
static void headers_that_lie_end_the_search(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  uint32_t bytes = rig_tcp(frame, 1, 2, 20);
  uint8_t *exact = malloc(bytes);
  assert_non_null(exact);
  for (uint32_t at = 12; at < bytes; at++)
    for (unsigned value = 0; value < 256; value += 15) {
      memcpy(exact, frame, bytes);
      exact[at] = (uint8_t)value;
      rig_send(rig, exact, bytes);
      assert_non_null(rig_rx_take(rig));
      rig_write(rig, IXGBE_RDT(0), (rig->rx_head + RIG_RING - 1) % RIG_RING);
    }
  memcpy(exact, frame, bytes);
  shunt_store_be16(exact + 16, 2000); /* total length beyond the frame */
  rig_send(rig, exact, bytes);
  const struct rig_rx *rx = rig_rx_take(rig);
  assert_int_equal(rx->info, IXGBE_RXD_TYPE_IPV4);
  assert_false(rx->status & IXGBE_RXD_STAT_L4CS);
  free(exact);
}

/* ---- Memory ---- */

/* Behind an IOMMU: each descriptor of the ring, over its end, and buffers in two pages. */
static void rings_and_buffers_may_be_scattered(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  for (unsigned i = 0; i < 2 * RIG_RING; i++) {
    uint32_t bytes = rig_udp(frame, (uint16_t)i, 2, 1400);
    rig_send(rig, frame, bytes);
    const struct rig_rx *rx = rig_rx_take(rig);
    assert_non_null(rx);
    assert_int_equal(rx->bytes, bytes);
    assert_memory_equal(rx->data, frame, bytes);
    rig_write(rig, IXGBE_RDT(0), (rig->rx_head + RIG_RING - 1) % RIG_RING);
  }
  assert_int_equal(rig_count(rig, "dma_refused"), 0);
  assert_int_equal(rig_count(rig, "dma_faults"), 0);
}

/* Nothing is written where memory was taken away; what the rest of a buffer is for is. */
static void memory_may_end_in_a_buffer_or_in_the_ring(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  uint32_t bytes = rig_udp(frame, 1, 2, 1400);
  shunt_model_dma_unmap(rig->model, RIG_IOVA + RIG_RX_DATA - 0x400 + RIG_PAGE, RIG_PAGE);
  rig_send(rig, frame, bytes);
  assert_memory_equal(rig_rx_take(rig)->data, frame, bytes);
  rig_send(rig, frame, bytes); /* the second buffer's second half is gone */
  assert_memory_equal(rig_rx_take(rig)->data, frame, 1024);
  assert_int_equal(rig_count(rig, "dma_refused"), 1);
  assert_int_equal(rig_rx_buffer(rig, 1)[1024], 0);
  shunt_model_dma_unmap(rig->model, RIG_IOVA + RIG_RX_RING + 0x100,
                        RIG_PAGE); /* from the 17th on */
  for (unsigned i = 2; i < 16; i++) {
    rig_send(rig, frame, 60);
    assert_non_null(rig_rx_take(rig));
  }
  uint64_t refused = rig_count(rig, "dma_refused");
  rig_send(rig, frame, 60);
  assert_null(rig_rx_take(rig));
  rig_send(rig, frame, 60);
  assert_int_equal(rig_count(rig, "dma_refused"), refused + 1);
  assert_int_equal(rig_count(rig, "no_descriptor"), 1);
  assert_int_equal(rig_count(rig, "queue_disabled"), 1);
}

/* ---- Descriptors run out ---- */

static void without_descriptors_frames_wait(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  uint32_t bytes = rig_udp(frame, 1, 2, 30);
  rig_write(rig, IXGBE_RDT(0), 2);
  for (uint8_t i = 0; i < 5; i++) {
    frame[45] = i;
    rig_send(rig, frame, bytes);
  }
  for (unsigned i = 0; i < 2; i++)
    assert_int_equal(rig_rx_take(rig)->data[45], i);
  assert_null(rig_rx_take(rig));
  assert_int_equal(rig_poll(rig), 0);
  rig_write(rig, IXGBE_RDT(0), 4);
  frame[45] = 5;
  rig_send(rig, frame, bytes); /* behind the three that wait, of which two now go */
  for (unsigned i = 2; i < 4; i++)
    assert_int_equal(rig_rx_take(rig)->data[45], i);
  assert_null(rig_rx_take(rig));
  rig_write(rig, IXGBE_RDT(0), 20);
  assert_int_equal(rig_poll(rig), 2);
  for (unsigned i = 4; i < 6; i++)
    assert_int_equal(rig_rx_take(rig)->data[45], i);
  assert_int_equal(rig_count(rig, "no_descriptor"), 0);
}

static void send_one_more(void *context, unsigned vector, int level)
{
  struct rig *rig = context;
  (void)vector;
  (void)level;
  if (rig->received++ < 2) {
    frame[45] = (uint8_t)(100 + rig->received);
    rig_send(rig, frame, 72);
  }
}

/* The interrupt of a frame that waited brings the next frame: each still comes once, in order. */
static void frames_that_wait_may_meet_new_ones(void **state)
{
  struct rig *rig = *state;
  const struct shunt_model_host host = {.context = rig, .interrupt = send_one_more};
  rig_rx_start(rig, 0);
  rig_write(rig, IXGBE_GPIE, IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_EIAME | IXGBE_GPIE_PBA_SUPPORT);
  rig_write(rig, IXGBE_IVAR(0), IXGBE_IVAR_VALID);
  rig_write(rig, IXGBE_EIAC, 1); /* so that each frame interrupts anew */
  rig_write(rig, IXGBE_EIMS, 1);
  assert_int_equal(rig_udp(frame, 1, 2, 30), 72);
  rig_write(rig, IXGBE_RDT(0), 0);
  for (uint8_t i = 0; i < 3; i++) {
    frame[45] = i;
    rig_send(rig, frame, 72);
  }
  shunt_model_attach(rig->model, &host);
  rig_write(rig, IXGBE_RDT(0), 20);
  for (unsigned i = 0; i < 3; i++) /* what is sent inside a delivery, the wire holds until then */
    shunt_wire_poll(rig->wire, RIG_NOW_NS);
  for (uint8_t i = 0; i < 3; i++)
    assert_int_equal(rig_rx_take(rig)->data[45], i);
  assert_true(rig->received > 2);
  for (uint8_t i = 1; i <= 2; i++)
    assert_int_equal(rig_rx_take(rig)->data[45], 100 + i);
  assert_null(rig_rx_take(rig));
}

static void a_full_packet_buffer_misses_frames(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  rig_write(rig, IXGBE_RXPBSIZE(0), 16 * 1024);
  rig_write(rig, IXGBE_RDT(0), 0);
  uint32_t bytes = rig_udp(frame, 1, 2, 958);
  const unsigned sent = 20;
  for (unsigned i = 0; i < sent; i++)
    rig_send(rig, frame, bytes);
  uint64_t missed = rig_count(rig, "no_descriptor");
  assert_in_range(missed, 3, 8);
  assert_int_equal(rig_read(rig, IXGBE_RXMPC(0)), missed);
  rig_write(rig, IXGBE_RDT(0), RIG_RING - 1);
  rig_poll(rig);
  for (uint64_t i = missed; i < sent; i++) {
    const struct rig_rx *rx = rig_rx_take(rig);
    assert_int_equal(rx->bytes, bytes);
    assert_memory_equal(rx->data, frame, bytes);
  }
  assert_null(rig_rx_take(rig));
}

static void drop_enable_drops(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  rig_write(rig, IXGBE_SRRCTL(0), rig_read(rig, IXGBE_SRRCTL(0)) | IXGBE_SRRCTL_DROP_EN);
  rig_write(rig, IXGBE_RDT(0), 1);
  uint32_t bytes = rig_udp(frame, 1, 2, 30);
  for (unsigned i = 0; i < 3; i++)
    rig_send(rig, frame, bytes);
  assert_non_null(rig_rx_take(rig));
  assert_null(rig_rx_take(rig));
  assert_int_equal(rig_count(rig, "no_descriptor"), 2);
  assert_int_equal(rig_read(rig, IXGBE_QPRDC(0)), 2);
}

/* ---- Formats ---- */

static void legacy_descriptors_are_written_back(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  rig_write(rig, IXGBE_SRRCTL(0), HW_FIELD(IXGBE_SRRCTL_BSIZEPACKET, 2));
  uint32_t bytes = rig_tcp(frame, 1, 2, 30);
  frame[60] ^= 4;
  rig_send(rig, frame, bytes);
  const struct ixgbe_legacy_rx_desc *descriptor =
      (const struct ixgbe_legacy_rx_desc *)(void *)rig_rx(rig, 0);
  assert_int_equal(descriptor->address, RIG_IOVA + RIG_RX_DATA);
  assert_int_equal(descriptor->length, bytes);
  assert_int_equal(descriptor->status, IXGBE_RXD_STAT_DD | IXGBE_RXD_STAT_EOP | CHECKED);
  assert_int_equal(descriptor->errors, IXGBE_RXD_LEGACY_ERR_L4E);
  assert_memory_equal(rig_rx_buffer(rig, 0), frame, bytes);
}

static void coalescing_and_splitting_give_whole_frames(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  rig_write(rig, IXGBE_RSCCTL(0), IXGBE_RSCCTL_RSCEN | IXGBE_RSCCTL_MAXDESC);
  rig_write(rig, IXGBE_SRRCTL(0),
            HW_FIELD(IXGBE_SRRCTL_BSIZEPACKET, 2) | HW_FIELD(IXGBE_SRRCTL_BSIZEHEADER, 4) |
                HW_FIELD(IXGBE_SRRCTL_DESCTYPE, IXGBE_DESCTYPE_HEADER_SPLIT));
  uint32_t bytes = rig_tcp(frame, 1, 2, 300);
  rig_send(rig, frame, bytes);
  rig_send(rig, frame, bytes);
  for (unsigned i = 0; i < 2; i++) {
    const struct rig_rx *rx = rig_rx_take(rig);
    assert_memory_equal(rx->data, frame, bytes);
    assert_int_equal(rx->info & (IXGBE_RXD_RSCCNT | IXGBE_RXD_SPH | IXGBE_RXD_HDR_LEN), 0);
  }
}

/* ---- Rubbish ---- */

static void bad_receive_rings_lose_frames(void **state)
{
  struct rig *rig = *state;
  uint32_t bytes = rig_udp(frame, 1, 2, 30);
  rig_send(rig, frame, bytes);
  assert_int_equal(rig_count(rig, "rx_disabled"), 1);
  rig_rx_start(rig, 0);
  rig_write(rig, IXGBE_RXDCTL(0), 0);
  rig_send(rig, frame, bytes);
  assert_int_equal(rig_count(rig, "queue_disabled"), 1);
  twin_ixgbe_set(rig->twin, IXGBE_RDLEN(0), 130);
  rig_write(rig, IXGBE_RXDCTL(0), IXGBE_RXDCTL_ENABLE);
  rig_send(rig, frame, bytes);
  assert_int_equal(rig_count(rig, "bad_ring"), 1);
  assert_int_equal(rig_count(rig, "queue_disabled"), 2);
  rig_write(rig, IXGBE_RXDCTL(0), 0);
  rig_rx_start(rig, 0);
  rig_write(rig, IXGBE_RDT(0), RIG_RING + 5);
  rig_send(rig, frame, bytes);
  rig_send(rig, frame, bytes);
  assert_int_equal(rig_count(rig, "bad_tail"), 1);
  rig_write(rig, IXGBE_RDT(0), 10); /* they waited */
  rig_poll(rig);
  assert_non_null(rig_rx_take(rig));
  assert_non_null(rig_rx_take(rig));
  rig_write(rig, IXGBE_SRRCTL(0), 0);
  rig_send(rig, frame, bytes);
  assert_int_equal(rig_count(rig, "bad_descriptor"), 1);
  assert_int_equal(rig_count(rig, "no_descriptor"), 1);
}

static void memory_that_is_not_the_devices_stays_untouched(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  uint32_t bytes = rig_udp(frame, 1, 2, 30);
  rig_rx(rig, 0)->read.packet_address = 0x1000;
  rig_rx(rig, 1)->read.packet_address = RIG_IOVA + RIG_MEMORY_BYTES - bytes + 1;
  rig_rx(rig, 2)->read.packet_address = RIG_IOVA + RIG_MEMORY_BYTES - bytes;
  uint8_t *last = rig->memory + RIG_MEMORY_BYTES - bytes;
  rig_send(rig, frame, bytes);
  rig_send(rig, frame, bytes);
  assert_int_equal(rig_count(rig, "dma_refused"), 2);
  assert_int_equal(last[0], 0);
  for (uint32_t i = 0; i < 2; i++) /* the write-back is an access of its own */
    assert_true(rig_rx(rig, i)->wb.status_error & IXGBE_RXD_STAT_DD);
  rig_send(rig, frame, bytes);
  assert_memory_equal(last, frame, bytes);
  /* Read-only memory is not for buffers; and a ring that goes away hangs its queue. */
  static uint8_t fixed[4096];
  assert_int_equal(shunt_model_dma_map(rig->model, 0x90000000, fixed, sizeof(fixed), 0), 0);
  rig_rx(rig, 3)->read.packet_address = 0x90000000;
  rig_send(rig, frame, bytes);
  assert_int_equal(rig_count(rig, "dma_refused"), 3);
  assert_int_equal(fixed[0], 0);
  shunt_model_dma_unmap(rig->model, RIG_IOVA, RIG_MEMORY_BYTES);
  rig_send(rig, frame, bytes);
  rig_send(rig, frame, bytes);
  assert_int_equal(rig_count(rig, "dma_refused"), 4);
  assert_int_equal(rig_count(rig, "queue_disabled"), 1);
}

static void a_frame_longer_than_its_ring_is_dropped(void **state)
{
  struct rig *rig = *state;
  rig_rx_start(rig, 0);
  rig_write(rig, IXGBE_RXDCTL(0), 0);
  rig_write(rig, IXGBE_RDLEN(0), 128);
  rig_write(rig, IXGBE_SRRCTL(0), 1 | HW_FIELD(IXGBE_SRRCTL_DESCTYPE, 1));
  rig_write(rig, IXGBE_RXDCTL(0), IXGBE_RXDCTL_ENABLE);
  rig_write(rig, IXGBE_RDT(0), 7);
  rig_write(rig, IXGBE_HLREG0, rig_read(rig, IXGBE_HLREG0) | IXGBE_HLREG0_JUMBOEN);
  rig_write(rig, IXGBE_MAXFRS, HW_FIELD(IXGBE_MAXFRS_MFS, 9000));
  rig_send(rig, frame, rig_udp(frame, 1, 2, 8000));
  assert_int_equal(rig_count(rig, "no_descriptor"), 1);
  rig_send(rig, frame, rig_udp(frame, 1, 2, 7000)); /* seven buffers, and all of them */
  assert_int_equal(rig_read(rig, IXGBE_RDH(0)), 7);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      RIG_TEST(a_frame_fills_a_buffer),
      RIG_TEST(the_ring_goes_round),
      RIG_TEST(jumbo_frames_take_several_buffers),
      RIG_TEST(limits_of_length),
      RIG_TEST(the_crc_may_be_kept),
      RIG_TEST(tags_are_stripped_where_asked),
      RIG_TEST(checksums_are_verified),
      RIG_TEST(fragments_are_not_summed),
      RIG_TEST(ipv6_extension_headers_are_skipped),
      RIG_TEST(headers_that_lie_end_the_search),
      cmocka_unit_test_setup_teardown(rings_and_buffers_may_be_scattered, rig_create_scattered,
                                      rig_destroy),
      cmocka_unit_test_setup_teardown(memory_may_end_in_a_buffer_or_in_the_ring,
                                      rig_create_scattered, rig_destroy),
      RIG_TEST(without_descriptors_frames_wait),
      RIG_TEST(frames_that_wait_may_meet_new_ones),
      RIG_TEST(a_full_packet_buffer_misses_frames),
      RIG_TEST(drop_enable_drops),
      RIG_TEST(legacy_descriptors_are_written_back),
      RIG_TEST(coalescing_and_splitting_give_whole_frames),
      RIG_TEST(bad_receive_rings_lose_frames),
      RIG_TEST(memory_that_is_not_the_devices_stays_untouched),
      RIG_TEST(a_frame_longer_than_its_ring_is_dropped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
