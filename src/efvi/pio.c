/* SPDX-License-Identifier: BSD-2-Clause */
/* PIO and CTPIO: packets that the processor writes to the card. No device here has memory for them;
 * so a packet is written straight into a buffer of the ring and its doorbell rung, which is what
 * the call is for: the packet is on its way when it returns. Capabilities say that the device has
 * neither (EF_VI_CAP_PIO, EF_VI_CAP_CTPIO), and events that no packet went by CTPIO: a program that
 * chooses its path by them takes the ordinary one, which is the fastest here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/efvi/checked.h"

/* --- PIO regions --------------------------------------------------------------------------------
 */

/* Lock held. */
static struct efvi_pio **pio_find(const ef_pio *pio)
{
  struct efvi_pio **at = &efvi_state()->pios;
  while (*at && (*at)->user != pio)
    at = &(*at)->next;
  return at;
}

int ef_pio_alloc(ef_pio *pio, ef_driver_handle pio_dh, struct ef_pd *pd, unsigned len_hint,
                 ef_driver_handle pd_dh)
{
  const unsigned len = len_hint < EFVI_PIO_BYTES ? len_hint : EFVI_PIO_BYTES;
  int result = 0;
  if (!pio || len == 0)
    return efvi_refuse(-EINVAL, "no place for a PIO region, or one of no bytes");
  struct efvi_pio *own = calloc(1, sizeof(*own));
  uint8_t *buffer = calloc(1, EFVI_PIO_BYTES);
  efvi_lock();
  if (!own || !buffer)
    result = efvi_refuse(-ENOMEM, "no memory for a PIO region");
  else if (!efvi_handle_known(pio_dh) || !efvi_handle_known(pd_dh))
    result = efvi_refuse(-EBADF, "%d or %d is no driver handle", pio_dh, pd_dh);
  else if (!efvi_pd_of(pd))
    result = efvi_refuse(-EINVAL, "this is no protection domain");
  else if (*pio_find(pio))
    result = efvi_refuse(-EINVAL, "the PIO region was made already");
  if (!result) {
    *pio =
        (ef_pio){.pio_buffer = buffer, .pio_resource_id = ++efvi_state()->next_id, .pio_len = len};
    own->user = pio;
    own->buffer = buffer;
    own->handle = pio_dh;
    own->next = efvi_state()->pios;
    efvi_state()->pios = own;
  }
  efvi_unlock();
  if (result) {
    free(buffer);
    free(own);
  }
  return result;
}

int ef_pio_free(ef_pio *pio, ef_driver_handle pio_dh)
{
  (void)pio_dh;
  efvi_lock();
  struct efvi_pio **at = pio_find(pio), *own = *at;
  const bool ended = !own && pio && !pio->pio_buffer && efvi_id_was(pio->pio_resource_id);
  int result = 0;
  if (!own && !ended)
    result = efvi_refuse(-EINVAL, "this is no PIO region");
  else if (own && own->vi)
    result = efvi_refuse(-EBUSY, "the PIO region is linked to an interface");
  else
    *pio = (ef_pio){0};
  if (own && !result) {
    *at = own->next;
    free(own->buffer);
    free(own);
  }
  efvi_unlock();
  return result;
}

int ef_pio_link_vi(ef_pio *pio, ef_driver_handle pio_dh, struct ef_vi *vi, ef_driver_handle vi_dh)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  int result = 0;
  (void)pio_dh, (void)vi_dh;
  EFVI_ENTER(own, "ef_pio_link_vi", -EBUSY);
  efvi_lock();
  struct efvi_pio *region = *pio_find(pio);
  if (!own || !region)
    result = efvi_refuse(-EINVAL, "no PIO region, or no interface");
  else if (region->vi || vi->linked_pio)
    result = efvi_refuse(-EBUSY, "the PIO region or the interface is linked already");
  else {
    region->vi = own;
    pio->pio_io = pio->pio_buffer;
    vi->linked_pio = pio;
  }
  efvi_unlock();
  return result;
}

int ef_pio_unlink_vi(ef_pio *pio, ef_driver_handle pio_dh, struct ef_vi *vi, ef_driver_handle vi_dh)
{
  struct efvi_vi *own = efvi_vi_of(vi);
  int result = 0;
  (void)pio_dh, (void)vi_dh;
  EFVI_ENTER(own, "ef_pio_unlink_vi", -EBUSY);
  efvi_lock();
  struct efvi_pio *region = *pio_find(pio);
  if (!own || !region || region->vi != own)
    result = efvi_refuse(-EINVAL, "the PIO region is not linked to this interface");
  else
    efvi_pio_unlink(own);
  efvi_unlock();
  return result;
}

/* As of interfaces (handle.c): the structure may be gone without a word. */
static bool is_in_place(const struct efvi_pio *own)
{
  return efvi_memory_fetch(own->user, sizeof(*own->user)) == 0 &&
         own->user->pio_buffer == own->buffer;
}

void efvi_pio_unlink(struct efvi_vi *vi)
{
  for (struct efvi_pio *region = efvi_state()->pios; region; region = region->next) {
    if (region->vi != vi)
      continue;
    region->vi = NULL;
    if (is_in_place(region))
      region->user->pio_io = NULL;
    vi->user->linked_pio = NULL;
  }
}

/* An interface that is left has its region as long as it lives. */
void efvi_pios_end(ef_driver_handle handle)
{
  for (struct efvi_pio **at = &efvi_state()->pios, *own; (own = *at);) {
    if (own->handle != handle || own->vi) {
      own->handle = own->handle == handle ? -1 : own->handle;
      at = &own->next;
      continue;
    }
    *at = own->next;
    if (is_in_place(own))
      *own->user = (ef_pio){.pio_resource_id = own->user->pio_resource_id};
    free(own->buffer);
    free(own);
  }
}

int ef_vi_get_pio_size(ef_vi *vi)
{
  EFVI_ENTER(efvi_vi_of(vi), "ef_vi_get_pio_size", -EBUSY);
  if (!efvi_vi_of(vi) || !vi->linked_pio)
    return efvi_refuse(-EINVAL, "no interface, or none that a PIO region is linked to");
  return (int)vi->linked_pio->pio_len;
}

/* Whether the interface's region has these bytes. */
static int pio_check(const ef_vi *vi, int offset, int len)
{
  if (!vi->linked_pio)
    return efvi_refuse(-EINVAL, "no PIO region is linked to the interface");
  const unsigned most = vi->linked_pio->pio_len;
  if (offset < 0 || len < 0 || (unsigned)offset > most || (unsigned)len > most - (unsigned)offset)
    return efvi_refuse(-EINVAL, "%d bytes at %d of a PIO region of %u", len, offset, most);
  return 0;
}

int ef_pio_memcpy(ef_vi *vi, const void *base, int offset, int len)
{
  EFVI_ENTER(efvi_vi_of(vi), "ef_pio_memcpy", -EBUSY);
  if (!efvi_vi_of(vi) || !base)
    return efvi_refuse(-EINVAL, "no interface, or nothing to copy");
  int result = pio_check(vi, offset, len);
  if (!result)
    memcpy(vi->linked_pio->pio_buffer + offset, base, (size_t)len);
  return result;
}

/* --- PIO sends ----------------------------------------------------------------------------------
 */

static int check_aligned(const ef_vi *vi, int offset, int len)
{
  if (offset & 63)
    return efvi_refuse(-EINVAL, "a packet at %d of a PIO region: a multiple of 64", offset);
  return pio_check(vi, offset, len);
}

int efvi_transmit_pio(ef_vi *user, int offset, int len, ef_request_id id)
{
  int result = check_aligned(user, offset, len);
  if (result)
    return result;
  struct iovec piece = {.iov_base = user->linked_pio->pio_buffer + offset, .iov_len = (size_t)len};
  return efvi_transmit_copy(efvi_own(user), &piece, 1, (uint64_t)len, false, id);
}

int efvi_transmit_copy_pio(ef_vi *user, int offset, const void *data, int len, ef_request_id id)
{
  int result = check_aligned(user, offset, len);
  if (!result && !data)
    result = efvi_refuse(-EINVAL, "no packet");
  if (result)
    return result;
  memcpy(user->linked_pio->pio_buffer + offset, data, (size_t)len);
  return efvi_transmit_pio(user, offset, len, id);
}

/* These warm up for themselves alone: who did so around them goes on. */
static bool warm_begin(ef_vi *user)
{
  const bool warm = efvi_own(user)->tx_warm;
  if (!warm)
    efvi_start_transmit_warm(user, NULL, NULL);
  return !warm;
}

void efvi_transmit_pio_warm(ef_vi *user)
{
  const bool begun = warm_begin(user);
  (void)efvi_transmit_pio(user, 0, EFVI_FRAME_LEAST, 0);
  if (begun)
    efvi_stop_transmit_warm(user, NULL);
}

void efvi_transmit_copy_pio_warm(ef_vi *user, int offset, const void *data, int len)
{
  const bool begun = warm_begin(user);
  (void)efvi_transmit_copy_pio(user, offset, data, len, 0);
  if (begun)
    efvi_stop_transmit_warm(user, NULL);
}

/* --- CTPIO --------------------------------------------------------------------------------------
 */

/* The packet goes at once, as it is: no checksums, past what is selected of alternatives. Its id
 * comes with the fallback, which is sent itself where this found no room. A packet whose fallback
 * never comes keeps those behind it from being told of, so a second one is not sent. */
void efvi_transmitv_ctpio(ef_vi *user, size_t bytes, const struct iovec *iov, int iov_len,
                          unsigned threshold)
{
  struct efvi_vi *vi = efvi_own(user);
  (void)threshold; /* a buffer is sent when it is whole */
  user->last_ctpio_failed = 1;
  if (!iov || iov_len < 1) {
    efvi_keep(-EINVAL, "a packet of %d pieces", iov_len);
    return;
  }
  const uint32_t before = vi->state.txq.added;
  if (vi->ctpio_open ||
      efvi_transmit_copy(vi, iov, iov_len, bytes, true, (ef_request_id)EF_REQUEST_ID_MASK) != 0)
    return;
  vi->ctpio_open = vi->state.txq.added != before; /* not while warming */
  vi->ctpio_slot = vi->state.txq.added - 1;
  user->last_ctpio_failed = 0;
}

void efvi_transmitv_ctpio_copy(ef_vi *user, size_t bytes, const struct iovec *iov, int iov_len,
                               unsigned threshold, void *fallback)
{
  uint8_t *to = fallback;
  efvi_transmitv_ctpio(user, bytes, iov, iov_len, threshold);
  for (int i = 0; fallback && iov && i < iov_len && bytes; i++) {
    const size_t part = iov[i].iov_len < bytes ? iov[i].iov_len : bytes;
    if (part)
      memcpy(to, iov[i].iov_base, part);
    to += part;
    bytes -= part;
  }
}

/* Whether the packet is on its way, and needs its id alone. */
static bool ctpio_close(struct efvi_vi *vi, ef_request_id id)
{
  if (!vi->ctpio_open)
    return false;
  vi->user->vi_txq.ids[vi->ctpio_slot & vi->user->vi_txq.mask] = (uint32_t)id;
  vi->ctpio_open = false;
  return true;
}

int efvi_transmit_ctpio_fallback(ef_vi *user, ef_addr addr, size_t len, ef_request_id id)
{
  if (len > INT32_MAX)
    return efvi_refuse(-EINVAL, "a packet of %zu bytes", len);
  return ctpio_close(efvi_own(user), id) ? 0 : efvi_transmit(user, addr, (int)len, id);
}

int efvi_transmitv_ctpio_fallback(ef_vi *user, const ef_iovec *iov, int iov_len, ef_request_id id)
{
  return ctpio_close(efvi_own(user), id) ? 0 : efvi_transmitv(user, iov, iov_len, id);
}
