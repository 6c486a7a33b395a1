/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/delta.h"
#include "support/fake_env.h"

static fake_env_t env;
static ts__rng_t rng;

static int setup(void **state) {
  (void)state;
  fake_env_init(&env);
  fake_env_seed(&env, 79);
  ts__rng_seed(&rng, &env.env);
  return 0;
}

static ts_store_delta_t delta_of(const char *calls) {
  ts_store_delta_t all = {0};
  for (; *calls != '\0'; calls++) {
    const ts_store_delta_t one = ts__delta_of_call(*calls == 'S', 0);
    ts__delta_append(&all, &one);
  }
  return all;
}

/* B79: a run that crosses the threshold in the middle of a batch is seen,
 * though the batch ends with a success. */
static void test_inside(void **state) {
  (void)state;
  const ts_store_delta_t batch = delta_of("FFFS");
  assert_int_equal(ts__delta_longest_after(&batch, 2), 5);
  assert_int_equal(ts__delta_run_after(&batch, 2), 0);
  assert_int_equal(batch.calls, 4);
  assert_int_equal(batch.failures, 3);
}

/* Serially: what a counter of failures in a row finds. */
static void replay(const char *calls, uint32_t *run, uint32_t *longest) {
  for (; *calls != '\0'; calls++) {
    *run = *calls == 'F' ? *run + 1 : 0;
    *longest = *run > *longest ? *run : *longest;
  }
}

static void make_calls(char *calls) {
  const uint64_t len = ts__rng_upto(&rng, 30);
  const uint64_t failing = ts__rng_upto(&rng, 10);
  for (uint64_t i = 0; i < len; i++) {
    calls[i] = ts__rng_upto(&rng, 9) < failing ? 'F' : 'S';
  }
  calls[len] = '\0';
}

/* B79: random batches, merged in the order of their arrival, find what each
 * call on its own would have found. */
static void test_serial(void **state) {
  (void)state;
  for (int trial = 0; trial < 3000; trial++) {
    uint32_t run = 0, longest = 0, serial_run = 0, serial_longest = 0;
    for (uint64_t batch = ts__rng_upto(&rng, 6); batch > 0; batch--) {
      char calls[32];
      make_calls(calls);
      const ts_store_delta_t delta = delta_of(calls);
      const uint32_t here = ts__delta_longest_after(&delta, run);
      longest = here > longest ? here : longest;
      run = ts__delta_run_after(&delta, run);
      replay(calls, &serial_run, &serial_longest);
    }
    assert_int_equal(run, serial_run);
    assert_int_equal(longest, serial_longest);
  }
}

/* It does not matter which are put together first. */
static void test_associative(void **state) {
  (void)state;
  for (int trial = 0; trial < 3000; trial++) {
    char calls[3][32];
    ts_store_delta_t left = {0}, right[3];
    for (int i = 0; i < 3; i++) {
      make_calls(calls[i]);
      right[i] = delta_of(calls[i]);
      ts__delta_append(&left, &right[i]);
    }
    ts__delta_append(&right[1], &right[2]);
    ts__delta_append(&right[0], &right[1]);
    assert_int_equal(left.calls, right[0].calls);
    assert_int_equal(left.failures, right[0].failures);
    assert_int_equal(left.leading, right[0].leading);
    assert_int_equal(left.trailing, right[0].trailing);
    assert_int_equal(left.longest, right[0].longest);
  }
}

/* Numbers stop at the end instead of beginning anew. */
static void test_saturates(void **state) {
  (void)state;
  ts_store_delta_t delta = delta_of("F");
  delta.calls = delta.failures = delta.leading = delta.trailing =
      delta.longest = UINT32_MAX;
  const ts_store_delta_t one = delta_of("F");
  ts__delta_append(&delta, &one);
  assert_int_equal(delta.calls, UINT32_MAX);
  assert_int_equal(delta.longest, UINT32_MAX);
  assert_int_equal(ts__delta_run_after(&delta, 7), UINT32_MAX);
}

/* The latest failure's own open time counts, whatever succeeded after it. */
static void test_open_ms(void **state) {
  (void)state;
  ts_store_delta_t all = ts__delta_of_call(false, 90000);
  ts_store_delta_t later = ts__delta_of_call(true, 0);
  ts__delta_append(&all, &later);
  assert_int_equal(all.open_ms, 90000);
  later = ts__delta_of_call(false, 0);
  ts__delta_append(&all, &later);
  assert_int_equal(all.open_ms, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_inside),      cmocka_unit_test(test_serial),
      cmocka_unit_test(test_associative), cmocka_unit_test(test_saturates),
      cmocka_unit_test(test_open_ms),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
