/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/core/error_internal.h"
#include "src/core/region_internal.h"
#include "src/core/sysfs.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)

#define REGION_DEFAULT_BYTES     (16 * MIB)
#define REGION_MOST_BYTES        (256 * GIB)
#define REGION_DEFAULT_BUF_BYTES 2048
#define REGION_LEAST_BUF_BYTES   256
#define REGION_MOST_BUF_BYTES    65536
#define REGION_TEXT_BYTES        1024
#define REGION_MOST_NODES        1024 /* CONFIG_NODES_SHIFT is at most 10 */

/* linux/memfd.h: the page size's logarithm stands in bits 31:26 of memfd_create's flags. It can't
 * be included beside glibc's sys/mman.h, which defines the other flags but not these. */
#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21U << 26)
#define MFD_HUGE_1GB (30U << 26)
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* asm-generic/mman-common.h, since Linux 5.14 */
#endif

struct shunt_region {
  uint8_t *base;
  uint64_t bytes;
  uint32_t buf_bytes;
  uint64_t page_bytes;
  int fd;
  int numa_node;
  bool locked;
  uint64_t uncarved; /* buffers that belong to no pool */
  uint64_t *carved;  /* one bit per buffer */
  uint32_t *owners;  /* one per buffer; NULL until a checked port asks */
  uint32_t ports;    /* numbers given to checked ports */
  struct region_users users;
  char describe[REGION_TEXT_BYTES];
};

struct region_pages {
  enum shunt_pages pages;
  uint64_t bytes;
  unsigned memfd_flags;
  const char *name;
};

/* Largest first: the order in which they are tried. */
static const struct region_pages region_pages[] = {
    {SHUNT_PAGES_1G, GIB, MFD_HUGETLB | MFD_HUGE_1GB, "1 GiB"},
    {SHUNT_PAGES_2M, 2 * MIB, MFD_HUGETLB | MFD_HUGE_2MB, "2 MiB"},
    {SHUNT_PAGES_4K, 4 * KIB, 0, "4 KiB"},
};
#define REGION_PAGE_SIZES (sizeof region_pages / sizeof region_pages[0])

/* What a region of such pages is aligned to, and its length a multiple of. */
static uint64_t region_align(const struct region_pages *pages)
{
  return pages->bytes > SHUNT_REGION_ALIGN_BYTES ? pages->bytes : SHUNT_REGION_ALIGN_BYTES;
}

/* ---- The system ---- */

static int real_create(const char *name, unsigned flags)
{
  return memfd_create(name, flags);
}

static int real_populate(void *address, size_t bytes)
{
  return madvise(address, bytes, MADV_POPULATE_WRITE);
}

static int real_bind(void *address, size_t bytes, int node, bool strictly)
{
  unsigned long mask[REGION_MOST_NODES / (8 * sizeof(unsigned long))] = {0};
  mask[(unsigned)node / (8 * sizeof mask[0])] = 1UL << ((unsigned)node % (8 * sizeof mask[0]));
  /* The kernel takes one off maxnode: mm/mempolicy.c, get_nodes. */
  return (int)syscall(SYS_mbind, address, bytes, strictly ? MPOL_BIND : MPOL_PREFERRED, mask,
                      (unsigned long)REGION_MOST_NODES + 1, 0);
}

static int real_node_of(void *address, int *node)
{
  return (int)syscall(SYS_get_mempolicy, node, NULL, 0UL, address, MPOL_F_NODE | MPOL_F_ADDR);
}

const struct region_system region_real_system = {
    .huge_pages = "/sys/kernel/mm/hugepages",
    .nodes = "/sys/devices/system/node",
    .create = real_create,
    .truncate = ftruncate,
    .map = mmap,
    .populate = real_populate,
    .lock = mlock,
    .bind = real_bind,
    .node_of = real_node_of,
};

/* ---- Texts ---- */

/* Append to a text; what does not fit is cut. */
static void region_append(char *text, size_t bytes, const char *form, ...) SHUNT_PRINTF(3, 4);
static void region_append(char *text, size_t bytes, const char *form, ...)
{
  size_t used = strlen(text);
  va_list arguments;
  va_start(arguments, form);
  vsnprintf(text + used, bytes - used, form, arguments);
  va_end(arguments);
}

/* What RLIMIT_MEMLOCK allows, in bytes. */
static unsigned long long region_lock_limit(void)
{
  struct rlimit limit = {0};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  return limit.rlim_cur;
}

/* What one attempt at a page size is made of. */
struct region_attempt {
  const struct region_system *system;
  const struct shunt_region_options *options;
  const struct region_pages *pages;
  struct shunt_region *region;
};

/* Say how many huge pages there are and are free, and the line that would reserve the missing. */
static void region_explain_huge(const struct region_attempt *attempt, int code,
                                struct shunt_error *error)
{
  const struct region_pages *pages = attempt->pages;
  unsigned long long page_kib = pages->bytes / KIB;
  char directory[160], path[224];
  if (attempt->options->numa_required)
    snprintf(directory, sizeof directory, "%s/node%d/hugepages/hugepages-%llukB",
             attempt->system->nodes, attempt->options->numa_node, page_kib);
  else
    snprintf(directory, sizeof directory, "%s/hugepages-%llukB", attempt->system->huge_pages,
             page_kib);
  int total = 0, unused = 0;
  snprintf(path, sizeof path, "%s/free_hugepages", directory);
  int have_unused = sysfs_read_int(path, &unused);
  snprintf(path, sizeof path, "%s/nr_hugepages", directory);
  if (have_unused < 0 || sysfs_read_int(path, &total) < 0) {
    error_why_errno(error, code);
    shunt_error_remedy(error, pages->pages == SHUNT_PAGES_1G
                                  ? "boot with hugepagesz=1G hugepages=N (a CPU with pdpe1gb)"
                                  : "run a kernel with CONFIG_HUGETLBFS, or allow 4 KiB pages");
    return;
  }
  long long missing = (long long)(attempt->region->bytes / pages->bytes) - unused;
  if (missing <= 0) {
    shunt_error_why(error, "%d of %d are free, yet the kernel refused: %s", unused, total,
                    strerrordesc_np(-code));
    shunt_error_remedy(error, "look at the cgroup's hugetlb limits and the CPU set's nodes");
    return;
  }
  shunt_error_why(error, "%d of %d are free, %lld more are needed", unused, total, missing);
  bool by_default = pages->pages == SHUNT_PAGES_2M && !attempt->options->numa_required;
  shunt_error_remedy(error, "echo %lld > %s%s", total + missing,
                     by_default ? "/proc/sys/vm/nr_hugepages" : path,
                     pages->pages == SHUNT_PAGES_1G ? ", best at boot (hugepagesz=1G)" : "");
}

/* There is no such memory. code is the errno of the call that said so. */
static int region_refused(const struct region_attempt *attempt, int code, const char *what,
                          struct shunt_error *error)
{
  error_set_errno(error, -ENOMEM, "%s", what);
  error_why_errno(error, code);
  if (attempt->pages->memfd_flags != 0)
    region_explain_huge(attempt, code, error);
  else
    shunt_error_remedy(error, "free memory, or ask for less (MemAvailable in /proc/meminfo)");
  return -ENOMEM;
}

/* ---- Making one, of one page size ---- */

/* Map the file at an address aligned to the larger of its page and SHUNT_REGION_ALIGN_BYTES: the
 * kernel aligns to pages only, so a wider range is reserved first. */
static int region_map(const struct region_attempt *attempt, struct shunt_error *error)
{
  const struct region_system *system = attempt->system;
  struct shunt_region *region = attempt->region;
  uint64_t align = region_align(attempt->pages);
  uint64_t reserved_bytes = region->bytes + align;
  uint8_t *reserved = system->map(NULL, reserved_bytes, PROT_NONE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED)
    return error_set_errno(error, -errno, "can't reserve addresses");
  uint64_t before = -(uint64_t)(uintptr_t)reserved & (align - 1);
  uint8_t *base = system->map(reserved + before, region->bytes, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_FIXED, region->fd, 0);
  if (base == MAP_FAILED) {
    int code = -errno;
    munmap(reserved, reserved_bytes);
    return region_refused(attempt, code, "can't map the memory", error);
  }
  if (before > 0)
    munmap(reserved, before);
  munmap(base + region->bytes, align - before);
  region->base = base;
  return 0;
}

/* Ask for the node, before any page is there. */
static int region_bind(const struct region_attempt *attempt, struct shunt_error *error)
{
  const struct shunt_region_options *options = attempt->options;
  struct shunt_region *region = attempt->region;
  if (options->numa_node == SHUNT_NUMA_ANY ||
      attempt->system->bind(region->base, region->bytes, options->numa_node,
                            options->numa_required) == 0 ||
      !options->numa_required)
    return 0;
  int code = errno == EINVAL ? -EINVAL : -ENOMEM;
  int reason = -errno;
  shunt_error_set(error, code, "can't bind the memory to NUMA node %d", options->numa_node);
  error_why_errno(error, reason);
  shunt_error_remedy(error, "see which nodes have memory: cat %s/has_memory",
                     attempt->system->nodes);
  return code;
}

/* The node that all of the memory is on; SHUNT_NUMA_ANY where the kernel does not tell or pages lie
 * on several. */
static int region_find_node(const struct region_attempt *attempt)
{
  const struct shunt_region *region = attempt->region;
  int found = SHUNT_NUMA_ANY;
  for (uint64_t offset = 0; offset < region->bytes; offset += region->page_bytes) {
    int node;
    if (attempt->system->node_of(region->base + offset, &node) != 0)
      return SHUNT_NUMA_ANY;
    if (offset > 0 && node != found)
      return SHUNT_NUMA_ANY;
    found = node;
  }
  return found;
}

static int region_check_node(const struct region_attempt *attempt, struct shunt_error *error)
{
  int wanted = attempt->options->numa_node;
  int found = region_find_node(attempt);
  attempt->region->numa_node = found;
  if (!attempt->options->numa_required || wanted == SHUNT_NUMA_ANY || found == wanted)
    return 0;
  shunt_error_set(error, -ENOMEM, "the memory is not on NUMA node %d", wanted);
  if (found == SHUNT_NUMA_ANY)
    shunt_error_why(error, "it is spread over several nodes, or the kernel does not tell");
  else
    shunt_error_why(error, "it is on node %d", found);
  shunt_error_remedy(error, "free memory on node %d, or don't require it", wanted);
  return -ENOMEM;
}

/* Ordinary pages are swapped and moved unless they are locked; huge ones never are. */
static int region_lock(const struct region_attempt *attempt, struct shunt_error *error)
{
  struct shunt_region *region = attempt->region;
  region->locked =
      attempt->pages->memfd_flags != 0 || attempt->system->lock(region->base, region->bytes) == 0;
  if (region->locked || !attempt->options->pages_required)
    return 0;
  shunt_error_set(error, -EPERM, "can't lock the memory");
  shunt_error_why(error, "RLIMIT_MEMLOCK is %llu KiB, and %llu KiB more are needed",
                  region_lock_limit() / KIB, (unsigned long long)(region->bytes / KIB));
  shunt_error_remedy(error, "raise it (ulimit -l unlimited), or give the program CAP_IPC_LOCK");
  return -EPERM;
}

static int region_fill(const struct region_attempt *attempt, struct shunt_error *error)
{
  const struct region_system *system = attempt->system;
  struct shunt_region *region = attempt->region;
  region->fd =
      system->create("shunt-region", MFD_CLOEXEC | MFD_ALLOW_SEALING | attempt->pages->memfd_flags);
  if (region->fd < 0)
    return region_refused(attempt, -errno, "can't create the memory's file", error);
  if (system->truncate(region->fd, (off_t)region->bytes) != 0)
    return region_refused(attempt, -errno, "can't give the memory's file its length", error);
  /* A process that the file is handed to must not be able to cut it: the next access here would
   * end in a SIGBUS. */
  if (fcntl(region->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return error_set_errno(error, -errno, "can't seal the memory's file");
  int code = region_map(attempt, error);
  if (code < 0)
    return code;
  code = region_bind(attempt, error);
  if (code < 0)
    return code;
  /* So would touching a page that the node, the cgroup or the machine has no more of; madvise
   * reports it. */
  if (system->populate(region->base, region->bytes) != 0)
    return region_refused(attempt, -errno,
                          errno == EINVAL
                              ? "can't populate the memory (MADV_POPULATE_WRITE: Linux 5.14)"
                              : "can't populate the memory",
                          error);
  code = region_lock(attempt, error);
  if (code < 0)
    return code;
  return region_check_node(attempt, error);
}

static int region_try(const struct region_attempt *attempt, struct shunt_error *error)
{
  struct shunt_region *region = attempt->region;
  uint64_t align = region_align(attempt->pages);
  region->fd = -1;
  region->page_bytes = attempt->pages->bytes;
  region->buf_bytes = attempt->options->buf_bytes;
  region->bytes = (attempt->options->bytes + align - 1) / align * align;
  region->uncarved = region->bytes / region->buf_bytes;
  region->carved = calloc((region->uncarved + 63) / 64, sizeof region->carved[0]);
  if (region->carved == NULL)
    return error_set_errno(error, -ENOMEM, "can't allocate the region's table");
  return region_fill(attempt, error);
}

/* Give back what an attempt took; a half-built region is fine. */
static void region_empty(struct shunt_region *region)
{
  if (region->base != NULL)
    munmap(region->base, region->bytes);
  if (region->fd >= 0)
    close(region->fd);
  free(region->owners);
  free(region->carved);
}

/* ---- Choosing ---- */

static int region_check_options(const struct shunt_region_options *given,
                                struct shunt_region_options *options, struct shunt_error *error)
{
  *options = (struct shunt_region_options){.numa_node = SHUNT_NUMA_ANY};
  if (given != NULL && given->size < sizeof given->size) {
    shunt_error_set(error, -EINVAL, "the region's options have no size");
    return -EINVAL;
  }
  if (given != NULL)
    memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
  if (options->bytes == 0)
    options->bytes = REGION_DEFAULT_BYTES;
  if (options->buf_bytes == 0)
    options->buf_bytes = REGION_DEFAULT_BUF_BYTES;
  if (options->bytes > REGION_MOST_BYTES)
    return shunt_error_set(error, -EINVAL, "a region of %llu bytes: at most 256 GiB",
                           (unsigned long long)options->bytes);
  if (options->buf_bytes < REGION_LEAST_BUF_BYTES || options->buf_bytes > REGION_MOST_BUF_BYTES ||
      (options->buf_bytes & (options->buf_bytes - 1)) != 0)
    return shunt_error_set(error, -EINVAL, "buffers of %u bytes: a power of two, %d..%d",
                           options->buf_bytes, REGION_LEAST_BUF_BYTES, REGION_MOST_BUF_BYTES);
  if ((unsigned)options->pages > SHUNT_PAGES_1G)
    return shunt_error_set(error, -EINVAL, "pages %d: one of SHUNT_PAGES_*", (int)options->pages);
  if (options->numa_node < SHUNT_NUMA_ANY || options->numa_node >= REGION_MOST_NODES)
    return shunt_error_set(error, -EINVAL, "NUMA node %d: 0..%d, or SHUNT_NUMA_ANY",
                           options->numa_node, REGION_MOST_NODES - 1);
  return 0;
}

/* Whether that page size is tried at all. */
static bool region_allows(const struct shunt_region_options *options,
                          const struct region_pages *pages)
{
  if (options->pages == SHUNT_PAGES_ANY)
    return pages->pages != SHUNT_PAGES_1G || options->bytes >= GIB;
  return options->pages == pages->pages ||
         (!options->pages_required && options->pages > pages->pages);
}

/* Write what was granted, and behind it what was not: refused is the text of failed attempts. */
static void region_describe(const struct region_attempt *attempt, const char *refused)
{
  struct shunt_region *region = attempt->region;
  char *text = region->describe;
  size_t bytes = sizeof region->describe;
  region_append(text, bytes, "%llu MiB in %s pages", (unsigned long long)(region->bytes / MIB),
                attempt->pages->name);
  if (region->numa_node != SHUNT_NUMA_ANY)
    region_append(text, bytes, " on NUMA node %d", region->numa_node);
  if (attempt->options->numa_node != SHUNT_NUMA_ANY &&
      attempt->options->numa_node != region->numa_node)
    region_append(text, bytes, ", not all on node %d as asked for", attempt->options->numa_node);
  if (!region->locked)
    region_append(text, bytes, ", not locked (RLIMIT_MEMLOCK is %llu KiB: see ulimit -l)",
                  region_lock_limit() / KIB);
  if (refused[0] != '\0')
    region_append(text, bytes, " (%s)", refused);
}

static void region_add_refusal(char *text, size_t bytes, const struct region_pages *pages,
                               const struct shunt_error *error)
{
  region_append(text, bytes, "%sno %s pages: %s", text[0] != '\0' ? "; " : "", pages->name,
                error->why[0] != '\0' ? error->why : error->what);
  if (error->remedy[0] != '\0')
    region_append(text, bytes, ": %s", error->remedy);
}

int region_create(const struct region_system *system, const struct shunt_region_options *options,
                  struct shunt_region **region, struct shunt_error *error)
{
  struct shunt_region_options complete;
  int code = region_check_options(options, &complete, error);
  if (code < 0)
    return code;
  struct shunt_region *made = malloc(sizeof *made);
  if (made == NULL)
    return error_set_errno(error, -ENOMEM, "can't allocate a region");

  char refused[REGION_TEXT_BYTES] = "";
  struct shunt_error why = {0};
  for (size_t i = 0; i < REGION_PAGE_SIZES; i++) {
    if (!region_allows(&complete, &region_pages[i]))
      continue;
    struct region_attempt attempt = {system, &complete, &region_pages[i], made};
    *made = (struct shunt_region){0};
    code = region_try(&attempt, &why);
    if (code == 0) {
      region_describe(&attempt, refused);
      pthread_mutex_init(&made->users.lock, NULL); /* never fails in glibc */
      *region = made;
      return 0;
    }
    region_empty(made);
    region_add_refusal(refused, sizeof refused, &region_pages[i], &why);
  }
  free(made);
  if (error != NULL)
    *error = why;
  return shunt_error_within(error, code, "can't make a region of %llu MiB",
                            (unsigned long long)((complete.bytes + MIB - 1) / MIB));
}

int shunt_region_create(const struct shunt_region_options *options, struct shunt_region **region,
                        struct shunt_error *error)
{
  return region_create(&region_real_system, options, region, error);
}

void shunt_region_destroy(struct shunt_region *region)
{
  if (region == NULL)
    return;
  region_empty(region);
  pthread_mutex_destroy(&region->users.lock);
  free(region);
}

/* ---- What was granted ---- */

void *shunt_region_base(const struct shunt_region *region)
{
  return region->base;
}

uint64_t shunt_region_bytes(const struct shunt_region *region)
{
  return region->bytes;
}

uint32_t shunt_region_buf_bytes(const struct shunt_region *region)
{
  return region->buf_bytes;
}

uint64_t shunt_region_page_bytes(const struct shunt_region *region)
{
  return region->page_bytes;
}

int shunt_region_numa_node(const struct shunt_region *region)
{
  return region->numa_node;
}

int shunt_region_fd(const struct shunt_region *region)
{
  return region->fd;
}

const char *shunt_region_describe(const struct shunt_region *region)
{
  return region->describe;
}

struct region_users *region_users(struct shunt_region *region)
{
  return &region->users;
}

uint32_t *region_owners(struct shunt_region *region)
{
  if (region->owners == NULL)
    region->owners = calloc(region->bytes / region->buf_bytes, sizeof region->owners[0]);
  return region->owners;
}

uint32_t region_port_number(struct shunt_region *region)
{
  return ++region->ports;
}

bool region_is_locked(const struct shunt_region *region)
{
  return region->locked;
}

/* ---- Carving ---- */

uint64_t region_uncarved(const struct shunt_region *region)
{
  return region->uncarved;
}

void region_carve(struct shunt_region *region, uint32_t count, shunt_buf bufs[])
{
  uint32_t taken = 0;
  for (uint64_t i = 0; taken < count; i++) {
    uint64_t bit = UINT64_C(1) << (i % 64);
    if (region->carved[i / 64] & bit)
      continue;
    region->carved[i / 64] |= bit;
    bufs[taken++] = i * region->buf_bytes;
  }
  region->uncarved -= count;
}

void region_uncarve(struct shunt_region *region, const shunt_buf bufs[], uint32_t count)
{
  for (uint32_t i = 0; i < count; i++) {
    uint64_t index = bufs[i] / region->buf_bytes;
    region->carved[index / 64] &= ~(UINT64_C(1) << (index % 64));
  }
  region->uncarved += count;
}
