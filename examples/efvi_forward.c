/* SPDX-License-Identifier: BSD-2-Clause */
/* Forward between two ports with ef_vi: one piece of memory, registered in a protection domain of
 * each, so that a frame received at one is sent at the other from where it lies.
 *
 *   cc efvi_forward.c $(pkg-config --cflags --libs ciul1)
 *   ./a.out eth0 eth1
 *
 * Ends at SIGINT or SIGTERM and says how many frames went each way. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <etherfabric/memreg.h>
#include <etherfabric/pd.h>
#include <etherfabric/vi.h>

#define BUFFERS      512u /* of each port: on its Rx ring, or on the other's Tx ring */
#define BUFFER_BYTES 2048u
#define EVENTS       32

struct port {
  ef_driver_handle handle;
  ef_pd pd;
  ef_vi vi;
  ef_memreg memreg; /* of both ports' buffers, as this port's device sees them */
  unsigned first;   /* its own buffers */
  uint64_t forwarded, dropped;
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
  (void)signal;
  stopped = 1;
}

static int failed(const char *what, int result)
{
  if (result < 0)
    fprintf(stderr, "%s: %s\n", what, strerror(-result));
  return result < 0;
}

static ef_addr address(struct port *port, unsigned buffer)
{
  return ef_memreg_dma_addr(&port->memreg, (size_t)buffer * BUFFER_BYTES);
}

/* A buffer goes back to the port whose own it is. */
static void give_back(struct port *owner, unsigned buffer)
{
  if (failed("ef_vi_receive_post",
             ef_vi_receive_post(&owner->vi, address(owner, buffer), (ef_request_id)buffer)))
    stopped = 1;
}

static int take_all(struct port *port)
{
  ef_filter_spec spec;
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  if (failed("ef_filter_spec_set_unicast_all", ef_filter_spec_set_unicast_all(&spec)) ||
      failed("ef_vi_filter_add", ef_vi_filter_add(&port->vi, port->handle, &spec, NULL)))
    return -1;
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  if (failed("ef_filter_spec_set_multicast_all", ef_filter_spec_set_multicast_all(&spec)) ||
      failed("ef_vi_filter_add", ef_vi_filter_add(&port->vi, port->handle, &spec, NULL)))
    return -1;
  return 0;
}

static int port_open(struct port *port, const char *interface, uint8_t *memory, unsigned first)
{
  port->first = first;
  if (failed("ef_driver_open", ef_driver_open(&port->handle)) ||
      failed("ef_pd_alloc_by_name",
             ef_pd_alloc_by_name(&port->pd, port->handle, interface, EF_PD_DEFAULT)) ||
      failed("ef_vi_alloc_from_pd",
             ef_vi_alloc_from_pd(&port->vi, port->handle, &port->pd, port->handle, -1, -1, -1, NULL,
                                 -1, EF_VI_TX_IP_CSUM_DIS | EF_VI_TX_TCPUDP_CSUM_DIS)) ||
      failed("ef_memreg_alloc",
             ef_memreg_alloc(&port->memreg, port->handle, &port->pd, port->handle, memory,
                             (size_t)2 * BUFFERS * BUFFER_BYTES)))
    return -1;
  for (unsigned i = 0; i < BUFFERS && ef_vi_receive_space(&port->vi) > 0; i++)
    give_back(port, first + i);
  return take_all(port);
}

static void port_close(struct port *port)
{
  ef_vi_free(&port->vi, port->handle);
  ef_memreg_free(&port->memreg, port->handle);
  ef_pd_free(&port->pd, port->handle);
  ef_driver_close(port->handle);
}

/* From one to the other. The frame's buffer is the Rx port's own and comes back to it when the
 * other has sent. */
static void forward(struct port *from, struct port *to, const ef_event *event)
{
  const unsigned buffer = EF_EVENT_RX_RQ_ID(*event);
  const int result = ef_vi_transmit_init(&to->vi, address(to, buffer),
                                         (int)EF_EVENT_RX_BYTES(*event), (ef_request_id)buffer);
  if (result == 0) {
    from->forwarded++;
    return;
  }
  from->dropped++; /* -EAGAIN: the Tx ring is full; -EINVAL: longer than the other port's MTU */
  give_back(from, buffer);
}

static void sent(struct port *sender, struct port *owner, ef_event *event)
{
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  const int n = ef_vi_transmit_unbundle(&sender->vi, event, ids);
  for (int i = 0; i < n; i++)
    give_back(owner, (unsigned)ids[i]);
}

static void turn(struct port *port, struct port *other)
{
  ef_event events[EVENTS];
  int pushes = 0;
  const int n = ef_eventq_poll(&port->vi, events, EVENTS);
  if (failed("ef_eventq_poll", n))
    stopped = 1;
  for (int i = 0; i < n; i++) {
    switch (EF_EVENT_TYPE(events[i])) {
    case EF_EVENT_TYPE_RX:
      forward(port, other, &events[i]);
      pushes++;
      break;
    case EF_EVENT_TYPE_RX_DISCARD:
      port->dropped++;
      give_back(port, EF_EVENT_RX_DISCARD_RQ_ID(events[i]));
      break;
    case EF_EVENT_TYPE_TX:
      sent(port, other, &events[i]);
      break;
    default:
      break;
    }
  }
  if (pushes)
    ef_vi_transmit_push(&other->vi); /* one doorbell for all of them */
}

static void say(const char *from, const char *to, const struct port *port)
{
  printf("%s to %s: %llu forwarded, %llu dropped\n", from, to, (unsigned long long)port->forwarded,
         (unsigned long long)port->dropped);
}

int main(int argc, char **argv)
{
  static struct port ports[2];
  if (argc != 3) {
    fprintf(stderr, "usage: %s INTERFACE OTHER-INTERFACE\n", argv[0]);
    return 2;
  }
  signal(SIGINT, stop);
  signal(SIGTERM, stop);
  uint8_t *memory = aligned_alloc(4096, (size_t)2 * BUFFERS * BUFFER_BYTES);
  if (!memory || port_open(&ports[0], argv[1], memory, 0) ||
      port_open(&ports[1], argv[2], memory, BUFFERS))
    return 1;
  printf("forwarding\n");
  fflush(stdout);
  while (!stopped) {
    turn(&ports[0], &ports[1]);
    turn(&ports[1], &ports[0]);
  }
  say(argv[1], argv[2], &ports[0]);
  say(argv[2], argv[1], &ports[1]);
  port_close(&ports[0]);
  port_close(&ports[1]);
  free(memory);
  return 0;
}
