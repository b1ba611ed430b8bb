/* SPDX-License-Identifier: BSD-2-Clause */
/* Time stamps as UTC. The kernel stamps frames by clocks that run along with UTC at one distance,
 * which changes only where somebody sets the time. So the distance is measured once and kept: two
 * clocks that were read for each stamp would be as far apart as what came between the readings,
 * other each time. */
#include <errno.h>
#include <time.h>

#include "src/efvi/path.h"

#define SECOND_NS  UINT64_C(1000000000)
#define LOOKS      8u        /* at both clocks: the quickest counts */
#define LOOKS_MOST 100u      /* while none was quick */
#define LOOK_NS    SECOND_NS /* between one comparison and the next */
#define GOOD_NS    1000u     /* an error that a better measurement is no reason to jump for */

static uint64_t read_kernel_ns(int id)
{
  struct timespec now;
  clock_gettime((clockid_t)id, &now);
  return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* UTC was read somewhere between two readings of the clock: half of what lies between them is the
 * most that can be wrong. */
static void compare(const struct efvi_clock *clock, uint64_t *ahead_ns, uint64_t *error_ns,
                    uint64_t *at_ns)
{
  *error_ns = UINT64_MAX;
  for (unsigned i = 0; i < LOOKS || (*error_ns > GOOD_NS && i < LOOKS_MOST); i++) {
    const uint64_t before_ns = clock->read_ns(clock->id), utc_ns = clock->read_ns(CLOCK_REALTIME);
    const uint64_t between_ns = clock->read_ns(clock->id) - before_ns;
    *at_ns = before_ns + between_ns;
    if (between_ns / 2 + 1 >= *error_ns)
      continue;
    *ahead_ns = utc_ns - (before_ns + between_ns / 2);
    *error_ns = between_ns / 2 + 1;
  }
}

/* Two measurements that can both be right are of one distance, and the first one holds. */
static void look_again(struct efvi_clock *clock)
{
  const uint64_t had_ns = __atomic_load_n(&clock->ahead_ns, __ATOMIC_RELAXED);
  const uint64_t had_error_ns = __atomic_load_n(&clock->error_ns, __ATOMIC_RELAXED);
  uint64_t ahead_ns, error_ns, at_ns;
  compare(clock, &ahead_ns, &error_ns, &at_ns);
  const int64_t apart_ns = (int64_t)(ahead_ns - had_ns);
  const uint64_t distance_ns = (uint64_t)(apart_ns < 0 ? -apart_ns : apart_ns);
  __atomic_store_n(&clock->next_look_ns, at_ns + LOOK_NS, __ATOMIC_RELAXED);
  const bool better = had_error_ns > GOOD_NS && error_ns < had_error_ns / 2;
  if (distance_ns <= error_ns + had_error_ns && !better)
    return;
  __atomic_store_n(&clock->ahead_ns, ahead_ns, __ATOMIC_RELAXED);
  __atomic_store_n(&clock->error_ns, error_ns, __ATOMIC_RELAXED);
}

void efvi_clock_start(struct efvi_clock *clock, int id, uint64_t (*read_ns)(int id))
{
  uint64_t at_ns;
  *clock = (struct efvi_clock){.id = id, .read_ns = read_ns ? read_ns : read_kernel_ns};
  if (id == EFVI_CLOCK_DEVICE)
    return;
  compare(clock, &clock->ahead_ns, &clock->error_ns, &at_ns);
  clock->next_look_ns = at_ns + LOOK_NS;
}

uint64_t efvi_stamp_ns(const struct efvi_device *device, const struct shunt_frame *frame)
{
  if (frame->flags & SHUNT_FRAME_TIME)
    return device->is_xdp ? frame->time_ns : frame->time_ns | EFVI_STAMP_DEVICE;
  if (device->is_xdp || !device->stamps_received)
    return 0;
  return device->rx_clock.read_ns(device->rx_clock.id);
}

/* A device's clock says what it was set to, which nobody here knows. */
int efvi_time_of(struct efvi_clock *clock, uint64_t time_ns, ef_precisetime *time)
{
  *time = (ef_precisetime){0};
  if (!time_ns)
    return efvi_refuse(-ENODATA, "the device stamped no time on this packet");
  if (time_ns & EFVI_STAMP_DEVICE) {
    time_ns &= ~EFVI_STAMP_DEVICE;
  } else if (clock->id != EFVI_CLOCK_DEVICE) {
    if (time_ns >= __atomic_load_n(&clock->next_look_ns, __ATOMIC_RELAXED))
      look_again(clock);
    time_ns += __atomic_load_n(&clock->ahead_ns, __ATOMIC_RELAXED);
    time->tv_flags = EF_VI_SYNC_FLAG_CLOCK_SET;
  }
  time->tv_sec = (int64_t)(time_ns / SECOND_NS);
  time->tv_nsec = (uint32_t)(time_ns % SECOND_NS);
  return 0;
}
