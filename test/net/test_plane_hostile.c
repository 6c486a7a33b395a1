/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients who mean harm. Each gets the status that is documented, takes no more
 * memory than there is for it, and is noticed by nobody else: beside each there
 * is a subscriber who is told of a change, and a client whose batch arrives.
 */
#include "crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "wire/gzip.h"
#include "wire/sign.h"

#define INGEST "POST /v1/projects/project/ingest HTTP/1.1\r\nHost: x\r\n"
#define STREAM                                                                 \
  "GET /v1/projects/project/breakers/state:stream HTTP/1.1\r\nHost: x\r\n"     \
  "Authorization: Bearer eb_pk_local\r\n\r\n"

#define MANY 10000u
#define LEAST 2000u

/* What is beside the bytes that all connections may hold: the project, the log
 * of its events, and the connections themselves. */
#define BESIDE (16u << 20)

typedef struct scene_s {
  bench_t bench;
  peer_t peer;   /* whoever means harm, if it is one */
  peer_t honest; /* sends batches */
  peer_t listener;
  crowd_t crowd; /* or they are many */
  unsigned checks;
} scene_t;

static void init(scene_t *scene) {
  memset(scene, 0, sizeof(*scene));
  bench_init(&scene->bench);
  scene->bench.options.ingest_secret = BENCH_SECRET;
}

static void begin_with(scene_t *scene) {
  bench_start(&scene->bench);
  bench_add_breaker(&scene->bench, "b");
  peer_open(&scene->peer, &scene->bench);
  peer_open(&scene->honest, &scene->bench);
  peer_open(&scene->listener, &scene->bench);
  peer_subscribe(&scene->listener);
}

static void begin(scene_t *scene) {
  init(scene);
  begin_with(scene);
}

static void end(scene_t *scene) {
  if (scene->crowd.fds) {
    crowd_close(&scene->crowd);
  }
  peer_close(&scene->peer);
  peer_close(&scene->honest);
  peer_close(&scene->listener);
  bench_end(&scene->bench);
}

static void reopen(scene_t *scene) {
  peer_close(&scene->peer);
  peer_open(&scene->peer, &scene->bench);
}

/* Everybody else is served as ever, also who comes only now. */
static void check_others(scene_t *scene) {
  peer_t late;
  const bool is_open = scene->checks++ % 2 == 0;
  assert_int_equal(
      ts_plane_set_state(scene->bench.plane, "b",
                         is_open ? TS_BREAKER_OPEN : TS_BREAKER_CLOSED, 0),
      0);
  peer_await_text(&scene->listener, is_open ? "\"open\"" : "\"closed\"");
  if (scene->honest.is_closed) { /* its connection was idle */
    peer_close(&scene->honest);
    peer_open(&scene->honest, &scene->bench);
  }
  peer_post_samples(&scene->honest, 4, true);
  assert_int_equal(scene->honest.status, 202);
  peer_open(&late, &scene->bench);
  peer_get(&late, "status", "");
  assert_int_equal(late.status, 200);
  peer_close(&late);
}

/*
 * Wrong keys and signatures
 */

typedef struct attempt_s {
  const char *method;
  const char *path;
  const char *key;
  int status;
  const char *code;
} attempt_t;

static const attempt_t attempts[] = {
    {"GET", "/projects/project/status", NULL, 401, "unauthorized"},
    {"GET", "/projects/project/status", "eb_pk_wrong", 401, "unauthorized"},
    {"GET", "/projects/project/status", BENCH_ADMIN, 401,
     "project_key_required"},
    {"GET", "/projects/project/status", "eb_pk_foreign", 403, "forbidden"},
    {"GET", "/projects/none/status", "eb_pk_wrong", 401, "unauthorized"},
    {"GET", "/projects/project/breakers/state:stream", "eb_pk_wrong", 401,
     "unauthorized"},
    {"GET", "/projects/project/breakers/state:stream", BENCH_ADMIN "x", 401,
     "project_key_required"},
    {"GET", "/projects", "eb_admin_wrong", 401, "unauthorized"},
    {"GET", "/projects", "eb_pk_local", 401, "admin_key_required"},
    {"DELETE", "/projects/project", "eb_admin_wrong", 401, "unauthorized"},
    {"POST", "/workspaces", NULL, 401, "unauthorized"},
    {"PATCH", "/projects/none", "eb_admin_", 401, "unauthorized"},
};

static void try_key(scene_t *scene, const attempt_t *attempt) {
  peer_call(&scene->peer, attempt->method, attempt->path, attempt->key,
            "Content-Type: application/json\r\n", "{\"name\":\"n\"}");
  assert_int_equal(scene->peer.status, attempt->status);
  assert_body(&scene->peer, join("\"code\":\"", attempt->code, "\""));
}

/* Keys may be guessed for as long as one likes: each guess is answered with the
 * documented code, changes nothing, and takes no memory. */
static void test_wrong_keys(void **state) {
  (void)state;
  const size_t count = sizeof(attempts) / sizeof(attempts[0]);
  scene_t scene;
  init(&scene);
  scene.bench.options.foreign_key = "eb_pk_foreign";
  begin_with(&scene);
  size_t bytes = 0;
  for (size_t i = 0; i < 100 * count; i++) {
    try_key(&scene, &attempts[i % count]);
    if (i == count) {
      bytes = scene.bench.heap.bytes;
    }
  }
  assert_true(scene.bench.heap.bytes <= bytes);
  assert_int_equal(bench_stats(&scene.bench).transitions, 0);
  check_others(&scene);
  end(&scene);
}

/* The head of a signed batch; stamped so long ago. */
static void sign(char headers[256], ts__str_t body, int64_t age_ms) {
  unsigned char key[TS__SECRET_BYTES];
  char signature[TS__SIGNATURE_LEN + 1];
  char timestamp[24];
  snprintf(timestamp, sizeof(timestamp), "%lld",
           (long long)(BENCH_NOW - age_ms));
  assert_true(ts__secret_decode(key, TS__STR(BENCH_SECRET)));
  ts__sign(signature, key, ts__str(timestamp), body);
  snprintf(headers, 256, "X-EB-Timestamp: %s\r\nX-EB-Signature: %s\r\n",
           timestamp, signature);
}

static const char sample[] =
    "[{\"router_id\":\"r\",\"metric\":\"m\",\"ts_ms\":1705312200000,"
    "\"value\":1,\"ok\":false}]";

static void post(scene_t *scene, const char *headers, ts__str_t body,
                 int status, const char *text) {
  peer_post(&scene->peer, headers, body);
  assert_int_equal(scene->peer.status, status);
  assert_body(&scene->peer, text);
}

/* E51, E53: whoever has heard a signed batch may send it again for five minutes,
 * as clients do that got no answer; not later, not under another time, and not
 * with another body. */
static void test_replays(void **state) {
  (void)state;
  scene_t scene;
  char headers[256];
  char other[256];
  begin(&scene);
  sign(headers, ts__str(sample), 0);
  post(&scene, headers, ts__str(sample), 202, "\"accepted\":1");
  post(&scene, headers, ts__str(sample), 202, "\"accepted\":1");
  post(&scene, headers, TS__STR("[]"), 401, "invalid_signature");
  sign(other, TS__STR("[]"), 1);
  memcpy(strstr(headers, "\r\n") - 1, "1", 1); /* one millisecond later */
  post(&scene, headers, ts__str(sample), 401, "invalid_signature");
  sign(headers, ts__str(sample), 0);
  post(&scene, join(other, headers, ""), ts__str(sample), 401,
       "invalid_signature");
  sign(headers, ts__str(sample), 300001);
  post(&scene, headers, ts__str(sample), 401, "timestamp_out_of_range");
  sign(headers, ts__str(sample), -300001);
  post(&scene, headers, ts__str(sample), 401, "timestamp_out_of_range");
  assert_int_equal(bench_stats(&scene.bench).samples_accepted, 2);
  check_others(&scene);
  end(&scene);
}

/*
 * Bodies
 */

static void make_bomb(ts__buf_t *bomb, const ts__mem_t *mem) {
  static char zeros[1 << 20];
  ts__gzip_t *gzip = ts__gzip_new(mem);
  ts__buf_t body;
  ts__buf_init(&body, mem, TS__MAX_REQUEST_BODY);
  ts__buf_init(bomb, mem, TS__MAX_REQUEST_BODY);
  ts__gzip_begin(gzip);
  for (int i = 0; i < 17; i++) {
    assert_int_equal(
        ts__gzip_add(gzip, (ts__str_t){zeros, sizeof(zeros)}, &body), 0);
  }
  assert_int_equal(ts__gzip_end(gzip, &body), 0);
  assert_int_equal(ts__buf_printf(bomb,
                                  INGEST "Content-Encoding: gzip\r\n"
                                         "Content-Length: %zu\r\n\r\n",
                                  body.len),
                   0);
  assert_int_equal(ts__buf_append(bomb, ts__buf_str(&body)), 0);
  ts__buf_deinit(&body);
  ts__gzip_free(gzip);
}

/* One that takes another thread. */
static ts__str_t usual_batch(void) {
  static char text[8192];
  const int len = snprintf(text, sizeof(text),
                           INGEST "Content-Length: 5002\r\n\r\n[%5000s]", "");
  return (ts__str_t){text, (size_t)len};
}

static size_t count_works(const bench_t *bench) {
  size_t count = 0;
  while (count < FAKE_ENV_WORKS && bench->env.works[count]) {
    count++;
  }
  return count;
}

static void await_status(crowd_t *crowd, size_t i, const char *status) {
  char text[2048];
  ptrdiff_t n;
  while ((n = crowd_read(crowd, i, text, sizeof(text))) < 0) {
    crowd_turn(crowd->bench);
  }
  assert_true(n > 0 && strstr(text, status));
}

/* Bodies that inflate without end are read a few at a time, however many come:
 * what that takes at once is bounded. The rest waits, what is honest does not, and whoever leaves while waiting takes its batch along. */
static void test_many_bombs(void **state) {
  (void)state;
  enum { BOMBS = 24 };
  scene_t scene;
  ts__buf_t bomb;
  begin(&scene);
  make_bomb(&bomb, &scene.bench.mem);
  crowd_open(&scene.crowd, &scene.bench, BOMBS);
  for (size_t i = 0; i < BOMBS; i++) {
    assert_true(crowd_send(&scene.crowd, i, ts__buf_str(&bomb)));
  }
  while (scene.bench.plane->batches[1].waiting_count < BOMBS - 2) {
    uv_run(&scene.bench.loop, UV_RUN_ONCE);
  }
  assert_int_equal(count_works(&scene.bench), 2);
  peer_send(&scene.honest, TS__STR(INGEST "Content-Length: 2\r\n\r\n[]"));
  while (!scene.honest.is_done) {
    uv_run(&scene.bench.loop, UV_RUN_ONCE);
  }
  assert_int_equal(scene.honest.status, 202);
  peer_send(&scene.honest, usual_batch());
  while (count_works(&scene.bench) < 3) {
    uv_run(&scene.bench.loop, UV_RUN_ONCE);
  }
  assert_int_equal(scene.bench.plane->batches[0].count, 1);
  crowd_leave(&scene.crowd, 0);  /* being read */
  crowd_leave(&scene.crowd, 20); /* waiting */
  for (size_t i = 1; i < BOMBS; i++) {
    if (i != 20) {
      await_status(&scene.crowd, i, " 413 ");
    }
  }
  check_others(&scene);
  assert_int_equal(scene.bench.plane->batches[1].count, 0);
  assert_int_equal(bench_stats(&scene.bench).batches_refused, BOMBS);
  ts__buf_deinit(&bomb);
  end(&scene);
}

/* No turn of the environment: nothing is read. */
static void send_unread(scene_t *scene, size_t i, ts__str_t bytes) {
  const uint64_t *count =
      &scene->bench.plane->stats.requests[TS_PLANE_ENDPOINT_INGEST];
  const uint64_t had = *count;
  while (*count == had) {
    const size_t n = crowd_send_some(&scene->crowd, i, bytes);
    bytes = (ts__str_t){bytes.ptr + n, bytes.len - n};
    uv_run(&scene->bench.loop, UV_RUN_NOWAIT);
  }
}

/* Beyond a number of batches that wait, the next is refused at once; those that
 * wait when the plane is closed are not answered. */
static void test_too_many_wait(void **state) {
  (void)state;
  enum { MOST = 2 + 256 };
  char text[2048];
  scene_t scene;
  ts__buf_t bomb;
  begin(&scene);
  make_bomb(&bomb, &scene.bench.mem);
  crowd_open(&scene.crowd, &scene.bench, MOST + 1);
  for (size_t i = 0; i <= MOST; i++) {
    send_unread(&scene, i, ts__buf_str(&bomb));
  }
  while (crowd_read(&scene.crowd, MOST, text, sizeof(text)) < 0) {
    uv_run(&scene.bench.loop, UV_RUN_NOWAIT);
  }
  assert_non_null(strstr(text, " 503 "));
  assert_int_equal(scene.bench.plane->batches[1].waiting_count, 256);
  ts__buf_deinit(&bomb);
  end(&scene);
}

/*
 * Silence
 */

/* Ten thousand connections that say nothing take no room from others: whoever
 * comes next takes that of the one that has been silent longest. After half a
 * minute all of them are gone. */
static void test_silent_crowd(void **state) {
  (void)state;
  scene_t scene;
  const size_t count = crowd_limit(MANY, LEAST);
  init(&scene);
  scene.bench.options.max_connections = (int64_t)count - 100;
  begin_with(&scene);
  size_t before = scene.bench.heap.bytes;
  crowd_open(&scene.crowd, &scene.bench, count);
  ts_plane_stats_t stats = bench_stats(&scene.bench);
  assert_int_equal(stats.connections_open, count - 100);
  assert_int_equal(stats.connections_cut, 100 + 3);
  assert_true(scene.bench.heap.bytes - before < count * 4096);
  check_others(&scene);
  assert_true(crowd_is_cut(&scene.crowd, 0));
  assert_false(crowd_is_cut(&scene.crowd, count - 1));
  bench_advance(&scene.bench, TS__REQUEST_LIMIT_MS);
  check_others(&scene);
  assert_true(bench_stats(&scene.bench).connections_open <= 3);
  assert_true(crowd_is_cut(&scene.crowd, count - 1));
  end(&scene);
}

/* A byte now and then is no way to keep a place either: the time is that of the
 * whole request. */
static void test_drip(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  reopen(&scene);
  peer_send(&scene.peer, TS__STR("GET /"));
  for (int64_t ms = 0; ms < TS__REQUEST_LIMIT_MS; ms += 1000) {
    assert_false(scene.peer.is_closed);
    peer_send(&scene.peer, TS__STR("a"));
    crowd_turn(&scene.bench);
    bench_advance(&scene.bench, 1000);
  }
  peer_await_close(&scene.peer);
  check_others(&scene);
  end(&scene);
}

/* An eighth of the process's descriptors is never taken. */
static void test_descriptors(void **state) {
  (void)state;
  struct rlimit limit;
  scene_t scene;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const struct rlimit few = {200, limit.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
  begin(&scene);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  assert_int_equal(scene.bench.plane->server.room, 175);
  crowd_open(&scene.crowd, &scene.bench, 180);
  assert_int_equal(bench_stats(&scene.bench).connections_open, 175);
  check_others(&scene);
  end(&scene);
}

/* Half a request each, as large as may be: together they hold a bounded number
 * of bytes, and the oldest make room. */
static void test_hoarders(void **state) {
  (void)state;
  static char body[900 * 1024];
  enum { HOARDERS = 100 };
  scene_t scene;
  begin(&scene);
  crowd_open(&scene.crowd, &scene.bench, HOARDERS);
  size_t cut = 0;
  for (size_t i = 0; i < HOARDERS; i++) {
    crowd_send(&scene.crowd, i,
               TS__STR(INGEST "Content-Length: 1000000\r\n\r\n"));
    crowd_send(&scene.crowd, i, (ts__str_t){body, sizeof(body)});
  }
  for (int turns = 0; turns < 500; turns++) {
    crowd_turn(&scene.bench);
    assert_true(scene.bench.heap.bytes < TS__MAX_HELD + BESIDE);
  }
  check_others(&scene);
  for (size_t i = 0; i < HOARDERS; i++) {
    cut += crowd_is_cut(&scene.crowd, i);
  }
  assert_true(cut >= 20 && cut < HOARDERS);
  assert_true(crowd_is_cut(&scene.crowd, 0));
  end(&scene);
}

/* The same with answers that are never read. */
static void test_unread_answers(void **state) {
  (void)state;
  enum { ASKERS = 60, TIMES = 400 };
  scene_t scene;
  begin(&scene);
  crowd_open(&scene.crowd, &scene.bench, ASKERS);
  for (size_t i = 0; i < ASKERS; i++) {
    for (size_t k = 0; k < TIMES; k++) {
      if (!crowd_send(&scene.crowd, i,
                      TS__STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))) {
        break;
      }
    }
    crowd_turn(&scene.bench);
    assert_true(scene.bench.plane->server.held <= TS__MAX_HELD);
  }
  check_others(&scene);
  assert_true(bench_stats(&scene.bench).connections_open < ASKERS);
  end(&scene);
}

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
  assert_int_equal(ts__gzip_add(gzip, ts__str(sample), &body), 0);
  assert_int_equal(ts__gzip_end(gzip, &body), 0);
  ts__gzip_free(gzip);
  sign(gzipped, ts__buf_str(&body), 0);
  sign(headers, ts__str(sample), 0);
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
                 headers, strlen(sample), sample);
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
  begin(&scene);
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
  check_others(&scene);
  end(&scene);
}

/* A client that stalls after any byte is let wait for half a minute, which the
 * next does not notice, and is cut. */
static void test_stalled_at_every_byte(void **state) {
  (void)state;
  request_t requests[REQUESTS];
  scene_t scene;
  begin(&scene);
  make_requests(requests, &scene.bench.mem);
  const uint64_t before = count_deeds(&scene);
  for (size_t kind = 0; kind < REQUESTS; kind++) {
    const ts__str_t text = ts__buf_str(&requests[kind].text);
    crowd_open(&scene.crowd, &scene.bench, text.len - 1);
    for (size_t i = 0; i + 1 < text.len; i++) {
      assert_true(crowd_send(&scene.crowd, i, (ts__str_t){text.ptr, i + 1}));
    }
    check_others(&scene);
    bench_advance(&scene.bench, TS__REQUEST_LIMIT_MS);
    crowd_turn(&scene.bench);
    for (size_t i = 0; i + 1 < text.len; i++) {
      assert_true(crowd_is_cut(&scene.crowd, i));
    }
    crowd_close(&scene.crowd);
  }
  scene.crowd.fds = NULL;
  /* Beside what the checks have done: four samples and a change each. */
  assert_int_equal(count_deeds(&scene), before + REQUESTS * 5);
  free_requests(requests);
  reopen(&scene);
  end(&scene);
}

/* A request in two pieces, wherever it is cut, is the request. */
static void test_split_at_every_byte(void **state) {
  (void)state;
  request_t requests[REQUESTS];
  scene_t scene;
  begin(&scene);
  make_requests(requests, &scene.bench.mem);
  for (size_t kind = 0; kind < REQUESTS; kind++) {
    const ts__str_t text = ts__buf_str(&requests[kind].text);
    crowd_open(&scene.crowd, &scene.bench, text.len - 1);
    for (size_t i = 0; i + 1 < text.len; i++) {
      assert_true(crowd_send(&scene.crowd, i, (ts__str_t){text.ptr, i + 1}));
      crowd_turn(&scene.bench);
      assert_true(crowd_send(&scene.crowd, i,
                             (ts__str_t){text.ptr + i + 1, text.len - i - 1}));
      await_status(&scene.crowd, i, requests[kind].status);
    }
    crowd_close(&scene.crowd);
    crowd_turn(&scene.bench);
  }
  scene.crowd.fds = NULL;
  free_requests(requests);
  check_others(&scene);
  end(&scene);
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
  reopen(scene);
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
  begin(&scene);
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
  reopen(&scene);
  check_others(&scene);
  assert_true(scene.bench.heap.peak_bytes < bytes + (1u << 20));
  end(&scene);
}

/* Bodies: announced, in one chunk, in many, with a long extension. */
static void test_large_bodies(void **state) {
  (void)state;
  static char much[2 * 1024 * 1024];
  scene_t scene;
  begin(&scene);
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
  reopen(&scene);
  check_others(&scene);
  assert_true(scene.bench.heap.peak_bytes < bytes + (5u << 20));
  end(&scene);
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
  begin(&scene);
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
  check_others(&scene);
  end(&scene);
}

/* JSON that is nested without end is no JSON to us, whoever asks. */
static void test_deep_json(void **state) {
  (void)state;
  static char deep[200 * 1024];
  static char body[210 * 1024];
  scene_t scene;
  begin(&scene);
  repeat(deep, "[", 99999);
  post(&scene, "", ts__str(deep), 400, "invalid_payload");
  repeat(deep, "[", 65);
  repeat(deep + 65, "]", 65);
  post(&scene, "", ts__str(deep), 400, "invalid_payload");
  repeat(deep, "{\"a\":", 30000);
  post(&scene, "", ts__str(deep), 400, "invalid_payload");
  repeat(deep, "[", 100000);
  snprintf(body, sizeof(body), "{\"name\":%s", deep);
  peer_manage(&scene.peer, "POST", "/workspaces", body, 400);
  assert_body(&scene.peer, "invalid_json");
  check_others(&scene);
  end(&scene);
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
  begin(&scene);
  repeat(text, "n", 300);
  for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
    snprintf(body, sizeof(body), members[i].format, text);
    peer_manage(&scene.peer, "POST", members[i].path, body, 422);
    assert_body(&scene.peer, join("\"field\":\"", members[i].field, "\""));
  }
  check_others(&scene);
  end(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_wrong_keys),
      cmocka_unit_test(test_replays),
      cmocka_unit_test(test_many_bombs),
      cmocka_unit_test(test_too_many_wait),
      cmocka_unit_test(test_silent_crowd),
      cmocka_unit_test(test_drip),
      cmocka_unit_test(test_descriptors),
      cmocka_unit_test(test_hoarders),
      cmocka_unit_test(test_unread_answers),
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
