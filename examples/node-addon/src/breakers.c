/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Breakers that decide for themselves, and the registries they live in. As with
 * guarded calls, what is asked for each call goes through the window:
 *
 *   breakerBegin()   WINDOW_SITE is the breaker; WINDOW_CALL becomes the
 *                    ticket's number, or the code of why there is none
 *   breakerEnd()     WINDOW_CALL is the ticket, WINDOW_CODE a ts_outcome_t,
 *                    WINDOW_TIME how long to stay open if it opens, 0: as ever
 */
#include "addon.h"

#include <stdlib.h>

typedef struct registry_s {
  addon_t *addon;
  int32_t id;
  ts_registry_t *registry;
  napi_async_context context;
} registry_t;

/* What an admitted call holds. */
typedef struct holder_s {
  int32_t id;
  ts_breaker_t *breaker; /* NULL: free */
  ts_ticket_t ticket;
  struct holder_s *next_free;
} holder_t;

static ts_breaker_t *first_breaker(napi_env env, napi_callback_info info,
                                   size_t count, napi_value *values) {
  const addon_t *addon = arguments(env, info, count, values);
  return table_get(&addon->breakers, int_argument(env, values[0]));
}

/* -------------------------------------------------------------- registries */

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t count) {
  const registry_t *registry = data;
  mail_line(registry->addon, EVENT_REGISTRY_LOG, registry->id,
            registry->context, level, message, fields, count);
}

static void on_event(ts_breaker_t *breaker, const ts_breaker_event_t *told,
                     void *data) {
  const registry_t *registry = data;
  event_t event;
  (void)breaker;
  if (event_begin(&event, registry->addon, EVENT_BREAKER, registry->id)) {
    event_number(&event, told->kind);
    event_text(&event, told->name);
    event_text(&event, ts_breaker_state_name(told->from));
    event_text(&event, ts_breaker_state_name(told->to));
    event_text(&event, ts_reason_name(told->reason));
    event_number(&event, (double)told->retry_after_ms);
    event_end(&event, registry->context);
  }
}

static void free_registry(registry_t *registry) {
  mail_forget(registry->addon, registry->context, NULL, 0);
  event_context_free(registry->addon, registry->context);
  free(registry);
}

static void on_close(ts_registry_t *handle) {
  registry_t *registry = ts_registry_get_data(handle);
  addon_t *addon = registry->addon;
  event_t event;
  mail_tell(addon);
  table_remove(&addon->registries, registry->id);
  if (event_begin(&event, addon, EVENT_REGISTRY_CLOSED, registry->id)) {
    event_end(&event, registry->context);
  }
  free_registry(registry);
  addon_closed(addon);
}

void registries_end(addon_t *addon) {
  for (int32_t id = 0; id < addon->registries.count; id++) {
    registry_t *registry = table_get(&addon->registries, id);
    if (registry) {
      event_context_free(addon, registry->context);
      registry->context = NULL;
      ts_registry_close(registry->registry, on_close);
    }
  }
}

static int make_registry(registry_t *registry, napi_value from) {
  static const field_t fields[] = {
      {"maxBreakers", FIELD_INT64,
       offsetof(ts_registry_options_t, max_breakers)},
      {"logLevel", FIELD_INT, offsetof(ts_registry_options_t, log_level)},
  };
  addon_t *addon = registry->addon;
  ts_registry_options_t options = TS_REGISTRY_OPTIONS_INIT;
  bag_t bag = {0}; /* there are no texts */
  napi_value value;
  fields_read(addon->env, from, fields, COUNT_OF(fields), &options, &bag);
  options.data = registry;
  options.on_log = on_log;
  if (has_member(addon->env, from, "onEvent", &value)) {
    options.on_event = on_event;
  }
  registry->id = table_add(&addon->registries, registry);
  if (registry->id < 0) {
    return registry->id;
  }
  int r = ts_registry_new(&registry->registry, addon->loop, &options);
  if (r) {
    table_remove(&addon->registries, registry->id);
  }
  return r;
}

/* registryNew(options): its number. Throws what is wrong with them. */
static napi_value registry_new(napi_env env, napi_callback_info info) {
  napi_value from;
  addon_t *addon = arguments(env, info, 1, &from);
  registry_t *registry = calloc(1, sizeof *registry);
  if (!registry) {
    return throw_code(env, UV_ENOMEM, NULL);
  }
  registry->addon = addon;
  registry->context = event_context_new(addon);
  const int r = make_registry(registry, from);
  if (r) {
    char text[256] = "";
    mail_forget(addon, registry->context, text, sizeof text);
    free_registry(registry);
    return throw_code(env, r, text);
  }
  addon->open++;
  return number_value(env, registry->id);
}

/* registryClose(id): 0 or a code */
static napi_value registry_close(napi_env env, napi_callback_info info) {
  napi_value value;
  const addon_t *addon = arguments(env, info, 1, &value);
  const registry_t *registry =
      table_get(&addon->registries, int_argument(env, value));
  return number_value(env, registry
                               ? ts_registry_close(registry->registry, on_close)
                               : TS_ECLOSED);
}

/* registryRemove(id, name): 0 or a code */
static napi_value registry_remove(napi_env env, napi_callback_info info) {
  napi_value values[2];
  const addon_t *addon = arguments(env, info, 2, values);
  const registry_t *registry =
      table_get(&addon->registries, int_argument(env, values[0]));
  bag_t bag = {0};
  const char *name = bag_text(&bag, env, values[1]);
  const int r =
      registry ? ts_registry_remove(registry->registry, name) : TS_ECLOSED;
  bag_empty(&bag);
  return number_value(env, r);
}

/* ---------------------------------------------------------------- breakers */

#define OPTION(name, kind, member)                                             \
  { name, kind, offsetof(ts_breaker_options_t, member) }

static const field_t option_fields[] = {
    OPTION("consec", FIELD_UINT32, consec),
    OPTION("ratePct", FIELD_UINT32, rate_pct),
    OPTION("minCalls", FIELD_UINT32, min_calls),
    OPTION("slowMs", FIELD_INT64, slow_ms),
    OPTION("slowPct", FIELD_UINT32, slow_pct),
    OPTION("window", FIELD_INT, window),
    OPTION("windowMs", FIELD_INT64, window_ms),
    OPTION("windowBuckets", FIELD_UINT32, window_buckets),
    OPTION("windowCalls", FIELD_UINT32, window_calls),
    OPTION("openMs", FIELD_INT64, open_ms),
    OPTION("openMult", FIELD_DOUBLE, open_mult),
    OPTION("openMaxMs", FIELD_INT64, open_max_ms),
    OPTION("openJitter", FIELD_DOUBLE, open_jitter),
    OPTION("probeSlots", FIELD_UINT32, probe_slots),
    OPTION("probeNeed", FIELD_UINT32, probe_need),
    OPTION("probeBudget", FIELD_UINT32, probe_budget),
    OPTION("probeMs", FIELD_INT64, probe_ms),
    OPTION("probeLost", FIELD_INT, probe_lost),
    OPTION("mode", FIELD_INT, mode),
    OPTION("autoHalfOpen", FIELD_BOOL, auto_half_open),
    OPTION("share", FIELD_INT, share),
    OPTION("minReporters", FIELD_UINT32, min_reporters),
    OPTION("syncMs", FIELD_INT64, sync_ms),
    OPTION("maxStaleMs", FIELD_INT64, max_stale_ms),
    OPTION("onStale", FIELD_INT, on_stale),
    OPTION("leaseSpreadMs", FIELD_INT64, lease_spread_ms),
};
#undef OPTION

static int find_breaker(addon_t *addon, registry_t *registry,
                        napi_value *values, ts_breaker_t **breaker) {
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  bag_t bag = {0};
  const char *name = bag_text(&bag, addon->env, values[1]);
  fields_read(addon->env, values[2], option_fields, COUNT_OF(option_fields),
              &options, &bag);
  options.data = registry;
  napi_value store;
  if (has_member(addon->env, values[2], "store", &store)) {
    options.store = store_of(addon, int_argument(addon->env, store));
  }
  const int r = ts_registry_get(registry->registry, name, &options, breaker);
  bag_empty(&bag);
  return r;
}

/* breakerGet(registry, name, options): its number. Throws. */
static napi_value breaker_get(napi_env env, napi_callback_info info) {
  napi_value values[3];
  addon_t *addon = arguments(env, info, 3, values);
  registry_t *registry =
      table_get(&addon->registries, int_argument(env, values[0]));
  ts_breaker_t *breaker = NULL;
  int r =
      registry ? find_breaker(addon, registry, values, &breaker) : TS_ECLOSED;
  if (r == 0) {
    r = table_add(&addon->breakers, breaker);
  }
  if (r < 0) {
    char text[256] = "";
    ts_breaker_unref(breaker);
    if (registry) {
      mail_forget(addon, registry->context, text, sizeof text);
    }
    return throw_code(env, r, text);
  }
  return number_value(env, r);
}

/* breakerFree(id) */
static napi_value breaker_free(napi_env env, napi_callback_info info) {
  napi_value value;
  ts_breaker_t *breaker = first_breaker(env, info, 1, &value);
  if (breaker) {
    table_remove(&addon_of(env)->breakers, int_argument(env, value));
    ts_breaker_unref(breaker);
  }
  return NULL;
}

/* breakerState(id): [state, retryAfter] */
static napi_value breaker_state(napi_env env, napi_callback_info info) {
  napi_value value;
  ts_breaker_t *breaker = first_breaker(env, info, 1, &value);
  napi_value pair = NULL;
  if (breaker) {
    const ts_breaker_state_t state = ts_breaker_state(breaker);
    napi_create_array(env, &pair);
    napi_set_element(env, pair, 0,
                     text_value(env, ts_breaker_state_name(state)));
    napi_set_element(
        env, pair, 1,
        number_value(env, (double)ts_breaker_retry_after_ms(breaker)));
  }
  return pair;
}

#define COUNTED(name, kind, member)                                            \
  { name, kind, offsetof(ts_breaker_counts_t, member) }

static const field_t count_fields[] = {
    COUNTED("calls", FIELD_UINT32, calls),
    COUNTED("successes", FIELD_UINT32, successes),
    COUNTED("failures", FIELD_UINT32, failures),
    COUNTED("slow", FIELD_UINT32, slow),
    COUNTED("consecutiveSuccesses", FIELD_UINT32, consecutive_successes),
    COUNTED("consecutiveFailures", FIELD_UINT32, consecutive_failures),
    COUNTED("totalAdmitted", FIELD_UINT64, total_admitted),
    COUNTED("totalSuccesses", FIELD_UINT64, total_successes),
    COUNTED("totalFailures", FIELD_UINT64, total_failures),
    COUNTED("totalSlow", FIELD_UINT64, total_slow),
    COUNTED("totalIgnored", FIELD_UINT64, total_ignored),
    COUNTED("totalCancelled", FIELD_UINT64, total_cancelled),
    COUNTED("totalStale", FIELD_UINT64, total_stale),
    COUNTED("totalProbes", FIELD_UINT64, total_probes),
    COUNTED("totalProbesLost", FIELD_UINT64, total_probes_lost),
    COUNTED("totalRejectedOpen", FIELD_UINT64, total_rejected_open),
    COUNTED("totalRejectedProbes", FIELD_UINT64, total_rejected_probes),
    COUNTED("totalRejectedForced", FIELD_UINT64, total_rejected_forced),
};

/* breakerCounts(id) */
static napi_value breaker_counts(napi_env env, napi_callback_info info) {
  napi_value value;
  ts_breaker_t *breaker = first_breaker(env, info, 1, &value);
  ts_breaker_counts_t counts;
  if (!breaker) {
    return NULL;
  }
  ts_breaker_counts(breaker, &counts);
  return fields_write(env, count_fields, COUNT_OF(count_fields), &counts);
}

/* breakerMode(id, ts_breaker_mode_t): 0 or a code */
static napi_value breaker_mode(napi_env env, napi_callback_info info) {
  napi_value values[2];
  ts_breaker_t *breaker = first_breaker(env, info, 2, values);
  const int mode = int_argument(env, values[1]);
  return number_value(
      env, breaker ? ts_breaker_set_mode(breaker, (ts_breaker_mode_t)mode)
                   : TS_ECLOSED);
}

/* breakerReset(id): 0 or a code */
static napi_value breaker_reset(napi_env env, napi_callback_info info) {
  napi_value value;
  ts_breaker_t *breaker = first_breaker(env, info, 1, &value);
  return number_value(env, breaker ? ts_breaker_reset(breaker) : TS_ECLOSED);
}

/* ----------------------------------------------------------- begin and end */

static holder_t *new_holder(addon_t *addon) {
  holder_t *holder = calloc(1, sizeof *holder);
  if (holder) {
    holder->id = table_add(&addon->tickets, holder);
  }
  if (holder && holder->id < 0) {
    free(holder);
    return NULL;
  }
  return holder;
}

static void give_back(addon_t *addon, holder_t *holder) {
  holder->breaker = NULL;
  holder->next_free = addon->free_holders;
  addon->free_holders = holder;
}

static int32_t begin(addon_t *addon, ts_breaker_t *breaker) {
  holder_t *holder = addon->free_holders;
  if (holder) {
    addon->free_holders = holder->next_free;
  } else if (!(holder = new_holder(addon))) {
    return UV_ENOMEM;
  }
  const int r = ts_breaker_begin(breaker, &holder->ticket, &addon->rejection);
  if (r) {
    give_back(addon, holder);
    return r;
  }
  holder->breaker = breaker;
  return holder->id;
}

static void end(addon_t *addon, holder_t *holder, ts_outcome_t outcome,
                int64_t open_ms) {
  ts_breaker_t *breaker = holder->breaker;
  ts_ticket_t ticket = holder->ticket;
  give_back(addon, holder);
  (void)ts_breaker_end(breaker, &ticket, outcome, open_ms);
}

static napi_value breaker_begin(napi_env env, napi_callback_info info) {
  addon_t *addon = addon_of(env);
  ts_breaker_t *breaker =
      table_get(&addon->breakers, addon->window[WINDOW_SITE]);
  (void)info;
  const int32_t answer = breaker ? begin(addon, breaker) : TS_ECLOSED;
  addon->window[WINDOW_CALL] = answer;
  return NULL;
}

static napi_value breaker_end(napi_env env, napi_callback_info info) {
  addon_t *addon = addon_of(env);
  holder_t *holder = table_get(&addon->tickets, addon->window[WINDOW_CALL]);
  (void)info;
  if (holder && holder->breaker) {
    end(addon, holder, (ts_outcome_t)addon->window[WINDOW_CODE],
        addon->window[WINDOW_TIME]);
  }
  return NULL;
}

void breakers_deinit(addon_t *addon) {
  for (int32_t id = 0; id < addon->tickets.count; id++) {
    holder_t *holder = addon->tickets.items[id];
    if (holder->breaker) {
      end(addon, holder, TS_OUTCOME_CANCELLED, 0);
    }
    free(holder);
  }
  for (int32_t id = 0; id < addon->breakers.count; id++) {
    ts_breaker_unref(addon->breakers.items[id]);
  }
}

napi_status breaker_functions(napi_env env, napi_value exports) {
  static const function_t functions[] = {
      {"registryNew", registry_new},       {"registryClose", registry_close},
      {"registryRemove", registry_remove}, {"breakerGet", breaker_get},
      {"breakerFree", breaker_free},       {"breakerState", breaker_state},
      {"breakerCounts", breaker_counts},   {"breakerMode", breaker_mode},
      {"breakerReset", breaker_reset},     {"breakerBegin", breaker_begin},
      {"breakerEnd", breaker_end},
  };
  return export_functions(env, exports, functions, COUNT_OF(functions));
}
