/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_ADMIN_REPLY_H
#define TS_ADMIN_REPLY_H

/* A reply with all that belongs to it: its texts and its value. */

#include "admin/record.h"
#include "service/exchange.h"

typedef struct ts__reply_s {
  ts_admin_reply_t told; /* first: what the caller sees */
  unsigned refs;
  ts__mem_t mem; /* it may outlive its client */
  ts__arena_t arena;
  void *value; /* in the arena, or NULL */
} ts__reply_t;

/* With one reference, or NULL when out of memory. */
ts__reply_t *ts__reply_new(const ts__mem_t *mem);

static inline void ts__reply_unref(ts__reply_t *reply) {
  ts_admin_reply_unref(reply != NULL ? &reply->told : NULL);
}

/* As new, for another answer. */
void ts__reply_reset(ts__reply_t *reply);

/* It ended with this error, without an answer. */
void ts__reply_fail(ts__reply_t *reply, int error);

/* The same with a message of its own, for people; copied. */
void ts__reply_fail_with(ts__reply_t *reply, int error, const char *message);

/*
 * What an exchange ended with. A success is read by `answer` (NULL: there is no
 * value). `asked_for_change` says that 304 is an answer too.
 */
void ts__reply_fill(ts__reply_t *reply, int error,
                    const ts__response_t *response, int64_t wall_ms,
                    const ts__record_t *answer, bool asked_for_change);

#endif /* TS_ADMIN_REPLY_H */
