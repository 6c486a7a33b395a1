/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_NET_SOCK_H
#define TS_NET_SOCK_H

/* A TCP socket on the loop, and the only file with socket calls. */

#include "net/internal.h"

typedef struct ts__sock_s ts__sock_t;

/* Told on the loop: UV_READABLE, UV_WRITABLE, or both. */
typedef void (*ts__sock_cb)(void *owner, int events);

/*
 * Begin to connect; UV_WRITABLE tells that it ended, and ts__sock_error how.
 * Returns 0 or libuv's code.
 */
int ts__sock_connect(ts__sock_t **sock, ts__net_t *net,
                     const struct sockaddr *address, ts__sock_cb cb,
                     void *owner);

/* The next connection of a listening uv_tcp_t. See ts__net_accept. */
int ts__sock_accept(ts__sock_t **sock, ts__net_t *net, uv_stream_t *listener,
                    ts__sock_cb cb, void *owner);

/* Which events to be told from now on; 0: none. Returns 0 or libuv's code. */
int ts__sock_watch(ts__sock_t *sock, int events);

/* Events go to somebody else from now on. */
void ts__sock_give(ts__sock_t *sock, ts__sock_cb cb, void *owner);

/* The pending error of the socket, which this clears; 0: none. */
int ts__sock_error(const ts__sock_t *sock);

/*
 * Read or write what goes at once. Returns the count (reading: 0 at the end of
 * the stream), UV_EAGAIN, or libuv's code. Never raises SIGPIPE.
 */
ssize_t ts__sock_recv(const ts__sock_t *sock, char *buf, size_t size);
ssize_t ts__sock_send(const ts__sock_t *sock, const char *bytes, size_t size);

/* Tell the peer that nothing more will come. */
void ts__sock_end(const ts__sock_t *sock);

/* Close; the callback is not called any more. Takes NULL. */
void ts__sock_close(ts__sock_t *sock);

#endif /* TS_NET_SOCK_H */
