/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "core/gate.h"
#include "support/draw.h"
#include "support/fake_env.h"
#include "support/heap.h"

static heap_t heap;
static ts__mem_t mem;
static fake_env_t env;
static ts__breakers_t breakers;
static ts__rng_t rng;
static ts__rng_t rng_before;
static ts__gate_t gate;
static ts_rejection_t rejection;

static int setup(void **state) {
  (void)state;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  fake_env_init(&env);
  ts__breakers_init(&breakers, &mem, &env.env);
  draw_seed(&rng, 1);
  rng_before = rng;
  gate = (ts__gate_t){.breakers = &breakers, .rng = &rng, .fail_open = true};
  return 0;
}

static int teardown(void **state) {
  (void)state;
  ts__breakers_deinit(&breakers);
  return heap_balance(&heap) == 0 ? 0 : -1;
}

static void put(const char *name, ts_breaker_state_t state, double rate) {
  ts__breaker_change_t change;
  assert_int_equal(
      ts__breakers_apply(&breakers, ts__str(name), state, rate, &change), 0);
}

/* By name; and with entries found before, which must come to the same, out of
 * the same draw. */
static int check_both_ways(const char *const *names, size_t count) {
  const ts__breaker_t *entries[2] = {NULL, NULL};
  ts_rejection_t other = {TS_REASON_NONE, NULL, 0.0};
  ts__rng_t drawn = rng;
  ts__gate_t again = gate;
  const int result = ts__gate_check(&gate, names, count, &rejection);
  if (result == TS__EINVAL) {
    return result; /* a name that nobody can look for */
  }
  for (size_t i = 0; i < count; i++) {
    entries[i] = ts__breakers_find(&breakers, ts__str(names[i]));
  }
  again.rng = &drawn;
  assert_int_equal(
      ts__gate_check_entries(&again, entries, names, count, &other), result);
  assert_int_equal(other.reason, rejection.reason);
  assert_ptr_equal(other.breaker, rejection.breaker);
  assert_memory_equal(&drawn, &rng, sizeof rng);
  return result;
}

static int check1(const char *name) { return check_both_ways(&name, 1); }

static int check2(const char *a, const char *b) {
  const char *const names[] = {a, b};
  return check_both_ways(names, 2);
}

static void assert_rejected(int result, ts_reason_t reason, const char *name) {
  assert_int_equal(result, TS_EOPEN);
  assert_int_equal(rejection.reason, reason);
  assert_string_equal(rejection.breaker, name);
}

static void assert_allowed(int result) {
  assert_int_equal(result, 0);
  assert_int_equal(rejection.reason, TS_REASON_NONE);
  assert_null(rejection.breaker);
}

static void assert_no_draw(void) {
  assert_memory_equal(&rng, &rng_before, sizeof(rng));
}

static unsigned allowed_of(unsigned calls, const char *a, const char *b) {
  unsigned allowed = 0;
  for (unsigned i = 0; i < calls; i++) {
    allowed += check2(a, b) == 0;
  }
  return allowed;
}

/* a call that names no breakers passes; A-071: even before the first
 * state and with fail_open off. */
static void test_no_names_pass(void **state) {
  (void)state;
  assert_allowed(ts__gate_check(&gate, NULL, 0, &rejection));
  gate.fail_open = false;
  gate.stale = true;
  assert_allowed(ts__gate_check(&gate, NULL, 0, &rejection));
}

/* closed lets pass, without a draw. */
static void test_closed_passes(void **state) {
  (void)state;
  put("a", TS_BREAKER_CLOSED, 1.0);
  assert_allowed(check1("a"));
  assert_no_draw();
}

/* open rejects and says who did, in the caller's own memory. */
static void test_open_rejects(void **state) {
  (void)state;
  const char *name = "a";
  put("a", TS_BREAKER_OPEN, 0.0);
  assert_rejected(ts__gate_check(&gate, &name, 1, &rejection), TS_REASON_OPEN,
                  "a");
  assert_ptr_equal(rejection.breaker, name);
  assert_no_draw();
}

/* half-open at rate 0 lets nothing pass, not even the lowest draw. */
static void test_rate_zero_never_passes(void **state) {
  (void)state;
  put("a", TS_BREAKER_HALF_OPEN, 0.0);
  for (int i = 0; i < 100; i++) {
    assert_rejected(check1("a"), TS_REASON_THROTTLED, "a");
  }
  draw_next(&rng, 0);
  assert_rejected(check1("a"), TS_REASON_THROTTLED, "a");
}

/* half-open at rate 1 lets all pass and draws nothing. */
static void test_rate_one_always_passes(void **state) {
  (void)state;
  put("a", TS_BREAKER_HALF_OPEN, 1.0);
  assert_int_equal(allowed_of(100, "a", "a"), 100);
  assert_no_draw();
}

/* at rate 0.5 the last draw below a half passes, a half itself does
 * not; the rejection tells the rate. */
static void test_draw_is_compared_exactly(void **state) {
  (void)state;
  put("a", TS_BREAKER_HALF_OPEN, 0.5);
  draw_next(&rng, DRAW_END / 2 - 1);
  assert_allowed(check1("a"));
  draw_next(&rng, DRAW_END / 2);
  assert_rejected(check1("a"), TS_REASON_THROTTLED, "a");
  assert_true(rejection.allow_rate == 0.5);
}

/* The highest draw passes at no rate below 1. */
static void test_highest_draw(void **state) {
  (void)state;
  put("a", TS_BREAKER_HALF_OPEN, 0x1.fffffffffffffp-1);
  draw_next(&rng, DRAW_END - 1);
  assert_rejected(check1("a"), TS_REASON_THROTTLED, "a");
  draw_next(&rng, DRAW_END - 2);
  assert_allowed(check1("a"));
}

/* at rate 0.3, of 10,000 calls between 27 and 33 % pass. */
static void test_share_of_calls(void **state) {
  (void)state;
  put("a", TS_BREAKER_HALF_OPEN, 0.3);
  assert_in_range(allowed_of(10000, "a", "a"), 2700, 3300);
}

/* of two half-open breakers the lower rate applies, not the product,
 * with one draw per call. */
static void test_lowest_rate_applies(void **state) {
  (void)state;
  put("a", TS_BREAKER_HALF_OPEN, 0.2);
  put("b", TS_BREAKER_HALF_OPEN, 0.5);
  assert_in_range(allowed_of(10000, "b", "a"), 1700, 2300);
  rng = rng_before;
  ts__rng_next(&rng_before);
  check2("a", "b");
  assert_no_draw(); /* none after the one */
}

/* The breaker that throttled is the one with the lowest rate. */
static void test_throttle_names_the_lowest(void **state) {
  (void)state;
  put("a", TS_BREAKER_HALF_OPEN, 0.5);
  put("b", TS_BREAKER_HALF_OPEN, 0.2);
  draw_next(&rng, DRAW_END / 4);
  assert_rejected(check2("a", "b"), TS_REASON_THROTTLED, "b");
  assert_true(rejection.allow_rate == 0.2);
}

/* an open breaker later in the list wins over throttling. */
static void test_open_wins_over_throttling(void **state) {
  (void)state;
  put("a", TS_BREAKER_HALF_OPEN, 0.0);
  put("b", TS_BREAKER_OPEN, 0.0);
  assert_rejected(check2("a", "b"), TS_REASON_OPEN, "b");
  assert_no_draw();
}

/* one open breaker among closed ones rejects. */
static void test_any_open_rejects(void **state) {
  (void)state;
  put("a", TS_BREAKER_CLOSED, 1.0);
  put("b", TS_BREAKER_OPEN, 0.0);
  assert_rejected(check2("a", "b"), TS_REASON_OPEN, "b");
  assert_rejected(check2("b", "a"), TS_REASON_OPEN, "b");
}

/* when all are closed the call passes; naming one twice is harmless. */
static void test_all_closed_pass(void **state) {
  (void)state;
  put("a", TS_BREAKER_CLOSED, 1.0);
  put("b", TS_BREAKER_CLOSED, 1.0);
  assert_allowed(check2("a", "b"));
  assert_allowed(check2("a", "a"));
}

/* with fail_open an unknown breaker lets pass. */
static void test_unknown_passes_with_fail_open(void **state) {
  (void)state;
  assert_allowed(check1("nobody"));
  put("a", TS_BREAKER_UNKNOWN, 0.0);
  assert_allowed(check1("a"));
}

/* without fail_open an unknown breaker rejects; A-071: so it does before
 * anything was received; A-040: a state we do not know counts the same. */
static void test_unknown_rejects_without_fail_open(void **state) {
  (void)state;
  gate.fail_open = false;
  assert_rejected(check1("nobody"), TS_REASON_UNKNOWN, "nobody");
  put("a", TS_BREAKER_UNKNOWN, 0.0);
  assert_rejected(check1("a"), TS_REASON_UNKNOWN, "a");
  assert_no_draw();
}

/* once the states are stale, fail_open lets even an open breaker's
 * calls pass; before that the open state rules. */
static void test_stale_passes_with_fail_open(void **state) {
  (void)state;
  put("a", TS_BREAKER_OPEN, 0.0);
  assert_rejected(check1("a"), TS_REASON_OPEN, "a");
  gate.stale = true;
  assert_allowed(check1("a"));
  assert_no_draw();
}

/* without fail_open a stale breaker rejects though it was closed,
 * and passes again when its state is fresh. */
static void test_stale_rejects_without_fail_open(void **state) {
  (void)state;
  put("a", TS_BREAKER_CLOSED, 1.0);
  gate.fail_open = false;
  gate.stale = true;
  assert_rejected(check1("a"), TS_REASON_STALE, "a");
  gate.stale = false;
  assert_allowed(check1("a"));
}

/* as long as nobody calls the states stale, they rule, fail_open or
 * not. */
static void test_states_rule_while_not_stale(void **state) {
  (void)state;
  put("a", TS_BREAKER_OPEN, 0.0);
  put("b", TS_BREAKER_CLOSED, 1.0);
  for (int fail_open = 0; fail_open <= 1; fail_open++) {
    gate.fail_open = fail_open;
    assert_rejected(check1("a"), TS_REASON_OPEN, "a");
    assert_allowed(check1("b"));
  }
}

/* What is unknown stays unknown while the stream is down, and the first reason
 * in the list is given. */
static void test_first_doubt_is_named(void **state) {
  (void)state;
  put("a", TS_BREAKER_CLOSED, 1.0);
  put("u", TS_BREAKER_UNKNOWN, 0.0);
  gate.fail_open = false;
  gate.stale = true;
  assert_rejected(check2("u", "a"), TS_REASON_UNKNOWN, "u");
  assert_rejected(check2("nobody", "a"), TS_REASON_UNKNOWN, "nobody");
  assert_rejected(check2("a", "nobody"), TS_REASON_STALE, "a");
}

/* closed and unknown is rejected as unknown; an open one anywhere is the
 * stronger reason. */
static void test_open_wins_over_unknown(void **state) {
  (void)state;
  put("closed", TS_BREAKER_CLOSED, 1.0);
  put("open", TS_BREAKER_OPEN, 0.0);
  gate.fail_open = false;
  assert_rejected(check2("closed", "nobody"), TS_REASON_UNKNOWN, "nobody");
  assert_rejected(check2("nobody", "open"), TS_REASON_OPEN, "open");
}

/* A rejection for doubt costs no draw. */
static void test_doubt_comes_before_the_draw(void **state) {
  (void)state;
  put("a", TS_BREAKER_HALF_OPEN, 0.5);
  gate.fail_open = false;
  assert_rejected(check2("a", "nobody"), TS_REASON_UNKNOWN, "nobody");
  assert_no_draw();
}

/* A NULL name is an error wherever it stands, whatever the others say. */
static void test_null_name(void **state) {
  (void)state;
  put("open", TS_BREAKER_OPEN, 0.0);
  assert_int_equal(check1(NULL), TS__EINVAL);
  assert_int_equal(check2("open", NULL), TS__EINVAL);
  assert_int_equal(ts__gate_check(&gate, NULL, 1, &rejection), TS__EINVAL);
  assert_int_equal(rejection.reason, TS_REASON_NONE);
}

/* The gate allocates nothing. */
static void test_no_allocation(void **state) {
  (void)state;
  put("a", TS_BREAKER_HALF_OPEN, 0.5);
  put("b", TS_BREAKER_OPEN, 0.0);
  size_t before = heap.allocations;
  for (int i = 0; i < 100; i++) {
    check1("a");
    check2("a", "b");
    check1("nobody");
  }
  assert_int_equal(heap.allocations, before);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_no_names_pass),
      TEST(test_closed_passes),
      TEST(test_open_rejects),
      TEST(test_rate_zero_never_passes),
      TEST(test_rate_one_always_passes),
      TEST(test_draw_is_compared_exactly),
      TEST(test_highest_draw),
      TEST(test_share_of_calls),
      TEST(test_lowest_rate_applies),
      TEST(test_throttle_names_the_lowest),
      TEST(test_open_wins_over_throttling),
      TEST(test_any_open_rejects),
      TEST(test_all_closed_pass),
      TEST(test_unknown_passes_with_fail_open),
      TEST(test_unknown_rejects_without_fail_open),
      TEST(test_stale_passes_with_fail_open),
      TEST(test_stale_rejects_without_fail_open),
      TEST(test_states_rule_while_not_stale),
      TEST(test_first_doubt_is_named),
      TEST(test_open_wins_over_unknown),
      TEST(test_doubt_comes_before_the_draw),
      TEST(test_null_name),
      TEST(test_no_allocation),
  };
#undef TEST
  return cmocka_run_group_tests(tests, NULL, NULL);
}
