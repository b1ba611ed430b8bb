/* SPDX-License-Identifier: BSD-2-Clause */
#include "twin/testbed_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_OF_WIRES                                                                              \
  "tap, tap_mtu, udp, record, play, play_speed, play_loops, play_delay_us, seed, loss, "           \
  "duplicate, reorder, reorder_us, corrupt, delay_us, jitter_us, rate_mbps"

static const char *const keys_known[] = {
    [TESTBED_IXGBE] = "wire, id, mac, mode, module, cable, " KEYS_OF_WIRES,
    [TESTBED_EFA] = "wire, id, mac, paths, give_up_ms, keep_alive_ms, reuse_qpn, " KEYS_OF_WIRES};

#define KEYS_MOST_US       (SHUNT_IMPAIRMENT_MAX_NS / 1e3)
#define KEYS_MOST_MBPS     1e6
#define KEYS_KEEP_ALIVE_MS 1000

/* ---- The twin's own ---- */

/* 02:00:00:82:59:90 and what follows: locally administered, one after the other. At an end of a
 * tunnel the local port stands in the second and third byte: what is at its other end was made by
 * another process, which began with the same address. */
static struct shunt_mac keys_mac(unsigned number)
{
  uint32_t low = 0x825990u + number;
  return (struct shunt_mac){
      .bytes = {0x02, 0, 0, (uint8_t)(low >> 16), (uint8_t)(low >> 8), (uint8_t)low}};
}

static int keys_read_mac(struct testbed_keys *keys, unsigned number, struct shunt_error *error)
{
  keys->mac = keys_mac(number);
  const char *text = params_take(&keys->params, "mac");
  keys->mac_is_made = text == NULL;
  if (text == NULL)
    return 0;
  static const struct shunt_mac zero;
  if (shunt_mac_parse(text, &keys->mac) == 0 && !(keys->mac.bytes[0] & 1) &&
      memcmp(&keys->mac, &zero, sizeof(zero)) != 0)
    return 0;
  int code = shunt_error_set(error, -EINVAL, "mac=%s is refused", text);
  shunt_error_why(error, "it is no address of one station");
  shunt_error_remedy(error, "write six pairs of hexadecimal digits, the first pair even, as in "
                            "mac=02:00:00:00:00:01");
  return code;
}

static int keys_read_name(struct testbed_keys *keys, struct shunt_error *error)
{
  keys->wire = params_take(&keys->params, "wire");
  if (keys->wire == NULL || (keys->wire[0] != '\0' && strlen(keys->wire) < TESTBED_NAME_BYTES))
    return 0;
  int code = shunt_error_set(error, -EINVAL, "wire=%s is refused", keys->wire);
  shunt_error_why(error, "a wire's name has 1 to %d characters", TESTBED_NAME_BYTES - 1);
  return code;
}

static int keys_read_card(struct testbed_keys *keys, struct shunt_error *error)
{
  static const char *const ids[] = {"10fb", "10f9", "10fc", NULL};
  static const uint16_t id_values[] = {0x10FB, 0x10F9, 0x10FC};
  static const char *const modules[] = {"cu1m", "sr", "none", NULL};
  static const enum shunt_twin_module module_values[] = {SHUNT_TWIN_MODULE_CU, SHUNT_TWIN_MODULE_SR,
                                                         SHUNT_TWIN_MODULE_NONE};
  unsigned id = 0, module = UINT32_MAX;
  int code = params_take_choice(&keys->params, "id", ids, &id, error);
  if (code == 0)
    code = params_take_choice(&keys->params, "module", modules, &module, error);
  if (code < 0)
    return code;
  keys->ixgbe.device_id = id_values[id];
  if (module == UINT32_MAX)
    return 0;
  keys->ixgbe.module = module_values[module];
  if (id == 0)
    return 0;
  code = shunt_error_set(error, -EINVAL, "module=%s is refused", modules[module]);
  shunt_error_why(error, "the card %s has no SFP+ cage; 10fb has", ids[id]);
  return code;
}

static int keys_read_ixgbe(struct testbed_keys *keys, struct shunt_error *error)
{
  static const char *const modes[] = {"shared", "trap", NULL};
  static const char *const cables[] = {"in", "out", NULL};
  unsigned mode = 0, cable = 0;
  int code = keys_read_card(keys, error);
  if (code == 0)
    code = params_take_choice(&keys->params, "mode", modes, &mode, error);
  if (code == 0)
    code = params_take_choice(&keys->params, "cable", cables, &cable, error);
  keys->ixgbe.trap = mode == 1;
  keys->ixgbe.cable_out = cable == 1;
  return code;
}

static int keys_read_efa(struct testbed_keys *keys, struct shunt_error *error)
{
  static const char *const ids[] = {"efa0", "efa1", "efa2", NULL};
  struct params *params = &keys->params;
  unsigned id = 2;
  uint64_t paths = 0, give_up_ms = 0, keep_alive_ms = KEYS_KEEP_ALIVE_MS;
  bool reuse_qpn = false;
  int code = params_take_choice(params, "id", ids, &id, error);
  if (code == 0)
    code = params_take_u64(params, "paths", 1, 64, &paths, error);
  if (code == 0)
    code = params_take_u64(params, "give_up_ms", 1, 3600000, &give_up_ms, error);
  if (code == 0)
    code = params_take_u64(params, "keep_alive_ms", 0, 3600000, &keep_alive_ms, error);
  if (code == 0)
    code = params_take_bool(params, "reuse_qpn", &reuse_qpn, error);
  keys->efa.device_id = (uint16_t)(0xEFA0 + id);
  keys->efa.paths = (uint32_t)paths;
  keys->efa.give_up_ms = (uint32_t)give_up_ms;
  keys->efa.keep_alive_ms = (uint32_t)keep_alive_ms;
  keys->efa.reuse_qpn = reuse_qpn;
  return code;
}

static int keys_read_twin(struct testbed_keys *keys, unsigned number, struct shunt_error *error)
{
  int code = keys_read_name(keys, error);
  if (code == 0)
    code = keys_read_mac(keys, number, error);
  if (code < 0)
    return code;
  return keys->kind == TESTBED_EFA ? keys_read_efa(keys, error) : keys_read_ixgbe(keys, error);
}

/* ---- The wire's ---- */

/* tunnel: LOCAL,REMOTE; checked later, by who opens it. */
static void keys_tell_apart(struct shunt_mac *mac, const char *tunnel)
{
  const char *colon = memrchr(tunnel, ':', strcspn(tunnel, ","));
  unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;
  mac->bytes[1] = (uint8_t)(port >> 8);
  mac->bytes[2] = (uint8_t)port;
}

/* *value_ns: the default, and what is read. */
static int keys_read_us(struct testbed_keys *keys, const char *key, uint64_t *value_ns,
                        struct shunt_error *error)
{
  double value_us = (double)*value_ns / 1e3;
  int code = params_take_double(&keys->params, key, 0, KEYS_MOST_US, &value_us, error);
  *value_ns = (uint64_t)(value_us * 1e3 + 0.5);
  return code;
}

/* A port on the wire needs some time to come up; what is played before is lost. */
#define KEYS_PLAY_DELAY_NS 500000000u

static int keys_read_ends(struct testbed_keys *keys, struct shunt_error *error)
{
  struct params *params = &keys->params;
  keys->tap = params_take(params, "tap");
  keys->udp = params_take(params, "udp");
  keys->record = params_take(params, "record");
  keys->play = params_take(params, "play");
  if (keys->udp && keys->mac_is_made)
    keys_tell_apart(&keys->mac, keys->udp);
  uint64_t mtu = 0, loops = 1;
  int code = params_take_u64(params, "tap_mtu", 68, SHUNT_TAP_MTU_MAX, &mtu, error);
  if (code == 0)
    code = params_take_u64(params, "play_loops", 1, UINT32_MAX, &loops, error);
  if (code == 0)
    code = params_take_double(params, "play_speed", 0, 1e9, &keys->play_options.speed, error);
  keys->play_options.delay_ns = KEYS_PLAY_DELAY_NS;
  if (code == 0)
    code = keys_read_us(keys, "play_delay_us", &keys->play_options.delay_ns, error);
  keys->tap_options.mtu = (uint32_t)mtu;
  keys->play_options.loops = (uint32_t)loops;
  return code;
}

static int keys_read_impairments(struct testbed_keys *keys, struct shunt_error *error)
{
  struct params *params = &keys->params;
  struct shunt_impairments *set = &keys->impairments;
  double rate_mbps = 0;
  int code = params_take_double(params, "loss", 0, 1, &set->loss, error);
  if (code == 0)
    code = params_take_double(params, "duplicate", 0, 1, &set->duplicate, error);
  if (code == 0)
    code = params_take_double(params, "reorder", 0, 1, &set->reorder, error);
  if (code == 0)
    code = params_take_double(params, "corrupt", 0, 1, &set->corrupt, error);
  if (code == 0)
    code = keys_read_us(keys, "reorder_us", &set->reorder_ns, error);
  if (code == 0)
    code = keys_read_us(keys, "delay_us", &set->delay_ns, error);
  if (code == 0)
    code = keys_read_us(keys, "jitter_us", &set->jitter_ns, error);
  if (code == 0)
    code = params_take_double(params, "rate_mbps", 0, KEYS_MOST_MBPS, &rate_mbps, error);
  set->rate_bps = (uint64_t)(rate_mbps * 1e6 + 0.5);
  return code;
}

static const char *keys_first_left(const struct params *params)
{
  for (unsigned i = 0; i < params->count; i++) {
    if (!params->entries[i].taken)
      return params->entries[i].key;
  }
  return NULL;
}

int testbed_kind_read(const char *name, enum testbed_kind *kind, struct shunt_error *error)
{
  static const char *const kinds[] = {[TESTBED_IXGBE] = "ixgbe", [TESTBED_EFA] = "efa"};
  for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
    if (strcmp(name, kinds[i]) != 0)
      continue;
    *kind = (enum testbed_kind)i;
    return 0;
  }
  int code = shunt_error_set(error, -EINVAL, "there is no twin of a %s", name);
  shunt_error_why(error, "twins are made of: ixgbe, efa");
  return code;
}

int testbed_keys_read(struct testbed_keys *keys, enum testbed_kind kind, const char *text,
                      unsigned number, struct shunt_error *error)
{
  memset(keys, 0, sizeof(*keys));
  keys->kind = kind;
  keys->ixgbe.size = sizeof(keys->ixgbe);
  keys->efa.size = sizeof(keys->efa);
  keys->tap_options.size = sizeof(keys->tap_options);
  keys->play_options = (struct shunt_play_options){.size = sizeof(keys->play_options), .speed = 1};
  keys->impairments.size = sizeof(keys->impairments);
  int code = params_parse(&keys->params, text, error);
  if (code == 0)
    code = keys_read_twin(keys, number, error);
  if (code < 0)
    return code;
  keys->wire_key = keys_first_left(&keys->params);
  keys->has_seed = params_take(&keys->params, "seed") != NULL;
  code = params_take_u64(&keys->params, "seed", 0, UINT64_MAX, &keys->seed, error);
  if (code == 0)
    code = keys_read_ends(keys, error);
  const char *impairment = keys_first_left(&keys->params);
  if (code == 0)
    code = keys_read_impairments(keys, error);
  keys->impaired = impairment != NULL;
  keys->ixgbe.mac = keys->efa.mac = keys->mac;
  keys->efa.seed = keys->seed;
  return code < 0 ? code : params_finish(&keys->params, keys_known[kind], error);
}
