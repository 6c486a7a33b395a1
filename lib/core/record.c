/* SPDX-License-Identifier: Apache-2.0 */
#include "core/record.h"

#include <string.h>

#include "core/delta.h"

/* ------------------------------------------------------------------- claims */

static void forget_late(ts__claim_t *claims, size_t *count, int64_t now_ms) {
  size_t kept = 0;
  for (size_t i = 0; i < *count; i++) {
    if (claims[i].until_ms > now_ms) {
      claims[kept++] = claims[i];
    }
  }
  *count = kept;
}

static ts__claim_t *find(ts__claim_t *claims, size_t count, const char *key) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(claims[i].key, key) == 0) {
      return &claims[i];
    }
  }
  return NULL;
}

static void claim(ts__claim_t *claim, const char *key, int64_t until_ms) {
  memset(claim, 0, sizeof *claim);
  strncpy(claim->key, key, sizeof claim->key - 1);
  claim->until_ms = until_ms;
}

/* ------------------------------------------------------------------- writing */

void ts__record_clear(ts__record_t *record) {
  memset(record, 0, sizeof *record);
  record->state = TS_BREAKER_CLOSED;
}

/* A record that nobody wrote for long is none. */
static void forget_old(ts__record_t *record, int64_t now_ms) {
  if (record->id[0] != '\0' && now_ms >= record->forget_ms) {
    ts__record_clear(record);
  }
}

static void touch(ts__record_t *record, int64_t now_ms,
                  const ts_store_op_t *op) {
  if (record->id[0] == '\0') {
    strncpy(record->id, op->fresh_id, sizeof record->id - 1);
    record->window_ms = now_ms;
  }
  record->fingerprint = op->rule->fingerprint;
  record->forget_ms = now_ms + op->rule->retention_ms;
}

static void enter(ts__record_t *record, ts_breaker_state_t state,
                  int64_t now_ms, bool *changed) {
  record->era++;
  record->state = state;
  record->forced = false;
  record->window_ms = now_ms;
  record->calls = 0;
  record->failures = 0;
  record->calls_before = 0;
  record->failures_before = 0;
  record->run = 0;
  record->probe_successes = 0;
  record->lease_count = 0;
  record->reporter_count = 0;
  if (state == TS_BREAKER_CLOSED) {
    record->level = 0;
  }
  if (changed != NULL) {
    *changed = true;
  }
}

static int64_t open_time(const ts__record_t *record,
                         const ts_store_rule_t *rule, int64_t asked_ms) {
  double ms = (double)(asked_ms > 0 ? asked_ms : rule->open_ms);
  const double longest = (double)rule->open_max_ms;
  if (asked_ms <= 0 && rule->open_mult > 1.0) {
    for (uint32_t i = 0; i < record->level && ms < longest; i++) {
      ms *= rule->open_mult;
    }
  }
  return (int64_t)(ms < longest ? ms : longest) + rule->jitter_ms;
}

static void open_now(ts__record_t *record, int64_t now_ms,
                     const ts_store_rule_t *rule, int64_t asked_ms,
                     bool *changed) {
  const int64_t ms = open_time(record, rule, asked_ms);
  enter(record, TS_BREAKER_OPEN, now_ms, changed);
  record->until_ms = now_ms + ms;
}

/* ---------------------------------------------------------------------- sync */

static void count_sync(ts__record_t *record, int64_t now_ms) {
  const int64_t second = now_ms / 1000;
  if (second != record->second) {
    record->syncs_before = second == record->second + 1 ? record->syncs : 0;
    record->syncs = 0;
    record->second = second;
  }
  record->syncs++;
}

/* A rolling window is two fixed ones, of which the older counts by the part of
 * it that still is inside. */
static void roll(ts__record_t *record, int64_t now_ms,
                 const ts_store_rule_t *rule) {
  const int64_t age_ms = now_ms - record->window_ms;
  if (rule->window == TS_WINDOW_NONE || age_ms < rule->window_ms) {
    return;
  }
  const bool next =
      rule->window == TS_WINDOW_ROLLING && age_ms < 2 * rule->window_ms;
  record->calls_before = next ? record->calls : 0;
  record->failures_before = next ? record->failures : 0;
  record->calls = 0;
  record->failures = 0;
  if (rule->window == TS_WINDOW_FIXED) {
    record->run = 0;
    record->window_ms = now_ms;
  } else {
    record->window_ms = now_ms - age_ms % rule->window_ms;
  }
}

static bool reaches_rate(const ts__record_t *record, int64_t now_ms,
                         const ts_store_rule_t *rule) {
  double weight = 0.0;
  if (rule->window == TS_WINDOW_ROLLING) {
    weight =
        1.0 - (double)(now_ms - record->window_ms) / (double)rule->window_ms;
  }
  const double calls =
      (double)record->calls + weight * (double)record->calls_before;
  const double failures =
      (double)record->failures + weight * (double)record->failures_before;
  return rule->rate_pct > 0 && calls >= (double)rule->min_calls &&
         failures * 100.0 >= (double)rule->rate_pct * calls;
}

static void report(ts__record_t *record, int64_t now_ms,
                   const ts_store_op_t *op) {
  const int64_t window_ms = op->rule->window_ms;
  const int64_t until_ms =
      now_ms + (window_ms > TS__REPORT_MS ? window_ms : TS__REPORT_MS);
  forget_late(record->reporters, &record->reporter_count, now_ms);
  ts__claim_t *known =
      find(record->reporters, record->reporter_count, op->member);
  if (known != NULL) {
    known->until_ms = until_ms;
  } else if (record->reporter_count < TS__MAX_REPORTERS) {
    claim(&record->reporters[record->reporter_count++], op->member, until_ms);
  }
}

static void add(ts__record_t *record, int64_t now_ms, const ts_store_op_t *op,
                const ts_store_delta_t *delta, bool *changed) {
  const ts_store_rule_t *rule = op->rule;
  roll(record, now_ms, rule);
  record->calls += delta->calls;
  record->failures += delta->failures;
  const uint32_t longest = ts__delta_longest_after(delta, record->run);
  record->run = ts__delta_run_after(delta, record->run);
  if (delta->failures == 0 && !delta->vote) {
    return;
  }
  report(record, now_ms, op);
  const bool asks = delta->vote ||
                    (rule->consec > 0 && longest >= rule->consec) ||
                    reaches_rate(record, now_ms, rule);
  if (asks && record->reporter_count >= rule->min_reporters) {
    open_now(record, now_ms, rule, delta->open_ms, changed);
  }
}

bool ts__record_sync(ts__record_t *record, int64_t now_ms,
                     const ts_store_op_t *op, const ts_store_delta_t *delta,
                     bool *changed) {
  forget_old(record, now_ms);
  count_sync(record, now_ms);
  if (ts__delta_is_empty(delta) || op->era != record->era ||
      record->state != TS_BREAKER_CLOSED) {
    return false;
  }
  touch(record, now_ms, op);
  add(record, now_ms, op, delta, changed);
  return true;
}

/* -------------------------------------------------------------------- probes */

bool ts__record_lease(ts__record_t *record, int64_t now_ms,
                      const ts_store_op_t *op, const char *token,
                      int64_t *lease_for_ms, bool *changed) {
  forget_old(record, now_ms);
  if (record->state == TS_BREAKER_OPEN && !record->forced &&
      now_ms >= record->until_ms) {
    touch(record, now_ms, op);
    enter(record, TS_BREAKER_HALF_OPEN, now_ms, changed);
  }
  if (record->state != TS_BREAKER_HALF_OPEN) {
    return false;
  }
  forget_late(record->leases, &record->lease_count, now_ms);
  ts__claim_t *lease = find(record->leases, record->lease_count, token);
  if (lease == NULL) {
    if (record->lease_count >= op->rule->probe_slots ||
        record->lease_count == TS__MAX_LEASES) {
      return false;
    }
    touch(record, now_ms, op);
    lease = &record->leases[record->lease_count++];
    claim(lease, token, now_ms + op->rule->probe_ms);
  }
  *lease_for_ms = lease->until_ms - now_ms;
  return true;
}

static void give_back(ts__record_t *record, ts__claim_t *lease) {
  *lease = record->leases[--record->lease_count];
}

bool ts__record_settle(ts__record_t *record, int64_t now_ms,
                       const ts_store_op_t *op, const char *token,
                       ts_outcome_t outcome, int64_t open_ms, bool *changed) {
  forget_old(record, now_ms);
  forget_late(record->leases, &record->lease_count, now_ms);
  ts__claim_t *lease = find(record->leases, record->lease_count, token);
  if (record->state != TS_BREAKER_HALF_OPEN || op->era != record->era ||
      lease == NULL) {
    return false;
  }
  touch(record, now_ms, op);
  give_back(record, lease);
  if (outcome == TS_OUTCOME_FAILURE) {
    record->level = ts__delta_sum(record->level, 1);
    open_now(record, now_ms, op->rule, open_ms, changed);
  } else if (outcome == TS_OUTCOME_SUCCESS) {
    record->probe_successes++;
    if (record->probe_successes >= op->rule->probe_need) {
      enter(record, TS_BREAKER_CLOSED, now_ms, changed);
    }
  }
  return true;
}

/* ------------------------------------------------------------------- by hand */

bool ts__record_force(ts__record_t *record, int64_t now_ms,
                      const ts_store_op_t *op, ts_store_force_t force,
                      bool *changed) {
  forget_old(record, now_ms);
  touch(record, now_ms, op);
  if (force == TS_STORE_FORCE_CLOSED) {
    enter(record, TS_BREAKER_CLOSED, now_ms, changed);
  } else if (!record->forced) {
    enter(record, TS_BREAKER_OPEN, now_ms, changed);
    record->forced = true;
  }
  return true;
}

void ts__record_read(const ts__record_t *record, int64_t now_ms,
                     ts_store_record_t *read) {
  const bool waits = record->state == TS_BREAKER_OPEN && !record->forced &&
                     record->until_ms > now_ms;
  memset(read, 0, sizeof *read);
  memcpy(read->id, record->id, sizeof read->id);
  read->era = record->era;
  read->state = record->state;
  read->forced = record->forced;
  read->level = record->level;
  read->open_for_ms = waits ? record->until_ms - now_ms : 0;
  read->calls = record->calls;
  read->failures = record->failures;
  read->consecutive_failures = record->run;
  read->syncs_per_second = record->syncs_before;
  read->fingerprint = record->fingerprint;
}
