/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_ADMIN_TYPES_H
#define TRIPSWITCH_ADMIN_TYPES_H

/*
 * What the management API (admin.h) takes and gives. Results first have the
 * server's own member names; a member that was missing or null is NULL, or its
 * state is TS_OPT_UNSET. Every result belongs to the reply it came with
 * (ts_admin_reply_t): it lives until the callback returns, or, after
 * ts_admin_reply_ref, until ts_admin_reply_unref.
 *
 * Enumerations have a value UNKNOWN, for a text that this version does not
 * know; the server's text stands beside them. UNKNOWN cannot be sent.
 *
 * Inputs begin with their size. Initialise them with their macro; what is then
 * left alone is not sent. Everything in them is copied by the call.
 */

#include "tripswitch/client.h"

TS_BEGIN_DECLS

/* ---------------------------------------------------- values that may be not */

/* In a result NULL does not occur: it is UNSET. */
typedef enum ts_opt_e {
  TS_OPT_UNSET = 0, /* input: leave it as it is; result: it was not there */
  TS_OPT_NULL = 1,  /* input: clear it, back to the server's default */
  TS_OPT_SET = 2    /* `value` holds */
} ts_opt_t;

typedef struct ts_opt_string_s {
  ts_opt_t state;
  const char *value;
} ts_opt_string_t;

typedef struct ts_opt_int_s {
  ts_opt_t state;
  int64_t value;
} ts_opt_int_t;

typedef struct ts_opt_double_s {
  ts_opt_t state;
  double value; /* finite */
} ts_opt_double_t;

typedef struct ts_opt_bool_s {
  ts_opt_t state;
  bool value;
} ts_opt_bool_t;

/* One of the enumerations below; the member's comment says which. */
typedef struct ts_opt_enum_s {
  ts_opt_t state;
  int value;
} ts_opt_enum_t;

/* A whole map: what is there is replaced by these pairs, each with a value. */
typedef struct ts_opt_tags_s {
  ts_opt_t state;
  const ts_tag_t *items;
  size_t count;
} ts_opt_tags_t;

typedef struct ts_opt_strings_s {
  ts_opt_t state;
  const char *const *items;
  size_t count;
} ts_opt_strings_t;

/*
 * Initialisers for the five above that have a `value`:
 *   ts_admin_breaker_update_t update = TS_ADMIN_BREAKER_UPDATE_INIT;
 *   ts_opt_int_t window = TS_SET(60000);     or, in an assignment,
 *   update.window_ms = ts_set_int(60000);
 * Any of them is cleared by its state: update.kind_params.state = TS_OPT_NULL.
 */
#define TS_SET(value)                                                          \
  { TS_OPT_SET, (value) }
#define TS_CLEAR                                                               \
  { TS_OPT_NULL, 0 }

static inline ts_opt_string_t ts_set_string(const char *value) {
  ts_opt_string_t opt = {TS_OPT_SET, value};
  return opt;
}

static inline ts_opt_int_t ts_set_int(int64_t value) {
  ts_opt_int_t opt = {TS_OPT_SET, value};
  return opt;
}

static inline ts_opt_double_t ts_set_double(double value) {
  ts_opt_double_t opt = {TS_OPT_SET, value};
  return opt;
}

static inline ts_opt_bool_t ts_set_bool(bool value) {
  ts_opt_bool_t opt = {TS_OPT_SET, value};
  return opt;
}

static inline ts_opt_enum_t ts_set_enum(int value) {
  ts_opt_enum_t opt = {TS_OPT_SET, value};
  return opt;
}

static inline ts_opt_tags_t ts_set_tags(const ts_tag_t *items, size_t count) {
  ts_opt_tags_t opt = {TS_OPT_SET, items, count};
  return opt;
}

static inline ts_opt_strings_t ts_set_strings(const char *const *items,
                                              size_t count) {
  ts_opt_strings_t opt = {TS_OPT_SET, items, count};
  return opt;
}

/* --------------------------------------------------------- parts of results */

/* A moment, as the server wrote it and, if that was understood, as Unix
 * milliseconds. One without an offset is UTC. */
typedef struct ts_admin_time_s {
  const char *text; /* NULL: none */
  int64_t ms;       /* if is_valid */
  bool is_valid;
} ts_admin_time_t;

typedef struct ts_admin_strings_s {
  const char *const *items;
  size_t count;
} ts_admin_strings_t;

/* Metadata: pairs of texts set by people; no value is NULL. */
typedef struct ts_admin_tags_s {
  const ts_tag_t *items;
  size_t count;
} ts_admin_tags_t;

/* -------------------------------------------------------------- enumerations */

/* What a breaker computes from its window. */
typedef enum ts_admin_breaker_kind_e {
  TS_ADMIN_KIND_UNKNOWN = 0,
  TS_ADMIN_KIND_ERROR_RATE = 1, /* "error_rate" */
  TS_ADMIN_KIND_AVG = 2,        /* "avg" */
  TS_ADMIN_KIND_P95 = 3,        /* "p95" */
  TS_ADMIN_KIND_MAX = 4,        /* "max" */
  TS_ADMIN_KIND_MIN = 5,        /* "min" */
  TS_ADMIN_KIND_SUM = 6,        /* "sum" */
  TS_ADMIN_KIND_STDDEV = 7,     /* "stddev" */
  TS_ADMIN_KIND_COUNT = 8,      /* "count" */
  TS_ADMIN_KIND_PERCENTILE = 9, /* "percentile"; which one: kind_params */
  TS_ADMIN_KIND_CONSECUTIVE_FAILURES = 10, /* "consecutive_failures" */
  TS_ADMIN_KIND_DELTA = 11                 /* "delta" */
} ts_admin_breaker_kind_t;

/* How the value is compared with the threshold, to trip. */
typedef enum ts_admin_op_e {
  TS_ADMIN_OP_UNKNOWN = 0,
  TS_ADMIN_OP_GT = 1,  /* "gt" */
  TS_ADMIN_OP_LT = 2,  /* "lt" */
  TS_ADMIN_OP_GTE = 3, /* "gte" */
  TS_ADMIN_OP_LTE = 4  /* "lte" */
} ts_admin_op_t;

/* What a half-open breaker does when too little was measured to decide. */
typedef enum ts_admin_policy_e {
  TS_ADMIN_POLICY_UNKNOWN = 0,
  TS_ADMIN_POLICY_OPTIMISTIC = 1,   /* "optimistic" */
  TS_ADMIN_POLICY_CONSERVATIVE = 2, /* "conservative" */
  TS_ADMIN_POLICY_PESSIMISTIC = 3   /* "pessimistic" */
} ts_admin_policy_t;

typedef enum ts_admin_router_mode_e {
  TS_ADMIN_MODE_UNKNOWN = 0,
  TS_ADMIN_MODE_STATIC = 1,  /* "static" */
  TS_ADMIN_MODE_CANARY = 2,  /* "canary" */
  TS_ADMIN_MODE_WEIGHTED = 3 /* "weighted" */
} ts_admin_router_mode_t;

/* Where a notification goes. */
typedef enum ts_admin_channel_type_e {
  TS_ADMIN_CHANNEL_UNKNOWN = 0,
  TS_ADMIN_CHANNEL_SLACK = 1,     /* "slack" */
  TS_ADMIN_CHANNEL_PAGERDUTY = 2, /* "pagerduty" */
  TS_ADMIN_CHANNEL_EMAIL = 3,     /* "email" */
  TS_ADMIN_CHANNEL_WEBHOOK = 4    /* "webhook" */
} ts_admin_channel_type_t;

/* What is notified of. */
typedef enum ts_admin_notice_e {
  TS_ADMIN_NOTICE_UNKNOWN = 0,
  TS_ADMIN_NOTICE_TRIP = 1,   /* "trip" */
  TS_ADMIN_NOTICE_RECOVER = 2 /* "recover" */
} ts_admin_notice_t;

/* ---------------------------------------------------------------- workspaces */

typedef struct ts_admin_workspace_s {
  const char *id; /* never NULL */
  const char *name;
  const char *slug;
  const char *org_id;
  ts_admin_time_t inserted_at;
} ts_admin_workspace_t;

typedef struct ts_admin_workspaces_s {
  const ts_admin_workspace_t *items;
  size_t count;
} ts_admin_workspaces_t;

typedef struct ts_admin_workspace_create_s {
  size_t size;
  const char *name; /* required, at most 512 bytes */
  const char *slug; /* required, at most 512 bytes */
} ts_admin_workspace_create_t;
#define TS_ADMIN_WORKSPACE_CREATE_INIT                                         \
  { sizeof(ts_admin_workspace_create_t), NULL, NULL }

/* Nothing of it can be cleared. */
typedef struct ts_admin_workspace_update_s {
  size_t size;
  ts_opt_string_t name; /* at most 512 bytes */
  ts_opt_string_t slug; /* at most 512 bytes */
} ts_admin_workspace_update_t;
/* clang-format off */
#define TS_ADMIN_WORKSPACE_UPDATE_INIT                                         \
  { sizeof(ts_admin_workspace_update_t), {TS_OPT_UNSET, NULL},                 \
    {TS_OPT_UNSET, NULL} }
/* clang-format on */

/* ------------------------------------------------------------------ projects */

typedef struct ts_admin_project_s {
  const char *project_id; /* never NULL */
  const char *workspace_id;
  const char *name;
  const char *slack_webhook_url;
  const char *trace_id_url_template; /* "{{value}}" stands for the trace id */
  bool enable_signed_ingest;         /* false if the server does not say */
  ts_admin_time_t inserted_at;       /* in lists */

  /* 64 hexadecimal digits: keep them safe. Only in the answer to a creation;
   * wiped when the reply is freed. */
  const char *ingest_secret;
} ts_admin_project_t;

typedef struct ts_admin_projects_s {
  const ts_admin_project_t *items;
  size_t count;
  ts_opt_int_t total; /* the server's member `count` */
} ts_admin_projects_t;

/* The answer to a rotation. */
typedef struct ts_admin_secret_s {
  const char *ingest_secret; /* 64 hexadecimal digits; as above */
} ts_admin_secret_t;

typedef struct ts_admin_project_create_s {
  size_t size;
  ts_opt_string_t name;         /* at most 512 bytes; may be cleared */
  ts_opt_string_t workspace_id; /* 1..128 bytes; today's servers require it */
} ts_admin_project_create_t;
/* clang-format off */
#define TS_ADMIN_PROJECT_CREATE_INIT                                           \
  { sizeof(ts_admin_project_create_t), {TS_OPT_UNSET, NULL},                   \
    {TS_OPT_UNSET, NULL} }
/* clang-format on */

typedef struct ts_admin_project_update_s {
  size_t size;
  ts_opt_string_t name;                  /* at most 512 bytes; clearable */
  ts_opt_string_t slack_webhook_url;     /* at most 4096 bytes; clearable */
  ts_opt_string_t trace_id_url_template; /* at most 4096 bytes; clearable */
  ts_opt_bool_t enable_signed_ingest;
} ts_admin_project_update_t;
/* clang-format off */
#define TS_ADMIN_PROJECT_UPDATE_INIT                                           \
  { sizeof(ts_admin_project_update_t), {TS_OPT_UNSET, NULL},                   \
    {TS_OPT_UNSET, NULL}, {TS_OPT_UNSET, NULL}, {TS_OPT_UNSET, false} }
/* clang-format on */

/* -------------------------------------------------------------- project keys */

typedef struct ts_admin_key_s {
  const char *id; /* never NULL */
  const char *name;
  const char *key_prefix;
  ts_admin_time_t last_used_at;
  ts_admin_time_t inserted_at;

  /* The key itself and a text for people: only in the answer to a creation.
   * The key is wiped when the reply is freed. */
  const char *key;
  const char *message;
} ts_admin_key_t;

typedef struct ts_admin_keys_s {
  const ts_admin_key_t *items;
  size_t count;
  ts_opt_int_t total; /* the server's member `count` */
} ts_admin_keys_t;

/* ------------------------------------------------------------------ breakers */

/* Durations are milliseconds. Inside a router only `id` and `name` may be
 * there. */
typedef struct ts_admin_breaker_s {
  const char *id;                /* never NULL */
  ts_admin_strings_t router_ids; /* that feed it */
  const char *name;              /* what calls are gated by */
  const char *metric;            /* which samples it looks at */
  ts_admin_breaker_kind_t kind;  /* what it computes from them */
  const char *kind_text;
  const char *kind_params; /* a JSON object, as text */
  ts_admin_op_t op;        /* how that compares with ... */
  const char *op_text;
  ts_opt_double_t threshold;               /* ... this, to trip */
  ts_opt_int_t window_ms;                  /* how far back it looks */
  ts_opt_int_t min_count;                  /* samples it takes to decide */
  ts_opt_int_t min_state_duration_ms;      /* shortest stay in a state */
  ts_opt_int_t cooldown_ms;                /* open, before it is half-open */
  ts_opt_int_t eval_interval_ms;           /* between two decisions */
  ts_opt_int_t half_open_confirmation_ms;  /* the server computes it */
  ts_opt_bool_t half_open_backoff_enabled; /* does the cooldown grow? */
  ts_opt_int_t half_open_backoff_cap_ms;   /* up to this */
  ts_admin_policy_t half_open_indeterminate_policy;
  const char *half_open_indeterminate_policy_text; /* NULL: not there */
  ts_opt_int_t recovery_window_ms;                 /* the server computes it */
  ts_opt_int_t recovery_allow_rate_ramp_steps;     /* from open to closed */
  const char *actions;                             /* a JSON object, as text */
  ts_admin_tags_t metadata;
} ts_admin_breaker_t;

typedef struct ts_admin_breakers_s {
  const ts_admin_breaker_t *items;
  size_t count;
  ts_opt_int_t total; /* the server's member `count` */
  const char *hash;   /* of the content; the ETag is in the reply */
  ts_admin_time_t updated_at;
  const char *next_cursor; /* NULL: this is the last page */
} ts_admin_breakers_t;

/*
 * The members mean what they mean in ts_admin_breaker_t. The ranges of numbers,
 * and what they are when they are left unset or cleared, are the server's:
 * plane.h names those of libtripswitch-plane; cooldown_ms is 0 and
 * half_open_backoff_enabled true by default at the service.
 */
typedef struct ts_admin_breaker_create_s {
  size_t size;
  const char *name;             /* required, at most 512 bytes */
  const char *metric;           /* required, at most 1024 bytes */
  ts_admin_breaker_kind_t kind; /* required */
  ts_admin_op_t op;             /* required */
  double threshold;             /* finite; default 0 */
  ts_opt_string_t kind_params;  /* a JSON object, as text: at most 256 KiB */
  ts_opt_int_t window_ms;
  ts_opt_int_t min_count;
  ts_opt_int_t min_state_duration_ms;
  ts_opt_int_t cooldown_ms;
  ts_opt_int_t eval_interval_ms;
  ts_opt_bool_t half_open_backoff_enabled;
  ts_opt_int_t half_open_backoff_cap_ms;
  ts_opt_enum_t half_open_indeterminate_policy; /* ts_admin_policy_t */
  ts_opt_int_t recovery_allow_rate_ramp_steps;
  ts_opt_string_t actions; /* a JSON object, as text: at most 256 KiB */
  ts_opt_tags_t metadata;  /* keys at most 256 bytes, values at most 1020 */
} ts_admin_breaker_create_t;
/* clang-format off */
#define TS_ADMIN_BREAKER_CREATE_INIT                                           \
  { sizeof(ts_admin_breaker_create_t), NULL, NULL, TS_ADMIN_KIND_UNKNOWN,      \
    TS_ADMIN_OP_UNKNOWN, 0.0, {TS_OPT_UNSET, NULL}, {TS_OPT_UNSET, 0},         \
    {TS_OPT_UNSET, 0}, {TS_OPT_UNSET, 0}, {TS_OPT_UNSET, 0},                   \
    {TS_OPT_UNSET, 0}, {TS_OPT_UNSET, false}, {TS_OPT_UNSET, 0},               \
    {TS_OPT_UNSET, 0}, {TS_OPT_UNSET, 0}, {TS_OPT_UNSET, NULL},                \
    {TS_OPT_UNSET, NULL, 0} }
/* clang-format on */

/* All but the first five can be cleared. */
typedef struct ts_admin_breaker_update_s {
  size_t size;
  ts_opt_string_t name;        /* at most 512 bytes */
  ts_opt_string_t metric;      /* at most 1024 bytes */
  ts_opt_enum_t kind;          /* ts_admin_breaker_kind_t */
  ts_opt_enum_t op;            /* ts_admin_op_t */
  ts_opt_double_t threshold;   /* finite */
  ts_opt_string_t kind_params; /* a JSON object, as text */
  ts_opt_int_t window_ms;
  ts_opt_int_t min_count;
  ts_opt_int_t min_state_duration_ms;
  ts_opt_int_t cooldown_ms;
  ts_opt_int_t eval_interval_ms;
  ts_opt_bool_t half_open_backoff_enabled;
  ts_opt_int_t half_open_backoff_cap_ms;
  ts_opt_enum_t half_open_indeterminate_policy; /* ts_admin_policy_t */
  ts_opt_int_t recovery_allow_rate_ramp_steps;
  ts_opt_string_t actions; /* a JSON object, as text */
  ts_opt_tags_t metadata;  /* replaces all of it */
} ts_admin_breaker_update_t;
/* clang-format off */
#define TS_ADMIN_BREAKER_UPDATE_INIT                                           \
  { sizeof(ts_admin_breaker_update_t), {TS_OPT_UNSET, NULL},                   \
    {TS_OPT_UNSET, NULL}, {TS_OPT_UNSET, 0}, {TS_OPT_UNSET, 0},                \
    {TS_OPT_UNSET, 0.0}, {TS_OPT_UNSET, NULL}, {TS_OPT_UNSET, 0},              \
    {TS_OPT_UNSET, 0}, {TS_OPT_UNSET, 0}, {TS_OPT_UNSET, 0},                   \
    {TS_OPT_UNSET, 0}, {TS_OPT_UNSET, false}, {TS_OPT_UNSET, 0},               \
    {TS_OPT_UNSET, 0}, {TS_OPT_UNSET, 0}, {TS_OPT_UNSET, NULL},                \
    {TS_OPT_UNSET, NULL, 0} }
/* clang-format on */

/* The answer to a change of metadata: all there is now. */
typedef struct ts_admin_metadata_s {
  const char *id;
  const char *name;
  ts_admin_tags_t metadata;
} ts_admin_metadata_t;

/* ------------------------------------------------------------ breaker states */

typedef struct ts_admin_state_s {
  const char *breaker_id; /* never NULL */
  const char *name;
  ts_breaker_state_t state;
  const char *state_text;
  double
      allow_rate; /* 0..1; if the server does not say, 1 for closed, else 0 */
  ts_admin_time_t updated_at;
  ts_opt_int_t state_since_ms; /* Unix milliseconds, as the next two */
  ts_opt_int_t last_eval_ms;
  ts_opt_int_t next_eval_ms;
  ts_opt_bool_t indeterminate;
} ts_admin_state_t;

typedef struct ts_admin_states_s {
  const ts_admin_state_t *items;
  size_t count;
} ts_admin_states_t;

/* Whose states; both: all of them. */
typedef struct ts_admin_states_query_s {
  size_t size;
  const char *const *breaker_ids; /* each 1..128 bytes */
  size_t breaker_id_count;
  const char *router_id; /* NULL: none; else 1..128 bytes */
} ts_admin_states_query_t;
#define TS_ADMIN_STATES_QUERY_INIT                                             \
  { sizeof(ts_admin_states_query_t), NULL, 0, NULL }

/* ------------------------------------------------------------------- routers */

typedef struct ts_admin_router_s {
  const char *id; /* never NULL */
  const char *name;
  ts_admin_router_mode_t mode;
  const char *mode_text;
  ts_opt_bool_t enabled; /* unset: the server does not say */
  const char *description;
  ts_opt_int_t breaker_count;   /* in lists */
  ts_admin_breakers_t breakers; /* not in lists; items and count alone */
  ts_admin_time_t inserted_at;
  const char *created_by;
  ts_admin_tags_t metadata;
} ts_admin_router_t;

typedef struct ts_admin_routers_s {
  const ts_admin_router_t *items;
  size_t count;
  const char *next_cursor; /* NULL: this is the last page */
} ts_admin_routers_t;

typedef struct ts_admin_router_create_s {
  size_t size;
  const char *name;             /* required, at most 512 bytes */
  ts_opt_enum_t mode;           /* ts_admin_router_mode_t */
  ts_opt_bool_t enabled;        /* the plane: true */
  ts_opt_string_t description;  /* at most 4096 bytes; may be null */
  ts_opt_strings_t breaker_ids; /* linked at once; each 1..128 bytes */
  ts_opt_tags_t metadata;
} ts_admin_router_create_t;
/* clang-format off */
#define TS_ADMIN_ROUTER_CREATE_INIT                                            \
  { sizeof(ts_admin_router_create_t), NULL, {TS_OPT_UNSET, 0},                 \
    {TS_OPT_UNSET, false}, {TS_OPT_UNSET, NULL}, {TS_OPT_UNSET, NULL, 0},      \
    {TS_OPT_UNSET, NULL, 0} }
/* clang-format on */

typedef struct ts_admin_router_update_s {
  size_t size;
  ts_opt_string_t name; /* at most 512 bytes */
  ts_opt_enum_t mode;   /* ts_admin_router_mode_t */
  ts_opt_bool_t enabled;
  ts_opt_string_t description; /* at most 4096 bytes; clearable */
  ts_opt_tags_t metadata;      /* replaces all of it; clearable */
} ts_admin_router_update_t;
/* clang-format off */
#define TS_ADMIN_ROUTER_UPDATE_INIT                                            \
  { sizeof(ts_admin_router_update_t), {TS_OPT_UNSET, NULL},                    \
    {TS_OPT_UNSET, 0}, {TS_OPT_UNSET, false}, {TS_OPT_UNSET, NULL},            \
    {TS_OPT_UNSET, NULL, 0} }
/* clang-format on */

/* ----------------------------------------------------- notification channels */

typedef struct ts_admin_noticed_s {
  ts_admin_notice_t notice;
  const char *text; /* never NULL */
} ts_admin_noticed_t;

typedef struct ts_admin_notices_s {
  const ts_admin_noticed_t *items;
  size_t count;
} ts_admin_notices_t;

typedef struct ts_admin_channel_s {
  const char *id; /* never NULL */
  const char *project_id;
  const char *name;
  ts_admin_channel_type_t channel;
  const char *channel_text;
  const char *config; /* a JSON object, as text; secrets in it are masked */
  ts_admin_notices_t events;
  ts_opt_bool_t enabled;
  ts_admin_time_t created_at;
  ts_admin_time_t updated_at;
} ts_admin_channel_t;

typedef struct ts_admin_channels_s {
  const ts_admin_channel_t *items;
  size_t count;
  const char *next_cursor; /* NULL: this is the last page */
} ts_admin_channels_t;

typedef struct ts_opt_notices_s {
  ts_opt_t state;
  const ts_admin_notice_t *items;
  size_t count;
} ts_opt_notices_t;

static inline ts_opt_notices_t ts_set_notices(const ts_admin_notice_t *items,
                                              size_t count) {
  ts_opt_notices_t opt = {TS_OPT_SET, items, count};
  return opt;
}

typedef struct ts_admin_channel_create_s {
  size_t size;
  ts_admin_channel_type_t channel; /* required; cannot be changed later */
  const char *config;              /* required: a JSON object, as text. Slack:
                         {"webhook_url": ...}, a webhook: {"url": ...} */
  ts_opt_string_t name;            /* at most 512 bytes */
  ts_opt_notices_t events;
  ts_opt_bool_t enabled;
} ts_admin_channel_create_t;
/* clang-format off */
#define TS_ADMIN_CHANNEL_CREATE_INIT                                           \
  { sizeof(ts_admin_channel_create_t), TS_ADMIN_CHANNEL_UNKNOWN, NULL,         \
    {TS_OPT_UNSET, NULL}, {TS_OPT_UNSET, NULL, 0}, {TS_OPT_UNSET, false} }
/* clang-format on */

/* Nothing of it can be cleared. */
typedef struct ts_admin_channel_update_s {
  size_t size;
  ts_opt_string_t name;   /* at most 512 bytes */
  ts_opt_string_t config; /* a JSON object, as text */
  ts_opt_notices_t events;
  ts_opt_bool_t enabled;
} ts_admin_channel_update_t;
/* clang-format off */
#define TS_ADMIN_CHANNEL_UPDATE_INIT                                           \
  { sizeof(ts_admin_channel_update_t), {TS_OPT_UNSET, NULL},                   \
    {TS_OPT_UNSET, NULL}, {TS_OPT_UNSET, NULL, 0}, {TS_OPT_UNSET, false} }
/* clang-format on */

/* -------------------------------------------------------------------- events */

/* A breaker changed its state. */
typedef struct ts_admin_event_s {
  const char *id;
  const char *project_id;
  const char *breaker_id;
  const char *name; /* of the breaker */
  ts_breaker_state_t from_state;
  const char *from_state_text;
  ts_breaker_state_t to_state;
  const char *to_state_text;
  const char *reason;
  ts_admin_time_t timestamp; /* `text` is NULL if only ts_ms was sent */
  ts_opt_int_t ts_ms;        /* the same moment */
  ts_opt_int_t transition_seq;
  const char *agg;  /* what was measured: any JSON, as text */
  const char *rule; /* which rule applied: any JSON, as text */
} ts_admin_event_t;

typedef struct ts_admin_events_s {
  const ts_admin_event_t *items;
  size_t count;
  ts_opt_int_t returned;   /* as the server counts this page */
  const char *next_cursor; /* NULL: this is the last page */
} ts_admin_events_t;

/* ------------------------------------------------------------------- queries */

/* Part of a list. */
typedef struct ts_admin_page_s {
  size_t size;
  const char *cursor; /* next_cursor of the page before; NULL: the first page */
  int64_t limit;      /* items of a page; <= 0: the server's default */
} ts_admin_page_t;
#define TS_ADMIN_PAGE_INIT                                                     \
  { sizeof(ts_admin_page_t), NULL, 0 }

typedef struct ts_admin_events_query_s {
  size_t size;
  const char *breaker_id;     /* NULL: of all; else 1..128 bytes */
  ts_opt_int_t start_time_ms; /* Unix milliseconds, of the years 0 to 9999 */
  ts_opt_int_t end_time_ms;
  const char *cursor; /* as above */
  int64_t limit;
} ts_admin_events_query_t;
/* clang-format off */
#define TS_ADMIN_EVENTS_QUERY_INIT                                             \
  { sizeof(ts_admin_events_query_t), NULL, {TS_OPT_UNSET, 0},                  \
    {TS_OPT_UNSET, 0}, NULL, 0 }
/* clang-format on */

TS_END_DECLS

#endif /* TRIPSWITCH_ADMIN_TYPES_H */
