/* SPDX-License-Identifier: Apache-2.0 */
#include "core/window.h"

#include <string.h>

#include "base/err.h"

/* Of a kept call. */
#define KEPT_FAILED 1u
#define KEPT_SLOW 2u

/* Sums may have saturated. */
static uint32_t subtract(uint32_t a, uint32_t b) { return a > b ? a - b : 0; }

/* Up to whole milliseconds, so that the window is never shorter than asked. */
static int64_t bucket_length(const ts_breaker_options_t *options) {
  if (options->window == TS_WINDOW_FIXED) {
    return options->window_ms;
  }
  const int64_t buckets = options->window_buckets;
  return (options->window_ms + buckets - 1) / buckets;
}

int ts__window_init(ts__window_t *window, const ts__mem_t *mem,
                    const ts_breaker_options_t *options) {
  *window = (ts__window_t){.kind = options->window, .capacity = 1};
  switch (options->window) {
  case TS_WINDOW_FIXED:
    window->bucket_ms = bucket_length(options);
    return 0;
  case TS_WINDOW_ROLLING:
    window->bucket_ms = bucket_length(options);
    window->capacity = options->window_buckets;
    window->buckets =
        ts__realloc_array(mem, NULL, window->capacity, sizeof *window->buckets);
    if (window->buckets != NULL) {
      memset(window->buckets, 0, window->capacity * sizeof *window->buckets);
    }
    return window->buckets != NULL ? 0 : TS__ENOMEM;
  case TS_WINDOW_CALLS:
    window->capacity = options->window_calls;
    window->kept = ts__malloc(mem, window->capacity);
    return window->kept != NULL ? 0 : TS__ENOMEM;
  case TS_WINDOW_NONE:
  default:
    return 0;
  }
}

void ts__window_deinit(ts__window_t *window, const ts__mem_t *mem) {
  ts__free(mem, window->buckets);
  ts__free(mem, window->kept);
  window->buckets = NULL;
  window->kept = NULL;
}

static void forget_all(ts__window_t *window) {
  window->sum = (ts__tally_t){0};
  window->calls = 0;
  window->next = 0;
  window->head = 0;
  if (window->buckets != NULL) {
    memset(window->buckets, 0, window->capacity * sizeof *window->buckets);
  }
}

void ts__window_reset(ts__window_t *window, int64_t now_ms) {
  forget_all(window);
  window->began_ms = now_ms;
  window->newest = 0;
}

/* A place less than two rounds from the first: a division takes longer. */
static inline uint32_t around(const ts__window_t *window, uint32_t place) {
  return place < window->capacity ? place : place - window->capacity;
}

/* The bucket so many steps before the newest, fewer than there are buckets. */
static ts__tally_t *bucket_back(const ts__window_t *window, uint32_t steps) {
  return &window->buckets[around(window,
                                 window->head + window->capacity - steps)];
}

/* A run is no longer than all calls of its kind. So one that reaches back into
 * a bucket that goes is shortened by its part there, and another is not. */
static uint32_t shorten(uint32_t run, uint32_t left) {
  return run < left ? run : left;
}

static void drop_oldest(ts__window_t *window) {
  ts__tally_t *old = bucket_back(window, window->capacity - 1);
  ts__tally_t *sum = &window->sum;
  sum->successes = subtract(sum->successes, old->successes);
  sum->failures = subtract(sum->failures, old->failures);
  sum->slow = subtract(sum->slow, old->slow);
  sum->success_run = shorten(sum->success_run, sum->successes);
  sum->failure_run = shorten(sum->failure_run, sum->failures);
  *old = (ts__tally_t){0};
  window->head = around(window, window->head + 1);
  window->newest++;
}

/* A fixed window begins anew with the first look after its end. */
static void advance_fixed(ts__window_t *window, int64_t now_ms) {
  forget_all(window);
  window->began_ms = now_ms;
  window->newest++;
}

void ts__window_roll(ts__window_t *window, int64_t now_ms) {
  if (window->kind == TS_WINDOW_FIXED) {
    advance_fixed(window, now_ms);
    return;
  }
  const int64_t steps = (now_ms - window->began_ms) / window->bucket_ms;
  window->began_ms += steps * window->bucket_ms;
  if (steps >= window->capacity) {
    forget_all(window);
    window->newest += (uint32_t)steps;
    return;
  }
  for (int64_t i = 0; i < steps; i++) {
    drop_oldest(window);
  }
}

static void uncount_oldest_call(ts__window_t *window, uint8_t kept) {
  if ((kept & KEPT_FAILED) != 0) {
    window->sum.failures--;
  } else {
    window->sum.successes--;
  }
  window->sum.slow -= (kept & KEPT_SLOW) != 0;
}

static void book_call(ts__window_t *window, bool ok, bool slow) {
  ts__tally_t *sum = &window->sum;
  if (window->calls == window->capacity) {
    uncount_oldest_call(window, window->kept[window->next]);
  } else {
    window->calls++;
  }
  window->kept[window->next] =
      (uint8_t)((ok ? 0u : KEPT_FAILED) | (slow ? KEPT_SLOW : 0u));
  window->next = around(window, window->next + 1);
  ts__tally_add(sum, ok, slow);
  sum->success_run = shorten(sum->success_run, sum->successes);
  sum->failure_run = shorten(sum->failure_run, sum->failures);
}

bool ts__window_book(ts__window_t *window, uint32_t bucket, bool ok,
                     bool slow) {
  if (window->kept != NULL) {
    book_call(window, ok, slow);
    return true;
  }
  const uint32_t age = window->newest - bucket;
  if (age >= window->capacity) {
    return false;
  }
  if (window->buckets != NULL) {
    ts__tally_add(bucket_back(window, age), ok, slow);
  }
  ts__tally_add(&window->sum, ok, slow);
  return true;
}
