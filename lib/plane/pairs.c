/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/pairs.h"

#include <string.h>

#include "base/err.h"

#define MAX_PAIRS 20u
#define MAX_PAIR_KEY 64u
#define MAX_PAIR_VALUE 255u

size_t ts__count_chars(const char *text) {
  size_t count = 0;
  for (; *text; text++) {
    count += ((unsigned char)*text & 0xc0) != 0x80;
  }
  return count;
}

static bool has_key_before(const ts_tag_t *items, size_t i) {
  for (size_t k = 0; k < i; k++) {
    if (strcmp(items[k].key, items[i].key) == 0) {
      return true;
    }
  }
  return false;
}

bool ts__pairs_are_valid(const ts_tag_t *items, size_t count) {
  if (count > MAX_PAIRS || (count > 0 && !items)) {
    return false;
  }
  for (size_t i = 0; i < count; i++) {
    if (!items[i].key || !items[i].value || !items[i].key[0] ||
        ts__count_chars(items[i].key) > MAX_PAIR_KEY ||
        ts__count_chars(items[i].value) > MAX_PAIR_VALUE ||
        has_key_before(items, i)) {
      return false;
    }
  }
  return true;
}

static char *put(char **at, const char *text) {
  char *start = *at;
  size_t size = strlen(text) + 1;
  memcpy(start, text, size);
  *at += size;
  return start;
}

int ts__pairs_copy(ts__pairs_t *pairs, const ts__mem_t *mem,
                   const ts_tag_t *items, size_t count) {
  size_t size = count * sizeof(*items);
  *pairs = (ts__pairs_t){0};
  if (count == 0) {
    return 0;
  }
  for (size_t i = 0; i < count; i++) {
    size += strlen(items[i].key) + strlen(items[i].value) + 2;
  }
  ts_tag_t *copy = ts__malloc(mem, size);
  if (!copy) {
    return TS__ENOMEM;
  }
  char *at = (char *)(copy + count);
  for (size_t i = 0; i < count; i++) {
    copy[i].key = put(&at, items[i].key);
    copy[i].value = put(&at, items[i].value);
  }
  *pairs = (ts__pairs_t){copy, count};
  return 0;
}

void ts__pairs_free(ts__pairs_t *pairs, const ts__mem_t *mem) {
  ts__free(mem, pairs->items);
  *pairs = (ts__pairs_t){0};
}
