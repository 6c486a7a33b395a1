/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_NET_DIAL_H
#define TS_NET_DIAL_H

/* From a host and a port to a connected socket. */

#include "net/internal.h"
#include "net/sock.h"

typedef struct ts__dial_s ts__dial_t;

/*
 * The end of a dial, from the loop, once. 0: the socket is the owner's, which
 * gives it a callback (ts__sock_give) before it returns. Otherwise libuv's
 * code, and `sock` is NULL. The dial is gone either way.
 */
typedef void (*ts__dial_cb)(void *owner, int error, ts__sock_t *sock);

/*
 * Begin. `host` (a name, or an address without brackets) is copied. Returns 0
 * or libuv's code, and then *dial is NULL and `done` does not come.
 */
int ts__dial_start(ts__dial_t **dial, ts__net_t *net, const char *host,
                   uint16_t port, ts__dial_cb done, void *owner);

/* End it without the callback. Takes NULL. */
void ts__dial_cancel(ts__dial_t *dial);

#endif /* TS_NET_DIAL_H */
