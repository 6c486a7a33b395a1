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
  world_t *world;
  const names_t *names;
  ts_call_options_t options;
  int expected;
  size_t breakers;         /* names per call */
  ts_guard_t *guards[FEW]; /* for calls by guard: one for each name */
  const ts_call_extras_t *extras;
  void (*call)(struct kind_s *kind, const char *const *names);
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

static int task(void *context, void **result) {
  (void)context;
  (void)result;
  return 0;
}

static void async_task(ts_call_t *call, void *context) {
  *(ts_call_t **)context = call;
}

static void call_sync(kind_t *kind, const char *const *names) {
  kind->options.breakers = names;
  const int error =
      ts_execute(kind->world->client, &kind->options, task, NULL, NULL);
  bench_keep((uint64_t)error);
}

static void call_async(kind_t *kind, const char *const *names) {
  ts_call_t *call = NULL;
  kind->options.breakers = names;
  (void)ts_execute_async(kind->world->client, &kind->options, async_task, NULL,
                         &call);
  if (call != NULL) {
    ts_call_finish(call, 0, NULL);
  }
}

static void call_guard(kind_t *kind, const char *const *names) {
  const int error = ts_guard_execute(kind->guards[names - kind->names->order],
                                     kind->extras, task, NULL, NULL);
  bench_keep((uint64_t)error);
}

static void make_guards(kind_t *kind) {
  for (size_t i = 0; i < FEW; i++) {
    kind->options.breakers = &kind->names->order[i];
    bench_require(ts_guard_new(&kind->guards[i], kind->world->client,
                               &kind->options) == 0,
                  "a guard");
  }
}

static void free_guards(kind_t *kind) {
  for (size_t i = 0; i < FEW; i++) {
    ts_guard_free(kind->guards[i]);
  }
}

static void call_allow(kind_t *kind, const char *const *names) {
  const int error =
      ts_client_allow(kind->world->client, names, kind->breakers, NULL);
  bench_keep((uint64_t)error);
}

static double measure(void *arg) {
  kind_t *kind = arg;
  uint64_t took = 0;
  size_t at = 0;
  for (size_t block = 0; block < BLOCKS; block++) {
    const uint64_t began = bench_now_ns();
    for (size_t i = 0; i < Y_BATCH; i++) {
      kind->call(kind, &kind->names->order[at]);
      at = at + 1 < kind->names->count ? at + 1 : 0;
    }
    took += bench_now_ns() - began;
    world_settle(kind->world);
  }
  return (double)took / (BLOCKS * Y_BATCH);
}

int main(void) {
  static const ts_metric_t metrics[] = {TS_LATENCY("latency")};
  static const ts_tag_t tags[] = {{"endpoint", "/v1/orders/7"},
                                  {"status", "200"}};
  static world_t closed, half, open, many;
  static names_t few, lots;
  const ts_call_options_t plain = TS_CALL_OPTIONS_INIT;
  ts_call_options_t latency = plain;
  latency.router = "3f2c1a9e-77b4-4d0a-9a53-0e6b1c2d3e4f";
  latency.metrics = metrics;
  latency.metric_count = 1;
  ts_call_options_t full = latency;
  full.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
  full.tags = tags;
  full.tag_count = 2;

  ts_call_extras_t extras = TS_CALL_EXTRAS_INIT;
  extras.trace_id = full.trace_id;
  extras.tags = full.tags;
  extras.tag_count = full.tag_count;

  bench_begin("call");
  y_init();
  make_names(&few, FEW);
  make_names(&lots, MANY);
  start(&closed, &few, "closed", 1.0);
  start(&half, &few, "half_open", 0.999999);
  start(&open, &few, "open", 0.0);
  start(&many, &lots, "closed", 1.0);

  static kind_t kinds[] = {
      {.world = &closed, .names = &few, .breakers = 0, .call = call_sync},
      {.world = &closed, .names = &few, .breakers = 1, .call = call_sync},
      {.world = &closed, .names = &few, .breakers = 3, .call = call_sync},
      {.world = &closed, .names = &few, .breakers = 1, .call = call_async},
      {.world = &closed, .names = &few, .breakers = 1, .call = call_sync},
      {.world = &open, .names = &few, .breakers = 1, .call = call_sync},
      {.world = &open, .names = &few, .breakers = 1, .call = call_allow},
      {.world = &half, .names = &few, .breakers = 1, .call = call_sync},
      {.world = &closed, .names = &few, .breakers = 1, .call = call_sync},
      {.world = &closed, .names = &few, .breakers = 1, .call = call_allow},
      {.world = &many, .names = &lots, .breakers = 1, .call = call_sync},
      {.world = &closed, .names = &few, .breakers = 1, .call = call_guard},
      {.world = &closed, .names = &few, .breakers = 1, .call = call_guard},
      {.world = &open, .names = &few, .breakers = 1, .call = call_guard},
  };
  kinds[0].options = latency;
  kinds[1].options = latency;
  kinds[2].options = latency;
  kinds[3].options = latency;
  kinds[4].options = full;
  kinds[5].options = latency;
  kinds[6].options = latency;
  kinds[7].options = latency;
  kinds[8].options = plain;
  kinds[9].options = plain;
  kinds[10].options = latency;
  kinds[11].options = latency;
  kinds[12].options = latency;
  kinds[12].extras = &extras;
  kinds[13].options = latency;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    kinds[i].options.breaker_count = kinds[i].breakers;
    if (kinds[i].call == call_guard) {
      make_guards(&kinds[i]);
    }
  }
  static bench_case_t cases[] = {
      {.name = "Y1", .measure = y1_measure},
      {.name = "closed, 0 breakers, latency",
       .measure = measure,
       .arg = &kinds[0]},
      {.name = "closed, latency", .measure = measure, .arg = &kinds[1]},
      {.name = "closed, 3 breakers, latency",
       .measure = measure,
       .arg = &kinds[2]},
      {.name = "closed, async, latency", .measure = measure, .arg = &kinds[3]},
      {.name = "closed, latency, tags, trace id",
       .measure = measure,
       .arg = &kinds[4]},
      {.name = "open", .measure = measure, .arg = &kinds[5]},
      {.name = "open, allow", .measure = measure, .arg = &kinds[6]},
      {.name = "half-open, latency", .measure = measure, .arg = &kinds[7]},
      {.name = "closed, no sample", .measure = measure, .arg = &kinds[8]},
      {.name = "closed, allow", .measure = measure, .arg = &kinds[9]},
      {.name = "closed, latency, of 10,000",
       .measure = measure,
       .arg = &kinds[10]},
      {.name = "closed, by guard, latency",
       .measure = measure,
       .arg = &kinds[11]},
      {.name = "closed, by guard, latency, tags, trace id",
       .measure = measure,
       .arg = &kinds[12]},
      {.name = "open, by guard", .measure = measure, .arg = &kinds[13]},
  };
  bench_run(cases, sizeof cases / sizeof cases[0]);
  bench_goal("H1.name", "closed, by name, latency sample", "Y1",
             bench_ratio(&cases[2], &cases[0]), BENCH_AT_MOST, 1.5);
  bench_goal("H1.guard", "closed, by guard, latency sample", "Y1",
             bench_ratio(&cases[12], &cases[0]), BENCH_AT_MOST, 1.25);
  bench_goal("H2", "the same + trace id + 2 tags", "Y1",
             bench_ratio(&cases[5], &cases[0]), BENCH_AT_MOST, 2);
  bench_goal("H3.open", "open, rejected", "Y1",
             bench_ratio(&cases[6], &cases[0]), BENCH_AT_MOST, 0.5);
  bench_goal("H3.half", "half-open, latency sample", "Y1",
             bench_ratio(&cases[8], &cases[0]), BENCH_AT_MOST, 2);
  bench_goal("H4.flat", "10,000 cached breakers against 100", "",
             bench_ratio(&cases[11], &cases[2]), BENCH_AT_MOST, 1.4);
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    if (kinds[i].call == call_guard) {
      free_guards(&kinds[i]);
    }
  }
  world_end(&closed);
  world_end(&half);
  world_end(&open);
  world_end(&many);
  return bench_end();
}
