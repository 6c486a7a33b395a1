/* SPDX-License-Identifier: Apache-2.0 */
#include "client/options.h"

#include "base/err.h"
#include "base/sized.h"
#include "core/tags.h"
#include "service/reach.h"

void ts_client_options_init_sized(ts_client_options_t *options, size_t size) {
  const ts_client_options_t defaults = TS_CLIENT_OPTIONS_INIT;
  ts__sized_init(options, size, &defaults, sizeof defaults);
}

int ts__options_read(ts_client_options_t *values,
                     const ts_client_options_t *given) {
  if (given == NULL) {
    return TS__EINVAL;
  }
  return ts__sized_copy(values, sizeof *values, sizeof *values, given);
}

/* ----------------------------------------------------------------- checking */

static int check_project_id(const ts__log_t *log,
                            const ts_client_options_t *values) {
  const ts__str_t id = ts__str(values->project_id);
  if (id.len == 0) {
    return ts__option_invalid(log, "project_id", "is required");
  }
  if (ts__str_eq(id, TS__STR(".")) || ts__str_eq(id, TS__STR(".."))) {
    return ts__option_invalid(log, "project_id",
                              "would be a dot segment of the path");
  }
  return ts__option_text(log, "project_id", values->project_id);
}

static int check_api_key(const ts__log_t *log,
                         const ts_client_options_t *values) {
  if (ts__is_blank(values->api_key)) {
    return 0;
  }
  if (ts__str_starts_with(ts__str(values->api_key), TS__STR("eb_admin_"))) {
    return ts__option_invalid(
        log, "api_key", "is an admin key, which must not be used at run time");
  }
  return ts__option_text(log, "api_key", values->api_key);
}

/* The secret under its name or its deprecated one; NULL if none. */
static const char *given_secret(const ts_client_options_t *values) {
  return !ts__is_blank(values->ingest_secret) ? values->ingest_secret
         : !ts__is_blank(values->ingest_key)  ? values->ingest_key
                                              : NULL;
}

static int check_secret(const ts__log_t *log,
                        const ts_client_options_t *values) {
  unsigned char key[TS__SECRET_BYTES];
  const char *secret = given_secret(values);
  if (!ts__is_blank(values->ingest_secret) &&
      !ts__is_blank(values->ingest_key) &&
      strcmp(values->ingest_secret, values->ingest_key) != 0) {
    return ts__option_invalid(log, "ingest_key", "differs from ingest_secret");
  }
  if (secret == NULL) {
    return 0;
  }
  const bool good = ts__secret_decode(key, ts__str(secret));
  ts__wipe(key, sizeof key);
  return good ? 0
              : ts__option_invalid(
                    log, "ingest_secret",
                    "must be exactly 64 hexadecimal digits (an ik_ prefix "
                    "is not part of it)");
}

typedef struct range_s {
  const char *field;
  int64_t value;
  int64_t least;
  int64_t most;
} range_t;

static int check_ranges(const ts__log_t *log, const ts_client_options_t *v) {
  const int64_t longest = TS_MAX_DURATION_MS;
  const range_t ranges[] = {
      {"metadata_sync_interval_ms", v->metadata_sync_interval_ms, INT64_MIN,
       longest},
      {"init_timeout_ms", v->init_timeout_ms, 0, longest},
      {"batch_size", v->batch_size, 1, TS__MAX_BATCH_SIZE},
      {"flush_interval_ms", v->flush_interval_ms, 1, longest},
      {"buffer_capacity", v->buffer_capacity, 1, TS__MAX_BUFFER_CAPACITY},
      {"http_timeout_ms", v->http_timeout_ms, 1, longest},
      {"metadata_timeout_ms", v->metadata_timeout_ms, 1, longest},
      {"connect_timeout_ms", v->connect_timeout_ms, 1, longest},
      {"reconnect_min_ms", v->reconnect_min_ms, 1, longest},
      {"reconnect_max_ms", v->reconnect_max_ms, v->reconnect_min_ms, longest},
      {"sse_idle_timeout_ms", v->sse_idle_timeout_ms, 0, longest},
      {"stale_after_ms", v->stale_after_ms, INT64_MIN, longest},
      {"snapshot_grace_ms", v->snapshot_grace_ms, 0, longest},
      {"log_level", (int64_t)v->log_level, TS_LOG_DEBUG, TS_LOG_OFF},
  };
  for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
    if (ranges[i].value < ranges[i].least || ranges[i].value > ranges[i].most) {
      return ts__option_invalid(log, ranges[i].field, "is out of range");
    }
  }
  return 0;
}

/* The water marks, with their defaults: four fifths of the buffer, and five
 * eighths of the high mark, which is half of the buffer. */
static int64_t high_water(const ts_client_options_t *v) {
  const int64_t most = v->buffer_capacity;
  return v->high_water != 0 ? v->high_water : most - most / 5;
}

static int64_t low_water(const ts_client_options_t *v) {
  return v->low_water != 0 ? v->low_water : high_water(v) * 5 / 8;
}

static int check_water(const ts__log_t *log, const ts_client_options_t *v) {
  if (v->high_water < 0 || v->high_water > v->buffer_capacity) {
    return ts__option_invalid(log, "high_water", "is out of range");
  }
  return v->low_water >= 0 && low_water(v) < high_water(v)
             ? 0
             : ts__option_invalid(log, "low_water", "must be below high_water");
}

static int check_retries(const ts__log_t *log, const ts_client_options_t *v) {
  if (v->retry_backoff_ms == NULL) {
    return v->retry_backoff_count == 0
               ? 0
               : ts__option_invalid(log, "retry_backoff_ms",
                                    "is NULL with a count");
  }
  if (v->retry_backoff_count > 16) {
    return ts__option_invalid(log, "retry_backoff_count", "is out of range");
  }
  for (size_t i = 0; i < v->retry_backoff_count; i++) {
    if (v->retry_backoff_ms[i] < 0 || v->retry_backoff_ms[i] > 60000) {
      return ts__option_invalid(log, "retry_backoff_ms", "is out of range");
    }
  }
  return 0;
}

static int check_reach(const ts__log_t *log, const ts_client_options_t *v) {
  const ts__reach_t reach = TS__REACH_OF(v);
  const int error = ts__option_allocator(log, v->allocator);
  return error != 0 ? error : ts__reach_check(log, &reach);
}

static int check_tags(const ts__log_t *log, const ts_client_options_t *values) {
  if (!ts__tags_are_valid(values->global_tags, values->global_tag_count)) {
    return ts__option_invalid(log, "global_tags", "has a NULL");
  }
  return ts__tags_measure(values->global_tags, values->global_tag_count) <=
                 TS__MAX_SAMPLE
             ? 0
             : ts__option_invalid(log, "global_tags", "too long");
}

int ts__options_check(const ts__log_t *log, const ts_client_options_t *values) {
  static int (*const checks[])(const ts__log_t *,
                               const ts_client_options_t *) = {
      check_reach,  check_project_id, check_api_key, check_secret,
      check_ranges, check_water,      check_retries, check_tags,
  };
  for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
    const int error = checks[i](log, values);
    if (error != 0) {
      return error;
    }
  }
  return 0;
}

/* What is allowed but probably not meant. */
static void warn_about(const ts__options_t *options, const ts__log_t *log) {
  const char *key = options->api_key;
  if (options->values.offline) {
    return; /* neither is used */
  }
  if (key != NULL && !ts__str_starts_with(ts__str(key), TS__STR("eb_pk_"))) {
    TS__LOG(log, TS_LOG_WARN, "the API key does not look like a project key");
  }
  if (!options->is_signed) {
    TS__LOG(log, TS_LOG_WARN,
            "without an ingest secret samples are sent unsigned");
  }
  if (key == NULL && !options->values.fail_open) {
    TS__LOG(log, TS_LOG_WARN,
            "without an API key no breaker is known, and fail_open is false: "
            "every gated call will be rejected");
  }
}

/* ------------------------------------------------------------------ copying */

static bool copy_text(const ts__mem_t *mem, char **copy, const char *text) {
  *copy = ts__strdup(mem, text);
  return text == NULL || *copy != NULL;
}

static bool copy_tags(ts__options_t *options,
                      const ts_client_options_t *values) {
  const size_t size =
      ts__tags_measure(values->global_tags, values->global_tag_count);
  uint32_t count = 0;
  if (size == 0) {
    return true;
  }
  options->global_tags = ts__malloc(options->mem, size);
  if (options->global_tags == NULL) {
    return false;
  }
  (void)ts__tags_pack(values->global_tags, values->global_tag_count,
                      options->global_tags, size, &count);
  options->global_tags_len = size;
  return true;
}

static void copy_retries(ts__options_t *options,
                         const ts_client_options_t *values) {
  static const int64_t schedule[] = {100, 400, 1000};
  const bool given = values->retry_backoff_ms != NULL;
  options->retry_count = given ? values->retry_backoff_count : 3;
  for (size_t i = 0; i < options->retry_count; i++) {
    options->retry_backoff_ms[i] =
        given ? values->retry_backoff_ms[i] : schedule[i];
  }
}

static void copy_secret(ts__options_t *options,
                        const ts_client_options_t *values) {
  const char *secret = given_secret(values);
  options->is_signed =
      secret != NULL && ts__secret_decode(options->secret, ts__str(secret));
}

static bool copy_texts(ts__options_t *options,
                       const ts_client_options_t *values) {
  const ts__mem_t *mem = options->mem;
  const char *url =
      values->base_url != NULL ? values->base_url : TS_DEFAULT_BASE_URL;
  const char *key = ts__is_blank(values->api_key) ? NULL : values->api_key;
  const ts__reach_t reach = TS__REACH_OF(values);
  return copy_text(mem, &options->project_id, values->project_id) &&
         copy_text(mem, &options->api_key, key) &&
         copy_text(mem, &options->base_url, url) &&
         copy_text(mem, &options->proxy_url, ts__reach_proxy(&reach).url);
}

/* No pointer of the caller's stays in the values but callbacks and data. What
 * TLS needs is copied by the transport. */
static void forget_pointers(ts_client_options_t *values) {
  values->project_id = NULL;
  values->api_key = NULL;
  values->ingest_secret = NULL;
  values->ingest_key = NULL;
  values->base_url = NULL;
  values->global_tags = NULL;
  values->retry_backoff_ms = NULL;
  values->ca_file = NULL;
  values->ca_path = NULL;
  values->ca_pem = NULL;
  values->cert_file = NULL;
  values->key_file = NULL;
  values->cert_pem = NULL;
  values->key_pem = NULL;
  values->allocator = NULL;
  values->proxy_url = NULL;
}

static int64_t resolve_stale_after(const ts_client_options_t *values) {
  if (values->stale_after_ms != TS_STALE_AFTER_DEFAULT) {
    return values->stale_after_ms;
  }
  return values->fail_open ? 30000 : 0;
}

int ts__options_init(ts__options_t *options, const ts__mem_t *mem,
                     const ts__log_t *log, const ts_client_options_t *values) {
  *options = (ts__options_t){.mem = mem, .values = *values};
  copy_secret(options, values);
  copy_retries(options, values);
  options->stale_after_ms = resolve_stale_after(values);
  options->high_water =
      values->on_buffer_level != NULL ? (size_t)high_water(values) : SIZE_MAX;
  options->low_water = (size_t)low_water(values);
  forget_pointers(&options->values);
  if (!copy_texts(options, values) || !copy_tags(options, values)) {
    ts__options_deinit(options);
    return TS__ENOMEM;
  }
  ts__tags_log_skipped(log, values->global_tags, values->global_tag_count);
  warn_about(options, log);
  return 0;
}

void ts__options_deinit(ts__options_t *options) {
  if (options->mem == NULL) {
    return;
  }
  ts__free(options->mem, options->project_id);
  if (options->api_key != NULL) {
    ts__free_secret(options->mem, options->api_key, strlen(options->api_key));
  }
  if (options->proxy_url != NULL) {
    ts__free_secret(options->mem, options->proxy_url,
                    strlen(options->proxy_url));
  }
  ts__free(options->mem, options->base_url);
  ts__free(options->mem, options->global_tags);
  ts__wipe(options, sizeof *options);
}
