/* SPDX-License-Identifier: Apache-2.0 */
#include "client/keep.h"

#include "client/call.h"

bool ts__room_pack(ts__room_t *room, const ts_tag_t *tags, size_t count,
                   ts__sample_t *sample) {
  const size_t most = (size_t)(room->back - room->front);
  const size_t len = ts__tags_pack_over(sample->tags, tags, count, room->front,
                                        most, &sample->tag_count);
  if (len > most) {
    return false;
  }
  sample->tags = (ts__str_t){room->front, len};
  sample->stem = TS__STR_EMPTY;
  room->front += len;
  return true;
}

bool ts__room_stem(ts__room_t *room, ts__sample_t *sample) {
  const size_t size = ts__stem_size(sample);
  if ((size_t)(room->back - room->front) < size) {
    return false;
  }
  room->back -= size;
  if (size > 0) {
    ts__stem_write(sample, room->back);
  }
  sample->stem = (ts__str_t){room->back, size};
  return true;
}

/* ------------------------------------------------------------------ plans */

static bool copy_metrics(ts__plan_t *plan, ts__room_t *room) {
  const size_t size = plan->metric_count * sizeof *plan->metrics;
  ts_metric_t *metrics = ts__room_take(room, size);
  if (metrics == NULL) {
    return false;
  }
  for (size_t i = 0; i < plan->metric_count; i++) {
    ts__str_t name;
    metrics[i] = plan->metrics[i];
    if (!ts__room_copy(room, metrics[i].name, &name)) {
      return false;
    }
    metrics[i].name = name.ptr;
  }
  plan->metrics = metrics;
  return true;
}

static bool copy_ignored(ts__plan_t *plan, ts__room_t *room) {
  const size_t size = plan->ignore_count * sizeof(int);
  if (size == 0) {
    return true;
  }
  int *errors = ts__room_take(room, size);
  if (errors == NULL) {
    return false;
  }
  plan->ignore_errors = memcpy(errors, plan->ignore_errors, size);
  return true;
}

bool ts__plan_copy(ts__plan_t *plan, const ts_call_options_t *options,
                   ts__room_t *room) {
  *plan = ts__plan_over(options);
  return copy_metrics(plan, room) && copy_ignored(plan, room);
}

/* ------------------------------------------------------------------ calls */

/* What a guard owns is borrowed from it, and so holds it. */
static bool keep_plan(ts_call_t *call, const ts__ask_t *ask, ts__room_t *room) {
  if (ask->guard != NULL) {
    call->guard = ask->guard;
    call->guard->refs++;
    call->subject.plan = &ask->guard->plan;
  } else {
    call->subject.plan = &call->own_plan;
    if (!ts__plan_copy(&call->own_plan, ask->options, room)) {
      return false;
    }
  }
  call->subject.values =
      ts__room_take(room, call->subject.plan->metric_count * sizeof(double));
  return call->subject.values != NULL;
}

/* What is its guard's stays as it is, and borrowed. */
static bool keep_sample(ts_call_t *call, const ts__ask_t *ask,
                        const ts__choice_t *choice, ts__room_t *room) {
  ts__sample_t *sample = &call->subject.sample;
  const ts_guard_t *guard = ask->guard;
  if (guard == NULL) {
    ts__sample_begin(sample);
    return ts__room_copy(room, choice->router, &sample->router) &&
           ts__room_copy(room, ask->trace_id, &sample->trace_id);
  }
  *sample = guard->sample;
  if (guard->options.router != choice->router) {
    sample->stem = TS__STR_EMPTY;
    if (!ts__room_copy(room, choice->router, &sample->router)) {
      return false;
    }
  }
  if (guard->options.trace_id != ask->trace_id) {
    sample->stem = TS__STR_EMPTY;
    return ts__room_copy(room, ask->trace_id, &sample->trace_id);
  }
  return true;
}

static bool keep_names(ts_call_info_t *info, const ts__ask_t *ask,
                       ts__room_t *room) {
  if (ask->guard != NULL && ask->guard->options.breakers == info->breakers) {
    return true;
  }
  const char **names = ts__room_take(room, info->breaker_count * sizeof *names);
  for (size_t i = 0; names != NULL && i < info->breaker_count; i++) {
    ts__str_t copy;
    if (!ts__room_copy(room, info->breakers[i], &copy)) {
      return false;
    }
    names[i] = copy.ptr;
  }
  info->breakers = names;
  return names != NULL;
}

static const char *or_null(ts__str_t text) {
  return text.len > 0 ? text.ptr : NULL;
}

static bool keep_info(ts_call_t *call, const ts__ask_t *ask,
                      const ts_call_info_t *info, ts__room_t *room) {
  call->info = ts__room_take(room, sizeof *call->info);
  if (call->info == NULL) {
    return false;
  }
  *call->info = *info;
  call->info->router = or_null(call->subject.sample.router);
  call->info->trace_id = or_null(call->subject.sample.trace_id);
  return keep_names(call->info, ask, room);
}

/* Not asked yet. */
static bool keep_locals(ts_call_t *call, const ts__ask_t *ask,
                        ts__room_t *room) {
  const size_t count = ask->options->local_breaker_count;
  call->holds = ts__room_take(room, count * sizeof *call->holds);
  for (size_t i = 0; call->holds != NULL && i < count; i++) {
    call->holds[i] = (ts__hold_t){.breaker = ask->options->local_breakers[i]};
  }
  return call->holds != NULL;
}

bool ts__call_keep(ts_call_t *call, const ts__ask_t *ask,
                   const ts__choice_t *choice, const ts_call_info_t *info) {
  ts__room_t room = {(char *)call->data, (char *)call->data + call->room};
  return keep_plan(call, ask, &room) && keep_sample(call, ask, choice, &room) &&
         (info == NULL || keep_info(call, ask, info, &room)) &&
         (ask->options->local_breaker_count == 0 ||
          keep_locals(call, ask, &room)) &&
         (ask->tag_count == 0 || !call->reports ||
          ts__room_pack(&room, ask->tags, ask->tag_count,
                        &call->subject.sample));
}
