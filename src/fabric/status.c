/* SPDX-License-Identifier: BSD-2-Clause */
/* What completions say, in words. What each status is told for was taken from how the device is
 * described (hw/efa_desc.h) and from what people found behind it. */
#include <stddef.h>

#include "shunt/fabric.h"

struct status {
  const char *name, *text, *advice;
};

static const struct status statuses[] = {
    [SHUNT_FABRIC_OK] = {"ok", "it was done", ""},
    [SHUNT_FABRIC_FLUSHED] = {"flushed",
                              "its queue pair was stopped, or the device reset, before it was done",
                              "nobody knows whether it arrived; send it again from a new queue "
                              "pair"},
    [SHUNT_FABRIC_QP_INTERNAL] = {"qp-internal", "the device can't make sense of the work request",
                                  "look at its operation, its pieces (a receive's too), and "
                                  "whether driver and device are of one age"},
    [SHUNT_FABRIC_UNSUPPORTED_OP] = {"unsupported-op",
                                     "this device, or this type of queue pair, can't do that",
                                     "look at the capabilities (shunt fabric info): efa0 has no "
                                     "RDMA, efa1 reads only, and UD has none at all"},
    [SHUNT_FABRIC_INVALID_AH] = {"invalid-ah", "there is no such address handle",
                                 "it must be of the queue pair's protection domain, and not "
                                 "destroyed before the work request ends"},
    [SHUNT_FABRIC_INVALID_LKEY] = {"invalid-lkey",
                                   "its memory is not registered under that lkey, or not all of it",
                                   "compare address, length and lkey with the registration, its "
                                   "protection domain, and LOCAL_WRITE for what is received or "
                                   "read"},
    [SHUNT_FABRIC_BAD_LENGTH] = {"bad-length", "it is longer than the device takes",
                                 "a send has at most info.mtu bytes, RDMA at most "
                                 "info.max_rdma_bytes"},
    [SHUNT_FABRIC_REMOTE_BAD_ADDRESS] = {"remote-bad-address",
                                         "the peer has no such memory, or not for this",
                                         "compare address, length and rkey with the peer's "
                                         "registration, its access (REMOTE_READ, REMOTE_WRITE) "
                                         "and whether it was deregistered meanwhile"},
    [SHUNT_FABRIC_REMOTE_ABORT] = {"remote-abort",
                                   "the peer took it for nothing: it was restarted, or its "
                                   "receive buffer is bad",
                                   "look at the peer's own completions"},
    [SHUNT_FABRIC_REMOTE_BAD_DEST_QPN] = {"remote-bad-dest-qpn",
                                          "the peer has no such queue pair, or the qkey is not its",
                                          "compare number, qkey and type with what the peer told; "
                                          "it may have ended (qkey_viol counts wrong qkeys there)"},
    [SHUNT_FABRIC_REMOTE_RNR] = {"remote-rnr", "the peer had posted nothing to receive it into",
                                 "the receiver must keep receives posted; or give the sender more "
                                 "rnr_retries"},
    [SHUNT_FABRIC_REMOTE_BAD_LENGTH] = {"remote-bad-length",
                                        "it is longer than what the peer had posted",
                                        "post longer receives, or send less at a time"},
    [SHUNT_FABRIC_REMOTE_BAD_STATUS] = {"remote-bad-status",
                                        "the peer answered with what is no status",
                                        "the two devices are not of one kind: compare firmware"},
    [SHUNT_FABRIC_UNRESPONSIVE] = {"unresponsive", "the peer answered before, and does so no more",
                                   "see whether the peer's host is up, and the path to it; nobody "
                                   "knows whether it arrived"},
    [SHUNT_FABRIC_REMOTE_UNKNOWN_PEER] = {"remote-unknown-peer",
                                          "the peer has no address handle of us",
                                          "RDMA needs one on both sides: let the peer make one of "
                                          "our gid before"},
    [SHUNT_FABRIC_UNREACHABLE] = {"unreachable", "the peer has never answered",
                                  "see whether its gid is right, whether both are in one subnet, "
                                  "and whether the security group lets them (all traffic, to "
                                  "itself)"},
    [SHUNT_FABRIC_REMOTE_FEATURE_MISMATCH] = {"remote-feature-mismatch",
                                              "the peer's device can't do that",
                                              "look at the peer's capabilities (shunt fabric "
                                              "info)"},
};

static const struct status unknown = {"unknown", "a status that this library does not know",
                                      "look for a newer version of it"};

static const struct status *find(unsigned status)
{
  if (status < sizeof(statuses) / sizeof(statuses[0]) && statuses[status].name)
    return &statuses[status];
  return &unknown;
}

const char *shunt_fabric_status_text(unsigned status)
{
  return find(status)->text;
}

const char *shunt_fabric_status_advice(unsigned status)
{
  return find(status)->advice;
}

const char *shunt_fabric_status_name(unsigned status)
{
  return find(status)->name;
}
