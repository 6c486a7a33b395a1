/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling the world that a breaker has changed: first those who listen to the
 * stream, then the log of events, and the user last, who may do anything.
 */
#include "plane/keep.h"
#include "plane/names.h"
#include "plane/notices.h"
#include "plane/state_json.h"

void ts__plane_enter_callback(ts_plane_t *plane) { plane->calling++; }

void ts__plane_leave_callback(ts_plane_t *plane) {
  plane->calling--;
  if (plane->calling == 0) {
    TS__EACH_PROJECT(plane, i) {
      ts__project_sweep(ts__plane_project_at(plane, i));
    }
  }
}

static void push_state(ts__project_t *project, const char *name,
                       ts_breaker_state_t state, double allow_rate) {
  ts__streams_t *streams = &project->streams;
  ts__out_t out;
  ts__out_init(&out, project->mem);
  ts__state_write_message(&out, name, state, allow_rate);
  if (out.error) {
    /* Nobody may miss a change: whoever connects again hears of it. */
    ts__streams_end(streams);
  } else {
    ts__streams_push(streams, ts__out_str(&out));
  }
  ts__out_deinit(&out);
}

void ts__plane_push_state(ts__plane_breaker_t *breaker) {
  push_state(breaker->project, breaker->config.name, breaker->evaluator.state,
             breaker->evaluator.allow_rate);
}

void ts__plane_push_gone(ts__plane_breaker_t *breaker) {
  push_state(breaker->project, breaker->config.name, TS_BREAKER_CLOSED, 1.0);
}

static ts_plane_event_t event_of(const ts__plane_breaker_t *breaker,
                                 const ts__change_t *change, const char *id) {
  const ts__evaluator_t *evaluator = &breaker->evaluator;
  return (ts_plane_event_t){
      .breaker_id = breaker->item.id,
      .name = breaker->config.name,
      .from = change->from,
      .to = change->to,
      .reason = change->reason,
      .ts_ms = evaluator->since_ms,
      .transition_seq = evaluator->transition_seq,
      .allow_rate = evaluator->allow_rate,
      .kind = evaluator->rule.kind,
      .has_value = change->measure.has_value,
      .value = change->measure.value,
      .count = change->measure.count,
      .window_ms = change->window_ms,
      .truncated = change->truncated,
      .metric = breaker->config.metric,
      .op = evaluator->rule.op,
      .threshold = evaluator->rule.threshold,
      .last_failure_trace_id = breaker->failure_trace_id,
      .last_failure_tags = breaker->failure_tags.items,
      .last_failure_tag_count = breaker->failure_tags.count,
      .id = id,
      .project_id = breaker->project->item.id,
      .last_failure_ts_ms = breaker->failure_ts_ms,
      .percentile = evaluator->rule.percentile,
  };
}

/* False: it could not be, which is counted. */
static bool log_event(ts_plane_t *plane, ts__project_t *project,
                      const ts_plane_event_t *event) {
  const char *notice = ts__event_notice(event->from, event->to);
  ts__out_t out;
  ts__out_init(&out, &plane->mem);
  ts__event_write(&out, event);
  if (out.error) {
    project->events.lost++;
  } else {
    out.error = ts__plane_keep_event(plane, project, event, ts__out_str(&out));
    if (notice) {
      ts__notices_send(plane, project, notice, ts__out_str(&out));
    }
  }
  ts__out_deinit(&out);
  if (out.error) {
    plane->stats.events_lost++;
    TS__LOG(&plane->log, TS_LOG_ERROR, "an event is not logged: out of memory",
            {"breaker", event->name});
  }
  return !out.error;
}

static void announce_transition(ts_plane_t *plane, ts__plane_breaker_t *breaker,
                                const ts__change_t *change) {
  char id[TS__UUID_LEN + 1];
  ts__uuid(id, plane->env);
  ts_plane_event_t event = event_of(breaker, change, id);
  plane->stats.transitions++;
  TS__LOG(&plane->log, TS_LOG_INFO, "a breaker changed its state",
          {"breaker", event.name}, {"from", ts__plane_state_name(event.from)},
          {"to", ts__plane_state_name(event.to)}, {"reason", event.reason});
  (void)log_event(plane, breaker->project, &event);
  if (plane->on_transition) {
    ts__plane_enter_callback(plane);
    plane->on_transition(plane, &event);
    ts__plane_leave_callback(plane);
  }
}

void ts__plane_announce(ts_plane_t *plane, ts__plane_breaker_t *breaker,
                        const ts__change_t *change) {
  ts__plane_push_state(breaker);
  ts__plane_save_state(plane, breaker);
  if (change->is_transition) {
    announce_transition(plane, breaker, change);
  }
}
