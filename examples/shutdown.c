/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service that ends in order. SIGTERM: no new calls; the one under way may
 * finish; then what is buffered is sent, within a limit, so that whoever waits
 * for the process never waits long.
 *
 * Run it, and send it a SIGTERM (or press Ctrl-C).
 */
#include <inttypes.h>
#include <signal.h>

#include "local.h"

#define DRAIN_LIMIT_MS 2000

typedef struct service_s {
  uv_signal_t terminate;
  uv_signal_t interrupt;
  uv_timer_t traffic;
  uv_timer_t work;
  ts_call_t *running; /* one call that takes its time */
  ts_plane_t *plane;
  ts_client_t *client;
  uint64_t calls;
  bool ending;
} service_t;

static void on_closed(ts_client_t *client, int status) {
  service_t *service = ts_client_get_data(client);
  ts_stats_t stats = TS_STATS_INIT;
  ts_client_stats(client, &stats);
  printf("closed: %s, %" PRIu64 " calls, %" PRIu64
         " samples delivered, %" PRIu64 " dropped\n",
         status == 0 ? "drained" : ts_strerror(status), service->calls,
         stats.delivered_samples, stats.dropped_samples);
  uv_close((uv_handle_t *)&service->work, NULL);
  ts_plane_close(service->plane, NULL);
}

static void on_done(ts_client_t *client, int error, void *result,
                    void *context) {
  service_t *service = context;
  (void)client;
  (void)error;
  (void)result;
  service->calls++;
  service->running = NULL;
  if (service->ending) {
    ts_client_shutdown(service->client, DRAIN_LIMIT_MS, on_closed);
  }
}

static void on_work_done(uv_timer_t *timer) {
  service_t *service = timer->data;
  ts_call_finish(service->running, 0, NULL);
}

/* The work: half a second of somebody else's time. */
static void begin_work(ts_call_t *call, void *context) {
  service_t *service = context;
  service->running = call;
  uv_timer_start(&service->work, on_work_done, 500, 0);
}

static void on_traffic(uv_timer_t *timer) {
  static const char *const breakers[] = {"orders"};
  service_t *service = timer->data;
  ts_call_options_t call = local_call(breakers);
  if (service->running == NULL) {
    ts_execute_async(service->client, &call, begin_work, on_done, service);
  }
}

/* The first signal drains; the handles go, so that a second one kills. */
static void on_signal(uv_signal_t *signal, int number) {
  service_t *service = signal->data;
  printf("signal %d: a call is %s\n", number,
         service->running != NULL ? "under way" : "not under way");
  uv_close((uv_handle_t *)&service->terminate, NULL);
  uv_close((uv_handle_t *)&service->interrupt, NULL);
  uv_close((uv_handle_t *)&service->traffic, NULL);
  service->ending = true;
  if (service->running == NULL) {
    ts_client_shutdown(service->client, DRAIN_LIMIT_MS, on_closed);
  }
}

static void on_ready(ts_client_t *client, int status) {
  service_t *service = ts_client_get_data(client);
  check(status, "ready");
  uv_timer_start(&service->traffic, on_traffic, 0, 10);
  printf("serving, pid %d\n", (int)uv_os_getpid());
  fflush(stdout);
}

int main(void) {
  static const char *const breakers[] = {"orders"};
  uv_loop_t *loop = uv_default_loop();
  service_t service = {.calls = 0};
  ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
  service.plane = local_plane(loop, breakers, 1, NULL, &options);
  options.data = &service;
  check(ts_client_new(&service.client, loop, &options), "client");
  check(ts_client_start(service.client, on_ready), "start");
  uv_timer_init(loop, &service.traffic);
  uv_timer_init(loop, &service.work);
  uv_signal_init(loop, &service.terminate);
  uv_signal_init(loop, &service.interrupt);
  service.traffic.data = service.work.data = &service;
  service.terminate.data = service.interrupt.data = &service;
  uv_signal_start(&service.terminate, on_signal, SIGTERM);
  uv_signal_start(&service.interrupt, on_signal, SIGINT);
  uv_run(loop, UV_RUN_DEFAULT);
  return uv_loop_close(loop);
}
