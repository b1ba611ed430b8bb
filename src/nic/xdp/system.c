/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/nic/xdp/system.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "src/netlink/interface.h"

static void *real_map(int fd, size_t bytes, off_t offset)
{
  return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
}

static int real_bind(int fd, const struct sockaddr_xdp *address)
{
  return bind(fd, (const struct sockaddr *)address, sizeof(*address));
}

static ssize_t real_send(int fd)
{
  return sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
}

static ssize_t real_receive(int fd)
{
  return recvfrom(fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

static int real_copy(int fd)
{
  return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

const struct xdp_system xdp_real_system = {
    .set = setsockopt,
    .get = getsockopt,
    .map = real_map,
    .unmap = munmap,
    .bind = real_bind,
    .send = real_send,
    .receive = real_receive,
    .close = close,
    .copy = real_copy,
    .missed = interface_read_missed,
    .program = interface_read_program,
    .channels = interface_read_channels,
};
