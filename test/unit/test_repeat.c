/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/repeat.h"

/* Of the same trouble ever fewer occurrences are told. */
static void test_logarithm(void **state) {
  (void)state;
  ts__repeat_t repeat = {0};
  unsigned told = 0;
  for (int i = 0; i < 1024; i++) {
    told += ts__repeat_is_news(&repeat, 503);
  }
  assert_int_equal(told, 11);
}

/* Another reason is told at once, and once. */
static void test_kinds(void **state) {
  (void)state;
  ts__repeat_t repeat = {0};
  assert_true(ts__repeat_is_news(&repeat, 503)); /* first */
  assert_true(ts__repeat_is_news(&repeat, 503)); /* second */
  assert_false(ts__repeat_is_news(&repeat, 503));
  assert_true(ts__repeat_is_news(&repeat, 503)); /* fourth */
  assert_true(ts__repeat_is_news(&repeat, 401));
  assert_false(ts__repeat_is_news(&repeat, 401));
  assert_false(ts__repeat_is_news(&repeat, 503));
}

/* Nobody makes the log long with ever new reasons. */
static void test_many_kinds(void **state) {
  (void)state;
  ts__repeat_t repeat = {0};
  unsigned told = 0;
  for (int i = 0; i < 1024; i++) {
    told += ts__repeat_is_news(&repeat, i);
  }
  assert_int_equal(told, TS__REPEAT_KINDS + 7); /* 16, 32, ... 1024 */
}

/* After its end trouble is news again. */
static void test_end(void **state) {
  (void)state;
  ts__repeat_t repeat = {0};
  for (int i = 0; i < 6; i++) {
    ts__repeat_is_news(&repeat, 503);
  }
  assert_false(ts__repeat_is_news(&repeat, 503));
  ts__repeat_end(&repeat);
  assert_true(ts__repeat_is_news(&repeat, 503));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_logarithm),
      cmocka_unit_test(test_kinds),
      cmocka_unit_test(test_many_kinds),
      cmocka_unit_test(test_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
