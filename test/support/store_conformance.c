/* SPDX-License-Identifier: Apache-2.0 */
#include "support/store_conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define MEMBERS 4
#define LIMIT_MS 60000 /* for one answer, with sanitizers on a busy machine */

/* ------------------------------------------------------------------- fixture */

static const store_kit_t *kit;
static uv_loop_t loop;
static uv_timer_t ticks; /* keeps the loop, and turns it */
static ts_store_t *stores[MEMBERS];
static char name[64]; /* of the test's breaker: a new one each time */
static ts_store_rule_t rule;
static uint64_t last_id;
static unsigned closed_count;

static const char *const members[MEMBERS] = {
    "11111111111111111111111111111111", "22222222222222222222222222222222",
    "33333333333333333333333333333333", "44444444444444444444444444444444"};

static void on_tick(uv_timer_t *timer) { (void)timer; }

static void next_name(void) {
  static unsigned count = 0;
  snprintf(name, sizeof name, "%s/%ld-%ld-%u", kit->name, (long)getpid(),
           (long)time(NULL), ++count);
}

static int set_up(void **state) {
  (void)state;
  uv_loop_init(&loop);
  uv_timer_init(&loop, &ticks);
  uv_timer_start(&ticks, on_tick, 5, 5);
  for (size_t i = 0; i < MEMBERS; i++) {
    stores[i] = kit->connect(&loop, kit->data);
    assert_non_null(stores[i]);
  }
  rule = (ts_store_rule_t){.consec = 5,
                           .min_calls = 20,
                           .open_ms = 100,
                           .open_mult = 1.0,
                           .open_max_ms = 60000,
                           .probe_slots = 1,
                           .probe_need = 1,
                           .probe_ms = 30000,
                           .min_reporters = 1,
                           .retention_ms = 86400000,
                           .fingerprint = 77};
  next_name();
  return 0;
}

static void on_closed(ts_store_t *store) {
  (void)store;
  closed_count++;
}

static bool is_first(size_t i) {
  for (size_t j = 0; j < i; j++) {
    if (stores[j] == stores[i]) {
      return false;
    }
  }
  return true;
}

static int tear_down(void **state) {
  unsigned closing = 0;
  (void)state;
  closed_count = 0;
  for (size_t i = 0; i < MEMBERS; i++) {
    if (stores[i] != NULL && is_first(i)) {
      closing++;
      assert_int_equal(ts_store_close(stores[i], on_closed), 0);
    }
  }
  uv_close((uv_handle_t *)&ticks, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(closed_count, closing);
  assert_int_equal(uv_loop_close(&loop), 0);
  return 0;
}

/* ------------------------------------------------------------------ operations */

typedef struct asked_s {
  unsigned answers;
  bool inside; /* the call that asks */
  ts_store_answer_t answer;
} asked_t;

static void on_answer(void *owner, const ts_store_answer_t *answer) {
  asked_t *asked = owner;
  assert_false(asked->inside);
  asked->answers++;
  asked->answer = *answer;
}

static ts_store_op_t op_of(size_t who, uint32_t era, asked_t *asked) {
  *asked = (asked_t){.inside = true};
  static char fresh[TS_STORE_ID_SIZE];
  snprintf(fresh, sizeof fresh, "%016llx%016llx", (unsigned long long)who + 10,
           (unsigned long long)last_id + 1);
  return (ts_store_op_t){.id = ++last_id,
                         .name = name,
                         .member = members[who],
                         .fresh_id = fresh,
                         .era = era,
                         .rule = &rule,
                         .answer = on_answer,
                         .owner = asked};
}

static void ask_sync(size_t who, uint32_t era, ts_store_delta_t delta,
                     asked_t *asked) {
  const ts_store_op_t op = op_of(who, era, asked);
  assert_int_equal(stores[who]->ops->sync(stores[who], &op, &delta), 0);
  asked->inside = false;
}

static void ask_lease(size_t who, const char *token, asked_t *asked) {
  const ts_store_op_t op = op_of(who, 0, asked);
  assert_int_equal(stores[who]->ops->lease(stores[who], &op, token), 0);
  asked->inside = false;
}

static void ask_settle(size_t who, uint32_t era, const char *token,
                       ts_outcome_t outcome, int64_t open_ms, asked_t *asked) {
  const ts_store_op_t op = op_of(who, era, asked);
  assert_int_equal(
      stores[who]->ops->settle(stores[who], &op, token, outcome, open_ms), 0);
  asked->inside = false;
}

static void ask_force(size_t who, ts_store_force_t force, asked_t *asked) {
  const ts_store_op_t op = op_of(who, 0, asked);
  assert_int_equal(stores[who]->ops->force(stores[who], &op, force), 0);
  asked->inside = false;
}

static void turn_until(const asked_t *asked, size_t count) {
  const uint64_t limit = uv_hrtime() + (uint64_t)LIMIT_MS * 1000000u;
  for (size_t i = 0; i < count; i++) {
    while (asked[i].answers == 0) {
      assert_true(uv_hrtime() < limit);
      uv_run(&loop, UV_RUN_ONCE);
    }
    assert_int_equal(asked[i].answers, 1);
  }
}

static ts_store_answer_t good(const asked_t *asked) {
  turn_until(asked, 1);
  assert_int_equal(asked->answer.error, 0);
  return asked->answer;
}

static ts_store_answer_t sync_as(size_t who, uint32_t era,
                                 ts_store_delta_t delta) {
  asked_t asked;
  ask_sync(who, era, delta, &asked);
  return good(&asked);
}

static ts_store_answer_t lease_as(size_t who, const char *token) {
  asked_t asked;
  ask_lease(who, token, &asked);
  return good(&asked);
}

static ts_store_answer_t settle_as(size_t who, uint32_t era, const char *token,
                                   ts_outcome_t outcome) {
  asked_t asked;
  ask_settle(who, era, token, outcome, 0, &asked);
  return good(&asked);
}

static ts_store_answer_t force_as(size_t who, ts_store_force_t force) {
  asked_t asked;
  ask_force(who, force, &asked);
  return good(&asked);
}

static ts_store_delta_t nothing(void) { return (ts_store_delta_t){0}; }

static ts_store_delta_t failures(uint32_t count) {
  return (ts_store_delta_t){.calls = count,
                            .failures = count,
                            .leading = count,
                            .trailing = count,
                            .longest = count};
}

static ts_store_delta_t successes(uint32_t count) {
  return (ts_store_delta_t){.calls = count};
}

static ts_store_record_t look(size_t who) {
  return sync_as(who, 0, nothing()).record;
}

static void pass_ms(uint64_t ms) {
  const uint64_t end = uv_hrtime() + ms * 1000000u;
  while (uv_hrtime() < end) {
    uv_run(&loop, UV_RUN_ONCE);
  }
}

/* Open it by failures, seen by all: the record. */
static ts_store_record_t trip(void) {
  const ts_store_record_t before = look(0);
  const ts_store_record_t record =
      sync_as(0, before.era, failures(rule.consec)).record;
  assert_int_equal(record.state, TS_BREAKER_OPEN);
  for (size_t i = 0; i < MEMBERS; i++) {
    assert_int_equal(look(i).state, TS_BREAKER_OPEN);
  }
  return record;
}

static const char *const tokens[MEMBERS] = {"aaaa", "bbbb", "cccc", "dddd"};

/* Ask until it is granted: how soon an open time is over for others than the
 * one that opened may differ a little. */
static ts_store_answer_t lease_at_last(size_t who) {
  const uint64_t limit = uv_hrtime() + (uint64_t)LIMIT_MS * 1000000u;
  ts_store_answer_t answer = lease_as(who, tokens[who]);
  while (!answer.done) {
    assert_true(uv_hrtime() < limit);
    pass_ms(10);
    answer = lease_as(who, tokens[who]);
  }
  return answer;
}

/* --------------------------------------------------------------------- reading */

/* B76, B90, B101: an unknown name is a closed breaker without counts, and
 * looking makes no record. */
static void test_unknown(void **state) {
  (void)state;
  for (size_t i = 0; i < MEMBERS; i++) {
    const ts_store_answer_t answer = sync_as(i, 0, nothing());
    assert_false(answer.done);
    assert_string_equal(answer.record.id, "");
    assert_int_equal(answer.record.era, 0);
    assert_int_equal(answer.record.state, TS_BREAKER_CLOSED);
    assert_int_equal(answer.record.calls, 0);
  }
}

/* B90: looking at an open breaker changes neither its state nor its era, nor
 * what is left of its time but by the time that passes. */
static void test_look_changes_nothing(void **state) {
  (void)state;
  rule.open_ms = 30000;
  const ts_store_record_t open = trip();
  pass_ms(50);
  for (size_t i = 0; i < MEMBERS; i++) {
    const ts_store_record_t seen = look(i);
    assert_int_equal(seen.era, open.era);
    assert_string_equal(seen.id, open.id);
    assert_true(seen.open_for_ms > 20000 && seen.open_for_ms <= 33000);
  }
  assert_true(look(0).open_for_ms < open.open_for_ms);
}

/* ------------------------------------------------------------------- counting */

/* B77: failures of two members add up, and both see it open. */
static void test_two_members(void **state) {
  (void)state;
  ts_store_answer_t answer = sync_as(0, 0, failures(3));
  assert_true(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_CLOSED);
  assert_int_equal(answer.record.consecutive_failures, 3);
  assert_int_equal(answer.record.fingerprint, 77);
  assert_int_equal(strlen(answer.record.id), TS_STORE_ID_SIZE - 1);
  answer = sync_as(1, answer.record.era, failures(2));
  assert_true(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_OPEN);
  assert_int_equal(answer.record.era, 1);
  assert_int_equal(answer.record.level, 0);
  assert_int_equal(look(0).state, TS_BREAKER_OPEN);
}

/* B78: whoever adds at the same time, nothing is lost. */
static void test_nothing_is_lost(void **state) {
  (void)state;
  asked_t asked[MEMBERS * 50];
  rule.consec = 1000000;
  for (size_t i = 0; i < MEMBERS * 50; i++) {
    ask_sync(i % MEMBERS, 0, failures(4), &asked[i]);
  }
  turn_until(asked, MEMBERS * 50);
  const ts_store_record_t record = look(0);
  assert_int_equal(record.failures, MEMBERS * 50 * 4);
  assert_int_equal(record.calls, MEMBERS * 50 * 4);
  assert_int_equal(record.consecutive_failures, MEMBERS * 50 * 4);
}

/* B79: a threshold that is crossed in the middle of a batch opens, though its
 * last call succeeded. */
static void test_crossed_inside(void **state) {
  (void)state;
  const ts_store_delta_t batch = {
      .calls = 4, .failures = 3, .leading = 3, .trailing = 0, .longest = 3};
  assert_int_equal(sync_as(0, 0, failures(2)).record.state, TS_BREAKER_CLOSED);
  assert_int_equal(sync_as(1, 0, batch).record.state, TS_BREAKER_OPEN);
}

typedef struct model_s {
  uint32_t run;
  bool open;
} model_t;

/* Calls at random, condensed, and one by one through the model. */
static ts_store_delta_t random_batch(uint32_t *seed, model_t *model) {
  ts_store_delta_t delta = {0};
  uint32_t run = 0;
  const uint32_t count = 1 + (*seed >> 8) % 5;
  for (uint32_t i = 0; i < count; i++) {
    *seed = *seed * 1664525u + 1013904223u;
    const bool failed = (*seed >> 16) % 3 != 0;
    run = failed ? run + 1 : 0;
    model->run = failed ? model->run + 1 : 0;
    model->open = model->open || model->run >= 5;
    delta.calls++;
    delta.failures += failed;
    delta.leading += failed && delta.failures == delta.calls;
    delta.longest = run > delta.longest ? run : delta.longest;
  }
  delta.trailing = run;
  return delta;
}

/* B79: batches from two members count failures in a row as though all calls had
 * come one by one. */
static void test_serial(void **state) {
  (void)state;
  uint32_t seed = 4711;
  for (int round = 0; round < 60; round++) {
    model_t model = {0, false};
    next_name();
    for (size_t i = 0; i < 6 && !model.open; i++) {
      const ts_store_delta_t delta = random_batch(&seed, &model);
      const ts_store_answer_t answer = sync_as(i % 2, 0, delta);
      assert_int_equal(answer.record.state,
                       model.open ? TS_BREAKER_OPEN : TS_BREAKER_CLOSED);
      if (!model.open) {
        assert_int_equal(answer.record.consecutive_failures, model.run);
      }
    }
  }
}

/* Successes add calls and end the run. */
static void test_successes(void **state) {
  (void)state;
  (void)sync_as(0, 0, failures(4));
  ts_store_record_t record = sync_as(1, 0, successes(1)).record;
  assert_int_equal(record.consecutive_failures, 0);
  record = sync_as(0, 0, failures(4)).record;
  assert_int_equal(record.state, TS_BREAKER_CLOSED);
  assert_int_equal(record.calls, 9);
  assert_int_equal(record.failures, 8);
}

/* The rate opens as soon as there are enough calls. */
static void test_rate(void **state) {
  (void)state;
  rule.consec = 0;
  rule.rate_pct = 50;
  rule.min_calls = 6;
  (void)sync_as(0, 0, failures(2));
  ts_store_record_t record = sync_as(1, 0, successes(3)).record;
  assert_int_equal(record.state, TS_BREAKER_CLOSED);
  record = sync_as(2, 0, failures(1)).record;
  assert_int_equal(record.state, TS_BREAKER_OPEN);
}

/* A fixed window that is over takes its counts with it, the run too. */
static void test_fixed_window(void **state) {
  (void)state;
  rule.window = TS_WINDOW_FIXED;
  rule.window_ms = 500;
  (void)sync_as(0, 0, failures(4));
  pass_ms(600);
  const ts_store_record_t record = sync_as(1, 0, failures(4)).record;
  assert_int_equal(record.state, TS_BREAKER_CLOSED);
  assert_int_equal(record.failures, 4);
  assert_int_equal(record.consecutive_failures, 4);
}

/* A rolling window forgets what is older than itself, but not the run. */
static void test_rolling_window(void **state) {
  (void)state;
  rule.window = TS_WINDOW_ROLLING;
  rule.window_ms = 500;
  rule.consec = 0;
  rule.rate_pct = 100;
  rule.min_calls = 5;
  (void)sync_as(0, 0, failures(4));
  pass_ms(1100);
  ts_store_record_t record = sync_as(1, 0, failures(4)).record;
  assert_int_equal(record.state, TS_BREAKER_CLOSED);
  assert_int_equal(record.failures, 4);
  assert_int_equal(record.consecutive_failures, 8);
  record = sync_as(2, 0, failures(1)).record;
  assert_int_equal(record.state, TS_BREAKER_OPEN);
}

/* ------------------------------------------------------------------- transitions */

/* B80, B113: of many who cross the threshold at once, one opens, and all learn
 * of it. */
static void test_one_transition(void **state) {
  (void)state;
  asked_t asked[MEMBERS * 4];
  for (size_t i = 0; i < MEMBERS * 4; i++) {
    ask_sync(i % MEMBERS, 0, failures(5), &asked[i]);
  }
  turn_until(asked, MEMBERS * 4);
  for (size_t i = 0; i < MEMBERS * 4; i++) {
    assert_int_equal(asked[i].answer.error, 0);
    assert_int_equal(asked[i].answer.record.state, TS_BREAKER_OPEN);
    assert_int_equal(asked[i].answer.record.era, 1);
  }
  assert_int_equal(look(0).era, 1);
}

/* B81, B114: what belongs to an older era changes nothing and learns the
 * newer. */
static void test_old_era(void **state) {
  (void)state;
  (void)trip();
  ts_store_answer_t answer = force_as(0, TS_STORE_FORCE_CLOSED);
  const uint32_t era = answer.record.era;
  assert_true(answer.done);
  answer = sync_as(1, era - 1, failures(50));
  assert_false(answer.done);
  assert_int_equal(answer.record.era, era);
  assert_int_equal(answer.record.failures, 0);
  answer = settle_as(1, era - 1, tokens[1], TS_OUTCOME_FAILURE);
  assert_false(answer.done);
  assert_int_equal(answer.record.era, era);
  assert_int_equal(look(2).state, TS_BREAKER_CLOSED);
}

/* An open breaker takes no deltas. */
static void test_open_counts_nothing(void **state) {
  (void)state;
  const ts_store_record_t open = trip();
  const ts_store_answer_t answer = sync_as(1, open.era, failures(3));
  assert_false(answer.done);
  assert_int_equal(answer.record.era, open.era);
  assert_int_equal(answer.record.failures, 0);
}

/* B87: it takes failures of as many members as the rule says. */
static void test_reporters(void **state) {
  (void)state;
  rule.min_reporters = 2;
  for (int i = 0; i < 4; i++) {
    assert_int_equal(sync_as(0, 0, failures(25)).record.state,
                     TS_BREAKER_CLOSED);
  }
  assert_int_equal(sync_as(1, 0, successes(1)).record.state, TS_BREAKER_CLOSED);
  assert_int_equal(sync_as(0, 0, failures(25)).record.state, TS_BREAKER_CLOSED);
  assert_int_equal(sync_as(1, 0, failures(1)).record.state, TS_BREAKER_OPEN);
}

/* B88: a vote opens, and counts nothing. */
static void test_vote(void **state) {
  (void)state;
  const ts_store_delta_t vote = {.vote = true};
  const ts_store_answer_t answer = sync_as(0, 0, vote);
  assert_true(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_OPEN);
  assert_int_equal(answer.record.era, 1);
  assert_int_equal(answer.record.calls, 0);
  assert_int_equal(look(1).state, TS_BREAKER_OPEN);
}

/* B87, B88: votes of one member are one vote. */
static void test_votes(void **state) {
  (void)state;
  const ts_store_delta_t vote = {.vote = true};
  rule.min_reporters = 3;
  (void)sync_as(0, 0, vote);
  (void)sync_as(1, 0, vote);
  assert_int_equal(sync_as(0, 0, vote).record.state, TS_BREAKER_CLOSED);
  assert_int_equal(sync_as(2, 0, vote).record.state, TS_BREAKER_OPEN);
}

/* A failure's own open time counts, up to the longest; and jitter is added. */
static void test_open_times(void **state) {
  (void)state;
  ts_store_delta_t delta = failures(5);
  rule.open_max_ms = 50000;
  rule.jitter_ms = 500;
  delta.open_ms = 30000;
  int64_t ms = sync_as(0, 0, delta).record.open_for_ms;
  assert_true(ms > 25000 && ms <= 30500);
  next_name();
  delta.open_ms = 90000;
  ms = sync_as(0, 0, delta).record.open_for_ms;
  assert_true(ms > 45000 && ms <= 50500);
}

/* -------------------------------------------------------------------- probing */

/* While it is open nobody may probe, nor while it is closed. */
static void test_no_lease_yet(void **state) {
  (void)state;
  assert_false(lease_as(0, tokens[0]).done);
  rule.open_ms = 60000;
  (void)trip();
  const ts_store_answer_t answer = lease_as(1, tokens[1]);
  assert_false(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_OPEN);
}

/* B82: when the time is over, as many leases as there are slots, however many
 * ask. */
static void test_one_lease(void **state) {
  (void)state;
  asked_t asked[MEMBERS * 8];
  unsigned granted = 0;
  char mine[MEMBERS * 8][8];
  (void)trip();
  pass_ms(300);
  for (size_t i = 0; i < MEMBERS * 8; i++) {
    snprintf(mine[i], sizeof mine[i], "t%u", (unsigned)i);
    ask_lease(i % MEMBERS, mine[i], &asked[i]);
  }
  turn_until(asked, MEMBERS * 8);
  for (size_t i = 0; i < MEMBERS * 8; i++) {
    assert_int_equal(asked[i].answer.error, 0);
    granted += asked[i].answer.done;
  }
  assert_int_equal(granted, 1);
  assert_int_equal(look(0).state, TS_BREAKER_HALF_OPEN);
}

/* More slots are more leases, where the store has them. */
static void test_slots(void **state) {
  (void)state;
  if (stores[0]->ops->max_probe_slots < 2) {
    skip();
  }
  rule.probe_slots = 2;
  (void)trip();
  (void)lease_at_last(0);
  assert_true(lease_as(1, tokens[1]).done);
  assert_false(lease_as(2, tokens[2]).done);
}

/* B98: the same token once more is the same lease, and its second end none. */
static void test_lease_again(void **state) {
  (void)state;
  (void)trip();
  const ts_store_answer_t granted = lease_at_last(0);
  assert_true(granted.lease_for_ms > 0 &&
              granted.lease_for_ms <= rule.probe_ms);
  const ts_store_answer_t again = lease_as(0, tokens[0]);
  assert_true(again.done);
  assert_int_equal(again.record.era, granted.record.era);
  assert_true(
      settle_as(0, granted.record.era, tokens[0], TS_OUTCOME_SUCCESS).done);
  const ts_store_answer_t late =
      settle_as(0, granted.record.era, tokens[0], TS_OUTCOME_SUCCESS);
  assert_false(late.done);
  assert_int_equal(late.record.era, granted.record.era + 1);
}

/* B83: a lease whose holder is gone runs out; another member gets it, and what
 * the first says then is nothing. */
static void test_dead_holder(void **state) {
  (void)state;
  rule.probe_ms = 300;
  (void)trip();
  const uint32_t era = lease_at_last(0).record.era;
  assert_false(lease_as(1, tokens[1]).done);
  assert_int_equal(lease_at_last(1).record.era, era);
  const ts_store_answer_t late =
      settle_as(0, era, tokens[0], TS_OUTCOME_SUCCESS);
  assert_false(late.done);
  assert_int_equal(late.record.state, TS_BREAKER_HALF_OPEN);
}

/* B84: two successes of two members close, with all counts gone. */
static void test_two_successes(void **state) {
  (void)state;
  rule.probe_need = 2;
  (void)trip();
  const uint32_t era = lease_at_last(0).record.era;
  ts_store_answer_t answer = settle_as(0, era, tokens[0], TS_OUTCOME_SUCCESS);
  assert_true(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_HALF_OPEN);
  assert_true(lease_as(1, tokens[1]).done);
  answer = settle_as(1, era, tokens[1], TS_OUTCOME_SUCCESS);
  assert_true(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_CLOSED);
  assert_int_equal(answer.record.era, era + 1);
  assert_int_equal(answer.record.consecutive_failures, 0);
}

/* B84: one failure opens again, one level up; closing ends the levels. */
static void test_levels(void **state) {
  (void)state;
  rule.open_mult = 2.0;
  rule.open_ms = 200;
  (void)trip();
  uint32_t era = lease_at_last(0).record.era;
  ts_store_answer_t answer = settle_as(0, era, tokens[0], TS_OUTCOME_FAILURE);
  assert_true(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_OPEN);
  assert_int_equal(answer.record.era, era + 1);
  assert_int_equal(answer.record.level, 1);
  assert_true(answer.record.open_for_ms > 200 &&
              answer.record.open_for_ms <= 400);
  era = lease_at_last(1).record.era;
  assert_int_equal(era, answer.record.era + 1);
  answer = settle_as(1, era, tokens[1], TS_OUTCOME_SUCCESS);
  assert_int_equal(answer.record.state, TS_BREAKER_CLOSED);
  assert_int_equal(answer.record.level, 0);
}

/* A probe's failure may say itself for how long. */
static void test_probe_open_time(void **state) {
  (void)state;
  asked_t asked;
  (void)trip();
  const uint32_t era = lease_at_last(0).record.era;
  ask_settle(0, era, tokens[0], TS_OUTCOME_FAILURE, 20000, &asked);
  const int64_t ms = good(&asked).record.open_for_ms;
  assert_true(ms > 15000 && ms <= 20000);
}

/* B85: a lease that is given back is there for the next. */
static void test_given_back(void **state) {
  (void)state;
  (void)trip();
  const uint32_t era = lease_at_last(0).record.era;
  assert_false(lease_as(1, tokens[1]).done);
  ts_store_answer_t answer = settle_as(0, era, tokens[0], TS_OUTCOME_IGNORED);
  assert_true(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_HALF_OPEN);
  assert_int_equal(answer.record.era, era);
  assert_true(lease_as(1, tokens[1]).done);
  assert_true(settle_as(1, era, tokens[1], TS_OUTCOME_CANCELLED).done);
  assert_true(lease_as(2, tokens[2]).done);
}

/* B86: an open record outlives its time; it becomes half-open by a lease, never
 * closed by itself. */
static void test_outlives(void **state) {
  (void)state;
  rule.open_ms = 50;
  const ts_store_record_t open = trip();
  pass_ms(1500);
  const ts_store_record_t record = look(1);
  assert_int_equal(record.state, TS_BREAKER_OPEN);
  assert_int_equal(record.era, open.era);
  assert_int_equal(record.open_for_ms, 0);
  assert_int_equal(lease_at_last(1).record.state, TS_BREAKER_HALF_OPEN);
}

/* ---------------------------------------------------------------------- by hand */

/* B89: forced open holds for everybody until it is released: no time ends it, no
 * probe, no delta. */
static void test_force(void **state) {
  (void)state;
  ts_store_answer_t answer = force_as(0, TS_STORE_FORCE_OPEN);
  const uint32_t era = answer.record.era;
  assert_true(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_OPEN);
  assert_true(answer.record.forced);
  pass_ms(200);
  assert_true(look(1).forced);
  assert_false(lease_as(1, tokens[1]).done);
  assert_false(sync_as(2, era, failures(9)).done);
  assert_true(look(3).forced);
  answer = force_as(3, TS_STORE_FORCE_CLOSED);
  assert_true(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_CLOSED);
  assert_false(answer.record.forced);
  assert_int_equal(answer.record.era, era + 1);
  assert_true(sync_as(2, era + 1, failures(1)).done);
}

/* A reset clears the counts of a closed breaker too. */
static void test_reset(void **state) {
  (void)state;
  const ts_store_record_t before = sync_as(0, 0, failures(4)).record;
  const ts_store_record_t after = force_as(1, TS_STORE_FORCE_CLOSED).record;
  assert_int_equal(after.failures, 0);
  assert_int_equal(after.consecutive_failures, 0);
  assert_int_equal(after.era, before.era + 1);
  assert_string_equal(after.id, before.id);
}

/* ------------------------------------------------------------------------ names */

/* Names of any bytes are different breakers if they differ. */
static void test_names(void **state) {
  (void)state;
  static const char *const odd[] = {"a b",      "a%20b", "{a}",  "a{",
                                    "\xc3\xa4", "\xff",  "\xfe", "a\r\nb",
                                    "A",        "a",     "%",    "\"\\"};
  const size_t count = sizeof odd / sizeof odd[0];
  char base[64];
  memcpy(base, name, sizeof base);
  rule.consec = 1000;
  for (size_t i = 0; i < count; i++) {
    snprintf(name, sizeof name, "%s%s", base, odd[i]);
    (void)sync_as(0, 0, failures((uint32_t)i + 1));
  }
  for (size_t i = 0; i < count; i++) {
    snprintf(name, sizeof name, "%s%s", base, odd[i]);
    assert_int_equal(look(1).failures, i + 1);
  }
}

/* ------------------------------------------------------------------- the end */

/* A cancelled operation is answered once, with that. */
static void test_cancel(void **state) {
  (void)state;
  asked_t asked[2];
  ask_sync(0, 0, nothing(), &asked[0]);
  const uint64_t id = last_id;
  ask_sync(0, 0, nothing(), &asked[1]);
  stores[0]->ops->cancel(stores[0], id);
  stores[0]->ops->cancel(stores[0], 1u << 30);
  turn_until(asked, 2);
  pass_ms(50);
  assert_int_equal(asked[0].answers, 1);
  assert_int_equal(asked[0].answer.error, UV_ECANCELED);
  assert_int_equal(asked[1].answer.error, 0);
}

/* B120: closing answers all that is under way, once, and then says so. */
static void test_close(void **state) {
  (void)state;
  asked_t asked[12];
  if (stores[0] == stores[1]) {
    for (size_t i = 1; i < MEMBERS; i++) {
      stores[i] = NULL;
    }
  }
  for (size_t i = 0; i < 12; i += 3) {
    ask_sync(0, 0, failures(1), &asked[i]);
    ask_lease(0, tokens[0], &asked[i + 1]);
    ask_sync(0, 0, nothing(), &asked[i + 2]);
    uv_run(&loop, UV_RUN_NOWAIT);
  }
  closed_count = 0;
  assert_int_equal(ts_store_close(stores[0], on_closed), 0);
  assert_int_equal(ts_store_close(stores[0], on_closed), TS_ECLOSED);
  assert_int_equal(closed_count, 0);
  while (closed_count == 0) {
    uv_run(&loop, UV_RUN_ONCE);
  }
  stores[0] = NULL;
  for (size_t i = 0; i < 12; i++) {
    assert_int_equal(asked[i].answers, 1);
    assert_true(asked[i].answer.error == 0 ||
                asked[i].answer.error == TS_ECLOSED);
  }
  assert_int_equal(asked[11].answer.error, TS_ECLOSED);
}

int store_conformance(const store_kit_t *given) {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_unknown),
      TEST(test_look_changes_nothing),
      TEST(test_two_members),
      TEST(test_nothing_is_lost),
      TEST(test_crossed_inside),
      TEST(test_serial),
      TEST(test_successes),
      TEST(test_rate),
      TEST(test_fixed_window),
      TEST(test_rolling_window),
      TEST(test_one_transition),
      TEST(test_old_era),
      TEST(test_open_counts_nothing),
      TEST(test_reporters),
      TEST(test_vote),
      TEST(test_votes),
      TEST(test_open_times),
      TEST(test_no_lease_yet),
      TEST(test_one_lease),
      TEST(test_slots),
      TEST(test_lease_again),
      TEST(test_dead_holder),
      TEST(test_two_successes),
      TEST(test_levels),
      TEST(test_probe_open_time),
      TEST(test_given_back),
      TEST(test_outlives),
      TEST(test_force),
      TEST(test_reset),
      TEST(test_names),
      TEST(test_cancel),
      TEST(test_close),
  };
  kit = given;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
