/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "core/window.h"
#include "support/heap.h"

#define START_MS 5000

static heap_t heap;
static ts__mem_t mem;

static int setup(void **state) {
  (void)state;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  return heap_balance(&heap) == 0 ? 0 : -1;
}

static ts__window_t make(ts_window_t kind, int64_t ms, uint32_t buckets,
                         uint32_t calls) {
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  ts__window_t window;
  options.window = kind;
  options.window_ms = ms;
  options.window_buckets = buckets;
  options.window_calls = calls;
  assert_int_equal(ts__window_init(&window, &mem, &options), 0);
  ts__window_reset(&window, START_MS);
  return window;
}

static void done(ts__window_t *window) { ts__window_deinit(window, &mem); }

/* One call for each letter, F or S, admitted and settled at this time. */
static void book(ts__window_t *window, int64_t at_ms, const char *calls) {
  ts__window_advance(window, START_MS + at_ms);
  for (; *calls != '\0'; calls++) {
    assert_true(ts__window_book(window, ts__window_bucket(window),
                                *calls == 'S', false));
  }
}

static void expect(ts__window_t *window, int64_t at_ms, uint32_t successes,
                   uint32_t failures, uint32_t failure_run) {
  ts__window_advance(window, START_MS + at_ms);
  assert_int_equal(window->sum.successes, successes);
  assert_int_equal(window->sum.failures, failures);
  assert_int_equal(window->sum.failure_run, failure_run);
}

/* Without a window nothing is ever too old. */
static void test_none(void **state) {
  (void)state;
  ts__window_t window = make(TS_WINDOW_NONE, 0, 0, 0);
  book(&window, 0, "SFF");
  expect(&window, 1000000000, 1, 2, 2);
  done(&window);
}

/* B37: a fixed window keeps its counts to its last millisecond, and has none
 * at the first look after it. */
static void test_fixed(void **state) {
  (void)state;
  ts__window_t window = make(TS_WINDOW_FIXED, 30000, 0, 0);
  book(&window, 0, "FFS");
  expect(&window, 29999, 1, 2, 0);
  expect(&window, 30000, 0, 0, 0);
  done(&window);
}

/* B38: a call that was admitted before a fixed window ended is not booked in
 * the next one. */
static void test_fixed_late(void **state) {
  (void)state;
  ts__window_t window = make(TS_WINDOW_FIXED, 30000, 0, 0);
  const uint32_t bucket = ts__window_bucket(&window);
  ts__window_advance(&window, START_MS + 30000);
  assert_false(ts__window_book(&window, bucket, false, false));
  expect(&window, 30000, 0, 0, 0);
  done(&window);
}

/* B39: of thirty seconds in ten buckets, each bucket leaves thirty seconds
 * after it began. */
static void test_rolling(void **state) {
  (void)state;
  ts__window_t window = make(TS_WINDOW_ROLLING, 30000, 10, 0);
  book(&window, 0, "F");
  book(&window, 3000, "SS");
  book(&window, 29999, "S");
  expect(&window, 29999, 3, 1, 0);
  expect(&window, 30000, 3, 0, 0);
  expect(&window, 33000, 1, 0, 0);
  done(&window);
}

/* B39: a late result is booked in the bucket of its admission, as long as that
 * is there. */
static void test_rolling_late(void **state) {
  (void)state;
  ts__window_t window = make(TS_WINDOW_ROLLING, 30000, 10, 0);
  const uint32_t bucket = ts__window_bucket(&window);
  ts__window_advance(&window, START_MS + 29999);
  assert_true(ts__window_book(&window, bucket, false, false));
  expect(&window, 29999, 0, 1, 1);
  expect(&window, 30000, 0, 0, 0);
  assert_false(ts__window_book(&window, bucket, false, false));
  done(&window);
}

/* B40: nothing is left when the window was idle for longer than it is, however
 * long. */
static void test_rolling_idle(void **state) {
  (void)state;
  ts__window_t window = make(TS_WINDOW_ROLLING, 30000, 10, 0);
  book(&window, 0, "FFFSS");
  expect(&window, INT64_C(1000000000000), 0, 0, 0);
  book(&window, INT64_C(1000000000000), "F");
  expect(&window, INT64_C(1000000000001), 0, 1, 1);
  done(&window);
}

/* B41: ten seconds in buckets of three are four buckets and twelve seconds; a
 * window is never shorter than it was asked to be. */
static void test_rounding(void **state) {
  (void)state;
  ts__window_t window = make(TS_WINDOW_ROLLING, 10, 4, 0);
  assert_int_equal(window.bucket_ms, 3);
  book(&window, 0, "F");
  expect(&window, 11, 0, 1, 1);
  expect(&window, 12, 0, 0, 0);
  done(&window);
}

/* B42: a run that reaches into the bucket that goes is shortened by what it
 * had there. */
static void test_run_shortened(void **state) {
  (void)state;
  ts__window_t window = make(TS_WINDOW_ROLLING, 30, 3, 0);
  book(&window, 0, "SFF");
  book(&window, 10, "FFF");
  expect(&window, 29, 1, 5, 5);
  expect(&window, 30, 0, 3, 3);
  done(&window);
}

/* B42: a run that began later is not touched. */
static void test_run_untouched(void **state) {
  (void)state;
  ts__window_t window = make(TS_WINDOW_ROLLING, 30, 3, 0);
  book(&window, 0, "FFF");
  book(&window, 10, "SFF");
  expect(&window, 30, 1, 2, 2);
  done(&window);
}

/* B50: of the last ten calls, the oldest leaves with the eleventh. */
static void test_last_calls(void **state) {
  (void)state;
  ts__window_t window = make(TS_WINDOW_CALLS, 0, 0, 10);
  book(&window, 0, "FSSSSSSSSS");
  expect(&window, 0, 9, 1, 0);
  book(&window, 1, "S");
  expect(&window, 1, 10, 0, 0);
  book(&window, 2, "FFFFFFFFFFFF");
  expect(&window, 2, 0, 10, 10);
  done(&window);
}

/* What the sums should be: all calls again, by hand. */
typedef struct booked_s {
  int64_t bucket;
  bool ok;
} booked_t;

/* B39: after any sequence of calls and waits the sums are those of the buckets
 * that are left. */
static void test_sums(void **state) {
  (void)state;
  enum { CALLS = 5000 };
  static booked_t all[CALLS];
  ts__rng_t rng = {{1, 2, 3, 4}};
  ts__window_t window = make(TS_WINDOW_ROLLING, 70, 7, 0);
  int64_t at_ms = 0;
  for (int i = 0; i < CALLS; i++) {
    at_ms += (int64_t)(ts__rng_upto(&rng, 9) == 0 ? ts__rng_upto(&rng, 90) : 1);
    all[i] = (booked_t){at_ms / 10, ts__rng_upto(&rng, 1) == 0};
    book(&window, at_ms, all[i].ok ? "S" : "F");
    uint32_t sums[2] = {0, 0};
    for (int k = 0; k <= i; k++) {
      sums[all[k].ok] += at_ms / 10 - all[k].bucket < 7;
    }
    assert_int_equal(window.sum.successes, sums[1]);
    assert_int_equal(window.sum.failures, sums[0]);
  }
  done(&window);
}

/* The numbers of buckets may wrap around. */
static void test_wrap(void **state) {
  (void)state;
  ts__window_t window = make(TS_WINDOW_ROLLING, 3, 3, 0);
  window.newest = UINT32_MAX;
  const uint32_t bucket = ts__window_bucket(&window);
  book(&window, 0, "F");
  book(&window, 1, "S");
  assert_true(ts__window_book(&window, bucket, false, false));
  expect(&window, 2, 1, 2, 1);
  expect(&window, 3, 1, 0, 0);
  done(&window);
}

/* A window that finds no memory says so and keeps none. */
static void test_no_memory(void **state) {
  (void)state;
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  ts__window_t window;
  options.window = TS_WINDOW_ROLLING;
  options.window_ms = 1000;
  options.window_buckets = 10;
  heap_fail(&heap, 1, 1);
  assert_int_not_equal(ts__window_init(&window, &mem, &options), 0);
  ts__window_deinit(&window, &mem);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_none, setup, teardown),
      cmocka_unit_test_setup_teardown(test_fixed, setup, teardown),
      cmocka_unit_test_setup_teardown(test_fixed_late, setup, teardown),
      cmocka_unit_test_setup_teardown(test_rolling, setup, teardown),
      cmocka_unit_test_setup_teardown(test_rolling_late, setup, teardown),
      cmocka_unit_test_setup_teardown(test_rolling_idle, setup, teardown),
      cmocka_unit_test_setup_teardown(test_rounding, setup, teardown),
      cmocka_unit_test_setup_teardown(test_run_shortened, setup, teardown),
      cmocka_unit_test_setup_teardown(test_run_untouched, setup, teardown),
      cmocka_unit_test_setup_teardown(test_last_calls, setup, teardown),
      cmocka_unit_test_setup_teardown(test_sums, setup, teardown),
      cmocka_unit_test_setup_teardown(test_wrap, setup, teardown),
      cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
