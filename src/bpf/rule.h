/* SPDX-License-Identifier: BSD-2-Clause */
/* What reading and writing rules share. */
#ifndef SRC_BPF_RULE_H
#define SRC_BPF_RULE_H

#include <stdint.h>

/* A protocol that has a word of its own. */
struct rule_protocol {
  const char *word;
  uint8_t protocol;
  uint8_t ip_version; /* what the word says of it; 0: either */
};

/* By number, for rules of this ip_version; NULL where it has to be written as a number. */
const struct rule_protocol *rule_protocol_find(uint8_t protocol, uint8_t ip_version);

#endif
