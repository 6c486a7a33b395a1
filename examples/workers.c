/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queue workers in processes of their own share a breaker for each tenant,
 * through Redis: what one of them sees, all of them know. Here a tenant's search
 * is down. Each worker alone would need five failures to see that; together they
 * need little more than five.
 *
 *   workers [PORT]    of a Redis server on this machine; without it one is
 *                     started, and ended again
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include "tripswitch/tripswitch.h"

#define WORKERS 4

typedef struct worker_s {
  ts_store_t *store;
  ts_registry_t *registry;
  ts_factory_t *factory;
  ts_breaker_t *breaker;
  uv_timer_t jobs;
  int failures;
} worker_t;

/* A search for this tenant. It is down. */
static int search(void *context, void **result) {
  worker_t *worker = context;
  (void)result;
  worker->failures++;
  return UV_ECONNREFUSED;
}

/* The next job of the queue. When the breaker rejects, a real worker would put
 * the job back for later; this one goes home. */
static void on_job(uv_timer_t *timer) {
  worker_t *worker = timer->data;
  if (ts_breaker_execute(worker->breaker, NULL, search, worker, NULL) ==
      TS_EOPEN) {
    uv_close((uv_handle_t *)timer, NULL);
    ts_breaker_unref(worker->breaker);
    ts_factory_free(worker->factory);
    ts_registry_close(worker->registry, NULL);
    ts_store_close(worker->store, NULL);
  }
}

/* One process. Nothing of the library is made before the fork. */
static int work(int port, int number) {
  uv_loop_t *loop = uv_default_loop();
  worker_t worker = {.failures = 0};
  ts_redis_store_options_t store = TS_REDIS_STORE_OPTIONS_INIT;
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  const ts_name_key_t tenant = {"tenant", "acme"};

  store.port = port;
  if (ts_redis_store_new(&worker.store, loop, &store) != 0 ||
      ts_registry_new(&worker.registry, loop, NULL) != 0) {
    return 99;
  }
  options.store = worker.store; /* all that sharing takes */
  options.share = TS_SHARE_COUNTS;
  options.consec = 5;
  if (ts_factory_new(&worker.factory, worker.registry, "{base}::{tenant}",
                     &options) != 0 ||
      ts_factory_get(worker.factory, "search", &tenant, 1, &worker.breaker) !=
          0) {
    return 99;
  }
  worker.jobs.data = &worker;
  uv_timer_init(loop, &worker.jobs);
  uv_timer_start(&worker.jobs, on_job, 200 + (uint64_t)number * 70, 280);
  uv_run(loop, UV_RUN_DEFAULT);
  return worker.failures;
}

static pid_t start_redis(int port) {
  char text[8];
  snprintf(text, sizeof text, "%d", port);
  const pid_t pid = fork();
  if (pid == 0) {
    execlp("redis-server", "redis-server", "--port", text, "--bind",
           "127.0.0.1", "--save", "", "--logfile", "/dev/null", (char *)NULL);
    _exit(127);
  }
  return pid;
}

int main(int argc, char **argv) {
  const int port = argc > 1 ? atoi(argv[1]) : 16000 + (int)(getpid() % 10000);
  const pid_t redis = argc > 1 ? 0 : start_redis(port);
  int failures = 0;
  int status = 0;

  for (int i = 0; i < WORKERS; i++) {
    if (fork() == 0) {
      return work(port, i);
    }
  }
  for (int i = 0; i < WORKERS; i++) {
    while (wait(&status) == redis) {
      fprintf(stderr, "redis-server does not run\n");
    }
    failures += WEXITSTATUS(status);
  }
  printf("%d workers: %d failures together, alone %d\n", WORKERS, failures,
         WORKERS * 5);
  if (redis != 0) {
    kill(redis, SIGTERM);
    waitpid(redis, NULL, 0);
  }
  return 0;
}
