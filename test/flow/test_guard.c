/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guards: their life, and what they keep. That their calls are those of their
 * options is shown by the tests that are run in each way of making a call.
 */
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
static ts_call_extras_t extras;
static ts_guard_t *guard;
static ts_rejection_t rejection;
static const char *const names[] = {"a", "b"};
static const ts_metric_t latency = TS_LATENCY("took");

static int setup(void **state) {
  const ts_call_options_t no_options = TS_CALL_OPTIONS_INIT;
  const ts_call_extras_t no_extras = TS_CALL_EXTRAS_INIT;
  (void)state;
  fixture_init(&fixture);
  fixture.options.ingest_secret = FIXTURE_SECRET;
  options = no_options;
  extras = no_extras;
  guard = NULL;
  rejection = (ts_rejection_t){TS_REASON_NONE, NULL, 0.0};
  return 0;
}

static int teardown(void **state) {
  (void)state;
  ts_guard_free(guard);
  fixture_end(&fixture);
  return 0;
}

static void make_guard(void) {
  assert_int_equal(ts_guard_new(&guard, fixture.client, &options), 0);
}

static void free_guard(void) {
  ts_guard_free(guard);
  guard = NULL;
}

static void report_latency(void) {
  options.router = "r1";
  options.metrics = &latency;
  options.metric_count = 1;
}

static void gate_on_both(void) {
  options.breakers = names;
  options.breaker_count = 2;
}

static void on_task(ts_call_t *call, void *context) {
  (void)context;
  fixture.task_count++;
  fixture.call = call;
}

static void on_done(ts_client_t *client, int error, void *result,
                    void *context) {
  (void)client;
  (void)result;
  (void)context;
  fixture.done_count++;
  fixture.done_error = error;
}

static int begin(void) {
  return ts_guard_execute_async(guard, NULL, on_task, on_done, &fixture);
}

static int on_sync_task(void *context, void **result) {
  (void)context;
  (void)result;
  fixture.task_count++;
  return 0;
}

static int execute(void) {
  return ts_guard_execute(guard, &extras, on_sync_task, &fixture, NULL);
}

static fake_pipe_t *start_with(const char *breaker, const char *state,
                               const char *rate) {
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(fake_event(stream, breaker, state, rate));
  return stream;
}

static void assert_delivered(const char *expected) {
  char *json = fixture_deliver(&fixture);
  assert_non_null(json);
  if (strstr(json, expected) == NULL) {
    fail_msg("%s is not in %s", expected, json);
  }
  free(json);
}

/* ------------------------------------------------------------------- making */

/* What is wrong with the options is said when the guard is made. */
static void test_refusals(void **state) {
  (void)state;
  bool flag = false;
  const char *none = NULL;
  fixture_start(&fixture);
  assert_int_equal(ts_guard_new(NULL, fixture.client, &options), TS__EINVAL);
  guard = (ts_guard_t *)&fixture;
  assert_int_equal(ts_guard_new(&guard, NULL, &options), TS__EINVAL);
  assert_null(guard);
  options.cancelled = &flag;
  assert_int_equal(ts_guard_new(&guard, fixture.client, &options), TS__EINVAL);
  options.cancelled = NULL;
  options.rejection = &rejection;
  assert_int_equal(ts_guard_new(&guard, fixture.client, &options), TS__EINVAL);
  options.rejection = NULL;
  options.breakers = &none;
  options.breaker_count = 1;
  assert_int_equal(ts_guard_new(&guard, fixture.client, &options), TS__EINVAL);
  options.breaker_count = 0;
  options.timeout_ms = -1;
  assert_int_equal(ts_guard_new(&guard, fixture.client, &options), TS__EINVAL);
  options.timeout_ms = 0;
  options.size--;
  assert_int_equal(ts_guard_new(&guard, fixture.client, &options), TS__EINVAL);
  assert_null(guard);
}

/* So it is with a call, of its extras. */
static void test_refused_calls(void **state) {
  (void)state;
  const ts_tag_t tag = {NULL, "v"};
  const bool cancelled = true;
  fixture_start(&fixture);
  make_guard();
  assert_int_equal(ts_guard_execute_async(NULL, NULL, on_task, NULL, NULL),
                   TS__EINVAL);
  assert_int_equal(ts_guard_execute(NULL, NULL, on_sync_task, NULL, NULL),
                   TS__EINVAL);
  assert_int_equal(ts_guard_execute_async(guard, NULL, NULL, NULL, NULL),
                   TS__EINVAL);
  assert_int_equal(ts_guard_execute(guard, NULL, NULL, NULL, NULL), TS__EINVAL);
  assert_int_equal(ts_guard_allow(NULL, NULL, NULL), TS__EINVAL);
  extras.tags = &tag;
  extras.tag_count = 1;
  assert_int_equal(execute(), TS__EINVAL);
  extras.tags = NULL;
  assert_int_equal(execute(), TS__EINVAL);
  extras.tag_count = 0;
  extras.cancelled = &cancelled;
  assert_int_equal(execute(), TS__ECANCELED);
  extras.size--;
  assert_int_equal(execute(), TS__EINVAL);
  assert_int_equal(fixture.task_count, 0);
}

/* Any one allocation may fail: the guard is not made, or its call is not. */
static void test_out_of_memory(void **state) {
  (void)state;
  report_latency();
  gate_on_both();
  fixture_start(&fixture);
  for (size_t n = 1; n <= 2; n++) {
    heap_fail(&fixture.heap, n, 1);
    const int error = ts_guard_new(&guard, fixture.client, &options);
    assert_int_equal(error, n == 1 ? TS__ENOMEM : 0);
    if (error == 0) {
      assert_int_equal(begin(), TS__ENOMEM);
    } else {
      assert_null(guard);
    }
  }
  assert_int_equal(begin(), 0);
  ts_call_finish(fixture.call, 0, NULL);
  assert_int_equal(fixture.done_count, 1);
}

/* Everything is copied: the caller's memory may change at once. */
static void test_memory_is_the_guards(void **state) {
  (void)state;
  char breaker[] = "a";
  char router[] = "r1";
  char metric[] = "took";
  char key[] = "k";
  char value[] = "v";
  char trace_id[] = "t";
  const char *breakers[] = {breaker};
  ts_metric_t metrics[] = {TS_VALUE(metric, 2)};
  ts_tag_t tags[] = {{key, value}};
  int ignored[] = {7};
  fixture_start(&fixture);
  options.breakers = breakers;
  options.breaker_count = options.metric_count = options.tag_count = 1;
  options.router = router;
  options.metrics = metrics;
  options.tags = tags;
  options.trace_id = trace_id;
  options.ignore_errors = ignored;
  options.ignore_error_count = 1;
  make_guard();
  breaker[0] = router[0] = metric[0] = key[0] = value[0] = trace_id[0] = 'x';
  breakers[0] = NULL;
  memset(metrics, 0, sizeof metrics);
  memset(tags, 0, sizeof tags);
  ignored[0] = 0;
  assert_int_equal(begin(), 0);
  ts_call_finish(fixture.call, 7, NULL);
  assert_delivered("{\"router_id\":\"r1\",\"metric\":\"took\",\"ts_ms\":"
                   "1700000000000,\"value\":2,\"ok\":true,\"tags\":{\"k\":"
                   "\"v\"},\"trace_id\":\"t\"}");
}

/* --------------------------------------------------------------------- life */

/* A guard may go while its calls run: they are what they were. */
static void test_free_with_calls_running(void **state) {
  (void)state;
  ts_call_t *first = NULL;
  report_latency();
  options.trace_id = "t";
  fixture_start(&fixture);
  make_guard();
  assert_int_equal(begin(), 0);
  first = fixture.call;
  assert_int_equal(begin(), 0);
  free_guard();
  ts_call_finish(first, 0, NULL);
  ts_call_cancel(fixture.call);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.done_count, 2);
  assert_delivered("\"metric\":\"took\"");
}

static bool free_and_judge(int error, void *result, void *context) {
  (void)error;
  (void)result;
  (void)context;
  free_guard();
  return true;
}

static int free_and_measure(void *context, double *value) {
  (void)context;
  free_guard();
  *value = 3.0;
  return 0;
}

static int free_and_defer(ts_metric_sink_t *sink, int error, void *result,
                          void *context) {
  (void)error;
  (void)result;
  (void)context;
  free_guard();
  return ts_metric_sink_add(sink, "later", 1.0);
}

static int free_and_select(const ts_metadata_t *list, ts_selection_t *selection,
                           void *context) {
  (void)list;
  (void)context;
  free_guard();
  return ts_selection_add(selection, "a");
}

static void free_in_task(ts_call_t *call, void *context) {
  free_guard();
  on_task(call, context);
}

static int free_in_sync_task(void *context, void **result) {
  free_guard();
  return on_sync_task(context, result);
}

static void free_in_done(ts_client_t *client, int error, void *result,
                         void *context) {
  free_guard();
  on_done(client, error, result, context);
}

/* Inside everything that is asked about one of its calls, too. */
static void test_free_inside(void **state) {
  (void)state;
  static const ts_metric_t asked = TS_METRIC("m", free_and_measure);
  fixture.options.metadata_sync_interval_ms = 30000;
  report_latency();
  fixture_start(&fixture);
  fixture_metadata(&fixture, "[]", "[]");
  for (int i = 0; i < 6; i++) {
    options.error_evaluator = i == 0 ? free_and_judge : NULL;
    options.metrics = i == 1 ? &asked : &latency;
    options.deferred_metrics = i == 2 ? free_and_defer : NULL;
    options.select_breakers = i == 3 ? free_and_select : NULL;
    make_guard();
    assert_int_equal(
        ts_guard_execute_async(guard, NULL, i == 4 ? free_in_task : on_task,
                               i == 5 ? free_in_done : on_done, NULL),
        0);
    ts_call_finish(fixture.call, -1, NULL);
    assert_null(guard);
    assert_int_equal(fixture.done_count, i + 1);
  }
  make_guard();
  assert_int_equal(ts_guard_execute(guard, NULL, free_in_sync_task, NULL, NULL),
                   0);
  assert_int_equal(fixture_stats(&fixture).buffer_size, 8);
}

/* A guard may outlive its client, and has then nothing to do any more. */
static void test_outlives_its_client(void **state) {
  (void)state;
  fixture_start(&fixture);
  make_guard();
  fixture_shutdown(&fixture, 0);
  assert_int_equal(begin(), TS_ECLOSED);
  assert_int_equal(ts_guard_allow(guard, NULL, NULL), TS_ECLOSED);
  fake_env_turn(&fixture.env);
  assert_null(fixture.client);
  assert_int_equal(begin(), TS_ECLOSED);
  assert_int_equal(execute(), TS_ECLOSED);
  assert_int_equal(ts_guard_allow(guard, NULL, NULL), TS_ECLOSED);
  free_guard();
}

/* And a call may outlive them both, in either order. */
static void test_call_outlives_both(void **state) {
  (void)state;
  report_latency();
  for (int i = 0; i < 2; i++) {
    fixture_start(&fixture);
    make_guard();
    assert_int_equal(begin(), 0);
    if (i == 0) {
      free_guard();
    }
    fixture_shutdown(&fixture, 0);
    fake_env_turn(&fixture.env);
    assert_int_equal(fixture.done_error, TS_ECLOSED);
    if (i == 1) {
      free_guard();
    }
    ts_call_finish(fixture.call, 0, NULL);
    fixture_end(&fixture);
    fixture_init(&fixture);
  }
}

static void free_on_close(ts_client_t *client, int status) {
  (void)status;
  assert_int_equal(begin(), TS_ECLOSED);
  free_guard();
  assert_int_equal(ts_guard_new(&guard, client, &options), TS_ECLOSED);
  fixture.client = NULL;
}

/* The close callback may still free it. */
static void test_free_in_close_callback(void **state) {
  (void)state;
  fixture_start(&fixture);
  make_guard();
  assert_int_equal(ts_client_close(fixture.client, free_on_close), 0);
  fake_env_turn(&fixture.env);
  assert_null(fixture.client);
}

/* ------------------------------------------------------------------- states */

/* A guard sees its breakers come, change and go. */
static void test_follows_the_cache(void **state) {
  (void)state;
  gate_on_both();
  fixture.options.fail_open = false;
  fixture.options.stale_after_ms = -1;
  fake_pipe_t *stream = start_with("other", "closed", NULL);
  make_guard();
  extras.rejection = &rejection;
  assert_int_equal(execute(), TS_EOPEN);
  assert_int_equal(rejection.reason, TS_REASON_UNKNOWN);
  assert_string_equal(rejection.breaker, "a");
  assert_true(fake_event(stream, "a", "closed", NULL));
  assert_true(fake_event(stream, "b", "closed", NULL));
  assert_int_equal(execute(), 0);
  assert_true(fake_event(stream, "b", "open", NULL));
  assert_int_equal(execute(), TS_EOPEN);
  assert_int_equal(rejection.reason, TS_REASON_OPEN);
  assert_string_equal(rejection.breaker, "b");

  fake_pipe_end(stream, 0); /* the next connection does not name b */
  fake_env_advance_ms(&fixture.env, 3000);
  stream = fixture_find(&fixture, "/breakers/state:stream");
  assert_true(fake_respond_stream_head(stream, FAKE_STREAM_CHUNKED));
  assert_true(fake_event(stream, "a", "closed", NULL));
  assert_int_equal(execute(), TS_EOPEN);
  fake_env_advance_ms(&fixture.env, 40000);
  assert_int_equal(execute(), TS_EOPEN);
  assert_int_equal(rejection.reason, TS_REASON_UNKNOWN);
  assert_true(fake_event(stream, "b", "closed", NULL));
  assert_int_equal(execute(), 0);
}

/* The embedder's word too, for known breakers and for others. */
static void test_follows_overrides(void **state) {
  (void)state;
  gate_on_both();
  fake_pipe_t *stream = start_with("a", "closed", NULL);
  make_guard();
  assert_int_equal(execute(), 0);
  assert_int_equal(ts_client_override(fixture.client, "b", TS_OVERRIDE_OPEN),
                   0);
  assert_int_equal(execute(), TS_EOPEN);
  assert_int_equal(ts_client_override(fixture.client, "b", TS_OVERRIDE_NONE),
                   0);
  assert_int_equal(execute(), 0);
  assert_true(fake_event(stream, "a", "open", NULL));
  assert_int_equal(execute(), TS_EOPEN);
  assert_int_equal(ts_client_override(fixture.client, "a", TS_OVERRIDE_CLOSED),
                   0);
  assert_int_equal(execute(), 0);
  assert_int_equal(ts_client_clear_overrides(fixture.client), 0);
  assert_int_equal(execute(), TS_EOPEN);
}

/* The gate on its own. */
static void test_allow(void **state) {
  (void)state;
  gate_on_both();
  fake_pipe_t *stream = start_with("a", "closed", NULL);
  make_guard();
  assert_int_equal(ts_guard_allow(guard, NULL, &rejection), 0);
  assert_int_equal(rejection.reason, TS_REASON_NONE);
  assert_true(fake_event(stream, "a", "open", NULL));
  assert_int_equal(ts_guard_allow(guard, NULL, NULL), TS_EOPEN);
  assert_int_equal(ts_guard_allow(guard, NULL, &rejection), TS_EOPEN);
  assert_int_equal(rejection.reason, TS_REASON_OPEN);
  assert_string_equal(rejection.breaker, "a");
}

static int select_from_context(const ts_metadata_t *list,
                               ts_selection_t *selection, void *context) {
  (void)list;
  return ts_selection_add(selection, context);
}

static int select_unexpected(const ts_metadata_t *list, const char **router,
                             void *context) {
  (void)list;
  (void)router;
  (void)context;
  fail();
  return 0;
}

/* It asks the selector of breakers, and only that one. */
static void test_allow_asks_the_selector(void **state) {
  (void)state;
  char open_one[] = "a";
  char other[] = "c";
  fixture.options.metadata_sync_interval_ms = 30000;
  start_with("a", "open", NULL);
  options.select_breakers = select_from_context;
  options.select_router = select_unexpected;
  make_guard();
  assert_int_equal(ts_guard_allow(guard, other, NULL), TS_ENOMETADATA);
  fixture_metadata(&fixture, "[]", "[]");
  assert_int_equal(ts_guard_allow(guard, other, NULL), 0);
  assert_int_equal(ts_guard_allow(guard, open_one, &rejection), TS_EOPEN);
  assert_ptr_equal(rejection.breaker, open_one);
}

/* ------------------------------------------------------------------ samples */

/* A guard may be freed by the selector that it is asked with. */
static void test_free_while_asked(void **state) {
  (void)state;
  fixture.options.metadata_sync_interval_ms = 30000;
  fixture_start(&fixture);
  fixture_metadata(&fixture, "[]", "[]");
  options.select_breakers = free_and_select;
  options.router = "r1";
  make_guard();
  assert_int_equal(ts_guard_allow(guard, NULL, &rejection), 0);
  assert_null(guard);
}

/* A call's own tags and trace id stand over the guard's, for that call. */
static void test_extras_are_of_one_call(void **state) {
  (void)state;
  const ts_tag_t global[] = {{"g", "1"}, {"h", "1"}};
  const ts_tag_t own[] = {{"h", "2"}, {"i", "2"}, {"j", "2"}};
  const ts_tag_t more[] = {{"i", "3"}, {"", "no"}, {"k", "3"}};
  fixture.options.global_tags = global;
  fixture.options.global_tag_count = 2;
  report_latency();
  options.tags = own;
  options.tag_count = 3;
  options.trace_id = "t";
  fixture_start(&fixture);
  make_guard();
  extras.tags = more;
  extras.tag_count = 3;
  extras.trace_id = "u";
  assert_int_equal(execute(), 0);
  assert_delivered("\"tags\":{\"g\":\"1\",\"h\":\"2\",\"j\":\"2\",\"i\":\"3\","
                   "\"k\":\"3\"},\"trace_id\":\"u\"");
  assert_true(fixture_logged(&fixture, "skipped a tag"));
  extras.tag_count = 0;
  extras.trace_id = "";
  assert_int_equal(execute(), 0);
  assert_delivered("\"tags\":{\"g\":\"1\",\"h\":\"2\",\"i\":\"2\",\"j\":\"2\"},"
                   "\"trace_id\":\"t\"");
}

static int fail_every_second(void *context, double *value) {
  static int count;
  (void)context;
  *value = 1.0;
  return count++ % 2 == 0 ? -1 : 0;
}

/* What one call leaves out, the next one has. */
static void test_values_are_of_one_call(void **state) {
  (void)state;
  const ts_metric_t metrics[] = {TS_METRIC("m", fail_every_second),
                                 TS_VALUE("n", 5), TS_VALUE("n", 6),
                                 TS_VALUE("", 7)};
  options.router = "r1";
  options.metrics = metrics;
  options.metric_count = 4;
  fixture_start(&fixture);
  make_guard();
  assert_int_equal(execute(), 0);
  assert_int_equal(fixture_stats(&fixture).buffer_size, 1);
  assert_int_equal(execute(), 0);
  assert_int_equal(fixture_stats(&fixture).buffer_size, 3);
  assert_delivered("\"metric\":\"n\",\"ts_ms\":1700000000000,\"value\":6");
}

/* Steady calls live on memory that is there, also with extras. */
static void test_no_allocation_when_warm(void **state) {
  (void)state;
  const ts_tag_t tag = {"k", "v"};
  report_latency();
  gate_on_both();
  options.timeout_ms = 1000;
  fixture_start(&fixture);
  make_guard();
  extras.tags = &tag;
  extras.tag_count = 1;
  assert_int_equal(begin(), 0);
  ts_call_finish(fixture.call, 0, NULL);
  const size_t before = fixture.heap.allocations;
  for (int i = 0; i < 20; i++) {
    assert_int_equal(
        ts_guard_execute_async(guard, &extras, on_task, on_done, NULL), 0);
    ts_call_finish(fixture.call, 0, NULL);
  }
  assert_int_equal(fixture.heap.allocations, before);
}

/* -------------------------------------------------- calls timed elsewhere */

/* What was let pass and is reported later is a call like any other. */
static void test_report(void **state) {
  (void)state;
  report_latency();
  gate_on_both();
  (void)start_with("a", "closed", NULL);
  make_guard();
  assert_int_equal(ts_guard_allow(guard, NULL, NULL), 0);
  const uint64_t start_ns = ts__mono_ns(&fixture.env.env);
  fake_env_advance_ms(&fixture.env, 25);
  assert_int_equal(ts_guard_report(guard, start_ns, -1, NULL, NULL), 0);
  assert_delivered("\"value\":25,\"ok\":false");
}

/* More metrics than there is room for at hand. */
static void test_report_of_many_metrics(void **state) {
  (void)state;
  const ts_metric_t many[] = {
      TS_VALUE("a", 1), TS_VALUE("b", 2), TS_VALUE("c", 3), TS_VALUE("d", 4),
      TS_VALUE("e", 5), TS_VALUE("f", 6), TS_VALUE("g", 7), TS_VALUE("h", 8),
      TS_VALUE("i", 9), TS_VALUE("j", 10)};
  report_latency();
  options.metrics = many;
  options.metric_count = 10;
  fixture_start(&fixture);
  make_guard();
  assert_int_equal(ts_guard_report(guard, 0, 0, NULL, NULL), 0);
  assert_delivered("\"metric\":\"j\"");
}

static int free_while_asked(ts_metric_sink_t *sink, int error, void *result,
                            void *context) {
  (void)error;
  (void)result;
  free_guard();
  assert_ptr_equal(context, &fixture);
  return ts_metric_sink_add(sink, "asked", 7);
}

/* A guard may be freed by what its report asks. */
static void test_report_whose_guard_goes(void **state) {
  (void)state;
  options.router = "r1";
  options.deferred_metrics = free_while_asked;
  fixture_start(&fixture);
  make_guard();
  assert_int_equal(ts_guard_report(guard, 0, 0, NULL, &fixture), 0);
  assert_delivered("\"metric\":\"asked\"");
}

/* Nothing to report, and nobody to report it to. */
static void test_report_of_nothing(void **state) {
  (void)state;
  fixture_start(&fixture);
  make_guard();
  assert_int_equal(ts_guard_report(NULL, 0, 0, NULL, NULL), TS__EINVAL);
  assert_int_equal(ts_guard_report(guard, 0, 0, NULL, NULL), 0);
  assert_int_equal(ts_client_close(fixture.client, NULL), 0);
  assert_int_equal(ts_guard_report(guard, 0, 0, NULL, NULL), TS_ECLOSED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_refusals),
      TEST(test_refused_calls),
      TEST(test_out_of_memory),
      TEST(test_memory_is_the_guards),
      TEST(test_free_with_calls_running),
      TEST(test_free_inside),
      TEST(test_outlives_its_client),
      TEST(test_call_outlives_both),
      TEST(test_free_in_close_callback),
      TEST(test_follows_the_cache),
      TEST(test_follows_overrides),
      TEST(test_allow),
      TEST(test_report),
      TEST(test_report_of_many_metrics),
      TEST(test_report_whose_guard_goes),
      TEST(test_report_of_nothing),
      TEST(test_allow_asks_the_selector),
      TEST(test_free_while_asked),
      TEST(test_extras_are_of_one_call),
      TEST(test_values_are_of_one_call),
      TEST(test_no_allocation_when_warm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
