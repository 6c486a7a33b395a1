/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plane as a process, for tests from outside: prints its URL, then obeys
 * "stop", "listen" and "quit", a line each, and prints a line when it is done.
 * After "quit" that line is the number of accepted samples.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tripswitch/plane.h>
#include <tripswitch/tripswitch.h>
#include <uv.h>

#include "input.h"

typedef struct local_s {
  uv_loop_t loop;
  input_t input;
  ts_plane_t *plane;
} local_t;

static void check(int rc, const char *what) {
  if (rc != 0) {
    fprintf(stderr, "local_plane: %s: %s\n", what, ts_strerror(rc));
    exit(1);
  }
}

static void on_end(void *owner) {
  local_t *local = owner;
  ts_plane_stats_t stats = TS_PLANE_STATS_INIT;
  check(ts_plane_stats(local->plane, &stats), "stats");
  printf("%" PRIu64 "\n", stats.samples_accepted);
  fflush(stdout);
  check(ts_plane_close(local->plane, NULL), "close");
}

static void on_line(void *owner, const char *line, size_t len) {
  local_t *local = owner;
  if (len == 4 && memcmp(line, "quit", len) == 0) {
    input_stop(&local->input);
    on_end(local);
    return;
  }
  if (len == 4 && memcmp(line, "stop", len) == 0) {
    check(ts_plane_stop(local->plane), "stop");
  } else if (len == 6 && memcmp(line, "listen", len) == 0) {
    check(ts_plane_listen(local->plane), "listen");
  }
  puts("done");
  fflush(stdout);
}

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t field_count) {
  (void)data;
  fprintf(stderr, "plane %d: %s", (int)level, message);
  for (size_t i = 0; i < field_count; i++) {
    fprintf(stderr, " %s=%s", fields[i].key, fields[i].value);
  }
  fputc('\n', stderr);
}

static void start_plane(local_t *local) {
  ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;
  options.on_log = on_log;
  check(ts_plane_new(&local->plane, &local->loop, &options), "new");
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  router.id = "router-1";
  check(ts_plane_add_router(local->plane, &router), "router");
  ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
  breaker.name = "checkout";
  breaker.metric = "latency";
  check(ts_plane_add_breaker(local->plane, &breaker), "breaker");
  check(ts_plane_link(local->plane, "router-1", "checkout"), "link");
  check(ts_plane_listen(local->plane), "listen");
  puts(ts_plane_url(local->plane));
  fflush(stdout);
}

int main(void) {
  static local_t local;
  check(uv_loop_init(&local.loop), "loop");
  start_plane(&local);
  check(input_start(&local.input, &local.loop, &local, on_line, on_end),
        "input");
  uv_run(&local.loop, UV_RUN_DEFAULT);
  check(uv_loop_close(&local.loop), "something was left open");
  input_deinit(&local.input);
  return 0;
}
