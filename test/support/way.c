/* SPDX-License-Identifier: Apache-2.0 */
#include "support/way.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef enum way_e { WAY_OPTIONS, WAY_GUARD, WAY_EXTRAS } way_t;

static way_t way;

void way_choose(int argc, char **argv) {
  static const char *const names[] = {"options", "guard", "extras"};
  for (int i = 0; argc > 1 && i < 3; i++) {
    if (strcmp(argv[1], names[i]) == 0) {
      way = (way_t)i;
    }
  }
}

bool way_is_options(void) { return way == WAY_OPTIONS; }

/* Half of the tags, and a trace id if there is one to hide, stay with the
 * guard. */
static void move_to_extras(ts_call_options_t *options,
                           ts_call_extras_t *extras) {
  if (options->trace_id != NULL && options->trace_id[0] != '\0') {
    extras->trace_id = options->trace_id;
    options->trace_id = "the guard's own";
  }
  if (options->tags != NULL) {
    const size_t kept = options->tag_count / 2;
    extras->tags = options->tags + kept;
    extras->tag_count = options->tag_count - kept;
    options->tag_count = kept;
  }
}

/* What is of one call alone goes into the extras. A structure of another size
 * is left as it is. */
static int make_guard(ts_guard_t **guard, ts_call_extras_t *extras,
                      ts_client_t *client, const ts_call_options_t *options) {
  ts_call_options_t ours;
  if (options == NULL || options->size != sizeof ours) {
    return ts_guard_new(guard, client, options);
  }
  ours = *options;
  extras->cancelled = ours.cancelled;
  extras->rejection = ours.rejection;
  ours.cancelled = NULL;
  ours.rejection = NULL;
  if (way == WAY_EXTRAS) {
    move_to_extras(&ours, extras);
  }
  const int error = ts_guard_new(guard, client, &ours);
  memset(&ours, 0x5a, sizeof ours);
  return error;
}

/* Name a rejecting breaker by the caller's memory, which outlives the guard. */
static void free_guard(ts_guard_t *guard, const ts_call_extras_t *extras,
                       const ts_call_options_t *options) {
  ts_rejection_t *rejection = extras->rejection;
  for (size_t i = 0; rejection != NULL && rejection->breaker != NULL &&
                     i < options->breaker_count;
       i++) {
    if (strcmp(rejection->breaker, options->breakers[i]) == 0) {
      rejection->breaker = options->breakers[i];
      break;
    }
  }
  ts_guard_free(guard);
}

int way_execute_async(ts_client_t *client, const ts_call_options_t *options,
                      ts_task_cb task, ts_done_cb done, void *context) {
  ts_guard_t *guard = NULL;
  ts_call_extras_t extras = TS_CALL_EXTRAS_INIT;
  if (way == WAY_OPTIONS) {
    return ts_execute_async(client, options, task, done, context);
  }
  int error = make_guard(&guard, &extras, client, options);
  if (error == 0) {
    error = ts_guard_execute_async(guard, &extras, task, done, context);
  }
  free_guard(guard, &extras, options);
  return error;
}

int way_execute(ts_client_t *client, const ts_call_options_t *options,
                ts_sync_task_cb task, void *context, void **result) {
  ts_guard_t *guard = NULL;
  ts_call_extras_t extras = TS_CALL_EXTRAS_INIT;
  if (way == WAY_OPTIONS) {
    return ts_execute(client, options, task, context, result);
  }
  int error = make_guard(&guard, &extras, client, options);
  if (error == 0) {
    error = ts_guard_execute(guard, &extras, task, context, result);
  }
  free_guard(guard, &extras, options);
  return error;
}
