/* SPDX-License-Identifier: Apache-2.0 */
/* How the stream is doing, asked for and told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/fixture.h"

#define STREAM "/breakers/state:stream"

static fixture_t fixture;
static int told[32]; /* states, in order */
static int told_count;
static ts_connection_t last;
static bool closes; /* the callback does */

static void on_connection(ts_client_t *client,
                          const ts_connection_t *connection) {
  ts_connection_t asked = TS_CONNECTION_INIT;
  assert_int_equal(ts_client_connection(client, &asked), 0);
  assert_memory_equal(&asked, connection, sizeof asked);
  assert_true(told_count < 32);
  told[told_count++] = (int)connection->state;
  last = *connection;
  if (closes) {
    fixture_shutdown(&fixture, 0);
  }
}

static int setup(void **state) {
  (void)state;
  fixture_init(&fixture);
  fixture.options.on_connection = on_connection;
  told_count = 0;
  closes = false;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

static void turn(void) { fake_env_turn(&fixture.env); }

static ts_connection_t ask(void) {
  ts_connection_t connection = TS_CONNECTION_INIT;
  assert_int_equal(ts_client_connection(fixture.client, &connection), 0);
  return connection;
}

static void assert_told(int count, ts_connection_state_t state) {
  assert_int_equal(told_count, count);
  assert_int_equal(told[count - 1], state);
  assert_int_equal(ask().state, state);
}

/* From nothing to live: open is not enough, the first event is. */
static void test_live(void **state) {
  (void)state;
  assert_int_equal(fixture_new(&fixture), 0);
  assert_int_equal(ask().state, TS_CONNECTION_NONE);
  assert_int_equal(ask().since_ms, 0);
  assert_int_equal(ts_client_start(fixture.client, NULL), 0);
  assert_int_equal(told_count, 0); /* not inside */
  assert_int_equal(ask().state, TS_CONNECTION_CONNECTING);
  assert_int_equal(ask().last_event_age_ms, -1);
  turn();
  assert_told(1, TS_CONNECTION_CONNECTING);
  fake_pipe_t *stream = fixture_find(&fixture, STREAM);
  fake_respond_stream_head(stream, FAKE_STREAM_CHUNKED);
  turn();
  assert_told(1, TS_CONNECTION_CONNECTING);
  assert_int_equal(ask().http_status, 200);
  fake_event(stream, "a", "closed", NULL);
  turn();
  assert_told(2, TS_CONNECTION_LIVE);
  fake_env_advance_ms(&fixture.env, 700);
  assert_int_equal(ask().last_event_age_ms, 700);
  assert_int_equal(ask().age_ms, 700);
  assert_int_equal(ask().since_ms, ts__wall_ms(&fixture.env.env) - 700);
}

/* A lost stream is connecting again, and stale at the very moment when the
 * gate says so, until a new event. */
static void test_stale(void **state) {
  (void)state;
  const char *name = "a";
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  fake_event(stream, "a", "open", NULL);
  turn();
  assert_told(1, TS_CONNECTION_LIVE); /* connecting was over by then */
  fake_pipe_end(stream, TS__ECONNRESET);
  turn();
  assert_told(2, TS_CONNECTION_CONNECTING);
  assert_int_equal(ask().error, TS__ECONNRESET);
  fake_env_advance_ms(&fixture.env, 29999);
  assert_int_equal(ask().state, TS_CONNECTION_CONNECTING);
  assert_int_equal(ts_client_allow(fixture.client, &name, 1, NULL), TS_EOPEN);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(ts_client_allow(fixture.client, &name, 1, NULL), 0);
  turn();
  assert_told(3, TS_CONNECTION_STALE);
  assert_true(last.stale);
  stream = fixture_find(&fixture, STREAM);
  fake_respond_stream_head(stream, FAKE_STREAM_CHUNKED);
  turn();
  assert_told(3, TS_CONNECTION_STALE);
  fake_event(stream, "a", "open", NULL);
  turn();
  assert_told(4, TS_CONNECTION_LIVE);
  assert_false(last.stale);
}

/* Stale at once, and never, as stale_after_ms says. */
static void test_stale_after(void **state) {
  (void)state;
  fixture.options.stale_after_ms = 0;
  fixture_start(&fixture);
  turn();
  assert_told(1, TS_CONNECTION_STALE);
}

static void test_never_stale(void **state) {
  (void)state;
  fixture.options.stale_after_ms = -1;
  fixture_start(&fixture);
  fake_env_advance_ms(&fixture.env, 3600000);
  assert_told(1, TS_CONNECTION_CONNECTING);
  assert_false(ask().stale);
}

/* Refused is denied, whichever of the three it is, and is tried again at the
 * longest interval; another failure is a failure. */
static void test_denied(void **state) {
  (void)state;
  static const int statuses[] = {401, 403, 404};
  fixture.options.stale_after_ms = 100000;
  fixture_start(&fixture);
  turn();
  for (size_t i = 0; i < 3; i++) {
    const size_t attempts = fake_transport_count(&fixture.transport);
    fake_respond_status(fixture_find(&fixture, STREAM), statuses[i]);
    turn();
    assert_told(2, TS_CONNECTION_DENIED);
    assert_int_equal(ask().http_status, statuses[i]);
    assert_false(ask().stale);
    fake_env_advance_ms(&fixture.env, 29999);
    assert_int_equal(fake_transport_count(&fixture.transport), attempts);
    fake_env_advance_ms(&fixture.env, 1);
  }
  fake_respond_status(fixture_find(&fixture, STREAM), 500);
  turn();
  assert_told(3, TS_CONNECTION_CONNECTING);
  assert_int_equal(ask().http_status, 500);
  assert_int_equal(ask().error, 0);
}

/* Denied for longer than states stay valid: the gate's word is in `stale`. */
static void test_denied_and_stale(void **state) {
  (void)state;
  fixture_start(&fixture);
  fake_respond_status(fixture_find(&fixture, STREAM), 401);
  fake_env_advance_ms(&fixture.env, 30000);
  assert_told(told_count, TS_CONNECTION_DENIED);
  assert_true(ask().stale);
  fake_pipe_t *stream = fixture_find(&fixture, STREAM);
  fake_respond_stream_head(stream, FAKE_STREAM_CHUNKED);
  turn();
  assert_int_equal(ask().state, TS_CONNECTION_STALE);
  fake_event(stream, "a", "closed", NULL);
  turn();
  assert_int_equal(ask().state, TS_CONNECTION_LIVE);
}

/* What cannot be reached says by what code. */
static void test_error(void **state) {
  (void)state;
  fixture_start(&fixture);
  turn();
  fake_pipe_end(fake_transport_last(&fixture.transport), -ECONNREFUSED);
  turn();
  assert_told(1, TS_CONNECTION_CONNECTING);
  assert_int_equal(last.error, 0); /* told once: the state is the same */
  assert_int_equal(ask().error, -ECONNREFUSED);
  assert_int_equal(ask().http_status, 0);
}

/* A project without breakers is live too. */
static void test_empty_project(void **state) {
  (void)state;
  fixture.options.metadata_sync_interval_ms = 30000;
  fixture_start_stream(&fixture);
  fixture_metadata(&fixture, "[]", "[]");
  turn();
  assert_told(told_count, TS_CONNECTION_LIVE);
  assert_int_equal(ask().last_event_age_ms, -1);
}

/* Without a key there is no stream to be told of. */
static void test_no_key(void **state) {
  (void)state;
  fixture.options.api_key = NULL;
  fixture_start(&fixture);
  fake_env_advance_ms(&fixture.env, 60000);
  assert_int_equal(told_count, 0);
  assert_int_equal(ask().state, TS_CONNECTION_NONE);
}

/* Nothing is told of the end; what was about to be told is not. */
static void test_shutdown(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  turn();
  fake_event(stream, "a", "closed", NULL);
  fixture_report(&fixture, 1);
  fixture_shutdown(&fixture, 5000);
  assert_int_equal(ask().state, TS_CONNECTION_NONE);
  turn();
  assert_int_equal(told_count, 1);
  fixture_answer(&fixture, 202);
}

/* The callback may close the client. */
static void test_close_inside(void **state) {
  (void)state;
  closes = true;
  fixture_start(&fixture);
  turn();
  turn();
  assert_int_equal(told_count, 1);
  assert_int_equal(fixture.close_count, 1);
}

/* A child's stream is not live because its parent's was. */
static void test_after_fork(void **state) {
  (void)state;
  struct uv_loop_s *loop = (struct uv_loop_s *)&fixture; /* only handed on */
  ts_connection_t connection = TS_CONNECTION_INIT;
  fake_event(fixture_start_stream(&fixture), "a", "closed", NULL);
  turn();
  assert_int_equal(ask().state, TS_CONNECTION_LIVE);
  fixture.env.env.fork.pid = 1; /* not ours */
  assert_int_equal(ts_client_connection(fixture.client, &connection),
                   TS_EFORKED);
  assert_int_equal(ts_client_after_fork(fixture.client, loop), 0);
  assert_int_equal(ask().state, TS_CONNECTION_CONNECTING);
  turn();
  assert_int_equal(last.state, TS_CONNECTION_CONNECTING);
  fixture.env.env.fork = (ts__fork_t){NULL, 0};
}

/* A structure of another size is refused; each state has a name. */
static void test_size_and_names(void **state) {
  (void)state;
  ts_connection_t connection = TS_CONNECTION_INIT;
  fixture_start(&fixture);
  assert_int_equal(ts_client_connection(NULL, &connection), TS__EINVAL);
  assert_int_equal(ts_client_connection(fixture.client, NULL), TS__EINVAL);
  connection.size--;
  assert_int_equal(ts_client_connection(fixture.client, &connection),
                   TS__EINVAL);
  assert_string_equal(ts_connection_state_name(TS_CONNECTION_NONE), "none");
  assert_string_equal(ts_connection_state_name(TS_CONNECTION_DENIED), "denied");
  assert_string_equal(ts_connection_state_name((ts_connection_state_t)9),
                      "unknown");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_live),           TEST(test_stale),
      TEST(test_stale_after),    TEST(test_never_stale),
      TEST(test_denied),         TEST(test_denied_and_stale),
      TEST(test_error),          TEST(test_empty_project),
      TEST(test_no_key),         TEST(test_shutdown),
      TEST(test_close_inside),   TEST(test_after_fork),
      TEST(test_size_and_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
