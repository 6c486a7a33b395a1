/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reporting costs in the long run: guarded calls, each with a sample, over
 * loopback to a real plane, which runs on a thread of its own. All that the
 * caller's thread ran is counted, from the gate to the last byte sent.
 */
#include <stdio.h>

#include <uv.h>

#include "bench.h"
#include "tripswitch/plane.h"
#include "tripswitch/tripswitch.h"
#include "yardsticks.h"

#define ROUNDS 21
#define CALLS 20000u
#define CALLS_A_TURN 50u
#define ROUTER "router-1"
#define SECRET                                                                 \
  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* The plane's thread. */
typedef struct service_s {
  uv_thread_t thread;
  uv_sem_t up;
  uv_async_t stop;
  ts_plane_t *plane;
  char url[64];
  uint64_t accepted; /* read when the thread has ended */
} service_t;

static uv_loop_t loop;
static ts_client_t *client;
static int ready;
static bool is_flushed;

static void on_stop(uv_async_t *stop) {
  service_t *service = stop->data;
  ts_plane_stats_t stats = TS_PLANE_STATS_INIT;
  bench_require(ts_plane_stats(service->plane, &stats) == 0, "figures");
  service->accepted = stats.samples_accepted;
  ts_plane_close(service->plane, NULL);
  uv_close((uv_handle_t *)stop, NULL);
}

static void add_breaker(ts_plane_t *plane) {
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
  router.id = ROUTER;
  breaker.name = "orders";
  breaker.metric = "latency";
  bench_require(ts_plane_add_router(plane, &router) == 0 &&
                    ts_plane_add_breaker(plane, &breaker) == 0 &&
                    ts_plane_link(plane, ROUTER, "orders") == 0,
                "a breaker");
}

static void serve(void *arg) {
  service_t *service = arg;
  uv_loop_t own;
  ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;
  options.ingest_secret = SECRET;
  bench_require(uv_loop_init(&own) == 0 &&
                    ts_plane_new(&service->plane, &own, &options) == 0,
                "a plane");
  add_breaker(service->plane);
  bench_require(ts_plane_listen(service->plane) == 0, "a port");
  snprintf(service->url, sizeof service->url, "%s",
           ts_plane_url(service->plane));
  uv_async_init(&own, &service->stop, on_stop);
  service->stop.data = service;
  uv_sem_post(&service->up);
  uv_run(&own, UV_RUN_DEFAULT);
  uv_loop_close(&own);
}

static void on_ready(ts_client_t *own, int status) {
  (void)own;
  bench_require(status == 0, "breaker states");
  ready = 1;
}

static void on_flush(ts_client_t *own, int status, void *arg) {
  (void)own;
  (void)status;
  (void)arg;
  is_flushed = true;
}

static void start_client(const service_t *service) {
  ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
  options.base_url = service->url;
  options.project_id = "project";
  options.api_key = "eb_pk_local";
  options.ingest_secret = SECRET;
  options.buffer_capacity = 2 * (int64_t)CALLS;
  bench_require(ts_client_new(&client, &loop, &options) == 0 &&
                    ts_client_start(client, on_ready) == 0,
                "a client");
  ts_client_ref(client); /* a loop with nothing to do does not turn */
  while (ready == 0) {
    uv_run(&loop, UV_RUN_ONCE);
  }
}

static int work(void *context, void **result) {
  (void)context;
  (void)result;
  return 0;
}

static double measure(void *unused) {
  static const char *const breakers[] = {"orders"};
  static const ts_metric_t metrics[] = {TS_LATENCY("latency")};
  ts_call_options_t options = TS_CALL_OPTIONS_INIT;
  (void)unused;
  options.breakers = breakers;
  options.breaker_count = 1;
  options.router = ROUTER;
  options.metrics = metrics;
  options.metric_count = 1;
  const uint64_t began_ns = bench_cpu_ns();
  for (unsigned i = 0; i < CALLS; i++) {
    bench_require(ts_execute(client, &options, work, NULL, NULL) == 0,
                  "a call");
    if (i % CALLS_A_TURN == 0) {
      uv_run(&loop, UV_RUN_NOWAIT);
    }
  }
  is_flushed = false;
  bench_require(ts_client_flush(client, 0, on_flush, NULL) == 0, "a flush");
  while (!is_flushed) {
    uv_run(&loop, UV_RUN_ONCE);
  }
  return (double)(bench_cpu_ns() - began_ns) / CALLS;
}

static void on_closed(ts_client_t *own, int status) {
  ts_stats_t *stats = ts_client_get_data(own);
  bench_require(status == 0, "a drain");
  ts_client_stats(own, stats);
}

int main(void) {
  static service_t service;
  static bench_case_t cases[] = {{"Y2", y2_cpu_measure, NULL},
                                 {"a call and its sample", measure, NULL}};
  ts_stats_t stats = TS_STATS_INIT;
  bench_begin("sustained");
  y_init();
  uv_sem_init(&service.up, 0);
  bench_require(uv_loop_init(&loop) == 0, "a loop");
  bench_require(uv_thread_create(&service.thread, serve, &service) == 0,
                "a thread");
  uv_sem_wait(&service.up);
  start_client(&service);

  bench_run_rounds(cases, 2, ROUNDS);
  ts_client_set_data(client, &stats);
  ts_client_shutdown(client, 5000, on_closed);
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_async_send(&service.stop);
  uv_thread_join(&service.thread);
  bench_require(stats.dropped_samples == 0 &&
                    stats.delivered_samples == service.accepted,
                "every sample arrived");
  uv_sem_destroy(&service.up);
  uv_loop_close(&loop);
  return bench_end();
}
