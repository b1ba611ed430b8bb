/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SRC_NIC_IXGBE_VERBS_H
#define SRC_NIC_IXGBE_VERBS_H

#include "shunt/ixgbe.h"
#include "src/port/driver.h"

/* What a queue of this driver has in head.verbs until port.c puts a guard around it. */
extern const struct shunt_queue_verbs ixgbe_verbs;

/* ptp.c: the time stamp of the frame just polled, read and released (RXSTMPL/H, datasheet
 * 8.2.3.26.3), in nanoseconds. Called only for descriptors that carry TS. */
uint64_t ixgbe_rx_time(struct shunt_ixgbe_queue *q);

#endif
