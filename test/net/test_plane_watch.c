/* SPDX-License-Identifier: Apache-2.0 */
/* What the dashboard asks for: its page, the breakers, the stream, overrides. */
#include "plane_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY "eb_pk_local"
#define PROJECT "/plane/v1/projects/project"

typedef struct scene_s {
  bench_t bench;
  peer_t peer;
} scene_t;

static void begin(scene_t *scene) {
  bench_init(&scene->bench);
  bench_start(&scene->bench);
  bench_add_breaker(&scene->bench, "checkout");
  peer_open(&scene->peer, &scene->bench);
}

static void end(scene_t *scene) {
  peer_close(&scene->peer);
  bench_end(&scene->bench);
}

static void send_request(peer_t *peer, const char *method, const char *path,
                         const char *key, const char *body) {
  char request[1024];
  int len = snprintf(request, sizeof(request),
                     "%s %s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     method, path, key ? key : "", body ? strlen(body) : 0,
                     body ? body : "");
  peer_send(peer, (ts__str_t){request, (size_t)len});
}

/* Ask, and get this status. */
static void ask(peer_t *peer, const char *method, const char *path,
                const char *key, const char *body, int status) {
  send_request(peer, method, path, key, body);
  peer_await_answer(peer);
  assert_int_equal(peer->status, status);
}

/* The page needs no key, has no secret, and comes for GET and HEAD alone. */
static void test_page(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  ask(peer, "GET", "/?whatever", NULL, NULL, 200);
  assert_string_equal(peer->content_type, "text/html; charset=utf-8");
  assert_body(peer, "<!doctype html>");
  assert_no_body(peer, "eb_pk_local");
  assert_no_body(peer, BENCH_ADMIN);
  ask(peer, "POST", "/", NULL, NULL, 404);
  ask(peer, "GET", "/index.html", NULL, NULL, 404);
  end(&scene);
}

/* The admin sees every project, a project's key its own, and who has neither
 * nothing. */
static void test_who_may_watch(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  ask(peer, "GET", "/plane/v1/projects", BENCH_ADMIN, NULL, 200);
  assert_body(peer,
              "{\"admin\":true,\"projects\":[{\"project_id\":\"project\"");
  ask(peer, "GET", "/plane/v1/projects", KEY, NULL, 200);
  assert_body(peer, "{\"admin\":false,\"projects\":[{\"project_id\":");
  ask(peer, "GET", "/plane/v1/projects", "eb_pk_other", NULL, 401);
  ask(peer, "GET", "/plane/v1/projects", NULL, NULL, 401);
  ask(peer, "GET", PROJECT "/breakers", KEY, NULL, 200);
  ask(peer, "GET", PROJECT "/breakers", BENCH_ADMIN, NULL, 200);
  ask(peer, "GET", PROJECT "/breakers", "eb_pk_other", NULL, 401);
  ask(peer, "GET", "/plane/v1/projects/other/breakers", BENCH_ADMIN, NULL, 404);
  ask(peer, "GET", "/plane/v1/projects/other/breakers", KEY, NULL, 404);
  ask(peer, "POST", PROJECT "/breakers", BENCH_ADMIN, NULL, 405);
  end(&scene);
}

/* Each breaker comes with its rule, its state, what it measures, how many
 * samples that takes, and, if asked for, what it measured lately. */
static void test_breakers(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  peer_post_samples(peer, 2, true);
  bench_advance(&scene.bench, 1000);
  ask(peer, "GET", PROJECT "/breakers", KEY, NULL, 200);
  assert_body(peer, "\"now_ms\":1705312201000,\"breakers\":[{\"breaker_id\":"
                    "\"brk_checkout\",\"name\":\"checkout\",\"metric\":\"m\","
                    "\"kind\":\"error_rate\",\"op\":\"gt\",\"threshold\":0.5,"
                    "\"window_ms\":10000,\"state\":\"closed\",\"allow_rate\":1,"
                    "\"forced\":false,\"since_ms\":1705312200000,\"value\":0,"
                    "\"count\":2,\"needed\":4}]}");
  ask(peer, "GET", PROJECT "/breakers?history=1", KEY, NULL, 200);
  assert_body(peer, "\"history\":[[1705312201000,0,\"closed\"]]");
  end(&scene);
}

/* Without samples there is no measurement: null, also in the history. */
static void test_no_measurement(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  bench_advance(&scene.bench, 1000);
  ask(peer, "GET", PROJECT "/breakers?history=1", KEY, NULL, 200);
  assert_body(peer, "\"value\":null,\"count\":0");
  assert_body(peer, "[1705312201000,null,\"closed\"]");
  end(&scene);
}

/* The admin, who has no place on the clients' stream, listens to the same. */
static void test_stream(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  send_request(peer, "GET", PROJECT "/stream", BENCH_ADMIN, NULL);
  peer_await_text(peer, ": snapshot 1");
  peer_t other;
  peer_open(&other, &scene.bench);
  ask(&other, "PUT", PROJECT "/breakers/brk_checkout/override", BENCH_ADMIN,
      "{\"state\":\"open\"}", 204);
  peer_await_text(peer, "{\"breaker\":\"checkout\",\"state\":\"open\"");
  peer_close(&other);
  end(&scene);
}

/* A breaker is forced, stays, whatever is measured, is forced to another state,
 * and goes its own way again once it is released. */
static void test_override(void **state) {
  (void)state;
  static const char path[] = PROJECT "/breakers/brk_checkout/override";
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  ask(peer, "PUT", path, BENCH_ADMIN, "{\"state\":\"closed\"}", 204);
  peer_post_samples(peer, 20, false);
  bench_advance(&scene.bench, 5000);
  ask(peer, "GET", PROJECT "/breakers", KEY, NULL, 200);
  assert_body(peer, "\"state\":\"closed\",\"allow_rate\":1,\"forced\":true");
  ask(peer, "PUT", path, BENCH_ADMIN,
      "{\"state\":\"half_open\",\"allow_rate\":0.3}", 204);
  ask(peer, "GET", PROJECT "/breakers", KEY, NULL, 200);
  assert_body(peer, "\"state\":\"half_open\",\"allow_rate\":0.3,"
                    "\"forced\":true");
  ask(peer, "PUT", path, BENCH_ADMIN, "{\"state\":\"closed\"}", 204);
  ask(peer, "DELETE", path, BENCH_ADMIN, NULL, 204);
  ask(peer, "DELETE", path, BENCH_ADMIN, NULL, 204);
  peer_post_samples(peer, 20, false);
  assert_int_equal(bench_state(&scene.bench, "checkout").state,
                   TS_BREAKER_OPEN);
  assert_string_equal(scene.bench.events[0].reason, "forced");
  end(&scene);
}

/* The log comes newest first, with the project's key too. */
static void test_events(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  ask(peer, "GET", PROJECT "/events", KEY, NULL, 200);
  assert_string_equal(peer->body.ptr, "{\"events\":[]}");
  ts_plane_set_state(scene.bench.plane, "checkout", TS_BREAKER_OPEN, 0);
  ts_plane_set_state(scene.bench.plane, "checkout", TS_BREAKER_CLOSED, 0);
  ask(peer, "GET", PROJECT "/events", KEY, NULL, 200);
  const char *newer = strstr(peer->body.ptr, "\"to_state\":\"closed\"");
  const char *older = strstr(peer->body.ptr, "\"to_state\":\"open\"");
  assert_true(newer && older && newer < older);
  end(&scene);
}

/* What is wrong with an override is told, and nothing is done. */
static void test_override_mistakes(void **state) {
  (void)state;
  static const char path[] = PROJECT "/breakers/brk_checkout/override";
  static const char *const bodies[] = {
      "{}",
      "{\"state\":\"ajar\"}",
      "{\"state\":1}",
      "{\"state\":\"half_open\"}",
      "{\"state\":\"half_open\",\"allow_rate\":1.5}",
      "{\"state\":\"half_open\",\"allow_rate\":\"0.5\"}"};
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
    ask(peer, "PUT", path, BENCH_ADMIN, bodies[i], 422);
  }
  ask(peer, "PUT", path, BENCH_ADMIN, "[]", 400);
  ask(peer, "PUT", path, KEY, "{\"state\":\"open\"}", 401);
  ask(peer, "PUT", PROJECT "/breakers/nobody/override", BENCH_ADMIN,
      "{\"state\":\"open\"}", 404);
  ask(peer, "POST", path, BENCH_ADMIN, "{\"state\":\"open\"}", 405);
  assert_int_equal(scene.bench.event_count, 0);
  end(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_page),     cmocka_unit_test(test_who_may_watch),
      cmocka_unit_test(test_breakers), cmocka_unit_test(test_no_measurement),
      cmocka_unit_test(test_stream),   cmocka_unit_test(test_events),
      cmocka_unit_test(test_override), cmocka_unit_test(test_override_mistakes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
