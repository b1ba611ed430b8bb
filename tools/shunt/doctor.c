/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt doctor: is this machine fit, and what to do where it is not. */
#include "tools/shunt/doctor.h"

#include <cap-ng.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shunt/fabric.h"
#include "shunt/pci.h"
#include "shunt/port.h"
#include "tools/shunt/cli.h"
#include "tools/shunt/pci_root.h"
#include "tools/shunt/tree.h"

/* ---- What a check says ---- */

static void say(struct doctor_line *line, enum doctor_grade grade, const char *format,
                va_list arguments) SHUNT_PRINTF(3, 0);

static void say(struct doctor_line *line, enum doctor_grade grade, const char *format,
                va_list arguments)
{
  line->grade = grade;
  line->remedy[0] = '\0';
  vsnprintf(line->evidence, sizeof(line->evidence), format, arguments);
}

void doctor_pass(struct doctor_line *line, const char *evidence, ...)
{
  va_list arguments;
  va_start(arguments, evidence);
  say(line, DOCTOR_PASS, evidence, arguments);
  va_end(arguments);
}

void doctor_warn(struct doctor_line *line, const char *evidence, ...)
{
  va_list arguments;
  va_start(arguments, evidence);
  say(line, DOCTOR_WARN, evidence, arguments);
  va_end(arguments);
}

void doctor_fail(struct doctor_line *line, const char *evidence, ...)
{
  va_list arguments;
  va_start(arguments, evidence);
  say(line, DOCTOR_FAIL, evidence, arguments);
  va_end(arguments);
}

void doctor_remedy(struct doctor_line *line, const char *remedy, ...)
{
  va_list arguments;
  va_start(arguments, remedy);
  vsnprintf(line->remedy, sizeof(line->remedy), remedy, arguments);
  va_end(arguments);
}

bool doctor_can(const struct doctor *doctor, const char *capability)
{
  int number = capng_name_to_capability(capability);
  return number >= 0 && number < 64 && doctor->capabilities >> number & 1;
}

/* ---- What several checks look at ---- */

static int add_card(void *context, const struct shunt_pci_device *device)
{
  struct doctor *doctor = context;
  bool is_efa = shunt_fabric_driver(device->vendor, device->device, NULL) != NULL;
  if (!is_efa && !shunt_port_driver(device->vendor, device->device, NULL))
    return 0;
  doctor->efas += is_efa;
  doctor->cards++;
  doctor->cards_vfio += device->iommu_group >= 0;
  return 0;
}

static void prepare(struct doctor *doctor, const char *root)
{
  char status[4096], text[64];
  struct pci_root tree = {0};
  pci_root_set(&tree, root);
  doctor->root = root;
  tree_read(root, doctor->command_line, sizeof(doctor->command_line), "/proc/cmdline");
  tree_read(root, doctor->release, sizeof(doctor->release), "/proc/sys/kernel/osrelease");
  tree_read(root, status, sizeof(status), "/proc/self/status");
  doctor->capabilities_known = tree_line_value(status, "CapEff:", text, sizeof(text));
  doctor->capabilities = strtoull(text, NULL, 16);
  shunt_cpu_online(tree.sys, &doctor->online, NULL);
  shunt_cpu_isolated(tree.sys, &doctor->isolated, NULL);
  doctor->pci = shunt_pci_list(&tree.options, add_card, doctor, NULL) == 0;
}

/* ---- The report ---- */

static const char *const grades[] = {"pass", "warn", "fail"};

struct report {
  struct json_object *checks; /* NULL: text */
  unsigned counts[3];
};

static void report_line(struct report *report, const char *name, const struct doctor_line *line)
{
  report->counts[line->grade]++;
  if (!report->checks) {
    printf("%s  %-22s  %s\n", grades[line->grade], name, line->evidence);
    if (*line->remedy)
      printf("%30stry: %s\n", "", line->remedy);
    return;
  }
  struct json_object *check = json_object_new_object();
  json_object_object_add(check, "name", json_object_new_string(name));
  json_object_object_add(check, "grade", json_object_new_string(grades[line->grade]));
  json_object_object_add(check, "evidence", json_object_new_string(line->evidence));
  json_object_object_add(check, "remedy", json_object_new_string(line->remedy));
  json_object_array_add(report->checks, check);
}

static void look(const struct doctor *doctor, const struct doctor_check *checks,
                 struct report *report)
{
  for (; checks->name; checks++) {
    struct doctor_line line = {.grade = DOCTOR_WARN};
    checks->look(doctor, &line);
    report_line(report, checks->name, &line);
  }
}

static void tell(void *context, const char *name, const struct doctor_line *line)
{
  report_line(context, name, line);
}

static int finish(const struct report *report)
{
  int exit = report->counts[DOCTOR_FAIL] ? CLI_FINDINGS : CLI_OK;
  if (!report->checks) {
    printf("\n%u pass, %u warn, %u fail\n", report->counts[DOCTOR_PASS],
           report->counts[DOCTOR_WARN], report->counts[DOCTOR_FAIL]);
    return exit;
  }
  struct json_object *document = json_object_new_object();
  json_object_object_add(document, "checks", report->checks);
  for (unsigned i = 0; i < 3; i++)
    json_object_object_add(document, grades[i], json_object_new_int((int)report->counts[i]));
  return cli_json(document, exit);
}

/* One device: each way that it can be opened. That none is granted is a failure. */
static int examine(const struct cli *cli, const char *device, struct report *report)
{
  struct doctor_line line;
  struct shunt_error error;
  if (strncmp(device, "xdp:", 4) != 0)
    return cli_usage(cli, "%s: the ways of xdp:INTERFACE are what can be tried", device);
  int granted = doctor_xdp_try(device, &cli->log, tell, report, &error);
  if (granted < 0)
    return cli_fail(cli, &error);
  if (!granted) {
    doctor_fail(&line, "no way of AF_XDP is granted on %s", device);
    doctor_remedy(&line, "each of the lines above says what would help");
    report_line(report, "xdp", &line);
  }
  return finish(report);
}

static int run(struct cli *cli, int argc, char **argv)
{
  const char *root = "";
  bool repair = false;
  uint64_t after = 0;
  const struct cli_option options[] = {
      {"repair", 0, NULL, "Put back what processes that are gone have left changed at interfaces.",
       CLI_FLAG, &repair, 0, 0},
      {"after", 0, "PID", "With --repair: wait until this process has ended.", CLI_U64, &after, 1,
       INT32_MAX},
      {"root", 0, "DIR", "Look at a copy of /proc, /sys and /dev below DIR.", CLI_TEXT, &root, 0,
       0},
      {NULL, 0, NULL, NULL, CLI_FLAG, NULL, 0, 0},
  };
  int first = cli_parse(cli, options, argc, argv, 0, 1);
  if (first < 0)
    return -1 - first;
  static const struct doctor_check *const tables[] = {doctor_kernel_checks, doctor_access_checks,
                                                      doctor_memory_checks, doctor_cpu_checks,
                                                      doctor_devices_checks};
  struct doctor doctor = {0};
  struct report report = {.checks = cli->json ? json_object_new_array() : NULL};
  if (repair)
    return doctor_repair(cli, after);
  if (first < argc)
    return examine(cli, cli_device(cli, argv[first]), &report);
  if (*root && !tree_exists(root, "/"))
    return cli_usage(cli, "--root: there is no directory %s", root);
  prepare(&doctor, root);
  for (unsigned i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
    look(&doctor, tables[i], &report);
  if (!*root) {
    look(&doctor, doctor_live_checks, &report);
    look(&doctor, doctor_xdp_checks, &report);
    doctor_xdp_hints(tell, &report);
  }
  return finish(&report);
}

const struct cli_command doctor_command = {
    .name = "doctor",
    .arguments = "[DEVICE]",
    .summary = "Check this machine: pass, warn or fail, with the evidence and a remedy.",
    .run = run,
};
