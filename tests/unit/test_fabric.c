/* SPDX-License-Identifier: BSD-2-Clause */
/* Endpoints' set-up calls: names, objects, sleeping, the watchdog, reset, statistics. */
#include "tests/unit/fabric_rig.h"

#include <poll.h>

static const struct shunt_fabric_qp_options srd = {.type = SHUNT_FABRIC_SRD};

static void names_and_options_are_checked(void **state)
{
  (void)state;
  static const struct {
    const char *name;
    int code;
    const char *why;
  } wrong[] = {
      {"", -EINVAL, "empty"},
      {"efa", -EINVAL, "no driver in front"},
      {"ixgbe:twin", -EINVAL, "efa"},
      {"efa:twin?wires=a", -EINVAL, "wires"},
      {"efa:twin?id=10fb", -EINVAL, "efa0"},
      {"efa:twin?sleepers=5000", -EINVAL, "sleepers"},
      {"efa:twin?sleepers=40", -EOPNOTSUPP, "vector"},
      {"efa:vfio-user:/nowhere/x.sock", -ENOENT, ""},
  };
  struct shunt_fabric *fabric = NULL;
  struct shunt_error error;
  for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    char text[1024];
    int code = shunt_fabric_open(wrong[i].name, NULL, &fabric, &error);
    shunt_error_format(&error, text, sizeof(text));
    if (code >= 0 || (wrong[i].code != -ENOENT && code != wrong[i].code) ||
        !strstr(text, wrong[i].why))
      fail_msg("%s: %d, %s", wrong[i].name, code, text);
  }
  struct shunt_fabric_options options = {.size = sizeof(options) + 8};
  assert_int_equal(shunt_fabric_open("efa:twin", &options, &fabric, &error), -EINVAL);
  assert_non_null(strstr(error.remedy, "shunt_fabric_options"));
  assert_null(fabric);
  assert_string_equal(shunt_fabric_driver(0x1D0F, 0xEFA1, &error), "efa");
  assert_null(shunt_fabric_driver(0x1D0F, 0xEFA4, &error));
  assert_non_null(strstr(error.why, "later EFA"));
  assert_null(shunt_fabric_driver(0x8086, 0x10FB, &error));
}

static void a_device_says_what_it_is(void **state)
{
  (void)state;
  static const struct {
    const char *keys, *name;
    uint32_t caps, wide;
  } kinds[] = {
      {"&id=efa0", "Amazon EFA (efa0)", SHUNT_FABRIC_RNR_RETRY, 0},
      {"&id=efa1", "Amazon EFA (efa1)", SHUNT_FABRIC_RNR_RETRY | SHUNT_FABRIC_RDMA_READ, 0},
      {"&id=efa2", "Amazon EFA (efa2)",
       SHUNT_FABRIC_RNR_RETRY | SHUNT_FABRIC_RDMA_READ | SHUNT_FABRIC_RDMA_WRITE |
           SHUNT_FABRIC_UNSOLICITED,
       80},
  };
  for (unsigned i = 0; i < 3; i++) {
    struct rig *rig = rig_create();
    struct shunt_fabric_info info = {.size = sizeof(info)};
    char text[SHUNT_GID_TEXT_BYTES];
    struct shunt_gid again;
    rig_open(rig, &rig->left, kinds[i].keys, 3);
    shunt_fabric_info(rig->left.fabric, &info);
    assert_string_equal(info.device, kinds[i].name);
    assert_string_equal(info.driver, "efa");
    assert_int_equal(info.device_id, 0xEFA0 + i);
    assert_int_equal(info.caps, kinds[i].caps);
    assert_int_equal(info.inline_bytes, 32);
    assert_int_equal(info.inline_bytes_wide, kinds[i].wide);
    assert_int_equal(info.mtu, EFA_TWIN_MTU);
    assert_int_equal(info.sleepers, 3);
    assert_int_equal(info.model, 1);
    assert_int_equal(info.steps, 1);
    assert_int_equal(shunt_gid_parse(shunt_gid_format(&info.gid, text), &again), 0);
    assert_memory_equal(&again, &info.gid, sizeof(again));
    assert_int_equal(strncmp(text, "fe80::", 6), 0);
    struct { /* an older program's */
      size_t size;
      const char *name;
    } old = {.size = sizeof(old)};
    shunt_fabric_info(rig->left.fabric, (struct shunt_fabric_info *)(void *)&old);
    assert_non_null(strstr(old.name, kinds[i].keys));
    rig_destroy(rig);
  }
  struct shunt_gid gid;
  assert_int_equal(shunt_gid_parse("10.0.0.1", &gid), -EINVAL);
  assert_int_equal(shunt_gid_parse(NULL, &gid), -EINVAL);
}

static void objects_stand_on_others(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("", srd);
  struct end *left = &rig->left;
  assert_int_equal(shunt_fabric_pd_destroy(left->pd, &rig->error), -EBUSY);
  assert_non_null(strstr(rig->error.why, "3 objects"));
  assert_int_equal(shunt_fabric_cq_destroy(left->cq, &rig->error), -EBUSY);
  rig_ok(rig, shunt_fabric_qp_destroy(left->qp, &rig->error));
  rig_ok(rig, shunt_fabric_ah_destroy(left->ah, &rig->error));
  rig_ok(rig, shunt_fabric_mr_deregister(left->mr, &rig->error));
  rig_ok(rig, shunt_fabric_cq_destroy(left->cq, &rig->error));
  rig_ok(rig, shunt_fabric_pd_destroy(left->pd, &rig->error));
  rig_ok(rig, shunt_fabric_pd_destroy(NULL, NULL));
  rig_ok(rig, shunt_fabric_qp_destroy(NULL, NULL));
  assert_int_equal(rig_statistic(rig, left, "cmds_err"), 0);
  rig_destroy(rig);
}

static void what_the_device_has_not_is_refused(void **state)
{
  (void)state;
  struct rig *rig = rig_create();
  struct end *left = &rig->left;
  struct shunt_fabric_mr *mr;
  struct shunt_fabric_cq *cq;
  struct shunt_fabric_qp *qp;
  rig_open(rig, left, "&id=efa0", 0);
  rig_furnish(rig, left);
  assert_int_equal(shunt_fabric_mr_register(left->pd, left->region, 0, 4096,
                                            SHUNT_FABRIC_REMOTE_READ, NULL, &mr, &rig->error),
                   -EOPNOTSUPP);
  assert_int_equal(
      shunt_fabric_mr_register(left->pd, left->region, RIG_BYTES - 1, 2, 0, NULL, &mr, &rig->error),
      -EINVAL);
  assert_int_equal(
      shunt_fabric_mr_register(left->pd, left->region, 0, 0, 0, NULL, &mr, &rig->error), -EINVAL);
  assert_int_equal(
      shunt_fabric_mr_register(left->pd, left->region, 0, 8, 64, NULL, &mr, &rig->error), -EINVAL);
  struct shunt_fabric_cq_options cq_options = {.size = sizeof(cq_options), .depth = 100000};
  assert_int_equal(shunt_fabric_cq_create(left->fabric, &cq_options, &cq, &rig->error), -EINVAL);
  cq_options = (struct shunt_fabric_cq_options){.size = sizeof(cq_options), .sleeps = 1};
  assert_int_equal(shunt_fabric_cq_create(left->fabric, &cq_options, &cq, &rig->error), -EINVAL);
  assert_int_equal(shunt_fabric_cq_fd(left->cq, &rig->error), -EINVAL);
  const struct shunt_fabric_qp_options good = {
      .size = sizeof(good), .send_cq = left->cq, .recv_cq = left->cq};
  static const struct {
    struct shunt_fabric_qp_options change;
    int code;
  } wrong[] = {
      {{.wide = 1}, -EOPNOTSUPP},
      {{.unsolicited = 1}, -EOPNOTSUPP},
      {{.rnr_retries = 9}, -EINVAL},
      {{.type = SHUNT_FABRIC_UD, .rnr_retries = 1}, -EINVAL},
      {{.send_depth = 8192}, -EINVAL},
      {{.recv_depth = 65536}, -EINVAL},
      {{.recv_pieces = 3}, -EINVAL},
      {{.send_depth = UINT32_MAX}, -EINVAL},
      {{.type = (enum shunt_fabric_qp_type)7}, -EINVAL},
  };
  for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    struct shunt_fabric_qp_options options = wrong[i].change;
    options.size = good.size;
    options.send_cq = options.recv_cq = left->cq;
    assert_int_equal(shunt_fabric_qp_create(left->pd, &options, &qp, &rig->error), wrong[i].code);
  }
  struct shunt_fabric_qp_options none = good;
  none.recv_cq = NULL;
  assert_int_equal(shunt_fabric_qp_create(left->pd, &none, &qp, &rig->error), -EINVAL);
  rig_ok(rig, shunt_fabric_qp_create(left->pd, &good, &qp, &rig->error));
  assert_int_equal(shunt_model_counter(rig_model(left), "bad_command"), 0);
  rig_destroy(rig);
}

static void the_device_runs_out(void **state)
{
  (void)state;
  struct rig *rig = rig_create();
  struct shunt_fabric_qp *qp;
  rig_open(rig, &rig->left, "", 0);
  rig_furnish(rig, &rig->left);
  struct shunt_fabric_qp_options options = {.size = sizeof(options),
                                            .send_cq = rig->left.cq,
                                            .recv_cq = rig->left.cq,
                                            .send_depth = 32,
                                            .recv_depth = 32};
  for (unsigned i = 0; i < EFA_TWIN_QPS; i++)
    rig_ok(rig, shunt_fabric_qp_create(rig->left.pd, &options, &qp, &rig->error));
  assert_int_equal(shunt_fabric_qp_create(rig->left.pd, &options, &qp, &rig->error), -ENOSPC);
  assert_non_null(strstr(rig->error.what, "CREATE_QP"));
  rig_destroy(rig);
}

/* The list's three forms, by what the twin makes of them. */
static void memory_is_registered_by_pages_of_any_size(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("", srd);
  static const struct {
    uint64_t offset, bytes, page;
  } cases[] = {
      {0, 1, 4096},
      {4095, 2, 4096},
      {100, 16384, 4096},
      {8192, 20480, 4096},
      {12345, 512 * 4096, 0},
      {12345, 512 * 4096 - 5000, 4096},
      {12345, 5000000, 4096} /* indirect */,
      {1, RIG_BYTES - 1, 8192},
      {1 << 20, 5 << 20, 0},
  };
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct shunt_fabric_mr_options options = {.size = sizeof(options), .page_bytes = cases[i].page};
    struct shunt_fabric_mr *mr;
    rig_ok(rig, shunt_fabric_mr_register(rig->right.pd, rig->right.region, cases[i].offset,
                                         cases[i].bytes, SHUNT_FABRIC_REMOTE_WRITE, &options, &mr,
                                         &rig->error));
    uint32_t bytes = cases[i].bytes < 3000000 ? (uint32_t)cases[i].bytes : 3000000;
    uint64_t there = cases[i].offset + cases[i].bytes - bytes; /* the last of it */
    rig_fill(rig->left.memory, bytes, i);
    memset(rig->right.memory, 0, RIG_BYTES);
    struct shunt_fabric_work write =
        rig_rdma(&rig->left, &rig->right, SHUNT_FABRIC_WRITE, 1, 0, there, bytes);
    write.rkey = shunt_fabric_mr_rkey(mr);
    rig_post(&rig->left, &write);
    assert_int_equal(rig_next(rig, &rig->left)->status, SHUNT_FABRIC_OK);
    assert_memory_equal(rig->right.memory + there, rig->left.memory, bytes);
    rig_ok(rig, shunt_fabric_mr_deregister(mr, &rig->error));
  }
  struct shunt_fabric_mr *mr;
  struct shunt_fabric_mr_options odd = {.size = sizeof(odd), .page_bytes = 5000};
  assert_int_equal(
      shunt_fabric_mr_register(rig->right.pd, rig->right.region, 0, 8, 0, &odd, &mr, &rig->error),
      -EINVAL);
  rig_destroy(rig);
}

/* Lists so long that chunks are chained. */
static void chunks_are_chained(void **state)
{
  (void)state;
  const uint32_t n = 2 * EFA_PBL_CHUNK_POINTERS * EFA_PBL_PAGE_POINTERS + 3;
  struct efa_pbl_chunk chunks[3] = {0};
  assert_int_equal(efa_pbl_pages(512), 1);
  assert_int_equal(efa_pbl_pages(513), 2);
  assert_int_equal(efa_pbl_chunks(510 * 512), 1);
  assert_int_equal(efa_pbl_chunks(510 * 512 + 1), 2);
  assert_int_equal(efa_pbl_chunks(n), 3);
  efa_pbl_chain(chunks, 0x100000000, 0x200000000, n);
  assert_true(chunks[0].pages[0] == 0x200000000);
  assert_true(chunks[1].pages[0] == 0x200000000 + 510 * 4096);
  assert_true(chunks[2].pages[0] == 0x200000000 + 1020 * 4096);
  assert_true(chunks[2].pages[1] == 0);
  assert_int_equal(chunks[0].next.length, 510 * 8 + 12);
  assert_int_equal(chunks[0].next.address.hi, 1);
  assert_int_equal(chunks[0].next.address.lo, 4096);
  assert_memory_equal((uint8_t *)chunks + 4080, &chunks[0].next, 12);
  assert_int_equal(chunks[1].next.length, 8 + 12);
  assert_int_equal(chunks[1].next.address.lo, 8192);
  assert_int_equal(chunks[2].next.length, 0);
}

static bool readable(int fd)
{
  struct pollfd poller = {.fd = fd, .events = POLLIN};
  return poll(&poller, 1, 0) == 1;
}

static void a_sleeper_is_woken(void **state)
{
  (void)state;
  struct rig *rig = rig_create();
  struct end *right = &rig->right;
  struct shunt_fabric_cq_options sleeps = {.size = sizeof(sleeps), .depth = 64, .sleeps = 1};
  struct shunt_fabric_cq *cq, *second, *third;
  rig_open(rig, &rig->left, "", 0);
  rig_open(rig, right, "", 2);
  rig_furnish(rig, &rig->left);
  rig_furnish(rig, right);
  rig_ok(rig, shunt_fabric_cq_create(right->fabric, &sleeps, &cq, &rig->error));
  rig_ok(rig, shunt_fabric_cq_create(right->fabric, &sleeps, &second, &rig->error));
  assert_int_equal(shunt_fabric_cq_create(right->fabric, &sleeps, &third, &rig->error), -ENOSPC);
  rig_ok(rig, shunt_fabric_cq_destroy(second, &rig->error));
  rig_ok(rig, shunt_fabric_cq_create(right->fabric, &sleeps, &second, &rig->error));
  struct shunt_fabric_qp_options options = srd;
  options.recv_cq = cq;
  rig->left.qp = rig_qp(rig, &rig->left, srd);
  right->qp = rig_qp(rig, right, options);
  rig_meet(rig);
  int fd = shunt_fabric_cq_fd(cq, &rig->error);
  assert_true(fd >= 0);
  for (unsigned i = 0; i < 300; i++) { /* the event queue goes round, too */
    rig_receive(right, i, 0, 64);
    struct shunt_fabric_work work = rig_send(&rig->left, right, i, 0, 8);
    if (i % 3 == 0)
      rig_post(&rig->left, &work); /* before it is armed */
    rig_run(rig, 20);
    assert_false(readable(fd));
    shunt_fabric_cq_arm(cq);
    rig_run(rig, 20);
    if (i % 3) {
      assert_false(readable(fd));
      rig_post(&rig->left, &work);
      rig_run(rig, 100);
    }
    assert_true(readable(fd));
    assert_int_equal(shunt_fabric_poll(cq, right->completions, 10), 1);
    assert_int_equal(right->completions[0].id, i);
    shunt_fabric_cq_arm(cq); /* reads it empty */
    assert_false(readable(fd));
    rig_next(rig, &rig->left);
    rig_receive(right, 1000, 0, 64);
    rig_post(&rig->left, &work);
    rig_run(rig, 100);
    assert_true(readable(fd));
    uint64_t wakes;
    assert_int_equal(read(fd, &wakes, sizeof(wakes)), sizeof(wakes));
    assert_int_equal(shunt_fabric_poll(cq, right->completions, 10), 1);
    rig_next(rig, &rig->left);
  }
  shunt_fabric_cq_arm(right->cq); /* does not sleep: nothing happens */
  rig_destroy(rig);
}

static void the_watchdog_barks_when_nothing_is_heard(void **state)
{
  (void)state;
  struct rig *rig = rig_create();
  rig_open(rig, &rig->left, "", 0);
  for (unsigned i = 0; i < 30; i++) {
    rig_run(rig, 1000000);
    rig_ok(rig, shunt_fabric_check(rig->left.fabric, &rig->error));
  }
  assert_true(rig_statistic(rig, &rig->left, "keep_alive_rcvd") >= 29);
  rig_run(rig, 40000000); /* more than the ring holds */
  rig_ok(rig, shunt_fabric_check(rig->left.fabric, &rig->error));
  rig_run(rig, 4000000);
  rig_ok(rig, shunt_fabric_check(rig->left.fabric, &rig->error));

  rig_open(rig, &rig->right, "&keep_alive_ms=0", 0);
  rig_run(rig, 4900000);
  rig_ok(rig, shunt_fabric_check(rig->right.fabric, &rig->error));
  rig_run(rig, 200000);
  assert_int_equal(shunt_fabric_check(rig->right.fabric, &rig->error), -ETIMEDOUT);
  assert_non_null(strstr(rig->error.what, "no keep-alive for 5"));
  assert_non_null(strstr(rig->error.why, "DEV_STS reads 0x00000001"));
  assert_non_null(strstr(rig->error.remedy, "keep_alive_ms"));
  rig_ok(rig, shunt_fabric_reset(rig->right.fabric, &rig->error));
  rig_ok(rig, shunt_fabric_check(rig->right.fabric, &rig->error));
  rig_destroy(rig);
}

static void a_fatal_error_is_told(void **state)
{
  (void)state;
  struct rig *rig = rig_create();
  rig_open(rig, &rig->left, "", 0);
  assert_true(efa_twin_event(rig_twin(&rig->left), EFA_AENQ_WARNING, 3));
  assert_true(efa_twin_event(rig_twin(&rig->left), EFA_AENQ_NOTIFICATION, 4));
  rig_ok(rig, shunt_fabric_check(rig->left.fabric, &rig->error));
  assert_true(efa_twin_event(rig_twin(&rig->left), EFA_AENQ_FATAL_ERROR, 17));
  assert_int_equal(shunt_fabric_check(rig->left.fabric, &rig->error), -EIO);
  assert_non_null(strstr(rig->error.why, "syndrome 17"));
  rig_ok(rig, shunt_fabric_reset(rig->left.fabric, &rig->error));
  rig_ok(rig, shunt_fabric_check(rig->left.fabric, &rig->error));
  rig_destroy(rig);
}

static void a_reset_flushes_what_was_under_way(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("", srd);
  struct end *left = &rig->left;
  struct shunt_fabric_cq *cq;
  struct shunt_fabric_ah *ah;
  uint64_t ids = 0;
  struct shunt_fabric_work work = rig_send(left, &rig->right, 1, 0, 64);
  rig_receive(&rig->right, 1, 0, 64);
  rig_post(left, &work); /* completes, and nobody polls */
  rig_run(rig, 1000);
  shunt_wire_cut(rig_end(left));
  for (unsigned i = 2; i < 10; i++) {
    work.id = i;
    assert_int_equal(shunt_fabric_send_post(left->qp, &work), 0);
    rig_receive(left, 100 + i, 0, 64);
  }
  shunt_fabric_send_push(left->qp);
  rig_run(rig, 100);
  rig_ok(rig, shunt_fabric_reset(left->fabric, &rig->error));
  left->count = shunt_fabric_poll(left->cq, left->completions, RIG_COMPLETIONS);
  assert_int_equal(left->count, 17);
  assert_int_equal(left->completions[0].id, 1);
  assert_int_equal(left->completions[0].status, SHUNT_FABRIC_OK);
  for (unsigned i = 1; i < left->count; i++) {
    assert_int_equal(left->completions[i].status, SHUNT_FABRIC_FLUSHED);
    assert_ptr_equal(left->completions[i].qp, left->qp);
    ids += left->completions[i].id;
  }
  assert_int_equal(ids, 44 + 844);
  assert_int_equal(shunt_fabric_send_post(left->qp, &work), -EAGAIN);
  shunt_fabric_send_push(left->qp); /* goes nowhere */
  assert_int_equal(shunt_fabric_qp_stop(left->qp, &rig->error), 0);
  assert_int_equal(shunt_fabric_ah_create(left->pd, &rig->right.gid, &ah, &rig->error), -EIO);
  assert_non_null(strstr(rig->error.why, "reset"));

  /* The old objects go, new ones work. */
  shunt_wire_join(rig_end(left));
  rig_ok(rig, shunt_fabric_qp_destroy(left->qp, &rig->error));
  rig_ok(rig, shunt_fabric_cq_create(left->fabric, NULL, &cq, &rig->error));
  rig_ok(rig, shunt_fabric_cq_destroy(left->cq, &rig->error));
  left->cq = cq;
  rig_ok(rig, shunt_fabric_ah_destroy(left->ah, &rig->error));
  rig_ok(rig, shunt_fabric_mr_deregister(left->mr, &rig->error));
  rig_ok(rig, shunt_fabric_pd_destroy(left->pd, &rig->error));
  rig_ok(rig, shunt_fabric_pd_create(left->fabric, &left->pd, &rig->error));
  rig_ok(rig, shunt_fabric_mr_register(left->pd, left->region, 0, RIG_BYTES, 0, NULL, &left->mr,
                                       &rig->error));
  rig_ok(rig, shunt_fabric_ah_create(left->pd, &rig->right.gid, &left->ah, &rig->error));
  left->qp = rig_qp(rig, left, srd);
  work = rig_send(left, &rig->right, 5, 0, 64);
  rig_receive(&rig->right, 2, 0, 64);
  rig_post(left, &work);
  assert_int_equal(rig_next(rig, left)->status, SHUNT_FABRIC_OK);
  rig_destroy(rig);
}

/* A number that is given out at once again must not get the completions of the one before. */
static void a_destroyed_queue_pair_leaves_nothing(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("&reuse_qpn=1", srd);
  struct end *left = &rig->left;
  uint16_t number = shunt_fabric_qp_number(left->qp);
  for (unsigned i = 0; i < 5; i++) {
    struct shunt_fabric_work work = rig_send(left, &rig->right, i, 0, 64);
    rig_receive(&rig->right, i, 0, 64);
    rig_post(left, &work);
    rig_receive(left, i, 0, 64);
  }
  rig_run(rig, 1000);
  rig_ok(rig, shunt_fabric_qp_destroy(left->qp, &rig->error));
  left->qp = rig_qp(rig, left, srd);
  assert_int_equal(shunt_fabric_qp_number(left->qp), number);
  assert_int_equal(shunt_fabric_poll(left->cq, left->completions, 16), 0);
  struct shunt_fabric_work work = rig_send(left, &rig->right, 77, 0, 64);
  rig_receive(&rig->right, 5, 0, 64);
  rig_post(left, &work);
  assert_int_equal(rig_next(rig, left)->id, 77);
  rig_destroy(rig);
}

static void statistics_count_to_the_byte(void **state)
{
  (void)state;
  struct rig *rig = rig_pair("", srd);
  unsigned count = 0;
  for (unsigned i = 0; i < 50; i++) {
    struct shunt_fabric_work work = rig_send(&rig->left, &rig->right, i, 0, 100 + i);
    rig_receive(&rig->right, i, 0, 200);
    rig_post(&rig->left, &work);
    rig_next(rig, &rig->left);
    rig_next(rig, &rig->right);
  }
  assert_int_equal(rig_statistic(rig, &rig->left, "send_wrs"), 50);
  assert_int_equal(rig_statistic(rig, &rig->left, "send_bytes"), 5000 + 49 * 25);
  assert_int_equal(rig_statistic(rig, &rig->right, "recv_wrs"), 50);
  assert_int_equal(rig_statistic(rig, &rig->right, "recv_bytes"), 5000 + 49 * 25);
  uint64_t before = rig_statistic(rig, &rig->left, "submitted_cmds");
  rig_ok(rig, shunt_fabric_statistics(rig->left.fabric, NULL, 0, &count, &rig->error));
  assert_int_equal(count, 28);
  struct shunt_statistic few[2];
  rig_ok(rig, shunt_fabric_statistics(rig->left.fabric, few, 2, &count, &rig->error));
  assert_string_equal(few[1].name, "tx_pkts");
  assert_int_equal(count, 28);
  assert_true(rig_statistic(rig, &rig->left, "submitted_cmds") > before);
  rig_destroy(rig);
}

static void a_twin_of_its_own_gets_turns_from_the_calls(void **state)
{
  (void)state;
  struct rig *rig = rig_create();
  struct end *left = &rig->left;
  rig_ok(rig, shunt_fabric_open("efa:twin", NULL, &left->fabric, &rig->error));
  struct shunt_fabric_info info = {.size = sizeof(info)};
  shunt_fabric_info(left->fabric, &info);
  left->gid = info.gid;
  rig_furnish(rig, left);
  left->qp = rig_qp(rig, left, srd);
  rig_ok(rig, shunt_fabric_ah_create(left->pd, &left->gid, &left->ah, &rig->error));
  rig_receive(left, 1, 4096, 64);
  struct shunt_fabric_work work = rig_send(left, left, 2, 0, 64); /* to itself */
  rig_post(left, &work);
  unsigned got = 0;
  for (unsigned i = 0; i < 1000000 && got < 2; i++)
    got += shunt_fabric_poll(left->cq, left->completions + got, 2 - got);
  assert_int_equal(got, 2);
  assert_int_equal(left->completions[0].status | left->completions[1].status, 0);
  rig_ok(rig, shunt_fabric_check(left->fabric, &rig->error));
  assert_ptr_equal(shunt_efa_cq(left->cq), left->cq);
  rig_destroy(rig);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_and_options_are_checked),
      cmocka_unit_test(a_device_says_what_it_is),
      cmocka_unit_test(objects_stand_on_others),
      cmocka_unit_test(what_the_device_has_not_is_refused),
      cmocka_unit_test(the_device_runs_out),
      cmocka_unit_test(memory_is_registered_by_pages_of_any_size),
      cmocka_unit_test(chunks_are_chained),
      cmocka_unit_test(a_sleeper_is_woken),
      cmocka_unit_test(the_watchdog_barks_when_nothing_is_heard),
      cmocka_unit_test(a_fatal_error_is_told),
      cmocka_unit_test(a_reset_flushes_what_was_under_way),
      cmocka_unit_test(a_destroyed_queue_pair_leaves_nothing),
      cmocka_unit_test(statistics_count_to_the_byte),
      cmocka_unit_test(a_twin_of_its_own_gets_turns_from_the_calls),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
