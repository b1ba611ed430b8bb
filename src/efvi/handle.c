/* SPDX-License-Identifier: BSD-2-Clause */
/* Driver handles: an epoll instance each, that devices' queues are put into when they are primed.
 * What was made with one ends with it, as what is left of a process does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "src/efvi/checked.h"

struct handle {
  struct handle *next;
  int fd;
};

static struct handle *handles;

static struct handle **handle_find(ef_driver_handle fd)
{
  struct handle **at = &handles;
  while (*at && (*at)->fd != fd)
    at = &(*at)->next;
  return at;
}

bool efvi_handle_known(ef_driver_handle fd)
{
  return *handle_find(fd) != NULL;
}

int ef_driver_open(ef_driver_handle *dh_out)
{
  if (!dh_out)
    return efvi_refuse(-EINVAL, "no place for the driver handle");
  struct handle *handle = malloc(sizeof(*handle));
  if (!handle)
    return efvi_refuse(-ENOMEM, "no memory for a driver handle");
  handle->fd = epoll_create1(EPOLL_CLOEXEC);
  if (handle->fd < 0) {
    int code = -errno;
    free(handle);
    return efvi_refuse(code, "can't open a driver handle: %s", strerrordesc_np(-code));
  }
  efvi_lock();
  handle->next = handles;
  handles = handle;
  efvi_unlock();
  *dh_out = handle->fd;
  return 0;
}

/* --- What ends with it --------------------------------------------------------------------------
 */

/* A program that never freed its interface may have used the structure's memory for something else
 * by now, or unmapped it. */
static bool is_in_place(const struct efvi_vi *vi)
{
  const ef_vi *user = vi->user;
  return user == vi->copy ||
         (efvi_memory_fetch(user, sizeof(*user)) == 0 && user->inited == EFVI_INITED &&
          user->shunt == vi && user->ep_state == &vi->state);
}

/* Go on with the copy of the structure, as it was at first, where that is gone. */
static void vi_find(struct efvi_vi *vi)
{
  ef_vi *gone = vi->user;
  if (is_in_place(vi))
    return;
  vi->user = vi->copy;
  vi->user->evq_vi = vi->evq->user;
  for (int q = 0; q < vi->user->evq_vi->vi_qs_n; q++)
    if (vi->user->evq_vi->vi_qs[q] == gone)
      vi->user->evq_vi->vi_qs[q] = vi->user;
}

/* The next interface to end: those that use another's event queue come before that. */
static struct efvi_vi *vi_next(ef_driver_handle handle)
{
  for (struct efvi_device *device = efvi_state()->devices; device; device = device->next)
    for (unsigned i = 0; i < EFVI_QUEUES; i++) {
      struct efvi_vi *vi = device->queues[i].owner;
      if (vi && !vi->users && (vi->handle == handle || vi->evq->handle == handle))
        return vi;
    }
  return NULL;
}

/* While it sends what it has, others may need the lock. */
static int vi_end(struct efvi_vi *vi)
{
  ef_vi *user = vi->user;
  const bool in_place = user != vi->copy;
  const int result = ef_vi_free(user, vi->handle);
  if (!result && in_place)
    user->inited = EFVI_ENDED;
  return result;
}

/* Take the handle from the table, and with it what holds nothing back. Lock held. */
static struct handle *handle_take(ef_driver_handle dh)
{
  struct handle **at = handle_find(dh), *handle = *at;
  if (!handle)
    return NULL;
  *at = handle->next;
  efvi_pios_end(dh);
  efvi_sets_drop(dh);
  efvi_memregs_end(dh);
  efvi_pds_drop(dh);
  return handle;
}

int ef_driver_close(ef_driver_handle dh)
{
  int result = 0;
  struct efvi_vi *vi;
  EFVI_ENTER(NULL, "ef_driver_close", -EBUSY);
  efvi_lock();
  while (!result && efvi_handle_known(dh) && (vi = vi_next(dh))) {
    vi_find(vi->evq);
    vi_find(vi);
    vi->user->evq_vi = vi->evq->user; /* the copy's, where that took its place */
    efvi_unlock();
    result = vi_end(vi);
    efvi_lock();
  }
  struct handle *handle = result ? NULL : handle_take(dh);
  efvi_unlock();
  if (result)
    return result;
  if (!handle)
    return efvi_refuse(-EBADF, "%d is no driver handle", dh);
  close(handle->fd);
  free(handle);
  return 0;
}
