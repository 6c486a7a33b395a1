/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's life, and what it tells by itself.
 *
 * clientNew makes one of options and clientStart begins its work; its number is
 * JavaScript's until EVENT_CLOSED, the last it hears of it. What callbacks the
 * user did not give are not asked for.
 */
#include "addon.h"

#include <stdlib.h>

/* ------------------------------------------------------------ what it tells */

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t count) {
  const client_t *client = data;
  mail_line(client->addon, EVENT_LOG, client->id, client->context, level,
            message, fields, count);
}

static bool begin(event_t *event, const client_t *client, event_kind_t kind) {
  return event_begin(event, client->addon, kind, client->id);
}

static void on_state_change(ts_client_t *handle, const char *breaker,
                            ts_breaker_state_t from, ts_breaker_state_t to,
                            double allow_rate) {
  const client_t *client = ts_client_get_data(handle);
  event_t event;
  if (begin(&event, client, EVENT_STATE)) {
    event_text(&event, breaker);
    event_text(&event, ts_breaker_state_name(from));
    event_text(&event, ts_breaker_state_name(to));
    event_number(&event, allow_rate);
    event_end(&event, client->context);
  }
}

static void on_drop(ts_client_t *handle, ts_drop_reason_t reason,
                    uint64_t count) {
  const client_t *client = ts_client_get_data(handle);
  event_t event;
  if (begin(&event, client, EVENT_DROP)) {
    event_number(&event, reason);
    event_number(&event, (double)count);
    event_end(&event, client->context);
  }
}

static void on_level(ts_client_t *handle, ts_buffer_level_t level,
                     size_t buffered) {
  const client_t *client = ts_client_get_data(handle);
  event_t event;
  if (begin(&event, client, EVENT_LEVEL)) {
    event_number(&event, level);
    event_number(&event, (double)buffered);
    event_end(&event, client->context);
  }
}

static napi_value connection_value(napi_env env, const ts_connection_t *from) {
  static const field_t fields[] = {
      {"stale", FIELD_BOOL, offsetof(ts_connection_t, stale)},
      {"since", FIELD_INT64, offsetof(ts_connection_t, since_ms)},
      {"lastEvent", FIELD_INT64, offsetof(ts_connection_t, last_event_ms)},
      {"httpStatus", FIELD_INT, offsetof(ts_connection_t, http_status)},
      {"error", FIELD_INT, offsetof(ts_connection_t, error)},
  };
  napi_value value = fields_write(env, fields, COUNT_OF(fields), from);
  napi_set_named_property(
      env, value, "state",
      text_value(env, ts_connection_state_name(from->state)));
  return value;
}

static void on_connection(ts_client_t *handle,
                          const ts_connection_t *connection) {
  const client_t *client = ts_client_get_data(handle);
  event_t event;
  if (begin(&event, client, EVENT_CONNECTION)) {
    event_value(&event, connection_value(client->addon->env, connection));
    event_end(&event, client->context);
  }
}

static void on_ready(ts_client_t *handle, int status) {
  const client_t *client = ts_client_get_data(handle);
  event_t event;
  if (begin(&event, client, EVENT_READY)) {
    event_number(&event, status);
    event_end(&event, client->context);
  }
}

/* --------------------------------------------------------------------- end */

static void free_client(client_t *client) {
  addon_t *addon = client->addon;
  ts_metadata_unref(client->told[0]);
  ts_metadata_unref(client->told[1]);
  mail_forget(addon, client->context, NULL, 0);
  event_context_free(addon, client->context);
  free(client);
}

static void on_close(ts_client_t *handle, int status) {
  client_t *client = ts_client_get_data(handle);
  addon_t *addon = client->addon;
  event_t event;
  mail_tell(addon);
  table_remove(&addon->clients, client->id);
  if (begin(&event, client, EVENT_CLOSED)) {
    event_number(&event, status);
    event_value(&event, stats_value(addon->env, handle));
    event_end(&event, client->context);
  }
  free_client(client);
  addon_closed(addon);
}

void clients_end(addon_t *addon) {
  for (int32_t id = 0; id < addon->clients.count; id++) {
    client_t *client = table_get(&addon->clients, id);
    if (client) {
      const bool is_closing = ts_client_is_closing(client->client);
      event_context_free(addon, client->context);
      client->context = NULL;
      ts_client_close(client->client, is_closing ? NULL : on_close);
    }
  }
}

/* clientClose(id, limit) */
static napi_value client_close(napi_env env, napi_callback_info info) {
  napi_value values[2];
  addon_t *addon = arguments(env, info, 2, values);
  ts_client_t *client = client_of(addon, int_argument(env, values[0]));
  int r = TS_ECLOSED;
  if (client) {
    r = ts_client_shutdown(client, (int64_t)double_argument(env, values[1]),
                           ts_client_is_closing(client) ? NULL : on_close);
  }
  return number_value(env, r);
}

/* --------------------------------------------------------------- beginning */

#define OPTION(name, kind, member)                                             \
  { name, kind, offsetof(ts_client_options_t, member) }

static const field_t option_fields[] = {
    OPTION("projectId", FIELD_TEXT, project_id),
    OPTION("apiKey", FIELD_TEXT, api_key),
    OPTION("ingestSecret", FIELD_TEXT, ingest_secret),
    OPTION("baseUrl", FIELD_TEXT, base_url),
    OPTION("failOpen", FIELD_BOOL, fail_open),
    OPTION("gzip", FIELD_BOOL, gzip),
    OPTION("metadataSyncInterval", FIELD_INT64, metadata_sync_interval_ms),
    OPTION("timeout", FIELD_INT64, init_timeout_ms),
    OPTION("batchSize", FIELD_INT64, batch_size),
    OPTION("flushInterval", FIELD_INT64, flush_interval_ms),
    OPTION("bufferCapacity", FIELD_INT64, buffer_capacity),
    OPTION("httpTimeout", FIELD_INT64, http_timeout_ms),
    OPTION("metadataTimeout", FIELD_INT64, metadata_timeout_ms),
    OPTION("connectTimeout", FIELD_INT64, connect_timeout_ms),
    OPTION("reconnectMin", FIELD_INT64, reconnect_min_ms),
    OPTION("reconnectMax", FIELD_INT64, reconnect_max_ms),
    OPTION("idleTimeout", FIELD_INT64, sse_idle_timeout_ms),
    OPTION("staleAfter", FIELD_INT64, stale_after_ms),
    OPTION("snapshotGrace", FIELD_INT64, snapshot_grace_ms),
    OPTION("caFile", FIELD_TEXT, ca_file),
    OPTION("caPath", FIELD_TEXT, ca_path),
    OPTION("caPem", FIELD_TEXT, ca_pem),
    OPTION("certFile", FIELD_TEXT, cert_file),
    OPTION("keyFile", FIELD_TEXT, key_file),
    OPTION("certPem", FIELD_TEXT, cert_pem),
    OPTION("keyPem", FIELD_TEXT, key_pem),
    OPTION("proxyUrl", FIELD_TEXT, proxy_url),
    OPTION("proxyFromEnv", FIELD_BOOL, proxy_from_env),
    OPTION("highWater", FIELD_INT64, high_water),
    OPTION("lowWater", FIELD_INT64, low_water),
    OPTION("offline", FIELD_BOOL, offline),
};

/* A callback only where the user has one. */
static void read_callbacks(napi_env env, napi_value from,
                           ts_client_options_t *options) {
  napi_value value;
  options->on_log = on_log;
  if (has_member(env, from, "onStateChange", &value)) {
    options->on_state_change = on_state_change;
  }
  if (has_member(env, from, "traceIdExtractor", &value)) {
    options->trace_id = call_trace_id;
  }
  if (has_member(env, from, "onDrop", &value)) {
    options->on_drop = on_drop;
  }
  if (has_member(env, from, "onBufferLevel", &value)) {
    options->on_buffer_level = on_level;
  }
  if (has_member(env, from, "onConnection", &value)) {
    options->on_connection = on_connection;
  }
}

static void read_options(napi_env env, napi_value from,
                         ts_client_options_t *options, bag_t *bag) {
  napi_value value;
  int level = options->log_level;
  fields_read(env, from, option_fields, COUNT_OF(option_fields), options, bag);
  if (has_member(env, from, "logLevel", &value)) {
    level = int_argument(env, value);
  }
  options->log_level = (ts_log_level_t)level;
  if (has_member(env, from, "globalTags", &value)) {
    options->global_tags =
        bag_tags(bag, env, value, &options->global_tag_count);
  }
  read_callbacks(env, from, options);
}

static int make_client(client_t *client, napi_value from, bag_t *bag) {
  addon_t *addon = client->addon;
  ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
  read_options(addon->env, from, &options, bag);
  options.data = client;
  client->id = bag->is_spoilt ? UV_ENOMEM : table_add(&addon->clients, client);
  if (client->id < 0) {
    return client->id;
  }
  int r = ts_client_new(&client->client, addon->loop, &options);
  if (r) {
    table_remove(&addon->clients, client->id);
  }
  return r;
}

/* clientNew(options): its number. Throws what is wrong with them. */
static napi_value client_new(napi_env env, napi_callback_info info) {
  napi_value from;
  addon_t *addon = arguments(env, info, 1, &from);
  bag_t bag = {0};
  client_t *client = calloc(1, sizeof *client);
  if (!client) {
    return throw_code(env, UV_ENOMEM, NULL);
  }
  client->addon = addon;
  client->context = event_context_new(addon);
  const int r = make_client(client, from, &bag);
  bag_empty(&bag);
  if (r) {
    char text[256] = "";
    mail_forget(addon, client->context, text, sizeof text);
    free_client(client);
    return throw_code(env, r, text);
  }
  addon->open++;
  return number_value(env, client->id);
}

/* clientStart(id) */
static napi_value client_start(napi_env env, napi_callback_info info) {
  napi_value value;
  addon_t *addon = arguments(env, info, 1, &value);
  ts_client_t *client = client_of(addon, int_argument(env, value));
  return number_value(env,
                      client ? ts_client_start(client, on_ready) : TS_ECLOSED);
}

/* clientRef(id, whether) */
static napi_value client_ref(napi_env env, napi_callback_info info) {
  napi_value values[2];
  addon_t *addon = arguments(env, info, 2, values);
  ts_client_t *client = client_of(addon, int_argument(env, values[0]));
  bool is_ref = false;
  napi_get_value_bool(env, values[1], &is_ref);
  if (client && is_ref) {
    ts_client_ref(client);
  } else if (client) {
    ts_client_unref(client);
  }
  return NULL;
}

/* clientConnection(id) */
static napi_value client_connection(napi_env env, napi_callback_info info) {
  napi_value value;
  addon_t *addon = arguments(env, info, 1, &value);
  const ts_client_t *client = client_of(addon, int_argument(env, value));
  ts_connection_t connection = TS_CONNECTION_INIT;
  if (client) {
    ts_client_connection(client, &connection);
  }
  return connection_value(env, &connection);
}

napi_status client_functions(napi_env env, napi_value exports) {
  static const function_t functions[] = {
      {"clientNew", client_new},
      {"clientStart", client_start},
      {"clientClose", client_close},
      {"clientRef", client_ref},
      {"clientConnection", client_connection},
  };
  return export_functions(env, exports, functions, COUNT_OF(functions));
}
