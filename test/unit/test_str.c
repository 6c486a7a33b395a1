/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

/* Equality is of bytes, and case-blind of ASCII letters only. */
static void test_equality(void **state) {
  (void)state;
  assert_true(ts__str_eq(TS__STR("abc"), ts__str("abc")));
  assert_false(ts__str_eq(TS__STR("abc"), TS__STR("abC")));
  assert_true(ts__str_eq(TS__STR_EMPTY, ts__str(NULL)));
  assert_true(
      ts__str_eq_nocase(TS__STR("Retry-AFTER"), TS__STR("retry-after")));
  assert_false(ts__str_eq_nocase(TS__STR("a"), TS__STR("ab")));
  assert_false(ts__str_eq_nocase(TS__STR("@["), TS__STR("`{")));
  assert_false(ts__str_eq_nocase(TS__STR("\xc4"), TS__STR("\xe4")));
}

/* A prefix is no longer than its text. */
static void test_prefixes(void **state) {
  (void)state;
  assert_true(ts__str_starts_with(TS__STR("eb_admin_x"), TS__STR("eb_admin_")));
  assert_true(ts__str_starts_with(TS__STR("x"), TS__STR_EMPTY));
  assert_false(ts__str_starts_with(TS__STR("eb"), TS__STR("eb_")));
  assert_false(ts__str_starts_with(TS__STR("EB_"), TS__STR("eb_")));
  assert_true(ts__str_starts_with_nocase(TS__STR("W/x"), TS__STR("w/")));
  assert_false(ts__str_starts_with_nocase(TS__STR("W"), TS__STR("w/")));
}

/* Blanks and tabs go at both ends, and stay inside. */
static void test_trim(void **state) {
  (void)state;
  assert_true(ts__str_eq(ts__str_trim(TS__STR(" \ta b\t ")), TS__STR("a b")));
  assert_int_equal(ts__str_trim(TS__STR(" \t ")).len, 0);
  assert_int_equal(ts__str_trim(TS__STR_EMPTY).len, 0);
  assert_int_equal(ts__str_trim(TS__STR("\n")).len, 1);
}

/* Digits alone, up to the largest number and not one further. */
static void test_numbers(void **state) {
  (void)state;
  uint64_t value = 7;
  assert_true(ts__str_to_u64(TS__STR("0018446744073709551615"), &value));
  assert_true(value == UINT64_MAX);
  value = 7;
  const char *bad[] = {"",
                       "18446744073709551616",
                       "99999999999999999999",
                       "-1",
                       "+1",
                       " 1",
                       "1 ",
                       "1.0",
                       "x"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    assert_false(ts__str_to_u64(ts__str(bad[i]), &value));
  }
  assert_true(value == 7);
}

/* Control characters are those below the blank, and DEL. */
static void test_control_characters(void **state) {
  (void)state;
  assert_false(ts__str_has_control(TS__STR("a b~\xc3\xa4")));
  assert_true(ts__str_has_control(TS__STR("a\r\nb")));
  assert_true(ts__str_has_control(TS__STR("\0")));
  assert_true(ts__str_has_control(TS__STR("\x7f")));
}

/* Well-formed characters have their length; overlong forms, surrogates, what
 * is past U+10FFFF, and cut sequences have none. */
static void test_utf8(void **state) {
  (void)state;
  assert_int_equal(ts__str_utf8(TS__STR("a")), 1);
  assert_int_equal(ts__str_utf8(TS__STR("\0")), 1);
  assert_int_equal(ts__str_utf8(TS__STR("\xc3\xa4x")), 2);
  assert_int_equal(ts__str_utf8(TS__STR("\xe2\x80\xa8")), 3);
  assert_int_equal(ts__str_utf8(TS__STR("\xee\x80\x80")), 3);
  assert_int_equal(ts__str_utf8(TS__STR("\xf0\x9f\x98\x80")), 4);
  assert_int_equal(ts__str_utf8(TS__STR("\xf4\x8f\xbf\xbf")), 4);
  const char *bad[] = {"",
                       "\x80",
                       "\xbf",
                       "\xc0\x80",
                       "\xc1\xbf",
                       "\xc3",
                       "\xc3(",
                       "\xe0\x9f\xbf",
                       "\xe2\x80",
                       "\xe2\x80(",
                       "\xed\xa0\x80",
                       "\xf0\x8f\xbf\xbf",
                       "\xf0\x9f\x98",
                       "\xf4\x90\x80\x80",
                       "\xf5\x80\x80\x80",
                       "\xff"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    assert_int_equal(ts__str_utf8(ts__str(bad[i])), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_equality),
      cmocka_unit_test(test_prefixes),
      cmocka_unit_test(test_trim),
      cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_control_characters),
      cmocka_unit_test(test_utf8),
  };
  return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
