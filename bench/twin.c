/* SPDX-License-Identifier: BSD-2-Clause */
/* make cost: instructions that the software 82599 and the wire spend on a frame, counted by
 * callgrind, and those of the software EFA (bench/twin_efa.c). Whoever runs a twin pays them; the
 * driver's own are counted by bench/cost.c.
 *
 * A round is a burst of BURST frames, UDP in IPv4 from one address to another, and holds what the
 * devices' thread does: the tails' write where it is trapped, and turns of the wire. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

#include "bench/callgrind.h"
#include "bench/twin_efa.h"
#include "hw/ixgbe.h"
#include "hw/ixgbe_desc.h"
#include "shunt/bytes.h"
#include "shunt/checksum.h"
#include "shunt/model.h"
#include "shunt/twin.h"
#include "shunt/wire.h"

#define BURST        32u
#define ROUNDS       256u
#define RING         512u
#define BUFFER_BYTES 2048u
#define RINGS_IOVA   UINT64_C(0x40000000) /* rings and buffers are registered apart */
#define DATA_IOVA    UINT64_C(0x80000000)
#define TX_RING      0u /* offsets into a twin's memory */
#define RX_RING      (RING * IXGBE_DESC_BYTES)
#define TX_DATA      (64u << 10)
#define RX_DATA      (TX_DATA + RING * BUFFER_BYTES)
#define MEMORY_BYTES (RX_DATA + RING * BUFFER_BYTES)
#define FCS_BYTES    4u

/* A twin with one queue each way, and what its driver knows. */
struct side {
  struct shunt_model *model;
  uint8_t *memory;
  uint32_t tx_tail, rx_tail;
};

struct rig {
  struct shunt_wire *wire;
  struct side from, to;
  struct shunt_wire_end *far; /* of our own: sends, or swallows */
  uint64_t now_ns;
  uint32_t bytes;
  uint8_t frame[BUFFER_BYTES];
};

/* ---- A driver that does no more than it must ---- */

static void side_write(struct side *side, uint32_t offset, uint32_t value)
{
  shunt_model_bar_write(side->model, IXGBE_BAR_REGISTERS, offset, 4, value);
}

/* As a driver does: a store where the page is shared, else an access that the twin sees. */
static inline void side_tail(struct side *side, uint32_t offset, uint32_t value)
{
  uint8_t *memory = side->model->bars[IXGBE_BAR_REGISTERS].memory;
  if (memory)
    __atomic_store_n((uint32_t *)(void *)(memory + offset), value, __ATOMIC_RELEASE);
  else
    side_write(side, offset, value);
}

static void side_start(struct side *side)
{
  uint64_t rx = RINGS_IOVA + RX_RING;
  side_write(side, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
  side_write(side, IXGBE_TDBAL(0u), (uint32_t)(RINGS_IOVA + TX_RING));
  side_write(side, IXGBE_TDLEN(0u), RING * IXGBE_DESC_BYTES);
  side_write(side, IXGBE_TXDCTL(0u), IXGBE_TXDCTL_ENABLE);
  side_write(side, IXGBE_RDBAL(0u), (uint32_t)rx);
  side_write(side, IXGBE_RDLEN(0u), RING * IXGBE_DESC_BYTES);
  side_write(side, IXGBE_SRRCTL(0u),
             HW_FIELD(IXGBE_SRRCTL_BSIZEPACKET, BUFFER_BYTES / 1024) |
                 HW_FIELD(IXGBE_SRRCTL_DESCTYPE, IXGBE_DESCTYPE_ONE_BUFFER) | IXGBE_SRRCTL_DROP_EN);
  side_write(side, IXGBE_RXDCTL(0u), IXGBE_RXDCTL_ENABLE);
  side_write(side, IXGBE_HLREG0, IXGBE_HLREG0_RXCRCSTRP | IXGBE_HLREG0_TXPADEN);
  side_write(side, IXGBE_RDRXCTL, IXGBE_RDRXCTL_CRCSTRIP);
  side_write(side, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
}

static int side_open(struct side *side, struct rig *rig, const char *name, uint8_t trap)
{
  struct shunt_twin_ixgbe_options options = {.size = sizeof(options), .trap = trap};
  memset(side, 0, sizeof(*side));
  side->memory = aligned_alloc(4096, MEMORY_BYTES);
  if (!side->memory || shunt_twin_ixgbe_create(&options, rig->wire, name, &side->model, NULL) ||
      shunt_model_dma_map(side->model, RINGS_IOVA, side->memory, TX_DATA, 1) ||
      shunt_model_dma_map(side->model, DATA_IOVA + TX_DATA, side->memory + TX_DATA,
                          MEMORY_BYTES - TX_DATA, 1))
    return -1;
  memset(side->memory, 0, MEMORY_BYTES);
  side_start(side);
  return 0;
}

static void side_close(struct side *side)
{
  shunt_model_destroy(side->model);
  free(side->memory);
}

static void side_tx_fill(struct side *side, const struct rig *rig)
{
  union ixgbe_tx_desc *ring = (union ixgbe_tx_desc *)(void *)(side->memory + TX_RING);
  for (unsigned i = 0; i < BURST; i++, side->tx_tail = (side->tx_tail + 1) % RING) {
    uint32_t at = TX_DATA + side->tx_tail * BUFFER_BYTES;
    memcpy(side->memory + at, rig->frame, rig->bytes);
    ring[side->tx_tail].read.address = DATA_IOVA + at;
    ring[side->tx_tail].read.cmd_type_len = IXGBE_TXD_DEXT | IXGBE_TXD_DTYP_DATA | IXGBE_TXD_IFCS |
                                            IXGBE_TXD_EOP | IXGBE_TXD_RS | rig->bytes;
    ring[side->tx_tail].read.olinfo_status = HW_FIELD(IXGBE_TXD_PAYLEN, rig->bytes);
  }
}

static void side_rx_fill(struct side *side)
{
  union ixgbe_rx_desc *ring = (union ixgbe_rx_desc *)(void *)(side->memory + RX_RING);
  for (unsigned i = 0; i < BURST; i++, side->rx_tail = (side->rx_tail + 1) % RING) {
    ring[side->rx_tail].read.packet_address = DATA_IOVA + RX_DATA + side->rx_tail * BUFFER_BYTES;
    ring[side->rx_tail].read.header_address = 0;
  }
}

/* Were the last burst's descriptors written back, each with a frame's length? */
static int side_received(const struct side *side, uint32_t bytes)
{
  const union ixgbe_rx_desc *ring = (const void *)(side->memory + RX_RING);
  for (unsigned i = 1; i <= BURST; i++) {
    const union ixgbe_rx_desc *descriptor = &ring[(side->rx_tail + RING - i) % RING];
    if (!(descriptor->wb.status_error & IXGBE_RXD_STAT_DD) || descriptor->wb.length != bytes)
      return 0;
  }
  return 1;
}

/* ---- What is counted ---- */

#define COUNTED __attribute__((noinline)) static void

COUNTED twin_round_tx_rx(struct rig *rig)
{
  side_tail(&rig->to, IXGBE_RDT(0u), rig->to.rx_tail);
  side_tail(&rig->from, IXGBE_TDT(0u), rig->from.tx_tail);
  shunt_wire_poll(rig->wire, rig->now_ns);
}

COUNTED twin_round_tx(struct rig *rig)
{
  side_tail(&rig->from, IXGBE_TDT(0u), rig->from.tx_tail);
  shunt_wire_poll(rig->wire, rig->now_ns);
}

COUNTED twin_round_rx(struct rig *rig)
{
  const struct iovec piece = {rig->frame, rig->bytes};
  side_tail(&rig->to, IXGBE_RDT(0u), rig->to.rx_tail);
  for (unsigned i = 0; i < BURST; i++)
    shunt_wire_send(rig->far, &piece, 1, rig->now_ns);
}

COUNTED twin_round_idle(struct rig *rig)
{
  for (unsigned i = 0; i < BURST; i++)
    shunt_model_poll(rig->to.model, rig->now_ns);
}

static const struct workload {
  const char *name, *what;
  void (*round)(struct rig *rig);
  int sends, receives; /* which twins there are */
} workloads[] = {
    {"tx-rx", "Tx, wire, Rx", twin_round_tx_rx, 1, 1},
    {"tx", "Tx, wire", twin_round_tx, 1, 0},
    {"rx", "wire, Rx", twin_round_rx, 0, 1},
    {"idle", "a poll", twin_round_idle, 0, 1},
};
#define WORKLOADS (sizeof(workloads) / sizeof(workloads[0]))
static const char *const modes[] = {"shared", "trap"};
static const uint32_t sizes[] = {64, 512, 1500}; /* with FCS */
#define MODES (sizeof(modes) / sizeof(modes[0]))
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* Told apart: a chip copies and sums as well. */
static const char *const apart[] = {"memcpy",   "__memcpy",       "memmove", "__memmove",
                                    "__GI_mem", "shunt_checksum", NULL};

/* ---- The worker, under callgrind ---- */

static void swallow(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  (void)context, (void)frame, (void)bytes, (void)now_ns;
}

static void frame_build(struct rig *rig, uint32_t bytes)
{
  static const uint8_t head[] = {2,  0,    0, 0x82, 0x59, 0x90, 2, 0,  0, 0,  0,  1, 8,
                                 0,  0x45, 0, 0,    0,    0,    1, 64, 0, 64, 17, 0, 0,
                                 10, 0,    0, 1,    10,   0,    0, 2,  0, 7,  0,  9};
  uint8_t *ip = rig->frame + 14, *udp = ip + 20;
  uint32_t udp_bytes = bytes - 34;
  rig->bytes = bytes;
  for (uint32_t i = 0; i < bytes; i++)
    rig->frame[i] = (uint8_t)i;
  memcpy(rig->frame, head, sizeof(head));
  shunt_store_be16(ip + 2, (uint16_t)(bytes - 14));
  shunt_store_be16(ip + 10, shunt_checksum(ip, 20));
  shunt_store_be16(udp + 4, (uint16_t)udp_bytes);
  shunt_store_be16(udp + 6, 0);
  uint32_t sum = shunt_checksum_pseudo(0x0A000001, 0x0A000002, 17, udp_bytes);
  shunt_store_be16(udp + 6, shunt_checksum_finish(shunt_checksum_add(sum, udp, udp_bytes)));
}

static int rig_open(struct rig *rig, const struct workload *workload, uint8_t trap, uint32_t bytes)
{
  static const struct shunt_wire_end_ops ops = {.deliver = swallow};
  struct shunt_wire_options options = {.size = sizeof(options)};
  memset(rig, 0, sizeof(*rig));
  frame_build(rig, bytes);
  if (shunt_wire_create(&options, &rig->wire, NULL) ||
      (workload->sends && side_open(&rig->from, rig, "from", trap)) ||
      (workload->receives && side_open(&rig->to, rig, "to", trap)))
    return -1;
  if (workload->sends && workload->receives)
    return 0;
  return shunt_wire_attach(rig->wire, "far", &ops, rig, &rig->far, NULL);
}

static void rig_close(struct rig *rig)
{
  if (rig->from.model)
    side_close(&rig->from);
  if (rig->to.model)
    side_close(&rig->to);
  shunt_wire_destroy(rig->wire);
}

static int rig_round(struct rig *rig, const struct workload *workload)
{
  int is_moving = workload->round != twin_round_idle;
  rig->now_ns += 1000;
  if (workload->sends)
    side_tx_fill(&rig->from, rig);
  if (workload->receives && is_moving)
    side_rx_fill(&rig->to);
  workload->round(rig);
  return workload->receives && is_moving && !side_received(&rig->to, rig->bytes);
}

static int series(const struct workload *workload, uint8_t trap, uint32_t size)
{
  static struct rig rig;
  char words[64];
  int failed = rig_open(&rig, workload, trap, size - FCS_BYTES);
  for (unsigned i = 0; i < ROUNDS && !failed; i++) /* not counted: the twins settle */
    failed = rig_round(&rig, workload);
  CALLGRIND_ZERO_STATS;
  for (unsigned i = 0; i < ROUNDS && !failed; i++)
    failed = rig_round(&rig, workload);
  snprintf(words, sizeof(words), "ixgbe-twin %s %s %u", modes[trap], workload->name, size);
  CALLGRIND_DUMP_STATS_AT(words);
  rig_close(&rig);
  if (failed)
    fprintf(stderr, "shunt-twin-cost: %s: frames were lost\n", words);
  return failed;
}

static int work(void)
{
  for (unsigned mode = 0; mode < MODES; mode++)
    for (unsigned w = 0; w < WORKLOADS; w++)
      for (unsigned s = 0; s < (workloads[w].round == twin_round_idle ? 1 : SIZES); s++)
        if (series(&workloads[w], (uint8_t)mode, sizes[s]))
          return 1;
  return twin_efa_work();
}

/* ---- The parent ---- */

#define SERIES (MODES * WORKLOADS * SIZES + TWIN_EFA_SERIES) /* at most */

struct result {
  char device[16], mode[16], workload[16];
  unsigned size;
  double instructions, beyond;
};

static void add_to(struct json_object *list, const struct result *result)
{
  struct json_object *entry = json_object_new_object();
  json_object_object_add(entry, "device", json_object_new_string(result->device));
  json_object_object_add(entry, "mode", json_object_new_string(result->mode));
  json_object_object_add(entry, "workload", json_object_new_string(result->workload));
  json_object_object_add(entry, "frame_bytes", json_object_new_int((int)result->size));
  json_object_object_add(entry, "instructions", json_object_new_double(result->instructions));
  json_object_object_add(entry, "beyond_copy_and_sum", json_object_new_double(result->beyond));
  json_object_array_add(list, entry);
}

static unsigned place_of(const struct result *result)
{
  unsigned place = 0;
  while (place < WORKLOADS && strcmp(workloads[place].name, result->workload) != 0)
    place++;
  return place;
}

/* In the order of the tables; those of a workload by size. */
static int compare(const void *left, const void *right)
{
  const struct result *a = left, *b = right;
  int order = -strcmp(a->device, b->device);
  order = order ? order : strcmp(a->mode, b->mode);
  order = order ? order : (int)place_of(a) - (int)place_of(b);
  order = order ? order : strcmp(a->workload, b->workload);
  return order ? order : (int)a->size - (int)b->size;
}

static int report(struct result results[], unsigned n, const char *path)
{
  struct json_object *list = json_object_new_array();
  qsort(results, n, sizeof(results[0]), compare);
  printf("%-10s %-7s %-14s %6s %12s %20s\n", "device", "mode", "work", "frame", "instructions",
         "beyond copy and sum");
  for (unsigned i = 0; i < n; i++) {
    const struct result *result = &results[i];
    unsigned place = place_of(result);
    printf("%-10s %-7s %-14s %6u %12.1f %20.1f\n", result->device, result->mode,
           place < WORKLOADS ? workloads[place].what : twin_efa_what(result->workload),
           result->size, result->instructions, result->beyond);
    add_to(list, result);
  }
  int failed = json_object_to_file_ext(path, list, JSON_C_TO_STRING_PRETTY);
  json_object_put(list);
  if (failed)
    fprintf(stderr, "shunt-twin-cost: can't write %s\n", path);
  return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
  static struct callgrind_count counts[SERIES];
  static struct result results[SERIES];
  if (argc == 2 && !strcmp(argv[1], "--worker"))
    return work();
  if (argc != 2) {
    fprintf(stderr, "usage: shunt-twin-cost FILE.json\n");
    return 2;
  }
  int series = callgrind_run(argv[0], "twin_round_*", apart, counts, SERIES);
  if (series < 0)
    return 1;
  unsigned n = 0;
  for (int i = 0; i < series; i++) {
    struct result *result = &results[n];
    if (sscanf(counts[i].words, "%15s %15s %15s %u", result->device, result->mode, result->workload,
               &result->size) != 4)
      continue; /* what the worker's end dumps */
    double rounds = strcmp(result->device, "efa-twin") ? ROUNDS * BURST : TWIN_EFA_MESSAGES;
    result->instructions = (double)counts[i].instructions / rounds;
    result->beyond = (double)(counts[i].instructions - counts[i].apart) / rounds;
    n++;
  }
  const unsigned expected = MODES * ((WORKLOADS - 1) * SIZES + 1) + TWIN_EFA_SERIES;
  if (n != expected) {
    fprintf(stderr, "shunt-twin-cost: callgrind gave %u of %u counts\n", n, expected);
    return 1;
  }
  return report(results, n, argv[1]);
}
