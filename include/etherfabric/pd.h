/* SPDX-License-Identifier: BSD-2-Clause */
/* Protection domains: an interface, and the memory that its virtual interfaces may touch. */
#ifndef SHUNT_ETHERFABRIC_PD_H
#define SHUNT_ETHERFABRIC_PD_H
#define __EFAB_PD_H__ /* programs ask whether it is included */

#include <etherfabric/base.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum ef_pd_flags {
  EF_PD_DEFAULT = 0x0,
  EF_PD_VF = 0x1,
  EF_PD_PHYS_MODE = 0x2,
  EF_PD_RX_PACKED_STREAM = 0x4,
  EF_PD_VPORT = 0x8,
  EF_PD_MCAST_LOOP = 0x10, /* nothing loops back, as EF_VI_CAP_HW_MULTICAST_LOOPBACK says */
  EF_PD_MEMREG_64KiB = 0x20,
  EF_PD_IGNORE_BLACKLIST = 0x40,
  EF_PD_EXPRESS = 0x80,
};

#define EF_PD_VLAN_NONE -1

typedef struct ef_pd {
  enum ef_pd_flags pd_flags;
  unsigned pd_resource_id;
  char *pd_intf_name;
  char *pd_cluster_name;
  int pd_cluster_sock;
  ef_driver_handle pd_cluster_dh;
  unsigned pd_cluster_viset_resource_id;
  int pd_cluster_viset_index;
} ef_pd;

/* Make a protection domain on an interface, by its index or by its name.
 *
 * name     a network interface ("eth0"), its index in decimal, or any device name of shunt
 *          ("ixgbe:twin?wire=a", see shunt/port.h). The environment's SHUNT_EFVI_DEVICE can put
 *          another device in a name's place: "eth0=ixgbe:twin?wire=a,eth1=ixgbe:0000:03:00.0".
 *          Without, an interface is opened through AF_XDP ("xdp:eth0")
 * flags    enum ef_pd_flags. EF_PD_EXPRESS: packets stay in the device's memory (efct_vi.h).
 *          EF_PD_VF, EF_PD_PHYS_MODE and EF_PD_VPORT are of devices that shunt does not drive
 * Owner    the caller, until ef_pd_free, or its handle is closed; pd may be copied
 * Returns  0, -EINVAL, -EBADF (the handle), -ENODEV (no such interface), -EOPNOTSUPP (a flag, or
 *          an EFA), -ENOMEM. The device is opened with the domain's first virtual interface */
extern int ef_pd_alloc(ef_pd *pd, ef_driver_handle pd_dh, int ifindex, enum ef_pd_flags flags);
extern int ef_pd_alloc_by_name(ef_pd *pd, ef_driver_handle pd_dh, const char *cluster_or_intf_name,
                               enum ef_pd_flags flags);
/* Always -EOPNOTSUPP, but for EF_PD_VLAN_NONE without EF_PD_VPORT, which is ef_pd_alloc_by_name. */
extern int ef_pd_alloc_with_vport(ef_pd *pd, ef_driver_handle pd_dh, const char *intf_name,
                                  enum ef_pd_flags flags, int vlan_id);

/* The interface's name, also where the domain was made by its number; NULL where pd is none. Valid
 * as long as the domain. */
extern const char *ef_pd_interface_name(ef_pd *pd);

/* Interfaces and memory of the domain may be left, and go on until they are freed themselves.
 * Copies of pd are none any more. Returns 0, -EINVAL (pd is none). */
extern int ef_pd_free(ef_pd *pd, ef_driver_handle pd_dh);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
