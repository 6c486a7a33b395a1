/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_NET_TUNNEL_H
#define TS_NET_TUNNEL_H

/* Asking an HTTP proxy for a tunnel: CONNECT and its answer, without a socket.
 */

#include "base/buf.h"
#include "base/log.h"
#include "base/transport.h"

typedef struct ts__tunnel_s ts__tunnel_t;

/* More is needed from the proxy. The other codes are zero or negative. */
#define TS__TUNNEL_AGAIN 1

/* Copies what it needs of the endpoint. Returns 0 or TS__ENOMEM. */
int ts__tunnel_new(ts__tunnel_t **tunnel, const ts__mem_t *mem,
                   const ts__log_t *log, const ts__endpoint_t *endpoint);
void ts__tunnel_free(ts__tunnel_t *tunnel); /* wipes; takes NULL */

/* What to send to the proxy. Holds the credentials. */
ts__str_t ts__tunnel_request(const ts__tunnel_t *tunnel);

/*
 * Give what the proxy said. 0: the tunnel is there, and *bytes is what already
 * came through it. TS__TUNNEL_AGAIN, TS_EPROXYAUTH, TS_EPROXY (anything else),
 * TS__ENOMEM; the log tells the status.
 */
int ts__tunnel_feed(ts__tunnel_t *tunnel, ts__str_t *bytes);

#endif /* TS_NET_TUNNEL_H */
