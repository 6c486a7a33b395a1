/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/state_json.h"

#include "plane/names.h"

void ts__state_write(ts__out_t *out, const ts__plane_breaker_t *breaker) {
  const ts__evaluator_t *evaluator = &breaker->evaluator;
  ts__out_open(out, NULL, '{');
  ts__out_text(out, "breaker_id", breaker->item.id);
  ts__out_text(out, "name", breaker->config.name);
  ts__out_text(out, "state", ts__plane_state_name(evaluator->state));
  ts__out_double(out, "allow_rate", evaluator->allow_rate);
  ts__out_time(out, "updated_at", evaluator->since_ms);
  ts__out_int(out, "state_since_ms", evaluator->since_ms);
  if (evaluator->has_evaluated) {
    ts__out_int(out, "last_eval_ms", evaluator->last_eval_ms);
  } else {
    ts__out_json(out, "last_eval_ms", NULL);
  }
  ts__out_int(out, "next_eval_ms", evaluator->next_tick_ms);
  ts__out_bool(out, "indeterminate", evaluator->verdict == TS__INDETERMINATE);
  ts__out_close(out, '}');
}

void ts__status_write(ts__out_t *out, const ts__project_t *project,
                      bool with_times) {
  int64_t counts[TS_BREAKER_HALF_OPEN + 1] = {0};
  int64_t last_eval_ms = INT64_MIN;
  for (size_t i = 0; i < project->breakers.count; i++) {
    const ts__plane_breaker_t *breaker = project->breakers.items[i];
    const ts__evaluator_t *evaluator = &breaker->evaluator;
    counts[evaluator->state]++;
    if (evaluator->has_evaluated && evaluator->last_eval_ms > last_eval_ms) {
      last_eval_ms = evaluator->last_eval_ms;
    }
  }
  ts__out_open(out, NULL, '{');
  ts__out_int(out, "open_count", counts[TS_BREAKER_OPEN]);
  ts__out_int(out, "closed_count", counts[TS_BREAKER_CLOSED]);
  ts__out_int(out, "half_open_count", counts[TS_BREAKER_HALF_OPEN]);
  if (with_times && last_eval_ms != INT64_MIN) {
    ts__out_int(out, "last_eval_ms", last_eval_ms);
  }
  ts__out_close(out, '}');
}

static void put(ts__out_t *out, ts__str_t bytes) {
  if (!out->error) {
    out->error = ts__buf_append(&out->buf, bytes);
  }
}

void ts__state_write_message(ts__out_t *out, const char *name,
                             ts_breaker_state_t state, double allow_rate) {
  put(out, TS__STR("event: state\ndata: {"));
  ts__out_text(out, "breaker", name);
  ts__out_text(out, "state", ts__plane_state_name(state));
  ts__out_double(out, "allow_rate", allow_rate);
  put(out, TS__STR("}\n\n"));
}

void ts__state_write_snapshot(ts__out_t *out, const ts__project_t *project) {
  const ts__table_t *breakers = &project->breakers;
  for (size_t i = 0; i < breakers->count; i++) {
    const ts__plane_breaker_t *breaker = breakers->items[i];
    ts__state_write_message(out, breaker->config.name, breaker->evaluator.state,
                            breaker->evaluator.allow_rate);
  }
  put(out, TS__STR(": snapshot "));
  if (!out->error) {
    out->error = ts__buf_printf(&out->buf, "%zu\n\n", breakers->count);
  }
}
