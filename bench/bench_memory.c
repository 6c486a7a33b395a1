/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client holds: bytes asked for, by an allocator that counts, so without
 * what malloc adds to each block. `bench_memory LIBRARY STRIP` also strips a
 * copy of the shared library and looks at its size.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "world.h"
#include "yardsticks.h"

#define KIB 1024.0

/* A size stands in front of each block. */
#define HEAD (sizeof(max_align_t))

static size_t held;

static void *counted_realloc(void *arg, void *ptr, size_t size) {
  char *block = ptr != NULL ? (char *)ptr - HEAD : NULL;
  size_t before = 0;
  (void)arg;
  if (block != NULL) {
    memcpy(&before, block, sizeof before);
  }
  block = realloc(block, HEAD + size);
  bench_require(block != NULL, "memory");
  memcpy(block, &size, sizeof size);
  held += size - before;
  return block + HEAD;
}

static void *counted_malloc(void *arg, size_t size) {
  return counted_realloc(arg, NULL, size);
}

static void counted_free(void *arg, void *ptr) {
  size_t size = 0;
  (void)arg;
  if (ptr != NULL) {
    memcpy(&size, (char *)ptr - HEAD, sizeof size);
    held -= size;
    free((char *)ptr - HEAD);
  }
}

static const ts_allocator_t counted = {counted_malloc, counted_realloc,
                                       counted_free, NULL};

static void start(world_t *world) {
  world_init(world);
  world->options.allocator = &counted;
  world->options.buffer_capacity = 1000000;
  world_start(world);
}

/* After each of many breakers, from a hundred on: the most it comes to, which
 * is where the table has just grown. */
static void measure_breakers(void) {
  static world_t world;
  char name[Y_NAME_LEN + 1];
  double most = 0.0;
  double last = 0.0;
  start(&world);
  const size_t before = held;
  for (size_t i = 1; i <= 20000; i++) {
    y_name(name, i);
    world_set_state(&world, name, "closed", 1.0);
    last = (double)(held - before) / (double)i;
    most = i >= 100 && last > most ? last : most;
  }
  bench_note("per breaker, of 20,000", "B", bench_exact(last));
  bench_goal("M1.breaker", "cached breaker with a 20-byte name, at worst", "B",
             bench_exact(most), BENCH_AT_MOST, 88);
  world_end(&world);
}

/* A full buffer while the service is away. */
static void measure_samples(void) {
  enum { COUNT = 10000 };
  static world_t world;
  ts_report_t report = TS_REPORT_INIT;
  report.router = "3f2c1a9e-77b4-4d0a-9a53-0e6b1c2d3e4f";
  report.metric = "latency";
  start(&world);
  const size_t before = held;
  for (size_t i = 0; i < COUNT; i++) {
    report.value = (double)i / 7.0;
    bench_require(ts_report(world.client, &report) == 0, "a sample taken");
  }
  const size_t texts = COUNT * (strlen(report.router) + strlen(report.metric));
  bench_goal("M1.sample", "buffered sample, beside the caller's strings", "B",
             bench_exact((double)(held - before - texts) / COUNT),
             BENCH_AT_MOST, 64);
  world_end(&world);
}

/* A client that has its stream and has done nothing yet. */
static void measure_idle(void) {
  static world_t world;
  const size_t before = held;
  start(&world);
  bench_goal("M1.idle", "idle client, without TLS", "KiB",
             bench_exact((double)(held - before) / KIB), BENCH_AT_MOST, 256);
  world_end(&world);
  bench_require(held == before, "everything given back");
}

static void measure_library(const char *library, const char *strip) {
  char command[4096];
  char copy[] = "/tmp/bench-library-XXXXXX";
  const int descriptor = mkstemp(copy);
  bench_require(descriptor >= 0, "a file for a copy");
  FILE *file = fdopen(descriptor, "rb");
  bench_require(file != NULL, "the copy");
  snprintf(command, sizeof command, "'%s' -o '%s' '%s'", strip, copy, library);
  bench_require(system(command) == 0, "strip");
  bench_require(freopen(copy, "rb", file) != NULL &&
                    fseek(file, 0, SEEK_END) == 0,
                "the size of the copy");
  const long size = ftell(file);
  fclose(file);
  remove(copy);
  bench_goal("M1.library", "shared library, stripped, with all features", "KiB",
             bench_exact((double)size / KIB), BENCH_AT_MOST, 128);
}

int main(int argc, char **argv) {
  bench_begin("memory");
  y_init();
  measure_breakers();
  measure_samples();
  measure_idle();
  if (argc == 3) {
    measure_library(argv[1], argv[2]);
  } else {
    bench_skip("M1.library", "shared library, stripped", "no library given");
  }
  return bench_end();
}
