/* SPDX-License-Identifier: Apache-2.0 */
/* Notification channels, what they are told, and the log of events. */
#include "plane_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNELS "/projects/project/notification-channels"
#define EVENTS "/projects/project/events"

/* A webhook of the test's own: it keeps what it is sent. */
typedef struct hook_s {
  ts__http_server_t server;
  ts__mem_t mem;
  ts__log_t log;
  ts__rng_t rng;
  uint16_t port;
  int status; /* what it answers */
  size_t count;
  char path[64];
  char body[4096];
} hook_t;

typedef struct scene_s {
  bench_t bench;
  peer_t peer;
  hook_t hook;
} scene_t;

static void on_hook(void *owner, ts__http_conn_t *conn,
                    const ts__http_incoming_t *incoming) {
  hook_t *hook = owner;
  hook->count++;
  snprintf(hook->path, sizeof(hook->path), "%.*s",
           (int)incoming->head->target.len, incoming->head->target.ptr);
  snprintf(hook->body, sizeof(hook->body), "%.*s", (int)incoming->body.len,
           incoming->body.ptr);
  ts__http_conn_answer(conn, &(ts__http_answer_t){.status = hook->status});
}

static void on_quiet(void *owner) { (void)owner; }

static void open_hook(scene_t *scene) {
  static const ts__http_server_events_t events = {on_hook, on_quiet};
  hook_t *hook = &scene->hook;
  struct sockaddr_in address;
  ts__mem_init(&hook->mem, NULL);
  hook->status = 200;
  hook->server = (ts__http_server_t){.mem = &hook->mem,
                                     .log = &hook->log,
                                     .schedule = &scene->bench.plane->schedule,
                                     .net = scene->bench.net,
                                     .loop = &scene->bench.loop,
                                     .events = &events,
                                     .owner = hook,
                                     .rng = &hook->rng,
                                     .max_connections = 100};
  ts__http_server_init(&hook->server);
  uv_ip4_addr("127.0.0.1", 0, &address);
  assert_int_equal(ts__http_server_listen(
                       &hook->server, (struct sockaddr *)&address, &hook->port),
                   0);
}

static void begin(scene_t *scene) {
  memset(&scene->hook, 0, sizeof(scene->hook));
  bench_init(&scene->bench);
  bench_start(&scene->bench);
  open_hook(scene);
  peer_open(&scene->peer, &scene->bench);
}

static void end(scene_t *scene) {
  peer_close(&scene->peer);
  ts__http_server_stop(&scene->hook.server);
  bench_end(&scene->bench);
}

/* A webhook channel for the test's own hook, with further members. */
static void create_webhook(scene_t *scene, const char *more, bench_text_t id) {
  char body[512];
  snprintf(body, sizeof(body),
           "{\"name\":\"n\",\"channel\":\"webhook\",\"config\":{\"url\":"
           "\"http://127.0.0.1:%u/hook?k=1\"}%s}",
           (unsigned)scene->hook.port, more);
  peer_manage(&scene->peer, "POST", CHANNELS, body, 201);
  peer_member(&scene->peer, "id", id);
}

static bool was_told(const void *arg) {
  return ((const hook_t *)arg)->count > 0;
}

static void await_hook(scene_t *scene) {
  bench_until(&scene->bench, was_told, &scene->hook);
}

/* A channel is made, read, changed, listed under two names, and deleted. */
static void test_life(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  begin(&scene);
  peer_t *peer = &scene.peer;
  peer_manage(peer, "POST", CHANNELS,
              "{\"channel\":\"slack\",\"config\":{\"webhook_url\":"
              "\"https://hooks.slack.com/services/T/B/x\"},"
              "\"events\":[\"trip\"]}",
              201);
  peer_member(peer, "id", id);
  assert_body(peer, "{\"channel\":{\"id\":\"");
  assert_body(peer, "\"project_id\":\"project\",\"name\":null,"
                    "\"channel\":\"slack\",\"events\":[\"trip\"],"
                    "\"enabled\":true");
  const char *one = join(CHANNELS, "/", id);
  peer_manage(peer, "PATCH", one,
              "{\"name\":\"ops\",\"events\":[],\"enabled\":false,"
              "\"channel\":\"slack\"}",
              200);
  assert_body(peer, "\"name\":\"ops\",\"channel\":\"slack\",\"events\":[],"
                    "\"enabled\":false");
  peer_manage(peer, "PATCH", one, "{\"channel\":\"email\"}", 422);
  peer_manage(peer, "PATCH", one, "{\"name\":null}", 422);
  peer_manage(peer, "GET", CHANNELS, NULL, 200);
  assert_body(peer, "{\"channels\":[{\"id\":\"");
  assert_body(peer, "\"items\":[{\"id\":\"");
  assert_body(peer, "\"next_cursor\":null}");
  peer_manage(peer, "DELETE", one, NULL, 204);
  peer_manage(peer, "GET", one, NULL, 404);
  end(&scene);
}

/* ADM-118: the lists of an empty project are empty, and take a limit. */
static void test_empty_lists(void **state) {
  (void)state;
  static const char *const lists[] = {"breakers", "routers",
                                      "notification-channels", "events"};
  scene_t scene;
  begin(&scene);
  for (size_t i = 0; i < 4; i++) {
    peer_manage(&scene.peer, "GET",
                join("/projects/project/", lists[i], "?limit=10"), NULL, 200);
    assert_body(&scene.peer, ":[]");
    peer_manage(&scene.peer, "GET",
                join("/projects/project/", lists[i], "?limit=zero"), NULL, 400);
  }
  end(&scene);
}

/* Mistakes are told with the member's name. */
static void test_mistakes(void **state) {
  (void)state;
  static const struct {
    const char *body;
    const char *field;
  } rows[] = {
      {"{}", "channel"},
      {"{\"channel\":\"fax\"}", "channel"},
      {"{\"channel\":\"email\"}", "config"},
      {"{\"channel\":\"email\",\"config\":[]}", "config"},
      {"{\"channel\":\"email\",\"config\":{},\"events\":[\"open\"]}", "events"},
      {"{\"channel\":\"email\",\"config\":{},\"events\":\"trip\"}", "events"},
      {"{\"channel\":\"email\",\"config\":{},\"enabled\":1}", "enabled"},
      {"{\"channel\":\"webhook\",\"config\":{}}", "config.url"},
      {"{\"channel\":\"webhook\",\"config\":{\"url\":\"ftp://x/\"}}",
       "config.url"},
      {"{\"channel\":\"webhook\",\"config\":{\"url\":\"http://x/a b\"}}",
       "config.url"},
      {"{\"channel\":\"webhook\",\"config\":{\"url\":\"http:///\"}}",
       "config.url"}};
  scene_t scene;
  bench_text_t field;
  begin(&scene);
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    peer_manage(&scene.peer, "POST", CHANNELS, rows[i].body, 422);
    peer_member(&scene.peer, "field", field);
    assert_string_equal(field, rows[i].field);
  }
  end(&scene);
}

/* What is secret in a configuration is not shown: of addresses the host stays,
 * and nothing of what is called a key, a token or a secret. */
static void test_masking(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_manage(
      &scene.peer, "POST", CHANNELS,
      "{\"channel\":\"pagerduty\",\"config\":{\"routing_key\":\"s1\","
      "\"apiToken\":{\"a\":\"s2\"},\"to\":[\"https://u:s3@h.example:8/s4?s5\","
      "\"plain\"],\"deep\":{\"Client-Secret\":5,\"n\":1.5}}}",
      201);
  assert_body(&scene.peer,
              "\"config\":{\"routing_key\":\"***\",\"apiToken\":\"***\","
              "\"to\":[\"https://h.example:8/***\",\"plain\"],"
              "\"deep\":{\"Client-Secret\":\"***\",\"n\":1.5}}");
  end(&scene);
}

/* Channels come in pages, each under its cursor. */
static void test_pages(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  bench_text_t cursor;
  begin(&scene);
  peer_t *peer = &scene.peer;
  for (int i = 0; i < 51; i++) {
    create_webhook(&scene, "", id);
  }
  peer_manage(peer, "GET", CHANNELS, NULL, 200);
  assert_no_body(peer, id);
  peer_member(peer, "next_cursor", cursor);
  peer_manage(peer, "GET", join(CHANNELS, "?cursor=", cursor), NULL, 200);
  assert_body(peer, join("{\"channels\":[{\"id\":\"", id, "\""));
  assert_body(peer, "\"next_cursor\":null");
  end(&scene);
}

/* E74: a trip and a recovery are posted to who wants to know; opening again is
 * the same incident, and silent. */
static void test_webhook(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  begin(&scene);
  create_webhook(&scene, "", id);
  bench_add_breaker(&scene.bench, "b");
  peer_post_samples(&scene.peer, 4, false);
  await_hook(&scene);
  assert_string_equal(scene.hook.path, "/hook?k=1");
  assert_memory_equal(scene.hook.body, "{\"event\":\"trip\",", 16);
  assert_non_null(strstr(scene.hook.body, "\"from_state\":\"closed\","
                                          "\"to_state\":\"open\""));
  scene.hook.count = 0;
  ts_plane_t *plane = scene.bench.plane;
  ts_plane_set_state(plane, "b", TS_BREAKER_HALF_OPEN, 0.5);
  ts_plane_set_state(plane, "b", TS_BREAKER_OPEN, 0);
  ts_plane_set_state(plane, "b", TS_BREAKER_HALF_OPEN, 0.5);
  ts_plane_set_state(plane, "b", TS_BREAKER_CLOSED, 1);
  await_hook(&scene);
  assert_memory_equal(scene.hook.body, "{\"event\":\"recover\",", 19);
  peer_manage(&scene.peer, "GET", CHANNELS, NULL, 200);
  assert_int_equal(scene.hook.count, 1);
  end(&scene);
}

/* Who is disabled, or does not want this event, or is elsewhere, is not
 * called. */
static void test_silent_channels(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  begin(&scene);
  create_webhook(&scene, ",\"enabled\":false", id);
  create_webhook(&scene, ",\"events\":[\"recover\"]", id);
  peer_manage(&scene.peer, "POST", CHANNELS,
              "{\"channel\":\"webhook\",\"config\":{\"url\":"
              "\"http://192.0.2.1/\"}}",
              201);
  peer_manage(&scene.peer, "POST", CHANNELS,
              "{\"channel\":\"email\",\"config\":{\"to\":\"a@b\"}}", 201);
  bench_add_breaker(&scene.bench, "b");
  peer_post_samples(&scene.peer, 4, false);
  assert_int_equal(scene.bench.plane->delivery_count, 0);
  end(&scene);
}

/* A notification that fails is sent again after 1, 5 and 25 seconds, and then
 * given up. */
static void test_retries(void **state) {
  (void)state;
  static const int64_t pauses[] = {1000, 5000, 25000};
  scene_t scene;
  bench_text_t id;
  begin(&scene);
  scene.hook.status = 500;
  create_webhook(&scene, "", id);
  bench_add_breaker(&scene.bench, "b");
  assert_int_equal(
      ts_plane_set_state(scene.bench.plane, "b", TS_BREAKER_OPEN, 0), 0);
  await_hook(&scene);
  for (size_t i = 0; i < 3; i++) {
    peer_manage(&scene.peer, "GET", CHANNELS, NULL, 200);
    scene.hook.count = 0;
    assert_int_equal(scene.bench.plane->delivery_count, 1);
    bench_advance(&scene.bench, pauses[i]);
    await_hook(&scene);
    assert_int_equal(scene.hook.count, 1);
  }
  peer_manage(&scene.peer, "GET", CHANNELS, NULL, 200);
  assert_int_equal(scene.bench.plane->delivery_count, 0);
  end(&scene);
}

/* A test is delivered once, whatever is answered; only a target that is not
 * there is told. Other types are as good as told. */
static void test_test(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  begin(&scene);
  peer_t *peer = &scene.peer;
  create_webhook(&scene, ",\"enabled\":false", id);
  const char *one = join(CHANNELS, "/", join(id, "/test", ""));
  scene.hook.status = 500;
  peer_manage(peer, "POST", one, NULL, 204);
  assert_string_equal(scene.hook.body, "{\"event\":\"test\"}");
  ts__http_server_stop(&scene.hook.server);
  peer_manage(peer, "POST", one, NULL, 502);
  assert_body(peer, "\"code\":\"delivery_failed\"");
  peer_manage(peer, "POST", CHANNELS, "{\"channel\":\"email\",\"config\":{}}",
              201);
  peer_member(peer, "id", id);
  peer_manage(peer, "POST", join(CHANNELS, "/", join(id, "/test", "")), NULL,
              204);
  peer_manage(peer, "POST", CHANNELS "/none/test", NULL, 404);
  end(&scene);
}

/* Closing the plane ends deliveries that are under way. */
static void test_close(void **state) {
  (void)state;
  scene_t scene;
  bench_text_t id;
  begin(&scene);
  create_webhook(&scene, "", id);
  bench_add_breaker(&scene.bench, "b");
  assert_int_equal(
      ts_plane_set_state(scene.bench.plane, "b", TS_BREAKER_OPEN, 0), 0);
  assert_int_equal(scene.bench.plane->delivery_count, 1);
  peer_send(&scene.peer, ts__str(join("POST /v1" CHANNELS "/", id,
                                      "/test HTTP/1.1\r\nAuthorization: "
                                      "Bearer " BENCH_ADMIN "\r\n\r\n")));
  end(&scene);
}

/* ADM-130: each transition is in the log with both sets of names. */
static void test_events(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  bench_add_breaker(&scene.bench, "b");
  assert_int_equal(
      ts_plane_set_state(scene.bench.plane, "b", TS_BREAKER_OPEN, 0), 0);
  peer_manage(peer, "GET", EVENTS, NULL, 200);
  assert_body(peer, "\"from_state\":\"closed\",\"to_state\":\"open\","
                    "\"prev\":\"closed\",\"curr\":\"open\","
                    "\"reason\":\"forced\"");
  assert_body(peer, "],\"returned\":1,\"next_cursor\":null}");
  end(&scene);
}

static void count_pages(peer_t *peer, const char *query, int pages) {
  bench_text_t cursor;
  peer_manage(peer, "GET", join(EVENTS, query, ""), NULL, 200);
  for (int i = 1; i < pages; i++) {
    assert_body(peer, "\"returned\":50,");
    peer_member(peer, "next_cursor", cursor);
    peer_manage(peer, "GET", join(EVENTS, query, join("&cursor=", cursor, "")),
                NULL, 200);
  }
  assert_body(peer, "\"next_cursor\":null");
}

/* ADM-130: a hundred and twenty events are three pages of fifty at most. */
static void test_event_pages(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  bench_add_breaker(&scene.bench, "b");
  for (int i = 0; i < 120; i++) {
    assert_int_equal(
        ts_plane_set_state(scene.bench.plane, "b",
                           i % 2 ? TS_BREAKER_CLOSED : TS_BREAKER_OPEN, 0),
        0);
  }
  count_pages(&scene.peer, "?limit=50", 3);
  assert_body(&scene.peer, "\"returned\":20,");
  assert_body(&scene.peer, "\"transition_seq\":1,");
  count_pages(&scene.peer, "?breaker_id=brk_b", 3);
  count_pages(&scene.peer, "?limit=1000", 1);
  end(&scene);
}

/* Events are found by breaker and by time, the start included, the end not; the
 * newest comes first. */
static void test_event_filters(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_t *peer = &scene.peer;
  ts_plane_t *plane = scene.bench.plane;
  bench_add_breaker(&scene.bench, "a");
  bench_add_breaker(&scene.bench, "b");
  assert_int_equal(ts_plane_set_state(plane, "a", TS_BREAKER_OPEN, 0), 0);
  bench_advance(&scene.bench, 1000);
  assert_int_equal(ts_plane_set_state(plane, "b", TS_BREAKER_OPEN, 0), 0);
  peer_manage(peer, "GET", EVENTS, NULL, 200);
  assert_true(strstr(peer->body.ptr, "\"name\":\"b\"") <
              strstr(peer->body.ptr, "\"name\":\"a\""));
  peer_manage(peer, "GET", EVENTS "?breaker_id=brk_a", NULL, 200);
  assert_body(peer, "\"returned\":1,");
  peer_manage(peer, "GET", EVENTS "?start_time=2024-01-15T09%3A50%3A01.000Z",
              NULL, 200);
  assert_body(peer, "\"returned\":1,");
  assert_body(peer, "\"name\":\"b\"");
  peer_manage(peer, "GET", EVENTS "?end_time=2024-01-15T09:50:01Z", NULL, 200);
  assert_body(peer, "\"returned\":1,");
  assert_body(peer, "\"name\":\"a\"");
  peer_manage(peer, "GET", EVENTS "?start_time=yesterday", NULL, 400);
  assert_body(peer, "invalid_query");
  end(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_life),
      cmocka_unit_test(test_empty_lists),
      cmocka_unit_test(test_mistakes),
      cmocka_unit_test(test_masking),
      cmocka_unit_test(test_pages),
      cmocka_unit_test(test_webhook),
      cmocka_unit_test(test_silent_channels),
      cmocka_unit_test(test_retries),
      cmocka_unit_test(test_test),
      cmocka_unit_test(test_close),
      cmocka_unit_test(test_events),
      cmocka_unit_test(test_event_pages),
      cmocka_unit_test(test_event_filters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
