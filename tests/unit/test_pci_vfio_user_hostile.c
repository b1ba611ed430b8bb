/* SPDX-License-Identifier: BSD-2-Clause */
/* Our vfio-user client at servers that lie, stop, or have never heard of the protocol. */
#include "vfio_user_liar.h"

#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#define PATIENCE_NS UINT64_C(2000000000) /* of the client, where an answer will come */
#define SHORT_NS    UINT64_C(20000000)   /* where none will */

static struct shunt_region *memory;

static int make_memory(void **state)
{
  const struct shunt_region_options options = {.size = sizeof options,
                                               .bytes = SHUNT_REGION_ALIGN_BYTES,
                                               .pages = SHUNT_PAGES_4K,
                                               .numa_node = SHUNT_NUMA_ANY};
  (void)state;
  return shunt_region_create(&options, &memory, NULL);
}

static int drop_memory(void **state)
{
  (void)state;
  shunt_region_destroy(memory);
  return 0;
}

/* All that a driver does. Whether all of it worked. */
static bool use(struct pci *pci)
{
  uint64_t delta[1];
  uint32_t value = 0;
  int fds[VECTORS];
  bool works = pci_read32(pci, 0x10) == 0x5A5A5A5A;
  pci_write32(pci, 0x10, 1);
  works &= pci->ops->config_read(pci, 0, 4, &value) == 0;
  works &= pci->ops->config_write(pci, 4, 2, 6) == 0;
  works &= pci->ops->interrupts(pci, VECTORS, fds, NULL) == 0;
  if (pci->ops->dma_map(pci, memory, delta, NULL) == 0)
    pci->ops->dma_unmap(pci, memory, delta);
  else
    works = false;
  return works && pci_read32(pci, 0x10) == 0x5A5A5A5A;
}

static unsigned open_fds(void)
{
  unsigned n = 0;
  for (int fd = 0; fd < 256; fd++)
    n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

/* ---- Where a server stops ---- */

static void a_good_server_is_got_on_with(void **state)
{
  static const unsigned pieces[] = {0, 1, 7, 16, 17};
  (void)state;
  for (unsigned i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
    struct server server = {.memory = -1, .piece = pieces[i]};
    struct pci *pci;
    assert_int_equal(open_at(&server, PATIENCE_NS, &pci), 0);
    assert_true(use(pci));
    close_at(&server, pci);
  }
}

/* Between two replies, and in the middle of each. */
static void a_server_may_hang_up_at_every_byte(void **state)
{
  struct server whole = {.memory = -1};
  struct pci *pci;
  unsigned before = open_fds(), opened = 0;
  (void)state;
  assert_int_equal(open_at(&whole, PATIENCE_NS, &pci), 0);
  assert_true(use(pci));
  size_t bytes = whole.sent; /* closing has a reply as well */
  close_at(&whole, pci);
  for (size_t budget = 0; budget < bytes; budget++) {
    struct server server = {.memory = -1, .hangs_up = true, .budget = budget};
    int code = open_at(&server, PATIENCE_NS, &pci);
    if (code == 0) {
      assert_false(use(pci));
      opened++;
    } else {
      assert_int_equal(code, -ECONNRESET);
    }
    close_at(&server, pci);
    assert_int_equal(open_fds(), before);
  }
  assert_in_range(opened, 100, bytes - 100);
}

/* Each reply of those that opening waits for, and two that come later. */
static void a_server_that_falls_silent_is_waited_for_once(void **state)
{
  static const unsigned commands[] = {VFIO_USER_VERSION, VFIO_USER_DEVICE_GET_INFO,
                                      VFIO_USER_DEVICE_RESET, VFIO_USER_DEVICE_GET_REGION_INFO,
                                      VFIO_USER_REGION_READ};
  struct pci *pci;
  (void)state;
  for (unsigned i = 0; i < 2 * sizeof commands / sizeof commands[0]; i++) {
    struct server server = {.memory = -1, .lie = {.command = commands[i / 2]}};
    server.lie.is_silent = i % 2 == 0;
    server.lie.is_half = i % 2 == 1;
    assert_int_equal(open_at(&server, SHORT_NS, &pci), -ETIMEDOUT);
    close_at(&server, pci);
  }
  struct server server = {.memory = -1, .lie = {.command = VFIO_USER_DMA_MAP, .is_silent = true}};
  assert_int_equal(open_at(&server, SHORT_NS, &pci), 0);
  uint64_t delta[1], start_ns = shunt_monotonic_ns();
  assert_int_equal(pci->ops->dma_map(pci, memory, delta, NULL), -ETIMEDOUT);
  assert_true(shunt_monotonic_ns() - start_ns >= SHORT_NS);
  start_ns = shunt_monotonic_ns();
  for (unsigned i = 0; i < 1000; i++)
    assert_int_equal(pci_read32(pci, 0x10), UINT32_MAX);
  assert_true(shunt_monotonic_ns() - start_ns < 1000 * SHORT_NS);
  close_at(&server, pci);
}

/* ---- Where it lies ---- */

static void replies_to_something_else_are_seen_through(void **state)
{
  static const struct {
    struct lie lie;
    int code;
  } lies[] = {
      {{.command = VFIO_USER_VERSION, .id = 1}, -EPROTO},
      {{.command = VFIO_USER_VERSION, .other_command = 1}, -EPROTO},
      {{.command = VFIO_USER_VERSION, .type = -1}, -EPROTO}, /* a command of the server's own */
      {{.command = VFIO_USER_VERSION, .more_bytes = -1000}, -EPROTO},
      {{.command = VFIO_USER_VERSION, .more_bytes = 4096}, -EPROTO},
      {{.command = VFIO_USER_VERSION, .is_twice = true}, -EPROTO},
      {{.command = VFIO_USER_VERSION, .is_error = true, .error = EACCES}, -EACCES},
      {{.command = VFIO_USER_VERSION, .is_error = true, .error = 0}, -EIO},
      {{.command = VFIO_USER_VERSION, .is_error = true, .error = 70000}, -EIO},
      {{.command = VFIO_USER_VERSION, .is_error = true, .error = UINT32_MAX}, -EIO},
      {{.major = 1}, -EPROTO},
      {{.json = "{1"}, -EPROTO},
      {{.json = "{\"capabilities\":{\"max_msg_fds\":-3}}"}, -EPROTO},
      {{.command = VFIO_USER_DEVICE_GET_INFO, .more_bytes = -4}, -EPROTO},
      {{.command = VFIO_USER_DEVICE_GET_INFO, .more_bytes = 4}, -EPROTO},
      {{.command = VFIO_USER_DEVICE_GET_INFO, .is_error = true, .error = EINVAL}, -EINVAL},
      {{.flags = VFIO_DEVICE_FLAGS_RESET}, -ENODEV}, /* no PCI device */
      {{.regions = 7}, -ENODEV},
      {{.command = VFIO_USER_DEVICE_RESET, .id = -1}, -EPROTO},
      {{.command = VFIO_USER_DEVICE_GET_REGION_INFO, .more_bytes = -1}, -EPROTO},
      {{.command = VFIO_USER_DEVICE_GET_REGION_INFO, .more_bytes = 4096}, -EPROTO},
      {{.command = VFIO_USER_DEVICE_GET_IRQ_INFO, .id = 5}, -EPROTO},
      {{.command = VFIO_USER_REGION_READ, .more_bytes = -1}, -EPROTO},
      {{.command = VFIO_USER_REGION_READ, .is_error = true, .error = ENXIO}, -ENXIO},
      {{.command = VFIO_USER_REGION_WRITE, .more_bytes = 4}, -EPROTO},
  };
  unsigned before = open_fds();
  (void)state;
  for (unsigned i = 0; i < sizeof lies / sizeof lies[0]; i++) {
    struct server server = {.memory = -1, .lie = lies[i].lie};
    struct pci *pci;
    int code = open_at(&server, SHORT_NS, &pci);
    if (code != lies[i].code)
      fail_msg("lie %u: %d", i, code);
    close_at(&server, pci);
    assert_int_equal(open_fds(), before);
  }
}

static void a_reset_that_fails_is_lived_with(void **state)
{
  struct server server = {
      .memory = -1, .lie = {.command = VFIO_USER_DEVICE_RESET, .is_error = true, .error = ENOTSUP}};
  struct pci *pci;
  (void)state;
  assert_int_equal(open_at(&server, PATIENCE_NS, &pci), 0);
  assert_true(use(pci));
  close_at(&server, pci);
}

static void descriptors_that_nobody_wants_are_closed(void **state)
{
  static const unsigned commands[] = {VFIO_USER_VERSION, VFIO_USER_DEVICE_GET_INFO,
                                      VFIO_USER_DEVICE_GET_REGION_INFO, VFIO_USER_REGION_READ,
                                      VFIO_USER_DMA_MAP};
  unsigned before = open_fds();
  (void)state;
  for (unsigned i = 0; i < sizeof commands / sizeof commands[0]; i++)
    for (unsigned fds = 1; fds <= 31; fds += 15) {
      struct server server = {.memory = -1, .lie = {.command = commands[i], .fds = fds}};
      struct pci *pci;
      assert_int_equal(open_at(&server, PATIENCE_NS, &pci), 0);
      assert_true(use(pci));
      assert_null(pci_direct(pci, 0x1000));
      close_at(&server, pci);
      assert_int_equal(open_fds(), before);
    }
}

static void impossible_interrupts_are_not_had(void **state)
{
  static const struct {
    struct lie lie;
    unsigned vectors, asked;
    int code;
  } cases[] = {
      {{.vectors = UINT32_MAX}, 2048, 2049, -EINVAL},
      {{.irq_flags = VFIO_IRQ_INFO_MASKABLE}, 0, 1, -EINVAL},
      {{.command = VFIO_USER_DEVICE_GET_IRQ_INFO, .is_error = true, .error = EINVAL},
       0,
       1,
       -EINVAL},
      {{.json = "{\"capabilities\":{\"max_msg_fds\":0}}"}, VECTORS, 1, -ENOTSUP},
      {{.json = "{\"capabilities\":{\"max_msg_fds\":1000000}}"}, VECTORS, VECTORS, 0},
      {{.command = VFIO_USER_DEVICE_SET_IRQS, .is_error = true, .error = ENOSPC},
       VECTORS,
       VECTORS,
       -ENOSPC},
  };
  (void)state;
  for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct server server = {.memory = -1, .lie = cases[i].lie};
    struct pci *pci;
    static int fds[4096];
    assert_int_equal(open_at(&server, PATIENCE_NS, &pci), 0);
    assert_int_equal(pci->vectors, cases[i].vectors);
    assert_int_equal(pci->ops->interrupts(pci, cases[i].asked, fds, NULL), cases[i].code);
    assert_int_equal(pci_read32(pci, 0x10), 0x5A5A5A5A);
    close_at(&server, pci);
  }
}

/* Another length than was asked for, and an errno: the register reads as if nobody were there, and
 * the one after it is read right. */
static void a_refused_access_reads_all_ones(void **state)
{
  struct server server = {.memory = -1};
  struct pci *pci;
  (void)state;
  assert_int_equal(open_at(&server, PATIENCE_NS, &pci), 0);
  server.lie = (struct lie){.command = VFIO_USER_REGION_READ, .is_error = true, .error = EINVAL};
  assert_int_equal(pci_read32(pci, 0x10), UINT32_MAX);
  server.lie = (struct lie){.command = VFIO_USER_REGION_READ, .more_bytes = -4};
  assert_int_equal(pci_read32(pci, 0x10), UINT32_MAX);
  server.lie = (struct lie){0};
  assert_int_equal(pci_read32(pci, 0x10), 0x5A5A5A5A);
  close_at(&server, pci);
}

/* ---- What it offers for mapping ---- */

#define CAPS (VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS)

/* BAR 0 with one area in a file of its size, which is what a good server offers. */
static struct region_reply good_bar(void)
{
  return (struct region_reply){.info = {sizeof(struct region_reply), 3 | CAPS, 0,
                                        offsetof(struct region_reply, sparse), BAR_BYTES, 0},
                               .sparse = {VFIO_REGION_INFO_CAP_SPARSE_MMAP, 1, 0, 1, 0},
                               .areas = {{0x1000, 0x1000}}};
}

/* How many pages of BAR 0 can be reached directly; each of them is touched. Else the client knows
 * how to do without. */
static unsigned direct_pages(const struct region_reply *bar, uint32_t bytes, int file)
{
  struct server server = {.memory = file, .lie = {.bar = bar, .bar_bytes = bytes}};
  struct pci *pci;
  unsigned pages = 0;
  assert_int_equal(open_at(&server, PATIENCE_NS, &pci), 0);
  for (uint64_t offset = 0; offset < 2 * BAR_BYTES; offset += 0x1000) {
    volatile uint32_t *direct = pci_direct(pci, offset);
    if (direct == NULL)
      continue;
    *direct = 1;
    pages++;
    assert_non_null(pci_direct(pci, offset + 0xFFC));
  }
  assert_string_equal(pci->path,
                      pages ? "vfio-user, shared pages" : "vfio-user, all accesses trapped");
  assert_true(use(pci));
  close_at(&server, pci);
  return pages;
}

static int make_file(uint64_t bytes)
{
  int fd = memfd_create("bar", MFD_CLOEXEC);
  assert_true(fd >= 0);
  assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
  return fd;
}

static void areas_that_cant_be_are_left_out(void **state)
{
  static const struct {
    struct vfio_user_area areas[3];
    unsigned pages;
  } cases[] = {
      {{{0x1000, 0x1000}}, 1},
      {{{0x1000, 0x3000}}, 3},
      {{{0x1000, 0x2000}, {0x2000, 0x2000}}, 3}, /* overlapping: of one file, so no harm */
      {{{0x1000, 0x1000}, {0x1000, 0x1000}}, 1},
      {{{0x1000, 0}}, 0},
      {{{0x1000, 0x4000}}, 0},
      {{{0x1000, UINT64_MAX - 0xFFF}}, 0},
      {{{UINT64_MAX - 0xFFF, 0x1000}}, 0},
      {{{UINT64_MAX - 0xFFF, 0x2000}}, 0},
      {{{BAR_BYTES, 0x1000}}, 0},
      {{{0x1004, 0x1000}}, 0},
      {{{0x1000, 0x1004}}, 0},
      {{{0x800, 0x800}}, 0},
      {{{0x1001, 0x1000}, {0x2000, 0x1000}, {0, UINT64_MAX}}, 1},
  };
  int file = make_file(BAR_BYTES);
  unsigned before = open_fds();
  (void)state;
  for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct region_reply bar = good_bar();
    bar.sparse.areas = 3;
    memcpy(bar.areas, cases[i].areas, sizeof cases[i].areas);
    unsigned pages = direct_pages(&bar, sizeof bar, file);
    if (pages != cases[i].pages)
      fail_msg("areas %u: %u pages", i, pages);
    assert_int_equal(open_fds(), before);
  }
  close(file);
}

static void capabilities_that_lead_nowhere_are_not_followed(void **state)
{
  int file = make_file(BAR_BYTES);
  struct region_reply bar = good_bar();
  const uint32_t at = bar.info.cap_offset, one = at + sizeof bar.sparse + sizeof bar.areas[0];
  (void)state;
  /* More areas than there are, than can be, and than we keep. */
  bar.sparse.areas = UINT32_MAX;
  assert_int_equal(direct_pages(&bar, one, file), 1);
  assert_int_equal(direct_pages(&bar, one - 1, file), 0);
  assert_int_equal(direct_pages(&bar, sizeof bar, file), 1);
  for (unsigned i = 0; i < 20; i++)
    bar.areas[i] = (struct vfio_user_area){0x1000, 0x1000};
  bar.areas[16] = (struct vfio_user_area){0x2000, 0x1000}; /* one too many */
  assert_int_equal(direct_pages(&bar, sizeof bar, file), 1);
  /* Another capability, which leads back to itself; to the fixed part; out of the reply. */
  const uint32_t leads[] = {at, 8, sizeof bar - 8, 4096, UINT32_MAX};
  for (unsigned i = 0; i < sizeof leads / sizeof leads[0]; i++) {
    bar = good_bar();
    bar.sparse.id = 77;
    bar.sparse.next = leads[i];
    assert_int_equal(direct_pages(&bar, sizeof bar, file), 4); /* none is found: the whole BAR */
    bar = good_bar();
    bar.info.cap_offset = leads[i];
    assert_int_equal(direct_pages(&bar, sizeof bar, file), leads[i] == at ? 1 : 4);
  }
  /* A reply that ends before its capability. */
  bar = good_bar();
  assert_int_equal(direct_pages(&bar, sizeof bar.info, file), 4);
  close(file);
}

static void files_are_not_believed_to_be_long_enough(void **state)
{
  static const struct {
    uint64_t file_bytes, offset;
    unsigned pages;
  } cases[] = {
      {BAR_BYTES, 0, 1},
      {0x2000, 0, 1},
      {0x1FFF, 0, 0},
      {0, 0, 0},
      {BAR_BYTES, 0x2000, 1},
      {BAR_BYTES, 0x3000, 0},
      {BAR_BYTES, 0x800, 0},
      {BAR_BYTES, INT64_MAX - 0xFFE, 0},
      {BAR_BYTES, 1ull << 63, 0},
      {BAR_BYTES, UINT64_MAX - 0xFFF, 0},
  };
  (void)state;
  for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct region_reply bar = good_bar();
    int file = make_file(cases[i].file_bytes);
    bar.info.offset = cases[i].offset;
    unsigned pages = direct_pages(&bar, sizeof bar, file);
    if (pages != cases[i].pages)
      fail_msg("file %u: %u pages", i, pages);
    close(file);
  }
}

static void what_is_no_memory_is_not_mapped(void **state)
{
  struct region_reply bar = good_bar();
  int ends[2], file = make_file(BAR_BYTES);
  char path[64];
  (void)state;
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  const int kinds[] = {ends[0],
                       ends[1],
                       eventfd(0, EFD_CLOEXEC),
                       socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                       open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                       open("/dev/null", O_RDWR | O_CLOEXEC),
                       open(path, O_RDONLY | O_CLOEXEC)}; /* memory, but not to be written */
  for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    assert_true(kinds[i] >= 0);
    assert_int_equal(direct_pages(&bar, sizeof bar, kinds[i]), 0);
    close(kinds[i]);
  }
  close(file);
}

/* A BAR of all addresses, and of none. */
static void a_bar_may_have_any_length(void **state)
{
  struct region_reply bar = good_bar();
  struct server server = {.memory = make_file(BAR_BYTES),
                          .lie = {.bar = &bar, .bar_bytes = sizeof bar}};
  struct pci *pci;
  (void)state;
  bar.info.bytes = UINT64_MAX;
  assert_int_equal(open_at(&server, PATIENCE_NS, &pci), 0);
  assert_null(pci_direct(pci, 0x1000)); /* no file could go so far */
  assert_int_equal(pci_read32(pci, UINT64_MAX - 7), 0x5A5A5A5A);
  close_at(&server, pci);
  bar.info.bytes = 3;
  assert_int_equal(open_at(&server, PATIENCE_NS, &pci), 0);
  assert_int_equal(pci_read32(pci, 0), UINT32_MAX);
  close_at(&server, pci);
  bar.info.bytes = 0;
  assert_int_equal(open_at(&server, PATIENCE_NS, &pci), -ENODEV);
  close_at(&server, pci);
  close(server.memory);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_good_server_is_got_on_with),
      cmocka_unit_test(a_server_may_hang_up_at_every_byte),
      cmocka_unit_test(a_server_that_falls_silent_is_waited_for_once),
      cmocka_unit_test(replies_to_something_else_are_seen_through),
      cmocka_unit_test(a_reset_that_fails_is_lived_with),
      cmocka_unit_test(descriptors_that_nobody_wants_are_closed),
      cmocka_unit_test(impossible_interrupts_are_not_had),
      cmocka_unit_test(a_refused_access_reads_all_ones),
      cmocka_unit_test(areas_that_cant_be_are_left_out),
      cmocka_unit_test(capabilities_that_lead_nowhere_are_not_followed),
      cmocka_unit_test(files_are_not_believed_to_be_long_enough),
      cmocka_unit_test(what_is_no_memory_is_not_mapped),
      cmocka_unit_test(a_bar_may_have_any_length),
  };
  return cmocka_run_group_tests(tests, make_memory, drop_memory);
}
