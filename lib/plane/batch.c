/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/batch.h"

#include "base/err.h"
#include "wire/gzip.h"

#define MAX_INFLATED (16u * 1024u * 1024u)
#define MAX_SAMPLES 1000u
#define MAX_METRIC 255u
#define MAX_TRACE_ID 255u
#define MAX_TAG_KEY 64u
#define MAX_TAG_VALUE 255u
#define MAX_AGE_MS 3600000
#define MAX_AHEAD_MS 60000

/* JSON values of one batch: a thousand samples with all their tags and as many
 * members again that nobody knows. Each takes memory, however short it is. */
#define MAX_VALUES 100000u

/* A body, as it is when inflated, that is read at once. */
#define SHORT_BODY 4096u

void ts__batch_init(ts__batch_t *batch, const ts__mem_t *mem) {
  batch->mem = mem;
  ts__buf_init(&batch->inflated, mem, MAX_INFLATED);
}

void ts__batch_deinit(ts__batch_t *batch) {
  ts__free(batch->mem, batch->records);
  ts__json_free(batch->doc);
  ts__buf_deinit(&batch->inflated);
  ts__wipe(batch->secret, sizeof(batch->secret));
}

/* What a gzip body says of itself in its last four bytes. */
static size_t inflated_len(ts__str_t body) {
  size_t len = 0;
  for (size_t i = 0; body.len >= 4 && i < 4; i++) {
    len = len << 8 | (unsigned char)body.ptr[body.len - 1 - i];
  }
  return len;
}

size_t ts__batch_len(const ts__batch_t *batch) {
  size_t len = batch->body.len;
  if (batch->coding == TS__CODING_GZIP && inflated_len(batch->body) > len) {
    len = inflated_len(batch->body);
  }
  return len;
}

bool ts__batch_is_short(const ts__batch_t *batch) {
  return ts__batch_len(batch) <= SHORT_BODY;
}

/* Always false, to be returned. */
static bool refuse(ts__batch_t *batch, int status, const char *code,
                   const char *message) {
  batch->refusal = (ts__refusal_t){status, code, message, -1};
  return false;
}

static bool refuse_memory(ts__batch_t *batch) {
  return refuse(batch, 503, "unavailable", "Out of memory");
}

/*
 * The batch as a whole
 */

static bool check_signature(ts__batch_t *batch) {
  if (!batch->is_signed) {
    return true;
  }
  if (!batch->has_secret ||
      !ts__sign_verify(ts__str(batch->signature), batch->secret,
                       ts__str(batch->timestamp), batch->body)) {
    return refuse(batch, 401, "invalid_signature",
                  "The signature does not match");
  }
  return true;
}

static bool inflate(ts__batch_t *batch, ts__str_t *text) {
  if (ts__batch_len(batch) < MAX_INFLATED) {
    batch->inflated.max = ts__batch_len(batch);
  }
  int r = ts__gunzip(batch->mem, batch->body, &batch->inflated);
  if (r == TS__ENOBUFS && batch->inflated.max == MAX_INFLATED) {
    return refuse(batch, 413, "body_too_large", "The body inflates too far");
  }
  if (r == TS__ENOMEM) {
    return refuse_memory(batch);
  }
  if (r) {
    return refuse(batch, 400, "invalid_payload", "The body is not gzip");
  }
  *text = ts__buf_str(&batch->inflated);
  return true;
}

static bool decode(ts__batch_t *batch, ts__str_t *text) {
  *text = batch->body;
  switch (batch->coding) {
  case TS__CODING_IDENTITY:
    return true;
  case TS__CODING_GZIP:
    return inflate(batch, text);
  case TS__CODING_OTHER:
    break;
  }
  return refuse(batch, 415, "unsupported_media_type",
                "Content-Encoding must be gzip or identity");
}

/* Does it hold more values than we would have the memory of? Every value but
 * the first follows a comma, or begins a list or an object. */
static bool has_too_many_values(ts__str_t text) {
  size_t count = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (in_string) {
      i += c == '\\';
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else {
      count += c == ',' || c == '[' || c == '{';
    }
  }
  return count > MAX_VALUES;
}

/* An array of samples, bare or as a member of an object. */
static const ts__json_t *parse(ts__batch_t *batch, ts__str_t text) {
  if (has_too_many_values(text)) {
    refuse(batch, 413, "body_too_large", "Too many values");
    return NULL;
  }
  int r = ts__json_parse(&batch->doc, text, MAX_INFLATED);
  if (r == TS__ENOMEM) {
    refuse_memory(batch);
    return NULL;
  }
  const ts__json_t *list = r ? NULL : ts__json_root(batch->doc);
  if (ts__json_type(list) == TS__JSON_OBJECT) {
    list = ts__json_get(list, "samples");
  }
  if (ts__json_type(list) != TS__JSON_ARRAY) {
    refuse(batch, 400, "invalid_payload",
           "The body is neither an array nor an object with samples");
    return NULL;
  }
  if (ts__json_count(list) > MAX_SAMPLES) {
    refuse(batch, 413, "batch_too_large", "More than 1000 samples");
    return NULL;
  }
  return list;
}

/*
 * One sample
 */

/* Characters, not bytes; the text is valid UTF-8. */
static size_t count_chars(ts__str_t text) {
  size_t count = 0;
  for (size_t i = 0; i < text.len; i++) {
    count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
  }
  return count;
}

static bool read_text(const ts__json_t *value, size_t max, ts__str_t *text) {
  return ts__json_string(value, text) && count_chars(*text) <= max;
}

static bool tags_are_valid(const ts__json_t *tags) {
  void *cursor = NULL;
  size_t count = 0;
  ts__str_t key;
  ts__str_t text;
  const ts__json_t *value;
  if (ts__json_type(tags) != TS__JSON_OBJECT) {
    return false;
  }
  while (ts__json_next(tags, &cursor, &key, &value)) {
    if (++count > TS__MAX_SAMPLE_TAGS || count_chars(key) > MAX_TAG_KEY ||
        !read_text(value, MAX_TAG_VALUE, &text)) {
      return false;
    }
  }
  return true;
}

static const char *read_time(const ts__batch_t *batch, const ts__json_t *json,
                             ts__record_t *record) {
  if (!ts__json_integer(ts__json_get(json, "ts_ms"), &record->ts_ms) ||
      record->ts_ms <= 0) {
    return "invalid_ts_ms";
  }
  if (record->ts_ms < batch->received_ms - MAX_AGE_MS) {
    return "ts_ms_too_old";
  }
  return record->ts_ms > batch->received_ms + MAX_AHEAD_MS ? "ts_ms_in_future"
                                                           : NULL;
}

static const char *read_optional(const ts__json_t *json, ts__record_t *record) {
  const ts__json_t *trace_id = ts__json_get(json, "trace_id");
  ts__str_t text;
  record->tags = ts__json_get(json, "tags");
  if (record->tags && !tags_are_valid(record->tags)) {
    return "invalid_tags";
  }
  if (trace_id) {
    if (!read_text(trace_id, MAX_TRACE_ID, &text)) {
      return "invalid_trace_id";
    }
    record->trace_id = text.ptr;
  }
  return NULL;
}

/* NULL, or the code of the first violation. */
static const char *read_sample(const ts__batch_t *batch, const ts__json_t *json,
                               ts__record_t *record) {
  (void)ts__json_string(ts__json_get(json, "router_id"), &record->router_id);
  if (!read_text(ts__json_get(json, "metric"), MAX_METRIC, &record->metric) ||
      record->metric.len == 0) {
    return "invalid_metric";
  }
  const char *fault = read_time(batch, json, record);
  if (fault) {
    return fault;
  }
  if (!ts__json_bool(ts__json_get(json, "ok"), &record->ok)) {
    return "invalid_ok";
  }
  if (!ts__json_number(ts__json_get(json, "value"), &record->value)) {
    return "invalid_value";
  }
  return read_optional(json, record);
}

static bool read_samples(ts__batch_t *batch, const ts__json_t *list) {
  size_t count = ts__json_count(list);
  batch->records = ts__calloc(batch->mem, count + 1, sizeof(*batch->records));
  if (!batch->records) {
    return refuse_memory(batch);
  }
  while (batch->count < count) {
    ts__record_t *record = &batch->records[batch->count];
    record->fault = read_sample(batch, ts__json_at(list, batch->count), record);
    batch->count++;
    if (record->fault) {
      break;
    }
  }
  return true;
}

bool ts__batch_read(ts__batch_t *batch) {
  ts__str_t text;
  if (!check_signature(batch) || !decode(batch, &text)) {
    return false;
  }
  const ts__json_t *list = parse(batch, text);
  return list && read_samples(batch, list);
}

size_t ts__record_tags(const ts__record_t *record,
                       ts_tag_t tags[TS__MAX_SAMPLE_TAGS]) {
  void *cursor = NULL;
  size_t count = 0;
  ts__str_t key;
  ts__str_t text;
  const ts__json_t *value;
  while (record->tags && count < TS__MAX_SAMPLE_TAGS &&
         ts__json_next(record->tags, &cursor, &key, &value)) {
    if (ts__json_string(value, &text)) {
      tags[count++] = (ts_tag_t){key.ptr, text.ptr};
    }
  }
  return count;
}
