/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CORE_SHARED_PARTS_H
#define TS_CORE_SHARED_PARTS_H

/* What the two files of the shared view know of each other. */

#include "core/shared.h"

static inline void ts__shared_see(ts__shared_t *view, int64_t now_ms) {
  if (now_ms > view->now_ms) {
    view->now_ms = now_ms;
  }
}

static inline void ts__shared_free_lease(ts__lease_t *lease) {
  lease->state = TS__LEASE_FREE;
  lease->turn++;
}

/* Is there a lease for the next call, or about to be? */
static inline bool ts__shared_has_lease(const ts__shared_t *view) {
  for (uint32_t i = 0; i < view->rule.probe_slots; i++) {
    const uint8_t state = view->leases[i].state;
    if (state == TS__LEASE_WANTED || state == TS__LEASE_HELD) {
      return true;
    }
  }
  return false;
}

/* Not closed, and no open time is left: a probe would be right. */
static inline bool ts__shared_is_over(const ts__shared_t *view) {
  return view->state == TS_BREAKER_HALF_OPEN ||
         (view->state == TS_BREAKER_OPEN && !view->forced &&
          view->now_ms >= view->until_ms);
}

/* When the store is to be asked next, if there is reason to. */
void ts__shared_plan(ts__shared_t *view, ts__rng_t *rng);

/* The view is stale: the first time, that is news. */
void ts__shared_note_stale(ts__shared_t *view, ts__news_t *news);

#endif /* TS_CORE_SHARED_PARTS_H */
