/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor's checks: each looks at one thing of the machine and says pass, warn or fail, with
 * what it saw and what to do about it.
 *
 * fail: something that shunt needs here is missing or will not work. warn: it works, but slower,
 * less evenly or less safely, or it could not be looked at. */
#ifndef TOOLS_SHUNT_DOCTOR_H
#define TOOLS_SHUNT_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "shunt/base.h"
#include "shunt/cpu.h"
#include "tools/shunt/cli.h"

enum doctor_grade { DOCTOR_PASS, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor_line {
  enum doctor_grade grade;
  char evidence[320];
  char remedy[320]; /* empty where there is nothing to do */
};

/* What several checks look at. */
struct doctor {
  const char *root; /* "" for this machine: see tree.h */
  char command_line[2048];
  char release[80];
  uint64_t capabilities; /* effective, of this process */
  bool capabilities_known;
  unsigned cards;      /* PCI functions that a driver of shunt's knows */
  unsigned cards_vfio; /* of these, with an IOMMU group */
  unsigned efas;       /* of these, Elastic Fabric Adapters */
  bool pci;            /* there is a PCI bus to look at */
  struct shunt_cpu_set online, isolated;
};

/* Say what was seen. Each ends the check; the latest wins. */
void doctor_pass(struct doctor_line *line, const char *evidence, ...) SHUNT_PRINTF(2, 3);
void doctor_warn(struct doctor_line *line, const char *evidence, ...) SHUNT_PRINTF(2, 3);
void doctor_fail(struct doctor_line *line, const char *evidence, ...) SHUNT_PRINTF(2, 3);
void doctor_remedy(struct doctor_line *line, const char *remedy, ...) SHUNT_PRINTF(2, 3);

/* Whether this process has a capability, by its name without CAP_: "net_admin". */
bool doctor_can(const struct doctor *doctor, const char *capability);

struct doctor_check {
  const char *name; /* stable: scripts look for it */
  void (*look)(const struct doctor *doctor, struct doctor_line *line);
};

/* Each table ends with an entry whose name is NULL. */
extern const struct doctor_check doctor_kernel_checks[];  /* doctor_kernel.c */
extern const struct doctor_check doctor_memory_checks[];  /* doctor_memory.c */
extern const struct doctor_check doctor_cpu_checks[];     /* doctor_cpu.c */
extern const struct doctor_check doctor_access_checks[];  /* doctor_access.c */
extern const struct doctor_check doctor_devices_checks[]; /* doctor_devices.c */

/* doctor_repair.c: put back what processes that are gone have left changed at interfaces, once the
 * process `after` (0: none) has ended. Returns an exit code. */
int doctor_repair(const struct cli *cli, uint64_t after);
/* What only the running kernel can tell: not looked at below --root. */
extern const struct doctor_check doctor_live_checks[];
extern const struct doctor_check doctor_xdp_checks[]; /* doctor_xdp.c */

/* One more line of the report. */
typedef void doctor_tell(void *context, const char *name, const struct doctor_line *line);

/* doctor_xdp.c: which ways of AF_XDP each interface would likely give. */
void doctor_xdp_hints(doctor_tell *tell, void *context);
/* Try each way on a device ("xdp:eth0"). Attaches a program for moments, which takes no frame.
 * Returns how many were granted, or -errno where there is no such interface or the name is wrong.
 */
int doctor_xdp_try(const char *device, const struct shunt_log *log, doctor_tell *tell,
                   void *context, struct shunt_error *error);

#endif
