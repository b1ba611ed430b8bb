/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/netlink/elsewhere.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shunt/privileges.h"
#include "src/netlink/netlink.h"

/* ---- Which namespace it is ---- */

static int take_number(const struct nlattr *attribute, void *context)
{
  if (mnl_attr_get_type(attribute) == NETNSA_NSID)
    *(int *)context = (int)netlink_u32(attribute, (uint32_t)NETNSA_NSID_NOT_ASSIGNED);
  return MNL_CB_OK;
}

static int take_answer(const struct nlmsghdr *header, void *context)
{
  return mnl_attr_parse(header, sizeof(struct rtgenmsg), take_number, context);
}

static bool has_number(struct netlink *netlink, int fd, int number)
{
  char buffer[NETLINK_REQUEST_BYTES];
  struct rtgenmsg *message;
  int got = NETNSA_NSID_NOT_ASSIGNED;
  struct nlmsghdr *request =
      netlink_begin(netlink, buffer, RTM_GETNSID, 0, (void *)&message, sizeof(*message));
  mnl_attr_put_u32(request, NETNSA_FD, (uint32_t)fd);
  return netlink_talk(netlink, request, take_answer, &got) == 0 && got == number;
}

/* A file descriptor of the namespace, from the files DIRECTORY/NAME/file; -1: it is not there. */
static int find_in(struct netlink *netlink, const char *path, const char *file, int number)
{
  DIR *directory = opendir(path);
  int found = -1;
  if (!directory)
    return -1;
  for (const struct dirent *entry; found < 0 && (entry = readdir(directory)) != NULL;) {
    char name[NAME_MAX + 16];
    snprintf(name, sizeof(name), "%s%s", entry->d_name, file);
    int fd = openat(dirfd(directory), name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && has_number(netlink, fd, number))
      found = fd;
    else if (fd >= 0)
      close(fd);
  }
  closedir(directory);
  return found;
}

/* By the names that ip(8) gives, else by what is in there. */
static int find_space(int number)
{
  struct netlink netlink;
  int code = netlink_open(&netlink, NETLINK_ROUTE);
  if (code < 0)
    return code;
  int fd = find_in(&netlink, "/run/netns", "", number);
  if (fd < 0)
    fd = find_in(&netlink, "/proc", "/ns/net", number);
  netlink_close(&netlink);
  return fd < 0 ? -ESRCH : fd;
}

/* ---- There ---- */

struct look {
  int space, ifindex, code;
  struct interface_state *state;
};

static void *look_there(void *context)
{
  struct look *look = context;
  look->code = setns(look->space, CLONE_NEWNET)
                   ? -errno
                   : interface_read_index(look->ifindex, look->state, NULL);
  return NULL;
}

/* By a thread of its own, which ends there: the caller's namespace is never left. */
static int look_from_thread(struct look *look)
{
  pthread_t thread;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int code = -pthread_create(&thread, NULL, look_there, look);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (code == 0)
    pthread_join(thread, NULL);
  return code ? code : look->code;
}

int elsewhere_read(int space, int ifindex, struct interface_state *state)
{
  if (!shunt_privileges_have("sys_admin"))
    return -EPERM;
  struct look look = {.space = find_space(space), .ifindex = ifindex, .state = state};
  if (look.space < 0)
    return look.space;
  int code = look_from_thread(&look);
  close(look.space);
  return code;
}
