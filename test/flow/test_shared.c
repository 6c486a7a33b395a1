/* SPDX-License-Identifier: Apache-2.0 */
/* Shared breakers over the store in memory: what goes wrong, and when things
 * end while others are under way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "breaker/memory.h"
#include "breaker/sharing.h"
#include "support/fleet.h"
#include "support/registry.h"

#define PACE 250

/* Two processes, and the store that they share. */
static fleet_t fleet;
static heap_t heap;
static ts__mem_t mem;
static ts__memory_t *memory;
static bool store_closed;
static ts_breaker_options_t options;

typedef struct process_s {
  ts_registry_t *registry;
  ts_breaker_t *db;
  int closed;
  char events[1024];
  char log[1024];
  void (*on_event)(struct process_s *process, ts_breaker_t *breaker,
                   const ts_breaker_event_t *event);
} process_t;

static process_t a, b;

static void on_event(ts_breaker_t *breaker, const ts_breaker_event_t *event,
                     void *data) {
  static const char *const kinds[] = {
      "",         "state",     "rejected", "probe",     "lost",    "would open",
      "degraded", "recovered", "reset",    "regressed", "mismatch"};
  process_t *process = data;
  const size_t len = strlen(process->events);
  if (event->kind != TS_BREAKER_EVENT_REJECTED) {
    snprintf(process->events + len, sizeof process->events - len, "%s%s%s; ",
             event->scope == TS_SCOPE_SHARED ? "all " : "",
             event->kind == TS_BREAKER_EVENT_STATE ? ">" : kinds[event->kind],
             event->kind == TS_BREAKER_EVENT_STATE
                 ? ts_breaker_state_name(event->to)
                 : "");
  }
  if (process->on_event != NULL) {
    process->on_event(process, breaker, event);
  }
}

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t field_count) {
  process_t *process = data;
  (void)level;
  (void)message;
  for (size_t i = 0; i < field_count; i++) {
    if (strcmp(fields[i].key, "option") == 0) {
      snprintf(process->log, sizeof process->log, "%s", fields[i].value);
    }
  }
}

static int try_start(process_t *process, size_t index, int64_t max_breakers) {
  const ts__log_t log = {on_log, process, TS_LOG_WARN, NULL};
  ts_registry_options_t theirs = TS_REGISTRY_OPTIONS_INIT;
  *process = (process_t){.closed = 0};
  theirs.data = process;
  theirs.on_event = on_event;
  theirs.max_breakers = max_breakers;
  fake_env_t *env = fleet_env(&fleet, index);
  const int error =
      ts__registry_new(&process->registry, &env->env, &theirs, &mem, &log);
  if (error != 0) {
    fleet_drop(&fleet, index);
  }
  return error;
}

static int try_get(process_t *process) {
  options.data = process;
  options.store = memory != NULL ? &memory->store : NULL;
  return ts_registry_get(process->registry, "db", &options, &process->db);
}

static void start(process_t *process, size_t index) {
  assert_int_equal(try_start(process, index, 20000), 0);
  assert_int_equal(try_get(process), 0);
}

static int open_store(void) {
  ts_memory_store_options_t theirs;
  ts__memory_read_options(&theirs, NULL);
  fake_env_t *env = fleet_env(&fleet, FLEET_SIZE - 1);
  return ts__memory_new(&memory, &env->env, &theirs, &mem);
}

static int setup(void **state) {
  (void)state;
  fleet_init(&fleet);
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  store_closed = false;
  assert_int_equal(open_store(), 0);
  options = (ts_breaker_options_t)TS_BREAKER_OPTIONS_INIT;
  options.open_ms = 2000;
  options.open_jitter = 0.0;
  options.probe_ms = 2000;
  start(&a, 0);
  start(&b, 1);
  return 0;
}

static void on_store_closed(ts_store_t *store) {
  (void)store;
  store_closed = true;
}

static void close_store(void) {
  assert_int_equal(ts_store_close(&memory->store, on_store_closed), 0);
}

static void on_closed(ts_registry_t *registry) {
  process_t *process = ts_registry_get_data(registry);
  process->closed++;
  process->registry = NULL;
}

static void end(process_t *process) {
  ts_breaker_unref(process->db);
  process->db = NULL;
  if (process->registry != NULL) {
    const int error = ts_registry_close(process->registry, on_closed);
    assert_true(error == 0 || error == TS_ECLOSED);
    fleet_turn(&fleet);
  }
  assert_int_equal(process->closed, 1);
}

static int teardown(void **state) {
  (void)state;
  end(&a);
  end(&b);
  if (memory != NULL && !store_closed) {
    close_store();
    fleet_turn(&fleet);
    assert_true(store_closed);
  }
  memory = NULL;
  assert_int_equal(heap_balance(&heap), 0);
  return 0;
}

static void pass(int64_t ms) { fleet_pass(&fleet, ms); }

static ts__record_t *record(void) { return ts__memory_record(memory, "db"); }

static uint64_t operations(void) {
  uint64_t sum = 0;
  for (int i = 0; i < TS__MEMORY_KINDS; i++) {
    sum += memory->operations[i];
  }
  return sum;
}

/* Heard of the store: only now it is told of calls. */
static void know(process_t *process) {
  registry_bench_calls(process->db, "C");
  fleet_turn(&fleet);
}

static void open_both(void) {
  registry_bench_calls(b.db, "S");
  pass(2 * PACE);
  registry_bench_calls(a.db, "FFFFF");
  pass(2 * PACE);
  registry_bench_calls(a.db, "X");
  registry_bench_calls(b.db, "X");
}

/* ---------------------------------------------------------------------- options */

static void test_refused(const char *field, const ts_breaker_options_t *wrong) {
  ts_breaker_t *breaker = NULL;
  a.log[0] = '\0';
  assert_int_equal(ts_registry_get(a.registry, "wrong", wrong, &breaker),
                   TS__EINVAL);
  assert_string_equal(a.log, field);
  assert_null(breaker);
}

/* What cannot be shared is refused, and the log names the field. */
static void test_options(void **state) {
  (void)state;
  ts_breaker_options_t wrong = options;
  wrong.window = TS_WINDOW_CALLS;
  wrong.window_calls = 10;
  test_refused("window", &wrong);
  wrong = options;
  wrong.share = (ts_share_t)7;
  test_refused("share", &wrong);
  wrong = options;
  wrong.probe_slots = TS__MAX_LEASES + 1;
  test_refused("probe_slots", &wrong);
  wrong = options;
  wrong.min_reporters = 0;
  test_refused("min_reporters", &wrong);
  wrong.min_reporters = 65;
  test_refused("min_reporters", &wrong);
  wrong = options;
  wrong.on_stale = (ts_on_stale_t)3;
  test_refused("on_stale", &wrong);
}

/* Neither can a time that is none. */
static void test_times(void **state) {
  (void)state;
  ts_breaker_options_t wrong = options;
  wrong.sync_ms = -1;
  test_refused("sync_ms", &wrong);
  wrong = options;
  wrong.max_stale_ms = TS_MAX_DURATION_MS + 1;
  test_refused("max_stale_ms", &wrong);
  wrong = options;
  wrong.lease_spread_ms = -1;
  test_refused("lease_spread_ms", &wrong);
}

/* Counts can be shared only where they are added up. */
static void test_share_counts(void **state) {
  (void)state;
  const ts_store_ops_t *ops = memory->store.ops;
  ts_store_ops_t weak = *ops;
  weak.caps = 0;
  memory->store.ops = &weak;
  ts_breaker_options_t wrong = options;
  test_refused("share", &wrong);
  memory->store.ops = ops;
}

/* Another rule elsewhere is told once. */
static void test_mismatch(void **state) {
  (void)state;
  ts_breaker_options_t other = options;
  other.consec = 7;
  assert_int_equal(ts_breaker_configure(b.db, &other), 0);
  for (int i = 0; i < 5; i++) {
    registry_bench_calls(a.db, "S");
    pass(PACE + 50);
    registry_bench_calls(b.db, "S");
    pass(PACE + 50);
  }
  assert_string_equal(b.events, "mismatch; ");
}

/* ----------------------------------------------------------------------- counts */

/* B79: a run of others, and a batch whose own run crosses the threshold in its
 * middle, open the breaker though the batch ends well. */
static void test_inside_batch(void **state) {
  (void)state;
  know(&b);
  registry_bench_calls(a.db, "FF");
  pass(2 * PACE);
  registry_bench_calls(b.db, "FFFS");
  pass(2 * PACE);
  assert_int_equal(record()->state, TS_BREAKER_OPEN);
  assert_string_equal(b.events, "all >open; ");
}

/* B81: what was admitted in an era that is over does not count in the next. */
static void test_late_outcome(void **state) {
  (void)state;
  ts_ticket_t late;
  registry_bench_calls(b.db, "S");
  pass(2 * PACE);
  assert_int_equal(ts_breaker_begin(b.db, &late, NULL), 0);
  registry_bench_calls(a.db, "FFFFF");
  pass(4000);
  registry_bench_calls(a.db, "X");
  pass(500);
  registry_bench_calls(a.db, "S");
  pass(500);
  assert_int_equal(record()->state, TS_BREAKER_CLOSED);
  assert_int_equal(ts_breaker_end(b.db, &late, TS_OUTCOME_FAILURE, 0), 0);
  registry_bench_calls(b.db, "S");
  pass(2 * PACE);
  assert_int_equal(record()->failures, 0);
}

/* B14, B83: a leased probe that is not settled in time is told as lost, once,
 * also where the breaker's own machine is closed. */
static void test_lost(void **state) {
  ts_breaker_counts_t counts;
  ts_ticket_t probe;
  (void)state;
  open_both();
  pass(2000);
  registry_bench_calls(b.db, "X");
  pass(2 * PACE);
  b.events[0] = '\0';
  assert_int_equal(ts_breaker_begin(b.db, &probe, NULL), 0);
  pass(2000);
  assert_string_equal(b.events, "probe; lost; ");
  ts_breaker_counts(b.db, &counts);
  assert_int_equal(counts.total_probes, 1);
  assert_int_equal(counts.total_probes_lost, 1);
  assert_int_equal(ts_breaker_end(b.db, &probe, TS_OUTCOME_FAILURE, 0), 0);
  assert_int_equal(record()->state, TS_BREAKER_HALF_OPEN);
}

/* Who decides by hand in one process is nobody's business elsewhere. */
static void test_modes(void **state) {
  (void)state;
  assert_int_equal(ts_breaker_set_mode(a.db, TS_BREAKER_MEASURE), 0);
  registry_bench_calls(a.db, "FFFFFFFFF");
  pass(2 * PACE);
  assert_null(record());
  assert_int_equal(ts_breaker_set_mode(a.db, TS_BREAKER_AUTO), 0);
  assert_int_equal(ts_breaker_reset(a.db), 0);
  open_both();
  assert_int_equal(ts_breaker_set_mode(a.db, TS_BREAKER_FORCED_CLOSED), 0);
  registry_bench_calls(a.db, "F");
  assert_int_equal(ts_breaker_state(a.db), TS_BREAKER_CLOSED);
}

/* A rule of one's own opens the breaker for all, by its vote. */
static bool at_two(const char *name, const ts_breaker_counts_t *counts,
                   void *data) {
  (void)name;
  (void)data;
  return counts->failures >= 2;
}

static void test_own_rule(void **state) {
  (void)state;
  options.ready_to_trip = at_two;
  options.consec = 0;
  assert_int_equal(ts_breaker_configure(a.db, &options), 0);
  registry_bench_calls(a.db, "SFSF");
  pass(2 * PACE);
  assert_int_equal(record()->state, TS_BREAKER_OPEN);
}

/* A failure's own open time is that of all. */
static void test_own_open_time(void **state) {
  (void)state;
  ts_ticket_t ticket;
  registry_bench_calls(a.db, "FFFF");
  assert_int_equal(ts_breaker_begin(a.db, &ticket, NULL), 0);
  assert_int_equal(ts_breaker_end(a.db, &ticket, TS_OUTCOME_FAILURE, 9000), 0);
  pass(2 * PACE);
  registry_bench_calls(b.db, "X");
  assert_in_range(ts_breaker_retry_after_ms(b.db), 8000, 9000);
}

/* ------------------------------------------------------------------------- load */

static ts_breaker_t *crowd[10000];

static void get_crowd(size_t count) {
  for (size_t i = 0; i < count; i++) {
    char name[16];
    snprintf(name, sizeof name, "tenant-%zu", i);
    assert_int_equal(ts_registry_get(a.registry, name, &options, &crowd[i]), 0);
  }
}

static void drop_crowd(size_t count) {
  for (size_t i = 0; i < count; i++) {
    ts_breaker_unref(crowd[i]);
  }
}

/* B92: who is not used says nothing, and who is does once an interval. */
static void test_idle(void **state) {
  (void)state;
  get_crowd(5000);
  pass(10 * PACE);
  assert_int_equal(operations(), 0);
  for (int round = 0; round < 8; round++) {
    const uint64_t before = operations();
    for (int i = 0; i < 10; i++) {
      registry_bench_calls(crowd[i], "SSS");
    }
    pass(PACE);
    assert_in_range(operations() - before, 0, 20);
  }
  assert_in_range(operations(), 80, 110);
  pass(2 * PACE);
  const uint64_t settled = operations();
  pass(100 * PACE);
  assert_int_equal(operations(), settled);
  drop_crowd(5000);
}

/* Ten thousand that are all due are asked a few a turn. */
static void test_slices(void **state) {
  (void)state;
  fake_env_t *env = &fleet.envs[0];
  uint64_t most = 0;
  get_crowd(10000);
  for (size_t i = 0; i < 10000; i++) {
    registry_bench_calls(crowd[i], "S");
  }
  for (uint64_t before = operations(); fake_env_step(env);
       before = operations()) {
    const uint64_t asked = operations() - before;
    most = asked > most ? asked : most;
  }
  assert_int_equal(operations(), 10000);
  assert_int_equal(most, TS__SYNC_SLICE);
  fleet_turn(&fleet);
  drop_crowd(10000);
}

/* ------------------------------------------------------------------------ outage */

/* B98: an answer that got lost costs its delta, which is not told twice. */
static void test_lost_answer(void **state) {
  ts_breaker_counts_t counts;
  (void)state;
  know(&a);
  memory->faults =
      (ts__memory_faults_t){.every = 1, .error = TS_ESTORE, .after_all = true};
  registry_bench_calls(a.db, "F");
  pass(1);
  memory->faults.every = 0;
  registry_bench_calls(a.db, "F");
  pass(2 * PACE);
  ts_breaker_counts(a.db, &counts);
  assert_int_equal(counts.total_deltas_lost, 1);
  assert_int_equal(record()->calls, 2);
}

/* B98: leases and their ends are told again, and done once. */
static void test_lost_probe(void **state) {
  (void)state;
  open_both();
  pass(2000);
  memory->faults =
      (ts__memory_faults_t){.every = 2, .error = TS_ESTORE, .after_all = true};
  registry_bench_calls(a.db, "X");
  pass(1000);
  registry_bench_calls(a.db, "S");
  pass(1000);
  assert_int_equal(record()->state, TS_BREAKER_CLOSED);
  assert_int_equal(record()->era, 3);
}

/* B97: a store that went back in time is believed, and that is told. */
static void test_back_in_time(void **state) {
  (void)state;
  registry_bench_calls(a.db, "FS");
  pass(2 * PACE);
  const ts__record_t before = *record();
  open_both();
  *record() = before;
  b.events[0] = '\0';
  registry_bench_calls(b.db, "X");
  pass(2 * PACE);
  assert_string_equal(b.events, "regressed; all >closed; ");
  registry_bench_calls(b.db, "S");
}

/* B100: a clock that stands still, or goes back, changes nothing. */
static void test_clock(void **state) {
  (void)state;
  open_both();
  fake_env_t *env = &fleet.envs[1];
  const uint64_t now_ns = env->now_ns;
  const int64_t left_ms = ts_breaker_retry_after_ms(b.db);
  env->now_ns -= 1500 * TS__NS_PER_MS;
  registry_bench_calls(b.db, "XX");
  fake_env_turn(env);
  assert_int_equal(ts_breaker_state(b.db), TS_BREAKER_OPEN);
  assert_int_equal(ts_breaker_retry_after_ms(b.db), left_ms);
  env->now_ns = now_ns;
  pass(2000);
  registry_bench_calls(b.db, "X");
  pass(2 * PACE);
  registry_bench_calls(b.db, "S");
}

/* What a store refuses at once is told with the next sync. */
static void test_busy(void **state) {
  (void)state;
  know(&a);
  memory->faults =
      (ts__memory_faults_t){.every = 1, .error = TS_ESTORE, .refuse = true};
  registry_bench_calls(a.db, "FFF");
  pass(1);
  memory->faults.every = 0;
  registry_bench_calls(a.db, "S");
  pass(2 * PACE);
  assert_int_equal(record()->calls, 4);
}

/* ----------------------------------------------------------------------- waiting */

typedef struct begun_s {
  int answers;
  int error;
  ts_reason_t reason;
  ts_ticket_t ticket;
} begun_t;

static void on_begun(ts_breaker_t *breaker, int error,
                     const ts_ticket_t *ticket, const ts_rejection_t *rejection,
                     void *context) {
  begun_t *begun = context;
  (void)breaker;
  begun->answers++;
  begun->error = error;
  begun->ticket = *ticket;
  begun->reason = rejection->reason;
}

static void begin(process_t *process, int64_t timeout_ms, begun_t *begun) {
  *begun = (begun_t){.answers = 0};
  assert_int_equal(
      ts_breaker_begin_async(process->db, timeout_ms, on_begun, begun), 0);
  assert_int_equal(begun->answers, 0);
}

/* B91: who waits hears of the others before the first call. */
static void test_waiting(void **state) {
  (void)state;
  begun_t begun;
  registry_bench_calls(a.db, "FFFFF");
  pass(2 * PACE);
  begin(&b, 1000, &begun);
  fleet_turn(&fleet);
  assert_int_equal(begun.answers, 1);
  assert_int_equal(begun.error, TS_EOPEN);
  assert_int_equal(begun.reason, TS_REASON_OPEN);
}

/* When a probe would be right it is worth waiting for. */
static void test_waiting_for_probe(void **state) {
  (void)state;
  begun_t first, second;
  open_both();
  pass(2000);
  begin(&a, 1000, &first);
  pass(1);
  assert_int_equal(first.answers, 1);
  assert_int_equal(first.error, 0);
  begin(&b, 1000, &second);
  pass(1);
  assert_int_equal(second.answers, 1);
  assert_int_equal(second.reason, TS_REASON_PROBES);
  ts_breaker_end(a.db, &first.ticket, TS_OUTCOME_SUCCESS, 0);
  pass(2 * PACE);
  assert_int_equal(record()->state, TS_BREAKER_CLOSED);
}

/* No longer than it was said: then what is known decides. */
static void test_waiting_in_vain(void **state) {
  (void)state;
  begun_t begun;
  memory->faults = (ts__memory_faults_t){.every = 1, .error = TS_ESTORE};
  begin(&a, 1000, &begun);
  pass(999);
  assert_int_equal(begun.answers, 0);
  pass(2);
  assert_int_equal(begun.answers, 1);
  assert_int_equal(begun.error, 0);
  ts_breaker_end(a.db, &begun.ticket, TS_OUTCOME_SUCCESS, 0);
}

/* Close, and removal, end all waiting. */
static void test_waiting_at_the_end(void **state) {
  (void)state;
  begun_t first, second;
  memory->faults = (ts__memory_faults_t){.every = 1, .error = TS_ESTORE};
  begin(&a, 60000, &first);
  begin(&b, 60000, &second);
  assert_int_equal(ts_registry_remove(b.registry, "db"), 0);
  assert_int_equal(ts_registry_close(a.registry, on_closed), 0);
  fleet_turn(&fleet);
  assert_int_equal(first.answers, 1);
  assert_int_equal(first.error, TS_ECLOSED);
  assert_int_equal(second.answers, 1);
  assert_int_equal(second.error, TS_ECLOSED);
  begun_t third;
  assert_int_equal(ts_breaker_begin_async(b.db, 1, on_begun, &third),
                   TS_ECLOSED);
}

/* ------------------------------------------------------------------- all the ends */

static void on_forced(ts_breaker_t *breaker, int error, void *context) {
  int *result = context;
  (void)breaker;
  *result = error;
}

/* B120: what was asked of a store that closes is answered, and the breakers go
 * on alone. */
static void test_store_closed(void **state) {
  (void)state;
  int forced = 1;
  memory->options.latency_ms = 50;
  registry_bench_calls(a.db, "S");
  registry_bench_calls(b.db, "F");
  fleet_turn(&fleet);
  assert_int_equal(
      ts_breaker_force(b.db, TS_STORE_FORCE_OPEN, on_forced, &forced), 0);
  close_store();
  assert_int_equal(forced, 1);
  fleet_turn(&fleet);
  assert_true(store_closed);
  assert_int_equal(forced, TS_ECLOSED);
  registry_bench_calls(a.db, "SFFFFFX");
  registry_bench_calls(b.db, "S");
  pass(10000);
  assert_string_equal(b.events, "degraded; ");
  assert_int_equal(ts_breaker_force(b.db, TS_STORE_FORCE_OPEN, NULL, NULL),
                   TS_ECLOSED);
}

/* A registry's close callback waits for the last answer. */
static void test_registry_closed(void **state) {
  (void)state;
  int forced = 1;
  registry_bench_calls(a.db, "F");
  fake_env_step(&fleet.envs[0]);
  assert_int_equal(
      ts_breaker_force(a.db, TS_STORE_FORCE_OPEN, on_forced, &forced), 0);
  assert_int_equal(ts_registry_close(a.registry, on_closed), 0);
  fake_env_turn(&fleet.envs[0]);
  assert_int_equal(a.closed, 0);
  fake_env_turn(&fleet.envs[FLEET_SIZE - 1]);
  fake_env_turn(&fleet.envs[0]);
  assert_int_equal(a.closed, 1);
  assert_int_equal(forced, TS_ECLOSED);
}

/* A breaker that leaves while it is being told of frees nothing too early. */
static void test_removed(void **state) {
  (void)state;
  know(&a);
  registry_bench_calls(a.db, "F");
  fake_env_step(&fleet.envs[0]);
  assert_int_equal(ts_registry_remove(a.registry, "db"), 0);
  ts_breaker_unref(a.db);
  a.db = NULL;
  pass(PACE);
  assert_int_equal(try_get(&a), 0);
  registry_bench_calls(a.db, "F");
  pass(PACE);
  assert_int_equal(record()->failures, 2);
}

static void close_store_in_event(process_t *process, ts_breaker_t *breaker,
                                 const ts_breaker_event_t *event) {
  (void)process;
  (void)breaker;
  (void)event;
  (void)ts_store_close(&memory->store, on_store_closed);
}

static void close_registry_in_event(process_t *process, ts_breaker_t *breaker,
                                    const ts_breaker_event_t *event) {
  (void)breaker;
  (void)event;
  (void)ts_registry_close(process->registry, on_closed);
}

static void remove_in_event(process_t *process, ts_breaker_t *breaker,
                            const ts_breaker_event_t *event) {
  (void)breaker;
  (void)event;
  (void)ts_registry_remove(process->registry, "db");
}

/* A whole life, in which anything may have ended. */
static void live(process_t *process, process_t *other) {
  static const char *const outcomes[] = {"S", "FFFFF", "F", "S", "S"};
  begun_t begun = {.answers = 0};
  for (size_t i = 0; i < 40; i++) {
    ts_ticket_t ticket;
    for (const char *c = outcomes[i % 5]; *c != '\0'; c++) {
      process_t *who = i % 3 == 0 ? other : process;
      if (ts_breaker_begin(who->db, &ticket, NULL) == 0) {
        (void)ts_breaker_end(
            who->db, &ticket,
            *c == 'S' ? TS_OUTCOME_SUCCESS : TS_OUTCOME_FAILURE, 0);
      }
    }
    if (ts_breaker_begin_async(process->db, 10, on_begun, &begun) == 0) {
      pass(11);
      if (begun.error == 0) {
        (void)ts_breaker_end(process->db, &begun.ticket, TS_OUTCOME_IGNORED, 0);
      }
    }
    if (i == 20) {
      (void)ts_breaker_force(other->db, TS_STORE_FORCE_CLOSED, NULL, NULL);
    }
    pass(120);
  }
}

/* Any event may close the store, close the registry, or remove the breaker. */
static void test_ends_in_events(void **state) {
  void (*const ends[])(process_t *, ts_breaker_t *,
                       const ts_breaker_event_t *) = {
      close_store_in_event, close_registry_in_event, remove_in_event};
  for (size_t i = 0; i < 3; i++) {
    for (int of_a = 0; of_a < 2; of_a++) {
      a.on_event = of_a ? ends[i] : NULL;
      b.on_event = of_a ? NULL : ends[i];
      live(&a, &b);
      teardown(state);
      setup(state);
    }
  }
}

/* The same from outside, at every point of a life. */
static void test_ends_anywhere(void **state) {
  for (int way = 0; way < 3; way++) {
    for (int at = 0; at < 40; at++) {
      registry_bench_calls(b.db, "S");
      registry_bench_calls(a.db, "FFFFF");
      for (int i = 0; i < at; i++) {
        if (i % 2 == 0) {
          fleet_pass(&fleet, 90);
        } else {
          fake_env_step(&fleet.envs[i % 4 == 1 ? 0 : FLEET_SIZE - 1]);
        }
        ts_ticket_t ticket;
        if (ts_breaker_begin(a.db, &ticket, NULL) == 0) {
          (void)ts_breaker_end(a.db, &ticket, TS_OUTCOME_SUCCESS, 0);
        }
      }
      if (way == 0) {
        (void)ts_registry_close(a.registry, on_closed);
      } else if (way == 1) {
        close_store();
      } else {
        (void)ts_registry_remove(a.registry, "db");
      }
      teardown(state);
      setup(state);
    }
  }
}

/* Without memory at any one point: an error there, and all goes on. */
static void test_out_of_memory(void **state) {
  const size_t before = heap.allocations;
  live(&a, &b);
  const size_t count = heap.allocations - before;
  assert_in_range(count, 50, 5000);
  for (size_t n = 1; n <= count; n += n < 100 ? 1 : 7) {
    teardown(state);
    setup(state);
    heap_fail(&heap, n, 1);
    live(&a, &b);
    assert_int_equal(heap.failed, 1);
    heap_fail(&heap, 0, 0);
  }
}

/* And when a breaker, a registry or a store is made. */
static void test_made_without_memory(void **state) {
  process_t c;
  (void)state;
  for (size_t n = 1;; n++) {
    const size_t before = heap.failed;
    heap_fail(&heap, n, 1);
    int error = try_start(&c, 2, 10);
    if (error == 0) {
      error = try_get(&c);
      const size_t failed = heap.failed - before;
      heap_fail(&heap, 0, 0);
      end(&c);
      fleet_drop(&fleet, 2);
      if (error == 0 && failed == 0) {
        return;
      }
    }
    assert_int_equal(error, TS__ENOMEM);
  }
}

/* A factory's options keep their store, though its owner closed it. */
static void test_factory(void **state) {
  ts_factory_t *factory = NULL;
  ts_breaker_t *breaker = NULL;
  (void)state;
  assert_int_equal(ts_factory_new(&factory, a.registry, "{base}", &options), 0);
  assert_int_equal(ts_registry_remove(a.registry, "db"), 0);
  assert_int_equal(ts_registry_remove(b.registry, "db"), 0);
  close_store();
  fleet_turn(&fleet);
  memory = NULL;
  assert_int_equal(ts_factory_get(factory, "x", NULL, 0, &breaker), 0);
  registry_bench_calls(breaker, "SFFFFFX");
  ts_breaker_unref(breaker);
  ts_factory_free(factory);
}

/* A store in memory takes the options that make sense. */
static void test_memory_options(void **state) {
  ts_memory_store_options_t theirs = TS_MEMORY_STORE_OPTIONS_INIT, read;
  ts_store_t *store = &memory->store;
  (void)state;
  assert_int_equal(ts_memory_store_new(&store, NULL, NULL), TS__EINVAL);
  assert_null(store);
  assert_int_equal(ts__memory_read_options(&read, &theirs), 0);
  assert_int_equal(read.max_records, 10000);
  theirs.max_records = 0;
  assert_int_equal(ts__memory_read_options(&read, &theirs), TS__EINVAL);
  theirs.max_records = 1;
  theirs.latency_ms = -1;
  assert_int_equal(ts__memory_read_options(&read, &theirs), TS__EINVAL);
  theirs.latency_ms = 0;
  const ts_allocator_t none = {.malloc = NULL};
  theirs.allocator = &none;
  assert_int_equal(ts__memory_read_options(&read, &theirs), TS__EINVAL);
  theirs.size = 1;
  assert_int_equal(ts__memory_read_options(&read, &theirs), TS__EINVAL);
  assert_string_equal(ts_store_kind(&memory->store), "memory");
}

/* When it is full, breakers that it has no room for go on alone. */
static void test_memory_full(void **state) {
  ts_breaker_t *second = NULL;
  (void)state;
  memory->options.max_records = 1;
  registry_bench_calls(a.db, "S");
  pass(2 * PACE);
  assert_int_equal(ts_registry_get(a.registry, "second", &options, &second), 0);
  for (int i = 0; i < 30; i++) {
    registry_bench_calls(second, "S");
    pass(PACE);
  }
  assert_null(ts__memory_record(memory, "second"));
  registry_bench_calls(second, "FFFFFX");
  ts_breaker_unref(second);
}

/* A store that nobody closes but its user is kept as long as breakers have it,
 * and a user with another pace has a group of its own. */
static void test_two_paces(void **state) {
  ts_breaker_t *slow = NULL;
  (void)state;
  options.sync_ms = 1000;
  assert_int_equal(ts_registry_get(a.registry, "slow", &options, &slow), 0);
  registry_bench_calls(slow, "SF");
  registry_bench_calls(a.db, "SF");
  pass(1200);
  assert_int_equal(ts__memory_record(memory, "slow")->failures, 1);
  assert_int_equal(record()->failures, 1);
  ts_breaker_unref(slow);
}

int main(void) {
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_options),
      TEST(test_times),
      TEST(test_share_counts),
      TEST(test_mismatch),
      TEST(test_inside_batch),
      TEST(test_late_outcome),
      TEST(test_lost),
      TEST(test_modes),
      TEST(test_own_rule),
      TEST(test_own_open_time),
      TEST(test_idle),
      TEST(test_slices),
      TEST(test_lost_answer),
      TEST(test_lost_probe),
      TEST(test_back_in_time),
      TEST(test_clock),
      TEST(test_busy),
      TEST(test_waiting),
      TEST(test_waiting_for_probe),
      TEST(test_waiting_in_vain),
      TEST(test_waiting_at_the_end),
      TEST(test_store_closed),
      TEST(test_registry_closed),
      TEST(test_removed),
      TEST(test_ends_in_events),
      TEST(test_ends_anywhere),
      TEST(test_out_of_memory),
      TEST(test_made_without_memory),
      TEST(test_factory),
      TEST(test_memory_options),
      TEST(test_memory_full),
      TEST(test_two_paces),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
