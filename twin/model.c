/* SPDX-License-Identifier: BSD-2-Clause */
/* What every model shares: memory that it may touch, configuration space, and the checks that a bus
 * makes before a device sees an access. */
#include "shunt/model.h"

#include <errno.h>
#include <string.h>

#define COUNTERS_MAX 64u

void shunt_model_attach(struct shunt_model *model, const struct shunt_model_host *host)
{
  model->host = *host;
}

/* ---- Memory ---- */

static uint64_t range_last(const struct shunt_model_range *range)
{
  return range->iova + (range->bytes - 1);
}

/* The first range that ends at iova or behind it: where iova is found, or a new range goes. */
static unsigned range_search(const struct shunt_model *model, uint64_t iova)
{
  unsigned low = 0, high = model->range_count;
  while (low < high) {
    unsigned middle = low + (high - low) / 2;
    if (range_last(&model->ranges[middle]) < iova)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void range_insert(struct shunt_model *model, unsigned at,
                         const struct shunt_model_range *range)
{
  memmove(&model->ranges[at + 1], &model->ranges[at],
          (model->range_count - at) * sizeof(model->ranges[0]));
  model->ranges[at] = *range;
  model->range_count++;
  model->range_hit = at;
}

static void range_remove(struct shunt_model *model, unsigned at)
{
  model->range_count--;
  memmove(&model->ranges[at], &model->ranges[at + 1],
          (model->range_count - at) * sizeof(model->ranges[0]));
  /* Hints may go on naming it: the fast path looks there first, and must find nothing. */
  memset(&model->ranges[model->range_count], 0, sizeof(model->ranges[0]));
  model->range_hit = 0;
}

int shunt_model_dma_map(struct shunt_model *model, uint64_t iova, void *memory, uint64_t bytes,
                        int writable)
{
  if (!bytes || !memory || iova > UINT64_MAX - (bytes - 1))
    return -EINVAL;
  unsigned at = range_search(model, iova);
  if (at < model->range_count && model->ranges[at].iova <= iova + (bytes - 1))
    return -EEXIST;
  if (model->range_count == SHUNT_MODEL_DMA_RANGES)
    return -ENOSPC;
  struct shunt_model_range range = {iova, bytes, memory, writable != 0};
  range_insert(model, at, &range);
  return 0;
}

/* Take [first, last] out of a range. Where it lies in the middle and the table has no room for the
 * second remainder, that goes too: less than asked for may stay reachable, never more. */
static uint64_t range_cut(struct shunt_model *model, unsigned at, uint64_t first, uint64_t last)
{
  struct shunt_model_range *range = &model->ranges[at];
  uint64_t end = range_last(range);
  struct shunt_model_range tail = {last + 1, end - last, range->memory + (last + 1 - range->iova),
                                   range->writable};
  uint64_t taken = last - first + 1;
  model->range_hit = at;
  if (first == range->iova) {
    if (last == end)
      range_remove(model, at);
    else
      *range = tail;
    return taken;
  }
  range->bytes = first - range->iova;
  if (last == end)
    return taken;
  if (model->range_count == SHUNT_MODEL_DMA_RANGES)
    return taken + tail.bytes;
  range_insert(model, at + 1, &tail);
  return taken;
}

uint64_t shunt_model_dma_unmap(struct shunt_model *model, uint64_t iova, uint64_t bytes)
{
  if (!bytes)
    return 0;
  uint64_t last = iova > UINT64_MAX - (bytes - 1) ? UINT64_MAX : iova + (bytes - 1);
  uint64_t taken = 0;
  for (;;) {
    unsigned at = range_search(model, iova);
    if (at == model->range_count || model->ranges[at].iova > last)
      return taken;
    uint64_t from = model->ranges[at].iova > iova ? model->ranges[at].iova : iova;
    uint64_t end = range_last(&model->ranges[at]);
    taken += range_cut(model, at, from, end < last ? end : last);
  }
}

static void *dma_fault(struct shunt_model *model, uint64_t iova)
{
  model->dma_faults++;
  model->dma_fault_iova = iova;
  return NULL;
}

void *shunt_model_dma_piece_slow(struct shunt_model *model, unsigned *hint, uint64_t iova,
                                 uint64_t *bytes, int write)
{
  unsigned at = range_search(model, iova);
  const struct shunt_model_range *range = &model->ranges[at];
  if (!*bytes || at == model->range_count || range->iova > iova || (write && !range->writable))
    return dma_fault(model, iova);
  uint64_t offset = iova - range->iova;
  if (*bytes > range->bytes - offset)
    *bytes = range->bytes - offset;
  *hint = at;
  return range->memory + offset;
}

void *shunt_model_dma_slow(struct shunt_model *model, unsigned *hint, uint64_t iova, uint64_t bytes,
                           int write)
{
  uint64_t piece = bytes;
  unsigned found;
  void *memory = shunt_model_dma_piece_slow(model, &found, iova, &piece, write);
  if (!memory)
    return NULL;
  if (piece < bytes)
    return dma_fault(model, iova);
  *hint = found;
  return memory;
}

/* ---- Configuration space ---- */

static int config_access_valid(unsigned offset, unsigned bytes)
{
  return offset < SHUNT_MODEL_CONFIG_BYTES && (bytes == 1 || bytes == 2 || bytes == 4);
}

uint32_t shunt_model_config_read(const struct shunt_model *model, unsigned offset, unsigned bytes)
{
  if (!config_access_valid(offset, bytes))
    return UINT32_MAX;
  uint32_t value = 0;
  for (unsigned i = 0; i < bytes; i++) {
    uint32_t byte = offset + i < SHUNT_MODEL_CONFIG_BYTES ? model->config[offset + i] : 0xFF;
    value |= byte << (8 * i);
  }
  return value;
}

void shunt_model_config_write(struct shunt_model *model, unsigned offset, unsigned bytes,
                              uint32_t value)
{
  if (!config_access_valid(offset, bytes))
    return;
  for (unsigned i = 0; i < bytes && offset + i < SHUNT_MODEL_CONFIG_BYTES; i++) {
    uint8_t writable = model->config_writable[offset + i];
    uint8_t *byte = &model->config[offset + i];
    *byte = (uint8_t)((*byte & ~writable) | ((value >> (8 * i)) & writable));
  }
  if (model->ops->config_written)
    model->ops->config_written(model, offset, bytes);
}

/* ---- BARs ---- */

static int bar_access_valid(struct shunt_model *model, unsigned bar, uint64_t offset,
                            unsigned bytes)
{
  int is_valid = bar < SHUNT_MODEL_BARS && (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8) &&
                 !(offset & (bytes - 1)) && offset < model->bars[bar].bytes &&
                 bytes <= model->bars[bar].bytes - offset;
  if (!is_valid)
    model->bad_accesses++;
  return is_valid;
}

uint64_t shunt_model_bar_read(struct shunt_model *model, unsigned bar, uint64_t offset,
                              unsigned bytes)
{
  if (!bar_access_valid(model, bar, offset, bytes))
    return UINT64_MAX;
  return model->ops->bar_read(model, bar, offset, bytes);
}

void shunt_model_bar_write(struct shunt_model *model, unsigned bar, uint64_t offset, unsigned bytes,
                           uint64_t value)
{
  if (bar_access_valid(model, bar, offset, bytes))
    model->ops->bar_write(model, bar, offset, bytes, value);
}

/* ---- The rest ---- */

unsigned shunt_model_poll(struct shunt_model *model, uint64_t now_ns)
{
  return model->ops->poll(model, now_ns);
}

void shunt_model_reset(struct shunt_model *model)
{
  model->ops->reset(model);
}

unsigned shunt_model_counters(const struct shunt_model *model, const char *names[],
                              uint64_t values[], unsigned n)
{
  return model->ops->counters(model, names, values, n);
}

uint64_t shunt_model_counter(const struct shunt_model *model, const char *name)
{
  const char *names[COUNTERS_MAX];
  uint64_t values[COUNTERS_MAX];
  unsigned n = shunt_model_counters(model, names, values, COUNTERS_MAX);
  for (unsigned i = 0; i < n && i < COUNTERS_MAX; i++)
    if (!strcmp(names[i], name))
      return values[i];
  return 0;
}

void shunt_model_destroy(struct shunt_model *model)
{
  if (model)
    model->ops->destroy(model);
}
