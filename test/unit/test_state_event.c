/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "service/state_event.h"

static const ts__log_t silence = {NULL, NULL, TS_LOG_OFF, NULL};

/* Reads from memory of its very size, so that a sanitizer sees one byte more. */
static int read_event(ts__state_event_t *event, const char *text, size_t len,
                      char **copy) {
  *copy = malloc(len > 0 ? len : 1);
  assert_non_null(*copy);
  memcpy(*copy, text, len);
  const ts__sse_event_t message = {TS__STR_EMPTY, {*copy, len}};
  return ts__state_event_read(event, &message, &silence);
}

/* Texts that are read where they lie, and those that just are not, good and
 * bad. */
static const char *const texts[] = {
    "{\"breaker\":\"a\",\"state\":\"open\",\"allow_rate\":null}",
    "{\"breaker\":\"a\",\"state\":\"open\"}",
    "{\"state\":\"half_open\",\"allow_rate\":0.25,\"breaker\":\"a b/c\"}",
    " { \"breaker\" : \"a\" ,\t\"state\"\r: \"closed\" , \"allow_rate\" : 1 "
    "}\n",
    "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":0}",
    "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":0.123456789}",
    "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":0.1234567891}",
    "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":0.1}",
    "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":0.3}",
    "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":0.999999999}",
    "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":0.70}",
    "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":9}",
    "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":10}",
    "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":-0.5}",
    "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":2e-1}",
    "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":01}",
    "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":0.}",
    "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":.5}",
    "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":nul}",
    "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":nullx}",
    "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":\"1\"}",
    "{\"breaker\":\"a\",\"breaker\":\"b\",\"state\":\"open\"}",
    "{\"breaker\":\"a\",\"state\":\"open\",\"state\":\"closed\"}",
    "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":0.5,"
    "\"allow_rate\":0.75}",
    "{\"breaker\":\"a\",\"state\":\"open\",\"other\":[{}]}",
    "{\"breaker\":\"a\\u0041\",\"state\":\"open\"}",
    "{\"breaker\":\"a\\\"\",\"state\":\"open\"}",
    "{\"breaker\":\"\xc3\xa9\",\"state\":\"open\"}",
    "{\"breaker\":\"\xff\",\"state\":\"open\"}",
    "{\"breaker\":\"a\x01\",\"state\":\"open\"}",
    "{\"breaker\":\"a\x7f\",\"state\":\"open\"}",
    "{\"breaker\":\"\",\"state\":\"open\"}",
    "{\"breaker\":\"a\",\"state\":\"\"}",
    "{\"breaker\":\"a\",\"state\":\"OPEN\"}",
    "{\"breaker\":\"a\",\"state\":\"open\",}",
    "{\"breaker\":\"a\",\"state\":\"open\"},",
    "{\"breaker\":\"a\",\"state\":\"open\"}}",
    "{\"breaker\":\"a\" \"state\":\"open\"}",
    "{\"breaker\":1,\"state\":\"open\"}",
    "{\"breaker\":null,\"state\":\"open\"}",
    "{\"breaker\":\"a\"}",
    "{\"state\":\"a\"}",
    "{}",
    "{ }",
    "{,}",
    "{",
    "[]",
    "null",
    "",
    " ",
};

/* The same text by the JSON library alone: an escape stands in one of the keys,
 * which only the library knows. False if there is no key to do it to. */
static bool disguise(char *to, size_t size, const char *text) {
  static const char *const keys[] = {"\"breaker", "\"state"};
  for (size_t i = 0; i < 2; i++) {
    const char *key = strstr(text, keys[i]);
    if (key != NULL) {
      const size_t before = (size_t)(key - text);
      assert_true(before < size);
      memcpy(to, text, before);
      snprintf(to + before, size - before, "\"\\u%04x%s",
               (unsigned)(unsigned char)key[1], key + 2);
      return true;
    }
  }
  return false;
}

/* Whichever way a text is read, it says the same. */
static void test_both_ways(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    char other[256];
    char *copies[2];
    ts__state_event_t a;
    ts__state_event_t b;
    if (!disguise(other, sizeof other, texts[i])) {
      continue;
    }
    const int one = read_event(&a, texts[i], strlen(texts[i]), &copies[0]);
    const int two = read_event(&b, other, strlen(other), &copies[1]);
    if (one != two ||
        (one == 0 && (!ts__str_eq(a.breaker, b.breaker) || a.state != b.state ||
                      a.allow_rate != b.allow_rate))) {
      fail_msg("%s is read as something else", texts[i]);
    }
    ts__state_event_free(&a);
    ts__state_event_free(&b);
    free(copies[0]);
    free(copies[1]);
  }
}

/* Cut behind any byte, an event is none; nothing is read beyond the cut. */
static void test_cut(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    for (size_t len = 0; len < strlen(texts[i]); len++) {
      ts__state_event_t event;
      char *copy = NULL;
      const int error = read_event(&event, texts[i], len, &copy);
      assert_true(error == 0 || error == TS_EPARSE);
      ts__state_event_free(&event);
      free(copy);
    }
  }
}

/* The usual events need no document, and so no memory; others do. */
static void test_plain(void **state) {
  (void)state;
  for (size_t i = 0; i < 6; i++) {
    ts__state_event_t event;
    char *copy = NULL;
    assert_int_equal(read_event(&event, texts[i], strlen(texts[i]), &copy), 0);
    assert_null(event.doc);
    assert_true(event.breaker.ptr[0] == 'a');
    free(copy);
  }
  ts__state_event_t event;
  char *copy = NULL;
  const char *other = "{\"breaker\":\"a\",\"state\":\"open\",\"new\":1}";
  assert_int_equal(read_event(&event, other, strlen(other), &copy), 0);
  assert_non_null(event.doc);
  ts__state_event_free(&event);
  free(copy);
}

/* Every rate of up to nine decimals is the double that strtod makes of it. */
static void test_rates(void **state) {
  (void)state;
  for (unsigned i = 0; i < 20000; i++) {
    char number[16];
    char text[96];
    char *copy = NULL;
    ts__state_event_t event;
    const int decimals = (int)(i % 9) + 1;
    memcpy(number, "0.", 2);
    snprintf(number + 2, sizeof number - 2, "%09u", i * 49999u);
    number[2 + decimals] = '\0';
    const int len = snprintf(
        text, sizeof text,
        "{\"breaker\":\"a\",\"state\":\"half_open\",\"allow_rate\":%s}",
        number);
    assert_int_equal(read_event(&event, text, (size_t)len, &copy), 0);
    assert_null(event.doc);
    assert_true(event.allow_rate == strtod(number, NULL));
    free(copy);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_ways),
      cmocka_unit_test(test_cut),
      cmocka_unit_test(test_plain),
      cmocka_unit_test(test_rates),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
