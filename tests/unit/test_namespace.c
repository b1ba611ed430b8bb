/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/netlink/namespace.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shunt/clock.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* uapi/asm-generic/socket.h, Linux 5.14 */
#endif

static struct namespace_name name_of_this_one(void)
{
  struct namespace_name name = {0};
  struct stat status;
  socklen_t bytes = sizeof(name.cookie);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &name.cookie, &bytes);
  close(fd);
  if (!stat("/proc/thread-self/ns/net", &status))
    name.inode = status.st_ino;
  return name;
}

/* A child in a namespace of its own, until the pipe is closed; its name. */
static pid_t another_namespace(struct namespace_name *name, int *hold)
{
  int told[2], held[2];
  assert_int_equal(pipe(told), 0);
  assert_int_equal(pipe(held), 0);
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    close(held[1]);
    *name = (struct namespace_name){0};
    if (!unshare(CLONE_NEWNET))
      *name = name_of_this_one();
    (void)!write(told[1], name, sizeof(*name));
    (void)!read(held[0], name, 1);
    _exit(0);
  }
  close(held[0]);
  close(told[1]);
  assert_int_equal(read(told[0], name, sizeof(*name)), sizeof(*name));
  close(told[0]);
  *hold = held[1];
  return child;
}

static void knows_the_living_and_the_gone(void **state)
{
  (void)state;
  const struct shunt_clock *clock = shunt_clock_real();
  const struct namespace_name own = name_of_this_one();
  struct namespace_name other;
  int hold;
  if (!namespace_can_ask(&own)) {
    print_message("skipped: a kernel before 6.18, or not all namespaces may be seen\n");
    skip();
  }
  assert_false(namespace_is_gone(&own));
  const pid_t child = another_namespace(&other, &hold);
  assert_true(other.cookie && other.cookie != own.cookie);
  assert_false(namespace_is_gone(&other));
  const struct namespace_name inode_of_another = {other.cookie + UINT32_MAX, own.inode};
  assert_true(namespace_is_gone(&inode_of_another)); /* it was given again */
  close(hold);
  waitpid(child, NULL, 0);
  const uint64_t end_ns = shunt_clock_now_ns(clock) + UINT64_C(30000000000);
  while (!namespace_is_gone(&other) && shunt_clock_now_ns(clock) < end_ns)
    shunt_clock_sleep_ns(clock, 1000000);
  assert_true(namespace_is_gone(&other));
}

/* To who may not see all namespaces those of others would look gone. */
static void does_not_ask_where_it_may_not_see_all(void **state)
{
  (void)state;
  const struct namespace_name own = name_of_this_one();
  int status;
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0)
    _exit(unshare(CLONE_NEWUSER) ? 77 : namespace_can_ask(&own) ? 1 : 0);
  assert_int_equal(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
    skip(); /* no user namespaces here */
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(knows_the_living_and_the_gone),
      cmocka_unit_test(does_not_ask_where_it_may_not_see_all),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
