/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a breaker that decides for itself costs: begin and end of a call, and a
 * rejection, through the public functions, on a real loop. Nobody listens for
 * events, as in most programs, and the task does nothing. A round is one turn
 * of the loop, so that rolling windows do roll.
 */
#include <uv.h>

#include "bench.h"
#include "tripswitch/tripswitch.h"
#include "yardsticks.h"

#define CALLS 20000u

static uv_loop_t loop;
static ts_registry_t *registry;

static uint64_t begin_round(void) {
  uv_run(&loop, UV_RUN_NOWAIT);
  return bench_now_ns();
}

static double end_round(uint64_t began) {
  return (double)(bench_now_ns() - began) / CALLS;
}

static double measure_calls(void *breaker) {
  ts_ticket_t ticket;
  const uint64_t began = begin_round();
  for (unsigned i = 0; i < CALLS; i++) {
    bench_keep((uint64_t)ts_breaker_begin(breaker, &ticket, NULL));
    ts_breaker_end(breaker, &ticket, TS_OUTCOME_SUCCESS, 0);
  }
  return end_round(began);
}

static double measure_rejections(void *breaker) {
  ts_rejection_t rejection;
  ts_ticket_t ticket;
  const uint64_t began = begin_round();
  for (unsigned i = 0; i < CALLS; i++) {
    bench_keep((uint64_t)ts_breaker_begin(breaker, &ticket, &rejection));
  }
  return end_round(began);
}

static void work(ts_run_t *run, void *context) { *(ts_run_t **)context = run; }

static double measure_async(void *breaker) {
  ts_run_t *run = NULL;
  const uint64_t began = begin_round();
  for (unsigned i = 0; i < CALLS; i++) {
    (void)ts_breaker_execute_async(breaker, NULL, work, NULL, &run);
    ts_run_finish(run, 0, NULL);
  }
  return end_round(began);
}

static ts_breaker_t *make(const char *name, ts_window_t window) {
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  ts_breaker_t *breaker = NULL;
  options.window = window;
  options.window_ms = 10000;
  options.window_buckets = 10;
  options.window_calls = 100;
  bench_require(ts_registry_get(registry, name, &options, &breaker) == 0,
                "a breaker");
  return breaker;
}

/* For longer than all rounds take: half a minute by default. */
static void open_it(ts_breaker_t *breaker) {
  ts_ticket_t ticket;
  while (ts_breaker_state(breaker) != TS_BREAKER_OPEN) {
    bench_require(ts_breaker_begin(breaker, &ticket, NULL) == 0, "admitted");
    ts_breaker_end(breaker, &ticket, TS_OUTCOME_FAILURE, 0);
  }
}

int main(void) {
  bench_begin("breaker");
  y_init();
  bench_require(uv_loop_init(&loop) == 0 &&
                    ts_registry_new(&registry, &loop, NULL) == 0,
                "a registry");
  ts_breaker_t *breakers[] = {
      make("plain", TS_WINDOW_NONE), make("rolling", TS_WINDOW_ROLLING),
      make("calls", TS_WINDOW_CALLS), make("open", TS_WINDOW_NONE)};
  open_it(breakers[3]);

  bench_case_t cases[] = {
      {"Y1", y1_measure, NULL},
      {"begin and end", measure_calls, breakers[0]},
      {"begin and end, rolling window", measure_calls, breakers[1]},
      {"begin and end, window of calls", measure_calls, breakers[2]},
      {"rejected", measure_rejections, breakers[3]},
      {"ts_breaker_execute_async", measure_async, breakers[0]},
  };
  bench_run(cases, sizeof cases / sizeof cases[0]);
  bench_goal("B.closed", "own breaker, closed, begin and end", "Y1",
             bench_ratio(&cases[1], &cases[0]), BENCH_AT_MOST, 0.5);
  bench_goal("B.closed", "the same, over a rolling window", "Y1",
             bench_ratio(&cases[2], &cases[0]), BENCH_AT_MOST, 0.5);
  bench_goal("B.closed", "the same, over the last calls", "Y1",
             bench_ratio(&cases[3], &cases[0]), BENCH_AT_MOST, 0.5);
  bench_goal("B.open", "own breaker, open, rejected", "Y1",
             bench_ratio(&cases[4], &cases[0]), BENCH_AT_MOST, 0.4);
  bench_line("B.async", "own breaker, closed, ts_breaker_execute_async", "Y1",
             bench_ratio(&cases[5], &cases[0]));

  for (size_t i = 0; i < sizeof breakers / sizeof breakers[0]; i++) {
    ts_breaker_unref(breakers[i]);
  }
  ts_registry_close(registry, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  bench_require(uv_loop_close(&loop) == 0, "the end of the loop");
  return bench_end();
}
