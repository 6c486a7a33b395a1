/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "support/heap.h"

static heap_t heap;
static ts__mem_t mem;
static ts__buf_t buf;

static int setup(void **state) {
  (void)state;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  ts__buf_init(&buf, &mem, 1000);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  ts__buf_deinit(&buf);
  return heap_balance(&heap) == 0 ? 0 : -1;
}

static void assert_content(const char *expected) {
  assert_true(ts__str_eq(ts__buf_str(&buf), ts__str(expected)));
}

/* Pieces of every kind come out in one row. */
static void test_appends(void **state) {
  (void)state;
  assert_content("");
  assert_int_equal(ts__buf_append(&buf, TS__STR_EMPTY), 0);
  assert_null(buf.ptr);
  assert_int_equal(ts__buf_append(&buf, TS__STR("GET ")), 0);
  assert_int_equal(ts__buf_append_char(&buf, '/'), 0);
  assert_int_equal(ts__buf_printf(&buf, "%s/%d", "v", 1), 0);
  assert_content("GET /v/1");
}

/* Content grows to exactly the maximum; one byte more changes nothing. */
static void test_maximum_is_exact(void **state) {
  (void)state;
  for (size_t i = 0; i < 995; i++) {
    assert_int_equal(ts__buf_append_char(&buf, 'x'), 0);
  }
  assert_int_equal(ts__buf_printf(&buf, "%d", 12345), 0);
  assert_int_equal(buf.len, 1000);
  assert_int_equal(ts__buf_append_char(&buf, 'y'), TS__ENOBUFS);
  assert_int_equal(ts__buf_printf(&buf, "%d", 1), TS__ENOBUFS);
  assert_int_equal(ts__buf_reserve(&buf, SIZE_MAX), TS__ENOBUFS);
  assert_int_equal(buf.len, 1000);
  assert_int_equal(buf.ptr[999], '5');
}

/* The whole maximum may be printed at once. */
static void test_printf_fills_to_the_maximum(void **state) {
  (void)state;
  assert_int_equal(ts__buf_printf(&buf, "%1000d", 7), 0);
  assert_int_equal(buf.len, 1000);
  ts__buf_clear(&buf);
  assert_int_equal(ts__buf_printf(&buf, "%1001d", 7), TS__ENOBUFS);
  assert_int_equal(buf.len, 0);
}

/* Out of memory is a code, and the content stays. */
static void test_survives_out_of_memory(void **state) {
  (void)state;
  ts__buf_append(&buf, TS__STR("kept"));
  heap_fail(&heap, 1, HEAP_FOREVER);
  assert_int_equal(ts__buf_reserve(&buf, 500), TS__ENOMEM);
  assert_int_equal(ts__buf_printf(&buf, "%100d", 1), TS__ENOMEM);
  assert_content("kept");
  heap_fail(&heap, 0, 0);
  assert_int_equal(ts__buf_append(&buf, TS__STR("!")), 0);
  assert_content("kept!");
}

/* Doubling keeps the number of allocations logarithmic. */
static void test_growth_is_geometric(void **state) {
  (void)state;
  for (size_t i = 0; i < 1000; i++) {
    ts__buf_append_char(&buf, 'x');
  }
  assert_true(heap.allocations <= 5);
  assert_true(buf.cap <= 1000);
}

/* Consuming drops from the front, at most all. */
static void test_consume(void **state) {
  (void)state;
  ts__buf_append(&buf, TS__STR("abcdef"));
  ts__buf_consume(&buf, 0);
  ts__buf_consume(&buf, 2);
  assert_content("cdef");
  ts__buf_consume(&buf, 9);
  assert_content("");
}

/* Taking hands over the memory and leaves an empty buffer in working order. */
static void test_take(void **state) {
  (void)state;
  ts__buf_append(&buf, TS__STR("abc"));
  size_t len;
  char *ptr = ts__buf_take(&buf, &len);
  assert_int_equal(len, 3);
  assert_memory_equal(ptr, "abc", 3);
  ts__free(&mem, ptr);
  assert_null(ts__buf_take(&buf, &len));
  assert_int_equal(len, 0);
  ts__buf_append(&buf, TS__STR("again"));
  assert_content("again");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_appends),
      TEST(test_maximum_is_exact),
      TEST(test_printf_fills_to_the_maximum),
      TEST(test_survives_out_of_memory),
      TEST(test_growth_is_geometric),
      TEST(test_consume),
      TEST(test_take),
  };
  return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
