/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/netlink/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char good[] = "shunt-setup 1\n"
                           "boot 7d3c1a52-0000-4000-8000-000000000000\n"
                           "namespace 4026531840\n"
                           "interface 5 eth0\n"
                           "owner 4711 892311 1f00ba51\n"
                           "owner 1 18446744073709551615 00000000\n"
                           "setting mtu 1500 9000\n"
                           "setting tx-checksum-ip-generic 1 0\n"
                           "end\n";

static int parse(const char *text)
{
  struct journal journal;
  return journal_parse(text, strlen(text), &journal);
}

static void reads_what_it_writes(void **state)
{
  (void)state;
  struct journal journal;
  char text[JOURNAL_BYTES];
  assert_int_equal(journal_parse(good, strlen(good), &journal), 0);
  assert_int_equal(journal.ifindex, 5);
  assert_string_equal(journal.name, "eth0");
  assert_int_equal(journal.owner_count, 2);
  assert_int_equal(journal.owners[0].pid, 4711);
  assert_int_equal(journal.owners[0].token, 0x1f00ba51);
  assert_true(journal.owners[1].start == UINT64_MAX);
  assert_int_equal(journal.setting_count, 2);
  assert_int_equal(journal_find(&journal, "mtu")->after, 9000);
  assert_null(journal_find(&journal, "up"));
  size_t bytes = journal_format(&journal, text);
  assert_int_equal(bytes, strlen(good));
  assert_memory_equal(text, good, bytes);
}

static void refuses_each_shorter_text(void **state)
{
  (void)state;
  struct journal journal;
  for (size_t bytes = 0; bytes < strlen(good); bytes++)
    assert_int_equal(journal_parse(good, bytes, &journal), -EINVAL);
}

static void refuses_garbage(void **state)
{
  (void)state;
#define HEAD "shunt-setup 1\nboot x\n"
  static const char *const bad[] = {
      "",
      "shunt-setup 2\nboot x\ninterface 1 a\nend\n",
      HEAD "end\n",
      HEAD "interface 0 a\nend\n",
      HEAD "interface -1 a\nend\n",
      HEAD "interface 1\nend\n",
      HEAD "interface 1 a\ninterface 2 b\nend\n",
      HEAD "interface 1 a234567890123456\nend\n",
      HEAD "interface 99999999999 a\nend\n",
      HEAD "interface 1 a\nowner 0 1 1\nend\n",
      HEAD "interface 1 a\nowner 1 1\nend\n",
      HEAD "interface 1 a\nowner 1 1 1ffffffff\nend\n",
      HEAD "interface 1 a\nsetting MTU 1 2\nend\n",
      HEAD "interface 1 a\nsetting mtu 1 -2\nend\n",
      HEAD "interface 1 a\nsetting mtu 1 4294967296\nend\n",
      HEAD "interface 1 a\nsetting mtu 1 2 3\nend\n",
      HEAD "interface 1 a\nsetting mtu 1 2\nsetting mtu 1 3\nend\n",
      HEAD "interface 1 a\nsetting ../../etc 1 2\nend\n",
      HEAD "interface 1 a\nunknown 1\nend\n",
      HEAD "interface 1 a\nend\nend\n",
      HEAD "interface 1 a\nend",
      HEAD "interface 1 \001\nend\n",
      HEAD "boot y\ninterface 1 a\nend\n",
      HEAD "namespace x\ninterface 1 a\nend\n",
      HEAD "namespace 1\nnamespace 2\ninterface 1 a\nend\n",
      "shunt-setup 1\ninterface 1 a\nend\n",
  };
  for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    if (parse(bad[i]) != -EINVAL)
      fail_msg("taken: %s", bad[i]);
  assert_int_equal(parse(HEAD "interface 1 a\nend\n"), 0);
}

static void holds_the_most_there_can_be(void **state)
{
  (void)state;
  struct journal journal = {.ifindex = INT32_MAX}, again;
  char text[JOURNAL_BYTES];
  memset(journal.boot, 'b', sizeof(journal.boot) - 1);
  memset(journal.name, 'n', sizeof(journal.name) - 1);
  journal.owner_count = JOURNAL_OWNERS;
  journal.setting_count = JOURNAL_SETTINGS;
  for (unsigned i = 0; i < JOURNAL_OWNERS; i++)
    journal.owners[i] =
        (struct journal_owner){.pid = INT32_MAX, .start = UINT64_MAX, .token = UINT32_MAX};
  for (unsigned i = 0; i < JOURNAL_SETTINGS; i++) {
    journal.settings[i] = (struct journal_setting){.before = UINT32_MAX, .after = UINT32_MAX};
    memset(journal.settings[i].key, 'k', sizeof(journal.settings[i].key) - 1);
    journal.settings[i].key[0] = (char)('a' + i);
  }
  size_t bytes = journal_format(&journal, text);
  assert_int_equal(journal_parse(text, bytes, &again), 0);
  assert_int_equal(again.owner_count, JOURNAL_OWNERS);
  assert_int_equal(again.setting_count, JOURNAL_SETTINGS);
}

static void knows_the_living(void **state)
{
  (void)state;
  struct journal_owner self, child = {0}, other;
  struct journal journal = {0};
  int ready[2];
  assert_int_equal(journal_owner_self(&self), 0);
  assert_true(journal_owner_lives(&self));
  other = self;
  other.start++; /* a process that was given the id of one that has ended */
  assert_false(journal_owner_lives(&other));

  assert_int_equal(pipe(ready), 0);
  pid_t process = fork();
  if (process == 0) {
    if (journal_owner_self(&child) == 0)
      (void)!write(ready[1], &child, sizeof(child));
    pause();
    _exit(0);
  }
  assert_int_equal(read(ready[0], &child, sizeof(child)), sizeof(child));
  assert_int_equal(child.pid, process);
  assert_true(journal_owner_lives(&child));
  journal.owner_count = 3;
  journal.owners[0] = other;
  journal.owners[1] = child;
  journal.owners[2] = self;
  assert_int_equal(journal_bury(&journal), 2);
  assert_int_equal(journal.owners[0].pid, process);
  kill(process, SIGKILL);
  siginfo_t info;
  assert_int_equal(waitid(P_PID, (id_t)process, &info, WEXITED | WNOWAIT), 0);
  assert_false(journal_owner_lives(&child)); /* a zombie holds nothing */
  waitpid(process, NULL, 0);
  assert_false(journal_owner_lives(&child));
  assert_int_equal(journal_bury(&journal), 1);
  journal_leave(&journal, self.token + 1);
  assert_int_equal(journal.owner_count, 1);
  journal_leave(&journal, self.token);
  assert_int_equal(journal.owner_count, 0);
  close(ready[0]);
  close(ready[1]);
}

static void keeps_files(void **state)
{
  (void)state;
  char directory[] = "/tmp/shunt-journal-XXXXXX", path[96];
  struct journals journals;
  struct journal journal, again;
  struct shunt_error error = {0};
  struct stat status;
  int indices[4];
  unsigned others;
  assert_non_null(mkdtemp(directory));
  assert_int_equal(journals_open(directory, &journals, &error), 0);
  assert_int_equal(journals_read(&journals, 7, &journal, &error), 0);
  assert_int_equal(journal.setting_count, 0);
  assert_int_equal(journal.ifindex, 7);
  snprintf(journal.name, sizeof(journal.name), "eth7");
  journal.setting_count = 1;
  journal.settings[0] = (struct journal_setting){.key = "mtu", .before = 1500, .after = 2000};
  assert_int_equal(journals_write(&journals, &journal, &error), 0);
  snprintf(path, sizeof(path), "%s/setup-%lx-7", directory, (unsigned long)journals.space);
  assert_int_equal(stat(path, &status), 0);
  assert_int_equal(status.st_mode & 07777, 0600);
  assert_int_equal(journals_read(&journals, 7, &again, &error), 0);
  assert_int_equal(again.settings[0].after, 2000);
  assert_int_equal(journals_list(&journals, indices, 4, &others), 1);
  assert_int_equal(indices[0], 7);
  assert_int_equal(others, 0);

  /* Of an earlier boot: as if there were none. */
  snprintf(journal.boot, sizeof(journal.boot), "another");
  assert_int_equal(journals_write(&journals, &journal, &error), 0);
  assert_int_equal(journals_read(&journals, 7, &again, &error), 0);
  assert_int_equal(again.setting_count, 0);

  int fd = open(path, O_WRONLY | O_TRUNC);
  assert_int_equal(write(fd, "shunt", 5), 5);
  close(fd);
  assert_int_equal(journals_read(&journals, 7, &again, &error), -EINVAL);
  assert_non_null(strstr(error.why, "damaged"));
  journal.setting_count = 0;
  assert_int_equal(journals_write(&journals, &journal, &error), 0);
  assert_int_equal(journals_list(&journals, indices, 4, &others), 0);
  journals_close(&journals);

  assert_int_equal(chmod(directory, 0777), 0);
  assert_int_equal(journals_open(directory, &journals, &error), -EPERM);
  assert_true(*error.why && *error.remedy);
  snprintf(path, sizeof(path), "%s/setup.lock", directory);
  unlink(path);
  rmdir(directory);
}

/* ---- Other namespaces ---- */

static void make(const char *path, const char *text)
{
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

/* A journal of another namespace in the directory, of no owner or of one that lives. */
static void put(const struct journals *journals, const char *directory, int ifindex, uint64_t inode,
                const char *boot, const struct journal_owner *owner)
{
  char path[96], text[JOURNAL_BYTES];
  struct journal journal = {.ifindex = ifindex, .name = "far0", .namespace_inode = inode};
  snprintf(journal.boot, sizeof(journal.boot), "%s", boot);
  if (owner)
    journal.owners[journal.owner_count++] = *owner;
  journal.setting_count = 1;
  journal.settings[0] = (struct journal_setting){.key = "mtu", .before = 1500, .after = 2000};
  journal_format(&journal, text);
  snprintf(path, sizeof(path), "%s/setup-%lx-%d", directory, (unsigned long)journals->space + 1,
           ifindex);
  make(path, text);
}

static bool is_there(const struct journals *journals, const char *directory, int ifindex)
{
  char path[96];
  snprintf(path, sizeof(path), "%s/setup-%lx-%d", directory, (unsigned long)journals->space + 1,
           ifindex);
  return access(path, F_OK) == 0;
}

/* A /proc of one process, which is in namespace 11, has a file open on 12, and sees 13 mounted. */
static void make_proc(const char *proc)
{
  static const char *const directories[] = {"",          "/1",           "/1/task",
                                            "/1/task/1", "/1/task/1/ns", "/1/fd"};
  char path[96];
  for (unsigned i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
    snprintf(path, sizeof(path), "%s%s", proc, directories[i]);
    assert_int_equal(mkdir(path, 0700), 0);
  }
  snprintf(path, sizeof(path), "%s/1/task/1/ns/net", proc);
  assert_int_equal(symlink("net:[11]", path), 0);
  snprintf(path, sizeof(path), "%s/1/fd/3", proc);
  assert_int_equal(symlink("net:[12]", path), 0);
  snprintf(path, sizeof(path), "%s/1/mountinfo", proc);
  make(path, "20 1 8:1 / / rw - ext4 /dev/vda rw\n"
             "21 20 0:4 net:[13] /run/netns/far rw - nsfs nsfs rw\n");
}

static void forgets_namespaces_that_are_gone(void **state)
{
  (void)state;
  char directory[] = "/tmp/shunt-journal-XXXXXX", proc[64], command[128];
  struct journals journals;
  struct journal_owner self;
  struct shunt_error error = {0};
  assert_non_null(mkdtemp(directory));
  snprintf(proc, sizeof(proc), "%s/proc", directory);
  make_proc(proc);
  assert_int_equal(journals_open(directory, &journals, &error), 0);
  assert_int_equal(journal_owner_self(&self), 0);
  put(&journals, directory, 1, 10, journals.boot, NULL); /* nothing is in it: gone */
  put(&journals, directory, 2, 10, journals.boot, &self);
  put(&journals, directory, 3, 0, journals.boot, NULL); /* not known which one it is */
  put(&journals, directory, 4, 10, "another", NULL);
  for (int i = 11; i <= 13; i++)
    put(&journals, directory, i, (uint64_t)i, journals.boot, NULL);
  assert_int_equal(journals_sweep(&journals, proc, NULL), 2);
  assert_false(is_there(&journals, directory, 1));
  assert_true(is_there(&journals, directory, 2));
  assert_true(is_there(&journals, directory, 3));
  assert_false(is_there(&journals, directory, 4));
  for (int i = 11; i <= 13; i++)
    assert_true(is_there(&journals, directory, i));

  /* Where something can't be looked at nothing is known to be gone. */
  put(&journals, directory, 1, 10, journals.boot, NULL);
  snprintf(command, sizeof(command), "%s/1/mountinfo", proc);
  assert_int_equal(unlink(command), 0);
  assert_int_equal(symlink("mountinfo", command), 0); /* ELOOP */
  assert_int_equal(journals_sweep(&journals, proc, NULL), 0);
  assert_true(is_there(&journals, directory, 1));
  journals_close(&journals);
  snprintf(command, sizeof(command), "rm -r %s", directory);
  assert_int_equal(system(command), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_what_it_writes),
      cmocka_unit_test(refuses_each_shorter_text),
      cmocka_unit_test(refuses_garbage),
      cmocka_unit_test(knows_the_living),
      cmocka_unit_test(holds_the_most_there_can_be),
      cmocka_unit_test(keeps_files),
      cmocka_unit_test(forgets_namespaces_that_are_gone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
