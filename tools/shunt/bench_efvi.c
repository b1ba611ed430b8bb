/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/bench_efvi.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shunt/bytes.h"
#include "shunt/testbed.h"
#include "shunt/udp.h"
#include "src/efvi/path.h"
#include "tools/shunt/bench_xdp.h"

#define RING        64u
#define BUFFERS     RING /* the last one holds what is asked with */
#define BUF_BYTES   2048u
#define REQUEST     (BUFFERS - 1)
#define EVENTS      16
#define AT_SEQUENCE SHUNT_UDP_PAYLOAD_START

/* An interface with its memory. */
struct end {
  ef_driver_handle handle;
  ef_pd pd;
  ef_vi vi;
  ef_memreg memreg;
  uint8_t *memory;
  ef_addr addresses[BUFFERS];
};

/* A port with its queue. */
struct port_end {
  struct shunt_port *port;
  struct shunt_queue *q;
  struct shunt_pool *pool;
};

struct bench_efvi {
  struct bench *bench;
  struct shunt_testbed *testbed;
  struct end near, far;
  struct shunt_region *region;
  struct port_end asking, answering;
  uint8_t frame[BENCH_FRAME_BYTES];
  uint64_t sequence;
};

static const uint8_t macs[2][6] = {{2, 0, 0, 0, 0, 0xfe}, {2, 0, 0, 0, 0, 0xff}};
#define NEAR_KEYS "&mac=02:00:00:00:00:fe"
#define FAR_KEYS  "&mac=02:00:00:00:00:ff"

/* ---- ef_vi ---- */

static int efvi_failed(struct shunt_error *error, const char *what)
{
  *error = *shunt_last_error();
  return shunt_error_within(error, error->code ? error->code : -EIO, "%s", what);
}

/* Receive datagrams to that address and port. */
static int end_open(struct end *end, const char *device, uint32_t ipv4, uint16_t port,
                    struct shunt_error *error)
{
  const size_t bytes = (size_t)BUFFERS * BUF_BYTES;
  ef_filter_spec spec;
  end->memory = aligned_alloc(4096, bytes);
  if (!end->memory)
    return shunt_error_set(error, -ENOMEM, "no memory to measure ef_vi");
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  if (ef_driver_open(&end->handle) ||
      ef_pd_alloc_by_name(&end->pd, end->handle, device, EF_PD_DEFAULT) ||
      ef_vi_alloc_from_pd(&end->vi, end->handle, &end->pd, end->handle, -1, RING - 1, RING - 1,
                          NULL, -1, EF_VI_TX_IP_CSUM_DIS | EF_VI_TX_TCPUDP_CSUM_DIS) < 0 ||
      ef_memreg_alloc(&end->memreg, end->handle, &end->pd, end->handle, end->memory, bytes) ||
      ef_filter_spec_set_ip4_local(&spec, IPPROTO_UDP, htonl(ipv4), htons(port)) ||
      ef_vi_filter_add(&end->vi, end->handle, &spec, NULL))
    return efvi_failed(error, "can't measure ef_vi");
  for (unsigned i = 0; i < BUFFERS; i++) {
    end->addresses[i] = ef_memreg_dma_addr(&end->memreg, (size_t)i * BUF_BYTES);
    if (i != REQUEST && ef_vi_receive_init(&end->vi, end->addresses[i], (ef_request_id)i))
      return efvi_failed(error, "can't measure ef_vi");
  }
  ef_vi_receive_push(&end->vi);
  return 0;
}

static void end_close(struct end *end)
{
  if (end->vi.inited)
    ef_vi_free(&end->vi, end->handle);
  if (end->memory) {
    ef_memreg_free(&end->memreg, end->handle);
    ef_pd_free(&end->pd, end->handle);
    ef_driver_close(end->handle);
  }
  free(end->memory);
}

static void swap_addresses(uint8_t *frame)
{
  uint8_t destination[6];
  memcpy(destination, frame, 6);
  memmove(frame, frame + 6, 6);
  memcpy(frame + 6, destination, 6);
}

/* Swap Ethernet's, IPv4's and UDP's addresses: no sum changes. */
static void turn_round(uint8_t *frame)
{
  const uint32_t source = shunt_load_be32(frame + 26);
  const uint16_t port = shunt_load_be16(frame + 34);
  swap_addresses(frame);
  memmove(frame + 26, frame + 30, 4);
  shunt_store_be32(frame + 30, source);
  memmove(frame + 34, frame + 36, 2);
  shunt_store_be16(frame + 36, port);
}

/* What was sent is done with: buffers go back, but that of a request. */
static void end_sent(struct end *end, ef_event *event)
{
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  const int n = ef_vi_transmit_unbundle(&end->vi, event, ids);
  for (int i = 0; i < n; i++)
    if (ids[i] != (int)REQUEST)
      ef_vi_receive_post(&end->vi, end->addresses[ids[i]], ids[i]);
}

/* Answer what has come. Returns how many. */
static unsigned end_answer(struct end *end)
{
  ef_event events[EVENTS];
  const int n = ef_eventq_poll(&end->vi, events, EVENTS);
  unsigned answered = 0;
  for (int i = 0; i < n; i++) {
    if (EF_EVENT_TYPE(events[i]) == EF_EVENT_TYPE_TX)
      end_sent(end, &events[i]);
    if (EF_EVENT_TYPE(events[i]) != EF_EVENT_TYPE_RX)
      continue;
    const ef_request_id id = (ef_request_id)EF_EVENT_RX_RQ_ID(events[i]);
    turn_round(end->memory + (size_t)id * BUF_BYTES);
    if (ef_vi_transmit(&end->vi, end->addresses[id], (int)EF_EVENT_RX_BYTES(events[i]), id))
      ef_vi_receive_post(&end->vi, end->addresses[id], id);
    answered++;
  }
  return answered;
}

/* The buffer with the answer of that number, or a negative number: it has not come. */
static ef_request_id end_take(struct end *end, uint64_t sequence)
{
  ef_event events[EVENTS];
  const int n = ef_eventq_poll(&end->vi, events, EVENTS);
  ef_request_id taken = -1;
  for (int i = 0; i < n; i++) {
    if (EF_EVENT_TYPE(events[i]) == EF_EVENT_TYPE_TX)
      end_sent(end, &events[i]);
    if (EF_EVENT_TYPE(events[i]) != EF_EVENT_TYPE_RX)
      continue;
    const ef_request_id id = (ef_request_id)EF_EVENT_RX_RQ_ID(events[i]);
    const uint8_t *frame = end->memory + (size_t)id * BUF_BYTES;
    if (!memcmp(frame + AT_SEQUENCE, &sequence, sizeof(sequence)))
      taken = id;
    else
      ef_vi_receive_post(&end->vi, end->addresses[id], id);
  }
  return taken;
}

int bench_work_efvi(struct peer_page *page, struct shunt_error *error)
{
  struct end *end = calloc(1, sizeof(*end));
  int code = end ? end_open(end, "xdp:" BENCH_VETH "?mode=skb&setup=0", BENCH_NEAR_IPV4,
                            BENCH_NEAR_PORT, error)
                 : shunt_error_set(error, -ENOMEM, "no memory to measure ef_vi");
  if (!code)
    atomic_store(&page->state, PEER_WORKING);
  while (!code && peer_goes_on(page)) {
    const unsigned n = end_answer(end);
    if (n)
      peer_count(page, n);
  }
  if (end)
    end_close(end);
  free(end);
  return code;
}

/* ---- The verbs ---- */

static int port_open(struct bench_efvi *efvi, const char *device, struct port_end *end,
                     struct shunt_error *error)
{
  const struct shunt_port_options options = {.size = sizeof(options),
                                             .region = efvi->region,
                                             .rx_ring = RING,
                                             .tx_ring = RING,
                                             .log = &efvi->bench->cli->log,
                                             .testbed = efvi->testbed};
  int code = shunt_pool_create(efvi->region, 2 * RING, &end->pool, error);
  if (!code)
    code = shunt_port_open(device, &options, &end->port, error);
  if (code)
    return code;
  end->q = shunt_port_queue(end->port, 0);
  shunt_rx_fill(end->q, end->pool);
  return 0;
}

/* What an ef_vi program's filter and events say of a frame, a program on the verbs looks at itself.
 */
static bool is_ours(const uint8_t *bytes, const struct shunt_frame *frame, uint32_t ipv4,
                    uint16_t port)
{
  return !(frame->flags &
           (SHUNT_FRAME_MORE | SHUNT_FRAME_DAMAGED | SHUNT_FRAME_IP_BAD | SHUNT_FRAME_L4_BAD)) &&
         frame->len >= SHUNT_UDP_PAYLOAD_START && shunt_load_be16(bytes + 12) == 0x0800 &&
         bytes[14] == 0x45 && !(shunt_load_be16(bytes + 20) & 0x3FFF) && bytes[23] == IPPROTO_UDP &&
         shunt_load_be32(bytes + 30) == ipv4 && shunt_load_be16(bytes + 36) == port;
}

/* Buffers that are back go where they are wanted when nothing has come. */
static void port_answer(struct port_end *end)
{
  struct shunt_frame frame;
  shunt_buf back;
  if (!shunt_rx_poll(end->q, &frame, 1)) {
    if (shunt_tx_poll(end->q, &back, 1))
      shunt_rx_post(end->q, &back, 1);
    return;
  }
  uint8_t *bytes = shunt_frame_data(end->q, &frame);
  if (is_ours(bytes, &frame, BENCH_FAR_IPV4, BENCH_FAR_PORT)) {
    turn_round(bytes);
    if (shunt_tx_post(end->q, &frame, 1)) {
      shunt_tx_push(end->q);
      return;
    }
  }
  shunt_rx_post(end->q, &frame.addr, 1);
}

/* Whether the answer with that number has come; it is in frame then. */
static bool port_take(struct port_end *end, uint64_t sequence, struct shunt_frame *frame)
{
  shunt_buf back;
  if (!shunt_rx_poll(end->q, frame, 1)) {
    if (shunt_tx_poll(end->q, &back, 1))
      shunt_pool_give(end->pool, &back, 1);
    return false;
  }
  const uint8_t *bytes = shunt_frame_data(end->q, frame);
  if (is_ours(bytes, frame, BENCH_NEAR_IPV4, BENCH_NEAR_PORT) &&
      !memcmp(bytes + AT_SEQUENCE, &sequence, sizeof(sequence)))
    return true;
  shunt_rx_post(end->q, &frame->addr, 1);
  return false;
}

/* ---- One round trip ---- */

static void write_request(struct bench_efvi *efvi, uint8_t *to)
{
  efvi->sequence++;
  memcpy(to, efvi->frame, BENCH_FRAME_BYTES);
  memcpy(to + AT_SEQUENCE, &efvi->sequence, sizeof(efvi->sequence));
}

static bool gave_up(const struct bench_efvi *efvi, unsigned rounds, uint64_t start_ns)
{
  return rounds % 1024 == 0 && shunt_tsc_now_ns(&efvi->bench->tsc) - start_ns > BENCH_PATIENCE_NS;
}

static uint64_t exchange_efvi(void *context)
{
  struct bench_efvi *efvi = context;
  const struct shunt_tsc *tsc = &efvi->bench->tsc;
  write_request(efvi, efvi->near.memory + (size_t)REQUEST * BUF_BYTES);
  const uint64_t start_ns = shunt_tsc_now_ordered_ns(tsc);
  ef_vi_transmit(&efvi->near.vi, efvi->near.addresses[REQUEST], BENCH_FRAME_BYTES, REQUEST);
  for (unsigned rounds = 1; !gave_up(efvi, rounds, start_ns); rounds++) {
    end_answer(&efvi->far);
    const ef_request_id id = end_take(&efvi->near, efvi->sequence);
    if (id >= 0) {
      const uint64_t took_ns = shunt_tsc_now_ordered_ns(tsc) - start_ns;
      ef_vi_receive_post(&efvi->near.vi, efvi->near.addresses[id], id);
      return took_ns;
    }
    bench_spin(efvi->bench);
  }
  return 0;
}

static uint64_t exchange_verbs(void *context)
{
  struct bench_efvi *efvi = context;
  const struct shunt_tsc *tsc = &efvi->bench->tsc;
  struct shunt_queue *q = efvi->asking.q;
  struct shunt_frame request = {.len = BENCH_FRAME_BYTES}, answer;
  if (!shunt_pool_take(efvi->asking.pool, &request.addr, 1))
    return 0;
  write_request(efvi, q->base + request.addr);
  const uint64_t start_ns = shunt_tsc_now_ordered_ns(tsc);
  shunt_tx_post(q, &request, 1);
  shunt_tx_push(q);
  for (unsigned rounds = 1; !gave_up(efvi, rounds, start_ns); rounds++) {
    port_answer(&efvi->answering);
    if (port_take(&efvi->asking, efvi->sequence, &answer)) {
      const uint64_t took_ns = shunt_tsc_now_ordered_ns(tsc) - start_ns;
      shunt_rx_post(q, &answer.addr, 1);
      return took_ns;
    }
    bench_spin(efvi->bench);
  }
  return 0;
}

/* ---- All of it ---- */

/* The twins have their turns from a thread of their own, as if they were cards. */
static void step_outside(struct end *end)
{
  struct efvi_vi *vi = efvi_own(&end->vi);
  vi->device->info.steps = 0;
  efvi_fast_install(vi);
}

static int open_interfaces(struct bench_efvi *efvi, struct shunt_error *error)
{
  efvi_use_testbed(efvi->testbed, &efvi->bench->clock);
  int code = end_open(&efvi->near, "ixgbe:twin?wire=efvi" NEAR_KEYS, BENCH_NEAR_IPV4,
                      BENCH_NEAR_PORT, error);
  if (!code)
    code = end_open(&efvi->far, "ixgbe:twin?wire=efvi" FAR_KEYS, BENCH_FAR_IPV4, BENCH_FAR_PORT,
                    error);
  if (code)
    return code;
  step_outside(&efvi->near);
  step_outside(&efvi->far);
  return 0;
}

static void build_frame(struct bench_efvi *efvi)
{
  static const uint8_t payload[BENCH_PAYLOAD_BYTES];
  struct shunt_ipv4_ends ends = {.source = BENCH_NEAR_IPV4, .destination = BENCH_FAR_IPV4};
  memcpy(&ends.source_mac, macs[0], sizeof(ends.source_mac));
  memcpy(&ends.destination_mac, macs[1], sizeof(ends.destination_mac));
  shunt_udp_frame_build(efvi->frame, BENCH_FRAME_BYTES, &ends, BENCH_NEAR_PORT, BENCH_FAR_PORT,
                        payload, sizeof(payload));
  memset(efvi->frame + SHUNT_UDP_PAYLOAD_START - 2, 0, 2); /* no sum, for the number changes */
}

int bench_efvi_open(struct bench *bench, struct bench_efvi **made, struct shunt_error *error)
{
  const struct shunt_testbed_options testbed = {.size = sizeof(testbed), .clock = &bench->clock};
  const struct shunt_region_options region = {
      .size = sizeof(region), .bytes = SHUNT_REGION_ALIGN_BYTES, .numa_node = SHUNT_NUMA_ANY};
  struct bench_efvi *efvi = calloc(1, sizeof(*efvi));
  if (!efvi)
    return shunt_error_set(error, -ENOMEM, "no memory to measure ef_vi");
  efvi->bench = bench;
  build_frame(efvi);
  int code = shunt_testbed_create(&testbed, &efvi->testbed, error);
  if (!code)
    code = shunt_region_create(&region, &efvi->region, error);
  if (!code)
    code = port_open(efvi, "ixgbe:twin?wire=verbs" NEAR_KEYS, &efvi->asking, error);
  if (!code)
    code = port_open(efvi, "ixgbe:twin?wire=verbs" FAR_KEYS, &efvi->answering, error);
  if (!code)
    code = open_interfaces(efvi, error);
  if (code)
    bench_efvi_close(efvi);
  else
    *made = efvi;
  return code;
}

void bench_efvi_close(struct bench_efvi *efvi)
{
  if (!efvi)
    return;
  end_close(&efvi->near);
  end_close(&efvi->far);
  efvi_use_testbed(NULL, NULL);
  shunt_port_close(efvi->asking.port);
  shunt_port_close(efvi->answering.port);
  shunt_pool_destroy(efvi->asking.pool);
  shunt_pool_destroy(efvi->answering.pool);
  shunt_region_destroy(efvi->region);
  shunt_testbed_destroy(efvi->testbed);
  free(efvi);
}

struct shunt_port *bench_efvi_port(struct bench_efvi *efvi)
{
  return efvi->asking.port;
}

/* What a slice works on. */
struct slice {
  struct bench_efvi *efvi;
  bool by_verbs;
  struct bench_sample *sample;
  atomic_bool ended;
};

static void drive(void *context)
{
  struct slice *slice = context;
  bench_repeat(slice->efvi->bench, slice->by_verbs ? exchange_verbs : exchange_efvi, slice->efvi,
               slice->sample);
  atomic_store(&slice->ended, true);
}

static void poll_devices(void *context)
{
  struct slice *slice = context;
  while (!atomic_load_explicit(&slice->ended, memory_order_relaxed))
    if (!shunt_testbed_poll(slice->efvi->testbed))
      bench_spin(slice->efvi->bench);
}

int bench_efvi_slice(struct bench_efvi *efvi, bool by_verbs, struct bench_sample *sample,
                     struct shunt_error *error)
{
  struct slice slice = {.efvi = efvi, .by_verbs = by_verbs, .sample = sample};
  return bench_run(efvi->bench, drive, poll_devices, &slice, error);
}
