/* SPDX-License-Identifier: BSD-2-Clause */
#include "twin/vfio_user/dma.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static uint64_t range_last(const struct dma_range *range)
{
  return range->iova + (range->bytes - 1);
}

/* The first range that ends at iova or behind it. */
static unsigned range_search(const struct dma *dma, uint64_t iova)
{
  unsigned low = 0, high = dma->range_count;
  while (low < high) {
    unsigned middle = low + (high - low) / 2;
    if (range_last(&dma->ranges[middle]) < iova)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Make room for one range more. */
static int ranges_reserve(struct dma *dma)
{
  if (dma->range_count < dma->range_room)
    return 0;
  if (dma->range_count == DMA_MOST_RANGES)
    return -ENOSPC;
  unsigned room = dma->range_room > 0 ? 2 * dma->range_room : 64;
  struct dma_range *ranges = realloc(dma->ranges, room * sizeof(ranges[0]));
  if (ranges == NULL)
    return -ENOMEM;
  dma->ranges = ranges;
  dma->range_room = room;
  return 0;
}

static void range_insert(struct dma *dma, unsigned at, const struct dma_range *range)
{
  memmove(&dma->ranges[at + 1], &dma->ranges[at], (dma->range_count - at) * sizeof(dma->ranges[0]));
  dma->ranges[at] = *range;
  dma->range_count++;
}

static void range_remove(struct dma *dma, unsigned at)
{
  dma->range_count--;
  memmove(&dma->ranges[at], &dma->ranges[at + 1], (dma->range_count - at) * sizeof(dma->ranges[0]));
}

/* ---- Files ---- */

/* Only memfds can be sealed, and only what keeps its length can be touched without fear of SIGBUS.
 * What is sealed is memory, too: no access to it waits for a disk or for another process. */
int dma_file_seal(int fd)
{
  int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0)
    return -EPERM;
  if (!(seals & F_SEAL_SHRINK) && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) != 0)
    return -EPERM;
  return 0;
}

static struct dma_file *file_find(struct dma *dma, const struct stat *status, bool is_writable)
{
  for (unsigned i = 0; i < DMA_MOST_FILES; i++) {
    struct dma_file *file = &dma->files[i];
    if (file->memory != NULL && file->device == status->st_dev && file->inode == status->st_ino &&
        file->bytes == (uint64_t)status->st_size && file->is_writable == is_writable)
      return file;
  }
  return NULL;
}

static struct dma_file *file_place(struct dma *dma)
{
  for (unsigned i = 0; i < DMA_MOST_FILES; i++)
    if (dma->files[i].memory == NULL)
      return &dma->files[i];
  return NULL;
}

/* The file behind fd, mapped. *file may be new, with nothing of it in use. */
static int file_get(struct dma *dma, int fd, uint64_t offset, uint64_t bytes, bool is_writable,
                    struct dma_file **file)
{
  struct stat status;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size <= 0)
    return -EBADF;
  int code = dma->allow_shrink ? 0 : dma_file_seal(fd);
  if (code < 0)
    return code;
  /* The length again: it could have shrunk until the seal was there. */
  if (fstat(fd, &status) != 0)
    return -errno;
  uint64_t size = (uint64_t)status.st_size;
  if (offset > size || bytes > size - offset)
    return -EINVAL;
  *file = file_find(dma, &status, is_writable);
  if (*file != NULL)
    return 0;
  if (size > DMA_MOST_FILE_BYTES)
    return -EFBIG;
  *file = file_place(dma);
  if (*file == NULL)
    return -ENOSPC;
  /* Huge pages are reserved here, or refused; with MAP_NORESERVE an access would be a SIGBUS. */
  void *memory =
      mmap(NULL, size, is_writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED)
    return -errno;
  **file = (struct dma_file){.device = status.st_dev,
                             .inode = status.st_ino,
                             .is_writable = is_writable,
                             .memory = memory,
                             .bytes = size};
  return 0;
}

static void file_put(struct dma_file *file, uint64_t bytes)
{
  if (file == NULL)
    return;
  file->used_bytes -= bytes;
  if (file->used_bytes > 0)
    return;
  munmap(file->memory, file->bytes);
  file->memory = NULL;
}

/* ---- Ranges ---- */

static int model_map(const struct dma *dma, const struct dma_range *range)
{
  if (range->file == NULL)
    return 0;
  return shunt_model_dma_map(dma->model, range->iova, range->file->memory + range->offset,
                             range->bytes, range->is_writable);
}

/* Whether after goes on where before ends, in the file as in the device's addresses. */
static bool ranges_join(const struct dma_range *before, const struct dma_range *after)
{
  return range_last(before) + 1 == after->iova && before->file == after->file &&
         before->is_writable == after->is_writable &&
         (before->file == NULL || before->offset + before->bytes == after->offset);
}

/* Put a range where it belongs, as one with its neighbours where they are of one piece. */
static int range_add(struct dma *dma, unsigned at, const struct dma_range *added)
{
  struct dma_range whole = *added;
  bool joins_before = at > 0 && ranges_join(&dma->ranges[at - 1], added);
  bool joins_after = at < dma->range_count && ranges_join(added, &dma->ranges[at]);
  int code = joins_before || joins_after ? 0 : ranges_reserve(dma);
  if (code < 0)
    return code;
  if (joins_before) {
    const struct dma_range *before = &dma->ranges[at - 1];
    shunt_model_dma_unmap(dma->model, before->iova, before->bytes);
    whole.iova = before->iova;
    whole.offset = before->offset;
    whole.bytes += before->bytes;
  }
  if (joins_after) {
    const struct dma_range *after = &dma->ranges[at];
    shunt_model_dma_unmap(dma->model, after->iova, after->bytes);
    whole.bytes += after->bytes;
  }
  /* With a neighbour taken out there is room for the whole, so only a lone range can be refused. */
  code = model_map(dma, &whole);
  if (code < 0)
    return code;
  if (joins_after)
    range_remove(dma, at);
  if (joins_before)
    dma->ranges[at - 1] = whole;
  else
    range_insert(dma, at, &whole);
  return 0;
}

int dma_map(struct dma *dma, uint64_t iova, uint64_t bytes, int fd, uint64_t offset,
            bool is_writable)
{
  struct dma_range range = {
      .iova = iova, .bytes = bytes, .offset = offset, .is_writable = is_writable};
  if (bytes == 0 || iova > UINT64_MAX - (bytes - 1))
    return -EINVAL;
  unsigned at = range_search(dma, iova);
  if (at < dma->range_count && dma->ranges[at].iova <= range_last(&range))
    return -EEXIST;
  int code = fd < 0 ? 0 : file_get(dma, fd, offset, bytes, is_writable, &range.file);
  if (code < 0)
    return code;
  if (range.file != NULL)
    range.file->used_bytes += bytes;
  code = range_add(dma, at, &range);
  if (code < 0)
    file_put(range.file, bytes);
  return code;
}

/* Take [first, last], which lies inside it, out of a range. */
static uint64_t range_cut(struct dma *dma, unsigned at, uint64_t first, uint64_t last)
{
  struct dma_range *range = &dma->ranges[at];
  struct dma_file *file = range->file;
  uint64_t end = range_last(range), taken = last - first + 1;
  struct dma_range tail = *range;
  tail.iova = last + 1;
  tail.bytes = end - last;
  tail.offset += tail.iova - range->iova;
  range->bytes = first - range->iova;
  if (range->bytes == 0 && tail.bytes > 0)
    *range = tail;
  else if (range->bytes == 0)
    range_remove(dma, at);
  else if (tail.bytes > 0 && ranges_reserve(dma) == 0)
    range_insert(dma, at + 1, &tail);
  else if (tail.bytes > 0) { /* no room for a second piece: that goes, too */
    shunt_model_dma_unmap(dma->model, tail.iova, tail.bytes);
    taken += tail.bytes;
  }
  file_put(file, taken);
  return taken;
}

uint64_t dma_unmap(struct dma *dma, uint64_t iova, uint64_t bytes)
{
  if (bytes == 0)
    return 0;
  uint64_t last = iova > UINT64_MAX - (bytes - 1) ? UINT64_MAX : iova + (bytes - 1);
  uint64_t taken = 0;
  /* The model first: no file may go while the model could still reach it. */
  shunt_model_dma_unmap(dma->model, iova, bytes);
  for (;;) {
    unsigned at = range_search(dma, iova);
    if (at == dma->range_count || dma->ranges[at].iova > last)
      return taken;
    uint64_t from = dma->ranges[at].iova > iova ? dma->ranges[at].iova : iova;
    uint64_t end = range_last(&dma->ranges[at]);
    taken += range_cut(dma, at, from, end < last ? end : last);
  }
}

void dma_clear(struct dma *dma)
{
  for (; dma->range_count > 0; dma->range_count--) {
    const struct dma_range *range = &dma->ranges[dma->range_count - 1];
    shunt_model_dma_unmap(dma->model, range->iova, range->bytes);
    file_put(range->file, range->bytes);
  }
  free(dma->ranges);
  dma->ranges = NULL;
  dma->range_room = 0;
}
