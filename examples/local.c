/* SPDX-License-Identifier: Apache-2.0 */
#include "local.h"

#include <stdlib.h>

#define SECRET                                                                 \
  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

void check(int rc, const char *what) {
  if (rc != 0) {
    fprintf(stderr, "%s: %s\n", what, ts_strerror(rc));
    exit(1);
  }
}

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t field_count) {
  (void)data;
  fprintf(stderr, "log %d: %s", (int)level, message);
  for (size_t i = 0; i < field_count; i++) {
    fprintf(stderr, " %s=%s", fields[i].key, fields[i].value);
  }
  fputc('\n', stderr);
}

static void add_breaker(ts_plane_t *plane, const char *name) {
  ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
  breaker.name = name;
  breaker.metric = "latency";
  breaker.window_ms = 10000;
  breaker.cooldown_ms = 1000;
  breaker.eval_interval_ms = 100;
  check(ts_plane_add_breaker(plane, &breaker), name);
  check(ts_plane_link(plane, LOCAL_ROUTER, name), name);
}

ts_plane_t *local_plane(uv_loop_t *loop, const char *const *breakers,
                        size_t count, ts_plane_sample_cb on_sample,
                        ts_client_options_t *client_options) {
  ts_plane_t *plane;
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;
  options.ingest_secret = SECRET;
  options.on_sample = on_sample;
  options.on_log = on_log;
  check(ts_plane_new(&plane, loop, &options), "plane");
  router.id = LOCAL_ROUTER;
  check(ts_plane_add_router(plane, &router), "router");
  for (size_t i = 0; i < count; i++) {
    add_breaker(plane, breakers[i]);
  }
  check(ts_plane_listen(plane), "listen");

  client_options->base_url = ts_plane_url(plane);
  client_options->project_id = options.project_id;
  client_options->api_key = options.project_key;
  client_options->ingest_secret = options.ingest_secret;
  client_options->flush_interval_ms = 50;
  client_options->on_log = on_log;
  return plane;
}

ts_call_options_t local_call(const char *const *breaker) {
  static const ts_metric_t latency[] = {TS_LATENCY("latency")};
  ts_call_options_t call = TS_CALL_OPTIONS_INIT;
  call.breakers = breaker;
  call.breaker_count = 1;
  call.router = LOCAL_ROUTER;
  call.metrics = latency;
  call.metric_count = 1;
  return call;
}
