/* SPDX-License-Identifier: BSD-2-Clause */
/* Every function of ef_vi with what is wrong: nothing, what was never made, what was freed, closed
 * handles, sizes, alignments and ids that can't be. Each has an error, and touches nothing. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/time.h>

#include "efvi_rig.h"

#define BAD(call, wanted)                                                                          \
  do {                                                                                             \
    shunt_error_keep(&(struct shunt_error){0});                                                    \
    const long long got_ = (long long)(call);                                                      \
    const int kept_ = shunt_last_error()->code;                                                    \
    if (got_ != (wanted) || kept_ != (wanted))                                                     \
      fail_msg("%s: %lld, and %d in shunt_last_error(), not %d", #call, got_, kept_, (wanted));    \
  } while (0)

/* A handle that was closed, and an interface that was freed. */
struct gone {
  ef_driver_handle handle;
  ef_vi vi;
};

static void gone_make(struct rig *rig, struct gone *gone)
{
  memset(gone, 0, sizeof(*gone));
  assert_int_equal(ef_driver_open(&gone->handle), 0);
  assert_int_equal(ef_vi_alloc_from_pd(&gone->vi, rig->handle, &rig->pd, rig->handle, -1, 63, 63,
                                       NULL, -1, EF_VI_FLAGS_DEFAULT),
                   0);
  assert_int_equal(ef_vi_free(&gone->vi, rig->handle), 0);
  assert_int_equal(ef_driver_close(gone->handle), 0);
}

static void handles_and_domains(void **state)
{
  struct rig *rig = *state;
  struct gone gone;
  ef_pd pd = {0}, never = {0};
  unsigned long value;
  gone_make(rig, &gone);
  const ef_driver_handle dh = rig->handle;
  BAD(ef_driver_open(NULL), -EINVAL);
  BAD(ef_driver_close(gone.handle), -EBADF);
  BAD(ef_driver_close(INT_MIN), -EBADF);
  BAD(ef_pd_alloc(NULL, dh, 77, EF_PD_DEFAULT), -EINVAL);
  BAD(ef_pd_alloc(&pd, gone.handle, 77, EF_PD_DEFAULT), -EBADF);
  BAD(ef_pd_alloc(&pd, dh, INT_MIN, EF_PD_DEFAULT), -EINVAL);
  BAD(ef_pd_alloc(&pd, dh, INT_MAX, EF_PD_DEFAULT), -ENODEV);
  BAD(ef_pd_alloc_by_name(NULL, dh, "eth0", EF_PD_DEFAULT), -EINVAL);
  BAD(ef_pd_alloc_by_name(&pd, dh, NULL, EF_PD_DEFAULT), -EINVAL);
  BAD(ef_pd_alloc_by_name(&pd, dh, "", EF_PD_DEFAULT), -EINVAL);
  BAD(ef_pd_alloc_by_name(&pd, gone.handle, "eth0", EF_PD_DEFAULT), -EBADF);
  BAD(ef_pd_alloc_with_vport(NULL, dh, "eth0", EF_PD_DEFAULT, EF_PD_VLAN_NONE), -EINVAL);
  BAD(ef_pd_alloc_with_vport(&pd, dh, NULL, EF_PD_DEFAULT, EF_PD_VLAN_NONE), -EINVAL);
  BAD(ef_pd_free(NULL, dh), -EINVAL);
  BAD(ef_pd_free(&never, dh), -EINVAL);
  assert_null(ef_pd_interface_name(NULL));
  assert_null(ef_pd_interface_name(&never));
  BAD(ef_vi_capabilities_get(gone.handle, 77, EF_VI_CAP_PIO, &value), -EBADF);
  BAD(ef_vi_capabilities_get(dh, -1, EF_VI_CAP_PIO, &value), -EINVAL);
  BAD(ef_vi_capabilities_get(dh, 77, (enum ef_vi_capability)UINT_MAX, &value), -ENOSYS);
  BAD(ef_vi_capabilities_get(dh, 77, EF_VI_CAP_PIO, NULL), -EINVAL);
  BAD(ef_pd_capabilities_get(dh, &never, dh, EF_VI_CAP_PIO, &value), -EINVAL);
  BAD(ef_pd_capabilities_get(gone.handle, &rig->pd, dh, EF_VI_CAP_PIO, &value), -EBADF);
  assert_null(ef_vi_capabilities_name((enum ef_vi_capability)UINT_MAX));
}

static void memory(void **state)
{
  struct rig *rig = *state;
  struct gone gone;
  ef_memreg memreg = {0};
  ef_pd never = {0};
  gone_make(rig, &gone);
  const ef_driver_handle dh = rig->handle;
  BAD(ef_memreg_alloc(NULL, dh, &rig->pd, dh, rig->memory, 4096), -EINVAL);
  BAD(ef_memreg_alloc(&memreg, dh, &rig->pd, dh, NULL, 4096), -EINVAL);
  BAD(ef_memreg_alloc(&memreg, dh, &rig->pd, dh, rig->memory, 0), -EINVAL);
  for (unsigned offset = 1; offset < 4096; offset *= 2)
    BAD(ef_memreg_alloc(&memreg, dh, &rig->pd, dh, rig->memory + offset, 4096), -EINVAL);
  BAD(ef_memreg_alloc(&memreg, dh, &rig->pd, dh, rig->memory, SIZE_MAX), -EINVAL);
  uint8_t *hole = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_int_equal(munmap(hole + 4096, 4096), 0);
  assert_int_equal(mprotect(hole + 2 * 4096, 4096, PROT_READ), 0);
  BAD(ef_memreg_alloc(&memreg, dh, &rig->pd, dh, hole, 4097), -EFAULT);         /* there is none */
  BAD(ef_memreg_alloc(&memreg, dh, &rig->pd, dh, hole + 2 * 4096, 1), -EFAULT); /* not to write */
  assert_int_equal(ef_memreg_alloc(&memreg, dh, &rig->pd, dh, hole, 1), 0);
  assert_int_equal(ef_memreg_free(&memreg, dh), 0);
  munmap(hole, 4096);
  munmap(hole + 2 * 4096, 4096);
  BAD(ef_memreg_alloc(&memreg, dh, &never, dh, rig->memory, 4096), -EINVAL);
  BAD(ef_memreg_alloc(&memreg, gone.handle, &rig->pd, dh, rig->memory, 4096), -EBADF);
  BAD(ef_memreg_alloc(&memreg, dh, &rig->pd, gone.handle, rig->memory, 4096), -EBADF);
  BAD(ef_memreg_free(NULL, dh), -EINVAL);
  BAD(ef_memreg_free(&memreg, dh), -EINVAL);
}

static void interfaces(void **state)
{
  struct rig *rig = *state;
  struct gone gone;
  ef_vi vi = {0};
  ef_pd never = {0};
  uint8_t mac[6];
  gone_make(rig, &gone);
  const ef_driver_handle dh = rig->handle;
#define ALLOC(vi, dh1, pd, dh2, evq, rxq, txq, other, dh3)                                         \
  ef_vi_alloc_from_pd(vi, dh1, pd, dh2, evq, rxq, txq, other, dh3, EF_VI_FLAGS_DEFAULT)
  BAD(ALLOC(NULL, dh, &rig->pd, dh, -1, -1, -1, NULL, -1), -EINVAL);
  BAD(ALLOC(&vi, dh, NULL, dh, -1, -1, -1, NULL, -1), -EINVAL);
  BAD(ALLOC(&vi, dh, &never, dh, -1, -1, -1, NULL, -1), -EINVAL);
  BAD(ALLOC(&vi, gone.handle, &rig->pd, dh, -1, -1, -1, NULL, -1), -EBADF);
  BAD(ALLOC(&vi, dh, &rig->pd, gone.handle, -1, -1, -1, NULL, -1), -EBADF);
  BAD(ALLOC(&vi, dh, &rig->pd, dh, INT_MIN, -1, -1, NULL, -1), -EINVAL);
  BAD(ALLOC(&vi, dh, &rig->pd, dh, -1, INT_MAX, -1, NULL, -1), -EINVAL);
  BAD(ALLOC(&vi, dh, &rig->pd, dh, -1, -1, INT_MAX, NULL, -1), -EINVAL);
  BAD(ALLOC(&vi, dh, &rig->pd, dh, -1, -1, -1, &gone.vi, dh), -EINVAL);
  BAD(ALLOC(&vi, dh, &rig->pd, dh, -1, -1, -1, &vi, dh), -EINVAL);
  ef_vi *const wrong[] = {NULL, &vi, &gone.vi};
  for (unsigned i = 0; i < 3; i++) {
    BAD(ef_vi_free(wrong[i], dh), -EINVAL);
    BAD(ef_vi_flush(wrong[i], dh), -EINVAL);
    BAD(ef_vi_get_mac(wrong[i], dh, mac), -EINVAL);
    BAD(ef_vi_prime(wrong[i], dh, 0), -EINVAL);
    BAD(ef_eventq_wait(wrong[i], dh, 0, NULL), -EINVAL);
    BAD(ef_eventq_capacity(wrong[i]), -EINVAL);
    BAD(ef_vi_pace(wrong[i], dh, 1), -EOPNOTSUPP);
    assert_int_equal(ef_vi_mtu(wrong[i], dh), 0);
    ef_vi_set_tx_push_threshold(wrong[i], 16);
  }
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  BAD(ALLOC(&rig->vi, dh, &rig->pd, dh, -1, -1, -1, NULL, -1), -EINVAL); /* it is one */
  BAD(ALLOC(&rig->vi, dh, &rig->pd, dh, -1, -1, -1, &rig->vi, dh), -EINVAL);
  BAD(ef_vi_get_mac(&rig->vi, dh, NULL), -EINVAL);
  BAD(ef_vi_prime(&rig->vi, gone.handle, 0), -EBADF);
  BAD(ef_eventq_wait(&rig->vi, gone.handle, 0, NULL), -EBADF);
  const struct timeval times[] = {{-1, 0}, {0, -1}, {0, 1000000}};
  for (unsigned i = 0; i < 3; i++)
    BAD(ef_eventq_wait(&rig->vi, dh, 0, &times[i]), -EINVAL);
  BAD(ef_eventq_put(ef_vi_resource_id(&rig->vi), gone.handle, 1), -EBADF);
  BAD(ef_eventq_put(UINT_MAX, dh, 1), -ENOENT);
  BAD(ef_eventq_put(ef_vi_resource_id(&rig->vi), dh, UINT_MAX), -EINVAL);
}

static void receive(void **state)
{
  struct rig *rig = *state;
  struct gone gone;
  ef_vi vi = {0};
  uint16_t bytes;
  ef_timespec time;
  ef_precisetime precise;
  unsigned flags;
  const ef_vi_layout_entry *layout;
  const ef_vi_stats_layout *stats;
  ef_request_id ids[EF_VI_RECEIVE_BATCH];
  int entries;
  gone_make(rig, &gone);
  ef_vi *const wrong[] = {NULL, &vi, &gone.vi};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  for (unsigned i = 0; i < 3; i++) {
    BAD(ef_vi_receive_post(wrong[i], rig_addr(rig, 0), 0), -EINVAL);
    BAD(ef_vi_receive_get_bytes(wrong[i], rig->memory, &bytes), -EINVAL);
    BAD(ef_vi_receive_get_timestamp(wrong[i], rig->memory, &time), -EINVAL);
    BAD(ef_vi_receive_get_timestamp_with_sync_flags(wrong[i], rig->memory, &time, &flags), -EINVAL);
    BAD(ef_vi_receive_query_layout(wrong[i], &layout, &entries), -EINVAL);
    BAD(ef_vi_stats_query_layout(wrong[i], &stats), -EINVAL);
    BAD(ef_vi_stats_query(wrong[i], rig->handle, rig->memory, 0), -EINVAL);
    assert_int_equal(ef_vi_receive_unbundle(wrong[i], rig->events, ids), 0);
  }
  rig_open(rig, EF_VI_RX_TIMESTAMPS, 0);
  BAD(ef_vi_receive_get_bytes(&rig->vi, NULL, &bytes), -EINVAL);
  BAD(ef_vi_receive_get_bytes(&rig->vi, rig->memory, NULL), -EINVAL);
  BAD(ef_vi_receive_get_timestamp(&rig->vi, NULL, &time), -EINVAL);
  BAD(ef_vi_receive_get_timestamp(&rig->vi, rig->memory, NULL), -EINVAL);
  BAD(ef_vi_receive_get_timestamp_with_sync_flags(&rig->vi, rig->memory, &time, NULL), -EINVAL);
#pragma GCC diagnostic pop
  BAD(ef_vi_receive_get_precise_timestamp(&rig->vi, NULL, &precise), -EINVAL);
  BAD(ef_vi_receive_get_precise_timestamp(&rig->vi, rig->memory, NULL), -EINVAL);
  BAD(ef_vi_receive_query_layout(&rig->vi, NULL, &entries), -EINVAL);
  BAD(ef_vi_receive_query_layout(&rig->vi, &layout, NULL), -EINVAL);
  BAD(ef_vi_stats_query_layout(&rig->vi, NULL), -EINVAL);
  BAD(ef_vi_stats_query(&rig->vi, rig->handle, NULL, 0), -EINVAL);
  BAD(ef_vi_receive_init(&rig->vi, 0, 0), -EFAULT);
  BAD(ef_vi_receive_init(&rig->vi, EF_INVALID_ADDR, 0), -EFAULT);
  BAD(ef_vi_receive_init(&rig->vi, (ef_addr)(uintptr_t)rig->memory, 0), -EFAULT); /* no DMA */
  BAD(ef_vi_receive_set_discards(&rig->vi, UINT_MAX), -EOPNOTSUPP);
  BAD(ef_eventq_poll(&rig->vi, NULL, 16), -EINVAL);
  BAD(ef_eventq_poll(&rig->vi, rig->events, INT_MIN), -EINVAL);
  BAD(ef_eventq_poll(&rig->vi, rig->events, EF_VI_EVENT_POLL_MIN_EVS - 1), -EINVAL);
  BAD(ef_receive_poll(&rig->vi, NULL, 16), -EINVAL);
  BAD(ef_receive_poll(&rig->vi, rig->events, 0), -EINVAL);
  assert_int_equal(ef_vi_receive_unbundle(&rig->vi, NULL, ids), 0);
  assert_int_equal(ef_vi_receive_fill_level(&rig->vi), 0);
}

static void transmit(void **state)
{
  struct rig *rig = *state;
  struct gone gone;
  ef_vi vi = {0};
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  ef_event none = {.generic.type = EF_EVENT_TYPE_TX};
  gone_make(rig, &gone);
  ef_vi *const wrong[] = {NULL, &vi, &gone.vi};
  for (unsigned i = 0; i < 3; i++) {
    BAD(ef_vi_transmit_init(wrong[i], rig_addr(rig, 0), 100, 0), -EINVAL);
    BAD(ef_vi_reinit_txq_post_error(wrong[i]), -EINVAL);
    assert_int_equal(ef_vi_transmit_unbundle(wrong[i], &none, ids), 0);
    ef_vi_transmit_init_undo(wrong[i]);
  }
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  const ef_addr at = rig_addr(rig, 0);
  const int lengths[] = {INT_MIN, -1, 0, 1, 16, 1519, 65536, INT_MAX};
  for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
    const int wanted =
        lengths[i] == INT_MAX ? -EFAULT : -EINVAL; /* it reaches outside the memory */
    BAD(ef_vi_transmit_init(&rig->vi, at, lengths[i], 0), wanted);
    BAD(ef_vi_transmit(&rig->vi, at, lengths[i], 0), wanted);
    const ef_iovec piece = {.iov_base = at, .iov_len = (unsigned)lengths[i]};
    const int result = ef_vi_transmitv(&rig->vi, &piece, 1, 0);
    assert_true(result == -EINVAL || result == -EFAULT);
  }
  const ef_iovec piece = {.iov_base = 64, .iov_len = 100};
  const ef_iovec huge[] = {{at, UINT_MAX}, {at, UINT_MAX}};
  BAD(ef_vi_transmitv(&rig->vi, NULL, 1, 0), -EINVAL);
  BAD(ef_vi_transmitv(&rig->vi, &piece, 0, 0), -EINVAL);
  BAD(ef_vi_transmitv(&rig->vi, &piece, INT_MIN, 0), -EINVAL);
  BAD(ef_vi_transmitv(&rig->vi, &piece, 1, 0), -EFAULT);
  assert_true(ef_vi_transmitv_init(&rig->vi, huge, 2, 0) < 0);
  BAD(ef_vi_transmit_init(&rig->vi, EF_INVALID_ADDR, 100, 0), -EFAULT);
  BAD(ef_vi_transmit_init(&rig->vi, rig_addr(rig, RIG_BUFS - 1) + 1900, 100, 0), -EFAULT);
  BAD(ef_vi_transmit_ctpio_fallback(&rig->vi, at, SIZE_MAX, 0), -EINVAL);
  BAD(ef_vi_transmitv_ctpio_fallback(&rig->vi, NULL, 1, 0), -EINVAL);
  assert_int_equal(ef_vi_transmit_unbundle(&rig->vi, NULL, ids), 0);
  assert_int_equal(ef_vi_transmit_unbundle(&rig->vi, &none, NULL), 0);
  for (unsigned id = 0; id < 0x10000; id += 0x555) { /* an event that never was */
    none.tx.desc_id = (uint16_t)id;
    assert_int_equal(ef_vi_transmit_unbundle(&rig->vi, &none, ids), 0);
  }
  assert_int_equal(ef_vi_transmit_fill_level(&rig->vi), 0);
}

static void pio_and_alternatives(void **state)
{
  struct rig *rig = *state;
  struct gone gone;
  ef_vi vi = {0};
  ef_pio pio = {0}, never = {0};
  struct ef_vi_transmit_alt_overhead overhead;
  gone_make(rig, &gone);
  const ef_driver_handle dh = rig->handle;
  ef_vi *const wrong[] = {NULL, &vi, &gone.vi};
  for (unsigned i = 0; i < 3; i++) {
    BAD(ef_vi_get_pio_size(wrong[i]), -EINVAL);
    BAD(ef_pio_memcpy(wrong[i], rig->memory, 0, 64), -EINVAL);
    BAD(ef_vi_transmit_alt_alloc(wrong[i], dh, 2, 4096), -EINVAL);
    BAD(ef_vi_transmit_alt_free(wrong[i], dh), -EINVAL);
    BAD(ef_vi_transmit_alt_query_overhead(wrong[i], &overhead), -EINVAL);
    BAD(ef_vi_transmit_alt_query_buffering(wrong[i], 77, dh, 2), -EINVAL);
    assert_int_equal(ef_vi_transmit_alt_num_ids(wrong[i]), 0);
  }
  BAD(ef_pio_alloc(NULL, dh, &rig->pd, 2048, dh), -EINVAL);
  BAD(ef_pio_alloc(&pio, dh, NULL, 2048, dh), -EINVAL);
  BAD(ef_pio_alloc(&pio, gone.handle, &rig->pd, 2048, dh), -EBADF);
  BAD(ef_pio_free(NULL, dh), -EINVAL);
  BAD(ef_pio_free(&never, dh), -EINVAL);
  rig_open(rig, EF_VI_TX_ALT, 0);
  BAD(ef_pio_link_vi(&never, dh, &rig->vi, dh), -EINVAL);
  BAD(ef_pio_unlink_vi(&never, dh, &rig->vi, dh), -EINVAL);
  BAD(ef_vi_transmit_pio(&rig->vi, 0, 64, 0), -EINVAL); /* none is linked */
  assert_int_equal(ef_pio_alloc(&pio, dh, &rig->pd, 2048, dh), 0);
  BAD(ef_pio_link_vi(&pio, dh, NULL, dh), -EINVAL);
  BAD(ef_pio_link_vi(&pio, dh, &gone.vi, dh), -EINVAL);
  assert_int_equal(ef_pio_link_vi(&pio, dh, &rig->vi, dh), 0);
  const int places[][2] = {{-64, 64},   {1, 64},      {63, 64},      {2048, 64},   {0, 2049},
                           {1984, 128}, {0, INT_MIN}, {INT_MIN, 64}, {64, INT_MAX}};
  for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
    BAD(ef_vi_transmit_pio(&rig->vi, places[i][0], places[i][1], 0), -EINVAL);
    BAD(ef_vi_transmit_copy_pio(&rig->vi, places[i][0], rig->memory, places[i][1], 0), -EINVAL);
    if (places[i][0] % 64 == 0) /* to copy to, any place inside will do */
      BAD(ef_pio_memcpy(&rig->vi, rig->memory, places[i][0], places[i][1]), -EINVAL);
  }
  BAD(ef_pio_free(&pio, dh), -EBUSY);
  assert_int_equal(ef_pio_unlink_vi(&pio, dh, &rig->vi, dh), 0);
  assert_int_equal(ef_pio_free(&pio, dh), 0);
  BAD(ef_vi_transmit_alt_select(&rig->vi, 0), -EINVAL); /* there are none yet */
  BAD(ef_vi_transmit_alt_alloc(&rig->vi, dh, 0, 4096), -EINVAL);
  BAD(ef_vi_transmit_alt_alloc(&rig->vi, dh, INT_MIN, 4096), -EINVAL);
  assert_int_equal(ef_vi_transmit_alt_alloc(&rig->vi, dh, 2, 8192), 0);
  BAD(ef_vi_transmit_alt_alloc(&rig->vi, dh, 2, 8192), -EALREADY);
  const unsigned alternatives[] = {2, 16, INT_MAX, UINT_MAX};
  for (unsigned i = 0; i < 4; i++) {
    BAD(ef_vi_transmit_alt_select(&rig->vi, alternatives[i]), -EINVAL);
    BAD(ef_vi_transmit_alt_go(&rig->vi, alternatives[i]), -EINVAL);
    BAD(ef_vi_transmit_alt_stop(&rig->vi, alternatives[i]), -EINVAL);
    BAD(ef_vi_transmit_alt_discard(&rig->vi, alternatives[i]), -EINVAL);
  }
}

static void filters_and_sets(void **state)
{
  struct rig *rig = *state;
  struct gone gone;
  ef_vi vi = {0};
  ef_vi_set set = {0};
  ef_filter_spec spec;
  ef_filter_cookie cookie = {0};
  ef_filter_info info;
  gone_make(rig, &gone);
  const ef_driver_handle dh = rig->handle;
  ef_vi *const wrong[] = {NULL, &vi, &gone.vi};
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  for (unsigned i = 0; i < 3; i++) {
    BAD(ef_vi_filter_add(wrong[i], dh, &spec, &cookie), -EINVAL);
    BAD(ef_vi_filter_del(wrong[i], dh, &cookie), -EINVAL);
    BAD(ef_vi_filter_query(wrong[i], dh, &cookie, &info, sizeof(info)), -EINVAL);
  }
  BAD(ef_vi_set_alloc_from_pd(NULL, dh, &rig->pd, dh, 2), -EINVAL);
  BAD(ef_vi_set_alloc_from_pd(&set, dh, NULL, dh, 2), -EINVAL);
  BAD(ef_vi_set_alloc_from_pd(&set, gone.handle, &rig->pd, dh, 2), -EBADF);
  BAD(ef_vi_set_alloc_from_pd(&set, dh, &rig->pd, dh, 0), -EINVAL);
  BAD(ef_vi_set_alloc_from_pd(&set, dh, &rig->pd, dh, INT_MAX), -EINVAL);
  BAD(ef_vi_set_free(NULL, dh), -EINVAL);
  BAD(ef_vi_set_free(&set, dh), -EINVAL);
  BAD(ef_vi_set_filter_add(&set, dh, &spec, &cookie), -EINVAL);
  BAD(ef_vi_set_filter_del(&set, dh, &cookie), -EINVAL);
  BAD(ef_vi_alloc_from_set(&vi, dh, &set, dh, 0, -1, 63, 63, NULL, -1, EF_VI_FLAGS_DEFAULT),
      -EINVAL);
  BAD(ef_vi_alloc_from_set(&vi, dh, NULL, dh, 0, -1, 63, 63, NULL, -1, EF_VI_FLAGS_DEFAULT),
      -EINVAL);
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  BAD(ef_vi_filter_add(&rig->vi, dh, NULL, &cookie), -EINVAL);
  BAD(ef_vi_filter_add(&rig->vi, dh, &spec, &cookie), -EINVAL); /* it asks for nothing */
  BAD(ef_vi_filter_del(&rig->vi, dh, NULL), -EINVAL);
  BAD(ef_vi_filter_query(&rig->vi, dh, NULL, &info, sizeof(info)), -EINVAL);
  BAD(ef_vi_filter_query(&rig->vi, dh, &cookie, NULL, sizeof(info)), -EINVAL);
  BAD(ef_vi_filter_query(&rig->vi, dh, &cookie, &info, sizeof(info) - 1), -EINVAL);
  const int cookies[] = {INT_MIN, -1, 0, 31, 32, 64, INT_MAX};
  for (unsigned i = 0; i < sizeof(cookies) / sizeof(cookies[0]); i++) {
    cookie.filter_id = cookies[i];
    BAD(ef_vi_filter_del(&rig->vi, dh, &cookie), -ENOENT);
    BAD(ef_vi_filter_query(&rig->vi, dh, &cookie, &info, sizeof(info)), -ENOENT);
  }
  for (unsigned i = 0; i < EFVI_FILTERS; i++) {
    ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
    assert_int_equal(ef_filter_spec_set_eth_type(&spec, htons((uint16_t)(0x9000 + i))), 0);
    assert_int_equal(ef_vi_filter_add(&rig->vi, dh, &spec, NULL), 0);
  }
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_eth_type(&spec, htons(0x88B5)), 0);
  BAD(ef_vi_filter_add(&rig->vi, dh, &spec, NULL), -ENOSPC);
}

static void streams_and_express(void **state)
{
  struct rig *rig = *state;
  struct gone gone;
  ef_vi vi = {0};
  ef_packed_stream_params params;
  ef_packed_stream_packet *packet = (void *)rig->memory;
  int packets, bytes;
  gone_make(rig, &gone);
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  ef_vi *const wrong[] = {NULL, &vi, &gone.vi, &rig->vi}; /* the last is of another kind */
  for (unsigned i = 0; i < 4; i++) {
    BAD(ef_vi_packed_stream_get_params(wrong[i], &params), -EINVAL);
    BAD(ef_vi_packed_stream_unbundle(wrong[i], rig->events, &packet, &packets, &bytes), -EINVAL);
    const uint32_t ids[] = {0, 1, 0x7FFFFFFF, UINT32_MAX};
    for (unsigned k = 0; k < 4; k++) {
      assert_null(efct_vi_rxpkt_get(wrong[i], ids[k]));
      efct_vi_rxpkt_release(wrong[i], ids[k]);
    }
    assert_null(efct_vi_rx_future_peek(wrong[i]));
    assert_true(efct_vi_rx_future_poll(wrong[i], rig->events, 4) <= 0);
    efct_vi_start_transmit_warm(wrong[i]);
    efct_vi_stop_transmit_warm(wrong[i]);
  }
}

int main(void)
{
#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
  const struct CMUnitTest tests[] = {
      ON_RIG(handles_and_domains),
      ON_RIG(memory),
      ON_RIG(interfaces),
      ON_RIG(receive),
      ON_RIG(transmit),
      ON_RIG(pio_and_alternatives),
      ON_RIG(filters_and_sets),
      ON_RIG(streams_and_express),
  };
  return cmocka_run_group_tests_name("efvi_bad", tests, NULL, NULL);
}
