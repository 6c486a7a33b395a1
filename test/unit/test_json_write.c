/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/heap.h"
#include "wire/json_write.h"

static heap_t heap;
static ts__mem_t mem;
static ts__buf_t buf;

static int setup(void **state) {
  (void)state;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  ts__buf_init(&buf, &mem, 1 << 20);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  setlocale(LC_ALL, "C");
  ts__buf_deinit(&buf);
  return heap_balance(&heap) == 0 ? 0 : -1;
}

static const char *content(void) {
  assert_int_equal(ts__buf_append_char(&buf, '\0'), 0);
  ts__buf_clear(&buf);
  return buf.ptr;
}

static const char *string(ts__str_t text) {
  assert_int_equal(ts__json_write_string(&buf, text), 0);
  return content();
}

static const char *number(double value) {
  assert_int_equal(ts__json_write_double(&buf, value), 0);
  return content();
}

static void assert_round_trip(double value) {
  const char *text = number(value);
  double back = strtod(text, NULL);
  assert_memory_equal(&back, &value, sizeof(value));
  assert_true(strspn(text, "0123456789+-.e") == strlen(text));
}

/* quotes, backslashes and control characters are escaped, everything
 * else is passed on. */
static void test_escapes_what_json_asks_for(void **state) {
  (void)state;
  assert_string_equal(string(TS__STR("")), "\"\"");
  assert_string_equal(string(TS__STR("/users?a=b")), "\"/users?a=b\"");
  assert_string_equal(string(TS__STR("a\"b\\c")), "\"a\\\"b\\\\c\"");
  assert_string_equal(string(TS__STR("\b\t\n\f\r")), "\"\\b\\t\\n\\f\\r\"");
  assert_string_equal(string(TS__STR("\0\v\x1f\x7f")),
                      "\"\\u0000\\u000b\\u001f\x7f\"");
  assert_string_equal(string(TS__STR("\xe2\x80\xa8\xf0\x9f\x98\x80")),
                      "\"\xe2\x80\xa8\xf0\x9f\x98\x80\"");
}

/* a character that needs escaping is found wherever it stands, and no
 * other is taken for one. */
static void test_finds_every_special_byte(void **state) {
  (void)state;
  for (size_t at = 0; at < 20; at++) {
    for (int c = 0; c < 256; c++) {
      char text[20];
      memset(text, '!', sizeof(text));
      text[at] = (char)c;
      bool is_plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
      size_t len = strlen(string((ts__str_t){text, sizeof(text)}));
      assert_int_equal(len == sizeof(text) + 2, is_plain);
    }
  }
}

/* each byte that is not UTF-8 becomes U+FFFD, and what follows it is
 * read afresh. */
static void test_replaces_invalid_utf8(void **state) {
  (void)state;
#define FFFD "\xef\xbf\xbd"
  assert_string_equal(string(TS__STR("a\xff"
                                     "b")),
                      "\"a" FFFD "b\"");
  assert_string_equal(string(TS__STR("\xc0\xaf")), "\"" FFFD FFFD "\"");
  assert_string_equal(string(TS__STR("\xe2\x80\"")), "\"" FFFD FFFD "\\\"\"");
  assert_string_equal(string(TS__STR("\xed\xa0\x80")),
                      "\"" FFFD FFFD FFFD "\"");
  assert_string_equal(string(TS__STR("\xc3\xc3\xa4")), "\"" FFFD "\xc3\xa4\"");
}

/* A string that does not fit, or for which there is no memory, leaves the
 * buffer as it was. */
static void test_string_is_written_whole_or_not(void **state) {
  (void)state;
  buf.max = 10;
  assert_int_equal(ts__json_write_string(&buf, TS__STR("ab")), 0);
  assert_int_equal(ts__json_write_string(&buf, TS__STR("12345")), TS__ENOBUFS);
  assert_int_equal(ts__json_write_string(&buf, TS__STR("\n\n\n")), TS__ENOBUFS);
  assert_int_equal(ts__json_write_string(&buf, TS__STR("123\n")), TS__ENOBUFS);
  assert_int_equal(buf.len, 4);
  buf.max = 1000;
  heap_fail(&heap, 1, HEAP_FOREVER);
  char text[80] = "";
  assert_int_equal(ts__json_write_string(&buf, (ts__str_t){text, 80}),
                   TS__ENOMEM);
  assert_string_equal(content(), "\"ab\"");
}

/* Integers have all their digits and never an exponent. */
static void test_integers(void **state) {
  (void)state;
  const struct {
    int64_t number;
    const char *text;
  } cases[] = {{0, "0"},
               {-7, "-7"},
               {1705312200000, "1705312200000"},
               {INT64_MAX, "9223372036854775807"},
               {INT64_MIN, "-9223372036854775808"}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_int_equal(ts__json_write_int(&buf, cases[i].number), 0);
    assert_string_equal(content(), cases[i].text);
  }
}

/* Short numbers are written short. */
static void test_doubles_in_short_form(void **state) {
  (void)state;
  assert_string_equal(number(0), "0");
  assert_string_equal(number(245.5), "245.5");
  assert_string_equal(number(-0.25), "-0.25");
  assert_string_equal(number(0.1), "0.1");
  assert_string_equal(number(0.000001), "0.000001");
  assert_string_equal(number(-12.000305), "-12.000305");
  assert_string_equal(number(1e15), "1000000000000000");
  assert_string_equal(number(-9007199254740991.0), "-9007199254740991");
}

/* The ends of the range, denormals, the sign of zero, and numbers that need all
 * 17 digits are read back as the same double. */
static void test_doubles_round_trip(void **state) {
  (void)state;
  const double cases[] = {0.0,
                          -0.0,
                          1.0 / 3,
                          0.1 + 0.2,
                          DBL_MAX,
                          -DBL_MAX,
                          DBL_MIN,
                          DBL_EPSILON,
                          4.9406564584124654e-324,
                          -2.2250738585072009e-308,
                          1e308,
                          1e22,
                          9007199254740992.0,
                          9007199254740994.0,
                          9007199254.7409916,
                          9007199253.000001,
                          0.0000005,
                          0.0000015,
                          1.0000005,
                          123456.1234565,
                          5e-7};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_round_trip(cases[i]);
  }
}

/* So are a hundred thousand random ones: any bits, and times in milliseconds
 * as a clock gives them. */
static void test_random_doubles_round_trip(void **state) {
  (void)state;
  uint64_t bits = 88172645463325252u;
  for (int i = 0; i < 100000; i++) {
    bits ^= bits << 13;
    bits ^= bits >> 7;
    bits ^= bits << 17;
    double value;
    memcpy(&value, &bits, sizeof(value));
    if (isfinite(value)) {
      assert_round_trip(value);
    }
    assert_round_trip((double)(bits >> 32) / 1e6);
    assert_round_trip((double)(bits >> 20) / 1e9);
  }
}

/* What is not finite is not JSON and is never written. */
static void test_refuses_what_is_not_finite(void **state) {
  (void)state;
  assert_int_equal(ts__json_write_double(&buf, NAN), TS__EINVAL);
  assert_int_equal(ts__json_write_double(&buf, INFINITY), TS__EINVAL);
  assert_int_equal(ts__json_write_double(&buf, -INFINITY), TS__EINVAL);
  assert_int_equal(buf.len, 0);
}

/* a decimal comma of the locale never reaches the wire, on no path. */
static void test_decimal_comma(void **state) {
  (void)state;
  const char *names[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8",
                         "fr_FR"};
  size_t i = 0;
  while (i < 5 && !setlocale(LC_NUMERIC, names[i])) {
    i++;
  }
  if (i == 5) {
    print_message("# no locale with a decimal comma here\n");
    return; /* the next test needs none */
  }
  assert_string_equal(number(245.5), "245.5");
  assert_string_equal(number(0.1 + 0.2), "0.30000000000000004");
  assert_string_equal(number(1.5e300), "1.5000000000000001e+300");
}

/* whatever a locale puts between the digits is made one point, without
 * needing the locale here. */
static void test_any_point_is_made_a_point(void **state) {
  (void)state;
  const struct {
    const char *printed;
    const char *fixed;
  } cases[] = {{"245,5", "245.5"},
               {"-0,30000000000000004", "-0.30000000000000004"},
               {"1,7976931348623157e+308", "1.7976931348623157e+308"},
               {"1\xd9\xab"
                "5e-07",
                "1.5e-07"},
               {"1.5", "1.5"},
               {"1e+22", "1e+22"}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char text[48];
    strcpy(text, cases[i].printed);
    assert_int_equal(ts__json_fix_point(text), strlen(cases[i].fixed));
    assert_string_equal(text, cases[i].fixed);
  }
}

static void test_booleans(void **state) {
  (void)state;
  assert_int_equal(ts__json_write_bool(&buf, true), 0);
  assert_int_equal(ts__json_write_bool(&buf, false), 0);
  assert_string_equal(content(), "truefalse");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_escapes_what_json_asks_for),
      TEST(test_finds_every_special_byte),
      TEST(test_replaces_invalid_utf8),
      TEST(test_string_is_written_whole_or_not),
      TEST(test_integers),
      TEST(test_doubles_in_short_form),
      TEST(test_doubles_round_trip),
      TEST(test_random_doubles_round_trip),
      TEST(test_refuses_what_is_not_finite),
      TEST(test_decimal_comma),
      TEST(test_any_point_is_made_a_point),
      TEST(test_booleans),
  };
  return cmocka_run_group_tests_name("json_write", tests, NULL, NULL);
}
