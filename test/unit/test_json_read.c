/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/err.h"
#include "wire/json_read.h"

#define MAX (16u * 1024u * 1024u)

static ts__json_doc_t *parse(const char *text) {
  ts__json_doc_t *doc;
  assert_int_equal(ts__json_parse(&doc, ts__str(text), MAX), 0);
  assert_non_null(doc);
  return doc;
}

static int result_of(ts__str_t text) {
  /* A block of its own, so that reading past the end shows. */
  char *copy = malloc(text.len + 1);
  memcpy(copy, text.ptr, text.len);
  copy = realloc(copy, text.len ? text.len : 1);
  ts__json_doc_t *doc;
  int err = ts__json_parse(&doc, (ts__str_t){copy, text.len}, MAX);
  assert_true((err == 0) == (doc != NULL));
  ts__json_free(doc);
  free(copy);
  return err;
}

/* A state event as the stream sends it. */
static void test_reads_an_object(void **state) {
  (void)state;
  ts__json_doc_t *doc = parse("{\"breaker\":\"db\",\"state\":\"half_open\","
                              "\"allow_rate\":0.25,\"x\":null,\"y\":true}");
  const ts__json_t *root = ts__json_root(doc);
  ts__str_t text;
  double rate;
  bool flag = false;
  assert_int_equal(ts__json_type(root), TS__JSON_OBJECT);
  assert_true(ts__json_string(ts__json_get(root, "breaker"), &text));
  assert_true(ts__str_eq(text, TS__STR("db")));
  assert_true(ts__json_number(ts__json_get(root, "allow_rate"), &rate));
  assert_true(rate == 0.25);
  assert_int_equal(ts__json_type(ts__json_get(root, "x")), TS__JSON_NULL);
  assert_true(ts__json_bool(ts__json_get(root, "y"), &flag));
  assert_true(flag);
  assert_null(ts__json_get(root, "z"));
  ts__json_free(doc);
}

/* Each getter takes its own type only, and leaves the result alone else; no
 * value at all is a type too. */
static void test_types_are_checked(void **state) {
  (void)state;
  const char *texts[] = {"null",  "true", "1",        "1.5",
                         "\"x\"", "[1]",  "{\"a\":1}"};
  for (int i = 0; i < 7; i++) {
    ts__json_doc_t *doc = parse(texts[i]);
    const ts__json_t *root = ts__json_root(doc);
    ts__str_t text = TS__STR_EMPTY;
    bool flag;
    double real;
    int64_t whole;
    void *cursor = NULL;
    assert_int_equal(ts__json_type(root), TS__JSON_NULL + i);
    assert_int_equal(ts__json_bool(root, &flag), i == 1);
    assert_int_equal(ts__json_integer(root, &whole), i == 2);
    assert_int_equal(ts__json_number(root, &real), i == 2 || i == 3);
    assert_int_equal(ts__json_string(root, &text), i == 4);
    assert_int_equal(ts__json_count(root), i == 5 ? 1 : 0);
    assert_int_equal(ts__json_at(root, 0) != NULL, i == 5);
    assert_int_equal(ts__json_get(root, "a") != NULL, i == 6);
    assert_int_equal(ts__json_next(root, &cursor, &text, &root), i == 6);
    ts__json_free(doc);
  }
}

/* What is not there can be asked for everything. */
static void test_nothing_has_nothing(void **state) {
  (void)state;
  ts__str_t text;
  bool flag;
  double real;
  int64_t whole;
  void *cursor = NULL;
  const ts__json_t *value;
  assert_int_equal(ts__json_type(NULL), TS__JSON_NONE);
  assert_null(ts__json_get(NULL, "a"));
  assert_null(ts__json_at(NULL, 0));
  assert_int_equal(ts__json_count(NULL), 0);
  assert_false(ts__json_next(NULL, &cursor, &text, &value));
  assert_false(ts__json_string(NULL, &text));
  assert_false(ts__json_bool(NULL, &flag));
  assert_false(ts__json_number(NULL, &real));
  assert_false(ts__json_integer(NULL, &whole));
  ts__json_free(NULL);
}

/* Arrays by index, members in turn. */
static void test_visits(void **state) {
  (void)state;
  ts__json_doc_t *doc = parse("[{\"a\":1,\"b\":2,\"\":3},[]]");
  const ts__json_t *root = ts__json_root(doc);
  assert_int_equal(ts__json_count(root), 2);
  assert_null(ts__json_at(root, 2));
  void *cursor = NULL;
  ts__str_t key;
  const ts__json_t *value;
  int64_t sum = 0;
  while (ts__json_next(ts__json_at(root, 0), &cursor, &key, &value)) {
    int64_t number;
    assert_true(ts__json_integer(value, &number));
    assert_int_equal(key.len, number == 3 ? 0 : 1);
    sum = sum * 10 + number;
  }
  assert_int_equal(sum, 123);
  ts__json_free(doc);
}

/* An integer may be written as a real, if it is one and fits. */
static void test_integers(void **state) {
  (void)state;
  const struct {
    const char *text;
    bool is_integer;
    int64_t number;
  } cases[] = {{"1000", true, 1000},
               {"1e3", true, 1000},
               {"1000.0", true, 1000},
               {"-0.0", true, 0},
               {"9223372036854775807", true, INT64_MAX},
               {"-9223372036854775808", true, INT64_MIN},
               {"-9.223372036854775808e18", true, INT64_MIN},
               {"9.223372036854775808e18", false, 0},
               {"9223372036854775808", false, 0},
               {"1e300", false, 0},
               {"0.5", false, 0}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    ts__json_doc_t *doc = parse(cases[i].text);
    int64_t number = 0;
    assert_int_equal(ts__json_integer(ts__json_root(doc), &number),
                     cases[i].is_integer);
    assert_true(number == cases[i].number);
    ts__json_free(doc);
  }
}

/* One integer beyond an int64 does not spoil the document: it is read as a
 * double, and its neighbours keep their values. */
static void test_huge_integers(void **state) {
  (void)state;
  ts__json_doc_t *doc =
      parse("[123456789012345678901234567890,1705312200000,7,\"x\"]");
  const ts__json_t *root = ts__json_root(doc);
  double huge;
  int64_t number;
  assert_true(ts__json_number(ts__json_at(root, 0), &huge));
  assert_true(huge == 123456789012345678901234567890.0);
  assert_false(ts__json_integer(ts__json_at(root, 0), &number));
  assert_true(ts__json_integer(ts__json_at(root, 1), &number));
  assert_true(number == 1705312200000);
  assert_true(ts__json_integer(ts__json_at(root, 2), &number));
  assert_int_equal(number, 7);
  ts__json_free(doc);
}

/* Of two members of one name the last counts. */
static void test_last_duplicate_wins(void **state) {
  (void)state;
  ts__json_doc_t *doc = parse("{\"a\":1,\"a\":2}");
  int64_t number;
  assert_true(ts__json_integer(ts__json_get(ts__json_root(doc), "a"), &number));
  assert_int_equal(number, 2);
  ts__json_free(doc);
}

/* RFC 8259's texts are read: any value at the top, blanks around, escapes,
 * surrogate pairs, numbers of every form. */
static void test_accepts_json(void **state) {
  (void)state;
  const char *texts[] = {
      "0",
      " \t\r\n[ ]\n ",
      "\"\"",
      "\"\\u00e4\\n\\\"\\/\\ud83d\\ude00\"",
      "\"\xf0\x9f\x98\x80\xe2\x80\xa8\x7f\"",
      "[-0,-1.5e-3,1E+2,0.1e1,1.0]",
      "[\"[[[{{{\\\"[\",{\"]\":\"}\"}]",
      "{\"\":{},\"a\":[null,true,false]}",
      "[1e-400]",
  };
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    assert_int_equal(result_of(ts__str(texts[i])), 0);
  }
}

/* Whatever is not RFC 8259 is refused, and so are numbers beyond a double, and
 * NUL in strings, which C could not show. */
static void test_refuses_the_rest(void **state) {
  (void)state;
  const char *texts[] = {
      "",
      " ",
      "{",
      "[1",
      "[1,]",
      "{\"a\":1,}",
      "{\"a\" 1}",
      "{a:1}",
      "['a']",
      "[1 2]",
      "1 2",
      "[] x",
      "]",
      "nul",
      "True",
      "NaN",
      "[Infinity]",
      "01",
      "+1",
      "1.",
      ".5",
      "1e",
      "0x1",
      "-",
      "\"a",
      "\"\\",
      "\"\\x\"",
      "\"\\u12\"",
      "\"\t\"",
      "\"\n\"",
      "/**/1",
      "1//",
      "\"\\ud800\"",
      "\"\\udc00x\"",
      "\"\xff\"",
      "\"\xc0\x80\"",
      "\"\xed\xa0\x80\"",
      "\"\\u0000\"",
      "{\"\\u0000\":1}",
      "[1e400]",
      "\xef\xbb\xbf[]",
  };
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    if (result_of(ts__str(texts[i])) != TS_EPARSE) {
      fail_msg("accepted: %s", texts[i]);
    }
  }
  assert_int_equal(result_of(TS__STR("\"\0\"")), TS_EPARSE);
  assert_int_equal(result_of(TS__STR("1\0")), TS_EPARSE);
  assert_int_equal(result_of(TS__STR("[true\0]")), TS_EPARSE);
}

static int nested(const char *open, const char *close, size_t depth) {
  size_t open_len = strlen(open);
  size_t close_len = strlen(close);
  char *text = malloc(depth * (open_len + close_len) + 1);
  size_t len = 0;
  for (size_t i = 0; i < depth; i++, len += open_len) {
    memcpy(text + len, open, open_len);
  }
  text[len++] = '1';
  for (size_t i = 0; i < depth; i++, len += close_len) {
    memcpy(text + len, close, close_len);
  }
  int err = result_of((ts__str_t){text, len});
  free(text);
  return err;
}

/* Nesting is bounded exactly, and a million levels cost nothing. */
static void test_depth_is_bounded(void **state) {
  (void)state;
  assert_int_equal(nested("[", "]", TS__MAX_JSON_DEPTH), 0);
  assert_int_equal(nested("[", "]", TS__MAX_JSON_DEPTH + 1), TS_EPARSE);
  assert_int_equal(nested("{\"a\":", "}", TS__MAX_JSON_DEPTH), 0);
  assert_int_equal(nested("{\"a\":", "}", TS__MAX_JSON_DEPTH + 1), TS_EPARSE);
  assert_int_equal(nested("[", "]", 1000000), TS_EPARSE);
  assert_int_equal(nested("[", "", 100000), TS_EPARSE);
}

/* Brackets inside strings, behind any escape, are text. */
static void test_depth_ignores_strings(void **state) {
  (void)state;
  char text[300] = "[\"\\\"";
  memset(text + 4, '[', 200);
  strcpy(text + 204, "\\\\\",{}]");
  assert_int_equal(result_of(ts__str(text)), 0);
}

/* The length has a maximum, the caller's. */
static void test_length_is_bounded(void **state) {
  (void)state;
  ts__json_doc_t *doc;
  assert_int_equal(ts__json_parse(&doc, TS__STR("[1,2]"), 5), 0);
  ts__json_free(doc);
  assert_int_equal(ts__json_parse(&doc, TS__STR("[1,2]"), 4), TS_EPARSE);
  assert_null(doc);
}

/* A value is written back as it was read, without the blanks. */
static void test_written_back(void **state) {
  (void)state;
  static const char text[] =
      " { \"a\" : [ 1 , -2.5, true, false, null, { } , [ ] ], "
      "\"\\u00e9\" : \"x\\n\\\"y\\\"\" } ";
  ts__json_doc_t *doc = NULL;
  ts__mem_t mem;
  ts__buf_t buf;
  ts__mem_init(&mem, NULL);
  ts__buf_init(&buf, &mem, 1024);
  assert_int_equal(ts__json_parse(&doc, ts__str(text), 1024), 0);
  assert_int_equal(ts__json_write_value(&buf, ts__json_root(doc)), 0);
  assert_int_equal(ts__buf_append_char(&buf, '\0'), 0);
  assert_string_equal(buf.ptr, "{\"a\":[1,-2.5,true,false,null,{},[]],"
                               "\"\xc3\xa9\":\"x\\n\\\"y\\\"\"}");
  ts__json_free(doc);
  ts__buf_deinit(&buf);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_written_back),
      cmocka_unit_test(test_reads_an_object),
      cmocka_unit_test(test_types_are_checked),
      cmocka_unit_test(test_nothing_has_nothing),
      cmocka_unit_test(test_visits),
      cmocka_unit_test(test_integers),
      cmocka_unit_test(test_huge_integers),
      cmocka_unit_test(test_last_duplicate_wins),
      cmocka_unit_test(test_accepts_json),
      cmocka_unit_test(test_refuses_the_rest),
      cmocka_unit_test(test_depth_is_bounded),
      cmocka_unit_test(test_depth_ignores_strings),
      cmocka_unit_test(test_length_is_bounded),
  };
  return cmocka_run_group_tests_name("json_read", tests, NULL, NULL);
}
