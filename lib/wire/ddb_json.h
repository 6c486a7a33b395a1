/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_WIRE_DDB_JSON_H
#define TS_WIRE_DDB_JSON_H

/*
 * The JSON of DynamoDB's low-level API, as far as one item per breaker needs
 * it: attributes that are texts, whole numbers (which travel as texts) and sets
 * of texts; requests out, answers and errors in.
 *
 * Expressions name an attribute `x` as #x alone, so that no reserved word ever
 * stands in one; which names and values a request has to bring is read from the
 * expressions themselves.
 */

#include "base/buf.h"
#include "wire/json_read.h"

/* --------------------------------------------------------------- requests */

typedef enum ts__ddb_kind_e {
  TS__DDB_N,
  TS__DDB_S,
  TS__DDB_SS /* of one text */
} ts__ddb_kind_t;

typedef struct ts__ddb_value_s {
  const char *name; /* ":era" in expressions, "e" in an item */
  ts__ddb_kind_t kind;
  int64_t number;
  ts__str_t text;
} ts__ddb_value_t;

#define TS__DDB_NUMBER(named, value)                                           \
  ((ts__ddb_value_t){.name = (named), .kind = TS__DDB_N, .number = (value)})
#define TS__DDB_TEXT(named, value)                                             \
  ((ts__ddb_value_t){.name = (named), .kind = TS__DDB_S, .text = (value)})

/* The item a request is about; its table's key is one text. */
typedef struct ts__ddb_key_s {
  ts__str_t table;
  const char *name; /* of the key's attribute */
  ts__str_t value;
} ts__ddb_key_t;

/* A change of one item. */
typedef struct ts__ddb_update_s {
  ts__ddb_key_t key;
  const char *update;    /* the expression */
  const char *condition; /* NULL: none */

  /* Those that neither expression uses are left out. */
  const ts__ddb_value_t *values;
  size_t value_count;
  const char *returns; /* "ALL_OLD", "ALL_NEW" */
} ts__ddb_update_t;

/* Each appends a whole body. 0, TS__ENOMEM or TS__ENOBUFS. */
int ts__ddb_write_update(ts__buf_t *buf, const ts__ddb_update_t *update);
int ts__ddb_write_get(ts__buf_t *buf, const ts__ddb_key_t *key,
                      bool consistent);

/* Begin a read of up to 100 items, add each key, end it. */
#define TS__DDB_MAX_BATCH 100u
int ts__ddb_batch_begin(ts__buf_t *buf, ts__str_t table);
int ts__ddb_batch_add(ts__buf_t *buf, const ts__ddb_key_t *key);
int ts__ddb_batch_end(ts__buf_t *buf);

/* A table that is paid by request, with this key. */
int ts__ddb_write_create(ts__buf_t *buf, const ts__ddb_key_t *key);

int ts__ddb_write_describe(ts__buf_t *buf, ts__str_t table);

/* Let items go some time after `attribute`, seconds, has passed. */
int ts__ddb_write_ttl(ts__buf_t *buf, ts__str_t table, const char *attribute);

/* An item by itself, and its attributes. */
int ts__ddb_write_item(ts__buf_t *buf, const ts__ddb_value_t *values,
                       size_t count);

/* ---------------------------------------------------------------- answers */

/* What an answer says, beside its status. */
typedef enum ts__ddb_error_e {
  TS__DDB_FINE,
  TS__DDB_CONDITION, /* the condition does not hold */
  TS__DDB_NOT_FOUND, /* no such table */
  TS__DDB_IN_USE,    /* the table exists already, or is being changed */
  TS__DDB_THROTTLED,
  TS__DDB_SERVER,  /* trouble on its side */
  TS__DDB_SKEW,    /* our clock is too far off for the signature */
  TS__DDB_AUTH,    /* unknown, expired or unfit credentials */
  TS__DDB_INVALID, /* any other refusal */
  TS__DDB_BAD      /* not what an answer may be */
} ts__ddb_error_t;

typedef struct ts__ddb_answer_s {
  ts__json_doc_t *doc; /* owns what follows */
  ts__ddb_error_t error;
  ts__str_t type;         /* "ThrottlingException"; empty without an error */
  ts__str_t message;      /* the server's words, or empty */
  const ts__json_t *item; /* of a read, an update or a failed
                             condition; a table's description */
} ts__ddb_answer_t;

/* Read an answer. 0 (also for TS__DDB_BAD) or TS__ENOMEM. */
int ts__ddb_read(ts__ddb_answer_t *answer, int status, ts__str_t body);
void ts__ddb_answer_deinit(ts__ddb_answer_t *answer);

/* The items of a batch read from this table: start with *at 0; NULL at the
 * end. */
const ts__json_t *ts__ddb_next(const ts__ddb_answer_t *answer,
                               const char *table, size_t *at);

/* Was each key of a batch looked up? */
bool ts__ddb_is_whole(const ts__ddb_answer_t *answer);

/* Attributes of an item; false, leaving the result alone, if there is none of
 * this name and kind. Whole numbers only. */
bool ts__ddb_number(const ts__json_t *item, const char *name, int64_t *number);
bool ts__ddb_text(const ts__json_t *item, const char *name, ts__str_t *text);
bool ts__ddb_has(const ts__json_t *item, const char *name);

/* Texts of a set; 0 if there is none of this name. The one at `i`, or an empty
 * text. */
size_t ts__ddb_set_count(const ts__json_t *item, const char *name);
ts__str_t ts__ddb_set_at(const ts__json_t *item, const char *name, size_t i);

#endif /* TS_WIRE_DDB_JSON_H */
