/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt twin: what its parts share. twin.c makes the twins and gives them their turns,
 * twin_control.c takes orders from standard input, twin_report.c tells what has happened. */
#ifndef TOOLS_SHUNT_TWIN_H
#define TOOLS_SHUNT_TWIN_H

#include "shunt/testbed.h"
#include "shunt/vfio_user.h"
#include "tools/shunt/cli.h"

#define TWINS_MOST      64
#define TWIN_TEXT_BYTES 1024

struct twin {
  char text[TWIN_TEXT_BYTES]; /* "SOCKET=KIND?KEYS", cut into the three */
  const char *socket, *kind, *keys;
  unsigned card; /* of those at the socket, from 1 on */
  struct shunt_model *model;
  struct shunt_vfio_user *server;
  uint64_t last_message_ns, last_look_ns;
};

struct twins {
  struct cli *cli;
  /* Options. */
  const char *device; /* what a socket without a kind serves */
  bool spin, control;
  uint64_t cpu;
  double seconds, status_s;

  struct shunt_tsc tsc;
  struct shunt_clock clock;
  struct shunt_testbed *testbed;
  struct twin twin[TWINS_MOST];
  unsigned count;
  int epoll;
  uint64_t start_ns, last_work_ns, next_status_ns;
  char order[256]; /* of standard input, not yet a whole line */
  unsigned order_bytes;
};

static inline uint64_t twins_now_ns(const struct twins *twins)
{
  return shunt_tsc_now_ns(&twins->tsc);
}

/* Follow the orders that stand on standard input by now. Returns how many; it ends --control where
 * nothing more can come. */
unsigned twins_control(struct twins *twins);

/* Tell the state: a line a twin on standard error, or with --json a document on standard output. */
void twins_status(const struct twins *twins);
/* Tell what has happened until the end. Returns the exit code. */
int twins_report(const struct twins *twins);

#endif
