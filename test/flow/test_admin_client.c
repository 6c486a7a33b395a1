/* SPDX-License-Identifier: Apache-2.0 */
/* The admin client: what every request is like, options, life, time, ends. */
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

static admin_fixture_t fixture;

static int setup(void **state) {
  (void)state;
  admin_fixture_init(&fixture);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  admin_fixture_end(&fixture);
  return 0;
}

static void start(void) { assert_int_equal(admin_fixture_new(&fixture), 0); }

static int list(const ts_admin_request_t *request) {
  return ts_admin_list_workspaces(fixture.admin, request, on_workspaces,
                                  &fixture);
}

/* ADM-1: without a base URL it is the service's own, else the one given. */
static void test_base_url(void **state) {
  (void)state;
  fixture.options.base_url = NULL;
  start();
  assert_int_equal(list(NULL), 0);
  const fake_pipe_t *pipe = fake_transport_last(&fixture.transport);
  assert_string_equal(pipe->host, "api.tripswitch.dev");
  assert_int_equal(pipe->port, 443);
  assert_true(pipe->tls);
  admin_expect(&fixture, "GET", "/v1/workspaces", NULL);
  assert_string_equal(admin_header(&fixture, "Host"), "api.tripswitch.dev");
}

/* ADM-1, ADM-2: a prefix is kept, and any number of slashes behind it is one. */
static void test_base_url_slashes(void **state) {
  (void)state;
  fixture.options.base_url = "http://127.0.0.1:8080/eu///";
  start();
  assert_int_equal(list(NULL), 0);
  admin_expect(&fixture, "GET", "/eu/v1/workspaces", NULL);
  assert_string_equal(admin_header(&fixture, "Host"), "127.0.0.1:8080");
}

/* ADM-3, ADM-5: a GET has the key, says what it takes, and has no body. */
static void test_headers_of_a_get(void **state) {
  (void)state;
  start();
  assert_int_equal(list(NULL), 0);
  admin_expect(&fixture, "GET", "/v1/workspaces", NULL);
  assert_string_equal(admin_header(&fixture, "Authorization"),
                      "Bearer eb_admin_1");
  assert_string_equal(admin_header(&fixture, "Accept"), "application/json");
  assert_null(admin_header(&fixture, "Content-Type"));
  assert_null(admin_header(&fixture, "Content-Length"));
  assert_null(admin_header(&fixture, "X-Contract-Version"));
}

/* ADM-4: without a key there is no such header. */
static void test_no_key(void **state) {
  (void)state;
  static const char *const keys[] = {NULL, ""};
  for (int i = 0; i < 2; i++) {
    admin_fixture_end(&fixture);
    admin_fixture_init(&fixture);
    fixture.options.api_key = keys[i];
    start();
    assert_int_equal(list(NULL), 0);
    admin_expect(&fixture, "GET", "/v1/workspaces", NULL);
    assert_null(admin_header(&fixture, "Authorization"));
  }
}

/* ADM-5: a POST with a body says what it is, a DELETE has none. */
static void test_headers_of_a_change(void **state) {
  (void)state;
  ts_admin_workspace_create_t input = TS_ADMIN_WORKSPACE_CREATE_INIT;
  input.name = "Dev";
  input.slug = "dev";
  start();
  assert_int_equal(ts_admin_create_workspace(fixture.admin, &input, NULL,
                                             on_workspace, &fixture),
                   0);
  admin_take(&fixture);
  assert_string_equal(admin_header(&fixture, "Content-Type"),
                      "application/json");
  assert_string_equal(admin_header(&fixture, "Content-Length"), "27");
  assert_int_equal(ts_admin_delete_workspace(fixture.admin, "w", NULL, NULL,
                                             on_nothing, &fixture),
                   0);
  admin_expect(&fixture, "DELETE", "/v1/workspaces/w", NULL);
  assert_null(admin_header(&fixture, "Content-Type"));
  assert_null(admin_header(&fixture, "Content-Length"));
}

/* ADM-6, ADM-7: a call's own headers arrive beside those of its options. */
static void test_request_options(void **state) {
  (void)state;
  static const ts_admin_header_t headers[] = {{"X-Custom", "a"},
                                              {"X-Other", "b\tc"}};
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  request.idempotency_key = "key-1";
  request.request_id = "req-1";
  request.headers = headers;
  request.header_count = 2;
  start();
  assert_int_equal(list(&request), 0);
  admin_take(&fixture);
  assert_string_equal(admin_header(&fixture, "Idempotency-Key"), "key-1");
  assert_string_equal(admin_header(&fixture, "X-Request-ID"), "req-1");
  assert_string_equal(admin_header(&fixture, "X-Custom"), "a");
  assert_string_equal(admin_header(&fixture, "X-Other"), "b\tc");
}

static size_t count_headers(const fake_request_t *request, const char *name) {
  size_t count = 0;
  for (size_t i = 0; i < request->header_count; i++) {
    count +=
        ts__str_eq_nocase(ts__str(request->headers[i].name), ts__str(name));
  }
  return count;
}

/* ADM-8: a header of the caller's is sent instead of ours, whatever its case,
 * also instead of an option's. */
static void test_replaced_headers(void **state) {
  (void)state;
  static const ts_admin_header_t headers[] = {{"accept", "text/plain"},
                                              {"x-request-id", "mine"},
                                              {"Authorization", "Basic x"}};
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  request.request_id = "req-1";
  request.headers = headers;
  request.header_count = 3;
  start();
  assert_int_equal(list(&request), 0);
  const fake_request_t *sent = admin_take(&fixture);
  assert_string_equal(admin_header(&fixture, "Accept"), "text/plain");
  assert_string_equal(admin_header(&fixture, "X-Request-ID"), "mine");
  assert_string_equal(admin_header(&fixture, "Authorization"), "Basic x");
  assert_int_equal(count_headers(sent, "Accept"), 1);
  assert_int_equal(count_headers(sent, "X-Request-ID"), 1);
  assert_int_equal(count_headers(sent, "Authorization"), 1);
}

static void refuses(const ts_admin_request_t *request, const char *member) {
  assert_int_equal(list(request), TS__EINVAL);
  assert_string_equal(ts_admin_invalid_member(fixture.admin), member);
  assert_non_null(strstr(fixture.log, member));
}

/* ADM-9: options that would be more than a header's value are refused before
 * anything is sent, and so are headers that are ours alone. */
static void test_invalid_options(void **state) {
  (void)state;
  static const ts_admin_header_t bad[] = {{"X-A", "1\r\nX-B: 2"},
                                          {"X-A", NULL},
                                          {"X\nA", "1"},
                                          {"X A", "1"},
                                          {"", "1"},
                                          {NULL, "1"},
                                          {"host", "x"},
                                          {"Content-Length", "1"},
                                          {"transfer-encoding", "chunked"}};
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  start();
  request.idempotency_key = "a\nb";
  refuses(&request, "idempotency_key");
  request.idempotency_key = NULL;
  request.request_id = "a\rb";
  refuses(&request, "request_id");
  request.request_id = NULL;
  request.if_none_match = "\"x\"\n";
  refuses(&request, "if_none_match");
  request.if_none_match = NULL;
  request.timeout_ms = -1;
  refuses(&request, "timeout_ms");
  request.timeout_ms = 0;
  request.header_count = 1;
  refuses(&request, "headers");
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    request.headers = &bad[i];
    refuses(&request, i < 2 ? "headers[0].value" : "headers[0].name");
  }
  assert_int_equal(fake_transport_count(&fixture.transport), 0);
}

/* Headers have their bounds: each, their number, and all together. */
static void test_header_bounds(void **state) {
  (void)state;
  static char value[4098];
  ts_admin_header_t headers[33];
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  memset(value, 'v', sizeof value - 1);
  for (size_t i = 0; i < 33; i++) {
    headers[i] = (ts_admin_header_t){"X-A", "1"};
  }
  start();
  request.headers = headers;
  request.header_count = 33;
  refuses(&request, "headers");
  request.header_count = 32;
  headers[31].value = value;
  refuses(&request, "headers[31].value");
  value[4096] = '\0';
  assert_int_equal(list(&request), 0);
  for (size_t i = 0; i < 32; i++) {
    headers[i].value = value;
  }
  refuses(&request, "headers");
}

/* ADM-10: a call's own limit ends it, once, and a late answer is nobody's. */
static void test_timeout(void **state) {
  (void)state;
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  request.timeout_ms = 10;
  start();
  assert_int_equal(list(&request), 0);
  admin_take(&fixture);
  fake_env_advance_ms(&fixture.env, 9);
  assert_int_equal(fixture.done_count, 0);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(fixture.done_count, 1);
  assert_int_equal(fixture.reply->error, TS_ETIMEDOUT);
  assert_int_equal(fixture.reply->failure, TS_ADMIN_TRANSPORT);
  assert_int_equal(fixture.reply->http_status, 0);
  assert_false(fake_pipe_is_live(fixture.pipe));
  fake_env_advance_ms(&fixture.env, 100);
  assert_int_equal(fixture.done_count, 1);
}

/* ADM-11: without an option a call has the client's time. */
static void test_default_timeout(void **state) {
  (void)state;
  start();
  assert_int_equal(list(NULL), 0);
  admin_take(&fixture);
  fake_env_advance_ms(&fixture.env, 29999);
  admin_answer(&fixture, 200, "{\"workspaces\":[]}");
  assert_int_equal(fixture.reply->error, 0);
  assert_int_equal(list(NULL), 0);
  admin_take(&fixture);
  fake_env_advance_ms(&fixture.env, 30000);
  assert_int_equal(fixture.reply->error, TS_ETIMEDOUT);
}

/* ADM-12: no connection is libuv's own code, and no status. */
static void test_refused(void **state) {
  (void)state;
  start();
  assert_int_equal(list(NULL), 0);
  fake_pipe_end(fake_transport_last(&fixture.transport), -ECONNREFUSED);
  assert_int_equal(fixture.reply->error, -ECONNREFUSED);
  assert_int_equal(fixture.reply->failure, TS_ADMIN_TRANSPORT);
  assert_int_equal(fixture.reply->http_status, 0);
  assert_true(strlen(fixture.reply->message) > 0);
  assert_false(fixture.reply->is_cancelled);
}

/* What cannot even begin is returned. */
static void test_cannot_open(void **state) {
  (void)state;
  start();
  fake_transport_fail_open(&fixture.transport, TS__ENOBUFS, 1);
  assert_int_equal(list(NULL), TS__ENOBUFS);
  assert_int_equal(list(NULL), 0);
}

/* ADM-13: half of a body is no answer. */
static void test_truncated(void **state) {
  (void)state;
  start();
  assert_int_equal(list(NULL), 0);
  admin_take(&fixture);
  fake_pipe_deliver_text(fixture.pipe,
                         "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n"
                         "{\"workspa");
  fake_pipe_end(fixture.pipe, 0);
  assert_int_equal(fixture.done_count, 1);
  assert_int_equal(fixture.reply->failure, TS_ADMIN_TRANSPORT);
  assert_int_equal(fixture.reply->http_status, 0);
}

/* ADM-14: a body in chunks is the same as one with a length. */
static void test_chunked(void **state) {
  (void)state;
  start();
  assert_int_equal(list(NULL), 0);
  admin_take(&fixture);
  fake_pipe_deliver_text(fixture.pipe,
                         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "a\r\n{\"workspac\r\n1f\r\n"
                         "es\":[{\"id\":\"w1\",\"name\":\"One\"}]}\r\n"
                         "0\r\n\r\n");
  assert_int_equal(fixture.reply->error, 0);
  assert_int_equal(fixture.value.workspaces->count, 1);
  assert_string_equal(fixture.value.workspaces->items[0].name, "One");
}

/* ADM-15: a cancelled call has one callback, later, that says so. */
static void test_cancel(void **state) {
  (void)state;
  uint64_t id = 0;
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  request.id = &id;
  start();
  assert_int_equal(list(&request), 0);
  assert_int_not_equal(id, 0);
  admin_take(&fixture);
  assert_int_equal(ts_admin_cancel(fixture.admin, id), 0);
  assert_int_equal(fixture.done_count, 0);
  assert_int_equal(ts_admin_cancel(fixture.admin, id), TS_ENOTFOUND);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.done_count, 1);
  assert_int_equal(fixture.reply->error, TS__ECANCELED);
  assert_int_equal(fixture.reply->failure, TS_ADMIN_TRANSPORT);
  assert_true(fixture.reply->is_cancelled);
  assert_int_equal(ts_admin_cancel(fixture.admin, id), TS_ENOTFOUND);
  assert_int_equal(ts_admin_resume(fixture.admin, id), TS_ENOTFOUND);
}

/* ADM-16: closing ends each call that is under way, before the last callback. */
static void test_close_with_calls(void **state) {
  (void)state;
  start();
  for (int i = 0; i < 5; i++) {
    assert_int_equal(list(NULL), 0);
  }
  assert_true(fixture.env.held);
  admin_fixture_close(&fixture);
  assert_int_equal(fixture.done_count, 0);
  assert_true(ts_admin_is_closing(fixture.admin));
  assert_int_equal(list(NULL), TS_ECLOSED);
  assert_int_equal(ts_admin_close(fixture.admin, NULL), TS__EALREADY);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.done_count, 5);
  assert_int_equal(fixture.reply->error, TS_ECLOSED);
  assert_int_equal(fixture.reply->failure, TS_ADMIN_TRANSPORT);
  assert_true(fixture.reply->is_cancelled);
  assert_int_equal(fixture.close_count, 1);
}

/* A call that was cancelled before the close has its callback once too. */
static void test_close_after_cancel(void **state) {
  (void)state;
  uint64_t id = 0;
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  request.id = &id;
  start();
  assert_int_equal(list(&request), 0);
  assert_int_equal(ts_admin_cancel(fixture.admin, id), 0);
  admin_fixture_close(&fixture);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.done_count, 1);
  assert_true(fixture.reply->is_cancelled);
}

typedef struct own_s {
  int count;
  char id[16];
} own_t;

static void on_own(ts_admin_t *admin, const ts_admin_reply_t *reply,
                   const ts_admin_workspace_t *value, void *arg) {
  own_t *own = arg;
  (void)admin;
  assert_int_equal(reply->error, 0);
  own->count++;
  snprintf(own->id, sizeof own->id, "%s", value->id);
}

/* ADM-17: twenty calls at once, answered in another order, keep apart. */
static void test_many_at_once(void **state) {
  (void)state;
  static own_t own[20];
  fake_pipe_t *pipes[20];
  char text[64];
  memset(own, 0, sizeof own);
  start();
  for (int i = 0; i < 20; i++) {
    snprintf(text, sizeof text, "w%d", i);
    assert_int_equal(
        ts_admin_get_workspace(fixture.admin, text, NULL, on_own, &own[i]), 0);
    snprintf(text, sizeof text, "/v1/workspaces/w%d", i);
    admin_expect(&fixture, "GET", text, NULL);
    pipes[i] = fixture.pipe;
  }
  for (int i = 19; i >= 0; i--) {
    snprintf(text, sizeof text, "{\"id\":\"w%d\"}", i);
    fake_respond(pipes[i], "HTTP/1.1 200 OK\r\n", text);
  }
  for (int i = 0; i < 20; i++) {
    snprintf(text, sizeof text, "w%d", i);
    assert_int_equal(own[i].count, 1);
    assert_string_equal(own[i].id, text);
  }
}

/* More than there can be at once are refused, not for ever. */
static void test_too_many(void **state) {
  (void)state;
  start();
  for (unsigned i = 0; i < TS__MAX_REQUESTS; i++) {
    assert_int_equal(list(NULL), 0);
  }
  assert_int_equal(list(NULL), TS__ENOBUFS);
  admin_take(&fixture);
  admin_answer(&fixture, 404, "{}");
  assert_int_equal(list(NULL), 0);
}

/* A read may go out on a kept connection; a change may not, since it would be
 * sent again if that had ended. */
static void test_connections(void **state) {
  (void)state;
  fixture.transport.keep_alive = true;
  start();
  for (int i = 0; i < 3; i++) {
    assert_int_equal(list(NULL), 0);
    admin_take(&fixture);
    admin_answer(&fixture, 200, "{}");
  }
  assert_int_equal(fake_transport_count(&fixture.transport), 1);
  assert_int_equal(ts_admin_delete_workspace(fixture.admin, "w", NULL, NULL,
                                             on_nothing, &fixture),
                   0);
  admin_take(&fixture);
  assert_int_equal(fake_transport_count(&fixture.transport), 2);
  fake_pipe_end(fixture.pipe, 0);
  assert_int_equal(fixture.reply->error, TS__ECONNRESET);
  admin_expect_nothing(&fixture);
}

static void on_close_inside(ts_admin_t *admin, const ts_admin_reply_t *reply,
                            const ts_admin_workspaces_t *value, void *arg) {
  on_workspaces(admin, reply, value, arg);
  admin_fixture_close(arg);
}

/* A callback may close its client, and the others' callbacks still come. */
static void test_close_inside(void **state) {
  (void)state;
  start();
  assert_int_equal(
      ts_admin_list_workspaces(fixture.admin, NULL, on_close_inside, &fixture),
      0);
  admin_take(&fixture);
  assert_int_equal(list(NULL), 0);
  admin_answer(&fixture, 200, "{\"workspaces\":[]}");
  assert_int_equal(fixture.done_count, 1);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.done_count, 2);
  assert_int_equal(fixture.close_count, 1);
}

static uint64_t other_id;

static void on_ask_and_cancel(ts_admin_t *admin, const ts_admin_reply_t *reply,
                              const ts_admin_workspaces_t *value, void *arg) {
  on_workspaces(admin, reply, value, arg);
  assert_int_equal(ts_admin_cancel(admin, other_id), 0);
  assert_int_equal(list(NULL), 0);
}

/* A callback may cancel another call and begin a new one. */
static void test_ask_inside(void **state) {
  (void)state;
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  request.id = &other_id;
  start();
  assert_int_equal(ts_admin_list_workspaces(fixture.admin, NULL,
                                            on_ask_and_cancel, &fixture),
                   0);
  admin_take(&fixture);
  fake_pipe_t *pipe = fixture.pipe;
  assert_int_equal(list(&request), 0);
  admin_take(&fixture);
  fake_respond(pipe, "HTTP/1.1 200 OK\r\n", "{}");
  assert_int_equal(fixture.done_count, 1);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.done_count, 2);
  assert_true(fixture.reply->is_cancelled);
  admin_expect(&fixture, "GET", "/v1/workspaces", NULL);
  admin_answer(&fixture, 200, "{}");
  assert_int_equal(fixture.done_count, 3);
}

/* A reply that was kept lives on after its client. */
static void test_kept_reply(void **state) {
  (void)state;
  start();
  assert_int_equal(list(NULL), 0);
  admin_take(&fixture);
  admin_answer_with(&fixture, 200, "X-Request-ID: r1\r\nETag: W/\"e\"\r\n",
                    "{\"workspaces\":[{\"id\":\"w1\"}]}");
  admin_fixture_close(&fixture);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.close_count, 1);
  assert_string_equal(fixture.value.workspaces->items[0].id, "w1");
  assert_string_equal(fixture.reply->request_id, "r1");
  assert_string_equal(fixture.reply->etag, "W/\"e\"");
}

static void refuses_option(const char *field) {
  fixture.log[0] = '\0';
  assert_int_equal(admin_fixture_new(&fixture), TS__EINVAL);
  assert_non_null(strstr(fixture.log, field));
}

/* Options that are no use make no client, and the log says which. */
static void test_client_options(void **state) {
  (void)state;
  const ts_admin_options_t good = fixture.options;
  fixture.options.base_url = "ftp://x";
  refuses_option("base_url");
  fixture.options = good;
  fixture.options.api_key = "a\nb";
  refuses_option("api_key");
  fixture.options = good;
  fixture.options.timeout_ms = 0;
  refuses_option("option=timeout_ms");
  fixture.options = good;
  fixture.options.connect_timeout_ms = TS_MAX_DURATION_MS + 1;
  refuses_option("connect_timeout_ms");
  fixture.options = good;
  fixture.options.cert_file = "x";
  refuses_option("cert_file");
  fixture.options = good;
  fixture.options.proxy_url = "socks5://x";
  refuses_option("proxy_url");
}

/* Behind a proxy requests name their whole target. */
static void test_proxy(void **state) {
  (void)state;
  fixture.options.proxy_url = "http://u:p@proxy.test:3128";
  start();
  assert_int_equal(list(NULL), 0);
  admin_expect(&fixture, "GET", "http://api.test/v1/workspaces", NULL);
  assert_string_equal(fixture.pipe->via_host, "proxy.test");
  assert_string_equal(admin_header(&fixture, "Proxy-Authorization"),
                      "Basic dTpw");
}

/* In a forked child nothing is asked, cancelled or closed. */
static void test_forked(void **state) {
  (void)state;
  uint64_t id = 0;
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  request.id = &id;
  start();
  assert_int_equal(list(&request), 0);
  fixture.env.env.fork.pid = 1; /* made by another process */
  assert_int_equal(list(NULL), TS_EFORKED);
  assert_int_equal(ts_admin_cancel(fixture.admin, id), TS_EFORKED);
  assert_int_equal(ts_admin_close(fixture.admin, NULL), TS_EFORKED);
  fixture.env.env.fork.pid = 0;
  assert_int_equal(fake_transport_count(&fixture.transport), 1);
}

/* Never does the log have the key. */
static void test_log_has_no_key(void **state) {
  (void)state;
  fixture.options.api_key = "eb_admin_verysecret";
  start();
  assert_int_equal(list(NULL), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 200, "{}");
  assert_non_null(strstr(fixture.log, "/workspaces"));
  assert_null(strstr(fixture.log, "verysecret"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_base_url),
      TEST(test_base_url_slashes),
      TEST(test_headers_of_a_get),
      TEST(test_no_key),
      TEST(test_headers_of_a_change),
      TEST(test_request_options),
      TEST(test_replaced_headers),
      TEST(test_invalid_options),
      TEST(test_header_bounds),
      TEST(test_timeout),
      TEST(test_default_timeout),
      TEST(test_refused),
      TEST(test_cannot_open),
      TEST(test_truncated),
      TEST(test_chunked),
      TEST(test_cancel),
      TEST(test_close_with_calls),
      TEST(test_close_after_cancel),
      TEST(test_many_at_once),
      TEST(test_too_many),
      TEST(test_connections),
      TEST(test_close_inside),
      TEST(test_ask_inside),
      TEST(test_kept_reply),
      TEST(test_client_options),
      TEST(test_proxy),
      TEST(test_forked),
      TEST(test_log_has_no_key),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
