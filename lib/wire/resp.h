/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_WIRE_RESP_H
#define TS_WIRE_RESP_H

/*
 * What Redis speaks, version 2: replies from bytes, and commands to bytes.
 *
 *   ts__resp_feed(&resp, bytes);
 *   while ((r = ts__resp_next(&resp, &reply)) > 0) { ... }
 *
 * hiredis does both. What the replies are made of comes from our allocator; the
 * bytes that hiredis holds until a reply is whole, and a command until it is
 * appended, come from the C library's. A reply is bounded in its bytes, its
 * parts and its nesting (base/bounds.h).
 */

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

typedef enum ts__resp_kind_e {
  TS__RESP_NIL,
  TS__RESP_TEXT,   /* a string */
  TS__RESP_STATUS, /* as "OK" */
  TS__RESP_ERROR,  /* its text begins with a word in capitals */
  TS__RESP_INTEGER,
  TS__RESP_ARRAY
} ts__resp_kind_t;

typedef struct ts__reply_s {
  ts__resp_kind_t kind;
  ts__str_t text; /* of texts, status and errors; a NUL follows */
  int64_t integer;
  struct ts__reply_s **items;
  size_t count;
} ts__reply_t;

typedef struct ts__resp_s {
  ts__arena_t arena; /* of the reply being read, or read last */
  struct redisReader *reader;
  size_t bytes; /* fed since the last whole reply */
  size_t parts; /* of the reply being read */
  int error;    /* why nothing more is read; 0 */
} ts__resp_t;

/* 0 or TS__ENOMEM. */
int ts__resp_init(ts__resp_t *resp, const ts__mem_t *mem);

/* Also of one whose init failed, or that is zero. */
void ts__resp_deinit(ts__resp_t *resp);

/* Bytes of a connection, copied. 0, TS__ENOMEM, or TS_EPROTO for a reply that
 * exceeds its bounds. */
int ts__resp_feed(ts__resp_t *resp, ts__str_t bytes);

/*
 * The next whole reply: 1, and it is valid until the next call of any of these;
 * 0: none yet; or TS__ENOMEM or TS_EPROTO, and then for ever.
 */
int ts__resp_next(ts__resp_t *resp, const ts__reply_t **reply);

/* Bytes that are here and not read yet. */
size_t ts__resp_backlog(const ts__resp_t *resp);

/* Append a command. 0, TS__ENOMEM or TS__ENOBUFS. */
int ts__resp_append(ts__buf_t *buf, const ts__str_t *words, size_t count);

/* The most words of a command. */
#define TS__RESP_WORDS 40u

#endif /* TS_WIRE_RESP_H */
