/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/delta.h"
#include "core/shared_parts.h"

/*
 * The side of the store: what it says is taken in here.
 *
 * Answers and pushes come on ways of their own, and may cross. So what was
 * asked, and what was adopted, is counted in one order: an answer to a question
 * older than the latest adoption may bring something newer, but nothing older.
 * Only an answer to a younger question that knows less shows a store that went
 * back in time, or lost its data.
 */

/* So many syncs a second are no trouble to a store. */
#define EASY_SYNCS 2000
/* And no store has more. */
#define MOST_SYNCS 1000000

/* ------------------------------------------------------------------- staleness */

bool ts__shared_is_stale(const ts__shared_t *view, int64_t now_ms) {
  const int64_t seen_ms = now_ms > view->now_ms ? now_ms : view->now_ms;
  return view->degraded || (view->owed_ms != TS__FAR &&
                            seen_ms - view->owed_ms >= view->rule.max_stale_ms);
}

void ts__shared_note_stale(ts__shared_t *view, ts__news_t *news) {
  if (!view->degraded) {
    view->degraded = true;
    news->degraded = true;
    news->error = view->error;
  }
}

/* Data that is not ours will not get better by waiting. */
static void fail(ts__shared_t *view, int error, ts__news_t *news) {
  view->error = error;
  if (error == TS_ESTOREDATA || ts__shared_is_stale(view, view->now_ms)) {
    ts__shared_note_stale(view, news);
  }
}

static void recover(ts__shared_t *view, ts__news_t *news) {
  view->heard_ms = view->now_ms;
  view->owed_ms = TS__FAR;
  view->error = 0;
  news->recovered = view->degraded;
  view->degraded = false;
  view->alone_at_ms = TS__FAR;
  view->alone_until_ms = TS__FAR;
  view->alone_closed = false;
}

void ts__shared_close(ts__shared_t *view, ts__news_t *news) {
  if (!view->closed) {
    view->closed = true;
    news->degraded = !view->degraded;
    news->error = TS_ECLOSED;
    view->degraded = true;
  }
}

/* -------------------------------------------------------------------- adoption */

/* In another era they are worth nothing. But one that is being asked for may
 * have been granted in the new one, and who wanted a probe still does. */
static void drop_leases(ts__shared_t *view) {
  for (uint32_t i = 0; i < view->rule.probe_slots; i++) {
    ts__lease_t *lease = &view->leases[i];
    const bool may_be_of_now =
        lease->state == TS__LEASE_WANTED && view->state == TS_BREAKER_HALF_OPEN;
    if (lease->state != TS__LEASE_FREE && !lease->asking && !may_be_of_now) {
      ts__shared_free_lease(lease);
    }
  }
  if (view->state != TS_BREAKER_HALF_OPEN) {
    view->lease_at_ms = TS__FAR;
    view->lease_not_before_ms = TS__FAR;
  }
}

static void begin_epoch(ts__shared_t *view) {
  view->epoch++;
  view->adopted_order = ++view->order;
  view->delta = (ts_store_delta_t){0};
  view->failing = false;
  view->alone_at_ms = TS__FAR;
  view->alone_until_ms = TS__FAR;
  view->alone_closed = false;
}

static void take_counts(ts__shared_t *view, const ts_store_record_t *record) {
  view->level = record->level;
  view->calls = record->calls;
  view->failures = record->failures;
  view->consecutive_failures = record->consecutive_failures;
}

/* No rest of a time is longer, whatever a store says. */
#define MAX_REST_MS INT64_C(1000000000000000)

static int64_t rest(int64_t ms) { return ms < MAX_REST_MS ? ms : MAX_REST_MS; }

/* `age_ms`: how old the record is, about. */
static void take(ts__shared_t *view, const ts_store_record_t *record,
                 int64_t age_ms, ts__news_t *news) {
  const ts_breaker_state_t from = view->state;
  const bool is_same = record->era == view->era && record->state == from &&
                       record->forced == view->forced;
  view->era = record->era;
  view->state = record->state;
  view->forced = record->forced;
  view->until_ms =
      view->now_ms +
      (record->open_for_ms > age_ms ? rest(record->open_for_ms) - age_ms : 0);
  take_counts(view, record);
  if (!is_same) {
    begin_epoch(view);
    drop_leases(view);
  }
  if (from != view->state) {
    news->moved = true;
    news->move = (ts__move_t){from, view->state, view->era};
  }
}

/* The same era as known: only what is left of it can have changed. */
static void refresh(ts__shared_t *view, const ts_store_record_t *record) {
  take_counts(view, record);
  if (record->open_for_ms == 0 && view->until_ms > view->now_ms) {
    view->until_ms = view->now_ms;
  }
}

/* A store forgets what nobody wrote for long: that is no loss. */
static bool is_forgotten(const ts__shared_t *view, int64_t heard_ms) {
  return heard_ms == TS__FAR ||
         view->now_ms - heard_ms >= view->rule.retention_ms;
}

static void adopt(ts__shared_t *view, const ts__asked_t *asked,
                  const ts_store_record_t *record, int64_t heard_ms,
                  ts__news_t *news) {
  const int64_t age_ms = (view->now_ms - asked->at_ms) / 2;
  const bool is_late = asked->order < view->adopted_order;
  const bool is_same_id =
      strncmp(view->id, record->id, sizeof view->id - 1) == 0;
  if (!is_same_id && view->id[0] != '\0') {
    if (is_late) {
      return;
    }
    news->reset = !is_forgotten(view, heard_ms);
    take(view, record, age_ms, news);
  } else if (record->era > view->era ||
             ((!view->known || !is_same_id) && !is_late)) {
    take(view, record, age_ms, news);
  } else if (record->era == view->era) {
    refresh(view, record);
  } else if (is_late) {
    return;
  } else {
    news->regressed = true;
    take(view, record, age_ms, news);
  }
  view->known = true;
  memcpy(view->id, record->id, sizeof view->id - 1);
}

static void compare_rules(ts__shared_t *view, const ts_store_record_t *record,
                          ts__news_t *news) {
  const uint32_t theirs = record->fingerprint;
  if (theirs != 0 && theirs != view->rule.fingerprint &&
      theirs != view->other_fingerprint) {
    view->other_fingerprint = theirs;
    news->mismatch = true;
  }
}

static void hold_back(ts__shared_t *view, uint32_t syncs_per_second) {
  const int64_t sync_ms = view->rule.sync_ms;
  const int64_t syncs =
      syncs_per_second < MOST_SYNCS ? syncs_per_second : MOST_SYNCS;
  const int64_t stretched_ms = sync_ms * syncs / EASY_SYNCS;
  view->interval_ms = stretched_ms > sync_ms ? stretched_ms : sync_ms;
}

/* --------------------------------------------------------------------- answers */

/* Half an interval to one and a half. */
static int64_t retry_at(const ts__shared_t *view, ts__rng_t *rng) {
  const int64_t sync_ms = view->rule.sync_ms;
  return view->now_ms + 1 + sync_ms / 2 +
         (int64_t)ts__rng_upto(rng, (uint64_t)sync_ms);
}

/* The same token once more, as long as it can be of use. */
static void retry_lease(ts__shared_t *view, ts__rng_t *rng,
                        ts__lease_t *lease) {
  const int64_t at_ms = retry_at(view, rng);
  lease->act_ms = at_ms < lease->until_ms ? at_ms : lease->until_ms;
}

static void on_lease(ts__shared_t *view, ts__rng_t *rng,
                     const ts__asked_t *asked,
                     const ts_store_answer_t *answer) {
  ts__lease_t *lease = &view->leases[asked->lease];
  lease->asking = false;
  if (answer->error != 0 && ts__shared_is_over(view)) {
    retry_lease(view, rng, lease);
    return;
  }
  if (answer->error != 0) {
    ts__shared_free_lease(lease);
    return;
  }
  if (!answer->done) {
    ts__shared_free_lease(lease);
    view->lease_not_before_ms = retry_at(view, rng);
    view->lease_at_ms = TS__FAR;
    return;
  }
  if (answer->record.era != view->era || view->state != TS_BREAKER_HALF_OPEN ||
      answer->lease_for_ms <= 0) {
    ts__shared_free_lease(lease);
    return;
  }
  lease->state = TS__LEASE_HELD;
  lease->until_ms = asked->at_ms + rest(answer->lease_for_ms);
  lease->act_ms = view->now_ms + rest(answer->lease_for_ms) / 2;
  if (lease->act_ms > lease->until_ms) {
    lease->act_ms = lease->until_ms;
  }
}

static void on_settle(ts__shared_t *view, ts__rng_t *rng,
                      const ts__asked_t *asked, const ts_store_answer_t *answer,
                      bool same_epoch) {
  ts__lease_t *lease = &view->leases[asked->lease];
  lease->asking = false;
  if (answer->error != 0 && same_epoch) {
    retry_lease(view, rng, lease);
  } else {
    ts__shared_free_lease(lease);
  }
}

/* A vote may be cast twice: it changes one era alone, and counts once in it. */
static void keep_vote(ts__shared_t *view) {
  if (view->sent_vote.vote && view->sent_epoch == view->epoch) {
    ts_store_delta_t all = view->sent_vote;
    ts__delta_append(&all, &view->delta);
    view->delta = all;
    view->delta_ms = view->sent_ms;
  }
}

static void on_sync(ts__shared_t *view, const ts_store_answer_t *answer) {
  view->syncing = false;
  if (view->now_ms - view->used_ms < view->rule.linger_ms) {
    view->used = true;
  }
  if (answer->error != 0) {
    view->deltas_lost += view->sync_carries;
    keep_vote(view);
  } else {
    hold_back(view, answer->record.syncs_per_second);
  }
}

void ts__shared_answer(ts__shared_t *view, ts__rng_t *rng, int64_t now_ms,
                       const ts__asked_t *asked,
                       const ts_store_answer_t *answer, ts__news_t *news) {
  const int64_t heard_ms = view->heard_ms;
  ts__shared_see(view, now_ms);
  if (answer->error != 0) {
    fail(view, answer->error, news);
  } else {
    recover(view, news);
    adopt(view, asked, &answer->record, heard_ms, news);
    compare_rules(view, &answer->record, news);
  }
  switch (asked->kind) {
  case TS__TODO_SYNC:
    on_sync(view, answer);
    break;
  case TS__TODO_LEASE:
    on_lease(view, rng, asked, answer);
    break;
  case TS__TODO_SETTLE:
    on_settle(view, rng, asked, answer, asked->order > view->adopted_order);
    break;
  case TS__TODO_FORCE:
    break;
  }
  if (answer->error != 0) {
    view->urgent = false; /* the next try is soon enough */
  }
  if (view->used || view->urgent || !ts__delta_is_empty(&view->delta)) {
    ts__shared_plan(view, rng);
  }
}

void ts__shared_push(ts__shared_t *view, int64_t now_ms,
                     const ts_store_record_t *record, ts__news_t *news) {
  ts__shared_see(view, now_ms);
  if (record->era <= view->era || view->closed) {
    return;
  }
  ts_store_record_t change = {.era = record->era,
                              .state = record->state,
                              .forced = record->forced,
                              .level = view->level,
                              .open_for_ms = record->open_for_ms};
  take(view, &change, 0, news);
}

/* ------------------------------------------------------------------- reading */

bool ts__shared_knows(const ts__shared_t *view, int64_t since_ms) {
  const bool heard = view->heard_ms != TS__FAR && view->heard_ms >= since_ms;
  const bool refused = view->lease_not_before_ms != TS__FAR &&
                       view->lease_not_before_ms > view->now_ms &&
                       view->lease_at_ms == TS__FAR;
  if (view->closed) {
    return true;
  }
  for (uint32_t i = 0; i < view->rule.probe_slots; i++) {
    if (view->leases[i].state == TS__LEASE_HELD) {
      return true;
    }
  }
  return heard && (view->forced || !ts__shared_is_over(view) || refused);
}

int64_t ts__shared_open_for_ms(const ts__shared_t *view, int64_t now_ms) {
  const int64_t seen_ms = now_ms > view->now_ms ? now_ms : view->now_ms;
  const bool waits = !view->closed && view->state == TS_BREAKER_OPEN &&
                     !view->forced && view->until_ms > seen_ms;
  return waits ? view->until_ms - seen_ms : 0;
}

ts_breaker_state_t ts__shared_state(const ts__shared_t *view, int64_t now_ms) {
  const bool alone =
      !view->forced && ts__shared_is_stale(view, now_ms) &&
      (view->alone_closed || view->rule.on_stale == TS_ON_STALE_ALLOW) &&
      ts__shared_open_for_ms(view, now_ms) == 0;
  return view->closed || alone ? TS_BREAKER_CLOSED : view->state;
}

void ts__shared_read(const ts__shared_t *view, int64_t now_ms,
                     ts_store_record_t *record) {
  *record =
      (ts_store_record_t){.era = view->era,
                          .state = view->state,
                          .forced = view->forced,
                          .level = view->level,
                          .open_for_ms = ts__shared_open_for_ms(view, now_ms),
                          .calls = view->calls,
                          .failures = view->failures,
                          .consecutive_failures = view->consecutive_failures,
                          .fingerprint = view->rule.fingerprint};
  memcpy(record->id, view->id, sizeof record->id);
}

void ts__shared_count(const ts__shared_t *view, int64_t now_ms,
                      ts_breaker_counts_t *counts) {
  const int64_t seen_ms = now_ms > view->now_ms ? now_ms : view->now_ms;
  counts->total_deltas_lost = view->deltas_lost;
  counts->view_age_ms =
      view->heard_ms != TS__FAR ? seen_ms - view->heard_ms : -1;
}
