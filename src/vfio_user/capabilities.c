/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/vfio_user/capabilities.h"

#include <errno.h>
#include <stdio.h>

#include "hw/vfio_user.h"
#include "src/vfio_user/json.h"

/* vfio-user.rst, VFIO_USER_VERSION. */
static const struct {
  const char *name;
  enum json_kind kind;
  uint64_t otherwise;
} known[CAPABILITIES] = {
    [CAPABILITY_MSG_FDS] = {"max_msg_fds", JSON_U64, VFIO_USER_DEFAULT_MSG_FDS},
    [CAPABILITY_XFER_BYTES] = {"max_data_xfer_size", JSON_U64, VFIO_USER_DEFAULT_XFER},
    [CAPABILITY_DMA_MAPS] = {"max_dma_maps", JSON_U64, VFIO_USER_DEFAULT_DMA_MAPS},
    [CAPABILITY_PGSIZES] = {"pgsizes", JSON_U64, VFIO_USER_DEFAULT_PGSIZES},
    [CAPABILITY_WRITE_MULTIPLE] = {"write_multiple", JSON_BOOL, 0},
};

int capabilities_read(struct capabilities *capabilities, const void *data, size_t bytes,
                      const char **why)
{
  struct json_field fields[CAPABILITIES];
  char paths[CAPABILITIES][48];
  const char *text = data;
  for (unsigned i = 0; i < CAPABILITIES; i++) {
    snprintf(paths[i], sizeof paths[i], "capabilities.%s", known[i].name);
    fields[i] = (struct json_field){.path = paths[i], .kind = known[i].kind};
  }
  if (bytes > 0 && text[bytes - 1] != '\0') {
    *why = "the JSON does not end in a NUL";
    return -EINVAL;
  }
  int code = bytes > 0 ? json_read(text, bytes - 1, fields, CAPABILITIES, why) : 0;
  for (unsigned i = 0; i < CAPABILITIES; i++) {
    capabilities->given[i] = fields[i].found;
    capabilities->value[i] = fields[i].found ? fields[i].value : known[i].otherwise;
  }
  return code;
}

size_t capabilities_write(const struct capabilities *capabilities,
                          char text[CAPABILITIES_TEXT_BYTES])
{
  const size_t room = CAPABILITIES_TEXT_BYTES;
  const char *comma = "";
  size_t used = (size_t)snprintf(text, room, "{\"capabilities\":{");
  for (unsigned i = 0; i < CAPABILITIES; i++) {
    if (!capabilities->given[i])
      continue;
    unsigned long long value = capabilities->value[i];
    used += (size_t)(known[i].kind == JSON_BOOL
                         ? snprintf(text + used, room - used, "%s\"%s\":%s", comma, known[i].name,
                                    value ? "true" : "false")
                         : snprintf(text + used, room - used, "%s\"%s\":%llu", comma, known[i].name,
                                    value));
    comma = ",";
  }
  used += (size_t)snprintf(text + used, room - used, "}}");
  return used + 1;
}
