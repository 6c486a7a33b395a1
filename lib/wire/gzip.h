/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_WIRE_GZIP_H
#define TS_WIRE_GZIP_H

/*
 * gzip by zlib, a piece at a time. Level 6 with a 4 KiB window and memLevel 5:
 * 38 KiB of state instead of 262, a few per cent larger, and short steps.
 */

#include "base/buf.h"

typedef struct ts__gzip_s ts__gzip_t;

/* NULL when out of memory. Reusable for any number of bodies. */
ts__gzip_t *ts__gzip_new(const ts__mem_t *mem);
void ts__gzip_free(ts__gzip_t *gzip); /* takes NULL */

/* Begin a new body; drops what an unfinished one left. */
void ts__gzip_begin(ts__gzip_t *gzip);

/* Compress a piece, appending what comes out. 0 or an error of the buffer. */
int ts__gzip_add(ts__gzip_t *gzip, ts__str_t bytes, ts__buf_t *out);

/* Finish the body. */
int ts__gzip_end(ts__gzip_t *gzip, ts__buf_t *out);

/*
 * Inflate one whole gzip body into `out`, whose maximum bounds the result.
 * Returns 0, TS_EPARSE for anything that is not exactly one gzip stream,
 * TS__ENOBUFS beyond the maximum, TS__ENOMEM.
 */
int ts__gunzip(const ts__mem_t *mem, ts__str_t bytes, ts__buf_t *out);

#endif /* TS_WIRE_GZIP_H */
