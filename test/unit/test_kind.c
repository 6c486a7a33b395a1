/* SPDX-License-Identifier: Apache-2.0 */
/* What the kinds measure, on a data set with known answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plane/evaluator.h"
#include "support/heap.h"

#define NOW 1705312260000

/* Twenty samples, three seconds apart; negative values are failed ones. */
static const double data_set[] = {102,  98,  110, 105,  95,   120, 101,
                                  -99,  108, 97,  130,  -125, 140, 180,
                                  -210, 260, 240, -300, -290, -310};
#define DATA_COUNT (sizeof(data_set) / sizeof(data_set[0]))

typedef struct bench_s {
  heap_t heap;
  ts__mem_t mem;
  ts__evaluator_t evaluator;
} bench_t;

static ts__rule_t rule_of(ts_plane_kind_t kind, ts_plane_op_t op,
                          double threshold) {
  return (ts__rule_t){.kind = kind,
                      .op = op,
                      .threshold = threshold,
                      .window_ms = 60000,
                      .min_count = 1,
                      .eval_interval_ms = 1000,
                      .ramp_steps = 4,
                      .backoff_enabled = true,
                      .backoff_cap_ms = 300000,
                      .policy = TS_PLANE_POLICY_CONSERVATIVE};
}

static void begin(bench_t *bench, ts__rule_t rule) {
  heap_init(&bench->heap);
  ts__mem_init(&bench->mem, &bench->heap.allocator);
  ts__evaluator_init(&bench->evaluator, &bench->mem, &rule, NOW - 60000);
}

static void end(bench_t *bench) {
  ts__evaluator_deinit(&bench->evaluator);
  assert_int_equal(heap_balance(&bench->heap), 0);
}

static void add(bench_t *bench, int64_t t_ms, bool ok) {
  assert_int_equal(ts__evaluator_reserve(&bench->evaluator, 1), 0);
  ts__evaluator_add(&bench->evaluator, t_ms, 1.0, ok, NOW);
}

static void add_data_set(bench_t *bench) {
  assert_int_equal(ts__evaluator_reserve(&bench->evaluator, DATA_COUNT), 0);
  for (size_t i = 0; i < DATA_COUNT; i++) {
    double value = data_set[i] < 0 ? -data_set[i] : data_set[i];
    ts__evaluator_add(&bench->evaluator, NOW - 58500 + (int64_t)i * 3000, value,
                      data_set[i] > 0, NOW);
  }
}

/* The measurement that a closed breaker makes at `now`. */
static ts__measure_t measure(const bench_t *bench, int64_t now) {
  const ts__evaluator_t *evaluator = &bench->evaluator;
  ts__view_t view = {&evaluator->points, now - evaluator->rule.window_ms, now,
                     INT64_MIN};
  ts__measure_t measured;
  evaluator->kind->measure(&view, evaluator->streak, &measured);
  return measured;
}

/* The verdict of a rule over the data set at `now`. */
static ts__verdict_t verdict(ts__rule_t rule, int64_t now) {
  bench_t bench;
  ts__change_t change;
  begin(&bench, rule);
  add_data_set(&bench);
  ts__evaluator_tick(&bench.evaluator, now, &change);
  ts__verdict_t verdict = bench.evaluator.verdict;
  end(&bench);
  return verdict;
}

/* E1: the error rate is the share of failed samples; values play no part. */
static void test_error_rate_is_share_of_failures(void **state) {
  (void)state;
  bench_t bench;
  begin(&bench, rule_of(TS_PLANE_KIND_ERROR_RATE, TS_PLANE_OP_GT, 0.25));
  add_data_set(&bench);
  ts__measure_t measured = measure(&bench, NOW);
  assert_true(measured.has_value);
  assert_int_equal(measured.count, 20);
  assert_true(measured.value > 0.3 - 1e-9 && measured.value < 0.3 + 1e-9);
  end(&bench);
}

/* E10 in the order of the kinds: the streak is the number of failures since the
 * last success. */
static void test_streak_counts_latest_failures(void **state) {
  (void)state;
  bench_t bench;
  begin(&bench,
        rule_of(TS_PLANE_KIND_CONSECUTIVE_FAILURES, TS_PLANE_OP_GTE, 3));
  add_data_set(&bench);
  ts__measure_t measured = measure(&bench, NOW);
  assert_true(measured.has_value);
  assert_true(measured.value > 2.5 && measured.value < 3.5);
  end(&bench);
  assert_int_equal(
      verdict(rule_of(TS_PLANE_KIND_CONSECUTIVE_FAILURES, TS_PLANE_OP_GTE, 3),
              NOW),
      TS__UNHEALTHY);
  assert_int_equal(
      verdict(rule_of(TS_PLANE_KIND_CONSECUTIVE_FAILURES, TS_PLANE_OP_GTE, 5),
              NOW),
      TS__HEALTHY);
}

/* E12: a rule on the very boundary tells "above" from "at least". */
static void test_operators_at_the_boundary(void **state) {
  (void)state;
  const ts_plane_kind_t kind = TS_PLANE_KIND_ERROR_RATE;
  assert_int_equal(verdict(rule_of(kind, TS_PLANE_OP_GT, 0.25), NOW),
                   TS__UNHEALTHY);
  assert_int_equal(verdict(rule_of(kind, TS_PLANE_OP_GT, 0.3), NOW),
                   TS__HEALTHY);
  assert_int_equal(verdict(rule_of(kind, TS_PLANE_OP_GTE, 0.3), NOW),
                   TS__UNHEALTHY);
  assert_int_equal(verdict(rule_of(kind, TS_PLANE_OP_LT, 0.3), NOW),
                   TS__HEALTHY);
  assert_int_equal(verdict(rule_of(kind, TS_PLANE_OP_LTE, 0.3), NOW),
                   TS__UNHEALTHY);
}

/* E13: without new samples the window empties by itself, while the streak
 * stays. */
static void test_window_slides(void **state) {
  (void)state;
  const struct {
    int64_t later_ms;
    uint64_t count;
    double rate;
  } rows[] = {
      {30000, 10, 0.5}, {45000, 5, 0.6}, {58499, 1, 1.0}, {58500, 0, 0}};
  bench_t bench;
  begin(&bench, rule_of(TS_PLANE_KIND_ERROR_RATE, TS_PLANE_OP_GT, 2));
  add_data_set(&bench);
  for (size_t i = 0; i < 4; i++) {
    ts__measure_t measured = measure(&bench, NOW + rows[i].later_ms);
    assert_int_equal(measured.count, rows[i].count);
    assert_int_equal(measured.has_value, rows[i].count > 0);
    assert_true(measured.value > rows[i].rate - 1e-9 &&
                measured.value < rows[i].rate + 1e-9);
    assert_int_equal(bench.evaluator.streak, 3);
  }
  end(&bench);
}

/* E14: a sample exactly one window old is out, one of this moment is in. */
static void test_window_ends(void **state) {
  (void)state;
  bench_t bench;
  begin(&bench, rule_of(TS_PLANE_KIND_ERROR_RATE, TS_PLANE_OP_GT, 2));
  add(&bench, NOW, true);
  assert_int_equal(measure(&bench, NOW).count, 1);
  assert_int_equal(measure(&bench, NOW + 59999).count, 1);
  assert_int_equal(measure(&bench, NOW + 60000).count, 0);
  assert_int_equal(measure(&bench, NOW - 1).count, 0);
  end(&bench);
}

/* E15: one sample short of min_count there is no verdict on a statistic, while
 * the streak needs none. */
static void test_min_count_gates_statistics_only(void **state) {
  (void)state;
  ts__rule_t rate = rule_of(TS_PLANE_KIND_ERROR_RATE, TS_PLANE_OP_GT, 0.1);
  ts__rule_t streak =
      rule_of(TS_PLANE_KIND_CONSECUTIVE_FAILURES, TS_PLANE_OP_GTE, 3);
  rate.min_count = streak.min_count = 21;
  assert_int_equal(verdict(rate, NOW), TS__INDETERMINATE);
  assert_int_equal(verdict(streak, NOW), TS__UNHEALTHY);
  rate.min_count = 20;
  assert_int_equal(verdict(rate, NOW), TS__UNHEALTHY);
  rate.min_count = 0;
  assert_int_equal(verdict(rate, NOW + 58499), TS__UNHEALTHY);
  assert_int_equal(verdict(rate, NOW + 58500), TS__INDETERMINATE);
}

/* E18: the streak survives any silence and ends with one success. */
static void test_streak_survives_silence(void **state) {
  (void)state;
  bench_t bench;
  begin(&bench,
        rule_of(TS_PLANE_KIND_CONSECUTIVE_FAILURES, TS_PLANE_OP_GTE, 9));
  const bool outcomes[] = {false, false, true, false, false, false};
  for (size_t i = 0; i < 6; i++) {
    add(&bench, NOW, outcomes[i]);
  }
  assert_int_equal(bench.evaluator.streak, 3);
  ts__change_t change;
  ts__evaluator_tick(&bench.evaluator, NOW + 3600000, &change);
  assert_int_equal(bench.evaluator.streak, 3);
  add(&bench, NOW, true);
  assert_int_equal(bench.evaluator.streak, 0);
  end(&bench);
}

/* E58: a stamp from the future counts as the moment of arrival, so that it does
 * not outlive the window. */
static void test_future_stamp_is_clamped(void **state) {
  (void)state;
  bench_t bench;
  begin(&bench, rule_of(TS_PLANE_KIND_ERROR_RATE, TS_PLANE_OP_GT, 2));
  add(&bench, NOW + 50000, true);
  assert_int_equal(measure(&bench, NOW).count, 1);
  assert_int_equal(measure(&bench, NOW + 60000).count, 0);
  end(&bench);
}

/* Every kind of the interface has its wire name, and there are no others. */
static void test_kinds_are_the_eleven(void **state) {
  (void)state;
  assert_string_equal(ts__kind_find(TS_PLANE_KIND_ERROR_RATE)->name,
                      "error_rate");
  assert_string_equal(ts__kind_find(TS_PLANE_KIND_PERCENTILE)->name,
                      "percentile");
  assert_string_equal(ts__kind_find(TS_PLANE_KIND_CONSECUTIVE_FAILURES)->name,
                      "consecutive_failures");
  assert_string_equal(ts__kind_find(TS_PLANE_KIND_DELTA)->name, "delta");
  assert_null(ts__kind_find((ts_plane_kind_t)0));
  assert_null(ts__kind_find((ts_plane_kind_t)12));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_error_rate_is_share_of_failures),
      cmocka_unit_test(test_streak_counts_latest_failures),
      cmocka_unit_test(test_operators_at_the_boundary),
      cmocka_unit_test(test_window_slides),
      cmocka_unit_test(test_window_ends),
      cmocka_unit_test(test_min_count_gates_statistics_only),
      cmocka_unit_test(test_streak_survives_silence),
      cmocka_unit_test(test_future_stamp_is_clamped),
      cmocka_unit_test(test_kinds_are_the_eleven),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
