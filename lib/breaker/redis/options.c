/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bounds.h"
#include "base/err.h"
#include "base/sized.h"
#include "breaker/redis/internal.h"
#include "service/reach.h"

/* Options of a Redis store: read, checked, copied. */

#define MAX_DATABASE 1000000

int ts__redis_read_options(ts_redis_store_options_t *values,
                           const ts_redis_store_options_t *theirs) {
  *values = (ts_redis_store_options_t)TS_REDIS_STORE_OPTIONS_INIT;
  return theirs != NULL
             ? ts__sized_copy(values, sizeof *values, sizeof *values, theirs)
             : 0;
}

ts__reach_t ts__redis_reach(const ts_redis_store_options_t *values) {
  return (ts__reach_t){
      .ca_file = values->ca_file,
      .ca_path = values->ca_path,
      .ca_pem = values->ca_pem,
      .cert_file = values->cert_file,
      .key_file = values->key_file,
      .cert_pem = values->cert_pem,
      .key_pem = values->key_pem,
      .insecure_skip_tls_verification_for_tests =
          values->insecure_skip_tls_verification_for_tests,
  };
}

static int check_prefix(const ts__log_t *log,
                        const ts_redis_store_options_t *values) {
  const ts__str_t prefix = ts__str(values->prefix);
  if (prefix.len > TS__MAX_REDIS_PREFIX) {
    return ts__option_invalid(log, "prefix", "too long");
  }
  for (size_t i = 0; i < prefix.len; i++) {
    const char c = prefix.ptr[i];
    if (c <= ' ' || c >= 0x7f || c == '{' || c == '}') {
      return ts__option_invalid(log, "prefix", "has a character of no use");
    }
  }
  return 0;
}

static int check_ranges(const ts__log_t *log,
                        const ts_redis_store_options_t *values) {
  const struct {
    const char *field;
    int64_t value;
    int64_t least;
    int64_t most;
  } ranges[] = {
      {"port", values->port, 1, 65535},
      {"database", values->database, 0, MAX_DATABASE},
      {"connect_timeout_ms", values->connect_timeout_ms, 1, TS_MAX_DURATION_MS},
      {"operation_timeout_ms", values->operation_timeout_ms, 1,
       TS_MAX_DURATION_MS},
      {"reconnect_min_ms", values->reconnect_min_ms, 1, TS_MAX_DURATION_MS},
      {"reconnect_max_ms", values->reconnect_max_ms, values->reconnect_min_ms,
       TS_MAX_DURATION_MS},
      {"log_level", (int64_t)values->log_level, TS_LOG_DEBUG, TS_LOG_OFF},
  };
  for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
    if (ranges[i].value < ranges[i].least || ranges[i].value > ranges[i].most) {
      return ts__option_invalid(log, ranges[i].field, "is out of range");
    }
  }
  return 0;
}

static int check_credentials(const ts__log_t *log,
                             const ts_redis_store_options_t *values) {
  if (ts__str(values->username).len > TS__MAX_OPTION_TEXT) {
    return ts__option_invalid(log, "username", "too long");
  }
  if (ts__str(values->password).len > TS__MAX_OPTION_TEXT) {
    return ts__option_invalid(log, "password", "too long");
  }
  return !ts__is_blank(values->username) && ts__is_blank(values->password)
             ? ts__option_invalid(log, "username", "goes with a password")
             : 0;
}

int ts__redis_check_options(const ts__log_t *log,
                            const ts_redis_store_options_t *values) {
  const ts__reach_t reach = ts__redis_reach(values);
  int error = ts__option_allocator(log, values->allocator);
  if (error == 0) {
    error = ts__option_text(log, "host", values->host);
  }
  if (error == 0) {
    error = check_credentials(log, values);
  }
  if (error == 0) {
    error = check_prefix(log, values);
  }
  if (error == 0) {
    error = check_ranges(log, values);
  }
  return error != 0 ? error : ts__reach_check(log, &reach);
}

/* ------------------------------------------------------------------ our copies */

static bool copy(const ts__mem_t *mem, const char **text, const char *instead) {
  const char *given = ts__is_blank(*text) ? instead : *text;
  *text = ts__strdup(mem, given);
  return given == NULL || *text != NULL;
}

/* What TLS needs is copied by the transport. */
int ts__redis_keep_options(ts_redis_store_options_t *values,
                           const ts__mem_t *mem) {
  const char *prefix = values->prefix != NULL ? values->prefix : "tsw:";
  const bool host = copy(mem, &values->host, "127.0.0.1");
  const bool username = copy(mem, &values->username, NULL);
  const bool password = copy(mem, &values->password, NULL);
  values->prefix = ts__strdup(mem, prefix);
  values->ca_file = values->ca_path = values->ca_pem = NULL;
  values->cert_file = values->key_file = NULL;
  values->cert_pem = values->key_pem = NULL;
  values->allocator = NULL;
  if (host && username && password && values->prefix != NULL) {
    return 0;
  }
  ts__redis_forget_options(values, mem);
  return TS__ENOMEM;
}

void ts__redis_forget_options(ts_redis_store_options_t *values,
                              const ts__mem_t *mem) {
  ts__free(mem, (void *)(uintptr_t)values->host);
  ts__free(mem, (void *)(uintptr_t)values->username);
  ts__free(mem, (void *)(uintptr_t)values->prefix);
  if (values->password != NULL) {
    ts__free_secret(mem, (void *)(uintptr_t)values->password,
                    strlen(values->password));
  }
}
