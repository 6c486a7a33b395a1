/* SPDX-License-Identifier: Apache-2.0 */
#include "service/listing.h"

#include "base/bounds.h"
#include "base/err.h"
#include "core/metadata.h"
#include "wire/json_read.h"

/* Pairs of one item; the service allows 20. */
#define MAX_PAIRS 256

static const char *const list_names[] = {"breakers", "routers"};

ts__str_t ts__listing_path(ts__list_kind_t kind) {
  return kind == TS__LIST_BREAKERS ? TS__STR("/breakers/metadata")
                                   : TS__STR("/routers/metadata");
}

static size_t read_pairs(const ts__json_t *object, const ts__log_t *log,
                         ts__metadata_pair_t pairs[MAX_PAIRS]) {
  void *cursor = NULL;
  const ts__json_t *value = NULL;
  ts__str_t key;
  size_t count = 0;
  while (count < MAX_PAIRS && ts__json_next(object, &cursor, &key, &value)) {
    pairs[count].key = key;
    if (ts__json_string(value, &pairs[count].value)) {
      count++;
    } else {
      char name[128];
      TS__LOG(log, TS_LOG_DEBUG, "left out metadata that is not text",
              {"key", ts__log_text(name, sizeof name, key)});
    }
  }
  return count;
}

static int read_item(ts_metadata_t *metadata, const ts__log_t *log,
                     const ts__json_t *item) {
  ts__metadata_pair_t pairs[MAX_PAIRS];
  ts__str_t id;
  ts__str_t name;
  if (!ts__json_string(ts__json_get(item, "id"), &id) ||
      !ts__json_string(ts__json_get(item, "name"), &name)) {
    TS__LOG(log, TS_LOG_WARN, "skipped metadata without an id or a name");
    return 0;
  }
  const size_t count = read_pairs(ts__json_get(item, "metadata"), log, pairs);
  return ts__metadata_add(metadata, id, name, pairs, count);
}

static int read_list(ts_metadata_t **metadata, const ts__mem_t *mem,
                     const ts__log_t *log, const ts__json_t *list,
                     const char *etag) {
  const size_t count = ts__json_count(list);
  *metadata = ts__metadata_new(mem, count, ts__str(etag));
  int error = *metadata != NULL ? 0 : TS__ENOMEM;
  for (size_t i = 0; i < count && error == 0; i++) {
    error = read_item(*metadata, log, ts__json_at(list, i));
  }
  if (error != 0) {
    ts_metadata_unref(*metadata);
    *metadata = NULL;
  }
  return error;
}

int ts__listing_read(ts_metadata_t **metadata, const ts__mem_t *mem,
                     const ts__log_t *log, ts__list_kind_t kind, ts__str_t body,
                     const char *etag) {
  ts__json_doc_t *doc = NULL;
  int error = ts__json_parse(&doc, body, TS__MAX_BODY);
  *metadata = NULL;
  if (error != 0) {
    return error;
  }
  const ts__json_t *root = ts__json_root(doc);
  const ts__json_t *list = ts__json_get(root, list_names[kind]);
  const ts__json_type_t type = ts__json_type(list);
  if (ts__json_type(root) != TS__JSON_OBJECT ||
      (type != TS__JSON_ARRAY && type != TS__JSON_NULL &&
       type != TS__JSON_NONE)) {
    error = TS_EPARSE;
  } else {
    error = read_list(metadata, mem, log, list, etag);
  }
  ts__json_free(doc);
  return error;
}

/* Absent and null mean that there was no evaluation yet. */
static bool read_last_eval(ts_status_t *status, const ts__json_t *value) {
  const ts__json_type_t type = ts__json_type(value);
  if (type == TS__JSON_NONE || type == TS__JSON_NULL) {
    return true;
  }
  status->has_last_eval = ts__json_integer(value, &status->last_eval_ms);
  return status->has_last_eval;
}

int ts__status_read(ts_status_t *status, ts__str_t body) {
  ts__json_doc_t *doc = NULL;
  const int error = ts__json_parse(&doc, body, TS__MAX_BODY);
  *status = (ts_status_t){0};
  if (error != 0) {
    return error;
  }
  const ts__json_t *root = ts__json_root(doc);
  const bool good =
      ts__json_integer(ts__json_get(root, "open_count"), &status->open_count) &&
      ts__json_integer(ts__json_get(root, "closed_count"),
                       &status->closed_count) &&
      read_last_eval(status, ts__json_get(root, "last_eval_ms"));
  ts__json_free(doc);
  return good ? 0 : TS_EPARSE;
}
