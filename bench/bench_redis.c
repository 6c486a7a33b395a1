/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one Redis server and one process's store can do: syncs, with a thousand
 * under way at a time, of 200 breakers. A program with figures and no goal: most
 * of the time is the server's, which runs on the same machine.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include "bench.h"
#include "tripswitch/redis.h"

#define ROUNDS 21
#define SYNCS 10000u
#define UNDER_WAY 1000u
#define BREAKERS 200u

typedef struct load_s {
  ts_store_delta_t delta;
  double cpu_ns; /* of our thread, for one sync of the last round */
} load_t;

static uv_loop_t loop;
static uv_timer_t ticks; /* keep the loop, which a store does not */
static ts_store_t *store;
static pid_t server;
static load_t *load;
static unsigned asked;
static unsigned answered;
static unsigned errors;

static const ts_store_rule_t rule = {.consec = 1000000,
                                     .min_calls = 20,
                                     .open_ms = 30000,
                                     .open_mult = 1.0,
                                     .open_max_ms = 300000,
                                     .probe_slots = 1,
                                     .probe_need = 1,
                                     .probe_ms = 30000,
                                     .min_reporters = 1,
                                     .retention_ms = 86400000,
                                     .fingerprint = 7};

static void ask(void);

static void on_tick(uv_timer_t *timer) { (void)timer; }

static void on_answer(void *owner, const ts_store_answer_t *answer) {
  (void)owner;
  answered++;
  errors += answer->error != 0;
  if (asked < SYNCS) {
    ask();
  }
}

static void ask(void) {
  char name[32];
  (void)snprintf(name, sizeof name, "tenant-%u", asked % BREAKERS);
  const ts_store_op_t op = {.id = ++asked,
                            .name = name,
                            .member = "0123456789abcdef0123456789abcdef",
                            .fresh_id = "fedcba9876543210fedcba9876543210",
                            .rule = &rule,
                            .answer = on_answer};
  bench_require(store->ops->sync(store, &op, &load->delta) == 0, "a sync");
}

static double measure(void *arg) {
  load = arg;
  asked = answered = 0;
  const uint64_t start_ns = bench_now_ns();
  const uint64_t cpu_ns = bench_cpu_ns();
  while (asked < UNDER_WAY) {
    ask();
  }
  while (answered < SYNCS) {
    uv_run(&loop, UV_RUN_ONCE);
  }
  load->cpu_ns = (double)(bench_cpu_ns() - cpu_ns) / SYNCS;
  bench_require(errors == 0, "no errors");
  return (double)(bench_now_ns() - start_ns) / SYNCS;
}

/* ------------------------------------------------------------------ the server */

static void start_server(int64_t port) {
  char text[8];
  (void)snprintf(text, sizeof text, "%d", (int)port);
  server = fork();
  if (server == 0) {
    execlp("redis-server", "redis-server", "--port", text, "--bind",
           "127.0.0.1", "--save", "", "--logfile", "/dev/null", (char *)NULL);
    _exit(127);
  }
}

/* One sync, asked until the server is there. */
static void connect_store(void) {
  static load_t nothing;
  load = &nothing;
  for (int i = 0; i < 200 && answered == 0; i++) {
    asked = SYNCS;
    errors = 0;
    const ts_store_op_t op = {.id = 1,
                              .name = "first",
                              .member = "m",
                              .fresh_id = "f",
                              .rule = &rule,
                              .answer = on_answer};
    if (store->ops->sync(store, &op, &nothing.delta) == 0) {
      while (answered == 0) {
        uv_run(&loop, UV_RUN_ONCE);
      }
      answered = errors == 0;
    }
    (void)uv_run(&loop, UV_RUN_ONCE);
  }
  bench_require(answered == 1, "redis-server runs (is it installed?)");
}

static void note(const char *what, const bench_case_t *subject) {
  const bench_figure_t figure = bench_figure(subject);
  const load_t *of = subject->arg;
  char text[96];
  (void)snprintf(text, sizeof text, "%s", what);
  bench_note(text, "per second",
             (bench_figure_t){1e9 / figure.median, 1e9 / figure.high,
                              1e9 / figure.low});
  (void)snprintf(text, sizeof text, "%s: our thread, each", what);
  bench_note(text, "ns", bench_exact(of->cpu_ns));
}

int main(void) {
  const int64_t port = 26000 + getpid() % 10000;
  ts_redis_store_options_t options = TS_REDIS_STORE_OPTIONS_INIT;
  load_t counting = {
      .delta = {.calls = 10, .failures = 1, .trailing = 1, .longest = 1}};
  load_t reading = {.cpu_ns = 0};
  bench_case_t cases[] = {{"counts", measure, &counting},
                          {"reads", measure, &reading}};
  bench_begin("redis");
  start_server(port);
  options.port = port;
  options.operation_timeout_ms = 20000;
  options.reconnect_max_ms = 100;
  uv_loop_init(&loop);
  uv_timer_init(&loop, &ticks);
  uv_timer_start(&ticks, on_tick, 20, 20);
  bench_require(ts_redis_store_new(&store, &loop, &options) == 0, "a store");
  connect_store();
  bench_run_rounds(cases, 2, ROUNDS);
  note("syncs that count", &cases[0]);
  note("syncs that read", &cases[1]);
  uv_close((uv_handle_t *)&ticks, NULL);
  (void)ts_store_close(store, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  kill(server, SIGTERM);
  waitpid(server, NULL, 0);
  return bench_end();
}
