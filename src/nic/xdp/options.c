/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of an xdp: name. */
#include <errno.h>

#include "src/nic/xdp/xdp.h"
#include "src/port/name.h"

#define DEFAULT_HELPER_SOCKET "/run/shunt/xdp-helper.sock"

static const char *const wants[] = {"never", "prefer", "require", NULL}; /* enum xdp_want */

static int take_want(struct params *params, const char *key, enum xdp_want *want,
                     struct shunt_error *error)
{
  unsigned index = *want;
  int result = params_take_choice(params, key, wants, &index, error);
  *want = (enum xdp_want)index;
  return result;
}

static int take_u32(struct params *params, const char *key, uint32_t most, uint32_t *value,
                    struct shunt_error *error)
{
  uint64_t wide = *value;
  int result = params_take_u64(params, key, 0, most, &wide, error);
  *value = (uint32_t)wide;
  return result;
}

static int two_required(const char *first, const char *second, struct shunt_error *error)
{
  shunt_error_set(error, -EINVAL, "%s and %s can't both be required", first, second);
  shunt_error_why(error, "a port has one mode");
  shunt_error_remedy(error, "require one of them, or prefer both");
  return -EINVAL;
}

/* mode= first, so that the keys of single modes refine it. What is required leaves no other. */
static int take_modes(struct params *params, struct xdp_wanted *wanted, struct shunt_error *error)
{
  static const char *const modes[] = {"auto", "hw", "drv", "skb", NULL};
  static const struct {
    const char *key;
    enum shunt_xdp_mode mode;
  } keys[] = {{"hw", SHUNT_XDP_HW}, {"drv", SHUNT_XDP_DRV}, {"skb", SHUNT_XDP_SKB}};
  unsigned mode = 0;
  const char *required = NULL;
  int result = params_take_choice(params, "mode", modes, &mode, error);
  for (unsigned i = 0; i < XDP_MODES; i++) {
    enum xdp_want *want = &wanted->mode[keys[i].mode];
    if (mode)
      *want = mode == i + 1 ? XDP_REQUIRE : XDP_NEVER;
    result = result ? result : take_want(params, keys[i].key, want, error);
    if (result)
      return result;
    if (*want == XDP_REQUIRE && required)
      return two_required(required, keys[i].key, error);
    if (*want == XDP_REQUIRE)
      required = keys[i].key;
  }
  for (unsigned i = 0; required && i < XDP_MODES; i++)
    if (wanted->mode[i] != XDP_REQUIRE)
      wanted->mode[i] = XDP_NEVER;
  return 0;
}

static int take_ways(struct params *params, struct xdp_wanted *wanted, struct shunt_error *error)
{
  int result = take_want(params, "zero_copy", &wanted->zero_copy, error);
  result = result ? result : take_want(params, "copy", &wanted->copy, error);
  if (result)
    return result;
  if (wanted->zero_copy == XDP_REQUIRE && wanted->copy == XDP_REQUIRE)
    return two_required("zero_copy", "copy", error);
  if (wanted->zero_copy == XDP_REQUIRE)
    wanted->copy = XDP_NEVER;
  if (wanted->copy == XDP_REQUIRE)
    wanted->zero_copy = XDP_NEVER;
  return 0;
}

static int take_sums(struct params *params, struct xdp_wanted *wanted, struct shunt_error *error)
{
  static const char *const sums[] = {"software", "kernel", "device", NULL}; /* enum xdp_sums */
  unsigned index = wanted->sums;
  int result = params_take_choice(params, "checksum", sums, &index, error);
  wanted->sums = (enum xdp_sums)index;
  return result ? result : params_take_bool(params, "tx_time", &wanted->tx_time, error);
}

static int take_multi_buffer(struct params *params, struct xdp_wanted *wanted,
                             struct shunt_error *error)
{
  static const char *const answers[] = {"0", "1", "auto", NULL};
  unsigned index = 2;
  int result = params_take_choice(params, "multi_buffer", answers, &index, error);
  wanted->multi_buffer_given = index < 2;
  wanted->multi_buffer = index == 1;
  return result;
}

static int take_busy_poll(struct params *params, struct xdp_wanted *wanted,
                          struct shunt_error *error)
{
  int result = take_u32(params, "busy_poll_us", 1000000, &wanted->busy_poll_us, error);
  return result ? result : take_u32(params, "busy_budget", 65535, &wanted->busy_budget, error);
}

int xdp_wanted_take(struct params *params, struct xdp_wanted *wanted, struct shunt_error *error)
{
  *wanted = (struct xdp_wanted){
      .mode = {[SHUNT_XDP_SKB] = XDP_PREFER, [SHUNT_XDP_DRV] = XDP_PREFER},
      .zero_copy = XDP_PREFER,
      .copy = XDP_PREFER,
      .wakeup = true,
      .setup = true,
      .busy_budget = 64,
      .mtu_given = params_given(params, "mtu"),
  };
  int result = take_modes(params, wanted, error);
  result = result ? result : take_ways(params, wanted, error);
  result = result ? result : take_u32(params, "queue", 4095, &wanted->first_queue, error);
  result = result ? result : params_take_bool(params, "join", &wanted->join, error);
  result = result ? result : params_take_bool(params, "wakeup", &wanted->wakeup, error);
  result = result ? result : params_take_bool(params, "setup", &wanted->setup, error);
  result = result ? result : take_multi_buffer(params, wanted, error);
  result = result ? result : take_u32(params, "tx_budget", 4096, &wanted->tx_budget, error);
  result = result ? result : take_sums(params, wanted, error);
  result = result ? result : take_busy_poll(params, wanted, error);
  result = result ? result : take_u32(params, "channels", 4096, &wanted->channels, error);
  if (result)
    return result;
  wanted->helper = params_take(params, "helper");
  if (wanted->helper && wanted->helper[0] == '1' && !wanted->helper[1])
    wanted->helper = DEFAULT_HELPER_SOCKET;
  if (wanted->helper && wanted->helper[0] == '0' && !wanted->helper[1])
    wanted->helper = NULL;
  if (wanted->helper && wanted->join) {
    shunt_error_set(error, -EINVAL, "helper and join exclude each other");
    shunt_error_why(error,
                    "to use another's program takes CAP_SYS_ADMIN, which the helper has not");
    shunt_error_remedy(error, "leave join: clients of one helper share its program anyway");
    return -EINVAL;
  }
  return xdp_rules_take(params, wanted->join, &wanted->rules, error);
}

int xdp_keys_check(const char *keys, const struct shunt_port_options *given,
                   struct shunt_error *error)
{
  struct shunt_port_options options;
  struct params params;
  struct xdp_wanted wanted;
  int result = params_parse(&params, keys, error);
  result = result ? result : port_options_complete(&options, given, &params, error);
  result = result ? result : xdp_wanted_take(&params, &wanted, error);
  if (result)
    return result;
  xdp_rules_free(&wanted.rules);
  return port_keys_finish(&xdp_driver, &params, error);
}
