/* SPDX-License-Identifier: BSD-2-Clause */
/* How frames are spread over the queues: the Toeplitz hash of addresses and ports, and a table that
 * its low seven bits index (datasheet 7.1.2.8).
 *
 * A table entry has four bits (8.2.3.7.14), so the hash reaches queues 0-15; queues above are
 * reached by filters, which hold seven. */
#include <errno.h>
#include <string.h>

#include "src/nic/ixgbe/ixgbe.h"

/* The key of Microsoft's "Verifying the RSS Hash Calculation", for which everybody has test
 * vectors. Not random: the same flow takes the same queue after each start. */
static const uint8_t default_key[SHUNT_RSS_KEY_BYTES] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

static const struct {
  uint32_t field, bit;
} fields[] = {
    {SHUNT_RSS_IPV4, IXGBE_MRQC_RSS_IPV4},         {SHUNT_RSS_TCP_IPV4, IXGBE_MRQC_RSS_IPV4_TCP},
    {SHUNT_RSS_UDP_IPV4, IXGBE_MRQC_RSS_IPV4_UDP}, {SHUNT_RSS_IPV6, IXGBE_MRQC_RSS_IPV6},
    {SHUNT_RSS_TCP_IPV6, IXGBE_MRQC_RSS_IPV6_TCP}, {SHUNT_RSS_UDP_IPV6, IXGBE_MRQC_RSS_IPV6_UDP},
};
#define FIELDS     (sizeof(fields) / sizeof(fields[0]))
#define ALL_FIELDS ((SHUNT_RSS_UDP_IPV6 << 1) - 1)

/* 8.2.3.7.12 - .14; the key and the table lie in the registers first byte lowest. */
static void write_rss(struct ixgbe *ixgbe, const struct shunt_rss *rss)
{
  uint32_t dword, mrqc = IXGBE_MRQE_RSS;
  for (unsigned i = 0; i < IXGBE_RSS_KEY_BYTES / 4; i++) {
    memcpy(&dword, rss->key + 4 * i, 4);
    ixgbe_write(ixgbe, IXGBE_RSSRK(i), dword);
  }
  for (unsigned i = 0; i < IXGBE_RETA_ENTRIES / 4; i++) {
    memcpy(&dword, rss->table + 4 * i, 4);
    ixgbe_write(ixgbe, IXGBE_RETA(i), dword);
  }
  for (unsigned i = 0; i < FIELDS; i++)
    mrqc |= rss->fields & fields[i].field ? fields[i].bit : 0;
  ixgbe_write(ixgbe, IXGBE_MRQC, mrqc);
}

/* On with one queue too: the hash costs nothing, and received frames can carry it. */
void ixgbe_rss_start(struct ixgbe *ixgbe)
{
  unsigned queues =
      ixgbe->options.queues < IXGBE_RSS_QUEUES ? ixgbe->options.queues : IXGBE_RSS_QUEUES;
  struct shunt_rss rss = {.size = sizeof(rss), .fields = ALL_FIELDS};
  memcpy(rss.key, default_key, sizeof(rss.key));
  for (unsigned i = 0; i < IXGBE_RETA_ENTRIES; i++)
    rss.table[i] = (uint8_t)(i % queues);
  write_rss(ixgbe, &rss);
}

int ixgbe_rss_set(struct shunt_port *port, const struct shunt_rss *rss, struct shunt_error *error)
{
  if (rss->fields & ~ALL_FIELDS) {
    shunt_error_set(error, -EOPNOTSUPP, "the 82599 can't hash fields %08x",
                    rss->fields & ~ALL_FIELDS);
    shunt_error_why(error, "MRQC knows %08x: IPv4 and IPv6, alone and with TCP or UDP ports",
                    ALL_FIELDS);
    return -EOPNOTSUPP;
  }
  for (unsigned i = 0; i < IXGBE_RETA_ENTRIES; i++) {
    if (rss->table[i] < IXGBE_RSS_QUEUES)
      continue;
    shunt_error_set(error, -EOPNOTSUPP, "RSS table entry %u can't name queue %u", i, rss->table[i]);
    shunt_error_why(error, "an entry of the 82599's table has four bits: queues 0 to 15");
    shunt_error_remedy(error, "reach the queues above by filters");
    return -EOPNOTSUPP;
  }
  write_rss(ixgbe_of(port), rss);
  return 0;
}

int ixgbe_rss_get(struct shunt_port *port, struct shunt_rss *rss, struct shunt_error *error)
{
  struct ixgbe *ixgbe = ixgbe_of(port);
  (void)error;
  for (unsigned i = 0; i < IXGBE_RSS_KEY_BYTES / 4; i++) {
    uint32_t dword = ixgbe_read(ixgbe, IXGBE_RSSRK(i));
    memcpy(rss->key + 4 * i, &dword, 4);
  }
  for (unsigned i = 0; i < IXGBE_RETA_ENTRIES; i++)
    rss->table[i] =
        (uint8_t)((ixgbe_read(ixgbe, IXGBE_RETA(i / 4)) & IXGBE_RETA_ENTRY(i)) >> (8 * (i % 4)));
  uint32_t mrqc = ixgbe_read(ixgbe, IXGBE_MRQC);
  rss->fields = 0;
  for (unsigned i = 0; i < FIELDS; i++)
    rss->fields |= mrqc & fields[i].bit ? fields[i].field : 0;
  return 0;
}
