/* SPDX-License-Identifier: BSD-2-Clause */
/* An end that is a TAP interface of the kernel (Documentation/networking/tuntap.rst). */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/core/error_internal.h"
#include "twin/wire/wire.h"

#define TAP_DEVICE  "/dev/net/tun"
#define TAP_MTU_MIN 68 /* RFC 791: the least that IPv4 works over */

struct tap {
  int fd;
  char name[IFNAMSIZ];
  struct shunt_wire_end *end;
  struct wire_look look;
  /* One byte more than a wire carries: a longer frame is cut there by the kernel, and known by it.
   */
  uint8_t frame[SHUNT_WIRE_FRAME_BYTES + 1];
};

/* ---- Frames ---- */

/* The interface is gone, or no longer ours: EBADFD where it was deleted (tun_chr_read_iter). It
 * won't come back, so the cable is out and nothing is tried again. */
static void tap_lost(struct tap *tap)
{
  tap->end->statistics.outside_errors++;
  close(tap->fd);
  tap->fd = -1;
  shunt_wire_cut(tap->end);
}

static void tap_deliver(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct tap *tap = context;
  (void)now_ns;
  if (tap->fd < 0 || write(tap->fd, frame, bytes) != (ssize_t)bytes)
    tap->end->statistics.outside_refused++;
}

/* The length, or 0 where there is no frame. */
static size_t tap_read(struct tap *tap)
{
  ssize_t bytes = read(tap->fd, tap->frame, sizeof(tap->frame));
  if (bytes > 0)
    return (size_t)bytes;
  if (bytes < 0 && errno != EAGAIN && errno != EINTR)
    tap_lost(tap);
  return 0;
}

static void tap_send(struct tap *tap, size_t bytes, uint64_t now_ns)
{
  if (bytes > SHUNT_WIRE_FRAME_BYTES) {
    tap->end->statistics.outside_oversized++;
    return;
  }
  if (bytes < WIRE_FRAME_LEAST_BYTES) {
    memset(tap->frame + bytes, 0, WIRE_FRAME_LEAST_BYTES - bytes);
    bytes = WIRE_FRAME_LEAST_BYTES;
  }
  struct iovec piece = {.iov_base = tap->frame, .iov_len = bytes};
  shunt_wire_send(tap->end, &piece, 1, now_ns);
}

static unsigned tap_poll(void *context, uint64_t now_ns)
{
  struct tap *tap = context;
  unsigned frames = 0;
  if (tap->fd < 0 || !wire_look_due(&tap->look, now_ns))
    return 0;
  while (frames < WIRE_LOOK_FRAMES && tap->fd >= 0) {
    size_t bytes = tap_read(tap);
    if (bytes == 0)
      break;
    tap_send(tap, bytes, now_ns);
    frames++;
  }
  wire_look_done(&tap->look, now_ns, frames);
  return frames;
}

/* The kernel's side sees the cable too. Kernels before 5.0 don't know the call: there the interface
 * just stays up. */
static void tap_carrier(void *context, int up)
{
  struct tap *tap = context;
  unsigned carrier = up ? 1 : 0;
  if (tap->fd >= 0)
    (void)ioctl(tap->fd, TUNSETCARRIER, &carrier);
}

static void tap_detached(void *context)
{
  struct tap *tap = context;
  if (tap->fd >= 0)
    close(tap->fd);
  free(tap);
}

/* ---- Set-up ---- */

/* The kernel takes % for a pattern and refuses the rest (dev_valid_name). */
static bool tap_name_valid(const char *name)
{
  size_t length = strlen(name);
  return length > 0 && length < IFNAMSIZ && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
         name[strcspn(name, "/:% \t\n\v\f\r")] == '\0';
}

static int tap_check(const char *interface, uint32_t mtu, struct shunt_error *error)
{
  int code = 0;
  if (!tap_name_valid(interface)) {
    code = shunt_error_set(error, -EINVAL, "can't join the TAP interface \"%s\"", interface);
    shunt_error_why(error, "an interface's name has 1 to %d characters, without space / : %%",
                    IFNAMSIZ - 1);
  } else if (mtu != 0 && (mtu < TAP_MTU_MIN || mtu > SHUNT_TAP_MTU_MAX)) {
    code = shunt_error_set(error, -EINVAL, "can't join the TAP interface %s", interface);
    shunt_error_why(error, "its MTU is to be %u, and goes from %d to %d", mtu, TAP_MTU_MIN,
                    SHUNT_TAP_MTU_MAX);
  }
  return code;
}

static int tap_open(struct tap *tap, struct shunt_error *error)
{
  tap->fd = open(TAP_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tap->fd >= 0)
    return 0;
  int code =
      error_set_errno(error, -errno, "can't join the TAP interface %s: no " TAP_DEVICE, tap->name);
  if (code == -EACCES || code == -EPERM) {
    code = -EPERM;
    shunt_error_remedy(error, "run as root, or chmod 0666 " TAP_DEVICE
                              " and give the program CAP_NET_ADMIN");
  } else {
    shunt_error_remedy(error, "modprobe tun; in a container, hand " TAP_DEVICE " in");
  }
  if (error != NULL)
    error->code = code;
  return code;
}

static int tap_claim(struct tap *tap, struct shunt_error *error)
{
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  memcpy(request.ifr_name, tap->name, sizeof(tap->name));
  if (ioctl(tap->fd, TUNSETIFF, &request) == 0) {
    /* No offloads, whoever may have turned them on: whole frames with their checksums. */
    (void)ioctl(tap->fd, TUNSETOFFLOAD, 0ul);
    return 0;
  }
  int code = error_set_errno(error, -errno, "can't join the TAP interface %s", tap->name);
  if (code == -EPERM)
    shunt_error_remedy(error,
                       "run as root, or give the program CAP_NET_ADMIN; or let root make "
                       "the interface for you: ip tuntap add %s mode tap user $USER",
                       tap->name);
  else if (code == -EBUSY)
    shunt_error_remedy(error, "another program holds it: end that, or take another name");
  else if (code == -EINVAL)
    shunt_error_remedy(error, "%s is there and no TAP interface: take another name", tap->name);
  return code;
}

/* MTU and up. An interface that its maker has set up so already needs no rights. */
static int tap_configure(struct tap *tap, int control, uint32_t mtu, struct shunt_error *error)
{
  struct ifreq request = {.ifr_mtu = (int)mtu};
  memcpy(request.ifr_name, tap->name, sizeof(tap->name));
  if (mtu != 0 && ioctl(control, SIOCSIFMTU, &request) < 0)
    return error_set_errno(error, -errno, "can't give the interface %s an MTU of %u", tap->name,
                           mtu);
  if (ioctl(control, SIOCGIFFLAGS, &request) < 0)
    return error_set_errno(error, -errno, "can't look at the interface %s", tap->name);
  if (request.ifr_flags & IFF_UP)
    return 0;
  request.ifr_flags |= IFF_UP;
  if (ioctl(control, SIOCSIFFLAGS, &request) < 0)
    return error_set_errno(error, -errno, "can't bring the interface %s up", tap->name);
  return 0;
}

static int tap_set_up(struct tap *tap, uint32_t mtu, struct shunt_error *error)
{
  bool existed = if_nametoindex(tap->name) != 0;
  int code = tap_open(tap, error);
  if (code == 0)
    code = tap_claim(tap, error);
  if (code < 0)
    return code;
  if (mtu == 0 && !existed)
    mtu = SHUNT_TAP_MTU_DEFAULT;
  int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (control < 0)
    return error_set_errno(error, -errno, "can't set up the interface %s", tap->name);
  code = tap_configure(tap, control, mtu, error);
  close(control);
  if (code == -EPERM)
    shunt_error_remedy(error, "run as root, or give the program CAP_NET_ADMIN");
  return code;
}

int shunt_wire_tap(struct shunt_wire *wire, const char *interface,
                   const struct shunt_tap_options *options, struct shunt_wire_end **end,
                   struct shunt_error *error)
{
  static const struct shunt_wire_end_ops ops = {
      .deliver = tap_deliver,
      .carrier = tap_carrier,
      .poll = tap_poll,
      .detached = tap_detached,
  };
  struct shunt_tap_options set = {.size = sizeof(set)};
  int code = wire_take_options(&set, sizeof(set), options, "can't join a TAP interface", error);
  if (code == 0)
    code = tap_check(interface, set.mtu, error);
  if (code < 0)
    return code;
  struct tap *tap = calloc(1, sizeof(*tap));
  if (tap == NULL)
    return shunt_error_set(error, -ENOMEM, "no memory for the TAP interface %s", interface);
  tap->fd = -1;
  snprintf(tap->name, sizeof(tap->name), "%s", interface);
  code = tap_set_up(tap, set.mtu, error);
  if (code < 0)
    goto failed;
  tap_carrier(tap, 0); /* until the wire says otherwise */
  code = shunt_wire_attach(wire, interface, &ops, tap, &tap->end, error);
  if (code < 0)
    goto failed;
  *end = tap->end;
  return 0;
failed:
  tap_detached(tap);
  return code;
}
