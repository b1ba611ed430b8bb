/* SPDX-License-Identifier: BSD-2-Clause */
/* The link (datasheet 3.5, 4.6.4, 8.2.3.22.19 - .20): start it, read it, and say why it is down.
 *
 * AUTOC is left as the EEPROM set it for the board: which lanes, which speed, which negotiation.
 * Only Restart_AN is written. */
#include <stdio.h>

#include "src/nic/ixgbe/ixgbe.h"

#define MODULE_READ_NS UINT64_C(1000000000) /* nobody changes a module faster */

/* SDP3 turns the laser off on SFP+ boards, unless the firmware has the module for itself. */
static void set_laser(struct ixgbe *ixgbe, bool on)
{
  if (ixgbe_read(ixgbe, IXGBE_MMNGC) & IXGBE_MMNGC_MNG_VETO)
    return;
  uint32_t esdp = ixgbe_read(ixgbe, IXGBE_ESDP);
  ixgbe_write(ixgbe, IXGBE_ESDP, on ? esdp & ~IXGBE_ESDP_LASER_OFF : esdp | IXGBE_ESDP_LASER_OFF);
  ixgbe_flush(ixgbe);
  ixgbe_delay_us(ixgbe, 100); /* SFF-8431: Tx_Disable takes effect within 100 us */
}

/* Firmware that manages the link reads and writes AUTOC too. */
static int restart_negotiation(struct ixgbe *ixgbe, struct shunt_error *error)
{
  int result = ixgbe_acquire(ixgbe, IXGBE_SYNC_MAC_CSR, error);
  if (result)
    return result;
  ixgbe_clear(ixgbe, IXGBE_AUTOC2, IXGBE_AUTOC2_LINK_DISABLE);
  ixgbe_set(ixgbe, IXGBE_AUTOC, IXGBE_AUTOC_AN_RESTART);
  ixgbe_flush(ixgbe);
  ixgbe_release(ixgbe, IXGBE_SYNC_MAC_CSR);
  return 0;
}

static bool can_drive(enum ixgbe_module_kind kind)
{
  return kind != IXGBE_MODULE_NONE && kind != IXGBE_MODULE_UNREADABLE &&
         kind != IXGBE_MODULE_UNKNOWN;
}

int ixgbe_link_start(struct ixgbe *ixgbe, struct shunt_error *error)
{
  int result = 0;
  if (ixgbe->device->media == IXGBE_MEDIA_SFP) {
    result = ixgbe_sfp_identify(ixgbe, error);
    if (!result && can_drive(ixgbe->module.kind))
      result = ixgbe_sfp_tune(ixgbe, error);
    if (!result)
      set_laser(ixgbe, true);
  }
  if (!result)
    result = restart_negotiation(ixgbe, error);
  return result ? shunt_error_within(error, result, "can't start the link") : 0;
}

void ixgbe_link_stop(struct ixgbe *ixgbe)
{
  if (ixgbe->device->media == IXGBE_MEDIA_SFP)
    set_laser(ixgbe, false);
}

/* LINK_UP latches low: the first read shows a loss since the last look, the second the present. */
static uint32_t read_links(struct ixgbe *ixgbe)
{
  (void)ixgbe_read(ixgbe, IXGBE_LINKS);
  return ixgbe_read(ixgbe, IXGBE_LINKS);
}

static uint32_t speed_of(uint32_t links)
{
  if (!(links & IXGBE_LINKS_UP) || links == UINT32_MAX)
    return 0;
  switch (HW_GET(IXGBE_LINKS_SPEED, links)) {
  case IXGBE_LINKS_SPEED_10G:
    return 10000;
  case IXGBE_LINKS_SPEED_1G:
    return 1000;
  case IXGBE_LINKS_SPEED_100M:
    return 100;
  default:
    return 0;
  }
}

uint32_t ixgbe_link_speed_mbps(struct ixgbe *ixgbe)
{
  return speed_of(read_links(ixgbe));
}

static const char *backplane_name(uint32_t autoc)
{
  if (autoc & IXGBE_AUTOC_KR_SUPP)
    return "10GBASE-KR (backplane)";
  return autoc & IXGBE_AUTOC_KX4_SUPP ? "10GBASE-KX4 (backplane)" : "1000BASE-KX (backplane)";
}

/* What the board has, and what AUTOC chose of it. */
static const char *media_name(struct ixgbe *ixgbe, uint32_t autoc)
{
  switch (ixgbe->device->media) {
  case IXGBE_MEDIA_SFP:
    return ixgbe_module_name(ixgbe->module.kind);
  case IXGBE_MEDIA_CX4:
    return "10GBASE-CX4";
  case IXGBE_MEDIA_BACKPLANE:
    return backplane_name(autoc);
  case IXGBE_MEDIA_XAUI:
    break;
  }
  return autoc & (IXGBE_AUTOC_KX4_SUPP | IXGBE_AUTOC_KX_SUPP) ? "XAUI or KX4 (on board)"
                                                              : "XAUI (on board)";
}

static void diagnose_signal(const struct ixgbe *ixgbe, uint32_t links, char text[], size_t bytes)
{
  bool negotiates =
      ixgbe->device->media == IXGBE_MEDIA_BACKPLANE || ixgbe->device->media == IXGBE_MEDIA_XAUI;
  if (!(links & (IXGBE_LINKS_SIGNAL | IXGBE_LINKS_LANE_SYNC | IXGBE_LINKS_10G_ALIGN)))
    snprintf(text, bytes, "no signal: check the cable and the other end (LINKS reads %08x)", links);
  else if (negotiates && !(links & IXGBE_LINKS_AN_COMPLETE))
    snprintf(text, bytes,
             "a signal, but negotiation is not complete: does the other end offer "
             "the same lanes and speed? (LINKS reads %08x)",
             links);
  else
    snprintf(text, bytes,
             "a signal, but no link: another speed at the other end, a fault there, "
             "or a bad cable (LINKS reads %08x)",
             links);
}

/* Whether the module or its laser is the reason. */
static bool diagnose_module(struct ixgbe *ixgbe, char text[], size_t bytes)
{
  const struct ixgbe_module *module = &ixgbe->module;
  switch (module->kind) {
  case IXGBE_MODULE_NONE:
    snprintf(text, bytes, "no module in the cage (ESDP.SDP2 reads 0)");
    return true;
  case IXGBE_MODULE_UNREADABLE:
    snprintf(text, bytes, "the module in the cage does not answer on its two-wire bus: reseat it");
    return true;
  case IXGBE_MODULE_UNKNOWN:
    snprintf(text, bytes,
             "module is not an SFP+ type we know: identifier %02x, codes %02x %02x, cable %02x "
             "(SFF-8472 bytes 0, 3, 6, 8)",
             module->identifier, module->codes_10g, module->codes_1g, module->cable);
    return true;
  case IXGBE_MODULE_1G:
    snprintf(text, bytes, "the module is for 1 Gb/s, the port is set for 10 Gb/s (AUTOC)");
    return true;
  case IXGBE_MODULE_DA_PASSIVE:
  case IXGBE_MODULE_DA_ACTIVE:
  case IXGBE_MODULE_SR:
  case IXGBE_MODULE_LR:
    break;
  }
  if (!(ixgbe_read(ixgbe, IXGBE_ESDP) & IXGBE_ESDP_LASER_OFF))
    return false;
  snprintf(text, bytes, "the laser is off (ESDP.SDP3), perhaps by the card's firmware");
  return true;
}

static void diagnose(struct ixgbe *ixgbe, uint32_t links, char text[], size_t bytes)
{
  bool has_cage = ixgbe->device->media == IXGBE_MEDIA_SFP;
  if (!has_cage || !diagnose_module(ixgbe, text, bytes))
    diagnose_signal(ixgbe, links, text, bytes);
}

/* While the link is up by a module that is known, nobody has changed it. Otherwise one is read
 * again when the cage tells of a change, and once a second: bit by bit it takes 7 ms, over
 * vfio-user 2,900 messages, and who waits for a link looks each few milliseconds. */
static bool may_be_another_module(struct ixgbe *ixgbe, bool up)
{
  const struct ixgbe_module *module = &ixgbe->module;
  if (up && can_drive(module->kind))
    return false;
  const bool pin = ixgbe_read(ixgbe, IXGBE_ESDP) & IXGBE_ESDP_SFP_PRESENT;
  return pin != module->pin ||
         shunt_clock_now_ns(ixgbe->pci->clock) - module->read_ns >= MODULE_READ_NS;
}

int ixgbe_link(struct shunt_port *port, struct shunt_link *link, struct shunt_error *error)
{
  struct ixgbe *ixgbe = ixgbe_of(port);
  uint32_t links = read_links(ixgbe);
  int result = 0;
  ixgbe_link_events(ixgbe);
  link->speed_mbps = speed_of(links);
  link->up = link->speed_mbps != 0;
  if (link->up)
    ixgbe_ptp_speed(ixgbe, link->speed_mbps);
  if (ixgbe->device->media == IXGBE_MEDIA_SFP && may_be_another_module(ixgbe, link->up))
    result = ixgbe_sfp_identify(ixgbe, error);
  if (result)
    return shunt_error_within(error, result, "can't look into the cage");

  const struct ixgbe_module *module = &ixgbe->module;
  snprintf(link->media, sizeof(link->media), "%s",
           media_name(ixgbe, ixgbe_read(ixgbe, IXGBE_AUTOC)));
  if (module->vendor[0] || module->part[0])
    snprintf(link->module, sizeof(link->module), "%s %s, serial %s", module->vendor, module->part,
             module->serial);
  if (!link->up)
    diagnose(ixgbe, links, link->diagnosis, sizeof(link->diagnosis));
  return 0;
}
