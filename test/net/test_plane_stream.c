/* SPDX-License-Identifier: Apache-2.0 */
/* What the plane tells: the state stream, metadata, status. */
#include "plane_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct scene_s {
  bench_t bench;
  peer_t peer;
} scene_t;

#define STATE(name, state, rate)                                               \
  "event: state\ndata: {\"breaker\":\"" name "\",\"state\":\"" state           \
  "\",\"allow_rate\":" rate "}\n\n"

static void begin(scene_t *scene) {
  bench_init(&scene->bench);
  bench_start(&scene->bench);
  peer_open(&scene->peer, &scene->bench);
}

static void end(scene_t *scene) {
  peer_close(&scene->peer);
  bench_end(&scene->bench);
}

static void set_state(scene_t *scene, const char *name,
                      ts_breaker_state_t state, double rate) {
  assert_int_equal(ts_plane_set_state(scene->bench.plane, name, state, rate),
                   0);
}

/* What the stream said next must be this, and nothing before or behind it. */
static void assert_stream(peer_t *peer, const char *expected) {
  peer_await_text(peer, expected);
  assert_int_equal(peer->skipped, 0);
  assert_int_equal(peer->body.len, 0);
}

/* E63: the snapshot is one message for each breaker, ordered by name, then the
 * comment with their number. */
static void test_snapshot(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  bench_add_breaker(&scene.bench, "b");
  bench_add_breaker(&scene.bench, "c");
  bench_add_breaker(&scene.bench, "a");
  set_state(&scene, "b", TS_BREAKER_OPEN, 0);
  set_state(&scene, "c", TS_BREAKER_HALF_OPEN, 0.25);
  peer_subscribe(&scene.peer);
  assert_string_equal(scene.peer.content_type, "text/event-stream");
  assert_string_equal(scene.peer.body.ptr,
                      STATE("a", "closed", "1") STATE("b", "open", "0")
                          STATE("c", "half_open", "0.25") ": snapshot 3\n\n");
  assert_int_equal(bench_stats(&scene.bench).streams_open, 1);
  end(&scene);
  assert_int_equal(scene.bench.close_count, 1);
}

/* E64: a project without breakers sends the comment alone. */
static void test_empty_snapshot(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_subscribe(&scene.peer);
  assert_string_equal(scene.peer.body.ptr, ": snapshot 0\n\n");
  end(&scene);
}

/* E65: a change of state or of rate is one message; no change is none. */
static void test_changes_are_sent_once(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  bench_add_breaker(&scene.bench, "b");
  peer_subscribe(&scene.peer);
  peer_await_text(&scene.peer, ": snapshot 1\n\n");
  set_state(&scene, "b", TS_BREAKER_HALF_OPEN, 0.5);
  set_state(&scene, "b", TS_BREAKER_HALF_OPEN, 0.5);
  set_state(&scene, "b", TS_BREAKER_HALF_OPEN, 0.75);
  set_state(&scene, "b", TS_BREAKER_CLOSED, 0.1);
  assert_stream(&scene.peer,
                STATE("b", "half_open", "0.5") STATE("b", "half_open", "0.75")
                    STATE("b", "closed", "1"));
  assert_int_equal(scene.bench.event_count, 2);
  assert_string_equal(scene.bench.events[0].reason, "forced");
  end(&scene);
}

/* E32: the worked life once more from outside: samples in, nine changes out, in
 * order; five of them are transitions. */
static void test_full_life_on_the_stream(void **state) {
  (void)state;
  scene_t scene;
  peer_t reader;
  begin(&scene);
  bench_add_breaker(&scene.bench, "b");
  peer_open(&reader, &scene.bench);
  peer_subscribe(&reader);
  peer_await_text(&reader, ": snapshot 1\n\n");
  for (int64_t at = 500; at < 16000; at += 1000) {
    bench_advance(&scene.bench, 500);
    ts_state_t now = bench_state(&scene.bench, "b");
    if (now.state != TS_BREAKER_OPEN) {
      size_t count = (size_t)(4 * now.allow_rate + 0.999);
      peer_post_samples(&scene.peer, count, at > 9000);
      assert_int_equal(scene.peer.status, 202);
    }
    bench_advance(&scene.bench, 500);
  }
  assert_stream(
      &reader,
      STATE("b", "open", "0") STATE("b", "half_open", "0.2")
          STATE("b", "open", "0") STATE("b", "half_open", "0.2")
              STATE("b", "half_open", "0.4") STATE("b", "half_open", "0.6")
                  STATE("b", "half_open", "0.8") STATE("b", "half_open", "1")
                      STATE("b", "closed", "1"));
  assert_int_equal(scene.bench.event_count, 5);
  for (uint64_t i = 0; i < 5; i++) {
    assert_int_equal(scene.bench.events[i].seq, i + 1);
  }
  assert_string_equal(scene.bench.events[4].reason, "recovered");
  const ts__events_t *log = &scene.bench.plane->project->events;
  assert_int_equal(log->count, 5);
  assert_non_null(strstr(ts__events_at(log, 0)->json.ptr,
                         "\"from_state\":\"half_open\","
                         "\"to_state\":\"closed\""));
  assert_non_null(strstr(ts__events_at(log, 4)->json.ptr,
                         "\"agg\":{\"kind\":\"error_rate\",\"value\":1,"
                         "\"count\":4,\"window_ms\":10000,"));
  peer_close(&reader);
  end(&scene);
}

/* Ticks that are late all come at once, but in the order they were due. */
static void test_late_ticks_keep_their_order(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  ts_plane_breaker_t breaker = bench_breaker("z");
  breaker.kind = TS_PLANE_KIND_CONSECUTIVE_FAILURES;
  breaker.op = TS_PLANE_OP_GTE;
  breaker.threshold = 0;
  assert_int_equal(ts_plane_add_breaker(scene.bench.plane, &breaker), 0);
  bench_advance(&scene.bench, 300);
  breaker.name = "a";
  assert_int_equal(ts_plane_add_breaker(scene.bench.plane, &breaker), 0);
  scene.bench.env.now_ns += 1200 * TS__NS_PER_MS;
  bench_advance(&scene.bench, 0);
  assert_int_equal(scene.bench.event_count, 2);
  assert_string_equal(scene.bench.events[0].name, "z");
  assert_string_equal(scene.bench.events[1].name, "a");
  end(&scene);
}

/* E66: two readers are told the same, in the same order. */
static void test_two_readers(void **state) {
  (void)state;
  scene_t scene;
  peer_t other;
  begin(&scene);
  bench_add_breaker(&scene.bench, "a");
  bench_add_breaker(&scene.bench, "b");
  peer_open(&other, &scene.bench);
  peer_subscribe(&scene.peer);
  peer_subscribe(&other);
  peer_await_text(&scene.peer, ": snapshot 2\n\n");
  peer_await_text(&other, ": snapshot 2\n\n");
  const char *expected =
      STATE("b", "open", "0") STATE("a", "open", "0") STATE("b", "closed", "1");
  set_state(&scene, "b", TS_BREAKER_OPEN, 0);
  set_state(&scene, "a", TS_BREAKER_OPEN, 0);
  set_state(&scene, "b", TS_BREAKER_CLOSED, 0);
  assert_stream(&scene.peer, expected);
  assert_stream(&other, expected);
  peer_close(&other);
  end(&scene);
}

/* E67: whoever comes again gets the whole state; the end before was clean. */
static void test_reconnect(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  bench_add_breaker(&scene.bench, "b");
  peer_subscribe(&scene.peer);
  assert_int_equal(ts_plane_end_streams(scene.bench.plane), 0);
  peer_await_close(&scene.peer);
  assert_true(scene.peer.is_done);
  assert_int_equal(scene.peer.error, 0);
  assert_int_equal(bench_stats(&scene.bench).streams_open, 0);
  set_state(&scene, "b", TS_BREAKER_OPEN, 0);
  peer_close(&scene.peer);
  peer_open(&scene.peer, &scene.bench);
  peer_subscribe(&scene.peer);
  assert_string_equal(scene.peer.body.ptr,
                      STATE("b", "open", "0") ": snapshot 1\n\n");
  end(&scene);
}

/* E68: a new breaker is told, and a removed one is told as closed. */
static void test_add_and_remove(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_subscribe(&scene.peer);
  peer_await_text(&scene.peer, ": snapshot 0\n\n");
  bench_add_breaker(&scene.bench, "b");
  set_state(&scene, "b", TS_BREAKER_OPEN, 0);
  assert_int_equal(ts_plane_remove_breaker(scene.bench.plane, "b"), 0);
  assert_int_equal(ts_plane_remove_breaker(scene.bench.plane, "b"),
                   TS_ENOTFOUND);
  assert_stream(&scene.peer, STATE("b", "closed", "1") STATE("b", "open", "0")
                                 STATE("b", "closed", "1"));
  end(&scene);
}

static int update(scene_t *scene, const char *name,
                  const ts_plane_breaker_t *breaker) {
  return ts_plane_update_breaker(scene->bench.plane, name, breaker);
}

/* The present configuration, to be changed. */
static ts_plane_breaker_t present(scene_t *scene, const char *name) {
  ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
  assert_int_equal(ts_plane_get_breaker(scene->bench.plane, name, &breaker), 0);
  return breaker;
}

/* E46 and E68: a rename is the end of the old name and the beginning of the
 * new one, in the state it has; links stay, history keeps the old name, and
 * another's name is refused. */
static void test_rename(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  bench_add_breaker(&scene.bench, "b");
  bench_add_breaker(&scene.bench, "c");
  peer_subscribe(&scene.peer);
  peer_await_text(&scene.peer, ": snapshot 2\n\n");
  peer_t poster;
  peer_open(&poster, &scene.bench);
  peer_post_samples(&poster, 4, false);
  ts_plane_breaker_t breaker = present(&scene, "b");
  breaker.name = "c";
  assert_int_equal(update(&scene, "b", &breaker), UV_EEXIST);
  breaker.name = "z";
  assert_int_equal(update(&scene, "b", &breaker), 0);
  assert_int_equal(update(&scene, "b", &breaker), TS_ENOTFOUND);
  assert_stream(&scene.peer,
                STATE("b", "open", "0") STATE("c", "open", "0")
                    STATE("b", "closed", "1") STATE("z", "open", "0"));
  assert_int_equal(
      ts_plane_set_state(scene.bench.plane, "z", TS_BREAKER_CLOSED, 0), 0);
  assert_int_equal(ts_plane_release_state(scene.bench.plane, "z"), 0);
  peer_post_samples(&poster, 10, false);
  assert_int_equal(bench_state(&scene.bench, "z").state, TS_BREAKER_OPEN);
  assert_int_equal(ts_plane_unlink(scene.bench.plane, "r", "z"), 0);
  const ts__events_t *log = &scene.bench.plane->project->events;
  assert_non_null(
      strstr(ts__events_at(log, log->count - 1)->json.ptr, "\"name\":\"b\""));
  assert_non_null(strstr(ts__events_at(log, 0)->json.ptr, "\"name\":\"z\""));
  peer_close(&poster);
  end(&scene);
}

/* E46: another metric closes an open breaker, and says why; an update that
 * changes nothing is told to nobody. */
static void test_update_tells_what_changed(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  bench_add_breaker(&scene.bench, "b");
  peer_subscribe(&scene.peer);
  peer_await_text(&scene.peer, ": snapshot 1\n\n");
  peer_t poster;
  peer_open(&poster, &scene.bench);
  peer_post_samples(&poster, 4, false);
  ts_plane_breaker_t breaker = present(&scene, "b");
  assert_int_equal(update(&scene, "b", &breaker), 0);
  breaker = present(&scene, "b");
  breaker.threshold = 0.75;
  assert_int_equal(update(&scene, "b", &breaker), 0);
  assert_int_equal(scene.bench.event_count, 1);
  breaker = present(&scene, "b");
  breaker.metric = "other";
  assert_int_equal(update(&scene, "b", &breaker), 0);
  assert_stream(&scene.peer, STATE("b", "open", "0") STATE("b", "closed", "1"));
  assert_int_equal(scene.bench.event_count, 2);
  assert_string_equal(scene.bench.events[1].reason, "config_changed");
  assert_string_equal(present(&scene, "b").metric, "other");
  peer_close(&poster);
  end(&scene);
}

/* An update is checked as an addition is, and refused whole. */
static void test_update_checks(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  bench_add_breaker(&scene.bench, "b");
  ts_plane_breaker_t breaker = present(&scene, "b");
  breaker.window_ms = 1;
  assert_int_equal(update(&scene, "b", &breaker), UV_EINVAL);
  breaker = present(&scene, "b");
  breaker.id = "another";
  assert_int_equal(update(&scene, "b", &breaker), UV_EINVAL);
  breaker = present(&scene, "b");
  breaker.kind = TS_PLANE_KIND_PERCENTILE;
  assert_int_equal(update(&scene, "b", &breaker), UV_EINVAL);
  breaker.percentile = 99;
  const ts_tag_t tags[] = {{"team", "x"}};
  breaker.metadata = tags;
  breaker.metadata_count = 1;
  for (size_t n = 1; n <= 3; n++) {
    heap_fail(&scene.bench.heap, n, 1);
    assert_int_equal(update(&scene, "b", &breaker), UV_ENOMEM);
    heap_fail(&scene.bench.heap, 0, 0);
    assert_int_equal(present(&scene, "b").kind, TS_PLANE_KIND_ERROR_RATE);
  }
  assert_int_equal(update(&scene, "b", &breaker), 0);
  breaker = present(&scene, "b");
  assert_int_equal(breaker.kind, TS_PLANE_KIND_PERCENTILE);
  assert_true(breaker.percentile > 98.5);
  assert_string_equal(breaker.metadata[0].value, "x");
  breaker.size = 8;
  assert_int_equal(ts_plane_get_breaker(scene.bench.plane, "b", &breaker),
                   UV_EINVAL);
  assert_int_equal(ts_plane_get_breaker(scene.bench.plane, "c", NULL),
                   UV_EINVAL);
  end(&scene);
}

/* E69: who may read: our key alone. An admin key is 401, another project's 403,
 * and a key that is replaced ends its streams. */
static void test_keys(void **state) {
  (void)state;
  scene_t scene;
  bench_init(&scene.bench);
  scene.bench.options.foreign_key = "eb_pk_other";
  bench_start(&scene.bench);
  peer_open(&scene.peer, &scene.bench);
  const struct {
    const char *header;
    int status;
    const char *code;
  } rows[] = {
      {"", 401, "unauthorized"},
      {"Authorization: Bearer \r\n", 401, "unauthorized"},
      {"Authorization: Basic eb_pk_local\r\n", 401, "unauthorized"},
      {"Authorization: Bearer eb_pk_locaL\r\n", 401, "unauthorized"},
      {"Authorization: Bearer eb_admin_1\r\n", 401, "project_key_required"},
      {"Authorization: Bearer eb_pk_other\r\n", 403, "forbidden"}};
  const char *paths[] = {"breakers/state:stream", "breakers/metadata",
                         "routers/metadata", "status"};
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    for (size_t k = 0; k < 4; k++) {
      char path[64];
      snprintf(path, sizeof(path), "project/%s", paths[k]);
      peer_ask(&scene.peer, "GET", path, rows[i].header);
      assert_int_equal(scene.peer.status, rows[i].status);
      assert_body(&scene.peer, rows[i].code);
    }
  }
  peer_subscribe(&scene.peer);
  assert_int_equal(ts_plane_set_project_key(scene.bench.plane, "eb_pk_second"),
                   0);
  peer_await_close(&scene.peer);
  assert_true(scene.peer.is_done);
  end(&scene);
}

/* Unknown projects and paths are 404 with a body that says so; a bad key is
 * told before a bad project, and a wrong method is named. */
static void test_unknown_paths(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  const char *key = "Authorization: Bearer eb_pk_local\r\n";
  peer_ask(&scene.peer, "GET", "nonsense/status", key);
  assert_int_equal(scene.peer.status, 404);
  assert_body(&scene.peer, "\"code\":\"not_found\"");
  peer_ask(&scene.peer, "GET", "nonsense/status", "");
  assert_int_equal(scene.peer.status, 401);
  peer_ask(&scene.peer, "POST", "nonsense/ingest", "Content-Length: 0\r\n");
  assert_int_equal(scene.peer.status, 404);
  peer_get(&scene.peer, "nothing", "");
  assert_int_equal(scene.peer.status, 404);
  assert_true(strlen(scene.peer.request_id) > 4);
  peer_get(&scene.peer, "ingest", "");
  assert_int_equal(scene.peer.status, 405);
  peer_send(&scene.peer,
            TS__STR("GET /v1/projects/pro%6aect/breakers/state%3Astream?a= "
                    "HTTP/1.1\r\nHost: x\r\n"
                    "Authorization: bearer eb_pk_local\r\n\r\n"));
  peer_await_text(&scene.peer, ": snapshot 0\n\n");
  end(&scene);
}

/* E70: silence on the stream is broken after its time, and only then. */
static void test_heartbeat(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_subscribe(&scene.peer);
  peer_await_text(&scene.peer, ": snapshot 0\n\n");
  bench_advance(&scene.bench, 14000);
  bench_add_breaker(&scene.bench, "b");
  bench_advance(&scene.bench, 14999);
  peer_await_text(&scene.peer, STATE("b", "closed", "1"));
  assert_int_equal(scene.peer.body.len, 0);
  bench_advance(&scene.bench, 1);
  assert_stream(&scene.peer, ": hb\n\n");
  bench_advance(&scene.bench, 15000);
  assert_stream(&scene.peer, ": hb\n\n");
  end(&scene);
}

/* Metadata comes with a weak ETag that changes with it, and 304 for it. */
static void test_metadata(void **state) {
  (void)state;
  scene_t scene;
  char known[128];
  begin(&scene);
  bench_add_breaker(&scene.bench, "b\"1");
  const ts_tag_t tags[] = {{"tier", "gold"}, {"team", "x"}};
  assert_int_equal(
      ts_plane_set_breaker_metadata(scene.bench.plane, "b\"1", tags, 2), 0);
  peer_get(&scene.peer, "breakers/metadata", "");
  assert_int_equal(scene.peer.status, 200);
  assert_string_equal(
      scene.peer.body.ptr,
      "{\"project_id\":\"project\",\"breakers\":[{\"id\":\"brk_b\\\"1\","
      "\"name\":\"b\\\"1\",\"metadata\":{\"tier\":\"gold\",\"team\":\"x\"}}]}");
  assert_memory_equal(scene.peer.etag, "W/\"", 3);
  snprintf(known, sizeof(known), "If-None-Match: \"x\", %s\r\n",
           scene.peer.etag);
  peer_get(&scene.peer, "breakers/metadata", known);
  assert_int_equal(scene.peer.status, 304);
  assert_int_equal(scene.peer.body.len, 0);
  assert_int_equal(
      ts_plane_set_breaker_metadata(scene.bench.plane, "b\"1", tags, 1), 0);
  peer_get(&scene.peer, "breakers/metadata", known);
  assert_int_equal(scene.peer.status, 200);
  peer_get(&scene.peer, "routers/metadata", "");
  assert_string_equal(scene.peer.body.ptr,
                      "{\"project_id\":\"project\",\"routers\":[{\"id\":\"r\","
                      "\"name\":\"r\",\"metadata\":{}}]}");
  end(&scene);
}

/* E71: what the state endpoint says, under the names of both shapes, is what
 * the stream said last. */
static void test_state_agrees_with_stream(void **state) {
  (void)state;
  scene_t scene;
  peer_t reader;
  begin(&scene);
  bench_add_breaker(&scene.bench, "b");
  peer_open(&reader, &scene.bench);
  peer_subscribe(&reader);
  peer_await_text(&reader, ": snapshot 1\n\n");
  peer_get(&scene.peer, "breakers/brk_b/state", "");
  assert_string_equal(
      scene.peer.body.ptr,
      "{\"breaker_id\":\"brk_b\",\"name\":\"b\",\"state\":\"closed\","
      "\"allow_rate\":1,\"updated_at\":\"2024-01-15T09:50:00.000Z\","
      "\"state_since_ms\":1705312200000,\"last_eval_ms\":null,"
      "\"next_eval_ms\":1705312201000,\"indeterminate\":true}");
  peer_post_samples(&scene.peer, 4, false);
  bench_advance(&scene.bench, 3000);
  assert_stream(&reader,
                STATE("b", "open", "0") STATE("b", "half_open", "0.2"));
  peer_get(&scene.peer, "breakers/brk_b/state", "");
  assert_int_equal(scene.peer.status, 200);
  assert_string_equal(
      scene.peer.body.ptr,
      "{\"breaker_id\":\"brk_b\",\"name\":\"b\",\"state\":\"half_open\","
      "\"allow_rate\":0.2,\"updated_at\":\"2024-01-15T09:50:03.000Z\","
      "\"state_since_ms\":1705312203000,\"last_eval_ms\":1705312203000,"
      "\"next_eval_ms\":1705312204000,\"indeterminate\":false}");
  peer_get(&scene.peer, "breakers/nothing/state", "");
  assert_int_equal(scene.peer.status, 404);
  peer_close(&reader);
  end(&scene);
}

/* E72: half-open breakers count as neither open nor closed. */
static void test_status_counts(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_get(&scene.peer, "status", "");
  assert_string_equal(
      scene.peer.body.ptr,
      "{\"open_count\":0,\"closed_count\":0,\"half_open_count\":0}");
  bench_add_breaker(&scene.bench, "a");
  bench_add_breaker(&scene.bench, "b");
  bench_add_breaker(&scene.bench, "c");
  set_state(&scene, "b", TS_BREAKER_OPEN, 0);
  set_state(&scene, "c", TS_BREAKER_HALF_OPEN, 0.5);
  bench_advance(&scene.bench, 1000);
  peer_get(&scene.peer, "status", "");
  assert_string_equal(
      scene.peer.body.ptr,
      "{\"open_count\":1,\"closed_count\":1,\"half_open_count\":1,"
      "\"last_eval_ms\":1705312201000}");
  end(&scene);
}

/* E73: an idle project is not modified, however often it was evaluated; a
 * transition is a change; HEAD has the headers and no body. */
static void test_status_etag(void **state) {
  (void)state;
  scene_t scene;
  char known[128];
  begin(&scene);
  bench_add_breaker(&scene.bench, "a");
  peer_get(&scene.peer, "status", "");
  snprintf(known, sizeof(known), "If-None-Match: %s\r\n", scene.peer.etag);
  bench_advance(&scene.bench, 10000);
  peer_get(&scene.peer, "status", known);
  assert_int_equal(scene.peer.status, 304);
  set_state(&scene, "a", TS_BREAKER_OPEN, 0);
  peer_get(&scene.peer, "status", known);
  assert_int_equal(scene.peer.status, 200);
  peer_ask(&scene.peer, "HEAD", "project/status",
           "Authorization: Bearer eb_pk_local\r\n");
  assert_int_equal(scene.peer.status, 200);
  assert_true(scene.peer.etag[0] != '\0');
  assert_int_equal(scene.peer.body.len, 0);
  peer_get(&scene.peer, "status", "");
  assert_int_equal(scene.peer.status, 200);
  end(&scene);
}

/* No answer to HEAD has a body, refusals too: the connection stays in step. */
static void test_head_is_bare(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  peer_ask(&scene.peer, "HEAD", "project/status", "");
  assert_int_equal(scene.peer.status, 401);
  peer_ask(&scene.peer, "HEAD", "project/nothing", "");
  assert_int_equal(scene.peer.status, 404);
  peer_ask(&scene.peer, "HEAD", "project/breakers/metadata", "");
  assert_int_equal(scene.peer.status, 405);
  peer_get(&scene.peer, "status", "");
  assert_int_equal(scene.peer.status, 200);
  assert_int_equal(bench_stats(&scene.bench).connections_total, 1);
  end(&scene);
}

/* A reader that does not read is disconnected, and nobody else is. */
static void test_slow_reader(void **state) {
  (void)state;
  scene_t scene;
  bench_init(&scene.bench);
  bench_start(&scene.bench);
  bench_add_breaker(&scene.bench, "b");
  peer_open(&scene.peer, &scene.bench);
  peer_subscribe(&scene.peer);
  /* No turn of the loop here, so the peer cannot read. */
  for (int i = 0; i < 300000; i++) {
    set_state(&scene, "b", i % 2 ? TS_BREAKER_OPEN : TS_BREAKER_CLOSED, 0);
    if (bench_stats(&scene.bench).streams_open == 0) {
      break;
    }
  }
  assert_int_equal(bench_stats(&scene.bench).streams_open, 0);
  peer_await_close(&scene.peer);
  end(&scene);
}

/* When a change cannot be told for want of memory, the streams end: whoever
 * comes again hears of it. */
static void test_push_out_of_memory(void **state) {
  (void)state;
  for (size_t n = 1; n <= 2; n++) {
    scene_t scene;
    begin(&scene);
    bench_add_breaker(&scene.bench, "b");
    peer_subscribe(&scene.peer);
    heap_fail(&scene.bench.heap, n, 1);
    set_state(&scene, "b", TS_BREAKER_OPEN, 0);
    heap_fail(&scene.bench.heap, 0, 0);
    peer_await_close(&scene.peer);
    assert_true(scene.peer.is_done);
    assert_int_equal(bench_state(&scene.bench, "b").state, TS_BREAKER_OPEN);
    end(&scene);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_snapshot),
      cmocka_unit_test(test_empty_snapshot),
      cmocka_unit_test(test_changes_are_sent_once),
      cmocka_unit_test(test_full_life_on_the_stream),
      cmocka_unit_test(test_late_ticks_keep_their_order),
      cmocka_unit_test(test_two_readers),
      cmocka_unit_test(test_reconnect),
      cmocka_unit_test(test_add_and_remove),
      cmocka_unit_test(test_rename),
      cmocka_unit_test(test_update_tells_what_changed),
      cmocka_unit_test(test_update_checks),
      cmocka_unit_test(test_keys),
      cmocka_unit_test(test_unknown_paths),
      cmocka_unit_test(test_heartbeat),
      cmocka_unit_test(test_metadata),
      cmocka_unit_test(test_state_agrees_with_stream),
      cmocka_unit_test(test_status_counts),
      cmocka_unit_test(test_status_etag),
      cmocka_unit_test(test_head_is_bare),
      cmocka_unit_test(test_slow_reader),
      cmocka_unit_test(test_push_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
