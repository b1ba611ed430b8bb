/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/netlink/netlink.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "src/core/error_internal.h"

/* What the kernel fills at most with one part of a dump (NLMSG_GOODSIZE, and 32 KiB where the
 * reader's buffer takes it: af_netlink.c, netlink_dump). */
#define ANSWER_BYTES 32768

int netlink_open(struct netlink *netlink, int protocol)
{
  memset(netlink, 0, sizeof(*netlink));
  netlink->socket = mnl_socket_open2(protocol, SOCK_CLOEXEC);
  if (!netlink->socket)
    return -errno;
  int on = 1;
  struct timeval deadline = {.tv_sec = 10}; /* a driver that changes its rings takes its time */
  /* Without these (Linux before 4.12) there are no words and longer answers: no harm. */
  mnl_socket_setsockopt(netlink->socket, NETLINK_EXT_ACK, &on, sizeof(on));
  mnl_socket_setsockopt(netlink->socket, NETLINK_CAP_ACK, &on, sizeof(on));
  if (setsockopt(mnl_socket_get_fd(netlink->socket), SOL_SOCKET, SO_RCVTIMEO, &deadline,
                 sizeof(deadline)) ||
      mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID)) {
    int code = -errno;
    netlink_close(netlink);
    return code;
  }
  return 0;
}

void netlink_close(struct netlink *netlink)
{
  if (netlink->socket)
    mnl_socket_close(netlink->socket);
  netlink->socket = NULL;
}

struct nlmsghdr *netlink_begin(struct netlink *netlink, void *buffer, uint16_t type, uint16_t flags,
                               void *head, size_t head_bytes)
{
  struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
  request->nlmsg_type = type;
  /* NLM_F_DUMP is two bits, and each by itself has another meaning (NLM_F_EXCL is one of them). */
  const bool dumps = (flags & NLM_F_DUMP) == NLM_F_DUMP;
  request->nlmsg_flags = NLM_F_REQUEST | (dumps ? flags : flags | NLM_F_ACK);
  request->nlmsg_seq = ++netlink->sequence;
  *(void **)head = mnl_nlmsg_put_extra_header(request, head_bytes);
  return request;
}

struct nlmsghdr *netlink_begin_generic(struct netlink *netlink, void *buffer, uint16_t family,
                                       uint8_t command, uint16_t flags)
{
  struct genlmsghdr *head;
  struct nlmsghdr *request =
      netlink_begin(netlink, buffer, family, flags, (void *)&head, sizeof(*head));
  head->cmd = command;
  head->version = 1;
  return request;
}

/* ---- Answers ---- */

struct talk {
  struct netlink *netlink;
  mnl_cb_t take;
  void *context;
};

static int take_answer(const struct nlmsghdr *header, void *context)
{
  const struct talk *talk = context;
  return talk->take ? talk->take(header, talk->context) : MNL_CB_OK;
}

static int take_words(const struct nlattr *attribute, void *context)
{
  struct netlink *netlink = context;
  if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG)
    netlink_text(attribute, netlink->words, sizeof(netlink->words));
  return MNL_CB_OK;
}

/* An acknowledgement, or a refusal: struct nlmsgerr, then the request's header (all of the request
 * where NLM_F_CAPPED is not set), then attributes where NLM_F_ACK_TLVS is. */
static int take_verdict(const struct nlmsghdr *header, void *context)
{
  const struct talk *talk = context;
  const struct nlmsgerr *verdict = mnl_nlmsg_get_payload(header);
  if (mnl_nlmsg_get_payload_len(header) < sizeof(*verdict)) {
    errno = EBADMSG;
    return MNL_CB_ERROR;
  }
  if (verdict->error == 0)
    return MNL_CB_STOP;
  size_t offset = sizeof(*verdict);
  if (!(header->nlmsg_flags & NLM_F_CAPPED))
    offset += mnl_nlmsg_get_payload_len(&verdict->msg);
  if (header->nlmsg_flags & NLM_F_ACK_TLVS && offset <= mnl_nlmsg_get_payload_len(header))
    mnl_attr_parse(header, (unsigned)offset, take_words, talk->netlink);
  errno = verdict->error < 0 ? -verdict->error : verdict->error;
  return MNL_CB_ERROR;
}

int netlink_talk(struct netlink *netlink, const struct nlmsghdr *request, mnl_cb_t take,
                 void *context)
{
  char answer[ANSWER_BYTES];
  struct talk talk = {netlink, take, context};
  mnl_cb_t control[NLMSG_ERROR + 1] = {[NLMSG_ERROR] = take_verdict}; /* others: libmnl's own */
  netlink->words[0] = '\0';
  if (mnl_socket_sendto(netlink->socket, request, request->nlmsg_len) < 0)
    return -errno;
  for (;;) {
    ssize_t bytes = mnl_socket_recvfrom(netlink->socket, answer, sizeof(answer));
    if (bytes < 0)
      return errno == EAGAIN || errno == EWOULDBLOCK ? -ETIMEDOUT : -errno;
    int more = mnl_cb_run2(answer, (size_t)bytes, request->nlmsg_seq,
                           mnl_socket_get_portid(netlink->socket), take_answer, &talk, control,
                           NLMSG_ERROR + 1);
    if (more < 0)
      return errno ? -errno : -EIO;
    if (more == MNL_CB_STOP)
      return 0;
  }
}

void netlink_why(const struct netlink *netlink, int code, struct shunt_error *error)
{
  struct shunt_error text = {0};
  error_why_errno(&text, code);
  if (*netlink->words)
    shunt_error_why(error, "the kernel says: %s; %.80s", netlink->words, text.why);
  else
    shunt_error_why(error, "%.200s", text.why);
}

/* ---- Attributes ---- */

uint32_t netlink_u32(const struct nlattr *attribute, uint32_t otherwise)
{
  return mnl_attr_get_payload_len(attribute) < sizeof(uint32_t) ? otherwise
                                                                : mnl_attr_get_u32(attribute);
}

uint64_t netlink_u64(const struct nlattr *attribute, uint64_t otherwise)
{
  return mnl_attr_get_payload_len(attribute) < sizeof(uint64_t) ? otherwise
                                                                : mnl_attr_get_u64(attribute);
}

void netlink_text(const struct nlattr *attribute, char *text, size_t bytes)
{
  const char *from = mnl_attr_get_payload(attribute);
  snprintf(text, bytes, "%.*s", (int)strnlen(from, mnl_attr_get_payload_len(attribute)), from);
}

/* ---- Generic netlink ---- */

static int take_family(const struct nlattr *attribute, void *context)
{
  if (mnl_attr_get_type(attribute) == CTRL_ATTR_FAMILY_ID &&
      mnl_attr_get_payload_len(attribute) >= sizeof(uint16_t))
    *(uint16_t *)context = mnl_attr_get_u16(attribute);
  return MNL_CB_OK;
}

static int take_family_message(const struct nlmsghdr *header, void *context)
{
  return mnl_attr_parse(header, sizeof(struct genlmsghdr), take_family, context);
}

int netlink_family(struct netlink *netlink, const char *name, uint16_t *family)
{
  char buffer[NETLINK_REQUEST_BYTES];
  struct nlmsghdr *request =
      netlink_begin_generic(netlink, buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
  mnl_attr_put_strz(request, CTRL_ATTR_FAMILY_NAME, name);
  *family = 0;
  int code = netlink_talk(netlink, request, take_family_message, family);
  if (code == 0 && *family == 0)
    return -ENOENT;
  return code;
}
