/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt unbind: give a card back to its kernel driver. */
#include <stdio.h>

#include "shunt/pci.h"
#include "tools/shunt/cli.h"
#include "tools/shunt/pci_root.h"

static int run(struct cli *cli, int argc, char **argv)
{
  const char *root = "";
  const struct cli_option options[] = {
      {"root", 0, "DIR", "Work on a copy of /proc, /sys, /dev and /run below DIR.", CLI_TEXT, &root,
       0, 0},
      {NULL, 0, NULL, NULL, CLI_FLAG, NULL, 0, 0},
  };
  int first = cli_parse(cli, options, argc, argv, 1, 1);
  if (first < 0)
    return -1 - first;
  struct pci_root tree = {0};
  struct shunt_error error;
  pci_root_set(&tree, root);
  if (shunt_pci_unbind(argv[first], &tree.options, &error))
    return cli_fail(cli, &error);

  struct shunt_pci_device device;
  if (pci_root_find(&tree, argv[first], &device, &error))
    return cli_fail(cli, &error);
  if (cli->json)
    return cli_json(pci_root_json(&device), CLI_OK);
  printf("%s: given back to %s\n", device.address, *device.driver ? device.driver : "nobody");
  return CLI_OK;
}

const struct cli_command unbind_command = {
    .name = "unbind",
    .arguments = "ADDRESS",
    .summary = "Give a card back to its kernel driver.",
    .run = run,
};
