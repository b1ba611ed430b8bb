/* SPDX-License-Identifier: BSD-2-Clause */
#include "endpoints.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <shunt/ipv4.h>

#define FORM "NAME=GROUP:PORT,GROUP:PORT, such as alpha=239.192.1.1:26400,239.192.2.1:26400"

/* "GROUP:PORT" of that many bytes. */
static bool parse_line(const char *text, size_t bytes, struct endpoint *line)
{
  char copy[SHUNT_IPV4_TEXT_BYTES + sizeof(":65535")], *colon, *end;
  if (bytes >= sizeof(copy))
    return false;
  memcpy(copy, text, bytes);
  copy[bytes] = 0;
  colon = strchr(copy, ':');
  if (!colon || !isdigit((unsigned char)colon[1]))
    return false;
  *colon = 0;
  unsigned long port = strtoul(colon + 1, &end, 10);
  line->port = (uint16_t)port;
  return !*end && port >= 1 && port <= 65535 && !shunt_ipv4_parse(copy, &line->group) &&
         shunt_ipv4_is_multicast(line->group);
}

static bool parse_name(const char *text, size_t bytes, char *name)
{
  if (bytes == 0 || bytes > MOLDUDP64_SESSION_BYTES)
    return false;
  for (size_t i = 0; i < bytes; i++)
    if (!isalnum((unsigned char)text[i]))
      return false;
  memcpy(name, text, bytes);
  name[bytes] = 0;
  return true;
}

int endpoints_parse(const char *text, struct endpoints *endpoints, struct shunt_error *error)
{
  const char *equals = strchr(text, '='), *comma = equals ? strchr(equals, ',') : NULL;
  const char *why = !comma ? "a part is missing"
                    : !parse_name(text, (size_t)(equals - text), endpoints->name)
                        ? "the name is not 1 to 10 letters and digits"
                    : !parse_line(equals + 1, (size_t)(comma - equals - 1), &endpoints->lines[0])
                        ? "line A is no multicast group and port"
                    : !parse_line(comma + 1, strlen(comma + 1), &endpoints->lines[1])
                        ? "line B is no multicast group and port"
                        : NULL;
  if (!why)
    return 0;
  shunt_error_set(error, -EINVAL, "\"%s\" is no feed", text);
  shunt_error_why(error, "%s", why);
  shunt_error_remedy(error, "write " FORM);
  return -EINVAL;
}

static bool same_line(const struct endpoint *a, const struct endpoint *b)
{
  return a->group == b->group && a->port == b->port;
}

static bool clash(const struct endpoints *a, const struct endpoints *b)
{
  bool same = strcmp(a->name, b->name) == 0;
  for (unsigned i = 0; i < FEED_LINES; i++)
    for (unsigned j = 0; j < FEED_LINES; j++)
      same |= same_line(&a->lines[i], &b->lines[j]);
  return same;
}

int endpoints_append(struct endpoints list[], unsigned *count, const char *text,
                     struct shunt_error *error)
{
  struct endpoints *added = &list[*count];
  if (*count == ENDPOINTS_FEEDS)
    return shunt_error_set(error, -ENOSPC, "more than %u feeds", ENDPOINTS_FEEDS);
  int code = endpoints_parse(text, added, error);
  if (code)
    return code;
  if (same_line(&added->lines[0], &added->lines[1]))
    return shunt_error_set(error, -EEXIST, "\"%s\": line A and line B are the same", text);
  for (unsigned i = 0; i < *count; i++)
    if (clash(&list[i], added))
      return shunt_error_set(error, -EEXIST, "\"%s\" has a name or a line of feed %s", text,
                             list[i].name);
  ++*count;
  return 0;
}
