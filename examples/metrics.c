/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics of a call's result, and of the client itself. The answer of a search
 * says how many hits there were and how old its index is; both become samples,
 * beside the latency, once the answer is there. At the end the client's own
 * figures are written as Prometheus reads them.
 */
#include <stdlib.h>

#include "local.h"

typedef struct answer_s {
  int hits;
  double index_age_s;
} answer_t;

typedef struct show_s {
  ts_plane_t *plane;
  ts_client_t *client;
} show_t;

static int search(void *context, void **result) {
  static answer_t answer = {.hits = 42, .index_age_s = 1.5};
  (void)context;
  *result = &answer;
  return 0;
}

/* Asked when the search has ended; `result` is NULL if it failed. */
static int read_answer(ts_metric_sink_t *sink, int error, void *result,
                       void *context) {
  const answer_t *answer = result;
  (void)error;
  (void)context;
  if (answer == NULL) {
    return 0;
  }
  ts_metric_sink_add(sink, "hits", answer->hits);
  return ts_metric_sink_add(sink, "index_age", answer->index_age_s);
}

static void on_sample(ts_plane_t *plane, const ts_plane_sample_t *sample) {
  (void)plane;
  if (sample->metric[0] != 'l') { /* the latency differs from run to run */
    printf("sample: %s = %g\n", sample->metric, sample->value);
  }
}

/* What a /metrics page of the program would have on it. */
static void print_figures(const ts_client_t *client) {
  size_t len = 0;
  ts_stats_prometheus(client, NULL, 0, &len);
  char *page = malloc(len + 1);
  check(page == NULL ? UV_ENOMEM : 0, "memory");
  check(ts_stats_prometheus(client, page, len + 1, &len), "figures");
  fputs(page, stdout);
  free(page);
}

static void on_closed(ts_client_t *client, int status) {
  show_t *show = ts_client_get_data(client);
  check(status, "drain");
  print_figures(client);
  ts_plane_close(show->plane, NULL);
}

static void on_ready(ts_client_t *client, int status) {
  static const char *const breakers[] = {"search"};
  ts_call_options_t call = local_call(breakers);
  call.deferred_metrics = read_answer;
  check(status, "ready");
  check(ts_execute(client, &call, search, NULL, NULL), "call");
  ts_client_shutdown(client, 2000, on_closed);
}

int main(void) {
  static const char *const breakers[] = {"search"};
  uv_loop_t *loop = uv_default_loop();
  show_t show;
  ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
  show.plane = local_plane(loop, breakers, 1, on_sample, &options);
  options.data = &show;
  check(ts_client_new(&show.client, loop, &options), "client");
  check(ts_client_start(show.client, on_ready), "start");
  uv_run(loop, UV_RUN_DEFAULT);
  return uv_loop_close(loop);
}
