/* SPDX-License-Identifier: Apache-2.0 */
/* The figures: each tells what it says, at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/fixture.h"

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

static int64_t wall_ms(void) { return ts__wall_ms(&fixture.env.env); }

static bool has_state(const char *breaker) {
  ts_state_t found;
  return ts_client_get_state(fixture.client, breaker, &found) == 0;
}

/* an event sets the moment, and what is cached is counted. */
static void test_event(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(fixture_stats(&fixture).sse_connected);
  assert_int_equal(fixture_stats(&fixture).last_sse_event_ms, 0);
  fake_env_advance_ms(&fixture.env, 70);
  fake_event(stream, "a", "closed", NULL);
  fake_event(stream, "b", "open", NULL);
  fake_event(stream, "a", "open", NULL);
  const ts_stats_t stats = fixture_stats(&fixture);
  assert_int_equal(stats.last_sse_event_ms, wall_ms());
  assert_int_equal(stats.cached_breakers, 2);
  assert_true(stats.sse_connected);
  assert_int_equal(stats.sse_reconnects, 0);
}

/* neither a comment nor an event of another kind is an event. */
static void test_comment(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  fake_event(stream, "a", "closed", NULL);
  const int64_t before = wall_ms();
  fake_env_advance_ms(&fixture.env, 500);
  fake_stream_deliver(stream, TS__STR(": still here\n\n"));
  fake_stream_deliver(stream, TS__STR("event: ping\ndata: {}\n\n"));
  fake_stream_deliver(stream, TS__STR("data: {\"breaker\":\"a\"}\n\n"));
  assert_int_equal(fixture_stats(&fixture).last_sse_event_ms, before);
}

/* a delivery sets the moment, and empties the buffer. */
static void test_delivery(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_report(&fixture, 4);
  assert_int_equal(fixture_stats(&fixture).buffer_size, 4);
  assert_int_equal(fixture_stats(&fixture).last_successful_flush_ms, 0);
  assert_int_equal(ts_client_flush(fixture.client, 0, NULL, NULL), 0);
  fake_env_advance_ms(&fixture.env, 30);
  assert_int_equal(fixture_stats(&fixture).in_flight_samples, 4);
  assert_int_equal(fixture_stats(&fixture).inflight_batches, 1);
  fixture_answer(&fixture, 202);
  const ts_stats_t stats = fixture_stats(&fixture);
  assert_int_equal(stats.last_successful_flush_ms, wall_ms());
  assert_int_equal(stats.delivered_samples, 4);
  assert_int_equal(stats.buffer_size + stats.in_flight_samples, 0);
}

/* A failed attempt is no delivery. */
static void test_no_delivery(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_report(&fixture, 4);
  assert_int_equal(ts_client_flush(fixture.client, 0, NULL, NULL), 0);
  fixture_answer(&fixture, 400);
  assert_int_equal(fixture_stats(&fixture).last_successful_flush_ms, 0);
  assert_int_equal(fixture_stats(&fixture).flush_failures, 1);
}

/* a state is known as soon as its event came, while the response goes
 * on. */
static void test_state_while_open(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(fake_event(stream, "a", "open", NULL));
  assert_true(has_state("a"));
  fake_env_advance_ms(&fixture.env, 1000);
  assert_true(fake_pipe_is_live(stream));
  assert_true(has_state("a"));
}

/* Losses count, closing does not; the disconnection began when it began. */
static void test_reconnects(void **state) {
  (void)state;
  fixture_start(&fixture);
  const int64_t began = wall_ms();
  fake_pipe_end(fake_transport_last(&fixture.transport), -ECONNREFUSED);
  assert_int_equal(fixture_stats(&fixture).sse_reconnects, 1);
  fake_env_advance_ms(&fixture.env, 1000);
  fake_pipe_end(fake_transport_last(&fixture.transport), -ECONNREFUSED);
  ts_stats_t stats = fixture_stats(&fixture);
  assert_int_equal(stats.sse_reconnects, 2);
  assert_int_equal(stats.sse_down_since_ms, began);
  assert_false(stats.sse_connected);
  fake_env_advance_ms(&fixture.env, 2000);
  fake_pipe_t *stream = fixture_find(&fixture, "/breakers/state:stream");
  fake_respond_stream_head(stream, FAKE_STREAM_UNTIL_CLOSE);
  assert_int_equal(fixture_stats(&fixture).sse_down_since_ms, began);
  fake_event(stream, "a", "closed", NULL);
  assert_int_equal(fixture_stats(&fixture).sse_down_since_ms, 0);
  fixture_shutdown(&fixture, 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.final.sse_reconnects, 2);
}

/* A structure of another size is refused, or left alone behind what we know. */
static void test_size(void **state) {
  (void)state;
  ts_stats_t stats = TS_STATS_INIT;
  fixture_start(&fixture);
  stats.size--;
  assert_int_equal(ts_client_stats(fixture.client, &stats), TS__EINVAL);
  stats.size = sizeof stats + 8;
  assert_int_equal(ts_client_stats(fixture.client, &stats), 0);
  assert_int_equal(stats.size, sizeof stats + 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_event),
      TEST(test_comment),
      TEST(test_delivery),
      TEST(test_no_delivery),
      TEST(test_state_while_open),
      TEST(test_reconnects),
      TEST(test_size),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
