/* SPDX-License-Identifier: BSD-2-Clause */
/* An AF_XDP port on a pretended kernel: the system calls of its sockets, and what takes privilege,
 * are answered here, so that each can fail, and both sides of the rings are at hand. */
#ifndef TESTS_UNIT_XDP_RIG_H
#define TESTS_UNIT_XDP_RIG_H

#include <errno.h>
#include <linux/if_link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/bpf/filter.h"
#include "src/nic/xdp/xdp.h"

#define RIG_RING    64u
#define RIG_SOCKETS 8

/* What the pretended kernel's memory of one ring is. */
struct rig_ring {
  uint32_t producer, pad0[15], consumer, pad1[15], flags, pad2[15];
  uint64_t entries[RIG_RING * 2];
};

static struct rig {
  /* Answers: 0 or a positive errno. */
  int socket_code, attach_code[XDP_MODES], umem_code, bind_zero_copy_code, bind_code, budget_code,
      busy_code;
  unsigned busy_binds;              /* so many binds find the queue busy */
  unsigned full_registrations;      /* so many registrations find too much memory locked */
  unsigned send_codes_count, sends; /* what sendto answers, call by call; then 0 */
  int send_codes[8];
  unsigned send_takes; /* frames that a call takes from the ring; 0: all */
  int so_error, napi_id;
  bool grants_copy;   /* whatever was asked for */
  bool lends_nothing; /* a kernel before 5.10 */
  struct xdp_statistics statistics;
  uint64_t missed;
  int missed_code;
  struct interface_channels channels; /* as they are now */
  uint32_t program;                   /* what everybody sees on the interface; 0: none */
  int program_code;
  int check_code; /* what whoever attached it sees */
  unsigned warnings;
  char warning[SHUNT_LOG_TEXT_BYTES]; /* the last one */

  /* What was done. */
  unsigned registrations, sockets, open_sockets, mapped, attached, detached, closed,
      set[RIG_SOCKETS], receives, checks;
  uint32_t attach_flags;
  bool attach_fragments;
  uint8_t attach_time;
  struct sockaddr_xdp bound[RIG_SOCKETS];
  struct xdp_umem_registration memory;
  struct rig_ring rings[RIG_SOCKETS][4]; /* receive, send, fill, completion */
  uint64_t now_ns;
} rig;

static uint64_t rig_now_ns(void *context)
{
  (void)context;
  return rig.now_ns;
}

static void rig_sleep_ns(void *context, uint64_t duration_ns)
{
  (void)context;
  rig.now_ns += duration_ns;
}

static const struct shunt_clock rig_clock = {rig_now_ns, rig_sleep_ns, NULL};

/* --- System calls --- */

static int rig_answer(int code)
{
  errno = code;
  return code ? -1 : 0;
}

static int rig_set(int fd, int level, int option, const void *value, socklen_t bytes)
{
  (void)fd;
  if (level == SOL_XDP && option == XDP_UMEM_REG) {
    assert_int_equal(bytes, sizeof(rig.memory));
    memcpy(&rig.memory, value, sizeof(rig.memory));
    rig.registrations++;
    if (rig.full_registrations) {
      rig.full_registrations--;
      return rig_answer(ENOBUFS);
    }
    return rig_answer(rig.umem_code);
  }
  if (level == SOL_XDP && option == XDP_MAX_TX_SKB_BUDGET)
    return rig_answer(rig.budget_code);
  if (level == SOL_SOCKET && option == SO_PREFER_BUSY_POLL)
    return rig_answer(rig.busy_code);
  return 0;
}

static int rig_get(int fd, int level, int option, void *value, socklen_t *bytes)
{
  const struct xdp_ring_offset offset = {
      offsetof(struct rig_ring, producer), offsetof(struct rig_ring, consumer),
      offsetof(struct rig_ring, entries), offsetof(struct rig_ring, flags)};
  const struct xdp_mmap_offsets offsets = {offset, offset, offset, offset};
  const bool zero_copy = rig.bound[0].sxdp_flags & XDP_ZEROCOPY;
  const struct xdp_options granted = {zero_copy && !rig.grants_copy ? XDP_OPTIONS_ZEROCOPY : 0};
  const void *answer = level == SOL_XDP && option == XDP_MMAP_OFFSETS ? (const void *)&offsets
                       : level == SOL_XDP && option == XDP_OPTIONS    ? (const void *)&granted
                       : level == SOL_XDP && option == XDP_STATISTICS
                           ? (const void *)&rig.statistics
                       : option == SO_ERROR ? (const void *)&rig.so_error
                                            : (const void *)&rig.napi_id;
  (void)fd;
  memcpy(value, answer, *bytes);
  if (option == SO_ERROR && level == SOL_SOCKET)
    rig.so_error = 0; /* told once */
  return 0;
}

static void *rig_map(int fd, size_t bytes, off_t offset)
{
  const unsigned ring = offset == XDP_PGOFF_RX_RING                 ? 0
                        : offset == XDP_PGOFF_TX_RING               ? 1
                        : offset == (off_t)XDP_UMEM_PGOFF_FILL_RING ? 2
                                                                    : 3;
  assert_true(bytes <= sizeof(struct rig_ring));
  memset(&rig.rings[fd][ring], 0, sizeof(struct rig_ring));
  rig.mapped++;
  return &rig.rings[fd][ring];
}

static int rig_unmap(void *address, size_t bytes)
{
  (void)address;
  (void)bytes;
  rig.mapped--;
  return 0;
}

static int rig_bind(int fd, const struct sockaddr_xdp *address)
{
  if (rig.busy_binds) {
    rig.busy_binds--;
    return rig_answer(EBUSY);
  }
  if (rig.lends_nothing && address->sxdp_flags & XDP_SHARED_UMEM)
    return rig_answer(EINVAL);
  rig.bound[fd] = *address;
  if ((address->sxdp_flags & XDP_ZEROCOPY) && rig.bind_zero_copy_code)
    return rig_answer(rig.bind_zero_copy_code);
  return rig_answer(rig.bind_code);
}

/* Takes frames and completes them at once. */
static void rig_take(int fd, unsigned most)
{
  struct rig_ring *send = &rig.rings[fd][1], *done = &rig.rings[fd][3];
  const struct xdp_desc *descs = (const struct xdp_desc *)send->entries;
  for (; send->consumer != send->producer && most; send->consumer++, most--)
    done->entries[done->producer++ % RIG_RING] = descs[send->consumer % RIG_RING].addr;
}

static ssize_t rig_send(int fd)
{
  const int code = rig.sends < rig.send_codes_count ? rig.send_codes[rig.sends] : 0;
  rig.sends++;
  if (code != ENETDOWN && code != ENXIO && code != ENOBUFS)
    rig_take(fd, rig.send_takes ? rig.send_takes : UINT32_MAX);
  return rig_answer(code);
}

static ssize_t rig_receive(int fd)
{
  (void)fd;
  rig.receives++;
  return 0;
}

static int rig_close(int fd)
{
  (void)fd;
  rig.open_sockets--;
  return 0;
}

static int rig_copy(int fd)
{
  rig.open_sockets++;
  return fd;
}

static int rig_missed(int ifindex, uint64_t *frames)
{
  assert_int_equal(ifindex, 7);
  *frames = rig.missed;
  return rig.missed_code;
}

static int rig_program(int ifindex, uint32_t *program)
{
  assert_int_equal(ifindex, 7);
  *program = rig.program;
  return rig.program_code;
}

static int rig_channels(int ifindex, struct interface_channels *channels)
{
  assert_int_equal(ifindex, 7);
  *channels = rig.channels;
  return 0;
}

static const struct xdp_system rig_system = {rig_set,  rig_get,    rig_map,     rig_unmap,
                                             rig_bind, rig_send,   rig_receive, rig_close,
                                             rig_copy, rig_missed, rig_program, rig_channels};

static void rig_warn(void *context, enum shunt_log_level level, const char *text)
{
  (void)context;
  rig.warnings += level == SHUNT_LOG_WARNING;
  strncpy(rig.warning, text, sizeof(rig.warning) - 1);
}

static const struct shunt_log rig_log = {SHUNT_LOG_WARNING, rig_warn, NULL};

/* --- Privilege --- */

static int rig_socket(struct xdp_access *access, const struct xdp_socket_wanted *wanted, int *fd,
                      struct shunt_error *error)
{
  (void)access;
  if (rig.socket_code)
    return shunt_error_set(error, -rig.socket_code, "no socket");
  const int result = xdp_socket_options_set(rig_set, 0, wanted, error);
  if (result)
    return result;
  *fd = (int)(rig.sockets++ % RIG_SOCKETS);
  rig.open_sockets++;
  return 0;
}

static int rig_attach(struct xdp_access *access, const struct xdp_attach *attach,
                      struct xdp_attached *attached, struct shunt_error *error)
{
  const enum shunt_xdp_mode mode = attach->mode == XDP_FLAGS_HW_MODE    ? SHUNT_XDP_HW
                                   : attach->mode == XDP_FLAGS_DRV_MODE ? SHUNT_XDP_DRV
                                                                        : SHUNT_XDP_SKB;
  (void)access;
  rig.attach_flags = attach->mode;
  rig.attach_fragments = attach->fragments;
  rig.attach_time = attach->receive_time;
  if (rig.attach_code[mode]) {
    shunt_error_set(error, -rig.attach_code[mode], "no program");
    shunt_error_why(error, "the driver has no such mode");
    return -rig.attach_code[mode];
  }
  attached->time = attach->receive_time ? FILTER_TIME_SOFTWARE : FILTER_TIME_NONE;
  rig.attached++;
  return 0;
}

static void rig_detach(struct xdp_access *access)
{
  (void)access;
  rig.detached++;
}

static int rig_check(struct xdp_access *access, struct shunt_error *error)
{
  (void)access;
  rig.checks++;
  return rig.check_code ? shunt_error_set(error, -rig.check_code, "it is gone") : 0;
}

static int rig_socket_set(struct xdp_access *access, uint32_t queue, int fd,
                          struct shunt_error *error)
{
  (void)access;
  (void)error;
  rig.set[queue] = (unsigned)fd + 1;
  return 0;
}

static void rig_access_close(struct xdp_access *access)
{
  (void)access;
  rig.closed++;
}

static const struct xdp_access_ops rig_access_ops = {.socket = rig_socket,
                                                     .attach = rig_attach,
                                                     .detach = rig_detach,
                                                     .check = rig_check,
                                                     .socket_set = rig_socket_set,
                                                     .close = rig_access_close};

/* --- Ports --- */

static struct interface_state rig_state;
static struct shunt_region *rig_region;

static void rig_reset(void)
{
  memset(&rig, 0, sizeof(rig));
  rig_state = (struct interface_state){.ifindex = 7,
                                       .name = "eth7",
                                       .driver = "fake",
                                       .mtu = 1500,
                                       .up = true,
                                       .carrier = true,
                                       .rx_queues = 4,
                                       .numa_node = -1};
}

/* Open with the keys of a name. Returns what opening did. */
static int rig_open_with(const struct shunt_port_options *given, const char *keys,
                         struct shunt_port **port, struct shunt_error *error)
{
  static struct xdp_access access = {&rig_access_ops};
  const struct shunt_region_options region = {
      .size = sizeof(region), .bytes = 2 << 20, .pages = SHUNT_PAGES_4K, .numa_node = -1};
  struct shunt_port_options options = given ? *given : (struct shunt_port_options){0};
  struct xdp_wanted wanted;
  struct params params;
  assert_int_equal(params_parse(&params, keys, error), 0);
  int result = xdp_wanted_take(&params, &wanted, error);
  if (result)
    return result;
  assert_int_equal(params_finish(&params, "", error), 0);
  if (!rig_region)
    assert_int_equal(shunt_region_create(&region, &rig_region, error), 0);
  options.size = sizeof(options);
  options.region = options.region ? options.region : rig_region;
  options.queues = options.queues ? options.queues : 1;
  options.rx_ring = options.tx_ring = RIG_RING;
  options.mtu = 1500;
  options.clock = &rig_clock;
  options.log = &rig_log;
  result = xdp_open_with(&rig_system, &access, &rig_state, &wanted, &options, port, error);
  if (!result) {
    (*port)->options = options;
    (*port)->region = options.region;
  }
  return result;
}

/* The port is closed, and nothing of it is left. */
static void rig_end(struct shunt_port *port)
{
  if (port)
    port->ops->close(port);
  assert_int_equal(rig.open_sockets, 0);
  assert_int_equal(rig.mapped, 0);
  assert_int_equal(rig.attached, rig.detached);
  assert_int_equal(rig.closed, 1);
}

#endif
