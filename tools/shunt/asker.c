/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/asker.h"

#include <errno.h>
#include <string.h>

#include "shunt/arp.h"
#include "shunt/bytes.h"

#define ASK_EVERY_NS UINT64_C(100000000)
#define ASK_FOR_NS   UINT64_C(3000000000)

bool asker_send(struct asker *asker, const void *frame, uint32_t bytes)
{
  struct shunt_frame pieces[DEVICE_PIECES_MOST];
  struct shunt_queue *q = asker->device->queues[0];
  device_reclaim(asker->device, 0);
  unsigned n = device_frame_put(asker->device, frame, bytes, pieces);
  if (!n)
    return false;
  unsigned posted = shunt_tx_post(q, pieces, n);
  for (unsigned i = posted; i < n; i++)
    shunt_pool_give(asker->device->pool, &pieces[i].addr, 1);
  shunt_tx_push(q);
  return posted == n;
}

void asker_answer_arp(struct asker *asker, const void *frame, uint32_t bytes,
                      const struct shunt_parsed *parsed)
{
  uint8_t answer[128];
  if (!(parsed->flags & SHUNT_PARSED_ARP) || bytes > sizeof(answer))
    return;
  memcpy(answer, frame, bytes);
  if (shunt_arp_reply_in_place(answer, parsed, &asker->host) == SHUNT_CAUSE_NONE &&
      asker_send(asker, answer, bytes))
    asker->answers++;
}

/* Is it the answer to our question? Then its sender's address goes to mac. */
static bool is_answer(const void *frame, const struct shunt_parsed *parsed, uint32_t target,
                      struct shunt_mac *mac)
{
  const struct shunt_arp_packet *packet =
      (const void *)((const uint8_t *)frame + parsed->l3_offset);
  if (!(parsed->flags & SHUNT_PARSED_ARP) ||
      shunt_load_be16(packet->operation) != SHUNT_ARP_REPLY || parsed->source != target ||
      shunt_mac_is_group(packet->sender_mac))
    return false;
  *mac = packet->sender_mac;
  return true;
}

static unsigned listen(struct asker *asker, uint32_t target, struct shunt_mac *mac, bool *found)
{
  struct shunt_frame frames[DEVICE_BURST];
  unsigned work = 0;
  for (unsigned queue = 0; queue < asker->device->info.queues; queue++) {
    struct shunt_queue *q = asker->device->queues[queue];
    unsigned n = shunt_rx_poll(q, frames, DEVICE_BURST);
    for (unsigned i = 0; i < n; i++) {
      struct shunt_parsed parsed;
      const void *frame = shunt_frame_data(q, &frames[i]);
      if (shunt_parse(frame, frames[i].len, 0, &parsed) != SHUNT_CAUSE_NONE)
        continue;
      *found |= is_answer(frame, &parsed, target, mac);
      asker_answer_arp(asker, frame, frames[i].len, &parsed);
    }
    device_repost(q, frames, n);
    work += n;
  }
  return work;
}

static void ask(struct asker *asker, uint32_t target)
{
  uint8_t frame[SHUNT_ETHERNET_MIN_BYTES];
  uint32_t bytes =
      shunt_arp_request_build(frame, sizeof(frame), asker->host.mac, asker->host.ipv4, target);
  bytes = shunt_ethernet_pad(frame, bytes, sizeof(frame));
  asker->requests += asker_send(asker, frame, bytes);
}

static int no_answer(const struct asker *asker, uint32_t target, struct shunt_error *error)
{
  char text[SHUNT_IPV4_TEXT_BYTES], own[SHUNT_IPV4_TEXT_BYTES];
  int code = cli_stopped() ? -EINTR : -EHOSTUNREACH;
  shunt_error_set(error, code, "can't find the MAC address of %s", shunt_ipv4_format(target, text));
  shunt_error_why(error,
                  cli_stopped() ? "stopped by a signal, after %llu ARP requests"
                                : "nobody answered %llu ARP requests in 3 s",
                  (unsigned long long)asker->requests);
  shunt_error_remedy(error,
                     "look whether it is there, answers %s, and is on this wire; or give --mac",
                     shunt_ipv4_format(asker->host.ipv4, own));
  return code;
}

int asker_resolve(struct asker *asker, uint32_t target, struct shunt_mac *mac,
                  struct shunt_error *error)
{
  struct devices *devices = asker->devices;
  const uint64_t end_ns = devices_now_ns(devices) + ASK_FOR_NS;
  uint64_t ask_ns = 0, now_ns;
  bool found = false;
  if (target == UINT32_MAX) {
    memset(mac, 0xFF, sizeof(*mac));
    return 0;
  }
  if (shunt_ipv4_is_multicast(target)) {
    *mac = shunt_ipv4_multicast_mac(target);
    return 0;
  }
  while ((now_ns = devices_now_ns(devices)) < end_ns && !found && !cli_stopped()) {
    if (now_ns >= ask_ns) {
      ask(asker, target);
      ask_ns = now_ns + ASK_EVERY_NS;
    }
    unsigned work = devices_step(devices);
    if (asker->meanwhile)
      asker->meanwhile(asker->context);
    work += listen(asker, target, mac, &found);
    if (work)
      shunt_idle_work(&devices->idle);
    else
      shunt_idle_none(&devices->idle);
  }
  return found ? 0 : no_answer(asker, target, error);
}
