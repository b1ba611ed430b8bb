/* SPDX-License-Identifier: BSD-2-Clause */
/* A path is a UDP source port: what routers and switches with several equal ways hash by. */
#include <string.h>

#include "src/srd/internal.h"

#define TIMEOUT_FIRST_NS UINT64_C(5000000)
#define TIMEOUT_LEAST_NS UINT64_C(1000000)
#define TIMEOUT_MOST_NS  UINT64_C(200000000)
#define REORDER_LEAST_NS UINT64_C(2000)
#define MISSES_MOST      3u
#define PATH_BAD_NS      UINT64_C(100000000)
#define BAD_FOR_MOST     6u

void path_init(struct srd_path *path)
{
  memset(path, 0, sizeof(*path));
  path->in_flight = (struct srd_list){SRD_NONE, SRD_NONE};
  path->timeout_ns = TIMEOUT_FIRST_NS;
  path->reorder_ns = REORDER_LEAST_NS;
}

/* RFC 6298 2: smoothed time, its variation, and the time-out that follows. */
static void measure(struct srd_path *path, uint64_t rtt_ns)
{
  if (!path->srtt_ns) {
    path->srtt_ns = rtt_ns;
    path->rttvar_ns = rtt_ns / 2;
  } else {
    uint64_t off = rtt_ns > path->srtt_ns ? rtt_ns - path->srtt_ns : path->srtt_ns - rtt_ns;
    path->rttvar_ns += off / 4;
    path->rttvar_ns -= path->rttvar_ns / 4;
    path->srtt_ns += rtt_ns / 8;
    path->srtt_ns -= path->srtt_ns / 8;
  }
  uint64_t timeout_ns = path->srtt_ns + 4 * path->rttvar_ns;
  if (timeout_ns < TIMEOUT_LEAST_NS)
    timeout_ns = TIMEOUT_LEAST_NS;
  path->timeout_ns = timeout_ns > TIMEOUT_MOST_NS ? TIMEOUT_MOST_NS : timeout_ns;
  if (path->reorder_ns < path->srtt_ns / 4)
    path->reorder_ns = path->srtt_ns / 4;
}

void path_answered(struct srd_path *path, uint64_t sent_ns, uint64_t rtt_ns, uint64_t now_ns)
{
  if (sent_ns > path->answered_ns)
    path->answered_ns = sent_ns;
  path->misses = 0;
  if (path->bad_until_ns && now_ns >= path->bad_until_ns) {
    path->bad_until_ns = 0;
    path->bad_for = 0;
  }
  if (rtt_ns)
    measure(path, rtt_ns);
}

void path_spurious(struct srd_path *path)
{
  path->reorder_ns *= 2;
  if (path->reorder_ns > path->timeout_ns)
    path->reorder_ns = path->timeout_ns;
}

bool path_missed(struct srd_path *path, uint64_t now_ns)
{
  if (++path->misses < MISSES_MOST)
    return false;
  path->misses = 0;
  path->bad_until_ns = now_ns + (PATH_BAD_NS << path->bad_for);
  if (path->bad_for < BAD_FOR_MOST)
    path->bad_for++;
  return true;
}

uint64_t path_deadline_ns(const struct srd_path *path, uint64_t sent_ns)
{
  uint64_t timeout_ns = path->timeout_ns << path->misses;
  return sent_ns + (timeout_ns > TIMEOUT_MOST_NS ? TIMEOUT_MOST_NS : timeout_ns);
}

/* Two at random, the better of them: this spreads packets, and leans away from what is slow (the
 * "power of two choices" of Mitzenmacher, 2001). */
static bool better(const struct srd_path *a, const struct srd_path *b, uint64_t now_ns)
{
  bool a_bad = a->bad_until_ns > now_ns, b_bad = b->bad_until_ns > now_ns;
  if (a_bad != b_bad)
    return b_bad;
  if (a_bad)
    return a->bad_until_ns < b->bad_until_ns;
  return a->srtt_ns < b->srtt_ns;
}

unsigned path_choose(struct srd_peer *peer, unsigned except, uint64_t now_ns)
{
  uint32_t paths = peer->srd->options.paths;
  if (paths == 1)
    return 0;
  uint64_t random = random_next(&peer->srd->random);
  unsigned one = (unsigned)((random & 0xffffffff) * paths >> 32);
  unsigned two = (unsigned)((random >> 32) * paths >> 32);
  if (one == except)
    one = (one + 1) % paths;
  if (two == except)
    two = (two + 1) % paths;
  return better(&peer->paths[two], &peer->paths[one], now_ns) ? two : one;
}
