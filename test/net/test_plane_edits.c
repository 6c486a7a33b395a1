/* SPDX-License-Identifier: Apache-2.0 */
/* Changes on their way through a store: answered late, one at a time, and not at
 * all if they cannot be kept; and a plane that begins with what one has left. */
#include "plane_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "plane/store.h"

#define MAX_ROWS 64
#define MAX_WRITES 64

typedef struct row_s {
  char kind[32];
  char id[280];
  char project_id[160];
  char *json;
} row_t;

/* A store in memory whose writes end when the test says so. */
typedef struct store_s {
  ts__store_t base; /* the first member */
  row_t rows[MAX_ROWS];
  size_t row_count;
  bool is_slow;
  int fails_with; /* for all writes, when it is not 0 */
  struct {
    ts__store_done_cb done;
    void *arg;
  } writes[MAX_WRITES];
  size_t write_count;
} store_t;

static row_t *find_row(store_t *store, const char *kind, const char *id) {
  for (size_t i = 0; i < store->row_count; i++) {
    row_t *row = &store->rows[i];
    if (row->json && strcmp(row->kind, kind) == 0 && strcmp(row->id, id) == 0) {
      return row;
    }
  }
  return NULL;
}

static void drop_row(row_t *row) {
  free(row->json);
  row->json = NULL;
}

static void write_row(store_t *store, const ts__row_t *given) {
  char id[280];
  snprintf(id, sizeof(id), "%.*s", (int)given->id.len, given->id.ptr);
  row_t *row = find_row(store, given->kind, id);
  if (!given->json.ptr) {
    bool is_project = strcmp(given->kind, TS__ROW_PROJECT) == 0;
    for (size_t i = 0; is_project && i < store->row_count; i++) {
      if (strcmp(store->rows[i].project_id, id) == 0) {
        drop_row(&store->rows[i]);
      }
    }
    if (row) {
      drop_row(row);
    }
    return;
  }
  if (!row) {
    assert_true(store->row_count < MAX_ROWS);
    row = &store->rows[store->row_count++];
    snprintf(row->kind, sizeof(row->kind), "%s", given->kind);
    snprintf(row->id, sizeof(row->id), "%s", id);
    snprintf(row->project_id, sizeof(row->project_id), "%.*s",
             (int)given->project_id.len, given->project_id.ptr);
  }
  free(row->json);
  row->json = malloc(given->json.len + 1);
  assert_non_null(row->json);
  memcpy(row->json, given->json.ptr, given->json.len);
  row->json[given->json.len] = '\0';
}

/* End the write that is under way longest. */
static void finish_write(store_t *store, int error) {
  assert_true(store->write_count > 0);
  ts__store_done_cb done = store->writes[0].done;
  void *arg = store->writes[0].arg;
  store->write_count--;
  memmove(&store->writes[0], &store->writes[1],
          store->write_count * sizeof(store->writes[0]));
  done(arg, error);
}

static int on_load(ts__store_t *base, ts__store_row_cb row,
                   ts__store_done_cb done, void *arg) {
  store_t *store = (store_t *)(void *)base;
  int r = 0;
  for (size_t i = 0; !r && i < store->row_count; i++) {
    const row_t *one = &store->rows[i];
    if (one->json) {
      r = row(arg, &(ts__row_t){one->kind, ts__str(one->id),
                                ts__str(one->project_id), ts__str(one->json)});
    }
  }
  store->writes[store->write_count].done = done;
  store->writes[store->write_count++].arg = arg;
  assert_int_equal(r, 0);
  return 0;
}

/* Rows take effect at once, unless they fail; only the word of it is late. */
static int on_write(ts__store_t *base, const ts__row_t *rows, size_t count,
                    ts__store_done_cb done, void *arg) {
  store_t *store = (store_t *)(void *)base;
  if (store->fails_with && !store->is_slow) {
    return store->fails_with;
  }
  for (size_t i = 0; i < count && !store->fails_with; i++) {
    write_row(store, &rows[i]);
  }
  assert_true(store->write_count < MAX_WRITES);
  store->writes[store->write_count].done = done;
  store->writes[store->write_count++].arg = arg;
  return 0;
}

static void on_close(ts__store_t *base, void (*closed)(void *arg), void *arg) {
  store_t *store = (store_t *)(void *)base;
  while (store->write_count > 0) {
    finish_write(store, store->fails_with);
  }
  closed(arg);
}

static const ts__store_ops_t ops = {on_load, on_write, on_close};

static void free_rows(store_t *store) {
  for (size_t i = 0; i < store->row_count; i++) {
    free(store->rows[i].json);
  }
}

typedef struct scene_s {
  bench_t bench;
  peer_t peer;
  store_t store;
} scene_t;

static void on_loaded(void *arg, int error) { *(int *)arg = error; }

/* A plane over the store, whatever is in it. */
static void begin_with(scene_t *scene) {
  int loaded = 1;
  bench_init(&scene->bench);
  bench_start(&scene->bench);
  scene->store.base.ops = &ops;
  assert_int_equal(ts__plane_use_store(scene->bench.plane, &scene->store.base,
                                       on_loaded, &loaded),
                   0);
  finish_write(&scene->store, 0);
  assert_int_equal(loaded, 0);
  while (scene->store.write_count > 0) {
    finish_write(&scene->store, 0);
  }
  peer_open(&scene->peer, &scene->bench);
}

static void begin(scene_t *scene) {
  memset(&scene->store, 0, sizeof(scene->store));
  begin_with(scene);
}

/* The rows stay. */
static void end_plane(scene_t *scene) {
  peer_close(&scene->peer);
  bench_end(&scene->bench);
}

static void end(scene_t *scene) {
  end_plane(scene);
  free_rows(&scene->store);
}

static bool has_write(const void *arg) {
  return ((const store_t *)arg)->write_count > 0;
}

static bool is_answered(const void *arg) {
  const peer_t *peer = arg;
  return peer->is_done || peer->is_closed;
}

static bool needs_us(const void *arg) {
  const scene_t *scene = arg;
  return scene->store.write_count > 0 || scene->peer.is_done;
}

/* Send a request that creates a workspace of this name. */
static void send_create(peer_t *peer, const char *name) {
  char body[128];
  char request[512];
  snprintf(body, sizeof(body), "{\"name\":\"%s\",\"slug\":\"%s\"}", name, name);
  snprintf(request, sizeof(request),
           "POST /v1/workspaces HTTP/1.1\r\nAuthorization: Bearer " BENCH_ADMIN
           "\r\nContent-Length: %zu\r\n\r\n%s",
           strlen(body), body);
  peer_send(peer, ts__str(request));
}

static size_t count_workspaces(const scene_t *scene) {
  return scene->bench.plane->directory.workspaces.count;
}

/* A change is answered, and happens, when the store has it. */
static void test_late_answer(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  size_t before = count_workspaces(&scene);
  send_create(&scene.peer, "one");
  bench_until(&scene.bench, has_write, &scene.store);
  assert_int_equal(count_workspaces(&scene), before);
  assert_false(scene.peer.has_head);
  finish_write(&scene.store, 0);
  peer_await_answer(&scene.peer);
  assert_int_equal(scene.peer.status, 201);
  assert_int_equal(count_workspaces(&scene), before + 1);
  end(&scene);
}

/* What cannot be kept does not happen, whether the store says so at once or
 * later. */
static void test_failure(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  size_t before = count_workspaces(&scene);
  scene.store.fails_with = -5;
  peer_manage(&scene.peer, "POST", "/workspaces",
              "{\"name\":\"n\",\"slug\":\"s\"}", 500);
  assert_body(&scene.peer, "internal_error");
  scene.store.is_slow = true;
  send_create(&scene.peer, "one");
  bench_until(&scene.bench, has_write, &scene.store);
  finish_write(&scene.store, -5);
  peer_await_answer(&scene.peer);
  assert_int_equal(scene.peer.status, 500);
  assert_int_equal(count_workspaces(&scene), before);
  scene.store.fails_with = 0;
  end(&scene);
}

/* A second change waits for the first, sees what it did, and a read does not
 * wait. Of the limit on calls it takes one, though it is looked at twice. */
static void test_one_at_a_time(void **state) {
  (void)state;
  scene_t scene;
  peer_t second;
  peer_t reader;
  begin(&scene);
  scene.bench.plane->limits.admin_calls = 4;
  peer_open(&second, &scene.bench);
  peer_open(&reader, &scene.bench);
  send_create(&scene.peer, "same");
  bench_until(&scene.bench, has_write, &scene.store);
  send_create(&second, "same");
  peer_manage(&reader, "GET", "/workspaces", NULL, 200);
  assert_no_body(&reader, "same");
  peer_manage(&reader, "GET", "/workspaces", NULL, 200);
  assert_int_equal(scene.store.write_count, 1);
  finish_write(&scene.store, 0);
  bench_until(&scene.bench, is_answered, &scene.peer);
  assert_int_equal(scene.peer.status, 201);
  bench_until(&scene.bench, is_answered, &second);
  assert_int_equal(second.status, 409);
  peer_manage(&reader, "GET", "/workspaces", NULL, 429);
  peer_close(&second);
  peer_close(&reader);
  end(&scene);
}

/* A caller who does not wait for the answer has changed it all the same; one
 * who waited for its turn has not. */
static void test_callers_leave(void **state) {
  (void)state;
  scene_t scene;
  peer_t first;
  peer_t second;
  begin(&scene);
  size_t before = count_workspaces(&scene);
  peer_open(&first, &scene.bench);
  peer_open(&second, &scene.bench);
  send_create(&first, "first");
  bench_until(&scene.bench, has_write, &scene.store);
  send_create(&second, "second");
  peer_manage(&scene.peer, "GET", "/workspaces", NULL, 200);
  peer_close(&first);
  peer_close(&second);
  peer_manage(&scene.peer, "GET", "/workspaces", NULL, 200);
  peer_manage(&scene.peer, "GET", "/workspaces", NULL, 200);
  finish_write(&scene.store, 0);
  assert_int_equal(scene.store.write_count, 0);
  assert_int_equal(count_workspaces(&scene), before + 1);
  end(&scene);
}

/* What a caller sends behind its change is answered behind it, in order. */
static void test_pipelined(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  send_create(&scene.peer, "one");
  send_create(&scene.peer, "two");
  peer_send(&scene.peer,
            TS__STR("GET /v1/workspaces HTTP/1.1\r\nConnection: close\r\n"
                    "Authorization: Bearer " BENCH_ADMIN "\r\n\r\n"));
  for (int i = 0; i < 2; i++) {
    bench_until(&scene.bench, has_write, &scene.store);
    assert_int_equal(scene.store.write_count, 1);
    finish_write(&scene.store, 0);
  }
  peer_await_close(&scene.peer);
  assert_body(&scene.peer, "\"slug\":\"one\"");
  assert_body(&scene.peer, "\"slug\":\"two\"");
  end(&scene);
}

/* The plane may close while a change is written and others wait. */
static void test_close(void **state) {
  (void)state;
  scene_t scene;
  peer_t second;
  begin(&scene);
  size_t before = count_workspaces(&scene);
  peer_open(&second, &scene.bench);
  send_create(&scene.peer, "one");
  bench_until(&scene.bench, has_write, &scene.store);
  send_create(&second, "two");
  peer_t reader;
  peer_open(&reader, &scene.bench);
  peer_manage(&reader, "GET", "/workspaces", NULL, 200);
  peer_close(&reader);
  assert_int_equal(count_workspaces(&scene), before);
  peer_close(&second);
  end(&scene);
}

static void manage_kept(scene_t *scene, const char *method, const char *path,
                        const char *body, int status) {
  peer_t *peer = &scene->peer;
  char request[2048];
  snprintf(request, sizeof(request),
           "%s /v1%s HTTP/1.1\r\nAuthorization: Bearer " BENCH_ADMIN
           "\r\nContent-Length: %zu\r\n\r\n%s",
           method, path, strlen(body), body);
  peer->is_done = false;
  ts__buf_clear(&peer->text);
  peer_send(peer, ts__str(request));
  while (!peer->is_done) {
    bench_until(&scene->bench, needs_us, scene);
    while (scene->store.write_count > 0) {
      finish_write(&scene->store, 0);
    }
  }
  if (peer->status != status) {
    fail_msg("%s: %d %s", path, peer->status, peer->body.ptr);
  }
}

#define P "/projects/project"

/* A plane that begins with another's rows answers as that one did: breakers,
 * routers, links, channels, keys and secrets. */
static void test_restart(void **state) {
  (void)state;
  static const char *const lists[] = {
      P "/breakers", P "/routers",  P "/notification-channels",
      P "/keys",     "/workspaces", "/projects",
      P "/events"};
  static char before[7][16384];
  static scene_t scene;
  bench_text_t key;
  begin(&scene);
  manage_kept(&scene, "POST", P "/breakers",
              "{\"name\":\"b\",\"metric\":\"m\",\"kind\":\"percentile\","
              "\"op\":\"gt\",\"threshold\":5,\"kind_params\":{\"p\":50},"
              "\"metadata\":{\"k\":\"v\"}}",
              201);
  ts_plane_breaker_t breaker = bench_breaker("c");
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  router.id = "r";
  assert_int_equal(ts_plane_add_breaker(scene.bench.plane, &breaker), 0);
  assert_int_equal(ts_plane_add_router(scene.bench.plane, &router), 0);
  assert_int_equal(ts_plane_link(scene.bench.plane, "r", "c"), 0);
  manage_kept(&scene, "POST", P "/routers/r/breakers",
              "{\"breaker_id\":\"brk_c\"}", 204);
  manage_kept(&scene, "POST", P "/notification-channels",
              "{\"channel\":\"email\",\"config\":{\"to\":\"a\"}}", 201);
  manage_kept(&scene, "POST", P "/keys", "{}", 201);
  peer_member(&scene.peer, "key", key);
  assert_int_equal(
      ts_plane_set_state(scene.bench.plane, "c", TS_BREAKER_OPEN, 0), 0);
  for (size_t i = 0; i < 7; i++) {
    peer_manage(&scene.peer, "GET", lists[i], NULL, 200);
    snprintf(before[i], sizeof(before[i]), "%s", scene.peer.body.ptr);
  }
  end_plane(&scene);
  begin_with(&scene);
  for (size_t i = 0; i < 7; i++) {
    peer_manage(&scene.peer, "GET", lists[i], NULL, 200);
    assert_string_equal(scene.peer.body.ptr, before[i]);
  }
  peer_call(&scene.peer, "GET", P "/breakers/brk_c/state", key, "", NULL);
  assert_int_equal(scene.peer.status, 200);
  assert_body(&scene.peer, "\"state\":\"open\"");
  end(&scene);
}

/* A project that is deleted leaves no row. */
static void test_deleted_project(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene);
  manage_kept(&scene, "POST", P "/keys", "{}", 201);
  manage_kept(&scene, "DELETE", P, "", 204);
  for (size_t i = 0; i < scene.store.row_count; i++) {
    const row_t *row = &scene.store.rows[i];
    assert_true(!row->json || strcmp(row->kind, TS__ROW_WORKSPACE) == 0);
  }
  end(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_late_answer),
      cmocka_unit_test(test_failure),
      cmocka_unit_test(test_one_at_a_time),
      cmocka_unit_test(test_callers_leave),
      cmocka_unit_test(test_pipelined),
      cmocka_unit_test(test_close),
      cmocka_unit_test(test_restart),
      cmocka_unit_test(test_deleted_project),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
