/* SPDX-License-Identifier: BSD-2-Clause */
/* The portable verbs are the inline ones of shunt/efa.h, as functions. */
#include "src/nic/efa/efa.h"

static struct shunt_efa_qp *fast_of(struct shunt_fabric_qp *qp)
{
  return (struct shunt_efa_qp *)qp;
}

/* The other half of shunt_efa_send_post: what needs the second line of a wide work request, or has
 * no room at all. */
int shunt_efa_send_post_wide(struct shunt_efa_qp *qp, const struct shunt_fabric_work *work)
{
  const bool sends = work->op == SHUNT_FABRIC_SEND;
  const struct shunt_efa_words key = {work->to.qkey, 0};
  struct shunt_efa_words body[6] = {{0, 0}}; /* 96 bytes */
  uint8_t *data = (uint8_t *)body;
  if (work->inline_bytes > (sends ? qp->inline_bytes : qp->inline_write_bytes))
    return -EINVAL;
  if (!sends) {
    body[0] = shunt_efa_memory(work->inline_bytes, work->rkey, work->remote_address);
    data += sizeof(body[0]);
  }
  if (work->inline_bytes)
    memcpy(data, work->inline_data, work->inline_bytes);
  const struct shunt_efa_words who = shunt_efa_who(qp, work, work->inline_bytes);
  shunt_efa_line(qp->sq_next, who, key, body[0], body[1]);
  if (qp->sq_entry_bytes == EFA_SQ_ENTRY_BYTES_WIDE)
    shunt_efa_line(qp->sq_next + EFA_SQ_ENTRY_BYTES, body[2], body[3], body[4], body[5]);
  shunt_efa_sq_advance(qp);
  return 0;
}

static int send_post(struct shunt_fabric_qp *qp, const struct shunt_fabric_work *work)
{
  return shunt_efa_send_post(fast_of(qp), work);
}

static void send_push(struct shunt_fabric_qp *qp)
{
  shunt_efa_send_push(fast_of(qp));
}

static unsigned recv_post(struct shunt_fabric_qp *qp, const struct shunt_fabric_receive receives[],
                          unsigned n)
{
  return shunt_efa_recv_post(fast_of(qp), receives, n);
}

const struct shunt_fabric_qp_verbs efa_verbs = {
    .send_post = send_post, .send_push = send_push, .recv_post = recv_post};

unsigned efa_poll(struct shunt_fabric_cq *cq, struct shunt_fabric_completion completions[],
                  unsigned n)
{
  return shunt_efa_poll((struct shunt_efa_cq *)cq, completions, n);
}

unsigned efa_poll_and_step(struct shunt_fabric_cq *cq, struct shunt_fabric_completion completions[],
                           unsigned n)
{
  unsigned got = efa_poll(cq, completions, n);
  if (got || !n)
    return got;
  shunt_fabric_step(cq->object->fabric);
  return efa_poll(cq, completions, n);
}

struct shunt_efa_qp *shunt_efa_qp(struct shunt_fabric_qp *qp)
{
  return qp->verbs == &efa_verbs ? fast_of(qp) : NULL;
}

struct shunt_efa_cq *shunt_efa_cq(struct shunt_fabric_cq *cq)
{
  return cq->poll == efa_poll || cq->poll == efa_poll_and_step ? (struct shunt_efa_cq *)cq : NULL;
}
