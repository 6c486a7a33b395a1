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

#define TRANSIENT (-104)
#define PERMANENT (-2)

static registry_bench_t bench;

/* What an attempt does, one letter each: S succeeds, T fails for now, P fails
 * for good, - waits to be ended by the test, C is cancelled and succeeds. All at
 * once. */
typedef struct job_s {
  const char *script;
  int attempts;
  int64_t at_ms[16]; /* when each was begun */
  ts_retry_t *retry;
  int64_t asks_ms; /* the least wait that each asks for */
  int done;
  int error;
  int last_error;
  void *result;
  uint32_t counted;
} job_t;

static job_t job;

static int setup(void **state) {
  (void)state;
  registry_bench_init(&bench);
  job = (job_t){.script = ""};
  return registry_bench_new(&bench);
}

static int teardown(void **state) {
  (void)state;
  registry_bench_end(&bench);
  return 0;
}

static void end_attempt(ts_retry_t *retry, char how) {
  ts_retry_next(retry,
                how == 'S'   ? 0
                : how == 'T' ? TRANSIENT
                             : PERMANENT,
                &job);
}

static void attempt(ts_retry_t *retry, uint32_t number, void *context) {
  job_t *own = context;
  own->retry = retry;
  own->at_ms[own->attempts++ % 16] = fake_env_elapsed_ms(&bench.env);
  assert_int_equal(number, own->attempts);
  if (own->asks_ms > 0) {
    ts_retry_wait_at_least(retry, own->asks_ms);
  }
  const size_t last = strlen(own->script) - 1;
  const char how =
      own->script[number - 1 < last ? number - 1 : last]; /* repeats */
  if (how == 'C') {
    ts_retry_cancel(retry);
  }
  if (how != '-') {
    end_attempt(retry, how == 'C' ? 'S' : how);
  }
}

static void on_done(int error, void *result, int last_error, uint32_t attempts,
                    void *context) {
  job_t *own = context;
  own->done++;
  own->result = result;
  own->error = error;
  own->last_error = last_error;
  own->counted = attempts;
}

static void begin(const char *script, const ts_retry_policy_t *policy) {
  job.script = script;
  assert_int_equal(
      ts_retry_run(bench.registry, policy, attempt, on_done, &job, NULL), 0);
  assert_int_equal(job.attempts, 0);
  fake_env_advance_ms(&bench.env, 0);
}

/* Wait for as long as anything is due. */
static void finish(void) {
  while (job.done == 0) {
    assert_true(fake_env_advance_to_deadline(&bench.env));
  }
  assert_int_equal(job.done, 1);
}

static ts_retry_policy_t steady(uint32_t attempts, int64_t initial_ms) {
  ts_retry_policy_t policy = TS_RETRY_POLICY_INIT;
  policy.max_attempts = attempts;
  policy.initial_wait_ms = initial_ms;
  policy.jitter = 0.0;
  return policy;
}

static ts_retry_verdict_t by_kind(int error, void *result, void *context,
                                  int64_t *after_ms) {
  (void)result;
  (void)context;
  (void)after_ms;
  return error == TRANSIENT ? TS_RETRY_AGAIN : TS_RETRY_STOP;
}

/* B67: two failures and a success are three calls and a success. */
static void test_succeeds(void **state) {
  (void)state;
  begin("TTS", NULL);
  finish();
  assert_int_equal(job.attempts, 3);
  assert_int_equal(job.error, 0);
  assert_int_equal(job.counted, 3);
}

/* B68: three failures are three calls and the last error. */
static void test_fails(void **state) {
  (void)state;
  begin("T", NULL);
  finish();
  assert_int_equal(job.attempts, 3);
  assert_int_equal(job.error, TRANSIENT);
}

static void expect_waits(const int64_t *waits_ms, int count) {
  assert_int_equal(job.attempts, count + 1);
  for (int i = 0; i < count; i++) {
    assert_int_equal(job.at_ms[i + 1] - job.at_ms[i], waits_ms[i]);
  }
}

/* B69: each wait is twice the one before. */
static void test_doubling(void **state) {
  (void)state;
  static const int64_t waits_ms[] = {50, 100};
  const ts_retry_policy_t policy = steady(3, 50);
  begin("T", &policy);
  finish();
  expect_waits(waits_ms, 2);
}

/* B69: no wait is longer than the longest, the first neither. */
static void test_cap(void **state) {
  (void)state;
  static const int64_t waits_ms[] = {100, 100, 100};
  ts_retry_policy_t policy = steady(4, 200);
  policy.multiplier = 10.0;
  policy.max_wait_ms = 100;
  begin("T", &policy);
  finish();
  expect_waits(waits_ms, 3);
}

/* B75: a longest wait of 0 is none, and no wait of 0. */
static void test_no_cap(void **state) {
  (void)state;
  static const int64_t waits_ms[] = {1000, 10000, 100000};
  ts_retry_policy_t policy = steady(4, 1000);
  policy.multiplier = 10.0;
  policy.max_wait_ms = 0;
  begin("T", &policy);
  finish();
  expect_waits(waits_ms, 3);
}

/* B69: four attempts from 100 ms wait 700 ms in all. */
static void test_total(void **state) {
  (void)state;
  ts_retry_policy_t policy = steady(4, 100);
  assert_int_equal(ts_retry_total_wait_ms(&policy), 700);
  policy.max_attempts = 1;
  assert_int_equal(ts_retry_total_wait_ms(&policy), 0);
  policy.max_attempts = UINT32_MAX;
  assert_int_equal(ts_retry_total_wait_ms(&policy), TS_MAX_DURATION_MS);
}

/* It is reckoned, not counted, and a policy that is none has no waits. */
static void test_total_of_odd_policies(void **state) {
  (void)state;
  ts_retry_policy_t policy = steady(UINT32_MAX, 1);
  policy.multiplier = 1.0;
  for (int i = 0; i < 1000; i++) { /* as many loops would take hours */
    assert_int_equal(ts_retry_total_wait_ms(&policy), UINT32_MAX - 1);
  }
  policy.initial_wait_ms = INT64_MAX;
  policy.max_wait_ms = INT64_MAX;
  assert_int_equal(ts_retry_total_wait_ms(&policy), 0);
}

/* B69: the jitter keeps each wait within its share, over a thousand draws. */
static void test_jitter(void **state) {
  (void)state;
  ts_retry_policy_t policy = steady(1001, 1000);
  policy.multiplier = 1.0;
  policy.jitter = 0.25;
  bench.registry->rng = (ts__rng_t){{1, 2, 3, 4}};
  begin("T", &policy);
  int64_t last_ms = job.at_ms[0];
  while (job.done == 0) {
    assert_true(fake_env_advance_to_deadline(&bench.env));
    const int64_t now_ms = fake_env_elapsed_ms(&bench.env);
    assert_in_range(now_ms - last_ms, 750, 1251);
    last_ms = now_ms;
  }
  assert_int_equal(job.attempts, 1001);
}

/* B70: cancelled before the first attempt, there is none. */
static void test_cancel_first(void **state) {
  (void)state;
  ts_retry_t *retry = NULL;
  job.script = "S";
  assert_int_equal(
      ts_retry_run(bench.registry, NULL, attempt, on_done, &job, &retry), 0);
  ts_retry_cancel(retry);
  assert_int_equal(job.done, 0);
  finish();
  assert_int_equal(job.attempts, 0);
  assert_int_equal(job.error, TS__ECANCELED);
}

/* B70: cancelled during a wait, there is no further attempt, and the last error
 * is told beside the cancelling. */
static void test_cancel_wait(void **state) {
  (void)state;
  begin("T", NULL);
  ts_retry_cancel(job.retry);
  fake_env_advance_ms(&bench.env, 0);
  assert_int_equal(job.done, 1);
  assert_int_equal(job.attempts, 1);
  assert_int_equal(job.error, TS__ECANCELED);
  assert_int_equal(job.last_error, TRANSIENT);
}

/* Cancelled during an attempt: done comes, and the attempt's end frees all. */
static void test_cancel_attempt(void **state) {
  (void)state;
  begin("-", NULL);
  ts_retry_cancel(job.retry);
  fake_env_advance_ms(&bench.env, 0);
  assert_int_equal(job.error, TS__ECANCELED);
  ts_retry_next(job.retry, 0, NULL);
  assert_int_equal(job.done, 1);
}

/* An attempt that ends before the cancelling was told: what succeeded has
 * succeeded, and what failed is not tried again. */
static void test_cancel_then_end(void **state) {
  (void)state;
  static const struct {
    int error;
    int told;
  } ends[] = {{0, 0}, {TRANSIENT, TS__ECANCELED}};
  for (int i = 0; i < 2; i++) {
    job = (job_t){.done = 0};
    begin("-", NULL);
    ts_retry_cancel(job.retry);
    ts_retry_next(job.retry, ends[i].error, &job);
    assert_int_equal(job.done, 1);
    assert_int_equal(job.error, ends[i].told);
    assert_int_equal(job.last_error, ends[i].error);
    assert_ptr_equal(job.result, i == 0 ? &job : NULL);
    fake_env_advance_ms(&bench.env, 0);
    assert_int_equal(job.done, 1);
  }
}

/* The same inside the attempt itself. */
static void test_cancel_inside(void **state) {
  (void)state;
  begin("C", NULL);
  assert_int_equal(job.done, 1);
  assert_int_equal(job.error, 0);
  assert_int_equal(job.attempts, 1);
}

/* B71: no attempts are one; what is permanent stops at once; what becomes
 * permanent, then. */
static void test_classifier(void **state) {
  (void)state;
  static const struct {
    const char *script;
    uint32_t max_attempts;
    int attempts;
  } cases[] = {{"T", 0, 1}, {"P", 5, 1}, {"TP", 5, 2}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ts_retry_policy_t policy = steady(cases[i].max_attempts, 10);
    policy.classify = by_kind;
    job = (job_t){.script = ""};
    begin(cases[i].script, &policy);
    finish();
    assert_int_equal(job.attempts, cases[i].attempts);
  }
}

/* B74: a wait that was asked for is kept, if it is the longer one. */
static void test_asked_wait(void **state) {
  (void)state;
  static const int64_t waits_ms[] = {2000, 2000};
  const ts_retry_policy_t policy = steady(3, 100);
  job.asks_ms = 2000;
  begin("T", &policy);
  finish();
  expect_waits(waits_ms, 2);
}

/* Numbers that are none are refused, and the log names them. */
static void test_bad_policy(void **state) {
  (void)state;
  ts_retry_policy_t policy = steady(3, -1);
  assert_int_equal(
      ts_retry_run(bench.registry, &policy, attempt, on_done, &job, NULL),
      TS__EINVAL);
  assert_non_null(strstr(bench.log, "option=initial_wait_ms"));
}

/* The loop is kept alive while there is something to wait for. */
static void test_holds(void **state) {
  (void)state;
  begin("T", NULL);
  assert_true(bench.env.held);
  finish();
  fake_env_turn(&bench.env);
  assert_false(bench.env.held);
}

/* Closing ends a wait and an attempt, each once. */
static void test_close(void **state) {
  (void)state;
  begin("-", NULL);
  registry_bench_close(&bench);
  assert_int_equal(job.done, 1);
  assert_int_equal(job.error, TS_ECLOSED);
  ts_retry_next(job.retry, 0, NULL);
  assert_int_equal(job.done, 1);
}

/* -------------------------------------------------------- with a breaker */

typedef struct pair_s {
  ts_breaker_t *breaker;
  ts_run_t *run;
  int calls;
  int rejections;
  int done;
  int error;
} pair_t;

static void call_fails(ts_retry_t *retry, uint32_t number, void *context) {
  pair_t *pair = context;
  (void)number;
  pair->calls++;
  ts_retry_next(retry, TRANSIENT, NULL);
}

static void on_retries_done(int error, void *result, int last_error,
                            uint32_t attempts, void *context) {
  pair_t *pair = context;
  (void)last_error;
  (void)attempts;
  ts_run_finish(pair->run, error, result);
}

static void begin_retries(ts_run_t *run, void *context) {
  pair_t *pair = context;
  const ts_retry_policy_t policy = steady(3, 10);
  pair->run = run;
  assert_int_equal(ts_retry_run(bench.registry, &policy, call_fails,
                                on_retries_done, pair, NULL),
                   0);
}

static void on_run_done(int error, void *result, void *context) {
  pair_t *pair = context;
  (void)result;
  pair->done++;
  pair->error = error;
}

static ts_breaker_t *threshold_two(void) {
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  options.consec = 2;
  return registry_bench_get(&bench, "db", &options);
}

/* B72: a breaker around three retries counts each sequence once: six failed
 * attempts open one of two. */
static void test_breaker_outside(void **state) {
  (void)state;
  pair_t pair = {.breaker = threshold_two()};
  for (int i = 1; i <= 2; i++) {
    assert_int_equal(ts_breaker_execute_async(pair.breaker, NULL, begin_retries,
                                              on_run_done, &pair),
                     0);
    fake_env_advance_ms(&bench.env, 100);
    assert_int_equal(pair.done, i);
  }
  assert_int_equal(pair.calls, 6);
  assert_int_equal(ts_breaker_state(pair.breaker), TS_BREAKER_OPEN);
  ts_breaker_unref(pair.breaker);
}

static int work_fails(void *context, void **result) {
  pair_t *pair = context;
  (void)result;
  pair->calls++;
  return TRANSIENT;
}

static void call_breaker(ts_retry_t *retry, uint32_t number, void *context) {
  pair_t *pair = context;
  ts_rejection_t rejection;
  ts_run_options_t options = TS_RUN_OPTIONS_INIT;
  (void)number;
  options.rejection = &rejection;
  const int error =
      ts_breaker_execute(pair->breaker, &options, work_fails, pair, NULL);
  if (error == TS_EOPEN) {
    pair->rejections++;
    ts_retry_wait_at_least(retry, rejection.retry_after_ms);
  }
  ts_retry_next(retry, error, NULL);
}

static void on_pair_done(int error, void *result, int last_error,
                         uint32_t attempts, void *context) {
  (void)last_error;
  (void)attempts;
  on_run_done(error, result, context);
}

/* B73: retries around a breaker are counted one by one: it opens on the way,
 * and the rejection ends the sequence without a wait. */
static void test_breaker_inside(void **state) {
  (void)state;
  pair_t pair = {.breaker = threshold_two()};
  const ts_retry_policy_t policy = steady(5, 10);
  assert_int_equal(ts_retry_run(bench.registry, &policy, call_breaker,
                                on_pair_done, &pair, NULL),
                   0);
  fake_env_advance_ms(&bench.env, 30);
  assert_int_equal(pair.done, 1);
  assert_int_equal(pair.error, TS_EOPEN);
  assert_int_equal(pair.calls, 2);
  assert_int_equal(pair.rejections, 1);
  ts_breaker_unref(pair.breaker);
}

/* Asked to, it waits for as long as the breaker says, and tries again. */
static void test_retry_on_open(void **state) {
  (void)state;
  pair_t pair = {.breaker = threshold_two()};
  ts_retry_policy_t policy = steady(4, 10);
  policy.retry_on_open = true;
  assert_int_equal(ts_retry_run(bench.registry, &policy, call_breaker,
                                on_pair_done, &pair, NULL),
                   0);
  fake_env_advance_ms(&bench.env, 30);
  assert_int_equal(pair.done, 0);
  assert_int_equal(pair.rejections, 1);
  fake_env_advance_ms(&bench.env, 33000);
  assert_int_equal(pair.done, 1);
  assert_int_equal(pair.calls, 3);
  ts_breaker_unref(pair.breaker);
}

typedef struct expected_s {
  ts_run_t *run;
} expected_t;

static void not_there(ts_retry_t *retry, uint32_t number, void *context) {
  (void)number;
  (void)context;
  ts_retry_next(retry, PERMANENT, NULL);
}

static void hand_on(int error, void *result, int last_error, uint32_t attempts,
                    void *context) {
  (void)last_error;
  (void)attempts;
  ts_run_finish(((expected_t *)context)->run, error, result);
}

static void begin_expected(ts_run_t *run, void *context) {
  ts_retry_policy_t policy = TS_RETRY_POLICY_INIT;
  policy.classify = by_kind;
  ((expected_t *)context)->run = run;
  assert_int_equal(
      ts_retry_run(bench.registry, &policy, not_there, hand_on, context, NULL),
      0);
}

/* B61: an expected error is a success also when a retry hands it on. */
static void test_expected(void **state) {
  (void)state;
  static const int expected[] = {PERMANENT};
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  ts_breaker_counts_t counts;
  expected_t own;
  options.consec = 1;
  options.expected = expected;
  options.expected_count = 1;
  ts_breaker_t *db = registry_bench_get(&bench, "db", &options);
  assert_int_equal(
      ts_breaker_execute_async(db, NULL, begin_expected, NULL, &own), 0);
  fake_env_turn(&bench.env);
  fake_env_advance_ms(&bench.env, 1);
  ts_breaker_counts(db, &counts);
  assert_int_equal(counts.total_successes, 1);
  ts_breaker_unref(db);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_succeeds),
      TEST(test_fails),
      TEST(test_doubling),
      TEST(test_cap),
      TEST(test_no_cap),
      TEST(test_total),
      TEST(test_total_of_odd_policies),
      TEST(test_jitter),
      TEST(test_cancel_first),
      TEST(test_cancel_wait),
      TEST(test_cancel_attempt),
      TEST(test_cancel_then_end),
      TEST(test_cancel_inside),
      TEST(test_classifier),
      TEST(test_asked_wait),
      TEST(test_bad_policy),
      TEST(test_holds),
      TEST(test_close),
      TEST(test_breaker_outside),
      TEST(test_breaker_inside),
      TEST(test_retry_on_open),
      TEST(test_expected),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
