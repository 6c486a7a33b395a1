/* SPDX-License-Identifier: Apache-2.0 */
#include "breaker/sharing.h"
#include "core/record.h"

/* Can a breaker be shared like this, and what does its store have to know? */

#define MIN_STALE_MS 5000
#define LINGER_MS 30000
#define MIN_RETENTION_MS INT64_C(86400000)

static bool is_duration(int64_t ms) {
  return ms >= 0 && ms <= TS_MAX_DURATION_MS;
}

static const char *check_times(const ts_breaker_options_t *options) {
  if (!is_duration(options->sync_ms)) {
    return "sync_ms";
  }
  if (!is_duration(options->max_stale_ms)) {
    return "max_stale_ms";
  }
  return is_duration(options->lease_spread_ms) ? NULL : "lease_spread_ms";
}

static const char *check_with_store(const ts_breaker_options_t *options) {
  const ts_store_ops_t *ops = options->store->ops;
  if (options->share != TS_SHARE_STATE &&
      (options->share != TS_SHARE_COUNTS ||
       (ops->caps & TS_STORE_COUNTS) == 0)) {
    return "share";
  }
  if (options->window == TS_WINDOW_CALLS) {
    return "window";
  }
  if (options->probe_slots > ops->max_probe_slots ||
      options->probe_slots > TS__MAX_LEASES) {
    return "probe_slots";
  }
  if (options->min_reporters < 1 ||
      options->min_reporters > TS__MAX_REPORTERS) {
    return "min_reporters";
  }
  return (unsigned)options->on_stale > TS_ON_STALE_ALLOW ? "on_stale" : NULL;
}

static void fill_in(ts_breaker_options_t *options) {
  const ts_store_ops_t *ops = options->store->ops;
  if (options->sync_ms == 0) {
    options->sync_ms = ops->sync_ms > 0 ? ops->sync_ms : 1;
  }
  if (options->lease_spread_ms == 0) {
    options->lease_spread_ms = ops->lease_spread_ms;
  }
  if (options->max_stale_ms == 0) {
    const int64_t ms = 10 * options->sync_ms;
    options->max_stale_ms = ms > MIN_STALE_MS ? ms : MIN_STALE_MS;
  }
}

const char *ts__sharing_check(ts_breaker_options_t *options) {
  if (options->store == NULL) {
    return NULL;
  }
  const char *field = check_times(options);
  field = field != NULL ? field : check_with_store(options);
  if (field == NULL) {
    fill_in(options);
  }
  return field;
}

/* ----------------------------------------------------------------------- rules */

/* FNV-1a, the same on every machine. */
static uint32_t mix(uint32_t hash, uint64_t value) {
  for (int i = 0; i < 8; i++, value >>= 8) {
    hash = (hash ^ (uint32_t)(value & 0xff)) * UINT32_C(16777619);
  }
  return hash;
}

static uint32_t fingerprint(const ts_store_rule_t *rule, ts_share_t share) {
  const uint64_t parts[] = {rule->consec,
                            rule->rate_pct,
                            rule->min_calls,
                            (uint64_t)rule->window,
                            (uint64_t)rule->window_ms,
                            (uint64_t)rule->open_ms,
                            (uint64_t)(rule->open_mult * 1000.0),
                            (uint64_t)rule->open_max_ms,
                            rule->probe_slots,
                            rule->probe_need,
                            (uint64_t)rule->probe_ms,
                            rule->min_reporters,
                            (uint64_t)share};
  uint32_t hash = UINT32_C(2166136261);
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    hash = mix(hash, parts[i]);
  }
  return hash != 0 ? hash : 1;
}

static int64_t retention(int64_t open_max_ms) {
  return open_max_ms > MIN_RETENTION_MS / 4 ? 4 * open_max_ms
                                            : MIN_RETENTION_MS;
}

/* Who is told of changes need not ask for them. */
static int64_t linger_of(const ts_store_t *store) {
  return (store->ops->caps & TS_STORE_PUSH) != 0 ? 0 : LINGER_MS;
}

void ts__sharing_read_rule(const ts_breaker_options_t *options,
                           ts_store_rule_t *rule,
                           ts__shared_rule_t *view_rule) {
  const int64_t open_max_ms =
      options->open_max_ms != 0 ? options->open_max_ms : 10 * options->open_ms;
  const bool has_window = options->window != TS_WINDOW_NONE;
  *rule = (ts_store_rule_t){.consec = options->consec,
                            .rate_pct = options->rate_pct,
                            .min_calls = options->min_calls,
                            .window = options->window,
                            .window_ms = has_window ? options->window_ms : 0,
                            .open_ms = options->open_ms,
                            .open_mult = options->open_mult,
                            .open_max_ms = open_max_ms,
                            .probe_slots = options->probe_slots,
                            .probe_need = options->probe_need,
                            .probe_ms = options->probe_ms,
                            .min_reporters = options->min_reporters,
                            .retention_ms = retention(open_max_ms)};
  rule->fingerprint = fingerprint(rule, options->share);
  *view_rule = (ts__shared_rule_t){.share = options->share,
                                   .on_stale = options->on_stale,
                                   .sync_ms = options->sync_ms,
                                   .linger_ms = linger_of(options->store),
                                   .max_stale_ms = options->max_stale_ms,
                                   .lease_spread_ms = options->lease_spread_ms,
                                   .window_ms = rule->window_ms,
                                   .open_ms = rule->open_ms,
                                   .probe_ms = rule->probe_ms,
                                   .retention_ms = rule->retention_ms,
                                   .probe_slots = rule->probe_slots,
                                   .fingerprint = rule->fingerprint};
}
