/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_LISTS_H
#define TS_PLANE_LISTS_H

/*
 * Lists of items, in the order of their creation, and pages of them. A cursor
 * is opaque to callers: base64url of the place of a page's last item and of a
 * digest of the filter, so that it fits this list only.
 */

#include "plane/api.h"

#define TS__PAGE_DEFAULT 50u
#define TS__PAGE_MAX 200u

/* All items of a table (each begins with a ts__item_t), by creation. */
typedef struct ts__list_view_s {
  void **items;
  size_t count;
} ts__list_view_t;

/* Answers and returns false when out of memory. */
bool ts__list_view(ts__list_view_t *view, ts__ask_t *ask,
                   const ts__table_t *table);
void ts__list_view_free(ts__list_view_t *view, ts__ask_t *ask);

/* What a request asks for. */
typedef struct ts__page_s {
  size_t limit;   /* 0: it was not given */
  uint64_t after; /* the place behind which to begin */
  bool has_cursor;
} ts__page_t;

/* Read limit and cursor; `filter` is what else the list depends on. Answers and
 * returns false if one is wrong. */
bool ts__page_read(ts__page_t *page, ts__ask_t *ask, ts__str_t filter);

#define TS__CURSOR_SIZE 48u

/* The cursor of a page that ends at this place. */
void ts__cursor_write(char cursor[TS__CURSOR_SIZE], const ts__ask_t *ask,
                      ts__str_t filter, uint64_t place);

/* Narrow a view to what the page shows. True: there is more, and the cursor is
 * written. Without a limit everything behind the cursor is shown. */
bool ts__page_cut(const ts__page_t *page, ts__list_view_t *view,
                  char cursor[TS__CURSOR_SIZE], const ts__ask_t *ask);

#endif /* TS_PLANE_LISTS_H */
