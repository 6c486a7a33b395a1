/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_WIRE_JSON_READ_H
#define TS_WIRE_JSON_READ_H

/*
 * JSON from the network: jansson behind our bounds on size and depth. Of
 * duplicate keys the last wins; U+0000 in a string is refused. Nothing of
 * jansson's types shows here; a value is borrowed from its document.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

typedef struct ts__json_doc_s ts__json_doc_t; /* owns everything below it */
typedef struct ts__json_s ts__json_t;         /* one value; NULL: not there */

typedef enum ts__json_type_e {
  TS__JSON_NONE, /* for NULL */
  TS__JSON_NULL,
  TS__JSON_BOOL,
  TS__JSON_INTEGER, /* fits an int64 */
  TS__JSON_REAL,
  TS__JSON_STRING,
  TS__JSON_ARRAY,
  TS__JSON_OBJECT
} ts__json_type_t;

/*
 * Parse a whole text, which may be any value. Returns 0, TS_EPARSE (also: too
 * deep, or longer than max_len) or TS__ENOMEM.
 */
int ts__json_parse(ts__json_doc_t **doc, ts__str_t text, size_t max_len);
void ts__json_free(ts__json_doc_t *doc); /* takes NULL */

const ts__json_t *ts__json_root(const ts__json_doc_t *doc);
ts__json_type_t ts__json_type(const ts__json_t *value);

/* NULL if `value` is no object or has no such member. */
const ts__json_t *ts__json_get(const ts__json_t *value, const char *key);

/* Array items; 0 and NULL if `value` is no array. */
size_t ts__json_count(const ts__json_t *value);
const ts__json_t *ts__json_at(const ts__json_t *value, size_t i);

/* Visit an object's members: start with *cursor NULL; false at the end. */
bool ts__json_next(const ts__json_t *object, void **cursor, ts__str_t *key,
                   const ts__json_t **value);

/* Each returns false, leaving the result alone, if the type is another. Texts,
 * and the keys above, have a NUL behind them. */
bool ts__json_string(const ts__json_t *value, ts__str_t *text);
bool ts__json_bool(const ts__json_t *value, bool *flag);
bool ts__json_number(const ts__json_t *value, double *number); /* or integer */
/* An integer, or a real without a fraction that fits: 1000, 1e3, 1000.0. */
bool ts__json_integer(const ts__json_t *value, int64_t *number);

/* Write a value as compact JSON. 0, TS__ENOMEM or TS__ENOBUFS. */
int ts__json_write_value(ts__buf_t *buf, const ts__json_t *value);

#endif /* TS_WIRE_JSON_READ_H */
