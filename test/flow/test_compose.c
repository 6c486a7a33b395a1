/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the client that name breakers that decide for themselves too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/fixture.h"
#include "support/registry.h"

#define FAILED (-71)
#define OPEN_MS 1000

static fixture_t fixture;
static registry_bench_t bench;
static ts_call_options_t options;
static ts_breaker_options_t rule;
static ts_breaker_t *locals[2]; /* "first" and "second", one reference each */
static ts_rejection_t rejection;
static const ts_metric_t latency = TS_LATENCY("took");
static const char *const service = "svc";
static int judged;

static void make_locals(void) {
  locals[0] = registry_bench_get(&bench, "first", &rule);
  locals[1] = registry_bench_get(&bench, "second", &rule);
  options.local_breakers = locals;
  options.local_breaker_count = 2;
}

static int setup(void **state) {
  (void)state;
  fixture_init(&fixture);
  fixture.options.api_key = NULL;
  fixture.options.ingest_secret = FIXTURE_SECRET;
  registry_bench_init(&bench);
  options = (ts_call_options_t)TS_CALL_OPTIONS_INIT;
  options.breakers = &service;
  options.breaker_count = 1;
  options.rejection = &rejection;
  rejection = (ts_rejection_t){.reason = TS_REASON_NONE};
  ts_breaker_options_mist(&rule, 2, OPEN_MS, 1);
  judged = 0;
  assert_int_equal(registry_bench_new(&bench), 0);
  make_locals();
  return 0;
}

static void let_go_of(int i) {
  ts_breaker_unref(locals[i]);
  locals[i] = NULL;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  let_go_of(0);
  let_go_of(1);
  registry_bench_end(&bench);
  return 0;
}

static void start(void) {
  fixture_start(&fixture);
  fake_env_turn(&fixture.env);
}

static void report_latency(void) {
  options.router = "r1";
  options.metrics = &latency;
  options.metric_count = 1;
}

static void begin(void) {
  assert_int_equal(fixture_begin(&fixture, &options), 0);
}

static ts_breaker_counts_t counts_of(int i) {
  ts_breaker_counts_t counts;
  ts_breaker_counts(locals[i], &counts);
  return counts;
}

/* So many of each kind, and no ticket out. */
static void assert_counts(int i, unsigned successes, unsigned failures,
                          unsigned cancelled) {
  const ts_breaker_counts_t counts = counts_of(i);
  assert_int_equal(counts.total_successes, successes);
  assert_int_equal(counts.total_failures, failures);
  assert_int_equal(counts.total_cancelled, cancelled);
  assert_int_equal(counts.total_ignored, 0);
  assert_int_equal(locals[i]->machine.tickets, 0);
}

/* Until it is half-open. */
static void trip_and_wait(int i) {
  registry_bench_calls(locals[i], "FF");
  fake_env_advance_ms(&bench.env, OPEN_MS);
  assert_int_equal(ts_breaker_state(locals[i]), TS_BREAKER_HALF_OPEN);
}

/* ------------------------------------------------------------------ gating */

/* The service's breakers come first, so that no ticket is given for nothing. */
static void test_service_first(void **state) {
  (void)state;
  start();
  assert_int_equal(
      ts_client_override(fixture.client, service, TS_OVERRIDE_OPEN), 0);
  assert_int_equal(fixture_begin(&fixture, &options), TS_EOPEN);
  assert_int_equal(rejection.reason, TS_REASON_OVERRIDE);
  assert_int_equal(counts_of(0).total_admitted, 0);
  assert_int_equal(fixture.task_count, 0);
}

/* B119: a probe that one breaker granted is given back at once when the next
 * one rejects the call. */
static void test_slot_is_given_back(void **state) {
  (void)state;
  start();
  trip_and_wait(0);
  registry_bench_calls(locals[1], "FF");
  assert_int_equal(fixture_begin(&fixture, &options), TS_EOPEN);
  assert_int_equal(rejection.reason, TS_REASON_OPEN);
  assert_ptr_equal(rejection.breaker, ts_breaker_name(locals[1]));
  assert_int_equal(rejection.retry_after_ms, OPEN_MS);
  assert_counts(0, 0, 2, 1);
  assert_int_equal(ts_breaker_state(locals[0]), TS_BREAKER_HALF_OPEN);
  registry_bench_calls(locals[0], "S");
  assert_int_equal(ts_breaker_state(locals[0]), TS_BREAKER_CLOSED);
}

/* They are asked in the caller's order: the first that rejects is named, and
 * those after it are not asked. */
static void test_in_order(void **state) {
  (void)state;
  start();
  registry_bench_calls(locals[0], "FF");
  registry_bench_calls(locals[1], "FF");
  assert_int_equal(fixture_execute(&fixture, &options, 0), TS_EOPEN);
  assert_string_equal(rejection.breaker, "first");
  assert_int_equal(counts_of(0).total_rejected_open, 1);
  assert_int_equal(counts_of(1).total_rejected_open, 0);
}

/* A call may name local breakers alone. */
static void test_locals_alone(void **state) {
  (void)state;
  options.breaker_count = 0;
  start();
  assert_int_equal(fixture_execute(&fixture, &options, 0), 0);
  assert_int_equal(fixture_execute(&fixture, &options, FAILED), FAILED);
  assert_counts(0, 1, 1, 0);
  assert_counts(1, 1, 1, 0);
}

static void on_fallback(ts_client_t *client, const ts_rejection_t *details,
                        void *context) {
  assert_ptr_equal(client, fixture.client);
  assert_ptr_equal(context, &fixture);
  assert_int_equal(details->reason, TS_REASON_PROBES);
  assert_string_equal(details->breaker, "second");
  fixture.done_count += 100;
}

/* A call that a local breaker rejects has its fallback like any other. */
static void test_fallback(void **state) {
  (void)state;
  ts_ticket_t probe;
  options.fallback = on_fallback;
  start();
  trip_and_wait(1);
  assert_int_equal(ts_breaker_begin(locals[1], &probe, NULL), 0);
  begin();
  assert_int_equal(fixture.done_count, 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.done_count, 100);
  assert_int_equal(fixture.task_count, 0);
  assert_counts(0, 0, 0, 1);
  assert_int_equal(ts_breaker_end(locals[1], &probe, TS_OUTCOME_SUCCESS, 0), 0);
}

static void count_end(ts_client_t *client, const ts_call_info_t *info) {
  (void)client;
  assert_int_equal(info->end, TS_CALL_REJECTED);
  assert_int_equal(info->error, TS_EOPEN);
  assert_string_equal(info->rejection.breaker, "first");
  judged++;
}

/* The hook after a call is told that a local breaker rejected it. */
static void test_hook_of_rejected(void **state) {
  (void)state;
  fixture.options.after_call = count_end;
  start();
  registry_bench_calls(locals[0], "FF");
  assert_int_equal(fixture_begin(&fixture, &options), TS_EOPEN);
  assert_int_equal(judged, 1);
}

/* A list without an address, or with a hole, is refused. */
static void test_invalid(void **state) {
  (void)state;
  ts_breaker_t *holes[2] = {locals[0], NULL};
  start();
  options.local_breakers = holes;
  assert_int_equal(fixture_begin(&fixture, &options), TS__EINVAL);
  options.local_breakers = NULL;
  assert_int_equal(fixture_execute(&fixture, &options, 0), TS__EINVAL);
  assert_int_equal(counts_of(0).total_admitted, 0);
}

/* A breaker that is out of its registry takes no calls; the others forget. */
static void test_gone_breaker(void **state) {
  (void)state;
  start();
  assert_int_equal(ts_registry_remove(bench.registry, "second"), 0);
  assert_int_equal(fixture_begin(&fixture, &options), TS_ECLOSED);
  assert_int_equal(fixture_execute(&fixture, &options, 0), TS_ECLOSED);
  assert_int_equal(fixture.task_count, 0);
  assert_counts(0, 0, 0, 2);
}

/* ---------------------------------------------------------------- outcomes */

static bool is_failure(int error, void *result, void *context) {
  (void)result;
  assert_ptr_equal(context, &fixture);
  judged++;
  return error == FAILED;
}

/* The outcome is judged once, and told to all. */
static void test_judged_once(void **state) {
  (void)state;
  options.error_evaluator = is_failure;
  report_latency();
  start();
  assert_int_equal(fixture_execute(&fixture, &options, FAILED), FAILED);
  assert_int_equal(judged, 1);
  assert_counts(0, 0, 1, 0);
  assert_counts(1, 0, 1, 0);
  begin();
  ts_call_finish(fixture.call, -5, NULL);
  assert_int_equal(judged, 2);
  assert_counts(0, 1, 1, 0);
  assert_counts(1, 1, 1, 0);
}

/* What the call ignores is a success to its breakers, also if nothing is
 * reported. */
static void test_ignored_errors(void **state) {
  static const int harmless[] = {-3};
  (void)state;
  options.ignore_errors = harmless;
  options.ignore_error_count = 1;
  start();
  assert_int_equal(fixture_execute(&fixture, &options, -3), -3);
  begin();
  ts_call_finish(fixture.call, -3, NULL);
  assert_counts(0, 2, 0, 0);
}

/* A breaker's own list of expected errors, and the code of a cancelled call,
 * hold here as well. */
static void test_own_expectations(void **state) {
  static const int expected[] = {-4};
  ts_breaker_t *patient = NULL;
  (void)state;
  rule.expected = expected;
  rule.expected_count = 1;
  patient = registry_bench_get(&bench, "patient", &rule);
  ts_breaker_unref(locals[1]);
  locals[1] = patient;
  start();
  assert_int_equal(fixture_execute(&fixture, &options, -4), -4);
  assert_int_equal(fixture_execute(&fixture, &options, TS__ECANCELED),
                   TS__ECANCELED);
  assert_counts(0, 0, 1, 1);
  assert_counts(1, 1, 0, 1);
}

static ts_outcome_t classify(int error, void *result, void *context,
                             int64_t *open_ms) {
  (void)result;
  assert_ptr_equal(context, &fixture);
  judged++;
  *open_ms = error != 0 ? 5000 : 0;
  return error == 0 ? TS_OUTCOME_FAILURE : TS_OUTCOME_SUCCESS;
}

/* A breaker with a classifier goes by that; samples never do. */
static void test_own_classifier(void **state) {
  (void)state;
  rule.classify = classify;
  ts_breaker_unref(locals[1]);
  locals[1] = registry_bench_get(&bench, "odd", &rule);
  report_latency();
  start();
  assert_int_equal(fixture_execute(&fixture, &options, 0), 0);
  assert_int_equal(judged, 1);
  assert_counts(0, 1, 0, 0);
  assert_counts(1, 0, 1, 0);
  char *json = fixture_deliver(&fixture);
  assert_non_null(strstr(json, "\"ok\":true}"));
  free(json);
}

static ts_outcome_t classify_wrong(int error, void *result, void *context,
                                   int64_t *open_ms) {
  (void)result;
  (void)context;
  *open_ms = -5000;
  return error == 0 ? (ts_outcome_t)99 : TS_OUTCOME_FAILURE;
}

/* Whatever a classifier says, the ticket comes back: what is no time is none,
 * and what is no outcome is ignored. */
static void test_wrong_classifier(void **state) {
  (void)state;
  rule.classify = classify_wrong;
  ts_breaker_unref(locals[1]);
  locals[1] = registry_bench_get(&bench, "odd", &rule);
  start();
  assert_int_equal(fixture_execute(&fixture, &options, 0), 0);
  assert_int_equal(locals[1]->machine.tickets, 0);
  assert_int_equal(counts_of(1).total_ignored, 1);
  assert_int_equal(fixture_execute(&fixture, &options, FAILED), FAILED);
  assert_int_equal(locals[1]->machine.tickets, 0);
  assert_int_equal(counts_of(1).total_failures, 1);
}

/* A call given up says nothing, neither to breakers nor in samples. */
static void test_cancelled(void **state) {
  (void)state;
  report_latency();
  start();
  begin();
  ts_call_cancel(fixture.call);
  assert_counts(0, 0, 0, 1);
  assert_counts(1, 0, 0, 1);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.done_error, TS__ECANCELED);
  assert_int_equal(fixture_stats(&fixture).buffer_size, 0);
}

/* The passing of the limit is the outcome, and what comes later is none. */
static void test_limit(void **state) {
  (void)state;
  options.timeout_ms = 100;
  start();
  begin();
  fake_env_advance_ms(&fixture.env, 100);
  assert_int_equal(fixture.done_error, TS_ETIMEDOUT);
  assert_counts(0, 0, 1, 0);
  ts_call_finish(fixture.call, 0, NULL);
  assert_counts(0, 0, 1, 0);
  assert_counts(1, 0, 1, 0);
}

/* A rejected call has no sample, and the samples of others do not change. */
static void test_samples_stand_apart(void **state) {
  (void)state;
  report_latency();
  start();
  assert_int_equal(fixture_execute(&fixture, &options, FAILED), FAILED);
  assert_int_equal(fixture_execute(&fixture, &options, FAILED), FAILED);
  assert_int_equal(fixture_execute(&fixture, &options, FAILED), TS_EOPEN);
  assert_int_equal(fixture_stats(&fixture).buffer_size, 2);
}

/* -------------------------------------------------------------------- lives */

/* The close of the client gives its calls up; their breakers live on. */
static void test_client_closes_first(void **state) {
  (void)state;
  start();
  trip_and_wait(0);
  begin();
  assert_int_equal(locals[0]->machine.slots_taken, 1);
  fixture_shutdown(&fixture, 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.done_error, TS_ECLOSED);
  assert_int_equal(locals[0]->machine.slots_taken, 0);
  assert_counts(1, 0, 0, 1);
  ts_call_finish(fixture.call, 0, NULL);
  assert_counts(1, 0, 0, 1);
}

/* A call outlives its breakers, their references and their registry. */
static void test_breakers_go_first(void **state) {
  (void)state;
  start();
  begin();
  assert_int_equal(ts_registry_remove(bench.registry, "first"), 0);
  let_go_of(0);
  let_go_of(1);
  registry_bench_close(&bench);
  ts_call_finish(fixture.call, FAILED, NULL);
  assert_int_equal(fixture.done_error, FAILED);
  assert_int_equal(heap_balance(&bench.heap), 0);
}

static int never_run(void *context, void **result) {
  (void)context;
  (void)result;
  fail();
  return 0;
}

/* A guard has references of its own. */
static void test_guard_holds(void **state) {
  ts_guard_t *guard = NULL;
  (void)state;
  options.rejection = NULL;
  start();
  assert_int_equal(ts_guard_new(&guard, fixture.client, &options), 0);
  assert_int_equal(ts_registry_remove(bench.registry, "first"), 0);
  let_go_of(0);
  assert_int_equal(ts_guard_execute(guard, NULL, never_run, NULL, NULL),
                   TS_ECLOSED);
  assert_counts(1, 0, 0, 0);
  ts_guard_free(guard);
}

/* ts_guard_allow and ts_client_allow have nobody to tell an outcome, so local
 * breakers have no say there. */
static void test_allow_is_the_service_alone(void **state) {
  ts_guard_t *guard = NULL;
  (void)state;
  options.rejection = NULL;
  start();
  registry_bench_calls(locals[0], "FF");
  assert_int_equal(ts_guard_new(&guard, fixture.client, &options), 0);
  assert_int_equal(ts_guard_allow(guard, NULL, NULL), 0);
  ts_guard_free(guard);
  assert_int_equal(counts_of(0).total_rejected_open, 0);
}

/* Traffic that goes on as it began allocates nothing. */
static void test_allocates_nothing(void **state) {
  (void)state;
  ts_guard_t *guard = NULL;
  if (!way_is_options()) {
    return; /* a guard is made for each call here */
  }
  start();
  begin();
  ts_call_finish(fixture.call, 0, NULL);
  options.rejection = NULL;
  assert_int_equal(ts_guard_new(&guard, fixture.client, &options), 0);
  const size_t before = fixture.heap.allocations + bench.heap.allocations;
  for (int i = 0; i < 100; i++) {
    begin();
    ts_call_finish(fixture.call, i % 2 == 0 ? 0 : FAILED, NULL);
    assert_int_equal(fixture_execute(&fixture, &options, 0), 0);
  }
  assert_int_equal(fixture.heap.allocations + bench.heap.allocations, before);
  ts_guard_free(guard);
}

/* Without memory for the call nobody is asked. */
static void test_no_memory(void **state) {
  (void)state;
  if (!way_is_options()) {
    return; /* there is none for the guard then */
  }
  start();
  heap_fail(&fixture.heap, 1, 1);
  assert_int_equal(fixture_begin(&fixture, &options), TS__ENOMEM);
  assert_int_equal(counts_of(0).total_admitted, 0);
  begin();
  ts_call_finish(fixture.call, 0, NULL);
  assert_counts(0, 1, 0, 0);
}

/* ------------------------------------------- callbacks that close everything */

typedef void (*action_t)(void);
static action_t action;

static void act_once(void) {
  const action_t now = action;
  action = NULL;
  if (now != NULL) {
    now();
  }
}

static void on_event(registry_bench_t *owner, ts_breaker_t *breaker,
                     const ts_breaker_event_t *event) {
  (void)owner;
  (void)breaker;
  (void)event;
  act_once();
}

static bool act_and_fail(int error, void *result, void *context) {
  (void)error;
  (void)result;
  (void)context;
  act_once();
  return true;
}

static void drop(int i) {
  if (locals[i] != NULL) {
    let_go_of(i);
  }
}

static void remove_both(void) {
  (void)ts_registry_remove(bench.registry, "first");
  (void)ts_registry_remove(bench.registry, "second");
  drop(0);
  drop(1);
}

static void on_bench_closed(ts_registry_t *registry) {
  (void)registry;
  bench.registry = NULL;
}

static void close_registry(void) {
  (void)ts_registry_close(bench.registry, on_bench_closed);
  drop(0);
  drop(1);
}

static void close_client(void) { fixture_shutdown(&fixture, 0); }

static void close_all(void) {
  close_client();
  close_registry();
}

static void call_again(void) {
  (void)ts_execute_async(fixture.client, NULL, NULL, NULL, NULL);
  options.local_breaker_count = locals[0] != NULL ? 1 : 0;
  if (fixture_execute(&fixture, &options, 0) == 0) {
    fixture.task_count--;
  }
  options.local_breaker_count = 2;
}

static const action_t actions[] = {remove_both, close_registry, close_client,
                                   close_all, call_again};
#define ACTIONS (sizeof actions / sizeof actions[0])

/* Both are half-open, so that each admission is told as an event, and the first
 * event does something. */
static void run_with_event(action_t what, bool synchronous) {
  assert_int_equal(setup(NULL), 0);
  bench.on_event = on_event;
  start();
  trip_and_wait(0);
  trip_and_wait(1);
  action = what;
  ts_breaker_t *named[2] = {locals[0], locals[1]};
  options.local_breakers = named;
  options.rejection = NULL;
  const int error = synchronous ? fixture_execute(&fixture, &options, FAILED)
                                : fixture_begin(&fixture, &options);
  const int tasks = fixture.task_count;
  assert_true(error == 0 || error == FAILED || error == TS_ECLOSED ||
              error == TS_EOPEN);
  assert_int_equal(tasks, error == 0 || error == FAILED);
  if (error == 0 && !synchronous) {
    ts_call_finish(fixture.call, FAILED, NULL);
  }
  for (int i = 0; i < 2; i++) {
    assert_true(locals[i] == NULL || locals[i]->machine.tickets == 0);
  }
  fake_env_turn(&fixture.env);
  fake_env_turn(&bench.env);
  assert_int_equal(teardown(NULL), 0);
}

/* What is told while breakers are being asked may close anything; no ticket
 * stays out, and nothing leaks. */
static void test_closing_while_asked(void **state) {
  (void)state;
  for (size_t i = 0; i < ACTIONS; i++) {
    run_with_event(actions[i], false);
    run_with_event(actions[i], true);
  }
}

/* The evaluator, or the event of the first breaker's opening, does it. */
static void run_at_end(action_t what, bool by_event, int end) {
  assert_int_equal(setup(NULL), 0);
  report_latency();
  bench.on_event = by_event ? on_event : NULL;
  options.error_evaluator = by_event ? NULL : act_and_fail;
  options.timeout_ms = 50;
  start();
  registry_bench_calls(locals[0], "F");
  registry_bench_calls(locals[1], "F");
  ts_breaker_t *named[2] = {locals[0], locals[1]};
  options.local_breakers = named;
  options.rejection = NULL;
  begin();
  action = what;
  if (end == 0) {
    ts_call_finish(fixture.call, FAILED, NULL);
  } else if (end == 1) {
    fake_env_advance_ms(&fixture.env, 50);
    ts_call_finish(fixture.call, 0, NULL);
  } else {
    close_client();
    fake_env_turn(&fixture.env);
    ts_call_cancel(fixture.call);
  }
  for (int i = 0; i < 2; i++) {
    assert_true(locals[i] == NULL || locals[i]->machine.tickets == 0);
  }
  assert_int_equal(fixture.done_count, 1);
  fake_env_turn(&fixture.env);
  fake_env_turn(&bench.env);
  assert_int_equal(teardown(NULL), 0);
}

/* The same while they are told the end. */
static void test_closing_while_told(void **state) {
  (void)state;
  for (size_t i = 0; i + 1 < ACTIONS; i++) {
    for (int end = 0; end < 3; end++) {
      run_at_end(actions[i], true, end);
      run_at_end(actions[i], false, end);
    }
  }
}

/* ------------------------------------------------------------------- orders */

typedef enum step_e {
  SUCCEED,
  FAIL,
  CANCEL,
  TIMEOUT,
  CLOSE_CLIENT,
  REMOVE,
  CLOSE_REGISTRY,
  STEPS
} step_t;

#define LENGTH 4

static ts_call_t *held;

static void end_call(int error) {
  ts_call_t *call = held;
  held = NULL;
  if (call != NULL && error == TS__ECANCELED) {
    ts_call_cancel(call);
  } else if (call != NULL) {
    ts_call_finish(call, error, NULL);
  }
}

static void do_step(step_t step) {
  switch (step) {
  case SUCCEED:
    end_call(0);
    break;
  case FAIL:
    end_call(FAILED);
    break;
  case CANCEL:
    end_call(TS__ECANCELED);
    break;
  case TIMEOUT:
    fake_env_advance_ms(&fixture.env, 50);
    break;
  case CLOSE_CLIENT:
    if (fixture.client != NULL) {
      fixture_shutdown(&fixture, 0);
      fake_env_turn(&fixture.env);
    }
    break;
  case REMOVE:
    (void)ts_registry_remove(bench.registry, "first");
    break;
  case CLOSE_REGISTRY:
    if (bench.registry != NULL) {
      registry_bench_close(&bench);
    }
    break;
  case STEPS:
    break;
  }
}

/* What each breaker must have counted: the first end, if it came before the
 * breaker was gone. */
static void assert_order(const step_t *steps) {
  for (int i = 0; i < 2; i++) {
    unsigned expected[3] = {0, 0, 0};
    for (int n = 0; n < LENGTH; n++) {
      if (steps[n] == CLOSE_REGISTRY || (steps[n] == REMOVE && i == 0)) {
        break;
      }
      if (steps[n] != REMOVE) {
        const step_t step = steps[n];
        expected[step == SUCCEED                   ? 0
                 : step == FAIL || step == TIMEOUT ? 1
                                                   : 2] = 1;
        break;
      }
    }
    assert_counts(i, expected[0], expected[1], expected[2]);
  }
}

static void run_order(const step_t *steps) {
  assert_int_equal(setup(NULL), 0);
  options.timeout_ms = 50;
  start();
  begin();
  held = fixture.call;
  for (int n = 0; n < LENGTH; n++) {
    do_step(steps[n]);
  }
  do_step(TIMEOUT);
  end_call(0);
  assert_int_equal(fixture.done_count, 1);
  assert_order(steps);
  assert_int_equal(teardown(NULL), 0);
}

static bool has_end(const step_t *steps) {
  for (int n = 0; n < LENGTH; n++) {
    if (steps[n] < REMOVE) {
      return true;
    }
  }
  return false;
}

/* Every order of what may befall a call and its breakers: each is told once, by
 * what came first, and all tickets are back. */
static void test_every_order(void **state) {
  (void)state;
  for (int n = 0; n < STEPS * STEPS * STEPS * STEPS; n++) {
    step_t steps[LENGTH];
    for (int i = 0, rest = n; i < LENGTH; i++, rest /= STEPS) {
      steps[i] = (step_t)(rest % STEPS);
    }
    if (has_end(steps)) {
      run_order(steps);
    }
  }
}

int main(int argc, char **argv) {
  way_choose(argc, argv);
#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
  const struct CMUnitTest tests[] = {
      WITH(test_service_first),
      WITH(test_slot_is_given_back),
      WITH(test_in_order),
      WITH(test_locals_alone),
      WITH(test_fallback),
      WITH(test_hook_of_rejected),
      WITH(test_invalid),
      WITH(test_gone_breaker),
      WITH(test_judged_once),
      WITH(test_ignored_errors),
      WITH(test_own_expectations),
      WITH(test_own_classifier),
      WITH(test_wrong_classifier),
      WITH(test_cancelled),
      WITH(test_limit),
      WITH(test_samples_stand_apart),
      WITH(test_client_closes_first),
      WITH(test_breakers_go_first),
      WITH(test_guard_holds),
      WITH(test_allow_is_the_service_alone),
      WITH(test_allocates_nothing),
      WITH(test_no_memory),
      cmocka_unit_test(test_closing_while_asked),
      cmocka_unit_test(test_closing_while_told),
      cmocka_unit_test(test_every_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
