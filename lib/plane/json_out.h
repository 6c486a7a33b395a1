/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_JSON_OUT_H
#define TS_PLANE_JSON_OUT_H

/*
 * A JSON text written member by member. The first error stays, and makes
 * everything after it do nothing, so that only the end needs to look. `name`
 * NULL: an item of an array, or the text's one value.
 */

#include "base/buf.h"

typedef struct ts__out_s {
  ts__buf_t buf;
  int error; /* 0, TS__ENOMEM or TS__ENOBUFS */
} ts__out_t;

void ts__out_init(ts__out_t *out, const ts__mem_t *mem);
void ts__out_deinit(ts__out_t *out);

static inline ts__str_t ts__out_str(const ts__out_t *out) {
  return ts__buf_str(&out->buf);
}

void ts__out_open(ts__out_t *out, const char *name, char bracket);
void ts__out_close(ts__out_t *out, char bracket);

/* A member whose name and value are any texts. */
void ts__out_pair(ts__out_t *out, const char *name, const char *text);

/* NULL is written as null. */
void ts__out_text(ts__out_t *out, const char *name, const char *text);
void ts__out_int(ts__out_t *out, const char *name, int64_t number);
void ts__out_double(ts__out_t *out, const char *name, double number);
void ts__out_bool(ts__out_t *out, const char *name, bool flag);

/* What is JSON already; NULL is written as null. */
void ts__out_json(ts__out_t *out, const char *name, const char *json);

/* Unix milliseconds as RFC 3339 in UTC; 0 is written as null. */
void ts__out_time(ts__out_t *out, const char *name, int64_t ms);

/* The same without an offset or decimals, as some members have it. */
void ts__out_naive_time(ts__out_t *out, const char *name, int64_t ms);

#endif /* TS_PLANE_JSON_OUT_H */
