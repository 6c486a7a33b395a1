/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/table.h"

#include "base/err.h"

void ts__table_init(ts__table_t *table, const ts__mem_t *mem,
                    ts__str_t (*key_of)(const void *value)) {
  *table = (ts__table_t){.mem = mem, .key_of = key_of};
}

void ts__table_deinit(ts__table_t *table) {
  ts__free(table->mem, table->items);
  ts__table_init(table, table->mem, table->key_of);
}

/* By bytes, as strcmp would. */
static int compare(ts__str_t a, ts__str_t b) {
  size_t len = a.len < b.len ? a.len : b.len;
  int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;
  if (order == 0 && a.len != b.len) {
    order = a.len < b.len ? -1 : 1;
  }
  return order;
}

/* The first index whose key is not below. */
static size_t lower_bound(const ts__table_t *table, ts__str_t key) {
  size_t low = 0;
  size_t high = table->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (compare(table->key_of(table->items[middle]), key) < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

static bool is_at(const ts__table_t *table, size_t i, ts__str_t key) {
  return i < table->count && ts__str_eq(table->key_of(table->items[i]), key);
}

void *ts__table_get(const ts__table_t *table, ts__str_t key) {
  size_t i = lower_bound(table, key);
  return is_at(table, i, key) ? table->items[i] : NULL;
}

int ts__table_reserve(ts__table_t *table, size_t more) {
  size_t capacity = table->capacity ? table->capacity : 8;
  while (capacity - table->count < more) {
    capacity *= 2;
  }
  if (capacity == table->capacity) {
    return 0;
  }
  void **items = ts__realloc_array(table->mem, table->items, capacity,
                                   sizeof(*table->items));
  if (!items) {
    return TS__ENOMEM;
  }
  table->items = items;
  table->capacity = capacity;
  return 0;
}

int ts__table_add(ts__table_t *table, void *value) {
  int r = ts__table_reserve(table, 1);
  if (r) {
    return r;
  }
  size_t i = lower_bound(table, table->key_of(value));
  memmove(&table->items[i + 1], &table->items[i],
          (table->count - i) * sizeof(*table->items));
  table->items[i] = value;
  table->count++;
  return 0;
}

void ts__table_remove(ts__table_t *table, ts__str_t key) {
  size_t i = lower_bound(table, key);
  if (is_at(table, i, key)) {
    table->count--;
    memmove(&table->items[i], &table->items[i + 1],
            (table->count - i) * sizeof(*table->items));
  }
}
