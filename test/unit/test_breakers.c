/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/err.h"
#include "core/breakers.h"
#include "support/draw.h"
#include "support/fake_env.h"
#include "support/heap.h"

static heap_t heap;
static ts__mem_t mem;
static fake_env_t env;
static ts__breakers_t breakers;
static ts__breaker_change_t change;

static int setup(void **state) {
  (void)state;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  fake_env_init(&env);
  fake_env_seed(&env, 1);
  ts__breakers_init(&breakers, &mem, &env.env);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  ts__breakers_deinit(&breakers);
  return heap_balance(&heap) == 0 ? 0 : -1;
}

static int apply(const char *name, ts_breaker_state_t state, double rate) {
  return ts__breakers_apply(&breakers, ts__str(name), state, rate, &change);
}

static const ts__breaker_t *find(const char *name) {
  return ts__breakers_find(&breakers, ts__str(name));
}

/* The threshold is the rate times 2^53, rounded up: a draw below it is exactly
 * a uniform number below the rate. */
static void test_threshold_is_exact(void **state) {
  (void)state;
  const struct {
    double rate;
    uint64_t threshold;
  } cases[] = {
      {0.0, 0},
      {-0.0, 0},
      {-1.0, 0},
      {NAN, 0},
      {0x1p-1074, 1},
      {0x1p-54, 1},
      {0x1p-53, 1},
      {0x1.8p-53, 2},
      {0.25, DRAW_END / 4},
      {0.5, DRAW_END / 2},
      {0x1.fffffffffffffp-2, DRAW_END / 2}, /* just below a half */
      {0x1.fffffffffffffp-1, DRAW_END - 1},
      {1.0, DRAW_END},
      {2.0, DRAW_END},
      {INFINITY, DRAW_END},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_int_equal(ts__breaker_threshold(cases[i].rate), cases[i].threshold);
  }
}

/* On both sides of the threshold, u / 2^53 < rate says the same. */
static void test_threshold_divides_draws_at_the_rate(void **state) {
  (void)state;
  ts__rng_t rng;
  draw_seed(&rng, 7);
  for (int i = 0; i < 10000; i++) {
    double rate = (double)ts__rng_draw53(&rng) * 0x1p-53;
    rate *= i % 2 == 0 ? 1.0 : 0x1p-20;
    uint64_t threshold = ts__breaker_threshold(rate);
    if (threshold > 0) {
      assert_true((double)(threshold - 1) * 0x1p-53 < rate);
    }
    assert_false((double)threshold * 0x1p-53 < rate);
  }
}

/* what was applied is found again, and the change says whether
 * the breaker is new and which state it left. */
static void test_apply_reports_the_change(void **state) {
  (void)state;
  assert_null(find("payments"));
  assert_int_equal(apply("payments", TS_BREAKER_CLOSED, 1.0), 0);
  assert_true(change.is_new);
  assert_ptr_equal(change.breaker, find("payments"));
  assert_string_equal(change.breaker->name, "payments");

  assert_int_equal(apply("payments", TS_BREAKER_OPEN, 0.0), 0);
  assert_false(change.is_new);
  assert_int_equal(change.before, TS_BREAKER_CLOSED);
  assert_int_equal(find("payments")->state, TS_BREAKER_OPEN);
  assert_int_equal(ts__breakers_count(&breakers), 1);
}

/* a new rate of the same state replaces the old one. */
static void test_apply_updates_the_rate(void **state) {
  (void)state;
  apply("b", TS_BREAKER_HALF_OPEN, 0.2);
  apply("b", TS_BREAKER_HALF_OPEN, 0.4);
  assert_int_equal(change.before, TS_BREAKER_HALF_OPEN);
  assert_true(find("b")->allow_rate == 0.4);
}

/* The rate is kept as received, whatever the state. */
static void test_rate_is_kept_as_received(void **state) {
  (void)state;
  apply("b", TS_BREAKER_CLOSED, 1.0);
  assert_true(find("b")->allow_rate == 1.0);
  apply("b", TS_BREAKER_OPEN, 0.0);
  assert_true(find("b")->allow_rate == 0.0);
}

/* a name that was never applied is not found, nor is a part of one. */
static void test_unknown_names_are_not_found(void **state) {
  (void)state;
  apply("payments", TS_BREAKER_CLOSED, 1.0);
  assert_null(find("payment"));
  assert_null(find("payments2"));
  assert_null(find(""));
}

/* the visit sees every breaker once. */
static void test_next_visits_all(void **state) {
  (void)state;
  apply("a", TS_BREAKER_CLOSED, 1.0);
  apply("b", TS_BREAKER_OPEN, 0.0);
  size_t cursor = 0;
  unsigned seen = 0;
  const ts__breaker_t *breaker = NULL;
  while ((breaker = ts__breakers_next(&breakers, &cursor)) != NULL) {
    seen += breaker->name[0] == 'a' ? 1 : 10;
  }
  assert_int_equal(seen, 11);
}

static void on_forgotten(void *arg, const ts__breaker_t *breaker) {
  assert_int_equal(breaker->state, TS_BREAKER_HALF_OPEN);
  assert_true(breaker->allow_rate == 0.5);
  strcat(arg, breaker->name);
}

/* what a new connection did not name is forgotten, and announced while
 * it is still whole. */
static void test_evict_forgets_what_was_not_named_again(void **state) {
  (void)state;
  char names[16] = "";
  apply("a", TS_BREAKER_CLOSED, 1.0);
  apply("b", TS_BREAKER_HALF_OPEN, 0.5);
  ts__breakers_begin_generation(&breakers);
  apply("a", TS_BREAKER_CLOSED, 1.0);
  assert_int_equal(ts__breakers_evict(&breakers, on_forgotten, names), 1);
  assert_string_equal(names, "b");
  assert_null(find("b"));
  assert_non_null(find("a"));
  assert_int_equal(ts__breakers_count(&breakers), 1);
  assert_int_equal(ts__breakers_evict(&breakers, NULL, NULL), 0);
}

/* Whoever keeps entries can tell when to look for them again: when one came or
 * went, not when a state is new. */
static void test_changes(void **state) {
  (void)state;
  apply("a", TS_BREAKER_CLOSED, 1.0);
  const ts__breaker_t *a = find("a");
  uint64_t before = breakers.changes;
  apply("a", TS_BREAKER_OPEN, 0.0);
  assert_int_equal(
      ts__breakers_override(&breakers, TS__STR("a"), TS_OVERRIDE_CLOSED), 0);
  ts__breakers_begin_generation(&breakers);
  ts__breakers_evict(&breakers, NULL, NULL); /* the override stays */
  assert_ptr_equal(find("a"), a);
  assert_true(breakers.changes == before);
  apply("b", TS_BREAKER_CLOSED, 1.0);
  assert_true(breakers.changes != before);
  before = breakers.changes;
  ts__breakers_clear_overrides(&breakers);
  assert_null(find("a"));
  assert_true(breakers.changes != before);
}

/* Forgetting thousands leaves the others findable. */
static void test_evict_many(void **state) {
  (void)state;
  char name[32];
  for (int i = 0; i < 5000; i++) {
    snprintf(name, sizeof(name), "breaker-%d", i);
    assert_int_equal(apply(name, TS_BREAKER_CLOSED, 1.0), 0);
  }
  ts__breakers_begin_generation(&breakers);
  for (int i = 0; i < 5000; i += 3) {
    snprintf(name, sizeof(name), "breaker-%d", i);
    assert_int_equal(apply(name, TS_BREAKER_OPEN, 0.0), 0);
  }
  assert_int_equal(ts__breakers_evict(&breakers, NULL, NULL), 3333);
  for (int i = 0; i < 5000; i++) {
    snprintf(name, sizeof(name), "breaker-%d", i);
    assert_int_equal(find(name) != NULL, i % 3 == 0);
  }
}

/* The longest name fits; one byte more is refused and changes nothing. */
static void test_name_bound(void **state) {
  (void)state;
  char name[TS__MAX_BREAKER_NAME + 2];
  memset(name, 'x', sizeof(name));
  name[TS__MAX_BREAKER_NAME + 1] = '\0';
  assert_int_equal(apply(name, TS_BREAKER_OPEN, 0.0), TS__ENOBUFS);
  assert_int_equal(ts__breakers_count(&breakers), 0);
  name[TS__MAX_BREAKER_NAME] = '\0';
  assert_int_equal(apply(name, TS_BREAKER_OPEN, 0.0), 0);
  assert_int_equal(find(name)->name_len, TS__MAX_BREAKER_NAME);
}

/* A server that names breakers without end fills the cache and no more; the
 * known ones go on being updated. */
static void test_count_bound(void **state) {
  (void)state;
  char name[32];
  for (unsigned i = 0; i < TS__MAX_BREAKERS; i++) {
    snprintf(name, sizeof(name), "%u", i);
    assert_int_equal(apply(name, TS_BREAKER_CLOSED, 1.0), 0);
  }
  assert_int_equal(apply("more", TS_BREAKER_OPEN, 0.0), TS__ENOBUFS);
  assert_null(find("more"));
  assert_int_equal(apply("0", TS_BREAKER_OPEN, 0.0), 0);
  ts__breakers_begin_generation(&breakers);
  assert_int_equal(ts__breakers_evict(&breakers, NULL, NULL), TS__MAX_BREAKERS);
}

/* Out of memory: the event is lost, the rest of the cache is not. */
static void test_out_of_memory_leaves_the_cache_usable(void **state) {
  (void)state;
  assert_int_equal(apply("a", TS_BREAKER_OPEN, 0.0), 0);
  for (size_t n = 1; n <= 2; n++) {
    char name[32];
    int error = 0;
    heap_fail(&heap, n, HEAP_FOREVER);
    for (int i = 0; i < 100 && error == 0; i++) {
      snprintf(name, sizeof(name), "%zu-%d", n, i);
      error = apply(name, TS_BREAKER_CLOSED, 1.0);
    }
    assert_int_equal(error, TS__ENOMEM);
    assert_null(find(name));
    assert_int_equal(apply("a", TS_BREAKER_OPEN, 0.0), 0);
    heap_fail(&heap, 0, 0);
    assert_int_equal(apply(name, TS_BREAKER_CLOSED, 1.0), 0);
  }
}

/* A breaker with a name of 20 bytes costs at most 88 bytes, its slot in the
 * table included, whenever one looks. */
static void test_memory_per_breaker(void **state) {
  (void)state;
  char name[32];
  for (unsigned i = 1; i <= 20000; i++) {
    snprintf(name, sizeof(name), "service-breaker-%04x", i);
    assert_int_equal(strlen(name), 20);
    assert_int_equal(apply(name, TS_BREAKER_CLOSED, 1.0), 0);
    if (i >= 100) {
      assert_true(heap.bytes <= 88 * i);
    }
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_threshold_is_exact),
      TEST(test_threshold_divides_draws_at_the_rate),
      TEST(test_apply_reports_the_change),
      TEST(test_apply_updates_the_rate),
      TEST(test_rate_is_kept_as_received),
      TEST(test_unknown_names_are_not_found),
      TEST(test_next_visits_all),
      TEST(test_evict_forgets_what_was_not_named_again),
      TEST(test_changes),
      TEST(test_evict_many),
      TEST(test_name_bound),
      TEST(test_count_bound),
      TEST(test_out_of_memory_leaves_the_cache_usable),
      TEST(test_memory_per_breaker),
  };
#undef TEST
  return cmocka_run_group_tests(tests, NULL, NULL);
}
