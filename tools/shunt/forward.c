/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt forward: what one device receives the other sends, both ways. One region is behind both, so
 * a frame goes from ring to ring without being copied. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shunt/xdp.h"
#include "tools/shunt/device.h"

/* Room for a burst behind the pieces of a frame whose end has not come yet. */
#define ROOM (DEVICE_BURST + DEVICE_PIECES_MOST)

/* One way through. Queue i of the one device feeds queue i of the other. */
struct way {
  struct shunt_queue *in, *out;
  unsigned held;                                    /* pieces of an unfinished frame */
  bool skipping;                                    /* the rest of a frame of too many pieces */
  uint64_t frames, bytes, no_room, too_many_pieces; /* frames: that the send ring has taken */
  struct shunt_frame pieces[ROOM];
  shunt_buf sent[DEVICE_BURST]; /* buffers on their way back */
};

struct run {
  struct cli *cli;
  struct devices devices;
  uint64_t count;
  bool mac_swap, touch;

  bool inlined;
  unsigned queues;
  struct way ways[2][DEVICE_QUEUES_MOST]; /* from device 0 to 1, and back */
};

/* ---- One round ---- */

static void swap_macs(uint8_t *frame)
{
  uint8_t destination[6];
  memcpy(destination, frame, 6);
  memcpy(frame, frame + 6, 6);
  memcpy(frame + 6, destination, 6);
}

/* What is asked for beside forwarding, on the piece that begins a frame. */
SHUNT_INLINE void edit(const struct run *run, const struct way *way,
                       const struct shunt_frame *piece)
{
  uint8_t *frame = shunt_frame_data(way->in, piece);
  if (run->touch) {
    volatile uint8_t *byte = frame; /* so that the cache line comes and goes */
    const uint8_t value = *byte;
    *byte = value;
  }
  if (run->mac_swap && piece->len >= SHUNT_ETHERNET_HEADER_BYTES)
    swap_macs(frame);
}

/* Pieces that can't go on: back to the ring that they came from. */
static void give_back(struct way *way, const struct shunt_frame pieces[], unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    shunt_rx_post(way->in, &pieces[i].addr, 1);
}

/* Of n pieces, those that make up whole frames; edits each frame that begins among the new ones. */
SHUNT_INLINE unsigned whole_frames(const struct run *run, struct way *way, unsigned n)
{
  unsigned whole = 0;
  bool begins = way->held == 0;
  for (unsigned i = way->held; i < n; i++) {
    if (begins && (run->touch || run->mac_swap))
      edit(run, way, &way->pieces[i]);
    begins = !(way->pieces[i].flags & SHUNT_FRAME_MORE);
    if (begins)
      whole = i + 1;
  }
  return whole;
}

static void count(struct way *way, unsigned posted, unsigned whole)
{
  for (unsigned i = 0; i < whole; i++) {
    bool last = !(way->pieces[i].flags & SHUNT_FRAME_MORE);
    way->frames += i < posted && last;
    way->bytes += i < posted ? way->pieces[i].len : 0;
    way->no_room += i >= posted && last;
  }
}

/* More pieces than any frame has that the port's MTU allows: drop up to its last one. */
static void drop_long_frame(struct way *way)
{
  give_back(way, way->pieces, way->held);
  way->held = 0;
  way->skipping = true;
  way->too_many_pieces++;
}

static unsigned skip(struct way *way, unsigned n)
{
  unsigned i = 0;
  while (i < n && (way->pieces[i].flags & SHUNT_FRAME_MORE))
    i++;
  way->skipping = i == n;
  i += i < n;
  give_back(way, way->pieces, i);
  memmove(way->pieces, way->pieces + i, (n - i) * sizeof(way->pieces[0]));
  return n - i;
}

SHUNT_INLINE unsigned round_with(const struct shunt_queue_verbs *in,
                                 const struct shunt_queue_verbs *out, const struct run *run,
                                 struct way *way)
{
  unsigned received = in->rx_poll(way->in, way->pieces + way->held, DEVICE_BURST);
  if (received) {
    unsigned n = way->held + received;
    if (SHUNT_UNLIKELY(way->skipping))
      n = skip(way, n);
    unsigned whole = whole_frames(run, way, n), posted = 0;
    if (whole) {
      posted = out->tx_post(way->out, way->pieces, whole);
      out->tx_push(way->out);
    }
    count(way, posted, whole);
    give_back(way, way->pieces + posted, whole - posted);
    way->held = n - whole;
    if (SHUNT_UNLIKELY(way->held)) {
      memmove(way->pieces, way->pieces + whole, way->held * sizeof(way->pieces[0]));
      if (way->held >= DEVICE_PIECES_MOST)
        drop_long_frame(way);
    }
  }
  /* Sent: the buffers go back to where their frames came from. */
  unsigned sent = out->tx_poll(way->out, way->sent, DEVICE_BURST);
  if (sent)
    in->rx_post(way->in, way->sent, sent);
  return received;
}

/* ---- The loop ---- */

static uint64_t forwarded(const void *context)
{
  const struct run *run = context;
  uint64_t frames = 0;
  for (unsigned i = 0; i < run->queues; i++)
    frames += run->ways[0][i].frames + run->ways[1][i].frames;
  return frames;
}

static bool go_on(struct run *run, unsigned work)
{
  if (run->count && work && forwarded(run) >= run->count)
    return false;
  return devices_go_on(&run->devices, work);
}

static void forward_portable(struct run *run)
{
  unsigned work;
  do {
    work = 0;
    for (unsigned way = 0; way < 2; way++)
      for (unsigned i = 0; i < run->queues; i++) {
        struct way *w = &run->ways[way][i];
        work += round_with(w->in->verbs, w->out->verbs, run, w);
      }
  } while (go_on(run, work));
}

static void forward_ixgbe(struct run *run)
{
  static const struct shunt_queue_verbs verbs = SHUNT_IXGBE_VERBS;
  unsigned work;
  do {
    work = 0;
    for (unsigned way = 0; way < 2; way++)
      for (unsigned i = 0; i < run->queues; i++)
        work += round_with(&verbs, &verbs, run, &run->ways[way][i]);
  } while (go_on(run, work));
}

/* ---- The report ---- */

struct totals {
  uint64_t frames, bytes, no_room, too_many_pieces, dropped;
};

static struct totals sum(const struct run *run, unsigned way)
{
  struct totals all = {0};
  for (unsigned i = 0; i < run->queues; i++) {
    const struct way *one = &run->ways[way][i];
    all.frames += one->frames;
    all.bytes += one->bytes;
    all.no_room += one->no_room;
    all.too_many_pieces += one->too_many_pieces;
  }
  all.dropped = device_dropped(&run->devices.device[!way]);
  all.frames = device_sent(&run->devices.device[!way], all.frames);
  return all;
}

static struct json_object *way_json(const struct run *run, unsigned way, double seconds)
{
  struct totals all = sum(run, way);
  struct json_object *object = json_object_new_object();
  cli_add_text(object, "from", run->devices.device[way].info.name);
  cli_add_text(object, "to", run->devices.device[!way].info.name);
  cli_add_u64(object, "frames", all.frames);
  cli_add_u64(object, "bytes", all.bytes);
  cli_add_double(object, "rate_pps", (double)all.frames / seconds);
  cli_add_u64(object, "no_room_frames", all.no_room);
  cli_add_u64(object, "dropped_frames", all.dropped);
  cli_add_u64(object, "too_many_pieces_frames", all.too_many_pieces);
  return object;
}

static int report_json(struct run *run, double seconds, const struct devices_findings *findings)
{
  struct json_object *document = json_object_new_object(), *ways = json_object_new_array();
  cli_add_text(document, "command", "forward");
  json_object_object_add(document, "devices", devices_json(&run->devices));
  cli_add_text(document, "loop", run->inlined ? "inline" : "portable");
  cli_add_double(document, "seconds", seconds);
  for (unsigned way = 0; way < 2; way++)
    json_object_array_add(ways, way_json(run, way, seconds));
  json_object_object_add(document, "ways", ways);
  devices_findings_json(&run->devices, findings, document);
  return cli_json(document, findings->dropped ? CLI_FINDINGS : CLI_OK);
}

static int report(struct run *run)
{
  struct devices_findings findings;
  double seconds = devices_elapsed_s(&run->devices);
  devices_drain(&run->devices);
  devices_find(&run->devices, &findings);
  if (run->cli->json)
    return report_json(run, seconds, &findings);
  printf("\nafter %.3f s\n", seconds);
  for (unsigned way = 0; way < 2; way++) {
    struct totals all = sum(run, way);
    printf("%s\n", way ? "second to first" : "first to second");
    cli_print_count("forwarded", all.frames);
    cli_print_count("bytes", all.bytes);
    cli_print_count("per second", (uint64_t)((double)all.frames / seconds));
    cli_print_count("no room to send", all.no_room);
    if (all.dropped)
      cli_print_count("dropped by the driver", all.dropped);
    cli_print_count("too many pieces", all.too_many_pieces);
  }
  puts("both");
  devices_findings_print(&run->devices, &findings);
  return findings.dropped ? CLI_FINDINGS : CLI_OK;
}

/* ---- Setting up ---- */

static void connect(struct run *run)
{
  const struct device *device = run->devices.device;
  run->queues = device[0].info.queues;
  run->inlined = true;
  for (unsigned way = 0; way < 2; way++)
    for (unsigned i = 0; i < run->queues; i++) {
      struct way *w = &run->ways[way][i];
      w->in = device[way].queues[i];
      w->out = device[!way].queues[i];
      run->inlined &= shunt_ixgbe_queue(w->in) != NULL;
    }
}

/* A frame goes out of the buffer that it came in. What has to stand in front of it has room there
 * where AF_XDP received it, which leaves some; an 82599 fills a buffer from its first byte on. */
static int check_headroom(struct run *run)
{
  struct shunt_error error;
  const struct device *device = run->devices.device;
  for (unsigned way = 0; way < 2; way++) {
    const struct device *in = &device[way], *out = &device[!way];
    if (!out->headroom || shunt_xdp_queue_of(in->queues[0]))
      continue;
    shunt_error_set(&error, -EINVAL, "%s can't send the frames of %s uncopied", out->info.name,
                    in->info.name);
    shunt_error_why(&error, "with checksum= or tx_time= it needs %u bytes in front of each",
                    out->headroom);
    shunt_error_remedy(&error, "leave these keys out");
    return cli_fail(run->cli, &error);
  }
  return CLI_OK;
}

static int open_devices(struct run *run, char **names)
{
  struct shunt_port_options options = {
      .size = sizeof(options), .tx_report_interval = DEVICE_BURST, .promiscuous = 1};
  int exit = devices_start(&run->devices, run->cli);
  exit = exit ? exit : devices_open(&run->devices, names[0], &options);
  if (exit)
    return exit;
  options.region = shunt_port_region(run->devices.device[0].port);
  exit = devices_open(&run->devices, names[1], &options);
  exit = exit ? exit : check_headroom(run);
  return exit ? exit : devices_wait_for_links(&run->devices, false);
}

static int forward(struct run *run, char **names)
{
  run->devices.goal.count = run->count;
  cli_catch_signals();
  int exit = open_devices(run, names);
  exit = exit ? exit : devices_begin(&run->devices);
  if (!exit) {
    connect(run);
    devices_print(&run->devices);
    if (!run->cli->json)
      printf("loop         %s\n", run->inlined ? "inline" : "portable");
    devices_ready(&run->devices);
    if (run->inlined)
      forward_ixgbe(run);
    else
      forward_portable(run);
    exit = devices_exit(&run->devices, report(run));
  }
  devices_close(&run->devices);
  return exit;
}

static int forward_run(struct cli *cli, int argc, char **argv)
{
  struct run *run = calloc(1, sizeof(*run));
  if (!run)
    return CLI_FAILED;
  run->cli = cli;
  devices_init(&run->devices);
  run->devices.goal = (struct goal){.what = "frames forwarded",
                                    .reached = forwarded,
                                    .context = run,
                                    .remedy = "look whether anybody sends to these devices",
                                    .give_up_s = -1,
                                    .usual_s = 60};
  const struct cli_option options[] = {
      {"mac-swap", 0, NULL, "Swap source and destination MAC address of every frame.", CLI_FLAG,
       &run->mac_swap, 0, 0},
      {"touch", 0, NULL, "Read and write one byte of every frame, unchanged.", CLI_FLAG,
       &run->touch, 0, 0},
      {"count", 'n', "N", "End after N frames, both ways together.", CLI_U64, &run->count, 0, 0},
      GOAL_OPTION(&run->devices.goal, "60"),
      DEVICES_OPTIONS(&run->devices),
      {0},
  };
  int at = cli_parse(cli, options, argc, argv, 2, 2);
  int exit = at < 0 ? -1 - at : forward(run, argv + at);
  free(run);
  return exit;
}

const struct cli_command forward_command = {
    "forward", "DEVICE-A DEVICE-B", "Forward frames between two devices, both ways, uncopied.",
    forward_run};
