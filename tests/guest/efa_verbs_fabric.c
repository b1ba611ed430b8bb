/* SPDX-License-Identifier: BSD-2-Clause */
/* The other side of shunt fabric ping, by libibverbs: what it says over TCP (fabric_exchange.c) and
 * what is in its messages (fabric_end.c) stands in tools/shunt. */
#include "efa_verbs.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES  256
#define DEPTH       2u /* slots of messages at the other side */
#define INDEX_BYTES 8u
#define SLOT_BYTES  16384u /* for an answer */

#define REMOTE_ABORT 8u /* a status of EFA's */

struct talk {
  struct node *node;
  int control;
  uint32_t size, count, prefix;
  uint32_t qpn, qkey; /* the other side's */
  uint32_t corrupted;
};

/* ---- Lines ---- */

static void hear(const struct talk *talk, char line[LINE_BYTES])
{
  size_t bytes = 0;
  while (bytes < LINE_BYTES - 1 && read(talk->control, line + bytes, 1) == 1 && line[bytes] != '\n')
    bytes++;
  line[bytes] = '\0';
}

static void expect(const struct talk *talk, const char *wanted)
{
  char line[LINE_BYTES];
  hear(talk, line);
  if (strcmp(line, wanted) != 0) {
    printf("not ok shunt fabric says \"%s\", not \"%s\"\n", line, wanted);
    exit(1);
  }
}

static void meet(struct talk *talk)
{
  const struct node *node = talk->node;
  char line[LINE_BYTES], gid[INET6_ADDRSTRLEN];
  union ibv_gid other;
  snprintf(line, sizeof(line), "shunt-fabric-1 ping %s send size=%u depth=%u",
           node->kind == UD ? "ud" : "srd", talk->size, DEPTH);
  dprintf(talk->control, "%s\n", line);
  expect(talk, line);
  inet_ntop(AF_INET6, &node->gid, gid, sizeof(gid));
  dprintf(talk->control, "%s %u %u %u %llu\n", gid, node->qp->qp_num, QKEY, node->mr->rkey,
          (unsigned long long)(uintptr_t)node->memory);
  hear(talk, line);
  if (sscanf(line, "%45s %u %u", gid, &talk->qpn, &talk->qkey) != 3 ||
      inet_pton(AF_INET6, gid, &other) != 1)
    die("an address of shunt fabric's");
  talk->node->ah = node_make_ah(node->pd, &other);
  node_post(talk->node, talk->size + talk->prefix, 1, 1);
  dprintf(talk->control, "ready\n");
  expect(talk, "ready");
}

/* ---- Messages ---- */

static uint8_t byte_at(uint64_t at, uint64_t index)
{
  return (uint8_t)(at * 7 + (at >> 8) + index);
}

static void write_pattern(uint8_t *bytes, uint32_t n, uint64_t index)
{
  memcpy(bytes, &index, INDEX_BYTES);
  for (uint64_t at = INDEX_BYTES; at < n; at++)
    bytes[at] = byte_at(at, index);
}

static bool is_pattern(const uint8_t *bytes, uint32_t n, uint64_t index)
{
  bool same = !memcmp(bytes, &index, INDEX_BYTES);
  for (uint64_t at = INDEX_BYTES; at < n; at++)
    same &= bytes[at] == byte_at(at, index);
  return same;
}

static void send_one(struct talk *talk, uint32_t offset, uint32_t immediate)
{
  struct request request = {.op = SEND_IMMEDIATE,
                            .immediate = immediate,
                            .offset = offset,
                            .bytes = talk->size,
                            .qpn = talk->qpn,
                            .qkey = talk->qkey};
  must_do(node_send(talk->node, &request), "a message");
}

/* The next completion; true where something was received. */
static bool take(struct talk *talk, struct completion *completion)
{
  node_take(talk->node, completion);
  if (completion->status && completion->status != REMOTE_ABORT) {
    printf("not ok a work request ends with status %u\n", completion->status);
    exit(1);
  }
  return completion->opcode & IBV_WC_RECV;
}

static void check(struct talk *talk, const struct completion *received)
{
  const uint8_t *bytes = talk->node->memory + RECEIVED_AT + talk->prefix;
  uint64_t slot = ntohl(received->immediate) & (DEPTH - 1);
  talk->corrupted += received->bytes != talk->size + talk->prefix || !received->has_immediate ||
                     !is_pattern(bytes, talk->size, slot);
}

/* shunt fabric resets its device. Who talked to it before learns of that by the first message: it
 * is aborted, and sent again. */
static void send_and_receive(struct talk *talk, uint32_t index, struct completion *received)
{
  struct completion completion;
  bool is_sent = false, is_received = false, was_aborted = false;
  send_one(talk, 0, htonl(index));
  while (!is_sent || !is_received) {
    if (take(talk, &completion)) {
      *received = completion;
      is_received = true;
    } else if (!completion.status) {
      is_sent = true;
    } else {
      talk->corrupted += index > 0 || was_aborted;
      was_aborted = true;
      send_one(talk, 0, htonl(index));
    }
  }
}

static void ask_all(struct talk *talk)
{
  for (uint32_t i = 0; i < talk->count; i++) {
    struct completion received;
    write_pattern(talk->node->memory, talk->size, i & (DEPTH - 1));
    send_and_receive(talk, i, &received);
    check(talk, &received);
    talk->corrupted += received.immediate != htonl(i);
    node_post(talk->node, talk->size + talk->prefix, 1, 1);
  }
}

/* The next message may come before it is told that the last answer was sent. */
static void answer_all(struct talk *talk)
{
  uint32_t received = 0, sent = 0;
  while (sent < talk->count) {
    struct completion completion;
    if (!take(talk, &completion)) {
      talk->corrupted += completion.status != 0;
      sent++;
      continue;
    }
    uint32_t slot = (received++ & 1) * SLOT_BYTES;
    check(talk, &completion);
    memcpy(talk->node->memory + slot, talk->node->memory + RECEIVED_AT + talk->prefix, talk->size);
    node_post(talk->node, talk->size + talk->prefix, 1, 1);
    send_one(talk, slot, completion.immediate);
  }
}

void talk_to_fabric(struct node *node, int control, enum kind kind, uint32_t size, uint32_t count,
                    bool asks)
{
  struct talk talk = {.node = node,
                      .control = control,
                      .size = size,
                      .count = count,
                      .prefix = kind == UD ? GRH : 0};
  char line[LINE_BYTES];
  unsigned received = 0, corrupted = 0;
  node_make_qp(node, kind, 0, 7);
  meet(&talk);
  if (asks) {
    ask_all(&talk);
    dprintf(control, "done\n");
    hear(&talk, line);
    sscanf(line, "%u %u", &received, &corrupted);
  } else {
    answer_all(&talk);
    received = count;
    expect(&talk, "done");
    dprintf(control, "%u %u %llu\n", count, talk.corrupted, (unsigned long long)count * size);
  }
  bool right = received == count && !corrupted && !talk.corrupted;
  printf("%s libibverbs %s shunt fabric: %s, %u messages of %u bytes\n", right ? "ok" : "not ok",
         asks ? "asks" : "answers", kind == UD ? "UD" : "SRD", count, size);
}
