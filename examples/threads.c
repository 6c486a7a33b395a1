/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker threads beside the loop: each asks the gate without a lock, does its
 * work, and reports how it went; the loop sends the samples. The option
 * `threads` allows both. The workers stop before the client does.
 */
#include <inttypes.h>
#include <stdatomic.h>

#include "local.h"

#define WORKERS 4
#define CALLS 1000

typedef struct show_s {
  uv_thread_t threads[WORKERS];
  uv_async_t finished; /* from the last worker to the loop */
  atomic_int working;
  atomic_uint rejected;
  ts_plane_t *plane;
  ts_client_t *client;
} show_t;

/* The work of a thread: something that takes time and no loop. */
static double compute(int i) {
  double sum = 0;
  for (int k = 1; k < 2000; k++) {
    sum += 1.0 / (k + i);
  }
  return sum;
}

static void call_once(show_t *show, int i) {
  static const char *const breakers[] = {"compute"};
  ts_report_t report = TS_REPORT_INIT;
  int rc = ts_client_allow_mt(show->client, breakers, 1, NULL);
  if (rc != 0) {
    atomic_fetch_add(&show->rejected, 1);
    return;
  }
  uint64_t start_ns = uv_hrtime();
  report.ok = compute(i) > 0;
  report.router = LOCAL_ROUTER;
  report.metric = "latency";
  report.value = (double)(uv_hrtime() - start_ns) / 1e6;
  ts_report_mt(show->client, &report);
}

static void work(void *arg) {
  show_t *show = arg;
  for (int i = 0; i < CALLS; i++) {
    call_once(show, i);
  }
  if (atomic_fetch_sub(&show->working, 1) == 1) {
    uv_async_send(&show->finished);
  }
}

static void on_closed(ts_client_t *client, int status) {
  show_t *show = ts_client_get_data(client);
  ts_stats_t stats = TS_STATS_INIT;
  ts_client_stats(client, &stats);
  printf("%d threads: %u rejected, %" PRIu64 " delivered + %" PRIu64
         " dropped%s\n",
         WORKERS, atomic_load(&show->rejected), stats.delivered_samples,
         stats.dropped_samples, status == 0 ? "" : ", not in time");
  ts_plane_close(show->plane, NULL);
}

/* Nobody uses the client from another thread any more: it may be shut down. */
static void on_finished(uv_async_t *finished) {
  show_t *show = finished->data;
  for (int i = 0; i < WORKERS; i++) {
    uv_thread_join(&show->threads[i]);
  }
  uv_close((uv_handle_t *)finished, NULL);
  ts_client_shutdown(show->client, 5000, on_closed);
}

static void on_ready(ts_client_t *client, int status) {
  show_t *show = ts_client_get_data(client);
  check(status, "ready");
  for (int i = 0; i < WORKERS; i++) {
    check(uv_thread_create(&show->threads[i], work, show), "thread");
  }
}

int main(void) {
  static const char *const breakers[] = {"compute"};
  uv_loop_t *loop = uv_default_loop();
  show_t show = {.working = WORKERS};
  ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
  show.plane = local_plane(loop, breakers, 1, NULL, &options);
  options.data = &show;
  options.threads = true;
  uv_async_init(loop, &show.finished, on_finished);
  show.finished.data = &show;
  check(ts_client_new(&show.client, loop, &options), "client");
  check(ts_client_start(show.client, on_ready), "start");
  uv_run(loop, UV_RUN_DEFAULT);
  return uv_loop_close(loop);
}
