/* SPDX-License-Identifier: BSD-2-Clause */
/* The peer: the same exchanges through the kernel's UDP sockets on the loopback interface. Sockets
 * don't block and threads spin, as ours do: that is the kernel at its quickest. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shunt/histogram.h"
#include "tools/shunt/bench.h"

#define MOST_BATCH 64u
#define BURST      32u
/* Room for a window of datagrams, each of which the kernel counts as 768 bytes. */
#define SOCKET_BYTES (1 << 20)

enum { ASKING, ANSWERING, SOURCE, IN, OUT, DRAIN, SOCKETS };

/* So many datagrams for one system call. */
struct burst {
  uint8_t payload[MOST_BATCH][BENCH_PAYLOAD_BYTES];
  struct iovec pieces[MOST_BATCH];
  struct mmsghdr messages[MOST_BATCH];
};

struct bench_udp {
  struct bench *bench;
  int sockets[SOCKETS];
  struct bench_sample *sample;
  uint64_t sequence;
  unsigned batch;
  struct burst forwarded, generated, sunk;
  struct bench_flow flow;
  atomic_bool ended; /* round trips */
};

/* ---- Set-up ---- */

static void burst_init(struct burst *burst)
{
  for (unsigned i = 0; i < MOST_BATCH; i++) {
    burst->pieces[i] = (struct iovec){burst->payload[i], BENCH_PAYLOAD_BYTES};
    burst->messages[i].msg_hdr.msg_iov = &burst->pieces[i];
    burst->messages[i].msg_hdr.msg_iovlen = 1;
  }
}

static int open_socket(int *made, struct sockaddr_in *name)
{
  const int bytes = SOCKET_BYTES;
  socklen_t length = sizeof(*name);
  *name = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int fd = *made = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)name, sizeof(*name)) ||
      getsockname(fd, (struct sockaddr *)name, &length))
    return -errno;
  /* More than rmem_max is cut to that, and the default holds a window already. */
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
  return 0;
}

static int open_sockets(struct bench_udp *udp)
{
  static const int peers[SOCKETS] = {[ASKING] = ANSWERING, [ANSWERING] = ASKING, [SOURCE] = IN,
                                     [IN] = SOURCE,        [OUT] = DRAIN,        [DRAIN] = OUT};
  struct sockaddr_in names[SOCKETS];
  for (unsigned i = 0; i < SOCKETS; i++) {
    int code = open_socket(&udp->sockets[i], &names[i]);
    if (code)
      return code;
  }
  for (unsigned i = 0; i < SOCKETS; i++)
    if (connect(udp->sockets[i], (struct sockaddr *)&names[peers[i]], sizeof(names[0])))
      return -errno;
  return 0;
}

int bench_udp_open(struct bench *bench, struct bench_udp **made, struct shunt_error *error)
{
  struct bench_udp *udp = calloc(1, sizeof(*udp));
  if (!udp)
    return shunt_error_set(error, -ENOMEM, "no memory to measure the kernel's UDP");
  udp->bench = bench;
  for (unsigned i = 0; i < SOCKETS; i++)
    udp->sockets[i] = -1;
  burst_init(&udp->forwarded);
  burst_init(&udp->generated);
  burst_init(&udp->sunk);
  int code = open_sockets(udp);
  if (code) {
    bench_udp_close(udp);
    shunt_error_set(error, code, "can't measure the kernel's UDP");
    shunt_error_why(error, "a socket on 127.0.0.1: %s", strerror(-code));
    shunt_error_remedy(error, "bring the loopback interface up (ip link set lo up)");
    return code;
  }
  *made = udp;
  return 0;
}

void bench_udp_close(struct bench_udp *udp)
{
  if (!udp)
    return;
  for (unsigned i = 0; i < SOCKETS; i++)
    if (udp->sockets[i] >= 0)
      close(udp->sockets[i]);
  free(udp);
}

/* ---- Round trips ---- */

/* Send back what is there. */
static void answer(struct bench_udp *udp)
{
  uint8_t payload[BENCH_PAYLOAD_BYTES];
  ssize_t bytes = recv(udp->sockets[ANSWERING], payload, sizeof(payload), 0);
  if (bytes > 0)
    send(udp->sockets[ANSWERING], payload, (size_t)bytes, 0);
  else
    bench_spin(udp->bench);
}

static bool take_answer(struct bench_udp *udp)
{
  uint8_t payload[BENCH_PAYLOAD_BYTES];
  ssize_t bytes = recv(udp->sockets[ASKING], payload, sizeof(payload), 0);
  return bytes == sizeof(payload) && !memcmp(payload, &udp->sequence, sizeof(udp->sequence));
}

/* Returns the time that it took, or 0 where no answer came. */
static uint64_t exchange(struct bench_udp *udp, bool answers)
{
  const struct shunt_tsc *tsc = &udp->bench->tsc;
  uint8_t payload[BENCH_PAYLOAD_BYTES] = {0};
  udp->sequence++;
  memcpy(payload, &udp->sequence, sizeof(udp->sequence));
  const uint64_t start_ns = shunt_tsc_now_ordered_ns(tsc);
  send(udp->sockets[ASKING], payload, sizeof(payload), 0);
  for (unsigned rounds = 1;; rounds++) {
    if (answers)
      answer(udp);
    if (take_answer(udp))
      return shunt_tsc_now_ordered_ns(tsc) - start_ns;
    if (!answers)
      bench_spin(udp->bench);
    if (rounds % 64 == 0 && shunt_tsc_now_ns(tsc) - start_ns > BENCH_PATIENCE_NS)
      return 0;
  }
}

static void drive_round_trips(struct bench_udp *udp, bool answers)
{
  const struct bench *bench = udp->bench;
  struct bench_sample *sample = udp->sample;
  uint64_t end_ns = shunt_tsc_now_ns(&bench->tsc) + bench->slice_ns / 10;
  while (shunt_tsc_now_ns(&bench->tsc) < end_ns && !cli_stopped())
    sample->lost += !exchange(udp, answers);
  end_ns = shunt_tsc_now_ns(&bench->tsc) + bench->slice_ns;
  for (uint64_t i = 0; i < bench->most && !cli_stopped(); i++) {
    uint64_t took_ns = exchange(udp, answers);
    if (took_ns)
      shunt_histogram_record(sample->histogram, took_ns);
    sample->lost += !took_ns;
    if (shunt_tsc_now_ns(&bench->tsc) >= end_ns)
      break;
  }
  atomic_store(&udp->ended, true);
}

static void drive_both(void *context)
{
  drive_round_trips(context, true);
}

static void drive_asking(void *context)
{
  drive_round_trips(context, false);
}

static void assist_answering(void *context)
{
  struct bench_udp *udp = context;
  while (!atomic_load_explicit(&udp->ended, memory_order_relaxed))
    answer(udp);
}

int bench_udp_rtt_slice(struct bench_udp *udp, unsigned threads, struct bench_sample *sample,
                        struct shunt_error *error)
{
  udp->sample = sample;
  atomic_store(&udp->ended, false);
  return threads == 1 ? bench_run(udp->bench, drive_both, NULL, udp, error)
                      : bench_run(udp->bench, drive_asking, assist_answering, udp, error);
}

/* ---- Rates ---- */

static unsigned forward(void *context)
{
  struct bench_udp *udp = context;
  struct burst *burst = &udp->forwarded;
  int n = recvmmsg(udp->sockets[IN], burst->messages, udp->batch, 0, NULL);
  if (n <= 0) {
    bench_spin(udp->bench);
    return 0;
  }
  for (int i = 0; i < n; i++)
    burst->payload[i][0]++;
  int sent = sendmmsg(udp->sockets[OUT], burst->messages, (unsigned)n, 0);
  return sent > 0 ? (unsigned)sent : 0;
}

static void drive_forwarder(void *context)
{
  struct bench_udp *udp = context;
  bench_flow_drive(udp->bench, &udp->flow, forward, udp, udp->sample);
}

static void generate_and_sink(void *context)
{
  struct bench_udp *udp = context;
  struct bench_flow *flow = &udp->flow;
  while (bench_flow_goes_on(flow)) {
    int sunk = recvmmsg(udp->sockets[DRAIN], udp->sunk.messages, BURST, 0, NULL), sent = 0;
    if (sunk > 0)
      bench_flow_add(&flow->sunk, (unsigned)sunk);
    if (atomic_load_explicit(&flow->generates, memory_order_relaxed) &&
        bench_flow_pending(flow) + BURST <= BENCH_WINDOW)
      sent = sendmmsg(udp->sockets[SOURCE], udp->generated.messages, BURST, 0);
    if (sent > 0)
      bench_flow_add(&flow->generated, (unsigned)sent);
    if (sunk <= 0 && sent <= 0)
      bench_spin(udp->bench);
  }
}

int bench_udp_rate_slice(struct bench_udp *udp, unsigned batch, struct bench_sample *sample,
                         struct shunt_error *error)
{
  udp->sample = sample;
  udp->batch = batch;
  bench_flow_start(&udp->flow);
  return bench_run(udp->bench, drive_forwarder, generate_and_sink, udp, error);
}
