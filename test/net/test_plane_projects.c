/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces, projects and keys over the management API. */
#include "plane_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"

typedef struct scene_s {
  bench_t bench;
  peer_t peer;
  bench_text_t workspace; /* the first there is */
} scene_t;

static void begin(scene_t *scene) {
  bench_init(&scene->bench);
  bench_start(&scene->bench);
  peer_open(&scene->peer, &scene->bench);
  peer_manage(&scene->peer, "GET", "/workspaces", NULL, 200);
  peer_member(&scene->peer, "id", scene->workspace);
}

static void end(scene_t *scene) {
  peer_close(&scene->peer);
  bench_end(&scene->bench);
}

/* ADM-115: a workspace is made, read, renamed, listed and deleted, and is not
 * there any more. */
static void test_workspace_life(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  begin(&scene);
  peer_t *peer = &scene.peer;
  peer_manage(peer, "POST", "/workspaces",
              "{\"name\":\"Dev\",\"slug\":\"dev\",\"more\":1}", 201);
  peer_member(peer, "id", id);
  assert_int_equal(strlen(id), 36);
  peer_manage(peer, "GET", join("/workspaces/", id, ""), NULL, 200);
  assert_body(peer, "\"name\":\"Dev\",\"slug\":\"dev\",\"org_id\":\"");
  assert_body(peer, "\"inserted_at\":\"2024-01-15T09:50:00.000Z\"");
  peer_manage(peer, "PATCH", join("/workspaces/", id, ""),
              "{\"name\":\"Renamed\"}", 200);
  assert_body(peer, "\"name\":\"Renamed\",\"slug\":\"dev\"");
  peer_manage(peer, "PATCH", join("/workspaces/", id, ""), "{}", 200);
  peer_manage(peer, "GET", "/workspaces", NULL, 200);
  assert_body(peer, "{\"workspaces\":[{");
  assert_body(peer, "\"name\":\"Renamed\"");
  peer_manage(peer, "DELETE", join("/workspaces/", id, ""), NULL, 204);
  assert_int_equal(peer->body.len, 0);
  peer_manage(peer, "GET", join("/workspaces/", id, ""), NULL, 404);
  end(&scene);
}

/* Each member's mistakes are told with its name; a slug is one workspace's, and
 * a workspace with projects stays. */
static void test_workspace_mistakes(void **state) {
  (void)state;
  static const struct {
    const char *body;
    const char *field;
  } rows[] = {{"{\"slug\":\"a\"}", "name"},
              {"{\"name\":\"a\"}", "slug"},
              {"{\"name\":\"\",\"slug\":\"a\"}", "name"},
              {"{\"name\":null,\"slug\":\"a\"}", "name"},
              {"{\"name\":5,\"slug\":\"a\"}", "name"},
              {"{\"name\":\"a\\nb\",\"slug\":\"a\"}", "name"},
              {"{\"name\":\"a\",\"slug\":\"-a\"}", "slug"},
              {"{\"name\":\"a\",\"slug\":\"A\"}", "slug"},
              {"{\"name\":\"a\",\"slug\":\"a_b\"}", "slug"}};
  scene_t scene;
  bench_text_t field;
  begin(&scene);
  peer_t *peer = &scene.peer;
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    peer_manage(peer, "POST", "/workspaces", rows[i].body, 422);
    assert_body(peer, "\"code\":\"validation_error\"");
    peer_member(peer, "field", field);
    assert_string_equal(field, rows[i].field);
  }
  peer_manage(peer, "POST", "/workspaces",
              "{\"name\":\"D\",\"slug\":\"default\"}", 409);
  assert_body(peer, "slug_taken");
  peer_manage(peer, "PATCH", join("/workspaces/", scene.workspace, ""),
              "{\"slug\":\"default\"}", 200);
  peer_manage(peer, "DELETE", join("/workspaces/", scene.workspace, ""), NULL,
              409);
  assert_body(peer, "workspace_not_empty");
  end(&scene);
}

/* ADM-113, ADM-114: the plane's own project is there to be read and listed. */
static void test_own_project(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_manage(&scene.peer, "GET", "/projects/project", NULL, 200);
  assert_body(&scene.peer, "\"project_id\":\"project\",\"id\":\"project\"");
  assert_body(&scene.peer, "\"enable_signed_ingest\":false");
  assert_no_body(&scene.peer, "ingest_secret");
  peer_manage(&scene.peer, "GET", "/projects", NULL, 200);
  assert_body(&scene.peer, "\"project_id\":\"project\"");
  assert_body(&scene.peer, "\"count\":1}");
  end(&scene);
}

static void create_project(scene_t *scene, const char *members,
                           bench_text_t id) {
  peer_manage(
      &scene->peer, "POST", "/projects",
      join("{\"workspace_id\":\"", scene->workspace, join("\"", members, "}")),
      201);
  peer_member(&scene->peer, "project_id", id);
}

/* ADM-116: a project is made in a workspace, listed there and nowhere else, and
 * deleted; a name that is to confirm it must be its name. */
static void test_project_life(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  bench_text_t secret;
  begin(&scene);
  peer_t *peer = &scene.peer;
  create_project(&scene, ",\"name\":\"New\"", id);
  peer_member(peer, "ingest_secret", secret);
  assert_int_equal(strlen(secret), 64);
  peer_manage(peer, "GET", join("/projects?workspace_id=", scene.workspace, ""),
              NULL, 200);
  assert_body(peer, id);
  assert_no_body(peer, "ingest_secret");
  peer_manage(peer, "GET", "/projects?workspace_id=other", NULL, 200);
  assert_string_equal(peer->body.ptr, "{\"projects\":[],\"count\":0}");
  peer_manage(peer, "DELETE", join("/projects/", id, ""),
              "{\"confirm_name\":\"Old\"}", 422);
  peer_manage(peer, "DELETE", join("/projects/", id, ""), NULL, 204);
  peer_manage(peer, "GET", join("/projects/", id, ""), NULL, 404);
  end(&scene);
}

/* A workspace is asked for, and must exist; names may be missing, and equal. */
static void test_project_mistakes(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  begin(&scene);
  peer_t *peer = &scene.peer;
  peer_manage(peer, "POST", "/projects", "{\"name\":\"a\"}", 422);
  assert_body(peer, "\"code\":\"workspace_required\"");
  peer_manage(peer, "POST", "/projects", "{\"workspace_id\":5}", 422);
  peer_manage(peer, "POST", "/projects", "{\"workspace_id\":\"x\"}", 404);
  peer_manage(
      peer, "POST", "/projects",
      join("{\"name\":\"\",\"workspace_id\":\"", scene.workspace, "\"}"), 422);
  create_project(&scene, "", id);
  assert_body(peer, "\"name\":null");
  create_project(&scene, ",\"name\":\"Twin\"", id);
  create_project(&scene, ",\"name\":\"Twin\"", id);
  end(&scene);
}

/* What is absent stays, null clears what may be cleared, and a value is set. */
static void test_project_update(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  peer_manage(peer, "PATCH", "/projects/project",
              "{\"name\":\"N\",\"slack_webhook_url\":\"https://s/\","
              "\"trace_id_url_template\":\"https://t/{{value}}\","
              "\"enable_signed_ingest\":true}",
              200);
  peer_manage(peer, "PATCH", "/projects/project",
              "{\"slack_webhook_url\":null,\"enable_signed_ingest\":false}",
              200);
  assert_body(peer, "\"name\":\"N\",\"slack_webhook_url\":null,"
                    "\"trace_id_url_template\":\"https://t/{{value}}\","
                    "\"enable_signed_ingest\":false");
  peer_manage(peer, "PATCH", "/projects/project",
              "{\"enable_signed_ingest\":null}", 422);
  assert_body(peer, "\"field\":\"enable_signed_ingest\"");
  peer_manage(peer, "PATCH", "/projects/project",
              "{\"enable_signed_ingest\":0}", 422);
  peer_manage(peer, "DELETE", "/projects/project", "{\"confirm_name\":\"N\"}",
              204);
  ts_state_t found;
  assert_int_equal(ts_plane_get_state(scene.bench.plane, "b", &found),
                   TS_ENOTFOUND);
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  router.id = "r";
  assert_int_equal(ts_plane_add_router(scene.bench.plane, &router),
                   TS_ENOTFOUND);
  end(&scene);
}

static void post_signed(peer_t *peer, const char *project, const char *secret) {
  const ts__str_t body = TS__STR("{\"samples\":[]}");
  unsigned char key[TS__SECRET_BYTES];
  char signature[TS__SIGNATURE_LEN + 1];
  char stamp[24];
  char headers[256];
  assert_true(ts__secret_decode(key, ts__str(secret)));
  snprintf(stamp, sizeof(stamp), "%lld",
           (long long)ts__wall_ms(&peer->bench->env.env));
  ts__sign(signature, key, ts__str(stamp), body);
  snprintf(headers, sizeof(headers),
           "X-EB-Timestamp: %s\r\nX-EB-Signature: %s\r\n", stamp, signature);
  peer_call(peer, "POST", join("/projects/", project, "/ingest"), NULL, headers,
            body.ptr);
}

/* ADM-131: after a rotation only the new secret signs. */
static void test_rotate(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  bench_text_t old;
  bench_text_t secret;
  begin(&scene);
  peer_t *peer = &scene.peer;
  create_project(&scene, ",\"enable_signed_ingest\":true", id);
  peer_member(peer, "ingest_secret", old);
  post_signed(peer, id, old);
  assert_int_equal(peer->status, 202);
  peer_manage(peer, "POST", join("/projects/", id, "/ingest_secret/rotate"),
              NULL, 200);
  peer_member(peer, "ingest_secret", secret);
  assert_string_not_equal(old, secret);
  post_signed(peer, id, old);
  assert_int_equal(peer->status, 401);
  post_signed(peer, id, secret);
  assert_int_equal(peer->status, 202);
  end(&scene);
}

/* ADM-119: keys are listed by prefix and time, never by their text. */
static void test_keys_list(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t key;
  begin(&scene);
  peer_t *peer = &scene.peer;
  peer_manage(peer, "POST", "/projects/project/keys", "{\"name\":\"ci-key\"}",
              201);
  peer_member(peer, "key", key);
  assert_int_equal(strlen(key), 46);
  assert_memory_equal(key, "eb_pk_", 6);
  assert_body(peer, "\"message\":\"");
  peer_manage(peer, "GET", "/projects/project/keys", NULL, 200);
  assert_body(peer, "\"count\":2}");
  assert_body(peer, "\"name\":\"ci-key\",\"key_prefix\":\"eb_pk_");
  assert_body(peer, "\"last_used_at\":null,"
                    "\"inserted_at\":\"2024-01-15T09:50:00\"");
  assert_no_body(peer, key);
  peer_manage(peer, "POST", "/projects/project/keys", "{\"name\":7}", 422);
  peer_manage(peer, "POST", "/projects/project/keys", NULL, 201);
  end(&scene);
}

/* ADM-122: a new key reads states and no configuration; revoked, it reads
 * nothing, and its streams end. E69 */
static void test_key_life(void **state) {
  (void)state;
  scene_t scene;
  peer_t reader;
  bench_text_t id;
  bench_text_t key;
  begin(&scene);
  peer_t *peer = &scene.peer;
  bench_add_breaker(&scene.bench, "b");
  peer_manage(peer, "POST", "/projects/project/keys", "{}", 201);
  peer_member(peer, "id", id);
  peer_member(peer, "key", key);
  const char *read = "/projects/project/breakers/brk_b/state";
  peer_call(peer, "GET", read, key, "", NULL);
  assert_int_equal(peer->status, 200);
  peer_call(peer, "GET", "/projects/project", key, "", NULL);
  assert_int_equal(peer->status, 401);
  peer_open(&reader, &scene.bench);
  peer_send(&reader,
            ts__str(join("GET /v1/projects/project/breakers/state:stream "
                         "HTTP/1.1\r\nAuthorization: Bearer ",
                         key, "\r\n\r\n")));
  peer_await_text(&reader, ": snapshot 1\n");
  peer_manage(peer, "DELETE", join("/projects/project/keys/", id, ""), NULL,
              204);
  peer_await_close(&reader);
  assert_true(reader.is_done);
  peer_call(peer, "GET", read, key, "", NULL);
  assert_int_equal(peer->status, 401);
  peer_manage(peer, "DELETE", join("/projects/project/keys/", id, ""), NULL,
              404);
  peer_close(&reader);
  end(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_workspace_life),
      cmocka_unit_test(test_workspace_mistakes),
      cmocka_unit_test(test_own_project),
      cmocka_unit_test(test_project_life),
      cmocka_unit_test(test_project_mistakes),
      cmocka_unit_test(test_project_update),
      cmocka_unit_test(test_rotate),
      cmocka_unit_test(test_keys_list),
      cmocka_unit_test(test_key_life),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
