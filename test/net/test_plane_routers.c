/* SPDX-License-Identifier: Apache-2.0 */
/* Routers and their links over the management API. */
#include "plane_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUTERS "/projects/project/routers"

typedef struct scene_s {
  bench_t bench;
  peer_t peer;
} scene_t;

/* With two breakers, a and b, that no router has. */
static void begin(scene_t *scene) {
  ts_plane_breaker_t breaker = bench_breaker("a");
  bench_init(&scene->bench);
  bench_start(&scene->bench);
  assert_int_equal(ts_plane_add_breaker(scene->bench.plane, &breaker), 0);
  breaker.name = "b";
  assert_int_equal(ts_plane_add_breaker(scene->bench.plane, &breaker), 0);
  peer_open(&scene->peer, &scene->bench);
}

static void end(scene_t *scene) {
  peer_close(&scene->peer);
  bench_end(&scene->bench);
}

/* A router is made, read, changed, listed and deleted. */
static void test_life(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  begin(&scene);
  peer_t *peer = &scene.peer;
  peer_manage(peer, "POST", ROUTERS, "{\"name\":\"main\"}", 201);
  peer_member(peer, "id", id);
  assert_body(peer, "{\"router\":{\"id\":\"");
  assert_body(peer, "\"mode\":\"static\",\"enabled\":true,"
                    "\"description\":null,\"metadata\":{},"
                    "\"breaker_count\":0,\"inserted_at\":\"2024-01-15T");
  assert_body(peer, "\"created_by\":\"user\",\"breakers\":[]}}");
  const char *one = join(ROUTERS, "/", id);
  peer_manage(peer, "PATCH", one,
              "{\"mode\":\"canary\",\"enabled\":false,"
              "\"description\":\"two\\nlines\",\"metadata\":{\"k\":\"v\"}}",
              200);
  assert_body(peer, "\"name\":\"main\",\"mode\":\"canary\",\"enabled\":false,"
                    "\"description\":\"two\\nlines\"");
  peer_manage(peer, "PATCH", one, "{\"description\":null,\"metadata\":null}",
              200);
  assert_body(peer, "\"description\":null,\"metadata\":{}");
  peer_manage(peer, "GET", ROUTERS, NULL, 200);
  assert_body(peer, "{\"routers\":[{\"id\":\"");
  peer_manage(peer, "DELETE", one, NULL, 204);
  peer_manage(peer, "GET", one, NULL, 404);
  end(&scene);
}

/* Mistakes are told with the member's name. */
static void test_mistakes(void **state) {
  (void)state;
  static const struct {
    const char *body;
    const char *field;
  } rows[] = {{"{}", "name"},
              {"{\"name\":null}", "name"},
              {"{\"name\":\"r\",\"mode\":\"dynamic\"}", "mode"},
              {"{\"name\":\"r\",\"enabled\":\"yes\"}", "enabled"},
              {"{\"name\":\"r\",\"enabled\":null}", "enabled"},
              {"{\"name\":\"r\",\"description\":5}", "description"},
              {"{\"name\":\"r\",\"breaker_ids\":\"a\"}", "breaker_ids"},
              {"{\"name\":\"r\",\"breaker_ids\":[5]}", "breaker_ids"}};
  scene_t scene;
  bench_text_t field;
  begin(&scene);
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    peer_manage(&scene.peer, "POST", ROUTERS, rows[i].body, 422);
    peer_member(&scene.peer, "field", field);
    assert_string_equal(field, rows[i].field);
  }
  peer_manage(&scene.peer, "POST", ROUTERS,
              "{\"name\":\"r\",\"breaker_ids\":[\"brk_x\"]}", 404);
  end(&scene);
}

/* A router can be made with its links, and shows its breakers in full. */
static void test_create_with_links(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  begin(&scene);
  peer_t *peer = &scene.peer;
  peer_manage(peer, "POST", ROUTERS,
              "{\"name\":\"r\",\"breaker_ids\":[\"brk_b\",\"brk_a\"]}", 201);
  peer_member(peer, "id", id);
  assert_body(peer, "\"breaker_count\":2");
  assert_body(peer, "\"breakers\":[{\"id\":\"brk_b\"");
  peer_manage(peer, "GET", join(ROUTERS, "/", id), NULL, 200);
  assert_body(peer, "\"breaker_count\":2");
  peer_manage(peer, "GET", "/projects/project/breakers/brk_a", NULL, 200);
  assert_body(peer, join("\"router_ids\":[\"", id, "\"]}"));
  end(&scene);
}

/* ADM-123: links are made together or not at all. */
static void test_link(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  begin(&scene);
  peer_t *peer = &scene.peer;
  peer_manage(peer, "POST", ROUTERS, "{\"name\":\"r\"}", 201);
  peer_member(peer, "id", id);
  const char *one = join(ROUTERS, "/", id);
  const char *links = join(one, "/breakers", "");
  peer_manage(peer, "POST", links, "{\"breaker_ids\":[\"brk_a\",\"brk_x\"]}",
              404);
  peer_manage(peer, "GET", one, NULL, 200);
  assert_body(peer, "\"breaker_count\":0");
  peer_manage(peer, "POST", links, "{\"breaker_ids\":[]}", 422);
  peer_manage(peer, "POST", links, "{}", 422);
  peer_manage(peer, "POST", links, "{\"breaker_id\":\"brk_a\"}", 204);
  peer_manage(peer, "POST", links,
              "{\"breaker_ids\":[\"brk_b\",\"brk_a\",\"brk_b\"]}", 204);
  peer_manage(peer, "GET", one, NULL, 200);
  assert_body(peer, "\"breaker_count\":2");
  peer_manage(peer, "POST", ROUTERS "/none/breakers",
              "{\"breaker_id\":\"brk_a\"}", 404);
  end(&scene);
}

/* ADM-124: a router with a link stays; without, it goes. */
static void test_delete_with_links(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  begin(&scene);
  peer_t *peer = &scene.peer;
  peer_manage(peer, "POST", ROUTERS,
              "{\"name\":\"r\",\"breaker_ids\":[\"brk_a\"]}", 201);
  peer_member(peer, "id", id);
  const char *one = join(ROUTERS, "/", id);
  peer_manage(peer, "DELETE", one, NULL, 409);
  assert_body(peer, "\"code\":\"router_has_breakers\"");
  peer_manage(peer, "DELETE", join(one, "/breakers/", "brk_b"), NULL, 404);
  peer_manage(peer, "DELETE", join(one, "/breakers/", "brk_a"), NULL, 204);
  peer_manage(peer, "DELETE", join(one, "/breakers/", "brk_a"), NULL, 404);
  peer_manage(peer, "DELETE", one, NULL, 204);
  end(&scene);
}

/* A breaker that is deleted leaves its routers; one that is renamed stays in
 * them, and its samples still find it. */
static void test_links_follow_breakers(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  begin(&scene);
  peer_t *peer = &scene.peer;
  bench_add_breaker(&scene.bench, "c");
  peer_manage(peer, "PATCH", "/projects/project/breakers/brk_c",
              "{\"name\":\"renamed\"}", 200);
  peer_post_samples(peer, 4, false);
  assert_int_equal(bench_state(&scene.bench, "renamed").state, TS_BREAKER_OPEN);
  peer_manage(peer, "POST", ROUTERS,
              "{\"name\":\"r2\",\"breaker_ids\":[\"brk_c\"]}", 201);
  peer_member(peer, "id", id);
  peer_manage(peer, "DELETE", "/projects/project/breakers/brk_c", NULL, 204);
  peer_manage(peer, "DELETE", join(ROUTERS, "/", id), NULL, 204);
  peer_manage(peer, "DELETE", ROUTERS "/r", NULL, 204);
  end(&scene);
}

/* E29: a router that is switched off takes samples and drops them. */
static void test_disabled(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  bench_add_breaker(&scene.bench, "c");
  peer_manage(peer, "PATCH", ROUTERS "/r", "{\"enabled\":false}", 200);
  peer_post_samples(peer, 4, false);
  assert_int_equal(peer->status, 202);
  assert_int_equal(bench_state(&scene.bench, "c").state, TS_BREAKER_CLOSED);
  end(&scene);
}

/* A router's metadata is merged, and clients with the project's key read it. */
static void test_metadata(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  bench_add_breaker(&scene.bench, "c");
  peer_manage(peer, "PATCH", ROUTERS "/r/metadata",
              "{\"metadata\":{\"env\":\"prod\",\"old\":null}}", 200);
  assert_string_equal(
      peer->body.ptr,
      "{\"id\":\"r\",\"name\":\"r\",\"metadata\":{\"env\":\"prod\"}}");
  peer_get(peer, "routers/metadata", "");
  assert_body(peer, "\"metadata\":{\"env\":\"prod\"}");
  peer_manage(peer, "PATCH", ROUTERS "/r/metadata", "{\"\":\"v\"}", 422);
  peer_manage(peer, "PATCH", ROUTERS "/none/metadata", "{}", 404);
  end(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_life),
      cmocka_unit_test(test_mistakes),
      cmocka_unit_test(test_create_with_links),
      cmocka_unit_test(test_link),
      cmocka_unit_test(test_delete_with_links),
      cmocka_unit_test(test_links_follow_breakers),
      cmocka_unit_test(test_disabled),
      cmocka_unit_test(test_metadata),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
