/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving from circuitry to breakers of ours in Redis. Reads its records, one a
 * line: "NAME JSON" as GET gives them from Redis, or an item alone as DynamoDB's
 * scan does; says what would become of each, and, with --apply, does it.
 *
 *   import_circuitry THRESHOLD [--apply HOST PORT] < records
 *
 * THRESHOLD is circuitry's FailureCountThreshold.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tripswitch/circuitry.h>
#include <tripswitch/redis.h>
#include <uv.h>

static ts_breaker_options_t options;
static uv_loop_t loop;
static uv_async_t alive; /* a store does not keep its loop */
static int due;
static int failed;

/* Split off the name in front of JSON; an item has its own. */
static int read_line(char *line, ts_circuitry_record_t *record,
                     ts_circuitry_problem_t *problem, const char **name) {
  char *json = line[0] == '{' ? NULL : strchr(line, ' ');
  if (json == NULL) {
    *name = line[0] == '{' ? record->name : line;
    return ts_circuitry_read_item(line, strlen(line), record, problem);
  }
  *json++ = '\0';
  *name = line;
  return ts_circuitry_read_json(json, strlen(json), record, problem);
}

static void explain(const char *name, const ts_circuitry_plan_t *plan) {
  if (plan->state == TS_BREAKER_OPEN && plan->open_for_ms > 0) {
    printf("%s: open for another %lld s\n", name,
           (long long)((plan->open_for_ms + 999) / 1000));
  } else if (plan->state == TS_BREAKER_OPEN) {
    printf("%s: open, and the next call may probe\n", name);
  } else if (plan->calls > 0) {
    printf("%s: closed, with %u failures in %u calls, the last %u in a row\n",
           name, plan->failures, plan->calls, plan->consecutive_failures);
  } else {
    printf("%s: closed and without counts: nothing to do\n", name);
  }
}

static void on_imported(int error, const ts_store_record_t *record, void *arg) {
  (void)record;
  (void)arg;
  due = 0;
  if (error != 0) {
    printf("  not done: %s\n",
           error == UV_EEXIST ? "there is one already" : ts_strerror(error));
    failed = 1;
  } else {
    printf("  done\n");
  }
}

static void apply(const char *name, const ts_circuitry_plan_t *plan) {
  due = 1;
  const int error =
      ts_circuitry_import(name, &options, plan, on_imported, NULL);
  if (error != 0) {
    on_imported(error, NULL, NULL);
  }
  while (due) {
    uv_run(&loop, UV_RUN_ONCE);
  }
}

static void take(char *line) {
  ts_circuitry_record_t record;
  ts_circuitry_problem_t problem;
  ts_circuitry_plan_t plan;
  const char *name = NULL;
  if (read_line(line, &record, &problem, &name) != 0) {
    printf("%.60s: refused: %s\n", name, problem.text);
    failed = 1;
    return;
  }
  ts_circuitry_plan(&record, (int64_t)time(NULL) * 1000, &plan);
  explain(name, &plan);
  if (options.store != NULL) {
    apply(name, &plan);
  }
}

int main(int argc, char **argv) {
  char line[8192];
  ts_redis_store_options_t redis = TS_REDIS_STORE_OPTIONS_INIT;
  if (argc != 2 && (argc != 5 || strcmp(argv[2], "--apply") != 0)) {
    fprintf(stderr, "usage: %s THRESHOLD [--apply HOST PORT]\n", argv[0]);
    return 2;
  }
  uv_loop_init(&loop);
  uv_async_init(&loop, &alive, NULL);
  ts_breaker_options_circuitry(&options, atoi(argv[1]), 1, 0, 0);
  if (argc == 5) {
    redis.host = argv[3];
    redis.port = atoi(argv[4]);
    if (ts_redis_store_new(&options.store, &loop, &redis) != 0) {
      return 1;
    }
  }
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    take(line);
  }
  ts_store_close(options.store, NULL); /* NULL is fine */
  uv_close((uv_handle_t *)&alive, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  return uv_loop_close(&loop) != 0 ? 1 : failed;
}
