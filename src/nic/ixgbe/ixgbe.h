/* SPDX-License-Identifier: BSD-2-Clause */
/* The Intel 82599 driver, inside: one object a port, one file for each part of the chip.
 *
 *   ixgbe.c          which devices; open and close, top-down
 *   reset.c          from power-on or an earlier owner to a quiet chip (datasheet 4.6.3)
 *   eeprom.c         the EEPROM, and the semaphores that guard what two ports share (10.5.4)
 *   memory.c         the rings' memory
 *   rx.c, tx.c       receive and transmit units, queue by queue (4.6.7, 4.6.8)
 *   link.c, sfp.c    the MAC's link; the module in the cage (3.5, SFF-8472)
 *   filters.c        addresses, promiscuous mode, five-tuple filters (7.1.1, 7.1.2.5)
 *   vlan.c, rss.c, flow_director.c   (7.4, 7.1.2.8, 7.1.2.7)
 *   interrupt.c, statistics.c, ptp.c (7.3, 8.2.3.23, 7.9)
 *   verbs.c          the five verbs
 *
 * Set-up only: nothing here but verbs.c runs on the fast path. Thread: one at a time per port. */
#ifndef SRC_NIC_IXGBE_IXGBE_H
#define SRC_NIC_IXGBE_IXGBE_H

#include <stdbool.h>

#include "hw/ixgbe.h"
#include "shunt/ixgbe.h"
#include "src/nic/ixgbe/verbs.h"
#include "src/pci/pci.h"
#include "src/port/driver.h"

#define IXGBE_NS_PER_US UINT64_C(1000)
#define IXGBE_NS_PER_MS UINT64_C(1000000)

/* Most queue pairs: an interrupt vector each, of 64, and one for the link. */
#define IXGBE_QUEUE_PAIRS          64u
#define IXGBE_QUEUE_PAIRS_TO_SLEEP (IXGBE_MSIX_VECTORS - 1)
#define IXGBE_RSS_QUEUES           16u   /* a RETA entry has four bits (8.2.3.7.14) */
#define IXGBE_PERFECT_FILTERS      2046u /* 64 KiB of packet buffer hold 2 K, less 2 (7.1.2.7) */

enum ixgbe_media {
  IXGBE_MEDIA_SFP,
  IXGBE_MEDIA_CX4,
  IXGBE_MEDIA_BACKPLANE, /* KX, KX4, KR: negotiated */
  IXGBE_MEDIA_XAUI,
};

struct ixgbe_device {
  uint16_t id;
  enum ixgbe_media media;
  const char *name;
};

/* What the module's EEPROM says (SFF-8472 table 4-1). */
enum ixgbe_module_kind {
  IXGBE_MODULE_NONE,       /* the cage is empty */
  IXGBE_MODULE_UNREADABLE, /* something is there and does not answer */
  IXGBE_MODULE_UNKNOWN,    /* answers, and is nothing that this port can drive */
  IXGBE_MODULE_DA_PASSIVE,
  IXGBE_MODULE_DA_ACTIVE,
  IXGBE_MODULE_SR,
  IXGBE_MODULE_LR,
  IXGBE_MODULE_1G, /* 1000BASE-SX, -LX or -T only */
};

struct ixgbe_module {
  enum ixgbe_module_kind kind;
  char vendor[17], part[17], serial[17];
  uint8_t identifier, codes_10g, codes_1g, cable;
  bool pin;         /* ESDP.SDP2 when it was read: something is in the cage */
  uint64_t read_ns; /* when that was */
};

/* A multicast group that was asked for, as often as it was asked for. */
struct ixgbe_group {
  struct shunt_mac mac;
  uint32_t references;
  uint8_t entry; /* 1-127: its RAR; 0: in the hash table */
};

struct ixgbe_five_tuple {
  bool used;
  struct shunt_filter filter;
};

struct ixgbe_perfect {
  bool used;
  uint16_t hash;
  struct shunt_filter filter;
};

struct ixgbe {
  struct shunt_port port; /* first: the two are converted by a cast */
  struct pci *pci;
  const struct ixgbe_device *device;
  struct shunt_port_options options;
  struct shunt_mac mac;
  char device_name[64];
  struct shunt_ixgbe_queue *queues[IXGBE_QUEUE_PAIRS];
  unsigned queue_count; /* whose structs exist */
  bool reset_done;      /* the chip is in a state that close must leave in order */
  bool dma_stuck;       /* it did not stop its PCIe requests when told to */

  struct shunt_region *ring_region; /* the descriptor rings' own memory */
  uint64_t *ring_delta;
  uint64_t *frame_delta; /* as pci_ops.dma_map fills them */
  bool ring_mapped, frame_mapped;
  uint64_t ring_used; /* bytes of ring_region given out */

  unsigned lan;               /* which of the chip's two ports (STATUS.LAN_ID) */
  struct ixgbe_module module; /* what was in the cage when it was last looked at */
  bool promiscuous;
  struct ixgbe_group *groups;
  unsigned group_count, group_room;
  uint32_t entries_used[IXGBE_MAC_ADDRESSES / 32]; /* RAR entries, a bit each */
  uint16_t hash_references[IXGBE_MTA_DWORDS * 32]; /* groups behind each bit of the MTA */
  unsigned hashed;                                 /* groups in the hash table */
  uint16_t vlan_references[IXGBE_VFTA_DWORDS * 32];
  unsigned vlans; /* that have references */

  struct ixgbe_five_tuple five_tuples[IXGBE_FTQF_FILTERS];
  struct ixgbe_perfect *perfect; /* IXGBE_PERFECT_FILTERS of them */
  unsigned perfect_count;
  struct shunt_filter perfect_fields; /* all ones where all perfect filters must have a value */

  int fds[IXGBE_MSIX_VECTORS];
  unsigned vectors; /* in use; 0: no interrupts */
  uint64_t link_changes;

  uint32_t clock_speed_mbps; /* what the PTP clock's increment was set for */
  uint64_t *counters;        /* accumulated; statistics.c says in which order */
};

/* Open a port on a function that is open already; it is closed with the port, and also where this
 * fails. A test gives it a function of its own. */
int ixgbe_open_pci(struct pci *pci, const struct shunt_port_options *options,
                   struct shunt_port **port, struct shunt_error *error);

static inline struct ixgbe *ixgbe_of(const struct shunt_port *port)
{
  return (struct ixgbe *)(uintptr_t)port;
}

/* --- Registers, by the names of hw/ixgbe.h --------------------------------------------------- */

static inline uint32_t ixgbe_read(struct ixgbe *ixgbe, uint32_t offset)
{
  return pci_read32(ixgbe->pci, offset);
}
static inline void ixgbe_write(struct ixgbe *ixgbe, uint32_t offset, uint32_t value)
{
  pci_write32(ixgbe->pci, offset, value);
}
static inline void ixgbe_set(struct ixgbe *ixgbe, uint32_t offset, uint32_t bits)
{
  ixgbe_write(ixgbe, offset, ixgbe_read(ixgbe, offset) | bits);
}
static inline void ixgbe_clear(struct ixgbe *ixgbe, uint32_t offset, uint32_t bits)
{
  ixgbe_write(ixgbe, offset, ixgbe_read(ixgbe, offset) & ~bits);
}
/* Writes are posted: a read pushes them to the chip before time is counted (PCIe 2.4). */
static inline void ixgbe_flush(struct ixgbe *ixgbe)
{
  (void)ixgbe_read(ixgbe, IXGBE_STATUS);
}
static inline void ixgbe_delay_us(struct ixgbe *ixgbe, uint64_t us)
{
  pci_delay_ns(ixgbe->pci, us * IXGBE_NS_PER_US);
}
static inline void ixgbe_delay_ms(struct ixgbe *ixgbe, uint64_t ms)
{
  pci_delay_ns(ixgbe->pci, ms * IXGBE_NS_PER_MS);
}
static inline int ixgbe_wait_ms(struct ixgbe *ixgbe, uint32_t offset, uint32_t mask, uint32_t value,
                                uint64_t ms, const char *name, struct shunt_error *error)
{
  return pci_wait32(ixgbe->pci, offset, mask, value, ms * IXGBE_NS_PER_MS, name, error);
}

/* --- reset.c ---------------------------------------------------------------------------------- */

/* Take the chip from whatever state to reset, idle and masked; read its address. */
int ixgbe_reset(struct ixgbe *ixgbe, struct shunt_error *error);
/* Whether the chip still answers: -ENODEV where its registers read all ones. */
int ixgbe_check(struct shunt_port *port, struct shunt_error *error);
/* Stop all DMA and leave the chip as reset leaves it. Goes on where a step fails. */
void ixgbe_quiesce(struct ixgbe *ixgbe);
void ixgbe_mask_interrupts(struct ixgbe *ixgbe);

/* --- eeprom.c --------------------------------------------------------------------------------- */

/* Take resources (IXGBE_SYNC_*) that the other port's driver and the firmware use too. Each acquire
 * that returns 0 needs its release. Returns 0, -EBUSY (who holds it is in the error), -EIO. */
int ixgbe_acquire(struct ixgbe *ixgbe, uint32_t resources, struct shunt_error *error);
void ixgbe_release(struct ixgbe *ixgbe, uint32_t resources);

/* Read n words from word on. Takes and gives back the semaphore. */
int ixgbe_eeprom_read(struct ixgbe *ixgbe, uint16_t word, uint16_t values[], unsigned n,
                      struct shunt_error *error);

/* --- memory.c --------------------------------------------------------------------------------- */

/* Map the frames' region, make and map the rings', make the queues' structs. */
int ixgbe_memory_create(struct ixgbe *ixgbe, struct shunt_error *error);
void ixgbe_memory_destroy(struct ixgbe *ixgbe);

/* A ring of so many descriptors: cleared, never across a jump of device addresses. Memory for all
 * rings was made by ixgbe_memory_create, so this does not fail. */
void *ixgbe_ring_take(struct ixgbe *ixgbe, uint32_t descriptors, uint64_t *device_address);

/* Wait until a ring is enabled, or is not any more: control, RXDCTL or TXDCTL of queue i, is at
 * offset. Returns 0, -ETIMEDOUT or -EIO. */
int ixgbe_ring_wait(struct ixgbe *ixgbe, const char *control, unsigned i, uint32_t offset,
                    bool enabled, struct shunt_error *error);

/* --- rx.c, tx.c ------------------------------------------------------------------------------- */

int ixgbe_rx_start(struct ixgbe *ixgbe, struct shunt_error *error);
int ixgbe_tx_start(struct ixgbe *ixgbe, struct shunt_error *error);
/* Disable the queues and wait until they are. Returns 0 or the first failure of a wait. */
int ixgbe_rx_stop(struct ixgbe *ixgbe, struct shunt_error *error);
int ixgbe_tx_stop(struct ixgbe *ixgbe, struct shunt_error *error);
/* RXCTRL.RXEN, under the stopped security block as 4.6.7 wants it. */
int ixgbe_rx_enable(struct ixgbe *ixgbe, bool on, struct shunt_error *error);

/* --- link.c, sfp.c ---------------------------------------------------------------------------- */

int ixgbe_link_start(struct ixgbe *ixgbe, struct shunt_error *error);
void ixgbe_link_stop(struct ixgbe *ixgbe);
int ixgbe_link(struct shunt_port *port, struct shunt_link *link, struct shunt_error *error);
uint32_t ixgbe_link_speed_mbps(struct ixgbe *ixgbe); /* 0: down */

/* Look what is in the cage. An empty cage or a module that does not answer is no error. */
int ixgbe_sfp_identify(struct ixgbe *ixgbe, struct shunt_error *error);
/* Load the analog settings that the EEPROM holds for that kind of module. */
int ixgbe_sfp_tune(struct ixgbe *ixgbe, struct shunt_error *error);
const char *ixgbe_module_name(enum ixgbe_module_kind kind);

/* --- filters.c, vlan.c, rss.c, flow_director.c ------------------------------------------------ */

void ixgbe_filters_start(struct ixgbe *ixgbe);
int ixgbe_promiscuous(struct shunt_port *port, int on, struct shunt_error *error);
int ixgbe_multicast(struct shunt_port *port, const struct shunt_mac *group, bool add,
                    struct shunt_error *error);
int ixgbe_filter_add(struct shunt_port *port, const struct shunt_filter *filter, uint32_t *id,
                     struct shunt_error *error);
int ixgbe_filter_remove(struct shunt_port *port, uint32_t id, struct shunt_error *error);

void ixgbe_vlan_start(struct ixgbe *ixgbe);
void ixgbe_vlan_update(struct ixgbe *ixgbe); /* after promiscuous has changed */
int ixgbe_vlan(struct shunt_port *port, uint16_t vlan, bool add, struct shunt_error *error);

void ixgbe_rss_start(struct ixgbe *ixgbe);
int ixgbe_rss_set(struct shunt_port *port, const struct shunt_rss *rss, struct shunt_error *error);
int ixgbe_rss_get(struct shunt_port *port, struct shunt_rss *rss, struct shunt_error *error);

/* Bytes of the Rx packet buffer that the perfect filters take. */
#define IXGBE_FLOW_DIRECTOR_BYTES (64u * 1024u)
int ixgbe_flow_director_start(struct ixgbe *ixgbe, struct shunt_error *error);
int ixgbe_flow_director_add(struct ixgbe *ixgbe, const struct shunt_filter *filter, uint32_t *index,
                            struct shunt_error *error);
int ixgbe_flow_director_remove(struct ixgbe *ixgbe, uint32_t index, struct shunt_error *error);
/* Bits 12:0 of the bucket hash of a filter (7.1.2.7). */
uint16_t ixgbe_flow_director_hash(const struct shunt_filter *filter);

/* --- interrupt.c, statistics.c, ptp.c --------------------------------------------------------- */

int ixgbe_interrupts_start(struct ixgbe *ixgbe, struct shunt_error *error);
int ixgbe_queue_fd(struct shunt_queue *q, struct shunt_error *error);
void ixgbe_queue_arm(struct shunt_queue *q);
void ixgbe_link_events(struct ixgbe *ixgbe); /* count link changes signalled since */

int ixgbe_statistics_start(struct ixgbe *ixgbe, struct shunt_error *error);
unsigned ixgbe_statistics(struct shunt_port *port, struct shunt_statistic statistics[], unsigned n);

void ixgbe_ptp_start(struct ixgbe *ixgbe);
void ixgbe_ptp_speed(struct ixgbe *ixgbe, uint32_t speed_mbps);
int ixgbe_time(struct shunt_port *port, uint64_t *time_ns, struct shunt_error *error);

#endif
