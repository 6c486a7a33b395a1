/* SPDX-License-Identifier: Apache-2.0 */
/* Management requests while memory runs out: at whichever allocation it does,
 * the request is refused and nothing has changed, or it is answered. */
#include "plane_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define P "/projects/project"
#define RULE "\"metric\":\"m\",\"kind\":\"avg\",\"op\":\"gt\",\"threshold\":1"

typedef struct request_s {
  const char *method;
  const char *path;
  const char *body;
} request_t;

typedef struct scene_s {
  bench_t bench;
  peer_t peer;
} scene_t;

static void begin(scene_t *scene) {
  bench_init(&scene->bench);
  bench_start(&scene->bench);
  bench_add_breaker(&scene->bench, "b");
  peer_open(&scene->peer, &scene->bench);
}

static void end(scene_t *scene) {
  peer_close(&scene->peer);
  bench_end(&scene->bench);
}

/* True: it was answered as though memory were plenty. */
static bool try_without(scene_t *scene, const request_t *request, size_t n) {
  peer_t *peer = &scene->peer;
  heap_fail(&scene->bench.heap, n, 1);
  peer_call(peer, request->method, request->path, BENCH_ADMIN,
            "Idempotency-Key: k\r\n", request->body);
  heap_fail(&scene->bench.heap, 0, 0);
  if (peer->is_closed) {
    return false;
  }
  if (peer->status / 100 != 2 && peer->status != 500) {
    fail_msg("%s %s: %d", request->method, request->path, peer->status);
  }
  return peer->status / 100 == 2;
}

/* Every allocation of every kind of request fails in turn. */
static void test_sweep(void **state) {
  (void)state;
  static const request_t requests[] = {
      {"POST", "/workspaces", "{\"name\":\"n\",\"slug\":\"s\"}"},
      {"GET", "/workspaces", NULL},
      {"PATCH", P, "{\"name\":\"n\",\"slack_webhook_url\":\"https://x/\"}"},
      {"POST", P "/ingest_secret/rotate", NULL},
      {"POST", P "/keys", "{\"name\":\"k\"}"},
      {"GET", P "/keys", NULL},
      {"POST", P "/breakers", "{\"name\":\"n\"," RULE ",\"actions\":{}}"},
      {"PATCH", P "/breakers/brk_b", "{\"name\":\"x\",\"metric\":\"y\"}"},
      {"PATCH", P "/breakers/brk_b/metadata", "{\"k\":\"v\"}"},
      {"PUT", P "/breakers",
       "{\"breakers\":[{\"name\":\"b\"," RULE "},{\"name\":\"n\"," RULE "}]}"},
      {"GET", P "/breakers", NULL},
      {"DELETE", P "/breakers/brk_b", NULL},
      {"POST", P "/routers", "{\"name\":\"n\",\"breaker_ids\":[\"brk_b\"]}"},
      {"PATCH", P "/routers/r", "{\"description\":\"d\"}"},
      {"GET", P "/routers/r", NULL},
      {"DELETE", P "/routers/r/breakers/brk_b", NULL},
      {"POST", P "/notification-channels",
       "{\"channel\":\"webhook\",\"config\":{\"url\":\"http://127.0.0.1:1/"
       "\"}}"},
      {"GET", P "/events", NULL},
      {"DELETE", P, NULL}};
  for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
    bool is_done = false;
    for (size_t n = 1; !is_done; n++) {
      scene_t scene;
      begin(&scene);
      is_done =
          try_without(&scene, &requests[i], n) && scene.bench.heap.failed == 0;
      end(&scene);
      assert_true(n < 1000);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sweep),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
