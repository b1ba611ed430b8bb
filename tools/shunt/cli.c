/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/cli.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/shunt/config.h"
#include "tools/shunt/xdp_config.h"

#define MOST_OPTIONS 64

/* ---- Mistakes and errors ---- */

int cli_usage(const struct cli *cli, const char *format, ...)
{
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  fprintf(stderr, "shunt %s: %s\ntry: shunt %s --help\n", cli->command->name, text,
          cli->command->name);
  return CLI_USAGE;
}

void cli_add_error(struct json_object *object, const struct shunt_error *error)
{
  struct json_object *inner = json_object_new_object();
  json_object_object_add(inner, "code", json_object_new_int(error->code));
  json_object_object_add(inner, "what", json_object_new_string(error->what));
  json_object_object_add(inner, "why", json_object_new_string(error->why));
  json_object_object_add(inner, "remedy", json_object_new_string(error->remedy));
  json_object_object_add(object, "error", inner);
}

int cli_fail(const struct cli *cli, const struct shunt_error *error)
{
  if (cli->json) {
    struct json_object *document = json_object_new_object();
    cli_add_error(document, error);
    return cli_json(document, CLI_FAILED);
  }
  char text[4 * SHUNT_ERROR_TEXT_BYTES];
  shunt_error_format(error, text, sizeof(text));
  fprintf(stderr, "shunt %s: %s\n", cli->command->name, text);
  return CLI_FAILED;
}

int cli_json(struct json_object *document, int exit)
{
  puts(json_object_to_json_string_ext(document,
                                      JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
  json_object_put(document);
  return exit;
}

/* ---- Output ---- */

void cli_add_u64(struct json_object *object, const char *key, uint64_t value)
{
  json_object_object_add(object, key, json_object_new_uint64(value));
}

void cli_add_double(struct json_object *object, const char *key, double value)
{
  char text[32];
  /* json-c would write all 17 digits, of which the last ones are noise. */
  snprintf(text, sizeof(text), "%.9g", value);
  json_object_object_add(object, key, json_object_new_double_s(value, text));
}

void cli_add_bool(struct json_object *object, const char *key, bool value)
{
  json_object_object_add(object, key, json_object_new_boolean(value));
}

void cli_add_text(struct json_object *object, const char *key, const char *text)
{
  json_object_object_add(object, key, text ? json_object_new_string(text) : NULL);
}

void cli_print_count(const char *name, uint64_t count)
{
  printf("  %-22s %12llu\n", name, (unsigned long long)count);
}

/* ---- The options that every command has ---- */

static const char *level_name;

static const struct cli_option *common_options(struct cli *cli, struct cli_option options[5])
{
  level_name = NULL;
  struct cli_option common[] = {
      {"json", 0, NULL, "Print one JSON document instead of text.", CLI_FLAG, &cli->json, 0, 0},
      {"quiet", 'q', NULL, "Show no progress.", CLI_FLAG, &cli->quiet, 0, 0},
      {"log-level", 0, "LEVEL", "Show the library's log: error, warning, info or debug (warning).",
       CLI_TEXT, &level_name, 0, 0},
      {"config", 'c', "FILE", "Read options and device aliases from an INI file; see shunt(1).",
       CLI_TEXT, &cli->config, 0, 0},
      {NULL, 0, NULL, NULL, CLI_FLAG, NULL, 0, 0},
  };
  memcpy(options, common, sizeof(common));
  return options;
}

static void print_option(const struct cli_option *option)
{
  char left[64];
  char letter[8] = "    ";
  if (option->letter)
    snprintf(letter, sizeof(letter), "-%c, ", option->letter);
  snprintf(left, sizeof(left), "  %s--%s%s%s", letter, option->name, option->argument ? " " : "",
           option->argument ? option->argument : "");
  printf("%-30s %s\n", left, option->help);
}

static void print_help(const struct cli *cli, const struct cli_option *options,
                       const struct cli_option *common)
{
  const struct cli_command *command = cli->command;
  printf("usage: shunt %s [options]%s%s\n%s\n\n", command->name, *command->arguments ? " " : "",
         command->arguments, command->summary);
  for (; options->name; options++)
    print_option(options);
  for (; common->name; common++)
    print_option(common);
  print_option(&(struct cli_option){"help", 'h', NULL, "Show this help.", CLI_FLAG, NULL, 0, 0});
  printf("\nman shunt-%s tells more.\n", command->name);
}

/* ---- Values ---- */

static int set_u64(const struct cli_option *option, const char *text, char *why, size_t bytes)
{
  char *end;
  errno = 0;
  unsigned long long number = strtoull(text, &end, 0);
  if (!*text || *end || errno || strchr(text, '-')) {
    snprintf(why, bytes, "\"%s\" is no whole number", text);
    return -EINVAL;
  }
  if (option->most > 0 && ((double)number < option->least || (double)number > option->most)) {
    snprintf(why, bytes, "%s is not in %.0f..%.0f", text, option->least, option->most);
    return -EINVAL;
  }
  *(uint64_t *)option->value = number;
  return 0;
}

static int set_double(const struct cli_option *option, const char *text, char *why, size_t bytes)
{
  char *end;
  double number = strtod(text, &end);
  if (!*text || *end || !isfinite(number)) {
    snprintf(why, bytes, "\"%s\" is no number", text);
    return -EINVAL;
  }
  if (option->most > 0 && (number < option->least || number > option->most)) {
    snprintf(why, bytes, "%s is not in %g..%g", text, option->least, option->most);
    return -EINVAL;
  }
  *(double *)option->value = number;
  return 0;
}

static int set_flag(const struct cli_option *option, const char *text, char *why, size_t bytes)
{
  static const char *const yes[] = {"1", "yes", "on", "true"}, *const no[] = {"0", "no", "off",
                                                                              "false"};
  for (unsigned i = 0; i < 4; i++) {
    if (!text || !strcmp(text, yes[i])) {
      *(bool *)option->value = true;
      return 0;
    }
    if (!strcmp(text, no[i])) {
      *(bool *)option->value = false;
      return 0;
    }
  }
  snprintf(why, bytes, "\"%s\" is neither yes nor no", text);
  return -EINVAL;
}

static int set_value(const struct cli_option *option, const char *text, char *why, size_t bytes)
{
  switch (option->kind) {
  case CLI_FLAG:
    return set_flag(option, text, why, bytes);
  case CLI_U64:
    return set_u64(option, text, why, bytes);
  case CLI_DOUBLE:
    return set_double(option, text, why, bytes);
  case CLI_TEXT:
    break;
  }
  *(const char **)option->value = text;
  return 0;
}

static const struct cli_option *find(const struct cli_option *options, const char *name)
{
  for (; options->name; options++)
    if (!strcmp(options->name, name))
      return options;
  return NULL;
}

/* ---- A misspelt word ---- */

unsigned cli_distance(const char *a, const char *b)
{
  unsigned row[64], columns = (unsigned)strlen(b);
  if (columns > 62)
    return 99;
  for (unsigned j = 0; j <= columns; j++)
    row[j] = j;
  for (unsigned i = 1; a[i - 1]; i++) {
    unsigned diagonal = row[0];
    row[0] = i;
    for (unsigned j = 1; j <= columns; j++) {
      unsigned above = row[j], change = diagonal + (a[i - 1] != b[j - 1]);
      unsigned best = above < row[j - 1] ? above + 1 : row[j - 1] + 1;
      row[j] = change < best ? change : best;
      diagonal = above;
    }
  }
  return row[columns];
}

static const char *nearest(const char *wrong, const struct cli_option *options,
                           const struct cli_option *common)
{
  unsigned least = cli_distance(wrong, "help") < 3 ? cli_distance(wrong, "help") : 4;
  const char *best = least < 4 ? "help" : NULL;
  for (unsigned list = 0; list < 2; list++)
    for (const struct cli_option *option = list ? common : options; option->name; option++)
      if (cli_distance(wrong, option->name) < least) {
        least = cli_distance(wrong, option->name);
        best = option->name;
      }
  return best;
}

static int unknown(const struct cli *cli, const char *name, const struct cli_option *options,
                   const struct cli_option *common)
{
  char bare[64];
  while (*name == '-')
    name++;
  snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(name, "="), name);
  const char *meant = nearest(bare, options, common);
  if (meant)
    return cli_usage(cli, "there is no option --%s; did you mean --%s?", bare, meant);
  return cli_usage(cli, "there is no option --%s", bare);
}

/* ---- The configuration file ---- */

struct applying {
  const struct cli *cli;
  const struct cli_option *options, *common;
  const char *section;
};

static int apply(void *context, const struct cli_entry *entry)
{
  const struct applying *applying = context;
  const char *key = entry->key;
  const struct cli_option *option = find(applying->options, key);
  const char *meant = nearest(key, applying->options, applying->common);
  char why[160];
  snprintf(why, sizeof(why), "there is no such option%s%s%s", meant ? "; did you mean " : "",
           meant ? meant : "", meant ? "?" : "");
  option = option ? option : find(applying->common, key);
  if (option && option->value == &applying->cli->config)
    option = NULL;
  if (option && !set_value(option, entry->value, why, sizeof(why)))
    return 0;
  return cli_usage(applying->cli, "%s:%u: %s in [%s]: %s", applying->cli->config, entry->line, key,
                   applying->section, why);
}

/* One letter off, or two that lie side by side changed over. */
static bool is_slip(const char *wrong, const char *right)
{
  if (!strcmp(wrong, right))
    return false;
  if (cli_distance(wrong, right) == 1)
    return true;
  while (*wrong && *wrong == *right) {
    wrong++;
    right++;
  }
  return *wrong && wrong[0] == right[1] && wrong[1] == right[0] && !strcmp(wrong + 2, right + 2);
}

/* Sections of whatever name may be other programs', but not what is nearly one of ours. */
static const char *meant_section(const char *section)
{
  static const char *const others[] = {"shunt", "devices", "twins", "net.xdp", NULL};
  const char *const *const lists[] = {others, cli_command_names()};
  const char *meant = NULL;
  for (unsigned list = 0; list < 2; list++)
    for (const char *const *name = lists[list]; *name; name++) {
      if (!strcmp(section, *name))
        return NULL;
      meant = is_slip(section, *name) ? *name : meant;
    }
  return meant;
}

/* line 0: no one line is to blame */
static int wrong_entry(const struct cli *cli, unsigned line, const struct shunt_error *error)
{
  char place[24] = "";
  if (line)
    snprintf(place, sizeof(place), ":%u", line);
  return cli_usage(cli, "%s%s: in [net.xdp]: %s%s%s", cli->config, place, error->what,
                   *error->why ? ": " : "", error->why);
}

static int apply_file(struct cli *cli, const struct cli_option *options,
                      const struct cli_option *common)
{
  struct shunt_error error;
  unsigned line;
  if (cli_config_read(cli->config, &cli->file, &error)) {
    cli_fail(cli, &error);
    return CLI_USAGE;
  }
  struct cli_option none = {0};
  struct applying all = {cli, &none, common, "shunt"};
  struct applying own = {cli, options, common, cli->command->name};
  const char *meant, *typo = cli_config_typo(cli->file, meant_section, &meant);
  if (typo)
    return cli_usage(cli, "%s: there is no section [%s]; did you mean [%s]?", cli->config, typo,
                     meant);
  if (xdp_config_check(cli->file, &line, &error))
    return wrong_entry(cli, line, &error);
  int exit = cli_config_each(cli->file, "shunt", apply, &all);
  return exit ? exit : cli_config_each(cli->file, cli->command->name, apply, &own);
}

/* ---- The command line ---- */

struct table {
  struct option longs[MOST_OPTIONS];
  const struct cli_option *options[MOST_OPTIONS];
  char shorts[2 * MOST_OPTIONS + 4];
  int count;
};

static void table_add(struct table *table, const struct cli_option *options)
{
  for (; options->name && table->count < MOST_OPTIONS - 2; options++) {
    int takes = options->argument ? required_argument : no_argument;
    table->longs[table->count] = (struct option){options->name, takes, NULL, 1000 + table->count};
    table->options[table->count++] = options;
    if (options->letter) {
      char *end = table->shorts + strlen(table->shorts);
      *end++ = options->letter;
      *end++ = options->argument ? ':' : 0;
      *end = 0;
    }
  }
}

static const struct cli_option *table_option(const struct table *table, int result)
{
  if (result >= 1000)
    return table->options[result - 1000];
  for (int i = 0; i < table->count; i++)
    if (table->options[i]->letter == result)
      return table->options[i];
  return NULL;
}

/* One walk over the command line. With only_config nothing is set but --config, so that the file
 * can be applied before everything else. Returns -1, or the exit code to end with. */
static int walk(struct cli *cli, const struct table *table, const struct cli_option *options,
                const struct cli_option *common, int argc, char **argv, bool only_config)
{
  char why[160];
  optind = 0;
  opterr = 0;
  for (;;) {
    int result = getopt_long(argc, argv, table->shorts, table->longs, NULL);
    if (result == -1)
      return -1;
    if (result == 'h') {
      print_help(cli, options, common);
      return CLI_OK;
    }
    if (result == ':')
      return cli_usage(cli, "%s needs an argument", argv[optind - 1]);
    if (result == '?' && optopt >= 1000)
      return cli_usage(cli, "--%s takes no argument", table->options[optopt - 1000]->name);
    if (result == '?' && optopt)
      return cli_usage(cli, "there is no option -%c", optopt);
    if (result == '?')
      return unknown(cli, argv[optind - 1], options, common);
    const struct cli_option *option = table_option(table, result);
    if (only_config && option->value != &cli->config && option->value != &cli->json)
      continue;
    if (set_value(option, optarg, why, sizeof(why)))
      return cli_usage(cli, "--%s: %s", option->name, why);
  }
}

static void write_log(void *context, enum shunt_log_level level, const char *text)
{
  const struct cli *cli = context;
  fprintf(stderr, "shunt %s: %s: %s\n", cli->command->name, shunt_log_level_name(level), text);
}

static int set_up_log(struct cli *cli)
{
  cli->log_level = SHUNT_LOG_WARNING;
  if (level_name && shunt_log_level_parse(level_name, &cli->log_level))
    return cli_usage(cli, "--log-level: \"%s\" is none of error, warning, info, debug", level_name);
  cli->log = (struct shunt_log){.level = cli->log_level, .write = write_log, .context = cli};
  return -1;
}

static int complete(const struct cli_option *options, const struct cli_option *common)
{
  for (; options->name; options++)
    printf("--%s\n", options->name);
  for (; common->name; common++)
    printf("--%s\n", common->name);
  puts("--help");
  return CLI_OK;
}

int cli_parse(struct cli *cli, const struct cli_option *options, int argc, char **argv, int least,
              int most)
{
  struct cli_option room[5];
  const struct cli_option *common = common_options(cli, room);
  struct table table = {.shorts = ":h"};
  table_add(&table, options);
  table_add(&table, common);
  table.longs[table.count] = (struct option){"help", no_argument, NULL, 'h'};

  if (cli->complete)
    return -1 - complete(options, common);
  int exit = walk(cli, &table, options, common, argc, argv, true);
  if (exit >= 0)
    return -1 - exit;
  if (cli->config) {
    exit = apply_file(cli, options, common);
    if (exit)
      return -1 - exit;
  }
  exit = walk(cli, &table, options, common, argc, argv, false);
  if (exit < 0)
    exit = set_up_log(cli);
  if (exit >= 0)
    return -1 - exit;
  if (argc - optind < least)
    return -1 - cli_usage(cli, "an argument is missing: %s", cli->command->arguments);
  if (argc - optind > most)
    return -1 - cli_usage(cli, "\"%s\" is one argument too many", argv[optind + most]);
  return optind;
}

const char *cli_device(const struct cli *cli, const char *argument)
{
  const char *alias = cli_config_get(cli->file, "devices", argument);
  return xdp_config_name(cli->file, alias ? alias : argument);
}

/* ---- Signals and progress ---- */

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
  stopped = 1;
  signal(signal_number, SIG_DFL);
}

void cli_catch_signals(void)
{
  signal(SIGINT, stop);
  signal(SIGTERM, stop);
}

bool cli_stopped(void)
{
  return stopped;
}

static bool shows_progress(const struct cli *cli)
{
  return !cli->quiet && !cli->json && isatty(STDERR_FILENO);
}

void cli_progress(const struct cli *cli, double fraction, const char *note)
{
  char bar[41];
  if (!shows_progress(cli))
    return;
  fraction = fraction < 0 ? 0 : fraction > 1 ? 1 : fraction;
  for (int i = 0; i < 40; i++)
    bar[i] = (double)i < fraction * 40 ? '#' : '.';
  bar[40] = 0;
  fprintf(stderr, "\r[%s] %3.0f %%  %s\033[K", bar, fraction * 100, note);
}

void cli_progress_end(const struct cli *cli)
{
  if (shows_progress(cli))
    fputs("\r\033[K", stderr);
}
