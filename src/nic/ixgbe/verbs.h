/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SRC_NIC_IXGBE_VERBS_H
#define SRC_NIC_IXGBE_VERBS_H

#include "shunt/ixgbe.h"
#include "src/port/driver.h"

/* Choose the queue's verbs, as port.c finds them before it puts a guard around.
 *
 * rdt, tdt  the tail registers as memory; NULL where they are trapped: then q->doorbell is rung */
void ixgbe_verbs_install(struct shunt_ixgbe_queue *q, volatile uint32_t *rdt,
                         volatile uint32_t *tdt, bool metadata);

/* ptp.c: the time stamp of the frame just polled, read and released (RXSTMPL/H, datasheet
 * 8.2.3.26.3), in nanoseconds. Called only for descriptors that carry TS. */
uint64_t ixgbe_rx_time(struct shunt_ixgbe_queue *q);

#endif
