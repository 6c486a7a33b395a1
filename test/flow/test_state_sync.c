/* SPDX-License-Identifier: Apache-2.0 */
/* The state stream as a whole client sees it: what events do to the cache, and
 * how a lost connection comes back. Jitter is zero unless a test seeds it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
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

static void assert_state(const char *name, ts_breaker_state_t expected,
                         double rate) {
  ts_state_t breaker;
  assert_int_equal(ts_client_get_state(fixture.client, name, &breaker), 0);
  assert_string_equal(breaker.name, name);
  assert_int_equal(breaker.state, expected);
  assert_true(breaker.allow_rate == rate);
}

static bool deliver(fake_pipe_t *stream, const char *text) {
  return fake_stream_deliver(stream, ts__str(text));
}

/* one request, with the key and for an event stream, starts the sync. */
static void test_stream_request(void **state) {
  (void)state;
  fixture_start(&fixture);
  fake_transport_accept_all(&fixture.transport);
  assert_int_equal(connections(), 1);
  const fake_request_t *request =
      fake_pipe_take_request(fake_transport_last(&fixture.transport));
  assert_string_equal(request->method, "GET");
  assert_string_equal(request->target, "/v1/projects/p1/breakers/state:stream");
  assert_string_equal(fake_request_header(request, "Authorization"),
                      "Bearer eb_pk_1");
  assert_string_equal(fake_request_header(request, "Accept"),
                      "text/event-stream");
  assert_string_equal(fake_request_header(request, "Cache-Control"),
                      "no-cache");
}

/* the first event is in the cache when ready comes. */
static void test_ready(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_int_equal(fixture.ready_count, 0);
  assert_true(fake_event(stream, "db", "closed", "1.0"));
  assert_state("db", TS_BREAKER_CLOSED, 1.0);
  assert_int_equal(fixture.ready_count, 1);
  assert_int_equal(fixture.ready_status, 0);
  assert_true(ts_client_is_synced(fixture.client));
}

/* events count with the service's name, and without any. */
static void test_event_names(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(deliver(stream,
                      "data: {\"breaker\":\"a\",\"state\":\"open\"}\n\n"
                      "event: state\n"
                      "data: {\"breaker\":\"b\",\"state\":\"open\"}\n\n"));
  assert_state("a", TS_BREAKER_OPEN, 0.0);
  assert_state("b", TS_BREAKER_OPEN, 0.0);
}

/* somebody else's event is none of ours, and no mistake. */
static void test_foreign_event(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(deliver(stream, "event: ping\ndata: {}\n\n"));
  assert_int_equal(fixture.ready_count, 0);
  assert_int_equal(fixture.log_counts[TS_LOG_ERROR], 0);
  assert_int_equal(fixture_stats(&fixture).last_sse_event_ms, 0);
}

/* A-029 A-030: only the step from one seen state to another is told, once. */
static void test_change_is_told(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(fake_event(stream, "db", "closed", "1.0"));
  assert_int_equal(fixture.change_count, 0);
  assert_true(fake_event(stream, "db", "open", NULL));
  assert_state("db", TS_BREAKER_OPEN, 0.0);
  assert_int_equal(fixture.change_count, 1);
  assert_string_equal(fixture.changed, "db");
  assert_int_equal(fixture.changed_from, TS_BREAKER_CLOSED);
  assert_int_equal(fixture.changed_to, TS_BREAKER_OPEN);
  assert_int_equal(fixture.log_counts[TS_LOG_INFO], 1);
}

/* A-031 A-032: the same state again is no change, nor is another rate. */
static void test_rate_is_no_change(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(fake_event(stream, "a", "open", NULL));
  assert_true(fake_event(stream, "a", "open", NULL));
  assert_true(fake_event(stream, "b", "half_open", "0.2"));
  assert_true(fake_event(stream, "b", "half_open", "0.4"));
  assert_state("b", TS_BREAKER_HALF_OPEN, 0.4);
  assert_int_equal(fixture.change_count, 0);
}

/* A-033 A-035: a half-open breaker without a rate lets nothing through, and an
 * operator hears of it; leaving the member out is the same as null. */
static void test_half_open_without_rate(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  const int before = fixture.log_counts[TS_LOG_WARN];
  assert_true(fake_event(stream, "a", "half_open", NULL));
  assert_state("a", TS_BREAKER_HALF_OPEN, 0.0);
  assert_int_equal(fixture.log_counts[TS_LOG_WARN], before + 1);
  assert_true(
      deliver(stream, "data: {\"breaker\":\"b\",\"state\":\"half_open\"}\n\n"));
  assert_state("b", TS_BREAKER_HALF_OPEN, 0.0);
  assert_int_equal(fixture.log_counts[TS_LOG_WARN], before + 2);
}

/* where the rate does not matter, its absence does not either. */
static void test_open_without_rate(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  const int before = fixture.log_counts[TS_LOG_WARN];
  assert_true(fake_event(stream, "a", "open", NULL));
  assert_true(fake_event(stream, "b", "closed", NULL));
  assert_int_equal(fixture.log_counts[TS_LOG_WARN], before);
}

/* a rate that is no probability is brought to the nearest that is. */
static void test_rate_is_clamped(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  const int before = fixture.log_counts[TS_LOG_WARN];
  assert_true(fake_event(stream, "a", "half_open", "-0.5"));
  assert_true(fake_event(stream, "b", "half_open", "1.7"));
  assert_state("a", TS_BREAKER_HALF_OPEN, 0.0);
  assert_state("b", TS_BREAKER_HALF_OPEN, 1.0);
  assert_int_equal(fixture.log_counts[TS_LOG_WARN], before + 2);
}

/* a rate that is no number spoils its event, not what is known. */
static void test_rate_of_text(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(fake_event(stream, "a", "closed", "1"));
  assert_true(fake_event(stream, "a", "half_open", "\"0.5\""));
  assert_state("a", TS_BREAKER_CLOSED, 1.0);
  assert_int_equal(fixture.log_counts[TS_LOG_ERROR], 1);
  assert_true(fixture_stats(&fixture).sse_connected);
}

/* nonsense is reported and passed over; the connection goes on. */
static void test_malformed_event(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(deliver(stream, "event: state\ndata: {\"breaker\n\n"));
  assert_int_equal(fixture.log_counts[TS_LOG_ERROR], 1);
  assert_true(fake_event(stream, "a", "open", NULL));
  assert_state("a", TS_BREAKER_OPEN, 0.0);
  assert_int_equal(connections(), 1);
}

/* JSON of another shape is as good as no event. */
static void test_events_of_other_shape(void **state) {
  (void)state;
  static const char *const data[] = {
      "data: []\n\n",
      "data: {}\n\n",
      "data: {\"breaker\":\"b\"}\n\n",
      "data: {\"breaker\":\"\",\"state\":\"open\"}\n\n",
      "data: {\"breaker\":7,\"state\":\"open\"}\n\n",
      "data: null\n\n",
  };
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  for (size_t i = 0; i < sizeof data / sizeof data[0]; i++) {
    assert_true(deliver(stream, data[i]));
  }
  const ts_stats_t stats = fixture_stats(&fixture);
  assert_int_equal(stats.last_sse_event_ms, 0);
  assert_int_equal(stats.cached_breakers, 0);
  assert_true(stats.sse_connected);
  assert_int_equal(fixture.ready_count, 0);
  assert_int_equal(fixture.log_counts[TS_LOG_ERROR], 5);
}

/* a state we have no word for is told as unknown and rules nothing. */
static void test_unknown_state(void **state) {
  (void)state;
  ts_rejection_t rejection;
  fixture.options.fail_open = false;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(fake_event(stream, "a", "closed", "1"));
  assert_true(fake_event(stream, "a", "weird", "1"));
  assert_state("a", TS_BREAKER_UNKNOWN, 1.0);
  assert_int_equal(fixture.change_count, 1);
  assert_int_equal(fixture.changed_from, TS_BREAKER_CLOSED);
  assert_int_equal(fixture.changed_to, TS_BREAKER_UNKNOWN);
  assert_true(fixture_logged(&fixture, "to=unknown"));
  assert_int_equal(fixture_gate(&fixture, "a", &rejection), TS_EOPEN);
  assert_int_equal(rejection.reason, TS_REASON_UNKNOWN);
}

/* Asks everything of the client that told it, and then ends it. */
static void on_change_use_all(ts_client_t *client, const char *breaker,
                              ts_breaker_state_t from, ts_breaker_state_t to,
                              double allow_rate) {
  ts_state_t breaker_state;
  ts_states_t *all = NULL;
  (void)allow_rate;
  assert_int_equal(ts_client_get_state(client, breaker, &breaker_state), 0);
  assert_int_equal(breaker_state.state, to);
  assert_int_not_equal(from, to);
  assert_int_equal(ts_client_copy_states(client, &all), 0);
  assert_int_equal(all->count, 1);
  ts_states_free(all);
  fixture_report(&fixture, 1);
  fixture_shutdown(&fixture, 0);
}

/* the callback finds the client usable, and may close it; what else
 * stood in the same bytes is not read any more. */
static void test_change_callback_uses_client(void **state) {
  (void)state;
  fixture.options.on_state_change = on_change_use_all;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(fake_event(stream, "a", "closed", "1"));
  assert_false(deliver(stream,
                       "data: {\"breaker\":\"a\",\"state\":\"open\"}\n\n"
                       "data: {\"breaker\":\"a\",\"state\":\"closed\"}\n\n"));
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.close_count, 1);
  assert_int_equal(fixture.close_status, TS_ETIMEDOUT);
  assert_int_equal(fixture.final.dropped_samples, 1);
}

/* the copy of all states is the caller's own. */
static void test_copy_of_all_states(void **state) {
  (void)state;
  ts_states_t *all = NULL;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(fake_event(stream, "a", "open", NULL));
  assert_true(fake_event(stream, "b", "half_open", "0.5"));
  assert_int_equal(ts_client_copy_states(fixture.client, &all), 0);
  assert_true(fake_event(stream, "a", "closed", "1"));
  assert_int_equal(all->count, 2);
  const size_t a = strcmp(all->items[0].name, "a") == 0 ? 0 : 1;
  assert_string_equal(all->items[a].name, "a");
  assert_int_equal(all->items[a].state, TS_BREAKER_OPEN);
  assert_string_equal(all->items[1 - a].name, "b");
  assert_true(all->items[1 - a].allow_rate == 0.5);
  ts_states_free(all);
}

/* what nobody told is not found. */
static void test_unknown_name(void **state) {
  (void)state;
  ts_state_t breaker;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(fake_event(stream, "a", "open", NULL));
  assert_int_equal(ts_client_get_state(fixture.client, "b", &breaker),
                   TS_ENOTFOUND);
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

/* what a new snapshot leaves out is forgotten after a while, silently.
 */
static void test_removed_breaker(void **state) {
  (void)state;
  ts_state_t breaker;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(fake_event(stream, "a", "closed", "1"));
  assert_true(fake_event(stream, "b", "open", NULL));
  fake_stream_end(stream);
  fake_env_advance_ms(&fixture.env, 1000);
  assert_true(fake_event(stream_again(), "a", "closed", "1"));
  fake_env_advance_ms(&fixture.env, 29999);
  assert_int_equal(fixture_stats(&fixture).cached_breakers, 2);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(fixture_stats(&fixture).cached_breakers, 1);
  assert_int_equal(ts_client_get_state(fixture.client, "b", &breaker),
                   TS_ENOTFOUND);
  assert_int_equal(fixture.change_count, 0);
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
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(deliver(stream, "event: odd\ndata: {\"breaker\":\"a\",\"st"));
  fake_pipe_end(stream, TS__ECONNRESET);
  fake_env_advance_ms(&fixture.env, 1000);
  assert_true(deliver(stream_again(),
                      "data: {\"breaker\":\"b\",\"state\":\"open\"}\n\n"));
  assert_state("b", TS_BREAKER_OPEN, 0.0);
  assert_int_equal(fixture_stats(&fixture).cached_breakers, 1);
  assert_int_equal(fixture.log_counts[TS_LOG_ERROR], 0);
}

/* A name with a line break in it breaks no line of the log. */
static void test_name_in_log(void **state) {
  (void)state;
  const char *const names[] = {"a\nb"};
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(fake_event(stream, "a\\nb", "closed", "1"));
  assert_true(fake_event(stream, "a\\nb", "open", NULL));
  assert_state("a\nb", TS_BREAKER_OPEN, 0.0);
  assert_int_equal(ts_client_allow(fixture.client, names, 1, NULL), TS_EOPEN);
  fake_stream_end(stream);
  fake_env_advance_ms(&fixture.env, 1000);
  assert_true(fake_event(stream_again(), "c", "closed", "1"));
  fake_env_advance_ms(&fixture.env, 30000);
  assert_true(fixture_logged(&fixture, "changed its state breaker=a?b"));
  assert_true(fixture_logged(&fixture, "rejected a call breaker=a?b"));
  assert_true(fixture_logged(&fixture, "no longer reported breaker=a?b"));
  assert_false(fixture_logged(&fixture, "a\nb"));
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

static void deliver_open(fake_pipe_t *stream, const char *name) {
  char text[2 * TS__MAX_BREAKER_NAME];
  snprintf(text, sizeof text,
           "data: {\"breaker\":\"%s\",\"state\":\"open\"}\n\n", name);
  assert_true(deliver(stream, text));
}

/* An event beyond the limit is passed over, and so is a name beyond its own;
 * the connection stays. A-022 */
static void test_oversized(void **state) {
  (void)state;
  static char data[70 * 1024];
  char name[TS__MAX_BREAKER_NAME + 2];
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  memset(data, 'x', sizeof data - 1);
  memcpy(data, "data: ", 6);
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  const int before = fixture.log_counts[TS_LOG_WARN];
  for (int i = 0; i < 2; i++) {
    assert_true(deliver(stream, data));
    assert_true(deliver(stream, "\n\n"));
  }
  assert_int_equal(fixture.log_counts[TS_LOG_WARN], before + 1);
  deliver_open(stream, name);
  assert_int_equal(fixture.ready_count, 0);
  deliver_open(stream, name + 1);
  assert_int_equal(fixture_stats(&fixture).cached_breakers, 1);
}

/* However the network cuts the bytes of an answer, they say the same. A-020
 * */
static void test_any_split(void **state) {
  (void)state;
  const ts__str_t bytes = TS__STR(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
      "Transfer-Encoding: chunked\r\n\r\n"
      "17\r\n: hi\r\n\r\ndata: {\"breaker\r\n"
      "28\r\n\":\"a\",\"state\":\"open\",\"allow_rate\":null}\n\r\n"
      "3c\r\n\nevent: state\ndata:{\"breaker\":\"b\","
      "\ndata: \"state\":\"closed\"}\n\n\r\n");
  for (size_t step = 1; step <= bytes.len; step++) {
    fixture_start(&fixture);
    fake_pipe_t *stream = fixture_find(&fixture, STREAM);
    assert_true(fake_pipe_deliver_split(stream, bytes, step));
    assert_state("a", TS_BREAKER_OPEN, 0.0);
    assert_state("b", TS_BREAKER_CLOSED, 0.0);
    assert_int_equal(fixture.log_counts[TS_LOG_ERROR], 0);
    fixture_end(&fixture);
    fixture_init(&fixture);
  }
}

/* Without memory an event cannot be applied; then the connection is given up,
 * since only a new snapshot can tell what it said. */
static void test_event_without_memory(void **state) {
  (void)state;
  ts_state_t breaker;
  for (size_t n = 1; n <= 20; n++) {
    fake_pipe_t *stream = fixture_start_stream(&fixture);
    assert_true(fake_event(stream, "a", "closed", "1"));
    heap_fail(&fixture.heap, n, 1);
    fake_event(stream, "new", "open", NULL);
    const bool is_known =
        ts_client_get_state(fixture.client, "new", &breaker) == 0;
    assert_true(is_known || !fixture_stats(&fixture).sse_connected);
    assert_true(is_known || fixture.heap.failed == 1);
    heap_fail(&fixture.heap, 0, 0);
    fixture_end(&fixture);
    fixture_init(&fixture);
  }
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
      TEST(test_stream_request),
      TEST(test_ready),
      TEST(test_event_names),
      TEST(test_foreign_event),
      TEST(test_change_is_told),
      TEST(test_rate_is_no_change),
      TEST(test_half_open_without_rate),
      TEST(test_open_without_rate),
      TEST(test_rate_is_clamped),
      TEST(test_rate_of_text),
      TEST(test_malformed_event),
      TEST(test_events_of_other_shape),
      TEST(test_unknown_state),
      TEST(test_change_callback_uses_client),
      TEST(test_copy_of_all_states),
      TEST(test_unknown_name),
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
      TEST(test_removed_breaker),
      TEST(test_close_in_backoff),
      TEST(test_no_key),
      TEST(test_refusal_with_body),
      TEST(test_new_connection_resets_parser),
      TEST(test_name_in_log),
      TEST(test_attempts_are_limited),
      TEST(test_oversized),
      TEST(test_any_split),
      TEST(test_event_without_memory),
      TEST(test_retry_field),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
