/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CORE_MACHINE_H
#define TS_CORE_MACHINE_H

/*
 * A breaker that decides for itself. Pure: no I/O, no clock, and no memory but
 * what init takes; time and randomness are passed in. Time is monotonic
 * milliseconds; when it goes back, no time passes.
 *
 *   acquire   may a call be made? If so it holds a ticket
 *   settle    how the call went; consumes the ticket
 *
 * Each function that can change the state returns what changed, so that the
 * owner tells it when the machine is at rest again.
 */

#include "base/rng.h"
#include "core/window.h"

/* One change of the state. */
typedef struct ts__move_s {
  ts_breaker_state_t from;
  ts_breaker_state_t to;
  uint32_t era; /* the new one */
} ts__move_t;

/* Flags of a ticket. */
#define TS__TICKET_LIVE 1u
#define TS__TICKET_PROBE 2u
#define TS__TICKET_UNCOUNTED 4u
/* Of shared breakers: what `shared` is. Without any of these an epoch. */
#define TS__TICKET_LEASED 8u   /* a lease */
#define TS__TICKET_ALONE 16u   /* a probe's turn */
#define TS__TICKET_PRIVATE 32u /* nothing: the store hears nothing of it */

/* What a call did to the machine. A look after a long time may do several
 * things: open ended, the probe was lost meanwhile, open ended again. */
typedef struct ts__moves_s {
  ts__move_t items[3];
  uint32_t count;
  uint32_t probes_lost;
  bool would_open;  /* measuring: the rule would have opened the breaker */
  bool by_own_rule; /* opened by a rule that no store knows */
} ts__moves_t;

static inline bool ts__moves_any(const ts__moves_t *moves) {
  return moves->count > 0 || moves->probes_lost > 0 || moves->would_open;
}

/* A place for a probe. */
typedef struct ts__slot_s {
  int64_t deadline_ms;
  uint8_t turn; /* grows with each use, so that a late settle is told apart */
  bool taken;
} ts__slot_t;

typedef struct ts__machine_s {
  const ts__mem_t *mem;
  const char *name; /* for ready_to_trip; the owner's */
  ts_breaker_options_t options;
  ts_breaker_mode_t mode;
  ts_breaker_state_t state;
  uint32_t era;
  uint32_t level;   /* reopenings since it was last closed */
  int64_t now_ms;   /* the latest time seen */
  int64_t until_ms; /* end of open */
  ts__window_t window;
  ts__tally_t probes;   /* settled in this half-open */
  uint32_t slots_taken; /* of half-open */
  uint32_t tickets;     /* out, of any era */
  ts__slot_t *slots;
  ts_breaker_counts_t counts; /* of these, the totals */
} ts__machine_t;

/* NULL when the options fit together, else the name of a field that does not. */
const char *ts__machine_check(const ts_breaker_options_t *options);

/* A closed machine from checked options. `name` must outlive it. 0 or
 * TS__ENOMEM. */
int ts__machine_init(ts__machine_t *machine, const ts__mem_t *mem,
                     const char *name, const ts_breaker_options_t *options,
                     int64_t now_ms);
void ts__machine_deinit(ts__machine_t *machine);

/*
 * Admit a call (TS_REASON_NONE, and a ticket), or reject it. *retry_after_ms is
 * set to when it makes sense to ask again: the rest of the open time, else 0.
 */
ts_reason_t ts__machine_acquire(ts__machine_t *machine, ts__rng_t *rng,
                                int64_t now_ms, ts_ticket_t *ticket,
                                int64_t *retry_after_ms, ts__moves_t *moves);

/*
 * Book an outcome. `open_ms` is a failure's own open time, 0: the rule's. False
 * if the ticket had been consumed already, and then nothing is done; an outcome
 * that came too late counts as stale.
 */
bool ts__machine_settle(ts__machine_t *machine, ts__rng_t *rng, int64_t now_ms,
                        ts_ticket_t *ticket, ts_outcome_t outcome,
                        int64_t open_ms, ts__moves_t *moves);

/* Admit a call that the machine is not to hear of. */
void ts__machine_admit(ts__machine_t *machine, ts__rng_t *rng, int64_t now_ms,
                       ts_ticket_t *ticket, ts__moves_t *moves);

/* Count a rejection that somebody else decided on. */
void ts__machine_count_rejection(ts__machine_t *machine, ts_reason_t reason);

/* What the machine makes of an outcome: a slow success may be a failure. */
ts_outcome_t ts__machine_judge(const ts__machine_t *machine, int64_t now_ms,
                               const ts_ticket_t *ticket, ts_outcome_t outcome);

/* Let time pass, without a call. */
void ts__machine_advance(ts__machine_t *machine, ts__rng_t *rng, int64_t now_ms,
                         ts__moves_t *moves);

/* Rest of the open time, 0 in other states. */
int64_t ts__machine_open_for_ms(const ts__machine_t *machine);

/* Back to closed with counts of 0 and the first open time; totals stay. */
void ts__machine_reset(ts__machine_t *machine, int64_t now_ms,
                       ts__moves_t *moves);

/* A state that was this machine's, or another's, before: open for so long from
 * that moment on, but no longer than the rule could have it. */
void ts__machine_restore(ts__machine_t *machine, ts_breaker_state_t state,
                         uint32_t level, int64_t now_ms, int64_t open_for_ms,
                         ts__moves_t *moves);

static inline void ts__machine_set_mode(ts__machine_t *machine,
                                        ts_breaker_mode_t mode) {
  machine->mode = mode;
}

/* Take new numbers for the rule, from checked options: they hold from the next
 * outcome on. 0, or TS__EINVAL when the window or the number of slots would
 * change its shape. */
int ts__machine_configure(ts__machine_t *machine,
                          const ts_breaker_options_t *options);

/* All counts as they are now. */
void ts__machine_counts(const ts__machine_t *machine,
                        ts_breaker_counts_t *counts);

#endif /* TS_CORE_MACHINE_H */
