/* SPDX-License-Identifier: BSD-2-Clause */
/* Protection domains, UARs, address handles, event queues: numbers that are given out and taken
 * back. */
#include <string.h>

#include "twin/efa/efa.h"

void efa_twin_objects_forget(struct efa_twin *twin)
{
  memset(twin->pds, 0, sizeof(twin->pds));
  memset(twin->uars, 0, sizeof(twin->uars));
  memset(twin->eqs, 0, sizeof(twin->eqs));
  memset(twin->ahs, 0, sizeof(twin->ahs));
  memset(twin->ah_buckets, 0xFF, sizeof(twin->ah_buckets));
  for (uint16_t i = 0; i < EFA_TWIN_AHS; i++)
    twin->ahs[i].next = i + 1u < EFA_TWIN_AHS ? (uint16_t)(i + 1) : EFA_AH_UNKNOWN;
  twin->ah_free = 0;
}

static uint8_t take_number(bool taken[], unsigned most, void *response)
{
  struct efa_number_response *answer = response;
  for (unsigned i = 0; i < most; i++) {
    if (taken[i])
      continue;
    taken[i] = true;
    answer->number = (uint16_t)i;
    return EFA_ADMIN_SUCCESS;
  }
  return EFA_ADMIN_RESOURCE_ALLOCATION_FAILURE;
}

bool efa_twin_pd_live(const struct efa_twin *twin, uint16_t pd)
{
  return pd < EFA_TWIN_PDS && twin->pds[pd];
}

uint8_t efa_twin_alloc_pd(struct efa_twin *twin, const void *command, void *response)
{
  (void)command;
  return take_number(twin->pds, EFA_TWIN_PDS, response);
}

static bool pd_in_use(const struct efa_twin *twin, uint16_t pd)
{
  for (unsigned i = 0; i < EFA_TWIN_QPS; i++)
    if (twin->qps[i].live && twin->qps[i].pd == pd)
      return true;
  for (unsigned i = 0; i < EFA_TWIN_AHS; i++)
    if (twin->ahs[i].uses && twin->ahs[i].pd == pd)
      return true;
  for (unsigned i = 0; i < EFA_TWIN_MRS; i++)
    if (twin->mrs[i].live && twin->mrs[i].pd == pd)
      return true;
  return false;
}

uint8_t efa_twin_dealloc_pd(struct efa_twin *twin, const void *command, void *response)
{
  const struct efa_number *asked = command;
  (void)response;
  if (!efa_twin_pd_live(twin, asked->number))
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  if (pd_in_use(twin, asked->number))
    return EFA_ADMIN_RESOURCE_BUSY;
  twin->pds[asked->number] = false;
  return EFA_ADMIN_SUCCESS;
}

uint8_t efa_twin_alloc_uar(struct efa_twin *twin, const void *command, void *response)
{
  (void)command;
  return take_number(twin->uars, EFA_TWIN_UARS, response);
}

uint8_t efa_twin_dealloc_uar(struct efa_twin *twin, const void *command, void *response)
{
  const struct efa_number *asked = command;
  (void)response;
  if (asked->number >= EFA_TWIN_UARS || !twin->uars[asked->number])
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  for (unsigned i = 0; i < EFA_TWIN_QPS; i++)
    if (twin->qps[i].live && twin->qps[i].uar == asked->number)
      return EFA_ADMIN_RESOURCE_BUSY;
  for (unsigned i = 0; i < EFA_TWIN_CQS; i++)
    if (twin->cqs[i].live && twin->cqs[i].uar == asked->number)
      return EFA_ADMIN_RESOURCE_BUSY;
  twin->uars[asked->number] = false;
  return EFA_ADMIN_SUCCESS;
}

/* --- Address handles
 * ------------------------------------------------------------------------------- */

static uint16_t *ah_bucket(struct efa_twin *twin, const struct srd_gid *gid)
{
  uint32_t halves[4];
  memcpy(halves, gid, sizeof(halves));
  uint32_t mixed = (halves[0] ^ halves[1] ^ halves[2] ^ halves[3]) * UINT32_C(0x9E3779B1);
  return &twin->ah_buckets[mixed >> 22];
}
_Static_assert(EFA_TWIN_AH_BUCKETS == 1u << 10, "the upper 10 bits of the hash");

uint16_t efa_twin_ah_of(struct efa_twin *twin, const struct srd_gid *gid, uint16_t pd)
{
  uint16_t at = *ah_bucket(twin, gid);
  while (at != EFA_AH_UNKNOWN &&
         (twin->ahs[at].pd != pd || memcmp(&twin->ahs[at].gid, gid, sizeof(*gid)) != 0))
    at = twin->ahs[at].next;
  return at;
}

static uint8_t ah_make(struct efa_twin *twin, const struct srd_gid *gid, uint16_t pd, uint16_t *at)
{
  *at = twin->ah_free;
  struct srd_peer *peer = *at == EFA_AH_UNKNOWN ? NULL : srd_peer(twin->srd, gid);
  if (!peer)
    return EFA_ADMIN_RESOURCE_ALLOCATION_FAILURE;
  uint16_t *bucket = ah_bucket(twin, gid);
  twin->ah_free = twin->ahs[*at].next;
  twin->ahs[*at] = (struct efa_twin_ah){.gid = *gid, .peer = peer, .pd = pd, .next = *bucket};
  *bucket = *at;
  return EFA_ADMIN_SUCCESS;
}

static void ah_forget(struct efa_twin *twin, uint16_t number)
{
  uint16_t *at = ah_bucket(twin, &twin->ahs[number].gid);
  while (*at != number)
    at = &twin->ahs[*at].next;
  *at = twin->ahs[number].next;
  twin->ahs[number].next = twin->ah_free;
  twin->ah_free = number;
}

/* Linux asks for a handle as often as its users do, and gives each back. */
uint8_t efa_twin_create_ah(struct efa_twin *twin, const void *command, void *response)
{
  const struct efa_create_ah *asked = command;
  struct efa_create_ah_response *answer = response;
  struct srd_gid gid;
  memcpy(&gid, asked->gid, sizeof(gid));
  if (!efa_twin_pd_live(twin, asked->pd))
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  uint16_t number = efa_twin_ah_of(twin, &gid, asked->pd);
  if (number == EFA_AH_UNKNOWN) {
    uint8_t status = ah_make(twin, &gid, asked->pd, &number);
    if (status != EFA_ADMIN_SUCCESS)
      return status;
  }
  if (twin->ahs[number].uses == UINT16_MAX)
    return EFA_ADMIN_RESOURCE_ALLOCATION_FAILURE;
  twin->ahs[number].uses++;
  answer->ah = number;
  return EFA_ADMIN_SUCCESS;
}

uint8_t efa_twin_destroy_ah(struct efa_twin *twin, const void *command, void *response)
{
  const struct efa_destroy_ah *asked = command;
  (void)response;
  if (asked->ah >= EFA_TWIN_AHS || !twin->ahs[asked->ah].uses ||
      twin->ahs[asked->ah].pd != asked->pd)
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  if (--twin->ahs[asked->ah].uses == 0) {
    efa_twin_ah_gone(twin, asked->ah);
    ah_forget(twin, asked->ah);
  }
  return EFA_ADMIN_SUCCESS;
}

/* --- Event queues
 * ------------------------------------------------------------------------------------- */

static bool power_of_two(uint32_t n, uint32_t most)
{
  return n && n <= most && !(n & (n - 1));
}

uint8_t efa_twin_create_eq(struct efa_twin *twin, const void *command, void *response)
{
  const struct efa_create_eq *asked = command;
  struct efa_number_response *answer = response;
  uint64_t base = (uint64_t)asked->base.hi << 32 | asked->base.lo;
  if (!power_of_two(asked->depth, EFA_TWIN_EQ_DEPTH) || !asked->vector ||
      asked->vector >= EFA_TWIN_VECTORS || asked->events & ~EFA_CREATE_EQ_COMPLETIONS ||
      HW_GET(EFA_CREATE_EQ_ENTRY_WORDS, asked->caps) != sizeof(struct efa_eqe) / 4 ||
      !shunt_model_dma(&twin->model, base, asked->depth * sizeof(struct efa_eqe), 1))
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  for (unsigned i = 0; i < EFA_TWIN_EQS; i++) {
    if (twin->eqs[i].live)
      continue;
    twin->eqs[i] = (struct efa_twin_eq){
        .live = true, .vector = asked->vector, .depth = asked->depth, .base = base};
    answer->number = (uint16_t)i;
    return EFA_ADMIN_SUCCESS;
  }
  return EFA_ADMIN_RESOURCE_ALLOCATION_FAILURE;
}

uint8_t efa_twin_destroy_eq(struct efa_twin *twin, const void *command, void *response)
{
  const struct efa_number *asked = command;
  (void)response;
  if (asked->number >= EFA_TWIN_EQS || !twin->eqs[asked->number].live)
    return EFA_ADMIN_ILLEGAL_PARAMETER;
  for (unsigned i = 0; i < EFA_TWIN_CQS; i++)
    if (twin->cqs[i].live && twin->cqs[i].has_events && twin->cqs[i].eqn == asked->number)
      return EFA_ADMIN_RESOURCE_BUSY;
  twin->eqs[asked->number].live = false;
  return EFA_ADMIN_SUCCESS;
}
