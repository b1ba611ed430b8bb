/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt report: result files become one page. */
#include "tools/shunt/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/shunt/cli.h"

#define MOST_FILES 8

static bool ends_with(const char *text, const char *end)
{
  size_t length = strlen(text), wanted = strlen(end);
  return length >= wanted && !strcmp(text + length - wanted, end);
}

static int unit_ns(const struct cli *cli, const char *unit, double *ns)
{
  static const struct {
    const char *name;
    double ns;
  } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
  for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++)
    if (!strcmp(unit, units[i].name)) {
      *ns = units[i].ns;
      return -1;
    }
  return cli_usage(cli, "--hgrm-unit: \"%s\" is none of ns, us, ms, s", unit);
}

static int show(const struct cli *cli, const char *out, bool plotted,
                const struct shunt_error *why_not)
{
  if (!cli->json) {
    printf("The report is in %s%s\n", out, plotted ? "" : ", without plots:");
    if (!plotted)
      printf("%s; %s\n", why_not->what, why_not->remedy);
    return CLI_OK;
  }
  struct json_object *document = json_object_new_object();
  json_object_object_add(document, "report", json_object_new_string(out));
  json_object_object_add(document, "plotted", json_object_new_boolean(plotted));
  return cli_json(document, CLI_OK);
}

static int make_report(const struct cli *cli, char **files, unsigned n, double hgrm_ns,
                       const char *out)
{
  struct shunt_error error, why_not;
  struct result *results = calloc(n, sizeof(*results));
  bool plotted;
  unsigned got = 0;
  int code = results ? 0 : shunt_error_set(&error, -ENOMEM, "no memory for %u results", n);
  while (!code && got < n) {
    code = ends_with(files[got], ".hgrm")
               ? result_read_hgrm(&results[got], files[got], hgrm_ns, &error)
               : result_read(&results[got], files[got], &error);
    got += !code;
  }
  if (!code)
    code = report_write(out, results, n, &plotted, &why_not, &error);
  for (unsigned i = 0; i < got; i++)
    result_free(&results[i]);
  free(results);
  return code ? cli_fail(cli, &error) : show(cli, out, plotted, &why_not);
}

static int run_report(struct cli *cli, int argc, char **argv)
{
  const char *out = "report.html", *unit = "us";
  double hgrm_ns = 1e3;
  const struct cli_option table[] = {
      {"out", 'o', "FILE", "Where the page goes (report.html).", CLI_TEXT, &out},
      {"hgrm-unit", 0, "UNIT", "What values in .hgrm files are: ns, us, ms or s (us).", CLI_TEXT,
       &unit},
      {NULL},
  };
  int at = cli_parse(cli, table, argc, argv, 1, MOST_FILES);
  if (at < 0)
    return -1 - at;
  int exit = unit_ns(cli, unit, &hgrm_ns);
  if (exit >= 0)
    return exit;
  return make_report(cli, argv + at, (unsigned)(argc - at), hgrm_ns, out);
}

const struct cli_command report_command = {
    .name = "report",
    .arguments = "FILE...",
    .summary = "Turn results of shunt bench and .hgrm files into one HTML page with plots.",
    .run = run_report,
};
