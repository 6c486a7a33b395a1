/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fail-open or fail-closed: what a call does when nobody can say how its
 * breaker stands. Two clients of one plane make the same call. While the plane
 * is there, both pass. When it is gone, the states they know grow stale: the
 * fail-open client goes on as if all were well; the fail-closed one, for calls
 * that are worse done wrongly than not at all, rejects, and says why.
 */
#include "local.h"

typedef struct show_s {
  uv_timer_t timer;
  ts_plane_t *plane;
  ts_client_t *open_client;
  ts_client_t *closed_client;
  int ready;
  int left; /* clients to close */
} show_t;

static int pay(void *context, void **result) {
  (void)context;
  (void)result;
  return 0;
}

/* True if the call was made. */
static bool try_call(ts_client_t *client, const char *who) {
  static const char *const breakers[] = {"payments"};
  ts_rejection_t rejection;
  ts_call_options_t call = local_call(breakers);
  call.rejection = &rejection;
  int rc = ts_execute(client, &call, pay, NULL, NULL);
  printf("  %s: %s%s\n", who, rc == 0 ? "called" : "rejected, ",
         rc == 0 ? "" : ts_reason_name(rejection.reason));
  return rc == 0;
}

static void on_closed(ts_client_t *client, int status) {
  show_t *show = ts_client_get_data(client);
  (void)status; /* samples are lost here: the plane that took them is gone */
  if (--show->left == 0) {
    ts_plane_close(show->plane, NULL);
    uv_close((uv_handle_t *)&show->timer, NULL);
  }
}

static void on_timer(uv_timer_t *timer) {
  show_t *show = timer->data;
  ts_stats_t stats = TS_STATS_INIT;
  ts_client_stats(show->closed_client, &stats);
  if (stats.sse_connected) {
    return; /* not noticed yet */
  }
  printf("the plane is gone\n");
  uv_timer_stop(timer);
  try_call(show->open_client, "fail-open");
  try_call(show->closed_client, "fail-closed");
  ts_client_close(show->open_client, on_closed);
  ts_client_close(show->closed_client, on_closed);
}

static void on_ready(ts_client_t *client, int status) {
  show_t *show = ts_client_get_data(client);
  check(status, "ready");
  if (++show->ready == 2) {
    printf("the plane is there\n");
    try_call(show->open_client, "fail-open");
    try_call(show->closed_client, "fail-closed");
    ts_plane_stop(show->plane);
    uv_timer_start(&show->timer, on_timer, 10, 10);
  }
}

int main(void) {
  static const char *const breakers[] = {"payments"};
  uv_loop_t *loop = uv_default_loop();
  show_t show = {.left = 2};
  ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
  show.plane = local_plane(loop, breakers, 1, NULL, &options);
  options.data = &show;
  uv_timer_init(loop, &show.timer);
  show.timer.data = &show;
  check(ts_client_new(&show.open_client, loop, &options), "client");
  options.fail_open = false; /* its states are stale at once: stale_after_ms */
  check(ts_client_new(&show.closed_client, loop, &options), "client");
  check(ts_client_start(show.open_client, on_ready), "start");
  check(ts_client_start(show.closed_client, on_ready), "start");
  uv_run(loop, UV_RUN_DEFAULT);
  return uv_loop_close(loop);
}
