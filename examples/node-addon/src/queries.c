/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client is asked: states, metadata, figures, and the requests whose
 * answer comes later. Each of these has a number that JavaScript chose, which
 * EVENT_ANSWER brings back.
 */
#include "addon.h"

#include <stdint.h>

static ts_client_t *first_client(napi_env env, napi_callback_info info,
                                 size_t count, napi_value *values) {
  const addon_t *addon = arguments(env, info, count, values);
  return client_of(addon, int_argument(env, values[0]));
}

/* ------------------------------------------------------------------ states */

static napi_value state_value(napi_env env, const ts_state_t *state) {
  static const field_t fields[] = {
      {"name", FIELD_TEXT, offsetof(ts_state_t, name)},
      {"allowRate", FIELD_DOUBLE, offsetof(ts_state_t, allow_rate)},
  };
  napi_value value = fields_write(env, fields, COUNT_OF(fields), state);
  napi_set_named_property(env, value, "state",
                          text_value(env, ts_breaker_state_name(state->state)));
  napi_set_named_property(env, value, "override",
                          text_value(env, ts_override_name(state->override)));
  return value;
}

/* clientState(id, name): undefined if it is not known */
static napi_value client_state(napi_env env, napi_callback_info info) {
  napi_value values[2];
  const ts_client_t *client = first_client(env, info, 2, values);
  bag_t bag = {0};
  const char *name = bag_text(&bag, env, values[1]);
  ts_state_t state;
  napi_value value = NULL;
  if (client && name && ts_client_get_state(client, name, &state) == 0) {
    value = state_value(env, &state);
  }
  bag_empty(&bag);
  return value;
}

/* clientStates(id): an array */
static napi_value client_states(napi_env env, napi_callback_info info) {
  napi_value value;
  const ts_client_t *client = first_client(env, info, 1, &value);
  ts_states_t *states = NULL;
  napi_value array;
  napi_create_array(env, &array);
  if (client && ts_client_copy_states(client, &states) == 0) {
    for (uint32_t i = 0; i < states->count; i++) {
      napi_set_element(env, array, i, state_value(env, &states->items[i]));
    }
  }
  ts_states_free(states);
  return array;
}

/* clientSaveStates(id): a string of JSON */
static napi_value client_save_states(napi_env env, napi_callback_info info) {
  napi_value value;
  const ts_client_t *client = first_client(env, info, 1, &value);
  bag_t bag = {0};
  size_t len = 0;
  napi_value json = NULL;
  if (client && ts_client_save_states(client, NULL, 0, &len) == UV_ENOBUFS) {
    char *text = bag_room(&bag, len + 1, 1);
    if (text && ts_client_save_states(client, text, len + 1, &len) == 0) {
      json = text_value(env, text);
    }
  }
  bag_empty(&bag);
  return json;
}

/* clientLoadStates(id, json): 0 or a code */
static napi_value client_load_states(napi_env env, napi_callback_info info) {
  napi_value values[2];
  ts_client_t *client = first_client(env, info, 2, values);
  bag_t bag = {0};
  size_t len = 0;
  napi_get_value_string_utf8(env, values[1], NULL, 0, &len);
  const char *json = bag_text(&bag, env, values[1]);
  int r = client ? UV_ENOMEM : TS_ECLOSED;
  if (client && json) {
    r = ts_client_load_states(client, json, len);
  }
  bag_empty(&bag);
  return number_value(env, r);
}

/* clientOverride(id, name, ts_override_t): 0 or a code */
static napi_value client_override(napi_env env, napi_callback_info info) {
  napi_value values[3];
  ts_client_t *client = first_client(env, info, 3, values);
  bag_t bag = {0};
  const char *name = bag_text(&bag, env, values[1]);
  int r = TS_ECLOSED;
  if (client) {
    r = ts_client_override(client, name,
                           (ts_override_t)int_argument(env, values[2]));
  }
  bag_empty(&bag);
  return number_value(env, r);
}

/* ---------------------------------------------------------------- metadata */

static napi_value item_value(napi_env env, const ts_metadata_item_t *item) {
  static const field_t fields[] = {
      {"id", FIELD_TEXT, offsetof(ts_metadata_item_t, id)},
      {"name", FIELD_TEXT, offsetof(ts_metadata_item_t, name)},
  };
  napi_value value = fields_write(env, fields, COUNT_OF(fields), item);
  napi_value entries;
  napi_create_object(env, &entries);
  for (size_t i = 0; i < item->entry_count; i++) {
    napi_set_property(env, entries, text_value(env, item->entries[i].key),
                      text_value(env, item->entries[i].value));
  }
  napi_object_freeze(env, entries);
  napi_set_named_property(env, value, "metadata", entries);
  napi_object_freeze(env, value);
  return value;
}

static napi_value list_value(napi_env env, const ts_metadata_t *metadata) {
  napi_value array;
  napi_create_array(env, &array);
  const size_t count = ts_metadata_count(metadata);
  for (uint32_t i = 0; i < count; i++) {
    napi_handle_scope scope;
    napi_open_handle_scope(env, &scope);
    napi_set_element(env, array, i,
                     item_value(env, ts_metadata_item(metadata, i)));
    napi_close_handle_scope(env, scope);
  }
  napi_object_freeze(env, array);
  return array;
}

/* clientMetadata(id, which): the list; undefined if there is none, null if it
 * is still the one that was given the last time */
static napi_value client_metadata(napi_env env, napi_callback_info info) {
  napi_value values[2];
  const addon_t *addon = arguments(env, info, 2, values);
  client_t *client = table_get(&addon->clients, int_argument(env, values[0]));
  const int which = int_argument(env, values[1]) == 1;
  napi_value value = NULL;
  if (!client) {
    return NULL;
  }
  ts_metadata_t *metadata =
      which ? ts_client_copy_routers_metadata(client->client)
            : ts_client_copy_breakers_metadata(client->client);
  if (metadata && metadata == client->told[which]) {
    ts_metadata_unref(metadata);
    napi_get_null(env, &value);
  } else if (metadata) {
    ts_metadata_unref(client->told[which]);
    client->told[which] = metadata;
    value = list_value(env, metadata);
  }
  return value;
}

/* ---------------------------------------------------------------- requests */

/* The number, which is never looked into, travels as a pointer. */
static void *number_pointer(napi_env env, napi_value value) {
  return (void *)(intptr_t)int_argument(env, value);
}

static bool answer_begin(event_t *event, const client_t *client,
                         const void *number, int error) {
  if (!event_begin(event, client->addon, EVENT_ANSWER, client->id)) {
    return false;
  }
  event_number(event, (double)(intptr_t)number);
  event_number(event, error);
  return true;
}

static napi_value reply_value(napi_env env, const ts_reply_t *reply) {
  static const field_t fields[] = {
      {"status", FIELD_INT, offsetof(ts_reply_t, http_status)},
      {"etag", FIELD_TEXT, offsetof(ts_reply_t, etag)},
      {"requestId", FIELD_TEXT, offsetof(ts_reply_t, request_id)},
      {"retryAfter", FIELD_INT64, offsetof(ts_reply_t, retry_after_ms)},
  };
  return fields_write(env, fields, COUNT_OF(fields), reply);
}

static void on_flush(ts_client_t *handle, int status, void *arg) {
  const client_t *client = ts_client_get_data(handle);
  event_t event;
  if (answer_begin(&event, client, arg, status)) {
    event_end(&event, client->context);
  }
}

static void on_list(ts_client_t *handle, const ts_reply_t *reply,
                    ts_metadata_t *metadata, void *arg) {
  const client_t *client = ts_client_get_data(handle);
  const napi_env env = client->addon->env;
  event_t event;
  if (answer_begin(&event, client, arg, reply->error)) {
    event_value(&event, reply_value(env, reply));
    if (metadata) {
      event_value(&event, list_value(env, metadata));
    }
    event_end(&event, client->context);
  }
}

static void on_status(ts_client_t *handle, const ts_reply_t *reply,
                      const ts_status_t *status, void *arg) {
  static const field_t fields[] = {
      {"openCount", FIELD_INT64, offsetof(ts_status_t, open_count)},
      {"closedCount", FIELD_INT64, offsetof(ts_status_t, closed_count)},
      {"lastEvalMs", FIELD_INT64, offsetof(ts_status_t, last_eval_ms)},
  };
  const client_t *client = ts_client_get_data(handle);
  const napi_env env = client->addon->env;
  event_t event;
  if (!answer_begin(&event, client, arg, reply->error)) {
    return;
  }
  event_value(&event, reply_value(env, reply));
  if (status) {
    const size_t count = COUNT_OF(fields) - (status->has_last_eval ? 0 : 1);
    event_value(&event, fields_write(env, fields, count, status));
  }
  event_end(&event, client->context);
}

/* clientFlush(id, limit, number): 0 or a code */
static napi_value client_flush(napi_env env, napi_callback_info info) {
  napi_value values[3];
  ts_client_t *client = first_client(env, info, 3, values);
  int r = TS_ECLOSED;
  if (client) {
    r = ts_client_flush(client, (int64_t)double_argument(env, values[1]),
                        on_flush, number_pointer(env, values[2]));
  }
  return number_value(env, r);
}

/* clientFetch(id, what, etag, number): 0 or a code; what is 0 for breakers, 1
 * for routers, 2 for the status */
static napi_value client_fetch(napi_env env, napi_callback_info info) {
  napi_value values[4];
  ts_client_t *client = first_client(env, info, 4, values);
  const int what = int_argument(env, values[1]);
  void *number = number_pointer(env, values[3]);
  bag_t bag = {0};
  const char *etag = bag_text(&bag, env, values[2]);
  int r = TS_ECLOSED;
  if (client && what == 2) {
    r = ts_client_get_status(client, etag, 0, on_status, number);
  } else if (client) {
    r = what == 1
            ? ts_client_list_routers_metadata(client, etag, 0, on_list, number)
            : ts_client_list_breakers_metadata(client, etag, 0, on_list,
                                               number);
  }
  bag_empty(&bag);
  return number_value(env, r);
}

/* ------------------------------------------------------- figures and reports */

napi_value stats_value(napi_env env, const ts_client_t *client) {
#define STAT(name, kind, member)                                               \
  { name, kind, offsetof(ts_stats_t, member) }
  static const field_t fields[] = {
      STAT("deliveredSamples", FIELD_UINT64, delivered_samples),
      STAT("droppedSamples", FIELD_UINT64, dropped_samples),
      STAT("bufferSize", FIELD_UINT64, buffer_size),
      STAT("inFlightSamples", FIELD_UINT64, in_flight_samples),
      STAT("inflightBatches", FIELD_UINT64, inflight_batches),
      STAT("flushFailures", FIELD_UINT64, flush_failures),
      STAT("sseConnected", FIELD_BOOL, sse_connected),
      STAT("sseReconnects", FIELD_UINT64, sse_reconnects),
      STAT("cachedBreakers", FIELD_UINT64, cached_breakers),
      STAT("lastSuccessfulFlush", FIELD_INT64, last_successful_flush_ms),
      STAT("lastSSEEvent", FIELD_INT64, last_sse_event_ms),
      STAT("sseDownSince", FIELD_INT64, sse_down_since_ms),
  };
#undef STAT
  ts_stats_t stats = TS_STATS_INIT;
  ts_client_stats(client, &stats);
  return fields_write(env, fields, COUNT_OF(fields), &stats);
}

/* clientStats(id) */
static napi_value client_stats(napi_env env, napi_callback_info info) {
  napi_value value;
  const ts_client_t *client = first_client(env, info, 1, &value);
  return client ? stats_value(env, client) : NULL;
}

/* clientPrometheus(id): a string */
static napi_value client_prometheus(napi_env env, napi_callback_info info) {
  napi_value value;
  const ts_client_t *client = first_client(env, info, 1, &value);
  bag_t bag = {0};
  size_t len = 0;
  napi_value page = NULL;
  if (client && ts_stats_prometheus(client, NULL, 0, &len) == UV_ENOBUFS) {
    char *text = bag_room(&bag, len + 1, 1);
    if (text && ts_stats_prometheus(client, text, len + 1, &len) == 0) {
      page = text_value(env, text);
    }
  }
  bag_empty(&bag);
  return page;
}

/* clientReport(id, report, tags): 0 or a code */
static napi_value client_report(napi_env env, napi_callback_info info) {
  static const field_t fields[] = {
      {"routerId", FIELD_TEXT, offsetof(ts_report_t, router)},
      {"metric", FIELD_TEXT, offsetof(ts_report_t, metric)},
      {"value", FIELD_DOUBLE, offsetof(ts_report_t, value)},
      {"ok", FIELD_BOOL, offsetof(ts_report_t, ok)},
      {"traceId", FIELD_TEXT, offsetof(ts_report_t, trace_id)},
  };
  napi_value values[3];
  ts_client_t *client = first_client(env, info, 3, values);
  ts_report_t report = TS_REPORT_INIT;
  bag_t bag = {0};
  int r = TS_ECLOSED;
  if (client) {
    fields_read(env, values[1], fields, COUNT_OF(fields), &report, &bag);
    report.tags = bag_tags(&bag, env, values[2], &report.tag_count);
    r = bag.is_spoilt ? UV_ENOMEM : ts_report(client, &report);
  }
  bag_empty(&bag);
  return number_value(env, r);
}

napi_status query_functions(napi_env env, napi_value exports) {
  static const function_t functions[] = {
      {"clientState", client_state},
      {"clientStates", client_states},
      {"clientSaveStates", client_save_states},
      {"clientLoadStates", client_load_states},
      {"clientOverride", client_override},
      {"clientMetadata", client_metadata},
      {"clientFlush", client_flush},
      {"clientFetch", client_fetch},
      {"clientStats", client_stats},
      {"clientPrometheus", client_prometheus},
      {"clientReport", client_report},
  };
  return export_functions(env, exports, functions, COUNT_OF(functions));
}
