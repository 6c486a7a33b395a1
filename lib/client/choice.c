/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "client/call.h"

/* Which breakers gate a call, and which router takes its samples. */

void ts__selection_init(ts_selection_t *selection, const ts__mem_t *mem) {
  selection->mem = mem;
  selection->names = selection->few;
  selection->count = 0;
  selection->lost = false;
  selection->capacity = sizeof selection->few / sizeof selection->few[0];
}

void ts__selection_deinit(ts_selection_t *selection) {
  if (selection->names != selection->few) {
    ts__free(selection->mem, (void *)selection->names);
  }
}

static int grow(ts_selection_t *selection) {
  const bool was_few = selection->names == selection->few;
  const size_t capacity = 2 * selection->capacity;
  const char **names = ts__realloc_array(
      selection->mem, was_few ? NULL : (void *)selection->names, capacity,
      sizeof *names);
  if (names == NULL) {
    return TS__ENOMEM;
  }
  if (was_few) {
    memcpy((void *)names, (void *)selection->few, sizeof selection->few);
  }
  selection->names = names;
  selection->capacity = capacity;
  return 0;
}

int ts_selection_add(ts_selection_t *selection, const char *breaker) {
  if (selection == NULL || breaker == NULL) {
    return TS__EINVAL;
  }
  if (selection->count == selection->capacity && grow(selection) != 0) {
    selection->lost = true;
    return TS__ENOMEM;
  }
  selection->names[selection->count++] = breaker;
  return 0;
}

bool ts__choice_conflicts(const ts_call_options_t *options) {
  return (options->breaker_count > 0 && options->select_breakers != NULL) ||
         (!ts__is_blank(options->router) && options->select_router != NULL);
}

static bool lacks_metadata(const ts_client_t *client,
                           const ts_call_options_t *options) {
  return (options->select_breakers != NULL &&
          client->poll.lists[TS__LIST_BREAKERS] == NULL) ||
         (options->select_router != NULL &&
          client->poll.lists[TS__LIST_ROUTERS] == NULL);
}

/* A selector that fails says nothing of the breakers: fail_open decides. */
static int breakers_failed(ts_client_t *client, ts__choice_t *choice,
                           ts_rejection_t *rejection) {
  TS__LOG(&client->log, TS_LOG_WARN, "the breaker selector failed");
  choice->breaker_count = 0;
  if (client->options.values.fail_open) {
    return 0;
  }
  *rejection = (ts_rejection_t){.reason = TS_REASON_UNKNOWN};
  return TS_EOPEN;
}

static int select_breakers(ts_client_t *client,
                           const ts_call_options_t *options, void *context,
                           ts_selection_t *selection, ts__choice_t *choice,
                           ts_rejection_t *rejection) {
  ts_metadata_t *list = ts_metadata_ref(client->poll.lists[TS__LIST_BREAKERS]);
  const int error = options->select_breakers(list, selection, context);
  ts_metadata_unref(list);
  choice->breakers = selection->names;
  choice->breaker_count = selection->count;
  if (!ts__client_takes_calls(client)) {
    return TS_ECLOSED;
  }
  if (selection->lost) {
    return TS__ENOMEM; /* what was lost may be open */
  }
  return error == 0 ? 0 : breakers_failed(client, choice, rejection);
}

static int select_router(ts_client_t *client, const ts_call_options_t *options,
                         void *context, ts__choice_t *choice) {
  ts_metadata_t *list = ts_metadata_ref(client->poll.lists[TS__LIST_ROUTERS]);
  const int error = options->select_router(list, &choice->router, context);
  ts_metadata_unref(list);
  if (!ts__client_takes_calls(client)) {
    return TS_ECLOSED;
  }
  if (error != 0) {
    TS__LOG(&client->log, TS_LOG_WARN, "the router selector failed");
    choice->router = NULL;
  }
  return 0;
}

int ts__choose(ts_client_t *client, const ts_call_options_t *options,
               void *context, ts_selection_t *selection, ts__choice_t *choice,
               ts_rejection_t *rejection) {
  int error = 0;
  *choice = ts__choice_given(options);
  if (ts__choice_conflicts(options)) {
    return TS_ECONFLICT;
  }
  if (lacks_metadata(client, options)) {
    return TS_ENOMETADATA;
  }
  if (options->select_breakers != NULL) {
    error =
        select_breakers(client, options, context, selection, choice, rejection);
  }
  if (error == 0 && options->select_router != NULL) {
    error = select_router(client, options, context, choice);
  }
  if (ts__is_blank(choice->router)) {
    choice->router = NULL;
  }
  return error;
}
