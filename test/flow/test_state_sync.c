/* SPDX-License-Identifier: Apache-2.0 */
/* The state stream as a whole client sees it: what events do to the cache. */
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

static int setup(void **state) {
  (void)state;
  fixture_init(&fixture);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

static size_t connections(void) {
  return fake_transport_count(&fixture.transport);
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

/* So are very many, over some turns; a stream that is lost meanwhile leaves the
 * rest for the next one to say. */
static void test_many_removed_breakers(void **state) {
  (void)state;
  char name[16];
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  for (int i = 0; i < 1000; i++) {
    snprintf(name, sizeof name, "b%d", i);
    assert_true(fake_event(stream, name, "closed", "1"));
  }
  fake_stream_end(stream);
  fake_env_advance_ms(&fixture.env, 1000);
  stream = stream_again();
  assert_true(fake_event(stream, "b7", "closed", "1"));
  fake_env_advance_ms(&fixture.env, 29999);
  fixture.env.now_ns += TS__NS_PER_MS; /* without the turns that follow */
  fixture.env.env.on_wake(fixture.env.env.owner);
  assert_int_equal(fixture_stats(&fixture).cached_breakers, 1000 - 256);
  fake_env_step(&fixture.env);
  assert_int_equal(fixture_stats(&fixture).cached_breakers, 1000 - 2 * 256);
  fake_stream_end(stream);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture_stats(&fixture).cached_breakers, 1000 - 2 * 256);
  fake_env_advance_ms(&fixture.env, 3000);
  assert_true(fake_event(stream_again(), "b7", "closed", "1"));
  fake_env_advance_ms(&fixture.env, 30000);
  assert_int_equal(fixture_stats(&fixture).cached_breakers, 1);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* However many bad events a server sends, the log of one connection stays
 * short, and says that it was cut. */
static void test_bad_events_log_little(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  for (int i = 0; i < 100; i++) {
    assert_true(fake_stream_deliver(stream, TS__STR("data: nonsense\n\n")));
  }
  assert_int_equal(fixture.log_counts[TS_LOG_ERROR], 21);
  assert_true(fixture_logged(&fixture, "further lines like this"));
}

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
      TEST(test_removed_breaker),
      TEST(test_many_removed_breakers),
      TEST(test_name_in_log),
      TEST(test_oversized),
      TEST(test_any_split),
      TEST(test_event_without_memory),
      TEST(test_bad_events_log_little),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
