/* SPDX-License-Identifier: Apache-2.0 */
/* A machine's state, handed from one process to the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "core/machine_bytes.h"
#include "support/heap.h"

#define WALL_MS INT64_C(1700000000000)
#define APART_MS 777777 /* between the monotonic clocks of two processes */

static heap_t heap;
static ts__mem_t mem;
static ts__rng_t rng;             /* draws zeros: no jitter */
static ts__machine_t machines[2]; /* the one before and the one after */
static ts__moves_t moves;
static int64_t now_ms; /* of the one before */
static char bytes[70000];
static size_t len;

static int setup(void **state) {
  (void)state;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  rng = (ts__rng_t){{0}};
  memset(machines, 0, sizeof machines);
  now_ms = 5000;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    if (machines[i].mem != NULL) {
      ts__machine_deinit(&machines[i]);
    }
  }
  return heap_balance(&heap) == 0 ? 0 : -1;
}

static ts__moment_t moment(int i) {
  return (ts__moment_t){now_ms + i * APART_MS, WALL_MS + now_ms};
}

static void make(int i, const ts_breaker_options_t *options) {
  assert_null(ts__machine_check(options));
  assert_int_equal(
      ts__machine_init(&machines[i], &mem, "db", options, moment(i).mono_ms),
      0);
}

/* Two machines of these options. */
static void make_both(const ts_breaker_options_t *options) {
  make(0, options);
  make(1, options);
}

/* S: success, F: failure; each must be admitted. */
static void calls(int i, const char *outcomes) {
  for (; *outcomes != '\0'; outcomes++) {
    ts_ticket_t ticket;
    int64_t retry_after_ms = 0;
    assert_int_equal(ts__machine_acquire(&machines[i], &rng, moment(i).mono_ms,
                                         &ticket, &retry_after_ms, &moves),
                     TS_REASON_NONE);
    assert_true(ts__machine_settle(
        &machines[i], &rng, moment(i).mono_ms, &ticket,
        *outcomes == 'S' ? TS_OUTCOME_SUCCESS : TS_OUTCOME_FAILURE, 0, &moves));
  }
}

static ts_breaker_state_t look(int i) {
  ts__machine_advance(&machines[i], &rng, moment(i).mono_ms, &moves);
  return machines[i].state;
}

static int read_bytes(void) {
  return ts__machine_read(&machines[1], (ts__str_t){bytes, len}, moment(1),
                          &moves);
}

static void write_bytes(void) {
  (void)look(0);
  len = ts__machine_write(&machines[0], moment(0), bytes, sizeof bytes);
}

static void hand_over_after(int64_t ms) {
  write_bytes();
  now_ms += ms;
  assert_int_equal(read_bytes(), 0);
}

static ts_breaker_options_t threshold(uint32_t consec) {
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  options.consec = consec;
  return options;
}

static uint32_t failures(int i) {
  (void)look(i);
  return machines[i].window.sum.failures;
}

/* B124: what is left of the open time goes on, the time between taken off. */
static void test_open_time(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(1);
  make_both(&options);
  calls(0, "F");
  now_ms += 1000;
  hand_over_after(9000);
  assert_int_equal(moves.count, 1);
  assert_int_equal(moves.items[0].to, TS_BREAKER_OPEN);
  now_ms += 19999;
  assert_int_equal(look(1), TS_BREAKER_OPEN);
  now_ms += 1;
  assert_int_equal(look(1), TS_BREAKER_HALF_OPEN);
}

/* One whose open time ended meanwhile is half-open at the first look. */
static void test_open_time_over(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(1);
  make_both(&options);
  calls(0, "F");
  hand_over_after(INT64_C(400) * 24 * 3600 * 1000);
  assert_int_equal(look(1), TS_BREAKER_HALF_OPEN);
}

/* A wall clock that was put back lengthens nothing. */
static void test_wall_goes_back(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(1);
  make_both(&options);
  calls(0, "F");
  write_bytes();
  assert_int_equal(ts__machine_read(&machines[1], (ts__str_t){bytes, len},
                                    (ts__moment_t){now_ms, WALL_MS - 1000000},
                                    &moves),
                   0);
  assert_int_equal(machines[1].until_ms - now_ms, 30000);
}

/* How often it reopened is remembered: the next open time is the longer one. */
static void test_level(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(1);
  options.open_ms = 1000;
  options.open_mult = 2.0;
  options.open_max_ms = 60000;
  make_both(&options);
  calls(0, "F");
  now_ms += 1000;
  calls(0, "F"); /* 2 s */
  hand_over_after(2000);
  calls(1, "F");
  assert_int_equal(machines[1].until_ms - moment(1).mono_ms, 4000);
}

/* Probes that succeeded are remembered, so that processes of one call each can
 * close a breaker that needs two. */
static void test_probes(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(1);
  options.probe_need = 2;
  make_both(&options);
  calls(0, "F");
  now_ms += 30000;
  calls(0, "S");
  hand_over_after(60000);
  assert_int_equal(look(1), TS_BREAKER_HALF_OPEN);
  calls(1, "S");
  assert_int_equal(look(1), TS_BREAKER_CLOSED);
}

/* A run of failures goes on; totals are added to those there are. */
static void test_run_and_totals(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(3);
  ts_breaker_counts_t counts;
  make_both(&options);
  calls(0, "SFF");
  calls(1, "S");
  hand_over_after(1);
  ts__machine_counts(&machines[1], &counts);
  assert_int_equal(counts.consecutive_failures, 2);
  assert_int_equal(counts.total_successes, 2);
  assert_int_equal(counts.total_failures, 2);
  assert_int_equal(counts.total_admitted, 4);
  calls(1, "F");
  assert_int_equal(look(1), TS_BREAKER_OPEN);
}

/* The buckets of a rolling window leave it when they would have. */
static void test_rolling_window(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(100);
  options.window = TS_WINDOW_ROLLING;
  options.window_ms = 10000;
  options.window_buckets = 5;
  make_both(&options);
  calls(0, "FF");
  now_ms += 4000;
  calls(0, "F");
  hand_over_after(3000);
  assert_int_equal(failures(1), 3);
  now_ms += 3000;
  assert_int_equal(failures(1), 1);
  now_ms += 4000;
  assert_int_equal(failures(1), 0);
  assert_int_equal(machines[1].window.sum.failure_run, 0);
}

/* A fixed window ends when it would have. */
static void test_fixed_window(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(100);
  options.window = TS_WINDOW_FIXED;
  options.window_ms = 10000;
  make_both(&options);
  now_ms += 1000;
  calls(0, "FF");
  hand_over_after(8999);
  assert_int_equal(failures(1), 2);
  now_ms += 1;
  assert_int_equal(failures(1), 0);
}

/* Of the last calls a smaller window keeps the newest. */
static void test_last_calls(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(3);
  options.window = TS_WINDOW_CALLS;
  options.window_calls = 5;
  options.slow_ms = 100000;
  options.slow_pct = 100;
  options.min_calls = 2;
  make(0, &options);
  options.window_calls = 3;
  make(1, &options);
  calls(0, "FFSSSSFF");
  hand_over_after(1);
  assert_int_equal(failures(1), 2);
  assert_int_equal(machines[1].window.sum.successes, 1);
  calls(1, "F");
  assert_int_equal(look(1), TS_BREAKER_OPEN);
}

/* A window of another kind or shape begins anew. */
static void test_other_window(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(100);
  options.window = TS_WINDOW_ROLLING;
  options.window_ms = 10000;
  options.window_buckets = 5;
  make(0, &options);
  options.window_buckets = 10;
  make(1, &options);
  calls(0, "FFF");
  hand_over_after(1);
  assert_int_equal(failures(1), 0);
  ts__machine_deinit(&machines[1]);
  options.window = TS_WINDOW_NONE;
  make(1, &options);
  assert_int_equal(read_bytes(), 0);
  assert_int_equal(failures(1), 0);
}

/* Nobody's bytes can make it open for longer than its own rule could. */
static void test_own_bounds(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(1);
  options.open_ms = 500000;
  options.open_jitter = 0.0;
  make(0, &options);
  options.open_ms = 1000;
  options.open_max_ms = 2000;
  make(1, &options);
  calls(0, "F");
  hand_over_after(0);
  assert_int_equal(machines[1].until_ms - moment(1).mono_ms, 2000);
}

/* A call that was under way counts no more, and its ticket is no danger. */
static void test_ticket_is_stale(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(1);
  ts_ticket_t ticket;
  int64_t retry_after_ms = 0;
  make_both(&options);
  assert_int_equal(ts__machine_acquire(&machines[1], &rng, moment(1).mono_ms,
                                       &ticket, &retry_after_ms, &moves),
                   TS_REASON_NONE);
  hand_over_after(0);
  assert_true(ts__machine_settle(&machines[1], &rng, moment(1).mono_ms, &ticket,
                                 TS_OUTCOME_FAILURE, 0, &moves));
  assert_int_equal(look(1), TS_BREAKER_CLOSED);
  assert_int_equal(machines[1].counts.total_stale, 1);
}

/* Every length but the right one is refused, and nothing changes. */
static void test_lengths(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(9);
  options.window = TS_WINDOW_CALLS;
  options.window_calls = 20;
  options.min_calls = 1;
  make_both(&options);
  calls(0, "FFSF");
  calls(1, "F");
  write_bytes();
  const size_t right = len;
  for (len = 0; len < right + 2; len++) {
    if (len != right) {
      assert_int_equal(read_bytes(), TS_ESTOREDATA);
    }
  }
  assert_int_equal(failures(1), 1);
  assert_int_equal(machines[1].era, 0);
}

static void refuse_with(size_t at, char value) {
  const char was = bytes[at];
  bytes[at] = value;
  assert_int_equal(read_bytes(), TS_ESTOREDATA);
  bytes[at] = was;
}

/* Another kind of bytes, another version, and numbers that cannot be. */
static void test_refused(void **state) {
  (void)state;
  const ts_breaker_options_t options = threshold(9);
  make_both(&options);
  calls(0, "FS");
  write_bytes();
  refuse_with(0, 'X');
  refuse_with(4, 2);   /* version */
  refuse_with(6, 3);   /* state */
  refuse_with(7, 4);   /* window */
  refuse_with(15, -1); /* wall clock */
  refuse_with(23, 1);  /* rest of the open time */
  refuse_with(28, 1);  /* entries */
  refuse_with(39, 1);  /* bucket */
  refuse_with(47, -1); /* age */
  refuse_with(56, 9);  /* slow */
  refuse_with(60, 9);  /* a run longer than there are successes */
  refuse_with(64, 1);  /* two runs at once */
  assert_int_equal(machines[1].era, 0);
  assert_int_equal(read_bytes(), 0);
}

/* Any byte changed to anything: refused, or a machine that works. */
static void test_damage(void **state) {
  (void)state;
  ts_breaker_options_t options = threshold(3);
  options.window = TS_WINDOW_ROLLING;
  options.window_ms = 10000;
  options.window_buckets = 5;
  make_both(&options);
  calls(0, "FSFF");
  write_bytes();
  for (size_t at = 0; at < len; at++) {
    for (int value = 0; value < 256; value += 17) {
      const char was = bytes[at];
      bytes[at] = (char)value;
      if (read_bytes() == 0) {
        now_ms += 1000000;
        (void)look(1);
        calls(1, "S");
        assert_int_equal(look(1), TS_BREAKER_CLOSED);
      }
      bytes[at] = was;
    }
  }
}

int main(void) {
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_open_time),      TEST(test_open_time_over),
      TEST(test_wall_goes_back), TEST(test_level),
      TEST(test_probes),         TEST(test_run_and_totals),
      TEST(test_rolling_window), TEST(test_fixed_window),
      TEST(test_last_calls),     TEST(test_other_window),
      TEST(test_own_bounds),     TEST(test_ticket_is_stale),
      TEST(test_lengths),        TEST(test_refused),
      TEST(test_damage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
