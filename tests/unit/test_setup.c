/* SPDX-License-Identifier: BSD-2-Clause */
/* An interface is changed, and is as before afterwards: closed, killed, shared, contended. */
#include "src/netlink/setup.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "src/netlink/interface.h"
#include "src/netlink/journal.h"
#include "src/netlink/setting.h"
#include "tests/unit/veth_rig.h"

static bool usable;
static char directory[] = "/tmp/shunt-setup-XXXXXX";

static int enter(void **state)
{
  (void)state;
  usable = veth_rig_enter() && mkdtemp(directory);
  return 0;
}

static int leave(void **state)
{
  (void)state;
  char path[64];
  snprintf(path, sizeof(path), "%s/setup.lock", directory);
  unlink(path);
  snprintf(path, sizeof(path), "%s/setup.new", directory);
  unlink(path);
  return usable ? rmdir(directory) : 0; /* fails where a journal was left */
}

static struct interface_state look(const char *name)
{
  struct interface_state state;
  struct shunt_error error = {0};
  if (interface_read(name, &state, &error))
    fail_msg("%s: %s", error.what, error.why);
  return state;
}

static void is_untouched(void)
{
  struct interface_state ours = look(VETH_OURS), theirs = look(VETH_THEIRS);
  assert_int_equal(ours.mtu, 1500);
  assert_int_equal(ours.channels.rx, 4);
  assert_int_equal(ours.channels.tx, 4);
  assert_int_equal(ours.promiscuity, 0);
  assert_true(ours.up);
  assert_true(theirs.offloads & INTERFACE_TX_CHECKSUM_GENERIC);
  assert_true(theirs.offloads & INTERFACE_TX_TCP4_SEGMENT);
  assert_true(theirs.offloads & INTERFACE_TX_VLAN_INSERT);
}

static const struct setup_wanted everything = {
    .channels = 2,
    .mtu = 3000,
    .up = true,
    .promiscuous = true,
    .traps = SETUP_PARTIAL_CHECKSUMS | SETUP_AGGREGATES | SETUP_STRIPPED_TAGS,
};

static void is_changed(void)
{
  struct interface_state ours = look(VETH_OURS), theirs = look(VETH_THEIRS);
  assert_int_equal(ours.mtu, 3000);
  assert_int_equal(ours.channels.rx, 2);
  assert_int_equal(ours.channels.tx, 2);
  assert_true(ours.promiscuity > 0);
  assert_false(theirs.offloads & INTERFACE_TX_CHECKSUMS);
  assert_false(theirs.offloads & INTERFACE_TX_SEGMENTS);
  assert_false(theirs.offloads & INTERFACE_TX_VLAN_INSERT);
}

static struct setup *open_setup(const struct setup_wanted *wanted)
{
  struct setup *setup = NULL;
  struct shunt_error error = {0};
  if (setup_open(directory, VETH_OURS, wanted, NULL, &setup, &error))
    fail_msg("%s: %s", error.what, error.why);
  return setup;
}

static struct setup_recovered recover(void)
{
  struct setup_recovered recovered;
  struct shunt_error error = {0};
  if (setup_recover(directory, NULL, false, NULL, &recovered, &error))
    fail_msg("%s: %s", error.what, error.why);
  return recovered;
}

static void changes_and_puts_back(void **context)
{
  (void)context;
  const char *why;
  if (!usable)
    skip();
  struct setup *setup = open_setup(&everything);
  is_changed();
  assert_int_equal(setup_remaining(setup, &why), 0);
  assert_string_equal(why, "");
  assert_int_equal(recover().held, 2); /* our journal and the other end's */
  is_changed();
  assert_int_equal(setup_close(setup, NULL), 0);
  is_untouched();
  assert_int_equal(setup_close(NULL, NULL), 0);
}

static void sets_up_what_was_down(void **context)
{
  (void)context;
  const struct setup_wanted wanted = {.up = true};
  if (!usable)
    skip();
  assert_int_equal(system("ip link set " VETH_OURS " down"), 0);
  struct setup *setup = open_setup(&wanted);
  assert_true(look(VETH_OURS).up);
  assert_int_equal(setup_close(setup, NULL), 0);
  assert_false(look(VETH_OURS).up);
  assert_int_equal(system("ip link set " VETH_OURS " up"), 0);
}

static void is_shared_until_the_last_leaves(void **context)
{
  (void)context;
  const struct setup_wanted one = {.mtu = 3000};
  if (!usable)
    skip();
  struct setup *first = open_setup(&everything), *second = open_setup(&one);
  assert_int_equal(setup_close(first, NULL), 0);
  assert_int_equal(look(VETH_OURS).mtu, 3000);
  assert_int_equal(look(VETH_OURS).promiscuity, 0); /* each holds it for itself */
  first = open_setup(&one);
  assert_int_equal(setup_close(second, NULL), 0);
  assert_int_equal(look(VETH_OURS).mtu, 3000);
  assert_int_equal(setup_close(first, NULL), 0);
  is_untouched();
}

static void refuses_what_another_holds_otherwise(void **context)
{
  (void)context;
  struct shunt_error error = {0};
  const struct setup_wanted other = {.mtu = 4000};
  struct setup *setup = NULL;
  if (!usable)
    skip();
  struct setup *first = open_setup(&everything);
  assert_int_equal(setup_open(directory, VETH_OURS, &other, NULL, &setup, &error), -EBUSY);
  assert_non_null(strstr(error.why, "process"));
  assert_null(setup);
  is_changed();
  assert_int_equal(setup_close(first, NULL), 0);
  is_untouched();
}

static void leaves_what_someone_else_changed(void **context)
{
  (void)context;
  if (!usable)
    skip();
  struct setup *setup = open_setup(&everything);
  assert_int_equal(system("ip link set " VETH_OURS " mtu 2222"), 0);
  assert_int_equal(setup_close(setup, NULL), 0);
  assert_int_equal(look(VETH_OURS).mtu, 2222);
  assert_int_equal(system("ip link set " VETH_OURS " mtu 1500"), 0);
  is_untouched();
}

static void undoes_a_set_up_that_fails(void **context)
{
  (void)context;
  struct shunt_error error = {0};
  struct setup *setup = NULL;
  struct setup_wanted wanted = everything;
  if (!usable)
    skip();
  wanted.channels = 5;
  assert_int_equal(setup_open(directory, VETH_OURS, &wanted, NULL, &setup, &error), -EINVAL);
  assert_non_null(strstr(error.why, "4 at most"));
  is_untouched();
  wanted.channels = 2;
  wanted.mtu = 10; /* found wrong by the kernel only, when the journal is written */
  assert_true(setup_open(directory, VETH_OURS, &wanted, NULL, &setup, &error) < 0);
  is_untouched();
  assert_int_equal(setup_open(directory, "shuntx", &everything, NULL, &setup, &error), -ENODEV);
  assert_int_equal(recover().journals, 0);
}

static void says_what_stays_on(void **context)
{
  (void)context;
  struct shunt_error error = {0};
  struct setup *setup = NULL;
  const char *why;
  const struct setup_wanted want = {.traps = SETUP_PARTIAL_CHECKSUMS},
                            try = {.traps_try = SETUP_PARTIAL_CHECKSUMS};
  if (!usable)
    skip();
  assert_int_equal(setup_open(directory, "lo", &want, NULL, &setup, &error), -EOPNOTSUPP);
  assert_non_null(strstr(error.why, "fixed"));
  assert_int_equal(setup_open(directory, "lo", &try, NULL, &setup, &error), 0);
  assert_int_equal(setup_remaining(setup, &why), SETUP_PARTIAL_CHECKSUMS);
  assert_non_null(strstr(why, "checksum"));
  assert_int_equal(setup_close(setup, NULL), 0);
}

/* ---- kill -9 ---- */

/* What a process that dies does first, in a child. */
static void die_after(void (*acts)(void))
{
  int status;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    acts();
    raise(SIGKILL);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void open_it(void)
{
  open_setup(&everything);
}

/* Between the journal and the change, with the lock held. */
static void write_only(void)
{
  struct journals journals;
  struct journal journal;
  if (journals_open(directory, &journals, NULL) ||
      journals_read(&journals, (int)if_nametoindex(VETH_OURS), &journal, NULL))
    _exit(1);
  snprintf(journal.name, sizeof(journal.name), VETH_OURS);
  journal.owner_count = 1;
  journal_owner_self(&journal.owners[0]);
  journal.setting_count = 1;
  journal.settings[0] = (struct journal_setting){.key = "mtu", .before = 1500, .after = 3000};
  if (journals_write(&journals, &journal, NULL))
    _exit(1);
}

static void open_and_close_half(void)
{
  open_setup(&everything);
  struct shunt_error error;
  if (setting_write((int)if_nametoindex(VETH_OURS), "mtu", 1500, &error))
    _exit(1);
}

static void recovers_from_kill(void **context)
{
  (void)context;
  void (*const ways[])(void) = {open_it, write_only, open_and_close_half};
  if (!usable)
    skip();
  for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
    die_after(ways[i]);
    struct setup_recovered recovered = recover();
    assert_true(recovered.journals >= 1);
    assert_int_equal(recovered.held, 0);
    is_untouched();
    assert_int_equal(recover().journals, 0);
  }
}

static void next_start_recovers(void **context)
{
  (void)context;
  struct setup_recovered recovered;
  const struct setup_wanted other = {.mtu = 4000};
  if (!usable)
    skip();
  die_after(open_it);
  assert_int_equal(look(VETH_OURS).mtu, 3000);
  assert_int_equal(setup_recover(directory, NULL, true, NULL, &recovered, NULL), 0);
  assert_int_equal(recovered.journals, 2);
  assert_int_equal(look(VETH_OURS).mtu, 3000); /* dry */
  struct setup *setup = open_setup(&other);
  assert_int_equal(look(VETH_OURS).mtu, 4000);
  assert_int_equal(look(VETH_OURS).channels.rx, 4);
  assert_true(look(VETH_THEIRS).offloads & INTERFACE_TX_CHECKSUM_GENERIC);
  assert_int_equal(setup_close(setup, NULL), 0);
  is_untouched();
}

static void open_and_close_for_ever(void)
{
  for (;;)
    setup_close(open_setup(&everything), NULL);
}

static void recovers_from_kill_at_any_time(void **context)
{
  (void)context;
  if (!usable)
    skip();
  for (unsigned i = 0; i < 40; i++) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
      open_and_close_for_ever();
    usleep(1000 + i * 617 % 23000);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    recover();
    is_untouched();
  }
}

static void forgets_an_interface_that_is_gone(void **context)
{
  (void)context;
  if (!usable)
    skip();
  die_after(open_it);
  assert_int_equal(system("ip link del " VETH_OURS), 0);
  recover();
  assert_int_equal(recover().journals, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(changes_and_puts_back),
      cmocka_unit_test(sets_up_what_was_down),
      cmocka_unit_test(is_shared_until_the_last_leaves),
      cmocka_unit_test(refuses_what_another_holds_otherwise),
      cmocka_unit_test(leaves_what_someone_else_changed),
      cmocka_unit_test(undoes_a_set_up_that_fails),
      cmocka_unit_test(says_what_stays_on),
      cmocka_unit_test(recovers_from_kill),
      cmocka_unit_test(next_start_recovers),
      cmocka_unit_test(recovers_from_kill_at_any_time),
      cmocka_unit_test(forgets_an_interface_that_is_gone),
  };
  return cmocka_run_group_tests(tests, enter, leave);
}
