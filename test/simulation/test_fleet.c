/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fleet of processes that call one service, which dies: how many calls still
 * reach it when each process decides by itself; when a store decides on each
 * call; and when each decides by itself, and shares what it saw through a store
 * in the background. A process is the library's machine and view of a shared
 * breaker, the store is the library's record; what is between them is simulated.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/delta.h"
#include "core/record.h"
#include "core/shared.h"
#include "support/draw.h"

#define MS 1000 /* time is counted in microseconds */
#define DIES_MS 3000
#define CALL_US (50 * MS)   /* how long a call takes, before and after */
#define ONE_WAY_US (MS / 2) /* to the store, and back */
#define CONSEC 5            /* failures that open a breaker */
#define SEEDS 3

typedef enum way_e {
  LOCAL,  /* each process for itself */
  ATOMIC, /* the store, asked before each call and told after it */
  SHARED
} way_t;

typedef struct setting_s {
  way_t way;
  uint32_t processes;
  double rate; /* calls per second of each process */
  int64_t sync_ms;
  bool push;
  bool traffic; /* calls were made before the death, too */
  bool at_rest; /* a process that makes no calls does not look */
  int64_t open_ms;
  int64_t lasts_ms; /* after the death */
} setting_t;

typedef struct result_s {
  double leaked;  /* calls that reached the dead service */
  double last_ms; /* of them, after the death */
  double late;    /* of them, those that came half an open time after it */
} result_t;

typedef struct process_s {
  ts__machine_t machine;
  ts__shared_t view;
  ts__rng_t rng;
  char member[TS_STORE_ID_SIZE];
  int64_t wake_us; /* the earliest that is on the heap */
} process_t;

typedef enum kind_e { CALL, DECIDE, END, WAKE, STORE, ANSWER, PUSH } kind_t;

typedef struct event_s {
  int64_t at_us;
  uint64_t order;
  kind_t kind;
  uint32_t process;
  bool ok; /* of the end of a call */
  uint32_t era;
  ts_ticket_t ticket;
  ts__pass_t pass;
  ts__todo_t todo;
  ts_store_answer_t answer;
} event_t;

static setting_t setting;
static result_t result;
static process_t *processes;
static ts__record_t record;
static ts_store_rule_t store_rule;
static ts__mem_t mem;
static int64_t now_us;

static event_t **heap;
static size_t heap_count;
static size_t heap_room;
static uint64_t order;

/* --------------------------------------------------------------------- events */

static bool comes_before(const event_t *a, const event_t *b) {
  return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void put(event_t *event) {
  if (heap_count == heap_room) {
    heap_room = heap_room > 0 ? 2 * heap_room : 1024;
    heap = realloc(heap, heap_room * sizeof(event_t *));
    assert_non_null(heap);
  }
  size_t i = heap_count++;
  for (; i > 0 && comes_before(event, heap[(i - 1) / 2]); i = (i - 1) / 2) {
    heap[i] = heap[(i - 1) / 2];
  }
  heap[i] = event;
}

static event_t *take_first(void) {
  event_t *first = heap[0];
  event_t *last = heap[--heap_count];
  size_t i = 0;
  for (size_t child; (child = 2 * i + 1) < heap_count; i = child) {
    if (child + 1 < heap_count && comes_before(heap[child + 1], heap[child])) {
      child++;
    }
    if (!comes_before(heap[child], last)) {
      break;
    }
    heap[i] = heap[child];
  }
  heap[i] = last;
  return first;
}

static event_t *after(int64_t us, kind_t kind, uint32_t process) {
  event_t *event = calloc(1, sizeof *event);
  assert_non_null(event);
  event->at_us = now_us + us;
  event->order = ++order;
  event->kind = kind;
  event->process = process;
  return event;
}

/* ---------------------------------------------------------------------- calls */

static int64_t now_ms(void) { return now_us / MS; }

/* Since the death; before it, less than 0. */
static int64_t dead_us(void) { return now_us - DIES_MS * MS; }

/* Calls come at random: the time from one to the next is exponential. */
static void plan_call(uint32_t i) {
  const double draw =
      ((double)ts__rng_draw53(&processes[i].rng) + 0.5) / (double)DRAW_END;
  put(after((int64_t)(-log(draw) / setting.rate * 1e6), CALL, i));
}

static void plan_wake(uint32_t i) {
  process_t *process = &processes[i];
  const int64_t due_ms = ts__shared_due_ms(&process->view);
  const int64_t due_us = due_ms == TS__FAR ? INT64_MAX : due_ms * MS;
  if (due_us < process->wake_us) {
    process->wake_us = due_us > now_us ? due_us : now_us;
    put(after(process->wake_us - now_us, WAKE, i));
  }
}

static void start_call(event_t *end) {
  end->ok = dead_us() < 0;
  if (!end->ok) {
    result.leaked++;
    result.last_ms = (double)dead_us() / MS;
    result.late += dead_us() > setting.open_ms / 2 * MS;
  }
  put(end);
}

static ts_reason_t ask_view(process_t *process, ts__pass_t *pass) {
  int64_t retry_after_ms = 0;
  ts__news_t news = {.moved = false};
  return ts__shared_ask(&process->view, &process->rng, now_ms(), pass,
                        &retry_after_ms, &news);
}

static ts_reason_t ask_machine(process_t *process, ts_ticket_t *ticket) {
  int64_t retry_after_ms = 0;
  ts__moves_t moves;
  return ts__machine_acquire(&process->machine, &process->rng, now_ms(), ticket,
                             &retry_after_ms, &moves);
}

/* As a shared breaker does: the stricter of the two wins. */
static void decide_here(uint32_t i) {
  process_t *process = &processes[i];
  event_t *end = after(CALL_US, END, i);
  ts_reason_t reason = TS_REASON_NONE;
  if (setting.way == SHARED) {
    reason = ask_view(process, &end->pass);
  }
  if (reason == TS_REASON_NONE) {
    reason = ask_machine(process, &end->ticket);
  }
  if (reason != TS_REASON_NONE) {
    free(end);
    return;
  }
  if (setting.way == SHARED) {
    ts__shared_take(&process->view, &end->pass, false);
  }
  start_call(end);
}

static void on_call(uint32_t i) {
  plan_call(i);
  if (setting.way == ATOMIC) {
    put(after(ONE_WAY_US, DECIDE, i));
  } else {
    decide_here(i);
  }
  if (setting.way == SHARED) {
    plan_wake(i);
  }
}

static void on_end(event_t *end) {
  process_t *process = &processes[end->process];
  const ts_outcome_t outcome =
      end->ok ? TS_OUTCOME_SUCCESS : TS_OUTCOME_FAILURE;
  ts__moves_t moves;
  (void)ts__machine_settle(&process->machine, &process->rng, now_ms(),
                           &end->ticket, outcome, 0, &moves);
  if (setting.way == SHARED) {
    ts__shared_settle(&process->view, &process->rng, now_ms(), &end->pass,
                      outcome, 0);
    plan_wake(end->process);
  }
}

/* ---------------------------------------------------------------------- store */

static void on_wake(uint32_t i) {
  process_t *process = &processes[i];
  ts__todo_t todo;
  process->wake_us = INT64_MAX;
  while (ts__shared_next(&process->view, &process->rng, now_ms(), 0, &todo)) {
    event_t *op = after(ONE_WAY_US, STORE, i);
    op->todo = todo;
    put(op);
  }
  plan_wake(i);
}

static void push_to_all(uint32_t but) {
  for (uint32_t i = 0; i < setting.processes; i++) {
    if (i != but) {
      event_t *push = after(ONE_WAY_US, PUSH, i);
      ts__record_read(&record, now_ms(), &push->answer.record);
      put(push);
    }
  }
}

static ts_store_op_t op_of(const event_t *event, uint32_t era) {
  return (ts_store_op_t){.member = processes[event->process].member,
                         .fresh_id = "0123456789abcdef0123456789abcdef",
                         .era = era,
                         .rule = &store_rule};
}

static bool do_in_store(const event_t *event, int64_t *lease_for_ms,
                        bool *changed) {
  const ts__todo_t *todo = &event->todo;
  const ts_store_op_t op = op_of(event, todo->era);
  switch (todo->asked.kind) {
  case TS__TODO_SYNC:
    return ts__record_sync(&record, now_ms(), &op, &todo->delta, changed);
  case TS__TODO_LEASE:
    return ts__record_lease(&record, now_ms(), &op, todo->token, lease_for_ms,
                            changed);
  case TS__TODO_SETTLE:
    return ts__record_settle(&record, now_ms(), &op, todo->token, todo->outcome,
                             todo->open_ms, changed);
  case TS__TODO_FORCE:
    break;
  }
  fail();
  return false;
}

/* The store does not say how busy it is, so nobody holds back. */
static void on_store(const event_t *event) {
  event_t *back = after(ONE_WAY_US, ANSWER, event->process);
  bool changed = false;
  back->todo = event->todo;
  back->answer.done = do_in_store(event, &back->answer.lease_for_ms, &changed);
  ts__record_read(&record, now_ms(), &back->answer.record);
  back->answer.record.syncs_per_second = 0;
  put(back);
  if (changed && setting.push) {
    push_to_all(event->process);
  }
}

static void look(process_t *process) {
  ts__pass_t pass;
  if (!setting.at_rest && process->view.state == TS_BREAKER_CLOSED) {
    (void)ask_view(process, &pass);
  }
}

static void on_answer(const event_t *event) {
  process_t *process = &processes[event->process];
  ts__news_t news = {.moved = false};
  ts__shared_answer(&process->view, &process->rng, now_ms(), &event->todo.asked,
                    &event->answer, &news);
  look(process);
  plan_wake(event->process);
}

static void on_push(const event_t *event) {
  process_t *process = &processes[event->process];
  ts__news_t news = {.moved = false};
  ts__shared_push(&process->view, now_ms(), &event->answer.record, &news);
  plan_wake(event->process);
}

static void on_decide(const event_t *event) {
  if (record.state == TS_BREAKER_CLOSED) {
    event_t *end = after(2 * ONE_WAY_US + CALL_US, END, event->process);
    end->era = record.era;
    start_call(end);
  }
}

static void on_atomic_end(const event_t *event) {
  const ts_store_op_t op = op_of(event, event->era);
  const ts_store_delta_t delta = ts__delta_of_call(event->ok, 0);
  (void)ts__record_sync(&record, now_ms(), &op, &delta, NULL);
}

/* ----------------------------------------------------------------- simulation */

static void handle(event_t *event) {
  switch (event->kind) {
  case CALL:
    on_call(event->process);
    break;
  case DECIDE:
    on_decide(event);
    break;
  case END:
    if (setting.way == ATOMIC) {
      on_atomic_end(event);
    } else {
      on_end(event);
    }
    break;
  case WAKE:
    on_wake(event->process);
    break;
  case STORE:
    on_store(event);
    break;
  case ANSWER:
    on_answer(event);
    break;
  case PUSH:
    on_push(event);
    break;
  }
}

static void init_process(process_t *process) {
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  const ts__shared_rule_t rule = {.share = TS_SHARE_COUNTS,
                                  .sync_ms = setting.sync_ms,
                                  .linger_ms = setting.push ? 0 : 30000,
                                  .max_stale_ms = TS_MAX_DURATION_MS,
                                  .lease_spread_ms = 250,
                                  .open_ms = setting.open_ms,
                                  .probe_ms = 30000,
                                  .retention_ms = TS_MAX_DURATION_MS,
                                  .probe_slots = 1,
                                  .fingerprint = 1};
  options.consec = CONSEC;
  options.open_ms = setting.open_ms;
  options.open_jitter = 0.0;
  process->wake_us = INT64_MAX;
  assert_int_equal(ts__machine_init(&process->machine, &mem, "db", &options, 0),
                   0);
  assert_int_equal(ts__shared_init(&process->view, &mem, &rule, 0), 0);
}

/* Its first look, some time in the first second, and its first call. */
static void start_process(uint32_t i) {
  process_t *process = &processes[i];
  ts__pass_t pass;
  if (setting.way == SHARED) {
    now_us = (int64_t)ts__rng_upto(&process->rng, 1000 * MS);
    (void)ask_view(process, &pass);
    plan_wake(i);
  }
  now_us = setting.traffic ? 0 : DIES_MS * MS;
  plan_call(i);
  now_us = 0;
}

static void begin(uint64_t seed) {
  ts__mem_init(&mem, NULL);
  ts__record_clear(&record);
  result = (result_t){0};
  store_rule = (ts_store_rule_t){.consec = CONSEC,
                                 .min_calls = 20,
                                 .open_ms = setting.open_ms,
                                 .open_mult = 1.0,
                                 .open_max_ms = setting.open_ms,
                                 .probe_slots = 1,
                                 .probe_need = 1,
                                 .probe_ms = 30000,
                                 .min_reporters = 1,
                                 .retention_ms = TS_MAX_DURATION_MS,
                                 .fingerprint = 1};
  processes = calloc(setting.processes, sizeof *processes);
  assert_non_null(processes);
  for (uint32_t i = 0; i < setting.processes; i++) {
    draw_seed(&processes[i].rng, seed * 100000 + i);
    snprintf(processes[i].member, TS_STORE_ID_SIZE, "%032x", i);
    init_process(&processes[i]);
    start_process(i);
  }
}

static void end(void) {
  while (heap_count > 0) {
    free(take_first());
  }
  for (uint32_t i = 0; i < setting.processes; i++) {
    ts__machine_deinit(&processes[i].machine);
    ts__shared_deinit(&processes[i].view, &mem);
  }
  free(processes);
}

static void simulate(uint64_t seed) {
  begin(seed);
  const int64_t end_us = (DIES_MS + setting.lasts_ms) * MS;
  while (heap[0]->at_us < end_us) {
    event_t *event = take_first();
    now_us = event->at_us;
    handle(event);
    free(event);
  }
  end();
}

/* The mean of some fleets. */
static result_t mean_of(const setting_t *wanted) {
  result_t mean = {0};
  setting = *wanted;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    simulate(seed);
    mean.leaked += result.leaked / SEEDS;
    mean.last_ms += result.last_ms / SEEDS;
    mean.late += result.late / SEEDS;
  }
  return mean;
}

/* --------------------------------------------------------------------- tables */

#define ROWS 4
#define COLUMNS 5

static const struct {
  uint32_t processes;
  double rate;
} rows[ROWS] = {{1000, 0.1}, {1000, 1.0}, {1000, 20.0}, {5000, 1.0}};

static setting_t cell(int row, int column) {
  static const setting_t columns[COLUMNS] = {
      {.way = LOCAL, .lasts_ms = 30000},
      {.way = ATOMIC, .lasts_ms = 3000},
      {.way = SHARED, .sync_ms = 1000, .lasts_ms = 3000},
      {.way = SHARED, .sync_ms = 250, .lasts_ms = 3000},
      {.way = SHARED, .sync_ms = 250, .push = true, .lasts_ms = 3000}};
  setting_t made = columns[column];
  made.processes = rows[row].processes;
  made.rate = rows[row].rate;
  made.open_ms = 1000000; /* no probes */
  if (made.way == LOCAL && made.rate < 1.0) {
    made.lasts_ms = 120000; /* until the last has seen five failures */
  }
  return made;
}

static void print_head(const char *title) {
  print_message("# %s\n# %-12s%16s%16s%16s%16s%16s\n", title, "P, r", "local",
                "atomic", "1 s", "250 ms", "250 ms + push");
}

static void print_row(int row, const result_t *results) {
  char line[160];
  int len = snprintf(line, sizeof line, "# %4u, %-6.4g", rows[row].processes,
                     rows[row].rate);
  for (int column = 0; column < COLUMNS; column++) {
    char text[32];
    snprintf(text, sizeof text, "%.0f (%.2f s)", results[column].leaked,
             results[column].last_ms / 1e3);
    len += snprintf(line + len, sizeof line - (size_t)len, "%16s", text);
  }
  print_message("%s\n", line);
}

/* Arrivals are random, so a count has a noise of its root; what a fleet does
 * next depends on the first few of them. */
static void assert_about(double count, double expected) {
  const double noise = 3.0 * sqrt(expected) + 0.1 * expected;
  if (fabs(count - expected) > noise) {
    fail_msg("%.0f calls, not %.0f +- %.0f", count, expected, noise);
  }
}

/*
 * A fleet that begins its calls when the service dies, and in which everybody
 * looks all the time. A breaker for each process leaks its threshold from each;
 * a shared one what is under way and what is not told yet; with pushes, no more
 * than a store that is asked about each call.
 */
static void test_fresh_fleet(void **state) {
  static const double expected[ROWS][COLUMNS] = {{4992, 11, 53, 20, 12},
                                                 {5050, 64, 411, 175, 59},
                                                 {6015, 1012, 1985, 1834, 973},
                                                 {25254, 261, 2061, 821, 258}};
  (void)state;
  print_head("calls that leaked, and the last of them");
  for (int row = 0; row < ROWS; row++) {
    result_t results[COLUMNS];
    for (int column = 0; column < COLUMNS; column++) {
      const setting_t wanted = cell(row, column);
      results[column] = mean_of(&wanted);
    }
    print_row(row, results);
    for (int column = 0; column < COLUMNS; column++) {
      assert_about(results[column].leaked, expected[row][column]);
    }
    assert_true(results[2].last_ms <= 1100 + 51);
    assert_true(results[3].last_ms <= 275 + 200);
  }
}

/*
 * A fleet that was at work before, and in which who makes no calls only asks for
 * as long as the library does by itself. Never worse than each for itself; what
 * was pushed is known to those at rest, too. (The successes that a process has
 * not told yet come with its first failure, and break the fleet's run.)
 */
static void test_fleet_at_work(void **state) {
  (void)state;
  print_head("the same after a time of traffic, asking only when in use");
  for (int row = 0; row < ROWS; row++) {
    result_t results[COLUMNS];
    for (int column = 0; column < COLUMNS; column++) {
      setting_t wanted = cell(row, column);
      wanted.traffic = true;
      wanted.at_rest = true;
      if (wanted.way == SHARED) {
        wanted.lasts_ms = 15000;
      }
      results[column] = mean_of(&wanted);
    }
    print_row(row, results);
    for (int column = 2; column < COLUMNS; column++) {
      assert_true(results[column].leaked <= 1.1 * results[0].leaked);
    }
    assert_true(results[2].last_ms <= 1100 + 400);
    assert_true(results[3].last_ms <= 275 + 400);
    assert_true(results[4].leaked <= 2.5 * results[1].leaked + 50);
    assert_true(results[4].last_ms <= 400);
  }
}

/* In each open time, every process that is alone sends a probe; those that
 * share send one together. */
static void test_probes_of_a_fleet(void **state) {
  setting_t alone = {.way = LOCAL,
                     .processes = 1000,
                     .rate = 1.0,
                     .open_ms = 30000,
                     .lasts_ms = 58000};
  setting_t together = alone;
  (void)state;
  together.way = SHARED;
  together.sync_ms = 250;
  const double probes = mean_of(&alone).late;
  const double shared_probes = mean_of(&together).late;
  print_message("# probes in one open time: %.0f alone, %.0f together\n",
                probes, shared_probes);
  assert_true(probes > 900 && probes < 1300);
  assert_true(shared_probes == 1.0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fresh_fleet),
      cmocka_unit_test(test_fleet_at_work),
      cmocka_unit_test(test_probes_of_a_fleet),
  };
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  free(heap);
  return failed;
}
