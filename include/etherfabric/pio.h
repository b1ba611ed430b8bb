/* SPDX-License-Identifier: BSD-2-Clause */
/* PIO: memory of the device that a packet is written into before it is sent. No device that shunt
 * drives has such memory: ef_pio_alloc says -EOPNOTSUPP, and EF_VI_CAP_PIO is 0. */
#ifndef SHUNT_ETHERFABRIC_PIO_H
#define SHUNT_ETHERFABRIC_PIO_H

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

extern int ef_pio_alloc(ef_pio *pio, ef_driver_handle pio_dh, struct ef_pd *pd, unsigned len_hint,
                        ef_driver_handle pd_dh);
extern int ef_pio_free(ef_pio *pio, ef_driver_handle pio_dh);
extern int ef_pio_link_vi(ef_pio *pio, ef_driver_handle pio_dh, struct ef_vi *vi,
                          ef_driver_handle vi_dh);
extern int ef_pio_unlink_vi(ef_pio *pio, ef_driver_handle pio_dh, struct ef_vi *vi,
                            ef_driver_handle vi_dh);
/* Bytes of the memory linked to the interface. */
extern int ef_vi_get_pio_size(ef_vi *vi);
/* Returns 0, -EINVAL (offset or end is not a multiple of 64, or outside), -EOPNOTSUPP. */
extern int ef_pio_memcpy(ef_vi *vi, const void *base, int offset, int len);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
