/* SPDX-License-Identifier: Apache-2.0 */
#include "service/sample_json.h"

#include "core/tags.h"
#include "wire/json_write.h"

/* A member's name with its quotes, colon, and comma before it. */
static int member(ts__buf_t *buf, ts__str_t name) {
  return ts__buf_append(buf, name);
}

static int text_member(ts__buf_t *buf, ts__str_t name, ts__str_t text) {
  const int error = member(buf, name);
  return error != 0 ? error : ts__json_write_string(buf, text);
}

static int write_tag(ts__buf_t *buf, bool first, ts__str_t key,
                     ts__str_t value) {
  int error = ts__buf_append_char(buf, first ? '{' : ',');
  if (error == 0) {
    error = ts__json_write_string(buf, key);
  }
  if (error == 0) {
    error = ts__buf_append_char(buf, ':');
  }
  return error != 0 ? error : ts__json_write_string(buf, value);
}

/* The tags of `packed` that `hidden_by` does not have. */
static int write_tags(ts__buf_t *buf, ts__str_t packed, ts__str_t hidden_by,
                      bool *first) {
  size_t cursor = 0;
  ts__str_t key;
  ts__str_t value;
  while (ts__tags_next(packed, &cursor, &key, &value)) {
    if (ts__tags_have(hidden_by, key)) {
      continue;
    }
    const int error = write_tag(buf, *first, key, value);
    if (error != 0) {
      return error;
    }
    *first = false;
  }
  return 0;
}

static int tags_member(ts__buf_t *buf, ts__str_t global_tags, ts__str_t own) {
  if (global_tags.len == 0 && own.len == 0) {
    return 0;
  }
  bool first = true;
  int error = member(buf, TS__STR(",\"tags\":"));
  if (error == 0) {
    error = write_tags(buf, global_tags, own, &first);
  }
  if (error == 0) {
    error = write_tags(buf, own, TS__STR_EMPTY, &first);
  }
  return error != 0 ? error : ts__buf_append_char(buf, '}');
}

static int required_members(ts__buf_t *buf, const ts__sample_t *sample) {
  int error = text_member(buf, TS__STR("{\"router_id\":"), sample->router);
  if (error == 0) {
    error = text_member(buf, TS__STR(",\"metric\":"), sample->metric);
  }
  if (error == 0) {
    error = member(buf, TS__STR(",\"ts_ms\":"));
  }
  if (error == 0) {
    error = ts__json_write_int(buf, sample->ts_ms);
  }
  if (error == 0) {
    error = member(buf, TS__STR(",\"value\":"));
  }
  if (error == 0) {
    error = ts__json_write_double(buf, sample->value);
  }
  if (error == 0) {
    error = member(buf, TS__STR(",\"ok\":"));
  }
  return error != 0 ? error : ts__json_write_bool(buf, sample->ok);
}

int ts__sample_json(ts__buf_t *buf, const ts__sample_t *sample,
                    ts__str_t global_tags) {
  int error = required_members(buf, sample);
  if (error == 0) {
    error = tags_member(buf, global_tags, sample->tags);
  }
  if (error == 0 && sample->trace_id.len > 0) {
    error = text_member(buf, TS__STR(",\"trace_id\":"), sample->trace_id);
  }
  return error != 0 ? error : ts__buf_append_char(buf, '}');
}
