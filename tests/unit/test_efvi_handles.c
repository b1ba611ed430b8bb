/* SPDX-License-Identifier: BSD-2-Clause */
/* What ends with what: a driver handle that is closed before all else is freed, domains and memory
 * that are given back in any order, and structures that are gone, on a software 82599. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>

#include "efvi_rig.h"

#define HALF_BYTES ((size_t)RIG_BUFS / 2 * RIG_BUF_BYTES)

/* All that a program makes. */
struct made {
  ef_driver_handle handle;
  ef_pd pd;
  ef_vi vi, sender, member;
  ef_vi_set set;
  ef_pio pio;
  ef_memreg memreg;
};

static int vi_make(ef_driver_handle handle, ef_pd *pd, ef_vi *vi, ef_vi *evq)
{
  return ef_vi_alloc_from_pd(vi, handle, pd, handle, -1, -1, -1, evq, evq ? handle : -1,
                             EF_VI_FLAGS_DEFAULT);
}

static int filter_add(ef_vi *vi, ef_driver_handle handle, uint16_t port)
{
  ef_filter_spec spec;
  ef_filter_spec_init(&spec, EF_FILTER_FLAG_NONE);
  assert_int_equal(ef_filter_spec_set_ip4_local(&spec, IPPROTO_UDP, htonl(0x0a000002), htons(port)),
                   0);
  return ef_vi_filter_add(vi, handle, &spec, NULL);
}

static int memory_register(struct rig *rig, ef_driver_handle handle, ef_pd *pd, ef_memreg *memreg)
{
  return ef_memreg_alloc(memreg, handle, pd, handle, rig->memory, HALF_BYTES);
}

/* A device of three queues: an interface that receives, one that sends and has its events there,
 * and one of a set. */
static void make(struct rig *rig, struct made *made)
{
  assert_int_equal(ef_driver_open(&made->handle), 0);
  const ef_driver_handle dh = made->handle;
  assert_int_equal(ef_pd_alloc_by_name(&made->pd, dh, "eth0", EF_PD_DEFAULT), 0);
  assert_int_equal(vi_make(dh, &made->pd, &made->vi, NULL), 0);
  assert_int_equal(vi_make(dh, &made->pd, &made->sender, &made->vi), 1);
  assert_int_equal(ef_vi_set_alloc_from_pd(&made->set, dh, &made->pd, dh, 1), 0);
  assert_int_equal(ef_vi_alloc_from_set(&made->member, dh, &made->set, dh, 0, -1, -1, -1, NULL, -1,
                                        EF_VI_FLAGS_DEFAULT),
                   2);
  assert_int_equal(ef_pio_alloc(&made->pio, dh, &made->pd, 2048, dh), 0);
  assert_int_equal(ef_pio_link_vi(&made->pio, dh, &made->sender, dh), 0);
  assert_int_equal(memory_register(rig, dh, &made->pd, &made->memreg), 0);
  assert_int_equal(filter_add(&made->vi, dh, 2000), 0);
}

static void receive_one(struct rig *rig, ef_vi *vi, ef_addr addr, int id)
{
  assert_int_equal(ef_vi_get_mac(vi, vi->dh, rig->mac), 0);
  assert_int_equal(ef_vi_receive_post(vi, addr, id), 0);
  rig_run(rig, 1000);
  rig_send_udp(rig, 100, 2000, 7);
  rig_run(rig, 50);
  assert_int_equal(ef_eventq_poll(vi, rig->events, RIG_EVENTS), 1);
  assert_int_equal(EF_EVENT_RX_RQ_ID(rig->events[0]), id);
}

/* With the handle closed, freeing says yes, and at the second time that there is nothing. */
static void free_late(struct made *made)
{
  const ef_driver_handle dh = made->handle;
  for (int result = 0; result >= -EINVAL; result -= EINVAL) {
    assert_int_equal(ef_pio_free(&made->pio, dh), result);
    assert_int_equal(ef_vi_free(&made->member, dh), result);
    assert_int_equal(ef_vi_free(&made->sender, dh), result);
    assert_int_equal(ef_vi_free(&made->vi, dh), result);
    assert_int_equal(ef_vi_set_free(&made->set, dh), result);
    assert_int_equal(ef_memreg_free(&made->memreg, dh), result);
    assert_int_equal(ef_pd_free(&made->pd, dh), result);
  }
}

/* Round after round with the same structures, of which every other frees nothing but the addresses,
 * which are the program's. What is called after the handle was closed fails. */
static void closed_first(void **state)
{
  struct rig *rig = *state;
  struct made made;
  memset(&made, 0xEE, sizeof(made));
  setenv("SHUNT_EFVI_DEVICE", "eth0=ixgbe:twin?wire=w&queues=3", 1);
  for (int round = 0; round < 4; round++) {
    make(rig, &made);
    const ef_addr addr = ef_memreg_dma_addr(&made.memreg, 0);
    receive_one(rig, &made.vi, addr, 5);
    assert_int_equal(ef_vi_transmit(&made.sender, addr, 100, 3), 0); /* is waited for */
    assert_int_equal(ef_driver_close(made.handle), 0);
    assert_int_equal(ef_driver_close(made.handle), -EBADF);
    assert_ptr_equal(efvi_state()->devices, efvi_pd_of(&rig->pd)->device); /* that one alone */
    assert_null(efvi_state()->devices->next);
    assert_null(efvi_state()->pds->next);
    assert_null(efvi_state()->pios);
    assert_null(efvi_state()->sets);
    assert_int_equal(ef_eventq_poll(&made.vi, rig->events, RIG_EVENTS), -EINVAL);
    assert_int_equal(ef_vi_receive_post(&made.vi, addr, 0), -EINVAL);
    assert_int_equal(ef_vi_transmit(&made.sender, addr, 100, 3), -EINVAL);
    assert_int_equal(filter_add(&made.vi, rig->handle, 2000), -EINVAL);
    assert_int_equal(vi_make(rig->handle, &made.pd, &made.vi, NULL), -EINVAL);
    assert_null(ef_pd_interface_name(&made.pd));
    if (round & 1)
      free_late(&made);
    else
      assert_int_equal(ef_memreg_free(&made.memreg, made.handle), 0);
  }
}

/* What was made with another handle stays, if with less: not its event queue, nor the memory. */
static void two_handles(void **state)
{
  struct rig *rig = *state;
  ef_driver_handle first, second;
  ef_pd pd;
  ef_vi vi, other, sender;
  ef_memreg memreg, kept;
  setenv("SHUNT_EFVI_DEVICE", "eth0=ixgbe:twin?wire=w&queues=3", 1);
  assert_int_equal(ef_driver_open(&first), 0);
  assert_int_equal(ef_driver_open(&second), 0);
  assert_int_equal(ef_pd_alloc_by_name(&pd, first, "eth0", EF_PD_DEFAULT), 0);
  assert_int_equal(vi_make(first, &pd, &other, NULL), 0);
  assert_int_equal(vi_make(second, &pd, &sender, &other), 1);
  assert_int_equal(vi_make(second, &pd, &vi, NULL), 2);
  assert_int_equal(memory_register(rig, first, &pd, &memreg), 0);
  assert_int_equal(memory_register(rig, second, &pd, &kept), 0);
  assert_int_equal(filter_add(&vi, second, 2000), 0);
  assert_int_equal(ef_driver_close(first), 0);
  assert_int_equal(ef_vi_transmit(&sender, ef_memreg_dma_addr(&kept, 0), 100, 3), -EINVAL);
  assert_int_equal(vi_make(second, &pd, &other, NULL), -EINVAL);
  assert_int_equal(ef_vi_receive_post(&vi, ef_memreg_dma_addr(&memreg, 0), 4), -EFAULT);
  receive_one(rig, &vi, ef_memreg_dma_addr(&kept, 0), 5);
  assert_int_equal(ef_memreg_free(&memreg, first), 0);
  assert_int_equal(ef_vi_free(&sender, second), 0);
  assert_int_equal(ef_driver_close(second), 0);
  assert_int_equal(ef_memreg_free(&kept, second), 0);
  assert_null(efvi_state()->pds->next);
}

/* Domains are plain data, and are given back before what was made in them. */
static void domains(void **state)
{
  struct rig *rig = *state;
  ef_pd pd, copy, other;
  ef_vi vi;
  ef_memreg memreg;
  const ef_driver_handle dh = rig->handle;
  assert_int_equal(ef_pd_alloc_by_name(&pd, dh, "eth0", EF_PD_DEFAULT), 0);
  copy = pd;
  assert_int_equal(ef_pd_alloc_by_name(&pd, dh, "eth0", EF_PD_DEFAULT), 0); /* the next one */
  other = copy;
  memset(&copy, 0xEE, sizeof(copy));
  assert_string_equal(ef_pd_interface_name(&other), "eth0");
  assert_int_equal(vi_make(dh, &other, &vi, NULL), 0);
  assert_int_equal(memory_register(rig, dh, &other, &memreg), 0);
  assert_int_equal(filter_add(&vi, dh, 2000), 0);
  assert_int_equal(ef_pd_free(&other, dh), 0);
  assert_int_equal(ef_pd_free(&other, dh), -EINVAL);
  assert_int_equal(memory_register(rig, dh, &other, &memreg), -EINVAL);
  receive_one(rig, &vi, ef_memreg_dma_addr(&memreg, 0), 5);
  assert_int_equal(ef_vi_free(&vi, dh), 0);
  assert_int_equal(ef_memreg_free(&memreg, dh), 0);
  assert_int_equal(ef_pd_free(&pd, dh), 0);
  assert_null(efvi_state()->pds->next); /* the rig's */
}

/* --- Memory that is gone ------------------------------------------------------------------------
 */

/* Give it back, in whichever way: the checked build refuses the other. */
static void give_back(struct rig *rig, ef_memreg *memreg, ef_driver_handle handle)
{
#ifndef SHUNT_CHECKED
  assert_int_equal(ef_memreg_free(memreg, rig->handle), 0);
#endif
  assert_int_equal(ef_driver_close(handle), 0);
#ifdef SHUNT_CHECKED
  assert_int_equal(ef_memreg_free(memreg, rig->handle), 0);
#endif
}

static void send_three(struct rig *rig, unsigned n)
{
  unsigned came = 0;
  for (uint8_t mark = 1; mark <= 3; mark++)
    rig_send_udp(rig, 1000, 2000, mark);
  for (int now; (now = ef_eventq_poll(&rig->vi, rig->events + came, RIG_EVENTS / 2)) > 0;)
    came += (unsigned)now;
  assert_int_equal(came, n);
}

/* Buffers of memory that was given back are filled for nobody; the others of the ring are what they
 * were, also where the same memory is registered once more. */
static void memory_gone(void **state)
{
  struct rig *rig = *state;
  ef_driver_handle handle;
  ef_memreg memreg, twice;
  assert_int_equal(ef_driver_open(&handle), 0);
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  rig_filter_all(rig);
  uint8_t *gone = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_int_equal(ef_memreg_alloc(&memreg, handle, &rig->pd, handle, gone, 8192), 0);
  assert_int_equal(ef_memreg_alloc(&twice, handle, &rig->pd, handle, rig->memory, 8192), 0);
  assert_int_equal(ef_vi_receive_post(&rig->vi, ef_memreg_dma_addr(&memreg, 0), 0), 0);
  assert_int_equal(ef_vi_receive_post(&rig->vi, rig_addr(rig, 1), 1), 0);
  assert_int_equal(ef_vi_receive_init(&rig->vi, ef_memreg_dma_addr(&memreg, 4096), 2), 0);
  give_back(rig, &memreg, handle);
  assert_int_equal(ef_memreg_free(&twice, handle), 0);
  munmap(gone, 8192);
  ef_vi_receive_push(&rig->vi);
  rig_run(rig, 1000);
  send_three(rig, 3);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(EF_EVENT_TYPE(rig->events[i]), EF_EVENT_TYPE_RX);
    assert_int_equal(EF_EVENT_RX_RQ_ID(rig->events[i]), i);
  }
  assert_int_equal(rig_data(rig, 1)[999], 2);
}

/* The same of a buffer that a packed stream is filling. */
static void packed_gone(void **state)
{
  struct rig *rig = *state;
  ef_driver_handle handle;
  ef_memreg memreg;
  const size_t bytes = 65536;
  assert_int_equal(ef_driver_open(&handle), 0);
  rig_open(rig, EF_VI_RX_PACKED_STREAM | EF_VI_RX_PS_BUF_SIZE_64K, 0);
  rig_filter_all(rig);
  uint8_t *gone = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_int_equal(ef_memreg_alloc(&memreg, handle, &rig->pd, handle, gone, 2 * bytes), 0);
  for (unsigned i = 0; i < 2; i++)
    assert_int_equal(
        ef_vi_receive_post(&rig->vi, ef_memreg_dma_addr(&memreg, i * bytes), (ef_request_id)i), 0);
  send_three(rig, 1);
  give_back(rig, &memreg, handle);
  munmap(gone, 2 * bytes);
  for (unsigned sent = 0; sent < 90; sent += 3) /* to the end of both */
    send_three(rig, 1);
}

/* The program has freed nothing, and uses the structures' memory otherwise, or has it no more. */
static void structures_gone(void **state)
{
  struct rig *rig = *state;
  ef_driver_handle handle, other;
  uint8_t used[sizeof(ef_vi)];
  ef_vi third;
  assert_true(sizeof(ef_vi) <= 4096);
  setenv("SHUNT_EFVI_DEVICE", "eth0=ixgbe:twin?wire=w&queues=3", 1);
  assert_int_equal(ef_driver_open(&other), 0);
  for (int round = 0; round < 4; round++) {
    assert_int_equal(ef_driver_open(&handle), 0);
    ef_pd *pd = calloc(1, sizeof(*pd));
    ef_vi *vi = calloc(1, sizeof(*vi));
    ef_vi *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ef_pio *pio = (void *)(page + 1);
    assert_int_equal(ef_pd_alloc_by_name(pd, handle, "eth0", EF_PD_DEFAULT), 0);
    assert_int_equal(vi_make(handle, pd, round & 1 ? page : vi, NULL), 0);
    assert_int_equal(vi_make(handle, pd, round & 1 ? vi : page, round & 1 ? page : vi), 1);
    assert_int_equal(vi_make(other, pd, &third, round & 1 ? page : vi), 2);
    assert_int_equal(ef_pio_alloc(pio, handle, pd, 2048, handle), 0);
    assert_int_equal(ef_pio_link_vi(pio, handle, vi, handle), 0);
    assert_int_equal(filter_add(vi, handle, 2000), 0);
    memset(pd, 0xAA, sizeof(*pd));
    memset(vi, 0xAA, sizeof(*vi));
    memcpy(used, vi, sizeof(used));
    munmap(page, 4096);
    assert_int_equal(ef_driver_close(handle), 0);
    assert_memory_equal(vi, used, sizeof(used));
    assert_int_equal(ef_eventq_poll(&third, rig->events, RIG_EVENTS), -EINVAL);
    assert_ptr_equal(efvi_state()->devices, efvi_pd_of(&rig->pd)->device);
    assert_null(efvi_state()->devices->next);
    free(pd);
    free(vi);
  }
  assert_int_equal(ef_driver_close(other), 0);
}

int main(void)
{
#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
  const struct CMUnitTest tests[] = {
      ON_RIG(closed_first), ON_RIG(two_handles), ON_RIG(domains),
      ON_RIG(memory_gone),  ON_RIG(packed_gone), ON_RIG(structures_gone),
  };
  return cmocka_run_group_tests_name("efvi_handles", tests, NULL, NULL);
}
