/* SPDX-License-Identifier: BSD-2-Clause */
/* Transmit offloads: VLAN tags, checksums, segmentation (datasheet 7.2.4, 7.2.5).
 *
 * The driver's buffers are read only: the headers that change are copied, everything behind them
 * goes to the wire from where it lies. */
#include <string.h>

#include "shunt/bytes.h"
#include "shunt/checksum.h"
#include "shunt/ethernet.h"
#include "twin/ixgbe/crc.h"
#include "twin/ixgbe/tx.h"

#define ADDRESS_BYTES 12u /* both MAC addresses: the tag comes behind */
#define IPV4_BYTES    20u
#define IPV6_BYTES    40u
#define TCP_BYTES     20u
#define UDP_BYTES     8u
#define CRC_BYTES     4u
/* A frame of PAYLEN's 256 KiB in segments of 32 bytes: smaller ones are no MSS that IP allows (RFC
 * 791: every path carries 68 bytes), and would keep one poll busy for long. */
#define SEGMENTS_MAX 8192u

/* What is to be done to a frame, in offsets into it. 0: not this one, for none can lie there. */
struct job {
  uint32_t header_bytes; /* to be copied */
  uint32_t ip_at, ip_bytes;
  uint32_t l4_at, l4_bytes;
  uint32_t sum_at; /* where the L4 checksum goes; it covers from l4_at to the end */
  uint32_t l4_type;
  uint32_t mss_bytes;
  bool is_tagged, is_ipv4, with_ip_sum, with_l4_sum;
  uint16_t vlan;
};

/* ---- Pieces ---- */

static void pieces_read(const struct twin_ixgbe_tx_frame *frame, uint8_t *to, uint32_t bytes)
{
  for (unsigned i = 0; bytes; i++) {
    const struct iovec *piece = &frame->pieces[i];
    uint32_t part = piece->iov_len < bytes ? (uint32_t)piece->iov_len : bytes;
    memcpy(to, piece->iov_base, part);
    to += part;
    bytes -= part;
  }
}

/* The pieces that hold frame[from, from + bytes). Returns how many. */
static unsigned pieces_cut(const struct twin_ixgbe_tx_frame *frame, uint32_t from, uint32_t bytes,
                           struct iovec out[])
{
  unsigned n = 0;
  for (unsigned i = 0; bytes; i++) {
    const struct iovec *piece = &frame->pieces[i];
    uint32_t length = (uint32_t)piece->iov_len;
    if (from >= length) {
      from -= length;
      continue;
    }
    uint32_t part = length - from < bytes ? length - from : bytes;
    out[n++] = (struct iovec){(uint8_t *)piece->iov_base + from, part};
    bytes -= part;
    from = 0;
  }
  return n;
}

/* The sum of pieces that follow an even number of bytes. What begins at an odd place is summed with
 * its bytes swapped (RFC 1071 2(B)). */
static uint32_t pieces_sum(const struct iovec pieces[], unsigned n)
{
  uint32_t sum = 0;
  bool is_odd = false;
  for (unsigned i = 0; i < n; i++) {
    uint16_t part = (uint16_t)~shunt_checksum(pieces[i].iov_base, pieces[i].iov_len);
    sum += is_odd ? __builtin_bswap16(part) : part;
    is_odd ^= pieces[i].iov_len & 1;
  }
  return sum;
}

/* ---- Sums in the copied header ---- */

/* UDP has no zero checksum: that stands for none (RFC 768). */
static void store_sum(const struct job *job, uint8_t *header, uint32_t sum)
{
  uint16_t checksum = shunt_checksum_finish(sum);
  if (checksum == 0 && job->l4_type == IXGBE_TXC_L4T_UDP)
    checksum = 0xFFFF;
  shunt_store_be16(header + job->sum_at, checksum);
}

static void sum_ip(const struct job *job, uint8_t *header)
{
  uint8_t *ip = header + job->ip_at;
  shunt_store_be16(ip + 10, 0);
  shunt_store_be16(ip + 10, shunt_checksum(ip, job->ip_bytes));
}

static void sum_sctp(const struct job *job, uint8_t *header, const struct iovec rest[], unsigned n)
{
  memset(header + job->sum_at, 0, 4);
  uint32_t crc =
      twin_ixgbe_crc32c_add(UINT32_MAX, header + job->l4_at, job->header_bytes - job->l4_at);
  for (unsigned i = 0; i < n; i++)
    crc = twin_ixgbe_crc32c_add(crc, rest[i].iov_base, rest[i].iov_len);
  crc = ~crc;
  memcpy(header + job->sum_at, &crc, sizeof(crc)); /* least significant byte first, RFC 9260 A */
}

/* 7.2.5: the driver has put the sum of the pseudo header where the checksum goes, so it is summed
 * like everything else. extra: what the driver could not know. */
static void sum_l4(const struct job *job, uint8_t *header, const struct iovec rest[], unsigned n,
                   uint32_t extra)
{
  if (job->l4_type == IXGBE_TXC_L4T_SCTP) {
    sum_sctp(job, header, rest, n);
    return;
  }
  uint32_t header_bytes = job->header_bytes - job->l4_at;
  uint32_t tail = pieces_sum(rest, n);
  if (header_bytes & 1) {
    tail = (tail & 0xFFFF) + (tail >> 16);
    tail = __builtin_bswap16((uint16_t)((tail & 0xFFFF) + (tail >> 16)));
  }
  store_sum(job, header, shunt_checksum_add(tail + extra, header + job->l4_at, header_bytes));
}

/* Send the copied header, with its tag inserted, and what lies behind it. pieces[0] is free. */
static void send_with_header(struct twin_ixgbe *twin, const struct job *job, uint8_t *header,
                             struct iovec pieces[], unsigned n, uint32_t bytes)
{
  uint32_t header_bytes = job->header_bytes;
  if (job->is_tagged) { /* 7.4.2; DMATXCTL.VT is the tag's EtherType */
    uint32_t type = HW_GET(IXGBE_DMATXCTL_VT, twin_ixgbe_get(twin, IXGBE_DMATXCTL));
    memmove(header + ADDRESS_BYTES + SHUNT_VLAN_TAG_BYTES, header + ADDRESS_BYTES,
            header_bytes - ADDRESS_BYTES);
    shunt_store_be16(header + ADDRESS_BYTES, (uint16_t)type);
    shunt_store_be16(header + ADDRESS_BYTES + 2, job->vlan);
    header_bytes += SHUNT_VLAN_TAG_BYTES;
    bytes += SHUNT_VLAN_TAG_BYTES;
  }
  pieces[0] = (struct iovec){header, header_bytes};
  twin_ixgbe_tx_send(twin, pieces, n + 1, bytes);
}

static void send_whole(struct twin_ixgbe *twin, const struct twin_ixgbe_tx_frame *frame,
                       const struct job *job)
{
  uint8_t header[TWIN_IXGBE_TX_HEADER_BYTES];
  struct iovec pieces[TWIN_IXGBE_TX_PIECES];
  unsigned n = pieces_cut(frame, job->header_bytes, frame->bytes - job->header_bytes, pieces + 1);
  if (!job->header_bytes) { /* CC alone: the context is looked at, nothing is changed */
    twin_ixgbe_tx_send(twin, pieces + 1, n, frame->bytes);
    return;
  }
  pieces_read(frame, header, job->header_bytes);
  if (job->with_ip_sum)
    sum_ip(job, header);
  if (job->with_l4_sum)
    sum_l4(job, header, pieces + 1, n, 0);
  send_with_header(twin, job, header, pieces, n, frame->bytes);
}

/* ---- Segmentation ---- */

/* 7.2.4.5: which TCP flags the first, the middle and the last segment keep. A frame that is all in
 * one segment keeps them all. */
static uint16_t segment_flags(const struct twin_ixgbe *twin, bool is_first, bool is_last)
{
  uint32_t low = twin_ixgbe_get(twin, IXGBE_DTXTCPFLGL);
  if (is_first && is_last)
    return 0xFFFF;
  uint32_t kept = is_first  ? HW_GET(IXGBE_DTXTCPFLGL_FIRST, low)
                  : is_last ? HW_GET(IXGBE_DTXTCPFLGH_LAST, twin_ixgbe_get(twin, IXGBE_DTXTCPFLGH))
                            : HW_GET(IXGBE_DTXTCPFLGL_MIDDLE, low);
  return (uint16_t)(0xF000u | kept); /* the data offset is no flag */
}

/* 7.2.4.5 - 7.2.4.7: lengths, IPv4 identification, TCP sequence number and flags of the segment
 * that begins at offset of the payload. */
static void segment_header(const struct twin_ixgbe *twin, const struct job *job, uint8_t *header,
                           uint32_t index, uint32_t bytes, bool is_last)
{
  uint8_t *ip = header + job->ip_at;
  uint8_t *l4 = header + job->l4_at;
  uint32_t l4_bytes = job->l4_bytes + bytes;
  if (job->is_ipv4) {
    shunt_store_be16(ip + 2, (uint16_t)(job->ip_bytes + l4_bytes));
    shunt_store_be16(ip + 4, (uint16_t)(shunt_load_be16(ip + 4) + index));
  } else {
    shunt_store_be16(ip + 4, (uint16_t)(job->ip_bytes - IPV6_BYTES + l4_bytes));
  }
  if (job->l4_type == IXGBE_TXC_L4T_UDP) {
    shunt_store_be16(l4 + 4, (uint16_t)l4_bytes);
    return;
  }
  shunt_store_be32(l4 + 4, shunt_load_be32(l4 + 4) + index * job->mss_bytes);
  uint16_t flags = segment_flags(twin, index == 0, is_last);
  shunt_store_be16(l4 + 12, shunt_load_be16(l4 + 12) & flags);
}

static void send_segments(struct twin_ixgbe *twin, const struct twin_ixgbe_tx_frame *frame,
                          const struct job *job)
{
  uint8_t original[TWIN_IXGBE_TX_HEADER_BYTES];
  uint32_t payload = frame->bytes - job->header_bytes;
  pieces_read(frame, original, job->header_bytes);
  uint32_t index = 0;
  for (uint32_t done = 0; done < payload; index++) {
    uint8_t header[TWIN_IXGBE_TX_HEADER_BYTES];
    struct iovec pieces[TWIN_IXGBE_TX_PIECES];
    uint32_t bytes = payload - done < job->mss_bytes ? payload - done : job->mss_bytes;
    unsigned n = pieces_cut(frame, job->header_bytes + done, bytes, pieces + 1);
    done += bytes;
    memcpy(header, original, job->header_bytes);
    segment_header(twin, job, header, index, bytes, done == payload);
    if (job->with_ip_sum)
      sum_ip(job, header);
    if (job->with_l4_sum) /* the pseudo header was summed without its length */
      sum_l4(job, header, pieces + 1, n, job->l4_bytes + bytes);
    send_with_header(twin, job, header, pieces, n, job->header_bytes + bytes);
  }
}

static bool segmentation_fits(const struct twin_ixgbe_tx_frame *frame, const struct job *job)
{
  bool is_tcp = job->l4_type == IXGBE_TXC_L4T_TCP;
  if (!is_tcp && job->l4_type != IXGBE_TXC_L4T_UDP)
    return false;
  if (!job->mss_bytes || job->ip_bytes < (job->is_ipv4 ? IPV4_BYTES : IPV6_BYTES) ||
      (is_tcp ? job->l4_bytes < TCP_BYTES : job->l4_bytes != UDP_BYTES) ||
      job->header_bytes >= frame->bytes)
    return false;
  uint32_t payload = frame->bytes - job->header_bytes;
  return payload == HW_GET(IXGBE_TXD_PAYLEN, frame->options) &&
         payload / job->mss_bytes <= SEGMENTS_MAX;
}

/* ---- What the descriptors ask for ---- */

/* Where the checksum lies in the L4 header, and how long it is. 0: no such protocol. */
static uint32_t sum_offset(uint32_t l4_type, uint32_t *bytes)
{
  *bytes = 2;
  switch (l4_type) {
  case IXGBE_TXC_L4T_TCP:
    return 16;
  case IXGBE_TXC_L4T_UDP:
    return 6;
  case IXGBE_TXC_L4T_SCTP:
    *bytes = 4;
    return 8;
  default:
    return 0;
  }
}

static void grow(struct job *job, uint32_t bytes)
{
  if (job->header_bytes < bytes)
    job->header_bytes = bytes;
}

/* 7.2.3.2.3, 7.2.3.2.4. false: the context does not fit the frame, or asks for what the chip, its
 * security block fused off, can't do. */
static bool job_of_context(const struct twin_ixgbe_tx_frame *frame, struct job *job)
{
  const struct twin_ixgbe_tx_context *context = frame->context;
  if (!context || context->tucmd & IXGBE_TXC_TUCMD_FCOE || frame->options & IXGBE_TXD_POPTS_IPSEC)
    return false;
  bool is_tso = frame->command & IXGBE_TXD_TSE;
  *job = (struct job){
      .is_tagged = frame->command & IXGBE_TXD_VLE,
      .vlan = context->vlan,
      .is_ipv4 = context->tucmd & IXGBE_TXC_TUCMD_IPV4,
      .l4_type = context->tucmd & IXGBE_TXC_TUCMD_L4T,
      .ip_at = context->mac_bytes,
      .ip_bytes = context->ip_bytes,
      .l4_at = context->mac_bytes + context->ip_bytes,
      .l4_bytes = context->l4_bytes,
      .mss_bytes = is_tso ? context->mss_bytes : 0,
      .with_l4_sum = frame->options & IXGBE_TXD_POPTS_TXSM,
  };
  job->with_ip_sum = job->is_ipv4 && frame->options & IXGBE_TXD_POPTS_IXSM; /* IPv6 has none */
  bool needs_ip = job->with_ip_sum || job->with_l4_sum || is_tso;
  if (needs_ip && (job->ip_at < SHUNT_ETHERNET_HEADER_BYTES || job->ip_bytes < IPV4_BYTES))
    return false;
  if (job->is_tagged)
    grow(job, ADDRESS_BYTES);
  if (job->with_ip_sum)
    grow(job, job->l4_at);
  if (job->with_l4_sum) {
    uint32_t bytes;
    uint32_t offset = sum_offset(job->l4_type, &bytes);
    if (!offset)
      return false;
    job->sum_at = job->l4_at + offset;
    grow(job, job->sum_at + bytes);
  }
  if (is_tso) {
    job->header_bytes = job->l4_at + job->l4_bytes;
    return segmentation_fits(frame, job);
  }
  return job->header_bytes <= frame->bytes;
}

/* 7.2.3.2.2: a checksum from byte CSS to the end, put at byte CSO; it includes what stood there. */
static bool job_of_legacy(const struct twin_ixgbe_tx_frame *frame, struct job *job)
{
  *job = (struct job){
      .is_tagged = frame->command & IXGBE_TXD_VLE,
      .vlan = (uint16_t)HW_GET(IXGBE_TXD_LEGACY_VLAN, frame->options),
      .with_l4_sum = frame->command & IXGBE_TXD_LEGACY_IC,
      .l4_at = HW_GET(IXGBE_TXD_LEGACY_CSS, frame->options),
      .l4_type = IXGBE_TXC_L4T_TCP, /* a plain sum: zero stays zero */
  };
  if (job->is_tagged)
    grow(job, ADDRESS_BYTES);
  if (job->with_l4_sum) {
    job->sum_at = HW_GET(IXGBE_TXD_LEGACY_CSO, frame->command);
    grow(job, job->sum_at + 2);
    if (job->l4_at > job->sum_at)
      return false;
  }
  return job->header_bytes <= frame->bytes;
}

void twin_ixgbe_offload(struct twin_ixgbe *twin, const struct twin_ixgbe_tx_frame *frame)
{
  struct job job;
  if (!(frame->is_legacy ? job_of_legacy(frame, &job) : job_of_context(frame, &job))) {
    twin->faults.bad_offload++;
    return;
  }
  if (!job.mss_bytes) {
    send_whole(twin, frame, &job);
    return;
  }
  uint32_t longest = job.header_bytes + (job.is_tagged ? SHUNT_VLAN_TAG_BYTES : 0) + CRC_BYTES;
  uint32_t payload = frame->bytes - job.header_bytes;
  longest += payload < job.mss_bytes ? payload : job.mss_bytes;
  if (longest > IXGBE_FRAME_MAX_BYTES) {
    twin->faults.oversized_frame++;
    return;
  }
  send_segments(twin, frame, &job);
}
