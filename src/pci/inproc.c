/* SPDX-License-Identifier: BSD-2-Clause */
/* A PCI function whose device is a model in this process.
 *
 * It is as strict as a machine with an IOMMU: memory has device addresses of its own, which differ
 * from this process's and jump inside a region, so a driver that confuses the two, or takes a
 * region to be contiguous for the device, meets the model's DMA faults here and not on silicon. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/pci.h"
#include "shunt/model.h"
#include "shunt/testbed.h"
#include "src/core/error_internal.h"
#include "src/pci/backend.h"

/* Device addresses: far above 4 GiB, so that the upper half of each address register matters, and
 * far below where Linux maps files. */
#define INPROC_FIRST_IOVA (UINT64_C(1) << 36)
#define INPROC_MOST_IOVA  (UINT64_C(1) << 46)

struct inproc {
  struct pci pci;
  struct shunt_testbed *testbed;
  bool is_private; /* the testbed is our own */
  struct shunt_model *model;
  uint64_t next_iova;
  unsigned fd_count;
  int *fds;
};

static struct inproc *inproc_of(struct pci *pci)
{
  return (struct inproc *)pci;
}

/* A testbed that nobody else knows of gets its turns from our own slow calls. */
static void inproc_turn(struct inproc *inproc)
{
  if (inproc->is_private)
    shunt_testbed_poll(inproc->testbed);
}

static unsigned inproc_step(struct pci *pci)
{
  return shunt_testbed_poll(inproc_of(pci)->testbed);
}

struct shunt_model *inproc_model(struct pci *pci)
{
  return inproc_of(pci)->model;
}

/* ---- Registers ---- */

static uint32_t inproc_read32(struct pci *pci, unsigned bar, uint64_t offset)
{
  struct inproc *inproc = inproc_of(pci);
  inproc_turn(inproc);
  shunt_testbed_lock(inproc->testbed);
  uint32_t value = (uint32_t)shunt_model_bar_read(inproc->model, bar, offset, 4);
  shunt_testbed_unlock(inproc->testbed);
  return value;
}

static void inproc_write32(struct pci *pci, unsigned bar, uint64_t offset, uint32_t value)
{
  struct inproc *inproc = inproc_of(pci);
  shunt_testbed_lock(inproc->testbed);
  shunt_model_bar_write(inproc->model, bar, offset, 4, value);
  shunt_testbed_unlock(inproc->testbed);
  inproc_turn(inproc);
}

static volatile uint32_t *inproc_direct(struct pci *pci, unsigned bar, uint64_t offset)
{
  const struct shunt_model *model = inproc_of(pci)->model;
  if (bar >= SHUNT_MODEL_BARS || offset % 4 != 0 || model->bars[bar].memory == NULL)
    return NULL;
  const struct shunt_model_bar *b = &model->bars[bar];
  for (unsigned i = 0; i < b->area_count; i++)
    if (offset >= b->areas[i].offset && offset - b->areas[i].offset < b->areas[i].bytes)
      return (volatile uint32_t *)((uint8_t *)b->memory + offset);
  return NULL;
}

static bool inproc_config_valid(unsigned offset, unsigned bytes)
{
  return (bytes == 1 || bytes == 2 || bytes == 4) && offset % bytes == 0 &&
         offset < SHUNT_MODEL_CONFIG_BYTES;
}

static int inproc_config_read(struct pci *pci, unsigned offset, unsigned bytes, uint32_t *value)
{
  struct inproc *inproc = inproc_of(pci);
  if (!inproc_config_valid(offset, bytes))
    return -EINVAL;
  shunt_testbed_lock(inproc->testbed);
  *value = shunt_model_config_read(inproc->model, offset, bytes);
  shunt_testbed_unlock(inproc->testbed);
  return 0;
}

static int inproc_config_write(struct pci *pci, unsigned offset, unsigned bytes, uint32_t value)
{
  struct inproc *inproc = inproc_of(pci);
  if (!inproc_config_valid(offset, bytes))
    return -EINVAL;
  shunt_testbed_lock(inproc->testbed);
  shunt_model_config_write(inproc->model, offset, bytes, value);
  shunt_testbed_unlock(inproc->testbed);
  return 0;
}

/* ---- DMA ---- */

/* A region goes in as two ranges with a gap between them: all but the last chunk, and the last.
 * More would find a confused driver sooner, but have the model search for each access. */
static uint64_t inproc_head_bytes(const struct shunt_region *region)
{
  uint64_t bytes = shunt_region_bytes(region);
  return bytes > SHUNT_REGION_ALIGN_BYTES ? bytes - SHUNT_REGION_ALIGN_BYTES : bytes;
}

static int inproc_map_range(struct inproc *inproc, uint8_t *memory, uint64_t bytes, uint64_t *iova)
{
  *iova = inproc->next_iova;
  if (bytes > INPROC_MOST_IOVA - *iova)
    return -ENOSPC;
  shunt_testbed_lock(inproc->testbed);
  int code = shunt_model_dma_map(inproc->model, *iova, memory, bytes, 1);
  shunt_testbed_unlock(inproc->testbed);
  if (code == 0)
    inproc->next_iova += bytes + SHUNT_REGION_ALIGN_BYTES;
  return code;
}

static void inproc_unmap_range(struct inproc *inproc, uint64_t iova, uint64_t bytes)
{
  shunt_testbed_lock(inproc->testbed);
  shunt_model_dma_unmap(inproc->model, iova, bytes);
  shunt_testbed_unlock(inproc->testbed);
}

static int inproc_dma_map(struct pci *pci, struct shunt_region *region, uint64_t delta[],
                          struct shunt_error *error)
{
  struct inproc *inproc = inproc_of(pci);
  uint8_t *base = shunt_region_base(region);
  uint64_t bytes = shunt_region_bytes(region), head_bytes = inproc_head_bytes(region);
  uint64_t head_iova = 0, tail_iova = 0;
  int code = inproc_map_range(inproc, base, head_bytes, &head_iova);
  if (code == 0 && head_bytes < bytes) {
    code = inproc_map_range(inproc, base + head_bytes, bytes - head_bytes, &tail_iova);
    if (code < 0)
      inproc_unmap_range(inproc, head_iova, head_bytes);
  }
  if (code < 0) {
    error_set_errno(error, code, "can't register %llu bytes with the model",
                    (unsigned long long)bytes);
    shunt_error_remedy(error, "a model takes %d ranges, two for each region",
                       SHUNT_MODEL_DMA_RANGES);
    return code;
  }
  for (uint64_t offset = 0; offset < bytes; offset += SHUNT_REGION_ALIGN_BYTES)
    delta[offset >> SHUNT_REGION_ALIGN_SHIFT] =
        offset < head_bytes ? head_iova : tail_iova - head_bytes;
  return 0;
}

static void inproc_dma_unmap(struct pci *pci, struct shunt_region *region, const uint64_t delta[])
{
  struct inproc *inproc = inproc_of(pci);
  uint64_t bytes = shunt_region_bytes(region), head_bytes = inproc_head_bytes(region);
  inproc_unmap_range(inproc, delta[0], head_bytes);
  if (head_bytes < bytes)
    inproc_unmap_range(inproc, head_bytes + delta[head_bytes >> SHUNT_REGION_ALIGN_SHIFT],
                       bytes - head_bytes);
}

/* ---- Interrupts ---- */

/* Called by the model in its turn, under the testbed's lock. */
static void inproc_interrupt(void *context, unsigned vector, int level)
{
  struct inproc *inproc = context;
  uint64_t one = 1;
  if (vector >= inproc->fd_count || !level)
    return;
  /* The counter is full after 2^64 - 2 interrupts that nobody read: then one is pending anyway. */
  ssize_t written = write(inproc->fds[vector], &one, sizeof one);
  (void)written;
}

/* Let the model tell nobody, and close what it told. */
static void inproc_silence(struct inproc *inproc)
{
  struct shunt_model_host nobody = {0};
  shunt_testbed_lock(inproc->testbed);
  shunt_model_attach(inproc->model, &nobody);
  shunt_testbed_unlock(inproc->testbed);
  for (unsigned i = 0; i < inproc->fd_count; i++)
    close(inproc->fds[i]);
  free(inproc->fds);
  inproc->fds = NULL;
  inproc->fd_count = 0;
}

static int inproc_interrupts(struct pci *pci, unsigned n, int fds[], struct shunt_error *error)
{
  struct inproc *inproc = inproc_of(pci);
  if (n > pci->vectors)
    return shunt_error_set(error, -EINVAL, "%u interrupt vectors: the model has %u", n,
                           pci->vectors);
  inproc_silence(inproc);
  if (n == 0)
    return 0;
  inproc->fds = calloc(n, sizeof inproc->fds[0]);
  if (inproc->fds == NULL)
    return error_set_errno(error, -ENOMEM, "can't allocate %u interrupts", n);
  int code = backend_eventfds(n, inproc->fds);
  if (code < 0)
    return error_set_errno(error, code, "can't make eventfds for %u interrupts", n);
  inproc->fd_count = n;
  memcpy(fds, inproc->fds, n * sizeof fds[0]);
  struct shunt_model_host host = {.context = inproc, .interrupt = inproc_interrupt};
  shunt_testbed_lock(inproc->testbed);
  shunt_model_attach(inproc->model, &host);
  shunt_testbed_unlock(inproc->testbed);
  return 0;
}

/* ---- Open and close ---- */

static void inproc_close(struct pci *pci)
{
  struct inproc *inproc = inproc_of(pci);
  if (inproc->model != NULL) {
    inproc_silence(inproc);
    shunt_testbed_remove(inproc->testbed, inproc->model);
  }
  if (inproc->is_private)
    shunt_testbed_destroy(inproc->testbed);
  free(inproc);
}

static const struct pci_ops inproc_ops = {
    .close = inproc_close,
    .read32 = inproc_read32,
    .write32 = inproc_write32,
    .direct = inproc_direct,
    .config_read = inproc_config_read,
    .config_write = inproc_config_write,
    .dma_map = inproc_dma_map,
    .dma_unmap = inproc_dma_unmap,
    .interrupts = inproc_interrupts,
    .step = inproc_step,
};

static int inproc_make_testbed(struct inproc *inproc, const struct pci_open_options *options,
                               struct shunt_error *error)
{
  inproc->testbed = options->testbed;
  if (inproc->testbed != NULL)
    return 0;
  struct shunt_testbed_options testbed = {.size = sizeof testbed, .clock = inproc->pci.clock};
  int code = shunt_testbed_create(&testbed, &inproc->testbed, error);
  inproc->is_private = code == 0;
  return code;
}

int pci_open_inproc(const struct pci_open_options *options, struct pci **pci,
                    struct shunt_error *error)
{
  struct inproc *inproc = calloc(1, sizeof *inproc);
  if (inproc == NULL)
    return error_set_errno(error, -ENOMEM, "can't allocate a PCI function");
  inproc->pci = (struct pci){
      .ops = &inproc_ops,
      .clock = options->clock != NULL ? options->clock : shunt_clock_real(),
      .log = options->log,
      .address = "twin",
      .numa_node = SHUNT_NUMA_ANY,
      .is_model = true,
  };
  inproc->next_iova = INPROC_FIRST_IOVA;
  int code = inproc_make_testbed(inproc, options, error);
  if (code == 0)
    code = shunt_testbed_twin(inproc->testbed, options->kind, options->keys, &inproc->model, error);
  if (code < 0) {
    inproc_close(&inproc->pci);
    return code;
  }
  uint32_t vendor = 0, device = 0;
  inproc_config_read(&inproc->pci, PCI_CFG_VENDOR_ID, 2, &vendor);
  inproc_config_read(&inproc->pci, PCI_CFG_DEVICE_ID, 2, &device);
  backend_bus_master(&inproc->pci, true);
  inproc->pci.vendor = (uint16_t)vendor;
  inproc->pci.device = (uint16_t)device;
  inproc->pci.vectors = inproc->model->vectors;
  snprintf(inproc->pci.path, sizeof inproc->pci.path, "%s", inproc->model->path);
  *pci = &inproc->pci;
  return 0;
}
