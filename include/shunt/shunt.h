/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole API. Where to begin:
 *
 *   shunt/port.h     open a device by name; the five verbs that move frames
 *   shunt/fabric.h   endpoints: queue pairs, messages, remote memory
 *   shunt/region.h   the memory that frames live in
 *   shunt/testbed.h  devices in software, and what joins them
 *   shunt/respond.h  ARP, ICMP and UDP echo, on bytes
 *   shunt/error.h    what failed, why, and what to do about it
 *
 * Each header stands alone, and includes what it needs. */
#ifndef SHUNT_SHUNT_H
#define SHUNT_SHUNT_H

#include "shunt/arp.h"
#include "shunt/base.h"
#include "shunt/bytes.h"
#include "shunt/capture.h"
#include "shunt/checksum.h"
#include "shunt/clock.h"
#include "shunt/counter.h"
#include "shunt/cpu.h"
#include "shunt/echo.h"
#include "shunt/efa.h"
#include "shunt/error.h"
#include "shunt/ethernet.h"
#include "shunt/fabric.h"
#include "shunt/frame.h"
#include "shunt/histogram.h"
#include "shunt/icmp.h"
#include "shunt/idle.h"
#include "shunt/igmp.h"
#include "shunt/ipv4.h"
#include "shunt/ixgbe.h"
#include "shunt/log.h"
#include "shunt/model.h"
#include "shunt/multicast.h"
#include "shunt/parse.h"
#include "shunt/pci.h"
#include "shunt/port.h"
#include "shunt/privileges.h"
#include "shunt/region.h"
#include "shunt/respond.h"
#include "shunt/ring.h"
#include "shunt/testbed.h"
#include "shunt/twin.h"
#include "shunt/udp.h"
#include "shunt/vfio_user.h"
#include "shunt/wire.h"
#include "shunt/xdp.h"
#include "shunt/xdp_rule.h"

#endif
