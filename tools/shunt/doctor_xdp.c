/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor on AF_XDP: of every interface a hint; of one that is named, each way tried. */
#include <stdio.h>
#include <string.h>

#include "shunt/port.h"
#include "src/bpf/features.h"
#include "src/core/params.h"
#include "src/nic/xdp/xdp.h"
#include "tools/shunt/doctor.h"
#include "tools/shunt/xdp_hint.h"

/* ---- What the kernel has ---- */

static void look_features(const struct doctor *doctor, struct doctor_line *line)
{
  struct features features = {0};
  char missing[240] = "";
  unsigned unknown = 0;
  (void)doctor;
  for (unsigned i = 0; i < FEATURE_COUNT; i++) {
    size_t used = strlen(missing);
    enum feature_state state = features_state(&features, (enum feature)i);
    unknown += state == FEATURE_UNKNOWN;
    if (state == FEATURE_ABSENT)
      snprintf(missing + used, sizeof(missing) - used, "%s%s (%s)", used ? ", " : "",
               feature_name((enum feature)i), feature_since((enum feature)i));
  }
  if (*missing) {
    doctor_warn(line, "this kernel lacks %s", missing);
    doctor_remedy(line, "take the Linux that each names, or leave it out");
  } else if (unknown) {
    doctor_warn(line, "%u of %u features could not be tried", unknown, (unsigned)FEATURE_COUNT);
    doctor_remedy(line, "run as root, or with CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and CAP_NET_RAW");
  } else {
    doctor_pass(line, "this kernel has all %u features that are of use", (unsigned)FEATURE_COUNT);
  }
}

const struct doctor_check doctor_xdp_checks[] = {{"xdp-kernel", look_features}, {NULL, NULL}};

/* ---- Every interface ---- */

struct telling {
  doctor_tell *tell;
  void *context;
};

static int tell_hint(void *context, const struct interface_state *listed)
{
  const struct telling *telling = context;
  struct interface_state state;
  struct doctor_line line = {.grade = DOCTOR_WARN};
  struct xdp_hint hint;
  char name[32];
  if (!strcmp(listed->name, "lo") || interface_read(listed->name, &state, NULL))
    return 0;
  xdp_hint_make(&state, &hint);
  snprintf(name, sizeof(name), "xdp:%s", state.name);
  if (*hint.trouble) {
    doctor_warn(&line, "%s (a hint); %s", hint.modes, hint.trouble);
    doctor_remedy(&line, "%s", hint.remedy);
  } else {
    doctor_pass(&line, "%s (a hint: shunt doctor xdp:%s tries)", hint.modes, state.name);
  }
  telling->tell(telling->context, name, &line);
  return 0;
}

void doctor_xdp_hints(doctor_tell *tell, void *context)
{
  struct telling telling = {tell, context};
  interface_list(tell_hint, &telling, NULL);
}

/* ---- One, for real ---- */

/* Each rung of the ladder by itself. */
static const struct rung {
  const char *name, *keys;
} rungs[] = {
    {"hw-zero-copy", "mode=hw&zero_copy=require"},   {"hw-copy", "mode=hw&zero_copy=never"},
    {"drv-zero-copy", "mode=drv&zero_copy=require"}, {"drv-copy", "mode=drv&zero_copy=never"},
    {"skb-copy", "mode=skb&zero_copy=never"},
};

/* What is tried on each rung, so that nothing which passes there is taken from the kernel. */
struct trial {
  char interface[64];
  char keys[PARAMS_TEXT_BYTES];  /* of the name, without those that a rung has itself */
  char rules[PARAMS_TEXT_BYTES]; /* that take no frame */
};

/* The rules with "pass" for what they do: within what a helper's policy allows, where these are. */
static void make_pass(char *rules, char *text, size_t bytes)
{
  char *rule_text, one[SHUNT_XDP_RULE_TEXT_BYTES];
  while ((rule_text = strsep(&rules, ";")) != NULL) {
    const size_t used = strlen(text);
    struct shunt_xdp_rule rule;
    if (shunt_xdp_rule_parse(rule_text, &rule, NULL) || rule.action == SHUNT_XDP_DROP)
      continue;
    rule.action = SHUNT_XDP_PASS;
    shunt_xdp_rule_format(&rule, one, sizeof(one));
    snprintf(text + used, bytes - used, "%s%s", used ? ";" : "", one);
  }
}

/* An ethertype for experiments within a site (IEEE 802, 0x88b5); of a helper the name's rules. */
static void choose_rules(struct params *params, struct trial *trial)
{
  char rules[PARAMS_TEXT_BYTES] = "";
  const char *given = params_take(params, "rules");
  if (given && params_given(params, "helper")) {
    snprintf(rules, sizeof(rules), "%s", given);
    make_pass(rules, trial->rules, sizeof(trial->rules));
  }
  if (!*trial->rules)
    snprintf(trial->rules, sizeof(trial->rules), "ether 0x88b5");
}

/* A mistake in the name is one on every rung, and told once. */
static int make_trial(const char *device, struct trial *trial, struct shunt_error *error)
{
  static const char *const own[] = {"mode", "hw",         "drv",  "skb",  "zero_copy",
                                    "copy", "rules_file", "join", "setup"};
  const size_t end = strcspn(device, "?");
  const char *keys = device[end] ? device + end + 1 : "";
  struct params params;
  struct interface_state state;
  memset(trial, 0, sizeof(*trial));
  snprintf(trial->interface, sizeof(trial->interface), "%.*s", (int)end - 4, device + 4);
  int code = xdp_keys_check(keys, NULL, error);
  if (code)
    return shunt_error_within(error, code, "\"%s\"", device);
  code = interface_read(trial->interface, &state, error);
  code = code < 0 ? code : params_parse(&params, keys, error);
  if (code < 0)
    return code;
  choose_rules(&params, trial);
  for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
    params_take(&params, own[i]);
  return params_rest(&params, trial->keys, sizeof(trial->keys));
}

/* Returns whether it was granted. */
static bool try_rung(const struct trial *trial, const struct rung *rung,
                     const struct shunt_log *log, struct doctor_line *line)
{
  const struct shunt_port_options options = {.size = sizeof(options), .log = log};
  struct shunt_port *port = NULL;
  struct shunt_error error = {0};
  struct shunt_port_info info = {.size = sizeof(info)};
  char name[2 * PARAMS_TEXT_BYTES + 128];
  snprintf(name, sizeof(name), "xdp:%s?%s%s%s&setup=0&rules=%s", trial->interface, trial->keys,
           *trial->keys ? "&" : "", rung->keys, trial->rules);
  if (shunt_port_open(name, &options, &port, &error)) {
    doctor_warn(line, "%s", *error.why ? error.why : error.what);
    doctor_remedy(line, "%s", error.remedy);
    return false;
  }
  shunt_port_info(port, &info);
  doctor_pass(line, "granted: %s", info.path);
  shunt_port_close(port);
  return true;
}

int doctor_xdp_try(const char *device, const struct shunt_log *log, doctor_tell *tell,
                   void *context, struct shunt_error *error)
{
  struct trial trial;
  int granted = 0;
  int code = make_trial(device, &trial, error);
  if (code < 0)
    return code;
  for (unsigned i = 0; i < sizeof(rungs) / sizeof(rungs[0]); i++) {
    struct doctor_line line = {.grade = DOCTOR_WARN};
    granted += try_rung(&trial, &rungs[i], log, &line);
    tell(context, rungs[i].name, &line);
  }
  return granted;
}
