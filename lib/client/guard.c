/* SPDX-License-Identifier: Apache-2.0 */
#include "tripswitch/guard.h"

#include "base/err.h"
#include "base/sized.h"
#include "client/call.h"
#include "core/tags.h"

/*
 * Happy path: new copies the options into one piece of memory, names, metrics
 * and tags already in the form that calls need (keep.h); each call borrows them. The
 * entries of the breakers are found at the first call, and again when entries
 * of the state cache came or went.
 *
 * Failure modes: those of the options, at new.
 *
 * A guard lives as long as its owner wants it or a call borrows from it. When
 * the client goes, its guards are told, and refuse further calls.
 */

/* -------------------------------------------------------------- compiling */

/* Room of most guards. */
#define USUAL_ROOM 512u

static bool copy_names(ts_guard_t *guard, const ts_call_options_t *options,
                       ts__room_t *room) {
  const size_t count = options->breaker_count;
  const char **names = ts__room_take(room, count * sizeof *names);
  guard->entries = ts__room_take(room, count * sizeof *guard->entries);
  if (names == NULL || guard->entries == NULL) {
    return false;
  }
  for (size_t i = 0; i < count; i++) {
    ts__str_t copy;
    if (!ts__room_copy(room, options->breakers[i], &copy)) {
      return false;
    }
    names[i] = copy.ptr;
  }
  guard->options.breakers = names;
  return true;
}

static bool copy_locals(ts_guard_t *guard, const ts_call_options_t *options,
                        ts__room_t *room) {
  const size_t size =
      options->local_breaker_count * sizeof *options->local_breakers;
  void *copy = size > 0 ? ts__room_take(room, size) : NULL;
  if (copy != NULL) {
    guard->options.local_breakers = memcpy(copy, options->local_breakers, size);
  }
  return copy != NULL || size == 0;
}

static bool copy_sample(ts_guard_t *guard, const ts_call_options_t *options,
                        ts__room_t *room) {
  ts__sample_t *sample = &guard->sample;
  *sample = (ts__sample_t){.ok = false};
  if (!ts__room_copy(room, options->router, &sample->router) ||
      !ts__room_copy(room, options->trace_id, &sample->trace_id) ||
      !ts__room_pack(room, options->tags, options->tag_count, sample)) {
    return false;
  }
  return ts__room_stem(room, sample);
}

static bool copy_options(ts_guard_t *guard, const ts_call_options_t *options,
                         size_t size) {
  ts__room_t room = {(char *)guard->data, (char *)guard->data + size};
  guard->options = *options;
  guard->options.metrics = NULL;
  guard->options.ignore_errors = NULL;
  guard->options.tags = NULL;
  if (!copy_names(guard, options, &room) ||
      !copy_locals(guard, options, &room) ||
      !ts__plan_copy(&guard->plan, options, &room) ||
      !copy_sample(guard, options, &room)) {
    return false;
  }
  guard->options.router =
      options->router != NULL ? guard->sample.router.ptr : NULL;
  guard->options.trace_id =
      options->trace_id != NULL ? guard->sample.trace_id.ptr : NULL;
  return true;
}

/* NULL when out of memory. */
static ts_guard_t *make(ts_client_t *client, const ts_call_options_t *options) {
  for (size_t room = USUAL_ROOM;; room *= 2) {
    ts_guard_t *guard = ts__malloc(&client->mem, sizeof *guard + room);
    if (guard == NULL || copy_options(guard, options, room)) {
      return guard;
    }
    ts__free(&client->mem, guard);
  }
}

/* It reports, and has nothing that calls for an object, extras aside. */
static bool is_plain(const ts_guard_t *guard) {
  const ts_call_options_t *options = &guard->options;
  return !ts__choice_has_selector(options) && !ts__is_blank(options->router) &&
         options->local_breaker_count == 0 && options->fallback == NULL &&
         options->timeout_ms == 0 && guard->plan.metric_count > 0 &&
         guard->plan.metric_count <= TS__FEW_METRICS;
}

static int check(const ts_call_options_t *options) {
  if (options->cancelled != NULL || options->rejection != NULL) {
    return TS__EINVAL;
  }
  if (ts__choice_conflicts(options)) {
    return TS_ECONFLICT;
  }
  for (size_t i = 0; i < options->breaker_count; i++) {
    if (options->breakers[i] == NULL) {
      return TS__EINVAL;
    }
  }
  return 0;
}

int ts_guard_new(ts_guard_t **guard, ts_client_t *client,
                 const ts_call_options_t *options) {
  ts_call_options_t ours;
  if (guard == NULL) {
    return TS__EINVAL;
  }
  *guard = NULL;
  int error = client != NULL ? ts__client_check(client) : TS__EINVAL;
  if (error == 0) {
    error = ts__call_read_options(&ours, &options);
  }
  if (error == 0) {
    error = check(options);
  }
  if (error != 0) {
    return error;
  }
  ts_guard_t *made = make(client, options);
  if (made == NULL) {
    return TS__ENOMEM;
  }
  made->client = client;
  made->mem = client->mem;
  made->refs = 1;
  made->entry_count = options->breaker_count;
  made->changes = UINT64_MAX; /* nothing was found yet */
  made->closed_at = UINT64_MAX;
  made->is_plain = is_plain(made);
  ts__locals_ref(options->local_breakers, options->local_breaker_count);
  ts__list_push(&client->guards, &made->node);
  ts__tags_log_skipped(&client->log, options->tags, options->tag_count);
  *guard = made;
  return 0;
}

/* ---------------------------------------------------------------- lifetime */

void ts__guard_destroy(ts_guard_t *guard) {
  const ts__mem_t mem = guard->mem;
  ts__locals_unref(guard->options.local_breakers,
                   guard->options.local_breaker_count);
  ts__list_remove(&guard->node);
  ts__free(&mem, guard);
}

void ts_guard_free(ts_guard_t *guard) {
  if (guard != NULL) {
    ts__guard_unref(guard);
  }
}

void ts__client_forget_guards(ts_client_t *client) {
  ts__list_t *node = NULL;
  while ((node = ts__list_pop(&client->guards)) != NULL) {
    TS__CONTAINER(node, ts_guard_t, node)->client = NULL;
  }
}

/* ------------------------------------------------------------------- gating */

static void find_entries(ts_client_t *client, ts_guard_t *guard) {
  for (size_t i = 0; i < guard->entry_count; i++) {
    guard->entries[i] = ts__breakers_find(&client->breakers,
                                          ts__str(guard->options.breakers[i]));
  }
  guard->changes = client->breakers.changes;
}

static bool are_all_closed(const ts_guard_t *guard) {
  for (size_t i = 0; i < guard->entry_count; i++) {
    if (!ts__breaker_is_closed(guard->entries[i])) {
      return false;
    }
  }
  return true;
}

int ts__guard_weigh(ts_client_t *client, ts_guard_t *guard,
                    ts_rejection_t *rejection) {
  if (guard->changes != client->breakers.changes) {
    find_entries(client, guard);
  }
  guard->closed_at =
      are_all_closed(guard) ? client->breakers.version : UINT64_MAX;
  return ts__client_gate_entries(client, guard->entries,
                                 guard->options.breakers, guard->entry_count,
                                 rejection);
}

/* Without the router's selector, which has no part in it. The other one may
 * free the guard, so it is held. */
static int gate_selected(ts_client_t *client, ts_guard_t *guard, void *context,
                         ts_rejection_t *rejection) {
  ts_call_options_t options = guard->options;
  ts_selection_t selection;
  ts__choice_t choice;
  guard->refs++;
  options.select_router = NULL;
  ts__selection_init(&selection, &client->mem);
  int error =
      ts__choose(client, &options, context, &selection, &choice, rejection);
  if (error == 0) {
    error = ts__client_gate(client, choice.breakers, choice.breaker_count,
                            rejection);
  }
  ts__selection_deinit(&selection);
  ts__guard_unref(guard);
  return error;
}

static int check_client(const ts_guard_t *guard) {
  if (guard == NULL) {
    return TS__EINVAL;
  }
  return guard->client != NULL ? ts__client_check(guard->client) : TS_ECLOSED;
}

int ts_guard_allow(ts_guard_t *guard, void *context,
                   ts_rejection_t *rejection) {
  ts_rejection_t details = {TS_REASON_NONE, NULL, 0.0};
  int error = check_client(guard);
  if (error != 0) {
    return error;
  }
  error = guard->options.select_breakers == NULL
              ? ts__guard_gate(guard->client, guard, &details)
              : gate_selected(guard->client, guard, context, &details);
  if (rejection != NULL) {
    *rejection = details;
  }
  return error;
}

/* ------------------------------------------------------------------ calling */

static int add_extras(ts__ask_t *ask, const ts_call_extras_t *extras) {
  ts_call_extras_t ours;
  const int error = ts__sized_copy(&ours, sizeof ours, sizeof ours, extras);
  if (error != 0) {
    return error;
  }
  if (!ts__tags_are_valid(ours.tags, ours.tag_count)) {
    return TS__EINVAL;
  }
  if (!ts__is_blank(ours.trace_id)) {
    ask->trace_id = ours.trace_id;
  }
  ask->tags = ours.tags;
  ask->tag_count = ours.tag_count;
  ask->cancelled = ours.cancelled;
  ask->rejection = ours.rejection;
  return 0;
}

static int make_ask(ts__ask_t *ask, ts_guard_t *guard,
                    const ts_call_extras_t *extras, ts_done_cb done,
                    void *context) {
  const int error = check_client(guard);
  if (error != 0) {
    return error;
  }
  *ask = (ts__ask_t){.options = &guard->options,
                     .guard = guard,
                     .trace_id = guard->options.trace_id,
                     .done = done,
                     .context = context};
  return extras != NULL ? add_extras(ask, extras) : 0;
}

/* What is asked inside the call may free the guard, so it is held. */
int ts_guard_execute_async(ts_guard_t *guard, const ts_call_extras_t *extras,
                           ts_task_cb task, ts_done_cb done, void *context) {
  ts__ask_t ask;
  if (task == NULL) {
    return TS__EINVAL;
  }
  int error = make_ask(&ask, guard, extras, done, context);
  if (error == 0) {
    guard->refs++;
    error = ts__call_start(guard->client, &ask, task);
    ts__guard_unref(guard);
  }
  return error;
}

int ts_guard_execute(ts_guard_t *guard, const ts_call_extras_t *extras,
                     ts_sync_task_cb task, void *context, void **result) {
  int error = task != NULL ? check_client(guard) : TS__EINVAL;
  if (error != 0) {
    return error;
  }
  guard->refs++;
  if (guard->is_plain && extras == NULL && !ts__hooks_are_set(guard->client)) {
    error = ts__call_run_plain(guard->client, guard, task, context, result);
  } else {
    ts__ask_t ask;
    error = make_ask(&ask, guard, extras, NULL, context);
    error =
        error == 0 ? ts__call_run(guard->client, &ask, task, result) : error;
  }
  ts__guard_unref(guard);
  return error;
}

/* Calls that were let pass may end for as long as those under way may. */
int ts_guard_report(ts_guard_t *guard, uint64_t start_ns, int error,
                    void *result, void *context) {
  if (guard == NULL) {
    return TS__EINVAL;
  }
  ts_client_t *client = guard->client;
  if (client == NULL || client->state >= TS__CLIENT_CLOSING) {
    return TS_ECLOSED;
  }
  if (ts__client_is_forked(client)) {
    return TS_EFORKED;
  }
  const ts__ask_t ask = {.options = &guard->options,
                         .guard = guard,
                         .trace_id = guard->options.trace_id,
                         .context = context};
  guard->refs++;
  const int r = ts__call_report(client, &ask, start_ns, error, result);
  ts__guard_unref(guard);
  return r;
}
