/* SPDX-License-Identifier: Apache-2.0 */
/* One batch and the service: what is sent, and what each answer leads to. */
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

#define MAX_ATTEMPTS 32

/* A server that answers attempt after attempt as told; 202 beyond the last. */
typedef struct script_s {
  int statuses[MAX_ATTEMPTS]; /* 0: the connection is reset */
  const char *headers;        /* of every answer, or NULL */
  const char *body;           /* of every answer, or NULL */
  size_t refuse;              /* first connections that are refused */
  size_t largest;             /* more samples than this: 413; 0: no limit */
  int64_t at_ms[MAX_ATTEMPTS];
  size_t attempts;
} script_t;

static fixture_t fixture;
static fake_server_t server;
static script_t script;

static void on_open(void *arg, fake_pipe_t *pipe) {
  (void)arg;
  if (script.refuse > 0) {
    script.refuse--;
    fake_pipe_end(pipe, -ECONNREFUSED);
  } else {
    fake_pipe_accept(pipe);
  }
}

static size_t samples_in(const fake_request_t *request) {
  return fixture_sample_count(request->body);
}

static void on_request(void *arg, fake_pipe_t *pipe,
                       const fake_request_t *request) {
  char head[256];
  (void)arg;
  assert_in_range(script.attempts, 0, MAX_ATTEMPTS - 1);
  int status = script.statuses[script.attempts];
  script.at_ms[script.attempts++] = fake_env_elapsed_ms(&fixture.env);
  if (script.attempts > 1 && status == 0) {
    status = 202;
  }
  if (script.largest > 0) {
    status = samples_in(request) > script.largest ? 413 : 202;
  }
  snprintf(head, sizeof head, "HTTP/1.1 %d Status\r\n%s", status,
           script.headers != NULL ? script.headers : "");
  fake_respond(pipe, head, script.body);
}

static int setup(void **state) {
  (void)state;
  fixture_init(&fixture);
  fixture.options.api_key = NULL;
  fixture.options.gzip = false;
  script = (script_t){{202}, NULL, NULL, 0, 0, {0}, 0};
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

/* Start against the script. */
static void start_served(void) {
  fake_server_init(&server, &fixture.transport, NULL);
  server.on_open = on_open;
  server.on_request = on_request;
  fixture_start(&fixture);
}

/* Send so many samples, and let a minute pass. */
static ts_stats_t send_samples(size_t count) {
  fixture_report(&fixture, count);
  assert_int_equal(ts_client_flush(fixture.client, 0, NULL, NULL), 0);
  fake_env_advance_ms(&fixture.env, 60000);
  fixture_check_books(&fixture, fixture_stats(&fixture).delivered_samples +
                                    fixture_stats(&fixture).dropped_samples);
  return fixture_stats(&fixture);
}

/* The attempts came at these moments after the first. */
static void assert_times(const int64_t *ms, size_t count) {
  assert_int_equal(script.attempts, count);
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(script.at_ms[i] - script.at_ms[0], ms[i]);
  }
}

/* Send one sample and take the request it comes in. */
static fixture_batch_t one_request(void) {
  fixture_batch_t batch;
  fixture_start(&fixture);
  fixture_report(&fixture, 1);
  assert_int_equal(ts_client_flush(fixture.client, 0, NULL, NULL), 0);
  assert_true(fixture_take_batch(&fixture, &batch));
  return batch;
}

static void accept_request(const fixture_batch_t *batch) {
  free(batch->json);
  fake_respond_status(batch->pipe, 202);
}

static const char *header(const fixture_batch_t *batch, const char *name) {
  return fake_request_header(batch->request, name);
}

static void assert_signed(const fixture_batch_t *batch) {
  const ts__str_t body = {batch->request->body, batch->request->body_len};
  unsigned char key[TS__SECRET_BYTES];
  char expected[TS__SIGNATURE_LEN + 1];
  assert_true(ts__secret_decode(key, TS__STR(FIXTURE_SECRET)));
  ts__sign(expected, key, ts__str(header(batch, "X-EB-Timestamp")), body);
  assert_string_equal(header(batch, "X-EB-Signature"), expected);
}

/* without a secret a batch has a timestamp and no signature. */
static void test_unsigned(void **state) {
  (void)state;
  const fixture_batch_t batch = one_request();
  assert_string_equal(header(&batch, "X-EB-Timestamp"), "1700000000000");
  assert_null(header(&batch, "X-EB-Signature"));
  accept_request(&batch);
}

/* a batch is a POST of JSON, signed over the bytes on the wire. */
static void test_signed(void **state) {
  (void)state;
  fixture.options.ingest_secret = FIXTURE_SECRET;
  const fixture_batch_t batch = one_request();
  assert_string_equal(batch.request->method, "POST");
  assert_string_equal(batch.request->target, "/v1/projects/p1/ingest");
  assert_string_equal(header(&batch, "Content-Type"), "application/json");
  assert_signed(&batch);
  accept_request(&batch);
}

/* compressed, the header says so and the signature covers what is sent;
 * otherwise there is no such header. */
static void test_compression(void **state) {
  (void)state;
  fixture.options.ingest_secret = FIXTURE_SECRET;
  fixture.options.gzip = true;
  const fixture_batch_t batch = one_request();
  assert_string_equal(header(&batch, "Content-Encoding"), "gzip");
  assert_int_equal((unsigned char)batch.request->body[0], 0x1f);
  assert_int_equal(fixture_sample_count(batch.json), 1);
  assert_signed(&batch);
  accept_request(&batch);
}

/* the other half, and A-139: the project key does not go to ingest. */
static void test_plain_headers(void **state) {
  (void)state;
  fixture.options.api_key = "eb_pk_1";
  const fixture_batch_t batch = one_request();
  assert_null(header(&batch, "Content-Encoding"));
  assert_null(header(&batch, "Authorization"));
  assert_null(strstr(fake_pipe_written(batch.pipe), "eb_pk_1"));
  accept_request(&batch);
}

/* a failed attempt followed by a good one lost nothing. */
static void test_retry_succeeds(void **state) {
  (void)state;
  script.statuses[0] = 500;
  start_served();
  const ts_stats_t stats = send_samples(3);
  assert_int_equal(script.attempts, 2);
  assert_int_equal(stats.delivered_samples, 3);
  assert_int_equal(stats.dropped_samples, 0);
  assert_int_equal(stats.flush_failures, 0);
}

static void fail_always(int status) {
  for (size_t i = 0; i < MAX_ATTEMPTS; i++) {
    script.statuses[i] = status;
  }
}

/* four attempts on the schedule, then the batch is given up, once. */
static void test_retries_are_exhausted(void **state) {
  (void)state;
  static const int64_t times[] = {0, 100, 500, 1500};
  fail_always(500);
  start_served();
  const ts_stats_t stats = send_samples(3);
  assert_times(times, 4);
  assert_int_equal(stats.dropped_samples, 3);
  assert_int_equal(stats.flush_failures, 1);
  assert_int_equal(fixture.log_counts[TS_LOG_ERROR], 1);
}

/* each attempt is stamped and signed anew. */
static void test_retry_is_signed_anew(void **state) {
  (void)state;
  char first[TS__SIGNATURE_LEN + 1];
  fixture_batch_t again;
  fixture.options.ingest_secret = FIXTURE_SECRET;
  const fixture_batch_t batch = one_request();
  strcpy(first, header(&batch, "X-EB-Signature"));
  free(batch.json);
  fake_respond_status(batch.pipe, 500);
  fake_env_advance_ms(&fixture.env, 100);
  assert_true(fixture_take_batch(&fixture, &again));
  assert_string_equal(header(&again, "X-EB-Timestamp"), "1700000000100");
  assert_string_not_equal(header(&again, "X-EB-Signature"), first);
  assert_signed(&again);
  accept_request(&again);
}

/* a refusal is final for its batch, and for no other. */
static void test_refusals(void **state) {
  static const int statuses[] = {400, 401, 403, 404, 409, 415, 422, 302, 418};
  const size_t count = sizeof statuses / sizeof statuses[0];
  (void)state;
  memcpy(script.statuses, statuses, sizeof statuses);
  start_served();
  for (size_t i = 0; i < count; i++) {
    const ts_stats_t stats = send_samples(2);
    assert_int_equal(script.attempts, i + 1);
    assert_int_equal(stats.dropped_samples, 2 * (i + 1));
    assert_int_equal(stats.flush_failures, i + 1);
  }
  assert_int_equal(send_samples(2).delivered_samples, 2);
}

/* a complaint about the time of a sample hints at the clock. */
static void test_clock_hint(void **state) {
  (void)state;
  script.statuses[0] = 422;
  script.body = "{\"code\":\"ts_ms_in_future\"}";
  start_served();
  send_samples(1);
  assert_true(fixture_logged(&fixture, "ts_ms_in_future"));
  assert_true(fixture_logged(&fixture, "clock"));
}

/* a Retry-After stops all sending until then, and costs nothing. */
static void test_retry_after(void **state) {
  (void)state;
  script.statuses[0] = 429;
  script.headers = "Retry-After: 2\r\n";
  start_served();
  fixture_report(&fixture, 500);
  fake_env_advance_ms(&fixture.env, 500);
  fixture_report(&fixture, 500);
  fake_env_advance_ms(&fixture.env, 1499);
  assert_int_equal(script.attempts, 1);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(script.attempts, 3);
  assert_int_equal(fixture_stats(&fixture).delivered_samples, 1000);
  assert_int_equal(fixture_stats(&fixture).dropped_samples, 0);
}

/* of two answers at once, the one that asks for more time rules. */
static void test_longest_retry_after(void **state) {
  (void)state;
  fixture_batch_t batches[2];
  fixture_start(&fixture);
  fixture_report(&fixture, 1000);
  for (int i = 0; i < 2; i++) {
    assert_true(fixture_take_batch(&fixture, &batches[i]));
    free(batches[i].json);
  }
  fake_respond(batches[0].pipe, "HTTP/1.1 429 No\r\nRetry-After: 20\r\n", NULL);
  fake_respond(batches[1].pipe, "HTTP/1.1 429 No\r\nRetry-After: 2\r\n", NULL);
  fake_env_advance_ms(&fixture.env, 19999);
  assert_null(fixture_find(&fixture, "/ingest"));
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(fixture_answer_all(&fixture, 202), 1000);
}

/* a 429 that names no time is retried on the schedule. */
static void test_rate_limit_without_time(void **state) {
  (void)state;
  static const int64_t times[] = {0, 100, 500, 1500};
  fail_always(429);
  start_served();
  send_samples(1);
  assert_times(times, 4);
}

/* The statuses that may be better later are retried, like a reset. */
static void test_temporary_statuses(void **state) {
  static const int statuses[] = {408, 425, 500, 502, 503, 504, 599};
  (void)state;
  start_served();
  for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
    script.attempts = 0;
    script.statuses[0] = statuses[i];
    assert_int_equal(send_samples(1).delivered_samples, i + 1);
    assert_int_equal(script.attempts, 2);
  }
}

/* a batch found too large is delivered as two halves. */
static void test_split(void **state) {
  (void)state;
  script.largest = 250;
  start_served();
  const ts_stats_t stats = send_samples(500);
  assert_int_equal(script.attempts, 3);
  assert_int_equal(stats.delivered_samples, 500);
  assert_int_equal(stats.dropped_samples, 0);
  assert_int_equal(stats.flush_failures, 0);
}

/* halves are halved again, down to the sample that cannot be sent. */
static void test_split_to_the_last(void **state) {
  (void)state;
  fail_always(413);
  start_served();
  const ts_stats_t stats = send_samples(7);
  assert_int_equal(script.attempts, 13);
  assert_int_equal(stats.dropped_samples, 7);
  assert_int_equal(stats.flush_failures, 7);
}

static void report_named(const char *metric, size_t count) {
  ts_report_t report = TS_REPORT_INIT;
  report.router = "r1";
  report.metric = metric;
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(ts_report(fixture.client, &report), 0);
  }
}

/* Take the next request, and say whether it has samples of this name. */
static bool take_named(fixture_batch_t *batch, const char *metric) {
  assert_true(fixture_take_batch(&fixture, batch));
  const bool named = strstr(batch->json, metric) != NULL;
  free(batch->json);
  return named;
}

static void on_flush(ts_client_t *client, int status, void *arg) {
  (void)client;
  (void)status;
  *(bool *)arg = true;
}

/* A flush waits for its halves too, also for one that no request took yet. */
static void test_flush_waits_for_halves(void **state) {
  (void)state;
  fixture_batch_t batch[4];
  bool flushed = false;
  fixture_start(&fixture);
  report_named("early", 500);
  assert_int_equal(ts_client_flush(fixture.client, 0, on_flush, &flushed), 0);
  report_named("late", 1500);
  for (int i = 0; i < 4; i++) {
    assert_int_equal(take_named(&batch[i], "early"), i == 0);
  }
  fake_respond_status(batch[1].pipe, 413);
  fake_respond_status(batch[0].pipe, 413);
  /* The first halves are sent again, the second ones wait for a request. */
  assert_true(take_named(&batch[0], "early"));
  fake_respond_status(batch[0].pipe, 202);
  fake_env_turn(&fixture.env);
  assert_false(flushed);
  fake_respond_status(batch[2].pipe, 202);
  assert_int_equal(fixture_answer_all(&fixture, 202), 750);
  assert_true(flushed);
}

/* a server that comes up meanwhile gets the batch from a retry. */
static void test_refused_then_up(void **state) {
  (void)state;
  script.refuse = 3;
  start_served();
  const ts_stats_t stats = send_samples(5);
  assert_int_equal(stats.delivered_samples, 5);
  assert_int_equal(stats.flush_failures, 0);
  assert_int_equal(fake_transport_count(&fixture.transport), 4);
}

/* any 2xx is a delivery, whatever its body. */
static void test_every_2xx(void **state) {
  static const int statuses[] = {200, 201, 204, 202, 299};
  (void)state;
  memcpy(script.statuses, statuses, sizeof statuses);
  start_served();
  for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
    assert_int_equal(send_samples(1).delivered_samples, i + 1);
  }
  assert_int_equal(script.attempts, sizeof statuses / sizeof statuses[0]);
}

/* An answer that counts fewer samples is a warning; one that is no JSON is
 * not. */
static void test_accepted_fewer(void **state) {
  (void)state;
  script.body = "{\"accepted\":1}";
  start_served();
  assert_int_equal(send_samples(3).delivered_samples, 3);
  assert_true(fixture_logged(&fixture, "accepted=1"));
  script.body = "thank you";
  assert_int_equal(send_samples(3).delivered_samples, 6);
}

/* An answer that never ends has the same limit. */
static void test_dripping_server(void **state) {
  (void)state;
  const fixture_batch_t batch = one_request();
  free(batch.json);
  fake_pipe_deliver_text(batch.pipe, "HTTP/1.1 202 OK\r\n"
                                     "Content-Length: 100\r\n\r\n");
  for (int i = 0; i < 29; i++) {
    fake_env_advance_ms(&fixture.env, 1000);
    assert_true(fake_pipe_deliver_text(batch.pipe, "x"));
  }
  fake_env_advance_ms(&fixture.env, 1000);
  assert_false(fake_pipe_is_live(batch.pipe));
  fake_env_advance_ms(&fixture.env, 100);
  assert_int_equal(fixture_answer(&fixture, 202), 1);
}

/* A connection that breaks while the request is written is retried, be it at
 * the head or at the body. */
static void test_write_fails(void **state) {
  (void)state;
  fixture_start(&fixture);
  for (int written = 0; written < 2; written++) {
    fixture_report(&fixture, 2);
    assert_int_equal(ts_client_flush(fixture.client, 0, NULL, NULL), 0);
    fake_env_turn(&fixture.env);
    fake_pipe_t *pipe = fake_transport_last(&fixture.transport);
    assert_true(fake_pipe_accept(pipe));
    for (int i = 0; i < written; i++) {
      fake_env_step(&fixture.env);
    }
    assert_int_equal(fake_pipe_written(pipe)[0] != '\0', written);
    fake_pipe_fail_write(pipe, TS__EPIPE);
    fake_env_turn(&fixture.env);
    assert_false(fake_pipe_is_live(pipe));
    fake_env_advance_ms(&fixture.env, 100);
    assert_int_equal(fixture_answer(&fixture, 202), 2);
  }
}

/* A long body is written a piece a turn; an answer that comes before its end
 * ends the writing, and the connection, which could carry no other request. */
static void test_answer_before_the_end(void **state) {
  (void)state;
  fixture.options.gzip = false;
  fixture.transport.keep_alive = true;
  fixture_start(&fixture);
  fixture_report(&fixture, 500);
  fake_env_turn(&fixture.env);
  fake_pipe_t *pipe = fake_transport_last(&fixture.transport);
  assert_true(fake_pipe_accept(pipe));
  fake_env_step(&fixture.env);
  fake_env_step(&fixture.env);
  const size_t written = strlen(fake_pipe_written(pipe));
  assert_in_range(written, 16384, 17000);
  fake_pipe_deliver_text(pipe, "HTTP/1.1 202 Yes\r\nContent-Length: 0\r\n\r\n");
  fake_env_turn(&fixture.env);
  assert_false(fake_pipe_is_live(pipe));
  assert_int_equal(strlen(fake_pipe_written(pipe)), written);
  assert_int_equal(fixture_stats(&fixture).delivered_samples, 500);
}

/* What a server says before it was asked anything is no answer. */
static void test_answer_before_the_request(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_report(&fixture, 1);
  assert_int_equal(ts_client_flush(fixture.client, 0, NULL, NULL), 0);
  fake_env_turn(&fixture.env);
  fake_pipe_t *pipe = fake_transport_last(&fixture.transport);
  assert_true(fake_pipe_accept(pipe));
  assert_false(fake_pipe_deliver_text(pipe, "HTTP/1.1 202 Yes\r\n\r\n"));
  assert_int_equal(fixture_stats(&fixture).delivered_samples, 0);
  fake_env_advance_ms(&fixture.env, 120);
  assert_int_equal(fixture_answer(&fixture, 202), 1);
}

/* An attempt that nobody answers ends at its limit, and is retried. */
static void test_silent_server(void **state) {
  (void)state;
  const fixture_batch_t batch = one_request();
  free(batch.json);
  fake_env_advance_ms(&fixture.env, 30000);
  assert_false(fake_pipe_is_live(batch.pipe));
  fake_env_advance_ms(&fixture.env, 100);
  assert_int_equal(fixture_answer(&fixture, 202), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_unsigned),
      TEST(test_signed),
      TEST(test_compression),
      TEST(test_plain_headers),
      TEST(test_retry_succeeds),
      TEST(test_retries_are_exhausted),
      TEST(test_retry_is_signed_anew),
      TEST(test_refusals),
      TEST(test_clock_hint),
      TEST(test_retry_after),
      TEST(test_longest_retry_after),
      TEST(test_rate_limit_without_time),
      TEST(test_temporary_statuses),
      TEST(test_split),
      TEST(test_split_to_the_last),
      TEST(test_flush_waits_for_halves),
      TEST(test_refused_then_up),
      TEST(test_every_2xx),
      TEST(test_accepted_fewer),
      TEST(test_dripping_server),
      TEST(test_write_fails),
      TEST(test_answer_before_the_end),
      TEST(test_answer_before_the_request),
      TEST(test_silent_server),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
