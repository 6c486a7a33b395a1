/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a gated, reported call costs: the task does nothing, so all that is
 * counted is ours. Calls come in blocks of one batch; the time between them, in
 * which the loop encodes and sends, is not counted (bench_flush measures it).
 * Names are 20 bytes, and each call asks for another of the cached breakers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "world.h"
#include "yardsticks.h"

#define FEW 100u
#define MANY 10000u
#define BLOCKS 8u /* of a batch, per round */

typedef struct names_s {
  char (*texts)[Y_NAME_LEN + 1];
  const char **order; /* shuffled, each name once */
  size_t count;
} names_t;

/* One kind of call on one client. */
typedef struct kind_s {
  const char *name;
  world_t *world;
  const names_t *names;
  size_t breakers; /* names per call */
  void (*call)(struct kind_s *kind, size_t at);
  enum { NO_SAMPLE, LATENCY, FULL } sample;
  ts_call_options_t options;
  ts_guard_t **guards; /* one for each name */
} kind_t;

static void make_names(names_t *names, size_t count) {
  uint32_t seed = 1;
  names->count = count;
  names->texts = calloc(count, sizeof *names->texts);
  names->order = calloc(count + 4, sizeof *names->order);
  bench_require(names->texts != NULL && names->order != NULL, "memory");
  for (size_t i = 0; i < count; i++) {
    y_name(names->texts[i], i);
    seed = seed * 1664525u + 1013904223u;
    const size_t at = (seed >> 8) % (i + 1);
    names->order[i] = names->order[at];
    names->order[at] = names->texts[i];
  }
  for (size_t i = 0; i < 4; i++) {
    names->order[count + i] = names->order[i]; /* calls take several */
  }
}

static void start(world_t *world, const names_t *names, const char *state,
                  double rate) {
  world_init(world);
  world_start(world);
  for (size_t i = 0; i < names->count; i++) {
    world_set_state(world, names->texts[i], state, rate);
  }
}

/* ------------------------------------------------------------------ calls */

static int task(void *context, void **result) {
  (void)context;
  (void)result;
  return 0;
}

static void async_task(ts_call_t *call, void *context) {
  *(ts_call_t **)context = call;
}

static void call_sync(kind_t *kind, size_t at) {
  kind->options.breakers = &kind->names->order[at];
  const int error =
      ts_execute(kind->world->client, &kind->options, task, NULL, NULL);
  bench_keep((uint64_t)error);
}

static void call_async(kind_t *kind, size_t at) {
  ts_call_t *call = NULL;
  kind->options.breakers = &kind->names->order[at];
  (void)ts_execute_async(kind->world->client, &kind->options, async_task, NULL,
                         &call);
  if (call != NULL) {
    ts_call_finish(call, 0, NULL);
  }
}

static void call_guard(kind_t *kind, size_t at) {
  const int error = ts_guard_execute(kind->guards[at], NULL, task, NULL, NULL);
  bench_keep((uint64_t)error);
}

static void call_guard_async(kind_t *kind, size_t at) {
  ts_call_t *call = NULL;
  (void)ts_guard_execute_async(kind->guards[at], NULL, async_task, NULL, &call);
  if (call != NULL) {
    ts_call_finish(call, 0, NULL);
  }
}

static void call_allow(kind_t *kind, size_t at) {
  const int error = ts_client_allow(
      kind->world->client, &kind->names->order[at], kind->breakers, NULL);
  bench_keep((uint64_t)error);
}

static double measure(void *arg) {
  kind_t *kind = arg;
  uint64_t took = 0;
  size_t at = 0;
  for (size_t block = 0; block < BLOCKS; block++) {
    const uint64_t began = bench_now_ns();
    for (size_t i = 0; i < Y_BATCH; i++) {
      kind->call(kind, at);
      at = at + 1 < kind->names->count ? at + 1 : 0;
    }
    took += bench_now_ns() - began;
    world_settle(kind->world);
  }
  return (double)took / (BLOCKS * Y_BATCH);
}

/* ------------------------------------------------------------------ kinds */

enum {
  Y1,
  NONE,
  ONE,
  THREE,
  ASYNC,
  GUARD,
  GUARD_ASYNC,
  TAGGED,
  TAGGED_GUARD,
  OPEN,
  OPEN_ALLOW,
  OPEN_GUARD,
  HALF,
  SILENT,
  ALLOW,
  MANY_SAME,
  MANY_NAMES,
  MANY_ALLOW,
  KINDS
};

static world_t closed, half, opened, many;
static names_t few, lots;

static kind_t kinds[KINDS] = {
    [NONE] = {"closed, no breaker", &closed, &few, 0, call_sync, LATENCY},
    [ONE] = {"closed", &closed, &few, 1, call_sync, LATENCY},
    [THREE] = {"closed, 3 breakers", &closed, &few, 3, call_sync, LATENCY},
    [ASYNC] = {"closed, async", &closed, &few, 1, call_async, LATENCY},
    [GUARD] = {"closed, guard", &closed, &few, 1, call_guard, LATENCY},
    [GUARD_ASYNC] = {"closed, guard, async", &closed, &few, 1, call_guard_async,
                     LATENCY},
    [TAGGED] = {"closed, tags, trace id", &closed, &few, 1, call_sync, FULL},
    [TAGGED_GUARD] = {"closed, tags, trace id, guard", &closed, &few, 1,
                      call_guard, FULL},
    [OPEN] = {"open", &opened, &few, 1, call_sync, LATENCY},
    [OPEN_ALLOW] = {"open, ts_client_allow", &opened, &few, 1, call_allow,
                    LATENCY},
    [OPEN_GUARD] = {"open, guard", &opened, &few, 1, call_guard, LATENCY},
    [HALF] = {"half-open", &half, &few, 1, call_sync, LATENCY},
    [SILENT] = {"closed, no sample", &closed, &few, 1, call_sync, NO_SAMPLE},
    [ALLOW] = {"closed, ts_client_allow", &closed, &few, 1, call_allow,
               NO_SAMPLE},
    [MANY_SAME] = {"closed, of 10,000, 100 in use", &many, &few, 1, call_sync,
                   LATENCY},
    [MANY_NAMES] = {"closed, of 10,000", &many, &lots, 1, call_sync, LATENCY},
    [MANY_ALLOW] = {"closed, of 10,000, ts_client_allow", &many, &lots, 1,
                    call_allow, NO_SAMPLE},
};

static void set_options(ts_call_options_t *options, const kind_t *kind) {
  static const ts_metric_t metrics[] = {TS_LATENCY("latency")};
  static const ts_tag_t tags[] = {{"endpoint", "/v1/orders/7"},
                                  {"status", "200"}};
  const ts_call_options_t plain = TS_CALL_OPTIONS_INIT;
  *options = plain;
  options->breaker_count = kind->breakers;
  if (kind->sample != NO_SAMPLE) {
    options->router = "3f2c1a9e-77b4-4d0a-9a53-0e6b1c2d3e4f";
    options->metrics = metrics;
    options->metric_count = 1;
  }
  if (kind->sample == FULL) {
    options->trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    options->tags = tags;
    options->tag_count = 2;
  }
}

static void make_guards(kind_t *kind) {
  kind->guards = calloc(kind->names->count, sizeof *kind->guards);
  bench_require(kind->guards != NULL, "memory");
  for (size_t i = 0; i < kind->names->count; i++) {
    kind->options.breakers = &kind->names->order[i];
    bench_require(ts_guard_new(&kind->guards[i], kind->world->client,
                               &kind->options) == 0,
                  "a guard");
  }
}

static void free_guards(kind_t *kind) {
  for (size_t i = 0; kind->guards != NULL && i < kind->names->count; i++) {
    ts_guard_free(kind->guards[i]);
  }
}

static bench_case_t cases[KINDS];

static bench_figure_t against(int subject, int yardstick) {
  return bench_ratio(&cases[subject], &cases[yardstick]);
}

static void at_most(const char *goal, const char *what, int subject,
                    double limit) {
  bench_goal(goal, what, "Y1", against(subject, Y1), BENCH_AT_MOST, limit);
}

static void judge(void) {
  at_most("H1.name", "closed, by name, latency sample", ONE, 1.5);
  at_most("H1.async", "the same, ts_execute_async", ASYNC, 1.5);
  at_most("H1.guard", "closed, by guard, latency sample", GUARD, 1.25);
  at_most("H1.guard", "the same, ts_guard_execute_async", GUARD_ASYNC, 1.25);
  at_most("H2.name", "closed, by name, + trace id + 2 tags", TAGGED, 2.0);
  at_most("H2.guard", "the same, by guard", TAGGED_GUARD, 2.0);
  at_most("H3.open", "open, by name, rejected", OPEN, 0.5);
  at_most("H3.open", "the same, ts_client_allow", OPEN_ALLOW, 0.5);
  at_most("H3.open", "the same, by guard", OPEN_GUARD, 0.5);
  at_most("H3.half", "half-open, latency sample", HALF, 2.0);
  bench_goal("H4.flat", "10,000 cached breakers against 100, 100 in use", "",
             against(MANY_SAME, ONE), BENCH_AT_MOST, 1.4);
  bench_goal("H4.flat", "the same, each of the 10,000 in turn", "",
             against(MANY_NAMES, ONE), BENCH_AT_MOST, 1.4);
}

int main(void) {
  bench_begin("call");
  y_init();
  make_names(&few, FEW);
  make_names(&lots, MANY);
  start(&closed, &few, "closed", 1.0);
  start(&half, &few, "half_open", 0.999999);
  start(&opened, &few, "open", 0.0);
  start(&many, &lots, "closed", 1.0);
  cases[Y1] = (bench_case_t){.name = "Y1", .measure = y1_measure};
  for (int i = Y1 + 1; i < KINDS; i++) {
    set_options(&kinds[i].options, &kinds[i]);
    if (kinds[i].call == call_guard || kinds[i].call == call_guard_async) {
      make_guards(&kinds[i]);
    }
    cases[i] = (bench_case_t){
        .name = kinds[i].name, .measure = measure, .arg = &kinds[i]};
  }
  bench_run(cases, KINDS);
  judge();
  for (int i = Y1 + 1; i < KINDS; i++) {
    free_guards(&kinds[i]);
  }
  world_end(&closed);
  world_end(&half);
  world_end(&opened);
  world_end(&many);
  return bench_end();
}
