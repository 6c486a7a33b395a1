/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

static uint64_t seed[4];

static void give_seed(ts__env_t *env, void *bytes, size_t size) {
  (void)env;
  assert_int_equal(size, sizeof(seed));
  memcpy(bytes, seed, sizeof(seed));
}

static ts__rng_t make(uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  const ts__env_ops_t ops = {.random = give_seed};
  ts__env_t env = {.ops = &ops};
  memcpy(seed, (uint64_t[]){a, b, c, d}, sizeof(seed));
  ts__rng_t rng;
  ts__rng_seed(&rng, &env);
  return rng;
}

/* The first outputs of the published generator from the state 1, 2, 3, 4. */
static void test_is_the_published_generator(void **state) {
  (void)state;
  ts__rng_t rng = make(1, 2, 3, 4);
  assert_true(ts__rng_next(&rng) == 11520);
  assert_true(ts__rng_next(&rng) == 0);
  assert_true(ts__rng_next(&rng) == 1509978240);
  assert_true(ts__rng_next(&rng) == UINT64_C(1215971899390074240));
}

/* An all-zero seed is for tests: it draws zero for ever. */
static void test_zero_seed_draws_zero(void **state) {
  (void)state;
  ts__rng_t rng = make(0, 0, 0, 0);
  for (int i = 0; i < 10; i++) {
    assert_true(ts__rng_draw53(&rng) == 0);
    assert_true(ts__rng_upto(&rng, (uint64_t)i) == 0);
    assert_true(ts__rng_upto(&rng, UINT64_MAX) == 0);
  }
}

/* A draw of 53 bits is below 2^53 and uses the high bits. */
static void test_draw_has_53_bits(void **state) {
  (void)state;
  ts__rng_t rng = make(5, 6, 7, 8);
  uint64_t all = 0;
  for (int i = 0; i < 1000; i++) {
    uint64_t draw = ts__rng_draw53(&rng);
    assert_true(draw < UINT64_C(1) << 53);
    all |= draw;
  }
  assert_true(all == (UINT64_C(1) << 53) - 1);
}

/* Every value up to the bound turns up about equally often, and none above. */
static void test_upto_is_uniform(void **state) {
  (void)state;
  ts__rng_t rng = make(5, 6, 7, 8);
  unsigned seen[7] = {0};
  for (int i = 0; i < 70000; i++) {
    uint64_t draw = ts__rng_upto(&rng, 6);
    assert_true(draw <= 6);
    seen[draw]++;
  }
  for (int i = 0; i < 7; i++) {
    assert_in_range(seen[i], 9500, 10500);
  }
}

/* Bounds just below and at the full range end and stay in range. */
static void test_upto_wide_bounds(void **state) {
  (void)state;
  ts__rng_t rng = make(5, 6, 7, 8);
  uint64_t bound = (UINT64_C(1) << 63) + 1;
  for (int i = 0; i < 1000; i++) {
    assert_true(ts__rng_upto(&rng, bound) <= bound);
    assert_true(ts__rng_upto(&rng, UINT64_MAX - 1) < UINT64_MAX);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_is_the_published_generator),
      cmocka_unit_test(test_zero_seed_draws_zero),
      cmocka_unit_test(test_draw_has_53_bits),
      cmocka_unit_test(test_upto_is_uniform),
      cmocka_unit_test(test_upto_wide_bounds),
  };
  return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
