/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

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

/* A snapshot with nothing but these. */
static ts_metadata_t *make(const ts__metadata_entry_t *entries, size_t count,
                           ts__str_t etag) {
  ts__metadata_plan_t plan = {0};
  for (size_t i = 0; i < count; i++) {
    ts__metadata_plan(&plan, &entries[i]);
  }
  ts_metadata_t *metadata = ts__metadata_new(&mem, &plan, etag);
  for (size_t i = 0; i < count && metadata != NULL; i++) {
    ts__metadata_add(metadata, &entries[i]);
  }
  return metadata;
}

/* An item gives back what went in, NUL-terminated, from its own memory. */
static void test_item(void **state) {
  (void)state;
  char id[] = "brk-1 and more";
  const ts__metadata_entry_t entry = {{id, 5}, TS__STR("payments"), pairs, 2};
  ts_metadata_t *metadata = make(&entry, 1, TS__STR("\"v1\""));
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
  const ts__metadata_entry_t entry = {TS__STR("r"), TS__STR_EMPTY, NULL, 0};
  ts_metadata_t *metadata = make(&entry, 1, TS__STR_EMPTY);
  const ts_metadata_item_t *item = ts_metadata_item(metadata, 0);
  assert_null(item->entries);
  assert_int_equal(item->entry_count, 0);
  assert_string_equal(item->name, "");
  assert_null(ts_metadata_value(item, "any"));
  assert_null(ts_metadata_etag(metadata));
  ts_metadata_unref(metadata);
}

/* Many items share one block, each with its own pairs and strings. */
static void test_many_items(void **state) {
  (void)state;
  ts__metadata_entry_t entries[100];
  char names[100][8];
  for (size_t i = 0; i < 100; i++) {
    const int len = snprintf(names[i], sizeof names[i], "n%zu", i);
    entries[i] = (ts__metadata_entry_t){
        {names[i], (size_t)len}, {names[i], 1}, pairs, i % 3};
  }
  ts_metadata_t *metadata = make(entries, 100, TS__STR("e"));
  assert_int_equal(heap_balance(&heap), 1);
  assert_int_equal(ts_metadata_count(metadata), 100);
  for (size_t i = 0; i < 100; i++) {
    const ts_metadata_item_t *item = ts_metadata_item(metadata, i);
    assert_string_equal(item->id, names[i]);
    assert_string_equal(item->name, "n");
    assert_int_equal(item->entry_count, i % 3);
    assert_int_equal(ts_metadata_value(item, "empty") != NULL, i % 3 == 2);
  }
  assert_null(ts_metadata_item(metadata, 100));
  assert_null(ts_metadata_item(metadata, SIZE_MAX));
  ts_metadata_unref(metadata);
}

/* A list without items is a list all the same. */
static void test_empty_list(void **state) {
  (void)state;
  ts_metadata_t *metadata = make(NULL, 0, TS__STR("e"));
  assert_non_null(metadata);
  assert_int_equal(ts_metadata_count(metadata), 0);
  assert_null(ts_metadata_item(metadata, 0));
  assert_string_equal(ts_metadata_etag(metadata), "e");
  ts_metadata_unref(metadata);
}

/* The last owner frees the list, also after whoever made it is gone. */
static void test_owners(void **state) {
  (void)state;
  const ts__metadata_plan_t plan = {0};
  ts__mem_t gone = mem;
  ts_metadata_t *metadata = ts__metadata_new(&gone, &plan, TS__STR("e"));
  memset(&gone, 0, sizeof(gone));
  assert_ptr_equal(ts_metadata_ref(metadata), metadata);
  ts_metadata_unref(metadata);
  assert_string_equal(ts_metadata_etag(metadata), "e");
  ts_metadata_unref(metadata);
  assert_int_equal(heap_balance(&heap), 0);
  ts_metadata_unref(NULL);
}

/* Without memory there is no list, and no leak. */
static void test_out_of_memory(void **state) {
  (void)state;
  heap_fail(&heap, 1, 1);
  assert_null(make(NULL, 0, TS__STR("e")));
  assert_int_equal(heap_balance(&heap), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_item),       TEST(test_item_without_pairs),
      TEST(test_many_items), TEST(test_empty_list),
      TEST(test_owners),     TEST(test_out_of_memory),
  };
#undef TEST
  return cmocka_run_group_tests(tests, NULL, NULL);
}
