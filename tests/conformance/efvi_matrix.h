/* SPDX-License-Identifier: BSD-2-Clause */
/* What every call of ef_vi answered on one device: a column of the table in docs/ef_vi.md. */
#ifndef TESTS_CONFORMANCE_EFVI_MATRIX_H
#define TESTS_CONFORMANCE_EFVI_MATRIX_H

#include <stdbool.h>
#include <stdint.h>

#define MATRIX_CALLS 256u
#define MATRIX_TEXT  64u
#define MATRIX_WHY   400u

/* How a result reads: as a number or an errno, as nothing to return, as something or nothing. */
enum matrix_kind { MATRIX_NUMBER, MATRIX_VOID, MATRIX_POINTER };

struct matrix_call {
  char name[MATRIX_TEXT]; /* the function's, and behind a comma what it was asked for */
  const char *section;
  enum matrix_kind kind;
  long long result;
  char why[MATRIX_WHY]; /* shunt_last_error()'s, where it failed */
};

struct matrix_column {
  const char *label;
  const char *near_name, *far_name; /* shunt's names of two devices that are joined */
  struct matrix_call calls[MATRIX_CALLS];
  unsigned n;
};

/* Make every call there is on the column's devices, and write down what each said. Only the calls
 * on the near device count; the far one sends and receives. Fails the test where a frame that was
 * sent does not arrive, or an event does not come, within seconds. */
void matrix_fill(struct matrix_column *column);

#endif
