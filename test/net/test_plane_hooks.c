/* SPDX-License-Identifier: Apache-2.0 */
/* What a test can do to a plane: its clock, its states, its answers, and how
 * often it may be asked. */
#include "plane_bench.h"

#include <stdio.h>
#include <string.h>

typedef struct scene_s {
  bench_t bench;
  peer_t peer;
} scene_t;

static void begin(scene_t *scene, bool hooks) {
  bench_init(&scene->bench);
  scene->bench.options.test_hooks = hooks;
  bench_start(&scene->bench);
  bench_add_breaker(&scene->bench, "b");
  peer_open(&scene->peer, &scene->bench);
}

static void end(scene_t *scene) {
  peer_close(&scene->peer);
  bench_end(&scene->bench);
}

/* The status of a hook. */
static int ask_hook(scene_t *scene, const char *method, const char *path,
                    const char *body) {
  char request[512];
  snprintf(request, sizeof(request),
           "%s /plane/v1/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n"
           "%s",
           method, path, strlen(body), body);
  peer_send(&scene->peer, ts__str(request));
  peer_await_answer(&scene->peer);
  return scene->peer.status;
}

static int post_hook(scene_t *scene, const char *path, const char *body) {
  return ask_hook(scene, "POST", path, body);
}

static int get_status(scene_t *scene) {
  peer_get(&scene->peer, "status", "");
  return scene->peer.status;
}

/* With the clock stopped nothing happens by itself; moved by hand, every tick
 * on the way happens at its own moment: a whole recovery in one call. */
static void test_clock_by_hand(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene, false);
  ts_plane_t *plane = scene.bench.plane;
  assert_int_equal(ts_plane_advance_clock(plane, 1), UV_EINVAL);
  assert_int_equal(ts_plane_freeze_clock(plane, -1), UV_EINVAL);
  ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
  assert_int_equal(ts_plane_get_breaker(plane, "b", &breaker), 0);
  breaker.half_open_indeterminate_policy = TS_PLANE_POLICY_OPTIMISTIC;
  assert_int_equal(ts_plane_update_breaker(plane, "b", &breaker), 0);
  assert_int_equal(ts_plane_freeze_clock(plane, BENCH_NOW + 500), 0);
  peer_post_samples(&scene.peer, 4, false);
  assert_int_equal(scene.bench.event_count, 1);
  bench_advance(&scene.bench, 20000);
  assert_int_equal(scene.bench.event_count, 1);
  assert_int_equal(ts_plane_advance_clock(plane, 3499), 0);
  assert_int_equal(bench_state(&scene.bench, "b").state, TS_BREAKER_OPEN);
  assert_int_equal(ts_plane_advance_clock(plane, 1), 0);
  assert_int_equal(bench_state(&scene.bench, "b").state, TS_BREAKER_HALF_OPEN);
  assert_int_equal(ts_plane_advance_clock(plane, 5000), 0);
  assert_int_equal(bench_state(&scene.bench, "b").state, TS_BREAKER_CLOSED);
  assert_int_equal(ts_plane_now_ms(plane), BENCH_NOW + 9000);
  assert_int_equal(ts_plane_release_clock(plane), 0);
  assert_int_equal(ts_plane_now_ms(plane), BENCH_NOW + 20000);
  end(&scene);
}

static void on_transition_removes(ts_plane_t *plane,
                                  const ts_plane_event_t *event) {
  (void)event;
  (void)ts_plane_remove_breaker(plane, "b");
  (void)ts_plane_remove_breaker(plane, "c");
  assert_int_equal(ts_plane_advance_clock(plane, 1), UV_EINVAL);
}

/* A callback may remove the breakers whose ticks are still to come. */
static void test_removal_while_advancing(void **state) {
  (void)state;
  scene_t scene;
  bench_init(&scene.bench);
  scene.bench.options.on_transition = on_transition_removes;
  bench_start(&scene.bench);
  ts_plane_t *plane = scene.bench.plane;
  ts_plane_breaker_t breaker = bench_breaker("b");
  breaker.kind = TS_PLANE_KIND_COUNT;
  breaker.op = TS_PLANE_OP_LT;
  assert_int_equal(ts_plane_add_breaker(plane, &breaker), 0);
  breaker.name = "c";
  assert_int_equal(ts_plane_add_breaker(plane, &breaker), 0);
  assert_int_equal(ts_plane_freeze_clock(plane, 0), 0);
  assert_int_equal(ts_plane_advance_clock(plane, 5000), 0);
  assert_int_equal(bench_stats(&scene.bench).transitions, 1);
  ts_state_t found;
  assert_int_equal(ts_plane_get_state(plane, "c", &found), TS_ENOTFOUND);
  bench_end(&scene.bench);
}

/* Without the option there are no hooks. */
static void test_hooks_are_off(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene, false);
  assert_int_equal(ask_hook(&scene, "GET", "clock", ""), 404);
  assert_int_equal(post_hook(&scene, "streams/end", ""), 404);
  end(&scene);
}

/* The clock over HTTP. */
static void test_clock_hook(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene, true);
  assert_int_equal(ask_hook(&scene, "GET", "clock", ""), 200);
  assert_body(&scene.peer, "\"frozen\":false");
  assert_int_equal(post_hook(&scene, "clock", "{\"advance_ms\":1}"), 422);
  assert_int_equal(
      post_hook(&scene, "clock", "{\"freeze\":true,\"now_ms\":5000}"), 200);
  assert_int_equal(post_hook(&scene, "clock", "{\"advance_ms\":1500}"), 200);
  assert_string_equal(scene.peer.body.ptr, "{\"now_ms\":6500,\"frozen\":true}");
  assert_int_equal(post_hook(&scene, "clock", "{\"freeze\":false}"), 200);
  assert_int_equal(post_hook(&scene, "clock", "{}"), 422);
  assert_int_equal(post_hook(&scene, "clock", "nonsense"), 422);
  assert_int_equal(post_hook(&scene, "clocks", "{}"), 404);
  end(&scene);
}

/* A state over HTTP: dictated, told, and let go of. */
static void test_force_hook(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene, true);
  assert_int_equal(post_hook(&scene, "force",
                             "{\"breaker\":\"b\",\"state\":\"half_open\","
                             "\"allow_rate\":0.25}"),
                   200);
  ts_state_t now = bench_state(&scene.bench, "b");
  assert_int_equal(now.state, TS_BREAKER_HALF_OPEN);
  assert_true(now.allow_rate > 0.24 && now.allow_rate < 0.26);
  assert_string_equal(scene.bench.events[0].reason, "forced");
  assert_int_equal(post_hook(&scene, "release", "{\"breaker\":\"b\"}"), 200);
  assert_int_equal(post_hook(&scene, "release", "{\"breaker\":\"x\"}"), 404);
  assert_int_equal(
      post_hook(&scene, "force", "{\"breaker\":\"b\",\"state\":\"ajar\"}"),
      422);
  assert_int_equal(post_hook(&scene, "force", "{\"state\":\"open\"}"), 422);
  end(&scene);
}

/* Answers over HTTP, and the end of all streams. */
static void test_answer_hooks(void **state) {
  (void)state;
  scene_t scene;
  peer_t reader;
  begin(&scene, true);
  assert_int_equal(post_hook(&scene, "answers",
                             "{\"endpoint\":\"ingest\",\"count\":2,"
                             "\"status\":503,\"retry_after\":\"7\"}"),
                   200);
  for (int i = 0; i < 3; i++) {
    peer_post_samples(&scene.peer, 1, true);
    assert_int_equal(scene.peer.status, i < 2 ? 503 : 202);
  }
  assert_int_equal(
      post_hook(&scene, "answers", "{\"endpoint\":\"tea\",\"status\":418}"),
      422);
  assert_int_equal(post_hook(&scene, "answers", "{\"endpoint\":\"status\"}"),
                   422);
  peer_open(&reader, &scene.bench);
  peer_subscribe(&reader);
  assert_int_equal(post_hook(&scene, "streams/end", ""), 200);
  peer_await_close(&reader);
  assert_true(reader.is_done);
  peer_close(&reader);
  end(&scene);
}

static void begin_limited(scene_t *scene, int64_t key, int64_t project,
                          int64_t ingest) {
  bench_init(&scene->bench);
  scene->bench.options.reads_per_key_minute = key;
  scene->bench.options.reads_per_project_minute = project;
  scene->bench.options.ingests_per_project_minute = ingest;
  bench_start(&scene->bench);
  bench_add_breaker(&scene->bench, "b");
  peer_open(&scene->peer, &scene->bench);
}

/* E62: reads beyond the key's budget wait for the next minute, and are told how
 * long; batches have a budget of their own. */
static void test_read_budget(void **state) {
  (void)state;
  scene_t scene;
  begin_limited(&scene, 2, 0, 0);
  bench_advance(&scene.bench, 500);
  assert_int_equal(get_status(&scene), 200);
  assert_int_equal(get_status(&scene), 200);
  assert_int_equal(get_status(&scene), 429);
  assert_body(&scene.peer, "rate_limited");
  assert_string_equal(scene.peer.retry_after, "60");
  peer_get(&scene.peer, "breakers/metadata", "");
  assert_int_equal(scene.peer.status, 429);
  peer_get(&scene.peer, "breakers/state:stream", "");
  assert_int_equal(scene.peer.status, 429);
  peer_post_samples(&scene.peer, 1, true);
  assert_int_equal(scene.peer.status, 202);
  bench_advance(&scene.bench, 58600);
  assert_int_equal(get_status(&scene), 429);
  assert_string_equal(scene.peer.retry_after, "1");
  bench_advance(&scene.bench, 900);
  assert_int_equal(get_status(&scene), 200);
  end(&scene);
}

/* E62: and the reverse: batches beyond the budget leave the reads alone. */
static void test_ingest_budget(void **state) {
  (void)state;
  scene_t scene;
  begin_limited(&scene, 0, 0, 1);
  peer_post_samples(&scene.peer, 1, true);
  assert_int_equal(scene.peer.status, 202);
  peer_post_samples(&scene.peer, 1, true);
  assert_int_equal(scene.peer.status, 429);
  assert_string_equal(scene.peer.retry_after, "60");
  assert_int_equal(get_status(&scene), 200);
  ts_plane_stats_t stats = bench_stats(&scene.bench);
  assert_int_equal(stats.samples_accepted, 1);
  assert_int_equal(stats.batches_refused, 1);
  end(&scene);
}

/* E62: two keys of a project have a budget each, and one ceiling over both; a
 * refused read costs neither. */
static void test_two_keys_one_ceiling(void **state) {
  (void)state;
  scene_t scene;
  begin_limited(&scene, 2, 3, 0);
  ts_plane_t *plane = scene.bench.plane;
  ts__plane_key_t *key = ts__plane_key_new(plane->project, "k2", "second",
                                           TS__STR("eb_pk_second"), BENCH_NOW);
  assert_non_null(key);
  assert_int_equal(ts__directory_add_key(&plane->directory, key), 0);
  const char *second = "Authorization: Bearer eb_pk_second\r\n";
  assert_int_equal(get_status(&scene), 200);
  assert_int_equal(get_status(&scene), 200);
  assert_int_equal(get_status(&scene), 429);
  peer_ask(&scene.peer, "GET", "project/status", second);
  assert_int_equal(scene.peer.status, 200);
  peer_ask(&scene.peer, "GET", "project/status", second);
  assert_int_equal(scene.peer.status, 429);
  end(&scene);
}

/* Calls of the management API have a budget too, if one is set. Reads, batches
 * and the dashboard do not draw on it, nor do calls with a wrong key. */
static void test_admin_budget(void **state) {
  (void)state;
  scene_t scene;
  bench_init(&scene.bench);
  scene.bench.options.admin_calls_per_minute = 2;
  bench_start(&scene.bench);
  bench_add_breaker(&scene.bench, "b");
  bench_advance(&scene.bench, 30000);
  peer_open(&scene.peer, &scene.bench);
  peer_call(&scene.peer, "GET", "/projects", "eb_admin_wrong", "", NULL);
  assert_int_equal(scene.peer.status, 401);
  peer_manage(&scene.peer, "GET", "/projects", NULL, 200);
  peer_manage(&scene.peer, "POST", "/workspaces",
              "{\"name\":\"w\",\"slug\":\"w\"}", 201);
  peer_manage(&scene.peer, "GET", "/projects", NULL, 429);
  assert_body(&scene.peer, "rate_limited");
  assert_string_equal(scene.peer.retry_after, "30");
  assert_int_equal(get_status(&scene), 200);
  peer_post_samples(&scene.peer, 1, true);
  assert_int_equal(scene.peer.status, 202);
  bench_advance(&scene.bench, 30000);
  peer_manage(&scene.peer, "DELETE", "/projects/none", NULL, 404);
  peer_manage(&scene.peer, "GET", "/projects", NULL, 200);
  peer_manage(&scene.peer, "GET", "/projects", NULL, 200);
  peer_manage(&scene.peer, "GET", "/projects", NULL, 429);
  end(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_clock_by_hand),
      cmocka_unit_test(test_removal_while_advancing),
      cmocka_unit_test(test_hooks_are_off),
      cmocka_unit_test(test_clock_hook),
      cmocka_unit_test(test_force_hook),
      cmocka_unit_test(test_answer_hooks),
      cmocka_unit_test(test_read_budget),
      cmocka_unit_test(test_ingest_budget),
      cmocka_unit_test(test_two_keys_one_ceiling),
      cmocka_unit_test(test_admin_budget),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
