/* SPDX-License-Identifier: Apache-2.0 */
/* The fakes that the flow tests stand on are worth a test themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/schedule.h"
#include "support/draw.h"
#include "support/fake_env.h"
#include "support/fake_server.h"
#include "support/fake_transport.h"

static fake_env_t env;
static fake_transport_t transport;
static char story[256];
static ts__pipe_t *opened;
static bool closes_when_received;

static void tell(const char *what) { strcat(story, what); }

static void on_opened(void *owner) {
  (void)owner;
  tell("opened ");
}

static void on_received(void *owner, ts__str_t bytes) {
  (void)owner;
  strncat(story, bytes.ptr, bytes.len);
  tell("|");
  if (closes_when_received) {
    transport.transport.ops->close(opened);
  }
}

static void on_closed(void *owner, int error) {
  (void)owner;
  tell(error == 0 ? "ended" : "failed");
}

static const ts__pipe_events_t events = {on_opened, on_received, on_closed};

static int setup(void **state) {
  (void)state;
  story[0] = '\0';
  closes_when_received = false;
  fake_env_init(&env);
  fake_transport_init(&transport, &env);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fake_transport_deinit(&transport);
  return 0;
}

static fake_pipe_t *open_pipe(void) {
  const ts__endpoint_t endpoint = {TS__STR("api.test"), 443, true};
  assert_int_equal(transport.transport.ops->open(
                       &transport.transport, &endpoint, &events, NULL, &opened),
                   0);
  return fake_transport_last(&transport);
}

static void write_text(const char *text) {
  assert_int_equal(transport.transport.ops->write(opened, ts__str(text)), 0);
}

/* A draw is the one that was chosen. */
static void test_draw_next(void **state) {
  (void)state;
  ts__rng_t rng;
  draw_seed(&rng, 1);
  const uint64_t draws[] = {0, 1, 12345678901234, DRAW_END / 2, DRAW_END - 1};
  for (size_t i = 0; i < sizeof(draws) / sizeof(draws[0]); i++) {
    draw_next(&rng, draws[i]);
    assert_true(ts__rng_draw53(&rng) == draws[i]);
  }
}

typedef struct ticker_s {
  ts__schedule_t schedule;
  ts__timer_t timer;
  ts__task_t task;
  unsigned ticks;
  unsigned tasks;
} ticker_t;

static void on_tick(void *owner) {
  ticker_t *ticker = owner;
  ticker->ticks++;
  assert_int_equal(fake_env_elapsed_ms(&env), ticker->ticks * 1000);
  ts__timer_start(&ticker->schedule, &ticker->timer,
                  ts__deadline(ts__mono_ns(&env.env), 1000));
  ts__task_post(&ticker->schedule, &ticker->task);
}

static void on_task(void *owner) { ((ticker_t *)owner)->tasks++; }

/* Time stops at each deadline on its way, and turns come between. */
static void test_env_advances_from_deadline_to_deadline(void **state) {
  (void)state;
  static ticker_t ticker;
  ticker.ticks = ticker.tasks = 0;
  ts__schedule_init(&ticker.schedule, &env.env);
  ts__timer_init(&ticker.timer, on_tick, &ticker);
  ts__task_init(&ticker.task, on_task, &ticker);
  ts__timer_start(&ticker.schedule, &ticker.timer,
                  ts__deadline(ts__mono_ns(&env.env), 1000));
  fake_env_advance_ms(&env, 3500);
  assert_int_equal(ticker.ticks, 3);
  assert_int_equal(ticker.tasks, 3);
  assert_int_equal(fake_env_elapsed_ms(&env), 3500);
  assert_true(fake_env_advance_to_deadline(&env));
  assert_int_equal(fake_env_elapsed_ms(&env), 4000);
}

/* The wall clock follows, and can be moved alone. */
static void test_env_wall_clock(void **state) {
  (void)state;
  fake_env_advance_ms(&env, 5);
  assert_true(ts__wall_ms(&env.env) == FAKE_ENV_START_WALL_MS + 5);
  uint64_t before = ts__mono_ns(&env.env);
  fake_env_set_wall(&env, 7);
  assert_true(ts__wall_ms(&env.env) == 7);
  assert_true(ts__wall_ms_at(&env.env, before) == 7);
  assert_true(ts__mono_ns(&env.env) == before);
}

static void on_env_closed(void *owner) {
  (void)owner;
  tell("closed");
}

/* Closing is told on a turn, once. */
static void test_env_close(void **state) {
  (void)state;
  env.env.on_closed = on_env_closed;
  env.env.ops->close(&env.env);
  assert_string_equal(story, "");
  fake_env_turn(&env);
  fake_env_turn(&env);
  assert_string_equal(story, "closed");
}

/* The life of a pipe, in the order that the test decides. */
static void test_pipe(void **state) {
  (void)state;
  fake_pipe_t *pipe = open_pipe();
  assert_string_equal(pipe->host, "api.test");
  assert_int_equal(pipe->port, 443);
  assert_true(pipe->tls);
  assert_true(fake_pipe_accept(pipe));
  write_text("a");
  write_text("bc");
  assert_string_equal(fake_pipe_written(pipe), "abc");
  assert_true(fake_pipe_deliver_split(pipe, TS__STR("12345"), 2));
  fake_pipe_end(pipe, 0);
  assert_string_equal(story, "opened 12|34|5|ended");
  assert_int_equal(pipe->state, FAKE_PIPE_ENDED);
  assert_int_equal(fake_transport_live(&transport), 0);
  assert_int_equal(fake_transport_count(&transport), 1);
}

/* Once the owner closed, nothing more arrives. */
static void test_pipe_closed_by_its_owner(void **state) {
  (void)state;
  fake_pipe_t *pipe = open_pipe();
  fake_pipe_accept(pipe);
  closes_when_received = true;
  assert_false(fake_pipe_deliver_split(pipe, TS__STR("12345"), 2));
  assert_string_equal(story, "opened 12|");
  assert_int_equal(pipe->state, FAKE_PIPE_CLOSED);
}

static void on_stopped(void *arg) {
  (void)arg;
  tell("stopped");
}

/* The end of the transport is told on a turn. */
static void test_stop(void **state) {
  (void)state;
  transport.transport.ops->stop(&transport.transport, on_stopped, NULL);
  assert_string_equal(story, "");
  fake_env_turn(&env);
  assert_string_equal(story, "stopped");
  assert_true(transport.stopped);
}

/* Opens fail as often as asked for. */
static void test_fail_open(void **state) {
  (void)state;
  const ts__endpoint_t endpoint = {TS__STR("h"), 1, false};
  fake_transport_fail_open(&transport, TS__ENOMEM, 1);
  assert_int_equal(transport.transport.ops->open(
                       &transport.transport, &endpoint, &events, NULL, &opened),
                   TS__ENOMEM);
  assert_null(opened);
  assert_non_null(open_pipe());
}

/* Two requests on one pipe are read one after the other, the second when it is
 * complete. */
static void test_take_request(void **state) {
  (void)state;
  fake_pipe_t *pipe = open_pipe();
  fake_pipe_accept(pipe);
  write_text("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbo");
  assert_null(fake_pipe_take_request(pipe));
  write_text("dyGET /b HTTP/1.1\r\nHost: h\r\n\r\n");
  const fake_request_t *request = fake_pipe_take_request(pipe);
  assert_string_equal(request->method, "POST");
  assert_string_equal(request->target, "/a");
  assert_string_equal(request->body, "body");
  assert_string_equal(fake_request_header(request, "content-length"), "4");
  assert_null(fake_request_header(request, "accept"));
  request = fake_pipe_take_request(pipe);
  assert_string_equal(request->target, "/b");
  assert_null(fake_pipe_take_request(pipe));
  assert_ptr_equal(fake_transport_find(&transport, "POST /a"), pipe);
}

/* An answer carries the length of its body; events come in chunks. */
static void test_respond(void **state) {
  (void)state;
  fake_pipe_t *pipe = open_pipe();
  fake_pipe_accept(pipe);
  story[0] = '\0';
  fake_respond(pipe, "HTTP/1.1 200 OK\r\n", "hello");
  assert_string_equal(story, "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                             "Content-Length: 5\r\n\r\nhello|");
  transport.keep_alive = true;
  story[0] = '\0';
  fake_respond_status(pipe, 304);
  assert_string_equal(story, "HTTP/1.1 304 Status\r\n\r\n|");
  fake_respond_stream_head(pipe, FAKE_STREAM_CHUNKED);
  story[0] = '\0';
  fake_event(pipe, "b", "open", NULL);
  assert_string_equal(story,
                      "45\r\nevent: state\ndata: {\"breaker\":\"b\","
                      "\"state\":\"open\",\"allow_rate\":null}\n\n\r\n|");
  story[0] = '\0';
  fake_stream_end(pipe);
  assert_string_equal(story, "0\r\n\r\n|ended");
}

/* A server answers by itself while time passes. */
static void test_server(void **state) {
  (void)state;
  fake_server_t server;
  fake_server_init(&server, &transport, NULL);
  fake_pipe_t *pipe = open_pipe();
  fake_env_turn(&env);
  assert_int_equal(pipe->state, FAKE_PIPE_OPEN);
  write_text("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  fake_env_advance_ms(&env, 1);
  assert_int_equal(server.requests, 1);
  assert_non_null(strstr(story, "HTTP/1.1 200 OK"));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_draw_next),
      TEST(test_env_advances_from_deadline_to_deadline),
      TEST(test_env_wall_clock),
      TEST(test_env_close),
      TEST(test_pipe),
      TEST(test_pipe_closed_by_its_owner),
      TEST(test_stop),
      TEST(test_fail_open),
      TEST(test_take_request),
      TEST(test_respond),
      TEST(test_server),
  };
#undef TEST
  return cmocka_run_group_tests(tests, NULL, NULL);
}
