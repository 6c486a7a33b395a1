/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "plane/history.h"

static const ts__rule_t rule = {.kind = TS_PLANE_KIND_AVG,
                                .op = TS_PLANE_OP_GT,
                                .threshold = 1000.0,
                                .window_ms = 10000,
                                .min_count = 4,
                                .eval_interval_ms = 1000,
                                .ramp_steps = 4,
                                .policy = TS_PLANE_POLICY_CONSERVATIVE};

typedef struct bench_s {
  ts__mem_t mem;
  ts__evaluator_t evaluator;
  ts__history_t history;
} bench_t;

static void begin(bench_t *bench) {
  memset(bench, 0, sizeof(*bench));
  ts__mem_init(&bench->mem, NULL);
  ts__evaluator_init(&bench->evaluator, &bench->mem, &rule, 0);
}

static void end(bench_t *bench) { ts__evaluator_deinit(&bench->evaluator); }

static void add(bench_t *bench, double value, int64_t now_ms) {
  assert_int_equal(ts__evaluator_reserve(&bench->evaluator, 1), 0);
  ts__evaluator_add(&bench->evaluator, now_ms, value, true, now_ms);
}

static void tick(bench_t *bench, int64_t now_ms) {
  ts__history_tick(&bench->history, &bench->evaluator, now_ms);
}

static const ts__moment_t *last(const bench_t *bench) {
  return ts__history_at(&bench->history, bench->history.count - 1);
}

/* However often a breaker ticks, a moment is kept every five seconds, and one
 * more whenever the state has changed. */
static void test_step(void **state) {
  (void)state;
  bench_t bench;
  begin(&bench);
  for (int64_t t = 0; t <= 10000; t += 100) {
    tick(&bench, t);
  }
  assert_int_equal(bench.history.count, 3);
  assert_int_equal(last(&bench)->t_ms, 10000);
  bench.evaluator.state = TS_BREAKER_OPEN;
  tick(&bench, 10100);
  tick(&bench, 10200);
  assert_int_equal(bench.history.count, 4);
  assert_int_equal(last(&bench)->state, TS_BREAKER_OPEN);
  end(&bench);
}

/* The measurement is looked at once a second, and without samples there is
 * none. */
static void test_measurement(void **state) {
  (void)state;
  bench_t bench;
  begin(&bench);
  tick(&bench, 0);
  assert_false(last(&bench)->has_value);
  add(&bench, 3.0, 100);
  tick(&bench, 500);
  assert_int_equal(bench.history.measure.count, 0);
  tick(&bench, 1000);
  assert_int_equal(bench.history.measure.count, 1);
  assert_float_equal(bench.history.measure.value, 3.0, 0.0);
  tick(&bench, 5000);
  assert_true(last(&bench)->has_value);
  assert_float_equal(last(&bench)->value, 3.0, 0.0);
  end(&bench);
}

/* The ring forgets the oldest, and keeps its order. */
static void test_ring(void **state) {
  (void)state;
  bench_t bench;
  begin(&bench);
  for (int64_t i = 0; i < 1000; i++) {
    tick(&bench, i * TS__HISTORY_STEP_MS);
  }
  assert_int_equal(bench.history.count, TS__HISTORY_MOMENTS);
  for (size_t i = 0; i < TS__HISTORY_MOMENTS; i++) {
    assert_int_equal(ts__history_at(&bench.history, i)->t_ms,
                     (int64_t)(1000 - TS__HISTORY_MOMENTS + i) *
                         TS__HISTORY_STEP_MS);
  }
  end(&bench);
}

/* A clock that was set back does not stop it. */
static void test_clock_set_back(void **state) {
  (void)state;
  bench_t bench;
  begin(&bench);
  tick(&bench, 1000000);
  tick(&bench, 1000);
  assert_int_equal(bench.history.count, 2);
  add(&bench, 5.0, 1500);
  tick(&bench, 2000);
  assert_int_equal(bench.history.measure.count, 1);
  end(&bench);
}

/* With very many samples in view the looks become rarer. */
static void test_large_views(void **state) {
  (void)state;
  bench_t bench;
  begin(&bench);
  for (size_t i = 0; i <= TS__HISTORY_LARGE; i++) {
    add(&bench, 1.0, 1);
  }
  tick(&bench, 1000);
  add(&bench, 1.0, 1001);
  tick(&bench, 2000);
  assert_int_equal(bench.history.measure.count, TS__HISTORY_LARGE + 1);
  tick(&bench, 6000);
  assert_int_equal(bench.history.measure.count, TS__HISTORY_LARGE + 2);
  end(&bench);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_step),        cmocka_unit_test(test_measurement),
      cmocka_unit_test(test_ring),        cmocka_unit_test(test_clock_set_back),
      cmocka_unit_test(test_large_views),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
