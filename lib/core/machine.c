/* SPDX-License-Identifier: Apache-2.0 */
#include "core/machine.h"

#include <string.h>

#include "base/err.h"
#include "tripswitch/client.h"

/*
 * The era changes with the state, and with a reset. A ticket of another era
 * comes too late: what it says was asked in other circumstances. That is all
 * there is to stale outcomes: no timer and no list of tickets.
 *
 * Nothing happens between calls. Whoever looks applies the time that has gone
 * by first (pass_time), as though each deadline had been met in its moment.
 */

#define MAX_SLOTS 1024u
#define DRAW_END 0x1p53

/* --------------------------------------------------------------- checking */

static bool is_duration(int64_t ms, int64_t least) {
  return ms >= least && ms <= TS_MAX_DURATION_MS;
}

static const char *check_rule(const ts_breaker_options_t *options) {
  if (options->rate_pct > 100) {
    return "rate_pct";
  }
  if (options->min_calls == 0) {
    return "min_calls";
  }
  if (!is_duration(options->slow_ms, 0) ||
      (options->slow_pct > 0 && options->slow_ms == 0)) {
    return "slow_ms";
  }
  if (options->slow_pct > 100) {
    return "slow_pct";
  }
  const bool has_rule = options->consec > 0 || options->rate_pct > 0 ||
                        options->slow_pct > 0 || options->ready_to_trip != NULL;
  return has_rule ? NULL : "consec";
}

/* A window too small for a rule would silently turn it off. */
static const char *check_last_calls(const ts_breaker_options_t *options) {
  if (options->window_calls < 1 || options->window_calls > UINT16_MAX) {
    return "window_calls";
  }
  if (options->consec > options->window_calls) {
    return "consec";
  }
  const bool has_rate = options->rate_pct > 0 || options->slow_pct > 0;
  return has_rate && options->min_calls > options->window_calls ? "min_calls"
                                                                : NULL;
}

static const char *check_window(const ts_breaker_options_t *options) {
  switch (options->window) {
  case TS_WINDOW_NONE:
    return NULL;
  case TS_WINDOW_ROLLING:
    if (options->window_buckets < 2 || options->window_buckets > 64) {
      return "window_buckets";
    }
    return is_duration(options->window_ms, 1) ? NULL : "window_ms";
  case TS_WINDOW_FIXED:
    return is_duration(options->window_ms, 1) ? NULL : "window_ms";
  case TS_WINDOW_CALLS:
    return check_last_calls(options);
  default:
    return "window";
  }
}

/* The comparisons are false for what is not a number. */
static const char *check_open(const ts_breaker_options_t *options) {
  if (!is_duration(options->open_ms, 1)) {
    return "open_ms";
  }
  if (!(options->open_mult >= 1.0 && options->open_mult <= 100.0)) {
    return "open_mult";
  }
  if (options->open_max_ms != 0 &&
      !is_duration(options->open_max_ms, options->open_ms)) {
    return "open_max_ms";
  }
  return options->open_jitter >= 0.0 && options->open_jitter <= 1.0
             ? NULL
             : "open_jitter";
}

static const char *check_probes(const ts_breaker_options_t *options) {
  if (options->probe_slots < 1 || options->probe_slots > MAX_SLOTS) {
    return "probe_slots";
  }
  if (options->probe_need < 1) {
    return "probe_need";
  }
  if (options->probe_budget != 0 &&
      options->probe_budget < options->probe_need) {
    return "probe_budget";
  }
  if (!is_duration(options->probe_ms, 1)) {
    return "probe_ms";
  }
  return options->probe_lost == TS_OUTCOME_FAILURE ||
                 options->probe_lost == TS_OUTCOME_IGNORED
             ? NULL
             : "probe_lost";
}

const char *ts__machine_check(const ts_breaker_options_t *options) {
  const char *field = check_rule(options);
  field = field != NULL ? field : check_window(options);
  field = field != NULL ? field : check_open(options);
  field = field != NULL ? field : check_probes(options);
  if (field == NULL && (unsigned)options->mode > TS_BREAKER_MEASURE) {
    field = "mode";
  }
  return field;
}

/* ------------------------------------------------------------- life and time */

int ts__machine_init(ts__machine_t *machine, const ts__mem_t *mem,
                     const char *name, const ts_breaker_options_t *options,
                     int64_t now_ms) {
  *machine = (ts__machine_t){.mem = mem,
                             .name = name,
                             .options = *options,
                             .mode = options->mode,
                             .state = TS_BREAKER_CLOSED,
                             .now_ms = now_ms};
  int error = ts__window_init(&machine->window, mem, options);
  if (error != 0) {
    return error;
  }
  machine->slots =
      ts__realloc_array(mem, NULL, options->probe_slots, sizeof(ts__slot_t));
  if (machine->slots == NULL) {
    ts__window_deinit(&machine->window, mem);
    return TS__ENOMEM;
  }
  memset(machine->slots, 0, options->probe_slots * sizeof(ts__slot_t));
  ts__window_reset(&machine->window, now_ms);
  return 0;
}

void ts__machine_deinit(ts__machine_t *machine) {
  ts__window_deinit(&machine->window, machine->mem);
  ts__free(machine->mem, machine->slots);
  machine->slots = NULL;
}

/* Every change of the state: a new era, and all counts of the old one gone. */
static void enter(ts__machine_t *machine, ts_breaker_state_t state,
                  ts__moves_t *moves) {
  machine->era++;
  if (machine->state != state) {
    moves->items[moves->count++] =
        (ts__move_t){machine->state, state, machine->era};
  }
  machine->state = state;
  machine->probes = (ts__tally_t){0};
  machine->slots_taken = 0;
  for (uint32_t i = 0; i < machine->options.probe_slots; i++) {
    machine->slots[i].taken = false;
  }
  ts__window_reset(&machine->window, machine->now_ms);
}

static int64_t longest_open(const ts__machine_t *machine) {
  const int64_t max_ms = machine->options.open_max_ms;
  return max_ms != 0 ? max_ms : 10 * machine->options.open_ms;
}

/* What a failure asks for is taken as it is, without jitter. */
static int64_t open_time(const ts__machine_t *machine, ts__rng_t *rng,
                         int64_t asked_ms) {
  const ts_breaker_options_t *options = &machine->options;
  const double longest = (double)longest_open(machine);
  if (asked_ms > 0) {
    return asked_ms < longest_open(machine) ? asked_ms : longest_open(machine);
  }
  double ms = (double)options->open_ms;
  if (options->open_mult > 1.0) {
    for (uint32_t i = 0; i < machine->level && ms < longest; i++) {
      ms *= options->open_mult;
    }
  }
  ms = ms < longest ? ms : longest;
  const double share = (double)ts__rng_draw53(rng) / DRAW_END;
  return (int64_t)(ms + share * options->open_jitter * ms);
}

/* Open, as of a moment that may have passed already. */
static void open_at(ts__machine_t *machine, ts__rng_t *rng, int64_t at_ms,
                    int64_t asked_ms, ts__moves_t *moves) {
  if (machine->state == TS_BREAKER_HALF_OPEN && machine->level < UINT32_MAX) {
    machine->level++;
  }
  machine->until_ms = at_ms + open_time(machine, rng, asked_ms);
  enter(machine, TS_BREAKER_OPEN, moves);
}

static void close_now(ts__machine_t *machine, ts__moves_t *moves) {
  machine->level = 0;
  enter(machine, TS_BREAKER_CLOSED, moves);
}

/* The earliest deadline of a probe under way, or INT64_MAX. */
static int64_t first_deadline(const ts__machine_t *machine) {
  int64_t first_ms = INT64_MAX;
  uint32_t left = machine->slots_taken;
  for (uint32_t i = 0; left > 0; i++) {
    const ts__slot_t *slot = &machine->slots[i];
    if (slot->taken) {
      left--;
      first_ms = slot->deadline_ms < first_ms ? slot->deadline_ms : first_ms;
    }
  }
  return first_ms;
}

static void free_slot(ts__machine_t *machine, ts__slot_t *slot) {
  slot->taken = false;
  machine->slots_taken--;
}

static void lose_late_probes(ts__machine_t *machine, ts__moves_t *moves) {
  for (uint32_t i = 0; i < machine->options.probe_slots; i++) {
    ts__slot_t *slot = &machine->slots[i];
    if (slot->taken && slot->deadline_ms <= machine->now_ms) {
      free_slot(machine, slot);
      machine->counts.total_probes_lost++;
      moves->probes_lost++;
    }
  }
}

/* Probes whose time is over. True if that opened the machine again. */
static bool reclaim(ts__machine_t *machine, ts__rng_t *rng,
                    ts__moves_t *moves) {
  const int64_t lost_at_ms = first_deadline(machine);
  if (lost_at_ms > machine->now_ms) {
    return false;
  }
  lose_late_probes(machine, moves);
  if (machine->options.probe_lost == TS_OUTCOME_IGNORED) {
    return false;
  }
  open_at(machine, rng, lost_at_ms, 0, moves);
  return true;
}

static void begin_moves(ts__moves_t *moves) {
  moves->count = 0;
  moves->probes_lost = 0;
  moves->would_open = false;
  moves->by_own_rule = false;
}

/* What an open or half-open machine is by now. */
static void change_by_time(ts__machine_t *machine, ts__rng_t *rng,
                           ts__moves_t *moves) {
  if (machine->state == TS_BREAKER_HALF_OPEN && !reclaim(machine, rng, moves)) {
    return;
  }
  if (machine->now_ms >= machine->until_ms) {
    enter(machine, TS_BREAKER_HALF_OPEN, moves);
  }
}

static inline void pass_time(ts__machine_t *machine, ts__rng_t *rng,
                             int64_t now_ms, ts__moves_t *moves) {
  if (now_ms > machine->now_ms) {
    machine->now_ms = now_ms;
  }
  if (machine->state == TS_BREAKER_CLOSED) {
    ts__window_advance(&machine->window, machine->now_ms);
  } else {
    change_by_time(machine, rng, moves);
  }
}

void ts__machine_advance(ts__machine_t *machine, ts__rng_t *rng, int64_t now_ms,
                         ts__moves_t *moves) {
  begin_moves(moves);
  pass_time(machine, rng, now_ms, moves);
}

int64_t ts__machine_open_for_ms(const ts__machine_t *machine) {
  return machine->state == TS_BREAKER_OPEN ? machine->until_ms - machine->now_ms
                                           : 0;
}

/* --------------------------------------------------------------- admission */

static bool has_budget(const ts__machine_t *machine) {
  const uint32_t budget = machine->options.probe_budget;
  return budget == 0 ||
         machine->slots_taken + machine->probes.successes < budget;
}

static void take_slot(ts__machine_t *machine, ts_ticket_t *ticket) {
  uint16_t i = 0;
  while (machine->slots[i].taken) {
    i++;
  }
  ts__slot_t *slot = &machine->slots[i];
  slot->taken = true;
  slot->turn++;
  slot->deadline_ms = machine->now_ms + machine->options.probe_ms;
  machine->slots_taken++;
  machine->counts.total_probes++;
  ticket->flags |= TS__TICKET_PROBE;
  ticket->slot = i;
  ticket->turn = slot->turn;
}

/* What the state says; a probe's slot is taken. */
static ts_reason_t decide(ts__machine_t *machine, ts_ticket_t *ticket) {
  if (machine->state == TS_BREAKER_CLOSED) {
    return TS_REASON_NONE;
  }
  if (machine->state == TS_BREAKER_OPEN) {
    return TS_REASON_OPEN;
  }
  if (machine->slots_taken == machine->options.probe_slots ||
      !has_budget(machine)) {
    return TS_REASON_PROBES;
  }
  take_slot(machine, ticket);
  return TS_REASON_NONE;
}

/* What the mode makes of it. */
static ts_reason_t decide_by_mode(ts__machine_t *machine, ts_ticket_t *ticket) {
  if (machine->mode == TS_BREAKER_FORCED_OPEN) {
    return TS_REASON_FORCED;
  }
  if (machine->mode == TS_BREAKER_DISABLED) {
    ticket->flags |= TS__TICKET_UNCOUNTED;
    return TS_REASON_NONE;
  }
  const ts_reason_t reason = decide(machine, ticket);
  return machine->mode == TS_BREAKER_AUTO ? reason : TS_REASON_NONE;
}

static void count_rejection(ts_breaker_counts_t *counts, ts_reason_t reason) {
  if (reason == TS_REASON_OPEN) {
    counts->total_rejected_open++;
  } else if (reason == TS_REASON_PROBES) {
    counts->total_rejected_probes++;
  } else if (reason == TS_REASON_STALE) {
    counts->total_rejected_stale++;
  } else {
    counts->total_rejected_forced++;
  }
}

void ts__machine_count_rejection(ts__machine_t *machine, ts_reason_t reason) {
  count_rejection(&machine->counts, reason);
}

void ts__machine_admit(ts__machine_t *machine, ts__rng_t *rng, int64_t now_ms,
                       ts_ticket_t *ticket, ts__moves_t *moves) {
  ts__machine_advance(machine, rng, now_ms, moves);
  *ticket = (ts_ticket_t){.flags = TS__TICKET_LIVE | TS__TICKET_UNCOUNTED};
  machine->counts.total_admitted++;
  machine->tickets++;
}

ts_reason_t ts__machine_acquire(ts__machine_t *machine, ts__rng_t *rng,
                                int64_t now_ms, ts_ticket_t *ticket,
                                int64_t *retry_after_ms, ts__moves_t *moves) {
  begin_moves(moves);
  pass_time(machine, rng, now_ms, moves);
  *ticket = (ts_ticket_t){.era = (uint16_t)machine->era,
                          .bucket = ts__window_bucket(&machine->window),
                          .start_ms = (uint32_t)machine->now_ms,
                          .flags = TS__TICKET_LIVE};
  *retry_after_ms = 0;
  const ts_reason_t reason = decide_by_mode(machine, ticket);
  if (reason == TS_REASON_NONE) {
    machine->counts.total_admitted++;
    machine->tickets++;
    return reason;
  }
  ticket->flags = 0;
  count_rejection(&machine->counts, reason);
  if (reason == TS_REASON_OPEN) {
    *retry_after_ms = ts__machine_open_for_ms(machine);
  }
  return reason;
}

/* ---------------------------------------------------------------- outcomes */

static bool reaches(uint64_t part, uint64_t calls, uint32_t pct,
                    uint32_t min_calls) {
  return pct > 0 && calls >= min_calls && part * 100 >= pct * calls;
}

static bool asks_to_trip(const ts__machine_t *machine) {
  ts_breaker_counts_t counts;
  if (machine->options.ready_to_trip == NULL) {
    return false;
  }
  ts__machine_counts(machine, &counts);
  return machine->options.ready_to_trip(machine->name, &counts,
                                        machine->options.data);
}

/* Does the rule open a closed machine, after this call? */
static bool trips(const ts__machine_t *machine, bool ok, bool slow,
                  bool *by_own_rule) {
  const ts_breaker_options_t *options = &machine->options;
  const ts__tally_t *sum = &machine->window.sum;
  const uint64_t calls = (uint64_t)sum->successes + sum->failures;
  if (!ok &&
      ((options->consec > 0 && sum->failure_run >= options->consec) ||
       reaches(sum->failures, calls, options->rate_pct, options->min_calls))) {
    return true;
  }
  *by_own_rule = (slow && reaches(sum->slow, calls, options->slow_pct,
                                  options->min_calls)) ||
                 (!ok && asks_to_trip(machine));
  return *by_own_rule;
}

static void count_outcome(ts_breaker_counts_t *counts, bool ok, bool slow) {
  counts->total_successes += ok;
  counts->total_failures += !ok;
  counts->total_slow += slow;
}

static void settle_call(ts__machine_t *machine, ts__rng_t *rng,
                        const ts_ticket_t *ticket, bool ok, bool slow,
                        int64_t open_ms, ts__moves_t *moves) {
  count_outcome(&machine->counts, ok, slow);
  if (machine->state != TS_BREAKER_CLOSED ||
      !ts__window_book(&machine->window, ticket->bucket, ok, slow) ||
      machine->mode == TS_BREAKER_FORCED_CLOSED ||
      !trips(machine, ok, slow, &moves->by_own_rule)) {
    return;
  }
  if (machine->mode == TS_BREAKER_MEASURE) {
    moves->would_open = true;
    ts__window_reset(&machine->window, machine->now_ms);
  } else {
    open_at(machine, rng, machine->now_ms, open_ms, moves);
  }
}

static void settle_probe(ts__machine_t *machine, ts__rng_t *rng, bool ok,
                         bool slow, int64_t open_ms, ts__moves_t *moves) {
  count_outcome(&machine->counts, ok, slow);
  if (!ok) {
    open_at(machine, rng, machine->now_ms, open_ms, moves);
    return;
  }
  ts__tally_add(&machine->probes, ok, slow);
  if (machine->probes.success_run >= machine->options.probe_need) {
    close_now(machine, moves);
  }
}

/* An outcome that is none. */
static bool is_neutral(ts__machine_t *machine, ts_outcome_t outcome) {
  if (outcome == TS_OUTCOME_CANCELLED) {
    machine->counts.total_cancelled++;
    return true;
  }
  if (outcome != TS_OUTCOME_SUCCESS && outcome != TS_OUTCOME_FAILURE) {
    machine->counts.total_ignored++;
    return true;
  }
  return false;
}

/* True if the ticket is of this era, and if its probe was not lost. Its slot
 * is free from now on. */
static bool is_current(ts__machine_t *machine, const ts_ticket_t *ticket) {
  if (ticket->era != (uint16_t)machine->era) {
    return false;
  }
  if ((ticket->flags & TS__TICKET_PROBE) == 0) {
    return true;
  }
  ts__slot_t *slot = &machine->slots[ticket->slot];
  if (!slot->taken || slot->turn != ticket->turn) {
    return false;
  }
  free_slot(machine, slot);
  return true;
}

static inline bool is_slow(const ts__machine_t *machine, int64_t now_ms,
                           uint32_t start_ms) {
  const uint32_t took_ms = (uint32_t)now_ms - start_ms;
  return machine->options.slow_ms > 0 &&
         (int64_t)took_ms >= machine->options.slow_ms;
}

ts_outcome_t ts__machine_judge(const ts__machine_t *machine, int64_t now_ms,
                               const ts_ticket_t *ticket,
                               ts_outcome_t outcome) {
  const int64_t seen_ms = now_ms > machine->now_ms ? now_ms : machine->now_ms;
  return outcome == TS_OUTCOME_SUCCESS && machine->options.slow_pct == 0 &&
                 is_slow(machine, seen_ms, ticket->start_ms)
             ? TS_OUTCOME_FAILURE
             : outcome;
}

bool ts__machine_settle(ts__machine_t *machine, ts__rng_t *rng, int64_t now_ms,
                        ts_ticket_t *ticket, ts_outcome_t outcome,
                        int64_t open_ms, ts__moves_t *moves) {
  const ts_ticket_t held = *ticket;
  *ticket = (ts_ticket_t){0};
  begin_moves(moves);
  pass_time(machine, rng, now_ms, moves);
  if (held.flags == 0) {
    return false;
  }
  machine->tickets--;
  if ((held.flags & TS__TICKET_UNCOUNTED) != 0) {
    return true;
  }
  if (!is_current(machine, &held)) {
    machine->counts.total_stale++;
    return true;
  }
  if (is_neutral(machine, outcome)) {
    return true;
  }
  const bool slow = is_slow(machine, machine->now_ms, held.start_ms);
  const bool ok = outcome == TS_OUTCOME_SUCCESS &&
                  !(slow && machine->options.slow_pct == 0);
  if ((held.flags & TS__TICKET_PROBE) != 0) {
    settle_probe(machine, rng, ok, slow, open_ms, moves);
  } else {
    settle_call(machine, rng, &held, ok, slow, open_ms, moves);
  }
  return true;
}

/* ------------------------------------------------------------ from outside */

void ts__machine_reset(ts__machine_t *machine, int64_t now_ms,
                       ts__moves_t *moves) {
  begin_moves(moves);
  machine->now_ms = now_ms > machine->now_ms ? now_ms : machine->now_ms;
  close_now(machine, moves);
}

void ts__machine_restore(ts__machine_t *machine, ts_breaker_state_t state,
                         uint32_t level, int64_t now_ms, int64_t open_for_ms,
                         ts__moves_t *moves) {
  const int64_t longest = longest_open(machine);
  const int64_t most =
      longest + (int64_t)(machine->options.open_jitter * (double)longest);
  const int64_t ms = open_for_ms < most ? open_for_ms : most;
  begin_moves(moves);
  machine->now_ms = now_ms > machine->now_ms ? now_ms : machine->now_ms;
  machine->level = level;
  machine->until_ms = now_ms + (ms > 0 ? ms : 0);
  enter(machine, state, moves);
}

static bool has_same_shape(const ts_breaker_options_t *a,
                           const ts_breaker_options_t *b) {
  return a->window == b->window && a->window_ms == b->window_ms &&
         a->window_buckets == b->window_buckets &&
         a->window_calls == b->window_calls && a->probe_slots == b->probe_slots;
}

int ts__machine_configure(ts__machine_t *machine,
                          const ts_breaker_options_t *options) {
  if (!has_same_shape(&machine->options, options)) {
    return TS__EINVAL;
  }
  machine->options = *options;
  return 0;
}

void ts__machine_counts(const ts__machine_t *machine,
                        ts_breaker_counts_t *counts) {
  const ts__tally_t *tally = machine->state == TS_BREAKER_HALF_OPEN
                                 ? &machine->probes
                                 : &machine->window.sum;
  const uint64_t calls = (uint64_t)tally->successes + tally->failures;
  *counts = machine->counts;
  counts->calls = calls < UINT32_MAX ? (uint32_t)calls : UINT32_MAX;
  counts->successes = tally->successes;
  counts->failures = tally->failures;
  counts->slow = tally->slow;
  counts->consecutive_successes = tally->success_run;
  counts->consecutive_failures = tally->failure_run;
  counts->view_age_ms = -1;
}
