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
 *
 * The samples that are kept are exactly those in view: what has left it, what
 * is from before the floor, and what comes too late for it, is forgotten.
 *
 * Times are the wall clock's. If it is set back, what would lie in the future
 * is taken to be of now: otherwise a floor, a cooldown or a sample would last
 * until the clock has caught up.
 */
#include "plane/evaluator.h"

#include <assert.h>
#include <math.h>

static bool in_range(int64_t value, int64_t least, int64_t most) {
  return value >= least && value <= most;
}

static bool op_is_valid(ts_plane_op_t op) {
  return in_range((int)op, TS_PLANE_OP_GT, TS_PLANE_OP_LTE);
}

static bool percentile_is_valid(const ts__rule_t *rule) {
  return rule->kind != TS_PLANE_KIND_PERCENTILE ||
         (rule->percentile > 0.0 && rule->percentile <= 100.0);
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
      {percentile_is_valid(rule), "kind_params.percentile"},
      {op_is_valid(rule->op), "op"},
      {isfinite(rule->threshold), "threshold"},
      {in_range(rule->window_ms, TS__WINDOW_RANGE), "window_ms"},
      {in_range(rule->min_count, TS__MIN_COUNT_RANGE), "min_count"},
      {in_range(rule->min_state_duration_ms, TS__DURATION_RANGE),
       "min_state_duration_ms"},
      {in_range(rule->cooldown_ms, TS__DURATION_RANGE), "cooldown_ms"},
      {in_range(rule->eval_interval_ms, TS__INTERVAL_RANGE),
       "eval_interval_ms"},
      {in_range(rule->ramp_steps, TS__STEPS_RANGE),
       "recovery_allow_rate_ramp_steps"},
      {in_range(rule->backoff_cap_ms, TS__DURATION_RANGE),
       "half_open_backoff_cap_ms"},
      {policy_is_valid(rule->policy), "half_open_indeterminate_policy"},
  };
  for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
    if (!checks[i].good) {
      return checks[i].name;
    }
  }
  return NULL;
}

static bool differ(double a, double b) { return a < b || a > b; }

bool ts__rule_is_alike(const ts__rule_t *a, const ts__rule_t *b) {
  return a->kind == b->kind && (a->kind != TS_PLANE_KIND_PERCENTILE ||
                                !differ(a->percentile, b->percentile));
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

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

void ts__evaluator_init(ts__evaluator_t *evaluator, const ts__mem_t *mem,
                        const ts__rule_t *rule, int64_t now_ms) {
  assert(!ts__rule_check(rule));
  *evaluator =
      (ts__evaluator_t){.rule = *rule,
                        .kind = ts__kind_find(rule->kind),
                        .state = TS_BREAKER_CLOSED,
                        .allow_rate = 1.0,
                        .seen_ms = now_ms,
                        .since_ms = now_ms,
                        .next_tick_ms = now_ms + rule->eval_interval_ms,
                        .verdict = TS__INDETERMINATE,
                        .floor_ms = INT64_MIN};
  ts__points_init(&evaluator->points, mem);
  ts__points_watch(&evaluator->points, rule->op, rule->threshold);
}

void ts__evaluator_restore(ts__evaluator_t *evaluator,
                           const ts__standing_t *standing, int64_t now_ms) {
  int64_t last_stage = evaluator->rule.ramp_steps;
  bool is_in_ramp =
      standing->state == TS_BREAKER_HALF_OPEN && !standing->forced;
  evaluator->state = standing->state;
  evaluator->allow_rate = standing->allow_rate;
  evaluator->forced = standing->forced;
  evaluator->since_ms = smaller(standing->since_ms, now_ms);
  evaluator->transition_seq = standing->transition_seq;
  evaluator->failed_recoveries = standing->failed_recoveries;
  evaluator->floor_ms = smaller(standing->floor_ms, now_ms);
  evaluator->determinate_ms = now_ms; /* nobody could report meanwhile */
  if (is_in_ramp) {
    evaluator->stage = smaller(larger(standing->stage, 0), last_stage);
    evaluator->allow_rate =
        ts__rule_stage_rate(&evaluator->rule, evaluator->stage);
  }
}

void ts__evaluator_deinit(ts__evaluator_t *evaluator) {
  ts__points_deinit(&evaluator->points);
}

int ts__evaluator_reserve(ts__evaluator_t *evaluator, size_t samples) {
  return ts__points_reserve(&evaluator->points, samples);
}

static bool has_evidence(const ts__evaluator_t *evaluator,
                         ts__evidence_t evidence) {
  return evaluator->kind->evidence == evidence;
}

/* Width of the view. A budget is one over the plain window at all times. */
static int64_t view_ms(const ts__evaluator_t *evaluator) {
  return evaluator->state == TS_BREAKER_HALF_OPEN &&
                 !has_evidence(evaluator, TS__EVIDENCE_BUDGET)
             ? ts__rule_recovery_window_ms(&evaluator->rule)
             : evaluator->rule.window_ms;
}

/* The newest time that is out of view. */
static int64_t view_edge(const ts__evaluator_t *evaluator, int64_t now_ms) {
  int64_t edge_ms = now_ms - view_ms(evaluator);
  if (has_evidence(evaluator, TS__EVIDENCE_BUDGET) ||
      evaluator->floor_ms == INT64_MIN) {
    return edge_ms;
  }
  return larger(edge_ms, evaluator->floor_ms - 1);
}

/* See what time it is. */
static void look_at_clock(ts__evaluator_t *evaluator, int64_t now_ms) {
  if (now_ms < evaluator->seen_ms) {
    ts__points_expire(&evaluator->points,
                      view_edge(evaluator, evaluator->seen_ms));
    ts__points_clamp(&evaluator->points, now_ms);
    evaluator->since_ms = smaller(evaluator->since_ms, now_ms);
    evaluator->floor_ms = smaller(evaluator->floor_ms, now_ms);
    evaluator->determinate_ms = smaller(evaluator->determinate_ms, now_ms);
  }
  evaluator->seen_ms = now_ms;
}

void ts__evaluator_add(ts__evaluator_t *evaluator, int64_t ts_ms, double value,
                       bool ok, int64_t now_ms) {
  look_at_clock(evaluator, now_ms);
  int64_t t_ms = smaller(ts_ms, now_ms);
  int64_t edge_ms = view_edge(evaluator, now_ms);
  bool is_before_floor = t_ms < evaluator->floor_ms;
  bool is_in_view = t_ms > edge_ms;
  if (!is_before_floor) {
    evaluator->streak = ok ? 0 : evaluator->streak + 1;
  }
  if (is_in_view) {
    ts__points_expire(&evaluator->points, edge_ms);
    ts__points_add(&evaluator->points, t_ms, value, ok);
  }
  if (!is_before_floor &&
      (is_in_view || has_evidence(evaluator, TS__EVIDENCE_STREAK))) {
    evaluator->fresh++;
  }
}

/* Forget what has left the view, and say what is in it. */
static ts__view_t look(ts__evaluator_t *evaluator, int64_t now_ms) {
  const ts__rule_t *rule = &evaluator->rule;
  ts__points_expire(&evaluator->points, view_edge(evaluator, now_ms));
  return (ts__view_t){.points = &evaluator->points,
                      .streak = evaluator->streak,
                      .recent_ms = now_ms - rule->window_ms / 4,
                      .percentile = rule->percentile};
}

ts__measure_t ts__evaluator_measure(ts__evaluator_t *evaluator,
                                    int64_t now_ms) {
  look_at_clock(evaluator, now_ms);
  ts__view_t view = look(evaluator, now_ms);
  return ts__kind_measure(evaluator->kind, &view);
}

/* Samples that the statistic kinds need. */
static uint64_t samples_needed(const ts__evaluator_t *evaluator) {
  return evaluator->state == TS_BREAKER_HALF_OPEN
             ? ts__rule_need(&evaluator->rule, evaluator->stage)
             : (uint64_t)larger(evaluator->rule.min_count, 1);
}

uint64_t ts__evaluator_need(const ts__evaluator_t *evaluator) {
  return has_evidence(evaluator, TS__EVIDENCE_SAMPLES)
             ? samples_needed(evaluator)
             : 0;
}

static bool has_enough(const ts__evaluator_t *evaluator) {
  bool is_fresh =
      evaluator->state != TS_BREAKER_HALF_OPEN || evaluator->fresh > 0;
  switch (evaluator->kind->evidence) {
  case TS__EVIDENCE_BUDGET:
    return true;
  case TS__EVIDENCE_STREAK:
    return is_fresh;
  case TS__EVIDENCE_SAMPLES:
    return is_fresh && evaluator->points.count >= samples_needed(evaluator);
  }
  return false;
}

/* Remember the verdict, and return it. */
static ts__verdict_t judge(ts__evaluator_t *evaluator, int64_t now_ms) {
  ts__view_t view = look(evaluator, now_ms);
  bool is_unhealthy = false;
  evaluator->verdict = TS__INDETERMINATE;
  if (!has_enough(evaluator) ||
      !ts__kind_judge(evaluator->kind, &view, &is_unhealthy)) {
    return evaluator->verdict;
  }
  if (evaluator->state == TS_BREAKER_HALF_OPEN &&
      has_evidence(evaluator, TS__EVIDENCE_STREAK)) {
    /* Half-open waits for a success; one failure as the latest is an answer,
     * however many it takes to trip. */
    is_unhealthy = evaluator->streak >= 1;
  }
  evaluator->verdict = is_unhealthy ? TS__UNHEALTHY : TS__HEALTHY;
  return evaluator->verdict;
}

/* What the change that follows is based on. */
static void state_grounds(ts__evaluator_t *evaluator, int64_t now_ms,
                          ts__change_t *change) {
  change->measure = ts__evaluator_measure(evaluator, now_ms);
  change->window_ms = view_ms(evaluator);
  change->truncated = evaluator->points.lost_ms > view_edge(evaluator, now_ms);
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
  if (judge(evaluator, now_ms) != TS__UNHEALTHY ||
      !hold_is_over(evaluator, now_ms)) {
    return false;
  }
  state_grounds(evaluator, now_ms, change);
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
  state_grounds(evaluator, now_ms, change);
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
  state_grounds(evaluator, now_ms, change);
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
  ts__verdict_t verdict = judge(evaluator, now_ms);
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
  look_at_clock(evaluator, now_ms);
  evaluator->last_eval_ms = now_ms;
  evaluator->has_evaluated = true;
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
  ts__points_expire(&evaluator->points, view_edge(evaluator, now_ms));
  ts__points_trim(&evaluator->points);
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

/* Nothing that was known is about what the rule is about now. */
static bool begin_anew(ts__evaluator_t *evaluator, int64_t now_ms,
                       ts__change_t *change) {
  ts__points_clear(&evaluator->points);
  evaluator->streak = 0;
  evaluator->fresh = 0;
  evaluator->floor_ms = INT64_MIN;
  evaluator->failed_recoveries = 0;
  evaluator->verdict = TS__INDETERMINATE;
  if (evaluator->forced || evaluator->state == TS_BREAKER_CLOSED) {
    return false;
  }
  change->window_ms = evaluator->rule.window_ms;
  return go(evaluator, TS_BREAKER_CLOSED, 1.0, "config_changed", now_ms,
            change);
}

/* There may be fewer stages now, or their rates have moved. */
static bool settle_ramp(ts__evaluator_t *evaluator) {
  const ts__rule_t *rule = &evaluator->rule;
  if (evaluator->state != TS_BREAKER_HALF_OPEN || evaluator->forced) {
    return false;
  }
  evaluator->stage = smaller(evaluator->stage, rule->ramp_steps);
  double rate = ts__rule_stage_rate(rule, evaluator->stage);
  bool moved = differ(rate, evaluator->allow_rate);
  evaluator->allow_rate = rate;
  return moved;
}

bool ts__evaluator_change(ts__evaluator_t *evaluator, const ts__rule_t *rule,
                          bool resets, int64_t now_ms, ts__change_t *change) {
  ts__rule_t old = evaluator->rule;
  assert(!ts__rule_check(rule));
  *change = (ts__change_t){.from = evaluator->state, .to = evaluator->state};
  look_at_clock(evaluator, now_ms);
  evaluator->rule = *rule;
  evaluator->kind = ts__kind_find(rule->kind);
  if (rule->eval_interval_ms != old.eval_interval_ms) {
    evaluator->next_tick_ms = now_ms + rule->eval_interval_ms;
  }
  if (rule->op != old.op || differ(rule->threshold, old.threshold)) {
    ts__points_watch(&evaluator->points, rule->op, rule->threshold);
  }
  if (resets || !ts__rule_is_alike(rule, &old)) {
    return begin_anew(evaluator, now_ms, change);
  }
  return settle_ramp(evaluator);
}

bool ts__evaluator_force(ts__evaluator_t *evaluator, ts_breaker_state_t state,
                         double allow_rate, int64_t now_ms,
                         ts__change_t *change) {
  double rate = state == TS_BREAKER_CLOSED ? 1.0
                : state == TS_BREAKER_OPEN ? 0.0
                                           : allow_rate;
  *change = (ts__change_t){.window_ms = evaluator->rule.window_ms};
  look_at_clock(evaluator, now_ms);
  evaluator->forced = true;
  if (state == TS_BREAKER_CLOSED) {
    evaluator->failed_recoveries = 0;
  }
  if (state != evaluator->state) {
    return go(evaluator, state, rate, "forced", now_ms, change);
  }
  bool moved = differ(rate, evaluator->allow_rate);
  change->from = change->to = state;
  evaluator->allow_rate = rate;
  return moved;
}

bool ts__evaluator_release(ts__evaluator_t *evaluator, int64_t now_ms,
                           ts__change_t *change) {
  *change = (ts__change_t){.from = evaluator->state, .to = evaluator->state};
  look_at_clock(evaluator, now_ms);
  if (!evaluator->forced) {
    return false;
  }
  evaluator->forced = false;
  if (evaluator->state != TS_BREAKER_HALF_OPEN) {
    return false;
  }
  double rate = ts__rule_stage_rate(&evaluator->rule, 0);
  bool moved = differ(rate, evaluator->allow_rate);
  begin_ramp(evaluator, now_ms);
  evaluator->allow_rate = rate;
  return moved;
}
