/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory regions: REG_MR's page lists, and what a key and an address mean.
 *
 * A page list is inline (four addresses), one array (control data), or indirect: chunks that point
 * to pages of addresses (hw/efa_admin.h). A key is the region's place and, above it, how often the
 * place was used. */
#include <stdlib.h>
#include <string.h>

#include "twin/efa/efa.h"

#define MR_INDEX     0x00FFFFu
#define PAGE_LEAST   12u
#define PAGE_MOST    30u
#define INLINE_PAGES 4u

static uint64_t address_of(const struct efa_address *address)
{
  return (uint64_t)address->hi << 32 | address->lo;
}

/* --- Page lists
 * ------------------------------------------------------------------------------------ */

/* Copy n addresses from DMA memory. */
static bool copy_addresses(struct efa_twin *twin, uint64_t from, uint64_t *to, uint32_t n)
{
  const void *memory = shunt_model_dma(&twin->model, from, (uint64_t)n * sizeof(*to), 0);
  if (memory)
    memcpy(to, memory, n * sizeof(*to));
  return memory != NULL;
}

static uint32_t least(uint32_t a, uint32_t b)
{
  return a < b ? a : b;
}

/* Each chunk brings at least one page's worth of addresses, so a list that loops ends too. */
static bool copy_chunks(struct efa_twin *twin, struct efa_control_buffer at, uint64_t *to,
                        uint32_t n)
{
  struct efa_pbl_chunk chunk;
  uint32_t got = 0;
  while (got < n) {
    const void *memory = shunt_model_dma(&twin->model, address_of(&at.address), sizeof(chunk), 0);
    if (!memory)
      return false;
    memcpy(&chunk, memory, sizeof(chunk));
    for (unsigned i = 0; i < EFA_PBL_CHUNK_POINTERS && got < n; i++) {
      uint32_t part = least(n - got, EFA_PBL_PAGE_POINTERS);
      if (!copy_addresses(twin, chunk.pages[i], to + got, part))
        return false;
      got += part;
    }
    at = chunk.next;
  }
  return true;
}

static bool copy_pages(struct efa_twin *twin, const struct efa_reg_mr *asked, uint64_t *to,
                       uint32_t n)
{
  if (!(asked->head.flags & EFA_AQ_CONTROL)) {
    if (n > INLINE_PAGES)
      return false;
    memcpy(to, asked->pbl.pages, n * sizeof(*to));
    return true;
  }
  if (asked->head.flags & EFA_AQ_CONTROL_INDIRECT)
    return copy_chunks(twin, asked->pbl.list, to, n);
  return copy_addresses(twin, address_of(&asked->pbl.list.address), to, n);
}

/* --- Regions
 * ---------------------------------------------------------------------------------------- */

static uint32_t key_of(const struct efa_twin *twin, const struct efa_twin_mr *mr)
{
  return (uint32_t)mr->generation << 16 | (uint32_t)(mr - twin->mrs);
}

static struct efa_twin_mr *mr_of(struct efa_twin *twin, uint32_t key)
{
  struct efa_twin_mr *mr = &twin->mrs[key & MR_INDEX];
  return mr->live && key_of(twin, mr) == (key & EFA_LKEY) ? mr : NULL;
}

/* Round and round, so that a key is not used again soon. */
static struct efa_twin_mr *free_mr(struct efa_twin *twin)
{
  for (uint32_t i = 0; i < EFA_TWIN_MRS; i++) {
    struct efa_twin_mr *mr = &twin->mrs[(twin->next_mr + i) % EFA_TWIN_MRS];
    if (mr->live)
      continue;
    twin->next_mr = (twin->next_mr + i + 1) % EFA_TWIN_MRS;
    return mr;
  }
  return NULL;
}

/* How many pages the region touches; 0 where that is not possible. */
static uint32_t pages_of(const struct efa_reg_mr *asked, uint8_t shift)
{
  uint64_t offset = asked->iova & ((UINT64_C(1) << shift) - 1);
  if (!asked->length || asked->length > UINT64_MAX - asked->iova ||
      asked->length > ((uint64_t)EFA_TWIN_MR_PAGES << shift) - offset)
    return 0;
  return (uint32_t)((offset + asked->length + (UINT64_C(1) << shift) - 1) >> shift);
}

/* Each page must be DMA memory when it is registered; what a driver takes away later is seen when
 * it is used. */
static bool pages_exist(struct efa_twin *twin, const uint64_t *pages, uint32_t n, uint8_t shift)
{
  uint64_t mask = (UINT64_C(1) << shift) - 1;
  for (uint32_t i = 0; i < n; i++)
    if (pages[i] & mask || !shunt_model_dma(&twin->model, pages[i], 1, 0))
      return false;
  return true;
}

uint8_t efa_twin_reg_mr(struct efa_twin *twin, const void *command, void *response)
{
  const struct efa_reg_mr *asked = command;
  struct efa_reg_mr_response *answer = response;
  uint8_t shift = asked->flags & EFA_MR_PAGE_SHIFT;
  uint8_t known = EFA_MR_LOCAL_WRITE | (efa_twin_has_read(twin) ? EFA_MR_REMOTE_READ : 0) |
                  (efa_twin_has_write(twin) ? EFA_MR_REMOTE_WRITE : 0);
  if (!efa_twin_pd_live(twin, asked->pd) || asked->flags & EFA_MR_PHYSICAL || shift < PAGE_LEAST ||
      shift > PAGE_MOST || asked->permissions & ~known)
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  uint32_t n = pages_of(asked, shift);
  if (!n || (asked->page_num && asked->page_num != n))
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  struct efa_twin_mr *mr = free_mr(twin);
  uint64_t *pages = mr ? malloc(n * sizeof(*pages)) : NULL;
  if (!pages)
    return EFA_ADMIN_RESOURCE_ALLOCATION_FAILURE;
  if (!copy_pages(twin, asked, pages, n) || !pages_exist(twin, pages, n, shift)) {
    twin->faults.bad_page_list++;
    free(pages);
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  }
  *mr = (struct efa_twin_mr){.live = true,
                             .generation = (uint8_t)(mr->generation + 1),
                             .permissions = asked->permissions,
                             .page_shift = shift,
                             .pd = asked->pd,
                             .page_count = n,
                             .iova = asked->iova,
                             .length = asked->length,
                             .pages = pages};
  answer->lkey = answer->rkey = key_of(twin, mr);
  return EFA_ADMIN_SUCCESS;
}

static void forget(struct efa_twin_mr *mr)
{
  free(mr->pages);
  mr->pages = NULL;
  mr->live = false;
}

uint8_t efa_twin_dereg_mr(struct efa_twin *twin, const void *command, void *response)
{
  const struct efa_dereg_mr *asked = command;
  struct efa_twin_mr *mr = mr_of(twin, asked->lkey);
  (void)response;
  if (!mr || asked->lkey & ~EFA_LKEY)
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  forget(mr);
  return EFA_ADMIN_SUCCESS;
}

void efa_twin_memory_forget(struct efa_twin *twin)
{
  for (uint32_t i = 0; i < EFA_TWIN_MRS; i++)
    forget(&twin->mrs[i]);
}

/* --- Use
 * -----------------------------------------------------------------------------------------------
 */

struct efa_twin_mr *efa_twin_mr_of(struct efa_twin *twin, uint32_t key, uint16_t pd,
                                   uint8_t permission, uint64_t address, uint32_t bytes)
{
  struct efa_twin_mr *mr = mr_of(twin, key);
  if (!mr || mr->pd != pd || (mr->permissions & permission) != permission)
    return NULL;
  uint64_t offset = address - mr->iova;
  return offset <= mr->length && bytes <= mr->length - offset ? mr : NULL;
}

/* Pages that follow each other in memory make one piece. */
static bool append(struct iovec pieces[], unsigned *n, uint8_t *memory, uint64_t bytes)
{
  struct iovec *last = &pieces[*n - 1];
  if (*n && (uint8_t *)last->iov_base + last->iov_len == memory) {
    last->iov_len += bytes;
    return true;
  }
  if (*n == SRD_PIECES_MOST)
    return false;
  pieces[(*n)++] = (struct iovec){memory, bytes};
  return true;
}

/* From offset on, as pages count. */
static bool append_pages(struct efa_twin *twin, struct efa_twin_mr *mr, bool writes,
                         uint64_t offset, uint64_t bytes, struct iovec pieces[], unsigned *n)
{
  uint64_t page_bytes = UINT64_C(1) << mr->page_shift;
  while (bytes) {
    uint64_t in_page = offset & (page_bytes - 1);
    uint64_t piece = page_bytes - in_page < bytes ? page_bytes - in_page : bytes;
    uint64_t from = mr->pages[offset >> mr->page_shift] + in_page;
    void *memory = shunt_model_dma_piece(&twin->model, &mr->hint, from, &piece, writes);
    if (!memory || !append(pieces, n, memory, piece))
      return false;
    offset += piece;
    bytes -= piece;
  }
  return true;
}

bool efa_twin_memory(struct efa_twin *twin, uint32_t key, uint16_t pd, uint8_t permission,
                     uint64_t address, uint32_t bytes, struct iovec pieces[], unsigned *n)
{
  struct efa_twin_mr *mr = efa_twin_mr_of(twin, key, pd, permission, address, bytes);
  if (!mr)
    return false;
  uint64_t page_bytes = UINT64_C(1) << mr->page_shift;
  uint64_t offset = address - mr->iova + (mr->iova & (page_bytes - 1));
  uint64_t in_page = offset & (page_bytes - 1);
  bool writes = permission & (EFA_MR_LOCAL_WRITE | EFA_MR_REMOTE_WRITE);
  if (bytes && bytes <= page_bytes - in_page) { /* most of the time it is in one */
    uint64_t from = mr->pages[offset >> mr->page_shift] + in_page;
    void *memory = shunt_model_dma_at(&twin->model, mr->hint, from, bytes, writes);
    if (memory)
      return append(pieces, n, memory, bytes);
  }
  return append_pages(twin, mr, writes, offset, bytes, pieces, n);
}
