/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_REGISTRY_H
#define TEST_SUPPORT_REGISTRY_H

/*
 * A registry of breakers on a fake environment: time moved by hand, memory
 * counted, events and log lines kept as text.
 */

#include "breaker/internal.h"
#include "support/fake_env.h"
#include "support/heap.h"

typedef struct registry_bench_s {
  fake_env_t env;
  heap_t heap;
  ts_registry_options_t options; /* change before registry_bench_new */
  ts_registry_t *registry;
  int closed;

  char events[4096]; /* "name closed>open; ", "name rejected open; ", ... */
  char log[4096];

  /* Called in each event, if set. */
  void (*on_event)(struct registry_bench_s *bench, ts_breaker_t *breaker,
                   const ts_breaker_event_t *event);
} registry_bench_t;

void registry_bench_init(registry_bench_t *bench);

/* Returns what ts_registry_new would. */
int registry_bench_new(registry_bench_t *bench);

/* Close, and turn until the callback came. */
void registry_bench_close(registry_bench_t *bench);

/* Close if need be, and assert that nothing is left. */
void registry_bench_end(registry_bench_t *bench);

/* A breaker with these options; must succeed. */
ts_breaker_t *registry_bench_get(registry_bench_t *bench, const char *name,
                                 const ts_breaker_options_t *options);

/* One call for each letter: S success, F failure, I ignored, C cancelled, X
 * rejected. */
void registry_bench_calls(ts_breaker_t *breaker, const char *outcomes);

#endif /* TEST_SUPPORT_REGISTRY_H */
