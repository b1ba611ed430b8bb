/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program without capabilities and `shunt xdp-helper` say to each other.
 *
 * A UNIX socket of type SOCK_SEQPACKET, so that a message is what one send made it. The client
 * sends a request, the helper one reply, in turn. Each kind of request has one length, to the byte;
 * numbers are in host order; texts end in a NUL within their field; what is reserved is 0. A
 * message that breaks a rule ends the connection. The helper learns who asks from the kernel
 * (SO_PEERCRED, SO_PEERGROUPS), not from the client.
 *
 * A connection is one interface: HELLO first, then the rest in the order of src/nic/xdp/access.h.
 * File descriptors travel beside a message (SCM_RIGHTS): with the reply to SOCKET a new AF_XDP
 * socket, with SOCKET_SET the client's own. The XSKMAP and the link stay with the helper: who has
 * the map can take the queues of others.
 *
 * The client binds the socket, and registers its memory with it. (For the helper to bind it it
 * would have to register the memory first: then that would count against the helper's memlock
 * limit, not the client's, and a bind, for which drivers stop and start their queues, would hold up
 * all other clients.) To its interface the socket is held (xdp_socket_hold), to a queue the kernel
 * can't hold it: a client can bind to any that is free, though it is handed frames only from those
 * of SOCKET_SET, and can send whatever it likes there. In zero-copy mode each frame of a queue lies
 * in the memory of who has bound it before the program sees it.
 *
 * A connection whose first request is not a HELLO that succeeds ends behind the reply. Where there
 * is no place for a client it is sent a reply to HELLO at once, and the connection ends, too:
 * either before it has sent one, so that sending fails, or instead of an answer.
 *
 * When a connection ends, in whatever way, all that was done for it is undone. */
#ifndef SRC_XDP_HELPER_PROTOCOL_H
#define SRC_XDP_HELPER_PROTOCOL_H

#include <assert.h>
#include <net/if.h>
#include <stdint.h>
#include <sys/types.h>

#include "shunt/error.h"
#include "shunt/xdp_rule.h"

#define XDP_HELPER_SOCKET  "/run/shunt/xdp-helper.sock"
#define XDP_HELPER_MAGIC   0x70686478u /* "xdhp" in the bytes of a little-endian machine */
#define XDP_HELPER_VERSION 2

enum xdp_helper_type {
  XDP_HELPER_HELLO = 1,    /* xdp_helper_hello */
  XDP_HELPER_SETUP,        /* xdp_helper_setup */
  XDP_HELPER_SOCKET_NEW,   /* xdp_helper_socket; the reply carries the socket */
  XDP_HELPER_RULE_STAGE,   /* xdp_helper_rule: one of the next ATTACH or RULES_ADD */
  XDP_HELPER_ATTACH,       /* xdp_helper_attach; reply: value is enum filter_time */
  XDP_HELPER_DETACH,       /* xdp_helper_bare */
  XDP_HELPER_SOCKET_SET,   /* xdp_helper_number: the queue; carries the socket */
  XDP_HELPER_SOCKET_CLEAR, /* xdp_helper_number: the queue */
  XDP_HELPER_RULES_ADD,    /* xdp_helper_bare; reply: value is the first rule's id, from which the
                              others count on */
  XDP_HELPER_ID_STAGE,     /* xdp_helper_number: the id of one of the next RULES_REMOVE */
  XDP_HELPER_RULES_REMOVE, /* xdp_helper_bare */
  XDP_HELPER_RULE_HITS,    /* xdp_helper_number: the id; reply: packets, bytes */
};

struct xdp_helper_head {
  uint32_t magic;
  uint16_t version;
  uint16_t type;
};

struct xdp_helper_bare {
  struct xdp_helper_head head;
};

struct xdp_helper_hello {
  struct xdp_helper_head head;
  uint64_t space; /* SO_NETNS_COOKIE of the client; 0: not known */
  uint32_t ifindex;
  char interface[IF_NAMESIZE];
  uint32_t reserved;
};

struct xdp_helper_setup { /* struct setup_wanted */
  struct xdp_helper_head head;
  uint32_t channels, mtu;
  uint8_t up, promiscuous, traps, traps_try;
  uint32_t reserved;
};

struct xdp_helper_socket { /* struct xdp_socket_wanted, none of it above its most */
  struct xdp_helper_head head;
  uint32_t send_bytes, busy_poll_us, busy_budget;
  uint32_t reserved;
};

struct xdp_helper_attach { /* struct xdp_attach; its rules were staged */
  struct xdp_helper_head head;
  uint32_t mode, queues;
  uint8_t fragments, receive_time, vlan, join; /* receive_time: enum filter_time */
  uint32_t reserved;
};

struct xdp_helper_number {
  struct xdp_helper_head head;
  uint32_t number;
  uint32_t reserved;
};

struct xdp_helper_rule {
  struct xdp_helper_head head;
  char text[SHUNT_XDP_RULE_TEXT_BYTES]; /* shunt/xdp_rule.h */
};

union xdp_helper_request {
  struct xdp_helper_head head;
  struct xdp_helper_bare bare;
  struct xdp_helper_hello hello;
  struct xdp_helper_setup setup;
  struct xdp_helper_socket socket;
  struct xdp_helper_attach attach;
  struct xdp_helper_number number;
  struct xdp_helper_rule rule;
};

struct xdp_helper_reply {
  struct xdp_helper_head head; /* type: the request's */
  int32_t code;                /* 0 or -errno; the texts are struct shunt_error's */
  uint32_t value;
  uint64_t packets, bytes;
  char what[SHUNT_ERROR_TEXT_BYTES], why[SHUNT_ERROR_TEXT_BYTES], remedy[SHUNT_ERROR_TEXT_BYTES];
};

static_assert(sizeof(struct xdp_helper_head) == 8, "the protocol, version 2");
static_assert(sizeof(struct xdp_helper_hello) == 40, "the protocol, version 2");
static_assert(sizeof(struct xdp_helper_setup) == 24, "the protocol, version 2");
static_assert(sizeof(struct xdp_helper_socket) == 24, "the protocol, version 2");
static_assert(sizeof(struct xdp_helper_attach) == 24, "the protocol, version 2");
static_assert(sizeof(struct xdp_helper_number) == 16, "the protocol, version 2");
static_assert(sizeof(struct xdp_helper_rule) == 648, "the protocol, version 2");
static_assert(sizeof(struct xdp_helper_reply) == 800, "the protocol, version 2");

/* How long a request of that type is; 0: there is no such type. */
size_t xdp_helper_request_bytes(uint16_t type);

/* Whether bytes are one whole request that keeps all rules above; has_fd: a descriptor came with
 * it. Returns 0 or -EPROTO. */
int xdp_helper_request_check(const union xdp_helper_request *request, size_t bytes, int has_fd);
/* The same for a reply to a request of that type. */
int xdp_helper_reply_check(const struct xdp_helper_reply *reply, size_t bytes, uint16_t type);

/* Send one message, with a descriptor unless fd is -1. Never waits.
 * Returns 0; -EAGAIN where the other side does not read; -errno */
int xdp_helper_send(int socket, const void *message, size_t bytes, int fd);

/* Take one message, without waiting.
 *
 * fd       NULL: descriptors are not taken, and give -EPROTO, nothing of them having come into this
 *          process; else -1, or the one that came with it, the caller's to close. More than one, or
 *          anything else beside the message, gives -EPROTO
 * Returns  its length; 0: the other side has gone; -EAGAIN: there is none; -EPROTO; -errno */
ssize_t xdp_helper_receive(int socket, void *message, size_t capacity, int *fd);

/* This thread's network namespace, for HELLO. */
uint64_t xdp_helper_namespace(void);

#endif
