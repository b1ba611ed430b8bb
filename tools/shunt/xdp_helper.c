/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt xdp-helper: the capabilities that AF_XDP needs, held by one process for others. */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shunt/clock.h"
#include "src/netlink/setup.h"
#include "src/xdp_helper/server.h"
#include "tools/shunt/cli.h"

struct helper {
  struct cli *cli;
  const char *socket, *allow, *policy_file;
  struct policy policy;
  struct server *server;
  int listener;
  bool given; /* by systemd, which also removes it */
};

/* ---- Policy ---- */

#define POLICY_FILE_BYTES 65536

static int unreadable(const char *path, int code, struct shunt_error *error)
{
  shunt_error_set(error, code, "can't read the policy %s", path);
  shunt_error_why(error, "%s", strerror(-code));
  if (code == -ENOENT)
    shunt_error_remedy(error, "write it: echo 'user=NAME interface=NAME' > %s", path);
  else if (code == -EFBIG)
    shunt_error_remedy(error, "%d bytes are the most, of which comments are part",
                       POLICY_FILE_BYTES - 1);
  else
    shunt_error_remedy(error, "name a file that the helper's user can read: --policy FILE");
  return code;
}

static int read_file(const char *path, char text[POLICY_FILE_BYTES], struct shunt_error *error)
{
  struct stat status = {0};
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t bytes = fd < 0 || fstat(fd, &status) ? -1 : read(fd, text, POLICY_FILE_BYTES);
  int code = bytes < 0 ? -errno : 0;
  if (fd >= 0)
    close(fd);
  if (code < 0 || bytes == POLICY_FILE_BYTES)
    return unreadable(path, code ? code : -EFBIG, error);
  if (status.st_mode & S_IWOTH) {
    shunt_error_set(error, -EPERM, "the policy %s is not to be trusted", path);
    shunt_error_why(error, "everybody may write to it");
    shunt_error_remedy(error, "chmod o-w %s", path);
    return -EPERM;
  }
  text[bytes] = '\0';
  return 0;
}

static int read_policy(struct helper *helper, struct shunt_error *error)
{
  int code = 0;
  char *text = helper->policy_file ? malloc(POLICY_FILE_BYTES) : NULL;
  if (helper->policy_file)
    code = text ? read_file(helper->policy_file, text, error)
                : shunt_error_set(error, -ENOMEM, "no memory for the policy");
  if (code == 0 && text)
    code = policy_parse(&helper->policy, helper->policy_file, text, error);
  free(text);
  if (code == 0 && helper->allow)
    code = policy_parse(&helper->policy, "--allow", helper->allow, error);
  if (code < 0 || helper->policy.count)
    return code;
  shunt_error_set(error, -EINVAL, "the helper would serve nobody");
  shunt_error_why(error, "its policy has no entry");
  shunt_error_remedy(error, "--allow 'user=NAME interface=NAME', or --policy FILE");
  return -EINVAL;
}

/* ---- Privileges ---- */

/* Keep what is needed, and nothing that a program which is started could use. CAP_PERFMON is what
 * the verifier wants for offsets into a packet that are known only at run time, and without it
 * makes programs slower (sanitized against speculation). */
static int shed(struct shunt_error *error)
{
  static const unsigned needed[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF, CAP_PERFMON};
  bool has_all = capng_get_caps_process() == 0, bounds = false;
  for (unsigned i = 0; has_all && i < sizeof(needed) / sizeof(needed[0]); i++)
    has_all = capng_have_capability(CAPNG_EFFECTIVE, needed[i]) == 1;
  if (!has_all) {
    shunt_error_set(error, -EPERM, "the helper lacks what it is to do for others");
    shunt_error_why(error, "CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_PERFMON are needed");
    shunt_error_remedy(error, "start it as root, or by its systemd unit");
    return -EPERM;
  }
  bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) == 1;
  capng_clear(CAPNG_SELECT_ALL);
  capng_updatev(CAPNG_ADD, (capng_type_t)(CAPNG_EFFECTIVE | CAPNG_PERMITTED), CAP_NET_ADMIN,
                CAP_NET_RAW, CAP_BPF, CAP_PERFMON, -1);
  if ((bounds && capng_apply(CAPNG_SELECT_BOUNDS)) || capng_apply(CAPNG_SELECT_CAPS))
    return shunt_error_set(error, -EPERM, "the helper can't give up what it does not need");
  return 0;
}

/* ---- Listening ---- */

/* A socket that systemd made: descriptor 3, where LISTEN_PID is this process (sd_listen_fds(3)). */
static bool take_given(struct helper *helper)
{
  const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
  if (!pid || !count || strtol(pid, NULL, 10) != getpid() || strtol(count, NULL, 10) < 1)
    return false;
  helper->listener = 3;
  helper->given = true;
  fcntl(3, F_SETFD, FD_CLOEXEC);
  fcntl(3, F_SETFL, O_NONBLOCK);
  return true;
}

static int listen_somewhere(struct helper *helper, struct shunt_error *error)
{
  if (take_given(helper))
    return 0;
  if (!strcmp(helper->socket, XDP_HELPER_SOCKET))
    mkdir(SETUP_DIRECTORY, 0755); /* there already, or listening says why not */
  return server_listen(helper->socket, &helper->listener, error);
}

/* ---- Serving ---- */

#define TURN_MS 1000

static int serve(struct helper *helper)
{
  struct shunt_error error;
  fprintf(helper->cli->json ? stderr : stdout, "ready\n");
  fflush(stdout);
  while (!cli_stopped()) {
    int code = server_turn(helper->server, helper->listener, TURN_MS);
    if (code < 0) {
      shunt_error_set(&error, code, "can't wait for clients");
      shunt_error_why(&error, "%s", strerror(-code));
      return cli_fail(helper->cli, &error);
    }
  }
  return CLI_OK;
}

/* What a helper before this one, killed, has left changed. Trouble here is no reason not to serve.
 */
static void recover(const struct helper *helper)
{
  struct setup_recovered recovered;
  struct shunt_error error;
  if (setup_recover(NULL, NULL, false, &helper->cli->log, &recovered, &error))
    shunt_log_error(&helper->cli->log, SHUNT_LOG_WARNING, &error);
}

static int help_others(struct helper *helper)
{
  struct shunt_error error = {0};
  int code = read_policy(helper, &error);
  if (code < 0) {
    cli_fail(helper->cli, &error);
    return CLI_USAGE;
  }
  cli_catch_signals();
  code = listen_somewhere(helper, &error);
  code = code ? code : shed(&error);
  if (code == 0) {
    recover(helper);
    code = server_open(&helper->policy, &share_real_system, NULL, &helper->cli->log,
                       &helper->server, &error);
  }
  int exit = code ? cli_fail(helper->cli, &error) : serve(helper);
  server_close(helper->server);
  if (helper->listener >= 0) {
    close(helper->listener);
    if (!helper->given)
      unlink(helper->socket);
  }
  return exit;
}

static int run(struct cli *cli, int argc, char **argv)
{
  static struct helper helper;
  helper = (struct helper){.cli = cli, .socket = XDP_HELPER_SOCKET, .listener = -1};
  const struct cli_option options[] = {
      {"socket", 0, "PATH", "Listen here (" XDP_HELPER_SOCKET ").", CLI_TEXT, &helper.socket, 0, 0},
      {"allow", 'a', "ENTRIES",
       "Serve these: user=NAME interface=NAME [queues=N-M] [setup=no] "
       "[rules=...], with '|' between.",
       CLI_TEXT, &helper.allow, 0, 0},
      {"policy", 'p', "FILE", "Serve those whose entries are the lines of this file.", CLI_TEXT,
       &helper.policy_file, 0, 0},
      {NULL, 0, NULL, NULL, CLI_FLAG, NULL, 0, 0},
  };
  int first = cli_parse(cli, options, argc, argv, 0, 0);
  return first < 0 ? -1 - first : help_others(&helper);
}

const struct cli_command xdp_helper_command = {
    .name = "xdp-helper",
    .arguments = "",
    .summary = "Open AF_XDP sockets for users that have no capabilities.",
    .run = run,
};
