/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_REPLAY_H
#define TS_PLANE_REPLAY_H

/*
 * Answers that are given again when a request comes twice with the same
 * Idempotency-Key. Kept in memory alone, for a day, the newest thousand; what
 * failed is not kept, and fails again or not.
 */

#include "base/hash.h"
#include "base/list.h"
#include "plane/table.h"

#define TS__REPLAY_MS INT64_C(86400000)
#define TS__MAX_REPLAYS 1000u

typedef struct ts__replay_s {
  ts__list_t node;
  char scope[TS__SHA256_TEXT_LEN + 1]; /* of method, path and key */
  char body[TS__SHA256_TEXT_LEN + 1];
  int64_t kept_ms;
  int status;
  char *answer; /* may show a key; wiped when freed */
  size_t answer_len;
} ts__replay_t;

typedef struct ts__replays_s {
  const ts__mem_t *mem;
  ts__table_t by_scope;
  ts__list_t by_age; /* the oldest first */
} ts__replays_t;

void ts__replays_init(ts__replays_t *replays, const ts__mem_t *mem);
void ts__replays_deinit(ts__replays_t *replays);

/* One to be kept, not yet in the table; NULL when out of memory. */
ts__replay_t *ts__replay_new(ts__replays_t *replays, ts__str_t method,
                             ts__str_t path, ts__str_t key, ts__str_t body,
                             int64_t now_ms);

/* What is kept with the same scope, or NULL. */
const ts__replay_t *ts__replay_find(ts__replays_t *replays,
                                    const ts__replay_t *like, int64_t now_ms);

/* Keep it, with this answer; without memory for that it is dropped. */
void ts__replay_keep(ts__replays_t *replays, ts__replay_t *replay, int status,
                     ts__str_t answer);

/* One that is not kept. Takes NULL. */
void ts__replay_drop(ts__replays_t *replays, ts__replay_t *replay);

#endif /* TS_PLANE_REPLAY_H */
