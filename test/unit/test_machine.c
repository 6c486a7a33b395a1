/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "core/machine.h"
#include "support/heap.h"

static heap_t heap;
static ts__mem_t mem;
static ts__rng_t rng; /* all zero: draws zeros for ever, so no jitter */
static ts__machine_t machine;
static ts__moves_t moves;
static int64_t now_ms;

static int setup(void **state) {
  (void)state;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  rng = (ts__rng_t){{0}};
  machine = (ts__machine_t){.state = TS_BREAKER_UNKNOWN};
  now_ms = 1000;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  if (machine.mem != NULL) {
    ts__machine_deinit(&machine);
  }
  return heap_balance(&heap) == 0 ? 0 : -1;
}

static ts_breaker_options_t threshold(uint32_t consec) {
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  options.consec = consec;
  return options;
}

static void make(const ts_breaker_options_t *options) {
  assert_null(ts__machine_check(options));
  assert_int_equal(ts__machine_init(&machine, &mem, "db", options, now_ms), 0);
}

static ts_breaker_state_t look(void) {
  ts__machine_advance(&machine, &rng, now_ms, &moves);
  return machine.state;
}

static ts_reason_t acquire(ts_ticket_t *ticket) {
  int64_t retry_after_ms = 0;
  return ts__machine_acquire(&machine, &rng, now_ms, ticket, &retry_after_ms,
                             &moves);
}

static ts_ticket_t admitted(void) {
  ts_ticket_t ticket;
  assert_int_equal(acquire(&ticket), TS_REASON_NONE);
  return ticket;
}

static void rejected(ts_reason_t reason) {
  ts_ticket_t ticket;
  assert_int_equal(acquire(&ticket), reason);
}

static void settle(ts_ticket_t *ticket, ts_outcome_t outcome) {
  assert_true(
      ts__machine_settle(&machine, &rng, now_ms, ticket, outcome, 0, &moves));
}

/* Calls that end at once: S success, F failure, I ignored, C cancelled. */
static void calls(const char *outcomes) {
  for (; *outcomes != '\0'; outcomes++) {
    ts_ticket_t ticket = admitted();
    settle(&ticket, *outcomes == 'S'   ? TS_OUTCOME_SUCCESS
                    : *outcomes == 'F' ? TS_OUTCOME_FAILURE
                    : *outcomes == 'I' ? TS_OUTCOME_IGNORED
                                       : TS_OUTCOME_CANCELLED);
  }
}

static ts_breaker_counts_t counts(void) {
  ts_breaker_counts_t all;
  ts__machine_counts(&machine, &all);
  return all;
}

static void moved(ts_breaker_state_t from, ts_breaker_state_t to) {
  assert_int_equal(moves.count, 1);
  assert_int_equal(moves.items[0].from, from);
  assert_int_equal(moves.items[0].to, to);
}

/* Open by failures, and wait until it is half-open. */
static void make_half_open(const ts_breaker_options_t *options) {
  make(options);
  while (machine.state == TS_BREAKER_CLOSED) {
    calls("F");
  }
  now_ms += ts__machine_open_for_ms(&machine);
  assert_int_equal(look(), TS_BREAKER_HALF_OPEN);
}

/* -------------------------------------------------------- consecutive failures */

/* B01: a call that succeeds leaves the breaker closed. */
static void test_success(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(5);
  make(&options);
  calls("S");
  assert_int_equal(look(), TS_BREAKER_CLOSED);
}

/* B02: the third failure of three opens it, the second does not. */
static void test_threshold(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(3);
  make(&options);
  calls("FF");
  assert_int_equal(look(), TS_BREAKER_CLOSED);
  calls("F");
  moved(TS_BREAKER_CLOSED, TS_BREAKER_OPEN);
  assert_int_equal(look(), TS_BREAKER_OPEN);
}

/* B03: while it is open nothing passes, and the caller learns for how long. */
static void test_open_rejects(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(1);
  ts_ticket_t ticket;
  int64_t retry_after_ms = 0;
  make(&options);
  calls("F");
  now_ms += 12000;
  assert_int_equal(ts__machine_acquire(&machine, &rng, now_ms, &ticket,
                                       &retry_after_ms, &moves),
                   TS_REASON_OPEN);
  assert_int_equal(retry_after_ms, 18000);
  assert_int_equal(counts().total_rejected_open, 1);
}

/* B04, B33: it is half-open at the very end of its open time, not before, and
 * without any call. */
static void test_half_open_by_time(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(1);
  options.open_ms = 60000;
  make(&options);
  calls("F");
  now_ms += 59999;
  assert_int_equal(look(), TS_BREAKER_OPEN);
  now_ms += 1;
  assert_int_equal(look(), TS_BREAKER_HALF_OPEN);
}

/* B05: a probe that succeeds closes it. */
static void test_probe_succeeds(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(2);
  make_half_open(&options);
  calls("S");
  moved(TS_BREAKER_HALF_OPEN, TS_BREAKER_CLOSED);
}

/* B06: a probe that fails opens it for a whole new time. */
static void test_probe_fails(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(2);
  make_half_open(&options);
  calls("F");
  moved(TS_BREAKER_HALF_OPEN, TS_BREAKER_OPEN);
  assert_int_equal(ts__machine_open_for_ms(&machine), 30000);
}

/* B07: with one slot a second call is rejected while the probe runs, which is
 * none the worse for it. */
static void test_one_slot(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(2);
  make_half_open(&options);
  ts_ticket_t probe = admitted();
  rejected(TS_REASON_PROBES);
  settle(&probe, TS_OUTCOME_SUCCESS);
  assert_int_equal(look(), TS_BREAKER_CLOSED);
}

/* B08: a success in between begins the run anew. */
static void test_run_broken(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(3);
  make(&options);
  calls("FFSFF");
  assert_int_equal(look(), TS_BREAKER_CLOSED);
}

/* B11: totals are for life. */
static void test_totals(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(1);
  make(&options);
  calls("SSF");
  now_ms += 30000;
  calls("S");
  assert_int_equal(counts().total_successes, 3);
  assert_int_equal(counts().total_failures, 1);
}

/* B12: a cancelled call is counted as that alone, and breaks no run. */
static void test_cancelled(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(5);
  make(&options);
  calls("FFFFC");
  assert_int_equal(counts().total_cancelled, 1);
  assert_int_equal(counts().calls, 4);
  calls("F");
  assert_int_equal(look(), TS_BREAKER_OPEN);
}

/* B13: a cancelled probe gives its slot back at once. */
static void test_cancelled_probe(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(1);
  make_half_open(&options);
  calls("CCC");
  ts_ticket_t probe = admitted();
  rejected(TS_REASON_PROBES);
  settle(&probe, TS_OUTCOME_SUCCESS);
}

/* B14: a probe that nobody settles is lost after probe_ms, and opens the
 * breaker again, as of that moment. */
static void test_lost_probe_fails(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(1);
  make_half_open(&options);
  ts_ticket_t probe = admitted();
  now_ms += 29999;
  rejected(TS_REASON_PROBES);
  now_ms += 1001;
  rejected(TS_REASON_OPEN);
  assert_int_equal(moves.probes_lost, 1);
  moved(TS_BREAKER_HALF_OPEN, TS_BREAKER_OPEN);
  assert_int_equal(ts__machine_open_for_ms(&machine), 29000);
  settle(&probe, TS_OUTCOME_SUCCESS);
  assert_int_equal(look(), TS_BREAKER_OPEN);
}

/* B14: or its slot goes to the next one; what it says later is not believed. */
static void test_lost_probe_ignored(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(1);
  options.probe_lost = TS_OUTCOME_IGNORED;
  make_half_open(&options);
  ts_ticket_t lost = admitted();
  now_ms += 30000;
  ts_ticket_t probe = admitted();
  assert_int_equal(moves.probes_lost, 1);
  settle(&lost, TS_OUTCOME_FAILURE);
  assert_int_equal(look(), TS_BREAKER_HALF_OPEN);
  rejected(TS_REASON_PROBES);
  settle(&probe, TS_OUTCOME_SUCCESS);
  assert_int_equal(look(), TS_BREAKER_CLOSED);
}

/* After a long silence everything happened in its time: the probe was lost, the
 * breaker open again, and that too is over. */
static void test_lost_long_ago(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(1);
  make_half_open(&options);
  (void)admitted();
  now_ms += 3600000;
  ts_ticket_t probe = admitted();
  assert_int_equal(moves.count, 2);
  assert_int_equal(moves.items[1].to, TS_BREAKER_HALF_OPEN);
  settle(&probe, TS_OUTCOME_SUCCESS);
  assert_int_equal(look(), TS_BREAKER_CLOSED);
}

/* B15, B16: a call from before the opening says nothing about the probes. */
static void test_old_calls_in_half_open(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(2);
  make(&options);
  ts_ticket_t good = admitted(), bad = admitted();
  calls("FF");
  now_ms += 30000;
  assert_int_equal(look(), TS_BREAKER_HALF_OPEN);
  settle(&good, TS_OUTCOME_SUCCESS);
  assert_int_equal(look(), TS_BREAKER_HALF_OPEN);
  settle(&bad, TS_OUTCOME_FAILURE);
  assert_int_equal(look(), TS_BREAKER_HALF_OPEN);
  assert_int_equal(counts().total_stale, 2);
}

/* B17: failures that trickle in later do not prolong the open time. */
static void test_old_calls_in_open(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(2);
  make(&options);
  ts_ticket_t late = admitted();
  calls("FF");
  now_ms += 10000;
  settle(&late, TS_OUTCOME_FAILURE);
  assert_int_equal(moves.count, 0);
  assert_int_equal(ts__machine_open_for_ms(&machine), 20000);
}

/* B18: three probes pass, a fourth does not; the first success closes, and what
 * the others say then is no failure of the closed breaker. */
static void test_three_slots(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(2);
  options.probe_slots = 3;
  make_half_open(&options);
  ts_ticket_t probes[] = {admitted(), admitted(), admitted()};
  rejected(TS_REASON_PROBES);
  settle(&probes[0], TS_OUTCOME_SUCCESS);
  settle(&probes[1], TS_OUTCOME_FAILURE);
  settle(&probes[2], TS_OUTCOME_FAILURE);
  assert_int_equal(look(), TS_BREAKER_CLOSED);
  assert_int_equal(counts().failures, 0);
}

/* B21: twenty times down and up again. */
static void test_cycles(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(3);
  make(&options);
  for (int i = 0; i < 20; i++) {
    calls("FFF");
    assert_int_equal(look(), TS_BREAKER_OPEN);
    now_ms += 30000;
    calls("S");
    assert_int_equal(look(), TS_BREAKER_CLOSED);
  }
}

/* B22: a hundred thousand rejections change nothing and take no memory. */
static void test_many_rejections(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(1);
  make(&options);
  calls("F");
  const size_t allocations = heap.allocations;
  for (int i = 0; i < 100000; i++) {
    rejected(TS_REASON_OPEN);
  }
  assert_int_equal(heap.allocations, allocations);
  assert_int_equal(counts().total_rejected_open, 100000);
}

/* B24: a ticket counts once; B65: what is no ticket is refused. */
static void test_settled_twice(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(2);
  make(&options);
  ts_ticket_t ticket = admitted();
  settle(&ticket, TS_OUTCOME_FAILURE);
  assert_false(ts__machine_settle(&machine, &rng, now_ms, &ticket,
                                  TS_OUTCOME_FAILURE, 0, &moves));
  assert_int_equal(counts().failures, 1);
  assert_int_equal(machine.tickets, 0);
}

/* B26: forced open rejects until it is released; forced closed admits and
 * counts, whatever comes. */
static void test_forced(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(2);
  make(&options);
  ts__machine_set_mode(&machine, TS_BREAKER_FORCED_OPEN);
  rejected(TS_REASON_FORCED);
  ts__machine_set_mode(&machine, TS_BREAKER_FORCED_CLOSED);
  calls("FFF");
  assert_int_equal(counts().failures, 3);
  ts__machine_set_mode(&machine, TS_BREAKER_AUTO);
  calls("F");
  assert_int_equal(look(), TS_BREAKER_OPEN);
}

/* A disabled breaker admits and counts nothing. */
static void test_disabled(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(1);
  make(&options);
  ts__machine_set_mode(&machine, TS_BREAKER_DISABLED);
  calls("FFFF");
  assert_int_equal(counts().total_failures, 0);
  assert_int_equal(machine.tickets, 0);
}

/* B27: measuring, it says when it would have opened, once for each time. */
static void test_measure(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(2);
  make(&options);
  ts__machine_set_mode(&machine, TS_BREAKER_MEASURE);
  calls("FF");
  assert_true(moves.would_open);
  assert_int_equal(moves.count, 0);
  calls("F");
  assert_false(moves.would_open);
  calls("F");
  assert_true(moves.would_open);
}

/* B28: a failure may say itself for how long, up to open_max_ms. */
static void test_own_open_time(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(1);
  options.open_max_ms = 120000;
  options.open_jitter = 1.0;
  make(&options);
  const int64_t asked_ms[] = {90000, 500000}, opened_ms[] = {90000, 120000};
  for (size_t i = 0; i < 2; i++) {
    ts__machine_reset(&machine, now_ms, &moves);
    ts_ticket_t ticket = admitted();
    ts__machine_settle(&machine, &rng, now_ms, &ticket, TS_OUTCOME_FAILURE,
                       asked_ms[i], &moves);
    assert_int_equal(ts__machine_open_for_ms(&machine), opened_ms[i]);
  }
}

/* B29: each failed probe makes the open time longer, up to the cap; closing
 * makes it short again. */
static void test_growing_open_time(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(1);
  options.open_ms = 1000;
  options.open_mult = 2.0;
  options.open_max_ms = 5000;
  make(&options);
  const int64_t expected_ms[] = {1000, 2000, 4000, 5000, 5000};
  for (size_t i = 0; i < 5; i++) {
    calls("F");
    assert_int_equal(ts__machine_open_for_ms(&machine), expected_ms[i]);
    now_ms += expected_ms[i];
  }
  calls("SF");
  assert_int_equal(ts__machine_open_for_ms(&machine), 1000);
}

/* B29: the jitter only adds, at most its share. */
static void test_jitter(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(1);
  rng = (ts__rng_t){{1, 2, 3, 4}};
  make(&options);
  for (int i = 0; i < 1000; i++) {
    calls("F");
    assert_in_range(ts__machine_open_for_ms(&machine), 30000, 33000);
    ts__machine_reset(&machine, now_ms, &moves);
  }
}

/* ---------------------------------------------------------- windows and rates */

static void slow_calls(int count, int64_t took_ms) {
  for (int i = 0; i < count; i++) {
    ts_ticket_t ticket = admitted();
    now_ms += took_ms;
    settle(&ticket, TS_OUTCOME_SUCCESS);
  }
}

/* B30: slow successes are failures. */
static void test_slow_is_failure(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(5);
  options.slow_ms = 100;
  make(&options);
  slow_calls(4, 150);
  slow_calls(1, 99);
  slow_calls(4, 150);
  assert_int_equal(look(), TS_BREAKER_CLOSED);
  slow_calls(1, 100);
  assert_int_equal(look(), TS_BREAKER_OPEN);
}

/* B49: the rate of slow calls waits for min_calls. */
static void test_slow_rate(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(0);
  options.slow_ms = 100;
  options.slow_pct = 50;
  options.min_calls = 4;
  make(&options);
  slow_calls(3, 150);
  assert_int_equal(look(), TS_BREAKER_CLOSED);
  slow_calls(1, 150);
  assert_int_equal(look(), TS_BREAKER_OPEN);
}

/* B32: the counts of one state are not those of the next. */
static void test_counts_reset(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(6);
  make(&options);
  calls("FFFFF");
  assert_int_equal(counts().consecutive_failures, 5);
  calls("F");
  assert_int_equal(look(), TS_BREAKER_OPEN);
  assert_int_equal(counts().calls, 0);
  assert_int_equal(counts().consecutive_failures, 0);
}

/* B34: with three to succeed, two leave it half-open, a third under way keeps a
 * fourth out, and its success closes. */
static void test_budget(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(1);
  options.probe_slots = options.probe_need = options.probe_budget = 3;
  make_half_open(&options);
  calls("SS");
  assert_int_equal(look(), TS_BREAKER_HALF_OPEN);
  assert_int_equal(counts().calls, 2);
  assert_int_equal(counts().consecutive_successes, 2);
  ts_ticket_t third = admitted();
  rejected(TS_REASON_PROBES);
  settle(&third, TS_OUTCOME_SUCCESS);
  assert_int_equal(look(), TS_BREAKER_CLOSED);
}

static ts_breaker_options_t rate(uint32_t pct, uint32_t min_calls) {
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  options.consec = 0;
  options.rate_pct = pct;
  options.min_calls = min_calls;
  return options;
}

/* B35: two of three are more than sixty in a hundred. */
static void test_rate(void **state) {
  (void)state;
  const ts_breaker_options_t options = rate(60, 3);
  make(&options);
  calls("SF");
  assert_int_equal(look(), TS_BREAKER_CLOSED);
  calls("F");
  assert_int_equal(look(), TS_BREAKER_OPEN);
}

/* B36: two failures of two prove nothing when three calls are asked for. */
static void test_min_calls(void **state) {
  (void)state;
  const ts_breaker_options_t options = rate(60, 3);
  make(&options);
  calls("FF");
  assert_int_equal(look(), TS_BREAKER_CLOSED);
}

/* B38: the result of a call from before the window began anew opens nothing. */
static void test_late_for_window(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(1);
  options.window = TS_WINDOW_FIXED;
  options.window_ms = 30000;
  make(&options);
  ts_ticket_t ticket = admitted();
  now_ms += 30000;
  settle(&ticket, TS_OUTCOME_FAILURE);
  assert_int_equal(look(), TS_BREAKER_CLOSED);
  assert_int_equal(counts().total_failures, 1);
}

/* B43: ignored outcomes count as that alone; the third failure opens. */
static void test_ignored(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(3);
  make(&options);
  calls("FFIF");
  assert_int_equal(look(), TS_BREAKER_OPEN);
  assert_int_equal(counts().total_ignored, 1);
}

/* B44, B45: ignored probes give slot and budget back. */
static void test_ignored_probes(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(1);
  options.probe_slots = options.probe_need = options.probe_budget = 2;
  make_half_open(&options);
  ts_ticket_t first = admitted(), second = admitted();
  rejected(TS_REASON_PROBES);
  settle(&first, TS_OUTCOME_IGNORED);
  settle(&second, TS_OUTCOME_IGNORED);
  calls("SS");
  assert_int_equal(look(), TS_BREAKER_CLOSED);
}

/* B50: of the last ten calls, the oldest leaves with the eleventh. */
static void test_last_calls(void **state) {
  (void)state;
  ts_breaker_options_t options = rate(50, 10);
  options.window = TS_WINDOW_CALLS;
  options.window_calls = 10;
  make(&options);
  calls("FFFFSSSSSS");
  calls("SF");
  assert_int_equal(counts().failures, 3);
  assert_int_equal(look(), TS_BREAKER_CLOSED);
}

static bool at_ten(const char *name, const ts_breaker_counts_t *all,
                   void *data) {
  assert_string_equal(name, "db");
  (*(int *)data)++;
  return all->consecutive_failures >= 10;
}

/* B53: a rule of one's own gets name and counts after each failure, and opens
 * on the tenth. */
static void test_ready_to_trip(void **state) {
  (void)state;
  int asked = 0;
  ts_breaker_options_t options = threshold(0);
  options.ready_to_trip = at_ten;
  options.data = &asked;
  make(&options);
  calls("SFFFFFFFFF");
  assert_int_equal(asked, 9);
  assert_int_equal(look(), TS_BREAKER_CLOSED);
  calls("F");
  assert_int_equal(look(), TS_BREAKER_OPEN);
}

/* B54: after the i-th success every count of successes is i. */
static void test_success_counts(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(5);
  make(&options);
  for (uint32_t i = 1; i <= 20; i++) {
    calls("S");
    assert_int_equal(counts().calls, i);
    assert_int_equal(counts().successes, i);
    assert_int_equal(counts().consecutive_successes, i);
    assert_int_equal(counts().total_successes, i);
  }
}

/* B55, B56, B57: two successes in a row close; one and a failure open again, an
 * era later; and after that two successes close still. */
static void test_need(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(1);
  options.probe_slots = options.probe_need = options.probe_budget = 2;
  make_half_open(&options);
  const uint32_t era = machine.era;
  calls("SF");
  assert_int_equal(look(), TS_BREAKER_OPEN);
  assert_int_equal(machine.era, era + 1);
  now_ms += 30000;
  calls("SS");
  assert_int_equal(look(), TS_BREAKER_CLOSED);
}

/* B58: counts that are cleared after 5 ms read as zero after 100. */
static void test_cleared(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(11);
  options.window = TS_WINDOW_FIXED;
  options.window_ms = 5;
  make(&options);
  calls("FFFSF");
  now_ms += 100;
  (void)look();
  assert_int_equal(counts().calls, 0);
}

/* B64: however often one looks, the open time ends once. */
static void test_one_move(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(1);
  make(&options);
  calls("F");
  now_ms += 30000;
  (void)look();
  moved(TS_BREAKER_OPEN, TS_BREAKER_HALF_OPEN);
  (void)look();
  assert_int_equal(moves.count, 0);
}

/* B100: when the clock goes back, no time passes; when it stands, neither. */
static void test_clock_back(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(1);
  make(&options);
  calls("F");
  now_ms = -5000000;
  assert_int_equal(look(), TS_BREAKER_OPEN);
  assert_int_equal(ts__machine_open_for_ms(&machine), 30000);
  now_ms = 31000;
  assert_int_equal(look(), TS_BREAKER_HALF_OPEN);
}

/* B123: a lower threshold holds from the next outcome on; another shape of the
 * window is refused. */
static void test_configure(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(10);
  make(&options);
  calls("FFF");
  options.consec = 4;
  assert_int_equal(ts__machine_configure(&machine, &options), 0);
  assert_int_equal(look(), TS_BREAKER_CLOSED);
  calls("F");
  assert_int_equal(look(), TS_BREAKER_OPEN);
  options.window = TS_WINDOW_FIXED;
  assert_int_equal(ts__machine_configure(&machine, &options), TS__EINVAL);
}

/* ------------------------------------------------------------------- options */

typedef struct wrong_s {
  const char *field;
  ts_breaker_options_t options;
} wrong_t;

#define WRONG(name, ...)                                                       \
  {                                                                            \
#name, {                                                                   \
      .consec = 5, .min_calls = 20, .open_ms = 30000, .open_mult = 1.0,        \
      .probe_slots = 1, .probe_need = 1, .probe_ms = 30000,                    \
      .probe_lost = TS_OUTCOME_FAILURE, __VA_ARGS__                            \
    }                                                                          \
  }

#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif

/* B10: what is out of range, or does not fit together, is named. */
static void test_check(void **state) {
  (void)state;
  static const wrong_t wrong[] = {
      WRONG(consec, .consec = 0),
      WRONG(rate_pct, .rate_pct = 101),
      WRONG(min_calls, .min_calls = 0),
      WRONG(slow_ms, .slow_ms = -1),
      WRONG(slow_ms, .slow_pct = 10),
      WRONG(slow_pct, .slow_ms = 10, .slow_pct = 101),
      WRONG(window, .window = (ts_window_t)9),
      WRONG(window_ms, .window = TS_WINDOW_FIXED),
      WRONG(window_ms, .window = TS_WINDOW_ROLLING, .window_buckets = 2),
      WRONG(window_buckets, .window = TS_WINDOW_ROLLING, .window_buckets = 65),
      WRONG(window_calls, .window = TS_WINDOW_CALLS),
      WRONG(consec, .window = TS_WINDOW_CALLS, .window_calls = 4),
      WRONG(min_calls, .window = TS_WINDOW_CALLS, .window_calls = 10,
            .rate_pct = 50),
      WRONG(open_ms, .open_ms = -30000),
      WRONG(open_ms, .open_ms = 0),
      WRONG(open_mult, .open_mult = 0.5),
      WRONG(open_max_ms, .open_max_ms = 29999),
      WRONG(open_jitter, .open_jitter = 1.5),
      WRONG(probe_slots, .probe_slots = 0),
      WRONG(probe_need, .probe_need = 0),
      WRONG(probe_budget, .probe_need = 3, .probe_budget = 2),
      WRONG(probe_ms, .probe_ms = 0),
      WRONG(probe_lost, .probe_lost = TS_OUTCOME_SUCCESS),
      WRONG(mode, .mode = (ts_breaker_mode_t)9),
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    assert_string_equal(ts__machine_check(&wrong[i].options), wrong[i].field);
  }
}

/* Each piece of memory that cannot be had is an error, and none is kept. */
static void test_no_memory(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(5);
  options.window = TS_WINDOW_ROLLING;
  options.window_ms = 1000;
  options.window_buckets = 10;
  for (size_t n = 1; n <= 2; n++) {
    heap_fail(&heap, n, 1);
    assert_int_equal(ts__machine_init(&machine, &mem, "db", &options, 0),
                     TS__ENOMEM);
    assert_int_equal(heap_balance(&heap), 0);
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_success),
      TEST(test_threshold),
      TEST(test_open_rejects),
      TEST(test_half_open_by_time),
      TEST(test_probe_succeeds),
      TEST(test_probe_fails),
      TEST(test_one_slot),
      TEST(test_run_broken),
      TEST(test_totals),
      TEST(test_cancelled),
      TEST(test_cancelled_probe),
      TEST(test_lost_probe_fails),
      TEST(test_lost_probe_ignored),
      TEST(test_lost_long_ago),
      TEST(test_old_calls_in_half_open),
      TEST(test_old_calls_in_open),
      TEST(test_three_slots),
      TEST(test_cycles),
      TEST(test_many_rejections),
      TEST(test_settled_twice),
      TEST(test_forced),
      TEST(test_disabled),
      TEST(test_measure),
      TEST(test_own_open_time),
      TEST(test_growing_open_time),
      TEST(test_jitter),
      TEST(test_slow_is_failure),
      TEST(test_slow_rate),
      TEST(test_counts_reset),
      TEST(test_budget),
      TEST(test_rate),
      TEST(test_min_calls),
      TEST(test_late_for_window),
      TEST(test_ignored),
      TEST(test_ignored_probes),
      TEST(test_last_calls),
      TEST(test_ready_to_trip),
      TEST(test_success_counts),
      TEST(test_need),
      TEST(test_cleared),
      TEST(test_one_move),
      TEST(test_clock_back),
      TEST(test_configure),
      TEST(test_check),
      TEST(test_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
