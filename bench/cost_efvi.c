/* SPDX-License-Identifier: BSD-2-Clause */
/* make cost, of ef_vi on an 82599's twin: from a received frame to its answer's doorbell, by ef_vi
 * and by the verbs below it, and the whole round with buffers given back and completions taken. The
 * twins have their turns between the calls and are not counted. */
#include "bench/cost_efvi.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

#include "shunt/bytes.h"
#include "shunt/udp.h"
#include "src/efvi/path.h"

#define DEVICE     "ixgbe:twin?wire=cost"
#define RING       256u
#define ROUNDS     2048u
#define FRAME_MOST 200u
#define NEAR_IPV4  UINT32_C(0xC6120001) /* 198.18.0.1: RFC 2544, for benchmarks */
#define FAR_IPV4   UINT32_C(0xC6120002)
#define PORT       4791u
#define BUFFERS    128u
#define BUF_BYTES  2048u
#define LINK_NS    UINT64_C(100000) /* a turn while there is no link */
#define LINK_TURNS 100000u
#define STEP_NS    1000u

/* What is exchanged, and how. */
static const struct kind {
  const char *name;
  uint32_t frame_bytes;
  enum ef_vi_flags flags; /* of the interface */
  bool whole;             /* count the whole round */
  unsigned others;        /* filters before the one that takes the frames */
} kinds[] = {
    {"answer", 60, EF_VI_TX_IP_CSUM_DIS | EF_VI_TX_TCPUDP_CSUM_DIS, false},
    {"round", 60, EF_VI_TX_IP_CSUM_DIS | EF_VI_TX_TCPUDP_CSUM_DIS, true},
    {"answer-200", FRAME_MOST, EF_VI_TX_IP_CSUM_DIS | EF_VI_TX_TCPUDP_CSUM_DIS, false},
    {"answer-sums", 60, EF_VI_FLAGS_DEFAULT, false},
    {"answer-of-40", 60, EF_VI_TX_IP_CSUM_DIS | EF_VI_TX_TCPUDP_CSUM_DIS, false, 39},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Who asks, by verbs; and who answers: by ef_vi, or by verbs of a port opened as by default. */
struct bench {
  const struct kind *kind;
  struct shunt_virtual_clock time;
  struct shunt_clock clock;
  struct shunt_testbed *testbed;
  struct shunt_region *region;
  struct shunt_port *asking, *answering;
  struct shunt_pool *pools[2];
  struct shunt_queue *asker, *answerer;
  struct shunt_frame received;
  /* ef_vi */
  ef_driver_handle handle;
  ef_pd pd;
  ef_vi vi;
  ef_memreg memreg;
  uint8_t *memory;
  ef_addr addresses[BUFFERS];
  int id; /* of the buffer that the frame is in */
};

/* --- What is counted ---------------------------------------------------------------------------
 */

#define ROUND static inline __attribute__((always_inline)) void

/* What an ef_vi program's filter asks of a frame, and what an event of type RX says of it, a
 * program on the verbs looks at itself. */
static inline bool is_ours(const struct shunt_queue *q, const struct shunt_frame *frame)
{
  const uint8_t *bytes = shunt_frame_data(q, frame);
  return !(frame->flags &
           (SHUNT_FRAME_MORE | SHUNT_FRAME_DAMAGED | SHUNT_FRAME_IP_BAD | SHUNT_FRAME_L4_BAD)) &&
         frame->len >= SHUNT_UDP_PAYLOAD_START && shunt_load_be16(bytes + 12) == 0x0800 &&
         bytes[14] == 0x45 && !(shunt_load_be16(bytes + 20) & 0x3FFF) && bytes[23] == IPPROTO_UDP &&
         shunt_load_be32(bytes + 30) == NEAR_IPV4 && shunt_load_be16(bytes + 36) == PORT;
}

ROUND verbs_answer(struct bench *bench)
{
  struct shunt_queue *q = bench->answerer;
  if (!shunt_rx_poll(q, &bench->received, 1) || !is_ours(q, &bench->received))
    return;
  shunt_tx_post(q, &bench->received, 1);
  shunt_tx_push(q);
}

ROUND verbs_tidy(struct bench *bench)
{
  struct shunt_queue *q = bench->answerer;
  shunt_buf back;
  if (shunt_tx_poll(q, &back, 1))
    shunt_rx_post(q, &back, 1);
}

ROUND efvi_answer(struct bench *bench)
{
  ef_event events[EF_VI_EVENT_POLL_MIN_EVS];
  const int n = ef_eventq_poll(&bench->vi, events, EF_VI_EVENT_POLL_MIN_EVS);
  if (n != 1 || EF_EVENT_TYPE(events[0]) != EF_EVENT_TYPE_RX)
    return;
  bench->id = (int)EF_EVENT_RX_RQ_ID(events[0]);
  ef_vi_transmit(&bench->vi, bench->addresses[bench->id], (int)EF_EVENT_RX_BYTES(events[0]),
                 bench->id);
}

ROUND efvi_tidy(struct bench *bench)
{
  ef_event events[EF_VI_EVENT_POLL_MIN_EVS];
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  if (ef_eventq_poll(&bench->vi, events, EF_VI_EVENT_POLL_MIN_EVS) != 1 ||
      EF_EVENT_TYPE(events[0]) != EF_EVENT_TYPE_TX)
    return;
  const int n = ef_vi_transmit_unbundle(&bench->vi, &events[0], ids);
  for (int i = 0; i < n; i++)
    ef_vi_receive_post(&bench->vi, bench->addresses[ids[i]], ids[i]);
}

/* What is told apart by name, since callgrind counts inside of cost_round_* only. */
#define FUNCTION(name, work)                                                                       \
  __attribute__((noinline)) static void name(struct bench *bench)                                  \
  {                                                                                                \
    work(bench);                                                                                   \
  }
FUNCTION(cost_round_verbs_answer, verbs_answer)
FUNCTION(cost_round_verbs_tidy, verbs_tidy)
FUNCTION(uncounted_verbs_tidy, verbs_tidy)
FUNCTION(cost_round_efvi_answer, efvi_answer)
FUNCTION(cost_round_efvi_tidy, efvi_tidy)
FUNCTION(uncounted_efvi_tidy, efvi_tidy)

typedef void cost_round(struct bench *bench);
static const struct {
  const char *name;
  cost_round *answer, *tidy[2]; /* as a part of what is counted, or not */
} apis[] = {
    {"verbs", cost_round_verbs_answer, {uncounted_verbs_tidy, cost_round_verbs_tidy}},
    {"efvi", cost_round_efvi_answer, {uncounted_efvi_tidy, cost_round_efvi_tidy}},
};
enum { VERBS, EFVI, APIS };
_Static_assert(COST_EFVI_SERIES == APIS * KINDS, "all of them");

/* --- Two ends of a wire ------------------------------------------------------------------------
 */

static void turn(struct bench *bench)
{
  do
    shunt_virtual_clock_advance(&bench->time, STEP_NS);
  while (shunt_testbed_poll(bench->testbed));
}

static int port_open(struct bench *bench, unsigned which, struct shunt_port **port,
                     struct shunt_queue **queue, struct shunt_error *error)
{
  const struct shunt_port_options options = {.size = sizeof(options),
                                             .region = bench->region,
                                             .rx_ring = RING,
                                             .tx_ring = RING,
                                             .promiscuous = which == 0, /* sees its own again */
                                             .clock = &bench->clock,
                                             .testbed = bench->testbed};
  int code = shunt_pool_create(bench->region, 2 * RING, &bench->pools[which], error);
  if (!code)
    code = shunt_port_open(DEVICE, &options, port, error);
  if (code)
    return code;
  *queue = shunt_port_queue(*port, 0);
  shunt_rx_fill(*queue, bench->pools[which]);
  return 0;
}

static int testbed_open(struct bench *bench, struct shunt_error *error)
{
  struct shunt_testbed_options options = {.size = sizeof(options), .clock = &bench->clock};
  const struct shunt_region_options region = {
      .size = sizeof(region), .bytes = SHUNT_REGION_ALIGN_BYTES, .numa_node = SHUNT_NUMA_ANY};
  shunt_virtual_clock_init(&bench->time, 1000000);
  bench->clock = shunt_virtual_clock_view(&bench->time);
  int code = shunt_testbed_create(&options, &bench->testbed, error);
  if (!code)
    code = shunt_region_create(&region, &bench->region, error);
  return code ? code : port_open(bench, 0, &bench->asking, &bench->asker, error);
}

/* Interfaces give a twin of this process its turn by themselves, unless told that it needs none. */
static int efvi_open(struct bench *bench)
{
  efvi_use_testbed(bench->testbed, &bench->clock);
  bench->memory = aligned_alloc(4096, (size_t)BUFFERS * BUF_BYTES);
  if (!bench->memory || ef_driver_open(&bench->handle) ||
      ef_pd_alloc_by_name(&bench->pd, bench->handle, DEVICE, EF_PD_DEFAULT) ||
      ef_memreg_alloc(&bench->memreg, bench->handle, &bench->pd, bench->handle, bench->memory,
                      (size_t)BUFFERS * BUF_BYTES) ||
      ef_vi_alloc_from_pd(&bench->vi, bench->handle, &bench->pd, bench->handle, -1, RING - 1,
                          RING - 1, NULL, -1, bench->kind->flags))
    return -1;
  efvi_own(&bench->vi)->device->info.steps = 0;
  efvi_fast_install(efvi_own(&bench->vi));
  for (unsigned i = 0; i < BUFFERS; i++) {
    bench->addresses[i] = ef_memreg_dma_addr(&bench->memreg, (size_t)i * BUF_BYTES);
    if (ef_vi_receive_init(&bench->vi, bench->addresses[i], (ef_request_id)i))
      return -1;
  }
  ef_vi_receive_push(&bench->vi);
  return 0;
}

static int efvi_filter(struct bench *bench, uint8_t mac[6])
{
  int failed = ef_vi_get_mac(&bench->vi, bench->handle, mac);
  for (unsigned back = bench->kind->others + 1; back > 0 && !failed; back--) {
    ef_filter_spec spec;
    ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
    failed = ef_filter_spec_set_ip4_local(&spec, IPPROTO_UDP, htonl(NEAR_IPV4),
                                          htons((uint16_t)(PORT + back - 1))) ||
             ef_vi_filter_add(&bench->vi, bench->handle, &spec, NULL);
  }
  return failed;
}

static void close_all(struct bench *bench)
{
  if (bench->memory) {
    ef_vi_free(&bench->vi, bench->handle);
    ef_memreg_free(&bench->memreg, bench->handle);
    ef_pd_free(&bench->pd, bench->handle);
    ef_driver_close(bench->handle);
    efvi_use_testbed(NULL, NULL);
    free(bench->memory);
  }
  shunt_port_close(bench->asking);
  shunt_port_close(bench->answering);
  shunt_pool_destroy(bench->pools[0]);
  shunt_pool_destroy(bench->pools[1]);
  shunt_region_destroy(bench->region);
  shunt_testbed_destroy(bench->testbed);
}

/* --- Rounds ------------------------------------------------------------------------------------
 */

static bool ask(struct bench *bench, const uint8_t mac[6])
{
  const uint16_t bytes = (uint16_t)bench->kind->frame_bytes;
  struct shunt_frame frame = {.len = bytes};
  if (!shunt_pool_take(bench->pools[0], &frame.addr, 1))
    return false;
  struct shunt_ipv4_ends ends = {.source = FAR_IPV4, .destination = NEAR_IPV4};
  static const uint8_t payload[FRAME_MOST];
  memcpy(&ends.destination_mac, mac, sizeof(ends.destination_mac));
  shunt_udp_frame_build(bench->asker->base + frame.addr, bytes, &ends, PORT, PORT, payload,
                        bytes - SHUNT_UDP_PAYLOAD_START);
  shunt_tx_post(bench->asker, &frame, 1);
  shunt_tx_push(bench->asker);
  return true;
}

/* Whether the answer is there; everything given back. */
static bool take_answer(struct bench *bench)
{
  struct shunt_frame frame;
  shunt_buf back;
  if (shunt_tx_poll(bench->asker, &back, 1))
    shunt_pool_give(bench->pools[0], &back, 1);
  if (!shunt_rx_poll(bench->asker, &frame, 1))
    return false;
  shunt_rx_post(bench->asker, &frame.addr, 1);
  return true;
}

/* Returns how many of the rounds had an answer. */
static unsigned rounds(struct bench *bench, unsigned api, const uint8_t mac[6])
{
  unsigned answered = 0;
  for (unsigned i = 0; i < ROUNDS && ask(bench, mac); i++) {
    turn(bench);
    apis[api].answer(bench);
    turn(bench);
    apis[api].tidy[bench->kind->whole](bench);
    answered += take_answer(bench);
  }
  return answered;
}

/* Links come up a moment after both ends have. */
static int wait_for_link(struct bench *bench, struct shunt_error *error)
{
  struct shunt_link link = {.size = sizeof(link)};
  for (unsigned i = 0; i < LINK_TURNS; i++) {
    int code = shunt_port_link(bench->asking, &link, error);
    if (code || link.up)
      return code;
    shunt_virtual_clock_advance(&bench->time, LINK_NS);
    shunt_testbed_poll(bench->testbed);
  }
  return shunt_error_set(error, -ETIMEDOUT, "no link: %s", link.diagnosis);
}

static int series(struct bench *bench, unsigned api, const uint8_t mac[6])
{
  char description[128];
  if (rounds(bench, api, mac) != ROUNDS) /* not counted */
    return 1;
  CALLGRIND_ZERO_STATS;
  if (rounds(bench, api, mac) != ROUNDS)
    return 1;
  snprintf(description, sizeof(description), "efvi %s %s 1 %u %u", apis[api].name,
           bench->kind->name, ROUNDS, ROUNDS);
  CALLGRIND_DUMP_STATS_AT(description);
  return 0;
}

static int measure(unsigned api, const struct kind *kind, struct shunt_error *error)
{
  struct bench *bench = calloc(1, sizeof(*bench));
  struct shunt_port_info info = {.size = sizeof(info)};
  uint8_t mac[6];
  if (!bench)
    return shunt_error_set(error, -ENOMEM, "no memory to count");
  bench->kind = kind;
  int failed = testbed_open(bench, error);
  if (!failed && api == EFVI) {
    failed = efvi_open(bench) || efvi_filter(bench, mac);
    *error = failed ? *shunt_last_error() : *error;
  } else if (!failed) {
    failed = port_open(bench, 1, &bench->answering, &bench->answerer, error);
    shunt_port_info(bench->answering, &info);
    memcpy(mac, info.mac.bytes, sizeof(mac));
  }
  if (!failed)
    failed = wait_for_link(bench, error);
  if (!failed && series(bench, api, mac))
    failed = shunt_error_set(error, -EIO, "a frame had no answer");
  close_all(bench);
  free(bench);
  return failed;
}

int cost_efvi_work(void)
{
  struct shunt_error error = {0};
  for (unsigned i = 0; i < APIS * KINDS; i++)
    if (measure(i % APIS, &kinds[i / APIS], &error)) {
      fprintf(stderr, "shunt-cost: ef_vi: %s; %s\n", error.what, error.why);
      return 1;
    }
  return 0;
}
