/* SPDX-License-Identifier: Apache-2.0 */
/* Shared breakers over a store of one's own, which need not behave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "breaker/sharing.h"
#include "support/registry.h"

#define MAX_ASKED 64

/* What it does inside of an operation, besides taking it. */
typedef enum inside_e {
  NOTHING,
  ANSWER,
  REMOVE,
  CLOSE_REGISTRY,
  CLOSE_STORE
} inside_t;

typedef struct asked_s {
  uint64_t id;
  ts_store_answer_cb answer;
  void *owner;
} asked_t;

static registry_bench_t bench;
static ts_store_t store;
static ts_store_answer_t says; /* to everything */
static asked_t asked[MAX_ASKED];
static size_t asked_count;
static int questions, refuses, frees, forced;
static inside_t inside;
static bool cancels_inside;
static ts_breaker_options_t options;
static ts_breaker_t *db;

static void on_registry_closed(ts_registry_t *registry) {
  assert_ptr_equal(registry, bench.registry);
  bench.registry = NULL;
}

static void act(void) {
  if (inside == REMOVE) {
    (void)ts_registry_remove(bench.registry, "db");
  } else if (inside == CLOSE_REGISTRY) {
    (void)ts_registry_close(bench.registry, on_registry_closed);
  } else if (inside == CLOSE_STORE) {
    (void)ts_store_close(&store, NULL);
  }
}

static int take(const ts_store_op_t *op) {
  assert_true(++questions < 1000);
  if (refuses != 0) {
    return refuses;
  }
  act();
  if (inside == ANSWER) {
    op->answer(op->owner, &says);
  } else {
    assert_true(asked_count < MAX_ASKED);
    asked[asked_count++] = (asked_t){op->id, op->answer, op->owner};
  }
  return 0;
}

static int on_sync(ts_store_t *self, const ts_store_op_t *op,
                   const ts_store_delta_t *delta) {
  (void)self;
  (void)delta;
  return take(op);
}

static int on_lease(ts_store_t *self, const ts_store_op_t *op,
                    const char *token) {
  (void)self;
  (void)token;
  return take(op);
}

static int on_settle(ts_store_t *self, const ts_store_op_t *op,
                     const char *token, ts_outcome_t outcome, int64_t open_ms) {
  (void)self;
  (void)token;
  (void)outcome;
  (void)open_ms;
  return take(op);
}

static int on_force(ts_store_t *self, const ts_store_op_t *op,
                    ts_store_force_t force) {
  (void)self;
  (void)force;
  return take(op);
}

static void answer_all(const ts_store_answer_t *answer) {
  const size_t count = asked_count;
  asked_t all[MAX_ASKED];
  memcpy(all, asked, sizeof all);
  asked_count = 0;
  for (size_t i = 0; i < count; i++) {
    all[i].answer(all[i].owner, answer);
  }
}

static void on_cancel(ts_store_t *self, uint64_t id) {
  (void)self;
  for (size_t i = 0; cancels_inside && i < asked_count; i++) {
    if (asked[i].id == id) {
      const asked_t one = asked[i];
      asked[i] = asked[--asked_count];
      one.answer(one.owner, &(ts_store_answer_t){.error = TS__ECANCELED});
      return;
    }
  }
}

static void on_close(ts_store_t *self) { (void)self; }

static void on_free(ts_store_t *self) {
  (void)self;
  frees++;
}

static const ts_store_ops_t ops = {.kind = "own",
                                   .caps = TS_STORE_COUNTS | TS_STORE_PUSH,
                                   .sync_ms = 1000,
                                   .lease_spread_ms = 10,
                                   .max_probe_slots = 32,
                                   .sync = on_sync,
                                   .lease = on_lease,
                                   .settle = on_settle,
                                   .force = on_force,
                                   .cancel = on_cancel,
                                   .close = on_close,
                                   .free = on_free};

static int setup(void **state) {
  (void)state;
  asked_count = 0;
  questions = refuses = frees = forced = 0;
  inside = NOTHING;
  cancels_inside = false;
  says = (ts_store_answer_t){
      .record = {.id = "x", .era = 1, .state = TS_BREAKER_CLOSED}};
  ts_store_init(&store, &ops);
  registry_bench_init(&bench);
  assert_int_equal(registry_bench_new(&bench), 0);
  options = (ts_breaker_options_t)TS_BREAKER_OPTIONS_INIT;
  options.store = &store;
  options.share = TS_SHARE_COUNTS;
  db = registry_bench_get(&bench, "db", &options);
  return 0;
}

/* The store answers what it owes, and is closed in its own time. */
static int teardown(void **state) {
  (void)state;
  inside = NOTHING;
  ts_breaker_unref(db);
  (void)ts_store_close(&store, NULL);
  if (bench.registry != NULL) {
    (void)ts_registry_close(bench.registry, on_registry_closed);
  }
  fake_env_turn(&bench.env);
  answer_all(&(ts_store_answer_t){.error = TS_ECLOSED});
  ts_store_closed(&store);
  fake_env_turn(&bench.env);
  assert_null(bench.registry);
  assert_int_equal(heap_balance(&bench.heap), 0);
  assert_int_equal(frees, 1);
  return 0;
}

static void pass(int64_t ms) { fake_env_advance_ms(&bench.env, ms); }

/* A call, whatever becomes of it. */
static void call(ts_outcome_t outcome) {
  ts_ticket_t ticket;
  if (ts_breaker_begin(db, &ticket, NULL) == 0) {
    (void)ts_breaker_end(db, &ticket, outcome, 0);
  }
}

static void on_forced(ts_breaker_t *breaker, int error, void *context) {
  (void)breaker;
  (void)error;
  (void)context;
  forced++;
}

/* Calls, probes, a force, and answers. */
static void live(void) {
  for (int i = 0; i < 20; i++) {
    call(TS_OUTCOME_SUCCESS);
    call(TS_OUTCOME_FAILURE);
    if (i == 10) {
      (void)ts_breaker_force(db, TS_STORE_FORCE_OPEN, on_forced, NULL);
    }
    pass(500);
    answer_all(&says);
  }
}

/* ------------------------------------------------------------------- answers */

/* Numbers that make no sense are no harm, nor is an id that does not end. */
static void test_senseless(void **state) {
  static const int64_t times[] = {INT64_MAX, INT64_MIN, -1};
  (void)state;
  for (size_t i = 0; i < 3; i++) {
    for (int kind = 0; kind < 4; kind++) {
      says.done = true;
      says.lease_for_ms = times[i];
      says.record =
          (ts_store_record_t){.era = (uint32_t)(UINT32_MAX - 9 + kind),
                              .state = TS_BREAKER_CLOSED + kind,
                              .level = UINT32_MAX,
                              .open_for_ms = times[i],
                              .calls = UINT64_MAX,
                              .failures = UINT64_MAX,
                              .consecutive_failures = UINT32_MAX,
                              .syncs_per_second = UINT32_MAX};
      memset(says.record.id, 'x', sizeof says.record.id);
      live();
      ts_store_push(&store, "db", &says.record);
      live();
    }
  }
  assert_true(questions > 0);
}

/* An answer inside the call that asks, which no store may give, is taken. */
static void test_answers_inside(void **state) {
  (void)state;
  inside = ANSWER;
  says.record.state = TS_BREAKER_HALF_OPEN;
  says.done = true;
  says.lease_for_ms = 1000;
  live();
  assert_true(questions > 3);
  assert_int_equal(forced, 1);
}

/* Of two answers to a sync, which no store may give, the second is none. */
static void test_answers_twice(void **state) {
  (void)state;
  call(TS_OUTCOME_SUCCESS);
  pass(1);
  assert_int_equal(asked_count, 1);
  const asked_t sync = asked[0];
  answer_all(&says);
  sync.answer(sync.owner, &says);
  assert_int_equal(ts_breaker_state(db), TS_BREAKER_CLOSED);
}

/* --------------------------------------------------------------------- inside */

/* A store's own functions may end what they are part of. */
static void test_ends_inside(void **state) {
  for (inside_t end = REMOVE; end <= CLOSE_STORE; end++) {
    for (int force = 0; force < 2; force++) {
      call(TS_OUTCOME_FAILURE);
      inside = end;
      if (force) {
        (void)ts_breaker_force(db, TS_STORE_FORCE_OPEN, on_forced, NULL);
      }
      live();
      teardown(state);
      setup(state);
    }
  }
}

/* A cancel that answers at once, which it may not, ends all the same. */
static void test_cancels_inside(void **state) {
  (void)state;
  says.record.state = TS_BREAKER_HALF_OPEN;
  call(TS_OUTCOME_FAILURE);
  pass(1);
  answer_all(&says);
  call(TS_OUTCOME_FAILURE);
  pass(1500);
  call(TS_OUTCOME_FAILURE);
  (void)ts_breaker_force(db, TS_STORE_FORCE_OPEN, on_forced, NULL);
  assert_true(asked_count > 1);
  cancels_inside = true;
  assert_int_equal(ts_registry_remove(bench.registry, "db"), 0);
  assert_int_equal(asked_count, 0);
  assert_int_equal(forced, 1);
}

/* ------------------------------------------------------------------- refusals */

/* A pace that was made quicker asks a store that refuses no more than once in
 * that time. */
static void test_quicker(void **state) {
  (void)state;
  call(TS_OUTCOME_SUCCESS);
  pass(1);
  answer_all(&says);
  options.sync_ms = 10;
  assert_int_equal(ts_breaker_configure(db, &options), 0);
  refuses = TS_ESTORE;
  questions = 0;
  call(TS_OUTCOME_FAILURE);
  pass(1);
  assert_int_equal(questions, 1);
  pass(100);
  assert_in_range(questions, 2, 15);
}

/* A force that the store did not take is no silence of the store's. */
static void test_refused_force(void **state) {
  (void)state;
  call(TS_OUTCOME_SUCCESS);
  pass(1);
  answer_all(&says);
  refuses = TS__ENOMEM;
  assert_int_equal(ts_breaker_force(db, TS_STORE_FORCE_OPEN, on_forced, NULL),
                   TS__ENOMEM);
  refuses = 0;
  pass(3600000);
  assert_false(
      ts__shared_is_stale(&db->sharing->view, ts__turn_ms(&bench.env.env)));
  assert_int_equal(forced, 0);
}

int main(void) {
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_senseless),      TEST(test_answers_inside),
      TEST(test_answers_twice),  TEST(test_ends_inside),
      TEST(test_cancels_inside), TEST(test_quicker),
      TEST(test_refused_force),
  };
  return cmocka_run_group_tests_name("own_store", tests, NULL, NULL);
}
