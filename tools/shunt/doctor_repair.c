/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt doctor --repair: put back what processes that are gone have left changed at interfaces. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shunt/clock.h"
#include "src/netlink/setup.h"
#include "tools/shunt/doctor.h"

/* Wait until a process has ended. One that is not there has. */
static void wait_for_end(pid_t pid)
{
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0)
    return;
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  while (poll(&wait, 1, -1) < 0 && errno == EINTR)
    ;
  close(fd);
}

int doctor_repair(const struct cli *cli, uint64_t after)
{
  struct setup_recovered recovered;
  struct shunt_error error;
  if (after)
    wait_for_end((pid_t)after);
  if (setup_recover(NULL, NULL, false, &cli->log, &recovered, &error))
    return cli_fail(cli, &error);
  if (cli->json) {
    struct json_object *document = json_object_new_object();
    cli_add_u64(document, "journals", recovered.journals);
    cli_add_u64(document, "settings_put_back", recovered.settings);
    cli_add_u64(document, "held", recovered.held);
    cli_add_u64(document, "other_namespaces", recovered.others);
    return cli_json(document, CLI_OK);
  }
  if (!recovered.journals)
    puts("nothing to repair: no process that is gone has left an interface changed");
  else
    printf("%u settings were put back, of %u interfaces\n", recovered.settings, recovered.journals);
  if (recovered.held)
    printf("%u interfaces are changed for processes that run\n", recovered.held);
  if (recovered.others)
    printf("%u journals are of other network namespaces: repair those there\n", recovered.others);
  return CLI_OK;
}

static void look_leftovers(const struct doctor *doctor, struct doctor_line *line)
{
  (void)doctor;
  struct setup_recovered recovered;
  struct shunt_error error;
  if (access(SETUP_DIRECTORY, F_OK)) {
    doctor_pass(line, "no interface was changed");
  } else if (setup_recover(NULL, NULL, true, NULL, &recovered, &error)) {
    doctor_warn(line, "%s: %s", error.what, error.why);
    doctor_remedy(line, "%s", error.remedy);
  } else if (recovered.journals) {
    doctor_warn(line, "processes that are gone have left %u interfaces changed",
                recovered.journals);
    doctor_remedy(line, "shunt doctor --repair");
  } else {
    doctor_pass(line, "nothing is left behind; %u interfaces are changed for who runs",
                recovered.held);
  }
}

const struct doctor_check doctor_live_checks[] = {
    {"interfaces-changed", look_leftovers},
    {NULL, NULL},
};
