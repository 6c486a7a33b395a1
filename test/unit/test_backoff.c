/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/backoff.h"
#include "support/draw.h"

#define CLIENTS 10000
#define ATTEMPTS 20
#define WINDOW_MS 100
#define LONGEST_WAIT_MS 45000

static const int64_t steps_ms[] = {1000, 2000, 4000, 8000, 15000, 30000};

static int64_t step_of(int attempt) {
  return steps_ms[attempt < 5 ? attempt : 5];
}

static int64_t spread_of(int attempt) {
  return attempt < 2 ? step_of(attempt) : step_of(attempt) / 2;
}

/* without jitter, attempts that all fail come at 0, 1, 3, 7, 15, 30, 60
 * seconds, then every 30. */
static void test_schedule(void **state) {
  (void)state;
  const int64_t at_ms[] = {1000, 3000, 7000, 15000, 30000, 60000, 90000};
  ts__rng_t zero = {{0}};
  ts__backoff_t backoff;
  ts__backoff_init(&backoff, 1000, 30000);
  int64_t now_ms = 0;
  for (size_t i = 0; i < sizeof(at_ms) / sizeof(at_ms[0]); i++) {
    now_ms += ts__backoff_next(&backoff, &zero);
    assert_int_equal(now_ms, at_ms[i]);
  }
}

/* a healthy connection brings the first step back. */
static void test_reset(void **state) {
  (void)state;
  ts__rng_t zero = {{0}};
  ts__backoff_t backoff;
  ts__backoff_init(&backoff, 1000, 30000);
  for (int i = 0; i < 5; i++) {
    ts__backoff_next(&backoff, &zero);
  }
  assert_int_equal(backoff.index, 5);
  ts__backoff_reset(&backoff);
  assert_int_equal(ts__backoff_next(&backoff, &zero), 1000);
}

/* a refusal that will last is met with the longest step at once. */
static void test_skip_to_longest(void **state) {
  (void)state;
  ts__rng_t zero = {{0}};
  ts__backoff_t backoff;
  ts__backoff_init(&backoff, 1000, 30000);
  ts__backoff_skip_to_longest(&backoff);
  assert_int_equal(ts__backoff_next(&backoff, &zero), 30000);
  assert_int_equal(ts__backoff_next(&backoff, &zero), 30000);
}

/* A first wait above the longest is cut, and huge ones do not overflow. */
static void test_extreme_waits(void **state) {
  (void)state;
  ts__rng_t rng;
  draw_seed(&rng, 1);
  const int64_t firsts[] = {1, 50, 70, 1000000, INT64_MAX / 2};
  for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
    ts__backoff_t backoff;
    ts__backoff_init(&backoff, firsts[i], 100);
    for (int attempt = 0; attempt < 100; attempt++) {
      int64_t wait = ts__backoff_next(&backoff, &rng);
      assert_in_range(wait, firsts[i] < 100 ? firsts[i] : 100, 150);
    }
  }
  ts__backoff_t backoff;
  ts__backoff_init(&backoff, INT64_MAX / 2, INT64_MAX / 2);
  for (int attempt = 0; attempt < 100; attempt++) {
    assert_true(ts__backoff_next(&backoff, &rng) >= INT64_MAX / 2);
  }
}

/* No wait is shorter than its step, none longer than step and jitter allow. */
static void test_jitter_bounds(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < CLIENTS; seed++) {
    ts__rng_t rng;
    draw_seed(&rng, seed);
    ts__backoff_t backoff;
    ts__backoff_init(&backoff, 1000, 30000);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      int64_t wait = ts__backoff_next(&backoff, &rng);
      assert_in_range(wait, step_of(attempt),
                      step_of(attempt) + spread_of(attempt));
      assert_true(wait <= LONGEST_WAIT_MS);
    }
  }
}

/* Fails if some 100 ms hold more than 3 times the mean over [low, high). */
static void assert_spread(const int64_t *at_ms, int64_t low, int64_t high) {
  static unsigned windows[LONGEST_WAIT_MS / WINDOW_MS + 1];
  memset(windows, 0, sizeof(windows));
  unsigned densest = 0;
  int64_t first = INT64_MAX;
  int64_t last = 0;
  for (int i = 0; i < CLIENTS; i++) {
    unsigned count = ++windows[at_ms[i] / WINDOW_MS];
    densest = count > densest ? count : densest;
    first = at_ms[i] < first ? at_ms[i] : first;
    last = at_ms[i] > last ? at_ms[i] : last;
  }
  unsigned mean = (unsigned)(CLIENTS * WINDOW_MS / (high - low));
  assert_true(densest <= 3 * mean);
  assert_true(last - first >= (high - low) * 9 / 10);
}

/* Ten thousand clients that lose one server do not come back in one tenth of a
 * second: at each attempt their waits are spread over at least half of the
 * step, without a crowd anywhere. */
static void test_storm_is_spread_at_every_attempt(void **state) {
  (void)state;
  static int64_t waits[ATTEMPTS][CLIENTS];
  for (uint64_t seed = 0; seed < CLIENTS; seed++) {
    ts__rng_t rng;
    draw_seed(&rng, seed);
    ts__backoff_t backoff;
    ts__backoff_init(&backoff, 1000, 30000);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      waits[attempt][seed] = ts__backoff_next(&backoff, &rng);
    }
  }
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    int64_t step = step_of(attempt);
    assert_true(spread_of(attempt) * 2 >= step);
    assert_spread(waits[attempt], step, step + spread_of(attempt));
  }
}

/* The second wave, which starts from wherever the first ended, is spread as
 * well. */
static void test_second_wave_is_spread(void **state) {
  (void)state;
  static int64_t at_ms[CLIENTS];
  for (uint64_t seed = 0; seed < CLIENTS; seed++) {
    ts__rng_t rng;
    draw_seed(&rng, seed);
    ts__backoff_t backoff;
    ts__backoff_init(&backoff, 1000, 30000);
    at_ms[seed] = ts__backoff_next(&backoff, &rng);
    at_ms[seed] += ts__backoff_next(&backoff, &rng);
  }
  assert_spread(at_ms, 3000, 6000);
}

/* When the first step is the longest already, the ceiling narrows the jitter
 * and gathers nobody at its end. */
static void test_ceiling_gathers_nobody(void **state) {
  (void)state;
  static int64_t waits[CLIENTS];
  for (uint64_t seed = 0; seed < CLIENTS; seed++) {
    ts__rng_t rng;
    draw_seed(&rng, seed);
    ts__backoff_t backoff;
    ts__backoff_init(&backoff, 30000, 30000);
    waits[seed] = ts__backoff_next(&backoff, &rng);
  }
  assert_spread(waits, 30000, 45000);
}

/* Jitter on a given wait: 0 to so many percent of it. */
static void test_jitter_ms(void **state) {
  (void)state;
  ts__rng_t rng;
  draw_seed(&rng, 3);
  int64_t lowest = INT64_MAX;
  int64_t highest = 0;
  for (int i = 0; i < 10000; i++) {
    int64_t wait = ts__jitter_ms(400, 20, &rng);
    assert_in_range(wait, 400, 480);
    lowest = wait < lowest ? wait : lowest;
    highest = wait > highest ? wait : highest;
  }
  assert_int_equal(lowest, 400);
  assert_int_equal(highest, 480);
  assert_int_equal(ts__jitter_ms(0, 20, &rng), 0);
  assert_int_equal(ts__jitter_ms(400, 0, &rng), 400);
  assert_true(ts__jitter_ms(INT64_MAX - 1, 50, &rng) >= INT64_MAX - 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_schedule),
      cmocka_unit_test(test_reset),
      cmocka_unit_test(test_skip_to_longest),
      cmocka_unit_test(test_extreme_waits),
      cmocka_unit_test(test_jitter_bounds),
      cmocka_unit_test(test_storm_is_spread_at_every_attempt),
      cmocka_unit_test(test_second_wave_is_spread),
      cmocka_unit_test(test_ceiling_gathers_nobody),
      cmocka_unit_test(test_jitter_ms),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
