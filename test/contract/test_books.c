/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One hundred thousand calls through the driver against a plane that goes away
 * twice. The driver is a process of its own; the plane and this test share a
 * loop. After every thousand calls the books are looked at: what was taken is
 * delivered, dropped, buffered or in flight, to the last sample.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <uv.h>

#include "tripswitch/plane.h"

#define ROUNDS 100
#define CALLS_A_ROUND 1000
#define SECRET                                                                 \
  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *driver_path;
static uv_loop_t loop;
static ts_plane_t *plane;
static uv_process_t process;
static uv_pipe_t to_driver;
static uv_pipe_t from_driver;
static char input[1 << 16];
static size_t input_len;
static int64_t exit_status = -1;
static int next_id;

/* --------------------------------------------------------- the other side */

static void on_exit_of_driver(uv_process_t *child, int64_t status, int signal) {
  (void)signal;
  exit_status = status;
  uv_close((uv_handle_t *)child, NULL);
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *buf) {
  (void)handle;
  (void)wanted;
  assert_true(input_len < sizeof input - 1);
  *buf =
      uv_buf_init(input + input_len, (unsigned)(sizeof input - 1 - input_len));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf) {
  (void)buf;
  if (count < 0) {
    uv_close((uv_handle_t *)stream, NULL);
    return;
  }
  input_len += (size_t)count;
  input[input_len] = '\0';
}

static void start_driver(void) {
  char *args[] = {(char *)(uintptr_t)driver_path, NULL};
  uv_stdio_container_t stdio[3] = {
      {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE,
       .data.stream = (uv_stream_t *)&to_driver},
      {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
       .data.stream = (uv_stream_t *)&from_driver},
      {.flags = UV_INHERIT_FD, .data.fd = 2},
  };
  const uv_process_options_t options = {.file = driver_path,
                                        .args = args,
                                        .stdio = stdio,
                                        .stdio_count = 3,
                                        .exit_cb = on_exit_of_driver};
  uv_pipe_init(&loop, &to_driver, 0);
  uv_pipe_init(&loop, &from_driver, 0);
  assert_int_equal(uv_spawn(&loop, &process, &options), 0);
  assert_int_equal(
      uv_read_start((uv_stream_t *)&from_driver, on_alloc, on_read), 0);
}

/* The next line as an object, waited for on the loop, or NULL at the end. */
static json_t *next_line(void) {
  char *end = NULL;
  while ((end = memchr(input, '\n', input_len)) == NULL) {
    if (uv_is_closing((uv_handle_t *)&from_driver)) {
      return NULL;
    }
    uv_run(&loop, UV_RUN_ONCE);
  }
  const size_t len = (size_t)(end - input);
  json_t *line = json_loadb(input, len, 0, NULL);
  assert_non_null(line);
  memmove(input, end + 1, input_len - len - 1);
  input_len -= len + 1;
  return line;
}

static const char *event_of(const json_t *line) {
  return json_string_value(json_object_get(line, "event"));
}

/* The next event of this name; others are passed over, but never an error. */
static json_t *wait_for(const char *event) {
  json_t *line = NULL;
  while ((line = next_line()) != NULL) {
    assert_string_not_equal(event_of(line), "error");
    if (strcmp(event_of(line), event) == 0) {
      return line;
    }
    json_decref(line);
  }
  fail_msg("the driver ended before %s", event);
  return NULL;
}

/* Send a command, given without its id. */
static void send_command(const char *members) {
  char line[1024];
  const int len =
      snprintf(line, sizeof line, "{\"id\":%d,%s}\n", ++next_id, members);
  const char *at = line;
  size_t left = (size_t)len;
  while (left > 0) {
    const uv_buf_t buf = uv_buf_init((char *)(uintptr_t)at, (unsigned)left);
    const int sent = uv_try_write((uv_stream_t *)&to_driver, &buf, 1);
    if (sent == UV_EAGAIN) {
      uv_run(&loop, UV_RUN_ONCE);
      continue;
    }
    assert_true(sent > 0);
    at += sent;
    left -= (size_t)sent;
  }
}

static json_t *ask(const char *members, const char *event) {
  send_command(members);
  return wait_for(event);
}

/* --------------------------------------------------------------- the books */

static json_int_t number(const json_t *object, const char *name) {
  const json_t *value = json_object_get(object, name);
  assert_true(json_is_integer(value));
  return json_integer_value(value);
}

static json_int_t accounted(const json_t *line) {
  const json_t *stats = json_object_get(line, "stats");
  return number(stats, "delivered_samples") + number(stats, "dropped_samples") +
         number(stats, "buffer_size") + number(stats, "in_flight_samples");
}

static json_int_t execute(void) {
  char members[256];
  snprintf(members, sizeof members,
           "\"cmd\":\"execute\",\"client\":\"c\",\"count\":%d,"
           "\"breakers\":[\"checkout\"],\"router\":\"r1\","
           "\"metrics\":{\"latency\":\"latency\"},\"fail_every\":3",
           CALLS_A_ROUND);
  json_t *line = ask(members, "result");
  const json_int_t ran = number(line, "ran");
  assert_int_equal(ran + number(line, "rejected"), CALLS_A_ROUND);
  json_decref(line);
  return ran;
}

static void look(json_int_t taken) {
  json_t *line = ask("\"cmd\":\"stats\",\"client\":\"c\"", "result");
  assert_int_equal(accounted(line), taken);
  json_decref(line);
}

static void start_plane(void) {
  ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
  options.ingest_secret = SECRET;
  assert_int_equal(ts_plane_new(&plane, &loop, &options), 0);
  router.id = "r1";
  assert_int_equal(ts_plane_add_router(plane, &router), 0);
  breaker.name = "checkout";
  breaker.metric = "latency";
  breaker.threshold = 0.5;
  assert_int_equal(ts_plane_add_breaker(plane, &breaker), 0);
  assert_int_equal(ts_plane_link(plane, "r1", "checkout"), 0);
  assert_int_equal(ts_plane_listen(plane), 0);
}

static void create_client(void) {
  char members[512];
  snprintf(members, sizeof members,
           "\"cmd\":\"create\",\"client\":\"c\",\"options\":{"
           "\"project_id\":\"project\",\"api_key\":\"eb_pk_local\","
           "\"ingest_secret\":\"%s\",\"base_url\":\"%s\","
           "\"reconnect_min_ms\":10,\"flush_interval_ms\":20,"
           "\"retry_backoff_ms\":[5,10,20],\"log_level\":\"off\"}",
           SECRET, ts_plane_url(plane));
  json_decref(ask(members, "result"));
  json_decref(wait_for("ready"));
}

/* Whatever the server does, every sample is accounted for. */
static void test_books(void **state) {
  json_int_t taken = 0;
  (void)state;
  json_decref(wait_for("hello"));
  create_client();
  for (int round = 0; round < ROUNDS; round++) {
    if (round == 25 || round == 60) {
      assert_int_equal(ts_plane_stop(plane), 0);
    }
    if (round == 40 || round == 80) {
      assert_int_equal(ts_plane_listen(plane), 0);
    }
    taken += execute();
    look(taken);
  }
  json_t *line =
      ask("\"cmd\":\"close\",\"client\":\"c\",\"timeout_ms\":20000", "closed");
  const json_t *stats = json_object_get(line, "stats");
  ts_plane_stats_t counters = TS_PLANE_STATS_INIT;
  assert_int_equal(accounted(line), taken);
  assert_int_equal(number(stats, "buffer_size"), 0);
  assert_int_equal(number(stats, "in_flight_samples"), 0);
  assert_true(number(stats, "delivered_samples") > 0);
  assert_int_equal(ts_plane_stats(plane, &counters), 0);
  assert_true(number(stats, "delivered_samples") <=
              (json_int_t)counters.samples_accepted);
  json_decref(line);
}

static int setup(void **state) {
  (void)state;
  assert_int_equal(uv_loop_init(&loop), 0);
  start_plane();
  start_driver();
  return 0;
}

static int teardown(void **state) {
  (void)state;
  uv_close((uv_handle_t *)&to_driver, NULL); /* the end of the driver's input */
  ts_plane_close(plane, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(exit_status, 0); /* a leak would say otherwise */
  assert_int_equal(uv_loop_close(&loop), 0);
  return 0;
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_books, setup, teardown),
  };
  assert_true(argc == 2);
  driver_path = argv[1];
  return cmocka_run_group_tests(tests, NULL, NULL);
}
