/* SPDX-License-Identifier: BSD-2-Clause */
/* eBPF as text, in the words of the kernel's verifier and bpftool. */
#ifndef SRC_BPF_LISTING_H
#define SRC_BPF_LISTING_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_assembler;

/* Room for the longest instruction. */
#define LISTING_LINE_BYTES 128

/* Write one instruction: "(0f) r1 += r2". An instruction that does not exist is "(xx) unknown".
 *
 * insn       of a 64-bit immediate the first of the two
 * left       how many instructions there are from insn on; a 64-bit immediate with left 1 is cut
 * text       always ends in a NUL
 * Returns    how many instructions it was: 1, or 2 */
unsigned listing_instruction(const struct bpf_insn *insn, uint32_t left, char *text, size_t bytes);

/* Write a program, a line per instruction:
 *      3: (2d) if r4 > r3 goto pc+7 <pass>
 * with the labels on lines of their own, where the program comes from an assembler.
 *
 * source      whose label names to use; NULL: none, which is bpftool's text exactly
 * text,bytes  where to, and how much fits; always ends in a NUL where bytes > 0
 * Returns     the length that the whole text has without the NUL, as snprintf does */
size_t bpf_listing(const struct bpf_insn *insns, uint32_t count, const struct bpf_assembler *source,
                   char *text, size_t bytes);

#endif
