/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CORE_WINDOW_H
#define TS_CORE_WINDOW_H

/*
 * The calls that a closed breaker's rule looks at: all of them, those of a
 * fixed or a rolling stretch of time, or the last so many. Sums are kept as
 * calls come and go, so that reading them costs nothing. No clock: `now_ms`
 * comes from outside and never goes back.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "tripswitch/breaker.h"

/* Of some calls. A run is the calls of one kind since the last of the other. */
typedef struct ts__tally_s {
  uint32_t successes;
  uint32_t failures;
  uint32_t slow;
  uint32_t success_run;
  uint32_t failure_run;
} ts__tally_t;

typedef struct ts__window_s {
  ts_window_t kind;
  uint32_t capacity; /* buckets, or calls */
  int64_t bucket_ms; /* of one bucket; 0: time plays no part */
  int64_t began_ms;
  uint32_t newest; /* the newest bucket's number; numbers may wrap around */
  uint32_t head;   /* its place */
  uint32_t calls;  /* kept, if these are what is kept */
  uint32_t next;   /* place of the next call */
  ts__tally_t sum;
  ts__tally_t *buckets; /* of rolling windows */
  uint8_t *kept;        /* the last calls */
} ts__window_t;

static inline void ts__count_one(uint32_t *counter) {
  *counter += *counter < UINT32_MAX;
}

static inline void ts__tally_add(ts__tally_t *tally, bool ok, bool slow) {
  if (slow) {
    ts__count_one(&tally->slow);
  }
  if (ok) {
    ts__count_one(&tally->successes);
    ts__count_one(&tally->success_run);
    tally->failure_run = 0;
  } else {
    ts__count_one(&tally->failures);
    ts__count_one(&tally->failure_run);
    tally->success_run = 0;
  }
}

/* From checked options. 0 or TS__ENOMEM. */
int ts__window_init(ts__window_t *window, const ts__mem_t *mem,
                    const ts_breaker_options_t *options);
void ts__window_deinit(ts__window_t *window, const ts__mem_t *mem);

/* Forget everything; time begins now. */
void ts__window_reset(ts__window_t *window, int64_t now_ms);

/* Forget what is too old by now: at least one bucket. */
void ts__window_roll(ts__window_t *window, int64_t now_ms);

/* Forget what is too old by now, if anything is. */
static inline void ts__window_advance(ts__window_t *window, int64_t now_ms) {
  if (window->bucket_ms != 0 &&
      now_ms - window->began_ms >= window->bucket_ms) {
    ts__window_roll(window, now_ms);
  }
}

/* The bucket of calls that are admitted now, after advance. */
static inline uint32_t ts__window_bucket(const ts__window_t *window) {
  return window->newest;
}

/* Book a call in the bucket of its admission. False if that is gone: the call
 * no longer counts. */
bool ts__window_book(ts__window_t *window, uint32_t bucket, bool ok, bool slow);

#endif /* TS_CORE_WINDOW_H */
