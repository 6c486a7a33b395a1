/* SPDX-License-Identifier: Apache-2.0 */
#include "core/backoff.h"

static const int64_t steps[] = {1, 2, 4, 8, 15, 30};

#define LAST_STEP ((unsigned)(sizeof(steps) / sizeof(steps[0]) - 1))

/* Steps that are spread over their whole length: the first waves after a loss
 * are the densest. */
#define WIDE_STEPS 2u

/* percent % of a base that is not negative, without overflow on the way. */
static int64_t share(int64_t base, unsigned percent) {
  return base / 100 * percent + base % 100 * percent / 100;
}

static int64_t draw_upto(int64_t max, ts__rng_t *rng) {
  return max > 0 ? (int64_t)ts__rng_upto(rng, (uint64_t)max) : 0;
}

void ts__backoff_init(ts__backoff_t *backoff, int64_t first_ms,
                      int64_t longest_ms) {
  *backoff = (ts__backoff_t){.first_ms = first_ms, .longest_ms = longest_ms};
}

static int64_t step_ms(const ts__backoff_t *backoff, unsigned step) {
  if (backoff->first_ms > backoff->longest_ms / steps[step]) {
    return backoff->longest_ms;
  }
  return backoff->first_ms * steps[step];
}

/*
 * The ceiling narrows the range of the jitter; cutting the drawn wait instead
 * would gather many clients at the ceiling.
 */
int64_t ts__backoff_next(ts__backoff_t *backoff, ts__rng_t *rng) {
  unsigned step = backoff->index < LAST_STEP ? backoff->index : LAST_STEP;
  int64_t base = step_ms(backoff, step);
  int64_t jitter = share(base, step < WIDE_STEPS ? 100 : 50);
  int64_t room = backoff->longest_ms + share(backoff->longest_ms, 50) - base;
  backoff->index = step + 1;
  return base + draw_upto(jitter < room ? jitter : room, rng);
}

void ts__backoff_reset(ts__backoff_t *backoff) { backoff->index = 0; }

void ts__backoff_skip_to_longest(ts__backoff_t *backoff) {
  backoff->index = LAST_STEP;
}

int64_t ts__jitter_ms(int64_t base_ms, unsigned percent, ts__rng_t *rng) {
  if (base_ms <= 0) {
    return 0;
  }
  int64_t jitter = draw_upto(share(base_ms, percent), rng);
  return jitter > INT64_MAX - base_ms ? INT64_MAX : base_ms + jitter;
}
