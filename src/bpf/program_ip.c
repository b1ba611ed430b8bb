/* SPDX-License-Identifier: BSD-2-Clause */
/* From an IP header to the ports, and on to the rules: only steps that some rule needs. Offsets
 * count from r7, which is 14 less than the header's address.
 *
 *   r4  protocol                          r5  8 bytes behind the start of what is behind the header
 *   r3  bytes behind it, by the IP header's own word, and R3_BIAS more
 *   r8  the frame's end, until the section's value takes its place
 *
 * Where packets without ports match no rule, all ways to miss are one. Then a header need not be
 * seen to be whole when the ports behind it are seen, and both versions of IP go on together. For
 * the verifier to take them together, too, r5 is for both r7 + R5_FIXED + R5_BIAS and a number that
 * it does not know. That is worth some care: it takes about half a microsecond for an instruction,
 * and three for a jump.
 *
 * Where they are ports of one protocol of IPv4 there is no jump but over what the frame does not
 * hold: all else that is wrong is gathered in r3, in whatever bits, and looked at once. */
#include "src/bpf/program.h"

#include <endian.h>

#include "shunt/ethernet.h"
#include "shunt/ipv4.h"

#define IPV6_HEADER_BYTES 40
#define IPV6_FRAGMENT     44 /* a next header (RFC 8200 4.5) */

/* Of UDP's and TCP's header: as much as has to be there for its ports to count. */
#define PORTS_BYTES 8

#define R3_BIAS  8
#define R5_BIAS  8 /* PORTS_BYTES, and the least of an extension header */
#define R5_FIXED (14 + R3_BIAS)

/* Next headers that are walked: hop-by-hop options 0, routing 43, destination options 60 (RFC 8200
 * 4.1). Their product with the factor has none of the bits of the mask, that of each other number
 * below 256 has some. Found by trying; test_program.c tries all. */
#define EXTENSION_FACTOR 0x6c78b56f
#define EXTENSION_MASK   0x03b1005a

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

/* r8 and r9 = the ports, which begin at r5 - back. */
static void ports(struct program_maker *m, int back)
{
  if (m->tests & 1u << TEST_SOURCE_PORT) {
    bpf_load(m->a, BPF_H, R9, R5, 0 - back);
    bpf_be(m->a, R9, 16);
  }
  bpf_load(m->a, BPF_H, R8, R5, 2 - back);
  bpf_be(m->a, R8, 16);
}

/* To the section of the packet's protocol, with its ports where it has them; r4 may be more than
 * 255 where there can't be any. */
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
    bpf_jump_imm(a, BPF_JSLT, R3, R3_BIAS + PORTS_BYTES, v->plain);
    bpf_jump(a, BPF_JGT, R5, R8, v->plain);
    ports(m, R5_BIAS);
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

/* r4: the protocol, or more than 255 in a fragment. */
static void ipv4_protocol(struct program_maker *m)
{
  bpf_load(m->a, BPF_W, R4, R7, 14 + 6);
  bpf_be(m->a, R4, 32);
  bpf_and_imm(m->a, R4, (SHUNT_IPV4_MORE_FRAGMENTS | SHUNT_IPV4_FRAGMENT_OFFSET_MASK) << 16 | 0xff);
}

/* r3 |= 1 where the header's length, r5, is below 20, or the datagram's leaves no room for ports
 * behind it. */
static void gather_lengths(struct program_maker *m)
{
  struct bpf_assembler *a = m->a;

  bpf_load(a, BPF_H, R2, R7, 14 + 2);
  bpf_be(a, R2, 16);
  bpf_sub(a, R2, R5);
  bpf_sub_imm(a, R2, PORTS_BYTES);
  bpf_move(a, R1, R5);
  bpf_sub_imm(a, R1, SHUNT_IPV4_HEADER_BYTES);
  bpf_or(a, R2, R1); /* has its top bit where one of them is negative */
  bpf_shift_right_imm(a, R2, 63);
  bpf_or(a, R3, R2);
}

/* Four bytes of the packet as they are loaded. */
static int32_t word_as_loaded(uint32_t number)
{
  return (int32_t)htobe32(number);
}

/* r5 = the length of the header whose first four bytes, and the ethertype before, are in r3. */
static void header_bytes(struct program_maker *m)
{
  const bool big_endian = htobe16(1) == 1;

  bpf_move(m->a, R5, R3);
  bpf_shift_right_imm(m->a, R5, big_endian ? 8 - 2 : 16 - 2);
  bpf_and_imm(m->a, R5, 0xf << 2);
}

/* IPv4 where the rules are for ports of one protocol. */
static void ipv4_gathered(struct program_maker *m)
{
  struct bpf_assembler *a = m->a;
  const bool udp = !program_passes(m, KIND_IPV4_UDP);

  bpf_load(a, BPF_W, R3, R7, 12); /* ethertype, version and length, type of service */
  header_bytes(m);
  bpf_and32_imm(a, R3, word_as_loaded(0xfffff000));
  bpf_xor32_imm(a, R3, word_as_loaded(SHUNT_ETHERNET_TYPE_IPV4 << 16 | 0x4000));
  gather_lengths(m);
  bpf_load(a, BPF_W, R4, R7, 14 + 6); /* fragment, time to live, protocol */
  bpf_and32_imm(
      a, R4,
      word_as_loaded((SHUNT_IPV4_MORE_FRAGMENTS | SHUNT_IPV4_FRAGMENT_OFFSET_MASK) << 16 | 0xff));
  bpf_xor32_imm(a, R4, word_as_loaded(udp ? SHUNT_IPV4_PROTOCOL_UDP : SHUNT_IPV4_PROTOCOL_TCP));
  bpf_or(a, R3, R4);
  bpf_add(a, R5, R7);
  bpf_add_imm(a, R5, 14 + PORTS_BYTES);
  bpf_jump(a, BPF_JGT, R5, R8, m->labels.pass);
  ports(m, PORTS_BYTES);
  bpf_go(a, program_section_of(m, udp ? KIND_IPV4_UDP : KIND_IPV4_TCP));
}

void program_ipv4(struct program_maker *m)
{
  struct bpf_assembler *a = m->a;
  struct version v = version_of(m, KIND_IPV4_OTHER);
  struct bpf_label fragment = bpf_label(a, "ipv4_fragment_header");
  struct bpf_label wrong = m->only_ports ? m->labels.pass : bpf_label(a, "ipv4_wrong");
  bool apart = program_differ(m, v.fragment, v.other);

  bpf_place(a, m->ipv4);
  if (m->gathers) {
    ipv4_gathered(m);
    return;
  }
  if (!m->only_ports)
    program_need(m, 14 + SHUNT_IPV4_HEADER_BYTES, wrong);
  /* Version and length are sound from 0x45 to 0x4f. */
  bpf_load(a, BPF_B, R2, R7, 14);
  bpf_sub_imm(a, R2, 0x45);
  bpf_jump_imm(a, BPF_JGT, R2, 0x4f - 0x45, wrong);
  bpf_add_imm(a, R2, (SHUNT_IPV4_HEADER_BYTES - R3_BIAS) / 4);
  bpf_shift_left_imm(a, R2, 2);
  bpf_move(a, R5, R7);
  bpf_add(a, R5, R2);
  if (m->only_ports) {
    bpf_add_imm(a, R5, R5_FIXED + R5_BIAS);
    ipv4_protocol(m);
  } else {
    bpf_add_imm(a, R5, R5_FIXED);
    bpf_jump(a, BPF_JGT, R5, R8, wrong);
    bpf_add_imm(a, R5, R5_BIAS);
    bpf_load(a, BPF_B, R4, R7, 14 + 9);
    if (v.for_udp || v.for_tcp || apart) {
      bpf_load(a, BPF_H, R3, R7, 14 + 6);
      bpf_jump_imm(a, BPF_JSET, R3,
                   program_as_loaded(SHUNT_IPV4_MORE_FRAGMENTS | SHUNT_IPV4_FRAGMENT_OFFSET_MASK),
                   apart ? fragment : v.plain);
    }
  }
  if (v.for_udp || v.for_tcp) {
    bpf_load(a, BPF_H, R3, R7, 14 + 2);
    bpf_be(a, R3, 16);
    bpf_sub(a, R3, R2);
  }
  if (m->joined)
    bpf_go(a, m->ports);
  else
    protocol(m, &v);
  if (apart) {
    bpf_place(a, fragment);
    bpf_move(a, R8, R4);
    bpf_go(a, program_section_of(m, v.fragment));
  }
  if (!m->only_ports)
    unsound(m, wrong, SHUNT_ETHERNET_TYPE_IPV4);
}

static void jump_unless_extension(struct program_maker *m, struct bpf_label label)
{
  bpf_move(m->a, R1, R4);
  bpf_mul_imm(m->a, R1, EXTENSION_FACTOR);
  bpf_jump_imm(m->a, BPF_JSET, R1, EXTENSION_MASK, label);
}

/* Over one extension header at r5, if that is what r4 says; else to walked. */
static void extension(struct program_maker *m, struct bpf_label walked, struct bpf_label none)
{
  struct bpf_assembler *a = m->a;

  jump_unless_extension(m, walked);
  bpf_jump(a, BPF_JGT, R5, R8, none);
  bpf_load(a, BPF_B, R4, R5, 0 - R5_BIAS);
  bpf_load(a, BPF_B, R2, R5,
           1 - R5_BIAS); /* its length in units of 8 bytes, less one (RFC 8200 4.3) */
  bpf_add_imm(a, R2, 1);
  bpf_shift_left_imm(a, R2, 3);
  /* Changes nothing, but to the verifier the least is 0 now. It comes by the longest way first,
   * and shorter ones are covered by that. */
  bpf_and_imm(a, R2, 0xff8);
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
  bpf_add_imm(a, R3, R3_BIAS);
  for (unsigned i = 0; i < SHUNT_XDP_RULE_EXTENSIONS; i++)
    extension(m, walked, none);
  if (v->wants_protocol) {
    jump_unless_extension(m, walked);
    bpf_go(a, none);
  }
  bpf_place(a, walked);
  if (apart) {
    /* The last extension header has to be whole. Where there are ports that is seen by them. */
    bpf_move(a, R1, R5);
    bpf_sub_imm(a, R1, R5_BIAS);
    bpf_jump(a, BPF_JGT, R1, R8, none);
    bpf_jump_imm(a, BPF_JSLT, R3, R3_BIAS, none);
    bpf_jump_imm(a, BPF_JEQ, R4, IPV6_FRAGMENT, fragment);
  }
  if (m->joined)
    bpf_place(a, m->ports);
  protocol(m, v);
  if (!apart)
    return;
  bpf_place(a, fragment);
  bpf_jump_imm(a, BPF_JSLT, R3, R3_BIAS + 8, none);
  bpf_jump(a, BPF_JGT, R5, R8, none);
  bpf_load(a, BPF_B, R8, R5, 0 - R5_BIAS);
  bpf_go(a, program_section_of(m, v->fragment));
  bpf_place(a, none);
  bpf_move_imm(a, R8, PROGRAM_PROTOCOL_NONE);
  bpf_go(a, program_section_of(m, v->other));
}

void program_ipv6(struct program_maker *m)
{
  struct bpf_assembler *a = m->a;
  struct version v = version_of(m, KIND_IPV6_OTHER);
  struct bpf_label wrong = m->only_ports ? m->labels.pass : bpf_label(a, "ipv6_wrong");

  bpf_place(a, m->ipv6);
  program_need(m, 14 + IPV6_HEADER_BYTES, wrong);
  bpf_load(a, BPF_B, R2, R7, 14);
  bpf_move(a, R1, R2);
  bpf_and_imm(a, R1, 0xf0);
  bpf_jump_imm(a, BPF_JNE, R1, 0x60, wrong);
  /* It is 32 of 40 bytes; the verifier takes it for 0 or 32. */
  bpf_and_imm(a, R2, IPV6_HEADER_BYTES - R3_BIAS);
  bpf_move(a, R5, R7);
  bpf_add(a, R5, R2);
  bpf_add_imm(a, R5, R5_FIXED + R5_BIAS);
  if (v.for_udp || v.for_tcp || program_differ(m, v.fragment, v.other))
    ipv6_payload(m, &v);
  else
    bpf_go(a, program_section_of(m, v.other));
  if (!m->only_ports)
    unsound(m, wrong, SHUNT_ETHERNET_TYPE_IPV6);
}
