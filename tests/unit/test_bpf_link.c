/* SPDX-License-Identifier: BSD-2-Clause */
/* XDP programs on a veth pair in a network namespace of this process's own. */
#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "bpf_rig.h"
#include "src/bpf/bpf_attach.h"
#include "src/bpf/btf.h"
#include "src/bpf/features.h"
#include "veth_rig.h"

static int ours; /* ifindex; 0: there is no veth pair */

static void write_drop(struct bpf_assembler *a, int map)
{
  (void)map;
  bpf_move_imm(a, R0, XDP_DROP);
  bpf_exit(a);
}

static int load(bpf_rig_writer *write, const char *name, uint32_t flags, uint32_t ifindex)
{
  int fd;
  struct bpf_program_spec spec = {.name = name, .flags = flags, .ifindex = ifindex};
  struct shunt_error error = {0};
  if (bpf_rig_load_as(write, -1, spec, &fd, &error) < 0)
    print_error("%s: %s\n", error.what, error.why);
  assert_true(fd >= 0);
  return fd;
}

static uint32_t id_of(int program)
{
  struct bpf_program_state state;
  assert_int_equal(bpf_program_info(program, &state, NULL), 0);
  return state.id;
}

static uint32_t attached_id(void)
{
  struct bpf_attached attached;
  assert_int_equal(bpf_attach_query(ours, &attached, NULL), 0);
  return attached.program;
}

static void need_rig(void)
{
  if (ours == 0)
    skip();
}

/* Attached, seen, replaced by the right owner only, detached. */
static void test_life(void **state)
{
  (void)state;
  need_rig();
  int link, opened;
  int pass = load(bpf_rig_pass, "passes", 0, 0);
  int drop = load(write_drop, "drops", 0, 0);
  struct bpf_link_state about;
  struct bpf_attached attached;
  struct shunt_error error;
  assert_int_equal(bpf_link_xdp(pass, ours, XDP_FLAGS_DRV_MODE, &link, NULL), 0);
  assert_int_equal(bpf_link_info(link, &about, NULL), 0);
  assert_int_equal(about.type, BPF_LINK_TYPE_XDP);
  assert_int_equal(about.program, id_of(pass));
  assert_int_equal(about.ifindex, ours);
  assert_int_equal(bpf_link_open(about.id, &opened, NULL), 0);
  close(opened);

  assert_int_equal(bpf_attach_query(ours, &attached, NULL), 0);
  assert_int_equal(attached.mode, XDP_FLAGS_DRV_MODE);
  assert_int_equal(attached.link, about.id);
  assert_true(attached.by_link && attached.known);

  assert_int_equal(bpf_link_replace(link, drop, drop, &error), -EPERM);
  assert_non_null(strstr(error.why, "another program"));
  assert_int_equal(bpf_link_replace(link, drop, pass, NULL), 0);
  assert_int_equal(attached_id(), id_of(drop));
  assert_int_equal(bpf_link_replace(link, pass, -1, NULL), 0);
  assert_int_equal(attached_id(), id_of(pass));

  assert_int_equal(bpf_link_detach(link, NULL), 0);
  assert_int_equal(attached_id(), 0);
  assert_int_equal(bpf_link_replace(link, drop, -1, &error), -ENOLINK);
  assert_non_null(strstr(error.remedy, "open the port again"));
  assert_int_equal(bpf_link_info(link, &about, NULL), 0);
  assert_int_equal(about.ifindex, 0);
  close(link);
  close(pass);
  close(drop);
}

/* Whose program is there, held by a link and attached through netlink, in the same mode and in the
 * other. */
static void test_busy_link(void **state)
{
  (void)state;
  need_rig();
  int link, second;
  int first = load(bpf_rig_pass, "the_first", 0, 0);
  int other = load(write_drop, "other", 0, 0);
  struct bpf_program_state about;
  struct bpf_link_state holder;
  struct shunt_error error;
  char held[48];
  assert_int_equal(bpf_program_info(first, &about, NULL), 0);
  assert_int_equal(bpf_link_xdp(first, ours, XDP_FLAGS_SKB_MODE, &link, NULL), 0);
  assert_int_equal(bpf_link_info(link, &holder, NULL), 0);
  snprintf(held, sizeof(held), "held by link %u", holder.id);

  const uint32_t modes[] = {XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE};
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(bpf_link_xdp(other, ours, modes[i], &second, &error), -EBUSY);
    assert_int_equal(second, -1);
    assert_non_null(strstr(error.what, VETH_OURS));
    assert_non_null(strstr(error.why, "skb mode, program \"the_first\" id "));
    assert_non_null(strstr(error.why, about.tag));
    assert_non_null(strstr(error.why, "loaded by root (uid 0) "));
    assert_non_null(strstr(error.why, held));
  }
  assert_int_equal(bpf_attach_set(other, ours, XDP_FLAGS_SKB_MODE, &error), -EBUSY);
  assert_int_equal(attached_id(), about.id);
  close(link);
  assert_int_equal(attached_id(), 0);
  close(first);
  close(other);
}

static void test_netlink(void **state)
{
  (void)state;
  need_rig();
  int link;
  int first = load(bpf_rig_pass, "stays", 0, 0);
  int other = load(write_drop, "other", 0, 0);
  struct shunt_error error;
  assert_int_equal(bpf_attach_set(first, ours, XDP_FLAGS_SKB_MODE, NULL), 0);
  assert_int_equal(bpf_attach_set(other, ours, XDP_FLAGS_SKB_MODE, &error), -EBUSY);
  assert_non_null(strstr(error.why, "\"stays\""));
  assert_non_null(strstr(error.why, "attached through netlink"));
  assert_non_null(strstr(error.remedy, "ip link set dev " VETH_OURS " xdpgeneric off"));
  assert_int_equal(bpf_link_xdp(other, ours, XDP_FLAGS_SKB_MODE, &link, &error), -EBUSY);
  assert_non_null(strstr(error.why, "attached through netlink"));

  assert_int_equal(bpf_attach_replace(first, other, ours, XDP_FLAGS_SKB_MODE, &error), -EEXIST);
  assert_non_null(strstr(error.why, "\"stays\""));
  assert_int_equal(bpf_attach_replace(other, first, ours, XDP_FLAGS_SKB_MODE, NULL), 0);
  assert_int_equal(attached_id(), id_of(other));
  assert_int_equal(bpf_attach_replace(-1, other, ours, XDP_FLAGS_SKB_MODE, NULL), 0);
  assert_int_equal(attached_id(), 0);
  close(first);
  close(other);
}

/* A process that holds a program on our interface is killed: nothing may stay. */
static void test_killed(void **state)
{
  (void)state;
  need_rig();
  int ready[2];
  char byte = 0;
  assert_int_equal(pipe(ready), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    int link;
    int program = -1;
    struct shunt_error error;
    if (bpf_rig_load(bpf_rig_pass, -1, &program, &error) == 0 &&
        bpf_link_xdp(program, ours, XDP_FLAGS_DRV_MODE, &link, &error) == 0)
      byte = 'y';
    if (write(ready[1], &byte, 1) == 1)
      pause();
    _exit(0);
  }
  assert_int_equal(read(ready[0], &byte, 1), 1);
  uint32_t id = attached_id();
  assert_int_equal(kill(child, SIGKILL), 0);
  assert_int_equal(waitpid(child, NULL, 0), child);
  close(ready[0]);
  close(ready[1]);
  assert_int_equal(byte, 'y');
  assert_int_not_equal(id, 0);
  assert_int_equal(attached_id(), 0); /* waitpid returns after the files are closed */
  int fd = -1;
  for (unsigned i = 0; i < 200 && bpf_program_open(id, &fd, NULL) == 0; i++) {
    close(fd); /* its memory goes after a grace period of RCU */
    usleep(10000);
  }
  assert_int_equal(bpf_program_open(id, &fd, NULL), -ENOENT);
}

static void attach_refused(int program, int ifindex, uint32_t mode, int code, const char *why,
                           const char *remedy)
{
  int link;
  struct shunt_error error;
  char text[1024];
  int result = bpf_link_xdp(program, ifindex, mode, &link, &error);
  shunt_error_format(&error, text, sizeof(text));
  if (result != code || strstr(error.why, why) == NULL || strstr(error.remedy, remedy) == NULL)
    print_error("%d, \"%s\" or \"%s\" is not in\n%s\n", code, why, remedy, text);
  assert_int_equal(result, code);
  assert_non_null(strstr(error.why, why));
  assert_non_null(strstr(error.remedy, remedy));
}

static void test_refused(void **state)
{
  (void)state;
  need_rig();
  struct features features = {0};
  int pass = load(bpf_rig_pass, "passes", 0, 0);
  attach_refused(pass, INT_MAX, XDP_FLAGS_SKB_MODE, -ENODEV, "ENODEV", "network namespace");
  attach_refused(pass, (int)if_nametoindex("lo"), XDP_FLAGS_DRV_MODE, -EOPNOTSUPP, "in drv mode",
                 "skb mode");
  attach_refused(pass, ours, XDP_FLAGS_HW_MODE, -EINVAL, "no XDP in hw mode", "drv mode");
  if (features_state(&features, FEATURE_DEVICE_BOUND) == FEATURE_PRESENT) {
    int bound = load(bpf_rig_pass, "bound", BPF_XDP_DEV_BOUND_ONLY, (uint32_t)ours);
    attach_refused(bound, ours, XDP_FLAGS_SKB_MODE, -EINVAL, "generic mode", "drv mode");
    attach_refused(bound, (int)if_nametoindex(VETH_THEIRS), XDP_FLAGS_DRV_MODE, -EINVAL,
                   "different device", "this interface");
    close(bound);
  }
  close(pass);
}

/* r0 = a kernel function that asks the NIC for a frame's time; veth has one for redirected frames
 */
static void write_receive_time(struct bpf_assembler *a, int map)
{
  (void)map;
  int32_t id = 0;
  assert_int_equal(btf_find_function("bpf_xdp_metadata_rx_timestamp", &id, NULL), 0);
  bpf_store_imm(a, BPF_DW, R10, -8, 0);
  bpf_move(a, R2, R10);
  bpf_add_imm(a, R2, -8);
  bpf_call_kernel(a, id, 0);
  bpf_move_imm(a, R0, XDP_PASS);
  bpf_exit(a);
}

static void test_receive_time(void **state)
{
  (void)state;
  need_rig();
  struct features features = {0};
  int link;
  if (features_state(&features, FEATURE_RX_TIME) != FEATURE_PRESENT)
    skip();
  int timed = load(write_receive_time, "timed", BPF_XDP_DEV_BOUND_ONLY, (uint32_t)ours);
  assert_int_equal(bpf_link_xdp(timed, ours, XDP_FLAGS_DRV_MODE, &link, NULL), 0);
  close(link);
  close(timed);
}

/* A driver gives long frames in several pieces, which the program must be ready for. */
static void test_long_frames(void **state)
{
  (void)state;
  need_rig();
  int link;
  int pass = load(bpf_rig_pass, "passes", 0, 0);
  int pieces = load(bpf_rig_pass, "pieces", BPF_F_XDP_HAS_FRAGS, 0);
  assert_int_equal(
      system("ip link set " VETH_OURS " mtu 9000 && ip link set " VETH_THEIRS " mtu 9000"), 0);
  attach_refused(pass, ours, XDP_FLAGS_DRV_MODE, -ERANGE, "(9000)", "multi_buffer=1");
  assert_int_equal(bpf_link_xdp(pieces, ours, XDP_FLAGS_DRV_MODE, &link, NULL), 0);
  close(link);
  assert_int_equal(
      system("ip link set " VETH_OURS " mtu 1500 && ip link set " VETH_THEIRS " mtu 1500"), 0);
  close(pass);
  close(pieces);
}

/* veth refuses programs on an end with fewer receive queues than the other sends on. */
static void test_few_queues(void **state)
{
  (void)state;
  need_rig();
  int pass = load(bpf_rig_pass, "passes", 0, 0);
  assert_int_equal(system("ip link add shuntc numrxqueues 1 numtxqueues 1 type veth peer name "
                          "shuntd numrxqueues 4 numtxqueues 4"),
                   0);
  attach_refused(pass, (int)if_nametoindex("shuntc"), XDP_FLAGS_DRV_MODE, -ENOSPC,
                 "1 receive queues", "ethtool -L shuntc");
  assert_int_equal(system("ip link delete shuntc"), 0);
  close(pass);
}

static void test_no_such(void **state)
{
  (void)state;
  need_rig();
  int fd;
  struct shunt_error error;
  assert_int_equal(bpf_link_open(UINT32_MAX, &fd, &error), -ENOENT);
  assert_int_equal(fd, -1);
  assert_int_equal(bpf_program_open(UINT32_MAX, &fd, &error), -ENOENT);
  uint32_t next;
  assert_int_equal(bpf_link_next(INT_MAX - 1, &next, &error), -ENOENT);
  struct bpf_link_state about;
  assert_int_equal(bpf_link_info(-1, &about, &error), -EBADF);
  assert_int_equal(bpf_link_detach(-1, &error), -EBADF);
}

static void test_describe(void **state)
{
  (void)state;
  char text[256];
  struct bpf_attached attached = {0};
  bpf_attach_describe(&attached, text, sizeof(text));
  assert_string_equal(text, "no program");
  attached = (struct bpf_attached){.program = 7, .mode = XDP_FLAGS_HW_MODE};
  bpf_attach_describe(&attached, text, sizeof(text));
  assert_string_equal(text, "hw mode, program id 7 (more is shown to CAP_SYS_ADMIN)");
  attached.known = true;
  attached.by_link = true;
  attached.link = 3;
  attached.mode = XDP_FLAGS_DRV_MODE;
  attached.state = (struct bpf_program_state){
      .name = "x", .tag = "00ff", .uid = 4000000000u, .loaded_ns = UINT64_MAX};
  bpf_attach_describe(&attached, text, sizeof(text));
  assert_string_equal(text, "drv mode, program \"x\" id 7 tag 00ff, loaded by uid 4000000000 0 s "
                            "ago, held by link 3");
  bpf_attach_describe(&attached, text, 5);
  assert_string_equal(text, "drv ");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_life),        cmocka_unit_test(test_busy_link),
      cmocka_unit_test(test_netlink),     cmocka_unit_test(test_killed),
      cmocka_unit_test(test_refused),     cmocka_unit_test(test_receive_time),
      cmocka_unit_test(test_long_frames), cmocka_unit_test(test_few_queues),
      cmocka_unit_test(test_no_such),     cmocka_unit_test(test_describe),
  };
  if (bpf_rig_usable() && veth_rig_enter())
    ours = (int)if_nametoindex(VETH_OURS);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
