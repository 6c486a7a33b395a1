/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "core/metadata.h"
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

static const ts__metadata_pair_t pairs[] = {
    {{"region", 6}, {"eu", 2}},
    {{"empty", 5}, {"", 0}},
};

/* An item gives back what went in, NUL-terminated, from its own memory. */
static void test_item(void **state) {
  (void)state;
  char id[] = "brk-1 and more";
  ts_metadata_t *metadata = ts__metadata_new(&mem, 1, TS__STR("\"v1\""));
  assert_int_equal(ts__metadata_add(metadata, (ts__str_t){id, 5},
                                    TS__STR("payments"), pairs, 2),
                   0);
  memset(id, 'x', sizeof(id));
  const ts_metadata_item_t *item = ts_metadata_item(metadata, 0);
  assert_string_equal(item->id, "brk-1");
  assert_string_equal(item->name, "payments");
  assert_int_equal(item->entry_count, 2);
  assert_string_equal(item->entries[0].key, "region");
  assert_string_equal(ts_metadata_value(item, "region"), "eu");
  assert_string_equal(ts_metadata_value(item, "empty"), "");
  assert_null(ts_metadata_value(item, "reg"));
  assert_string_equal(ts_metadata_etag(metadata), "\"v1\"");
  ts_metadata_unref(metadata);
}

/* An item without pairs has no table of them. */
static void test_item_without_pairs(void **state) {
  (void)state;
  ts_metadata_t *metadata = ts__metadata_new(&mem, 1, TS__STR_EMPTY);
  assert_int_equal(
      ts__metadata_add(metadata, TS__STR("r"), TS__STR_EMPTY, NULL, 0), 0);
  const ts_metadata_item_t *item = ts_metadata_item(metadata, 0);
  assert_null(item->entries);
  assert_int_equal(item->entry_count, 0);
  assert_string_equal(item->name, "");
  assert_null(ts_metadata_value(item, "any"));
  assert_null(ts_metadata_etag(metadata));
  ts_metadata_unref(metadata);
}

/* A list without items is a list all the same. */
static void test_empty_list(void **state) {
  (void)state;
  ts_metadata_t *metadata = ts__metadata_new(&mem, 0, TS__STR("e"));
  assert_non_null(metadata);
  assert_int_equal(ts_metadata_count(metadata), 0);
  assert_null(ts_metadata_item(metadata, 0));
  assert_string_equal(ts_metadata_etag(metadata), "e");
  ts_metadata_unref(metadata);
}

/* One item beyond the capacity is refused; one index beyond the end is NULL. */
static void test_capacity(void **state) {
  (void)state;
  ts_metadata_t *metadata = ts__metadata_new(&mem, 1, TS__STR_EMPTY);
  ts__str_t name = TS__STR("a");
  assert_int_equal(ts__metadata_add(metadata, name, name, pairs, 2), 0);
  assert_int_equal(ts__metadata_add(metadata, name, name, pairs, 2),
                   TS__ENOBUFS);
  assert_int_equal(ts_metadata_count(metadata), 1);
  assert_null(ts_metadata_item(metadata, 1));
  assert_null(ts_metadata_item(metadata, SIZE_MAX));
  ts_metadata_unref(metadata);
  assert_null(ts__metadata_new(&mem, SIZE_MAX / 2, TS__STR_EMPTY));
}

/* The last owner frees the list, also after whoever made it is gone. */
static void test_owners(void **state) {
  (void)state;
  ts__mem_t gone = mem;
  ts_metadata_t *metadata = ts__metadata_new(&gone, 1, TS__STR("e"));
  ts__metadata_add(metadata, TS__STR("i"), TS__STR("n"), pairs, 2);
  memset(&gone, 0, sizeof(gone));
  assert_ptr_equal(ts_metadata_ref(metadata), metadata);
  ts_metadata_unref(metadata);
  assert_string_equal(ts_metadata_item(metadata, 0)->id, "i");
  ts_metadata_unref(metadata);
  assert_int_equal(heap_balance(&heap), 0);
  ts_metadata_unref(NULL);
}

/* Every allocation failing in turn: an error, no leak, and what was there
 * stays. */
static void test_out_of_memory(void **state) {
  (void)state;
  for (size_t n = 1; n <= 3; n++) {
    heap_fail(&heap, n, 1);
    assert_null(ts__metadata_new(&mem, 2, TS__STR("e")));
    assert_int_equal(heap_balance(&heap), 0);
  }
  heap_fail(&heap, 0, 0);
  ts_metadata_t *metadata = ts__metadata_new(&mem, 2, TS__STR("e"));
  heap_fail(&heap, 1, 1);
  ts__str_t name = TS__STR("a");
  assert_int_equal(ts__metadata_add(metadata, name, name, pairs, 2),
                   TS__ENOMEM);
  assert_int_equal(ts_metadata_count(metadata), 0);
  assert_int_equal(ts__metadata_add(metadata, name, name, pairs, 2), 0);
  assert_int_equal(ts_metadata_count(metadata), 1);
  ts_metadata_unref(metadata);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_item),       TEST(test_item_without_pairs),
      TEST(test_empty_list), TEST(test_capacity),
      TEST(test_owners),     TEST(test_out_of_memory),
  };
#undef TEST
  return cmocka_run_group_tests(tests, NULL, NULL);
}
