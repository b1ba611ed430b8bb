/* SPDX-License-Identifier: BSD-2-Clause */
/* bpf(2) itself. */
#ifndef SRC_BPF_CALL_H
#define SRC_BPF_CALL_H

#include <linux/bpf.h>
#include <stddef.h>

/* One system call, again as long as a signal breaks it off (EAGAIN while verifying, EINTR), at most
 * CALL_TRIES times.
 *
 * bytes   how long attr is taken to be; longer than the kernel's own it must be 0 behind that
 * Returns what the kernel returned, or -errno */
#define CALL_TRIES 10
int call_bpf(enum bpf_cmd command, union bpf_attr *attr, size_t bytes);

/* An address as attr holds it. */
static inline __u64 call_address(const void *pointer)
{
  return (__u64)(unsigned long)pointer;
}

/* A name as the kernel takes it (bpf_obj_name_cpy): cut at 15 characters, '_' in place of what is
 * not a letter, a digit, '_' or '.'. NULL gives "". */
void call_name(char to[BPF_OBJ_NAME_LEN], const char *name);

/* errno 524, which the kernel's batch operations return and errno.h does not know. */
#define CALL_ENOTSUPP 524

#endif
