/* SPDX-License-Identifier: Apache-2.0 */
/* The client, a real proxy, and the plane: everything on loopback. */
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
#include "support/tinyproxy.h"
#include "tripswitch/plane.h"
#include "tripswitch/tripswitch.h"

#define SECRET                                                                 \
  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define AUTH "BasicAuth user p4ssw0rd\n"
#define USER "user:p4ssw0rd@"
#define WRONG "user:wr0ng@"

/* A watchdog, not a measure: long enough for valgrind. */
#define PATIENCE_MS 60000

typedef struct bench_s {
  uv_loop_t loop;
  uv_timer_t watchdog;
  heap_t heap;
  tinyproxy_t proxy;
  ts_plane_t *plane;
  ts_client_t *client;
  ts_client_options_t options;
  char proxy_url[96];
  int ready_count;
  int close_count;
  int flushed;
  int replies;
  int reply_error;
  ts_stats_t final;
  char log[16384];
} bench_t;

static bench_t bench;
static certs_t certs;

static void on_watchdog(uv_timer_t *timer) {
  (void)timer;
  fail_msg("the test hangs");
}

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t count) {
  bench_t *b = data;
  size_t len = strlen(b->log);
  (void)level;
  len += (size_t)snprintf(b->log + len, sizeof b->log - len, "%s", message);
  for (size_t i = 0; i < count && len < sizeof b->log; i++) {
    len += (size_t)snprintf(b->log + len, sizeof b->log - len, " %s=%s",
                            fields[i].key, fields[i].value);
  }
}

static void on_ready(ts_client_t *client, int status) {
  (void)client;
  bench.ready_count += status == 0;
}

static void on_close(ts_client_t *client, int status) {
  (void)status;
  bench.close_count++;
  bench.final = (ts_stats_t)TS_STATS_INIT;
  assert_int_equal(ts_client_stats(client, &bench.final), 0);
  bench.client = NULL;
}

static void on_flush(ts_client_t *client, int status, void *arg) {
  (void)client;
  (void)arg;
  assert_int_equal(status, 0);
  bench.flushed++;
}

static void on_status(ts_client_t *client, const ts_reply_t *reply,
                      const ts_status_t *status, void *arg) {
  (void)client;
  (void)status;
  (void)arg;
  bench.replies++;
  bench.reply_error = reply->error;
}

static void on_plane_close(ts_plane_t *plane) {
  (void)plane;
  bench.plane = NULL;
}

/* ------------------------------------------------------------------- steps */

static int setup(void **state) {
  (void)state;
  memset(&bench, 0, sizeof bench);
  heap_init(&bench.heap);
  assert_int_equal(uv_loop_init(&bench.loop), 0);
  assert_int_equal(uv_timer_init(&bench.loop, &bench.watchdog), 0);
  uv_timer_start(&bench.watchdog, on_watchdog, PATIENCE_MS, 0);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  if (bench.client != NULL) {
    assert_int_equal(ts_client_close(bench.client, on_close), 0);
  }
  assert_int_equal(ts_plane_close(bench.plane, on_plane_close), 0);
  uv_close((uv_handle_t *)&bench.watchdog, NULL);
  uv_run(&bench.loop, UV_RUN_DEFAULT);
  assert_null(bench.client);
  assert_null(bench.plane);
  assert_int_equal(uv_loop_close(&bench.loop), 0);
  assert_int_equal(heap_balance(&bench.heap), 0);
  assert_null(strstr(bench.log, "p4ssw0rd"));
  assert_null(strstr(bench.log, "wr0ng"));
  tinyproxy_stop(&bench.proxy);
  return 0;
}

static void start_plane(bool https) {
  ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
  options.ingest_secret = SECRET;
  options.enable_signed_ingest = true;
  options.cert_file = https ? certs_path(&certs, "server.pem") : NULL;
  options.key_file = https ? certs_path(&certs, "server.key") : NULL;
  assert_int_equal(ts_plane_new(&bench.plane, &bench.loop, &options), 0);
  router.id = "r1";
  router.name = "router one";
  assert_int_equal(ts_plane_add_router(bench.plane, &router), 0);
  breaker.name = "checkout";
  breaker.metric = "latency";
  breaker.threshold = 0.5;
  assert_int_equal(ts_plane_add_breaker(bench.plane, &breaker), 0);
  assert_int_equal(ts_plane_listen(bench.plane), 0);
}

/* The plane, the proxy and the options of a client that goes through it. */
static void start_world(bool https, const char *config, const char *user) {
  const ts_client_options_t defaults = TS_CLIENT_OPTIONS_INIT;
  start_plane(https);
  tinyproxy_start(&bench.proxy, config);
  snprintf(bench.proxy_url, sizeof bench.proxy_url, "http://%s127.0.0.1:%u",
           user, (unsigned)bench.proxy.port);
  bench.options = defaults;
  bench.options.data = &bench;
  bench.options.project_id = "project";
  bench.options.api_key = "eb_pk_local";
  bench.options.ingest_secret = SECRET;
  bench.options.base_url = ts_plane_url(bench.plane);
  bench.options.ca_file = certs_path(&certs, "ca.pem");
  bench.options.proxy_url = bench.proxy_url;
  bench.options.reconnect_min_ms = 10;
  bench.options.flush_interval_ms = 20;
  bench.options.log_level = TS_LOG_DEBUG;
  bench.options.on_log = on_log;
  bench.options.allocator = &bench.heap.allocator;
}

static void start_client(void) {
  assert_int_equal(ts_client_new(&bench.client, &bench.loop, &bench.options),
                   0);
  assert_int_equal(ts_client_start(bench.client, on_ready), 0);
}

#define TURN_UNTIL(condition)                                                  \
  while (!(condition)) {                                                       \
    uv_run(&bench.loop, UV_RUN_ONCE);                                          \
  }

static void report(int count) {
  ts_report_t one = TS_REPORT_INIT;
  one.router = "r1";
  one.metric = "latency";
  one.value = 1.0;
  for (int i = 0; i < count; i++) {
    assert_int_equal(ts_report(bench.client, &one), 0);
  }
}

static uint64_t requests_at_plane(void) {
  ts_plane_stats_t counters = TS_PLANE_STATS_INIT;
  uint64_t total = 0;
  assert_int_equal(ts_plane_stats(bench.plane, &counters), 0);
  for (size_t i = 0; i < TS_PLANE_ENDPOINTS; i++) {
    total += counters.requests[i];
  }
  return total;
}

/* Stream, polls, a batch and a request, all of them through the proxy. */
static void whole_round(const char *logged) {
  char target[96];
  start_client();
  TURN_UNTIL(bench.ready_count > 0);
  report(100);
  assert_int_equal(ts_client_flush(bench.client, 0, on_flush, NULL), 0);
  assert_int_equal(ts_client_get_status(bench.client, NULL, 0, on_status, NULL),
                   0);
  TURN_UNTIL(bench.flushed > 0 && bench.replies > 0);
  assert_int_equal(bench.reply_error, 0);
  assert_int_equal(ts_client_shutdown(bench.client, 5000, on_close), 0);
  TURN_UNTIL(bench.close_count > 0);
  assert_int_equal(bench.final.delivered_samples, 100);
  snprintf(target, sizeof target, "%s%s", logged,
           strstr(ts_plane_url(bench.plane), "://") + strlen("://"));
  assert_true(tinyproxy_logged(&bench.proxy, target));
}

/* A request that fails with this code, and nothing reaches the plane. */
static void assert_fails(int error) {
  start_client();
  assert_int_equal(ts_client_get_status(bench.client, NULL, 0, on_status, NULL),
                   0);
  TURN_UNTIL(bench.replies > 0);
  assert_int_equal(bench.reply_error, error);
  assert_int_equal(requests_at_plane(), 0);
}

/* ------------------------------------------------------------------- tests */

/* http goes through the proxy, which reads each request. */
static void test_http(void **state) {
  (void)state;
  start_world(false, "", "");
  whole_round("GET http://");
}

/* https goes through it unread. */
static void test_https(void **state) {
  (void)state;
  start_world(true, "", "");
  whole_round("CONNECT ");
}

/* Both with credentials. */
static void test_http_with_credentials(void **state) {
  (void)state;
  start_world(false, AUTH, USER);
  whole_round("GET http://");
}

static void test_https_with_credentials(void **state) {
  (void)state;
  start_world(true, AUTH, USER);
  whole_round("CONNECT ");
}

/* Wrong credentials, or none, have their own code, and the log names it. */
static void test_http_wrong_credentials(void **state) {
  (void)state;
  start_world(false, AUTH, WRONG);
  assert_fails(TS_EPROXYAUTH);
  TURN_UNTIL(strstr(bench.log, "TS_EPROXYAUTH") != NULL); /* the stream */
}

static void test_https_wrong_credentials(void **state) {
  (void)state;
  start_world(true, AUTH, WRONG);
  assert_fails(TS_EPROXYAUTH);
  TURN_UNTIL(strstr(bench.log, "TS_EPROXYAUTH") != NULL); /* the stream */
}

static void test_https_no_credentials(void **state) {
  (void)state;
  start_world(true, AUTH, "");
  assert_fails(TS_EPROXYAUTH);
}

/* A proxy that does not connect to such ports: no tunnel. */
static void test_refused_by_proxy(void **state) {
  (void)state;
  start_world(true, "ConnectPort 1\n", "");
  assert_fails(TS_EPROXY);
  assert_non_null(strstr(bench.log, "status=403"));
}

/* Nobody listens where the proxy should be: its fault, not the service's. */
static void test_no_proxy_there(void **state) {
  (void)state;
  for (int https = 0; https < 2; https++) {
    if (https) {
      teardown(state);
      setup(state);
    }
    start_world(https, "", "");
    snprintf(bench.proxy_url, sizeof bench.proxy_url, "127.0.0.1:%u",
             (unsigned)free_port());
    assert_fails(TS_EPROXY);
  }
}

/* The service is down: the proxy says so, and says it again until it is up. */
static void test_service_away(void **state) {
  (void)state;
  start_world(true, "", "");
  assert_int_equal(ts_plane_stop(bench.plane), 0);
  start_client();
  TURN_UNTIL(strstr(bench.log, "the proxy gave no tunnel") != NULL);
  assert_int_equal(bench.ready_count, 0);
  assert_int_equal(ts_plane_listen(bench.plane), 0);
  TURN_UNTIL(bench.ready_count > 0);
}

/* The proxy goes away and comes back: the stream with it. */
static void test_proxy_restarts(void **state) {
  ts_stats_t stats = TS_STATS_INIT;
  (void)state;
  start_world(true, AUTH, USER);
  start_client();
  TURN_UNTIL(bench.ready_count > 0);
  const uint16_t port = bench.proxy.port;
  tinyproxy_stop(&bench.proxy);
  do {
    uv_run(&bench.loop, UV_RUN_ONCE);
    assert_int_equal(ts_client_stats(bench.client, &stats), 0);
  } while (stats.sse_connected || stats.sse_reconnects < 2);
  tinyproxy_start_at(&bench.proxy, port, AUTH);
  do {
    uv_run(&bench.loop, UV_RUN_ONCE);
    assert_int_equal(ts_client_stats(bench.client, &stats), 0);
  } while (!stats.sse_connected);
}

/* Closed at any of its first hundred turns, a client leaves nothing. */
static void close_at_every_turn(bool https) {
  start_world(https, AUTH, USER);
  for (int turns = 0; turns < 100; turns++) {
    bench.log[0] = '\0';
    bench.close_count = 0;
    start_client();
    report(20);
    for (int i = 0; i < turns; i++) {
      uv_run(&bench.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(
        ts_client_shutdown(bench.client, turns % 2 == 0 ? 0 : 1000, on_close),
        0);
    TURN_UNTIL(bench.close_count > 0);
    assert_int_equal(
        bench.final.delivered_samples + bench.final.dropped_samples, 20);
  }
}

static void test_close_http(void **state) {
  (void)state;
  close_at_every_turn(false);
}

static void test_close_https(void **state) {
  (void)state;
  close_at_every_turn(true);
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

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_http),
      TEST(test_https),
      TEST(test_http_with_credentials),
      TEST(test_https_with_credentials),
      TEST(test_http_wrong_credentials),
      TEST(test_https_wrong_credentials),
      TEST(test_https_no_credentials),
      TEST(test_refused_by_proxy),
      TEST(test_no_proxy_there),
      TEST(test_service_away),
      TEST(test_proxy_restarts),
      TEST(test_close_http),
      TEST(test_close_https),
  };
#undef TEST
  return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
