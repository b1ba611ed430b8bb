/* SPDX-License-Identifier: BSD-2-Clause */
/* A node of scalable reliable datagrams, and frames of whoever sends them. The input is a list of
 * packets (length, time that passed, bytes); the envelope is made right, so that what is behind it
 * is reached. Nothing may be touched outside the memory that the node was given, and every answer
 * must be one that it would take itself. */
#include <stdlib.h>
#include <string.h>

#include "shunt/bytes.h"
#include "shunt/checksum.h"
#include "src/srd/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MEMORY 4096u
#define WORKS  16u

static uint8_t memory[MEMORY];
static struct srd_work works[WORKS];
static bool running[WORKS];

static void transmit(void *context, const struct iovec pieces[], unsigned n)
{
  uint8_t frame[SRD_MTU_MOST + SRD_ACK_ROOM];
  uint32_t bytes = 0;
  (void)context;
  for (unsigned i = 0; i < n; i++) {
    memcpy(frame + bytes, pieces[i].iov_base, pieces[i].iov_len);
    bytes += (uint32_t)pieces[i].iov_len;
  }
  struct srd_packet packet;
  struct srd_gid source, destination;
  if (srd_packet_parse(frame, bytes, &packet, &source, &destination) != SRD_PARSE_OK)
    abort();
}

static enum srd_status source(void *context, const struct srd_work *work, uint32_t offset,
                              uint32_t bytes, struct iovec pieces[], unsigned *n)
{
  (void)context, (void)work;
  if (offset > MEMORY || bytes > MEMORY - offset)
    abort();
  pieces[0] = (struct iovec){memory + offset, bytes};
  *n = 1;
  return SRD_OK;
}

static enum srd_status place(void *context, const struct srd_work *work, uint32_t offset,
                             const void *data, uint32_t bytes)
{
  (void)context, (void)work;
  if (offset > MEMORY || bytes > MEMORY - offset)
    abort();
  memcpy(memory + offset, data, bytes);
  return SRD_OK;
}

static void done(void *context, struct srd_work *work, enum srd_status status)
{
  (void)context, (void)status;
  if (!running[work - works])
    abort(); /* ended twice */
  running[work - works] = false;
}

static enum srd_status receive(void *context, const struct srd_arrival *arrival, const void *data)
{
  (void)context;
  if (data && arrival->bytes > MEMORY)
    return SRD_REMOTE_BAD_LENGTH;
  if (data)
    memcpy(memory, data, arrival->bytes);
  return arrival->qkey & 1 ? SRD_REMOTE_RNR : SRD_OK;
}

static enum srd_status written(void *context, const struct srd_arrival *arrival, uint32_t rkey,
                               uint64_t address, const void *data, uint32_t bytes)
{
  (void)context, (void)arrival, (void)rkey;
  if (address > MEMORY || bytes > MEMORY - address)
    return SRD_REMOTE_BAD_ADDRESS;
  if (bytes)
    memcpy(memory + address, data, bytes);
  return SRD_OK;
}

static enum srd_status readable(void *context, const struct srd_arrival *arrival, uint32_t rkey,
                                uint64_t address, uint32_t bytes, struct iovec pieces[],
                                unsigned *n)
{
  (void)context, (void)arrival, (void)rkey;
  if (address > MEMORY || bytes > MEMORY - address)
    return SRD_REMOTE_BAD_ADDRESS;
  pieces[0] = (struct iovec){memory + address, bytes};
  *n = 1;
  return SRD_OK;
}

static void datagram(void *context, const struct srd_arrival *arrival, const void *data)
{
  (void)context;
  if (arrival->bytes <= MEMORY && arrival->bytes)
    memcpy(memory, data, arrival->bytes);
}

static const struct srd_ops ops = {transmit, source,  place,    done,
                                   receive,  written, readable, datagram};

/* Put the bytes into an envelope from peer to node, as the wire would bring them. */
static uint32_t wrap(uint8_t *frame, const struct srd_envelope *envelope, const uint8_t *bytes,
                     uint32_t n)
{
  memcpy(frame, envelope->bytes, SRD_FRAME_HEADER_BYTES);
  memcpy(frame + SRD_FRAME_HEADER_BYTES, bytes, n);
  shunt_store_be16(frame + 18, (uint16_t)(8 + n));
  shunt_store_be16(frame + 58, (uint16_t)(8 + n));
  uint32_t sum = shunt_checksum_add(envelope->sum + 8 + n, frame + 54, 8 + n);
  uint16_t checksum = shunt_checksum_finish(sum);
  shunt_store_be16(frame + 60, checksum ? checksum : 0xffff);
  return SRD_FRAME_HEADER_BYTES + n;
}

static void post(struct srd *srd, const struct srd_gid *peer, unsigned i, uint64_t now_ns)
{
  if (running[i])
    return;
  works[i] = (struct srd_work){.peer = srd_peer(srd, peer),
                               .op = (enum srd_op)(i % 3),
                               .has_immediate = i & 4,
                               .rnr_retries = (uint8_t)(i & 7),
                               .bytes = i % 3 == 0 ? i * 16 : i * 256};
  running[i] = true;
  srd_post(&works[i], now_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct shunt_mac mac = {{2, 0, 0, 0, 0, 1}}, peer_mac = {{2, 0, 0, 0, 0, 2}};
  struct srd_gid gid = srd_gid_of_mac(mac), peer = srd_gid_of_mac(peer_mac);
  struct srd_options options = {
      .mac = mac, .gid = gid, .incarnation = 1, .mtu = 512, .paths = 2, .peers = 4};
  struct srd_envelope envelope;
  struct srd *srd;
  uint64_t now_ns = 1;
  if (srd_create(&options, &ops, NULL, &srd, NULL))
    abort();
  memset(running, 0, sizeof(running));
  srd_envelope_make(&envelope, peer_mac, &peer, &gid);
  while (size >= 4) {
    uint8_t frame[SRD_FRAME_HEADER_BYTES + UINT8_MAX];
    uint32_t n = data[0];
    unsigned number = data[1] % WORKS;
    bool raw = data[1] & 0x80;
    now_ns += (uint64_t)data[2] << data[3] % 32;
    data += 4, size -= 4;
    n = n < size ? n : (uint32_t)size;
    post(srd, &peer, number, now_ns);
    if (raw)
      srd_receive(srd, data, n, now_ns);
    else
      srd_receive(srd, frame, wrap(frame, &envelope, data, n), now_ns);
    srd_poll(srd, now_ns);
    data += n, size -= n;
  }
  srd_destroy(srd);
  return 0;
}
