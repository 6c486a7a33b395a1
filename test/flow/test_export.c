/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a breaker, exported by one process and imported by the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/registry.h"

#define OPEN_MS 30000
#define MOST_OFF_MS 10

static registry_bench_t before; /* the process that ends */
static registry_bench_t after;  /* and the one that comes then */
static ts_breaker_options_t rule;
static ts_breaker_t *old;
static ts_breaker_t *young;
static char bytes[4096];
static size_t len;

static int setup(void **state) {
  (void)state;
  registry_bench_init(&before);
  registry_bench_init(&after);
  rule = (ts_breaker_options_t)TS_BREAKER_OPTIONS_INIT;
  rule.consec = 2;
  rule.open_jitter = 0.0;
  assert_int_equal(registry_bench_new(&before), 0);
  fake_env_advance_ms(&after.env, 3600000); /* monotonic clocks differ */
  assert_int_equal(registry_bench_new(&after), 0);
  old = young = NULL;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  ts_breaker_unref(old);
  ts_breaker_unref(young);
  registry_bench_end(&before);
  registry_bench_end(&after);
  return 0;
}

static void make_both(void) {
  old = registry_bench_get(&before, "db", &rule);
  young = registry_bench_get(&after, "db", &rule);
}

static void export_old(void) {
  assert_int_equal(ts_breaker_export(old, bytes, sizeof bytes, &len), 0);
}

/* So long after the export, by the clock on the wall. */
static int import_after(int64_t ms) {
  fake_env_set_wall(&after.env, ts__wall_ms(&before.env.env) + ms);
  return ts_breaker_import(young, bytes, len);
}

/* B124: a new process goes on with an open breaker, and the rest of its open
 * time is right to 10 ms, the time between the two processes taken off. */
static void test_open_time_is_preserved(void **state) {
  (void)state;
  make_both();
  registry_bench_calls(old, "FF");
  fake_env_advance_ms(&before.env, 7777);
  export_old();
  assert_int_equal(import_after(4444), 0);
  assert_in_range(ts_breaker_retry_after_ms(young),
                  OPEN_MS - 7777 - 4444 - MOST_OFF_MS,
                  OPEN_MS - 7777 - 4444 + MOST_OFF_MS);
  assert_string_equal(after.events, "db closed>open; ");
  registry_bench_calls(young, "X");
}

/* So it is when the loop's own time is late, in both processes. */
static void test_late_loops(void **state) {
  (void)state;
  make_both();
  registry_bench_calls(old, "FF");
  before.env.turn_lag_ms = 600;
  after.env.turn_lag_ms = 900;
  fake_env_advance_ms(&before.env, 1000);
  export_old();
  assert_int_equal(import_after(0), 0);
  after.env.turn_lag_ms = 0;
  assert_in_range(ts_breaker_retry_after_ms(young),
                  OPEN_MS - 1000 - MOST_OFF_MS, OPEN_MS - 1000 + MOST_OFF_MS);
}

/* The imported deadline has its timer, and a former one none. */
static void test_timer_follows(void **state) {
  (void)state;
  rule.auto_half_open = true;
  make_both();
  export_old();
  registry_bench_calls(young, "FF");
  assert_int_equal(import_after(0), 0);
  fake_env_advance_ms(&after.env, OPEN_MS);
  assert_string_equal(after.events, "db closed>open; db open>closed; ");
  after.events[0] = '\0';
  registry_bench_calls(old, "FF");
  export_old();
  assert_int_equal(import_after(OPEN_MS - 5), 0);
  fake_env_advance_ms(&after.env, 5);
  assert_string_equal(after.events, "db closed>open; db open>half_open; ");
}

/* Counts go on: one more failure is enough. */
static void test_counts_go_on(void **state) {
  (void)state;
  make_both();
  registry_bench_calls(old, "SF");
  export_old();
  assert_int_equal(import_after(1000000), 0);
  registry_bench_calls(young, "F");
  assert_int_equal(ts_breaker_state(young), TS_BREAKER_OPEN);
}

/* Without room the size is told; it is the one that the header names. */
static void test_room(void **state) {
  (void)state;
  rule.window = TS_WINDOW_ROLLING;
  rule.window_ms = 1000;
  rule.window_buckets = 10;
  make_both();
  assert_int_equal(ts_breaker_export(old, NULL, 0, &len), TS__ENOBUFS);
  assert_int_equal(len, 164 + 10 * 12);
  assert_int_equal(ts_breaker_export(old, bytes, len - 1, &len), TS__ENOBUFS);
  assert_int_equal(ts_breaker_export(old, bytes, len, &len), 0);
  assert_int_equal(import_after(0), 0);
  rule.window = TS_WINDOW_CALLS;
  rule.window_calls = 40;
  ts_breaker_t *calls = registry_bench_get(&before, "calls", &rule);
  registry_bench_calls(calls, "SSF");
  assert_int_equal(ts_breaker_export(calls, bytes, sizeof bytes, &len), 0);
  assert_int_equal(len, 164 + 3);
  ts_breaker_unref(calls);
}

/* What is asked wrongly, or too late, changes nothing. */
static void test_refused(void **state) {
  (void)state;
  make_both();
  registry_bench_calls(old, "FF");
  export_old();
  assert_int_equal(ts_breaker_export(NULL, bytes, sizeof bytes, &len),
                   TS__EINVAL);
  assert_int_equal(ts_breaker_export(old, bytes, sizeof bytes, NULL),
                   TS__EINVAL);
  assert_int_equal(ts_breaker_export(old, NULL, 10, &len), TS__EINVAL);
  assert_int_equal(ts_breaker_import(NULL, bytes, len), TS__EINVAL);
  assert_int_equal(ts_breaker_import(young, NULL, 0), TS__EINVAL);
  assert_int_equal(ts_breaker_import(young, bytes, len - 1), TS_ESTOREDATA);
  assert_int_equal(ts_breaker_import(young, "nonsense", 8), TS_ESTOREDATA);
  assert_int_equal(ts_breaker_state(young), TS_BREAKER_CLOSED);
  assert_int_equal(ts_registry_remove(after.registry, "db"), 0);
  assert_int_equal(ts_breaker_import(young, bytes, len), TS_ECLOSED);
  assert_int_equal(ts_registry_remove(before.registry, "db"), 0);
  assert_int_equal(ts_breaker_export(old, bytes, sizeof bytes, &len),
                   TS_ECLOSED);
}

static void let_go(registry_bench_t *bench, ts_breaker_t *breaker,
                   const ts_breaker_event_t *event) {
  (void)event;
  (void)ts_registry_remove(bench->registry, ts_breaker_name(breaker));
  ts_breaker_unref(breaker);
  *(bench == &before ? &old : &young) = NULL;
}

/* The event that an export, or an import, leads to may take the breaker away. */
static void test_gone_in_the_event(void **state) {
  (void)state;
  make_both();
  registry_bench_calls(old, "FF");
  export_old();
  after.on_event = let_go;
  assert_int_equal(import_after(0), 0);
  assert_null(young);
  before.on_event = let_go;
  fake_env_advance_ms(&before.env, OPEN_MS);
  assert_int_equal(ts_breaker_export(old, bytes, sizeof bytes, &len),
                   TS_ECLOSED);
  assert_null(old);
}

int main(void) {
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_open_time_is_preserved),
      TEST(test_late_loops),
      TEST(test_timer_follows),
      TEST(test_counts_go_on),
      TEST(test_room),
      TEST(test_refused),
      TEST(test_gone_in_the_event),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
