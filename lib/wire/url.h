/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_WIRE_URL_H
#define TS_WIRE_URL_H

/*
 * A base URL: http(s)://host[:port][/prefix]. User info, query, fragment, and
 * anything else RFC 3986 allows beyond that are refused.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

typedef struct ts__url_s {
  bool tls;
  ts__str_t host; /* without brackets; a slice of the input */
  bool host_is_ipv6;
  uint16_t port; /* 80 or 443 if not given */
  bool port_is_default;
  ts__str_t prefix; /* "" or "/x/y", no trailing slash; a slice of the input */
} ts__url_t;

/*
 * Parse. Returns NULL when good, else static text that says what is wrong. The
 * slices in *url point into `text`.
 */
const char *ts__url_parse(ts__url_t *url, ts__str_t text);

/* Parse host[:port] alone; url->tls says which port is the standard one. */
const char *ts__url_parse_authority(ts__url_t *url, ts__str_t authority);

/* Append the value of the Host header: brackets and a port where needed. */
int ts__url_append_host(ts__buf_t *buf, const ts__url_t *url);

/* Append one path segment, everything but RFC 3986 unreserved encoded. */
int ts__url_append_segment(ts__buf_t *buf, ts__str_t segment);

#endif /* TS_WIRE_URL_H */
