/* SPDX-License-Identifier: Apache-2.0 */
/* Breakers over the management API, and their states as clients read them. */
#include "plane_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BREAKERS "/projects/project/breakers"

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

/* The usual members of a breaker of this name. */
static const char *rule(const char *name, const char *more) {
  return join("{\"name\":\"", name,
              join("\",\"metric\":\"m\",\"kind\":\"error_rate\",\"op\":\"gt\","
                   "\"threshold\":0.5",
                   more, "}"));
}

static void create(peer_t *peer, const char *name, bench_text_t id) {
  peer_manage(peer, "POST", BREAKERS, rule(name, ""), 201);
  peer_member(peer, "id", id);
}

/* ADM-117: a breaker is made, read, changed and deleted, and is not there any
 * more. */
static void test_life(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  begin(&scene);
  peer_t *peer = &scene.peer;
  peer_manage(peer, "POST", BREAKERS,
              rule("b", ",\"window_ms\":60000,\"min_count\":10"), 201);
  peer_member(peer, "id", id);
  assert_int_equal(strlen(id), 36);
  assert_body(peer, "{\"breaker\":{\"id\":\"");
  assert_body(peer, "},\"router_ids\":[]}");
  const char *one = join(BREAKERS, "/", id);
  peer_manage(peer, "GET", one, NULL, 200);
  assert_body(peer, "\"threshold\":0.5,");
  peer_manage(peer, "PATCH", one, "{\"threshold\":0.75}", 200);
  peer_manage(peer, "GET", one, NULL, 200);
  assert_body(peer, "\"threshold\":0.75,");
  assert_body(peer, "\"name\":\"b\",\"metric\":\"m\",\"kind\":\"error_rate\"");
  peer_manage(peer, "DELETE", one, NULL, 204);
  peer_manage(peer, "GET", one, NULL, 404);
  peer_manage(peer, "PATCH", one, "{}", 404);
  peer_manage(peer, "DELETE", one, NULL, 404);
  end(&scene);
}

/* Every default is written out, and what is computed with it. */
static void test_defaults(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_manage(&scene.peer, "POST", BREAKERS, rule("b", ""), 201);
  assert_body(
      &scene.peer,
      "\"kind_params\":{},\"op\":\"gt\",\"threshold\":0.5,\"window_ms\":60000,"
      "\"min_count\":10,\"min_state_duration_ms\":0,\"cooldown_ms\":0,"
      "\"eval_interval_ms\":1000,\"recovery_allow_rate_ramp_steps\":4,"
      "\"half_open_backoff_enabled\":true,\"half_open_backoff_cap_ms\":300000,"
      "\"half_open_indeterminate_policy\":\"conservative\",\"actions\":{},"
      "\"metadata\":{},\"half_open_confirmation_ms\":5000,"
      "\"recovery_window_ms\":60000}");
  end(&scene);
}

/* What is set is kept as it came; zero and false are values. */
static void test_all_members(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  peer_manage(
      peer, "POST", BREAKERS,
      "{\"name\":\"b\",\"metric\":\"m\",\"kind\":\"percentile\",\"op\":\"lte\","
      "\"threshold\":-2,\"kind_params\":{\"p\":99.9,\"x\":[1]},"
      "\"window_ms\":1e3,\"min_count\":0,\"min_state_duration_ms\":60000,"
      "\"cooldown_ms\":0,\"eval_interval_ms\":500.0,"
      "\"recovery_allow_rate_ramp_steps\":9,"
      "\"half_open_backoff_enabled\":false,\"half_open_backoff_cap_ms\":0,"
      "\"half_open_indeterminate_policy\":\"pessimistic\","
      "\"actions\":{\"a\":{\"b\":null}},\"metadata\":{\"k\":\"v\"},"
      "\"half_open_confirmation_ms\":1,\"id\":\"mine\",\"unknown\":1}",
      201);
  assert_body(
      peer,
      "\"kind_params\":{\"p\":99.9,\"x\":[1]},\"op\":\"lte\",\"threshold\":-2,"
      "\"window_ms\":1000,\"min_count\":0,\"min_state_duration_ms\":60000,"
      "\"cooldown_ms\":0,\"eval_interval_ms\":500,"
      "\"recovery_allow_rate_ramp_steps\":9,"
      "\"half_open_backoff_enabled\":false,\"half_open_backoff_cap_ms\":0,"
      "\"half_open_indeterminate_policy\":\"pessimistic\","
      "\"actions\":{\"a\":{\"b\":null}},\"metadata\":{\"k\":\"v\"},"
      "\"half_open_confirmation_ms\":5000,\"recovery_window_ms\":5000}");
  end(&scene);
}

/* Each member's mistake is told with its name. E17, E24 */
static void test_mistakes(void **state) {
  (void)state;
  static const struct {
    const char *more;
    const char *field;
    const char *code;
  } rows[] = {
      {",\"name\":\"\"", "name", "validation_error"},
      {",\"name\":\"a\\u0007\"", "name", "validation_error"},
      {",\"name\":null", "name", "validation_error"},
      {",\"metric\":5", "metric", "validation_error"},
      {",\"kind\":\"nonsense\"", "kind", "validation_error"},
      {",\"kind\":\"ratio\"", "kind", "unsupported_kind"},
      {",\"kind\":\"slope\"", "kind", "unsupported_kind"},
      {",\"op\":\"ne\"", "op", "validation_error"},
      {",\"threshold\":\"1\"", "threshold", "validation_error"},
      {",\"window_ms\":99", "window_ms", "validation_error"},
      {",\"window_ms\":86400001", "window_ms", "validation_error"},
      {",\"window_ms\":1000.5", "window_ms", "validation_error"},
      {",\"min_count\":-1", "min_count", "validation_error"},
      {",\"eval_interval_ms\":9", "eval_interval_ms", "validation_error"},
      {",\"recovery_allow_rate_ramp_steps\":0",
       "recovery_allow_rate_ramp_steps", "validation_error"},
      {",\"half_open_backoff_enabled\":1", "half_open_backoff_enabled",
       "validation_error"},
      {",\"half_open_indeterminate_policy\":\"x\"",
       "half_open_indeterminate_policy", "validation_error"},
      {",\"actions\":[]", "actions", "validation_error"},
      {",\"metadata\":{\"k\":1}", "metadata", "invalid_metadata"},
      {",\"metadata\":{\"\":\"v\"}", "metadata", "invalid_metadata"},
      {",\"kind\":\"percentile\"", "kind_params.percentile",
       "validation_error"},
      {",\"kind\":\"percentile\",\"kind_params\":{\"percentile\":0}",
       "kind_params.percentile", "validation_error"},
      {",\"kind\":\"percentile\",\"kind_params\":{\"percentile\":101}",
       "kind_params.percentile", "validation_error"},
      {",\"kind\":\"percentile\",\"kind_params\":{\"percentile\":\"95\"}",
       "kind_params.percentile", "validation_error"}};
  scene_t scene;
  bench_text_t text;
  begin(&scene);
  peer_t *peer = &scene.peer;
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    peer_manage(peer, "POST", BREAKERS, rule("b", rows[i].more), 422);
    peer_member(peer, "field", text);
    assert_string_equal(text, rows[i].field);
    peer_member(peer, "code", text);
    assert_string_equal(text, rows[i].code);
  }
  peer_manage(peer, "POST", BREAKERS, "{\"name\":\"b\"}", 422);
  assert_body(peer, "\"field\":\"metric\"");
  peer_manage(peer, "GET", BREAKERS, NULL, 200);
  assert_body(peer, "{\"breakers\":[],\"count\":0,");
  end(&scene);
}

/* Absent stays, null goes back to the default where there is one. */
static void test_tri_state(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  begin(&scene);
  peer_t *peer = &scene.peer;
  peer_manage(peer, "POST", BREAKERS,
              rule("b", ",\"window_ms\":5000,\"min_count\":3,"
                        "\"metadata\":{\"a\":\"1\",\"b\":\"2\"}"),
              201);
  peer_member(peer, "id", id);
  const char *one = join(BREAKERS, "/", id);
  peer_manage(peer, "PATCH", one,
              "{\"window_ms\":null,\"metadata\":{\"c\":\"3\"}}", 200);
  assert_body(peer, "\"window_ms\":60000,\"min_count\":3,");
  assert_body(peer, "\"metadata\":{\"c\":\"3\"}");
  peer_manage(peer, "PATCH", one, "{\"metadata\":null,\"actions\":null}", 200);
  assert_body(peer, "\"metadata\":{}");
  peer_manage(peer, "PATCH", one, "{\"metric\":null}", 422);
  peer_manage(peer, "PATCH", one, "{\"threshold\":null}", 422);
  end(&scene);
}

/* ADM-127: a name is one breaker's. */
static void test_names_are_taken(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  begin(&scene);
  peer_t *peer = &scene.peer;
  create(peer, "a", id);
  create(peer, "b", id);
  peer_manage(peer, "POST", BREAKERS, rule("a", ""), 409);
  assert_body(peer, "\"code\":\"name_taken\"");
  peer_manage(peer, "PATCH", join(BREAKERS, "/", id), "{\"name\":\"a\"}", 409);
  peer_manage(peer, "PATCH", join(BREAKERS, "/", id), "{\"name\":\"b\"}", 200);
  end(&scene);
}

/* E68: a new breaker, a new name and a removal are told to the stream; a change
 * of nothing is not. */
static void test_stream(void **state) {
  (void)state;
  scene_t scene;
  peer_t reader;
  bench_text_t id;
  begin(&scene);
  peer_t *peer = &scene.peer;
  peer_open(&reader, &scene.bench);
  peer_subscribe(&reader);
  create(peer, "old", id);
  peer_await_text(&reader, "{\"breaker\":\"old\",\"state\":\"closed\"");
  const char *one = join(BREAKERS, "/", id);
  peer_manage(peer, "PATCH", one, "{\"threshold\":0.5}", 200);
  peer_manage(peer, "PATCH", one, "{\"name\":\"new\"}", 200);
  peer_await_text(&reader, "{\"breaker\":\"old\",\"state\":\"closed\"");
  peer_await_text(&reader, "{\"breaker\":\"new\",\"state\":\"closed\"");
  peer_manage(peer, "DELETE", one, NULL, 204);
  peer_await_text(&reader, "{\"breaker\":\"new\",\"state\":\"closed\"");
  peer_close(&reader);
  end(&scene);
}

/* ADM-129: the list's ETag stays while nothing changes, names a 304, and changes
 * with an update. */
static void test_etag(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  char etag[64];
  begin(&scene);
  peer_t *peer = &scene.peer;
  create(peer, "b", id);
  peer_manage(peer, "GET", BREAKERS, NULL, 200);
  snprintf(etag, sizeof(etag), "%s", peer->etag);
  assert_memory_equal(etag, "W/\"", 3);
  assert_body(peer, "\"count\":1,\"hash\":\"");
  assert_body(peer, "\"updated_at\":\"2024-01-15T09:50:00\"");
  peer_manage(peer, "PATCH", join(BREAKERS, "/", id), "{}", 200);
  peer_call(peer, "GET", BREAKERS, BENCH_ADMIN,
            join("If-None-Match: ", etag, "\r\n"), NULL);
  assert_int_equal(peer->status, 304);
  peer_manage(peer, "PATCH", join(BREAKERS, "/", id), "{\"min_count\":5}", 200);
  peer_call(peer, "GET", BREAKERS, BENCH_ADMIN,
            join("If-None-Match: ", etag, "\r\n"), NULL);
  assert_int_equal(peer->status, 200);
  assert_string_not_equal(peer->etag, etag);
  end(&scene);
}

/* All breakers come on one page, unless the limit is smaller; then a cursor
 * leads on, and fits no other list. */
static void test_pages(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  bench_text_t cursor;
  begin(&scene);
  peer_t *peer = &scene.peer;
  create(peer, "c", id);
  create(peer, "a", id);
  create(peer, "b", id);
  peer_manage(peer, "GET", BREAKERS "?limit=3", NULL, 200);
  assert_body(peer, "\"next_cursor\":null");
  peer_manage(peer, "GET", BREAKERS "?limit=2", NULL, 200);
  assert_body(peer, "\"name\":\"c\"");
  assert_body(peer, "\"name\":\"a\"");
  assert_no_body(peer, "\"name\":\"b\"");
  peer_member(peer, "next_cursor", cursor);
  peer_manage(peer, "GET", join(BREAKERS "?cursor=", cursor, "&limit=2"), NULL,
              200);
  assert_body(peer, "{\"breakers\":[{\"id\":\"");
  assert_body(peer, "\"name\":\"b\"");
  assert_no_body(peer, "\"name\":\"a\"");
  assert_body(peer, "\"next_cursor\":null");
  peer_manage(peer, "GET",
              join("/projects/project/routers?cursor=", cursor, ""), NULL, 400);
  assert_body(peer, "invalid_query");
  static const char *const wrong[] = {
      "limit=0",
      "limit=-1",
      "limit=x",
      "limit=",
      "cursor=abc",
      "limit=1%zz",
      "cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
  for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    peer_manage(peer, "GET", join(BREAKERS, "?", wrong[i]), NULL, 400);
  }
  end(&scene);
}

/* ADM-126: of a sync, who is named stays with its id, who is not goes, and who
 * is new comes, in the order of the body. */
static void test_sync(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t kept;
  bench_text_t gone;
  begin(&scene);
  peer_t *peer = &scene.peer;
  create(peer, "kept", kept);
  peer_manage(peer, "PATCH", join(BREAKERS, "/", kept), "{\"min_count\":3}",
              200);
  create(peer, "gone", gone);
  char body[1024];
  snprintf(body, sizeof(body), "{\"breakers\":[%s,%s,%s]}", rule("x", ""),
           rule("kept", ""), rule("y", ""));
  peer_manage(peer, "PUT", BREAKERS, body, 200);
  assert_memory_equal(peer->body.ptr, "[{\"id\":\"", 8);
  const char *x = strstr(peer->body.ptr, "\"name\":\"x\"");
  const char *k = strstr(peer->body.ptr, "\"name\":\"kept\"");
  const char *y = strstr(peer->body.ptr, "\"name\":\"y\"");
  assert_true(x && k && y && x < k && k < y);
  assert_body(peer, kept);
  assert_no_body(peer, "\"min_count\":3");
  peer_manage(peer, "GET", join(BREAKERS, "/", kept), NULL, 200);
  assert_body(peer, "\"min_count\":10");
  peer_manage(peer, "GET", join(BREAKERS, "/", gone), NULL, 404);
  peer_manage(peer, "PUT", BREAKERS, "{\"breakers\":[]}", 200);
  assert_string_equal(peer->body.ptr, "[]");
  peer_manage(peer, "GET", BREAKERS, NULL, 200);
  assert_body(peer, "\"count\":0");
  end(&scene);
}

/* One mistake in a sync rejects all of it, and is told with its place. */
static void test_sync_mistakes(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  char body[1024];
  begin(&scene);
  peer_t *peer = &scene.peer;
  create(peer, "kept", id);
  snprintf(body, sizeof(body), "{\"breakers\":[%s,%s]}", rule("a", ""),
           rule("kept", ",\"threshold\":true"));
  peer_manage(peer, "PUT", BREAKERS, body, 422);
  assert_body(peer, "\"field\":\"breakers[1].threshold\"");
  snprintf(body, sizeof(body), "{\"breakers\":[%s,%s]}", rule("a", ""),
           rule("a", ""));
  peer_manage(peer, "PUT", BREAKERS, body, 422);
  assert_body(peer, "\"field\":\"breakers[1].name\"");
  snprintf(body, sizeof(body), "{\"breakers\":[%s,%s]}", rule("kept", ""),
           rule("kept", ""));
  peer_manage(peer, "PUT", BREAKERS, body, 422);
  assert_body(peer, "\"field\":\"breakers[1].name\"");
  peer_manage(peer, "PUT", BREAKERS, "{\"breakers\":[5]}", 422);
  assert_body(peer, "\"field\":\"breakers[0]\"");
  peer_manage(peer, "PUT", BREAKERS, "{\"breakers\":{}}", 422);
  peer_manage(peer, "GET", BREAKERS, NULL, 200);
  assert_body(peer, "\"count\":1,");
  assert_body(peer, id);
  end(&scene);
}

/* E71: a state read has the members of both shapes, and agrees with the
 * stream. */
static void test_state(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  bench_add_breaker(&scene.bench, "b");
  assert_int_equal(
      ts_plane_set_state(scene.bench.plane, "b", TS_BREAKER_HALF_OPEN, 0.3), 0);
  peer_get(peer, "breakers/brk_b/state", "");
  assert_int_equal(peer->status, 200);
  assert_string_equal(
      peer->body.ptr,
      "{\"breaker_id\":\"brk_b\",\"name\":\"b\",\"state\":\"half_open\","
      "\"allow_rate\":0.3,\"updated_at\":\"2024-01-15T09:50:00.000Z\","
      "\"state_since_ms\":1705312200000,\"last_eval_ms\":null,"
      "\"next_eval_ms\":1705312201000,\"indeterminate\":true}");
  peer_get(peer, "breakers/nonsense/state", "");
  assert_int_equal(peer->status, 404);
  end(&scene);
}

static void ask_batch(peer_t *peer, const char *body, int status) {
  peer_call(peer, "POST", "/projects/project/breakers/state:batch",
            "eb_pk_local", "", body);
  assert_int_equal(peer->status, status);
}

/* A batch is the union of what is named and what a router has, by name; unknown
 * ids are passed over. */
static void test_batch(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  ts_plane_breaker_t alone = bench_breaker("alone");
  bench_add_breaker(&scene.bench, "b");
  bench_add_breaker(&scene.bench, "a");
  assert_int_equal(ts_plane_add_breaker(scene.bench.plane, &alone), 0);
  ask_batch(peer, "{\"breaker_ids\":[\"brk_b\",\"brk_a\",\"x\",\"brk_b\"]}",
            200);
  const char *a = strstr(peer->body.ptr, "brk_a");
  const char *b = strstr(peer->body.ptr, "brk_b");
  assert_memory_equal(peer->body.ptr, "{\"states\":[", 11);
  assert_true(a && b && a < b && !strstr(b + 1, "brk_b"));
  assert_no_body(peer, "alone");
  ask_batch(peer, "{\"router_id\":\"r\",\"breaker_ids\":[\"brk_alone\"]}", 200);
  assert_body(peer, "brk_a\"");
  assert_body(peer, "brk_alone");
  ask_batch(peer, "{\"router_id\":\"x\"}", 200);
  assert_string_equal(peer->body.ptr, "{\"states\":[]}");
  ask_batch(peer, "{}", 422);
  ask_batch(peer, "{\"breaker_ids\":5}", 422);
  ask_batch(peer, "{\"breaker_ids\":[5]}", 422);
  ask_batch(peer, "[]", 400);
  end(&scene);
}

/* More than 500 ids are too many. */
static void test_batch_limit(void **state) {
  (void)state;
  static char body[8192];
  scene_t scene;
  begin(&scene);
  size_t len = (size_t)snprintf(body, sizeof(body), "{\"breaker_ids\":[\"x\"");
  for (int i = 1; i < 500; i++) {
    len += (size_t)snprintf(body + len, sizeof(body) - len, ",\"x\"");
  }
  snprintf(body + len, sizeof(body) - len, "]}");
  ask_batch(&scene.peer, body, 200);
  snprintf(body + len, sizeof(body) - len, ",\"x\"]}");
  ask_batch(&scene.peer, body, 422);
  end(&scene);
}

/* ADM-125: metadata is merged, a null takes out, and a twenty-first key is
 * refused and changes nothing; wrapped or bare. */
static void test_metadata(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  char body[1024] = "{\"metadata\":{";
  begin(&scene);
  peer_t *peer = &scene.peer;
  create(peer, "b", id);
  const char *one = join(BREAKERS, "/", join(id, "/metadata", ""));
  peer_manage(peer, "PATCH", one,
              "{\"metadata\":{\"tier\":\"gold\",\"old\":\"x\"}}", 200);
  peer_manage(peer, "PATCH", one, "{\"old\":null,\"none\":null}", 200);
  assert_body(peer, "\"name\":\"b\",\"metadata\":{\"tier\":\"gold\"}}");
  for (int i = 0; i < 20; i++) {
    char pair[32];
    snprintf(pair, sizeof(pair), "%s\"k%d\":\"v\"", i > 0 ? "," : "", i);
    strcat(body, pair);
  }
  peer_manage(peer, "PATCH", one, strcat(body, "}}"), 422);
  assert_body(peer, "invalid_metadata");
  peer_manage(peer, "PATCH", one, "{\"\":\"v\"}", 422);
  peer_manage(peer, "PATCH", one, "{\"k\":1}", 422);
  peer_manage(peer, "PATCH", one, "{\"metadata\":\"text\"}", 200);
  peer_get(peer, "breakers/metadata", "");
  assert_body(peer, "\"metadata\":{\"tier\":\"gold\",\"metadata\":\"text\"}}");
  end(&scene);
}

/* E46: another kind forgets what was measured, and closes the breaker. */
static void test_kind_change(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  bench_add_breaker(&scene.bench, "b");
  peer_post_samples(peer, 4, false);
  assert_int_equal(bench_state(&scene.bench, "b").state, TS_BREAKER_OPEN);
  peer_manage(peer, "PATCH", BREAKERS "/brk_b",
              "{\"kind\":\"percentile\",\"kind_params\":{\"percentile\":50}}",
              200);
  assert_int_equal(bench_state(&scene.bench, "b").state, TS_BREAKER_CLOSED);
  assert_string_equal(scene.bench.events[1].reason, "config_changed");
  peer_manage(peer, "PATCH", BREAKERS "/brk_b", "{\"kind_params\":null}", 422);
  end(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_life),
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_all_members),
      cmocka_unit_test(test_mistakes),
      cmocka_unit_test(test_tri_state),
      cmocka_unit_test(test_names_are_taken),
      cmocka_unit_test(test_stream),
      cmocka_unit_test(test_etag),
      cmocka_unit_test(test_pages),
      cmocka_unit_test(test_sync),
      cmocka_unit_test(test_sync_mistakes),
      cmocka_unit_test(test_state),
      cmocka_unit_test(test_batch),
      cmocka_unit_test(test_batch_limit),
      cmocka_unit_test(test_metadata),
      cmocka_unit_test(test_kind_change),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
