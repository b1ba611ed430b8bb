/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a network namespace is still there, asked of a kernel that knows them by number: from
 * Linux 6.18 on, a namespace can be opened by a file handle of its cookie and its inode (struct
 * nsfs_file_handle, uapi/linux/nsfs.h), and is refused with ESTALE where it is gone. */
#ifndef SRC_NETLINK_NAMESPACE_H
#define SRC_NETLINK_NAMESPACE_H

#include <stdbool.h>
#include <stdint.h>

struct namespace_name {
  uint64_t cookie; /* SO_NETNS_COOKIE; never given again while the kernel runs */
  uint64_t inode;  /* of /proc/PID/ns/net */
};

/* Whether namespace_is_gone can be asked here: by such a kernel, and by a process that may see all
 * namespaces, for to others those that they may not see look gone. own: of this thread. */
bool namespace_can_ask(const struct namespace_name *own);

/* Whether it is gone for sure; namespace_can_ask must have said yes. */
bool namespace_is_gone(const struct namespace_name *name);

#endif
