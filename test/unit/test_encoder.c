/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "service/encoder.h"
#include "service/sample_json.h"
#include "support/heap.h"

#define MAX_BODY (64u * 1024u * 1024u)

static heap_t heap;
static ts__mem_t mem;
static ts__samples_t samples;
static ts__encoder_t encoder;
static ts__buf_t body;
static ts__buf_t expected; /* the JSON, written in one go */

static int setup(void **state) {
  (void)state;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  ts__samples_init(&samples, &mem, 1000, 1000);
  ts__buf_init(&body, &mem, MAX_BODY);
  ts__buf_init(&expected, &mem, MAX_BODY);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  ts__encoder_deinit(&encoder);
  ts__samples_deinit(&samples);
  ts__buf_deinit(&body);
  ts__buf_deinit(&expected);
  return heap_balance(&heap) == 0 ? 0 : -1;
}

static void add(const ts__sample_t *sample) {
  assert_int_equal(ts__samples_add(&samples, sample, 0), 0);
  assert_int_equal(ts__buf_append(&expected, expected.len == 0
                                                 ? TS__STR("{\"samples\":[")
                                                 : TS__STR(",")),
                   0);
  assert_int_equal(ts__sample_json(&expected, sample, TS__STR_EMPTY), 0);
}

static void add_many(size_t count) {
  ts__sample_t sample = {.router = TS__STR("router"),
                         .metric = TS__STR("latency"),
                         .ts_ms = INT64_C(1700000000000)};
  for (size_t i = 0; i < count; i++) {
    sample.value = (double)i / 8.0;
    add(&sample);
  }
}

/* The batch of all that was added. */
static ts__batch_t *take(void) {
  assert_int_equal(ts__buf_append(&expected, TS__STR("]}")), 0);
  return ts__samples_take(&samples);
}

/* Returns the number of steps. */
static size_t encode(const ts__batch_t *batch) {
  bool complete = false;
  size_t steps = 0;
  ts__encoder_begin(&encoder, batch);
  while (!complete) {
    const size_t before = body.len;
    assert_int_equal(ts__encoder_step(&encoder, &body, &complete), 0);
    if (encoder.gzip == NULL) {
      assert_true(body.len - before <= 8192); /* whatever a sample's length */
    }
    steps++;
  }
  return steps;
}

static void assert_body(const ts__buf_t *json) {
  assert_int_equal(json->len, expected.len);
  assert_memory_equal(json->ptr, expected.ptr, expected.len);
}

/* However many slices it takes, the body is the JSON of the whole batch. */
static void test_plain(void **state) {
  (void)state;
  assert_int_equal(ts__encoder_init(&encoder, &mem, false, TS__STR_EMPTY), 0);
  add_many(500);
  ts__batch_t *batch = take();
  assert_true(encode(batch) > 10);
  assert_body(&body);
  ts__batch_free(&samples, batch);
}

/* The same compressed; a second body begins anew, also after one that was
 * given up half way. */
static void test_gzip(void **state) {
  (void)state;
  ts__buf_t json;
  bool complete = false;
  ts__buf_init(&json, &mem, MAX_BODY);
  assert_int_equal(ts__encoder_init(&encoder, &mem, true, TS__STR_EMPTY), 0);
  add_many(500);
  ts__batch_t *batch = take();
  ts__encoder_begin(&encoder, batch);
  for (int i = 0; i < 5; i++) {
    assert_int_equal(ts__encoder_step(&encoder, &body, &complete), 0);
  }
  ts__buf_clear(&body);
  encode(batch);
  assert_int_equal(ts__gunzip(&mem, ts__buf_str(&body), &json), 0);
  assert_body(&json);
  ts__buf_deinit(&json);
  ts__batch_free(&samples, batch);
}

/* A sample of the longest is compressed over many slices, and its memory is not
 * kept for the next batch. */
static void test_long_sample(void **state) {
  (void)state;
  char *text = malloc(200000);
  assert_non_null(text);
  memset(text, '\x01', 200000);
  const ts__sample_t sample = {.router = TS__STR("r"),
                               .metric = TS__STR("m"),
                               .trace_id = {text, 200000}};
  assert_int_equal(ts__encoder_init(&encoder, &mem, false, TS__STR_EMPTY), 0);
  add(&sample);
  ts__batch_t *batch = take();
  assert_true(encode(batch) > 1200000 / 4096);
  assert_body(&body);
  assert_true(encoder.json.cap > 1000000);
  ts__encoder_begin(&encoder, batch);
  assert_int_equal(encoder.json.cap, 0);
  ts__batch_free(&samples, batch);
  free(text);
}

/* Out of memory at any step is an error, and the next batch is encoded. */
static void test_out_of_memory(void **state) {
  (void)state;
  heap_fail(&heap, 1, 1);
  assert_int_equal(ts__encoder_init(&encoder, &mem, true, TS__STR_EMPTY),
                   TS__ENOMEM);
  assert_int_equal(heap_balance(&heap), 0);
  assert_int_equal(ts__encoder_init(&encoder, &mem, true, TS__STR_EMPTY), 0);
  add_many(100);
  ts__batch_t *batch = take();
  for (size_t n = 1; n <= 2; n++) {
    bool complete = false;
    ts__buf_deinit(&body);
    ts__encoder_begin(&encoder, batch);
    ts__buf_deinit(&encoder.json);
    heap_fail(&heap, n, 1);
    int error = 0;
    while (error == 0 && !complete) {
      error = ts__encoder_step(&encoder, &body, &complete);
    }
    assert_int_equal(error, TS__ENOMEM);
  }
  ts__buf_clear(&body);
  encode(batch);
  ts__batch_free(&samples, batch);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_plain),
      TEST(test_gzip),
      TEST(test_long_sample),
      TEST(test_out_of_memory),
  };
#undef TEST
  return cmocka_run_group_tests(tests, NULL, NULL);
}
