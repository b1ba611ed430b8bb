/* SPDX-License-Identifier: BSD-2-Clause */
/* The process that is measured on the near end: our port or UDP sockets in a copy of this one, a
 * loop on libxdp, or DPDK's testpmd, which is told what to do through a terminal: only there does
 * it answer at once. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/shunt/bench_efvi.h"
#include "tools/shunt/bench_xdp.h"

#define PEER        "shunt-peer-libxdp"
#define TESTPMD     "dpdk-testpmd"
#define START_NS    UINT64_C(20000000000) /* to begin working: DPDK takes a second */
#define END_NS      UINT64_C(5000000000)
#define ANSWER_NS   UINT64_C(5000000000)
#define STEP_NS     1000000l
#define PATH_BYTES  512
#define ANSWER_SIZE 8192

struct bench_contender {
  struct bench *bench;
  enum bench_who who;
  enum peer_what what;
  struct peer_page *page;
  int file; /* of the page */
  pid_t process;
  /* testpmd only */
  int terminal; /* our side */
  double received;
  uint64_t asked_ns;
  char answer[ANSWER_SIZE];
};

static const char *const names[BENCH_CONTENDERS] = {
    [BENCH_SHUNT] = "shunt", [BENCH_LIBXDP] = "libxdp", [BENCH_DPDK] = "DPDK",
    [BENCH_SOCKETS] = "UDP", [BENCH_EFVI] = "ef_vi",
};

const char *bench_contender_name(enum bench_who who)
{
  return names[who];
}

static int fail(const struct bench_contender *contender, struct shunt_error *error, int code,
                const char *what)
{
  shunt_error_set(error, code, "can't measure %s over AF_XDP", names[contender->who]);
  shunt_error_why(error, "%s: %s", what, strerror(-code));
  return code;
}

/* ---- Where it is ---- */

/* Beside the command, where the build puts it. */
static bool find_peer(char path[PATH_BYTES])
{
  ssize_t bytes = readlink("/proc/self/exe", path, PATH_BYTES - sizeof(PEER) - 1);
  char *slash = bytes > 0 ? memrchr(path, '/', (size_t)bytes) : NULL;
  if (!slash)
    return false;
  memcpy(slash + 1, PEER, sizeof(PEER));
  return access(path, X_OK) == 0;
}

static bool find_testpmd(char path[PATH_BYTES])
{
  const char *at = getenv("PATH");
  while (at && *at) {
    const size_t length = strcspn(at, ":");
    snprintf(path, PATH_BYTES, "%.*s/" TESTPMD, (int)length, at);
    if (access(path, X_OK) == 0)
      return true;
    at += length + (at[length] == ':');
  }
  return false;
}

int bench_contender_check(enum bench_who who, struct shunt_error *error)
{
  char path[PATH_BYTES];
  if (who == BENCH_LIBXDP && !find_peer(path)) {
    shunt_error_set(error, -ENOENT, "no %s", names[who]);
    shunt_error_why(error, PEER " is built where libxdp-dev is installed");
    return -ENOENT;
  }
  if (who == BENCH_DPDK && !find_testpmd(path)) {
    shunt_error_set(error, -ENOENT, "no %s", names[who]);
    shunt_error_why(error, TESTPMD " is not in PATH: it comes with dpdk-dev");
    return -ENOENT;
  }
  return 0;
}

/* ---- In the process ---- */

static void be_peer(const struct bench_contender *contender)
{
  static const char *const whats[] = {"receive", "send", "forward", "answer"};
  char path[PATH_BYTES], file[16];
  snprintf(file, sizeof(file), "%d", contender->file);
  fcntl(contender->file, F_SETFD, 0);
  find_peer(path);
  execl(path, PEER, BENCH_VETH, contender->what == PEER_ANSWER ? "skb" : "drv",
        whats[contender->what], file, (char *)NULL);
}

/* What testpmd leaves behind it leaves in a /run of its own. Its forwarding thread has the first
 * CPU, the one that reads its input the second. */
static void be_testpmd(const struct bench_contender *contender)
{
  static const char *const modes[] = {"--forward-mode=rxonly", "--forward-mode=txonly",
                                      "--forward-mode=macswap", "--forward-mode=macswap"};
  const struct bench *bench = contender->bench;
  char path[PATH_BYTES], cpus[48];
  snprintf(cpus, sizeof(cpus), "--lcores=0@%u,1@%u", bench->cpus[1], bench->cpus[0]);
  find_testpmd(path);
  if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
      mount("none", "/run", "tmpfs", 0, NULL))
    return;
  execl(path, TESTPMD, cpus, "--no-pci", "--no-huge", "--no-shconf", "--no-telemetry", "-m", "512",
        "--vdev", "net_af_xdp0,iface=" BENCH_VETH, "--", "-i", "--nb-cores=1", "--burst=64",
        "--txpkts=60", "--total-num-mbufs=16384", modes[contender->what], (char *)NULL);
}

static int work(const struct bench_contender *contender, struct shunt_error *error)
{
  if (contender->who == BENCH_EFVI)
    return bench_work_efvi(contender->page, error);
  return contender->who == BENCH_SHUNT
             ? bench_work_shunt(contender->bench, contender->what, contender->page, error)
             : bench_work_sockets(contender->what, contender->page, error);
}

static _Noreturn void give_up(struct peer_page *page, const char *what, const char *why)
{
  snprintf(page->why, sizeof(page->why), "%s%s%s", what, *why ? ": " : "", why);
  atomic_store(&page->state, PEER_FAILED);
  _exit(1);
}

static void redirect(const struct bench_contender *contender)
{
  char path[64] = "/dev/null";
  const int nothing = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
  int own = nothing;
  if (contender->terminal >= 0 && !ptsname_r(contender->terminal, path, sizeof(path)))
    own = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
  dup2(own, STDIN_FILENO);
  dup2(own, STDOUT_FILENO);
  dup2(nothing, STDERR_FILENO);
}

/* Who spins with real-time priority and is never told to stop would keep the CPU: not for long. */
static void limit_realtime(const struct bench *bench)
{
  const rlim_t us = 2 * bench->slice_ns / 1000 + START_NS / 1000;
  setrlimit(RLIMIT_RTTIME, &(struct rlimit){us, us});
}

static _Noreturn void be_contender(const struct bench_contender *contender, struct bench_veth *veth,
                                   pid_t parent)
{
  struct shunt_error error = {0};
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(1);
  if (bench_veth_enter(veth, BENCH_NEAR, &error))
    give_up(contender->page, error.what, error.why);
  limit_realtime(contender->bench);
  bench_xdp_rank(contender->bench, contender->who == BENCH_DPDK ? BENCH_LISTENS : BENCH_WORKS);
  if (contender->bench->pinned && contender->who != BENCH_DPDK)
    shunt_cpu_pin(contender->bench->cpus[0], NULL);
  if (contender->who != BENCH_LIBXDP && contender->who != BENCH_DPDK) {
    if (work(contender, &error))
      give_up(contender->page, error.what, error.why);
    _exit(0);
  }
  /* A program of its own, alone on the interface, is faster than one behind libxdp's dispatcher. */
  setenv("LIBXDP_SKIP_DISPATCHER", "1", 1);
  redirect(contender);
  if (contender->who == BENCH_LIBXDP)
    be_peer(contender);
  else
    be_testpmd(contender);
  give_up(contender->page, "it can't be run", strerror(errno));
}

/* ---- Talking with testpmd ---- */

static bool order(const struct bench_contender *contender, const char *line)
{
  return write(contender->terminal, line, strlen(line)) == (ssize_t)strlen(line);
}

/* Read until a line with the text has come, whole. */
static int await_text(struct bench_contender *contender, const char *text, uint64_t patience_ns)
{
  const uint64_t end_ns = shunt_monotonic_ns() + patience_ns;
  struct pollfd readable = {.fd = contender->terminal, .events = POLLIN};
  size_t have = 0;
  while (shunt_monotonic_ns() < end_ns && !cli_stopped()) {
    if (poll(&readable, 1, 100) <= 0)
      continue;
    if (have == ANSWER_SIZE - 1)
      have = 0;
    ssize_t bytes = read(contender->terminal, contender->answer + have, ANSWER_SIZE - 1 - have);
    if (bytes <= 0)
      return -ECHILD;
    have += (size_t)bytes;
    contender->answer[have] = '\0';
    const char *found = strstr(contender->answer, text);
    if (found && strchr(found, '\n'))
      return 0;
  }
  return -ETIMEDOUT;
}

/* Its own rate since it was asked last, by its own clock; the first answer begins the count. */
static int ask_testpmd(struct bench_contender *contender)
{
  const uint64_t before_ns = contender->asked_ns;
  if (!order(contender, "show port stats 0\n"))
    return -ECHILD;
  int code = await_text(contender, "Tx-pps:", ANSWER_NS);
  const char *rate = code ? NULL : strstr(contender->answer, "Rx-pps:");
  if (!rate)
    return code ? code : -EBADMSG;
  contender->asked_ns = shunt_monotonic_ns();
  if (before_ns)
    contender->received +=
        strtod(rate + strlen("Rx-pps:"), NULL) * (double)(contender->asked_ns - before_ns) / 1e9;
  return 0;
}

int bench_contender_received(struct bench_contender *contender, uint64_t *frames, uint64_t *ns,
                             struct shunt_error *error)
{
  if (contender->who == BENCH_DPDK) {
    int code = ask_testpmd(contender);
    if (code)
      return fail(contender, error, code, "its count of frames");
    *frames = (uint64_t)contender->received;
    *ns = contender->asked_ns;
    return 0;
  }
  *frames = atomic_load(&contender->page->frames);
  *ns = shunt_monotonic_ns();
  return 0;
}

/* ---- Start and stop ---- */

static bool has_ended(struct bench_contender *contender)
{
  if (contender->process && waitpid(contender->process, NULL, WNOHANG) == contender->process)
    contender->process = 0;
  return !contender->process;
}

static void rest(void)
{
  nanosleep(&(struct timespec){.tv_nsec = STEP_NS}, NULL);
}

static int await_working(struct bench_contender *contender, struct shunt_error *error)
{
  const uint64_t end_ns = shunt_monotonic_ns() + START_NS;
  if (contender->who == BENCH_DPDK) {
    int code = order(contender, "start\n")
                   ? await_text(contender, "packet forwarding - ports=1", START_NS)
                   : -ECHILD;
    return code ? fail(contender, error, code, "it does not start forwarding") : 0;
  }
  while (atomic_load(&contender->page->state) == PEER_STARTING) {
    if (has_ended(contender))
      return fail(contender, error, -ECHILD, "it has ended before it began");
    if (shunt_monotonic_ns() > end_ns)
      return fail(contender, error, -ETIMEDOUT, "it does not begin");
    rest();
  }
  if (atomic_load(&contender->page->state) == PEER_WORKING)
    return 0;
  fail(contender, error, -ECHILD, "it failed");
  shunt_error_why(error, "%s", contender->page->why);
  return -ECHILD;
}

static int open_terminal(struct bench_contender *contender, struct shunt_error *error)
{
  contender->terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (contender->terminal < 0 || grantpt(contender->terminal) || unlockpt(contender->terminal))
    return fail(contender, error, -errno, "a terminal");
  return 0;
}

static int launch(struct bench_contender *contender, struct bench_veth *veth,
                  struct shunt_error *error)
{
  const pid_t parent = getpid();
  int code = contender->who == BENCH_DPDK ? open_terminal(contender, error) : 0;
  if (code)
    return code;
  contender->process = fork();
  if (contender->process == 0)
    be_contender(contender, veth, parent);
  if (contender->process > 0)
    return 0;
  contender->process = 0;
  return fail(contender, error, -errno, "a process");
}

static int make_page(struct bench_contender *contender, struct shunt_error *error)
{
  contender->file = memfd_create("shunt-peer", MFD_CLOEXEC);
  if (contender->file < 0 || ftruncate(contender->file, sizeof(*contender->page)))
    return fail(contender, error, -errno, "a page for two processes");
  contender->page =
      mmap(NULL, sizeof(*contender->page), PROT_READ | PROT_WRITE, MAP_SHARED, contender->file, 0);
  if (contender->page != MAP_FAILED)
    return 0;
  contender->page = NULL;
  return fail(contender, error, -errno, "a page for two processes");
}

int bench_contender_start(struct bench *bench, struct bench_veth *veth, enum bench_who who,
                          enum peer_what what, struct bench_contender **made,
                          struct shunt_error *error)
{
  struct bench_contender *contender = calloc(1, sizeof(*contender));
  if (!contender)
    return shunt_error_set(error, -ENOMEM, "no memory to measure AF_XDP");
  contender->bench = bench;
  contender->who = who;
  contender->what = what;
  contender->file = contender->terminal = -1;
  int code = make_page(contender, error);
  if (!code)
    code = launch(contender, veth, error);
  if (!code)
    code = await_working(contender, error);
  if (code)
    bench_contender_stop(contender);
  else
    *made = contender;
  return code;
}

static void end_process(struct bench_contender *contender)
{
  const uint64_t end_ns = shunt_monotonic_ns() + END_NS;
  if (contender->page)
    atomic_store(&contender->page->ended, 1);
  if (contender->terminal >= 0)
    order(contender, "quit\n");
  while (!has_ended(contender) && shunt_monotonic_ns() < end_ns)
    rest();
  if (contender->process) {
    kill(contender->process, SIGKILL);
    waitpid(contender->process, NULL, 0);
  }
}

void bench_contender_stop(struct bench_contender *contender)
{
  if (!contender)
    return;
  end_process(contender);
  if (contender->page)
    munmap(contender->page, sizeof(*contender->page));
  if (contender->file >= 0)
    close(contender->file);
  if (contender->terminal >= 0)
    close(contender->terminal);
  free(contender);
}
