/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt fabric: an endpoint and its memory. */
#include <string.h>

#include "tools/shunt/fabric.h"

#define INDEX_BYTES 8u

/* ---- What is in a message ---- */

void fabric_pattern(uint8_t *bytes, uint64_t n, uint64_t index)
{
  uint64_t at = 0;
  if (n >= INDEX_BYTES) {
    memcpy(bytes, &index, INDEX_BYTES);
    at = INDEX_BYTES;
  }
  for (; at < n; at++)
    bytes[at] = (uint8_t)(at * 7 + (at >> 8) + index);
}

/* Short messages have no index: they are what the caller expects, or wrong. */
bool fabric_pattern_is(const uint8_t *bytes, uint64_t n, uint64_t *index)
{
  uint64_t at = 0;
  if (n >= INDEX_BYTES) {
    memcpy(index, bytes, INDEX_BYTES);
    at = INDEX_BYTES;
  }
  for (; at < n; at++)
    if (bytes[at] != (uint8_t)(at * 7 + (at >> 8) + *index))
      return false;
  return true;
}

/* ---- Up and down ---- */

int fabric_end_open(struct fabric_run *run, const char *device, struct fabric_end *end,
                    struct shunt_error *error)
{
  const struct shunt_fabric_options options = {
      .size = sizeof(options), .log = &run->cli->log, .testbed = run->testbed};
  int code = shunt_fabric_open(cli_device(run->cli, device), &options, &end->fabric, error);
  end->info.size = sizeof(end->info);
  if (!code)
    shunt_fabric_info(end->fabric, &end->info);
  return code;
}

static int make_memory(const struct fabric_run *run, struct fabric_end *end,
                       struct shunt_error *error)
{
  const struct shunt_region_options options = {.size = sizeof(options),
                                               .bytes = 2 * run->depth * run->slot_bytes,
                                               .numa_node = end->info.numa_node};
  unsigned access = SHUNT_FABRIC_LOCAL_WRITE;
  if (run->op == SHUNT_FABRIC_READ)
    access |= SHUNT_FABRIC_REMOTE_READ;
  if (run->op == SHUNT_FABRIC_WRITE)
    access |= SHUNT_FABRIC_REMOTE_WRITE;
  int code = shunt_region_create(&options, &end->region, error);
  if (!code)
    code = shunt_fabric_mr_register(end->pd, end->region, 0, shunt_region_bytes(end->region),
                                    access, NULL, &end->mr, error);
  if (!code)
    end->memory = shunt_region_base(end->region);
  return code;
}

int fabric_end_furnish(struct fabric_run *run, struct fabric_end *end, struct shunt_error *error)
{
  const uint32_t depth = (uint32_t)run->depth;
  const struct shunt_fabric_cq_options queue = {.size = sizeof(queue), .depth = 4 * depth};
  struct shunt_fabric_qp_options pair = {.size = sizeof(pair),
                                         .type = run->type,
                                         .send_depth = depth,
                                         .recv_depth = depth,
                                         .qkey = (uint32_t)run->qkey,
                                         .wide = run->wide};
  int code = shunt_fabric_pd_create(end->fabric, &end->pd, error);
  code = code ? code : make_memory(run, end, error);
  code = code ? code : shunt_fabric_cq_create(end->fabric, &queue, &end->cq, error);
  pair.send_cq = pair.recv_cq = end->cq;
  code = code ? code : shunt_fabric_qp_create(end->pd, &pair, &end->qp, error);
  if (code)
    return code;
  for (uint64_t i = 0; i < run->depth; i++) /* what is read over there, and never written here */
    fabric_pattern(fabric_send_slot(run, end, i), run->size, i);
  end->own = (struct fabric_address){.gid = end->info.gid,
                                     .qpn = shunt_fabric_qp_number(end->qp),
                                     .qkey = (uint32_t)run->qkey,
                                     .rkey = shunt_fabric_mr_rkey(end->mr),
                                     .memory = (uintptr_t)end->memory};
  return 0;
}

int fabric_end_meet(struct fabric_end *end, const struct fabric_address *peer,
                    struct shunt_error *error)
{
  end->peer = *peer;
  return shunt_fabric_ah_create(end->pd, &peer->gid, &end->ah, error);
}

void fabric_end_close(struct fabric_end *end)
{
  shunt_fabric_close(end->fabric);
  shunt_region_destroy(end->region);
}
