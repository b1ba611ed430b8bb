/* SPDX-License-Identifier: BSD-2-Clause */
/* Which series stands beside which: the lines of bench.json. Series that were not measured are left
 * out with what they would be compared with. */
#include <stdio.h>
#include <string.h>

#include "tools/shunt/bench_result.h"

static const struct {
  const char *name, *unit, *ours, *peer, *theirs, *words;
} comparisons[] = {
    {"ixgbe-rtt-p50-us", "us", "ixgbe-rtt", "udp", "udp-rtt", "round trip p50, 1 thread"},
    {"ixgbe-rtt-2-threads-p50-us", "us", "ixgbe-rtt-2-threads", "udp", "udp-rtt-2-threads",
     "round trip p50, 2 threads"},
    {"ixgbe-forward-mpps", "Mpps", "ixgbe-forward-32", "udp", "udp-forward-32",
     "forwarding, 2 threads, batch 32"},
    {"vfuser-rtt-p50-us", "us", "vfuser-rtt", "udp", "udp-rtt-2-threads",
     "round trip p50, vfio-user"},
    {"vfuser-forward-mpps", "Mpps", "vfuser-forward-32", "udp", "udp-forward-32",
     "forwarding, vfio-user, batch 32"},
    {"vfuser-trap-spin-us", "us", "vfuser-trap-spin", "unix", "unix-spin",
     "trapped read, server spins"},
    {"vfuser-trap-sleep-us", "us", "vfuser-trap-sleep", "unix", "unix-sleep",
     "trapped read, server sleeps"},
    {"efvi-rtt-p50-us", "us", "efvi-rtt", "shunt", "verbs-rtt", "ef_vi: round trip p50"},
    {"efvi-veth-rtt-p50-us", "us", "efvi-veth-rtt", "udp", "udp-veth-rtt",
     "ef_vi: round trip p50, veth"},
    {"xdp-rx-drop-mpps-dpdk", "Mpps", "xdp-rx-drop", "dpdk", "dpdk-rx-drop",
     "AF_XDP: receive, beside DPDK"},
    {"srd-half-rtt-p50-us", "us", "srd-half-rtt", "fi-tcp", "fi-tcp-half-rtt",
     "SRD: half round trip p50"},
    {"srd-half-rtt-p50-us-udp", "us", "srd-half-rtt", "fi-udp", "fi-udp-half-rtt",
     "SRD: the same, beside udp;ofi_rxd"},
    {"srd-half-rtt-p50-us-shm", "us", "srd-half-rtt", "fi-shm", "fi-shm-half-rtt",
     "SRD: the same, beside shm"},
    {"srd-64b-mmsg", "Mmsg", "srd-64b", "fi-tcp", "fi-tcp-64b",
     "SRD: 64 bytes, a ping-pong beside"},
    {"srd-8k-gbytes", "GB", "srd-8k", "fi-tcp", "fi-tcp-8k", "SRD: 8 KiB, a ping-pong beside"},
    {"vfuser-posted-us", "us", "vfuser-posted", "unix", "unix-posted", "posted write"},
    {"vfuser-doorbell-us", "us", "vfuser-doorbell", "unix", "unix-spin", "doorbell to completion"},
};
#define COMPARISONS (sizeof(comparisons) / sizeof(comparisons[0]))

/* Of AF_XDP ours is compared with the best of the others. */
static const struct {
  const char *name, *unit, *row, *words;
} best_comparisons[] = {
    {"xdp-rx-drop-mpps", "Mpps", "rx-drop", "AF_XDP: receive"},
    {"xdp-tx-mpps", "Mpps", "tx", "AF_XDP: send"},
    {"xdp-l2fwd-mpps", "Mpps", "l2fwd", "AF_XDP: forward"},
    {"xdp-rtt-p50-us", "us", "rtt", "AF_XDP: round trip p50"},
};
static const struct {
  const char *name, *series;
} xdp_peers[] = {{"libxdp", "libxdp"}, {"dpdk", "dpdk"}, {"udp", "udp-veth"}};

static const struct result_series *find_series(const struct result *result, const char *name)
{
  for (unsigned i = 0; i < result->series_count; i++)
    if (!strcmp(result->series[i].name, name))
      return &result->series[i];
  return NULL;
}

static void compare_best(struct result *result, const char *name, const char *words,
                         const char *unit, const char *row)
{
  const bool least = !strcmp(unit, "us");
  const struct result_series *best = NULL;
  const char *peer = NULL;
  char of[48];
  for (unsigned i = 0; i < sizeof(xdp_peers) / sizeof(xdp_peers[0]); i++) {
    snprintf(of, sizeof(of), "%s-%s", xdp_peers[i].series, row);
    const struct result_series *series = find_series(result, of);
    if (!series || !series->rounds ||
        (best && (result_median(series) < result_median(best)) != least))
      continue;
    best = series;
    peer = xdp_peers[i].name;
  }
  snprintf(of, sizeof(of), "xdp-%s", row);
  result_compare(result, name, words, unit, find_series(result, of), peer, best);
}

/* Messages of 8 KiB are told as bytes: what was counted in millions becomes GB. */
static void tell_bytes(struct result *result)
{
  const double gigabytes = 8192 / 1e3;
  for (unsigned i = 0; i < result->comparison_count; i++) {
    struct result_comparison *comparison = &result->comparisons[i];
    if (strcmp(comparison->unit, "GB") != 0)
      continue;
    comparison->value *= gigabytes;
    comparison->peer_value *= gigabytes;
  }
}

void bench_compare(struct result *result)
{
  for (unsigned i = 0; i < COMPARISONS; i++)
    result_compare(result, comparisons[i].name, comparisons[i].words, comparisons[i].unit,
                   find_series(result, comparisons[i].ours), comparisons[i].peer,
                   find_series(result, comparisons[i].theirs));
  for (unsigned i = 0; i < sizeof(best_comparisons) / sizeof(best_comparisons[0]); i++)
    compare_best(result, best_comparisons[i].name, best_comparisons[i].words,
                 best_comparisons[i].unit, best_comparisons[i].row);
  tell_bytes(result);
}
