/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules as text, and as programs. The first byte of an input says which: even, the rest is a list
 * of rules as a person may type them; what is read must be written as text that reads the same, and
 * its program must judge a few frames as the plain matcher does. Odd, the rest chooses rules (with
 * the next bit set: for ports of IPv4) and frames (tests/unit/xdp_cases.h): the program, in the
 * machine of the tests, against the matcher.
 *
 * The machine refuses what the verifier would: a byte beside the frame, a register or stack that
 * was not written. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/xdp_cases.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Frames that are judged: of an input's own choice, and, where it is text, of chance. */
#define FRAMES_CHOSEN 8
#define FRAMES_RANDOM 256

static void require(int condition)
{
  if (!condition)
    abort();
}

/* The program of the rules against the matcher, on frames that c chooses. */
static void judge(const struct shunt_xdp_rule rules[], unsigned n, struct cases *c, unsigned frames)
{
  struct program program = {0};
  struct machine *machine = calloc(1, sizeof(*machine));
  uint8_t *memory = malloc(MACHINE_HEADROOM + CASES_FRAME_BYTES);
  struct shunt_error error;

  require(machine && memory);
  int result = cases_program(&program, n % CASES_KINDS, rules, n, &error);
  if (result < 0) {
    require(error.code == result && error.what[0] && error.why[0] && error.remedy[0]);
    frames = 0;
  }
  machine->program = &program;
  machine->stripped_vlan = -1;
  while (frames--) {
    memset(memory, 0, MACHINE_HEADROOM);
    uint32_t bytes = cases_frame(c, memory + MACHINE_HEADROOM);
    require(cases_judge(machine, rules, n, memory + MACHINE_HEADROOM, bytes) == NULL);
  }
  program_free(&program);
  free(machine);
  free(memory);
}

static void require_same_ports(const struct shunt_xdp_ports *a, const struct shunt_xdp_ports *b)
{
  require(a->count == b->count);
  for (unsigned i = 0; i < a->count; i++)
    require(a->range[i].first == b->range[i].first && a->range[i].last == b->range[i].last);
}

static void require_same_prefix(const struct shunt_xdp_prefix *a, const struct shunt_xdp_prefix *b)
{
  require(a->bits == b->bits && memcmp(a->address, b->address, sizeof(a->address)) == 0);
}

static void require_same(const struct shunt_xdp_rule *a, const struct shunt_xdp_rule *b)
{
  require(a->mac == b->mac && shunt_mac_equal(a->mac_address, b->mac_address));
  require(a->action == b->action && a->vlan == b->vlan && a->vlan_id == b->vlan_id);
  require(a->ethertype == b->ethertype && a->ip_version == b->ip_version);
  require(a->protocol == b->protocol && a->fragments == b->fragments);
  require_same_prefix(&a->source, &b->source);
  require_same_prefix(&a->destination, &b->destination);
  require_same_ports(&a->source_ports, &b->source_ports);
  require_same_ports(&a->destination_ports, &b->destination_ports);
}

static void read_and_write(const struct shunt_xdp_rule *rule)
{
  char text[SHUNT_XDP_RULE_TEXT_BYTES];
  struct shunt_xdp_rule again;

  require(shunt_xdp_rule_check(rule, NULL) == 0);
  require(shunt_xdp_rule_format(rule, text, sizeof(text)) == strlen(text));
  require(shunt_xdp_rule_parse(text, &again, NULL) == 0);
  require_same(rule, &again);
}

static void try_text(const uint8_t *data, size_t size)
{
  static struct shunt_xdp_rule rules[CASES_RULES];
  struct cases c = {.seed = 1 + size};
  struct shunt_error error;
  unsigned n = 0;
  char *text = malloc(size + 1);

  require(text != NULL);
  memcpy(text, data, size);
  text[size] = '\0';
  int result = shunt_xdp_rules_parse(text, rules, CASES_RULES, &n, &error);
  if (result < 0)
    require(error.code == result && error.what[0] && error.remedy[0]);
  else {
    for (unsigned i = 0; i < n; i++)
      read_and_write(&rules[i]);
    judge(rules, n, &c, FRAMES_RANDOM);
  }
  free(text);
}

static void try_choices(const uint8_t *data, size_t size, bool of_ports)
{
  static struct shunt_xdp_rule rules[CASES_RULES];
  struct cases c = {.at = data, .end = data + size};
  unsigned n = of_ports ? cases_port_rules(&c, rules) : cases_rules(&c, rules);

  for (unsigned i = 0; i < n; i++)
    read_and_write(&rules[i]);
  judge(rules, n, &c, FRAMES_CHOSEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 1)
    return 0;
  if (data[0] & 1)
    try_choices(data + 1, size - 1, data[0] & 2);
  else
    try_text(data + 1, size - 1);
  return 0;
}
