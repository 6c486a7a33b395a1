/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/log.h"

static char seen[256];
static int seen_count;

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t field_count) {
  assert_ptr_equal(data, &seen_count);
  seen_count++;
  int len = snprintf(seen, sizeof(seen), "%d %s", (int)level, message);
  for (size_t i = 0; i < field_count; i++) {
    len += snprintf(seen + len, sizeof(seen) - (size_t)len, " %s=%s",
                    fields[i].key, fields[i].value);
  }
}

static int setup(void **state) {
  (void)state;
  seen[0] = '\0';
  seen_count = 0;
  return 0;
}

/* Message and fields reach the callback, with the owner's pointer. */
static void test_passes_message_and_fields(void **state) {
  (void)state;
  ts__log_t log = {on_log, &seen_count, TS_LOG_WARN};
  TS__LOG(&log, TS_LOG_WARN, "lost", {"error", "EOF"},
          {"retry_ms", TS__NUM(-1500)});
  assert_string_equal(seen, "2 lost error=EOF retry_ms=-1500");
  TS__LOG(&log, TS_LOG_ERROR, "bare");
  assert_string_equal(seen, "3 bare");
}

static int formatted;

static char *format_now(void) {
  static char text[] = "x";
  formatted++;
  return text;
}

/* Below the threshold nothing is even formatted; without a callback, or at
 * OFF, there is no log at all. */
static void test_threshold_comes_first(void **state) {
  (void)state;
  ts__log_t log = {on_log, &seen_count, TS_LOG_WARN};
  formatted = 0;
  TS__LOG(&log, TS_LOG_INFO, "quiet", {"x", format_now()});
  log.level = TS_LOG_OFF;
  TS__LOG(&log, TS_LOG_ERROR, "quiet", {"x", format_now()});
  TS__LOG(&log, TS_LOG_OFF, "quiet", {"x", format_now()});
  log = (ts__log_t){NULL, NULL, TS_LOG_DEBUG};
  TS__LOG(&log, TS_LOG_ERROR, "quiet", {"x", format_now()});
  assert_int_equal(seen_count, 0);
  assert_int_equal(formatted, 0);
}

/* The smallest and the largest number fit their text. */
static void test_numbers_fit(void **state) {
  (void)state;
  char text[24];
  assert_string_equal(ts__log_number(text, INT64_MIN), "-9223372036854775808");
  assert_string_equal(ts__log_number(text, INT64_MAX), "9223372036854775807");
}

/* Bytes from outside cannot break a log line, and are cut at a character. */
static void test_text_is_made_harmless(void **state) {
  (void)state;
  char text[16];
  assert_string_equal(
      ts__log_text(text, sizeof(text), TS__STR("a\r\nb\0c\x1b")), "a??b?c?");
  assert_string_equal(
      ts__log_text(text, sizeof(text), TS__STR("\xc3\xa4\xff\xe2\x80")),
      "\xc3\xa4???");
  assert_string_equal(ts__log_text(text, 4, TS__STR("abcdef")), "abc");
  assert_string_equal(ts__log_text(text, 4, TS__STR("ab\xc3\xa4")), "ab");
  assert_string_equal(ts__log_text(text, 1, TS__STR("ab")), "");
  assert_ptr_equal(ts__log_text(text, 0, TS__STR("ab")), text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_passes_message_and_fields, setup),
      cmocka_unit_test_setup(test_threshold_comes_first, setup),
      cmocka_unit_test(test_numbers_fit),
      cmocka_unit_test(test_text_is_made_harmless),
  };
  return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
