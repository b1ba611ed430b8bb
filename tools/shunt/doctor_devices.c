/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor on cards and interrupts. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shunt/fabric.h"
#include "shunt/pci.h"
#include "shunt/port.h"
#include "tools/shunt/doctor.h"
#include "tools/shunt/pci_root.h"
#include "tools/shunt/tree.h"

/* ---- Cards ---- */

struct cards {
  unsigned ready, taken;
  char kernels[128]; /* "0000:03:00.0 (ixgbe)": the first that the kernel has */
  char address[24];
};

static int add_card(void *context, const struct shunt_pci_device *device)
{
  struct cards *cards = context;
  if (!shunt_port_driver(device->vendor, device->device, NULL) &&
      !shunt_fabric_driver(device->vendor, device->device, NULL))
    return 0;
  if (!*device->driver || !strncmp(device->driver, "vfio", 4)) {
    cards->ready++;
    return 0;
  }
  if (!cards->taken++) {
    snprintf(cards->address, sizeof(cards->address), "%s", device->address);
    snprintf(cards->kernels, sizeof(cards->kernels), "%s (%s)", device->address, device->driver);
  }
  return 0;
}

static void look_cards(const struct doctor *doctor, struct doctor_line *line)
{
  struct cards cards = {0};
  struct pci_root tree = {0};
  pci_root_set(&tree, doctor->root);
  shunt_pci_list(&tree.options, add_card, &cards, NULL);
  if (!doctor->cards) {
    doctor_warn(line, "%s: only twins (ixgbe:twin, efa:twin) can be opened",
                doctor->pci ? "none that shunt has a driver for" : "no PCI bus to look at");
    doctor_remedy(line, "shunt info says of each device what it could do");
    return;
  }
  if (!cards.taken) {
    doctor_pass(line, "%u, ready to be opened", cards.ready);
    return;
  }
  doctor_warn(line, "the kernel has %u of %u: %s", cards.taken, doctor->cards, cards.kernels);
  doctor_remedy(line, "shunt bind %s", cards.address);
}

/* ---- Interrupts of others ---- */

struct processes {
  const struct doctor *doctor;
  char balancer[32]; /* its process id, or empty */
};

static bool is_balancer(void *context, const char *name)
{
  struct processes *processes = context;
  char command[64];
  if (!isdigit((unsigned char)*name))
    return true;
  tree_read(processes->doctor->root, command, sizeof(command), "/proc/%s/comm", name);
  if (!strcmp(command, "irqbalance"))
    snprintf(processes->balancer, sizeof(processes->balancer), "%s", name);
  return !*processes->balancer;
}

static void look_balancer(const struct doctor *doctor, struct doctor_line *line)
{
  struct processes processes = {.doctor = doctor};
  tree_each(doctor->root, "/proc", is_balancer, &processes);
  if (!*processes.balancer) {
    doctor_pass(line, "irqbalance does not run");
    return;
  }
  doctor_warn(line, "irqbalance runs (process %s) and moves interrupts to any CPU",
              processes.balancer);
  doctor_remedy(line, "systemctl disable --now irqbalance, or IRQBALANCE_BANNED_CPULIST= in "
                      "/etc/default/irqbalance");
}

struct affinities {
  const struct doctor *doctor;
  unsigned total, reaching;
  char first[96]; /* "24 on 0-3": the first that may reach an isolated CPU */
};

static bool add_interrupt(void *context, const char *name)
{
  struct affinities *affinities = context;
  struct shunt_cpu_set allowed;
  char list[256];
  if (!isdigit((unsigned char)*name) ||
      tree_read(affinities->doctor->root, list, sizeof(list),
                "/proc/irq/%s/effective_affinity_list", name) ||
      !isdigit((unsigned char)*list) || shunt_cpu_set_parse(list, &allowed))
    return true;
  affinities->total++;
  for (unsigned cpu = 0; cpu < SHUNT_CPU_MAX; cpu++) {
    if (!shunt_cpu_set_has(&affinities->doctor->isolated, cpu) || !shunt_cpu_set_has(&allowed, cpu))
      continue;
    if (!affinities->reaching++)
      snprintf(affinities->first, sizeof(affinities->first), "%.16s on %.64s", name, list);
    break;
  }
  return true;
}

static void look_affinity(const struct doctor *doctor, struct doctor_line *line)
{
  struct affinities affinities = {.doctor = doctor};
  if (!shunt_cpu_set_count(&doctor->isolated)) {
    doctor_warn(line, "no CPU is isolated, so every interrupt may meet a polling thread");
    doctor_remedy(line, "isolate CPUs first");
    return;
  }
  tree_each(doctor->root, "/proc/irq", add_interrupt, &affinities);
  if (!affinities.reaching) {
    doctor_pass(line, "none of %u interrupts goes to an isolated CPU", affinities.total);
    return;
  }
  doctor_warn(line, "%u of %u interrupts go to isolated CPUs: %s", affinities.reaching,
              affinities.total, affinities.first);
  doctor_remedy(line, "echo the other CPUs into /proc/irq/N/smp_affinity_list, or boot with "
                      "irqaffinity=");
}

const struct doctor_check doctor_devices_checks[] = {
    {"cards", look_cards},
    {"irq-balance", look_balancer},
    {"irq-affinity", look_affinity},
    {NULL, NULL},
};
