/* SPDX-License-Identifier: BSD-2-Clause */
/* Which device a program means by an interface's name. */
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/efvi/efvi.h"

/* Where an entry of the map ends: at a comma that the next entry's "name=" follows, or nothing. A
 * device's name may have commas itself, as in "udp=127.0.0.1:4000,127.0.0.1:4001". */
static const char *entry_end(const char *entry)
{
  for (const char *c = strchr(entry, ','); c; c = strchr(c + 1, ',')) {
    const char *behind = c + 1 + strcspn(c + 1, "=:?&,");
    if (!c[1] || (*behind == '=' && behind > c + 1))
      return c;
  }
  return entry + strlen(entry);
}

/* Look a name up. Returns whether it is there; -EINVAL: the map is none. */
static int map_find(const char *map, const char *name, char device[EFVI_NAME_BYTES],
                    struct shunt_error *error)
{
  for (const char *entry = map, *end; *entry; entry = *end ? end + 1 : end) {
    end = entry_end(entry);
    const char *equals = memchr(entry, '=', (size_t)(end - entry));
    size_t bytes = equals ? (size_t)(end - equals - 1) : 0;
    if (!equals || equals == entry || bytes == 0) {
      shunt_error_set(error, -EINVAL, "SHUNT_EFVI_DEVICE is wrong at \"%.64s\"", entry);
      shunt_error_remedy(error, "write NAME=DEVICE[,NAME=DEVICE...], as eth0=ixgbe:twin?wire=a");
      return -EINVAL;
    }
    if ((size_t)(equals - entry) != strlen(name) || memcmp(entry, name, strlen(name)) != 0)
      continue;
    if (bytes >= EFVI_NAME_BYTES)
      return shunt_error_set(
          error, -EINVAL,
          "SHUNT_EFVI_DEVICE gives %s a device of %zu characters, and %u is the most", name, bytes,
          EFVI_NAME_BYTES - 1);
    memcpy(device, equals + 1, bytes);
    device[bytes] = '\0';
    return 1;
  }
  return 0;
}

/* A decimal number that is an ifindex; 0: it is none. */
static unsigned index_of(const char *name)
{
  if (name[strspn(name, "0123456789")] != '\0' || strlen(name) > 9)
    return 0;
  return (unsigned)strtoul(name, NULL, 10);
}

void efvi_name_of(const char *name, char interface[EFVI_NAME_BYTES])
{
  char known[IF_NAMESIZE];
  const unsigned index = index_of(name);
  snprintf(interface, EFVI_NAME_BYTES, "%s", index && if_indextoname(index, known) ? known : name);
}

static int name_resolve(const char *name, const char *map, char device[EFVI_NAME_BYTES],
                        struct shunt_error *error)
{
  char interface[IF_NAMESIZE];
  if (!name || !*name || strlen(name) >= EFVI_NAME_BYTES)
    return shunt_error_set(error, -EINVAL, "an interface's name has 1 to %d characters",
                           EFVI_NAME_BYTES - 1);
  int found = map ? map_find(map, name, device, error) : 0;
  if (found)
    return found < 0 ? found : 0;
  if (strchr(name, ':')) {
    snprintf(device, EFVI_NAME_BYTES, "%s", name);
    return 0;
  }
  unsigned index = index_of(name);
  if (index ? !if_indextoname(index, interface) : !if_nametoindex(name)) {
    shunt_error_set(error, -ENODEV, "there is no interface %s", name);
    shunt_error_remedy(error, "look at `ip link`, or give the name a device in SHUNT_EFVI_DEVICE");
    return -ENODEV;
  }
  if (index) { /* the map may know it by its name */
    found = map ? map_find(map, interface, device, error) : 0;
    if (found)
      return found < 0 ? found : 0;
  }
  snprintf(device, EFVI_NAME_BYTES, "xdp:%s", index ? interface : name);
  return 0;
}

/* An interface of ef_vi has frames. */
int efvi_name_resolve(const char *name, const char *map, char device[EFVI_NAME_BYTES],
                      struct shunt_error *error)
{
  int result = name_resolve(name, map, device, error);
  if (result || strncmp(device, "efa:", 4) != 0)
    return result;
  shunt_error_set(error, -EOPNOTSUPP, "no ef_vi on %s", device);
  shunt_error_why(error, "an EFA moves messages between endpoints, not Ethernet frames");
  shunt_error_remedy(error, "use shunt/fabric.h there, or an ixgbe or xdp device here");
  return -EOPNOTSUPP;
}
