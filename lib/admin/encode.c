/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "admin/record.h"
#include "base/err.h"
#include "base/sized.h"
#include "wire/calendar.h"
#include "wire/json_write.h"
#include "wire/url.h"

/*
 * Inputs from structures to JSON and to queries, by their tables. They are
 * checked while they are written, which is before anything is sent.
 */

/* The largest structure that is written. */
#define MAX_INPUT 512u

static const void *member(const void *input, const ts__field_t *field) {
  return (const char *)input + field->at;
}

/* The caller names the member. */
static int invalid(ts__encoder_t *encoder) {
  encoder->path[0] = '\0';
  return TS__EINVAL;
}

static int in_member(ts__encoder_t *encoder, int error, const char *name) {
  if (error == TS__EINVAL || error == TS__E2BIG) {
    ts__path_prepend(encoder->path, name);
  }
  return error;
}

static int in_item(ts__encoder_t *encoder, int error, size_t i) {
  char index[24];
  snprintf(index, sizeof index, "[%zu]", i);
  return in_member(encoder, error, index);
}

static int put(ts__encoder_t *encoder, const char *text) {
  return ts__buf_append(encoder->buf, ts__str(text));
}

bool ts__id_is_valid(const char *id) {
  const ts__str_t text = ts__str(id);
  return text.len > 0 && text.len <= TS__MAX_ID && !ts__str_has_control(text) &&
         !ts__str_eq(text, TS__STR(".")) && !ts__str_eq(text, TS__STR(".."));
}

/* ------------------------------------------------------------ kinds of value */

static int write_text(ts__encoder_t *encoder, const char *text,
                      size_t max_len) {
  if (text == NULL || strlen(text) > max_len) {
    return invalid(encoder);
  }
  return ts__json_write_string(encoder->buf, ts__str(text));
}

static int write_id(ts__encoder_t *encoder, const char *id) {
  return ts__id_is_valid(id) ? write_text(encoder, id, TS__MAX_ID)
                             : invalid(encoder);
}

static int write_double(ts__encoder_t *encoder, double number) {
  return isfinite(number) ? ts__json_write_double(encoder->buf, number)
                          : invalid(encoder);
}

static int write_enum(ts__encoder_t *encoder, const ts__names_t *names,
                      int value) {
  return value > 0 && value < names->count
             ? write_text(encoder, names->texts[value], TS__MAX_TEXT)
             : invalid(encoder);
}

/* The caller's JSON goes out as it was understood. */
static int write_object(ts__encoder_t *encoder, const char *text) {
  ts__json_doc_t *doc = NULL;
  if (text == NULL) {
    return invalid(encoder);
  }
  int error = ts__json_parse(&doc, ts__str(text), TS__MAX_OBJECT);
  if (error == 0) {
    error = ts__json_type(ts__json_root(doc)) == TS__JSON_OBJECT
                ? ts__json_write_value(encoder->buf, ts__json_root(doc))
                : invalid(encoder);
  }
  ts__json_free(doc);
  return error == TS_EPARSE ? invalid(encoder) : error;
}

/* ------------------------------------------------------ collections of values */

static int write_tag(ts__encoder_t *encoder, const ts_tag_t *tag,
                     bool may_delete) {
  if (ts__is_blank(tag->key)) {
    return invalid(encoder);
  }
  int error = write_text(encoder, tag->key, TS__MAX_TAG_KEY);
  if (error == 0) {
    error = put(encoder, ":");
  }
  if (error == 0 && tag->value == NULL && may_delete) {
    return put(encoder, "null");
  }
  return error != 0 ? error
                    : write_text(encoder, tag->value, TS__MAX_TAG_VALUE);
}

static int write_tags(ts__encoder_t *encoder, const ts_tag_t *tags,
                      size_t count, bool may_delete) {
  if (tags == NULL && count > 0) {
    return invalid(encoder);
  }
  int error = put(encoder, "{");
  for (size_t i = 0; i < count && error == 0; i++) {
    error = i > 0 ? put(encoder, ",") : 0;
    if (error == 0) {
      error = in_item(encoder, write_tag(encoder, &tags[i], may_delete), i);
    }
  }
  return error != 0 ? error : put(encoder, "}");
}

static int write_ids(ts__encoder_t *encoder, const char *const *ids,
                     size_t count) {
  if (ids == NULL && count > 0) {
    return invalid(encoder);
  }
  int error = put(encoder, "[");
  for (size_t i = 0; i < count && error == 0; i++) {
    error = i > 0 ? put(encoder, ",") : 0;
    if (error == 0) {
      error = in_item(encoder, write_id(encoder, ids[i]), i);
    }
  }
  return error != 0 ? error : put(encoder, "]");
}

static int write_notices(ts__encoder_t *encoder, const ts_opt_notices_t *opt) {
  if (opt->items == NULL && opt->count > 0) {
    return invalid(encoder);
  }
  int error = put(encoder, "[");
  for (size_t i = 0; i < opt->count && error == 0; i++) {
    error = i > 0 ? put(encoder, ",") : 0;
    if (error == 0) {
      error = in_item(
          encoder, write_enum(encoder, &ts__notice_names, (int)opt->items[i]),
          i);
    }
  }
  return error != 0 ? error : put(encoder, "]");
}

/* An array of the caller's structures, each as large as the first one says. */
typedef struct list_s {
  const void *items;
  size_t count;
} list_t;

static int write_list(ts__encoder_t *encoder, const ts__record_t *record,
                      const list_t *list) {
  size_t stride = 0;
  if (list->items == NULL && list->count > 0) {
    return invalid(encoder);
  }
  if (list->count > 0) {
    memcpy(&stride, list->items, sizeof stride);
  }
  int error = put(encoder, "[");
  for (size_t i = 0; i < list->count && error == 0; i++) {
    const char *item = (const char *)list->items + i * stride;
    error = i > 0 ? put(encoder, ",") : 0;
    if (error == 0) {
      error = in_item(encoder, ts__encode(encoder, record, item), i);
    }
  }
  return error != 0 ? error : put(encoder, "]");
}

/* --------------------------------------------------------------------- rows */

/* A member that is there or not: every ts_opt_..._t begins with its state. */
static int write_set(ts__encoder_t *encoder, const ts__field_t *field,
                     const void *at) {
  const ts_opt_string_t *string = at;
  const ts_opt_tags_t *tags = at;
  const ts_opt_strings_t *strings = at;
  switch (field->type) {
  case TS__OPT_INT:
    return ts__json_write_int(encoder->buf, ((const ts_opt_int_t *)at)->value);
  case TS__OPT_DOUBLE:
    return write_double(encoder, ((const ts_opt_double_t *)at)->value);
  case TS__OPT_BOOL:
    return ts__json_write_bool(encoder->buf,
                               ((const ts_opt_bool_t *)at)->value);
  case TS__OPT_STRING:
    return write_text(encoder, string->value, field->max_len);
  case TS__OPT_ID:
    return write_id(encoder, string->value);
  case TS__OPT_OBJECT:
    return write_object(encoder, string->value);
  case TS__OPT_ENUM:
    return write_enum(encoder, field->names,
                      ((const ts_opt_enum_t *)at)->value);
  case TS__OPT_TAGS:
    return write_tags(encoder, tags->items, tags->count, false);
  case TS__OPT_IDS:
    return write_ids(encoder, strings->items, strings->count);
  case TS__OPT_NOTICES:
    return write_notices(encoder, at);
  default:
    return TS__EINVAL; /* no row of an input is of any other type */
  }
}

static int write_value(ts__encoder_t *encoder, const ts__field_t *field,
                       const void *at) {
  ts_opt_t state = TS_OPT_UNSET;
  const ts_admin_tags_t *tags = at;
  int value = 0;
  switch (field->type) {
  case TS__IN_STRING:
    return write_text(encoder, *(const char *const *)at, field->max_len);
  case TS__IN_DOUBLE:
    return write_double(encoder, *(const double *)at);
  case TS__IN_ENUM:
    memcpy(&value, at, sizeof value);
    return write_enum(encoder, field->names, value);
  case TS__IN_OBJECT:
    return write_object(encoder, *(const char *const *)at);
  case TS__IN_PATCH:
    return write_tags(encoder, tags->items, tags->count, true);
  case TS__IN_LIST:
    return write_list(encoder, field->record, at);
  default:
    break;
  }
  memcpy(&state, at, sizeof state);
  if (state == TS_OPT_NULL && (field->flags & TS__CLEARABLE) != 0) {
    return put(encoder, "null");
  }
  return state == TS_OPT_SET ? write_set(encoder, field, at) : invalid(encoder);
}

static bool is_optional(const ts__field_t *field) {
  return (field->type >= TS__OPT_INT && field->type <= TS__OPT_BOOL) ||
         (field->type >= TS__OPT_STRING && field->type <= TS__OPT_NOTICES);
}

static bool is_left_out(const ts__field_t *field, const void *at) {
  ts_opt_t state = TS_OPT_UNSET;
  if (is_optional(field)) {
    memcpy(&state, at, sizeof state);
    return state == TS_OPT_UNSET;
  }
  return false;
}

static int write_members(ts__encoder_t *encoder, const ts__record_t *record,
                         const void *input) {
  int error = put(encoder, "{");
  const char *comma = "";
  for (size_t i = 0; i < record->field_count && error == 0; i++) {
    const ts__field_t *field = &record->fields[i];
    const void *at = member(input, field);
    if (is_left_out(field, at)) {
      continue;
    }
    error = ts__buf_printf(encoder->buf, "%s\"%s\":", comma, field->name);
    comma = ",";
    if (error == 0) {
      error = in_member(encoder, write_value(encoder, field, at), field->name);
    }
  }
  return error != 0 ? error : put(encoder, "}");
}

/* The caller's structure in our size. */
static int copy_input(ts__encoder_t *encoder, void *copy,
                      const ts__record_t *record, const void *input) {
  assert(record->size <= MAX_INPUT);
  encoder->path[0] = '\0';
  return input != NULL ? ts__sized_copy(copy, record->size, record->size, input)
                       : TS__EINVAL;
}

int ts__encode(ts__encoder_t *encoder, const ts__record_t *record,
               const void *input) {
  max_align_t copy[MAX_INPUT / sizeof(max_align_t)];
  const int error = copy_input(encoder, copy, record, input);
  return error != 0 ? error : write_members(encoder, record, copy);
}

/* ------------------------------------------------------------------- queries */

/* The text of a parameter, empty if it is left out; `room` may be used. */
static int query_text(ts__encoder_t *encoder, const ts__field_t *field,
                      const void *at, char room[32], const char **text) {
  *text = "";
  if (field->type == TS__ASK_ID) {
    *text = *(const char *const *)at;
    return ts__is_blank(*text) || ts__id_is_valid(*text) ? 0 : invalid(encoder);
  }
  if (field->type == TS__ASK_LIMIT) {
    const int64_t limit = *(const int64_t *)at;
    snprintf(room, 32, "%lld", (long long)limit);
    *text = limit > 0 ? room : "";
    return 0;
  }
  const ts_opt_int_t *time = at;
  if (time->state == TS_OPT_UNSET) {
    return 0;
  }
  *text = room;
  return time->state == TS_OPT_SET && ts__timestamp_format(room, time->value)
             ? 0
             : invalid(encoder);
}

static int write_parameter(ts__encoder_t *encoder, const ts__field_t *field,
                           const void *at, const char **separator) {
  char room[32];
  const char *text = NULL;
  int error = in_member(encoder, query_text(encoder, field, at, room, &text),
                        field->name);
  if (error != 0 || ts__is_blank(text)) {
    return error;
  }
  error = ts__buf_printf(encoder->buf, "%s%s=", *separator, field->name);
  *separator = "&";
  return error != 0 ? error
                    : ts__url_append_segment(encoder->buf, ts__str(text));
}

/* Opaque, and only sent back: bounded, that is all. */
static int take_cursor(ts__encoder_t *encoder, const ts__field_t *field,
                       const void *at) {
  encoder->cursor = *(const char *const *)at;
  return ts__str(encoder->cursor).len <= TS__MAX_TEXT
             ? 0
             : in_member(encoder, invalid(encoder), field->name);
}

int ts__encode_query(ts__encoder_t *encoder, const ts__record_t *record,
                     const void *input) {
  max_align_t copy[MAX_INPUT / sizeof(max_align_t)];
  const char *separator = "?";
  int error = copy_input(encoder, copy, record, input);
  for (size_t i = 0; i < record->field_count && error == 0; i++) {
    const ts__field_t *field = &record->fields[i];
    const void *at = member(copy, field);
    error = field->type == TS__ASK_CURSOR
                ? take_cursor(encoder, field, at)
                : write_parameter(encoder, field, at, &separator);
  }
  return error;
}
