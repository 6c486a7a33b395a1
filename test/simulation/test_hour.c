/* SPDX-License-Identifier: Apache-2.0 */
/* An hour of normal work: what one client asks of its plane. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/fixture.h"

#define MINUTES 60
#define BEAT_MS 15000

static fixture_t fixture;
static fake_server_t server;
static size_t opened;
static size_t streams;
static size_t batches;
static size_t polls;

static void on_open(void *arg, fake_pipe_t *pipe) {
  (void)arg;
  opened++;
  fake_pipe_accept(pipe);
}

static void on_request(void *arg, fake_pipe_t *pipe,
                       const fake_request_t *request) {
  (void)arg;
  if (strstr(request->target, "/ingest") != NULL) {
    batches++;
    fake_respond(pipe, "HTTP/1.1 202 Accepted\r\n", NULL);
  } else if (strstr(request->target, "metadata") != NULL) {
    const bool known = fake_request_header(request, "If-None-Match") != NULL;
    polls++;
    if (known) {
      fake_respond_status(pipe, 304);
    } else {
      fake_respond(pipe, "HTTP/1.1 200 OK\r\nETag: \"1\"\r\n",
                   "{\"breakers\":[{\"id\":\"1\",\"name\":\"a\"}]}");
    }
  } else if (fake_respond_stream_head(pipe, FAKE_STREAM_CHUNKED)) {
    streams++;
    fake_event(pipe, "a", "closed", NULL);
  }
}

static void beat(void) {
  size_t cursor = 0;
  fake_pipe_t *pipe = fake_transport_next_live(&fixture.transport, &cursor);
  assert_non_null(pipe); /* the stream is the oldest */
  fake_stream_deliver(pipe, TS__STR(": hb\n\n"));
}

/* The requests of an hour are those of the schedule, and no connection is
 * opened that carries none. */
static void test_hour(void **state) {
  uint64_t taken = 0;
  (void)state;
  fixture_init(&fixture);
  fake_env_seed(&fixture.env, 5);
  fixture.options.ingest_secret = FIXTURE_SECRET;
  fixture.options.metadata_sync_interval_ms = 30000;
  fake_server_init(&server, &fixture.transport, NULL);
  server.on_open = on_open;
  server.on_request = on_request;
  fixture_start(&fixture);
  for (int i = 0; i < MINUTES * 60 * 1000 / 250; i++) {
    fixture_report(&fixture, 1);
    taken++;
    fake_env_advance_ms(&fixture.env, 250);
    if ((i + 1) % (BEAT_MS / 250) == 0) {
      beat();
      fake_transport_forget(&fixture.transport);
    }
  }
  fixture_check_books(&fixture, taken);
  printf("# an hour of work: %zu connections opened for %zu streams, %zu "
         "batches, %zu polls; %u wakes, %u turns\n",
         opened, streams, batches, polls, fixture.env.wakes, fixture.env.turns);
  assert_int_equal(streams, 1);
  assert_in_range(batches, 236, 240);
  assert_in_range(polls, 240, 242);
  assert_true(opened <= streams + batches + polls);
  assert_int_equal(fixture_stats(&fixture).dropped_samples, 0);
  assert_int_equal(fixture.log_counts[TS_LOG_WARN], 0);
  assert_int_equal(fixture.log_counts[TS_LOG_ERROR], 0);
  fixture_end(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_hour)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
