/* SPDX-License-Identifier: Apache-2.0 */
/* A client's whole life on a fake world, in a few lines each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/fixture.h"

static fixture_t fixture;

static int setup(void **state) {
  (void)state;
  fixture_init(&fixture);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

/* The first event makes the client ready, and its state can be asked for. */
static void test_first_event_is_ready(void **state) {
  (void)state;
  ts_state_t breaker;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_int_equal(fixture.ready_count, 0);
  assert_true(fake_event(stream, "checkout", "closed", "1.0"));
  assert_int_equal(fixture.ready_count, 1);
  assert_int_equal(fixture.ready_status, 0);
  assert_int_equal(ts_client_get_state(fixture.client, "checkout", &breaker),
                   0);
  assert_int_equal(breaker.state, TS_BREAKER_CLOSED);
}

/* A drained client has delivered what it had. */
static void test_shutdown_delivers(void **state) {
  (void)state;
  fixture_batch_t batch;
  fixture.options.ingest_secret = FIXTURE_SECRET;
  fixture_start_stream(&fixture);
  fixture_report(&fixture, 3);
  fixture_shutdown(&fixture, 5000);
  assert_true(fixture_take_batch(&fixture, &batch));
  assert_int_equal(fixture_sample_count(batch.json), 3);
  free(batch.json);
  fake_respond(batch.pipe, "HTTP/1.1 202 Accepted\r\n", "{\"accepted\":3}");
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.close_count, 1);
  assert_int_equal(fixture.close_status, 0);
  assert_int_equal(fixture.final.delivered_samples, 3);
  assert_int_equal(fixture.final.dropped_samples, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_first_event_is_ready, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_shutdown_delivers, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
