/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt send: frames at a rate, open loop, made up or out of a capture. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shunt/udp.h"
#include "tools/shunt/asker.h"
#include "tools/shunt/latency.h"
#include "tools/shunt/source.h"

#define DEFAULT_UDP  "10.82.59.2:9000,10.82.59.1:9000"
#define PROGRESS_NS  UINT64_C(100000000)
#define SENT_WAIT_NS UINT64_C(1000000000) /* for the NIC to say that the last frame is sent */

/* Frames that were made and that the send ring has not taken yet. */
struct outbox {
  struct shunt_frame pieces[DEVICE_BURST * DEVICE_PIECES_MOST];
  uint64_t due_ns[DEVICE_BURST];
  unsigned piece_count, frames;
};

struct run {
  struct cli *cli;
  struct devices devices;
  const char *udp, *mac, *pcap;
  uint64_t count, size, loops;
  double rate, speed;

  struct source source;
  struct asker asker;
  struct pacing pacing;
  struct outbox outbox;
  uint64_t next_due_ns;     /* of the frame that waits in source.bytes */
  uint32_t next_bytes;      /* its length; 0: none waits */
  bool ended;               /* no more frames come */
  struct shunt_error error; /* why, where code is not 0 */
  int code;
  uint64_t sent, bytes, first_ns, last_ns, progress_ns;
};

/* ---- Sending ---- */

static uint32_t most_bytes(const struct run *run)
{
  return run->devices.device[0].info.mtu + SHUNT_ETHERNET_HEADER_BYTES + SHUNT_VLAN_TAG_BYTES;
}

static void fetch(struct run *run)
{
  if (run->next_bytes || run->ended)
    return;
  if (run->count && run->source.made >= run->count) {
    run->ended = true;
    return;
  }
  run->next_bytes = source_next(&run->source, &run->pacing, most_bytes(run), &run->next_due_ns,
                                &run->code, &run->error);
  run->ended = run->next_bytes == 0;
}

/* Put frames that are due into the outbox, which had room. */
static void fill(struct run *run, uint64_t now_ns)
{
  struct outbox *outbox = &run->outbox;
  while (outbox->frames < DEVICE_BURST) {
    fetch(run);
    if (run->ended || run->next_due_ns > now_ns)
      return;
    unsigned n = device_frame_put(&run->devices.device[0], run->source.bytes, run->next_bytes,
                                  outbox->pieces + outbox->piece_count);
    if (!n)
      return; /* all buffers are on the send ring */
    outbox->piece_count += n;
    outbox->due_ns[outbox->frames++] = run->next_due_ns;
    run->next_bytes = 0;
  }
}

/* The first n pieces have been taken by the ring. */
static void account(struct run *run, unsigned n)
{
  struct outbox *outbox = &run->outbox;
  const uint64_t now_ns = devices_now_ns(&run->devices);
  unsigned frames = 0;
  for (unsigned i = 0; i < n; i++) {
    run->bytes += outbox->pieces[i].len;
    if (outbox->pieces[i].flags & SHUNT_FRAME_MORE)
      continue;
    uint64_t due_ns = outbox->due_ns[frames++];
    shunt_histogram_record(run->pacing.lateness, now_ns > due_ns ? now_ns - due_ns : 0);
  }
  run->first_ns = run->sent ? run->first_ns : now_ns;
  run->last_ns = now_ns;
  run->sent += frames;
  outbox->frames -= frames;
  outbox->piece_count -= n;
  memmove(outbox->due_ns, outbox->due_ns + frames, outbox->frames * sizeof(outbox->due_ns[0]));
  memmove(outbox->pieces, outbox->pieces + n, outbox->piece_count * sizeof(outbox->pieces[0]));
}

static unsigned send_due(struct run *run, uint64_t now_ns)
{
  struct shunt_queue *q = run->devices.device[0].queues[0];
  device_reclaim(&run->devices.device[0], 0);
  fill(run, now_ns);
  if (!run->outbox.frames)
    return 0;
  unsigned n = shunt_tx_post(q, run->outbox.pieces, run->outbox.piece_count);
  if (!n)
    return 0;
  shunt_tx_push(q);
  account(run, n);
  return n;
}

/* What others send us: an ARP request for our address is answered, nothing else is looked at. */
static unsigned receive(struct run *run)
{
  struct shunt_frame frames[DEVICE_BURST];
  const struct device *device = &run->devices.device[0];
  unsigned work = 0;
  for (unsigned queue = 0; queue < device->info.queues; queue++) {
    struct shunt_queue *q = device->queues[queue];
    unsigned n = shunt_rx_poll(q, frames, DEVICE_BURST);
    for (unsigned i = 0; i < n; i++) {
      struct shunt_parsed parsed;
      const void *frame = shunt_frame_data(q, &frames[i]);
      if (shunt_parse(frame, frames[i].len, 0, &parsed) == SHUNT_CAUSE_NONE)
        asker_answer_arp(&run->asker, frame, frames[i].len, &parsed);
    }
    device_repost(q, frames, n);
    work += n;
  }
  return work;
}

static void progress(struct run *run, uint64_t now_ns)
{
  char note[64];
  const uint64_t all = run->devices.goal.count;
  if (now_ns < run->progress_ns)
    return;
  run->progress_ns = now_ns + PROGRESS_NS;
  snprintf(note, sizeof(note), "%llu frames", (unsigned long long)run->sent);
  cli_progress(run->cli, all ? (double)run->sent / (double)all : devices_elapsed(&run->devices),
               note);
}

static uint64_t reached(const void *context)
{
  const struct run *run = context;
  return run->sent;
}

static bool waits(const void *context)
{
  const struct run *run = context;
  return !run->outbox.frames && run->next_bytes && run->next_due_ns > devices_now_ns(&run->devices);
}

/* The frames that there are to send; 0: no end. */
static uint64_t wanted(const struct run *run)
{
  const uint64_t all = run->pcap ? run->source.loop_frames * run->source.loops : 0;
  return run->count && (!all || run->count < all) ? run->count : all;
}

static void set_goal(struct run *run)
{
  struct goal *goal = &run->devices.goal;
  goal->what = "frames taken by the send ring";
  goal->count = wanted(run);
  goal->reached = reached;
  goal->waits = waits;
  goal->context = run;
  goal->remedy = "look whether the other end pauses us (flow control)";
  goal->usual_s = 10;
}

static void send_all(struct run *run)
{
  bool more = true;
  while (more) {
    uint64_t now_ns = devices_now_ns(&run->devices);
    /* Nothing that is meant to go after --seconds is sent, all that is meant to go before is. */
    if (now_ns >= run->devices.deadline_ns)
      now_ns = run->devices.deadline_ns - 1;
    unsigned work = send_due(run, now_ns);
    work += receive(run);
    progress(run, now_ns);
    if (run->devices.wait == SHUNT_IDLE_FD && !run->ended)
      work += run->next_due_ns < now_ns + PACING_NEAR_NS;
    more = devices_go_on(&run->devices, work) && !(run->ended && !run->outbox.frames);
  }
  for (unsigned i = 0; i < PACING_LAST_ROUNDS && !cli_stopped() && !run->ended; i++)
    send_due(run, run->devices.deadline_ns - 1);
  cli_progress_end(run->cli);
}

/* Buffers that the card was given to send, and has not said to be sent. */
static uint32_t unsent(const struct run *run)
{
  return device_unsent(&run->devices.device[0]) - run->outbox.piece_count;
}

static bool is_sent(void *context)
{
  struct run *run = context;
  device_reclaim(&run->devices.device[0], 0);
  return unsent(run) == 0;
}

/* The ring has taken all, and the card keeps some: it has waited as long as it was going to. */
static void explain_unsent(struct run *run)
{
  struct devices *devices = &run->devices;
  if (devices->ended.code || !unsent(run))
    return;
  shunt_error_set(&devices->ended, -ETIMEDOUT,
                  "%llu frames taken by the send ring, and %u buffers of them not sent 1 s later",
                  (unsigned long long)run->sent, unsent(run));
  goal_explain(&devices->goal, devices, &devices->ended);
}

/* ---- The report ---- */

/* Frames that were meant to go and did not: with a rate and a time it is known how many. */
static uint64_t behind(const struct run *run)
{
  double meant = run->rate * run->devices.seconds;
  if (cli_stopped() || run->pacing.interval_ns == 0)
    return 0;
  if (run->count && (meant == 0 || meant > (double)run->count))
    meant = (double)run->count;
  return meant > (double)run->sent + 1 ? (uint64_t)meant - run->sent : 0;
}

/* Of those that the ring has taken, the frames that went out. */
static uint64_t sent(const struct run *run)
{
  return device_sent(&run->devices.device[0], run->sent);
}

static double achieved_pps(const struct run *run, uint64_t frames)
{
  return frames && run->last_ns > run->first_ns
             ? (double)(frames - 1) * 1e9 / (double)(run->last_ns - run->first_ns)
             : 0;
}

static int report_json(struct run *run, double seconds, const struct devices_findings *findings,
                       int exit)
{
  struct json_object *document = json_object_new_object();
  cli_add_text(document, "command", "send");
  json_object_object_add(document, "devices", devices_json(&run->devices));
  cli_add_bool(document, "model", run->devices.model);
  cli_add_double(document, "seconds", seconds);
  cli_add_u64(document, "sent_frames", sent(run));
  cli_add_u64(document, "sent_bytes", run->bytes);
  cli_add_u64(document, "unsent_buffers", unsent(run));
  cli_add_double(document, "intended_pps", run->pacing.interval_ns > 0 ? run->rate : 0);
  cli_add_double(document, "achieved_pps", achieved_pps(run, sent(run)));
  cli_add_u64(document, "behind_frames", behind(run));
  cli_add_u64(document, "skipped_oversized_frames", run->source.skipped_oversized);
  cli_add_u64(document, "padded_frames", run->source.padded);
  cli_add_u64(document, "arp_requests", run->asker.requests);
  json_object_object_add(document, "lateness", latency_json(run->pacing.lateness));
  devices_findings_json(&run->devices, findings, document);
  return cli_json(document, exit);
}

static int report(struct run *run, double seconds)
{
  struct devices_findings findings;
  devices_find(&run->devices, &findings);
  int exit = behind(run) || findings.dropped ? CLI_FINDINGS : CLI_OK;
  if (run->cli->json)
    return report_json(run, seconds, &findings, exit);
  printf("\nafter %.3f s\n", seconds);
  cli_print_count("sent", sent(run));
  cli_print_count("bytes", run->bytes);
  if (unsent(run))
    cli_print_count("buffers not sent yet", unsent(run));
  if (run->pacing.interval_ns > 0)
    printf("  %-22s %12.0f\n", "intended per second", run->rate);
  printf("  %-22s %12.0f\n", "achieved per second", achieved_pps(run, sent(run)));
  cli_print_count("behind", behind(run));
  if (run->pcap) {
    cli_print_count("left out, too long", run->source.skipped_oversized);
    cli_print_count("padded", run->source.padded);
  }
  devices_findings_print(&run->devices, &findings);
  if (run->pacing.interval_ns > 0 || (run->pcap && run->speed > 0))
    latency_print("lateness: sent after it was meant to be", run->pacing.lateness);
  if (run->devices.model)
    puts(DEVICE_MODEL_STAMP);
  return exit;
}

/* ---- Setting up ---- */

static int open_device(struct run *run, const char *name)
{
  const struct shunt_port_options options = {.size = sizeof(options)};
  int exit = devices_start(&run->devices, run->cli);
  exit = exit ? exit : devices_open(&run->devices, name, &options);
  exit = exit ? exit : devices_wait_for_links(&run->devices, true);
  exit = exit ? exit : devices_begin(&run->devices);
  if (exit)
    return exit;
  if (!run->pcap && run->size > most_bytes(run) - SHUNT_VLAN_TAG_BYTES)
    return cli_usage(run->cli, "--size: %llu bytes are more than the MTU of %u and a header",
                     (unsigned long long)run->size, run->devices.device[0].info.mtu);
  run->asker.devices = &run->devices;
  run->asker.device = &run->devices.device[0];
  run->asker.host.mac = run->source.ends.source_mac = run->devices.device[0].info.mac;
  run->asker.host.ipv4 = run->source.ends.source;
  return CLI_OK;
}

static int prepare(struct run *run, struct shunt_error *error)
{
  int code = 0;
  if (!run->pcap && !run->mac)
    code = asker_resolve(&run->asker, run->source.ends.destination,
                         &run->source.ends.destination_mac, error);
  return code ? code : pacing_init(&run->pacing, 0, run->rate, error);
}

static int send_on(struct run *run, const char *device)
{
  cli_catch_signals();
  int exit = CLI_OK;
  if (run->pcap && source_open(&run->source, run->pcap, &run->error))
    exit = cli_fail(run->cli, &run->error); /* before a link is waited for */
  exit = exit ? exit : open_device(run, device);
  if (!exit && prepare(run, &run->error))
    exit = cli_fail(run->cli, &run->error);
  exit = exit ? exit : devices_begin(&run->devices); /* ARP does not count */
  if (!exit) {
    run->pacing.start_ns = run->devices.start_ns;
    source_start(&run->source, run->devices.start_ns);
    set_goal(run);
    devices_print(&run->devices);
    fflush(stdout);
    send_all(run);
    double seconds = devices_elapsed_s(&run->devices);
    shunt_wait_until(&run->devices.clock, devices_now_ns(&run->devices) + SENT_WAIT_NS, 10000,
                     is_sent, run);
    explain_unsent(run);
    devices_drain(&run->devices);
    exit = run->code ? cli_fail(run->cli, &run->error)
                     : devices_exit(&run->devices, report(run, seconds));
  }
  pacing_end(&run->pacing);
  source_close(&run->source);
  devices_close(&run->devices);
  return exit;
}

/* "ADDRESS:PORT" up to end. */
static bool parse_end(const char *text, const char *end, uint32_t *address, uint16_t *port)
{
  char copy[32], *colon, *rest;
  if ((size_t)(end - text) >= sizeof(copy))
    return false;
  memcpy(copy, text, (size_t)(end - text));
  copy[end - text] = 0;
  colon = strchr(copy, ':');
  if (!colon)
    return false;
  *colon = 0;
  unsigned long number = strtoul(colon + 1, &rest, 10);
  *port = (uint16_t)number;
  return !shunt_ipv4_parse(copy, address) && colon[1] && !*rest && number < 65536;
}

static int check(struct run *run)
{
  struct source *source = &run->source;
  const char *comma = strchr(run->udp, ',');
  if (!comma || !parse_end(run->udp, comma, &source->ends.source, &source->source_port) ||
      !parse_end(comma + 1, comma + strlen(comma), &source->ends.destination,
                 &source->destination_port))
    return cli_usage(run->cli, "--udp: \"%s\" is no pair such as " DEFAULT_UDP, run->udp);
  if (run->mac && shunt_mac_parse(run->mac, &source->ends.destination_mac))
    return cli_usage(run->cli, "--mac: \"%s\" is no MAC address such as 02:00:00:00:00:01",
                     run->mac);
  source->replace_mac = run->mac != NULL;
  source->frame_bytes = (uint32_t)run->size;
  source->speed = run->rate == 0 ? 0 : run->speed;
  source->loops = run->loops;
  if (run->rate < 0)
    run->rate = run->pcap ? 0 : 1000;
  return CLI_OK;
}

static int send_run(struct cli *cli, int argc, char **argv)
{
  struct run *run = calloc(1, sizeof(*run));
  if (!run)
    return CLI_FAILED;
  run->cli = cli;
  run->udp = DEFAULT_UDP;
  run->size = SHUNT_ETHERNET_MIN_BYTES;
  run->rate = -1;
  run->speed = 1;
  run->loops = 1;
  devices_init(&run->devices);
  const struct cli_option options[] = {
      {"rate", 'r', "N", "Frames per second, 0: as fast as it goes (1000; --pcap: its timing).",
       CLI_DOUBLE, &run->rate, 0, 1e9},
      {"count", 'n', "N", "End after N frames.", CLI_U64, &run->count, 0, 0},
      {"size", 0, "BYTES", "Length of a frame without FCS, 60 to the MTU and 14 (60).", CLI_U64,
       &run->size, SHUNT_ETHERNET_MIN_BYTES, DEVICE_FRAME_BYTES},
      {"udp", 0, "A:PORT,B:PORT", "UDP from A to B (" DEFAULT_UDP ").", CLI_TEXT, &run->udp, 0, 0},
      {"mac", 0, "MAC", "Destination MAC address; else ARP finds it, or the capture has it.",
       CLI_TEXT, &run->mac, 0, 0},
      {"pcap", 0, "FILE", "Send the frames of a pcapng or pcap file, with its timing.", CLI_TEXT,
       &run->pcap, 0, 0},
      {"speed", 0, "X", "X times as fast as the file's timing; 0: as fast as it goes (1).",
       CLI_DOUBLE, &run->speed, 0, 1e9},
      {"loops", 0, "N", "Send the file N times (1).", CLI_U64, &run->loops, 1, 1e9},
      GOAL_OPTION(&run->devices.goal, "10"),
      DEVICES_OPTIONS(&run->devices),
      {0},
  };
  int at = cli_parse(cli, options, argc, argv, 1, 1);
  int exit = at < 0 ? -1 - at : check(run);
  if (at >= 0 && !exit)
    exit = send_on(run, argv[at]);
  free(run);
  return exit;
}

const struct cli_command send_command = {
    "send", "DEVICE", "Send frames at a rate, made up or out of a capture.", send_run};
