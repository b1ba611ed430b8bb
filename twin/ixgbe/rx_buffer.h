/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet buffer (datasheet 7.1.4, 8.2.3.8.9): bytes, first in, first out, round and round. What
 * they are, a report and its frame, rx.c knows. */
#ifndef TWIN_IXGBE_RX_BUFFER_H
#define TWIN_IXGBE_RX_BUFFER_H

#include <stdint.h>

/* Freely copied: a copy made before _remove brings back what was removed, if nothing was added. */
struct twin_ixgbe_rx_buffer {
  uint8_t *data; /* TWIN_IXGBE_PACKET_BUFFER_BYTES of them */
  uint32_t first, used;
};

/* Put bytes behind all others. There must be room: used + bytes at most the buffer's length. */
void twin_ixgbe_rx_buffer_add(struct twin_ixgbe_rx_buffer *buffer, const void *data,
                              uint32_t bytes);

/* Copy bytes out, from offset on, counted from the first; offset + bytes at most used. */
void twin_ixgbe_rx_buffer_look(const struct twin_ixgbe_rx_buffer *buffer, uint32_t offset,
                               void *data, uint32_t bytes);

/* Forget the first bytes; at most used. */
void twin_ixgbe_rx_buffer_remove(struct twin_ixgbe_rx_buffer *buffer, uint32_t bytes);

#endif
