/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "plane/table.h"
#include "support/heap.h"

static ts__str_t key_of(const void *value) { return ts__str(value); }

/* Whatever the order of adding, values come out by key and are found again. */
static void test_sorted(void **state) {
  (void)state;
  static char names[][4] = {"m", "b", "z", "a", "ab", "c", "B", "y", "x", "aa"};
  const char *sorted[] = {"B", "a", "aa", "ab", "b", "c", "m", "x", "y", "z"};
  ts__mem_t mem;
  ts__table_t table;
  ts__mem_init(&mem, NULL);
  ts__table_init(&table, &mem, key_of);
  for (size_t i = 0; i < 10; i++) {
    assert_int_equal(ts__table_add(&table, names[i]), 0);
  }
  for (size_t i = 0; i < 10; i++) {
    assert_string_equal(table.items[i], sorted[i]);
    assert_ptr_equal(ts__table_get(&table, ts__str(names[i])), names[i]);
  }
  assert_null(ts__table_get(&table, TS__STR("abc")));
  ts__table_deinit(&table);
}

/* What is taken out is gone, and taking out what is not there does nothing. */
static void test_remove(void **state) {
  (void)state;
  static char names[][4] = {"a", "b", "c"};
  ts__mem_t mem;
  ts__table_t table;
  ts__mem_init(&mem, NULL);
  ts__table_init(&table, &mem, key_of);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(ts__table_add(&table, names[i]), 0);
  }
  ts__table_remove(&table, TS__STR("b"));
  ts__table_remove(&table, TS__STR("b"));
  assert_int_equal(table.count, 2);
  assert_null(ts__table_get(&table, TS__STR("b")));
  assert_non_null(ts__table_get(&table, TS__STR("c")));
  ts__table_deinit(&table);
}

/* Without memory nothing is added, and the rest stays. */
static void test_out_of_memory(void **state) {
  (void)state;
  static char names[9][4] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
  heap_t heap;
  ts__mem_t mem;
  ts__table_t table;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  ts__table_init(&table, &mem, key_of);
  for (size_t i = 0; i < 8; i++) {
    assert_int_equal(ts__table_add(&table, names[i]), 0);
  }
  heap_fail(&heap, 1, 1);
  assert_int_equal(ts__table_add(&table, names[8]), TS__ENOMEM);
  assert_int_equal(table.count, 8);
  assert_int_equal(ts__table_add(&table, names[8]), 0);
  ts__table_deinit(&table);
  assert_int_equal(heap_balance(&heap), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sorted),
      cmocka_unit_test(test_remove),
      cmocka_unit_test(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
