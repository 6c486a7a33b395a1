/* SPDX-License-Identifier: Apache-2.0 */
/* From ts_report to the batches: what is taken, when it goes, what is full. */
#include <math.h>
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

#define STAMP "1700000000000" /* FAKE_ENV_START_WALL_MS */

static fixture_t fixture;

/* Reporting alone needs no key, so no stream is in the way. */
static int setup(void **state) {
  (void)state;
  fixture_init(&fixture);
  fixture.options.api_key = NULL;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

static ts_report_t plain_report(void) {
  ts_report_t report = TS_REPORT_INIT;
  report.router = "r1";
  report.metric = "m";
  return report;
}

/* Report one sample and give the body it is sent in; to be freed. */
static char *body_of(const ts_report_t *report) {
  assert_int_equal(ts_report(fixture.client, report), 0);
  return fixture_deliver(&fixture);
}

/* Ingest requests that were written so far. */
static size_t request_count(void) {
  do { /* a request is written over some turns */
    fake_env_turn(&fixture.env);
  } while (fake_transport_accept_all(&fixture.transport) > 0);
  return fixture_count(&fixture, "/ingest");
}

/* every field of a report reaches the wire, in a fixed order. */
static void test_all_fields(void **state) {
  (void)state;
  const ts_tag_t tag = {"endpoint", "/users"};
  ts_report_t report = plain_report();
  report.metric = "api.latency_ms";
  report.value = 245.5;
  report.ok = false;
  report.trace_id = "abc123";
  report.tags = &tag;
  report.tag_count = 1;
  fixture_start(&fixture);
  char *body = body_of(&report);
  assert_string_equal(
      body, "{\"samples\":[{\"router_id\":\"r1\",\"metric\":\"api.latency_ms\","
            "\"ts_ms\":" STAMP ",\"value\":245.5,\"ok\":false,"
            "\"tags\":{\"endpoint\":\"/users\"},\"trace_id\":\"abc123\"}]}");
  free(body);
}

/* a report carries the global tags too, and its own win. */
static void test_global_tags(void **state) {
  (void)state;
  const ts_tag_t globals[] = {{"env", "prod"}, {"region", "eu"}};
  const ts_tag_t own = {"region", "us"};
  ts_report_t report = plain_report();
  report.tags = &own;
  report.tag_count = 1;
  fixture.options.global_tags = globals;
  fixture.options.global_tag_count = 2;
  fixture_start(&fixture);
  char *body = body_of(&report);
  assert_non_null(
      strstr(body, "\"tags\":{\"env\":\"prod\",\"region\":\"us\"}"));
  free(body);
}

static void assert_invalid(const ts_report_t *report) {
  const int warnings = fixture.log_counts[TS_LOG_WARN];
  assert_int_equal(ts_report(fixture.client, report), TS__EINVAL);
  assert_int_equal(fixture.log_counts[TS_LOG_WARN], warnings + 1);
  fixture_check_books(&fixture, 0);
}

/* a report without router or metric is refused, and is no sample. */
static void test_missing_strings(void **state) {
  (void)state;
  ts_report_t report = plain_report();
  fixture_start(&fixture);
  report.router = "";
  assert_invalid(&report);
  report.router = NULL;
  assert_invalid(&report);
  report = plain_report();
  report.metric = "";
  assert_invalid(&report);
  report = plain_report();
  report.value = NAN;
  assert_invalid(&report);
  report.value = -INFINITY;
  assert_invalid(&report);
}

/* a report that says nothing more is a success of value 0. */
static void test_defaults(void **state) {
  (void)state;
  const ts_report_t report = plain_report();
  fixture_start(&fixture);
  char *body = body_of(&report);
  assert_non_null(strstr(body, "\"value\":0,\"ok\":true}]}"));
  free(body);
}

/* the 500th sample sends the batch, and no earlier one does. */
static void test_size_trigger(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_report(&fixture, 499);
  fake_env_advance_ms(&fixture.env, 14999);
  assert_int_equal(request_count(), 0);
  fixture_report(&fixture, 1);
  assert_int_equal(request_count(), 1);
  assert_int_equal(fixture_answer(&fixture, 202), 500);
}

/* a single sample goes out after the interval. */
static void test_interval_trigger(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_report(&fixture, 1);
  fake_env_advance_ms(&fixture.env, 14999);
  assert_int_equal(request_count(), 0);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(request_count(), 1);
  assert_int_equal(fixture_answer(&fixture, 202), 1);
}

/* steady samples do not push the timer away: each is asked for within
 * the interval. */
static void test_interval_does_not_restart(void **state) {
  (void)state;
  size_t sent = 0;
  fixture_start(&fixture);
  for (size_t i = 1; i <= 12; i++) {
    fixture_report(&fixture, 1);
    fake_env_advance_ms(&fixture.env, 5000);
    sent += fixture_answer_all(&fixture, 202);
    /* All but those of the last 15 s. */
    assert_true(sent + 3 > i);
  }
}

/* Fill four requests nobody answers, and then the whole buffer. */
static void fill_up(void) {
  fixture_start(&fixture);
  fixture_report(&fixture, 4 * 500);
  assert_int_equal(request_count(), 4);
  fixture_report(&fixture, 10000);
  assert_int_equal(fixture_stats(&fixture).buffer_size, 10000);
}

/* a full buffer refuses the new sample and keeps the older ones. */
static void test_full_buffer(void **state) {
  (void)state;
  fixture_batch_t batch;
  ts_report_t late = plain_report();
  late.metric = "too-late";
  fill_up();
  assert_int_equal(ts_report(fixture.client, &late), TS__ENOBUFS);
  assert_int_equal(fixture_stats(&fixture).dropped_samples, 1);
  fixture_check_books(&fixture, 12001);
  while (fixture_take_batch(&fixture, &batch)) {
    assert_null(strstr(batch.json, "too-late"));
    free(batch.json);
    fake_respond_status(batch.pipe, 202);
  }
  assert_int_equal(fixture_stats(&fixture).delivered_samples, 12000);
}

/* once there is room again, samples are taken again. */
static void test_room_again(void **state) {
  (void)state;
  const ts_report_t report = plain_report();
  fill_up();
  assert_int_equal(ts_report(fixture.client, &report), TS__ENOBUFS);
  assert_int_equal(fixture_answer(&fixture, 202), 500);
  assert_int_equal(ts_report(fixture.client, &report), 0);
  fixture_answer_all(&fixture, 202);
  fixture_check_books(&fixture, 12002);
  assert_int_equal(fixture_stats(&fixture).dropped_samples, 1);
}

static void on_flush(ts_client_t *client, int status, void *arg) {
  (void)client;
  *(int *)arg = status;
}

/* a flush sends everything, in requests of at most 500. */
static void test_flush_in_batches(void **state) {
  (void)state;
  int status = 1;
  size_t total = 0;
  size_t count = 0;
  fixture_start(&fixture);
  fixture_report(&fixture, 1700);
  assert_int_equal(ts_client_flush(fixture.client, 0, on_flush, &status), 0);
  while ((count = fixture_answer(&fixture, 202)) > 0) {
    assert_in_range(count, 1, 500);
    assert_int_equal(status, total + count == 1700 ? 0 : 1);
    total += count;
  }
  assert_int_equal(total, 1700);
  assert_int_equal(fixture_stats(&fixture).delivered_samples, 1700);
}

/* against a silent server at most four requests are open, and samples
 * are taken all the same. */
static void test_bounded_in_flight(void **state) {
  (void)state;
  fixture_start(&fixture);
  for (int i = 0; i < 50; i++) {
    fixture_report(&fixture, 100);
    fake_env_advance_ms(&fixture.env, 100);
    assert_true(fake_transport_live(&fixture.transport) <= 4);
  }
  assert_int_equal(request_count(), 4);
  assert_int_equal(fixture_stats(&fixture).in_flight_samples, 2000);
  assert_int_equal(fixture_stats(&fixture).buffer_size, 3000);
}

/* What was reported before the start goes out after it. */
static void test_before_the_start(void **state) {
  (void)state;
  assert_int_equal(fixture_new(&fixture), 0);
  fixture_report(&fixture, 600);
  fake_env_advance_ms(&fixture.env, 60000);
  assert_int_equal(request_count(), 0);
  assert_int_equal(ts_client_start(fixture.client, NULL), 0);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(fixture_answer_all(&fixture, 202), 600);
}

/* A flush with nothing outstanding is over on the next turn. */
static void test_flush_of_nothing(void **state) {
  (void)state;
  int status = 1;
  fixture_start(&fixture);
  assert_int_equal(ts_client_flush(fixture.client, 0, on_flush, &status), 0);
  assert_int_equal(status, 1);
  fake_env_turn(&fixture.env);
  assert_int_equal(status, 0);
}

/* A flush whose limit passes says so, and gives nothing up. */
static void test_flush_limit(void **state) {
  (void)state;
  int status = 1;
  fixture_start(&fixture);
  fixture_report(&fixture, 3);
  assert_int_equal(ts_client_flush(fixture.client, 200, on_flush, &status), 0);
  fake_env_advance_ms(&fixture.env, 199);
  assert_int_equal(status, 1);
  fake_env_advance_ms(&fixture.env, 1);
  assert_int_equal(status, TS_ETIMEDOUT);
  assert_int_equal(fixture_answer(&fixture, 202), 3);
  assert_int_equal(fixture_stats(&fixture).delivered_samples, 3);
}

/* A flush does not wait for samples that came after it. */
static void test_flush_is_of_its_moment(void **state) {
  (void)state;
  int status = 1;
  fixture_start(&fixture);
  fixture_report(&fixture, 3);
  assert_int_equal(ts_client_flush(fixture.client, 0, on_flush, &status), 0);
  fake_env_turn(&fixture.env);
  fixture_report(&fixture, 2);
  assert_int_equal(fixture_answer(&fixture, 202), 3);
  assert_int_equal(status, 0);
  assert_int_equal(fixture_stats(&fixture).buffer_size, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_all_fields),
      TEST(test_global_tags),
      TEST(test_missing_strings),
      TEST(test_defaults),
      TEST(test_size_trigger),
      TEST(test_interval_trigger),
      TEST(test_interval_does_not_restart),
      TEST(test_full_buffer),
      TEST(test_room_again),
      TEST(test_flush_in_batches),
      TEST(test_bounded_in_flight),
      TEST(test_before_the_start),
      TEST(test_flush_of_nothing),
      TEST(test_flush_limit),
      TEST(test_flush_is_of_its_moment),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
