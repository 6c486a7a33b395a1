/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guarded calls. JavaScript makes a guard of a call's options, once, and then
 * for each call:
 *
 *   enter()   the gate: WINDOW_SITE is the guard; WINDOW_CALL becomes the
 *             call's number, or the code of why it was not admitted; of a
 *             call that reports nothing, CALL_UNTIMED, and it need not finish
 *   ...       the task, in JavaScript, for as long as it takes
 *   finish()  WINDOW_CALL is the call, WINDOW_CODE how it ended (ending_t)
 *
 * Both take no argument and give no result, which makes them cheap. enterWith
 * begins a call with a trace id, tags, or a time limit of its own, which the
 * library then looks after; finishWith ends one with a trace id and metrics.
 *
 * A call that passed its time limit is told by EVENT_TIMEOUT. One whose client
 * was closed is told nothing: its task goes on, and its end only frees it.
 */
#include "addon.h"

#include <math.h>
#include <stdlib.h>

/* How JavaScript ends a call. js/native.js has the same list. */
typedef enum ending_e {
  ENDING_OK = 0,
  ENDING_FAILED = 1,
  ENDING_HARMLESS = 2, /* failed, but judged to be no failure */
  ENDING_CANCELLED = 3
} ending_t;

/* Metrics of one call that only JavaScript could tell. */
typedef struct extras_s {
  const char *trace_id;
  const char **names;
  const double *values;
  size_t count;
} extras_t;

/* A guard, and the calls that are timed here. */
typedef struct site_s {
  ts_guard_t *guard;
  napi_async_context context; /* of its client */
  size_t refs;                /* JavaScript's, and one for each such call */
  bool is_timed;              /* its calls give samples */
} site_t;

typedef struct call_s {
  int32_t id;
  addon_t *addon;
  site_t *site;    /* of a call that is timed here, else NULL */
  ts_call_t *call; /* of one that is the library's, else NULL */
  uint64_t start_ns;
  const extras_t *extras;     /* while it ends */
  napi_async_context context; /* of its client */
  struct call_s *next_free;
} call_t;

/* ------------------------------------------------------------------- calls */

static call_t *new_call(addon_t *addon) {
  call_t *call = calloc(1, sizeof *call);
  if (call) {
    call->addon = addon;
    call->id = table_add(&addon->calls, call);
  }
  if (call && call->id < 0) {
    free(call);
    return NULL;
  }
  return call;
}

static call_t *take_call(addon_t *addon) {
  call_t *call = addon->free_calls;
  if (!call) {
    return new_call(addon);
  }
  addon->free_calls = call->next_free;
  return call;
}

static void unref_site(site_t *site) {
  if (--site->refs == 0) {
    ts_guard_free(site->guard);
    free(site);
  }
}

static void give_back(call_t *call) {
  call->call = NULL;
  call->site = NULL;
  call->next_free = call->addon->free_calls;
  call->addon->free_calls = call;
}

void calls_deinit(addon_t *addon) {
  for (int32_t id = 0; id < addon->calls.count; id++) {
    call_t *call = addon->calls.items[id];
    if (call->call) {
      ts_call_cancel(call->call);
    }
    if (call->site) {
      unref_site(call->site);
    }
    free(call);
  }
  for (int32_t id = 0; id < addon->guards.count; id++) {
    site_t *site = addon->guards.items[id];
    if (site) {
      unref_site(site);
    }
  }
}

/* --------------------------------------------------------------- callbacks */

static void on_task(ts_call_t *handle, void *context) {
  call_t *call = context;
  call->call = handle;
}

/* What JavaScript ended itself it knows already. */
static void on_done(ts_client_t *client, int error, void *result,
                    void *context) {
  const call_t *call = context;
  event_t event;
  (void)client;
  (void)result;
  if (error == TS_ETIMEDOUT &&
      event_begin(&event, call->addon, EVENT_TIMEOUT, call->id)) {
    event_end(&event, call->context);
  }
}

static bool is_failure(int error, void *result, void *context) {
  (void)result;
  (void)context;
  return error != ENDING_HARMLESS;
}

static int on_metrics(ts_metric_sink_t *sink, int error, void *result,
                      void *context) {
  const extras_t *extras = ((const call_t *)context)->extras;
  (void)error;
  (void)result;
  for (size_t i = 0; extras && i < extras->count; i++) {
    if (extras->names[i]) {
      (void)ts_metric_sink_add(sink, extras->names[i], extras->values[i]);
    }
  }
  return 0;
}

const char *call_trace_id(ts_client_t *client, void *context) {
  const call_t *call = context;
  (void)client;
  return call->extras ? call->extras->trace_id : NULL;
}

/* ------------------------------------------------------- the way of a call */

/* The usual call needs no more than the gate and the time. */
static int32_t begin(addon_t *addon, site_t *site) {
  const int r = ts_guard_allow(site->guard, NULL, &addon->rejection);
  if (r || !site->is_timed) {
    return r ? r : CALL_UNTIMED;
  }
  call_t *call = take_call(addon);
  if (!call) {
    return UV_ENOMEM;
  }
  call->site = site;
  site->refs++;
  call->start_ns = uv_hrtime();
  return call->id;
}

/* All that a call of the library may have: a time limit, an end that is none,
 * tags of its own. */
static int32_t begin_with(addon_t *addon, site_t *site,
                          ts_call_extras_t *extras) {
  call_t *call = take_call(addon);
  if (!call) {
    return UV_ENOMEM;
  }
  call->context = site->context;
  extras->rejection = &addon->rejection;
  const int r =
      ts_guard_execute_async(site->guard, extras, on_task, on_done, call);
  if (r) {
    give_back(call);
    return r;
  }
  return call->id;
}

static void end_call(call_t *call, ending_t ending) {
  if (call->site) {
    (void)ts_guard_report(call->site->guard, call->start_ns, ending, NULL,
                          call);
    unref_site(call->site);
  } else if (ending == ENDING_CANCELLED) {
    ts_call_cancel(call->call);
  } else {
    ts_call_finish(call->call, ending, NULL);
  }
}

static void end(addon_t *addon, int32_t id, ending_t ending,
                const extras_t *extras) {
  call_t *call = table_get(&addon->calls, id);
  if (call && (call->call || call->site)) {
    call->extras = extras;
    end_call(call, ending);
    call->extras = NULL;
    give_back(call);
  }
}

static site_t *asked_site(const addon_t *addon) {
  return table_get(&addon->guards, addon->window[WINDOW_SITE]);
}

static napi_value enter(napi_env env, napi_callback_info info) {
  addon_t *addon = addon_of(env);
  site_t *site = asked_site(addon);
  (void)info;
  addon->window[WINDOW_CALL] = site ? begin(addon, site) : TS_ECLOSED;
  return NULL;
}

static napi_value finish(napi_env env, napi_callback_info info) {
  addon_t *addon = addon_of(env);
  (void)info;
  end(addon, addon->window[WINDOW_CALL], (ending_t)addon->window[WINDOW_CODE],
      NULL);
  return NULL;
}

/* enterWith(traceId, tags), and the window as for enter */
static napi_value enter_with(napi_env env, napi_callback_info info) {
  napi_value values[2];
  addon_t *addon = arguments(env, info, 2, values);
  site_t *site = asked_site(addon);
  ts_call_extras_t extras = TS_CALL_EXTRAS_INIT;
  bag_t bag = {0};
  extras.trace_id = bag_text(&bag, env, values[0]);
  extras.tags = bag_tags(&bag, env, values[1], &extras.tag_count);
  addon->window[WINDOW_CALL] = !site ? TS_ECLOSED
                               : bag.is_spoilt
                                   ? UV_ENOMEM
                                   : begin_with(addon, site, &extras);
  bag_empty(&bag);
  return NULL;
}

/* finishWith(traceId, names, values), and the window as for finish */
static napi_value finish_with(napi_env env, napi_callback_info info) {
  napi_value arguments_[3];
  addon_t *addon = arguments(env, info, 3, arguments_);
  bag_t bag = {0};
  extras_t extras = {.trace_id = bag_text(&bag, env, arguments_[0])};
  extras.names = bag_texts(&bag, env, arguments_[1], &extras.count);
  double *values = bag_room(&bag, extras.count, sizeof *values);
  extras.values = values;
  for (uint32_t i = 0; values && i < extras.count; i++) {
    napi_value value;
    napi_get_element(env, arguments_[2], i, &value);
    values[i] = NAN;
    napi_get_value_double(env, value, &values[i]);
  }
  end(addon, addon->window[WINDOW_CALL], (ending_t)addon->window[WINDOW_CODE],
      values ? &extras : NULL);
  bag_empty(&bag);
  return NULL;
}

/* The gate alone: WINDOW_SITE is the guard, WINDOW_CALL becomes 0 or a code. */
static napi_value allow(napi_env env, napi_callback_info info) {
  addon_t *addon = addon_of(env);
  const site_t *site = asked_site(addon);
  (void)info;
  addon->window[WINDOW_CALL] =
      site ? ts_guard_allow(site->guard, NULL, &addon->rejection) : TS_ECLOSED;
  return NULL;
}

/* rejection(): why the last call was not admitted; to be asked at once. */
static napi_value rejection(napi_env env, napi_callback_info info) {
  static const field_t fields[] = {
      {"breaker", FIELD_TEXT, offsetof(ts_rejection_t, breaker)},
      {"allowRate", FIELD_DOUBLE, offsetof(ts_rejection_t, allow_rate)},
      {"retryAfter", FIELD_INT64, offsetof(ts_rejection_t, retry_after_ms)},
  };
  const addon_t *addon = addon_of(env);
  (void)info;
  napi_value value =
      fields_write(env, fields, COUNT_OF(fields), &addon->rejection);
  napi_set_named_property(
      env, value, "reason",
      text_value(env, ts_reason_name(addon->rejection.reason)));
  return value;
}

/* ------------------------------------------------------------------ guards */

/* Metrics come as names, and numbers of which NaN is the latency. */
static void read_metrics(napi_env env, napi_value from,
                         ts_call_options_t *options, bag_t *bag) {
  napi_value value;
  if (!has_member(env, from, "metricNames", &value)) {
    return;
  }
  size_t count = 0;
  const char **names = bag_texts(bag, env, value, &count);
  ts_metric_t *metrics = bag_room(bag, count, sizeof *metrics);
  napi_value numbers;
  napi_get_named_property(env, from, "metricValues", &numbers);
  for (uint32_t i = 0; metrics && i < count; i++) {
    napi_get_element(env, numbers, i, &value);
    metrics[i].name = names[i] ? names[i] : "";
    metrics[i].value = double_argument(env, value);
    metrics[i].kind =
        isnan(metrics[i].value) ? TS_METRIC_LATENCY : TS_METRIC_VALUE;
  }
  options->metrics = metrics;
  options->metric_count = metrics ? count : 0;
}

static void read_call_options(napi_env env, napi_value from,
                              ts_call_options_t *options, bag_t *bag) {
  static const field_t fields[] = {
      {"router", FIELD_TEXT, offsetof(ts_call_options_t, router)},
      {"traceId", FIELD_TEXT, offsetof(ts_call_options_t, trace_id)},
      {"timeout", FIELD_INT64, offsetof(ts_call_options_t, timeout_ms)},
  };
  napi_value value;
  fields_read(env, from, fields, COUNT_OF(fields), options, bag);
  if (has_member(env, from, "breakers", &value)) {
    options->breakers = bag_texts(bag, env, value, &options->breaker_count);
  }
  if (has_member(env, from, "tags", &value)) {
    options->tags = bag_tags(bag, env, value, &options->tag_count);
  }
  if (has_member(env, from, "moreMetrics", &value)) {
    options->deferred_metrics = on_metrics;
  }
  options->error_evaluator = is_failure;
  read_metrics(env, from, options, bag);
}

static int32_t make_site(addon_t *addon, const client_t *client,
                         const ts_call_options_t *options) {
  site_t *site = calloc(1, sizeof *site);
  if (!site) {
    return UV_ENOMEM;
  }
  site->refs = 1;
  site->context = client->context;
  site->is_timed = options->router && *options->router &&
                   (options->metric_count > 0 || options->deferred_metrics);
  int r = ts_guard_new(&site->guard, client->client, options);
  if (r == 0) {
    r = table_add(&addon->guards, site);
  }
  if (r < 0) {
    ts_guard_free(site->guard);
    free(site);
  }
  return r;
}

/* guardNew(client, options): its number, or a code. */
static napi_value guard_new(napi_env env, napi_callback_info info) {
  napi_value values[2];
  addon_t *addon = arguments(env, info, 2, values);
  const client_t *client =
      table_get(&addon->clients, int_argument(env, values[0]));
  ts_call_options_t options = TS_CALL_OPTIONS_INIT;
  bag_t bag = {0};
  int32_t r = TS_ECLOSED;
  if (client) {
    read_call_options(env, values[1], &options, &bag);
    r = bag.is_spoilt ? UV_ENOMEM : make_site(addon, client, &options);
  }
  bag_empty(&bag);
  return number_value(env, r);
}

/* guardFree(guard) */
static napi_value guard_free(napi_env env, napi_callback_info info) {
  napi_value value;
  addon_t *addon = arguments(env, info, 1, &value);
  const int32_t id = int_argument(env, value);
  site_t *site = table_get(&addon->guards, id);
  if (site) {
    table_remove(&addon->guards, id);
    unref_site(site);
  }
  return NULL;
}

napi_status call_functions(napi_env env, napi_value exports) {
  static const function_t functions[] = {
      {"enter", enter},          {"finish", finish},
      {"enterWith", enter_with}, {"finishWith", finish_with},
      {"allow", allow},          {"rejection", rejection},
      {"guardNew", guard_new},   {"guardFree", guard_free},
  };
  return export_functions(env, exports, functions, COUNT_OF(functions));
}
