/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "plane/points.h"
#include "support/heap.h"

static void add(ts__points_t *points, int64_t t_ms) {
  assert_int_equal(ts__points_reserve(points, 1), 0);
  ts__points_add(points, &(ts__point_t){.t_ms = t_ms, .ok = true});
}

static size_t count_in(const ts__view_t *view) {
  size_t count = 0;
  size_t cursor = 0;
  while (ts__view_next(view, &cursor)) {
    count++;
  }
  return count;
}

/* A view has its left end open, its right end closed, and respects the floor,
 * also for samples that arrived out of order. */
static void test_view_selects(void **state) {
  (void)state;
  ts__mem_t mem;
  ts__points_t points;
  ts__mem_init(&mem, NULL);
  ts__points_init(&points, &mem);
  const int64_t times[] = {10, 40, 20, 30, 50};
  for (size_t i = 0; i < 5; i++) {
    add(&points, times[i]);
  }
  assert_int_equal(count_in(&(ts__view_t){&points, 10, 40, INT64_MIN}), 3);
  assert_int_equal(count_in(&(ts__view_t){&points, 0, 100, 30}), 3);
  assert_int_equal(count_in(&(ts__view_t){&points, 50, 100, INT64_MIN}), 0);
  ts__points_deinit(&points);
}

/* The ring keeps its order while it wraps around and grows. */
static void test_order_survives_growth(void **state) {
  (void)state;
  ts__mem_t mem;
  ts__points_t points;
  ts__mem_init(&mem, NULL);
  ts__points_init(&points, &mem);
  for (int64_t t = 1; t <= 1000; t++) {
    add(&points, t);
    if (t % 3 == 0) {
      ts__points_expire(&points, t / 3);
    }
  }
  ts__view_t view = {&points, INT64_MIN, 1000, INT64_MIN};
  size_t cursor = 0;
  for (int64_t t = 334; t <= 1000; t++) {
    assert_int_equal(ts__view_next(&view, &cursor)->t_ms, t);
  }
  assert_null(ts__view_next(&view, &cursor));
  ts__points_deinit(&points);
}

/* Beyond the cap the oldest go first, and the ring remembers that they did. */
static void test_cap_drops_oldest(void **state) {
  (void)state;
  ts__mem_t mem;
  ts__points_t points;
  ts__mem_init(&mem, NULL);
  ts__points_init(&points, &mem);
  assert_int_equal(ts__points_reserve(&points, TS__MAX_POINTS + 5), 0);
  assert_int_equal(points.capacity, TS__MAX_POINTS);
  for (size_t i = 1; i <= TS__MAX_POINTS; i++) {
    add(&points, (int64_t)i);
  }
  assert_true(points.lost_ms == INT64_MIN);
  add(&points, TS__MAX_POINTS + 1);
  assert_int_equal(points.count, TS__MAX_POINTS);
  assert_int_equal(points.lost_ms, 1);
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
  assert_int_equal(count_in(&(ts__view_t){&points, 0, 9, INT64_MIN}), 2);
  ts__points_deinit(&points);
  assert_int_equal(heap_balance(&heap), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_view_selects),
      cmocka_unit_test(test_order_survives_growth),
      cmocka_unit_test(test_cap_drops_oldest),
      cmocka_unit_test(test_reserve_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
