/* SPDX-License-Identifier: Apache-2.0 */
/* What the hooks of a client are told of its calls. */
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
static const char *const names[] = {"a", "b"};
static const ts_metric_t latency = TS_LATENCY("took");

/* What the hooks saw last, and what they do. */
static int befores;
static int afters;
static char seen[64]; /* breakers, router and trace id, as both saw them */
static ts_call_info_t before_info;
static ts_call_info_t after_info;
static char rejected_by[8];
static int span;
static const char *trace_id_to_set;
static bool close_in_before;
static bool fail_after_before;
static bool let_go_in_after;
static bool close_in_after;

static void describe(const ts_call_info_t *info, char *text, size_t size) {
  size_t len = 0;
  text[0] = '\0';
  for (size_t i = 0; i < info->breaker_count; i++) {
    len += (size_t)snprintf(text + len, size - len, "%s,", info->breakers[i]);
  }
  snprintf(text + len, size - len, "%s,%s",
           info->router != NULL ? info->router : "-",
           info->trace_id != NULL ? info->trace_id : "-");
}

static void on_before(ts_client_t *client, ts_call_info_t *info) {
  assert_ptr_equal(client, fixture.client);
  assert_ptr_equal(info->context, &fixture);
  assert_null(info->span);
  befores++;
  info->span = &span;
  if (trace_id_to_set != NULL) {
    info->trace_id = trace_id_to_set;
  }
  before_info = *info;
  describe(info, seen, sizeof seen);
  if (close_in_before) {
    fixture_shutdown(&fixture, 0);
  }
  if (fail_after_before) {
    heap_fail(&fixture.heap, 1, 1);
  }
}

static void on_after(ts_client_t *client, const ts_call_info_t *info) {
  char now_seen[64];
  assert_ptr_equal(client, fixture.client);
  assert_ptr_equal(info->context, &fixture);
  assert_ptr_equal(info->span, &span);
  assert_int_equal(info->start_ms, before_info.start_ms);
  assert_true(info->start_ns == before_info.start_ns);
  assert_true(info->end_ns >= info->start_ns);
  describe(info, now_seen, sizeof now_seen);
  assert_string_equal(now_seen, seen);
  afters++;
  after_info = *info;
  snprintf(rejected_by, sizeof rejected_by, "%s",
           info->rejection.breaker != NULL ? info->rejection.breaker : "-");
  if (let_go_in_after) {
    ts_call_finish(fixture.call, 0, NULL);
  }
  if (close_in_after) {
    fixture_shutdown(&fixture, 0);
  }
}

static int setup(void **state) {
  const ts_call_options_t defaults = TS_CALL_OPTIONS_INIT;
  (void)state;
  fixture_init(&fixture);
  fixture.options.ingest_secret = FIXTURE_SECRET;
  fixture.options.before_call = on_before;
  fixture.options.after_call = on_after;
  options = defaults;
  befores = afters = 0;
  trace_id_to_set = NULL;
  close_in_before = fail_after_before = false;
  let_go_in_after = close_in_after = false;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  assert_int_equal(befores, afters);
  return 0;
}

static void gate_on_both(void) {
  options.breakers = names;
  options.breaker_count = 2;
}

static void begin(void) {
  fixture_start(&fixture);
  assert_int_equal(fixture_begin(&fixture, &options), 0);
  assert_int_equal(befores, 1);
  assert_int_equal(afters, 0);
}

static void assert_ended(ts_call_end_t end, int error, bool ok) {
  assert_int_equal(afters, 1);
  assert_int_equal(after_info.end, end);
  assert_int_equal(after_info.error, error);
  assert_int_equal(after_info.ok, ok);
}

/* A call is told as it begins, and with its outcome when it is over. */
static void test_finished(void **state) {
  (void)state;
  gate_on_both();
  options.trace_id = "t";
  begin();
  assert_string_equal(seen, "a,b,-,t");
  assert_int_equal(before_info.start_ms, FAKE_ENV_START_WALL_MS);
  assert_true(before_info.start_ns == FAKE_ENV_START_NS);
  fake_env_advance_ms(&fixture.env, 25);
  ts_call_finish(fixture.call, 0, &options);
  assert_ended(TS_CALL_FINISHED, 0, true);
  assert_ptr_equal(after_info.result, &options);
  assert_true(after_info.end_ns == after_info.start_ns + 25 * TS__NS_PER_MS);
  assert_int_equal(fixture.done_count, 1);
}

/* Calls that no breaker gates are calls too, and so are synchronous ones. */
static void test_synchronous(void **state) {
  (void)state;
  fixture_start(&fixture);
  assert_int_equal(fixture_execute(&fixture, NULL, 6), 6);
  assert_string_equal(seen, "-,-");
  assert_ended(TS_CALL_FINISHED, 6, false);
  assert_ptr_equal(after_info.result, &fixture);
}

static void done_after(ts_client_t *client, int error, void *result,
                       void *context) {
  (void)client;
  (void)error;
  (void)result;
  (void)context;
  fixture.done_count++;
  assert_int_equal(afters, 1);
}

static void finish_at_once(ts_call_t *call, void *context) {
  (void)context;
  assert_int_equal(befores, 1);
  ts_call_finish(call, 0, NULL);
  assert_int_equal(afters, 1);
}

/* The hook hears of it before the caller does. */
static void test_order(void **state) {
  (void)state;
  fixture_start(&fixture);
  assert_int_equal(way_execute_async(fixture.client, NULL, finish_at_once,
                                     done_after, &fixture),
                   0);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.done_count, 1);
}

static bool acquit(int error, void *result, void *context) {
  assert_int_equal(error, 9);
  assert_ptr_equal(result, &options);
  assert_ptr_equal(context, &fixture);
  return false;
}

/* The verdict is the hook's too, when nothing is reported. */
static void test_verdict(void **state) {
  (void)state;
  options.error_evaluator = acquit;
  begin();
  ts_call_finish(fixture.call, 9, &options);
  assert_ended(TS_CALL_FINISHED, 9, true);
}

/* An error of the list is none. */
static void test_ignored(void **state) {
  (void)state;
  int ignored = 4;
  options.ignore_errors = &ignored;
  options.ignore_error_count = 1;
  begin();
  ignored = 0;
  ts_call_finish(fixture.call, 4, NULL);
  assert_ended(TS_CALL_FINISHED, 4, true);
}

/* The other ends have names of their own. */
static void test_cancelled(void **state) {
  (void)state;
  begin();
  ts_call_cancel(fixture.call);
  assert_ended(TS_CALL_CANCELLED, TS__ECANCELED, true);
}

static void test_timed_out(void **state) {
  (void)state;
  options.timeout_ms = 10;
  begin();
  fake_env_advance_ms(&fixture.env, 10);
  assert_ended(TS_CALL_TIMED_OUT, TS_ETIMEDOUT, false);
  ts_call_finish(fixture.call, 0, NULL);
  assert_int_equal(afters, 1);
}

static void test_closed(void **state) {
  (void)state;
  begin();
  fixture_shutdown(&fixture, 0);
  fake_env_turn(&fixture.env);
  assert_ended(TS_CALL_CLOSED, TS_ECLOSED, false);
  ts_call_finish(fixture.call, 0, NULL);
  assert_int_equal(afters, 1);
}

/* The owner of such a call may let go of it there and then. */
static void test_let_go_in_hook(void **state) {
  (void)state;
  let_go_in_after = true;
  options.timeout_ms = 10;
  begin();
  fake_env_advance_ms(&fixture.env, 10);
  assert_int_equal(fixture.done_error, TS_ETIMEDOUT);
  afters = befores = 0;
  assert_int_equal(fixture_begin(&fixture, &options), 0);
  fixture_shutdown(&fixture, 0);
  fake_env_turn(&fixture.env);
  assert_ended(TS_CALL_CLOSED, TS_ECLOSED, false);
  assert_int_equal(fixture.done_error, TS_ECLOSED);
}

static int fallbacks;

static void on_fallback(ts_client_t *client, const ts_rejection_t *rejection,
                        void *context) {
  (void)client;
  (void)context;
  fallbacks++;
  assert_int_equal(afters, 1);
  assert_int_equal(rejection->reason, TS_REASON_OPEN);
}

static void assert_rejected(ts_reason_t reason) {
  assert_int_equal(befores, 1);
  assert_ended(TS_CALL_REJECTED, TS_EOPEN, false);
  assert_int_equal(after_info.rejection.reason, reason);
}

/* A rejected call has both hooks, and then its fallback. */
static void test_rejected(void **state) {
  (void)state;
  fallbacks = 0;
  assert_true(fake_event(fixture_start_stream(&fixture), "b", "open", NULL));
  gate_on_both();
  options.fallback = on_fallback;
  assert_int_equal(fixture_begin(&fixture, &options), 0);
  assert_rejected(TS_REASON_OPEN);
  assert_string_equal(rejected_by, "b");
  fake_env_turn(&fixture.env);
  assert_int_equal(fallbacks, 1);
  assert_int_equal(fixture.task_count, 0);
}

/* Closing from there spoils neither the refusal nor the fallback. */
static void test_rejected_and_closed(void **state) {
  (void)state;
  fallbacks = 0;
  close_in_after = true;
  assert_true(fake_event(fixture_start_stream(&fixture), "b", "open", NULL));
  gate_on_both();
  options.fallback = on_fallback;
  assert_int_equal(fixture_begin(&fixture, &options), 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(fallbacks, 1);
  assert_int_equal(fixture.close_count, 1);
}

static int select_second(const ts_metadata_t *list, ts_selection_t *selection,
                         void *context) {
  (void)context;
  return ts_selection_add(selection, ts_metadata_item(list, 1)->name);
}

static int select_router(const ts_metadata_t *list, const char **router,
                         void *context) {
  (void)context;
  *router = ts_metadata_item(list, 0)->id;
  return 0;
}

static int fail_to_select(const ts_metadata_t *list, ts_selection_t *selection,
                          void *context) {
  (void)list;
  (void)context;
  assert_int_equal(ts_selection_add(selection, "x"), 0);
  return -1;
}

static void start_with_metadata(void) {
  fixture.options.metadata_sync_interval_ms = 30000;
  fixture_start(&fixture);
  fixture_metadata(
      &fixture,
      "[{\"id\":\"1\",\"name\":\"one\"},{\"id\":\"2\",\"name\":\"two\"}]",
      "[{\"id\":\"r7\",\"name\":\"r\"}]");
}

/* What was selected is what the hooks see, also when the list is gone. */
static void test_selected(void **state) {
  (void)state;
  start_with_metadata();
  options.select_breakers = select_second;
  options.select_router = select_router;
  options.metrics = &latency;
  options.metric_count = 1;
  assert_int_equal(fixture_begin(&fixture, &options), 0);
  assert_string_equal(seen, "two,r7,-");
  fake_env_advance_ms(&fixture.env, 30000);
  fixture_metadata(&fixture, "[]", "[]");
  ts_call_finish(fixture.call, 0, NULL);
  assert_ended(TS_CALL_FINISHED, 0, true);
}

/* A selector that fails where that rejects leaves a call without breakers. */
static void test_selector_rejects(void **state) {
  (void)state;
  fixture.options.fail_open = false;
  start_with_metadata();
  options.select_breakers = fail_to_select;
  assert_int_equal(fixture_begin(&fixture, &options), TS_EOPEN);
  assert_string_equal(seen, "-,-");
  assert_rejected(TS_REASON_UNKNOWN);
  assert_string_equal(rejected_by, "-");
}

static const char *extract_unexpected(ts_client_t *client, void *context) {
  (void)client;
  (void)context;
  fail();
  return NULL;
}

/* The id of a span that begins becomes that of the samples. */
static void test_trace_id_of_span(void **state) {
  (void)state;
  char text[] = "span-1";
  fixture.options.trace_id = extract_unexpected;
  trace_id_to_set = text;
  options.router = "r1";
  options.metrics = &latency;
  options.metric_count = 1;
  begin();
  text[0] = 'x';
  snprintf(seen, sizeof seen, "r1,span-1");
  ts_call_finish(fixture.call, 0, NULL);
  char *json = fixture_deliver(&fixture);
  assert_non_null(strstr(json, "\"trace_id\":\"span-1\""));
  free(json);
}

/* The names are there at the end, whatever became of the caller's memory. */
static void test_names_are_copied(void **state) {
  (void)state;
  char name[] = "mine";
  const char *one = name;
  options.breakers = &one;
  options.breaker_count = 1;
  begin();
  name[0] = 'x';
  one = NULL;
  ts_call_finish(fixture.call, 0, NULL);
  assert_ended(TS_CALL_FINISHED, 0, true);
  assert_string_equal(seen, "mine,-,-");
}

/* A client that is closed as the call begins takes no call, and says so. */
static void test_close_in_before(void **state) {
  (void)state;
  fixture_start(&fixture);
  close_in_before = true;
  assert_int_equal(fixture_begin(&fixture, &options), TS_ECLOSED);
  assert_ended(TS_CALL_REFUSED, TS_ECLOSED, false);
  assert_int_equal(fixture.task_count, 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.close_count, 1);
}

/* Nor one that there is no memory for. */
static void test_no_memory(void **state) {
  (void)state;
  fixture_start(&fixture);
  fail_after_before = true;
  assert_int_equal(fixture_begin(&fixture, &options), TS__ENOMEM);
  assert_ended(TS_CALL_REFUSED, TS__ENOMEM, false);
  assert_int_equal(fixture.task_count, 0);
}

/* What comes to no call at all is not told. */
static void test_no_call(void **state) {
  (void)state;
  const bool cancelled = true;
  const char *none = NULL;
  fixture_start(&fixture);
  options.cancelled = &cancelled;
  assert_int_equal(fixture_begin(&fixture, &options), TS__ECANCELED);
  options.cancelled = NULL;
  options.breakers = &none;
  options.breaker_count = 1;
  assert_int_equal(fixture_begin(&fixture, &options), TS__EINVAL);
  options.select_breakers = select_second;
  assert_int_equal(fixture_begin(&fixture, &options), TS_ECONFLICT);
  options.breaker_count = 0;
  assert_int_equal(fixture_begin(&fixture, &options), TS_ENOMETADATA);
  assert_int_equal(ts_client_allow(fixture.client, names, 2, NULL), 0);
  assert_int_equal(befores, 0);
}

static void count_after(ts_client_t *client, const ts_call_info_t *info) {
  (void)client;
  assert_null(info->span);
  afters++;
}

/* Either hook may be missing. */
static void test_only_after(void **state) {
  (void)state;
  fixture.options.before_call = NULL;
  fixture.options.after_call = count_after;
  fixture_start(&fixture);
  assert_int_equal(fixture_execute(&fixture, NULL, 0), 0);
  assert_int_equal(afters, 1);
  befores = 1;
}

static void test_only_before(void **state) {
  (void)state;
  fixture.options.after_call = NULL;
  fixture_start(&fixture);
  assert_int_equal(fixture_execute(&fixture, NULL, 0), 0);
  assert_int_equal(befores, 1);
  afters = 1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
  way_choose(argc, argv);
  const struct CMUnitTest tests[] = {
      TEST(test_finished),
      TEST(test_synchronous),
      TEST(test_order),
      TEST(test_verdict),
      TEST(test_ignored),
      TEST(test_cancelled),
      TEST(test_timed_out),
      TEST(test_closed),
      TEST(test_let_go_in_hook),
      TEST(test_rejected),
      TEST(test_rejected_and_closed),
      TEST(test_selected),
      TEST(test_selector_rejects),
      TEST(test_trace_id_of_span),
      TEST(test_names_are_copied),
      TEST(test_close_in_before),
      TEST(test_no_memory),
      TEST(test_no_call),
      TEST(test_only_after),
      TEST(test_only_before),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
