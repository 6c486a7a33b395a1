/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shared.h"

#include <string.h>

#include "base/err.h"
#include "core/delta.h"
#include "core/shared_parts.h"

/*
 * The side of the calls: may one be made, how did it go, and what is the store
 * to be asked because of it. What the store says is taken in by
 * core/shared_view.c; core/shared_parts.h is what both know.
 *
 * The store is asked when there is something to tell it, or somebody looked at
 * the breaker since it was asked last; a breaker at rest asks nothing, after a
 * while if the store tells of no changes by itself: a call that is made now and
 * then should find the view fresh. The
 * first failure after a clean time, an opening and a vote are told at once,
 * unless a sync is under way; then they go with the next.
 */

int ts__shared_init(ts__shared_t *view, const ts__mem_t *mem,
                    const ts__shared_rule_t *rule, int64_t now_ms) {
  *view = (ts__shared_t){.rule = *rule,
                         .now_ms = now_ms,
                         .state = TS_BREAKER_CLOSED,
                         .heard_ms = TS__FAR,
                         .owed_ms = TS__FAR,
                         .sync_at_ms = TS__FAR,
                         .synced_ms = TS__FAR,
                         .interval_ms = rule->sync_ms,
                         .lease_at_ms = TS__FAR,
                         .lease_not_before_ms = TS__FAR,
                         .alone_at_ms = TS__FAR,
                         .alone_until_ms = TS__FAR};
  view->leases = ts__calloc(mem, rule->probe_slots, sizeof(ts__lease_t));
  return view->leases != NULL ? 0 : TS__ENOMEM;
}

void ts__shared_deinit(ts__shared_t *view, const ts__mem_t *mem) {
  ts__free(mem, view->leases);
  view->leases = NULL;
}

void ts__shared_configure(ts__shared_t *view, const ts__shared_rule_t *rule) {
  const uint32_t slots = view->rule.probe_slots;
  const ts_share_t share = view->rule.share;
  view->rule = *rule;
  view->rule.probe_slots = slots;
  view->rule.share = share;
  view->interval_ms = rule->sync_ms;
}

/* ------------------------------------------------------------------ planning */

/* A tenth more or less. */
static int64_t vary(ts__rng_t *rng, int64_t ms) {
  return ms - ms / 10 + (int64_t)ts__rng_upto(rng, (uint64_t)(ms / 5));
}

void ts__shared_plan(ts__shared_t *view, ts__rng_t *rng) {
  if (view->syncing || view->closed) {
    return;
  }
  if (view->urgent || view->synced_ms == TS__FAR) {
    view->sync_at_ms = view->now_ms;
  } else if (view->sync_at_ms == TS__FAR) {
    const int64_t at_ms = view->synced_ms + vary(rng, view->interval_ms);
    view->sync_at_ms = at_ms > view->now_ms ? at_ms : view->now_ms;
  }
}

static void use(ts__shared_t *view, ts__rng_t *rng) {
  view->used = true;
  view->used_ms = view->now_ms;
  if (view->sync_at_ms == TS__FAR) {
    ts__shared_plan(view, rng);
  }
}

void ts__shared_refresh(ts__shared_t *view, ts__rng_t *rng, int64_t now_ms) {
  ts__shared_see(view, now_ms);
  view->used = true;
  view->urgent = true;
  ts__shared_plan(view, rng);
  ts__shared_refresh_lease(view);
}

void ts__shared_refresh_lease(ts__shared_t *view) {
  const int64_t refused_ms = view->lease_not_before_ms;
  if (ts__shared_is_over(view) && view->lease_at_ms == TS__FAR &&
      !ts__shared_has_lease(view)) {
    view->lease_at_ms = refused_ms != TS__FAR && refused_ms > view->now_ms
                            ? refused_ms
                            : view->now_ms;
  }
}

int64_t ts__shared_sync_ms(const ts__shared_t *view) {
  return view->syncing || view->closed ? TS__FAR : view->sync_at_ms;
}

int64_t ts__shared_probe_ms(const ts__shared_t *view) {
  int64_t first_ms = view->lease_at_ms;
  for (uint32_t i = 0; i < view->rule.probe_slots; i++) {
    const ts__lease_t *lease = &view->leases[i];
    if (lease->state != TS__LEASE_FREE && lease->act_ms < first_ms) {
      first_ms = lease->act_ms;
    }
  }
  return view->closed ? TS__FAR : first_ms;
}

/* ------------------------------------------------------------------- asking */

/* The tag of a leased call: which, and whose turn. */
#define LEASE_BITS 5u

static uint16_t lease_tag(const ts__shared_t *view, const ts__lease_t *lease) {
  return (uint16_t)((lease->turn << LEASE_BITS) |
                    (uint16_t)(lease - view->leases));
}

static ts__lease_t *held_lease(ts__shared_t *view) {
  for (uint32_t i = 0; i < view->rule.probe_slots; i++) {
    ts__lease_t *lease = &view->leases[i];
    if (lease->state == TS__LEASE_HELD && lease->until_ms > view->now_ms) {
      return lease;
    }
  }
  return NULL;
}

/* A call was rejected that a probe could have been. */
static void want_lease(ts__shared_t *view, ts__rng_t *rng) {
  if (view->lease_at_ms != TS__FAR || ts__shared_has_lease(view)) {
    return;
  }
  if (view->lease_not_before_ms == TS__FAR) {
    view->lease_not_before_ms =
        view->now_ms +
        (int64_t)ts__rng_upto(rng, (uint64_t)view->rule.lease_spread_ms);
  }
  view->lease_at_ms = view->lease_not_before_ms > view->now_ms
                          ? view->lease_not_before_ms
                          : view->now_ms;
}

/* The store is gone, and so is the open time that it had given. */
static ts_reason_t ask_alone(ts__shared_t *view, ts__rng_t *rng,
                             ts__pass_t *pass, int64_t *retry_after_ms) {
  if (view->alone_closed) {
    pass->kind = TS__PASS_PRIVATE;
    return TS_REASON_NONE;
  }
  if (view->alone_until_ms <= view->now_ms) {
    view->alone_until_ms = TS__FAR; /* that probe is lost */
    view->alone_at_ms = view->now_ms + view->rule.open_ms;
  }
  if (view->alone_until_ms != TS__FAR) {
    return TS_REASON_PROBES;
  }
  if (view->alone_at_ms == TS__FAR) {
    view->alone_at_ms =
        view->now_ms + (int64_t)ts__rng_upto(rng, (uint64_t)view->rule.open_ms);
  }
  if (view->now_ms < view->alone_at_ms) {
    *retry_after_ms = view->alone_at_ms - view->now_ms;
    return TS_REASON_OPEN;
  }
  *pass = (ts__pass_t){TS__PASS_ALONE, (uint16_t)(view->alone_turn + 1)};
  return TS_REASON_NONE;
}

static ts_reason_t ask_stale(ts__shared_t *view, ts__rng_t *rng,
                             ts__pass_t *pass, int64_t *retry_after_ms) {
  if (view->rule.on_stale == TS_ON_STALE_REJECT) {
    return TS_REASON_STALE;
  }
  if (view->rule.on_stale == TS_ON_STALE_ALLOW) {
    pass->kind = TS__PASS_UNCOUNTED;
    return TS_REASON_NONE;
  }
  return view->state == TS_BREAKER_CLOSED
             ? TS_REASON_NONE
             : ask_alone(view, rng, pass, retry_after_ms);
}

/* Open time over, or half-open: only a lease lets a call pass. It is no use to
 * a process that has troubles of its own. */
static ts_reason_t ask_probe(ts__shared_t *view, ts__rng_t *rng,
                             ts__pass_t *pass) {
  const ts__lease_t *lease = view->own_open ? NULL : held_lease(view);
  if (lease != NULL) {
    *pass = (ts__pass_t){TS__PASS_LEASE, lease_tag(view, lease)};
    return TS_REASON_NONE;
  }
  if (!view->own_open) {
    want_lease(view, rng);
  }

  return view->state == TS_BREAKER_OPEN ? TS_REASON_OPEN : TS_REASON_PROBES;
}

ts_reason_t ts__shared_ask(ts__shared_t *view, ts__rng_t *rng, int64_t now_ms,
                           ts__pass_t *pass, int64_t *retry_after_ms,
                           ts__news_t *news) {
  ts__shared_see(view, now_ms);
  *pass = (ts__pass_t){TS__PASS_PLAIN, view->epoch};
  if (view->closed) {
    pass->kind = TS__PASS_PRIVATE;
    return TS_REASON_NONE;
  }
  use(view, rng);
  if (view->forced) {
    return TS_REASON_FORCED;
  }
  if (view->state == TS_BREAKER_OPEN && view->now_ms < view->until_ms) {
    *retry_after_ms = view->until_ms - view->now_ms;
    return TS_REASON_OPEN;
  }
  if (ts__shared_is_stale(view, now_ms)) {
    ts__shared_note_stale(view, news);
    return ask_stale(view, rng, pass, retry_after_ms);
  }
  return view->state == TS_BREAKER_CLOSED ? TS_REASON_NONE
                                          : ask_probe(view, rng, pass);
}

void ts__shared_take(ts__shared_t *view, const ts__pass_t *pass,
                     bool own_slot) {
  if (pass->kind == TS__PASS_LEASE) {
    ts__lease_t *lease = &view->leases[pass->tag & ((1u << LEASE_BITS) - 1u)];
    lease->state = TS__LEASE_USED;
    lease->own_slot = own_slot;
    lease->act_ms = lease->until_ms;
  } else if (pass->kind == TS__PASS_ALONE) {
    view->alone_turn = pass->tag;
    view->alone_until_ms = view->now_ms + view->rule.probe_ms;
  }
}

/* ------------------------------------------------------------------ outcomes */

static void append(ts__shared_t *view, ts__rng_t *rng,
                   const ts_store_delta_t *later) {
  if (ts__delta_is_empty(&view->delta)) {
    view->delta_ms = view->now_ms;
  }
  ts__delta_append(&view->delta, later);
  use(view, rng);
}

static void hurry(ts__shared_t *view, ts__rng_t *rng) {
  view->urgent = true;
  ts__shared_plan(view, rng);
}

static void settle_plain(ts__shared_t *view, ts__rng_t *rng, uint16_t tag,
                         ts_outcome_t outcome, int64_t open_ms) {
  const bool ok = outcome == TS_OUTCOME_SUCCESS;
  if (tag != view->epoch || view->state != TS_BREAKER_CLOSED ||
      view->rule.share != TS_SHARE_COUNTS ||
      (!ok && outcome != TS_OUTCOME_FAILURE)) {
    return;
  }
  const ts_store_delta_t call = ts__delta_of_call(ok, open_ms);
  append(view, rng, &call);
  if (!ok && !view->failing) {
    view->failing = true;
    hurry(view, rng);
  }
}

static void settle_lease(ts__shared_t *view, uint16_t tag, ts_outcome_t outcome,
                         int64_t open_ms) {
  ts__lease_t *lease = &view->leases[tag & ((1u << LEASE_BITS) - 1u)];
  if (lease->state == TS__LEASE_USED && lease_tag(view, lease) == tag) {
    lease->state = TS__LEASE_ENDING;
    lease->outcome = outcome;
    lease->open_ms = open_ms;
    lease->act_ms = view->now_ms;
  }
}

static void settle_alone(ts__shared_t *view, uint16_t tag,
                         ts_outcome_t outcome) {
  if (view->alone_until_ms == TS__FAR || view->alone_turn != tag) {
    return;
  }
  view->alone_until_ms = TS__FAR;
  if (outcome == TS_OUTCOME_SUCCESS) {
    view->alone_closed = true;
  } else if (outcome == TS_OUTCOME_FAILURE) {
    view->alone_at_ms = view->now_ms + view->rule.open_ms;
  }
}

void ts__shared_settle(ts__shared_t *view, ts__rng_t *rng, int64_t now_ms,
                       const ts__pass_t *pass, ts_outcome_t outcome,
                       int64_t open_ms) {
  ts__shared_see(view, now_ms);
  if (view->closed) {
    return;
  }
  switch (pass->kind) {
  case TS__PASS_PLAIN:
    settle_plain(view, rng, pass->tag, outcome, open_ms);
    break;
  case TS__PASS_LEASE:
    settle_lease(view, pass->tag, outcome, open_ms);
    break;
  case TS__PASS_ALONE:
    settle_alone(view, pass->tag, outcome);
    break;
  case TS__PASS_PRIVATE:
  case TS__PASS_UNCOUNTED:
    break;
  }
}

void ts__shared_vote(ts__shared_t *view, ts__rng_t *rng, int64_t now_ms,
                     int64_t open_ms) {
  ts__shared_see(view, now_ms);
  if (view->closed || view->state != TS_BREAKER_CLOSED) {
    return;
  }
  const ts_store_delta_t vote = {.vote = true, .open_ms = open_ms};
  append(view, rng, &vote);
  view->delta_ms = view->now_ms;
  hurry(view, rng);
}

/* --------------------------------------------------------------- what is due */

void ts__shared_draw_id(ts__rng_t *rng, char id[TS_STORE_ID_SIZE]) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < TS_STORE_ID_SIZE - 1; i += 16) {
    uint64_t bits = ts__rng_next(rng);
    for (size_t j = 0; j < 16; j++, bits >>= 4) {
      id[i + j] = digits[bits & 15];
    }
  }
  id[TS_STORE_ID_SIZE - 1] = '\0';
}

ts__asked_t ts__shared_asked(ts__shared_t *view, int64_t now_ms,
                             ts__todo_kind_t kind) {
  ts__shared_see(view, now_ms);
  if (view->owed_ms == TS__FAR) {
    view->owed_ms = view->now_ms;
  }
  return (ts__asked_t){
      .kind = kind, .order = ++view->order, .at_ms = view->now_ms};
}

static void begin(ts__shared_t *view, ts__todo_kind_t kind, ts__todo_t *todo) {
  *todo = (ts__todo_t){.asked = ts__shared_asked(view, view->now_ms, kind),
                       .era = view->era};
}

static void ask_for_lease(ts__shared_t *view, ts__lease_t *lease,
                          ts__todo_t *todo) {
  lease->asking = true;
  lease->act_ms = TS__FAR;
  begin(view, TS__TODO_LEASE, todo);
  todo->asked.lease = (uint32_t)(lease - view->leases);
  todo->token = lease->token;
}

static void end_lease(ts__shared_t *view, ts__lease_t *lease,
                      ts__todo_t *todo) {
  lease->asking = true;
  lease->act_ms = TS__FAR;
  begin(view, TS__TODO_SETTLE, todo);
  todo->asked.lease = (uint32_t)(lease - view->leases);
  todo->token = lease->token;
  todo->outcome = lease->outcome;
  todo->open_ms = lease->open_ms;
}

/* What this lease needs now, if anything. */
static bool next_of_lease(ts__shared_t *view, ts__lease_t *lease,
                          ts__todo_t *todo) {
  if (lease->state == TS__LEASE_FREE || lease->asking ||
      lease->act_ms > view->now_ms) {
    return false;
  }
  if (lease->until_ms <= view->now_ms) {
    view->leases_lost += lease->state == TS__LEASE_USED && !lease->own_slot;
    ts__shared_free_lease(lease);
    return false;
  }
  if (lease->state == TS__LEASE_WANTED) {
    ask_for_lease(view, lease, todo);
    return true;
  }
  if (lease->state == TS__LEASE_HELD) {
    lease->state = TS__LEASE_ENDING;
    lease->outcome = TS_OUTCOME_IGNORED;
    lease->open_ms = 0;
  }
  end_lease(view, lease, todo);
  return true;
}

static bool next_lease(ts__shared_t *view, ts__rng_t *rng, ts__todo_t *todo) {
  if (view->lease_at_ms > view->now_ms) {
    return false;
  }
  view->lease_at_ms = TS__FAR;
  for (uint32_t i = 0; i < view->rule.probe_slots; i++) {
    ts__lease_t *lease = &view->leases[i];
    if (lease->state == TS__LEASE_FREE) {
      lease->state = TS__LEASE_WANTED;
      lease->until_ms = view->now_ms + view->rule.probe_ms;
      ts__shared_draw_id(rng, lease->token);
      ask_for_lease(view, lease, todo);
      return true;
    }
  }
  return false;
}

/* Calls that are older than the window are no news any more, nor is a vote
 * after the time that it would have kept all of them open. */
static void forget_old_delta(ts__shared_t *view) {
  const int64_t age_ms = view->now_ms - view->delta_ms;
  const int64_t window_ms = view->rule.window_ms;
  if (window_ms > 0 && age_ms > window_ms) {
    const ts_store_delta_t vote = {.vote = view->delta.vote,
                                   .open_ms = view->delta.open_ms};
    view->delta = vote;
  }
  if (age_ms > view->rule.open_ms) {
    view->delta.vote = false;
  }
}

static void send_delta(ts__shared_t *view, ts__todo_t *todo) {
  forget_old_delta(view);
  todo->delta = view->delta;
  view->failing = view->delta.failures > 0;
  view->sync_carries = view->delta.calls > 0;
  view->sent_vote = (ts_store_delta_t){.vote = view->delta.vote,
                                       .open_ms = view->delta.open_ms};
  view->sent_epoch = view->epoch;
  view->sent_ms = view->delta_ms;

  view->delta = (ts_store_delta_t){0};
  view->urgent = false;
}

/* The first question only asks: nobody knows yet which era the calls are of. */
static void begin_sync(ts__shared_t *view, ts__todo_t *todo) {
  begin(view, TS__TODO_SYNC, todo);
  view->sync_carries = false;
  view->sent_vote.vote = false;

  if (view->known) {
    send_delta(view, todo);
  }
  view->syncing = true;
  view->used = false;
  view->synced_ms = view->now_ms;
  view->sync_at_ms = TS__FAR;
}

bool ts__shared_next(ts__shared_t *view, ts__rng_t *rng, int64_t now_ms,
                     int64_t early_ms, ts__todo_t *todo) {
  ts__shared_see(view, now_ms);
  if (view->closed) {
    return false;
  }
  for (uint32_t i = 0; i < view->rule.probe_slots; i++) {
    if (next_of_lease(view, &view->leases[i], todo)) {
      return true;
    }
  }
  if (next_lease(view, rng, todo)) {
    return true;
  }
  /* Less than an interval, or one that is refused would be due again. */
  const int64_t most_ms = view->rule.sync_ms / 5;
  const int64_t ahead_ms = early_ms < most_ms ? early_ms : most_ms;
  const int64_t sync_ms = ts__shared_sync_ms(view);
  if (sync_ms == TS__FAR || sync_ms > view->now_ms + ahead_ms) {
    return false;
  }
  begin_sync(view, todo);
  return true;
}

void ts__shared_refused(ts__shared_t *view, ts__rng_t *rng, int64_t now_ms,
                        const ts__todo_t *todo, int error, ts__news_t *news) {
  const ts_store_answer_t answer = {.error = error};
  if (todo->asked.kind == TS__TODO_SYNC && !ts__delta_is_empty(&todo->delta)) {
    ts_store_delta_t all = todo->delta;
    ts__delta_append(&all, &view->delta);
    view->delta = all;
    view->delta_ms = view->sent_ms;
    view->sync_carries = false;
    view->sent_vote.vote = false;
  }
  ts__shared_answer(view, rng, now_ms, &todo->asked, &answer, news);
}
