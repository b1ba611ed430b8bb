/* SPDX-License-Identifier: BSD-2-Clause */
#include "twin/card.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hw/pci.h"

int card_memory_create(const char *name, size_t bytes)
{
  int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0)
    return -errno;
  if (!ftruncate(fd, (off_t)bytes) &&
      !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
    return fd;
  int code = -errno;
  close(fd);
  return code;
}

void card_msix_reset(uint8_t *table, unsigned vectors)
{
  memset(table, 0, (size_t)vectors * PCI_MSIX_ENTRY_BYTES);
  for (unsigned vector = 0; vector < vectors; vector++)
    table[vector * PCI_MSIX_ENTRY_BYTES + PCI_MSIX_ENTRY_CONTROL] = PCI_MSIX_ENTRY_MASKED;
}

unsigned card_counters_tell(const struct card_counter counters[], unsigned count,
                            const char *names[], uint64_t values[], unsigned n)
{
  for (unsigned i = 0; i < count && i < n; i++) {
    names[i] = counters[i].name;
    values[i] = counters[i].value;
  }
  return count;
}
