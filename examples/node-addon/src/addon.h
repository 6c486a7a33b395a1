/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_ADDON_H
#define TS_ADDON_H

/*
 * libtripswitch for Node, on Node's own loop. One addon_t for each Node
 * environment (the main thread, or a worker); nothing is shared between them.
 *
 * JavaScript holds small numbers, and tables here say what they are. What it
 * asks a thousand times a second goes through the window, some integers that
 * both sides see, because reading an argument costs more than the call itself.
 * What happens by itself goes to JavaScript through one function (events.c).
 */

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tripswitch/redis.h>
#include <tripswitch/tripswitch.h>
#include <uv.h>

/* ------------------------------------------------------------------ tables */

/* Pointers by number; numbers are used again. */
typedef struct table_s {
  void **items;
  int32_t *free_ids;
  int32_t count; /* numbers given out so far, free ones included */
  int32_t room;
  int32_t free_count;
} table_t;

int32_t table_add(table_t *table, void *item); /* a number, or UV_ENOMEM */
void table_remove(table_t *table, int32_t id);
void table_deinit(table_t *table);

static inline void *table_get(const table_t *table, int32_t id) {
  return id >= 0 && id < table->count ? table->items[id] : NULL;
}

/* --------------------------------------------------------- the environment */

/* The window: what is asked, and the answer. js/native.js has the same list. */
enum {
  WINDOW_SITE = 0, /* in: the guard, or the breaker */
  WINDOW_CALL = 1, /* the call that was admitted, or why not (below 0) */
  WINDOW_CODE = 2, /* in: how it ended, an ending_t or a ts_outcome_t */
  WINDOW_TIME = 3, /* in: milliseconds */
  WINDOW_SIZE = 8
};

/* The number of each call of which nothing is to be told at its end. */
#define CALL_UNTIMED INT32_MAX

typedef struct line_s line_t; /* of the log, on its way */

typedef struct addon_s {
  napi_env env;
  uv_loop_t *loop;
  int32_t *window;
  napi_ref window_ref;
  napi_ref dispatch; /* the function that hears of everything */
  napi_async_cleanup_hook_handle hook;
  table_t clients, guards, calls, registries, breakers, tickets, stores;
  struct call_s *free_calls;
  struct holder_s *free_holders;
  ts_rejection_t rejection; /* of the last call that was rejected */
  uv_idle_t mail;           /* active while there are lines */
  line_t *lines;
  line_t **lines_end;
  size_t line_count;
  size_t open; /* clients, registries and handles not closed yet */
  bool is_dying;
} addon_t;

/* The environment's own; cheaper than an argument. */
static inline addon_t *addon_of(napi_env env) {
  void *addon = NULL;
  napi_get_instance_data(env, &addon);
  return addon;
}

/* One thing less to wait for; the last one lets Node go on ending. */
void addon_closed(addon_t *addon);

typedef struct client_s {
  addon_t *addon;
  int32_t id;
  ts_client_t *client;
  napi_async_context context;
  ts_metadata_t *told[2]; /* the lists JavaScript has: breakers, routers */
} client_t;

/* The client of a number that JavaScript gave; NULL once it is closed. */
static inline ts_client_t *client_of(const addon_t *addon, int32_t id) {
  const client_t *client = table_get(&addon->clients, id);
  return client ? client->client : NULL;
}

/* What each file gives to JavaScript. */
napi_status client_functions(napi_env env, napi_value exports);
napi_status query_functions(napi_env env, napi_value exports);
napi_status call_functions(napi_env env, napi_value exports);
napi_status breaker_functions(napi_env env, napi_value exports);
napi_status store_functions(napi_env env, napi_value exports);

/* The store of a number that JavaScript gave; NULL once it is closed. */
ts_store_t *store_of(const addon_t *addon, int32_t id);

/* All figures of a client. */
napi_value stats_value(napi_env env, const ts_client_t *client);

/* The trace id of a call that is ending (calls.c). */
const char *call_trace_id(ts_client_t *client, void *context);

/* Begin to end everything, without a word to JavaScript. */
void clients_end(addon_t *addon);
void registries_end(addon_t *addon);
void stores_end(addon_t *addon);

/* After that: what is left is memory. */
void calls_deinit(addon_t *addon);
void breakers_deinit(addon_t *addon);

/* ------------------------------------------------------------------ events */

/* js/native.js has the same list. */
typedef enum event_kind_e {
  EVENT_READY = 0,
  EVENT_CLOSED = 1,
  EVENT_STATE = 2,
  EVENT_LOG = 3,
  EVENT_DROP = 4,
  EVENT_LEVEL = 5,
  EVENT_CONNECTION = 6,
  EVENT_ANSWER = 7,
  EVENT_TIMEOUT = 8,
  EVENT_BREAKER = 9,
  EVENT_REGISTRY_CLOSED = 10,
  EVENT_REGISTRY_LOG = 11,
  EVENT_STORE_CLOSED = 12,
  EVENT_STORE_LOG = 13
} event_kind_t;

typedef struct event_s {
  addon_t *addon;
  napi_handle_scope scope;
  napi_value arguments[9];
  size_t count;
} event_t;

/* False: nobody is there to be told, and nothing else is to be done. */
bool event_begin(event_t *event, addon_t *addon, event_kind_t kind, int32_t id);
void event_number(event_t *event, double number);
void event_text(event_t *event, const char *text); /* NULL: null */
void event_value(event_t *event, napi_value value);
/* Calls JavaScript, in this asynchronous context. */
void event_end(event_t *event, napi_async_context context);

/* A context of its own, which keeps what AsyncLocalStorage holds now. */
napi_async_context event_context_new(addon_t *addon);
void event_context_free(addon_t *addon, napi_async_context context);

/* Lines of the log are kept until the loop turns, since a hook of the log must
 * not call back in. `id` is a client, a registry or a store. */
void mail_init(addon_t *addon);
void mail_line(addon_t *addon, event_kind_t kind, int32_t id,
               napi_async_context context, ts_log_level_t level,
               const char *message, const ts_log_field_t *fields, size_t count);
void mail_tell(addon_t *addon);
/* Forget the lines of a context that ends; the first one's text, if any. */
void mail_forget(addon_t *addon, napi_async_context context, char *text,
                 size_t size);
void mail_deinit(addon_t *addon);

/* ------------------------------------------------------------------ values */

/* Memory that lives as long as one function needs it. */
typedef struct bag_s {
  void *first;
  bool is_spoilt; /* there was not enough */
} bag_t;

void *bag_room(bag_t *bag, size_t count, size_t size); /* zeroed */
void bag_empty(bag_t *bag);

/* NULL for what is no string. */
const char *bag_text(bag_t *bag, napi_env env, napi_value value);
/* An array of strings, and an object of strings. */
const char **bag_texts(bag_t *bag, napi_env env, napi_value value,
                       size_t *count);
const ts_tag_t *bag_tags(bag_t *bag, napi_env env, napi_value value,
                         size_t *count);

/* Members of a structure, by their name in JavaScript. */
typedef enum field_kind_e {
  FIELD_TEXT,
  FIELD_BOOL,
  FIELD_INT,
  FIELD_INT64,
  FIELD_UINT32,
  FIELD_UINT64,
  FIELD_SIZE,
  FIELD_DOUBLE
} field_kind_t;

typedef struct field_s {
  const char *name;
  field_kind_t kind;
  size_t offset;
} field_t;

/* What the object does not have stays as it is. */
void fields_read(napi_env env, napi_value object, const field_t *fields,
                 size_t count, void *structure, bag_t *bag);
napi_value fields_write(napi_env env, const field_t *fields, size_t count,
                        const void *structure);

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

bool has_member(napi_env env, napi_value object, const char *name,
                napi_value *value);
napi_value number_value(napi_env env, double number);
napi_value text_value(napi_env env, const char *text); /* NULL: undefined */
int32_t int_argument(napi_env env, napi_value value);
double double_argument(napi_env env, napi_value value);

/* The arguments of a function; missing ones are undefined. */
addon_t *arguments(napi_env env, napi_callback_info info, size_t count,
                   napi_value *values);

/* Throws an error that has the code's name and text, and `detail`. */
napi_value throw_code(napi_env env, int code, const char *detail);

typedef struct function_s {
  const char *name;
  napi_callback callback;
} function_t;

napi_status export_functions(napi_env env, napi_value exports,
                             const function_t *functions, size_t count);

#endif /* TS_ADDON_H */
