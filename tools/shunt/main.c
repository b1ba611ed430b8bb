/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt: one command, one file per subcommand. */
#include <stdio.h>
#include <string.h>

#include "tools/shunt/cli.h"
#include "tools/shunt/config.h"

extern const struct cli_command info_command, doctor_command, bind_command, unbind_command,
    echo_command, ping_command, forward_command, send_command, recv_command, bench_command,
    report_command, twin_command, capture_command, fabric_command, xdp_helper_command;

static const struct cli_command *const commands[] = {
    &info_command,  &doctor_command,  &bind_command, &unbind_command, &echo_command,
    &ping_command,  &forward_command, &send_command, &recv_command,   &capture_command,
    &bench_command, &report_command,  &twin_command, &fabric_command, &xdp_helper_command,
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(FILE *out)
{
  fputs("usage: shunt COMMAND [options] [arguments]\n\n", out);
  for (unsigned i = 0; i < COMMANDS; i++)
    fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
  fputs("\nshunt COMMAND --help tells a command's options, man shunt how devices are named.\n",
        out);
}

static int run(const struct cli_command *command, bool only_complete, int argc, char **argv)
{
  struct cli cli = {.command = command, .complete = only_complete};
  int exit = command->run(&cli, argc, argv);
  cli_config_free(cli.file);
  return exit;
}

static const struct cli_command *find(const char *name)
{
  for (unsigned i = 0; i < COMMANDS; i++)
    if (!strcmp(commands[i]->name, name))
      return commands[i];
  return NULL;
}

const char *const *cli_command_names(void)
{
  static const char *names[COMMANDS + 1];
  for (unsigned i = 0; i < COMMANDS; i++)
    names[i] = commands[i]->name;
  return names;
}

/* A command that someone may have meant: at most two letters off, and not all of them. */
static const char *nearest(const char *wrong)
{
  const char *best = NULL;
  unsigned least = 3;
  for (unsigned i = 0; i < COMMANDS; i++) {
    unsigned letters = cli_distance(wrong, commands[i]->name);
    if (letters < least && letters < strlen(wrong)) {
      least = letters;
      best = commands[i]->name;
    }
  }
  return best;
}

/* For the shell: the commands, or the options of one. */
static int complete(int argc, char **argv)
{
  if (argc > 2) {
    const struct cli_command *command = find(argv[2]);
    return command ? run(command, true, 1, argv) : CLI_USAGE;
  }
  for (unsigned i = 0; i < COMMANDS; i++)
    puts(commands[i]->name);
  return CLI_OK;
}

static int no_such_command(const char *name)
{
  const char *meant = nearest(name);
  fprintf(stderr, "shunt: there is no command \"%s\"%s%s%s\n\n", name,
          meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
  help(stderr);
  return CLI_USAGE;
}

int main(int argc, char **argv)
{
  if (argc < 2) {
    help(stderr);
    return CLI_USAGE;
  }
  if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
    const struct cli_command *about = argc > 2 ? find(argv[2]) : NULL;
    char *asked[] = {argv[0], "--help", NULL};
    if (about)
      return run(about, false, 2, asked);
    if (argc > 2)
      return no_such_command(argv[2]);
    help(stdout);
    return CLI_OK;
  }
  if (!strcmp(argv[1], "--version")) {
    puts("shunt " SHUNT_VERSION);
    return CLI_OK;
  }
  if (!strcmp(argv[1], "--complete"))
    return complete(argc, argv);
  const struct cli_command *command = find(argv[1]);
  if (!command)
    return no_such_command(argv[1]);
  return run(command, false, argc - 1, argv + 1);
}
