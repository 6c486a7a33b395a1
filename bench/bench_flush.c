/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sending batches costs the loop: how long it is held at a time, how much
 * it runs in all, and what is sent.
 *
 * The longest stalls are those over real sockets, where a send on loopback takes
 * longer than any step of ours, for it is the kernel's receiving, too; our own
 * steps are noted. The CPU of a flush is our own, on a network in memory.
 *
 * All times are what the loop's thread ran (loopback.h), Y2's too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "bench.h"
#include "client/internal.h"
#include "loopback.h"
#include "service/encoder.h"
#include "world.h"
#include "yardsticks.h"

#define ROUNDS 31
#define SECRET                                                                 \
  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* When a client with much memory is freed, the C library gives it back to the
 * system in one step: its own, so not measured here. */
static void keep_memory(void) {
#ifdef __GLIBC__
  (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

static loopback_t server;
static uv_loop_t loop;
static ts_client_t *client;
static bool is_flushed;
static bool is_closed;

static void on_flush(ts_client_t *flushed, int status, void *arg) {
  (void)flushed;
  (void)arg;
  bench_require(status == 0, "a flush");
  is_flushed = true;
}

static void on_close(ts_client_t *closed, int status) {
  ts_stats_t stats = TS_STATS_INIT;
  bench_require(status == 0 && ts_client_stats(closed, &stats) == 0 &&
                    stats.dropped_samples == 0,
                "no sample is lost");
  is_closed = true;
}

static void add_samples(ts_client_t *to, size_t count) {
  for (size_t i = 0; i < count; i++) {
    ts__sample_t sample;
    y_sample(i, &sample);
    bench_require(ts__ingest_add(&to->ingest, &sample, ts__mono_ns(to->env)) ==
                      0,
                  "a sample");
  }
}

/* --------------------------------------------------------------- in memory */

static uint64_t longest_ns;

static void keep_longest(uint64_t began_ns) {
  const uint64_t took = bench_cpu_ns() - began_ns;
  longest_ns = took > longest_ns ? took : longest_ns;
}

static void timed_turn(world_t *world) {
  const uint64_t began = bench_cpu_ns();
  world_turn(world);
  keep_longest(began);
}

/* A client whose samples wait for a word. */
static void fill_world(world_t *world, size_t samples) {
  world_init(world);
  world_start(world);
  world->client->ingest.started = false;
  add_samples(world->client, samples);
  longest_ns = 0;
}

static double longest_step(void *arg) {
  static world_t world;
  fill_world(&world, *(const size_t *)arg);
  const uint64_t began = bench_cpu_ns();
  world.client->ingest.drain_until = world.client->ingest.queued;
  ts__ingest_start(&world.client->ingest);
  keep_longest(began);
  while (!ts__ingest_is_idle(&world.client->ingest)) {
    timed_turn(&world);
  }
  world_end(&world);
  return (double)longest_ns;
}

/* All of it, and what the network in memory does. */
static double whole_in_memory(void *arg) {
  static world_t world;
  fill_world(&world, *(const size_t *)arg);
  const uint64_t began = bench_cpu_ns();
  world.client->ingest.drain_until = world.client->ingest.queued;
  ts__ingest_start(&world.client->ingest);
  while (!ts__ingest_is_idle(&world.client->ingest)) {
    world_turn(&world);
  }
  const double took = (double)(bench_cpu_ns() - began);
  world_end(&world);
  return took;
}

static double longest_step_of_close(void *arg) {
  static world_t world;
  fill_world(&world, *(const size_t *)arg);
  world_end_with(&world, timed_turn);
  return (double)longest_ns;
}

/* ----------------------------------------------------------- over loopback */

/* A client with so many samples that are not sent before it is started. */
static void make_client(size_t samples) {
  ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
  options.project_id = "project";
  options.base_url = server.url;
  options.ingest_secret = SECRET;
  options.flush_interval_ms = 3600000;
  bench_require(ts_client_new(&client, &loop, &options) == 0, "a client");
  add_samples(client, samples);
}

static void turn_until(const bool *done, uv_run_mode mode) {
  while (!*done) {
    uv_run(&loop, mode);
  }
}

static void close_client(void) {
  is_closed = false;
  bench_require(ts_client_shutdown(client, 60000, on_close) == 0, "a close");
  turn_until(&is_closed, UV_RUN_ONCE);
  uv_run(&loop, UV_RUN_NOWAIT);
}

static void start_flush(void) {
  is_flushed = false;
  bench_require(ts_client_start(client, NULL) == 0, "a start");
  bench_require(ts_client_flush(client, 0, on_flush, NULL) == 0, "a flush");
}

/* The longest turn from the trigger until all is delivered. */
static double longest_of_flush(void *arg) {
  turns_t turns;
  make_client(*(const size_t *)arg);
  turns_begin(&turns, &loop);
  start_flush();
  turn_until(&is_flushed, UV_RUN_NOWAIT);
  turns_end(&turns);
  close_client();
  return (double)turns.longest_cpu_ns;
}

/* The longest until the client is gone. */
static double longest_of_close(void *arg) {
  turns_t turns;
  make_client(*(const size_t *)arg);
  is_closed = false;
  turns_begin(&turns, &loop);
  bench_require(ts_client_shutdown(client, 60000, on_close) == 0, "a close");
  turn_until(&is_closed, UV_RUN_NOWAIT);
  turns_end(&turns);
  return (double)turns.longest_cpu_ns;
}

/* All of a flush of one batch, system calls included, waiting excluded. */
static double whole_flush(void *arg) {
  make_client(*(const size_t *)arg);
  const uint64_t began = bench_cpu_ns();
  start_flush();
  turn_until(&is_flushed, UV_RUN_ONCE);
  const double took = (double)(bench_cpu_ns() - began);
  close_client();
  return took;
}

/* ---------------------------------------------------- the body, and its maker */

typedef struct bench_batch_s {
  ts__samples_t samples;
  ts__batch_t *batch;
} bench_batch_t;

static ts__mem_t mem;
static size_t allocated;

static void *count_malloc(void *arg, size_t size) {
  (void)arg;
  allocated += size;
  return malloc(size);
}

static void *count_realloc(void *arg, void *ptr, size_t size) {
  (void)arg;
  allocated += size;
  return realloc(ptr, size);
}

static void count_free(void *arg, void *ptr) {
  (void)arg;
  free(ptr);
}

/* Encode Y2's very batch; the length of its body. */
static size_t encode(const bench_batch_t *data) {
  ts__encoder_t encoder;
  ts__buf_t body;
  bool complete = false;
  ts__buf_init(&body, &mem, TS__MAX_BATCH_BYTES);
  bench_require(ts__encoder_init(&encoder, &mem, true, TS__STR_EMPTY) == 0,
                "an encoder");
  ts__encoder_begin(&encoder, data->batch);
  while (!complete) {
    bench_require(ts__encoder_step(&encoder, &body, &complete) == 0, "a step");
  }
  const size_t len = body.len;
  ts__encoder_deinit(&encoder);
  ts__buf_deinit(&body);
  return len;
}

/* What a single callback would hold the loop for. */
static double encode_at_once(void *arg) {
  const uint64_t began = bench_cpu_ns();
  bench_keep(encode(arg));
  return (double)(bench_cpu_ns() - began);
}

static void make_batch(bench_batch_t *data) {
  ts__samples_init(&data->samples, &mem, Y_BATCH, Y_BATCH);
  for (size_t i = 0; i < Y_BATCH; i++) {
    ts__sample_t sample;
    y_sample(i, &sample);
    bench_require(ts__samples_add(&data->samples, &sample, 0) == 0, "a sample");
  }
  data->batch = ts__samples_take(&data->samples);
}

static size_t compressor_size(void) {
  const ts_allocator_t counting = {count_malloc, count_realloc, count_free,
                                   NULL};
  ts__mem_t counted;
  ts__mem_init(&counted, &counting);
  allocated = 0;
  ts__gzip_t *gzip = ts__gzip_new(&counted);
  bench_require(gzip != NULL, "a compressor");
  ts__gzip_free(gzip);
  return allocated;
}

/* ------------------------------------------------------------------ sustained */

/* As many steps of 60 us as a flush of 10,000 has, all the same: the longest of
 * them beyond the shortest is the machine's doing. */
static double noise(void *unused) {
  uint64_t longest = 0;
  uint64_t shortest = UINT64_MAX;
  (void)unused;
  for (int i = 0; i < 800; i++) {
    const uint64_t began = bench_cpu_ns();
    for (uint64_t j = 0; j < 60000; j++) {
      bench_keep(j);
    }
    const uint64_t took = bench_cpu_ns() - began;
    longest = took > longest ? took : longest;
    shortest = took < shortest ? took : shortest;
  }
  return (double)(longest - shortest);
}

int main(void) {
  static size_t one = 500;
  static size_t many = 10000;
  static bench_batch_t data;
  static bench_case_t cases[] = {
      {"Y2", y2_cpu_measure, NULL},
      {"longest step of a flush", longest_step, &one},
      {"the same with 10,000 buffered", longest_step, &many},
      {"longest step of a close with 500", longest_step_of_close, &one},
      {"the same with 10,000", longest_step_of_close, &many},
      {"all of a flush", whole_in_memory, &one},
      {"encoding in one callback", encode_at_once, &data},
      {"longest turn of a flush, loopback", longest_of_flush, &one},
      {"the same with 10,000 buffered", longest_of_flush, &many},
      {"longest turn of a close with 500, loopback", longest_of_close, &one},
      {"the same with 10,000", longest_of_close, &many},
      {"all of a flush, loopback", whole_flush, &one},
      {"noise among equal steps", noise, NULL}};
  bench_begin("flush");
  keep_memory();
  y_init();
  ts__mem_init(&mem, NULL);
  make_batch(&data);
  bench_require(uv_loop_init(&loop) == 0, "a loop");
  loopback_start(&server);
  bench_run_rounds(cases, 13, ROUNDS);
  bench_goal("F1", "longest stall of a flush of 500", "Y2",
             bench_ratio(&cases[7], &cases[0]), BENCH_AT_MOST, 0.08);
  bench_goal("F1.10k", "the same with 10,000 buffered", "Y2",
             bench_ratio(&cases[8], &cases[0]), BENCH_AT_MOST, 0.08);
  bench_goal("F1.close", "the same during a close with 500", "Y2",
             bench_ratio(&cases[9], &cases[0]), BENCH_AT_MOST, 0.08);
  bench_goal("F1.close10k", "the same during a close with 10,000", "Y2",
             bench_ratio(&cases[10], &cases[0]), BENCH_AT_MOST, 0.08);
  bench_note_share("longest stall, of one callback's", &cases[7], &cases[6]);
  bench_note_share("longest step of our own, of Y2", &cases[1], &cases[0]);
  bench_note_share("the same with 10,000 buffered", &cases[2], &cases[0]);
  bench_note_share("during a close with 500", &cases[3], &cases[0]);
  bench_note_share("during a close with 10,000", &cases[4], &cases[0]);
  bench_note_share("all of a flush, over loopback", &cases[11], &cases[0]);
  bench_goal("F2", "CPU of a flush", "Y2", bench_ratio(&cases[5], &cases[0]),
             BENCH_AT_MOST, 1.25);
  bench_goal("F2.size", "the body, of zlib 6's", "",
             bench_exact((double)encode(&data) / (double)y2_compressed_len()),
             BENCH_AT_MOST, 1.05);
  bench_goal("F2.state", "the compressor's memory", "KiB",
             bench_exact((double)compressor_size() / 1024.0), BENCH_AT_MOST,
             48.0);
  ts__batch_free(&data.samples, data.batch);
  ts__samples_deinit(&data.samples);
  loopback_stop(&server);
  uv_loop_close(&loop);
  return bench_end();
}
