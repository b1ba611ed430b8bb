/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/port/name.h"

#include <errno.h>
#include <string.h>

const char port_option_keys[] =
    "queues, rx_ring, tx_ring, mtu, tx_report_interval, interrupt_interval_us, rx_metadata, "
    "rx_time, promiscuous, vlan_strip, interrupts, checked, capture";

static int bad_name(struct shunt_error *error, const char *text, const char *why)
{
  shunt_error_set(error, -EINVAL, "\"%s\" is no device name", text);
  shunt_error_why(error, "%s", why);
  shunt_error_remedy(error, PORT_NAME_REMEDY);
  return -EINVAL;
}

int port_name_parse(struct port_name *name, const char *text, struct shunt_error *error)
{
  if (!text || !*text)
    return bad_name(error, text ? text : "", "it is empty");
  const char *colon = strchr(text, ':');
  if (!colon || colon == text)
    return bad_name(error, text, "there is no driver in front of a ':'");
  const char *location = colon + 1;
  const char *query = strchr(location, '?');
  size_t driver_bytes = (size_t)(colon - text);
  size_t location_bytes = query ? (size_t)(query - location) : strlen(location);

  if (driver_bytes >= sizeof(name->driver))
    return bad_name(error, text, "no driver has so long a name");
  if (!location_bytes)
    return bad_name(error, text, "there is nothing behind the ':'");
  if (location_bytes >= sizeof(name->location))
    return bad_name(error, text, "the location is over 127 characters long");
  memcpy(name->driver, text, driver_bytes);
  name->driver[driver_bytes] = 0;
  memcpy(name->location, location, location_bytes);
  name->location[location_bytes] = 0;
  int result = params_parse(&name->params, query ? query + 1 : NULL, error);
  if (result)
    return shunt_error_within(error, result, "\"%s\"", text);
  return 0;
}

static int take_u32(struct params *params, const char *key, uint32_t least, uint32_t most,
                    uint32_t *value, struct shunt_error *error)
{
  uint64_t wide = *value;
  int result = params_take_u64(params, key, least, most, &wide, error);
  *value = (uint32_t)wide;
  return result;
}

static int take_flag(struct params *params, const char *key, uint8_t *value,
                     struct shunt_error *error)
{
  bool flag = *value;
  int result = params_take_bool(params, key, &flag, error);
  *value = flag;
  return result;
}

static int take_keys(struct shunt_port_options *options, struct params *params,
                     struct shunt_error *error)
{
  uint32_t queues = options->queues;
  int result = take_u32(params, "queues", 1, 128, &queues, error);
  options->queues = (uint16_t)queues;
  result = result ? result : take_u32(params, "rx_ring", 64, 4096, &options->rx_ring, error);
  result = result ? result : take_u32(params, "tx_ring", 64, 4096, &options->tx_ring, error);
  result = result ? result : take_u32(params, "mtu", 68, 9710, &options->mtu, error);
  result =
      result ? result
             : take_u32(params, "tx_report_interval", 0, 1024, &options->tx_report_interval, error);
  result = result ? result
                  : take_u32(params, "interrupt_interval_us", 2, 8000,
                             &options->interrupt_interval_us, error);
  result = result ? result : take_flag(params, "rx_metadata", &options->rx_metadata, error);
  result = result ? result : take_flag(params, "rx_time", &options->rx_time, error);
  result = result ? result : take_flag(params, "promiscuous", &options->promiscuous, error);
  result = result ? result : take_flag(params, "vlan_strip", &options->vlan_strip, error);
  result = result ? result : take_flag(params, "interrupts", &options->interrupts, error);
  result = result ? result : take_flag(params, "checked", &options->checked, error);
  return result ? result : take_flag(params, "capture", &options->capture, error);
}

static int bad_option(struct shunt_error *error, const char *option, uint32_t value,
                      uint32_t nearest, const char *rule)
{
  shunt_error_set(error, -EINVAL, "%s=%u can't be", option, value);
  shunt_error_why(error, "%s", rule);
  shunt_error_remedy(error, "the nearest is %s=%u", option, nearest);
  return -EINVAL;
}

static uint32_t clamp(uint32_t value, uint32_t least, uint32_t most)
{
  return value < least ? least : value > most ? most : value;
}

static int check_ring(const char *option, uint32_t value, struct shunt_error *error)
{
  uint32_t nearest = 64;
  while (nearest < value && nearest < 4096)
    nearest *= 2;
  if (value != nearest)
    return bad_option(error, option, value, nearest,
                      "a ring has 64, 128, 256, 512, 1024, 2048 or 4096 descriptors");
  return 0;
}

static int check(const struct shunt_port_options *options, struct shunt_error *error)
{
  const uint32_t interval_us = options->interrupt_interval_us;
  int result = check_ring("rx_ring", options->rx_ring, error);
  if (!result)
    result = check_ring("tx_ring", options->tx_ring, error);
  if (result)
    return result;
  if (options->queues > 128)
    return bad_option(error, "queues", options->queues, 128,
                      "no device has more than 128 queue pairs");
  if (options->mtu < 68 || options->mtu > 9710)
    return bad_option(error, "mtu", options->mtu, clamp(options->mtu, 68, 9710),
                      "68 (RFC 791) to 9710 bytes (9728 with Ethernet header and FCS)");
  if (options->tx_report_interval > options->tx_ring / 2)
    return bad_option(error, "tx_report_interval", options->tx_report_interval,
                      options->tx_ring / 2, "at most half of tx_ring, or sending would stall");
  if (interval_us < 2 || interval_us > 8000)
    return bad_option(error, "interrupt_interval_us", interval_us, clamp(interval_us, 2, 8000),
                      "2 to 8000 microseconds");
  return 0;
}

int port_options_complete(struct shunt_port_options *options,
                          const struct shunt_port_options *given, struct params *params,
                          struct shunt_error *error)
{
  memset(options, 0, sizeof(*options));
  if (given) {
    if (given->size < sizeof(given->size) || given->size > sizeof(*options)) {
      shunt_error_set(error, -EINVAL, "options.size is %zu", given->size);
      shunt_error_why(error, "this library knows options of up to %zu bytes", sizeof(*options));
      shunt_error_remedy(error, "set size to sizeof(struct shunt_port_options)");
      return -EINVAL;
    }
    memcpy(options, given, given->size);
  }
  options->size = sizeof(*options);
  int result = take_keys(options, params, error);
  if (result)
    return result;

  options->queues = options->queues ? options->queues : 1;
  options->rx_ring = options->rx_ring ? options->rx_ring : 512;
  options->tx_ring = options->tx_ring ? options->tx_ring : 512;
  options->mtu = options->mtu ? options->mtu : 1500;
  options->tx_report_interval = options->tx_report_interval ? options->tx_report_interval : 1;
  options->interrupt_interval_us =
      options->interrupt_interval_us ? options->interrupt_interval_us : 20;
  options->clock = options->clock ? options->clock : shunt_clock_real();
  /* Both are only of use with their place in struct shunt_frame filled in. */
  if (options->rx_time || options->vlan_strip)
    options->rx_metadata = 1;
#ifdef SHUNT_CHECKED
  options->checked = 1;
#endif
  return check(options, error);
}
