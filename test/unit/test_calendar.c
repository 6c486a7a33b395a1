/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/calendar.h"

static int64_t parse(const char *text) {
  int64_t ms = INT64_MIN;
  return ts__timestamp_parse(ts__str(text), &ms) ? ms : INT64_MIN;
}

/* The same moment in every form that servers write it. */
static void test_forms_of_a_moment(void **state) {
  (void)state;
  const int64_t then = INT64_C(1705314600000);
  assert_int_equal(parse("2024-01-15T10:30:00Z"), then);
  assert_int_equal(parse("2024-01-15T10:30:00"), then);
  assert_int_equal(parse("2024-01-15t10:30:00z"), then);
  assert_int_equal(parse("2024-01-15 10:30:00"), then);
  assert_int_equal(parse("2024-01-15T12:30:00+02:00"), then);
  assert_int_equal(parse("2024-01-15T05:00:00-05:30"), then);
  assert_int_equal(parse("2024-01-15T10:30:00.123Z"), then + 123);
  assert_int_equal(parse("2024-01-15T10:30:00.5"), then + 500);
  assert_int_equal(parse("2024-01-15T10:30:00.123456789+00:00"), then + 123);
}

/* The calendar's corners. */
static void test_corners(void **state) {
  (void)state;
  assert_int_equal(parse("1970-01-01T00:00:00Z"), 0);
  assert_int_equal(parse("1969-12-31T23:59:59.999Z"), -1);
  assert_int_equal(parse("2000-02-29T00:00:00Z"), INT64_C(951782400000));
  assert_int_equal(parse("9999-12-31T23:59:59Z"), INT64_C(253402300799000));
  assert_int_equal(parse("0000-01-01T00:00:00Z"), INT64_C(-62167219200000));
  assert_int_equal(parse("2016-12-31T23:59:60Z"), INT64_C(1483228800000));
}

/* What is no moment is refused, and changes nothing. */
static void test_refuses(void **state) {
  (void)state;
  const char *bad[] = {"",
                       "2024-01-15",
                       "2024-01-15T10:30",
                       "2024-02-30T00:00:00Z",
                       "2023-02-29T00:00:00Z",
                       "2024-00-01T00:00:00Z",
                       "2024-13-01T00:00:00Z",
                       "2024-01-00T00:00:00Z",
                       "2024-01-15T24:00:00Z",
                       "2024-01-15T10:60:00Z",
                       "2024-01-15T10:30:61Z",
                       "2024-01-15T10:30:00.Z",
                       "2024-01-15T10:30:00.1234567890Z",
                       "2024-01-15T10:30:00+2:00",
                       "2024-01-15T10:30:00+24:00",
                       "2024-01-15T10:30:00+00:60",
                       "2024-01-15T10:30:00 Z",
                       "2024-01-15T10:30:00Zx",
                       "2024/01/15T10:30:00Z",
                       "+024-01-15T10:30:00Z",
                       "yesterday, about ten"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(parse(bad[i]), INT64_MIN);
  }
}

/* What is written can be read, day by day over the whole calendar. */
static void test_there_and_back(void **state) {
  (void)state;
  char text[TS__TIMESTAMP_SIZE];
  const int64_t first = INT64_C(-62167219200000);
  for (int64_t day = 0; day < 3652425 - 365; day += 13) {
    const int64_t ms = first + day * 86400000 + day % 86400000;
    assert_true(ts__timestamp_format(text, ms));
    assert_int_equal(parse(text), ms);
  }
  assert_true(ts__timestamp_format(text, INT64_C(1705314600007)));
  assert_string_equal(text, "2024-01-15T10:30:00.007Z");
  assert_false(ts__timestamp_format(text, INT64_C(253402300800000)));
  assert_false(ts__timestamp_format(text, first - 1));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forms_of_a_moment),
      cmocka_unit_test(test_corners),
      cmocka_unit_test(test_refuses),
      cmocka_unit_test(test_there_and_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
