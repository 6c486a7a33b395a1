/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "wire/ddb_json.h"

static ts__mem_t mem;
static ts__buf_t buf;

static int set_up(void **state) {
  (void)state;
  ts__mem_init(&mem, NULL);
  ts__buf_init(&buf, &mem, 4096);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  ts__buf_deinit(&buf);
  return 0;
}

static const ts__ddb_key_t key = {{"breakers", 8}, "pk", {"brk#1", 5}};

static void assert_body(const char *expected) {
  assert_int_equal(ts__buf_append_char(&buf, '\0'), 0);
  assert_string_equal(buf.ptr, expected);
}

/* B111: an update brings the names and values its expressions use, each once,
 * and every attribute stands in them under a placeholder. */
static void test_update(void **state) {
  (void)state;
  const ts__ddb_value_t values[] = {
      TS__DDB_NUMBER(":era", 7),
      TS__DDB_NUMBER(":unused", 1),
      TS__DDB_TEXT(":id", TS__STR("a\"b")),
      {.name = ":me", .kind = TS__DDB_SS, .text = TS__STR("m1")},
  };
  const ts__ddb_update_t update = {.key = key,
                                   .update =
                                       "SET #state = :id, #e = #e ADD #w :me",
                                   .condition = "#e = :era AND #state <> :id",
                                   .values = values,
                                   .value_count = 4,
                                   .returns = "ALL_NEW"};
  assert_int_equal(ts__ddb_write_update(&buf, &update), 0);
  assert_body(
      "{\"TableName\":\"breakers\",\"Key\":{\"pk\":{\"S\":\"brk#1\"}},"
      "\"UpdateExpression\":\"SET #state = :id, #e = #e ADD #w :me\","
      "\"ConditionExpression\":\"#e = :era AND #state <> :id\","
      "\"ExpressionAttributeNames\":{\"#state\":\"state\",\"#e\":\"e\",\"#w\":"
      "\"w\"},\"ExpressionAttributeValues\":{\":era\":{\"N\":\"7\"},\":id\":{"
      "\"S\":\"a\\\"b\"},\":me\":{\"SS\":[\"m1\"]}},\"ReturnValues\":\"ALL_"
      "NEW\",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"}");
}

/* Without a condition and values neither is there: DynamoDB refuses empty
 * ones. */
static void test_bare_update(void **state) {
  (void)state;
  const ts__ddb_update_t update = {
      .key = key, .update = "REMOVE #w", .returns = "ALL_OLD"};
  assert_int_equal(ts__ddb_write_update(&buf, &update), 0);
  assert_body("{\"TableName\":\"breakers\",\"Key\":{\"pk\":{\"S\":\"brk#1\"}},"
              "\"UpdateExpression\":\"REMOVE #w\",\"ExpressionAttributeNames\":"
              "{\"#w\":\"w\"},\"ReturnValues\":\"ALL_OLD\","
              "\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"}");
}

/* Reads of one item, and of several. */
static void test_reads(void **state) {
  (void)state;
  ts__ddb_key_t other = key;
  other.value = TS__STR("brk#2");
  assert_int_equal(ts__ddb_write_get(&buf, &key, true), 0);
  assert_int_equal(ts__ddb_batch_begin(&buf, key.table), 0);
  assert_int_equal(ts__ddb_batch_add(&buf, &key), 0);
  assert_int_equal(ts__ddb_batch_add(&buf, &other), 0);
  assert_int_equal(ts__ddb_batch_end(&buf), 0);
  assert_body("{\"TableName\":\"breakers\",\"Key\":{\"pk\":{\"S\":\"brk#1\"}},"
              "\"ConsistentRead\":true}{\"RequestItems\":{\"breakers\":{"
              "\"Keys\":[{\"pk\":{\"S\":\"brk#1\"}},{\"pk\":{\"S\":\"brk#2\"}}]"
              "}}}");
}

static ts__ddb_answer_t read_answer(int status, const char *body) {
  ts__ddb_answer_t answer;
  assert_int_equal(ts__ddb_read(&answer, status, ts__str(body)), 0);
  return answer;
}

/* An item's attributes are read by name and kind; whole numbers alone are
 * numbers. */
static void test_attributes(void **state) {
  (void)state;
  int64_t number = -5;
  ts__str_t text = TS__STR_EMPTY;
  ts__ddb_answer_t answer = read_answer(
      200, "{\"Item\":{\"e\":{\"N\":\"12\"},\"m\":{\"N\":\"-3\"},\"x\":{\"N\":"
           "\"1.5\"},\"y\":{\"N\":7},\"big\":{\"N\":\"9223372036854775808\"},"
           "\"id\":{\"S\":\"abc\"},\"w\":{\"SS\":[\"p\",\"q\"]}}}");
  assert_int_equal(answer.error, TS__DDB_FINE);
  assert_true(ts__ddb_number(answer.item, "e", &number) && number == 12);
  assert_true(ts__ddb_number(answer.item, "m", &number) && number == -3);
  assert_false(ts__ddb_number(answer.item, "x", &number));
  assert_false(ts__ddb_number(answer.item, "y", &number));
  assert_false(ts__ddb_number(answer.item, "big", &number));
  assert_false(ts__ddb_number(answer.item, "id", &number));
  assert_int_equal(number, -3);
  assert_true(ts__ddb_text(answer.item, "id", &text));
  assert_true(ts__str_eq(text, TS__STR("abc")));
  assert_int_equal(ts__ddb_set_count(answer.item, "w"), 2);
  assert_true(ts__str_eq(ts__ddb_set_at(answer.item, "w", 1), TS__STR("q")));
  assert_int_equal(ts__ddb_set_count(answer.item, "e"), 0);
  assert_true(ts__ddb_has(answer.item, "x"));
  ts__ddb_answer_deinit(&answer);
}

/* Each error by the name behind its namespace, else by the status. */
static void test_errors(void **state) {
  (void)state;
  static const struct {
    int status;
    const char *body;
    ts__ddb_error_t error;
  } cases[] = {
      {400,
       "{\"__type\":\"com.amazonaws.dynamodb.v20120810#"
       "ConditionalCheckFailedException\",\"message\":\"m\"}",
       TS__DDB_CONDITION},
      {400, "{\"__type\":\"a#ResourceNotFoundException\"}", TS__DDB_NOT_FOUND},
      {400, "{\"__type\":\"a#ThrottlingException\"}", TS__DDB_THROTTLED},
      {400, "{\"__type\":\"ExpiredTokenException\"}", TS__DDB_AUTH},
      {400,
       "{\"__type\":\"a#InvalidSignatureException\",\"message\":"
       "\"Signature expired: 1 is now earlier than 2\"}",
       TS__DDB_SKEW},
      {400, "{\"__type\":\"a#ValidationException\"}", TS__DDB_INVALID},
      {500, "{\"__type\":\"a#InternalServerError\"}", TS__DDB_SERVER},
      {503, "<html>", TS__DDB_SERVER},
      {403, "{}", TS__DDB_AUTH},
      {429, "", TS__DDB_THROTTLED},
      {200, "[]", TS__DDB_BAD},
      {200, "{", TS__DDB_BAD},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ts__ddb_answer_t answer = read_answer(cases[i].status, cases[i].body);
    assert_int_equal(answer.error, cases[i].error);
    ts__ddb_answer_deinit(&answer);
  }
}

/* A failed condition may bring the item. */
static void test_condition_item(void **state) {
  (void)state;
  int64_t era = 0;
  ts__ddb_answer_t answer = read_answer(
      400, "{\"__type\":\"a#ConditionalCheckFailedException\",\"Message\":"
           "\"no\",\"Item\":{\"e\":{\"N\":\"4\"}}}");
  assert_int_equal(answer.error, TS__DDB_CONDITION);
  assert_true(ts__str_eq(answer.message, TS__STR("no")));
  assert_true(ts__ddb_number(answer.item, "e", &era) && era == 4);
  ts__ddb_answer_deinit(&answer);
}

/* The items of a batch come one after the other. */
static void test_batch(void **state) {
  (void)state;
  size_t at = 0;
  int64_t era = 0;
  ts__ddb_answer_t answer = read_answer(
      200, "{\"Responses\":{\"t\":[{\"e\":{\"N\":\"1\"}},{\"e\":{\"N\":\"2\"}}]"
           "},\"UnprocessedKeys\":{}}");
  assert_true(ts__ddb_number(ts__ddb_next(&answer, "t", &at), "e", &era));
  assert_int_equal(era, 1);
  assert_true(ts__ddb_number(ts__ddb_next(&answer, "t", &at), "e", &era));
  assert_int_equal(era, 2);
  assert_null(ts__ddb_next(&answer, "t", &at));
  at = 0;
  assert_null(ts__ddb_next(&answer, "other", &at));
  ts__ddb_answer_deinit(&answer);
}

/* A body that does not fit is an error, not a shorter body. */
static void test_no_room(void **state) {
  (void)state;
  ts__buf_t small;
  const ts__ddb_update_t update = {
      .key = key, .update = "SET #s = #e", .returns = "ALL_OLD"};
  assert_int_equal(ts__ddb_write_update(&buf, &update), 0);
  for (size_t max = 0; max < buf.len; max++) {
    ts__buf_init(&small, &mem, max);
    assert_int_equal(ts__ddb_write_update(&small, &update), TS__ENOBUFS);
    ts__buf_deinit(&small);
  }
}

int main(void) {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_update),         TEST(test_bare_update), TEST(test_reads),
      TEST(test_attributes),     TEST(test_errors),      TEST(test_batch),
      TEST(test_condition_item), TEST(test_no_room),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
