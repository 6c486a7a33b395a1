/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking in a batch: signature, encoding, JSON, every sample checked, and only
 * then all of them applied, in that order. A batch is answered 202 exactly when
 * it was applied, because clients send it again otherwise: so all memory that
 * applying needs is reserved before, and nothing can fail after.
 *
 * Callbacks may change breakers or close the plane. They come when all samples
 * are applied; the breakers to evaluate wait in a list that a removal leaves.
 */
#include "plane/internal.h"

#include <stdio.h>

#include "base/err.h"
#include "wire/gzip.h"
#include "wire/json_read.h"
#include "wire/json_write.h"

#define MAX_INFLATED (16u * 1024u * 1024u)
#define MAX_SAMPLES 1000u
#define MAX_METRIC 255u
#define MAX_TRACE_ID 255u
#define MAX_TAGS 32u
#define MAX_TAG_KEY 64u
#define MAX_TAG_VALUE 255u
#define MAX_AGE_MS 3600000
#define MAX_AHEAD_MS 60000
#define MAX_SKEW_MS 300000

/* One checked sample; texts belong to the JSON document and end in NUL. */
typedef struct record_s {
  ts__plane_router_t *router;
  const char *router_id;
  ts__str_t metric;
  int64_t ts_ms;
  double value;
  bool ok;
  const char *trace_id;
  const ts__json_t *tags;
} record_t;

/* Why a batch is refused; a status of 0: it is not. */
typedef struct refusal_s {
  int status;
  const char *code;
  const char *message;
  int64_t index;
} refusal_t;

typedef struct intake_s {
  ts_plane_t *plane;
  ts__project_t *project;
  ts__http_conn_t *conn;
  const ts__http_incoming_t *incoming;
  int64_t now_ms;
  ts__buf_t inflated;
  ts__json_doc_t *doc;
  record_t *records;
  size_t count;
  refusal_t refusal;
} intake_t;

/* Always false, to be returned. */
static bool refuse(intake_t *intake, int status, const char *code,
                   const char *message) {
  intake->refusal = (refusal_t){status, code, message, -1};
  return false;
}

static bool refuse_memory(intake_t *intake) {
  return refuse(intake, 503, "unavailable", "Out of memory");
}

/*
 * The batch as a whole
 */

static bool check_timestamp(intake_t *intake, ts__str_t text) {
  uint64_t ms = 0;
  int64_t now_ms = intake->now_ms;
  if (!text.ptr || !ts__str_to_u64(text, &ms) || ms > INT64_MAX ||
      (int64_t)ms < now_ms - MAX_SKEW_MS ||
      (int64_t)ms > now_ms + MAX_SKEW_MS) {
    return refuse(intake, 401, "timestamp_out_of_range",
                  "X-EB-Timestamp is missing or too far from the server's "
                  "clock");
  }
  return true;
}

static bool check_signature(intake_t *intake) {
  const ts__project_t *project = intake->project;
  const ts__http_head_t *head = intake->incoming->head;
  ts__str_t signature = ts__http_head_get(head, TS__STR("x-eb-signature"));
  ts__str_t timestamp = ts__http_head_get(head, TS__STR("x-eb-timestamp"));
  if (!signature.ptr) {
    return !project->config.wants_signature ||
           refuse(intake, 401, "invalid_signature", "A signature is required");
  }
  if (!check_timestamp(intake, timestamp)) {
    return false;
  }
  if (!project->has_secret ||
      !ts__sign_verify(signature, project->secret, timestamp,
                       intake->incoming->body)) {
    return refuse(intake, 401, "invalid_signature",
                  "The signature does not match");
  }
  return true;
}

static bool inflate(intake_t *intake, ts__str_t *body) {
  int r = ts__gunzip(&intake->plane->mem, *body, &intake->inflated);
  if (r == TS__ENOBUFS) {
    return refuse(intake, 413, "body_too_large", "The body inflates too far");
  }
  if (r == TS__ENOMEM) {
    return refuse_memory(intake);
  }
  if (r) {
    return refuse(intake, 400, "invalid_payload", "The body is not gzip");
  }
  *body = ts__buf_str(&intake->inflated);
  return true;
}

static bool decode(intake_t *intake, ts__str_t *body) {
  ts__str_t encoding =
      ts__http_head_get(intake->incoming->head, TS__STR("content-encoding"));
  *body = intake->incoming->body;
  if (!encoding.ptr || ts__str_eq_nocase(encoding, TS__STR("identity"))) {
    return true;
  }
  if (!ts__str_eq_nocase(encoding, TS__STR("gzip"))) {
    return refuse(intake, 415, "unsupported_media_type",
                  "Content-Encoding must be gzip or identity");
  }
  return inflate(intake, body);
}

/* An array of samples, bare or as a member of an object. */
static const ts__json_t *parse(intake_t *intake, ts__str_t body) {
  int r = ts__json_parse(&intake->doc, body, MAX_INFLATED);
  if (r == TS__ENOMEM) {
    refuse_memory(intake);
    return NULL;
  }
  const ts__json_t *list = r ? NULL : ts__json_root(intake->doc);
  if (ts__json_type(list) == TS__JSON_OBJECT) {
    list = ts__json_get(list, "samples");
  }
  if (ts__json_type(list) != TS__JSON_ARRAY) {
    refuse(intake, 400, "invalid_payload",
           "The body is neither an array nor an object with samples");
    return NULL;
  }
  if (ts__json_count(list) > MAX_SAMPLES) {
    refuse(intake, 413, "batch_too_large", "More than 1000 samples");
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
    if (++count > MAX_TAGS || count_chars(key) > MAX_TAG_KEY ||
        !read_text(value, MAX_TAG_VALUE, &text)) {
      return false;
    }
  }
  return true;
}

static const char *read_router(const intake_t *intake, const ts__json_t *json,
                               record_t *record) {
  ts__str_t id;
  if (ts__json_string(ts__json_get(json, "router_id"), &id)) {
    record->router = ts__project_router(intake->project, id);
    record->router_id = id.ptr;
  }
  return record->router ? NULL : "invalid_router_id";
}

static const char *read_time(const intake_t *intake, const ts__json_t *json,
                             record_t *record) {
  if (!ts__json_integer(ts__json_get(json, "ts_ms"), &record->ts_ms) ||
      record->ts_ms <= 0) {
    return "invalid_ts_ms";
  }
  if (record->ts_ms < intake->now_ms - MAX_AGE_MS) {
    return "ts_ms_too_old";
  }
  return record->ts_ms > intake->now_ms + MAX_AHEAD_MS ? "ts_ms_in_future"
                                                       : NULL;
}

static const char *read_optional(const ts__json_t *json, record_t *record) {
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
static const char *read_sample(const intake_t *intake, const ts__json_t *json,
                               record_t *record) {
  *record = (record_t){0};
  const char *code = read_router(intake, json, record);
  if (code) {
    return code;
  }
  if (!read_text(ts__json_get(json, "metric"), MAX_METRIC, &record->metric) ||
      record->metric.len == 0) {
    return "invalid_metric";
  }
  code = read_time(intake, json, record);
  if (code) {
    return code;
  }
  if (!ts__json_bool(ts__json_get(json, "ok"), &record->ok)) {
    return "invalid_ok";
  }
  if (!ts__json_number(ts__json_get(json, "value"), &record->value)) {
    return "invalid_value";
  }
  return read_optional(json, record);
}

static bool read_samples(intake_t *intake, const ts__json_t *list) {
  size_t count = ts__json_count(list);
  intake->records =
      ts__calloc(&intake->plane->mem, count + 1, sizeof(*intake->records));
  if (!intake->records) {
    return refuse_memory(intake);
  }
  for (size_t i = 0; i < count; i++) {
    const char *code =
        read_sample(intake, ts__json_at(list, i), &intake->records[i]);
    if (code) {
      refuse(intake, 422, code, "A sample is invalid");
      intake->refusal.index = (int64_t)i;
      return false;
    }
  }
  intake->count = count;
  return true;
}

/*
 * Applying
 */

typedef void (*deliver_cb)(intake_t *intake, ts__plane_breaker_t *breaker,
                           size_t index, ts__list_t *touched);

/* Call for each breaker that receives each sample, in order. */
static void for_each_delivery(intake_t *intake, deliver_cb deliver,
                              ts__list_t *touched) {
  for (size_t i = 0; i < intake->count; i++) {
    const record_t *record = &intake->records[i];
    const ts__table_t *links = &record->router->links;
    for (size_t k = 0; record->router->config.is_enabled && k < links->count;
         k++) {
      ts__plane_breaker_t *breaker = links->items[k];
      if (ts__str_eq(ts__str(breaker->config.metric), record->metric)) {
        deliver(intake, breaker, i, touched);
      }
    }
  }
}

static void count_delivery(intake_t *intake, ts__plane_breaker_t *breaker,
                           size_t index, ts__list_t *touched) {
  if (breaker->incoming++ == 0) {
    breaker->last_failure = 0;
    ts__list_push(touched, &breaker->due);
  }
  if (!intake->records[index].ok) {
    breaker->last_failure = index + 1;
  }
}

static void apply_delivery(intake_t *intake, ts__plane_breaker_t *breaker,
                           size_t index, ts__list_t *touched) {
  const record_t *record = &intake->records[index];
  (void)touched;
  ts__evaluator_add(&breaker->evaluator, record->ts_ms, record->value,
                    record->ok, intake->now_ms);
}

/* For the samples and the answer. Counts end here; the breakers stay in the
 * list if all have room. */
static bool reserve(intake_t *intake, ts__list_t *touched) {
  int r = ts__http_conn_reserve(intake->conn);
  for (ts__list_t *node = touched->next; node != touched; node = node->next) {
    ts__plane_breaker_t *breaker =
        TS__CONTAINER(node, ts__plane_breaker_t, due);
    if (!r) {
      r = ts__evaluator_reserve(&breaker->evaluator, breaker->incoming);
    }
    breaker->incoming = 0;
  }
  if (!r) {
    return true;
  }
  while (ts__list_pop(touched)) {
  }
  return refuse_memory(intake);
}

static size_t read_tags(const record_t *record, ts_tag_t tags[MAX_TAGS]) {
  void *cursor = NULL;
  size_t count = 0;
  ts__str_t key;
  ts__str_t text;
  const ts__json_t *value;
  while (record->tags && count < MAX_TAGS &&
         ts__json_next(record->tags, &cursor, &key, &value)) {
    if (ts__json_string(value, &text)) {
      tags[count++] = (ts_tag_t){key.ptr, text.ptr};
    }
  }
  return count;
}

/* Details that may be missing for want of memory. */
static void remember_failure(const intake_t *intake,
                             ts__plane_breaker_t *breaker) {
  const ts__mem_t *mem = &intake->plane->mem;
  ts_tag_t tags[MAX_TAGS];
  if (breaker->last_failure == 0) {
    return;
  }
  const record_t *record = &intake->records[breaker->last_failure - 1];
  ts__breaker_forget_failure(breaker);
  breaker->failure_ts_ms = record->ts_ms;
  breaker->failure_trace_id = ts__strdup(mem, record->trace_id);
  (void)ts__pairs_copy(&breaker->failure_tags, mem, tags,
                       read_tags(record, tags));
}

static void tell_samples(intake_t *intake) {
  ts_plane_t *plane = intake->plane;
  ts_tag_t tags[MAX_TAGS];
  for (size_t i = 0; plane->on_sample && i < intake->count; i++) {
    const record_t *record = &intake->records[i];
    ts_plane_sample_t sample = {.router_id = record->router_id,
                                .metric = record->metric.ptr,
                                .ts_ms = record->ts_ms,
                                .value = record->value,
                                .ok = record->ok,
                                .trace_id = record->trace_id,
                                .tags = tags,
                                .tag_count = read_tags(record, tags)};
    ts__plane_enter_callback(plane);
    plane->on_sample(plane, &sample);
    ts__plane_leave_callback(plane);
    if (plane->is_closing) {
      return;
    }
  }
}

static void evaluate(intake_t *intake, ts__list_t *touched) {
  ts__list_t *node;
  ts__change_t change;
  while ((node = ts__list_pop(touched))) {
    ts__plane_breaker_t *breaker =
        TS__CONTAINER(node, ts__plane_breaker_t, due);
    if (!intake->plane->is_closing &&
        ts__evaluator_ingested(&breaker->evaluator, intake->now_ms, &change)) {
      ts__plane_announce(intake->plane, breaker, &change);
    }
  }
}

static bool apply(intake_t *intake) {
  ts__list_t touched;
  ts__list_init(&touched);
  for_each_delivery(intake, count_delivery, &touched);
  if (!reserve(intake, &touched)) {
    return false;
  }
  for_each_delivery(intake, apply_delivery, &touched);
  for (ts__list_t *node = touched.next; node != &touched; node = node->next) {
    remember_failure(intake, TS__CONTAINER(node, ts__plane_breaker_t, due));
  }
  intake->plane->stats.batches++;
  intake->plane->stats.samples_accepted += intake->count;
  tell_samples(intake);
  evaluate(intake, &touched);
  return true;
}

static bool take_in(intake_t *intake) {
  ts__str_t body;
  if (intake->incoming->body_too_large) {
    return refuse(intake, 413, "body_too_large", "The body exceeds 1 MiB");
  }
  if (!check_signature(intake) || !decode(intake, &body)) {
    return false;
  }
  const ts__json_t *list = parse(intake, body);
  return list && read_samples(intake, list) && apply(intake);
}

static void answer_accepted(ts__http_conn_t *conn, size_t count) {
  char body[48];
  int len = snprintf(body, sizeof(body), "{\"accepted\":%zu}", count);
  ts__http_conn_answer(
      conn, &(ts__http_answer_t){.status = 202, .body = {body, (size_t)len}});
}

void ts__plane_intake(ts_plane_t *plane, ts__project_t *project,
                      ts__http_conn_t *conn,
                      const ts__http_incoming_t *incoming) {
  if (!ts__plane_spend_ingest(plane, conn, project)) {
    plane->stats.batches_refused++;
    return;
  }
  intake_t intake = {.plane = plane,
                     .project = project,
                     .conn = conn,
                     .incoming = incoming,
                     .now_ms = ts__plane_now_ms(plane)};
  ts__buf_init(&intake.inflated, &plane->mem, MAX_INFLATED);
  if (take_in(&intake)) {
    answer_accepted(conn, intake.count);
  } else {
    const refusal_t *refusal = &intake.refusal;
    plane->stats.batches_refused++;
    ts__plane_refuse(plane, conn, refusal->status, refusal->code,
                     refusal->message, refusal->index);
  }
  ts__free(&plane->mem, intake.records);
  ts__json_free(intake.doc);
  ts__buf_deinit(&intake.inflated);
}
