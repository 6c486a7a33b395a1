/* SPDX-License-Identifier: Apache-2.0 */
#include "core/metadata.h"

#include <assert.h>

#include "base/err.h"

typedef struct item_s {
  ts_metadata_item_t view; /* what the user sees; points into `memory` */
  void *memory;
} item_t;

struct ts_metadata_s {
  ts__mem_t mem;
  size_t refs;
  char *etag;
  size_t capacity;
  size_t count;
  item_t *items;
};

/* Copies one string into the block, NUL-terminated, and moves on behind it. */
static const char *put(char **at, ts__str_t text) {
  char *copy = *at;
  if (text.len > 0) {
    memcpy(copy, text.ptr, text.len);
  }
  copy[text.len] = '\0';
  *at = copy + text.len + 1;
  return copy;
}

ts_metadata_t *ts__metadata_new(const ts__mem_t *mem, size_t capacity,
                                ts__str_t etag) {
  ts_metadata_t *metadata = ts__calloc(mem, 1, sizeof(*metadata));
  if (metadata == NULL) {
    return NULL;
  }
  metadata->mem = *mem;
  metadata->refs = 1;
  metadata->capacity = capacity;
  if (capacity > 0) {
    metadata->items = ts__calloc(mem, capacity, sizeof(*metadata->items));
  }
  if (etag.len > 0) {
    metadata->etag = ts__malloc(mem, etag.len + 1);
  }
  if ((capacity > 0 && metadata->items == NULL) ||
      (etag.len > 0 && metadata->etag == NULL)) {
    ts_metadata_unref(metadata);
    return NULL;
  }
  if (etag.len > 0) {
    char *at = metadata->etag;
    put(&at, etag);
  }
  return metadata;
}

/* The bytes of one item: its table of pairs and every string behind it. The
 * sum cannot overflow, for all of it is in memory already. */
static size_t item_size(ts__str_t id, ts__str_t name,
                        const ts__metadata_pair_t *pairs, size_t pair_count) {
  size_t size = pair_count * sizeof(ts_tag_t) + id.len + name.len + 2;
  for (size_t i = 0; i < pair_count; i++) {
    size += pairs[i].key.len + pairs[i].value.len + 2;
  }
  return size;
}

int ts__metadata_add(ts_metadata_t *metadata, ts__str_t id, ts__str_t name,
                     const ts__metadata_pair_t *pairs, size_t pair_count) {
  if (metadata->count == metadata->capacity) {
    return TS__ENOBUFS;
  }
  void *memory =
      ts__malloc(&metadata->mem, item_size(id, name, pairs, pair_count));
  if (memory == NULL) {
    return TS__ENOMEM;
  }
  ts_tag_t *entries = memory;
  char *at = (char *)memory + pair_count * sizeof(*entries);
  item_t *item = &metadata->items[metadata->count++];
  item->memory = memory;
  item->view.id = put(&at, id);
  item->view.name = put(&at, name);
  item->view.entries = pair_count > 0 ? entries : NULL;
  item->view.entry_count = pair_count;
  for (size_t i = 0; i < pair_count; i++) {
    entries[i].key = put(&at, pairs[i].key);
    entries[i].value = put(&at, pairs[i].value);
  }
  return 0;
}

size_t ts_metadata_count(const ts_metadata_t *metadata) {
  return metadata->count;
}

const ts_metadata_item_t *ts_metadata_item(const ts_metadata_t *metadata,
                                           size_t i) {
  return i < metadata->count ? &metadata->items[i].view : NULL;
}

const char *ts_metadata_value(const ts_metadata_item_t *item, const char *key) {
  for (size_t i = 0; i < item->entry_count; i++) {
    if (strcmp(item->entries[i].key, key) == 0) {
      return item->entries[i].value;
    }
  }
  return NULL;
}

const char *ts_metadata_etag(const ts_metadata_t *metadata) {
  return metadata->etag;
}

ts_metadata_t *ts_metadata_ref(ts_metadata_t *metadata) {
  metadata->refs++;
  return metadata;
}

void ts_metadata_unref(ts_metadata_t *metadata) {
  if (metadata == NULL) {
    return;
  }
  assert(metadata->refs > 0);
  if (--metadata->refs > 0) {
    return;
  }
  /* The memory functions live inside the object that they free. */
  ts__mem_t mem = metadata->mem;
  for (size_t i = 0; i < metadata->count; i++) {
    ts__free(&mem, metadata->items[i].memory);
  }
  ts__free(&mem, metadata->items);
  ts__free(&mem, metadata->etag);
  ts__free(&mem, metadata);
}
