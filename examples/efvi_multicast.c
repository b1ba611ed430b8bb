/* SPDX-License-Identifier: BSD-2-Clause */
/* Receive a multicast feed with ef_vi: a filter for the group and port, buffers posted anew in
 * batches, and the feed's own sequence numbers to tell what is missing.
 *
 *   cc efvi_multicast.c $(pkg-config --cflags --libs ciul1)
 *   ./a.out eth0 239.1.1.1 12345 100000
 *
 * A datagram begins with a sequence number of 8 bytes in network order, as efvi_timestamps sends
 * them. Ends when so many datagrams have come, or none has for ten seconds. */
#include <arpa/inet.h>
#include <endian.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <etherfabric/memreg.h>
#include <etherfabric/pd.h>
#include <etherfabric/vi.h>

#define BUFFERS      511u /* as many as a ring of 512 holds */
#define BUFFER_BYTES 2048u
#define REFILL       16u /* a push for so many buffers */
#define EVENTS       32
#define AT_SEQUENCE  42u /* behind Ethernet, IPv4 without options, and UDP */
#define PATIENCE_NS  INT64_C(10000000000)

struct feed {
  ef_driver_handle handle;
  ef_pd pd;
  ef_vi vi;
  ef_memreg memreg;
  uint8_t *memory;
  int group_socket; /* -1: the interface is none of the kernel's */
  unsigned waiting; /* buffers put on the ring, not yet pushed */
  uint64_t expected, received, missing, late, discarded;
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

/* Who has the group join its port of the switch is the kernel: an ef_vi filter tells only the NIC.
 */
static void join(struct feed *feed, const char *interface, in_addr_t group)
{
  const struct ip_mreqn membership = {.imr_multiaddr.s_addr = group,
                                      .imr_ifindex = (int)if_nametoindex(interface)};
  feed->group_socket = membership.imr_ifindex ? socket(AF_INET, SOCK_DGRAM, 0) : -1;
  if (feed->group_socket >= 0 && setsockopt(feed->group_socket, IPPROTO_IP, IP_ADD_MEMBERSHIP,
                                            &membership, sizeof(membership)))
    perror("no IGMP report (IP_ADD_MEMBERSHIP)");
}

static int give(struct feed *feed, ef_request_id buffer)
{
  const ef_addr at = ef_memreg_dma_addr(&feed->memreg, (size_t)buffer * BUFFER_BYTES);
  if (failed("ef_vi_receive_init", ef_vi_receive_init(&feed->vi, at, buffer)))
    return -1;
  if (++feed->waiting == REFILL) {
    ef_vi_receive_push(&feed->vi);
    feed->waiting = 0;
  }
  return 0;
}

static int feed_open(struct feed *feed, const char *interface, in_addr_t group, uint16_t port)
{
  ef_filter_spec spec;
  const size_t bytes = (size_t)BUFFERS * BUFFER_BYTES;
  feed->memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (!feed->memory)
    return -1;
  if (failed("ef_driver_open", ef_driver_open(&feed->handle)) ||
      failed("ef_pd_alloc_by_name",
             ef_pd_alloc_by_name(&feed->pd, feed->handle, interface, EF_PD_DEFAULT)) ||
      failed("ef_vi_alloc_from_pd",
             ef_vi_alloc_from_pd(&feed->vi, feed->handle, &feed->pd, feed->handle, -1, -1, 0, NULL,
                                 -1, EF_VI_FLAGS_DEFAULT)) ||
      failed("ef_memreg_alloc", ef_memreg_alloc(&feed->memreg, feed->handle, &feed->pd,
                                                feed->handle, feed->memory, bytes)))
    return -1;
  for (unsigned i = 0; i < BUFFERS; i++)
    if (give(feed, (ef_request_id)i))
      return -1;
  ef_vi_receive_push(&feed->vi);
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  if (failed("ef_filter_spec_set_ip4_local",
             ef_filter_spec_set_ip4_local(&spec, IPPROTO_UDP, group, htons(port))) ||
      failed("ef_vi_filter_add", ef_vi_filter_add(&feed->vi, feed->handle, &spec, NULL)))
    return -1;
  join(feed, interface, group);
  return 0;
}

static void feed_close(struct feed *feed)
{
  if (feed->group_socket >= 0)
    close(feed->group_socket);
  ef_vi_free(&feed->vi, feed->handle);
  ef_memreg_free(&feed->memreg, feed->handle);
  ef_pd_free(&feed->pd, feed->handle);
  ef_driver_close(feed->handle);
  free(feed->memory);
}

/* Where a feed handler would decode. */
static void take(struct feed *feed, const uint8_t *frame, unsigned bytes)
{
  uint64_t sequence;
  if (!frame || bytes < AT_SEQUENCE + sizeof(sequence))
    return;
  memcpy(&sequence, frame + AT_SEQUENCE, sizeof(sequence));
  sequence = be64toh(sequence);
  if (feed->received++ == 0)
    feed->expected = sequence;
  if (sequence < feed->expected) {
    feed->late++;
    return;
  }
  feed->missing += sequence - feed->expected;
  feed->expected = sequence + 1;
}

/* Take what there is. Returns how many events there were, or -1. */
static int feed_poll(struct feed *feed)
{
  ef_event events[EVENTS];
  const int n = ef_eventq_poll(&feed->vi, events, EVENTS);
  for (int i = 0; i < n; i++) {
    const unsigned type = EF_EVENT_TYPE(events[i]);
    if (type != EF_EVENT_TYPE_RX && type != EF_EVENT_TYPE_RX_DISCARD)
      continue;
    const ef_request_id id =
        (ef_request_id)(type == EF_EVENT_TYPE_RX ? EF_EVENT_RX_RQ_ID(events[i])
                                                 : EF_EVENT_RX_DISCARD_RQ_ID(events[i]));
    if (type == EF_EVENT_TYPE_RX)
      take(feed, feed->memory + (size_t)id * BUFFER_BYTES, EF_EVENT_RX_BYTES(events[i]));
    else
      feed->discarded++;
    if (give(feed, id))
      return -1;
  }
  return failed("ef_eventq_poll", n) ? -1 : n;
}

int main(int argc, char **argv)
{
  static struct feed feed = {.group_socket = -1};
  const in_addr_t group = argc == 5 ? inet_addr(argv[2]) : INADDR_NONE;
  const unsigned long port = argc == 5 ? strtoul(argv[3], NULL, 10) : 0;
  const unsigned long wanted = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
  if (!IN_MULTICAST(ntohl(group)) || port < 1 || port > 65535 || wanted < 1) {
    fprintf(stderr, "usage: %s INTERFACE GROUP PORT DATAGRAMS\n", argv[0]);
    return 2;
  }
  if (feed_open(&feed, argv[1], group, (uint16_t)port))
    return 1;
  printf("listening\n");
  fflush(stdout);
  int result = 0;
  int64_t end_ns = now_ns() + PATIENCE_NS;
  while (feed.received < wanted && result >= 0 && now_ns() < end_ns) {
    result = feed_poll(&feed);
    end_ns = result > 0 ? now_ns() + PATIENCE_NS : end_ns;
  }
  printf("%llu datagrams, %llu missing, %llu late, %llu damaged\n",
         (unsigned long long)feed.received, (unsigned long long)feed.missing,
         (unsigned long long)feed.late, (unsigned long long)feed.discarded);
  result = feed.received < wanted;
  feed_close(&feed);
  return result;
}
