/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same thing done by the breakers of another world: opossum and cockatiel,
 * which decide from their own counts and report to nobody. A task that does
 * nothing goes through each, one call after another; ours is gated by name,
 * timed, and gives a sample. Rounds of the two processes take turns.
 *
 * `bench_peers NODE NPM ROUNDS.MJS DIRECTORY` installs them into the directory
 * by npm, unless they are there. Without node, npm or the registry all is
 * skipped, and said so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "world.h"

#define PEERS "opossum@9.0.0 cockatiel@3.2.1"
#define ROUNDS 31
#define CALLS 4000u
#define REJECTED_CALLS 1000u
#define WARM_UP 10 /* rounds until node has compiled what it will */

static FILE *to_node;
static FILE *from_node;
static pid_t node;

typedef struct peer_s {
  const char *name; /* and state, as rounds.mjs has them */
  unsigned calls;
} peer_t;

static double ask_node(void *arg) {
  const peer_t *peer = arg;
  char line[64];
  fprintf(to_node, "%s %u\n", peer->name, peer->calls);
  fflush(to_node);
  bench_require(fgets(line, sizeof line, from_node) != NULL && line[0] != 'b',
                peer->name);
  return strtod(line, NULL);
}

static void start_node(const char *program, const char *script,
                       const char *modules) {
  int in[2];
  int out[2];
  bench_require(pipe(in) == 0 && pipe(out) == 0, "pipes");
  node = fork();
  bench_require(node >= 0, "fork");
  if (node == 0) {
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    close(in[1]);
    close(out[0]);
    execl(program, program, script, modules, (char *)NULL);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  to_node = fdopen(in[1], "w");
  from_node = fdopen(out[0], "r");
  bench_require(to_node != NULL && from_node != NULL, "pipes");
}

static void end_node(void) {
  fclose(to_node);
  fclose(from_node);
  waitpid(node, NULL, 0);
}

/* --------------------------------------------------------------------- us */

typedef struct ours_s {
  world_t world;
  const char *breaker;
} ours_t;

static void start_us(ours_t *ours, const char *state) {
  ours->breaker = "payment-00001-orders";
  world_init(&ours->world);
  world_start(&ours->world);
  world_set_state(&ours->world, ours->breaker, state, 0.0);
}

static void task(ts_call_t *call, void *context) {
  *(ts_call_t **)context = call;
}

static void done(ts_client_t *client, int error, void *result, void *context) {
  (void)client;
  (void)result;
  (void)context;
  bench_keep((uint64_t)error);
}

static double measure_us(void *arg) {
  static const ts_metric_t metrics[] = {TS_LATENCY("latency")};
  ours_t *ours = arg;
  ts_call_options_t options = TS_CALL_OPTIONS_INIT;
  uint64_t took = 0;
  options.breakers = &ours->breaker;
  options.breaker_count = 1;
  options.router = "router";
  options.metrics = metrics;
  options.metric_count = 1;
  for (unsigned left = CALLS; left > 0; left -= 500) {
    const uint64_t began = bench_now_ns();
    for (unsigned i = 0; i < 500; i++) {
      ts_call_t *call = NULL;
      if (ts_execute_async(ours->world.client, &options, task, done, &call) ==
          0) {
        ts_call_finish(call, 0, NULL);
      }
    }
    took += bench_now_ns() - began;
    world_settle(&ours->world);
  }
  return (double)took / CALLS;
}

/* ---------------------------------------------------------------- results */

static bench_case_t cases[] = {
    {.name = "ours, closed", .measure = measure_us},
    {.name = "ours, open", .measure = measure_us},
    {.name = "cockatiel, closed", .measure = ask_node},
    {.name = "cockatiel, open", .measure = ask_node},
    {.name = "opossum, closed", .measure = ask_node},
    {.name = "opossum, open", .measure = ask_node},
};

static void compare(void) {
  static ours_t closed, open;
  static peer_t peers[] = {{"cockatiel closed", CALLS},
                           {"cockatiel open", REJECTED_CALLS},
                           {"opossum closed", CALLS},
                           {"opossum open", REJECTED_CALLS}};
  start_us(&closed, "closed");
  start_us(&open, "open");
  cases[0].arg = &closed;
  cases[1].arg = &open;
  for (size_t i = 0; i < 4; i++) {
    cases[2 + i].arg = &peers[i];
    for (int round = 0; round < WARM_UP; round++) {
      (void)ask_node(&peers[i]);
    }
  }
  bench_run_rounds(cases, 6, ROUNDS);
  bench_goal("H5.cockatiel", "closed", "cockatiel",
             bench_ratio(&cases[0], &cases[2]), BENCH_AT_MOST, 0.7);
  bench_goal("H5.opossum", "closed", "opossum",
             bench_ratio(&cases[0], &cases[4]), BENCH_AT_MOST, 0.25);
  bench_goal("H5.rejected", "rejected, how many times faster than cockatiel",
             "", bench_ratio(&cases[3], &cases[1]), BENCH_AT_LEAST, 100);
  bench_goal("H5.rejected", "rejected, how many times faster than opossum", "",
             bench_ratio(&cases[5], &cases[1]), BENCH_AT_LEAST, 100);
  world_end(&closed.world);
  world_end(&open.world);
}

static void skip(const char *why) {
  bench_skip("H5.cockatiel", "closed, against cockatiel", why);
  bench_skip("H5.opossum", "closed, against opossum", why);
  bench_skip("H5.rejected", "rejected, against both", why);
}

static bool install(const char *npm, const char *directory) {
  char command[8192];
  snprintf(command, sizeof command,
           "cd '%s' && { [ -d node_modules/cockatiel ] || '%s' install "
           "--no-audit --no-fund --prefix . " PEERS " >npm.log 2>&1; }",
           directory, npm);
  return system(command) == 0;
}

int main(int argc, char **argv) {
  char modules[4096];
  bench_begin("peers");
  if (argc != 5) {
    skip("no node or no npm");
  } else if (!install(argv[2], argv[4])) {
    skip("npm could not install them");
  } else {
    snprintf(modules, sizeof modules, "%s/node_modules", argv[4]);
    start_node(argv[1], argv[3], modules);
    compare();
    end_node();
  }
  return bench_end();
}
