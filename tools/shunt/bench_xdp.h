/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the AF_XDP half of `shunt bench` share.
 *
 *   bench_veth.c       two network namespaces, a veth pair between them, a source of frames
 *   bench_xdp.c        a slice: who is measured at the near end, what happens at the far end
 *   bench_xdp_work.c   what is done at the near end by shunt, and by UDP sockets
 *   bench_xdp_ask.c    round trips as the far end sees them
 *   bench_contender.c  the process that does it: ours, the libxdp loop, DPDK's testpmd
 *
 * Whoever is measured is a process of its own on the first CPU, in the near end's namespace, and
 * has the interface for itself until it ends. */
#ifndef TOOLS_SHUNT_BENCH_XDP_H
#define TOOLS_SHUNT_BENCH_XDP_H

#include "bench/peers/peer.h"
#include "tools/shunt/bench.h"

/* ---- The interface ---- */

enum bench_end { BENCH_NEAR, BENCH_FAR, BENCH_ENDS };

/* Its name, in the namespace of either end. */
#define BENCH_VETH "veth"

#define BENCH_NEAR_IPV4 UINT32_C(0xC6120001) /* 198.18.0.1: RFC 2544, for benchmarks */
#define BENCH_FAR_IPV4  UINT32_C(0xC6120002)
#define BENCH_NEAR_PORT 4791
#define BENCH_FAR_PORT  4792

struct bench_veth;

/* Make the namespaces and the pair. They have no names; they are gone with the last process and
 * descriptor in them, however this process ends. */
int bench_veth_open(struct bench *bench, struct bench_veth **made, struct shunt_error *error);
void bench_veth_close(struct bench_veth *veth);

/* Have the calling thread be in the namespace of that end, or again where it began. */
int bench_veth_enter(struct bench_veth *veth, enum bench_end end, struct shunt_error *error);
void bench_veth_leave(struct bench_veth *veth);

/* How many frames have come to the far end, by the kernel's count. */
int bench_veth_arrived(struct bench_veth *veth, uint64_t *frames, struct shunt_error *error);

/* Take off the near end what a process that was killed has left there: libxdp's programs are
 * attached through netlink and stay. */
void bench_veth_clear(struct bench_veth *veth);

/* Put a program with this verdict on an end, in the driver; or take it off again (0). */
int bench_veth_verdict(struct bench_veth *veth, enum bench_end end, uint32_t verdict,
                       struct shunt_error *error);

/* Find the program on the near end, for flood. */
int bench_veth_aim(struct bench_veth *veth, struct shunt_error *error);
/* Let some thousand frames come to the near end, as if they had come over the wire, as fast as the
 * kernel can make them: each is handed to the program there, and its verdict is followed
 * (BPF_PROG_TEST_RUN with live frames). For a thread that is in the near end's namespace. */
int bench_veth_flood(struct bench_veth *veth, struct shunt_error *error);

/* The frame that is flooded and asked with: BENCH_FRAME_BYTES, UDP from the far end to the near. */
void bench_veth_frame(const struct bench_veth *veth, uint8_t frame[BENCH_FRAME_BYTES]);

/* ---- Who is measured ---- */

enum bench_who {
  BENCH_SHUNT,
  BENCH_LIBXDP,
  BENCH_DPDK,
  BENCH_SOCKETS,
  BENCH_EFVI, /* round trips only */
  BENCH_CONTENDERS,
};

struct bench_contender;

/* "DPDK". */
const char *bench_contender_name(enum bench_who who);

/* Whether it can be measured on this machine. -ENOENT: no; why not stands in error. */
int bench_contender_check(enum bench_who who, struct shunt_error *error);
/* Start it. Returns when it does its work. */
int bench_contender_start(struct bench *bench, struct bench_veth *veth, enum bench_who who,
                          enum peer_what what, struct bench_contender **made,
                          struct shunt_error *error);
/* How many frames it has received, and when. */
int bench_contender_received(struct bench_contender *contender, uint64_t *frames, uint64_t *ns,
                             struct shunt_error *error);
/* End it and take away what it left on the interface. NULL is fine. */
void bench_contender_stop(struct bench_contender *contender);

/* Do it in this process until the page says that it is over. Return 0 or what failed. */
int bench_work_shunt(struct bench *bench, enum peer_what what, struct peer_page *page,
                     struct shunt_error *error);
int bench_work_sockets(enum peer_what what, struct peer_page *page, struct shunt_error *error);

/* ---- Round trips ---- */

struct bench_asker;
/* Open a port on the far end; for a thread in its namespace, as is close. */
int bench_asker_open(struct bench *bench, struct bench_veth *veth, struct bench_asker **made,
                     struct shunt_error *error);
void bench_asker_close(struct bench_asker *asker);
/* Ask and measure for a slice. */
void bench_asker_run(struct bench_asker *asker, struct bench_sample *sample);

/* ---- A slice ---- */

/* Who goes before whom where threads have real-time priority: the one that reads the time before
 * the one that is measured, on one CPU; the one that reads what testpmd is told before the one that
 * makes frames, on the other. Does nothing without. */
enum bench_rank { BENCH_WORKS, BENCH_LISTENS, BENCH_WATCHES };
void bench_xdp_rank(const struct bench *bench, enum bench_rank rank);

struct bench_xdp;
int bench_xdp_open(struct bench *bench, struct bench_xdp **made, struct shunt_error *error);
void bench_xdp_close(struct bench_xdp *xdp);
/* Why who is not measured; NULL: it is. */
const char *bench_xdp_missing(const struct bench_xdp *xdp, enum bench_who who);
int bench_xdp_slice(struct bench_xdp *xdp, enum bench_who who, enum peer_what what,
                    struct bench_sample *sample, struct shunt_error *error);

#endif
