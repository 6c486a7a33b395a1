/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "wire/http_date.h"

static int64_t wait(const char *value, int64_t wall_ms) {
  return ts__retry_after_ms(ts__str(value), wall_ms);
}

/* Whole seconds, clamped, however many digits there are. */
static void test_seconds(void **state) {
  (void)state;
  assert_int_equal(wait("0", 0), 0);
  assert_int_equal(wait(" 5\t", 0), 5000);
  assert_int_equal(wait("007", 0), 7000);
  assert_int_equal(wait("60", 0), 60000);
  assert_int_equal(wait("61", 0), TS__MAX_RETRY_AFTER_MS);
  assert_int_equal(wait("18446744073709551616", 0), TS__MAX_RETRY_AFTER_MS);
}

/* A date is what lies between it and now, never less than nothing. */
static void test_dates(void **state) {
  (void)state;
  const int64_t then = INT64_C(784111777000);
  const char *text = "Sun, 06 Nov 1994 08:49:37 GMT";
  assert_int_equal(wait(text, then - 2500), 2500);
  assert_int_equal(wait(text, then), 0);
  assert_int_equal(wait(text, then + 1), 0);
  assert_int_equal(wait(text, then - 60001), TS__MAX_RETRY_AFTER_MS);
  assert_int_equal(
      wait("Thu, 29 Feb 2024 12:00:00 GMT", INT64_C(1709208000000) - 1), 1);
  assert_int_equal(wait("Thu, 01 Jan 1970 00:00:00 GMT", -7), 7);
  assert_int_equal(
      wait("Fri, 31 Dec 1999 23:59:60 GMT", INT64_C(946684800000) - 3), 3);
  assert_int_equal(
      wait("Fri, 31 Dec 9999 23:59:59 GMT", INT64_C(253402300799000) - 9), 9);
  assert_int_equal(wait("Sat, 01 Jan 0000 00:00:00 GMT", 0), 0);
}

/* Anything else is no answer. */
static void test_refuses_the_rest(void **state) {
  (void)state;
  const char *bad[] = {"",
                       " ",
                       "-1",
                       "+1",
                       "1.5",
                       "1s",
                       "1, 2",
                       "soon",
                       "Sun, 06 Nov 1994 08:49:37 UTC",
                       "Sun, 06 Nov 1994 08:49:37 GMT x",
                       "Sun 06 Nov 1994 08:49:37 GMT ",
                       "Sunday, 06-Nov-94 08:49:37 GMT",
                       "Sun Nov  6 08:49:37 1994",
                       "Sxn, 06 Nov 1994 08:49:37 GMT",
                       "Sun, 06 Nxv 1994 08:49:37 GMT",
                       "Sun, 00 Nov 1994 08:49:37 GMT",
                       "Sun, 31 Nov 1994 08:49:37 GMT",
                       "Wed, 29 Feb 2023 08:49:37 GMT",
                       "Mon, 29 Feb 2100 08:49:37 GMT",
                       "Sun, 06 Nov 1994 24:49:37 GMT",
                       "Sun, 06 Nov 1994 08:60:37 GMT",
                       "Sun, 06 Nov 1994 08:49:61 GMT",
                       "Sun, -6 Nov 1994 08:49:37 GMT"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    assert_int_equal(wait(bad[i], 0), -1);
  }
  assert_int_equal(ts__retry_after_ms((ts__str_t){NULL, 0}, 0), -1);
}

static int64_t read_wait(const char *value, int64_t wall_ms) {
  return ts__retry_after_read(ts__str(value), wall_ms, 86400000);
}

/* Whoever only reads it takes decimals, every form of a date, and a day. */
static void test_reads_more(void **state) {
  (void)state;
  const int64_t then = INT64_C(784111777000);
  assert_int_equal(read_wait("120", 0), 120000);
  assert_int_equal(read_wait("0", 0), 0);
  assert_int_equal(read_wait("1.5", 0), 1500);
  assert_int_equal(read_wait("1.0019", 0), 1001);
  assert_int_equal(read_wait("86401", 0), 86400000);
  assert_int_equal(read_wait("99999999999999999999", 0), 86400000);
  assert_int_equal(read_wait("Sun, 06 Nov 1994 08:49:37 GMT", then - 7), 7);
  assert_int_equal(read_wait("Sunday, 06-Nov-94 08:49:37 GMT", then - 7), 7);
  assert_int_equal(read_wait("Sun Nov  6 08:49:37 1994", then - 7), 7);
  assert_int_equal(read_wait("Sun Nov 16 08:49:37 1994", then), 86400000);
  assert_int_equal(read_wait("Sunday, 06-Nov-94 08:49:37 GMT", 2 * then), 0);
}

/* And refuses the rest as everybody does. */
static void test_reads_no_nonsense(void **state) {
  (void)state;
  const char *bad[] = {"",
                       "invalid",
                       "-5",
                       "1.",
                       ".5",
                       "1.5s",
                       "1e3",
                       "Sunday, 06-Nov-94 08:49:37",
                       "Sun Nov 06 08:49:37 94"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(read_wait(bad[i], 0), -1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_seconds),
      cmocka_unit_test(test_dates),
      cmocka_unit_test(test_refuses_the_rest),
      cmocka_unit_test(test_reads_more),
      cmocka_unit_test(test_reads_no_nonsense),
  };
  return cmocka_run_group_tests_name("http_date", tests, NULL, NULL);
}
