/* SPDX-License-Identifier: Apache-2.0 */
/* What the plane takes in, over real sockets. */
#include "plane_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/gzip.h"
#include "wire/sign.h"

#define ROUTER "550e8400-e29b-41d4-a716-446655440000"

static const char vector_body[] =
    "{\"samples\":[{\"router_id\":\"" ROUTER "\",\"metric\":\"latency\","
    "\"ts_ms\":1705312200000,\"value\":245.5,\"ok\":true}]}";

static const char vector_gzip[] =
    "1f8b08000000000004030183007cff7b2273616d706c6573223a5b7b22726f757465725f"
    "6964223a2235353065383430302d653239622d343164342d613731362d34343636353534"
    "3430303030222c226d6574726963223a226c6174656e6379222c2274735f6d73223a3137"
    "30353331323230303030302c2276616c7565223a3234352e352c226f6b223a747275657d"
    "5d7de4fb918183000000";

#define SIGNED_PLAIN                                                           \
  "v1=5d11c08cdc7065e1e82df2eb37532d2747bcbdf841c9a836a1dd3ac05c572152"
#define SIGNED_GZIP                                                            \
  "v1=7cffd775ab33fd1b232c3fc90b818ac11b9d1bbf528d0b0e77b03486f11c5f19"
#define SIGNED_ASCII_KEY                                                       \
  "v1=c08cdbc9c3b46f8b62401a31cc8a9df368b771fa02291099b1bd51a399521e86"

typedef struct scene_s {
  bench_t bench;
  peer_t peer;
} scene_t;

static void begin(scene_t *scene) {
  bench_start(&scene->bench);
  peer_open(&scene->peer, &scene->bench);
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  router.id = ROUTER;
  assert_int_equal(ts_plane_add_router(scene->bench.plane, &router), 0);
}

/* A plane with a secret; signatures are wanted or not. */
static void begin_signed(scene_t *scene, bool wanted) {
  bench_init(&scene->bench);
  scene->bench.options.ingest_secret = BENCH_SECRET;
  scene->bench.options.enable_signed_ingest = wanted;
  begin(scene);
}

static void begin_plain(scene_t *scene) {
  bench_init(&scene->bench);
  begin(scene);
  bench_add_breaker(&scene->bench, "b");
}

static void end(scene_t *scene) {
  peer_close(&scene->peer);
  bench_end(&scene->bench);
}

static void post_text(scene_t *scene, const char *headers, const char *body) {
  if (scene->peer.is_closed) {
    peer_close(&scene->peer);
    peer_open(&scene->peer, &scene->bench);
  }
  peer_post(&scene->peer, headers, ts__str(body));
}

/* The status of a signed post. */
static int post_signed(scene_t *scene, const char *timestamp,
                       const char *signature, ts__str_t body,
                       const char *more) {
  char headers[512];
  snprintf(headers, sizeof(headers), "%s%s%s%s%s%s%s",
           timestamp ? "X-EB-Timestamp: " : "", timestamp ? timestamp : "",
           timestamp ? "\r\n" : "", signature ? "X-EB-Signature: " : "",
           signature ? signature : "", signature ? "\r\n" : "", more);
  peer_post(&scene->peer, headers, body);
  return scene->peer.status;
}

static size_t from_hex(const char *hex, char *bytes) {
  size_t len = strlen(hex) / 2;
  for (size_t i = 0; i < len; i++) {
    char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
    bytes[i] = (char)strtol(pair, NULL, 16);
  }
  return len;
}

/* E47: an object with samples and a bare array are the same. */
static void test_object_and_array(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  post_text(&scene, "", vector_body);
  assert_int_equal(scene.peer.status, 202);
  assert_string_equal(scene.peer.body.ptr, "{\"accepted\":1}");
  peer_post_samples(&scene.peer, 3, true);
  assert_int_equal(scene.peer.status, 202);
  assert_string_equal(scene.peer.body.ptr, "{\"accepted\":3}");
  assert_int_equal(scene.bench.sample_count, 4);
  assert_int_equal(bench_stats(&scene.bench).samples_accepted, 4);
  end(&scene);
}

/* E48 and E49: the signature covers the bytes as they travel, compressed or
 * not. */
static void test_signature_vectors(void **state) {
  (void)state;
  scene_t scene;
  char gzip[256];
  size_t gzip_len = from_hex(vector_gzip, gzip);
  begin_signed(&scene, true);
  assert_int_equal(post_signed(&scene, "1705312200000", SIGNED_PLAIN,
                               ts__str(vector_body), ""),
                   202);
  assert_int_equal(post_signed(&scene, "1705312200000", SIGNED_GZIP,
                               (ts__str_t){gzip, gzip_len},
                               "Content-Encoding: gzip\r\n"),
                   202);
  assert_int_equal(bench_stats(&scene.bench).samples_accepted, 2);
  end(&scene);
}

/* E50: a key that was not decoded from hex signs nothing. */
static void test_ascii_key_is_refused(void **state) {
  (void)state;
  scene_t scene;
  begin_signed(&scene, false);
  assert_int_equal(post_signed(&scene, "1705312200000", SIGNED_ASCII_KEY,
                               ts__str(vector_body), ""),
                   401);
  assert_body(&scene.peer, "invalid_signature");
  end(&scene);
}

/* E51: one flipped bit anywhere in the body or the timestamp is noticed. */
static void test_flipped_bits(void **state) {
  (void)state;
  scene_t scene;
  char body[sizeof(vector_body)];
  begin_signed(&scene, true);
  for (size_t i = 0; i + 1 < sizeof(vector_body); i++) {
    memcpy(body, vector_body, sizeof(body));
    body[i] = (char)(body[i] ^ (1 << (i % 8)));
    assert_int_equal(post_signed(&scene, "1705312200000", SIGNED_PLAIN,
                                 (ts__str_t){body, sizeof(body) - 1}, ""),
                     401);
  }
  for (size_t i = 0; i < 13; i++) {
    char timestamp[] = "1705312200000";
    timestamp[i] = (char)(timestamp[i] ^ 1);
    assert_int_equal(
        post_signed(&scene, timestamp, SIGNED_PLAIN, ts__str(vector_body), ""),
        401);
  }
  assert_int_equal(bench_stats(&scene.bench).samples_accepted, 0);
  end(&scene);
}

/* E52: no signature is fine unless one is wanted; a wrong one never is. */
static void test_unsigned_and_wrong(void **state) {
  (void)state;
  const char wrong[] =
      "v1=0000000000000000000000000000000000000000000000000000000000000000";
  for (int wanted = 0; wanted < 2; wanted++) {
    scene_t scene;
    begin_signed(&scene, wanted);
    assert_int_equal(
        post_signed(&scene, "1705312200000", NULL, ts__str(vector_body), ""),
        wanted ? 401 : 202);
    assert_int_equal(
        post_signed(&scene, "1705312200000", wrong, ts__str(vector_body), ""),
        401);
    end(&scene);
  }
}

static int post_at_offset(scene_t *scene, int64_t offset_ms) {
  unsigned char key[TS__SECRET_BYTES];
  char timestamp[24];
  char signature[TS__SIGNATURE_LEN + 1];
  assert_true(ts__secret_decode(key, ts__str(BENCH_SECRET)));
  snprintf(timestamp, sizeof(timestamp), "%lld",
           (long long)(BENCH_NOW + offset_ms));
  ts__sign(signature, key, ts__str(timestamp), ts__str(vector_body));
  return post_signed(scene, timestamp, signature, ts__str(vector_body), "");
}

/* E53: a signature is good for five minutes around its time, and its time must
 * be there. */
static void test_timestamp_range(void **state) {
  (void)state;
  scene_t scene;
  begin_signed(&scene, true);
  assert_int_equal(post_at_offset(&scene, 299000), 202);
  assert_int_equal(post_at_offset(&scene, -299000), 202);
  assert_int_equal(post_at_offset(&scene, 301000), 401);
  assert_body(&scene.peer, "timestamp_out_of_range");
  assert_int_equal(post_at_offset(&scene, -301000), 401);
  assert_body(&scene.peer, "timestamp_out_of_range");
  assert_int_equal(
      post_signed(&scene, NULL, SIGNED_PLAIN, ts__str(vector_body), ""), 401);
  assert_int_equal(
      post_signed(&scene, "soon", SIGNED_PLAIN, ts__str(vector_body), ""), 401);
  end(&scene);
}

/* E54: digits may be upper case, the version may not be missing. */
static void test_signature_spelling(void **state) {
  (void)state;
  scene_t scene;
  char upper[] = SIGNED_PLAIN;
  for (char *c = upper + 3; *c; c++) {
    *c = (char)(*c >= 'a' ? *c - 32 : *c);
  }
  begin_signed(&scene, true);
  assert_int_equal(
      post_signed(&scene, "1705312200000", upper, ts__str(vector_body), ""),
      202);
  assert_int_equal(post_signed(&scene, "1705312200000", &SIGNED_PLAIN[3],
                               ts__str(vector_body), ""),
                   401);
  end(&scene);
}

/* A plane without a secret cannot vouch for a signature, so it refuses. */
static void test_signature_without_secret(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  assert_int_equal(post_signed(&scene, "1705312200000", SIGNED_PLAIN,
                               ts__str(vector_body), ""),
                   401);
  end(&scene);
}

/* E55: a thousand samples are a batch, one more is too many. */
static void test_batch_size(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  peer_post_samples(&scene.peer, 1000, true);
  assert_int_equal(scene.peer.status, 202);
  peer_post_samples(&scene.peer, 1001, true);
  assert_int_equal(scene.peer.status, 413);
  assert_body(&scene.peer, "batch_too_large");
  assert_int_equal(bench_stats(&scene.bench).samples_accepted, 1000);
  end(&scene);
}

#define GOOD                                                                   \
  "{\"router_id\":\"r\",\"metric\":\"m\",\"ts_ms\":1705312200000,"             \
  "\"value\":1,\"ok\":false}"

/* Post a good sample and a bad one; expect this refusal at index 1. */
static void assert_refused(scene_t *scene, const char *bad, const char *code) {
  char body[2048];
  char expected[64];
  snprintf(body, sizeof(body), "[%s,{%s}]", GOOD, bad);
  snprintf(expected, sizeof(expected), "\"code\":\"%s\"", code);
  post_text(scene, "", body);
  assert_int_equal(scene->peer.status, 422);
  assert_body(&scene->peer, expected);
  assert_body(&scene->peer, "\"index\":1");
}

#define R "\"router_id\":\"r\","
#define M "\"metric\":\"m\","
#define T "\"ts_ms\":1705312200000,"
#define V "\"value\":1,"
#define OK "\"ok\":true"

/* E56: each code once, with the index of the first bad sample, and nothing of
 * the batch is stored. */
static void test_refusals(void **state) {
  (void)state;
  static char tags[2048] = R M T V OK ",\"tags\":{";
  scene_t scene;
  for (int i = 0; i < 33; i++) {
    char tag[16];
    snprintf(tag, sizeof(tag), "%s\"k%d\":\"v\"", i ? "," : "", i);
    strcat(tags, tag);
  }
  strcat(tags, "}");
  begin_plain(&scene);
  assert_refused(&scene, M T V OK, "invalid_router_id");
  assert_refused(&scene, "\"router_id\":\"x\"," M T V OK, "invalid_router_id");
  assert_refused(&scene, R T V OK, "invalid_metric");
  assert_refused(&scene, R "\"metric\":\"\"," T V OK, "invalid_metric");
  assert_refused(&scene, R M V OK, "invalid_ts_ms");
  assert_refused(&scene, R M "\"ts_ms\":0," V OK, "invalid_ts_ms");
  assert_refused(&scene, R M "\"ts_ms\":1705312200," V OK, "ts_ms_too_old");
  assert_refused(&scene, R M "\"ts_ms\":1805312200000," V OK,
                 "ts_ms_in_future");
  assert_refused(&scene, R M T "\"value\":1", "invalid_ok");
  assert_refused(&scene, R M T OK, "invalid_value");
  assert_refused(&scene, R M T V OK ",\"tags\":{\"k\":1}", "invalid_tags");
  assert_refused(&scene, tags, "invalid_tags");
  assert_refused(&scene, R M T V OK ",\"trace_id\":7", "invalid_trace_id");
  ts_plane_stats_t stats = bench_stats(&scene.bench);
  assert_int_equal(stats.samples_accepted, 0);
  assert_int_equal(stats.batches_refused, 13);
  assert_int_equal(scene.bench.sample_count, 0);
  end(&scene);
}

static void post_stamped(scene_t *scene, int64_t ts_ms) {
  char body[256];
  snprintf(body, sizeof(body), "[{" R M "\"ts_ms\":%lld," V OK "}]",
           (long long)ts_ms);
  post_text(scene, "", body);
}

/* E57: an hour back and a minute ahead are accepted to the millisecond. */
static void test_time_limits(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  peer_close(&scene.peer); /* it would have to wait too long */
  bench_advance(&scene.bench, 60000);
  peer_open(&scene.peer, &scene.bench);
  post_stamped(&scene, 1705308660000);
  assert_int_equal(scene.peer.status, 202);
  post_stamped(&scene, 1705308659999);
  assert_body(&scene.peer, "ts_ms_too_old");
  post_stamped(&scene, 1705312320000);
  assert_int_equal(scene.peer.status, 202);
  post_stamped(&scene, 1705312320001);
  assert_body(&scene.peer, "ts_ms_in_future");
  end(&scene);
}

/* E59: near misses of the types are named for what they are. */
static void test_types_are_strict(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  assert_refused(&scene, R M T V "\"ok\":1", "invalid_ok");
  assert_refused(&scene, R M T V "\"ok\":\"true\"", "invalid_ok");
  assert_refused(&scene, R M T "\"value\":null," OK, "invalid_value");
  assert_refused(&scene, R M T "\"value\":\"5\"," OK, "invalid_value");
  assert_refused(&scene, R M T OK, "invalid_value");
  end(&scene);
}

/* E60: what is unknown is ignored, and nothing is a batch too. */
static void test_unknown_members_and_empty(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  post_text(&scene, "",
            "{\"x\":1,\"samples\":[{" R M T V OK ",\"colour\":[1]}]}");
  assert_int_equal(scene.peer.status, 202);
  post_text(&scene, "", "{\"samples\":[]}");
  assert_int_equal(scene.peer.status, 202);
  assert_string_equal(scene.peer.body.ptr, "{\"accepted\":0}");
  post_text(&scene, "", "[]");
  assert_int_equal(scene.peer.status, 202);
  end(&scene);
}

/* E61: what is no batch at all is 400. */
static void test_malformed_bodies(void **state) {
  (void)state;
  scene_t scene;
  char gzip[256];
  size_t len = from_hex(vector_gzip, gzip);
  begin_plain(&scene);
  const char *bodies[] = {"{\"samples\":[", "5", "", "{}", "null",
                          "{\"samples\":5}"};
  for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
    post_text(&scene, "", bodies[i]);
    assert_int_equal(scene.peer.status, 400);
    assert_body(&scene.peer, "invalid_payload");
  }
  peer_post(&scene.peer, "Content-Encoding: gzip\r\n",
            (ts__str_t){gzip, len - 5});
  assert_int_equal(scene.peer.status, 400);
  peer_post(&scene.peer, "Content-Encoding: br\r\n", TS__STR("x"));
  assert_int_equal(scene.peer.status, 415);
  end(&scene);
}

/* A body beyond a mebibyte is refused while it is still on its way. */
static void test_body_too_large(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  char *body = malloc(TS__MAX_REQUEST_BODY + 1);
  assert_non_null(body);
  memset(body, ' ', TS__MAX_REQUEST_BODY + 1);
  peer_post(&scene.peer, "", (ts__str_t){body, TS__MAX_REQUEST_BODY});
  assert_int_equal(scene.peer.status, 400);
  peer_post(&scene.peer, "", (ts__str_t){body, TS__MAX_REQUEST_BODY + 1});
  assert_int_equal(scene.peer.status, 413);
  assert_body(&scene.peer, "body_too_large");
  free(body);
  end(&scene);
}

/* A small body that inflates without end is refused as too large. */
static void test_inflates_too_far(void **state) {
  (void)state;
  static char zeros[1 << 20];
  scene_t scene;
  ts__buf_t bomb;
  begin_plain(&scene);
  const ts__mem_t *mem = &scene.bench.mem;
  ts__buf_init(&bomb, mem, TS__MAX_REQUEST_BODY);
  ts__gzip_t *gzip = ts__gzip_new(mem);
  ts__gzip_begin(gzip);
  for (int i = 0; i < 17; i++) {
    assert_int_equal(
        ts__gzip_add(gzip, (ts__str_t){zeros, sizeof(zeros)}, &bomb), 0);
  }
  assert_int_equal(ts__gzip_end(gzip, &bomb), 0);
  peer_post(&scene.peer, "Content-Encoding: gzip\r\n", ts__buf_str(&bomb));
  assert_int_equal(scene.peer.status, 413);
  ts__gzip_free(gzip);
  ts__buf_deinit(&bomb);
  end(&scene);
}

/* Few bytes may be very many values, and each of them would take memory: that
 * is refused before any is made. What a text holds is no value. */
static void test_too_many_values(void **state) {
  (void)state;
  static char body[200 * 1024];
  scene_t scene;
  begin_plain(&scene);
  memset(body, ',', sizeof(body));
  body[0] = '[';
  peer_post(&scene.peer, "", (ts__str_t){body, sizeof(body)});
  assert_int_equal(scene.peer.status, 413);
  assert_body(&scene.peer, "body_too_large");
  size_t start = (size_t)snprintf(body, sizeof(body), "{\"a\\\"\":\"");
  memset(body + start, ',', sizeof(body) - start);
  memcpy(body + sizeof(body) - 15, "\",\"samples\":[]}", 15);
  peer_post(&scene.peer, "", (ts__str_t){body, sizeof(body)});
  assert_int_equal(scene.peer.status, 202);
  end(&scene);
}

/* A body that claims to inflate to little is not read further than that. */
static void test_gzip_that_lies(void **state) {
  (void)state;
  static char zeros[1 << 20];
  scene_t scene;
  ts__buf_t bomb;
  begin_plain(&scene);
  ts__buf_init(&bomb, &scene.bench.mem, TS__MAX_REQUEST_BODY);
  ts__gzip_t *gzip = ts__gzip_new(&scene.bench.mem);
  ts__gzip_begin(gzip);
  assert_int_equal(ts__gzip_add(gzip, (ts__str_t){zeros, sizeof(zeros)}, &bomb),
                   0);
  assert_int_equal(ts__gzip_end(gzip, &bomb), 0);
  memcpy(bomb.ptr + bomb.len - 4, "\x01\0\0\0", 4);
  peer_post(&scene.peer, "Content-Encoding: gzip\r\n", ts__buf_str(&bomb));
  assert_int_equal(scene.peer.status, 400);
  ts__gzip_free(gzip);
  ts__buf_deinit(&bomb);
  end(&scene);
}

/* Send a batch that is long enough to be read on another thread, and do not
 * wait for the answer. */
static void send_long(scene_t *scene) {
  char body[8192];
  char request[9000];
  size_t len = 0;
  for (int i = 0; i < 80; i++) {
    len += (size_t)snprintf(body + len, sizeof(body) - len, "%s%s",
                            i ? "," : "[", GOOD);
  }
  assert_true(len > 4096 && len + 1 < sizeof(body));
  snprintf(request, sizeof(request),
           "POST /v1/projects/project/ingest HTTP/1.1\r\nHost: x\r\n"
           "Content-Length: %zu\r\n\r\n%s]",
           len + 1, body);
  peer_send(&scene->peer, ts__str(request));
}

/* Turn the loop until the batch is on its way to another thread. */
static void await_reading(scene_t *scene) {
  while (!scene->bench.env.works[0]) {
    uv_run(&scene->bench.loop, UV_RUN_ONCE);
  }
}

/* While a long batch is being read the connection waits, and what it asks next
 * is answered after it. */
static void test_long_batch_keeps_order(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  send_long(&scene);
  peer_send(&scene.peer, TS__STR("GET /v1/projects/project/status HTTP/1.1\r\n"
                                 "Host: x\r\nAuthorization: Bearer "
                                 "eb_pk_local\r\n\r\n"));
  peer_await_answer(&scene.peer);
  if (scene.peer.status == 202) { /* they need not come together */
    peer_await_answer(&scene.peer);
  }
  assert_int_equal(scene.peer.status, 200);
  assert_body(&scene.peer, "\"open_count\":1");
  end(&scene);
}

/* Whoever leaves before the answer will send the batch again: so nothing of it
 * is applied. */
static void test_long_batch_without_a_peer(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  send_long(&scene);
  await_reading(&scene);
  assert_int_equal(ts_plane_stop(scene.bench.plane), 0);
  fake_env_turn(&scene.bench.env);
  ts_plane_stats_t stats = bench_stats(&scene.bench);
  assert_int_equal(stats.samples_accepted, 0);
  assert_int_equal(stats.batches_refused, 1);
  end(&scene);
}

/* A plane may be closed while a batch is being read. */
static void test_close_while_reading(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  send_long(&scene);
  await_reading(&scene);
  end(&scene);
}

/* Its project may be removed meanwhile; then it is not found. */
static void test_project_goes_while_reading(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  send_long(&scene);
  await_reading(&scene);
  ts__plane_remove_project(scene.bench.plane, scene.bench.plane->project);
  peer_await_answer(&scene.peer);
  assert_int_equal(scene.peer.status, 404);
  end(&scene);
}

/* Without a thread a long batch is refused for now. */
static void test_no_thread(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  fake_env_fail_work(&scene.bench.env, UV_ENOMEM);
  send_long(&scene);
  peer_await_answer(&scene.peer);
  assert_int_equal(scene.peer.status, 503);
  send_long(&scene);
  peer_await_answer(&scene.peer);
  assert_int_equal(scene.peer.status, 202);
  end(&scene);
}

/* What does not fit in a window is counted, and said with the transition. */
static void test_forgotten_samples_are_counted(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  ts__evaluator_t *evaluator =
      &ts__project_breaker(scene.bench.plane->project, TS__STR("b"))->evaluator;
  assert_int_equal(ts__evaluator_reserve(evaluator, TS__MAX_POINTS), 0);
  for (size_t i = 0; i < TS__MAX_POINTS; i++) {
    ts__evaluator_add(evaluator, BENCH_NOW - 1, 1, i % 2, BENCH_NOW);
  }
  peer_post_samples(&scene.peer, 4, false);
  assert_int_equal(bench_stats(&scene.bench).samples_forgotten, 4);
  assert_int_equal(scene.bench.event_count, 1);
  const ts__events_t *log = &scene.bench.plane->project->events;
  assert_non_null(
      strstr(ts__events_at(log, 0)->json.ptr, "\"truncated\":true"));
  end(&scene);
}

/* E31: whatever mode a router has, every linked breaker gets every sample. */
static void test_modes_are_alike(void **state) {
  (void)state;
  const ts__router_mode_t modes[] = {TS__ROUTER_CANARY, TS__ROUTER_WEIGHTED};
  for (size_t i = 0; i < 2; i++) {
    scene_t scene;
    begin_plain(&scene);
    bench_add_breaker(&scene.bench, "c");
    ts__project_router(scene.bench.plane->project, TS__STR("r"))->config.mode =
        modes[i];
    peer_post_samples(&scene.peer, 4, false);
    assert_int_equal(bench_state(&scene.bench, "b").state, TS_BREAKER_OPEN);
    assert_int_equal(bench_state(&scene.bench, "c").state, TS_BREAKER_OPEN);
    end(&scene);
  }
}

/* E26: metrics match byte for byte. */
static void test_metric_matches_exactly(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  const char *others[] = {"M", "mm", "m "};
  for (size_t i = 0; i < 3; i++) {
    char body[1024];
    char sample[200];
    snprintf(sample, sizeof(sample),
             "{" R "\"metric\":\"%s\"," T V "\"ok\":false}", others[i]);
    snprintf(body, sizeof(body), "[%s,%s,%s,%s]", sample, sample, sample,
             sample);
    post_text(&scene, "", body);
    assert_int_equal(scene.peer.status, 202);
  }
  assert_int_equal(bench_state(&scene.bench, "b").state, TS_BREAKER_CLOSED);
  end(&scene);
}

/* E27: one router feeds every linked breaker on the metric. */
static void test_fan_out(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  bench_add_breaker(&scene.bench, "c");
  peer_post_samples(&scene.peer, 4, false);
  assert_int_equal(bench_state(&scene.bench, "b").state, TS_BREAKER_OPEN);
  assert_int_equal(bench_state(&scene.bench, "c").state, TS_BREAKER_OPEN);
  end(&scene);
}

/* E28: a breaker linked to two routers pools their samples; linked twice to one
 * it counts once. */
static void test_fan_in(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  router.id = "r2";
  assert_int_equal(ts_plane_add_router(scene.bench.plane, &router), 0);
  assert_int_equal(ts_plane_link(scene.bench.plane, "r2", "b"), 0);
  assert_int_equal(ts_plane_link(scene.bench.plane, "r2", "b"), 0);
  post_text(&scene, "",
            "[" GOOD "," GOOD ",{\"router_id\":\"r2\"," M T V "\"ok\":false}]");
  assert_int_equal(bench_state(&scene.bench, "b").state, TS_BREAKER_CLOSED);
  post_text(&scene, "", "[" GOOD "]");
  assert_int_equal(bench_state(&scene.bench, "b").state, TS_BREAKER_OPEN);
  assert_int_equal(scene.bench.events[0].count, 4);
  end(&scene);
}

/* E29: the samples of a disabled router are accepted and dropped. */
static void test_disabled_router(void **state) {
  (void)state;
  scene_t scene;
  bench_init(&scene.bench);
  begin(&scene);
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  router.id = "r";
  router.enabled = false;
  assert_int_equal(ts_plane_add_router(scene.bench.plane, &router), 0);
  bench_add_breaker(&scene.bench, "b");
  peer_post_samples(&scene.peer, 10, false);
  assert_string_equal(scene.peer.body.ptr, "{\"accepted\":10}");
  assert_int_equal(bench_state(&scene.bench, "b").state, TS_BREAKER_CLOSED);
  end(&scene);
}

/* E30: unlinking ends the flow but keeps what is stored. */
static void test_unlink(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  peer_post_samples(&scene.peer, 3, false);
  assert_int_equal(ts_plane_unlink(scene.bench.plane, "r", "b"), 0);
  assert_int_equal(ts_plane_unlink(scene.bench.plane, "r", "b"), TS_ENOTFOUND);
  peer_post_samples(&scene.peer, 10, false);
  assert_int_equal(bench_state(&scene.bench, "b").state, TS_BREAKER_CLOSED);
  assert_int_equal(ts_plane_link(scene.bench.plane, "r", "b"), 0);
  peer_post_samples(&scene.peer, 1, false);
  assert_int_equal(bench_state(&scene.bench, "b").state, TS_BREAKER_OPEN);
  end(&scene);
}

/* The transition names the last failing sample by its trace id. */
static void test_last_failure_is_kept(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  post_text(
      &scene, "",
      "[" GOOD "," GOOD "," GOOD ",{" R M T V
      "\"ok\":false,\"trace_id\":\"t-4\",\"tags\":{\"a\":\"b\"}},{" R M T V OK
      ",\"trace_id\":\"t-5\"}]");
  assert_int_equal(scene.bench.event_count, 1);
  assert_string_equal(scene.bench.events[0].trace_id, "t-4");
  assert_string_equal(scene.bench.events[0].reason, "threshold_breached");
  end(&scene);
}

/* A callback may close the plane in the middle of a batch. */
static void test_close_inside_sample_callback(void **state) {
  (void)state;
  scene_t scene;
  begin_plain(&scene);
  scene.bench.close_in_callback = true;
  peer_post_samples(&scene.peer, 10, false);
  assert_int_equal(scene.bench.sample_count, 1);
  assert_true(scene.peer.is_closed);
  end(&scene);
}

/* Without memory for a batch the answer is an error or the connection ends;
 * nothing of it is applied, and the plane goes on. */
static void test_out_of_memory(void **state) {
  (void)state;
  static const char body[] = "[{" R M T V OK "}]";
  scene_t scene;
  char request[512];
  snprintf(request, sizeof(request),
           "POST /v1/projects/project/ingest HTTP/1.1\r\nHost: x\r\n"
           "Content-Length: %zu\r\n\r\n%s",
           strlen(body), body);
  begin_plain(&scene);
  peer_post_samples(&scene.peer, 1, true);
  for (size_t n = 1; n < 40; n++) {
    uint64_t before = bench_stats(&scene.bench).samples_accepted;
    if (scene.peer.is_closed) {
      peer_close(&scene.peer);
      peer_open(&scene.peer, &scene.bench);
    }
    peer_send(&scene.peer, ts__str(request));
    heap_fail(&scene.bench.heap, n, 1);
    peer_await_answer(&scene.peer);
    heap_fail(&scene.bench.heap, 0, 0);
    uint64_t after = bench_stats(&scene.bench).samples_accepted;
    assert_int_equal(after - before, scene.peer.status == 202);
  }
  end(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_object_and_array),
      cmocka_unit_test(test_signature_vectors),
      cmocka_unit_test(test_ascii_key_is_refused),
      cmocka_unit_test(test_flipped_bits),
      cmocka_unit_test(test_unsigned_and_wrong),
      cmocka_unit_test(test_timestamp_range),
      cmocka_unit_test(test_signature_spelling),
      cmocka_unit_test(test_signature_without_secret),
      cmocka_unit_test(test_batch_size),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_time_limits),
      cmocka_unit_test(test_types_are_strict),
      cmocka_unit_test(test_unknown_members_and_empty),
      cmocka_unit_test(test_malformed_bodies),
      cmocka_unit_test(test_body_too_large),
      cmocka_unit_test(test_inflates_too_far),
      cmocka_unit_test(test_too_many_values),
      cmocka_unit_test(test_gzip_that_lies),
      cmocka_unit_test(test_long_batch_keeps_order),
      cmocka_unit_test(test_long_batch_without_a_peer),
      cmocka_unit_test(test_close_while_reading),
      cmocka_unit_test(test_project_goes_while_reading),
      cmocka_unit_test(test_no_thread),
      cmocka_unit_test(test_forgotten_samples_are_counted),
      cmocka_unit_test(test_modes_are_alike),
      cmocka_unit_test(test_metric_matches_exactly),
      cmocka_unit_test(test_fan_out),
      cmocka_unit_test(test_fan_in),
      cmocka_unit_test(test_disabled_router),
      cmocka_unit_test(test_unlink),
      cmocka_unit_test(test_last_failure_is_kept),
      cmocka_unit_test(test_close_inside_sample_callback),
      cmocka_unit_test(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
