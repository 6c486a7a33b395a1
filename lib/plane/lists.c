/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/lists.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/hash.h"

static uint64_t seq_of(const void *item) {
  return ((const ts__item_t *)item)->seq;
}

static int compare_seqs(const void *a, const void *b) {
  uint64_t left = seq_of(*(void *const *)a);
  uint64_t right = seq_of(*(void *const *)b);
  return left < right ? -1 : left > right;
}

bool ts__list_view(ts__list_view_t *view, ts__ask_t *ask,
                   const ts__table_t *table) {
  view->count = table->count;
  view->items =
      ts__calloc(&ask->plane->mem, table->count + 1, sizeof(*view->items));
  if (!view->items) {
    ts__ask_no_memory(ask);
    return false;
  }
  if (table->count > 0) {
    memcpy(view->items, table->items, table->count * sizeof(*view->items));
    qsort(view->items, view->count, sizeof(*view->items), compare_seqs);
  }
  return true;
}

void ts__list_view_free(ts__list_view_t *view, ts__ask_t *ask) {
  ts__free(&ask->plane->mem, view->items);
}

/*
 * Pages
 */

/* The place, and a digest of path and filter. */
typedef struct cursor_s {
  unsigned char place[8];
  unsigned char list[8];
} cursor_t;

/* The digest's first digits do: a cursor is a convenience, no secret. */
static void digest_list(unsigned char list[8], const ts__ask_t *ask,
                        ts__str_t filter) {
  char text[2 * (TS__HASH_TEXT_LEN + 1)];
  char digest[TS__HASH_TEXT_LEN + 1];
  ts__hash_text(text, ts__str(ask->route->path));
  ts__hash_text(text + TS__HASH_TEXT_LEN, filter);
  ts__hash_text(digest, ts__str(text));
  ts__str_t project = ask->params[0];
  for (size_t i = 0; i < 8; i++) {
    list[i] = (unsigned char)digest[i];
    list[i] ^=
        project.len > 0 ? (unsigned char)project.ptr[i % project.len] : 0;
  }
}

void ts__cursor_write(char cursor[TS__CURSOR_SIZE], const ts__ask_t *ask,
                      ts__str_t filter, uint64_t place) {
  cursor_t raw;
  for (size_t i = 0; i < 8; i++) {
    raw.place[i] = (unsigned char)(place >> (56 - 8 * i));
  }
  digest_list(raw.list, ask, filter);
  ts__base64url_encode(cursor, &raw, sizeof(raw));
}

static bool read_cursor(ts__page_t *page, const ts__ask_t *ask,
                        ts__str_t filter, const char *text) {
  cursor_t raw;
  unsigned char list[8];
  if (!ts__base64url_decode(&raw, sizeof(raw), ts__str(text))) {
    return false;
  }
  page->has_cursor = true;
  page->after = 0;
  for (size_t i = 0; i < 8; i++) {
    page->after = page->after << 8 | raw.place[i];
  }
  digest_list(list, ask, filter);
  return memcmp(list, raw.list, sizeof(list)) == 0;
}

bool ts__page_read(ts__page_t *page, ts__ask_t *ask, ts__str_t filter) {
  char text[64];
  uint64_t limit = 0;
  *page = (ts__page_t){0};
  if (ts__ask_query(ask, "limit", text, sizeof(text))) {
    if (!ts__str_to_u64(ts__str(text), &limit) || limit == 0) {
      ts__ask_refuse(ask, 400, "invalid_query",
                     "limit must be a positive integer");
      return false;
    }
    page->limit = limit < TS__PAGE_MAX ? (size_t)limit : TS__PAGE_MAX;
  }
  if (ts__ask_query(ask, "cursor", text, sizeof(text)) && text[0] &&
      !read_cursor(page, ask, filter, text)) {
    ts__ask_refuse(ask, 400, "invalid_query", "The cursor is not this list's");
    return false;
  }
  return true;
}

bool ts__page_cut(const ts__page_t *page, ts__list_view_t *view,
                  char cursor[TS__CURSOR_SIZE], const ts__ask_t *ask) {
  while (page->has_cursor && view->count > 0 &&
         seq_of(view->items[0]) <= page->after) {
    view->items++;
    view->count--;
  }
  if (page->limit == 0 || view->count <= page->limit) {
    return false;
  }
  view->count = page->limit;
  ts__cursor_write(cursor, ask, TS__STR_EMPTY,
                   seq_of(view->items[view->count - 1]));
  return true;
}
