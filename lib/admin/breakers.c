/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/internal.h"
#include "admin/shared.h"
#include "base/err.h"

/* Breakers: their configuration and their metadata. */

#define AT(member) offsetof(ts_admin_breaker_t, member)
static const ts__field_t breaker_fields[] = {
    {"id", TS__STRING, AT(id), TS__REQUIRED},
    {"name", TS__STRING, AT(name)},
    {"metric", TS__STRING, AT(metric)},
    {"kind", TS__ENUM, AT(kind), .text_at = AT(kind_text),
     .names = &ts__kind_names},
    {"kind_params", TS__OBJECT, AT(kind_params)},
    {"op", TS__ENUM, AT(op), .text_at = AT(op_text), .names = &ts__op_names},
    {"threshold", TS__OPT_DOUBLE, AT(threshold)},
    {"window_ms", TS__OPT_INT, AT(window_ms)},
    {"min_count", TS__OPT_INT, AT(min_count)},
    {"min_state_duration_ms", TS__OPT_INT, AT(min_state_duration_ms)},
    {"cooldown_ms", TS__OPT_INT, AT(cooldown_ms)},
    {"eval_interval_ms", TS__OPT_INT, AT(eval_interval_ms)},
    {"half_open_confirmation_ms", TS__OPT_INT, AT(half_open_confirmation_ms)},
    {"half_open_backoff_enabled", TS__OPT_BOOL, AT(half_open_backoff_enabled)},
    {"half_open_backoff_cap_ms", TS__OPT_INT, AT(half_open_backoff_cap_ms)},
    {"half_open_indeterminate_policy", TS__ENUM,
     AT(half_open_indeterminate_policy),
     .text_at = AT(half_open_indeterminate_policy_text),
     .names = &ts__policy_names},
    {"recovery_window_ms", TS__OPT_INT, AT(recovery_window_ms)},
    {"recovery_allow_rate_ramp_steps", TS__OPT_INT,
     AT(recovery_allow_rate_ramp_steps)},
    {"actions", TS__OBJECT, AT(actions)},
    {"metadata", TS__TAGS, AT(metadata)},
};

static const ts__field_t router_ids = {"router_ids", TS__TEXTS, AT(router_ids)};
#undef AT

/* A router from before a breaker could have several. */
static int settle_old_router(ts__decoder_t *decoder,
                             ts_admin_breaker_t *breaker, ts__str_t id) {
  const char **items = ts__arena_take(decoder->arena, 1, sizeof(const char *));
  if (items == NULL ||
      (items[0] = ts__arena_text(decoder->arena, id)) == NULL) {
    return TS__ENOMEM;
  }
  breaker->router_ids = (ts_admin_strings_t){items, 1};
  return 0;
}

static bool has_list(const ts__json_t *json) {
  return ts__json_type(ts__json_get(json, router_ids.name)) == TS__JSON_ARRAY;
}

/* The wrapper's list, else the breaker's own, else the old member of either. */
static int settle_routers(ts__decoder_t *decoder, void *value,
                          const ts__json_t *object, const ts__json_t *outer) {
  ts__str_t id;
  if (has_list(outer)) {
    object = outer;
  }
  if (has_list(object)) {
    return ts__decode_fields(decoder, &router_ids, 1, value, object);
  }
  if (ts__json_string(ts__json_get(outer, "router_id"), &id) ||
      ts__json_string(ts__json_get(object, "router_id"), &id)) {
    return settle_old_router(decoder, value, id);
  }
  return ts__decode_fields(decoder, &router_ids, 1, value, object);
}

const ts__record_t ts__breaker_record = {
    TS__FIELDS(breaker_fields), .size = sizeof(ts_admin_breaker_t),
    .wrapper = "breaker", .settle = settle_routers};

#define AT(member) offsetof(ts_admin_breakers_t, member)
static const ts__field_t breakers_fields[] = {
    {"breakers", TS__LIST, .record = &ts__breaker_record},
    {"count", TS__OPT_INT, AT(total)},
    {"hash", TS__STRING, AT(hash)},
    {"updated_at", TS__TIME, AT(updated_at)},
    {"next_cursor", TS__STRING, AT(next_cursor)},
};
static const ts__record_t breakers = {
    TS__FIELDS(breakers_fields), .size = sizeof(ts_admin_breakers_t),
    .may_be_bare = true, .next_at = AT(next_cursor)};
#undef AT

/* ------------------------------------------------------------------- inputs */

/* What creations and updates have in common. */
#define OPTIONAL_FIELDS                                                        \
  {"kind_params", TS__OPT_OBJECT, AT(kind_params), TS__CLEARABLE},             \
      {"window_ms", TS__OPT_INT, AT(window_ms), TS__CLEARABLE},                \
      {"min_count", TS__OPT_INT, AT(min_count), TS__CLEARABLE},                \
      {"min_state_duration_ms", TS__OPT_INT, AT(min_state_duration_ms),        \
       TS__CLEARABLE},                                                         \
      {"cooldown_ms", TS__OPT_INT, AT(cooldown_ms), TS__CLEARABLE},            \
      {"eval_interval_ms", TS__OPT_INT, AT(eval_interval_ms), TS__CLEARABLE},  \
      {"half_open_backoff_enabled", TS__OPT_BOOL,                              \
       AT(half_open_backoff_enabled), TS__CLEARABLE},                          \
      {"half_open_backoff_cap_ms", TS__OPT_INT, AT(half_open_backoff_cap_ms),  \
       TS__CLEARABLE},                                                         \
      {"half_open_indeterminate_policy", TS__OPT_ENUM,                         \
       AT(half_open_indeterminate_policy), TS__CLEARABLE,                      \
       .names = &ts__policy_names},                                            \
      {"recovery_allow_rate_ramp_steps", TS__OPT_INT,                          \
       AT(recovery_allow_rate_ramp_steps), TS__CLEARABLE},                     \
      {"actions", TS__OPT_OBJECT, AT(actions), TS__CLEARABLE}, {               \
    "metadata", TS__OPT_TAGS, AT(metadata), TS__CLEARABLE                      \
  }

#define AT(member) offsetof(ts_admin_breaker_create_t, member)
static const ts__field_t create_fields[] = {
    {"name", TS__IN_STRING, AT(name), .max_len = TS__MAX_NAME},
    {"metric", TS__IN_STRING, AT(metric), .max_len = TS__MAX_METRIC},
    {"kind", TS__IN_ENUM, AT(kind), .names = &ts__kind_names},
    {"op", TS__IN_ENUM, AT(op), .names = &ts__op_names},
    {"threshold", TS__IN_DOUBLE, AT(threshold)},
    OPTIONAL_FIELDS,
};
#undef AT
static const ts__record_t create_input = {
    TS__FIELDS(create_fields), .size = sizeof(ts_admin_breaker_create_t)};

#define AT(member) offsetof(ts_admin_breaker_update_t, member)
static const ts__field_t update_fields[] = {
    {"name", TS__OPT_STRING, AT(name), .max_len = TS__MAX_NAME},
    {"metric", TS__OPT_STRING, AT(metric), .max_len = TS__MAX_METRIC},
    {"kind", TS__OPT_ENUM, AT(kind), .names = &ts__kind_names},
    {"op", TS__OPT_ENUM, AT(op), .names = &ts__op_names},
    {"threshold", TS__OPT_DOUBLE, AT(threshold)},
    OPTIONAL_FIELDS,
};
#undef AT
static const ts__record_t update_input = {
    TS__FIELDS(update_fields), .size = sizeof(ts_admin_breaker_update_t)};

typedef struct sync_s {
  size_t size;
  const ts_admin_breaker_create_t *items;
  size_t count;
} sync_t;

static const ts__field_t sync_fields[] = {
    {"breakers", TS__IN_LIST, offsetof(sync_t, items), .record = &create_input},
};
static const ts__record_t sync_input = {TS__FIELDS(sync_fields),
                                        .size = sizeof(sync_t)};

/* ------------------------------------------------------------------ functions */

#define ALL "/projects/{project_id}/breakers"
#define ONE ALL "/{breaker_id}"
static const ts__route_t list = {"GET", ALL, TS__TELLS_breakers, &breakers,
                                 .query = &ts__page_query};
static const ts__route_t each_one = {"GET", ALL, TS__TELLS_each_breaker,
                                     &breakers, .query = &ts__page_query};
static const ts__route_t create = {"POST", ALL, TS__TELLS_breaker,
                                   &ts__breaker_record, .input = &create_input};
static const ts__route_t sync_all = {"PUT", ALL, TS__TELLS_breakers, &breakers,
                                     .input = &sync_input};
static const ts__route_t get = {"GET", ONE, TS__TELLS_breaker,
                                &ts__breaker_record};
static const ts__route_t update = {"PATCH", ONE, TS__TELLS_breaker,
                                   &ts__breaker_record, .input = &update_input};
static const ts__route_t delete = {"DELETE", ONE, TS__TELLS_nothing};
static const ts__route_t patch = {"PATCH", ONE "/metadata", TS__TELLS_metadata,
                                  &ts__breaker_metadata,
                                  .input = &ts__patch_input};

int ts_admin_list_breakers(ts_admin_t *admin, const char *project_id,
                           const ts_admin_page_t *page,
                           const ts_admin_request_t *request,
                           ts_admin_breakers_cb cb, void *arg) {
  ts__ask_t ask = TS__ASK(list, breakers, request, cb, arg, project_id);
  ask.query = page;
  return ts__admin_ask(admin, &ask);
}

int ts_admin_each_breaker(ts_admin_t *admin, const char *project_id,
                          const ts_admin_page_t *page,
                          const ts_admin_request_t *request,
                          ts_admin_each_breaker_cb each, ts_admin_done_cb end,
                          void *arg) {
  ts__ask_t ask =
      TS__ASK(each_one, each_breaker, request, each, arg, project_id);
  ask.query = page;
  ask.end = end;
  return ts__admin_walk(admin, &ask);
}

int ts_admin_create_breaker(ts_admin_t *admin, const char *project_id,
                            const ts_admin_breaker_create_t *input,
                            const ts_admin_request_t *request,
                            ts_admin_breaker_cb cb, void *arg) {
  ts__ask_t ask = TS__ASK(create, breaker, request, cb, arg, project_id);
  ask.input = input;
  return ts__admin_ask(admin, &ask);
}

int ts_admin_sync_breakers(ts_admin_t *admin, const char *project_id,
                           const ts_admin_breaker_create_t *inputs,
                           size_t count, const ts_admin_request_t *request,
                           ts_admin_breakers_cb cb, void *arg) {
  const sync_t input = {sizeof input, inputs, count};
  ts__ask_t ask = TS__ASK(sync_all, breakers, request, cb, arg, project_id);
  ask.input = &input;
  return ts__admin_ask(admin, &ask);
}

int ts_admin_get_breaker(ts_admin_t *admin, const char *project_id,
                         const char *breaker_id,
                         const ts_admin_request_t *request,
                         ts_admin_breaker_cb cb, void *arg) {
  const ts__ask_t ask =
      TS__ASK(get, breaker, request, cb, arg, project_id, breaker_id);
  return ts__admin_ask(admin, &ask);
}

int ts_admin_update_breaker(ts_admin_t *admin, const char *project_id,
                            const char *breaker_id,
                            const ts_admin_breaker_update_t *input,
                            const ts_admin_request_t *request,
                            ts_admin_breaker_cb cb, void *arg) {
  ts__ask_t ask =
      TS__ASK(update, breaker, request, cb, arg, project_id, breaker_id);
  ask.input = input;
  return ts__admin_ask(admin, &ask);
}

int ts_admin_delete_breaker(ts_admin_t *admin, const char *project_id,
                            const char *breaker_id,
                            const ts_admin_request_t *request,
                            ts_admin_done_cb cb, void *arg) {
  const ts__ask_t ask =
      TS__ASK(delete, nothing, request, cb, arg, project_id, breaker_id);
  return ts__admin_ask(admin, &ask);
}

int ts_admin_update_breaker_metadata(ts_admin_t *admin, const char *project_id,
                                     const char *breaker_id,
                                     const ts_tag_t *entries, size_t count,
                                     const ts_admin_request_t *request,
                                     ts_admin_metadata_cb cb, void *arg) {
  const ts__patch_t input = {sizeof input, {entries, count}};
  ts__ask_t ask =
      TS__ASK(patch, metadata, request, cb, arg, project_id, breaker_id);
  ask.input = &input;
  return ts__admin_ask(admin, &ask);
}
