/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/netlink/namespace.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "shunt/privileges.h"

/* uapi/linux/fcntl.h, include/linux/exportfs.h and uapi/linux/nsfs.h, Linux 6.18. */
#define HANDLE_ROOT  (-10003) /* FD_NSFS_ROOT */
#define HANDLE_TYPE  0xF1     /* FILEID_NSFS */
#define HANDLE_BYTES 16
struct handle {
  uint32_t bytes;
  int32_t type; /* as struct file_handle, of open_by_handle_at(2) */
  uint64_t id;
  uint32_t kind, inode;
};
static_assert(sizeof(struct handle) == 8 + HANDLE_BYTES, "as the kernel reads it");

#define FIRST_USERS "user:[4026531837]" /* PROC_USER_INIT_INO of linux/proc_ns.h */

/* Returns 0 where it was opened, or -errno. */
static int try_open(const struct namespace_name *name)
{
  struct handle handle = {.bytes = HANDLE_BYTES,
                          .type = HANDLE_TYPE,
                          .id = name->cookie,
                          .kind = CLONE_NEWNET,
                          .inode = (uint32_t)name->inode};
  int fd =
      open_by_handle_at(HANDLE_ROOT, (struct file_handle *)(void *)&handle, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  close(fd);
  return 0;
}

/* That the own one is found shows that the kernel's numbers of namespaces are the cookies. */
bool namespace_can_ask(const struct namespace_name *own)
{
  char users[64] = "";
  return readlink("/proc/self/ns/user", users, sizeof(users) - 1) > 0 &&
         !strcmp(users, FIRST_USERS) && shunt_privileges_have("sys_admin") && !try_open(own);
}

bool namespace_is_gone(const struct namespace_name *name)
{
  return try_open(name) == -ESTALE;
}
