/* SPDX-License-Identifier: Apache-2.0 */
/* The state machine of a breaker, moved by hand through time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "plane/evaluator.h"
#include "support/heap.h"

#define MAX_CHANGES 32

/* A breaker, its clock, and everything it ever announced. */
typedef struct life_s {
  ts__mem_t mem;
  ts__evaluator_t evaluator;
  int64_t now;
  ts__change_t changes[MAX_CHANGES]; /* state or rate */
  double rates[MAX_CHANGES];
  size_t change_count;
  size_t transition_count;
} life_t;

static const ts__rule_t example = {.kind = TS_PLANE_KIND_ERROR_RATE,
                                   .op = TS_PLANE_OP_GT,
                                   .threshold = 0.5,
                                   .window_ms = 10000,
                                   .min_count = 4,
                                   .eval_interval_ms = 1000,
                                   .cooldown_ms = 3000,
                                   .ramp_steps = 4,
                                   .backoff_enabled = true,
                                   .backoff_cap_ms = 60000,
                                   .policy = TS_PLANE_POLICY_CONSERVATIVE};

static void begin_at(life_t *life, ts__rule_t rule, int64_t now) {
  memset(life, 0, sizeof(*life));
  ts__mem_init(&life->mem, NULL);
  life->now = now;
  ts__evaluator_init(&life->evaluator, &life->mem, &rule, now);
}

static void begin(life_t *life, ts__rule_t rule) { begin_at(life, rule, 0); }

static void end(life_t *life) { ts__evaluator_deinit(&life->evaluator); }

static void note(life_t *life, bool changed, const ts__change_t *change) {
  if (!changed) {
    return;
  }
  assert_true(life->change_count < MAX_CHANGES);
  life->changes[life->change_count] = *change;
  life->rates[life->change_count++] = life->evaluator.allow_rate;
  life->transition_count += change->is_transition ? 1 : 0;
}

/* Run all ticks due until `now`, each on time. */
static void run_to(life_t *life, int64_t now) {
  ts__change_t change;
  while (life->evaluator.next_tick_ms <= now) {
    life->now = life->evaluator.next_tick_ms;
    bool changed = ts__evaluator_tick(&life->evaluator, life->now, &change);
    note(life, changed, &change);
  }
  life->now = now;
}

static void add(life_t *life, int64_t ts_ms, bool ok) {
  assert_int_equal(ts__evaluator_reserve(&life->evaluator, 1), 0);
  ts__evaluator_add(&life->evaluator, ts_ms, 1.0, ok, life->now);
}

static void flush(life_t *life) {
  ts__change_t change;
  bool changed = ts__evaluator_ingested(&life->evaluator, life->now, &change);
  note(life, changed, &change);
}

/* A batch of samples of this moment. */
static void ingest(life_t *life, int count, bool ok) {
  for (int i = 0; i < count; i++) {
    add(life, life->now, ok);
  }
  flush(life);
}

static bool near(double a, double b) { return a - b < 1e-9 && b - a < 1e-9; }

static void assert_state(const life_t *life, ts_breaker_state_t state,
                         double rate) {
  assert_int_equal(life->evaluator.state, state);
  assert_true(near(life->evaluator.allow_rate, rate));
}

static const char *last_reason(const life_t *life) {
  assert_true(life->change_count > 0);
  return life->changes[life->change_count - 1].reason;
}

/* Trip at now with four failures. */
static void trip(life_t *life) {
  ingest(life, 4, false);
  assert_state(life, TS_BREAKER_OPEN, 0.0);
}

/* Trip, and go on to the first moment of half-open. */
static void to_half_open(life_t *life) {
  run_to(life, life->now + 500);
  trip(life);
  while (life->evaluator.state == TS_BREAKER_OPEN) {
    run_to(life, life->evaluator.next_tick_ms);
  }
  assert_int_equal(life->evaluator.state, TS_BREAKER_HALF_OPEN);
}

/* One successful sample of this moment and one tick. */
static void healthy_tick(life_t *life, int samples) {
  run_to(life, life->evaluator.next_tick_ms - 1);
  ingest(life, samples, true);
  run_to(life, life->evaluator.next_tick_ms);
}

/* What the clients deliver at each half second of the worked example. */
static void deliver_example(life_t *life) {
  const ts__evaluator_t *evaluator = &life->evaluator;
  int count = 0;
  switch (evaluator->state) {
  case TS_BREAKER_CLOSED:
    count = 4;
    break;
  case TS_BREAKER_HALF_OPEN:
    count = (int)(4 * evaluator->allow_rate + 0.999);
    break;
  default:
    return;
  }
  ingest(life, count, life->now > 9000);
}

/* E32: a whole life, row by row: trip, failed recovery, backoff, recovery; with
 * each announced rate and the log of transitions. */
static void test_full_life(void **state) {
  (void)state;
  const struct {
    int64_t at;
    ts_breaker_state_t state;
    double rate;
    const char *reason; /* NULL: the rate alone */
  } rows[] = {{500, TS_BREAKER_OPEN, 0.0, "threshold_breached"},
              {4000, TS_BREAKER_HALF_OPEN, 0.2, "cooldown_elapsed"},
              {5000, TS_BREAKER_OPEN, 0.0, "recovery_failed"},
              {11000, TS_BREAKER_HALF_OPEN, 0.2, "cooldown_elapsed"},
              {12000, TS_BREAKER_HALF_OPEN, 0.4, NULL},
              {13000, TS_BREAKER_HALF_OPEN, 0.6, NULL},
              {14000, TS_BREAKER_HALF_OPEN, 0.8, NULL},
              {15000, TS_BREAKER_HALF_OPEN, 1.0, NULL},
              {16000, TS_BREAKER_CLOSED, 1.0, "recovered"}};
  life_t life;
  begin(&life, example);
  size_t row = 0;
  for (int64_t at = 500; at <= 16000; at += 500) {
    run_to(&life, at);
    if (at % 1000 == 500) {
      deliver_example(&life);
    }
    if (row < 9 && at == rows[row].at) {
      assert_int_equal(life.change_count, row + 1);
      assert_state(&life, rows[row].state, rows[row].rate);
      assert_int_equal(life.changes[row].to, rows[row].state);
      assert_int_equal(life.changes[row].is_transition,
                       rows[row].reason != NULL);
      if (rows[row].reason) {
        assert_string_equal(life.changes[row].reason, rows[row].reason);
      }
      row++;
    }
    assert_int_equal(life.change_count, row);
  }
  assert_int_equal(row, 9);
  assert_int_equal(life.transition_count, 5);
  assert_int_equal(life.evaluator.transition_seq, 5);
  assert_int_equal(life.evaluator.failed_recoveries, 0);
  end(&life);
}

static void to_silent_half_open(life_t *life, ts_plane_policy_t policy) {
  ts__rule_t rule = example;
  rule.cooldown_ms = 2000;
  rule.policy = policy;
  begin(life, rule);
  to_half_open(life);
  assert_int_equal(life->now, 3000);
}

/* E33, optimistic: silence counts as health, one stage a tick. */
static void test_silence_optimistic(void **state) {
  (void)state;
  life_t life;
  to_silent_half_open(&life, TS_PLANE_POLICY_OPTIMISTIC);
  run_to(&life, 4000);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.4);
  run_to(&life, 7000);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 1.0);
  run_to(&life, 8000);
  assert_state(&life, TS_BREAKER_CLOSED, 1.0);
  end(&life);
}

/* E33, conservative: silence holds the stage, however long. */
static void test_silence_conservative(void **state) {
  (void)state;
  life_t life;
  to_silent_half_open(&life, TS_PLANE_POLICY_CONSERVATIVE);
  run_to(&life, 3600000);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.2);
  assert_int_equal(life.evaluator.verdict, TS__INDETERMINATE);
  end(&life);
}

/* E33, pessimistic: silence reopens after the confirmation time, and counts as
 * a failed recovery. */
static void test_silence_pessimistic(void **state) {
  (void)state;
  life_t life;
  to_silent_half_open(&life, TS_PLANE_POLICY_PESSIMISTIC);
  run_to(&life, 7999);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.2);
  run_to(&life, 8000);
  assert_state(&life, TS_BREAKER_OPEN, 0.0);
  assert_string_equal(last_reason(&life), "recovery_indeterminate");
  assert_int_equal(life.evaluator.failed_recoveries, 1);
  run_to(&life, 11999);
  assert_state(&life, TS_BREAKER_OPEN, 0.0);
  run_to(&life, 12000);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.2);
  run_to(&life, 16999);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.2);
  run_to(&life, 17000);
  assert_state(&life, TS_BREAKER_OPEN, 0.0);
  assert_int_equal(life.evaluator.failed_recoveries, 2);
  end(&life);
}

/* E33, pessimistic: each verdict starts the patience anew. */
static void test_pessimistic_patience_restarts(void **state) {
  (void)state;
  life_t life;
  to_silent_half_open(&life, TS_PLANE_POLICY_PESSIMISTIC);
  healthy_tick(&life, 1);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.4);
  run_to(&life, 8999);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.4);
  run_to(&life, 9000);
  assert_state(&life, TS_BREAKER_OPEN, 0.0);
  end(&life);
}

/* E34: with health at every tick the recovery takes exactly the confirmation
 * time, whatever the number of steps. */
static void test_recovery_takes_confirmation_time(void **state) {
  (void)state;
  const int64_t steps[] = {1, 4, 9};
  for (size_t i = 0; i < 3; i++) {
    ts__rule_t rule = example;
    rule.ramp_steps = steps[i];
    life_t life;
    begin(&life, rule);
    to_half_open(&life);
    int64_t entered = life.now;
    while (life.evaluator.state == TS_BREAKER_HALF_OPEN) {
      healthy_tick(&life, 4);
    }
    assert_state(&life, TS_BREAKER_CLOSED, 1.0);
    assert_int_equal(life.now - entered, ts__rule_confirmation_ms(&rule));
    end(&life);
  }
}

/* The ramp's rates are equal steps up to 1, with four decimals. */
static void test_stage_rates(void **state) {
  (void)state;
  ts__rule_t rule = example;
  rule.ramp_steps = 1;
  assert_true(near(ts__rule_stage_rate(&rule, 0), 0.5));
  rule.ramp_steps = 2;
  assert_true(near(ts__rule_stage_rate(&rule, 0), 0.3333));
  assert_true(near(ts__rule_stage_rate(&rule, 1), 0.6667));
  assert_true(near(ts__rule_stage_rate(&rule, 2), 1.0));
  rule.ramp_steps = 100;
  assert_true(near(ts__rule_stage_rate(&rule, 0), 0.0099));
}

/* E35: the time in open doubles with each failed recovery, up to the cap and at
 * least the minimum, and never overflows. */
static void test_backoff_table(void **state) {
  (void)state;
  const struct {
    int64_t cooldown, interval, min_state, cap;
    bool enabled;
    int64_t open_ms[7];
  } rows[] = {
      {30000,
       1000,
       0,
       300000,
       true,
       {30000, 60000, 120000, 240000, 300000, 300000, 300000}},
      {0, 1000, 0, 300000, true, {0, 2000, 4000, 8000, 16000, 32000, 64000}},
      {5000,
       1000,
       10000,
       60000,
       true,
       {10000, 10000, 20000, 40000, 60000, 60000, 60000}},
      {300000,
       10000,
       60000,
       300000,
       true,
       {300000, 300000, 300000, 300000, 300000, 300000, 300000}},
      {30000,
       1000,
       0,
       300000,
       false,
       {30000, 30000, 30000, 30000, 30000, 30000, 30000}}};
  for (size_t i = 0; i < 5; i++) {
    ts__rule_t rule = example;
    rule.cooldown_ms = rows[i].cooldown;
    rule.eval_interval_ms = rows[i].interval;
    rule.min_state_duration_ms = rows[i].min_state;
    rule.backoff_cap_ms = rows[i].cap;
    rule.backoff_enabled = rows[i].enabled;
    for (uint64_t r = 0; r < 7; r++) {
      assert_int_equal(ts__rule_open_ms(&rule, r), rows[i].open_ms[r]);
    }
    assert_true(ts__rule_open_ms(&rule, UINT64_MAX) <= 300000);
  }
}

/* E35: a closed breaker has forgotten its failed recoveries. */
static void test_backoff_resets_on_closing(void **state) {
  (void)state;
  life_t life;
  begin(&life, example);
  to_half_open(&life);
  ingest(&life, 1, false);
  run_to(&life, life.evaluator.next_tick_ms);
  assert_int_equal(life.evaluator.failed_recoveries, 1);
  while (life.evaluator.state != TS_BREAKER_CLOSED) {
    healthy_tick(&life, 4);
  }
  assert_int_equal(life.evaluator.failed_recoveries, 0);
  end(&life);
}

/* E36: without a cooldown probing begins at the next tick, not at once. */
static void test_no_cooldown_waits_for_tick(void **state) {
  (void)state;
  ts__rule_t rule = example;
  rule.cooldown_ms = 0;
  life_t life;
  begin(&life, rule);
  run_to(&life, 500);
  trip(&life);
  run_to(&life, 999);
  assert_state(&life, TS_BREAKER_OPEN, 0.0);
  run_to(&life, 1000);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.2);
  end(&life);
}

/* E37: the shortest stay delays leaving open, leaving half-open for closed, and
 * tripping again after a recovery; never a fresh breaker's first trip. */
static void test_min_state_duration_delays(void **state) {
  (void)state;
  ts__rule_t rule = example;
  rule.cooldown_ms = 0;
  rule.min_state_duration_ms = 7000;
  life_t life;
  begin(&life, rule);
  run_to(&life, 500);
  trip(&life);
  run_to(&life, 7499);
  assert_state(&life, TS_BREAKER_OPEN, 0.0);
  run_to(&life, 8000);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.2);
  while (life.now < 14000) {
    healthy_tick(&life, 4);
  }
  assert_state(&life, TS_BREAKER_HALF_OPEN, 1.0);
  healthy_tick(&life, 4);
  assert_int_equal(life.now, 15000);
  assert_state(&life, TS_BREAKER_CLOSED, 1.0);
  ingest(&life, 200, false);
  assert_state(&life, TS_BREAKER_CLOSED, 1.0);
  run_to(&life, 21999);
  assert_state(&life, TS_BREAKER_CLOSED, 1.0);
  run_to(&life, 22000);
  assert_state(&life, TS_BREAKER_OPEN, 0.0);
  end(&life);
}

/* E37: a sick dependency is not probed longer for the sake of the minimum. */
static void test_min_state_duration_spares_reopening(void **state) {
  (void)state;
  ts__rule_t rule = example;
  rule.min_state_duration_ms = 60000;
  life_t life;
  begin(&life, rule);
  to_half_open(&life);
  ingest(&life, 1, false);
  run_to(&life, life.evaluator.next_tick_ms);
  assert_state(&life, TS_BREAKER_OPEN, 0.0);
  end(&life);
}

/* E38: a batch trips at once, and only once. */
static void test_trip_is_immediate(void **state) {
  (void)state;
  life_t life;
  begin(&life, example);
  run_to(&life, 10);
  ingest(&life, 500, false);
  assert_state(&life, TS_BREAKER_OPEN, 0.0);
  assert_int_equal(life.change_count, 1);
  assert_int_equal(life.changes[0].measure.count, 500);
  assert_true(near(life.changes[0].measure.value, 1.0));
  end(&life);
}

/* E39: while open, no data leads out, however healthy. */
static void test_open_ignores_verdicts(void **state) {
  (void)state;
  life_t life;
  begin(&life, example);
  run_to(&life, 500);
  trip(&life);
  ingest(&life, 1000, true);
  run_to(&life, 3000);
  ingest(&life, 1000, true);
  assert_state(&life, TS_BREAKER_OPEN, 0.0);
  assert_int_equal(life.change_count, 1);
  end(&life);
}

/* E40: failures from before half-open, delivered late, have no effect; a fresh
 * success among them has. */
static void test_floor_shuts_out_late_failures(void **state) {
  (void)state;
  const int64_t opened = 1705312206500;
  life_t life;
  begin_at(&life, example, 1705312206000);
  run_to(&life, opened);
  trip(&life);
  run_to(&life, 1705312210000);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.2);
  run_to(&life, 1705312210900);
  for (int i = 0; i < 4; i++) {
    add(&life, opened - 1000 + i, false);
  }
  flush(&life);
  assert_int_equal(life.evaluator.streak, 0);
  assert_int_equal(life.evaluator.fresh, 0);
  add(&life, 1705312210500, true);
  flush(&life);
  run_to(&life, 1705312211000);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.4);
  end(&life);
}

/* E41: after closing, the failures that had opened the breaker are still in the
 * window but no longer count. */
static void test_old_failures_do_not_trip_again(void **state) {
  (void)state;
  ts__rule_t rule = example;
  rule.window_ms = 600000;
  life_t life;
  begin(&life, rule);
  run_to(&life, 500);
  ingest(&life, 1000, false);
  while (life.evaluator.state != TS_BREAKER_CLOSED) {
    healthy_tick(&life, 4);
  }
  ingest(&life, 4, true);
  run_to(&life, life.now + 5000);
  assert_state(&life, TS_BREAKER_CLOSED, 1.0);
  end(&life);
}

static ts__rule_t streak_rule(void) {
  ts__rule_t rule = example;
  rule.kind = TS_PLANE_KIND_CONSECUTIVE_FAILURES;
  rule.op = TS_PLANE_OP_GTE;
  rule.threshold = 4;
  return rule;
}

/* E42: in half-open a single failure as the latest sample reopens, although it
 * takes four to trip. */
static void test_streak_failure_reopens(void **state) {
  (void)state;
  life_t life;
  begin(&life, streak_rule());
  to_half_open(&life);
  ingest(&life, 1, true);
  ingest(&life, 1, false);
  run_to(&life, life.evaluator.next_tick_ms);
  assert_state(&life, TS_BREAKER_OPEN, 0.0);
  assert_string_equal(last_reason(&life), "recovery_failed");
  end(&life);
}

/* E42: and a success as the latest advances, though failures came before it. */
static void test_streak_success_advances(void **state) {
  (void)state;
  life_t life;
  begin(&life, streak_rule());
  to_half_open(&life);
  ingest(&life, 2, false);
  ingest(&life, 1, true);
  run_to(&life, life.evaluator.next_tick_ms);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.4);
  run_to(&life, life.now + 10000);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.4);
  end(&life);
}

/* E43: the evidence asked for grows with the exposure: two samples do for the
 * first stage of ten, three in all do not for the second. */
static void test_evidence_grows_with_stage(void **state) {
  (void)state;
  ts__rule_t rule = example;
  rule.min_count = 10;
  life_t life;
  begin(&life, rule);
  run_to(&life, 500);
  ingest(&life, 10, false);
  run_to(&life, 4000);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.2);
  healthy_tick(&life, 2);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.4);
  healthy_tick(&life, 1);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.4);
  healthy_tick(&life, 1);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.6);
  end(&life);
}

/* E43: the numbers themselves. */
static void test_need_table(void **state) {
  (void)state;
  const struct {
    int64_t min_count, steps;
    uint64_t need[5];
  } rows[] = {{10, 4, {2, 4, 6, 8, 10}},
              {4, 4, {1, 2, 3, 4, 4}},
              {1, 4, {1, 1, 1, 1, 1}},
              {0, 4, {1, 1, 1, 1, 1}}};
  for (size_t i = 0; i < 4; i++) {
    ts__rule_t rule = example;
    rule.min_count = rows[i].min_count;
    rule.ramp_steps = rows[i].steps;
    for (int64_t stage = 0; stage < 5; stage++) {
      assert_int_equal(ts__rule_need(&rule, stage), rows[i].need[stage]);
    }
  }
}

/* E44: plenty of samples from the stage before do not replace a fresh one. */
static void test_stage_needs_fresh_sample(void **state) {
  (void)state;
  life_t life;
  begin(&life, example);
  to_half_open(&life);
  healthy_tick(&life, 100);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.4);
  run_to(&life, life.now + 3000);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.4);
  healthy_tick(&life, 1);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.6);
  end(&life);
}

/* E45: a tick that comes late is one tick, and the next keeps the phase. */
static void test_late_tick_runs_once(void **state) {
  (void)state;
  life_t life;
  ts__change_t change;
  to_silent_half_open(&life, TS_PLANE_POLICY_OPTIMISTIC);
  assert_true(ts__evaluator_tick(&life.evaluator, 6700, &change));
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.4);
  assert_int_equal(life.evaluator.next_tick_ms, 7000);
  assert_int_equal(life.evaluator.last_eval_ms, 6700);
  end(&life);
}

/* A wall clock that is set back does not silence the ticks until it has caught
 * up. */
static void test_clock_set_back(void **state) {
  (void)state;
  life_t life;
  ts__change_t change;
  begin_at(&life, example, 1000000);
  assert_false(ts__evaluator_tick(&life.evaluator, 5000, &change));
  assert_int_equal(life.evaluator.next_tick_ms, 6000);
  end(&life);
}

/* A dictated state ignores samples and ticks until it is released. */
static void test_forced_state_holds(void **state) {
  (void)state;
  life_t life;
  ts__change_t change;
  begin(&life, example);
  assert_true(ts__evaluator_force(&life.evaluator, TS_BREAKER_HALF_OPEN, 0.35,
                                  0, &change));
  assert_true(change.is_transition);
  assert_string_equal(change.reason, "forced");
  ingest(&life, 10, false);
  run_to(&life, 100000);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.35);
  assert_false(ts__evaluator_force(&life.evaluator, TS_BREAKER_HALF_OPEN, 0.35,
                                   life.now, &change));
  assert_true(ts__evaluator_force(&life.evaluator, TS_BREAKER_HALF_OPEN, 0.5,
                                  life.now, &change));
  assert_false(change.is_transition);
  assert_true(ts__evaluator_release(&life.evaluator, life.now, &change));
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.2);
  healthy_tick(&life, 1);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.4);
  end(&life);
}

static bool change_rule(life_t *life, ts__rule_t rule, bool resets) {
  ts__change_t change;
  bool changed =
      ts__evaluator_change(&life->evaluator, &rule, resets, life->now, &change);
  note(life, changed, &change);
  return changed;
}

/* E46: a changed threshold, operator, count or window is nothing but noted; the
 * next evaluation goes by it, over the samples that are there. */
static void test_change_of_rule_waits(void **state) {
  (void)state;
  life_t life;
  ts__rule_t rule = example;
  begin(&life, rule);
  ingest(&life, 4, true);
  ingest(&life, 2, false);
  assert_state(&life, TS_BREAKER_CLOSED, 1.0);
  rule.threshold = 0.25;
  assert_false(change_rule(&life, rule, false));
  assert_state(&life, TS_BREAKER_CLOSED, 1.0);
  rule.min_count = 7;
  assert_false(change_rule(&life, rule, false));
  run_to(&life, 1000);
  assert_state(&life, TS_BREAKER_CLOSED, 1.0);
  rule.op = TS_PLANE_OP_LT;
  rule.min_count = 6;
  rule.window_ms = 20000;
  assert_false(change_rule(&life, rule, false));
  run_to(&life, 2000);
  assert_state(&life, TS_BREAKER_CLOSED, 1.0);
  rule.op = TS_PLANE_OP_GT;
  assert_false(change_rule(&life, rule, false));
  run_to(&life, 3000);
  assert_state(&life, TS_BREAKER_OPEN, 0.0);
  assert_int_equal(life.changes[0].measure.count, 6);
  end(&life);
}

/* E46: the holds, the cooldown and the policy too, in the state that they are
 * about. */
static void test_change_of_times_waits(void **state) {
  (void)state;
  life_t life;
  ts__rule_t rule = example;
  begin(&life, rule);
  run_to(&life, 500);
  trip(&life);
  rule.cooldown_ms = 60000;
  assert_false(change_rule(&life, rule, false));
  run_to(&life, 10000);
  assert_state(&life, TS_BREAKER_OPEN, 0.0);
  rule.cooldown_ms = 1000;
  rule.policy = TS_PLANE_POLICY_OPTIMISTIC;
  assert_false(change_rule(&life, rule, false));
  assert_state(&life, TS_BREAKER_OPEN, 0.0);
  run_to(&life, 12000);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.4);
  rule.min_state_duration_ms = 20000;
  assert_false(change_rule(&life, rule, false));
  run_to(&life, 30999);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 1.0);
  run_to(&life, 31000);
  assert_state(&life, TS_BREAKER_CLOSED, 1.0);
  end(&life);
}

/* E46: another interval counts from the change, not from the last tick. */
static void test_change_of_interval_restarts_timer(void **state) {
  (void)state;
  life_t life;
  ts__rule_t rule = example;
  begin(&life, rule);
  run_to(&life, 1400);
  assert_false(change_rule(&life, rule, false));
  assert_int_equal(life.evaluator.next_tick_ms, 2000);
  rule.eval_interval_ms = 5000;
  assert_false(change_rule(&life, rule, false));
  assert_int_equal(life.evaluator.next_tick_ms, 6400);
  end(&life);
}

/* E46: fewer steps move a half-open breaker to a stage that there is; its rate
 * is sent if it has moved. */
static void test_change_of_steps_moves_rate(void **state) {
  (void)state;
  life_t life;
  ts__rule_t rule = example;
  begin(&life, rule);
  to_half_open(&life);
  healthy_tick(&life, 4);
  healthy_tick(&life, 4);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.6);
  assert_false(change_rule(&life, rule, false));
  rule.ramp_steps = 1;
  assert_true(change_rule(&life, rule, false));
  assert_false(life.changes[life.change_count - 1].is_transition);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 1.0);
  rule.ramp_steps = 3;
  assert_true(change_rule(&life, rule, false));
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.5);
  end(&life);
}

/* E46: another kind, parameter or metric begins anew: nothing that was known
 * counts, and the breaker closes. */
static void test_change_of_kind_resets(void **state) {
  (void)state;
  for (int what = 0; what < 3; what++) {
    life_t life;
    ts__rule_t rule = example;
    rule.kind = TS_PLANE_KIND_PERCENTILE;
    rule.op = TS_PLANE_OP_LTE;
    rule.percentile = 50;
    rule.threshold = 1;
    begin(&life, rule);
    to_half_open(&life);
    ingest(&life, 4, false);
    rule.threshold = 0.5;
    rule.kind = what == 0 ? TS_PLANE_KIND_MAX : rule.kind;
    rule.percentile = what == 1 ? 51 : 50;
    assert_true(change_rule(&life, rule, what == 2));
    assert_state(&life, TS_BREAKER_CLOSED, 1.0);
    assert_string_equal(last_reason(&life), "config_changed");
    assert_int_equal(life.evaluator.points.count, 0);
    assert_int_equal(life.evaluator.streak, 0);
    assert_int_equal(life.evaluator.failed_recoveries, 0);
    assert_int_equal(life.evaluator.verdict, TS__INDETERMINATE);
    assert_false(change_rule(&life, rule, true));
    end(&life);
  }
}

/* A state that is dictated stays so, whatever becomes of the rule. */
static void test_change_leaves_forced_state(void **state) {
  (void)state;
  life_t life;
  ts__change_t change;
  ts__rule_t rule = example;
  begin(&life, rule);
  ts__evaluator_force(&life.evaluator, TS_BREAKER_HALF_OPEN, 0.35, 0, &change);
  rule.kind = TS_PLANE_KIND_AVG;
  rule.ramp_steps = 1;
  assert_false(change_rule(&life, rule, true));
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.35);
  end(&life);
}

/* A clock that is set back prolongs neither a window, nor the time in open, nor
 * the floor: whatever lies ahead is taken to be of now. */
static void test_clock_set_back_prolongs_nothing(void **state) {
  (void)state;
  const int64_t back = 5000000;
  life_t life;
  begin_at(&life, example, 10000000);
  to_half_open(&life);
  life.now = back;
  life.evaluator.next_tick_ms = back + 1000;
  healthy_tick(&life, 1);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.4);
  run_to(&life, back + 20000);
  assert_int_equal(ts__evaluator_measure(&life.evaluator, back + 20000).count,
                   0);
  end(&life);
}

/* E41: a budget is not forgiven: what was spent before the opening still counts
 * after it, and keeps the breaker from closing while it is in the window. */
static void test_budget_has_no_floor(void **state) {
  (void)state;
  ts__rule_t rule = example;
  rule.kind = TS_PLANE_KIND_SUM;
  rule.threshold = 5;
  rule.window_ms = 20000;
  life_t life;
  begin(&life, rule);
  run_to(&life, 500);
  ingest(&life, 6, true);
  assert_state(&life, TS_BREAKER_OPEN, 0.0);
  run_to(&life, 4000);
  assert_state(&life, TS_BREAKER_HALF_OPEN, 0.2);
  run_to(&life, 5000);
  assert_state(&life, TS_BREAKER_OPEN, 0.0);
  assert_string_equal(last_reason(&life), "recovery_failed");
  run_to(&life, 60000);
  assert_state(&life, TS_BREAKER_CLOSED, 1.0);
  end(&life);
}

/* What had to be given up for room is said with the change, as long as it would
 * have been in view. */
static void test_truncation_is_told(void **state) {
  (void)state;
  ts__rule_t rule = example;
  rule.kind = TS_PLANE_KIND_COUNT;
  rule.threshold = TS__MAX_POINTS - 1;
  life_t life;
  begin(&life, rule);
  run_to(&life, 500);
  assert_int_equal(ts__evaluator_reserve(&life.evaluator, TS__MAX_POINTS + 1),
                   0);
  for (size_t i = 0; i <= TS__MAX_POINTS; i++) {
    ts__evaluator_add(&life.evaluator, 500, 1, true, 500);
  }
  flush(&life);
  assert_state(&life, TS_BREAKER_OPEN, 0.0);
  assert_true(life.changes[0].truncated);
  assert_int_equal(life.changes[0].measure.count, TS__MAX_POINTS);
  assert_int_equal(life.evaluator.points.lost_count, 1);
  end(&life);
}

#define MAX_SEEN 4000

typedef struct seen_s {
  int64_t t_ms;
  double value;
  bool ok;
} seen_t;

/* What the breaker looks at now, picked from everything there ever was. */
static size_t pick_view(const ts__evaluator_t *evaluator, const seen_t *seen,
                        size_t count, int64_t now, seen_t *view) {
  const ts__rule_t *rule = &evaluator->rule;
  bool is_budget =
      rule->kind == TS_PLANE_KIND_SUM || rule->kind == TS_PLANE_KIND_COUNT;
  bool is_wide = evaluator->state == TS_BREAKER_HALF_OPEN && !is_budget;
  int64_t width = is_wide ? ts__rule_recovery_window_ms(rule) : rule->window_ms;
  size_t picked = 0;
  for (size_t i = 0; i < count; i++) {
    if (seen[i].t_ms > now - width && seen[i].t_ms <= now &&
        (is_budget || seen[i].t_ms >= evaluator->floor_ms)) {
      view[picked++] = seen[i];
    }
  }
  return picked;
}

/* The plainest way to some of the measurements. */
static double measure_plainly(ts_plane_kind_t kind, const seen_t *view,
                              size_t count) {
  double sum = 0, failed = 0, largest = -1e9;
  for (size_t i = 0; i < count; i++) {
    sum += view[i].value;
    failed += !view[i].ok;
    largest = view[i].value > largest ? view[i].value : largest;
  }
  switch (kind) {
  case TS_PLANE_KIND_ERROR_RATE:
    return failed / (double)count;
  case TS_PLANE_KIND_AVG:
    return sum / (double)count;
  case TS_PLANE_KIND_MAX:
    return largest;
  case TS_PLANE_KIND_SUM:
    return sum;
  default:
    return (double)count;
  }
}

static uint32_t draw(uint32_t *random, uint32_t below) {
  *random = *random * 1664525u + 1013904223u;
  return (*random >> 8) % below;
}

/* Whatever happens to a breaker, with samples late and out of order, in crowds
 * and after silence: what it measures is what picking its view from everything
 * that ever came would give. */
static void test_view_is_what_is_kept(void **state) {
  (void)state;
  static seen_t seen[MAX_SEEN];
  static seen_t view[MAX_SEEN];
  const ts_plane_kind_t kinds[] = {TS_PLANE_KIND_ERROR_RATE, TS_PLANE_KIND_AVG,
                                   TS_PLANE_KIND_MAX, TS_PLANE_KIND_SUM,
                                   TS_PLANE_KIND_COUNT};
  const double thresholds[] = {0.5, 50, 98, 2000, 60};
  size_t transitions = 0;
  for (uint32_t round = 0; round < 40; round++) {
    life_t life;
    ts__rule_t rule = example;
    uint32_t random = round;
    size_t count = 0;
    rule.kind = kinds[round % 5];
    rule.threshold = thresholds[round % 5];
    rule.window_ms = 1000 + 3000 * (round % 4);
    rule.policy = (ts_plane_policy_t)(1 + round % 3);
    begin(&life, rule);
    while (count + 20 < MAX_SEEN && life.change_count + 2 < MAX_CHANGES) {
      int64_t next = life.now + draw(&random, 300);
      while (life.evaluator.next_tick_ms <= next &&
             life.change_count + 2 < MAX_CHANGES) {
        run_to(&life, life.evaluator.next_tick_ms);
      }
      life.now = next > life.now ? next : life.now;
      for (uint32_t n = draw(&random, 20); n > 0; n--) {
        seen_t one = {life.now - draw(&random, 3) * draw(&random, 4000),
                      draw(&random, 100), draw(&random, 2)};
        assert_int_equal(ts__evaluator_reserve(&life.evaluator, 1), 0);
        ts__evaluator_add(&life.evaluator, one.t_ms, one.value, one.ok,
                          life.now);
        seen[count++] = one;
      }
      flush(&life);
      size_t picked = pick_view(&life.evaluator, seen, count, life.now, view);
      ts__measure_t measured = ts__evaluator_measure(&life.evaluator, life.now);
      assert_int_equal(measured.count, picked);
      assert_true(
          !measured.has_value ||
          near(measured.value, measure_plainly(rule.kind, view, picked)));
    }
    transitions += life.transition_count;
    end(&life);
  }
  assert_true(transitions > 100);
}

/* Numbers outside their ranges are named. */
static void test_rule_check_names_member(void **state) {
  (void)state;
  ts__rule_t rule = example;
  assert_null(ts__rule_check(&rule));
  rule.window_ms = 99;
  assert_string_equal(ts__rule_check(&rule), "window_ms");
  rule = example;
  rule.ramp_steps = 101;
  assert_string_equal(ts__rule_check(&rule), "recovery_allow_rate_ramp_steps");
  rule = example;
  rule.threshold = 1e308 * 10;
  assert_string_equal(ts__rule_check(&rule), "threshold");
  rule = example;
  rule.kind = (ts_plane_kind_t)12;
  assert_string_equal(ts__rule_check(&rule), "kind");
}

/* Running out of memory for a sample is an answer, and the breaker goes on. */
static void test_out_of_memory(void **state) {
  (void)state;
  heap_t heap;
  ts__mem_t mem;
  ts__evaluator_t evaluator;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  ts__evaluator_init(&evaluator, &mem, &example, 0);
  heap_fail(&heap, 1, 1);
  assert_int_equal(ts__evaluator_reserve(&evaluator, 1), TS__ENOMEM);
  assert_int_equal(ts__evaluator_reserve(&evaluator, 1), 0);
  ts__evaluator_add(&evaluator, 5, 1.0, true, 5);
  assert_int_equal(evaluator.points.count, 1);
  ts__evaluator_deinit(&evaluator);
  assert_int_equal(heap_balance(&heap), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_full_life),
      cmocka_unit_test(test_silence_optimistic),
      cmocka_unit_test(test_silence_conservative),
      cmocka_unit_test(test_silence_pessimistic),
      cmocka_unit_test(test_pessimistic_patience_restarts),
      cmocka_unit_test(test_recovery_takes_confirmation_time),
      cmocka_unit_test(test_stage_rates),
      cmocka_unit_test(test_backoff_table),
      cmocka_unit_test(test_backoff_resets_on_closing),
      cmocka_unit_test(test_no_cooldown_waits_for_tick),
      cmocka_unit_test(test_min_state_duration_delays),
      cmocka_unit_test(test_min_state_duration_spares_reopening),
      cmocka_unit_test(test_trip_is_immediate),
      cmocka_unit_test(test_open_ignores_verdicts),
      cmocka_unit_test(test_floor_shuts_out_late_failures),
      cmocka_unit_test(test_old_failures_do_not_trip_again),
      cmocka_unit_test(test_streak_failure_reopens),
      cmocka_unit_test(test_streak_success_advances),
      cmocka_unit_test(test_evidence_grows_with_stage),
      cmocka_unit_test(test_need_table),
      cmocka_unit_test(test_stage_needs_fresh_sample),
      cmocka_unit_test(test_late_tick_runs_once),
      cmocka_unit_test(test_clock_set_back),
      cmocka_unit_test(test_forced_state_holds),
      cmocka_unit_test(test_change_of_rule_waits),
      cmocka_unit_test(test_change_of_times_waits),
      cmocka_unit_test(test_change_of_interval_restarts_timer),
      cmocka_unit_test(test_change_of_steps_moves_rate),
      cmocka_unit_test(test_change_of_kind_resets),
      cmocka_unit_test(test_change_leaves_forced_state),
      cmocka_unit_test(test_clock_set_back_prolongs_nothing),
      cmocka_unit_test(test_budget_has_no_floor),
      cmocka_unit_test(test_truncation_is_told),
      cmocka_unit_test(test_view_is_what_is_kept),
      cmocka_unit_test(test_rule_check_names_member),
      cmocka_unit_test(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
