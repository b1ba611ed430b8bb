/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt info: the devices here, and what each could do. */
#include "tools/shunt/info.h"

#include <cap-ng.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shunt/fabric.h"
#include "shunt/port.h"
#include "tools/shunt/fabric.h"
#include "tools/shunt/interfaces.h"
#include "tools/shunt/pci_root.h"
#include "tools/shunt/xdp_hint.h"

/* ---- What a card could do ---- */

struct use {
  char how[64];   /* "ixgbe via vfio"; empty: nothing */
  char note[320]; /* what stands in the way, or why not */
  char name[40];  /* to open it by: "ixgbe:0000:03:00.0" */
  bool ready;     /* it can be opened as it is */
};

static void look_vfio(const struct pci_root *tree, const struct shunt_pci_device *device,
                      struct use *use)
{
  char path[600];
  snprintf(path, sizeof(path), "%s/vfio/%d", tree->dev, device->iommu_group);
  if (access(path, F_OK))
    snprintf(path, sizeof(path), "%s/vfio/noiommu-%d", tree->dev, device->iommu_group);
  snprintf(use->how, sizeof(use->how), "%.16s via vfio", use->name);
  use->ready = access(path, R_OK | W_OK) == 0;
  if (!use->ready)
    snprintf(use->note, sizeof(use->note), "%.200s: %s", path, strerror(errno));
}

/* Physical addresses are hidden from who lacks CAP_SYS_ADMIN (proc(5), pagemap). */
static void look_sysfs(struct use *use)
{
  snprintf(use->how, sizeof(use->how), "%.16s via sysfs", use->name);
  use->ready =
      capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN) == 1;
  if (!use->ready)
    snprintf(use->note, sizeof(use->note), "as root only (CAP_SYS_ADMIN)");
}

static void look_kernel(const struct shunt_pci_device *device, struct use *use)
{
  bool group = device->iommu_group >= 0;
  snprintf(use->how, sizeof(use->how), "%.16s via %s, once taken", use->name,
           group ? "vfio" : "sysfs");
  snprintf(use->note, sizeof(use->note), "%s has it: shunt bind %s%s%s", device->driver,
           device->address, group ? "" : " --driver none",
           *device->default_route ? " --force (it carries the default route)" : "");
}

static void look_use(const struct pci_root *tree, const struct shunt_pci_device *device,
                     struct use *use)
{
  struct shunt_error error;
  memset(use, 0, sizeof(*use));
  const char *driver = shunt_fabric_driver(device->vendor, device->device, &error);
  if (!driver && strstr(error.why, "for other devices"))
    driver = shunt_port_driver(device->vendor, device->device, &error);
  if (!driver) {
    snprintf(use->note, sizeof(use->note), "%s", error.why);
    return;
  }
  snprintf(use->name, sizeof(use->name), "%.15s", driver);
  if (!strncmp(device->driver, "vfio", 4))
    look_vfio(tree, device, use);
  else if (!*device->driver)
    look_sysfs(use);
  else
    look_kernel(device, use);
  snprintf(use->name, sizeof(use->name), "%.15s:%s", driver, device->address);
}

/* ---- PCI functions ---- */

#define CLASS_NETWORK 0x02

struct listing {
  const struct pci_root *tree;
  struct json_object *cards; /* NULL: text */
  unsigned count;
};

static void print_card(const struct shunt_pci_device *device, const struct use *use)
{
  char group[16] = "none", node[16] = "not known", link[48] = "";
  if (device->iommu_group >= 0)
    snprintf(group, sizeof(group), "%d", device->iommu_group);
  if (device->numa_node >= 0)
    snprintf(node, sizeof(node), "%d", device->numa_node);
  if (device->link && device->speed_mbps)
    snprintf(link, sizeof(link), ", link %u Mb/s", device->speed_mbps);
  else if (*device->interfaces)
    snprintf(link, sizeof(link), ", link %s", device->link ? "up" : "down");
  printf("%s  %04x:%04x  driver %s", device->address, device->vendor, device->device,
         *device->driver ? device->driver : "none");
  if (*device->remembered)
    printf(" (taken from %s)", device->remembered);
  if (*device->interfaces)
    printf(", %s", device->interfaces);
  printf("%s, NUMA node %s, IOMMU group %s\n", link, node, group);
  printf("              %s%s%s\n", *use->how ? use->how : "not with shunt", *use->note ? ": " : "",
         use->note);
}

static int list_card(void *context, const struct shunt_pci_device *device)
{
  struct listing *listing = context;
  struct use use;
  if (device->class_code >> 16 != CLASS_NETWORK)
    return 0;
  listing->count++;
  look_use(listing->tree, device, &use);
  if (!listing->cards) {
    print_card(device, &use);
    return 0;
  }
  struct json_object *card = pci_root_json(device);
  cli_add_text(card, "use", *use.how ? use.how : NULL);
  cli_add_text(card, "name", *use.name ? use.name : NULL);
  cli_add_bool(card, "ready", use.ready);
  cli_add_text(card, "note", *use.note ? use.note : NULL);
  json_object_array_add(listing->cards, card);
  return 0;
}

/* ---- Interfaces ---- */

/* What AF_XDP would likely give there. The loopback interface is left out: nothing comes from it
 * that was on a wire. */
static bool read_hint(const struct interface_state *listed, struct xdp_hint *hint)
{
  struct interface_state state;
  if (!strcmp(listed->name, "lo") || interface_read(listed->name, &state, NULL))
    return false;
  xdp_hint_make(&state, hint);
  return true;
}

static struct json_object *interface_json(const struct interface *interface)
{
  const struct interface_state *state = &interface->state;
  struct json_object *object = json_object_new_object();
  struct xdp_hint hint;
  char mac[SHUNT_MAC_TEXT_BYTES];
  cli_add_text(object, "name", state->name);
  cli_add_text(object, "driver", *state->driver ? state->driver : NULL);
  cli_add_u64(object, "mtu", state->mtu);
  cli_add_bool(object, "up", state->up);
  cli_add_bool(object, "carrier", state->carrier);
  cli_add_text(object, "mac", state->has_mac ? shunt_mac_format(state->mac, mac) : NULL);
  cli_add_text(object, "addresses", interface->addresses);
  bool has_hint = read_hint(state, &hint);
  cli_add_text(object, "xdp", has_hint ? hint.modes : NULL);
  cli_add_text(object, "xdp_note", has_hint && *hint.trouble ? hint.trouble : NULL);
  return object;
}

static void print_interface(const struct interface *interface)
{
  const struct interface_state *state = &interface->state;
  struct xdp_hint hint;
  char mac[SHUNT_MAC_TEXT_BYTES] = "";
  printf("%-12s  %s, MTU %u, %s%s%s%s%s\n", state->name,
         *state->driver ? state->driver : "no driver", state->mtu,
         !state->up       ? "down"
         : state->carrier ? "up"
                          : "up, no carrier",
         state->has_mac ? ", " : "", state->has_mac ? shunt_mac_format(state->mac, mac) : "",
         *interface->addresses ? ", " : "", interface->addresses);
  if (read_hint(state, &hint))
    printf("              xdp:%s: %s (a hint)%s%s\n", state->name, hint.modes,
           *hint.trouble ? "; " : "", hint.trouble);
}

static struct json_object *list_interfaces(const struct cli *cli)
{
  struct interface *interfaces = NULL;
  struct shunt_error error;
  struct json_object *list = cli->json ? json_object_new_array() : NULL;
  int count = interfaces_list(&interfaces, &error);
  if (count < 0) {
    shunt_log_error(&cli->log, SHUNT_LOG_WARNING, &error);
    return list;
  }
  for (int i = 0; i < count; i++) {
    if (list)
      json_object_array_add(list, interface_json(&interfaces[i]));
    else
      print_interface(&interfaces[i]);
  }
  free(interfaces);
  return list;
}

/* ---- All of it ---- */

static int list_text(const struct cli *cli, struct listing *listing, bool here)
{
  struct shunt_error error;
  puts("Network cards");
  if (shunt_pci_list(&listing->tree->options, list_card, listing, &error))
    printf("none to be seen: %s: %s\n", error.what, error.why);
  else if (!listing->count)
    puts("none on the PCI bus");
  if (here) {
    puts("\nInterfaces of the kernel");
    list_interfaces(cli);
  }
  puts("\nTwins\nixgbe:twin    always: a software 82599 in this process; see DEVICES in shunt(1)");
  puts("efa:twin      always: a software EFA in this process; see shunt-fabric(1)");
  return CLI_OK;
}

static int list_json(const struct cli *cli, struct listing *listing, bool here)
{
  struct shunt_error error;
  struct json_object *document = json_object_new_object(), *twins = json_object_new_array();
  listing->cards = json_object_new_array();
  json_object_object_add(document, "cards", listing->cards);
  int code = shunt_pci_list(&listing->tree->options, list_card, listing, &error);
  cli_add_text(document, "no_cards_because", code < 0 ? error.why : NULL);
  if (here)
    json_object_object_add(document, "interfaces", list_interfaces(cli));
  json_object_array_add(twins, json_object_new_string("ixgbe:twin"));
  json_object_array_add(twins, json_object_new_string("efa:twin"));
  json_object_object_add(document, "twins", twins);
  return cli_json(document, CLI_OK);
}

static int info_fabric(const struct cli *cli, const char *device)
{
  const struct shunt_fabric_options options = {.size = sizeof(options), .log = &cli->log};
  struct shunt_fabric *fabric = NULL;
  struct shunt_error error;
  if (shunt_fabric_open(device, &options, &fabric, &error))
    return cli_fail(cli, &error);
  int exit = fabric_info(cli, fabric);
  shunt_fabric_close(fabric);
  return exit;
}

static int run(struct cli *cli, int argc, char **argv)
{
  const char *root = "";
  double wait_seconds = 2;
  const struct cli_option options[] = {
      {"wait", 'w', "SECONDS", "How long a link may take to come up (2).", CLI_DOUBLE,
       &wait_seconds, 0, 600},
      {"root", 0, "DIR", "List the cards of a copy of /proc, /sys and /dev below DIR.", CLI_TEXT,
       &root, 0, 0},
      {NULL, 0, NULL, NULL, CLI_FLAG, NULL, 0, 0},
  };
  int first = cli_parse(cli, options, argc, argv, 0, 1);
  if (first < 0)
    return -1 - first;
  if (first < argc && *root)
    return cli_usage(cli, "--root is for the list: a device can't be opened in a copy");
  if (first < argc && !strncmp(cli_device(cli, argv[first]), "efa:", 4))
    return info_fabric(cli, cli_device(cli, argv[first]));
  if (first < argc)
    return info_port(cli, cli_device(cli, argv[first]), wait_seconds);
  struct pci_root tree = {0};
  struct listing listing = {.tree = &tree};
  pci_root_set(&tree, root);
  return cli->json ? list_json(cli, &listing, !*root) : list_text(cli, &listing, !*root);
}

const struct cli_command info_command = {
    .name = "info",
    .arguments = "[DEVICE]",
    .summary = "List the devices here and what each could do, or show what one grants.",
    .run = run,
};
