/* SPDX-License-Identifier: BSD-2-Clause */
/* The software 82599, inside: one object, and what its parts offer each other.
 *
 *   ixgbe.c      construction, the model's operations, counters
 *   registers.c  which access does what          register_map.c  which there are; reset values
 *   config.c     PCI configuration space         rings.c   ENABLE bits, in shared pages too
 *   eeprom.c sfp.c mdio.c   what stands behind EERD/EEC, I2CCTL and MSCA
 *   interrupt.c  causes, masks, moderation, MSI-X
 *   statistics.c clear-on-read counters      ptp.c  SYSTIM and time stamps      link.c  link state
 *   tx.c offload.c   descriptors to frames: context, checksums, TSO
 *   rx.c filter.c steer.c flow_director.c   frames to descriptors: addresses, VLAN, queues, DMA
 *   rx_buffer.c  the packet buffer           packet.c  what is in a received frame, its checksums
 *   crc.c        FCS and SCTP */
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

/* What a statistics set counts (RQSMR and TQSM map queues to sets). Here and not in the registers'
 * plain storage: half of them lie in pages that may be shared, where a driver's read is not seen
 * and so could not clear them. Such a driver reads 0 there; a trapped read gets the count. */
struct twin_ixgbe_queue_statistics {
  uint64_t rx_frames, rx_bytes, rx_drops, tx_frames, tx_bytes;
};

/* What the datapath has counted and the registers don't show yet: see statistics.h. */
#define TWIN_IXGBE_SIZE_CLASSES 6u
struct twin_ixgbe_mac_statistics {
  uint64_t frames[TWIN_IXGBE_SIZE_CLASSES], bytes, multicast, broadcast;
};
struct twin_ixgbe_sum {
  uint64_t frames, bytes;
};
struct twin_ixgbe_counted {
  struct twin_ixgbe_mac_statistics rx, tx;
  struct twin_ixgbe_sum rx_all, rx_dma, tx_dma;
};

/* A queue in use, and where its ring lay when it was enabled: how a change in shared pages is
 * noticed (rings.c). */
struct twin_ixgbe_in_use {
  const uint8_t *block; /* its registers */
  uint64_t base;
  uint32_t bytes;
  uint8_t bank, index;
};

/* The EEPROM's SPI port, bit by bit (eeprom.c). */
struct twin_ixgbe_spi {
  uint8_t opcode;
  uint8_t in;       /* bits of the byte that is being shifted in */
  uint8_t out;      /* byte that is being shifted out */
  unsigned bits;    /* clocks since chip select */
  uint32_t address; /* in bytes */
  bool data_out;
};

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
  struct twin_ixgbe_spi spi;
  struct twin_ixgbe_i2c *i2c;
  struct twin_ixgbe_interrupts *interrupts;
  struct twin_ixgbe_ptp *ptp;

  uint16_t *register_rows; /* by dword of BAR 0: 1 + its row of register_map.c, or 0 */
  uint8_t *msix;           /* BAR 4: plain storage; the host keeps the vectors */
  int memory_fd;
  struct twin_ixgbe_queue_statistics queue_statistics[IXGBE_STATISTICS_QUEUES];
  struct twin_ixgbe_counted counted;

  /* Rx and Tx queues in use: those whose ENABLE reads 1. A poll looks at no others. */
  uint64_t rx_enabled[2], tx_enabled[2];
  unsigned in_use_count;
  struct twin_ixgbe_in_use in_use[2 * TWIN_IXGBE_QUEUES];
  uint64_t scan_due_ns;    /* rings.c: when to look for ENABLE bits of queues not in use, */
  unsigned scan_due_polls; /* or after how many polls, or before the next one: 0 */

  bool link_up;
  bool link_was_lost; /* since LINKS was read */
  bool is_d3;
  bool is_destroyed; /* freed as soon as the wire lets go */

#define TWIN_IXGBE_COUNTER(name) uint64_t name;
  struct {
    TWIN_IXGBE_FAULTS(TWIN_IXGBE_COUNTER)
  } faults;
  struct {
    TWIN_IXGBE_DROPS(TWIN_IXGBE_COUNTER)
  } drops;
#undef TWIN_IXGBE_COUNTER
  uint64_t mmio_reads, mmio_writes; /* trapped accesses */
  uint64_t settings_writes;         /* of them, those that a driver does not make in every burst */
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
/* How deep a reset goes (datasheet 4.2.1): each level does all of the levels before it. */
enum twin_ixgbe_reset {
  TWIN_IXGBE_RESET_MAC,   /* CTRL.RST */
  TWIN_IXGBE_RESET_LINK,  /* CTRL.LNK_RST: the link's set-up too */
  TWIN_IXGBE_RESET_POWER, /* function level reset and power on: semaphores, pins */
};
void twin_ixgbe_reset(struct twin_ixgbe *twin, enum twin_ixgbe_reset level);

/* register_map.c: what an offset is. */
enum twin_ixgbe_effect {
  TWIN_IXGBE_PLAIN,         /* keeps what is written, under its mask */
  TWIN_IXGBE_ALIAS,         /* another name of a register elsewhere */
  TWIN_IXGBE_CLEAR_ON_READ, /* RC */
  TWIN_IXGBE_WRITE_1_CLEAR, /* W1C */
  TWIN_IXGBE_STATISTIC,
  TWIN_IXGBE_QUEUE_STATISTIC,
  TWIN_IXGBE_RX_ENABLE, /* RXDCTL */
  TWIN_IXGBE_TX_ENABLE, /* TXDCTL */
  TWIN_IXGBE_INTERRUPT,
  TWIN_IXGBE_PTP,
  TWIN_IXGBE_FLOW_DIRECTOR,
  TWIN_IXGBE_SPECIAL, /* a case of its own in registers.c */
};
struct twin_ixgbe_register {
  uint32_t first; /* offset of element 0 */
  uint16_t count; /* elements, stride bytes apart */
  uint16_t stride;
  uint32_t reset;    /* value after reset */
  uint32_t writable; /* bits that keep what is written */
  uint8_t effect;    /* enum twin_ixgbe_effect */
  uint8_t level;     /* enum twin_ixgbe_reset: the least that resets it */
  uint8_t width;     /* of a statistic, in bits */
};
int twin_ixgbe_registers_create(struct twin_ixgbe *twin); /* builds register_rows */
/* Every register that a reset of that level reaches to its reset value. */
void twin_ixgbe_registers_reset(struct twin_ixgbe *twin, enum twin_ixgbe_reset level);
/* The register at that offset of BAR 0, or NULL. */
const struct twin_ixgbe_register *twin_ixgbe_register_at(const struct twin_ixgbe *twin,
                                                         uint32_t offset);
/* Where the register of an alias really is; other offsets as they are. */
uint32_t twin_ixgbe_register_resolve(uint32_t offset);

/* config.c: configuration space as built, and what a write to it does. */
void twin_ixgbe_config_build(struct twin_ixgbe *twin);
void twin_ixgbe_config_written(struct shunt_model *model, unsigned offset, unsigned bytes);
bool twin_ixgbe_config_sends_messages(const struct twin_ixgbe *twin); /* MSI or MSI-X is enabled */
bool twin_ixgbe_config_intx_allowed(const struct twin_ixgbe *twin);
void twin_ixgbe_config_intx_status(struct twin_ixgbe *twin, bool is_asserted);

/* rings.c: take or drop the rings whose ENABLE has changed. Cheap: called by every poll. A frame
 * for a queue that is not in use is worth a twin_ixgbe_rings_scan before it is dropped: in shared
 * mode ENABLE may have been written a moment ago. */
void twin_ixgbe_rings_look(struct twin_ixgbe *twin);
void twin_ixgbe_rings_scan(struct twin_ixgbe *twin);
void twin_ixgbe_rx_control_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value);
void twin_ixgbe_tx_control_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value);
void twin_ixgbe_rings_reset(struct twin_ixgbe *twin);

/* eeprom.c, sfp.c, mdio.c: build the contents; react to the register behind which they stand. */
void twin_ixgbe_eeprom_build(struct twin_ixgbe *twin);
void twin_ixgbe_eeprom_mac(const struct twin_ixgbe *twin, uint8_t mac[6]);
uint32_t twin_ixgbe_eerd_write(struct twin_ixgbe *twin, uint32_t value); /* returns EERD as read */
uint32_t twin_ixgbe_eewr_write(struct twin_ixgbe *twin, uint32_t value);
uint32_t twin_ixgbe_eec_write(struct twin_ixgbe *twin, uint32_t value);
void twin_ixgbe_sfp_build(struct twin_ixgbe *twin);
int twin_ixgbe_i2c_create(struct twin_ixgbe *twin);
void twin_ixgbe_i2c_destroy(struct twin_ixgbe *twin);
void twin_ixgbe_i2c_reset(struct twin_ixgbe *twin);
uint32_t twin_ixgbe_i2cctl_write(struct twin_ixgbe *twin, uint32_t value);
uint32_t twin_ixgbe_i2cctl_read(struct twin_ixgbe *twin);
void twin_ixgbe_msca_write(struct twin_ixgbe *twin, uint32_t value);

/* interrupt.c: causes come from queues and events; vectors go to the host. */
int twin_ixgbe_interrupts_create(struct twin_ixgbe *twin);
void twin_ixgbe_interrupts_destroy(struct twin_ixgbe *twin);
void twin_ixgbe_interrupts_reset(struct twin_ixgbe *twin);
void twin_ixgbe_interrupts_update(struct twin_ixgbe *twin); /* the INTx line, after a change */
bool twin_ixgbe_interrupt_read(struct twin_ixgbe *twin, uint32_t offset, uint32_t *value);
bool twin_ixgbe_interrupt_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value);
void twin_ixgbe_interrupt_queue(struct twin_ixgbe *twin, uint8_t ivar); /* of a queue's IVAR byte */
void twin_ixgbe_interrupt_cause(struct twin_ixgbe *twin, uint32_t eicr_bits);  /* LSC, ... */
unsigned twin_ixgbe_interrupts_poll(struct twin_ixgbe *twin, uint64_t now_ns); /* moderation ends */
uint64_t twin_ixgbe_interrupts_next_ns(const struct twin_ixgbe *twin); /* when; UINT64_MAX: never */

/* A frame was written back, */
static inline void twin_ixgbe_interrupt_rx(struct twin_ixgbe *twin, unsigned queue)
{
  uint32_t ivar = twin_ixgbe_get(twin, IXGBE_IVAR_OF_QUEUE(queue)) >> IXGBE_IVAR_RX_SHIFT(queue);
  if (SHUNT_UNLIKELY(ivar & IXGBE_IVAR_VALID))
    twin_ixgbe_interrupt_queue(twin, (uint8_t)ivar);
}
/* or a descriptor with RS was. */
static inline void twin_ixgbe_interrupt_tx(struct twin_ixgbe *twin, unsigned queue)
{
  uint32_t ivar = twin_ixgbe_get(twin, IXGBE_IVAR_OF_QUEUE(queue)) >> IXGBE_IVAR_TX_SHIFT(queue);
  if (SHUNT_UNLIKELY(ivar & IXGBE_IVAR_VALID))
    twin_ixgbe_interrupt_queue(twin, (uint8_t)ivar);
}

/* statistics.c: add to the counter at that register offset (32-, 36- and 64-bit pairs carry). What
 * the datapath counts for every frame is in statistics.h. */
void twin_ixgbe_count(struct twin_ixgbe *twin, uint32_t low_offset, uint64_t n);
bool twin_ixgbe_statistics_read(struct twin_ixgbe *twin, uint32_t offset, uint32_t *value);
bool twin_ixgbe_queue_statistics_read(struct twin_ixgbe *twin, uint32_t offset, uint32_t *value);
void twin_ixgbe_statistics_reset(struct twin_ixgbe *twin);

/* ptp.c */
int twin_ixgbe_ptp_create(struct twin_ixgbe *twin);
void twin_ixgbe_ptp_destroy(struct twin_ixgbe *twin);
void twin_ixgbe_ptp_reset(struct twin_ixgbe *twin);
bool twin_ixgbe_ptp_read(struct twin_ixgbe *twin, uint32_t offset, uint32_t *value);
bool twin_ixgbe_ptp_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value);
/* Latch a time stamp if the registers ask for one of this frame; true: the descriptor gets its TS
 * bit (Rx) or the stamp is in TXSTMPL/H (Tx, of a descriptor that carries MAC_TSTAMP). */
bool twin_ixgbe_ptp_rx(struct twin_ixgbe *twin, const uint8_t *frame, uint32_t bytes);
void twin_ixgbe_ptp_tx(struct twin_ixgbe *twin);

/* link.c: LINKS, AUTOC, carrier from the wire; raises LSC when it changes. Up in loopback too. */
/* Take the link down and load AUTOC from the EEPROM; twin_ixgbe_link_update brings it up. */
void twin_ixgbe_link_reset(struct twin_ixgbe *twin);
void twin_ixgbe_link_update(struct twin_ixgbe *twin);
bool twin_ixgbe_link_up(const struct twin_ixgbe *twin);
uint32_t twin_ixgbe_links_read(struct twin_ixgbe *twin);
void twin_ixgbe_autoc_write(struct twin_ixgbe *twin, uint32_t value);

/* tx.c: fetch and send what the tails say. Returns descriptors done. */
int twin_ixgbe_tx_create(struct twin_ixgbe *twin);
void twin_ixgbe_tx_destroy(struct twin_ixgbe *twin);
void twin_ixgbe_tx_reset(struct twin_ixgbe *twin);
unsigned twin_ixgbe_tx_poll(struct twin_ixgbe *twin);
/* A queue's ENABLE was written 1 or 0: take or drop its ring, and set or clear its bit in
 * tx_enabled. A bad ring is counted; its queue reads as enabled and does nothing. */
void twin_ixgbe_tx_enable(struct twin_ixgbe *twin, unsigned index, bool on);

/* rx.c: a frame came from the wire (or from our own Tx, in loopback). Link, RXEN and loopback have
 * been checked for frames from the wire, and twin_ixgbe_count_rx_all called. */
int twin_ixgbe_rx_create(struct twin_ixgbe *twin);
void twin_ixgbe_rx_destroy(struct twin_ixgbe *twin);
void twin_ixgbe_rx_reset(struct twin_ixgbe *twin);
void twin_ixgbe_rx_deliver(struct twin_ixgbe *twin, const uint8_t *frame, uint32_t bytes);
unsigned twin_ixgbe_rx_poll(struct twin_ixgbe *twin); /* frames that waited in the packet buffer */
void twin_ixgbe_rx_enable(struct twin_ixgbe *twin, unsigned index, bool on);

/* flow_director.c: registers 0xEE00-0xEEFF and the filters behind them. */
int twin_ixgbe_steer_create(struct twin_ixgbe *twin);
void twin_ixgbe_steer_destroy(struct twin_ixgbe *twin);
void twin_ixgbe_steer_reset(struct twin_ixgbe *twin);
bool twin_ixgbe_flow_director_read(struct twin_ixgbe *twin, uint32_t offset, uint32_t *value);
bool twin_ixgbe_flow_director_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value);

#endif
