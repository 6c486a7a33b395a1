/* SPDX-License-Identifier: Apache-2.0 */
/* What the cached states do to a client's calls. The gate's arithmetic has a
 * test of its own; here it is the client that turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/draw.h"
#include "support/fixture.h"

#define HALF (DRAW_END / 2)

static fixture_t fixture;
static ts_rejection_t rejection;

static int setup(void **state) {
  (void)state;
  fixture_init(&fixture);
  rejection = (ts_rejection_t){TS_REASON_NONE, NULL, 0.0};
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

static void assert_runs(const char *breaker) {
  const int before = fixture.task_count;
  assert_int_equal(fixture_gate(&fixture, breaker, &rejection), 0);
  assert_int_equal(fixture.task_count, before + 1);
}

static void assert_rejected(const char *breaker, ts_reason_t reason) {
  const int before = fixture.task_count;
  assert_int_equal(fixture_gate(&fixture, breaker, &rejection), TS_EOPEN);
  assert_int_equal(fixture.task_count, before);
  assert_int_equal(rejection.reason, reason);
  assert_string_equal(rejection.breaker, breaker);
}

/* A call on two breakers. */
static int gate_both(const char *first, const char *second) {
  const char *const names[] = {first, second};
  ts_call_options_t options = TS_CALL_OPTIONS_INIT;
  options.breakers = names;
  options.breaker_count = 2;
  options.rejection = &rejection;
  return fixture_execute(&fixture, &options, 0);
}

/* How many of 10 000 calls on both run. */
static int count_admitted(const char *first, const char *second) {
  int admitted = 0;
  for (int i = 0; i < 10000; i++) {
    admitted += gate_both(first, second) == 0;
  }
  return admitted;
}

/* A client whose stream told this much and then broke off. */
static fake_pipe_t *start_with(const char *breaker, const char *state,
                               const char *rate) {
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(fake_event(stream, breaker, state, rate));
  return stream;
}

/* A-058 A-071: without a breaker there is nothing to ask, not even whether
 * the service was ever heard of. */
static void test_ungated(void **state) {
  (void)state;
  fixture.options.fail_open = false;
  fixture_start(&fixture);
  assert_int_equal(fixture_execute(&fixture, NULL, 0), 0);
  assert_int_equal(fixture.task_count, 1);
  assert_int_equal(ts_client_allow(fixture.client, NULL, 0, NULL), 0);
  assert_rejected("a", TS_REASON_UNKNOWN);
}

/* a closed breaker lets calls pass. */
static void test_closed(void **state) {
  (void)state;
  start_with("a", "closed", "1");
  assert_runs("a");
}

/* an open breaker costs the caller nothing but a return code. */
static void test_open(void **state) {
  (void)state;
  const char *name = "a";
  const ts_metric_t metric = TS_VALUE("m", 1);
  ts_call_options_t options = TS_CALL_OPTIONS_INIT;
  start_with("a", "open", NULL);
  options.breakers = &name;
  options.breaker_count = 1;
  options.router = "r1";
  options.metrics = &metric;
  options.metric_count = 1;
  options.rejection = &rejection;
  assert_int_equal(fixture_begin(&fixture, &options), TS_EOPEN);
  assert_int_equal(rejection.reason, TS_REASON_OPEN);
  assert_ptr_equal(rejection.breaker, name);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.task_count, 0);
  assert_int_equal(fixture.done_count, 0);
  assert_int_equal(fixture_stats(&fixture).buffer_size, 0);
}

/* A-061 A-062: rate 0 admits nobody, rate 1 everybody and without a draw. */
static void test_certain_rates(void **state) {
  (void)state;
  fake_pipe_t *stream = start_with("none", "half_open", "0.0");
  assert_true(fake_event(stream, "all", "half_open", "1.0"));
  for (int i = 0; i < 100; i++) {
    assert_rejected("none", TS_REASON_THROTTLED);
  }
  const ts__rng_t before = fixture.client->rng;
  for (int i = 0; i < 100; i++) {
    assert_runs("all");
  }
  assert_memory_equal(&fixture.client->rng, &before, sizeof before);
}

/* the draw is rejected from the rate on. */
static void test_draw(void **state) {
  (void)state;
  start_with("a", "half_open", "0.5");
  draw_next(&fixture.client->rng, HALF - 1);
  assert_runs("a");
  draw_next(&fixture.client->rng, HALF);
  assert_rejected("a", TS_REASON_THROTTLED);
  assert_true(rejection.allow_rate == 0.5);
}

/* A-064 A-065: over many calls the rate is kept; of two the lower, not their
 * product. Being throttled is no news to an operator. */
static void test_shares(void **state) {
  (void)state;
  fake_env_seed(&fixture.env, 3);
  fixture.options.log_level = TS_LOG_INFO;
  fake_pipe_t *stream = start_with("third", "half_open", "0.3");
  assert_true(fake_event(stream, "fifth", "half_open", "0.2"));
  assert_true(fake_event(stream, "half", "half_open", "0.5"));
  const int lines = fixture.log_counts[TS_LOG_INFO] +
                    fixture.log_counts[TS_LOG_WARN] +
                    fixture.log_counts[TS_LOG_ERROR];
  assert_in_range(count_admitted("third", "third"), 2700, 3300);
  assert_in_range(count_admitted("fifth", "half"), 1800, 2200);
  assert_int_equal(fixture.log_counts[TS_LOG_INFO] +
                       fixture.log_counts[TS_LOG_WARN] +
                       fixture.log_counts[TS_LOG_ERROR],
                   lines);
}

/* A-066 A-067 A-068: one open breaker is enough, wherever it stands. */
static void test_several(void **state) {
  (void)state;
  fake_pipe_t *stream = start_with("half", "half_open", "0.0");
  assert_true(fake_event(stream, "open", "open", NULL));
  assert_true(fake_event(stream, "closed", "closed", "1"));
  assert_true(fake_event(stream, "too", "closed", "1"));
  assert_int_equal(gate_both("half", "open"), TS_EOPEN);
  assert_int_equal(rejection.reason, TS_REASON_OPEN);
  assert_string_equal(rejection.breaker, "open");
  assert_int_equal(gate_both("closed", "open"), TS_EOPEN);
  assert_int_equal(gate_both("closed", "too"), 0);
}

/* a breaker nobody told of does not stand in the way by default. */
static void test_unknown_fail_open(void **state) {
  (void)state;
  start_with("a", "open", NULL);
  assert_runs("b");
}

/* A-070 A-076: fail-closed, it does; an open one is the better reason. */
static void test_unknown_fail_closed(void **state) {
  (void)state;
  fixture.options.fail_open = false;
  fake_pipe_t *stream = start_with("closed", "closed", "1");
  assert_true(fake_event(stream, "open", "open", NULL));
  assert_rejected("b", TS_REASON_UNKNOWN);
  assert_int_equal(gate_both("closed", "b"), TS_EOPEN);
  assert_int_equal(rejection.reason, TS_REASON_UNKNOWN);
  assert_int_equal(gate_both("b", "open"), TS_EOPEN);
  assert_int_equal(rejection.reason, TS_REASON_OPEN);
  assert_runs("closed");
}

/* the last word of a lost stream is good for half a minute. */
static void test_stale_fail_open(void **state) {
  (void)state;
  fake_stream_end(start_with("a", "open", NULL));
  fake_env_advance_ms(&fixture.env, 5000);
  assert_rejected("a", TS_REASON_OPEN);
  fake_env_advance_ms(&fixture.env, 26000);
  assert_runs("a");
}

/* attempts that fail meanwhile do not make it any younger, nor does a
 * connection that says nothing. */
static void test_stale_is_counted_once(void **state) {
  (void)state;
  fake_stream_end(start_with("a", "open", NULL));
  fake_env_advance_ms(&fixture.env, 1000);
  fake_pipe_end(fake_transport_last(&fixture.transport), TS__ECONNRESET);
  fake_env_advance_ms(&fixture.env, 2000);
  fake_pipe_t *stream = fixture_find(&fixture, "/breakers/state:stream");
  fake_respond_stream_head(stream, FAKE_STREAM_CHUNKED);
  assert_true(fixture_stats(&fixture).sse_connected);
  fake_env_advance_ms(&fixture.env, 26999);
  assert_rejected("a", TS_REASON_OPEN);
  fake_env_advance_ms(&fixture.env, 1);
  assert_runs("a");
}

/* A-073 A-074: fail-closed, a lost stream blocks at once, and the first event
 * of a new one frees. */
static void test_stale_fail_closed(void **state) {
  (void)state;
  fixture.options.fail_open = false;
  fake_stream_end(start_with("a", "closed", "1"));
  assert_rejected("a", TS_REASON_STALE);
  fake_env_advance_ms(&fixture.env, 1000);
  fake_pipe_t *stream = fixture_find(&fixture, "/breakers/state:stream");
  fake_respond_stream_head(stream, FAKE_STREAM_CHUNKED);
  assert_rejected("a", TS_REASON_STALE);
  assert_true(fake_event(stream, "a", "closed", "1"));
  assert_runs("a");
}

/* whoever never wants to forget need not. */
static void test_never_stale(void **state) {
  (void)state;
  fixture.options.stale_after_ms = -1;
  fake_pipe_t *stream = start_with("a", "open", NULL);
  assert_true(fake_event(stream, "b", "closed", "1"));
  fake_stream_end(stream);
  fake_env_advance_ms(&fixture.env, 3600000);
  assert_rejected("a", TS_REASON_OPEN);
  assert_runs("b");
}

/* one code alone says that a breaker rejected. */
static void test_is_breaker_error(void **state) {
  (void)state;
  static const int others[] = {
#define XX(name, value, text) value,
      TS_ERRNO_MAP(XX)
#undef XX
          0,
      1, TS__EINVAL, TS__ENOMEM, TS__ECANCELED};
  assert_true(ts_is_breaker_error(TS_EOPEN));
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    assert_int_equal(ts_is_breaker_error(others[i]), others[i] == TS_EOPEN);
  }
}

/* a decision needs no network. */
static void test_no_network(void **state) {
  (void)state;
  fake_pipe_t *stream = start_with("a", "closed", "1");
  const size_t pipes = fake_transport_count(&fixture.transport);
  const size_t written = fake_pipe_written_len(stream);
  assert_runs("a");
  assert_runs("unknown");
  fake_env_turn(&fixture.env);
  assert_int_equal(fake_transport_count(&fixture.transport), pipes);
  assert_int_equal(fake_pipe_written_len(stream), written);
}

/* A name that is NULL is the caller's mistake, and starts nothing. */
static void test_null_name(void **state) {
  (void)state;
  fixture_start(&fixture);
  assert_int_equal(gate_both("a", NULL), TS__EINVAL);
  assert_int_equal(fixture.task_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
  way_choose(argc, argv);
  const struct CMUnitTest tests[] = {
      TEST(test_ungated),
      TEST(test_closed),
      TEST(test_open),
      TEST(test_certain_rates),
      TEST(test_draw),
      TEST(test_shares),
      TEST(test_several),
      TEST(test_unknown_fail_open),
      TEST(test_unknown_fail_closed),
      TEST(test_stale_fail_open),
      TEST(test_stale_is_counted_once),
      TEST(test_stale_fail_closed),
      TEST(test_never_stale),
      TEST(test_is_breaker_error),
      TEST(test_no_network),
      TEST(test_null_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
