/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/json_out.h"

#include "base/err.h"
#include "wire/calendar.h"
#include "wire/json_write.h"

void ts__out_init(ts__out_t *out, const ts__mem_t *mem) {
  out->error = 0;
  ts__buf_init(&out->buf, mem, SIZE_MAX);
}

void ts__out_deinit(ts__out_t *out) { ts__buf_deinit(&out->buf); }

static void put(ts__out_t *out, ts__str_t bytes) {
  if (!out->error) {
    out->error = ts__buf_append(&out->buf, bytes);
  }
}

/* Only an opening bracket and a name come without a comma before them. */
static void begin(ts__out_t *out, const char *name) {
  const ts__buf_t *buf = &out->buf;
  char last = buf->len > 0 ? buf->ptr[buf->len - 1] : '{';
  if (last != '{' && last != '[') {
    put(out, TS__STR(","));
  }
  if (name) {
    put(out, TS__STR("\""));
    put(out, ts__str(name));
    put(out, TS__STR("\":"));
  }
}

void ts__out_open(ts__out_t *out, const char *name, char bracket) {
  begin(out, name);
  put(out, (ts__str_t){&bracket, 1});
}

void ts__out_close(ts__out_t *out, char bracket) {
  put(out, (ts__str_t){&bracket, 1});
}

void ts__out_json(ts__out_t *out, const char *name, const char *json) {
  begin(out, name);
  put(out, ts__str(json ? json : "null"));
}

void ts__out_text(ts__out_t *out, const char *name, const char *text) {
  if (!text) {
    ts__out_json(out, name, NULL);
    return;
  }
  begin(out, name);
  if (!out->error) {
    out->error = ts__json_write_string(&out->buf, ts__str(text));
  }
}

void ts__out_pair(ts__out_t *out, const char *name, const char *text) {
  ts__out_text(out, NULL, name);
  put(out, TS__STR(":"));
  if (!out->error) {
    out->error = ts__json_write_string(&out->buf, ts__str(text));
  }
}

void ts__out_int(ts__out_t *out, const char *name, int64_t number) {
  begin(out, name);
  if (!out->error) {
    out->error = ts__json_write_int(&out->buf, number);
  }
}

void ts__out_double(ts__out_t *out, const char *name, double number) {
  begin(out, name);
  if (!out->error) {
    out->error = ts__json_write_double(&out->buf, number);
  }
}

void ts__out_bool(ts__out_t *out, const char *name, bool flag) {
  ts__out_json(out, name, flag ? "true" : "false");
}

void ts__out_time(ts__out_t *out, const char *name, int64_t ms) {
  char text[TS__TIMESTAMP_SIZE];
  bool good = ms != 0 && ts__timestamp_format(text, ms);
  ts__out_text(out, name, good ? text : NULL);
}

void ts__out_naive_time(ts__out_t *out, const char *name, int64_t ms) {
  char text[TS__TIMESTAMP_SIZE];
  bool good = ms != 0 && ts__timestamp_format(text, ms);
  if (good) {
    text[sizeof("2024-01-15T10:30:00") - 1] = '\0';
  }
  ts__out_text(out, name, good ? text : NULL);
}
