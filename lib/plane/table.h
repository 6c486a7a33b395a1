/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_TABLE_H
#define TS_PLANE_TABLE_H

/* Pointers in the order of their keys, which their values own: look-up by
 * halving, and lists that come out sorted. */

#include "base/mem.h"
#include "base/str.h"

typedef struct ts__table_s {
  const ts__mem_t *mem;
  ts__str_t (*key_of)(const void *value);
  void **items;
  size_t count;
  size_t capacity;
} ts__table_t;

void ts__table_init(ts__table_t *table, const ts__mem_t *mem,
                    ts__str_t (*key_of)(const void *value));
void ts__table_deinit(ts__table_t *table); /* the table, not the values */

/* The value with this key, or NULL. */
void *ts__table_get(const ts__table_t *table, ts__str_t key);

/* Make sure that the next `more` additions cannot fail. 0 or TS__ENOMEM. */
int ts__table_reserve(ts__table_t *table, size_t more);

/* Add a value whose key is not there yet. 0 or TS__ENOMEM. */
int ts__table_add(ts__table_t *table, void *value);

/* Take a key out, if it is there. */
void ts__table_remove(ts__table_t *table, ts__str_t key);

#endif /* TS_PLANE_TABLE_H */
