/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_EVALUATOR_H
#define TS_PLANE_EVALUATOR_H

/*
 * One breaker's judgement: samples and `now` (Unix milliseconds) go in, changes
 * of state and allow rate come out. No I/O, no clock, and no memory but the
 * samples'.
 */

#include "plane/kind.h"

/* The rule and its numbers; ts__rule_check says whether they are in range. */
typedef struct ts__rule_s {
  ts_plane_kind_t kind;
  ts_plane_op_t op;
  double threshold;
  int64_t window_ms;
  int64_t min_count;
  int64_t min_state_duration_ms;
  int64_t cooldown_ms;
  int64_t eval_interval_ms;
  int64_t ramp_steps;
  bool backoff_enabled;
  int64_t backoff_cap_ms;
  ts_plane_policy_t policy;
  double percentile; /* for percentile: 0 < p <= 100 */
} ts__rule_t;

/* Least and most of its numbers. */
#define TS__WINDOW_RANGE 100, 86400000
#define TS__MIN_COUNT_RANGE 0, 1000000
#define TS__DURATION_RANGE 0, 86400000
#define TS__INTERVAL_RANGE 10, 3600000
#define TS__STEPS_RANGE 1, 100

/* NULL when good, else the name of the member that is out of range. */
const char *ts__rule_check(const ts__rule_t *rule);

/* Do these measure the same, whatever they make of it? */
bool ts__rule_is_alike(const ts__rule_t *a, const ts__rule_t *b);

/* Derived numbers. */
int64_t ts__rule_confirmation_ms(const ts__rule_t *rule);
int64_t ts__rule_recovery_window_ms(const ts__rule_t *rule);

/* Time in open after this many failed recoveries. */
int64_t ts__rule_open_ms(const ts__rule_t *rule, uint64_t failed_recoveries);

/* Samples needed for a verdict at this stage of half-open. */
uint64_t ts__rule_need(const ts__rule_t *rule, int64_t stage);

/* The allow rate of a stage, rounded to four decimals. */
double ts__rule_stage_rate(const ts__rule_t *rule, int64_t stage);

typedef enum ts__verdict_e {
  TS__INDETERMINATE,
  TS__HEALTHY,
  TS__UNHEALTHY
} ts__verdict_t;

typedef struct ts__evaluator_s {
  ts__rule_t rule;
  const ts__kind_t *kind;
  ts__points_t points;
  ts_breaker_state_t state;
  double allow_rate;
  int64_t seen_ms;  /* the last `now` there was */
  int64_t since_ms; /* when this state was entered */
  uint64_t transition_seq;
  int64_t last_eval_ms;
  int64_t next_tick_ms;
  ts__verdict_t verdict; /* the last one */
  uint64_t streak;       /* failures in a row, by arrival */
  int64_t floor_ms;      /* last entry into half-open; INT64_MIN: never */
  uint64_t failed_recoveries;
  bool has_evaluated;
  bool forced; /* the state is dictated: no evaluation */

  /* In half-open. */
  int64_t stage;
  uint64_t fresh;         /* samples that arrived since the stage began */
  int64_t determinate_ms; /* the entry, or the last verdict there was */
} ts__evaluator_t;

/* What an evaluation did; at most one change each. */
typedef struct ts__change_s {
  bool is_transition; /* false: only the allow rate moved */
  ts_breaker_state_t from;
  ts_breaker_state_t to;
  const char *reason;    /* static text; for transitions */
  ts__measure_t measure; /* the basis; none for cooldown_elapsed, forced and
                            config_changed */
  int64_t window_ms;     /* of the measurement */
  bool truncated;
} ts__change_t;

/* What outlives the samples. */
typedef struct ts__standing_s {
  ts_breaker_state_t state;
  double allow_rate;
  bool forced;
  int64_t since_ms;
  uint64_t transition_seq;
  uint64_t failed_recoveries;
  int64_t stage;
  int64_t floor_ms;
} ts__standing_t;

/* Begin, closed, with the first tick one interval from now. */
void ts__evaluator_init(ts__evaluator_t *evaluator, const ts__mem_t *mem,
                        const ts__rule_t *rule, int64_t now_ms);
void ts__evaluator_deinit(ts__evaluator_t *evaluator);

/* Go on, without samples, from where an earlier one was. */
void ts__evaluator_restore(ts__evaluator_t *evaluator,
                           const ts__standing_t *standing, int64_t now_ms);

/* Make sure that the next `samples` additions cannot fail. 0, TS__ENOMEM. */
int ts__evaluator_reserve(ts__evaluator_t *evaluator, size_t samples);

/* One sample, received now; there must be room, by reserve. A stamp in the
 * future counts as now. */
void ts__evaluator_add(ts__evaluator_t *evaluator, int64_t ts_ms, double value,
                       bool ok, int64_t now_ms);

/* After a batch that had samples for this breaker. True: *change tells. */
bool ts__evaluator_ingested(ts__evaluator_t *evaluator, int64_t now_ms,
                            ts__change_t *change);

/* At or after next_tick_ms. A late tick happens once, and the next one keeps
 * the phase. True: *change tells. */
bool ts__evaluator_tick(ts__evaluator_t *evaluator, int64_t now_ms,
                        ts__change_t *change);

/*
 * A new rule, checked. Another kind or percentile, or `resets` (another metric),
 * means that nothing known so far counts: samples and streak are forgotten, and
 * a breaker that is not closed closes, unless its state is dictated. Everything
 * else takes effect at the next evaluation; another interval starts the timer
 * anew. True: *change tells.
 */
bool ts__evaluator_change(ts__evaluator_t *evaluator, const ts__rule_t *rule,
                          bool resets, int64_t now_ms, ts__change_t *change);

/* Samples in view that a verdict takes now; 0: the kind asks for none. */
uint64_t ts__evaluator_need(const ts__evaluator_t *evaluator);

/* What would be measured now. */
ts__measure_t ts__evaluator_measure(ts__evaluator_t *evaluator, int64_t now_ms);

/* Dictate a state until release. True: *change tells. */
bool ts__evaluator_force(ts__evaluator_t *evaluator, ts_breaker_state_t state,
                         double allow_rate, int64_t now_ms,
                         ts__change_t *change);

/* Let evaluation go on; half-open begins its ramp anew. */
bool ts__evaluator_release(ts__evaluator_t *evaluator, int64_t now_ms,
                           ts__change_t *change);

#endif /* TS_PLANE_EVALUATOR_H */
