/* SPDX-License-Identifier: BSD-2-Clause */
/* A small reader of BTF, the kernel's type information: which number a kernel function has, so that
 * a program can call it.
 *
 * Source: Documentation/bpf/btf.rst, linux/btf.h. The bytes come from outside and nothing in them
 * is trusted. */
#ifndef SRC_BPF_BTF_H
#define SRC_BPF_BTF_H

#include <stddef.h>
#include <stdint.h>

#include "shunt/error.h"

/* BTF in memory. Split BTF (a module's) counts its types and strings on from its base's. */
struct btf {
  const uint8_t *types;
  uint32_t types_bytes;
  const char *strings;
  uint32_t strings_bytes;
  const struct btf *base; /* or NULL */
  uint32_t first;         /* id of the first type: 1, or in split BTF the base's count + 1 */
  uint32_t count;         /* types of its own, once btf_open has walked them all */
};

/* Check BTF's header and walk its types.
 *
 * data, bytes  stay the caller's and in place for as long as btf is used
 * base         already opened, of split BTF; NULL otherwise
 * Returns      0; -EINVAL: no BTF, of the other byte order, or cut off (the error says where) */
int btf_open(struct btf *btf, const void *data, size_t bytes, const struct btf *base,
             struct shunt_error *error);

/* The id of the function of that name. Returns 0 or -ENOENT. */
int btf_function(const struct btf *btf, const char *name, int32_t *id);

/* The id of a function of the running kernel itself, from /sys/kernel/btf/vmlinux.
 *
 * Errors  -ENOENT: there is no such function, or this kernel has no BTF; -EINVAL as btf_open */
int btf_find_function(const char *name, int32_t *id, struct shunt_error *error);

/* The same in the kernel's modules.
 *
 * module  the name of the module that has it: at least 64 bytes */
#define BTF_MODULE_BYTES 64
int btf_find_module_function(const char *name, char module[BTF_MODULE_BYTES], int32_t *id,
                             struct shunt_error *error);

/* A file descriptor of a module's BTF, for bpf_program_spec.module_btf; needs CAP_SYS_ADMIN. */
int btf_module_fd(const char *module, int *fd, struct shunt_error *error);

#endif
