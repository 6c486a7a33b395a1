/* SPDX-License-Identifier: Apache-2.0 */
/* The heap of timers, against a plain search of all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/timers.h"

#define MANY 300

static ts__timers_t timers;
static ts__timer_t all[MANY];
static uint32_t seed;

static int setup(void **state) {
  (void)state;
  memset(&timers, 0, sizeof timers);
  memset(all, 0, sizeof all);
  seed = 1;
  return 0;
}

static uint32_t draw(uint32_t end) {
  seed = seed * 1664525u + 1013904223u;
  return (seed >> 8) % end;
}

static void add(ts__timer_t *timer, uint64_t deadline_ns) {
  timer->deadline_ns = deadline_ns;
  ts__timers_add(&timers, timer);
}

/* The first of them all, by looking at each. */
static const ts__timer_t *search(void) {
  const ts__timer_t *best = NULL;
  for (size_t i = 0; i < MANY; i++) {
    const ts__timer_t *timer = &all[i];
    if (timer->order != 0 &&
        (best == NULL || timer->deadline_ns < best->deadline_ns ||
         (timer->deadline_ns == best->deadline_ns &&
          timer->order < best->order))) {
      best = timer;
    }
  }
  return best;
}

/* Every link is answered by its other end, and nothing is below a later one. */
static size_t check(const ts__timer_t *timer) {
  size_t count = 1;
  for (int side = 0; side < 2; side++) {
    const ts__timer_t *child = timer->children[side];
    if (child != NULL) {
      assert_ptr_equal(child->parent, timer);
      assert_true(timer->deadline_ns <= child->deadline_ns);
      count += check(child);
    }
  }
  return count;
}

static void check_all(void) {
  assert_ptr_equal(timers.first, search());
  if (timers.first != NULL) {
    assert_null(timers.first->parent);
    assert_int_equal(check(timers.first), timers.count);
  } else {
    assert_int_equal(timers.count, 0);
  }
}

/* They come out in the order of their deadlines, and of their start. */
static void test_order(void **state) {
  static const uint64_t deadlines[] = {5, 3, 9, 3, 1, 9, 5};
  static const size_t expected[] = {4, 1, 3, 0, 6, 2, 5};
  (void)state;
  for (size_t i = 0; i < 7; i++) {
    add(&all[i], deadlines[i]);
  }
  for (size_t i = 0; i < 7; i++) {
    assert_ptr_equal(timers.first, &all[expected[i]]);
    ts__timers_remove(&timers, timers.first);
  }
  assert_null(timers.first);
}

/* Whatever is started and stopped in whatever order, the first is first. */
static void test_any_order(void **state) {
  (void)state;
  for (int round = 0; round < 20000; round++) {
    ts__timer_t *timer = &all[draw(round < 10000 ? MANY : 12)];
    if (timer->order != 0) {
      ts__timers_remove(&timers, timer);
    } else {
      add(timer, draw(50));
    }
    check_all();
  }
  while (timers.first != NULL) {
    ts__timers_remove(&timers, timers.first);
    check_all();
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_order, setup),
      cmocka_unit_test_setup(test_any_order, setup),
  };
  return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
