/* SPDX-License-Identifier: Apache-2.0 */
/* Guarded calls from start to sample: time, judgement, metrics. */
#include <math.h>
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
#include "support/fixture.h"

#define METRICS(array)                                                         \
  options.metrics = (array);                                                   \
  options.metric_count = sizeof(array) / sizeof(array)[0]

static fixture_t fixture;
static ts_call_options_t options;

static int setup(void **state) {
  const ts_call_options_t defaults = TS_CALL_OPTIONS_INIT;
  (void)state;
  fixture_init(&fixture);
  fixture.options.ingest_secret = FIXTURE_SECRET;
  options = defaults;
  options.router = "r1";
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

static void start(void) {
  fixture_start(&fixture);
  assert_int_equal(fixture.log_counts[TS_LOG_WARN], 0);
}

/* One call with this outcome, which must come back unchanged. */
static void run(int outcome) {
  start();
  assert_int_equal(fixture_execute(&fixture, &options, outcome), outcome);
  assert_ptr_equal(fixture.done_result, &fixture);
  assert_int_equal(fixture.task_count, 1);
}

/* Exactly these samples are sent; JSON, with commas between. */
static void assert_samples(const char *expected) {
  char body[2048];
  char *json = fixture_deliver(&fixture);
  assert_non_null(json);
  snprintf(body, sizeof body, "{\"samples\":[%s]}", expected);
  assert_string_equal(json, body);
  free(json);
}

static void assert_no_samples(void) {
  assert_int_equal(fixture_stats(&fixture).buffer_size, 0);
  assert_null(fixture_deliver(&fixture));
  assert_int_equal(fixture_stats(&fixture).dropped_samples, 0);
}

/* A sample of router r1 taken at the fixture's first moment. */
#define SAMPLE(metric, value, ok)                                              \
  "{\"router_id\":\"r1\",\"metric\":\"" metric                                 \
  "\",\"ts_ms\":1700000000000,\"value\":" value ",\"ok\":" ok "}"

static void assert_warned(const char *text) {
  assert_int_equal(fixture.log_counts[TS_LOG_WARN], 1);
  assert_true(fixture_logged(&fixture, text));
}

/* Begin a call that reports its latency. */
static void begin_timed(void) {
  static const ts_metric_t latency = TS_LATENCY("took");
  options.metrics = &latency;
  options.metric_count = 1;
  start();
  assert_int_equal(fixture_begin(&fixture, &options), 0);
  assert_ptr_equal(ts_call_client(fixture.call), fixture.client);
}

/* a success becomes one sample for its router. */
static void test_success(void **state) {
  (void)state;
  const ts_metric_t metrics[] = {TS_LATENCY("took")};
  METRICS(metrics);
  run(0);
  assert_samples(SAMPLE("took", "0", "true"));
}

/* latency is exact below the millisecond. */
static void test_latency(void **state) {
  (void)state;
  begin_timed();
  fake_env_advance_ms(&fixture.env, 50);
  fixture.env.now_ns += 250000;
  ts_call_finish(fixture.call, 0, &fixture);
  assert_int_equal(fixture.done_count, 1);
  assert_ptr_equal(fixture.done_result, &fixture);
  assert_samples(SAMPLE("took", "50.25", "true"));
}

/* a wall clock that jumps does not lengthen a call. */
static void test_latency_is_monotonic(void **state) {
  (void)state;
  begin_timed();
  fake_env_advance_ms(&fixture.env, 20);
  fake_env_set_wall(&fixture.env, FAKE_ENV_START_WALL_MS - 3600000);
  ts_call_finish(fixture.call, 0, NULL);
  assert_samples(SAMPLE("took", "20", "true"));
}

/* a sample is of the moment its task began. */
static void test_time_of_start(void **state) {
  (void)state;
  begin_timed();
  fake_env_advance_ms(&fixture.env, 2000);
  ts_call_finish(fixture.call, 0, NULL);
  assert_samples(SAMPLE("took", "2000", "true"));
}

/* a failure is reported as one, and stays the caller's. */
static void test_failure(void **state) {
  (void)state;
  begin_timed();
  ts_call_finish(fixture.call, -5, &options);
  assert_int_equal(fixture.done_count, 1);
  assert_int_equal(fixture.done_error, -5);
  assert_ptr_equal(fixture.done_result, &options);
  assert_samples(SAMPLE("took", "0", "false"));
}

static const int ignored[] = {404, -7};

static void run_judged(int outcome, const char *sample) {
  static const ts_metric_t metric = TS_VALUE("m", 1);
  options.metrics = &metric;
  options.metric_count = 1;
  run(outcome);
  assert_samples(sample);
}

/* an ignored error counts as a success, and is still returned. */
static void test_ignored_error(void **state) {
  (void)state;
  options.ignore_errors = ignored;
  options.ignore_error_count = 2;
  run_judged(-7, SAMPLE("m", "1", "true"));
}

/* others count as failures. */
static void test_error_not_ignored(void **state) {
  (void)state;
  options.ignore_errors = ignored;
  options.ignore_error_count = 2;
  run_judged(7, SAMPLE("m", "1", "false"));
}

static int judged;
static bool verdict;

static bool evaluate(int error, void *result, void *context) {
  judged++;
  assert_int_not_equal(error, 0);
  assert_ptr_equal(result, &fixture);
  assert_ptr_equal(context, &fixture);
  return verdict;
}

/* the evaluator may acquit, */
static void test_evaluator_acquits(void **state) {
  (void)state;
  verdict = false;
  options.error_evaluator = evaluate;
  run_judged(5, SAMPLE("m", "1", "true"));
}

/* A-097 A-098: or find guilty, whatever the list says. */
static void test_evaluator_overrides(void **state) {
  (void)state;
  verdict = true;
  options.error_evaluator = evaluate;
  options.ignore_errors = ignored;
  options.ignore_error_count = 2;
  run_judged(404, SAMPLE("m", "1", "false"));
}

/* a success is not put to judgement. */
static void test_evaluator_not_asked(void **state) {
  (void)state;
  judged = 0;
  verdict = true;
  options.error_evaluator = evaluate;
  run_judged(0, SAMPLE("m", "1", "true"));
  assert_int_equal(judged, 0);
}

static int give_three(void *context, double *value) {
  assert_ptr_equal(context, &fixture);
  *value = 3.0;
  return 0;
}

static int fail_metric(void *context, double *value) {
  (void)context;
  *value = 4.0;
  return -1;
}

static int give_nan(void *context, double *value) {
  (void)context;
  *value = NAN;
  return 0;
}

/* each metric becomes a sample of the same call. */
static void test_three_metrics(void **state) {
  (void)state;
  const ts_tag_t tag = {"k", "v"};
  const ts_metric_t metrics[] = {TS_LATENCY("a"), TS_VALUE("b", 2.5),
                                 TS_METRIC("c", give_three)};
  METRICS(metrics);
  options.tags = &tag;
  options.tag_count = 1;
  run(9);
#define TAGGED(metric, value)                                                  \
  "{\"router_id\":\"r1\",\"metric\":\"" metric                                 \
  "\",\"ts_ms\":1700000000000,\"value\":" value                                \
  ",\"ok\":false,\"tags\":{\"k\":\"v\"}}"
  assert_samples(TAGGED("a", "0") "," TAGGED("b", "2.5") "," TAGGED("c", "3"));
}

/* a metric that cannot be had is left out; the others go. */
static void test_metric_fails(void **state) {
  (void)state;
  const ts_metric_t metrics[] = {TS_METRIC("bad", fail_metric),
                                 TS_METRIC("good", give_three)};
  METRICS(metrics);
  run(0);
  assert_warned("metric=bad");
  assert_samples(SAMPLE("good", "3", "true"));
}

/* a metric without a name is none. */
static void test_empty_name(void **state) {
  (void)state;
  const ts_metric_t metrics[] = {TS_VALUE("", 1), TS_VALUE("m", 2)};
  METRICS(metrics);
  run(0);
  assert_int_equal(fixture.log_counts[TS_LOG_WARN], 0);
  assert_samples(SAMPLE("m", "2", "true"));
}

/* what is no number is not sent, and spoils nothing else. */
static void test_not_finite(void **state) {
  (void)state;
  const ts_metric_t metrics[] = {
      TS_VALUE("nan", NAN), TS_VALUE("inf", INFINITY),
      TS_METRIC("asked", give_nan), TS_VALUE("m", -0.5)};
  METRICS(metrics);
  run(0);
  assert_int_equal(fixture.log_counts[TS_LOG_WARN], 3);
  assert_samples(SAMPLE("m", "-0.5", "true"));
}

/* Of two metrics with one name the last counts. */
static void test_same_name_twice(void **state) {
  (void)state;
  const ts_metric_t metrics[] = {TS_METRIC("m", fail_metric), TS_VALUE("m", 2)};
  METRICS(metrics);
  run(0);
  assert_int_equal(fixture.log_counts[TS_LOG_WARN], 0);
  assert_samples(SAMPLE("m", "2", "true"));
}

/* metrics that have no router to go to are worth a word. */
static void test_metrics_without_router(void **state) {
  (void)state;
  const ts_metric_t metrics[] = {TS_VALUE("m", 1)};
  METRICS(metrics);
  options.router = NULL;
  run(6);
  assert_warned("metrics without a router");
  assert_no_samples();
}

/* a router without metrics gets nothing, which is said once. */
static void test_router_without_metrics(void **state) {
  (void)state;
  run(0);
  assert_int_equal(fixture_execute(&fixture, &options, 0), 0);
  assert_warned("router but no metrics");
  assert_no_samples();
}

/* a call that is only gated is nothing unusual. */
static void test_gated_only(void **state) {
  (void)state;
  const char *name = "b";
  options.router = NULL;
  options.breakers = &name;
  options.breaker_count = 1;
  run(3);
  assert_int_equal(fixture.log_counts[TS_LOG_WARN], 0);
  assert_no_samples();
}

static int deferrals;

static int defer_one(ts_metric_sink_t *sink, int error, void *result,
                     void *context) {
  deferrals++;
  assert_ptr_equal(context, &fixture);
  assert_ptr_equal(result, error == 0 ? &fixture : NULL);
  assert_int_equal(ts_metric_sink_add(sink, "", 1.0), 0);
  return ts_metric_sink_add(sink, "later", (double)error);
}

static int defer_badly(ts_metric_sink_t *sink, int error, void *result,
                       void *context) {
  (void)error;
  (void)result;
  (void)context;
  deferrals++;
  assert_int_equal(ts_metric_sink_add(sink, "later", 1.0), 0);
  return -1;
}

static int defer_nan(ts_metric_sink_t *sink, int error, void *result,
                     void *context) {
  (void)error;
  (void)result;
  (void)context;
  assert_int_equal(ts_metric_sink_add(sink, "nan", NAN), TS__EINVAL);
  assert_int_equal(ts_metric_sink_add(sink, NULL, 1.0), TS__EINVAL);
  return ts_metric_sink_add(sink, "later", 1.0);
}

static void run_deferred(ts_deferred_metrics_cb deferred, int outcome) {
  deferrals = 0;
  options.deferred_metrics = deferred;
  run(outcome);
}

/* A-107 A-111: what the outcome tells goes beside what was asked before, and
 * a pair without a name is none. */
static void test_deferred(void **state) {
  (void)state;
  const ts_metric_t metrics[] = {TS_VALUE("m", 1)};
  METRICS(metrics);
  run_deferred(defer_one, 0);
  assert_int_equal(deferrals, 1);
  assert_samples(SAMPLE("m", "1", "true") "," SAMPLE("later", "0", "true"));
}

/* it needs no other metric. */
static void test_deferred_alone(void **state) {
  (void)state;
  run_deferred(defer_one, 0);
  assert_int_equal(fixture.log_counts[TS_LOG_WARN], 0);
  assert_samples(SAMPLE("later", "0", "true"));
}

/* a failure has an error to read from, and no result. */
static void test_deferred_of_failure(void **state) {
  (void)state;
  run_deferred(defer_one, 12);
  assert_int_equal(deferrals, 1);
  assert_samples(SAMPLE("later", "12", "false"));
}

/* when it fails, all of its pairs are void, and only they. */
static void test_deferred_fails(void **state) {
  (void)state;
  const ts_metric_t metrics[] = {TS_VALUE("m", 1)};
  METRICS(metrics);
  run_deferred(defer_badly, 0);
  assert_warned("the deferred metrics failed");
  assert_samples(SAMPLE("m", "1", "true"));
}

/* A bad pair is refused to the callback's face. */
static void test_deferred_bad_pair(void **state) {
  (void)state;
  run_deferred(defer_nan, 0);
  assert_warned("metric=nan");
  assert_samples(SAMPLE("later", "1", "true"));
}

/* The pair finds no memory; the caller goes on all the same. */
static int defer_without_memory(ts_metric_sink_t *sink, int error, void *result,
                                void *context) {
  (void)error;
  (void)result;
  (void)context;
  heap_fail(&fixture.heap, 1, 1);
  assert_int_equal(ts_metric_sink_add(sink, "n", 1.0), TS__ENOMEM);
  return 0;
}

/* A deferred sample for which there was no memory is counted as dropped. */
static void test_deferred_without_memory(void **state) {
  (void)state;
  run_deferred(defer_without_memory, 0);
  assert_int_equal(fixture_stats(&fixture).buffer_size, 0);
  assert_int_equal(fixture_stats(&fixture).dropped_samples, 1);
}

/* Without a router nobody asks. */
static void test_deferred_without_router(void **state) {
  (void)state;
  options.router = NULL;
  run_deferred(defer_one, 0);
  assert_int_equal(deferrals, 0);
  assert_warned("metrics without a router");
  assert_no_samples();
}

/* a call given up leaves no trace but its done callback. */
static void test_cancelled_call(void **state) {
  (void)state;
  begin_timed();
  ts_call_cancel(fixture.call);
  assert_int_equal(fixture.done_count, 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.done_count, 1);
  assert_int_equal(fixture.done_error, TS__ECANCELED);
  assert_no_samples();
}

/* a call that ends while the client drains is still reported. */
static void test_finish_in_drain(void **state) {
  (void)state;
  fixture_batch_t batch;
  begin_timed();
  fixture_report(&fixture, 1);
  fixture_shutdown(&fixture, 5000);
  assert_true(fixture_take_batch(&fixture, &batch));
  free(batch.json);
  ts_call_finish(fixture.call, 0, NULL);
  assert_int_equal(fixture.done_error, 0);
  fake_respond_status(batch.pipe, 202);
  assert_true(fixture_take_batch(&fixture, &batch));
  assert_non_null(strstr(batch.json, "took"));
  free(batch.json);
  fake_respond_status(batch.pipe, 202);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.close_status, 0);
  assert_int_equal(fixture.final.delivered_samples, 2);
  assert_int_equal(fixture.final.dropped_samples, 0);
}

/* A call that outlives the client is told so, and must still be ended. */
static void test_finish_after_close(void **state) {
  (void)state;
  begin_timed();
  fixture_shutdown(&fixture, 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.close_count, 1);
  assert_int_equal(fixture.done_count, 1);
  assert_int_equal(fixture.done_error, TS_ECLOSED);
  assert_null(ts_call_client(fixture.call));
  ts_call_finish(fixture.call, 0, NULL);
  assert_int_equal(fixture.done_count, 1);
}

/* a call that is cancelled before it began asks no breaker. */
static void test_cancelled_before(void **state) {
  (void)state;
  const char *name = "b";
  const bool cancelled = true;
  ts_rejection_t rejection = {TS_REASON_NONE, NULL, 0.0};
  assert_true(fake_event(fixture_start_stream(&fixture), "b", "open", NULL));
  options.breakers = &name;
  options.breaker_count = 1;
  options.cancelled = &cancelled;
  options.rejection = &rejection;
  assert_int_equal(fixture_begin(&fixture, &options), TS__ECANCELED);
  assert_int_equal(rejection.reason, TS_REASON_NONE);
  assert_int_equal(fixture.task_count, 0);
}

static void finish_in_task(ts_call_t *call, void *context) {
  fixture.task_count++;
  ts_call_finish(call, 8, context);
}

static void on_done(ts_client_t *client, int error, void *result,
                    void *context) {
  assert_ptr_equal(client, fixture.client);
  assert_ptr_equal(result, context);
  fixture.done_count++;
  fixture.done_error = error;
}

/* A task that is over at once has its done callback on the next turn. */
static void test_finish_in_task(void **state) {
  (void)state;
  start();
  assert_int_equal(way_execute_async(fixture.client, NULL, finish_in_task,
                                     on_done, &fixture),
                   0);
  assert_int_equal(fixture.task_count, 1);
  assert_int_equal(fixture.done_count, 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.done_count, 1);
  assert_int_equal(fixture.done_error, 8);
}

static void keep_task(ts_call_t *call, void *context) {
  (void)context;
  fixture.call = call;
}

/* Each of these is the caller's mistake: no task runs, nothing is sent. */
static void test_invalid_options(void **state) {
  (void)state;
  const ts_metric_t bad[] = {TS_VALUE(NULL, 1),
                             TS_METRIC("m", NULL),
                             {"m", (ts_metric_kind_t)3, 0.0, NULL}};
  const ts_tag_t tag = {"key", NULL};
  start();
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    options.metrics = &bad[i];
    options.metric_count = 1;
    assert_int_equal(fixture_begin(&fixture, &options), TS__EINVAL);
  }
  options.metrics = NULL;
  assert_int_equal(fixture_begin(&fixture, &options), TS__EINVAL);
  options.metric_count = 0;
  options.ignore_error_count = 1;
  assert_int_equal(fixture_begin(&fixture, &options), TS__EINVAL);
  options.ignore_error_count = 0;
  options.breaker_count = 1;
  assert_int_equal(fixture_begin(&fixture, &options), TS__EINVAL);
  options.breaker_count = 0;
  options.tags = &tag;
  options.tag_count = 1;
  assert_int_equal(fixture_begin(&fixture, &options), TS__EINVAL);
  assert_int_equal(way_execute_async(fixture.client, NULL, NULL, NULL, NULL),
                   TS__EINVAL);
  assert_int_equal(fixture.task_count, 0);
}

/* Options of a later version do as long as they ask for nothing unknown. */
static void test_sizes_of_options(void **state) {
  (void)state;
  struct {
    ts_call_options_t options;
    long more;
  } later = {options, 0};
  start();
  later.options.size = sizeof later;
  later.options.router = NULL;
  assert_int_equal(fixture_execute(&fixture, &later.options, 3), 3);
  later.more = 1;
  assert_int_equal(fixture_execute(&fixture, &later.options, 3), TS__E2BIG);
  options.size -= sizeof(void *);
  assert_int_equal(fixture_execute(&fixture, &options, 3), TS__EINVAL);
  assert_int_equal(fixture.task_count, 1);
}

/* A sample too long for any request is left out, with a warning. */
static void test_sample_too_long(void **state) {
  (void)state;
  static char trace_id[TS__MAX_SAMPLE + 1];
  const ts_metric_t metrics[] = {TS_VALUE("m", 1)};
  METRICS(metrics);
  memset(trace_id, 't', sizeof trace_id - 1);
  options.trace_id = trace_id;
  run(4);
  assert_warned("too long");
  assert_no_samples();
}

/* Nobody need wait for the end, and a flag that is not set cancels nothing. */
static void test_no_done(void **state) {
  (void)state;
  const bool cancelled = false;
  options.cancelled = &cancelled;
  options.router = NULL;
  start();
  assert_int_equal(fixture_begin(&fixture, &options), 0);
  ts_call_t *first = fixture.call;
  assert_int_equal(
      way_execute_async(fixture.client, &options, keep_task, NULL, &fixture),
      0);
  ts_call_finish(fixture.call, 0, NULL);
  assert_int_equal(fixture.done_count, 0);
  ts_call_finish(first, 0, NULL);
  assert_int_equal(fixture.done_count, 1);
}

static int set_nothing(void *context, void **result) {
  (void)context;
  assert_null(*result);
  return 0;
}

/* A task that has no result leaves none of the caller's behind. */
static void test_no_result(void **state) {
  (void)state;
  void *result = &fixture;
  start();
  assert_int_equal(
      way_execute(fixture.client, NULL, set_nothing, NULL, &result), 0);
  assert_null(result);
}

/* Steady calls live on memory that is there already. */
static void test_no_allocation_when_warm(void **state) {
  (void)state;
  if (!way_is_options()) {
    return; /* test_guard.c has this */
  }
  begin_timed();
  ts_call_finish(fixture.call, 0, NULL);
  const size_t before = fixture.heap.allocations;
  for (int i = 0; i < 20; i++) {
    assert_int_equal(fixture_begin(&fixture, &options), 0);
    ts_call_finish(fixture.call, 0, NULL);
  }
  assert_int_equal(fixture.heap.allocations, before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
  way_choose(argc, argv);
  const struct CMUnitTest tests[] = {
      TEST(test_success),
      TEST(test_latency),
      TEST(test_latency_is_monotonic),
      TEST(test_time_of_start),
      TEST(test_failure),
      TEST(test_ignored_error),
      TEST(test_error_not_ignored),
      TEST(test_evaluator_acquits),
      TEST(test_evaluator_overrides),
      TEST(test_evaluator_not_asked),
      TEST(test_three_metrics),
      TEST(test_metric_fails),
      TEST(test_empty_name),
      TEST(test_not_finite),
      TEST(test_same_name_twice),
      TEST(test_metrics_without_router),
      TEST(test_router_without_metrics),
      TEST(test_gated_only),
      TEST(test_deferred),
      TEST(test_deferred_alone),
      TEST(test_deferred_of_failure),
      TEST(test_deferred_fails),
      TEST(test_deferred_bad_pair),
      TEST(test_deferred_without_memory),
      TEST(test_deferred_without_router),
      TEST(test_cancelled_call),
      TEST(test_finish_in_drain),
      TEST(test_finish_after_close),
      TEST(test_cancelled_before),
      TEST(test_finish_in_task),
      TEST(test_invalid_options),
      TEST(test_sizes_of_options),
      TEST(test_sample_too_long),
      TEST(test_no_done),
      TEST(test_no_result),
      TEST(test_no_allocation_when_warm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
