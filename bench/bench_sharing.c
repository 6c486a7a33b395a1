/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long the loop is held when ten thousand shared breakers, all used since,
 * tell their store and hear from it: one in this process's memory, so that its
 * own work is counted too, and a real Redis server, if there is one. Between the
 * rounds each breaker has one call; that is the program's own turn, and not
 * counted.
 *
 * usage: bench_sharing [REDIS_SERVER]
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include "bench.h"
#include "breaker/sharing.h"
#include "loopback.h"
#include "tripswitch/redis.h"
#include "tripswitch/tripswitch.h"
#include "yardsticks.h"

#define BREAKERS 10000u
#define ROUNDS 15u
#define REDIS_ROUNDS 5u /* each takes seconds */

static uv_loop_t loop;
static ts_registry_t *registry;
static ts_store_t *store;
static ts_breaker_t *breakers[BREAKERS];

static void make_breakers(void) {
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  options.store = store;
  options.consec = 1000000; /* they stay closed */
  for (size_t i = 0; i < BREAKERS; i++) {
    char name[Y_NAME_LEN + 1];
    y_name(name, i);
    bench_require(ts_registry_get(registry, name, &options, &breakers[i]) == 0,
                  "a shared breaker");
  }
}

static void use_all(ts_outcome_t outcome) {
  for (size_t i = 0; i < BREAKERS; i++) {
    ts_ticket_t ticket;
    bench_require(ts_breaker_begin(breakers[i], &ticket, NULL) == 0,
                  "an admitted call");
    ts_breaker_end(breakers[i], &ticket, outcome, 0);
  }
}

/* Nothing is due, and nothing is waited for. */
static bool is_at_rest(void) {
  const ts__group_t *group =
      TS__CONTAINER(registry->groups.next, ts__group_t, node);
  return registry->asking == 0 && ts__list_empty(&group->active) &&
         ts__list_empty(&group->turn);
}

static double longest_turn(ts_outcome_t outcome) {
  turns_t turns;
  const uint64_t before = store->asked;
  uv_update_time(&loop);
  use_all(outcome);
  turns_begin(&turns, &loop);
  while (!is_at_rest()) {
    uv_run(&loop, UV_RUN_NOWAIT);
  }
  turns_end(&turns);
  bench_require(store->asked - before >= BREAKERS, "a sync of each");
  return (double)turns.longest_cpu_ns;
}

static double longest_of_successes(void *unused) {
  (void)unused;
  return longest_turn(TS_OUTCOME_SUCCESS);
}

/* The first failure after a good time is told at once. */
static double longest_of_failures(void *unused) {
  (void)unused;
  (void)longest_turn(TS_OUTCOME_SUCCESS);
  return longest_turn(TS_OUTCOME_FAILURE);
}

/* ---------------------------------------------------------------------- redis */

static pid_t server;

static unsigned free_port(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t len = sizeof address;
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bench_require(bind(fd, (struct sockaddr *)&address, len) == 0 &&
                    getsockname(fd, (struct sockaddr *)&address, &len) == 0,
                "a free port");
  close(fd);
  return ntohs(address.sin_port);
}

static void start_server(const char *program, unsigned port) {
  char text[8];
  (void)snprintf(text, sizeof text, "%u", port);
  server = fork();
  if (server == 0) {
    if (freopen("/dev/null", "w", stdout) == NULL) {
      _exit(126);
    }
    execl(program, program, "--port", text, "--bind", "127.0.0.1", "--save", "",
          "--appendonly", "no", (char *)NULL);
    _exit(127);
  }
  bench_require(server > 0, "a server");
}

static void stop_server(void) {
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
}

static bool are_all_known(void) {
  for (size_t i = 0; i < BREAKERS; i++) {
    if (!breakers[i]->sharing->view.known) {
      return false;
    }
  }
  return true;
}

/* Until the server is up, and has been asked about each. */
static void wait_for_server(void) {
  for (int i = 0; i < 100 && !are_all_known(); i++) {
    (void)longest_turn(TS_OUTCOME_SUCCESS);
  }
  bench_require(are_all_known(), "a server that answers");
}

/* ------------------------------------------------------------------- together */

static void begin(void) {
  bench_require(uv_loop_init(&loop) == 0 &&
                    ts_registry_new(&registry, &loop, NULL) == 0,
                "a registry");
}

static void finish(void) {
  for (size_t i = 0; i < BREAKERS; i++) {
    ts_breaker_unref(breakers[i]);
  }
  ts_registry_close(registry, NULL);
  ts_store_close(store, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  bench_require(uv_loop_close(&loop) == 0, "the end of the loop");
}

static void measure(const char *goal, const char *what, size_t rounds) {
  static bench_case_t cases[] = {
      {"Y2", y2_cpu_measure, NULL},
      {"longest turn, 10,000 told of a success", longest_of_successes, NULL},
      {"the same, of a failure", longest_of_failures, NULL},
  };
  bench_run_rounds(cases, sizeof cases / sizeof cases[0], rounds);
  bench_goal(goal, what, "Y2", bench_ratio(&cases[1], &cases[0]), BENCH_AT_MOST,
             0.08);
  bench_goal(goal, "the same at the first failure of each", "Y2",
             bench_ratio(&cases[2], &cases[0]), BENCH_AT_MOST, 0.08);
}

static void measure_memory(void) {
  ts_memory_store_options_t options = TS_MEMORY_STORE_OPTIONS_INIT;
  begin();
  options.max_records = BREAKERS;
  bench_require(ts_memory_store_new(&store, &loop, &options) == 0, "a store");
  make_breakers();
  measure("B.sync", "longest turn while 10,000 breakers sync", ROUNDS);
  finish();
}

static void measure_redis(const char *program) {
  ts_redis_store_options_t options = TS_REDIS_STORE_OPTIONS_INIT;
  begin();
  options.port = free_port();
  if (ts_redis_store_new(&store, &loop, &options) != 0) {
    bench_skip("B.redis", "the same with a Redis server", "not built");
    ts_registry_close(registry, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    return;
  }
  start_server(program, (unsigned)options.port);
  make_breakers();
  wait_for_server();
  measure("B.redis", "the same with a Redis server", REDIS_ROUNDS);
  finish();
  stop_server();
}

int main(int argc, char **argv) {
  bench_begin("sharing");
  y_init();
  measure_memory();
  if (argc > 1) {
    measure_redis(argv[1]);
  } else {
    bench_skip("B.redis", "the same with a Redis server", "no redis-server");
  }
  return bench_end();
}
