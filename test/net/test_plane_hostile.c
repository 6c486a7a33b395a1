/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients who mean harm. Each gets the status that is documented, takes no more
 * memory than there is for it, and is noticed by nobody else: beside each there
 * is a subscriber who is told of a change, and a client whose batch arrives.
 */
#include "hostile.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "wire/gzip.h"

#define MANY 10000u
#define LEAST 2000u

/* What is beside the bytes that all connections may hold: the project, the log
 * of its events, and the connections themselves. */
#define BESIDE (16u << 20)

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
  scene_init(&scene);
  scene.bench.options.foreign_key = "eb_pk_foreign";
  scene_start(&scene);
  size_t bytes = 0;
  for (size_t i = 0; i < 100 * count; i++) {
    try_key(&scene, &attempts[i % count]);
    if (i == count) {
      bytes = scene.bench.heap.bytes;
    }
  }
  assert_true(scene.bench.heap.bytes <= bytes);
  assert_int_equal(bench_stats(&scene.bench).transitions, 0);
  scene_check_others(&scene);
  scene_end(&scene);
}

/* E51, E53: whoever has heard a signed batch may send it again for five minutes,
 * as clients do that got no answer; not later, not under another time, and not
 * with another body. */
static void test_replays(void **state) {
  (void)state;
  scene_t scene;
  char headers[256];
  char other[256];
  scene_begin(&scene);
  scene_sign(headers, ts__str(scene_sample), 0);
  scene_post(&scene, headers, ts__str(scene_sample), 202, "\"accepted\":1");
  scene_post(&scene, headers, ts__str(scene_sample), 202, "\"accepted\":1");
  scene_post(&scene, headers, TS__STR("[]"), 401, "invalid_signature");
  scene_sign(other, TS__STR("[]"), 1);
  memcpy(strstr(headers, "\r\n") - 1, "1", 1); /* one millisecond later */
  scene_post(&scene, headers, ts__str(scene_sample), 401, "invalid_signature");
  scene_sign(headers, ts__str(scene_sample), 0);
  scene_post(&scene, join(other, headers, ""), ts__str(scene_sample), 401,
             "invalid_signature");
  scene_sign(headers, ts__str(scene_sample), 300001);
  scene_post(&scene, headers, ts__str(scene_sample), 401,
             "timestamp_out_of_range");
  scene_sign(headers, ts__str(scene_sample), -300001);
  scene_post(&scene, headers, ts__str(scene_sample), 401,
             "timestamp_out_of_range");
  assert_int_equal(bench_stats(&scene.bench).samples_accepted, 2);
  scene_check_others(&scene);
  scene_end(&scene);
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

/* Bodies that inflate without end are read a few at a time, however many come:
 * what that takes at once is bounded. The rest waits, what is honest does not, and whoever leaves while waiting takes its batch along. */
static void test_many_bombs(void **state) {
  (void)state;
  enum { BOMBS = 24 };
  scene_t scene;
  ts__buf_t bomb;
  scene_begin(&scene);
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
      crowd_await(&scene.crowd, i, " 413 ");
    }
  }
  scene_check_others(&scene);
  assert_int_equal(scene.bench.plane->batches[1].count, 0);
  assert_int_equal(bench_stats(&scene.bench).batches_refused, BOMBS);
  ts__buf_deinit(&bomb);
  scene_end(&scene);
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
  scene_begin(&scene);
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
  scene_end(&scene);
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
  scene_init(&scene);
  scene.bench.options.max_connections = (int64_t)count - 100;
  scene_start(&scene);
  size_t before = scene.bench.heap.bytes;
  crowd_open(&scene.crowd, &scene.bench, count);
  ts_plane_stats_t stats = bench_stats(&scene.bench);
  assert_int_equal(stats.connections_open, count - 100);
  assert_int_equal(stats.connections_cut, 100 + 3);
  assert_true(scene.bench.heap.bytes - before < count * 4096);
  scene_check_others(&scene);
  crowd_await_cut(&scene.crowd, 0);
  assert_false(crowd_is_cut(&scene.crowd, count - 1));
  bench_advance(&scene.bench, TS__REQUEST_LIMIT_MS);
  scene_check_others(&scene);
  assert_true(bench_stats(&scene.bench).connections_open <= 3);
  crowd_await_cut(&scene.crowd, count - 1);
  scene_end(&scene);
}

/* A byte now and then is no way to keep a place either: the time is that of the
 * whole request. */
static void test_drip(void **state) {
  (void)state;
  scene_t scene;
  scene_begin(&scene);
  scene_reopen(&scene);
  peer_send(&scene.peer, TS__STR("GET /"));
  for (int64_t ms = 0; ms < TS__REQUEST_LIMIT_MS; ms += 1000) {
    assert_false(scene.peer.is_closed);
    peer_send(&scene.peer, TS__STR("a"));
    crowd_turn(&scene.bench);
    bench_advance(&scene.bench, 1000);
  }
  peer_await_close(&scene.peer);
  scene_check_others(&scene);
  scene_end(&scene);
}

/* An eighth of the process's descriptors is never taken. */
static void test_descriptors(void **state) {
  (void)state;
  struct rlimit limit;
  scene_t scene;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const struct rlimit few = {200, limit.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
  scene_begin(&scene);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  assert_int_equal(scene.bench.plane->server.room, 175);
  crowd_open(&scene.crowd, &scene.bench, 180);
  assert_int_equal(bench_stats(&scene.bench).connections_open, 175);
  scene_check_others(&scene);
  scene_end(&scene);
}

/* Half a request each, as large as may be: together they hold a bounded number
 * of bytes, and the oldest make room. */
static void test_hoarders(void **state) {
  (void)state;
  static char body[900 * 1024];
  enum { HOARDERS = 100 };
  scene_t scene;
  scene_begin(&scene);
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
  scene_check_others(&scene);
  for (size_t i = 0; i < HOARDERS; i++) {
    cut += crowd_is_cut(&scene.crowd, i);
  }
  assert_true(cut >= 20 && cut < HOARDERS);
  crowd_await_cut(&scene.crowd, 0);
  scene_end(&scene);
}

/* The same with answers that are never read. */
static void test_unread_answers(void **state) {
  (void)state;
  enum { ASKERS = 60, TIMES = 400 };
  scene_t scene;
  scene_begin(&scene);
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
  scene_check_others(&scene);
  assert_true(bench_stats(&scene.bench).connections_open < ASKERS);
  scene_end(&scene);
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
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
