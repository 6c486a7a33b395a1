/* SPDX-License-Identifier: Apache-2.0 */
#include "client/keep.h"

#include "client/call.h"

bool ts__room_pack(ts__room_t *room, ts__str_t under, const ts_tag_t *tags,
                   size_t count, ts__str_t *packed, uint32_t *packed_count) {
  const size_t most = (size_t)(room->back - room->front);
  *packed = (ts__str_t){room->front, 0};
  *packed_count = 0;
  if (under.len == 0 && count == 0) {
    return true;
  }
  packed->len =
      ts__tags_pack_over(under, tags, count, room->front, most, packed_count);
  room->front = room->back;
  return packed->len <= most;
}

/* ------------------------------------------------------------------ plans */

/* A metric without a name is none, and of two with one name the last wins. */
static bool is_kept(const ts_call_options_t *options, size_t i) {
  const char *name = options->metrics[i].name;
  for (size_t later = i + 1; later < options->metric_count; later++) {
    if (strcmp(name, options->metrics[later].name) == 0) {
      return false;
    }
  }
  return name[0] != '\0';
}

static bool copy_metrics(ts__plan_t *plan, const ts_call_options_t *options,
                         ts__room_t *room) {
  ts__call_metric_t *metrics =
      ts__room_take(room, options->metric_count * sizeof *metrics);
  plan->metrics = metrics;
  plan->metric_count = 0;
  for (size_t i = 0; metrics != NULL && i < options->metric_count; i++) {
    const ts_metric_t *from = &options->metrics[i];
    ts__call_metric_t *to = &metrics[plan->metric_count];
    if (!is_kept(options, i)) {
      continue;
    }
    if (!ts__room_copy(room, from->name, &to->name)) {
      return false;
    }
    to->value = from->value;
    to->callback = from->callback;
    to->kind = from->kind;
    plan->metric_count++;
  }
  return metrics != NULL;
}

static bool copy_ignored(ts__plan_t *plan, const ts_call_options_t *options,
                         ts__room_t *room) {
  const size_t size = options->ignore_error_count * sizeof(int);
  plan->ignore_count = options->ignore_error_count;
  if (size == 0) {
    return true;
  }
  int *errors = ts__room_take(room, size);
  if (errors != NULL) {
    memcpy(errors, options->ignore_errors, size);
  }
  plan->ignore_errors = errors;
  return errors != NULL;
}

bool ts__plan_copy(ts__plan_t *plan, const ts_call_options_t *options,
                   ts__room_t *room) {
  plan->deferred_metrics = options->deferred_metrics;
  plan->error_evaluator = options->error_evaluator;
  plan->report_cancelled = options->report_cancelled;
  return copy_metrics(plan, options, room) && copy_ignored(plan, options, room);
}

/* ------------------------------------------------------------------ calls */

/* What a guard owns is borrowed from it, and so holds it. */
static bool keep_plan(ts_call_t *call, const ts__ask_t *ask, ts__room_t *room) {
  if (ask->guard != NULL) {
    call->guard = ask->guard;
    call->guard->refs++;
    call->plan = &ask->guard->plan;
  } else {
    call->plan = &call->own_plan;
    if (!ts__plan_copy(&call->own_plan, ask->options, room)) {
      return false;
    }
  }
  call->values =
      ts__room_take(room, call->plan->metric_count * sizeof *call->values);
  return call->values != NULL;
}

static bool keep_texts(ts_call_t *call, const ts__ask_t *ask,
                       const ts__choice_t *choice, ts__room_t *room) {
  const ts_guard_t *guard = ask->guard;
  if (guard != NULL && guard->options.router == choice->router) {
    call->router = guard->router;
  } else if (!ts__room_copy(room, choice->router, &call->router)) {
    return false;
  }
  if (guard != NULL && guard->options.trace_id == ask->trace_id) {
    call->trace_id = guard->trace_id;
    return true;
  }
  return ts__room_copy(room, ask->trace_id, &call->trace_id);
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
  call->info->router = or_null(call->router);
  call->info->trace_id = or_null(call->trace_id);
  return keep_names(call->info, ask, room);
}

static bool keep_tags(ts_call_t *call, const ts__ask_t *ask, ts__room_t *room) {
  const ts_guard_t *guard = ask->guard;
  if (guard != NULL && ask->tag_count == 0) {
    call->tags = guard->tags;
    call->tag_count = guard->tag_count;
    return true;
  }
  return ts__room_pack(room, guard != NULL ? guard->tags : TS__STR_EMPTY,
                       ask->tags, ask->tag_count, &call->tags,
                       &call->tag_count);
}

bool ts__call_keep(ts_call_t *call, const ts__ask_t *ask,
                   const ts__choice_t *choice, const ts_call_info_t *info) {
  ts__room_t room = {(char *)call->data, (char *)call->data + call->room};
  return keep_plan(call, ask, &room) && keep_texts(call, ask, choice, &room) &&
         (info == NULL || keep_info(call, ask, info, &room)) &&
         (!call->reports || keep_tags(call, ask, &room));
}
