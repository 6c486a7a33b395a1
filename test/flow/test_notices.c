/* SPDX-License-Identifier: Apache-2.0 */
/* What the embedder is told of samples: those that were dropped, and how full
 * the buffer is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/fixture.h"

#define REASONS (TS_DROP_OFFLINE + 1)

static fixture_t fixture;
static uint64_t dropped[REASONS]; /* as told */
static int drop_count;            /* calls */
static int levels[16];            /* as told */
static int level_count;
static size_t buffered;            /* as told last */
static void (*act)(ts_client_t *); /* in on_drop */

static void on_drop(ts_client_t *client, ts_drop_reason_t reason,
                    uint64_t count) {
  assert_int_equal(fixture.close_count, 0);
  assert_true(count > 0);
  dropped[reason] += count;
  drop_count++;
  if (act != NULL) {
    act(client);
  }
}

static void on_level(ts_client_t *client, ts_buffer_level_t level,
                     size_t waiting) {
  (void)client;
  assert_true(level_count < 16);
  levels[level_count++] = (int)level;
  buffered = waiting;
}

static int setup(void **state) {
  (void)state;
  fixture_init(&fixture);
  memset(dropped, 0, sizeof dropped);
  drop_count = level_count = 0;
  act = NULL;
  fixture.options.on_drop = on_drop;
  fixture.options.on_buffer_level = on_level;
  fixture.options.buffer_capacity = 10;
  return 0;
}

static int teardown(void **state) {
  uint64_t told = 0;
  (void)state;
  fixture_end(&fixture);
  if (fixture.close_count > 0) {
    for (int reason = 0; reason < REASONS; reason++) {
      told += dropped[reason];
    }
    assert_int_equal(told, fixture.final.dropped_samples);
  }
  return 0;
}

static int report(void) {
  ts_report_t one = TS_REPORT_INIT;
  one.router = "r1";
  one.metric = "m";
  return ts_report(fixture.client, &one);
}

static int report_mt(void) {
  ts_report_t one = TS_REPORT_INIT;
  one.router = "r1";
  one.metric = "m";
  return ts_report_mt(fixture.client, &one);
}

static void turn(void) { fake_env_turn(&fixture.env); }

/* Drops are told once for all of a turn, and never inside the report. */
static void test_full(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_report(&fixture, 10);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(report(), TS__ENOBUFS);
  }
  assert_int_equal(drop_count, 0);
  turn();
  assert_int_equal(drop_count, 1);
  assert_int_equal(dropped[TS_DROP_FULL], 3);
  turn();
  assert_int_equal(drop_count, 1);
  assert_int_equal(report(), TS__ENOBUFS);
  turn();
  assert_int_equal(dropped[TS_DROP_FULL], 4);
}

/* A batch refused for good, and one that failed too often, say so. */
static void test_batches(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_report(&fixture, 4);
  assert_int_equal(ts_client_flush(fixture.client, 0, NULL, NULL), 0);
  fixture_answer(&fixture, 400);
  turn();
  assert_int_equal(dropped[TS_DROP_REFUSED], 4);
  fixture_report(&fixture, 2);
  assert_int_equal(ts_client_flush(fixture.client, 0, NULL, NULL), 0);
  for (int attempt = 0; attempt < 4; attempt++) {
    assert_int_equal(fixture_answer(&fixture, 503), 2);
    fake_env_advance_ms(&fixture.env, 1500);
  }
  assert_int_equal(dropped[TS_DROP_RETRIES], 2);
  assert_int_equal(drop_count, 2);
}

/* No memory for a sample, or for the body of a batch. */
static void test_memory(void **state) {
  (void)state;
  fixture_start(&fixture);
  heap_fail(&fixture.heap, 1, 1);
  assert_int_equal(report(), TS__ENOMEM);
  turn();
  assert_int_equal(dropped[TS_DROP_MEMORY], 1);
  fixture_report(&fixture, 2);
  assert_int_equal(ts_client_flush(fixture.client, 0, NULL, NULL), 0);
  heap_fail(&fixture.heap, 1, HEAP_FOREVER);
  fake_env_advance_ms(&fixture.env, 5);
  heap_fail(&fixture.heap, 0, 0);
  turn();
  assert_int_equal(dropped[TS_DROP_MEMORY], 3);
}

/* What the limit of the close leaves behind, and what comes too late, is told
 * before the close callback. */
static void test_close(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_report(&fixture, 5);
  fixture_shutdown(&fixture, 0);
  assert_int_equal(report(), TS_ECLOSED);
  assert_int_equal(report(), TS_ECLOSED);
  assert_int_equal(drop_count, 0);
  turn();
  assert_int_equal(fixture.close_count, 1);
  assert_int_equal(dropped[TS_DROP_CLOSE], 5);
  assert_int_equal(dropped[TS_DROP_CLOSED], 2);
}

/* A retry that does not fit before the limit is given up for the close, not
 * because it was tried too often. */
static void test_close_before_retry(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_report(&fixture, 3);
  fixture_shutdown(&fixture, 50);
  assert_int_equal(fixture_answer(&fixture, 500), 3);
  turn();
  assert_int_equal(dropped[TS_DROP_CLOSE], 3);
  assert_int_equal(fixture.close_status, TS_ETIMEDOUT);
}

static void report_once(ts_client_t *client) {
  (void)client;
  act = NULL;
  assert_int_equal(report(), TS_ECLOSED);
}

/* What the last callbacks themselves give is told too. */
static void test_report_at_close(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_report(&fixture, 1);
  act = report_once;
  fixture_shutdown(&fixture, 0);
  turn();
  assert_int_equal(fixture.close_count, 1);
  assert_int_equal(dropped[TS_DROP_CLOSED], 1);
}

static void close_client(ts_client_t *client) {
  (void)client;
  act = NULL;
  fixture_shutdown(&fixture, 0);
}

/* The callback may close the client it came from. */
static void test_close_inside(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_report(&fixture, 10);
  assert_int_equal(report(), TS__ENOBUFS);
  act = close_client;
  turn();
  turn();
  assert_int_equal(fixture.close_count, 1);
  assert_int_equal(dropped[TS_DROP_FULL], 1);
  assert_int_equal(dropped[TS_DROP_CLOSE], 10);
}

/* Other threads' samples are told by the same reasons. */
static void test_threads(void **state) {
  (void)state;
  fixture.options.threads = true;
  fixture_start(&fixture);
  for (int i = 0; i < 10; i++) {
    assert_int_equal(report_mt(), 0);
  }
  assert_int_equal(report_mt(), TS__ENOBUFS);
  assert_int_equal(drop_count, 0);
  turn();
  turn();
  assert_int_equal(dropped[TS_DROP_FULL], 1);
  fixture_shutdown(&fixture, 0);
  assert_int_equal(report_mt(), TS_ECLOSED);
  turn();
  assert_int_equal(dropped[TS_DROP_CLOSED], 1);
  assert_int_equal(dropped[TS_DROP_CLOSE], 10);
}

/* High when it is reached, low when that is reached, each once: in between
 * nothing is told, however often the marks' neighbourhood is visited. */
static void test_levels(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_report(&fixture, 7);
  turn();
  assert_int_equal(level_count, 0);
  fixture_report(&fixture, 1); /* 80 % */
  assert_int_equal(level_count, 0);
  turn();
  assert_int_equal(level_count, 1);
  assert_int_equal(levels[0], TS_BUFFER_HIGH);
  assert_int_equal(buffered, 8);
  fixture_report(&fixture, 2);
  turn();
  assert_int_equal(level_count, 1);
  free(fixture_deliver(&fixture));
  turn();
  assert_int_equal(level_count, 2);
  assert_int_equal(levels[1], TS_BUFFER_LOW);
  assert_int_equal(buffered, 0);
}

/* Marks of one's own: batches of two leave the buffer between them at first. */
static void test_own_marks(void **state) {
  (void)state;
  fixture.options.batch_size = 2;
  fixture.options.high_water = 4;
  fixture.options.low_water = 1;
  assert_int_equal(fixture_new(&fixture), 0);
  fixture_report(&fixture, 6); /* not started: they stay */
  turn();
  assert_int_equal(level_count, 1);
  assert_int_equal(ts_client_start(fixture.client, NULL), 0);
  turn();
  assert_int_equal(level_count, 2);
  assert_int_equal(levels[1], TS_BUFFER_LOW);
  fixture_answer_all(&fixture, 202);
}

/* A mark that is past again by the next turn is not worth a word. */
static void test_passing(void **state) {
  (void)state;
  fixture.options.batch_size = 10;
  fixture_start(&fixture);
  fixture_report(&fixture, 10); /* the tenth makes a batch of all */
  assert_int_equal(fixture_stats(&fixture).buffer_size, 0);
  turn();
  assert_int_equal(level_count, 0);
  fixture_answer_all(&fixture, 202);
}

static void refuse(int64_t high, int64_t low, const char *field) {
  fixture.options.high_water = high;
  fixture.options.low_water = low;
  fixture.log[0] = '\0';
  assert_int_equal(fixture_new(&fixture), TS__EINVAL);
  assert_true(fixture_logged(&fixture, field));
}

/* Marks that make no sense are refused by name. */
static void test_bad_marks(void **state) {
  (void)state;
  refuse(11, 0, "option=high_water");
  refuse(-1, 0, "option=high_water");
  refuse(5, 5, "option=low_water");
  refuse(0, 8, "option=low_water");
  refuse(5, -1, "option=low_water");
}

/* The smallest buffer has marks too. */
static void test_smallest(void **state) {
  (void)state;
  fixture.options.buffer_capacity = 1;
  fixture_start(&fixture);
  fixture_report(&fixture, 1);
  turn();
  assert_int_equal(level_count, 1);
  free(fixture_deliver(&fixture));
  turn();
  assert_int_equal(level_count, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_full),
      TEST(test_batches),
      TEST(test_memory),
      TEST(test_close),
      TEST(test_close_before_retry),
      TEST(test_report_at_close),
      TEST(test_close_inside),
      TEST(test_threads),
      TEST(test_levels),
      TEST(test_own_marks),
      TEST(test_passing),
      TEST(test_bad_marks),
      TEST(test_smallest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
