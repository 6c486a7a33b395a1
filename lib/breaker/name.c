/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/str.h"
#include "breaker/internal.h"

/* Names of breakers from templates. */

typedef struct writer_s {
  char *at; /* NULL: only counted */
  size_t room;
  size_t len;
} writer_t;

static void put(writer_t *writer, char c) {
  if (writer->len < writer->room) {
    writer->at[writer->len] = c;
  }
  writer->len++;
}

static bool is_plain(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c >= '0' && c <= '9') || (c != '\0' && strchr("._:/@-", c) != NULL);
}

static void put_encoded(writer_t *writer, const char *text) {
  static const char digits[] = "0123456789ABCDEF";
  for (; *text != '\0'; text++) {
    const unsigned char byte = (unsigned char)*text;
    if (is_plain(*text)) {
      put(writer, *text);
    } else {
      put(writer, '%');
      put(writer, digits[byte >> 4]);
      put(writer, digits[byte & 15]);
    }
  }
}

static const char *find_value(ts__str_t key, const ts_name_key_t *keys,
                              size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (keys[i].key != NULL && ts__str_eq(key, ts__str(keys[i].key))) {
      return ts__is_blank(keys[i].value) ? NULL : keys[i].value;
    }
  }
  return NULL;
}

/* Behind the closing brace, or NULL: no such key, or no brace. */
static const char *put_key(writer_t *writer, const char *at,
                           const ts_name_key_t *keys, size_t count) {
  const char *end = strchr(at, '}');
  if (end == NULL) {
    return NULL;
  }
  const char *value =
      find_value((ts__str_t){at, (size_t)(end - at)}, keys, count);
  if (value == NULL) {
    return NULL;
  }
  put_encoded(writer, value);
  return end + 1;
}

static bool fill(writer_t *writer, const char *at, const ts_name_key_t *keys,
                 size_t count) {
  while (at != NULL && *at != '\0' && writer->len <= TS__MAX_LOCAL_NAME) {
    const bool is_brace = *at == '{' || *at == '}';
    if (!is_brace || at[1] == *at) {
      put(writer, *at);
      at += is_brace ? 2 : 1;
    } else {
      at = *at == '{' ? put_key(writer, at + 1, keys, count) : NULL;
    }
  }
  return at != NULL;
}

int ts_breaker_name_fmt(char *name, size_t size, const char *name_template,
                        const ts_name_key_t *keys, size_t key_count) {
  writer_t writer = {name, size > 0 ? size - 1 : 0, 0};
  if (name_template == NULL || (keys == NULL && key_count > 0) ||
      (name == NULL && size > 0) ||
      !fill(&writer, name_template, keys, key_count) || writer.len == 0 ||
      writer.len > TS__MAX_LOCAL_NAME) {
    return TS__EINVAL;
  }
  if (size > 0) {
    name[writer.len < size ? writer.len : size - 1] = '\0';
  }
  return (int)writer.len;
}
