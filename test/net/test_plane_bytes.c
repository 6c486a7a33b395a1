/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that end, stall or are split at any byte, and too much of anything:
 * the documented answer, bounded memory, and nobody else is disturbed. */
#include "hostile.h"

#include <stdio.h>
#include <string.h>

#include "wire/gzip.h"

/*
 * Cut anywhere
 */

/* A request of each kind, whole. */
typedef struct request_s {
  ts__buf_t text;
  const char *status;
} request_t;

enum { REQUESTS = 4 };

static void make_requests(request_t requests[REQUESTS], const ts__mem_t *mem) {
  char headers[256];
  char gzipped[256];
  ts__buf_t body;
  static const char *const statuses[REQUESTS] = {" 202 ", " 200 ", " 204 ",
                                                 " 202 "};
  for (size_t i = 0; i < REQUESTS; i++) {
    ts__buf_init(&requests[i].text, mem, 4096);
    requests[i].status = statuses[i];
  }
  ts__gzip_t *gzip = ts__gzip_new(mem);
  ts__buf_init(&body, mem, 4096);
  ts__gzip_begin(gzip);
  assert_int_equal(ts__gzip_add(gzip, ts__str(scene_sample), &body), 0);
  assert_int_equal(ts__gzip_end(gzip, &body), 0);
  ts__gzip_free(gzip);
  scene_sign(gzipped, ts__buf_str(&body), 0);
  scene_sign(headers, ts__str(scene_sample), 0);
  ts__buf_printf(&requests[0].text,
                 INGEST "%sContent-Encoding: gzip\r\n"
                        "Content-Length: %zu\r\n\r\n",
                 gzipped, body.len);
  assert_int_equal(ts__buf_append(&requests[0].text, ts__buf_str(&body)), 0);
  ts__buf_printf(&requests[1].text, STREAM);
  ts__buf_printf(&requests[2].text,
                 "PUT /plane/v1/projects/project/breakers/brk_b/override "
                 "HTTP/1.1\r\nAuthorization: Bearer " BENCH_ADMIN
                 "\r\nContent-Length: 18\r\n\r\n{\"state\":\"closed\"}");
  ts__buf_printf(&requests[3].text,
                 INGEST "%sTransfer-Encoding: chunked\r\n\r\n%zx;a=b\r\n%s\r\n"
                        "0\r\nTrailer: t\r\n\r\n",
                 headers, strlen(scene_sample), scene_sample);
  ts__buf_deinit(&body);
}

static void free_requests(request_t requests[REQUESTS]) {
  for (size_t i = 0; i < REQUESTS; i++) {
    ts__buf_deinit(&requests[i].text);
  }
}

/* What the plane has taken in, and been told to do. */
static uint64_t count_deeds(const scene_t *scene) {
  const ts_plane_stats_t stats = bench_stats(&scene->bench);
  return stats.samples_accepted + stats.transitions + stats.streams_open;
}

static bool has_one_less(const void *arg) {
  const scene_t *scene = arg;
  return bench_stats(&scene->bench).connections_open == 2;
}

/* A client that ends after any byte of any request leaves nothing behind, and
 * half a request does nothing. */
static void test_closed_at_every_byte(void **state) {
  (void)state;
  request_t requests[REQUESTS];
  scene_t scene;
  scene_begin(&scene);
  make_requests(requests, &scene.bench.mem);
  const uint64_t before = count_deeds(&scene);
  for (size_t kind = 0; kind < REQUESTS; kind++) {
    const ts__str_t text = ts__buf_str(&requests[kind].text);
    for (size_t len = 1; len < text.len; len++) {
      peer_send(&scene.peer, (ts__str_t){text.ptr, len});
      peer_close(&scene.peer);
      bench_until(&scene.bench, has_one_less, &scene);
      peer_open(&scene.peer, &scene.bench);
    }
  }
  assert_int_equal(count_deeds(&scene), before);
  free_requests(requests);
  scene_check_others(&scene);
  scene_end(&scene);
}

/* A client that stalls after any byte is let wait for half a minute, which the
 * next does not notice, and is cut. */
static void test_stalled_at_every_byte(void **state) {
  (void)state;
  request_t requests[REQUESTS];
  scene_t scene;
  scene_begin(&scene);
  make_requests(requests, &scene.bench.mem);
  const uint64_t before = count_deeds(&scene);
  for (size_t kind = 0; kind < REQUESTS; kind++) {
    const ts__str_t text = ts__buf_str(&requests[kind].text);
    crowd_open(&scene.crowd, &scene.bench, text.len - 1);
    for (size_t i = 0; i + 1 < text.len; i++) {
      assert_true(crowd_send(&scene.crowd, i, (ts__str_t){text.ptr, i + 1}));
    }
    scene_check_others(&scene);
    bench_advance(&scene.bench, TS__REQUEST_LIMIT_MS);
    crowd_turn(&scene.bench);
    for (size_t i = 0; i + 1 < text.len; i++) {
      crowd_await_cut(&scene.crowd, i);
    }
    crowd_close(&scene.crowd);
  }
  scene.crowd.fds = NULL;
  /* Beside what the checks have done: four samples and a change each. */
  assert_int_equal(count_deeds(&scene), before + REQUESTS * 5);
  free_requests(requests);
  scene_reopen(&scene);
  scene_end(&scene);
}

/* A request in two pieces, wherever it is cut, is the request. */
static void test_split_at_every_byte(void **state) {
  (void)state;
  request_t requests[REQUESTS];
  scene_t scene;
  scene_begin(&scene);
  make_requests(requests, &scene.bench.mem);
  for (size_t kind = 0; kind < REQUESTS; kind++) {
    const ts__str_t text = ts__buf_str(&requests[kind].text);
    crowd_open(&scene.crowd, &scene.bench, text.len - 1);
    for (size_t i = 0; i + 1 < text.len; i++) {
      assert_true(crowd_send(&scene.crowd, i, (ts__str_t){text.ptr, i + 1}));
      crowd_turn(&scene.bench);
      assert_true(crowd_send(&scene.crowd, i,
                             (ts__str_t){text.ptr + i + 1, text.len - i - 1}));
      crowd_await(&scene.crowd, i, requests[kind].status);
    }
    crowd_close(&scene.crowd);
    crowd_turn(&scene.bench);
  }
  scene.crowd.fds = NULL;
  free_requests(requests);
  scene_check_others(&scene);
  scene_end(&scene);
}

/*
 * Too much of anything
 */

static void repeat(char *to, const char *text, size_t times) {
  const size_t len = strlen(text);
  for (size_t i = 0; i < times; i++) {
    memcpy(to + i * len, text, len);
  }
  to[times * len] = '\0';
}

/* Send these three texts; the answer must have this status and code. */
static void refuse(scene_t *scene, const char *before, const char *much,
                   const char *after, int status, const char *code) {
  const uint64_t deeds = count_deeds(scene);
  scene_reopen(scene);
  peer_send(&scene->peer, ts__str(before));
  peer_send(&scene->peer, ts__str(much));
  if (scene->peer.pipe && after[0]) {
    peer_send(&scene->peer, ts__str(after));
  }
  peer_await_answer(&scene->peer);
  if (scene->peer.status != status || !strstr(scene->peer.body.ptr, code)) {
    fail_msg("%.60s: %d instead of %d: %s", before, scene->peer.status, status,
             scene->peer.body.ptr);
  }
  assert_int_equal(count_deeds(scene), deeds);
}

/* Heads: a line, a header, all of them, their number. */
static void test_large_heads(void **state) {
  (void)state;
  static char much[128 * 1024];
  scene_t scene;
  scene_begin(&scene);
  const size_t bytes = scene.bench.heap.bytes;
  repeat(much, "a", 65537);
  refuse(&scene, "GET /", much, "", 400, "bad_request");
  refuse(&scene, "GET / HTTP/1.1\r\nX: ", much, "", 400, "bad_request");
  refuse(&scene, "GET / HTTP/1.1\r\n", much, "", 400, "bad_request");
  repeat(much, "A: b\r\n", 129);
  refuse(&scene, "GET /v1/none HTTP/1.1\r\n", much, "\r\n", 400, "bad_request");
  repeat(much, "A: b\r\n", 128);
  refuse(&scene, "GET /v1/none HTTP/1.1\r\n", much, "\r\n", 404, "not_found");
  repeat(much, "A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n", 2000);
  refuse(&scene, INGEST "Transfer-Encoding: chunked\r\n\r\n0\r\n", much, "",
         400, "bad_request");
  repeat(much, " ", 70000);
  refuse(&scene, "GET / HTTP/1.1\r\nX:", much, "", 400, "bad_request");
  repeat(much, "\r\n", 40000);
  refuse(&scene, "", much, "", 400, "bad_request");
  scene_reopen(&scene);
  scene_check_others(&scene);
  assert_true(scene.bench.heap.peak_bytes < bytes + (1u << 20));
  scene_end(&scene);
}

/* Bodies: announced, in one chunk, in many, with a long extension. */
static void test_large_bodies(void **state) {
  (void)state;
  static char much[2 * 1024 * 1024];
  scene_t scene;
  scene_begin(&scene);
  const size_t bytes = scene.bench.heap.bytes;
  repeat(much, " ", TS__MAX_REQUEST_BODY + 1);
  refuse(&scene, INGEST "Content-Length: 9223372036854775807\r\n\r\n", much, "",
         413, "body_too_large");
  refuse(&scene, INGEST "Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n", much,
         "", 413, "body_too_large");
  refuse(&scene,
         "POST /v1/workspaces HTTP/1.1\r\nAuthorization: Bearer " BENCH_ADMIN
         "\r\nContent-Length: 1048577\r\n\r\n",
         much, "", 413, "body_too_large");
  refuse(&scene, INGEST "Content-Length: 99999999999999999999\r\n\r\n", "x", "",
         400, "bad_request");
  refuse(&scene, INGEST "Transfer-Encoding: chunked\r\n\r\n1;",
         (repeat(much, "a", 65537), much), "", 400, "bad_request");
  scene_reopen(&scene);
  scene_check_others(&scene);
  assert_true(scene.bench.heap.peak_bytes < bytes + (5u << 20));
  scene_end(&scene);
}

/* One sample with this much of something, and what it is refused with. */
static void refuse_sample(scene_t *scene, const char *before, const char *unit,
                          size_t times, const char *after, const char *code) {
  static char much[64 * 1024];
  static char body[80 * 1024];
  repeat(much, unit, times);
  snprintf(body, sizeof(body),
           "[{\"router_id\":\"r\",\"ts_ms\":1705312200000,\"value\":1,"
           "\"ok\":true,%s%s%s}]",
           before, much, after);
  peer_post(&scene->peer, "", ts__str(body));
  const int status = code[0] ? 422 : 202;
  if (scene->peer.status != status || !strstr(scene->peer.body.ptr, code)) {
    fail_msg("%s x %zu: %d: %s", before, times, scene->peer.status,
             scene->peer.body.ptr);
  }
}

/* Texts of a sample count by characters, and one too many is refused. */
static void test_large_samples(void **state) {
  (void)state;
  const char *tags = "\"metric\":\"m\",\"tags\":{\"k\":\"v\"";
  char tag[48];
  static char many[64 * 64];
  scene_t scene;
  scene_begin(&scene);
  refuse_sample(&scene, "\"metric\":\"", "\xc3\xa9", 255, "\"", "");
  refuse_sample(&scene, "\"metric\":\"", "\xc3\xa9", 256, "\"",
                "invalid_metric");
  refuse_sample(&scene, "\"metric\":\"m\",\"trace_id\":\"", "t", 255, "\"", "");
  refuse_sample(&scene, "\"metric\":\"m\",\"trace_id\":\"", "t", 256, "\"",
                "invalid_trace_id");
  refuse_sample(&scene, "\"metric\":\"m\",\"tags\":{\"", "k", 64, "\":\"v\"}",
                "");
  refuse_sample(&scene, "\"metric\":\"m\",\"tags\":{\"", "k", 65, "\":\"v\"}",
                "invalid_tags");
  refuse_sample(&scene, "\"metric\":\"m\",\"tags\":{\"k\":\"", "v", 255, "\"}",
                "");
  refuse_sample(&scene, "\"metric\":\"m\",\"tags\":{\"k\":\"", "v", 256, "\"}",
                "invalid_tags");
  for (int i = 0; i < 32; i++) {
    snprintf(tag, sizeof(tag), ",\"k%d\":\"v\"", i);
    strcat(many, tag);
    if (i >= 30) {
      refuse_sample(&scene, tags, many, 1, "}", i == 30 ? "" : "invalid_tags");
    }
  }
  scene_check_others(&scene);
  scene_end(&scene);
}

/* JSON that is nested without end is no JSON to us, whoever asks. */
static void test_deep_json(void **state) {
  (void)state;
  static char deep[200 * 1024];
  static char body[210 * 1024];
  scene_t scene;
  scene_begin(&scene);
  repeat(deep, "[", 99999);
  scene_post(&scene, "", ts__str(deep), 400, "invalid_payload");
  repeat(deep, "[", 65);
  repeat(deep + 65, "]", 65);
  scene_post(&scene, "", ts__str(deep), 400, "invalid_payload");
  repeat(deep, "{\"a\":", 30000);
  scene_post(&scene, "", ts__str(deep), 400, "invalid_payload");
  repeat(deep, "[", 100000);
  snprintf(body, sizeof(body), "{\"name\":%s", deep);
  peer_manage(&scene.peer, "POST", "/workspaces", body, 400);
  assert_body(&scene.peer, "invalid_json");
  scene_check_others(&scene);
  scene_end(&scene);
}

/* Texts of the management API that are too long are named. */
static void test_large_texts(void **state) {
  (void)state;
  static char text[4096];
  static char body[8192];
  static const struct {
    const char *path;
    const char *format;
    const char *field;
  } members[] = {
      {"/workspaces", "{\"name\":\"%s\",\"slug\":\"s\"}", "name"},
      {"/projects/project/breakers",
       "{\"name\":\"%s\",\"metric\":\"m\",\"kind\":\"avg\",\"op\":\"gt\","
       "\"threshold\":1}",
       "name"},
      {"/projects/project/breakers",
       "{\"name\":\"x\",\"metric\":\"%s\",\"kind\":\"avg\",\"op\":\"gt\","
       "\"threshold\":1}",
       "metric"},
      {"/projects/project/routers", "{\"name\":\"%s\",\"mode\":\"static\"}",
       "name"},
      {"/projects/project/keys", "{\"name\":\"%s\"}", "name"},
  };
  scene_t scene;
  scene_begin(&scene);
  repeat(text, "n", 300);
  for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
    snprintf(body, sizeof(body), members[i].format, text);
    peer_manage(&scene.peer, "POST", members[i].path, body, 422);
    assert_body(&scene.peer, join("\"field\":\"", members[i].field, "\""));
  }
  scene_check_others(&scene);
  scene_end(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_closed_at_every_byte),
      cmocka_unit_test(test_stalled_at_every_byte),
      cmocka_unit_test(test_split_at_every_byte),
      cmocka_unit_test(test_large_heads),
      cmocka_unit_test(test_large_bodies),
      cmocka_unit_test(test_large_samples),
      cmocka_unit_test(test_deep_json),
      cmocka_unit_test(test_large_texts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
