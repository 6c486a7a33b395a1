/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "plane/points.h"
#include "support/heap.h"

static void add(ts__points_t *points, int64_t t_ms) {
  assert_int_equal(ts__points_reserve(points, 1), 0);
  ts__points_add(points, t_ms, (double)t_ms, true);
}

static void begin(ts__points_t *points, ts__mem_t *mem) {
  ts__mem_init(mem, NULL);
  ts__points_init(points, mem);
}

/* What is too old leaves, in whatever order it came. */
static void test_oldest_expire_first(void **state) {
  (void)state;
  ts__mem_t mem;
  ts__points_t points;
  const int64_t times[] = {10, 40, 20, 30, 50};
  begin(&points, &mem);
  for (size_t i = 0; i < 5; i++) {
    add(&points, times[i]);
  }
  ts__points_expire(&points, 9);
  assert_int_equal(points.count, 5);
  ts__points_expire(&points, 30);
  assert_int_equal(points.count, 2);
  assert_true(ts__points_sum(&points) > 89.5);
  ts__points_expire(&points, 50);
  assert_int_equal(points.count, 0);
  ts__points_deinit(&points);
}

/* Whatever comes and goes, one by one or in crowds: what is kept of all points
 * is what going through them gives. */
static void test_totals_are_kept(void **state) {
  (void)state;
  ts__mem_t mem;
  ts__points_t points;
  uint32_t random = 1;
  begin(&points, &mem);
  ts__points_watch(&points, TS_PLANE_OP_GTE, 100);
  for (int64_t now = 0; now < 20000; now += 1 + random % 3 / 2) {
    random = random * 1664525u + 1013904223u;
    assert_int_equal(ts__points_reserve(&points, 1), 0);
    ts__points_add(&points, now - (int64_t)(random >> 20), random >> 24,
                   random & 1);
    ts__points_expire(&points, now - (now % 1000 == 0 ? 900 : 2000));
    uint64_t failed = 0, holding = 0;
    double sum = 0;
    for (size_t i = 0; now % 100 == 0 && i < points.count; i++) {
      failed += !points.items[i].ok;
      holding += points.items[i].value >= 100;
      sum += points.items[i].value;
    }
    assert_true(now % 100 || points.failed == failed);
    assert_true(now % 100 || points.holding == holding);
    assert_true(now % 100 || (ts__points_sum(&points) > sum - 1e-6 &&
                              ts__points_sum(&points) < sum + 1e-6));
  }
  ts__points_deinit(&points);
}

/* A value far larger than the others does not wash them out of the sum while
 * it is there, nor after it has left. */
static void test_sum_remembers_small_values(void **state) {
  (void)state;
  ts__mem_t mem;
  ts__points_t points;
  begin(&points, &mem);
  assert_int_equal(ts__points_reserve(&points, 12), 0);
  ts__points_add(&points, 1, 1e300, true);
  for (int i = 0; i < 10; i++) {
    ts__points_add(&points, 2, 0.1, true);
  }
  ts__points_expire(&points, 1);
  double sum = ts__points_sum(&points);
  assert_true(sum > 1.0 - 1e-9 && sum < 1.0 + 1e-9);
  ts__points_deinit(&points);
}

/* Beyond the cap the oldest go first, one that is older than all does not come
 * in, and every one of them is counted. */
static void test_cap_drops_oldest(void **state) {
  (void)state;
  ts__mem_t mem;
  ts__points_t points;
  begin(&points, &mem);
  assert_int_equal(ts__points_reserve(&points, TS__MAX_POINTS + 5), 0);
  assert_int_equal(points.capacity, TS__MAX_POINTS);
  for (size_t i = 1; i <= TS__MAX_POINTS; i++) {
    add(&points, 10 + (int64_t)i);
  }
  assert_true(points.lost_ms == INT64_MIN);
  add(&points, 10 + TS__MAX_POINTS + 1);
  assert_int_equal(points.count, TS__MAX_POINTS);
  assert_int_equal(points.lost_ms, 11);
  add(&points, 5);
  assert_int_equal(points.count, TS__MAX_POINTS);
  assert_int_equal(points.lost_ms, 11);
  assert_int_equal(points.lost_count, 2);
  ts__points_deinit(&points);
}

/* Of those that happened at the same time the first to come is the first to
 * go. */
static void test_ties_go_by_arrival(void **state) {
  (void)state;
  ts__mem_t mem;
  ts__points_t points;
  begin(&points, &mem);
  assert_int_equal(ts__points_reserve(&points, TS__MAX_POINTS), 0);
  for (size_t i = 0; i < TS__MAX_POINTS + 10; i++) {
    ts__points_add(&points, 7, (double)i, true);
  }
  double smallest = ts__points_ranked(&points, 1);
  assert_true(smallest > 9.5 && smallest < 10.5);
  ts__points_deinit(&points);
}

/* The rank-th smallest, of numbers of all signs and sizes. */
static void test_ranked(void **state) {
  (void)state;
  const double sorted[] = {-1e308, -2.5, -1e-320, 0, 0, 1e-320, 3, 3, 1e308};
  ts__mem_t mem;
  ts__points_t points;
  begin(&points, &mem);
  assert_int_equal(ts__points_reserve(&points, 9), 0);
  for (size_t i = 0; i < 9; i++) {
    ts__points_add(&points, 1, sorted[i * 4 % 9], true);
  }
  for (size_t i = 0; i < 9; i++) {
    double value = ts__points_ranked(&points, i + 1);
    assert_memory_equal(&value, &sorted[i], sizeof(value));
  }
  ts__points_deinit(&points);
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* And of many, whether they differ in their first bits, in their last, or not
 * at all. */
static void test_ranked_of_many(void **state) {
  (void)state;
  static double values[5000];
  const double scales[] = {1e300, 1, 1e-12, 0};
  uint32_t random = 3;
  for (size_t s = 0; s < 4; s++) {
    ts__mem_t mem;
    ts__points_t points;
    begin(&points, &mem);
    assert_int_equal(ts__points_reserve(&points, 5000), 0);
    for (size_t i = 0; i < 5000; i++) {
      random = random * 1664525u + 1013904223u;
      values[i] = 1 + ((double)(random >> 12) - 500000) * scales[s];
      ts__points_add(&points, 1, values[i], true);
    }
    qsort(values, 5000, sizeof(values[0]), compare);
    for (size_t rank = 1; rank <= 5000; rank += 7) {
      double value = ts__points_ranked(&points, rank);
      assert_memory_equal(&value, &values[rank - 1], sizeof(value));
    }
    ts__points_deinit(&points);
  }
}

/* A clock set back leaves no points in the future. */
static void test_clamp(void **state) {
  (void)state;
  ts__mem_t mem;
  ts__points_t points;
  begin(&points, &mem);
  for (int64_t t = 1; t <= 100; t++) {
    add(&points, t);
  }
  ts__points_clamp(&points, 50);
  ts__points_expire(&points, 49);
  assert_int_equal(points.count, 51);
  ts__points_expire(&points, 50);
  assert_int_equal(points.count, 0);
  ts__points_deinit(&points);
}

/* Memory that a burst has taken is given back when the burst is over. */
static void test_trim(void **state) {
  (void)state;
  ts__mem_t mem;
  ts__points_t points;
  begin(&points, &mem);
  for (int64_t t = 1; t <= 50000; t++) {
    add(&points, t);
  }
  ts__points_expire(&points, 49000);
  ts__points_trim(&points);
  assert_true(points.capacity <= 4096);
  assert_int_equal(points.count, 1000);
  ts__points_expire(&points, 49999);
  assert_true(ts__points_sum(&points) > 49999.5);
  ts__points_deinit(&points);
}

/* Without memory the reservation fails, and what is stored stays. */
static void test_reserve_without_memory(void **state) {
  (void)state;
  heap_t heap;
  ts__mem_t mem;
  ts__points_t points;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  ts__points_init(&points, &mem);
  add(&points, 7);
  heap_fail(&heap, 1, HEAP_FOREVER);
  assert_int_equal(ts__points_reserve(&points, 1000), TS__ENOMEM);
  assert_int_equal(points.count, 1);
  add(&points, 8);
  assert_int_equal(points.count, 2);
  ts__points_deinit(&points);
  assert_int_equal(heap_balance(&heap), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_oldest_expire_first),
      cmocka_unit_test(test_totals_are_kept),
      cmocka_unit_test(test_sum_remembers_small_values),
      cmocka_unit_test(test_cap_drops_oldest),
      cmocka_unit_test(test_ties_go_by_arrival),
      cmocka_unit_test(test_ranked),
      cmocka_unit_test(test_ranked_of_many),
      cmocka_unit_test(test_clamp),
      cmocka_unit_test(test_trim),
      cmocka_unit_test(test_reserve_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
