/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the twin's datapath share: one twin on a wire, a far end that sends and keeps
 * what it gets, memory that the twin may reach, and rings in it, driven by register accesses as a
 * driver would. Time stands still. */
#ifndef TWIN_IXGBE_RIG_H
#define TWIN_IXGBE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "shunt/bytes.h"
#include "shunt/checksum.h"
#include "shunt/twin.h"
#include "twin/ixgbe/ixgbe.h"

#define RIG_NOW_NS       UINT64_C(1000)
#define RIG_IOVA         UINT64_C(0x40000000) /* of the registered memory */
#define RIG_MEMORY_BYTES (2u << 20)
#define RIG_TX_RING      0x0F00u /* offsets into it; rings and buffers cross pages */
#define RIG_RX_RING      0x4F00u
#define RIG_PAGE         4096u
#define RIG_HEAD         0x8000u
#define RIG_TX_DATA      0x10000u
#define RIG_RX_DATA      0x100400u
#define RIG_RX_BUFFER    2048u
#define RIG_RING         32u /* descriptors */
#define RIG_KEPT         64u

struct rig_frame {
  uint32_t bytes;
  uint8_t data[16384];
};

struct rig {
  struct shunt_wire *wire;
  struct shunt_wire_end *far;
  struct shunt_model *model;
  struct twin_ixgbe *twin;
  uint8_t *memory, *scattered; /* the second: the same pages, the last one first, or NULL */
  unsigned queue;
  uint32_t tx_tail, rx_head;
  unsigned received; /* by the far end */
  struct rig_frame frames[RIG_KEPT];
};

static const uint8_t rig_mac[6] = {0x02, 0x00, 0x00, 0x82, 0x59, 0x90};

static inline void rig_write(struct rig *rig, uint32_t offset, uint32_t value)
{
  shunt_model_bar_write(rig->model, 0, offset, 4, value);
}

static inline uint32_t rig_read(struct rig *rig, uint32_t offset)
{
  return (uint32_t)shunt_model_bar_read(rig->model, 0, offset, 4);
}

static inline uint64_t rig_count(struct rig *rig, const char *name)
{
  return shunt_model_counter(rig->model, name);
}

static inline unsigned rig_poll(struct rig *rig)
{
  return shunt_model_poll(rig->model, RIG_NOW_NS);
}

static inline void rig_keep(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct rig *rig = context;
  assert_int_equal(now_ns, RIG_NOW_NS);
  struct rig_frame *kept = &rig->frames[rig->received++ % RIG_KEPT];
  kept->bytes = bytes;
  memcpy(kept->data, frame, bytes);
}

static inline void rig_send(struct rig *rig, const void *frame, uint32_t bytes)
{
  struct iovec piece = {(void *)(uintptr_t)frame, bytes};
  assert_int_equal(shunt_wire_send(rig->far, &piece, 1, RIG_NOW_NS), 0);
}

/* ---- Rings ---- */

static inline union ixgbe_tx_desc *rig_tx(struct rig *rig, uint32_t i)
{
  return (union ixgbe_tx_desc *)(void *)(rig->memory + RIG_TX_RING) + i % RIG_RING;
}

static inline union ixgbe_rx_desc *rig_rx(struct rig *rig, uint32_t i)
{
  return (union ixgbe_rx_desc *)(void *)(rig->memory + RIG_RX_RING) + i % RIG_RING;
}

static inline uint8_t *rig_rx_buffer(struct rig *rig, uint32_t i)
{
  return rig->memory + RIG_RX_DATA + i % RIG_RING * RIG_RX_BUFFER;
}

static inline void rig_tx_start(struct rig *rig, unsigned queue)
{
  rig->queue = queue;
  rig->tx_tail = 0;
  rig_write(rig, IXGBE_DMATXCTL, rig_read(rig, IXGBE_DMATXCTL) | IXGBE_DMATXCTL_TE);
  rig_write(rig, IXGBE_TDBAL(queue), (uint32_t)(RIG_IOVA + RIG_TX_RING));
  rig_write(rig, IXGBE_TDBAH(queue), 0);
  rig_write(rig, IXGBE_TDLEN(queue), RIG_RING * IXGBE_DESC_BYTES);
  rig_write(rig, IXGBE_TDH(queue), 0);
  rig_write(rig, IXGBE_TDT(queue), 0);
  rig_write(rig, IXGBE_TXDCTL(queue), IXGBE_TXDCTL_ENABLE);
  assert_true(rig_read(rig, IXGBE_TXDCTL(queue)) & IXGBE_TXDCTL_ENABLE);
}

static inline void rig_rx_post(struct rig *rig, uint32_t i)
{
  union ixgbe_rx_desc *descriptor = rig_rx(rig, i);
  descriptor->read.packet_address = RIG_IOVA + RIG_RX_DATA + i % RIG_RING * RIG_RX_BUFFER;
  descriptor->read.header_address = 0;
}

/* A queue with all buffers of its ring but one. */
static inline void rig_rx_start(struct rig *rig, unsigned queue)
{
  rig->rx_head = 0;
  for (uint32_t i = 0; i < RIG_RING; i++)
    rig_rx_post(rig, i);
  rig_write(rig, IXGBE_RDBAL(queue), (uint32_t)(RIG_IOVA + RIG_RX_RING));
  rig_write(rig, IXGBE_RDBAH(queue), 0);
  rig_write(rig, IXGBE_RDLEN(queue), RIG_RING * IXGBE_DESC_BYTES);
  rig_write(rig, IXGBE_RDH(queue), 0);
  rig_write(rig, IXGBE_SRRCTL(queue),
            HW_FIELD(IXGBE_SRRCTL_BSIZEPACKET, RIG_RX_BUFFER / 1024) |
                HW_FIELD(IXGBE_SRRCTL_DESCTYPE, IXGBE_DESCTYPE_ONE_BUFFER));
  rig_write(rig, IXGBE_RXDCTL(queue), IXGBE_RXDCTL_ENABLE);
  assert_true(rig_read(rig, IXGBE_RXDCTL(queue)) & IXGBE_RXDCTL_ENABLE);
  rig_write(rig, IXGBE_RDT(queue), RIG_RING - 1);
  rig_write(rig, IXGBE_HLREG0, rig_read(rig, IXGBE_HLREG0) | IXGBE_HLREG0_RXCRCSTRP);
  rig_write(rig, IXGBE_RDRXCTL, rig_read(rig, IXGBE_RDRXCTL) | IXGBE_RDRXCTL_CRCSTRIP);
  rig_write(rig, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
}

/* Put one descriptor behind the tail, without telling the twin. Returns its index. */
static inline uint32_t rig_tx_put(struct rig *rig, uint64_t address, uint32_t command,
                                  uint32_t options)
{
  uint32_t i = rig->tx_tail;
  union ixgbe_tx_desc *descriptor = rig_tx(rig, i);
  descriptor->read.address = address;
  descriptor->read.cmd_type_len = command;
  descriptor->read.olinfo_status = options;
  rig->tx_tail = (i + 1) % RIG_RING;
  return i;
}

static inline void rig_tx_kick(struct rig *rig)
{
  rig_write(rig, IXGBE_TDT(rig->queue), rig->tx_tail);
  rig_poll(rig);
}

#define RIG_DATA (IXGBE_TXD_DEXT | IXGBE_TXD_DTYP_DATA | IXGBE_TXD_IFCS)
#define RIG_LAST (IXGBE_TXD_EOP | IXGBE_TXD_RS)

/* A frame in one advanced descriptor at RIG_TX_DATA + at. */
static inline uint32_t rig_tx_frame(struct rig *rig, uint32_t at, uint32_t bytes, uint32_t command,
                                    uint32_t options)
{
  return rig_tx_put(rig, RIG_IOVA + RIG_TX_DATA + at, RIG_DATA | RIG_LAST | command | bytes,
                    options | bytes << IXGBE_TXD_PAYLEN_SHIFT);
}

static inline void rig_tx_context(struct rig *rig, unsigned index, uint32_t vlan, uint32_t maclen,
                                  uint32_t iplen, uint32_t l4len, uint32_t mss, uint32_t tucmd)
{
  uint32_t i = rig->tx_tail;
  struct ixgbe_tx_context_desc *context = (struct ixgbe_tx_context_desc *)(void *)rig_tx(rig, i);
  context->vlan_maclen_iplen =
      vlan << IXGBE_TXC_VLAN_SHIFT | maclen << IXGBE_TXC_MACLEN_SHIFT | iplen;
  context->fcoe_sa_index = 0;
  context->type_tucmd = IXGBE_TXD_DEXT | IXGBE_TXD_DTYP_CONTEXT | tucmd;
  context->mss_l4len_idx =
      mss << IXGBE_TXC_MSS_SHIFT | l4len << IXGBE_TXC_L4LEN_SHIFT | HW_FIELD(IXGBE_TXC_IDX, index);
  rig->tx_tail = (i + 1) % RIG_RING;
}

static inline bool rig_tx_is_done(struct rig *rig, uint32_t i)
{
  return rig_tx(rig, i)->wb.status & IXGBE_TXD_STAT_DD;
}

/* The next frame that the twin has written back, all its buffers joined; NULL: none. */
struct rig_rx {
  uint32_t bytes, info, hash, status;
  uint16_t vlan;
  unsigned descriptors;
  uint8_t data[16384];
};

static inline const struct rig_rx *rig_rx_take(struct rig *rig)
{
  static struct rig_rx frame;
  memset(&frame, 0, sizeof(frame));
  while (true) {
    const union ixgbe_rx_desc *descriptor = rig_rx(rig, rig->rx_head);
    if (!(descriptor->wb.status_error & IXGBE_RXD_STAT_DD)) {
      assert_int_equal(frame.descriptors, 0); /* frames are written back whole */
      return NULL;
    }
    memcpy(frame.data + frame.bytes, rig_rx_buffer(rig, rig->rx_head), descriptor->wb.length);
    frame.bytes += descriptor->wb.length;
    frame.descriptors++;
    frame.info = descriptor->wb.info;
    frame.hash = descriptor->wb.hash;
    frame.status = descriptor->wb.status_error;
    frame.vlan = descriptor->wb.vlan;
    rig_rx_post(rig, rig->rx_head);
    rig->rx_head = (rig->rx_head + 1) % RIG_RING;
    if (frame.status & IXGBE_RXD_STAT_EOP)
      return &frame;
  }
}

/* ---- Frames ---- */

static inline void rig_ethernet(uint8_t *frame, const uint8_t to[6], uint16_t type)
{
  static const uint8_t from[6] = {0x02, 0, 0, 0, 0, 0x01};
  memcpy(frame, to, 6);
  memcpy(frame + 6, from, 6);
  shunt_store_be16(frame + 12, type);
}

static inline uint32_t rig_pseudo4(const uint8_t *ip, uint32_t l4_bytes)
{
  return shunt_checksum_pseudo(shunt_load_be32(ip + 12), shunt_load_be32(ip + 16), ip[9], l4_bytes);
}

/* Ethernet, IPv4 10.0.0.1 -> 10.0.0.2 and an L4 header of l4_header bytes, then a pattern, with
 * right checksums for TCP and UDP. Returns the length, 60 at least. */
static inline uint32_t rig_ipv4(uint8_t *frame, uint8_t protocol, uint16_t source_port,
                                uint16_t destination_port, uint32_t l4_header, uint32_t payload)
{
  uint32_t l4_bytes = l4_header + payload;
  uint8_t *ip = frame + 14;
  uint8_t *l4 = ip + 20;
  memset(frame, 0, 60);
  rig_ethernet(frame, rig_mac, 0x0800);
  memset(l4, 0, l4_header);
  for (uint32_t i = 0; i < payload; i++)
    l4[l4_header + i] = (uint8_t)(i * 7 + 3);
  ip[0] = 0x45;
  shunt_store_be16(ip + 2, (uint16_t)(20 + l4_bytes));
  shunt_store_be16(ip + 4, 0x1234);
  shunt_store_be16(ip + 6, 0x4000);
  ip[8] = 64;
  ip[9] = protocol;
  shunt_store_be16(ip + 10, 0);
  shunt_store_be32(ip + 12, 0x0A000001);
  shunt_store_be32(ip + 16, 0x0A000002);
  shunt_store_be16(ip + 10, shunt_checksum(ip, 20));
  shunt_store_be16(l4, source_port);
  shunt_store_be16(l4 + 2, destination_port);
  uint32_t sum_at = protocol == 6 ? 16 : 6;
  if (protocol == 6) {
    l4[12] = (uint8_t)(l4_header / 4 << 4);
    shunt_store_be32(l4 + 4, 0xFFFFFF00); /* sequence number, about to wrap */
  } else if (protocol == 17) {
    shunt_store_be16(l4 + 4, (uint16_t)l4_bytes);
  }
  if (protocol == 6 || protocol == 17)
    shunt_store_be16(l4 + sum_at, shunt_checksum_finish(
                                      shunt_checksum_add(rig_pseudo4(ip, l4_bytes), l4, l4_bytes)));
  uint32_t bytes = 34 + l4_bytes;
  return bytes < 60 ? 60 : bytes;
}

static inline uint32_t rig_udp(uint8_t *frame, uint16_t source_port, uint16_t destination_port,
                               uint32_t payload)
{
  return rig_ipv4(frame, 17, source_port, destination_port, 8, payload);
}

static inline uint32_t rig_tcp(uint8_t *frame, uint16_t source_port, uint16_t destination_port,
                               uint32_t payload)
{
  return rig_ipv4(frame, 6, source_port, destination_port, 20, payload);
}

/* ---- Set-up ---- */

static inline int rig_create_as(void **state, uint8_t trap)
{
  static const struct shunt_wire_end_ops ops = {.deliver = rig_keep};
  struct shunt_wire_options wire = {.size = sizeof(wire)};
  struct shunt_twin_ixgbe_options options = {.size = sizeof(options), .trap = trap};
  struct rig *rig = calloc(1, sizeof(*rig));
  if (!rig)
    return -1;
  rig->memory = aligned_alloc(4096, RIG_MEMORY_BYTES);
  if (!rig->memory || shunt_wire_create(&wire, &rig->wire, NULL) ||
      shunt_wire_attach(rig->wire, "far", &ops, rig, &rig->far, NULL) ||
      shunt_twin_ixgbe_create(&options, rig->wire, "twin", &rig->model, NULL) ||
      shunt_model_dma_map(rig->model, RIG_IOVA, rig->memory, RIG_MEMORY_BYTES, 1))
    return -1;
  memset(rig->memory, 0, RIG_MEMORY_BYTES);
  rig->twin = (struct twin_ixgbe *)rig->model;
  rig_poll(rig);
  rig_write(rig, IXGBE_RAL(0),
            rig_mac[0] | rig_mac[1] << 8 | rig_mac[2] << 16 | (uint32_t)rig_mac[3] << 24);
  rig_write(rig, IXGBE_RAH(0), rig_mac[4] | rig_mac[5] << 8 | IXGBE_RAH_AV);
  *state = rig;
  return 0;
}

static inline int rig_create(void **state)
{
  return rig_create_as(state, 1);
}

/* The same memory, of which each page is registered by itself and none lies behind the one before:
 * what a driver behind an IOMMU takes for one piece. */
static inline int rig_create_scattered(void **state)
{
  if (rig_create(state))
    return -1;
  struct rig *rig = *state;
  int fd = memfd_create("rig", MFD_CLOEXEC);
  free(rig->memory);
  rig->scattered = mmap(NULL, RIG_MEMORY_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (ftruncate(fd, RIG_MEMORY_BYTES))
    return -1;
  rig->memory = mmap(NULL, RIG_MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  shunt_model_dma_unmap(rig->model, RIG_IOVA, RIG_MEMORY_BYTES);
  for (uint32_t at = 0; at < RIG_MEMORY_BYTES; at += RIG_PAGE) {
    uint8_t *page = mmap(rig->scattered + RIG_MEMORY_BYTES - RIG_PAGE - at, RIG_PAGE,
                         PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, at);
    if (page == MAP_FAILED || shunt_model_dma_map(rig->model, RIG_IOVA + at, page, RIG_PAGE, 1))
      return -1;
  }
  return close(fd);
}

static inline int rig_destroy(void **state)
{
  struct rig *rig = *state;
  shunt_model_destroy(rig->model);
  shunt_wire_destroy(rig->wire);
  if (rig->scattered) {
    munmap(rig->memory, RIG_MEMORY_BYTES);
    munmap(rig->scattered, RIG_MEMORY_BYTES);
  } else {
    free(rig->memory);
  }
  free(rig);
  return 0;
}

#define RIG_TEST(function) cmocka_unit_test_setup_teardown(function, rig_create, rig_destroy)

#endif
