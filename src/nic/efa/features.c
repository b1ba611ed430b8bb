/* SPDX-License-Identifier: BSD-2-Clause */
/* What the device says of itself (GET_FEATURE), and what it is told of us. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "src/nic/efa/efa.h"

/* What the driver stands on, the least that Linux takes too (efa_com.c: efa_com_validate_version).
 */
#define LEAST_VERSION    0x0001u
#define LEAST_CONTROLLER 1u
#define LEAST_DMA_BITS   32u
#define MOST_DMA_BITS    64u

#define HOST_INFO_OFFSET 512u /* in the block of small things */

static int too_old(struct efa *efa, struct shunt_error *error, const char *what, uint32_t value)
{
  shunt_error_set(error, -EOPNOTSUPP, "%s is no EFA that this driver can use", efa->pci->address);
  shunt_error_why(error, "%s is 0x%x", what, value);
  shunt_error_remedy(error, "look for a newer version of this library, or of the device");
  return -EOPNOTSUPP;
}

static int check_versions(struct efa *efa, struct shunt_error *error)
{
  uint32_t version, controller, caps;
  int result = efa_read(efa, EFA_VERSION, "VERSION", &version, error);
  result = result ? result
                  : efa_read(efa, EFA_CONTROLLER_VERSION, "CONTROLLER_VERSION", &controller, error);
  result = result ? result : efa_read(efa, EFA_CAPS, "CAPS", &caps, error);
  if (result)
    return result;
  uint32_t bits = HW_GET(EFA_CAPS_DMA_ADDRESS_BITS, caps);
  if ((version & (EFA_VERSION_MAJOR | EFA_VERSION_MINOR)) < LEAST_VERSION)
    return too_old(efa, error, "its interface's version", version);
  if ((controller & ~EFA_CONTROLLER_VERSION_IMPL_ID) < LEAST_CONTROLLER)
    return too_old(efa, error, "its controller's version", controller);
  if (bits < LEAST_DMA_BITS || bits > MOST_DMA_BITS)
    return too_old(efa, error, "its width of DMA addresses", bits);
  return 0;
}

static int get(struct efa *efa, enum efa_feature feature, void *into, size_t bytes,
               struct shunt_error *error)
{
  struct efa_feature_command command = {.head.opcode = EFA_ADMIN_GET_FEATURE,
                                        .feature = (uint8_t)feature};
  struct efa_acq_entry answer = {0};
  int result = efa_command(efa, &command, sizeof(command), &answer, error);
  if (result)
    return shunt_error_within(error, result, "feature %d", (int)feature);
  memcpy(into, answer.body, bytes);
  return 0;
}

static bool has(const struct efa *efa, enum efa_feature feature)
{
  return efa->device.supported_features >> feature & 1;
}

/* What the rest of the driver takes for granted. */
static int check_features(struct efa *efa, struct shunt_error *error)
{
  const struct efa_feature_queues *queues = &efa->queues;
  if (efa->device.doorbell_bar >= 6)
    return too_old(efa, error, "the BAR of its doorbells", efa->device.doorbell_bar);
  if (queues->inline_bytes < EFA_INLINE_BYTES)
    return too_old(efa, error, "how much it takes inline", queues->inline_bytes);
  if (!queues->sub_cqs_per_cq || queues->sub_cqs_per_cq > EFA_SUB_CQS_MOST)
    return too_old(efa, error, "the number of rings in a completion queue", queues->sub_cqs_per_cq);
  if (!(efa->device.page_sizes & EFA_PAGE_BYTES))
    return too_old(efa, error, "its page sizes, without 4096,", (uint32_t)efa->device.page_sizes);
  return 0;
}

int efa_features_read(struct efa *efa, struct shunt_error *error)
{
  struct efa_feature_queues_2 wide = {0};
  int result = check_versions(efa, error);
  if (!result)
    result = get(efa, EFA_FEATURE_DEVICE_ATTR, &efa->device, sizeof(efa->device), error);
  if (!result)
    result = get(efa, EFA_FEATURE_QUEUE_ATTR_1, &efa->queues, sizeof(efa->queues), error);
  if (!result && has(efa, EFA_FEATURE_QUEUE_ATTR_2))
    result = get(efa, EFA_FEATURE_QUEUE_ATTR_2, &wide, sizeof(wide), error);
  if (!result)
    result = get(efa, EFA_FEATURE_NETWORK_ATTR, &efa->network, sizeof(efa->network), error);
  if (!result && has(efa, EFA_FEATURE_EVENT_QUEUE_ATTR))
    result = get(efa, EFA_FEATURE_EVENT_QUEUE_ATTR, &efa->event_queues, sizeof(efa->event_queues),
                 error);
  if (!result && has(efa, EFA_FEATURE_HW_HINTS))
    result = get(efa, EFA_FEATURE_HW_HINTS, &efa->hints, sizeof(efa->hints), error);
  if (result)
    return result;
  efa->inline_bytes_wide = wide.inline_bytes_wide < EFA_INLINE_BYTES_WIDE ? wide.inline_bytes_wide
                                                                          : EFA_INLINE_BYTES_WIDE;
  const struct shunt_fabric_options *options = &efa->fabric.options;
  if (efa->hints.mmio_read_timeout_ms)
    efa->read_timeout_ns = efa->hints.mmio_read_timeout_ms * EFA_NS_PER_MS;
  if (efa->hints.admin_timeout_ms && !options->admin_timeout_ms)
    efa->admin_timeout_ns = efa->hints.admin_timeout_ms * EFA_NS_PER_MS;
  if (efa->hints.watchdog_timeout_ms && !options->watchdog_ms)
    efa->watchdog_ns = efa->hints.watchdog_timeout_ms * EFA_NS_PER_MS;
  return check_features(efa, error);
}

/* All groups that Linux wants, as far as they are there. */
int efa_events_enable(struct efa *efa, struct shunt_error *error)
{
  struct efa_feature_aenq groups = {0};
  int result = get(efa, EFA_FEATURE_AENQ_CONFIG, &groups, sizeof(groups), error);
  if (result)
    return result;
  struct efa_feature_command command = {.head.opcode = EFA_ADMIN_SET_FEATURE,
                                        .feature = EFA_FEATURE_AENQ_CONFIG};
  command.u.aenq.enabled_groups = groups.supported_groups & EFA_AENQ_GROUPS;
  efa->keeps_alive = groups.supported_groups >> EFA_AENQ_KEEP_ALIVE & 1;
  if (!efa->keeps_alive)
    shunt_log_write(efa->pci->log, SHUNT_LOG_WARNING,
                    "%s has no keep-alive events: nobody will see that it has died",
                    efa->pci->address);
  return efa_command(efa, &command, sizeof(command), NULL, error);
}

/* For Amazon's support; a device that does not want to know is none the worse. */
void efa_host_tell(struct efa *efa)
{
  struct efa_host_info *info = (void *)((uint8_t *)efa->small.memory + HOST_INFO_OFFSET);
  uint64_t address = efa->small.address + HOST_INFO_OFFSET;
  struct utsname name;
  unsigned major = 0, minor = 0;
  if (!has(efa, EFA_FEATURE_HOST_INFO) || uname(&name))
    return;
  memset(info, 0, sizeof(*info));
  snprintf((char *)info->distribution, sizeof(info->distribution), "shunt %s", SHUNT_VERSION);
  snprintf((char *)info->kernel_version_text, sizeof(info->kernel_version_text), "%.31s",
           name.release);
  if (sscanf(name.release, "%u.%u", &major, &minor) == 2)
    info->kernel_version = major << 16 | minor << 8;
  info->spec_version = (uint16_t)efa->device.admin_api_version;
  struct efa_feature_command command = {
      .head = {.opcode = EFA_ADMIN_SET_FEATURE, .flags = EFA_AQ_CONTROL},
      .buffer = {.length = sizeof(*info), .address = efa_address(address)},
      .feature = EFA_FEATURE_HOST_INFO};
  struct shunt_error error;
  if (efa_command(efa, &command, sizeof(command), NULL, &error))
    shunt_log_error(efa->pci->log, SHUNT_LOG_DEBUG, &error);
}

uint32_t efa_caps(const struct efa *efa)
{
  uint32_t caps = efa->device.caps;
  return (caps & EFA_DEVICE_RDMA_READ ? (uint32_t)SHUNT_FABRIC_RDMA_READ : 0) |
         (caps & EFA_DEVICE_RDMA_WRITE ? (uint32_t)SHUNT_FABRIC_RDMA_WRITE : 0) |
         (caps & EFA_DEVICE_RNR_RETRY ? (uint32_t)SHUNT_FABRIC_RNR_RETRY : 0) |
         (caps & EFA_DEVICE_UNSOLICITED_WRITE_RECV ? (uint32_t)SHUNT_FABRIC_UNSOLICITED : 0);
}
