/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor on AF_XDP: of every interface a hint; of one that is named, each way tried. */
#include <stdio.h>
#include <string.h>

#include "shunt/port.h"
#include "src/bpf/features.h"
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

/* Each rung of the ladder by itself. The rule is of an ethertype for experiments within a site
 * (IEEE 802, 0x88b5), so nothing that passes there is taken from the kernel; nothing is set up. */
static const struct rung {
  const char *name, *keys;
} rungs[] = {
    {"hw-zero-copy", "mode=hw&zero_copy=require"},   {"hw-copy", "mode=hw&zero_copy=never"},
    {"drv-zero-copy", "mode=drv&zero_copy=require"}, {"drv-copy", "mode=drv&zero_copy=never"},
    {"skb-copy", "mode=skb&zero_copy=never"},
};

int doctor_xdp_try(const char *device, const struct shunt_log *log, doctor_tell *tell,
                   void *context, struct shunt_error *missing)
{
  int granted = 0;
  char interface[INTERFACE_NAME_BYTES];
  struct interface_state state;
  const struct shunt_port_options options = {
      .size = sizeof(options), .rx_ring = 64, .tx_ring = 64, .log = log};
  snprintf(interface, sizeof(interface), "%.*s", (int)strcspn(device + 4, "?"), device + 4);
  int code = interface_read(interface, &state, missing);
  if (code < 0)
    return code;
  for (unsigned i = 0; i < sizeof(rungs) / sizeof(rungs[0]); i++) {
    struct shunt_port *port = NULL;
    struct shunt_error error = {0};
    struct doctor_line line = {.grade = DOCTOR_WARN};
    struct shunt_port_info info = {.size = sizeof(info)};
    char name[192];
    snprintf(name, sizeof(name), "%s%c%s&setup=0&rules=ether 0x88b5", device,
             strchr(device, '?') ? '&' : '?', rungs[i].keys);
    if (shunt_port_open(name, &options, &port, &error) == 0) {
      shunt_port_info(port, &info);
      doctor_pass(&line, "granted: %s", info.path);
      shunt_port_close(port);
      granted++;
    } else {
      doctor_warn(&line, "%s", *error.why ? error.why : error.what);
      doctor_remedy(&line, "%s", error.remedy);
    }
    tell(context, rungs[i].name, &line);
  }
  return granted;
}
