/* SPDX-License-Identifier: BSD-2-Clause */
/* PIO: memory that a packet is written into before it is sent. Solarflare's cards have such memory;
 * here it is this process's, and a packet goes from it into the interface's ring. EF_VI_CAP_PIO
 * says so: it is 0, and a program that looks sends the ordinary way, which is as fast. */
#ifndef SHUNT_ETHERFABRIC_PIO_H
#define SHUNT_ETHERFABRIC_PIO_H
#define __EFAB_PIO_H__ /* programs ask whether it is included */

#include <etherfabric/base.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define EF_VI_CONFIG_PIO 1

typedef struct ef_pio {
  uint8_t *pio_buffer;
  uint8_t *pio_io;
  unsigned pio_resource_id;
  unsigned pio_len;
} ef_pio;

/* Make a region.
 *
 * len_hint  bytes, up to 4096: what was granted is pio_len
 * Owner     the caller, until ef_pio_free, or its handle is closed; pio must stay where it is until
 *           then
 * Returns   0, -EINVAL, -EBADF, -ENOMEM */
extern int ef_pio_alloc(ef_pio *pio, ef_driver_handle pio_dh, struct ef_pd *pd, unsigned len_hint,
                        ef_driver_handle pd_dh);
/* Returns 0, -EINVAL (pio is none), -EBUSY (it is linked). */
extern int ef_pio_free(ef_pio *pio, ef_driver_handle pio_dh);
/* Let the interface send from the region; each has one at most. An interface that is freed is
 * unlinked. Returns 0, -EINVAL, -EBUSY (one of the two is linked already). */
extern int ef_pio_link_vi(ef_pio *pio, ef_driver_handle pio_dh, struct ef_vi *vi,
                          ef_driver_handle vi_dh);
extern int ef_pio_unlink_vi(ef_pio *pio, ef_driver_handle pio_dh, struct ef_vi *vi,
                            ef_driver_handle vi_dh);
/* Bytes of the region linked to the interface, or -EINVAL. */
extern int ef_vi_get_pio_size(ef_vi *vi);
/* Copy into the region. Returns 0, -EINVAL (outside, or none is linked). */
extern int ef_pio_memcpy(ef_vi *vi, const void *base, int offset, int len);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
