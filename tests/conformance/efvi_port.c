/* SPDX-License-Identifier: BSD-2-Clause */
#include "conformance/efvi_port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <etherfabric/memreg.h>
#include <etherfabric/pd.h>
#include <etherfabric/vi.h>

#include "src/efvi/efvi.h"

#define DONE   8192u /* more than both rings hold */
#define PIECES 32u
#define EVENTS 64
#define GROUPS 4u

/* What a filter takes: what the port asks its own filters for. */
enum { OWN, BROADCAST, UNICAST_ALL, MULTICAST_ALL, KINDS };

struct efvi_port {
  struct shunt_port port;
  struct shunt_queue queue;
  ef_driver_handle handle;
  ef_pd pd;
  ef_vi vi;
  ef_memreg memreg;
  bool has_vi, has_memreg, has_pd;
  uint32_t buf_bytes;
  uint32_t rx_bytes; /* that a buffer receives: what one of the device's does */
  ef_filter_cookie promiscuous[2];
  bool is_promiscuous;
  struct {
    bool used;
    struct shunt_mac group;
    ef_filter_cookie cookie;
  } groups[GROUPS];

  struct shunt_frame received[DONE]; /* polled with others' events, not yet asked for */
  uint32_t received_in, received_out;
  uint32_t bytes_before;  /* of a frame whose first pieces were polled */
  shunt_buf posted[DONE]; /* pieces that are on their way; a packet's id is its first one's place */
  uint32_t posted_in;
  uint8_t pieces[DONE];
  shunt_buf sent[DONE];
  uint32_t sent_in, sent_out;
};

static struct efvi_port *of_queue(struct shunt_queue *q)
{
  return (struct efvi_port *)q->port;
}

static const struct efvi_device *device_of(const struct shunt_port *port)
{
  return efvi_own(&((const struct efvi_port *)port)->vi)->device;
}

/* The library's reason, as the port's. */
static int refused(struct shunt_error *error, int code)
{
  if (error)
    *error = *shunt_last_error();
  return code;
}

/* --- The verbs ----------------------------------------------------------------------------------
 */

static void take_received(struct efvi_port *own, const ef_event *event)
{
  struct shunt_frame *frame = &own->received[own->received_in++ % DONE];
  const bool more = EF_EVENT_RX_CONT(*event);
  *frame = (struct shunt_frame){.addr = (shunt_buf)EF_EVENT_RX_RQ_ID(*event) * own->buf_bytes,
                                .len = (uint16_t)(EF_EVENT_RX_BYTES(*event) - own->bytes_before),
                                .flags = more ? SHUNT_FRAME_MORE : 0};
  if (EF_EVENT_TYPE(*event) == EF_EVENT_TYPE_RX_DISCARD)
    frame->flags |= EF_EVENT_RX_DISCARD_TYPE(*event) == EF_EVENT_RX_DISCARD_CSUM_BAD
                        ? SHUNT_FRAME_L4_BAD
                        : SHUNT_FRAME_DAMAGED;
  own->bytes_before = more ? EF_EVENT_RX_BYTES(*event) : 0;
}

static void take_sent(struct efvi_port *own, const ef_event *event)
{
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  const int n = ef_vi_transmit_unbundle(&own->vi, event, ids);
  for (int i = 0; i < n; i++)
    for (uint32_t piece = 0; piece < own->pieces[ids[i]]; piece++)
      own->sent[own->sent_in++ % DONE] = own->posted[((uint32_t)ids[i] + piece) % DONE];
}

/* Take all events there are: both kinds come from one queue. */
static void take_events(struct efvi_port *own)
{
  ef_event events[EVENTS];
  int n;
  do {
    n = ef_eventq_poll(&own->vi, events, EVENTS);
    for (int i = 0; i < n; i++)
      if (EF_EVENT_TYPE(events[i]) == EF_EVENT_TYPE_TX)
        take_sent(own, &events[i]);
      else if (EF_EVENT_TYPE(events[i]) == EF_EVENT_TYPE_RX ||
               EF_EVENT_TYPE(events[i]) == EF_EVENT_TYPE_RX_DISCARD)
        take_received(own, &events[i]);
  } while (n == EVENTS);
}

static unsigned rx_post(struct shunt_queue *q, const shunt_buf bufs[], unsigned n)
{
  struct efvi_port *own = of_queue(q);
  unsigned taken = 0;
  while (taken < n) {
    const shunt_buf first = bufs[taken] & ~(shunt_buf)(own->buf_bytes - 1);
    if (ef_vi_receive_init(&own->vi, ef_memreg_dma_addr(&own->memreg, first),
                           (ef_request_id)(first / own->buf_bytes)))
      break;
    taken++;
  }
  ef_vi_receive_push(&own->vi);
  return taken;
}

static unsigned rx_poll(struct shunt_queue *q, struct shunt_frame frames[], unsigned n)
{
  struct efvi_port *own = of_queue(q);
  unsigned got = 0;
  take_events(own);
  while (got < n && own->received_out != own->received_in)
    frames[got++] = own->received[own->received_out++ % DONE];
  return got;
}

/* Put one frame's pieces on the ring. Returns how many; 0: there is no room, or no end. */
static unsigned post_frame(struct efvi_port *own, const struct shunt_frame frames[], unsigned n)
{
  ef_iovec iov[PIECES];
  const uint32_t id = own->posted_in % DONE;
  unsigned pieces = 0;
  do {
    if (pieces == n || pieces == PIECES || frames[pieces].flags & ~SHUNT_FRAME_MORE)
      return 0;
    iov[pieces] = (ef_iovec){.iov_base = ef_memreg_dma_addr(&own->memreg, frames[pieces].addr),
                             .iov_len = frames[pieces].len};
  } while (frames[pieces++].flags & SHUNT_FRAME_MORE);
  if (ef_vi_transmitv_init(&own->vi, iov, (int)pieces, (ef_request_id)id))
    return 0;
  for (unsigned i = 0; i < pieces; i++)
    own->posted[own->posted_in++ % DONE] = frames[i].addr;
  own->pieces[id] = (uint8_t)pieces;
  return pieces;
}

static unsigned tx_post(struct shunt_queue *q, const struct shunt_frame frames[], unsigned n)
{
  unsigned taken = 0, pieces;
  while (taken < n && (pieces = post_frame(of_queue(q), frames + taken, n - taken)))
    taken += pieces;
  return taken;
}

static void tx_push(struct shunt_queue *q)
{
  ef_vi_transmit_push(&of_queue(q)->vi);
}

static unsigned tx_poll(struct shunt_queue *q, shunt_buf bufs[], unsigned n)
{
  struct efvi_port *own = of_queue(q);
  unsigned got = 0;
  take_events(own);
  while (got < n && own->sent_out != own->sent_in)
    bufs[got++] = own->sent[own->sent_out++ % DONE];
  return got;
}

static const struct shunt_queue_verbs verbs = {rx_post, rx_poll, tx_post, tx_push, tx_poll};

/* --- Set-up calls -------------------------------------------------------------------------------
 */

static int filter_add(struct efvi_port *own, int kind, const void *mac, ef_filter_cookie *cookie)
{
  ef_filter_spec spec;
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  if (kind == UNICAST_ALL)
    ef_filter_spec_set_unicast_all(&spec);
  else if (kind == MULTICAST_ALL)
    ef_filter_spec_set_multicast_all(&spec);
  else
    ef_filter_spec_set_eth_local(&spec, EF_FILTER_VLAN_ID_ANY, mac);
  return ef_vi_filter_add(&own->vi, own->handle, &spec, cookie);
}

/* Receive what the device's own address and broadcast name. */
static int filters_make(struct efvi_port *own, struct shunt_error *error)
{
  static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
  uint8_t mac[6];
  ef_vi_get_mac(&own->vi, own->handle, mac);
  int result = filter_add(own, OWN, mac, NULL);
  if (!result)
    result = filter_add(own, BROADCAST, all, NULL);
  return result ? refused(error, result) : 0;
}

static int promiscuous(struct shunt_port *port, int on, struct shunt_error *error)
{
  struct efvi_port *own = (struct efvi_port *)port;
  if (own->is_promiscuous == (on != 0))
    return 0;
  own->is_promiscuous = on != 0;
  for (int i = 0; i < 2; i++) {
    int result = on ? filter_add(own, UNICAST_ALL + i, NULL, &own->promiscuous[i])
                    : ef_vi_filter_del(&own->vi, own->handle, &own->promiscuous[i]);
    if (result)
      return refused(error, result);
  }
  return 0;
}

static int multicast(struct shunt_port *port, const struct shunt_mac *group, bool add,
                     struct shunt_error *error)
{
  struct efvi_port *own = (struct efvi_port *)port;
  unsigned at = 0;
  while (at < GROUPS && (add ? own->groups[at].used
                             : !own->groups[at].used ||
                                   memcmp(&own->groups[at].group, group, sizeof(*group)) != 0))
    at++;
  if (at == GROUPS)
    return shunt_error_set(error, add ? -ENOSPC : -ENOENT, "no such group, or no room for it");
  int result = add ? filter_add(own, OWN, group->bytes, &own->groups[at].cookie)
                   : ef_vi_filter_del(&own->vi, own->handle, &own->groups[at].cookie);
  if (result)
    return refused(error, result);
  own->groups[at].used = add;
  own->groups[at].group = *group;
  return 0;
}

static int queue_fd(struct shunt_queue *q, struct shunt_error *error)
{
  (void)error;
  return of_queue(q)->handle;
}

static void queue_arm(struct shunt_queue *q)
{
  struct efvi_port *own = of_queue(q);
  (void)ef_vi_prime(&own->vi, own->handle, ef_eventq_current(&own->vi));
}

/* ef_vi's counters; its interface is one queue, so what it received, that queue did. */
static unsigned statistics(struct shunt_port *port, struct shunt_statistic list[], unsigned n)
{
  struct efvi_port *own = (struct efvi_port *)port;
  const ef_vi_stats_layout *layout;
  uint8_t counted[4096];
  take_events(own);
  if (ef_vi_stats_query_layout(&own->vi, &layout) ||
      ef_vi_stats_query(&own->vi, own->handle, counted, 0))
    return 0;
  const unsigned fields = (unsigned)layout->evsl_fields_num;
  for (unsigned i = 0; i <= fields && i < n; i++) {
    const ef_vi_stats_field_layout *field = &layout->evsl_fields[i < fields ? i : 0];
    snprintf(list[i].name, sizeof(list[i].name), "%s",
             i < fields ? field->evsfl_name : "rx_q0_packets");
    list[i].value = 0;
    memcpy(&list[i].value, counted + field->evsfl_offset, (size_t)field->evsfl_size);
  }
  return fields + 1;
}

static struct shunt_queue *queue(struct shunt_port *port, unsigned index)
{
  return index == 0 ? &((struct efvi_port *)port)->queue : NULL;
}

/* ef_vi says nothing of its device but address and MTU: the rest is that of the port below. */
static void info(const struct shunt_port *port, struct shunt_port_info *all)
{
  const struct efvi_port *own = (const struct efvi_port *)port;
  const struct shunt_port_info *below = &device_of(port)->info;
  const char *name = all->name;
  *all = *below;
  all->name = name;
  all->queues = 1;
  all->rx_ring = own->vi.vi_rxq.mask + 1;
  all->tx_ring = own->vi.vi_txq.mask + 1;
  all->rx_buf_bytes = own->rx_bytes;
}

static int link_state(struct shunt_port *port, struct shunt_link *link, struct shunt_error *error)
{
  return shunt_port_link(device_of(port)->port, link, error);
}

/* Takes a half-made one. */
static void efvi_port_close(struct shunt_port *port)
{
  struct efvi_port *own = (struct efvi_port *)port;
  if (own->has_vi)
    ef_vi_free(&own->vi, own->handle);
  if (own->has_memreg)
    ef_memreg_free(&own->memreg, own->handle);
  if (own->has_pd)
    ef_pd_free(&own->pd, own->handle);
  if (own->handle >= 0)
    ef_driver_close(own->handle);
  free(own);
  if (!efvi_state()->pds)
    efvi_use_testbed(NULL, NULL);
}

static const struct port_ops ops = {.close = efvi_port_close,
                                    .info = info,
                                    .queue = queue,
                                    .queue_fd = queue_fd,
                                    .queue_arm = queue_arm,
                                    .link = link_state,
                                    .statistics = statistics,
                                    .promiscuous = promiscuous,
                                    .multicast = multicast};

/* --- Opening ------------------------------------------------------------------------------------
 */

/* What can be asked of a port and not of ef_vi. */
static int options_check(const struct shunt_port_options *options, struct shunt_error *error)
{
  const char *lacks = options->queues > 1               ? "an interface of ef_vi has one queue"
                      : options->vlan_strip             ? "ef_vi leaves VLAN tags in frames"
                      : options->tx_report_interval > 1 ? "ef_vi tells of every packet sent"
                                                        : NULL;
  if (!lacks)
    return 0;
  shunt_error_set(error, -EOPNOTSUPP, "not over ef_vi");
  shunt_error_why(error, "%s", lacks);
  return -EOPNOTSUPP;
}

/* SHUNT_EFVI_DEVICE makes the device an interface of a name that no other has: two of one name
 * would be one device. */
static int name_make(const char *location, const struct shunt_port_options *options,
                     struct params *params, char name[16], struct shunt_error *error)
{
  static unsigned count;
  char rest[256], map[512];
  if (params_rest(params, rest, sizeof(rest)))
    return shunt_error_set(error, -ENOSPC, "the keys are too long");
  snprintf(name, 16, "if%u", ++count);
  snprintf(map, sizeof(map), "%s=%s?mtu=%u%s%s", name, location, options->mtu, *rest ? "&" : "",
           rest);
  return setenv("SHUNT_EFVI_DEVICE", map, 1) ? -ENOMEM : 0;
}

static int interface_make(struct efvi_port *own, const char *name,
                          const struct shunt_port_options *options, struct shunt_error *error)
{
  int result = ef_driver_open(&own->handle);
  if (!result)
    result = ef_pd_alloc_by_name(&own->pd, own->handle, name, EF_PD_DEFAULT);
  own->has_pd = !result;
  if (!result)
    result =
        ef_vi_alloc_from_pd(&own->vi, own->handle, &own->pd, own->handle, -1,
                            (int)options->rx_ring - 1, (int)options->tx_ring - 1, NULL, -1,
                            (enum ef_vi_flags)(EF_VI_TX_IP_CSUM_DIS | EF_VI_TX_TCPUDP_CSUM_DIS));
  own->has_vi = own->has_pd && result >= 0;
  if (result >= 0)
    result =
        ef_memreg_alloc(&own->memreg, own->handle, &own->pd, own->handle,
                        shunt_region_base(options->region), shunt_region_bytes(options->region));
  own->has_memreg = !result;
  if (result)
    return refused(error, result);
  own->buf_bytes = shunt_region_buf_bytes(options->region);
  own->rx_bytes = device_of(&own->port)->info.rx_buf_bytes;
  own->rx_bytes = own->rx_bytes < own->buf_bytes ? own->rx_bytes : own->buf_bytes;
  ef_vi_receive_set_buffer_len(&own->vi, own->rx_bytes);
  return filters_make(own, error);
}

static int efvi_port_open(const char *location, const struct shunt_port_options *options,
                          struct params *params, struct shunt_port **port,
                          struct shunt_error *error)
{
  char name[16];
  int result = options_check(options, error);
  if (!result)
    result = name_make(location, options, params, name, error);
  if (result)
    return result;
  struct efvi_port *own = calloc(1, sizeof(*own));
  if (!own)
    return shunt_error_set(error, -ENOMEM, "no memory for a port");
  own->handle = -1;
  own->port.ops = &ops;
  own->queue.verbs = &verbs;
  own->queue.base = shunt_region_base(options->region);
  own->queue.buf_bytes = shunt_region_buf_bytes(options->region);
  if (!efvi_state()->pds)
    efvi_use_testbed(options->testbed, NULL);
  result = interface_make(own, name, options, error);
  if (result) {
    efvi_port_close(&own->port);
    return result;
  }
  *port = &own->port;
  return 0;
}

const struct port_driver efvi_port_driver = {.name = "efvi", .open = efvi_port_open};

const char *efvi_port_lacks(const char *name)
{
  static const char *const lacks[][2] = {
      {"checksums_are_filled_in_and_checked",
       "an interface's flags say which checksums it fills in, not a frame's; events say what is "
       "wrong, not what was looked at (tests/unit/test_efvi_data.c has both)"},
  };
  for (unsigned i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++)
    if (strcmp(name, lacks[i][0]) == 0)
      return lacks[i][1];
  return NULL;
}
