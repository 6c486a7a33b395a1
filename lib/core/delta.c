/* SPDX-License-Identifier: Apache-2.0 */
#include "core/delta.h"

uint32_t ts__delta_sum(uint32_t a, uint32_t b) {
  return a < UINT32_MAX - b ? a + b : UINT32_MAX;
}

static uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }

ts_store_delta_t ts__delta_of_call(bool ok, int64_t open_ms) {
  const uint32_t failed = ok ? 0 : 1;
  return (ts_store_delta_t){.calls = 1,
                            .failures = failed,
                            .leading = failed,
                            .trailing = failed,
                            .longest = failed,
                            .open_ms = ok ? 0 : open_ms};
}

uint32_t ts__delta_longest_after(const ts_store_delta_t *delta, uint32_t run) {
  return larger(ts__delta_sum(run, delta->leading), delta->longest);
}

uint32_t ts__delta_run_after(const ts_store_delta_t *delta, uint32_t run) {
  return delta->failures == delta->calls ? ts__delta_sum(run, delta->calls)
                                         : delta->trailing;
}

void ts__delta_append(ts_store_delta_t *delta, const ts_store_delta_t *later) {
  const ts_store_delta_t before = *delta;
  delta->calls = ts__delta_sum(before.calls, later->calls);
  delta->failures = ts__delta_sum(before.failures, later->failures);
  if (before.failures == before.calls) {
    delta->leading = ts__delta_sum(before.calls, later->leading);
  }
  delta->trailing = ts__delta_run_after(later, before.trailing);
  delta->longest =
      larger(before.longest, ts__delta_longest_after(later, before.trailing));
  delta->vote = before.vote || later->vote;
  if (later->failures > 0 || later->vote) {
    delta->open_ms = later->open_ms;
  }
}
