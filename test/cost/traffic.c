/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic.h"

#include <stdio.h>
#include <stdlib.h>

#include <uv.h>

#include "tripswitch/plane.h"
#include "tripswitch/tripswitch.h"

#define REQUIRE(what) require((what), #what)

const char *const traffic_names[TRAFFIC_KINDS] = {
    "open",        "closed", "half", "async",    "full",   "guard",
    "guard-async", "allow",  "own",  "own-open", "own-run"};

static uv_loop_t loop;
static ts_plane_t *plane;
static ts_client_t *client;
static ts_guard_t *guard;
static ts_registry_t *registry;
static ts_breaker_t *own, *own_open;
static uint64_t due; /* samples taken so far */
static bool closed;

static const ts_tag_t tags[] = {{"endpoint", "/v1/orders"}, {"status", "200"}};
static const ts_metric_t metrics[] = {TS_LATENCY("latency")};

static void require(bool holds, const char *what) {
  if (!holds) {
    fprintf(stderr, "traffic: %s\n", what);
    exit(EXIT_FAILURE);
  }
}

static void add_breaker(const char *name, ts_breaker_state_t state,
                        double allow_rate) {
  ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
  breaker.name = name;
  breaker.metric = "unused";
  REQUIRE(ts_plane_add_breaker(plane, &breaker) == 0);
  REQUIRE(ts_plane_set_state(plane, name, state, allow_rate) == 0);
}

static void start_plane(void) {
  const ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  router.id = "router";
  REQUIRE(ts_plane_new(&plane, &loop, &options) == 0);
  REQUIRE(ts_plane_add_router(plane, &router) == 0);
  add_breaker("breaker-of-an-order", TS_BREAKER_CLOSED, 1.0);
  add_breaker("breaker-of-a-payment", TS_BREAKER_CLOSED, 1.0);
  add_breaker("breaker-of-the-stock", TS_BREAKER_CLOSED, 1.0);
  add_breaker("breaker-that-is-open", TS_BREAKER_OPEN, 0.0);
  add_breaker("breaker-that-is-half", TS_BREAKER_HALF_OPEN, 0.999999);
  REQUIRE(ts_plane_listen(plane) == 0);
}

static bool is_known(const char *name) {
  ts_state_t state;
  return ts_client_get_state(client, name, &state) == 0;
}

static void start_client(void) {
  ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
  options.project_id = "project";
  options.api_key = "eb_pk_local";
  options.base_url = ts_plane_url(plane);
  options.metadata_sync_interval_ms = 0;
  REQUIRE(ts_client_new(&client, &loop, &options) == 0);
  REQUIRE(ts_client_start(client, NULL) == 0);
  while (!is_known("breaker-that-is-half") ||
         !is_known("breaker-of-an-order")) {
    uv_run(&loop, UV_RUN_ONCE);
  }
}

/* ------------------------------------------------------------------- calls */

static int task(void *context, void **result) {
  (void)context;
  (void)result;
  return 0;
}

static void async_task(ts_call_t *call, void *context) {
  *(ts_call_t **)context = call;
}

/* Options are made once, as programs do whose calls are many. */
static ts_call_options_t by_name(const char *const *breaker) {
  ts_call_options_t options = TS_CALL_OPTIONS_INIT;
  options.breakers = breaker;
  options.breaker_count = 1;
  options.router = "router";
  options.metrics = metrics;
  options.metric_count = 1;
  return options;
}

static const char *const a_closed = "breaker-of-an-order";
static const char *const an_open = "breaker-that-is-open";
static const char *const a_half = "breaker-that-is-half";
static ts_call_options_t of_closed, of_open, of_half;

static void call_sync(const ts_call_options_t *options) {
  if (ts_execute(client, options, task, NULL, NULL) == 0) {
    due++;
  }
}

static void call_guard(void) {
  if (ts_guard_execute(guard, NULL, task, NULL, NULL) == 0) {
    due++;
  }
}

static void call_async(void) {
  ts_call_t *call = NULL;
  if (ts_execute_async(client, &of_closed, async_task, NULL, &call) == 0) {
    ts_call_finish(call, 0, NULL);
    due++;
  }
}

static void call_guard_async(void) {
  ts_call_t *call = NULL;
  if (ts_guard_execute_async(guard, NULL, async_task, NULL, &call) == 0) {
    ts_call_finish(call, 0, NULL);
    due++;
  }
}

static void call_full(void) {
  static const char *const breakers[] = {
      "breaker-of-an-order", "breaker-of-a-payment", "breaker-of-the-stock"};
  ts_call_options_t options = TS_CALL_OPTIONS_INIT;
  ts_call_t *call = NULL;
  options.breakers = breakers;
  options.breaker_count = 3;
  options.router = "router";
  options.metrics = metrics;
  options.metric_count = 1;
  options.tags = tags;
  options.tag_count = 2;
  options.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
  if (ts_execute_async(client, &options, async_task, NULL, &call) == 0) {
    ts_call_finish(call, 0, NULL);
    due++;
  }
}

static void call_allow(void) {
  static const char *const breaker = "breaker-of-an-order";
  ts_report_t report = TS_REPORT_INIT;
  report.router = "router";
  report.metric = "latency";
  report.value = 12.5;
  if (ts_client_allow(client, &breaker, 1, NULL) == 0 &&
      ts_report(client, &report) == 0) {
    due++;
  }
}

/* ts_breaker_begin and, if it is admitted, ts_breaker_end. */
static void call_own(ts_breaker_t *breaker) {
  ts_ticket_t ticket;
  if (ts_breaker_begin(breaker, &ticket, NULL) == 0) {
    REQUIRE(ts_breaker_end(breaker, &ticket, TS_OUTCOME_SUCCESS, 0) == 0);
  }
}

static void work(ts_run_t *run, void *context) { *(ts_run_t **)context = run; }

static void call_own_run(void) {
  ts_run_t *run = NULL;
  REQUIRE(ts_breaker_execute_async(own, NULL, work, NULL, &run) == 0);
  ts_run_finish(run, 0, NULL);
}

void traffic_block(traffic_kind_t kind) {
  for (unsigned i = 0; i < TRAFFIC_BLOCK; i++) {
    switch (kind) {
    case TRAFFIC_OPEN:
      call_sync(&of_open);
      break;
    case TRAFFIC_CLOSED:
      call_sync(&of_closed);
      break;
    case TRAFFIC_HALF:
      call_sync(&of_half);
      break;
    case TRAFFIC_ASYNC:
      call_async();
      break;
    case TRAFFIC_FULL:
      call_full();
      break;
    case TRAFFIC_GUARD:
      call_guard();
      break;
    case TRAFFIC_GUARD_ASYNC:
      call_guard_async();
      break;
    case TRAFFIC_ALLOW:
      call_allow();
      break;
    case TRAFFIC_OWN:
      call_own(own);
      break;
    case TRAFFIC_OWN_OPEN:
      call_own(own_open);
      break;
    case TRAFFIC_OWN_RUN:
    case TRAFFIC_KINDS:
      call_own_run();
      break;
    }
  }
}

/* -------------------------------------------------------------- the ends */

void traffic_settle(void) {
  ts_stats_t stats = TS_STATS_INIT;
  do {
    uv_run(&loop, UV_RUN_NOWAIT);
    REQUIRE(ts_client_stats(client, &stats) == 0);
  } while (stats.inflight_batches > 0);
}

static void make_options(void) {
  of_closed = by_name(&a_closed);
  of_open = by_name(&an_open);
  of_half = by_name(&a_half);
  REQUIRE(ts_guard_new(&guard, client, &of_closed) == 0);
}

static void make_breakers(void) {
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  ts_ticket_t ticket;
  options.window = TS_WINDOW_ROLLING;
  options.window_ms = 10000;
  options.window_buckets = 10;
  options.consec = 1;
  options.open_ms = 3600000;
  REQUIRE(ts_registry_new(&registry, &loop, NULL) == 0);
  REQUIRE(ts_registry_get(registry, "own", &options, &own) == 0);
  REQUIRE(ts_registry_get(registry, "open", &options, &own_open) == 0);
  REQUIRE(ts_breaker_begin(own_open, &ticket, NULL) == 0);
  REQUIRE(ts_breaker_end(own_open, &ticket, TS_OUTCOME_FAILURE, 0) == 0);
}

void traffic_start(unsigned warm_up) {
  REQUIRE(uv_loop_init(&loop) == 0);
  start_plane();
  start_client();
  make_options();
  make_breakers();
  for (int kind = 0; kind < TRAFFIC_KINDS; kind++) {
    for (unsigned i = 0; i < warm_up; i++) {
      traffic_block((traffic_kind_t)kind);
      traffic_settle();
    }
  }
}

static void on_close(ts_client_t *gone, int status) {
  ts_stats_t stats = TS_STATS_INIT;
  REQUIRE(status == 0);
  REQUIRE(ts_client_stats(gone, &stats) == 0);
  REQUIRE(stats.delivered_samples == due);
  REQUIRE(stats.dropped_samples == 0);
  closed = true;
}

void traffic_end(void) {
  ts_guard_free(guard);
  ts_breaker_unref(own);
  ts_breaker_unref(own_open);
  ts_registry_close(registry, NULL);
  REQUIRE(ts_client_shutdown(client, 10000, on_close) == 0);
  while (!closed) {
    uv_run(&loop, UV_RUN_ONCE);
  }
  REQUIRE(ts_plane_close(plane, NULL) == 0);
  uv_run(&loop, UV_RUN_DEFAULT);
  REQUIRE(uv_loop_close(&loop) == 0);
}
