/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt fabric: two processes tell each other their addresses, over TCP, in lines of text. Both
 * have to be started with the same options: each says what it is going to do, and compares. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/shunt/fabric.h"

#define LINE_BYTES 256
#define WAIT_MS    10000
#define SLICE_MS   10

/* ---- Connecting ---- */

static int resolve(const char *text, bool listens, struct addrinfo **found,
                   struct shunt_error *error)
{
  char host[128];
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = listens ? AI_PASSIVE : 0};
  const char *colon = strrchr(text, ':');
  const char *port = colon ? colon + 1 : text;
  snprintf(host, sizeof(host), "%.*s", colon ? (int)(colon - text) : 0, text);
  int code = getaddrinfo(*host ? host : listens ? NULL : "127.0.0.1", port, &hints, found);
  if (!code)
    return 0;
  shunt_error_set(error, -EINVAL, "there is no address %s", text);
  shunt_error_why(error, "%s", gai_strerror(code));
  return -EINVAL;
}

static int failed(struct shunt_error *error, int code, const char *what, const char *text)
{
  shunt_error_set(error, code, "can't %s %s", what, text);
  shunt_error_why(error, "%s", strerror(-code));
  return code;
}

/* Wait for something to read while the twins go on. Returns 0, -ETIMEDOUT or -EINTR. */
static int await(struct fabric_run *run, int fd)
{
  struct pollfd poller = {.fd = fd, .events = POLLIN};
  const uint64_t start_ns = fabric_now_ns(run);
  while (!cli_stopped()) {
    fabric_turn(run);
    if (poll(&poller, 1, run->has_thread ? SLICE_MS : 0) == 1)
      return 0;
    if (fabric_now_ns(run) - start_ns > WAIT_MS * UINT64_C(1000000))
      return -ETIMEDOUT;
  }
  return -EINTR;
}

static int accept_one(struct fabric_run *run, const struct addrinfo *at, struct shunt_error *error)
{
  int one = 1;
  int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return failed(error, -errno, "make a socket for", run->listen);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  int code = bind(fd, at->ai_addr, at->ai_addrlen) || listen(fd, 1) ? -errno : 0;
  if (!code && !run->cli->json)
    puts("ready");
  else if (!code)
    fputs("ready\n", stderr);
  fflush(stdout);
  for (int result = -ETIMEDOUT; !code && result == -ETIMEDOUT;) { /* the asker takes its time */
    result = await(run, fd);
    code = result == -EINTR ? result : 0;
  }
  if (!code) {
    run->socket = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    code = run->socket < 0 ? -errno : 0;
  }
  close(fd);
  return code ? failed(error, code, "listen at", run->listen) : 0;
}

static int connect_to(struct fabric_run *run, const struct addrinfo *at, struct shunt_error *error)
{
  run->socket = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (run->socket < 0 || connect(run->socket, at->ai_addr, at->ai_addrlen)) {
    failed(error, -errno, "connect to", run->connect);
    shunt_error_remedy(error, "start the other side first, with --listen");
    return error->code;
  }
  return 0;
}

int fabric_exchange_open(struct fabric_run *run, struct shunt_error *error)
{
  struct addrinfo *found;
  int code = resolve(run->listen ? run->listen : run->connect, run->listen, &found, error);
  if (code)
    return code;
  code = run->listen ? accept_one(run, found, error) : connect_to(run, found, error);
  freeaddrinfo(found);
  return code;
}

/* ---- Lines ---- */

static int say(struct fabric_run *run, const char *line, struct shunt_error *error)
{
  size_t bytes = strlen(line);
  if (send(run->socket, line, bytes, MSG_NOSIGNAL) == (ssize_t)bytes)
    return 0;
  return failed(error, -EPIPE, "talk to", "the other side");
}

static int hear(struct fabric_run *run, char line[LINE_BYTES], struct shunt_error *error)
{
  size_t bytes = 0;
  while (bytes < LINE_BYTES - 1) {
    int code = await(run, run->socket);
    if (code)
      return failed(error, code, "hear from", "the other side");
    if (recv(run->socket, line + bytes, 1, 0) != 1)
      return failed(error, -ECONNRESET, "hear from", "the other side");
    if (line[bytes] == '\n')
      break;
    bytes++;
  }
  line[bytes] = '\0';
  return 0;
}

static int compare(const char *ours, const char *theirs, struct shunt_error *error)
{
  if (!strcmp(ours, theirs))
    return 0;
  shunt_error_set(error, -EPROTO, "the two sides want different things");
  shunt_error_why(error, "ours: %.90s; theirs: %.90s", ours, theirs);
  shunt_error_remedy(error, "start both with the same command, type, op, size and depth");
  return -EPROTO;
}

int fabric_exchange(struct fabric_run *run, struct fabric_end *end, struct shunt_error *error)
{
  const struct fabric_address *own = &end->own;
  struct fabric_address peer;
  char line[LINE_BYTES], other[LINE_BYTES], gid[64];
  unsigned qpn;
  unsigned long long memory;
  snprintf(line, sizeof(line), "shunt-fabric-1 %s %s %s size=%llu depth=%llu",
           run->mode == FABRIC_PING ? "ping" : "bw", run->type_name, run->op_name,
           (unsigned long long)run->size, (unsigned long long)run->depth);
  int code = say(run, line, error);
  code = code ? code : say(run, "\n", error);
  code = code ? code : hear(run, other, error);
  code = code ? code : compare(line, other, error);
  snprintf(line, sizeof(line), "%s %u %u %u %llu\n", shunt_gid_format(&own->gid, gid), own->qpn,
           own->qkey, own->rkey, (unsigned long long)own->memory);
  code = code ? code : say(run, line, error);
  code = code ? code : hear(run, other, error);
  if (code)
    return code;
  if (sscanf(other, "%63s %u %u %u %llu", gid, &qpn, &peer.qkey, &peer.rkey, &memory) != 5 ||
      shunt_gid_parse(gid, &peer.gid) || qpn > UINT16_MAX)
    return shunt_error_set(error, -EPROTO, "\"%.100s\" is no address of an endpoint", other);
  peer.qpn = (uint16_t)qpn;
  peer.memory = memory;
  return fabric_end_meet(end, &peer, error);
}

int fabric_exchange_meet(struct fabric_run *run, struct shunt_error *error)
{
  char line[LINE_BYTES];
  int code = say(run, "ready\n", error);
  code = code ? code : hear(run, line, error);
  return code ? code : compare("ready", line, error);
}

int fabric_exchange_end(struct fabric_run *run, struct shunt_error *error)
{
  char line[LINE_BYTES];
  unsigned long long received, corrupted, bytes;
  if (run->answerer) {
    int code = hear(run, line, error); /* "done" */
    snprintf(line, sizeof(line), "%llu %llu %llu\n", (unsigned long long)run->received,
             (unsigned long long)run->corrupted, (unsigned long long)run->received_bytes);
    return code ? code : say(run, line, error);
  }
  int code = say(run, "done\n", error);
  code = code ? code : hear(run, line, error);
  if (!code && sscanf(line, "%llu %llu %llu", &received, &corrupted, &bytes) != 3)
    code = shunt_error_set(error, -EPROTO, "\"%.100s\" says not what was received", line);
  if (code)
    return code;
  run->received += received;
  run->corrupted += corrupted;
  run->received_bytes += bytes;
  return 0;
}

bool fabric_exchange_ended(const struct fabric_run *run)
{
  struct pollfd poller = {.fd = run->socket, .events = POLLIN};
  return poll(&poller, 1, 0) != 0;
}
