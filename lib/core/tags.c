/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tags.h"

bool ts__tags_are_valid(const ts_tag_t *tags, size_t count) {
  if (tags == NULL) {
    return count == 0;
  }
  for (size_t i = 0; i < count; i++) {
    if (tags[i].key == NULL || tags[i].value == NULL) {
      return false;
    }
  }
  return true;
}

/* Tag i has a key, and no later tag has the same. */
static bool is_kept(const ts_tag_t *tags, size_t count, size_t i) {
  if (tags[i].key[0] == '\0') {
    return false;
  }
  for (size_t later = i + 1; later < count; later++) {
    if (strcmp(tags[i].key, tags[later].key) == 0) {
      return false;
    }
  }
  return true;
}

/* What is written so far, and what may be. */
typedef struct packing_s {
  char *to;
  size_t size;
  size_t room;
} packing_t;

/* Beyond the room only the size is counted. */
static inline void append(packing_t *packing, const char *bytes, size_t size) {
  if (packing->size <= packing->room && size <= packing->room - packing->size) {
    memcpy(packing->to + packing->size, bytes, size);
  }
  packing->size += size;
}

static bool is_under(ts__str_t key, const ts_tag_t *tags, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (ts__str_eq(key, ts__str(tags[i].key))) {
      return false;
    }
  }
  return true;
}

size_t ts__tags_pack_over(ts__str_t under, const ts_tag_t *tags, size_t count,
                          char *packed, size_t room, uint32_t *packed_count) {
  packing_t packing = {packed, 0, room};
  size_t cursor = 0;
  ts__str_t key;
  ts__str_t value;
  *packed_count = 0;
  while (ts__tags_next(under, &cursor, &key, &value)) {
    if (is_under(key, tags, count)) { /* one piece, with both NULs */
      append(&packing, key.ptr, key.len + value.len + 2);
      ++*packed_count;
    }
  }
  for (size_t i = 0; i < count; i++) {
    if (is_kept(tags, count, i)) {
      append(&packing, tags[i].key, strlen(tags[i].key) + 1);
      append(&packing, tags[i].value, strlen(tags[i].value) + 1);
      ++*packed_count;
    }
  }
  return packing.size;
}

void ts__tags_log_skipped(const ts__log_t *log, const ts_tag_t *tags,
                          size_t count) {
  if (!ts__log_is_on(log, TS_LOG_DEBUG)) {
    return;
  }
  for (size_t i = 0; i < count; i++) {
    if (tags[i].key[0] == '\0') {
      TS__LOG(log, TS_LOG_DEBUG, "skipped a tag without a key");
    }
  }
}

bool ts__tags_next(ts__str_t packed, size_t *cursor, ts__str_t *key,
                   ts__str_t *value) {
  if (*cursor >= packed.len) {
    return false;
  }
  key->ptr = packed.ptr + *cursor;
  key->len = strlen(key->ptr);
  value->ptr = key->ptr + key->len + 1;
  value->len = strlen(value->ptr);
  *cursor += key->len + value->len + 2;
  return true;
}

bool ts__tags_have(ts__str_t packed, ts__str_t key) {
  size_t cursor = 0;
  ts__str_t other;
  ts__str_t value;
  while (ts__tags_next(packed, &cursor, &other, &value)) {
    if (ts__str_eq(other, key)) {
      return true;
    }
  }
  return false;
}
