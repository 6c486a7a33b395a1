/* SPDX-License-Identifier: Apache-2.0 */
/* The plane's life, its configuration, its test hooks, and rude peers. */
#include "plane_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "support/certs.h"

typedef struct scene_s {
  bench_t bench;
  peer_t peer;
} scene_t;

static void begin(scene_t *scene) {
  bench_init(&scene->bench);
  bench_start(&scene->bench);
  peer_open(&scene->peer, &scene->bench);
}

static void end(scene_t *scene) {
  peer_close(&scene->peer);
  bench_end(&scene->bench);
}

static void reopen(scene_t *scene) {
  peer_close(&scene->peer);
  peer_open(&scene->peer, &scene->bench);
}

/*
 * Options and configuration
 */

static char logged[256];

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t count) {
  (void)data;
  (void)level;
  (void)message;
  if (count > 0) {
    snprintf(logged, sizeof(logged), "%s", fields[count - 1].value);
  }
}

/* The result of making a plane with these options; none is left over. */
static int try_options(const ts_plane_options_t *options) {
  uv_loop_t loop;
  ts_plane_t *plane = NULL;
  assert_int_equal(uv_loop_init(&loop), 0);
  int r = ts_plane_new(&plane, &loop, options);
  assert_int_equal(plane == NULL, r != 0);
  if (plane) {
    assert_int_equal(ts_plane_close(plane, NULL), 0);
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
  return r;
}

/* Each invalid option is refused, and the log names it. */
static void test_invalid_options(void **state) {
  (void)state;
  const ts_plane_options_t good = {.size = sizeof(good),
                                   .host = "::1",
                                   .project_id = "p",
                                   .project_key = "k",
                                   .heartbeat_ms = 1,
                                   .on_log = on_log};
  ts_plane_options_t bad[11];
  const char *names[] = {"host",
                         "host",
                         "cert_file and key_file",
                         "project_id",
                         "project_key",
                         "ingest_secret",
                         "heartbeat_ms",
                         "foreign_key",
                         ("enable_signed_ingest without "
                          "ingest_secret"),
                         "admin_calls_per_minute",
                         "max_connections"};
  for (size_t i = 0; i < 11; i++) {
    bad[i] = good;
  }
  bad[0].host = NULL;
  bad[1].host = "localhost";
  bad[2].cert_file = "x";
  bad[3].project_id = "a/b";
  bad[4].project_key = NULL;
  bad[5].ingest_secret = "ik_123";
  bad[6].heartbeat_ms = 0;
  bad[7].foreign_key = "a\nb";
  bad[8].enable_signed_ingest = true;
  bad[9].admin_calls_per_minute = -1;
  bad[10].max_connections = 1000001;
  assert_int_equal(try_options(&good), 0);
  for (size_t i = 0; i < 11; i++) {
    logged[0] = '\0';
    assert_int_equal(try_options(&bad[i]), UV_EINVAL);
    assert_string_equal(logged, names[i]);
  }
}

/* Older callers' structures are refused if too short, newer ones if they ask
 * for what we do not know. */
static void test_options_size(void **state) {
  (void)state;
  struct {
    ts_plane_options_t options;
    char more[16];
  } newer;
  memset(&newer, 0, sizeof(newer));
  newer.options = (ts_plane_options_t)TS_PLANE_OPTIONS_INIT;
  newer.options.size = sizeof(newer);
  assert_int_equal(try_options(&newer.options), 0);
  newer.more[8] = 1;
  assert_int_equal(try_options(&newer.options), UV_E2BIG);
  newer.options.size = sizeof(ts_plane_options_t) - 1;
  assert_int_equal(try_options(&newer.options), UV_EINVAL);
  assert_int_equal(try_options(NULL), UV_EINVAL);
}

/* The macros and the functions agree on the defaults. */
static void test_init_functions(void **state) {
  (void)state;
  ts_plane_options_t options;
  ts_plane_router_t router;
  ts_plane_breaker_t breaker;
  ts_plane_options_init(&options);
  assert_string_equal(options.project_key, "eb_pk_local");
  assert_int_equal(options.heartbeat_ms, 15000);
  ts_plane_router_init(&router);
  assert_true(router.enabled);
  ts_plane_breaker_init(&breaker);
  assert_int_equal(breaker.window_ms, 60000);
  assert_int_equal(breaker.half_open_indeterminate_policy,
                   TS_PLANE_POLICY_CONSERVATIVE);
}

/* Breakers are checked: ranges, names, kinds, and that they are new. */
static void test_add_breaker_checks(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  ts_plane_t *plane = scene.bench.plane;
  ts_plane_breaker_t breaker = bench_breaker("b");
  breaker.window_ms = 99;
  assert_int_equal(ts_plane_add_breaker(plane, &breaker), UV_EINVAL);
  breaker = bench_breaker("");
  assert_int_equal(ts_plane_add_breaker(plane, &breaker), UV_EINVAL);
  breaker = bench_breaker("a\nb");
  assert_int_equal(ts_plane_add_breaker(plane, &breaker), UV_EINVAL);
  breaker = bench_breaker("b");
  breaker.kind = TS_PLANE_KIND_PERCENTILE;
  assert_int_equal(ts_plane_add_breaker(plane, &breaker), UV_EINVAL);
  breaker = bench_breaker("b");
  assert_int_equal(ts_plane_add_breaker(plane, &breaker), 0);
  assert_int_equal(ts_plane_add_breaker(plane, &breaker), UV_EEXIST);
  breaker = bench_breaker("c");
  breaker.id = "brk_b";
  assert_int_equal(ts_plane_add_breaker(plane, &breaker), UV_EEXIST);
  ts_state_t found;
  assert_int_equal(ts_plane_get_state(plane, "c", &found), TS_ENOTFOUND);
  assert_int_equal(ts_plane_link(plane, "r", "b"), TS_ENOTFOUND);
  assert_int_equal(ts_plane_set_state(plane, "b", TS_BREAKER_UNKNOWN, 0),
                   UV_EINVAL);
  assert_int_equal(ts_plane_set_state(plane, "b", TS_BREAKER_OPEN, 1.5),
                   UV_EINVAL);
  end(&scene);
}

/* Metadata has limits: twenty pairs, lengths in characters, distinct keys. */
static void test_metadata_limits(void **state) {
  (void)state;
  static char long_key[66];
  memset(long_key, 'k', 65);
  ts_tag_t tags[21];
  char keys[21][8];
  for (size_t i = 0; i < 21; i++) {
    snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
    tags[i] = (ts_tag_t){keys[i], "v"};
  }
  scene_t scene;
  begin(&scene);
  ts_plane_t *plane = scene.bench.plane;
  bench_add_breaker(&scene.bench, "b");
  assert_int_equal(ts_plane_set_router_metadata(plane, "r", tags, 20), 0);
  assert_int_equal(ts_plane_set_breaker_metadata(plane, "b", tags, 20), 0);
  assert_int_equal(ts_plane_set_breaker_metadata(plane, "b", tags, 21),
                   UV_EINVAL);
  tags[1].key = "k0";
  assert_int_equal(ts_plane_set_breaker_metadata(plane, "b", tags, 2),
                   UV_EINVAL);
  tags[1].key = long_key;
  assert_int_equal(ts_plane_set_breaker_metadata(plane, "b", tags, 2),
                   UV_EINVAL);
  long_key[64] = '\0';
  assert_int_equal(ts_plane_set_breaker_metadata(plane, "b", tags, 2), 0);
  assert_int_equal(ts_plane_set_breaker_metadata(plane, "b", NULL, 0), 0);
  end(&scene);
}

/*
 * Lifecycle
 */

/* A stop cuts everybody and keeps the breakers; a new listen has the port of
 * before. */
static void test_stop_and_listen_again(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  ts_plane_t *plane = scene.bench.plane;
  uint16_t port = ts_plane_port(plane);
  char url[64];
  snprintf(url, sizeof(url), "http://127.0.0.1:%u", (unsigned)port);
  bench_add_breaker(&scene.bench, "b");
  peer_subscribe(&scene.peer);
  assert_int_equal(ts_plane_listen(plane), UV_EALREADY);
  assert_int_equal(ts_plane_stop(plane), 0);
  assert_int_equal(ts_plane_stop(plane), 0);
  peer_await_close(&scene.peer);
  assert_int_equal(bench_stats(&scene.bench).connections_open, 0);
  reopen(&scene);
  assert_false(scene.peer.is_open);
  assert_int_equal(ts_plane_listen(plane), 0);
  assert_int_equal(ts_plane_port(plane), port);
  assert_string_equal(ts_plane_url(plane), url);
  reopen(&scene);
  peer_subscribe(&scene.peer);
  end(&scene);
}

/* A port that is taken is an error, and the plane can still be closed. */
static void test_port_in_use(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;
  ts_plane_t *second = NULL;
  options.port = ts_plane_port(scene.bench.plane);
  assert_int_equal(ts_plane_new(&second, &scene.bench.loop, &options), 0);
  assert_int_equal(ts_plane_listen(second), UV_EADDRINUSE);
  assert_null(ts_plane_url(second));
  assert_int_equal(ts_plane_close(second, NULL), 0);
  assert_int_equal(ts_plane_close(second, NULL), TS_ECLOSED);
  assert_int_equal(ts_plane_listen(second), TS_ECLOSED);
  end(&scene);
}

/* Only a plane that listens holds the loop. */
static void test_loop_is_held_while_listening(void **state) {
  (void)state;
  uv_loop_t loop;
  ts_plane_t *plane = NULL;
  ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;
  ts_plane_breaker_t breaker = bench_breaker("b");
  assert_int_equal(uv_loop_init(&loop), 0);
  assert_int_equal(ts_plane_new(&plane, &loop, &options), 0);
  assert_int_equal(ts_plane_add_breaker(plane, &breaker), 0);
  assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(ts_plane_listen(plane), 0);
  assert_true(uv_run(&loop, UV_RUN_NOWAIT));
  assert_int_equal(ts_plane_stop(plane), 0);
  assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(ts_plane_close(plane, NULL), 0);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
}

/* Over https the same plane answers the same. */
static void test_https(void **state) {
  (void)state;
  static char cert[256];
  static char key[256];
  scene_t scene;
  certs_t certs;
  certs_make(&certs);
  bench_init(&scene.bench);
  snprintf(cert, sizeof(cert), "%s", certs_path(&certs, "server.pem"));
  snprintf(key, sizeof(key), "%s", certs_path(&certs, "server.key"));
  snprintf(scene.bench.ca_file, sizeof(scene.bench.ca_file), "%s",
           certs_path(&certs, "ca.pem"));
  scene.bench.options.cert_file = cert;
  scene.bench.options.key_file = key;
  bench_start(&scene.bench);
  peer_open(&scene.peer, &scene.bench);
  assert_true(scene.peer.is_open);
  assert_memory_equal(ts_plane_url(scene.bench.plane),
                      "https://127.0.0.1:", 18);
  bench_add_breaker(&scene.bench, "b");
  peer_post_samples(&scene.peer, 4, false);
  assert_int_equal(scene.peer.status, 202);
  peer_subscribe(&scene.peer);
  assert_body(&scene.peer, "\"state\":\"open\"");
  assert_int_equal(ts_plane_end_streams(scene.bench.plane), 0);
  peer_await_close(&scene.peer);
  assert_int_equal(scene.peer.error, 0);
  end(&scene);
  certs_remove(&certs);
}

static bool has_a_connection(const void *arg) {
  return bench_stats(arg).connections_open == 1;
}

/* Who connects and then does not even begin with TLS is sent away like everybody
 * who sends no request. */
static void test_silent_handshake(void **state) {
  (void)state;
  static char cert[256];
  static char key[256];
  scene_t scene;
  certs_t certs;
  certs_make(&certs);
  bench_init(&scene.bench);
  snprintf(cert, sizeof(cert), "%s", certs_path(&certs, "server.pem"));
  snprintf(key, sizeof(key), "%s", certs_path(&certs, "server.key"));
  scene.bench.options.cert_file = cert;
  scene.bench.options.key_file = key;
  bench_start(&scene.bench);
  peer_open(&scene.peer, &scene.bench); /* without TLS */
  assert_true(scene.peer.is_open);
  bench_until(&scene.bench, has_a_connection, &scene.bench);
  bench_advance(&scene.bench, TS__REQUEST_LIMIT_MS);
  peer_await_close(&scene.peer);
  end(&scene);
  certs_remove(&certs);
}

/* Certificates that cannot be read are an error of new. */
static void test_unusable_certificate(void **state) {
  (void)state;
  ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;
  options.cert_file = "/nonexistent/cert.pem";
  options.key_file = "/nonexistent/key.pem";
  assert_true(try_options(&options) < 0);
}

static void remove_it(ts_plane_t *plane, const ts_plane_event_t *event) {
  assert_int_equal(ts_plane_remove_breaker(plane, event->name), 0);
  assert_string_equal(event->name, "b"); /* still there to look at */
}

static void close_it(ts_plane_t *plane, const ts_plane_event_t *event) {
  bench_t *bench = ts_plane_get_data(plane);
  (void)event;
  bench->close_count = -1;
  assert_int_equal(ts_plane_close(plane, NULL), 0);
  assert_int_equal(ts_plane_set_state(plane, "b", TS_BREAKER_OPEN, 0),
                   TS_ECLOSED);
}

/* A callback may remove the very breaker it is told of. */
static void test_remove_inside_callback(void **state) {
  (void)state;
  scene_t scene;
  bench_init(&scene.bench);
  scene.bench.options.on_transition = remove_it;
  bench_start(&scene.bench);
  peer_open(&scene.peer, &scene.bench);
  bench_add_breaker(&scene.bench, "b");
  bench_add_breaker(&scene.bench, "a");
  assert_int_equal(ts_plane_remove_breaker(scene.bench.plane, "a"), 0);
  peer_post_samples(&scene.peer, 4, false);
  assert_int_equal(scene.peer.status, 202);
  ts_state_t found;
  assert_int_equal(ts_plane_get_state(scene.bench.plane, "b", &found),
                   TS_ENOTFOUND);
  end(&scene);
}

static bool is_closed(const void *arg) {
  return ((const fake_env_t *)arg)->closed;
}

/* A callback at a tick may close the plane; the other breakers due are left
 * alone. */
static void test_close_inside_callback(void **state) {
  (void)state;
  scene_t scene;
  bench_init(&scene.bench);
  scene.bench.options.on_transition = close_it;
  bench_start(&scene.bench);
  peer_open(&scene.peer, &scene.bench);
  ts_plane_breaker_t breaker = bench_breaker("b");
  breaker.cooldown_ms = 0;
  breaker.min_count = 0;
  breaker.op = TS_PLANE_OP_GTE;
  breaker.threshold = 0;
  breaker.kind = TS_PLANE_KIND_CONSECUTIVE_FAILURES;
  assert_int_equal(ts_plane_add_breaker(scene.bench.plane, &breaker), 0);
  breaker.name = "c";
  assert_int_equal(ts_plane_add_breaker(scene.bench.plane, &breaker), 0);
  bench_advance(&scene.bench, 1000);
  bench_until(&scene.bench, is_closed, &scene.bench.env);
  scene.bench.close_count = 1;
  end(&scene);
}

/*
 * Test hooks
 */

/* Scripted answers come as often as asked, each in place of the real one. */
static void test_answer_next(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  ts_plane_t *plane = scene.bench.plane;
  bench_add_breaker(&scene.bench, "b");
  assert_int_equal(
      ts_plane_answer_next(plane, TS_PLANE_ENDPOINT_INGEST, 2, 429, "7"), 0);
  for (int i = 0; i < 2; i++) {
    peer_post_samples(&scene.peer, 4, false);
    assert_int_equal(scene.peer.status, 429);
    assert_string_equal(scene.peer.retry_after, "7");
  }
  assert_int_equal(bench_stats(&scene.bench).samples_accepted, 0);
  peer_post_samples(&scene.peer, 4, true);
  assert_int_equal(scene.peer.status, 202);
  assert_int_equal(
      ts_plane_answer_next(plane, TS_PLANE_ENDPOINT_STATUS, 1, 204, NULL), 0);
  peer_get(&scene.peer, "status", "");
  assert_int_equal(scene.peer.status, 204);
  assert_int_equal(
      ts_plane_answer_next(plane, TS_PLANE_ENDPOINT_METADATA, 1, 0, NULL), 0);
  peer_get(&scene.peer, "breakers/metadata", "");
  assert_true(scene.peer.is_closed);
  assert_int_equal(
      ts_plane_answer_next(plane, TS_PLANE_ENDPOINT_STREAM, 1, 199, NULL),
      UV_EINVAL);
  end(&scene);
}

/* The counters tell what came and what became of it. */
static void test_stats(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  bench_add_breaker(&scene.bench, "b");
  peer_post_samples(&scene.peer, 4, false);
  peer_post(&scene.peer, "", TS__STR("5"));
  peer_get(&scene.peer, "status", "");
  peer_get(&scene.peer, "nothing", "");
  peer_subscribe(&scene.peer);
  ts_plane_stats_t stats = bench_stats(&scene.bench);
  assert_int_equal(stats.requests[TS_PLANE_ENDPOINT_INGEST], 2);
  assert_int_equal(stats.requests[TS_PLANE_ENDPOINT_STATUS], 1);
  assert_int_equal(stats.requests[TS_PLANE_ENDPOINT_STREAM], 1);
  assert_int_equal(stats.requests_other, 1);
  assert_int_equal(stats.batches, 1);
  assert_int_equal(stats.batches_refused, 1);
  assert_int_equal(stats.samples_accepted, 4);
  assert_int_equal(stats.transitions, 1);
  assert_int_equal(stats.streams_open, 1);
  assert_int_equal(stats.connections_open, 1);
  assert_int_equal(stats.connections_total, 1);
  stats.size = 8;
  assert_int_equal(ts_plane_stats(scene.bench.plane, &stats), UV_EINVAL);
  end(&scene);
}

/*
 * Rude peers
 */

/* A request that does not get whole in its time is cut; so is a connection
 * that stays idle. */
static void test_slow_peers(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_send(&scene.peer, TS__STR("GET /v1/projects/pro"));
  bench_advance(&scene.bench, TS__REQUEST_LIMIT_MS);
  peer_await_close(&scene.peer);
  reopen(&scene);
  peer_get(&scene.peer, "status", "");
  bench_advance(&scene.bench, TS__KEEP_ALIVE_MS - 1);
  peer_get(&scene.peer, "status", "");
  assert_int_equal(scene.peer.status, 200);
  bench_advance(&scene.bench, TS__KEEP_ALIVE_MS);
  peer_await_close(&scene.peer);
  end(&scene);
}

/* What is not HTTP is answered 400 and the connection ends. */
static void test_garbage(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_send(&scene.peer, TS__STR("\x16\x03\x01 hello\r\n\r\n"));
  peer_await_answer(&scene.peer);
  assert_int_equal(scene.peer.status, 400);
  peer_await_close(&scene.peer);
  end(&scene);
}

static const char status_request[] =
    "GET /v1/projects/project/status HTTP/1.1\r\nHost: x\r\n"
    "Authorization: Bearer eb_pk_local\r\n\r\n";

/* A request is the same in whatever pieces it arrives. */
static void test_chopped_request(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  for (size_t i = 0; i + 1 < sizeof(status_request); i++) {
    peer_send(&scene.peer, (ts__str_t){status_request + i, 1});
    uv_run(&scene.bench.loop, UV_RUN_NOWAIT);
  }
  peer_await_answer(&scene.peer);
  assert_int_equal(scene.peer.status, 200);
  end(&scene);
}

/* A peer that says close gets its answer and then the end. */
static void test_connection_close(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_get(&scene.peer, "status", "Connection: close\r\n");
  assert_int_equal(scene.peer.status, 200);
  peer_await_close(&scene.peer);
  assert_int_equal(scene.peer.error, 0);
  end(&scene);
}

/* Pipelined requests are answered in order, on one connection. */
static void test_pipelined(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  for (int i = 0; i < 3; i++) {
    peer_send(&scene.peer, ts__str(status_request));
  }
  peer_send(&scene.peer, TS__STR("GET /last HTTP/1.1\r\nHost: x\r\n"
                                 "Connection: close\r\n\r\n"));
  peer_await_close(&scene.peer);
  assert_int_equal(scene.peer.status, 404);
  ts_plane_stats_t stats = bench_stats(&scene.bench);
  assert_int_equal(stats.requests[TS_PLANE_ENDPOINT_STATUS], 3);
  assert_int_equal(stats.requests_other, 1);
  end(&scene);
}

static const char conversation[] =
    "POST /v1/projects/project/ingest HTTP/1.1\r\nHost: x\r\n"
    "Content-Length: 13\r\n\r\n"
    "{\"samples\":5}"
    "GET /v1/projects/project/breakers/state:stream HTTP/1.1\r\nHost: x\r\n"
    "Authorization: Bearer eb_pk_local\r\n\r\n";

static bool has_no_connections(const void *arg) {
  return bench_stats(arg).connections_open == 0;
}

/* A peer may vanish after any byte; nothing of it stays. */
static void test_peer_vanishes_after_any_byte(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  for (size_t n = 0; n < sizeof(conversation); n++) {
    if (n > 0) {
      peer_send(&scene.peer, (ts__str_t){conversation, n});
    }
    peer_close(&scene.peer);
    bench_until(&scene.bench, has_no_connections, &scene.bench);
    peer_open(&scene.peer, &scene.bench);
  }
  assert_int_equal(bench_stats(&scene.bench).streams_open, 0);
  end(&scene);
}

/* A plane may be closed at any turn of the loop. */
static void test_close_at_any_turn(void **state) {
  (void)state;
  for (int turns = 0; turns < 12; turns++) {
    scene_t scene;
    begin(&scene);
    bench_add_breaker(&scene.bench, "b");
    peer_send(&scene.peer, ts__str(conversation));
    for (int i = 0; i < turns; i++) {
      uv_run(&scene.bench.loop, UV_RUN_NOWAIT);
    }
    end(&scene);
  }
}

static void stop_it(ts_plane_t *plane, const ts_plane_sample_t *sample) {
  (void)sample;
  assert_int_equal(ts_plane_stop(plane), 0);
}

/* A stop inside a callback takes the connection that is being served. */
static void test_stop_inside_callback(void **state) {
  (void)state;
  scene_t scene;
  bench_init(&scene.bench);
  scene.bench.options.on_sample = stop_it;
  bench_start(&scene.bench);
  peer_open(&scene.peer, &scene.bench);
  bench_add_breaker(&scene.bench, "b");
  peer_post_samples(&scene.peer, 4, false);
  assert_true(scene.peer.is_closed);
  assert_int_equal(bench_state(&scene.bench, "b").state, TS_BREAKER_OPEN);
  end(&scene);
}

/*
 * Out of memory
 */

/* Whatever allocation fails, a plane is made whole or not at all. */
static void test_new_out_of_memory(void **state) {
  (void)state;
  int r = UV_ENOMEM;
  for (size_t n = 1; r; n++) {
    heap_t heap;
    ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;
    heap_init(&heap);
    heap_fail(&heap, n, 1);
    options.allocator = &heap.allocator;
    r = try_options(&options);
    assert_true(r == 0 || r == UV_ENOMEM);
    assert_int_equal(heap_balance(&heap), 0);
    assert_true(n < 100);
  }
}

static int add_all(ts_plane_t *plane) {
  const ts_tag_t tag = {"a", "b"};
  ts_plane_breaker_t breaker = bench_breaker("b");
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  router.id = "r";
  router.metadata = breaker.metadata = &tag;
  router.metadata_count = breaker.metadata_count = 1;
  int r = ts_plane_add_router(plane, &router);
  if (r && r != UV_EEXIST) {
    return r;
  }
  r = ts_plane_add_breaker(plane, &breaker);
  if (r && r != UV_EEXIST) {
    return r;
  }
  r = ts_plane_link(plane, "r", "b");
  return r ? r : ts_plane_set_breaker_metadata(plane, "b", &tag, 1);
}

/* Configuration that fails for want of memory leaves nothing behind and can be
 * repeated. */
static void test_add_out_of_memory(void **state) {
  (void)state;
  int r = UV_ENOMEM;
  for (size_t n = 1; r; n++) {
    scene_t scene;
    begin(&scene);
    heap_fail(&scene.bench.heap, n, 1);
    r = add_all(scene.bench.plane);
    assert_true(r == 0 || r == UV_ENOMEM);
    heap_fail(&scene.bench.heap, 0, 0);
    assert_int_equal(add_all(scene.bench.plane), 0);
    assert_int_equal(bench_state(&scene.bench, "b").state, TS_BREAKER_CLOSED);
    end(&scene);
    assert_true(n < 100);
  }
}

/* A connection that could not be accepted for want of memory is taken a little
 * later. */
static void test_accept_out_of_memory(void **state) {
  (void)state;
  scene_t scene;
  bench_init(&scene.bench);
  bench_start(&scene.bench);
  heap_fail(&scene.bench.heap, 1, 1);
  peer_open(&scene.peer, &scene.bench);
  while (scene.bench.heap.failed == 0) {
    uv_run(&scene.bench.loop, UV_RUN_ONCE);
  }
  assert_int_equal(bench_stats(&scene.bench).connections_open, 0);
  bench_advance(&scene.bench, 100);
  peer_get(&scene.peer, "status", "");
  assert_int_equal(scene.peer.status, 200);
  end(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_invalid_options),
      cmocka_unit_test(test_options_size),
      cmocka_unit_test(test_init_functions),
      cmocka_unit_test(test_add_breaker_checks),
      cmocka_unit_test(test_metadata_limits),
      cmocka_unit_test(test_stop_and_listen_again),
      cmocka_unit_test(test_port_in_use),
      cmocka_unit_test(test_loop_is_held_while_listening),
      cmocka_unit_test(test_https),
      cmocka_unit_test(test_silent_handshake),
      cmocka_unit_test(test_unusable_certificate),
      cmocka_unit_test(test_remove_inside_callback),
      cmocka_unit_test(test_close_inside_callback),
      cmocka_unit_test(test_answer_next),
      cmocka_unit_test(test_stats),
      cmocka_unit_test(test_slow_peers),
      cmocka_unit_test(test_garbage),
      cmocka_unit_test(test_chopped_request),
      cmocka_unit_test(test_connection_close),
      cmocka_unit_test(test_pipelined),
      cmocka_unit_test(test_peer_vanishes_after_any_byte),
      cmocka_unit_test(test_close_at_any_turn),
      cmocka_unit_test(test_stop_inside_callback),
      cmocka_unit_test(test_new_out_of_memory),
      cmocka_unit_test(test_add_out_of_memory),
      cmocka_unit_test(test_accept_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
