/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "admin/record.h"
#include "base/bounds.h"
#include "base/err.h"
#include "wire/calendar.h"

/*
 * Answers from JSON to structures, by their tables. What is missing or null
 * stays zero; what nobody knows is passed over; a value of another type is an
 * error that names the way to it.
 */

static void *member(void *value, const ts__field_t *field) {
  return (char *)value + field->at;
}

void ts__path_prepend(char path[TS__PATH_SIZE], const char *name) {
  char whole[TS__PATH_SIZE];
  const char *dot = path[0] == '\0' || path[0] == '[' ? "" : ".";
  /* Too long a way loses its end. */
  if (snprintf(whole, sizeof whole, "%s%s%s", name, dot, path) >= 0) {
    memcpy(path, whole, sizeof whole);
  }
}

static int wrong(ts__decoder_t *decoder, const char *why) {
  decoder->path[0] = '\0';
  decoder->why = why;
  return TS_EPARSE;
}

/* The error is inside item `i` of what the caller will name. */
static int in_item(ts__decoder_t *decoder, int error, size_t i) {
  char index[24];
  if (error == TS_EPARSE) {
    snprintf(index, sizeof index, "[%zu]", i);
    ts__path_prepend(decoder->path, index);
  }
  return error;
}

static bool is_absent(const ts__json_t *json) {
  const ts__json_type_t type = ts__json_type(json);
  return type == TS__JSON_NONE || type == TS__JSON_NULL;
}

/* ------------------------------------------------------------ kinds of value */

static int read_text(ts__decoder_t *decoder, const char **to,
                     const ts__json_t *json) {
  ts__str_t text;
  if (!ts__json_string(json, &text)) {
    return wrong(decoder, "must be a string");
  }
  *to = ts__arena_text(decoder->arena, text);
  return *to != NULL ? 0 : TS__ENOMEM;
}

static int read_time(ts__decoder_t *decoder, ts_admin_time_t *to,
                     const ts__json_t *json) {
  const int error = read_text(decoder, &to->text, json);
  if (error == 0) {
    to->is_valid = ts__timestamp_parse(ts__str(to->text), &to->ms);
  }
  return error;
}

/* Into an enumeration of whatever name. */
static int read_enum(ts__decoder_t *decoder, const ts__names_t *names, void *to,
                     const char **text, const ts__json_t *json) {
  const int error = read_text(decoder, text, json);
  if (error == 0) {
    const int value = ts__names_find(names, ts__str(*text));
    memcpy(to, &value, sizeof value);
  }
  return error;
}

static int read_raw(ts__decoder_t *decoder, const char **to,
                    const ts__json_t *json) {
  ts__buf_t buf;
  ts__buf_init(&buf, decoder->arena->mem, 2 * (size_t)TS__MAX_ADMIN_BODY);
  int error = ts__json_write_value(&buf, json);
  if (error == 0) {
    *to = ts__arena_text(decoder->arena, ts__buf_str(&buf));
    error = *to != NULL ? 0 : TS__ENOMEM;
  }
  ts__buf_deinit(&buf);
  return error;
}

static int read_object(ts__decoder_t *decoder, const char **to,
                       const ts__json_t *json) {
  return ts__json_type(json) == TS__JSON_OBJECT
             ? read_raw(decoder, to, json)
             : wrong(decoder, "must be an object");
}

/* ------------------------------------------------------ collections of values */

static int count_members(const ts__json_t *object, size_t *count) {
  void *cursor = NULL;
  const ts__json_t *value = NULL;
  ts__str_t key;
  for (*count = 0; ts__json_next(object, &cursor, &key, &value);) {
    (*count)++;
  }
  return 0;
}

static int read_tags(ts__decoder_t *decoder, ts_admin_tags_t *to,
                     const ts__json_t *json) {
  void *cursor = NULL;
  const ts__json_t *value = NULL;
  ts__str_t key;
  size_t count = 0;
  if (ts__json_type(json) != TS__JSON_OBJECT) {
    return wrong(decoder, "must be an object");
  }
  count_members(json, &count);
  ts_tag_t *items = ts__arena_take(decoder->arena, count, sizeof *items);
  int error = items != NULL ? 0 : TS__ENOMEM;
  to->items = items;
  while (error == 0 && ts__json_next(json, &cursor, &key, &value)) {
    ts_tag_t *tag = &items[to->count];
    tag->key = ts__arena_text(decoder->arena, key);
    if (tag->key == NULL) {
      return TS__ENOMEM;
    }
    error = is_absent(value) ? 0 : read_text(decoder, &tag->value, value);
    if (error == TS_EPARSE) {
      ts__path_prepend(decoder->path, tag->key);
    }
    to->count += tag->value != NULL; /* a null is no value */
  }
  return error;
}

static int read_texts(ts__decoder_t *decoder, ts_admin_strings_t *to,
                      const ts__json_t *json) {
  const size_t count = ts__json_count(json);
  if (ts__json_type(json) != TS__JSON_ARRAY) {
    return wrong(decoder, "must be an array");
  }
  const char **items =
      ts__arena_take(decoder->arena, count, sizeof(const char *));
  int error = items != NULL ? 0 : TS__ENOMEM;
  for (size_t i = 0; i < count && error == 0; i++) {
    error = in_item(decoder,
                    read_text(decoder, &items[i], ts__json_at(json, i)), i);
  }
  to->items = items;
  to->count = count;
  return error;
}

/* The beginning of every structure that is a list. */
typedef struct list_s {
  const void *items;
  size_t count;
} list_t;

static int read_record(ts__decoder_t *decoder, const ts__record_t *record,
                       void *value, const ts__json_t *json);

static int read_list(ts__decoder_t *decoder, const ts__record_t *record,
                     void *to, const ts__json_t *json) {
  const size_t count = ts__json_count(json);
  if (ts__json_type(json) != TS__JSON_ARRAY) {
    return wrong(decoder, "must be an array");
  }
  if (count > TS__MAX_ADMIN_ITEMS) {
    return wrong(decoder, "has too many items");
  }
  char *items = ts__arena_take(decoder->arena, count, record->size);
  int error = items != NULL ? 0 : TS__ENOMEM;
  for (size_t i = 0; i < count && error == 0; i++) {
    error = in_item(decoder,
                    read_record(decoder, record, items + i * record->size,
                                ts__json_at(json, i)),
                    i);
  }
  const list_t list = {items, count};
  memcpy(to, &list, sizeof list);
  return error;
}

/* --------------------------------------------------------------------- rows */

static int read_number(ts__decoder_t *decoder, const ts__field_t *field,
                       void *to, const ts__json_t *json) {
  if (field->type == TS__OPT_INT) {
    ts_opt_int_t *opt = to;
    opt->state = TS_OPT_SET;
    return ts__json_integer(json, &opt->value)
               ? 0
               : wrong(decoder, "must be an integer");
  }
  double number = 0;
  if (!ts__json_number(json, &number)) {
    return wrong(decoder, "must be a number");
  }
  if (field->type == TS__DOUBLE) {
    *(double *)to = number;
  } else {
    *(ts_opt_double_t *)to = ts_set_double(number);
  }
  return 0;
}

static int read_flag(ts__decoder_t *decoder, const ts__field_t *field, void *to,
                     const ts__json_t *json) {
  bool flag = false;
  if (!ts__json_bool(json, &flag)) {
    return wrong(decoder, "must be true or false");
  }
  if (field->type == TS__BOOL) {
    *(bool *)to = flag;
  } else {
    *(ts_opt_bool_t *)to = ts_set_bool(flag);
  }
  return 0;
}

static int read_value(ts__decoder_t *decoder, const ts__field_t *field,
                      void *value, const ts__json_t *json) {
  void *to = member(value, field);
  switch (field->type) {
  case TS__STRING:
    return read_text(decoder, to, json);
  case TS__TIME:
    return read_time(decoder, to, json);
  case TS__BOOL:
  case TS__OPT_BOOL:
    return read_flag(decoder, field, to, json);
  case TS__ENUM:
    return read_enum(decoder, field->names, to,
                     (const char **)(void *)((char *)value + field->text_at),
                     json);
  case TS__OBJECT:
    return read_object(decoder, to, json);
  case TS__ANY:
    return read_raw(decoder, to, json);
  case TS__TAGS:
    return read_tags(decoder, to, json);
  case TS__TEXTS:
    return read_texts(decoder, to, json);
  case TS__LIST:
    return read_list(decoder, field->record, to, json);
  case TS__DOUBLE:
  case TS__OPT_INT:
  case TS__OPT_DOUBLE:
    return read_number(decoder, field, to, json);
  default:
    return TS__EINVAL; /* no row of a result is of any other type */
  }
}

/* Of one member under several names the first that has a value is taken; a list
 * must be an array for that. */
static bool is_candidate(const ts__field_t *field, const ts__json_t *json) {
  return field->type == TS__LIST ? ts__json_type(json) == TS__JSON_ARRAY
                                 : !is_absent(json);
}

/* The row, of those for this member, that is to be read. */
static const ts__field_t *choose(const ts__field_t *field, size_t alternatives,
                                 const ts__json_t *object) {
  for (size_t i = 0; i < alternatives; i++) {
    if (is_candidate(&field[i], ts__json_get(object, field[i].name))) {
      return &field[i];
    }
  }
  return field;
}

static int read_field(ts__decoder_t *decoder, const ts__field_t *field,
                      size_t alternatives, void *value,
                      const ts__json_t *object) {
  const bool required = (field->flags & TS__REQUIRED) != 0;
  field = choose(field, alternatives, object);
  const ts__json_t *json = ts__json_get(object, field->name);
  int error = 0;
  if (!is_absent(json)) {
    error = read_value(decoder, field, value, json);
  } else if (required) {
    error = wrong(decoder, "is missing");
  }
  if (error == TS_EPARSE) {
    ts__path_prepend(decoder->path, field->name);
  }
  return error;
}

int ts__decode_fields(ts__decoder_t *decoder, const ts__field_t *fields,
                      size_t count, void *value, const ts__json_t *object) {
  int error = 0;
  for (size_t i = 0; i < count && error == 0;) {
    size_t alternatives = 1;
    while (i + alternatives < count &&
           (fields[i + alternatives].flags & TS__ELSE) != 0) {
      alternatives++;
    }
    error = read_field(decoder, &fields[i], alternatives, value, object);
    i += alternatives;
  }
  return error;
}

static int read_members(ts__decoder_t *decoder, const ts__record_t *record,
                        void *value, const ts__json_t *object,
                        const ts__json_t *outer) {
  const int error = ts__decode_fields(decoder, record->fields,
                                      record->field_count, value, object);
  return error == 0 && record->settle != NULL
             ? record->settle(decoder, value, object, outer)
             : error;
}

/* A list's item. One that is no object is a text, for which the table has the
 * row without a name. */
static int read_record(ts__decoder_t *decoder, const ts__record_t *record,
                       void *value, const ts__json_t *json) {
  if (record->fields[0].name[0] == '\0') {
    return read_value(decoder, &record->fields[0], value, json);
  }
  return ts__json_type(json) == TS__JSON_OBJECT
             ? read_members(decoder, record, value, json, json)
             : wrong(decoder, "must be an object");
}

static int read_answer(ts__decoder_t *decoder, const ts__record_t *record,
                       void *value, const ts__json_t *root) {
  if (record->may_be_bare && ts__json_type(root) == TS__JSON_ARRAY) {
    return read_list(decoder, record->fields[0].record,
                     member(value, &record->fields[0]), root);
  }
  if (ts__json_type(root) != TS__JSON_OBJECT) {
    return wrong(decoder, "must be an object");
  }
  const ts__json_t *inner =
      record->wrapper != NULL ? ts__json_get(root, record->wrapper) : NULL;
  if (ts__json_type(inner) != TS__JSON_OBJECT) {
    return read_members(decoder, record, value, root, root);
  }
  const int error = read_members(decoder, record, value, inner, root);
  if (error == TS_EPARSE) {
    ts__path_prepend(decoder->path, record->wrapper);
  }
  return error;
}

int ts__decode(ts__decoder_t *decoder, const ts__record_t *record,
               ts__str_t body, size_t max_len, void **value) {
  ts__json_doc_t *doc = NULL;
  *value = NULL;
  int error = ts__json_parse(&doc, body, max_len);
  if (error != 0) {
    return error == TS_EPARSE ? wrong(decoder, "is no JSON") : error;
  }
  void *made = ts__arena_take(decoder->arena, 1, record->size);
  error = made != NULL ? read_answer(decoder, record, made, ts__json_root(doc))
                       : TS__ENOMEM;
  *value = error == 0 ? made : NULL;
  ts__json_free(doc);
  return error;
}
