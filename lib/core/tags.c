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

size_t ts__tags_measure(const ts_tag_t *tags, size_t count,
                        uint32_t *packed_count) {
  size_t size = 0;
  *packed_count = 0;
  for (size_t i = 0; i < count; i++) {
    if (is_kept(tags, count, i)) {
      size += strlen(tags[i].key) + strlen(tags[i].value) + 2;
      ++*packed_count;
    }
  }
  return size;
}

static char *append(char *to, const char *text) {
  const size_t size = strlen(text) + 1;
  memcpy(to, text, size);
  return to + size;
}

void ts__tags_pack(const ts_tag_t *tags, size_t count, char *packed) {
  for (size_t i = 0; i < count; i++) {
    if (is_kept(tags, count, i)) {
      packed = append(packed, tags[i].key);
      packed = append(packed, tags[i].value);
    }
  }
}

static bool is_under(ts__str_t key, const ts_tag_t *tags, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (ts__str_eq(key, ts__str(tags[i].key))) {
      return false;
    }
  }
  return true;
}

size_t ts__tags_measure_over(ts__str_t under, const ts_tag_t *tags,
                             size_t count, uint32_t *packed_count) {
  size_t size = ts__tags_measure(tags, count, packed_count);
  size_t cursor = 0;
  ts__str_t key;
  ts__str_t value;
  while (ts__tags_next(under, &cursor, &key, &value)) {
    if (is_under(key, tags, count)) {
      size += key.len + value.len + 2;
      ++*packed_count;
    }
  }
  return size;
}

void ts__tags_pack_over(ts__str_t under, const ts_tag_t *tags, size_t count,
                        char *packed) {
  size_t cursor = 0;
  ts__str_t key;
  ts__str_t value;
  while (ts__tags_next(under, &cursor, &key, &value)) {
    if (is_under(key, tags, count)) {
      const size_t size = key.len + value.len + 2; /* one piece, with NULs */
      memcpy(packed, key.ptr, size);
      packed += size;
    }
  }
  ts__tags_pack(tags, count, packed);
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
