/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers are read by asking (MMIO_REG_READ) and waiting for the answer in memory, so that no CPU
 * stalls on a PCIe read; and the reset, which is written and then read until it is done. */
#include <errno.h>

#include "src/nic/efa/efa.h"

#define STEP_LEAST_NS UINT64_C(1000)
#define STEP_MOST_NS  UINT64_C(100000)

#define GONE UINT32_C(0xFFFFFFFF) /* what a read that no device answers gives */

struct efa_wait efa_wait_begin(const struct efa *efa, uint64_t timeout_ns)
{
  return (struct efa_wait){efa_now_ns(efa), timeout_ns, STEP_LEAST_NS};
}

/* What was awaited is looked at once more after the time has passed: who lost the CPU meanwhile has
 * not waited too long. */
bool efa_wait_on(struct efa *efa, struct efa_wait *wait)
{
  uint64_t passed_ns = efa_now_ns(efa) - wait->start_ns;
  if (passed_ns >= wait->timeout_ns) {
    bool first = wait->step_ns != 0;
    wait->step_ns = 0;
    return first;
  }
  uint64_t left_ns = wait->timeout_ns - passed_ns;
  pci_delay_ns(efa->pci, wait->step_ns < left_ns ? wait->step_ns : left_ns);
  wait->step_ns = wait->step_ns * 2 < STEP_MOST_NS ? wait->step_ns * 2 : STEP_MOST_NS;
  return true;
}

static struct efa_mmio_response *response_of(struct efa *efa)
{
  return efa->small.memory;
}

/* A reset forgets it (efa_com.c: efa_com_dev_reset). High half first: the low one makes it valid.
 */
static void tell_response(struct efa *efa)
{
  efa_write(efa, EFA_MMIO_RESP_HI, (uint32_t)(efa->small.address >> 32));
  efa_write(efa, EFA_MMIO_RESP_LO, (uint32_t)efa->small.address);
}

/* No answer. A plain read tells a device that is stuck from one that is gone. */
static int no_answer(struct efa *efa, const char *name, struct shunt_error *error)
{
  const char *address = efa->pci->address;
  unsigned long long ms = efa->read_timeout_ns / EFA_NS_PER_MS;
  uint32_t version = pci_read32(efa->pci, EFA_VERSION);
  if (version == GONE) {
    shunt_error_set(error, -EIO, "%s does not answer while reading %s", address, name);
    shunt_error_why(error, "its registers read 0xffffffff");
    shunt_error_remedy(error, "see whether it fell off the bus: dmesg, lspci -s %s", address);
    return -EIO;
  }
  shunt_error_set(error, -ETIMEDOUT, "%s: waited %llu ms for the answer to reading %s", address, ms,
                  name);
  shunt_error_why(error, "request %u was not answered in memory; VERSION reads 0x%08x directly",
                  efa->read_sequence, version);
  shunt_error_remedy(error, "see whether the device may do DMA (bus mastering, the IOMMU's faults "
                            "in dmesg)");
  return -ETIMEDOUT;
}

int efa_read(struct efa *efa, uint32_t offset, const char *name, uint32_t *value,
             struct shunt_error *error)
{
  struct efa_mmio_response *response = response_of(efa);
  uint16_t sequence = ++efa->read_sequence;
  __atomic_store_n(&response->req_id, (uint16_t)~sequence, __ATOMIC_RELEASE);
  efa_write(efa, EFA_MMIO_REG_READ,
            HW_FIELD(EFA_MMIO_REG_READ_REQ_ID, sequence) |
                HW_FIELD(EFA_MMIO_REG_READ_REG_OFF, offset));
  struct efa_wait wait = efa_wait_begin(efa, efa->read_timeout_ns);
  while (__atomic_load_n(&response->req_id, __ATOMIC_ACQUIRE) != sequence)
    if (!efa_wait_on(efa, &wait))
      return no_answer(efa, name, error);
  if (response->reg_off != offset) {
    shunt_error_set(error, -EIO, "%s can't read %s", efa->pci->address, name);
    shunt_error_why(error, "asked for register 0x%02x, it answered for 0x%02x", offset,
                    response->reg_off);
    return -EIO;
  }
  *value = response->value;
  return 0;
}

/* DEV_STS.RESET_IN_PROGRESS has to become that. */
static int await_reset(struct efa *efa, uint32_t wanted, uint64_t timeout_ns,
                       struct shunt_error *error)
{
  struct efa_wait wait = efa_wait_begin(efa, timeout_ns);
  for (;;) {
    uint32_t status;
    int result = efa_read(efa, EFA_DEV_STS, "DEV_STS", &status, error);
    if (result)
      return result;
    if ((status & EFA_DEV_STS_RESET_IN_PROGRESS) == wanted)
      return 0;
    if (efa_wait_on(efa, &wait))
      continue;
    shunt_error_set(error, -ETIMEDOUT, "%s: waited %llu ms for the reset to %s", efa->pci->address,
                    (unsigned long long)(timeout_ns / EFA_NS_PER_MS), wanted ? "begin" : "end");
    shunt_error_why(error, "DEV_STS reads 0x%08x; RESET_IN_PROGRESS (0x%x) should be %s", status,
                    EFA_DEV_STS_RESET_IN_PROGRESS, wanted ? "set" : "clear");
    return -ETIMEDOUT;
  }
}

/* The order of efa_com.c (efa_com_dev_reset). */
int efa_device_reset(struct efa *efa, enum efa_reset_reason reason, struct shunt_error *error)
{
  uint32_t status, caps;
  tell_response(efa);
  int result = efa_read(efa, EFA_DEV_STS, "DEV_STS", &status, error);
  if (!result)
    result = efa_read(efa, EFA_CAPS, "CAPS", &caps, error);
  if (result)
    return result;
  uint32_t units = HW_GET(EFA_CAPS_RESET_TIMEOUT, caps);
  if (!(status & EFA_DEV_STS_READY) || !units) {
    shunt_error_set(error, -EIO, "%s can't be reset", efa->pci->address);
    shunt_error_why(error, "DEV_STS reads 0x%08x (READY is 0x1), CAPS 0x%08x", status, caps);
    return -EIO;
  }
  uint64_t timeout_ns = units * (EFA_CAPS_TIMEOUT_UNIT_MS * EFA_NS_PER_MS);
  efa_write(efa, EFA_DEV_CTL,
            EFA_DEV_CTL_RESET | HW_FIELD(EFA_DEV_CTL_RESET_REASON, (uint32_t)reason));
  tell_response(efa);
  result = await_reset(efa, EFA_DEV_STS_RESET_IN_PROGRESS, timeout_ns, error);
  if (result)
    return result;
  efa_write(efa, EFA_DEV_CTL, 0);
  result = await_reset(efa, 0, timeout_ns, error);
  uint32_t admin_units = HW_GET(EFA_CAPS_ADMIN_TIMEOUT, caps);
  if (admin_units && !efa->fabric.options.admin_timeout_ms)
    efa->admin_timeout_ns = admin_units * (EFA_CAPS_TIMEOUT_UNIT_MS * EFA_NS_PER_MS);
  return result;
}
