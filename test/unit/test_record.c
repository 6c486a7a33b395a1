/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/delta.h"
#include "core/record.h"

static ts__record_t record;
static ts_store_rule_t rule;
static ts_store_op_t op;
static int64_t now_ms;
static bool changed;

static int setup(void **state) {
  (void)state;
  rule = (ts_store_rule_t){.consec = 5,
                           .min_calls = 20,
                           .open_ms = 1000,
                           .open_mult = 2.0,
                           .open_max_ms = 10000,
                           .probe_slots = 1,
                           .probe_need = 1,
                           .probe_ms = 500,
                           .min_reporters = 1,
                           .retention_ms = 86400000,
                           .fingerprint = 7};
  op = (ts_store_op_t){
      .name = "db", .member = "one", .fresh_id = "first", .rule = &rule};
  now_ms = 1000000;
  changed = false;
  ts__record_clear(&record);
  return 0;
}

/* Outcomes as letters; V: a vote. */
static bool sync_calls(const char *calls) {
  ts_store_delta_t all = {0};
  for (; *calls != '\0'; calls++) {
    ts_store_delta_t one = ts__delta_of_call(*calls == 'S', 0);
    if (*calls == 'V') {
      one = (ts_store_delta_t){.vote = true};
    }
    ts__delta_append(&all, &one);
  }
  op.era = record.era;
  return ts__record_sync(&record, now_ms, &op, &all, &changed);
}

static bool lease(const char *token) {
  int64_t for_ms = 0;
  return ts__record_lease(&record, now_ms, &op, token, &for_ms, &changed);
}

static bool settle(const char *token, ts_outcome_t outcome) {
  op.era = record.era;
  return ts__record_settle(&record, now_ms, &op, token, outcome, 0, &changed);
}

static void open_and_wait(void) {
  assert_true(sync_calls("FFFFF"));
  now_ms = record.until_ms;
}

/* B76: asking about what nobody wrote makes nothing. */
static void test_none(void **state) {
  (void)state;
  ts_store_record_t read;
  assert_false(sync_calls(""));
  assert_false(lease("a"));
  ts__record_read(&record, now_ms, &read);
  assert_string_equal(read.id, "");
  assert_int_equal(read.state, TS_BREAKER_CLOSED);
  assert_int_equal(read.era, 0);
}

/* B79: the run of before and the batch's add up to the threshold. */
static void test_run(void **state) {
  (void)state;
  assert_true(sync_calls("SFF"));
  assert_int_equal(record.state, TS_BREAKER_CLOSED);
  assert_string_equal(record.id, "first");
  assert_true(sync_calls("FFFS"));
  assert_int_equal(record.state, TS_BREAKER_OPEN);
  assert_int_equal(record.era, 1);
  assert_int_equal(record.until_ms, now_ms + 1000);
  assert_int_equal(record.calls, 0);
}

/* B81: a delta of another era changes nothing. */
static void test_old_era(void **state) {
  (void)state;
  const ts_store_delta_t delta = ts__delta_of_call(false, 0);
  open_and_wait();
  assert_true(lease("a"));
  assert_true(settle("a", TS_OUTCOME_SUCCESS));
  op.era = 0;
  assert_false(ts__record_sync(&record, now_ms, &op, &delta, &changed));
  assert_int_equal(record.failures, 0);
  assert_false(ts__record_settle(&record, now_ms, &op, "a", TS_OUTCOME_FAILURE,
                                 0, &changed));
  assert_int_equal(record.state, TS_BREAKER_CLOSED);
}

/* B82: as many probes as there are slots, and the same token once. */
static void test_slots(void **state) {
  (void)state;
  rule.probe_slots = 2;
  open_and_wait();
  now_ms--;
  assert_false(lease("a"));
  now_ms++;
  assert_true(lease("a"));
  assert_true(lease("a"));
  assert_true(lease("b"));
  assert_false(lease("c"));
  assert_int_equal(record.state, TS_BREAKER_HALF_OPEN);
}

/* B83: a lease that ran out goes to another, and its holder is not heard. */
static void test_dead_holder(void **state) {
  (void)state;
  open_and_wait();
  assert_true(lease("a"));
  now_ms += 499;
  assert_false(lease("b"));
  now_ms++;
  assert_true(lease("b"));
  assert_false(settle("a", TS_OUTCOME_SUCCESS));
  assert_int_equal(record.state, TS_BREAKER_HALF_OPEN);
}

/* B84: successes of different processes add up; a failure opens for longer. */
static void test_need(void **state) {
  (void)state;
  rule.probe_need = 2;
  open_and_wait();
  assert_true(lease("a"));
  assert_true(settle("a", TS_OUTCOME_SUCCESS));
  assert_int_equal(record.state, TS_BREAKER_HALF_OPEN);
  assert_true(lease("b"));
  assert_true(settle("b", TS_OUTCOME_FAILURE));
  assert_int_equal(record.level, 1);
  assert_int_equal(record.until_ms, now_ms + 2000);
  now_ms += 2000;
  assert_true(lease("c") && settle("c", TS_OUTCOME_SUCCESS));
  assert_true(lease("d") && settle("d", TS_OUTCOME_SUCCESS));
  assert_int_equal(record.state, TS_BREAKER_CLOSED);
  assert_int_equal(record.level, 0);
}

/* A lease that is given back frees its slot and says nothing. */
static void test_given_back(void **state) {
  (void)state;
  open_and_wait();
  assert_true(lease("a"));
  assert_true(settle("a", TS_OUTCOME_IGNORED));
  assert_int_equal(record.state, TS_BREAKER_HALF_OPEN);
  assert_true(lease("b"));
}

/* B87: the failures of one process alone are its own affair. */
static void test_reporters(void **state) {
  (void)state;
  rule.min_reporters = 2;
  for (int i = 0; i < 100; i++) {
    assert_true(sync_calls("F"));
  }
  assert_int_equal(record.state, TS_BREAKER_CLOSED);
  op.member = "two";
  assert_true(sync_calls("F"));
  assert_int_equal(record.state, TS_BREAKER_OPEN);
}

/* Reports are forgotten after a minute without. */
static void test_old_reporters(void **state) {
  (void)state;
  rule.min_reporters = 2;
  assert_true(sync_calls("V"));
  now_ms += 60000;
  op.member = "two";
  assert_true(sync_calls("V"));
  assert_int_equal(record.state, TS_BREAKER_CLOSED);
  op.member = "one";
  assert_true(sync_calls("V"));
  assert_int_equal(record.state, TS_BREAKER_OPEN);
}

/* B88: one vote opens, whatever the counts. */
static void test_vote(void **state) {
  (void)state;
  assert_true(sync_calls("V"));
  assert_int_equal(record.state, TS_BREAKER_OPEN);
}

/* B89: what was forced open stays so, until it is released. */
static void test_forced(void **state) {
  (void)state;
  assert_true(
      ts__record_force(&record, now_ms, &op, TS_STORE_FORCE_OPEN, &changed));
  assert_int_equal(record.era, 1);
  now_ms += 3600000;
  assert_false(lease("a"));
  assert_false(sync_calls("S"));
  assert_true(
      ts__record_force(&record, now_ms, &op, TS_STORE_FORCE_CLOSED, &changed));
  assert_true(sync_calls("S"));
  assert_int_equal(record.state, TS_BREAKER_CLOSED);
  assert_int_equal(record.era, 2);
}

/* Of a fixed window nothing is left, of a rolling one the part inside. */
static void test_windows(void **state) {
  (void)state;
  rule.consec = 0;
  rule.rate_pct = 50;
  rule.min_calls = 10;
  rule.window = TS_WINDOW_FIXED;
  rule.window_ms = 1000;
  assert_true(sync_calls("FFFFFF"));
  now_ms += 1000;
  assert_true(sync_calls("FFFF"));
  assert_int_equal(record.failures, 4);
  rule.window = TS_WINDOW_ROLLING;
  now_ms += 1500;
  assert_true(sync_calls("FFFFFF"));
  assert_int_equal(record.state, TS_BREAKER_CLOSED);
  assert_true(sync_calls("FF"));
  assert_int_equal(record.state, TS_BREAKER_OPEN);
}

/* A record that nobody wrote for long begins anew. */
static void test_retention(void **state) {
  (void)state;
  open_and_wait();
  now_ms += rule.retention_ms;
  assert_false(lease("a"));
  op.fresh_id = "second";
  assert_true(sync_calls("F"));
  assert_string_equal(record.id, "second");
  assert_int_equal(record.era, 0);
}

/* The load of the last full second. */
static void test_load(void **state) {
  (void)state;
  ts_store_record_t read;
  for (int i = 0; i < 30; i++) {
    sync_calls("S");
  }
  now_ms += 1000;
  sync_calls("S");
  ts__record_read(&record, now_ms, &read);
  assert_int_equal(read.syncs_per_second, 30);
  now_ms += 2000;
  sync_calls("S");
  ts__record_read(&record, now_ms, &read);
  assert_int_equal(read.syncs_per_second, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_none, setup),
      cmocka_unit_test_setup(test_run, setup),
      cmocka_unit_test_setup(test_old_era, setup),
      cmocka_unit_test_setup(test_slots, setup),
      cmocka_unit_test_setup(test_dead_holder, setup),
      cmocka_unit_test_setup(test_need, setup),
      cmocka_unit_test_setup(test_given_back, setup),
      cmocka_unit_test_setup(test_reporters, setup),
      cmocka_unit_test_setup(test_old_reporters, setup),
      cmocka_unit_test_setup(test_vote, setup),
      cmocka_unit_test_setup(test_forced, setup),
      cmocka_unit_test_setup(test_windows, setup),
      cmocka_unit_test_setup(test_retention, setup),
      cmocka_unit_test_setup(test_load, setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
