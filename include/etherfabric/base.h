/* SPDX-License-Identifier: BSD-2-Clause */
/* Driver handles, and waiting for events. */
#ifndef SHUNT_ETHERFABRIC_BASE_H
#define SHUNT_ETHERFABRIC_BASE_H
#define __EFAB_BASE_H__ /* programs ask whether it is included */

#include <etherfabric/ef_vi.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct timeval;

/* The page of DMA addresses. */
#define EF_VI_NIC_PAGE_SHIFT 12
#define EF_VI_NIC_PAGE_SIZE  (1 << EF_VI_NIC_PAGE_SHIFT)

#define EF_ADDR_FMT     "%" PRIx64
#define EF_INVALID_ADDR ((ef_addr)-1)

/* Open a handle: a file descriptor for poll, select and epoll. It becomes readable when an event
 * queue that was primed with it has events.
 *
 * Owner    the caller, until ef_driver_close
 * Returns  0, -EINVAL (dh_out is NULL), -EMFILE, -ENFILE, -ENOMEM */
extern int ef_driver_open(ef_driver_handle *dh_out);
/* Close a handle, and end what was made with it: interfaces, with their filters, and those that use
 * their event queues; memory; sets; PIO regions; domains, once nothing is left in them that was
 * made with other handles.
 *
 * Calls on what has ended fail, and frees of it return 0, once. A structure whose memory is gone by
 * now, or holds something else, is left alone.
 * Owner    what was sent is waited for, up to a second. Receive buffers in memory that ends, of
 *          interfaces that go on, are dealt with as by ef_memreg_free
 * Thread   any, while none is in a call of what ends, or asleep in ef_eventq_wait on it
 * Returns  0, -EBADF (dh is none, or closed already), -EBUSY (the checked build: another thread is
 *          in a call of an interface; the handle stays open) */
extern int ef_driver_close(ef_driver_handle dh);

/* Sleep until the queue has events.
 *
 * current_ptr  ef_eventq_current() before the last poll that found none
 * timeout      NULL: as long as it takes
 * Returns      0, -ETIMEDOUT, -EINVAL, -EBADF, -EOPNOTSUPP (the device can't wake anybody) */
extern int ef_eventq_wait(ef_vi *vi, ef_driver_handle vi_dh, unsigned current_ptr,
                          const struct timeval *timeout);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
