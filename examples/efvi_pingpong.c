/* SPDX-License-Identifier: BSD-2-Clause */
/* Half a round trip with ef_vi: one interface sends, the other sends back, every byte is compared.
 *
 *   cc efvi_pingpong.c $(pkg-config --cflags --libs ciul1)
 *   SHUNT_EFVI_DEVICE='eth0=ixgbe:twin?wire=a,eth1=ixgbe:twin?wire=a' ./a.out eth0 eth1 10000
 *
 * Nothing here knows of shunt: with a Solarflare card and its own library it is the same program.
 * Both ends are in one thread, so a time is the work of both sides, and on twins that of the twins:
 * no figure of any hardware. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <etherfabric/memreg.h>
#include <etherfabric/pd.h>
#include <etherfabric/vi.h>

#define BUFFERS       64u
#define BUFFER_BYTES  2048u
#define MEMORY_BYTES  ((size_t)BUFFERS * BUFFER_BYTES)
#define FRAME_BYTES   64u
#define HEADER_BYTES  14u
#define PAYLOAD_BYTES (FRAME_BYTES - HEADER_BYTES)
#define EVENTS        16
#define ETHERTYPE     0x88B5 /* for experiments (IEEE 802, local experimental 1) */
#define DEADLINE_NS   INT64_C(5000000000)

struct end {
  ef_driver_handle handle;
  ef_pd pd;
  ef_vi vi;
  ef_memreg memreg;
  uint8_t *memory; /* buffer 0 sends; the others receive */
  uint8_t mac[6];
};

static int64_t now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int failed(const char *what, int result)
{
  return result < 0 ? fprintf(stderr, "%s: %s\n", what, strerror(-result)) : 0;
}

static ef_addr address(struct end *end, unsigned buffer)
{
  return ef_memreg_dma_addr(&end->memreg, (size_t)buffer * BUFFER_BYTES);
}

static int post(struct end *end, unsigned buffer)
{
  return failed("ef_vi_receive_post",
                ef_vi_receive_post(&end->vi, address(end, buffer), (ef_request_id)buffer));
}

static int end_open(struct end *end, const char *interface)
{
  ef_filter_spec spec;
  end->memory = aligned_alloc(4096, MEMORY_BYTES);
  if (!end->memory || failed("ef_driver_open", ef_driver_open(&end->handle)) ||
      failed("ef_pd_alloc_by_name",
             ef_pd_alloc_by_name(&end->pd, end->handle, interface, EF_PD_DEFAULT)) ||
      failed("ef_vi_alloc_from_pd",
             ef_vi_alloc_from_pd(&end->vi, end->handle, &end->pd, end->handle, -1, -1, -1, NULL, -1,
                                 EF_VI_FLAGS_DEFAULT)) ||
      failed("ef_memreg_alloc", ef_memreg_alloc(&end->memreg, end->handle, &end->pd, end->handle,
                                                end->memory, MEMORY_BYTES)) ||
      failed("ef_vi_get_mac", ef_vi_get_mac(&end->vi, end->handle, end->mac)))
    return -1;
  for (unsigned i = 1; i < BUFFERS; i++)
    if (post(end, i))
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

/* What an end has: the buffer of a received frame, or 0; sent ones are done with. */
static unsigned end_poll(struct end *end)
{
  ef_event events[EVENTS];
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  unsigned received = 0;
  const int n = ef_eventq_poll(&end->vi, events, EVENTS);
  for (int i = 0; i < n; i++)
    if (EF_EVENT_TYPE(events[i]) == EF_EVENT_TYPE_TX)
      ef_vi_transmit_unbundle(&end->vi, &events[i], ids);
    else if (EF_EVENT_TYPE(events[i]) == EF_EVENT_TYPE_RX)
      received = EF_EVENT_RX_RQ_ID(events[i]);
  return received;
}

/* Wait for a frame at one end, while the other lives, too. */
static unsigned wait_for(struct end *end, struct end *other)
{
  const int64_t deadline = now_ns() + DEADLINE_NS;
  unsigned buffer = 0;
  while (!(buffer = end_poll(end)) && now_ns() < deadline)
    end_poll(other);
  if (!buffer)
    fprintf(stderr, "no frame has come for five seconds\n");
  return buffer;
}

static void build(struct end *from, const struct end *to, uint32_t number)
{
  uint8_t *frame = from->memory;
  memcpy(frame, to->mac, 6);
  memcpy(frame + 6, from->mac, 6);
  frame[12] = ETHERTYPE >> 8;
  frame[13] = ETHERTYPE & 0xFF;
  for (unsigned i = HEADER_BYTES; i < FRAME_BYTES; i++)
    frame[i] = (uint8_t)(number * 31 + i);
}

/* There and back. Returns the time, or -1. */
static int64_t round_trip(struct end *near, struct end *far, uint32_t number)
{
  build(near, far, number);
  const int64_t start = now_ns();
  if (failed("ef_vi_transmit", ef_vi_transmit(&near->vi, address(near, 0), FRAME_BYTES, 0)))
    return -1;
  const unsigned there = wait_for(far, near);
  uint8_t *frame = far->memory + (size_t)there * BUFFER_BYTES;
  memcpy(frame, near->mac, 6);
  memcpy(frame + 6, far->mac, 6);
  if (!there ||
      failed("ef_vi_transmit", ef_vi_transmit(&far->vi, address(far, there), FRAME_BYTES, 0)))
    return -1;
  const unsigned back = wait_for(near, far);
  const int64_t taken = now_ns() - start;
  frame = near->memory + (size_t)back * BUFFER_BYTES;
  if (!back || memcmp(near->memory + HEADER_BYTES, frame + HEADER_BYTES, PAYLOAD_BYTES) != 0) {
    fprintf(stderr, "round trip %u: what came back is not what was sent\n", number);
    return -1;
  }
  /* Returned only now: the far end's buffer was read until its frame had left. */
  return post(far, there) || post(near, back) ? -1 : taken;
}

static int by_time(const void *a, const void *b)
{
  return *(const int64_t *)a < *(const int64_t *)b ? -1 : 1;
}

static void report(int64_t times[], uint32_t n)
{
  static const double parts[] = {0, 50, 90, 99, 99.9, 100};
  qsort(times, n, sizeof(times[0]), by_time);
  printf("%u round trips of %u bytes, all payloads right; half of one in ns:\n", n, FRAME_BYTES);
  for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
    printf("  p%g %lld\n", parts[i], (long long)times[(uint32_t)((n - 1) * parts[i] / 100)] / 2);
}

static int measure(struct end *near, struct end *far, int64_t times[], uint32_t n)
{
  if (round_trip(near, far, 0) < 0) /* the links come up, the caches fill */
    return 1;
  for (uint32_t i = 0; i < n; i++)
    if ((times[i] = round_trip(near, far, i + 1)) < 0)
      return 1;
  report(times, n);
  return 0;
}

int main(int argc, char **argv)
{
  static struct end near, far;
  const unsigned long n = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
  if (n < 1 || n > 100000000) {
    fprintf(stderr, "usage: %s INTERFACE OTHER-INTERFACE ROUND-TRIPS\n", argv[0]);
    return 2;
  }
  if (end_open(&near, argv[1]) || end_open(&far, argv[2]))
    return 1;
  int64_t *times = malloc(n * sizeof(times[0]));
  const int result = times ? measure(&near, &far, times, (uint32_t)n) : 1;
  free(times);
  end_close(&near);
  end_close(&far);
  return result;
}
