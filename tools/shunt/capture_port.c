/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/capture.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Those that there are when they are counted, and what was opened meanwhile. */
#define MORE_PORTS 16

/* All ports of a process, 0: of all. Returns how many, with *ports to be freed; or an error. */
static int find_all(uint32_t pid, struct shunt_capture_port **ports, struct shunt_error *error)
{
  int count = shunt_capture_list(pid, NULL, 0, error);
  if (count < 0)
    return count;
  unsigned room = (unsigned)count + MORE_PORTS;
  *ports = calloc(room, sizeof(**ports));
  if (!*ports) {
    shunt_error_set(error, -ENOMEM, "no memory for a list of ports");
    return -ENOMEM;
  }
  count = shunt_capture_list(pid, *ports, room, error);
  if (count < 0) {
    free(*ports);
    *ports = NULL;
    return count;
  }
  return count > (int)room ? (int)room : count;
}

/* ---- The list ---- */

static struct json_object *port_json(const struct shunt_capture_port *port)
{
  struct json_object *object = json_object_new_object();
  cli_add_u64(object, "pid", port->pid);
  cli_add_text(object, "process", port->process);
  cli_add_text(object, "port", port->name);
  cli_add_text(object, "driver", port->driver);
  cli_add_text(object, "device", port->device);
  cli_add_text(object, "path", port->path);
  cli_add_u64(object, "queues", port->queues);
  cli_add_bool(object, "model", port->model);
  json_object_object_add(object, "captured_by_pid",
                         port->reader ? json_object_new_uint64(port->reader) : NULL);
  return object;
}

static void print_port(const struct shunt_capture_port *port)
{
  printf("  %-8u %-16s %s\n", port->pid, port->process, port->name);
  printf("  %-8s %-16s %s, %u queue%s%s", "", "", port->device, port->queues,
         port->queues == 1 ? "" : "s", port->model ? ", a twin" : "");
  if (port->reader)
    printf(", captured by process %u", port->reader);
  putchar('\n');
}

int capture_list(const struct cli *cli)
{
  struct shunt_error error;
  struct shunt_capture_port *ports = NULL;
  int count = find_all(0, &ports, &error);
  if (count < 0)
    return cli_fail(cli, &error);
  if (cli->json) {
    struct json_object *document = json_object_new_object(), *list = json_object_new_array();
    for (int i = 0; i < count; i++)
      json_object_array_add(list, port_json(&ports[i]));
    cli_add_text(document, "command", "capture");
    json_object_object_add(document, "ports", list);
    free(ports);
    return cli_json(document, CLI_OK);
  }
  if (count)
    printf("  %-8s %-16s %s\n", "PID", "PROCESS", "PORT");
  else
    puts("No port can be captured: none is open with the key capture=1 in a process that may be\n"
         "looked into.");
  for (int i = 0; i < count; i++)
    print_port(&ports[i]);
  free(ports);
  return CLI_OK;
}

/* ---- The one that is meant ---- */

static bool is_meant(const struct shunt_capture_port *port, const char *name, bool by_pid)
{
  if (by_pid || !strcmp(port->name, name))
    return true;
  return !strchr(name, '?') && strcspn(port->name, "?") == strlen(name) &&
         !strncmp(port->name, name, strlen(name));
}

static int ambiguous(const struct cli *cli, const char *argument, bool by_pid,
                     const struct shunt_capture_port *ports, int count)
{
  fprintf(stderr, "shunt capture: %s means more than one port:\n", argument);
  for (int i = 0; i < count; i++)
    if (is_meant(&ports[i], argument, by_pid))
      fprintf(stderr, "  %-8u %s\n", ports[i].pid, ports[i].name);
  return -1 - cli_usage(cli, "give %s", by_pid ? "the port's name" : "the process's number");
}

int capture_find(const struct cli *cli, const char *argument, struct shunt_capture_port *port)
{
  struct shunt_error error;
  struct shunt_capture_port *ports = NULL;
  bool by_pid = strspn(argument, "0123456789") == strlen(argument);
  unsigned long pid = by_pid ? strtoul(argument, NULL, 10) : 0;
  int count = -ESRCH, meant = 0, which = 0;
  if (by_pid && (!pid || pid > UINT32_MAX))
    shunt_error_set(&error, -ESRCH, "there is no process %s", argument);
  else
    count = find_all((uint32_t)pid, &ports, &error);
  for (int i = 0; i < count; i++)
    if (is_meant(&ports[i], argument, by_pid)) {
      which = i;
      meant++;
    }
  if (by_pid && !count) {
    count = -ENOENT;
    shunt_error_set(&error, count, "process %s has no port that can be captured", argument);
    shunt_error_remedy(&error, "have it open its port with the key capture=1");
    free(ports);
  }
  if (count < 0)
    return -1 - cli_fail(cli, &error);
  if (meant == 1)
    *port = ports[which];
  int result = meant > 1 ? ambiguous(cli, argument, by_pid, ports, count) : meant;
  free(ports);
  return result;
}

int capture_find_own(const struct cli *cli, const char *name, struct shunt_capture_port *port)
{
  struct shunt_error error;
  struct shunt_capture_port *ports = NULL;
  int count = find_all((uint32_t)getpid(), &ports, &error);
  if (count < 0)
    return cli_fail(cli, &error);
  for (int i = 0; i < count; i++)
    if (!strcmp(ports[i].name, name)) {
      *port = ports[i];
      free(ports);
      return CLI_OK;
    }
  free(ports);
  return cli_usage(cli, "%s: the key capture=0 leaves nothing to do", name);
}
