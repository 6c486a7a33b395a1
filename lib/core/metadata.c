/* SPDX-License-Identifier: Apache-2.0 */
#include "core/metadata.h"

#include <assert.h>

/* One block: this, the items, the pairs of all items, the strings of all. */
struct ts_metadata_s {
  ts__mem_t mem;
  size_t refs;
  const char *etag;
  size_t count;
  ts_tag_t *pairs; /* where the next item's go */
  char *text;      /* where the next string goes */
  char *end;
  ts_metadata_item_t items[];
};

/* Copies one string into the block, NUL-terminated, and moves on behind it. */
static const char *put(ts_metadata_t *metadata, ts__str_t text) {
  char *copy = metadata->text;
  assert((size_t)(metadata->end - copy) > text.len);
  if (text.len > 0) {
    memcpy(copy, text.ptr, text.len);
  }
  copy[text.len] = '\0';
  metadata->text = copy + text.len + 1;
  return copy;
}

/* The sums cannot overflow, for all of it is in memory already. */
void ts__metadata_plan(ts__metadata_plan_t *plan,
                       const ts__metadata_entry_t *entry) {
  plan->items++;
  plan->pairs += entry->pair_count;
  plan->text += entry->id.len + entry->name.len + 2;
  for (size_t i = 0; i < entry->pair_count; i++) {
    plan->text += entry->pairs[i].key.len + entry->pairs[i].value.len + 2;
  }
}

ts_metadata_t *ts__metadata_new(const ts__mem_t *mem,
                                const ts__metadata_plan_t *plan,
                                ts__str_t etag) {
  const size_t heads = sizeof(ts_metadata_t) +
                       plan->items * sizeof(ts_metadata_item_t) +
                       plan->pairs * sizeof(ts_tag_t);
  const size_t size = heads + plan->text + etag.len + 1;
  ts_metadata_t *metadata = ts__malloc(mem, size);
  if (metadata == NULL) {
    return NULL;
  }
  *metadata = (ts_metadata_t){.mem = *mem, .refs = 1};
  metadata->pairs = (ts_tag_t *)(metadata->items + plan->items);
  metadata->text = (char *)metadata + heads;
  metadata->end = (char *)metadata + size;
  if (etag.len > 0) {
    metadata->etag = put(metadata, etag);
  }
  return metadata;
}

void ts__metadata_add(ts_metadata_t *metadata,
                      const ts__metadata_entry_t *entry) {
  ts_metadata_item_t *item = &metadata->items[metadata->count++];
  ts_tag_t *pairs = metadata->pairs;
  *item = (ts_metadata_item_t){
      .id = put(metadata, entry->id),
      .name = put(metadata, entry->name),
      .entries = entry->pair_count > 0 ? pairs : NULL,
      .entry_count = entry->pair_count,
  };
  for (size_t i = 0; i < entry->pair_count; i++) {
    pairs[i].key = put(metadata, entry->pairs[i].key);
    pairs[i].value = put(metadata, entry->pairs[i].value);
  }
  metadata->pairs += entry->pair_count;
}

size_t ts_metadata_count(const ts_metadata_t *metadata) {
  return metadata->count;
}

const ts_metadata_item_t *ts_metadata_item(const ts_metadata_t *metadata,
                                           size_t i) {
  return i < metadata->count ? &metadata->items[i] : NULL;
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
  if (--metadata->refs == 0) {
    /* The memory functions live inside the object that they free. */
    const ts__mem_t mem = metadata->mem;
    ts__free(&mem, metadata);
  }
}
