/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints of the dashboard, /plane/v1/...: what the service that we are
 * compatible with does not have. Whoever has the admin key may watch every
 * project and override its breakers; a project's key watches its project.
 */
#include <math.h>

#include "base/err.h"
#include "plane/api.h"
#include "plane/keep.h"
#include "plane/names.h"
#include "plane/state_json.h"

#define MAX_EVENTS 50u

/*
 * Projects
 */

static void write_project(ts__out_t *out, const ts__project_t *project) {
  ts__out_open(out, NULL, '{');
  ts__out_text(out, "project_id", project->item.id);
  ts__out_text(out, "name", project->config.name);
  ts__out_close(out, '}');
}

void ts__watch_projects(ts__ask_t *ask) {
  const ts_plane_t *plane = ask->plane;
  ts__out_t out;
  ts__out_init(&out, &plane->mem);
  ts__out_open(&out, NULL, '{');
  ts__out_bool(&out, "admin", !ask->key);
  ts__out_open(&out, "projects", '[');
  TS__EACH_PROJECT(plane, i) {
    const ts__project_t *project = ts__plane_project_at(plane, i);
    if (!ask->key || ask->key->project == project) {
      write_project(&out, project);
    }
  }
  ts__out_close(&out, ']');
  ts__out_close(&out, '}');
  ts__ask_answer_out(ask, 200, &out);
  ts__out_deinit(&out);
}

/*
 * Breakers
 */

/* What was not measured, or is no number of JSON's, is null. */
static void write_value(ts__out_t *out, const char *name, bool has_value,
                        double value) {
  if (has_value && isfinite(value)) {
    ts__out_double(out, name, value);
  } else {
    ts__out_json(out, name, NULL);
  }
}

static void write_rule(ts__out_t *out, const ts__plane_breaker_t *breaker) {
  const ts__rule_t *rule = &breaker->evaluator.rule;
  ts__out_text(out, "metric", breaker->config.metric);
  ts__out_text(out, "kind", ts__kind_name(rule->kind));
  if (rule->kind == TS_PLANE_KIND_PERCENTILE) {
    ts__out_double(out, "percentile", rule->percentile);
  }
  ts__out_text(out, "op", ts__op_name(rule->op));
  ts__out_double(out, "threshold", rule->threshold);
  ts__out_int(out, "window_ms", rule->window_ms);
}

/* An array of [time, value, state], oldest first. */
static void write_history(ts__out_t *out, const ts__history_t *history) {
  ts__out_open(out, "history", '[');
  for (size_t i = 0; i < history->count; i++) {
    const ts__moment_t *moment = ts__history_at(history, i);
    ts__out_open(out, NULL, '[');
    ts__out_int(out, NULL, moment->t_ms);
    write_value(out, NULL, moment->has_value, (double)moment->value);
    ts__out_text(out, NULL,
                 ts__plane_state_name((ts_breaker_state_t)moment->state));
    ts__out_close(out, ']');
  }
  ts__out_close(out, ']');
}

static void write_breaker(ts__out_t *out, const ts__plane_breaker_t *breaker,
                          bool with_history) {
  const ts__evaluator_t *evaluator = &breaker->evaluator;
  const ts__measure_t *measure = &breaker->history.measure;
  ts__out_open(out, NULL, '{');
  ts__out_text(out, "breaker_id", breaker->item.id);
  ts__out_text(out, "name", breaker->config.name);
  write_rule(out, breaker);
  ts__out_text(out, "state", ts__plane_state_name(evaluator->state));
  ts__out_double(out, "allow_rate", evaluator->allow_rate);
  ts__out_bool(out, "forced", evaluator->forced);
  ts__out_int(out, "since_ms", evaluator->since_ms);
  write_value(out, "value", measure->has_value, measure->value);
  ts__out_int(out, "count", (int64_t)measure->count);
  ts__out_int(out, "needed", (int64_t)ts__evaluator_need(evaluator));
  if (with_history) {
    write_history(out, &breaker->history);
  }
  ts__out_close(out, '}');
}

void ts__watch_breakers(ts__ask_t *ask) {
  const ts__table_t *breakers = &ask->project->breakers;
  char value[2];
  bool with_history = ts__ask_query(ask, "history", value, sizeof(value));
  ts__out_t out;
  ts__out_init(&out, &ask->plane->mem);
  ts__out_open(&out, NULL, '{');
  ts__out_text(&out, "project_id", ask->project->item.id);
  ts__out_int(&out, "now_ms", ts__plane_now_ms(ask->plane));
  ts__out_open(&out, "breakers", '[');
  for (size_t i = 0; i < breakers->count; i++) {
    write_breaker(&out, breakers->items[i], with_history);
  }
  ts__out_close(&out, ']');
  ts__out_close(&out, '}');
  ts__ask_answer_out(ask, 200, &out);
  ts__out_deinit(&out);
}

/* The newest, newest first. */
void ts__watch_events(ts__ask_t *ask) {
  const ts__events_t *events = &ask->project->events;
  const ts__event_t *event = NULL;
  ts__out_t out;
  ts__out_init(&out, &ask->plane->mem);
  ts__out_open(&out, NULL, '{');
  ts__out_open(&out, "events", '[');
  for (size_t i = 0; i < MAX_EVENTS && (event = ts__events_at(events, i));
       i++) {
    ts__out_json(&out, NULL, event->json.ptr);
  }
  ts__out_close(&out, ']');
  ts__out_close(&out, '}');
  ts__ask_answer_out(ask, 200, &out);
  ts__out_deinit(&out);
}

/*
 * Overrides
 */

typedef struct plan_s {
  ts__plane_breaker_t *breaker;
  ts_breaker_state_t state; /* TS_BREAKER_UNKNOWN: release it */
  double allow_rate;
} plan_t;

static void drop(ts_plane_t *plane, void *plan) { ts__free(&plane->mem, plan); }

static bool follow(const plan_t *plan, ts__evaluator_t *evaluator,
                   int64_t now_ms, ts__change_t *change) {
  return plan->state == TS_BREAKER_UNKNOWN
             ? ts__evaluator_release(evaluator, now_ms, change)
             : ts__evaluator_force(evaluator, plan->state, plan->allow_rate,
                                   now_ms, change);
}

static void apply(ts_plane_t *plane, void *arg) {
  const plan_t *plan = arg;
  int64_t now_ms = ts__plane_now_ms(plane);
  ts__change_t change;
  if (follow(plan, &plan->breaker->evaluator, now_ms, &change)) {
    ts__plane_announce(plane, plan->breaker, &change);
  }
}

/* As it will be; the samples, which it shares, are not touched. */
static void save_outcome(ts__edit_t *edit, const plan_t *plan) {
  int64_t now_ms = ts__plane_now_ms(edit->plane);
  ts__evaluator_t outcome = plan->breaker->evaluator;
  ts__change_t change;
  outcome.seen_ms = now_ms;
  (void)follow(plan, &outcome, now_ms, &change);
  ts__state_save(&edit->rows, plan->breaker, &outcome);
}

static void propose(ts__ask_t *ask, ts_breaker_state_t state,
                    double allow_rate) {
  ts__plane_breaker_t *breaker =
      ts__table_get(&ask->project->breaker_ids, ask->params[1]);
  if (!breaker) {
    ts__ask_not_found(ask);
    return;
  }
  plan_t *plan = ts__calloc(&ask->plane->mem, 1, sizeof(*plan));
  if (!plan) {
    ts__ask_no_memory(ask);
    return;
  }
  *plan = (plan_t){breaker, state, allow_rate};
  ask->edit->plan = plan;
  ask->edit->apply = apply;
  ask->edit->drop = drop;
  ask->edit->status = 204;
  save_outcome(ask->edit, plan);
}

static void refuse_member(ts__ask_t *ask, const char *field,
                          const char *message) {
  ts__fault_t fault;
  (void)ts__fault_set(&fault, NULL, field, message);
  ts__ask_refuse_fault(ask, &fault);
}

void ts__override_set(ts__ask_t *ask) {
  const ts__json_t *rate = ts__json_get(ask->body, "allow_rate");
  ts_breaker_state_t state = TS_BREAKER_UNKNOWN;
  double allow_rate = 0.0;
  ts__str_t name;
  if (!ts__json_string(ts__json_get(ask->body, "state"), &name) ||
      !ts__plane_state_by_name(name, &state)) {
    refuse_member(ask, "state", "state must be closed, open or half_open");
  } else if (state == TS_BREAKER_HALF_OPEN &&
             (!ts__json_number(rate, &allow_rate) ||
              !(allow_rate >= 0.0 && allow_rate <= 1.0))) {
    refuse_member(ask, "allow_rate",
                  "half_open takes an allow_rate from 0 to 1");
  } else {
    propose(ask, state, allow_rate);
  }
}

void ts__override_clear(ts__ask_t *ask) {
  propose(ask, TS_BREAKER_UNKNOWN, 0.0);
}
