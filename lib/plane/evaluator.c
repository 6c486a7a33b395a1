/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machine of a breaker:
 *
 *   closed    -> open       the rule holds; at once when a batch arrives
 *   open      -> half_open  at a tick, when the time in open is over
 *   half_open -> closed     stage by stage, one healthy tick each
 *   half_open -> open       at a tick, unhealthy, or too long without evidence
 *
 * Only ticks lead out of open and through half-open, so a recovery takes
 * exactly (steps + 1) intervals if all goes well. Samples from before the last
 * entry into half-open no longer count (the floor): the failures that opened
 * the breaker must not fail its recovery.
 */
#include "plane/evaluator.h"

#include <assert.h>
#include <math.h>

#define DAY_MS 86400000
#define HOUR_MS 3600000

static bool in_range(int64_t value, int64_t least, int64_t most) {
  return value >= least && value <= most;
}

static bool policy_is_valid(ts_plane_policy_t policy) {
  return in_range((int)policy, TS_PLANE_POLICY_OPTIMISTIC,
                  TS_PLANE_POLICY_PESSIMISTIC);
}

const char *ts__rule_check(const ts__rule_t *rule) {
  const struct {
    bool good;
    const char *name;
  } checks[] = {
      {ts__kind_find(rule->kind) != NULL, "kind"},
      {ts__op_is_valid(rule->op), "op"},
      {isfinite(rule->threshold), "threshold"},
      {in_range(rule->window_ms, 100, DAY_MS), "window_ms"},
      {in_range(rule->min_count, 0, 1000000), "min_count"},
      {in_range(rule->min_state_duration_ms, 0, DAY_MS),
       "min_state_duration_ms"},
      {in_range(rule->cooldown_ms, 0, DAY_MS), "cooldown_ms"},
      {in_range(rule->eval_interval_ms, 10, HOUR_MS), "eval_interval_ms"},
      {in_range(rule->ramp_steps, 1, 100), "recovery_allow_rate_ramp_steps"},
      {in_range(rule->backoff_cap_ms, 0, DAY_MS), "half_open_backoff_cap_ms"},
      {policy_is_valid(rule->policy), "half_open_indeterminate_policy"},
  };
  for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
    if (!checks[i].good) {
      return checks[i].name;
    }
  }
  return NULL;
}

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

int64_t ts__rule_confirmation_ms(const ts__rule_t *rule) {
  return (rule->ramp_steps + 1) * rule->eval_interval_ms;
}

int64_t ts__rule_recovery_window_ms(const ts__rule_t *rule) {
  return larger(rule->window_ms, ts__rule_confirmation_ms(rule));
}

int64_t ts__rule_open_ms(const ts__rule_t *rule, uint64_t failed_recoveries) {
  int64_t wait = rule->cooldown_ms;
  if (failed_recoveries > 0 && rule->backoff_enabled) {
    /* Doubling zero would be no backoff, so one interval is the least. */
    wait = larger(rule->cooldown_ms, rule->eval_interval_ms);
    int64_t cap = larger(rule->backoff_cap_ms, wait);
    for (uint64_t i = 0; i < failed_recoveries && wait < cap; i++) {
      wait *= 2;
    }
    wait = wait < cap ? wait : cap;
  }
  return larger(wait, rule->min_state_duration_ms);
}

uint64_t ts__rule_need(const ts__rule_t *rule, int64_t stage) {
  int64_t steps = rule->ramp_steps;
  int64_t need = (rule->min_count * (stage + 1) + steps) / (steps + 1);
  return (uint64_t)larger(need, 1);
}

double ts__rule_stage_rate(const ts__rule_t *rule, int64_t stage) {
  int64_t stages = rule->ramp_steps + 1;
  int64_t rounded = ((stage + 1) * 20000 + stages) / (2 * stages);
  return (double)rounded / 10000.0;
}

void ts__evaluator_init(ts__evaluator_t *evaluator, const ts__mem_t *mem,
                        const ts__rule_t *rule, int64_t now_ms) {
  assert(!ts__rule_check(rule));
  *evaluator =
      (ts__evaluator_t){.rule = *rule,
                        .kind = ts__kind_find(rule->kind),
                        .state = TS_BREAKER_CLOSED,
                        .allow_rate = 1.0,
                        .since_ms = now_ms,
                        .next_tick_ms = now_ms + rule->eval_interval_ms,
                        .verdict = TS__INDETERMINATE,
                        .floor_ms = INT64_MIN};
  ts__points_init(&evaluator->points, mem);
}

void ts__evaluator_deinit(ts__evaluator_t *evaluator) {
  ts__points_deinit(&evaluator->points);
}

int ts__evaluator_reserve(ts__evaluator_t *evaluator, size_t samples) {
  return ts__points_reserve(&evaluator->points, samples);
}

void ts__evaluator_add(ts__evaluator_t *evaluator, int64_t ts_ms, double value,
                       bool ok, int64_t now_ms) {
  int64_t t_ms = ts_ms < now_ms ? ts_ms : now_ms;
  int64_t oldest_ms = now_ms - ts__rule_recovery_window_ms(&evaluator->rule);
  bool before_floor = t_ms < evaluator->floor_ms;
  if (!before_floor) {
    evaluator->streak = ok ? 0 : evaluator->streak + 1;
  }
  bool is_kept = t_ms > oldest_ms;
  if (is_kept) {
    ts__points_expire(&evaluator->points, oldest_ms);
    ts__points_add(&evaluator->points, &(ts__point_t){t_ms, value, ok});
  }
  bool counts = evaluator->kind->evidence == TS__EVIDENCE_STREAK || is_kept;
  if (!before_floor && counts) {
    evaluator->fresh++;
  }
}

/* What the breaker looks at now. */
static ts__view_t view_now(const ts__evaluator_t *evaluator, int64_t now_ms) {
  bool is_budget = evaluator->kind->evidence == TS__EVIDENCE_BUDGET;
  int64_t width = evaluator->rule.window_ms;
  if (evaluator->state == TS_BREAKER_HALF_OPEN && !is_budget) {
    width = ts__rule_recovery_window_ms(&evaluator->rule);
  }
  return (ts__view_t){.points = &evaluator->points,
                      .after_ms = now_ms - width,
                      .upto_ms = now_ms,
                      .floor_ms = is_budget ? INT64_MIN : evaluator->floor_ms};
}

/* Samples that the statistic kinds need. */
static uint64_t samples_needed(const ts__evaluator_t *evaluator) {
  uint64_t need = (uint64_t)larger(evaluator->rule.min_count, 1);
  if (evaluator->state == TS_BREAKER_HALF_OPEN) {
    need = ts__rule_need(&evaluator->rule, evaluator->stage);
  }
  uint64_t fewest = evaluator->kind->fewest;
  return need > fewest ? need : fewest;
}

static bool is_determinate(const ts__evaluator_t *evaluator,
                           const ts__measure_t *measure) {
  bool half_open = evaluator->state == TS_BREAKER_HALF_OPEN;
  if (!measure->has_value) {
    return false;
  }
  switch (evaluator->kind->evidence) {
  case TS__EVIDENCE_BUDGET:
    return true;
  case TS__EVIDENCE_STREAK:
    return !half_open || evaluator->fresh > 0;
  case TS__EVIDENCE_SAMPLES:
    return measure->count >= samples_needed(evaluator) &&
           (!half_open || evaluator->fresh > 0);
  }
  return false;
}

static bool is_unhealthy(const ts__evaluator_t *evaluator,
                         const ts__measure_t *measure) {
  const ts__rule_t *rule = &evaluator->rule;
  if (evaluator->kind->evidence == TS__EVIDENCE_STREAK &&
      evaluator->state == TS_BREAKER_HALF_OPEN) {
    /* Half-open waits for a success; one failure as the latest is an answer,
     * however many it takes to trip. */
    return evaluator->streak >= 1;
  }
  return ts__op_holds(rule->op, measure->value, rule->threshold);
}

/* Measure and remember the verdict; the measurement goes to *change. */
static ts__verdict_t judge(ts__evaluator_t *evaluator, int64_t now_ms,
                           ts__change_t *change) {
  ts__view_t view = view_now(evaluator, now_ms);
  evaluator->kind->measure(&view, evaluator->streak, &change->measure);
  change->window_ms = now_ms - view.after_ms;
  change->truncated = evaluator->points.lost_ms > view.after_ms &&
                      evaluator->points.lost_ms >= view.floor_ms;
  evaluator->verdict = TS__INDETERMINATE;
  if (is_determinate(evaluator, &change->measure)) {
    evaluator->verdict =
        is_unhealthy(evaluator, &change->measure) ? TS__UNHEALTHY : TS__HEALTHY;
  }
  return evaluator->verdict;
}

static bool go(ts__evaluator_t *evaluator, ts_breaker_state_t state,
               double allow_rate, const char *reason, int64_t now_ms,
               ts__change_t *change) {
  change->is_transition = true;
  change->from = evaluator->state;
  change->to = state;
  change->reason = reason;
  evaluator->state = state;
  evaluator->allow_rate = allow_rate;
  evaluator->since_ms = now_ms;
  evaluator->transition_seq++;
  return true;
}

/* A new breaker has served its time already. */
static bool hold_is_over(const ts__evaluator_t *evaluator, int64_t now_ms) {
  return evaluator->transition_seq == 0 ||
         now_ms - evaluator->since_ms >= evaluator->rule.min_state_duration_ms;
}

static bool evaluate_closed(ts__evaluator_t *evaluator, int64_t now_ms,
                            ts__change_t *change) {
  if (judge(evaluator, now_ms, change) != TS__UNHEALTHY ||
      !hold_is_over(evaluator, now_ms)) {
    return false;
  }
  return go(evaluator, TS_BREAKER_OPEN, 0.0, "threshold_breached", now_ms,
            change);
}

static void begin_ramp(ts__evaluator_t *evaluator, int64_t now_ms) {
  evaluator->stage = 0;
  evaluator->floor_ms = now_ms;
  evaluator->streak = 0;
  evaluator->fresh = 0;
  evaluator->determinate_ms = now_ms;
}

static bool evaluate_open(ts__evaluator_t *evaluator, int64_t now_ms,
                          ts__change_t *change) {
  const ts__rule_t *rule = &evaluator->rule;
  int64_t open_ms = ts__rule_open_ms(rule, evaluator->failed_recoveries);
  if (now_ms - evaluator->since_ms < open_ms) {
    return false;
  }
  begin_ramp(evaluator, now_ms);
  change->window_ms = ts__rule_recovery_window_ms(rule);
  return go(evaluator, TS_BREAKER_HALF_OPEN, ts__rule_stage_rate(rule, 0),
            "cooldown_elapsed", now_ms, change);
}

static bool reopen(ts__evaluator_t *evaluator, const char *reason,
                   int64_t now_ms, ts__change_t *change) {
  evaluator->failed_recoveries++;
  return go(evaluator, TS_BREAKER_OPEN, 0.0, reason, now_ms, change);
}

/* One stage further, or closed. */
static bool advance(ts__evaluator_t *evaluator, int64_t now_ms,
                    ts__change_t *change) {
  const ts__rule_t *rule = &evaluator->rule;
  if (evaluator->stage < rule->ramp_steps) {
    evaluator->stage++;
    evaluator->fresh = 0;
    evaluator->allow_rate = ts__rule_stage_rate(rule, evaluator->stage);
    change->from = change->to = evaluator->state;
    return true;
  }
  if (!hold_is_over(evaluator, now_ms)) {
    return false;
  }
  evaluator->failed_recoveries = 0;
  return go(evaluator, TS_BREAKER_CLOSED, 1.0, "recovered", now_ms, change);
}

static bool without_evidence(ts__evaluator_t *evaluator, int64_t now_ms,
                             ts__change_t *change) {
  int64_t silent_ms = now_ms - evaluator->determinate_ms;
  switch (evaluator->rule.policy) {
  case TS_PLANE_POLICY_OPTIMISTIC:
    return advance(evaluator, now_ms, change);
  case TS_PLANE_POLICY_CONSERVATIVE:
    return false;
  case TS_PLANE_POLICY_PESSIMISTIC:
    /* Reopening at once would starve a breaker with little traffic. */
    return silent_ms >= ts__rule_confirmation_ms(&evaluator->rule) &&
           reopen(evaluator, "recovery_indeterminate", now_ms, change);
  }
  return false;
}

static bool evaluate_half_open(ts__evaluator_t *evaluator, int64_t now_ms,
                               ts__change_t *change) {
  ts__verdict_t verdict = judge(evaluator, now_ms, change);
  if (verdict == TS__INDETERMINATE) {
    return without_evidence(evaluator, now_ms, change);
  }
  evaluator->determinate_ms = now_ms;
  if (verdict == TS__UNHEALTHY) {
    return reopen(evaluator, "recovery_failed", now_ms, change);
  }
  return advance(evaluator, now_ms, change);
}

static void begin_evaluation(ts__evaluator_t *evaluator, int64_t now_ms,
                             ts__change_t *change) {
  *change = (ts__change_t){0};
  evaluator->last_eval_ms = now_ms;
  evaluator->has_evaluated = true;
  ts__points_expire(&evaluator->points,
                    now_ms - ts__rule_recovery_window_ms(&evaluator->rule));
}

bool ts__evaluator_ingested(ts__evaluator_t *evaluator, int64_t now_ms,
                            ts__change_t *change) {
  if (evaluator->forced || evaluator->state != TS_BREAKER_CLOSED) {
    return false;
  }
  begin_evaluation(evaluator, now_ms, change);
  return evaluate_closed(evaluator, now_ms, change);
}

/* The first moment after now that is a whole number of periods away. */
static void schedule_next(ts__evaluator_t *evaluator, int64_t now_ms) {
  int64_t interval = evaluator->rule.eval_interval_ms;
  if (now_ms >= evaluator->next_tick_ms) {
    int64_t missed = (now_ms - evaluator->next_tick_ms) / interval;
    evaluator->next_tick_ms += (missed + 1) * interval;
  } else if (evaluator->next_tick_ms - now_ms > interval) {
    /* The wall clock was set back. */
    evaluator->next_tick_ms = now_ms + interval;
  }
}

bool ts__evaluator_tick(ts__evaluator_t *evaluator, int64_t now_ms,
                        ts__change_t *change) {
  schedule_next(evaluator, now_ms);
  if (evaluator->forced) {
    return false;
  }
  begin_evaluation(evaluator, now_ms, change);
  switch (evaluator->state) {
  case TS_BREAKER_CLOSED:
    return evaluate_closed(evaluator, now_ms, change);
  case TS_BREAKER_OPEN:
    return evaluate_open(evaluator, now_ms, change);
  case TS_BREAKER_HALF_OPEN:
    return evaluate_half_open(evaluator, now_ms, change);
  case TS_BREAKER_UNKNOWN:
    break;
  }
  assert(false && "a breaker's state is one of three");
  return false;
}

bool ts__evaluator_force(ts__evaluator_t *evaluator, ts_breaker_state_t state,
                         double allow_rate, int64_t now_ms,
                         ts__change_t *change) {
  double rate = state == TS_BREAKER_CLOSED ? 1.0
                : state == TS_BREAKER_OPEN ? 0.0
                                           : allow_rate;
  *change = (ts__change_t){.window_ms = evaluator->rule.window_ms};
  evaluator->forced = true;
  if (state == TS_BREAKER_CLOSED) {
    evaluator->failed_recoveries = 0;
  }
  if (state != evaluator->state) {
    return go(evaluator, state, rate, "forced", now_ms, change);
  }
  bool moved = rate < evaluator->allow_rate || rate > evaluator->allow_rate;
  change->from = change->to = state;
  evaluator->allow_rate = rate;
  return moved;
}

bool ts__evaluator_release(ts__evaluator_t *evaluator, int64_t now_ms,
                           ts__change_t *change) {
  *change = (ts__change_t){.from = evaluator->state, .to = evaluator->state};
  if (!evaluator->forced) {
    return false;
  }
  evaluator->forced = false;
  if (evaluator->state != TS_BREAKER_HALF_OPEN) {
    return false;
  }
  double rate = ts__rule_stage_rate(&evaluator->rule, 0);
  bool moved = rate < evaluator->allow_rate || rate > evaluator->allow_rate;
  begin_ramp(evaluator, now_ms);
  evaluator->allow_rate = rate;
  return moved;
}
