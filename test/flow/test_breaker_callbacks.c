/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callbacks may do anything, here those of breakers, runs and retries: a
 * registry lives a short life in which every kind of callback comes, and from
 * one of them one function is called, for every pair of the two. What was due
 * must come once, and nothing may be left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/registry.h"

#define FAILED (-71)
#define MAX_KEPT 16

/* The callbacks from which something is done. */
typedef enum source_e {
  FROM_STATE,
  FROM_REJECTED,
  FROM_PROBE,
  FROM_PROBE_LOST,
  FROM_CLASSIFY,
  FROM_WORK,
  FROM_SYNC_WORK,
  FROM_FALLBACK,
  FROM_FALLBACK_ON_FAILURE,
  FROM_DONE,
  FROM_DONE_LATER,
  FROM_DONE_AT_CLOSE,
  FROM_ATTEMPT,
  FROM_RETRY_CLASSIFY,
  FROM_RETRY_DONE,
  FROM_RETRY_DONE_LATER,
  FROM_RETRY_DONE_AT_CLOSE,
  SOURCES
} source_t;

typedef void (*action_t)(void);

static registry_bench_t bench;
static source_t source;
static action_t action;
static bool acted;
static int due;          /* one-shot callbacks that have yet to come */
static ts_breaker_t *db; /* NULL once it was let go of */
static ts_run_t *runs[MAX_KEPT];
static size_t run_count;
static ts_retry_t *attempts[MAX_KEPT]; /* under way */
static size_t attempt_count;
static ts_retry_t *latest; /* a retry whose done has not come */

static void run_async(void);
static void run_sync(void);
static void retry(void);

/* ------------------------------------------------------------- the actions */

static void on_closed(ts_registry_t *registry) {
  assert_ptr_equal(registry, bench.registry);
  bench.closed++;
  bench.registry = NULL;
}

static void act_close(void) {
  (void)ts_registry_close(bench.registry, on_closed);
}

static void act_remove(void) { (void)ts_registry_remove(bench.registry, "db"); }

static void act_let_go(void) {
  act_remove();
  ts_breaker_unref(db);
  db = NULL;
}

static void act_begin_and_end(void) {
  ts_ticket_t ticket;
  if (ts_breaker_begin(db, &ticket, NULL) == 0) {
    (void)ts_breaker_end(db, &ticket, TS_OUTCOME_FAILURE, 0);
  }
}

static void finish_one(int error) {
  if (run_count > 0) {
    ts_run_finish(runs[--run_count], error, NULL);
  }
}

static void cancel_one(void) {
  if (run_count > 0) {
    ts_run_cancel(runs[--run_count]);
  }
}

static void act_finish_others(void) {
  while (run_count > 0) {
    finish_one(FAILED);
  }
}

static void act_cancel_others(void) {
  while (run_count > 0) {
    cancel_one();
  }
}

static void next_one(int error) {
  if (attempt_count > 0) {
    ts_retry_next(attempts[--attempt_count], error, NULL);
  }
}

static void act_end_attempts(void) {
  while (attempt_count > 0) {
    next_one(FAILED);
  }
}

static void act_cancel_retry(void) {
  if (latest != NULL) {
    ts_retry_cancel(latest);
  }
}

static void act_reset(void) { (void)ts_breaker_reset(db); }

static void act_open(void) {
  (void)ts_breaker_set_mode(db, TS_BREAKER_FORCED_OPEN);
  run_async();
  run_sync();
  (void)ts_breaker_set_mode(db, TS_BREAKER_AUTO);
}

static void act_configure(void) {
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  options.consec = 1;
  options.probe_ms = 1;
  (void)ts_breaker_configure(db, &options);
}

/* More breakers than there is room for. */
static void act_crowd(void) {
  char name[8];
  for (int i = 0; i < 4; i++) {
    ts_breaker_t *breaker = NULL;
    (void)snprintf(name, sizeof name, "b%d", i);
    if (ts_registry_get(bench.registry, name, NULL, &breaker) == 0) {
      registry_bench_calls(breaker, "SF");
    }
    ts_breaker_unref(breaker);
  }
}

static void act_look(void) {
  ts_breaker_counts_t counts;
  (void)ts_breaker_state(db);
  (void)ts_breaker_retry_after_ms(db);
  ts_breaker_counts(db, &counts);
}

static const action_t actions[] = {
    act_close,         act_remove,        act_let_go,       act_begin_and_end,
    act_finish_others, act_cancel_others, act_end_attempts, act_cancel_retry,
    act_reset,         act_open,          act_configure,    act_crowd,
    act_look,          run_async,         run_sync,         retry,
};

/* Called from every callback: the one that was chosen acts, once. */
static void here(source_t where) {
  if (where == source && !acted && db != NULL) {
    acted = true;
    action();
  }
}

/* ------------------------------------------------------------ the callbacks */

static void on_event(registry_bench_t *own, ts_breaker_t *breaker,
                     const ts_breaker_event_t *event) {
  (void)own;
  here(event->kind == TS_BREAKER_EVENT_STATE      ? FROM_STATE
       : event->kind == TS_BREAKER_EVENT_REJECTED ? FROM_REJECTED
       : event->kind == TS_BREAKER_EVENT_PROBE    ? FROM_PROBE
                                                  : FROM_PROBE_LOST);
  assert_string_equal(event->name, ts_breaker_name(breaker)); /* still there */
}

static ts_outcome_t on_classify(int error, void *result, void *context,
                                int64_t *open_ms) {
  (void)result;
  (void)context;
  here(FROM_CLASSIFY);
  *open_ms = 0;
  return error == 0 ? TS_OUTCOME_SUCCESS : TS_OUTCOME_FAILURE;
}

static void on_work(ts_run_t *run, void *context) {
  (void)context;
  here(FROM_WORK);
  assert_true(run_count < MAX_KEPT);
  runs[run_count++] = run;
}

static int on_sync_work(void *context, void **result) {
  (void)context;
  here(FROM_SYNC_WORK);
  *result = NULL;
  return FAILED;
}

static int on_fallback(const ts_rejection_t *rejection, int error,
                       void *context, void **result) {
  (void)context;
  *result = NULL;
  here(rejection != NULL ? FROM_FALLBACK : FROM_FALLBACK_ON_FAILURE);
  if (rejection != NULL) {
    assert_int_equal(error, TS_EOPEN);
    assert_int_not_equal(rejection->reason, TS_REASON_NONE);
    assert_string_equal(rejection->breaker, "db"); /* still there */
  }
  return 0;
}

static void on_done(int error, void *result, void *context) {
  (void)result;
  (void)context;
  due--;
  here(error == TS_ECLOSED      ? FROM_DONE_AT_CLOSE
       : error == TS__ECANCELED ? FROM_DONE_LATER
                                : FROM_DONE);
}

static void on_attempt(ts_retry_t *one, uint32_t number, void *context) {
  (void)context;
  (void)number;
  here(FROM_ATTEMPT);
  assert_true(attempt_count < MAX_KEPT);
  attempts[attempt_count++] = one;
}

static ts_retry_verdict_t on_retry_classify(int error, void *result,
                                            void *context, int64_t *after_ms) {
  (void)error;
  (void)result;
  (void)context;
  (void)after_ms;
  here(FROM_RETRY_CLASSIFY);
  return TS_RETRY_AGAIN;
}

static void on_retry_done(int error, void *result, int last_error,
                          uint32_t begun, void *context) {
  (void)result;
  (void)last_error;
  (void)begun;
  (void)context;
  due--;
  latest = NULL;
  here(error == TS_ECLOSED      ? FROM_RETRY_DONE_AT_CLOSE
       : error == TS__ECANCELED ? FROM_RETRY_DONE_LATER
                                : FROM_RETRY_DONE);
}

/* --------------------------------------------------------------- the script */

/* Each step is legal at any time, and only counts what was taken on. */
static ts_run_options_t run_options(void) {
  ts_run_options_t options = TS_RUN_OPTIONS_INIT;
  options.fallback = on_fallback;
  options.fallback_on_failure = true;
  return options;
}

static void run_async(void) {
  const ts_run_options_t options = run_options();
  if (db != NULL) {
    due++;
    due -= ts_breaker_execute_async(db, &options, on_work, on_done, NULL) != 0;
  }
}

static void run_sync(void) {
  const ts_run_options_t options = run_options();
  if (db != NULL) {
    (void)ts_breaker_execute(db, &options, on_sync_work, NULL, NULL);
  }
}

static void retry(void) {
  ts_retry_policy_t policy = TS_RETRY_POLICY_INIT;
  policy.classify = on_retry_classify;
  if (bench.registry != NULL && latest == NULL) {
    due += ts_retry_run(bench.registry, &policy, on_attempt, on_retry_done,
                        NULL, &latest) == 0;
  }
}

static void start(void) {
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  registry_bench_init(&bench);
  bench.options.max_breakers = 3;
  bench.on_event = on_event;
  acted = false;
  due = 0;
  assert_int_equal(registry_bench_new(&bench), 0);
  options.consec = 2;
  options.classify = on_classify;
  options.data = &bench;
  options.open_jitter = 0.0;
  db = registry_bench_get(&bench, "db", &options);
}

static void trip(void) {
  run_async();
  run_async();
  finish_one(FAILED);
  cancel_one();
  fake_env_turn(&bench.env);
  run_sync();
  run_sync(); /* rejected */
  run_async();
  fake_env_turn(&bench.env);
}

static void probe(void) {
  fake_env_advance_ms(&bench.env, 30000);
  run_async();
  fake_env_advance_ms(&bench.env, 30000);
  run_sync(); /* rejected: the probe was lost */
  fake_env_advance_ms(&bench.env, 30000);
  run_async();
  finish_one(0);
}

static void try_again(void) {
  retry();
  fake_env_turn(&bench.env);
  fake_env_advance_ms(&bench.env, 10);
  next_one(FAILED);
  fake_env_advance_ms(&bench.env, 1000);
  next_one(0);
  retry();
  fake_env_advance_ms(&bench.env, 10);
  act_cancel_retry();
  fake_env_advance_ms(&bench.env, 10);
}

static void close_with_all_due(void) {
  run_async();
  retry();
  fake_env_advance_ms(&bench.env, 10);
  run_async();
  run_async();
  if (bench.registry != NULL) {
    act_close();
  }
  fake_env_turn(&bench.env);
  assert_int_equal(bench.closed, 1);
  assert_int_equal(due, 0);
}

static void let_go_of_all(void) {
  act_finish_others();
  act_end_attempts();
  ts_breaker_unref(db);
  db = NULL;
  registry_bench_end(&bench);
  assert_int_equal(due, 0);
}

static void live(void) {
  start();
  trip();
  probe();
  try_again();
  close_with_all_due();
  let_go_of_all();
}

/* Every function, from every callback: every callback that is due comes once,
 * and nothing is left over. */
static void test_all_pairs(void **state) {
  (void)state;
  for (source = 0; source < SOURCES; source++) {
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
      action = actions[i];
      live();
      if (!acted) {
        fail_msg("callback %d never came", (int)source);
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_pairs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
