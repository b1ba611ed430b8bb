/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/bpf/bpf_attach.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/bpf/explain.h"
#include "src/netlink/interface.h"
#include "src/netlink/netlink.h"

/* ---- who is there ---- */

/* Look for the link that holds the program on the interface. One of another network namespace has
 * another program, for a program's id names it everywhere. */
static void attach_find_link(int ifindex, struct bpf_attached *attached)
{
  uint32_t id = 0;
  while (bpf_link_next(id, &id, NULL) == 0) {
    struct bpf_link_state state;
    int fd;
    if (bpf_link_open(id, &fd, NULL) < 0)
      continue;
    int result = bpf_link_info(fd, &state, NULL);
    close(fd);
    if (result < 0 || state.type != BPF_LINK_TYPE_XDP || state.ifindex != ifindex ||
        state.program != attached->program)
      continue;
    attached->by_link = true;
    attached->link = id;
    return;
  }
}

static void attach_read_program(struct bpf_attached *attached)
{
  int fd;
  if (bpf_program_open(attached->program, &fd, NULL) < 0)
    return;
  attached->known = bpf_program_info(fd, &attached->state, NULL) == 0;
  close(fd);
}

int bpf_attach_query(int ifindex, struct bpf_attached *attached, struct shunt_error *error)
{
  struct interface_state interface;
  memset(attached, 0, sizeof(*attached));
  int result = interface_read_index(ifindex, &interface, error);
  if (result < 0)
    return result;
  const struct {
    uint32_t program, mode;
  } places[] = {{interface.xdp_program_hw, XDP_FLAGS_HW_MODE},
                {interface.xdp_program_drv, XDP_FLAGS_DRV_MODE},
                {interface.xdp_program_skb, XDP_FLAGS_SKB_MODE}};
  for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && attached->program == 0; i++) {
    attached->program = places[i].program;
    attached->mode = places[i].mode;
  }
  if (attached->program == 0) {
    attached->mode = 0;
    return 0;
  }
  attach_find_link(ifindex, attached);
  attach_read_program(attached);
  return 0;
}

static const char *attach_mode_name(uint32_t mode)
{
  if (mode == XDP_FLAGS_HW_MODE)
    return "hw";
  return mode == XDP_FLAGS_DRV_MODE ? "drv" : "skb";
}

/* "root (uid 0)", or "uid 1234" where nobody is called so. */
static void attach_user(uint32_t uid, char *text, size_t bytes)
{
  struct passwd entry;
  struct passwd *found = NULL;
  char room[1024];
  if (getpwuid_r(uid, &entry, room, sizeof(room), &found) == 0 && found != NULL)
    snprintf(text, bytes, "%.32s (uid %u)", found->pw_name, uid);
  else
    snprintf(text, bytes, "uid %u", uid);
}

/* "5 s", "3 min", "7 h", "2 days" since a time that counts from boot. */
static void attach_age(uint64_t since_ns, char *text, size_t bytes)
{
  struct timespec now = {.tv_sec = 0};
  clock_gettime(CLOCK_BOOTTIME, &now);
  int64_t seconds = now.tv_sec - (int64_t)(since_ns / 1000000000u);
  seconds = seconds < 0 ? 0 : seconds;
  if (seconds < 120)
    snprintf(text, bytes, "%lld s", (long long)seconds);
  else if (seconds < 7200)
    snprintf(text, bytes, "%lld min", (long long)(seconds / 60));
  else if (seconds < 172800)
    snprintf(text, bytes, "%lld h", (long long)(seconds / 3600));
  else
    snprintf(text, bytes, "%lld days", (long long)(seconds / 86400));
}

void bpf_attach_describe(const struct bpf_attached *attached, char *text, size_t bytes)
{
  char held[48] = "attached through netlink";
  char user[64];
  char age[32];
  if (attached->program == 0) {
    snprintf(text, bytes, "no program");
    return;
  }
  if (attached->by_link)
    snprintf(held, sizeof(held), "held by link %u", attached->link);
  if (!attached->known) {
    snprintf(text, bytes, "%s mode, program id %u (more is shown to CAP_SYS_ADMIN)",
             attach_mode_name(attached->mode), attached->program);
    return;
  }
  attach_user(attached->state.uid, user, sizeof(user));
  attach_age(attached->state.loaded_ns, age, sizeof(age));
  snprintf(text, bytes, "%s mode, program \"%s\" id %u tag %s, loaded by %s %s ago, %s",
           attach_mode_name(attached->mode), attached->state.name, attached->program,
           attached->state.tag, user, age, held);
}

/* ---- by rtnetlink ---- */

/* RTM_SETLINK with IFLA_XDP (net/core/rtnetlink.c, do_setlink): fd -1 takes the program off. The
 * kernel's words come in words, which may be NULL. */
static int attach_talk(int program, int expected, int ifindex, uint32_t flags, char *words)
{
  struct netlink netlink;
  char buffer[NETLINK_REQUEST_BYTES];
  struct ifinfomsg *head;
  int result = netlink_open(&netlink, NETLINK_ROUTE);
  if (result < 0)
    return result;
  struct nlmsghdr *request =
      netlink_begin(&netlink, buffer, RTM_SETLINK, 0, (void *)&head, sizeof(*head));
  head->ifi_family = AF_UNSPEC;
  head->ifi_index = ifindex;
  struct nlattr *nest = mnl_attr_nest_start(request, IFLA_XDP);
  mnl_attr_put_u32(request, IFLA_XDP_FD, (uint32_t)program);
  mnl_attr_put_u32(request, IFLA_XDP_FLAGS, flags);
  if ((flags & XDP_FLAGS_REPLACE) != 0)
    mnl_attr_put_u32(request, IFLA_XDP_EXPECTED_FD, (uint32_t)expected);
  mnl_attr_nest_end(request, nest);
  result = netlink_talk(&netlink, request, NULL, NULL);
  if (words != NULL)
    snprintf(words, BPF_ATTACH_WORDS_BYTES, "%.*s", BPF_ATTACH_WORDS_BYTES - 1, netlink.words);
  netlink_close(&netlink);
  return result;
}

void bpf_attach_ask(int program, int ifindex, uint32_t xdp_flags,
                    char words[BPF_ATTACH_WORDS_BYTES])
{
  words[0] = '\0';
  int result = attach_talk(program, -1, ifindex, xdp_flags | XDP_FLAGS_UPDATE_IF_NOEXIST, words);
  if (result == 0)
    attach_talk(-1, program, ifindex, xdp_flags | XDP_FLAGS_REPLACE, NULL);
}

int bpf_attach_set(int program, int ifindex, uint32_t xdp_flags, struct shunt_error *error)
{
  int result = attach_talk(program, -1, ifindex, xdp_flags | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
  return result < 0 ? explain_attach(program, ifindex, xdp_flags, result, error) : 0;
}

int bpf_attach_replace(int program, int expected, int ifindex, uint32_t xdp_flags,
                       struct shunt_error *error)
{
  int result = attach_talk(program, expected, ifindex, xdp_flags | XDP_FLAGS_REPLACE, NULL);
  if (result == 0)
    return 0;
  if (result != -EEXIST)
    return explain_attach(program, ifindex, xdp_flags, result, error);
  struct bpf_attached attached;
  char text[SHUNT_ERROR_TEXT_BYTES] = "";
  shunt_error_set(error, result, "can't replace the XDP program of interface %d", ifindex);
  if (bpf_attach_query(ifindex, &attached, NULL) == 0)
    bpf_attach_describe(&attached, text, sizeof(text));
  shunt_error_why(error, "another program than the expected one is there: %.200s", text);
  return result;
}
