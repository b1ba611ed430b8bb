/* SPDX-License-Identifier: BSD-2-Clause */
/* Two joined ends of ef_vi, and the column that their calls fill. */
#ifndef TESTS_CONFORMANCE_EFVI_RUN_H
#define TESTS_CONFORMANCE_EFVI_RUN_H

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>

#include <cmocka.h>

#include "conformance/efvi_matrix.h"

#include <etherfabric/memreg.h>
#include <etherfabric/pd.h>
#include <etherfabric/vi.h>

#include "shunt/error.h"

#define NEAR        77 /* interface indices, which SHUNT_EFVI_DEVICE maps to the devices */
#define FAR         78
#define BUFS        1024u
#define BUF_BYTES   2048u
#define FRAME_BYTES 100
#define EVENTS      16
#define ETHERTYPE   0x88B5 /* for experiments (IEEE 802, local experimental 1) */
#define STREAM_BUF  (64u * 1024)

struct end {
  ef_driver_handle handle;
  ef_pd pd;
  ef_memreg memreg;
  ef_vi vi;
  uint8_t mac[6];
};

struct run {
  struct matrix_column *column;
  const char *section;
  uint8_t *memory; /* of both ends; a buffer for packed stream behind the others */
  struct end near, far;
  ef_event events[EVENTS];
};

/* Forget the last error. */
void quiet(void);
/* Write a result down, with the last error's reason. */
void say(struct run *run, const char *name, const char *about, enum matrix_kind kind,
         long long result);
/* A call that returns a number; its result once more. */
int say_number(struct run *run, const char *name, const char *about, long long result);

#define CALL(name, ...)        (quiet(), say_number(run, #name, "", name(__VA_ARGS__)))
#define WITH(about, name, ...) (quiet(), say_number(run, #name, about, name(__VA_ARGS__)))
#define VOID(name, ...)                                                                            \
  (quiet(), name(__VA_ARGS__), say(run, #name, "", MATRIX_VOID, shunt_last_error()->code))
#define POINTER(name, ...) (quiet(), say(run, #name, "", MATRIX_POINTER, name(__VA_ARGS__) != NULL))

ef_addr address(struct end *end, unsigned buffer);
uint8_t *data(struct run *run, unsigned buffer);

/* An interface of 64 descriptors a ring, or a negative errno. */
int open_interface(struct end *end, ef_vi *vi, ef_pd *pd, uint64_t flags);
/* Have an interface receive what the ends say to each other. */
void listen_to(struct end *end, ef_vi *vi);

/* A frame in a buffer, from one end to the other; the buffer's number in each byte behind the
 * header. */
void build(struct run *run, unsigned buffer, const struct end *from, const struct end *to);

/* Take an end's events until one is of that type, which is left in run->events[0]. */
void await(struct run *run, ef_vi *vi, unsigned type);
/* Wait until an event waits, and leave it. */
void await_some(struct run *run, ef_vi *vi);

/* The far end sends a frame, and knows that it has left. */
void far_sends(struct run *run);
/* The same, again and again until the near end has an event of that type: a device that was opened
 * just now has no link yet. */
void far_sends_until(struct run *run, ef_vi *vi, unsigned type);
/* The near end's packets have left: all of their ids are taken. */
void near_has_sent(struct run *run, ef_vi *vi, int packets);

#endif
