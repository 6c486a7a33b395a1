/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CORE_DELTA_H
#define TS_CORE_DELTA_H

/*
 * Calls in their order, condensed to a few numbers (ts_store_delta_t) that can
 * be put together in any grouping: (a, b), c is a, (b, c). So whoever adds up
 * deltas finds the same longest run of failures as one who saw every call.
 */

#include "tripswitch/store.h"

/* a + b, no further than the end. */
uint32_t ts__delta_sum(uint32_t a, uint32_t b);

static inline bool ts__delta_is_empty(const ts_store_delta_t *delta) {
  return delta->calls == 0 && !delta->vote;
}

/* One call. */
ts_store_delta_t ts__delta_of_call(bool ok, int64_t open_ms);

/* What comes after. */
void ts__delta_append(ts_store_delta_t *delta, const ts_store_delta_t *later);

/* With so many failures in a row before the delta: the longest run now, and
 * the one that lasts. */
uint32_t ts__delta_longest_after(const ts_store_delta_t *delta, uint32_t run);
uint32_t ts__delta_run_after(const ts_store_delta_t *delta, uint32_t run);

#endif /* TS_CORE_DELTA_H */
