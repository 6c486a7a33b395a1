/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CORE_GATE_H
#define TS_CORE_GATE_H

/*
 * The decision: may a call that depends on these breakers be made? Any open one
 * rejects; else one draw against the lowest allow rate; unknown and stale ones
 * pass or reject by fail_open. Pure: staleness and the draw come from outside.
 */

#include "base/rng.h"
#include "core/breakers.h"

typedef struct ts__gate_s {
  const ts__breakers_t *breakers; /* either these two, */
  ts__rng_t *rng;       /* asked for one draw, only if a rate below 1 applies */
  ts__mirror_t *mirror; /* or this, which draws too */
  bool fail_open;
  bool stale; /* the stream has been down for longer than states stay valid */
} ts__gate_t;

/*
 * Returns 0, TS_EOPEN or TS__EINVAL (a NULL name). *rejection is always
 * filled: TS_REASON_NONE unless rejected.
 */
int ts__gate_check(const ts__gate_t *gate, const char *const *names,
                   size_t count, ts_rejection_t *rejection);

/* The same with the entries of these names, found before: NULL for those that
 * are not there. */
int ts__gate_check_entries(const ts__gate_t *gate,
                           const ts__breaker_t *const *entries,
                           const char *const *names, size_t count,
                           ts_rejection_t *rejection);

/* The same over the mirror: any thread, between its enter and leave. */
int ts__gate_check_mirror(const ts__gate_t *gate, const char *const *names,
                          size_t count, ts_rejection_t *rejection);

#endif /* TS_CORE_GATE_H */
