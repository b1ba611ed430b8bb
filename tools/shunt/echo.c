/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt echo: the responder, compiled into the driver's loop where that can be. */
#include "shunt/echo.h"

#include <stdio.h>
#include <string.h>

#include "shunt/ipv4.h"
#include "shunt/ixgbe.h"
#include "shunt/xdp.h"
#include "tools/shunt/device.h"

struct run {
  struct cli *cli;
  struct devices devices;
  const char *ip;
  uint64_t batch, udp_port, count;
  bool validate;

  void (*serve)(struct run *run);
  unsigned queues;
  struct shunt_queue *queue[DEVICE_QUEUES_MOST];
  struct shunt_echo echo[DEVICE_QUEUES_MOST];
};

/* ---- The loop ---- */

static uint64_t answered(const void *context)
{
  const struct run *run = context;
  uint64_t frames = 0;
  for (unsigned i = 0; i < run->queues; i++)
    frames += shunt_echo_answered(&run->echo[i]);
  return frames;
}

static bool is_done(const struct run *run)
{
  return run->count && answered(run) >= run->count;
}

static bool go_on(struct run *run, unsigned work)
{
  if (work && is_done(run))
    return false;
  return devices_go_on(&run->devices, work);
}

static unsigned serve_round(struct run *run)
{
  unsigned work = 0;
  for (unsigned i = 0; i < run->queues; i++)
    work += shunt_echo_round(run->queue[i], &run->echo[i], (unsigned)run->batch);
  return work;
}

static void serve_portable(struct run *run)
{
  unsigned work;
  do
    work = serve_round(run);
  while (go_on(run, work));
}

/* What lies in the rings when a signal or the time has ended the loop: a ring's worth at most. */
static void serve_rest(struct run *run)
{
  const unsigned rounds = run->devices.device[0].info.rx_ring / (unsigned)run->batch;
  for (unsigned i = 0; i < rounds && !is_done(run); i++) {
    devices_step(&run->devices);
    if (!serve_round(run))
      break;
  }
}

/* The verbs are a constant that the compiler sees, and so is a batch of 1, which has code of its
 * own. */
SHUNT_INLINE void serve_inline(struct run *run, const struct shunt_queue_verbs *verbs,
                               unsigned batch)
{
  unsigned work;
  do {
    work = 0;
    for (unsigned i = 0; i < run->queues; i++)
      work += shunt_echo_round_with(verbs, run->queue[i], &run->echo[i], batch);
  } while (go_on(run, work));
}

static const struct shunt_queue_verbs ixgbe_verbs = SHUNT_IXGBE_VERBS;
static const struct shunt_queue_verbs xdp_verbs = SHUNT_XDP_VERBS;

static void serve_ixgbe(struct run *run)
{
  if (run->batch == 1)
    serve_inline(run, &ixgbe_verbs, 1);
  else
    serve_inline(run, &ixgbe_verbs, (unsigned)run->batch);
}

static void serve_xdp(struct run *run)
{
  if (run->batch == 1)
    serve_inline(run, &xdp_verbs, 1);
  else
    serve_inline(run, &xdp_verbs, (unsigned)run->batch);
}

static void (*choose_loop(const struct run *run))(struct run *run)
{
  unsigned ixgbe = 0, xdp = 0;
  for (unsigned i = 0; i < run->queues; i++) {
    ixgbe += shunt_ixgbe_queue(run->queue[i]) != NULL;
    xdp += shunt_xdp_queue_of(run->queue[i]) != NULL;
  }
  return ixgbe == run->queues ? serve_ixgbe : xdp == run->queues ? serve_xdp : serve_portable;
}

/* ---- The report ---- */

struct totals {
  uint64_t received, answered, unanswered, no_room, too_many_pieces;
  uint64_t by_cause[SHUNT_CAUSE_COUNT];
};

static void sum(const struct run *run, struct totals *totals)
{
  memset(totals, 0, sizeof(*totals));
  totals->answered = answered(run);
  for (unsigned i = 0; i < run->queues; i++) {
    const struct shunt_echo *echo = &run->echo[i];
    totals->unanswered += shunt_echo_unanswered(echo);
    totals->no_room += echo->no_room;
    totals->too_many_pieces += echo->too_many_pieces;
    for (unsigned cause = 0; cause < SHUNT_CAUSE_COUNT; cause++)
      totals->by_cause[cause] += echo->unanswered[cause];
  }
  totals->received = totals->answered + totals->unanswered + totals->no_room;
  totals->answered = device_sent(&run->devices.device[0], totals->answered);
}

/* What is not answered is no loss, for who knows why it was asked; an answer that is gone is. */
static int exit_of(const struct devices_findings *findings)
{
  return findings->dropped ? CLI_FINDINGS : CLI_OK;
}

static int report_json(struct run *run, const struct totals *totals, double seconds,
                       const struct devices_findings *findings)
{
  struct json_object *document = json_object_new_object(), *causes = json_object_new_object();
  cli_add_text(document, "command", "echo");
  json_object_object_add(document, "devices", devices_json(&run->devices));
  cli_add_text(document, "loop", run->serve != serve_portable ? "inline" : "portable");
  cli_add_u64(document, "batch", run->batch);
  cli_add_bool(document, "validate", run->validate);
  cli_add_double(document, "seconds", seconds);
  cli_add_u64(document, "received_frames", totals->received);
  cli_add_u64(document, "answered_frames", totals->answered);
  cli_add_u64(document, "unanswered_frames", totals->unanswered);
  cli_add_u64(document, "no_room_frames", totals->no_room);
  for (unsigned cause = 0; cause < SHUNT_CAUSE_COUNT; cause++)
    if (totals->by_cause[cause])
      cli_add_u64(causes, shunt_parse_cause_name(cause), totals->by_cause[cause]);
  if (totals->too_many_pieces)
    cli_add_u64(causes, "too-many-pieces", totals->too_many_pieces);
  json_object_object_add(document, "unanswered_by_cause", causes);
  devices_findings_json(&run->devices, findings, document);
  return cli_json(document, exit_of(findings));
}

static int report(struct run *run)
{
  struct devices_findings findings;
  struct totals totals;
  double seconds = devices_elapsed_s(&run->devices);
  devices_drain(&run->devices);
  sum(run, &totals);
  devices_find(&run->devices, &findings);
  if (run->cli->json)
    return report_json(run, &totals, seconds, &findings);
  printf("\nafter %.3f s\n", seconds);
  cli_print_count("received", totals.received);
  cli_print_count("answered", totals.answered);
  cli_print_count("unanswered", totals.unanswered);
  for (unsigned cause = 0; cause < SHUNT_CAUSE_COUNT; cause++)
    if (totals.by_cause[cause])
      printf("  %-22s %12llu  %s: %s\n", "", (unsigned long long)totals.by_cause[cause],
             shunt_parse_cause_name(cause), shunt_parse_cause_text(cause));
  if (totals.too_many_pieces)
    printf("  %-22s %12llu  too-many-pieces: a frame of more than %d buffers\n", "",
           (unsigned long long)totals.too_many_pieces, SHUNT_ECHO_PIECES);
  cli_print_count("no room to send", totals.no_room);
  devices_findings_print(&run->devices, &findings);
  return exit_of(&findings);
}

/* ---- Setting up ---- */

static int set_up(struct run *run, const char *device, struct shunt_host *host)
{
  struct devices *devices = &run->devices;
  const struct shunt_port_options options = {.size = sizeof(options),
                                             .tx_report_interval = DEVICE_BURST};
  int exit = devices_start(devices, run->cli);
  exit = exit ? exit : devices_open(devices, device, &options);
  exit = exit ? exit : devices_wait_for_links(devices, false);
  if (exit)
    return exit;
  host->mac = devices->device[0].info.mac;
  run->queues = devices->device[0].info.queues;
  for (unsigned i = 0; i < run->queues; i++) {
    run->queue[i] = devices->device[0].queues[i];
    shunt_echo_init(&run->echo[i], host, run->validate);
  }
  run->serve = choose_loop(run);
  return devices_begin(devices);
}

static void print_granted(const struct run *run, const struct shunt_host *host)
{
  char ip[SHUNT_IPV4_TEXT_BYTES];
  devices_print(&run->devices);
  if (run->cli->json)
    return;
  printf("  answers    %s: ARP, ICMP echo, UDP echo on ", shunt_ipv4_format(host->ipv4, ip));
  if (host->udp_echo_port)
    printf("port %u\n", host->udp_echo_port);
  else
    puts("every port");
  printf("  checks     %s\n",
         run->validate ? "every frame in full" : "what an answer needs (see shunt-echo(1))");
  printf("  loop       %s, batch %u\n",
         run->serve != serve_portable ? "inline: the responder is compiled into the driver's loop"
                                      : "portable",
         (unsigned)run->batch);
}

static int respond(struct run *run, const char *device)
{
  struct shunt_host host = {.udp_echo_port = (uint16_t)run->udp_port};
  if (shunt_ipv4_prefix_parse(run->ip, &host.ipv4, &host.prefix_bits) || !host.prefix_bits)
    return cli_usage(run->cli, "--ip: \"%s\" is no address such as %s", run->ip,
                     DEVICE_IP_RESPONDER);
  if (shunt_ipv4_is_multicast(host.ipv4) || shunt_ipv4_is_this_network(host.ipv4) ||
      shunt_ipv4_is_loopback(host.ipv4) || host.ipv4 == UINT32_MAX)
    return cli_usage(run->cli, "--ip: %s is not the address of one host on a wire", run->ip);
  run->devices.goal.count = run->count;
  cli_catch_signals();
  int exit = set_up(run, device, &host);
  if (!exit) {
    print_granted(run, &host);
    devices_ready(&run->devices);
    run->serve(run);
    serve_rest(run);
    exit = devices_exit(&run->devices, report(run));
  }
  devices_close(&run->devices);
  return exit;
}

static int echo_run(struct cli *cli, int argc, char **argv)
{
  struct run run = {
      .cli = cli, .ip = DEVICE_IP_RESPONDER, .batch = 32, .udp_port = SHUNT_UDP_ECHO_PORT};
  devices_init(&run.devices);
  run.devices.goal = (struct goal){.what = "requests answered",
                                   .reached = answered,
                                   .context = &run,
                                   .remedy = "look whether anybody asks this address, and what the "
                                             "report has under unanswered",
                                   .give_up_s = -1,
                                   .usual_s = 60};
  const struct cli_option options[] = {
      {"ip", 0, "ADDR[/PREFIX]", "Answer for this IPv4 address (" DEVICE_IP_RESPONDER ").",
       CLI_TEXT, &run.ip, 0, 0},
      {"batch", 'b', "N", "Take up to N frames a round, 1 to 64 (32).", CLI_U64, &run.batch, 1,
       SHUNT_ECHO_BATCH},
      {"validate", 0, NULL, "Check every frame in full before it is answered.", CLI_FLAG,
       &run.validate, 0, 0},
      {"udp-port", 0, "N", "Echo UDP datagrams to this port; 0: to every port (7).", CLI_U64,
       &run.udp_port, 0, 65535},
      {"count", 'n', "N", "End after N answers.", CLI_U64, &run.count, 0, 0},
      GOAL_OPTION(&run.devices.goal, "60"),
      DEVICES_OPTIONS(&run.devices),
      {0},
  };
  int at = cli_parse(cli, options, argc, argv, 1, 1);
  return at < 0 ? -1 - at : respond(&run, argv[at]);
}

const struct cli_command echo_command = {
    "echo", "DEVICE", "Answer ARP, ICMP echo and UDP echo, in the driver's loop.", echo_run};
