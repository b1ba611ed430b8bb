/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt capture: record what a port receives and sends, in pcapng. The port is another process's,
 * or one that is opened here: then this thread polls it, too, and captures itself. */
#include "tools/shunt/capture.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/core/pcapng.h"
#include "tools/shunt/device.h"
#include "tools/shunt/groups.h"

#define BATCH       512 /* records between two looks at everything else */
#define FLUSH_NS    UINT64_C(100000000)
#define PROGRESS_NS UINT64_C(100000000)
#define ANY_QUEUE   UINT64_MAX

struct run {
  struct cli *cli;
  struct devices devices; /* the port, where it is opened here; else only what waiting needs */
  const char *output, *direction;
  uint64_t snaplen, count, queue;
  bool nic_time;
  struct groups groups;

  struct shunt_capture_port port;
  struct shunt_capture *capture;
  struct pcapng_writer *writer;
  int write_code; /* of the first write that failed */
  int next_code;  /* of the capture's end; 0: it goes on */
  struct shunt_error end;
  uint64_t frames, started_ns;
  uint64_t flush_ns, progress_ns;
};

static uint64_t unix_now_ns(void)
{
  struct timespec real;
  clock_gettime(CLOCK_REALTIME, &real);
  return (uint64_t)real.tv_sec * 1000000000 + (uint64_t)real.tv_nsec;
}

/* ---- Frames ---- */

static void write_record(struct run *run, const struct shunt_capture_record *record)
{
  bool received = record->direction == SHUNT_CAPTURE_RX;
  const struct pcapng_packet packet = {
      .time_ns = run->nic_time && record->nic_time_ns ? record->nic_time_ns : record->time_ns,
      .direction = received ? PCAPNG_DIRECTION_INBOUND : PCAPNG_DIRECTION_OUTBOUND,
      .has_queue = true,
      .queue = record->queue,
      .original_bytes = record->original_bytes};
  const struct iovec piece = {(void *)(uintptr_t)record->data, record->captured_bytes};
  run->write_code = pcapng_writer_frame(run->writer, &packet, &piece, 1);
  run->frames++;
}

static uint64_t captured(const void *context)
{
  const struct run *run = context;
  return run->frames;
}

static bool is_done(const struct run *run)
{
  return (run->count && run->frames >= run->count) || run->write_code || run->next_code;
}

/* Write what there is, a batch at most. Returns how much. */
static unsigned drain(struct run *run)
{
  struct shunt_capture_record record;
  unsigned n = 0;
  for (; n < BATCH && !is_done(run); n++) {
    int code = shunt_capture_next(run->capture, &record, &run->end);
    if (code <= 0) {
      run->next_code = code;
      break;
    }
    write_record(run, &record);
  }
  return n;
}

/* Of a port that is opened here: take what comes, and give the buffers back. */
static unsigned receive(const struct run *run)
{
  struct shunt_frame frames[DEVICE_BURST];
  unsigned work = 0;
  for (unsigned i = 0; run->devices.count && i < run->devices.device[0].info.queues; i++) {
    struct shunt_queue *q = run->devices.device[0].queues[i];
    unsigned n = shunt_rx_poll(q, frames, DEVICE_BURST);
    device_repost(q, frames, n);
    work += n;
  }
  return work;
}

/* ---- The loop ---- */

static uint64_t dropped(const struct run *run)
{
  struct shunt_capture_counts counts = {.size = sizeof(counts)};
  shunt_capture_counts(run->capture, &counts);
  return counts.rx_dropped_full + counts.tx_dropped_full;
}

/* A batch reaches a pipe's reader once nothing is left to add to it. */
static void look_around(struct run *run, unsigned records)
{
  const uint64_t now_ns = devices_now_ns(&run->devices);
  char note[64];
  if (!run->write_code && (records < BATCH || now_ns >= run->flush_ns)) {
    run->write_code = pcapng_writer_flush(run->writer);
    run->flush_ns = now_ns + FLUSH_NS;
  }
  if (now_ns < run->progress_ns)
    return;
  run->progress_ns = now_ns + PROGRESS_NS;
  snprintf(note, sizeof(note), "%llu frames, %llu dropped", (unsigned long long)run->frames,
           (unsigned long long)dropped(run));
  cli_progress(
      run->cli,
      run->count ? (double)run->frames / (double)run->count : devices_elapsed(&run->devices), note);
}

/* What lies in the rings of a port that is opened here when a signal or the time has ended the
 * loop: a ring's worth at most. */
static void take_rest(struct run *run)
{
  const unsigned bursts = run->devices.device[0].info.rx_ring / DEVICE_BURST;
  for (unsigned i = 0; i < bursts && !is_done(run); i++) {
    devices_step(&run->devices);
    if (!receive(run))
      break;
    drain(run);
  }
}

static void record_frames(struct run *run)
{
  unsigned work;
  do {
    work = receive(run);
    unsigned records = drain(run);
    look_around(run, records);
    work += records;
  } while (!is_done(run) && devices_go_on(&run->devices, work));
  take_rest(run);
  shunt_capture_stop(run->capture);
  while (!is_done(run) && drain(run))
    ;
  cli_progress_end(run->cli);
}

/* ---- The file ---- */

static int open_file(struct run *run)
{
  struct shunt_error error;
  if (strcmp(run->output, "-") != 0) {
    int code =
        pcapng_writer_open(run->output, "shunt capture " SHUNT_VERSION, &run->writer, &error);
    return code ? cli_fail(run->cli, &error) : CLI_OK;
  }
  /* What is printed from now on goes to standard error. */
  fflush(stdout);
  int fd = dup(STDOUT_FILENO);
  if (fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    shunt_error_set(&error, -errno, "can't write to standard output");
    shunt_error_why(&error, "%s", strerror(errno));
    return cli_fail(run->cli, &error);
  }
  int code = pcapng_writer_open_fd(fd, "to standard output", "shunt capture " SHUNT_VERSION,
                                   &run->writer, &error);
  return code ? cli_fail(run->cli, &error) : CLI_OK;
}

static void describe(struct run *run)
{
  const struct shunt_capture_port *port = &run->port;
  char comment[400];
  snprintf(comment, sizeof(comment),
           "opened by %s (process %u), driver %s, reached by %s%s; %u queue%s; times: %s",
           port->process, port->pid, port->driver, port->path,
           port->model ? " (" DEVICE_MODEL_STAMP ")" : "", port->queues,
           port->queues == 1 ? "" : "s",
           run->nic_time ? "the NIC's where a frame has one, else of the burst, by the host's clock"
                         : "of the burst, by the host's clock");
  const struct pcapng_interface interface = {.name = port->name,
                                             .description = port->device,
                                             .comment = comment,
                                             .snapshot_bytes = (uint32_t)run->snaplen};
  int code = pcapng_writer_interface(run->writer, &interface);
  run->write_code = code < 0 ? code : pcapng_writer_flush(run->writer);
}

/* A reader that ends first, as in `| head`, is no failure. */
static int close_file(struct run *run)
{
  struct shunt_error error;
  struct shunt_capture_counts counts = {.size = sizeof(counts)};
  shunt_capture_counts(run->capture, &counts);
  const struct pcapng_statistics statistics = {
      .start_ns = run->started_ns,
      .end_ns = unix_now_ns(),
      .received = run->frames + counts.rx_dropped_full + counts.tx_dropped_full,
      .dropped = counts.rx_dropped_full + counts.tx_dropped_full};
  int code = run->write_code;
  if (!code)
    pcapng_writer_statistics(run->writer, &statistics);
  int closed = pcapng_writer_close(run->writer);
  run->writer = NULL;
  code = code ? code : closed;
  if (!code || (code == -EPIPE && !strcmp(run->output, "-")))
    return CLI_OK;
  shunt_error_set(&error, code, "can't write all of the capture %s", run->output);
  shunt_error_why(&error, "%s", strerror(-code));
  return cli_fail(run->cli, &error);
}

/* ---- The report ---- */

static const char *why_it_ended(const struct run *run)
{
  if (run->next_code)
    return run->end.what;
  if (run->write_code)
    return "nobody reads the output";
  if (run->count && run->frames >= run->count)
    return "the frames that were asked for are there";
  if (run->devices.ended.code)
    return run->devices.ended.what;
  return cli_stopped() ? "a signal" : "the time is over";
}

static int report(struct run *run)
{
  struct devices_findings findings;
  struct shunt_capture_counts counts = {.size = sizeof(counts)};
  shunt_capture_counts(run->capture, &counts);
  bool lost = counts.rx_dropped_full || counts.tx_dropped_full || run->next_code == -ETIMEDOUT;
  int exit = lost ? CLI_FINDINGS : CLI_OK;
  double seconds = devices_elapsed_s(&run->devices);
  devices_find(&run->devices, &findings);
  if (run->cli->json) {
    struct json_object *document = json_object_new_object();
    cli_add_text(document, "command", "capture");
    cli_add_u64(document, "pid", run->port.pid);
    cli_add_text(document, "port", run->port.name);
    cli_add_double(document, "seconds", seconds);
    cli_add_u64(document, "frames", run->frames);
    cli_add_u64(document, "rx_frames", counts.rx_frames);
    cli_add_u64(document, "tx_frames", counts.tx_frames);
    cli_add_u64(document, "rx_bytes", counts.rx_bytes);
    cli_add_u64(document, "tx_bytes", counts.tx_bytes);
    cli_add_u64(document, "rx_dropped_frames", counts.rx_dropped_full);
    cli_add_u64(document, "tx_dropped_frames", counts.tx_dropped_full);
    cli_add_text(document, "pcap", run->output);
    cli_add_text(document, "end", why_it_ended(run));
    groups_json(&run->groups, document);
    if (run->devices.count)
      devices_findings_json(&run->devices, &findings, document);
    return cli_json(document, exit);
  }
  printf("\nafter %.3f s: %s\n", seconds, why_it_ended(run));
  cli_print_count("frames", run->frames);
  cli_print_count("received", counts.rx_frames);
  cli_print_count("sent", counts.tx_frames);
  cli_print_count("dropped, received", counts.rx_dropped_full);
  cli_print_count("dropped, sent", counts.tx_dropped_full);
  if (run->devices.count)
    devices_findings_print(&run->devices, &findings);
  return exit;
}

/* ---- Setting up ---- */

static uint32_t directions(const struct run *run)
{
  if (!strcmp(run->direction, "rx"))
    return SHUNT_CAPTURE_RX;
  return !strcmp(run->direction, "tx") ? SHUNT_CAPTURE_TX : SHUNT_CAPTURE_RX | SHUNT_CAPTURE_TX;
}

static int attach(struct run *run)
{
  struct shunt_error error;
  struct shunt_capture_options options = {
      .size = sizeof(options), .snaplen = (uint32_t)run->snaplen, .directions = directions(run)};
  if (run->queue != ANY_QUEUE) {
    options.first_queue = (uint32_t)run->queue;
    options.queues = 1;
  }
  run->started_ns = unix_now_ns();
  int code = shunt_capture_attach(&run->port, &options, &run->capture, &error);
  return code ? cli_fail(run->cli, &error) : CLI_OK;
}

static int open_port(struct run *run, const char *argument)
{
  const struct shunt_port_options options = {
      .size = sizeof(options), .promiscuous = 1, .capture = 1};
  int exit = devices_open(&run->devices, groups_device(&run->groups, run->cli, argument), &options);
  exit = exit ? exit : devices_wait_for_links(&run->devices, false);
  exit = exit ? exit
              : groups_join(&run->groups, run->cli, run->devices.device[0].port,
                            run->devices.device[0].info.name);
  return exit ? exit : capture_find_own(run->cli, run->devices.device[0].info.name, &run->port);
}

/* Nothing here can tell when another process's port moves: while nothing comes, sleep. */
static int begin(struct run *run)
{
  struct shunt_error error;
  const struct shunt_idle_options sleep = {.mode = SHUNT_IDLE_SLEEP};
  int exit = devices_begin(&run->devices);
  if (!exit && !run->devices.count && shunt_idle_init(&run->devices.idle, &sleep, &error))
    return cli_fail(run->cli, &error);
  return exit;
}

static void print_port(const struct run *run)
{
  if (run->cli->json)
    return;
  if (run->devices.count)
    devices_print(&run->devices);
  else
    printf("%s of %s (process %u)\n  device     %s\n  path       %s\n", run->port.name,
           run->port.process, run->port.pid, run->port.device, run->port.path);
  groups_print(&run->groups);
  printf("  output     %s\n", strcmp(run->output, "-") ? run->output : "standard output");
}

static int capture(struct run *run, const char *argument)
{
  cli_catch_signals();
  signal(SIGPIPE, SIG_IGN); /* a write says so */
  int exit = devices_start(&run->devices, run->cli);
  int found = exit ? -1 - exit : capture_find(run->cli, cli_device(run->cli, argument), &run->port);
  if (found < 0)
    return -1 - found;
  if (found && run->groups.count)
    return cli_usage(run->cli, "--group: a port of another process joins its groups itself");
  exit = found ? CLI_OK : open_port(run, argument);
  exit = exit ? exit : open_file(run);
  exit = exit ? exit : attach(run);
  exit = exit ? exit : begin(run);
  if (exit)
    return exit;
  describe(run);
  run->devices.goal.count = run->count;
  print_port(run);
  devices_ready(&run->devices);
  record_frames(run);
  exit = close_file(run);
  return exit ? exit : devices_exit(&run->devices, report(run));
}

static int check(struct run *run)
{
  if (!run->output)
    return cli_usage(run->cli, "name a file with --output, or - for standard output");
  if (!strcmp(run->output, "-") && run->cli->json)
    return cli_usage(run->cli, "--output - and --json can't have the same standard output");
  if (!strcmp(run->output, "-") && isatty(STDOUT_FILENO))
    return cli_usage(run->cli, "a capture is not written to a terminal; try: | tshark -r -");
  if (strcmp(run->direction, "rx") != 0 && strcmp(run->direction, "tx") != 0 &&
      strcmp(run->direction, "both") != 0)
    return cli_usage(run->cli, "--direction: \"%s\" is none of rx, tx, both", run->direction);
  return groups_check(&run->groups, run->cli);
}

static int capture_run(struct cli *cli, int argc, char **argv)
{
  struct run *run = calloc(1, sizeof(*run));
  if (!run)
    return CLI_FAILED;
  run->cli = cli;
  run->direction = "both";
  run->queue = ANY_QUEUE;
  devices_init(&run->devices);
  run->devices.busy_remedy = "a port of shunt is recorded where it was opened with capture=1";
  run->devices.goal = (struct goal){.what = "frames captured",
                                    .reached = captured,
                                    .context = run,
                                    .remedy = "look whether the port moves frames: shunt info",
                                    .give_up_s = -1,
                                    .usual_s = 60};
  const struct cli_option options[] = {
      {"output", 'o', "FILE", "Record to a pcapng file; - for standard output.", CLI_TEXT,
       &run->output, 0, 0},
      {"count", 'n', "N", "End after N frames.", CLI_U64, &run->count, 0, 0},
      {"snaplen", 0, "BYTES", "Record at most so much of a frame (all).", CLI_U64, &run->snaplen, 1,
       SHUNT_CAPTURE_SNAPLEN_MOST},
      {"direction", 0, "WHICH", "Record rx, tx or both (both).", CLI_TEXT, &run->direction, 0, 0},
      {"queue", 0, "N", "Record that queue alone (all).", CLI_U64, &run->queue, 0, 127},
      {"nic-time", 0, NULL, "Take the NIC's time stamp where a frame has one.", CLI_FLAG,
       &run->nic_time, 0, 0},
      GROUPS_OPTION(&run->groups),
      GOAL_OPTION(&run->devices.goal, "60"),
      DEVICES_OPTIONS(&run->devices),
      {0},
  };
  int at = cli_parse(cli, options, argc, argv, 0, 1);
  int exit = at < 0 ? -1 - at : CLI_OK;
  if (at >= 0 && at == argc)
    exit = capture_list(cli);
  else if (at >= 0)
    exit = check(run);
  if (at >= 0 && at < argc && !exit)
    exit = capture(run, argv[at]);
  pcapng_writer_close(run->writer);
  shunt_capture_detach(run->capture);
  groups_close(&run->groups);
  devices_close(&run->devices);
  free(run);
  return exit;
}

const struct cli_command capture_command = {"capture", "[PORT|PID|DEVICE]",
                                            "Record what bypasses the kernel, both directions.",
                                            capture_run};
