/* SPDX-License-Identifier: BSD-2-Clause */
/* Transmit alternatives, which Solarflare's cards hold in memory of their own: packets that lie
 * ready in several versions, of which one call sends one. Here they lie in buffers of the device,
 * described down to the last field, so that the call is a post and a doorbell.
 *
 * A packet for an alternative goes round twice. As a descriptor of the ring it is done as soon as
 * it has been pushed (EF_EVENT_TYPE_TX, so that the program's buffer and the ring's room are free);
 * as a packet of the alternative when it was sent or discarded (EF_EVENT_TYPE_TX_ALT). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/efvi/checked.h"

#define ALT_BYTES ((size_t)EFVI_ALT_BUFS * EFVI_BUF_BYTES)

_Static_assert(EFVI_ALT_BUFS == 64, "a bit each of a word");

/* --- Making them --------------------------------------------------------------------------------
 */

static int alt_alloc_check(struct efvi_vi *vi, int num_alts, size_t buf_space)
{
  if (!vi)
    return efvi_refuse(-EINVAL, "this is no interface");
  if (!(vi->flags & EF_VI_TX_ALT))
    return efvi_refuse(-EINVAL, "the interface was made without EF_VI_TX_ALT");
  if (num_alts < 1 || buf_space < 1)
    return efvi_refuse(-EINVAL, "%d alternatives with %zu bytes", num_alts, buf_space);
  if (vi->alternatives)
    return efvi_refuse(-EALREADY, "the interface has %u alternatives", vi->alternatives->count);
  if (num_alts > (int)EFVI_ALTS || buf_space > ALT_BYTES)
    return efvi_refuse(-EBUSY, "%d alternatives with %zu bytes: there are %u, with %zu", num_alts,
                       buf_space, EFVI_ALTS, ALT_BYTES);
  return 0;
}

int ef_vi_transmit_alt_alloc(struct ef_vi *vi, ef_driver_handle vi_dh, int num_alts,
                             size_t buf_space)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  (void)vi_dh;
  int result = alt_alloc_check(own, num_alts, buf_space);
  EFVI_ENTER(own, "ef_vi_transmit_alt_alloc", -EBUSY);
  if (result)
    return result;
  struct efvi_alternatives *made =
      calloc(1, sizeof(*made) + (size_t)num_alts * sizeof(made->list[0]));
  if (!made)
    return efvi_refuse(-ENOMEM, "no memory for %d alternatives", num_alts);
  made->count = vi->tx_alt_num = (unsigned)num_alts;
  made->selected = -1;
  own->alternatives = made;
  return 0;
}

int ef_vi_transmit_alt_free(struct ef_vi *vi, ef_driver_handle vi_dh)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  (void)vi_dh;
  EFVI_ENTER(own, "ef_vi_transmit_alt_free", -EBUSY);
  if (!own || !own->alternatives)
    return efvi_refuse(-EINVAL, "no interface, or one without alternatives");
  efvi_transmit_flush(own);
  if (own->alternatives->flying)
    return efvi_refuse(-EBUSY, "packets of alternatives have not left the device");
  free(own->alternatives);
  own->alternatives = NULL;
  vi->tx_alt_num = 0;
  return 0;
}

int ef_vi_transmit_alt_query_buffering(struct ef_vi *vi, int ifindex, ef_driver_handle vi_dh,
                                       int n_alts)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  (void)ifindex, (void)vi_dh;
  EFVI_ENTER(own, "ef_vi_transmit_alt_query_buffering", -EBUSY);
  if (!own || !(own->flags & EF_VI_TX_ALT) || n_alts < 1 || n_alts > (int)EFVI_ALTS)
    return efvi_refuse(-EINVAL, "no interface made with EF_VI_TX_ALT, or %d alternatives", n_alts);
  return (int)ALT_BYTES;
}

/* A packet takes whole buffers. */
int ef_vi_transmit_alt_query_overhead(ef_vi *vi, struct ef_vi_transmit_alt_overhead *params)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  EFVI_ENTER(own, "ef_vi_transmit_alt_query_overhead", -EBUSY);
  if (!own || !params || !(own->flags & EF_VI_TX_ALT))
    return efvi_refuse(-EINVAL, "no interface made with EF_VI_TX_ALT, or no place for its figures");
  *params = (struct ef_vi_transmit_alt_overhead){.pre_round = EFVI_BUF_BYTES - 1,
                                                 .mask = ~(EFVI_BUF_BYTES - 1)};
  return 0;
}

unsigned ef_vi_transmit_alt_num_ids(ef_vi *vi)
{
  EFVI_ENTER(efvi_vi_of(vi), "ef_vi_transmit_alt_num_ids", 0);
  return efvi_vi_of(vi) ? vi->tx_alt_num : 0;
}

/* --- Buffers ------------------------------------------------------------------------------------
 */

static uint64_t bits(uint32_t first, uint32_t count)
{
  return ((UINT64_C(1) << count) - 1) << first;
}

static uint32_t bufs_of(uint32_t bytes)
{
  return (bytes + EFVI_BUF_BYTES - 1) / EFVI_BUF_BYTES;
}

int efvi_alt_take(struct efvi_vi *vi, uint32_t count)
{
  struct efvi_alternatives *alts = vi->alternatives;
  for (uint32_t first = 0; first + count <= EFVI_ALT_BUFS; first++) {
    if (alts->used & bits(first, count))
      continue;
    alts->used |= bits(first, count);
    return (int)first;
  }
  return efvi_refuse(-ENOSPC, "the alternatives' %u buffers are in use: a packet of %u more",
                     EFVI_ALT_BUFS, count);
}

void efvi_alt_undo(struct efvi_vi *vi, const struct efvi_tx_slot *slot)
{
  if (slot->alt)
    vi->alternatives->used &= ~bits(slot->buffer, bufs_of(slot->len));
}

/* --- Packets that lie ready ---------------------------------------------------------------------
 */

static void alt_due(struct efvi_alternatives *alts, struct efvi_alternative *alt)
{
  alt->due++;
  alts->due++;
}

static uint32_t buf_of(const struct efvi_vi *vi, shunt_buf addr)
{
  return (uint32_t)((addr - vi->alt_first) / EFVI_BUF_BYTES);
}

/* Post what lies ready, without a doorbell. */
static void alt_post(struct efvi_vi *vi, struct efvi_alternative *alt)
{
  struct efvi_alternatives *alts = vi->alternatives;
  unsigned posted = shunt_tx_post(vi->queue, alt->frames, alt->ready);
  for (unsigned i = 0; i < posted; i++)
    alts->flying |= bits(buf_of(vi, alt->frames[i].addr), 1);
  alt->ready -= posted;
  memmove(alt->frames, alt->frames + posted, alt->ready * sizeof(alt->frames[0]));
}

static void alt_throw_away(struct efvi_vi *vi, struct efvi_alternative *alt)
{
  struct efvi_alternatives *alts = vi->alternatives;
  for (unsigned i = 0; i < alt->ready; i++) {
    alts->used &= ~bits(buf_of(vi, alt->frames[i].addr), 1);
    if (alt->frames[i].flags & SHUNT_FRAME_MORE)
      continue;
    alt_due(alts, alt);
    vi->counters.tx_alternatives_discarded++;
  }
  alt->ready = 0;
}

void efvi_alt_put(struct efvi_vi *vi, const struct efvi_tx_slot *slot)
{
  struct efvi_alternatives *alts = vi->alternatives;
  struct efvi_alternative *alt = &alts->list[slot->alt - 1];
  const uint32_t count = bufs_of(slot->len);
  for (uint32_t i = 0; i < count; i++) {
    const bool last = i + 1 == count;
    const uint32_t left = slot->len - i * EFVI_BUF_BYTES, buffer = slot->buffer + i;
    alt->frames[alt->ready++] =
        (struct shunt_frame){.addr = vi->alt_first + (uint64_t)buffer * EFVI_BUF_BYTES,
                             .len = (uint16_t)(last ? left : EFVI_BUF_BYTES),
                             .flags = last ? 0 : SHUNT_FRAME_MORE};
    alts->owner[buffer] = (uint8_t)(slot->alt - 1);
    alts->last = last ? alts->last | bits(buffer, 1) : alts->last & ~bits(buffer, 1);
  }
  if (alt->state == EFVI_ALT_GO)
    alt_post(vi, alt); /* the push that brought it here rings */
  else if (alt->state == EFVI_ALT_DISCARD)
    alt_throw_away(vi, alt);
}

/* --- What the program says ----------------------------------------------------------------------
 */

static struct efvi_alternative *alt_of(struct efvi_vi *vi, unsigned alt_id)
{
  if (vi->alternatives && alt_id < vi->alternatives->count)
    return &vi->alternatives->list[alt_id];
  efvi_keep(-EINVAL, "alternative %u of %u", alt_id,
            vi->alternatives ? vi->alternatives->count : 0);
  return NULL;
}

int efvi_alt_select(ef_vi *user, unsigned alt_id)
{
  struct efvi_vi *vi = efvi_own(user);
  if (!alt_of(vi, alt_id))
    return -EINVAL;
  vi->alternatives->selected = (int)alt_id;
  return 0;
}

int efvi_alt_select_normal(ef_vi *user)
{
  struct efvi_vi *vi = efvi_own(user);
  if (!vi->alternatives)
    return efvi_refuse(-EINVAL, "the interface has no alternatives");
  vi->alternatives->selected = -1;
  return 0;
}

int efvi_alt_stop(ef_vi *user, unsigned alt_id)
{
  struct efvi_alternative *alt = alt_of(efvi_own(user), alt_id);
  if (!alt)
    return -EINVAL;
  alt->state = EFVI_ALT_STOP;
  return 0;
}

int efvi_alt_go(ef_vi *user, unsigned alt_id)
{
  struct efvi_vi *vi = efvi_own(user);
  struct efvi_alternative *alt = alt_of(vi, alt_id);
  if (SHUNT_UNLIKELY(!alt))
    return -EINVAL;
  if (SHUNT_UNLIKELY(vi->tx_warm))
    return 0;
  alt->state = EFVI_ALT_GO;
  alt_post(vi, alt);
  shunt_tx_push(vi->queue);
  if (SHUNT_UNLIKELY(vi->primed))
    efvi_wake_sent(vi);
  return 0;
}

int efvi_alt_discard(ef_vi *user, unsigned alt_id)
{
  struct efvi_vi *vi = efvi_own(user);
  struct efvi_alternative *alt = alt_of(vi, alt_id);
  if (!alt)
    return -EINVAL;
  alt->state = EFVI_ALT_DISCARD;
  alt_throw_away(vi, alt);
  return 0;
}

/* --- Back again ---------------------------------------------------------------------------------
 */

/* A buffer has come back: an alternative's, or one of the ring's, in the ring's order. */
static void alt_completed(struct efvi_vi *vi, shunt_buf addr)
{
  struct efvi_alternatives *alts = vi->alternatives;
  if (addr < vi->alt_first || addr >= vi->alt_first + ALT_BYTES) {
    alts->done++;
    return;
  }
  const uint32_t buffer = buf_of(vi, addr);
  alts->flying &= ~bits(buffer, 1);
  alts->used &= ~bits(buffer, 1);
  if (!(alts->last & bits(buffer, 1)))
    return;
  alt_due(alts, &alts->list[alts->owner[buffer]]);
  vi->counters.tx_alternatives++;
}

void efvi_alt_poll(struct efvi_vi *vi)
{
  struct efvi_alternatives *alts = vi->alternatives;
  shunt_buf bufs[EFVI_BURST];
  unsigned n;
  while ((alts->flying || vi->tx_done != vi->tx_sent) &&
         (n = shunt_tx_poll(vi->queue, bufs, EFVI_BURST)) > 0)
    for (unsigned i = 0; i < n; i++)
      alt_completed(vi, bufs[i]);
  /* A packet of an alternative is done as a descriptor when those before it are. */
  for (; vi->tx_done != vi->tx_sent; vi->tx_done++) {
    if (vi->tx_slots[vi->tx_done & vi->user->vi_txq.mask].alt)
      continue;
    if (!alts->done)
      break;
    alts->done--;
  }
  bool posted = false;
  for (unsigned i = 0; i < alts->count; i++) { /* what found the device's ring full */
    if (alts->list[i].state != EFVI_ALT_GO || !alts->list[i].ready)
      continue;
    alt_post(vi, &alts->list[i]);
    posted = true;
  }
  if (posted)
    shunt_tx_push(vi->queue);
}

int efvi_alt_events(struct efvi_vi *vi, uint8_t q_id, ef_event events[], int n)
{
  struct efvi_alternatives *alts = vi->alternatives;
  int made = 0;
  for (unsigned i = 0; i < alts->count && alts->due; i++)
    for (; made < n && alts->list[i].due; made++) {
      alts->list[i].due--;
      alts->due--;
      events[made].tx_alt.type = EF_EVENT_TYPE_TX_ALT;
      events[made].tx_alt.q_id = q_id;
      events[made].tx_alt.alt_id = (uint16_t)i;
    }
  return made;
}

void efvi_alt_flush(struct efvi_vi *vi)
{
  struct efvi_alternatives *alts = vi->alternatives;
  if (!alts)
    return;
  for (unsigned i = 0; i < alts->count; i++) {
    alts->list[i].ready = alts->list[i].due = 0;
    alts->list[i].state = EFVI_ALT_STOP;
  }
  alts->due = 0;
  alts->used = alts->flying;
  alts->selected = -1;
}
