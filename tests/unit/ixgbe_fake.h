/* SPDX-License-Identifier: BSD-2-Clause */
/* A PCI function for tests of the 82599 driver: registers that answer as the chip's do where
 * bring-up waits for them, a trace of all that is written, and ways to be out of order. */
#ifndef TESTS_UNIT_IXGBE_FAKE_H
#define TESTS_UNIT_IXGBE_FAKE_H

#include <string.h>

#include "hw/ixgbe.h"
#include "hw/pci.h"
#include "src/nic/ixgbe/ixgbe.h"

#define FAKE_REGISTERS (0x20000u / 4)
#define FAKE_TRACE     16384u

struct fake {
  struct pci pci;
  struct shunt_virtual_clock time;
  struct shunt_clock clock;
  uint32_t registers[FAKE_REGISTERS];
  uint32_t command; /* PCI command register */
  struct {
    uint32_t offset, value;
  } trace[FAKE_TRACE];
  unsigned writes;
  uint32_t stuck_offset, stuck_mask, stuck_value; /* mask 0: nothing is stuck */
  uint64_t reads_left;                            /* then the device is gone; UINT64_MAX: never */
  uint16_t eeprom[4096];
  unsigned mapped, closed;
  uint32_t rejected_rdt; /* tails written to a ring that was not enabled */
};

static inline struct fake *fake_of(struct pci *pci)
{
  return (struct fake *)pci;
}

static inline uint32_t *fake_register(struct fake *fake, uint64_t offset)
{
  return &fake->registers[offset / 4 % FAKE_REGISTERS];
}

static inline void fake_close(struct pci *pci)
{
  fake_of(pci)->closed++;
}

static inline uint32_t fake_answer(struct fake *fake, uint32_t offset)
{
  uint32_t *value = fake_register(fake, offset);
  switch (offset) {
  case IXGBE_STATUS: {
    bool quiet = *fake_register(fake, IXGBE_CTRL) & IXGBE_CTRL_GIO_DIS;
    return quiet ? 0 : IXGBE_STATUS_GIO;
  }
  case IXGBE_SWSM: {
    uint32_t was = *value;
    *value |= IXGBE_SWSM_SMBI;
    return was;
  }
  case IXGBE_SECRXSTAT:
    return *fake_register(fake, IXGBE_SECRXCTRL) & IXGBE_SECRXCTRL_RX_DIS ? IXGBE_SECRXSTAT_RDY : 0;
  case IXGBE_EEC:
    return *value | IXGBE_EEC_ARD | IXGBE_EEC_PRES;
  case IXGBE_RDRXCTL:
    return *value | IXGBE_RDRXCTL_DMAIDONE;
  case IXGBE_EERD:
    return *value | IXGBE_EERD_DONE |
           HW_FIELD(IXGBE_EERD_DATA,
                    (uint32_t)fake->eeprom[HW_GET(IXGBE_EERD_ADDR, *value) % 4096]);
  case IXGBE_FDIRCTRL:
    return *value | IXGBE_FDIRCTRL_INIT_DONE;
  case IXGBE_I2CCTL: /* nobody pulls the lines low */
    return *value | (*value & IXGBE_I2CCTL_CLK_OUT ? IXGBE_I2CCTL_CLK_IN : 0) |
           (*value & IXGBE_I2CCTL_DATA_OUT ? IXGBE_I2CCTL_DATA_IN : 0);
  default:
    return *value;
  }
}

static inline uint32_t fake_read32(struct pci *pci, unsigned bar, uint64_t offset)
{
  struct fake *fake = fake_of(pci);
  (void)bar;
  if (fake->reads_left == 0)
    return UINT32_MAX;
  if (fake->reads_left != UINT64_MAX)
    fake->reads_left--;
  uint32_t value = fake_answer(fake, (uint32_t)offset);
  if (fake->stuck_mask && offset == fake->stuck_offset)
    value = (value & ~fake->stuck_mask) | fake->stuck_value;
  return value;
}

static inline void fake_reset(struct fake *fake)
{
  uint32_t low = *fake_register(fake, IXGBE_RAL(0)), high = *fake_register(fake, IXGBE_RAH(0));
  memset(fake->registers, 0, sizeof(fake->registers));
  *fake_register(fake, IXGBE_RAL(0)) = low;
  *fake_register(fake, IXGBE_RAH(0)) = high;
}

static inline void fake_write32(struct pci *pci, unsigned bar, uint64_t offset, uint32_t value)
{
  struct fake *fake = fake_of(pci);
  (void)bar;
  if (fake->writes < FAKE_TRACE) {
    fake->trace[fake->writes].offset = (uint32_t)offset;
    fake->trace[fake->writes].value = value;
  }
  fake->writes++;
  if (offset == IXGBE_RDT(0) && !(*fake_register(fake, IXGBE_RXDCTL(0)) & IXGBE_RXDCTL_ENABLE))
    fake->rejected_rdt++;
  if (offset == IXGBE_CTRL && (value & IXGBE_CTRL_RST)) {
    fake_reset(fake); /* and the bit clears itself */
    return;
  }
  *fake_register(fake, offset) = offset == IXGBE_FDIRCMD ? value & ~IXGBE_FDIRCMD_CMD : value;
}

static inline volatile uint32_t *fake_direct(struct pci *pci, unsigned bar, uint64_t offset)
{
  (void)pci, (void)bar, (void)offset;
  return NULL;
}

static inline int fake_config_read(struct pci *pci, unsigned offset, unsigned bytes,
                                   uint32_t *value)
{
  (void)bytes;
  *value = offset == PCI_CFG_COMMAND ? fake_of(pci)->command : 0;
  return 0;
}

static inline int fake_config_write(struct pci *pci, unsigned offset, unsigned bytes,
                                    uint32_t value)
{
  (void)bytes;
  if (offset == PCI_CFG_COMMAND)
    fake_of(pci)->command = value;
  return 0;
}

/* Device addresses that jump: what an IOMMU may do from one 2 MiB step to the next. */
static inline int fake_dma_map(struct pci *pci, struct shunt_region *region, uint64_t delta[],
                               struct shunt_error *error)
{
  (void)error;
  uint64_t steps = shunt_region_bytes(region) >> SHUNT_REGION_ALIGN_SHIFT;
  for (uint64_t i = 0; i < steps; i++)
    delta[i] = (UINT64_C(1) << 40) * (i + 1);
  fake_of(pci)->mapped++;
  return 0;
}

static inline void fake_dma_unmap(struct pci *pci, struct shunt_region *region,
                                  const uint64_t delta[])
{
  (void)region, (void)delta;
  fake_of(pci)->mapped--;
}

static inline int fake_interrupts(struct pci *pci, unsigned n, int fds[], struct shunt_error *error)
{
  (void)pci, (void)error;
  for (unsigned i = 0; i < n; i++)
    fds[i] = -1;
  return 0;
}

static const struct pci_ops fake_ops = {.close = fake_close,
                                        .read32 = fake_read32,
                                        .write32 = fake_write32,
                                        .direct = fake_direct,
                                        .config_read = fake_config_read,
                                        .config_write = fake_config_write,
                                        .dma_map = fake_dma_map,
                                        .dma_unmap = fake_dma_unmap,
                                        .interrupts = fake_interrupts};

static inline void fake_init(struct fake *fake, uint16_t device)
{
  memset(fake, 0, sizeof(*fake));
  shunt_virtual_clock_init(&fake->time, 0);
  fake->clock = shunt_virtual_clock_view(&fake->time);
  fake->reads_left = UINT64_MAX;
  memset(fake->eeprom, 0xFF, sizeof(fake->eeprom));
  *fake_register(fake, IXGBE_RAL(0)) = 0x59820002;
  *fake_register(fake, IXGBE_RAH(0)) = IXGBE_RAH_AV | 0x0190;
  fake->pci = (struct pci){.ops = &fake_ops,
                           .clock = &fake->clock,
                           .address = "fake",
                           .path = "a test",
                           .vendor = IXGBE_VENDOR_INTEL,
                           .device = device,
                           .numa_node = SHUNT_NUMA_ANY,
                           .vectors = 64};
}

/* The place in the trace where so many bits of the register were first written as value, from from
 * on; or FAKE_TRACE. */
static inline unsigned fake_find(const struct fake *fake, unsigned from, uint32_t offset,
                                 uint32_t mask, uint32_t value)
{
  for (unsigned i = from; i < fake->writes && i < FAKE_TRACE; i++)
    if (fake->trace[i].offset == offset && (fake->trace[i].value & mask) == value)
      return i;
  return FAKE_TRACE;
}

#endif
