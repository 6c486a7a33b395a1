/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CORE_RECORD_H
#define TS_CORE_RECORD_H

/*
 * What a store holds of one breaker, and what each operation does to it: the
 * rules that every store follows, in the form of the one that is simplest. All
 * of an operation happens in one step. `now_ms` is the store's own clock.
 */

#include <stddef.h>

#include "tripswitch/store.h"

/* Leases of one breaker, and processes whose reports are told apart. */
#define TS__MAX_LEASES 32u
#define TS__MAX_REPORTERS 64u

/* Reports are forgotten after the window, and not before this. */
#define TS__REPORT_MS 60000

/* Something under a name until a moment. */
typedef struct ts__claim_s {
  char key[TS_STORE_ID_SIZE];
  int64_t until_ms;
} ts__claim_t;

typedef struct ts__record_s {
  char id[TS_STORE_ID_SIZE]; /* empty: there is no record */
  uint32_t era;
  ts_breaker_state_t state;
  bool forced;
  uint32_t level;
  int64_t until_ms; /* of open */

  int64_t window_ms; /* when the window began */
  uint64_t calls;
  uint64_t failures;
  uint64_t calls_before; /* of the window before, for rolling ones */
  uint64_t failures_before;
  uint32_t run; /* of failures */

  uint32_t probe_successes;
  ts__claim_t leases[TS__MAX_LEASES];
  size_t lease_count;
  ts__claim_t reporters[TS__MAX_REPORTERS];
  size_t reporter_count;

  int64_t second; /* in which syncs are being counted */
  uint32_t syncs;
  uint32_t syncs_before;

  uint32_t fingerprint;
  int64_t forget_ms; /* when nobody has written it */
} ts__record_t;

/* No record: how all begin. */
void ts__record_clear(ts__record_t *record);

/* Each: true if what was asked was done; *changed, if not NULL, is set when the
 * state changed. */
bool ts__record_sync(ts__record_t *record, int64_t now_ms,
                     const ts_store_op_t *op, const ts_store_delta_t *delta,
                     bool *changed);
bool ts__record_lease(ts__record_t *record, int64_t now_ms,
                      const ts_store_op_t *op, const char *token,
                      int64_t *lease_for_ms, bool *changed);
bool ts__record_settle(ts__record_t *record, int64_t now_ms,
                       const ts_store_op_t *op, const char *token,
                       ts_outcome_t outcome, int64_t open_ms, bool *changed);
bool ts__record_force(ts__record_t *record, int64_t now_ms,
                      const ts_store_op_t *op, ts_store_force_t force,
                      bool *changed);

/* As answers carry it. */
void ts__record_read(const ts__record_t *record, int64_t now_ms,
                     ts_store_record_t *read);

#endif /* TS_CORE_RECORD_H */
