/* SPDX-License-Identifier: Apache-2.0 */
/* A client used from many threads while its states change: real sockets, a
 * plane on the same loop. Meant to be run under ThreadSanitizer too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "tripswitch/plane.h"
#include "tripswitch/tripswitch.h"

#define THREADS 8
#define BREAKERS 40

/* Calls of each thread; the environment may ask for more. */
#define CHECKS 20000
#define REPORTS 2000

#define PATIENCE_MS 60000
#define MORE_PATIENCE_MS 600000 /* when more was asked for */

typedef struct bench_s {
  uv_loop_t loop;
  uv_timer_t watchdog;
  uv_async_t wake; /* keeps the loop turning while threads run */
  ts_plane_t *plane;
  ts_client_t *client;
  ts_client_options_t options;
  bool is_ready;
  bool is_flushed;
  bool is_closed;
  int close_status;
  ts_stats_t final;

  atomic_bool stop;
  atomic_uint running;
  atomic_ullong passed;
  atomic_ullong rejected;
  atomic_ullong taken;   /* 0 from ts_report_mt */
  atomic_ullong refused; /* UV_ENOBUFS */
  atomic_ullong late;    /* TS_ECLOSED */
  atomic_ullong wrong;   /* anything that may not be */
} bench_t;

static bench_t bench;

/* --------------------------------------------------------------- the loop */

static void on_watchdog(uv_timer_t *timer) {
  (void)timer;
  fail_msg("the test hangs");
}

static void on_ready(ts_client_t *client, int status) {
  (void)client;
  assert_int_equal(status, 0);
  bench.is_ready = true;
}

static void on_flush(ts_client_t *client, int status, void *arg) {
  (void)client;
  (void)arg;
  assert_int_equal(status, 0);
  bench.is_flushed = true;
}

static void on_close(ts_client_t *client, int status) {
  bench.is_closed = true;
  bench.close_status = status;
  bench.final = (ts_stats_t)TS_STATS_INIT;
  assert_int_equal(ts_client_stats(client, &bench.final), 0);
  bench.client = NULL;
}

static void on_wake(uv_async_t *async) { (void)async; }

static void turn(void) {
  uv_async_send(&bench.wake);
  uv_run(&bench.loop, UV_RUN_ONCE);
}

static void breaker_name(char *name, unsigned i) {
  (void)snprintf(name, 16, "breaker-%u", i);
}

static void start_plane(void) {
  ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  char name[16];
  assert_int_equal(ts_plane_new(&bench.plane, &bench.loop, &options), 0);
  router.id = "r1";
  router.name = "router one";
  assert_int_equal(ts_plane_add_router(bench.plane, &router), 0);
  for (unsigned i = 0; i < BREAKERS; i++) {
    ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
    breaker_name(name, i);
    breaker.name = name;
    breaker.metric = "latency";
    breaker.threshold = 0.5;
    assert_int_equal(ts_plane_add_breaker(bench.plane, &breaker), 0);
  }
  assert_int_equal(ts_plane_listen(bench.plane), 0);
}

static int setup(void **state) {
  const ts_client_options_t defaults = TS_CLIENT_OPTIONS_INIT;
  (void)state;
  memset(&bench, 0, sizeof bench);
  assert_int_equal(uv_loop_init(&bench.loop), 0);
  assert_int_equal(uv_timer_init(&bench.loop, &bench.watchdog), 0);
  uv_timer_start(
      &bench.watchdog, on_watchdog,
      getenv("TS_TEST_CHECKS") != NULL ? MORE_PATIENCE_MS : PATIENCE_MS, 0);
  uv_unref((uv_handle_t *)&bench.watchdog);
  assert_int_equal(uv_async_init(&bench.loop, &bench.wake, on_wake), 0);
  start_plane();
  bench.options = defaults;
  bench.options.project_id = "project";
  bench.options.api_key = "eb_pk_local";
  bench.options.base_url = ts_plane_url(bench.plane);
  bench.options.threads = true;
  bench.options.flush_interval_ms = 20;
  bench.options.buffer_capacity = 1000;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  if (bench.client != NULL) {
    assert_int_equal(ts_client_close(bench.client, on_close), 0);
  }
  if (bench.plane != NULL) {
    assert_int_equal(ts_plane_close(bench.plane, NULL), 0);
  }
  uv_close((uv_handle_t *)&bench.watchdog, NULL);
  uv_close((uv_handle_t *)&bench.wake, NULL);
  uv_run(&bench.loop, UV_RUN_DEFAULT);
  assert_null(bench.client);
  assert_int_equal(uv_loop_close(&bench.loop), 0);
  return 0;
}

static void start_client(void) {
  assert_int_equal(ts_client_new(&bench.client, &bench.loop, &bench.options),
                   0);
  assert_int_equal(ts_client_start(bench.client, on_ready), 0);
  while (!bench.is_ready) {
    turn();
  }
}

/* Every breaker is known to the client. */
static void await_breakers(void) {
  ts_stats_t stats = TS_STATS_INIT;
  while (stats.cached_breakers < BREAKERS) {
    turn();
    assert_int_equal(ts_client_stats(bench.client, &stats), 0);
  }
}

static uint64_t accepted_by_plane(void) {
  ts_plane_stats_t counters = TS_PLANE_STATS_INIT;
  assert_int_equal(ts_plane_stats(bench.plane, &counters), 0);
  return counters.samples_accepted;
}

/* ------------------------------------------------------------ the threads */

static unsigned how_many(const char *variable, unsigned usual) {
  const char *text = getenv(variable);
  return text != NULL ? (unsigned)strtoul(text, NULL, 10) : usual;
}

static void check_gate(const char *const *names, size_t count) {
  ts_rejection_t rejection;
  switch (ts_client_allow_mt(bench.client, names, count, &rejection)) {
  case 0:
    bench.passed++;
    bench.wrong += rejection.reason != TS_REASON_NONE;
    break;
  case TS_EOPEN:
    bench.rejected++;
    bench.wrong += rejection.reason != TS_REASON_OPEN &&
                   rejection.reason != TS_REASON_THROTTLED;
    break;
  default:
    bench.wrong++;
  }
}

static void checker(void *arg) {
  const unsigned count = how_many("TS_TEST_CHECKS", CHECKS);
  char names[2][16];
  (void)arg;
  for (unsigned i = 0; i < count; i++) {
    const char *const both[] = {names[0], names[1]};
    breaker_name(names[0], i % BREAKERS);
    breaker_name(names[1], i / BREAKERS % BREAKERS);
    check_gate(both, 1 + i % 2);
  }
  bench.running--;
}

static int report_one(unsigned i) {
  ts_report_t report = TS_REPORT_INIT;
  const ts_tag_t tag = {"thread", "yes"};
  report.router = "r1";
  report.metric = "latency";
  report.value = i;
  report.tags = &tag;
  report.tag_count = 1;
  const int error = ts_report_mt(bench.client, &report);
  bench.taken += error == 0;
  bench.refused += error == UV_ENOBUFS;
  bench.late += error == TS_ECLOSED;
  bench.wrong += error != 0 && error != UV_ENOBUFS && error != TS_ECLOSED;
  return error;
}

static void reporter(void *arg) {
  const unsigned count = how_many("TS_TEST_REPORTS", REPORTS);
  (void)arg;
  for (unsigned i = 0; i < count; i++) {
    report_one(i);
  }
  bench.running--;
}

static void reporter_until_stopped(void *arg) {
  (void)arg;
  for (unsigned i = 0; !bench.stop; i++) {
    report_one(i);
  }
  bench.running--;
}

static void start_threads(uv_thread_t threads[THREADS], uv_thread_cb entry) {
  bench.running = THREADS;
  for (int i = 0; i < THREADS; i++) {
    assert_int_equal(uv_thread_create(&threads[i], entry, NULL), 0);
  }
}

static void join_threads(uv_thread_t threads[THREADS]) {
  for (int i = 0; i < THREADS; i++) {
    uv_thread_join(&threads[i]);
  }
}

/* ------------------------------------------------------------------ tests */

/* Change states, add breakers and take some away, as the service may. */
static void change_states(unsigned step) {
  char name[32];
  breaker_name(name, step % BREAKERS);
  (void)ts_plane_set_state(bench.plane, name,
                           step % 3 == 0   ? TS_BREAKER_OPEN
                           : step % 3 == 1 ? TS_BREAKER_HALF_OPEN
                                           : TS_BREAKER_CLOSED,
                           0.5);
  if (step % 50 == 49) { /* reconnect, with the snapshot's grace over at once */
    assert_int_equal(ts_plane_stop(bench.plane), 0);
    assert_int_equal(ts_plane_listen(bench.plane), 0);
  }
  if (step % 4 == 0) {
    ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
    (void)snprintf(name, sizeof name, "extra-%u", step);
    breaker.name = name;
    breaker.metric = "latency";
    breaker.threshold = 0.5;
    assert_int_equal(ts_plane_add_breaker(bench.plane, &breaker), 0);
    (void)snprintf(name, sizeof name, "extra-%u", step - 40);
    (void)ts_plane_remove_breaker(bench.plane, name);
  }
}

/* Eight threads ask the gate while states change, breakers come and go, and
 * connections break: every answer is one of those that may be. */
static void test_gate_from_threads(void **state) {
  uv_thread_t threads[THREADS];
  const unsigned count = how_many("TS_TEST_CHECKS", CHECKS);
  (void)state;
  bench.options.stale_after_ms = -1;
  bench.options.reconnect_min_ms = 1;
  bench.options.snapshot_grace_ms = 0;
  bench.options.fail_open = true;
  start_client();
  await_breakers();
  const uint64_t began = uv_hrtime();
  start_threads(threads, checker);
  for (unsigned step = 0; bench.running > 0; step++) {
    change_states(step);
    for (int i = 0; i < 10; i++) {
      turn();
    }
  }
  join_threads(threads);
  const uint64_t took = uv_hrtime() - began;
  assert_int_equal(bench.wrong, 0);
  assert_int_equal(bench.passed + bench.rejected,
                   (unsigned long long)count * THREADS);
  print_message("# %u checks, %llu rejected, %.0f ns each\n", count * THREADS,
                (unsigned long long)bench.rejected,
                (double)took / (count * (double)THREADS));
}

/* The answer of another thread is that of the loop, at once after an event. */
static void test_gate_agrees(void **state) {
  const char *const names[] = {"breaker-1"};
  ts_rejection_t rejection;
  ts_state_t breaker;
  (void)state;
  start_client();
  await_breakers();
  assert_int_equal(ts_client_allow_mt(bench.client, names, 1, NULL), 0);
  assert_int_equal(
      ts_plane_set_state(bench.plane, "breaker-1", TS_BREAKER_OPEN, 0.0), 0);
  do {
    turn();
    assert_int_equal(ts_client_get_state(bench.client, names[0], &breaker), 0);
  } while (breaker.state != TS_BREAKER_OPEN);
  assert_int_equal(ts_client_allow_mt(bench.client, names, 1, &rejection),
                   TS_EOPEN);
  assert_int_equal(rejection.reason, TS_REASON_OPEN);
  assert_string_equal(rejection.breaker, "breaker-1");
}

/* Draws of other threads follow the rate. */
static void test_draws(void **state) {
  const char *const names[] = {"breaker-1"};
  ts_state_t breaker;
  int passed = 0;
  (void)state;
  start_client();
  await_breakers();
  assert_int_equal(
      ts_plane_set_state(bench.plane, "breaker-1", TS_BREAKER_HALF_OPEN, 0.25),
      0);
  do {
    turn();
    assert_int_equal(ts_client_get_state(bench.client, names[0], &breaker), 0);
  } while (breaker.state != TS_BREAKER_HALF_OPEN);
  for (int i = 0; i < 20000; i++) {
    passed += ts_client_allow_mt(bench.client, names, 1, NULL) == 0;
  }
  assert_in_range(passed, 4500, 5500); /* eight standard deviations */
}

/* Eight threads report while the loop sends: what was taken arrives once, what
 * was refused is counted. */
static void test_reports_from_threads(void **state) {
  uv_thread_t threads[THREADS];
  ts_stats_t stats = TS_STATS_INIT;
  (void)state;
  start_client();
  start_threads(threads, reporter);
  while (bench.running > 0) {
    turn();
  }
  join_threads(threads);
  const uint64_t given = bench.taken + bench.refused;
  assert_int_equal(ts_client_stats(bench.client, &stats), 0);
  assert_int_equal(stats.delivered_samples + stats.dropped_samples +
                       stats.buffer_size + stats.in_flight_samples,
                   given);
  assert_int_equal(ts_client_flush(bench.client, 0, on_flush, NULL), 0);
  while (!bench.is_flushed) {
    turn();
  }
  assert_int_equal(ts_client_stats(bench.client, &stats), 0);
  assert_int_equal(stats.delivered_samples, accepted_by_plane());
  assert_int_equal(stats.delivered_samples + stats.dropped_samples, given);
  assert_int_equal(stats.dropped_samples, bench.refused);
  assert_int_equal(bench.wrong, 0);
}

/* Shut down while eight threads report: what was taken before goes out, what
 * comes later is refused, and the books close. */
static void test_shutdown_under_reports(void **state) {
  uv_thread_t threads[THREADS];
  (void)state;
  start_client();
  start_threads(threads, reporter_until_stopped);
  while (bench.taken < 3000) {
    turn();
  }
  assert_int_equal(ts_client_shutdown(bench.client, 20000, on_close), 0);
  while (bench.late < 1000) {
    /* The threads run into the closed door; the loop rests. */
  }
  bench.stop = true;
  join_threads(threads);
  while (!bench.is_closed) {
    turn();
  }
  assert_int_equal(bench.close_status, 0);
  assert_int_equal(bench.wrong, 0);
  assert_int_equal(bench.final.delivered_samples, bench.taken);
  assert_int_equal(bench.final.delivered_samples, accepted_by_plane());
  assert_int_equal(bench.final.dropped_samples, bench.refused + bench.late);
}

/* Without anybody to send to, the inbox and the buffer together hold what the
 * option says, and the rest is refused on the spot. */
static void test_bound(void **state) {
  ts_stats_t stats = TS_STATS_INIT;
  (void)state;
  bench.options.buffer_capacity = 500;
  assert_int_equal(ts_client_new(&bench.client, &bench.loop, &bench.options),
                   0);
  for (unsigned i = 0; i < 2000; i++) {
    report_one(i);
    if (i % 7 == 0) {
      uv_run(&bench.loop, UV_RUN_NOWAIT);
    }
  }
  assert_int_equal(bench.taken, 500);
  assert_int_equal(bench.refused, 1500);
  assert_int_equal(ts_client_stats(bench.client, &stats), 0);
  assert_int_equal(stats.buffer_size, 500);
  assert_int_equal(stats.dropped_samples, 1500);
}

/* Samples that wait do not keep a loop alive that has nothing else to do. */
static void test_waiting_samples_hold_nothing(void **state) {
  (void)state;
  assert_int_equal(ts_client_new(&bench.client, &bench.loop, &bench.options),
                   0);
  assert_int_equal(ts_plane_stop(bench.plane), 0);
  uv_unref((uv_handle_t *)&bench.wake);
  while (uv_run(&bench.loop, UV_RUN_NOWAIT) != 0) {
  }
  assert_int_equal(report_one(1), 0);
  assert_false(uv_loop_alive(&bench.loop));
}

/* What is wrong with a report is found in the caller's thread. */
static void test_invalid_reports(void **state) {
  ts_report_t report = TS_REPORT_INIT;
  const char *const null_name[] = {NULL};
  ts_stats_t stats = TS_STATS_INIT;
  (void)state;
  assert_int_equal(ts_client_new(&bench.client, &bench.loop, &bench.options),
                   0);
  assert_int_equal(ts_report_mt(bench.client, &report), UV_EINVAL);
  report.router = "r1";
  report.metric = "m";
  char *long_text = malloc(300 * 1024);
  assert_non_null(long_text);
  memset(long_text, 'x', 300 * 1024 - 1);
  long_text[300 * 1024 - 1] = '\0';
  report.trace_id = long_text;
  assert_int_equal(ts_report_mt(bench.client, &report), UV_EINVAL);
  free(long_text);
  assert_int_equal(ts_report_mt(NULL, &report), UV_EINVAL);
  assert_int_equal(ts_client_allow_mt(bench.client, null_name, 1, NULL),
                   UV_EINVAL);
  assert_int_equal(ts_client_stats(bench.client, &stats), 0);
  assert_int_equal(stats.buffer_size + stats.dropped_samples, 0);
}

/* Without the option, nothing of it exists. */
static void test_not_asked_for(void **state) {
  ts_report_t report = TS_REPORT_INIT;
  const char *const names[] = {"breaker-1"};
  (void)state;
  bench.options.threads = false;
  report.router = "r1";
  report.metric = "m";
  start_client();
  assert_int_equal(ts_report_mt(bench.client, &report), UV_ENOTSUP);
  assert_int_equal(ts_client_allow_mt(bench.client, names, 1, NULL),
                   UV_ENOTSUP);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_gate_from_threads),
      TEST(test_gate_agrees),
      TEST(test_draws),
      TEST(test_reports_from_threads),
      TEST(test_shutdown_under_reports),
      TEST(test_bound),
      TEST(test_waiting_samples_hold_nothing),
      TEST(test_invalid_reports),
      TEST(test_not_asked_for),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
