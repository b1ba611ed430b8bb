/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/xdp_helper/server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/core/error_internal.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59 /* uapi/asm-generic/socket.h, Linux 4.13 */
#endif

#define GROUPS_MOST 256

struct client {
  int socket;      /* -1: free */
  uint64_t number; /* the how many-th it is */
  gid_t groups[GROUPS_MOST];
  struct session session;
};

struct server {
  struct session_world world;
  struct client clients[SERVER_CLIENTS];
  uint64_t come;
};

/* ---- Life ---- */

int server_open(const struct policy *policy, const struct share_system *system,
                const char *journals, const struct shunt_log *log, struct server **server,
                struct shunt_error *error)
{
  struct server *new = calloc(1, sizeof(*new));
  if (!new)
    return shunt_error_set(error, -ENOMEM, "no memory for a helper");
  new->world =
      (struct session_world){.policy = policy, .system = system, .journals = journals, .log = log};
  for (unsigned i = 0; i < SERVER_CLIENTS; i++)
    new->clients[i].socket = -1;
  *server = new;
  return 0;
}

static void drop(struct client *client)
{
  session_close(&client->session);
  close(client->socket);
  client->socket = -1;
}

void server_close(struct server *server)
{
  if (!server)
    return;
  for (unsigned i = 0; i < SERVER_CLIENTS; i++)
    if (server->clients[i].socket >= 0)
      drop(&server->clients[i]);
  free(server);
}

unsigned server_clients(const struct server *server)
{
  unsigned count = 0;
  for (unsigned i = 0; i < SERVER_CLIENTS; i++)
    count += server->clients[i].socket >= 0;
  return count;
}

/* ---- Clients come ---- */

/* Tell a client that there is no place for it. It may be about to send its HELLO, or have sent it:
 * what it sends after this fails, and what lay here unread would have its next call fail, and not
 * read the reply (unix_release_sock, net/unix/af_unix.c). */
static void turn_away(struct server *server, int socket, const char *why)
{
  struct xdp_helper_reply reply = {.head = {XDP_HELPER_MAGIC, XDP_HELPER_VERSION, XDP_HELPER_HELLO},
                                   .code = -EUSERS};
  union xdp_helper_request unread;
  shutdown(socket, SHUT_RD);
  while (recv(socket, &unread, sizeof(unread), MSG_DONTWAIT) > 0)
    ;
  snprintf(reply.what, sizeof(reply.what), "the helper has no place for another client");
  snprintf(reply.why, sizeof(reply.why), "%s", why);
  snprintf(reply.remedy, sizeof(reply.remedy),
           "close a port that it serves, and open this one again");
  xdp_helper_send(socket, &reply, sizeof(reply), -1);
  shunt_log_write(server->world.log, SHUNT_LOG_WARNING, "a client was turned away: %s", why);
}

/* Make room by letting go who has waited longest without a HELLO that was granted. */
static struct client *evict(struct server *server)
{
  struct client *oldest = NULL;
  for (unsigned i = 0; i < SERVER_CLIENTS; i++) {
    struct client *client = &server->clients[i];
    if (!client->session.entry && (!oldest || client->number < oldest->number))
      oldest = client;
  }
  if (!oldest)
    return NULL;
  turn_away(server, oldest->socket, "it did not say in time what it wants, and others came");
  drop(oldest);
  return oldest;
}

/* A place for one more of that user, or NULL, and why. */
static struct client *place_for(struct server *server, uid_t user, const char **why)
{
  struct client *place = NULL;
  unsigned of_user = 0;
  for (unsigned i = 0; i < SERVER_CLIENTS; i++) {
    struct client *client = &server->clients[i];
    if (client->socket < 0)
      place = place ? place : client;
    else
      of_user += client->session.peer.user == user;
  }
  *why = of_user < SERVER_USER_CLIENTS ? "so many are served already, of several users"
                                       : "this user has all the places that one user may have";
  if (of_user >= SERVER_USER_CLIENTS)
    return NULL;
  return place ? place : evict(server);
}

int server_add(struct server *server, int socket)
{
  struct ucred who = {0};
  socklen_t length = sizeof(who);
  const char *why = "who it is can't be known";
  bool known = getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0;
  struct client *client = known ? place_for(server, who.uid, &why) : NULL;
  if (!client) {
    turn_away(server, socket, why);
    close(socket);
    return known ? -EUSERS : -EPERM;
  }
  length = sizeof(client->groups);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, client->groups, &length))
    length = 0; /* more than there is room for, or an old kernel: its main group counts alone */
  const struct policy_peer peer = {.user = who.uid,
                                   .group = who.gid,
                                   .groups = client->groups,
                                   .group_count = (unsigned)(length / sizeof(gid_t))};
  client->socket = socket;
  client->number = server->come++;
  session_open(&client->session, &server->world, &peer);
  return 0;
}

static void take_clients(struct server *server, int listener)
{
  int socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (socket >= 0)
    server_add(server, socket);
}

/* ---- Clients ask ---- */

static void *close_it(void *fd)
{
  close((int)(intptr_t)fd);
  return NULL;
}

/* Close a descriptor that a client has sent. Closing a file can wait for who serves it (FUSE), and
 * so for the client itself; a socket's can't. So what is no socket is closed by a thread that has
 * nothing else to do. */
static void close_foreign(int fd)
{
  int domain;
  pthread_t thread;
  socklen_t length = sizeof(domain);
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0)
    close(fd);
  else if (pthread_create(&thread, NULL, close_it, (void *)(intptr_t)fd) == 0)
    pthread_detach(thread);
}

/* A request that keeps the protocol's rules, or a reason to cut the client off. Descriptors are
 * taken only of who has come far enough to have a use for one. */
static int receive(struct client *client, union xdp_helper_request *request, int *fd)
{
  *fd = -1;
  memset(request, 0, sizeof(*request));
  ssize_t bytes = xdp_helper_receive(client->socket, request, sizeof(*request),
                                     client->session.share ? fd : NULL);
  if (bytes == 0)
    return -EPIPE;
  return bytes < 0 ? (int)bytes : xdp_helper_request_check(request, (size_t)bytes, *fd >= 0);
}

static void serve(struct server *server, struct client *client)
{
  union xdp_helper_request request;
  struct xdp_helper_reply reply;
  int fd, reply_fd = -1;
  int code = receive(client, &request, &fd);
  if (code == -EAGAIN)
    return;
  if (code == -EPROTO)
    shunt_log_write(server->world.log, SHUNT_LOG_WARNING,
                    "user %u was cut off: a message that breaks the protocol",
                    (unsigned)client->session.peer.user);
  if (code == 0) {
    session_answer(&client->session, &request, fd, &reply, &reply_fd);
    code = xdp_helper_send(client->socket, &reply, sizeof(reply), reply_fd);
  }
  if (fd >= 0)
    close_foreign(fd);
  if (reply_fd >= 0)
    close(reply_fd);
  if (code < 0 || !client->session.entry) /* nobody keeps a place who is refused */
    drop(client);
}

/* The listener is looked at before the clients, and served behind them: who closes a connection and
 * makes another finds its place free. */
int server_turn(struct server *server, int listener, int timeout_ms)
{
  struct pollfd waits[1 + SERVER_CLIENTS] = {{.fd = listener, .events = POLLIN}};
  for (unsigned i = 0; i < SERVER_CLIENTS; i++)
    waits[1 + i] = (struct pollfd){.fd = server->clients[i].socket, .events = POLLIN};
  int ready = poll(waits, 1 + SERVER_CLIENTS, timeout_ms);
  if (ready < 0)
    return errno == EINTR ? 0 : -errno;
  for (unsigned i = 0; i < SERVER_CLIENTS; i++)
    if (waits[1 + i].fd >= 0 && waits[1 + i].revents)
      serve(server, &server->clients[i]);
  if (waits[0].revents)
    take_clients(server, listener);
  return 0;
}

/* ---- Listening ---- */

/* Whether somebody listens there. Connecting asks for no more than the file's mode. */
static bool is_alive(const struct sockaddr_un *address)
{
  int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  bool alive =
      probe >= 0 && connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0;
  if (probe >= 0)
    close(probe);
  return alive;
}

int server_listen(const char *path, int *listener, struct shunt_error *error)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct stat status;
  if (strlen(path) >= sizeof(address.sun_path))
    return shunt_error_set(error, -ENAMETOOLONG, "the path of a socket has %zu bytes at most: %s",
                           sizeof(address.sun_path) - 1, path);
  memcpy(address.sun_path, path, strlen(path) + 1);
  if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode)) {
    if (is_alive(&address)) {
      shunt_error_set(error, -EADDRINUSE, "can't listen on %s", path);
      shunt_error_why(error, "another helper does");
      return -EADDRINUSE;
    }
    unlink(path);
  }
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  /* 0666 by chmod after bind: the process's umask is not ours to change. */
  if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) || chmod(path, 0666) ||
      listen(fd, SERVER_CLIENTS)) {
    int code = error_set_errno(error, -errno, "can't listen on %s", path);
    if (code == -ENOENT)
      shunt_error_remedy(error, "make the directory, or name another socket: --socket PATH");
    if (fd >= 0)
      close(fd);
    return code;
  }
  *listener = fd;
  return 0;
}
