/* SPDX-License-Identifier: BSD-2-Clause */
/* An ef_vi program that does whatever it likes with an interface on a software 82599, and a station
 * that sends it whatever it likes. The first byte says what kind of interface, and whether frames
 * may be long; then the input is a list of steps, each a byte and what it takes:
 *
 *    0  a buffer is put on the ring     1  ... pushed              2  a frame arrives
 *    3  events are polled               4  a packet is put         5  ... of pieces
 *    6  packets are pushed              7  ... taken back          8  the rings are flushed
 *    9  a filter is added              10  a filter is removed    11  warming begins or ends
 *   12  buffers get another length     13  CTPIO or PIO           14  an alternative changes
 *   15  an event that never was is unbundled; or time passes
 *
 * What must hold: ids come back in the order in which they were given, none twice and none that was
 * not given; rings hold what was put less what came back; every error is one that the call may
 * have; nothing is written outside the program's memory, whose neighbours can't be touched; and at
 * the end all can be freed. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <etherfabric/memreg.h>
#include <etherfabric/pd.h>
#include <etherfabric/pio.h>
#include <etherfabric/vi.h>

#include "src/efvi/efvi.h"

#define BUFS      64u
#define BUF_BYTES 2048u
#define MEMORY    (BUFS * BUF_BYTES)
#define PAGE      4096u
#define EVENTS    16
#define LONGEST   9100u
#define KINDS     5u
#define COOKIES   8u
#define STEPS     512u  /* of an input */
#define TURN_NS   5000u /* between turns of the card; to open one takes 100 ms of its time */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
  const uint8_t *at, *end;
};

struct program {
  struct shunt_virtual_clock time;
  struct shunt_clock clock;
  struct shunt_testbed *testbed;
  struct shunt_wire_end *peer;
  ef_driver_handle handle;
  ef_pd pd;
  ef_vi vi;
  ef_memreg memreg;
  ef_pio pio;
  uint8_t *mapping, *memory; /* between two pages that can't be touched */
  ef_filter_cookie cookies[COOKIES];
  unsigned cookie_count;
  uint32_t rx_given, rx_back; /* ids: each is one more than the one before */
  uint32_t tx_given, tx_back;
  bool inside;      /* a packet whose last piece has not come */
  uint32_t longest; /* frame that arrives */
  bool warm;
};

static void must(bool holds)
{
  if (!holds)
    __builtin_trap();
}

static uint8_t take8(struct input *input)
{
  return input->at < input->end ? *input->at++ : 0;
}

static uint32_t take32(struct input *input)
{
  uint32_t value = 0;
  for (int i = 0; i < 4; i++)
    value = value << 8 | take8(input);
  return value;
}

/* An address of a packet or buffer: mostly registered. */
static ef_addr take_address(struct program *program, struct input *input)
{
  const uint8_t kind = take8(input);
  const uint32_t offset = take32(input);
  if (kind < 0xE0)
    return ef_memreg_dma_addr(&program->memreg, (kind % BUFS) * BUF_BYTES + offset % 256);
  if (kind < 0xF0)
    return ef_memreg_dma_addr(&program->memreg, 0) + offset % (2 * MEMORY);
  return (ef_addr)offset << (kind & 0xF) << 20;
}

/* --- What comes back ----------------------------------------------------------------------------
 */

static void received(struct program *program, uint32_t id)
{
  must(program->rx_back != program->rx_given && id == program->rx_back);
  program->rx_back++;
}

static void sent(struct program *program, const ef_event *event)
{
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  const int n = ef_vi_transmit_unbundle(&program->vi, event, ids);
  must(n >= 0 && n <= EF_VI_TRANSMIT_BATCH);
  for (int i = 0; i < n; i++) { /* some were taken back, so ids may be left out */
    must((uint32_t)ids[i] >= program->tx_back && (uint32_t)ids[i] < program->tx_given);
    program->tx_back = (uint32_t)ids[i] + 1;
  }
}

static void event_read(struct program *program, const ef_event *event)
{
  ef_request_id ids[EF_VI_RECEIVE_BATCH];
  int n;
  switch (EF_EVENT_TYPE(*event)) {
  case EF_EVENT_TYPE_RX:
  case EF_EVENT_TYPE_RX_DISCARD:
    must(!EF_EVENT_RX_SOP(*event) == program->inside);
    must(EF_EVENT_RX_BYTES(*event) > 0);
    program->inside = EF_EVENT_RX_CONT(*event);
    received(program, EF_EVENT_RX_RQ_ID(*event));
    break;
  case EF_EVENT_TYPE_RX_MULTI:
  case EF_EVENT_TYPE_RX_MULTI_DISCARD:
    n = ef_vi_receive_unbundle(&program->vi, event, ids);
    must(n == event->rx_multi.n_descs && n >= 1 && n <= EF_VI_RECEIVE_BATCH);
    program->inside = EF_EVENT_RX_MULTI_CONT(*event);
    for (int i = 0; i < n; i++)
      received(program, (uint32_t)ids[i]);
    break;
  case EF_EVENT_TYPE_RX_NO_DESC_TRUNC:
    must(program->inside);
    program->inside = false;
    break;
  case EF_EVENT_TYPE_TX:
    sent(program, event);
    break;
  case EF_EVENT_TYPE_SW:
  case EF_EVENT_TYPE_TX_ALT:
    break;
  default:
    must(false);
  }
}

static void events_poll(struct program *program, int room)
{
  ef_event events[EVENTS];
  const int n = ef_eventq_poll(&program->vi, events, room);
  must(room < EF_VI_EVENT_POLL_MIN_EVS ? n == -EINVAL : n >= 0 && n <= room);
  for (int i = 0; i < n; i++)
    event_read(program, &events[i]);
}

static void levels_check(struct program *program)
{
  ef_vi *vi = &program->vi;
  must((uint32_t)ef_vi_receive_fill_level(vi) == program->rx_given - program->rx_back);
  must(ef_vi_receive_space(vi) >= 0 && ef_vi_receive_space(vi) <= ef_vi_receive_capacity(vi));
  must(ef_vi_transmit_space(vi) >= 0 && ef_vi_transmit_space(vi) <= ef_vi_transmit_capacity(vi));
}

/* --- The steps ----------------------------------------------------------------------------------
 */

static void time_passes(struct program *program, uint64_t us)
{
  shunt_virtual_clock_advance(&program->time, us * 1000);
}

static void buffer_put(struct program *program, struct input *input)
{
  const bool full = ef_vi_receive_space(&program->vi) == 0;
  const int result = ef_vi_receive_init(&program->vi, take_address(program, input),
                                        (ef_request_id)program->rx_given);
  must(result == 0 || result == -EAGAIN || result == -EFAULT || result == -EINVAL ||
       result == -EEXIST); /* the last: checked build */
  must(result != -EAGAIN || full);
  program->rx_given += result == 0;
}

/* To the interface, or to anybody; the rest is up to the input. */
static void frame_arrives(struct program *program, struct input *input)
{
  uint8_t frame[LONGEST];
  const uint8_t kind = take8(input);
  const uint32_t bytes = 60 + take32(input) % (program->longest - 60);
  memset(frame, kind, sizeof(frame));
  ef_vi_get_mac(&program->vi, program->handle, frame);
  if (kind & 1)
    memset(frame, 0xFF, 6);
  memcpy(frame + 12, kind & 2 ? "\x08\x00" : kind & 4 ? "\x81\x00" : "\x88\xB5", 2);
  frame[14] = 0x45;
  for (unsigned i = 15; i < 60; i++)
    frame[i] = kind & 8 ? take8(input) : (uint8_t)i;
  const struct iovec piece = {.iov_base = frame, .iov_len = bytes};
  shunt_wire_send(program->peer, &piece, 1, program->time.now_ns);
  time_passes(program, 40);
}

static void packet_result(struct program *program, int result)
{
  must(result == 0 || result == -EAGAIN || result == -EFAULT || result == -EINVAL ||
       result == -ENOSPC); /* the last: alternatives */
  program->tx_given += result == 0;
}

static void packet_put(struct program *program, struct input *input)
{
  const ef_addr at = take_address(program, input);
  const int bytes = (int)(take32(input) >> 19) - 64;
  const bool push = take8(input) & 1;
  const ef_request_id id = (ef_request_id)program->tx_given;
  packet_result(program, push ? ef_vi_transmit(&program->vi, at, bytes, id)
                              : ef_vi_transmit_init(&program->vi, at, bytes, id));
}

static void pieces_put(struct program *program, struct input *input)
{
  ef_iovec pieces[6];
  const int n = take8(input) % 7;
  for (int i = 0; i < n; i++) {
    pieces[i].iov_base = take_address(program, input);
    pieces[i].iov_len = take8(input) == 0xFF ? take32(input) : take32(input) % 600;
  }
  packet_result(program, ef_vi_transmitv_init(&program->vi, n ? pieces : NULL, n,
                                              (ef_request_id)program->tx_given));
}

static void rings_flush(struct program *program)
{
  must(ef_vi_flush(&program->vi, program->handle) == 0);
  program->rx_back = program->rx_given;
  program->tx_back = program->tx_given;
  program->inside = false;
  must(ef_vi_receive_fill_level(&program->vi) == 0);
}

static void filter_put(struct program *program, struct input *input)
{
  ef_filter_spec spec;
  ef_filter_cookie *cookie = &program->cookies[program->cookie_count % COOKIES];
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  for (uint8_t kinds = take8(input); kinds; kinds &= (uint8_t)(kinds - 1)) {
    uint8_t mac[6] = {0};
    const uint32_t value = take32(input);
    memcpy(mac, &value, sizeof(value));
    switch (__builtin_ctz(kinds)) {
    case 0:
      ef_filter_spec_set_unicast_all(&spec);
      break;
    case 1:
      ef_filter_spec_set_multicast_all(&spec);
      break;
    case 2:
      ef_filter_spec_set_eth_local(&spec, (int)(value >> 20) - 1, mac);
      break;
    case 3:
      ef_filter_spec_set_eth_type(&spec, (uint16_t)value);
      break;
    case 4:
      ef_filter_spec_set_ip_proto(&spec, (uint8_t)value);
      break;
    case 5:
      ef_filter_spec_set_ip4_local(&spec, value & 1 ? 17 : (int)(value >> 8), value, (int)value);
      break;
    case 6:
      ef_filter_spec_set_vlan(&spec, (int)value);
      break;
    default:
      spec.type = value; /* none that the calls make */
    }
  }
  const int result = ef_vi_filter_add(&program->vi, program->handle, &spec, cookie);
  must(result == 0 || result == -EINVAL || result == -EEXIST || result == -ENOSPC ||
       result == -EOPNOTSUPP || result == -EPROTONOSUPPORT);
  program->cookie_count += result == 0;
}

static void filter_take(struct program *program, struct input *input)
{
  ef_filter_cookie cookie = {.filter_id = (int)take32(input), .filter_type = (int)take32(input)};
  ef_filter_info info;
  if (cookie.filter_id & 1)
    cookie = program->cookies[(unsigned)cookie.filter_id / 2 % COOKIES];
  const int known = ef_vi_filter_query(&program->vi, program->handle, &cookie, &info, sizeof(info));
  must(known == 0 || known == -ENOENT);
  must(ef_vi_filter_del(&program->vi, program->handle, &cookie) == known);
}

static void warming(struct program *program)
{
  static ef_vi_tx_warm_state saved;
  if (program->warm)
    ef_vi_stop_transmit_warm(&program->vi, &saved);
  else
    ef_vi_start_transmit_warm(&program->vi, &saved, NULL);
  program->warm = !program->warm;
}

static void direct(struct program *program, struct input *input)
{
  const uint8_t kind = take8(input);
  const uint32_t value = take32(input);
  const int offset = (int)(value & 0xFFFF) - 64, bytes = (int)(value >> 20) - 64;
  const ef_request_id id = (ef_request_id)program->tx_given;
  switch (kind % 4) {
  case 0:
    (void)ef_pio_memcpy(&program->vi, program->memory, offset, bytes);
    break;
  case 1:
    packet_result(program, ef_vi_transmit_pio(&program->vi, offset, bytes, id));
    break;
  case 2:
    packet_result(program,
                  ef_vi_transmit_copy_pio(&program->vi, offset, program->memory, bytes, id));
    break;
  default:
    ef_vi_transmit_ctpio(&program->vi, program->memory, value % 1600, 64);
    packet_result(program, ef_vi_transmit_ctpio_fallback(&program->vi,
                                                         ef_memreg_dma_addr(&program->memreg, 0),
                                                         value % 1600, id));
  }
}

static void alternative(struct program *program, struct input *input)
{
  ef_vi *vi = &program->vi;
  const uint8_t kind = take8(input);
  const unsigned id = kind >> 4;
  int result;
  switch (kind % 6) {
  case 0:
    result = ef_vi_transmit_alt_select(vi, id);
    break;
  case 1:
    result = ef_vi_transmit_alt_select_normal(vi);
    break;
  case 2:
    result = ef_vi_transmit_alt_go(vi, id);
    break;
  case 3:
    result = ef_vi_transmit_alt_stop(vi, id);
    break;
  case 4:
    result = ef_vi_transmit_alt_discard(vi, id);
    break;
  default:
    result = ef_vi_transmit_alt_alloc(vi, program->handle, (int)id, id * 2048);
    must(result != -EALREADY || ef_vi_transmit_alt_num_ids(vi) > 0);
  }
  must(result == 0 || result == -EINVAL || result == -EALREADY || result == -EBUSY);
}

static void nothing_like_it(struct program *program, struct input *input)
{
  ef_event event = {.generic.type = EF_EVENT_TYPE_TX};
  const uint32_t value = take32(input);
  event.tx.desc_id = (uint16_t)value;
  if (value & 0x10000)
    sent(program, &event);
  else
    time_passes(program, value & 0xFF);
}

static void step(struct program *program, struct input *input)
{
  switch (take8(input) % 16) {
  case 0:
    buffer_put(program, input);
    break;
  case 1:
    ef_vi_receive_push(&program->vi);
    break;
  case 2:
    frame_arrives(program, input);
    break;
  case 3:
    events_poll(program, take8(input) % (EVENTS + 1));
    break;
  case 4:
    packet_put(program, input);
    break;
  case 5:
    pieces_put(program, input);
    break;
  case 6:
    ef_vi_transmit_push(&program->vi);
    break;
  case 7:
    ef_vi_transmit_init_undo(&program->vi);
    break;
  case 8:
    rings_flush(program);
    break;
  case 9:
    filter_put(program, input);
    break;
  case 10:
    filter_take(program, input);
    break;
  case 11:
    warming(program);
    break;
  case 12: /* of those to come: posted ones stay as long as they were */
    ef_vi_receive_set_buffer_len(&program->vi, take32(input) % (2 * LONGEST));
    break;
  case 13:
    direct(program, input);
    break;
  case 14:
    alternative(program, input);
    break;
  default:
    nothing_like_it(program, input);
  }
}

/* --- Before and after ---------------------------------------------------------------------------
 */

static void turn(void *context, uint64_t now_ns)
{
  (void)now_ns;
  shunt_testbed_poll(((struct program *)context)->testbed);
}

static void deliver(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  (void)context, (void)frame, (void)bytes, (void)now_ns;
}

static void program_begin(struct program *program, uint8_t kind)
{
  static const uint64_t kinds[KINDS] = {EF_VI_FLAGS_DEFAULT, EF_VI_RX_EVENT_MERGE, EF_VI_TX_ALT,
                                        EF_VI_RX_TIMESTAMPS, EF_VI_RX_FILTER_ID};
  static const struct shunt_wire_end_ops ops = {.deliver = deliver};
  struct shunt_testbed_options options = {.size = sizeof(options)};
  struct shunt_error error = {0};
  const unsigned flags = kind % KINDS;
  const bool is_long = kind / KINDS % 2;
  program->longest = is_long ? LONGEST : 1600;
  shunt_virtual_clock_init(&program->time, 1000000);
  shunt_virtual_clock_hook(&program->time, turn, program, TURN_NS);
  program->clock = shunt_virtual_clock_view(&program->time);
  options.clock = &program->clock;
  must(shunt_testbed_create(&options, &program->testbed, &error) == 0);
  must(shunt_wire_attach(shunt_testbed_wire(program->testbed, "w", &error), "station", &ops,
                         program, &program->peer, &error) == 0);
  efvi_use_testbed(program->testbed, &program->clock);
  program->mapping = mmap(NULL, MEMORY + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(program->mapping != MAP_FAILED);
  program->memory = program->mapping + PAGE;
  must(mprotect(program->memory, MEMORY, PROT_READ | PROT_WRITE) == 0);
  must(ef_driver_open(&program->handle) == 0);
  must(ef_pd_alloc_by_name(&program->pd, program->handle,
                           is_long ? "ixgbe:twin?wire=w&mtu=9000" : "ixgbe:twin?wire=w",
                           EF_PD_DEFAULT) == 0);
  must(ef_memreg_alloc(&program->memreg, program->handle, &program->pd, program->handle,
                       program->memory, MEMORY) == 0);
  must(ef_vi_alloc_from_pd(&program->vi, program->handle, &program->pd, program->handle, -1, 63, 63,
                           NULL, -1, (enum ef_vi_flags)kinds[flags]) == 0);
  must(ef_pio_alloc(&program->pio, program->handle, &program->pd, 2048, program->handle) == 0);
  must(ef_pio_link_vi(&program->pio, program->handle, &program->vi, program->handle) == 0);
  time_passes(program, 500);
}

static void program_end(struct program *program)
{
  if (program->warm)
    warming(program);
  rings_flush(program);
  must(ef_pio_unlink_vi(&program->pio, program->handle, &program->vi, program->handle) == 0);
  must(ef_pio_free(&program->pio, program->handle) == 0);
  must(ef_vi_free(&program->vi, program->handle) == 0);
  must(ef_memreg_free(&program->memreg, program->handle) == 0);
  must(ef_pd_free(&program->pd, program->handle) == 0);
  must(ef_driver_close(program->handle) == 0);
  efvi_use_testbed(NULL, NULL);
  shunt_testbed_destroy(program->testbed);
  munmap(program->mapping, MEMORY + 2 * PAGE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct input input = {data, data + size};
  struct program program = {.handle = -1};
  program_begin(&program, take8(&input));
  for (unsigned i = 0; i < STEPS && input.at < input.end; i++) {
    step(&program, &input);
    levels_check(&program);
  }
  program_end(&program);
  return 0;
}
