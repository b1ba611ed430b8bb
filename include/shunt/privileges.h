/* SPDX-License-Identifier: BSD-2-Clause */
/* Give up what a program no longer needs, once its ports are open.
 *
 * An AF_XDP port needs CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF to come up, with rules that look
 * behind the Ethernet header CAP_PERFMON too (the verifier lets only who has it step over headers
 * whose length the packet tells), and none to move frames, to read its statistics and to be closed:
 * the kernel asks when a socket or a program is made, not when it is used. What needs them later:
 * rules that are added to a port or removed, and putting an interface's settings back (channels,
 * MTU, offloads), which then happens at the next start on that interface or by
 * `shunt doctor --repair`. With a helper (`shunt xdp-helper`, key helper=) both go on working, and
 * no capability is needed at all. */
#ifndef SHUNT_PRIVILEGES_H
#define SHUNT_PRIVILEGES_H

#include "shunt/base.h"
#include "shunt/error.h"

SHUNT_BEGIN_DECLS

/* Give up all capabilities for good: those of this process (effective, permitted, inheritable,
 * ambient), those that a program which it starts could gain (bounding set, set-user-ID files: no
 * new privileges), and those that come with user 0 (secure bits). Where the process has not the
 * right to some of these steps (CAP_SETPCAP), no new privileges stands for them.
 *
 * user    NULL: stay the user that this is; else "USER", "USER:GROUP" or numbers, to go on as that
 *         one, without supplementary groups
 * Thread  the only one: capabilities are each thread's own, so there must be no other yet
 * Returns 0; -ENOENT (no such user or group); -EBUSY (there are other threads); -EPERM (the user
 *         can't be changed by this one). On failure the process has the privileges that it had,
 *         unless the kernel refuses in the middle: then the error says so, and the process should
 *         end. */
int shunt_privileges_drop(const char *user, struct shunt_error *error);

/* Whether this thread has the capability, by its name without CAP_ in lower case ("net_raw").
 * Returns 1 or 0; 0 also where the name is none. */
int shunt_privileges_have(const char *capability);

SHUNT_END_DECLS

#endif
