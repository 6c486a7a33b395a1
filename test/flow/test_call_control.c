/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that end otherwise than by their work: time limit, cancel, fallback. */
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
static ts_call_options_t options;
static const ts_metric_t latency = TS_LATENCY("took");
static const char *const breaker = "b";

static int setup(void **state) {
  const ts_call_options_t defaults = TS_CALL_OPTIONS_INIT;
  (void)state;
  fixture_init(&fixture);
  fixture.options.ingest_secret = FIXTURE_SECRET;
  options = defaults;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

static void report_latency(void) {
  options.router = "r1";
  options.metrics = &latency;
  options.metric_count = 1;
}

static void begin(void) {
  assert_int_equal(fixture_begin(&fixture, &options), 0);
}

/* A call with a limit of 100 ms that reports its latency. */
static void begin_limited(void) {
  report_latency();
  options.timeout_ms = 100;
  fixture_start(&fixture);
  begin();
}

static void pass(int64_t ms) { fake_env_advance_ms(&fixture.env, ms); }

static void assert_done(int error) {
  assert_int_equal(fixture.done_count, 1);
  assert_int_equal(fixture.done_error, error);
}

static void assert_sample(const char *value, const char *ok) {
  char expected[128];
  char *json = fixture_deliver(&fixture);
  assert_non_null(json);
  snprintf(expected, sizeof expected, "\"value\":%s,\"ok\":%s}", value, ok);
  assert_non_null(strstr(json, expected));
  assert_int_equal(fixture_sample_count(json), 1);
  free(json);
}

static void assert_no_sample(void) {
  assert_int_equal(fixture_stats(&fixture).buffer_size, 0);
  assert_int_equal(fixture_stats(&fixture).dropped_samples, 0);
}

/* --------------------------------------------------------------- time limit */

/* A call whose time is up is a failure, as long as its limit. */
static void test_limit_passes(void **state) {
  (void)state;
  begin_limited();
  pass(99);
  assert_int_equal(fixture.done_count, 0);
  assert_false(ts_call_is_over(fixture.call));
  pass(1);
  assert_done(TS_ETIMEDOUT);
  assert_null(fixture.done_result);
  assert_true(ts_call_is_over(fixture.call));
  assert_ptr_equal(ts_call_client(fixture.call), fixture.client);
  assert_sample("100", "false");
  ts_call_finish(fixture.call, 0, NULL);
}

/* What its owner does later frees it and is not heard. */
static void test_late_end(void **state) {
  (void)state;
  begin_limited();
  ts_call_t *first = fixture.call;
  begin();
  pass(100);
  assert_int_equal(fixture.done_count, 2);
  ts_call_finish(first, 7, &fixture);
  ts_call_cancel(fixture.call);
  pass(1000);
  assert_int_equal(fixture.done_count, 2);
  assert_int_equal(fixture.done_error, TS_ETIMEDOUT);
  assert_int_equal(fixture_stats(&fixture).buffer_size, 2);
}

/* An end in time is the end: the limit is forgotten, and holds no loop. */
static void test_in_time(void **state) {
  (void)state;
  fixture.options.api_key = NULL;
  begin_limited();
  pass(0); /* ready */
  assert_true(fixture.env.held);
  pass(99);
  ts_call_finish(fixture.call, 0, NULL);
  assert_false(fixture.env.held);
  assert_done(0);
  assert_sample("99", "true");
  pass(10);
  assert_done(0);
}

/* Passing holds the loop no longer either. */
static void test_passed_limit_holds_nothing(void **state) {
  (void)state;
  fixture.options.api_key = NULL;
  begin_limited();
  pass(100);
  assert_false(fixture.env.held);
  ts_call_finish(fixture.call, 0, NULL);
  assert_false(fixture.env.held);
}

/* First come, first served: an end before the loop noticed the limit counts. */
static void test_end_before_the_loop_noticed(void **state) {
  (void)state;
  begin_limited();
  fixture.env.now_ns += 150 * TS__NS_PER_MS;
  ts_call_finish(fixture.call, 3, NULL);
  assert_done(3);
  pass(100);
  assert_done(3);
}

static int evaluations;
static bool verdict;

static bool evaluate(int error, void *result, void *context) {
  evaluations++;
  assert_int_equal(error, TS_ETIMEDOUT);
  assert_null(result);
  assert_ptr_equal(context, &fixture);
  return verdict;
}

/* The passed limit is judged like any error, by the evaluator */
static void test_limit_is_judged(void **state) {
  (void)state;
  evaluations = 0;
  verdict = false;
  options.error_evaluator = evaluate;
  begin_limited();
  pass(100);
  assert_int_equal(evaluations, 1);
  assert_sample("100", "true");
  ts_call_cancel(fixture.call);
}

/* or by the list. */
static void test_limit_is_ignored(void **state) {
  (void)state;
  const int ignored = TS_ETIMEDOUT;
  options.ignore_errors = &ignored;
  options.ignore_error_count = 1;
  begin_limited();
  pass(100);
  assert_sample("100", "true");
  ts_call_cancel(fixture.call);
}

static bool finish_inside(int error, void *result, void *context) {
  (void)error;
  (void)result;
  assert_true(ts_call_is_over(fixture.call));
  ts_call_finish(fixture.call, 0, context);
  return true;
}

/* The owner may let go of it as soon as it hears of the limit, */
static void test_let_go_while_judged(void **state) {
  (void)state;
  options.error_evaluator = finish_inside;
  begin_limited();
  pass(100);
  assert_done(TS_ETIMEDOUT);
  assert_sample("100", "false");
}

static void cancel_inside(ts_client_t *client, int error, void *result,
                          void *context) {
  (void)client;
  (void)error;
  (void)result;
  (void)context;
  fixture.done_count++;
  ts_call_cancel(fixture.call);
}

static void keep_call(ts_call_t *call, void *context) {
  (void)context;
  fixture.call = call;
}

/* and where the work should be aborted. */
static void test_let_go_in_done(void **state) {
  (void)state;
  options.timeout_ms = 10;
  fixture_start(&fixture);
  assert_int_equal(way_execute_async(fixture.client, &options, keep_call,
                                     cancel_inside, NULL),
                   0);
  pass(20);
  assert_int_equal(fixture.done_count, 1);
}

static char order[8];

static void note(ts_client_t *client, int error, void *result, void *context) {
  (void)client;
  (void)result;
  assert_int_equal(error, TS_ETIMEDOUT);
  strncat(order, context, 1);
}

/* Each call has its own limit, and limits pass in their order. */
static void test_limits_of_several(void **state) {
  (void)state;
  static const int64_t limits[] = {30, 10, 20, 10};
  static char names[] = "abcd";
  ts_call_t *calls[4];
  order[0] = '\0';
  fixture_start(&fixture);
  for (int i = 0; i < 4; i++) {
    options.timeout_ms = limits[i];
    assert_int_equal(
        way_execute_async(fixture.client, &options, keep_call, note, names + i),
        0);
    calls[i] = fixture.call;
  }
  pass(15);
  assert_string_equal(order, "bd");
  pass(20);
  assert_string_equal(order, "bdca");
  for (int i = 0; i < 4; i++) {
    ts_call_finish(calls[i], 0, NULL);
  }
}

/* A limit is a duration, and the longest one does not wrap around. */
static void test_range_of_limits(void **state) {
  (void)state;
  fixture_start(&fixture);
  options.timeout_ms = -1;
  assert_int_equal(fixture_begin(&fixture, &options), TS__EINVAL);
  options.timeout_ms = TS_MAX_DURATION_MS + 1;
  assert_int_equal(fixture_begin(&fixture, &options), TS__EINVAL);
  assert_int_equal(fixture.task_count, 0);
  options.timeout_ms = TS_MAX_DURATION_MS;
  begin();
  pass(60000);
  assert_int_equal(fixture.done_count, 0);
  ts_call_finish(fixture.call, 0, NULL);
}

static void fallback_unexpected(ts_client_t *client,
                                const ts_rejection_t *rejection,
                                void *context) {
  (void)client;
  (void)rejection;
  (void)context;
  fail();
}

/* Work that is over when it returns has no use for either. */
static void test_not_for_synchronous_work(void **state) {
  (void)state;
  fixture_start(&fixture);
  options.timeout_ms = 10;
  assert_int_equal(fixture_execute(&fixture, &options, 0), TS__EINVAL);
  options.timeout_ms = 0;
  options.fallback = fallback_unexpected;
  assert_int_equal(fixture_execute(&fixture, &options, 0), TS__EINVAL);
  assert_int_equal(fixture.task_count, 0);
}

/* While a client drains, limits pass and their samples still go out. */
static void test_limit_in_drain(void **state) {
  (void)state;
  fixture_batch_t batch;
  begin_limited();
  fixture_report(&fixture, 1);
  fixture_shutdown(&fixture, 5000);
  assert_true(fixture_take_batch(&fixture, &batch));
  free(batch.json);
  pass(100);
  assert_done(TS_ETIMEDOUT);
  fake_respond_status(batch.pipe, 202);
  assert_int_equal(fixture_answer_all(&fixture, 202), 1);
  assert_int_equal(fixture.close_status, 0);
  assert_int_equal(fixture.final.delivered_samples, 2);
  assert_null(ts_call_client(fixture.call));
  ts_call_finish(fixture.call, 0, NULL);
  assert_done(TS_ETIMEDOUT);
}

/* The close comes before the limit: that is how it ended. */
static void test_close_before_limit(void **state) {
  (void)state;
  begin_limited();
  fixture_shutdown(&fixture, 0);
  fake_env_turn(&fixture.env);
  assert_done(TS_ECLOSED);
  assert_true(ts_call_is_over(fixture.call));
  assert_int_equal(fixture.close_count, 1);
  ts_call_cancel(fixture.call);
}

#define CROWD 50000

static ts_call_t *crowd[CROWD];
static int passed;

static void count_passed(ts_client_t *client, int error, void *result,
                         void *context) {
  (void)client;
  (void)error;
  (void)result;
  (void)context;
  passed++;
}

/* A crowd of calls, each with a limit of its own, costs no more than the same
 * number of calls one by one: a list to walk would take minutes. */
static void test_crowd(void **state) {
  (void)state;
  passed = 0;
  fixture_start(&fixture);
  for (int i = 0; i < CROWD; i++) {
    options.timeout_ms = 1000 + (i * 7919LL) % CROWD;
    assert_int_equal(way_execute_async(fixture.client, &options, keep_call,
                                       count_passed, NULL),
                     0);
    crowd[i] = fixture.call;
  }
  for (int i = 0; i < CROWD; i += 2) {
    ts_call_cancel(crowd[i]);
  }
  pass(999 + CROWD);
  assert_int_equal(passed, CROWD);
  for (int i = 1; i < CROWD; i += 2) {
    assert_true(ts_call_is_over(crowd[i]));
    ts_call_finish(crowd[i], 0, NULL);
  }
}

/* A call that needs no time does not ask for it. */
static void test_no_clock(void **state) {
  (void)state;
  fixture_start(&fixture);
  const unsigned before = fixture.env.reads;
  begin();
  ts_call_finish(fixture.call, 0, NULL);
  assert_int_equal(fixture_execute(&fixture, &options, 0), 0);
  assert_int_equal(fixture.env.reads, before);
}

/* ------------------------------------------------------------------- cancel */

static bool evaluate_unexpected(int error, void *result, void *context) {
  (void)error;
  (void)result;
  (void)context;
  fail();
  return true;
}

/* To be cancelled is no failure, and usually not worth a sample. */
static void test_cancel(void **state) {
  (void)state;
  options.error_evaluator = evaluate_unexpected;
  begin_limited();
  pass(40);
  ts_call_cancel(fixture.call);
  assert_no_sample();
  assert_int_equal(fixture.done_count, 0);
  pass(100);
  assert_done(TS__ECANCELED);
  assert_no_sample();
}

static int add_error(ts_metric_sink_t *sink, int error, void *result,
                     void *context) {
  (void)context;
  assert_null(result);
  return ts_metric_sink_add(sink, "code", (double)error);
}

/* Who asks for it gets the sample of a success. */
static void test_report_cancelled(void **state) {
  (void)state;
  options.error_evaluator = evaluate_unexpected;
  options.report_cancelled = true;
  begin_limited();
  pass(40);
  ts_call_cancel(fixture.call);
  assert_sample("40", "true");
  assert_done(TS__ECANCELED);
}

/* What the outcome tells then is that it was cancelled. */
static void test_report_cancelled_deferred(void **state) {
  (void)state;
  char code[32];
  options.router = "r1";
  options.deferred_metrics = add_error;
  options.report_cancelled = true;
  fixture_start(&fixture);
  begin();
  ts_call_cancel(fixture.call);
  snprintf(code, sizeof code, "%d", TS__ECANCELED);
  assert_sample(code, "true");
}

/* ----------------------------------------------------------------- fallback */

static int fallbacks;
static ts_reason_t fallback_reason;
static char fallback_breaker[32];

static void on_fallback(ts_client_t *client, const ts_rejection_t *rejection,
                        void *context) {
  assert_ptr_equal(client, fixture.client);
  assert_ptr_equal(context, &fixture);
  assert_int_equal(fixture.close_count, 0);
  fallbacks++;
  fallback_reason = rejection->reason;
  snprintf(fallback_breaker, sizeof fallback_breaker, "%s",
           rejection->breaker != NULL ? rejection->breaker : "-");
}

/* A call that an open breaker rejects. */
static void start_open(void) {
  assert_true(fake_event(fixture_start_stream(&fixture), "b", "open", NULL));
  fallbacks = 0;
  options.breakers = &breaker;
  options.breaker_count = 1;
  options.fallback = on_fallback;
}

static void assert_fell_back(ts_reason_t reason, const char *name) {
  assert_int_equal(fallbacks, 1);
  assert_int_equal(fallback_reason, reason);
  assert_string_equal(fallback_breaker, name);
  assert_int_equal(fixture.task_count, 0);
  assert_int_equal(fixture.done_count, 0);
}

/* The fallback stands for task and done, on the loop's next turn. */
static void test_fallback(void **state) {
  (void)state;
  ts_rejection_t rejection = {TS_REASON_NONE, NULL, 0.0};
  options.rejection = &rejection;
  report_latency();
  start_open();
  begin();
  assert_int_equal(fallbacks, 0);
  assert_int_equal(rejection.reason, TS_REASON_OPEN);
  assert_ptr_equal(rejection.breaker, breaker);
  fake_env_turn(&fixture.env);
  assert_fell_back(TS_REASON_OPEN, "b");
  pass(1000);
  assert_int_equal(fallbacks, 1);
  assert_no_sample();
}

/* It has a name to tell whatever became of the caller's memory. */
static void test_fallback_keeps_the_name(void **state) {
  (void)state;
  char name[] = "b";
  const char *names = name;
  start_open();
  options.breakers = &names;
  begin();
  name[0] = 'x';
  fake_env_turn(&fixture.env);
  assert_fell_back(TS_REASON_OPEN, "b");
}

/* An admitted call has no use for it. */
static void test_fallback_not_needed(void **state) {
  (void)state;
  options.fallback = fallback_unexpected;
  fixture_start(&fixture);
  begin();
  ts_call_finish(fixture.call, 0, NULL);
  fake_env_turn(&fixture.env);
  assert_done(0);
}

static int fail_to_select(const ts_metadata_t *list, ts_selection_t *selection,
                          void *context) {
  (void)list;
  (void)selection;
  (void)context;
  return -1;
}

/* A selector that fails where that rejects names no breaker. */
static void test_fallback_of_failed_selector(void **state) {
  (void)state;
  fixture.options.fail_open = false;
  fixture.options.metadata_sync_interval_ms = 30000;
  start_open();
  fixture_metadata(&fixture, "[]", "[]");
  options.breakers = NULL;
  options.breaker_count = 0;
  options.select_breakers = fail_to_select;
  begin();
  fake_env_turn(&fixture.env);
  assert_fell_back(TS_REASON_UNKNOWN, "-");
}

/* A close before its turn changes nothing about it. */
static void test_fallback_before_close(void **state) {
  (void)state;
  start_open();
  begin();
  fixture_shutdown(&fixture, 0);
  assert_int_equal(fallbacks, 0);
  fake_env_turn(&fixture.env);
  assert_fell_back(TS_REASON_OPEN, "b");
  assert_int_equal(fixture.close_count, 1);
}

/* Other refusals are return codes, as ever. */
static void test_fallback_is_for_rejections(void **state) {
  (void)state;
  const bool cancelled = true;
  start_open();
  options.cancelled = &cancelled;
  assert_int_equal(fixture_begin(&fixture, &options), TS__ECANCELED);
  options.cancelled = NULL;
  options.select_breakers = fail_to_select;
  assert_int_equal(fixture_begin(&fixture, &options), TS_ECONFLICT);
  options.select_breakers = NULL;
  fixture_shutdown(&fixture, 0);
  assert_int_equal(fixture_begin(&fixture, &options), TS_ECLOSED);
  fake_env_turn(&fixture.env);
  assert_int_equal(fallbacks, 0);
}

/* Without memory for it the call fails, and nothing comes. */
static void test_fallback_without_memory(void **state) {
  (void)state;
  start_open();
  heap_fail(&fixture.heap, 1, 1);
  assert_int_equal(fixture_begin(&fixture, &options), TS__ENOMEM);
  fake_env_turn(&fixture.env);
  assert_int_equal(fallbacks, 0);
  begin();
  fake_env_turn(&fixture.env);
  assert_int_equal(fallbacks, 1);
}

/* ---------------------------------------------------------------- data slot */

static void check_slot(ts_call_t *call, void *context) {
  assert_null(ts_call_data(call));
  ts_call_set_data(call, context);
  keep_call(call, context);
}

/* Each call has a slot, empty at first, also in a used object. */
static void test_data_slot(void **state) {
  (void)state;
  fixture_start(&fixture);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(
        way_execute_async(fixture.client, NULL, check_slot, NULL, &options), 0);
    assert_ptr_equal(ts_call_data(fixture.call), &options);
    ts_call_finish(fixture.call, 0, NULL);
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
  way_choose(argc, argv);
  const struct CMUnitTest tests[] = {
      TEST(test_limit_passes),
      TEST(test_late_end),
      TEST(test_in_time),
      TEST(test_passed_limit_holds_nothing),
      TEST(test_end_before_the_loop_noticed),
      TEST(test_limit_is_judged),
      TEST(test_limit_is_ignored),
      TEST(test_let_go_while_judged),
      TEST(test_let_go_in_done),
      TEST(test_limits_of_several),
      TEST(test_range_of_limits),
      TEST(test_not_for_synchronous_work),
      TEST(test_limit_in_drain),
      TEST(test_close_before_limit),
      TEST(test_crowd),
      TEST(test_no_clock),
      TEST(test_cancel),
      TEST(test_report_cancelled),
      TEST(test_report_cancelled_deferred),
      TEST(test_fallback),
      TEST(test_fallback_keeps_the_name),
      TEST(test_fallback_not_needed),
      TEST(test_fallback_of_failed_selector),
      TEST(test_fallback_before_close),
      TEST(test_fallback_is_for_rejections),
      TEST(test_fallback_without_memory),
      TEST(test_data_slot),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
