/* SPDX-License-Identifier: Apache-2.0 */

/* Every value that is read can be written and read back as the same; any bytes
 * at all, written as a string, are JSON. */

#include "base/bounds.h"
#include "fuzz/fuzz.h"
#include "wire/json_read.h"
#include "wire/json_write.h"

#define MAX_LEN (1u << 22)

static ts__mem_t mem;

static void write_value(ts__buf_t *buf, const ts__json_t *value);

static void write_object(ts__buf_t *buf, const ts__json_t *value) {
  void *cursor = NULL;
  ts__str_t key;
  const ts__json_t *member;
  char mark = '{';
  while (ts__json_next(value, &cursor, &key, &member)) {
    ts__buf_append_char(buf, mark);
    promise(ts__json_write_string(buf, key) == 0);
    ts__buf_append_char(buf, ':');
    write_value(buf, member);
    mark = ',';
  }
  ts__buf_append(buf, mark == '{' ? TS__STR("{}") : TS__STR("}"));
}

static void write_array(ts__buf_t *buf, const ts__json_t *value) {
  ts__buf_append_char(buf, '[');
  for (size_t i = 0; i < ts__json_count(value); i++) {
    if (i > 0) {
      ts__buf_append_char(buf, ',');
    }
    write_value(buf, ts__json_at(value, i));
  }
  ts__buf_append_char(buf, ']');
}

static void write_scalar(ts__buf_t *buf, const ts__json_t *value) {
  ts__str_t text;
  bool flag;
  double number;
  int64_t whole;
  if (ts__json_string(value, &text)) {
    promise(ts__json_write_string(buf, text) == 0);
  } else if (ts__json_bool(value, &flag)) {
    promise(ts__json_write_bool(buf, flag) == 0);
  } else if (ts__json_type(value) == TS__JSON_INTEGER) {
    promise(ts__json_integer(value, &whole));
    promise(ts__json_write_int(buf, whole) == 0);
  } else if (ts__json_number(value, &number)) {
    promise(ts__json_write_double(buf, number) == 0);
  } else {
    promise(ts__json_type(value) == TS__JSON_NULL);
    ts__buf_append(buf, TS__STR("null"));
  }
}

static void write_value(ts__buf_t *buf, const ts__json_t *value) {
  if (ts__json_type(value) == TS__JSON_OBJECT) {
    write_object(buf, value);
  } else if (ts__json_type(value) == TS__JSON_ARRAY) {
    write_array(buf, value);
  } else {
    write_scalar(buf, value);
  }
}

/* Written, read and written again, the text stays the same. */
static void check_round_trip(ts__str_t text) {
  ts__json_doc_t *doc;
  if (ts__json_parse(&doc, text, MAX_LEN) != 0) {
    return;
  }
  ts__buf_t first;
  ts__buf_t second;
  ts__buf_init(&first, &mem, MAX_LEN);
  ts__buf_init(&second, &mem, MAX_LEN);
  write_value(&first, ts__json_root(doc));
  ts__json_free(doc);
  promise(ts__json_parse(&doc, ts__buf_str(&first), MAX_LEN) == 0);
  write_value(&second, ts__json_root(doc));
  ts__json_free(doc);
  promise(ts__str_eq(ts__buf_str(&first), ts__buf_str(&second)));
  ts__buf_deinit(&first);
  ts__buf_deinit(&second);
}

/* jansson refuses U+0000 in strings, so bytes with it are left out. */
static void check_string(ts__str_t text) {
  ts__buf_t buf;
  ts__buf_init(&buf, &mem, MAX_LEN);
  promise(ts__json_write_string(&buf, text) == 0);
  if (!memchr(text.ptr, '\0', text.len)) {
    ts__json_doc_t *doc;
    promise(ts__json_parse(&doc, ts__buf_str(&buf), MAX_LEN) == 0);
    promise(ts__json_type(ts__json_root(doc)) == TS__JSON_STRING);
    ts__json_free(doc);
  }
  ts__buf_deinit(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0 || size > MAX_LEN / 8) {
    return 0;
  }
  ts__mem_init(&mem, NULL);
  ts__str_t text = {(const char *)data, size};
  check_round_trip(text);
  check_string(text);
  return 0;
}
