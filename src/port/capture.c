/* SPDX-License-Identifier: BSD-2-Clause */
/* The reader of tap_layout.h's rings. Nothing in the shared memory is trusted: each index and each
 * record is copied once, checked, and then used from the copy. */
#include "src/port/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/core/error_internal.h"

struct capture_queue {
  struct tap_shared_queue *shared;
  const uint8_t *ring;
  uint32_t index;
  uint32_t session; /* 0: stopped */
  uint32_t number;  /* the session's, also afterwards */
  uint64_t tail, head_seen;
  uint64_t dropped_before[2];
  bool has_record; /* record is the one at tail */
  struct tap_record record;
};

struct shunt_capture {
  struct tap_header *header;
  uint64_t mapped_bytes; /* 0: the caller's memory */
  uint64_t ring_bytes;
  int fd, pidfd; /* -1: none */
  struct shunt_capture_counts counts;
  char name[192];
  uint32_t pid;
  uint32_t count;
  struct capture_queue *queues;
  uint8_t data[SHUNT_CAPTURE_SNAPLEN_MOST];
};

static_assert(SHUNT_CAPTURE_RX == TAP_RX && SHUNT_CAPTURE_TX == TAP_TX, "the same bits");
static_assert(SHUNT_CAPTURE_SNAPLEN_MOST == TAP_SNAPLEN_MOST, "the same length");

/* ---- What the other process has written ---- */

int capture_check_header(const struct tap_header *header, uint64_t file_bytes,
                         struct shunt_error *error)
{
  const char *why = NULL;
  if (header->magic != TAP_MAGIC)
    why = "it does not begin as a port's does, or is of another version of shunt";
  else if (!header->queues || header->queues > TAP_QUEUES_MOST)
    why = "no port has so many queues";
  else if (header->ring_bytes < TAP_RING_BYTES_LEAST || header->ring_bytes > TAP_RING_BYTES_MOST ||
           (header->ring_bytes & (header->ring_bytes - 1)))
    why = "its rings' length is no power of two from 4 KiB to 1 GiB";
  else if (header->bytes != tap_bytes(header->queues, header->ring_bytes) ||
           header->bytes != file_bytes)
    why = "it is not as long as its queues and rings are";
  if (!why)
    return 0;
  shunt_error_set(error, -EBADMSG, "there is no port's memory to capture from");
  shunt_error_why(error, "%s", why);
  return -EBADMSG;
}

/* What is wrong with a record at tail, with so many bytes behind it, its own included; or NULL. */
static const char *record_fault(const struct shunt_capture *capture, uint64_t tail, uint64_t there,
                                const struct tap_record *record)
{
  uint64_t to_end = capture->ring_bytes - (tail & (capture->ring_bytes - 1));
  if (record->bytes < sizeof(*record) || record->bytes % TAP_RECORD_ALIGN)
    return "a record's length is no multiple of 32";
  if (record->bytes > to_end || record->bytes > there)
    return "a record runs past its end";
  if (record->kind == TAP_GAP)
    return NULL;
  if (record->kind != TAP_RX && record->kind != TAP_TX)
    return "a record is of no known kind";
  if (record->captured_bytes > SHUNT_CAPTURE_SNAPLEN_MOST ||
      record->captured_bytes > record->original_bytes ||
      record->captured_bytes > record->bytes - sizeof(*record))
    return "a record holds more than its frame or its place has";
  return NULL;
}

static int bad_ring(const struct shunt_capture *capture, const struct capture_queue *queue,
                    const char *why, struct shunt_error *error)
{
  shunt_error_set(error, -EBADMSG, "can't read the capture of queue %u of %s", queue->index,
                  capture->name);
  shunt_error_why(error, "%s, at byte %llu of the ring", why,
                  (unsigned long long)(queue->tail & (capture->ring_bytes - 1)));
  shunt_error_remedy(error, "process %u has overwritten it: look for a stray pointer there",
                     capture->pid);
  return -EBADMSG;
}

static void release(struct capture_queue *queue, uint32_t bytes)
{
  queue->tail += bytes;
  __atomic_store_n(&queue->shared->tail, queue->tail, __ATOMIC_RELEASE);
}

/* Copy the head of a queue's next record, over gaps and what others were to get. Returns 1, 0 or
 * -EBADMSG. */
static int look(const struct shunt_capture *capture, struct capture_queue *queue,
                struct shunt_error *error)
{
  while (!queue->has_record) {
    if (queue->head_seen == queue->tail)
      queue->head_seen = __atomic_load_n(&queue->shared->head, __ATOMIC_ACQUIRE);
    uint64_t there = queue->head_seen - queue->tail;
    if (!there)
      return 0;
    if (there > capture->ring_bytes || there % TAP_RECORD_ALIGN)
      return bad_ring(capture, queue, "the ring holds more than it is long", error);
    memcpy(&queue->record, queue->ring + (queue->tail & (capture->ring_bytes - 1)),
           sizeof(queue->record));
    const char *fault = record_fault(capture, queue->tail, there, &queue->record);
    if (fault)
      return bad_ring(capture, queue, fault, error);
    if (queue->record.kind == TAP_GAP || queue->record.session != (uint16_t)queue->number)
      release(queue, queue->record.bytes);
    else
      queue->has_record = true;
  }
  return 1;
}

static void take(struct shunt_capture *capture, struct capture_queue *queue,
                 struct shunt_capture_record *record)
{
  const struct tap_record *from = &queue->record;
  memcpy(capture->data,
         queue->ring + (queue->tail & (capture->ring_bytes - 1)) + sizeof(struct tap_record),
         from->captured_bytes);
  *record = (struct shunt_capture_record){.time_ns = from->time_ns,
                                          .nic_time_ns = from->nic_time_ns,
                                          .direction = from->kind,
                                          .queue = queue->index,
                                          .original_bytes = from->original_bytes,
                                          .captured_bytes = from->captured_bytes,
                                          .data = capture->data};
  struct shunt_capture_counts *counts = &capture->counts;
  bool received = from->kind == TAP_RX;
  *(received ? &counts->rx_frames : &counts->tx_frames) += 1;
  *(received ? &counts->rx_bytes : &counts->tx_bytes) += from->original_bytes;
  queue->has_record = false;
  release(queue, from->bytes);
}

/* ---- The next one ---- */

static int take_earliest(struct shunt_capture *capture, struct shunt_capture_record *record,
                         struct shunt_error *error)
{
  struct capture_queue *earliest = NULL;
  for (uint32_t i = 0; i < capture->count; i++) {
    struct capture_queue *queue = &capture->queues[i];
    int code = look(capture, queue, error);
    if (code < 0)
      return code;
    if (code && (!earliest || queue->record.time_ns < earliest->record.time_ns))
      earliest = queue;
  }
  if (!earliest)
    return 0;
  take(capture, earliest, record);
  return 1;
}

static bool process_has_ended(const struct shunt_capture *capture)
{
  struct pollfd wait = {.fd = capture->pidfd, .events = POLLIN};
  return capture->pidfd >= 0 && poll(&wait, 1, 0) > 0;
}

/* Whether more can come. Returns 0, -ENODEV or -ETIMEDOUT. */
static int look_for_end(const struct shunt_capture *capture, struct shunt_error *error)
{
  if (__atomic_load_n(&capture->header->closed, __ATOMIC_ACQUIRE))
    return shunt_error_set(error, -ENODEV, "%s was closed", capture->name);
  if (process_has_ended(capture))
    return shunt_error_set(error, -ENODEV, "process %u, which had %s open, has ended", capture->pid,
                           capture->name);
  for (uint32_t i = 0; i < capture->count; i++) {
    const struct capture_queue *queue = &capture->queues[i];
    if (!queue->session ||
        __atomic_load_n(&queue->shared->given_up, __ATOMIC_ACQUIRE) != queue->session)
      continue;
    shunt_error_set(error, -ETIMEDOUT, "%s has given up to record queue %u", capture->name,
                    queue->index);
    shunt_error_why(error, "the ring was full, and nothing was read for a minute");
    return -ETIMEDOUT;
  }
  return 0;
}

int shunt_capture_next(struct shunt_capture *capture, struct shunt_capture_record *record,
                       struct shunt_error *error)
{
  int code = take_earliest(capture, record, error);
  if (code)
    return code;
  struct shunt_error end = {.code = 0};
  int ended = look_for_end(capture, &end);
  if (!ended)
    return 0;
  /* What came between the two looks. */
  code = take_earliest(capture, record, error);
  if (code)
    return code;
  if (error)
    *error = end;
  return ended;
}

/* ---- Begin and end ---- */

static int check_options(const struct shunt_capture_options *given, uint32_t queues,
                         struct shunt_capture_options *options, struct shunt_error *error)
{
  const struct shunt_capture_options none = {.size = sizeof(none)};
  const char *why = NULL;
  *options = none;
  if (given && given->size <= sizeof(*given))
    memcpy(options, given, given->size);
  options->snaplen = options->snaplen ? options->snaplen : SHUNT_CAPTURE_SNAPLEN_MOST;
  options->directions =
      options->directions ? options->directions : SHUNT_CAPTURE_RX | SHUNT_CAPTURE_TX;
  if (given && (given->size < sizeof(given->size) || given->size > sizeof(*given)))
    why = "options.size is not sizeof(struct shunt_capture_options)";
  else if (options->snaplen > SHUNT_CAPTURE_SNAPLEN_MOST)
    why = "the snaplen is 1 to 16384";
  else if (options->directions & ~(SHUNT_CAPTURE_RX | SHUNT_CAPTURE_TX))
    why = "there are two directions";
  else if (options->first_queue >= queues || options->queues > queues - options->first_queue)
    why = "the port has fewer queues";
  options->queues = options->queues ? options->queues : queues - options->first_queue;
  if (!why)
    return 0;
  shunt_error_set(error, -EINVAL, "can't capture so");
  shunt_error_why(error, "%s", why);
  return -EINVAL;
}

/* The pages that the port's verbs write to are there before they do. Returns 0 or -errno. */
static int populate_pages(const void *from, uint64_t bytes, struct shunt_error *error)
{
  if (!madvise((void *)(uintptr_t)from, bytes, MADV_POPULATE_WRITE))
    return 0;
  int code = error_set_errno(error, -errno, "no memory to record into");
  shunt_error_remedy(error, "it counts as this process's: look at its cgroup's limit");
  return code;
}

static void begin_session(struct capture_queue *queue, const struct shunt_capture_options *options)
{
  struct tap_shared_queue *shared = queue->shared;
  queue->head_seen = queue->tail = __atomic_load_n(&shared->head, __ATOMIC_ACQUIRE);
  for (unsigned i = 0; i < 2; i++)
    queue->dropped_before[i] = __atomic_load_n(&shared->dropped[i], __ATOMIC_RELAXED);
  uint32_t session = __atomic_load_n(&shared->sessions, __ATOMIC_RELAXED) + 1;
  queue->session = queue->number = session ? session : 1;
  __atomic_store_n(&shared->sessions, queue->session, __ATOMIC_RELAXED);
  __atomic_store_n(&shared->tail, queue->tail, __ATOMIC_RELAXED);
  __atomic_store_n(&shared->snaplen, options->snaplen, __ATOMIC_RELAXED);
  __atomic_store_n(&shared->directions, options->directions, __ATOMIC_RELAXED);
  __atomic_store_n(&shared->session, queue->session, __ATOMIC_RELEASE);
}

static struct shunt_capture *make(uint32_t queues, struct shunt_error *error)
{
  struct shunt_capture *capture = calloc(1, sizeof(*capture));
  if (capture)
    capture->queues = calloc(queues, sizeof(*capture->queues));
  if (!capture || !capture->queues) {
    shunt_error_set(error, -ENOMEM, "no memory for a capture");
    free(capture);
    return NULL;
  }
  capture->fd = capture->pidfd = -1;
  capture->count = queues;
  return capture;
}

int capture_begin(void *memory, uint64_t bytes, bool populate,
                  const struct shunt_capture_options *options, struct shunt_capture **capture,
                  struct shunt_error *error)
{
  struct tap_header header;
  struct shunt_capture_options set;
  memcpy(&header, memory, sizeof(header));
  int code = capture_check_header(&header, bytes, error);
  code = code ? code : check_options(options, header.queues, &set, error);
  if (code)
    return code;
  struct shunt_capture *made = make(set.queues, error);
  if (!made)
    return -ENOMEM;
  made->header = memory;
  made->ring_bytes = header.ring_bytes;
  memcpy(made->name, header.name, sizeof(made->name) - 1);
  for (uint32_t i = 0; !code && i < set.queues; i++) {
    struct capture_queue *queue = &made->queues[i];
    queue->index = set.first_queue + i;
    queue->shared = (struct tap_shared_queue *)((uint8_t *)memory + TAP_PAGE_BYTES) + queue->index;
    queue->ring =
        (uint8_t *)memory + tap_ring_offset(header.queues, header.ring_bytes, queue->index);
    if (populate)
      code = populate_pages(queue->ring, header.ring_bytes, error);
  }
  if (code) {
    shunt_capture_detach(made);
    return code;
  }
  __atomic_store_n(&made->header->reader, (uint32_t)getpid(), __ATOMIC_RELAXED);
  for (uint32_t i = 0; i < set.queues; i++)
    begin_session(&made->queues[i], &set);
  *capture = made;
  return 0;
}

static int busy(const struct shunt_capture_port *port, int fd, struct shunt_error *error)
{
  struct tap_header header = {.reader = 0};
  ssize_t got = pread(fd, &header, sizeof(header), 0);
  shunt_error_set(error, -EBUSY, "can't capture %s of process %u", port->name, port->pid);
  if (got == (ssize_t)sizeof(header) && header.reader)
    shunt_error_why(error, "process %u does", header.reader);
  else
    shunt_error_why(error, "another process does");
  shunt_error_remedy(error, "end that, or read the file that it writes");
  return -EBUSY;
}

/* Map the file, which must be one that can't become shorter. */
static int map_file(int fd, void **memory, uint64_t *bytes, struct shunt_error *error)
{
  struct stat status;
  struct tap_header header = {.magic = 0};
  if (fstat(fd, &status) || pread(fd, &header, sizeof(header), 0) < 0)
    return error_set_errno(error, -errno, "can't read the port's memory");
  int code = capture_check_header(&header, (uint64_t)status.st_size, error);
  if (code)
    return code;
  int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || !(seals & F_SEAL_SHRINK)) {
    shunt_error_set(error, -EBADMSG, "there is no port's memory to capture from");
    shunt_error_why(error, "it is not sealed against being cut");
    return -EBADMSG;
  }
  *bytes = header.bytes;
  *memory = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (*memory == MAP_FAILED)
    return error_set_errno(error, -errno, "can't map the port's memory");
  capture_end_orphans(fd, header.queues);
  return 0;
}

int shunt_capture_attach(const struct shunt_capture_port *port,
                         const struct shunt_capture_options *options,
                         struct shunt_capture **capture, struct shunt_error *error)
{
  int fd, pidfd;
  void *memory = MAP_FAILED;
  uint64_t bytes = 0;
  struct shunt_capture *made;
  int code = capture_open(port, &fd, &pidfd, error);
  if (code)
    return code;
  if (flock(fd, LOCK_EX | LOCK_NB))
    code = busy(port, fd, error);
  code = code ? code : map_file(fd, &memory, &bytes, error);
  if (!code)
    code = capture_begin(memory, bytes, true, options, &made, error);
  if (code) {
    if (memory != MAP_FAILED)
      munmap(memory, bytes);
    close(fd);
    close(pidfd);
    return code;
  }
  made->mapped_bytes = bytes;
  made->fd = fd;
  made->pidfd = pidfd;
  made->pid = port->pid;
  *capture = made;
  return 0;
}

void shunt_capture_stop(struct shunt_capture *capture)
{
  for (uint32_t i = 0; i < capture->count; i++) {
    struct capture_queue *queue = &capture->queues[i];
    if (queue->session)
      __atomic_store_n(&queue->shared->session, 0, __ATOMIC_RELEASE);
    queue->session = 0;
  }
}

void shunt_capture_counts(const struct shunt_capture *capture, struct shunt_capture_counts *counts)
{
  struct shunt_capture_counts full = capture->counts;
  for (uint32_t i = 0; i < capture->count; i++) {
    const struct capture_queue *queue = &capture->queues[i];
    const uint64_t *dropped = queue->shared->dropped;
    full.rx_dropped_full +=
        __atomic_load_n(&dropped[0], __ATOMIC_RELAXED) - queue->dropped_before[0];
    full.tx_dropped_full +=
        __atomic_load_n(&dropped[1], __ATOMIC_RELAXED) - queue->dropped_before[1];
  }
  size_t size = counts->size < sizeof(full) ? counts->size : sizeof(full);
  memcpy(counts, &full, size);
  counts->size = size;
}

void shunt_capture_detach(struct shunt_capture *capture)
{
  if (!capture)
    return;
  shunt_capture_stop(capture);
  if (capture->fd >= 0)
    __atomic_store_n(&capture->header->reader, 0, __ATOMIC_RELAXED);
  if (capture->mapped_bytes)
    munmap(capture->header, capture->mapped_bytes);
  if (capture->fd >= 0)
    close(capture->fd); /* and its lock with it */
  if (capture->pidfd >= 0)
    close(capture->pidfd);
  free(capture->queues);
  free(capture);
}
