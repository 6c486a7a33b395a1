/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that serve one request after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/fixture.h"

#define ACCEPTED "HTTP/1.1 202 Accepted\r\n"

static fixture_t fixture;
static const fake_request_t *request; /* the last that was taken */

static int setup(void **state) {
  (void)state;
  fixture_init(&fixture);
  fixture.transport.keep_alive = true;
  fixture.options.batch_size = 10;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

static size_t opened(void) { return fake_transport_count(&fixture.transport); }

static size_t live(void) { return fake_transport_live(&fixture.transport); }

/* Only ingest: no stream, no polls. */
static void start(void) {
  fixture.options.api_key = NULL;
  fixture_start(&fixture);
  fake_env_turn(&fixture.env);
}

/* The pipe of the next complete request for this path that was not taken yet,
 * wherever it stands on the pipe; NULL if there is none. */
static fake_pipe_t *take(const char *path) {
  do {
    fake_env_turn(&fixture.env);
  } while (fake_transport_accept_all(&fixture.transport) > 0);
  for (size_t i = 0; i < opened(); i++) {
    fake_pipe_t *pipe = fake_transport_pipe(&fixture.transport, i);
    if (fake_pipe_is_live(pipe) &&
        (request = fake_pipe_take_request(pipe)) != NULL) {
      assert_non_null(strstr(request->target, path));
      return pipe;
    }
  }
  return NULL;
}

static fake_pipe_t *send_batch(void) {
  fixture_report(&fixture, 10);
  fake_pipe_t *pipe = take("/ingest");
  assert_non_null(pipe);
  return pipe;
}

/* A batch is delivered, and its pipe waits for the next. */
static fake_pipe_t *warm_up(void) {
  start();
  fake_pipe_t *pipe = send_batch();
  assert_true(fake_respond(pipe, ACCEPTED, NULL));
  assert_int_equal(live(), 1);
  return pipe;
}

/* ------------------------------------------------------------------ reuse */

/* The second batch goes out on the connection of the first, at once; nothing
 * asks the server to close it. */
static void test_second_batch(void **state) {
  (void)state;
  fake_pipe_t *pipe = warm_up();
  assert_null(fake_request_header(request, "connection"));
  assert_ptr_equal(send_batch(), pipe);
  assert_true(fake_respond(pipe, ACCEPTED, NULL));
  assert_int_equal(opened(), 1);
  assert_int_equal(fixture_stats(&fixture).delivered_samples, 20);
}

/* However the answer comes, one byte at a time too. */
static void test_split_answer(void **state) {
  (void)state;
  start();
  fake_pipe_t *pipe = send_batch();
  assert_true(fake_pipe_deliver_split(
      pipe,
      TS__STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
              "2;x=y\r\n{}\r\n0\r\nTrailer: t\r\n\r\n"),
      1));
  assert_ptr_equal(send_batch(), pipe);
  assert_true(fake_respond_status(pipe, 204));
  assert_ptr_equal(send_batch(), pipe);
}

/* Four requests at once take four connections, of which two are kept. */
static void test_two_are_kept(void **state) {
  fake_pipe_t *pipes[4];
  (void)state;
  start();
  fixture_report(&fixture, 40);
  for (size_t i = 0; i < 4; i++) {
    pipes[i] = take("/ingest");
    assert_non_null(pipes[i]);
  }
  assert_int_equal(opened(), 4);
  for (size_t i = 0; i < 4; i++) {
    fake_env_advance_ms(&fixture.env, 1);
    fake_respond(pipes[i], ACCEPTED, NULL);
  }
  assert_int_equal(live(), 2);
  assert_ptr_equal(send_batch(), pipes[3]); /* the one used last */
  assert_ptr_equal(send_batch(), pipes[2]);
  fixture_report(&fixture, 10);
  assert_non_null(take("/ingest"));
  assert_int_equal(opened(), 5);
}

/* Polls and batches share; the stream has a connection of its own, which ends
 * with it. */
static void test_polls_share(void **state) {
  (void)state;
  fixture.options.metadata_sync_interval_ms = 1000;
  fixture_start(&fixture);
  fake_pipe_t *stream = take("/breakers/state:stream");
  assert_string_equal(fake_request_header(request, "connection"), "close");
  assert_true(fake_respond_stream_head(stream, FAKE_STREAM_CHUNKED));
  fake_pipe_t *pipe = take("/breakers/metadata");
  assert_non_null(pipe);
  fake_respond(pipe, "HTTP/1.1 200 OK\r\nETag: \"e\"\r\n", "{\"breakers\":[]}");
  assert_ptr_equal(take("/routers/metadata"), pipe);
  fake_respond(pipe, "HTTP/1.1 200 OK\r\n", "{\"routers\":[]}");
  assert_ptr_equal(send_batch(), pipe);
  fake_respond(pipe, ACCEPTED, NULL);
  fake_env_advance_ms(&fixture.env, 1000);
  assert_ptr_equal(take("/breakers/metadata"), pipe);
  fake_respond_status(pipe, 304);
  assert_ptr_equal(take("/routers/metadata"), pipe);
  assert_int_equal(opened(), 2);
  fake_stream_end(stream);
  assert_int_equal(live(), 1);
}

/* An idle connection does not keep the loop alive, and is closed before the
 * server forgets it. */
static void test_idle_limit(void **state) {
  (void)state;
  fake_pipe_t *pipe = warm_up();
  fake_env_turn(&fixture.env);
  assert_false(fixture.env.held);
  fake_env_advance_ms(&fixture.env, 29999);
  assert_true(fake_pipe_is_live(pipe));
  fake_env_advance_ms(&fixture.env, 1);
  assert_false(fake_pipe_is_live(pipe));
  assert_ptr_not_equal(send_batch(), pipe);
}

/* --------------------------------------------------------------- no reuse */

/* Whatever leaves a doubt closes the connection; the answer counts. */
static void test_not_kept(void **state) {
  static const char *const answers[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Foo, CLOSE\r\n\r\n",
      "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore",
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 500 No\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n0",
  };
  (void)state;
  start();
  for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
    assert_false(fake_pipe_deliver_text(send_batch(), answers[i]));
    assert_int_equal(live(), 0);
    assert_int_equal(fixture_stats(&fixture).delivered_samples, 10 * (i + 1));
  }
}

/* A body that ends with its connection is complete, and leaves none. */
static void test_until_close(void **state) {
  (void)state;
  start();
  fake_pipe_t *pipe = send_batch();
  assert_true(fake_pipe_deliver_text(pipe, "HTTP/1.1 200 OK\r\n\r\n{}"));
  fake_pipe_end(pipe, 0);
  assert_int_equal(fixture_stats(&fixture).delivered_samples, 10);
  assert_ptr_not_equal(send_batch(), pipe);
}

/* After an error answer, which may have come before the server read the
 * request, the next request has a new connection. */
static void test_error_status(void **state) {
  static const int statuses[] = {400, 413, 429, 500, 503};
  (void)state;
  fixture.options.retry_backoff_ms = (const int64_t[]){0};
  fixture.options.retry_backoff_count = 0;
  start();
  for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
    assert_false(fake_respond_status(send_batch(), statuses[i]));
    fake_env_advance_ms(&fixture.env, 60000);
    for (fake_pipe_t *half = NULL; (half = take("/ingest")) != NULL;) {
      assert_false(fake_respond_status(half, 400)); /* of the 413 */
    }
  }
  assert_int_equal(live(), 0);
}

/* Bytes that nobody asked for end an idle connection. */
static void test_unsolicited(void **state) {
  (void)state;
  fake_pipe_t *pipe = warm_up();
  assert_false(
      fake_pipe_deliver_text(pipe, "HTTP/1.1 408 Request Timeout\r\n\r\n"));
  assert_ptr_not_equal(send_batch(), pipe);
}

/* A server that ends an idle connection is nothing to speak of. */
static void test_ended_while_idle(void **state) {
  static const int errors[] = {0, TS__ECONNRESET};
  (void)state;
  fake_pipe_t *pipe = warm_up();
  for (size_t i = 0; i < 2; i++) {
    fake_pipe_end(pipe, errors[i]);
    pipe = send_batch();
    assert_true(fake_respond(pipe, ACCEPTED, NULL));
  }
  assert_int_equal(opened(), 3);
  assert_int_equal(fixture.log_counts[TS_LOG_WARN], 1); /* it is unsigned */
}

/* ------------------------------------------------------------------ stale */

/* The server ended the connection as our request went out: it goes out again on
 * a new one, at once, and this is no failed attempt. */
static void test_stale(void **state) {
  static const int errors[] = {0, TS__ECONNRESET, TS__EPIPE};
  (void)state;
  fake_pipe_t *pipe = warm_up();
  for (size_t i = 0; i < 3; i++) {
    assert_ptr_equal(send_batch(), pipe);
    char *body = request->body;
    const size_t len = request->body_len;
    fake_pipe_end(pipe, errors[i]);
    pipe = take("/ingest");
    assert_non_null(pipe);
    assert_int_equal(opened(), 2 + i);
    assert_int_equal(request->body_len, len);
    assert_memory_equal(request->body, body, len);
    assert_true(fake_respond(pipe, ACCEPTED, NULL));
  }
  assert_int_equal(fixture_stats(&fixture).delivered_samples, 40);
  assert_int_equal(fixture_stats(&fixture).flush_failures, 0);
}

/* Once: when the new connection ends too, it is a failed attempt like any. */
static void test_stale_once(void **state) {
  (void)state;
  fake_pipe_t *pipe = warm_up();
  send_batch();
  fake_pipe_end(pipe, 0);
  pipe = take("/ingest");
  assert_non_null(pipe);
  fake_pipe_end(pipe, 0);
  assert_null(take("/ingest"));
  fake_env_advance_ms(&fixture.env, 120);
  pipe = take("/ingest");
  assert_non_null(pipe);
  assert_int_equal(opened(), 3);
  fake_respond(pipe, ACCEPTED, NULL);
  assert_int_equal(fixture_stats(&fixture).delivered_samples, 20);
}

/* An attempt on which something was answered is not repeated at once. */
static void test_cut_answer(void **state) {
  (void)state;
  fake_pipe_t *pipe = warm_up();
  send_batch();
  fake_pipe_deliver_text(pipe, "H");
  fake_pipe_end(pipe, TS__ECONNRESET);
  assert_null(take("/ingest"));
  fake_env_advance_ms(&fixture.env, 120);
  assert_non_null(take("/ingest"));
}

/* Nor one that got no answer in time: silence is no proof of a stale one. */
static void test_silent(void **state) {
  (void)state;
  fixture.options.http_timeout_ms = 500;
  fake_pipe_t *pipe = warm_up();
  send_batch();
  fake_env_advance_ms(&fixture.env, 500);
  assert_false(fake_pipe_is_live(pipe));
  assert_null(take("/ingest"));
  fake_env_advance_ms(&fixture.env, 120);
  assert_non_null(take("/ingest"));
}

/* A pipe that refuses the write is replaced before anybody notices. */
static void test_write_fails(void **state) {
  (void)state;
  fake_pipe_t *pipe = warm_up();
  fake_pipe_fail_write(pipe, TS__EPIPE);
  fake_pipe_t *next = send_batch();
  assert_ptr_not_equal(next, pipe);
  assert_false(fake_pipe_is_live(pipe));
  assert_true(fake_respond(next, ACCEPTED, NULL));
}

/* No new connection to be had: a failed attempt, with its retry. */
static void test_stale_and_no_new_one(void **state) {
  (void)state;
  fake_pipe_t *pipe = warm_up();
  send_batch();
  fake_transport_fail_open(&fixture.transport, TS__ENOMEM, 1);
  fake_pipe_end(pipe, 0);
  assert_null(take("/ingest"));
  fake_env_advance_ms(&fixture.env, 120);
  pipe = take("/ingest");
  assert_non_null(pipe);
  fake_respond(pipe, ACCEPTED, NULL);
  assert_int_equal(fixture_stats(&fixture).delivered_samples, 20);
}

/* The new connection has its own time to connect, within the request's. */
static void test_stale_limits(void **state) {
  (void)state;
  fixture.options.connect_timeout_ms = 200;
  fixture.options.http_timeout_ms = 500;
  fake_pipe_t *pipe = warm_up();
  send_batch();
  fake_env_advance_ms(&fixture.env, 400);
  fake_pipe_end(pipe, 0);
  pipe = fake_transport_last(&fixture.transport);
  fake_env_advance_ms(&fixture.env, 99);
  assert_true(fake_pipe_is_live(pipe));
  fake_env_advance_ms(&fixture.env, 1);
  assert_false(fake_pipe_is_live(pipe));
}

/* ---------------------------------------------------------------- closing */

/* Draining uses the connections there are, and leaves none. */
static void test_drain(void **state) {
  (void)state;
  fake_pipe_t *pipe = warm_up();
  fixture_report(&fixture, 3);
  fixture_shutdown(&fixture, 1000);
  assert_ptr_equal(take("/ingest"), pipe);
  fake_respond(pipe, ACCEPTED, NULL);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.close_count, 1);
  assert_int_equal(fixture.close_status, 0);
  assert_int_equal(live(), 0);
}

/* Closed in the middle of a request on a used connection. */
static void test_close_in_flight(void **state) {
  (void)state;
  warm_up();
  send_batch();
  fixture_shutdown(&fixture, 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.close_count, 1);
  assert_int_equal(live(), 0);
  fixture_check_books(&fixture, 20);
}

static void on_flush_close(ts_client_t *client, int status, void *arg) {
  (void)client;
  (void)arg;
  assert_int_equal(status, 0);
  fixture_shutdown(&fixture, 0);
}

/* Closed inside the callback that the answer brings about, when its connection
 * has just become idle. */
static void test_close_inside_callback(void **state) {
  (void)state;
  fake_pipe_t *pipe = warm_up();
  fixture_report(&fixture, 1);
  assert_int_equal(ts_client_flush(fixture.client, 0, on_flush_close, &fixture),
                   0);
  assert_ptr_equal(take("/ingest"), pipe);
  fake_respond(pipe, ACCEPTED, NULL);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.close_count, 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_second_batch),    TEST(test_split_answer),
      TEST(test_two_are_kept),    TEST(test_polls_share),
      TEST(test_idle_limit),      TEST(test_not_kept),
      TEST(test_until_close),     TEST(test_error_status),
      TEST(test_unsolicited),     TEST(test_ended_while_idle),
      TEST(test_stale),           TEST(test_stale_once),
      TEST(test_cut_answer),      TEST(test_silent),
      TEST(test_write_fails),     TEST(test_stale_and_no_new_one),
      TEST(test_stale_limits),    TEST(test_drain),
      TEST(test_close_in_flight), TEST(test_close_inside_callback),
  };
#undef TEST
  return cmocka_run_group_tests(tests, NULL, NULL);
}
