/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt ping: ICMP echo from a port, each round trip timed, each payload compared. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shunt/bytes.h"
#include "shunt/checksum.h"
#include "shunt/echo.h"
#include "shunt/icmp.h"
#include "tools/shunt/asker.h"
#include "tools/shunt/latency.h"
#include "tools/shunt/pacing.h"

#define WINDOW       65536u /* requests that a sequence number of 16 bits tells apart */
#define MOST_PENDING (WINDOW / 2)
#define HEADERS      (SHUNT_IPV4_HEADER_BYTES + SHUNT_ICMP_HEADER_BYTES)
#define PROGRESS_NS  UINT64_C(100000000)
#define LINGER_NS    UINT64_C(5000000)
#define INDEX_BYTES  8 /* of a payload that has room for it: the request's number */

enum state { FREE, PENDING, ANSWERED, LOST };

struct request {
  uint64_t sent_ns; /* or when it was meant to be sent */
  enum state state;
};

struct run {
  struct cli *cli;
  struct devices devices;
  const char *ip, *mac, *echo_name, *hgrm;
  uint64_t size, count;
  double rate, interval_s, timeout_s;
  bool flood;

  struct asker asker;
  struct shunt_ipv4_ends ends;
  struct shunt_echo echo; /* the responder of --echo */
  bool echo_inline;
  struct pacing pacing;
  uint16_t id;
  bool closing; /* nothing more is sent */
  double measured_s;
  uint64_t progress_ns;

  struct request *requests; /* WINDOW of them, by sequence number */
  uint64_t next, oldest;    /* requests oldest..next - 1 may be pending */
  uint64_t pending;
  uint64_t answered, lost, late, duplicates, corrupted, others;
  struct shunt_histogram *rtt;
  struct device_gather gather[DEVICE_QUEUES_MOST];
  uint8_t frame[DEVICE_FRAME_BYTES]; /* the request */
};

/* ---- The responder of --echo ---- */

static void respond(void *context)
{
  static const struct shunt_queue_verbs ixgbe_verbs = SHUNT_IXGBE_VERBS;
  struct run *run = context;
  if (!run->echo_name)
    return;
  struct shunt_queue *q = run->devices.device[1].queues[0];
  if (run->echo_inline)
    shunt_echo_round_with(&ixgbe_verbs, q, &run->echo, 1);
  else
    shunt_echo_round(q, &run->echo, 1);
}

/* ---- Answers ---- */

static bool payload_is_right(const struct run *run, const uint8_t *payload, uint64_t index)
{
  uint64_t start = run->size < INDEX_BYTES ? 0 : INDEX_BYTES;
  if (start && ((uint64_t)shunt_load_be32(payload) << 32 | shunt_load_be32(payload + 4)) != index)
    return false;
  return !memcmp(payload + start, run->frame + SHUNT_ICMP_PAYLOAD_START + start, run->size - start);
}

static void take_answer(struct run *run, const uint8_t *frame, const struct shunt_parsed *parsed,
                        uint64_t now_ns)
{
  const uint8_t *message = frame + parsed->l4_offset;
  const struct shunt_icmp_header *icmp = (const void *)message;
  const uint16_t sequence = shunt_load_be16(icmp->sequence);
  struct request *request = &run->requests[sequence];
  if (request->state == FREE) {
    run->others++;
    return;
  }
  /* The latest request of that number. */
  const uint64_t index = run->next - 1 - (uint16_t)(run->next - 1 - sequence);
  const bool sound = parsed->payload_bytes == run->size &&
                     !shunt_checksum(message, parsed->l4_bytes) &&
                     payload_is_right(run, message + SHUNT_ICMP_HEADER_BYTES, index);
  run->corrupted += !sound;
  if (request->state == PENDING) {
    run->pending--;
    request->state = ANSWERED;
    if (!sound)
      return;
    run->answered++;
    shunt_histogram_record(run->rtt, now_ns > request->sent_ns ? now_ns - request->sent_ns : 0);
  } else if (sound && request->state == ANSWERED) {
    run->duplicates++;
  } else if (sound && request->state == LOST) {
    run->late++;
  }
}

static void take_frame(struct run *run, const uint8_t *frame, uint32_t bytes, uint64_t now_ns)
{
  struct shunt_parsed parsed;
  const struct shunt_icmp_header *icmp;
  if (shunt_parse(frame, bytes, 0, &parsed) == SHUNT_CAUSE_NONE &&
      parsed.protocol == SHUNT_IPV4_PROTOCOL_ICMP && (parsed.flags & SHUNT_PARSED_L4) &&
      parsed.source == run->ends.destination && parsed.destination == run->ends.source) {
    icmp = (const void *)(frame + parsed.l4_offset);
    if (icmp->type == SHUNT_ICMP_ECHO_REPLY && shunt_load_be16(icmp->id) == run->id) {
      take_answer(run, frame, &parsed, now_ns);
      return;
    }
  }
  run->others++;
  asker_answer_arp(&run->asker, frame, bytes, &parsed);
}

static unsigned receive(struct run *run)
{
  struct shunt_frame frames[DEVICE_BURST];
  const struct device *device = &run->devices.device[0];
  unsigned work = 0;
  for (unsigned queue = 0; queue < device->info.queues; queue++) {
    struct shunt_queue *q = device->queues[queue];
    unsigned n = shunt_rx_poll(q, frames, DEVICE_BURST);
    uint64_t now_ns = n ? shunt_tsc_now_ordered_ns(&run->devices.tsc) : 0;
    for (unsigned i = 0; i < n; i++) {
      uint32_t bytes;
      const uint8_t *frame = device_gather(&run->gather[queue], q, &frames[i], &bytes);
      if (frame)
        take_frame(run, frame, bytes, now_ns);
    }
    device_repost(q, frames, n);
    work += n;
  }
  return work;
}

/* ---- Requests ---- */

static void send_one(struct run *run, uint64_t due_ns)
{
  struct shunt_frame pieces[DEVICE_PIECES_MOST];
  struct device *device = &run->devices.device[0];
  struct request *request = &run->requests[run->next % WINDOW];
  uint8_t *payload = run->frame + SHUNT_ICMP_PAYLOAD_START;
  if (run->size >= INDEX_BYTES) {
    shunt_store_be32(payload, (uint32_t)(run->next >> 32));
    shunt_store_be32(payload + 4, (uint32_t)run->next);
  }
  uint32_t bytes = shunt_icmp_echo_frame_build(run->frame, sizeof(run->frame), &run->ends,
                                               SHUNT_ICMP_ECHO_REQUEST, run->id,
                                               (uint16_t)run->next, NULL, (uint32_t)run->size);
  device_reclaim(device, 0);
  unsigned n = device_frame_put(device, run->frame, bytes, pieces);
  if (!n)
    return; /* all buffers are on the send ring: next round */
  request->sent_ns = due_ns ? due_ns : shunt_tsc_now_ordered_ns(&run->devices.tsc);
  if (shunt_tx_post(device->queues[0], pieces, n) < n) {
    for (unsigned i = 0; i < n; i++)
      shunt_pool_give(device->pool, &pieces[i].addr, 1);
    return;
  }
  shunt_tx_push(device->queues[0]);
  request->state = PENDING;
  run->pending++;
  run->next++;
}

static void progress(struct run *run, uint64_t now_ns)
{
  if (now_ns < run->progress_ns)
    return;
  run->progress_ns = now_ns + PROGRESS_NS;
  char note[64];
  snprintf(note, sizeof(note), "%llu round trips, %llu lost", (unsigned long long)run->answered,
           (unsigned long long)run->lost);
  cli_progress(run->cli,
               run->count ? (double)run->next / (double)run->count : devices_elapsed(&run->devices),
               note);
}

static bool may_send(const struct run *run)
{
  return !run->closing && (!run->count || run->next < run->count) && run->pending < MOST_PENDING &&
         run->requests[run->next % WINDOW].state != PENDING;
}

static void send_due(struct run *run, uint64_t now_ns)
{
  if (!run->pending)
    progress(run, now_ns);
  if (run->rate == 0) {
    if (!run->pending && may_send(run))
      send_one(run, 0);
    return;
  }
  unsigned due = pacing_due(&run->pacing, now_ns, DEVICE_BURST);
  for (unsigned i = 0; i < due && may_send(run); i++) {
    uint64_t before = run->next;
    send_one(run, pacing_due_ns(&run->pacing, run->next));
    if (run->next == before)
      return;
    pacing_sent(&run->pacing, now_ns, 1);
  }
}

/* Whoever has not been answered in time is lost. */
static void expire(struct run *run, uint64_t now_ns)
{
  const uint64_t timeout_ns = (uint64_t)(run->timeout_s * 1e9);
  for (; run->oldest < run->next; run->oldest++) {
    struct request *request = &run->requests[run->oldest % WINDOW];
    if (request->state != PENDING)
      continue;
    if (now_ns < request->sent_ns + timeout_ns)
      return;
    request->state = LOST;
    run->pending--;
    run->lost++;
  }
}

/* The time is over: what was due before may still go, nothing else. */
static void close_loop(struct run *run)
{
  for (unsigned i = 0; i < PACING_LAST_ROUNDS && run->rate > 0 && !cli_stopped(); i++)
    send_due(run, run->devices.deadline_ns - 1);
  run->closing = true;
}

/* In a closed loop an answer makes room for the next request. An open one asks whoever answers, and
 * is stuck only where its requests don't get away. */
static uint64_t reached(const void *context)
{
  const struct run *run = context;
  return run->rate > 0 ? run->next : run->answered;
}

static bool waits(const void *context)
{
  const struct run *run = context;
  return run->rate > 0 && (run->next == run->count || run->pending == MOST_PENDING ||
                           pacing_due_ns(&run->pacing, run->next) > devices_now_ns(&run->devices));
}

static void set_goal(struct run *run)
{
  struct goal *goal = &run->devices.goal;
  goal->what = run->rate > 0 ? "requests sent" : "requests answered";
  goal->count = run->count;
  goal->reached = reached;
  goal->waits = waits;
  goal->context = run;
  goal->remedy = run->rate > 0 ? "look whether the other end pauses us (flow control)"
                               : "look whether the target still answers";
  goal->usual_s = 10 * run->timeout_s;
}

static void measure(struct run *run)
{
  for (;;) {
    unsigned work = receive(run);
    uint64_t now_ns = devices_now_ns(&run->devices), before = run->next;
    expire(run, now_ns);
    if (now_ns < run->devices.deadline_ns)
      send_due(run, now_ns);
    work += (unsigned)(run->next - before);
    work += devices_step(&run->devices);
    respond(run);
    if (run->devices.wait == SHUNT_IDLE_FD && may_send(run))
      work += pacing_is_near(&run->pacing, now_ns);
    if (!devices_go_on(&run->devices, work) && !run->closing)
      close_loop(run);
    if (!run->pending && (run->closing || (run->count && run->next >= run->count)))
      break;
  }
  run->measured_s = devices_elapsed_s(&run->devices);
  cli_progress_end(run->cli);
}

/* What comes behind the last answer: its duplicates, and what is late. */
static void linger(struct run *run)
{
  const uint64_t end_ns = devices_now_ns(&run->devices) + LINGER_NS;
  do {
    devices_step(&run->devices);
    respond(run);
    receive(run);
  } while (devices_now_ns(&run->devices) < end_ns);
}

/* ---- The report ---- */

static const char *loop_name(const struct run *run)
{
  return run->rate == 0 ? "closed" : "open";
}

static int report_json(struct run *run, const struct devices_findings *findings, int exit)
{
  char text[SHUNT_IPV4_TEXT_BYTES], mac[SHUNT_MAC_TEXT_BYTES];
  struct json_object *document = json_object_new_object();
  cli_add_text(document, "command", "ping");
  json_object_object_add(document, "devices", devices_json(&run->devices));
  cli_add_bool(document, "model", run->devices.model);
  cli_add_text(document, "target", shunt_ipv4_format(run->ends.destination, text));
  cli_add_text(document, "target_mac", shunt_mac_format(run->ends.destination_mac, mac));
  cli_add_text(document, "clock", shunt_tsc_source_name(&run->devices.tsc));
  cli_add_text(document, "loop", loop_name(run));
  cli_add_double(document, "rate_pps", run->rate);
  cli_add_u64(document, "payload_bytes", run->size);
  cli_add_double(document, "seconds", run->measured_s);
  cli_add_u64(document, "sent", device_sent(&run->devices.device[0], run->next));
  cli_add_u64(document, "answered", run->answered);
  cli_add_u64(document, "lost", run->lost);
  cli_add_u64(document, "late", run->late);
  cli_add_u64(document, "duplicates", run->duplicates);
  cli_add_u64(document, "corrupted", run->corrupted);
  cli_add_u64(document, "other_frames", run->others);
  cli_add_u64(document, "arp_requests", run->asker.requests);
  json_object_object_add(document, "rtt", latency_json(run->rtt));
  devices_findings_json(&run->devices, findings, document);
  return cli_json(document, exit);
}

static int report(struct run *run)
{
  struct devices_findings findings;
  char text[SHUNT_IPV4_TEXT_BYTES];
  devices_find(&run->devices, &findings);
  int exit = run->lost || run->corrupted || findings.dropped ? CLI_FINDINGS : CLI_OK;
  if (run->cli->json)
    return report_json(run, &findings, exit);
  printf("\n%llu bytes of payload to %s, %s loop, %.3f s\n", (unsigned long long)run->size,
         shunt_ipv4_format(run->ends.destination, text), loop_name(run), run->measured_s);
  cli_print_count("sent", device_sent(&run->devices.device[0], run->next));
  cli_print_count("answered", run->answered);
  cli_print_count("lost", run->lost);
  cli_print_count("answered too late", run->late);
  cli_print_count("duplicates", run->duplicates);
  cli_print_count("corrupted", run->corrupted);
  devices_findings_print(&run->devices, &findings);
  latency_print(run->rate == 0 ? "RTT" : "RTT, from the intended time of sending", run->rtt);
  if (run->devices.model)
    puts(DEVICE_MODEL_STAMP);
  return exit;
}

/* ---- Setting up ---- */

static void set_up_responder(struct run *run)
{
  const struct device *device = &run->devices.device[1];
  struct shunt_host host = run->asker.host;
  host.mac = device->info.mac;
  host.ipv4 = run->ends.destination;
  host.udp_echo_port = SHUNT_UDP_ECHO_PORT;
  shunt_echo_init(&run->echo, &host, 0);
  run->echo_inline = shunt_ixgbe_queue(device->queues[0]) != NULL;
}

static int open_devices(struct run *run, const char *name)
{
  const struct shunt_port_options options = {.size = sizeof(options),
                                             .tx_report_interval = DEVICE_BURST};
  int exit = devices_start(&run->devices, run->cli);
  exit = exit ? exit : devices_open(&run->devices, name, &options);
  if (!exit && run->echo_name)
    exit = devices_open(&run->devices, run->echo_name, &options);
  exit = exit ? exit : devices_wait_for_links(&run->devices, true);
  if (exit)
    return exit;
  const struct shunt_port_info *info = &run->devices.device[0].info;
  if (run->size > info->mtu - HEADERS)
    return cli_usage(run->cli, "--size: %llu bytes and the headers' %u are more than the MTU of %u",
                     (unsigned long long)run->size, HEADERS, info->mtu);
  if (run->echo_name && run->devices.device[1].info.queues != 1)
    return cli_usage(run->cli, "--echo: the responder's device is to have one queue, not %u",
                     run->devices.device[1].info.queues);
  run->asker.devices = &run->devices;
  run->asker.device = &run->devices.device[0];
  run->asker.host.mac = run->ends.source_mac = info->mac;
  run->asker.meanwhile = respond;
  run->asker.context = run;
  if (run->echo_name)
    set_up_responder(run);
  return devices_begin(&run->devices);
}

static int prepare(struct run *run, struct shunt_error *error)
{
  uint8_t *payload = run->frame + SHUNT_ICMP_PAYLOAD_START;
  for (uint64_t i = 0; i < run->size; i++)
    payload[i] = (uint8_t)(i * 7 + (i >> 8));
  run->id = (uint16_t)getpid();
  run->requests = calloc(WINDOW, sizeof(*run->requests));
  if (!run->requests)
    return shunt_error_set(error, -ENOMEM, "no memory for the requests");
  int code = shunt_histogram_create(NULL, &run->rtt, error);
  if (!code && !run->mac)
    code = asker_resolve(&run->asker, run->ends.destination, &run->ends.destination_mac, error);
  return code ? code : pacing_init(&run->pacing, devices_now_ns(&run->devices), run->rate, error);
}

static int ping(struct run *run, const char *device)
{
  struct shunt_error error;
  cli_catch_signals();
  int exit = open_devices(run, device);
  if (!exit && prepare(run, &error))
    exit = cli_fail(run->cli, &error);
  if (!exit)
    exit = devices_begin(&run->devices); /* ARP does not count */
  if (!exit) {
    run->pacing.start_ns = run->devices.start_ns;
    devices_print(&run->devices);
    measure(run);
    linger(run);
    if (run->hgrm && latency_write_hgrm(run->hgrm, run->rtt, &error))
      exit = cli_fail(run->cli, &error);
    exit = exit ? exit : devices_exit(&run->devices, report(run));
  }
  pacing_end(&run->pacing);
  shunt_histogram_destroy(run->rtt);
  free(run->requests);
  devices_close(&run->devices);
  return exit;
}

static int check(struct run *run, const char *target)
{
  struct shunt_host *host = &run->asker.host;
  if (shunt_ipv4_parse(target, &run->ends.destination))
    return cli_usage(run->cli, "\"%s\" is no IPv4 address", target);
  if (shunt_ipv4_prefix_parse(run->ip, &host->ipv4, &host->prefix_bits) || !host->prefix_bits)
    return cli_usage(run->cli, "--ip: \"%s\" is no address such as %s", run->ip, DEVICE_IP_ASKER);
  if (run->mac && shunt_mac_parse(run->mac, &run->ends.destination_mac))
    return cli_usage(run->cli, "--mac: \"%s\" is no MAC address such as 02:00:00:00:00:01",
                     run->mac);
  if ((run->flood != 0) + (run->rate > 0) + (run->interval_s > 0) > 1)
    return cli_usage(run->cli, "--flood, --rate and --interval exclude each other");
  run->ends.source = host->ipv4;
  if (run->interval_s > 0)
    run->rate = 1 / run->interval_s;
  if (!run->count && run->devices.seconds == 0)
    run->count = run->rate > 0 ? 10 : 10000;
  set_goal(run);
  return CLI_OK;
}

static int ping_run(struct cli *cli, int argc, char **argv)
{
  struct run *run = calloc(1, sizeof(*run));
  if (!run)
    return CLI_FAILED;
  *run = (struct run){.cli = cli, .ip = DEVICE_IP_ASKER, .size = 56, .timeout_s = 1};
  devices_init(&run->devices);
  const struct cli_option options[] = {
      {"ip", 0, "ADDR[/PREFIX]", "Our own IPv4 address (" DEVICE_IP_ASKER ").", CLI_TEXT, &run->ip,
       0, 0},
      {"mac", 0, "MAC", "The target's MAC address; else ARP finds it.", CLI_TEXT, &run->mac, 0, 0},
      {"count", 'n', "N", "Requests; without --seconds 10000 in a closed loop, 10 in an open one.",
       CLI_U64, &run->count, 0, 0},
      {"size", 0, "BYTES", "Payload of a request, up to the MTU less 28 (56).", CLI_U64, &run->size,
       0, DEVICE_FRAME_BYTES - SHUNT_ICMP_PAYLOAD_START},
      {"flood", 'f', NULL, "Closed loop: the next when the last one is answered (the default).",
       CLI_FLAG, &run->flood, 0, 0},
      {"rate", 'r', "N", "Open loop: N requests per second, answered or not.", CLI_DOUBLE,
       &run->rate, 0, 1e8},
      {"interval", 'i', "SECONDS", "Open loop: a request every so many seconds.", CLI_DOUBLE,
       &run->interval_s, 0, 3600},
      {"timeout", 0, "SECONDS", "A request is lost when not answered for so long (1).", CLI_DOUBLE,
       &run->timeout_s, 0, 60},
      {"echo", 0, "DEVICE", "Run the responder on this device, in the same thread.", CLI_TEXT,
       &run->echo_name, 0, 0},
      {"hgrm", 0, "FILE", "Write the percentile curve in us, for HdrHistogram's plotters.",
       CLI_TEXT, &run->hgrm, 0, 0},
      GOAL_OPTION(&run->devices.goal, "10 time-outs"),
      DEVICES_OPTIONS(&run->devices),
      {0},
  };
  int at = cli_parse(cli, options, argc, argv, 2, 2);
  int exit = at < 0 ? -1 - at : check(run, argv[at + 1]);
  if (at >= 0 && !exit)
    exit = ping(run, argv[at]);
  free(run);
  return exit;
}

const struct cli_command ping_command = {"ping", "DEVICE TARGET-IP",
                                         "Time round trips of ICMP echo from a port.", ping_run};
