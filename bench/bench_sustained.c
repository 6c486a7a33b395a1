/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reporting costs in the long run: guarded calls, each with a sample, over
 * loopback to a real plane, which runs on a thread of its own. All that the
 * caller's thread ran is counted, from the gate to the last byte sent.
 */
#include <stdio.h>

#include <uv.h>

#include "bench.h"
#include "service.h"
#include "tripswitch/tripswitch.h"
#include "yardsticks.h"

#define ROUNDS 21
#define CALLS 20000u
#define CALLS_A_TURN 50u
#define ROUTER "router-1"

static uv_loop_t loop;
static ts_client_t *client;
static int ready;
static bool is_flushed;

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
  options.api_key = SERVICE_KEY;
  options.ingest_secret = SERVICE_SECRET;
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
  bench_require(uv_loop_init(&loop) == 0, "a loop");
  service_init(&service, add_breaker);
  service_start(&service);
  start_client(&service);

  bench_run_rounds(cases, 2, ROUNDS);
  ts_client_set_data(client, &stats);
  ts_client_shutdown(client, 5000, on_closed);
  uv_run(&loop, UV_RUN_DEFAULT);
  service_end(&service);
  bench_require(stats.dropped_samples == 0 &&
                    stats.delivered_samples == service.stats.samples_accepted,
                "every sample arrived");
  uv_loop_close(&loop);
  return bench_end();
}
