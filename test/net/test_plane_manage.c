/* SPDX-License-Identifier: Apache-2.0 */
/* The management API's common ways: who may ask, errors, ids, bodies, and
 * requests that come twice. */
#include "plane_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void assert_refused(peer_t *peer, int status, const char *code) {
  char text[80];
  snprintf(text, sizeof(text), "\"code\":\"%s\"", code);
  assert_int_equal(peer->status, status);
  assert_body(peer, text);
  assert_body(peer, "\"message\":\"");
  assert_body(peer, peer->request_id);
}

/* ADM-121: an unknown key is told before an unknown project, and the keys of
 * one tier are none in the other. */
static void test_tiers(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  peer_call(peer, "GET", "/projects/any", "eb_admin_invalid", "", NULL);
  assert_refused(peer, 401, "unauthorized");
  peer_call(peer, "GET", "/projects/project", NULL, "", NULL);
  assert_refused(peer, 401, "unauthorized");
  peer_call(peer, "GET", "/projects/project", "eb_pk_local", "", NULL);
  assert_refused(peer, 401, "admin_key_required");
  peer_call(peer, "GET", "/projects/project/status", BENCH_ADMIN, "", NULL);
  assert_refused(peer, 401, "project_key_required");
  peer_call(peer, "GET", "/projects/any/keys", BENCH_ADMIN, "", NULL);
  assert_refused(peer, 404, "not_found");
  end(&scene);
}

/* A key of one project opens no other, and an admin key of another organisation
 * opens nothing. */
static void test_foreign_keys(void **state) {
  (void)state;
  scene_t scene;
  bench_init(&scene.bench);
  scene.bench.options.foreign_key = "eb_admin_other";
  bench_start(&scene.bench);
  peer_open(&scene.peer, &scene.bench);
  peer_t *peer = &scene.peer;
  bench_text_t id;
  char path[200];
  peer_call(peer, "GET", "/projects/project", "eb_admin_other", "", NULL);
  assert_refused(peer, 403, "forbidden");
  peer_manage(peer, "POST", "/workspaces", "{\"name\":\"W\",\"slug\":\"w\"}",
              201);
  peer_member(peer, "id", id);
  snprintf(path, sizeof(path), "{\"workspace_id\":\"%s\",\"name\":\"P\"}", id);
  peer_manage(peer, "POST", "/projects", path, 201);
  peer_member(peer, "project_id", id);
  snprintf(path, sizeof(path), "/projects/%s/status", id);
  peer_call(peer, "GET", path, "eb_pk_local", "", NULL);
  assert_refused(peer, 403, "forbidden");
  end(&scene);
}

/* Without an admin key there is no management API to be found. */
static void test_switched_off(void **state) {
  (void)state;
  scene_t scene;
  bench_init(&scene.bench);
  scene.bench.options.admin_key = NULL;
  bench_start(&scene.bench);
  peer_open(&scene.peer, &scene.bench);
  peer_call(&scene.peer, "GET", "/workspaces", "eb_admin_x", "", NULL);
  assert_refused(&scene.peer, 404, "not_found");
  peer_call(&scene.peer, "GET", "/projects/project", "", "", NULL);
  assert_refused(&scene.peer, 404, "not_found");
  end(&scene);
}

/* ADM-132: the caller's request id comes back, in the error too; without one, or
 * with one that is no visible ASCII or too long, the plane makes one. */
static void test_request_ids(void **state) {
  (void)state;
  scene_t scene;
  char longest[200];
  char header[240];
  begin(&scene);
  peer_t *peer = &scene.peer;
  peer_call(peer, "GET", "/projects/none", BENCH_ADMIN,
            "X-Request-ID: req_\"1\\\r\n", NULL);
  assert_string_equal(peer->request_id, "req_\"1\\");
  assert_body(peer, "\"request_id\":\"req_\\\"1\\\\\"");
  peer_manage(peer, "GET", "/workspaces", NULL, 200);
  assert_int_equal(strlen(peer->request_id), 36);
  peer_call(peer, "GET", "/workspaces", BENCH_ADMIN, "X-Request-ID: a b\r\n",
            NULL);
  assert_int_equal(strlen(peer->request_id), 36);
  memset(longest, 'i', 129);
  longest[129] = '\0';
  snprintf(header, sizeof(header), "X-Request-ID: %s\r\n", longest);
  peer_call(peer, "GET", "/workspaces", BENCH_ADMIN, header, NULL);
  assert_int_equal(strlen(peer->request_id), 36);
  snprintf(header, sizeof(header), "X-Request-ID: %s\r\n", longest + 1);
  peer_call(peer, "GET", "/workspaces", BENCH_ADMIN, header, NULL);
  assert_string_equal(peer->request_id, longest + 1);
  end(&scene);
}

/* ADM-120: an id that is none is as unknown as one that names nothing, also
 * when its encoding is wrong. */
static void test_ids_without_sense(void **state) {
  (void)state;
  static const char *const ids[] = {"00000000-0000-4000-8000-000000000000",
                                    "nonexistent-project-id",
                                    "%2e%2e%2f",
                                    "%zz",
                                    "%",
                                    "'%20or%201=1",
                                    ""};
  scene_t scene;
  char path[200];
  begin(&scene);
  for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
    snprintf(path, sizeof(path), "/projects/%s", ids[i]);
    peer_manage(&scene.peer, "GET", path, NULL, 404);
    snprintf(path, sizeof(path), "/workspaces/%s", ids[i]);
    peer_manage(&scene.peer, "GET", path, NULL, 404);
    snprintf(path, sizeof(path), "/projects/project/keys/%s", ids[i]);
    peer_manage(&scene.peer, "DELETE", path, NULL, 404);
  }
  end(&scene);
}

/* A known path with another method says which methods it takes. */
static void test_methods(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  peer_call(peer, "PUT", "/workspaces", BENCH_ADMIN, "", NULL);
  assert_refused(peer, 405, "method_not_allowed");
  assert_string_equal(peer->allow, "GET, POST");
  peer_call(peer, "POST", "/projects/project", BENCH_ADMIN, "", NULL);
  assert_string_equal(peer->allow, "GET, PATCH, DELETE");
  peer_call(peer, "PATCH", "/projects/project/breakers/metadata", BENCH_ADMIN,
            "", "{}");
  assert_refused(peer, 405, "method_not_allowed");
  end(&scene);
}

/* A body must be a JSON object of at most 1 MiB, and say nothing else. */
static void test_bodies(void **state) {
  (void)state;
  static char big[1024 * 1024 + 2];
  const char *bad[] = {"", "{", "[]", "5", "null", "{} x"};
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    peer_manage(peer, "POST", "/workspaces", bad[i], 400);
    assert_refused(peer, 400, "invalid_json");
  }
  peer_call(peer, "POST", "/workspaces", BENCH_ADMIN,
            "Content-Type: text/plain\r\n", "{}");
  assert_refused(peer, 415, "unsupported_media_type");
  peer_call(peer, "POST", "/workspaces", BENCH_ADMIN,
            "Content-Type: application/json; charset=utf-8\r\n", "{}");
  assert_refused(peer, 422, "validation_error");
  memset(big, ' ', sizeof(big) - 1);
  peer_call(peer, "POST", "/workspaces", BENCH_ADMIN, "", big);
  assert_refused(peer, 413, "body_too_large");
  end(&scene);
}

#define KEYED "Idempotency-Key: k1\r\n"
#define W1 "{\"name\":\"One\",\"slug\":\"one\"}"

/* ADM-128: the same request with the same key happens once and is answered
 * twice; with another body the key is refused. What failed is not kept. */
static void test_idempotency(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t first;
  bench_text_t second;
  begin(&scene);
  peer_t *peer = &scene.peer;
  peer_call(peer, "POST", "/workspaces", BENCH_ADMIN, KEYED, "{\"name\":1}");
  assert_int_equal(peer->status, 422);
  peer_call(peer, "POST", "/workspaces", BENCH_ADMIN, KEYED, W1);
  assert_int_equal(peer->status, 201);
  assert_string_equal(peer->replayed, "");
  peer_member(peer, "id", first);
  peer_call(peer, "POST", "/workspaces", BENCH_ADMIN, KEYED, W1);
  assert_int_equal(peer->status, 201);
  assert_string_equal(peer->replayed, "true");
  peer_member(peer, "id", second);
  assert_string_equal(first, second);
  peer_call(peer, "POST", "/workspaces", BENCH_ADMIN, KEYED,
            "{\"name\":\"Two\",\"slug\":\"two\"}");
  assert_refused(peer, 422, "idempotency_key_reused");
  bench_advance(&scene.bench, 24 * 3600 * 1000);
  peer_close(peer);
  peer_open(peer, &scene.bench);
  peer_call(peer, "POST", "/workspaces", BENCH_ADMIN, KEYED, W1);
  assert_refused(peer, 409, "slug_taken");
  end(&scene);
}

/* Of a thousand and one answers the first is given up. */
static void test_idempotency_is_bounded(void **state) {
  (void)state;
  scene_t scene;
  char header[64];
  begin(&scene);
  peer_t *peer = &scene.peer;
  for (int i = 0; i <= 1000; i++) {
    snprintf(header, sizeof(header), "Idempotency-Key: key-%d\r\n", i);
    peer_call(peer, "POST", "/projects/project/keys", BENCH_ADMIN, header,
              "{}");
    assert_int_equal(peer->status, 201);
    assert_string_equal(peer->replayed, "");
  }
  peer_call(peer, "POST", "/projects/project/keys", BENCH_ADMIN,
            "Idempotency-Key: key-1000\r\n", "{}");
  assert_string_equal(peer->replayed, "true");
  peer_call(peer, "POST", "/projects/project/keys", BENCH_ADMIN,
            "Idempotency-Key: key-0\r\n", "{}");
  assert_string_equal(peer->replayed, "");
  end(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tiers),
      cmocka_unit_test(test_foreign_keys),
      cmocka_unit_test(test_switched_off),
      cmocka_unit_test(test_request_ids),
      cmocka_unit_test(test_ids_without_sense),
      cmocka_unit_test(test_methods),
      cmocka_unit_test(test_bodies),
      cmocka_unit_test(test_idempotency),
      cmocka_unit_test(test_idempotency_is_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
