/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/map.h"
#include "support/heap.h"

#define MANY 3000

typedef struct item_s {
  char name[24];
  unsigned visits;
  bool is_in;
} item_t;

static heap_t heap;
static ts__mem_t mem;
static ts__map_t map;
static item_t items[MANY];

static ts__str_t item_key(const void *value) {
  return ts__str(((const item_t *)value)->name);
}

static void fill(ts__env_t *env, void *bytes, size_t size) {
  (void)env;
  memset(bytes, 42, size);
}

static int setup(void **state) {
  (void)state;
  const ts__env_ops_t ops = {.random = fill};
  ts__env_t env = {.ops = &ops};
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  ts__map_init(&map, &mem, &env, item_key);
  for (int i = 0; i < MANY; i++) {
    items[i] = (item_t){0};
    snprintf(items[i].name, sizeof(items[i].name), "breaker-%d", i);
  }
  return 0;
}

static int teardown(void **state) {
  (void)state;
  ts__map_deinit(&map);
  return heap_balance(&heap) == 0 ? 0 : -1;
}

static item_t *get(const char *name) {
  return ts__map_get(&map, ts__str(name));
}

/* An empty table has nothing, takes nothing out and costs no memory. */
static void test_empty(void **state) {
  (void)state;
  size_t cursor = 0;
  assert_null(get("x"));
  assert_null(ts__map_remove(&map, TS__STR("x")));
  assert_null(ts__map_next(&map, &cursor));
  assert_int_equal(heap.allocations, 0);
}

/* What was added is found by its whole key only, the empty one included. */
static void test_finds_what_was_added(void **state) {
  (void)state;
  item_t empty = {0};
  assert_int_equal(ts__map_add(&map, &items[1]), 0);
  assert_int_equal(ts__map_add(&map, &items[10]), 0);
  assert_int_equal(ts__map_add(&map, &empty), 0);
  assert_ptr_equal(get("breaker-1"), &items[1]);
  assert_ptr_equal(get("breaker-10"), &items[10]);
  assert_ptr_equal(get(""), &empty);
  assert_null(get("breaker-"));
  assert_null(get("breaker-100"));
  assert_int_equal(map.count, 3);
}

/* A table that grew finds all its values, and stays at most three quarters
 * full and at least three eighths. */
static void test_grows(void **state) {
  (void)state;
  for (int i = 0; i < MANY; i++) {
    assert_int_equal(ts__map_add(&map, &items[i]), 0);
  }
  for (int i = 0; i < MANY; i++) {
    assert_ptr_equal(get(items[i].name), &items[i]);
  }
  assert_int_equal(map.count, MANY);
  assert_int_equal(map.capacity, 4096);
}

/* Visiting meets each value once. */
static void test_visits_each_once(void **state) {
  (void)state;
  for (int i = 0; i < 100; i++) {
    ts__map_add(&map, &items[i]);
  }
  size_t cursor = 0;
  item_t *item;
  while ((item = ts__map_next(&map, &cursor)) != NULL) {
    item->visits++;
  }
  for (int i = 0; i < 200; i++) {
    assert_int_equal(items[i].visits, i < 100 ? 1 : 0);
  }
}

/* Under long random churn, table and truth agree at every key: no gap left by
 * a removal hides what lies behind it. */
static void test_churn(void **state) {
  (void)state;
  uint32_t random = 1;
  for (int round = 0; round < 20000; round++) {
    random = random * 1664525u + 1013904223u;
    item_t *item = &items[(random >> 8) % 40];
    if (item->is_in) {
      assert_ptr_equal(ts__map_remove(&map, ts__str(item->name)), item);
    } else {
      assert_int_equal(ts__map_add(&map, item), 0);
    }
    item->is_in = !item->is_in;
    for (int i = 0; round % 16 == 0 && i < 40; i++) {
      item_t *expected = items[i].is_in ? &items[i] : NULL;
      assert_ptr_equal(get(items[i].name), expected);
    }
  }
  assert_int_equal(map.capacity, 64);
}

/* A table that cannot grow says so and keeps what it has. */
static void test_survives_out_of_memory(void **state) {
  (void)state;
  heap_fail(&heap, 1, HEAP_FOREVER);
  assert_int_equal(ts__map_add(&map, &items[0]), TS__ENOMEM);
  heap_fail(&heap, 2, HEAP_FOREVER);
  for (int i = 0; i < 6; i++) {
    assert_int_equal(ts__map_add(&map, &items[i]), 0);
  }
  assert_int_equal(ts__map_add(&map, &items[6]), TS__ENOMEM);
  assert_int_equal(map.count, 6);
  assert_ptr_equal(get("breaker-5"), &items[5]);
  assert_null(get("breaker-6"));
  heap_fail(&heap, 0, 0);
  assert_int_equal(ts__map_add(&map, &items[6]), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_empty), TEST(test_finds_what_was_added),
      TEST(test_grows), TEST(test_visits_each_once),
      TEST(test_churn), TEST(test_survives_out_of_memory),
  };
  return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
