/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/shunt/interfaces.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list {
  struct interface *entries;
  int count, room;
};

static int add(void *context, const struct interface_state *state)
{
  struct list *list = context;
  if (list->count == list->room) {
    int room = list->room ? 2 * list->room : 16;
    struct interface *entries = realloc(list->entries, (size_t)room * sizeof(*entries));
    if (!entries)
      return -ENOMEM;
    list->entries = entries;
    list->room = room;
  }
  list->entries[list->count++] = (struct interface){.state = *state};
  return 0;
}

static int add_address(void *context, int ifindex, const char *text)
{
  const struct list *list = context;
  for (int i = 0; i < list->count; i++) {
    char *addresses = list->entries[i].addresses;
    size_t used = strlen(addresses), room = sizeof(list->entries[i].addresses) - used;
    if (list->entries[i].state.ifindex == ifindex && strlen(text) + 1 < room)
      snprintf(addresses + used, room, "%s%s", used ? " " : "", text);
  }
  return 0;
}

int interfaces_list(struct interface **interfaces, struct shunt_error *error)
{
  struct list list = {0};
  int code = interface_list(add, &list, error);
  if (code == 0)
    code = interface_list_addresses(add_address, &list, error);
  if (code < 0) {
    free(list.entries);
    return code;
  }
  *interfaces = list.entries;
  return list.count;
}
