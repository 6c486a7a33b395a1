/* SPDX-License-Identifier: Apache-2.0 */
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
#include "core/samples.h"
#include "support/heap.h"

static heap_t heap;
static ts__mem_t mem;
static ts__samples_t samples;

static int setup(void **state) {
  (void)state;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  ts__samples_init(&samples, &mem, 10000, 500);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  ts__samples_deinit(&samples);
  return heap_balance(&heap) == 0 ? 0 : -1;
}

/* Another capacity and batch size than the usual ones. */
static void resize(size_t capacity, size_t batch_size) {
  ts__samples_deinit(&samples);
  ts__samples_init(&samples, &mem, capacity, batch_size);
}

static ts__sample_t numbered(unsigned i) {
  return (ts__sample_t){
      .router = TS__STR("router-1"),
      .metric = TS__STR("latency"),
      .ok = i % 2 == 0,
      .ts_ms = 1700000000000 + i,
      .value = i,
  };
}

static int add(unsigned i) {
  ts__sample_t sample = numbered(i);
  return ts__samples_add(&samples, &sample, 1000 + i);
}

static void add_many(unsigned from, unsigned to) {
  for (unsigned i = from; i < to; i++) {
    assert_int_equal(add(i), 0);
  }
}

/* Takes the oldest batch, expects the samples `from` and on in it, and frees
 * it. Returns how many there were. */
static unsigned drain(unsigned from) {
  ts__batch_t *batch = ts__samples_take(&samples);
  if (batch == NULL) {
    return 0;
  }
  ts__batch_cursor_t cursor = {0};
  ts__sample_t sample;
  unsigned count = 0;
  while (ts__batch_next(batch, &cursor, &sample)) {
    assert_int_equal((unsigned)sample.value, from + count);
    count++;
  }
  assert_int_equal(count, batch->count);
  ts__batch_free(&samples, batch);
  return count;
}

static void assert_str(ts__str_t actual, ts__str_t expected) {
  assert_true(ts__str_eq(actual, expected));
}

/* A sample comes out as it went in, though the caller's memory changed. */
static void test_sample_is_copied_whole(void **state) {
  (void)state;
  char router[] = "router";
  char tags[] = "region\0eu\0zone\0";
  ts__sample_t in = {
      .router = ts__str(router),
      .metric = TS__STR("latency"),
      .trace_id = TS__STR("4bf92f3577b34da6"),
      .tags = {tags, sizeof(tags)},
      .tag_count = 2,
      .ok = true,
      .ts_ms = INT64_MIN,
      .value = -0.1,
  };
  assert_int_equal(ts__samples_add(&samples, &in, 1), 0);
  memset(router, 'x', sizeof(router));
  memset(tags, 'x', sizeof(tags));
  ts__batch_t *batch = ts__samples_take(&samples);
  ts__batch_cursor_t cursor = {0};
  ts__sample_t out;
  assert_true(ts__batch_next(batch, &cursor, &out));
  assert_str(out.router, TS__STR("router"));
  assert_str(out.metric, TS__STR("latency"));
  assert_str(out.trace_id, TS__STR("4bf92f3577b34da6"));
  assert_str(out.tags, (ts__str_t){"region\0eu\0zone\0", sizeof(tags)});
  assert_int_equal(out.tag_count, 2);
  assert_true(out.ok);
  assert_true(out.ts_ms == INT64_MIN);
  assert_true(out.value == -0.1);
  assert_false(ts__batch_next(batch, &cursor, &out));
  ts__batch_free(&samples, batch);
}

/* Nothing was added: nothing to take, nothing due. */
static void test_empty(void **state) {
  (void)state;
  assert_null(ts__samples_take(&samples));
  assert_false(ts__samples_has_full_batch(&samples));
  assert_true(ts__samples_oldest_ns(&samples) == TS__NEVER);
  assert_int_equal(heap.allocations, 0);
}

/* 499 samples are no full batch, 500 are. */
static void test_full_batch(void **state) {
  (void)state;
  add_many(0, 499);
  assert_false(ts__samples_has_full_batch(&samples));
  add_many(499, 500);
  assert_true(ts__samples_has_full_batch(&samples));
  add_many(500, 501);
  assert_true(ts__samples_has_full_batch(&samples));
  assert_int_equal(drain(0), 500);
  assert_false(ts__samples_has_full_batch(&samples));
}

/* the oldest sample's moment is the one of the first in its batch, not
 * of the last. */
static void test_oldest(void **state) {
  (void)state;
  add_many(0, 501);
  assert_true(ts__samples_oldest_ns(&samples) == 1000);
  drain(0);
  assert_true(ts__samples_oldest_ns(&samples) == 1500);
  drain(500);
  assert_true(ts__samples_oldest_ns(&samples) == TS__NEVER);
}

/* a full buffer refuses the new sample and keeps the older ones in
 * order; A-132: room again, taken again. */
static void test_full_buffer_refuses_the_newest(void **state) {
  (void)state;
  add_many(0, 10000);
  assert_int_equal(add(10000), TS__ENOBUFS);
  assert_int_equal(samples.count, 10000);
  assert_int_equal(drain(0), 500);
  assert_int_equal(samples.count, 9500);
  assert_int_equal(add(10000), 0);
  for (unsigned from = 500; from < 10000; from += 500) {
    assert_int_equal(drain(from), 500);
  }
  assert_int_equal(drain(10000), 1);
}

/* 1700 samples make batches of 500, 500, 500 and 200. */
static void test_no_batch_exceeds_its_size(void **state) {
  (void)state;
  add_many(0, 1700);
  assert_int_equal(drain(0), 500);
  assert_int_equal(drain(500), 500);
  assert_int_equal(drain(1000), 500);
  assert_int_equal(drain(1500), 200);
  assert_int_equal(drain(1700), 0);
}

/* After a partial batch was taken, the next sample begins a new one. */
static void test_take_the_batch_being_filled(void **state) {
  (void)state;
  add_many(0, 3);
  assert_int_equal(drain(0), 3);
  add_many(3, 5);
  assert_int_equal(drain(3), 2);
  assert_int_equal(samples.count, 0);
}

/* The capacity need not be a multiple of the batch size, nor above it. */
static void test_small_capacity(void **state) {
  (void)state;
  resize(7, 500);
  add_many(0, 7);
  assert_int_equal(add(7), TS__ENOBUFS);
  assert_int_equal(drain(0), 7);
}

/* The longest sample fits; one byte more is invalid, whichever string it is
 * in. */
static void test_longest_sample(void **state) {
  (void)state;
  char *bytes = calloc(1, TS__MAX_SAMPLE);
  ts__sample_t sample = numbered(0);
  sample.tags = (ts__str_t){bytes, TS__MAX_SAMPLE - 15};
  assert_int_equal(ts__samples_add(&samples, &sample, 1), 0);
  sample.tags.len++;
  assert_int_equal(ts__samples_add(&samples, &sample, 1), TS__EINVAL);
  sample.tags.len = SIZE_MAX - 4;
  assert_int_equal(ts__samples_add(&samples, &sample, 1), TS__EINVAL);
  assert_int_equal(samples.count, 1);
  assert_int_equal(drain(0), 1);
  free(bytes);
}

/* Long and short samples in turn keep their order across blocks. */
static void test_mixed_lengths(void **state) {
  (void)state;
  static char bytes[20000];
  for (unsigned i = 0; i < 400; i++) {
    ts__sample_t sample = numbered(i);
    sample.trace_id = (ts__str_t){bytes, i % 7 == 0 ? i * 50 : i};
    assert_int_equal(ts__samples_add(&samples, &sample, 1), 0);
  }
  assert_int_equal(drain(0), 400);
}

/* a batch is split in halves that together hold the same samples in the
 * same order. */
static void test_split(void **state) {
  (void)state;
  for (unsigned count = 2; count <= 500; count = count * 3 + 1) {
    add_many(0, count);
    ts__batch_t *batch = ts__samples_take(&samples);
    ts__batch_t *second = ts__batch_split(&samples, batch);
    assert_int_equal(batch->count, count - count / 2);
    assert_int_equal(second->count, count / 2);
    assert_true(second->began_ns == batch->began_ns);
    ts__list_push(&samples.batches, &batch->node);
    ts__list_push(&samples.batches, &second->node);
    samples.count += count;
    assert_int_equal(drain(0), count - count / 2);
    assert_int_equal(drain(count - count / 2), count / 2);
  }
}

/* Out of memory while splitting leaves the batch whole. */
static void test_split_out_of_memory(void **state) {
  (void)state;
  add_many(0, 500);
  ts__batch_t *batch = ts__samples_take(&samples);
  for (size_t n = 1; n <= 3; n++) {
    heap_fail(&heap, n, HEAP_FOREVER);
    assert_null(ts__batch_split(&samples, batch));
    assert_int_equal(batch->count, 500);
    heap_fail(&heap, 0, 0);
    resize(10000, 500); /* no spares, so that the next try allocates */
  }
  ts__list_push(&samples.batches, &batch->node);
  samples.count += 500;
  assert_int_equal(drain(0), 500);
}

/* Out of memory: the sample is refused, nothing else changes. */
static void test_out_of_memory(void **state) {
  (void)state;
  for (size_t n = 1; n <= 2; n++) {
    heap_fail(&heap, n, 1);
    resize(10000, 500);
    assert_int_equal(add(0), TS__ENOMEM);
    assert_int_equal(samples.count, 0);
    assert_null(ts__samples_take(&samples));
  }
  add_many(0, 10);
  heap_fail(&heap, 1, HEAP_FOREVER);
  unsigned i = 10;
  while (add(i) == 0) {
    i++;
  }
  assert_int_equal(samples.count, i);
  heap_fail(&heap, 0, 0);
  assert_int_equal(add(i), 0);
  assert_int_equal(drain(0), i + 1);
}

/* A steady flow allocates nothing once its blocks are there, also with two
 * batches under way. */
static void test_steady_flow_does_not_allocate(void **state) {
  (void)state;
  size_t after_first = 0;
  ts__batch_t *flying = NULL;
  for (unsigned round = 0; round < 20; round++) {
    add_many(0, 500);
    if (flying != NULL) {
      ts__batch_free(&samples, flying);
    }
    flying = ts__samples_take(&samples);
    if (round == 2) {
      after_first = heap.allocations;
    }
  }
  ts__batch_free(&samples, flying);
  assert_int_equal(heap.allocations, after_first);
}

/* What is kept for reuse is bounded: after ten thousand samples were drained,
 * less than 256 KiB stay. */
static void test_spares_are_bounded(void **state) {
  (void)state;
  add_many(0, 10000);
  for (unsigned from = 0; from < 10000; from += 500) {
    drain(from);
  }
  assert_true(heap.bytes < 256 * 1024);
  assert_int_equal(heap.blocks,
                   samples.spare_block_count + samples.spare_batch_count);
}

/* A buffered sample costs at most 64 bytes beside the caller's strings. */
static void test_memory_per_sample(void **state) {
  (void)state;
  static const char text[4 * 64];
  for (size_t len = 8; len <= 256; len += 8) {
    resize(10000, 500);
    for (unsigned i = 0; i < 10000; i++) {
      ts__sample_t sample = numbered(i);
      sample.router = TS__STR_EMPTY;
      sample.metric = (ts__str_t){text, len};
      assert_int_equal(ts__samples_add(&samples, &sample, 1), 0);
    }
    assert_true(heap.bytes <= 10000 * (64 + len));
  }
}

/* Batches of one sample do not take a large block each. */
static void test_small_batches_take_small_blocks(void **state) {
  (void)state;
  resize(1000, 1);
  add_many(0, 1000);
  assert_true(heap.bytes <= 1000 * 512);
  for (unsigned i = 0; i < 1000; i++) {
    assert_int_equal(drain(i), 1);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_sample_is_copied_whole),
      TEST(test_empty),
      TEST(test_full_batch),
      TEST(test_oldest),
      TEST(test_full_buffer_refuses_the_newest),
      TEST(test_no_batch_exceeds_its_size),
      TEST(test_take_the_batch_being_filled),
      TEST(test_small_capacity),
      TEST(test_longest_sample),
      TEST(test_mixed_lengths),
      TEST(test_split),
      TEST(test_split_out_of_memory),
      TEST(test_out_of_memory),
      TEST(test_steady_flow_does_not_allocate),
      TEST(test_spares_are_bounded),
      TEST(test_memory_per_sample),
      TEST(test_small_batches_take_small_blocks),
  };
#undef TEST
  return cmocka_run_group_tests(tests, NULL, NULL);
}
