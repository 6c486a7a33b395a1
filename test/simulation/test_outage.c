/* SPDX-License-Identifier: Apache-2.0 */
/* Days of trouble for one client: nobody listens, nobody answers, a service
 * that has too much to do, a wall clock that jumps by years. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/fixture.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define YEAR_MS (365 * DAY_MS)

/* Between two attempts of the stream: the last step and its jitter. */
#define LONGEST_WAIT_MS INT64_C(45000)

typedef enum peer_e {
  PEER_SERVES,
  PEER_REFUSES, /* connections */
  PEER_SILENT,  /* neither accepts nor refuses */
  PEER_LIMITS   /* answers everything with 429 and Retry-After */
} peer_t;

static fixture_t fixture;
static fake_server_t server;
static peer_t peer;
static const char *retry_after;
static uint64_t taken;    /* samples given to the client */
static uint64_t accepted; /* samples the server has */

/* What reached the server; attempts that are over. */
static size_t attempts;
static size_t streams;
static size_t batches;
static size_t polls;

static int setup(void **state) {
  (void)state;
  fixture_init(&fixture);
  fake_env_seed(&fixture.env, 11);
  fixture.options.log_level = TS_LOG_WARN;
  fixture.options.ingest_secret = FIXTURE_SECRET;
  fixture.options.metadata_sync_interval_ms = 30000;
  peer = PEER_SERVES;
  taken = accepted = 0;
  attempts = streams = batches = polls = 0;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

/* -------------------------------------------------------------- the server */

static void on_open(void *arg, fake_pipe_t *pipe) {
  (void)arg;
  switch (peer) {
  case PEER_REFUSES:
    fake_pipe_end(pipe, -ECONNREFUSED);
    return;
  case PEER_SILENT:
    return;
  case PEER_SERVES:
  case PEER_LIMITS:
    fake_pipe_accept(pipe);
  }
}

static void count(const fake_request_t *request) {
  const char *target = request->target;
  *(strstr(target, "/ingest") != NULL    ? &batches
    : strstr(target, "metadata") != NULL ? &polls
                                         : &streams) += 1;
}

static void on_request(void *arg, fake_pipe_t *pipe,
                       const fake_request_t *request) {
  char head[96];
  (void)arg;
  count(request);
  if (peer == PEER_LIMITS) {
    snprintf(head, sizeof head, "HTTP/1.1 429 Slow\r\nRetry-After: %s\r\n",
             retry_after);
    fake_respond(pipe, head, NULL);
  } else if (strstr(request->target, "/ingest") != NULL) {
    accepted += fixture_request_samples(request);
    fake_respond_status(pipe, 202);
  } else if (strstr(request->target, "metadata") != NULL) {
    fake_respond(pipe, "HTTP/1.1 200 OK\r\n", "{}");
  } else if (fake_respond_stream_head(pipe, FAKE_STREAM_CHUNKED)) {
    fake_event(pipe, "a", "closed", NULL);
  }
}

static void start(peer_t first) {
  peer = first;
  fake_server_init(&server, &fixture.transport, NULL);
  server.on_open = on_open;
  server.on_request = on_request;
  fixture_start(&fixture);
  fake_env_turn(&fixture.env);
}

/* ---------------------------------------------------------------- the work */

static void report(size_t samples) {
  ts_report_t one = TS_REPORT_INIT;
  one.router = "r1";
  one.metric = "m";
  for (size_t i = 0; i < samples; i++) {
    ts_report(fixture.client, &one);
  }
  taken += samples;
}

/* Work at an even pace, `samples` a minute. The log starts anew each minute:
 * the lines are counted, and the fixture keeps a few only. */
static void work(int64_t minutes, size_t samples) {
  for (int64_t i = 0; i < minutes; i++) {
    report(samples);
    fake_env_advance_ms(&fixture.env, MINUTE_MS);
    fixture_check_books(&fixture, taken);
    attempts += fake_transport_forget(&fixture.transport);
    fixture.log[0] = '\0';
  }
}

static int lines(void) {
  return fixture.log_counts[TS_LOG_WARN] + fixture.log_counts[TS_LOG_ERROR];
}

/* Three days of this peer. Returns the lines that were logged. */
static int outage(const char *what, peer_t trouble, size_t samples) {
  start(trouble);
  work(60, samples);
  const size_t early = fixture.heap.bytes;
  const int early_lines = lines();
  fixture.heap.peak_bytes = fixture.heap.bytes;
  work(3 * 24 * 60 - 60, samples);
  printf("# three days %s: %zu connection attempts; %llu samples, each "
         "counted; %zu bytes after an hour, %zu at the end, peak %zu; %d log "
         "lines in the first hour, %d in all\n",
         what, attempts, (unsigned long long)taken, early, fixture.heap.bytes,
         fixture.heap.peak_bytes, early_lines, lines());
  assert_true(fixture.heap.bytes <= early + ((size_t)16 << 10));
  assert_int_equal(accepted, 0);
  return lines();
}

/* The stream is back within the wait it may be in, and samples arrive again. */
static void recover(int64_t longest_ms) {
  const int64_t from = fake_env_elapsed_ms(&fixture.env);
  peer = PEER_SERVES;
  while (!fixture_stats(&fixture).sse_connected) {
    fake_env_advance_ms(&fixture.env, 100);
  }
  const int64_t took = fake_env_elapsed_ms(&fixture.env) - from;
  work(3, 0);
  const uint64_t before = accepted;
  work(1, 10);
  printf("# recovered after %lld ms\n", (long long)took);
  assert_true(took <= longest_ms);
  assert_int_equal(accepted - before, 10);
}

static void test_refused_for_three_days(void **state) {
  (void)state;
  const int logged = outage("refused", PEER_REFUSES, 20);
  assert_true(attempts <= 3 * (2900 + 4 * 24 * 60 + 2 * 24 * 120));
  assert_true(logged <= 100);
  assert_int_equal(fixture_stats(&fixture).delivered_samples, 0);
  recover(LONGEST_WAIT_MS);
}

/* Small batches, and more samples than can be given up in time: the buffer is
 * always full. */
static void test_silent_for_three_days(void **state) {
  (void)state;
  fixture.options.batch_size = 10;
  fixture.options.buffer_capacity = 100;
  const int logged = outage("silent", PEER_SILENT, 120);
  assert_true(attempts <= 3 * (2900 + 4 * 6 * 24 * 60 + 2 * 24 * 120));
  assert_true(logged <= 200);
  recover(LONGEST_WAIT_MS);
}

/* ------------------------------------------------------ too many requests */

/* A service that asks for a pause with every answer gets few requests. */
static void test_limited_all_day(void **state) {
  (void)state;
  retry_after = "60";
  start(PEER_LIMITS);
  work(60, 100);
  const size_t early = fixture.heap.bytes;
  const int early_lines = lines();
  work(23 * 60, 100);
  printf("# a day of 429 with Retry-After 60: %zu requests of the stream, %zu "
         "batches, %zu polls; %llu samples, each counted; %zu bytes after an "
         "hour, %zu at the end; %d log lines in the first hour, %d in all\n",
         streams, batches, polls, (unsigned long long)taken, early,
         fixture.heap.bytes, early_lines, lines());
  assert_true(streams <= 24 * 60 + 1);
  assert_true(batches <= 4 * (24 * 60 + 1));
  assert_true(polls <= 2 * (24 * 60 + 1));
  assert_true(fixture.heap.bytes <= early + ((size_t)16 << 10));
  assert_true(lines() <= 100);
  recover(60000);
}

/* --------------------------------------------------------------- the clock */

/* An hour of work; the wall clock may jump to and fro every ten minutes. */
static void live_an_hour(int64_t jump_ms) {
  start(PEER_SERVES);
  for (int i = 0; i < 6; i++) {
    work(10, 5);
    fake_env_set_wall(&fixture.env, ts__wall_ms(&fixture.env.env) +
                                        jump_ms * (i % 2 * 2 - 1));
  }
}

/* A year forward or back: as many requests and wakes as in an hour without. */
static void test_timers_and_years(void **state) {
  live_an_hour(0);
  const size_t attempts_before = attempts;
  const size_t batches_before = batches;
  const size_t polls_before = polls;
  const unsigned wakes_before = fixture.env.wakes;
  const int lines_before = lines();
  teardown(state);
  setup(state);
  live_an_hour(YEAR_MS);
  printf("# an hour with six jumps of a year: %zu connections, without %zu; "
         "%u wakes, without %u\n",
         attempts, attempts_before, fixture.env.wakes, wakes_before);
  assert_int_equal(attempts, attempts_before);
  assert_int_equal(batches, batches_before);
  assert_int_equal(polls, polls_before);
  assert_int_equal(fixture.env.wakes, wakes_before);
  assert_int_equal(lines(), lines_before);
}

/* A sample reported now is stamped with what the wall clock says now. */
static void check_stamp(void) {
  char stamp[64];
  fixture_batch_t batch;
  fake_env_advance_ms(&fixture.env, 1000); /* a turn passes */
  snprintf(stamp, sizeof stamp, "\"ts_ms\":%lld",
           (long long)ts__wall_ms(&fixture.env.env));
  report(1);
  fake_env_advance_ms(&fixture.env, 14999);
  assert_false(fixture_take_batch(&fixture, &batch));
  fake_env_advance_ms(&fixture.env, 1);
  assert_true(fixture_take_batch(&fixture, &batch));
  assert_non_null(strstr(batch.json, stamp));
  free(batch.json);
  fake_respond_status(batch.pipe, 202);
}

static void test_stamps_and_years(void **state) {
  (void)state;
  fixture.options.api_key = NULL;
  fixture_start(&fixture);
  check_stamp();
  fake_env_set_wall(&fixture.env, FAKE_ENV_START_WALL_MS + YEAR_MS);
  check_stamp();
  fake_env_set_wall(&fixture.env, FAKE_ENV_START_WALL_MS - YEAR_MS);
  check_stamp();
  fake_env_set_wall(&fixture.env, FAKE_ENV_START_WALL_MS);
  check_stamp();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_refused_for_three_days), TEST(test_silent_for_three_days),
      TEST(test_limited_all_day),        TEST(test_timers_and_years),
      TEST(test_stamps_and_years),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
