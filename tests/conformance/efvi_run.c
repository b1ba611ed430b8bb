/* SPDX-License-Identifier: BSD-2-Clause */
#include "conformance/efvi_run.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "shunt/clock.h"

#define DEADLINE_NS UINT64_C(10000000000)
#define AGAIN_NS    UINT64_C(20000000)

/* --- Writing down -------------------------------------------------------------------------------
 */

void quiet(void)
{
  shunt_error_keep(&(struct shunt_error){0});
}

/* Add a text, with the near device's name, which may have a process's number, replaced. */
static void why_add(const struct matrix_column *column, char why[MATRIX_WHY], const char *text)
{
  size_t used = strlen(why), bytes = strlen(column->near_name);
  while (*text && used + sizeof("the device") < MATRIX_WHY) {
    if (strncmp(text, column->near_name, bytes) == 0) {
      strcpy(why + used, "the device");
      used += strlen("the device");
      text += bytes;
    } else
      why[used++] = *text++;
    why[used] = '\0';
  }
}

/* An error's reason, without the place in this program that the checked build adds. */
static const char *reason_of(const struct shunt_error *error, char text[SHUNT_ERROR_TEXT_BYTES])
{
  char *place, *before;
  memcpy(text, error->why, SHUNT_ERROR_TEXT_BYTES);
  place = strstr(text, " was called at ");
  if (!place)
    return text;
  *place = '\0';
  before = strrchr(text, ';');
  *(before ? before : text) = '\0';
  return text;
}

void say(struct run *run, const char *name, const char *about, enum matrix_kind kind,
         long long result)
{
  struct matrix_column *column = run->column;
  const struct shunt_error *error = shunt_last_error();
  assert_true(column->n < MATRIX_CALLS);
  struct matrix_call *call = &column->calls[column->n++];
  *call = (struct matrix_call){.section = run->section, .kind = kind, .result = result};
  snprintf(call->name, sizeof(call->name), "%s%s%s", name, *about ? ", " : "", about);
  if (error->code && (result < 0 || kind != MATRIX_NUMBER)) {
    const char *reason = reason_of(error, (char[SHUNT_ERROR_TEXT_BYTES]){0});
    why_add(column, call->why, error->what);
    why_add(column, call->why, *reason ? ": " : "");
    why_add(column, call->why, reason);
  }
}

int say_number(struct run *run, const char *name, const char *about, long long result)
{
  say(run, name, about, MATRIX_NUMBER, result);
  return (int)result;
}

/* --- The other end, and time --------------------------------------------------------------------
 */

ef_addr address(struct end *end, unsigned buffer)
{
  return ef_memreg_dma_addr(&end->memreg, (size_t)buffer * BUF_BYTES);
}

uint8_t *data(struct run *run, unsigned buffer)
{
  return run->memory + (size_t)buffer * BUF_BYTES;
}

void build(struct run *run, unsigned buffer, const struct end *from, const struct end *to)
{
  uint8_t *frame = data(run, buffer);
  memset(frame, (int)buffer, FRAME_BYTES);
  memcpy(frame, to->mac, 6);
  memcpy(frame + 6, from->mac, 6);
  frame[12] = ETHERTYPE >> 8;
  frame[13] = ETHERTYPE & 0xFF;
}

/* Take an end's events until one is of that type or time is up. */
static bool found_until(struct run *run, ef_vi *vi, unsigned type, uint64_t end_ns)
{
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  ef_event events[EVENTS];
  while (shunt_monotonic_ns() < end_ns) {
    const int n = ef_eventq_poll(vi, events, EF_VI_EVENT_POLL_MIN_EVS);
    int found = -1;
    for (int i = 0; i < n; i++) {
      if (EF_EVENT_TYPE(events[i]) == EF_EVENT_TYPE_TX && type != EF_EVENT_TYPE_TX)
        ef_vi_transmit_unbundle(vi, &events[i], ids);
      if (EF_EVENT_TYPE(events[i]) == type && found < 0)
        found = i;
    }
    if (found >= 0) {
      run->events[0] = events[found];
      return true;
    }
  }
  return false;
}

void await(struct run *run, ef_vi *vi, unsigned type)
{
  if (!found_until(run, vi, type, shunt_monotonic_ns() + DEADLINE_NS))
    fail_msg("%s: no event of type %u has come behind %s", run->column->label, type,
             run->column->calls[run->column->n - 1].name);
}

void await_some(struct run *run, ef_vi *vi)
{
  const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  while (!ef_eventq_has_event(vi))
    if (shunt_monotonic_ns() > end_ns)
      fail_msg("%s: no event has come", run->column->label);
}

void far_sends(struct run *run)
{
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  build(run, 60, &run->far, &run->near);
  assert_int_equal(ef_vi_transmit(&run->far.vi, address(&run->far, 60), FRAME_BYTES, 60), 0);
  await(run, &run->far.vi, EF_EVENT_TYPE_TX);
  assert_int_equal(ef_vi_transmit_unbundle(&run->far.vi, &run->events[0], ids), 1);
}

void far_sends_until(struct run *run, ef_vi *vi, unsigned type)
{
  const uint64_t end_ns = shunt_monotonic_ns() + DEADLINE_NS;
  do {
    if (shunt_monotonic_ns() > end_ns)
      fail_msg("%s: no frame has come behind %s", run->column->label,
               run->column->calls[run->column->n - 1].name);
    far_sends(run);
  } while (!found_until(run, vi, type, shunt_monotonic_ns() + AGAIN_NS));
}

void near_has_sent(struct run *run, ef_vi *vi, int packets)
{
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  while (packets > 0) {
    await(run, vi, EF_EVENT_TYPE_TX);
    packets -= ef_vi_transmit_unbundle(vi, &run->events[0], ids);
  }
}

int open_interface(struct end *end, ef_vi *vi, ef_pd *pd, uint64_t flags)
{
  const int result = ef_vi_alloc_from_pd(vi, end->handle, pd, end->handle, -1, 63, 63, NULL, -1,
                                         (enum ef_vi_flags)flags);
  if (result >= 0) /* a twin that is opened anew has another */
    assert_int_equal(ef_vi_get_mac(vi, end->handle, end->mac), 0);
  return result;
}

void listen_to(struct end *end, ef_vi *vi)
{
  ef_filter_spec spec;
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  ef_filter_spec_set_eth_type(&spec, htons(ETHERTYPE));
  assert_int_equal(ef_vi_filter_add(vi, end->handle, &spec, NULL), 0);
}
