/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plane bears: a thousand clients listen to its stream while batches
 * come in and states change; and what it holds after an hour of that.
 *
 * A batch costs the plane its signature, its compression and its JSON, which
 * the libraries are asked to do with the same bytes in the same run (Y4). All
 * that the plane runs is counted, also on other threads: what the process runs
 * beside this thread, which plays all the clients.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <sodium.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>
#include <zlib.h>

#include "bench.h"
#include "service.h"
#include "visitor.h"
#include "wire/sign.h"
#include "yardsticks.h"

#define SUBSCRIBERS 1000u
#define ROUNDS 31
#define BATCHES 20u /* a round */
#define ROUTER "3f2c1a9e-77b4-4d0a-9a53-0e6b1c2d3e4f"
#define OVERRIDE "/plane/v1/projects/project/breakers/brk_orders/override"

#define HOUR_S 3600u
#define FIRST_S 600u /* until everything has its usual size */
#define FEW 50u      /* samples of a second */

static int64_t wall_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What was begun before is done: nobody waits for the plane any more. */
static void settle(void) {
  const struct timespec moment = {.tv_nsec = 3000000};
  nanosleep(&moment, NULL);
}

/* ------------------------------------------------------------------- plane */

static void add_breaker(ts_plane_t *plane, const char *name, const char *metric,
                        ts_plane_kind_t kind) {
  ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
  breaker.name = name;
  breaker.metric = metric;
  breaker.kind = kind;
  breaker.threshold = 1e9;
  breaker.window_ms = 1000; /* as many samples leave it as come */
  bench_require(ts_plane_add_breaker(plane, &breaker) == 0 &&
                    ts_plane_link(plane, ROUTER, name) == 0,
                "a breaker");
}

/* One router, ten breakers: two of them on the metric that comes. */
static void fill(ts_plane_t *plane) {
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  char name[32];
  router.id = ROUTER;
  bench_require(ts_plane_add_router(plane, &router) == 0, "a router");
  add_breaker(plane, "orders", "latency", TS_PLANE_KIND_ERROR_RATE);
  add_breaker(plane, "orders-slow", "latency", TS_PLANE_KIND_P95);
  for (int i = 0; i < 8; i++) {
    snprintf(name, sizeof name, "metric-%d", i);
    add_breaker(plane, name, name, TS_PLANE_KIND_AVG);
  }
}

/* ---------------------------------------------------------------------- Y4 */

static batch_t sample_batch;
static unsigned char *inflated;

static void check_hmac(const batch_t *batch) {
  crypto_auth_hmacsha256_state state;
  unsigned char key[TS__SECRET_BYTES];
  unsigned char mac[crypto_auth_hmacsha256_BYTES];
  memset(key, 1, sizeof key);
  crypto_auth_hmacsha256_init(&state, key, sizeof key);
  crypto_auth_hmacsha256_update(&state, (const unsigned char *)batch->timestamp,
                                strlen(batch->timestamp));
  crypto_auth_hmacsha256_update(&state, (const unsigned char *)".", 1);
  crypto_auth_hmacsha256_update(&state, (const unsigned char *)batch->body,
                                batch->body_len);
  crypto_auth_hmacsha256_final(&state, mac);
  bench_keep(mac[0]);
}

static void inflate_body(const batch_t *batch) {
  z_stream stream = {0};
  bench_require(inflateInit2(&stream, 15 + 16) == Z_OK, "inflateInit2");
  stream.next_in = (unsigned char *)(uintptr_t)batch->body;
  stream.avail_in = (unsigned)batch->body_len;
  stream.next_out = inflated;
  stream.avail_out = (unsigned)batch->json_len;
  bench_require(inflate(&stream, Z_FINISH) == Z_STREAM_END, "inflate");
  inflateEnd(&stream);
}

/* Signature, compression, JSON; what is parsed is given back afterwards. */
static double y4_measure(void *unused) {
  json_t *roots[BATCHES];
  (void)unused;
  const uint64_t began = bench_cpu_ns();
  for (size_t i = 0; i < BATCHES; i++) {
    check_hmac(&sample_batch);
    inflate_body(&sample_batch);
    roots[i] =
        json_loadb((const char *)inflated, sample_batch.json_len, 0, NULL);
    bench_require(roots[i] != NULL, "jansson");
  }
  const double took = (double)(bench_cpu_ns() - began) / BATCHES;
  for (size_t i = 0; i < BATCHES; i++) {
    json_decref(roots[i]);
  }
  return took;
}

/* ------------------------------------------------------------------ intake */

static service_t service;
static int poster;
static uint64_t loop_ns; /* of the batches measured last, each */
static double loop_rounds;

static double measure_batches(void *unused) {
  static batch_t batches[BATCHES];
  (void)unused;
  for (size_t i = 0; i < BATCHES; i++) {
    batch_init(&batches[i], Y_BATCH, wall_ms(), true);
  }
  settle();
  const uint64_t began = service_cpu_ns();
  const uint64_t loop_began = service_loop_ns(&service);
  for (size_t i = 0; i < BATCHES; i++) {
    visitor_send(poster, batches[i].request, batches[i].len);
    visitor_await(poster, "{\"accepted\":500}");
  }
  settle();
  const double took = (double)(service_cpu_ns() - began) / BATCHES;
  loop_ns += service_loop_ns(&service) - loop_began;
  loop_rounds += BATCHES;
  for (size_t i = 0; i < BATCHES; i++) {
    batch_deinit(&batches[i]);
  }
  return took;
}

/* ------------------------------------------------------------------- crowd */

static struct {
  uv_loop_t loop;
  int fds[SUBSCRIBERS];
  uv_poll_t polls[SUBSCRIBERS];
  uint64_t began_ns;
  double delays[SUBSCRIBERS];
  size_t told; /* of the change under way */
} crowd;

static void take_message(int fd) {
  char bytes[512];
  const ssize_t got = recv(fd, bytes, sizeof bytes - 1, MSG_DONTWAIT);
  bench_require(got > 0, "a message");
  bytes[got] = '\0';
  bench_require(strstr(bytes, "\"orders\"") != NULL, "of the breaker");
}

static void on_readable(uv_poll_t *poll, int status, int events) {
  const size_t i = (size_t)(poll - crowd.polls);
  (void)events;
  bench_require(status == 0, "a subscriber");
  crowd.delays[crowd.told++] = (double)(bench_now_ns() - crowd.began_ns);
  take_message(crowd.fds[i]);
}

static void gather(void) {
  uv_loop_init(&crowd.loop);
  for (size_t i = 0; i < SUBSCRIBERS; i++) {
    crowd.fds[i] = visitor_subscribe(service.port);
    uv_poll_init(&crowd.loop, &crowd.polls[i], crowd.fds[i]);
    uv_poll_start(&crowd.polls[i], UV_READABLE, on_readable);
  }
}

static void disperse(void) {
  for (size_t i = 0; i < SUBSCRIBERS; i++) {
    uv_close((uv_handle_t *)&crowd.polls[i], NULL);
  }
  uv_run(&crowd.loop, UV_RUN_DEFAULT);
  for (size_t i = 0; i < SUBSCRIBERS; i++) {
    close(crowd.fds[i]);
  }
  uv_loop_close(&crowd.loop);
}

static const char *next_state(void) {
  static unsigned changes;
  return changes++ % 2 == 0 ? "{\"state\":\"open\"}" : "{\"state\":\"closed\"}";
}

/* The plane's CPU for one change. When whoever asked for it has the answer, all
 * have been written to. */
static double measure_change(void *unused) {
  (void)unused;
  settle();
  const uint64_t began = service_cpu_ns();
  visitor_ask(poster, "PUT", OVERRIDE, next_state(), " 204 ");
  settle();
  const double took = (double)(service_cpu_ns() - began);
  for (size_t i = 0; i < SUBSCRIBERS; i++) {
    take_message(crowd.fds[i]);
  }
  return took;
}

/* Y5: as many messages by hand. */
static struct {
  int from[SUBSCRIBERS];
  int to[SUBSCRIBERS];
} y5;

static void y5_init(void) {
  struct sockaddr_in address;
  socklen_t len = sizeof address;
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  uv_ip4_addr("127.0.0.1", 0, &address);
  bench_require(bind(listener, (struct sockaddr *)&address, len) == 0 &&
                    listen(listener, 128) == 0 &&
                    getsockname(listener, (struct sockaddr *)&address, &len) ==
                        0,
                "a listener");
  for (size_t i = 0; i < SUBSCRIBERS; i++) {
    y5.from[i] = visitor_dial(ntohs(address.sin_port));
    y5.to[i] = accept(listener, NULL, NULL);
    bench_require(y5.to[i] >= 0, "a connection");
  }
  close(listener);
}

static void y5_end(void) {
  for (size_t i = 0; i < SUBSCRIBERS; i++) {
    close(y5.from[i]);
    close(y5.to[i]);
  }
}

static double y5_measure(void *unused) {
  static const char message[] =
      "4b\r\nevent: state\ndata: {\"breaker\":\"orders\",\"state\":\"open\","
      "\"allow_rate\":0}\n\n\r\n";
  (void)unused;
  const uint64_t began = bench_cpu_ns();
  for (size_t i = 0; i < SUBSCRIBERS; i++) {
    visitor_send(y5.from[i], message, sizeof message - 1);
  }
  const double took = (double)(bench_cpu_ns() - began);
  for (size_t i = 0; i < SUBSCRIBERS; i++) {
    take_message(y5.to[i]);
  }
  return took;
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a;
  const double y = *(const double *)b;
  return (x > y) - (x < y);
}

/* From asking for a change to each subscriber's having read of it; in the order
 * in which they have. */
static void spread(void) {
  crowd.told = 0;
  crowd.began_ns = bench_now_ns();
  visitor_send_ask(poster, "PUT", OVERRIDE, next_state());
  while (crowd.told < SUBSCRIBERS) {
    uv_run(&crowd.loop, UV_RUN_ONCE);
  }
  visitor_await(poster, " 204 ");
}

static void note_delays(void) {
  double medians[ROUNDS];
  double slowest[ROUNDS];
  for (size_t round = 0; round < ROUNDS; round++) {
    spread();
    medians[round] = crowd.delays[SUBSCRIBERS / 2] / 1e3;
    slowest[round] = crowd.delays[SUBSCRIBERS - 1] / 1e3;
  }
  qsort(medians, ROUNDS, sizeof *medians, compare);
  qsort(slowest, ROUNDS, sizeof *slowest, compare);
  bench_note("a change is read by the median subscriber", "us",
             (bench_figure_t){medians[ROUNDS / 2], medians[ROUNDS / 4],
                              medians[ROUNDS - 1 - ROUNDS / 4]});
  bench_note("and by the slowest of 1,000", "us",
             (bench_figure_t){slowest[ROUNDS / 2], slowest[ROUNDS / 4],
                              slowest[ROUNDS - 1 - ROUNDS / 4]});
}

/* -------------------------------------------------------------------- load */

static void measure_load(void) {
  static bench_case_t intake[] = {{"Y4", y4_measure, NULL},
                                  {"a batch", measure_batches, NULL}};
  static bench_case_t changes[] = {{"Y5", y5_measure, NULL},
                                   {"a change", measure_change, NULL}};
  service_init(&service, fill);
  service_start(&service);
  gather();
  poster = visitor_dial(service.port);
  batch_init(&sample_batch, Y_BATCH, wall_ms(), true);
  inflated = malloc(sample_batch.json_len);
  bench_require(inflated != NULL, "memory");
  y5_init();

  bench_run_rounds(intake, 2, ROUNDS);
  bench_note("of a batch, on the plane's loop", "ns",
             bench_exact((double)loop_ns / loop_rounds));
  bench_run_rounds(changes, 2, ROUNDS);
  note_delays();
  bench_goal("P1", "a batch of 500, signed and in gzip, with 1,000 subscribers",
             "Y4", bench_ratio(&intake[1], &intake[0]), BENCH_AT_MOST, 2.5);
  bench_goal("P2", "a change told to 1,000 subscribers", "Y5",
             bench_ratio(&changes[1], &changes[0]), BENCH_AT_MOST, 1.5);

  y5_end();
  close(poster);
  disperse();
  batch_deinit(&sample_batch);
  free(inflated);
  service_end(&service);
}

/* ------------------------------------------------------------------ memory */

/* A size stands in front of each block. */
#define HEAD (sizeof(max_align_t))

static atomic_size_t held;

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

/* What each of a thousand connections takes, silent and subscribed. */
static void measure_connections(void) {
  static service_t counting;
  int fds[SUBSCRIBERS];
  service_init(&counting, fill);
  counting.options.allocator = &counted;
  service_start(&counting);
  const size_t before = held;
  for (size_t i = 0; i < SUBSCRIBERS; i++) {
    fds[i] = visitor_dial(counting.port);
  }
  visitor_ask(fds[SUBSCRIBERS - 1], "GET", "/v1/none", "",
              " 404 "); /* all are accepted */
  const size_t silent = held - before;
  for (size_t i = 0; i < SUBSCRIBERS; i++) {
    close(fds[i]);
    fds[i] = visitor_subscribe(counting.port);
  }
  settle();
  const size_t subscribed = held - before;
  for (size_t i = 0; i < SUBSCRIBERS; i++) {
    close(fds[i]);
  }
  service_end(&counting);
  bench_goal("P4.silent", "a connection that says nothing", "B",
             bench_exact((double)silent / SUBSCRIBERS), BENCH_AT_MOST, 2048);
  bench_goal("P4.stream", "a subscriber", "B",
             bench_exact((double)subscribed / SUBSCRIBERS), BENCH_AT_MOST,
             4096);
}

static void fill_trippable(ts_plane_t *plane) {
  ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
  fill(plane);
  breaker.name = "trips";
  breaker.metric = "latency";
  breaker.window_ms = 10000;
  bench_require(ts_plane_add_breaker(plane, &breaker) == 0 &&
                    ts_plane_link(plane, ROUTER, "trips") == 0,
                "a breaker that trips");
}

/* The log of events keeps so many: full from the start. */
static void fill_log(int fd) {
  for (int i = 0; i < 10002; i++) {
    visitor_ask(fd, "POST", "/plane/v1/force",
                i % 2 == 0 ? "{\"breaker\":\"trips\",\"state\":\"open\"}"
                           : "{\"breaker\":\"trips\",\"state\":\"closed\"}",
                " 200 ");
  }
  visitor_ask(fd, "POST", "/plane/v1/release", "{\"breaker\":\"trips\"}",
              " 200 ");
}

/* A second of the plane's time: a batch, of failures in every sixth part of a
 * minute. */
static void live_second(int fd, int64_t now_ms, unsigned second) {
  batch_t batch;
  batch_init(&batch, FEW, now_ms, second % 60 < 50);
  visitor_send(fd, batch.request, batch.len);
  visitor_await(fd, "{\"accepted\":");
  batch_deinit(&batch);
  visitor_ask(fd, "POST", "/plane/v1/clock", "{\"advance_ms\":1000}", " 200 ");
}

static void measure_hour(void) {
  static service_t timed;
  const int64_t start_ms = wall_ms();
  char freeze[64];
  size_t first = 0;
  size_t most = 0;
  service_init(&timed, fill_trippable);
  timed.options.allocator = &counted;
  timed.options.test_hooks = true;
  service_start(&timed);
  const int fd = visitor_dial(timed.port);
  snprintf(freeze, sizeof freeze, "{\"freeze\":true,\"now_ms\":%lld}",
           (long long)start_ms);
  visitor_ask(fd, "POST", "/plane/v1/clock", freeze, " 200 ");
  fill_log(fd);
  for (unsigned second = 0; second < HOUR_S; second++) {
    live_second(fd, start_ms + (int64_t)second * 1000, second);
    size_t *peak = second < FIRST_S ? &first : &most;
    *peak = held > *peak ? held : *peak;
  }
  close(fd);
  service_end(&timed);
  bench_require(timed.stats.transitions > 10002 + 60, "trips every minute");
  bench_require(held == 0, "everything given back");
  bench_note("a plane in its first ten minutes, at most", "KiB",
             bench_exact((double)first / 1024.0));
  bench_note("and in the fifty after them", "KiB",
             bench_exact((double)most / 1024.0));
  bench_goal("P3", "memory after an hour of samples, to that of ten minutes",
             "", bench_exact((double)most / (double)first), BENCH_AT_MOST,
             1.01);
}

/* Two ends of each connection, twice. */
static void raise_limit(void) {
  struct rlimit limit;
  bench_require(getrlimit(RLIMIT_NOFILE, &limit) == 0, "the limit of files");
  limit.rlim_cur = limit.rlim_max;
  bench_require(setrlimit(RLIMIT_NOFILE, &limit) == 0 &&
                    limit.rlim_cur >= 4 * SUBSCRIBERS + 64,
                "4,064 descriptors");
}

int main(void) {
  bench_begin("plane");
  raise_limit();
  y_init();
  measure_load();
  measure_connections();
  measure_hour();
  return bench_end();
}
