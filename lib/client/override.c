/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bounds.h"
#include "base/err.h"
#include "client/internal.h"

/* The embedder's own word about breakers. */

static bool is_name(const char *breaker) {
  return !ts__is_blank(breaker) && ts__str(breaker).len <= TS__MAX_BREAKER_NAME;
}

static bool is_override(ts_override_t override) {
  return override == TS_OVERRIDE_NONE || override == TS_OVERRIDE_CLOSED ||
         override == TS_OVERRIDE_OPEN;
}

int ts_client_override(ts_client_t *client, const char *breaker,
                       ts_override_t override) {
  if (client == NULL || !is_name(breaker) || !is_override(override)) {
    return TS__EINVAL;
  }
  int error = ts__client_check(client);
  if (error != 0) {
    return error;
  }
  char name[128]; /* before it goes: it may be the cache's own */
  ts__log_text(name, sizeof name, ts__str(breaker));
  error = ts__breakers_override(&client->breakers, ts__str(breaker), override);
  if (error == 0) {
    TS__LOG(&client->log, TS_LOG_INFO, "breaker overridden", {"breaker", name},
            {"by", ts_override_name(override)});
  }
  return error;
}

int ts_client_clear_overrides(ts_client_t *client) {
  if (client == NULL) {
    return TS__EINVAL;
  }
  const int error = ts__client_check(client);
  if (error == 0) {
    ts__breakers_clear_overrides(&client->breakers);
  }
  return error;
}
