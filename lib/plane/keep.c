/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/keep.h"

#include "base/err.h"
#include "plane/names.h"

/*
 * States
 */

void ts__state_save(ts__rows_t *rows, const ts__plane_breaker_t *breaker,
                    const ts__evaluator_t *evaluator) {
  ts__out_t *out = ts__rows_begin(rows);
  ts__out_text(out, "state", ts__plane_state_name(evaluator->state));
  ts__out_double(out, "allow_rate", evaluator->allow_rate);
  ts__out_bool(out, "forced", evaluator->forced);
  ts__out_int(out, "since_ms", evaluator->since_ms);
  ts__out_int(out, "transition_seq", (int64_t)evaluator->transition_seq);
  ts__out_int(out, "failed_recoveries", (int64_t)evaluator->failed_recoveries);
  ts__out_int(out, "stage", evaluator->stage);
  if (evaluator->floor_ms != INT64_MIN) {
    ts__out_int(out, "floor_ms", evaluator->floor_ms);
  }
  ts__rows_end(rows, TS__ROW_STATE, breaker->item.id,
               breaker->project->item.id);
}

void ts__plane_save_state(ts_plane_t *plane,
                          const ts__plane_breaker_t *breaker) {
  ts__rows_t rows;
  ts__rows_init(&rows, plane);
  if (rows.is_kept) {
    ts__state_save(&rows, breaker, &breaker->evaluator);
    ts__rows_write_behind(&rows, plane);
  }
  ts__rows_deinit(&rows);
}

static bool get_bool(const ts__json_t *json, const char *name) {
  bool flag = false;
  (void)ts__json_bool(ts__json_get(json, name), &flag);
  return flag;
}

/* A member that is missing counts as this. */
static int64_t get_int(const ts__json_t *json, const char *name,
                       int64_t otherwise) {
  (void)ts__json_integer(ts__json_get(json, name), &otherwise);
  return otherwise;
}

int ts__state_restore(ts_plane_t *plane, ts__project_t *project,
                      const ts__row_t *row, const ts__json_t *json) {
  ts__plane_breaker_t *breaker = ts__table_get(&project->breaker_ids, row->id);
  ts__standing_t standing = {
      .forced = get_bool(json, "forced"),
      .since_ms = get_int(json, "since_ms", 0),
      .transition_seq = (uint64_t)get_int(json, "transition_seq", 0),
      .failed_recoveries = (uint64_t)get_int(json, "failed_recoveries", 0),
      .stage = get_int(json, "stage", 0),
      .floor_ms = get_int(json, "floor_ms", INT64_MIN)};
  ts__str_t state;
  if (!breaker) {
    return 0; /* it is gone: this was written behind its removal */
  }
  if (!ts__json_string(ts__json_get(json, "state"), &state) ||
      !ts__plane_state_by_name(state, &standing.state) ||
      !ts__json_number(ts__json_get(json, "allow_rate"),
                       &standing.allow_rate) ||
      !(standing.allow_rate >= 0.0 && standing.allow_rate <= 1.0)) {
    return TS_EPARSE;
  }
  ts__evaluator_restore(&breaker->evaluator, &standing,
                        ts__plane_now_ms(plane));
  return 0;
}

/*
 * Events
 */

static void on_drop(void *arg, const ts__event_t *event) {
  ts_plane_t *plane = arg;
  ts__rows_t rows;
  ts__rows_init(&rows, plane);
  ts__rows_put(&rows, TS__ROW_EVENT, event->id, NULL, (ts__str_t){NULL, 0});
  ts__rows_write_behind(&rows, plane);
  ts__rows_deinit(&rows);
}

int ts__plane_keep_event(ts_plane_t *plane, ts__project_t *project,
                         const ts_plane_event_t *event, ts__str_t json) {
  ts__rows_t rows;
  project->events.on_drop = plane->store ? on_drop : NULL;
  project->events.arg = plane;
  int r = ts__events_add(&project->events, ts__str(event->id),
                         ts__str(event->breaker_id), event->ts_ms, json);
  if (r || !plane->store) {
    return r;
  }
  ts__rows_init(&rows, plane);
  ts__rows_put(&rows, TS__ROW_EVENT, ts__str(event->id), project->item.id,
               json);
  ts__rows_write_behind(&rows, plane);
  ts__rows_deinit(&rows);
  return 0;
}

int ts__event_restore(ts_plane_t *plane, ts__project_t *project,
                      const ts__row_t *row, const ts__json_t *json) {
  (void)plane;
  (void)json;
  return ts__events_load(&project->events, row->json);
}
