/* SPDX-License-Identifier: BSD-2-Clause */
/* A network namespace of this process's own with a veth pair in it: what is tested on interfaces
 * touches nothing outside, and is gone with the process. */
#ifndef TESTS_UNIT_VETH_RIG_H
#define TESTS_UNIT_VETH_RIG_H

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define VETH_OURS   "shunta"
#define VETH_THEIRS "shuntb"

/* Enter the namespace, with both ends up and 4 channels at most each. Returns false, and says why,
 * where this machine can't. */
static inline bool veth_rig_enter(void)
{
  if (geteuid() != 0 || unshare(CLONE_NEWNET)) {
    puts("skipped: it takes root to make a network namespace");
    return false;
  }
  if (system("ip link set lo up && "
             "ip link add " VETH_OURS
             " numrxqueues 4 numtxqueues 4 type veth peer name " VETH_THEIRS
             " numrxqueues 4 numtxqueues 4 && "
             "ip link set " VETH_OURS " up && ip link set " VETH_THEIRS " up") != 0) {
    puts("skipped: ip(8) can't make a veth pair");
    return false;
  }
  return true;
}

#endif
