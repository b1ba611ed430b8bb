/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt twin: devices in software, each behind a vfio-user socket, joined by wires. */
#include "tools/shunt/twin.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "shunt/cpu.h"
#include "tools/shunt/config.h"

#define CARDS_MOST 16 /* at a socket */

#define NO_CPU    UINT64_MAX
#define NS_PER_US UINT64_C(1000)
#define NS_PER_S  UINT64_C(1000000000)

/* A look at a socket is a system call. While messages come it is made in every round, later seldom:
 * a client that is at work in mapped pages sends none. */
#define LOOK_ALWAYS_NS (50 * NS_PER_US)
#define LOOK_SELDOM_NS (10 * NS_PER_US)

/* Without --spin: how long to go on polling before sleeping, and how long to sleep. What a driver
 * writes to mapped pages wakes nobody, so the sleep is an eighth of the time that nothing has
 * happened: an exchange under way is delayed by 50 us at most, the first frame after a long pause
 * by 1 ms. */
#define POLL_ON_NS         (20 * NS_PER_US)
#define SLEEP_LEAST_NS     (50 * NS_PER_US)
#define SLEEP_MOST_NS      (1000 * NS_PER_US)
#define SLEEP_MOST_IDLE_NS (20000 * NS_PER_US) /* no client anywhere */

/* ---- What a twin is made of ---- */

static int bad_twin(const struct twins *twins, const char *text, const char *why)
{
  return cli_usage(twins->cli,
                   "\"%s\" is no twin: %s; write SOCKET=ixgbe?wire=NAME or SOCKET=efa?wire=NAME",
                   text, why);
}

/* Cut "key=value" of that key out of keys. Returns whether it stood there. */
static bool take_key(char *keys, const char *key, char *value, size_t bytes)
{
  size_t key_bytes = strlen(key);
  for (char *at = keys; *at != '\0';) {
    size_t length = strcspn(at, "&");
    char *next = at[length] == '&' ? at + length + 1 : at + length;
    if (strncmp(at, key, key_bytes) == 0 && at[key_bytes] == '=') {
      snprintf(value, bytes, "%.*s", (int)(length - key_bytes - 1), at + key_bytes + 1);
      memmove(at, next, strlen(next) + 1);
      size_t left = strlen(keys);
      if (left > 0 && keys[left - 1] == '&')
        keys[left - 1] = '\0';
      return true;
    }
    at = next;
  }
  return false;
}

/* The keys that are the server's: areas=on|off, memory=sealed|any, cards=N. */
static int take_server_keys(const struct twins *twins, char *keys,
                            struct shunt_vfio_user_options *options, unsigned *cards)
{
  char value[32], *end;
  if (take_key(keys, "cards", value, sizeof(value))) {
    unsigned long number = strtoul(value, &end, 10);
    if (*value < '1' || *value > '9' || *end || number > CARDS_MOST)
      return cli_usage(twins->cli, "cards=%s: it is 1 to %d", value, CARDS_MOST);
    *cards = (unsigned)number;
  }
  if (take_key(keys, "areas", value, sizeof(value))) {
    options->no_areas = !strcmp(value, "off");
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
      return cli_usage(twins->cli, "areas=%s: it is on or off", value);
  }
  if (take_key(keys, "memory", value, sizeof(value))) {
    options->allow_shrink = !strcmp(value, "any");
    if (strcmp(value, "sealed") != 0 && strcmp(value, "any") != 0)
      return cli_usage(twins->cli, "memory=%s: it is sealed or any", value);
  }
  return 0;
}

/* Serve a card, at a socket of its own or at that of the first one. */
static int add_card(struct twins *twins, struct twin *twin, const struct twin *first,
                    const struct shunt_vfio_user_options *options)
{
  struct shunt_error error;
  int code = shunt_testbed_twin(twins->testbed, twin->kind, twin->keys, &twin->model, &error);
  if (!code)
    code = first
               ? shunt_vfio_user_join(twin->model, first->server, options, &twin->server, &error)
               : shunt_vfio_user_create(twin->model, twin->socket, options, &twin->server, &error);
  if (code)
    return cli_fail(twins->cli, &error);
  struct epoll_event event = {.events = EPOLLIN};
  epoll_ctl(twins->epoll, EPOLL_CTL_ADD, shunt_vfio_user_fd(twin->server), &event);
  twins->count++;
  return 0;
}

/* What a twin's keys say of the card, without what they say of the wire, which the first has set up
 * already. */
static void keys_of_card(const char *keys, char *card, size_t bytes)
{
  static const char *const kept[] = {"wire",  "id",         "mac",           "mode",      "module",
                                     "cable", "give_up_ms", "keep_alive_ms", "reuse_qpn", "paths"};
  char rest[TWIN_TEXT_BYTES], value[TWIN_TEXT_BYTES];
  size_t used = 0;
  snprintf(rest, sizeof(rest), "%s", keys);
  card[0] = '\0';
  for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
    if (take_key(rest, kept[i], value, sizeof(value)) && used < bytes)
      used +=
          (size_t)snprintf(card + used, bytes - used, "%s%s=%s", used ? "&" : "", kept[i], value);
}

/* The second card of a socket and those behind it. Cards of one socket are on one wire. */
static int add_cards(struct twins *twins, const struct twin *first, unsigned cards,
                     const struct shunt_vfio_user_options *options)
{
  int exit = 0;
  if (cards > TWINS_MOST - twins->count + 1)
    return cli_usage(twins->cli, "more than %d twins", TWINS_MOST);
  for (unsigned card = 2; card <= cards && !exit; card++) {
    struct twin *twin = &twins->twin[twins->count];
    twin->socket = first->socket;
    twin->kind = first->kind;
    twin->card = card;
    keys_of_card(first->keys, twin->text, sizeof(twin->text));
    twin->keys = twin->text;
    exit = add_card(twins, twin, first, options);
  }
  return exit;
}

static int add_twin(struct twins *twins, const char *socket, const char *what)
{
  struct twin *twin = &twins->twin[twins->count];
  if (twins->count == TWINS_MOST)
    return cli_usage(twins->cli, "more than %d twins", TWINS_MOST);
  int bytes = snprintf(twin->text, sizeof(twin->text), "%s=%s", socket, what);
  if (bytes >= (int)sizeof(twin->text))
    return bad_twin(twins, socket, "it is too long");
  twin->socket = twin->text;
  char *kind = twin->text + strlen(socket) + 1;
  kind[-1] = '\0';
  char *keys = strchr(kind, '?');
  if (keys)
    *keys++ = '\0';
  twin->kind = kind;
  twin->keys = keys ? keys : "";
  if (!*socket || !*kind)
    return bad_twin(twins, socket, *socket ? "it has no kind" : "it has no socket");
  struct shunt_vfio_user_options options = {
      .size = sizeof(options), .clock = &twins->clock, .log = &twins->cli->log};
  unsigned cards = 1;
  int exit = keys ? take_server_keys(twins, keys, &options, &cards) : 0;
  if (!exit && cards > 1 && !strstr(twin->keys, "wire="))
    return bad_twin(twins, socket, "several cards of a socket are on a wire, and it names none");
  twin->card = 1;
  if (!exit)
    exit = add_card(twins, twin, NULL, &options);
  return exit ? exit : add_cards(twins, twin, cards, &options);
}

/* What --device names, as a kind with its keys. */
static const char *kind_of_device(const char *device)
{
  static const char *const kinds[][2] = {{"ixgbe", "ixgbe"},
                                         {"efa0", "efa?id=efa0"},
                                         {"efa1", "efa?id=efa1"},
                                         {"efa2", "efa?id=efa2"}};
  for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
    if (!strcmp(kinds[i][0], device))
      return kinds[i][1];
  return NULL;
}

static int add_argument(struct twins *twins, const char *argument)
{
  char socket[256];
  const char *equals = strchr(argument, '=');
  if (!equals && twins->device)
    return add_twin(twins, argument, kind_of_device(twins->device));
  if (!equals)
    return bad_twin(twins, argument, "there is no '='");
  if ((size_t)(equals - argument) >= sizeof(socket))
    return bad_twin(twins, argument, "the socket's path is too long");
  snprintf(socket, sizeof(socket), "%.*s", (int)(equals - argument), argument);
  return add_twin(twins, socket, equals + 1);
}

static int add_entry(void *context, const struct cli_entry *entry)
{
  return add_twin(context, entry->key, entry->value);
}

/* ---- Turns ---- */

static unsigned look_at_socket(struct twin *twin, uint64_t now_ns)
{
  uint64_t wait_ns = now_ns - twin->last_message_ns < LOOK_ALWAYS_NS ? 0 : LOOK_SELDOM_NS;
  if (now_ns - twin->last_look_ns < wait_ns)
    return 0;
  twin->last_look_ns = now_ns;
  unsigned done = shunt_vfio_user_poll(twin->server);
  if (done)
    twin->last_message_ns = now_ns;
  return done;
}

static unsigned give_turns(struct twins *twins, uint64_t now_ns)
{
  unsigned done = shunt_testbed_poll(twins->testbed);
  for (unsigned i = 0; i < twins->count; i++)
    done += look_at_socket(&twins->twin[i], now_ns);
  return done;
}

/* How long nothing can come but by a socket, a mapped page or the outside of a wire. */
static uint64_t sleep_ns(struct twins *twins, uint64_t now_ns)
{
  uint64_t most_ns = SLEEP_MOST_IDLE_NS, until_ns = shunt_testbed_next_ns(twins->testbed);
  for (unsigned i = 0; i < twins->count; i++) {
    uint64_t next_ns = shunt_vfio_user_next_ns(twins->twin[i].server);
    until_ns = next_ns < until_ns ? next_ns : until_ns;
    if (shunt_vfio_user_connected(twins->twin[i].server))
      most_ns = SLEEP_MOST_NS;
  }
  uint64_t wait_ns = (now_ns - twins->last_work_ns) / 8;
  wait_ns = wait_ns > SLEEP_LEAST_NS ? wait_ns : SLEEP_LEAST_NS;
  wait_ns = wait_ns < most_ns ? wait_ns : most_ns;
  if (until_ns <= now_ns)
    return 0;
  return wait_ns < until_ns - now_ns ? wait_ns : until_ns - now_ns;
}

static void rest(struct twins *twins, uint64_t now_ns)
{
  struct epoll_event events[TWINS_MOST + 1];
  if (twins->spin) {
    shunt_cpu_relax();
    return;
  }
  if (now_ns - twins->last_work_ns < POLL_ON_NS) {
    sched_yield();
    return;
  }
  uint64_t wait_ns = sleep_ns(twins, now_ns);
  const struct timespec timeout = {.tv_nsec = (long)wait_ns};
  if (epoll_pwait2(twins->epoll, events, TWINS_MOST + 1, &timeout, NULL) <= 0)
    return;
  for (unsigned i = 0; i < twins->count; i++)
    twins->twin[i].last_look_ns = 0; /* one of them has called */
}

static bool goes_on(struct twins *twins, uint64_t now_ns)
{
  if (twins->status_s > 0 && now_ns >= twins->next_status_ns) {
    twins_status(twins);
    twins->next_status_ns += (uint64_t)(twins->status_s * 1e9);
  }
  if (twins->seconds > 0 && now_ns - twins->start_ns >= (uint64_t)(twins->seconds * 1e9))
    return false;
  return !cli_stopped();
}

static void serve(struct twins *twins)
{
  uint64_t now_ns = twins_now_ns(twins);
  twins->start_ns = twins->last_work_ns = now_ns;
  twins->next_status_ns = now_ns + (uint64_t)(twins->status_s * 1e9);
  for (unsigned rounds = 0;; rounds++) {
    now_ns = twins_now_ns(twins);
    unsigned done = give_turns(twins, now_ns);
    if (done)
      twins->last_work_ns = now_ns;
    else
      rest(twins, now_ns);
    if (done && rounds % 64)
      continue;
    if (twins->control)
      twins_control(twins);
    if (!goes_on(twins, now_ns))
      return;
  }
}

/* ---- Set-up ---- */

/* Each client may hand over a hundred descriptors. */
static void allow_descriptors(void)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

static int set_up(struct twins *twins)
{
  struct shunt_error error;
  struct timespec real;
  if (shunt_tsc_calibrate(&twins->tsc, &error) ||
      (twins->cpu != NO_CPU && shunt_cpu_pin((unsigned)twins->cpu, &error)))
    return cli_fail(twins->cli, &error);
  twins->clock = shunt_tsc_clock(&twins->tsc);
  clock_gettime(CLOCK_REALTIME, &real);
  const struct shunt_testbed_options options = {.size = sizeof(options),
                                                .clock = &twins->clock,
                                                .epoch_ns =
                                                    (int64_t)real.tv_sec * (int64_t)NS_PER_S +
                                                    real.tv_nsec - (int64_t)twins_now_ns(twins)};
  if (shunt_testbed_create(&options, &twins->testbed, &error))
    return cli_fail(twins->cli, &error);
  twins->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (twins->epoll < 0) {
    shunt_error_set(&error, -errno, "can't watch sockets");
    shunt_error_why(&error, "%s", strerror(errno));
    return cli_fail(twins->cli, &error);
  }
  struct epoll_event event = {.events = EPOLLIN};
  if (twins->control) /* of a file, which epoll does not take, every round is told */
    epoll_ctl(twins->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event);
  allow_descriptors();
  return 0;
}

static void tear_down(struct twins *twins)
{
  for (unsigned i = 0; i < twins->count; i++)
    shunt_vfio_user_destroy(twins->twin[i].server);
  shunt_testbed_destroy(twins->testbed);
  if (twins->epoll >= 0)
    close(twins->epoll);
}

/* A script may wait for the last line; with --json standard output is for documents. */
static void print_ready(const struct twins *twins)
{
  FILE *out = twins->cli->json ? stderr : stdout;
  for (unsigned i = 0; i < twins->count && !twins->cli->json; i++)
    fprintf(out, "%s: %s\n", twins->twin[i].socket, twins->twin[i].model->path);
  fputs("ready\n", out);
  fflush(out);
}

static int serve_all(struct twins *twins, char **arguments)
{
  int exit = set_up(twins);
  if (!exit)
    exit = cli_config_each(twins->cli->file, "twins", add_entry, twins);
  for (; !exit && *arguments; arguments++)
    exit = add_argument(twins, *arguments);
  if (!exit && twins->count == 0)
    exit = cli_usage(twins->cli, "there is no twin to serve: neither an argument nor [twins] in "
                                 "the configuration file");
  if (!exit) {
    cli_catch_signals();
    print_ready(twins);
    serve(twins);
    exit = twins_report(twins);
  }
  tear_down(twins);
  return exit;
}

static int run(struct cli *cli, int argc, char **argv)
{
  static struct twins twins; /* 64 of them are too many for a stack */
  twins = (struct twins){.cli = cli, .cpu = NO_CPU, .epoll = -1};
  const struct cli_option options[] = {
      {"device", 0, "NAME", "What sockets serve that name no kind: ixgbe, efa0, efa1 or efa2.",
       CLI_TEXT, &twins.device, 0, 0},
      {"spin", 0, NULL, "Never sleep: for a CPU of its own.", CLI_FLAG, &twins.spin, 0, 0},
      {"cpu", 0, "N", "Pin to a CPU.", CLI_U64, &twins.cpu, 0, SHUNT_CPU_MAX - 1},
      {"status", 0, "SECONDS", "Tell the state each so many seconds.", CLI_DOUBLE, &twins.status_s,
       0, 1e6},
      {"seconds", 's', "SECONDS", "End after so many seconds.", CLI_DOUBLE, &twins.seconds, 0, 1e7},
      {"control", 0, NULL, "Take orders from standard input: cut, join, status.", CLI_FLAG,
       &twins.control, 0, 0},
      {0},
  };
  int first = cli_parse(cli, options, argc, argv, 0, TWINS_MOST);
  if (first >= 0 && twins.device && !kind_of_device(twins.device))
    return cli_usage(cli, "--device: \"%s\" is none of ixgbe, efa0, efa1, efa2", twins.device);
  return first < 0 ? -1 - first : serve_all(&twins, argv + first);
}

const struct cli_command twin_command = {
    .name = "twin",
    .arguments = "[SOCKET[=KIND[?KEYS]] ...]",
    .summary = "Serve software NICs to other processes and virtual machines, over vfio-user.",
    .run = run,
};
