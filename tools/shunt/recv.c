/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt recv: count what arrives, and record it if asked. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/core/pcapng.h"
#include "tools/shunt/asker.h"
#include "tools/shunt/groups.h"

#define FLUSH_NS    UINT64_C(100000000) /* how long a frame may wait to reach the file */
#define PROGRESS_NS UINT64_C(100000000)
#define EXPECT_S    10 /* how long --expect waits without --seconds */
#define FCS_BYTES   4

/* Classes of frame lengths with FCS, as RFC 2819 counts them, and what is longer. */
static const struct {
  const char *name;
  uint32_t most_bytes;
} classes[] = {
    {"64", 64},
    {"65_to_127", 127},
    {"128_to_255", 255},
    {"256_to_511", 511},
    {"512_to_1023", 1023},
    {"1024_to_1518", 1518},
    {"1519_to_max", UINT32_MAX},
};
#define CLASSES (sizeof(classes) / sizeof(classes[0]))

struct run {
  struct cli *cli;
  struct devices devices;
  uint64_t count, expect;
  const char *ip, *pcap;
  struct groups groups;

  struct asker asker;
  struct pcapng_writer *writer;
  int write_code; /* of the first write that failed */
  uint64_t flush_ns, progress_ns;

  uint64_t frames, bytes, broadcast, multicast, oversized;
  uint64_t sizes[CLASSES];
  uint32_t least_bytes, most_bytes;
  uint64_t first_ns, last_ns;
  struct device_gather gather[DEVICE_QUEUES_MOST];
};

/* ---- Frames ---- */

static void record(struct run *run, const uint8_t *frame, uint32_t bytes, uint64_t now_ns)
{
  struct iovec piece = {.iov_base = (void *)(uintptr_t)frame, .iov_len = bytes};
  const struct pcapng_packet packet = {.time_ns =
                                           (uint64_t)((int64_t)now_ns + run->devices.epoch_ns),
                                       .direction = PCAPNG_DIRECTION_INBOUND,
                                       .original_bytes = bytes};
  if (!run->write_code)
    run->write_code = pcapng_writer_frame(run->writer, &packet, &piece, 1);
}

static void take_frame(struct run *run, const uint8_t *frame, uint32_t bytes, uint64_t now_ns)
{
  unsigned class = 0;
  while (bytes + FCS_BYTES > classes[class].most_bytes)
    class ++;
  run->sizes[class]++;
  run->frames++;
  run->bytes += bytes;
  run->first_ns = run->frames == 1 ? now_ns : run->first_ns;
  run->last_ns = now_ns;
  run->least_bytes = run->frames == 1 || bytes < run->least_bytes ? bytes : run->least_bytes;
  run->most_bytes = bytes > run->most_bytes ? bytes : run->most_bytes;
  if (bytes >= sizeof(struct shunt_mac) && (frame[0] & 1)) {
    struct shunt_mac to;
    memcpy(&to, frame, sizeof(to));
    run->broadcast += shunt_mac_is_broadcast(to);
    run->multicast += !shunt_mac_is_broadcast(to);
  }
  if (run->writer)
    record(run, frame, bytes, now_ns);
  if (run->ip) {
    struct shunt_parsed parsed;
    if (shunt_parse(frame, bytes, 0, &parsed) == SHUNT_CAUSE_NONE)
      asker_answer_arp(&run->asker, frame, bytes, &parsed);
  }
}

static unsigned receive(struct run *run)
{
  struct shunt_frame frames[DEVICE_BURST];
  const struct device *device = &run->devices.device[0];
  unsigned work = 0;
  for (unsigned queue = 0; queue < device->info.queues; queue++) {
    struct shunt_queue *q = device->queues[queue];
    unsigned n = shunt_rx_poll(q, frames, DEVICE_BURST);
    uint64_t now_ns = n ? devices_now_ns(&run->devices) : 0;
    for (unsigned i = 0; i < n; i++) {
      uint32_t bytes;
      const uint8_t *frame = device_gather(&run->gather[queue], q, &frames[i], &bytes);
      if (frame)
        take_frame(run, frame, bytes, now_ns);
      else
        run->oversized += !(frames[i].flags & SHUNT_FRAME_MORE);
    }
    device_repost(q, frames, n);
    work += n;
  }
  return work;
}

/* ---- The loop ---- */

/* What is done now and then: between bursts where frames come, else in every idle round. */
static void look_around(struct run *run)
{
  const uint64_t now_ns = devices_now_ns(&run->devices);
  const uint64_t goal = run->expect ? run->expect : run->count;
  char note[64];
  if (run->writer && now_ns >= run->flush_ns) {
    pcapng_writer_flush(run->writer);
    run->flush_ns = now_ns + FLUSH_NS;
  }
  if (now_ns < run->progress_ns)
    return;
  run->progress_ns = now_ns + PROGRESS_NS;
  snprintf(note, sizeof(note), "%llu frames", (unsigned long long)run->frames);
  cli_progress(run->cli, goal ? (double)run->frames / (double)goal : devices_elapsed(&run->devices),
               note);
}

static uint64_t received(const void *context)
{
  const struct run *run = context;
  return run->frames;
}

static bool is_done(const struct run *run)
{
  return (run->count && run->frames >= run->count) || (run->expect && run->frames >= run->expect);
}

/* What lies in the rings when a signal or the time has ended the loop: a ring's worth at most. */
static void take_rest(struct run *run)
{
  const unsigned bursts = run->devices.device[0].info.rx_ring / DEVICE_BURST;
  for (unsigned i = 0; i < bursts && !is_done(run); i++) {
    devices_step(&run->devices);
    if (!receive(run))
      break;
  }
}

static void count_frames(struct run *run)
{
  unsigned work;
  do {
    work = receive(run);
    look_around(run);
  } while (!is_done(run) && devices_go_on(&run->devices, work));
  take_rest(run);
  cli_progress_end(run->cli);
}

/* ---- The report ---- */

/* From the first frame to the last: the intervals are one fewer than the frames. */
static double rate(const struct run *run, uint64_t amount)
{
  return run->last_ns > run->first_ns
             ? (double)amount * 1e9 / (double)(run->last_ns - run->first_ns)
             : 0;
}

static int report_json(struct run *run, double seconds, const struct devices_findings *findings,
                       int exit)
{
  struct json_object *document = json_object_new_object(), *sizes = json_object_new_object();
  cli_add_text(document, "command", "recv");
  json_object_object_add(document, "devices", devices_json(&run->devices));
  groups_json(&run->groups, document);
  cli_add_double(document, "seconds", seconds);
  cli_add_u64(document, "frames", run->frames);
  if (run->expect)
    cli_add_u64(document, "expected_frames", run->expect);
  cli_add_u64(document, "bytes", run->bytes);
  cli_add_double(document, "rate_pps", rate(run, run->frames ? run->frames - 1 : 0));
  cli_add_double(document, "rate_mbps", rate(run, run->bytes * 8) / 1e6);
  cli_add_u64(document, "least_bytes", run->least_bytes);
  cli_add_u64(document, "most_bytes", run->most_bytes);
  cli_add_u64(document, "broadcast_frames", run->broadcast);
  cli_add_u64(document, "multicast_frames", run->multicast);
  cli_add_u64(document, "oversized_frames", run->oversized);
  for (unsigned i = 0; i < CLASSES; i++)
    cli_add_u64(sizes, classes[i].name, run->sizes[i]);
  json_object_object_add(document, "frames_by_bytes_with_fcs", sizes);
  cli_add_text(document, "pcap", run->pcap);
  devices_findings_json(&run->devices, findings, document);
  return cli_json(document, exit);
}

static int report(struct run *run)
{
  struct devices_findings findings;
  double seconds = devices_elapsed_s(&run->devices);
  int exit = run->frames < run->expect ? CLI_FINDINGS : CLI_OK;
  devices_drain(&run->devices); /* the last ARP answer */
  devices_find(&run->devices, &findings);
  if (run->cli->json)
    return report_json(run, seconds, &findings, exit);
  printf("\nafter %.3f s\n", seconds);
  cli_print_count("frames", run->frames);
  if (run->expect)
    cli_print_count("expected", run->expect);
  cli_print_count("bytes", run->bytes);
  cli_print_count("frames per second", (uint64_t)rate(run, run->frames ? run->frames - 1 : 0));
  cli_print_count("Mb per second", (uint64_t)(rate(run, run->bytes * 8) / 1e6));
  cli_print_count("broadcast", run->broadcast);
  cli_print_count("multicast", run->multicast);
  for (unsigned i = 0; i < CLASSES; i++)
    if (run->sizes[i])
      printf("  %-22s %12llu  %s\n", "bytes with FCS", (unsigned long long)run->sizes[i],
             classes[i].name);
  devices_findings_print(&run->devices, &findings);
  return exit;
}

/* ---- Setting up ---- */

static int open_capture(struct run *run)
{
  struct shunt_error error;
  if (!run->pcap)
    return CLI_OK;
  if (pcapng_writer_open(run->pcap, "shunt recv", &run->writer, &error))
    return cli_fail(run->cli, &error);
  const struct pcapng_interface interface = {.name = run->devices.device[0].info.name};
  run->write_code = pcapng_writer_interface(run->writer, &interface);
  return CLI_OK;
}

static int close_capture(struct run *run)
{
  struct shunt_error error;
  if (!run->writer)
    return CLI_OK;
  int code = pcapng_writer_close(run->writer);
  run->writer = NULL;
  code = run->write_code < 0 ? run->write_code : code;
  if (!code)
    return CLI_OK;
  shunt_error_set(&error, code, "can't write all of the capture %s", run->pcap);
  shunt_error_why(&error, "%s", strerror(-code));
  return cli_fail(run->cli, &error);
}

static int receive_on(struct run *run, const char *device)
{
  const struct shunt_port_options options = {.size = sizeof(options), .promiscuous = 1};
  cli_catch_signals();
  int exit = devices_start(&run->devices, run->cli);
  device = groups_device(&run->groups, run->cli, device);
  exit = exit ? exit : devices_open(&run->devices, device, &options);
  exit = exit ? exit : devices_wait_for_links(&run->devices, false);
  exit = exit ? exit
              : groups_join(&run->groups, run->cli, run->devices.device[0].port,
                            run->devices.device[0].info.name);
  exit = exit ? exit : open_capture(run);
  exit = exit ? exit : devices_begin(&run->devices);
  if (!exit) {
    run->asker.devices = &run->devices;
    run->asker.device = &run->devices.device[0];
    run->asker.host.mac = run->devices.device[0].info.mac;
    devices_print(&run->devices);
    if (!run->cli->json)
      groups_print(&run->groups);
    devices_ready(&run->devices);
    count_frames(run);
    exit = close_capture(run);
    exit = exit ? exit : devices_exit(&run->devices, report(run));
  }
  pcapng_writer_close(run->writer);
  groups_close(&run->groups);
  devices_close(&run->devices);
  return exit;
}

static int check(struct run *run)
{
  struct shunt_host *host = &run->asker.host;
  if (run->ip &&
      (shunt_ipv4_prefix_parse(run->ip, &host->ipv4, &host->prefix_bits) || !host->prefix_bits))
    return cli_usage(run->cli, "--ip: \"%s\" is no address such as %s", run->ip,
                     DEVICE_IP_RESPONDER);
  if (run->expect && run->devices.seconds == 0)
    run->devices.seconds = EXPECT_S;
  run->devices.goal.count = run->count;
  return groups_check(&run->groups, run->cli);
}

static int recv_run(struct cli *cli, int argc, char **argv)
{
  struct run *run = calloc(1, sizeof(*run));
  if (!run)
    return CLI_FAILED;
  run->cli = cli;
  devices_init(&run->devices);
  run->devices.goal = (struct goal){.what = "frames received",
                                    .reached = received,
                                    .context = run,
                                    .remedy = "look whether anybody sends to this device",
                                    .give_up_s = -1,
                                    .usual_s = 60};
  const struct cli_option options[] = {
      {"count", 'n', "N", "End after N frames.", CLI_U64, &run->count, 0, 0},
      {"expect", 0, "N",
       "End after N frames; exit with 3 where fewer have come in --seconds (then 10).", CLI_U64,
       &run->expect, 0, 0},
      {"pcap", 'w', "FILE", "Record all frames to a pcapng file.", CLI_TEXT, &run->pcap, 0, 0},
      {"ip", 0, "ADDR[/PREFIX]", "Answer ARP for this IPv4 address.", CLI_TEXT, &run->ip, 0, 0},
      GROUPS_OPTION(&run->groups),
      GOAL_OPTION(&run->devices.goal, "60"),
      DEVICES_OPTIONS(&run->devices),
      {0},
  };
  int at = cli_parse(cli, options, argc, argv, 1, 1);
  int exit = at < 0 ? -1 - at : check(run);
  if (at >= 0 && !exit)
    exit = receive_on(run, argv[at]);
  free(run);
  return exit;
}

const struct cli_command recv_command = {"recv", "DEVICE", "Count and record what arrives.",
                                         recv_run};
