/* SPDX-License-Identifier: BSD-2-Clause */
/* What every public header starts from: C and C++ linkage, and hints for the fast path. */
#ifndef SHUNT_BASE_H
#define SHUNT_BASE_H

#include <stddef.h>
#include <stdint.h>

/* What stands between these is the API: C linkage, and visible outside the shared library, which is
 * built with everything else hidden. */
#ifdef __cplusplus
#define SHUNT_BEGIN_DECLS                                                                          \
  _Pragma("GCC visibility push(default)") extern "C"                                               \
  {
#define SHUNT_END_DECLS                                                                            \
  }                                                                                                \
  _Pragma("GCC visibility pop")
#else
#define SHUNT_BEGIN_DECLS _Pragma("GCC visibility push(default)")
#define SHUNT_END_DECLS   _Pragma("GCC visibility pop")
#endif

#define SHUNT_LIKELY(x)   __builtin_expect(!!(x), 1)
#define SHUNT_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Fast-path functions that are compiled into their caller, whatever the compiler thinks of it. */
#define SHUNT_INLINE static inline __attribute__((always_inline))

/* Fast-path loops take four packets a turn (eight, where there is little to do for each), so that
 * what a turn costs beside the packets is shared, and the rest singly. SHUNT_EACH_OF_FOUR is such a
 * turn's inner loop, written out by the compiler. */
#define SHUNT_FOUR  4u
#define SHUNT_EIGHT 8u
/* NOLINTBEGIN(bugprone-macro-parentheses): k is declared here, and a name takes no parentheses. */
#if defined(__clang__)
#define SHUNT_EACH_OF_FOUR(k)  _Pragma("clang loop unroll(full)") for (unsigned k = 0; k < 4; k++)
#define SHUNT_EACH_OF_EIGHT(k) _Pragma("clang loop unroll(full)") for (unsigned k = 0; k < 8; k++)
#else
#define SHUNT_EACH_OF_FOUR(k)  _Pragma("GCC unroll 4") for (unsigned k = 0; k < 4; k++)
#define SHUNT_EACH_OF_EIGHT(k) _Pragma("GCC unroll 8") for (unsigned k = 0; k < 8; k++)
#endif
/* NOLINTEND(bugprone-macro-parentheses) */

/* printf-like functions: the compiler checks their arguments. */
#define SHUNT_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))

/* Length of a cache line on every CPU that these NICs are found beside. */
#define SHUNT_CACHE_LINE_BYTES 64

#endif
