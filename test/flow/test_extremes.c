/* SPDX-License-Identifier: Apache-2.0 */
/* A client pushed to its bounds: the longest samples, options at both ends,
 * calls that never stop, and a key that nobody may find afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/err.h"
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

/* --------------------------------------------------------------- the key */

#define KEY "eb_pk_do_not_leave_me_lying_around"

/* An allocator that looks at what it gets back. */
typedef struct block_s {
  size_t size;
  max_align_t bytes[];
} block_t;

static size_t blocks;
static size_t keys_found;

static void *watch_malloc(void *arg, size_t size) {
  block_t *block = malloc(sizeof *block + size);
  (void)arg;
  if (block == NULL) {
    return NULL;
  }
  blocks++;
  block->size = size;
  return memset(block->bytes, 0, size);
}

static block_t *block_of(void *ptr) {
  return (block_t *)(void *)((char *)ptr - offsetof(block_t, bytes));
}

static void watch_free(void *arg, void *ptr) {
  (void)arg;
  if (ptr == NULL) {
    return;
  }
  const size_t len = sizeof KEY - 1;
  for (size_t i = 0; i + len <= block_of(ptr)->size; i++) {
    keys_found += memcmp((char *)ptr + i, KEY, len) == 0;
  }
  blocks--;
  free(block_of(ptr));
}

static void *watch_realloc(void *arg, void *ptr, size_t size) {
  void *to = watch_malloc(arg, size);
  if (to != NULL && ptr != NULL) {
    const size_t old = block_of(ptr)->size;
    memcpy(to, ptr, old < size ? old : size);
    watch_free(arg, ptr);
  }
  return to;
}

static void ignore_list(ts_client_t *client, const ts_reply_t *reply,
                        ts_metadata_t *metadata, void *arg) {
  (void)client;
  (void)reply;
  (void)metadata;
  (void)arg;
}

/* No memory is given back with the key in it, however long the requests that
 * carried it were. */
static void test_key_is_wiped(void **state) {
  const ts_allocator_t allocator = {watch_malloc, watch_realloc, watch_free,
                                    NULL};
  char etag[512] = "";
  (void)state;
  keys_found = 0;
  fixture.options.allocator = &allocator;
  fixture.options.api_key = KEY;
  fixture_start_stream(&fixture);
  for (size_t len = 0; len < sizeof etag - 1; len += 16) {
    memset(etag, 'e', len);
    assert_int_equal(ts_client_list_breakers_metadata(fixture.client, etag, 0,
                                                      ignore_list, NULL),
                     0);
    fake_pipe_t *pipe = fixture_find(&fixture, "/breakers/metadata");
    assert_non_null(strstr(fake_pipe_written(pipe), KEY));
    fake_respond_status(pipe, 304);
  }
  fixture_shutdown(&fixture, 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(keys_found, 0);
  assert_int_equal(blocks, 0);
}

/* ------------------------------------------------------------ long samples */

/* Text every byte of which takes six in JSON. */
static char *control_text(size_t len) {
  char *text = malloc(len + 1);
  assert_non_null(text);
  memset(text, '\x01', len);
  text[len] = '\0';
  return text;
}

/* Samples as long as they may be, with global tags as long, are delivered; and
 * the loop is not held for more than one of them. */
static void test_longest_samples(void **state) {
  (void)state;
  char *text = control_text(TS__MAX_SAMPLE - 16);
  const ts_tag_t global = {"g", text};
  const ts_tag_t own = {"o", text};
  ts_report_t report = TS_REPORT_INIT;
  fixture_batch_t batch;
  report.router = "r1";
  report.metric = "m";
  report.tags = &own;
  report.tag_count = 1;
  fixture.options.global_tags = &global;
  fixture.options.global_tag_count = 1;
  fixture.options.api_key = NULL;
  fixture_start(&fixture);
  for (int i = 0; i < 9; i++) {
    assert_int_equal(ts_report(fixture.client, &report), 0);
  }
  assert_int_equal(ts_client_flush(fixture.client, 0, NULL, NULL), 0);
  fake_env_step(&fixture.env);
  assert_in_range(fixture.client->ingest.encoder.cursor.index, 0, 1);
  assert_true(fixture_take_batch(&fixture, &batch));
  assert_int_equal(fixture_sample_count(batch.json), 9);
  fake_respond_status(batch.pipe, 202);
  assert_int_equal(fixture_stats(&fixture).delivered_samples, 9);
  free(batch.json);
  free(text);
}

/* ----------------------------------------------------------------- options */

static void start_extreme(int64_t duration, int64_t batch_size,
                          int64_t capacity) {
  ts_client_options_t *options = &fixture.options;
  options->metadata_sync_interval_ms = duration;
  options->init_timeout_ms = duration;
  options->flush_interval_ms = duration;
  options->http_timeout_ms = duration;
  options->metadata_timeout_ms = duration;
  options->connect_timeout_ms = duration;
  options->reconnect_min_ms = duration;
  options->reconnect_max_ms = duration;
  options->sse_idle_timeout_ms = duration;
  options->stale_after_ms = duration;
  options->snapshot_grace_ms = duration;
  options->batch_size = batch_size;
  options->buffer_capacity = capacity;
  fixture_start(&fixture);
}

/* The longest durations are for ever, and overflow nothing. */
static void test_longest_durations(void **state) {
  (void)state;
  start_extreme(TS_MAX_DURATION_MS, TS__MAX_BATCH_SIZE,
                TS__MAX_BUFFER_CAPACITY);
  fake_pipe_t *stream = fixture_find(&fixture, "/breakers/state:stream");
  fake_respond_stream_head(stream, FAKE_STREAM_CHUNKED);
  fake_event(stream, "a", "open", "0");
  fake_stream_end(stream);
  fixture_report(&fixture, 999);
  fake_env_advance_ms(&fixture.env, INT64_C(365) * 24 * 3600 * 1000);
  assert_int_equal(fixture_gate(&fixture, "a", NULL), TS_EOPEN);
  assert_int_equal(fixture_stats(&fixture).buffer_size, 999);
  assert_int_equal(fixture_stats(&fixture).sse_reconnects, 1);
  fixture_report(&fixture, 1);
  assert_int_equal(fixture_answer(&fixture, 202), 1000);
}

/* The shortest ones let time pass, and a buffer of one sample works. */
static void test_shortest_durations(void **state) {
  (void)state;
  fake_transport_fail_open(&fixture.transport, TS__ECONNRESET, 1000);
  start_extreme(1, 1, 1);
  fake_env_advance_ms(&fixture.env, 50);
  assert_true(fixture_stats(&fixture).sse_reconnects > 10);
  for (int i = 0; i < 10; i++) {
    ts_report_t report = TS_REPORT_INIT;
    report.router = "r1";
    report.metric = "m";
    (void)ts_report(fixture.client, &report);
    fixture_check_books(&fixture, (uint64_t)i + 1);
  }
  assert_true(fixture_stats(&fixture).dropped_samples > 0);
  fake_env_advance_ms(&fixture.env, 10000);
  fixture_check_books(&fixture, 10);
}

/* Sixteen retries without any wait come to an end. */
static void test_retries_at_once(void **state) {
  const int64_t waits[16] = {0};
  (void)state;
  fixture.options.api_key = NULL;
  fixture.options.retry_backoff_ms = waits;
  fixture.options.retry_backoff_count = 16;
  fixture_start(&fixture);
  fixture_report(&fixture, 1);
  assert_int_equal(ts_client_flush(fixture.client, 0, NULL, NULL), 0);
  fake_env_turn(&fixture.env);
  for (int i = 0; i < 17; i++) {
    assert_int_equal(fixture_answer(&fixture, 500), 1);
    fake_env_advance_ms(&fixture.env, 0);
  }
  assert_int_equal(fixture_count(&fixture, "/ingest"), 17);
  assert_int_equal(fixture_stats(&fixture).dropped_samples, 1);
}

/* ------------------------------------------------------- calls without end */

static int dones;

static void finish_at_once(ts_call_t *call, void *context) {
  (void)context;
  ts_call_finish(call, 0, NULL);
}

static void call_again(ts_client_t *client, int error, void *result,
                       void *context) {
  (void)error;
  (void)result;
  dones++;
  (void)ts_execute_async(client, NULL, finish_at_once, call_again, context);
}

/* A done callback that starts the next call, for ever, does so once a turn, and
 * closing ends it. */
static void test_calls_without_end(void **state) {
  (void)state;
  dones = 0;
  fixture_start(&fixture);
  assert_int_equal(
      ts_execute_async(fixture.client, NULL, finish_at_once, call_again, NULL),
      0);
  for (int i = 1; i <= 10; i++) {
    assert_true(fake_env_step(&fixture.env));
    assert_int_equal(dones, i);
  }
  fixture_shutdown(&fixture, 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.close_count, 1);
  assert_int_equal(dones, 11);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_key_is_wiped, setup, teardown),
      cmocka_unit_test_setup_teardown(test_longest_samples, setup, teardown),
      cmocka_unit_test_setup_teardown(test_longest_durations, setup, teardown),
      cmocka_unit_test_setup_teardown(test_shortest_durations, setup, teardown),
      cmocka_unit_test_setup_teardown(test_retries_at_once, setup, teardown),
      cmocka_unit_test_setup_teardown(test_calls_without_end, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
