/* SPDX-License-Identifier: Apache-2.0 */
/* TLS as a user of a client meets it: handshakes counted, answers cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <mbedtls/version.h>
#include <uv.h>

#include "client/internal.h"
#include "net/net.h"
#include "support/certs.h"
#include "support/heap.h"
#include "support/relay.h"
#include "tripswitch/plane.h"
#include "tripswitch/tripswitch.h"

#define PATIENCE_MS 60000
#define ROUNDS 5

/* Three connections are made at the start. With TLS 1.3, what the later ones
 * could resume comes too late for them. */
#define MOST_FULL (MBEDTLS_VERSION_NUMBER >= 0x03000000 ? 3u : 1u)

static struct bench_s {
  uv_loop_t loop;
  uv_timer_t watchdog;
  heap_t heap;
  relay_t relay;
  ts_plane_t *plane;
  ts_client_t *client;
  ts_client_options_t options;
  char url[64];
  int replies;
  int error;
  int exited;
  char log[8192];
} bench;
static certs_t certs;

static void on_watchdog(uv_timer_t *timer) {
  (void)timer;
  fail_msg("the test hangs; log:\n%s", bench.log);
}

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t count) {
  size_t len = strlen(bench.log);
  (void)data;
  (void)level;
  len +=
      (size_t)snprintf(bench.log + len, sizeof(bench.log) - len, "%s", message);
  for (size_t i = 0; i < count && len < sizeof(bench.log); i++) {
    len += (size_t)snprintf(bench.log + len, sizeof(bench.log) - len, " %s=%s",
                            fields[i].key, fields[i].value);
  }
  if (len + 1 < sizeof(bench.log)) {
    strcpy(bench.log + len, "\n");
  }
}

#define TURN_UNTIL(condition)                                                  \
  do {                                                                         \
    while (!(condition)) {                                                     \
      uv_run(&bench.loop, UV_RUN_ONCE);                                        \
    }                                                                          \
  } while (0)

/* ------------------------------------------------------------------ steps */

static int make_certs(void **state) {
  (void)state;
  certs_make(&certs);
  return 0;
}

static int remove_certs(void **state) {
  (void)state;
  certs_remove(&certs);
  return 0;
}

static void start_plane(void) {
  ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  options.cert_file = certs_path(&certs, "server.pem");
  options.key_file = certs_path(&certs, "server.key");
  options.allocator = &bench.heap.allocator;
  assert_int_equal(ts_plane_new(&bench.plane, &bench.loop, &options), 0);
  router.id = "r1";
  assert_int_equal(ts_plane_add_router(bench.plane, &router), 0);
  assert_int_equal(ts_plane_listen(bench.plane), 0);
}

static int setup(void **state) {
  (void)state;
  memset(&bench, 0, sizeof(bench));
  heap_init(&bench.heap);
  assert_int_equal(uv_loop_init(&bench.loop), 0);
  assert_int_equal(uv_timer_init(&bench.loop, &bench.watchdog), 0);
  uv_timer_start(&bench.watchdog, on_watchdog, PATIENCE_MS, 0);
  start_plane();
  relay_init(&bench.relay, &bench.loop, ts_plane_port(bench.plane));
  (void)snprintf(bench.url, sizeof(bench.url), "https://127.0.0.1:%u",
                 (unsigned)bench.relay.port);
  bench.options = (ts_client_options_t)TS_CLIENT_OPTIONS_INIT;
  bench.options.project_id = "project";
  bench.options.api_key = "eb_pk_local";
  bench.options.base_url = ts_plane_url(bench.plane);
  bench.options.reconnect_min_ms = 1;
  bench.options.on_log = on_log;
  bench.options.ca_file = certs_path(&certs, "ca.pem");
  bench.options.allocator = &bench.heap.allocator;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  if (bench.client) {
    assert_int_equal(ts_client_close(bench.client, NULL), 0);
  }
  relay_close(&bench.relay);
  assert_int_equal(ts_plane_close(bench.plane, NULL), 0);
  uv_close((uv_handle_t *)&bench.watchdog, NULL);
  uv_run(&bench.loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&bench.loop), 0);
  assert_int_equal(heap_balance(&bench.heap), 0);
  return 0;
}

static void new_client(void) {
  assert_int_equal(ts_client_new(&bench.client, &bench.loop, &bench.options),
                   0);
}

static void on_status(ts_client_t *client, const ts_reply_t *reply,
                      const ts_status_t *status, void *arg) {
  (void)client;
  (void)status;
  (void)arg;
  bench.replies++;
  bench.error = reply->error;
}

/* One request, on a connection of its own; how it ended. */
static int ask(void) {
  int replies = bench.replies;
  ts__pool_close(&bench.client->pool);
  assert_int_equal(ts_client_get_status(bench.client, NULL, 0, on_status, NULL),
                   0);
  TURN_UNTIL(bench.replies > replies);
  return bench.error;
}

static bool is_connected(void) {
  ts_stats_t stats = TS_STATS_INIT;
  assert_int_equal(ts_client_stats(bench.client, &stats), 0);
  return stats.sse_connected;
}

static void count_handshakes(unsigned *full, unsigned *resumed) {
  ts__net_handshakes((const ts__net_t *)bench.client->transport, full, resumed);
}

/* ------------------------------------------------------------------ tests */

/* A client's life costs one full handshake: its first connections wait for the
 * first of them, and the stream's reconnects, the polls and the requests resume
 * the session. */
static void test_one_full_handshake(void **state) {
  unsigned full = 0;
  unsigned resumed = 0;
  (void)state;
  new_client();
  assert_int_equal(ts_client_start(bench.client, NULL), 0);
  for (int i = 0; i < ROUNDS; i++) {
    TURN_UNTIL(is_connected());
    assert_int_equal(ask(), 0);
    assert_int_equal(ts_plane_end_streams(bench.plane), 0);
    TURN_UNTIL(!is_connected());
  }
  count_handshakes(&full, &resumed);
  print_message("# handshakes: %u full, %u resumed\n", full, resumed);
  assert_true(full >= 1 && full <= MOST_FULL);
  assert_true(resumed >= 2 * ROUNDS - MOST_FULL);
}

static uint64_t requests_of(ts_plane_endpoint_t endpoint) {
  ts_plane_stats_t counters = TS_PLANE_STATS_INIT;
  assert_int_equal(ts_plane_stats(bench.plane, &counters), 0);
  return counters.requests[endpoint];
}

static void report_one(void) {
  ts_report_t report = TS_REPORT_INIT;
  ts_stats_t stats = TS_STATS_INIT;
  report.router = "r1";
  report.metric = "m";
  assert_int_equal(ts_client_stats(bench.client, &stats), 0);
  if (stats.buffer_size + stats.in_flight_samples == 0) {
    assert_int_equal(ts_report(bench.client, &report), 0);
  }
}

/* An hour of normal work, a thousand times as fast: 240 batches and 120 rounds
 * of both lists on kept connections, and one full handshake. */
static void test_an_hour_of_work(void **state) {
  unsigned full = 0;
  unsigned resumed = 0;
  (void)state;
  bench.options.flush_interval_ms = 15;
  bench.options.metadata_sync_interval_ms = 30;
  new_client();
  assert_int_equal(ts_client_start(bench.client, NULL), 0);
  while (requests_of(TS_PLANE_ENDPOINT_INGEST) < 240 ||
         requests_of(TS_PLANE_ENDPOINT_METADATA) < 240) {
    report_one();
    uv_run(&bench.loop, UV_RUN_ONCE);
  }
  count_handshakes(&full, &resumed);
  print_message("# an hour: %u full handshakes, %u resumed\n", full, resumed);
  assert_true(full >= 1 && full <= MOST_FULL);
  assert_true(resumed <= 8);
}

static void on_process_end(uv_process_t *process, int64_t status, int signal) {
  (void)signal;
  assert_int_equal(status, 0);
  bench.exited++;
  uv_close((uv_handle_t *)process, NULL);
}

/* Another implementation resumes what the plane gave it. */
static void test_plane_tickets(void **state) {
  uv_process_t process;
  uv_process_options_t options = {0};
  char command[512];
  char *args[] = {NULL, NULL, command, NULL};
  char sh[] = "sh";
  char dash_c[] = "-c";
  (void)state;
  args[0] = sh;
  args[1] = dash_c;
  (void)snprintf(command, sizeof(command),
                 "cd %s && openssl s_client -connect 127.0.0.1:%u -tls1_2 "
                 "-reconnect -CAfile ca.pem </dev/null >reconnects 2>&1; "
                 "grep -c '^New, ' reconnects | grep -qx 1 && "
                 "grep -c '^Reused, ' reconnects | grep -qx 5",
                 certs.dir, (unsigned)ts_plane_port(bench.plane));
  options.file = sh;
  options.args = args;
  options.exit_cb = on_process_end;
  assert_int_equal(uv_spawn(&bench.loop, &process, &options), 0);
  TURN_UNTIL(bench.exited > 0);
}

/* A connection cut after each of the server's bytes: the answer counts when it
 * is whole, and never before, whatever the length of it said. */
static void test_cut_answers(void **state) {
  size_t whole = 0;
  size_t good = 0;
  (void)state;
  bench.options.base_url = bench.url;
  new_client();
  assert_int_equal(ask(), 0); /* so that all others resume */
  assert_int_equal(ask(), 0);
  whole = bench.relay.passed;
  for (size_t n = 1; n <= whole; n++) {
    bench.relay.cut_after = n;
    int error = ask();
    if (error != 0 && error != UV_ECONNRESET && error != UV_EPIPE) {
      fail_msg("after %zu bytes: %s", n, ts_err_name(error));
    }
    /* Once whole, what follows is only the end of the stream. */
    assert_true(error == 0 || good == 0);
    good += error == 0;
  }
  print_message("# %zu bytes, whole before the last %zu\n", whole, good);
  assert_true(good < whole / 4);
}

/* A server that never answers the handshake costs no more than the limit for
 * connecting. */
static void test_silent_server(void **state) {
  (void)state;
  bench.relay.mute = true;
  bench.options.base_url = bench.url;
  bench.options.connect_timeout_ms = 20;
  new_client();
  assert_int_equal(ask(), TS_ETIMEDOUT);
}

/* The reason why a server is refused reaches the caller, and the log. */
static void test_refusal(void **state) {
  (void)state;
  bench.options.ca_file = certs_path(&certs, "other-ca.pem");
  new_client();
  assert_int_equal(ask(), TS_ECERTISSUER);
  assert_non_null(strstr(bench.log, "TS_ECERTISSUER"));
}

/* Files that are no use are told by each request, and the client closes. */
static void test_unusable_files(void **state) {
  (void)state;
  bench.options.ca_path = certs_path(&certs, "missing");
  new_client();
  assert_int_equal(ask(), TS_ECA);
  assert_int_equal(ask(), TS_ECA);
  assert_non_null(strstr(bench.log, "missing: No such file"));
}

/* The key that does not fit is told too, and nothing of it is. */
static void test_mismatch(void **state) {
  char *key = certs_text(&certs, "other-ca.key");
  (void)state;
  bench.options.cert_file = certs_path(&certs, "server.pem");
  bench.options.key_file = certs_path(&certs, "other-ca.key");
  new_client();
  assert_int_equal(ask(), TS_EKEYMISMATCH);
  assert_null(strstr(bench.log, "BEGIN"));
  bench.options.cert_file = NULL;
  bench.options.key_file = NULL;
  bench.options.cert_pem = "nonsense";
  bench.options.key_pem = key;
  ts_client_t *none = NULL;
  assert_int_equal(ts_client_new(&none, &bench.loop, &bench.options),
                   TS_EIDENTITY);
  assert_null(none);
  assert_non_null(strstr(bench.log, "cert_pem"));
  assert_null(strstr(bench.log, "BEGIN"));
  free(key);
}

/* Half a pair, and two pairs, are invalid, and the log names the field. */
static void test_half_pairs(void **state) {
  (void)state;
  for (unsigned mask = 1; mask < 16; mask++) {
    ts_client_options_t options = bench.options;
    ts_client_t *client = NULL;
    options.cert_file = mask & 1 ? "a" : NULL;
    options.key_file = mask & 2 ? "b" : NULL;
    options.cert_pem = mask & 4 ? "c" : NULL;
    options.key_pem = mask & 8 ? "d" : NULL;
    if (mask == 3) {
      continue; /* files, looked for later */
    }
    bench.log[0] = '\0';
    assert_int_equal(ts_client_new(&client, &bench.loop, &options),
                     mask == 12 ? TS_EIDENTITY : UV_EINVAL);
    assert_non_null(strstr(bench.log, "cert_"));
  }
}

/* Without verification anybody is believed, and the log says so each time. */
static void test_insecure(void **state) {
  (void)state;
  bench.options.ca_file = certs_path(&certs, "other-ca.pem");
  bench.options.insecure_skip_tls_verification_for_tests = true;
  new_client();
  for (int i = 0; i < 3; i++) {
    bench.log[0] = '\0';
    assert_int_equal(ask(), 0);
    assert_non_null(strstr(bench.log, "INSECURE"));
  }
}

#define TEST(function)                                                         \
  cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_one_full_handshake), TEST(test_an_hour_of_work),
      TEST(test_plane_tickets),      TEST(test_cut_answers),
      TEST(test_silent_server),      TEST(test_refusal),
      TEST(test_unusable_files),     TEST(test_mismatch),
      TEST(test_half_pairs),         TEST(test_insecure),
  };
  return cmocka_run_group_tests(tests, make_certs, remove_certs);
}
