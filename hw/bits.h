/* SPDX-License-Identifier: BSD-2-Clause */
/* Fields of registers, descriptors and memory words, named by their mask alone.
 *
 * A mask says both where a field lies and how wide it is, so no shift constants are needed; with
 * a constant mask each of these compiles to at most a shift and an AND. Values are 32 bits wide:
 * none of the layouts here has a field that crosses a dword. */
#ifndef HW_BITS_H
#define HW_BITS_H

/* The lowest bit of a mask: what a field's value is multiplied by. */
#define HW_LOWEST(mask) ((mask) & (~(mask) + 1u))

/* The value of the field, moved down to bit 0. */
#define HW_GET(mask, word) (((word) & (mask)) / HW_LOWEST(mask))

/* The value placed in the field; what does not fit is cut off. */
#define HW_FIELD(mask, value) (((value)*HW_LOWEST(mask)) & (mask))

/* The word with that field replaced. */
#define HW_SET(mask, word, value) (((word) & ~(mask)) | HW_FIELD(mask, value))

#endif
