/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/netlink/setting.h"

#include <errno.h>
#include <string.h>

#include "shunt/clock.h"
#include "src/netlink/interface.h"

#define CHANNELS "channels-"

bool setting_read(const struct interface_state *state, const char *key, uint32_t *value)
{
  const struct interface_channels *channels = &state->channels;
  uint32_t offload = interface_offload_bit(key);
  if (!strcmp(key, "mtu"))
    *value = state->mtu;
  else if (!strcmp(key, "up"))
    *value = state->up;
  else if (channels->known && !strcmp(key, CHANNELS "rx"))
    *value = channels->rx;
  else if (channels->known && !strcmp(key, CHANNELS "tx"))
    *value = channels->tx;
  else if (channels->known && !strcmp(key, CHANNELS "combined"))
    *value = channels->combined;
  else if (state->offloads_known && offload)
    *value = (state->offloads & offload) != 0;
  else
    return false;
  return true;
}

static int write_once(int ifindex, const char *key, uint32_t value, struct shunt_error *error)
{
  uint32_t offload = interface_offload_bit(key);
  if (!strcmp(key, "mtu"))
    return interface_set_mtu(ifindex, value, error);
  if (!strcmp(key, "up"))
    return interface_set_up(ifindex, value != 0, error);
  if (!strncmp(key, CHANNELS, strlen(CHANNELS)))
    return interface_set_channels(ifindex, key + strlen(CHANNELS), value, error);
  if (offload)
    return interface_set_offload(ifindex, (enum interface_offload)offload, value != 0, error);
  shunt_error_set(error, -ENOTSUP, "can't set \"%s\" of an interface", key);
  shunt_error_why(error, "this version knows of no such setting");
  return -ENOTSUP;
}

#define AGAIN_NS       (UINT64_C(500) * 1000000)
#define AGAIN_PAUSE_NS (UINT64_C(10) * 1000000)

int setting_write(int ifindex, const char *key, uint32_t value, struct shunt_error *error)
{
  const struct shunt_clock *clock = shunt_clock_real();
  uint64_t end_ns = shunt_clock_now_ns(clock) + AGAIN_NS;
  for (;;) {
    int code = write_once(ifindex, key, value, error);
    bool passing = code == -EBUSY || (code == -EINVAL && !strncmp(key, CHANNELS, strlen(CHANNELS)));
    if (!passing || shunt_clock_now_ns(clock) >= end_ns)
      return code;
    shunt_clock_sleep_ns(clock, AGAIN_PAUSE_NS);
  }
}
