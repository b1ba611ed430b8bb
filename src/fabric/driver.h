/* SPDX-License-Identifier: BSD-2-Clause */
/* What a driver of endpoints implements: an object that begins with struct shunt_fabric, and the
 * operations below. fabric.c resolves names, completes options, checks what is wrong for every
 * device, and keeps account of who stands on whom; a driver sees only what is left. */
#ifndef SRC_FABRIC_DRIVER_H
#define SRC_FABRIC_DRIVER_H

#include <stdbool.h>

#include "shunt/fabric.h"
#include "src/core/params.h"

enum fabric_kind { FABRIC_PD, FABRIC_MR, FABRIC_AH, FABRIC_CQ, FABRIC_QP };

#define FABRIC_STANDS_ON 3 /* a queue pair: its domain and two completion queues */

/* What each object of a driver has. Filled by fabric_object_add. */
struct fabric_object {
  struct shunt_fabric *fabric;
  struct fabric_object *newer, *older; /* all that the fabric has */
  struct fabric_object *stands_on[FABRIC_STANDS_ON];
  enum fabric_kind kind;
  unsigned users; /* objects that stand on it */
  bool dead;      /* the device was reset: it knows nothing of it any more */
};

struct shunt_fabric_pd {
  struct fabric_object object; /* first: the two are converted by a cast, here and below */
  uint16_t number;
};
struct shunt_fabric_mr {
  struct fabric_object object;
  void *base;
  uint32_t lkey, rkey;
};
struct shunt_fabric_ah {
  struct fabric_object object;
  uint16_t number;
};

struct fabric_ops {
  /* Quiets the device; the objects are still there. */
  void (*stop)(struct shunt_fabric *fabric);
  /* Takes a fabric in any state that open can leave behind; the objects are gone. */
  void (*close)(struct shunt_fabric *fabric);
  void (*info)(const struct shunt_fabric *fabric, struct shunt_fabric_info *info);
  int (*statistics)(struct shunt_fabric *fabric, struct shunt_statistic statistics[], unsigned n,
                    unsigned *count, struct shunt_error *error);
  unsigned (*step)(struct shunt_fabric *fabric);
  int (*check)(struct shunt_fabric *fabric, struct shunt_error *error);
  /* The objects are marked dead already. */
  int (*reset)(struct shunt_fabric *fabric, struct shunt_error *error);

  int (*pd_create)(struct shunt_fabric *fabric, struct shunt_fabric_pd **pd,
                   struct shunt_error *error);
  int (*mr_register)(struct shunt_fabric_pd *pd, struct shunt_region *region, uint64_t offset,
                     uint64_t bytes, unsigned access, uint64_t page_bytes,
                     struct shunt_fabric_mr **mr, struct shunt_error *error);
  int (*ah_create)(struct shunt_fabric_pd *pd, const struct shunt_gid *gid,
                   struct shunt_fabric_ah **ah, struct shunt_error *error);
  int (*cq_create)(struct shunt_fabric *fabric, const struct shunt_fabric_cq_options *options,
                   struct shunt_fabric_cq **cq, struct shunt_error *error);
  int (*cq_fd)(const struct shunt_fabric_cq *cq);
  void (*cq_arm)(struct shunt_fabric_cq *cq);
  int (*qp_create)(struct shunt_fabric_pd *pd, const struct shunt_fabric_qp_options *options,
                   struct shunt_fabric_qp **qp, struct shunt_error *error);
  int (*qp_stop)(struct shunt_fabric_qp *qp, struct shunt_error *error);
  /* Tell the device, unless it is dead, and release. Nothing stands on it. */
  int (*destroy)(struct fabric_object *object, struct shunt_error *error);
};

/* Head of every driver's fabric. ops is the driver's; the rest belongs to fabric.c. */
struct shunt_fabric {
  const struct fabric_ops *ops;
  struct shunt_fabric_options options; /* complete, but for what only the device knows */
  char name[192];
  bool steps; /* behind it is software of this process; the driver's */
  struct fabric_object *newest;
};

struct fabric_driver {
  const char *name;
  /* 0, or -ENODEV with the reason where these are a relative of its devices. */
  int (*knows)(uint16_t vendor, uint16_t device, struct shunt_error *error);
  int (*open)(const char *location, const struct shunt_fabric_options *options,
              struct params *params, struct shunt_fabric **fabric, struct shunt_error *error);
};

extern const struct fabric_driver efa_driver;

/* The keys that fabric.c takes, for error texts. */
extern const char fabric_option_keys[];

/* A new object is there: of that kind, made with the others, which must stay as long as it does. */
void fabric_object_add(struct shunt_fabric *fabric, struct fabric_object *object,
                       enum fabric_kind kind, struct fabric_object *const stands_on[],
                       unsigned stands);

#endif
