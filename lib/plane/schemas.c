/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/schemas.h"

#include "plane/channels.h"
#include "plane/directory.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SCHEMA(fields, type)                                                   \
  { fields, COUNT(fields), sizeof(type) }

#define MAX_NAME 128
#define MAX_METRIC 255
#define MAX_TEXT 2048 /* descriptions and addresses */

/*
 * Workspaces
 */

static bool slug_is_valid(const char *slug) {
  for (const char *at = slug; *at; at++) {
    bool is_word = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9');
    if (!is_word && (*at != '-' || at == slug)) {
      return false;
    }
  }
  return true;
}

static const ts__field_t workspace_fields[] = {
    {.name = "name",
     .type = TS__FIELD_TEXT,
     .offset = offsetof(ts__workspace_config_t, name),
     .flags = TS__FIELD_REQUIRED,
     .min = 1,
     .max = MAX_NAME},
    {.name = "slug",
     .type = TS__FIELD_TEXT,
     .offset = offsetof(ts__workspace_config_t, slug),
     .flags = TS__FIELD_REQUIRED,
     .min = 1,
     .max = 63,
     .is_valid = slug_is_valid},
};

const ts__schema_t ts__workspace_schema =
    SCHEMA(workspace_fields, ts__workspace_config_t);

/*
 * Projects
 */

static const ts__field_t project_fields[] = {
    {.name = "name",
     .type = TS__FIELD_TEXT,
     .offset = offsetof(ts__project_config_t, name),
     .flags = TS__FIELD_NULLABLE,
     .min = 1,
     .max = MAX_NAME},
    {.name = "slack_webhook_url",
     .type = TS__FIELD_TEXT,
     .offset = offsetof(ts__project_config_t, slack_webhook_url),
     .flags = TS__FIELD_NULLABLE,
     .min = 1,
     .max = MAX_TEXT},
    {.name = "trace_id_url_template",
     .type = TS__FIELD_TEXT,
     .offset = offsetof(ts__project_config_t, trace_id_url_template),
     .flags = TS__FIELD_NULLABLE,
     .min = 1,
     .max = MAX_TEXT},
    {.name = "enable_signed_ingest",
     .type = TS__FIELD_BOOL,
     .offset = offsetof(ts__project_config_t, wants_signature)},
};

const ts__schema_t ts__project_schema =
    SCHEMA(project_fields, ts__project_config_t);

/*
 * Keys
 */

static const ts__field_t key_fields[] = {
    {.name = "name",
     .type = TS__FIELD_TEXT,
     .offset = offsetof(ts__plane_key_config_t, name),
     .flags = TS__FIELD_NULLABLE,
     .min = 1,
     .max = MAX_NAME},
};

const ts__schema_t ts__key_schema = SCHEMA(key_fields, ts__plane_key_config_t);

/*
 * Breakers
 */

static const char *const kinds[] = {
    "error_rate", "avg",    "p95",   "max",        "min",
    "sum",        "stddev", "count", "percentile", "consecutive_failures",
    "delta",      NULL};
static const char *const ops[] = {"gt", "gte", "lt", "lte", NULL};
static const char *const policies[] = {"optimistic", "conservative",
                                       "pessimistic", NULL};

#define BREAKER(member) .offset = offsetof(ts__breaker_config_t, member)
#define RANGE(range, usual) RANGE_OF(range, usual)
#define RANGE_OF(least, most, usual)                                           \
  .type = TS__FIELD_INTEGER, .flags = TS__FIELD_NULLABLE, .min = (least),      \
  .max = (most), .fallback = (usual)

static const ts__field_t breaker_fields[] = {
    {.name = "name",
     .type = TS__FIELD_TEXT,
     BREAKER(name),
     .flags = TS__FIELD_REQUIRED,
     .min = 1,
     .max = MAX_NAME},
    {.name = "metric",
     .type = TS__FIELD_TEXT,
     BREAKER(metric),
     .flags = TS__FIELD_REQUIRED,
     .min = 1,
     .max = MAX_METRIC},
    {.name = "kind",
     .type = TS__FIELD_ENUM,
     BREAKER(rule.kind),
     .flags = TS__FIELD_REQUIRED,
     .words = kinds,
     .fallback = TS_PLANE_KIND_ERROR_RATE},
    {.name = "kind_params",
     .type = TS__FIELD_OBJECT,
     BREAKER(kind_params),
     .flags = TS__FIELD_NULLABLE},
    {.name = "op",
     .type = TS__FIELD_ENUM,
     BREAKER(rule.op),
     .flags = TS__FIELD_REQUIRED,
     .words = ops,
     .fallback = TS_PLANE_OP_GT},
    {.name = "threshold",
     .type = TS__FIELD_NUMBER,
     BREAKER(rule.threshold),
     .flags = TS__FIELD_REQUIRED},
    {.name = "window_ms",
     BREAKER(rule.window_ms),
     RANGE(TS__WINDOW_RANGE, 60000)},
    {.name = "min_count",
     BREAKER(rule.min_count),
     RANGE(TS__MIN_COUNT_RANGE, 10)},
    {.name = "min_state_duration_ms",
     BREAKER(rule.min_state_duration_ms),
     RANGE(TS__DURATION_RANGE, 0)},
    {.name = "cooldown_ms",
     BREAKER(rule.cooldown_ms),
     RANGE(TS__DURATION_RANGE, 0)},
    {.name = "eval_interval_ms",
     BREAKER(rule.eval_interval_ms),
     RANGE(TS__INTERVAL_RANGE, 1000)},
    {.name = "recovery_allow_rate_ramp_steps",
     BREAKER(rule.ramp_steps),
     RANGE(TS__STEPS_RANGE, 4)},
    {.name = "half_open_backoff_enabled",
     .type = TS__FIELD_BOOL,
     BREAKER(rule.backoff_enabled),
     .flags = TS__FIELD_NULLABLE,
     .fallback = true},
    {.name = "half_open_backoff_cap_ms",
     BREAKER(rule.backoff_cap_ms),
     RANGE(TS__DURATION_RANGE, 300000)},
    {.name = "half_open_indeterminate_policy",
     .type = TS__FIELD_ENUM,
     BREAKER(rule.policy),
     .flags = TS__FIELD_NULLABLE,
     .words = policies,
     .fallback = TS_PLANE_POLICY_CONSERVATIVE},
    {.name = "actions",
     .type = TS__FIELD_OBJECT,
     BREAKER(actions),
     .flags = TS__FIELD_NULLABLE},
    {.name = "metadata",
     .type = TS__FIELD_PAIRS,
     BREAKER(metadata),
     .flags = TS__FIELD_NULLABLE,
     .code = "invalid_metadata"},
};

const ts__schema_t ts__breaker_schema =
    SCHEMA(breaker_fields, ts__breaker_config_t);

/*
 * Routers
 */

static const char *const modes[] = {"static", "canary", "weighted", NULL};

static const ts__field_t router_fields[] = {
    {.name = "name",
     .type = TS__FIELD_TEXT,
     .offset = offsetof(ts__router_config_t, name),
     .flags = TS__FIELD_REQUIRED,
     .min = 1,
     .max = MAX_NAME},
    {.name = "mode",
     .type = TS__FIELD_ENUM,
     .offset = offsetof(ts__router_config_t, mode),
     .words = modes,
     .fallback = TS__ROUTER_STATIC},
    {.name = "enabled",
     .type = TS__FIELD_BOOL,
     .offset = offsetof(ts__router_config_t, is_enabled),
     .fallback = true},
    {.name = "description",
     .type = TS__FIELD_TEXT,
     .offset = offsetof(ts__router_config_t, description),
     .flags = TS__FIELD_NULLABLE | TS__FIELD_FREE,
     .max = MAX_TEXT},
    {.name = "metadata",
     .type = TS__FIELD_PAIRS,
     .offset = offsetof(ts__router_config_t, metadata),
     .flags = TS__FIELD_NULLABLE,
     .code = "invalid_metadata"},
};

const ts__schema_t ts__router_schema =
    SCHEMA(router_fields, ts__router_config_t);

/*
 * Notification channels
 */

static const char *const channel_types[] = {"slack", "pagerduty", "email",
                                            "webhook", NULL};
static const char *const notices[] = {"trip", "recover", NULL};

static const ts__field_t channel_fields[] = {
    {.name = "name",
     .type = TS__FIELD_TEXT,
     .offset = offsetof(ts__channel_config_t, name),
     .min = 1,
     .max = MAX_NAME},
    {.name = "channel",
     .type = TS__FIELD_ENUM,
     .offset = offsetof(ts__channel_config_t, type),
     .flags = TS__FIELD_REQUIRED,
     .words = channel_types},
    {.name = "events",
     .type = TS__FIELD_WORDS,
     .offset = offsetof(ts__channel_config_t, events),
     .words = notices,
     .fallback = TS__NOTICE_TRIP | TS__NOTICE_RECOVER},
    {.name = "enabled",
     .type = TS__FIELD_BOOL,
     .offset = offsetof(ts__channel_config_t, is_enabled),
     .fallback = true},
    {.name = "config",
     .type = TS__FIELD_OBJECT,
     .offset = offsetof(ts__channel_config_t, config),
     .flags = TS__FIELD_REQUIRED},
};

const ts__schema_t ts__channel_schema =
    SCHEMA(channel_fields, ts__channel_config_t);

const ts__schema_t ts__shown_channel_schema = {
    channel_fields, COUNT(channel_fields) - 1, sizeof(ts__channel_config_t)};
