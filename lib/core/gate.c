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

/* Where states and draws come from; constant for each of the two checks, so
 * that the compiler makes a check of its own for each. */
typedef struct source_s {
  ts__rule_t (*look)(const ts__gate_t *gate, ts__str_t name, double *rate);
  uint64_t (*draw)(const ts__gate_t *gate);
} source_t;

static inline ts__rule_t look_in_cache(const ts__gate_t *gate, ts__str_t name,
                                       double *rate) {
  const ts__breaker_t *breaker = ts__breakers_find(gate->breakers, name);
  if (breaker == NULL) {
    return TS_BREAKER_UNKNOWN;
  }
  *rate = breaker->allow_rate;
  return breaker->rule;
}

static inline uint64_t draw_alone(const ts__gate_t *gate) {
  return ts__rng_draw53(gate->rng);
}

static inline ts__rule_t look_in_mirror(const ts__gate_t *gate, ts__str_t name,
                                        double *rate) {
  return ts__mirror_look(gate->mirror, name, rate);
}

static inline uint64_t draw_shared(const ts__gate_t *gate) {
  return ts__mirror_draw53(gate->mirror);
}

/* Why fail_open decides about this breaker; TS_REASON_NONE if its own state
 * does, or the embedder, whose word is never stale. */
static ts_reason_t doubt(const ts__gate_t *gate, ts__rule_t rule) {
  if (rule == TS_BREAKER_UNKNOWN) {
    return TS_REASON_UNKNOWN;
  }
  return gate->stale && rule < TS__RULE_FORCED_CLOSED ? TS_REASON_STALE
                                                      : TS_REASON_NONE;
}

/*
 * An open breaker rejects wherever it stands in the list, so a rejection for
 * doubt waits until all were seen; the draw comes last, and once.
 */
static inline int check(const ts__gate_t *gate, const char *const *names,
                        size_t count, ts_rejection_t *rejection,
                        const source_t source) {
  *rejection = (ts_rejection_t){TS_REASON_NONE, NULL, 0.0};
  if (has_null(names, count)) {
    return TS__EINVAL;
  }
  double lowest = 1.0;
  const char *lowest_name = NULL;
  ts_reason_t soft = TS_REASON_NONE;
  const char *soft_name = NULL;
  for (size_t i = 0; i < count; i++) {
    double rate = 0.0;
    const ts__rule_t rule = source.look(gate, ts__str(names[i]), &rate);
    ts_reason_t reason = doubt(gate, rule);
    if (reason != TS_REASON_NONE) {
      if (!gate->fail_open && soft == TS_REASON_NONE) {
        soft = reason;
        soft_name = names[i];
      }
    } else if (rule == TS_BREAKER_OPEN) {
      return reject(rejection, TS_REASON_OPEN, names[i], 0.0);
    } else if (rule == TS__RULE_FORCED_OPEN) {
      return reject(rejection, TS_REASON_OVERRIDE, names[i], 0.0);
    } else if (rule == TS_BREAKER_HALF_OPEN && rate < lowest) {
      lowest = rate;
      lowest_name = names[i];
    }
  }
  if (soft != TS_REASON_NONE) {
    return reject(rejection, soft, soft_name, 0.0);
  }
  if (lowest < 1.0 && source.draw(gate) >= ts__breaker_threshold(lowest)) {
    return reject(rejection, TS_REASON_THROTTLED, lowest_name, lowest);
  }
  return 0;
}

int ts__gate_check(const ts__gate_t *gate, const char *const *names,
                   size_t count, ts_rejection_t *rejection) {
  const source_t source = {look_in_cache, draw_alone};
  return check(gate, names, count, rejection, source);
}

int ts__gate_check_mirror(const ts__gate_t *gate, const char *const *names,
                          size_t count, ts_rejection_t *rejection) {
  const source_t source = {look_in_mirror, draw_shared};
  return check(gate, names, count, rejection, source);
}
