/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CORE_SHARED_H
#define TS_CORE_SHARED_H

/*
 * One process's view of a breaker that it shares with others through a store:
 * what the store said last, what the store is to be told, and the leases this
 * process has for probes. Pure: no I/O, no clock, and no memory but what init
 * takes. Time is monotonic milliseconds; when it goes back, no time passes.
 *
 *   ask      what the store's word means for a call; the breaker's own machine
 *            is asked too, and the stricter of both wins
 *   take     the call was admitted: it holds what `ask` gave
 *   settle   how that call went
 *   next     what the store is to be asked now, if anything
 *   answer   what came of it; once for each thing that `next` gave
 *
 * due_ms says when `next` has something; it may change with every call here.
 */

#include "base/mem.h"
#include "base/rng.h"
#include "core/machine.h"
#include "tripswitch/store.h"

#define TS__FAR INT64_MAX

/* The part of the options that matters here, with no defaults left open. */
typedef struct ts__shared_rule_s {
  ts_share_t share;
  ts_on_stale_t on_stale;
  int64_t sync_ms;
  int64_t linger_ms; /* how long to go on asking when no calls are made */
  int64_t max_stale_ms;
  int64_t lease_spread_ms;
  int64_t window_ms; /* 0: none */
  int64_t open_ms;
  int64_t probe_ms;
  int64_t retention_ms;
  uint32_t probe_slots; /* at most TS__MAX_LEASES */
  uint32_t fingerprint;
} ts__shared_rule_t;

/* What an admitted call is to the store. */
typedef enum ts__pass_kind_e {
  TS__PASS_PLAIN = 0, /* counted there */
  TS__PASS_LEASE,     /* a probe, leased */
  TS__PASS_ALONE,     /* a probe without a lease: the store is gone */
  TS__PASS_PRIVATE,   /* nothing */
  TS__PASS_UNCOUNTED  /* nothing here either: the machine is not to be asked */
} ts__pass_kind_t;

typedef struct ts__pass_s {
  ts__pass_kind_t kind;
  uint16_t tag; /* the view's epoch, or the probe's */
} ts__pass_t;

/* What is to be told of what happened. */
typedef struct ts__news_s {
  bool moved;
  ts__move_t move;
  bool degraded; /* the view has become stale; `error` says why, 0: silence */
  bool recovered;
  bool reset;     /* the store lost its data */
  bool regressed; /* the store went back to older data */
  bool mismatch;  /* another process has another rule */
  int error;
} ts__news_t;

/* What the store is to be asked. */
typedef enum ts__todo_kind_e {
  TS__TODO_SYNC = 1,
  TS__TODO_LEASE,
  TS__TODO_SETTLE,
  TS__TODO_FORCE /* from outside: never by `next` */
} ts__todo_kind_t;

typedef struct ts__asked_s {
  ts__todo_kind_t kind;
  uint32_t lease; /* which */
  uint64_t order; /* of all that was asked and learnt */
  int64_t at_ms;
} ts__asked_t;

typedef struct ts__todo_s {
  ts__asked_t asked; /* to be given back with the answer */
  uint32_t era;
  ts_store_delta_t delta; /* of a sync */
  const char *token;      /* of a lease; valid until the answer is given */
  ts_outcome_t outcome;   /* of a settle */
  int64_t open_ms;
} ts__todo_t;

typedef enum ts__lease_state_e {
  TS__LEASE_FREE = 0,
  TS__LEASE_WANTED, /* being asked for, or to be asked for again */
  TS__LEASE_HELD,   /* for the next call */
  TS__LEASE_USED,   /* by a call */
  TS__LEASE_ENDING  /* to be settled, or being settled */
} ts__lease_state_t;

typedef struct ts__lease_s {
  char token[TS_STORE_ID_SIZE];
  uint8_t state;
  bool asking;   /* there is an operation under way */
  bool own_slot; /* the breaker's own machine watches over the probe too */
  uint16_t turn; /* so that a late call is told apart */
  ts_outcome_t outcome;
  int64_t open_ms;
  int64_t until_ms; /* when it runs out */
  int64_t act_ms;   /* when something is to be done about it, else TS__FAR */
} ts__lease_t;

typedef struct ts__shared_s {
  ts__shared_rule_t rule;
  int64_t now_ms; /* the latest time seen */

  /* What the store said. */
  bool known;
  char id[TS_STORE_ID_SIZE];
  uint32_t era;
  ts_breaker_state_t state;
  bool forced;
  uint32_t level;
  int64_t until_ms; /* of open */
  uint64_t calls;
  uint64_t failures;
  uint32_t consecutive_failures;

  uint16_t epoch;         /* counts the eras adopted */
  uint64_t order;         /* counts what was asked and adopted */
  uint64_t adopted_order; /* of the latest adoption */
  int64_t heard_ms;       /* the latest answer; TS__FAR: none yet */
  int64_t owed_ms;        /* waiting for one since; TS__FAR: not waiting */
  bool degraded;
  bool closed;                /* the store is: for good */
  int error;                  /* of the latest operation */
  uint32_t other_fingerprint; /* the latest that was told */

  /* What the store is to hear. */
  ts_store_delta_t delta;
  int64_t delta_ms; /* its first call */
  uint64_t deltas_lost;
  bool used; /* since the latest sync */
  int64_t used_ms;
  bool failing; /* there were failures lately, and they were told at once */
  bool urgent;
  bool syncing;
  bool sync_carries;          /* the one under way has calls */
  ts_store_delta_t sent_vote; /* and a vote, or not */
  uint16_t sent_epoch;
  int64_t sent_ms;    /* its first call */
  int64_t sync_at_ms; /* the next one, TS__FAR: none */
  int64_t synced_ms;  /* the latest, TS__FAR: none */
  int64_t interval_ms;

  /* Set by the owner before `ask`: its own machine is open, and would let no
   * probe pass. */
  bool own_open;

  /* Leases: the next one is asked for at lease_at_ms, and not before. */
  int64_t lease_at_ms;
  int64_t lease_not_before_ms; /* TS__FAR: not drawn yet */
  ts__lease_t *leases;
  uint32_t leases_lost; /* probes not settled in time; the owner takes them */

  /* An open breaker whose store is gone: its own probes, one at a time. */
  int64_t alone_at_ms;    /* TS__FAR: not drawn yet */
  int64_t alone_until_ms; /* of the probe under way, TS__FAR: none */
  uint16_t alone_turn;
  bool alone_closed;
} ts__shared_t;

/* 0 or TS__ENOMEM. */
int ts__shared_init(ts__shared_t *view, const ts__mem_t *mem,
                    const ts__shared_rule_t *rule, int64_t now_ms);
void ts__shared_deinit(ts__shared_t *view, const ts__mem_t *mem);

/* Other numbers; share and probe_slots cannot change. */
void ts__shared_configure(ts__shared_t *view, const ts__shared_rule_t *rule);

/*
 * May a call be made, as far as the others go? TS_REASON_NONE, and *pass is
 * what it would be; else why not, and *retry_after_ms as the machine's.
 */
ts_reason_t ts__shared_ask(ts__shared_t *view, ts__rng_t *rng, int64_t now_ms,
                           ts__pass_t *pass, int64_t *retry_after_ms,
                           ts__news_t *news);

/* The call was admitted: a lease is used up. `own_slot`: the machine will say
 * so if this probe gets lost. */
void ts__shared_take(ts__shared_t *view, const ts__pass_t *pass, bool own_slot);

/* How it went: `outcome` is what the rule made of it. */
void ts__shared_settle(ts__shared_t *view, ts__rng_t *rng, int64_t now_ms,
                       const ts__pass_t *pass, ts_outcome_t outcome,
                       int64_t open_ms);

/* The breaker's own machine opened, and that is to count for all. */
void ts__shared_vote(ts__shared_t *view, ts__rng_t *rng, int64_t now_ms,
                     int64_t open_ms);

/* The store is to be asked soon, whether or not calls are made. */
void ts__shared_refresh(ts__shared_t *view, ts__rng_t *rng, int64_t now_ms);
/* And if a probe would be right, for a lease. */
void ts__shared_refresh_lease(ts__shared_t *view);

/* When there will be something to do: a sync; something about probes; any. */
int64_t ts__shared_sync_ms(const ts__shared_t *view);
int64_t ts__shared_probe_ms(const ts__shared_t *view);
static inline int64_t ts__shared_due_ms(const ts__shared_t *view) {
  const int64_t sync_ms = ts__shared_sync_ms(view);
  const int64_t probe_ms = ts__shared_probe_ms(view);
  return sync_ms < probe_ms ? sync_ms : probe_ms;
}

/*
 * The next thing the store is to be asked, of all that are due now; a sync also
 * if it is due within `early_ms`, so that those of many breakers go together.
 * False: none. True: it counts as asked, and `answer` or `refused` must follow.
 */
bool ts__shared_next(ts__shared_t *view, ts__rng_t *rng, int64_t now_ms,
                     int64_t early_ms, ts__todo_t *todo);

/* Something is being asked that `next` knows nothing of. */
ts__asked_t ts__shared_asked(ts__shared_t *view, int64_t now_ms,
                             ts__todo_kind_t kind);

void ts__shared_answer(ts__shared_t *view, ts__rng_t *rng, int64_t now_ms,
                       const ts__asked_t *asked,
                       const ts_store_answer_t *answer, ts__news_t *news);

/* The store did not take it: nothing of it has happened. */
void ts__shared_refused(ts__shared_t *view, ts__rng_t *rng, int64_t now_ms,
                        const ts__todo_t *todo, int error, ts__news_t *news);

/* The store told of a change that it was not asked for. */
void ts__shared_push(ts__shared_t *view, int64_t now_ms,
                     const ts_store_record_t *record, ts__news_t *news);

/* The store is closed: from now on this process decides alone. */
void ts__shared_close(ts__shared_t *view, ts__news_t *news);

/* Has the store answered since then, and, if a probe would be right now, also
 * whether it may be made? Then there is nothing to wait for. */
bool ts__shared_knows(const ts__shared_t *view, int64_t since_ms);

/* Random hex digits for ids and tokens. */
void ts__shared_draw_id(ts__rng_t *rng, char id[TS_STORE_ID_SIZE]);

/* Is the store's word too old to go by? */
bool ts__shared_is_stale(const ts__shared_t *view, int64_t now_ms);

/* What the others' word comes to: a state, and the rest of the open time. */
ts_breaker_state_t ts__shared_state(const ts__shared_t *view, int64_t now_ms);
int64_t ts__shared_open_for_ms(const ts__shared_t *view, int64_t now_ms);

/* Fill in what the breaker's own machine does not count. */
void ts__shared_count(const ts__shared_t *view, int64_t now_ms,
                      ts_breaker_counts_t *counts);

/* What the store said last, as of now. */
void ts__shared_read(const ts__shared_t *view, int64_t now_ms,
                     ts_store_record_t *record);

#endif /* TS_CORE_SHARED_H */
