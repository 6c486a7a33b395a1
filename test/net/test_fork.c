/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fork(2) with a client at every stage of its life. The plane runs in a process
 * of its own, which counts the samples it sees by their value: the parent's are
 * 0, 1, 2, ..., each must come at most once, and as often as the parent's
 * figures say; a child's begin at CHILD.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "support/certs.h"
#include "tripswitch/plane.h"
#include "tripswitch/tripswitch.h"

#define CHILD 100000
#define CHILD_SAMPLES 3
#define PATIENCE_MS 60000

/* ----------------------------------------------------- the plane's process */

/* What it tells at its end. */
typedef struct seen_s {
  unsigned parents;    /* samples of the parent */
  unsigned children;   /* of children */
  unsigned duplicates; /* of the parent's samples */
} seen_t;

typedef struct plane_s {
  uv_loop_t loop;
  uv_poll_t stop;
  ts_plane_t *plane;
  seen_t seen;
  unsigned char counts[CHILD];
} plane_t;

static plane_t server;
static certs_t certs;
static bool long_lists; /* of the plane, that are always being read */

static void on_sample(ts_plane_t *plane, const ts_plane_sample_t *sample) {
  (void)plane;
  if (sample->value >= CHILD) {
    server.seen.children++;
  } else if (server.counts[(size_t)sample->value]++ != 0) {
    server.seen.duplicates++;
  } else {
    server.seen.parents++;
  }
}

static void on_stop(uv_poll_t *poll, int status, int events) {
  (void)status;
  (void)events;
  uv_poll_stop(poll);
  uv_stop(poll->loop);
}

static void check(bool holds, const char *what) {
  if (!holds) {
    fprintf(stderr, "# failed: %s\n", what);
    _exit(9);
  }
}

/* Never returns. Writes its URL, serves until a byte comes, writes `seen`. */
static void serve(int in, int out, bool https) {
  ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
  char url[128] = "";
  alarm(PATIENCE_MS / 1000 * 2);
  check(uv_loop_init(&server.loop) == 0, "plane: loop");
  options.on_sample = on_sample;
  options.cert_file = https ? certs_path(&certs, "server.pem") : NULL;
  options.key_file = https ? certs_path(&certs, "server.key") : NULL;
  check(ts_plane_new(&server.plane, &server.loop, &options) == 0, "plane: new");
  router.id = "r1";
  router.name = "router one";
  breaker.name = "checkout";
  breaker.metric = "latency";
  check(ts_plane_add_router(server.plane, &router) == 0, "plane: router");
  check(ts_plane_add_breaker(server.plane, &breaker) == 0, "plane: breaker");
  for (int i = 0; long_lists && i < 500; i++) {
    char name[32];
    breaker.name = name;
    (void)snprintf(name, sizeof name, "breaker-%d", i);
    check(ts_plane_add_breaker(server.plane, &breaker) == 0, "plane: breaker");
  }
  check(ts_plane_listen(server.plane) == 0, "plane: listen");
  (void)snprintf(url, sizeof url, "%s", ts_plane_url(server.plane));
  check(write(out, url, sizeof url) == (ssize_t)sizeof url, "plane: url");
  uv_poll_init(&server.loop, &server.stop, in);
  uv_poll_start(&server.stop, UV_READABLE, on_stop);
  uv_run(&server.loop, UV_RUN_DEFAULT);
  check(write(out, &server.seen, sizeof server.seen) ==
            (ssize_t)sizeof server.seen,
        "plane: seen");
  _exit(0);
}

/* ------------------------------------------------------------ the parent */

typedef struct bench_s {
  pid_t plane;
  int to_plane;
  int from_plane;
  char url[128];
  uv_loop_t loop;
  uv_timer_t watchdog;
  ts_client_t *client;
  ts_client_options_t options;
  int ready_count;
  int close_count;
  int callbacks; /* of everything that a child may not hear of */
  unsigned given;
  ts_stats_t final;
} bench_t;

static bench_t bench;

static void on_watchdog(uv_timer_t *timer) {
  (void)timer;
  check(false, "the test hangs");
}

static void on_ready(ts_client_t *client, int status) {
  (void)client;
  (void)status;
  bench.ready_count++;
}

static void on_close(ts_client_t *client, int status) {
  (void)status;
  bench.final = (ts_stats_t)TS_STATS_INIT;
  check(ts_client_stats(client, &bench.final) == 0, "stats at close");
  bench.close_count++;
  bench.client = NULL;
}

static void on_flush(ts_client_t *client, int status, void *arg) {
  (void)client;
  (void)status;
  (void)arg;
  bench.callbacks++;
}

static void on_status(ts_client_t *client, const ts_reply_t *reply,
                      const ts_status_t *status, void *arg) {
  (void)client;
  (void)reply;
  (void)status;
  (void)arg;
  bench.callbacks++;
}

static void start_plane(bool https) {
  int there[2];
  int back[2];
  assert_int_equal(pipe(there), 0);
  assert_int_equal(pipe(back), 0);
  bench.plane = fork();
  assert_true(bench.plane >= 0);
  if (bench.plane == 0) {
    close(there[1]);
    close(back[0]);
    serve(there[0], back[1], https);
  }
  close(there[0]);
  close(back[1]);
  bench.to_plane = there[1];
  bench.from_plane = back[0];
  assert_int_equal(read(bench.from_plane, bench.url, sizeof bench.url),
                   sizeof bench.url);
}

static seen_t end_plane(void) {
  seen_t seen = {0, 0, 0};
  int status = 0;
  assert_int_equal(write(bench.to_plane, "x", 1), 1);
  assert_int_equal(read(bench.from_plane, &seen, sizeof seen), sizeof seen);
  assert_int_equal(waitpid(bench.plane, &status, 0), bench.plane);
  close(bench.to_plane);
  close(bench.from_plane);
  return seen;
}

static void begin(bool https) {
  const ts_client_options_t defaults = TS_CLIENT_OPTIONS_INIT;
  memset(&bench, 0, sizeof bench);
  start_plane(https);
  assert_int_equal(uv_loop_init(&bench.loop), 0);
  assert_int_equal(uv_timer_init(&bench.loop, &bench.watchdog), 0);
  uv_timer_start(&bench.watchdog, on_watchdog, PATIENCE_MS, 0);
  bench.options = defaults;
  bench.options.project_id = "project";
  bench.options.api_key = "eb_pk_local";
  bench.options.base_url = bench.url;
  bench.options.ca_file = https ? certs_path(&certs, "ca.pem") : NULL;
  bench.options.reconnect_min_ms = 10;
  bench.options.threads = true;
  if (long_lists) {
    bench.options.metadata_sync_interval_ms = 1;
  }
  assert_int_equal(ts_client_new(&bench.client, &bench.loop, &bench.options),
                   0);
}

static void report(unsigned first, unsigned count) {
  ts_report_t report = TS_REPORT_INIT;
  report.router = "r1";
  report.metric = "latency";
  for (unsigned i = first; i < first + count; i++) {
    report.value = i;
    check((i % 2 == 0 ? ts_report : ts_report_mt)(bench.client, &report) == 0,
          "a report is taken");
  }
}

static void report_more(unsigned count) {
  report(bench.given, count);
  bench.given += count;
}

/* The parent goes on as if nothing had been, and its books are exact. */
static void finish(unsigned children) {
  if (bench.client != NULL && !ts_client_is_closing(bench.client)) {
    report_more(5);
    assert_int_equal(ts_client_shutdown(bench.client, 20000, on_close), 0);
  }
  while (bench.close_count == 0) {
    uv_run(&bench.loop, UV_RUN_ONCE);
  }
  uv_close((uv_handle_t *)&bench.watchdog, NULL);
  uv_run(&bench.loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&bench.loop), 0);
  const seen_t seen = end_plane();
  assert_int_equal(bench.final.delivered_samples, bench.given);
  assert_int_equal(bench.final.dropped_samples, 0);
  assert_int_equal(bench.final.sse_reconnects, 0);
  assert_int_equal(seen.parents, bench.given);
  assert_int_equal(seen.duplicates, 0);
  assert_int_equal(seen.children, children * CHILD_SAMPLES);
}

/* --------------------------------------------------------------- children */

/* Every function refuses. */
static void check_refusals(void) {
  ts_client_t *client = bench.client;
  const char *const names[] = {"checkout"};
  ts_report_t sample = TS_REPORT_INIT;
  ts_stats_t stats = TS_STATS_INIT;
  ts_state_t state;
  ts_states_t *states = NULL;
  ts_connection_t connection = TS_CONNECTION_INIT;
  size_t len = 0;
  sample.router = "r1";
  sample.metric = "latency";
  sample.value = CHILD;
  check(ts_client_start(client, NULL) == TS_EFORKED, "start");
  check(ts_client_flush(client, 0, NULL, NULL) == TS_EFORKED, "flush");
  check(ts_client_shutdown(client, 0, NULL) == TS_EFORKED, "shutdown");
  check(ts_client_close(client, NULL) == TS_EFORKED, "close");
  check(ts_report(client, &sample) == TS_EFORKED, "report");
  check(ts_report_mt(client, &sample) == TS_EFORKED, "report_mt");
  check(ts_client_allow(client, names, 1, NULL) == TS_EFORKED, "allow");
  check(ts_client_allow_mt(client, names, 1, NULL) == TS_EFORKED, "allow_mt");
  check(ts_client_override(client, "a", TS_OVERRIDE_OPEN) == TS_EFORKED,
        "override");
  check(ts_client_clear_overrides(client) == TS_EFORKED, "clear_overrides");
  check(ts_client_connection(client, &connection) == TS_EFORKED, "connection");
  check(ts_stats_prometheus(client, NULL, 0, &len) == TS_EFORKED, "prometheus");
  check(ts_client_load_states(client, "{}", 2) == TS_EFORKED, "load_states");
  check(ts_client_save_states(client, NULL, 0, &len) == TS_EFORKED,
        "save_states");
  check(ts_client_stats(client, &stats) == TS_EFORKED, "stats");
  check(ts_client_get_state(client, "checkout", &state) == TS_EFORKED, "state");
  check(ts_client_copy_states(client, &states) == TS_EFORKED, "states");
  check(ts_client_get_status(client, NULL, 0, on_status, NULL) == TS_EFORKED,
        "status");
  ts_client_ref(client);
  ts_client_unref(client);
}

/* The child's own client, to its end: its samples arrive, and its books know
 * of nothing else. */
static void use_and_close(void) {
  if (!ts_client_is_closing(bench.client)) {
    if (ts_client_start(bench.client, on_ready) == UV_EALREADY) {
      ts_stats_t stats = TS_STATS_INIT;
      while (ts_client_stats(bench.client, &stats) == 0 &&
             !stats.sse_connected) {
        uv_run(&bench.loop, UV_RUN_ONCE);
      }
    }
    report(CHILD, CHILD_SAMPLES);
    check(ts_client_shutdown(bench.client, 20000, on_close) == 0, "shutdown");
  }
  const bool closing = bench.close_count > 0;
  while (bench.close_count == 0) {
    uv_run(&bench.loop, UV_RUN_ONCE);
  }
  check(closing || bench.final.dropped_samples == 0, "nothing is dropped");
  check(bench.final.delivered_samples == CHILD_SAMPLES ||
            bench.final.delivered_samples == 0,
        "the child's own samples alone");
}

typedef enum child_e {
  CHILD_LEAVES,     /* does nothing */
  CHILD_RUNS,       /* runs the loop and asks for everything */
  CHILD_TAKES_OVER, /* makes the client its own */
  CHILDREN
} child_t;

static void be_child(child_t kind) {
  const int callbacks = bench.callbacks;
  alarm(PATIENCE_MS / 1000);
  if (kind == CHILD_LEAVES) {
    _exit(0);
  }
  check(uv_loop_fork(&bench.loop) == 0, "uv_loop_fork");
  check_refusals();
  for (int i = 0; i < 20; i++) {
    uv_run(&bench.loop, UV_RUN_NOWAIT);
  }
  check(bench.callbacks == callbacks && bench.close_count == 0,
        "no callback in a child");
  if (kind == CHILD_TAKES_OVER) {
    uv_loop_t other;
    check(uv_loop_init(&other) == 0, "loop");
    check(ts_client_after_fork(bench.client, &other) == UV_EINVAL,
          "other loop");
    check(ts_client_after_fork(bench.client, &bench.loop) == 0, "after_fork");
    check(ts_client_after_fork(bench.client, &bench.loop) == UV_EINVAL,
          "after_fork again");
    use_and_close();
    check(bench.callbacks == callbacks, "the parent's callbacks");
    if (long_lists) {
      _exit(0); /* of what was read for the parent, the loop knows for ever */
    }
    uv_close((uv_handle_t *)&bench.watchdog, NULL);
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    check(uv_loop_close(&bench.loop) == 0, "nothing is left on the loop");
  }
  _exit(0);
}

/* Fork a child of this kind; the parent's loop turns while it lives. Returns 1
 * if the child has sent samples of its own. */
static unsigned fork_child(child_t kind) {
  int status = 0;
  const bool closing = ts_client_is_closing(bench.client);
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    be_child(kind);
  }
  while (waitpid(child, &status, WNOHANG) == 0) {
    uv_run(&bench.loop, UV_RUN_NOWAIT);
    uv_sleep(1);
  }
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  return kind == CHILD_TAKES_OVER && !closing;
}

/* ------------------------------------------------------------------ stages */

static void turns(int count) {
  for (int i = 0; i < count; i++) {
    uv_run(&bench.loop, UV_RUN_NOWAIT);
  }
}

static void start_and_turn(int count) {
  assert_int_equal(ts_client_start(bench.client, on_ready), 0);
  turns(count);
}

static void await_ready(void) {
  assert_int_equal(ts_client_start(bench.client, on_ready), 0);
  while (bench.ready_count == 0) {
    uv_run(&bench.loop, UV_RUN_ONCE);
  }
}

static void ask_for_everything(void) {
  report_more(600); /* one full batch, and a rest */
  assert_int_equal(ts_client_flush(bench.client, 0, on_flush, NULL), 0);
  assert_int_equal(ts_client_get_status(bench.client, NULL, 0, on_status, NULL),
                   0);
}

/* Before the start, with samples waiting. */
static void test_new(void **state) {
  (void)state;
  for (int kind = 0; kind < CHILDREN; kind++) {
    begin(false);
    report_more(10);
    finish(fork_child((child_t)kind));
  }
}

/* At each of the first turns after the start, while it connects. */
static void test_connecting(void **state) {
  (void)state;
  for (int kind = 0; kind < CHILDREN; kind++) {
    for (int turn = 0; turn < 6; turn++) {
      begin(false);
      start_and_turn(turn);
      report_more(10);
      finish(fork_child((child_t)kind));
    }
  }
}

/* While another thread reads a long list, which the child has not got. */
static void test_reading(void **state) {
  (void)state;
  long_lists = true;
  for (int kind = 0; kind < CHILDREN; kind++) {
    for (int turn = 0; turn < 60; turn += 6) {
      begin(false);
      await_ready();
      report_more(10);
      turns(turn);
      finish(fork_child((child_t)kind));
    }
  }
  long_lists = false;
}

static void fork_at_turns(bool https, int step) {
  for (int kind = 0; kind < CHILDREN; kind++) {
    for (int turn = 0; turn < 40; turn += step) {
      begin(https);
      await_ready();
      ask_for_everything();
      turns(turn);
      finish(fork_child((child_t)kind));
    }
  }
}

/* With an open stream, a flush and a request, and samples buffered, encoded and
 * in flight, turn by turn. */
static void test_in_flight(void **state) {
  (void)state;
  fork_at_turns(false, 4);
}

/* The same over TLS: a child says no close_notify on the parent's streams. */
static void test_tls(void **state) {
  (void)state;
  fork_at_turns(true, 10);
}

/* While it drains; a child's copy ends with the child's own close callback. */
static void test_closing(void **state) {
  (void)state;
  for (int kind = 0; kind < CHILDREN; kind++) {
    for (int turn = 0; turn < 20; turn += 4) {
      begin(false);
      await_ready();
      report_more(600);
      assert_int_equal(ts_client_shutdown(bench.client, 20000, on_close), 0);
      turns(turn);
      finish(bench.client != NULL ? fork_child((child_t)kind) : 0);
    }
  }
}

static void task(ts_call_t *call, void *context) {
  *(ts_call_t **)context = call;
}

static void done(ts_client_t *client, int error, void *result, void *context) {
  (void)client;
  (void)error;
  (void)result;
  (void)context;
  bench.callbacks++;
}

/* Calls under way in the parent are ended in silence by a child, before and
 * after it takes the client over. */
static void test_calls(void **state) {
  ts_call_options_t options = TS_CALL_OPTIONS_INIT;
  const ts_metric_t metrics[] = {TS_VALUE("latency", CHILD + 1)};
  ts_call_t *calls[4] = {NULL, NULL, NULL, NULL};
  ts_guard_t *guard = NULL;
  int status = 0;
  (void)state;
  begin(false);
  await_ready();
  options.router = "r1";
  options.metrics = metrics;
  options.metric_count = 1;
  options.timeout_ms = 60000;
  assert_int_equal(ts_guard_new(&guard, bench.client, &options), 0);
  for (int i = 0; i < 4; i++) {
    assert_int_equal(
        i < 2 ? ts_execute_async(bench.client, &options, task, done, &calls[i])
              : ts_guard_execute_async(guard, NULL, task, done, &calls[i]),
        0);
  }
  const pid_t child = fork();
  if (child == 0) {
    check(ts_call_is_over(calls[0]), "over in a child");
    check(ts_guard_allow(guard, NULL, NULL) == TS_EFORKED, "the guard too");
    ts_call_finish(calls[0], 0, NULL);
    ts_call_cancel(calls[2]);
    check(uv_loop_fork(&bench.loop) == 0, "uv_loop_fork");
    check(ts_client_after_fork(bench.client, &bench.loop) == 0, "after_fork");
    check(ts_call_is_over(calls[1]), "still over");
    ts_call_finish(calls[1], 0, NULL);
    check(ts_guard_allow(guard, NULL, NULL) == 0, "the child's guard");
    ts_guard_free(guard);
    ts_call_finish(calls[3], 0, NULL);
    check(bench.callbacks == 0, "no done in a child");
    use_and_close();
    _exit(0);
  }
  ts_guard_free(guard);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  for (int i = 0; i < 4; i++) {
    ts_call_cancel(calls[i]);
  }
  turns(3);
  assert_int_equal(bench.callbacks, 4);
  finish(1);
}

/* Outside of a child there is nothing to take over. */
static void test_not_forked(void **state) {
  (void)state;
  begin(false);
  assert_int_equal(ts_client_after_fork(bench.client, &bench.loop), UV_EINVAL);
  assert_int_equal(ts_client_after_fork(NULL, &bench.loop), UV_EINVAL);
  finish(0);
}

static int group_setup(void **state) {
  (void)state;
  certs_make(&certs);
  return 0;
}

static int group_teardown(void **state) {
  (void)state;
  certs_remove(&certs);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_new),     cmocka_unit_test(test_connecting),
      cmocka_unit_test(test_reading), cmocka_unit_test(test_in_flight),
      cmocka_unit_test(test_tls),     cmocka_unit_test(test_closing),
      cmocka_unit_test(test_calls),   cmocka_unit_test(test_not_forked),
  };
  return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
