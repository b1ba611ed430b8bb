/* SPDX-License-Identifier: BSD-2-Clause */
/* The software EFA, and a driver that does whatever it likes. The device is set up (admin queues, a
 * region, a queue pair that talks to itself); then the input is a list of steps:
 *
 *   0  an admin command: an opcode, flags, and up to 60 bytes    1  a register is written
 *   2  a work request in the send queue, and its doorbell        3  a receive descriptor, likewise
 *   4  a doorbell is written                                     5  DMA memory is written
 *   6  time passes                                               7  a frame arrives
 *
 * Nothing may be touched outside the memory that the device was given: what lies around it is
 * poisoned by the sanitizer. */
#include <stdint.h>

#include "tests/unit/twin_efa_rig.h"

#define REGISTERS 32u /* dwords that are looked at */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
  const uint8_t *at, *end;
};

/* The next n bytes, and zeros where there are none left. */
static void take(struct input *input, void *to, size_t n)
{
  size_t left = (size_t)(input->end - input->at);
  size_t got = n < left ? n : left;
  memset(to, 0, n);
  if (got)
    memcpy(to, input->at, got);
  input->at += got;
}

static uint32_t take32(struct input *input)
{
  uint32_t value;
  take(input, &value, sizeof(value));
  return value;
}

static void command(struct rig_device *device, struct input *input)
{
  uint8_t entry[64];
  take(input, entry, sizeof(entry));
  rig_command(device, entry[2] % 24, entry, sizeof(entry), NULL);
}

static void work(struct rig_device *device, struct input *input)
{
  struct efa_tx_wqe wqe;
  take(input, &wqe, sizeof(wqe));
  if (wqe.meta.reserved & 1) { /* a request with sense, but for what the input changes */
    struct efa_tx_wqe good = rig_wqe(device, device, 1, RIG_DATA, wqe.data.sge[0].length);
    good.meta.ctrl1 ^= wqe.meta.ctrl1;
    good.meta.length = wqe.meta.length % 4;
    good.data.sge[0].address_lo ^= wqe.data.sge[0].address_lo;
    wqe = good;
  }
  rig_post_send(device, &wqe, sizeof(wqe));
}

static void receive(struct rig_device *device, struct input *input)
{
  struct efa_rx_desc desc;
  take(input, &desc, sizeof(desc));
  if (desc.lkey_ctrl & 1)
    desc.lkey_ctrl = (desc.lkey_ctrl & (EFA_RX_FIRST | EFA_RX_LAST)) | device->lkey;
  memcpy(device->memory + RIG_RQ + device->rq_count % RIG_RING * 16, &desc, sizeof(desc));
  *rig_doorbell(device, device->rq_doorbell) = ++device->rq_count;
}

static void step(struct rig *rig, struct rig_device *device, struct input *input)
{
  uint8_t kind, frame[256];
  take(input, &kind, 1);
  uint32_t a = take32(input);
  switch (kind % 8) {
  case 0:
    command(device, input);
    break;
  case 1:
    rig_write32(device, a % REGISTERS * 4, take32(input));
    break;
  case 2:
    work(device, input);
    break;
  case 3:
    receive(device, input);
    break;
  case 4:
    *rig_doorbell(device, a % device->model->bars[4].bytes / 4 * 4) = take32(input);
    break;
  case 5:
    take(input, device->memory + a % (RIG_DATA - 64), 64);
    break;
  case 6:
    rig_run(rig, (uint64_t)(a & 0xFFFF) << (a >> 28));
    break;
  case 7:
    take(input, frame, sizeof(frame));
    memcpy(frame, (uint8_t[]){2, 0, 0, 0xEF, 0xA0, 0}, 6);
    shunt_wire_send(shunt_twin_efa_end(rig->devices[1].model),
                    &(struct iovec){frame, a % sizeof(frame) + 1}, 1, rig->now_ns);
    break;
  }
}

/* Made once, and reset for each input: its memory is large. */
static struct rig *device_under_test(void)
{
  static struct rig rig;
  if (!rig.wire)
    rig_make(&rig, 0);
  for (unsigned i = 0; i < 2; i++) {
    shunt_model_reset(rig.devices[i].model);
    memset(rig.devices[i].memory, 0, RIG_DATA);
  }
  return &rig;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct input input = {data, data + size};
  struct rig *rig = device_under_test();
  struct rig_device *device = &rig->devices[0];
  rig_set_up(device);
  device->ah = rig_create_ah(device, &device->gid);
  rig_must(rig_create_qp(device, EFA_QP_SRD, 64, 0));
  rig_qp_up(device);
  while (input.at < input.end) {
    step(rig, device, &input);
    shunt_wire_poll(rig->wire, rig->now_ns);
  }
  rig_run(rig, 1000000);
  return 0;
}
