/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory registration: the device is told a virtual address, and the device addresses of the pages
 * behind it: four in the command itself, a page full of them in one array, or more in an indirect
 * list (efa_verbs.c: pbl_create). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/core/error_internal.h"
#include "src/nic/efa/efa.h"

#define INLINE_PAGES 4u

struct efa_mr {
  struct shunt_fabric_mr mr; /* first */
  struct efa_mapping *mapping;
};

/* The pages of a registration. */
struct pages {
  const struct efa_mapping *mapping;
  uint64_t first; /* offset of the first page in the region */
  uint32_t count;
  unsigned shift;
};

static uint64_t page_address(const struct pages *pages, uint32_t index)
{
  uint64_t offset = pages->first + ((uint64_t)index << pages->shift);
  return offset + pages->mapping->delta[offset >> SHUNT_REGION_ALIGN_SHIFT];
}

/* --- Indirect lists ------------------------------------------------------------------------------
 */

unsigned efa_pbl_pages(uint32_t n)
{
  return (n + EFA_PBL_PAGE_POINTERS - 1) / EFA_PBL_PAGE_POINTERS;
}

unsigned efa_pbl_chunks(uint32_t n)
{
  return (efa_pbl_pages(n) + EFA_PBL_CHUNK_POINTERS - 1) / EFA_PBL_CHUNK_POINTERS;
}

/* The length of a chunk is that of its pointers and of the control buffer behind them
 * (efa_verbs.c: pbl_chunk_list_create). */
static uint32_t chunk_length(unsigned pages_left)
{
  unsigned pointers = pages_left < EFA_PBL_CHUNK_POINTERS ? pages_left : EFA_PBL_CHUNK_POINTERS;
  return (uint32_t)(pointers * sizeof(uint64_t) + sizeof(struct efa_control_buffer));
}

void efa_pbl_chain(struct efa_pbl_chunk chunks[], uint64_t chunks_address, uint64_t pages_address,
                   uint32_t n)
{
  unsigned pages = efa_pbl_pages(n), count = efa_pbl_chunks(n);
  for (unsigned i = 0; i < pages; i++)
    chunks[i / EFA_PBL_CHUNK_POINTERS].pages[i % EFA_PBL_CHUNK_POINTERS] =
        pages_address + (uint64_t)i * EFA_PAGE_BYTES;
  for (unsigned i = 0; i + 1 < count; i++)
    chunks[i].next = (struct efa_control_buffer){
        .length = chunk_length(pages - (i + 1) * EFA_PBL_CHUNK_POINTERS),
        .address = efa_address(chunks_address + (uint64_t)(i + 1) * EFA_PBL_CHUNK_BYTES)};
}

/* --- The command ---------------------------------------------------------------------------------
 */

/* The list's memory is needed until the command ends. One of more addresses than a block holds
 * would take a registration of 1 GiB in pages of 4 KiB: larger ones have larger pages. */
struct list {
  struct efa_block addresses, chunks;
};

static int list_create(struct efa *efa, const struct pages *pages, struct list *list,
                       struct efa_reg_mr *command, struct shunt_error *error)
{
  uint32_t n = pages->count;
  if (n <= INLINE_PAGES) {
    for (uint32_t i = 0; i < n; i++)
      command->pbl.pages[i] = page_address(pages, i);
    return 0;
  }
  int result = efa_block_take(efa, n * sizeof(uint64_t), &list->addresses, error);
  if (result)
    return result;
  uint64_t *addresses = list->addresses.memory;
  for (uint32_t i = 0; i < n; i++)
    addresses[i] = page_address(pages, i);
  command->head.flags = EFA_AQ_CONTROL;
  command->pbl.list = (struct efa_control_buffer){.length = (uint32_t)(n * sizeof(uint64_t)),
                                                  .address = efa_address(list->addresses.address)};
  if (n <= EFA_PBL_PAGE_POINTERS)
    return 0;
  result =
      efa_block_take(efa, (uint64_t)efa_pbl_chunks(n) * EFA_PBL_CHUNK_BYTES, &list->chunks, error);
  if (result)
    return result;
  efa_pbl_chain(list->chunks.memory, list->chunks.address, list->addresses.address, n);
  command->head.flags = EFA_AQ_CONTROL | EFA_AQ_CONTROL_INDIRECT;
  command->pbl.list = (struct efa_control_buffer){.length = chunk_length(efa_pbl_pages(n)),
                                                  .address = efa_address(list->chunks.address)};
  return 0;
}

/* The largest that the device has, that is no larger than asked for, and that the device addresses
 * and the virtual address go by. */
static unsigned page_shift(const struct efa *efa, const struct efa_mapping *mapping, uint64_t most)
{
  uint64_t jumps = (shunt_region_bytes(mapping->region) + SHUNT_REGION_ALIGN_BYTES - 1) >>
                   SHUNT_REGION_ALIGN_SHIFT;
  uint64_t bits = (uint64_t)(uintptr_t)shunt_region_base(mapping->region);
  for (uint64_t i = 0; i < jumps; i++)
    bits |= mapping->delta[i];
  unsigned shift = SHUNT_REGION_ALIGN_SHIFT;
  while (shift > 12 && (bits & ((UINT64_C(1) << shift) - 1) ||
                        !(efa->device.page_sizes >> shift & 1) || (most && most >> shift == 0)))
    shift--;
  return shift;
}

static int check_access(const struct efa *efa, unsigned access, struct shunt_error *error)
{
  uint32_t caps = efa_caps(efa);
  const char *what = NULL;
  if (access & SHUNT_FABRIC_REMOTE_READ && !(caps & SHUNT_FABRIC_RDMA_READ))
    what = "reads";
  if (access & SHUNT_FABRIC_REMOTE_WRITE && !(caps & SHUNT_FABRIC_RDMA_WRITE))
    what = "writes";
  if (!what)
    return 0;
  shunt_error_set(error, -EOPNOTSUPP, "no memory for peers' %s", what);
  shunt_error_why(error, "%s has no RDMA %s", efa->device_name, what);
  shunt_error_remedy(error, "register it without; move data by messages");
  return -EOPNOTSUPP;
}

static int register_pages(struct efa *efa, struct shunt_fabric_pd *pd, const struct pages *pages,
                          struct efa_reg_mr *command, struct shunt_fabric_mr *mr,
                          struct shunt_error *error)
{
  struct list list = {0};
  struct efa_acq_entry answer;
  command->head.opcode = EFA_ADMIN_REG_MR;
  command->pd = pd->number;
  command->flags = (uint8_t)HW_FIELD(EFA_MR_PAGE_SHIFT, pages->shift);
  command->page_num = pages->count;
  int result = list_create(efa, pages, &list, command, error);
  if (!result)
    result = efa_command(efa, command, sizeof(*command), &answer, error);
  efa_block_give(&list.chunks);
  efa_block_give(&list.addresses);
  if (result)
    return result;
  const struct efa_reg_mr_response *response = (const void *)&answer;
  mr->lkey = response->lkey;
  mr->rkey = response->rkey;
  return 0;
}

int efa_mr_register(struct shunt_fabric_pd *pd, struct shunt_region *region, uint64_t offset,
                    uint64_t bytes, unsigned access, uint64_t page_bytes,
                    struct shunt_fabric_mr **mr, struct shunt_error *error)
{
  struct efa *efa = efa_of(pd->object.fabric);
  struct efa_mr *made = calloc(1, sizeof(*made));
  if (!made)
    return error_set_errno(error, -ENOMEM, "no memory for a registration");
  int result = check_access(efa, access, error);
  if (!result)
    result = efa_region_map(efa, region, &made->mapping, error);
  if (result) {
    free(made);
    return result;
  }
  made->mr.base = (uint8_t *)shunt_region_base(region) + offset;
  struct pages pages = {.mapping = made->mapping,
                        .shift = page_shift(efa, made->mapping, page_bytes)};
  pages.first = offset >> pages.shift << pages.shift;
  pages.count =
      (uint32_t)((offset + bytes - pages.first + (UINT64_C(1) << pages.shift) - 1) >> pages.shift);
  struct efa_reg_mr command = {
      .length = bytes,
      .permissions = (uint8_t)((access & SHUNT_FABRIC_LOCAL_WRITE ? EFA_MR_LOCAL_WRITE : 0) |
                               (access & SHUNT_FABRIC_REMOTE_WRITE ? EFA_MR_REMOTE_WRITE : 0) |
                               (access & SHUNT_FABRIC_REMOTE_READ ? EFA_MR_REMOTE_READ : 0)),
      .iova = (uintptr_t)made->mr.base};
  result = register_pages(efa, pd, &pages, &command, &made->mr, error);
  if (result) {
    efa_region_unmap(efa, made->mapping);
    free(made);
    return shunt_error_within(error, result, "can't register memory");
  }
  struct fabric_object *stands_on[] = {&pd->object};
  fabric_object_add(pd->object.fabric, &made->mr.object, FABRIC_MR, stands_on, 1);
  *mr = &made->mr;
  return 0;
}

int efa_mr_deregister(struct fabric_object *object, struct shunt_error *error)
{
  struct efa *efa = efa_of(object->fabric);
  struct efa_mr *mr = (struct efa_mr *)object;
  struct efa_dereg_mr command = {.head.opcode = EFA_ADMIN_DEREG_MR, .lkey = mr->mr.lkey};
  int result = object->dead ? 0 : efa_command(efa, &command, sizeof(command), NULL, error);
  efa_region_unmap(efa, mr->mapping);
  free(mr);
  return result;
}
