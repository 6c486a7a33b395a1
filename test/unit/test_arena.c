/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "support/heap.h"

static heap_t heap;
static ts__mem_t mem;
static ts__arena_t arena;

static int setup(void **state) {
  (void)state;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  ts__arena_init(&arena, &mem);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  ts__arena_deinit(&arena);
  assert_int_equal(heap_balance(&heap), 0);
  return 0;
}

/* Pieces are zero, apart from each other, and fit for any type. */
static void test_pieces(void **state) {
  (void)state;
  char *pieces[200];
  for (size_t i = 0; i < 200; i++) {
    pieces[i] = ts__arena_take(&arena, i, 3);
    assert_non_null(pieces[i]);
    assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
    for (size_t j = 0; j < i * 3; j++) {
      assert_int_equal(pieces[i][j], 0);
    }
    memset(pieces[i], (int)i + 1, i * 3);
  }
  for (size_t i = 1; i < 200; i++) {
    assert_int_equal((unsigned char)pieces[i][i * 3 - 1], i + 1);
  }
  assert_true(heap.blocks < 20);
}

/* A text gets a NUL, also one longer than any block. */
static void test_texts(void **state) {
  (void)state;
  static char large[200000];
  memset(large, 'x', sizeof large);
  assert_string_equal(ts__arena_text(&arena, TS__STR("abc")), "abc");
  assert_string_equal(ts__arena_text(&arena, TS__STR_EMPTY), "");
  const char *copy = ts__arena_text(&arena, (ts__str_t){large, sizeof large});
  assert_int_equal(strlen(copy), sizeof large);
}

/* Without memory, or for more than there can be, there is none. */
static void test_no_memory(void **state) {
  (void)state;
  assert_null(ts__arena_take(&arena, SIZE_MAX / 2, 3));
  heap_fail(&heap, 1, 1);
  assert_null(ts__arena_take(&arena, 1, 1));
  assert_non_null(ts__arena_take(&arena, 1, 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_pieces),
      TEST(test_texts),
      TEST(test_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
