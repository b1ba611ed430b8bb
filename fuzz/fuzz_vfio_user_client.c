/* SPDX-License-Identifier: BSD-2-Clause */
/* Our vfio-user client at a server that answers what the input says.
 *
 * All answers stand in the socket before the client asks, so no thread is needed. The first byte
 * chooses: even, the rest is what the client reads, as it is; odd, it is a list of answers, and
 * each gets the header that the client waits for: flags, errno, descriptor, length (2 bytes),
 * payload. */
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hw/vfio_user.h"
#include "src/pci/backend.h"

#define MEMORY_BYTES 0x4000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the client asks while it opens, and then what the test below asks. */
static const uint16_t questions[] = {1, 4, 13, 5, 5, 5, 5, 5, 5, 5, 7, 9, 10, 9, 9, 9, 10, 8, 8, 9};

static void send_with_fd(int to, const void *bytes, size_t n, int fd)
{
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {.bytes = {0}};
  struct iovec piece = {(void *)bytes, n};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  if (fd >= 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
  }
  /* What does not fit into the socket is not said. */
  if (sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    return;
}

static void answer(int to, const uint8_t *data, size_t size, int memory)
{
  uint8_t out[4096 + sizeof(struct vfio_user_header)];
  for (uint16_t i = 0; i < sizeof questions / sizeof questions[0] && size >= 5; i++) {
    size_t bytes = data[3] | (size_t)(data[4] & 0x0F) << 8;
    uint8_t flags = data[0], error = data[1], with_fd = data[2];
    data += 5;
    size -= 5;
    bytes = bytes < size ? bytes : size;
    const struct vfio_user_header header = {.id = i,
                                            .command = questions[i],
                                            .bytes = (uint32_t)(sizeof header + bytes),
                                            .flags = VFIO_USER_FLAG_REPLY |
                                                     (flags & VFIO_USER_FLAG_ERROR),
                                            .error = error};
    memcpy(out, &header, sizeof header);
    memcpy(out + sizeof header, data, bytes);
    send_with_fd(to, out, sizeof header + bytes, with_fd & 1 ? memory : -1);
    data += bytes;
    size -= bytes;
  }
}

/* Use it as a driver does. */
static void drive(struct pci *pci)
{
  uint32_t value;
  int fds[4];
  pci_read32(pci, 0x10);
  pci_write32(pci, 0x10, 1);
  for (unsigned bar = 0; bar < 7; bar++)
    for (uint64_t offset = 0; offset < 2 * MEMORY_BYTES; offset += 0xFFC) {
      volatile uint32_t *direct = pci->ops->direct(pci, bar, offset);
      if (direct)
        *direct = *direct + 1;
    }
  pci->ops->interrupts(pci, pci->vectors < 4 ? pci->vectors : 4, fds, NULL);
  pci->ops->config_read(pci, 0, 4, &value);
  pci_close(pci);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  int ends[2], memory = memfd_create("bar", MFD_CLOEXEC);
  const struct pci_open_options options = {0};
  struct pci *pci;
  if (size == 0) {
    close(memory);
    return 0;
  }
  if (memory < 0 || ftruncate(memory, MEMORY_BYTES) ||
      socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends))
    abort();
  if (data[0] & 1)
    answer(ends[1], data + 1, size - 1, memory);
  else
    send_with_fd(ends[1], data + 1, size - 1, memory);
  /* Behind the last answer the server is gone, so that the client need not wait. */
  shutdown(ends[1], SHUT_WR);
  if (vfio_user_adopt(ends[0], &options, 1000000, &pci, NULL) == 0)
    drive(pci);
  close(ends[1]);
  close(memory);
  return 0;
}
