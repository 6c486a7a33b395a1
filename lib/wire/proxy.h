/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_WIRE_PROXY_H
#define TS_WIRE_PROXY_H

/*
 * An HTTP proxy as people write it down: [http://][user[:password]@]host[:port]
 * with the credentials percent-encoded, port 80 if there is none. And the list
 * of hosts that are reached without one (NO_PROXY).
 */

#include "wire/url.h"

typedef struct ts__proxy_s {
  ts__url_t url;  /* its host and port; slices of the input */
  ts__str_t user; /* "user:password" as written; ptr NULL: none */
} ts__proxy_t;

/*
 * Parse. Returns NULL when good, else static text that says what is wrong and
 * never quotes the input.
 */
const char *ts__proxy_parse(ts__proxy_t *proxy, ts__str_t text);

/* Append the value of Proxy-Authorization (nothing without credentials). The
 * buffer then holds a secret. */
int ts__proxy_append_authorization(ts__buf_t *buf, const ts__proxy_t *proxy);

/*
 * Does the list name this host? Items are separated by commas or blanks: "*"
 * for all; a name, for itself and all names below it, with or without a dot or
 * "*." in front; an address, or a range of them (10.0.0.0/8, fd00::/8); each
 * with or without a port. IPv6 with a port has brackets.
 */
bool ts__no_proxy_has(ts__str_t list, ts__str_t host, uint16_t port);

#endif /* TS_WIRE_PROXY_H */
