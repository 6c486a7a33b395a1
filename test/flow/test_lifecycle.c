/* SPDX-License-Identifier: Apache-2.0 */
/* Ready and close: each callback once, in order, and never late. */
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

static fixture_t fixture;
static char order[256]; /* what was called, as words */

static int setup(void **state) {
  (void)state;
  fixture_init(&fixture);
  order[0] = '\0';
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

static void note(const char *word, int status) {
  const size_t used = strlen(order);
  snprintf(order + used, sizeof order - used, "%s %s,", word,
           status == 0 ? "0" : ts_err_name(status));
}

static void on_ready(ts_client_t *client, int status) {
  (void)client;
  note("ready", status);
}

static void on_close(ts_client_t *client, int status) {
  (void)client;
  note("close", status);
  fixture.client = NULL;
}

static void on_flush(ts_client_t *client, int status, void *arg) {
  (void)client;
  note(arg, status);
}

/* Let the turns pass that are asked for, and assert that no time is needed to
 * close. */
static void assert_closes_at_once(int status) {
  const uint64_t now_ns = fixture.env.now_ns;
  const unsigned turns = fixture.env.turns;
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.close_count, 1);
  assert_int_equal(fixture.close_status, status);
  assert_int_equal(fixture.env.now_ns, now_ns);
  assert_in_range(fixture.env.turns - turns, 0, 5);
}

/* a stream without an event is no readiness, and the wait for one can
 * end without ending the client. */
static void test_ready_timeout(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  fake_env_advance_ms(&fixture.env, 9999);
  assert_int_equal(fixture.ready_count, 0);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(fixture.ready_count, 1);
  assert_int_equal(fixture.ready_status, TS_ETIMEDOUT);
  assert_false(ts_client_is_synced(fixture.client));
  fake_event(stream, "a", "open", NULL);
  assert_true(ts_client_is_synced(fixture.client));
  assert_int_equal(fixture.ready_count, 1);
}

/* Without a limit the ready callback waits for the event. */
static void test_ready_without_limit(void **state) {
  (void)state;
  fixture.options.init_timeout_ms = 0;
  fixture.options.sse_idle_timeout_ms = 0;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  fake_env_advance_ms(&fixture.env, 3600000);
  assert_int_equal(fixture.ready_count, 0);
  fake_event(stream, "a", "closed", NULL);
  assert_int_equal(fixture.ready_status, 0);
  assert_int_equal(fixture.ready_count, 1);
}

/* Without a key the client is ready on the next turn, not inside start. */
static void test_ready_without_key(void **state) {
  (void)state;
  fixture.options.api_key = NULL;
  fixture_start(&fixture);
  assert_int_equal(fixture.ready_count, 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.ready_count, 1);
  assert_int_equal(fixture.ready_status, 0);
}

/* a client that closes before it was ready says so, and then closes. */
static void test_close_before_ready(void **state) {
  (void)state;
  static const char *const keys[] = {"eb_pk_1", NULL};
  for (int i = 0; i < 2; i++) {
    fixture.options.api_key = keys[i];
    assert_int_equal(fixture_new(&fixture), 0);
    assert_int_equal(ts_client_start(fixture.client, on_ready), 0);
    assert_int_equal(ts_client_shutdown(fixture.client, 5000, on_close), 0);
    assert_string_equal(order, "");
    fake_env_turn(&fixture.env);
    assert_string_equal(order, "ready TS_ECLOSED,close 0,");
    teardown(NULL);
    setup(NULL);
  }
}

/* closing sends what is buffered. */
static void test_close_delivers(void **state) {
  (void)state;
  fixture_start_stream(&fixture);
  fixture_report(&fixture, 3);
  fixture_shutdown(&fixture, 5000);
  assert_int_equal(fixture_answer(&fixture, 202), 3);
  assert_closes_at_once(0);
  assert_int_equal(fixture.final.delivered_samples, 3);
  assert_int_equal(fixture.final.dropped_samples, 0);
}

/* many samples leave as batches of the usual size. */
static void test_close_in_batches(void **state) {
  (void)state;
  size_t total = 0;
  size_t count = 0;
  assert_int_equal(fixture_new(&fixture), 0);
  fixture_report(&fixture, 1200); /* buffered: nothing is started */
  fixture_shutdown(&fixture, 5000);
  while ((count = fixture_answer(&fixture, 202)) > 0) {
    assert_in_range(count, 1, 500);
    total += count;
  }
  assert_int_equal(total, 1200);
  assert_closes_at_once(0);
}

/* closing lets a request finish. */
static void test_close_waits_for_a_batch(void **state) {
  (void)state;
  fixture_batch_t batch;
  fixture_start(&fixture);
  fixture_report(&fixture, 500);
  assert_true(fixture_take_batch(&fixture, &batch));
  free(batch.json);
  fixture_shutdown(&fixture, 5000);
  fake_env_advance_ms(&fixture.env, 4000);
  assert_true(fake_pipe_is_live(batch.pipe));
  fake_respond_status(batch.pipe, 202);
  assert_closes_at_once(0);
  assert_int_equal(fixture.final.delivered_samples, 500);
}

/* at its limit closing gives up, and counts what it gave up. */
static void test_close_limit(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_report(&fixture, 700);
  fixture_shutdown(&fixture, 200);
  fake_env_advance_ms(&fixture.env, 199);
  assert_int_equal(fixture.close_count, 0);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(fixture.close_count, 1);
  assert_int_equal(fixture.close_status, TS_ETIMEDOUT);
  assert_int_equal(fixture.final.dropped_samples, 700);
  assert_int_equal(fixture.final.flush_failures, 2);
  fixture_check_books(&fixture, 700);
}

/* nothing to send: closing an open stream takes no time. */
static void test_close_idle_stream(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  fake_event(stream, "a", "closed", NULL);
  fake_env_advance_ms(&fixture.env, 60000);
  fixture_shutdown(&fixture, 5000);
  assert_false(fake_pipe_is_live(stream));
  assert_closes_at_once(0);
}

/* nor does closing while the stream waits to be opened again. */
static void test_close_in_backoff(void **state) {
  (void)state;
  fixture_start(&fixture);
  fake_pipe_end(fake_transport_last(&fixture.transport), -ECONNREFUSED);
  fixture_shutdown(&fixture, 5000);
  assert_closes_at_once(0);
  assert_int_equal(fake_transport_count(&fixture.transport), 1);
}

/* a second close joins the first. */
static void test_close_twice(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_report(&fixture, 2);
  fixture_shutdown(&fixture, 5000);
  fake_env_advance_ms(&fixture.env, 10);
  fixture_shutdown(&fixture, 60000);
  assert_int_equal(fixture_answer_all(&fixture, 202), 2);
  assert_int_equal(fixture.close_count, 2);
  assert_int_equal(fixture.close_status, 0);
}

/* so do thirty. */
static void test_close_often(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_report(&fixture, 1);
  for (int i = 0; i < 30; i++) {
    fixture_shutdown(&fixture, 5000 - i);
  }
  fake_env_advance_ms(&fixture.env, 4971);
  assert_int_equal(fixture.close_count, 30);
  assert_int_equal(fixture.close_status, TS_ETIMEDOUT);
}

/* A further close may shorten the limit, and not extend it. */
static void test_close_limits_combine(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_report(&fixture, 2);
  fixture_shutdown(&fixture, 5000);
  fixture_shutdown(&fixture, 300);
  fixture_shutdown(&fixture, 9000);
  fake_env_advance_ms(&fixture.env, 299);
  assert_int_equal(fixture.close_count, 0);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(fixture.close_count, 3);
  assert_int_equal(fixture.close_status, TS_ETIMEDOUT);
}

/* a closing client takes no calls, and counts a report it refuses. */
static void test_closing_refuses(void **state) {
  (void)state;
  ts_report_t report = TS_REPORT_INIT;
  report.router = "r1";
  report.metric = "m";
  fixture_start(&fixture);
  fixture_report(&fixture, 1);
  fixture_shutdown(&fixture, 5000);
  assert_true(ts_client_is_closing(fixture.client));
  assert_int_equal(fixture_begin(&fixture, NULL), TS_ECLOSED);
  assert_int_equal(fixture_execute(&fixture, NULL, 0), TS_ECLOSED);
  assert_int_equal(ts_report(fixture.client, &report), TS_ECLOSED);
  assert_int_equal(fixture_stats(&fixture).dropped_samples, 1);
  assert_int_equal(ts_client_flush(fixture.client, 0, on_flush, NULL),
                   TS_ECLOSED);
  assert_int_equal(ts_client_allow(fixture.client, NULL, 0, NULL), TS_ECLOSED);
  assert_int_equal(ts_client_start(fixture.client, NULL), TS_ECLOSED);
  fixture_check_books(&fixture, 2);
}

/* a client closes cleanly before it connected, and before it started. */
static void test_close_before_connect(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_shutdown(&fixture, 5000);
  assert_closes_at_once(0);
  teardown(NULL);
  setup(NULL);
  assert_int_equal(fixture_new(&fixture), 0);
  fixture_shutdown(&fixture, 5000);
  assert_closes_at_once(0);
}

static void on_ready_close(ts_client_t *client, int status) {
  on_ready(client, status);
  assert_int_equal(ts_client_shutdown(client, 0, on_close), 0);
}

/* the ready callback may close, whatever made it come. */
static void test_close_from_ready(void **state) {
  (void)state;
  assert_int_equal(fixture_new(&fixture), 0);
  assert_int_equal(ts_client_start(fixture.client, on_ready_close), 0);
  fake_pipe_t *stream = fixture_find(&fixture, "/breakers/state:stream");
  fake_respond_stream_head(stream, FAKE_STREAM_CHUNKED);
  assert_false(fake_event(stream, "a", "closed", NULL));
  fake_env_turn(&fixture.env);
  assert_string_equal(order, "ready 0,close 0,");
}

/* and so when its limit passed. */
static void test_close_from_ready_timeout(void **state) {
  (void)state;
  assert_int_equal(fixture_new(&fixture), 0);
  assert_int_equal(ts_client_start(fixture.client, on_ready_close), 0);
  fake_env_advance_ms(&fixture.env, 60000);
  assert_string_equal(order, "ready TS_ETIMEDOUT,close 0,");
}

static void on_change_close(ts_client_t *client, const char *breaker,
                            ts_breaker_state_t from, ts_breaker_state_t to,
                            double allow_rate) {
  (void)from;
  (void)allow_rate;
  assert_int_equal(ts_client_close(client, on_close), 0);
  assert_string_equal(breaker, "a"); /* still there */
  note(ts_breaker_state_name(to), 0);
}

/* the state callback may close; what the stream still had is dropped. */
static void test_close_from_change(void **state) {
  (void)state;
  static const char events[] =
      "data: {\"breaker\":\"a\",\"state\":\"open\"}\n\n"
      "data: {\"breaker\":\"a\",\"state\":\"closed\"}\n\n";
  fixture.options.on_state_change = on_change_close;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  fake_event(stream, "a", "closed", NULL);
  assert_false(fake_stream_deliver(stream, ts__str(events)));
  fake_env_turn(&fixture.env);
  assert_string_equal(order, "open 0,close 0,");
}

static void on_flush_close(ts_client_t *client, int status, void *arg) {
  on_flush(client, status, arg);
  assert_int_equal(ts_client_close(client, on_close), 0);
}

/* and a flush callback, among others that are due at once. */
static void test_close_from_flush(void **state) {
  (void)state;
  char first[] = "first";
  char second[] = "second";
  fixture_start(&fixture);
  fixture_report(&fixture, 1);
  assert_int_equal(ts_client_flush(fixture.client, 0, on_flush_close, first),
                   0);
  assert_int_equal(ts_client_flush(fixture.client, 0, on_flush, second), 0);
  fixture_answer(&fixture, 202);
  assert_string_equal(order, "first 0,second 0,close 0,");
}

static void on_close_again(ts_client_t *client, int status) {
  assert_int_equal(ts_client_shutdown(client, 0, on_close), TS_ECLOSED);
  assert_int_equal(ts_client_close(client, NULL), TS_ECLOSED);
  assert_ptr_equal(ts_client_get_data(client), &fixture);
  on_close(client, status);
}

/* The close callback is the last: nothing can be hung on behind it. */
static void test_close_inside_close(void **state) {
  (void)state;
  fixture_start(&fixture);
  assert_int_equal(ts_client_shutdown(fixture.client, 0, on_close_again), 0);
  fake_env_turn(&fixture.env);
  assert_string_equal(order, "close 0,");
}

/* Flushes that a closing client still owes are told so. */
static void test_close_ends_flushes(void **state) {
  (void)state;
  char flush[] = "flush";
  fixture_start(&fixture);
  fixture_report(&fixture, 1);
  assert_int_equal(ts_client_flush(fixture.client, 0, on_flush, flush), 0);
  assert_int_equal(ts_client_close(fixture.client, on_close), 0);
  fake_env_turn(&fixture.env);
  assert_string_equal(order, "flush TS_ECLOSED,close TS_ETIMEDOUT,");
}

/* A pause the service asked for is lifted for one attempt. */
static void test_close_lifts_the_pause(void **state) {
  (void)state;
  fixture_batch_t batch;
  fixture_start(&fixture);
  fixture_report(&fixture, 500);
  assert_true(fixture_take_batch(&fixture, &batch));
  free(batch.json);
  fake_respond(batch.pipe, "HTTP/1.1 429 No\r\nRetry-After: 60\r\n", NULL);
  fixture_report(&fixture, 20);
  fake_env_advance_ms(&fixture.env, 1000);
  fixture_shutdown(&fixture, 5000);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(fixture_answer_all(&fixture, 202), 520);
  assert_closes_at_once(0);
}

/* While closing, a retry that does not fit any more is not waited for. */
static void test_close_without_time_to_retry(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_report(&fixture, 5);
  fixture_shutdown(&fixture, 350);
  assert_int_equal(fixture_answer(&fixture, 503), 5);
  fake_env_advance_ms(&fixture.env, 100);
  assert_int_equal(fixture_answer(&fixture, 503), 5);
  assert_closes_at_once(TS_ETIMEDOUT);
  assert_int_equal(fixture.final.dropped_samples, 5);
}

/* The moves of the race of A-183. */
typedef enum move_e { MOVE_EVENT, MOVE_TIME, MOVE_CLOSE } move_t;

static void make_move(move_t move, fake_pipe_t *stream) {
  switch (move) {
  case MOVE_EVENT:
    if (fake_pipe_is_live(stream)) {
      fake_event(stream, "a", "closed", NULL);
    }
    break;
  case MOVE_TIME:
    fake_env_advance_ms(&fixture.env, 10000);
    break;
  case MOVE_CLOSE:
    fixture_shutdown(&fixture, 0);
    break;
  }
}

/* event, limit and close may come in any order; ready comes once. */
static void test_ready_race(void **state) {
  (void)state;
  static const move_t orders[6][3] = {
      {MOVE_EVENT, MOVE_TIME, MOVE_CLOSE}, {MOVE_EVENT, MOVE_CLOSE, MOVE_TIME},
      {MOVE_TIME, MOVE_EVENT, MOVE_CLOSE}, {MOVE_TIME, MOVE_CLOSE, MOVE_EVENT},
      {MOVE_CLOSE, MOVE_EVENT, MOVE_TIME}, {MOVE_CLOSE, MOVE_TIME, MOVE_EVENT}};
  static const int statuses[] = {
      0, 0, TS_ETIMEDOUT, TS_ETIMEDOUT, TS_ECLOSED, TS_ECLOSED};
  for (int i = 0; i < 6; i++) {
    fake_pipe_t *stream = fixture_start_stream(&fixture);
    for (int j = 0; j < 3; j++) {
      make_move(orders[i][j], stream);
    }
    fake_env_turn(&fixture.env);
    assert_int_equal(fixture.ready_count, 1);
    assert_int_equal(fixture.ready_status, statuses[i]);
    assert_int_equal(fixture.close_count, 1);
    teardown(NULL);
    setup(NULL);
  }
}

/* an open stream and an empty list mean ready, the list coming last. */
static void test_empty_project(void **state) {
  (void)state;
  fixture.options.metadata_sync_interval_ms = 30000;
  fixture_start_stream(&fixture);
  assert_int_equal(fixture.ready_count, 0);
  fixture_metadata(&fixture, "[]", "[]");
  assert_int_equal(fixture.ready_count, 1);
  assert_int_equal(fixture.ready_status, 0);
  assert_true(ts_client_is_synced(fixture.client));
}

/* or the stream. */
static void test_empty_project_stream_last(void **state) {
  (void)state;
  fixture.options.metadata_sync_interval_ms = 30000;
  fixture_start(&fixture);
  fixture_metadata(&fixture, "[]", "[]");
  assert_int_equal(fixture.ready_count, 0);
  fake_respond_stream_head(fixture_find(&fixture, "/breakers/state:stream"),
                           FAKE_STREAM_CHUNKED);
  assert_int_equal(fixture.ready_count, 1);
  fake_env_advance_ms(&fixture.env, 20000);
  assert_int_equal(fixture.ready_count, 1);
}

/* without polls a silent stream asks once, and A-162: only once. */
static void test_empty_project_without_polls(void **state) {
  (void)state;
  fixture_start_stream(&fixture);
  fake_env_advance_ms(&fixture.env, 999);
  assert_null(fixture_find(&fixture, "/breakers/metadata"));
  fake_env_advance_ms(&fixture.env, 1);
  fake_respond(fixture_find(&fixture, "/breakers/metadata"),
               "HTTP/1.1 200 OK\r\n", "{\"breakers\":[]}");
  assert_int_equal(fixture.ready_count, 1);
  assert_int_equal(fixture.ready_status, 0);
  assert_null(ts_client_copy_breakers_metadata(fixture.client));
  fake_env_advance_ms(&fixture.env, 100000);
  assert_int_equal(fixture_count(&fixture, "/breakers/metadata"), 1);
}

/* What is due keeps the loop alive; an idle client does not. */
static void test_holding_the_loop(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(fixture.env.held); /* ready is due */
  fake_event(stream, "a", "closed", NULL);
  assert_false(fixture.env.held);
  fixture_report(&fixture, 1);
  assert_false(fixture.env.held);
  assert_int_equal(ts_client_flush(fixture.client, 0, NULL, NULL), 0);
  assert_true(fixture.env.held);
  fixture_answer(&fixture, 202);
  assert_false(fixture.env.held);
  ts_client_ref(fixture.client);
  ts_client_ref(fixture.client);
  assert_true(fixture.env.held);
  ts_client_unref(fixture.client);
  assert_false(fixture.env.held);
  fixture_shutdown(&fixture, 1000);
  assert_true(fixture.env.held);
}

/* Starting twice is refused. */
static void test_start_twice(void **state) {
  (void)state;
  fixture_start(&fixture);
  assert_int_equal(ts_client_start(fixture.client, on_ready), TS__EALREADY);
  assert_int_equal(fake_transport_count(&fixture.transport), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_ready_timeout),
      TEST(test_ready_without_limit),
      TEST(test_ready_without_key),
      TEST(test_close_before_ready),
      TEST(test_close_delivers),
      TEST(test_close_in_batches),
      TEST(test_close_waits_for_a_batch),
      TEST(test_close_limit),
      TEST(test_close_idle_stream),
      TEST(test_close_in_backoff),
      TEST(test_close_twice),
      TEST(test_close_often),
      TEST(test_close_limits_combine),
      TEST(test_closing_refuses),
      TEST(test_close_before_connect),
      TEST(test_close_from_ready),
      TEST(test_close_from_ready_timeout),
      TEST(test_close_from_change),
      TEST(test_close_from_flush),
      TEST(test_close_inside_close),
      TEST(test_close_ends_flushes),
      TEST(test_close_lifts_the_pause),
      TEST(test_close_without_time_to_retry),
      TEST(test_ready_race),
      TEST(test_empty_project),
      TEST(test_empty_project_stream_last),
      TEST(test_empty_project_without_polls),
      TEST(test_holding_the_loop),
      TEST(test_start_twice),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
