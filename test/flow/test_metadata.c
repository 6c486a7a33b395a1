/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata polls: when they ask, with which ETag, and what each answer
 * does to the cache. */
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
#define BREAKERS "/breakers/metadata"
#define ROUTERS "/routers/metadata"
#define ONE_BREAKER "[{\"id\":\"b1\",\"name\":\"checkout\"}]"
#define ONE_ROUTER "[{\"id\":\"r1\",\"name\":\"eu\"}]"

static fixture_t fixture;

static int setup(void **state) {
  (void)state;
  fixture_init(&fixture);
  fixture.options.metadata_sync_interval_ms = 30000;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

/* Metadata requests of either kind so far. */
static size_t request_count(void) {
  fake_transport_accept_all(&fixture.transport);
  return fixture_count(&fixture, BREAKERS) + fixture_count(&fixture, ROUTERS);
}

/* The number of items cached, or -1 if there never was a list. */
static int cached(bool routers) {
  ts_metadata_t *list = routers
                            ? ts_client_copy_routers_metadata(fixture.client)
                            : ts_client_copy_breakers_metadata(fixture.client);
  const int count = list != NULL ? (int)ts_metadata_count(list) : -1;
  ts_metadata_unref(list);
  return count;
}

static void answer(const char *path, const char *head, const char *body) {
  fake_pipe_t *pipe = fixture_find(&fixture, path);
  assert_non_null(pipe);
  fake_respond(pipe, head, body);
}

static void answer_status(const char *path, int status) {
  fake_pipe_t *pipe = fixture_find(&fixture, path);
  assert_non_null(pipe);
  fake_respond_status(pipe, status);
}

/* The If-None-Match of the request under way, or NULL. */
static const char *etag_sent(const char *path) {
  fake_pipe_t *pipe = fixture_find(&fixture, path);
  assert_non_null(pipe);
  return fake_request_header(fake_pipe_take_request(pipe), "If-None-Match");
}

/* Start, and answer the first round with one item each. */
static void start_filled(void) {
  fixture_start(&fixture);
  fixture_metadata(&fixture, ONE_BREAKER, ONE_ROUTER);
  assert_int_equal(cached(false), 1);
  assert_int_equal(cached(true), 1);
}

/* both lists are asked for at the start, once, and kept. */
static void test_first_round(void **state) {
  (void)state;
  start_filled();
  fake_env_advance_ms(&fixture.env, 29999);
  assert_int_equal(request_count(), 2);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(request_count(), 3);
}

/* the ETag comes back as it was given, weak or not. */
static void test_etags(void **state) {
  (void)state;
  fixture_start(&fixture);
  assert_null(etag_sent(BREAKERS));
  answer(BREAKERS, OK_HEAD "ETag: \"b1\"\r\n", "{\"breakers\":[]}");
  assert_null(etag_sent(ROUTERS));
  answer(ROUTERS, OK_HEAD "ETag: W/\"x\"\r\n", "{\"routers\":[]}");
  fake_env_advance_ms(&fixture.env, 30000);
  assert_string_equal(etag_sent(BREAKERS), "\"b1\"");
  answer(BREAKERS, OK_HEAD, "{\"breakers\":[]}");
  assert_string_equal(etag_sent(ROUTERS), "W/\"x\"");
  answer_status(ROUTERS, 304);
  fake_env_advance_ms(&fixture.env, 30000);
  assert_null(etag_sent(BREAKERS)); /* the last answer had none */
}

/* "not modified" leaves the cache alone. */
static void test_not_modified(void **state) {
  (void)state;
  start_filled();
  fake_env_advance_ms(&fixture.env, 30000);
  answer_status(BREAKERS, 304);
  answer_status(ROUTERS, 304);
  assert_int_equal(cached(false), 1);
  assert_int_equal(cached(true), 1);
  assert_false(fixture_logged(&fixture, "could not be fetched"));
}

/* A "not modified" about a list we never had is a failure. */
static void test_not_modified_at_first(void **state) {
  (void)state;
  fixture_start(&fixture);
  answer_status(BREAKERS, 304);
  assert_int_equal(cached(false), -1);
  assert_true(fixture_logged(&fixture, "metadata could not be fetched"));
}

/* a failed first round costs nothing, and the next one is asked. */
static void test_failed_first_round(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_metadata(&fixture, NULL, NULL);
  assert_int_equal(cached(false), -1);
  assert_int_equal(cached(true), -1);
  assert_int_equal(fixture_execute(&fixture, NULL, 0), 0);
  fake_env_advance_ms(&fixture.env, 30000);
  fixture_metadata(&fixture, ONE_BREAKER, ONE_ROUTER);
  assert_int_equal(cached(false), 1);
}

/* a refused key is not tried again. */
static void test_refused_key(void **state) {
  (void)state;
  fixture_start(&fixture);
  answer_status(BREAKERS, 401);
  fake_env_advance_ms(&fixture.env, 3600000);
  assert_int_equal(request_count(), 1);
  assert_true(fixture_logged(&fixture, "no longer fetched"));
}

/* a key that is refused later ends the polls and keeps the lists. */
static void test_refused_later(void **state) {
  (void)state;
  start_filled();
  fake_env_advance_ms(&fixture.env, 30000);
  answer_status(BREAKERS, 304);
  answer_status(ROUTERS, 403);
  fake_env_advance_ms(&fixture.env, 3600000);
  assert_int_equal(request_count(), 4);
  assert_int_equal(cached(false), 1);
  assert_int_equal(cached(true), 1);
}

/* the routers do not depend on the breakers' answer. */
static void test_lists_are_independent(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_metadata(&fixture, NULL, ONE_ROUTER);
  assert_int_equal(cached(false), -1);
  assert_int_equal(cached(true), 1);
}

/* an ETag is kept with the list it belongs to, never without. */
static void test_broken_answer(void **state) {
  (void)state;
  fixture_start(&fixture);
  answer(BREAKERS, OK_HEAD "ETag: \"old\"\r\n",
         "{\"breakers\":" ONE_BREAKER "}");
  answer(ROUTERS, OK_HEAD "ETag: \"new\"\r\n", "{\"routers\":[");
  fake_env_advance_ms(&fixture.env, 30000);
  answer(BREAKERS, OK_HEAD "ETag: \"new\"\r\n", "{\"breakers\":7}");
  assert_null(etag_sent(ROUTERS));
  answer(ROUTERS, OK_HEAD, "{\"routers\":" ONE_ROUTER "}");
  fake_env_advance_ms(&fixture.env, 30000);
  assert_string_equal(etag_sent(BREAKERS), "\"old\"");
  answer(BREAKERS, OK_HEAD, "{\"breakers\":[]}");
  assert_int_equal(cached(false), 0);
  assert_int_equal(cached(true), 1);
}

/* absent, null and empty metadata are all no metadata; items and pairs
 * that are not what they should be are left out. */
static void test_odd_items(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_metadata(&fixture,
                   "[{\"id\":\"1\",\"name\":\"a\"},"
                   "{\"id\":\"2\",\"name\":\"b\",\"metadata\":null},"
                   "{\"id\":\"3\",\"name\":\"c\",\"metadata\":{}},"
                   "{\"id\":4,\"name\":\"d\"},"
                   "{\"id\":\"5\",\"name\":\"e\",\"metadata\":"
                   "{\"team\":\"x\",\"tier\":1}}]",
                   "null");
  ts_metadata_t *list = ts_client_copy_breakers_metadata(fixture.client);
  assert_int_equal(ts_metadata_count(list), 4);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(ts_metadata_item(list, i)->entry_count, 0);
  }
  assert_string_equal(ts_metadata_item(list, 3)->id, "5");
  assert_int_equal(ts_metadata_item(list, 3)->entry_count, 1);
  assert_string_equal(ts_metadata_value(ts_metadata_item(list, 3), "team"),
                      "x");
  ts_metadata_unref(list);
  assert_int_equal(cached(true), 0);
}

/* a list once handed out stays as it was, past a refresh and past the
 * client. */
static void test_snapshot_is_kept(void **state) {
  (void)state;
  start_filled();
  ts_metadata_t *list = ts_client_copy_breakers_metadata(fixture.client);
  fake_env_advance_ms(&fixture.env, 30000);
  fixture_metadata(&fixture, "[]", "[]");
  assert_int_equal(cached(false), 0);
  assert_string_equal(ts_metadata_item(list, 0)->name, "checkout");
  fixture_shutdown(&fixture, 0);
  fake_env_turn(&fixture.env);
  assert_string_equal(ts_metadata_item(list, 0)->name, "checkout");
  ts_metadata_unref(list);
}

/* without an interval there are no polls. */
static void test_switched_off(void **state) {
  (void)state;
  fixture.options.metadata_sync_interval_ms = -5;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  fake_event(stream, "a", "closed", NULL);
  fake_env_advance_ms(&fixture.env, 100000);
  assert_int_equal(request_count(), 0);
}

/* and without a key there are none either. */
static void test_no_key(void **state) {
  (void)state;
  fixture.options.api_key = NULL;
  fixture_start(&fixture);
  fake_env_advance_ms(&fixture.env, 100000);
  assert_int_equal(fake_transport_count(&fixture.transport), 0);
}

/* closing ends the round under way, and no other begins. */
static void test_close_ends_polls(void **state) {
  (void)state;
  start_filled();
  fake_env_advance_ms(&fixture.env, 30000);
  fixture_find(&fixture, BREAKERS);
  fixture_report(&fixture, 1);
  fixture_shutdown(&fixture, 60000);
  assert_null(fixture_find(&fixture, BREAKERS));
  fake_env_advance_ms(&fixture.env, 45000);
  assert_int_equal(request_count(), 3);
}

/* A tick that finds a round still running is left out: there is never more
 * than one request. */
static void test_slow_server(void **state) {
  (void)state;
  fixture.options.metadata_sync_interval_ms = 3000;
  fixture_start(&fixture);
  for (int i = 0; i < 100; i++) {
    fake_env_advance_ms(&fixture.env, 1000);
    fake_transport_accept_all(&fixture.transport);
    assert_true(fake_transport_live(&fixture.transport) <= 2);
  }
  assert_in_range(request_count(), 9, 11); /* 10 s each */
}

/* A Retry-After puts the next round off. */
static void test_retry_after(void **state) {
  (void)state;
  fixture_start(&fixture);
  answer(BREAKERS, "HTTP/1.1 429 No\r\nRetry-After: 45\r\n", NULL);
  answer_status(ROUTERS, 500);
  fake_env_advance_ms(&fixture.env, 44999);
  assert_int_equal(request_count(), 2);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(request_count(), 3);
}

static int select_breakers(const ts_metadata_t *breakers,
                           ts_selection_t *selection, void *context) {
  (void)context;
  assert_int_equal(ts_metadata_count(breakers), 1);
  return ts_selection_add(selection, ts_metadata_item(breakers, 0)->name);
}

/* while a refresh is under way the last good list serves getters and
 * selectors. */
static void test_during_a_refresh(void **state) {
  (void)state;
  ts_call_options_t options = TS_CALL_OPTIONS_INIT;
  options.select_breakers = select_breakers;
  start_filled();
  fake_env_advance_ms(&fixture.env, 30000);
  fake_pipe_t *pipe = fixture_find(&fixture, BREAKERS);
  fake_pipe_deliver_text(pipe, OK_HEAD "Content-Length: 15\r\n\r\n{\"brea");
  assert_int_equal(cached(false), 1);
  assert_int_equal(fixture_execute(&fixture, &options, 0), 0);
  fake_pipe_end(pipe, TS__ECONNRESET);
  assert_int_equal(cached(false), 1);
  assert_int_equal(fixture_execute(&fixture, &options, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_first_round),
      TEST(test_etags),
      TEST(test_not_modified),
      TEST(test_not_modified_at_first),
      TEST(test_failed_first_round),
      TEST(test_refused_key),
      TEST(test_refused_later),
      TEST(test_lists_are_independent),
      TEST(test_broken_answer),
      TEST(test_odd_items),
      TEST(test_snapshot_is_kept),
      TEST(test_switched_off),
      TEST(test_no_key),
      TEST(test_close_ends_polls),
      TEST(test_slow_server),
      TEST(test_retry_after),
      TEST(test_during_a_refresh),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
