/* SPDX-License-Identifier: Apache-2.0 */
/* How the admin client tells what went wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/err.h"
#include "support/admin_fixture.h"
#include "wire/http_date.h"

static admin_fixture_t fixture;

static int setup(void **state) {
  (void)state;
  admin_fixture_start(&fixture);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  admin_fixture_end(&fixture);
  return 0;
}

/* The reply to a get that the server answers like this. */
static const ts_admin_reply_t *get(int status, const char *headers,
                                   const char *body) {
  assert_int_equal(
      ts_admin_get_workspace(fixture.admin, "w", NULL, on_workspace, &fixture),
      0);
  admin_take(&fixture);
  admin_answer_with(&fixture, status, headers, body);
  return fixture.reply;
}

/* ADM-18: a refusal has its kind, its status, and the server's own words. */
static void test_not_found(void **state) {
  (void)state;
  const ts_admin_reply_t *reply =
      get(404, "X-Request-ID: req_123\r\n",
          "{\"code\":\"not_found\",\"message\":\"Breaker not found\"}");
  assert_int_equal(reply->error, TS_ENOTFOUND);
  assert_int_equal(reply->failure, TS_ADMIN_NOT_FOUND);
  assert_int_equal(reply->http_status, 404);
  assert_string_equal(reply->code, "not_found");
  assert_string_equal(reply->message, "Breaker not found");
  assert_string_equal(reply->request_id, "req_123");
  assert_null(fixture.value.any);
}

/* ADM-19, ADM-20, ADM-21, ADM-22, ADM-23, ADM-24, ADM-25: the status decides
 * the kind, the code says it too, and the status stays what it was. */
static void test_kinds_by_status(void **state) {
  (void)state;
  static const struct {
    int status;
    int error;
    ts_admin_failure_t failure;
  } cases[] = {
      {400, TS_EVALIDATION, TS_ADMIN_VALIDATION},
      {401, TS_EUNAUTHORIZED, TS_ADMIN_UNAUTHORIZED},
      {403, TS_EFORBIDDEN, TS_ADMIN_FORBIDDEN},
      {409, TS_EHTTPCONFLICT, TS_ADMIN_CONFLICT},
      {422, TS_EVALIDATION, TS_ADMIN_VALIDATION},
      {429, TS_ERATELIMITED, TS_ADMIN_RATE_LIMITED},
      {500, TS_ESERVER, TS_ADMIN_SERVER_FAULT},
      {502, TS_ESERVER, TS_ADMIN_SERVER_FAULT},
      {503, TS_ESERVER, TS_ADMIN_SERVER_FAULT},
      {599, TS_ESERVER, TS_ADMIN_SERVER_FAULT},
      {418, TS_EHTTP, TS_ADMIN_OTHER},
      {301, TS_EHTTP, TS_ADMIN_OTHER},
      {600, TS_EHTTP, TS_ADMIN_OTHER},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const ts_admin_reply_t *reply =
        get(cases[i].status, "Location: http://other.test/\r\n", "{}");
    assert_int_equal(reply->error, cases[i].error);
    assert_int_equal(reply->failure, cases[i].failure);
    assert_int_equal(reply->http_status, cases[i].status);
    assert_int_not_equal(reply->error, TS_ECONFLICT);
    admin_expect_nothing(&fixture); /* no redirect is followed */
  }
}

/* ADM-21, ADM-22: a creation that is refused says why, and which member. */
static void test_refused_creation(void **state) {
  (void)state;
  ts_admin_project_create_t input = TS_ADMIN_PROJECT_CREATE_INIT;
  input.name = ts_set_string("");
  assert_int_equal(ts_admin_create_project(fixture.admin, &input, NULL,
                                           on_project, &fixture),
                   0);
  admin_expect(&fixture, "POST", "/v1/projects", "{\"name\":\"\"}");
  admin_answer(&fixture, 422,
               "{\"code\":\"VALIDATION_ERROR\",\"message\":\"empty\","
               "\"field\":\"name\"}");
  assert_int_equal(fixture.reply->failure, TS_ADMIN_VALIDATION);
  assert_int_equal(fixture.reply->http_status, 422);
  assert_string_equal(fixture.reply->code, "VALIDATION_ERROR");
  assert_string_equal(fixture.reply->field, "name");
}

/* ADM-26: the wait that the server asks for, in milliseconds and as it was. */
static void test_rate_limited(void **state) {
  (void)state;
  const ts_admin_reply_t *reply = get(429, "Retry-After: 30\r\n", "{}");
  assert_int_equal(reply->failure, TS_ADMIN_RATE_LIMITED);
  assert_int_equal(reply->retry_after_ms, 30000);
  assert_string_equal(reply->retry_after, "30");
  admin_expect_nothing(&fixture); /* nothing is asked again by itself */
}

/* ADM-27: without the header there is none. */
static void test_rate_limited_without_a_word(void **state) {
  (void)state;
  const ts_admin_reply_t *reply = get(429, "", "{}");
  assert_int_equal(reply->failure, TS_ADMIN_RATE_LIMITED);
  assert_int_equal(reply->retry_after_ms, -1);
  assert_string_equal(reply->retry_after, "");
}

/* ADM-28: every form of the wait, and what is no form keeps its text. */
static void test_retry_after(void **state) {
  (void)state;
  /* The clock stands at 14 November 2023, 22:13:20. */
  static const struct {
    const char *text;
    int64_t ms;
  } cases[] = {
      {"120", 120000},
      {"0", 0},
      {"", -1},
      {"invalid", -1},
      {"-5", -1},
      {"1.5", 1500},
      {"90000", 86400000},
      {"Tue, 14 Nov 2023 22:14:20 GMT", 60000},
      {"Tuesday, 14-Nov-23 22:14:20 GMT", 60000},
      {"Tue Nov 14 22:14:20 2023", 60000},
      {"Tue, 14 Nov 2023 22:12:20 GMT", 0},
  };
  char header[96];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    for (int status = 429; status <= 503; status += 503 - 429) {
      snprintf(header, sizeof header, "Retry-After: %s\r\n", cases[i].text);
      const ts_admin_reply_t *reply = get(status, header, "{}");
      assert_int_equal(reply->retry_after_ms, cases[i].ms);
      assert_string_equal(reply->retry_after, cases[i].text);
    }
  }
  assert_int_equal(get(500, "Retry-After: 3\r\n", "{}")->retry_after_ms, -1);
}

/* ADM-29: a body that says nothing leaves the status to speak. */
static void test_empty_error(void **state) {
  (void)state;
  const ts_admin_reply_t *reply = get(404, "", "{}");
  assert_string_equal(reply->message, "Not Found");
  assert_string_equal(reply->code, "");
  assert_string_equal(get(599, "", "{\"message\":\"\"}")->message, "HTTP 599");
  assert_string_equal(get(500, "", NULL)->message, "Internal Server Error");
  assert_string_equal(get(500, "", "{\"code\":7,\"message\":[]}")->message,
                      "Internal Server Error");
}

/* ADM-30: a body that is no JSON is kept, byte for byte. */
static void test_error_not_json(void **state) {
  (void)state;
  const ts_admin_reply_t *reply =
      get(502, "", "<html>\r\n<b>Bad \"Gateway\"</b>\xff</html>");
  assert_int_equal(reply->failure, TS_ADMIN_SERVER_FAULT);
  assert_string_equal(reply->body,
                      "<html>\r\n<b>Bad \"Gateway\"</b>\xff</html>");
  assert_int_equal(reply->body_len, strlen(reply->body));
  assert_string_equal(reply->message, "Bad Gateway");
}

/* Of a long body the beginning is kept. */
static void test_long_error_body(void **state) {
  (void)state;
  const size_t len = TS__MAX_ADMIN_EXCERPT + 1000;
  char *body = malloc(len + 1);
  assert_non_null(body);
  memset(body, 'x', len);
  body[len] = '\0';
  const ts_admin_reply_t *reply = get(500, "", body);
  assert_int_equal(reply->body_len, TS__MAX_ADMIN_EXCERPT);
  assert_int_equal(strlen(reply->body), TS__MAX_ADMIN_EXCERPT);
  free(body);
}

/* ADM-31: an older shape of a refusal has its message too. */
static void test_error_member(void **state) {
  (void)state;
  const ts_admin_reply_t *reply = get(400, "", "{\"error\":\"something\"}");
  assert_string_equal(reply->message, "something");
  reply = get(400, "", "{\"error\":{\"a\":1}}");
  assert_string_equal(reply->message, "Bad Request");
}

/* ADM-32: the request's id is in the header, else in the body. */
static void test_request_id(void **state) {
  (void)state;
  const char *body = "{\"request_id\":\"from-body\"}";
  assert_string_equal(get(500, "", body)->request_id, "from-body");
  assert_string_equal(get(500, "X-Request-ID: head\r\n", body)->request_id,
                      "head");
}

/* ADM-33: a success that is no JSON cannot be read, and is kept. */
static void test_success_not_json(void **state) {
  (void)state;
  const ts_admin_reply_t *reply = get(200, "", "not json");
  assert_int_equal(reply->error, TS_EPARSE);
  assert_int_equal(reply->failure, TS_ADMIN_DECODE);
  assert_int_equal(reply->http_status, 200);
  assert_string_equal(reply->body, "not json");
  assert_null(fixture.value.any);
}

/* ADM-34: nor can one of another outer shape. */
static void test_success_of_another_shape(void **state) {
  (void)state;
  static const char *const bodies[] = {"[]", "7", "null", "\"x\"", "true"};
  for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
    const ts_admin_reply_t *reply = get(200, "", bodies[i]);
    assert_int_equal(reply->failure, TS_ADMIN_DECODE);
    assert_string_equal(reply->body, bodies[i]);
    assert_string_equal(reply->field, "");
  }
}

/* A member of another type is named, with the way to it. */
static void test_wrong_member(void **state) {
  (void)state;
  const ts_admin_reply_t *reply = get(200, "", "{\"id\":\"w\",\"name\":5}");
  assert_int_equal(reply->failure, TS_ADMIN_DECODE);
  assert_string_equal(reply->field, "name");
  assert_string_equal(reply->message, "name must be a string");
  reply = get(200, "", "{\"name\":\"x\"}");
  assert_string_equal(reply->field, "id");
  assert_string_equal(reply->message, "id is missing");
  assert_int_equal(ts_admin_list_breakers(fixture.admin, "p", NULL, NULL,
                                          on_breakers, &fixture),
                   0);
  admin_take(&fixture);
  admin_answer(&fixture, 200,
               "{\"breakers\":[{\"id\":\"a\"},{\"id\":\"b\","
               "\"threshold\":\"high\"}]}");
  assert_string_equal(fixture.reply->field, "breakers[1].threshold");
}

/* ADM-35: one line has the status, the code if there is one, and the message. */
static void test_text(void **state) {
  (void)state;
  char text[128];
  const ts_admin_reply_t *reply =
      get(404, "", "{\"code\":\"not_found\",\"message\":\"No breaker\"}");
  assert_string_equal(ts_admin_reply_text(reply, text, sizeof text),
                      "HTTP 404: not_found: No breaker");
  assert_string_equal(
      ts_admin_reply_text(get(500, "", "{}"), text, sizeof text),
      "HTTP 500: Internal Server Error");
  assert_string_equal(ts_admin_reply_text(reply = fixture.reply, text, 9),
                      "HTTP 500");
  text[0] = 'x';
  assert_ptr_equal(ts_admin_reply_text(reply, text, 0), text);
  assert_int_equal(text[0], 'x');
}

/* ADM-36: a failure is of one kind and of no other; no answer is not "not
 * found". */
static void test_one_kind_each(void **state) {
  (void)state;
  static const struct {
    int error;
    ts_admin_failure_t failure;
  } cases[] = {
      {0, TS_ADMIN_NO_FAILURE},
      {TS_ENOTMODIFIED, TS_ADMIN_NO_FAILURE},
      {TS_ENOTFOUND, TS_ADMIN_NOT_FOUND},
      {TS_EFORBIDDEN, TS_ADMIN_FORBIDDEN},
      {TS_ETIMEDOUT, TS_ADMIN_TRANSPORT},
      {TS_ECERTEXPIRED, TS_ADMIN_TRANSPORT},
      {TS_EPROTO, TS_ADMIN_TRANSPORT},
      {TS__ECANCELED, TS_ADMIN_TRANSPORT},
      {TS_ECLOSED, TS_ADMIN_TRANSPORT},
      {-ECONNREFUSED, TS_ADMIN_TRANSPORT},
      {TS__EINVAL, TS_ADMIN_INVALID_ARGUMENT},
      {TS_ECONFIRMATION, TS_ADMIN_CONFIRMATION},
      {TS_ECURSOR, TS_ADMIN_OTHER},
      {TS__ENOMEM, TS_ADMIN_OTHER},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_int_equal(ts_admin_failure(cases[i].error), cases[i].failure);
    assert_string_not_equal(ts_admin_failure_name(cases[i].failure), "unknown");
  }
  assert_string_equal(ts_admin_failure_name((ts_admin_failure_t)99), "unknown");
}

/* An answer beyond the bound is cut off, and the client goes on. */
static void test_endless_answer(void **state) {
  (void)state;
  static char piece[65536];
  memset(piece, ' ', sizeof piece);
  assert_int_equal(
      ts_admin_get_workspace(fixture.admin, "w", NULL, on_workspace, &fixture),
      0);
  admin_take(&fixture);
  bool open = fake_pipe_deliver_text(
      fixture.pipe, "HTTP/1.1 200 OK\r\nContent-Length: 20971520\r\n\r\n");
  for (size_t sent = 0; open && sent < 20971520; sent += sizeof piece) {
    open = fake_pipe_deliver(fixture.pipe, (ts__str_t){piece, sizeof piece});
  }
  assert_false(open);
  assert_int_equal(fixture.reply->error, TS_EPROTO);
  assert_int_equal(fixture.reply->failure, TS_ADMIN_TRANSPORT);
  assert_true(fixture.heap.peak_bytes < 4 * TS__MAX_ADMIN_BODY);
  assert_int_equal(get(200, "", "{\"id\":\"w\"}")->error, 0);
}

/* So is one that is nested without an end. */
static void test_deep_answer(void **state) {
  (void)state;
  char *deep = malloc(20001);
  assert_non_null(deep);
  memset(deep, '[', 10000);
  memset(deep + 10000, ']', 10000);
  deep[20000] = '\0';
  assert_int_equal(get(200, "", deep)->failure, TS_ADMIN_DECODE);
  assert_int_equal(get(500, "", deep)->failure, TS_ADMIN_SERVER_FAULT);
  assert_int_equal(get(200, "", "{\"id\":\"w\"}")->error, 0);
  free(deep);
}

/* A list has a bound of its own. */
static void test_long_list(void **state) {
  (void)state;
  const size_t count = TS__MAX_ADMIN_ITEMS + 1;
  char *body = malloc(count * 3 + 32);
  assert_non_null(body);
  size_t len = (size_t)sprintf(body, "{\"workspaces\":[{}");
  for (size_t i = 1; i < count; i++) {
    memcpy(body + len, ",{}", 3);
    len += 3;
  }
  strcpy(body + len, "]}");
  assert_int_equal(
      ts_admin_list_workspaces(fixture.admin, NULL, on_workspaces, &fixture),
      0);
  admin_take(&fixture);
  admin_answer(&fixture, 200, body);
  assert_int_equal(fixture.reply->failure, TS_ADMIN_DECODE);
  assert_string_equal(fixture.reply->field, "workspaces");
  free(body);
}

/* No body where one was expected is a success without a value. */
static void test_no_body(void **state) {
  (void)state;
  assert_int_equal(get(204, "", NULL)->error, 0);
  assert_null(fixture.value.any);
  assert_int_equal(get(200, "", NULL)->error, 0);
  assert_null(fixture.value.any);
  assert_int_equal(
      ts_admin_list_workspaces(fixture.admin, NULL, on_workspaces, &fixture),
      0);
  admin_take(&fixture);
  admin_answer(&fixture, 204, NULL);
  assert_int_equal(fixture.value.workspaces->count, 0);
}

/* 304 without a condition is a status like any other. */
static void test_not_modified_unasked(void **state) {
  (void)state;
  const ts_admin_reply_t *reply = get(304, "", NULL);
  assert_int_equal(reply->error, TS_EHTTP);
  assert_int_equal(reply->failure, TS_ADMIN_OTHER);
  assert_string_equal(reply->message, "Not Modified");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_not_found),
      TEST(test_kinds_by_status),
      TEST(test_refused_creation),
      TEST(test_rate_limited),
      TEST(test_rate_limited_without_a_word),
      TEST(test_retry_after),
      TEST(test_empty_error),
      TEST(test_error_not_json),
      TEST(test_long_error_body),
      TEST(test_error_member),
      TEST(test_request_id),
      TEST(test_success_not_json),
      TEST(test_success_of_another_shape),
      TEST(test_wrong_member),
      TEST(test_text),
      TEST(test_one_kind_each),
      TEST(test_endless_answer),
      TEST(test_deep_answer),
      TEST(test_long_list),
      TEST(test_no_body),
      TEST(test_not_modified_unasked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
