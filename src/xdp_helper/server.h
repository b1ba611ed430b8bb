/* SPDX-License-Identifier: BSD-2-Clause */
/* The helper: it listens, and serves its clients one message at a time each, from one thread. A
 * client that breaks the protocol, does not read its replies, or is refused by the policy is cut
 * off. Until its HELLO has been granted a client has its place only as long as nobody else wants
 * it: so whom the policy does not serve can keep nobody out. */
#ifndef SRC_XDP_HELPER_SERVER_H
#define SRC_XDP_HELPER_SERVER_H

#include "src/xdp_helper/session.h"

#define SERVER_CLIENTS      64
#define SERVER_USER_CLIENTS 16 /* of one user, so that none keeps the others out */

struct server;

/* Make a server.
 *
 * policy, log  live as long as the server
 * system       share_real_system, or a test's
 * journals     as setup_open's directory
 * Returns 0 or -ENOMEM */
int server_open(const struct policy *policy, const struct share_system *system,
                const char *journals, const struct shunt_log *log, struct server **server,
                struct shunt_error *error);

/* Serve a connected socket, which is the server's from here on, also where it fails. Where all
 * places are taken, whoever has waited longest without a HELLO goes.
 *
 * Returns 0; -EUSERS (no place, of which the client is told); -EPERM (who it is can't be known) */
int server_add(struct server *server, int socket);

/* Wait for what clients ask, and answer it.
 *
 * listener    new clients are taken from it; -1: none
 * timeout_ms  how long to wait at most; negative: without end
 * Returns     0, also where nothing came or a signal did; -errno of poll */
int server_turn(struct server *server, int listener, int timeout_ms);

unsigned server_clients(const struct server *server);

/* Undo all that was done for clients, and close. NULL is fine. */
void server_close(struct server *server);

/* Bind and listen on a path: a socket that nobody listens on any more is replaced, one that
 * somebody does gives -EADDRINUSE. Everybody may connect: who is served, the policy says. */
int server_listen(const char *path, int *listener, struct shunt_error *error);

#endif
