/* SPDX-License-Identifier: BSD-2-Clause */
/* Which rules share a table, and what is in it. First match wins inside a table, too: of several
 * rules for one key only the first goes in. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/bpf/program.h"

#define BIT(test) (1u << (test))

/* How many factors are tried before a table of few ports grows. */
#define FEW_FACTORS 64
#define ENDS                                                                                       \
  (BIT(TEST_SOURCE) | BIT(TEST_DESTINATION) | BIT(TEST_SOURCE_PORT) | BIT(TEST_DESTINATION_PORT))

static bool is_single(const struct shunt_xdp_ports *ports)
{
  return ports->count == 1 && ports->range[0].first == ports->range[0].last;
}

/* Whether the ports that a rule asks for are one each, as the key of a hash has to have them. */
static bool has_single_ports(const struct program_match *match)
{
  return (!(match->tests & BIT(TEST_SOURCE_PORT)) || is_single(&match->rule->source_ports)) &&
         (!(match->tests & BIT(TEST_DESTINATION_PORT)) ||
          is_single(&match->rule->destination_ports));
}

/* An id, or that there is no tag: what a key can hold. */
static bool has_single_vlan(const struct program_match *match)
{
  return !(match->tests & BIT(TEST_VLAN)) || match->rule->vlan != SHUNT_XDP_VLAN_ANY;
}

static bool is_of_singles(enum program_table_type type)
{
  return type == PROGRAM_FEW || type == PROGRAM_EXACT;
}

/* Whether b can stand in the same table as a: they differ in nothing that the table does not tell
 * apart. */
static bool is_alike(const struct program_match *a, const struct program_match *b,
                     enum program_table_type type, uint8_t by)
{
  if (a->tests != b->tests)
    return false;
  for (enum program_test test = 0; test < TEST_COUNT; test++) {
    if (!(by & BIT(test)) && !program_test_same(a, b, test))
      return false;
  }
  if (type == PROGRAM_FEW)
    return has_single_ports(b);
  return type != PROGRAM_EXACT ||
         (has_single_ports(b) && (!(by & BIT(TEST_VLAN)) || has_single_vlan(b)) &&
          a->rule->source.bits == b->rule->source.bits &&
          a->rule->destination.bits == b->rule->destination.bits);
}

static unsigned run_length(const struct program_match matches[], unsigned n,
                           enum program_table_type type, uint8_t by)
{
  unsigned count = 1;

  if (!(matches[0].tests & by) || (is_of_singles(type) && !has_single_ports(&matches[0])) ||
      (by & BIT(TEST_VLAN) && !has_single_vlan(&matches[0])))
    return 0;
  while (count < n && is_alike(&matches[0], &matches[count], type, by))
    count++;
  return type == PROGRAM_FEW && count > PROGRAM_FEW_MOST ? 0 : count;
}

/* Whether a run is worth a table: else its rules are better in a chain. */
static bool run_pays(const struct program_run *run)
{
  return run->count >= (run->type == PROGRAM_FEW ? PROGRAM_FEW_LEAST : PROGRAM_CHAIN_MOST + 1);
}

struct program_run program_run_find(const struct program_match matches[], unsigned n)
{
  /* Of tables that pay the longest; of equally long ones the first, which is the fastest to load
   * and to ask. */
  static const struct program_run candidates[] = {
      {PROGRAM_FEW, 0, BIT(TEST_DESTINATION_PORT)},
      {PROGRAM_FEW, 0, BIT(TEST_SOURCE_PORT)},
      {PROGRAM_PORTS, 0, BIT(TEST_DESTINATION_PORT)},
      {PROGRAM_PORTS, 0, BIT(TEST_SOURCE_PORT)},
      {PROGRAM_EXACT, 0, ENDS},
      {PROGRAM_EXACT, 0, ENDS | BIT(TEST_VLAN)},
      {PROGRAM_PREFIXES, 0, BIT(TEST_DESTINATION)},
      {PROGRAM_PREFIXES, 0, BIT(TEST_SOURCE)},
  };
  struct program_run best = {0};

  for (unsigned i = 0; i < sizeof(candidates) / sizeof(candidates[0]) && best.count < n; i++) {
    struct program_run run = candidates[i];
    run.count = run_length(matches, n, run.type, run.by);
    run.by &= matches[0].tests;
    if (run.count > best.count && run_pays(&run))
      best = run;
  }
  return best;
}

/* ---- contents ---- */

static const struct shunt_xdp_ports *ports_by(const struct program_match *match,
                                              const struct program_run *run)
{
  return run->by & BIT(TEST_SOURCE_PORT) ? &match->rule->source_ports
                                         : &match->rule->destination_ports;
}

static void fill_ports(struct program_table *table, const struct program_match matches[],
                       const struct program_run *run)
{
  for (unsigned i = 0; i < run->count; i++) {
    const struct shunt_xdp_ports *ports = ports_by(&matches[i], run);
    for (unsigned k = 0; k < ports->count; k++) {
      for (uint32_t port = ports->range[k].first; port <= ports->range[k].last; port++) {
        if (!table->values[port])
          table->values[port] = matches[i].value;
      }
    }
  }
}

/* Put the ports in their places for a factor. false: two of them share one. */
static bool place_few(struct program_table *table, const struct program_match matches[],
                      const struct program_run *run)
{
  uint16_t absent = ports_by(&matches[0], run)->range[0].first;

  for (uint32_t i = 0; i < table->count; i++) {
    table->values[2 * i] = absent;
    table->values[2 * i + 1] = 0;
  }
  for (unsigned i = 0; i < run->count; i++) {
    uint16_t port = ports_by(&matches[i], run)->range[0].first;
    uint64_t product = (uint64_t)port * table->factor >> PROGRAM_FEW_SHIFT;
    uint16_t *place = &table->values[2 * (product % table->count)];
    if (place[1] && place[0] != port)
      return false;
    if (place[1])
      continue;
    place[0] = port;
    place[1] = matches[i].value;
  }
  return true;
}

/* Factors are tried, then larger tables. The largest has a place for each port, by the first factor
 * that is tried. */
static int fill_few(struct program_table *table, const struct program_match matches[],
                    const struct program_run *run)
{
  uint32_t random = 1;

  for (table->count = 2 * PROGRAM_FEW_MOST; table->count <= PROGRAM_PORT_COUNT; table->count *= 2) {
    uint16_t *values = realloc(table->values, 2 * table->count * sizeof(*values));
    if (!values)
      return -ENOMEM;
    table->values = values;
    table->factor = 1 << PROGRAM_FEW_SHIFT;
    for (unsigned i = 0; i < FEW_FACTORS; i++) {
      if (place_few(table, matches, run))
        return 0;
      random = random * 1664525 + 1013904223; /* an LCG (Numerical Recipes 7.1) */
      table->factor = random >> 1;            /* the immediate's sign would be extended */
    }
  }
  return -ENOMEM; /* never */
}

/* A key on its way into a table, with the place of its rule. */
struct entry {
  uint8_t key[40];
  uint32_t key_bytes;
  uint32_t order;
  uint16_t value;
};

static unsigned address_bytes(const struct program_match *match)
{
  return match->rule->ip_version == 4 ? 4 : 16;
}

static void put(struct entry *entry, const void *bytes, uint32_t count)
{
  memcpy(entry->key + entry->key_bytes, bytes, count);
  entry->key_bytes += count;
}

uint32_t program_vlan_id(const struct shunt_xdp_rule *rule)
{
  return rule->vlan == SHUNT_XDP_VLAN_ID ? rule->vlan_id : PROGRAM_VLAN_NONE;
}

/* The tag, if the table looks at it, the addresses that are asked for, and both ports, in the order
 * in which program_match.c writes them. */
static void key_exact(struct entry *entry, const struct program_match *match, uint8_t by)
{
  const struct shunt_xdp_rule *rule = match->rule;
  const uint32_t vlan = program_vlan_id(rule);
  uint16_t source = 0, destination = 0;

  if (by & BIT(TEST_VLAN))
    put(entry, &vlan, sizeof(vlan));
  if (match->tests & BIT(TEST_SOURCE))
    put(entry, rule->source.address, address_bytes(match));
  if (match->tests & BIT(TEST_DESTINATION))
    put(entry, rule->destination.address, address_bytes(match));
  if (match->tests & BIT(TEST_SOURCE_PORT))
    source = rule->source_ports.range[0].first;
  if (match->tests & BIT(TEST_DESTINATION_PORT))
    destination = rule->destination_ports.range[0].first;
  put(entry, &source, sizeof(source));
  put(entry, &destination, sizeof(destination));
}

static void key_prefix(struct entry *entry, const struct program_match *match, uint8_t by)
{
  const struct shunt_xdp_prefix *prefix =
      by & BIT(TEST_SOURCE) ? &match->rule->source : &match->rule->destination;
  uint32_t bits = prefix->bits;

  put(entry, &bits, sizeof(bits));
  put(entry, prefix->address, address_bytes(match));
}

/* By address, then by length, then by the rules' order: what contains a prefix comes before it. For
 * keys of a hash the split means nothing, but equal ones come together. */
static int compare(const void *left, const void *right)
{
  const struct entry *a = left, *b = right;
  int order = memcmp(a->key + 4, b->key + 4, a->key_bytes - 4);

  if (order == 0) {
    uint32_t x, y;
    memcpy(&x, a->key, sizeof(x));
    memcpy(&y, b->key, sizeof(y));
    order = (x > y) - (x < y);
  }
  return order ? order : (a->order > b->order) - (a->order < b->order);
}

static bool contains(const struct entry *outer, const struct entry *inner)
{
  uint32_t bits;

  memcpy(&bits, outer->key, sizeof(bits));
  const uint8_t *a = outer->key + 4, *b = inner->key + 4;
  if (memcmp(a, b, bits / 8) != 0)
    return false;
  return bits % 8 == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8) == 0;
}

static unsigned unique(struct entry entries[], unsigned n)
{
  unsigned kept = 0;

  for (unsigned i = 0; i < n; i++) {
    if (kept == 0 || memcmp(entries[kept - 1].key, entries[i].key, entries[i].key_bytes) != 0)
      entries[kept++] = entries[i];
  }
  return kept;
}

/* The trie finds the longest prefix, the rules want the first. These are the same once every prefix
 * is gone that an earlier rule's contains: it could never be reached. around[] are the prefixes
 * kept so far that contain each other, and the last of them, perhaps, what comes next. */
static unsigned reachable(struct entry entries[], unsigned n)
{
  unsigned around[129 + 1];
  unsigned depth = 0, kept = 0;

  for (unsigned i = 0; i < n; i++) {
    while (depth && !contains(&entries[around[depth - 1]], &entries[i]))
      depth--;
    /* Each in around[] comes earlier in the rules than what is around it: the last is the first. */
    if (depth && entries[around[depth - 1]].order < entries[i].order)
      continue;
    entries[kept] = entries[i];
    around[depth++] = kept++;
  }
  return kept;
}

static int fill_keys(struct program_table *table, const struct program_match matches[],
                     const struct program_run *run)
{
  struct entry *entries = calloc(run->count, sizeof(*entries));

  if (!entries)
    return -ENOMEM;
  for (unsigned i = 0; i < run->count; i++) {
    entries[i].order = i;
    entries[i].value = matches[i].value;
    if (run->type == PROGRAM_EXACT)
      key_exact(&entries[i], &matches[i], run->by);
    else
      key_prefix(&entries[i], &matches[i], run->by);
  }
  qsort(entries, run->count, sizeof(*entries), compare);
  table->count =
      run->type == PROGRAM_EXACT ? unique(entries, run->count) : reachable(entries, run->count);
  table->key_bytes = entries[0].key_bytes;
  table->keys = malloc((size_t)table->count * table->key_bytes);
  if (table->keys) {
    for (unsigned i = 0; i < table->count; i++) {
      memcpy(table->keys + (size_t)i * table->key_bytes, entries[i].key, table->key_bytes);
      table->values[i] = entries[i].value;
    }
  }
  free(entries);
  return table->keys ? 0 : -ENOMEM;
}

static int fill(struct program_table *table, const struct program_match matches[],
                const struct program_run *run)
{
  if (run->type == PROGRAM_FEW)
    return fill_few(table, matches, run);
  table->values =
      calloc(run->type == PROGRAM_PORTS ? PROGRAM_PORT_COUNT : run->count, sizeof(*table->values));
  if (!table->values)
    return -ENOMEM;
  if (run->type != PROGRAM_PORTS)
    return fill_keys(table, matches, run);
  fill_ports(table, matches, run);
  return 0;
}

int program_table_add(struct program *program, const struct program_match matches[],
                      const struct program_run *run, int *index, struct shunt_error *error)
{
  struct program_table *tables =
      realloc(program->tables, (program->table_count + 1) * sizeof(*tables));
  if (!tables)
    return shunt_error_set(error, -ENOMEM, "no memory for a table of rules");
  program->tables = tables;
  *index = (int)(PROGRAM_TABLES + program->table_count);
  struct program_table *table = &tables[program->table_count++];

  *table = (struct program_table){.type = run->type, .key_bytes = 4, .count = PROGRAM_PORT_COUNT};
  int result = fill(table, matches, run);
  return result ? shunt_error_set(error, result, "no memory for a table of %u rules", run->count)
                : 0;
}

void program_tables_free(struct program *program)
{
  for (uint32_t i = 0; i < program->table_count; i++) {
    free(program->tables[i].keys);
    free(program->tables[i].values);
  }
  free(program->tables);
  program->tables = NULL;
  program->table_count = 0;
}
