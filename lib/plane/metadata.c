/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/metadata.h"

#include <string.h>

#include "base/err.h"

/* Twenty there may be, and a request may name as many again, and more. */
#define MAX_MERGED 128u

typedef struct merge_s {
  ts_tag_t tags[MAX_MERGED];
  size_t count;
} merge_t;

/* The map itself, or in its wrapper. */
static const ts__json_t *map_of(const ts__json_t *body) {
  const ts__json_t *inner = ts__json_get(body, "metadata");
  const ts__json_t *value;
  void *cursor = NULL;
  ts__str_t key;
  size_t count = 0;
  while (ts__json_next(body, &cursor, &key, &value)) {
    count++;
  }
  return count == 1 && ts__json_type(inner) == TS__JSON_OBJECT ? inner : body;
}

static size_t find(const merge_t *merge, ts__str_t key) {
  size_t i = 0;
  while (i < merge->count && !ts__str_eq(ts__str(merge->tags[i].key), key)) {
    i++;
  }
  return i;
}

static bool set(merge_t *merge, ts__str_t key, ts__str_t text) {
  size_t i = find(merge, key);
  if (i == MAX_MERGED) {
    return false;
  }
  merge->tags[i] = (ts_tag_t){key.ptr, text.ptr};
  merge->count += i == merge->count;
  return true;
}

static void take_out(merge_t *merge, ts__str_t key) {
  size_t i = find(merge, key);
  if (i < merge->count) {
    merge->count--;
    memmove(&merge->tags[i], &merge->tags[i + 1],
            (merge->count - i) * sizeof(merge->tags[0]));
  }
}

/* An empty key is no key, whatever it is about. */
static bool apply(merge_t *merge, ts__str_t key, const ts__json_t *value) {
  ts__str_t text;
  if (key.len == 0) {
    return false;
  }
  if (ts__json_type(value) == TS__JSON_NULL) {
    take_out(merge, key);
    return true;
  }
  return ts__json_string(value, &text) && set(merge, key, text);
}

int ts__metadata_merge(ts__pairs_t *pairs, const ts__mem_t *mem,
                       const ts__json_t *body, ts__fault_t *fault) {
  merge_t merge;
  ts__pairs_t merged;
  void *cursor = NULL;
  ts__str_t key;
  const ts__json_t *value;
  const ts__json_t *map = map_of(body);
  bool good = true;
  merge.count = pairs->count;
  for (size_t i = 0; i < pairs->count; i++) {
    merge.tags[i] = pairs->items[i];
  }
  while (good && ts__json_next(map, &cursor, &key, &value)) {
    good = apply(&merge, key, value);
  }
  if (!good || !ts__pairs_are_valid(merge.tags, merge.count)) {
    return ts__fault_set(fault, "invalid_metadata", "metadata",
                         "metadata takes 20 keys of 1 to 64 characters, with "
                         "texts of at most 255");
  }
  int r = ts__pairs_copy(&merged, mem, merge.tags, merge.count);
  if (!r) {
    ts__pairs_free(pairs, mem);
    *pairs = merged;
  }
  return r;
}
