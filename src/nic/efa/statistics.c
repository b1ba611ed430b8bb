/* SPDX-License-Identifier: BSD-2-Clause */
/* What the device has counted, by the names of the kernel's hw_counters (Linux: efa_verbs.c,
 * efa_port_stats_descs), and how it was to be managed (efa_device_stats_descs). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "src/nic/efa/efa.h"

/* The counters of a GET_STATS response stand there in this order. */
static const struct group {
  enum efa_stats_type type;
  uint32_t needs; /* EFA_DEVICE_* */
  const char *names[7];
} groups[] = {
    {EFA_STATS_BASIC,
     0,
     {"tx_bytes", "tx_pkts", "rx_bytes", "rx_pkts", "rx_drops", "qkey_viol", NULL}},
    {EFA_STATS_MESSAGES, 0, {"send_bytes", "send_wrs", "recv_bytes", "recv_wrs", NULL}},
    {EFA_STATS_RDMA_READ,
     EFA_DEVICE_RDMA_READ,
     {"rdma_read_wrs", "rdma_read_bytes", "rdma_read_wr_err", "rdma_read_resp_bytes", NULL}},
    {EFA_STATS_RDMA_WRITE,
     EFA_DEVICE_RDMA_WRITE,
     {"rdma_write_wrs", "rdma_write_bytes", "rdma_write_wr_err", "rdma_write_recv_bytes", NULL}},
    {EFA_STATS_NETWORK,
     0,
     {"retrans_bytes", "retrans_pkts", "retrans_timeout_events", "unresponsive_remote_events",
      "impaired_remote_conn_events", NULL}},
};

struct list {
  struct shunt_statistic *statistics;
  unsigned room, count;
};

static void add(struct list *list, const char *name, uint64_t value)
{
  if (list->count < list->room) {
    struct shunt_statistic *statistic = &list->statistics[list->count];
    snprintf(statistic->name, sizeof(statistic->name), "%s", name);
    statistic->value = value;
  }
  list->count++;
}

static int add_group(struct efa *efa, const struct group *group, struct list *list,
                     struct shunt_error *error)
{
  struct efa_acq_entry answer = {0};
  if (list->room) {
    struct efa_get_stats command = {
        .head.opcode = EFA_ADMIN_GET_STATS, .type = (uint8_t)group->type, .scope = EFA_STATS_ALL};
    int result = efa_command(efa, &command, sizeof(command), &answer, error);
    if (result == -EOPNOTSUPP || result == -EIO)
      return efa->admin_ready ? 0 : result; /* an older device does not have all groups */
    if (result)
      return result;
  }
  for (unsigned i = 0; group->names[i]; i++) {
    uint64_t value;
    memcpy(&value, answer.body + i * sizeof(value), sizeof(value));
    add(list, group->names[i], value);
  }
  return 0;
}

int efa_statistics(struct shunt_fabric *fabric, struct shunt_statistic statistics[], unsigned n,
                   unsigned *count, struct shunt_error *error)
{
  struct efa *efa = efa_of(fabric);
  struct list list = {statistics, n, 0};
  for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
    const struct group *group = &groups[i];
    int result =
        (efa->device.caps & group->needs) == group->needs ? add_group(efa, group, &list, error) : 0;
    if (result)
      return shunt_error_within(error, result, "can't read the statistics");
  }
  add(&list, "submitted_cmds", efa->submitted);
  add(&list, "completed_cmds", efa->completed);
  add(&list, "cmds_err", efa->failed);
  add(&list, "no_completion_cmds", efa->unanswered);
  add(&list, "keep_alive_rcvd", efa->keep_alives);
  *count = list.count;
  return 0;
}
