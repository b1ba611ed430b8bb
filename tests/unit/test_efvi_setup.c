/* SPDX-License-Identifier: BSD-2-Clause */
/* ef_vi's set-up calls: handles, names, domains, memory, interfaces, capabilities; and what each of
 * them says to what is wrong. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "efvi_rig.h"

static void handles(void **state)
{
  ef_driver_handle handle, twice;
  (void)state;
  assert_int_equal(ef_driver_open(NULL), -EINVAL);
  assert_int_equal(ef_driver_open(&handle), 0);
  assert_int_equal(ef_driver_open(&twice), 0);
  assert_int_not_equal(handle, twice);
  assert_true(fcntl(handle, F_GETFD) & FD_CLOEXEC);
  assert_int_equal(ef_driver_close(handle), 0);
  assert_int_equal(ef_driver_close(handle), -EBADF);
  assert_int_equal(ef_driver_close(-1), -EBADF);
  assert_int_equal(ef_driver_close(0), -EBADF); /* a descriptor, but not ours */
  assert_int_equal(ef_driver_close(twice), 0);
  assert_non_null(strstr(ef_vi_version_str(), "shunt"));
  assert_true(strlen(ef_vi_driver_interface_str()) > 0);
}

static void assert_resolves(const char *name, const char *map, int result, const char *device)
{
  struct shunt_error error = {0};
  char found[EFVI_NAME_BYTES] = "";
  assert_int_equal(efvi_name_resolve(name, map, found, &error), result);
  assert_int_equal(error.code, result);
  if (!result)
    assert_string_equal(found, device);
}

static void names(void **state)
{
  const char *map = "eth0=ixgbe:twin?wire=a&udp=127.0.0.1:1,127.0.0.1:2&loss=0.1,eth1=xdp:lo";
  (void)state;
  assert_resolves("eth0", map, 0, "ixgbe:twin?wire=a&udp=127.0.0.1:1,127.0.0.1:2&loss=0.1");
  assert_resolves("eth1", map, 0, "xdp:lo");
  assert_resolves("lo", map, 0, "xdp:lo");
  assert_resolves("lo", NULL, 0, "xdp:lo");
  assert_resolves("1", NULL, 0, "xdp:lo");
  assert_resolves("1", "lo=ixgbe:twin", 0, "ixgbe:twin");
  assert_resolves("1", "1=ixgbe:twin?wire=b", 0, "ixgbe:twin?wire=b");
  assert_resolves("ixgbe:0000:03:00.0", NULL, 0, "ixgbe:0000:03:00.0");
  assert_resolves("eth", map, -ENODEV, NULL);
  assert_resolves("efa:twin", NULL, -EOPNOTSUPP, NULL);
  assert_resolves("eth0", "eth0=efa:twin?wire=a", -EOPNOTSUPP, NULL);
  assert_resolves("999999", NULL, -ENODEV, NULL);
  assert_resolves("999999999999999", NULL, -ENODEV, NULL);
  assert_resolves("nosuch0", NULL, -ENODEV, NULL);
  assert_resolves("", NULL, -EINVAL, NULL);
  assert_resolves(NULL, NULL, -EINVAL, NULL);
  assert_resolves("eth0", "eth0", -EINVAL, NULL);
  assert_resolves("eth0", "=ixgbe:twin", -EINVAL, NULL);
  assert_resolves("eth0", "eth0=", -EINVAL, NULL);
  assert_resolves("eth0", "eth0=ixgbe:twin,", 0, "ixgbe:twin");
  assert_resolves("eth1", "eth0=ixgbe:twin,eth1=xdp:lo,", 0, "xdp:lo");
  char longest[5 + EFVI_NAME_BYTES + 1] = "eth0=";
  memset(longest + 5, 'a', EFVI_NAME_BYTES);
  assert_resolves("eth0", longest, -EINVAL, NULL);
  longest[5 + EFVI_NAME_BYTES - 1] = '\0';
  assert_resolves("eth0", longest, 0, longest + 5);
}

static void domains(void **state)
{
  struct rig *rig = *state;
  ef_pd pd = {0}, other;
  assert_int_equal(ef_pd_alloc_by_name(NULL, rig->handle, "eth0", EF_PD_DEFAULT), -EINVAL);
  assert_int_equal(ef_pd_alloc_by_name(&pd, -1, "eth0", EF_PD_DEFAULT), -EBADF);
  assert_int_equal(ef_pd_alloc_by_name(&pd, rig->handle, NULL, EF_PD_DEFAULT), -EINVAL);
  assert_int_equal(ef_pd_alloc_by_name(&pd, rig->handle, "nosuch0", EF_PD_DEFAULT), -ENODEV);
  assert_non_null(strstr(shunt_last_error()->what, "nosuch0"));
  assert_int_equal(ef_pd_alloc_by_name(&pd, rig->handle, "eth0", EF_PD_PHYS_MODE), -EOPNOTSUPP);
  assert_true(strlen(shunt_last_error()->why) > 0);
  assert_int_equal(ef_pd_alloc(&pd, rig->handle, 0, EF_PD_DEFAULT), -EINVAL);
  assert_int_equal(ef_pd_alloc(&pd, rig->handle, -3, EF_PD_DEFAULT), -EINVAL);
  assert_int_equal(ef_pd_alloc_with_vport(&pd, rig->handle, "eth0", EF_PD_VPORT, 5), -EOPNOTSUPP);
  assert_int_equal(ef_pd_alloc(&pd, rig->handle, 77, EF_PD_DEFAULT), 0);
  assert_string_equal(ef_pd_interface_name(&pd), "77"); /* of no interface, but the map knows it */
  assert_null(ef_pd_interface_name(NULL));
  assert_int_equal(ef_pd_alloc(&other, rig->handle, 1, EF_PD_DEFAULT), 0);
  assert_string_equal(ef_pd_interface_name(&other), "lo");
  assert_int_equal(ef_pd_free(&other, rig->handle), 0);
  assert_int_equal(ef_pd_alloc_by_name(&other, rig->handle, "1", EF_PD_DEFAULT), 0);
  assert_string_equal(ef_pd_interface_name(&other), "lo");
  assert_int_equal(ef_pd_free(&other, rig->handle), 0);
  assert_int_equal(
      ef_pd_alloc_with_vport(&other, rig->handle, "eth0", EF_PD_DEFAULT, EF_PD_VLAN_NONE), 0);
  assert_int_equal(ef_pd_free(&other, rig->handle), 0);
  assert_int_equal(ef_pd_free(&other, rig->handle), -EINVAL);
  assert_int_equal(ef_pd_free(NULL, rig->handle), -EINVAL);
  assert_int_equal(ef_pd_free(&pd, rig->handle), 0);
}

static void memory(void **state)
{
  struct rig *rig = *state;
  ef_memreg memreg = {0};
  uint8_t *base = rig->memory;
  const ef_driver_handle handle = rig->handle;
  assert_int_equal(ef_memreg_alloc(NULL, handle, &rig->pd, handle, base, 4096), -EINVAL);
  assert_int_equal(ef_memreg_alloc(&memreg, handle, &rig->pd, handle, NULL, 4096), -EINVAL);
  assert_int_equal(ef_memreg_alloc(&memreg, handle, &rig->pd, handle, base, 0), -EINVAL);
  assert_int_equal(ef_memreg_alloc(&memreg, handle, &rig->pd, handle, base + 64, 64), -EINVAL);
  assert_int_equal(ef_memreg_alloc(&memreg, handle, &rig->pd, handle, base, SIZE_MAX), -EINVAL);
  assert_int_equal(ef_memreg_alloc(&memreg, -1, &rig->pd, handle, base, 64), -EBADF);
  assert_int_equal(ef_memreg_alloc(&memreg, handle, NULL, handle, base, 64), -EINVAL);
  assert_int_equal(ef_memreg_alloc(&memreg, handle, &rig->pd, handle, base, (size_t)1 << 40),
                   -ENOSPC);
  /* Any length; the same memory twice. */
  assert_int_equal(ef_memreg_alloc(&memreg, handle, &rig->pd, handle, base, 4097), 0);
  assert_int_not_equal(ef_memreg_dma_addr(&memreg, 0), ef_memreg_dma_addr(&rig->memreg, 0));
  assert_int_equal(ef_memreg_dma_addr(&memreg, 4100) & 4095, 4);
  const ef_addr addr = ef_memreg_dma_addr(&memreg, 0);
  struct efvi_pd *pd = efvi_pd_of(&rig->pd);
  assert_ptr_equal(efvi_address(pd, addr + 10, 100), base + 10);
  assert_ptr_equal(efvi_address(pd, addr + 4000, 4192), base + 4000);
  assert_null(efvi_address(pd, addr + 4000, 4193)); /* behind its end */
  assert_null(efvi_address(pd, 0, 1));
  assert_null(efvi_address(pd, EF_INVALID_ADDR, 1));
  assert_null(efvi_address(pd, EF_INVALID_ADDR - 10, 100));
  assert_int_equal(ef_memreg_free(&memreg, handle), 0);
  assert_null(efvi_address(pd, addr, 1));
  assert_int_equal(ef_memreg_free(&memreg, handle), -EINVAL);
  assert_int_equal(ef_memreg_free(NULL, handle), -EINVAL);
}

static int alloc(struct rig *rig, ef_vi *vi, int rxq, int txq, ef_vi *evq, enum ef_vi_flags flags)
{
  return ef_vi_alloc_from_pd(vi, rig->handle, &rig->pd, rig->handle, -1, rxq, txq, evq,
                             evq ? rig->handle : -1, flags);
}

static void interfaces(void **state)
{
  struct rig *rig = *state;
  const ef_driver_handle handle = rig->handle;
  ef_vi second = {0}, third = {0};
  uint8_t mac[6];
  assert_int_equal(alloc(rig, NULL, -1, -1, NULL, EF_VI_FLAGS_DEFAULT), -EINVAL);
  assert_int_equal(alloc(rig, &second, -2, -1, NULL, EF_VI_FLAGS_DEFAULT), -EINVAL);
  assert_int_equal(alloc(rig, &second, 4097, -1, NULL, EF_VI_FLAGS_DEFAULT), -EINVAL);
  assert_int_equal(alloc(rig, &second, -1, -1, &third, EF_VI_FLAGS_DEFAULT), -EINVAL);
  assert_int_equal(alloc(rig, &second, -1, -1, NULL, EF_VI_RX_PHYS_ADDR), -EOPNOTSUPP);
  assert_int_equal(alloc(rig, &second, -1, -1, NULL, EF_VI_ISCSI_RX_HDIG), -EOPNOTSUPP);
  assert_int_equal(alloc(rig, &second, -1, -1, NULL, EF_VI_TX_TCPUDP_ONLY), -EOPNOTSUPP);
  assert_int_equal(alloc(rig, &second, -1, -1, NULL, EF_VI_TX_FILTER_IP), -EOPNOTSUPP);
  assert_int_equal(alloc(rig, &second, -1, -1, NULL, EF_VI_TX_FILTER_MAC), -EOPNOTSUPP);
  assert_int_equal(alloc(rig, &second, -1, -1, NULL, EF_VI_TX_FILTER_MASK_2), -EOPNOTSUPP);
  assert_int_equal(alloc(rig, &second, -1, -1, NULL, EF_VI_TX_TIMESTAMPS), -EOPNOTSUPP);
  assert_non_null(strstr(shunt_last_error()->why, "PTP"));
  assert_int_equal(alloc(rig, &second, -1, -1, NULL, EF_VI_TX_TIMESTAMPS | EF_VI_TX_ALT),
                   -EOPNOTSUPP);
  assert_int_equal(alloc(rig, &second, -1, -1, NULL, EF_VI_RX_PACKED_STREAM | EF_VI_RX_EVENT_MERGE),
                   -EINVAL);
  assert_int_equal(
      ef_vi_alloc_from_pd(&second, -1, &rig->pd, handle, -1, -1, -1, NULL, -1, EF_VI_FLAGS_DEFAULT),
      -EBADF);

  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  assert_int_equal(ef_vi_receive_capacity(&rig->vi), RIG_RING);
  assert_int_equal(ef_vi_transmit_capacity(&rig->vi), RIG_RING);
  assert_int_equal(ef_vi_receive_space(&rig->vi), RIG_RING);
  assert_int_equal(ef_vi_transmit_fill_level(&rig->vi), 0);
  assert_int_equal(ef_vi_mtu(&rig->vi, handle), 1514);
  assert_int_equal(ef_vi_mtu(&second, handle), 0);
  assert_int_equal(ef_vi_get_mac(&rig->vi, handle, NULL), -EINVAL);
  assert_int_equal(ef_vi_get_mac(&second, handle, mac), -EINVAL);
  assert_int_equal(ef_vi_instance(&rig->vi), 0);
  assert_true(ef_eventq_capacity(&rig->vi) > 0);
  assert_int_equal(ef_eventq_capacity(&second), -EINVAL);

  /* More than the first asked for, and more than there can be. */
  assert_int_equal(alloc(rig, &second, 1023, -1, NULL, EF_VI_FLAGS_DEFAULT), 1);
  assert_int_equal(ef_vi_receive_capacity(&second), 1023);
  assert_int_equal(ef_vi_free(&second, handle), 0);
  assert_int_equal(alloc(rig, &second, 2047, -1, NULL, EF_VI_FLAGS_DEFAULT), -EINVAL);
  assert_non_null(strstr(shunt_last_error()->remedy, "first"));
  assert_int_equal(alloc(rig, &second, 0, 63, &rig->vi, EF_VI_FLAGS_DEFAULT), 1);
  assert_int_equal(alloc(rig, &third, 63, 63, NULL, EF_VI_FLAGS_DEFAULT), -EBUSY);
  assert_non_null(strstr(shunt_last_error()->remedy, "queues="));
  assert_int_equal(ef_vi_receive_capacity(&second), 0);
  assert_int_equal(ef_vi_receive_post(&second, rig_addr(rig, 0), 0), -EAGAIN);
  assert_ptr_equal(ef_vi_get_vi_from_q_id(&rig->vi, 1), &second);
  assert_null(ef_vi_get_vi_from_q_id(&rig->vi, 2));
  assert_int_equal(ef_vi_free(&rig->vi, handle), -EBUSY);
  assert_int_equal(ef_vi_free(&second, handle), 0);
  assert_int_equal(ef_vi_free(&second, handle), -EINVAL);
  assert_int_equal(ef_vi_free(NULL, handle), -EINVAL);
  assert_int_equal(alloc(rig, &second, 63, 63, NULL, EF_VI_FLAGS_DEFAULT), 1); /* the queue again */
  assert_int_equal(ef_vi_free(&second, handle), 0);
}

/* Programs with several interfaces run as they are: whatever the first asked for, and whatever the
 * device's name says nothing of. */
static void several(void **state)
{
  struct rig *rig = *state;
  static const int rings[][2] = {{0, 63}, {-1, 0}, {1023, 1023}, {63, -1}};
  ef_vi vi[5] = {{0}};
  ef_pd pd = {0};
  setenv("SHUNT_EFVI_DEVICE", "eth0=ixgbe:twin?wire=w", 1);
  assert_int_equal(ef_pd_alloc_by_name(&pd, rig->handle, "eth0", EF_PD_DEFAULT), 0);
  for (int i = 0; i < 4; i++)
    assert_int_equal(ef_vi_alloc_from_pd(&vi[i], rig->handle, &pd, rig->handle, -1, rings[i][0],
                                         rings[i][1], NULL, -1, EF_VI_FLAGS_DEFAULT),
                     i);
  assert_int_equal(ef_vi_receive_capacity(&vi[1]), 511);
  assert_int_equal(ef_vi_transmit_capacity(&vi[2]), 1023);
  assert_int_equal(ef_vi_alloc_from_pd(&vi[4], rig->handle, &pd, rig->handle, -1, -1, -1, NULL, -1,
                                       EF_VI_FLAGS_DEFAULT),
                   -EBUSY);
  for (int i = 0; i < 4; i++)
    assert_int_equal(ef_vi_free(&vi[i], rig->handle), 0);
  assert_int_equal(ef_pd_free(&pd, rig->handle), 0);
}

/* What is called on an interface that was freed fails. */
static void freed(void **state)
{
  struct rig *rig = *state;
  ef_precisetime time;
  ef_request_id ids[EF_VI_TRANSMIT_BATCH];
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 1);
  ef_vi *vi = &rig->vi;
  assert_int_equal(ef_vi_free(vi, rig->handle), 0);
  const void *const *op = (const void *const *)(const void *)&vi->ops;
  for (size_t i = 0; i < sizeof(vi->ops) / sizeof(*op); i++)
    assert_non_null(op[i]);
  assert_int_equal(ef_eventq_poll(vi, rig->events, RIG_EVENTS), -EINVAL);
  assert_int_equal(ef_eventq_has_event(vi), 0);
  assert_int_equal(ef_vi_receive_init(vi, 4096, 0), -EINVAL);
  assert_int_equal(ef_vi_receive_post(vi, 4096, 0), -EINVAL);
  assert_int_equal(ef_vi_transmit(vi, 4096, 60, 0), -EINVAL);
  assert_int_equal(ef_vi_transmit_init(vi, 4096, 60, 0), -EINVAL);
  assert_int_equal(ef_vi_transmit_unbundle(vi, rig->events, ids), 0);
  assert_int_equal(ef_vi_receive_get_precise_timestamp(vi, rig->memory, &time), -EINVAL);
  assert_int_equal(ef_vi_flush(vi, rig->handle), -EINVAL);
  assert_int_equal(ef_vi_prime(vi, rig->handle, 0), -EINVAL);
  ef_vi_transmit_push(vi);
  ef_vi_receive_push(vi);
  ef_vi_transmit_init_undo(vi);
}

static void capabilities(void **state)
{
  struct rig *rig = *state;
  unsigned long value = 99;
  const ef_driver_handle handle = rig->handle;
  assert_int_equal(ef_vi_capabilities_max(), EF_VI_CAP_RX_FILTER_ID);
  for (int i = 0; i <= ef_vi_capabilities_max(); i++) {
    const enum ef_vi_capability cap = (enum ef_vi_capability)i;
    assert_non_null(ef_vi_capabilities_name(cap));
    for (int device = 0; device < 3; device++) { /* an 82599, by the other path, AF_XDP */
      value = 99;
      const int result = ef_vi_capabilities_get_from_pd_flags(
          handle, device == 2 ? 1 : 77, device == 1 ? EF_PD_EXPRESS : EF_PD_DEFAULT, cap, &value);
      const bool zero = cap == EF_VI_CAP_PIO || cap == EF_VI_CAP_CTPIO ||
                        cap == EF_VI_CAP_RX_FW_VARIANT || cap == EF_VI_CAP_TX_FW_VARIANT;
      assert_int_equal(result, value || zero ? 0 : -EOPNOTSUPP);
      assert_int_not_equal(value, 99);
    }
  }
  assert_int_equal(ef_vi_capabilities_get(handle, 77, EF_VI_CAP_HW_TX_TIMESTAMPING, &value),
                   -EOPNOTSUPP);
  assert_int_equal(ef_vi_capabilities_get(handle, 1, EF_VI_CAP_HW_TX_TIMESTAMPING, &value), 0);
  assert_null(ef_vi_capabilities_name(EF_VI_CAP_MAX));
  assert_int_equal(ef_pd_capabilities_get(handle, &rig->pd, handle, EF_VI_CAP_RXQ_SIZES, &value),
                   0);
  assert_int_equal(value, 512 + 1024 + 2048 + 4096);
  assert_int_equal(ef_pd_capabilities_get(handle, &rig->pd, handle, EF_VI_CAP_CTPIO, &value), 0);
  assert_int_equal(value, 0);
  assert_int_equal(ef_vi_capabilities_get(handle, 77, EF_VI_CAP_RX_FILTER_TYPE_SNIFF, &value), 0);
  assert_int_equal(value, 1);
  assert_int_equal(ef_vi_capabilities_get_from_pd_flags(handle, 1, EF_PD_DEFAULT,
                                                        EF_VI_CAP_RX_FILTER_TYPE_SNIFF, &value),
                   -EOPNOTSUPP); /* AF_XDP */
  assert_int_equal(ef_vi_capabilities_get_from_pd_flags(handle, 1, EF_PD_DEFAULT,
                                                        EF_VI_CAP_RX_FILTER_TYPE_ETH_LOCAL, &value),
                   0);
  assert_int_equal(value, 1);
  assert_int_equal(ef_vi_capabilities_get(handle, 77, EF_VI_CAP_MAX, &value), -ENOSYS);
  assert_int_equal(ef_vi_capabilities_get(handle, 77, EF_VI_CAP_PIO, NULL), -EINVAL);
  assert_int_equal(ef_vi_capabilities_get(handle, 0, EF_VI_CAP_PIO, &value), -EINVAL);
  assert_int_equal(ef_vi_capabilities_get(-1, 77, EF_VI_CAP_PIO, &value), -EBADF);
  assert_int_equal(ef_vi_capabilities_get(handle, 999999, EF_VI_CAP_PIO, &value), -ENODEV);
  assert_int_equal(ef_pd_capabilities_get(handle, NULL, handle, EF_VI_CAP_PIO, &value), -EINVAL);
}

/* What no device here can do is there, and says so; what belongs to a mode that the interface is
 * not in says that. */
static void unsupported(void **state)
{
  struct rig *rig = *state;
  const ef_driver_handle handle = rig->handle;
  ef_packed_stream_params params;
  ef_request_id ids[EF_VI_RECEIVE_BATCH];
  ef_precisetime time;
  unsigned flags;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 1);
  ef_vi *vi = &rig->vi;
  const void *const *op = (const void *const *)(const void *)&vi->ops;
  for (size_t i = 0; i < sizeof(vi->ops) / sizeof(*op); i++)
    assert_non_null(op[i]);
  assert_int_equal(ef_vi_pace(vi, handle, 5), -EOPNOTSUPP);
  assert_true(strlen(shunt_last_error()->what) > 0);
  assert_int_equal(ef_vi_set_shrub_client_buffer_count(vi, 4), -EOPNOTSUPP);
  assert_int_equal(ef_vi_packed_stream_get_params(vi, &params), -EINVAL);
  assert_int_equal(ef_vi_receive_get_filter_id(vi, rig->events, rig->memory), -EOPNOTSUPP);
  assert_int_equal(ef_vi_receive_get_precise_timestamp(vi, rig->memory, &time), -EOPNOTSUPP);
  assert_int_equal(ef_vi_receive_unbundle(vi, rig->events, ids), 0);
  assert_int_equal(ef_vi_transmit_alt_alloc(vi, handle, 2, 4096), -EINVAL);
  assert_null(efct_vi_rxpkt_get(vi, 0));
  efct_vi_rxpkt_release(vi, 0);
  assert_null(efct_vi_rx_future_peek(vi));
  assert_int_equal(efct_vi_rx_future_poll(vi, rig->events, 2), 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  uint32_t mark;
  uint8_t flag;
  assert_int_equal(ef_vi_receive_get_discard_flags(vi, rig->memory, &flags), -EOPNOTSUPP);
  assert_int_equal(ef_vi_receive_get_user_data(vi, rig->memory, &mark, &flag), -EOPNOTSUPP);
#pragma GCC diagnostic pop
}

/* Variables that users of the cards' library know. */
static void variables(void **state)
{
  struct rig *rig = *state;
  char text[512] = "";
  int ends[2];
  ef_vi *vi = &rig->vi;
  const ef_driver_handle dh = rig->handle;
  setenv("EF_VI_RXQ_SIZE", "1024", 1);
  setenv("EF_VI_TXQ_SIZE", "2048", 1);
  assert_int_equal(
      ef_vi_alloc_from_pd(vi, dh, &rig->pd, dh, -1, -1, -1, NULL, -1, EF_VI_FLAGS_DEFAULT), 0);
  assert_int_equal(ef_vi_receive_capacity(vi), 1023);
  assert_int_equal(ef_vi_transmit_capacity(vi), 2047);
  assert_int_equal(ef_vi_free(vi, dh), 0);
  assert_int_equal(
      ef_vi_alloc_from_pd(vi, dh, &rig->pd, dh, -1, 4096, 0, NULL, -1, EF_VI_FLAGS_DEFAULT), 0);
  assert_int_equal(ef_vi_receive_capacity(vi), 4095); /* the program has chosen */
  assert_int_equal(ef_vi_transmit_capacity(vi), 0);
  assert_int_equal(ef_vi_free(vi, dh), 0);
  setenv("EF_VI_RXQ_SIZE", "99999", 1);
  assert_int_equal(
      ef_vi_alloc_from_pd(vi, dh, &rig->pd, dh, -1, -1, -1, NULL, -1, EF_VI_FLAGS_DEFAULT),
      -EINVAL);
  unsetenv("EF_VI_RXQ_SIZE");
  unsetenv("EF_VI_TXQ_SIZE");
  /* Reasons, for who runs a program that does not ask for them. */
  const int kept = dup(STDERR_FILENO);
  assert_int_equal(pipe(ends), 0);
  assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
  (void)ef_vi_pace(vi, dh, 5); /* silent */
  setenv("EF_VI_LOG_LEVEL", "1", 1);
  (void)ef_vi_free(vi, dh);
  unsetenv("EF_VI_LOG_LEVEL");
  assert_true(dup2(kept, STDERR_FILENO) >= 0);
  close(kept);
  close(ends[1]);
  assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
  close(ends[0]);
  const char *end = strchr(text, '\n'); /* the checked build has the place behind it */
  assert_non_null(end);
  assert_memory_equal(text, "ef_vi: this is no interface\n", (size_t)(end - text) + 1);
}

/* --- Over a long life ---------------------------------------------------------------------------
 */

#define PIECE_BYTES  ((size_t)256 << 20)
#define PIECE_REPEAT ((size_t)2 << 20) /* that much memory, again and again in each piece */

static uint8_t *piece_map(void)
{
  const int fd = memfd_create("piece", MFD_CLOEXEC);
  assert_int_equal(ftruncate(fd, (off_t)PIECE_REPEAT), 0);
  uint8_t *piece = mmap(NULL, PIECE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_ptr_not_equal(piece, MAP_FAILED);
  for (size_t at = 0; at < PIECE_BYTES; at += PIECE_REPEAT)
    assert_ptr_not_equal(
        mmap(piece + at, PIECE_REPEAT, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0),
        MAP_FAILED);
  close(fd);
  return piece;
}

/* More memory is registered, and given back, than a domain has addresses for, and never the latest
 * first. What stays is in nobody's way, and what was given back just now is not handed out. */
static void many_registrations(void **state)
{
  struct rig *rig = *state;
  const struct efvi_pd *pd = efvi_pd_of(&rig->pd);
  const ef_addr kept = ef_memreg_dma_addr(&rig->memreg, 4096);
  uint8_t *piece = piece_map();
  ef_memreg memregs[2] = {{0}};
  for (int i = 0; i < 140; i++) {
    ef_memreg *memreg = &memregs[i & 1], *other = &memregs[(i & 1) ^ 1];
    const ef_addr old = memreg->mr_dma_addrs ? ef_memreg_dma_addr(memreg, 0) : 0;
    if (memreg->mr_dma_addrs)
      assert_int_equal(ef_memreg_free(memreg, rig->handle), 0);
    assert_true(!old || !efvi_address(pd, old, 1));
    assert_int_equal(
        ef_memreg_alloc(memreg, rig->handle, &rig->pd, rig->handle, piece, PIECE_BYTES), 0);
    const ef_addr first = ef_memreg_dma_addr(memreg, 0);
    assert_int_not_equal(first, 0);
    assert_true(!old || first >= old + PIECE_BYTES || first + PIECE_BYTES <= old);
    assert_ptr_equal(efvi_address(pd, first + PIECE_BYTES - 1, 1), piece + PIECE_BYTES - 1);
    assert_ptr_equal(efvi_address(pd, kept, 1), rig->memory + 4096);
    if (i > 0)
      assert_ptr_equal(efvi_address(pd, ef_memreg_dma_addr(other, 0), 1), piece);
  }
  assert_int_equal(ef_memreg_free(&memregs[0], rig->handle), 0);
  assert_int_equal(ef_memreg_free(&memregs[1], rig->handle), 0);
  munmap(piece, PIECE_BYTES);
}

/* A packet of an interface that is being freed has left, or is still waited for: another thread
 * sets up and puts events. */
struct bystander {
  struct rig *rig;
  const ef_vi *vi;
  bool came;
  int opened, put;
};

static void *stand_by(void *context)
{
  struct bystander *bystander = context;
  ef_driver_handle handle;
  bystander->opened = ef_driver_open(&handle);
  bystander->put = ef_eventq_put(ef_vi_resource_id((ef_vi *)(uintptr_t)bystander->vi), handle, 7);
  if (!bystander->opened)
    ef_driver_close(handle);
  return NULL;
}

static void let_by(void *context, const void *frame, uint32_t bytes, uint64_t now_ns)
{
  struct bystander *bystander = context;
  struct timespec end;
  pthread_t thread;
  (void)frame, (void)bytes, (void)now_ns;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += 20;
  assert_int_equal(pthread_create(&thread, NULL, stand_by, bystander), 0);
  bystander->came = pthread_timedjoin_np(thread, NULL, &end) == 0;
  if (!bystander->came)
    pthread_detach(thread);
}

static void freed_beside_others(void **state)
{
  static const struct shunt_wire_end_ops ops = {.deliver = let_by};
  struct rig *rig = *state;
  ef_vi other;
  struct bystander bystander = {.rig = rig, .vi = &other};
  struct shunt_wire_end *end;
  rig_open(rig, EF_VI_FLAGS_DEFAULT, 0);
  assert_int_equal(ef_vi_alloc_from_pd(&other, rig->handle, &rig->pd, rig->handle, -1, 63, 63, NULL,
                                       -1, EF_VI_FLAGS_DEFAULT),
                   1);
  assert_int_equal(shunt_wire_attach(shunt_testbed_wire(rig->testbed, "w", &rig->error), "by", &ops,
                                     &bystander, &end, &rig->error),
                   0);
  memset(rig_data(rig, 9), 0xFF, 100);
  assert_int_equal(ef_vi_transmit(&rig->vi, rig_addr(rig, 9), 100, 5), 0);
  assert_int_equal(ef_vi_free(&rig->vi, rig->handle), 0);
  shunt_wire_detach(end);
  assert_true(bystander.came);
  assert_int_equal(bystander.opened, 0);
  assert_int_equal(bystander.put, 0);
  assert_int_equal(ef_eventq_poll(&other, rig->events, RIG_EVENTS), 1);
  assert_int_equal(ef_vi_free(&other, rig->handle), 0);
}

int main(void)
{
#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(handles),
      cmocka_unit_test(names),
      ON_RIG(domains),
      ON_RIG(memory),
      ON_RIG(interfaces),
      ON_RIG(several),
      ON_RIG(freed),
      ON_RIG(capabilities),
      ON_RIG(unsupported),
      ON_RIG(variables),
      ON_RIG(many_registrations),
      ON_RIG(freed_beside_others),
  };
  return cmocka_run_group_tests_name("efvi_setup", tests, NULL, NULL);
}
