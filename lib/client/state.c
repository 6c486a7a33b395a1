/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "client/internal.h"
#include "core/gate.h"

/* What can be read of a client: states, metadata, figures. */

static ts_state_t as_state(const ts__breaker_t *breaker) {
  return (ts_state_t){.name = breaker->name,
                      .state = (ts_breaker_state_t)breaker->state,
                      .allow_rate = breaker->allow_rate,
                      .override = ts__rule_override(breaker->rule)};
}

int ts_client_get_state(const ts_client_t *client, const char *name,
                        ts_state_t *state) {
  if (client == NULL || name == NULL || state == NULL) {
    return TS__EINVAL;
  }
  if (ts__client_is_forked(client)) {
    return TS_EFORKED;
  }
  const ts__breaker_t *breaker =
      ts__breakers_find(&client->breakers, ts__str(name));
  if (breaker == NULL) {
    return TS_ENOTFOUND;
  }
  *state = as_state(breaker);
  return 0;
}

/* A copy of all states in one piece: the head, the items, the names. */
typedef struct states_s {
  ts_states_t head;
  ts__mem_t mem;
  ts_state_t items[];
} states_t;

static size_t names_size(const ts__breakers_t *breakers) {
  size_t size = 0;
  size_t cursor = 0;
  const ts__breaker_t *breaker = NULL;
  while ((breaker = ts__breakers_next(breakers, &cursor)) != NULL) {
    size += (size_t)breaker->name_len + 1;
  }
  return size;
}

int ts_client_copy_states(const ts_client_t *client, ts_states_t **states) {
  if (states == NULL || client == NULL) {
    return TS__EINVAL;
  }
  *states = NULL;
  if (ts__client_is_forked(client)) {
    return TS_EFORKED;
  }
  const size_t count = ts__breakers_count(&client->breakers);
  states_t *copy =
      ts__malloc(&client->mem, sizeof *copy + count * sizeof copy->items[0] +
                                   names_size(&client->breakers));
  if (copy == NULL) {
    return TS__ENOMEM;
  }
  copy->mem = client->mem;
  copy->head = (ts_states_t){count, copy->items};

  char *names = (char *)(copy->items + count);
  size_t cursor = 0;
  for (size_t i = 0; i < count; i++) {
    const ts__breaker_t *breaker =
        ts__breakers_next(&client->breakers, &cursor);
    copy->items[i] = as_state(breaker);
    copy->items[i].name = names;
    memcpy(names, breaker->name, (size_t)breaker->name_len + 1);
    names += (size_t)breaker->name_len + 1;
  }
  *states = &copy->head;
  return 0;
}

void ts_states_free(ts_states_t *states) {
  if (states != NULL) {
    states_t *copy = TS__CONTAINER(states, states_t, head);
    const ts__mem_t mem = copy->mem;
    ts__free(&mem, copy);
  }
}

void ts__client_log_rejection(const ts_client_t *client,
                              const ts_rejection_t *rejection) {
  char name[128]; /* a selector may have it from the network */
  TS__LOG(
      &client->log, TS_LOG_DEBUG, "rejected a call",
      {"breaker", ts__log_text(name, sizeof name, ts__str(rejection->breaker))},
      {"reason", ts_reason_name(rejection->reason)});
}

int ts_client_allow(ts_client_t *client, const char *const *breakers,
                    size_t breaker_count, ts_rejection_t *rejection) {
  ts_rejection_t details;
  if (client == NULL || (breakers == NULL && breaker_count > 0)) {
    return TS__EINVAL;
  }
  const int error = ts__client_check(client);
  if (error != 0) {
    return error;
  }
  return ts__client_gate(client, breakers, breaker_count,
                         rejection != NULL ? rejection : &details);
}

ts_metadata_t *ts_client_copy_breakers_metadata(const ts_client_t *client) {
  ts_metadata_t *list = client->poll.lists[TS__LIST_BREAKERS];
  return list != NULL ? ts_metadata_ref(list) : NULL;
}

ts_metadata_t *ts_client_copy_routers_metadata(const ts_client_t *client) {
  ts_metadata_t *list = client->poll.lists[TS__LIST_ROUTERS];
  return list != NULL ? ts_metadata_ref(list) : NULL;
}

int ts_client_stats(const ts_client_t *client, ts_stats_t *stats) {
  if (client == NULL || stats == NULL || stats->size < sizeof *stats) {
    return TS__EINVAL;
  }
  if (ts__client_is_forked(client)) {
    return TS_EFORKED;
  }
  const ts__ingest_t *ingest = &client->ingest;
  const ts__stream_t *stream = &client->stream;
  *stats = (ts_stats_t){
      .size = stats->size,
      .delivered_samples = ingest->delivered,
      .dropped_samples = ingest->dropped,
      .buffer_size = ingest->samples.count,
      .in_flight_samples = ingest->in_flight_samples,
      .inflight_batches = ingest->in_flight_batches,
      .flush_failures = ingest->flush_failures,
      .sse_reconnects = stream->reconnects,
      .cached_breakers = ts__breakers_known(&client->breakers),
      .last_successful_flush_ms = ingest->last_success_ms,
      .last_sse_event_ms = stream->last_event_ms,
      .sse_down_since_ms = stream->down_since_ms,
      .sse_connected = stream->connected,
  };
  ts__client_count_inbox(client, stats);
  return 0;
}

bool ts_client_is_closing(const ts_client_t *client) {
  return !ts__client_takes_calls(client);
}

bool ts_client_is_synced(const ts_client_t *client) { return client->synced; }

void *ts_client_get_data(const ts_client_t *client) { return client->data; }

void ts_client_set_data(ts_client_t *client, void *data) {
  client->data = data;
}

void ts_client_ref(ts_client_t *client) {
  if (!client->holds && !ts__client_is_forked(client)) {
    client->holds = true;
    ts__schedule_hold(&client->schedule);
  }
}

void ts_client_unref(ts_client_t *client) {
  if (client->holds && !ts__client_is_forked(client)) {
    client->holds = false;
    ts__schedule_release(&client->schedule);
  }
}
