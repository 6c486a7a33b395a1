/* SPDX-License-Identifier: Apache-2.0 */
#include "core/gate.h"

#include "base/err.h"

static int reject(ts_rejection_t *rejection, ts_reason_t reason,
                  const char *breaker, double rate) {
  rejection->reason = reason;
  rejection->breaker = breaker;
  rejection->allow_rate = rate;
  return TS_EOPEN;
}

static bool has_null(const char *const *names, size_t count) {
  if (names == NULL && count > 0) {
    return true;
  }
  for (size_t i = 0; i < count; i++) {
    if (names[i] == NULL) {
      return true;
    }
  }
  return false;
}

/* Why fail_open decides about this breaker; TS_REASON_NONE if its own state
 * does. */
static ts_reason_t doubt(const ts__gate_t *gate, const ts__breaker_t *breaker) {
  if (breaker == NULL || breaker->state == TS_BREAKER_UNKNOWN) {
    return TS_REASON_UNKNOWN;
  }
  return gate->stale ? TS_REASON_STALE : TS_REASON_NONE;
}

/*
 * An open breaker rejects wherever it stands in the list, so a rejection for
 * doubt waits until all were seen; the draw comes last, and once.
 */
int ts__gate_check(const ts__gate_t *gate, const char *const *names,
                   size_t count, ts_rejection_t *rejection) {
  *rejection = (ts_rejection_t){TS_REASON_NONE, NULL, 0.0};
  if (has_null(names, count)) {
    return TS__EINVAL;
  }
  double lowest = 1.0;
  const char *lowest_name = NULL;
  ts_reason_t soft = TS_REASON_NONE;
  const char *soft_name = NULL;
  for (size_t i = 0; i < count; i++) {
    const ts__breaker_t *breaker =
        ts__breakers_find(gate->breakers, ts__str(names[i]));
    ts_reason_t reason = doubt(gate, breaker);
    if (reason != TS_REASON_NONE) {
      if (!gate->fail_open && soft == TS_REASON_NONE) {
        soft = reason;
        soft_name = names[i];
      }
    } else if (breaker->state == TS_BREAKER_OPEN) {
      return reject(rejection, TS_REASON_OPEN, names[i], 0.0);
    } else if (breaker->state == TS_BREAKER_HALF_OPEN &&
               breaker->allow_rate < lowest) {
      lowest = breaker->allow_rate;
      lowest_name = names[i];
    }
  }
  if (soft != TS_REASON_NONE) {
    return reject(rejection, soft, soft_name, 0.0);
  }
  if (lowest < 1.0 &&
      ts__rng_draw53(gate->rng) >= ts__breaker_threshold(lowest)) {
    return reject(rejection, TS_REASON_THROTTLED, lowest_name, lowest);
  }
  return 0;
}
