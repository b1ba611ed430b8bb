/* SPDX-License-Identifier: BSD-2-Clause */
/* MSI-X interrupts (datasheet 7.3): a vector for each queue pair's receive side, one for the link.
 *
 * A queue's vector is masked until it is armed. Delivery clears its cause (EIAC) and masks it again
 * (EIAM with GPIE.EIAME), so one arming gives one interrupt, and EITR keeps them apart. */
#include <errno.h>
#include <unistd.h>

#include "src/nic/ixgbe/ixgbe.h"

/* What fits into EITR's field at 10 and 1 Gb/s. */
#define INTERVAL_MOST_US                                                                           \
  (HW_GET(IXGBE_EITR_INTERVAL, IXGBE_EITR_INTERVAL) * IXGBE_EITR_UNIT_NS / 1000)

static int rules(const struct ixgbe *ixgbe, struct shunt_error *error)
{
  unsigned queues = ixgbe->options.queues;
  uint32_t us = ixgbe->options.interrupt_interval_us;
  if (us > INTERVAL_MOST_US) {
    shunt_error_set(error, -EOPNOTSUPP, "the 82599 can't hold interrupts back for %u us", us);
    shunt_error_why(error, "EITR has nine bits of 2.048 us: %u us at most", INTERVAL_MOST_US);
    return -EOPNOTSUPP;
  }
  unsigned vectors =
      ixgbe->pci->vectors < IXGBE_MSIX_VECTORS ? ixgbe->pci->vectors : IXGBE_MSIX_VECTORS;
  if (queues < vectors)
    return 0;
  shunt_error_set(error, -EOPNOTSUPP, "no interrupts for %u queues", queues);
  shunt_error_why(error, "they need a vector each and one for the link; %s, reached by %s, has %u",
                  ixgbe->pci->address, ixgbe->pci->path, vectors);
  shunt_error_remedy(error, "%s",
                     vectors ? "open fewer queues"
                             : "bind the card to vfio-pci, or poll: open without interrupts");
  return -EOPNOTSUPP;
}

/* 8.2.3.5.16, .17: nothing raises anything but received frames, each their queue's vector, and the
 * "other" causes, the last vector. */
static void map_causes(struct ixgbe *ixgbe)
{
  unsigned queues = ixgbe->options.queues;
  for (unsigned i = 0; i < IXGBE_RX_QUEUES / 2; i++)
    ixgbe_write(ixgbe, IXGBE_IVAR(i), 0);
  for (unsigned q = 0; q < queues; q++)
    ixgbe_set(ixgbe, IXGBE_IVAR_OF_QUEUE(q), (q | IXGBE_IVAR_VALID) << IXGBE_IVAR_RX_SHIFT(q));
  ixgbe_write(ixgbe, IXGBE_IVAR_MISC, (queues | IXGBE_IVAR_VALID) << IXGBE_IVAR_OTHER_SHIFT);
}

/* Vectors 0-63 as the two halves of EIAM_EX, EIMS_EX and EIMC_EX. */
static void write_vectors(struct ixgbe *ixgbe, uint32_t low, uint32_t high, unsigned n)
{
  uint64_t bits = n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX;
  ixgbe_write(ixgbe, low, (uint32_t)bits);
  ixgbe_write(ixgbe, high, (uint32_t)(bits >> 32));
}

int ixgbe_interrupts_start(struct ixgbe *ixgbe, struct shunt_error *error)
{
  if (!ixgbe->options.interrupts)
    return 0;
  int result = rules(ixgbe, error);
  if (result)
    return result;
  unsigned queues = ixgbe->options.queues;
  result = ixgbe->pci->ops->interrupts(ixgbe->pci, queues + 1, ixgbe->fds, error);
  if (result)
    return result;
  ixgbe->vectors = queues + 1;

  ixgbe_write(ixgbe, IXGBE_GPIE,
              IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_PBA_SUPPORT | IXGBE_GPIE_OCD |
                  IXGBE_GPIE_EIAME);
  map_causes(ixgbe);
  uint32_t interval = ixgbe->options.interrupt_interval_us * 1000 / IXGBE_EITR_UNIT_NS;
  for (unsigned v = 0; v < ixgbe->vectors; v++)
    ixgbe_write(ixgbe, IXGBE_EITR(v),
                HW_FIELD(IXGBE_EITR_INTERVAL, interval ? interval : 1) | IXGBE_EITR_CNT_WDIS);
  ixgbe_write(ixgbe, IXGBE_EIAC, IXGBE_EICR_RTX_QUEUE);
  write_vectors(ixgbe, IXGBE_EIAM_EX(0), IXGBE_EIAM_EX(1), queues);
  (void)ixgbe_read(ixgbe, IXGBE_EICR); /* a link change of before is none of now */
  ixgbe_write(ixgbe, IXGBE_EIMS, IXGBE_EICR_LSC);
  return 0;
}

/* Read an eventfd empty (back ends make them non-blocking); how many events it held. */
static uint64_t drain(int fd)
{
  uint64_t events = 0;
  return read(fd, &events, sizeof(events)) == sizeof(events) ? events : 0;
}

int ixgbe_queue_fd(struct shunt_queue *q, struct shunt_error *error)
{
  (void)error;
  return ixgbe_of(q->port)->fds[q->index];
}

/* What arrived while the vector was masked is forgotten where the chip lets us (EICR has vectors
 * 0-15 only): the caller polls once more after arming. Above, it makes one early wake-up. */
void ixgbe_queue_arm(struct shunt_queue *q)
{
  struct ixgbe *ixgbe = ixgbe_of(q->port);
  (void)drain(ixgbe->fds[q->index]);
  if (q->index < 16)
    ixgbe_write(ixgbe, IXGBE_EICR, UINT32_C(1) << q->index);
  ixgbe_write(ixgbe, IXGBE_EIMS_EX(q->index / 32), UINT32_C(1) << (q->index % 32));
}

/* The link's cause is not cleared by its delivery; reading EICR does (GPIE.OCD), but not the
 * queues' causes. */
void ixgbe_link_events(struct ixgbe *ixgbe)
{
  if (!ixgbe->vectors || !drain(ixgbe->fds[ixgbe->vectors - 1]))
    return;
  if (ixgbe_read(ixgbe, IXGBE_EICR) & IXGBE_EICR_LSC)
    ixgbe->link_changes++;
}
