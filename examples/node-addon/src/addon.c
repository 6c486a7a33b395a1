/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The beginning and the end of an environment.
 *
 * Node loads the file once and calls napi_register_module_v1 for each
 * environment, whose addon_t it makes. A libuv other than the one we know is
 * refused right there.
 *
 * When an environment ends (the program, or a worker, also one terminated in
 * the middle of things), Node calls the cleanup hook. It closes all clients and
 * registries; each close callback comes from the loop, which Node runs until
 * the hook is removed, and that is done by the last of them. JavaScript is over
 * by then, so nobody is told of anything any more.
 */
#include "addon.h"

#include <stdio.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ tables */

static bool table_grow(table_t *table) {
  const int32_t room = table->room ? 2 * table->room : 16;
  void **items = realloc(table->items, (size_t)room * sizeof *items);
  if (!items) {
    return false;
  }
  table->items = items;
  int32_t *ids = realloc(table->free_ids, (size_t)room * sizeof *ids);
  if (!ids) {
    return false;
  }
  table->free_ids = ids;
  table->room = room;
  return true;
}

int32_t table_add(table_t *table, void *item) {
  int32_t id = table->count;
  if (table->free_count > 0) {
    id = table->free_ids[--table->free_count];
  } else if (id == table->room && !table_grow(table)) {
    return UV_ENOMEM;
  } else {
    table->count++;
  }
  table->items[id] = item;
  return id;
}

void table_remove(table_t *table, int32_t id) {
  table->items[id] = NULL;
  table->free_ids[table->free_count++] = id;
}

void table_deinit(table_t *table) {
  free(table->items);
  free(table->free_ids);
}

/* --------------------------------------------------------------------- end */

static void free_addon(addon_t *addon) {
  calls_deinit(addon);
  breakers_deinit(addon);
  table_deinit(&addon->clients);
  table_deinit(&addon->guards);
  table_deinit(&addon->calls);
  table_deinit(&addon->registries);
  table_deinit(&addon->breakers);
  table_deinit(&addon->tickets);
  table_deinit(&addon->stores);
  free(addon);
}

void addon_closed(addon_t *addon) {
  if (--addon->open == 0 && addon->is_dying) {
    const napi_async_cleanup_hook_handle hook = addon->hook;
    free_addon(addon);
    napi_remove_async_cleanup_hook(hook);
  }
}

static void on_mail_closed(uv_handle_t *handle) { addon_closed(handle->data); }

static void on_cleanup(napi_async_cleanup_hook_handle hook, void *arg) {
  addon_t *addon = arg;
  addon->hook = hook;
  addon->is_dying = true;
  mail_deinit(addon);
  clients_end(addon);
  registries_end(addon);
  stores_end(addon);
  uv_close((uv_handle_t *)&addon->mail, on_mail_closed);
}

/* --------------------------------------------------------------- beginning */

/* The handles the library makes are as large as this libuv believes. */
static bool is_our_libuv(void) {
  return uv_version() >> 16 == UV_VERSION_MAJOR &&
         uv_loop_size() == sizeof(uv_loop_t) &&
         uv_handle_size(UV_TCP) == sizeof(uv_tcp_t) &&
         uv_handle_size(UV_TIMER) == sizeof(uv_timer_t) &&
         uv_handle_size(UV_IDLE) == sizeof(uv_idle_t) &&
         uv_handle_size(UV_POLL) == sizeof(uv_poll_t) &&
         uv_handle_size(UV_ASYNC) == sizeof(uv_async_t) &&
         uv_req_size(UV_GETADDRINFO) == sizeof(uv_getaddrinfo_t) &&
         uv_req_size(UV_WORK) == sizeof(uv_work_t);
}

static void throw_mismatch(napi_env env) {
  char text[160];
  snprintf(
      text, sizeof text,
      "this runtime's libuv %s does not fit: the addon was built for %d.%d",
      uv_version_string(), UV_VERSION_MAJOR, UV_VERSION_MINOR);
  napi_throw_error(env, ts_err_name(TS_EABI), text);
}

/* start(dispatch): the window, as an ArrayBuffer. */
static napi_value start(napi_env env, napi_callback_info info) {
  napi_value dispatch;
  napi_value buffer = NULL;
  void *window = NULL;
  addon_t *addon = arguments(env, info, 1, &dispatch);
  napi_create_reference(env, dispatch, 1, &addon->dispatch);
  if (napi_create_arraybuffer(env, WINDOW_SIZE * sizeof(int32_t), &window,
                              &buffer) == napi_ok) {
    napi_create_reference(env, buffer, 1, &addon->window_ref);
    addon->window = window;
  }
  return buffer;
}

/* describe(code): its name and its text. */
static napi_value describe(napi_env env, napi_callback_info info) {
  napi_value code;
  napi_value pair;
  (void)arguments(env, info, 1, &code);
  const int error = int_argument(env, code);
  napi_create_array(env, &pair);
  napi_set_element(env, pair, 0, text_value(env, ts_err_name(error)));
  napi_set_element(env, pair, 1, text_value(env, ts_strerror(error)));
  return pair;
}

static napi_value refuse(napi_env env, addon_t *addon) {
  free(addon);
  napi_throw_error(env, NULL, "the addon cannot start in this environment");
  return NULL;
}

/* Newer headers define it below without having declared it. */
#ifdef NODE_API_MODULE_GET_API_VERSION
NAPI_MODULE_EXPORT int32_t NODE_API_MODULE_GET_API_VERSION(void);
#endif

NAPI_MODULE_INIT() {
  static const function_t functions[] = {{"start", start},
                                         {"describe", describe}};
  addon_t *addon = calloc(1, sizeof *addon);
  if (!addon || napi_get_uv_event_loop(env, &addon->loop) != napi_ok) {
    return refuse(env, addon);
  }
  if (!is_our_libuv()) {
    free(addon);
    throw_mismatch(env);
    return NULL;
  }
  addon->env = env;
  if (export_functions(env, exports, functions, COUNT_OF(functions)) ||
      client_functions(env, exports) || query_functions(env, exports) ||
      call_functions(env, exports) || breaker_functions(env, exports) ||
      store_functions(env, exports) ||
      napi_set_instance_data(env, addon, NULL, NULL) ||
      napi_add_async_cleanup_hook(env, on_cleanup, addon, &addon->hook)) {
    return refuse(env, addon);
  }
  mail_init(addon);
  addon->open = 1; /* the handle of the mail */
  napi_set_named_property(env, exports, "version",
                          text_value(env, ts_version()));
  napi_set_named_property(env, exports, "contractVersion",
                          text_value(env, ts_contract_version()));
  return exports;
}
