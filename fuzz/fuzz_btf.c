/* SPDX-License-Identifier: BSD-2-Clause */
/* BTF as the kernel, or anybody, may give it: the first half of the input is a kernel's, the rest a
 * module's that counts on from it. */
#include <stdlib.h>
#include <string.h>

#include "src/bpf/btf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes of their own, so that reading one too many is seen. */
static uint8_t *copy(const uint8_t *data, size_t size)
{
  uint8_t *own = malloc(size > 0 ? size : 1);
  if (own != NULL)
    memcpy(own, data, size);
  return own;
}

static void look_up(const struct btf *btf, uint32_t most)
{
  static const char *const names[] = {"f", "bpf_xdp_metadata_rx_timestamp", ""};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    int32_t id = 0;
    if (btf_function(btf, names[i], &id) == 0 &&
        ((uint32_t)id < btf->first || (uint32_t)id >= btf->first + most))
      abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct btf kernel, module;
  struct shunt_error error;
  size_t half = size >= 2 ? (size_t)data[0] << 2 : 0;
  half = half < size ? half : size;
  size_t skip = size > 0 ? 1 : 0;
  half = half > skip ? half : skip;
  uint8_t *first = copy(data + skip, half - skip);
  uint8_t *second = copy(data + half, size - half);
  if (first != NULL && second != NULL && btf_open(&kernel, first, half - skip, NULL, &error) == 0) {
    look_up(&kernel, kernel.count);
    if (btf_open(&module, second, size - half, &kernel, &error) == 0)
      look_up(&module, module.count);
  }
  free(first);
  free(second);
  return 0;
}
