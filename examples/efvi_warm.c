/* SPDX-License-Identifier: BSD-2-Clause */
/* Keep the way to the wire warm with ef_vi: between two packets that count, packets are prepared
 * and thrown away, so that the code and the data of sending stay in the caches. The other interface
 * counts what really arrives.
 *
 *   cc efvi_warm.c $(pkg-config --cflags --libs ciul1)
 *   SHUNT_EFVI_DEVICE='eth0=ixgbe:twin?wire=a,eth1=ixgbe:twin?wire=a' ./a.out eth0 eth1 1000
 *
 * What is timed is the call that sends, after the caches were filled with something else. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <etherfabric/memreg.h>
#include <etherfabric/pd.h>
#include <etherfabric/vi.h>

#define BUFFERS      64u
#define BUFFER_BYTES 2048u
#define PACKET_BYTES 64
#define EVENTS       16
#define ETHERTYPE    0x88B5     /* for experiments (IEEE 802, local experimental 1) */
#define OTHER_BYTES  (4u << 20) /* what another program would leave in the caches */
#define WARM_UPS     4
#define DEADLINE_NS  INT64_C(10000000000)

struct end {
  ef_driver_handle handle;
  ef_pd pd;
  ef_vi vi;
  ef_memreg memreg;
  uint8_t *memory;
  uint8_t mac[6];
  uint64_t received, sent;
};

static int64_t now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int failed(const char *what, int result)
{
  if (result < 0)
    fprintf(stderr, "%s: %s\n", what, strerror(-result));
  return result < 0;
}

static ef_addr address(struct end *end, unsigned buffer)
{
  return ef_memreg_dma_addr(&end->memreg, (size_t)buffer * BUFFER_BYTES);
}

static int end_open(struct end *end, const char *interface)
{
  ef_filter_spec spec;
  const size_t bytes = (size_t)BUFFERS * BUFFER_BYTES;
  end->memory = aligned_alloc(4096, bytes);
  if (!end->memory)
    return -1;
  if (failed("ef_driver_open", ef_driver_open(&end->handle)) ||
      failed("ef_pd_alloc_by_name",
             ef_pd_alloc_by_name(&end->pd, end->handle, interface, EF_PD_DEFAULT)) ||
      failed("ef_vi_alloc_from_pd",
             ef_vi_alloc_from_pd(&end->vi, end->handle, &end->pd, end->handle, -1, -1, -1, NULL, -1,
                                 EF_VI_FLAGS_DEFAULT)) ||
      failed("ef_memreg_alloc", ef_memreg_alloc(&end->memreg, end->handle, &end->pd, end->handle,
                                                end->memory, bytes)) ||
      failed("ef_vi_get_mac", ef_vi_get_mac(&end->vi, end->handle, end->mac)))
    return -1;
  for (unsigned i = 1; i < BUFFERS; i++)
    if (failed("ef_vi_receive_post",
               ef_vi_receive_post(&end->vi, address(end, i), (ef_request_id)i)))
      return -1;
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  ef_filter_spec_set_eth_type(&spec, htons(ETHERTYPE));
  ef_filter_spec_set_eth_local(&spec, EF_FILTER_VLAN_ID_ANY, end->mac);
  return failed("ef_vi_filter_add", ef_vi_filter_add(&end->vi, end->handle, &spec, NULL)) ? -1 : 0;
}

static void end_close(struct end *end)
{
  ef_vi_free(&end->vi, end->handle);
  ef_memreg_free(&end->memreg, end->handle);
  ef_pd_free(&end->pd, end->handle);
  ef_driver_close(end->handle);
  free(end->memory);
}

static void end_poll(struct end *end)
{
  ef_event events[EVENTS];
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  const int n = ef_eventq_poll(&end->vi, events, EVENTS);
  for (int i = 0; i < n; i++) {
    if (EF_EVENT_TYPE(events[i]) == EF_EVENT_TYPE_TX)
      end->sent += (uint64_t)ef_vi_transmit_unbundle(&end->vi, &events[i], ids);
    if (EF_EVENT_TYPE(events[i]) != EF_EVENT_TYPE_RX)
      continue;
    const unsigned buffer = EF_EVENT_RX_RQ_ID(events[i]);
    end->received++;
    ef_vi_receive_post(&end->vi, address(end, buffer), (ef_request_id)buffer);
  }
}

/* The same calls as for a packet that counts; none of them reaches the wire. */
static void warm_up(struct end *end)
{
  ef_vi_tx_warm_state saved;
  ef_vi_start_transmit_warm(&end->vi, &saved, NULL);
  for (unsigned i = 0; i < WARM_UPS; i++)
    ef_vi_transmit(&end->vi, address(end, 0), PACKET_BYTES, 0);
  ef_vi_stop_transmit_warm(&end->vi, &saved);
}

/* Send one packet, after other work. Returns how long the call took, or -1. */
static int64_t send_one(struct end *end, struct end *to, volatile uint8_t *other, int warm)
{
  const uint64_t wanted = to->received + 1;
  for (size_t i = 0; i < OTHER_BYTES; i += 64)
    other[i]++;
  if (warm)
    warm_up(end);
  const int64_t start_ns = now_ns();
  if (failed("ef_vi_transmit", ef_vi_transmit(&end->vi, address(end, 0), PACKET_BYTES, 0)))
    return -1;
  const int64_t took_ns = now_ns() - start_ns;
  while (to->received < wanted || end->sent < wanted) {
    end_poll(end);
    end_poll(to);
    if (now_ns() - start_ns > DEADLINE_NS) {
      fprintf(stderr, "a packet has not arrived for ten seconds\n");
      return -1;
    }
  }
  return took_ns;
}

static int by_time(const void *a, const void *b)
{
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static int measure(struct end *near, struct end *far, uint8_t *other, int64_t *times[2], unsigned n)
{
  for (unsigned i = 0; i < 2 * n; i++) {
    times[i % 2][i / 2] = send_one(near, far, other, i % 2);
    if (times[i % 2][i / 2] < 0)
      return 1;
  }
  qsort(times[0], n, sizeof(times[0][0]), by_time);
  qsort(times[1], n, sizeof(times[1][0]), by_time);
  printf("%llu packets sent, %llu arrived, %llu warm-ups sent nothing\n",
         (unsigned long long)near->sent, (unsigned long long)far->received,
         (unsigned long long)n * WARM_UPS);
  printf("the call that sends, median in ns: cold %lld, warm %lld\n", (long long)times[0][n / 2],
         (long long)times[1][n / 2]);
  return near->sent != far->received || far->received != 2ull * n;
}

int main(int argc, char **argv)
{
  static struct end near, far;
  static uint8_t other[OTHER_BYTES];
  const unsigned long n = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
  if (n < 1 || n > 1000000) {
    fprintf(stderr, "usage: %s INTERFACE OTHER-INTERFACE PACKETS\n", argv[0]);
    return 2;
  }
  if (end_open(&near, argv[1]) || end_open(&far, argv[2]))
    return 1;
  memcpy(near.memory, far.mac, 6);
  memcpy(near.memory + 6, near.mac, 6);
  near.memory[12] = ETHERTYPE >> 8;
  near.memory[13] = ETHERTYPE & 0xFF;
  int64_t *times[2] = {malloc(n * sizeof(int64_t)), malloc(n * sizeof(int64_t))};
  int result = times[0] && times[1] ? measure(&near, &far, other, times, (unsigned)n) : 1;
  free(times[0]);
  free(times[1]);
  end_close(&near);
  end_close(&far);
  return result;
}
