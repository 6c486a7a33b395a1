/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_WIRE_JSON_WRITE_H
#define TS_WIRE_JSON_WRITE_H

/*
 * JSON out, appended to a buffer; no tree, no locale. Each returns 0,
 * TS__ENOMEM or TS__ENOBUFS.
 */

#include <stdint.h>

#include "base/buf.h"

/* A quoted string: escaped where RFC 8259 asks for it, each invalid UTF-8 byte
 * replaced by U+FFFD. */
int ts__json_write_string(ts__buf_t *buf, ts__str_t text);

int ts__json_write_int(ts__buf_t *buf, int64_t number);

/* A finite double, with the digits it takes to read the same double back, a
 * point and never a comma. Integers below 2^53 and up to six decimals take a
 * fast path. Not finite: TS__EINVAL. */
int ts__json_write_double(ts__buf_t *buf, double number);

/* What printf wrote, with the locale's decimal point, of however many bytes,
 * made a point; in place. Returns the new length. */
size_t ts__json_fix_point(char *text);

int ts__json_write_bool(ts__buf_t *buf, bool flag);

#endif /* TS_WIRE_JSON_WRITE_H */
