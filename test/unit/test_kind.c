/* SPDX-License-Identifier: Apache-2.0 */
/* What the kinds measure, on a data set with known answers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plane/evaluator.h"
#include "plane/names.h"
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

/* The measurement of the breaker at `now`, which only goes forward. */
static ts__measure_t measure(bench_t *bench, int64_t now) {
  return ts__evaluator_measure(&bench->evaluator, now);
}

static bool near(double a, double b) { return a - b < 1e-9 && b - a < 1e-9; }

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

/* The measurement of a kind over the data set, and the verdict of a rule. */
static void assert_measures(ts_plane_kind_t kind, double percentile,
                            double value, ts_plane_op_t op, double threshold,
                            ts__verdict_t expected) {
  bench_t bench;
  ts__rule_t rule = rule_of(kind, op, threshold);
  rule.percentile = percentile;
  begin(&bench, rule);
  add_data_set(&bench);
  ts__measure_t measured = measure(&bench, NOW);
  assert_true(measured.has_value);
  assert_int_equal(measured.count, 20);
  assert_true(near(measured.value, value));
  end(&bench);
  assert_int_equal(verdict(rule, NOW), expected);
}

#define GT TS_PLANE_OP_GT
#define GTE TS_PLANE_OP_GTE
#define LT TS_PLANE_OP_LT
#define LTE TS_PLANE_OP_LTE

/* E1: the error rate is the share of failed samples; values play no part. */
static void test_error_rate_is_share_of_failures(void **state) {
  (void)state;
  assert_measures(TS_PLANE_KIND_ERROR_RATE, 0, 0.3, GT, 0.25, TS__UNHEALTHY);
}

/* E2: the mean takes every value, whatever became of the call. */
static void test_avg_is_mean(void **state) {
  (void)state;
  assert_measures(TS_PLANE_KIND_AVG, 0, 161.0, GT, 150, TS__UNHEALTHY);
}

/* E3: the 95th percentile of twenty is the nineteenth, not something between
 * two of them. */
static void test_p95_is_nearest_rank(void **state) {
  (void)state;
  assert_measures(TS_PLANE_KIND_P95, 0, 300, GT, 250, TS__UNHEALTHY);
}

/* E4 and E5: the extremes. */
static void test_max_and_min(void **state) {
  (void)state;
  assert_measures(TS_PLANE_KIND_MAX, 0, 310, GT, 310, TS__HEALTHY);
  assert_measures(TS_PLANE_KIND_MIN, 0, 95, LT, 96, TS__UNHEALTHY);
}

/* E6: the sum is of all values. */
static void test_sum(void **state) {
  (void)state;
  assert_measures(TS_PLANE_KIND_SUM, 0, 3220, GTE, 3220, TS__UNHEALTHY);
}

/* E7: the deviation is the population's, not the sample's. */
static void test_stddev_is_of_population(void **state) {
  (void)state;
  assert_measures(TS_PLANE_KIND_STDDEV, 0, 75.2455978779217, GT, 60,
                  TS__UNHEALTHY);
}

/* E8: a count counts. */
static void test_count(void **state) {
  (void)state;
  assert_measures(TS_PLANE_KIND_COUNT, 0, 20, GT, 20, TS__HEALTHY);
}

/* E9: any percentile, each by nearest rank, with any operator. */
static void test_percentile(void **state) {
  (void)state;
  assert_measures(TS_PLANE_KIND_PERCENTILE, 50, 120, GT, 150, TS__HEALTHY);
  assert_measures(TS_PLANE_KIND_PERCENTILE, 90, 290, GTE, 290, TS__UNHEALTHY);
  assert_measures(TS_PLANE_KIND_PERCENTILE, 99, 310, LT, 400, TS__UNHEALTHY);
}

/* E10: the streak is the number of failures since the last success. */
static void test_streak_counts_latest_failures(void **state) {
  (void)state;
  assert_measures(TS_PLANE_KIND_CONSECUTIVE_FAILURES, 0, 3, GTE, 3,
                  TS__UNHEALTHY);
  assert_measures(TS_PLANE_KIND_CONSECUTIVE_FAILURES, 0, 3, GTE, 5,
                  TS__HEALTHY);
}

/* E11: the change is the mean of the newest quarter less that of the rest. */
static void test_delta_is_newest_quarter_against_rest(void **state) {
  (void)state;
  assert_measures(TS_PLANE_KIND_DELTA, 0, 280 - 1820.0 / 15, GT, 100,
                  TS__UNHEALTHY);
}

/* E1 and E10: had all calls gone well, the rate and the streak would be 0, and
 * nothing else would differ. */
static void test_outcomes_matter_to_two_kinds(void **state) {
  (void)state;
  for (int kind = 1; kind <= 11; kind++) {
    double values[2];
    for (int all_ok = 0; all_ok < 2; all_ok++) {
      bench_t bench;
      ts__rule_t rule = rule_of((ts_plane_kind_t)kind, GT, 0);
      rule.percentile = 90;
      begin(&bench, rule);
      assert_int_equal(ts__evaluator_reserve(&bench.evaluator, DATA_COUNT), 0);
      for (size_t i = 0; i < DATA_COUNT; i++) {
        ts__evaluator_add(&bench.evaluator, NOW - 58500 + (int64_t)i * 3000,
                          fabs(data_set[i]), all_ok || data_set[i] > 0, NOW);
      }
      values[all_ok] = measure(&bench, NOW).value;
      end(&bench);
    }
    bool differs = kind == TS_PLANE_KIND_ERROR_RATE ||
                   kind == TS_PLANE_KIND_CONSECUTIVE_FAILURES;
    assert_true(near(values[1], differs ? 0 : values[0]));
  }
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

static const ts_plane_kind_t statistics[] = {
    TS_PLANE_KIND_ERROR_RATE, TS_PLANE_KIND_AVG,  TS_PLANE_KIND_P95,
    TS_PLANE_KIND_MAX,        TS_PLANE_KIND_MIN,  TS_PLANE_KIND_STDDEV,
    TS_PLANE_KIND_PERCENTILE, TS_PLANE_KIND_DELTA};
#define STATISTICS (sizeof(statistics) / sizeof(statistics[0]))

/* E13: without new samples the window empties by itself, and what is measured
 * follows; NAN stands for no measurement. */
static void test_window_slides(void **state) {
  (void)state;
  const struct {
    ts_plane_kind_t kind;
    double values[4];
  } rows[] = {
      {TS_PLANE_KIND_COUNT, {10, 5, 1, 0}},
      {TS_PLANE_KIND_AVG, {218.5, 280, 310, NAN}},
      {TS_PLANE_KIND_ERROR_RATE, {0.5, 0.6, 1, NAN}},
      {TS_PLANE_KIND_P95, {310, 310, 310, NAN}},
      {TS_PLANE_KIND_SUM, {2185, 1400, 310, 0}},
      {TS_PLANE_KIND_MIN, {125, 240, 310, NAN}},
      {TS_PLANE_KIND_STDDEV, {68.26602375999352, 26.076809620810597, NAN, NAN}},
      {TS_PLANE_KIND_DELTA, {NAN, NAN, NAN, NAN}},
      {TS_PLANE_KIND_CONSECUTIVE_FAILURES, {3, 3, 3, 3}}};
  const int64_t later_ms[] = {30000, 45000, 58499, 58500};
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    bench_t bench;
    begin(&bench, rule_of(rows[i].kind, TS_PLANE_OP_GT, 1e9));
    add_data_set(&bench);
    for (size_t k = 0; k < 4; k++) {
      ts__measure_t measured = measure(&bench, NOW + later_ms[k]);
      assert_int_equal(measured.has_value, !isnan(rows[i].values[k]));
      assert_true(!measured.has_value ||
                  near(measured.value, rows[i].values[k]));
    }
    end(&bench);
  }
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
  end(&bench);
}

/* E15: one sample short of min_count there is no verdict on the eight
 * statistics, while budgets and streaks need none. */
static void test_min_count_gates_statistics_only(void **state) {
  (void)state;
  for (size_t i = 0; i < STATISTICS; i++) {
    ts__rule_t rule = rule_of(statistics[i], TS_PLANE_OP_GT, 1e9);
    rule.percentile = 50;
    rule.min_count = 21;
    assert_int_equal(verdict(rule, NOW), TS__INDETERMINATE);
    rule.min_count = 20;
    assert_int_equal(verdict(rule, NOW), TS__HEALTHY);
    rule.min_count = 0;
    assert_int_equal(verdict(rule, NOW + 58500), TS__INDETERMINATE);
  }
  const ts_plane_kind_t others[] = {TS_PLANE_KIND_SUM, TS_PLANE_KIND_COUNT,
                                    TS_PLANE_KIND_CONSECUTIVE_FAILURES};
  for (size_t i = 0; i < 3; i++) {
    ts__rule_t rule = rule_of(others[i], TS_PLANE_OP_GTE, 3);
    rule.min_count = 21;
    assert_int_equal(verdict(rule, NOW), TS__UNHEALTHY);
  }
}

/* Add these values, now, and return the measurement. */
static ts__measure_t measure_values(ts__rule_t rule, const double *values,
                                    size_t count) {
  bench_t bench;
  begin(&bench, rule);
  assert_int_equal(ts__evaluator_reserve(&bench.evaluator, count), 0);
  for (size_t i = 0; i < count; i++) {
    ts__evaluator_add(&bench.evaluator, NOW, values[i], true, NOW);
  }
  ts__measure_t measured = measure(&bench, NOW);
  end(&bench);
  return measured;
}

/* E16: the rank is the product rounded up, and rounding errors of the product
 * do not lift it: p = 7 of 100 is the seventh, p = 99.9 of 1000 the 999th. */
static void test_rank_table(void **state) {
  (void)state;
  const struct {
    ts_plane_kind_t kind;
    double percentile;
    size_t count, rank;
  } rows[] = {{TS_PLANE_KIND_P95, 0, 1, 1},
              {TS_PLANE_KIND_P95, 0, 19, 19},
              {TS_PLANE_KIND_P95, 0, 20, 19},
              {TS_PLANE_KIND_PERCENTILE, 50, 1, 1},
              {TS_PLANE_KIND_PERCENTILE, 99, 100, 99},
              {TS_PLANE_KIND_PERCENTILE, 50, 5, 3},
              {TS_PLANE_KIND_PERCENTILE, 100, 7, 7},
              {TS_PLANE_KIND_PERCENTILE, 0.1, 10, 1},
              {TS_PLANE_KIND_PERCENTILE, 7, 100, 7},
              {TS_PLANE_KIND_PERCENTILE, 99.9, 1000, 999},
              {TS_PLANE_KIND_PERCENTILE, 0.99, 100, 1}};
  static double values[1000];
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    for (size_t k = 0; k < rows[i].count; k++) {
      /* 1, 2, 3, ... in another order; 7 divides none of the counts. */
      values[k] = 1.0 + (double)((k * 1009 + 3) % rows[i].count);
    }
    ts__rule_t rule = rule_of(rows[i].kind, TS_PLANE_OP_GT, 0);
    rule.percentile = rows[i].percentile;
    ts__measure_t measured = measure_values(rule, values, rows[i].count);
    assert_true(near(measured.value, (double)rows[i].rank));
  }
}

static bool read_params(const char *text, double *percentile) {
  ts__json_doc_t *doc = NULL;
  assert_int_equal(ts__json_parse(&doc, ts__str(text), 1000), 0);
  bool good = ts__kind_params_read(TS_PLANE_KIND_PERCENTILE, ts__json_root(doc),
                                   percentile);
  ts__json_free(doc);
  return good;
}

/* E17: a percentile needs its parameter, a number above 0 and up to 100, by
 * either name; other kinds need none. */
static void test_percentile_parameter(void **state) {
  (void)state;
  const char *wrong[] = {"{}",
                         "{\"percentile\":0}",
                         "{\"percentile\":101}",
                         "{\"percentile\":\"95\"}",
                         "{\"percentile\":null,\"p\":5}",
                         "{\"p\":-1}",
                         "[]"};
  double percentile = 0;
  for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    assert_false(read_params(wrong[i], &percentile));
  }
  assert_true(read_params("{\"percentile\":99.9}", &percentile));
  assert_true(near(percentile, 99.9));
  assert_true(read_params("{\"p\":100}", &percentile));
  assert_true(near(percentile, 100));
  assert_true(ts__kind_params_read(TS_PLANE_KIND_AVG, NULL, &percentile));
  ts__rule_t rule = rule_of(TS_PLANE_KIND_PERCENTILE, TS_PLANE_OP_GT, 1);
  assert_string_equal(ts__rule_check(&rule), "kind_params.percentile");
}

/* E19: one sample deviates from nothing, two equal ones by zero; and the small
 * examples that can be done in the head. */
static void test_stddev_of_few(void **state) {
  (void)state;
  const struct {
    double values[8];
    size_t count;
    double expected;
  } rows[] = {{{5, 5}, 2, 0},
              {{10, 10, 10, 10}, 4, 0},
              {{5, 15}, 2, 5},
              {{2, 4, 4, 4, 5, 5, 7, 9}, 8, 2}};
  ts__rule_t rule = rule_of(TS_PLANE_KIND_STDDEV, TS_PLANE_OP_GT, 0);
  assert_false(measure_values(rule, rows[0].values, 1).has_value);
  for (size_t i = 0; i < 4; i++) {
    ts__measure_t measured =
        measure_values(rule, rows[i].values, rows[i].count);
    assert_true(measured.has_value);
    assert_true(near(measured.value, rows[i].expected));
  }
}

/* E20: where nothing is new, or everything, there is no change to speak of. */
static void test_delta_needs_both_parts(void **state) {
  (void)state;
  const ts__rule_t rule = rule_of(TS_PLANE_KIND_DELTA, TS_PLANE_OP_GT, 0);
  assert_int_equal(verdict(rule, NOW + 14000), TS__INDETERMINATE);
  assert_int_equal(verdict(rule, NOW + 13000), TS__UNHEALTHY);
  const double values[] = {1, 2, 3};
  assert_false(measure_values(rule, values, 3).has_value);
}

/* E21: a drop is a negative change. */
static void test_delta_tells_a_drop(void **state) {
  (void)state;
  bench_t bench;
  ts__change_t change;
  begin(&bench, rule_of(TS_PLANE_KIND_DELTA, TS_PLANE_OP_LT, -50));
  assert_int_equal(ts__evaluator_reserve(&bench.evaluator, 4), 0);
  for (int64_t i = 0; i < 4; i++) {
    ts__evaluator_add(&bench.evaluator, NOW - 20000 + i * 5000,
                      i < 2 ? 100 : 40, true, NOW);
  }
  assert_true(ts__evaluator_ingested(&bench.evaluator, NOW, &change));
  assert_true(near(change.measure.value, -60));
  assert_int_equal(bench.evaluator.state, TS_BREAKER_OPEN);
  end(&bench);
}

/* E22 and E23: silence is measurable: a count or sum of nothing is 0. */
static void test_silence_has_budgets(void **state) {
  (void)state;
  bench_t bench;
  ts__change_t change;
  begin(&bench, rule_of(TS_PLANE_KIND_COUNT, TS_PLANE_OP_LT, 1));
  assert_true(ts__evaluator_tick(&bench.evaluator, NOW, &change));
  assert_int_equal(bench.evaluator.verdict, TS__UNHEALTHY);
  end(&bench);
  begin(&bench, rule_of(TS_PLANE_KIND_SUM, TS_PLANE_OP_GT, 0));
  assert_false(ts__evaluator_tick(&bench.evaluator, NOW, &change));
  assert_int_equal(bench.evaluator.verdict, TS__HEALTHY);
  end(&bench);
}

/* E24: kinds of old documents are known as such, and are no kinds. */
static void test_unsupported_kinds(void **state) {
  (void)state;
  ts_plane_kind_t kind;
  assert_true(ts__kind_is_unsupported(TS__STR("ratio")));
  assert_true(ts__kind_is_unsupported(TS__STR("slope")));
  assert_false(ts__kind_is_unsupported(TS__STR("avg")));
  assert_false(ts__kind_by_name(TS__STR("ratio"), &kind));
}

/* E25: a failed sample's value enters the mean like any other. */
static void test_failures_have_values(void **state) {
  (void)state;
  bench_t bench;
  begin(&bench, rule_of(TS_PLANE_KIND_AVG, TS_PLANE_OP_GT, 0));
  assert_int_equal(ts__evaluator_reserve(&bench.evaluator, 2), 0);
  ts__evaluator_add(&bench.evaluator, NOW, 10, true, NOW);
  ts__evaluator_add(&bench.evaluator, NOW, 30, false, NOW);
  assert_true(near(measure(&bench, NOW).value, 20));
  end(&bench);
}

/* The largest numbers there are do not make nonsense of a measurement: means
 * stay exact, and what is too large to say is infinite, never not a number. */
static void test_huge_values(void **state) {
  (void)state;
  const double values[] = {1.7e308, 1.7e308, -1.7e308, 1.7e308};
  const struct {
    ts_plane_kind_t kind;
    double expected;
  } rows[] = {{TS_PLANE_KIND_AVG, 0.85e308},
              {TS_PLANE_KIND_SUM, HUGE_VAL},
              {TS_PLANE_KIND_STDDEV, HUGE_VAL},
              {TS_PLANE_KIND_MAX, 1.7e308},
              {TS_PLANE_KIND_MIN, -1.7e308}};
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    ts__rule_t rule = rule_of(rows[i].kind, TS_PLANE_OP_GT, 0);
    double value = measure_values(rule, values, 4).value;
    assert_true(value >= rows[i].expected * (1 - 1e-9) || rows[i].expected < 0);
    assert_true(value <= rows[i].expected * (1 + 1e-9) || rows[i].expected < 0);
    assert_false(isnan(value));
  }
}

/* Judging by counting is the same as measuring and comparing, for every kind,
 * operator and number of samples, also where values are equal. */
static void test_judging_is_measuring(void **state) {
  (void)state;
  uint32_t random = 7;
  for (int round = 0; round < 3000; round++) {
    ts__rule_t rule = rule_of((ts_plane_kind_t)(1 + round % 11),
                              (ts_plane_op_t)(1 + round / 11 % 4),
                              (double)(round / 44 % 7) - 3);
    rule.percentile = 1 + round % 100;
    bench_t bench;
    begin(&bench, rule);
    size_t count = (size_t)round % 23;
    assert_int_equal(ts__evaluator_reserve(&bench.evaluator, count + 1), 0);
    for (size_t i = 0; i < count; i++) {
      random = random * 1664525u + 1013904223u;
      ts__evaluator_add(&bench.evaluator, NOW - (int64_t)(random >> 8) % 60000,
                        (double)(random >> 24) / 32 - 4, random & 64, NOW);
    }
    ts__measure_t measured = measure(&bench, NOW);
    ts__view_t view = {&bench.evaluator.points, bench.evaluator.streak,
                       NOW - 15000, rule.percentile};
    bool holds = false;
    bool judged = ts__kind_judge(bench.evaluator.kind, &view, &holds);
    assert_int_equal(judged, measured.has_value);
    assert_true(!judged ||
                holds == ts__op_holds(rule.op, measured.value, rule.threshold));
    end(&bench);
  }
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

/* Every word of the wire is read as it is written, and no other is one. */
static void test_names(void **state) {
  (void)state;
  const char *kinds[] = {
      "error_rate", "avg",    "p95",   "max",        "min",
      "sum",        "stddev", "count", "percentile", "consecutive_failures",
      "delta"};
  for (int i = 1; i <= 11; i++) {
    ts_plane_kind_t kind;
    assert_string_equal(ts__kind_name((ts_plane_kind_t)i), kinds[i - 1]);
    assert_true(ts__kind_by_name(ts__str(kinds[i - 1]), &kind));
    assert_int_equal(kind, i);
  }
  assert_null(ts__kind_find((ts_plane_kind_t)0));
  assert_null(ts__kind_find((ts_plane_kind_t)12));
  ts_plane_op_t op;
  ts_plane_policy_t policy;
  ts_breaker_state_t known;
  assert_true(ts__op_by_name(ts__str(ts__op_name(GTE)), &op) && op == GTE);
  assert_true(ts__op_by_name(TS__STR("lt"), &op) && op == LT);
  assert_false(ts__op_by_name(TS__STR("eq"), &op));
  assert_string_equal(ts__op_name((ts_plane_op_t)0), "unknown");
  assert_true(ts__policy_by_name(TS__STR("pessimistic"), &policy));
  assert_string_equal(ts__policy_name(policy), "pessimistic");
  assert_false(ts__policy_by_name(TS__STR(""), &policy));
  assert_true(ts__plane_state_by_name(TS__STR("half_open"), &known));
  assert_string_equal(ts__plane_state_name(known), "half_open");
  assert_false(ts__plane_state_by_name(TS__STR("unknown"), &known));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_error_rate_is_share_of_failures),
      cmocka_unit_test(test_avg_is_mean),
      cmocka_unit_test(test_p95_is_nearest_rank),
      cmocka_unit_test(test_max_and_min),
      cmocka_unit_test(test_sum),
      cmocka_unit_test(test_stddev_is_of_population),
      cmocka_unit_test(test_count),
      cmocka_unit_test(test_percentile),
      cmocka_unit_test(test_streak_counts_latest_failures),
      cmocka_unit_test(test_delta_is_newest_quarter_against_rest),
      cmocka_unit_test(test_outcomes_matter_to_two_kinds),
      cmocka_unit_test(test_operators_at_the_boundary),
      cmocka_unit_test(test_window_slides),
      cmocka_unit_test(test_window_ends),
      cmocka_unit_test(test_min_count_gates_statistics_only),
      cmocka_unit_test(test_rank_table),
      cmocka_unit_test(test_percentile_parameter),
      cmocka_unit_test(test_stddev_of_few),
      cmocka_unit_test(test_delta_needs_both_parts),
      cmocka_unit_test(test_delta_tells_a_drop),
      cmocka_unit_test(test_silence_has_budgets),
      cmocka_unit_test(test_unsupported_kinds),
      cmocka_unit_test(test_failures_have_values),
      cmocka_unit_test(test_huge_values),
      cmocka_unit_test(test_judging_is_measuring),
      cmocka_unit_test(test_streak_survives_silence),
      cmocka_unit_test(test_future_stamp_is_clamped),
      cmocka_unit_test(test_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
