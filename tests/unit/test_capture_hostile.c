/* SPDX-License-Identifier: BSD-2-Clause */
/* A capture's two processes don't trust each other: a port moves its frames whatever its reader
 * writes into the shared memory, and a reader refuses whatever the port's process has left there.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "src/port/capture.h"
#include "unit/capture_rig.h"

/* ---- A hostile reader ---- */

static uint8_t *map_port(const struct rig *rig)
{
  char path[64];
  struct stat status;
  snprintf(path, sizeof(path), "/proc/%u/fd/%u", rig->found.pid, rig->found.fd);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  assert_true(fd >= 0 && !fstat(fd, &status));
  assert_int_equal(ftruncate(fd, 0), -1); /* sealed: the port can't be made to fault */
  assert_int_equal(ftruncate(fd, status.st_size * 2), -1);
  uint8_t *memory = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  assert_true(memory != MAP_FAILED);
  close(fd);
  return memory;
}

static uint64_t next_random(uint64_t *state)
{
  *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
  return *state >> 16;
}

/* Values that bounds are got wrong with. */
static uint64_t nasty(uint64_t *state, uint64_t head)
{
  const uint64_t values[] = {0,
                             1,
                             head,
                             head + 1,
                             head - 1,
                             head - TAP_RING_BYTES,
                             head - TAP_RING_BYTES - 1,
                             head + TAP_RING_BYTES,
                             UINT64_MAX,
                             UINT32_MAX,
                             next_random(state)};
  return values[next_random(state) % (sizeof(values) / sizeof(values[0]))];
}

static void whatever_a_reader_writes_frames_move(void **state)
{
  struct rig *rig = *state;
  uint64_t random = 1;
  rig_open(rig, "null:loop?capture=1&mtu=9000", NULL);
  rig_attach(rig, NULL);
  uint8_t *memory = map_port(rig);
  struct tap_shared_queue *shared = (struct tap_shared_queue *)(memory + TAP_PAGE_BYTES);
  for (unsigned i = 0; i < 20000; i++) {
    uint64_t head = shared->head;
    switch (next_random(&random) % 8) {
    case 0:
      shared->session = (uint32_t)nasty(&random, head);
      break;
    case 1:
      shared->snaplen = (uint32_t)nasty(&random, head);
      break;
    case 2:
      shared->directions = (uint32_t)nasty(&random, head);
      break;
    case 3:
      memset(memory, (int)next_random(&random), sizeof(struct tap_header));
      break;
    case 4:
      shared->head = nasty(&random, head);
      break;
    case 5:
      memset(memory + 2 * TAP_PAGE_BYTES + next_random(&random) % TAP_RING_BYTES, 0xFF, 1);
      break;
    default:
      shared->tail = nasty(&random, head);
    }
    /* Moved as without all that: what is received is what was sent. */
    uint8_t first = (uint8_t)i;
    struct shunt_frame frames[RING];
    uint32_t bytes = 60 + (uint32_t)(next_random(&random) % 5000);
    assert_true(rig_post(rig, first, bytes, 2000, SHUNT_FRAME_VLAN, 5) > 0);
    rig_push(rig);
    unsigned n = shunt_rx_poll(rig->q, frames, RING);
    assert_int_equal(n, (bytes + 1999) / 2000);
    const uint8_t *data = shunt_frame_data(rig->q, &frames[0]);
    assert_int_equal(data[0], first);
    assert_int_equal(data[59], (uint8_t)(first + 59));
    for (unsigned k = 0; k < n; k++)
      shunt_pool_give(rig->pool, &frames[k].addr, 1);
    shunt_rx_fill(rig->q, rig->pool);
  }
  munmap(memory, tap_bytes(1, TAP_RING_BYTES));
}

/* ---- A hostile port ---- */

#define QUEUES     2u
#define RING_BYTES TAP_RING_BYTES_LEAST

struct forged {
  uint8_t *memory;
  uint64_t bytes;
  struct shunt_capture *capture;
  struct shunt_error error;
};

static struct tap_shared_queue *forged_queue(const struct forged *forged, unsigned index)
{
  return (struct tap_shared_queue *)(forged->memory + TAP_PAGE_BYTES) + index;
}

static struct tap_record *forged_record(const struct forged *forged, unsigned queue, uint64_t at)
{
  return (struct tap_record *)(forged->memory + tap_ring_offset(QUEUES, RING_BYTES, queue) +
                               at % RING_BYTES);
}

static int forge(void **state)
{
  static struct forged forged;
  memset(&forged, 0, sizeof(forged));
  *state = &forged;
  forged.bytes = tap_bytes(QUEUES, RING_BYTES);
  forged.memory = aligned_alloc(TAP_PAGE_BYTES, forged.bytes);
  if (!forged.memory)
    return -1;
  memset(forged.memory, 0, forged.bytes);
  struct tap_header *header = (struct tap_header *)forged.memory;
  header->magic = TAP_MAGIC;
  header->bytes = forged.bytes;
  header->ring_bytes = RING_BYTES;
  header->queues = QUEUES;
  memset(header->name, 'x', sizeof(header->name)); /* without an end */
  return 0;
}

static int unforge(void **state)
{
  struct forged *forged = *state;
  shunt_capture_detach(forged->capture);
  free(forged->memory);
  return 0;
}

static int begin(struct forged *forged)
{
  return capture_begin(forged->memory, forged->bytes, false, NULL, &forged->capture,
                       &forged->error);
}

static void a_forged_header_is_refused(void **state)
{
  struct forged *forged = *state;
  struct tap_header *header = (struct tap_header *)forged->memory;
  const struct tap_header sound = *header;
  static const uint32_t queues[] = {0, 1, 3, TAP_QUEUES_MOST + 1, UINT32_MAX};
  static const uint64_t rings[] = {
      0, 32, RING_BYTES / 2, RING_BYTES + 1, 2 * RING_BYTES, 2 * TAP_RING_BYTES_MOST, UINT64_MAX};
  for (unsigned i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
    header->queues = queues[i];
    assert_int_equal(begin(forged), -EBADMSG);
    assert_string_not_equal(forged->error.why, "");
  }
  *header = sound;
  for (unsigned i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
    header->ring_bytes = rings[i];
    assert_int_equal(begin(forged), -EBADMSG);
  }
  *header = sound;
  header->bytes++;
  assert_int_equal(begin(forged), -EBADMSG);
  *header = sound;
  header->magic++;
  assert_int_equal(begin(forged), -EBADMSG);
  *header = sound;
  forged->bytes--;
  assert_int_equal(begin(forged), -EBADMSG);
  forged->bytes++;
  assert_int_equal(begin(forged), 0);
}

/* Write a record at a queue's tail, as a sound port would. */
static struct tap_record *put_record(const struct forged *forged, unsigned queue, uint64_t time_ns)
{
  struct tap_shared_queue *shared = forged_queue(forged, queue);
  struct tap_record *record = forged_record(forged, queue, shared->head);
  *record = (struct tap_record){.bytes = 64 + 32,
                                .kind = TAP_RX,
                                .session = (uint16_t)shared->session,
                                .captured_bytes = 60,
                                .original_bytes = 60,
                                .time_ns = time_ns};
  shared->head += record->bytes;
  return record;
}

static void a_forged_record_is_refused(void **state)
{
  struct forged *forged = *state;
  struct shunt_capture_record record;
  /* bytes, kind, captured, original */
  static const uint32_t wrong[][4] = {
      {0, TAP_RX, 0, 0},
      {16, TAP_RX, 0, 0},
      {33, TAP_RX, 1, 1},
      {96 + 32, TAP_RX, 60, 60},
      {RING_BYTES, TAP_RX, 60, 60},
      {UINT32_MAX - 31, TAP_RX, 60, 60},
      {96, 0, 60, 60},
      {96, 4, 60, 60},
      {96, TAP_RX, 65, 65},
      {96, TAP_RX, 61, 60},
      {96, TAP_TX, UINT32_MAX, UINT32_MAX},
      {96 + 32, TAP_GAP, 0, 0},
      {0, TAP_GAP, 0, 0},
  };
  for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    assert_int_equal(begin(forged), 0);
    struct tap_record *forgery = put_record(forged, 1, 5);
    forgery->bytes = wrong[i][0];
    forgery->kind = (uint16_t)wrong[i][1];
    forgery->captured_bytes = wrong[i][2];
    forgery->original_bytes = wrong[i][3];
    assert_int_equal(shunt_capture_next(forged->capture, &record, &forged->error), -EBADMSG);
    assert_non_null(strstr(forged->error.what, "queue 1"));
    shunt_capture_detach(forged->capture);
    forged->capture = NULL;
  }
}

static void a_forged_head_is_refused(void **state)
{
  struct forged *forged = *state;
  struct shunt_capture_record record;
  static const uint64_t heads[] = {RING_BYTES + 32, 16, UINT64_MAX, UINT64_MAX - 31};
  for (unsigned i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
    assert_int_equal(begin(forged), 0);
    forged_queue(forged, 0)->head += heads[i];
    assert_int_equal(shunt_capture_next(forged->capture, &record, &forged->error), -EBADMSG);
    shunt_capture_detach(forged->capture);
    forged->capture = NULL;
  }
}

/* Sound records of two queues, past the ring's end: the earliest first, others' left out. */
static void sound_records_are_merged(void **state)
{
  struct forged *forged = *state;
  struct shunt_capture_record record;
  uint64_t time_ns = 0;
  assert_int_equal(begin(forged), 0);
  for (unsigned round = 0; round < 200; round++) {
    for (unsigned i = 0; i < 5; i++) {
      unsigned queue = (round + i) % 2;
      struct tap_shared_queue *shared = forged_queue(forged, queue);
      uint64_t to_end = RING_BYTES - shared->head % RING_BYTES;
      if (to_end < 96) {
        struct tap_record *gap = forged_record(forged, queue, shared->head);
        *gap = (struct tap_record){.bytes = (uint32_t)to_end, .kind = TAP_GAP};
        shared->head += to_end;
      }
      put_record(forged, queue, ++time_ns);
      if (i == 4)
        put_record(forged, queue, time_ns)->session ^= 1; /* meant for the one before */
    }
    for (unsigned i = 0; i < 5; i++) {
      assert_int_equal(shunt_capture_next(forged->capture, &record, &forged->error), 1);
      assert_int_equal(record.time_ns, time_ns - 4 + i);
      assert_int_equal(record.queue, (round + i) % 2);
    }
    assert_int_equal(shunt_capture_next(forged->capture, &record, &forged->error), 0);
  }
}

/* ---- Processes that are killed ---- */

static void wait_killed(pid_t child)
{
  int status;
  assert_int_equal(kill(child, SIGKILL), 0);
  assert_int_equal(waitpid(child, &status, 0), child);
}

/* A child runs what until it is killed; comes back when it has said that it is ready. */
static pid_t spawn(struct rig *rig, int (*what)(struct rig *rig))
{
  int ready[2];
  char byte = 0;
  assert_int_equal(pipe(ready), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* also where the test fails */
    byte = what(rig) == 0;
    if (write(ready[1], &byte, 1) == 1)
      for (;;)
        pause();
    _exit(1);
  }
  close(ready[1]);
  struct pollfd wait = {.fd = ready[0], .events = POLLIN};
  assert_int_equal(poll(&wait, 1, 20000), 1);
  assert_int_equal(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  assert_int_equal(byte, 1);
  return child;
}

static int attach_found(struct rig *rig)
{
  struct shunt_capture_port found;
  int count = shunt_capture_list((uint32_t)getppid(), &found, 1, &rig->error);
  return count == 1 ? shunt_capture_attach(&found, NULL, &rig->capture, &rig->error) : -1;
}

static void a_killed_reader_leaves_nothing(void **state)
{
  struct rig *rig = *state;
  rig_open(rig, "null:loop?capture=1", NULL);
  pid_t child = spawn(rig, attach_found);
  /* The child has the memory open, too, and its descriptors are no port of its. */
  assert_int_equal(shunt_capture_list((uint32_t)child, NULL, 0, &rig->error), 0);
  assert_int_equal(shunt_capture_list((uint32_t)getpid(), &rig->found, 1, &rig->error), 1);
  assert_int_equal(rig->found.reader, child);
  assert_int_equal(shunt_capture_attach(&rig->found, NULL, &rig->capture, &rig->error), -EBUSY);
  rig_exchange(rig, 1);
  wait_killed(child);

  const struct tap_shared_queue *shared;
  uint8_t *memory = map_port(rig);
  shared = (const struct tap_shared_queue *)(memory + TAP_PAGE_BYTES);
  assert_true(shared->session != 0);
  assert_int_equal(shunt_capture_list((uint32_t)getpid(), &rig->found, 1, &rig->error), 1);
  assert_int_equal(rig->found.reader, 0);
  assert_true(shared->session == 0);
  munmap(memory, tap_bytes(1, TAP_RING_BYTES));
  rig_attach(rig, NULL);
  rig_exchange(rig, 2);
  rig_expect(rig, SHUNT_CAPTURE_TX, 2, FRAME);
  rig_expect(rig, SHUNT_CAPTURE_RX, 2, FRAME);
  rig_expect_none(rig);
}

static int open_port(struct rig *rig)
{
  rig_open(rig, "null:loop?capture=1", NULL);
  return 0;
}

static void a_killed_port_says_so(void **state)
{
  struct rig *rig = *state;
  struct shunt_capture_record record;
  pid_t child = spawn(rig, open_port);
  assert_int_equal(shunt_capture_list((uint32_t)child, &rig->found, 1, &rig->error), 1);
  struct shunt_capture_port gone = rig->found;
  assert_int_equal(shunt_capture_attach(&rig->found, NULL, &rig->capture, &rig->error), 0);
  rig_expect_none(rig);
  wait_killed(child);
  assert_int_equal(shunt_capture_next(rig->capture, &record, &rig->error), -ENODEV);
  assert_non_null(strstr(rig->error.what, "has ended"));
  rig_detach(rig);
  assert_int_equal(shunt_capture_attach(&gone, NULL, &rig->capture, &rig->error), -ESRCH);
  assert_int_equal(shunt_capture_list((uint32_t)child, NULL, 0, &rig->error), -ESRCH);
  /* A descriptor that is something else. */
  gone.pid = (uint32_t)getpid();
  gone.fd = 0;
  assert_int_equal(shunt_capture_attach(&gone, NULL, &rig->capture, &rig->error), -ESRCH);
}

#define TEST(function)  cmocka_unit_test_setup_teardown(function, rig_set_up, rig_tear_down)
#define FORGE(function) cmocka_unit_test_setup_teardown(function, forge, unforge)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(whatever_a_reader_writes_frames_move),
      FORGE(a_forged_header_is_refused),
      FORGE(a_forged_record_is_refused),
      FORGE(a_forged_head_is_refused),
      FORGE(sound_records_are_merged),
      TEST(a_killed_reader_leaves_nothing),
      TEST(a_killed_port_says_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
