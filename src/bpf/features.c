/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/bpf/features.h"

#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "src/bpf/bpf.h"
#include "src/bpf/btf.h"
#include "src/bpf/call.h"
#include "src/core/error_internal.h"

/* Newer than Debian 12's headers (6.1); linux/if_xdp.h and linux/socket.h of Linux 6.18. */
#define FEATURES_XDP_USE_SG            (1u << 4)
#define FEATURES_UMEM_TX_SW_CSUM       (1u << 1)
#define FEATURES_UMEM_TX_METADATA_LEN  (1u << 2)
#define FEATURES_XDP_MAX_TX_SKB_BUDGET 9
#define FEATURES_FUNC_KTIME_GET_COARSE 160 /* BPF_FUNC_ktime_get_coarse_ns, 5.11 */
#define FEATURES_TEST_BATCH_TOO_LARGE  257 /* TEST_XDP_MAX_BATCH is 256 (net/bpf/test_run.c) */
#define FEATURES_NO_INTERFACE          INT_MAX
#define FEATURES_LOOPBACK              1 /* LOOPBACK_IFINDEX, in each network namespace */
#define FEATURES_PAGE_BYTES            4096

/* Of Linux 6.8 on; the header's ends before tx_metadata_len. */
struct features_umem {
  uint64_t addr, len;
  uint32_t chunk_size, headroom, flags, tx_metadata_len;
};

/* ---- programs ---- */

/* Load r0 = 2; exit, or with a call of a helper before it. Returns fd or -errno. */
static int features_load(uint32_t flags, int32_t helper)
{
  struct bpf_insn insns[] = {
      {.code = BPF_JMP | BPF_CALL, .imm = helper},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS},
      {.code = BPF_JMP | BPF_EXIT},
  };
  const struct bpf_insn *first = helper != 0 ? insns : insns + 1;
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.prog_type = BPF_PROG_TYPE_XDP;
  attr.insns = call_address(first);
  attr.insn_cnt = (uint32_t)(insns + 3 - first);
  attr.license = call_address("Dual BSD/GPL");
  attr.prog_flags = flags;
  return call_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
}

static int features_loads(uint32_t flags, int32_t helper)
{
  int fd = features_load(flags, helper);
  if (fd >= 0)
    close(fd);
  return fd < 0 ? fd : 0;
}

static int features_try_xdp(void)
{
  return features_loads(0, 0);
}

static int features_try_fragments(void)
{
  return features_loads(BPF_F_XDP_HAS_FRAGS, 0);
}

/* Bound to no interface: the flag alone is looked at. */
static int features_try_device_bound(void)
{
  return features_loads(BPF_XDP_DEV_BOUND_ONLY, 0);
}

/* The helper came with the kernel that charges BPF memory to the cgroup, which can't be seen. */
static int features_try_no_memlock(void)
{
  return features_loads(0, FEATURES_FUNC_KTIME_GET_COARSE);
}

/* A link that can't be: the loopback interface runs no programs in hardware, which is said
 * (EOPNOTSUPP), or that a program is there in another mode, only where links for XDP are known. */
static int features_try_xdp_link(void)
{
  int fd = features_load(0, 0);
  if (fd < 0)
    return fd;
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.link_create.prog_fd = (uint32_t)fd;
  attr.link_create.target_ifindex = FEATURES_LOOPBACK;
  attr.link_create.attach_type = BPF_XDP;
  attr.link_create.flags = XDP_FLAGS_HW_MODE;
  int result = call_bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
  close(fd);
  if (result >= 0)
    close(result);
  bool known = result >= 0 || result == -EOPNOTSUPP || result == -EBUSY || result == -EEXIST;
  return known ? 0 : result;
}

/* More frames at once than there can be: E2BIG only from a kernel that knows live frames. */
static int features_try_live_frames(void)
{
  unsigned char frame[64] = {0};
  int fd = features_load(0, 0);
  if (fd < 0)
    return fd;
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.test.prog_fd = (uint32_t)fd;
  attr.test.data_in = call_address(frame);
  attr.test.data_size_in = sizeof(frame);
  attr.test.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
  attr.test.batch_size = FEATURES_TEST_BATCH_TOO_LARGE;
  int result = call_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr));
  close(fd);
  return result == -E2BIG ? 0 : result;
}

static int features_try_rx_time(void)
{
  int32_t id;
  return btf_find_function("bpf_xdp_metadata_rx_timestamp", &id, NULL);
}

/* ---- maps ---- */

static int features_map(uint32_t type)
{
  struct bpf_map_spec spec = {
      .type = type, .key_bytes = 4, .value_bytes = 4, .entries = 1, .name = "shunt_probe"};
  int fd;
  int result = bpf_map_new(&spec, &fd, NULL);
  return result < 0 ? result : fd;
}

static int features_try_xskmap(void)
{
  int fd = features_map(BPF_MAP_TYPE_XSKMAP);
  if (fd >= 0)
    close(fd);
  return fd < 0 ? fd : 0;
}

static int features_try_batch(void)
{
  uint32_t key = 0;
  uint32_t value = 0;
  int fd = features_map(BPF_MAP_TYPE_ARRAY);
  if (fd < 0)
    return fd;
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.batch.map_fd = (uint32_t)fd;
  attr.batch.keys = call_address(&key);
  attr.batch.values = call_address(&value);
  attr.batch.count = 1;
  int result = call_bpf(BPF_MAP_UPDATE_BATCH, &attr, sizeof(attr));
  close(fd);
  return result;
}

/* ---- sockets ---- */

static int features_socket(void)
{
  int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
  return fd < 0 ? -errno : fd;
}

static int features_try_xdp_socket(void)
{
  int fd = features_socket();
  if (fd >= 0)
    close(fd);
  return fd < 0 ? fd : 0;
}

/* The flag is looked at before the interface (net/xdp/xsk.c, xsk_bind), and this one can't be. */
static int features_try_socket_fragments(void)
{
  int fd = features_socket();
  if (fd < 0)
    return fd;
  struct sockaddr_xdp address = {.sxdp_family = AF_XDP,
                                 .sxdp_flags = FEATURES_XDP_USE_SG,
                                 .sxdp_ifindex = FEATURES_NO_INTERFACE};
  int result = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : -errno;
  close(fd);
  return result == -ENODEV ? 0 : result;
}

static int features_set(int fd, int level, int option, const void *value, socklen_t bytes)
{
  return setsockopt(fd, level, option, value, bytes) == 0 ? 0 : -errno;
}

static int features_option(int level, int option, const void *value, socklen_t bytes)
{
  int fd = features_socket();
  if (fd < 0)
    return fd;
  int result = features_set(fd, level, option, value, bytes);
  close(fd);
  return result;
}

static int features_try_busy_poll(void)
{
  int on = 1;
  return features_option(SOL_SOCKET, SO_PREFER_BUSY_POLL, &on, sizeof(on));
}

/* Of a socket without a Tx ring no budget fits (EACCES, net/xdp/xsk.c); that is said only where
 * the option is known. */
static int features_try_tx_budget(void)
{
  int budget = 32;
  int fd = features_socket();
  if (fd < 0)
    return fd;
  int result = features_set(fd, SOL_XDP, FEATURES_XDP_MAX_TX_SKB_BUDGET, &budget, sizeof(budget));
  close(fd);
  return result == -EACCES ? 0 : result;
}

/* A region of one chunk with the flags that the feature brought. */
static int features_umem(uint32_t flags, uint32_t tx_metadata_bytes)
{
  void *chunk =
      mmap(NULL, FEATURES_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (chunk == MAP_FAILED)
    return -errno;
  struct features_umem umem = {.addr = call_address(chunk),
                               .len = FEATURES_PAGE_BYTES,
                               .chunk_size = FEATURES_PAGE_BYTES,
                               .flags = flags,
                               .tx_metadata_len = tx_metadata_bytes};
  int result = features_option(SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem));
  munmap(chunk, FEATURES_PAGE_BYTES);
  return result;
}

static int features_try_tx_metadata(void)
{
  return features_umem(FEATURES_UMEM_TX_SW_CSUM, 0);
}

static int features_try_tx_metadata_length(void)
{
  return features_umem(FEATURES_UMEM_TX_METADATA_LEN, 16);
}

/* ---- all of them ---- */

static const struct {
  const char *name, *since;
  int (*try)(void); /* 0: it is there; -errno */
} features_all[FEATURE_COUNT] = {
    [FEATURE_XDP] = {"XDP programs", "4.8", features_try_xdp},
    [FEATURE_XDP_SOCKET] = {"AF_XDP sockets (CONFIG_XDP_SOCKETS)", "4.18", features_try_xdp_socket},
    [FEATURE_XSKMAP] = {"XSKMAP", "4.18", features_try_xskmap},
    [FEATURE_BATCH] = {"BPF map batches", "5.6", features_try_batch},
    [FEATURE_XDP_LINK] = {"bpf_link for XDP", "5.9", features_try_xdp_link},
    [FEATURE_NO_MEMLOCK] = {"BPF memory charged to the cgroup", "5.11", features_try_no_memlock},
    [FEATURE_BUSY_POLL] = {"preferred busy polling", "5.11", features_try_busy_poll},
    [FEATURE_FRAGMENTS] = {"XDP programs for frames in several pieces", "5.18",
                           features_try_fragments},
    [FEATURE_LIVE_FRAMES] = {"test runs with live frames", "5.18", features_try_live_frames},
    [FEATURE_DEVICE_BOUND] = {"device-bound XDP programs", "6.3", features_try_device_bound},
    [FEATURE_RX_TIME] = {"receive times for XDP programs (CONFIG_DEBUG_INFO_BTF)", "6.3",
                         features_try_rx_time},
    [FEATURE_SOCKET_FRAGMENTS] = {"AF_XDP frames in several pieces", "6.6",
                                  features_try_socket_fragments},
    [FEATURE_TX_METADATA] = {"AF_XDP transmit metadata", "6.8", features_try_tx_metadata},
    [FEATURE_TX_METADATA_LENGTH] = {"XDP_UMEM_TX_METADATA_LEN", "6.11",
                                    features_try_tx_metadata_length},
    [FEATURE_TX_BUDGET] = {"XDP_MAX_TX_SKB_BUDGET", "6.17", features_try_tx_budget},
};

const char *feature_name(enum feature feature)
{
  return features_all[feature].name;
}

const char *feature_since(enum feature feature)
{
  return features_all[feature].since;
}

/* What says nothing about the feature: we lack a right, or the machine has nothing left. */
static bool features_inconclusive(int code)
{
  return code == -EPERM || code == -EACCES || code == -ENOMEM || code == -ENOBUFS ||
         code == -EMFILE || code == -ENFILE;
}

enum feature_state features_state(struct features *features, enum feature feature)
{
  if (features->of[feature].state != FEATURE_UNTRIED)
    return features->of[feature].state;
  int code = features_all[feature].try();
  features->of[feature].code = code;
  if (code == 0)
    features->of[feature].state = FEATURE_PRESENT;
  else
    features->of[feature].state = features_inconclusive(code) ? FEATURE_UNKNOWN : FEATURE_ABSENT;
  return features->of[feature].state;
}

int features_need(struct features *features, enum feature feature, const char *wanted,
                  struct shunt_error *error)
{
  if (features_state(features, feature) != FEATURE_ABSENT)
    return 0;
  struct utsname system;
  struct shunt_error probe = {.code = 0};
  memset(&system, 0, sizeof(system));
  uname(&system);
  error_why_errno(&probe, features->of[feature].code);
  shunt_error_set(error, -EOPNOTSUPP, "%s: this kernel can't do that", wanted);
  shunt_error_why(error, "Linux %.60s here has no %s (tried: %.60s)", system.release,
                  features_all[feature].name, probe.why);
  shunt_error_remedy(error, "%s came with Linux %s: use that or a later one, or leave it out",
                     features_all[feature].name, features_all[feature].since);
  return -EOPNOTSUPP;
}
