/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VLANs are received (datasheet 7.1.1.3, 8.2.3.7.2, .11). Untagged frames always are. */
#include <errno.h>

#include "src/nic/ixgbe/ixgbe.h"

/* The table is memory that a reset leaves as it is (4.6.7: software initialises it). */
void ixgbe_vlan_start(struct ixgbe *ixgbe)
{
  for (unsigned i = 0; i < IXGBE_VFTA_DWORDS; i++)
    ixgbe_write(ixgbe, IXGBE_VFTA(i), 0);
  ixgbe_vlan_update(ixgbe);
}

/* Promiscuous means every VLAN too. */
void ixgbe_vlan_update(struct ixgbe *ixgbe)
{
  uint32_t vlnctrl = ixgbe_read(ixgbe, IXGBE_VLNCTRL);
  vlnctrl &= ~(IXGBE_VLNCTRL_VFE | IXGBE_VLNCTRL_CFIEN);
  if (ixgbe->vlans && !ixgbe->promiscuous)
    vlnctrl |= IXGBE_VLNCTRL_VFE;
  ixgbe_write(ixgbe, IXGBE_VLNCTRL, vlnctrl);
}

int ixgbe_vlan(struct shunt_port *port, uint16_t vlan, bool add, struct shunt_error *error)
{
  struct ixgbe *ixgbe = ixgbe_of(port);
  uint16_t *references = &ixgbe->vlan_references[vlan];
  if (!add && !*references) {
    shunt_error_set(error, -ENOENT, "VLAN %u can't be removed", vlan);
    shunt_error_why(error, "it was not added, or has been removed as often as it was added");
    return -ENOENT;
  }
  if (add && *references == UINT16_MAX)
    return shunt_error_set(error, -ENOSPC, "VLAN %u was added too often", vlan);

  *references = (uint16_t)(*references + (add ? 1 : -1));
  if (*references > 1 || (!add && *references == 1))
    return 0;
  uint32_t bit = UINT32_C(1) << (vlan % 32);
  if (add)
    ixgbe_set(ixgbe, IXGBE_VFTA(vlan / 32), bit);
  else
    ixgbe_clear(ixgbe, IXGBE_VFTA(vlan / 32), bit);
  ixgbe->vlans += add ? 1 : -1u;
  ixgbe_vlan_update(ixgbe);
  return 0;
}
