/* SPDX-License-Identifier: BSD-2-Clause */
/* Two EFAs by libibverbs and efadv, each in a process of its own, which agree over TCP on what
 * comes next. The one that runs prints "ok" and "not ok" lines.
 *
 *   efa_verbs serve DEVICE PORT
 *   efa_verbs run DEVICE HOST PORT
 *   efa_verbs ping DEVICE HOST PORT     of what run does, what any EFA passes
 *   efa_verbs fabric DEVICE srd|ud SIZE COUNT PORT [HOST]   talk to shunt fabric; with HOST, ask */
#include "efa_verbs.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int control; /* to the other process */

/* ---- Between the processes ---- */

static bool tell(const void *what, size_t bytes)
{
  return write(control, what, bytes) == (ssize_t)bytes;
}

static bool hear(void *what, size_t bytes)
{
  return recv(control, what, bytes, MSG_WAITALL) == (ssize_t)bytes;
}

struct answer ask(struct order order)
{
  struct answer answer;
  if (!tell(&order, sizeof(order)) || !hear(&answer, sizeof(answer)))
    die("the other process is gone");
  return answer;
}

/* Wait for a message, and for the end of what was sent before. Which comes first is open: there may
 * be a ring for each. */
static uint32_t next_sender(struct node *node, bool has_sent)
{
  uint32_t sender = 0;
  for (bool received = false; has_sent || !received;) {
    struct completion completion;
    node_take(node, &completion);
    if (completion.opcode & IBV_WC_RECV) {
      received = true;
      sender = completion.source_qpn;
    } else {
      has_sent = false;
    }
  }
  return sender;
}

/* What was received is what is sent back, times and again. */
static void echo(struct node *node, const struct order *order)
{
  uint32_t prefix = node->kind == UD ? GRH : 0;
  struct completion last;
  for (uint32_t i = 0; i < ROUNDS; i++) {
    struct request back = {.bytes = order->bytes, .qpn = next_sender(node, i > 0)};
    memcpy(node->memory, node->memory + RECEIVED_AT + prefix, order->bytes);
    node_post(node, order->bytes + prefix, 1, 1);
    must_do(node_send(node, &back), "the echo");
  }
  node_take(node, &last);
}

static void obey(struct node *node, const struct order *order, struct answer *answer)
{
  switch (order->what) {
  case MAKE:
    node_make_qp(node, order->kind, order->flags, order->rnr_retry);
    break;
  case KNOW:
    node->ah = node_make_ah(node->pd, &order->gid);
    break;
  case FORGET:
    must_do(ibv_destroy_ah(node->ah), "ibv_destroy_ah");
    break;
  case POST:
    node_post_with(node, order->bytes, order->sges, order->seed, node->mr->lkey + order->flags);
    break;
  case TAKE:
    node_take(node, &answer->completion);
    answer->completion.sum =
        sum(node->memory + RECEIVED_AT + order->offset, answer->completion.bytes - order->offset);
    break;
  case FILL:
    fill(node->memory + order->offset, order->bytes, order->seed);
    break;
  case SUM:
    answer->completion.sum = sum(node->memory + order->offset, order->bytes);
    break;
  case FAIL:
    node_fail_qp(node);
    break;
  case CLOSE:
    node_close_qp(node);
    break;
  default:
    break;
  }
  answer->qpn = node->qp ? node->qp->qp_num : 0;
  answer->rkey = node->mr->rkey;
  answer->caps = node->caps;
  answer->address = (uintptr_t)node->memory;
  answer->gid = node->gid;
}

static void serve(struct node *node)
{
  struct order order;
  while (hear(&order, sizeof(order)) && order.what != END) {
    struct answer answer = {0};
    obey(node, &order, &answer);
    if (!tell(&answer, sizeof(answer)))
      return;
    if (order.what == ECHO)
      echo(node, &order);
  }
}

/* ---- Start ---- */

static struct sockaddr_in address_of(const char *host, const char *port)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  inet_pton(AF_INET, host, &address.sin_addr);
  return address;
}

static void await_peer(const char *port)
{
  struct sockaddr_in address = address_of("0.0.0.0", port);
  int one = 1, server = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (bind(server, (struct sockaddr *)&address, sizeof(address)) || listen(server, 1))
    die("listen");
  control = accept(server, NULL, NULL);
  if (control < 0)
    die("accept");
  close(server);
}

static void find_peer(const char *host, const char *port)
{
  struct sockaddr_in address = address_of(host, port);
  for (int turn = 0; turn < 200; turn++) {
    control = socket(AF_INET, SOCK_STREAM, 0);
    if (!connect(control, (struct sockaddr *)&address, sizeof(address)))
      return;
    close(control);
    usleep(100000);
  }
  die("connect");
}

static int fabric(struct node *node, int argc, char **argv)
{
  enum kind kind = strcmp(argv[3], "ud") ? SRD : UD;
  node_open(node, argv[2]);
  if (argc == 8)
    find_peer(argv[7], argv[6]);
  else
    await_peer(argv[6]);
  talk_to_fabric(node, control, kind, (uint32_t)atoi(argv[4]), (uint32_t)atoi(argv[5]), argc == 8);
  return 0;
}

int main(int argc, char **argv)
{
  struct node node = {0};
  if (argc >= 7 && argc <= 8 && !strcmp(argv[1], "fabric"))
    return fabric(&node, argc, argv);
  bool serves = argc == 4 && !strcmp(argv[1], "serve");
  bool pings = argc == 5 && !strcmp(argv[1], "ping");
  if (!serves && !pings && (argc != 5 || strcmp(argv[1], "run") != 0)) {
    fprintf(stderr, "efa_verbs serve DEVICE PORT | run DEVICE HOST PORT | ping DEVICE HOST PORT\n");
    return 2;
  }
  node_open(&node, argv[2]);
  if (serves)
    await_peer(argv[3]);
  else
    find_peer(argv[3], argv[4]);
  int one = 1;
  setsockopt(control, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  if (serves)
    serve(&node);
  else
    run_cases(&node, !pings);
  return 0;
}
