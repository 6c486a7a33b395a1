/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CORE_BACKOFF_H
#define TS_CORE_BACKOFF_H

/*
 * Waits between attempts to open the state stream: 1, 2, 4, 8, 15, 30 times
 * the first wait, each at most the longest, plus jitter: up to the step itself
 * for the first two steps, up to half of it later; never above 1.5 times the
 * longest. Ten thousand clients that lose one server must not return at once.
 */

#include "base/rng.h"

typedef struct ts__backoff_s {
  int64_t first_ms;
  int64_t longest_ms;
  unsigned index; /* consecutive failures so far */
} ts__backoff_t;

void ts__backoff_init(ts__backoff_t *backoff, int64_t first_ms,
                      int64_t longest_ms);

/* The next wait, counted as one more failure. */
int64_t ts__backoff_next(ts__backoff_t *backoff, ts__rng_t *rng);

/* Back to the first step: a connection was healthy. */
void ts__backoff_reset(ts__backoff_t *backoff);

/* The next wait is of the longest step. */
void ts__backoff_skip_to_longest(ts__backoff_t *backoff);

/* base plus 0..percent % of it: for waits whose base is given. */
int64_t ts__jitter_ms(int64_t base_ms, unsigned percent, ts__rng_t *rng);

#endif /* TS_CORE_BACKOFF_H */
