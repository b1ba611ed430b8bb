/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt info xdp:IFACE: which way was granted, and why none better. */
#include <stdio.h>

#include "tools/shunt/info.h"

static const char *time_text(uint8_t time)
{
  static const char *const texts[] = {"none asked for", "when polled", "by the kernel's program",
                                      "by the device"};
  return time < sizeof(texts) / sizeof(texts[0]) ? texts[time] : "not known";
}

void info_xdp_print(const struct shunt_xdp_info *xdp)
{
  printf("  AF_XDP       %s, queues from %u, chunks of %u bytes, %s\n",
         shunt_xdp_mode_text(xdp->mode, xdp->zero_copy), xdp->first_queue, xdp->chunk_bytes,
         xdp->multi_buffer ? "several a frame" : "one a frame");
  printf("               %s; %u frames a call; time stamps: %s\n",
         xdp->need_wakeup ? "the kernel says when to wake it" : "the kernel is woken by each push",
         xdp->tx_budget, time_text(xdp->rx_time));
  if (xdp->tx_metadata)
    printf("               sent frames need %u bytes in front of them\n", xdp->tx_headroom);
  if (xdp->busy_poll || *xdp->busy_poll_why)
    printf("  busy poll    %s\n", xdp->busy_poll ? "works" : xdp->busy_poll_why);
  for (uint32_t i = 0; i < xdp->refusal_count; i++)
    printf("  refused      %s: %s%s%s\n",
           shunt_xdp_mode_text(xdp->refusals[i].mode, xdp->refusals[i].zero_copy),
           xdp->refusals[i].why, *xdp->refusals[i].remedy ? "; try: " : "",
           xdp->refusals[i].remedy);
}

struct json_object *info_xdp_json(const struct shunt_xdp_info *xdp)
{
  struct json_object *object = json_object_new_object(), *refusals = json_object_new_array();
  cli_add_text(object, "mode", shunt_xdp_mode_text(xdp->mode, xdp->zero_copy));
  cli_add_bool(object, "zero_copy", xdp->zero_copy);
  cli_add_bool(object, "need_wakeup", xdp->need_wakeup);
  cli_add_bool(object, "multi_buffer", xdp->multi_buffer);
  cli_add_bool(object, "busy_poll", xdp->busy_poll);
  cli_add_text(object, "busy_poll_why", *xdp->busy_poll_why ? xdp->busy_poll_why : NULL);
  cli_add_text(object, "rx_time", time_text(xdp->rx_time));
  cli_add_u64(object, "first_queue", xdp->first_queue);
  cli_add_u64(object, "interface_queues", xdp->interface_queues);
  cli_add_u64(object, "chunk_bytes", xdp->chunk_bytes);
  cli_add_u64(object, "tx_budget", xdp->tx_budget);
  cli_add_u64(object, "tx_headroom", xdp->tx_headroom);
  for (uint32_t i = 0; i < xdp->refusal_count; i++) {
    const struct shunt_xdp_refusal *refusal = &xdp->refusals[i];
    struct json_object *entry = json_object_new_object();
    cli_add_text(entry, "mode", shunt_xdp_mode_text(refusal->mode, refusal->zero_copy));
    json_object_object_add(entry, "code", json_object_new_int(refusal->code));
    cli_add_text(entry, "why", refusal->why);
    cli_add_text(entry, "remedy", *refusal->remedy ? refusal->remedy : NULL);
    json_object_array_add(refusals, entry);
  }
  json_object_object_add(object, "refused", refusals);
  return object;
}
