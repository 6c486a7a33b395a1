/* SPDX-License-Identifier: Apache-2.0 */
#include "support/shared_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct process_s {
  size_t index;
  ts_registry_t *registry;
  ts_breaker_t *breaker;
  bool closed;
  int told[16];  /* events, by kind */
  int opened;    /* state events of all processes: to open */
  bool answered; /* ts_breaker_begin_async */
  int answer;
} process_t;

static const shared_kit_t *kit;
static process_t processes[SHARED_PROCESSES];
static ts_breaker_options_t options; /* of all, to be changed by a test */
static char name[64];

/* In units of the pace. */
#define OPEN_FOR 8
#define PROBE_FOR 8
#define STALE_AFTER 20

static int setup(void **state) {
  static unsigned count = 0;
  (void)state;
  snprintf(name, sizeof name, "case/%ld-%ld-%u", (long)getpid(),
           (long)time(NULL), ++count);
  memset(processes, 0, sizeof processes);
  kit->setup();
  options = (ts_breaker_options_t)TS_BREAKER_OPTIONS_INIT;
  options.share = kit->counts ? TS_SHARE_COUNTS : TS_SHARE_STATE;
  options.sync_ms = kit->sync_ms;
  options.open_ms = OPEN_FOR * kit->sync_ms;
  options.open_jitter = 0.0;
  options.probe_ms = PROBE_FOR * kit->sync_ms;
  options.max_stale_ms = STALE_AFTER * kit->sync_ms;
  options.lease_spread_ms = kit->sync_ms / 5;
  return 0;
}

/* ------------------------------------------------------------------- processes */

static void on_event(ts_breaker_t *breaker, const ts_breaker_event_t *event,
                     void *data) {
  process_t *process = data;
  (void)breaker;
  process->told[event->kind]++;
  process->opened += event->kind == TS_BREAKER_EVENT_STATE &&
                     event->scope == TS_SCOPE_SHARED &&
                     event->to == TS_BREAKER_OPEN;
}

static process_t *start(size_t index) {
  ts_registry_options_t theirs = TS_REGISTRY_OPTIONS_INIT;
  process_t *process = &processes[index];
  *process = (process_t){.index = index};
  theirs.data = process;
  theirs.on_event = on_event;
  process->registry = kit->registry(index, &theirs);
  options.data = process;
  options.store = kit->store(index);
  assert_int_equal(
      ts_registry_get(process->registry, name, &options, &process->breaker), 0);
  return process;
}

static void on_closed(ts_registry_t *registry) {
  process_t *process = ts_registry_get_data(registry);
  process->closed = true;
}

static void end(process_t *process) {
  int64_t waited_ms = 0;
  ts_breaker_unref(process->breaker);
  assert_int_equal(ts_registry_close(process->registry, on_closed), 0);
  for (; !process->closed && waited_ms < 60000; waited_ms++) {
    kit->pass(1);
  }
  assert_true(process->closed);
  process->registry = NULL;
  kit->end(process->index);
}

static int teardown(void **state) {
  (void)state;
  for (size_t i = 0; i < SHARED_PROCESSES; i++) {
    if (processes[i].registry != NULL) {
      end(&processes[i]);
    }
  }
  kit->teardown();
  return 0;
}

/* ----------------------------------------------------------------------- calls */

/* One call for each letter: S, F, or X rejected. */
static void calls(process_t *process, const char *outcomes) {
  for (; *outcomes != '\0'; outcomes++) {
    ts_ticket_t ticket;
    const int begun = ts_breaker_begin(process->breaker, &ticket, NULL);
    assert_int_equal(begun, *outcomes == 'X' ? TS_EOPEN : 0);
    if (begun == 0) {
      const ts_outcome_t outcome =
          *outcomes == 'S' ? TS_OUTCOME_SUCCESS : TS_OUTCOME_FAILURE;
      assert_int_equal(ts_breaker_end(process->breaker, &ticket, outcome, 0),
                       0);
    }
  }
}

/* Would a call be made? Asked, and not made. */
static ts_reason_t reason_now(process_t *process) {
  ts_rejection_t rejection = {.reason = TS_REASON_NONE};
  ts_ticket_t ticket;
  if (ts_breaker_begin(process->breaker, &ticket, &rejection) == 0) {
    ts_breaker_end(process->breaker, &ticket, TS_OUTCOME_CANCELLED, 0);
  }
  return rejection.reason;
}

/* A step of waiting, of which the kit's patience has about a hundred. */
static void wait_a_little(void) {
  kit->pass(kit->sync_ms >= 20 ? kit->sync_ms / 20 : 1);
}

static int64_t steps(int64_t syncs) {
  return 20 * (kit->patience_ms / kit->sync_ms + syncs + 1);
}

static void await_reason(process_t *process, ts_reason_t reason) {
  for (int64_t left = steps(0); left > 0; left--) {
    if (reason_now(process) == reason) {
      return;
    }
    wait_a_little();
  }
  fail_msg("%s: process %zu does not come to reason %s", name, process->index,
           ts_reason_name(reason));
}

/* Until a call is admitted, which a probe is; its ticket. */
static ts_ticket_t await_probe(process_t *process, int64_t syncs) {
  ts_ticket_t ticket = {0};
  for (int64_t left = steps(syncs); left > 0; left--) {
    if (ts_breaker_begin(process->breaker, &ticket, NULL) == 0) {
      return ticket;
    }
    wait_a_little();
  }
  fail_msg("%s: process %zu gets no probe", name, process->index);
  return ticket;
}

static void settle(process_t *process, ts_ticket_t *ticket,
                   ts_outcome_t outcome) {
  assert_int_equal(ts_breaker_end(process->breaker, ticket, outcome, 0), 0);
}

/* ---------------------------------------------------------------- the record */

static void on_begun(ts_breaker_t *breaker, int error,
                     const ts_ticket_t *ticket, const ts_rejection_t *rejection,
                     void *context) {
  process_t *process = context;
  ts_ticket_t held = *ticket;
  (void)rejection;
  process->answered = true;
  process->answer = error;
  if (error == 0) {
    ts_breaker_end(breaker, &held, TS_OUTCOME_CANCELLED, 0);
  }
}

/* Wait for the store's word, and then decide; what came of it. */
static int begin_waiting(process_t *process) {
  process->answered = false;
  assert_int_equal(ts_breaker_begin_async(process->breaker, kit->patience_ms,
                                          on_begun, process),
                   0);
  assert_false(process->answered);
  for (int64_t left = steps(2); left > 0 && !process->answered; left--) {
    wait_a_little();
  }
  assert_true(process->answered);
  return process->answer;
}

/* The record as it is in the store, as another process reads it that has
 * nothing else to do with it. */
static ts_store_record_t look(void) {
  ts_store_record_t record;
  process_t *reader = &processes[SHARED_PROCESSES - 1];
  if (reader->registry == NULL) {
    reader = start(SHARED_PROCESSES - 1);
  }
  kit->pass(1);
  (void)begin_waiting(reader);
  assert_int_equal(ts_breaker_get_record(reader->breaker, &record), 0);
  return record;
}

static void await_state(ts_breaker_state_t state) {
  for (int64_t left = steps(0) / 4; left > 0; left--) {
    if (look().state == state) {
      return;
    }
    wait_a_little();
  }
  fail_msg("%s: the record does not become %s", name,
           ts_breaker_state_name(state));
}

/* All told, all heard. */
static void rest(void) { kit->pass(kit->patience_ms); }

/* Both open, by five failures of the first, which both know of. */
static void open_both(process_t *a, process_t *b) {
  calls(b, "S");
  rest();
  calls(a, "FFFFF");
  await_reason(b, TS_REASON_OPEN);
  calls(a, "X");
}

static void pass_open_time(void) { kit->pass((OPEN_FOR + 1) * kit->sync_ms); }

/* ---------------------------------------------------------------------- counts */

/* B76: a name that nobody has used is a closed breaker without counts, and
 * stays one however often it is asked for. */
static void test_unknown(void **state) {
  ts_breaker_counts_t counts;
  (void)state;
  process_t *a = start(0);
  assert_int_equal(ts_breaker_state(a->breaker), TS_BREAKER_CLOSED);
  ts_breaker_counts(a->breaker, &counts);
  assert_int_equal(counts.calls, 0);
  assert_int_equal(counts.view_age_ms, -1);
  assert_int_equal(begin_waiting(a), 0);
  assert_string_equal(look().id, "");
  if (kit->counts) {
    calls(a, "S");
    rest();
    assert_string_not_equal(look().id, "");
  }
}

/* B77: failures at two places add up to the threshold, and both reject. */
static void test_sum(void **state) {
  (void)state;
  process_t *a = start(0), *b = start(1);
  calls(a, "FFF");
  rest();
  calls(b, "FF");
  await_reason(a, TS_REASON_OPEN);
  await_reason(b, TS_REASON_OPEN);
  assert_int_equal(look().era, 1);
}

/* B78: of many calls at many places none is lost. */
static void test_total(void **state) {
  (void)state;
  options.consec = 1000000;
  for (size_t i = 0; i < 8; i++) {
    start(i);
  }
  for (int round = 0; round < 100; round++) {
    for (size_t i = 0; i < 8; i++) {
      calls(&processes[i], "F");
    }
    wait_a_little();
  }
  rest();
  rest();
  const ts_store_record_t record = look();
  assert_int_equal(record.failures, 800);
  assert_int_equal(record.consecutive_failures, 800);
}

/* B80: when all trip at the same time, that is one change of the state, and
 * each process tells it once. */
static void test_one_transition(void **state) {
  (void)state;
  for (size_t i = 0; i + 1 < kit->crowd; i++) {
    calls(start(i), "S");
  }
  rest();
  for (size_t i = 0; i + 1 < kit->crowd; i++) {
    calls(&processes[i], "FFFFF");
  }
  for (size_t i = 0; i + 1 < kit->crowd; i++) {
    while (processes[i].opened == 0) {
      calls(&processes[i], "X");
      wait_a_little();
    }
  }
  assert_int_equal(look().era, 1);
  for (size_t i = 0; i + 1 < kit->crowd; i++) {
    assert_int_equal(processes[i].opened, 1);
  }
}

/* ---------------------------------------------------------------------- probes */

/* How many are admitted when all ask again and again, and none is done. */
static size_t probes_of_crowd(void) {
  static ts_ticket_t tickets[SHARED_PROCESSES];
  size_t admitted = 0;
  memset(tickets, 0, sizeof tickets);
  for (int64_t left = 4 * 20; left > 0; left--) {
    for (size_t i = 0; i + 1 < kit->crowd; i++) {
      if (tickets[i].flags == 0) {
        admitted +=
            ts_breaker_begin(processes[i].breaker, &tickets[i], NULL) == 0;
      }
    }
    wait_a_little();
  }
  for (size_t i = 0; i + 1 < kit->crowd; i++) {
    if (tickets[i].flags != 0) {
      settle(&processes[i], &tickets[i], TS_OUTCOME_SUCCESS);
    }
  }
  return admitted;
}

static void open_crowd(void) {
  for (size_t i = 0; i + 1 < kit->crowd; i++) {
    calls(start(i), "S");
  }
  rest();
  calls(&processes[0], "FFFFF");
  for (size_t i = 0; i + 1 < kit->crowd; i++) {
    await_reason(&processes[i], TS_REASON_OPEN);
  }
}

/* B82: one slot is one probe in all processes together. */
static void test_one_probe(void **state) {
  (void)state;
  options.probe_ms = 1000 * kit->sync_ms;
  open_crowd();
  pass_open_time();
  assert_int_equal(probes_of_crowd(), 1);
}

/* B82: and three slots are three. */
static void test_three_probes(void **state) {
  (void)state;
  options.probe_ms = 1000 * kit->sync_ms;
  options.probe_slots = 3;
  open_crowd();
  pass_open_time();
  assert_int_equal(probes_of_crowd(), 3);
}

/* B83: a probe that never ends keeps nobody waiting for longer than its lease,
 * and what it says after that is not heard. */
static void test_dead_holder(void **state) {
  (void)state;
  process_t *a = start(0), *b = start(1);
  open_both(a, b);
  pass_open_time();
  ts_ticket_t dead = await_probe(a, 0);
  assert_int_equal(look().state, TS_BREAKER_HALF_OPEN);
  ts_ticket_t live = await_probe(b, PROBE_FOR);
  (void)ts_breaker_end(a->breaker, &dead, TS_OUTCOME_SUCCESS, 0);
  kit->pass(2 * kit->sync_ms);
  assert_int_equal(look().state, TS_BREAKER_HALF_OPEN);
  settle(b, &live, TS_OUTCOME_SUCCESS);
  await_state(TS_BREAKER_CLOSED);
}

/* B84: successes of two processes close the breaker for both. */
static void test_need(void **state) {
  (void)state;
  options.probe_need = 2;
  process_t *a = start(0), *b = start(1);
  open_both(a, b);
  pass_open_time();
  ts_ticket_t first = await_probe(a, 0);
  settle(a, &first, TS_OUTCOME_SUCCESS);
  rest();
  assert_int_equal(look().state, TS_BREAKER_HALF_OPEN);
  ts_ticket_t second = await_probe(b, 0);
  settle(b, &second, TS_OUTCOME_SUCCESS);
  await_state(TS_BREAKER_CLOSED);
  await_reason(b, TS_REASON_NONE);
}

/* B84: a failure of either opens it again, one level up. */
static void test_failed_probe(void **state) {
  (void)state;
  options.open_mult = 2.0;
  process_t *a = start(0), *b = start(1);
  open_both(a, b);
  pass_open_time();
  ts_ticket_t probe = await_probe(b, 0);
  settle(b, &probe, TS_OUTCOME_FAILURE);
  await_state(TS_BREAKER_OPEN);
  const ts_store_record_t record = look();
  assert_int_equal(record.level, 1);
  assert_int_equal(record.era, 3);
  assert_true(record.open_for_ms > (OPEN_FOR + 1) * kit->sync_ms);
  await_reason(a, TS_REASON_OPEN);
}

/* B85: a lease for which no call comes is given back at half its life. */
static void test_unused_lease(void **state) {
  (void)state;
  options.probe_ms = 60 * kit->sync_ms;
  process_t *a = start(0), *b = start(1);
  open_both(a, b);
  pass_open_time();
  calls(a, "X");
  rest();
  assert_int_equal(look().state, TS_BREAKER_HALF_OPEN);
  if (kit->exact) {
    kit->pass(20 * kit->sync_ms);
    calls(b, "X");
    rest();
    calls(b, "X");
  }
  kit->pass((kit->exact ? 8 : 30) * kit->sync_ms);
  ts_ticket_t probe = await_probe(b, 0);
  settle(b, &probe, TS_OUTCOME_SUCCESS);
}

/* B86: an open breaker outlives its open time: it is half-open for a probe,
 * and never just closed. */
static void test_outlives(void **state) {
  (void)state;
  process_t *a = start(0), *b = start(1);
  open_both(a, b);
  kit->pass(5 * OPEN_FOR * kit->sync_ms);
  process_t *c = start(2);
  assert_int_equal(ts_breaker_state(b->breaker), TS_BREAKER_OPEN);
  assert_int_equal(begin_waiting(c), 0); /* as a probe: it was worth waiting */
  assert_int_equal(look().state, TS_BREAKER_HALF_OPEN);
}

/* ---------------------------------------------------------------- who decides */

static void fail_often(process_t *process, int count) {
  for (; count > 0; count--) {
    ts_ticket_t ticket;
    if (ts_breaker_begin(process->breaker, &ticket, NULL) == 0) {
      settle(process, &ticket, TS_OUTCOME_FAILURE);
    }
    wait_a_little();
  }
}

/* B87: with two reporters asked for, the trouble of one is its own, and that
 * of a second is everybody's. */
static void test_reporters(void **state) {
  (void)state;
  options.min_reporters = 2;
  options.open_ms = 1000 * kit->sync_ms;
  process_t *a = start(0), *b = start(1);
  fail_often(a, 100);
  assert_int_equal(ts_breaker_state(a->breaker), TS_BREAKER_OPEN);
  assert_int_equal(look().state, TS_BREAKER_CLOSED);
  calls(b, kit->counts ? "F" : "FFFFF");
  await_state(TS_BREAKER_OPEN);
  await_reason(b, TS_REASON_OPEN);
}

/* B88: where only the state is shared, one that opens opens all, and the counts
 * of the others are their own. */
static void test_state_alone(void **state) {
  ts_breaker_counts_t counts;
  (void)state;
  options.share = TS_SHARE_STATE;
  process_t *a = start(0), *b = start(1);
  calls(b, "SF");
  calls(a, "FFFFF");
  await_reason(b, TS_REASON_OPEN);
  ts_breaker_counts(b->breaker, &counts);
  assert_int_equal(counts.calls, 2);
  assert_int_equal(counts.consecutive_failures, 1);
}

static void on_forced(ts_breaker_t *breaker, int error, void *context) {
  int *answers = context;
  (void)breaker;
  assert_int_equal(error, 0);
  (*answers)++;
}

static void force(process_t *process, ts_store_force_t how) {
  int answers = 0;
  assert_int_equal(ts_breaker_force(process->breaker, how, on_forced, &answers),
                   0);
  assert_int_equal(answers, 0);
  for (int64_t left = steps(0); left > 0 && answers == 0; left--) {
    wait_a_little();
  }
  assert_int_equal(answers, 1);
}

/* B89: forced open in one process it is so in all, those too that begin later,
 * and released in another it is closed in all. */
static void test_forced(void **state) {
  (void)state;
  process_t *a = start(0), *b = start(1);
  force(a, TS_STORE_FORCE_OPEN);
  assert_int_equal(reason_now(a), TS_REASON_FORCED);
  await_reason(b, TS_REASON_FORCED);
  pass_open_time();
  end(a);
  process_t *c = start(2);
  await_reason(c, TS_REASON_FORCED);
  force(b, TS_STORE_FORCE_CLOSED);
  await_reason(c, TS_REASON_NONE);
  assert_int_equal(look().state, TS_BREAKER_CLOSED);
}

/* B90: who makes a handle, or reads, changes nothing. */
static void test_reading(void **state) {
  ts_breaker_counts_t counts;
  ts_store_record_t known;
  (void)state;
  process_t *a = start(0), *b = start(1);
  open_both(a, b);
  const ts_store_record_t before = look();
  for (size_t i = 2; i < 6; i++) {
    process_t *other = start(i);
    (void)ts_breaker_state(other->breaker);
    (void)ts_breaker_retry_after_ms(other->breaker);
    ts_breaker_counts(other->breaker, &counts);
    assert_int_equal(ts_breaker_get_record(other->breaker, &known),
                     TS_ENOTFOUND);
    kit->pass(kit->sync_ms / 5);
  }
  const ts_store_record_t after = look();
  assert_int_equal(after.era, before.era);
  assert_int_equal(after.state, TS_BREAKER_OPEN);
  assert_true(after.open_for_ms < before.open_for_ms);
}

/* B91: who comes new to an open breaker decides alone until it has heard of
 * it; but who waits for the store's word is rejected. */
static void test_newcomer(void **state) {
  (void)state;
  options.open_ms = 1000 * kit->sync_ms;
  process_t *a = start(0), *b = start(1);
  open_both(a, b);
  process_t *c = start(2), *d = start(3);
  calls(c, "S");
  await_reason(c, TS_REASON_OPEN);
  assert_int_equal(begin_waiting(d), TS_EOPEN);
}

/* --------------------------------------------------------------------- outages */

/* Until the breaker says that it does without its store. */
static void await_degraded(process_t *process) {
  for (int64_t left = steps(2 * STALE_AFTER);
       left > 0 && process->told[TS_BREAKER_EVENT_STORE_DEGRADED] == 0;
       left--) {
    (void)reason_now(process);
    wait_a_little();
  }
}

static void await_recovered(process_t *process) {
  for (int64_t left = steps(40);
       left > 0 && process->told[TS_BREAKER_EVENT_STORE_RECOVERED] == 0;
       left--) {
    (void)reason_now(process);
    wait_a_little();
  }
  assert_int_equal(process->told[TS_BREAKER_EVENT_STORE_RECOVERED], 1);
}

/* B66: without a store from the beginning the breaker protects all the same,
 * and says once that it is alone. */
static void test_never_there(void **state) {
  (void)state;
  kit->cut();
  process_t *a = start(0);
  calls(a, "S");
  await_degraded(a);
  options.open_ms = 1000 * kit->sync_ms;
  calls(a, "FFFFFX");
  kit->pass(5 * kit->sync_ms);
  calls(a, "X");
  assert_int_equal(a->told[TS_BREAKER_EVENT_STORE_DEGRADED], 1);
  kit->mend();
}

/* B93: a store that goes away delays no call, the breaker's own threshold still
 * holds, and that is told once. */
static void test_killed(void **state) {
  (void)state;
  process_t *a = start(0);
  calls(a, "S");
  rest();
  kit->cut();
  await_degraded(a);
  calls(a, "SFFFFFX");
  assert_int_equal(a->told[TS_BREAKER_EVENT_STORE_DEGRADED], 1);
  kit->mend();
  await_recovered(a);
  assert_int_equal(a->told[TS_BREAKER_EVENT_STORE_DEGRADED], 1);
}

/* B94: without the store calls are rejected, if that is asked for, until it is
 * back. */
static void test_stale_reject(void **state) {
  (void)state;
  options.on_stale = TS_ON_STALE_REJECT;
  process_t *a = start(0);
  calls(a, "S");
  rest();
  kit->cut();
  await_degraded(a);
  assert_int_equal(reason_now(a), TS_REASON_STALE);
  kit->mend();
  await_recovered(a);
  calls(a, "S");
}

/* B94: or admitted, and not counted. */
static void test_stale_allow(void **state) {
  ts_breaker_counts_t counts;
  (void)state;
  options.on_stale = TS_ON_STALE_ALLOW;
  process_t *a = start(0);
  calls(a, "S");
  rest();
  kit->cut();
  await_degraded(a);
  calls(a, "FFFFFFFFFF");
  ts_breaker_counts(a->breaker, &counts);
  assert_int_equal(counts.failures, 0);
  kit->mend();
  await_recovered(a);
  calls(a, "FFFFFX");
}

/* B95: an open breaker whose store went away is open for its time, then tries
 * one call by itself; and when the store is back, its word counts. */
static void test_open_and_killed(void **state) {
  (void)state;
  options.max_stale_ms = 2 * kit->sync_ms;
  process_t *a = start(0), *b = start(1);
  open_both(a, b);
  kit->cut();
  calls(b, "X");
  ts_ticket_t alone = await_probe(b, 3 * OPEN_FOR);
  calls(b, "X");
  settle(b, &alone, TS_OUTCOME_SUCCESS);
  calls(b, "SS");
  kit->mend();
  for (int64_t left = steps(40); left > 0; left--) {
    if (reason_now(b) != TS_REASON_NONE) {
      break;
    }
    wait_a_little();
  }
  assert_int_equal(b->told[TS_BREAKER_EVENT_STORE_RECOVERED], 1);
}

/* B96: a store that lost everything is begun anew, and opens nothing. */
static void test_wiped(void **state) {
  (void)state;
  options.open_ms = 1000 * kit->sync_ms;
  process_t *a = start(0), *b = start(1);
  open_both(a, b);
  kit->wipe(name);
  await_reason(b, TS_REASON_NONE);
  assert_int_equal(b->told[TS_BREAKER_EVENT_STORE_RESET], 1);
  calls(b, "S");
  rest();
  calls(b, "S");
}

/* B99: wrong wall clocks change no open time. */
static void test_wall_clocks(void **state) {
  (void)state;
  process_t *a = start(0), *b = start(1);
  kit->skew(0, 600000);
  kit->skew(1, -600000);
  open_both(a, b);
  calls(a, "X");
  const int64_t of_a_ms = ts_breaker_retry_after_ms(a->breaker);
  const int64_t of_b_ms = ts_breaker_retry_after_ms(b->breaker);
  assert_in_range(of_a_ms - of_b_ms + 10, 0, 20);
}

/* B101: a breaker made while its store cannot be reached overwrites nothing. */
static void test_made_in_outage(void **state) {
  (void)state;
  options.open_ms = 1000 * kit->sync_ms;
  process_t *a = start(0), *b = start(1);
  open_both(a, b);
  kit->cut();
  process_t *c = start(2);
  calls(c, "SS");
  kit->pass(3 * kit->sync_ms);
  kit->mend();
  for (int64_t left = steps(40); left > 0 && reason_now(c) != TS_REASON_OPEN;
       left--) {
    wait_a_little();
  }
  calls(c, "X");
  assert_int_equal(look().era, 1);
}

/* B102: data of another kind is left alone, and is told of. */
static void test_spoilt(void **state) {
  (void)state;
  kit->spoil(name);
  process_t *a = start(0);
  calls(a, "S");
  await_degraded(a);
  assert_int_equal(a->told[TS_BREAKER_EVENT_STORE_DEGRADED], 1);
  calls(a, "FFFFFX");
}

int shared_cases(const shared_kit_t *theirs) {
#define ALL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define IF(able, test)                                                         \
  { (able) ? #test : NULL, test, setup, teardown, NULL }
  const struct CMUnitTest tests[] = {
      ALL(test_unknown),
      IF(theirs->counts, test_sum),
      IF(theirs->counts, test_total),
      ALL(test_one_transition),
      ALL(test_one_probe),
      IF(theirs->slots >= 3, test_three_probes),
      ALL(test_dead_holder),
      ALL(test_need),
      ALL(test_failed_probe),
      ALL(test_unused_lease),
      ALL(test_outlives),
      ALL(test_reporters),
      ALL(test_state_alone),
      ALL(test_forced),
      ALL(test_reading),
      ALL(test_newcomer),
      ALL(test_never_there),
      ALL(test_killed),
      ALL(test_stale_reject),
      ALL(test_stale_allow),
      ALL(test_open_and_killed),
      ALL(test_wiped),
      IF(theirs->skew != NULL, test_wall_clocks),
      ALL(test_made_in_outage),
      IF(theirs->spoil != NULL, test_spoilt),
  };
  kit = theirs;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
