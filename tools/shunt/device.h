/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands that move frames share: ports on one testbed, how to wait, when to stop, and
 * telling what was granted.
 *
 *   struct devices devices;
 *   devices_init(&devices);
 *   struct cli_option options[] = {..., DEVICES_OPTIONS(&devices), {0}};
 *   ... cli_parse ...
 *   int exit = devices_start(&devices, cli);
 *   if (!exit) exit = devices_open(&devices, name, &options);
 *   do work = ...; while (devices_go_on(&devices, work));
 *   devices_close(&devices);
 *
 * Calls that can fail report the error themselves and return 0 or the exit code to end with. */
#ifndef TOOLS_SHUNT_DEVICE_H
#define TOOLS_SHUNT_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>

#include "shunt/idle.h"
#include "shunt/ixgbe.h"
#include "shunt/port.h"
#include "shunt/testbed.h"
#include "tools/shunt/cli.h"
#include "tools/shunt/goal.h"

#define DEVICES_MOST        2
#define DEVICE_QUEUES_MOST  16
#define DEVICE_BURST        32   /* frames that are moved at a time */
#define DEVICE_PIECES_MOST  40   /* pieces of a frame, in the smallest buffers */
#define DEVICE_FRAME_BYTES  9728 /* longest frame: the longest MTU, Ethernet header, VLAN tag */
#define DEVICES_CHECK_NS    UINT64_C(100000000) /* how often devices_go_on looks at all */
#define DEVICE_NO_CPU       UINT64_MAX
#define DEVICE_MODEL_STAMP  "model, not a hardware figure"
#define DEVICE_IP_RESPONDER "10.82.59.1/24"
#define DEVICE_IP_ASKER     "10.82.59.2/24"

struct device {
  struct shunt_port *port;
  struct shunt_port_info info;
  struct shunt_pool *pool; /* what the Rx rings did not take */
  uint32_t at_rest;        /* buffers in it while nothing is on its way out */
  uint32_t headroom;       /* bytes that frames to send leave free in front of them */
  uint64_t dropped_before; /* frames that its driver had dropped when devices_begin was called */
  struct shunt_queue *queues[DEVICE_QUEUES_MOST];
  struct shunt_link link; /* as devices_wait_for_links has found it */
};

struct devices {
  const struct cli *cli;
  /* Options. */
  uint64_t cpu, device_cpu;
  const char *wait_name;
  double link_wait_s; /* below 0: as the device needs it */
  double seconds;     /* 0: no end */
  bool drop_privileges;
  const char *user;        /* to go on as; implies drop_privileges */
  const char *busy_remedy; /* what this command offers where somebody else has a device; or NULL */

  struct device device[DEVICES_MOST];
  unsigned count;
  struct shunt_testbed *testbed;
  struct shunt_tsc tsc;
  struct shunt_clock tsc_clock; /* of the testbed */
  struct shunt_clock clock;     /* of the ports: sleeping on it gives the twins their turns */
  struct shunt_idle idle;
  enum shunt_idle_mode wait;
  bool model; /* at least one is a twin */
  bool steps; /* this thread gives the twins their turns */
  int wait_fd;
  int64_t epoch_ns; /* Unix time at 0 of devices_now_ns */
  uint64_t start_ns, deadline_ns;
  struct goal goal;
  uint64_t check_ns;        /* when to look next whether all devices are there, and the goal near */
  struct shunt_error ended; /* the loop, before its time: -ENODEV one is gone, -ETIMEDOUT the goal
                               was given up */
  unsigned rounds;
  pthread_t thread;
  bool has_thread;
  atomic_bool thread_ends;
};

/* --- Setting up --------------------------------------------------------------------------- */

/* clang-format off */
#define DEVICES_OPTIONS(devices)                                                                   \
  {"cpu", 0, "N", "Pin the thread to a CPU.",                                                      \
   CLI_U64, &(devices)->cpu, 0, SHUNT_CPU_MAX - 1},                                                \
  {"device-cpu", 0, "N", "Give the twins a thread of their own, pinned to a CPU.",                 \
   CLI_U64, &(devices)->device_cpu, 0, SHUNT_CPU_MAX - 1},                                         \
  {"queue-wait", 0, "HOW", "While nothing comes: spin, yield or wait (yield).",                    \
   CLI_TEXT, &(devices)->wait_name, 0, 0},                                                         \
  {"link-wait", 0, "SECONDS", "Wait so long for the link to come up (5; 30 after a reset).",       \
   CLI_DOUBLE, &(devices)->link_wait_s, 0, 3600},                                                  \
  {"seconds", 's', "SECONDS", "End after so many seconds.",                                        \
   CLI_DOUBLE, &(devices)->seconds, 0, 1e7},                                                       \
  {"drop-privileges", 0, NULL, "Give up all capabilities once the devices are open.",              \
   CLI_FLAG, &(devices)->drop_privileges, 0, 0},                                                   \
  {"user", 0, "USER[:GROUP]", "Give them up, and go on as this user.",                             \
   CLI_TEXT, &(devices)->user, 0, 0}
/* clang-format on */

void devices_init(struct devices *devices);

/* Make the testbed, calibrate the clock, pin this thread, start the twins' thread. */
int devices_start(struct devices *devices, const struct cli *cli);

/* Open one more device, cut a pool from its region and fill its Rx rings.
 *
 * argument  a device's name or an alias
 * wanted    what the command wants; clock, log, testbed and interrupts are filled in here */
int devices_open(struct devices *devices, const char *argument,
                 const struct shunt_port_options *wanted);

/* Wait until every device's link is up.
 *
 * required  non-zero: a link that stays down ends the command; else it is a warning */
int devices_wait_for_links(struct devices *devices, bool required);

/* Tell whoever has started this that frames are taken from now on: "ready" on standard output, or
 * with --json on standard error. */
void devices_ready(const struct devices *devices);

/* Begin the time that --seconds counts, and give up privileges where that is asked for. Call it
 * after the links are up. */
int devices_begin(struct devices *devices);

/* Let what was posted last go its way: 2 ms, and with frames in flight on a wire up to 1 s. */
void devices_drain(struct devices *devices);
/* Close all. May be called at any time, also after a failure. */
void devices_close(struct devices *devices);

/* --- Running ------------------------------------------------------------------------------- */

static inline uint64_t devices_now_ns(const struct devices *devices)
{
  return shunt_tsc_now_ns(&devices->tsc);
}

/* Give twins their turn, where this thread does. */
SHUNT_INLINE unsigned devices_step(struct devices *devices)
{
  return devices->steps ? shunt_testbed_poll(devices->testbed) : 0;
}

/* Ask each device whether it is still there, and look whether there is progress towards the goal.
 */
bool devices_check(struct devices *devices, uint64_t now_ns);

/* After each round: give twins their turn, wait as --queue-wait says if there was no work, and
 * find out whether to go on: not after a signal or --seconds, nor without a device or a goal that
 * is out of reach. All are looked at in every 64th round and whenever nothing was done; devices and
 * goal ten times a second. */
SHUNT_INLINE bool devices_go_on(struct devices *devices, unsigned work)
{
  work += devices_step(devices);
  if (SHUNT_LIKELY(work)) {
    shunt_idle_work(&devices->idle);
    if (SHUNT_LIKELY(++devices->rounds % 64))
      return true;
  } else {
    shunt_idle_none(&devices->idle);
  }
  const uint64_t now_ns = devices_now_ns(devices);
  if (SHUNT_UNLIKELY(now_ns >= devices->check_ns) && !devices_check(devices, now_ns))
    return false;
  return !cli_stopped() && now_ns < devices->deadline_ns;
}

/* The exit code to end with: exit, unless the loop has ended before its time. Says why it has. */
int devices_exit(const struct devices *devices, int exit);

/* Seconds since devices_begin, and the share of --seconds that this is (0 without). */
double devices_elapsed_s(const struct devices *devices);
double devices_elapsed(const struct devices *devices);

/* Copy a frame into buffers of the device's pool, in pieces where it is longer than one.
 *
 * frames   room for DEVICE_PIECES_MOST
 * Returns  the number of pieces, 0 where the pool has too few buffers */
unsigned device_frame_put(struct device *device, const void *bytes, uint32_t length,
                          struct shunt_frame frames[]);

/* Take the buffers of sent frames back into the pool. */
void device_reclaim(struct device *device, unsigned queue);

/* Frames that were taken from the send rings since devices_begin and went nowhere, for the driver
 * dropped them: the peer of a veth was down, a queue was full. Of taken frames, those that did go;
 * where others were sent beside these (answers to ARP), as if none of those had been dropped. */
uint64_t device_dropped(const struct device *device);
uint64_t device_sent(const struct device *device, uint64_t taken);
/* For devices_begin. */
void device_dropped_from_now(struct device *device);

/* How many buffers of its pool are on their way out: on the send rings, or made and not posted. */
uint32_t device_unsent(const struct device *device);

/* Give received buffers back to the Rx ring. */
void device_repost(struct shunt_queue *q, const struct shunt_frame frames[], unsigned n);

/* Received pieces, put together to frames. */
struct device_gather {
  uint8_t bytes[DEVICE_FRAME_BYTES + 64];
  uint32_t length;
  bool oversized; /* the rest of a frame that does not fit is being left out */
};

/* Take one more piece.
 *
 * Returns the whole frame, of *length bytes, where this was its last piece: in its buffer where it
 * has one piece, else in gather. NULL where more pieces are to come, or the frame did not fit. */
const uint8_t *device_gather(struct device_gather *gather, const struct shunt_queue *q,
                             const struct shunt_frame *piece, uint32_t *length);

/* --- Telling -------------------------------------------------------------------------------- */

/* What was granted, for a person; nothing with --json. */
void devices_print(const struct devices *devices);
/* The same: an array of objects. */
struct json_object *devices_json(const struct devices *devices);

/* What was lost or found wrong below the command: frames that the NIC dropped, what the wire was
 * told to do to frames, and a twin's complaints of its driver. */
#define DEVICES_FAULTS 10
#define DEVICES_DROPS  8
struct devices_findings {
  uint64_t missed;  /* came to the NIC, which had no buffer or no descriptor for them */
  uint64_t dropped; /* on their way out, by a driver of the kernel: device_dropped of all */
  uint64_t wire_lost, wire_duplicated, wire_reordered, wire_corrupted;
  uint64_t faults[DEVICES_FAULTS]; /* of the driver, as the twins count them */
  uint64_t drops[DEVICES_DROPS];   /* frames that a twin did not deliver, by cause */
};
/* Call it while the ports are open. */
void devices_find(struct devices *devices, struct devices_findings *findings);
uint64_t devices_faults(const struct devices_findings *findings);
/* With the hits of each rule, where a port has some. */
void devices_findings_print(const struct devices *devices, const struct devices_findings *findings);
/* Adds the members "nic", and with a twin "wire", "driver_faults" and "device_drops"; "error" where
 * the loop has ended before its time. */
void devices_findings_json(const struct devices *devices, const struct devices_findings *findings,
                           struct json_object *document);

#endif
