/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's memory: which of its addresses are which bytes of which file, and the model's view of
 * them.
 *
 * A file is mapped once, whole, for as long as any range of it is registered: a guest behind a
 * vIOMMU registers each of its pages by itself, and takes it back, thousands of times a second.
 * What the model may touch is decided by ranges alone, never by what is mapped. Neighbouring ranges
 * of one file are one range for the model. */
#ifndef TWIN_VFIO_USER_DMA_H
#define TWIN_VFIO_USER_DMA_H

#include <stdbool.h>
#include <sys/stat.h>

#include "shunt/model.h"

#define DMA_MOST_FILES      64u
#define DMA_MOST_RANGES     65535u              /* vfio-user.rst: the default of max_dma_maps */
#define DMA_MOST_FILE_BYTES (UINT64_C(1) << 42) /* 4 TiB */

struct dma_file {
  dev_t device;
  ino_t inode;
  bool is_writable;
  uint8_t *memory; /* NULL: this place is free */
  uint64_t bytes;
  uint64_t used_bytes; /* sum of the ranges */
};

struct dma_range {
  uint64_t iova, bytes;
  uint64_t offset;       /* in the file */
  struct dma_file *file; /* NULL: the client gave none, so nobody can reach it */
  bool is_writable;
};

struct dma {
  struct shunt_model *model;
  bool allow_shrink;
  struct dma_range *ranges; /* sorted by iova, not overlapping */
  unsigned range_count, range_room;
  struct dma_file files[DMA_MOST_FILES];
};

/* Have a file keep its length from now on, so that no access to it can be beyond its end. Returns
 * 0, or -EPERM: it can't be had, only of memfds that take seals. */
int dma_file_seal(int fd);

/* Register a range.
 *
 * fd      the file; -1: none. Stays the caller's
 * Returns 0, or, with nothing changed,
 *   -EINVAL  empty, wraps, or not inside the file
 *   -EEXIST  overlaps a registered range
 *   -EBADF   no file of memory
 *   -EPERM   it could shrink
 *   -ENOSPC  too many ranges or files
 *   -EFBIG   the file is larger than DMA_MOST_FILE_BYTES
 *   -ENOMEM, or what mmap returns */
int dma_map(struct dma *dma, uint64_t iova, uint64_t bytes, int fd, uint64_t offset,
            bool is_writable);

/* Take away all that is registered in [iova, iova + bytes); a range that is partly inside is cut.
 * Returns how many bytes were. */
uint64_t dma_unmap(struct dma *dma, uint64_t iova, uint64_t bytes);

/* Take away everything, and give the memory of the table back. */
void dma_clear(struct dma *dma);

#endif
