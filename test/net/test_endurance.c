/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only shows in the long run, or under a nuisance that never stops: a
 * million samples through a thousand faults, a storm of signals, hundreds of
 * clients one after another.
 */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>
#include <uv.h>

#include "support/heap.h"
#include "tripswitch/plane.h"
#include "tripswitch/tripswitch.h"

/* A watchdog, not a measure. */
#define PATIENCE_MS 150000

static uv_loop_t loop;
static uv_timer_t watchdog;
static heap_t heap;
static ts_plane_t *plane;
static ts_client_t *client;
static ts_client_options_t options;
static ts_stats_t final;
static uint64_t taken;
static volatile sig_atomic_t signals;

static void on_watchdog(uv_timer_t *timer) {
  (void)timer;
  fail_msg("the test hangs");
}

static void on_close(ts_client_t *closed, int status) {
  (void)status;
  final = (ts_stats_t)TS_STATS_INIT;
  assert_int_equal(ts_client_stats(closed, &final), 0);
  client = NULL;
}

static void on_plane_close(ts_plane_t *closed) {
  (void)closed;
  plane = NULL;
}

static void start_plane(void) {
  ts_plane_options_t given = TS_PLANE_OPTIONS_INIT;
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
  assert_int_equal(ts_plane_new(&plane, &loop, &given), 0);
  router.id = "r1";
  assert_int_equal(ts_plane_add_router(plane, &router), 0);
  breaker.name = "checkout";
  breaker.metric = "other";
  assert_int_equal(ts_plane_add_breaker(plane, &breaker), 0);
  assert_int_equal(ts_plane_listen(plane), 0);
}

static int setup(void **state) {
  static const int64_t waits[] = {1, 2, 4};
  const ts_client_options_t defaults = TS_CLIENT_OPTIONS_INIT;
  (void)state;
  taken = 0;
  heap_init(&heap);
  assert_int_equal(uv_loop_init(&loop), 0);
  assert_int_equal(uv_timer_init(&loop, &watchdog), 0);
  uv_timer_start(&watchdog, on_watchdog, PATIENCE_MS, 0);
  uv_unref((uv_handle_t *)&watchdog);
  start_plane();
  options = defaults;
  options.project_id = "project";
  options.api_key = "eb_pk_local";
  options.base_url = ts_plane_url(plane);
  options.reconnect_min_ms = 5;
  options.flush_interval_ms = 10;
  options.retry_backoff_ms = waits;
  options.retry_backoff_count = 3;
  options.allocator = &heap.allocator;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  assert_int_equal(ts_plane_close(plane, on_plane_close), 0);
  uv_close((uv_handle_t *)&watchdog, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_null(plane);
  assert_int_equal(uv_loop_close(&loop), 0);
  assert_int_equal(heap_balance(&heap), 0);
  return 0;
}

static void start_client(void) {
  assert_int_equal(ts_client_new(&client, &loop, &options), 0);
  assert_int_equal(ts_client_start(client, NULL), 0);
}

static void shut_down(int64_t timeout_ms) {
  assert_int_equal(ts_client_shutdown(client, timeout_ms, on_close), 0);
  while (client != NULL) {
    uv_run(&loop, UV_RUN_ONCE);
  }
}

static void report(unsigned count) {
  ts_report_t one = TS_REPORT_INIT;
  one.router = "r1";
  one.metric = "latency";
  for (unsigned i = 0; i < count; i++) {
    const int error = ts_report(client, &one);
    assert_true(error == 0 || error == UV_ENOBUFS);
    taken++;
  }
}

/* The books are exact. Returns what is buffered. */
static uint64_t check_books(void) {
  ts_stats_t stats = TS_STATS_INIT;
  assert_int_equal(ts_client_stats(client, &stats), 0);
  assert_int_equal(stats.delivered_samples + stats.dropped_samples +
                       stats.buffer_size + stats.in_flight_samples,
                   taken);
  return stats.buffer_size;
}

static uint64_t accepted(void) {
  ts_plane_stats_t counters = TS_PLANE_STATS_INIT;
  assert_int_equal(ts_plane_stats(plane, &counters), 0);
  return counters.samples_accepted;
}

/* A small generator of the test's own: the same faults each time. */
static unsigned draw(unsigned below) {
  static uint32_t seed = 1;
  seed = seed * 1664525u + 1013904223u;
  return (seed >> 16) % below;
}

/* Something goes wrong: a status, a cut connection, a stream's end, an outage. */
static void fault(void) {
  static const int statuses[] = {0, 400, 401, 408, 413, 429, 500, 503};
  const unsigned kind = draw(10);
  if (kind == 0) {
    assert_int_equal(ts_plane_end_streams(plane), 0);
  } else if (kind == 1) {
    assert_int_equal(ts_plane_stop(plane), 0);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(ts_plane_listen(plane), 0);
  } else {
    const ts_plane_endpoint_t endpoint =
        kind == 2 ? TS_PLANE_ENDPOINT_STREAM : TS_PLANE_ENDPOINT_INGEST;
    assert_int_equal(ts_plane_answer_next(plane, endpoint, 1 + (int)draw(3),
                                          statuses[draw(8)],
                                          draw(2) == 0 ? "0" : NULL),
                     0);
  }
}

/* A million samples through a thousand random faults: the books are exact at
 * every look, and no more is called delivered than the plane has. */
static void test_soak(void **state) {
  (void)state;
  start_client();
  for (int round = 0; round < 1000; round++) {
    fault();
    for (int i = 0; i < 10; i++) {
      report(100);
      uv_run(&loop, UV_RUN_NOWAIT);
      while (check_books() > 8000) {
        uv_run(&loop, UV_RUN_ONCE);
      }
    }
  }
  shut_down(20000);
  assert_int_equal(final.delivered_samples + final.dropped_samples, 1000000);
  assert_true(final.delivered_samples <= accepted());
  print_message("# %u of 1000000 samples delivered, the rest counted\n",
                (unsigned) final.delivered_samples);
}

static void on_alarm(int number) {
  (void)number;
  signals++;
}

static void set_alarms(suseconds_t period_us) {
  const struct itimerval timer = {{0, period_us}, {0, period_us}};
  const struct sigaction action = {.sa_handler = on_alarm};
  assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
  assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/* Interrupted system calls are nobody's error: with a signal every millisecond
 * ten thousand samples arrive to the last one. */
static void test_storm_of_signals(void **state) {
  (void)state;
  set_alarms(1000);
  start_client();
  for (int round = 0; round < 100; round++) {
    report(100);
    uv_run(&loop, UV_RUN_ONCE);
  }
  shut_down(20000);
  set_alarms(0);
  assert_true(signals > 0);
  assert_int_equal(final.delivered_samples, 10000);
  assert_int_equal(final.sse_reconnects, 0);
  assert_int_equal(accepted(), 10000);
}

static unsigned open_descriptors(void) {
  DIR *dir = opendir("/proc/self/fd");
  unsigned count = 0;
  assert_non_null(dir);
  while (readdir(dir) != NULL) {
    count++;
  }
  closedir(dir);
  return count;
}

/* Clients that come and go leave neither descriptors nor memory behind. */
static void test_many_clients(void **state) {
  unsigned before = 0;
  (void)state;
  for (int i = 0; i < 220; i++) {
    start_client();
    report(10);
    for (int turn = 0; turn < i % 20; turn++) {
      uv_run(&loop, UV_RUN_NOWAIT);
    }
    shut_down(i % 2 == 0 ? 0 : 1000);
    uv_run(&loop, UV_RUN_NOWAIT);
    if (i == 20) {
      before = open_descriptors();
    }
  }
  assert_true(open_descriptors() <= before + 8); /* the plane's last ones */
  assert_int_equal(heap_balance(&heap), 0);
}

#define CROWD 40
#define BURST 4000

static int left_of_crowd;

static void on_close_in_crowd(ts_client_t *closed, int status) {
  ts_stats_t stats = TS_STATS_INIT;
  assert_int_equal(status, 0);
  assert_int_equal(ts_client_stats(closed, &stats), 0);
  assert_int_equal(stats.delivered_samples, BURST);
  left_of_crowd--;
}

/* Forty clients on one loop, each with a burst of four thousand samples: none
 * is dropped. */
static void test_crowd(void **state) {
  ts_client_t *crowd[CROWD];
  (void)state;
  left_of_crowd = CROWD;
  for (int i = 0; i < CROWD; i++) {
    start_client();
    report(BURST);
    crowd[i] = client;
  }
  for (int i = 0; i < CROWD; i++) {
    assert_int_equal(ts_client_shutdown(crowd[i], 60000, on_close_in_crowd), 0);
  }
  while (left_of_crowd > 0) {
    uv_run(&loop, UV_RUN_ONCE);
  }
  client = NULL;
  assert_int_equal(accepted(), CROWD * BURST);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_soak),
      TEST(test_storm_of_signals),
      TEST(test_many_clients),
      TEST(test_crowd),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
