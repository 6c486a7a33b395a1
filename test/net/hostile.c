/* SPDX-License-Identifier: Apache-2.0 */
#include "hostile.h"

#include <stdio.h>
#include <string.h>

#include "wire/sign.h"

void scene_init(scene_t *scene) {
  memset(scene, 0, sizeof(*scene));
  bench_init(&scene->bench);
  scene->bench.options.ingest_secret = BENCH_SECRET;
}

void scene_start(scene_t *scene) {
  bench_start(&scene->bench);
  bench_add_breaker(&scene->bench, "b");
  peer_open(&scene->peer, &scene->bench);
  peer_open(&scene->honest, &scene->bench);
  peer_open(&scene->listener, &scene->bench);
  peer_subscribe(&scene->listener);
}

void scene_begin(scene_t *scene) {
  scene_init(scene);
  scene_start(scene);
}

void scene_end(scene_t *scene) {
  if (scene->crowd.fds) {
    crowd_close(&scene->crowd);
  }
  peer_close(&scene->peer);
  peer_close(&scene->honest);
  peer_close(&scene->listener);
  bench_end(&scene->bench);
}

void scene_reopen(scene_t *scene) {
  peer_close(&scene->peer);
  peer_open(&scene->peer, &scene->bench);
}

void scene_check_others(scene_t *scene) {
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

const char scene_sample[] =
    "[{\"router_id\":\"r\",\"metric\":\"m\",\"ts_ms\":1705312200000,"
    "\"value\":1,\"ok\":false}]";

void scene_sign(char headers[256], ts__str_t body, int64_t age_ms) {
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

void scene_post(scene_t *scene, const char *headers, ts__str_t body, int status,
                const char *text) {
  peer_post(&scene->peer, headers, body);
  assert_int_equal(scene->peer.status, status);
  assert_body(&scene->peer, text);
}
