/* SPDX-License-Identifier: BSD-2-Clause */
/* What the device says of itself, and what it has counted. */
#include <string.h>

#include "twin/efa/efa.h"

#define FEATURE(id)      (UINT64_C(1) << (id))
#define FIRMWARE_VERSION 0x00010000u
#define API_VERSION      0x00000001u /* 0.1 */
#define ADDRESS_BITS     52u
#define LINK_GBPS        100u

static uint64_t features_of(const struct efa_twin *twin)
{
  uint64_t all = FEATURE(EFA_FEATURE_DEVICE_ATTR) | FEATURE(EFA_FEATURE_AENQ_CONFIG) |
                 FEATURE(EFA_FEATURE_NETWORK_ATTR) | FEATURE(EFA_FEATURE_QUEUE_ATTR_1) |
                 FEATURE(EFA_FEATURE_HW_HINTS) | FEATURE(EFA_FEATURE_HOST_INFO) |
                 FEATURE(EFA_FEATURE_EVENT_QUEUE_ATTR);
  return efa_twin_has_wide(twin) ? all | FEATURE(EFA_FEATURE_QUEUE_ATTR_2) : all;
}

static uint64_t guid_of(const struct efa_twin *twin)
{
  uint64_t guid;
  memcpy(&guid, twin->gid.bytes + 8, sizeof(guid));
  return guid;
}

static struct efa_feature_device describe_device(const struct efa_twin *twin)
{
  uint32_t caps = EFA_DEVICE_RNR_RETRY;
  if (efa_twin_has_read(twin))
    caps |= EFA_DEVICE_RDMA_READ;
  if (efa_twin_has_write(twin))
    caps |= EFA_DEVICE_RDMA_WRITE | EFA_DEVICE_UNSOLICITED_WRITE_RECV;
  return (struct efa_feature_device){.supported_features = features_of(twin),
                                     .page_sizes = UINT64_C(0x7FFFF000), /* 4 KiB to 1 GiB */
                                     .firmware_version = FIRMWARE_VERSION,
                                     .admin_api_version = API_VERSION,
                                     .device_version = twin->options.device_id & 0xFu,
                                     .doorbell_bar = EFA_TWIN_BAR_DOORBELLS,
                                     .physical_address_bits = ADDRESS_BITS,
                                     .virtual_address_bits = ADDRESS_BITS,
                                     .caps = caps,
                                     .max_rdma_bytes =
                                         efa_twin_has_read(twin) ? EFA_TWIN_RDMA_BYTES : 0,
                                     .guid = guid_of(twin),
                                     .max_link_speed_gbps = LINK_GBPS};
}

static struct efa_feature_queues describe_queues(const struct efa_twin *twin)
{
  return (struct efa_feature_queues){.max_qp = EFA_TWIN_QPS,
                                     .max_sq_depth = EFA_TWIN_SQ_DEPTH,
                                     .inline_bytes = EFA_INLINE_BYTES,
                                     .max_rq_depth = EFA_TWIN_RQ_DEPTH,
                                     .max_cq = EFA_TWIN_CQS,
                                     .max_cq_depth = EFA_TWIN_CQ_DEPTH,
                                     .sub_cqs_per_cq = efa_twin_sub_cqs(twin),
                                     .min_sq_depth = EFA_TWIN_SQ_DEPTH_MIN,
                                     .max_send_sges = EFA_SEND_SGES,
                                     .max_recv_sges = EFA_TWIN_RQ_SGES,
                                     .max_mr = EFA_TWIN_MRS,
                                     .max_mr_pages = EFA_TWIN_MR_PAGES,
                                     .max_pd = EFA_TWIN_PDS,
                                     .max_ah = EFA_TWIN_AHS,
                                     .max_llq_bytes = EFA_TWIN_LLQ_BYTES,
                                     .max_rdma_sges = efa_twin_has_read(twin) ? EFA_RDMA_SGES : 0,
                                     .max_tx_batch = EFA_TWIN_TX_BATCH};
}

uint8_t efa_twin_get_feature(struct efa_twin *twin, const void *command, void *response)
{
  const struct efa_feature_command *asked = command;
  struct efa_get_feature_response *answer = response;
  if (asked->feature > 63 || !(features_of(twin) & FEATURE(asked->feature)))
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  switch (asked->feature) {
  case EFA_FEATURE_DEVICE_ATTR:
    answer->u.device = describe_device(twin);
    break;
  case EFA_FEATURE_QUEUE_ATTR_1:
    answer->u.queues = describe_queues(twin);
    break;
  case EFA_FEATURE_QUEUE_ATTR_2:
    answer->u.queues_2.inline_bytes_wide = EFA_INLINE_BYTES_WIDE;
    break;
  case EFA_FEATURE_EVENT_QUEUE_ATTR:
    answer->u.event_queues = (struct efa_feature_event_queues){EFA_TWIN_EQS, EFA_TWIN_EQ_DEPTH,
                                                               EFA_CREATE_EQ_COMPLETIONS};
    break;
  case EFA_FEATURE_AENQ_CONFIG:
    answer->u.aenq = (struct efa_feature_aenq){EFA_AENQ_GROUPS, twin->aenq_groups};
    break;
  case EFA_FEATURE_NETWORK_ATTR:
    memcpy(answer->u.network.gid, twin->gid.bytes, sizeof(answer->u.network.gid));
    answer->u.network.mtu = EFA_TWIN_MTU;
    break;
  case EFA_FEATURE_HW_HINTS:
    break; /* zeros: whatever the driver thinks best */
  default:
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  }
  return EFA_ADMIN_SUCCESS;
}

uint8_t efa_twin_set_feature(struct efa_twin *twin, const void *command, void *response)
{
  const struct efa_feature_command *asked = command;
  (void)response;
  switch (asked->feature) {
  case EFA_FEATURE_AENQ_CONFIG:
    if (asked->u.aenq.enabled_groups & ~EFA_AENQ_GROUPS)
      return EFA_ADMIN_ILLEGAL_PARAMETER;
    twin->aenq_groups = asked->u.aenq.enabled_groups;
    twin->keep_alive_ns = 0;
    if (twin->aenq_groups & 1u << EFA_AENQ_KEEP_ALIVE && twin->options.keep_alive_ms)
      twin->keep_alive_ns = twin->now_ns + 1; /* at the next turn */
    return EFA_ADMIN_SUCCESS;
  case EFA_FEATURE_HOST_INFO: {
    uint64_t address = (uint64_t)asked->buffer.address.hi << 32 | asked->buffer.address.lo;
    if (!(asked->head.flags & EFA_AQ_CONTROL) ||
        asked->buffer.length < sizeof(struct efa_host_info) ||
        !shunt_model_dma(&twin->model, address, sizeof(struct efa_host_info), 0))
      return EFA_ADMIN_ILLEGAL_PARAMETER;
    return EFA_ADMIN_SUCCESS;
  }
  default:
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  }
}

uint64_t efa_twin_rx_drops(const struct efa_twin *twin)
{
  return twin->drops.no_qp + twin->drops.not_ready + twin->drops.too_long;
}

uint8_t efa_twin_get_stats(struct efa_twin *twin, const void *command, void *response)
{
  const struct efa_get_stats *asked = command;
  struct efa_get_stats_response *answer = response;
  const struct srd_statistics *srd = srd_statistics(twin->srd);
  const struct efa_twin_statistics *own = &twin->statistics;
  if (asked->scope != EFA_STATS_ALL)
    return EFA_ADMIN_ILLEGAL_PARAMETER; /* no driver asks for a queue's: there is no such count */
  switch (asked->type) {
  case EFA_STATS_BASIC:
    answer->u.basic = (struct efa_stats_basic){.tx_bytes = srd->tx_bytes,
                                               .tx_pkts = srd->tx_packets,
                                               .rx_bytes = srd->rx_bytes,
                                               .rx_pkts = srd->rx_packets,
                                               .rx_drops = efa_twin_rx_drops(twin),
                                               .qkey_viol = twin->drops.qkey_violation};
    break;
  case EFA_STATS_MESSAGES:
    answer->u.messages = own->messages;
    break;
  case EFA_STATS_RDMA_READ:
    answer->u.rdma_read = own->read;
    break;
  case EFA_STATS_RDMA_WRITE:
    answer->u.rdma_write = own->write;
    break;
  case EFA_STATS_NETWORK:
    answer->u.network = (struct efa_stats_network){
        .retrans_bytes = srd->retransmitted_bytes,
        .retrans_pkts = srd->retransmitted_packets,
        .retrans_timeout_events = srd->timeouts,
        .unresponsive_remote_events = srd->unresponsive + srd->unreachable,
        .impaired_remote_conn_events = srd->impaired_paths};
    break;
  default:
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  }
  return EFA_ADMIN_SUCCESS;
}
