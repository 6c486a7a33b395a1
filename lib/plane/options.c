/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <uv.h>

#include "base/bounds.h"
#include "base/err.h"
#include "plane/internal.h"

#define MAX_ID 128u
#define MAX_LIMIT 1000000000
#define MOST_CONNECTIONS 1000000
#define USUAL_CONNECTIONS 10000

int ts__plane_copy_sized(void *to, size_t to_size, const void *from,
                         size_t first) {
  size_t size = 0;
  memcpy(&size, from, sizeof(size));
  if (size < first) {
    return TS__EINVAL;
  }
  const unsigned char *bytes = from;
  for (size_t i = to_size; i < size; i++) {
    if (bytes[i]) {
      return TS__E2BIG;
    }
  }
  memset(to, 0, to_size);
  memcpy(to, from, size < to_size ? size : to_size);
  return 0;
}

void ts_plane_options_init_sized(ts_plane_options_t *options, size_t size) {
  static const ts_plane_options_t defaults = TS_PLANE_OPTIONS_INIT;
  memset(options, 0, size);
  memcpy(options, &defaults, size < sizeof(defaults) ? size : sizeof(defaults));
  options->size = size;
}

static bool text_is_valid(const char *text, size_t max) {
  return text && text[0] && strlen(text) <= max &&
         !ts__str_has_control(ts__str(text));
}

static bool key_is_valid(const char *key) {
  return !key || text_is_valid(key, TS__MAX_OPTION_TEXT);
}

static bool host_is_valid(const char *host) {
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  return host &&
         (uv_ip4_addr(host, 0, &v4) == 0 || uv_ip6_addr(host, 0, &v6) == 0);
}

/* A plane that is managed over HTTP needs no project to begin with. */
static bool project_is_valid(const ts_plane_options_t *options) {
  const char *id = options->project_id;
  return id ? text_is_valid(id, MAX_ID) && !strchr(id, '/')
            : options->admin_key != NULL;
}

static bool secret_is_valid(const ts_plane_options_t *options) {
  unsigned char key[TS__SECRET_BYTES];
  bool valid = !options->ingest_secret ||
               ts__secret_decode(key, ts__str(options->ingest_secret));
  ts__wipe(key, sizeof(key));
  return valid;
}

static bool allocator_is_valid(const ts_allocator_t *allocator) {
  return !allocator ||
         (allocator->malloc && allocator->realloc && allocator->free);
}

static bool limit_is_valid(int64_t limit) {
  return limit >= 0 && limit <= MAX_LIMIT;
}

/* NULL, or the name of the first option that is invalid. */
static const char *check(const ts_plane_options_t *options) {
  const struct {
    bool good;
    const char *name;
  } checks[] = {
      {host_is_valid(options->host), "host"},
      {!options->cert_file == !options->key_file, "cert_file and key_file"},
      {project_is_valid(options), "project_id"},
      {options->project_key && key_is_valid(options->project_key),
       "project_key"},
      {key_is_valid(options->foreign_key), "foreign_key"},
      {key_is_valid(options->admin_key), "admin_key"},
      {secret_is_valid(options), "ingest_secret"},
      {!options->enable_signed_ingest || options->ingest_secret,
       "enable_signed_ingest without ingest_secret"},
      {options->heartbeat_ms >= 1 &&
           options->heartbeat_ms <= TS_MAX_DURATION_MS,
       "heartbeat_ms"},
      {limit_is_valid(options->reads_per_key_minute), "reads_per_key_minute"},
      {limit_is_valid(options->reads_per_project_minute),
       "reads_per_project_minute"},
      {limit_is_valid(options->ingests_per_project_minute),
       "ingests_per_project_minute"},
      {limit_is_valid(options->admin_calls_per_minute),
       "admin_calls_per_minute"},
      {options->max_connections >= 0 &&
           options->max_connections <= MOST_CONNECTIONS,
       "max_connections"},
      {options->log_level >= TS_LOG_DEBUG && options->log_level <= TS_LOG_OFF,
       "log_level"},
  };
  for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
    if (!checks[i].good) {
      return checks[i].name;
    }
  }
  return NULL;
}

static int copy_texts(ts_plane_t *plane, const ts_plane_options_t *options) {
  const ts__mem_t *mem = &plane->mem;
  plane->host = ts__strdup(mem, options->host);
  plane->foreign_key = ts__strdup(mem, options->foreign_key);
  return !plane->host || (options->foreign_key && !plane->foreign_key)
             ? TS__ENOMEM
             : 0;
}

int ts__plane_options_copy(ts_plane_t *plane,
                           const ts_plane_options_t *options) {
  const char *wrong = check(options);
  plane->log = (ts__log_t){options->on_log, options->data, options->log_level};
  if (wrong) {
    TS__LOG(&plane->log, TS_LOG_ERROR, "an option of the plane is invalid",
            {"option", wrong});
    return TS__EINVAL;
  }
  plane->data = options->data;
  plane->port = options->port;
  plane->webhooks_anywhere = options->webhooks_anywhere;
  plane->heartbeat_ms = options->heartbeat_ms;
  if (options->admin_key) {
    ts__sha256_text(plane->admin_digest, ts__str(options->admin_key));
  }
  plane->is_tls = options->cert_file != NULL;
  plane->on_transition = options->on_transition;
  plane->on_sample = options->on_sample;
  plane->has_hooks = options->test_hooks;
  plane->limits = (ts__limits_t){
      options->reads_per_key_minute, options->reads_per_project_minute,
      options->ingests_per_project_minute, options->admin_calls_per_minute};
  plane->max_connections = options->max_connections > 0
                               ? (size_t)options->max_connections
                               : USUAL_CONNECTIONS;
  return copy_texts(plane, options);
}

static void free_key(const ts__mem_t *mem, char *key) {
  ts__free_secret(mem, key, key ? strlen(key) : 0);
}

void ts__plane_options_deinit(ts_plane_t *plane) {
  ts__free(&plane->mem, plane->host);
  free_key(&plane->mem, plane->foreign_key);
}

int ts__plane_options_begin(ts_plane_options_t *to,
                            const ts_plane_options_t *from) {
  if (!from) {
    return TS__EINVAL;
  }
  int r = ts__plane_copy_sized(to, sizeof(*to), from, sizeof(*to));
  return r || allocator_is_valid(to->allocator) ? r : TS__EINVAL;
}

/*
 * Routers and breakers
 */

void ts_plane_router_init_sized(ts_plane_router_t *router, size_t size) {
  static const ts_plane_router_t defaults = TS_PLANE_ROUTER_INIT;
  memset(router, 0, size);
  memcpy(router, &defaults, size < sizeof(defaults) ? size : sizeof(defaults));
  router->size = size;
}

void ts_plane_breaker_init_sized(ts_plane_breaker_t *breaker, size_t size) {
  static const ts_plane_breaker_t defaults = TS_PLANE_BREAKER_INIT;
  memset(breaker, 0, size);
  memcpy(breaker, &defaults, size < sizeof(defaults) ? size : sizeof(defaults));
  breaker->size = size;
}
