/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sized.h"
#include "tripswitch/breaker.h"

static const ts_breaker_options_t defaults = TS_BREAKER_OPTIONS_INIT;

void ts_breaker_options_init_sized(ts_breaker_options_t *options, size_t size) {
  ts__sized_init(options, size, &defaults, sizeof defaults);
}

/* None of the peers grows its open time, or draws a jitter. */
static ts_breaker_options_t steady(uint32_t consec, int64_t open_ms) {
  ts_breaker_options_t options = defaults;
  options.consec = consec;
  options.open_ms = open_ms;
  options.open_jitter = 0.0;
  return options;
}

static void set_probes(ts_breaker_options_t *options, uint32_t count) {
  options->probe_slots = count;
  options->probe_need = count;
  options->probe_budget = count;
}

void ts_breaker_options_mist(ts_breaker_options_t *options, int threshold,
                             int64_t timeout_ms, int half_open_max) {
  *options = steady(threshold < 1 ? 5 : (uint32_t)threshold,
                    timeout_ms == 0 ? 30000 : timeout_ms);
  options->probe_slots = half_open_max < 1 ? 1 : (uint32_t)half_open_max;
}

void ts_breaker_options_circuitry(ts_breaker_options_t *options, int threshold,
                                  int close_threshold, int64_t allow_after_ms,
                                  int64_t clear_after_ms) {
  *options = steady(threshold < 0 ? 1 : (uint32_t)threshold + 1,
                    allow_after_ms <= 0 ? 60000 : allow_after_ms);
  set_probes(options, close_threshold < 1 ? 1 : (uint32_t)close_threshold);
  if (clear_after_ms > 0) {
    options->window = TS_WINDOW_FIXED;
    options->window_ms = clear_after_ms;
  }
}

void ts_breaker_options_gobreaker(ts_breaker_options_t *options,
                                  uint32_t max_requests, int64_t interval_ms,
                                  int64_t bucket_ms, int64_t timeout_ms) {
  *options = steady(6, timeout_ms <= 0 ? 60000 : timeout_ms);
  set_probes(options, max_requests == 0 ? 1 : max_requests);
  if (interval_ms <= 0) {
    return;
  }
  options->window = TS_WINDOW_FIXED;
  options->window_ms = interval_ms;
  if (bucket_ms <= 0 || interval_ms > TS_MAX_DURATION_MS) {
    return; /* what is too long is refused, and rounding it might overflow */
  }
  const int64_t buckets =
      interval_ms / bucket_ms + (interval_ms % bucket_ms != 0);
  options->window_ms = buckets * bucket_ms;
  if (buckets > 1) {
    options->window = TS_WINDOW_ROLLING;
    options->window_buckets = buckets > UINT32_MAX ? 0 : (uint32_t)buckets;
  }
}
