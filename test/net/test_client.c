/* SPDX-License-Identifier: Apache-2.0 */
/* The client against the plane: real sockets, real TLS, one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "support/certs.h"
#include "support/heap.h"
#include "tripswitch/plane.h"
#include "tripswitch/tripswitch.h"

#define SECRET                                                                 \
  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* A watchdog, not a measure: long enough for valgrind. */
#define PATIENCE_MS 60000

typedef struct bench_s {
  uv_loop_t loop;
  uv_timer_t watchdog;
  heap_t heap;
  ts_plane_t *plane;
  ts_client_t *client;
  ts_client_options_t options;
  bool wants_close_when_ready;
  int ready_count;
  int ready_status;
  int close_count;
  int close_status;
  int done_count;
  int changes;
  int flushed;
  int replies;
  ts_status_t status;
  size_t listed;
  ts_stats_t final;
  bool cert_refused;
} bench_t;

static bench_t bench;
static certs_t certs;

/* ------------------------------------------------------------- callbacks */

static void on_watchdog(uv_timer_t *timer) {
  (void)timer;
  fail_msg("the test hangs");
}

static void on_client_log(void *data, ts_log_level_t level, const char *message,
                          const ts_log_field_t *fields, size_t count) {
  bench_t *b = data;
  (void)level;
  (void)fields;
  (void)count;
  if (strstr(message, "certificate was refused") != NULL) {
    b->cert_refused = true;
  }
}

static void on_close(ts_client_t *client, int status) {
  bench.close_count++;
  bench.close_status = status;
  bench.final = (ts_stats_t)TS_STATS_INIT;
  assert_int_equal(ts_client_stats(client, &bench.final), 0);
  bench.client = NULL;
}

static void on_ready(ts_client_t *client, int status) {
  bench.ready_count++;
  bench.ready_status = status;
  if (bench.wants_close_when_ready) {
    assert_int_equal(ts_client_close(client, on_close), 0);
  }
}

static void on_change(ts_client_t *client, const char *breaker,
                      ts_breaker_state_t from, ts_breaker_state_t to,
                      double allow_rate) {
  (void)client;
  (void)breaker;
  (void)from;
  (void)to;
  (void)allow_rate;
  bench.changes++;
}

static void on_flush(ts_client_t *client, int status, void *arg) {
  (void)client;
  (void)arg;
  assert_int_equal(status, 0);
  bench.flushed++;
}

static void on_plane_close(ts_plane_t *plane) {
  (void)plane;
  bench.plane = NULL;
}

/* ------------------------------------------------------------------ steps */

static void start_plane(bool https) {
  ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
  options.ingest_secret = SECRET;
  options.enable_signed_ingest = true;
  options.cert_file = https ? certs_path(&certs, "server.pem") : NULL;
  options.key_file = https ? certs_path(&certs, "server.key") : NULL;
  options.allocator = &bench.heap.allocator;
  assert_int_equal(ts_plane_new(&bench.plane, &bench.loop, &options), 0);
  router.id = "r1";
  router.name = "router one";
  assert_int_equal(ts_plane_add_router(bench.plane, &router), 0);
  breaker.name = "checkout";
  breaker.metric = "latency";
  breaker.threshold = 0.5;
  assert_int_equal(ts_plane_add_breaker(bench.plane, &breaker), 0);
  assert_int_equal(ts_plane_link(bench.plane, "r1", "checkout"), 0);
  assert_int_equal(ts_plane_listen(bench.plane), 0);
}

static int setup(void **state) {
  const ts_client_options_t defaults = TS_CLIENT_OPTIONS_INIT;
  (void)state;
  memset(&bench, 0, sizeof bench);
  heap_init(&bench.heap);
  assert_int_equal(uv_loop_init(&bench.loop), 0);
  assert_int_equal(uv_timer_init(&bench.loop, &bench.watchdog), 0);
  uv_timer_start(&bench.watchdog, on_watchdog, PATIENCE_MS, 0);
  uv_unref((uv_handle_t *)&bench.watchdog);
  bench.options = defaults;
  bench.options.data = &bench;
  bench.options.project_id = "project";
  bench.options.api_key = "eb_pk_local";
  bench.options.ingest_secret = SECRET;
  bench.options.reconnect_min_ms = 10;
  bench.options.flush_interval_ms = 20;
  bench.options.on_state_change = on_change;
  bench.options.on_log = on_client_log;
  bench.options.allocator = &bench.heap.allocator;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  if (bench.client != NULL) {
    assert_int_equal(ts_client_close(bench.client, on_close), 0);
  }
  if (bench.plane != NULL) {
    assert_int_equal(ts_plane_close(bench.plane, on_plane_close), 0);
  }
  uv_close((uv_handle_t *)&bench.watchdog, NULL);
  uv_run(&bench.loop, UV_RUN_DEFAULT);
  assert_null(bench.client);
  assert_null(bench.plane);
  assert_int_equal(uv_loop_close(&bench.loop), 0);
  assert_int_equal(heap_balance(&bench.heap), 0);
  return 0;
}

/* Turn the loop until a condition holds; the watchdog bounds it. */
#define TURN_UNTIL(condition)                                                  \
  do {                                                                         \
    uv_ref((uv_handle_t *)&bench.watchdog);                                    \
    while (!(condition)) {                                                     \
      uv_run(&bench.loop, UV_RUN_ONCE);                                        \
    }                                                                          \
    uv_unref((uv_handle_t *)&bench.watchdog);                                  \
  } while (0)

static void new_client(void) {
  if (bench.options.base_url == NULL) {
    bench.options.base_url = ts_plane_url(bench.plane);
  }
  assert_int_equal(ts_client_new(&bench.client, &bench.loop, &bench.options),
                   0);
}

static void start_client(void) {
  new_client();
  assert_int_equal(ts_client_start(bench.client, on_ready), 0);
}

static void start_ready_client(void) {
  start_client();
  TURN_UNTIL(bench.ready_count > 0);
  assert_int_equal(bench.ready_status, 0);
}

static void task(ts_call_t *call, void *context) {
  ts_call_finish(call, context != NULL ? -1 : 0, NULL);
}

static void done(ts_client_t *client, int error, void *result, void *context) {
  (void)client;
  (void)error;
  (void)result;
  (void)context;
  bench.done_count++;
}

/* Gated and reported; every `fail_every`th fails. Returns how many ran. */
static int execute(int count, int fail_every) {
  static const char *const breakers[] = {"checkout"};
  static const ts_metric_t metrics[] = {TS_LATENCY("latency")};
  ts_call_options_t options = TS_CALL_OPTIONS_INIT;
  int ran = 0;
  options.breakers = breakers;
  options.breaker_count = 1;
  options.router = "r1";
  options.metrics = metrics;
  options.metric_count = 1;
  for (int i = 1; i <= count; i++) {
    const bool fails = fail_every > 0 && i % fail_every == 0;
    const int error = ts_execute_async(bench.client, &options, task, done,
                                       fails ? &bench : NULL);
    assert_true(error == 0 || error == TS_EOPEN);
    ran += error == 0;
  }
  return ran;
}

static ts_stats_t stats(void) {
  ts_stats_t result = TS_STATS_INIT;
  assert_int_equal(ts_client_stats(bench.client, &result), 0);
  return result;
}

static void assert_balanced(uint64_t taken) {
  const ts_stats_t s = stats();
  assert_int_equal(s.delivered_samples + s.dropped_samples + s.buffer_size +
                       s.in_flight_samples,
                   taken);
}

static uint64_t accepted_by_plane(void) {
  ts_plane_stats_t counters = TS_PLANE_STATS_INIT;
  assert_int_equal(ts_plane_stats(bench.plane, &counters), 0);
  return counters.samples_accepted;
}

/* ------------------------------------------------------------------ tests */

static void whole_round(void) {
  ts_state_t state;
  start_ready_client();
  assert_int_equal(ts_client_get_state(bench.client, "checkout", &state), 0);
  assert_int_equal(state.state, TS_BREAKER_CLOSED);
  assert_int_equal(execute(100, 0), 100);
  assert_int_equal(ts_client_flush(bench.client, 0, on_flush, NULL), 0);
  TURN_UNTIL(bench.flushed > 0);
  assert_int_equal(stats().delivered_samples, 100);
  assert_int_equal(accepted_by_plane(), 100);
  assert_int_equal(bench.done_count, 100);

  assert_int_equal(
      ts_plane_set_state(bench.plane, "checkout", TS_BREAKER_OPEN, 0.0), 0);
  TURN_UNTIL(bench.changes > 0);
  assert_int_equal(execute(10, 0), 0);
  assert_int_equal(ts_client_shutdown(bench.client, 5000, on_close), 0);
  TURN_UNTIL(bench.close_count > 0);
  assert_int_equal(bench.close_status, 0);
  assert_int_equal(bench.final.delivered_samples, 100);
}

/* Ready, gated, reported, signed, delivered, opened, closed: over http. */
static void test_http(void **state) {
  (void)state;
  start_plane(false);
  whole_round();
}

/* The same over https with a private authority. */
static void test_https(void **state) {
  (void)state;
  start_plane(true);
  bench.options.ca_file = certs_path(&certs, "ca.pem");
  whole_round();
}

/* A server whose certificate nobody vouches for never hears a request, and the
 * log names the reason. */
static void test_https_untrusted(void **state) {
  ts_plane_stats_t counters = TS_PLANE_STATS_INIT;
  (void)state;
  start_plane(true);
  bench.options.ca_file = certs_path(&certs, "other-ca.pem");
  start_client();
  TURN_UNTIL(stats().sse_reconnects >= 2);
  assert_true(bench.cert_refused);
  assert_int_equal(ts_plane_stats(bench.plane, &counters), 0);
  for (size_t i = 0; i < TS_PLANE_ENDPOINTS; i++) {
    assert_int_equal(counters.requests[i], 0);
  }
}

static void on_status(ts_client_t *client, const ts_reply_t *reply,
                      const ts_status_t *status, void *arg) {
  (void)client;
  (void)arg;
  assert_int_equal(reply->error, 0);
  bench.status = *status;
  bench.replies++;
}

static void on_list(ts_client_t *client, const ts_reply_t *reply,
                    ts_metadata_t *metadata, void *arg) {
  (void)client;
  (void)arg;
  assert_int_equal(reply->error, 0);
  bench.listed += ts_metadata_count(metadata);
  bench.replies++;
}

/* Status, lists and the polled metadata come from the plane. */
static void test_reads(void **state) {
  (void)state;
  ts_metadata_t *list = NULL;
  start_plane(false);
  start_ready_client();
  assert_int_equal(ts_client_get_status(bench.client, NULL, 0, on_status, NULL),
                   0);
  assert_int_equal(
      ts_client_list_breakers_metadata(bench.client, NULL, 0, on_list, NULL),
      0);
  assert_int_equal(
      ts_client_list_routers_metadata(bench.client, NULL, 0, on_list, NULL), 0);
  TURN_UNTIL(bench.replies == 3);
  assert_int_equal(bench.status.closed_count, 1);
  assert_int_equal(bench.listed, 2);
  TURN_UNTIL((list = ts_client_copy_breakers_metadata(bench.client)) != NULL);
  assert_string_equal(ts_metadata_item(list, 0)->name, "checkout");
  ts_metadata_unref(list);
}

/* So many that their list is read on another thread. */
#define MANY 500

static void add_breakers(void) {
  char name[32];
  ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
  breaker.name = name;
  breaker.metric = "latency";
  breaker.threshold = 0.5;
  for (int i = 0; i < MANY; i++) {
    snprintf(name, sizeof name, "breaker-%d", i);
    assert_int_equal(ts_plane_add_breaker(bench.plane, &breaker), 0);
  }
}

/* Long lists come like short ones, polled and asked for. */
static void test_long_lists(void **state) {
  (void)state;
  ts_metadata_t *list = NULL;
  start_plane(false);
  add_breakers();
  start_ready_client();
  assert_int_equal(
      ts_client_list_breakers_metadata(bench.client, NULL, 0, on_list, NULL),
      0);
  TURN_UNTIL(bench.replies == 1);
  assert_int_equal(bench.listed, MANY + 1);
  TURN_UNTIL((list = ts_client_copy_breakers_metadata(bench.client)) != NULL);
  assert_int_equal(ts_metadata_count(list), MANY + 1);
  assert_non_null(ts_metadata_item(list, MANY));
  ts_metadata_unref(list);
}

/* The thread that reads may be at any point of it when the client is closed. */
static void test_close_while_reading(void **state) {
  (void)state;
  bench.options.metadata_sync_interval_ms = 1;
  start_plane(false);
  add_breakers();
  for (unsigned turns = 0; turns < 200; turns++) {
    bench.close_count = 0;
    start_client();
    for (unsigned i = 0; i < turns; i++) {
      uv_run(&bench.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(ts_client_close(bench.client, on_close), 0);
    TURN_UNTIL(bench.close_count > 0);
  }
}

/* With a project without breakers the client is ready all the same. */
static void test_empty_project_is_ready(void **state) {
  (void)state;
  start_plane(false);
  assert_int_equal(ts_plane_remove_breaker(bench.plane, "checkout"), 0);
  start_ready_client();
  assert_true(ts_client_is_synced(bench.client));
}

/* One hundred thousand calls of mixed outcome while the server goes away twice:
 * nothing is lost uncounted, at any look. */
static void test_books_over_outages(void **state) {
  uint64_t taken = 0;
  (void)state;
  start_plane(false);
  bench.options.fail_open = true;
  start_ready_client();
  for (int round = 0; round < 1000; round++) {
    if (round == 300 || round == 600) {
      assert_int_equal(ts_plane_stop(bench.plane), 0);
    }
    if (round == 400 || round == 700) {
      assert_int_equal(ts_plane_listen(bench.plane), 0);
    }
    taken += (uint64_t)execute(100, 3);
    assert_balanced(taken);
    uv_run(&bench.loop, UV_RUN_NOWAIT);
    assert_balanced(taken);
  }
  assert_int_equal(ts_client_shutdown(bench.client, 20000, on_close), 0);
  TURN_UNTIL(bench.close_count > 0);
  assert_int_equal(bench.final.delivered_samples + bench.final.dropped_samples,
                   taken);
  assert_true(bench.final.delivered_samples <= accepted_by_plane());
}

/* Once ready, nothing of the client keeps the loop alive. */
static void test_idle_client_lets_the_loop_end(void **state) {
  (void)state;
  start_plane(false);
  start_ready_client();
  assert_int_equal(ts_plane_stop(bench.plane), 0); /* it would hold the loop */
  uv_run(&bench.loop, UV_RUN_DEFAULT);
  ts_client_ref(bench.client);
  assert_true(uv_loop_alive(&bench.loop));
  ts_client_unref(bench.client);
}

/* A client that was never started closes, through its callback. */
static void test_close_new(void **state) {
  (void)state;
  start_plane(false);
  new_client();
  assert_int_equal(ts_client_close(bench.client, on_close), 0);
  assert_int_equal(bench.close_count, 0);
  TURN_UNTIL(bench.close_count > 0);
}

/* A client closed right after its start, before it could connect. */
static void test_close_started(void **state) {
  (void)state;
  start_plane(false);
  start_client();
  assert_int_equal(ts_client_close(bench.client, on_close), 0);
  TURN_UNTIL(bench.close_count > 0);
  assert_int_equal(bench.ready_count, 1);
  assert_int_equal(bench.ready_status, TS_ECLOSED);
}

/* A client closed while its name look-up runs, which nobody can interrupt. */
static void test_close_in_lookup(void **state) {
  (void)state;
  start_plane(false);
  bench.options.base_url = "http://no-such-host.invalid";
  start_client();
  uv_run(&bench.loop, UV_RUN_NOWAIT);
  assert_int_equal(ts_client_close(bench.client, on_close), 0);
  TURN_UNTIL(bench.close_count > 0);
}

/* Closing from inside the ready callback is clean. */
static void test_close_when_ready(void **state) {
  (void)state;
  start_plane(false);
  bench.wants_close_when_ready = true;
  start_client();
  TURN_UNTIL(bench.close_count > 0);
  assert_int_equal(bench.ready_status, 0);
}

/* Closing with samples under way and a limit of nothing drops them, counted. */
static void test_close_in_flight(void **state) {
  (void)state;
  start_plane(false);
  start_ready_client();
  execute(1200, 0);
  uv_run(&bench.loop, UV_RUN_NOWAIT);
  assert_int_equal(ts_client_close(bench.client, on_close), 0);
  TURN_UNTIL(bench.close_count > 0);
  assert_int_equal(bench.final.delivered_samples + bench.final.dropped_samples,
                   1200);
}

/* Closed at any of its first hundred turns, over https, a client leaves
 * nothing behind. */
static void test_close_at_every_turn(void **state) {
  (void)state;
  start_plane(true);
  bench.options.ca_file = certs_path(&certs, "ca.pem");
  for (int turns = 0; turns < 100; turns++) {
    bench.close_count = 0;
    start_client();
    execute(20, 3);
    for (int i = 0; i < turns; i++) {
      uv_run(&bench.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(
        ts_client_shutdown(bench.client, turns % 2 == 0 ? 0 : 1000, on_close),
        0);
    TURN_UNTIL(bench.close_count > 0);
  }
}

static int group_setup(void **state) {
  (void)state;
  certs_make(&certs);
  return 0;
}

static int group_teardown(void **state) {
  (void)state;
  certs_remove(&certs);
  return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_http),
      TEST(test_https),
      TEST(test_https_untrusted),
      TEST(test_reads),
      TEST(test_long_lists),
      TEST(test_close_while_reading),
      TEST(test_empty_project_is_ready),
      TEST(test_books_over_outages),
      TEST(test_idle_client_lets_the_loop_end),
      TEST(test_close_new),
      TEST(test_close_started),
      TEST(test_close_in_lookup),
      TEST(test_close_when_ready),
      TEST(test_close_in_flight),
      TEST(test_close_at_every_turn),
  };
  return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
