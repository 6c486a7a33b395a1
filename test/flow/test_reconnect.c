/* SPDX-License-Identifier: Apache-2.0 */
/* How the state stream is connected, lost, and connected again. Jitter is zero
 * unless a test seeds it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/fixture.h"

#define STREAM "/breakers/state:stream"

static fixture_t fixture;

/* What the scripted server does with each request for the stream. */
static struct {
  fake_server_t server;
  const char *head; /* NULL: a stream's, and then the end */
  size_t requests;
  size_t events_in; /* a state event on the connection of this number */
} script;

static int setup(void **state) {
  (void)state;
  fixture_init(&fixture);
  memset(&script, 0, sizeof script);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

static void on_request(void *arg, fake_pipe_t *pipe,
                       const fake_request_t *request) {
  (void)arg;
  (void)request;
  script.requests++;
  if (script.head != NULL) {
    fake_respond(pipe, script.head, "{\"code\":\"x\"}");
  } else if (fake_respond_stream_head(pipe, FAKE_STREAM_UNTIL_CLOSE)) {
    fake_pipe_end(pipe, 0);
  }
}

/* From now on every request is answered like this. */
static void serve(const char *head) {
  if (script.server.transport == NULL) {
    fake_server_init(&script.server, &fixture.transport, NULL);
    script.server.on_request = on_request;
  }
  script.head = head;
}

static int64_t opened_at(size_t i) {
  const fake_pipe_t *pipe = fake_transport_pipe(&fixture.transport, i);
  assert_non_null(pipe);
  return pipe->opened_at_ms;
}

static size_t connections(void) {
  return fake_transport_count(&fixture.transport);
}

static void assert_opened_at(const int64_t *expected, size_t count) {
  assert_int_equal(connections(), count);
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(opened_at(i), expected[i]);
  }
}

/* Accept the newest connection and bring the stream up on it. */
static fake_pipe_t *stream_again(void) {
  fake_pipe_t *stream = fixture_find(&fixture, STREAM);
  assert_non_null(stream);
  assert_true(fake_respond_stream_head(stream, FAKE_STREAM_CHUNKED));
  return stream;
}

static bool deliver(fake_pipe_t *stream, const char *text) {
  return fake_stream_deliver(stream, ts__str(text));
}

/* the proper end of a stream is a loss like any other. */
static void test_clean_end(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(fake_event(stream, "a", "open", NULL));
  fake_stream_end(stream);
  const ts_stats_t stats = fixture_stats(&fixture);
  assert_false(stats.sse_connected);
  assert_int_equal(stats.sse_reconnects, 1);
  assert_int_equal(stats.sse_down_since_ms, FAKE_ENV_START_WALL_MS);
  assert_true(fixture_logged(&fixture, "warn state stream lost"));
  fake_env_advance_ms(&fixture.env, 999);
  assert_int_equal(connections(), 1);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(connections(), 2);
}

/* a server that closes at once is asked ever more rarely. */
static void test_backoff(void **state) {
  (void)state;
  const int64_t expected[] = {0, 1000, 3000, 7000, 15000, 30000, 60000};
  serve(NULL);
  fixture_start(&fixture);
  fake_env_advance_ms(&fixture.env, 70000);
  assert_opened_at(expected, 7);
}

/* jitter only ever adds, and not above its share. */
static void test_backoff_with_jitter(void **state) {
  (void)state;
  const int64_t steps[] = {1000, 2000, 4000, 8000, 15000, 30000, 30000};
  serve(NULL);
  fake_env_seed(&fixture.env, 7);
  fixture_start(&fixture);
  fake_env_advance_ms(&fixture.env, 140000);
  assert_in_range(connections(), 8, 9);
  for (size_t i = 0; i < 7; i++) {
    const int64_t wait = opened_at(i + 1) - opened_at(i);
    const int64_t jitter = i < 2 ? steps[i] : steps[i] / 2;
    assert_in_range(wait, steps[i], steps[i] + jitter);
  }
}

/* Five failures, then a stream that delivers and lasts this long. The wait
 * before the next attempt. */
static int64_t wait_after_life_of(int64_t ms) {
  fixture_start(&fixture);
  for (size_t i = 0; i < 5; i++) {
    fake_pipe_end(fake_transport_pipe(&fixture.transport, i), TS__ECONNRESET);
    while (connections() < i + 2) {
      assert_true(fake_env_advance_to_deadline(&fixture.env));
    }
  }
  fake_pipe_t *stream = stream_again();
  assert_true(fake_event(stream, "a", "closed", "1"));
  fake_env_advance_ms(&fixture.env, ms);
  const int64_t ended_ms = fake_env_elapsed_ms(&fixture.env);
  fake_stream_end(stream);
  fake_env_advance_ms(&fixture.env, 60000);
  return opened_at(6) - ended_ms;
}

/* a stream that delivered and lasted makes the wait short again. */
static void test_backoff_starts_over(void **state) {
  (void)state;
  assert_int_equal(wait_after_life_of(6000), 1000);
}

/* one that hardly lived does not. */
static void test_backoff_goes_on(void **state) {
  (void)state;
  assert_int_equal(wait_after_life_of(1000), 30000);
}

/* a connection of any age is replaced, however it ends. */
static void test_loss_after_long_life(void **state) {
  (void)state;
  fixture.options.sse_idle_timeout_ms = 0;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(fake_event(stream, "a", "closed", "1"));
  fake_env_advance_ms(&fixture.env, 16 * 60000);
  fake_stream_end(stream);
  fake_env_advance_ms(&fixture.env, 1000);
  stream = stream_again();
  assert_true(fake_event(stream, "a", "open", NULL));
  fake_env_advance_ms(&fixture.env, 16 * 60000);
  fake_pipe_end(stream, TS__ECONNRESET);
  fake_env_advance_ms(&fixture.env, 1000);
  stream_again();
  assert_int_equal(fixture_stats(&fixture).sse_reconnects, 2);
}

/* a refused key is tried again rarely, complained about once, and does
 * not keep ready from its time limit. */
static void test_refused_key(void **state) {
  (void)state;
  const int64_t expected[] = {0, 30000, 60000};
  serve("HTTP/1.1 401 Unauthorized\r\n");
  fixture_start(&fixture);
  fake_env_advance_ms(&fixture.env, 9999);
  assert_int_equal(fixture.ready_count, 0);
  fake_env_advance_ms(&fixture.env, 60000);
  assert_opened_at(expected, 3);
  assert_int_equal(fixture.log_counts[TS_LOG_ERROR], 1);
  assert_int_equal(fixture.ready_count, 1);
  assert_int_equal(fixture.ready_status, TS_ETIMEDOUT);
  serve("HTTP/1.1 403 Forbidden\r\n");
  fake_env_advance_ms(&fixture.env, 60000);
  assert_int_equal(fixture.log_counts[TS_LOG_ERROR], 2);
  assert_false(fixture_logged(&fixture, "eb_pk_1"));
}

/* a key that is made valid in time makes the client ready. */
static void test_refused_key_made_valid(void **state) {
  (void)state;
  fixture.options.init_timeout_ms = 60000;
  fixture_start(&fixture);
  fake_respond_status(fixture_find(&fixture, STREAM), 401);
  fake_env_advance_ms(&fixture.env, 30000);
  assert_true(fake_event(stream_again(), "a", "closed", "1"));
  assert_int_equal(fixture.ready_count, 1);
  assert_int_equal(fixture.ready_status, 0);
}

/* what may pass is tried again on the schedule. */
static void test_temporary_statuses(void **state) {
  (void)state;
  const int64_t expected[] = {0, 1000, 3000, 7000};
  serve("HTTP/1.1 500 Error\r\n");
  fixture_start(&fixture);
  fake_env_advance_ms(&fixture.env, 999);
  serve("HTTP/1.1 503 Unavailable\r\n");
  fake_env_advance_ms(&fixture.env, 1001);
  serve("HTTP/1.1 429 Slow\r\n");
  fake_env_advance_ms(&fixture.env, 6000);
  assert_opened_at(expected, 4);
  assert_int_equal(fixture_stats(&fixture).sse_reconnects, 4);
  assert_int_equal(fixture.log_counts[TS_LOG_ERROR], 0);
}

/* a server that names a time is given it, up to a minute. */
static void test_retry_after(void **state) {
  (void)state;
  const int64_t expected[] = {0, 20000, 80000};
  serve("HTTP/1.1 429 Slow\r\nRetry-After: 20\r\n");
  fixture_start(&fixture);
  fake_env_advance_ms(&fixture.env, 19000);
  serve("HTTP/1.1 503 Unavailable\r\nRetry-After: 86400\r\n");
  fake_env_advance_ms(&fixture.env, 70000);
  assert_opened_at(expected, 3);
}

/* a page of text is no stream. */
static void test_content_type(void **state) {
  (void)state;
  fixture_start(&fixture);
  fake_pipe_t *pipe = fixture_find(&fixture, STREAM);
  assert_false(
      fake_respond(pipe, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n",
                   "data: {\"breaker\":\"a\",\"state\":\"open\"}\n\n"));
  const ts_stats_t stats = fixture_stats(&fixture);
  assert_false(stats.sse_connected);
  assert_int_equal(stats.sse_reconnects, 1);
  assert_int_equal(stats.cached_breakers, 0);
}

/* the key goes nowhere but to the configured service. */
static void test_redirect(void **state) {
  (void)state;
  serve("HTTP/1.1 302 Found\r\nLocation: http://evil.test/\r\n");
  fixture_start(&fixture);
  fake_env_advance_ms(&fixture.env, 10000);
  assert_int_equal(connections(), 4);
  for (size_t i = 0; i < connections(); i++) {
    assert_string_equal(fake_transport_pipe(&fixture.transport, i)->host,
                        "api.test");
  }
}

/* a stream that fell silent is given up. */
static void test_silence(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(fake_event(stream, "a", "closed", "1"));
  fake_env_advance_ms(&fixture.env, 119999);
  assert_true(fixture_stats(&fixture).sse_connected);
  fake_env_advance_ms(&fixture.env, 1);
  assert_false(fixture_stats(&fixture).sse_connected);
  assert_false(fake_pipe_is_live(stream));
  fake_env_advance_ms(&fixture.env, 1000);
  assert_int_equal(connections(), 2);
}

/* a comment now and then shows that somebody is there. */
static void test_comments_keep_alive(void **state) {
  (void)state;
  fixture.options.sse_idle_timeout_ms = 15000;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  for (int i = 0; i < 60; i++) {
    fake_env_advance_ms(&fixture.env, 10000);
    assert_true(deliver(stream, ": here\n\n"));
  }
  assert_int_equal(fixture_stats(&fixture).sse_reconnects, 0);
  assert_int_equal(fixture_count(&fixture, STREAM), 1);
}

/* each connection begins with a snapshot, so none asks to resume. */
static void test_no_last_event_id(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(deliver(
      stream, "id: 42\ndata: {\"breaker\":\"a\",\"state\":\"open\"}\n\n"));
  fake_stream_end(stream);
  fake_env_advance_ms(&fixture.env, 1000);
  fake_pipe_t *again = fixture_find(&fixture, STREAM);
  assert_ptr_not_equal(again, stream);
  assert_null(
      fake_request_header(fake_pipe_take_request(again), "Last-Event-ID"));
}

/* a closed client connects no more. */
static void test_close_in_backoff(void **state) {
  (void)state;
  fake_stream_end(fixture_start_stream(&fixture));
  fixture_shutdown(&fixture, 0);
  fake_env_advance_ms(&fixture.env, 60000);
  assert_int_equal(fixture.close_count, 1);
  assert_int_equal(connections(), 1);
}

/* without a key nothing is read, and nothing is waited for. */
static void test_no_key(void **state) {
  (void)state;
  fixture.options.api_key = NULL;
  fixture.options.metadata_sync_interval_ms = 30000;
  fixture_start(&fixture);
  assert_int_equal(fixture.ready_count, 0);
  fake_env_advance_ms(&fixture.env, 60000);
  assert_int_equal(fixture.ready_count, 1);
  assert_int_equal(fixture.ready_status, 0);
  assert_int_equal(connections(), 0);
}

/* a refusal with a body costs one connection and one wait. */
static void test_refusal_with_body(void **state) {
  (void)state;
  fixture_start(&fixture);
  fake_pipe_t *pipe = fixture_find(&fixture, STREAM);
  assert_false(fake_pipe_deliver_text(pipe, "HTTP/1.1 500 Error\r\n"
                                            "Content-Length: 1000\r\n\r\nso"));
  assert_int_equal(fake_transport_live(&fixture.transport), 0);
  assert_int_equal(fixture_stats(&fixture).sse_reconnects, 1);
  fake_env_advance_ms(&fixture.env, 1000);
  assert_int_equal(connections(), 2);
  assert_int_equal(fake_transport_live(&fixture.transport), 1);
}

/* half an event dies with its connection. */
static void test_new_connection_resets_parser(void **state) {
  (void)state;
  ts_state_t breaker;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(deliver(stream, "event: odd\ndata: {\"breaker\":\"a\",\"st"));
  fake_pipe_end(stream, TS__ECONNRESET);
  fake_env_advance_ms(&fixture.env, 1000);
  assert_true(deliver(stream_again(),
                      "data: {\"breaker\":\"b\",\"state\":\"open\"}\n\n"));
  assert_int_equal(ts_client_get_state(fixture.client, "b", &breaker), 0);
  assert_int_equal(fixture_stats(&fixture).cached_breakers, 1);
  assert_int_equal(fixture.log_counts[TS_LOG_ERROR], 0);
}

/* Neither a connect nor an answer is waited for without end. */
static void test_attempts_are_limited(void **state) {
  (void)state;
  fixture_start(&fixture);
  fake_env_advance_ms(&fixture.env, 9999);
  assert_int_equal(fake_transport_live(&fixture.transport), 1);
  fake_env_advance_ms(&fixture.env, 1001);
  assert_int_equal(connections(), 2);
  assert_int_equal(opened_at(1), 11000);
  fake_transport_accept_all(&fixture.transport);
  fake_env_advance_ms(&fixture.env, 31999);
  assert_int_equal(connections(), 2);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(connections(), 3);
  assert_int_equal(fake_transport_live(&fixture.transport), 1);
}

/* A server may ask for another first wait. */
static void test_retry_field(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(deliver(stream, "retry: 5000\n\n"));
  fake_stream_end(stream);
  fake_env_advance_ms(&fixture.env, 4999);
  assert_int_equal(connections(), 1);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(connections(), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_clean_end),
      TEST(test_backoff),
      TEST(test_backoff_with_jitter),
      TEST(test_backoff_starts_over),
      TEST(test_backoff_goes_on),
      TEST(test_loss_after_long_life),
      TEST(test_refused_key),
      TEST(test_refused_key_made_valid),
      TEST(test_temporary_statuses),
      TEST(test_retry_after),
      TEST(test_content_type),
      TEST(test_redirect),
      TEST(test_silence),
      TEST(test_comments_keep_alive),
      TEST(test_no_last_event_id),
      TEST(test_close_in_backoff),
      TEST(test_no_key),
      TEST(test_refusal_with_body),
      TEST(test_new_connection_resets_parser),
      TEST(test_attempts_are_limited),
      TEST(test_retry_field),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
