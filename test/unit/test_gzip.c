/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/heap.h"
#include "wire/gzip.h"

static heap_t heap;
static ts__mem_t mem;
static ts__buf_t packed;
static ts__buf_t plain;
static ts__buf_t text;

static int setup(void **state) {
  (void)state;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  ts__buf_init(&packed, &mem, 1 << 20);
  ts__buf_init(&plain, &mem, 1 << 20);
  ts__buf_init(&text, &mem, 1 << 20);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  ts__buf_deinit(&packed);
  ts__buf_deinit(&plain);
  ts__buf_deinit(&text);
  return heap_balance(&heap) == 0 ? 0 : -1;
}

/* Text like a batch of samples. */
static void make_text(int samples) {
  ts__buf_clear(&text);
  for (int i = 0; i < samples; i++) {
    ts__buf_printf(&text,
                   "{\"router_id\":\"r\",\"metric\":\"latency\","
                   "\"ts_ms\":%lld,\"value\":%d.%d,\"ok\":true},",
                   1705312200000LL + i * 7, i * 7919 % 1000, i * 31 % 1000);
  }
}

static int gunzip(ts__str_t bytes) {
  ts__buf_clear(&plain);
  return ts__gunzip(&mem, bytes, &plain);
}

static void assert_same(void) {
  assert_true(ts__str_eq(ts__buf_str(&plain), ts__buf_str(&text)));
}

static void pack(ts__gzip_t *gzip, size_t piece) {
  ts__str_t rest = ts__buf_str(&text);
  ts__buf_clear(&packed);
  ts__gzip_begin(gzip);
  while (rest.len > 0) {
    size_t len = piece < rest.len ? piece : rest.len;
    assert_int_equal(ts__gzip_add(gzip, (ts__str_t){rest.ptr, len}, &packed),
                     0);
    rest = (ts__str_t){rest.ptr + len, rest.len - len};
  }
  assert_int_equal(ts__gzip_end(gzip, &packed), 0);
}

/* What went in piece by piece comes out whole, body after body from one
 * compressor, the empty one included. */
static void test_round_trip(void **state) {
  (void)state;
  ts__gzip_t *gzip = ts__gzip_new(&mem);
  const size_t pieces[] = {1, 7, 1000, 100000};
  for (size_t i = 0; i < 4; i++) {
    make_text(i == 0 ? 20 : 500);
    pack(gzip, pieces[i]);
    assert_int_equal(gunzip(ts__buf_str(&packed)), 0);
    assert_same();
    assert_true(packed.len < text.len / 4);
  }
  make_text(0);
  pack(gzip, 1);
  assert_int_equal(gunzip(ts__buf_str(&packed)), 0);
  assert_int_equal(plain.len, 0);
  ts__gzip_free(gzip);
}

/* The compressor takes 48 KiB at most, all from the owner's allocator. */
static void test_state_is_small(void **state) {
  (void)state;
  ts__gzip_t *gzip = ts__gzip_new(&mem);
  assert_in_range(heap.bytes, 16 * 1024, 48 * 1024);
  ts__gzip_free(gzip);
}

/* An unfinished body leaves nothing in the next. */
static void test_begin_drops_the_rest(void **state) {
  (void)state;
  ts__gzip_t *gzip = ts__gzip_new(&mem);
  ts__gzip_begin(gzip);
  assert_int_equal(ts__gzip_add(gzip, TS__STR("lost"), &packed), 0);
  make_text(3);
  pack(gzip, 50);
  assert_int_equal(gunzip(ts__buf_str(&packed)), 0);
  assert_same();
  ts__gzip_free(gzip);
}

/* A buffer that is full is an error, and the next body is good again. */
static void test_full_output(void **state) {
  (void)state;
  ts__gzip_t *gzip = ts__gzip_new(&mem);
  make_text(100);
  packed.max = 40;
  ts__gzip_begin(gzip);
  int err = ts__gzip_add(gzip, ts__buf_str(&text), &packed);
  assert_int_equal(err ? err : ts__gzip_end(gzip, &packed), TS__ENOBUFS);
  assert_true(packed.len <= 40);
  packed.max = 1 << 20;
  pack(gzip, 1000);
  assert_int_equal(gunzip(ts__buf_str(&packed)), 0);
  assert_same();
  ts__gzip_free(gzip);
}

/* Inflating stops at the maximum, and exactly the maximum is fine. */
static void test_inflating_is_bounded(void **state) {
  (void)state;
  ts__gzip_t *gzip = ts__gzip_new(&mem);
  ts__buf_reserve(&text, 500000);
  memset(text.ptr, 'x', 500000);
  text.len = 500000;
  pack(gzip, 100000);
  plain.max = 500000;
  assert_int_equal(gunzip(ts__buf_str(&packed)), 0);
  assert_same();
  plain.max = 499999;
  assert_int_equal(gunzip(ts__buf_str(&packed)), TS__ENOBUFS);
  assert_int_equal(plain.len, 0);
  ts__buf_deinit(&plain);
  plain.max = 1000;
  assert_int_equal(gunzip(ts__buf_str(&packed)), TS__ENOBUFS);
  assert_true(plain.cap <= 1000);
  ts__gzip_free(gzip);
}

/* Nothing but exactly one whole gzip stream is taken. */
static void test_refuses_broken_streams(void **state) {
  (void)state;
  ts__gzip_t *gzip = ts__gzip_new(&mem);
  make_text(3);
  pack(gzip, 1000);
  for (size_t len = 0; len < packed.len; len++) {
    assert_int_equal(gunzip((ts__str_t){packed.ptr, len}), TS_EPARSE);
  }
  ts__buf_append_char(&packed, 'x');
  assert_int_equal(gunzip(ts__buf_str(&packed)), TS_EPARSE);
  packed.len--;
  packed.ptr[packed.len - 5] ^= 1; /* the checksum */
  assert_int_equal(gunzip(ts__buf_str(&packed)), TS_EPARSE);
  assert_int_equal(gunzip(TS__STR("{\"samples\":[]}")), TS_EPARSE);
  assert_int_equal(gunzip(TS__STR("\x78\x9c\x03\x00\x00\x00\x00\x01")),
                   TS_EPARSE);
  assert_int_equal(plain.len, 0);
  ts__gzip_free(gzip);
}

/* What was in the buffer before stays before, also after an error. */
static void test_appends(void **state) {
  (void)state;
  ts__gzip_t *gzip = ts__gzip_new(&mem);
  make_text(1);
  pack(gzip, 1000);
  ts__buf_append(&plain, TS__STR("kept"));
  assert_int_equal(ts__gunzip(&mem, TS__STR("junk"), &plain), TS_EPARSE);
  assert_int_equal(ts__gunzip(&mem, ts__buf_str(&packed), &plain), 0);
  assert_int_equal(plain.len, 4 + text.len);
  assert_memory_equal(plain.ptr, "kept{", 5);
  ts__gzip_free(gzip);
}

/* Every allocation may fail, in either direction. */
static void test_out_of_memory(void **state) {
  (void)state;
  make_text(200);
  ts__gzip_t *gzip = NULL;
  for (size_t n = 1; !gzip; n++) {
    heap_fail(&heap, n, 1);
    gzip = ts__gzip_new(&mem);
  }
  assert_true(heap.failed >= 4);
  heap_fail(&heap, 1, 1);
  int err = ts__gzip_add(gzip, ts__buf_str(&text), &packed);
  assert_int_equal(err ? err : ts__gzip_end(gzip, &packed), TS__ENOMEM);
  heap_fail(&heap, 0, 0);
  pack(gzip, 1000);
  err = TS__ENOMEM;
  for (size_t n = 1; err != 0; n++) {
    ts__buf_deinit(&plain);
    heap_fail(&heap, n, 1);
    err = gunzip(ts__buf_str(&packed));
    assert_true(err == 0 || err == TS__ENOMEM);
  }
  heap_fail(&heap, 0, 0);
  assert_same();
  ts__gzip_free(gzip);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_round_trip),
      TEST(test_state_is_small),
      TEST(test_begin_drops_the_rest),
      TEST(test_full_output),
      TEST(test_inflating_is_bounded),
      TEST(test_refuses_broken_streams),
      TEST(test_appends),
      TEST(test_out_of_memory),
  };
  return cmocka_run_group_tests_name("gzip", tests, NULL, NULL);
}
