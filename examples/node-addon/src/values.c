/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of JavaScript to values of C, and back.
 *
 * index.js has checked what the user gave, so that here a value of the wrong
 * type is taken as none. Texts live in a bag, which is emptied when the
 * function is done with them: the library copies what it keeps.
 */
#include "addon.h"

#include <stdlib.h>
#include <string.h>

/* --------------------------------------------------------------------- bag */

typedef struct room_s {
  struct room_s *next;
  max_align_t bytes[];
} room_t;

void *bag_room(bag_t *bag, size_t count, size_t size) {
  room_t *room = NULL;
  if (size == 0 || count <= (SIZE_MAX - sizeof *room) / size) {
    room = calloc(1, sizeof *room + count * size);
  }
  if (!room) {
    bag->is_spoilt = true;
    return NULL;
  }
  room->next = bag->first;
  bag->first = room;
  return room->bytes;
}

void bag_empty(bag_t *bag) {
  room_t *room = bag->first;
  while (room) {
    room_t *next = room->next;
    free(room);
    room = next;
  }
  bag->first = NULL;
}

const char *bag_text(bag_t *bag, napi_env env, napi_value value) {
  size_t len = 0;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &len) != napi_ok) {
    return NULL;
  }
  char *text = bag_room(bag, len + 1, 1);
  if (text) {
    napi_get_value_string_utf8(env, value, text, len + 1, &len);
  }
  return text;
}

static uint32_t array_length(napi_env env, napi_value value) {
  bool is_array = false;
  uint32_t length = 0;
  if (napi_is_array(env, value, &is_array) == napi_ok && is_array) {
    napi_get_array_length(env, value, &length);
  }
  return length;
}

const char **bag_texts(bag_t *bag, napi_env env, napi_value value,
                       size_t *count) {
  const uint32_t length = array_length(env, value);
  const char **texts = length ? bag_room(bag, length, sizeof *texts) : NULL;
  *count = texts ? length : 0;
  for (uint32_t i = 0; i < *count; i++) {
    napi_value item;
    if (napi_get_element(env, value, i, &item) == napi_ok) {
      texts[i] = bag_text(bag, env, item);
    }
  }
  return texts;
}

/* A flat array: key, value, key, value. */
const ts_tag_t *bag_tags(bag_t *bag, napi_env env, napi_value value,
                         size_t *count) {
  size_t texts = 0;
  const char **flat = bag_texts(bag, env, value, &texts);
  ts_tag_t *tags = flat ? bag_room(bag, texts / 2, sizeof *tags) : NULL;
  *count = tags ? texts / 2 : 0;
  for (size_t i = 0; i < *count; i++) {
    tags[i].key = flat[2 * i];
    tags[i].value = flat[2 * i + 1];
  }
  return tags;
}

/* ------------------------------------------------------------------ fields */

bool has_member(napi_env env, napi_value object, const char *name,
                napi_value *value) {
  napi_valuetype type = napi_undefined;
  return napi_get_named_property(env, object, name, value) == napi_ok &&
         napi_typeof(env, *value, &type) == napi_ok && type != napi_undefined &&
         type != napi_null;
}

static void read_field(napi_env env, napi_value value, field_kind_t kind,
                       void *to, bag_t *bag) {
  switch (kind) {
  case FIELD_TEXT:
    *(const char **)to = bag_text(bag, env, value);
    break;
  case FIELD_BOOL:
    napi_get_value_bool(env, value, to);
    break;
  case FIELD_INT:
    napi_get_value_int32(env, value, to);
    break;
  case FIELD_INT64:
    napi_get_value_int64(env, value, to);
    break;
  case FIELD_UINT32:
    napi_get_value_uint32(env, value, to);
    break;
  case FIELD_DOUBLE:
    napi_get_value_double(env, value, to);
    break;
  case FIELD_UINT64:
  case FIELD_SIZE:
    break; /* only ever written */
  }
}

void fields_read(napi_env env, napi_value object, const field_t *fields,
                 size_t count, void *structure, bag_t *bag) {
  for (size_t i = 0; i < count; i++) {
    napi_value value;
    if (has_member(env, object, fields[i].name, &value)) {
      read_field(env, value, fields[i].kind,
                 (char *)structure + fields[i].offset, bag);
    }
  }
}

static napi_value write_field(napi_env env, field_kind_t kind,
                              const void *from) {
  napi_value value = NULL;
  switch (kind) {
  case FIELD_TEXT:
    return text_value(env, *(const char *const *)from);
  case FIELD_BOOL:
    napi_get_boolean(env, *(const bool *)from, &value);
    return value;
  case FIELD_INT:
    return number_value(env, *(const int *)from);
  case FIELD_INT64:
    return number_value(env, (double)*(const int64_t *)from);
  case FIELD_UINT32:
    return number_value(env, *(const uint32_t *)from);
  case FIELD_UINT64:
    return number_value(env, (double)*(const uint64_t *)from);
  case FIELD_SIZE:
    return number_value(env, (double)*(const size_t *)from);
  case FIELD_DOUBLE:
    return number_value(env, *(const double *)from);
  }
  return value;
}

napi_value fields_write(napi_env env, const field_t *fields, size_t count,
                        const void *structure) {
  napi_value object = NULL;
  napi_create_object(env, &object);
  for (size_t i = 0; i < count; i++) {
    napi_set_named_property(
        env, object, fields[i].name,
        write_field(env, fields[i].kind,
                    (const char *)structure + fields[i].offset));
  }
  return object;
}

/* ------------------------------------------------------------ single values */

napi_value number_value(napi_env env, double number) {
  napi_value value = NULL;
  napi_create_double(env, number, &value);
  return value;
}

napi_value text_value(napi_env env, const char *text) {
  napi_value value = NULL;
  if (text) {
    napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
  } else {
    napi_get_undefined(env, &value);
  }
  return value;
}

int32_t int_argument(napi_env env, napi_value value) {
  int32_t number = -1;
  napi_get_value_int32(env, value, &number);
  return number;
}

double double_argument(napi_env env, napi_value value) {
  double number = 0;
  napi_get_value_double(env, value, &number);
  return number;
}

addon_t *arguments(napi_env env, napi_callback_info info, size_t count,
                   napi_value *values) {
  napi_get_cb_info(env, info, &count, values, NULL, NULL);
  return addon_of(env);
}

napi_value throw_code(napi_env env, int code, const char *detail) {
  char text[512];
  const char *said = ts_strerror(code);
  size_t len = strlen(said);
  memcpy(text, said, len + 1);
  if (detail && *detail && len + 3 < sizeof text) {
    memcpy(text + len, ": ", 3);
    strncat(text, detail, sizeof text - len - 3);
  }
  napi_throw_error(env, ts_err_name(code), text);
  return NULL;
}

napi_status export_functions(napi_env env, napi_value exports,
                             const function_t *functions, size_t count) {
  napi_status status = napi_ok;
  for (size_t i = 0; i < count && status == napi_ok; i++) {
    const napi_property_descriptor property = {
        .utf8name = functions[i].name,
        .method = functions[i].callback,
        .attributes = napi_enumerable,
    };
    status = napi_define_properties(env, exports, 1, &property);
  }
  return status;
}
