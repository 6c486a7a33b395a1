/* SPDX-License-Identifier: Apache-2.0 */
#include "core/gate.h"

#include "base/err.h"

/* What the breakers seen so far come to. */
typedef struct verdict_s {
  double lowest; /* of the rates that apply */
  const char *lowest_name;
  const char *doubted; /* the first that fail_open has to decide about */
  ts_reason_t doubt;
} verdict_t;

static int reject(ts_rejection_t *rejection, ts_reason_t reason,
                  const char *breaker, double rate) {
  *rejection = (ts_rejection_t){reason, breaker, rate};
  return TS_EOPEN;
}

static inline bool has_null(const char *const *names, size_t count) {
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

/* Take one breaker into account. Returns why it rejects by itself, whatever the
 * others are; else TS_REASON_NONE. The embedder's word is never stale. */
static inline ts_reason_t weigh(verdict_t *verdict, const ts__gate_t *gate,
                                const char *name, ts__rule_t rule,
                                double rate) {
  if (rule >= TS__RULE_FORCED_CLOSED) {
    return rule == TS__RULE_FORCED_OPEN ? TS_REASON_OVERRIDE : TS_REASON_NONE;
  }
  if (rule == TS_BREAKER_UNKNOWN || gate->stale) {
    if (!gate->fail_open && verdict->doubted == NULL) {
      verdict->doubted = name;
      verdict->doubt =
          rule == TS_BREAKER_UNKNOWN ? TS_REASON_UNKNOWN : TS_REASON_STALE;
    }
    return TS_REASON_NONE;
  }
  if (rule == TS_BREAKER_HALF_OPEN && rate < verdict->lowest) {
    verdict->lowest = rate;
    verdict->lowest_name = name;
  }
  return rule == TS_BREAKER_OPEN ? TS_REASON_OPEN : TS_REASON_NONE;
}

/* A closed one is the usual case, and says nothing. */
static inline bool says_nothing(const ts__gate_t *gate,
                                const ts__breaker_t *breaker) {
  return ts__breaker_is_closed(breaker) && !gate->stale;
}

static ts_reason_t weigh_entry(verdict_t *verdict, const ts__gate_t *gate,
                               const char *name, const ts__breaker_t *breaker) {
  return breaker != NULL
             ? weigh(verdict, gate, name, breaker->rule, breaker->allow_rate)
             : weigh(verdict, gate, name, TS_BREAKER_UNKNOWN, 0.0);
}

/* An open breaker rejects wherever it stands in the list, so a rejection for
 * doubt waits until all were seen; the draw comes last, and once. */
static inline int conclude(const verdict_t *verdict, const ts__gate_t *gate,
                           ts_rejection_t *rejection) {
  if (verdict->doubted != NULL) {
    return reject(rejection, verdict->doubt, verdict->doubted, 0.0);
  }
  if (verdict->lowest < 1.0) {
    const uint64_t draw = gate->mirror != NULL ? ts__mirror_draw53(gate->mirror)
                                               : ts__rng_draw53(gate->rng);
    if (draw >= ts__breaker_threshold(verdict->lowest)) {
      return reject(rejection, TS_REASON_THROTTLED, verdict->lowest_name,
                    verdict->lowest);
    }
  }
  return 0;
}

/* Weigh the i-th breaker, which was found already, and all behind it. What
 * stands before says nothing. */
static int check_from(const ts__gate_t *gate, const char *const *names,
                      size_t count, size_t i, const ts__breaker_t *breaker,
                      ts_rejection_t *rejection) {
  verdict_t verdict = {.lowest = 1.0};
  if (has_null(names + i, count - i)) {
    return TS__EINVAL;
  }
  for (;;) {
    const ts_reason_t reason = weigh_entry(&verdict, gate, names[i], breaker);
    if (reason != TS_REASON_NONE) {
      return reject(rejection, reason, names[i], 0.0);
    }
    if (++i == count) {
      return conclude(&verdict, gate, rejection);
    }
    breaker = ts__breakers_find(gate->breakers, ts__str(names[i]));
  }
}

int ts__gate_check(const ts__gate_t *gate, const char *const *names,
                   size_t count, ts_rejection_t *rejection) {
  *rejection = (ts_rejection_t){TS_REASON_NONE, NULL, 0.0};
  for (size_t i = 0; i < count; i++) {
    if (names == NULL || names[i] == NULL) {
      return TS__EINVAL;
    }
    const ts__breaker_t *breaker =
        ts__breakers_find(gate->breakers, ts__str(names[i]));
    if (!says_nothing(gate, breaker)) {
      return check_from(gate, names, count, i, breaker, rejection);
    }
  }
  return 0;
}

int ts__gate_check_entries(const ts__gate_t *gate,
                           const ts__breaker_t *const *entries,
                           const char *const *names, size_t count,
                           ts_rejection_t *rejection) {
  verdict_t verdict = {.lowest = 1.0};
  *rejection = (ts_rejection_t){TS_REASON_NONE, NULL, 0.0};
  for (size_t i = 0; i < count; i++) {
    const ts_reason_t reason =
        weigh_entry(&verdict, gate, names[i], entries[i]);
    if (reason != TS_REASON_NONE) {
      return reject(rejection, reason, names[i], 0.0);
    }
  }
  return conclude(&verdict, gate, rejection);
}

int ts__gate_check_mirror(const ts__gate_t *gate, const char *const *names,
                          size_t count, ts_rejection_t *rejection) {
  verdict_t verdict = {.lowest = 1.0};
  *rejection = (ts_rejection_t){TS_REASON_NONE, NULL, 0.0};
  if (has_null(names, count)) {
    return TS__EINVAL;
  }
  for (size_t i = 0; i < count; i++) {
    double rate = 0.0;
    const ts__rule_t rule =
        ts__mirror_look(gate->mirror, ts__str(names[i]), &rate);
    const ts_reason_t reason = weigh(&verdict, gate, names[i], rule, rate);
    if (reason != TS_REASON_NONE) {
      return reject(rejection, reason, names[i], 0.0);
    }
  }
  return conclude(&verdict, gate, rejection);
}
