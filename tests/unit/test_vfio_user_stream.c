/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes and descriptors as no good client sends them: in pieces, run together, too many, too few,
 * never ending. The server and its next client must not notice. */
#include "vfio_user_rig.h"

#include <fcntl.h>

static struct rig rig;
static struct rig_reply reply;

#define SECOND_NS UINT64_C(1000000000)

static int set_up(void **state)
{
  (void)state;
  rig_open(&rig, NULL);
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  rig_end(&rig);
  return 0;
}

static unsigned open_fds(void)
{
  unsigned n = 0;
  for (int fd = 0; fd < 512; fd++)
    n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

/* The server is there for the next client as if nothing had been. */
static void expect_next_client(void)
{
  rig_connect(&rig);
  assert_int_equal(rig_read32(&rig, 7, 0), 0x10FB8086);
}

static size_t compose_read(uint8_t *out)
{
  const struct vfio_user_access access = {0, 7, 4};
  return rig_compose(&rig, out, VFIO_USER_REGION_READ, 0, &access, sizeof access);
}

static size_t compose_map(uint8_t *out, uint64_t iova, uint64_t offset)
{
  const struct vfio_user_dma_map map = {sizeof map, 3, offset, iova, 0x1000};
  return rig_compose(&rig, out, VFIO_USER_DMA_MAP, 0, &map, sizeof map);
}

/* ---- Messages and reads don't begin together ---- */

static void a_message_may_come_byte_by_byte(void **state)
{
  uint8_t out[64];
  size_t n = compose_read(out);
  (void)state;
  for (size_t i = 0; i < n; i++) {
    assert_false(rig_receive(&rig, &reply));
    rig_send_bytes(&rig, out + i, 1, NULL, 0);
    rig_poll(&rig);
  }
  assert_true(rig_receive(&rig, &reply));
  assert_int_equal(reply.bytes, 20);
}

static void messages_may_be_cut_anywhere(void **state)
{
  uint8_t out[128];
  size_t n = compose_read(out);
  (void)state;
  n += compose_read(out + n);
  for (size_t cut = 1; cut < n; cut++) {
    rig_send_bytes(&rig, out, cut, NULL, 0);
    rig_poll(&rig);
    rig_send_bytes(&rig, out + cut, n - cut, NULL, 0);
    rig_poll(&rig);
    assert_true(rig_receive(&rig, &reply));
    assert_true(rig_receive(&rig, &reply));
    assert_false(rig_receive(&rig, &reply));
  }
}

static void many_messages_may_come_at_once(void **state)
{
  enum { MANY = 500 };
  static uint8_t out[MANY * 64];
  size_t n = 0;
  unsigned turns = 0, replies = 0;
  (void)state;
  for (unsigned i = 0; i < MANY; i++)
    n += compose_read(out + n);
  rig_send_bytes(&rig, out, n, NULL, 0);
  while (shunt_vfio_user_poll(rig.server) > 0) {
    turns++;
    while (rig_receive(&rig, &reply))
      replies++;
  }
  assert_int_equal(replies, MANY);
  assert_true(turns > 5); /* a poll is bounded */
}

/* ---- Descriptors go to the message that they came with ---- */

static void check_maps(const int fds[], unsigned n)
{
  for (unsigned i = 0; i < n; i++) {
    uint8_t mark = (uint8_t)(0x30 + i);
    assert_int_equal(pwrite(fds[i], &mark, 1, 0), 1);
    assert_int_equal(rig_peek(&rig, 0x10000 * (i + 1)), mark);
    close(fds[i]);
  }
}

static void descriptors_follow_messages_that_run_together(void **state)
{
  const int fds[] = {rig_memory(0x1000, MFD_ALLOW_SEALING), rig_memory(0x1000, MFD_ALLOW_SEALING),
                     rig_memory(0x1000, MFD_ALLOW_SEALING)};
  uint8_t out[256];
  (void)state;
  for (unsigned i = 0; i < 3; i++) {
    /* One that takes none in front: the kernel hands both over in one read. */
    rig_send_bytes(&rig, out, compose_read(out), NULL, 0);
    rig_send_bytes(&rig, out, compose_map(out, 0x10000 * (i + 1), 0), &fds[i], 1);
  }
  rig_poll(&rig);
  for (unsigned i = 0; i < 6; i++) {
    assert_true(rig_receive(&rig, &reply));
    assert_false(reply.header.flags & VFIO_USER_FLAG_ERROR);
  }
  check_maps(fds, 3);
  assert_int_equal(rig_count(&rig, "unexpected_fds"), 0);
}

static void descriptors_may_come_before_or_behind_the_cut(void **state)
{
  uint8_t out[64];
  (void)state;
  for (size_t cut = 1; cut < 48; cut++) {
    int first = rig_memory(0x1000, MFD_ALLOW_SEALING),
        second = rig_memory(0x1000, MFD_ALLOW_SEALING);
    size_t n = compose_map(out, 0x10000, 0);
    rig_send_bytes(&rig, out, cut, &first, 1);
    if (cut & 1)
      rig_poll(&rig);
    rig_send_bytes(&rig, out + cut, n - cut, NULL, 0);
    rig_send_bytes(&rig, out, compose_read(out), NULL, 0);
    n = compose_map(out, 0x20000, 0);
    rig_send_bytes(&rig, out, cut, NULL, 0);
    if (cut & 2)
      rig_poll(&rig);
    rig_send_bytes(&rig, out + cut, n - cut, &second, 1);
    rig_poll(&rig);
    for (unsigned i = 0; i < 3; i++) {
      assert_true(rig_receive(&rig, &reply));
      assert_false(reply.header.flags & VFIO_USER_FLAG_ERROR);
    }
    check_maps((const int[]){first, second}, 2);
    assert_int_equal(rig_dma_unmap(&rig, 0, 0x100000), 0);
  }
}

static void descriptors_that_nobody_wants_are_closed(void **state)
{
  const int fds[] = {rig_memory(0x1000, MFD_ALLOW_SEALING), rig_memory(0x1000, MFD_ALLOW_SEALING)};
  const struct vfio_user_access access = {0, 7, 4};
  const struct vfio_user_dma_map map = {sizeof map, 3, 0, 0x1000, 0x1000};
  unsigned before = open_fds();
  (void)state;
  assert_int_equal(
      rig_ask_with_fds(&rig, VFIO_USER_REGION_READ, &access, sizeof access, fds, 2, &reply),
      EINVAL);
  assert_int_equal(rig_ask_with_fds(&rig, VFIO_USER_DMA_MAP, &map, sizeof map, fds, 2, &reply),
                   EINVAL);
  assert_int_equal(rig_ask_with_fds(&rig, 14, NULL, 0, fds, 2, &reply), ENOTSUP);
  assert_int_equal(rig_count(&rig, "unexpected_fds"), 2);
  assert_int_equal(open_fds(), before);
  assert_int_equal(rig.model->model.range_count, 0);
  close(fds[0]);
  close(fds[1]);
}

static void too_many_descriptors_end_the_connection(void **state)
{
  int fds[60];
  uint8_t out[64];
  unsigned before = open_fds();
  (void)state;
  for (unsigned i = 0; i < 60; i++)
    fds[i] = eventfd(0, 0);
  for (unsigned n = 17; n <= 60; n += 43) {
    rig_send_bytes(&rig, out, compose_read(out), fds, n);
    rig_poll(&rig);
    assert_true(rig_is_dismissed(&rig));
    rig_connect(&rig);
  }
  /* In two parts, as well. */
  size_t n = compose_read(out);
  rig_send_bytes(&rig, out, 10, fds, 16);
  rig_send_bytes(&rig, out + 10, n - 10, fds, 1);
  rig_poll(&rig);
  assert_true(rig_is_dismissed(&rig));
  assert_int_equal(rig_count(&rig, "too_many_fds"), 3);
  for (unsigned i = 0; i < 60; i++)
    close(fds[i]);
  expect_next_client();
  assert_int_equal(open_fds(), before);
}

/* ---- What can't be a message ---- */

static void impossible_headers_end_the_connection(void **state)
{
  static const struct {
    uint32_t bytes, flags;
    const char *counter;
  } bad[] = {{0, 0, "bad_length"},
             {15, 0, "bad_length"},
             {16 + 16 + 65536 + 1, 0, "bad_length"},
             {UINT32_MAX, 0, "bad_length"},
             {16, VFIO_USER_FLAG_REPLY, "bad_type"},
             {16, 0xF, "bad_type"}};
  (void)state;
  for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    uint64_t before = rig_count(&rig, bad[i].counter);
    const struct vfio_user_header header = {1, VFIO_USER_DEVICE_RESET, bad[i].bytes, bad[i].flags,
                                            0};
    rig_send_bytes(&rig, &header, sizeof header, NULL, 0);
    rig_poll(&rig);
    assert_true(rig_is_dismissed(&rig));
    assert_int_equal(rig_count(&rig, bad[i].counter), before + 1);
    expect_next_client();
  }
}

static void the_longest_message_fits(void **state)
{
  static uint8_t payload[16 + 65536];
  const struct vfio_user_access access = {0, 0, 0x4000};
  (void)state;
  memcpy(payload, &access, sizeof access);
  assert_int_equal(rig_ask(&rig, VFIO_USER_REGION_WRITE, payload, sizeof payload, &reply), EINVAL);
  assert_int_equal(rig_count(&rig, "bad_length"), 0);
  memset(payload + 16, 0xA5, 0x4000);
  rig_write32(&rig, 0, 0x3000, 0);
  memset(payload + 16, 0, 0x40);
  assert_int_equal(rig_ask(&rig, VFIO_USER_REGION_WRITE, payload, 16 + 0x4000, &reply), 0);
  assert_int_equal(rig_read32(&rig, 0, 0x3000), 0xA5A5A5A5);
}

static void garbage_ends_the_connection(void **state)
{
  uint32_t seed = 1;
  uint8_t noise[64];
  (void)state;
  for (unsigned i = 0; i < 200; i++) {
    for (unsigned k = 0; k < sizeof noise; k++)
      noise[k] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
    noise[7] |= 0x80; /* a length that can't be */
    rig_send_bytes(&rig, noise, sizeof noise, NULL, 0);
    rig_poll(&rig);
    rig_connect(&rig);
  }
  assert_int_equal(rig_count(&rig, "bad_length"), 200);
  expect_next_client();
}

/* ---- Clients that vanish or stop ---- */

static void a_client_may_vanish_at_every_byte(void **state)
{
  uint8_t out[64];
  unsigned before = open_fds();
  (void)state;
  for (size_t cut = 0; cut < 48; cut++) {
    int fd = rig_memory(0x1000, MFD_ALLOW_SEALING);
    compose_map(out, 0x10000, 0);
    if (cut > 0)
      rig_send_bytes(&rig, out, cut, &fd, 1);
    close(fd);
    if (cut & 1)
      rig_poll(&rig);
    rig_leave(&rig);
    rig_poll(&rig);
    assert_false(shunt_vfio_user_connected(rig.server));
    assert_int_equal(rig_count(&rig, "vanished"), cut);
    rig_connect(&rig);
    assert_int_equal(open_fds(), before);
  }
  assert_int_equal(rig_count(&rig, "dma_maps"), 0);
}

/* A whole session, as a driver's: one of each command, some with descriptors. */
enum { SESSION = 10 };
static size_t compose_session(unsigned i, uint8_t *out)
{
  const struct vfio_user_device_info info = {.argsz = sizeof info};
  const struct vfio_user_region_info region = {.argsz = 4096};
  const struct vfio_user_irq_info irq = {.argsz = sizeof irq, .index = VFIO_PCI_MSIX_IRQ_INDEX};
  const struct vfio_user_irq_set set = {sizeof set,
                                        VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
                                        VFIO_PCI_MSIX_IRQ_INDEX, 0, 1};
  const struct {
    struct vfio_user_access access;
    uint32_t value;
  } write = {{0x100, 0, 4}, 1};
  const struct {
    uint64_t count;
    struct vfio_user_write write;
  } multi = {1, {0, 2, 4, {1}}};
  const struct vfio_user_dma_unmap unmap = {sizeof unmap, 0, 0x10000, 0x1000};
  const struct {
    unsigned command;
    uint32_t flags;
    const void *payload;
    size_t bytes;
  } messages[SESSION - 1] = {
      {VFIO_USER_DEVICE_GET_INFO, 0, &info, sizeof info},
      {VFIO_USER_DEVICE_RESET, 0, NULL, 0},
      {VFIO_USER_DEVICE_GET_REGION_INFO, 0, &region, sizeof region},
      {VFIO_USER_DEVICE_GET_IRQ_INFO, 0, &irq, sizeof irq},
      {VFIO_USER_DEVICE_SET_IRQS, 0, &set, sizeof set},
      {VFIO_USER_REGION_WRITE, VFIO_USER_FLAG_NO_REPLY, &write, 16 + 4},
      {VFIO_USER_REGION_WRITE, 0, &write, 16 + 4},
      {VFIO_USER_REGION_WRITE_MULTI, 0, &multi, sizeof multi},
      {VFIO_USER_DMA_UNMAP, 0, &unmap, sizeof unmap},
  };
  if (i == 0)
    return compose_map(out, 0x10000, 0);
  return rig_compose(&rig, out, messages[i - 1].command, messages[i - 1].flags,
                     messages[i - 1].payload, messages[i - 1].bytes);
}

/* Its descriptor, or -1. */
static int session_fd(unsigned i)
{
  if (i == 0)
    return rig_memory(0x1000, MFD_ALLOW_SEALING);
  return i == 5 ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
}

static void send_of_session(unsigned i, size_t most)
{
  uint8_t out[128];
  size_t n = compose_session(i, out);
  int fd = session_fd(i);
  if (most > 0)
    rig_send_bytes(&rig, out, n < most ? n : most, &fd, fd >= 0);
  if (fd >= 0)
    close(fd);
}

/* Between any two messages and inside each of them, whether or not the server has seen them yet,
 * and with replies that nobody has read. */
static void a_client_may_vanish_anywhere_in_a_session(void **state)
{
  static const size_t cuts[] = {0, 1, 15, 16, 17, 33};
  unsigned before = open_fds();
  (void)state;
  for (unsigned message = 0; message <= SESSION; message++)
    for (unsigned i = 0; i < 2 * sizeof cuts / sizeof cuts[0]; i++) {
      for (unsigned sent = 0; sent < message; sent++) {
        send_of_session(sent, SIZE_MAX);
        if (i & 1)
          rig_poll(&rig);
      }
      if (message < SESSION)
        send_of_session(message, cuts[i / 2]);
      rig_leave(&rig);
      rig_poll(&rig);
      assert_false(shunt_vfio_user_connected(rig.server));
      assert_int_equal(rig.model->model.range_count, 0);
      expect_next_client();
      assert_int_equal(open_fds(), before);
    }
  assert_string_not_equal(shunt_vfio_user_last_fault(rig.server), "");
  assert_int_equal(rig_count(&rig, "bad_payload") + rig_count(&rig, "bad_length"), 0);
}

static void a_client_may_vanish_before_its_reply(void **state)
{
  uint8_t out[64];
  (void)state;
  for (unsigned i = 0; i < 20; i++) {
    rig_send_bytes(&rig, out, compose_read(out), NULL, 0);
    rig_send_bytes(&rig, out, compose_read(out), NULL, 0);
    rig_leave(&rig);
    rig_poll(&rig);
    rig_connect(&rig);
  }
  expect_next_client();
}

static void half_a_message_has_its_deadline(void **state)
{
  uint8_t out[64];
  (void)state;
  compose_read(out);
  assert_int_equal(shunt_vfio_user_next_ns(rig.server), UINT64_MAX);
  rig_send_bytes(&rig, out, 20, NULL, 0);
  rig_poll(&rig);
  assert_int_equal(shunt_vfio_user_next_ns(rig.server), rig.time.now_ns + 5 * SECOND_NS);
  /* A byte now and then does not win more time. */
  for (unsigned i = 0; i < 4; i++) {
    rig.time.now_ns += SECOND_NS;
    rig_send_bytes(&rig, out + 20 + i, 1, NULL, 0);
    rig_poll(&rig);
  }
  assert_true(shunt_vfio_user_connected(rig.server));
  rig.time.now_ns += SECOND_NS - 1;
  rig_poll(&rig);
  assert_true(shunt_vfio_user_connected(rig.server));
  rig.time.now_ns += 1;
  rig_poll(&rig);
  assert_true(rig_is_dismissed(&rig));
  assert_int_equal(rig_count(&rig, "stalled"), 1);
  assert_non_null(strstr(shunt_vfio_user_last_fault(rig.server), "rest of a message"));
  expect_next_client();
}

static void a_silent_client_may_be_silent_once_it_has_said_who_it_is(void **state)
{
  (void)state;
  rig.time.now_ns += 1000 * SECOND_NS;
  rig_poll(&rig);
  assert_int_equal(rig_read32(&rig, 7, 0), 0x10FB8086);
  rig_leave(&rig);
  rig_poll(&rig);
  rig.fd = rig_connect_to(rig.path);
  rig_poll(&rig);
  rig.time.now_ns += 5 * SECOND_NS;
  rig_poll(&rig);
  assert_true(rig_is_dismissed(&rig));
  assert_int_equal(rig_count(&rig, "stalled"), 1);
  expect_next_client();
}

/* Ask and never read: as long as there is room the server answers, then it waits, then it ends. */
static void replies_that_nobody_takes_have_a_deadline(void **state)
{
  const struct vfio_user_access access = {0, 0, 0x4000};
  uint8_t out[64];
  unsigned asked = 0;
  (void)state;
  size_t n = rig_compose(&rig, out, VFIO_USER_REGION_READ, 0, &access, sizeof access);
  assert_int_equal(fcntl(rig.fd, F_SETFL, O_NONBLOCK), 0);
  while (send(rig.fd, out, n, MSG_NOSIGNAL) == (ssize_t)n && asked < 10000) {
    shunt_vfio_user_poll(rig.server);
    asked++;
  }
  assert_in_range(asked, 10, 9999);
  assert_true(shunt_vfio_user_next_ns(rig.server) < UINT64_MAX);
  /* One that is read in between wins the whole time again. */
  rig.time.now_ns += 4 * SECOND_NS;
  assert_int_equal(recv(rig.fd, reply.payload, sizeof reply.payload, 0), sizeof reply.payload);
  rig_poll(&rig);
  rig.time.now_ns += 4 * SECOND_NS;
  rig_poll(&rig);
  assert_true(shunt_vfio_user_connected(rig.server));
  rig.time.now_ns += SECOND_NS;
  rig_poll(&rig);
  assert_false(shunt_vfio_user_connected(rig.server));
  assert_int_equal(rig_count(&rig, "unread"), 1);
  expect_next_client();
}

static void a_slow_reader_gets_every_byte(void **state)
{
  enum { MANY = 100 };
  static uint8_t block[0x4000];
  const struct vfio_user_access access = {0, 0, sizeof block};
  unsigned got = 0;
  (void)state;
  for (unsigned i = 0; i < sizeof block; i++)
    rig.model->memory[i] = (uint8_t)(i * 7);
  rig.model->memory[RIG_DMA_PEEK] = rig.model->memory[RIG_DMA_PEEK + 1] = 0xFF;
  for (unsigned i = 0; i < MANY; i++)
    rig_send(&rig, VFIO_USER_REGION_READ, 0, &access, sizeof access, NULL, 0);
  while (got < MANY) {
    shunt_vfio_user_poll(rig.server);
    /* Read like a person: some at a time, the server in between. */
    struct vfio_user_header header;
    for (size_t have = 0; have < sizeof header + 16 + sizeof block;) {
      uint8_t *to = have < sizeof header ? (uint8_t *)&header + have : reply.payload + have - 16;
      size_t room = have < sizeof header ? sizeof header - have : 16 + 16 + sizeof block - have;
      ssize_t bytes = recv(rig.fd, to, room < 5000 ? room : 5000, MSG_DONTWAIT);
      have += bytes > 0 ? (size_t)bytes : 0;
      shunt_vfio_user_poll(rig.server);
    }
    assert_int_equal(header.bytes, 16 + 16 + sizeof block);
    assert_memory_equal(reply.payload + 16 + 0x40, rig.model->memory + 0x40, sizeof block - 0x40);
    got++;
  }
  assert_int_equal(rig_count(&rig, "unread"), 0);
  assert_int_equal(rig_read32(&rig, 7, 0), 0x10FB8086);
}

static void pieces_of_two_clients_may_come_in_turn(void **state)
{
  struct rig other;
  uint8_t one[64], two[64];
  (void)state;
  rig_open(&other, NULL);
  size_t n = compose_read(one);
  memcpy(two, one, n);
  two[0] ^= 0x40; /* another id */
  for (size_t i = 0; i < n; i++) {
    rig_send_bytes(&rig, one + i, 1, NULL, 0);
    rig_send_bytes(&other, two + i, 1, NULL, 0);
    rig_poll(&other);
    rig_poll(&rig);
  }
  assert_true(rig_receive(&rig, &reply));
  assert_memory_equal(&reply.header, one, 2);
  assert_true(rig_receive(&other, &reply));
  assert_memory_equal(&reply.header, two, 2);
  rig_end(&other);
}

static void one_servers_client_harms_no_other_server(void **state)
{
  struct rig other;
  uint8_t out[64];
  (void)state;
  rig_open(&other, NULL);
  compose_read(out);
  rig_send_bytes(&rig, out, 5, NULL, 0);
  rig_poll(&rig);
  assert_int_equal(rig_read32(&other, 7, 0), 0x10FB8086);
  memset(out, 0xFF, sizeof out);
  rig_send_bytes(&rig, out, sizeof out, NULL, 0);
  rig_poll(&rig);
  assert_true(rig_is_dismissed(&rig));
  assert_int_equal(rig_read32(&other, 7, 0), 0x10FB8086);
  assert_int_equal(other.model->resets, 0);
  rig_end(&other);
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      RIG_TEST(a_message_may_come_byte_by_byte),
      RIG_TEST(messages_may_be_cut_anywhere),
      RIG_TEST(many_messages_may_come_at_once),
      RIG_TEST(descriptors_follow_messages_that_run_together),
      RIG_TEST(descriptors_may_come_before_or_behind_the_cut),
      RIG_TEST(descriptors_that_nobody_wants_are_closed),
      RIG_TEST(too_many_descriptors_end_the_connection),
      RIG_TEST(impossible_headers_end_the_connection),
      RIG_TEST(the_longest_message_fits),
      RIG_TEST(garbage_ends_the_connection),
      RIG_TEST(a_client_may_vanish_at_every_byte),
      RIG_TEST(a_client_may_vanish_anywhere_in_a_session),
      RIG_TEST(a_client_may_vanish_before_its_reply),
      RIG_TEST(half_a_message_has_its_deadline),
      RIG_TEST(a_silent_client_may_be_silent_once_it_has_said_who_it_is),
      RIG_TEST(replies_that_nobody_takes_have_a_deadline),
      RIG_TEST(a_slow_reader_gets_every_byte),
      RIG_TEST(pieces_of_two_clients_may_come_in_turn),
      RIG_TEST(one_servers_client_harms_no_other_server),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
