/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/channels.h"

#include <string.h>

#include "base/err.h"
#include "plane/schemas.h"
#include "wire/json_write.h"
#include "wire/url.h"

#define HIDDEN "***"

ts__channel_t *ts__channel_new(const ts__mem_t *mem, const char *id,
                               ts__channel_config_t *config, int64_t now_ms) {
  ts__channel_t *channel = ts__calloc(mem, 1, sizeof(*channel));
  if (!channel) {
    return NULL;
  }
  channel->item.inserted_ms = channel->item.updated_ms = now_ms;
  channel->item.id = ts__strdup(mem, id);
  if (!channel->item.id) {
    ts__channel_free(mem, channel);
    return NULL;
  }
  channel->config = *config;
  *config = (ts__channel_config_t){0};
  return channel;
}

void ts__channel_free(const ts__mem_t *mem, ts__channel_t *channel) {
  if (channel) {
    ts__schema_deinit(&ts__channel_schema, mem, &channel->config);
    ts__free(mem, channel->item.id);
    ts__free(mem, channel);
  }
}

void ts__channel_save(ts__rows_t *rows, const ts__project_t *project,
                      const ts__channel_t *channel,
                      const ts__channel_config_t *config, int64_t now_ms) {
  ts__out_t *out = ts__rows_begin(rows);
  ts__schema_write(&ts__channel_schema, out, config);
  ts__out_int(out, "inserted_ms", channel->item.inserted_ms);
  ts__out_int(out, "updated_ms", now_ms);
  ts__rows_end(rows, TS__ROW_CHANNEL, channel->item.id, project->item.id);
}

/*
 * URLs
 */

/* The bytes behind "://", or none. */
static ts__str_t behind_scheme(ts__str_t url) {
  for (size_t i = 0; i + 2 < url.len; i++) {
    if (memcmp(url.ptr + i, "://", 3) == 0) {
      return (ts__str_t){url.ptr + i + 3, url.len - i - 3};
    }
  }
  return (ts__str_t){NULL, 0};
}

static size_t authority_len(ts__str_t rest) {
  size_t len = 0;
  while (len < rest.len && !strchr("/?#", rest.ptr[len])) {
    len++;
  }
  return len;
}

bool ts__webhook_url_is_valid(ts__str_t url) {
  ts__str_t rest = behind_scheme(url);
  ts__url_t parsed;
  if (!rest.ptr) {
    return false;
  }
  for (size_t i = 0; i < url.len; i++) {
    if (url.ptr[i] <= 0x20 || url.ptr[i] >= 0x7f || url.ptr[i] == '#') {
      return false;
    }
  }
  size_t len = (size_t)(rest.ptr - url.ptr) + authority_len(rest);
  return ts__url_parse(&parsed, (ts__str_t){url.ptr, len}) == NULL;
}

/*
 * Masking
 */

static bool contains_nocase(ts__str_t text, ts__str_t part) {
  for (size_t i = 0; i + part.len <= text.len; i++) {
    if (ts__str_eq_nocase((ts__str_t){text.ptr + i, part.len}, part)) {
      return true;
    }
  }
  return false;
}

static bool is_secret(ts__str_t name) {
  return contains_nocase(name, TS__STR("key")) ||
         contains_nocase(name, TS__STR("token")) ||
         contains_nocase(name, TS__STR("secret"));
}

static void put(ts__out_t *out, ts__str_t bytes) {
  if (!out->error) {
    out->error = ts__buf_append(&out->buf, bytes);
  }
}

static void put_string(ts__out_t *out, ts__str_t text) {
  if (!out->error) {
    out->error = ts__json_write_string(&out->buf, text);
  }
}

/* Scheme and host stay; user, path and query go. */
static void put_url(ts__out_t *out, const ts__mem_t *mem, ts__str_t url,
                    ts__str_t rest) {
  ts__str_t host = {rest.ptr, authority_len(rest)};
  ts__buf_t text;
  for (size_t i = host.len; i > 0; i--) {
    if (host.ptr[i - 1] == '@') {
      host = (ts__str_t){host.ptr + i, host.len - i};
      break;
    }
  }
  ts__buf_init(&text, mem, SIZE_MAX);
  int r =
      ts__buf_append(&text, (ts__str_t){url.ptr, (size_t)(rest.ptr - url.ptr)});
  if (!r) {
    r = ts__buf_append(&text, host);
  }
  if (!r) {
    r = ts__buf_append(&text, TS__STR("/" HIDDEN));
  }
  if (r) {
    out->error = r;
  } else {
    put_string(out, ts__buf_str(&text));
  }
  ts__buf_deinit(&text);
}

static void put_masked(ts__out_t *out, const ts__mem_t *mem,
                       const ts__json_t *value);

static void put_object(ts__out_t *out, const ts__mem_t *mem,
                       const ts__json_t *object) {
  void *cursor = NULL;
  ts__str_t key;
  const ts__json_t *value;
  bool is_first = true;
  put(out, TS__STR("{"));
  while (ts__json_next(object, &cursor, &key, &value)) {
    put(out, is_first ? TS__STR_EMPTY : TS__STR(","));
    is_first = false;
    put_string(out, key);
    put(out, TS__STR(":"));
    if (is_secret(key)) {
      put(out, TS__STR("\"" HIDDEN "\""));
    } else {
      put_masked(out, mem, value);
    }
  }
  put(out, TS__STR("}"));
}

static void put_array(ts__out_t *out, const ts__mem_t *mem,
                      const ts__json_t *array) {
  put(out, TS__STR("["));
  for (size_t i = 0; i < ts__json_count(array); i++) {
    put(out, i > 0 ? TS__STR(",") : TS__STR_EMPTY);
    put_masked(out, mem, ts__json_at(array, i));
  }
  put(out, TS__STR("]"));
}

/* As deep as the reader of JSON lets a text be. */
static void put_masked(ts__out_t *out, const ts__mem_t *mem,
                       const ts__json_t *value) {
  ts__str_t text;
  if (ts__json_type(value) == TS__JSON_OBJECT) {
    put_object(out, mem, value);
  } else if (ts__json_type(value) == TS__JSON_ARRAY) {
    put_array(out, mem, value);
  } else if (ts__json_string(value, &text)) {
    ts__str_t rest = behind_scheme(text);
    if (rest.ptr) {
      put_url(out, mem, text, rest);
    } else {
      put_string(out, text);
    }
  } else if (!out->error) {
    out->error = ts__json_write_value(&out->buf, value);
  }
}

void ts__channel_write_masked(ts__out_t *out, const ts__mem_t *mem,
                              const char *config) {
  ts__json_doc_t *doc = NULL;
  ts__out_t masked;
  ts__out_init(&masked, mem);
  masked.error =
      ts__json_parse(&doc, ts__str(config ? config : "{}"), SIZE_MAX);
  if (!masked.error) {
    put_masked(&masked, mem, ts__json_root(doc));
    put(&masked, (ts__str_t){"", 1}); /* the NUL behind it */
  }
  ts__json_free(doc);
  if (masked.error) {
    out->error = TS__ENOMEM;
  } else {
    ts__out_json(out, "config", masked.buf.ptr);
  }
  ts__out_deinit(&masked);
}
