/* SPDX-License-Identifier: BSD-2-Clause */
/* bpf(2) by raw system calls: maps, XDP programs, and links that hold a program on an interface.
 *
 * Every call is set-up, may be made from any thread, returns 0 or a negative errno and then fills
 * error, which may be NULL. File descriptors are the caller's to close; all are close-on-exec. A
 * map, program or link lives as long as something refers to it: when the last process that holds a
 * link ends, however it ends, the kernel takes the program off the interface.
 *
 * Source of the rules: linux/bpf.h, kernel/bpf/syscall.c, net/core/dev.c, net/bpf/test_run.c. */
#ifndef SRC_BPF_BPF_H
#define SRC_BPF_BPF_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shunt/error.h"

struct bpf_assembler;

/* Newer than Debian 12's linux/bpf.h (6.1). */
#define BPF_XDP_DEV_BOUND_ONLY (1u << 6) /* BPF_F_XDP_DEV_BOUND_ONLY, 6.3 */

/* ---- maps (bpf_map.c) ---- */

struct bpf_map_spec {
  uint32_t type;      /* BPF_MAP_TYPE_... */
  uint32_t key_bytes; /* arrays and XSKMAPs: 4 */
  uint32_t value_bytes;
  uint32_t entries; /* at most so many */
  uint32_t flags;   /* BPF_F_...; LPM tries need BPF_F_NO_PREALLOC */
  const char *name; /* at most 15 letters, digits, '_' or '.'; NULL: none; longer ones are cut */
};

/* Make a map. *fd is the caller's.
 *
 * Errors  -EPERM: no CAP_BPF (or, before 5.11, RLIMIT_MEMLOCK); -EINVAL: a type or flag that this
 *         kernel does not know, or sizes that the type does not take; -E2BIG, -ENOMEM: too large */
int bpf_map_new(const struct bpf_map_spec *spec, int *fd, struct shunt_error *error);

/* Set the value of a key. Values of per-CPU maps are an array of bpf_cpu_count() values of
 * value_bytes rounded up to 8 each, here and in bpf_map_get.
 *
 * flags   BPF_ANY, BPF_NOEXIST, BPF_EXIST
 * Errors  -EEXIST, -ENOENT: flags; -E2BIG: the map is full, or an array has no such index */
int bpf_map_set(int map, const void *key, const void *value, uint64_t flags,
                struct shunt_error *error);

/* Read the value of a key. -ENOENT: it has none (also: no file descriptor in an XSKMAP can be read
 * back, -EOPNOTSUPP). */
int bpf_map_get(int map, const void *key, void *value, struct shunt_error *error);

/* The only value of an array map that was made with BPF_F_MMAPABLE (5.5), for reading.
 *
 * bytes   value_bytes
 * Owner   *memory is the caller's to munmap; it stays when the file descriptor is closed
 * Errors  -EINVAL: the map is another one; -ENOMEM */
int bpf_map_memory(int map, size_t bytes, const void **memory, struct shunt_error *error);

/* Remove a key. -ENOENT: it was not there. -EINVAL: an array's can't be removed. */
int bpf_map_delete(int map, const void *key, struct shunt_error *error);

/* The key after key, in no order that means anything; of NULL the first. -ENOENT: there is none,
 * which fills no error. */
int bpf_map_next(int map, const void *key, void *next, struct shunt_error *error);

/* Set, read or remove many at once (array and hash 5.6, LPM trie 5.7, per-CPU array 5.13): one
 * system call where the kernel has it, else one each.
 *
 * keys, values  arrays; values of per-CPU maps as above
 * count         in: how many there are (or fit); out: how many were done, also where it failed
 * cursor        bpf_map_get_many's own, from call to call: the larger of key_bytes and 4 bytes
 * first         this is the first call with that cursor
 * Returns       0; bpf_map_get_many: -ENOENT, with no error filled: these *count, which may be 0,
 *               were the last */
int bpf_map_set_many(int map, const struct bpf_map_spec *spec, const void *keys, const void *values,
                     uint32_t *count, struct shunt_error *error);
int bpf_map_delete_many(int map, const struct bpf_map_spec *spec, const void *keys, uint32_t *count,
                        struct shunt_error *error);
int bpf_map_get_many(int map, const struct bpf_map_spec *spec, bool first, void *cursor, void *keys,
                     void *values, uint32_t *count, struct shunt_error *error);

/* What the kernel says of a map, in its own struct (linux/bpf.h). */
int bpf_map_info(int map, struct bpf_map_info *info, struct shunt_error *error);

/* Open a map that exists, by id. -ENOENT: there is none. Needs CAP_SYS_ADMIN. */
int bpf_map_open(uint32_t id, int *fd, struct shunt_error *error);

/* How many values an entry of a per-CPU map has: the CPUs that this machine can have, online or
 * not (/sys/devices/system/cpu/possible). */
int bpf_cpu_count(uint32_t *count, struct shunt_error *error);

/* ---- programs (bpf_program.c) ---- */

struct bpf_program_spec {
  const struct bpf_insn *insns;
  uint32_t count;
  uint32_t flags;           /* BPF_F_XDP_HAS_FRAGS, BPF_XDP_DEV_BOUND_ONLY */
  uint32_t ifindex;         /* with BPF_XDP_DEV_BOUND_ONLY: the interface, else 0 */
  uint32_t type;            /* 0: BPF_PROG_TYPE_XDP */
  uint32_t expected_attach; /* 0: BPF_XDP where type is XDP */
  const char *name;         /* as in bpf_map_spec */
  const char *license;      /* NULL: "Dual BSD/GPL", which may call every helper */
  const int *module_btf;    /* what bpf_call_kernel's module counts, from 0, or NULL; [0] unused */
  const struct bpf_assembler *source; /* for label names in errors; may be NULL */
  char **log; /* not NULL: what the verifier said when loading failed, to free(); NULL where it said
                 nothing */
};

/* Load a program. First without a log, for a log that is too small would fail a good program
 * (ENOSPC); where that fails, again with a log that grows, and the verifier's words come back as
 * why (its decisive line, and the instruction in our listing) and what would help.
 *
 * Errors  of explain.h */
int bpf_program_load(const struct bpf_program_spec *spec, int *fd, struct shunt_error *error);

/* One run of a program on a packet, without a NIC. */
struct bpf_test {
  const void *in; /* the packet, from the Ethernet header on: at least 14 bytes */
  uint32_t in_bytes;
  void *out;                    /* the packet afterwards; may be NULL */
  uint32_t out_bytes;           /* in: how much fits; out: how long it is */
  const struct xdp_md *context; /* may be NULL: data = data_meta = 0, data_end = in_bytes. Of others
                                   data - data_meta bytes of in are metadata (5.18), and the packet
                                   seems to come from queue rx_queue_index of ingress_ifindex */
  uint32_t repeat;              /* how often; 0 means once */
  bool live;            /* 5.18: do with the packet what the verdict says; nothing comes out */
  uint32_t batch;       /* live frames at once, 1..256; 0: 64 */
  uint32_t verdict;     /* out: XDP_... */
  uint32_t duration_ns; /* out: of one run, on average */
};

/* BPF_PROG_TEST_RUN. -ENOSPC: out was too small, and holds what fitted. */
int bpf_program_test(int program, struct bpf_test *test, struct shunt_error *error);

#define BPF_PROGRAM_MAPS 16

struct bpf_program_state {
  uint32_t id, type;
  char name[BPF_OBJ_NAME_LEN];
  char tag[2 * BPF_TAG_SIZE + 1];  /* hexadecimal; the same for the same instructions */
  uint32_t uid;                    /* of whoever loaded it */
  uint64_t loaded_ns;              /* since boot (CLOCK_BOOTTIME) */
  uint32_t ifindex;                /* bound to this interface, or 0 */
  uint32_t insns;                  /* translated instructions */
  uint32_t map_count;              /* of all */
  uint32_t maps[BPF_PROGRAM_MAPS]; /* ids of the first ones */
};

int bpf_program_info(int program, struct bpf_program_state *state, struct shunt_error *error);
/* Open a program that exists, by id. -ENOENT: there is none. Needs CAP_SYS_ADMIN. */
int bpf_program_open(uint32_t id, int *fd, struct shunt_error *error);

/* ---- links (bpf_link.c) ---- */

/* Put a program on an interface, for as long as *link (the caller's) is open (5.9).
 *
 * xdp_flags  XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE or XDP_FLAGS_HW_MODE; 0: the driver's mode
 *            where it has one, else SKB
 * Errors     -EBUSY: a program is there; the error says which, and whose. -EOPNOTSUPP: the driver
 *            has no such mode. -ERANGE: the MTU needs BPF_F_XDP_HAS_FRAGS. -ENODEV; -EPERM;
 *            -EINVAL: no links for XDP in this kernel (see bpf_attach.h), or the program is bound
 * to another interface */
int bpf_link_xdp(int program, int ifindex, uint32_t xdp_flags, int *link,
                 struct shunt_error *error);

/* Put another program in the place of a link's, between two packets.
 *
 * expected  fd of the program that has to be there, or -1 for any; -EPERM: another one is */
int bpf_link_replace(int link, int program, int expected, struct shunt_error *error);

/* Take the program off the interface now, whoever else holds the link. */
int bpf_link_detach(int link, struct shunt_error *error);

struct bpf_link_state {
  uint32_t id, type; /* BPF_LINK_TYPE_... */
  uint32_t program;  /* id */
  int ifindex;       /* of an XDP link; 0: detached, or its interface is gone */
};

int bpf_link_info(int link, struct bpf_link_state *state, struct shunt_error *error);
int bpf_link_open(uint32_t id, int *fd, struct shunt_error *error);
/* The smallest id above id; -ENOENT, with no error filled: there is none. */
int bpf_link_next(uint32_t id, uint32_t *next, struct shunt_error *error);

#endif
