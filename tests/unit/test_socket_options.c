/* SPDX-License-Identifier: BSD-2-Clause */
/* What holds a socket to one interface: on kernels that look at it and that do not, and on this
 * one, in a network namespace of its own. */
#include "src/xdp_helper/socket_options.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NO_INTERFACE 12345
#define NOBODY       65534

static struct {
  int set_code, bind_code, option, value;
  bool counts; /* the option, for bind */
} kernel;

static int fake_set(int fd, int level, int option, const void *value, socklen_t bytes)
{
  (void)fd;
  assert_int_equal(level, SOL_SOCKET);
  assert_int_equal(bytes, sizeof(kernel.value));
  kernel.option = option;
  memcpy(&kernel.value, value, sizeof(kernel.value));
  errno = kernel.set_code;
  return kernel.set_code ? -1 : 0;
}

static int fake_bind(int fd, const struct sockaddr *address, socklen_t bytes)
{
  const struct sockaddr_xdp *xdp = (const struct sockaddr_xdp *)(const void *)address;
  (void)fd;
  assert_int_equal(bytes, sizeof(*xdp));
  assert_int_equal(xdp->sxdp_family, AF_XDP);
  errno = kernel.counts && (int)xdp->sxdp_ifindex != kernel.value ? EINVAL : ENODEV;
  return xdp->sxdp_ifindex ? 0 : -1;
}

static int hold(bool counts, int set_code)
{
  struct shunt_error error = {0};
  memset(&kernel, 0, sizeof(kernel));
  kernel.counts = counts;
  kernel.set_code = set_code;
  int code = xdp_socket_hold(fake_set, fake_bind, 3, 7, &error);
  assert_int_equal(kernel.option, SO_BINDTOIFINDEX);
  assert_int_equal(kernel.value, 7);
  assert_int_equal(code, error.code);
  assert_true(code == 0 || *error.why);
  return code;
}

static void tells_a_kernel_that_does_not_look(void **state)
{
  (void)state;
  assert_int_equal(hold(true, 0), 0);
  assert_int_equal(hold(false, 0), -EOPNOTSUPP);
  assert_int_equal(hold(true, ENOPROTOOPT), -ENOPROTOOPT);
}

/* ---- This kernel ---- */

#define MEMORY_BYTES 16384u
#define RING_ENTRIES 8

static int new_socket(void)
{
  static const int options[] = {XDP_RX_RING, XDP_TX_RING, XDP_UMEM_FILL_RING,
                                XDP_UMEM_COMPLETION_RING};
  const int entries = RING_ENTRIES, fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
  void *memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  const struct xdp_umem_reg registration = {
      .addr = (uintptr_t)memory, .len = MEMORY_BYTES, .chunk_size = 2048};
  assert_true(fd >= 0 && memory != MAP_FAILED);
  assert_int_equal(setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &registration, sizeof(registration)), 0);
  for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++)
    assert_int_equal(setsockopt(fd, SOL_XDP, options[i], &entries, sizeof(entries)), 0);
  munmap(memory, MEMORY_BYTES); /* pinned as long as the socket is there */
  return fd;
}

static int bind_to(int fd, unsigned ifindex)
{
  const struct sockaddr_xdp address = {
      .sxdp_family = AF_XDP, .sxdp_ifindex = ifindex, .sxdp_flags = XDP_COPY};
  return bind(fd, (const struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
}

/* Who has no capability tries it: 0 where all is as it should be. */
static int try_elsewhere(int fd, unsigned ifindex)
{
  const int any = 0, other = NO_INTERFACE;
  if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
    return 1;
  if (!setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &any, sizeof(any)) || errno != EPERM)
    return 2;
  if (!setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &other, sizeof(other)) || errno != EPERM)
    return 3;
  if (bind_to(fd, NO_INTERFACE) != -EINVAL)
    return 4;
  if (bind_to(fd, ifindex) != 0)
    return 5;
  return 0;
}

static void holds_a_socket(void **state)
{
  (void)state;
  struct shunt_error error = {0};
  if (geteuid() != 0 || unshare(CLONE_NEWNET)) {
    print_message("skipped: it takes root to make a network namespace\n");
    skip();
  }
  const unsigned loopback = if_nametoindex("lo");
  int status = 0, fd = new_socket();
  assert_int_equal(bind_to(fd, NO_INTERFACE), -ENODEV); /* it looks for that, then */
  const int code = xdp_socket_hold(setsockopt, bind, fd, (int)loopback, &error);
  if (code == -EOPNOTSUPP) {
    print_message("skipped: %s\n", error.why);
    close(fd);
    skip();
  }
  assert_int_equal(code, 0);
  const pid_t child = fork();
  if (child == 0)
    _exit(try_elsewhere(fd, loopback));
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  close(fd);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tells_a_kernel_that_does_not_look),
      cmocka_unit_test(holds_a_socket),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
