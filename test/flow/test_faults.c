/* SPDX-License-Identifier: Apache-2.0 */
/* Long trouble in little time: a day without a server, a server that fails at
 * random, a wall clock that jumps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/draw.h"
#include "support/fixture.h"

#define HOUR_MS INT64_C(3600000)

static fixture_t fixture;
static fake_server_t server;
static ts__rng_t rng;     /* of the faults */
static bool is_away;      /* nobody listens */
static uint64_t taken;    /* samples given to the client */
static uint64_t accepted; /* samples the server has, each request once */

static int setup(void **state) {
  (void)state;
  fixture_init(&fixture);
  fixture.options.log_level = TS_LOG_ERROR;
  is_away = false;
  taken = 0;
  accepted = 0;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

static bool is_ingest(const fake_request_t *request) {
  return strstr(request->target, "/ingest") != NULL;
}

static void answer_stream(fake_pipe_t *pipe) {
  if (fake_respond_stream_head(pipe, FAKE_STREAM_CHUNKED)) {
    fake_event(pipe, "a", "closed", NULL);
  }
}

/* Samples one by one, full buffer or not. */
static void report(size_t count) {
  ts_report_t one = TS_REPORT_INIT;
  one.router = "r1";
  one.metric = "m";
  for (size_t i = 0; i < count; i++) {
    ts_report(fixture.client, &one);
  }
  taken += count;
}

/* --------------------------------------------------------- server is away */

static void on_open(void *arg, fake_pipe_t *pipe) {
  (void)arg;
  if (is_away) {
    fake_pipe_end(pipe, -ECONNREFUSED);
  } else {
    fake_pipe_accept(pipe);
  }
}

static void on_request(void *arg, fake_pipe_t *pipe,
                       const fake_request_t *request) {
  (void)arg;
  if (is_ingest(request)) {
    accepted += fixture_request_samples(request);
    fake_respond_status(pipe, 202);
  } else if (strstr(request->target, "metadata") != NULL) {
    fake_respond(pipe, "HTTP/1.1 200 OK\r\n", "{}");
  } else {
    answer_stream(pipe);
  }
}

static void start_served(void) {
  fake_server_init(&server, &fixture.transport, NULL);
  server.on_open = on_open;
  server.on_request = on_request;
  fixture_start(&fixture);
  fake_env_turn(&fixture.env);
}

/* Even without any jitter a day away costs few attempts, and the stream is
 * back within the longest wait. */
static void test_attempts_of_a_day(void **state) {
  (void)state;
  is_away = true;
  start_served();
  fake_env_advance_ms(&fixture.env, 24 * HOUR_MS);
  const size_t attempts = fake_transport_count(&fixture.transport);
  assert_in_range(attempts, 1900, 2900);
  assert_int_equal(fixture_stats(&fixture).sse_reconnects, attempts);
  is_away = false;
  fake_env_advance_ms(&fixture.env, 30000);
  assert_true(fixture_stats(&fixture).sse_connected);
  assert_int_equal(fake_transport_count(&fixture.transport), attempts + 1);
}

/* More samples at once than there is room for; memory held an hour later. */
static size_t burst(void) {
  report(25000);
  fixture_check_books(&fixture, taken);
  assert_int_equal(fixture_stats(&fixture).buffer_size, 10000);
  fake_env_advance_ms(&fixture.env, HOUR_MS);
  assert_int_equal(fixture_stats(&fixture).dropped_samples, taken);
  return fixture.heap.bytes;
}

/* A day of samples that nobody takes fills no memory, and is counted. */
static void test_samples_of_a_day(void **state) {
  (void)state;
  size_t after_an_hour = 0;
  fake_env_seed(&fixture.env, 7);
  is_away = true;
  start_served();
  for (int i = 0; i < 24 * 4; i++) {
    report(700);
    fake_env_advance_ms(&fixture.env, HOUR_MS / 4);
    fixture_check_books(&fixture, taken);
    if (i == 3) {
      after_an_hour = fixture.heap.bytes;
    }
  }
  assert_int_equal(fixture_stats(&fixture).dropped_samples, taken);
  assert_int_equal(fixture.heap.bytes, after_an_hour);
  const size_t after_burst = burst();
  assert_true(after_burst <= after_an_hour + ((size_t)256 << 10));
  assert_int_equal(burst(), after_burst);
  is_away = false;
  fake_env_advance_ms(&fixture.env, 45000);
  assert_true(fixture_stats(&fixture).sse_connected);
  report(10);
  fake_env_advance_ms(&fixture.env, 15000);
  assert_int_equal(fixture_stats(&fixture).delivered_samples, 10);
  assert_int_equal(accepted, 10);
}

/* Of more samples than fit, the first ones are those that arrive. */
static void test_overflow(void **state) {
  (void)state;
  fixture.options.api_key = NULL;
  fixture.options.buffer_capacity = 100;
  fixture.options.batch_size = 10;
  is_away = true;
  start_served();
  report(1000);
  assert_int_equal(fixture_stats(&fixture).buffer_size, 100);
  assert_int_equal(fixture_stats(&fixture).in_flight_samples, 40);
  assert_int_equal(fixture_stats(&fixture).dropped_samples, 860);
  is_away = false;
  fake_env_advance_ms(&fixture.env, 1000);
  assert_int_equal(fixture_stats(&fixture).delivered_samples, 140);
  fixture_check_books(&fixture, taken);
}

/* --------------------------------------------------------- random faults */

static uint64_t draw(uint64_t below) { return ts__rng_upto(&rng, below - 1); }

static void on_faulty_open(void *arg, fake_pipe_t *pipe) {
  (void)arg;
  switch (draw(8)) {
  case 0:
    fake_pipe_end(pipe, -ECONNREFUSED);
    return;
  case 1:
    return; /* asked again on the next turn */
  default:
    fake_pipe_accept(pipe);
  }
}

/* An answer to a batch that is taken, if it arrives. */
static void answer_taken(fake_pipe_t *pipe, size_t count) {
  accepted += count;
  switch (draw(6)) {
  case 0:
    fake_pipe_end(pipe, TS__ECONNRESET); /* taken, and the answer lost */
    return;
  case 1:
    if (fake_pipe_deliver_text(pipe, "HTTP/1.1 202 Acc")) {
      fake_pipe_end(pipe, 0);
    }
    return;
  default:
    fake_respond_status(pipe, 202);
  }
}

static void answer_status(fake_pipe_t *pipe, int status, size_t count) {
  char head[64];
  accepted += status == 200 ? count : 0;
  snprintf(head, sizeof head, "HTTP/1.1 %d Status\r\n%s", status,
           status == 429   ? "Retry-After: 3\r\n"
           : status == 503 ? "Retry-After: 1\r\n"
                           : "");
  fake_respond(pipe, head, NULL);
}

static void on_faulty_request(void *arg, fake_pipe_t *pipe,
                              const fake_request_t *request) {
  static const int statuses[] = {200, 302, 400, 401, 404, 408, 413,
                                 413, 413, 422, 429, 500, 503, 503};
  (void)arg;
  if (!is_ingest(request)) {
    answer_stream(pipe);
    return;
  }
  const size_t count = fixture_request_samples(request);
  const uint64_t what = draw(24);
  if (what < 8) {
    answer_taken(pipe, count);
  } else if (what == 8) {
    fake_pipe_end(pipe, TS__ECONNRESET);
  } else if (what == 9) {
    return; /* never answered */
  } else {
    answer_status(pipe, statuses[what - 10], count);
  }
}

/* At every turn: nothing is lost, and nothing is claimed. */
static bool on_turn(void *arg) {
  (void)arg;
  if (fixture.client != NULL) {
    fixture_check_books(&fixture, taken);
    assert_true(fixture_stats(&fixture).delivered_samples <= accepted);
    assert_true(fixture_stats(&fixture).inflight_batches <= 64);
  }
  return false;
}

static void lose_a_pipe(void) {
  size_t cursor = 0;
  fake_pipe_t *pipe = fake_transport_next_live(&fixture.transport, &cursor);
  if (pipe != NULL && pipe->state == FAKE_PIPE_OPEN) {
    fake_pipe_end(pipe, draw(2) == 0 ? 0 : TS__ECONNRESET);
  }
}

static void live_with_faults(uint64_t seed) {
  draw_seed(&rng, seed);
  fake_env_seed(&fixture.env, seed);
  fixture.options.batch_size = 1 + (int64_t)draw(200);
  fixture.options.buffer_capacity = 1000;
  fixture.options.gzip = draw(2) == 0;
  fake_env_add_hook(&fixture.env, on_turn, NULL);
  start_served();
  server.on_open = on_faulty_open;
  server.on_request = on_faulty_request;
  for (int round = 0; round < 60; round++) {
    report(draw(300));
    fake_env_advance_ms(&fixture.env, (int64_t)draw(4000));
    if (draw(4) == 0) {
      lose_a_pipe();
    }
    if (draw(10) == 0) {
      ts_client_flush(fixture.client, (int64_t)draw(2000), NULL, NULL);
    }
  }
  fixture_shutdown(&fixture, (int64_t)draw(8000));
  fake_env_advance_ms(&fixture.env, 8000);
}

/* whatever the server does, in the end each sample was delivered or
 * dropped, and none is called delivered that the server does not have. */
static void test_random_faults(void **state) {
  for (uint64_t seed = 1; seed <= 60; seed++) {
    live_with_faults(seed);
    assert_int_equal(fixture.close_count, 1);
    assert_int_equal(fixture.final.buffer_size, 0);
    assert_int_equal(fixture.final.in_flight_samples, 0);
    assert_true(fixture.final.delivered_samples <= accepted);
    assert_true(fixture.final.delivered_samples > 0);
    fixture_check_books(&fixture, taken);
    teardown(state);
    setup(state);
  }
}

/* A client with nothing to do sleeps: an hour costs its polls. */
static void test_idle_client(void **state) {
  (void)state;
  fixture.options.sse_idle_timeout_ms = 0;
  fixture.options.metadata_sync_interval_ms = 60000;
  start_served();
  fake_env_advance_ms(&fixture.env, HOUR_MS);
  const unsigned wakes = fixture.env.wakes;
  fake_env_advance_ms(&fixture.env, HOUR_MS);
  assert_in_range(fixture.env.wakes - wakes, 60, 62);
}

/* Events too large are dropped with one warning a connection, and what comes
 * behind them is applied. */
static void test_oversized_events(void **state) {
  (void)state;
  static char large[70000];
  ts_state_t found;
  fixture.options.log_level = TS_LOG_WARN;
  memset(large, 'x', sizeof large);
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  const int warnings = fixture.log_counts[TS_LOG_WARN];
  for (int i = 0; i < 3; i++) {
    fake_stream_deliver(stream, TS__STR("data: "));
    fake_stream_deliver(stream, (ts__str_t){large, sizeof large});
    fake_stream_deliver(stream, TS__STR("\n\n"));
  }
  assert_int_equal(fixture.log_counts[TS_LOG_WARN], warnings + 1);
  assert_true(fake_event(stream, "a", "open", NULL));
  assert_int_equal(ts_client_get_state(fixture.client, "a", &found), 0);
}

/* -------------------------------------------------------------- the clock */

static void jump(int64_t ms) {
  fake_env_set_wall(&fixture.env, ts__wall_ms(&fixture.env.env) + ms);
}

static int64_t timestamp_of(const fixture_batch_t *batch) {
  return strtoll(fake_request_header(batch->request, "X-EB-Timestamp"), NULL,
                 10);
}

/* A jump of the wall clock moves the stamps, and no timer. */
static void test_jump(int64_t ms) {
  char stamp[64];
  fixture_batch_t batch;
  fixture_start(&fixture);
  report(1);
  snprintf(stamp, sizeof stamp, "\"ts_ms\":%lld",
           (long long)ts__wall_ms(&fixture.env.env));
  fake_env_advance_ms(&fixture.env, 5000);
  jump(ms);
  fake_env_advance_ms(&fixture.env, 9999);
  assert_false(fixture_take_batch(&fixture, &batch));
  fake_env_advance_ms(&fixture.env, 1);
  assert_true(fixture_take_batch(&fixture, &batch));
  assert_int_equal(timestamp_of(&batch), ts__wall_ms(&fixture.env.env));
  assert_non_null(strstr(batch.json, stamp));
  free(batch.json);
  jump(-2 * ms);
  fake_respond_status(batch.pipe, 500);
  fake_env_advance_ms(&fixture.env, 99);
  assert_false(fixture_take_batch(&fixture, &batch));
  fake_env_advance_ms(&fixture.env, 1);
  assert_true(fixture_take_batch(&fixture, &batch));
  assert_int_equal(timestamp_of(&batch), ts__wall_ms(&fixture.env.env));
  free(batch.json);
}

/* The wall clock may jump an hour ahead and back. */
static void test_clock_jumps_ahead(void **state) {
  (void)state;
  test_jump(HOUR_MS);
}

static void test_clock_jumps_back(void **state) {
  (void)state;
  test_jump(-HOUR_MS);
}

/* Nor does a jump move reconnects, or make states stale. */
static void test_clock_and_stream(void **state) {
  (void)state;
  ts_rejection_t rejection;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  fake_event(stream, "a", "open", NULL);
  fake_pipe_end(stream, TS__ECONNRESET);
  jump(HOUR_MS);
  fake_env_advance_ms(&fixture.env, 999);
  assert_int_equal(fixture_gate(&fixture, "a", &rejection), TS_EOPEN);
  assert_int_equal(fake_transport_count(&fixture.transport), 1);
  jump(-2 * HOUR_MS);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(fake_transport_count(&fixture.transport), 2);
  fake_env_advance_ms(&fixture.env, 28999);
  assert_int_equal(fixture_gate(&fixture, "a", &rejection), TS_EOPEN);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(fixture_gate(&fixture, "a", &rejection), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_attempts_of_a_day), TEST(test_samples_of_a_day),
      TEST(test_overflow),          TEST(test_random_faults),
      TEST(test_idle_client),       TEST(test_oversized_events),
      TEST(test_clock_jumps_ahead), TEST(test_clock_jumps_back),
      TEST(test_clock_and_stream),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
