/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "tripswitch/circuitry.h"

/* Records as circuitry writes them. */

#define OPEN_JSON                                                              \
  "{\"state\":1,\"generation\":1,\"consecutive_failures\":0,"                  \
  "\"consecutive_successes\":0,\"total\":0,\"total_failures\":0,"              \
  "\"total_successes\":0,\"expires_after\":\"2026-11-21T03:46:47."             \
  "926485135Z\"}"
#define CLOSED_JSON                                                            \
  "{\"state\":0,\"generation\":7,\"consecutive_failures\":2,"                  \
  "\"consecutive_successes\":0,\"total\":12,\"total_failures\":5,"             \
  "\"total_successes\":7,\"expires_after\":\"0001-01-01T00:00:00Z\"}"
#define HALF_JSON                                                              \
  "{\"state\":2,\"generation\":3,\"consecutive_failures\":0,"                  \
  "\"consecutive_successes\":1,\"total\":1,\"total_failures\":0,"              \
  "\"total_successes\":1,\"expires_after\":\"2026-11-21T03:46:47.5Z\"}"
#define ITEM                                                                   \
  "{\"breaker_name\":{\"S\":\"orders/42\"},\"state\":{\"N\":\"0\"},"           \
  "\"generation\":{\"N\":\"4\"},\"consecutive_failures\":{\"N\":\"3\"},"       \
  "\"consecutive_successes\":{\"N\":\"0\"},\"total\":{\"N\":\"9\"},"           \
  "\"total_failures\":{\"N\":\"4\"},\"total_successes\":{\"N\":\"5\"},"        \
  "\"expires_after\":{\"S\":\"2026-11-21T03:46:47Z\"}}"

/* 2026-11-21T03:46:47Z */
#define THEN_MS INT64_C(1795232807000)

static ts_circuitry_record_t record;
static ts_circuitry_problem_t problem;

static int read_json(const char *text) {
  return ts_circuitry_read_json(text, strlen(text), &record, &problem);
}

static int read_item(const char *text) {
  return ts_circuitry_read_item(text, strlen(text), &record, &problem);
}

/* B125: each record is written again as it was read, byte for byte. */
static void test_json_again(void **state) {
  (void)state;
  static const char *const records[] = {OPEN_JSON, CLOSED_JSON, HALF_JSON};
  char text[1024];
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(read_json(records[i]), 0);
    assert_int_equal(ts_circuitry_write_json(&record, text, sizeof text),
                     (int)strlen(records[i]));
    assert_string_equal(text, records[i]);
  }
}

/* B125: and so is an item. */
static void test_item_again(void **state) {
  (void)state;
  char text[1024];
  assert_int_equal(read_item(ITEM), 0);
  assert_string_equal(record.name, "orders/42");
  assert_int_equal(record.consecutive_failures, 3);
  assert_int_equal(record.expires_s, THEN_MS / 1000);
  assert_int_equal(ts_circuitry_write_item(&record, text, sizeof text),
                   (int)strlen(ITEM));
  assert_string_equal(text, ITEM);
  assert_int_equal(ts_circuitry_write_item(&record, text, 5),
                   (int)strlen(ITEM));
  assert_string_equal(text, "{\"br");
}

/* Every member is read as it stands; a time may be of another zone. */
static void test_members(void **state) {
  (void)state;
  assert_int_equal(read_json(OPEN_JSON), 0);
  assert_int_equal(record.state, TS_BREAKER_OPEN);
  assert_true(record.expires);
  assert_int_equal(record.expires_s, THEN_MS / 1000);
  assert_int_equal(record.expires_ns, 926485135);
  assert_int_equal(read_json(CLOSED_JSON), 0);
  assert_int_equal(record.generation, 7);
  assert_int_equal(record.total, 12);
  assert_int_equal(record.total_failures, 5);
  assert_int_equal(record.total_successes, 7);
  assert_false(record.expires);
  assert_int_equal(
      read_json("{\"state\":1,\"generation\":1,\"consecutive_failures\":0,"
                "\"consecutive_successes\":0,\"total\":0,\"total_failures\":0,"
                "\"total_successes\":0,\"expires_after\":"
                "\"2026-11-21T05:46:47.25+02:00\"}"),
      0);
  assert_int_equal(record.expires_s, THEN_MS / 1000);
  assert_int_equal(record.expires_ns, 250000000);
}

/* OPEN_JSON with one piece of it replaced. */
static const char *with(const char *piece, const char *other) {
  static char text[1024];
  const char *at = strstr(OPEN_JSON, piece);
  assert_non_null(at);
  snprintf(text, sizeof text, "%.*s%s%s", (int)(at - OPEN_JSON), OPEN_JSON,
           other, at + strlen(piece));
  return text;
}

static void assert_refused(const char *text, const char *names) {
  problem.text[0] = '\0';
  assert_int_equal(read_json(text), TS__EINVAL);
  assert_non_null(strstr(problem.text, names));
}

/* What is not understood is refused, and named. */
static void test_refused(void **state) {
  (void)state;
  assert_refused("q7X2cXkrY0eV9zW1aB3dEg", "lock's token");
  assert_refused("[]", "object");
  assert_refused("", "JSON");
  assert_refused(with("\"state\":1", "\"state\":3"), "state");
  assert_refused(with("\"state\":1,", ""), "state");
  assert_refused(with("\"state\":1", "\"state\":\"1\""), "state");
  assert_refused(with("\"total\":0", "\"total\":-1"), "total");
  assert_refused(with("\"total\":0", "\"total\":1.5"), "total");
  assert_refused(with("\"generation\":1", "\"generation\":1,\"zone\":1"),
                 "zone");
  assert_refused(with("2026-11-21T", "yesterday"), "expires_after");
  assert_refused(with("926485135Z", "9264851350Z"), "expires_after");
  assert_refused(with("926485135Z", "926485135"), "expires_after");
  assert_refused(ITEM, "breaker_name");
  assert_int_equal(read_item(OPEN_JSON), TS__EINVAL);
  assert_int_equal(ts_circuitry_read_json("{", 1, &record, NULL), TS__EINVAL);
}

/* A time that Go could not write is not written. */
static void test_unwritable(void **state) {
  (void)state;
  char text[1024];
  assert_int_equal(read_json(OPEN_JSON), 0);
  record.expires_s = INT64_C(1) << 40;
  assert_int_equal(ts_circuitry_write_json(&record, text, sizeof text),
                   TS__EINVAL);
  record.expires_s = INT64_MIN;
  assert_int_equal(ts_circuitry_write_json(&record, text, sizeof text),
                   TS__EINVAL);
}

/* Open stays open for what is left; half-open is open with nothing left. */
static void test_plan_open(void **state) {
  (void)state;
  ts_circuitry_plan_t plan;
  assert_int_equal(read_json(OPEN_JSON), 0);
  ts_circuitry_plan(&record, THEN_MS - 5000, &plan);
  assert_int_equal(plan.state, TS_BREAKER_OPEN);
  assert_int_equal(plan.open_for_ms, 5926);
  ts_circuitry_plan(&record, THEN_MS + 5000, &plan);
  assert_int_equal(plan.state, TS_BREAKER_OPEN);
  assert_int_equal(plan.open_for_ms, 0);
  assert_int_equal(read_json(HALF_JSON), 0);
  ts_circuitry_plan(&record, THEN_MS - 5000, &plan);
  assert_int_equal(plan.state, TS_BREAKER_OPEN);
  assert_int_equal(plan.open_for_ms, 0);
}

/* Closed brings its counts, unless their time is over. */
static void test_plan_closed(void **state) {
  (void)state;
  ts_circuitry_plan_t plan;
  assert_int_equal(read_json(CLOSED_JSON), 0);
  ts_circuitry_plan(&record, THEN_MS, &plan);
  assert_int_equal(plan.state, TS_BREAKER_CLOSED);
  assert_int_equal(plan.calls, 12);
  assert_int_equal(plan.failures, 5);
  assert_int_equal(plan.consecutive_failures, 2);
  assert_int_equal(read_item(ITEM), 0);
  ts_circuitry_plan(&record, THEN_MS - 1, &plan);
  assert_int_equal(plan.calls, 9);
  ts_circuitry_plan(&record, THEN_MS, &plan);
  assert_int_equal(plan.calls, 0);
  assert_int_equal(plan.consecutive_failures, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_json_again),  cmocka_unit_test(test_item_again),
      cmocka_unit_test(test_members),     cmocka_unit_test(test_refused),
      cmocka_unit_test(test_unwritable),  cmocka_unit_test(test_plan_open),
      cmocka_unit_test(test_plan_closed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
