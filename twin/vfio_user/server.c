/* SPDX-License-Identifier: BSD-2-Clause */
#include "twin/vfio_user/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/core/error_internal.h"

#define DEFAULT_WAIT_NS UINT64_C(5000000000)
#define TURN_MESSAGES   64u /* most that one poll works off, so that the model gets its turns */
#define BACKLOG         4   /* clients that have not been looked at */
#define NEXT_WAITS_NS   UINT64_C(500000000) /* for the client before it to go */
#define NEXT_LOOK_NS    UINT64_C(1000000)   /* between two looks at who comes, while busy */
#define SHARED_BACKLOG  64 /* at a socket of several servers: all their clients may come at once */

/* ---- Faults and counters ---- */

void server_fault(struct shunt_vfio_user *server, uint64_t *counter, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(server->last_fault, sizeof server->last_fault, format, arguments);
  va_end(arguments);
  ++*counter;
  shunt_log_write(server->log, SHUNT_LOG_DEBUG, "%s: %s", server->address.sun_path,
                  server->last_fault);
}

#define SERVER_NAME(name) #name,
static const char *const counter_names[] = {SERVER_DONE(SERVER_NAME) SERVER_FAULTS(SERVER_NAME)};
#undef SERVER_NAME
#define SERVER_DONE_NUMBER(name) DONE_##name,
enum { SERVER_DONE(SERVER_DONE_NUMBER) DONE_COUNTERS };
#undef SERVER_DONE_NUMBER
#define COUNTERS (sizeof(counter_names) / sizeof(counter_names[0]))
_Static_assert(sizeof(struct server_counters) == COUNTERS * sizeof(uint64_t), "all are counters");

unsigned shunt_vfio_user_counters(const struct shunt_vfio_user *server, const char *names[],
                                  uint64_t values[], unsigned n)
{
  struct server_counters counters = server->counters;
  counters.interrupts = server->irqs.signalled;
  counters.interrupts_unheard = server->irqs.unheard;
  counters.interrupts_full = server->irqs.full;
  uint64_t all[COUNTERS];
  memcpy(all, &counters, sizeof all);
  for (unsigned i = 0; i < COUNTERS && i < n; i++) {
    names[i] = counter_names[i];
    values[i] = all[i];
  }
  return COUNTERS;
}

uint64_t shunt_vfio_user_counter(const struct shunt_vfio_user *server, const char *name)
{
  const char *names[COUNTERS];
  uint64_t values[COUNTERS];
  shunt_vfio_user_counters(server, names, values, COUNTERS);
  for (unsigned i = 0; i < COUNTERS; i++)
    if (strcmp(names[i], name) == 0)
      return values[i];
  return 0;
}

unsigned shunt_vfio_user_counters_done(void)
{
  return DONE_COUNTERS;
}

const char *shunt_vfio_user_last_fault(const struct shunt_vfio_user *server)
{
  return server->last_fault;
}

/* ---- Clients ---- */

static void watch(const struct shunt_vfio_user *server, int operation, int fd, uint32_t events)
{
  struct epoll_event event = {.events = events, .data.fd = fd};
  epoll_ctl(server->epoll, operation, fd, &event);
}

static uint64_t deadline(const struct shunt_vfio_user *server)
{
  uint64_t now_ns = shunt_clock_now_ns(&server->clock);
  return now_ns < UINT64_MAX - server->wait_ns ? now_ns + server->wait_ns : UINT64_MAX - 1;
}

/* Be woken by who comes: where nobody is served here, and for the one that waits while every server
 * of the socket has a client. Who comes behind that wakes nobody. */
static void watch_listener(const struct shunt_vfio_user *server)
{
  const struct server_socket *shared = server->shared;
  const bool waits = shared->maker == server && shared->busy == shared->servers && shared->next < 0;
  if (server->listener >= 0)
    watch(server, EPOLL_CTL_MOD, server->listener,
          server->stream.fd < 0 || waits ? (uint32_t)EPOLLIN : 0);
}

/* A server of the socket has got a client, or lost it. */
static void count_busy(struct shunt_vfio_user *server, int more)
{
  server->shared->busy += (unsigned)more;
  watch_listener(server);
  if (server->shared->maker != NULL && server->shared->maker != server)
    watch_listener(server->shared->maker);
}

static int take_next(struct shunt_vfio_user *server)
{
  const int fd = server->shared->next;
  server->shared->next = -1;
  return fd >= 0 ? fd : accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static unsigned welcome(struct shunt_vfio_user *server)
{
  int fd = take_next(server);
  if (fd < 0)
    return 0;
  server->stream.fd = fd;
  server->agreed = false;
  server->deadline_ns = deadline(server);
  server->watched = EPOLLIN;
  watch(server, EPOLL_CTL_ADD, fd, EPOLLIN);
  count_busy(server, 1);
  server->counters.clients++;
  shunt_log_write(server->log, SHUNT_LOG_INFO, "%s: a client has come", server->address.sun_path);
  return 1;
}

/* Say so to who has waited long enough. It has asked for a version by now, or never does. */
static void refuse_next(struct shunt_vfio_user *server)
{
  struct {
    struct vfio_user_header header;
    uint8_t rest[2048];
  } asked;
  const int fd = server->shared->next;
  server->shared->next = -1;
  if (recv(fd, &asked, sizeof asked, MSG_DONTWAIT) >= (ssize_t)sizeof asked.header) {
    const struct vfio_user_header reply = {.id = asked.header.id,
                                           .command = asked.header.command,
                                           .bytes = sizeof reply,
                                           .flags = VFIO_USER_FLAG_REPLY | VFIO_USER_FLAG_ERROR,
                                           .error = EBUSY};
    (void)!send(fd, &reply, sizeof reply, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  close(fd);
  server->counters.refused++;
  shunt_log_write(server->log, SHUNT_LOG_INFO, "%s: a client is refused, as others are served",
                  server->address.sun_path);
}

/* Who comes while every server of the socket has a client waits a little: one of those may be
 * leaving. Returns how much was done. */
static unsigned look_after_next(struct shunt_vfio_user *server)
{
  struct server_socket *shared = server->shared;
  if (shared->maker != server || shared->busy < shared->servers)
    return 0;
  const uint64_t now_ns = shunt_clock_now_ns(&server->clock);
  if (shared->next >= 0 && now_ns < shared->next_ns)
    return 0;
  if (shared->next < 0 && now_ns < server->look_ns)
    return 0;
  if (shared->next >= 0) {
    refuse_next(server);
  } else {
    server->look_ns = now_ns + NEXT_LOOK_NS;
    shared->next = take_next(server);
    shared->next_ns = now_ns + NEXT_WAITS_NS;
    if (shared->next < 0)
      return 0;
  }
  watch_listener(server);
  return 1;
}

/* The client's memory and eventfds go, and the model forgets what it was told to do with them. */
static void dismiss(struct shunt_vfio_user *server, bool is_fault)
{
  dma_clear(&server->dma);
  irqs_release_all(&server->irqs);
  shunt_model_reset(server->model);
  stream_close(&server->stream); /* which takes it out of epoll */
  server->agreed = false;
  server->deadline_ns = UINT64_MAX;
  count_busy(server, -1);
  shunt_log_write(server->log, is_fault ? SHUNT_LOG_WARNING : SHUNT_LOG_INFO,
                  is_fault ? "%s: the client is dismissed: %s" : "%s: the client has gone%s",
                  server->address.sun_path, is_fault ? server->last_fault : "");
}

/* ---- Turns ---- */

/* Work off whole messages. Returns how many, and one more for bytes that were read; *result says
 * why there are no more. */
static unsigned serve(struct shunt_vfio_user *server, enum stream_result *result)
{
  enum stream_reading reading = READING_MAY;
  unsigned done = 0;
  *result = STREAM_NOTHING;
  while (done < TURN_MESSAGES && !stream_is_full(&server->stream)) {
    struct message message;
    *result = stream_next(server, &message, &reading);
    if (*result != STREAM_MESSAGE)
      return done + (reading == READING_DONE);
    bool goes_on = server_handle(server, &message);
    message_release(&message);
    server->deadline_ns = UINT64_MAX;
    done++;
    if (!goes_on) {
      *result = STREAM_FAULT;
      return done;
    }
  }
  return done;
}

/* Start the time for what is only begun, and end it for who lets it pass. */
static enum stream_result keep_time(struct shunt_vfio_user *server)
{
  bool is_full = stream_is_full(&server->stream);
  if (!is_full && !stream_is_inside(&server->stream) && server->agreed) {
    server->deadline_ns = UINT64_MAX;
    return STREAM_NOTHING;
  }
  if (server->deadline_ns == UINT64_MAX) {
    server->deadline_ns = deadline(server);
    return STREAM_NOTHING;
  }
  if (shunt_clock_now_ns(&server->clock) < server->deadline_ns)
    return STREAM_NOTHING;
  if (is_full)
    server_fault(server, &server->counters.unread, "the client does not take its replies");
  else if (server->agreed)
    server_fault(server, &server->counters.stalled, "the rest of a message does not come");
  else
    server_fault(server, &server->counters.stalled, "VERSION does not come");
  return STREAM_FAULT;
}

/* While a reply waits for room, only that wakes. */
static void update_watch(struct shunt_vfio_user *server)
{
  uint32_t events = stream_is_full(&server->stream) ? EPOLLOUT : EPOLLIN;
  if (events == server->watched)
    return;
  server->watched = events;
  watch(server, EPOLL_CTL_MOD, server->stream.fd, events);
}

unsigned shunt_vfio_user_poll(struct shunt_vfio_user *server)
{
  enum stream_result result = STREAM_NOTHING;
  unsigned done = server->stream.fd < 0 ? welcome(server) : 0;
  if (server->stream.fd < 0)
    return done;
  if (stream_is_full(&server->stream)) {
    size_t before = server->stream.out_at;
    stream_flush(&server->stream);
    if (server->stream.out_at > before) { /* slow, but not dead */
      server->deadline_ns = UINT64_MAX;
      done++;
    }
  }
  done += serve(server, &result);
  if (result == STREAM_NOTHING || result == STREAM_MESSAGE)
    result = keep_time(server);
  if (result == STREAM_FAULT || result == STREAM_ENDED) {
    dismiss(server, result == STREAM_FAULT);
    return done + 1;
  }
  update_watch(server);
  return done > 0 ? done : look_after_next(server);
}

int shunt_vfio_user_fd(const struct shunt_vfio_user *server)
{
  return server->epoll;
}

uint64_t shunt_vfio_user_next_ns(const struct shunt_vfio_user *server)
{
  const struct server_socket *shared = server->shared;
  const bool waits = shared->maker == server && shared->next >= 0;
  return waits && shared->next_ns < server->deadline_ns ? shared->next_ns : server->deadline_ns;
}

int shunt_vfio_user_connected(const struct shunt_vfio_user *server)
{
  return server->agreed;
}

/* ---- The socket ---- */

/* Whether somebody serves that path. A socket that nobody listens on refuses. */
static bool is_served(const struct sockaddr_un *address)
{
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return false;
  /* EAGAIN: its queue is full. */
  bool answers = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
                 errno == EAGAIN || errno == EINPROGRESS;
  close(fd);
  return answers;
}

/* A socket file whose server has died is in the way, and is nobody's. */
static int remove_leftover(const struct shunt_vfio_user *server, struct shunt_error *error)
{
  const char *path = server->address.sun_path;
  struct stat status;
  if (lstat(path, &status) != 0)
    return 0;
  if (!S_ISSOCK(status.st_mode)) {
    shunt_error_set(error, -EEXIST, "can't make the socket %s", path);
    shunt_error_why(error, "there is a file of that name that is no socket");
    return -EEXIST;
  }
  if (is_served(&server->address)) {
    shunt_error_set(error, -EADDRINUSE, "can't make the socket %s", path);
    shunt_error_why(error, "another server answers there");
    shunt_error_remedy(error, "end it, or choose another path");
    return -EADDRINUSE;
  }
  if (unlink(path) != 0)
    return error_set_errno(error, -errno, "can't remove the old socket %s", path);
  return 0;
}

static int make_failed(const char *path, int code, struct shunt_error *error)
{
  error_set_errno(error, code, "can't make the socket %s", path);
  shunt_error_remedy(error, "name a file in a folder that is there and may be written to");
  return code;
}

static int socket_open(struct shunt_vfio_user *server, struct shunt_error *error)
{
  const char *path = server->address.sun_path;
  struct stat status;
  int code = remove_leftover(server, error);
  if (code < 0)
    return code;
  server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  /* The file gets the socket's mode (net/unix/af_unix.c), so it is never open to others, not even
   * between bind and a chmod. */
  if (server->listener < 0 || fchmod(server->listener, S_IRUSR | S_IWUSR) != 0 ||
      bind(server->listener, (const struct sockaddr *)&server->address, sizeof server->address) !=
          0)
    return make_failed(path, -errno, error);
  if (lstat(path, &status) == 0) {
    server->socket_device = status.st_dev;
    server->socket_inode = status.st_ino;
  }
  if (listen(server->listener, BACKLOG) != 0)
    return error_set_errno(error, -errno, "can't listen on %s", path);
  server->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (server->epoll < 0)
    return error_set_errno(error, -errno, "can't watch %s", path);
  watch(server, EPOLL_CTL_ADD, server->listener, EPOLLIN);
  return 0;
}

/* Every server has a descriptor of its own of the one listening socket, and whoever is free takes
 * the next client. */
static int socket_share(struct shunt_vfio_user *server, const struct shunt_vfio_user *first,
                        struct shunt_error *error)
{
  server->address = first->address;
  server->listener = fcntl(first->listener, F_DUPFD_CLOEXEC, 0);
  server->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (server->listener < 0 || server->epoll < 0 || listen(server->listener, SHARED_BACKLOG) != 0)
    return error_set_errno(error, -errno, "can't share the socket %s", first->address.sun_path);
  watch(server, EPOLL_CTL_ADD, server->listener, EPOLLIN);
  return 0;
}

/* Remove the file that we have made, not one that somebody has put in its place. */
static void socket_remove(const struct shunt_vfio_user *server)
{
  struct stat status;
  if (server->socket_inode != 0 && lstat(server->address.sun_path, &status) == 0 &&
      status.st_dev == server->socket_device && status.st_ino == server->socket_inode)
    unlink(server->address.sun_path);
}

/* ---- Life ---- */

static void interrupt(void *context, unsigned vector, int level)
{
  struct shunt_vfio_user *server = context;
  irqs_interrupt(&server->irqs, vector, level);
}

static int take_options(struct shunt_vfio_user *server, const struct shunt_vfio_user_options *given,
                        struct shunt_error *error)
{
  struct shunt_vfio_user_options options = {.size = sizeof options};
  if (given != NULL) {
    if (given->size < sizeof(given->size) || given->size > sizeof options) {
      shunt_error_set(error, -EINVAL, "can't serve a model");
      shunt_error_why(error, "options of %zu bytes, %zu expected", given->size, sizeof options);
      return -EINVAL;
    }
    memcpy(&options, given, given->size);
  }
  server->clock = options.clock != NULL ? *options.clock : *shunt_clock_real();
  server->log = options.log;
  server->wait_ns = options.deadline_ns > 0 ? options.deadline_ns : DEFAULT_WAIT_NS;
  server->no_areas = options.no_areas != 0;
  server->dma.allow_shrink = options.allow_shrink != 0;
  return 0;
}

static int take_path(struct shunt_vfio_user *server, const char *path, struct shunt_error *error)
{
  size_t bytes = strlen(path);
  if (bytes > 0 && bytes < sizeof server->address.sun_path) {
    server->address.sun_family = AF_UNIX;
    memcpy(server->address.sun_path, path, bytes + 1);
    return 0;
  }
  shunt_error_set(error, -EINVAL, "can't make the socket \"%s\"", path);
  shunt_error_why(error, "a socket's path has 1 to %zu bytes", sizeof server->address.sun_path - 1);
  return -EINVAL;
}

/* What servers of a socket know of each other. */
static int shared_make(struct shunt_vfio_user *server, const struct shunt_vfio_user *first,
                       struct shunt_error *error)
{
  server->shared = first != NULL ? first->shared : calloc(1, sizeof *server->shared);
  if (server->shared == NULL)
    return error_set_errno(error, -ENOMEM, "can't share a socket");
  server->shared->servers++;
  if (first == NULL) {
    server->shared->maker = server;
    server->shared->next = -1;
  }
  return 0;
}

static void shared_leave(struct shunt_vfio_user *server)
{
  struct server_socket *shared = server->shared;
  if (shared == NULL)
    return;
  if (shared->maker == server) { /* whom nobody looks after any more */
    shared->maker = NULL;
    if (shared->next >= 0)
      close(shared->next);
    shared->next = -1;
  }
  if (--shared->servers == 0)
    free(shared);
  else if (shared->maker != NULL)
    watch_listener(shared->maker); /* one less is free */
}

/* first: whose socket it is; NULL: a new one at path. */
static int server_make(struct shunt_model *model, const char *path,
                       const struct shunt_vfio_user *first,
                       const struct shunt_vfio_user_options *options, struct shunt_vfio_user **made,
                       struct shunt_error *error)
{
  struct shunt_vfio_user *server = calloc(1, sizeof *server);
  if (server == NULL)
    return error_set_errno(error, -ENOMEM, "can't serve %s", path);
  server->model = server->dma.model = model;
  server->listener = server->epoll = -1;
  server->deadline_ns = UINT64_MAX;
  int code = stream_create(&server->stream);
  if (code == 0)
    code = irqs_create(&server->irqs, model);
  if (code < 0)
    error_set_errno(error, code, "can't serve %s", path);
  if (code == 0)
    code = take_options(server, options, error);
  if (code == 0)
    code = shared_make(server, first, error);
  if (code == 0 && first != NULL)
    code = socket_share(server, first, error);
  else if (code == 0 && (code = take_path(server, path, error)) == 0)
    code = socket_open(server, error);
  if (code < 0) {
    shunt_vfio_user_destroy(server);
    return code;
  }
  const struct shunt_model_host host = {.context = server, .interrupt = interrupt};
  shunt_model_attach(model, &host);
  if (first != NULL && server->shared->maker != NULL)
    watch_listener(server->shared->maker); /* one more is free */
  *made = server;
  return 0;
}

int shunt_vfio_user_create(struct shunt_model *model, const char *path,
                           const struct shunt_vfio_user_options *options,
                           struct shunt_vfio_user **made, struct shunt_error *error)
{
  return server_make(model, path, NULL, options, made, error);
}

int shunt_vfio_user_join(struct shunt_model *model, const struct shunt_vfio_user *first,
                         const struct shunt_vfio_user_options *options,
                         struct shunt_vfio_user **made, struct shunt_error *error)
{
  return server_make(model, first->address.sun_path, first, options, made, error);
}

/* Also of a half-made server, which the model does not know yet. */
void shunt_vfio_user_destroy(struct shunt_vfio_user *server)
{
  if (server == NULL)
    return;
  if (server->model->host.context == server)
    shunt_model_attach(server->model, &(struct shunt_model_host){0});
  if (server->stream.fd >= 0)
    dismiss(server, false);
  socket_remove(server);
  shared_leave(server);
  stream_destroy(&server->stream);
  irqs_destroy(&server->irqs);
  dma_clear(&server->dma);
  if (server->listener >= 0)
    close(server->listener);
  if (server->epoll >= 0)
    close(server->epoll);
  free(server);
}
