/* SPDX-License-Identifier: BSD-2-Clause */
/* The software 82599 against a driver that does anything: registers, configuration space, memory
 * that comes and goes, descriptors, frames, turns.
 *
 * The first byte of an input chooses the twin: bit 0, all trapped; bits 1-2, the device; bits 3-4,
 * the module. Then follow steps: a byte whose low four bits say what is done (enum step), the high
 * four being its argument, and the operands that the step takes. Numbers are little-endian; an
 * input that ends early reads zeros.
 *
 * Memory is registered from between pages that can't be touched, and some of it read only: the
 * latter must never change. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "twin/ixgbe/ixgbe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAGE_BYTES      4096u
#define WRITABLE_BYTES  (16u * PAGE_BYTES)
#define READ_ONLY_BYTES (4u * PAGE_BYTES)
#define WRITABLE_IOVA   0x100000u
#define READ_ONLY_IOVA  0x200000u
#define STEPS_MAX       512u
#define POLLS_MAX       48u
/* What one poll may do: a budget for each Tx queue, frames out of the packet buffer, interrupts. */
#define POLL_BOUND                                                                                 \
  (TWIN_IXGBE_QUEUES * TWIN_IXGBE_POLL_BUDGET + TWIN_IXGBE_PACKET_BUFFER_BYTES / 16 +              \
   TWIN_IXGBE_VECTORS)

enum step {
  STEP_READ,          /* arg: size, BAR; offset (4) */
  STEP_WRITE,         /* likewise; value (8) */
  STEP_REGISTER,      /* of the list below; index (1), queue (1), value (4) */
  STEP_REGISTER_READ, /* index (1), queue (1) */
  STEP_MAP,           /* arg: which memory; device page (2), first page (1), pages (1) */
  STEP_UNMAP,         /* device address / 64 (4), length / 64 (2) */
  STEP_FILL,          /* arg: which memory; offset (2), length (1), bytes */
  STEP_FRAME,         /* length (2), how much is given (1), bytes */
  STEP_POLL,          /* arg: shift; nanoseconds (1) */
  STEP_CONFIG,        /* arg: size; offset (2), value (4) */
  STEP_SHARED,        /* offset / 4 in shared pages (2), value (4) */
  STEP_CABLE,         /* arg: which end, in or out */
  STEP_RESET,
  STEP_DESCRIPTOR, /* slot (2), 16 bytes */
};

struct input {
  const uint8_t *at;
  size_t left;
};

struct state {
  struct shunt_wire *wire;
  struct shunt_wire_end *far;
  struct shunt_model *model;
  uint8_t *writable, *read_only;
  uint8_t expected[READ_ONLY_BYTES]; /* what read_only holds */
  uint64_t now_ns;
  unsigned polls;
};

static void require(bool condition)
{
  if (!condition)
    abort();
}

static uint64_t take(struct input *input, unsigned bytes)
{
  uint64_t value = 0;
  for (unsigned i = 0; i < bytes && input->left; i++) {
    value |= (uint64_t)*input->at++ << (8 * i);
    input->left--;
  }
  return value;
}

/* Copy what is given of n bytes; returns how much that was. */
static size_t take_bytes(struct input *input, uint8_t *to, size_t n)
{
  size_t given = n < input->left ? n : input->left;
  memcpy(to, input->at, given);
  input->at += given;
  input->left -= given;
  return given;
}

/* ---- Registers that lead somewhere, so that an input need not guess their offsets ---- */

#define LISTED_QUEUED 18u

static uint32_t listed_register(unsigned index, unsigned queue)
{
  unsigned q = queue % TWIN_IXGBE_QUEUES;
  const uint32_t queued[LISTED_QUEUED] = {
      IXGBE_RDBAL(q),  IXGBE_RDBAH(q),  IXGBE_RDLEN(q),  IXGBE_RDH(q),    IXGBE_RDT(q),
      IXGBE_RXDCTL(q), IXGBE_SRRCTL(q), IXGBE_TDBAL(q),  IXGBE_TDBAH(q),  IXGBE_TDLEN(q),
      IXGBE_TDH(q),    IXGBE_TDT(q),    IXGBE_TXDCTL(q), IXGBE_TDWBAL(q), IXGBE_IVAR(q / 2),
      IXGBE_RAL(q),    IXGBE_RAH(q),    IXGBE_FTQF(q)};
  static const uint32_t single[] = {
      IXGBE_CTRL,        IXGBE_RXCTRL,      IXGBE_DMATXCTL,   IXGBE_HLREG0,     IXGBE_FCTRL,
      IXGBE_MAXFRS,      IXGBE_VLNCTRL,     IXGBE_MRQC,       IXGBE_RXCSUM,     IXGBE_RDRXCTL,
      IXGBE_GPIE,        IXGBE_EICS,        IXGBE_EIMS,       IXGBE_EIAC,       IXGBE_EIAM,
      IXGBE_EIMS_EX(0),  IXGBE_IVAR_MISC,   IXGBE_EICR,       IXGBE_MCSTCTRL,   IXGBE_CTRL_EXT,
      IXGBE_SECRXCTRL,   IXGBE_SECTXCTRL,   IXGBE_AUTOC,      IXGBE_EEC,        IXGBE_EERD,
      IXGBE_I2CCTL,      IXGBE_MSCA,        IXGBE_TSYNCRXCTL, IXGBE_TSYNCTXCTL, IXGBE_TIMINCA,
      IXGBE_RXMTRL,      IXGBE_ETQF(0),     IXGBE_ETQS(0),    IXGBE_SYNQF,      IXGBE_FDIRCTRL,
      IXGBE_FDIRHASH,    IXGBE_FDIRCMD,     IXGBE_FDIRIPSA,   IXGBE_FDIRIPDA,   IXGBE_FDIRPORT,
      IXGBE_FDIRVLAN,    IXGBE_FDIRM,       IXGBE_RETA(0),    IXGBE_RSSRK(0),   IXGBE_PSRTYPE(0),
      IXGBE_L34TIMIR(0), IXGBE_SDPQF(0),    IXGBE_SAQF(0),    IXGBE_DAQF(0),    IXGBE_RFCTL,
      IXGBE_DTXTCPFLGL,  IXGBE_RXPBSIZE(0), IXGBE_EITR(0),    IXGBE_ESDP,       IXGBE_EEWR};
  const unsigned singles = sizeof(single) / sizeof(single[0]);
  index %= LISTED_QUEUED + singles;
  return index < LISTED_QUEUED ? queued[index] : single[index - LISTED_QUEUED];
}

/* ---- Steps ---- */

static unsigned step_bar(unsigned argument)
{
  static const uint8_t bars[] = {IXGBE_BAR_REGISTERS, IXGBE_BAR_MSIX, 2, 7};
  return bars[argument >> 2 & 3];
}

static void step_map(struct state *state, struct input *input, unsigned argument)
{
  bool is_writable = !(argument & 1);
  uint64_t iova = take(input, 2) * PAGE_BYTES;
  unsigned pages = is_writable ? WRITABLE_BYTES / PAGE_BYTES : READ_ONLY_BYTES / PAGE_BYTES;
  unsigned first = (unsigned)take(input, 1) % pages;
  unsigned count = 1 + (unsigned)take(input, 1) % (pages - first);
  uint8_t *memory = (is_writable ? state->writable : state->read_only) + first * PAGE_BYTES;
  shunt_model_dma_map(state->model, iova, memory, count * PAGE_BYTES, is_writable);
}

static void step_fill(struct state *state, struct input *input, unsigned argument)
{
  uint8_t bytes[256];
  size_t offset = take(input, 2);
  size_t n = take_bytes(input, bytes, take(input, 1));
  if (argument & 1) {
    offset %= READ_ONLY_BYTES - sizeof(bytes);
    memcpy(state->read_only + offset, bytes, n);
    memcpy(state->expected + offset, bytes, n);
    return;
  }
  memcpy(state->writable + offset % (WRITABLE_BYTES - sizeof(bytes)), bytes, n);
}

static void step_frame(struct state *state, struct input *input)
{
  static uint8_t frame[SHUNT_WIRE_FRAME_BYTES];
  memset(frame, 0, sizeof(frame));
  size_t bytes = take(input, 2) % sizeof(frame) + 1;
  size_t given = take(input, 1);
  take_bytes(input, frame, given < bytes ? given : bytes);
  struct iovec piece = {frame, bytes};
  shunt_wire_send(state->far, &piece, 1, state->now_ns);
}

static void step_poll(struct state *state, struct input *input, unsigned argument)
{
  state->now_ns += take(input, 1) << argument;
  if (state->polls++ >= POLLS_MAX)
    return;
  require(shunt_model_poll(state->model, state->now_ns) <= POLL_BOUND);
}

static void step_shared(struct state *state, struct input *input)
{
  const struct shunt_model_bar *bar = &state->model->bars[IXGBE_BAR_REGISTERS];
  uint64_t offset = take(input, 2) * 4;
  uint32_t value = (uint32_t)take(input, 4);
  for (unsigned i = 0; i < bar->area_count; i++)
    if (offset >= bar->areas[i].offset && offset - bar->areas[i].offset < bar->areas[i].bytes)
      __atomic_store_n((uint32_t *)(void *)((uint8_t *)bar->memory + offset), value,
                       __ATOMIC_RELEASE);
}

static void step_cable(struct state *state, unsigned argument)
{
  struct shunt_wire_end *end = argument & 1 ? state->far : shunt_twin_ixgbe_end(state->model);
  if (argument & 2)
    shunt_wire_cut(end);
  else
    shunt_wire_join(end);
}

static void step_config(struct state *state, struct input *input, unsigned argument)
{
  unsigned offset = (unsigned)take(input, 2), bytes = 1u << (argument & 3);
  shunt_model_config_read(state->model, offset, bytes);
  shunt_model_config_write(state->model, offset, bytes, (uint32_t)take(input, 4));
}

static void step_descriptor(struct state *state, struct input *input)
{
  size_t slot = take(input, 2) % (WRITABLE_BYTES / IXGBE_DESC_BYTES);
  take_bytes(input, state->writable + slot * IXGBE_DESC_BYTES, IXGBE_DESC_BYTES);
}

static void step(struct state *state, struct input *input)
{
  unsigned what = (unsigned)take(input, 1), argument = what >> 4;
  unsigned index, queue, bytes = 1u << (argument & 3);
  uint64_t offset;
  switch (what & 0xF) {
  case STEP_READ:
    shunt_model_bar_read(state->model, step_bar(argument), take(input, 4), bytes);
    return;
  case STEP_WRITE:
    offset = take(input, 4);
    shunt_model_bar_write(state->model, step_bar(argument), offset, bytes, take(input, 8));
    return;
  case STEP_REGISTER:
    index = (unsigned)take(input, 1);
    queue = (unsigned)take(input, 1);
    shunt_model_bar_write(state->model, 0, listed_register(index, queue), 4, take(input, 4));
    return;
  case STEP_REGISTER_READ:
    index = (unsigned)take(input, 1);
    queue = (unsigned)take(input, 1);
    shunt_model_bar_read(state->model, 0, listed_register(index, queue), 4);
    return;
  case STEP_MAP:
    step_map(state, input, argument);
    return;
  case STEP_UNMAP:
    offset = take(input, 4) * 64;
    shunt_model_dma_unmap(state->model, offset, take(input, 2) * 64);
    return;
  case STEP_FILL:
    step_fill(state, input, argument);
    return;
  case STEP_FRAME:
    step_frame(state, input);
    return;
  case STEP_POLL:
    step_poll(state, input, argument);
    return;
  case STEP_CONFIG:
    step_config(state, input, argument);
    return;
  case STEP_SHARED:
    step_shared(state, input);
    return;
  case STEP_CABLE:
    step_cable(state, argument);
    return;
  case STEP_RESET:
    shunt_model_reset(state->model);
    return;
  case STEP_DESCRIPTOR:
    step_descriptor(state, input);
    return;
  default:
    return;
  }
}

/* ---- Set-up ---- */

/* Memory between two pages that fault. */
static uint8_t *guarded(size_t bytes)
{
  uint8_t *memory = mmap(NULL, bytes + 2 * PAGE_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  require(memory != MAP_FAILED);
  require(!mprotect(memory, PAGE_BYTES, PROT_NONE));
  require(!mprotect(memory + PAGE_BYTES + bytes, PAGE_BYTES, PROT_NONE));
  return memory + PAGE_BYTES;
}

static void unguard(uint8_t *memory, size_t bytes)
{
  munmap(memory - PAGE_BYTES, bytes + 2 * PAGE_BYTES);
}

static void interrupt(void *context, unsigned vector, int level)
{
  (void)context;
  (void)level;
  require(vector < TWIN_IXGBE_VECTORS || vector == SHUNT_MODEL_INTX);
}

static void far_deliver(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  static volatile uint8_t sink;
  (void)context;
  (void)now_ns;
  require(bytes > 0 && bytes <= SHUNT_WIRE_FRAME_BYTES);
  sink = ((const uint8_t *)frame)[bytes - 1];
  (void)sink;
}

static void state_open(struct state *state, uint8_t choice)
{
  static const uint16_t devices[] = {0x10FB, 0x10F9, 0x10FC, 0x10FB};
  static const struct shunt_wire_end_ops far_ops = {.deliver = far_deliver};
  const struct shunt_wire_options wire_options = {.size = sizeof(wire_options)};
  const struct shunt_twin_ixgbe_options options = {.size = sizeof(options),
                                                   .device_id = devices[choice >> 1 & 3],
                                                   .module = (choice >> 3 & 3) % 3,
                                                   .trap = choice & 1};
  const struct shunt_model_host host = {NULL, interrupt};
  state->writable = guarded(WRITABLE_BYTES);
  state->read_only = guarded(READ_ONLY_BYTES);
  require(!shunt_wire_create(&wire_options, &state->wire, NULL));
  require(!shunt_wire_attach(state->wire, "far", &far_ops, state, &state->far, NULL));
  require(!shunt_twin_ixgbe_create(&options, state->wire, "twin", &state->model, NULL));
  shunt_model_attach(state->model, &host);
  require(!shunt_model_dma_map(state->model, WRITABLE_IOVA, state->writable, WRITABLE_BYTES, 1));
  require(!shunt_model_dma_map(state->model, READ_ONLY_IOVA, state->read_only, READ_ONLY_BYTES, 0));
}

static void state_close(struct state *state)
{
  require(shunt_model_bar_read(state->model, 0, IXGBE_STATUS, 4) != UINT32_MAX);
  require(!memcmp(state->read_only, state->expected, READ_ONLY_BYTES));
  shunt_model_destroy(state->model);
  shunt_wire_destroy(state->wire);
  unguard(state->writable, WRITABLE_BYTES);
  unguard(state->read_only, READ_ONLY_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct input input = {data, size};
  struct state state = {0};
  state_open(&state, (uint8_t)take(&input, 1));
  for (unsigned i = 0; i < STEPS_MAX && input.left; i++)
    step(&state, &input);
  state_close(&state);
  return 0;
}
