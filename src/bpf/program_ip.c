/* SPDX-License-Identifier: BSD-2-Clause */
/* From an IP header to the ports, and on to the rules: only steps that some rule needs. Offsets
 * count from r7, which is 14 less than the header's address.
 *
 *   r2  (IPv4) length of the header       r4  protocol
 *   r3  bytes behind it, by the IP header's own word     r5  what is behind it
 *   r8  the frame's end, until the section's value takes its place */
#include "shunt/ethernet.h"
#include "shunt/ipv4.h"
#include "src/bpf/program.h"

/* Next-header values of IPv6 (RFC 8200 4.1). */
#define IPV6_HOP_BY_HOP  0
#define IPV6_ROUTING     43
#define IPV6_FRAGMENT    44
#define IPV6_DESTINATION 60

#define IPV6_HEADER_BYTES 40
/* Of UDP's and TCP's header: as much as has to be there for its ports to count. */
#define PORTS_BYTES 8

/* A version of IP. */
struct version {
  enum program_kind other, udp, tcp, fragment;
  bool for_udp, for_tcp;  /* some rule is for its ports: packets with ports meet other rules */
  bool wants_protocol;    /* r8 has to be the protocol where there are no ports */
  struct bpf_label plain; /* where packets without ports go, their protocol in r4 */
};

static struct version version_of(const struct program_maker *m, enum program_kind first)
{
  struct version v = {.other = first, .udp = first + 1, .tcp = first + 2, .fragment = first + 3};

  v.for_udp = program_differ(m, v.udp, v.other);
  v.for_tcp = program_differ(m, v.tcp, v.other);
  v.wants_protocol = program_wants_type(m, v.other);
  v.plain = v.wants_protocol ? bpf_label(m->a, "protocol") : program_section_of(m, v.other);
  return v;
}

/* Where the header is not sound the packet is nothing but a frame of that ethertype. */
static void unsound(struct program_maker *m, struct bpf_label label, uint16_t ethertype)
{
  bpf_place(m->a, label);
  if (program_wants_type(m, KIND_ETHERNET))
    bpf_move_imm(m->a, R8, ethertype);
  bpf_go(m->a, program_section_of(m, KIND_ETHERNET));
}

/* To the section of the packet's protocol, with its ports where it has them. */
static void protocol(struct program_maker *m, const struct version *v)
{
  struct bpf_assembler *a = m->a;
  struct bpf_label with_ports = bpf_label(a, "ports");
  bool apart = v->for_udp && v->for_tcp && program_differ(m, v->udp, v->tcp);

  if (v->for_udp && v->for_tcp)
    bpf_jump_imm(a, BPF_JEQ, R4, SHUNT_IPV4_PROTOCOL_UDP, with_ports);
  if (v->for_udp || v->for_tcp) {
    bpf_jump_imm(a, BPF_JNE, R4, v->for_tcp ? SHUNT_IPV4_PROTOCOL_TCP : SHUNT_IPV4_PROTOCOL_UDP,
                 v->plain);
    bpf_place(a, with_ports);
    bpf_jump_imm(a, BPF_JSLT, R3, PORTS_BYTES, v->plain);
    bpf_move(a, R1, R5);
    bpf_add_imm(a, R1, PORTS_BYTES);
    bpf_jump(a, BPF_JGT, R1, R8, v->plain);
    if (m->tests & 1u << TEST_SOURCE_PORT) {
      bpf_load(a, BPF_H, R9, R5, 0);
      bpf_be(a, R9, 16);
    }
    bpf_load(a, BPF_H, R8, R5, 2);
    bpf_be(a, R8, 16);
    if (apart)
      bpf_jump_imm(a, BPF_JEQ, R4, SHUNT_IPV4_PROTOCOL_UDP, program_section_of(m, v->udp));
    bpf_go(a, program_section_of(m, v->for_tcp ? v->tcp : v->udp));
  }
  if (v->wants_protocol) {
    bpf_place(a, v->plain);
    bpf_move(a, R8, R4);
  }
  if (v->wants_protocol || !(v->for_udp || v->for_tcp))
    bpf_go(a, program_section_of(m, v->other));
}

void program_ipv4(struct program_maker *m)
{
  struct bpf_assembler *a = m->a;
  struct version v = version_of(m, KIND_IPV4_OTHER);
  struct bpf_label fragment = bpf_label(a, "ipv4_fragment_header");
  struct bpf_label wrong = bpf_label(a, "ipv4_wrong");
  bool apart = program_differ(m, v.fragment, v.other);

  bpf_place(a, m->ipv4);
  program_need(m, 14 + SHUNT_IPV4_HEADER_BYTES, wrong);
  /* Version and length are sound from 0x45 to 0x4f. */
  bpf_load(a, BPF_B, R2, R7, 14);
  bpf_sub_imm(a, R2, 0x45);
  bpf_jump_imm(a, BPF_JGT, R2, 0x4f - 0x45, wrong);
  bpf_add_imm(a, R2, 5);
  bpf_shift_left_imm(a, R2, 2);
  bpf_move(a, R5, R7);
  bpf_add_imm(a, R5, 14);
  bpf_add(a, R5, R2);
  bpf_jump(a, BPF_JGT, R5, R8, wrong);

  bpf_load(a, BPF_B, R4, R7, 14 + 9);
  if (v.for_udp || v.for_tcp || apart) {
    bpf_load(a, BPF_H, R3, R7, 14 + 6);
    bpf_jump_imm(a, BPF_JSET, R3,
                 program_as_loaded(SHUNT_IPV4_MORE_FRAGMENTS | SHUNT_IPV4_FRAGMENT_OFFSET_MASK),
                 apart ? fragment : v.plain);
  }
  if (v.for_udp || v.for_tcp) {
    bpf_load(a, BPF_H, R3, R7, 14 + 2);
    bpf_be(a, R3, 16);
    bpf_sub(a, R3, R2);
  }
  protocol(m, &v);
  if (apart) {
    bpf_place(a, fragment);
    bpf_move(a, R8, R4);
    bpf_go(a, program_section_of(m, v.fragment));
  }
  unsound(m, wrong, SHUNT_ETHERNET_TYPE_IPV4);
}

/* Jump by whether r4 is an extension header that is walked: bit r4 of a word, if r4 < 64. */
static void jump_extension(struct program_maker *m, uint8_t operation, struct bpf_label label)
{
  struct bpf_assembler *a = m->a;

  bpf_move_imm64(a, R2,
                 UINT64_C(1) << IPV6_HOP_BY_HOP | UINT64_C(1) << IPV6_ROUTING |
                     UINT64_C(1) << IPV6_DESTINATION);
  bpf_shift_right(a, R2, R4);
  bpf_and_imm(a, R2, 1);
  bpf_move(a, R1, R4);
  bpf_shift_right_imm(a, R1, 6);
  bpf_jump(a, operation, R2, R1, label);
}

/* Over one extension header at r5, if that is what r4 says; else to walked. */
static void extension(struct program_maker *m, struct bpf_label walked, struct bpf_label none)
{
  struct bpf_assembler *a = m->a;

  jump_extension(m, BPF_JLE, walked);
  bpf_move(a, R1, R5);
  bpf_add_imm(a, R1, 8);
  bpf_jump(a, BPF_JGT, R1, R8, none);
  bpf_load(a, BPF_B, R4, R5, 0);
  bpf_load(a, BPF_B, R2, R5, 1); /* its length in units of 8 bytes, less one (RFC 8200 4.3) */
  bpf_add_imm(a, R2, 1);
  bpf_shift_left_imm(a, R2, 3);
  bpf_add(a, R5, R2);
  bpf_sub(a, R3, R2);
}

static void ipv6_payload(struct program_maker *m, struct version *v)
{
  struct bpf_assembler *a = m->a;
  bool apart = program_differ(m, v->fragment, v->other) || v->wants_protocol;
  struct bpf_label walked = bpf_label(a, "ipv6_walked");
  struct bpf_label fragment = bpf_label(a, "ipv6_fragment_header");
  struct bpf_label none = apart ? bpf_label(a, "no_protocol") : v->plain;

  bpf_load(a, BPF_B, R4, R7, 14 + 6);
  bpf_load(a, BPF_H, R3, R7, 14 + 4);
  bpf_be(a, R3, 16);
  for (unsigned i = 0; i < SHUNT_XDP_RULE_EXTENSIONS; i++)
    extension(m, walked, none);
  if (v->wants_protocol)
    jump_extension(m, BPF_JGT, none);
  bpf_place(a, walked);
  if (apart) {
    /* The last extension header has to be whole. Where there are ports that is seen by them. */
    bpf_jump(a, BPF_JGT, R5, R8, none);
    bpf_jump_imm(a, BPF_JSLT, R3, 0, none);
    bpf_jump_imm(a, BPF_JEQ, R4, IPV6_FRAGMENT, fragment);
  }
  protocol(m, v);
  if (!apart)
    return;
  bpf_place(a, fragment);
  bpf_jump_imm(a, BPF_JSLT, R3, 8, none);
  bpf_move(a, R2, R5);
  bpf_add_imm(a, R2, 8);
  bpf_jump(a, BPF_JGT, R2, R8, none);
  bpf_load(a, BPF_B, R8, R5, 0);
  bpf_go(a, program_section_of(m, v->fragment));
  bpf_place(a, none);
  bpf_move_imm(a, R8, PROGRAM_PROTOCOL_NONE);
  bpf_go(a, program_section_of(m, v->other));
}

void program_ipv6(struct program_maker *m)
{
  struct bpf_assembler *a = m->a;
  struct version v = version_of(m, KIND_IPV6_OTHER);
  struct bpf_label wrong = bpf_label(a, "ipv6_wrong");

  bpf_place(a, m->ipv6);
  program_need(m, 14 + IPV6_HEADER_BYTES, wrong);
  bpf_move(a, R5, R2);
  bpf_load(a, BPF_B, R2, R7, 14);
  bpf_and_imm(a, R2, 0xf0);
  bpf_jump_imm(a, BPF_JNE, R2, 0x60, wrong);
  if (v.for_udp || v.for_tcp || program_differ(m, v.fragment, v.other))
    ipv6_payload(m, &v);
  else
    bpf_go(a, program_section_of(m, v.other));
  unsound(m, wrong, SHUNT_ETHERNET_TYPE_IPV6);
}
