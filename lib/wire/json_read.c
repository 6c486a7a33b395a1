/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_read.h"

#include <jansson.h>

#include "base/bounds.h"
#include "base/err.h"
#include "wire/json_write.h"

/*
 * A document is its root value, and values are jansson's own, under names of
 * ours: nothing is copied and nothing of jansson shows.
 *
 * Integers that do not fit an int64 are legal JSON, which jansson refuses. Such
 * a text is read again with all of its integers as doubles; numbers up to 2^53
 * lose nothing by it. Numbers beyond the range of a double stay refused.
 */

/* jansson's iterators want the object writable, and leave it alone. */
static json_t *writable(const ts__json_t *value) {
  return (json_t *)(uintptr_t)value;
}

static const json_t *native(const ts__json_t *value) {
  return (const json_t *)(const void *)value;
}

static const ts__json_t *ours(const json_t *value) {
  return (const ts__json_t *)(const void *)value;
}

/* The index behind the string that begins before `i`. */
static size_t skip_string(ts__str_t text, size_t i) {
  while (i < text.len && text.ptr[i] != '"') {
    i += text.ptr[i] == '\\' ? 2 : 1;
  }
  return i + 1;
}

/* Brackets are counted before jansson sees the text: nesting costs nothing
 * here, while jansson would build every level. A short text, as events are, has
 * no room for so many that are closed again. */
static bool is_too_deep(ts__str_t text) {
  if (text.len <= 2 * TS__MAX_JSON_DEPTH) {
    return false;
  }
  size_t depth = 0;
  size_t i = 0;
  while (i < text.len) {
    char c = text.ptr[i++];
    if (c == '"') {
      i = skip_string(text, i);
    } else if (c == '[' || c == '{') {
      if (++depth > TS__MAX_JSON_DEPTH) {
        return true;
      }
    } else if ((c == ']' || c == '}') && depth > 0) {
      depth--;
    }
  }
  return false;
}

/* No JSON text has a NUL byte; jansson overlooks one behind a number. */
static bool has_nul(ts__str_t text) {
  return memchr(text.ptr, '\0', text.len) != NULL;
}

static int error_of(const json_error_t *error) {
  switch (json_error_code(error)) {
  case json_error_unknown: /* what jansson leaves when an allocation fails */
  case json_error_out_of_memory:
    return TS__ENOMEM;
  default:
    return TS_EPARSE;
  }
}

int ts__json_parse(ts__json_doc_t **doc, ts__str_t text, size_t max_len) {
  *doc = NULL;
  if (text.len == 0 || text.len > max_len || has_nul(text) ||
      is_too_deep(text)) {
    return TS_EPARSE;
  }
  json_error_t error = {0}; /* out of memory early on, nothing is filled in */
  json_t *root = json_loadb(text.ptr, text.len, JSON_DECODE_ANY, &error);
  if (!root && json_error_code(&error) == json_error_numeric_overflow) {
    root = json_loadb(text.ptr, text.len,
                      JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &error);
  }
  *doc = (ts__json_doc_t *)(void *)root;
  return root ? 0 : error_of(&error);
}

void ts__json_free(ts__json_doc_t *doc) { json_decref((json_t *)(void *)doc); }

const ts__json_t *ts__json_root(const ts__json_doc_t *doc) {
  return (const ts__json_t *)(const void *)doc;
}

ts__json_type_t ts__json_type(const ts__json_t *value) {
  if (!value) {
    return TS__JSON_NONE;
  }
  switch (json_typeof(native(value))) {
  case JSON_OBJECT:
    return TS__JSON_OBJECT;
  case JSON_ARRAY:
    return TS__JSON_ARRAY;
  case JSON_STRING:
    return TS__JSON_STRING;
  case JSON_INTEGER:
    return TS__JSON_INTEGER;
  case JSON_REAL:
    return TS__JSON_REAL;
  case JSON_TRUE:
  case JSON_FALSE:
    return TS__JSON_BOOL;
  case JSON_NULL:
    return TS__JSON_NULL;
  }
  return TS__JSON_NONE;
}

const ts__json_t *ts__json_get(const ts__json_t *value, const char *key) {
  return ours(json_object_get(native(value), key));
}

size_t ts__json_count(const ts__json_t *value) {
  return json_array_size(native(value));
}

const ts__json_t *ts__json_at(const ts__json_t *value, size_t i) {
  return ours(json_array_get(native(value), i));
}

bool ts__json_next(const ts__json_t *object, void **cursor, ts__str_t *key,
                   const ts__json_t **value) {
  *cursor = *cursor ? json_object_iter_next(writable(object), *cursor)
                    : json_object_iter(writable(object));
  if (!*cursor) {
    return false;
  }
  *key = ts__str(json_object_iter_key(*cursor));
  *value = ours(json_object_iter_value(*cursor));
  return true;
}

bool ts__json_string(const ts__json_t *value, ts__str_t *text) {
  if (!json_is_string(native(value))) {
    return false;
  }
  *text = (ts__str_t){json_string_value(native(value)),
                      json_string_length(native(value))};
  return true;
}

bool ts__json_bool(const ts__json_t *value, bool *flag) {
  if (!json_is_boolean(native(value))) {
    return false;
  }
  *flag = json_is_true(native(value));
  return true;
}

bool ts__json_number(const ts__json_t *value, double *number) {
  if (!json_is_number(native(value))) {
    return false;
  }
  *number = json_number_value(native(value));
  return true;
}

bool ts__json_integer(const ts__json_t *value, int64_t *number) {
  if (json_is_integer(native(value))) {
    *number = json_integer_value(native(value));
    return true;
  }
  if (!json_is_real(native(value))) {
    return false;
  }
  /* 2^63 is a double, the largest int64 is not. */
  double real = json_real_value(native(value));
  if (!(real >= -0x1p63 && real < 0x1p63) || (double)(int64_t)real != real) {
    return false;
  }
  *number = (int64_t)real;
  return true;
}

/* ------------------------------------------------------------ writing back */

static int write_items(ts__buf_t *buf, const ts__json_t *array) {
  int error = ts__buf_append_char(buf, '[');
  for (size_t i = 0; i < ts__json_count(array) && error == 0; i++) {
    error = i > 0 ? ts__buf_append_char(buf, ',') : 0;
    if (error == 0) {
      error = ts__json_write_value(buf, ts__json_at(array, i));
    }
  }
  return error != 0 ? error : ts__buf_append_char(buf, ']');
}

static int write_members(ts__buf_t *buf, const ts__json_t *object) {
  void *cursor = NULL;
  const ts__json_t *value = NULL;
  ts__str_t key;
  int error = ts__buf_append_char(buf, '{');
  for (bool first = true;
       error == 0 && ts__json_next(object, &cursor, &key, &value);
       first = false) {
    error = first ? 0 : ts__buf_append_char(buf, ',');
    if (error == 0 && (error = ts__json_write_string(buf, key)) == 0 &&
        (error = ts__buf_append_char(buf, ':')) == 0) {
      error = ts__json_write_value(buf, value);
    }
  }
  return error != 0 ? error : ts__buf_append_char(buf, '}');
}

static int write_scalar(ts__buf_t *buf, const ts__json_t *value) {
  ts__str_t text;
  int64_t integer = 0;
  double real = 0;
  bool flag = false;
  if (ts__json_string(value, &text)) {
    return ts__json_write_string(buf, text);
  }
  if (ts__json_bool(value, &flag)) {
    return ts__json_write_bool(buf, flag);
  }
  if (ts__json_type(value) == TS__JSON_INTEGER &&
      ts__json_integer(value, &integer)) {
    return ts__json_write_int(buf, integer);
  }
  return ts__json_number(value, &real) ? ts__json_write_double(buf, real)
                                       : ts__buf_append(buf, TS__STR("null"));
}

/* As deep as the bound on what is read. */
int ts__json_write_value(ts__buf_t *buf, const ts__json_t *value) {
  switch (ts__json_type(value)) {
  case TS__JSON_ARRAY:
    return write_items(buf, value);
  case TS__JSON_OBJECT:
    return write_members(buf, value);
  default:
    return write_scalar(buf, value);
  }
}
