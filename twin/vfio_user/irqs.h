/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's interrupts: the eventfds that the model's vectors are signalled on.
 *
 * The kinds are VFIO's (linux/vfio.h, VFIO_PCI_*_IRQ_INDEX). INTx masks itself when it is signalled
 * and, as long as the line is up, comes again when it is unmasked (drivers/vfio/pci
 * vfio_pci_intrs.c does the same). */
#ifndef TWIN_VFIO_USER_IRQS_H
#define TWIN_VFIO_USER_IRQS_H

#include <linux/vfio.h>
#include <stdbool.h>

#include "shunt/model.h"

#define IRQS_KINDS        VFIO_PCI_NUM_IRQS
#define IRQS_MOST_VECTORS 2048u /* PCI 3.0, 6.8.2.3 */

struct irq {
  int fd; /* -1: none */
  bool is_masked, is_pending;
};

struct irqs {
  const struct shunt_model *model;
  unsigned count[IRQS_KINDS];
  struct irq *of[IRQS_KINDS]; /* count[kind] of them */
  bool line;                  /* level of INTx */
  uint64_t signalled, unheard, full;
};

/* As many as the model's configuration space and vectors say. Returns 0 or -ENOMEM. */
int irqs_create(struct irqs *irqs, const struct shunt_model *model);
void irqs_destroy(struct irqs *irqs);

/* VFIO_IRQ_INFO_* of a kind. */
uint32_t irqs_flags(unsigned kind);

/* What VFIO_USER_DEVICE_SET_IRQS asks for; the range is inside the kind's count.
 *
 * fds     set to -1 where they are taken; n is 0 or the range's length
 * Returns 0, -EBADF (no eventfd) */
int irqs_assign(struct irqs *irqs, unsigned kind, unsigned start, unsigned count, int fds[],
                unsigned n);
void irqs_trigger(struct irqs *irqs, unsigned kind, unsigned index);
void irqs_mask(struct irqs *irqs, unsigned kind, unsigned index, bool is_masked);

/* Close every eventfd of a kind; all: of every kind. */
void irqs_release(struct irqs *irqs, unsigned kind);
void irqs_release_all(struct irqs *irqs);

/* The model's: struct shunt_model_host. */
void irqs_interrupt(struct irqs *irqs, unsigned vector, int level);

#endif
