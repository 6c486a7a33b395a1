/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

/* More than any resource takes of words. */
#define MAX_WORDS 16u

/* A request's metadata before its limits are checked. */
#define MAX_READ_PAIRS 64u

static void *at(void *structure, const ts__field_t *field) {
  return (char *)structure + field->offset;
}

static const void *at_const(const void *structure, const ts__field_t *field) {
  return (const char *)structure + field->offset;
}

static char *text_of(const void *structure, const ts__field_t *field) {
  return *(char *const *)at_const(structure, field);
}

/* Enums have the size of an int, whatever their sign. */
static int enum_of(const void *structure, const ts__field_t *field) {
  int value = 0;
  memcpy(&value, at_const(structure, field), sizeof(value));
  return value;
}

static void set_enum(void *structure, const ts__field_t *field, int value) {
  memcpy(at(structure, field), &value, sizeof(value));
}

static int count_words(const ts__field_t *field) {
  int count = 0;
  while (field->words[count]) {
    count++;
  }
  return count;
}

/* The word's place from 1, or 0. */
static int find_word(const ts__field_t *field, ts__str_t word) {
  for (int i = 0; field->words[i]; i++) {
    if (ts__str_eq(word, ts__str(field->words[i]))) {
      return i + 1;
    }
  }
  return 0;
}

/*
 * Defaults
 */

static bool is_owned(const ts__field_t *field) {
  return field->type == TS__FIELD_TEXT || field->type == TS__FIELD_OBJECT ||
         field->type == TS__FIELD_PAIRS;
}

/* What is owned begins as nothing. */
static void set_default(const ts__field_t *field, void *to) {
  switch (field->type) {
  case TS__FIELD_TEXT:
  case TS__FIELD_OBJECT:
    *(char **)at(to, field) = NULL;
    return;
  case TS__FIELD_PAIRS:
    *(ts__pairs_t *)at(to, field) = (ts__pairs_t){0};
    return;
  case TS__FIELD_INTEGER:
    *(int64_t *)at(to, field) = field->fallback;
    return;
  case TS__FIELD_NUMBER:
    *(double *)at(to, field) = 0.0;
    return;
  case TS__FIELD_BOOL:
    *(bool *)at(to, field) = field->fallback != 0;
    return;
  case TS__FIELD_ENUM:
  case TS__FIELD_WORDS:
    set_enum(to, field, (int)field->fallback);
    return;
  }
}

/* Free what is there, and set the default. */
static void reset(const ts__field_t *field, const ts__mem_t *mem, void *to) {
  if (field->type == TS__FIELD_PAIRS) {
    ts__pairs_free(at(to, field), mem);
  } else if (is_owned(field)) {
    ts__free(mem, text_of(to, field));
  }
  set_default(field, to);
}

void ts__schema_init(const ts__schema_t *schema, void *to) {
  memset(to, 0, schema->size);
  for (size_t i = 0; i < schema->count; i++) {
    set_default(&schema->fields[i], to);
  }
}

void ts__schema_deinit(const ts__schema_t *schema, const ts__mem_t *mem,
                       void *of) {
  for (size_t i = 0; i < schema->count; i++) {
    reset(&schema->fields[i], mem, of);
  }
}

/*
 * Copying
 */

static int copy_owned(const ts__field_t *field, const ts__mem_t *mem, void *to,
                      const void *from) {
  if (field->type == TS__FIELD_PAIRS) {
    const ts__pairs_t *pairs = at_const(from, field);
    return ts__pairs_copy(at(to, field), mem, pairs->items, pairs->count);
  }
  const char *text = text_of(from, field);
  char *copy = ts__strdup(mem, text);
  *(char **)at(to, field) = copy;
  return text && !copy ? TS__ENOMEM : 0;
}

/* What is not owned is copied as bytes; what is owned begins as nothing. */
static void copy_plain(const ts__schema_t *schema, void *to, const void *from) {
  memcpy(to, from, schema->size);
  for (size_t i = 0; i < schema->count; i++) {
    const ts__field_t *field = &schema->fields[i];
    if (is_owned(field)) {
      set_default(field, to);
    }
  }
}

int ts__schema_copy(const ts__schema_t *schema, const ts__mem_t *mem, void *to,
                    const void *from) {
  int r = 0;
  copy_plain(schema, to, from);
  for (size_t i = 0; !r && i < schema->count; i++) {
    if (is_owned(&schema->fields[i])) {
      r = copy_owned(&schema->fields[i], mem, to, from);
    }
  }
  if (r) {
    ts__schema_deinit(schema, mem, to);
  }
  return r;
}

/*
 * Checking
 */

static bool text_is_valid(const ts__field_t *field, const char *text) {
  if (!text) {
    return !(field->flags & TS__FIELD_REQUIRED);
  }
  int64_t chars = (int64_t)ts__count_chars(text);
  return chars >= field->min && chars <= field->max &&
         ((field->flags & TS__FIELD_FREE) ||
          !ts__str_has_control(ts__str(text))) &&
         (!field->is_valid || field->is_valid(text));
}

static bool field_is_valid(const ts__field_t *field, const void *of) {
  const ts__pairs_t *pairs;
  int64_t number;
  int value;
  switch (field->type) {
  case TS__FIELD_TEXT:
    return text_is_valid(field, text_of(of, field));
  case TS__FIELD_INTEGER:
    number = *(const int64_t *)at_const(of, field);
    return number >= field->min && number <= field->max;
  case TS__FIELD_NUMBER:
    return isfinite(*(const double *)at_const(of, field));
  case TS__FIELD_ENUM:
    value = enum_of(of, field);
    return value >= 1 && value <= count_words(field);
  case TS__FIELD_PAIRS:
    pairs = at_const(of, field);
    return ts__pairs_are_valid(pairs->items, pairs->count);
  case TS__FIELD_BOOL:
  case TS__FIELD_WORDS:
  case TS__FIELD_OBJECT:
    return true;
  }
  return true;
}

const ts__field_t *ts__schema_check(const ts__schema_t *schema,
                                    const void *of) {
  for (size_t i = 0; i < schema->count; i++) {
    if (!field_is_valid(&schema->fields[i], of)) {
      return &schema->fields[i];
    }
  }
  return NULL;
}

int ts__fault_set(ts__fault_t *fault, const char *code, const char *field,
                  const char *message) {
  fault->status = 422;
  fault->code = code ? code : "validation_error";
  snprintf(fault->field, sizeof(fault->field), "%s", field);
  snprintf(fault->message, sizeof(fault->message), "%s", message);
  return TS__EINVAL;
}

static int fault_value(ts__fault_t *fault, const ts__field_t *field) {
  char text[128];
  const char *name = field->name;
  switch (field->type) {
  case TS__FIELD_TEXT:
    snprintf(text, sizeof(text), "%s must be a text of %lld to %lld characters",
             name, (long long)field->min, (long long)field->max);
    break;
  case TS__FIELD_INTEGER:
    snprintf(text, sizeof(text), "%s must be an integer from %lld to %lld",
             name, (long long)field->min, (long long)field->max);
    break;
  case TS__FIELD_NUMBER:
    snprintf(text, sizeof(text), "%s must be a number", name);
    break;
  case TS__FIELD_BOOL:
    snprintf(text, sizeof(text), "%s must be true or false", name);
    break;
  case TS__FIELD_ENUM:
    snprintf(text, sizeof(text), "%s must be one of its words", name);
    break;
  case TS__FIELD_WORDS:
    snprintf(text, sizeof(text), "%s must be an array of its words", name);
    break;
  case TS__FIELD_OBJECT:
    snprintf(text, sizeof(text), "%s must be an object", name);
    break;
  case TS__FIELD_PAIRS:
    snprintf(text, sizeof(text),
             "%s takes 20 keys of 1 to 64 characters, with texts of at most "
             "255",
             name);
    break;
  }
  return ts__fault_set(fault, field->code, name, text);
}

static int fault_missing(ts__fault_t *fault, const ts__field_t *field,
                         const char *what) {
  char text[128];
  snprintf(text, sizeof(text), "%s %s", field->name, what);
  return ts__fault_set(fault, field->code, field->name, text);
}

/*
 * Reading; each returns 0, TS__EINVAL or TS__ENOMEM
 */

static int read_text(const ts__field_t *field, const ts__mem_t *mem, void *to,
                     const ts__json_t *value) {
  ts__str_t text;
  if (!ts__json_string(value, &text)) {
    return TS__EINVAL;
  }
  char *copy = ts__strdup(mem, text.ptr);
  if (!copy) {
    return TS__ENOMEM;
  }
  ts__free(mem, text_of(to, field));
  *(char **)at(to, field) = copy;
  return 0;
}

static int read_object(const ts__field_t *field, const ts__mem_t *mem, void *to,
                       const ts__json_t *value) {
  ts__buf_t buf;
  if (ts__json_type(value) != TS__JSON_OBJECT) {
    return TS__EINVAL;
  }
  ts__buf_init(&buf, mem, SIZE_MAX);
  int r = ts__json_write_value(&buf, value);
  if (!r) {
    r = ts__buf_append_char(&buf, '\0');
  }
  if (r) {
    ts__buf_deinit(&buf);
    return TS__ENOMEM;
  }
  ts__free(mem, text_of(to, field));
  *(char **)at(to, field) = ts__buf_take(&buf, NULL);
  return 0;
}

static int read_pairs(const ts__field_t *field, const ts__mem_t *mem, void *to,
                      const ts__json_t *value) {
  ts_tag_t tags[MAX_READ_PAIRS];
  ts__pairs_t pairs;
  void *cursor = NULL;
  size_t count = 0;
  ts__str_t key;
  ts__str_t text;
  const ts__json_t *one;
  if (ts__json_type(value) != TS__JSON_OBJECT) {
    return TS__EINVAL;
  }
  while (ts__json_next(value, &cursor, &key, &one)) {
    if (count == MAX_READ_PAIRS || !ts__json_string(one, &text)) {
      return TS__EINVAL;
    }
    tags[count++] = (ts_tag_t){key.ptr, text.ptr};
  }
  int r = ts__pairs_copy(&pairs, mem, tags, count);
  if (!r) {
    ts__pairs_free(at(to, field), mem);
    *(ts__pairs_t *)at(to, field) = pairs;
  }
  return r;
}

static int read_enum(const ts__field_t *field, void *to,
                     const ts__json_t *value) {
  ts__str_t word;
  int found = ts__json_string(value, &word) ? find_word(field, word) : 0;
  if (found == 0) {
    return TS__EINVAL;
  }
  set_enum(to, field, found);
  return 0;
}

static int read_words(const ts__field_t *field, void *to,
                      const ts__json_t *value) {
  unsigned bits = 0;
  if (ts__json_type(value) != TS__JSON_ARRAY ||
      ts__json_count(value) > MAX_WORDS) {
    return TS__EINVAL;
  }
  for (size_t i = 0; i < ts__json_count(value); i++) {
    ts__str_t word;
    int found = ts__json_string(ts__json_at(value, i), &word)
                    ? find_word(field, word)
                    : 0;
    if (found == 0) {
      return TS__EINVAL;
    }
    bits |= 1u << (found - 1);
  }
  set_enum(to, field, (int)bits);
  return 0;
}

static int read_value(const ts__field_t *field, const ts__mem_t *mem, void *to,
                      const ts__json_t *value) {
  switch (field->type) {
  case TS__FIELD_TEXT:
    return read_text(field, mem, to, value);
  case TS__FIELD_INTEGER:
    return ts__json_integer(value, at(to, field)) ? 0 : TS__EINVAL;
  case TS__FIELD_NUMBER:
    return ts__json_number(value, at(to, field)) ? 0 : TS__EINVAL;
  case TS__FIELD_BOOL:
    return ts__json_bool(value, at(to, field)) ? 0 : TS__EINVAL;
  case TS__FIELD_ENUM:
    return read_enum(field, to, value);
  case TS__FIELD_WORDS:
    return read_words(field, to, value);
  case TS__FIELD_OBJECT:
    return read_object(field, mem, to, value);
  case TS__FIELD_PAIRS:
    return read_pairs(field, mem, to, value);
  }
  return TS__EINVAL;
}

static int read_field(const ts__field_t *field, const ts__mem_t *mem, void *to,
                      const ts__json_t *object, ts__reading_t reading,
                      ts__fault_t *fault) {
  const ts__json_t *value = ts__json_get(object, field->name);
  bool required =
      reading != TS__READ_UPDATE && (field->flags & TS__FIELD_REQUIRED);
  if (!value) {
    return required ? fault_missing(fault, field, "is required") : 0;
  }
  if (ts__json_type(value) == TS__JSON_NULL) {
    if (!(field->flags & TS__FIELD_NULLABLE) &&
        (required || reading != TS__READ_ROW)) {
      return fault_missing(fault, field, "cannot be null");
    }
    reset(field, mem, to);
    return 0;
  }
  int r = read_value(field, mem, to, value);
  if (r == TS__EINVAL || (!r && !field_is_valid(field, to))) {
    return fault_value(fault, field);
  }
  return r;
}

int ts__schema_read(const ts__schema_t *schema, const ts__mem_t *mem, void *to,
                    const ts__json_t *object, ts__reading_t reading,
                    ts__fault_t *fault) {
  int r = 0;
  for (size_t i = 0; !r && i < schema->count; i++) {
    r = read_field(&schema->fields[i], mem, to, object, reading, fault);
  }
  return r;
}

/*
 * Writing
 */

static void write_pairs(ts__out_t *out, const ts__field_t *field,
                        const ts__pairs_t *pairs) {
  ts__out_open(out, field->name, '{');
  for (size_t i = 0; i < pairs->count; i++) {
    ts__out_pair(out, pairs->items[i].key, pairs->items[i].value);
  }
  ts__out_close(out, '}');
}

static void write_words(ts__out_t *out, const ts__field_t *field,
                        unsigned bits) {
  ts__out_open(out, field->name, '[');
  for (int i = 0; field->words[i]; i++) {
    if (bits & 1u << i) {
      ts__out_text(out, NULL, field->words[i]);
    }
  }
  ts__out_close(out, ']');
}

static void write_enum(ts__out_t *out, const ts__field_t *field, int value) {
  bool known = value >= 1 && value <= count_words(field);
  ts__out_text(out, field->name, known ? field->words[value - 1] : NULL);
}

static void write_field(ts__out_t *out, const ts__field_t *field,
                        const void *of) {
  const char *json;
  switch (field->type) {
  case TS__FIELD_TEXT:
    ts__out_text(out, field->name, text_of(of, field));
    return;
  case TS__FIELD_INTEGER:
    ts__out_int(out, field->name, *(const int64_t *)at_const(of, field));
    return;
  case TS__FIELD_NUMBER:
    ts__out_double(out, field->name, *(const double *)at_const(of, field));
    return;
  case TS__FIELD_BOOL:
    ts__out_bool(out, field->name, *(const bool *)at_const(of, field));
    return;
  case TS__FIELD_ENUM:
    write_enum(out, field, enum_of(of, field));
    return;
  case TS__FIELD_WORDS:
    write_words(out, field, (unsigned)enum_of(of, field));
    return;
  case TS__FIELD_OBJECT:
    json = text_of(of, field);
    ts__out_json(out, field->name, json ? json : "{}");
    return;
  case TS__FIELD_PAIRS:
    write_pairs(out, field, at_const(of, field));
    return;
  }
}

void ts__schema_write(const ts__schema_t *schema, ts__out_t *out,
                      const void *of) {
  for (size_t i = 0; i < schema->count; i++) {
    write_field(out, &schema->fields[i], of);
  }
}
