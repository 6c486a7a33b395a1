/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "support/heap.h"

static heap_t heap;
static ts__mem_t mem;

static int setup(void **state) {
  (void)state;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  return heap_balance(&heap) == 0 ? 0 : -1;
}

/* Without an allocator, the C library's is used. */
static void test_defaults_to_libc(void **state) {
  (void)state;
  ts__mem_t plain;
  ts__mem_init(&plain, NULL);
  char *text = ts__strdup(&plain, "abc");
  assert_non_null(text);
  text = ts__realloc_array(&plain, text, 2, 100);
  assert_string_equal(text, "abc");
  ts__free(&plain, text);
}

/* NULL means out of memory and nothing else, so no bytes give a pointer. */
static void test_zero_sizes_are_not_null(void **state) {
  (void)state;
  void *a = ts__malloc(&mem, 0);
  void *b = ts__calloc(&mem, 0, 8);
  void *c = ts__realloc_array(&mem, NULL, 8, 0);
  assert_non_null(a);
  assert_non_null(b);
  assert_non_null(c);
  ts__free(&mem, a);
  ts__free(&mem, b);
  ts__free(&mem, c);
}

/* calloc clears, and a product that does not fit a size_t is refused without
 * asking the allocator. */
static void test_array_sizes_do_not_wrap(void **state) {
  (void)state;
  unsigned char *bytes = ts__calloc(&mem, 3, 5);
  for (size_t i = 0; i < 15; i++) {
    assert_int_equal(bytes[i], 0);
  }
  size_t before = heap.allocations;
  assert_null(ts__calloc(&mem, SIZE_MAX / 2, 3));
  assert_null(ts__realloc_array(&mem, bytes, SIZE_MAX / 2, 3));
  assert_int_equal(heap.allocations, before);
  ts__free(&mem, bytes);
}

/* Freeing nothing and copying nothing are fine. */
static void test_null_is_nothing(void **state) {
  (void)state;
  ts__free(&mem, NULL);
  ts__free_secret(&mem, NULL, 10);
  assert_null(ts__strdup(&mem, NULL));
}

static char wiped[8];

static void look_then_free(void *arg, void *ptr) {
  memcpy(wiped, ptr, sizeof(wiped));
  heap.allocator.free(arg, ptr);
}

/* A secret is gone from the memory that goes back to the allocator. */
static void test_secrets_are_wiped(void **state) {
  (void)state;
  ts__mem_t spying = mem;
  spying.allocator.free = look_then_free;
  char *secret = ts__strdup(&spying, "secret!");
  memcpy(wiped, "xxxxxxxx", 8);
  ts__free_secret(&spying, secret, 8);
  assert_memory_equal(wiped, "\0\0\0\0\0\0\0\0", 8);
}

/* The allocator of the tests fails exactly the allocations it was told to. */
static void test_heap_fails_on_demand(void **state) {
  (void)state;
  heap_fail(&heap, 2, 1);
  void *a = ts__malloc(&mem, 1);
  assert_null(ts__malloc(&mem, 1));
  assert_null(ts__strdup(&mem, NULL));
  void *b = ts__malloc(&mem, 1);
  assert_non_null(b);
  heap_fail(&heap, 1, HEAP_FOREVER);
  assert_null(ts__calloc(&mem, 1, 1));
  assert_null(ts__realloc_array(&mem, a, 2, 1));
  assert_null(ts__strdup(&mem, "x"));
  heap_fail(&heap, 0, 0);
  assert_int_equal(heap_balance(&heap), 2);
  assert_int_equal(heap.failed, 4);
  ts__free(&mem, a);
  ts__free(&mem, b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults_to_libc),
      cmocka_unit_test_setup_teardown(test_zero_sizes_are_not_null, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_array_sizes_do_not_wrap, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_null_is_nothing, setup, teardown),
      cmocka_unit_test_setup_teardown(test_secrets_are_wiped, setup, teardown),
      cmocka_unit_test_setup_teardown(test_heap_fails_on_demand, setup,
                                      teardown),
  };
  return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
