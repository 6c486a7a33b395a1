/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is a failure? An HTTP client's answers of 4xx are the caller's fault,
 * and no reason to stop calling; those of 5xx are the server's. The evaluator
 * tells them apart; the caller still sees every error unchanged.
 *
 * Fifty times 404 leave the breaker closed. Fifty times 503 open it.
 */
#include "local.h"

typedef struct show_s {
  uv_timer_t timer;
  ts_plane_t *plane;
  ts_client_t *client;
  int status; /* what the server answers */
  int made;
} show_t;

/* The work; its error code is the status, as far as it is one. */
static int get_page(void *context, void **result) {
  const show_t *show = context;
  (void)result;
  return show->status < 400 ? 0 : show->status;
}

/* Asked only when the error is not 0. */
static bool is_failure(int error, void *result, void *context) {
  (void)result;
  (void)context;
  return error < 400 || error >= 500;
}

static void on_plane_closed(ts_plane_t *plane) { (void)plane; }

static void on_closed(ts_client_t *client, int status) {
  show_t *show = ts_client_get_data(client);
  (void)status;
  uv_close((uv_handle_t *)&show->timer, NULL);
  ts_plane_close(show->plane, on_plane_closed);
}

static void on_timer(uv_timer_t *timer) {
  static const char *const breakers[] = {"pages"};
  show_t *show = timer->data;
  ts_call_options_t call = local_call(breakers);
  call.error_evaluator = is_failure;
  int rc = ts_execute(show->client, &call, get_page, show, NULL);
  if (rc == TS_EOPEN) {
    printf("%d answers of 503: the breaker is open\n", show->made);
    uv_timer_stop(timer);
    ts_client_shutdown(show->client, 1000, on_closed);
  } else if (rc == 404 && ++show->made == 50) {
    printf("50 answers of 404: the breaker is still closed\n");
    show->status = 503;
    show->made = 0;
  } else if (rc == 503) {
    show->made++;
  }
}

static void on_ready(ts_client_t *client, int status) {
  show_t *show = ts_client_get_data(client);
  check(status, "ready");
  uv_timer_start(&show->timer, on_timer, 0, 10);
}

int main(void) {
  static const char *const breakers[] = {"pages"};
  uv_loop_t *loop = uv_default_loop();
  show_t show = {.status = 404};
  ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
  show.plane = local_plane(loop, breakers, 1, NULL, &options);
  options.data = &show;
  check(ts_client_new(&show.client, loop, &options), "client");
  check(ts_client_start(show.client, on_ready), "start");
  uv_timer_init(loop, &show.timer);
  show.timer.data = &show;
  uv_run(loop, UV_RUN_DEFAULT);
  return uv_loop_close(loop);
}
