/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include <pthread.h>
#include <stdio.h>

#include "bench.h"

static void on_stop(uv_async_t *stop) {
  service_t *service = stop->data;
  service->stats = (ts_plane_stats_t)TS_PLANE_STATS_INIT;
  bench_require(ts_plane_stats(service->plane, &service->stats) == 0,
                "figures");
  ts_plane_close(service->plane, NULL);
  uv_close((uv_handle_t *)stop, NULL);
}

static void serve(void *arg) {
  service_t *service = arg;
  uv_loop_t loop;
  bench_require(uv_loop_init(&loop) == 0 &&
                    ts_plane_new(&service->plane, &loop, &service->options) ==
                        0,
                "a plane");
  service->fill(service->plane);
  bench_require(ts_plane_listen(service->plane) == 0, "a port");
  service->port = ts_plane_port(service->plane);
  snprintf(service->url, sizeof service->url, "%s",
           ts_plane_url(service->plane));
  uv_async_init(&loop, &service->stop, on_stop);
  service->stop.data = service;
  uv_sem_post(&service->up);
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_loop_close(&loop);
}

void service_init(service_t *service, void (*fill)(ts_plane_t *plane)) {
  *service = (service_t){.options = TS_PLANE_OPTIONS_INIT, .fill = fill};
  service->options.ingest_secret = SERVICE_SECRET;
  service->options.admin_key = SERVICE_ADMIN;
}

void service_start(service_t *service) {
  uv_sem_init(&service->up, 0);
  bench_require(uv_thread_create(&service->thread, serve, service) == 0,
                "a thread");
  uv_sem_wait(&service->up);
}

void service_end(service_t *service) {
  uv_async_send(&service->stop);
  uv_thread_join(&service->thread);
  uv_sem_destroy(&service->up);
}

static uint64_t read_clock(clockid_t clock) {
  struct timespec now;
  bench_require(clock_gettime(clock, &now) == 0, "a clock");
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t service_loop_ns(const service_t *service) {
  clockid_t clock;
  bench_require(pthread_getcpuclockid(service->thread, &clock) == 0,
                "the clock of a thread");
  return read_clock(clock);
}

uint64_t service_cpu_ns(void) {
  const uint64_t own = bench_cpu_ns();
  return read_clock(CLOCK_PROCESS_CPUTIME_ID) - own;
}
