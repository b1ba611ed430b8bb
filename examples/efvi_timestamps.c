/* SPDX-License-Identifier: BSD-2-Clause */
/* Send a feed of numbered datagrams with ef_vi and say when each left: by time stamps of the device
 * where it has them (EF_VI_TX_TIMESTAMPS), else by the clock when its event came.
 *
 *   cc efvi_timestamps.c $(pkg-config --cflags --libs ciul1)
 *   ./a.out eth0 239.1.1.1 12345 1000 100
 *
 * The last argument is the time from one to the next in microseconds. Each packet goes out alone,
 * and the next is written when the last one's event has come. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <etherfabric/checksum.h>
#include <etherfabric/memreg.h>
#include <etherfabric/pd.h>
#include <etherfabric/vi.h>

#define MEMORY_BYTES  4096u
#define EVENTS        16
#define SOURCE_IPV4   0xC6120002u /* 198.18.0.2: RFC 2544, for benchmarks */
#define PAYLOAD_BYTES 18u
#define AT_IP         14u
#define AT_UDP        (AT_IP + 20u)
#define AT_PAYLOAD    (AT_UDP + 8u)
#define PACKET_BYTES  (AT_PAYLOAD + PAYLOAD_BYTES)
#define DEADLINE_NS   INT64_C(10000000000)

struct sender {
  ef_driver_handle handle;
  ef_pd pd;
  ef_vi vi;
  ef_memreg memreg;
  uint8_t *memory;
  int stamped; /* by the NIC, or by the kernel for it */
};

static int64_t clock_ns(clockid_t clock)
{
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int failed(const char *what, int result)
{
  if (result < 0)
    fprintf(stderr, "%s: %s\n", what, strerror(-result));
  return result < 0;
}

static int vi_alloc(struct sender *sender, enum ef_vi_flags flags)
{
  return ef_vi_alloc_from_pd(&sender->vi, sender->handle, &sender->pd, sender->handle, -1, 0, -1,
                             NULL, -1, flags);
}

static int sender_open(struct sender *sender, const char *interface)
{
  sender->memory = aligned_alloc(4096, MEMORY_BYTES);
  if (!sender->memory)
    return -1;
  memset(sender->memory, 0, MEMORY_BYTES);
  if (failed("ef_driver_open", ef_driver_open(&sender->handle)) ||
      failed("ef_pd_alloc_by_name",
             ef_pd_alloc_by_name(&sender->pd, sender->handle, interface, EF_PD_DEFAULT)))
    return -1;
  int result = vi_alloc(sender, EF_VI_TX_TIMESTAMPS);
  sender->stamped = result >= 0;
  if (result == -EOPNOTSUPP)
    result = vi_alloc(sender, EF_VI_FLAGS_DEFAULT);
  return failed("ef_vi_alloc_from_pd", result) ||
                 failed("ef_memreg_alloc",
                        ef_memreg_alloc(&sender->memreg, sender->handle, &sender->pd,
                                        sender->handle, sender->memory, MEMORY_BYTES))
             ? -1
             : 0;
}

static void sender_close(struct sender *sender)
{
  ef_vi_free(&sender->vi, sender->handle);
  ef_memreg_free(&sender->memreg, sender->handle);
  ef_pd_free(&sender->pd, sender->handle);
  ef_driver_close(sender->handle);
  free(sender->memory);
}

/* All of the packet but its number. A group's MAC address is made of its last 23 bits (RFC 1112).
 */
static void build(struct sender *sender, in_addr_t group, uint16_t port)
{
  uint8_t *packet = sender->memory;
  const uint32_t low = ntohl(group) & 0x7FFFFF;
  const uint8_t to[] = {1, 0, 0x5E, (uint8_t)(low >> 16), (uint8_t)(low >> 8), (uint8_t)low};
  struct iphdr ip = {.version = 4,
                     .ihl = 5,
                     .tot_len = htons(PACKET_BYTES - AT_IP),
                     .ttl = 1,
                     .protocol = IPPROTO_UDP,
                     .saddr = htonl(SOURCE_IPV4),
                     .daddr = group};
  const struct udphdr udp = {.source = htons(port),
                             .dest = htons(port),
                             .len = htons(8 + PAYLOAD_BYTES)}; /* no checksum: RFC 768 */
  ip.check = (uint16_t)ef_ip_checksum(&ip);
  memcpy(packet, to, sizeof(to));
  ef_vi_get_mac(&sender->vi, sender->handle, packet + 6);
  packet[12] = 0x08;
  memcpy(packet + AT_IP, &ip, sizeof(ip));
  memcpy(packet + AT_UDP, &udp, sizeof(udp));
}

/* Wait for the packet's event: when it left, in nanoseconds; -1: not within the deadline. */
static int64_t wait_sent(struct sender *sender)
{
  const int64_t end_ns = clock_ns(CLOCK_MONOTONIC) + DEADLINE_NS;
  ef_event events[EVENTS];
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  while (clock_ns(CLOCK_MONOTONIC) < end_ns) {
    const int n = ef_eventq_poll(&sender->vi, events, EVENTS);
    for (int i = 0; i < n; i++) {
      if (EF_EVENT_TYPE(events[i]) == EF_EVENT_TYPE_TX_WITH_TIMESTAMP)
        return (int64_t)EF_EVENT_TX_WITH_TIMESTAMP_SEC(events[i]) * 1000000000 +
               (int64_t)EF_EVENT_TX_WITH_TIMESTAMP_NSEC(events[i]);
      if (EF_EVENT_TYPE(events[i]) == EF_EVENT_TYPE_TX &&
          ef_vi_transmit_unbundle(&sender->vi, &events[i], ids) > 0)
        return clock_ns(CLOCK_REALTIME);
    }
  }
  fprintf(stderr, "a packet has not left for ten seconds\n");
  return -1;
}

/* Send them all. Returns how many left. */
static unsigned long send_all(struct sender *sender, unsigned long count, int64_t gap_ns)
{
  int64_t next_ns = clock_ns(CLOCK_MONOTONIC), first_ns = 0, last_ns = 0, least = INT64_MAX,
          most = 0;
  unsigned long sent = 0;
  for (; sent < count; sent++, next_ns += gap_ns) {
    const uint64_t number = htobe64(sent);
    memcpy(sender->memory + AT_PAYLOAD, &number, sizeof(number));
    while (clock_ns(CLOCK_MONOTONIC) < next_ns) {
    }
    if (failed("ef_vi_transmit", ef_vi_transmit(&sender->vi, ef_memreg_dma_addr(&sender->memreg, 0),
                                                PACKET_BYTES, (ef_request_id)(sent & 0xFF))))
      return sent;
    const int64_t at_ns = wait_sent(sender);
    if (at_ns < 0)
      return sent;
    first_ns = sent ? first_ns : at_ns;
    least = sent && at_ns - last_ns < least ? at_ns - last_ns : least;
    most = sent && at_ns - last_ns > most ? at_ns - last_ns : most;
    last_ns = at_ns;
  }
  printf("%lu packets left, by %s; from one to the next in ns:\n", sent,
         sender->stamped ? "the time stamps of their events"
                         : "the clock, as the device stamps none");
  if (sent > 1)
    printf("  least %lld   mean %lld   most %lld\n", (long long)least,
           (long long)((last_ns - first_ns) / (int64_t)(sent - 1)), (long long)most);
  return sent;
}

int main(int argc, char **argv)
{
  static struct sender sender;
  const in_addr_t group = argc == 6 ? inet_addr(argv[2]) : INADDR_NONE;
  const unsigned long port = argc == 6 ? strtoul(argv[3], NULL, 10) : 0;
  const unsigned long count = argc == 6 ? strtoul(argv[4], NULL, 10) : 0;
  if (!IN_MULTICAST(ntohl(group)) || port < 1 || port > 65535 || count < 1) {
    fprintf(stderr, "usage: %s INTERFACE GROUP PORT DATAGRAMS GAP-MICROSECONDS\n", argv[0]);
    return 2;
  }
  if (sender_open(&sender, argv[1]))
    return 1;
  build(&sender, group, (uint16_t)port);
  const unsigned long sent = send_all(&sender, count, strtol(argv[5], NULL, 10) * 1000);
  sender_close(&sender);
  return sent != count;
}
