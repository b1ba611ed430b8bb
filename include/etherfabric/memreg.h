/* SPDX-License-Identifier: BSD-2-Clause */
/* Registered memory: what virtual interfaces may receive into and send from. */
#ifndef SHUNT_ETHERFABRIC_MEMREG_H
#define SHUNT_ETHERFABRIC_MEMREG_H
#define __EFAB_MEMREG_H__ /* programs ask whether it is included */

#include <etherfabric/base.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct ef_pd;

typedef struct ef_memreg {
  ef_addr *mr_dma_addrs; /* one for each page of EF_VI_NIC_PAGE_SIZE */
  ef_addr *mr_dma_addrs_base;
} ef_memreg;

/* Register memory with a protection domain; the same memory may be registered with several.
 *
 * p_mem      a multiple of 4096
 * len_bytes  any length but 0; the pages that it touches are registered whole
 * Owner      the memory stays the caller's, and must be there until ef_memreg_free, or mr_dh is
 *            closed. The addresses can be read until ef_memreg_free, which frees them also then
 * Returns    0, -EINVAL, -EBADF, -ENOMEM, -ENOSPC (of the domain's 16 GiB of addresses no
 *            so many are free in a row) */
extern int ef_memreg_alloc(ef_memreg *mr, ef_driver_handle mr_dh, struct ef_pd *pd,
                           ef_driver_handle pd_dh, void *p_mem, size_t len_bytes);
/* Give memory back, which may then go. Receive buffers in it stay on their rings: packets that come
 * into them are told of, and lost.
 *
 * Thread   any, while none is in a call of an interface that has such buffers
 * Returns  0, -EINVAL (mr is none), -EBUSY (the checked build: a receive buffer lies in it) */
extern int ef_memreg_free(ef_memreg *mr, ef_driver_handle mr_dh);

/* The device's address of a byte. */
ef_vi_inline ef_addr ef_memreg_dma_addr(ef_memreg *mr, size_t offset)
{
  return mr->mr_dma_addrs[offset >> EF_VI_NIC_PAGE_SHIFT] | (offset & (EF_VI_NIC_PAGE_SIZE - 1));
}

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
