/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's memory behind the server: what the model can reach, and what it never touches. */
#include "vfio_user_rig.h"

#include <fcntl.h>

#define READ  VFIO_USER_DMA_READABLE
#define WRITE (VFIO_USER_DMA_READABLE | VFIO_USER_DMA_WRITEABLE)
#define PAGE  0x1000u

static struct rig rig;
static uint8_t *memory; /* the client's view of fd */
static int fd;

#define MEMORY_BYTES (64 * PAGE)

static int set_up(void **state)
{
  (void)state;
  rig_open(&rig, NULL);
  fd = rig_memory(MEMORY_BYTES, MFD_ALLOW_SEALING);
  memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return memory == MAP_FAILED ? -1 : 0;
}

static int tear_down(void **state)
{
  (void)state;
  munmap(memory, MEMORY_BYTES);
  close(fd);
  rig_end(&rig);
  return 0;
}

static unsigned ranges(void)
{
  return rig.model->model.range_count;
}

static void memory_is_reached_both_ways(void **state)
{
  (void)state;
  memory[3 * PAGE + 5] = 0x42;
  assert_int_equal(rig_dma_map(&rig, 0x100000000, 4 * PAGE, fd, 2 * PAGE, WRITE), 0);
  assert_int_equal(rig_peek(&rig, 0x100000000 + PAGE + 5), 0x42);
  rig_poke(&rig, 0x100000000 + 4 * PAGE - 1, 0x99);
  assert_int_equal(memory[6 * PAGE - 1], 0x99);
  assert_int_equal(rig_peek(&rig, 0x100000000 + 4 * PAGE), UINT32_MAX);
  assert_int_equal(rig_peek(&rig, 0xFFFFFFFF), UINT32_MAX);
  assert_int_equal(rig_count(&rig, "dma_maps"), 1);
}

static void read_only_memory_is_not_written(void **state)
{
  (void)state;
  assert_int_equal(rig_dma_map(&rig, PAGE, PAGE, fd, 0, READ), 0);
  memory[9] = 0x31;
  assert_int_equal(rig_peek(&rig, PAGE + 9), 0x31);
  rig_poke(&rig, PAGE + 9, 0x32);
  assert_int_equal(memory[9], 0x31);
  assert_int_equal(rig.model->model.dma_faults, 1);
}

static void memory_without_a_file_is_known_but_out_of_reach(void **state)
{
  (void)state;
  assert_int_equal(rig_dma_map(&rig, PAGE, PAGE, -1, 0, WRITE), 0);
  assert_int_equal(rig_peek(&rig, PAGE), UINT32_MAX);
  assert_int_equal(rig_dma_map(&rig, PAGE, PAGE, fd, 0, WRITE), EEXIST);
  assert_int_equal(rig_dma_unmap(&rig, PAGE, PAGE), 0);
  assert_int_equal(rig_dma_map(&rig, PAGE, PAGE, fd, 0, WRITE), 0);
  assert_int_equal(rig_peek(&rig, PAGE), 0);
}

static void unmapped_memory_is_out_of_reach_at_once(void **state)
{
  (void)state;
  assert_int_equal(rig_dma_map(&rig, PAGE, 8 * PAGE, fd, 0, WRITE), 0);
  assert_int_equal(rig_peek(&rig, 3 * PAGE), 0);
  assert_int_equal(rig_dma_unmap(&rig, PAGE, 8 * PAGE), 0);
  assert_int_equal(rig_peek(&rig, 3 * PAGE), UINT32_MAX);
  assert_int_equal(ranges(), 0);
  /* What is not there is taken away all the same. */
  assert_int_equal(rig_dma_unmap(&rig, PAGE, 8 * PAGE), 0);
  assert_int_equal(rig_dma_unmap(&rig, 0, 0), 0);
  assert_int_equal(rig_dma_unmap(&rig, UINT64_MAX - 1, UINT64_MAX), 0);
}

static void parts_are_taken_out_of_the_middle(void **state)
{
  (void)state;
  for (unsigned i = 0; i < MEMORY_BYTES; i += PAGE)
    memory[i] = (uint8_t)(i / PAGE + 1);
  assert_int_equal(rig_dma_map(&rig, 16 * PAGE, 16 * PAGE, fd, 0, WRITE), 0);
  assert_int_equal(rig_dma_unmap(&rig, 20 * PAGE, 2 * PAGE), 0);
  assert_int_equal(ranges(), 2);
  assert_int_equal(rig_peek(&rig, 19 * PAGE), 4);
  assert_int_equal(rig_peek(&rig, 20 * PAGE), UINT32_MAX);
  assert_int_equal(rig_peek(&rig, 21 * PAGE), UINT32_MAX);
  assert_int_equal(rig_peek(&rig, 22 * PAGE), 7);
  /* A range across both, and more. */
  assert_int_equal(rig_dma_unmap(&rig, 18 * PAGE, 6 * PAGE), 0);
  assert_int_equal(rig_peek(&rig, 17 * PAGE), 2);
  assert_int_equal(rig_peek(&rig, 18 * PAGE), UINT32_MAX);
  assert_int_equal(rig_peek(&rig, 23 * PAGE), UINT32_MAX);
  assert_int_equal(rig_peek(&rig, 24 * PAGE), 9);
  assert_int_equal(rig_dma_map(&rig, 18 * PAGE, 6 * PAGE, fd, 2 * PAGE, WRITE), 0);
  assert_int_equal(ranges(), 1);
  assert_int_equal(rig_peek(&rig, 20 * PAGE), 5);
}

/* A vIOMMU registers page by page, in any order: of one piece for the model. */
static void neighbours_become_one(void **state)
{
  static const unsigned order[] = {3, 1, 0, 2, 7, 5, 6, 4};
  (void)state;
  for (unsigned i = 0; i < 8; i++)
    assert_int_equal(rig_dma_map(&rig, (0x100 + order[i]) * PAGE, PAGE, fd, order[i] * PAGE, WRITE),
                     0);
  assert_int_equal(ranges(), 1);
  /* Not those that only look so: another place in the file, other rights, no file. */
  assert_int_equal(rig_dma_map(&rig, 0x108 * PAGE, PAGE, fd, 9 * PAGE, WRITE), 0);
  assert_int_equal(rig_dma_map(&rig, 0x109 * PAGE, PAGE, fd, 10 * PAGE, READ), 0);
  assert_int_equal(rig_dma_map(&rig, 0x10A * PAGE, PAGE, -1, 0, READ), 0);
  assert_int_equal(ranges(), 3);
  memory[9 * PAGE] = 0x77;
  assert_int_equal(rig_peek(&rig, 0x108 * PAGE), 0x77);
  for (unsigned i = 0; i < 11; i++)
    assert_int_equal(rig_dma_unmap(&rig, (0x100 + i) * PAGE, PAGE), 0);
  assert_int_equal(ranges(), 0);
}

static void impossible_ranges_are_refused(void **state)
{
  static const struct {
    uint64_t iova, bytes, offset;
    uint32_t flags;
    int code;
  } bad[] = {
      {PAGE, 0, 0, WRITE, EINVAL},
      {UINT64_MAX - PAGE + 2, PAGE, 0, WRITE, EINVAL},
      {PAGE, UINT64_MAX, 0, WRITE, EINVAL},
      {0x100 * PAGE, MEMORY_BYTES + PAGE, 0, WRITE, EINVAL},
      {PAGE, PAGE, MEMORY_BYTES, WRITE, EINVAL},
      {PAGE, PAGE, MEMORY_BYTES - PAGE + 1, WRITE, EINVAL},
      {PAGE, PAGE, UINT64_MAX - PAGE + 1, WRITE, EINVAL},
      {PAGE, PAGE, 0, 4, EINVAL},
      {0x20 * PAGE, PAGE, 0, WRITE, EEXIST},
      {0x1F * PAGE, 2 * PAGE, 0, WRITE, EEXIST},
      {0x23 * PAGE, 2 * PAGE, 0, WRITE, EEXIST},
      {0x10 * PAGE, 0x30 * PAGE, 0, WRITE, EEXIST},
      {0x21 * PAGE, PAGE, 0, WRITE, EEXIST},
  };
  (void)state;
  assert_int_equal(rig_dma_map(&rig, 0x20 * PAGE, 4 * PAGE, fd, 0, WRITE), 0);
  for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_int_equal(rig_dma_map(&rig, bad[i].iova, bad[i].bytes, fd, bad[i].offset, bad[i].flags),
                     bad[i].code);
  assert_int_equal(rig_count(&rig, "dma_refused"), 12);
  assert_int_equal(rig_count(&rig, "bad_payload"), 1);
  assert_int_equal(ranges(), 1);
  /* The last page of all addresses is one like any other. */
  assert_int_equal(rig_dma_map(&rig, UINT64_MAX - PAGE + 1, PAGE, fd, 0, WRITE), 0);
  assert_int_equal(rig_peek(&rig, UINT64_MAX), 0);
  assert_int_equal(rig_dma_unmap(&rig, UINT64_MAX - PAGE + 1, PAGE), 0);
}

static void files_of_the_wrong_kind_are_refused(void **state)
{
  int ends[2], event = eventfd(0, 0), file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
               zero = open("/dev/zero", O_RDWR | O_CLOEXEC), unsealable = rig_memory(PAGE, 0),
               empty = rig_memory(0, MFD_ALLOW_SEALING),
               readable = open("/dev/null", O_RDONLY | O_CLOEXEC);
  (void)state;
  assert_int_equal(pipe(ends), 0);
  const struct {
    int fd, code;
  } bad[] = {{ends[0], EBADF}, {event, EBADF}, {rig.fd, EBADF},    {zero, EBADF},
             {empty, EBADF},   {file, EPERM},  {unsealable, EPERM}};
  for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_int_equal(rig_dma_map(&rig, PAGE, 1, bad[i].fd, 0, READ), bad[i].code);
  assert_int_equal(rig_count(&rig, "bad_fd"), 7);
  assert_int_equal(ranges(), 0);
  const int all[] = {ends[0], ends[1], event, file, zero, unsealable, empty, readable};
  for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++)
    close(all[i]);
}

/* Else the model's next access would be this process's last. */
static void a_file_cant_be_cut_under_the_model(void **state)
{
  (void)state;
  assert_int_equal(rig_dma_map(&rig, PAGE, 4 * PAGE, fd, 0, WRITE), 0);
  assert_int_equal(ftruncate(fd, PAGE), -1);
  assert_int_equal(errno, EPERM);
  memory[3 * PAGE] = 0x66;
  assert_int_equal(rig_peek(&rig, 4 * PAGE), 0x66);
}

static void who_trusts_its_clients_takes_any_file(void **state)
{
  struct rig trusting;
  const struct shunt_vfio_user_options options = {.size = sizeof options, .allow_shrink = 1};
  int unsealable = rig_memory(PAGE, 0);
  (void)state;
  rig_open(&trusting, &options);
  assert_int_equal(rig_dma_map(&trusting, PAGE, PAGE, unsealable, 0, WRITE), 0);
  rig_poke(&trusting, PAGE + 1, 0x12);
  uint8_t byte = 0;
  assert_int_equal(pread(unsealable, &byte, 1, 1), 1);
  assert_int_equal(byte, 0x12);
  rig_end(&trusting);
  close(unsealable);
}

/* A descriptor that can't be written through gives memory that can't be written. */
static void a_read_only_descriptor_gives_no_more_than_it_can(void **state)
{
  char path[64];
  (void)state;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int readable = open(path, O_RDONLY | O_CLOEXEC);
  assert_true(readable >= 0);
  assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
  assert_int_equal(rig_dma_map(&rig, PAGE, PAGE, readable, 0, WRITE), EACCES);
  assert_int_equal(rig_dma_map(&rig, PAGE, PAGE, readable, 0, READ), 0);
  close(readable);
}

static void everything_can_be_taken_away_at_once(void **state)
{
  static struct rig_reply reply;
  struct vfio_user_dma_unmap unmap = {sizeof unmap, VFIO_DMA_UNMAP_FLAG_ALL, 0, 0};
  (void)state;
  for (unsigned i = 0; i < 10; i++)
    assert_int_equal(rig_dma_map(&rig, 2 * i * PAGE, PAGE, fd, 0, WRITE), 0);
  assert_int_equal(rig_ask(&rig, VFIO_USER_DMA_UNMAP, &unmap, sizeof unmap, &reply), 0);
  assert_int_equal(ranges(), 0);
  unmap.flags = 1;
  assert_int_equal(rig_ask(&rig, VFIO_USER_DMA_UNMAP, &unmap, sizeof unmap, &reply), EINVAL);
}

static unsigned long mapped_kib(void)
{
  unsigned long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  assert_non_null(file);
  assert_int_equal(fscanf(file, "%lu", &pages), 1);
  fclose(file);
  return pages * 4;
}

static void ten_thousand_cycles_leave_nothing(void **state)
{
  (void)state;
  assert_int_equal(rig_dma_map(&rig, PAGE, PAGE, fd, 0, WRITE), 0);
  assert_int_equal(rig_dma_unmap(&rig, PAGE, PAGE), 0);
  unsigned long before = mapped_kib();
  for (unsigned i = 0; i < 10000; i++) {
    uint64_t iova = (uint64_t)(i % 50 + 1) * 2 * PAGE;
    assert_int_equal(rig_dma_map(&rig, iova, PAGE, fd, i % 60 * PAGE, i & 1 ? WRITE : READ), 0);
    assert_int_equal(rig_dma_unmap(&rig, iova, PAGE), 0);
  }
  assert_int_equal(ranges(), 0);
  assert_true(mapped_kib() < before + 1024);
  assert_int_equal(rig_count(&rig, "dma_maps"), 10001);
}

static void many_files_and_ranges_end_in_a_refusal(void **state)
{
  int fds[65];
  unsigned taken = 0;
  int code = 0;
  (void)state;
  for (unsigned i = 0; i < 65; i++) {
    fds[i] = rig_memory(PAGE, MFD_ALLOW_SEALING);
    assert_int_equal(rig_dma_map(&rig, 2 * i * PAGE, PAGE, fds[i], 0, WRITE), i < 64 ? 0 : ENOSPC);
    close(fds[i]);
  }
  assert_int_equal(rig_dma_unmap(&rig, 0, 1000 * PAGE), 0);
  /* Each a range of its own: one byte in two. */
  while (code == 0 && taken <= SHUNT_MODEL_DMA_RANGES) {
    code = rig_dma_map(&rig, 2 * taken, 1, fd, taken % MEMORY_BYTES, WRITE);
    taken += code == 0;
  }
  assert_int_equal(code, ENOSPC);
  assert_int_equal(taken, SHUNT_MODEL_DMA_RANGES);
  rig_poke(&rig, 2 * (taken - 1), 0x21);
  assert_int_equal(memory[taken - 1], 0x21);
  assert_int_equal(rig_dma_unmap(&rig, 0, 2 * taken), 0);
  assert_int_equal(ranges(), 0);
}

/* Pages that the file promises and the machine does not have: refused, not found out by a SIGBUS.
 */
static void huge_pages_that_there_are_not_are_refused(void **state)
{
  unsigned long long have = 0;
  char text[32];
  FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "r");
  int huge = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
  (void)state;
  if (file != NULL && fgets(text, sizeof text, file) != NULL)
    have = strtoull(text, NULL, 10);
  if (file != NULL)
    fclose(file);
  if (huge < 0)
    skip(); /* a kernel without them */
  const uint64_t bytes = (have + 1) << 21;
  assert_int_equal(ftruncate(huge, (off_t)bytes), 0);
  assert_int_equal(rig_dma_map(&rig, 0, bytes, huge, 0, WRITE), ENOMEM);
  rig_poke(&rig, bytes - 1, 0x55);
  assert_int_equal(rig_count(&rig, "dma_refused"), 1);
  close(huge);
}

static void a_huge_file_is_no_burden(void **state)
{
  int huge = rig_memory(UINT64_C(1) << 40, MFD_ALLOW_SEALING),
      too_huge = rig_memory(UINT64_C(1) << 43, MFD_ALLOW_SEALING);
  (void)state;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  (void)huge; /* their shadow memory leaves no room for it */
#else
  assert_int_equal(rig_dma_map(&rig, 0, UINT64_C(1) << 40, huge, 0, WRITE), 0);
  rig_poke(&rig, (UINT64_C(1) << 40) - 1, 0x55);
  assert_int_equal(rig_peek(&rig, (UINT64_C(1) << 40) - 1), 0x55);
#endif
  assert_int_equal(rig_dma_map(&rig, UINT64_C(1) << 50, PAGE, too_huge, 0, WRITE), EFBIG);
  close(huge);
  close(too_huge);
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      RIG_TEST(memory_is_reached_both_ways),
      RIG_TEST(read_only_memory_is_not_written),
      RIG_TEST(memory_without_a_file_is_known_but_out_of_reach),
      RIG_TEST(unmapped_memory_is_out_of_reach_at_once),
      RIG_TEST(parts_are_taken_out_of_the_middle),
      RIG_TEST(neighbours_become_one),
      RIG_TEST(impossible_ranges_are_refused),
      RIG_TEST(files_of_the_wrong_kind_are_refused),
      RIG_TEST(a_file_cant_be_cut_under_the_model),
      RIG_TEST(who_trusts_its_clients_takes_any_file),
      RIG_TEST(a_read_only_descriptor_gives_no_more_than_it_can),
      RIG_TEST(everything_can_be_taken_away_at_once),
      RIG_TEST(ten_thousand_cycles_leave_nothing),
      RIG_TEST(many_files_and_ranges_end_in_a_refusal),
      RIG_TEST(a_huge_file_is_no_burden),
      RIG_TEST(huge_pages_that_there_are_not_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
