/* SPDX-License-Identifier: Apache-2.0 */
/* Explicit requests: the status and the two lists, each way they can end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/fixture.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

/* What a callback was told. */
typedef struct answer_s {
  int count;
  ts_reply_t reply; /* its texts are gone */
  char etag[64];
  char request_id[64];
  ts_status_t status;
  ts_metadata_t *list;
} answer_t;

static fixture_t fixture;
static answer_t answer;

static int setup(void **state) {
  (void)state;
  fixture_init(&fixture);
  answer = (answer_t){0};
  return 0;
}

static int teardown(void **state) {
  (void)state;
  ts_metadata_unref(answer.list);
  fixture_end(&fixture);
  return 0;
}

static void keep_reply(const ts_reply_t *reply) {
  answer.count++;
  answer.reply = *reply;
  snprintf(answer.etag, sizeof answer.etag, "%s",
           reply->etag != NULL ? reply->etag : "");
  snprintf(answer.request_id, sizeof answer.request_id, "%s",
           reply->request_id != NULL ? reply->request_id : "");
}

static void on_status(ts_client_t *client, const ts_reply_t *reply,
                      const ts_status_t *status, void *arg) {
  (void)client;
  assert_ptr_equal(arg, &answer);
  assert_int_equal(status == NULL, reply->error != 0);
  keep_reply(reply);
  if (status != NULL) {
    answer.status = *status;
  }
}

static void on_list(ts_client_t *client, const ts_reply_t *reply,
                    ts_metadata_t *list, void *arg) {
  (void)client;
  assert_ptr_equal(arg, &answer);
  assert_int_equal(list == NULL, reply->error != 0);
  keep_reply(reply);
  ts_metadata_unref(answer.list);
  answer.list = list != NULL ? ts_metadata_ref(list) : NULL;
}

static fake_pipe_t *ask_status(void) {
  assert_int_equal(
      ts_client_get_status(fixture.client, NULL, 0, on_status, &answer), 0);
  fake_pipe_t *pipe = fixture_find(&fixture, "/status");
  assert_non_null(pipe);
  return pipe;
}

/* the counts and the moment of the last evaluation. */
static void test_status(void **state) {
  (void)state;
  fixture_start(&fixture);
  fake_respond(ask_status(),
               OK_HEAD "ETag: W/\"s1\"\r\nX-Request-ID: req-9\r\n",
               "{\"open_count\":2,\"closed_count\":7,"
               "\"last_eval_ms\":1700000000123,\"new\":[]}");
  assert_int_equal(answer.count, 1);
  assert_int_equal(answer.reply.error, 0);
  assert_int_equal(answer.reply.http_status, 200);
  assert_string_equal(answer.etag, "W/\"s1\"");
  assert_string_equal(answer.request_id, "req-9");
  assert_int_equal(answer.status.open_count, 2);
  assert_int_equal(answer.status.closed_count, 7);
  assert_true(answer.status.has_last_eval);
  assert_int_equal(answer.status.last_eval_ms, 1700000000123);
}

/* before the first evaluation there is no such moment. */
static void test_status_never_evaluated(void **state) {
  (void)state;
  static const char *const bodies[] = {
      "{\"open_count\":0,\"closed_count\":1}",
      "{\"open_count\":0,\"closed_count\":1,\"last_eval_ms\":null}"};
  fixture_start(&fixture);
  for (int i = 0; i < 2; i++) {
    fake_respond(ask_status(), OK_HEAD, bodies[i]);
    assert_int_equal(answer.count, i + 1);
    assert_int_equal(answer.reply.error, 0);
    assert_false(answer.status.has_last_eval);
  }
}

/* each kind of refusal is told apart. */
static void test_status_refused(void **state) {
  (void)state;
  static const struct {
    int status;
    int error;
  } cases[] = {
      {401, TS_EUNAUTHORIZED}, {403, TS_EUNAUTHORIZED}, {404, TS_ENOTFOUND},
      {429, TS_ERATELIMITED},  {500, TS_ESERVER},       {503, TS_ESERVER},
      {304, TS_ENOTMODIFIED},  {409, TS_EHTTPCONFLICT}, {400, TS_EVALIDATION},
      {422, TS_EVALIDATION},   {302, TS_EHTTP},         {204, TS_EHTTP},
  };
  fixture_start(&fixture);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    fake_respond_status(ask_status(), cases[i].status);
    assert_int_equal(answer.count, i + 1);
    assert_int_equal(answer.reply.error, cases[i].error);
    assert_int_equal(answer.reply.http_status, cases[i].status);
  }
}

/* no connection is libuv's own code, and no status. */
static void test_status_no_answer(void **state) {
  (void)state;
  fixture_start(&fixture);
  assert_int_equal(
      ts_client_get_status(fixture.client, NULL, 0, on_status, &answer), 0);
  fake_pipe_end(fake_transport_last(&fixture.transport), -ECONNREFUSED);
  assert_int_equal(answer.reply.error, -ECONNREFUSED);
  assert_int_equal(answer.reply.http_status, 0);
  fake_pipe_end(ask_status(), 0);
  assert_int_equal(answer.reply.error, TS__ECONNRESET);
  fake_pipe_deliver_text(ask_status(), "no HTTP at all\r\n\r\n");
  assert_int_equal(answer.reply.error, TS_EPROTO);
  fake_respond(ask_status(), OK_HEAD, "{\"open_count\":1}");
  assert_int_equal(answer.reply.error, TS_EPARSE);
  assert_int_equal(answer.count, 4);
}

/* A body that ends with its connection is complete. */
static void test_body_without_length(void **state) {
  (void)state;
  fixture_start(&fixture);
  fake_pipe_t *pipe = ask_status();
  fake_pipe_deliver_text(pipe, OK_HEAD "\r\n{\"open_count\":3,"
                                       "\"closed_count\":4}");
  assert_int_equal(answer.count, 0);
  fake_pipe_end(pipe, 0);
  assert_int_equal(answer.count, 1);
  assert_int_equal(answer.status.open_count, 3);
}

/* An answer beyond the bound is refused, and takes no more memory than that. */
static void test_endless_body(void **state) {
  (void)state;
  static char piece[65536];
  memset(piece, ' ', sizeof piece);
  fixture_start(&fixture);
  fake_pipe_t *pipe = ask_status();
  size_t sent = 0;
  bool open = fake_pipe_deliver_text(pipe, OK_HEAD "\r\n");
  for (; open && sent < 2 * TS__MAX_BODY; sent += sizeof piece) {
    open = fake_pipe_deliver(pipe, (ts__str_t){piece, sizeof piece});
  }
  assert_false(open);
  assert_int_equal(sent, TS__MAX_BODY + sizeof piece);
  assert_int_equal(answer.reply.error, TS_EPROTO);
  assert_true(fixture.heap.peak_bytes < 3 * TS__MAX_BODY);
}

/* A request has the time it was given, and by default the client's. */
static void test_limits(void **state) {
  (void)state;
  fixture_start(&fixture);
  ask_status();
  fake_env_advance_ms(&fixture.env, 29999);
  assert_int_equal(answer.count, 0);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(answer.reply.error, TS_ETIMEDOUT);
  assert_int_equal(ts_client_list_routers_metadata(fixture.client, NULL, 250,
                                                   on_list, &answer),
                   0);
  fake_env_advance_ms(&fixture.env, 250);
  assert_int_equal(answer.count, 2);
  assert_int_equal(answer.reply.error, TS_ETIMEDOUT);
}

/* The ETag goes out as it was given, and the key with it. */
static void test_request_headers(void **state) {
  (void)state;
  fixture_start(&fixture);
  assert_int_equal(ts_client_list_breakers_metadata(fixture.client, "W/\"b1\"",
                                                    0, on_list, &answer),
                   0);
  fake_pipe_t *pipe = fixture_find(&fixture, "/breakers/metadata");
  const fake_request_t *request = fake_pipe_take_request(pipe);
  assert_string_equal(request->method, "GET");
  assert_string_equal(fake_request_header(request, "If-None-Match"),
                      "W/\"b1\"");
  assert_string_equal(fake_request_header(request, "Authorization"),
                      "Bearer eb_pk_1");
  fake_respond_status(pipe, 304);
  assert_int_equal(answer.reply.error, TS_ENOTMODIFIED);
}

/* A list can be kept, and does not fill the client's cache. */
static void test_list(void **state) {
  (void)state;
  fixture_start(&fixture);
  assert_int_equal(ts_client_list_routers_metadata(fixture.client, NULL, 0,
                                                   on_list, &answer),
                   0);
  fake_respond(fixture_find(&fixture, "/routers/metadata"),
               OK_HEAD "ETag: \"r7\"\r\n",
               "{\"routers\":[{\"id\":\"1\",\"name\":\"eu\"}]}");
  assert_int_equal(answer.reply.error, 0);
  assert_string_equal(answer.etag, "\"r7\"");
  assert_int_equal(ts_metadata_count(answer.list), 1);
  assert_string_equal(ts_metadata_item(answer.list, 0)->name, "eu");
  assert_null(ts_client_copy_routers_metadata(fixture.client));
}

/* What cannot be asked is refused at once, and nothing is sent. */
static void test_invalid_requests(void **state) {
  (void)state;
  ts_client_t *client = NULL;
  fixture.options.api_key = NULL;
  fixture_start(&fixture);
  client = fixture.client;
  assert_int_equal(ts_client_get_status(client, NULL, 0, NULL, NULL),
                   TS__EINVAL);
  assert_int_equal(ts_client_get_status(client, "a\r\nb", 0, on_status, NULL),
                   TS__EINVAL);
  assert_int_equal(ts_client_get_status(client, NULL, -1, on_status, NULL),
                   TS__EINVAL);
  assert_int_equal(ts_client_get_status(client, NULL, 0, on_status, NULL),
                   TS_EUNAUTHORIZED);
  assert_int_equal(fake_transport_count(&fixture.transport), 0);
}

/* A closing client ends its requests, before the close callback. */
static void test_closed(void **state) {
  (void)state;
  fixture_start(&fixture);
  ask_status();
  assert_int_equal(ts_client_list_breakers_metadata(fixture.client, NULL, 0,
                                                    on_list, &answer),
                   0);
  fixture_shutdown(&fixture, 5000);
  assert_int_equal(answer.count, 0);
  assert_int_equal(
      ts_client_get_status(fixture.client, NULL, 0, on_status, &answer),
      TS_ECLOSED);
  fake_env_turn(&fixture.env);
  assert_int_equal(answer.count, 2);
  assert_int_equal(answer.reply.error, TS_ECLOSED);
  assert_int_equal(fixture.close_count, 1);
}

/* Too many at once are refused; the bound is not used up for ever. */
static void test_many_requests(void **state) {
  (void)state;
  fixture_start(&fixture);
  for (unsigned i = 0; i < TS__MAX_REQUESTS; i++) {
    ask_status();
  }
  assert_int_equal(
      ts_client_get_status(fixture.client, NULL, 0, on_status, &answer),
      TS__ENOBUFS);
  fake_respond_status(fixture_find(&fixture, "/status"), 404);
  fake_respond_status(ask_status(), 404);
  assert_int_equal(answer.count, 2);
}

static void on_status_close(ts_client_t *client, const ts_reply_t *reply,
                            const ts_status_t *status, void *arg) {
  (void)client;
  on_status(client, reply, status, arg);
  fixture_shutdown(&fixture, 0);
}

/* A request's callback may close the client it came from. */
static void test_close_inside(void **state) {
  (void)state;
  fixture_start(&fixture);
  ask_status();
  assert_int_equal(
      ts_client_get_status(fixture.client, NULL, 0, on_status_close, &answer),
      0);
  fake_respond(fixture_find(&fixture, "/status"), OK_HEAD,
               "{\"open_count\":0,\"closed_count\":0}");
  assert_int_equal(answer.count, 1);
  fake_env_turn(&fixture.env);
  assert_int_equal(answer.count, 2);
  assert_int_equal(answer.reply.error, TS_ECLOSED);
  assert_int_equal(fixture.close_count, 1);
}

static void on_status_ask(ts_client_t *client, const ts_reply_t *reply,
                          const ts_status_t *status, void *arg) {
  on_status(client, reply, status, arg);
  assert_int_equal(ts_client_get_status(client, NULL, 0, on_status, arg), 0);
}

/* A request's callback may ask again. */
static void test_ask_inside(void **state) {
  (void)state;
  fixture_start(&fixture);
  assert_int_equal(
      ts_client_get_status(fixture.client, NULL, 0, on_status_ask, &answer), 0);
  fake_respond_status(fixture_find(&fixture, "/status"), 500);
  fake_respond_status(fixture_find(&fixture, "/status"), 404);
  assert_int_equal(answer.count, 2);
  assert_int_equal(answer.reply.error, TS_ENOTFOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_status),
      TEST(test_status_never_evaluated),
      TEST(test_status_refused),
      TEST(test_status_no_answer),
      TEST(test_body_without_length),
      TEST(test_endless_body),
      TEST(test_limits),
      TEST(test_request_headers),
      TEST(test_list),
      TEST(test_invalid_requests),
      TEST(test_closed),
      TEST(test_many_requests),
      TEST(test_close_inside),
      TEST(test_ask_inside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
