/* SPDX-License-Identifier: BSD-2-Clause */
/* Binding from the inside. */
#ifndef SRC_PCI_BIND_H
#define SRC_PCI_BIND_H

#include "shunt/pci.h"
#include "src/pci/address.h"

/* What a test replaces: it sees each write to sysfs, and lets its tree react. */
struct bind_system {
  void *context;
  int (*write)(void *context, const char *path, const char *text); /* 0 or -errno */
};

/* The options with all filled in. Returns 0, or -EINVAL where they have no size. */
int bind_options(const struct shunt_pci_options *given, struct shunt_pci_options *options,
                 struct shunt_error *error);

/* The driver that a device was taken from: "" where nothing is remembered. */
void bind_recall(const struct shunt_pci_options *options, const char *address,
                 char driver[PCI_NAME_BYTES]);

/* shunt_pci_bind and shunt_pci_unbind on a system of the caller's. */
int bind_take(const char *address, const char *driver, uint32_t flags,
              const struct shunt_pci_options *options, const struct bind_system *system,
              struct shunt_error *error);
int bind_give_back(const char *address, const struct shunt_pci_options *options,
                   const struct bind_system *system, struct shunt_error *error);

#endif
