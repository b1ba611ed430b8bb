/* SPDX-License-Identifier: BSD-2-Clause */
/* The MDIO bus (datasheet 3.7.7.3, 8.2.3.22.11): no board here has a PHY on it, as the media are
 * direct attach, CX4 and backplane. A read of nobody finds the bus pulled up: FFFFh. */
#include "twin/ixgbe/ixgbe.h"

/* A cycle is done at once: MDI_COMMAND never reads 1. */
void twin_ixgbe_msca_write(struct twin_ixgbe *twin, uint32_t value)
{
  twin_ixgbe_set(twin, IXGBE_MSCA, value & ~IXGBE_MSCA_MDI_COMMAND);
  if (!(value & IXGBE_MSCA_MDI_COMMAND))
    return;
  uint32_t operation = HW_GET(IXGBE_MSCA_OP_CODE, value);
  if (operation == IXGBE_MSCA_OP_READ || operation == IXGBE_MSCA_OP_READ_INC)
    twin_ixgbe_set(twin, IXGBE_MSRWD, twin_ixgbe_get(twin, IXGBE_MSRWD) | IXGBE_MSRWD_READ_DATA);
}
