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

struct shunt_twin_efa_options {
  size_t size;            /* sizeof(struct shunt_twin_efa_options) */
  uint16_t device_id;     /* 0xEFA0, 0xEFA1 (RDMA read), 0xEFA2 (RDMA write too; 0: this) */
  struct shunt_mac mac;   /* all zero: 02:00:00:ef:a0:01; its GID is fe80:: and EUI-64 of it */
  uint32_t incarnation;   /* of two lives of a twin with this MAC, the later has the larger */
  uint64_t seed;          /* of the choice of paths */
  uint32_t paths;         /* that a message may take, 1..64; 0: 8 */
  uint32_t give_up_ms;    /* without an answer, a work request fails; 0: 4000 */
  uint32_t keep_alive_ms; /* between two keep-alive events; 0: none. Not given: 1000 */
  uint8_t reuse_qpn;      /* non-zero: a queue pair's number is given out again at once */
};

/* A software EFA on a wire, as shunt_twin_ixgbe_create. Two of them talk by scalable reliable
 * datagrams (docs/srd.md). */
int shunt_twin_efa_create(const struct shunt_twin_efa_options *options, struct shunt_wire *wire,
                          const char *name, struct shunt_model **model, struct shunt_error *error);
struct shunt_wire_end *shunt_twin_efa_end(const struct shunt_model *model);

SHUNT_END_DECLS

#endif
