/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor on the kernel: version, configuration, IOMMU, VFIO, the BPF compiler. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/shunt/doctor.h"
#include "tools/shunt/tree.h"

/* memfd_create(2) knows huge pages from 4.14 on, and regions stand on it; 5.10 is the oldest kernel
 * with long-term support. */
static void look_version(const struct doctor *doctor, struct doctor_line *line)
{
  unsigned major = 0, minor = 0;
  if (sscanf(doctor->release, "%u.%u", &major, &minor) != 2) {
    doctor_warn(line, "/proc/sys/kernel/osrelease is not readable or no version: \"%s\"",
                doctor->release);
    doctor_remedy(line, "mount /proc");
    return;
  }
  unsigned version = major * 1000 + minor;
  if (version >= 5010) {
    doctor_pass(line, "Linux %s", doctor->release);
    return;
  }
  if (version >= 4014)
    doctor_warn(line, "Linux %s is older than 5.10", doctor->release);
  else
    doctor_fail(line, "Linux %s is older than 4.14: no memfd in huge pages", doctor->release);
  doctor_remedy(line, "install a kernel of 5.10 or later");
}

/* What shunt uses of a kernel, and what for. */
static const struct {
  const char *option, *use;
} wanted[] = {
    {"CONFIG_HUGETLBFS", "huge pages"},
    {"CONFIG_VFIO_PCI", "cards through vfio"},
    {"CONFIG_IOMMU_SUPPORT", "cards through vfio"},
    {"CONFIG_TUN", "twins on a TAP interface"},
    {"CONFIG_XDP_SOCKETS", "AF_XDP"},
    {"CONFIG_NO_HZ_FULL", "CPUs without a timer tick"},
    {"CONFIG_CPU_ISOLATION", "isolated CPUs"},
};

static void look_config(const struct doctor *doctor, struct doctor_line *line)
{
  enum { BYTES = 1 << 20 };
  char *text = malloc(BYTES), value[16], missing[256] = "";
  if (!text) {
    doctor_warn(line, "no memory to read the kernel's configuration");
    return;
  }
  if (tree_read(doctor->root, text, BYTES, "/boot/config-%s", doctor->release)) {
    doctor_warn(line, "/boot/config-%s is not readable: not checked", doctor->release);
    doctor_remedy(line, "compare zcat /proc/config.gz with shunt-doctor(1)");
    free(text);
    return;
  }
  for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
    char key[48];
    snprintf(key, sizeof(key), "%s=", wanted[i].option);
    size_t used = strlen(missing);
    if (!tree_line_value(text, key, value, sizeof(value)))
      snprintf(missing + used, sizeof(missing) - used, "%s%s (%s)", used ? ", " : "",
               wanted[i].option, wanted[i].use);
  }
  free(text);
  if (!*missing) {
    doctor_pass(line, "/boot/config-%s has all that is of use", doctor->release);
    return;
  }
  doctor_warn(line, "/boot/config-%s lacks %s", doctor->release, missing);
  doctor_remedy(line, "boot a kernel that has them, such as Debian's");
}

static bool count(void *context, const char *name)
{
  (void)name;
  (*(unsigned *)context)++;
  return true;
}

static void look_iommu(const struct doctor *doctor, struct doctor_line *line)
{
  unsigned groups = 0;
  char mode[32];
  const char *says = "the command line says nothing of it";
  static const char *const switches[] = {"intel_iommu=off", "amd_iommu=off", "iommu=off",
                                         "intel_iommu=on",  "amd_iommu=on",  "iommu=pt"};
  for (unsigned i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
    if (tree_has_word(doctor->command_line, switches[i])) {
      says = switches[i];
      break;
    }
  tree_each(doctor->root, "/sys/kernel/iommu_groups", count, &groups);
  if (groups) {
    tree_read(doctor->root, mode, sizeof(mode), "/sys/kernel/iommu_groups/0/type");
    doctor_pass(line, "on: %u groups%s%s (%s)", groups, *mode ? ", group 0 is " : "", mode, says);
    return;
  }
  doctor_warn(line,
              "off: no IOMMU groups (%s); cards can be reached only as root, through sysfs "
              "and huge pages, and nothing confines their DMA",
              says);
  doctor_remedy(line, "switch VT-d or AMD-Vi on in the firmware, and boot with intel_iommu=on "
                      "iommu=pt (AMD: iommu=pt)");
}

static void look_vfio(const struct doctor *doctor, struct doctor_line *line)
{
  char unsafe[8];
  bool driver = tree_exists(doctor->root, "/sys/bus/pci/drivers/vfio-pci");
  bool device = tree_exists(doctor->root, "/dev/vfio/vfio");
  tree_read(doctor->root, unsafe, sizeof(unsafe),
            "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
  if (driver && device && *unsafe == 'Y') {
    doctor_warn(line, "vfio-pci is loaded, in the unsafe mode without an IOMMU");
    doctor_remedy(line, "echo N > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode, unless "
                        "the machine has no IOMMU");
    return;
  }
  if (driver && device) {
    doctor_pass(line, "vfio-pci is loaded, /dev/vfio/vfio is there");
    return;
  }
  if (driver) {
    doctor_warn(line, "vfio-pci is loaded, but /dev/vfio/vfio is not there");
    doctor_remedy(line, "pass /dev/vfio into the container, or: modprobe vfio_iommu_type1");
    return;
  }
  doctor_warn(line, "the driver vfio-pci is not loaded%s",
              tree_exists(doctor->root, "/proc/modules") ? "" : ", and this kernel has no modules");
  doctor_remedy(line, "modprobe vfio-pci; to have it at boot: echo vfio-pci > "
                      "/etc/modules-load.d/vfio-pci.conf");
}

static void look_bpf(const struct doctor *doctor, struct doctor_line *line)
{
  uint64_t mode;
  int code = tree_number(doctor->root, &mode, "/proc/sys/net/core/bpf_jit_enable");
  if (code < 0) {
    doctor_warn(line, "/proc/sys/net/core/bpf_jit_enable: %s", strerror(-code));
    doctor_remedy(line, "look at it as root and outside of containers");
  } else if (mode == 0) {
    doctor_warn(line, "bpf_jit_enable is 0: XDP programs are interpreted");
    doctor_remedy(line, "sysctl net.core.bpf_jit_enable=1");
  } else {
    doctor_pass(line, "bpf_jit_enable is %llu", (unsigned long long)mode);
  }
}

const struct doctor_check doctor_kernel_checks[] = {
    {"kernel", look_version}, {"kernel-config", look_config}, {"iommu", look_iommu},
    {"vfio", look_vfio},      {"bpf-jit", look_bpf},          {NULL, NULL},
};
