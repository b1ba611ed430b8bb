/* SPDX-License-Identifier: BSD-2-Clause */
/* Orders from standard input, one a line: "cut SOCKET", "join SOCKET", "status". */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tools/shunt/twin.h"

/* Do it to the cable of each card of that socket. Returns whether there is one. */
static bool each_end(const struct twins *twins, const char *socket,
                     void (*order)(struct shunt_wire_end *end))
{
  bool found = false;
  for (unsigned i = 0; i < twins->count; i++) {
    if (strcmp(twins->twin[i].socket, socket) != 0)
      continue;
    order(shunt_testbed_end(twins->testbed, twins->twin[i].model));
    found = true;
  }
  return found;
}

static void follow(struct twins *twins, const char *line)
{
  bool done = !strcmp(line, "status");
  if (done)
    twins_status(twins);
  else if (!strncmp(line, "cut ", 4))
    done = each_end(twins, line + 4, shunt_wire_cut);
  else if (!strncmp(line, "join ", 5))
    done = each_end(twins, line + 5, shunt_wire_join);
  if (!done)
    fprintf(stderr, "shunt twin: \"%s\" is none of: cut SOCKET, join SOCKET, status\n", line);
}

static unsigned follow_lines(struct twins *twins)
{
  unsigned done = 0;
  for (char *end; (end = memchr(twins->order, '\n', twins->order_bytes)); done++) {
    unsigned bytes = (unsigned)(end - twins->order) + 1;
    *end = '\0';
    follow(twins, twins->order);
    memmove(twins->order, twins->order + bytes, twins->order_bytes - bytes);
    twins->order_bytes -= bytes;
  }
  return done;
}

unsigned twins_control(struct twins *twins)
{
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  if (poll(&input, 1, 0) <= 0)
    return 0;
  if (twins->order_bytes == sizeof(twins->order)) /* a line without an end: nothing we know */
    twins->order_bytes = 0;
  ssize_t got = read(STDIN_FILENO, twins->order + twins->order_bytes,
                     sizeof(twins->order) - twins->order_bytes);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return 0;
  if (got <= 0) {
    twins->control = false;
    epoll_ctl(twins->epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    return 0;
  }
  twins->order_bytes += (unsigned)got;
  return follow_lines(twins);
}
