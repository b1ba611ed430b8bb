/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/xdp_helper/socket_options.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <stdbool.h>

#include "src/core/error_internal.h"

typedef int set_option(int fd, int level, int option, const void *value, socklen_t bytes);

static void set_send_buffer(set_option *set, int fd, uint32_t wanted)
{
  const int bytes = wanted > INT32_MAX / 2 ? INT32_MAX / 2 : (int)wanted;
  if (wanted && set(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
    set(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

/* Documentation/networking/napi.rst, "Busy polling". */
static int set_busy_poll(set_option *set, int fd, const struct xdp_socket_wanted *wanted,
                         struct shunt_error *error)
{
  const struct {
    int option, value;
    const char *name;
  } settings[] = {{SO_PREFER_BUSY_POLL, 1, "SO_PREFER_BUSY_POLL (Linux 5.11)"},
                  {SO_BUSY_POLL, (int)wanted->busy_poll_us, "SO_BUSY_POLL"},
                  {SO_BUSY_POLL_BUDGET, (int)wanted->busy_budget, "SO_BUSY_POLL_BUDGET"}};
  for (unsigned i = 0; wanted->busy_poll_us && i < sizeof(settings) / sizeof(settings[0]); i++) {
    if (!set(fd, SOL_SOCKET, settings[i].option, &settings[i].value, sizeof(settings[i].value)))
      continue;
    const int code = -errno;
    error_set_errno(error, code, "no busy polling: %s to %d is refused", settings[i].name,
                    settings[i].value);
    if (code == -EPERM)
      shunt_error_remedy(error, "give the process CAP_NET_ADMIN, have `shunt xdp-helper` make the "
                                "socket (helper=1), or take at most net.core.busy_read and a "
                                "budget of 64");
    return code;
  }
  return 0;
}

int xdp_socket_options_set(set_option *set, int fd, const struct xdp_socket_wanted *wanted,
                           struct shunt_error *error)
{
  set_send_buffer(set, fd, wanted->send_bytes);
  return set_busy_poll(set, fd, wanted, error);
}

typedef int bind_socket(int fd, const struct sockaddr *address, socklen_t bytes);

/* A kernel before the commit "xsk: Honor SO_BINDTODEVICE on bind" takes the option and does not
 * look at it. There is no interface 0: where the option counts it is the wrong one (EINVAL), else
 * it is looked for (ENODEV), so that either way nothing is bound (xsk_bind, net/xdp/xsk.c). */
static bool is_held(bind_socket *bind, int fd)
{
  const struct sockaddr_xdp none = {.sxdp_family = AF_XDP};
  return bind(fd, (const struct sockaddr *)&none, sizeof(none)) && errno == EINVAL;
}

int xdp_socket_hold(set_option *set, bind_socket *bind, int fd, int ifindex,
                    struct shunt_error *error)
{
  if (set(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &ifindex, sizeof(ifindex)))
    return error_set_errno(error, -errno, "can't hold an AF_XDP socket to one interface");
  if (is_held(bind, fd))
    return 0;
  shunt_error_set(error, -EOPNOTSUPP, "can't hold an AF_XDP socket to one interface");
  shunt_error_why(error, "this kernel binds it to any that its owner names, whatever "
                         "SO_BINDTODEVICE says");
  shunt_error_remedy(error, "take Linux 6.5, or a stable kernel of its time; or serve the user "
                            "everywhere: interface=*");
  return -EOPNOTSUPP;
}
