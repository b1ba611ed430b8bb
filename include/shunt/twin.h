/* SPDX-License-Identifier: BSD-2-Clause */
/* Twins: constructors of the devices in software. Most programs use shunt/testbed.h instead. */
#ifndef SHUNT_TWIN_H
#define SHUNT_TWIN_H

#include "shunt/base.h"
#include "shunt/error.h"
#include "shunt/ethernet.h"
#include "shunt/model.h"
#include "shunt/wire.h"

SHUNT_BEGIN_DECLS

enum shunt_twin_module {
  SHUNT_TWIN_MODULE_CU = 0, /* 1 m passive direct attach cable */
  SHUNT_TWIN_MODULE_SR,     /* 10GBASE-SR optics */
  SHUNT_TWIN_MODULE_NONE,   /* empty cage */
};

struct shunt_twin_ixgbe_options {
  size_t size;                   /* sizeof(struct shunt_twin_ixgbe_options) */
  uint16_t device_id;            /* 0x10FB (0: this), 0x10F9, 0x10FC */
  struct shunt_mac mac;          /* all zero: 02:00:00:82:59:90 */
  enum shunt_twin_module module; /* 10FB only */
  uint8_t trap;                  /* non-zero: no page of BAR 0 may be mapped */
  uint8_t cable_out;             /* non-zero: the end is cut from the start */
};

/* A software 82599 on a wire.
 *
 * wire    where it is plugged in, as an end named name; its poll comes with the wire's
 * model   destroyed by shunt_model_destroy, before the wire
 * Returns 0, -EINVAL, -ENOMEM (memfd, wire end) */
int shunt_twin_ixgbe_create(const struct shunt_twin_ixgbe_options *options, struct shunt_wire *wire,
                            const char *name, struct shunt_model **model,
                            struct shunt_error *error);

/* The end that the twin is plugged into. */
struct shunt_wire_end *shunt_twin_ixgbe_end(const struct shunt_model *model);

SHUNT_END_DECLS

#endif
