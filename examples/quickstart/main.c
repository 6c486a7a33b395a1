/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dependency fails, its breaker opens, traffic stops, the dependency
 * recovers, and traffic ramps up again: on one loop, in under 30 seconds, and
 * without an account.
 *
 *   plane        decides: more than half of the calls failed, in a window of
 *                2 s, opens the breaker for 4 s; then five steps to closed
 *   dependency   an HTTP server that fails from second 3 to second 7
 *   caller       200 calls a second, each guarded by the breaker
 *
 * Nothing here tells the client what to do: it learns from the plane, and the
 * plane learns from the samples of the calls.
 *
 * The end, in order: no new calls; those under way finish; the client drains
 * and closes; then the plane, the dependency and the timers. Exit status 0
 * means that the whole way was seen and that the books balance.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tripswitch/plane.h>
#include <tripswitch/tripswitch.h>
#include <uv.h>

#include "caller.h"
#include "dependency.h"
#include "screen.h"

#define SECRET                                                                 \
  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

#define CALLS_PER_SECOND 200
#define FAIL_FROM_MS 3000
#define FAIL_UNTIL_MS 7000
#define STAY_AFTER_MS 3000 /* to watch, once the breaker is closed again */
#define GIVE_UP_MS 26000

#define MAX_PATH 32

typedef struct show_s {
  uv_loop_t loop;
  uv_timer_t call_timer;
  uv_timer_t tick_timer;
  uv_signal_t interrupt;
  dependency_t dependency;
  caller_t caller;
  screen_t screen;
  ts_plane_t *plane;
  ts_client_t *client;
  uint64_t start_ms;
  uint64_t calls_due;
  uint64_t end_ms; /* when to end, 0: not known yet */
  bool ending;
  bool closing;
  caller_counts_t last_tick;
  ts_breaker_state_t path[MAX_PATH];
  size_t path_len;
  ts_stats_t stats;
  ts_plane_stats_t plane_stats;
} show_t;

static double seconds(const show_t *show) {
  return (double)(uv_now(&show->loop) - show->start_ms) / 1000;
}

static void check(int rc, const char *what) {
  if (rc != 0) {
    fprintf(stderr, "quickstart: %s: %s\n", what, ts_strerror(rc));
    exit(1);
  }
}

/* ---------------------------------------------------------------- the books */

static void add_to_path(show_t *show, ts_breaker_state_t state) {
  if (show->path_len < MAX_PATH) {
    show->path[show->path_len++] = state;
  }
}

/* closed first, and open, half_open, closed last. */
static bool is_whole_way(const show_t *show) {
  static const ts_breaker_state_t last[] = {
      TS_BREAKER_OPEN, TS_BREAKER_HALF_OPEN, TS_BREAKER_CLOSED};
  return show->path_len >= 4 && show->path[0] == TS_BREAKER_CLOSED &&
         memcmp(&show->path[show->path_len - 3], last, sizeof(last)) == 0;
}

/* Each call that ran is one sample, and each of those is accounted for. */
static bool is_balanced(const show_t *show) {
  const caller_counts_t *counts = &show->caller.counts;
  const ts_stats_t *stats = &show->stats;
  return counts->passed + counts->failed ==
             stats->delivered_samples + stats->dropped_samples &&
         stats->buffer_size == 0 && stats->in_flight_samples == 0 &&
         show->plane_stats.samples_accepted == stats->delivered_samples;
}

static void print_summary(const show_t *show) {
  const caller_counts_t *counts = &show->caller.counts;
  printf("\nbreaker:  ");
  for (size_t i = 0; i < show->path_len; i++) {
    printf("%s%s", i > 0 ? " > " : "", ts_breaker_state_name(show->path[i]));
  }
  printf("\ncalls:    %" PRIu64 " passed, %" PRIu64 " failed, %" PRIu64
         " rejected\n",
         counts->passed, counts->failed, counts->rejected);
  printf("samples:  %" PRIu64 " reported = %" PRIu64 " delivered + %" PRIu64
         " dropped; the plane counted %" PRIu64 "\n",
         counts->passed + counts->failed, show->stats.delivered_samples,
         show->stats.dropped_samples, show->plane_stats.samples_accepted);
  printf("%s\n", !is_whole_way(show) ? "the way was not seen to its end"
                 : is_balanced(show) ? "all as it should be"
                                     : "the books do not balance");
}

/* ------------------------------------------------------------------- the end */

static void on_client_close(ts_client_t *client, int status) {
  (void)status;
  show_t *show = ts_client_get_data(client);
  ts_client_stats(client, &show->stats);
  ts_plane_stats(show->plane, &show->plane_stats);
  ts_plane_close(show->plane, NULL);
  caller_stop(&show->caller);
  dependency_stop(&show->dependency);
  uv_close((uv_handle_t *)&show->tick_timer, NULL);
  uv_close((uv_handle_t *)&show->interrupt, NULL);
}

static void on_tick_timer(uv_timer_t *timer);

/* From here on the tick waits for the calls under way. */
static void begin_end(show_t *show) {
  if (!show->ending) {
    show->ending = true;
    uv_close((uv_handle_t *)&show->call_timer, NULL);
    uv_timer_start(&show->tick_timer, on_tick_timer, 0, 20);
  }
}

static void on_interrupt(uv_signal_t *interrupt, int number) {
  (void)number;
  show_t *show = interrupt->data;
  screen_note(&show->screen, seconds(show), "interrupted");
  begin_end(show);
}

/* -------------------------------------------------------------- what happens */

static void on_state_change(ts_client_t *client, const char *breaker,
                            ts_breaker_state_t from, ts_breaker_state_t to,
                            double allow_rate) {
  (void)allow_rate;
  show_t *show = ts_client_get_data(client);
  add_to_path(show, to);
  screen_note(&show->screen, seconds(show), "the client sees %s: %s > %s",
              breaker, ts_breaker_state_name(from), ts_breaker_state_name(to));
  if (is_whole_way(show)) {
    show->end_ms = uv_now(&show->loop) + STAY_AFTER_MS;
  }
}

static void on_transition(ts_plane_t *plane, const ts_plane_event_t *event) {
  show_t *show = ts_plane_get_data(plane);
  if (event->has_value) {
    screen_note(&show->screen, seconds(show),
                "the plane decides: %s (%.0f %% of %" PRIu64 " calls failed)",
                event->reason, event->value * 100, event->count);
  } else {
    screen_note(&show->screen, seconds(show), "the plane decides: %s",
                event->reason);
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

static void run_script(show_t *show, uint64_t now_ms) {
  bool failing = now_ms >= FAIL_FROM_MS && now_ms < FAIL_UNTIL_MS;
  if (failing != show->dependency.failing) {
    show->dependency.failing = failing;
    screen_note(&show->screen, seconds(show),
                failing ? "the dependency begins to fail"
                        : "the dependency is well again");
  }
}

/* As many calls as are due by now: a late timer is made up for. */
static void on_call_timer(uv_timer_t *timer) {
  show_t *show = timer->data;
  uint64_t now_ms = uv_now(&show->loop) - show->start_ms;
  run_script(show, now_ms);
  while (show->calls_due < now_ms * CALLS_PER_SECOND / 1000) {
    show->calls_due++;
    caller_call(&show->caller);
  }
}

static void print_tick(show_t *show) {
  ts_state_t state = {"checkout", TS_BREAKER_UNKNOWN, 0};
  ts_client_get_state(show->client, "checkout", &state);
  screen_tick(&show->screen, seconds(show), &state, &show->caller.counts,
              &show->last_tick);
  show->last_tick = show->caller.counts;
}

static void on_tick_timer(uv_timer_t *timer) {
  show_t *show = timer->data;
  if (show->ending) {
    if (show->caller.under_way == 0 && !show->closing) {
      show->closing = true;
      check(ts_client_shutdown(show->client, 3000, on_client_close),
            "shutdown");
    }
    return;
  }
  print_tick(show);
  uint64_t now_ms = uv_now(&show->loop);
  if ((show->end_ms != 0 && now_ms >= show->end_ms) ||
      now_ms - show->start_ms >= GIVE_UP_MS) {
    begin_end(show);
  }
}

static void on_ready(ts_client_t *client, int status) {
  show_t *show = ts_client_get_data(client);
  ts_state_t state;
  if (show->ending) {
    return;
  }
  check(status, "the client was not ready");
  check(ts_client_get_state(client, "checkout", &state), "no breaker");
  add_to_path(show, state.state);
  uv_update_time(&show->loop);
  show->start_ms = uv_now(&show->loop);
  screen_note(&show->screen, 0, "the client knows checkout: %s",
              ts_breaker_state_name(state.state));
  uv_timer_start(&show->call_timer, on_call_timer, 5, 5);
  uv_timer_start(&show->tick_timer, on_tick_timer, 500, 500);
}

/* ----------------------------------------------------------------- the start */

static void start_plane(show_t *show) {
  ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;
  options.data = show;
  options.ingest_secret = SECRET;
  options.enable_signed_ingest = true;
  options.on_transition = on_transition;
  options.on_log = on_log;
  check(ts_plane_new(&show->plane, &show->loop, &options), "plane");

  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  router.id = "router-1";
  check(ts_plane_add_router(show->plane, &router), "router");

  ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
  breaker.name = "checkout";
  breaker.metric = "latency";
  breaker.kind = TS_PLANE_KIND_ERROR_RATE;
  breaker.op = TS_PLANE_OP_GT;
  breaker.threshold = 0.5;
  breaker.window_ms = 2000;
  breaker.min_count = 20;
  breaker.eval_interval_ms = 500;
  breaker.cooldown_ms = 4000;
  check(ts_plane_add_breaker(show->plane, &breaker), "breaker");
  check(ts_plane_link(show->plane, "router-1", "checkout"), "link");
  check(ts_plane_listen(show->plane), "listen");
}

static void start_client(show_t *show) {
  ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
  options.data = show;
  options.base_url = ts_plane_url(show->plane);
  options.project_id = "project";
  options.api_key = "eb_pk_local";
  options.ingest_secret = SECRET;
  options.flush_interval_ms = 250;
  options.on_state_change = on_state_change;
  options.on_log = on_log;
  check(ts_client_new(&show->client, &show->loop, &options), "client");
  check(ts_client_start(show->client, on_ready), "start");
}

int main(void) {
  static show_t show = {.stats = TS_STATS_INIT,
                        .plane_stats = TS_PLANE_STATS_INIT};
  signal(SIGPIPE, SIG_IGN); /* a broken connection is an error code */
  check(uv_loop_init(&show.loop), "loop");
  show.start_ms = uv_now(&show.loop);
  uv_timer_init(&show.loop, &show.call_timer);
  uv_timer_init(&show.loop, &show.tick_timer);
  uv_signal_init(&show.loop, &show.interrupt);
  show.call_timer.data = &show;
  show.tick_timer.data = &show;
  show.interrupt.data = &show;
  check(uv_signal_start(&show.interrupt, on_interrupt, SIGINT), "signal");

  screen_start(&show.screen);
  check(dependency_start(&show.dependency, &show.loop), "dependency");
  caller_init(&show.caller, &show.loop, show.dependency.port);
  start_plane(&show);
  start_client(&show);
  show.caller.client = show.client;

  uv_run(&show.loop, UV_RUN_DEFAULT);
  check(uv_loop_close(&show.loop), "something was left open");
  print_summary(&show);
  return is_whole_way(&show) && is_balanced(&show) ? 0 : 1;
}
