/* SPDX-License-Identifier: BSD-2-Clause */
/* In a guest: an AF_XDP port of ours whose rings are filled to the brim, over and over.
 *
 *   guest-xdp-ring DEVICE MAC ROUNDS
 *
 * Offers the receive ring and, each round, the send ring more than they hold: both have to take
 * what they have slots for and nothing of a second offer. Then the frames go to MAC, and every
 * buffer has to come back, each once. Prints "sent N", all of them with the EtherType for
 * experiments. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shunt/bytes.h"
#include "shunt/port.h"

#define FRAME_BYTES   60u
#define ETHER_TYPE    0x88b5u /* IEEE 802, for experiments */
#define TOO_MANY      8u      /* more than a ring holds */
#define MOST_SLOTS    4096u   /* of a ring (shunt/port.h) */
#define LINK_WAIT_NS  UINT64_C(60000000000)
#define BACK_WAIT_NS  UINT64_C(20000000000)
#define LOOK_AGAIN_NS UINT64_C(100000)

struct trial {
  struct shunt_port *port;
  struct shunt_port_info info;
  struct shunt_queue *q;
  struct shunt_pool *pool;
  struct shunt_mac to;
  shunt_buf bufs[MOST_SLOTS + TOO_MANY];
  struct shunt_frame frames[MOST_SLOTS + TOO_MANY];
};

static int fail(const struct shunt_error *error)
{
  fprintf(stderr, "guest-xdp-ring: %s: %s\n", error->what, error->why);
  return 1;
}

static int fail_count(const char *what, uint64_t wanted, uint64_t got)
{
  fprintf(stderr, "guest-xdp-ring: %s: wanted %" PRIu64 ", got %" PRIu64 "\n", what, wanted, got);
  return 1;
}

static bool link_is_up(void *context)
{
  struct trial *trial = context;
  struct shunt_link link = {.size = sizeof(link)};
  return !shunt_port_link(trial->port, &link, NULL) && link.up;
}

static int open_port(struct trial *trial, const char *device)
{
  struct shunt_error error = {0};
  trial->info.size = sizeof(trial->info);
  if (shunt_port_open(device, NULL, &trial->port, &error))
    return fail(&error);
  shunt_port_info(trial->port, &trial->info);
  trial->q = shunt_port_queue(trial->port, 0);
  if (shunt_pool_create(shunt_port_region(trial->port),
                        trial->info.rx_ring + trial->info.tx_ring + TOO_MANY, &trial->pool, &error))
    return fail(&error);
  return 0;
}

static int fill_receive_ring(struct trial *trial)
{
  const unsigned slots = trial->info.rx_ring;
  const unsigned n = shunt_pool_take(trial->pool, trial->bufs, slots + TOO_MANY);
  unsigned taken = shunt_rx_post(trial->q, trial->bufs, n);
  if (taken != slots)
    return fail_count("the receive ring's slots", slots, taken);
  taken = shunt_rx_post(trial->q, trial->bufs + slots, TOO_MANY);
  shunt_pool_give(trial->pool, trial->bufs + slots, TOO_MANY);
  return taken ? fail_count("the full receive ring", 0, taken) : 0;
}

/* Each frame has a number behind its header. */
static void make_frames(struct trial *trial, unsigned n, uint64_t number)
{
  shunt_pool_take(trial->pool, trial->bufs, n);
  for (unsigned i = 0; i < n; i++) {
    trial->frames[i] = (struct shunt_frame){.addr = trial->bufs[i], .len = FRAME_BYTES};
    uint8_t *data = shunt_frame_data(trial->q, &trial->frames[i]);
    memset(data, 0, FRAME_BYTES);
    memcpy(data, &trial->to, sizeof(trial->to));
    memcpy(data + 6, &trial->info.mac, sizeof(trial->info.mac));
    shunt_store_be16(data + 12, ETHER_TYPE);
    shunt_store_be32(data + 14, (uint32_t)(number + i));
  }
}

struct back {
  struct trial *trial;
  unsigned count, wanted;
};

static bool all_are_back(void *context)
{
  struct back *back = context;
  unsigned room = back->wanted + 1 - back->count; /* one too many would be seen */
  back->count += shunt_tx_poll(back->trial->q, back->trial->bufs + back->count, room);
  return back->count >= back->wanted;
}

static int compare(const void *left, const void *right)
{
  const shunt_buf a = *(const shunt_buf *)left, b = *(const shunt_buf *)right;
  return (a > b) - (a < b);
}

/* The buffers of the first n frames, in whatever order. */
static int check_back(struct trial *trial, unsigned n)
{
  shunt_buf posted[MOST_SLOTS];
  for (unsigned i = 0; i < n; i++)
    posted[i] = trial->frames[i].addr;
  qsort(posted, n, sizeof(posted[0]), compare);
  qsort(trial->bufs, n, sizeof(trial->bufs[0]), compare);
  for (unsigned i = 0; i < n; i++)
    if (posted[i] != trial->bufs[i])
      return fail_count("a buffer that is back", posted[i], trial->bufs[i]);
  return 0;
}

static int send_round(struct trial *trial, uint64_t number)
{
  const unsigned slots = trial->info.tx_ring;
  struct back back = {.trial = trial, .wanted = slots};
  const struct shunt_clock *clock = shunt_clock_real();
  make_frames(trial, slots + TOO_MANY, number);
  unsigned taken = shunt_tx_post(trial->q, trial->frames, slots + TOO_MANY);
  if (taken != slots)
    return fail_count("the send ring's slots", slots, taken);
  taken = shunt_tx_post(trial->q, trial->frames + slots, TOO_MANY);
  if (taken)
    return fail_count("the full send ring", 0, taken);
  for (unsigned i = 0; i < TOO_MANY; i++)
    shunt_pool_give(trial->pool, &trial->frames[slots + i].addr, 1);
  shunt_tx_push(trial->q);
  shunt_wait_until(clock, shunt_clock_now_ns(clock) + BACK_WAIT_NS, LOOK_AGAIN_NS, all_are_back,
                   &back);
  if (back.count != slots)
    return fail_count("buffers back within 20 s", slots, back.count);
  int result = check_back(trial, slots);
  shunt_pool_give(trial->pool, trial->bufs, slots);
  return result;
}

static int try_rings(struct trial *trial, const char *device, unsigned rounds)
{
  const struct shunt_clock *clock = shunt_clock_real();
  int result = open_port(trial, device);
  result = result ? result : fill_receive_ring(trial);
  if (result)
    return result;
  if (shunt_wait_until(clock, shunt_clock_now_ns(clock) + LINK_WAIT_NS, LOOK_AGAIN_NS * 100,
                       link_is_up, trial))
    return fail_count("the link within 60 s", 1, 0);
  uint64_t sent = 0;
  for (unsigned round = 0; !result && round < rounds; round++, sent += trial->info.tx_ring)
    result = send_round(trial, sent);
  if (!result)
    printf("sent %" PRIu64 "\n", sent);
  return result;
}

int main(int argc, char **argv)
{
  struct trial *trial = calloc(1, sizeof(*trial));
  if (!trial || argc != 4 || shunt_mac_parse(argv[2], &trial->to)) {
    fputs("usage: guest-xdp-ring DEVICE MAC ROUNDS\n", stderr);
    free(trial);
    return 2;
  }
  const int result = try_rings(trial, argv[1], (unsigned)strtoul(argv[3], NULL, 10));
  shunt_pool_destroy(trial->pool);
  shunt_port_close(trial->port);
  free(trial);
  return result;
}
