/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor on CPUs: who else runs there, how deep they sleep, how fast they are, what time it is.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shunt/clock.h"
#include "tools/shunt/doctor.h"
#include "tools/shunt/tree.h"

/* ---- CPUs of our own ---- */

/* The upper half of the CPUs, as a list: the first have the kernel's own work. */
static void upper_half(const struct shunt_cpu_set *online, char *list, size_t bytes)
{
  struct shunt_cpu_set upper = {{0}};
  unsigned seen = 0, half = shunt_cpu_set_count(online) / 2;
  for (unsigned cpu = 0; cpu < SHUNT_CPU_MAX; cpu++)
    if (shunt_cpu_set_has(online, cpu) && seen++ >= half)
      upper.bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
  shunt_cpu_set_format(&upper, list, bytes);
}

static void look_isolated(const struct doctor *doctor, struct doctor_line *line)
{
  char list[128];
  unsigned online = shunt_cpu_set_count(&doctor->online);
  shunt_cpu_set_format(&doctor->isolated, list, sizeof(list));
  if (shunt_cpu_set_count(&doctor->isolated)) {
    doctor_pass(line, "CPUs %s of %u", list, online);
    return;
  }
  if (online == 1) {
    doctor_warn(line, "the only CPU is everybody's: a polling thread and its peer take turns");
    doctor_remedy(line, "give the machine more CPUs");
    return;
  }
  upper_half(&doctor->online, list, sizeof(list));
  doctor_warn(line, "none of %u: the scheduler puts other threads beside a polling one", online);
  doctor_remedy(line, "boot with isolcpus=managed_irq,domain,%s, or make a cpuset partition", list);
}

static void look_tickless(const struct doctor *doctor, struct doctor_line *line)
{
  char list[256], key[256];
  tree_read(doctor->root, list, sizeof(list), "/sys/devices/system/cpu/nohz_full");
  bool asked = tree_word_value(doctor->command_line, "nohz_full=", key, sizeof(key));
  if (isdigit((unsigned char)*list)) {
    struct shunt_cpu_set tickless;
    bool all = shunt_cpu_set_parse(list, &tickless) == 0;
    for (unsigned cpu = 0; cpu < SHUNT_CPU_MAX; cpu++)
      if (shunt_cpu_set_has(&doctor->isolated, cpu) && !shunt_cpu_set_has(&tickless, cpu))
        all = false;
    if (all) {
      doctor_pass(line, "CPUs %s", list);
      return;
    }
    doctor_warn(line, "CPUs %s: not all that are isolated", list);
  } else if (asked) {
    doctor_warn(line, "the command line says nohz_full=%s, and the kernel does not do it", key);
  } else {
    doctor_warn(line, "none: the timer interrupts a polling thread 100 to 1000 times a second");
  }
  doctor_remedy(line, "boot with nohz_full= and rcu_nocbs= on the isolated CPUs (the kernel needs "
                      "CONFIG_NO_HZ_FULL)");
}

static void look_smt(const struct doctor *doctor, struct doctor_line *line)
{
  char active[8], control[32];
  tree_read(doctor->root, active, sizeof(active), "/sys/devices/system/cpu/smt/active");
  tree_read(doctor->root, control, sizeof(control), "/sys/devices/system/cpu/smt/control");
  if (!*active) {
    doctor_pass(line, "this kernel knows of none");
  } else if (*active == '1') {
    doctor_warn(line, "on: a polling thread shares its core with what runs on the sibling");
    doctor_remedy(line, "echo off > /sys/devices/system/cpu/smt/control, or leave the siblings of "
                        "polling CPUs idle");
  } else {
    doctor_pass(line, "off (%s)", control);
  }
}

/* ---- Sleep ---- */

#define GOOD_EXIT_LATENCY_US 10

struct idle {
  const struct doctor *doctor;
  char cpu[16];
  bool any;
  uint64_t deepest_us;
  char deepest[32];
};

static bool add_state(void *context, const char *name)
{
  struct idle *idle = context;
  const char *root = idle->doctor->root;
  uint64_t latency, disabled = 0;
  if (strncmp(name, "state", 5) != 0 ||
      tree_number(root, &latency, "/sys/devices/system/cpu/%s/cpuidle/%s/latency", idle->cpu, name))
    return true;
  tree_number(root, &disabled, "/sys/devices/system/cpu/%s/cpuidle/%s/disable", idle->cpu, name);
  idle->any = true;
  if (disabled || (latency < idle->deepest_us && *idle->deepest))
    return true;
  idle->deepest_us = latency;
  tree_read(root, idle->deepest, sizeof(idle->deepest),
            "/sys/devices/system/cpu/%s/cpuidle/%s/name", idle->cpu, name);
  return true;
}

/* The CPU that a polling thread would have: the last isolated one, or the last of all. */
static unsigned polling_cpu(const struct doctor *doctor)
{
  unsigned cpu = 0;
  bool isolated = shunt_cpu_set_count(&doctor->isolated) > 0;
  for (unsigned i = 0; i < SHUNT_CPU_MAX; i++)
    if (shunt_cpu_set_has(isolated ? &doctor->isolated : &doctor->online, i))
      cpu = i;
  return cpu;
}

static void look_idle(const struct doctor *doctor, struct doctor_line *line)
{
  char driver[32], path[128];
  struct idle idle = {.doctor = doctor};
  tree_read(doctor->root, driver, sizeof(driver), "/sys/devices/system/cpu/cpuidle/current_driver");
  snprintf(idle.cpu, sizeof(idle.cpu), "cpu%u", polling_cpu(doctor));
  snprintf(path, sizeof(path), "/sys/devices/system/cpu/%s/cpuidle", idle.cpu);
  tree_each(doctor->root, path, add_state, &idle);
  if (!idle.any) {
    doctor_pass(line, "the kernel puts %s into no states (idle driver %s)", idle.cpu,
                *driver ? driver : "none");
    return;
  }
  if (idle.deepest_us <= GOOD_EXIT_LATENCY_US) {
    doctor_pass(line, "%s, driver %s: the deepest state is %s, %llu us to leave", idle.cpu, driver,
                idle.deepest, (unsigned long long)idle.deepest_us);
    return;
  }
  bool held = tree_exists(doctor->root, "/dev/cpu_dma_latency");
  doctor_warn(line, "%s, driver %s: state %s takes %llu us to leave%s", idle.cpu, driver,
              idle.deepest, (unsigned long long)idle.deepest_us,
              held ? "" : ", and there is no /dev/cpu_dma_latency to forbid it");
  doctor_remedy(line, "keep /dev/cpu_dma_latency open with 0 written to it (tuned does: "
                      "latency-performance), or boot with intel_idle.max_cstate=1 "
                      "processor.max_cstate=1");
}

/* ---- Speed ---- */

struct governors {
  const struct doctor *doctor;
  unsigned total, other;
  char first[96]; /* "cpu3 powersave": the first that is not performance */
};

static bool add_governor(void *context, const char *name)
{
  struct governors *governors = context;
  char governor[32];
  if (strncmp(name, "cpu", 3) != 0 || !isdigit((unsigned char)name[3]))
    return true;
  if (tree_read(governors->doctor->root, governor, sizeof(governor),
                "/sys/devices/system/cpu/%s/cpufreq/scaling_governor", name))
    return true;
  governors->total++;
  if (!strcmp(governor, "performance"))
    return true;
  if (!governors->other++)
    snprintf(governors->first, sizeof(governors->first), "%.32s %s", name, governor);
  return true;
}

static void look_governor(const struct doctor *doctor, struct doctor_line *line)
{
  struct governors governors = {.doctor = doctor};
  tree_each(doctor->root, "/sys/devices/system/cpu", add_governor, &governors);
  if (!governors.total) {
    doctor_pass(line, "the kernel does not scale frequencies here (the firmware or the host may)");
  } else if (!governors.other) {
    doctor_pass(line, "performance, on all %u CPUs", governors.total);
  } else {
    doctor_warn(line, "%u of %u CPUs have another than performance: %s", governors.other,
                governors.total, governors.first);
    doctor_remedy(line, "echo performance | tee "
                        "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor");
  }
}

static void look_turbo(const struct doctor *doctor, struct doctor_line *line)
{
  uint64_t flag;
  if (!tree_number(doctor->root, &flag, "/sys/devices/system/cpu/intel_pstate/no_turbo"))
    flag = !flag;
  else if (tree_number(doctor->root, &flag, "/sys/devices/system/cpu/cpufreq/boost")) {
    doctor_pass(line, "the kernel has no switch for it here");
    return;
  }
  if (!flag) {
    doctor_pass(line, "off");
    return;
  }
  doctor_warn(line, "on: the frequency follows load and heat, and figures with it");
  doctor_remedy(line, "to measure: echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo, or "
                      "echo 0 > /sys/devices/system/cpu/cpufreq/boost");
}

/* ---- Time ---- */

static void look_clock(const struct doctor *doctor, struct doctor_line *line)
{
  char current[32], others[128];
  const char *where = "/sys/devices/system/clocksource/clocksource0";
  tree_read(doctor->root, current, sizeof(current), "%s/current_clocksource", where);
  tree_read(doctor->root, others, sizeof(others), "%s/available_clocksource", where);
  if (!*current) {
    doctor_warn(line, "%s/current_clocksource is not readable", where);
    doctor_remedy(line, "mount /sys");
  } else if (!strcmp(current, "tsc") || !strcmp(current, "arch_sys_counter")) {
    doctor_pass(line, "%s", current);
  } else {
    doctor_warn(line, "%s, of: %s; reading it costs more than reading the counter", current,
                others);
    if (tree_has_word(others, "tsc"))
      doctor_remedy(line, "echo tsc > %s/current_clocksource", where);
    else
      doctor_remedy(line, "the kernel found the counter unstable, or its host hides it: dmesg | "
                          "grep -i tsc");
  }
}

/* The counter can only be measured on this machine; of a copy, what its kernel says is looked at.
 */
static void look_counter(const struct doctor *doctor, struct doctor_line *line)
{
  struct shunt_tsc tsc;
  struct shunt_error error;
  char text[4096], flags[2048];
  const char *remedy = "shunt reads the kernel's clock instead, some 20 ns a reading; dmesg | grep "
                       "-i tsc says what is wrong";
  if (!*doctor->root) {
    int code = shunt_tsc_calibrate(&tsc, &error);
    if (code < 0)
      doctor_fail(line, "%s", error.what);
    else if (tsc.source == SHUNT_TSC_MONOTONIC)
      doctor_warn(line, "not relied on: %s", tsc.reason);
    else
      doctor_pass(line, "%s, %.3f MHz, measured against CLOCK_MONOTONIC",
                  shunt_tsc_source_name(&tsc), (double)tsc.frequency_hz / 1e6);
    if (line->grade != DOCTOR_PASS)
      doctor_remedy(line, "%s", remedy);
    return;
  }
  tree_read(doctor->root, text, sizeof(text), "/proc/cpuinfo");
  tree_line_value(text, "flags", flags, sizeof(flags));
  if (tree_has_word(flags, "constant_tsc") && tree_has_word(flags, "nonstop_tsc")) {
    doctor_pass(line, "constant_tsc and nonstop_tsc");
    return;
  }
  doctor_warn(line, "/proc/cpuinfo does not list both constant_tsc and nonstop_tsc");
  doctor_remedy(line, "%s", remedy);
}

const struct doctor_check doctor_cpu_checks[] = {
    {"cpus-isolated", look_isolated},
    {"cpus-tickless", look_tickless},
    {"smt", look_smt},
    {"c-states", look_idle},
    {"governor", look_governor},
    {"turbo", look_turbo},
    {"clock-source", look_clock},
    {"tsc", look_counter},
    {NULL, NULL},
};
