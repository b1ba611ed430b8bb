/* SPDX-License-Identifier: BSD-2-Clause */
/* A PCI device in software: what a twin implements, and what drives it.
 *
 * A model is registers, DMA and interrupts, without a thread: whoever hosts it (the in-process PCI
 * back end, a vfio-user server, a unit test) reads and writes its BARs and configuration space,
 * registers the memory that it may touch, and calls poll to give it its turn.
 *
 * A model takes nothing on trust: a DMA address outside registered memory is refused by
 * shunt_model_dma and counted, never followed.
 *
 * Thread: a model and all that is called on it belong to one thread, with one exception: pages
 * that a BAR offers as plain shared memory may be read and written by another thread or process at
 * any time. */
#ifndef SHUNT_MODEL_H
#define SHUNT_MODEL_H

#include "shunt/base.h"
#include "shunt/error.h"

SHUNT_BEGIN_DECLS

#define SHUNT_MODEL_BARS         6
#define SHUNT_MODEL_CONFIG_BYTES 4096
/* Most ranges registered at a time: a guest behind a vIOMMU registers each page of its rings by
 * itself. */
#define SHUNT_MODEL_DMA_RANGES 8192

struct shunt_model;

/* Bytes of a BAR that may be mapped by the driver instead of trapped. Page aligned. */
struct shunt_model_area {
  uint64_t offset;
  uint64_t bytes;
};

struct shunt_model_bar {
  uint64_t bytes; /* a power of two; 0: the BAR does not exist */
  uint8_t is_64bit;
  uint8_t is_prefetchable;
  void *memory; /* the whole BAR's plain storage, or NULL: all trapped */
  /* memfd of the areas, BAR offset 0 at file offset 0, sealed against shrinking or ready for that
   * seal; or -1. Whoever may map the areas can map all that is in it. */
  int fd;
  const struct shunt_model_area *areas; /* what may be mapped */
  unsigned area_count;
};

struct shunt_model_ops {
  /* Back to power-on state; DMA registrations stay. */
  void (*reset)(struct shunt_model *model);
  /* One access of 1, 2, 4 or 8 bytes, inside the BAR, naturally aligned. */
  uint64_t (*bar_read)(struct shunt_model *model, unsigned bar, uint64_t offset, unsigned bytes);
  void (*bar_write)(struct shunt_model *model, unsigned bar, uint64_t offset, unsigned bytes,
                    uint64_t value);
  /* After config[offset, +bytes) has changed. May be NULL. */
  void (*config_written)(struct shunt_model *model, unsigned offset, unsigned bytes);
  /* Do what is due at now_ns: fetch descriptors, move frames, raise interrupts. Bounded.
   * Returns how much was done; 0: idle. */
  unsigned (*poll)(struct shunt_model *model, uint64_t now_ns);
  /* Counters: a name and a value each; see shunt_model_counters. */
  unsigned (*counters)(const struct shunt_model *model, const char *names[], uint64_t values[],
                       unsigned n);
  void (*destroy)(struct shunt_model *model);
};

/* Registered memory: device address (IOVA) to this process's address. */
struct shunt_model_range {
  uint64_t iova;
  uint64_t bytes;
  uint8_t *memory;
  uint8_t writable;
};

/* What the host does for the model. */
struct shunt_model_host {
  void *context;
  /* Raise MSI-X vector (or, with vector == SHUNT_MODEL_INTX, set the INTx line to level). */
  void (*interrupt)(void *context, unsigned vector, int level);
};
#define SHUNT_MODEL_INTX UINT32_C(0xFFFF)

/* Head of every model. Filled by the model's constructor and the functions below. */
struct shunt_model {
  const struct shunt_model_ops *ops;
  const char *kind; /* "ixgbe" */
  char path[64];    /* "twin, shared tails" */
  struct shunt_model_bar bars[SHUNT_MODEL_BARS];
  unsigned vectors;                                  /* MSI-X vectors */
  uint8_t config[SHUNT_MODEL_CONFIG_BYTES];          /* configuration space as read */
  uint8_t config_writable[SHUNT_MODEL_CONFIG_BYTES]; /* bits that a driver may change */
  struct shunt_model_host host;
  unsigned range_count;
  unsigned range_hit; /* the range that matched last */
  /* Sorted by iova, not overlapping; those behind range_count have 0 bytes. */
  struct shunt_model_range ranges[SHUNT_MODEL_DMA_RANGES];
  uint64_t dma_faults;     /* accesses outside registered memory */
  uint64_t dma_fault_iova; /* the last one */
  uint64_t bad_accesses;   /* refused by shunt_model_bar_* */
};

/* Who is told of interrupts; replaces the earlier host. Zeroed: nobody. */
void shunt_model_attach(struct shunt_model *model, const struct shunt_model_host *host);

/* Let the model read (and, if writable, write) memory[0, bytes) at device addresses iova...
 * Returns 0, -EINVAL (empty or wraps), -EEXIST (overlaps a registered range), -ENOSPC. */
int shunt_model_dma_map(struct shunt_model *model, uint64_t iova, void *memory, uint64_t bytes,
                        int writable);

/* Take registered memory away: every range inside [iova, iova + bytes). A range that is only partly
 * inside is cut. Returns how many bytes were taken away; unknown ranges are no error. */
uint64_t shunt_model_dma_unmap(struct shunt_model *model, uint64_t iova, uint64_t bytes);

/* This process's address of [iova, iova + bytes), or NULL (counted in dma_faults) where any byte of
 * it is outside registered memory, or writing is wanted and not allowed. Valid until the next
 * unmap: never kept. A length of 0 is refused.
 *
 * hint  which range to try first, below SHUNT_MODEL_DMA_RANGES; set to the one that matched. It is
 *       checked like any other, so it may be out of date. Who reads descriptors here and data there
 *       keeps one for each. */
void *shunt_model_dma_slow(struct shunt_model *model, unsigned *hint, uint64_t iova, uint64_t bytes,
                           int write);
void *shunt_model_dma_piece_slow(struct shunt_model *model, unsigned *hint, uint64_t iova,
                                 uint64_t *bytes, int write);
/* Of that one range only, and nothing is counted: NULL says no more than that it lies elsewhere. */
static inline void *shunt_model_dma_at(const struct shunt_model *model, unsigned hint,
                                       uint64_t iova, uint64_t bytes, int write)
{
  const struct shunt_model_range *range = &model->ranges[hint]; /* of 0 bytes where there is none */
  uint64_t offset = iova - range->iova;
  if (SHUNT_LIKELY(bytes && offset < range->bytes && bytes <= range->bytes - offset &&
                   (!write || range->writable)))
    return range->memory + offset;
  return NULL;
}
static inline void *shunt_model_dma_near(struct shunt_model *model, unsigned *hint, uint64_t iova,
                                         uint64_t bytes, int write)
{
  void *memory = shunt_model_dma_at(model, *hint, iova, bytes, write);
  return SHUNT_LIKELY(memory) ? memory : shunt_model_dma_slow(model, hint, iova, bytes, write);
}
/* The same of as much of it as is in one piece here, from iova on: *bytes becomes that much. What
 * an IOMMU makes one for the device can be pages here and there. */
static inline void *shunt_model_dma_piece(struct shunt_model *model, unsigned *hint, uint64_t iova,
                                          uint64_t *bytes, int write)
{
  void *memory = shunt_model_dma_at(model, *hint, iova, *bytes, write);
  return SHUNT_LIKELY(memory) ? memory
                              : shunt_model_dma_piece_slow(model, hint, iova, bytes, write);
}
/* shunt_model_dma_near for who looks seldom. */
static inline void *shunt_model_dma(struct shunt_model *model, uint64_t iova, uint64_t bytes,
                                    int write)
{
  return shunt_model_dma_near(model, &model->range_hit, iova, bytes, write);
}

/* Configuration space with the write mask applied; out-of-range bytes read 0xFF and are not
 * written. bytes: 1, 2 or 4. */
uint32_t shunt_model_config_read(const struct shunt_model *model, unsigned offset, unsigned bytes);
void shunt_model_config_write(struct shunt_model *model, unsigned offset, unsigned bytes,
                              uint32_t value);

/* A BAR access as a bus would do it: what is outside the BAR, not naturally aligned or of an odd
 * size reads all ones and writes nothing, and is counted by the model as the driver's error. */
uint64_t shunt_model_bar_read(struct shunt_model *model, unsigned bar, uint64_t offset,
                              unsigned bytes);
void shunt_model_bar_write(struct shunt_model *model, unsigned bar, uint64_t offset, unsigned bytes,
                           uint64_t value);

unsigned shunt_model_poll(struct shunt_model *model, uint64_t now_ns);
void shunt_model_reset(struct shunt_model *model);

/* The model's counters, its driver's errors among them ("dma_faults", "bad_descriptors", ...).
 * names and values may be NULL when n is 0. Returns how many there are. */
unsigned shunt_model_counters(const struct shunt_model *model, const char *names[],
                              uint64_t values[], unsigned n);
/* The counter of that name, or 0 where there is none. */
uint64_t shunt_model_counter(const struct shunt_model *model, const char *name);

void shunt_model_destroy(struct shunt_model *model);

SHUNT_END_DECLS

#endif
