/* SPDX-License-Identifier: BSD-2-Clause */
/* Twins in a process of their own, which serves them over vfio-user: the other end of what is
 * measured there. What it is to do stands in a page that both processes have. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shunt/testbed.h"
#include "shunt/vfio_user.h"
#include "tools/shunt/bench.h"

#define PATH_BYTES    128
#define END           UINT32_MAX /* an order: go */
#define SLEEPS        0x100u     /* beside a group in an order */
#define REST_NS       2000000l   /* between two looks for an order, with nothing to serve */
#define LOOK_ROUNDS   256u       /* between two looks at sockets, where frames move */
#define MOST_SLEEP_MS 1          /* of a server: pages that are mapped wake nobody */
#define WAIT_NS       UINT64_C(30000000000) /* for the process to do what it is told */

static const struct {
  enum bench_server_group group;
  const char *name, *keys;
} twins[BENCH_SERVER_TWINS] = {
    [BENCH_SERVER_ACCESS_TWIN] = {BENCH_SERVER_ACCESS, "access", ""},
    [BENCH_SERVER_POSTED_TWIN] = {BENCH_SERVER_POSTED, "posted", ""},
    [BENCH_SERVER_ASKING_TWIN] = {BENCH_SERVER_ROUND_TRIP, "asking", "wire=w"},
    [BENCH_SERVER_ANSWERING_TWIN] = {BENCH_SERVER_ROUND_TRIP, "answering", "wire=w"},
    [BENCH_SERVER_FROM_TWIN] = {BENCH_SERVER_FORWARD, "from", "wire=w"},
    [BENCH_SERVER_TO_TWIN] = {BENCH_SERVER_FORWARD, "to", "wire=w"},
};

/* What both processes see. */
struct orders {
  atomic_uint order;        /* an enum bench_server_group, or'ed with SLEEPS; END */
  atomic_uint heard;        /* the order that is being followed */
  struct shunt_error error; /* why it ended, before it followed any */
};

struct bench_server {
  struct bench *bench;
  struct orders *orders;
  pid_t process;           /* 0: none */
  char folder[PATH_BYTES]; /* of sockets; "": none */
  char locations[BENCH_SERVER_TWINS][PATH_BYTES];
};

/* ---- The process ---- */

struct serving {
  const struct bench *bench;
  struct orders *orders;
  struct shunt_testbed *testbeds[BENCH_SERVER_GROUPS];
  struct shunt_vfio_user *servers[BENCH_SERVER_TWINS];
};

static int serving_open(struct serving *serving, const struct bench_server *server)
{
  struct shunt_error *error = &serving->orders->error;
  const struct shunt_testbed_options testbed = {.size = sizeof(testbed),
                                                .clock = &serving->bench->clock};
  int code = 0;
  for (unsigned i = 0; !code && i < BENCH_SERVER_GROUPS; i++)
    code = shunt_testbed_create(&testbed, &serving->testbeds[i], error);
  for (unsigned i = 0; !code && i < BENCH_SERVER_TWINS; i++) {
    const struct shunt_vfio_user_options options = {
        .size = sizeof(options),
        .clock = &serving->bench->clock,
        .log = &serving->bench->cli->log,
        .no_areas = twins[i].group == BENCH_SERVER_POSTED,
    };
    struct shunt_model *model;
    code = shunt_testbed_twin(serving->testbeds[twins[i].group], "ixgbe", twins[i].keys, &model,
                              error);
    if (!code)
      code = shunt_vfio_user_create(model, strchr(server->locations[i], ':') + 1, &options,
                                    &serving->servers[i], error);
  }
  return code;
}

static void serving_close(struct serving *serving)
{
  for (unsigned i = 0; i < BENCH_SERVER_TWINS; i++)
    shunt_vfio_user_destroy(serving->servers[i]);
  for (unsigned i = 0; i < BENCH_SERVER_GROUPS; i++)
    shunt_testbed_destroy(serving->testbeds[i]);
}

static unsigned look_at_sockets(struct serving *serving, enum bench_server_group group)
{
  unsigned done = 0;
  for (unsigned i = 0; i < BENCH_SERVER_TWINS; i++)
    if (twins[i].group == group)
      done += shunt_vfio_user_poll(serving->servers[i]);
  return done;
}

static void sleep_until_message(struct serving *serving, enum bench_server_group group)
{
  struct pollfd ready[BENCH_SERVER_TWINS];
  nfds_t n = 0;
  for (unsigned i = 0; i < BENCH_SERVER_TWINS; i++)
    if (twins[i].group == group)
      ready[n++] = (struct pollfd){.fd = shunt_vfio_user_fd(serving->servers[i]), .events = POLLIN};
  poll(ready, n, MOST_SLEEP_MS);
}

/* Serve a group until the order changes. */
static void serve_group(struct serving *serving, enum bench_server_group group, bool sleeps)
{
  const unsigned order = atomic_load(&serving->orders->order);
  const bool moves = group == BENCH_SERVER_ROUND_TRIP || group == BENCH_SERVER_FORWARD;
  for (unsigned rounds = 0;; rounds++) {
    unsigned done = shunt_testbed_poll(serving->testbeds[group]);
    if (!moves || rounds % LOOK_ROUNDS == 0)
      done += look_at_sockets(serving, group);
    if (atomic_load_explicit(&serving->orders->order, memory_order_relaxed) != order)
      return;
    if (done)
      continue;
    if (sleeps)
      sleep_until_message(serving, group);
    else
      bench_spin(serving->bench);
  }
}

static void serve_all(struct serving *serving)
{
  unsigned done = 0;
  for (enum bench_server_group group = 0; group < BENCH_SERVER_GROUPS; group++)
    done += shunt_testbed_poll(serving->testbeds[group]) + look_at_sockets(serving, group);
  if (!done)
    sched_yield();
}

static void follow_orders(struct serving *serving)
{
  static const struct timespec rest = {.tv_nsec = REST_NS};
  for (;;) {
    const unsigned order = atomic_load(&serving->orders->order);
    const enum bench_server_group group = order & ~SLEEPS;
    atomic_store(&serving->orders->heard, order);
    if (order == END)
      return;
    if (group < BENCH_SERVER_GROUPS)
      serve_group(serving, group, order & SLEEPS);
    else if (group == BENCH_SERVER_GROUPS)
      serve_all(serving);
    else
      nanosleep(&rest, NULL);
  }
}

static struct orders *own_orders; /* for the signal */

static void end_on_signal(int signal)
{
  (void)signal;
  atomic_store(&own_orders->order, END);
}

/* What stops the command from the keyboard reaches this process too: it goes when it is told, or
 * when the command has gone, which the kernel tells it by a signal. */
_Noreturn static void be_server(const struct bench_server *server, pid_t parent)
{
  struct serving serving = {.bench = server->bench, .orders = server->orders};
  own_orders = server->orders;
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, end_on_signal);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent)
    atomic_store(&server->orders->order, END);
  if (server->bench->pinned)
    shunt_cpu_pin(server->bench->cpus[1], NULL);
  int code = serving_open(&serving, server);
  if (!code)
    follow_orders(&serving);
  serving_close(&serving);
  if (getppid() != parent)
    rmdir(server->folder); /* else the command does, or has already */
  _exit(code ? 1 : 0);
}

/* ---- The command ---- */

/* Wait until the process follows an order. It may have ended before it followed any. */
static int await(struct bench_server *server, unsigned order, struct shunt_error *error)
{
  const uint64_t end_ns = shunt_monotonic_ns() + WAIT_NS;
  while (atomic_load(&server->orders->heard) != order) {
    if (waitpid(server->process, NULL, WNOHANG) == server->process) {
      server->process = 0;
      if (server->orders->error.code) {
        *error = server->orders->error;
        return error->code;
      }
      shunt_error_set(error, -ECHILD, "can't measure over vfio-user");
      shunt_error_why(error, "the process that serves the twins has ended");
      return -ECHILD;
    }
    if (shunt_monotonic_ns() > end_ns) {
      shunt_error_set(error, -ETIMEDOUT, "can't measure over vfio-user");
      shunt_error_why(error, "the process that serves the twins has not answered for 30 s");
      return -ETIMEDOUT;
    }
    sched_yield();
  }
  return 0;
}

int bench_server_serve(struct bench_server *server, enum bench_server_group group, bool sleeps,
                       struct shunt_error *error)
{
  const unsigned order = group | (sleeps ? SLEEPS : 0);
  atomic_store(&server->orders->order, order);
  return await(server, order, error);
}

const char *bench_server_location(const struct bench_server *server, enum bench_server_twin twin)
{
  return server->locations[twin];
}

static int fail(struct shunt_error *error, const char *what)
{
  int code = -errno;
  shunt_error_set(error, code, "can't measure over vfio-user");
  shunt_error_why(error, "%s: %s", what, strerror(-code));
  return code;
}

/* For sockets, whose paths are short: 107 bytes. */
static int make_folder(struct bench_server *server, struct shunt_error *error)
{
  const char *in = getenv("TMPDIR");
  char folder[80];
  int bytes = snprintf(folder, sizeof(folder), "%s/shunt-bench-XXXXXX", in && *in ? in : "/tmp");
  errno = ENAMETOOLONG;
  if (bytes >= (int)sizeof(folder) || !mkdtemp(folder))
    return fail(error, "a folder for sockets in TMPDIR, or /tmp");
  memcpy(server->folder, folder, (size_t)bytes + 1);
  for (unsigned i = 0; i < BENCH_SERVER_TWINS; i++)
    snprintf(server->locations[i], PATH_BYTES, "vfio-user:%s/%s", folder, twins[i].name);
  return 0;
}

static int start(struct bench_server *server, struct shunt_error *error)
{
  const pid_t parent = getpid();
  int code = make_folder(server, error);
  if (code)
    return code;
  server->orders = mmap(NULL, sizeof(*server->orders), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (server->orders == MAP_FAILED) {
    server->orders = NULL;
    return fail(error, "a page for two processes");
  }
  atomic_store(&server->orders->order, BENCH_SERVER_GROUPS);
  atomic_store(&server->orders->heard, BENCH_SERVER_NONE);
  server->process = fork();
  if (server->process == 0)
    be_server(server, parent);
  if (server->process < 0) {
    server->process = 0;
    return fail(error, "a process");
  }
  return await(server, BENCH_SERVER_GROUPS, error);
}

int bench_server_start(struct bench *bench, struct bench_server **made, struct shunt_error *error)
{
  struct bench_server *server = calloc(1, sizeof(*server));
  if (!server)
    return shunt_error_set(error, -ENOMEM, "no memory to measure over vfio-user");
  server->bench = bench;
  int code = start(server, error);
  if (code)
    bench_server_stop(server);
  else
    *made = server;
  return code;
}

void bench_server_hide(struct bench_server *server)
{
  if (!server->folder[0])
    return;
  for (unsigned i = 0; i < BENCH_SERVER_TWINS; i++)
    unlink(strchr(server->locations[i], ':') + 1);
  rmdir(server->folder);
  server->folder[0] = '\0';
}

void bench_server_stop(struct bench_server *server)
{
  struct shunt_error error = {0};
  if (!server)
    return;
  if (server->process) {
    atomic_store(&server->orders->order, END);
    if (await(server, END, &error) == -ETIMEDOUT)
      kill(server->process, SIGKILL);
    if (server->process)
      waitpid(server->process, NULL, 0);
  }
  bench_server_hide(server);
  if (server->orders)
    munmap(server->orders, sizeof(*server->orders));
  free(server);
}
