/* SPDX-License-Identifier: BSD-2-Clause */
/* What reading and writing rules share; rules are read from text in rule_parse.c, from files in
 * rule_file.c, and written in rule.c. */
#ifndef SRC_BPF_RULE_H
#define SRC_BPF_RULE_H

#include "shunt/xdp_rule.h"

/* A protocol that has a word of its own. */
struct rule_protocol {
  const char *word;
  uint8_t protocol;
  uint8_t ip_version; /* what the word says of it; 0: either */
};

/* By number, for rules of this ip_version; NULL where it has to be written as a number. */
const struct rule_protocol *rule_protocol_find(uint8_t protocol, uint8_t ip_version);

/* Read a file's contents as shunt_xdp_rules_read does.
 *
 * path  for errors
 * text  of so many bytes, and room for one more; it is spoilt */
int rule_file_parse(const char *path, char *text, size_t bytes, struct shunt_xdp_rule rules[],
                    unsigned most, unsigned *count, struct shunt_error *error);

#endif
