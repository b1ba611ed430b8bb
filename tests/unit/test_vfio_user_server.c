/* SPDX-License-Identifier: BSD-2-Clause */
/* What the server answers to each command. */
#include "vfio_user_rig.h"

#include <poll.h>

static struct rig rig;
static struct rig_reply reply;

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

/* ---- Clients ---- */

static void version_agrees_on_what_both_can(void **state)
{
  const char *text = (const char *)reply.payload + 4;
  (void)state;
  rig_leave(&rig);
  rig_poll(&rig);
  rig.fd = rig_connect_to(rig.path);
  assert_int_equal(rig_version(&rig, 0, 7, RIG_CAPABILITIES, sizeof RIG_CAPABILITIES, &reply), 0);
  const struct vfio_user_version version = {0, 0};
  assert_memory_equal(reply.payload, &version, sizeof version);
  assert_string_equal(text, "{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":65536,"
                            "\"write_multiple\":true}}");
  assert_int_equal(reply.bytes, 4 + strlen(text) + 1);
  assert_true(shunt_vfio_user_connected(rig.server));
  /* Nothing proposed, nothing named. */
  rig_leave(&rig);
  rig_poll(&rig);
  assert_false(shunt_vfio_user_connected(rig.server));
  rig.fd = rig_connect_to(rig.path);
  assert_int_equal(rig_version(&rig, 0, 0, "", 0, &reply), 0);
  assert_string_equal(text, "{\"capabilities\":{}}");
  const uint64_t none = 0;
  assert_int_equal(rig_ask(&rig, VFIO_USER_REGION_WRITE_MULTI, &none, sizeof none, &reply),
                   ENOTSUP);
}

static void versions_that_cant_be_end_the_connection(void **state)
{
  static const struct {
    uint16_t major;
    const char *json;
    size_t bytes;
  } bad[] = {{1, "", 0},
             {0, "{}", 2}, /* no NUL */
             {0, "{", 2},
             {0, "{\"capabilities\":{\"max_msg_fds\":-1}}", 36},
             {0, "{\"capabilities\":[]} x", 22}};
  (void)state;
  for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    rig_leave(&rig);
    rig_poll(&rig);
    rig.fd = rig_connect_to(rig.path);
    assert_int_equal(rig_version(&rig, bad[i].major, 0, bad[i].json, bad[i].bytes, &reply), EPROTO);
    assert_true(rig_is_dismissed(&rig));
    assert_int_equal(rig_count(&rig, "bad_version"), i + 1);
  }
  rig_connect(&rig);
  rig_read32(&rig, 7, 0);
}

static void nothing_goes_before_version_and_no_second_one(void **state)
{
  const struct vfio_user_access access = {0, 7, 4};
  (void)state;
  rig_leave(&rig);
  rig_poll(&rig);
  rig.fd = rig_connect_to(rig.path);
  rig_send(&rig, VFIO_USER_REGION_READ, 0, &access, sizeof access, NULL, 0);
  rig_poll(&rig);
  assert_true(rig_is_dismissed(&rig));
  rig_connect(&rig);
  assert_int_equal(rig_version(&rig, 0, 0, "", 0, &reply), EPROTO);
  assert_true(rig_is_dismissed(&rig));
  assert_int_equal(rig_count(&rig, "bad_version"), 2);
}

static void what_a_client_leaves_is_cleared_for_the_next(void **state)
{
  int fd = rig_memory(0x4000, MFD_ALLOW_SEALING), event = eventfd(0, EFD_NONBLOCK);
  (void)state;
  assert_int_equal(rig_dma_map(&rig, 0x10000, 0x4000, fd, 0, 3), 0);
  assert_int_equal(rig_set_irqs(&rig, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 2, 0,
                                1, &event, 1),
                   0);
  rig_poke(&rig, 0x10003, 0x5A);
  unsigned resets = rig.model->resets;
  rig_leave(&rig);
  rig_poll(&rig);
  assert_int_equal(rig.model->resets, resets + 1);
  assert_int_equal(rig.model->model.range_count, 0);
  rig_connect(&rig);
  assert_int_equal(rig_peek(&rig, 0x10003), UINT32_MAX);
  rig_write32(&rig, 0, RIG_INTERRUPT, 0);
  assert_int_equal(rig_signals(event), 0);
  assert_int_equal(rig_count(&rig, "interrupts_unheard"), 1);
  assert_int_equal(rig_count(&rig, "clients"), 2);
  close(event);
  close(fd);
}

/* ---- What the device is ---- */

static void the_device_tells_what_it_is(void **state)
{
  struct vfio_user_device_info info = {.argsz = sizeof info};
  (void)state;
  assert_int_equal(rig_ask(&rig, VFIO_USER_DEVICE_GET_INFO, &info, sizeof info, &reply), 0);
  assert_int_equal(reply.bytes, sizeof info);
  memcpy(&info, reply.payload, sizeof info);
  assert_int_equal(info.argsz, 16);
  assert_int_equal(info.flags, VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET);
  assert_int_equal(info.regions, 9);
  assert_int_equal(info.irqs, 5);
  info.argsz = 12;
  assert_int_equal(rig_ask(&rig, VFIO_USER_DEVICE_GET_INFO, &info, sizeof info, &reply), EINVAL);
  assert_int_equal(rig_ask(&rig, VFIO_USER_DEVICE_GET_INFO, &info, 15, &reply), EINVAL);
  assert_int_equal(rig_count(&rig, "bad_payload"), 2);
}

static struct vfio_user_region_info region_info(uint32_t region, uint32_t argsz)
{
  struct vfio_user_region_info info = {.argsz = argsz, .index = region};
  assert_int_equal(rig_ask(&rig, VFIO_USER_DEVICE_GET_REGION_INFO, &info, sizeof info, &reply), 0);
  memcpy(&info, reply.payload, sizeof info);
  assert_int_equal(info.index, region);
  return info;
}

static void areas_come_with_their_file_when_there_is_room(void **state)
{
  const uint32_t whole = 32 + 16 + 2 * 16,
                 rw = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
                 caps = VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS;
  struct vfio_user_sparse sparse;
  (void)state;
  struct vfio_user_region_info info = region_info(0, 32);
  assert_int_equal(info.argsz, whole);
  assert_int_equal(info.flags, rw | caps);
  assert_int_equal(info.cap_offset, 32);
  assert_int_equal(reply.bytes, 32);
  assert_int_equal(reply.fd, -1);
  info = region_info(0, info.argsz);
  assert_int_equal(reply.bytes, whole);
  assert_int_equal(info.bytes, RIG_BAR0_BYTES);
  assert_int_equal(info.cap_offset, 32);
  memcpy(&sparse, reply.payload + 32, sizeof sparse);
  assert_int_equal(sparse.id, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
  assert_int_equal(sparse.version, 1);
  assert_int_equal(sparse.next, 0);
  assert_int_equal(sparse.areas, 2);
  assert_memory_equal(reply.payload + 48, rig_areas, sizeof rig_areas);
  assert_true(reply.fd >= 0);
  /* It is the BAR's own memory. */
  uint8_t *page = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED, reply.fd,
                       (off_t)(info.offset + 0x1000));
  assert_ptr_not_equal(page, MAP_FAILED);
  page[0x18] = 0x77;
  assert_int_equal(rig.model->memory[0x1018], 0x77);
  munmap(page, 0x1000);
  close(reply.fd);
}

/* It is the model's memory as well: cut, its next access would be this process's last. */
static void who_maps_areas_cant_cut_their_file(void **state)
{
  (void)state;
  region_info(0, 4096);
  assert_true(reply.fd >= 0);
  assert_int_equal(ftruncate(reply.fd, 0), -1);
  assert_int_equal(errno, EPERM);
  close(reply.fd);
  assert_int_equal(rig_read32(&rig, 0, 0x3000), 0);
  /* A file that can't be sealed stays here. */
  int unsealable = rig_memory(RIG_BAR0_BYTES, 0), kept = rig.model->model.bars[0].fd;
  rig.model->model.bars[0].fd = unsealable;
  assert_int_equal(region_info(0, 4096).flags,
                   VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE);
  assert_int_equal(reply.fd, -1);
  rig.model->model.bars[0].fd = kept;
  close(unsealable);
}

static void other_regions_have_a_length_or_none(void **state)
{
  static const uint64_t bytes[9] = {[0] = RIG_BAR0_BYTES, [2] = RIG_BAR2_BYTES, [7] = 4096};
  struct vfio_user_region_info info;
  (void)state;
  for (uint32_t region = 1; region < 9; region++) {
    info = region_info(region, 4096);
    assert_int_equal(info.bytes, bytes[region]);
    assert_int_equal(info.flags, bytes[region] ? 3 : 0);
    assert_int_equal(reply.bytes, 32);
    assert_int_equal(reply.fd, -1);
  }
  info = (struct vfio_user_region_info){.argsz = 32, .index = 9};
  assert_int_equal(rig_ask(&rig, VFIO_USER_DEVICE_GET_REGION_INFO, &info, sizeof info, &reply),
                   EINVAL);
  info = (struct vfio_user_region_info){.argsz = 31};
  assert_int_equal(rig_ask(&rig, VFIO_USER_DEVICE_GET_REGION_INFO, &info, sizeof info, &reply),
                   EINVAL);
}

static void without_areas_every_access_is_a_message(void **state)
{
  struct rig trap;
  const struct shunt_vfio_user_options options = {.size = sizeof options, .no_areas = 1};
  const struct vfio_user_region_info ask = {.argsz = 4096};
  struct vfio_user_region_info info;
  (void)state;
  rig_open(&trap, &options);
  assert_int_equal(rig_ask(&trap, VFIO_USER_DEVICE_GET_REGION_INFO, &ask, sizeof ask, &reply), 0);
  memcpy(&info, reply.payload, sizeof info);
  assert_int_equal(info.flags, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE);
  assert_int_equal(reply.bytes, 32);
  assert_int_equal(reply.fd, -1);
  rig_end(&trap);
}

static void interrupts_are_told_by_kind(void **state)
{
  static const uint32_t counts[5] = {1, 1, RIG_VECTORS, 0, 0};
  struct vfio_user_irq_info info;
  (void)state;
  for (uint32_t kind = 0; kind < 5; kind++) {
    info = (struct vfio_user_irq_info){.argsz = sizeof info, .index = kind};
    assert_int_equal(rig_ask(&rig, VFIO_USER_DEVICE_GET_IRQ_INFO, &info, sizeof info, &reply), 0);
    memcpy(&info, reply.payload, sizeof info);
    assert_int_equal(info.count, counts[kind]);
    assert_int_equal(info.index, kind);
    assert_int_equal(info.flags, kind == 0 ? 7 : 1);
  }
  info = (struct vfio_user_irq_info){.argsz = sizeof info, .index = 5};
  assert_int_equal(rig_ask(&rig, VFIO_USER_DEVICE_GET_IRQ_INFO, &info, sizeof info, &reply),
                   EINVAL);
}

/* ---- Accesses ---- */

static void registers_are_read_and_written_in_their_width(void **state)
{
  uint64_t value = UINT64_C(0x8877665544332211), back = 0;
  (void)state;
  for (uint32_t bytes = 1; bytes <= 8; bytes *= 2) {
    back = 0;
    assert_int_equal(rig_write(&rig, 2, 8 * bytes, &value, bytes), 0);
    assert_int_equal(rig_read(&rig, 2, 8 * bytes, &back, bytes), 0);
    assert_memory_equal(&back, &value, bytes);
    assert_int_equal(rig.model->widths[bytes], 2);
  }
  /* What is not aligned is split, as a bus would: 4 bytes at 2 are 2 and 2. */
  assert_int_equal(rig_write(&rig, 2, 0x42, &value, 4), 0);
  assert_int_equal(rig.model->widths[2], 4);
  assert_memory_equal(rig.model->bar2 + 0x42, &value, 4);
  uint8_t block[RIG_BAR2_BYTES];
  assert_int_equal(rig_read(&rig, 2, 0, block, sizeof block), 0);
  assert_memory_equal(block, rig.model->bar2, sizeof block);
}

static void configuration_space_keeps_what_may_not_be_written(void **state)
{
  uint8_t all[4096];
  (void)state;
  assert_int_equal(rig_read(&rig, 7, 0, all, sizeof all), 0);
  assert_memory_equal(all, rig.model->model.config, sizeof all);
  rig_write32(&rig, 7, 0, UINT32_MAX);
  assert_int_equal(rig_read32(&rig, 7, 0), 0x10FB8086);
  rig_write32(&rig, 7, PCI_CFG_COMMAND, UINT32_MAX);
  assert_int_equal(rig_read32(&rig, 7, PCI_CFG_COMMAND), 0x00100007);
}

static void accesses_outside_are_refused(void **state)
{
  static const struct vfio_user_access bad[] = {
      {RIG_BAR2_BYTES, 2, 4},
      {RIG_BAR2_BYTES - 3, 2, 4},
      {UINT64_MAX, 2, 4},
      {UINT64_MAX - 3, 2, 4},
      {0, 1, 4},
      {0, 6, 4},
      {0, 8, 1},
      {0, 9, 4},
      {0, UINT32_MAX, 4},
      {4096, 7, 1},
      {0, 2, 0},
      {0, 0, UINT32_MAX},
      {0, 0, RIG_BAR0_BYTES + 1},
  };
  const unsigned n = sizeof bad / sizeof bad[0];
  uint8_t data[8] = {0};
  (void)state;
  for (unsigned i = 0; i < n; i++)
    assert_int_equal(rig_ask(&rig, VFIO_USER_REGION_READ, &bad[i], sizeof bad[i], &reply), EINVAL);
  assert_int_equal(rig_count(&rig, "bad_access"), n);
  for (unsigned i = 0; i < 11; i++)
    assert_int_equal(rig_write(&rig, bad[i].region, bad[i].offset, data, bad[i].count), EINVAL);
  assert_int_equal(rig_count(&rig, "bad_access"), n + 11);
  /* As many bytes as it says, or none are written. */
  uint8_t lying[16 + 8] = {0};
  const struct vfio_user_access access = {0, 2, 4};
  memcpy(lying, &access, sizeof access);
  memset(lying + 16, 0xEE, 8);
  assert_int_equal(rig_ask(&rig, VFIO_USER_REGION_WRITE, lying, sizeof lying, &reply), EINVAL);
  assert_int_equal(rig_ask(&rig, VFIO_USER_REGION_WRITE, lying, 18, &reply), EINVAL);
  assert_int_equal(rig.model->bar2[0], 0);
}

static void posted_writes_get_no_answer_not_even_a_refusal(void **state)
{
  uint8_t out[20];
  const struct vfio_user_access good = {8, 2, 4}, bad = {0x1000, 2, 4};
  (void)state;
  memcpy(out, &good, sizeof good);
  memcpy(out + 16, "abcd", 4);
  rig_send(&rig, VFIO_USER_REGION_WRITE, VFIO_USER_FLAG_NO_REPLY, out, sizeof out, NULL, 0);
  memcpy(out, &bad, sizeof bad);
  rig_send(&rig, VFIO_USER_REGION_WRITE, VFIO_USER_FLAG_NO_REPLY, out, sizeof out, NULL, 0);
  rig_send(&rig, 14, VFIO_USER_FLAG_NO_REPLY, NULL, 0, NULL, 0);
  rig_send(&rig, VFIO_USER_DEVICE_RESET, VFIO_USER_FLAG_NO_REPLY, NULL, 0, NULL, 0);
  rig_poll(&rig);
  assert_false(rig_receive(&rig, &reply));
  assert_memory_equal(rig.model->bar2 + 8, "abcd", 4);
  assert_int_equal(rig_count(&rig, "posted_writes"), 1);
  assert_int_equal(rig_count(&rig, "bad_access"), 1);
  assert_int_equal(rig_count(&rig, "bad_command"), 1);
  assert_int_equal(rig.model->resets, 1);
}

static void many_writes_fit_in_one_message(void **state)
{
  struct {
    uint64_t count;
    struct vfio_user_write writes[200];
  } multi = {.count = 200};
  uint64_t done;
  (void)state;
  for (unsigned i = 0; i < 200; i++)
    multi.writes[i] = (struct vfio_user_write){i % 64 * 4, 2, 4, {(uint8_t)i}};
  multi.writes[7].region = 5;
  multi.writes[8].count = 9;
  multi.writes[9].count = 0;
  assert_int_equal(rig_ask(&rig, VFIO_USER_REGION_WRITE_MULTI, &multi, sizeof multi, &reply), 0);
  memcpy(&done, reply.payload, sizeof done);
  assert_int_equal(reply.bytes, sizeof done);
  assert_int_equal(done, 197);
  assert_int_equal(rig.model->bar2[4 * 7], 199);
  assert_int_equal(rig_count(&rig, "writes"), 197);
  assert_int_equal(rig_count(&rig, "bad_access"), 3);
  for (unsigned i = 0; i < 3; i++) {
    multi.count = i == 0 ? 199 : i == 1 ? 201 : UINT64_MAX / 24 + 2;
    assert_int_equal(rig_ask(&rig, VFIO_USER_REGION_WRITE_MULTI, &multi, sizeof multi, &reply),
                     EINVAL);
  }
  rig_send(&rig, VFIO_USER_REGION_WRITE_MULTI, VFIO_USER_FLAG_NO_REPLY, &multi, 8, NULL, 0);
  rig_poll(&rig);
  assert_false(rig_receive(&rig, &reply));
}

static void reset_reaches_the_model(void **state)
{
  (void)state;
  assert_int_equal(rig_ask(&rig, VFIO_USER_DEVICE_RESET, NULL, 0, &reply), 0);
  assert_int_equal(reply.bytes, 0);
  assert_int_equal(rig.model->resets, 1);
}

static void unknown_commands_are_not_supported(void **state)
{
  static const unsigned unknown[] = {0, 6, 11, 12, 14, 16, 17, 18, 19, 65535};
  (void)state;
  for (unsigned i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
    assert_int_equal(rig_ask(&rig, unknown[i], "12345678", 8, &reply), ENOTSUP);
  assert_int_equal(rig_count(&rig, "bad_command"), 10);
  rig_read32(&rig, 7, 0);
}

static void counters_have_names(void **state)
{
  const char *names[64];
  uint64_t values[64];
  (void)state;
  unsigned n = shunt_vfio_user_counters(rig.server, names, values, 64);
  assert_in_range(n, 20, 64);
  assert_int_equal(shunt_vfio_user_counters(rig.server, NULL, NULL, 0), n);
  assert_string_equal(names[0], "clients");
  assert_int_equal(values[0], 1);
  assert_string_equal(names[shunt_vfio_user_counters_done()], "bad_length");
  assert_int_equal(rig_count(&rig, "there is none"), 0);
  assert_string_equal(shunt_vfio_user_last_fault(rig.server), "");
  assert_int_equal(rig_ask(&rig, 14, NULL, 0, &reply), ENOTSUP);
  assert_string_equal(shunt_vfio_user_last_fault(rig.server), "command 14");
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      RIG_TEST(version_agrees_on_what_both_can),
      RIG_TEST(versions_that_cant_be_end_the_connection),
      RIG_TEST(nothing_goes_before_version_and_no_second_one),
      RIG_TEST(what_a_client_leaves_is_cleared_for_the_next),
      RIG_TEST(the_device_tells_what_it_is),
      RIG_TEST(areas_come_with_their_file_when_there_is_room),
      RIG_TEST(who_maps_areas_cant_cut_their_file),
      RIG_TEST(other_regions_have_a_length_or_none),
      RIG_TEST(without_areas_every_access_is_a_message),
      RIG_TEST(interrupts_are_told_by_kind),
      RIG_TEST(registers_are_read_and_written_in_their_width),
      RIG_TEST(configuration_space_keeps_what_may_not_be_written),
      RIG_TEST(accesses_outside_are_refused),
      RIG_TEST(posted_writes_get_no_answer_not_even_a_refusal),
      RIG_TEST(many_writes_fit_in_one_message),
      RIG_TEST(reset_reaches_the_model),
      RIG_TEST(unknown_commands_are_not_supported),
      RIG_TEST(counters_have_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
