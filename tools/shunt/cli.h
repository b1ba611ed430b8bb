/* SPDX-License-Identifier: BSD-2-Clause */
/* What every subcommand stands on: options from a table (which also makes the help text, the shell
 * completion and the keys of the configuration file), errors, JSON, stopping by signal.
 *
 * A subcommand is one file with one `struct cli_command`, listed in main.c. Its run function fills
 * a table of options that point at its own variables, calls cli_parse, and returns an exit code. */
#ifndef TOOLS_SHUNT_CLI_H
#define TOOLS_SHUNT_CLI_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "shunt/error.h"
#include "shunt/log.h"

/* Exit codes, the same for every subcommand (see shunt(1)). */
enum cli_exit {
  CLI_OK = 0,
  CLI_FAILED = 1,   /* it could not be done: the error says why */
  CLI_USAGE = 2,    /* the command line or the configuration file is wrong */
  CLI_FINDINGS = 3, /* it was done, and what was looked for is not all well: frames lost, a check
                       of the doctor failed */
};

enum cli_kind { CLI_FLAG, CLI_TEXT, CLI_U64, CLI_DOUBLE };

/* The order is that in which a table reads, not the one without gaps.
 * NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct cli_option {
  const char *name;     /* long name, also the key in the configuration file */
  char letter;          /* short name, or 0 */
  const char *argument; /* what its argument is called in help: "N", "FILE"; NULL for a flag */
  const char *help;     /* one sentence, with unit and default */
  enum cli_kind kind;
  void *value;        /* bool, const char *, uint64_t, double; holds the default */
  double least, most; /* of numbers; both 0: no limits */
};

struct cli {
  const struct cli_command *command;
  bool json;                      /* --json: one JSON document on standard output, nothing else */
  bool quiet;                     /* --quiet: no progress */
  const char *config;             /* --config */
  enum shunt_log_level log_level; /* --log-level: what the library's log shows on standard error */
  struct shunt_log log;           /* for the library's options */
  bool complete;                  /* only the names of options are wanted */
  struct cli_config *file;
};

struct cli_command {
  const char *name;
  const char *arguments; /* "DEVICE", "[DEVICE]" */
  const char *summary;   /* one line */
  int (*run)(struct cli *cli, int argc, char **argv);
};

/* main.c: the names of all commands, NULL behind the last. */
const char *const *cli_command_names(void);

/* Work off options: configuration file first, then the command line.
 *
 * options     ends with an entry whose name is NULL
 * least, most how many arguments besides options there may be
 * Returns     the index in argv of the first argument, or a negative number -1 - exit code where
 *             the command must end at once (help was shown, or a mistake was reported) */
int cli_parse(struct cli *cli, const struct cli_option *options, int argc, char **argv, int least,
              int most);

/* Report what failed, on standard error, or with --json as {"error": {...}} on standard output.
 * Returns CLI_FAILED. */
int cli_fail(const struct cli *cli, const struct shunt_error *error);
/* The member "error" of such a document, for one that says more. */
void cli_add_error(struct json_object *object, const struct shunt_error *error);
/* Report a mistake in the command line. Returns CLI_USAGE. */
int cli_usage(const struct cli *cli, const char *format, ...) SHUNT_PRINTF(2, 3);
/* How many letters to add, drop or change (Levenshtein) from a to b, a word of a command line; 99
 * where b is long. */
unsigned cli_distance(const char *a, const char *b);

/* Print the document on standard output and release it. Returns exit. */
int cli_json(struct json_object *document, int exit);

/* Add a member to a JSON object. text NULL: null. */
void cli_add_u64(struct json_object *object, const char *key, uint64_t value);
void cli_add_double(struct json_object *object, const char *key, double value);
void cli_add_bool(struct json_object *object, const char *key, bool value);
void cli_add_text(struct json_object *object, const char *key, const char *text);

/* One line of a report for a person: a name, and a count aligned with those above and below. */
void cli_print_count(const char *name, uint64_t count);

/* The name of the device, where the argument is an alias of the configuration file's [devices]; of
 * an xdp: device with the keys of its [net.xdp]. Lives as long as cli's file. */
const char *cli_device(const struct cli *cli, const char *argument);

/* From here on SIGINT and SIGTERM set a flag instead of ending the process. A second one ends it.
 */
void cli_catch_signals(void);
bool cli_stopped(void);

/* A progress bar on standard error, if that is a terminal and neither --quiet nor --json was given.
 * fraction 0..1; note is short. cli_progress_end clears the line. */
void cli_progress(const struct cli *cli, double fraction, const char *note);
void cli_progress_end(const struct cli *cli);

#endif
