/* SPDX-License-Identifier: BSD-2-Clause */
/* The EEPROM, and the semaphores in front of what the chip's two ports and its firmware share.
 *
 * Datasheet 10.5.4: SWSM.SMBI keeps the drivers of the two ports apart, SWSM.SWESMBI keeps drivers
 * and firmware apart; with both held a bit of SW_FW_SYNC may be set, and then both are given back.
 * A bit is held only while the resource is used: milliseconds. So what stays held for much longer
 * is left over from a program that was killed, and is taken over. */
#include <errno.h>

#include "src/nic/ixgbe/ixgbe.h"

#define SEMAPHORE_MS 100  /* no holder needs SWSM longer than a few microseconds */
#define RESOURCE_MS  1000 /* as long as other drivers wait for a bit of SW_FW_SYNC */
#define POLL_US      50
#define EERD_MS      100 /* a word takes about 50 us from the part itself */

static int take_smbi(struct ixgbe *ixgbe, struct shunt_error *error)
{
  int result =
      ixgbe_wait_ms(ixgbe, IXGBE_SWSM, IXGBE_SWSM_SMBI, 0, SEMAPHORE_MS, "SWSM.SMBI", error);
  if (result != -ETIMEDOUT)
    return result;
  shunt_log_write(ixgbe->pci->log, SHUNT_LOG_WARNING,
                  "%s: SWSM.SMBI was left taken, perhaps by a program that was killed: freed",
                  ixgbe->pci->address);
  ixgbe_clear(ixgbe, IXGBE_SWSM, IXGBE_SWSM_SMBI | IXGBE_SWSM_SWESMBI);
  return ixgbe_wait_ms(ixgbe, IXGBE_SWSM, IXGBE_SWSM_SMBI, 0, SEMAPHORE_MS, "SWSM.SMBI", error);
}

/* The bit can be set only while the firmware does not hold its own, so it has to be read back. */
static int take_swesmbi(struct ixgbe *ixgbe, struct shunt_error *error)
{
  for (unsigned us = 0; us < SEMAPHORE_MS * 1000; us += POLL_US) {
    ixgbe_set(ixgbe, IXGBE_SWSM, IXGBE_SWSM_SWESMBI);
    uint32_t swsm = ixgbe_read(ixgbe, IXGBE_SWSM);
    if (swsm != UINT32_MAX && (swsm & IXGBE_SWSM_SWESMBI))
      return 0;
    ixgbe_delay_us(ixgbe, POLL_US);
  }
  shunt_error_set(error, -ETIMEDOUT, "the chip's firmware keeps its semaphore");
  shunt_error_why(error, "SWSM.SWESMBI did not stay set within %u ms (datasheet 10.5.4)",
                  SEMAPHORE_MS);
  shunt_error_remedy(error, "a cold reset ends firmware that hangs: switch the machine off and on");
  return -ETIMEDOUT;
}

static int take_swsm(struct ixgbe *ixgbe, struct shunt_error *error)
{
  int result = take_smbi(ixgbe, error);
  if (result)
    return result;
  result = take_swesmbi(ixgbe, error);
  if (result)
    ixgbe_clear(ixgbe, IXGBE_SWSM, IXGBE_SWSM_SMBI);
  return result;
}

static void give_swsm(struct ixgbe *ixgbe)
{
  ixgbe_clear(ixgbe, IXGBE_SWSM, IXGBE_SWSM_SMBI | IXGBE_SWSM_SWESMBI);
  ixgbe_flush(ixgbe);
}

int ixgbe_acquire(struct ixgbe *ixgbe, uint32_t resources, struct shunt_error *error)
{
  uint32_t firmware = resources << IXGBE_SYNC_FW_SHIFT;
  uint32_t sync = 0;
  for (unsigned ms = 0; ms < RESOURCE_MS; ms += 5) {
    int result = take_swsm(ixgbe, error);
    if (result)
      return result;
    sync = ixgbe_read(ixgbe, IXGBE_SW_FW_SYNC);
    if (!(sync & (resources | firmware))) {
      ixgbe_write(ixgbe, IXGBE_SW_FW_SYNC, sync | resources);
      give_swsm(ixgbe);
      return 0;
    }
    give_swsm(ixgbe);
    ixgbe_delay_ms(ixgbe, 5);
  }
  if (!(sync & firmware) && !take_swsm(ixgbe, error)) {
    shunt_log_write(ixgbe->pci->log, SHUNT_LOG_WARNING,
                    "%s: SW_FW_SYNC %02x was left taken, perhaps by a program that was killed",
                    ixgbe->pci->address, sync & resources);
    ixgbe_set(ixgbe, IXGBE_SW_FW_SYNC, resources);
    give_swsm(ixgbe);
    return 0;
  }
  shunt_error_set(error, -EBUSY, "the chip's firmware does not let go of a shared resource");
  shunt_error_why(error, "SW_FW_SYNC reads %08x for %u ms, wanted bits %08x to be 0", sync,
                  RESOURCE_MS, resources | firmware);
  return -EBUSY;
}

void ixgbe_release(struct ixgbe *ixgbe, uint32_t resources)
{
  struct shunt_error ignored;
  bool guarded = !take_swsm(ixgbe, &ignored); /* without it, better a race than a bit for ever */
  ixgbe_clear(ixgbe, IXGBE_SW_FW_SYNC, resources);
  if (guarded)
    give_swsm(ixgbe);
}

/* 8.2.3.2.2 */
static int read_word(struct ixgbe *ixgbe, uint16_t word, uint16_t *value, struct shunt_error *error)
{
  ixgbe_write(ixgbe, IXGBE_EERD, HW_FIELD(IXGBE_EERD_ADDR, word) | IXGBE_EERD_START);
  int result = ixgbe_wait_ms(ixgbe, IXGBE_EERD, IXGBE_EERD_DONE, IXGBE_EERD_DONE, EERD_MS,
                             "EERD.DONE", error);
  *value = result ? 0 : (uint16_t)HW_GET(IXGBE_EERD_DATA, ixgbe_read(ixgbe, IXGBE_EERD));
  return result;
}

int ixgbe_eeprom_read(struct ixgbe *ixgbe, uint16_t word, uint16_t values[], unsigned n,
                      struct shunt_error *error)
{
  int result = ixgbe_acquire(ixgbe, IXGBE_SYNC_EEPROM, error);
  if (result)
    return result;
  for (unsigned i = 0; i < n && !result; i++)
    result = read_word(ixgbe, (uint16_t)(word + i), &values[i], error);
  ixgbe_release(ixgbe, IXGBE_SYNC_EEPROM);
  return result;
}
