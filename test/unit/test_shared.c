/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "core/record.h"
#include "core/shared.h"
#include "support/fake_env.h"

/* Two processes and a record, with nothing between them. */
static fake_env_t env;
static ts__rng_t rng;
static ts__mem_t mem;
static ts__shared_rule_t rule;
static ts_store_rule_t store_rule;
static ts__shared_t a, b;
static ts__record_t record;
static int64_t now_ms;
static ts__news_t news; /* of the latest exchange */
static int store_error;
static bool lose_reply;
static int exchanges;

static int setup(void **state) {
  (void)state;
  fake_env_init(&env);
  fake_env_seed(&env, 5);
  ts__rng_seed(&rng, &env.env);
  ts__mem_init(&mem, NULL);
  rule = (ts__shared_rule_t){.share = TS_SHARE_COUNTS,
                             .sync_ms = 1000,
                             .max_stale_ms = 10000,
                             .lease_spread_ms = 100,
                             .open_ms = 30000,
                             .probe_ms = 5000,
                             .retention_ms = 86400000,
                             .probe_slots = 1,
                             .fingerprint = 9};
  store_rule = (ts_store_rule_t){.consec = 3,
                                 .min_calls = 20,
                                 .open_ms = 30000,
                                 .open_mult = 1.0,
                                 .open_max_ms = 300000,
                                 .probe_slots = 1,
                                 .probe_need = 1,
                                 .probe_ms = 5000,
                                 .min_reporters = 1,
                                 .retention_ms = 86400000,
                                 .fingerprint = 9};
  now_ms = 1000000;
  store_error = 0;
  lose_reply = false;
  exchanges = 0;
  ts__record_clear(&record);
  assert_int_equal(ts__shared_init(&a, &mem, &rule, now_ms), 0);
  assert_int_equal(ts__shared_init(&b, &mem, &rule, now_ms), 0);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  ts__shared_deinit(&a, &mem);
  ts__shared_deinit(&b, &mem);
  return 0;
}

/* --------------------------------------------------------------- the exchange */

static void apply(ts__shared_t *view, const ts__todo_t *todo,
                  ts_store_answer_t *answer) {
  const ts_store_op_t op = {.name = "db",
                            .member = view == &a ? "a" : "b",
                            .fresh_id = view == &a ? "by a" : "by b",
                            .era = todo->era,
                            .rule = &store_rule};
  switch (todo->asked.kind) {
  case TS__TODO_SYNC:
    answer->done = ts__record_sync(&record, now_ms, &op, &todo->delta, NULL);
    break;
  case TS__TODO_LEASE:
    answer->done = ts__record_lease(&record, now_ms, &op, todo->token,
                                    &answer->lease_for_ms, NULL);
    break;
  case TS__TODO_SETTLE:
    answer->done = ts__record_settle(&record, now_ms, &op, todo->token,
                                     todo->outcome, todo->open_ms, NULL);
    break;
  case TS__TODO_FORCE:
    break;
  }
  ts__record_read(&record, now_ms, &answer->record);
}

static void answer_to(ts__shared_t *view, const ts__todo_t *todo) {
  ts_store_answer_t answer = {.error = 0};
  exchanges++;
  if (store_error == 0 || lose_reply) {
    apply(view, todo, &answer);
  }
  answer.error = store_error;
  ts__shared_answer(view, &rng, now_ms, &todo->asked, &answer, &news);
}

/* All that is due now. */
static void exchange(ts__shared_t *view) {
  ts__todo_t todo;
  news = (ts__news_t){0};
  while (ts__shared_next(view, &rng, now_ms, 0, &todo)) {
    answer_to(view, &todo);
  }
}

/* Time passes, and what falls due is done. */
static void pass(int64_t ms) {
  const int64_t end_ms = now_ms + ms;
  for (;;) {
    const int64_t a_ms = ts__shared_due_ms(&a), b_ms = ts__shared_due_ms(&b);
    const int64_t due_ms = a_ms < b_ms ? a_ms : b_ms;
    if (due_ms > end_ms) {
      break;
    }
    now_ms = due_ms > now_ms ? due_ms : now_ms;
    exchange(a_ms <= b_ms ? &a : &b);
  }
  now_ms = end_ms;
}

static ts_reason_t ask(ts__shared_t *view, ts__pass_t *result) {
  int64_t retry_after_ms = 0;
  const ts_reason_t reason =
      ts__shared_ask(view, &rng, now_ms, result, &retry_after_ms, &news);
  if (reason == TS_REASON_NONE) {
    ts__shared_take(view, result, false);
  }
  return reason;
}

static void end(ts__shared_t *view, const ts__pass_t *held,
                ts_outcome_t outcome) {
  ts__shared_settle(view, &rng, now_ms, held, outcome, 0);
}

/* One call for each letter: S, F, or X rejected. */
static void calls(ts__shared_t *view, const char *outcomes) {
  for (; *outcomes != '\0'; outcomes++) {
    ts__pass_t held;
    const ts_reason_t reason = ask(view, &held);
    assert_int_equal(reason != TS_REASON_NONE, *outcomes == 'X');
    if (reason == TS_REASON_NONE) {
      end(view, &held,
          *outcomes == 'S' ? TS_OUTCOME_SUCCESS : TS_OUTCOME_FAILURE);
    }
  }
}

/* Heard of the store: only now it is told of calls. */
static void know(ts__shared_t *view) {
  ts__shared_refresh(view, &rng, now_ms);
  exchange(view);
}

static void open_both(void) {
  calls(&b, "S");
  calls(&a, "FFF");
  pass(2000);
  calls(&b, "X");
  pass(2000);
}

/* --------------------------------------------------------------------- counts */

/* B76, B92: who is not used asks nothing, and who asks first makes nothing. */
static void test_idle(void **state) {
  (void)state;
  ts__pass_t held;
  assert_int_equal(ts__shared_due_ms(&a), TS__FAR);
  assert_int_equal(ask(&a, &held), TS_REASON_NONE);
  pass(100000);
  assert_int_equal(exchanges, 1);
  assert_string_equal(record.id, "");
  assert_int_equal(ts__shared_due_ms(&a), TS__FAR);
}

/* Where the store tells nobody of changes, who was used goes on asking for a
 * while, so that a call now and then finds the view fresh. */
static void test_lingers(void **state) {
  (void)state;
  ts__pass_t held;
  a.rule.linger_ms = 5000;
  assert_int_equal(ask(&a, &held), TS_REASON_NONE);
  for (int i = 0; i < 4; i++) {
    pass(1200);
    assert_true(ts__shared_due_ms(&a) <= now_ms + 1100);
  }
  assert_in_range(exchanges, 4, 6);
  pass(2400);
  exchanges = 0;
  pass(100000);
  assert_int_equal(exchanges, 0);
  assert_int_equal(ts__shared_due_ms(&a), TS__FAR);
}

/* B77: failures at two places add up, and both reject within an interval. */
static void test_sum(void **state) {
  (void)state;
  calls(&a, "F");
  calls(&b, "F");
  pass(0);
  assert_int_equal(record.run, 2);
  calls(&a, "F");
  pass(1100);
  assert_int_equal(record.state, TS_BREAKER_OPEN);
  calls(&a, "X");
  calls(&b, "S");
  pass(1100);
  calls(&b, "X");
}

/* The first failure is told at once, the next ones with the next sync. */
static void test_first_failure(void **state) {
  (void)state;
  calls(&a, "S");
  pass(0);
  calls(&a, "F");
  assert_true(ts__shared_sync_ms(&a) <= now_ms);
  pass(0);
  calls(&a, "F");
  assert_in_range(ts__shared_sync_ms(&a), now_ms + 900, now_ms + 1100);
  assert_int_equal(record.failures, 1);
}

/* A store that takes nothing now loses nothing either. */
static void test_refused(void **state) {
  (void)state;
  ts__todo_t todo;
  know(&a);
  calls(&a, "F");
  assert_true(ts__shared_next(&a, &rng, now_ms, 0, &todo));
  calls(&a, "S");
  ts__shared_refused(&a, &rng, now_ms, &todo, TS_ESTORE, &news);
  pass(1100);
  assert_int_equal(record.calls, 2);
  assert_int_equal(record.run, 0);
  assert_int_equal(a.deltas_lost, 0);
}

/* B98: a delta that may have arrived is not told again. */
static void test_lost_reply(void **state) {
  (void)state;
  know(&a);
  calls(&a, "F");
  store_error = TS_ESTORE;
  lose_reply = true;
  pass(0);
  store_error = 0;
  calls(&a, "S");
  pass(1100);
  assert_int_equal(record.calls, 2);
  assert_int_equal(a.deltas_lost, 1);
}

/* Calls that a busy store hears of are told of less often. */
static void test_hint(void **state) {
  (void)state;
  ts__todo_t todo;
  calls(&a, "S");
  assert_true(ts__shared_next(&a, &rng, now_ms, 0, &todo));
  ts_store_answer_t answer = {.error = 0};
  ts__record_read(&record, now_ms, &answer.record);
  answer.record.syncs_per_second = 40000;
  ts__shared_answer(&a, &rng, now_ms, &todo.asked, &answer, &news);
  calls(&a, "S");
  assert_in_range(ts__shared_sync_ms(&a), now_ms + 18000, now_ms + 22000);
}

/* ---------------------------------------------------------------------- probes */

/* B82, B84: of two that ask one probes, and closes the breaker for both. */
static void test_probe(void **state) {
  (void)state;
  open_both();
  now_ms += 30000;
  calls(&a, "X");
  calls(&b, "X");
  pass(100);
  ts__pass_t held = {.kind = TS__PASS_PLAIN};
  assert_int_equal(record.state, TS_BREAKER_HALF_OPEN);
  ts__shared_t *holder = a.leases[0].state == TS__LEASE_HELD ? &a : &b;
  ts__shared_t *other = holder == &a ? &b : &a;
  calls(other, "X");
  assert_int_equal(ask(holder, &held), TS_REASON_NONE);
  assert_int_equal(held.kind, TS__PASS_LEASE);
  calls(holder, "X");
  end(holder, &held, TS_OUTCOME_SUCCESS);
  pass(1100);
  assert_int_equal(record.state, TS_BREAKER_CLOSED);
  calls(holder, "S");
  calls(other, "S");
}

/* B85: a lease for which no call comes goes back after half its life. */
static void test_give_back(void **state) {
  (void)state;
  open_both();
  now_ms += 30000;
  calls(&a, "X");
  pass(100);
  assert_int_equal(record.lease_count, 1);
  pass(2500);
  assert_int_equal(record.lease_count, 0);
  calls(&b, "X");
  pass(1600);
  assert_int_equal(record.lease_count, 1);
}

/* B83: a probe that takes longer than its lease is not heard. */
static void test_late_probe(void **state) {
  (void)state;
  ts__pass_t held;
  open_both();
  now_ms += 30000;
  calls(&a, "X");
  pass(100);
  assert_int_equal(ask(&a, &held), TS_REASON_NONE);
  pass(5000);
  end(&a, &held, TS_OUTCOME_SUCCESS);
  pass(1000);
  assert_int_equal(record.state, TS_BREAKER_HALF_OPEN);
}

/* B98: a lease whose reply got lost is asked for again, and is the same. */
static void test_lost_lease(void **state) {
  (void)state;
  open_both();
  now_ms += 30000;
  calls(&a, "X");
  store_error = TS_ESTORE;
  lose_reply = true;
  pass(100);
  store_error = 0;
  pass(1600);
  assert_int_equal(record.lease_count, 1);
  calls(&a, "S");
  store_error = TS_ESTORE;
  pass(0);
  store_error = 0;
  pass(1600);
  assert_int_equal(record.state, TS_BREAKER_CLOSED);
  assert_int_equal(record.era, 3);
}

/* --------------------------------------------------------------------- outages */

/* B94: too long without a word, and calls are rejected, or not counted. */
static void test_stale(void **state) {
  (void)state;
  a.rule.on_stale = TS_ON_STALE_REJECT;
  b.rule.on_stale = TS_ON_STALE_ALLOW;
  calls(&a, "S");
  calls(&b, "S");
  pass(2000);
  store_error = TS_ESTORE;
  calls(&a, "S");
  calls(&b, "S");
  pass(9999);
  ts__pass_t held;
  assert_int_equal(ask(&a, &held), TS_REASON_NONE);
  pass(2);
  assert_int_equal(ask(&a, &held), TS_REASON_STALE);
  assert_int_equal(ask(&b, &held), TS_REASON_NONE);
  assert_int_equal(held.kind, TS__PASS_UNCOUNTED);
  store_error = 0;
  pass(1100);
  assert_int_equal(ask(&a, &held), TS_REASON_NONE);
  assert_int_equal(held.kind, TS__PASS_PLAIN);
}

/* B95: an open breaker whose store is gone stays open for its time, and then
 * lets one call pass by itself; what the store says later counts again. */
static void test_alone(void **state) {
  (void)state;
  ts__pass_t held;
  open_both();
  store_error = TS_ESTORE;
  for (int i = 0; i < 26; i++) {
    calls(&a, "X");
    pass(1000);
  }
  pass(1000);
  calls(&a, "X");
  pass(30000);
  assert_int_equal(ask(&a, &held), TS_REASON_NONE);
  assert_int_equal(held.kind, TS__PASS_ALONE);
  calls(&a, "X");
  end(&a, &held, TS_OUTCOME_SUCCESS);
  calls(&a, "SS");
  store_error = 0;
  pass(1100);
  calls(&a, "X");
}

/* A vote whose answer got lost is cast again, as long as it is news. */
static void test_lost_vote(void **state) {
  (void)state;
  know(&a);
  store_error = TS_ESTORE;
  ts__shared_vote(&a, &rng, now_ms, 0);
  pass(0);
  store_error = 0;
  pass(1600);
  assert_int_equal(record.state, TS_BREAKER_OPEN);
  assert_int_equal(a.deltas_lost, 0);
}

static void test_old_vote(void **state) {
  (void)state;
  know(&a);
  store_error = TS_ESTORE;
  ts__shared_vote(&a, &rng, now_ms, 0);
  pass(0);
  now_ms += 30001;
  store_error = 0;
  calls(&a, "S");
  pass(1600);
  assert_int_equal(record.state, TS_BREAKER_CLOSED);
}

/* A process that is open itself leaves the probes to others. */
static void test_own_open(void **state) {
  (void)state;
  open_both();
  now_ms += 30000;
  a.own_open = true;
  calls(&a, "XX");
  pass(5000);
  assert_int_equal(record.state, TS_BREAKER_OPEN);
  a.own_open = false;
  calls(&a, "X");
  pass(200);
  assert_int_equal(record.state, TS_BREAKER_HALF_OPEN);
}

/* B66: what fails all the time is told once. */
static void test_degraded_once(void **state) {
  (void)state;
  int told = 0;
  store_error = TS_ESTORE;
  for (int i = 0; i < 100; i++) {
    news = (ts__news_t){0};
    calls(&a, "S");
    told += news.degraded;
    news = (ts__news_t){0};
    pass(1000);
    told += news.degraded;
  }
  assert_int_equal(told, 1);
  store_error = 0;
  calls(&a, "S");
  pass(1100);
  assert_true(news.recovered);
}

/* B96: another id means that the store lost everything. */
static void test_wiped(void **state) {
  (void)state;
  open_both();
  ts__record_clear(&record);
  calls(&a, "X");
  pass(1100);
  assert_true(news.reset);
  assert_int_equal(news.move.to, TS_BREAKER_CLOSED);
  calls(&a, "S");
}

/* B97: the same id with an earlier era: the store went back in time. */
static void test_regressed(void **state) {
  (void)state;
  calls(&a, "FF");
  pass(2000);
  const ts__record_t before = record;
  calls(&a, "F");
  pass(2000);
  calls(&a, "X");
  record = before;
  pass(1100);
  assert_true(news.regressed);
  calls(&a, "S");
}

/* A push and an answer that was on its way before it may cross. */
static void test_crossing(void **state) {
  (void)state;
  ts__todo_t todo;
  ts_store_answer_t answer = {.error = 0};
  ts_store_record_t pushed;
  calls(&a, "F");
  pass(0);
  calls(&a, "F");
  now_ms += 2000;
  assert_true(ts__shared_next(&a, &rng, now_ms, 0, &todo));
  apply(&a, &todo, &answer);
  calls(&b, "F");
  exchange(&b);
  ts__record_read(&record, now_ms, &pushed);
  assert_int_equal(pushed.state, TS_BREAKER_OPEN);
  ts__shared_push(&a, now_ms, &pushed, &news);
  assert_true(news.moved);
  news = (ts__news_t){0};
  ts__shared_answer(&a, &rng, now_ms, &todo.asked, &answer, &news);
  assert_false(news.regressed || news.moved);
  calls(&a, "X");
}

/* The first answer of all may be older than a push, and then says nothing. */
static void test_crossing_first(void **state) {
  (void)state;
  ts__todo_t todo;
  ts_store_answer_t answer = {.error = 0};
  ts_store_record_t pushed;
  calls(&b, "F");
  exchange(&b);
  calls(&b, "FFF");
  calls(&a, "S");
  assert_true(ts__shared_next(&a, &rng, now_ms, 0, &todo));
  apply(&a, &todo, &answer);
  now_ms += 2000;
  exchange(&b);
  ts__record_read(&record, now_ms, &pushed);
  assert_int_equal(pushed.state, TS_BREAKER_OPEN);
  ts__shared_push(&a, now_ms, &pushed, &news);
  ts__shared_answer(&a, &rng, now_ms, &todo.asked, &answer, &news);
  calls(&a, "X");
  assert_int_equal(ts__shared_state(&a, now_ms), TS_BREAKER_OPEN);
}

/* B102: data that is not ours is no store at all, from the first look on. */
static void test_foreign(void **state) {
  (void)state;
  store_error = TS_ESTOREDATA;
  calls(&a, "S");
  pass(0);
  assert_true(news.degraded);
  assert_int_equal(news.error, TS_ESTOREDATA);
  calls(&a, "S");
}

/* B100: when time goes back, nothing happens. */
static void test_time_back(void **state) {
  (void)state;
  open_both();
  now_ms -= 500000;
  calls(&a, "X");
  assert_int_equal(ts__shared_state(&a, now_ms), TS_BREAKER_OPEN);
  assert_in_range(ts__shared_open_for_ms(&a, now_ms), 1, 30000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
      T(test_idle),          T(test_lingers),       T(test_sum),
      T(test_first_failure), T(test_refused),       T(test_lost_reply),
      T(test_hint),          T(test_probe),         T(test_give_back),
      T(test_late_probe),    T(test_lost_lease),    T(test_stale),
      T(test_alone),         T(test_degraded_once), T(test_wiped),
      T(test_regressed),     T(test_crossing),      T(test_crossing_first),
      T(test_foreign),       T(test_time_back),     T(test_lost_vote),
      T(test_old_vote),      T(test_own_open),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
