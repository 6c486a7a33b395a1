/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores in Redis, where the breakers of many processes meet. A breaker keeps
 * what it needs of its store, so that either may go first.
 */
#include "addon.h"

#include <stdlib.h>

typedef struct store_s {
  addon_t *addon;
  int32_t id;
  ts_store_t *store;
  napi_async_context context;
} store_t;

ts_store_t *store_of(const addon_t *addon, int32_t id) {
  const store_t *store = table_get(&addon->stores, id);
  return store ? store->store : NULL;
}

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t count) {
  const store_t *store = data;
  mail_line(store->addon, EVENT_STORE_LOG, store->id, store->context, level,
            message, fields, count);
}

static void free_store(store_t *store) {
  mail_forget(store->addon, store->context, NULL, 0);
  event_context_free(store->addon, store->context);
  free(store);
}

static void on_close(ts_store_t *handle) {
  store_t *store = ts_store_get_data(handle);
  addon_t *addon = store->addon;
  event_t event;
  mail_tell(addon);
  table_remove(&addon->stores, store->id);
  if (event_begin(&event, addon, EVENT_STORE_CLOSED, store->id)) {
    event_end(&event, store->context);
  }
  free_store(store);
  addon_closed(addon);
}

void stores_end(addon_t *addon) {
  for (int32_t id = 0; id < addon->stores.count; id++) {
    store_t *store = table_get(&addon->stores, id);
    if (store) {
      event_context_free(addon, store->context);
      store->context = NULL;
      ts_store_close(store->store, on_close);
    }
  }
}

#define OPTION(name, kind, member)                                             \
  { name, kind, offsetof(ts_redis_store_options_t, member) }

static const field_t option_fields[] = {
    OPTION("host", FIELD_TEXT, host),
    OPTION("port", FIELD_INT64, port),
    OPTION("username", FIELD_TEXT, username),
    OPTION("password", FIELD_TEXT, password),
    OPTION("database", FIELD_INT64, database),
    OPTION("prefix", FIELD_TEXT, prefix),
    OPTION("tls", FIELD_BOOL, tls),
    OPTION("caFile", FIELD_TEXT, ca_file),
    OPTION("caPath", FIELD_TEXT, ca_path),
    OPTION("caPem", FIELD_TEXT, ca_pem),
    OPTION("certFile", FIELD_TEXT, cert_file),
    OPTION("keyFile", FIELD_TEXT, key_file),
    OPTION("certPem", FIELD_TEXT, cert_pem),
    OPTION("keyPem", FIELD_TEXT, key_pem),
    OPTION("connectTimeout", FIELD_INT64, connect_timeout_ms),
    OPTION("operationTimeout", FIELD_INT64, operation_timeout_ms),
    OPTION("reconnectMin", FIELD_INT64, reconnect_min_ms),
    OPTION("reconnectMax", FIELD_INT64, reconnect_max_ms),
    OPTION("logLevel", FIELD_INT, log_level),
};
#undef OPTION

static int make_store(store_t *store, napi_value from, bag_t *bag) {
  addon_t *addon = store->addon;
  ts_redis_store_options_t options = TS_REDIS_STORE_OPTIONS_INIT;
  fields_read(addon->env, from, option_fields, COUNT_OF(option_fields),
              &options, bag);
  options.data = store;
  options.on_log = on_log;
  store->id = bag->is_spoilt ? UV_ENOMEM : table_add(&addon->stores, store);
  if (store->id < 0) {
    return store->id;
  }
  const int r = ts_redis_store_new(&store->store, addon->loop, &options);
  if (r) {
    table_remove(&addon->stores, store->id);
  }
  return r;
}

/* storeNew(options): its number. Throws what is wrong with them. */
static napi_value store_new(napi_env env, napi_callback_info info) {
  napi_value from;
  addon_t *addon = arguments(env, info, 1, &from);
  bag_t bag = {0};
  store_t *store = calloc(1, sizeof *store);
  if (!store) {
    return throw_code(env, UV_ENOMEM, NULL);
  }
  store->addon = addon;
  store->context = event_context_new(addon);
  const int r = make_store(store, from, &bag);
  bag_empty(&bag);
  if (r) {
    char text[256] = "";
    mail_forget(addon, store->context, text, sizeof text);
    free_store(store);
    return throw_code(env, r, text);
  }
  addon->open++;
  return number_value(env, store->id);
}

/* storeClose(id): 0 or a code */
static napi_value store_close(napi_env env, napi_callback_info info) {
  napi_value value;
  const addon_t *addon = arguments(env, info, 1, &value);
  ts_store_t *store = store_of(addon, int_argument(env, value));
  return number_value(env,
                      store ? ts_store_close(store, on_close) : TS_ECLOSED);
}

napi_status store_functions(napi_env env, napi_value exports) {
  static const function_t functions[] = {{"storeNew", store_new},
                                         {"storeClose", store_close}};
  return export_functions(env, exports, functions, COUNT_OF(functions));
}
