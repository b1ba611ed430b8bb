/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt fabric: ping and bw. The asker posts, the answerer gives back (ping) or takes in (bw); of
 * RDMA the answerer sees nothing. Each runs in turns, so that both can be in one thread. */
#include "tools/shunt/fabric.h"

#define DRAIN_NS    UINT64_C(5000000) /* for datagrams that may still come */
#define LOOK_ROUNDS 512u

/* ---- Work requests ---- */

static bool fits_inline(const struct fabric_run *run, const struct fabric_end *end)
{
  uint32_t room = run->wide ? end->info.inline_bytes_wide : end->info.inline_bytes;
  bool can = run->op == SHUNT_FABRIC_SEND || (run->op == SHUNT_FABRIC_WRITE && run->wide);
  return can && run->size <= room;
}

static int post(const struct fabric_run *run, struct fabric_end *from, enum shunt_fabric_op op,
                uint64_t id, uint8_t *bytes, uint64_t index)
{
  struct shunt_fabric_work work = {
      .id = id,
      .to = {shunt_fabric_ah_number(from->ah), from->peer.qpn, from->peer.qkey},
      .op = (uint8_t)op,
      .immediate = (uint32_t)index,
      .has_immediate = op == SHUNT_FABRIC_SEND};
  if (fits_inline(run, from)) {
    work.is_inline = 1;
    work.inline_data = bytes;
    work.inline_bytes = (uint32_t)run->size;
  } else {
    work.pieces = 1;
    work.piece[0] = (struct shunt_fabric_piece){(uintptr_t)bytes, (uint32_t)run->size,
                                                shunt_fabric_mr_lkey(from->mr)};
  }
  if (op != SHUNT_FABRIC_SEND) { /* to the peer's receive slots, from its send slots */
    uint64_t slot = (index & (run->depth - 1)) + (op == SHUNT_FABRIC_READ ? run->depth : 0);
    work.rkey = from->peer.rkey;
    work.remote_address = from->peer.memory + slot * run->slot_bytes;
  }
  return shunt_fabric_send_post(from->qp, &work);
}

static void post_receive(const struct fabric_run *run, struct fabric_end *end, uint64_t slot)
{
  const struct shunt_fabric_receive receive = {
      .id = slot,
      .pieces = 1,
      .piece[0] = {(uintptr_t)fabric_recv_slot(run, end, slot), run->slot_bytes,
                   shunt_fabric_mr_lkey(end->mr)}};
  end->waiting += shunt_fabric_recv_post(end->qp, &receive, 1);
}

/* What came is what was sent: the pattern of the index that the immediate tells. */
static void check_message(struct fabric_run *run, const struct fabric_end *end,
                          const struct shunt_fabric_completion *completion)
{
  const uint8_t *bytes = fabric_recv_slot(run, end, completion->id) + run->prefix_bytes;
  uint64_t slot = (completion->immediate & (run->depth - 1)), told = slot;
  bool right = completion->bytes == run->size + run->prefix_bytes &&
               (!(run->check || run->mode == FABRIC_PING) ||
                (fabric_pattern_is(bytes, run->size, &told) && told == slot));
  run->corrupted += !right;
}

static bool is_well(struct fabric_run *run, const struct shunt_fabric_completion *completion)
{
  if (completion->status == SHUNT_FABRIC_OK)
    return true;
  run->failed++;
  run->statuses[completion->status < FABRIC_STATUSES ? completion->status : FABRIC_STATUSES - 1]++;
  return false;
}

/* ---- The answerer ---- */

static void answer(struct fabric_run *run, struct fabric_end *end,
                   const struct shunt_fabric_completion *completion)
{
  if (!(completion->flags & SHUNT_FABRIC_RECEIVED)) { /* an answer is sent: its slot is free */
    is_well(run, completion);
    post_receive(run, end, completion->id);
    return;
  }
  end->waiting--;
  if (!is_well(run, completion))
    return;
  run->received++;
  run->received_bytes += completion->bytes - run->prefix_bytes;
  check_message(run, end, completion);
  if (run->mode == FABRIC_BW) {
    post_receive(run, end, completion->id);
    return;
  }
  uint8_t *bytes = fabric_recv_slot(run, end, completion->id) + run->prefix_bytes;
  if (post(run, end, SHUNT_FABRIC_SEND, completion->id, bytes, completion->immediate))
    run->failed++;
  shunt_fabric_send_push(end->qp);
}

static unsigned answerer_turn(struct fabric_run *run)
{
  struct shunt_fabric_completion completions[FABRIC_BURST];
  struct fabric_end *end = run->answerer;
  if (!end)
    return 0;
  unsigned n = shunt_fabric_poll(end->cq, completions, FABRIC_BURST);
  for (unsigned i = 0; i < n; i++)
    answer(run, end, &completions[i]);
  return n;
}

/* ---- The asker ---- */

struct asker {
  uint64_t sent_ns;   /* ping: the one under way */
  uint64_t under_way; /* work requests without completion */
  bool awaits;        /* ping: the answer, or the end of RDMA */
  uint64_t last_ns;   /* when something happened */
};

/* What was read is what stands there. */
static void check_read(struct fabric_run *run, const struct shunt_fabric_completion *completion)
{
  uint64_t slot = (completion->id & (run->depth - 1)), told = slot;
  run->received_bytes += run->size;
  if (run->op == SHUNT_FABRIC_READ && (run->check || run->mode == FABRIC_PING) &&
      !(fabric_pattern_is(fabric_recv_slot(run, run->asker, slot), run->size, &told) &&
        told == slot))
    run->corrupted++;
}

static void take(struct fabric_run *run, struct asker *asker,
                 const struct shunt_fabric_completion *completion, uint64_t now_ns)
{
  bool received = completion->flags & SHUNT_FABRIC_RECEIVED, well = is_well(run, completion);
  bool answers = run->op == SHUNT_FABRIC_SEND ? received : true;
  asker->last_ns = now_ns;
  if (received) {
    run->asker->waiting--;
    if (well)
      check_message(run, run->asker, completion);
    post_receive(run, run->asker, completion->id);
  } else {
    asker->under_way--;
    run->completed += well;
    if (well && run->op != SHUNT_FABRIC_SEND)
      check_read(run, completion);
  }
  if (run->mode != FABRIC_PING || !asker->awaits || (well && !answers) ||
      (received && completion->immediate != (uint32_t)(run->posted - 1)))
    return;
  asker->awaits = false;
  if (well)
    shunt_histogram_record(run->rtt, now_ns - asker->sent_ns);
}

static bool may_post(const struct fabric_run *run, const struct asker *asker)
{
  if (run->posted >= run->count || cli_stopped())
    return false;
  return run->mode == FABRIC_PING ? !asker->awaits && asker->under_way < run->depth
                                  : asker->under_way < run->depth;
}

static unsigned asker_post(struct fabric_run *run, struct asker *asker)
{
  struct fabric_end *end = run->asker;
  unsigned n = 0;
  for (; n < FABRIC_BURST && may_post(run, asker); n++) {
    uint64_t index = run->posted;
    uint8_t *bytes = run->op == SHUNT_FABRIC_READ ? fabric_recv_slot(run, end, index)
                                                  : fabric_send_slot(run, end, index);
    if (run->mode == FABRIC_PING)
      asker->sent_ns = asker->last_ns = fabric_now_ns(run);
    if (post(run, end, run->op, index, bytes, index))
      break;
    asker->awaits = run->mode == FABRIC_PING;
    asker->under_way++;
    run->posted++;
  }
  if (n)
    shunt_fabric_send_push(end->qp);
  return n;
}

static unsigned asker_turn(struct fabric_run *run, struct asker *asker)
{
  struct shunt_fabric_completion completions[FABRIC_BURST];
  unsigned n = shunt_fabric_poll(run->asker->cq, completions, FABRIC_BURST);
  uint64_t now_ns = n ? fabric_now_ns(run) : 0;
  for (unsigned i = 0; i < n; i++)
    take(run, asker, &completions[i], now_ns);
  return n + asker_post(run, asker);
}

/* Nothing has come for too long: what a ping waits for is lost; all is, of what bw waits for. */
static bool gives_up(struct fabric_run *run, struct asker *asker)
{
  if (fabric_now_ns(run) - asker->last_ns < (uint64_t)(run->timeout_s * 1e9))
    return false;
  if (run->mode == FABRIC_BW)
    return true;
  run->lost += asker->awaits;
  asker->awaits = false;
  asker->last_ns = fabric_now_ns(run);
  return run->posted >= run->count;
}

static void ask(struct fabric_run *run)
{
  const uint64_t start_ns = fabric_now_ns(run);
  struct asker asker = {.last_ns = start_ns};
  for (unsigned idle = 0;;) {
    unsigned done = asker_turn(run, &asker);
    fabric_turn(run);
    done += answerer_turn(run);
    idle = done ? 0 : idle + 1;
    if (!asker.awaits && !asker.under_way && (run->posted >= run->count || cli_stopped()))
      break;
    if (idle % LOOK_ROUNDS == LOOK_ROUNDS - 1 && gives_up(run, &asker))
      break;
  }
  run->seconds = (double)(asker.last_ns - start_ns) / 1e9;
}

/* ---- Both ---- */

static void drain(struct fabric_run *run)
{
  const uint64_t start_ns = fabric_now_ns(run);
  do {
    fabric_turn(run);
    answerer_turn(run);
  } while (fabric_now_ns(run) - start_ns < DRAIN_NS);
}

static void serve(struct fabric_run *run)
{
  for (unsigned round = 0; !cli_stopped(); round++) {
    fabric_turn(run);
    if (!answerer_turn(run) && round % LOOK_ROUNDS == 0 && fabric_exchange_ended(run))
      return;
  }
}

/* What was written stands there. */
static void check_written(struct fabric_run *run)
{
  for (uint64_t slot = 0; run->op == SHUNT_FABRIC_WRITE && slot < run->depth; slot++) {
    uint64_t told = slot;
    const uint8_t *bytes = fabric_recv_slot(run, run->answerer, slot);
    if (slot < run->count && !(fabric_pattern_is(bytes, run->size, &told) && told == slot))
      run->corrupted++;
  }
}

int fabric_move(struct fabric_run *run, struct shunt_error *error)
{
  int code = 0;
  for (uint64_t slot = 0; run->op == SHUNT_FABRIC_SEND && slot < run->depth; slot++)
    for (unsigned i = 0; i < 2; i++)
      if (run->ends[i].fabric)
        post_receive(run, &run->ends[i], slot);
  if (run->socket >= 0)
    code = fabric_exchange_meet(run, error);
  if (code)
    return code;
  if (run->asker)
    ask(run);
  else
    serve(run);
  if (run->answerer) {
    drain(run);
    check_written(run);
  }
  return run->socket >= 0 ? fabric_exchange_end(run, error) : 0;
}
