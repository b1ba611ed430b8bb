/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/bpf/features.h"

#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf_rig.h"

/* The running kernel's version as 1000 * major + minor. */
static unsigned running(void)
{
  struct utsname system;
  unsigned major = 0, minor = 0;
  assert_int_equal(uname(&system), 0);
  assert_int_equal(sscanf(system.release, "%u.%u", &major, &minor), 2);
  return 1000 * major + minor;
}

static unsigned since(enum feature feature)
{
  unsigned major = 0, minor = 0;
  assert_int_equal(sscanf(feature_since(feature), "%u.%u", &major, &minor), 2);
  return 1000 * major + minor;
}

/* A kernel may lack what its version has (its configuration) but ours are built with all; older
 * ones that have more have it carried back. What a probe says must fit the versions we name. */
static void test_versions(void **state)
{
  (void)state;
  struct features features = {0};
  if (!bpf_rig_usable())
    skip();
  for (int i = 0; i < FEATURE_COUNT; i++) {
    enum feature_state found = features_state(&features, (enum feature)i);
    assert_non_null(feature_name((enum feature)i));
    assert_int_equal(found, features.of[i].state);
    if (running() >= since((enum feature)i) && found != FEATURE_PRESENT)
      print_message("Linux has %s since %s; this one not: errno %d\n",
                    feature_name((enum feature)i), feature_since((enum feature)i),
                    -features.of[i].code);
  }
  assert_int_equal(features.of[FEATURE_XDP].state, FEATURE_PRESENT);
  if (running() >= since(FEATURE_XDP_LINK)) /* not to be left out of a kernel with BPF */
    assert_int_equal(features.of[FEATURE_XDP_LINK].state, FEATURE_PRESENT);
  if (running() >= since(FEATURE_FRAGMENTS))
    assert_int_equal(features.of[FEATURE_FRAGMENTS].state, FEATURE_PRESENT);
  if (running() >= since(FEATURE_LIVE_FRAMES))
    assert_int_equal(features.of[FEATURE_LIVE_FRAMES].state, FEATURE_PRESENT);
  if (running() >= since(FEATURE_SOCKET_FRAGMENTS) &&
      features.of[FEATURE_XDP_SOCKET].state == FEATURE_PRESENT)
    assert_int_equal(features.of[FEATURE_SOCKET_FRAGMENTS].state, FEATURE_PRESENT);
}

/* A kernel of the past: what was found is remembered, and the error names the version. */
static void test_need(void **state)
{
  (void)state;
  struct features features = {0};
  struct shunt_error error = {.code = 0};
  struct utsname system;
  uname(&system);
  features.of[FEATURE_TX_BUDGET].state = FEATURE_ABSENT;
  features.of[FEATURE_TX_BUDGET].code = -ENOPROTOOPT;
  assert_int_equal(features_need(&features, FEATURE_TX_BUDGET, "tx_budget=512", &error),
                   -EOPNOTSUPP);
  assert_non_null(strstr(error.what, "tx_budget=512"));
  assert_non_null(strstr(error.why, system.release));
  assert_non_null(strstr(error.why, "ENOPROTOOPT"));
  assert_non_null(strstr(error.remedy, "came with Linux 6.17"));
  features.of[FEATURE_TX_BUDGET].state = FEATURE_UNKNOWN; /* let the call itself say */
  assert_int_equal(features_need(&features, FEATURE_TX_BUDGET, "x", NULL), 0);
  features.of[FEATURE_TX_BUDGET].state = FEATURE_PRESENT;
  assert_int_equal(features_need(&features, FEATURE_TX_BUDGET, "x", NULL), 0);
}

/* Without rights a probe says nothing about the kernel. Returns 0, or which step was wrong. */
static int powerless_child(void)
{
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
  struct features features = {0};
  if (syscall(SYS_capset, &header, none) != 0)
    return 2;
  static const enum feature guarded[] = {FEATURE_XDP_SOCKET, FEATURE_XSKMAP, FEATURE_XDP_LINK,
                                         FEATURE_FRAGMENTS, FEATURE_TX_METADATA};
  for (size_t i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++) {
    if (features_state(&features, guarded[i]) != FEATURE_UNKNOWN)
      return 3 + (int)i;
  }
  return 0;
}

static void test_powerless(void **state)
{
  (void)state;
  int status = 0;
  if (!bpf_rig_usable())
    skip();
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0)
    _exit(powerless_child());
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_versions),
      cmocka_unit_test(test_need),
      cmocka_unit_test(test_powerless),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
