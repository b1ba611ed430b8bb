/* SPDX-License-Identifier: BSD-2-Clause */
/* Two software EFAs with a queue pair each, for tests of what they send each other. */
#ifndef TESTS_UNIT_TWIN_EFA_PAIR_H
#define TESTS_UNIT_TWIN_EFA_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "twin_efa_rig.h"

#define MS    UINT64_C(1000000)
#define HERE  (RIG_DATA + 0x1000)
#define THERE (RIG_DATA + 0x81F00) /* its messages lie over the end of a page */

static struct rig rig;
static struct rig_device *const left = &rig.devices[0], *const right = &rig.devices[1];

static inline void fill(void)
{
  for (unsigned i = RIG_DATA; i < RIG_BYTES; i++)
    left->memory[i] = (uint8_t)(i * 7 + (i >> 9)), right->memory[i] = 0;
}

static inline int set_up(void **state)
{
  (void)state;
  rig_pair(&rig, 0, EFA_QP_SRD, 64);
  fill();
  return 0;
}

static inline int set_up_ud(void **state)
{
  (void)state;
  rig_pair(&rig, 0, EFA_QP_UD, 64);
  fill();
  return 0;
}

static inline int set_up_wide(void **state)
{
  (void)state;
  rig_pair(&rig, 0, EFA_QP_SRD, 128);
  fill();
  return 0;
}

static inline int set_up_efa0(void **state)
{
  (void)state;
  rig_pair(&rig, EFA_DEVICE_EFA0, EFA_QP_SRD, 64);
  fill();
  return 0;
}

static inline int tear_down(void **state)
{
  (void)state;
  rig_free(&rig);
  return 0;
}

static inline int ends(const struct efa_tx_wqe *wqe)
{
  rig_post_send(left, wqe, sizeof(*wqe));
  rig_run(&rig, 2000 * MS);
  return rig_sent(left);
}

static inline struct efa_cqe_wide received(struct rig_device *device)
{
  struct efa_cqe_wide cqe;
  assert_true(rig_next(device, RIG_RCQ, &device->received, &cqe));
  return cqe;
}

static inline uint64_t counter(const struct rig_device *device, const char *name)
{
  return shunt_model_counter(device->model, name);
}

#define CASE(name)         cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CASE_OF(set, name) cmocka_unit_test_setup_teardown(name, set, tear_down)

#endif
