/* SPDX-License-Identifier: Apache-2.0 */
#include "support/store_conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/store_asker.h"

#define MEMBERS ASKER_MEMBERS

static const store_kit_t *kit;
static asker_t a;

static int set_up(void **state) {
  (void)state;
  asker_init(&a);
  asker_next_name(&a, kit->name);
  for (size_t i = 0; i < MEMBERS; i++) {
    a.stores[i] = kit->connect(&a.loop, kit->data);
    assert_non_null(a.stores[i]);
  }
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  asker_deinit(&a);
  return 0;
}

/* Open it by failures, seen by all: the record. */
static ts_store_record_t trip(void) {
  const ts_store_record_t before = look(&a, 0);
  const ts_store_record_t record =
      sync_as(&a, 0, before.era, failures(a.rule.consec)).record;
  assert_int_equal(record.state, TS_BREAKER_OPEN);
  for (size_t i = 0; i < MEMBERS; i++) {
    assert_int_equal(look(&a, i).state, TS_BREAKER_OPEN);
  }
  return record;
}

/* --------------------------------------------------------------------- reading */

/* B76, B90, B101: an unknown name is a closed breaker without counts, and
 * looking makes no record. */
static void test_unknown(void **state) {
  (void)state;
  for (size_t i = 0; i < MEMBERS; i++) {
    const ts_store_answer_t answer = sync_as(&a, i, 0, nothing());
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
  a.rule.open_ms = 30000;
  const ts_store_record_t open = trip();
  pass_ms(&a, 50);
  for (size_t i = 0; i < MEMBERS; i++) {
    const ts_store_record_t seen = look(&a, i);
    assert_int_equal(seen.era, open.era);
    assert_string_equal(seen.id, open.id);
    assert_true(seen.open_for_ms > 20000 && seen.open_for_ms <= 33000);
  }
  assert_true(look(&a, 0).open_for_ms < open.open_for_ms);
}

/* ------------------------------------------------------------------- counting */

/* B77: failures of two members add up, and both see it open. */
static void test_two_members(void **state) {
  (void)state;
  ts_store_answer_t answer = sync_as(&a, 0, 0, failures(3));
  assert_true(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_CLOSED);
  assert_int_equal(answer.record.consecutive_failures, 3);
  assert_int_equal(answer.record.fingerprint, 77);
  assert_int_equal(strlen(answer.record.id), TS_STORE_ID_SIZE - 1);
  answer = sync_as(&a, 1, answer.record.era, failures(2));
  assert_true(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_OPEN);
  assert_int_equal(answer.record.era, 1);
  assert_int_equal(answer.record.level, 0);
  assert_int_equal(look(&a, 0).state, TS_BREAKER_OPEN);
}

/* B78: whoever adds at the same time, nothing is lost. */
static void test_nothing_is_lost(void **state) {
  (void)state;
  asked_t asked[MEMBERS * 50];
  a.rule.consec = 1000000;
  for (size_t i = 0; i < MEMBERS * 50; i++) {
    ask_sync(&a, i % MEMBERS, 0, failures(4), &asked[i]);
  }
  await(&a, asked, MEMBERS * 50);
  const ts_store_record_t record = look(&a, 0);
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
  assert_int_equal(sync_as(&a, 0, 0, failures(2)).record.state,
                   TS_BREAKER_CLOSED);
  assert_int_equal(sync_as(&a, 1, 0, batch).record.state, TS_BREAKER_OPEN);
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
    asker_next_name(&a, kit->name);
    for (size_t i = 0; i < 6 && !model.open; i++) {
      const ts_store_delta_t delta = random_batch(&seed, &model);
      const ts_store_answer_t answer = sync_as(&a, i % 2, 0, delta);
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
  (void)sync_as(&a, 0, 0, failures(4));
  ts_store_record_t record = sync_as(&a, 1, 0, successes(1)).record;
  assert_int_equal(record.consecutive_failures, 0);
  record = sync_as(&a, 0, 0, failures(4)).record;
  assert_int_equal(record.state, TS_BREAKER_CLOSED);
  assert_int_equal(record.calls, 9);
  assert_int_equal(record.failures, 8);
}

/* The rate opens as soon as there are enough calls. */
static void test_rate(void **state) {
  (void)state;
  a.rule.consec = 0;
  a.rule.rate_pct = 50;
  a.rule.min_calls = 6;
  (void)sync_as(&a, 0, 0, failures(2));
  ts_store_record_t record = sync_as(&a, 1, 0, successes(3)).record;
  assert_int_equal(record.state, TS_BREAKER_CLOSED);
  record = sync_as(&a, 2, 0, failures(1)).record;
  assert_int_equal(record.state, TS_BREAKER_OPEN);
}

/* A fixed window that is over takes its counts with it, the run too. */
static void test_fixed_window(void **state) {
  (void)state;
  a.rule.window = TS_WINDOW_FIXED;
  a.rule.window_ms = 500;
  (void)sync_as(&a, 0, 0, failures(4));
  pass_ms(&a, 600);
  const ts_store_record_t record = sync_as(&a, 1, 0, failures(4)).record;
  assert_int_equal(record.state, TS_BREAKER_CLOSED);
  assert_int_equal(record.failures, 4);
  assert_int_equal(record.consecutive_failures, 4);
}

/* A rolling window forgets what is older than itself, but not the run. */
static void test_rolling_window(void **state) {
  (void)state;
  a.rule.window = TS_WINDOW_ROLLING;
  a.rule.window_ms = 500;
  a.rule.consec = 0;
  a.rule.rate_pct = 100;
  a.rule.min_calls = 5;
  (void)sync_as(&a, 0, 0, failures(4));
  pass_ms(&a, 1100);
  ts_store_record_t record = sync_as(&a, 1, 0, failures(4)).record;
  assert_int_equal(record.state, TS_BREAKER_CLOSED);
  assert_int_equal(record.failures, 4);
  assert_int_equal(record.consecutive_failures, 8);
  record = sync_as(&a, 2, 0, failures(1)).record;
  assert_int_equal(record.state, TS_BREAKER_OPEN);
}

/* ------------------------------------------------------------------- transitions */

/* B80, B113: of many who cross the threshold at once, one opens, and all learn
 * of it. */
static void test_one_transition(void **state) {
  (void)state;
  asked_t asked[MEMBERS * 4];
  for (size_t i = 0; i < MEMBERS * 4; i++) {
    ask_sync(&a, i % MEMBERS, 0, failures(5), &asked[i]);
  }
  await(&a, asked, MEMBERS * 4);
  for (size_t i = 0; i < MEMBERS * 4; i++) {
    assert_int_equal(asked[i].answer.error, 0);
    assert_int_equal(asked[i].answer.record.state, TS_BREAKER_OPEN);
    assert_int_equal(asked[i].answer.record.era, 1);
  }
  assert_int_equal(look(&a, 0).era, 1);
}

/* B81, B114: what belongs to an older era changes nothing and learns the
 * newer. */
static void test_old_era(void **state) {
  (void)state;
  (void)trip();
  ts_store_answer_t answer = force_as(&a, 0, TS_STORE_FORCE_CLOSED);
  const uint32_t era = answer.record.era;
  assert_true(answer.done);
  answer = sync_as(&a, 1, era - 1, failures(50));
  assert_false(answer.done);
  assert_int_equal(answer.record.era, era);
  assert_int_equal(answer.record.failures, 0);
  answer = settle_as(&a, 1, era - 1, TS_OUTCOME_FAILURE);
  assert_false(answer.done);
  assert_int_equal(answer.record.era, era);
  assert_int_equal(look(&a, 2).state, TS_BREAKER_CLOSED);
}

/* An open breaker takes no deltas. */
static void test_open_counts_nothing(void **state) {
  (void)state;
  const ts_store_record_t open = trip();
  const ts_store_answer_t answer = sync_as(&a, 1, open.era, failures(3));
  assert_false(answer.done);
  assert_int_equal(answer.record.era, open.era);
  assert_int_equal(answer.record.failures, 0);
}

/* B87: it takes failures of as many members as the rule says. */
static void test_reporters(void **state) {
  (void)state;
  a.rule.min_reporters = 2;
  for (int i = 0; i < 4; i++) {
    assert_int_equal(sync_as(&a, 0, 0, failures(25)).record.state,
                     TS_BREAKER_CLOSED);
  }
  assert_int_equal(sync_as(&a, 1, 0, successes(1)).record.state,
                   TS_BREAKER_CLOSED);
  assert_int_equal(sync_as(&a, 0, 0, failures(25)).record.state,
                   TS_BREAKER_CLOSED);
  assert_int_equal(sync_as(&a, 1, 0, failures(1)).record.state,
                   TS_BREAKER_OPEN);
}

/* B88: a vote opens, and counts nothing. */
static void test_vote(void **state) {
  (void)state;
  const ts_store_delta_t vote = {.vote = true};
  const ts_store_answer_t answer = sync_as(&a, 0, 0, vote);
  assert_true(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_OPEN);
  assert_int_equal(answer.record.era, 1);
  assert_int_equal(answer.record.calls, 0);
  assert_int_equal(look(&a, 1).state, TS_BREAKER_OPEN);
}

/* B87, B88: votes of one member are one vote. */
static void test_votes(void **state) {
  (void)state;
  const ts_store_delta_t vote = {.vote = true};
  a.rule.min_reporters = 3;
  (void)sync_as(&a, 0, 0, vote);
  (void)sync_as(&a, 1, 0, vote);
  assert_int_equal(sync_as(&a, 0, 0, vote).record.state, TS_BREAKER_CLOSED);
  assert_int_equal(sync_as(&a, 2, 0, vote).record.state, TS_BREAKER_OPEN);
}

/* A failure's own open time counts, up to the longest; and jitter is added. */
static void test_open_times(void **state) {
  (void)state;
  ts_store_delta_t delta = failures(5);
  a.rule.open_max_ms = 50000;
  a.rule.jitter_ms = 500;
  delta.open_ms = 30000;
  int64_t ms = sync_as(&a, 0, 0, delta).record.open_for_ms;
  assert_true(ms > 25000 && ms <= 30500);
  asker_next_name(&a, kit->name);
  delta.open_ms = 90000;
  ms = sync_as(&a, 0, 0, delta).record.open_for_ms;
  assert_true(ms > 45000 && ms <= 50500);
}

/* -------------------------------------------------------------------- probing */

/* While it is open nobody may probe, nor while it is closed. */
static void test_no_lease_yet(void **state) {
  (void)state;
  assert_false(lease_as(&a, 0).done);
  a.rule.open_ms = 60000;
  (void)trip();
  const ts_store_answer_t answer = lease_as(&a, 1);
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
  pass_ms(&a, 300);
  for (size_t i = 0; i < MEMBERS * 8; i++) {
    snprintf(mine[i], sizeof mine[i], "t%u", (unsigned)i);
    ask_lease(&a, i % MEMBERS, mine[i], &asked[i]);
  }
  await(&a, asked, MEMBERS * 8);
  for (size_t i = 0; i < MEMBERS * 8; i++) {
    assert_int_equal(asked[i].answer.error, 0);
    granted += asked[i].answer.done;
  }
  assert_int_equal(granted, 1);
  assert_int_equal(look(&a, 0).state, TS_BREAKER_HALF_OPEN);
}

/* Two slots are two leases, and no more, where the store can have two. */
static void test_slots(void **state) {
  (void)state;
  const bool two = a.stores[0]->ops->max_probe_slots >= 2;
  a.rule.probe_slots = two ? 2 : 1;
  (void)trip();
  (void)lease_at_last(&a, 0);
  assert_int_equal(lease_as(&a, 1).done, two);
  assert_false(lease_as(&a, 2).done);
}

/* B98: the same token once more is the same lease, and its second end none. */
static void test_lease_again(void **state) {
  (void)state;
  (void)trip();
  const ts_store_answer_t granted = lease_at_last(&a, 0);
  assert_true(granted.lease_for_ms > 0 &&
              granted.lease_for_ms <= a.rule.probe_ms);
  const ts_store_answer_t again = lease_as(&a, 0);
  assert_true(again.done);
  assert_int_equal(again.record.era, granted.record.era);
  assert_true(settle_as(&a, 0, granted.record.era, TS_OUTCOME_SUCCESS).done);
  const ts_store_answer_t late =
      settle_as(&a, 0, granted.record.era, TS_OUTCOME_SUCCESS);
  assert_false(late.done);
  assert_int_equal(late.record.era, granted.record.era + 1);
}

/* B83: a lease whose holder is gone runs out; another member gets it, and what
 * the first says then is nothing. */
static void test_dead_holder(void **state) {
  (void)state;
  a.rule.probe_ms = 300;
  (void)trip();
  const uint32_t era = lease_at_last(&a, 0).record.era;
  assert_false(lease_as(&a, 1).done);
  assert_int_equal(lease_at_last(&a, 1).record.era, era);
  const ts_store_answer_t late = settle_as(&a, 0, era, TS_OUTCOME_SUCCESS);
  assert_false(late.done);
  assert_int_equal(late.record.state, TS_BREAKER_HALF_OPEN);
}

/* B83: a lease that has run out is none, though nobody else has it yet. */
static void test_late_holder(void **state) {
  (void)state;
  a.rule.probe_ms = 100;
  (void)trip();
  const uint32_t era = lease_at_last(&a, 0).record.era;
  pass_ms(&a, 2500); /* as much as clocks may differ, and more */
  const ts_store_answer_t late = settle_as(&a, 0, era, TS_OUTCOME_SUCCESS);
  assert_false(late.done);
  assert_int_equal(late.record.state, TS_BREAKER_HALF_OPEN);
  assert_int_equal(lease_at_last(&a, 1).record.era, era);
}

/* B84: two successes of two members close, with all counts gone. */
static void test_two_successes(void **state) {
  (void)state;
  a.rule.probe_need = 2;
  (void)trip();
  const uint32_t era = lease_at_last(&a, 0).record.era;
  ts_store_answer_t answer = settle_as(&a, 0, era, TS_OUTCOME_SUCCESS);
  assert_true(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_HALF_OPEN);
  assert_true(lease_as(&a, 1).done);
  answer = settle_as(&a, 1, era, TS_OUTCOME_SUCCESS);
  assert_true(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_CLOSED);
  assert_int_equal(answer.record.era, era + 1);
  assert_int_equal(answer.record.consecutive_failures, 0);
}

/* B84: one failure opens again, one level up; closing ends the levels. */
static void test_levels(void **state) {
  (void)state;
  a.rule.open_mult = 2.0;
  a.rule.open_ms = 200;
  (void)trip();
  uint32_t era = lease_at_last(&a, 0).record.era;
  ts_store_answer_t answer = settle_as(&a, 0, era, TS_OUTCOME_FAILURE);
  assert_true(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_OPEN);
  assert_int_equal(answer.record.era, era + 1);
  assert_int_equal(answer.record.level, 1);
  assert_true(answer.record.open_for_ms > 200 &&
              answer.record.open_for_ms <= 400);
  era = lease_at_last(&a, 1).record.era;
  assert_int_equal(era, answer.record.era + 1);
  answer = settle_as(&a, 1, era, TS_OUTCOME_SUCCESS);
  assert_int_equal(answer.record.state, TS_BREAKER_CLOSED);
  assert_int_equal(answer.record.level, 0);
}

/* A probe's failure may say itself for how long. */
static void test_probe_open_time(void **state) {
  (void)state;
  asked_t asked;
  (void)trip();
  const uint32_t era = lease_at_last(&a, 0).record.era;
  ask_settle(&a, 0, era, asker_tokens[0], TS_OUTCOME_FAILURE, 20000, &asked);
  await(&a, &asked, 1);
  const int64_t ms = asked.answer.record.open_for_ms;
  assert_true(ms > 15000 && ms <= 20000);
}

/* B85: a lease that is given back is there for the next. */
static void test_given_back(void **state) {
  (void)state;
  (void)trip();
  const uint32_t era = lease_at_last(&a, 0).record.era;
  assert_false(lease_as(&a, 1).done);
  ts_store_answer_t answer = settle_as(&a, 0, era, TS_OUTCOME_IGNORED);
  assert_true(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_HALF_OPEN);
  assert_int_equal(answer.record.era, era);
  assert_true(lease_as(&a, 1).done);
  assert_true(settle_as(&a, 1, era, TS_OUTCOME_CANCELLED).done);
  assert_true(lease_as(&a, 2).done);
}

/* B86: an open record outlives its time; it becomes half-open by a lease, never
 * closed by itself. */
static void test_outlives(void **state) {
  (void)state;
  a.rule.open_ms = 50;
  const ts_store_record_t open = trip();
  pass_ms(&a, 1500);
  const ts_store_record_t record = look(&a, 1);
  assert_int_equal(record.state, TS_BREAKER_OPEN);
  assert_int_equal(record.era, open.era);
  assert_int_equal(record.open_for_ms, 0);
  assert_int_equal(lease_at_last(&a, 1).record.state, TS_BREAKER_HALF_OPEN);
}

/* ---------------------------------------------------------------------- by hand */

/* B89: forced open holds for everybody until it is released: no time ends it, no
 * probe, no delta. */
static void test_force(void **state) {
  (void)state;
  ts_store_answer_t answer = force_as(&a, 0, TS_STORE_FORCE_OPEN);
  const uint32_t era = answer.record.era;
  assert_true(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_OPEN);
  assert_true(answer.record.forced);
  pass_ms(&a, 200);
  assert_true(look(&a, 1).forced);
  assert_false(lease_as(&a, 1).done);
  assert_false(sync_as(&a, 2, era, failures(9)).done);
  assert_true(look(&a, 3).forced);
  answer = force_as(&a, 3, TS_STORE_FORCE_CLOSED);
  assert_true(answer.done);
  assert_int_equal(answer.record.state, TS_BREAKER_CLOSED);
  assert_false(answer.record.forced);
  assert_int_equal(answer.record.era, era + 1);
  assert_true(sync_as(&a, 2, era + 1, failures(1)).done);
}

/* A reset clears the counts of a closed breaker too. */
static void test_reset(void **state) {
  (void)state;
  const ts_store_record_t before = sync_as(&a, 0, 0, failures(4)).record;
  const ts_store_record_t after = force_as(&a, 1, TS_STORE_FORCE_CLOSED).record;
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
  memcpy(base, a.name, sizeof base);
  a.rule.consec = 1000;
  for (size_t i = 0; i < count; i++) {
    snprintf(a.name, sizeof a.name, "%s%s", base, odd[i]);
    (void)sync_as(&a, 0, 0, failures((uint32_t)i + 1));
  }
  for (size_t i = 0; i < count; i++) {
    snprintf(a.name, sizeof a.name, "%s%s", base, odd[i]);
    assert_int_equal(look(&a, 1).failures, i + 1);
  }
}

/* ------------------------------------------------------------------- the end */

/* A cancelled operation is answered once, with that. */
static void test_cancel(void **state) {
  (void)state;
  asked_t asked[2];
  ask_sync(&a, 0, 0, nothing(), &asked[0]);
  const uint64_t id = a.last_id;
  ask_sync(&a, 0, 0, nothing(), &asked[1]);
  a.stores[0]->ops->cancel(a.stores[0], id);
  a.stores[0]->ops->cancel(a.stores[0], 1u << 30);
  await(&a, asked, 2);
  pass_ms(&a, 50);
  assert_int_equal(asked[0].answers, 1);
  assert_int_equal(asked[0].answer.error, UV_ECANCELED);
  assert_int_equal(asked[1].answer.error, 0);
}

static unsigned closed_count;

static void on_closed(ts_store_t *store) {
  (void)store;
  closed_count++;
}

/* B120: closing answers all that is under way, once, and then says so; what was
 * done by then may be told as done. */
static void test_close(void **state) {
  (void)state;
  asked_t asked[12];
  if (a.stores[0] == a.stores[1]) {
    for (size_t i = 1; i < MEMBERS; i++) {
      a.stores[i] = NULL;
    }
  }
  for (size_t i = 0; i < 12; i += 3) {
    uv_run(&a.loop, UV_RUN_NOWAIT);
    ask_sync(&a, 0, 0, failures(1), &asked[i]);
    ask_lease(&a, 0, asker_tokens[0], &asked[i + 1]);
    ask_sync(&a, 0, 0, nothing(), &asked[i + 2]);
  }
  closed_count = 0;
  assert_int_equal(ts_store_close(a.stores[0], on_closed), 0);
  assert_int_equal(ts_store_close(a.stores[0], on_closed), TS_ECLOSED);
  assert_int_equal(closed_count, 0);
  while (closed_count == 0) {
    uv_run(&a.loop, UV_RUN_ONCE);
  }
  a.stores[0] = NULL;
  for (size_t i = 0; i < 12; i++) {
    assert_int_equal(asked[i].answers, 1);
    assert_true(asked[i].answer.error == 0 ||
                asked[i].answer.error == TS_ECLOSED);
  }
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
      TEST(test_late_holder),
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
