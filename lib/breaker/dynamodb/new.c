/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/bounds.h"
#include "base/err.h"
#include "base/sized.h"
#include "breaker/dynamodb/internal.h"
#include "service/reach.h"

/* The store's options, and its making on a real loop. */

#define MAX_REGION 63u
#define MIN_TABLE 3u
#define MAX_TABLE 255u

static bool has_only(const char *text, const char *signs, size_t least,
                     size_t most) {
  const size_t len = text != NULL ? strlen(text) : 0;
  return len >= least && len <= most && strspn(text, signs) == len;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789-"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static int check_times(const ts__log_t *log,
                       const ts_dynamodb_store_options_t *options) {
  if (options->timeout_ms < 1 || options->timeout_ms > TS_MAX_DURATION_MS) {
    return ts__option_invalid(log, "timeout_ms", "is out of range");
  }
  return options->connect_timeout_ms < 1 ||
                 options->connect_timeout_ms > TS_MAX_DURATION_MS
             ? ts__option_invalid(log, "connect_timeout_ms", "is out of range")
             : 0;
}

static int check(const ts__log_t *log,
                 const ts_dynamodb_store_options_t *options,
                 const ts__reach_t *reach) {
  int error = ts__option_allocator(log, options->allocator);
  if (error != 0) {
    return error;
  }
  if (!has_only(options->region, LOWER, 1, MAX_REGION)) {
    return ts__option_invalid(log, "region", "must be given, as \"us-east-1\"");
  }
  if (!has_only(options->table, LOWER UPPER "_.", MIN_TABLE, MAX_TABLE)) {
    return ts__option_invalid(log, "table", "must be a table's name");
  }
  if (options->credentials == NULL) {
    return ts__option_invalid(log, "credentials", "must be given");
  }
  if ((unsigned)options->log_level > TS_LOG_OFF) {
    return ts__option_invalid(log, "log_level", "is out of range");
  }
  error = check_times(log, options);
  return error != 0 ? error : ts__reach_check(log, reach);
}

/* An endpoint's path, if it has one, is not ours to sign. */
static int check_endpoint(const ts__log_t *log, const char *endpoint) {
  ts__url_t url;
  return ts__url_parse(&url, ts__str(endpoint)) == NULL && url.prefix.len > 0
             ? ts__option_invalid(log, "endpoint", "has a path")
             : 0;
}

static ts__reach_t reach_of(const ts_dynamodb_store_options_t *options,
                            const char *endpoint) {
  return (ts__reach_t){.base_url = endpoint,
                       .proxy_url = options->proxy_url,
                       .proxy_from_env = options->proxy_from_env,
                       .ca_file = options->ca_file,
                       .ca_path = options->ca_path,
                       .ca_pem = options->ca_pem,
                       .insecure_skip_tls_verification_for_tests =
                           options->insecure_skip_tls_verification_for_tests};
}

static int make(ts_store_t **result, struct uv_loop_s *loop,
                const ts_dynamodb_store_options_t *options,
                const ts__reach_t *reach, const ts__log_t *log) {
  ts__world_t world;
  ts__mem_t mem;
  ts__ddb_t *store = NULL;
  ts__mem_init(&mem, options->allocator);
  int error = ts__world_new(&world, loop, reach, &mem, log);
  if (error != 0) {
    return error;
  }
  error = ts__ddb_new(&store, options, reach, &mem, log, &world);
  if (error != 0) {
    ts__world_abandon(&world);
    return error;
  }
  *result = &store->base;
  return 0;
}

int ts_dynamodb_store_new(ts_store_t **store, struct uv_loop_s *loop,
                          const ts_dynamodb_store_options_t *given) {
  ts_dynamodb_store_options_t options = TS_DYNAMODB_STORE_OPTIONS_INIT;
  char endpoint[128];
  if (store == NULL) {
    return TS__EINVAL;
  }
  *store = NULL;
  if (loop == NULL || given == NULL) {
    return TS__EINVAL;
  }
  int error = ts__sized_copy(&options, sizeof options, sizeof options, given);
  if (error != 0) {
    return error;
  }
  snprintf(endpoint, sizeof endpoint, "https://dynamodb.%.63s.amazonaws.com",
           options.region != NULL ? options.region : "");
  const ts__log_t log = {options.on_log, options.data, options.log_level, NULL};
  const ts__reach_t reach = reach_of(
      &options, options.endpoint != NULL ? options.endpoint : endpoint);
  error = check(&log, &options, &reach);
  if (error == 0) {
    error = check_endpoint(&log, reach.base_url);
  }
  return error != 0 ? error : make(store, loop, &options, &reach, &log);
}
