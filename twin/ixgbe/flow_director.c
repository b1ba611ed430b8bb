/* SPDX-License-Identifier: BSD-2-Clause */
/* Flow director (datasheet 7.1.2.7). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "twin/ixgbe/rx.h"

struct twin_ixgbe_steer {
  uint32_t unused;
};

int twin_ixgbe_steer_create(struct twin_ixgbe *twin)
{
  twin->steer = calloc(1, sizeof(*twin->steer));
  return twin->steer ? 0 : -ENOMEM;
}

void twin_ixgbe_steer_destroy(struct twin_ixgbe *twin)
{
  free(twin->steer);
  twin->steer = NULL;
}

void twin_ixgbe_steer_reset(struct twin_ixgbe *twin)
{
  memset(twin->steer, 0, sizeof(*twin->steer));
}

bool twin_ixgbe_flow_director_read(struct twin_ixgbe *twin, uint32_t offset, uint32_t *value)
{
  *value = twin_ixgbe_get(twin, offset);
  return true;
}

bool twin_ixgbe_flow_director_write(struct twin_ixgbe *twin, uint32_t offset, uint32_t value)
{
  if (offset == IXGBE_FDIRCTRL)
    value |= IXGBE_FDIRCTRL_INIT_DONE;
  if (offset == IXGBE_FDIRCMD)
    value &= ~IXGBE_FDIRCMD_CMD;
  twin_ixgbe_set(twin, offset, value);
  return true;
}
