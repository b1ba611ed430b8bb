/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/pci/pci.h"

#include <errno.h>
#include <string.h>

#include "src/core/error_internal.h"
#include "src/core/params.h"
#include "src/pci/address.h"

/* Between two looks: a turn for a model, and short enough that no driver waits noticeably. */
#define PCI_STEP_LEAST_NS UINT64_C(1000)
#define PCI_STEP_MOST_NS  UINT64_C(100000)

#define PCI_GONE UINT32_C(0xFFFFFFFF) /* what a read that no device answers gives */

#define PCI_VFIO_USER "vfio-user:"

static int pci_open_address(const char *location, const struct pci_open_options *options,
                            struct pci **pci, struct shunt_error *error)
{
  char address[PCI_ADDRESS_BYTES], driver[PCI_NAME_BYTES];
  int code = address_find(options->sysfs, location, address, error);
  if (code == -EINVAL)
    shunt_error_remedy(error, "write 0000:03:00.0, as lspci -D does, or twin, or "
                              "vfio-user:/run/x.sock");
  if (code < 0)
    return code;
  address_link(options->sysfs, address, "driver", driver);
  if (strcmp(driver, "vfio-pci") == 0)
    return pci_open_vfio(address, options, pci, error);
  return pci_open_sysfs(address, options, pci, error);
}

int pci_open(const char *location, const struct pci_open_options *options, struct pci **pci,
             struct shunt_error *error)
{
  struct pci_open_options complete = *options;
  if (complete.clock == NULL)
    complete.clock = shunt_clock_real();
  int code;
  if (strcmp(location, "twin") == 0)
    code = pci_open_inproc(&complete, pci, error);
  else if (strncmp(location, PCI_VFIO_USER, strlen(PCI_VFIO_USER)) == 0)
    code = pci_open_vfio_user(location + strlen(PCI_VFIO_USER), &complete, pci, error);
  else
    code = pci_open_address(location, &complete, pci, error);
  if (code == 0)
    shunt_log_write(complete.log, SHUNT_LOG_INFO, "opened %04x:%04x at %s: %s", (*pci)->vendor,
                    (*pci)->device, (*pci)->address, (*pci)->path);
  return code;
}

int pci_open_named(const char *location, const struct pci_open_options *options,
                   struct params *params, struct pci **pci, struct shunt_error *error)
{
  char keys[PARAMS_TEXT_BYTES] = "";
  struct pci_open_options how = *options;
  how.keys = keys;
  int code = strcmp(location, "twin") == 0 ? params_rest(params, keys, sizeof(keys)) : 0;
  if (code)
    return error_set_errno(error, code, "the keys of the twin are too long");
  return pci_open(location, &how, pci, error);
}

void pci_close(struct pci *pci)
{
  if (pci != NULL)
    pci->ops->close(pci);
}

/* Sleep, in steps that double, until the deadline: a model gets a turn in each. Returns the length
 * of the next step. */
static uint64_t pci_rest(struct pci *pci, uint64_t step_ns, uint64_t left_ns)
{
  pci_step(pci);
  shunt_clock_sleep_ns(pci->clock, step_ns < left_ns ? step_ns : left_ns);
  return step_ns * 2 < PCI_STEP_MOST_NS ? step_ns * 2 : PCI_STEP_MOST_NS;
}

void pci_delay_ns(struct pci *pci, uint64_t ns)
{
  uint64_t start_ns = shunt_clock_now_ns(pci->clock);
  uint64_t step_ns = PCI_STEP_LEAST_NS;
  uint64_t passed_ns = 0;
  while (passed_ns < ns) {
    step_ns = pci_rest(pci, step_ns, ns - passed_ns);
    passed_ns = shunt_clock_now_ns(pci->clock) - start_ns;
  }
  pci_step(pci);
}

int pci_wait32(struct pci *pci, uint64_t offset, uint32_t mask, uint32_t value, uint64_t timeout_ns,
               const char *name, struct shunt_error *error)
{
  uint64_t start_ns = shunt_clock_now_ns(pci->clock);
  uint64_t step_ns = PCI_STEP_LEAST_NS;
  for (;;) {
    /* The time is taken before the look: who lost the CPU in between has not waited too long. */
    uint64_t passed_ns = shunt_clock_now_ns(pci->clock) - start_ns;
    uint32_t read = pci_read32(pci, offset);
    if (read == PCI_GONE && mask != PCI_GONE) {
      shunt_error_set(error, -EIO, "%s does not answer while waiting for %s", pci->address, name);
      shunt_error_why(error, "register 0x%05llx reads 0xffffffff", (unsigned long long)offset);
      shunt_error_remedy(error, "see whether it fell off the bus: dmesg, lspci -s %s",
                         pci->address);
      return -EIO;
    }
    if ((read & mask) == value)
      return 0;
    if (passed_ns >= timeout_ns) {
      shunt_error_set(error, -ETIMEDOUT, "%s: waited %llu us for %s", pci->address,
                      (unsigned long long)(passed_ns / 1000), name);
      shunt_error_why(error, "register 0x%05llx & 0x%08x should be 0x%08x; it reads 0x%08x",
                      (unsigned long long)offset, mask, value, read);
      return -ETIMEDOUT;
    }
    step_ns = pci_rest(pci, step_ns, timeout_ns - passed_ns);
  }
}
