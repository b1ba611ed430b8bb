/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "src/srd/internal.h"

#define RTT_MIN_LASTS_NS UINT64_C(10000000000)
#define FLOOR_PACKETS    16u
/* The pipe is full when three rounds did not bring a quarter more. */
#define FULL_ROUNDS 3u
/* What may leave at once, however slow the rate: a poll's worth. */
#define BURST_NS 20000u

/* Eighths of the rate, a phase a round: look for more, let the queue drain, go on. */
static const unsigned phases[] = {10, 6, 8, 8, 8, 8, 8, 8};
#define PHASES (sizeof(phases) / sizeof(phases[0]))

void rate_init(struct srd_rate *rate, uint64_t mtu)
{
  memset(rate, 0, sizeof(*rate));
  rate->filling = true;
  rate->floor = FLOOR_PACKETS * mtu;
  rate->roof = SRD_WINDOW * mtu;
  rate->most = rate->floor;
  rate->rtt_min_ns = UINT64_MAX;
}

static void look_whether_full(struct srd_rate *rate)
{
  if (rate->hungry)
    return;
  if (rate->rate >= rate->full_rate + rate->full_rate / 4) {
    rate->full_rate = rate->rate;
    rate->full_rounds = 0;
  } else if (++rate->full_rounds >= FULL_ROUNDS) {
    rate->filling = false;
  }
}

/* Twice what is on the way at that rate: one part flies, the other's answers fly back or wait to be
 * put together. */
static void set_most(struct srd_rate *rate)
{
  uint64_t product = rate->rate / 1000 * rate->rtt_min_ns / 1000000 * 2;
  rate->most = product < rate->floor ? rate->floor : product;
  if (rate->most > rate->roof)
    rate->most = rate->roof;
}

static void end_round(struct srd_rate *rate, uint64_t now_ns)
{
  uint64_t lasted_ns = now_ns - rate->round_start_ns;
  uint64_t sample = rate->delivered * UINT64_C(1000000000) / (lasted_ns ? lasted_ns : 1);
  /* A round without enough to send shows what was sent, not what could have been. */
  if (!rate->hungry || sample > rate->rate) {
    rate->samples[rate->sample++ % RATE_SAMPLES] = sample;
    rate->rate = 0;
    for (unsigned i = 0; i < RATE_SAMPLES; i++)
      if (rate->samples[i] > rate->rate)
        rate->rate = rate->samples[i];
  }
  if (rate->filling)
    look_whether_full(rate);
  if (!rate->filling)
    set_most(rate);
  rate->phase = (rate->phase + 1) % PHASES;
  rate->delivered = 0;
  rate->round_start_ns = now_ns;
  rate->hungry = false;
}

void rate_answered(struct srd_rate *rate, uint32_t bytes, uint64_t sent_ns, uint64_t rtt_ns,
                   uint64_t now_ns)
{
  rate->delivered += bytes;
  if (rtt_ns && (rtt_ns <= rate->rtt_min_ns || now_ns - rate->rtt_min_at_ns > RTT_MIN_LASTS_NS)) {
    rate->rtt_min_ns = rtt_ns;
    rate->rtt_min_at_ns = now_ns;
  }
  if (rate->filling && !rate->hungry && rate->most < rate->roof)
    rate->most += bytes;
  if (sent_ns > rate->round_start_ns && rate->rtt_min_ns != UINT64_MAX)
    end_round(rate, now_ns);
}

void rate_sent(struct srd_rate *rate, uint32_t bytes, uint64_t now_ns)
{
  if (rate->filling || !rate->rate)
    return;
  uint64_t pace = rate->rate / 8 * phases[rate->phase];
  uint64_t earliest = now_ns > BURST_NS ? now_ns - BURST_NS : 0;
  if (rate->next_ns < earliest)
    rate->next_ns = earliest;
  rate->next_ns += bytes * UINT64_C(1000000000) / (pace ? pace : 1);
}

bool rate_may_send(const struct srd_rate *rate, uint64_t in_flight, uint64_t now_ns)
{
  return in_flight < rate->most && now_ns >= rate->next_ns;
}
