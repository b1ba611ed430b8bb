/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt bind: take a card from its kernel driver, and keep it taken. */
#include <stdio.h>

#include "shunt/pci.h"
#include "tools/shunt/cli.h"
#include "tools/shunt/pci_root.h"

static int run(struct cli *cli, int argc, char **argv)
{
  const char *driver = "vfio-pci", *root = "";
  bool force = false;
  const struct cli_option options[] = {
      {"driver", 'd', "NAME", "Who gets it: vfio-pci, another driver, or none (vfio-pci).",
       CLI_TEXT, &driver, 0, 0},
      {"force", 'f', NULL, "Take it even if the machine is reached by it, or it is no NIC.",
       CLI_FLAG, &force, 0, 0},
      {"root", 0, "DIR", "Work on a copy of /proc, /sys, /dev and /run below DIR.", CLI_TEXT, &root,
       0, 0},
      {NULL, 0, NULL, NULL, CLI_FLAG, NULL, 0, 0},
  };
  int first = cli_parse(cli, options, argc, argv, 1, 1);
  if (first < 0)
    return -1 - first;
  const char *address = argv[first];
  struct pci_root tree = {0};
  struct shunt_error error;
  pci_root_set(&tree, root);
  if (shunt_pci_bind(address, driver, force ? SHUNT_PCI_FORCE : 0, &tree.options, &error))
    return cli_fail(cli, &error);

  struct shunt_pci_device device;
  if (pci_root_find(&tree, address, &device, &error))
    return cli_fail(cli, &error);
  if (cli->json)
    return cli_json(pci_root_json(&device), CLI_OK);
  printf("%s: taken from %s, now with %s\n", device.address,
         *device.remembered ? device.remembered : "nobody",
         *device.driver ? device.driver : "nobody, for use through sysfs");
  return CLI_OK;
}

const struct cli_command bind_command = {
    .name = "bind",
    .arguments = "ADDRESS",
    .summary = "Take a card from its kernel driver and keep it taken.",
    .run = run,
};
