/* SPDX-License-Identifier: BSD-2-Clause */
/* The software 82599, inside: one object, and what its parts offer each other.
 *
 *   ixgbe.c      construction, the model's operations, counters
 *   registers.c  which access does what; reset values
 *   eeprom.c sfp.c mdio.c   what stands behind EERD/EEC, I2CCTL and MSCA
 *   interrupt.c  causes, masks, moderation, MSI-X
 *   statistics.c clear-on-read counters      ptp.c  SYSTIM and time stamps      link.c  link state
 *   tx.c offload.c   descriptors to frames: context, checksums, TSO
 *   rx.c filter.c steer.c flow_director.c   frames to descriptors: addresses, VLAN, queues, DMA */
#ifndef TWIN_IXGBE_IXGBE_H
#define TWIN_IXGBE_IXGBE_H

#include <stdbool.h>

#include "hw/ixgbe.h"
#include "hw/ixgbe_desc.h"
#include "shunt/model.h"
#include "shunt/twin.h"
#include "shunt/wire.h"

#define TWIN_IXGBE_BAR0_BYTES (512u << 10)
#define TWIN_IXGBE_QUEUES     128u
#define TWIN_IXGBE_VECTORS    64u
/* Packet buffer of the chip: frames that wait for descriptors where SRRCTL.DROP_EN is clear. */
#define TWIN_IXGBE_PACKET_BUFFER_BYTES (512u << 10)
/* Most descriptors that one poll takes from one queue, so that a poll is bounded. */
#define TWIN_IXGBE_POLL_BUDGET 256u

/* What the driver did wrong, each counted under its name. */
#define TWIN_IXGBE_FAULTS(X)                                                                       \
  X(bad_access)       /* register access outside the BAR, of an odd size or unaligned */           \
  X(unknown_register) /* an address that is no register of the chip */                             \
  X(bad_ring) /* ring enabled with a length that is 0 or no multiple of 128, or base unaligned */  \
  X(bad_tail) /* tail outside the ring */                                                          \
  X(bad_descriptor)  /* a field that the datasheet forbids */                                      \
  X(endless_frame)   /* a whole ring of descriptors without end of packet */                       \
  X(bad_offload)     /* context that does not fit the frame */                                     \
  X(dma_refused)     /* ring or buffer outside registered memory */                                \
  X(oversized_frame) /* longer than the chip sends */

/* What happened to received frames that were not delivered, beyond the chip's own statistics. */
#define TWIN_IXGBE_DROPS(X)                                                                        \
  X(rx_disabled)   /* RXCTRL.RXEN clear, or MAC in reset */                                        \
  X(not_addressed) /* L2 filters */                                                                \
  X(vlan_filtered)                                                                                 \
  X(too_long) /* over MAXFRS or without jumbo enabled */                                           \
  X(too_short)                                                                                     \
  X(no_descriptor) /* DROP_EN, or packet buffer full */                                            \
  X(queue_disabled)                                                                                \
  X(filter_dropped) /* flow director drop action */

struct twin_ixgbe_tx;    /* tx.c: cached contexts and progress of the Tx queues */
struct twin_ixgbe_rx;    /* rx.c: packet buffer and progress of the Rx queues */
struct twin_ixgbe_steer; /* flow_director.c: the filters in the hash table */

struct twin_ixgbe {
  struct shunt_model model; /* first: the two are converted by a cast */
  uint8_t *registers;       /* BAR 0: every register's plain value */
  struct shunt_twin_ixgbe_options options;
  struct shunt_wire_end *end;
  uint64_t now_ns; /* of the latest poll or delivery */

  struct twin_ixgbe_tx *tx;
  struct twin_ixgbe_rx *rx;
  struct twin_ixgbe_steer *steer;

  uint16_t eeprom[16384]; /* 256 Kbit */
  uint8_t sfp_a0[256], sfp_a2[256];
  struct twin_ixgbe_i2c *i2c;
  struct twin_ixgbe_interrupts *interrupts;
  struct twin_ixgbe_ptp *ptp;

  /* Rx and Tx queues in use: those whose ENABLE reads 1. A poll looks at no others. */
  uint64_t rx_enabled[2], tx_enabled[2];

#define TWIN_IXGBE_COUNTER(name) uint64_t name;
  struct {
    TWIN_IXGBE_FAULTS(TWIN_IXGBE_COUNTER)
  } faults;
  struct {
    TWIN_IXGBE_DROPS(TWIN_IXGBE_COUNTER)
  } drops;
#undef TWIN_IXGBE_COUNTER
  uint64_t mmio_reads, mmio_writes; /* trapped accesses */
};

/* A register's plain value. Pages offered as shared memory are written by the driver at any time:
 * relaxed atomics, and acquire where a tail is read (what it covers was written before it). */
static inline uint32_t twin_ixgbe_get(const struct twin_ixgbe *twin, uint32_t offset)
{
  return __atomic_load_n((const uint32_t *)(const void *)(twin->registers + offset),
                         __ATOMIC_RELAXED);
}
static inline uint32_t twin_ixgbe_get_acquire(const struct twin_ixgbe *twin, uint32_t offset)
{
  return __atomic_load_n((const uint32_t *)(const void *)(twin->registers + offset),
                         __ATOMIC_ACQUIRE);
}
static inline void twin_ixgbe_set(struct twin_ixgbe *twin, uint32_t offset, uint32_t value)
{
  __atomic_store_n((uint32_t *)(void *)(twin->registers + offset), value, __ATOMIC_RELAXED);
}

/* registers.c: an access with the chip's side effects; 32 bits, in range, aligned. */
uint32_t twin_ixgbe_read(struct twin_ixgbe *twin, uint32_t offset);
void twin_ixgbe_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value);
void twin_ixgbe_reset_registers(struct twin_ixgbe *twin);

/* eeprom.c, sfp.c, mdio.c: build the contents; react to the register behind which they stand. */
void twin_ixgbe_eeprom_build(struct twin_ixgbe *twin);
uint32_t twin_ixgbe_eerd_write(struct twin_ixgbe *twin, uint32_t value); /* returns EERD as read */
uint32_t twin_ixgbe_eec_write(struct twin_ixgbe *twin, uint32_t value);
int twin_ixgbe_i2c_create(struct twin_ixgbe *twin);
void twin_ixgbe_i2c_destroy(struct twin_ixgbe *twin);
uint32_t twin_ixgbe_i2cctl_write(struct twin_ixgbe *twin, uint32_t value);
uint32_t twin_ixgbe_i2cctl_read(struct twin_ixgbe *twin);
void twin_ixgbe_msca_write(struct twin_ixgbe *twin, uint32_t value);

/* interrupt.c: causes come from queues and events; vectors go to the host. */
int twin_ixgbe_interrupts_create(struct twin_ixgbe *twin);
void twin_ixgbe_interrupts_destroy(struct twin_ixgbe *twin);
void twin_ixgbe_interrupts_reset(struct twin_ixgbe *twin);
bool twin_ixgbe_interrupt_read(struct twin_ixgbe *twin, uint32_t offset, uint32_t *value);
bool twin_ixgbe_interrupt_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value);
void twin_ixgbe_interrupt_rx(struct twin_ixgbe *twin,
                             unsigned queue); /* a frame was written back */
void twin_ixgbe_interrupt_tx(struct twin_ixgbe *twin,
                             unsigned queue); /* a descriptor was, with RS */
void twin_ixgbe_interrupt_cause(struct twin_ixgbe *twin, uint32_t eicr_bits);  /* LSC, ... */
unsigned twin_ixgbe_interrupts_poll(struct twin_ixgbe *twin, uint64_t now_ns); /* moderation ends */

/* statistics.c: add to the counter at that register offset (32-, 36- and 64-bit pairs carry). */
void twin_ixgbe_count(struct twin_ixgbe *twin, uint32_t low_offset, uint64_t n);
bool twin_ixgbe_statistics_read(struct twin_ixgbe *twin, uint32_t offset, uint32_t *value);
void twin_ixgbe_count_rx(struct twin_ixgbe *twin, const uint8_t *frame, uint32_t bytes);
void twin_ixgbe_count_tx(struct twin_ixgbe *twin, const uint8_t *frame, uint32_t bytes);

/* ptp.c */
int twin_ixgbe_ptp_create(struct twin_ixgbe *twin);
void twin_ixgbe_ptp_destroy(struct twin_ixgbe *twin);
bool twin_ixgbe_ptp_read(struct twin_ixgbe *twin, uint32_t offset, uint32_t *value);
bool twin_ixgbe_ptp_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value);
/* Latch a time stamp if the registers ask for one of this frame; true: the descriptor gets its TS
 * bit (Rx) or the stamp is in TXSTMPL/H (Tx, of a descriptor that carries MAC_TSTAMP). */
bool twin_ixgbe_ptp_rx(struct twin_ixgbe *twin, const uint8_t *frame, uint32_t bytes);
void twin_ixgbe_ptp_tx(struct twin_ixgbe *twin);

/* link.c: LINKS, AUTOC, carrier from the wire; raises LSC when it changes. */
void twin_ixgbe_link_update(struct twin_ixgbe *twin);
bool twin_ixgbe_link_up(const struct twin_ixgbe *twin);

/* tx.c: fetch and send what the tails say. Returns descriptors done. */
int twin_ixgbe_tx_create(struct twin_ixgbe *twin);
void twin_ixgbe_tx_destroy(struct twin_ixgbe *twin);
void twin_ixgbe_tx_reset(struct twin_ixgbe *twin);
unsigned twin_ixgbe_tx_poll(struct twin_ixgbe *twin);
/* A queue's ENABLE was written 1 or 0: check the ring, take or drop its state. */
void twin_ixgbe_tx_enable(struct twin_ixgbe *twin, unsigned queue, bool on);

/* rx.c: a frame came from the wire (or from our own Tx, in loopback). */
int twin_ixgbe_rx_create(struct twin_ixgbe *twin);
void twin_ixgbe_rx_destroy(struct twin_ixgbe *twin);
void twin_ixgbe_rx_reset(struct twin_ixgbe *twin);
void twin_ixgbe_rx_deliver(struct twin_ixgbe *twin, const uint8_t *frame, uint32_t bytes);
unsigned twin_ixgbe_rx_poll(struct twin_ixgbe *twin); /* frames that waited in the packet buffer */
void twin_ixgbe_rx_enable(struct twin_ixgbe *twin, unsigned queue, bool on);

/* flow_director.c: registers 0xEE00-0xEEFF and the filters behind them. */
int twin_ixgbe_steer_create(struct twin_ixgbe *twin);
void twin_ixgbe_steer_destroy(struct twin_ixgbe *twin);
void twin_ixgbe_steer_reset(struct twin_ixgbe *twin);
bool twin_ixgbe_flow_director_read(struct twin_ixgbe *twin, uint32_t offset, uint32_t *value);
bool twin_ixgbe_flow_director_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value);

#endif
