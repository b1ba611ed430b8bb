/* SPDX-License-Identifier: BSD-2-Clause */
/* Statistics (datasheet 8.2.3.23): the chip's counters, which clear when they are read, added up in
 * 64 bits.
 *
 * Each stands under a name of ethtool's kind. Lengths called bytes do not count the frame check
 * sequence, as everywhere in shunt; those called octets are the chip's own, which counts it in some
 * places. rx_packets and rx_bytes are what reached the queues: the chip's GPRC counts missed frames
 * too (an erratum that Intel's drivers avoid in the same way). A counter sticks at its maximum: 32
 * bits of frames last for five minutes at line rate, 36 bits of bytes for 55 seconds, so read them
 * at least that often. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/nic/ixgbe/ixgbe.h"

#define FCS_BYTES 4u
#define SETS      IXGBE_STATISTICS_QUEUES

/* One accumulator for each counter of the chip; the order is that of hw/ixgbe_stats.h. Counters of
 * the eight traffic classes, of which one is in use, are added together. */
enum {
#define X(name, low, high, bits, text) COUNTER_##name,
  IXGBE_STATISTICS(X)
#undef X
#define X(name, first, bits, text) COUNTER_##name,
      IXGBE_TC_STATISTICS(X)
#undef X
#define X(name, low, low_stride, high, high_stride, bits, text)                                    \
  COUNTER_##name, COUNTER_##name##_LAST = COUNTER_##name + SETS - 1,
          IXGBE_QUEUE_STATISTICS(X)
#undef X
              COUNTERS
};

static const char *const names[COUNTERS] = {
    [COUNTER_GPRC] = "rx_good_packets",
    [COUNTER_GORC] = "rx_good_octets",
    [COUNTER_GPTC] = "tx_good_packets",
    [COUNTER_GOTC] = "tx_good_octets",
    [COUNTER_RXMPC] = "rx_missed",
    [COUNTER_CRCERRS] = "rx_crc_errors",
    [COUNTER_ILLERRC] = "rx_illegal_bytes",
    [COUNTER_ERRBC] = "rx_error_bytes",
    [COUNTER_MSPDC] = "rx_short_discarded",
    [COUNTER_MLFC] = "local_faults",
    [COUNTER_MRFC] = "remote_faults",
    [COUNTER_RLEC] = "rx_length_errors",
    [COUNTER_XEC] = "rx_checksum_errors",
    [COUNTER_RUC] = "rx_undersize",
    [COUNTER_RFC] = "rx_fragments",
    [COUNTER_ROC] = "rx_oversize",
    [COUNTER_RJC] = "rx_jabber",
    [COUNTER_LXONTXC] = "tx_flow_control_xon",
    [COUNTER_LXOFFTXC] = "tx_flow_control_xoff",
    [COUNTER_LXONRXCNT] = "rx_flow_control_xon",
    [COUNTER_LXOFFRXCNT] = "rx_flow_control_xoff",
    [COUNTER_PRC64] = "rx_size_64",
    [COUNTER_PRC127] = "rx_size_65_to_127",
    [COUNTER_PRC255] = "rx_size_128_to_255",
    [COUNTER_PRC511] = "rx_size_256_to_511",
    [COUNTER_PRC1023] = "rx_size_512_to_1023",
    [COUNTER_PRC1522] = "rx_size_1024_to_max",
    [COUNTER_BPRC] = "rx_broadcast",
    [COUNTER_MPRC] = "rx_multicast",
    [COUNTER_PTC64] = "tx_size_64",
    [COUNTER_PTC127] = "tx_size_65_to_127",
    [COUNTER_PTC255] = "tx_size_128_to_255",
    [COUNTER_PTC511] = "tx_size_256_to_511",
    [COUNTER_PTC1023] = "tx_size_512_to_1023",
    [COUNTER_PTC1522] = "tx_size_1024_to_max",
    [COUNTER_MPTC] = "tx_multicast",
    [COUNTER_BPTC] = "tx_broadcast",
    [COUNTER_TPR] = "rx_total_packets",
    [COUNTER_TOR] = "rx_total_octets",
    [COUNTER_TPT] = "tx_total_packets",
    [COUNTER_RXNFGPC] = "rx_unfiltered_packets",
    [COUNTER_RXNFGBC] = "rx_unfiltered_octets",
    [COUNTER_RXDGPC] = "rx_dma_packets",
    [COUNTER_RXDGBC] = "rx_dma_octets",
    [COUNTER_TXDGPC] = "tx_dma_packets",
    [COUNTER_TXDGBC] = "tx_dma_octets",
    [COUNTER_FDIRMATCH] = "fdir_match",
    [COUNTER_FDIRMISS] = "fdir_miss",
    [COUNTER_MNGPRC] = "mgmt_rx_packets",
    [COUNTER_MNGPDC] = "mgmt_rx_dropped",
    [COUNTER_MNGPTC] = "mgmt_tx_packets",
};

/* --- Reading -------------------------------------------------------------------------------------
 */

/* Low first, then high: each half is cleared by its own read (8.2.3.23). */
static uint64_t read_counter(struct ixgbe *ixgbe, uint32_t low, uint32_t high, unsigned bits)
{
  uint64_t value = ixgbe_read(ixgbe, low);
  if (high != IXGBE_NO_HIGH)
    value |= (uint64_t)ixgbe_read(ixgbe, high) << 32;
  return value & ((UINT64_C(1) << bits) - 1);
}

static uint64_t read_classes(struct ixgbe *ixgbe, uint32_t first, unsigned bits)
{
  uint64_t sum = 0;
  for (unsigned i = 0; i < IXGBE_TRAFFIC_CLASSES; i++)
    sum += read_counter(ixgbe, first + i * IXGBE_TC_STATISTIC_STRIDE, IXGBE_NO_HIGH, bits);
  return sum;
}

/* A device that is gone reads all ones everywhere: that is no count. */
static void accumulate(struct ixgbe *ixgbe)
{
  uint64_t *counters = ixgbe->counters;
  if (ixgbe_read(ixgbe, IXGBE_STATUS) == UINT32_MAX)
    return;
#define X(name, low, high, bits, text)                                                             \
  counters[COUNTER_##name] += read_counter(ixgbe, low, high, bits);
  IXGBE_STATISTICS(X)
#undef X
#define X(name, first, bits, text) counters[COUNTER_##name] += read_classes(ixgbe, first, bits);
  IXGBE_TC_STATISTICS(X)
#undef X
#define X(name, low, low_stride, high, high_stride, bits, text)                                    \
  counters[COUNTER_##name + set] +=                                                                \
      read_counter(ixgbe, (low) + set * (low_stride),                                              \
                   (high) == IXGBE_NO_HIGH ? IXGBE_NO_HIGH : (high) + set * (high_stride), bits);
  for (unsigned set = 0; set < SETS; set++) {
    IXGBE_QUEUE_STATISTICS(X)
  }
#undef X
}

/* --- Sixteen sets for the queues ---------------------------------------------------------------
 */

/* The set of a queue: its own while there are enough, the last one shared by those above. */
static unsigned set_of(unsigned queue)
{
  return queue < SETS ? queue : SETS - 1;
}

static void map_queues(struct ixgbe *ixgbe)
{
  for (unsigned i = 0; i < IXGBE_RX_QUEUES / 4; i++) {
    uint32_t map = 0;
    for (unsigned q = 4 * i; q < 4 * i + 4; q++)
      map |= set_of(q) << (8 * (q % 4));
    ixgbe_write(ixgbe, IXGBE_RQSMR(i), map);
    ixgbe_write(ixgbe, IXGBE_TQSM(i), map);
  }
}

/* 4.6.5: read once to clear what power-on or an earlier owner left. */
int ixgbe_statistics_start(struct ixgbe *ixgbe, struct shunt_error *error)
{
  ixgbe->counters = calloc(COUNTERS, sizeof(*ixgbe->counters));
  if (!ixgbe->counters)
    return shunt_error_set(error, -ENOMEM, "no memory for the statistics");
  map_queues(ixgbe);
  accumulate(ixgbe);
  memset(ixgbe->counters, 0, COUNTERS * sizeof(*ixgbe->counters));
  return 0;
}

/* --- Reporting -----------------------------------------------------------------------------------
 */

struct report {
  struct shunt_statistic *statistics;
  unsigned room, count;
};

static void put(struct report *report, const char *name, uint64_t value)
{
  unsigned i = report->count++;
  if (i >= report->room)
    return;
  snprintf(report->statistics[i].name, sizeof(report->statistics[i].name), "%s", name);
  report->statistics[i].value = value;
}

static uint64_t sum_sets(const uint64_t first[SETS])
{
  uint64_t sum = 0;
  for (unsigned set = 0; set < SETS; set++)
    sum += first[set];
  return sum;
}

/* With CRC stripping on, the receive side counts lengths without it (as drivers found out; the
 * datasheet does not say), the send side with it. Pause frames, which the chip sends by itself, are
 * taken off what was sent. */
static void put_totals(struct report *report, const uint64_t *counters)
{
  uint64_t pauses = counters[COUNTER_LXONTXC] + counters[COUNTER_LXOFFTXC];
  uint64_t sent = counters[COUNTER_GPTC], octets = counters[COUNTER_GOTC];
  put(report, "rx_packets", sum_sets(counters + COUNTER_QPRC));
  put(report, "tx_packets", sent > pauses ? sent - pauses : 0);
  put(report, "rx_bytes", sum_sets(counters + COUNTER_QBRC));
  uint64_t without = sent * FCS_BYTES + pauses * SHUNT_ETHERNET_MIN_BYTES;
  put(report, "tx_bytes", octets > without ? octets - without : 0);
  put(report, "rx_dropped", sum_sets(counters + COUNTER_QPRDC));
}

static void put_queue(struct report *report, const char *direction, unsigned set, bool shared,
                      const char *what, uint64_t value)
{
  char name[32];
  snprintf(name, sizeof(name), "%s_q%u%s_%s", direction, set, shared ? "_and_above" : "", what);
  put(report, name, value);
}

static void put_queues(struct report *report, const struct ixgbe *ixgbe)
{
  const uint64_t *counters = ixgbe->counters;
  for (unsigned set = 0; set < SETS && set < ixgbe->options.queues; set++) {
    bool shared = set == SETS - 1 && ixgbe->options.queues > SETS;
    put_queue(report, "rx", set, shared, "packets", counters[COUNTER_QPRC + set]);
    put_queue(report, "rx", set, shared, "bytes", counters[COUNTER_QBRC + set]);
    put_queue(report, "rx", set, shared, "dropped", counters[COUNTER_QPRDC + set]);
    put_queue(report, "tx", set, shared, "packets", counters[COUNTER_QPTC + set]);
    put_queue(report, "tx", set, shared, "bytes", counters[COUNTER_QBTC + set]);
  }
}

static void put_own(struct report *report, const struct ixgbe *ixgbe)
{
  unsigned five_tuples = 0;
  for (unsigned i = 0; i < IXGBE_FTQF_FILTERS; i++)
    five_tuples += ixgbe->five_tuples[i].used;
  put(report, "link_changes", ixgbe->link_changes);
  put(report, "filters_five_tuple", five_tuples);
  put(report, "filters_perfect", ixgbe->perfect_count);
  put(report, "multicast_exact", ixgbe->group_count - ixgbe->hashed);
  put(report, "multicast_hashed", ixgbe->hashed);
}

/* Counters without a name (FCoE, pools, priorities) are kept clear but not reported: what they
 * count is never switched on here. */
unsigned ixgbe_statistics(struct shunt_port *port, struct shunt_statistic statistics[], unsigned n)
{
  struct ixgbe *ixgbe = ixgbe_of(port);
  struct report report = {.statistics = statistics, .room = n};
  if (n) {
    ixgbe_link_events(ixgbe);
    accumulate(ixgbe);
  }
  put_totals(&report, ixgbe->counters);
  for (unsigned i = 0; i < COUNTERS; i++)
    if (names[i])
      put(&report, names[i], ixgbe->counters[i]);
  put_queues(&report, ixgbe);
  put_own(&report, ixgbe);
  return report.count;
}
