/* SPDX-License-Identifier: BSD-2-Clause */
#include "twin/vfio_user/irqs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/pci.h"

#define EVENTFD_NAME "anon_inode:[eventfd]" /* fs/eventfd.c */

/* ---- Which there are ---- */

static bool has_capability(const struct shunt_model *model, uint8_t id)
{
  unsigned at = model->config[PCI_CFG_CAPABILITIES];
  /* More than 48 don't fit behind the header: the list runs in a circle. */
  for (unsigned i = 0; i < 48 && at >= 0x40; i++) {
    if (model->config[at + PCI_CAP_HEADER_ID] == id)
      return true;
    at = model->config[at + PCI_CAP_HEADER_NEXT];
  }
  return false;
}

int irqs_create(struct irqs *irqs, const struct shunt_model *model)
{
  *irqs = (struct irqs){.model = model};
  irqs->count[VFIO_PCI_INTX_IRQ_INDEX] = model->config[PCI_CFG_INTERRUPT_PIN] != 0;
  irqs->count[VFIO_PCI_MSI_IRQ_INDEX] = has_capability(model, PCI_CAPABILITY_MSI);
  irqs->count[VFIO_PCI_MSIX_IRQ_INDEX] =
      model->vectors < IRQS_MOST_VECTORS ? model->vectors : IRQS_MOST_VECTORS;
  for (unsigned kind = 0; kind < IRQS_KINDS; kind++) {
    if (irqs->count[kind] == 0)
      continue;
    irqs->of[kind] = calloc(irqs->count[kind], sizeof(struct irq));
    if (irqs->of[kind] == NULL) {
      irqs->count[kind] = 0;
      irqs_destroy(irqs);
      return -ENOMEM;
    }
    for (unsigned i = 0; i < irqs->count[kind]; i++)
      irqs->of[kind][i].fd = -1;
  }
  return 0;
}

void irqs_destroy(struct irqs *irqs)
{
  irqs_release_all(irqs);
  for (unsigned kind = 0; kind < IRQS_KINDS; kind++) {
    free(irqs->of[kind]);
    irqs->of[kind] = NULL;
    irqs->count[kind] = 0;
  }
}

uint32_t irqs_flags(unsigned kind)
{
  if (kind == VFIO_PCI_INTX_IRQ_INDEX)
    return VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
  return VFIO_IRQ_INFO_EVENTFD;
}

/* ---- Signals ---- */

/* The client could have made the eventfd blocking and filled it up, so it is asked first whether it
 * takes another one. Full, it is readable anyway. */
static void irq_signal(struct irqs *irqs, struct irq *irq)
{
  const uint64_t one = 1;
  struct pollfd writable = {.fd = irq->fd, .events = POLLOUT};
  if (irq->fd < 0)
    irqs->unheard++;
  else if (poll(&writable, 1, 0) == 1 && write(irq->fd, &one, sizeof one) == (ssize_t)sizeof one)
    irqs->signalled++;
  else
    irqs->full++;
}

static void irq_raise(struct irqs *irqs, unsigned kind, unsigned index)
{
  struct irq *irq = &irqs->of[kind][index];
  if (irq->is_masked) {
    irq->is_pending = true;
    return;
  }
  irq->is_pending = false;
  irq->is_masked = kind == VFIO_PCI_INTX_IRQ_INDEX;
  irq_signal(irqs, irq);
}

void irqs_interrupt(struct irqs *irqs, unsigned vector, int level)
{
  const unsigned intx = VFIO_PCI_INTX_IRQ_INDEX, msi = VFIO_PCI_MSI_IRQ_INDEX,
                 msix = VFIO_PCI_MSIX_IRQ_INDEX;
  if (vector == SHUNT_MODEL_INTX) {
    irqs->line = level != 0;
    if (irqs->line && irqs->count[intx] > 0)
      irq_raise(irqs, intx, 0);
    return;
  }
  if (!level)
    return;
  /* A driver uses MSI-X or MSI, never both. */
  if (vector < irqs->count[msi] && irqs->of[msi][vector].fd >= 0)
    irq_raise(irqs, msi, vector);
  else if (vector < irqs->count[msix])
    irq_raise(irqs, msix, vector);
}

/* ---- What a client asks for ---- */

static bool is_eventfd(int fd)
{
  char path[32], name[sizeof(EVENTFD_NAME) + 1];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  ssize_t bytes = readlink(path, name, sizeof name);
  return bytes == (ssize_t)strlen(EVENTFD_NAME) && memcmp(name, EVENTFD_NAME, (size_t)bytes) == 0;
}

static void irq_release(struct irq *irq)
{
  if (irq->fd >= 0)
    close(irq->fd);
  *irq = (struct irq){.fd = -1};
}

int irqs_assign(struct irqs *irqs, unsigned kind, unsigned start, unsigned count, int fds[],
                unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    if (!is_eventfd(fds[i]))
      return -EBADF;
  for (unsigned i = 0; i < count; i++) {
    struct irq *irq = &irqs->of[kind][start + i];
    irq_release(irq);
    if (i >= n)
      continue;
    int flags = fcntl(fds[i], F_GETFL);
    if (flags >= 0)
      fcntl(fds[i], F_SETFL, flags | O_NONBLOCK);
    irq->fd = fds[i];
    fds[i] = -1;
    if (kind == VFIO_PCI_INTX_IRQ_INDEX && irqs->line)
      irq_raise(irqs, kind, start + i);
  }
  return 0;
}

void irqs_trigger(struct irqs *irqs, unsigned kind, unsigned index)
{
  irq_raise(irqs, kind, index);
}

void irqs_mask(struct irqs *irqs, unsigned kind, unsigned index, bool is_masked)
{
  struct irq *irq = &irqs->of[kind][index];
  bool comes_again = kind == VFIO_PCI_INTX_IRQ_INDEX ? irqs->line : irq->is_pending;
  irq->is_masked = is_masked;
  if (!is_masked && comes_again && irq->fd >= 0)
    irq_raise(irqs, kind, index);
}

void irqs_release(struct irqs *irqs, unsigned kind)
{
  for (unsigned i = 0; i < irqs->count[kind]; i++)
    irq_release(&irqs->of[kind][i]);
}

void irqs_release_all(struct irqs *irqs)
{
  for (unsigned kind = 0; kind < IRQS_KINDS; kind++)
    irqs_release(irqs, kind);
}
