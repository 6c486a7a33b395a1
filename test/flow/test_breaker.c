/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/registry.h"

#define TIMED_OUT (-110)

static registry_bench_t bench;

static int setup(void **state) {
  (void)state;
  registry_bench_init(&bench);
  return registry_bench_new(&bench);
}

static int teardown(void **state) {
  (void)state;
  registry_bench_end(&bench);
  return 0;
}

static ts_breaker_t *with_threshold(const char *name, uint32_t consec) {
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  options.consec = consec;
  options.open_jitter = 0.0;
  return registry_bench_get(&bench, name, &options);
}

/* ------------------------------------------------------------- begin and end */

/* B03: a rejection says why, who, and when to come again. */
static void test_rejection(void **state) {
  (void)state;
  ts_breaker_t *db = with_threshold("db", 1);
  ts_ticket_t ticket;
  ts_rejection_t rejection;
  registry_bench_calls(db, "F");
  fake_env_advance_ms(&bench.env, 10000);
  assert_int_equal(ts_breaker_begin(db, &ticket, &rejection), TS_EOPEN);
  assert_int_equal(rejection.reason, TS_REASON_OPEN);
  assert_string_equal(rejection.breaker, "db");
  assert_int_equal(rejection.retry_after_ms, 20000);
  assert_int_equal(ts_breaker_retry_after_ms(db), 20000);
  ts_breaker_unref(db);
}

/* B23: two breakers know nothing of each other. */
static void test_two(void **state) {
  (void)state;
  ts_breaker_t *a = with_threshold("a", 2), *b = with_threshold("b", 2);
  registry_bench_calls(a, "FF");
  assert_int_equal(ts_breaker_state(a), TS_BREAKER_OPEN);
  assert_int_equal(ts_breaker_state(b), TS_BREAKER_CLOSED);
  ts_breaker_unref(a);
  ts_breaker_unref(b);
}

/* B24, B65: a ticket is good once, and one that nobody gave never. */
static void test_bad_tickets(void **state) {
  (void)state;
  ts_breaker_t *db = with_threshold("db", 2);
  ts_ticket_t ticket, made_up = {0};
  assert_int_equal(ts_breaker_begin(db, &ticket, NULL), 0);
  assert_int_equal(ts_breaker_end(db, &ticket, TS_OUTCOME_FAILURE, 0), 0);
  assert_int_equal(ts_breaker_end(db, &ticket, TS_OUTCOME_FAILURE, 0),
                   TS__EINVAL);
  assert_int_equal(ts_breaker_end(db, &made_up, TS_OUTCOME_FAILURE, 0),
                   TS__EINVAL);
  assert_int_equal(ts_breaker_state(db), TS_BREAKER_CLOSED);
  ts_breaker_unref(db);
}

/* B63: who was refused may ask again at once, through this handle or another,
 * and is refused again; nothing stays locked, so that the breaker recovers. */
static void test_refused_twice(void **state) {
  (void)state;
  ts_breaker_t *db = with_threshold("db", 2);
  ts_breaker_t *same = ts_registry_find(bench.registry, "db");
  ts_ticket_t ticket;
  registry_bench_calls(db, "FF");
  for (int i = 0; i < 3; i++) {
    assert_int_equal(ts_breaker_begin(db, &ticket, NULL), TS_EOPEN);
    assert_int_equal(ts_breaker_begin(same, &ticket, NULL), TS_EOPEN);
  }
  assert_int_equal(ts_breaker_end(db, &ticket, TS_OUTCOME_SUCCESS, 0),
                   TS__EINVAL);
  fake_env_advance_ms(&bench.env, ts_breaker_retry_after_ms(db));
  registry_bench_calls(same, "S");
  assert_int_equal(ts_breaker_state(db), TS_BREAKER_CLOSED);
  ts_breaker_unref(same);
  ts_breaker_unref(db);
}

/* B25: a breaker that was removed while tickets were out answers TS_ECLOSED,
 * and its memory goes with the last of them. */
static void test_removed(void **state) {
  (void)state;
  ts_breaker_t *db = with_threshold("db", 2);
  ts_ticket_t first, second, third;
  assert_int_equal(ts_breaker_begin(db, &first, NULL), 0);
  assert_int_equal(ts_breaker_begin(db, &second, NULL), 0);
  assert_int_equal(ts_registry_remove(bench.registry, "db"), 0);
  assert_int_equal(ts_breaker_begin(db, &third, NULL), TS_ECLOSED);
  ts_breaker_unref(db);
  const size_t blocks = heap_balance(&bench.heap);
  assert_int_equal(ts_breaker_end(db, &first, TS_OUTCOME_SUCCESS, 0),
                   TS_ECLOSED);
  assert_int_equal(heap_balance(&bench.heap), blocks);
  assert_int_equal(ts_breaker_end(db, &second, TS_OUTCOME_SUCCESS, 0),
                   TS_ECLOSED);
  assert_true(heap_balance(&bench.heap) < blocks);
}

/* B26: forced open rejects until it is released. */
static void test_forced(void **state) {
  (void)state;
  ts_breaker_t *db = with_threshold("db", 2);
  assert_int_equal(ts_breaker_set_mode(db, TS_BREAKER_FORCED_OPEN), 0);
  registry_bench_calls(db, "X");
  assert_int_equal(ts_breaker_state(db), TS_BREAKER_OPEN);
  assert_int_equal(ts_breaker_set_mode(db, TS_BREAKER_AUTO), 0);
  registry_bench_calls(db, "S");
  assert_string_equal(bench.events, "db rejected forced; ");
  ts_breaker_unref(db);
}

/* ------------------------------------------------------------------- events */

/* B48: each change of the state is told once, in order. */
static void test_events(void **state) {
  (void)state;
  ts_breaker_t *db = with_threshold("db", 2);
  registry_bench_calls(db, "FFX");
  fake_env_advance_ms(&bench.env, 30000);
  assert_int_equal(ts_breaker_state(db), TS_BREAKER_HALF_OPEN);
  assert_int_equal(ts_breaker_state(db), TS_BREAKER_HALF_OPEN);
  registry_bench_calls(db, "S");
  assert_string_equal(bench.events,
                      "db closed>open; db rejected open; db open>half_open; "
                      "db probe; db half_open>closed; ");
  ts_breaker_unref(db);
}

/* B27: a breaker that measures says that it would have opened. */
static void test_would_open(void **state) {
  (void)state;
  ts_breaker_t *db = with_threshold("db", 2);
  assert_int_equal(ts_breaker_set_mode(db, TS_BREAKER_MEASURE), 0);
  registry_bench_calls(db, "FFFS");
  assert_string_equal(bench.events, "db would open; ");
  ts_breaker_unref(db);
}

/* B14: a lost probe is told, and what came of it. */
static void test_probe_lost(void **state) {
  (void)state;
  ts_breaker_t *db = with_threshold("db", 1);
  ts_ticket_t probe;
  registry_bench_calls(db, "F");
  fake_env_advance_ms(&bench.env, 30000);
  assert_int_equal(ts_breaker_begin(db, &probe, NULL), 0);
  bench.events[0] = '\0';
  fake_env_advance_ms(&bench.env, 30000);
  assert_int_equal(ts_breaker_state(db), TS_BREAKER_OPEN);
  assert_string_equal(bench.events, "db lost; db half_open>open; ");
  assert_int_equal(ts_breaker_end(db, &probe, TS_OUTCOME_SUCCESS, 0), 0);
  ts_breaker_unref(db);
}

static void meddle(registry_bench_t *own, ts_breaker_t *breaker,
                   const ts_breaker_event_t *event) {
  ts_ticket_t ticket;
  if (event->to == TS_BREAKER_OPEN) {
    assert_int_equal(ts_breaker_state(breaker), TS_BREAKER_OPEN);
    assert_int_equal(ts_breaker_begin(breaker, &ticket, NULL), TS_EOPEN);
    assert_int_equal(ts_breaker_reset(breaker), 0);
    assert_int_equal(ts_breaker_state(breaker), TS_BREAKER_CLOSED);
    assert_string_equal(own->events, "db closed>open; ");
  }
}

/* B31: a callback may ask and change the same breaker; what comes of that is
 * told after it. */
static void test_meddling(void **state) {
  (void)state;
  ts_breaker_t *db = with_threshold("db", 1);
  bench.on_event = meddle;
  registry_bench_calls(db, "F");
  assert_string_equal(bench.events,
                      "db closed>open; db rejected open; db open>closed; ");
  ts_breaker_unref(db);
}

static void remove_it(registry_bench_t *own, ts_breaker_t *breaker,
                      const ts_breaker_event_t *event) {
  (void)event;
  own->on_event = NULL;
  assert_int_equal(ts_registry_remove(own->registry, ts_breaker_name(breaker)),
                   0);
}

/* A callback may remove the breaker it is told of. */
static void test_remove_in_event(void **state) {
  (void)state;
  ts_breaker_t *db = with_threshold("db", 1);
  ts_ticket_t ticket;
  bench.on_event = remove_it;
  assert_int_equal(ts_breaker_begin(db, &ticket, NULL), 0);
  ts_breaker_unref(db);
  assert_int_equal(ts_breaker_end(db, &ticket, TS_OUTCOME_FAILURE, 0), 0);
  assert_int_equal(ts_registry_count(bench.registry), 0);
}

/* However many probes were lost, what came of that is told. */
static void test_many_probes_lost(void **state) {
  (void)state;
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  ts_ticket_t tickets[100];
  options.consec = 1;
  options.open_jitter = 0.0;
  options.probe_slots = 100;
  ts_breaker_t *db = registry_bench_get(&bench, "db", &options);
  registry_bench_calls(db, "F");
  fake_env_advance_ms(&bench.env, 30000);
  for (size_t i = 0; i < 100; i++) {
    assert_int_equal(ts_breaker_begin(db, &tickets[i], NULL), 0);
  }
  bench.events[0] = '\0';
  fake_env_advance_ms(&bench.env, 30000);
  assert_int_equal(ts_breaker_state(db), TS_BREAKER_OPEN);
  assert_int_equal(strlen(bench.events),
                   100 * strlen("db lost; ") + strlen("db half_open>open; "));
  for (size_t i = 0; i < 100; i++) {
    assert_int_equal(ts_breaker_end(db, &tickets[i], TS_OUTCOME_SUCCESS, 0), 0);
  }
  ts_breaker_unref(db);
}

/* With auto_half_open nobody needs to look, and the loop is not kept alive. */
static void test_auto_half_open(void **state) {
  (void)state;
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  options.consec = 1;
  options.auto_half_open = true;
  ts_breaker_t *db = registry_bench_get(&bench, "db", &options);
  registry_bench_calls(db, "F");
  assert_false(bench.env.held);
  fake_env_advance_ms(&bench.env, 33000);
  assert_string_equal(bench.events, "db closed>open; db open>half_open; ");
  ts_breaker_unref(db);
}

/* A wake may come when the loop's own time is not quite there yet, and the
 * moment is not missed for it. */
static void test_auto_half_open_of_slow_loop(void **state) {
  (void)state;
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  options.consec = 1;
  options.open_jitter = 0.0;
  options.auto_half_open = true;
  ts_breaker_t *db = registry_bench_get(&bench, "db", &options);
  registry_bench_calls(db, "F");
  bench.env.turn_lag_ms = 1;
  fake_env_advance_to_deadline(&bench.env);
  assert_string_equal(bench.events, "db closed>open; db open>half_open; ");
  ts_breaker_unref(db);
}

/* The longest open times there can be do not come round as short ones. */
static void test_longest_open_time(void **state) {
  (void)state;
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  options.consec = 1;
  options.open_ms = TS_MAX_DURATION_MS;
  options.open_mult = 100.0;
  options.open_jitter = 1.0;
  options.auto_half_open = true;
  fake_env_seed(&bench.env, 7);
  ts__rng_seed(&bench.registry->rng, &bench.env.env);
  ts_breaker_t *breakers[20];
  for (size_t i = 0; i < 20; i++) {
    char name[8];
    (void)snprintf(name, sizeof name, "b%zu", i);
    breakers[i] = registry_bench_get(&bench, name, &options);
    registry_bench_calls(breakers[i], "F");
  }
  fake_env_advance_ms(&bench.env, 2 * TS_MAX_DURATION_MS);
  for (size_t i = 0; i < 20; i++) {
    registry_bench_calls(breakers[i], "F"); /* the probe */
  }
  fake_env_advance_ms(&bench.env, TS_MAX_DURATION_MS);
  for (size_t i = 0; i < 20; i++) {
    assert_int_equal(ts_breaker_state(breakers[i]), TS_BREAKER_OPEN);
    ts_breaker_unref(breakers[i]);
  }
}

/* --------------------------------------------------------------------- runs */

typedef struct work_s {
  int calls;
  int error; /* what it ends with */
  int fallbacks;
  ts_reason_t reason;
  int done;
  int done_error;
  void *done_result;
  ts_run_t *run;
} work_t;

static int work(void *context, void **result) {
  work_t *own = context;
  own->calls++;
  *result = own->error == 0 ? own : NULL;
  return own->error;
}

static int fall_back(const ts_rejection_t *rejection, int error, void *context,
                     void **result) {
  work_t *own = context;
  own->fallbacks++;
  own->reason = rejection != NULL ? rejection->reason : TS_REASON_NONE;
  *result = NULL;
  return error == TS_EOPEN ? 7 : 8;
}

/* B01: the work runs, and its result is the caller's. */
static void test_execute(void **state) {
  (void)state;
  ts_breaker_t *db = with_threshold("db", 5);
  work_t own = {.error = 0};
  void *result = NULL;
  assert_int_equal(ts_breaker_execute(db, NULL, work, &own, &result), 0);
  assert_ptr_equal(result, &own);
  assert_int_equal(ts_breaker_state(db), TS_BREAKER_CLOSED);
  ts_breaker_unref(db);
}

/* B03: rejected work is not run. B19: its fallback is, and its word is the
 * result. */
static void test_fallback(void **state) {
  (void)state;
  ts_breaker_t *db = with_threshold("db", 1);
  work_t own = {.error = TIMED_OUT};
  ts_run_options_t options = TS_RUN_OPTIONS_INIT;
  options.fallback = fall_back;
  registry_bench_calls(db, "F");
  assert_int_equal(ts_breaker_execute(db, NULL, work, &own, NULL), TS_EOPEN);
  assert_int_equal(ts_breaker_execute(db, &options, work, &own, NULL), 7);
  assert_int_equal(own.calls, 0);
  assert_int_equal(own.reason, TS_REASON_OPEN);
  ts_breaker_unref(db);
}

/* B20: for a failure there is no fallback, unless it is asked for. */
static void test_fallback_on_failure(void **state) {
  (void)state;
  ts_breaker_t *db = with_threshold("db", 5);
  work_t own = {.error = TIMED_OUT};
  ts_run_options_t options = TS_RUN_OPTIONS_INIT;
  options.fallback = fall_back;
  assert_int_equal(ts_breaker_execute(db, &options, work, &own, NULL),
                   TIMED_OUT);
  options.fallback_on_failure = true;
  assert_int_equal(ts_breaker_execute(db, &options, work, &own, NULL), 8);
  assert_int_equal(own.fallbacks, 1);
  ts_breaker_unref(db);
}

static ts_outcome_t all_well(int error, void *result, void *context,
                             int64_t *open_ms) {
  (void)error;
  (void)result;
  (void)context;
  (void)open_ms;
  return TS_OUTCOME_SUCCESS;
}

/* B46: for a classifier that calls everything a success, nothing opens. */
static void test_classify(void **state) {
  (void)state;
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  options.consec = 1;
  options.classify = all_well;
  ts_breaker_t *db = registry_bench_get(&bench, "db", &options);
  work_t own = {.error = TIMED_OUT};
  for (int i = 0; i < 10; i++) {
    assert_int_equal(ts_breaker_execute(db, NULL, work, &own, NULL), TIMED_OUT);
  }
  assert_int_equal(ts_breaker_state(db), TS_BREAKER_CLOSED);
  ts_breaker_unref(db);
}

static ts_outcome_t try_later(int error, void *result, void *context,
                              int64_t *open_ms) {
  (void)result;
  (void)context;
  *open_ms = 90000;
  return error == 0 ? TS_OUTCOME_SUCCESS : TS_OUTCOME_FAILURE;
}

/* B28: a failure that says for how long, as a Retry-After does, is believed. */
static void test_own_open_time(void **state) {
  (void)state;
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  options.consec = 1;
  options.classify = try_later;
  ts_breaker_t *db = registry_bench_get(&bench, "db", &options);
  work_t own = {.error = TIMED_OUT};
  (void)ts_breaker_execute(db, NULL, work, &own, NULL);
  assert_int_equal(ts_breaker_retry_after_ms(db), 90000);
  ts_breaker_unref(db);
}

static void begin_work(ts_run_t *run, void *context) {
  work_t *own = context;
  own->calls++;
  own->run = run;
}

static void finish_at_once(ts_run_t *run, void *context) {
  work_t *own = context;
  own->calls++;
  ts_run_finish(run, own->error, own);
}

static void on_done(int error, void *result, void *context) {
  work_t *own = context;
  own->done++;
  own->done_error = error;
  own->done_result = result;
}

/* B47: work that takes loop time is counted as any other. */
static void test_async(void **state) {
  (void)state;
  ts_breaker_t *db = with_threshold("db", 1);
  work_t own = {.error = TIMED_OUT};
  assert_int_equal(
      ts_breaker_execute_async(db, NULL, begin_work, on_done, &own), 0);
  fake_env_advance_ms(&bench.env, 1000);
  assert_int_equal(own.done, 0);
  ts_run_finish(own.run, TIMED_OUT, &own);
  assert_int_equal(own.done, 1);
  assert_int_equal(own.done_error, TIMED_OUT);
  assert_ptr_equal(own.done_result, &own);
  assert_int_equal(ts_breaker_state(db), TS_BREAKER_OPEN);
  assert_int_equal(
      ts_breaker_execute_async(db, NULL, begin_work, on_done, &own), TS_EOPEN);
  ts_breaker_unref(db);
}

/* Work that ends while it is being started is told of with the next turn. */
static void test_async_at_once(void **state) {
  (void)state;
  ts_breaker_t *db = with_threshold("db", 1);
  work_t own = {.error = 0};
  assert_int_equal(
      ts_breaker_execute_async(db, NULL, finish_at_once, on_done, &own), 0);
  assert_int_equal(own.done, 0);
  fake_env_turn(&bench.env);
  assert_int_equal(own.done, 1);
  ts_breaker_unref(db);
}

/* B19: a rejected run with a fallback is told of with the next turn, by what
 * the fallback says. */
static void test_async_fallback(void **state) {
  (void)state;
  ts_breaker_t *db = with_threshold("db", 1);
  work_t own = {.error = 0};
  ts_run_options_t options = TS_RUN_OPTIONS_INIT;
  options.fallback = fall_back;
  registry_bench_calls(db, "F");
  assert_int_equal(
      ts_breaker_execute_async(db, &options, begin_work, on_done, &own), 0);
  assert_int_equal(own.fallbacks, 0);
  fake_env_turn(&bench.env);
  assert_int_equal(own.calls, 0);
  assert_int_equal(own.done_error, 7);
  assert_int_equal(own.reason, TS_REASON_OPEN);
  ts_breaker_unref(db);
}

/* B12: a cancelled run is no failure; done says so with the next turn. */
static void test_async_cancel(void **state) {
  (void)state;
  ts_breaker_t *db = with_threshold("db", 1);
  ts_breaker_counts_t counts;
  work_t own = {.error = 0};
  assert_int_equal(
      ts_breaker_execute_async(db, NULL, begin_work, on_done, &own), 0);
  ts_run_cancel(own.run);
  assert_int_equal(own.done, 0);
  fake_env_turn(&bench.env);
  assert_int_equal(own.done_error, TS__ECANCELED);
  ts_breaker_counts(db, &counts);
  assert_int_equal(counts.total_cancelled, 1);
  assert_int_equal(counts.calls, 0);
  ts_breaker_unref(db);
}

/* B120: closing ends every run once, the fallbacks that are due too, and then
 * comes the callback; what the caller still holds is freed by its own end. */
static void test_close(void **state) {
  (void)state;
  ts_breaker_t *db = with_threshold("db", 1);
  ts_run_options_t options = TS_RUN_OPTIONS_INIT;
  work_t running = {.error = 0}, rejected = {.error = 0};
  options.fallback = fall_back;
  assert_int_equal(
      ts_breaker_execute_async(db, NULL, begin_work, on_done, &running), 0);
  registry_bench_calls(db, "F");
  assert_int_equal(
      ts_breaker_execute_async(db, &options, begin_work, on_done, &rejected),
      0);
  registry_bench_close(&bench);
  assert_int_equal(running.done, 1);
  assert_int_equal(running.done_error, TS_ECLOSED);
  assert_int_equal(rejected.done_error, 7);
  ts_run_finish(running.run, 0, NULL);
  assert_int_equal(running.done, 1);
  ts_ticket_t ticket;
  assert_int_equal(ts_breaker_begin(db, &ticket, NULL), TS_ECLOSED);
  ts_breaker_unref(db);
}

/* ------------------------------------------------------------------ registry */

/* The same name is the same breaker. */
static void test_same_name(void **state) {
  (void)state;
  ts_breaker_t *a = with_threshold("db", 1), *b = with_threshold("db", 9);
  assert_ptr_equal(a, b);
  registry_bench_calls(b, "F");
  assert_int_equal(ts_breaker_state(a), TS_BREAKER_OPEN);
  ts_breaker_unref(a);
  ts_breaker_unref(b);
}

/* B10: what a breaker cannot be is refused, and the log says which field. */
static void test_bad_options(void **state) {
  (void)state;
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  ts_breaker_t *breaker = NULL;
  options.open_ms = -5;
  assert_int_equal(ts_registry_get(bench.registry, "db", &options, &breaker),
                   TS__EINVAL);
  assert_null(breaker);
  assert_non_null(strstr(bench.log, "breaker=db option=open_ms"));
  assert_int_equal(ts_registry_count(bench.registry), 0);
}

static void restart_with_room_for(int64_t max_breakers) {
  registry_bench_end(&bench);
  registry_bench_init(&bench);
  bench.options.max_breakers = max_breakers;
  assert_int_equal(registry_bench_new(&bench), 0);
}

/* Options of a registry are looked at too. */
static void test_bad_registry_options(void **state) {
  (void)state;
  const ts_allocator_t allocator = {NULL, NULL, NULL, NULL};
  ts_registry_options_t options = TS_REGISTRY_OPTIONS_INIT, ours;
  options.on_log = bench.options.on_log;
  options.data = &bench;
  options.max_breakers = 0;
  assert_int_equal(ts__registry_read_options(&ours, &options), TS__EINVAL);
  options.max_breakers = 1;
  options.log_level = (ts_log_level_t)99;
  assert_int_equal(ts__registry_read_options(&ours, &options), TS__EINVAL);
  options.log_level = TS_LOG_OFF;
  options.allocator = &allocator;
  assert_int_equal(ts__registry_read_options(&ours, &options), TS__EINVAL);
  assert_string_equal(bench.log, "invalid option option=max_breakers\n"
                                 "invalid option option=log_level\n"
                                 "invalid option option=allocator\n");
}

/* B121: names that nobody asks for again make room for others; an open breaker
 * stays, and so does one with a ticket out, or a reference. */
static void test_room(void **state) {
  (void)state;
  restart_with_room_for(500);
  ts_ticket_t ticket;
  char name[32];
  ts_breaker_t *open = with_threshold("open", 1);
  ts_breaker_t *busy = with_threshold("busy", 1);
  ts_breaker_t *held = with_threshold("held", 1);
  registry_bench_calls(open, "F");
  assert_int_equal(ts_breaker_begin(busy, &ticket, NULL), 0);
  ts_breaker_unref(open);
  ts_breaker_unref(busy);
  for (int i = 0; i < 5000; i++) {
    snprintf(name, sizeof name, "cold-%d", i);
    ts_breaker_t *cold = with_threshold(name, 3);
    registry_bench_calls(cold, "S");
    ts_breaker_unref(cold);
    assert_true(ts_registry_count(bench.registry) <= 500);
  }
  open = ts_registry_find(bench.registry, "open");
  assert_int_equal(ts_breaker_state(open), TS_BREAKER_OPEN);
  assert_int_equal(ts_breaker_end(busy, &ticket, TS_OUTCOME_SUCCESS, 0), 0);
  assert_ptr_equal(ts_registry_find(bench.registry, "held"), held);
  ts_breaker_unref(held);
  ts_breaker_unref(held);
  ts_breaker_unref(open);
}

/* When all are needed there is no room for one more. */
static void test_no_room(void **state) {
  (void)state;
  restart_with_room_for(2);
  ts_breaker_t *a = with_threshold("a", 1), *b = with_threshold("b", 1);
  ts_breaker_t *c = NULL;
  assert_int_equal(ts_registry_get(bench.registry, "c", NULL, &c), TS__ENOBUFS);
  ts_breaker_unref(a);
  assert_int_equal(ts_registry_get(bench.registry, "c", NULL, &c), 0);
  ts_breaker_unref(b);
  ts_breaker_unref(c);
}

/* Every allocation fails in turn: an error, and nothing is left behind. */
static void test_no_memory(void **state) {
  (void)state;
  static const int expected[] = {404};
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  options.window = TS_WINDOW_ROLLING;
  options.window_ms = 1000;
  options.window_buckets = 10;
  options.expected = expected;
  options.expected_count = 1;
  int error = TS__ENOMEM;
  for (size_t n = 1; error != 0; n++) {
    ts_breaker_t *breaker = NULL;
    const size_t blocks = heap_balance(&bench.heap);
    heap_fail(&bench.heap, n, 1);
    error = ts_registry_get(bench.registry, "db", &options, &breaker);
    assert_true(error == 0 || error == TS__ENOMEM);
    assert_true(error == 0 || heap_balance(&bench.heap) == blocks);
    ts_breaker_unref(breaker);
  }
  heap_fail(&bench.heap, 0, 0);
}

/* B123: other numbers hold from the next outcome on; another window does
 * not. */
static void test_configure(void **state) {
  (void)state;
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  ts_breaker_t *db = with_threshold("db", 10);
  registry_bench_calls(db, "FFF");
  options.consec = 4;
  assert_int_equal(ts_breaker_configure(db, &options), 0);
  registry_bench_calls(db, "FX");
  options.window = TS_WINDOW_CALLS;
  options.window_calls = 50;
  assert_int_equal(ts_breaker_configure(db, &options), TS__EINVAL);
  ts_breaker_unref(db);
}

/* ----------------------------------------------------------- names and presets */

/* B59: base and tenant make the name; without a tenant there is none; two
 * tenants have a breaker each. */
static void test_factory(void **state) {
  (void)state;
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  ts_factory_t *factory = NULL;
  ts_breaker_t *one = NULL, *two = NULL, *none = NULL;
  const ts_name_key_t first = {"tenant", "7"}, second = {"tenant", "8"};
  options.consec = 1;
  assert_int_equal(
      ts_factory_new(&factory, bench.registry, "{base}::{tenant}", &options),
      0);
  assert_int_equal(ts_factory_get(factory, "example", &first, 1, &one), 0);
  assert_int_equal(ts_factory_get(factory, "example", &second, 1, &two), 0);
  assert_string_equal(ts_breaker_name(one), "example::7");
  registry_bench_calls(one, "F");
  assert_int_equal(ts_breaker_state(two), TS_BREAKER_CLOSED);
  assert_int_equal(ts_factory_get(factory, "example", NULL, 0, &none),
                   TS__EINVAL);
  assert_non_null(strstr(bench.log, "base=example"));
  ts_breaker_unref(one);
  ts_breaker_unref(two);
  ts_factory_free(factory);
}

/* B60: the options of a base beat those of the factory, and an expected error
 * is a success. B62: a base has them once. */
static void test_factory_options(void **state) {
  (void)state;
  static const int expected[] = {404};
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  ts_factory_t *factory = NULL;
  ts_breaker_t *pages = NULL, *other = NULL;
  work_t own = {.error = 404};
  options.consec = 1;
  assert_int_equal(ts_factory_new(&factory, bench.registry, "{base}", &options),
                   0);
  options.expected = expected;
  options.expected_count = 1;
  assert_int_equal(ts_factory_set_options(factory, "pages", &options), 0);
  assert_int_equal(ts_factory_set_options(factory, "pages", &options), -EEXIST);
  assert_non_null(strstr(bench.log, "base=pages"));
  assert_int_equal(ts_factory_get(factory, "pages", NULL, 0, &pages), 0);
  assert_int_equal(ts_factory_get(factory, "other", NULL, 0, &other), 0);
  ts_factory_free(factory);
  (void)ts_breaker_execute(pages, NULL, work, &own, NULL);
  (void)ts_breaker_execute(other, NULL, work, &own, NULL);
  assert_int_equal(ts_breaker_state(pages), TS_BREAKER_CLOSED);
  assert_int_equal(ts_breaker_state(other), TS_BREAKER_OPEN);
  ts_breaker_unref(pages);
  ts_breaker_unref(other);
}

/* Values are encoded, so that none can pass for another; braces are doubled. */
static void test_names(void **state) {
  (void)state;
  const ts_name_key_t keys[] = {{"a", "x{y} z"}, {"empty", ""}};
  char name[64], small[5];
  assert_int_equal(ts_breaker_name_fmt(name, sizeof name, "{{{a}}}-b", keys, 2),
                   16);
  assert_string_equal(name, "{x%7By%7D%20z}-b");
  assert_int_equal(ts_breaker_name_fmt(small, sizeof small, "abcdef", NULL, 0),
                   6);
  assert_string_equal(small, "abcd");
  const char *const wrong[] = {"", "{", "}", "{b}", "{empty}", "{a"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    assert_int_equal(ts_breaker_name_fmt(name, sizeof name, wrong[i], keys, 2),
                     TS__EINVAL);
  }
}

/* B09: mist-go's defaults; B10: a negative time is not one of them. */
static void test_mist(void **state) {
  (void)state;
  ts_breaker_options_t options;
  ts_breaker_options_mist(&options, 0, 0, -1);
  assert_int_equal(options.consec, 5);
  assert_int_equal(options.open_ms, 30000);
  assert_int_equal(options.probe_slots, 1);
  assert_int_equal(options.probe_need, 1);
  ts_breaker_options_mist(&options, 3, -1, 2);
  assert_string_equal(ts__machine_check(&options), "open_ms");
}

/* B52, B55: circuitry's opens with the eleventh of ten, and closes with two of
 * two. */
static void test_circuitry(void **state) {
  (void)state;
  ts_breaker_options_t options;
  ts_breaker_options_circuitry(&options, 10, 2, 0, 5);
  assert_int_equal(options.open_ms, 60000);
  options.window = TS_WINDOW_NONE;
  ts_breaker_t *db = registry_bench_get(&bench, "db", &options);
  registry_bench_calls(db, "FFFFFFFFFF");
  assert_int_equal(ts_breaker_state(db), TS_BREAKER_CLOSED);
  registry_bench_calls(db, "F");
  assert_int_equal(ts_breaker_state(db), TS_BREAKER_OPEN);
  fake_env_advance_ms(&bench.env, 60000);
  registry_bench_calls(db, "SS");
  assert_int_equal(ts_breaker_state(db), TS_BREAKER_CLOSED);
  ts_breaker_unref(db);
}

/* B41, B51: gobreaker's defaults, and its rounding of windows. B32: it opens
 * with the sixth. */
static void test_gobreaker(void **state) {
  (void)state;
  ts_breaker_options_t options;
  ts_breaker_options_gobreaker(&options, 0, 0, 0, 0);
  assert_int_equal(options.probe_budget, 1);
  assert_int_equal(options.open_ms, 60000);
  assert_int_equal(options.window, TS_WINDOW_NONE);
  ts_breaker_t *db = registry_bench_get(&bench, "db", &options);
  registry_bench_calls(db, "FFFFF");
  assert_int_equal(ts_breaker_state(db), TS_BREAKER_CLOSED);
  registry_bench_calls(db, "FX");
  ts_breaker_unref(db);
  ts_breaker_options_gobreaker(&options, 3, 10000, 3000, 1000);
  assert_int_equal(options.window, TS_WINDOW_ROLLING);
  assert_int_equal(options.window_ms, 12000);
  assert_int_equal(options.window_buckets, 4);
  ts_breaker_options_gobreaker(&options, 3, INT64_MAX, INT64_MAX - 1, 1000);
  assert_string_equal(ts__machine_check(&options), "window_ms");
  ts_breaker_options_gobreaker(&options, 3, 2000, 3000, 1000);
  assert_int_equal(options.window, TS_WINDOW_FIXED);
  assert_int_equal(options.window_ms, 3000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_rejection),
      TEST(test_two),
      TEST(test_bad_tickets),
      TEST(test_refused_twice),
      TEST(test_removed),
      TEST(test_forced),
      TEST(test_events),
      TEST(test_would_open),
      TEST(test_probe_lost),
      TEST(test_many_probes_lost),
      TEST(test_meddling),
      TEST(test_remove_in_event),
      TEST(test_auto_half_open),
      TEST(test_auto_half_open_of_slow_loop),
      TEST(test_longest_open_time),
      TEST(test_execute),
      TEST(test_fallback),
      TEST(test_fallback_on_failure),
      TEST(test_classify),
      TEST(test_own_open_time),
      TEST(test_async),
      TEST(test_async_at_once),
      TEST(test_async_fallback),
      TEST(test_async_cancel),
      TEST(test_close),
      TEST(test_same_name),
      TEST(test_bad_options),
      TEST(test_bad_registry_options),
      TEST(test_room),
      TEST(test_no_room),
      TEST(test_no_memory),
      TEST(test_configure),
      TEST(test_factory),
      TEST(test_factory_options),
      TEST(test_names),
      TEST(test_mist),
      TEST(test_circuitry),
      TEST(test_gobreaker),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
