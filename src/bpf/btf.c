/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/bpf/btf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/bpf/bpf.h"
#include "src/bpf/call.h"
#include "src/core/error_internal.h"

#define BTF_DIRECTORY  "/sys/kernel/btf"
#define BTF_KERNEL     "vmlinux"
#define BTF_BYTES_MOST (64u << 20) /* a kernel with everything in it has 6 to 10 MB */

/* ---- the format ---- */

static uint32_t btf_u32(const uint8_t *at)
{
  uint32_t value;
  memcpy(&value, at, sizeof(value));
  return value;
}

/* The bytes behind a struct btf_type, or -1 for a kind that is not known: then its length is not
 * either (btf.rst, 2.2). */
static int64_t btf_tail(uint32_t info)
{
  uint32_t members = BTF_INFO_VLEN(info);
  switch (BTF_INFO_KIND(info)) {
  case BTF_KIND_INT:
  case BTF_KIND_VAR:
  case BTF_KIND_DECL_TAG:
    return 4;
  case BTF_KIND_ARRAY:
    return sizeof(struct btf_array);
  case BTF_KIND_STRUCT:
  case BTF_KIND_UNION:
    return (int64_t)members * (int64_t)sizeof(struct btf_member);
  case BTF_KIND_ENUM:
    return (int64_t)members * (int64_t)sizeof(struct btf_enum);
  case BTF_KIND_ENUM64:
    return (int64_t)members * (int64_t)sizeof(struct btf_enum64);
  case BTF_KIND_FUNC_PROTO:
    return (int64_t)members * (int64_t)sizeof(struct btf_param);
  case BTF_KIND_DATASEC:
    return (int64_t)members * (int64_t)sizeof(struct btf_var_secinfo);
  case BTF_KIND_PTR:
  case BTF_KIND_FWD:
  case BTF_KIND_TYPEDEF:
  case BTF_KIND_VOLATILE:
  case BTF_KIND_CONST:
  case BTF_KIND_RESTRICT:
  case BTF_KIND_FUNC:
  case BTF_KIND_FLOAT:
  case BTF_KIND_TYPE_TAG:
    return 0;
  default:
    return -1;
  }
}

/* The offset of the type behind the one at offset, or -1 where that does not fit. */
static int64_t btf_next(const struct btf *btf, uint32_t offset)
{
  if (btf->types_bytes - offset < sizeof(struct btf_type))
    return -1;
  int64_t tail = btf_tail(btf_u32(btf->types + offset + offsetof(struct btf_type, info)));
  int64_t next = (int64_t)offset + (int64_t)sizeof(struct btf_type) + tail;
  return tail < 0 || next > btf->types_bytes ? -1 : next;
}

static int btf_bad(struct shunt_error *error, const char *why, uint64_t where)
{
  shunt_error_set(error, -EINVAL, "can't read the kernel's type information (BTF)");
  shunt_error_why(error, "%s (%llu)", why, (unsigned long long)where);
  return -EINVAL;
}

/* Whether a section lies in the bytes behind the header. */
static bool btf_section(uint32_t offset, uint32_t length, size_t behind)
{
  return offset <= behind && length <= behind - offset;
}

int btf_open(struct btf *btf, const void *data, size_t bytes, const struct btf *base,
             struct shunt_error *error)
{
  struct btf_header header;
  memset(btf, 0, sizeof(*btf));
  if (bytes < sizeof(header) || bytes > BTF_BYTES_MOST)
    return btf_bad(error, "it has an impossible length", bytes);
  memcpy(&header, data, sizeof(header));
  if (header.magic != BTF_MAGIC)
    return btf_bad(error, "its first word is not 0xeb9f in this host's byte order", header.magic);
  if (header.version != BTF_VERSION)
    return btf_bad(error, "its version is not 1", header.version);
  if (header.hdr_len < sizeof(header) || header.hdr_len > bytes)
    return btf_bad(error, "its header has an impossible length", header.hdr_len);
  size_t behind = bytes - header.hdr_len;
  if (!btf_section(header.type_off, header.type_len, behind))
    return btf_bad(error, "its types lie past its end", header.type_off);
  if (!btf_section(header.str_off, header.str_len, behind))
    return btf_bad(error, "its strings lie past its end", header.str_off);
  btf->types = (const uint8_t *)data + header.hdr_len + header.type_off;
  btf->types_bytes = header.type_len;
  btf->strings = (const char *)data + header.hdr_len + header.str_off;
  btf->strings_bytes = header.str_len;
  if (header.str_len > 0 && btf->strings[header.str_len - 1] != '\0')
    return btf_bad(error, "its strings have no end", header.str_len);
  btf->base = base;
  btf->first = base != NULL ? base->first + base->count : 1;
  for (int64_t at = 0; at < btf->types_bytes; btf->count++) {
    int64_t next = btf_next(btf, (uint32_t)at);
    if (next < 0)
      return btf_bad(error, "a type is of an unknown kind or cut off, at byte", (uint64_t)at);
    at = next;
  }
  return 0;
}

/* The string at an offset, or "" past the end. Split BTF's offsets start behind its base's. */
static const char *btf_string(const struct btf *btf, uint32_t offset)
{
  if (btf->base != NULL) {
    if (offset < btf->base->strings_bytes)
      return btf->base->strings + offset;
    offset -= btf->base->strings_bytes;
  }
  return offset < btf->strings_bytes ? btf->strings + offset : "";
}

int btf_function(const struct btf *btf, const char *name, int32_t *id)
{
  uint32_t at = 0;
  for (uint32_t i = 0; i < btf->count; i++) {
    uint32_t info = btf_u32(btf->types + at + offsetof(struct btf_type, info));
    uint32_t string = btf_u32(btf->types + at + offsetof(struct btf_type, name_off));
    if (BTF_INFO_KIND(info) == BTF_KIND_FUNC && strcmp(btf_string(btf, string), name) == 0) {
      *id = (int32_t)(btf->first + i);
      return 0;
    }
    at = (uint32_t)btf_next(btf, at); /* btf_open walked here before */
  }
  return -ENOENT;
}

/* ---- the running kernel ---- */

/* Read a file of /sys/kernel/btf whole. Returns 0 or -errno; *data is to be freed. */
static int btf_read(const char *name, uint8_t **data, size_t *bytes)
{
  char path[sizeof(BTF_DIRECTORY) + 1 + BTF_MODULE_BYTES];
  struct stat status;
  snprintf(path, sizeof(path), "%s/%s", BTF_DIRECTORY, name);
  *data = NULL;
  *bytes = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  int result = fstat(fd, &status) < 0 ? -errno : 0;
  if (result == 0 && (status.st_size <= 0 || status.st_size > (off_t)BTF_BYTES_MOST))
    result = -EINVAL;
  if (result == 0 && (*data = malloc((size_t)status.st_size)) == NULL)
    result = -ENOMEM;
  while (result == 0 && *bytes < (size_t)status.st_size) {
    ssize_t got = read(fd, *data + *bytes, (size_t)status.st_size - *bytes);
    if (got <= 0)
      result = got == 0 ? -EINVAL : -errno;
    else
      *bytes += (size_t)got;
  }
  close(fd);
  if (result < 0) {
    free(*data);
    *data = NULL;
  }
  return result;
}

/* Open a file of /sys/kernel/btf; *data is to be freed once btf is not used any more. */
static int btf_load(const char *name, const struct btf *base, struct btf *btf, uint8_t **data,
                    struct shunt_error *error)
{
  size_t bytes;
  int result = btf_read(name, data, &bytes);
  if (result < 0) {
    error_set_errno(error, result, "can't read %s/%s", BTF_DIRECTORY, name);
    shunt_error_remedy(error, "use a kernel with CONFIG_DEBUG_INFO_BTF");
    return result;
  }
  result = btf_open(btf, *data, bytes, base, error);
  if (result < 0) {
    free(*data);
    *data = NULL;
  }
  return result;
}

static int btf_missing(const char *name, const char *where, struct shunt_error *error)
{
  shunt_error_set(error, -ENOENT, "the running kernel has no function %s", name);
  shunt_error_why(error, "no function of %s has that name", where);
  shunt_error_remedy(error, "use the kernel version that brings it");
  return -ENOENT;
}

int btf_find_function(const char *name, int32_t *id, struct shunt_error *error)
{
  struct btf kernel;
  uint8_t *data;
  int result = btf_load(BTF_KERNEL, NULL, &kernel, &data, error);
  if (result < 0)
    return result;
  result = btf_function(&kernel, name, id);
  free(data);
  return result < 0 ? btf_missing(name, BTF_DIRECTORY "/" BTF_KERNEL, error) : 0;
}

/* Look into one module. A module whose BTF can't be read is passed over: the others count. */
static int btf_look_in(const struct btf *kernel, const char *module, const char *name, int32_t *id)
{
  struct btf btf;
  uint8_t *data;
  if (btf_load(module, kernel, &btf, &data, NULL) < 0)
    return -ENOENT;
  int result = btf_function(&btf, name, id);
  free(data);
  return result;
}

int btf_find_module_function(const char *name, char module[BTF_MODULE_BYTES], int32_t *id,
                             struct shunt_error *error)
{
  struct btf kernel;
  uint8_t *data;
  int result = btf_load(BTF_KERNEL, NULL, &kernel, &data, error);
  if (result < 0)
    return result;
  DIR *directory = opendir(BTF_DIRECTORY);
  result = -ENOENT;
  for (struct dirent *entry; directory != NULL && result < 0;) {
    entry = readdir(directory);
    if (entry == NULL)
      break;
    if (entry->d_name[0] == '.' || strcmp(entry->d_name, BTF_KERNEL) == 0 ||
        strlen(entry->d_name) >= BTF_MODULE_BYTES)
      continue;
    result = btf_look_in(&kernel, entry->d_name, name, id);
    if (result == 0)
      memcpy(module, entry->d_name, strlen(entry->d_name) + 1);
  }
  if (directory != NULL)
    closedir(directory);
  free(data);
  return result < 0 ? btf_missing(name, "the modules in " BTF_DIRECTORY, error) : 0;
}

/* The name that the kernel gives a BTF object: "vmlinux", a module's, or "" for a program's own. */
static int btf_object_name(int fd, char name[BTF_MODULE_BYTES])
{
  struct bpf_btf_info info;
  memset(&info, 0, sizeof(info));
  memset(name, 0, BTF_MODULE_BYTES);
  info.name = call_address(name);
  info.name_len = BTF_MODULE_BYTES;
  union bpf_attr attr = {
      .info = {.bpf_fd = (uint32_t)fd, .info_len = sizeof(info), .info = call_address(&info)}};
  int result = call_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr));
  return result == 0 && info.kernel_btf == 0 ? -ENOENT : result;
}

int btf_module_fd(const char *module, int *fd, struct shunt_error *error)
{
  uint32_t id = 0;
  int result;
  *fd = -1;
  for (;;) {
    union bpf_attr next = {.start_id = id};
    result = call_bpf(BPF_BTF_GET_NEXT_ID, &next, sizeof(next));
    if (result < 0)
      break;
    id = next.next_id;
    union bpf_attr get = {.btf_id = id};
    int opened = call_bpf(BPF_BTF_GET_FD_BY_ID, &get, sizeof(get));
    char name[BTF_MODULE_BYTES];
    if (opened >= 0 && btf_object_name(opened, name) == 0 && strcmp(name, module) == 0) {
      *fd = opened;
      return 0;
    }
    if (opened >= 0)
      close(opened);
  }
  error_set_errno(error, result, "can't open the type information of module \"%s\"", module);
  if (result == -EPERM)
    shunt_error_remedy(error, "opening it needs CAP_SYS_ADMIN");
  return result;
}
