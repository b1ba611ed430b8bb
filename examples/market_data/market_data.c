/* SPDX-License-Identifier: BSD-2-Clause */
/* market-data: receive feeds, generate them, or both on one thread. See README.md. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <shunt/idle.h>
#include <shunt/testbed.h>

#include "generator.h"
#include "receiver.h"

#define LINK_WAIT_NS UINT64_C(5000000000)
#define BURSTS_MOST  16 /* a receive ring of the usual length */
#define EXIT_FAILED  1
#define EXIT_USAGE   2
#define EXIT_LOST    3 /* messages are lost, or sessions have not ended in time */

static const char usage[] =
    "market-data receive [OPTIONS] DEVICE            make books from feeds\n"
    "market-data generate [OPTIONS] DEVICE           send feeds\n"
    "market-data both [OPTIONS] RECEIVER GENERATOR   both, on one thread\n"
    "\n"
    "  --feed NAME=GROUP:PORT,GROUP:PORT   a feed, line A and line B; again for another one\n"
    "  --ip ADDRESS                        ours (10.82.59.1; of a generator 10.82.59.2)\n"
    "  --seconds N                         end after N seconds; else when all sessions have ended\n"
    "  --spin                              never give the CPU away\n"
    "receive:\n"
    "  --books FILE                        write losses and books there at the end\n"
    "  --arbitration-us N                  how long a gap may stay open (1000)\n"
    "  --window N                          messages that wait behind a gap, at most (8192)\n"
    "  --orders N                          orders that rest in the books of a feed (1000000)\n"
    "generate:\n"
    "  --truth FILE                        write what a perfect receiver would as --books\n"
    "  --messages N                        of each feed (100000)\n"
    "  --rate N                            packets per second of each feed; 0: all at once (1000)\n"
    "  --batch N                           messages in a packet, 1 to N of them (8)\n"
    "  --stocks N                          of each feed (20)\n"
    "  --loss A[,B]                        probability, of each line (0)\n"
    "  --duplicate A[,B], --reorder A[,B]  likewise\n"
    "  --complete                          what line A loses, line B carries\n"
    "  --seed N                            of all that is random (1)\n";

enum mode { RECEIVE = 1, GENERATE = 2, BOTH = 3 };

struct config {
  enum mode mode;
  const char *devices[2]; /* receiver's, generator's */
  struct endpoints feeds[ENDPOINTS_FEEDS];
  unsigned feed_count;
  const char *ip, *books, *truth;
  double seconds;
  bool spin;
  struct market_options market;
  struct publisher_options publisher;
};

struct run {
  const struct config *config;
  struct shunt_testbed *testbed;
  struct shunt_tsc tsc;
  struct shunt_clock clock;
  struct shunt_idle idle;
  struct receiver receiver;
  struct generator generator;
  struct shunt_error error;
};

static volatile sig_atomic_t stopped;

static void stop(int number)
{
  (void)number;
  stopped = 1;
}

/* ---- Options ---- */

enum {
  OPTION_FEED = 256,
  OPTION_IP,
  OPTION_SECONDS,
  OPTION_SPIN,
  OPTION_BOOKS,
  OPTION_ARBITRATION,
  OPTION_WINDOW,
  OPTION_ORDERS,
  OPTION_TRUTH,
  OPTION_MESSAGES,
  OPTION_RATE,
  OPTION_BATCH,
  OPTION_STOCKS,
  OPTION_LOSS,
  OPTION_DUPLICATE,
  OPTION_REORDER,
  OPTION_COMPLETE,
  OPTION_SEED,
  OPTION_HELP,
};

static const struct option long_options[] = {
    {"feed", required_argument, NULL, OPTION_FEED},
    {"ip", required_argument, NULL, OPTION_IP},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"spin", no_argument, NULL, OPTION_SPIN},
    {"books", required_argument, NULL, OPTION_BOOKS},
    {"arbitration-us", required_argument, NULL, OPTION_ARBITRATION},
    {"window", required_argument, NULL, OPTION_WINDOW},
    {"orders", required_argument, NULL, OPTION_ORDERS},
    {"truth", required_argument, NULL, OPTION_TRUTH},
    {"messages", required_argument, NULL, OPTION_MESSAGES},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"batch", required_argument, NULL, OPTION_BATCH},
    {"stocks", required_argument, NULL, OPTION_STOCKS},
    {"loss", required_argument, NULL, OPTION_LOSS},
    {"duplicate", required_argument, NULL, OPTION_DUPLICATE},
    {"reorder", required_argument, NULL, OPTION_REORDER},
    {"complete", no_argument, NULL, OPTION_COMPLETE},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"help", no_argument, NULL, OPTION_HELP},
    {0},
};

/* A number of least to most, with nothing behind it but what end is to be left at. */
static bool number(const char *text, double least, double most, double *value, const char **end)
{
  char *rest;
  *value = strtod(text, &rest);
  if (rest == text || !(*value >= least && *value <= most))
    return false;
  if (end)
    *end = rest;
  return end || !*rest;
}

static bool whole(const char *text, uint64_t most, uint64_t *value)
{
  double number_;
  bool right = number(text, 0, (double)most, &number_, NULL) && number_ == floor(number_);
  *value = right ? (uint64_t)number_ : 0;
  return right;
}

static bool whole32(const char *text, uint32_t most, uint32_t *value)
{
  uint64_t wide;
  bool right = whole(text, most, &wide);
  *value = (uint32_t)wide;
  return right;
}

/* "A" or "A,B", probabilities. */
static bool chances(const char *text, double *a, double *b)
{
  const char *end;
  if (!number(text, 0, 1, a, &end))
    return false;
  *b = *a;
  return !*end || (*end == ',' && number(end + 1, 0, 1, b, NULL));
}

static bool take_receiver_option(struct config *config, int option, const char *text)
{
  struct market_options *market = &config->market;
  uint64_t us;
  switch (option) {
  case OPTION_BOOKS:
    config->books = text;
    return true;
  case OPTION_ARBITRATION:
    if (!whole(text, FEED_ARBITRATION_MOST_NS / 1000, &us))
      return false;
    market->feed.arbitration_ns = us * 1000;
    return true;
  case OPTION_WINDOW:
    return whole32(text, FEED_WINDOW_MOST, &market->feed.window);
  case OPTION_ORDERS:
    return whole32(text, BOOK_ORDERS_MOST, &market->orders);
  default:
    return false;
  }
}

static bool take_generator_option(struct config *config, int option, const char *text)
{
  struct publisher_options *publisher = &config->publisher;
  struct impairments *a = &publisher->lines[0], *b = &publisher->lines[1];
  switch (option) {
  case OPTION_TRUTH:
    config->truth = text;
    return true;
  case OPTION_MESSAGES:
    return whole(text, UINT64_C(1) << 40, &publisher->messages);
  case OPTION_RATE:
    return number(text, 0, 1e9, &publisher->rate_pps, NULL);
  case OPTION_BATCH:
    return whole32(text, 1000, &publisher->batch);
  case OPTION_STOCKS:
    return whole32(text, TRAFFIC_STOCKS_MOST, &publisher->stocks);
  case OPTION_LOSS:
    return chances(text, &a->loss, &b->loss);
  case OPTION_DUPLICATE:
    return chances(text, &a->duplicate, &b->duplicate);
  case OPTION_REORDER:
    return chances(text, &a->reorder, &b->reorder);
  case OPTION_COMPLETE:
    publisher->complete = true;
    return true;
  case OPTION_SEED:
    return whole(text, UINT64_C(1) << 53, &publisher->seed);
  default:
    return false;
  }
}

static bool take_option(struct config *config, int option, const char *text,
                        struct shunt_error *error)
{
  switch (option) {
  case OPTION_FEED:
    return endpoints_append(config->feeds, &config->feed_count, text, error) == 0;
  case OPTION_IP:
    config->ip = text;
    return true;
  case OPTION_SECONDS:
    return number(text, 0, 1e7, &config->seconds, NULL);
  case OPTION_SPIN:
    config->spin = true;
    return true;
  default:
    return take_receiver_option(config, option, text) ||
           take_generator_option(config, option, text);
  }
}

static int say(const struct shunt_error *error, int exit)
{
  char text[1024];
  shunt_error_format(error, text, sizeof(text));
  fprintf(stderr, "market-data: %s\n", text);
  return exit;
}

/* What was not given. Returns 0 or EXIT_USAGE. */
static int complete(struct config *config, struct shunt_error *error)
{
  static const char *const usual[] = ENDPOINTS_USUAL;
  uint32_t address = 0;
  for (unsigned i = 0; i < 2 && (i || !config->feed_count); i++)
    if (endpoints_append(config->feeds, &config->feed_count, usual[i], error))
      return say(error, EXIT_USAGE);
  if (config->ip && shunt_ipv4_parse(config->ip, &address)) {
    shunt_error_set(error, -EINVAL, "--ip: \"%s\" is no IPv4 address", config->ip);
    return say(error, EXIT_USAGE);
  }
  config->market.address = config->ip ? address : 0x0a523b01;    /* 10.82.59.1 */
  config->publisher.address = config->ip ? address : 0x0a523b02; /* 10.82.59.2 */
  return 0;
}

/* Returns 0, or 1 + the exit code to end with. */
static int parse(struct config *config, int argc, char **argv)
{
  static const char *const modes[] = {
      [RECEIVE] = "receive", [GENERATE] = "generate", [BOTH] = "both"};
  struct shunt_error error = {.code = 0};
  int option;
  while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
    if (option == OPTION_HELP) {
      fputs(usage, stdout);
      return 1;
    }
    if (option == '?')
      return 1 + EXIT_USAGE;
    if (take_option(config, option, optarg, &error))
      continue;
    if (!error.code)
      shunt_error_set(&error, -EINVAL, "--%s: \"%s\" is not in its range",
                      long_options[option - OPTION_FEED].name, optarg);
    return 1 + say(&error, EXIT_USAGE);
  }
  for (unsigned i = RECEIVE; i <= BOTH; i++)
    if (optind < argc && strcmp(argv[optind], modes[i]) == 0)
      config->mode = i;
  int devices = config->mode == BOTH ? 2 : 1;
  if (!config->mode || argc - optind != 1 + devices) {
    fputs(usage, stderr);
    return 1 + EXIT_USAGE;
  }
  config->devices[0] = argv[optind + 1];
  config->devices[1] = argv[optind + devices];
  return complete(config, &error) ? 1 + EXIT_USAGE : 0;
}

/* ---- Running ---- */

static uint64_t now(const struct run *run)
{
  return shunt_tsc_now_ns(&run->tsc);
}

/* Nanoseconds since midnight, UTC. */
static uint64_t time_of_day_ns(void)
{
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return (uint64_t)(time.tv_sec % 86400) * 1000000000u + (uint64_t)time.tv_nsec;
}

static int open_all(struct run *run)
{
  const struct config *config = run->config;
  struct market_options market = config->market;
  struct publisher_options publisher = config->publisher;
  const struct shunt_idle_options idle = {.mode =
                                              config->spin ? SHUNT_IDLE_SPIN : SHUNT_IDLE_YIELD};
  market.clock = &run->clock;
  publisher.day_ns = time_of_day_ns();
  int code = shunt_tsc_calibrate(&run->tsc, &run->error);
  run->clock = shunt_tsc_clock(&run->tsc);
  market.seed = code ? 0 : now(run);
  if (!code)
    code = shunt_idle_init(&run->idle, &idle, &run->error);
  if (!code)
    code = shunt_testbed_create(NULL, &run->testbed, &run->error);
  if (!code && config->mode & RECEIVE)
    code = receiver_open(&run->receiver, config->devices[0], run->testbed, config->feeds,
                         config->feed_count, market, &run->error);
  if (!code && config->mode & GENERATE)
    code = generator_open(&run->generator, config->devices[1], run->testbed, config->feeds,
                          config->feed_count, publisher, &run->error);
  return code;
}

static void close_all(struct run *run)
{
  if (run->config->mode & GENERATE)
    generator_close(&run->generator);
  if (run->config->mode & RECEIVE)
    receiver_close(&run->receiver);
  shunt_testbed_destroy(run->testbed);
}

static int wait_for_links(struct run *run)
{
  struct station *stations[] = {&run->receiver.station, &run->generator.station};
  uint64_t deadline_ns = now(run) + LINK_WAIT_NS;
  for (unsigned i = 0; i < 2; i++) {
    int up = !stations[i]->port;
    while (!up && !stopped) {
      shunt_testbed_poll(run->testbed);
      up = station_is_up(stations[i], &run->error);
      if (!up && now(run) > deadline_ns)
        up = run->error.code;
    }
    if (up < 0)
      return up;
  }
  return 0;
}

static bool is_done(struct run *run)
{
  bool done = true;
  if (run->config->mode & GENERATE)
    done &= generator_is_done(&run->generator);
  if (run->config->mode & RECEIVE)
    done &= market_is_done(&run->receiver.market);
  return done;
}

/* Take what has come, but not for ever: the generator may be on the same thread. */
static unsigned receive(struct receiver *receiver)
{
  unsigned work = 0, n = STATION_BURST;
  for (unsigned i = 0; i < BURSTS_MOST && n >= STATION_BURST; i++, work += n)
    n = receiver_round(receiver);
  return work;
}

/* The polling loop. All of it is one thread's: twins, generator, receiver. */
static int go(struct run *run)
{
  const struct config *config = run->config;
  uint64_t start_ns = now(run), now_ns = start_ns;
  uint64_t end_ns = config->seconds > 0 ? start_ns + (uint64_t)(config->seconds * 1e9) : UINT64_MAX;
  if (config->mode & GENERATE)
    publisher_start(&run->generator.publisher, start_ns);
  for (; !stopped && now_ns < end_ns && !is_done(run); now_ns = now(run)) {
    unsigned work = shunt_testbed_poll(run->testbed);
    if (config->mode & RECEIVE)
      work += receive(&run->receiver);
    int sent = config->mode & GENERATE ? generator_round(&run->generator, now_ns) : 0;
    if (sent < 0)
      return shunt_error_set(&run->error, sent, "no memory to keep the truth");
    if (work + (unsigned)sent)
      shunt_idle_work(&run->idle);
    else
      shunt_idle_none(&run->idle);
  }
  if (config->mode & RECEIVE)
    receiver_leave(&run->receiver);
  shunt_testbed_poll(run->testbed);
  return 0;
}

/* Write a file by what knows its contents. */
static int write_file(struct run *run, const char *path, bool truth)
{
  if (!path)
    return 0;
  FILE *file = fopen(path, "w");
  if (!file)
    return shunt_error_set(&run->error, -errno, "can't write %s: %s", path, strerror(errno));
  int code = 0;
  if (truth)
    code = publisher_write(&run->generator.publisher, file);
  else
    market_write(&run->receiver.market, file);
  bool failed = ferror(file) != 0;
  if (fclose(file) || failed || code)
    return shunt_error_set(&run->error, -EIO, "can't write all of %s", path);
  return 0;
}

static int results(struct run *run, int *exit)
{
  const struct config *config = run->config;
  int code = 0;
  if (config->mode & GENERATE) {
    generator_report(&run->generator, stdout);
    code = write_file(run, config->truth, true);
  }
  if (config->mode & RECEIVE) {
    const struct market *market = &run->receiver.market;
    receiver_report(&run->receiver, stdout);
    *exit = market_lost(market) || !market_is_done(market) ? EXIT_LOST : 0;
    code = code ? code : write_file(run, config->books, false);
  }
  return code;
}

int main(int argc, char **argv)
{
  static struct config config = {
      .market = {.feed = {.arbitration_ns = FEED_ARBITRATION_USUAL_NS}, .orders = 1000000},
      .publisher = {.seed = 1,
                    .messages = 100000,
                    .stocks = 20,
                    .resting = 20000,
                    .batch = 8,
                    .rate_pps = 1000}};
  static struct run run = {.config = &config};
  int exit = 0;
  int parsed = parse(&config, argc, argv);
  if (parsed)
    return parsed - 1;
  const struct sigaction action = {.sa_handler = stop};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  int code = open_all(&run);
  if (!code)
    code = wait_for_links(&run);
  if (!code) {
    puts("ready");
    fflush(stdout);
    code = go(&run);
  }
  if (!code)
    code = results(&run, &exit);
  close_all(&run);
  return code ? say(&run.error, EXIT_FAILED) : exit;
}
