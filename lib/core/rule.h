/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CORE_RULE_H
#define TS_CORE_RULE_H

/*
 * What the gate goes by for one breaker: the service's state, or the embedder's
 * word against it. One value, so that the gate looks at one thing.
 */

#include "tripswitch/state.h"

/* A ts_breaker_state_t, or one of these, which are never stale or unknown. */
typedef uint8_t ts__rule_t;
#define TS__RULE_FORCED_CLOSED 4
#define TS__RULE_FORCED_OPEN 5

static inline ts__rule_t ts__rule_of(ts_override_t override,
                                     ts_breaker_state_t state) {
  return override == TS_OVERRIDE_CLOSED ? TS__RULE_FORCED_CLOSED
         : override == TS_OVERRIDE_OPEN ? TS__RULE_FORCED_OPEN
                                        : (ts__rule_t)state;
}

static inline ts_override_t ts__rule_override(ts__rule_t rule) {
  return rule == TS__RULE_FORCED_CLOSED ? TS_OVERRIDE_CLOSED
         : rule == TS__RULE_FORCED_OPEN ? TS_OVERRIDE_OPEN
                                        : TS_OVERRIDE_NONE;
}

#endif /* TS_CORE_RULE_H */
