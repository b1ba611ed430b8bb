/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules that change while traffic flows: what of an interface of the kernel is ours is said line by
 * line on standard input, and nothing that was ours before is lost meanwhile.
 *
 *   example_xdp_rules 'xdp:eth0?rules=udp port 31001'
 *   add udp dst 239.1.1.2 port 31002
 *   added 1
 *   show
 *   0: udp port 31001: 4711 packets, 433412 bytes
 *   1: udp ip4 dst 239.1.1.2 port 31002: 12 packets, 1104 bytes
 *   received 4723
 *   remove 0
 *   removed 0
 *
 * A change waits some 10 ms for the kernel, and this thread, which receives, too, waits with it:
 * frames lie on the receive ring. A program that can't have that changes rules from another thread.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <shunt/xdp.h>

#define BATCH 32

struct station {
  struct shunt_port *port;
  struct shunt_queue *q;
  struct shunt_pool *pool;
  uint64_t received;
  char line[SHUNT_XDP_RULE_TEXT_BYTES + 16]; /* of what the user says, as far as it has come */
  size_t length;
};

static int report(const struct shunt_error *error)
{
  char text[1024];
  shunt_error_format(error, text, sizeof(text));
  fprintf(stderr, "%s\n", text);
  return 1;
}

static int open_station(struct station *station, const char *name, struct shunt_error *error)
{
  struct shunt_port_info info = {.size = sizeof(info)};
  int code = shunt_port_open(name, NULL, &station->port, error);
  if (code)
    return code;
  shunt_port_info(station->port, &info);
  station->q = shunt_port_queue(station->port, 0);
  code = shunt_pool_create(shunt_port_region(station->port), info.rx_ring, &station->pool, error);
  if (!code)
    shunt_rx_fill(station->q, station->pool);
  return code;
}

/* Count a burst, and give its buffers back. */
static void receive(struct station *station)
{
  struct shunt_frame frames[BATCH];
  shunt_buf bufs[BATCH];
  unsigned n = shunt_rx_poll(station->q, frames, BATCH);
  for (unsigned i = 0; i < n; i++) {
    station->received += !(frames[i].flags & SHUNT_FRAME_MORE);
    bufs[i] = frames[i].addr;
  }
  shunt_rx_post(station->q, bufs, n);
}

/* ---- The three commands ---- */

static int add(struct station *station, const char *text, struct shunt_error *error)
{
  struct shunt_xdp_rule rule;
  uint32_t id;
  int code = shunt_xdp_rule_parse(text, &rule, error);
  if (!code)
    code = shunt_xdp_rule_add(station->port, &rule, &id, error);
  if (!code)
    printf("added %u\n", id);
  return code;
}

static int take_away(struct station *station, const char *text, struct shunt_error *error)
{
  uint32_t id = (uint32_t)strtoul(text, NULL, 10);
  int code = shunt_xdp_rule_remove(station->port, id, error);
  if (!code)
    printf("removed %u\n", id);
  return code;
}

static void show(struct station *station)
{
  char text[SHUNT_XDP_RULE_TEXT_BYTES];
  struct shunt_xdp_rule rule;
  uint64_t packets = 0, bytes = 0;
  uint32_t id;
  for (unsigned place = 0; !shunt_xdp_rule_at(station->port, place, &id, &rule, NULL); place++) {
    shunt_xdp_rule_format(&rule, text, sizeof(text));
    shunt_xdp_rule_hits(station->port, id, &packets, &bytes, NULL);
    printf("%u: %s: %llu packets, %llu bytes\n", id, text, (unsigned long long)packets,
           (unsigned long long)bytes);
  }
  printf("received %llu\n", (unsigned long long)station->received);
}

static void obey(struct station *station, const char *line)
{
  struct shunt_error error;
  int code = 0;
  if (strncmp(line, "add ", 4) == 0)
    code = add(station, line + 4, &error);
  else if (strncmp(line, "remove ", 7) == 0)
    code = take_away(station, line + 7, &error);
  else if (strcmp(line, "show") == 0)
    show(station);
  else
    fputs("add RULE, remove ID, show\n", stderr);
  if (code)
    report(&error);
  fflush(stdout);
}

/* ---- Both at once ---- */

/* Take a byte of standard input, where there is one, and obey a line. Returns 0 at its end. */
static int listen_to_user(struct station *station)
{
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  char byte;
  if (poll(&input, 1, 0) < 1)
    return 1;
  if (read(STDIN_FILENO, &byte, 1) != 1)
    return 0;
  if (byte != '\n' && station->length + 1 < sizeof(station->line)) {
    station->line[station->length++] = byte;
    return 1;
  }
  station->line[station->length] = '\0';
  station->length = 0;
  obey(station, station->line);
  return 1;
}

int main(int argc, char **argv)
{
  struct station station = {.received = 0};
  struct shunt_error error;
  if (argc != 2) {
    fprintf(stderr, "usage: %s 'xdp:INTERFACE?rules=RULE;RULE'\n", argv[0]);
    return 2;
  }
  int code = open_station(&station, argv[1], &error);
  if (!code) {
    puts("ready");
    fflush(stdout);
    do
      receive(&station);
    while (listen_to_user(&station));
  }
  shunt_pool_destroy(station.pool);
  shunt_port_close(station.port);
  return code ? report(&error) : 0;
}
