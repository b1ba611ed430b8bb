/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shunt/ethernet.h"

static const struct shunt_mac ours = {{0x02, 0x00, 0x5e, 0x10, 0x00, 0xaf}};
static const struct shunt_mac theirs = {{0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee}};

static void mac_text_goes_there_and_back(void **state)
{
  char text[SHUNT_MAC_TEXT_BYTES];
  struct shunt_mac mac;
  (void)state;

  assert_int_equal(shunt_mac_parse("02:00:5E:10:00:aF", &mac), 0);
  assert_true(shunt_mac_equal(mac, ours));
  assert_string_equal(shunt_mac_format(mac, text), "02:00:5e:10:00:af");
}

static void mac_text_is_strict(void **state)
{
  static const char *const wrong[] = {
      "",
      "02",
      "02:00:5e:10:00",
      "02:00:5e:10:00:",
      "02:00:5e:10:00:a",
      "02:00:5e:10:00:af:",
      "02:00:5e:10:00:af ",
      " 02:00:5e:10:00:af",
      "02-00-5e-10-00-af",
      "2:0:5e:10:0:af",
      "02:00:5e:10:00:ag",
      "02:00:5e:10:00:g0",
      "02005e1000af",
      "02:00:5e:10:00:af:01",
  };
  (void)state;

  for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    struct shunt_mac mac = theirs;
    assert_int_equal(shunt_mac_parse(wrong[i], &mac), -EINVAL);
    assert_true(shunt_mac_equal(mac, theirs));
  }
}

static void group_addresses(void **state)
{
  static const struct shunt_mac broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
  static const struct shunt_mac almost = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}};
  static const struct shunt_mac group = {{0x01, 0x00, 0x5e, 0x00, 0x00, 0x01}};
  (void)state;

  assert_true(shunt_mac_is_group(broadcast));
  assert_true(shunt_mac_is_broadcast(broadcast));
  assert_true(shunt_mac_is_group(almost));
  assert_false(shunt_mac_is_broadcast(almost));
  assert_true(shunt_mac_is_group(group));
  assert_false(shunt_mac_is_group(ours));
  assert_false(shunt_mac_equal(ours, theirs));
}

static void header_is_written_in_order(void **state)
{
  static const uint8_t expected[] = {0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0x02,
                                     0x00, 0x5e, 0x10, 0x00, 0xaf, 0x08, 0x06};
  uint8_t frame[SHUNT_ETHERNET_HEADER_BYTES];
  (void)state;

  assert_int_equal(shunt_ethernet_build(frame, theirs, ours, SHUNT_ETHERNET_TYPE_ARP), 14);
  assert_memory_equal(frame, expected, sizeof(expected));
}

static void padding_fills_with_zeros_up_to_the_minimum(void **state)
{
  uint8_t frame[64];
  (void)state;

  memset(frame, 0xee, sizeof(frame));
  assert_int_equal(shunt_ethernet_pad(frame, 42, 64), 60);
  assert_int_equal(frame[41], 0xee);
  for (unsigned i = 42; i < 60; i++)
    assert_int_equal(frame[i], 0);
  assert_int_equal(frame[60], 0xee);
  assert_int_equal(shunt_ethernet_pad(frame, 60, 60), 60);
  assert_int_equal(shunt_ethernet_pad(frame, 61, 64), 61);
  assert_int_equal(shunt_ethernet_pad(frame, 42, 59), 0);
  assert_int_equal(shunt_ethernet_pad(frame, 65, 64), 0);
}

/* A frame whose bytes behind the header are 0, 1, 2, ... */
static uint32_t make_frame(uint8_t *frame, uint32_t bytes)
{
  shunt_ethernet_build(frame, theirs, ours, SHUNT_ETHERNET_TYPE_IPV4);
  for (uint32_t i = SHUNT_ETHERNET_HEADER_BYTES; i < bytes; i++)
    frame[i] = (uint8_t)(i - SHUNT_ETHERNET_HEADER_BYTES);
  return bytes;
}

static void assert_tagged(const uint8_t *frame, const uint8_t *untagged, uint32_t untagged_bytes)
{
  static const uint8_t tag[] = {0x81, 0x00, 0xa0, 0x2a};
  assert_memory_equal(frame, untagged, 12);
  assert_memory_equal(frame + 12, tag, sizeof(tag));
  assert_memory_equal(frame + 16, untagged + 12, untagged_bytes - 12);
}

static void tag_is_inserted_and_removed_behind_the_addresses(void **state)
{
  uint8_t frame[68];
  uint8_t original[64];
  uint16_t type = 0;
  uint16_t control = 0;
  (void)state;

  make_frame(original, sizeof(original));
  memcpy(frame, original, sizeof(original));
  uint16_t tag = 5 << SHUNT_VLAN_PRIORITY_SHIFT | 42;
  assert_int_equal(shunt_vlan_insert(frame, 64, 68, SHUNT_ETHERNET_TYPE_VLAN, tag), 68);
  assert_tagged(frame, original, 64);
  assert_int_equal(shunt_vlan_remove(frame, 68, &type, &control), 64);
  assert_memory_equal(frame, original, 64);
  assert_int_equal(type, SHUNT_ETHERNET_TYPE_VLAN);
  assert_int_equal(control, tag);
}

static void tag_is_inserted_and_removed_in_headroom(void **state)
{
  uint8_t buffer[4 + 64];
  uint8_t original[64];
  uint16_t control = 0;
  (void)state;

  make_frame(original, sizeof(original));
  memcpy(buffer + 4, original, sizeof(original));
  uint16_t tag = 5 << SHUNT_VLAN_PRIORITY_SHIFT | 42;
  assert_ptr_equal(shunt_vlan_insert_headroom(buffer + 4, SHUNT_ETHERNET_TYPE_VLAN, tag), buffer);
  assert_tagged(buffer, original, 64);
  assert_ptr_equal(shunt_vlan_remove_headroom(buffer, 68, NULL, &control), buffer + 4);
  assert_memory_equal(buffer + 4, original, 64);
  assert_int_equal(control, tag);
}

static void tag_that_does_not_fit_changes_nothing(void **state)
{
  uint8_t frame[64];
  uint8_t original[64];
  (void)state;

  make_frame(original, sizeof(original));
  memcpy(frame, original, sizeof(original));
  assert_int_equal(shunt_vlan_insert(frame, 64, 64, SHUNT_ETHERNET_TYPE_VLAN, 1), 0);
  assert_int_equal(shunt_vlan_insert(frame, 61, 64, SHUNT_ETHERNET_TYPE_VLAN, 1), 0);
  assert_int_equal(shunt_vlan_insert(frame, 65, 64, SHUNT_ETHERNET_TYPE_VLAN, 1), 0);
  assert_int_equal(shunt_vlan_insert(frame, 13, 64, SHUNT_ETHERNET_TYPE_VLAN, 1), 0);
  assert_memory_equal(frame, original, sizeof(frame));
  assert_int_equal(shunt_vlan_insert(frame, 60, 64, SHUNT_ETHERNET_TYPE_VLAN, 1), 64);
}

static void no_whole_tag_is_not_removed(void **state)
{
  uint8_t frame[64];
  uint16_t type = 1;
  uint16_t control = 2;
  (void)state;

  make_frame(frame, 60);
  assert_int_equal(shunt_vlan_remove(frame, 60, &type, &control), 0);
  assert_null(shunt_vlan_remove_headroom(frame, 60, &type, &control));
  assert_int_equal(shunt_vlan_insert(frame, 60, 64, SHUNT_ETHERNET_TYPE_VLAN_S, 7), 64);
  for (uint32_t bytes = 0; bytes < 18; bytes++)
    assert_int_equal(shunt_vlan_remove(frame, bytes, &type, &control), 0);
  assert_int_equal(type, 1);
  assert_int_equal(control, 2);
  assert_int_equal(shunt_vlan_remove(frame, 18, &type, NULL), 14);
  assert_int_equal(type, SHUNT_ETHERNET_TYPE_VLAN_S);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(mac_text_goes_there_and_back),
      cmocka_unit_test(mac_text_is_strict),
      cmocka_unit_test(group_addresses),
      cmocka_unit_test(header_is_written_in_order),
      cmocka_unit_test(padding_fills_with_zeros_up_to_the_minimum),
      cmocka_unit_test(tag_is_inserted_and_removed_behind_the_addresses),
      cmocka_unit_test(tag_is_inserted_and_removed_in_headroom),
      cmocka_unit_test(tag_that_does_not_fit_changes_nothing),
      cmocka_unit_test(no_whole_tag_is_not_removed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
