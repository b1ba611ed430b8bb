/* SPDX-License-Identifier: BSD-2-Clause */
/* A conversation with the kernel over netlink, on libmnl: one request, its answers, and the
 * kernel's own words where it refuses (NETLINK_EXT_ACK, netlink(7)). */
#ifndef SRC_NETLINK_NETLINK_H
#define SRC_NETLINK_NETLINK_H

#include <libmnl/libmnl.h>
#include <stdint.h>

#include "shunt/error.h"

/* Enough for each request of ours; answers go to a buffer of their own. */
#define NETLINK_REQUEST_BYTES 1024

struct netlink {
  struct mnl_socket *socket;
  uint32_t sequence;
  char words[160]; /* of the kernel, to the request that failed last; may be empty */
};

/* Open a socket for NETLINK_ROUTE or NETLINK_GENERIC in the calling thread's network namespace.
 * Returns 0 or -errno. */
int netlink_open(struct netlink *netlink, int protocol);
void netlink_close(struct netlink *netlink);

/* Begin a request in buffer (NETLINK_REQUEST_BYTES long). The extra header, head_bytes long and
 * zero, comes at *head. flags: beside NLM_F_REQUEST and NLM_F_ACK (NLM_F_DUMP instead of that). */
struct nlmsghdr *netlink_begin(struct netlink *netlink, void *buffer, uint16_t type, uint16_t flags,
                               void *head, size_t head_bytes);

/* The same for a generic netlink family's command (struct genlmsghdr). */
struct nlmsghdr *netlink_begin_generic(struct netlink *netlink, void *buffer, uint16_t family,
                                       uint8_t command, uint16_t flags);

/* Send a request and hand each answer to take, until the kernel says that it is done.
 *
 * take     may be NULL
 * Returns  0; -errno of the kernel's refusal (netlink->words then has its words), of the socket, or
 *          of take, which returns MNL_CB_ERROR with errno set; -ETIMEDOUT after 10 s of silence */
int netlink_talk(struct netlink *netlink, const struct nlmsghdr *request, mnl_cb_t take,
                 void *context);

/* The number of a generic netlink family. Returns 0, or -ENOENT: this kernel has none of it. */
int netlink_family(struct netlink *netlink, const char *name, uint16_t *family);

/* Say in the error why a request failed: the kernel's words, and the errno's. */
void netlink_why(const struct netlink *netlink, int code, struct shunt_error *error);

/* Values of attributes, or what is given where the attribute is too short. */
uint32_t netlink_u32(const struct nlattr *attribute, uint32_t otherwise);
uint64_t netlink_u64(const struct nlattr *attribute, uint64_t otherwise);
/* Copies a string attribute, cut to what fits. */
void netlink_text(const struct nlattr *attribute, char *text, size_t bytes);

#endif
