/* SPDX-License-Identifier: Apache-2.0 */
#include "service/listing.h"

#include "base/bounds.h"
#include "base/err.h"
#include "core/metadata.h"
#include "wire/json_read.h"

/*
 * Happy path of a long list, with what only the loop may do between what takes
 * long:
 *   start       a copy of nothing: the body changes hands
 *   parse       other thread: JSON to a document, and what it takes to keep it
 *   on_parsed   loop: the body goes, one block of memory is asked for
 *   fill        other thread: the document into the block, and freed
 *   on_filled   loop: done
 * A short list does the same at once.
 *
 * Failure modes: not a list, no memory, no work queue: done with the error. A
 * document that cannot be used is freed over there, too, for it is large.
 *
 * A cancelled reading goes on without its listing, and frees itself when it
 * comes back, before the environment's end. In a forked child it never does.
 */

/* Pairs of one item; the service allows 20. */
#define MAX_PAIRS 256

/* A body that is read at once. */
#define SHORT_BODY 4096u

/* The answer is three numbers; longer ones are not read. */
#define MAX_STATUS 8192u

static const char *const list_names[] = {"breakers", "routers"};

ts__str_t ts__listing_path(ts__list_kind_t kind) {
  return kind == TS__LIST_BREAKERS ? TS__STR("/breakers/metadata")
                                   : TS__STR("/routers/metadata");
}

/* ------------------------------------------- from JSON to a list, any thread */

typedef struct draft_s {
  ts__list_kind_t kind;
  ts__json_doc_t *doc;
  ts__metadata_plan_t plan;
  size_t odd_items; /* that were skipped */
  size_t odd_pairs; /* that were left out */
} draft_t;

static const ts__json_t *list_of(const draft_t *draft) {
  return ts__json_get(ts__json_root(draft->doc), list_names[draft->kind]);
}

static size_t read_pairs(const ts__json_t *object,
                         ts__metadata_pair_t pairs[MAX_PAIRS], size_t *odd) {
  void *cursor = NULL;
  const ts__json_t *value = NULL;
  ts__str_t key;
  size_t count = 0;
  while (count < MAX_PAIRS && ts__json_next(object, &cursor, &key, &value)) {
    pairs[count].key = key;
    if (ts__json_string(value, &pairs[count].value)) {
      count++;
    } else {
      ++*odd;
    }
  }
  return count;
}

/* Visit every good item: plan it, or, with a snapshot, keep it. */
static void read_items(draft_t *draft, ts_metadata_t *metadata) {
  const ts__json_t *list = list_of(draft);
  const size_t count = ts__json_count(list);
  draft->odd_items = 0;
  draft->odd_pairs = 0;
  for (size_t i = 0; i < count; i++) {
    const ts__json_t *item = ts__json_at(list, i);
    ts__metadata_pair_t pairs[MAX_PAIRS];
    ts__metadata_entry_t entry = {.pairs = pairs};
    if (!ts__json_string(ts__json_get(item, "id"), &entry.id) ||
        !ts__json_string(ts__json_get(item, "name"), &entry.name)) {
      draft->odd_items++;
      continue;
    }
    entry.pair_count =
        read_pairs(ts__json_get(item, "metadata"), pairs, &draft->odd_pairs);
    if (metadata != NULL) {
      ts__metadata_add(metadata, &entry);
    } else {
      ts__metadata_plan(&draft->plan, &entry);
    }
  }
}

static int parse(draft_t *draft, ts__str_t body) {
  const int error = ts__json_parse(&draft->doc, body, TS__MAX_BODY);
  if (error != 0) {
    return error;
  }
  const ts__json_type_t type = ts__json_type(list_of(draft));
  if (ts__json_type(ts__json_root(draft->doc)) != TS__JSON_OBJECT ||
      (type != TS__JSON_ARRAY && type != TS__JSON_NULL &&
       type != TS__JSON_NONE)) {
    return TS_EPARSE;
  }
  read_items(draft, NULL);
  return 0;
}

static void fill(draft_t *draft, ts_metadata_t *metadata) {
  if (metadata != NULL) {
    read_items(draft, metadata);
  }
  ts__json_free(draft->doc);
  draft->doc = NULL;
}

static void log_odd(const draft_t *draft, const ts__log_t *log) {
  if (draft->odd_items > 0) {
    TS__LOG(log, TS_LOG_WARN, "skipped metadata without an id or a name",
            {"count", TS__NUM(draft->odd_items)});
  }
  if (draft->odd_pairs > 0) {
    TS__LOG(log, TS_LOG_DEBUG, "left out metadata that is not text",
            {"count", TS__NUM(draft->odd_pairs)});
  }
}

int ts__listing_read(ts_metadata_t **metadata, const ts__mem_t *mem,
                     const ts__log_t *log, ts__list_kind_t kind, ts__str_t body,
                     const char *etag) {
  draft_t draft = {.kind = kind};
  int error = parse(&draft, body);
  *metadata = NULL;
  if (error == 0) {
    *metadata = ts__metadata_new(mem, &draft.plan, ts__str(etag));
    error = *metadata != NULL ? 0 : TS__ENOMEM;
  }
  fill(&draft, *metadata);
  log_odd(&draft, log);
  return error;
}

/* -------------------------------------------------------------- long lists */

struct ts__reading_s {
  ts__work_t work;
  const ts__context_t *context;
  ts__listing_t *listing; /* NULL: cancelled */
  draft_t draft;
  ts__buf_t body;
  ts_metadata_t *list;
  char *etag;
  int error;
};
typedef struct ts__reading_s reading_t;

/* Free the reading, and tell whoever still wants to know. */
static void finish(reading_t *reading) {
  const ts__mem_t *mem = reading->context->mem;
  ts__listing_t *listing = reading->listing;
  ts_metadata_t *list = reading->list;
  const int error = reading->error;
  ts__json_free(reading->draft.doc);
  ts__buf_deinit(&reading->body);
  ts__free(mem, reading->etag);
  if (listing == NULL || error != 0) {
    ts_metadata_unref(list);
    list = NULL;
  } else {
    log_odd(&reading->draft, reading->context->log);
  }
  ts__free(mem, reading);
  if (listing != NULL) {
    listing->reading = NULL;
    listing->done(listing->owner, error, list);
  }
}

static void on_fill(ts__work_t *work) {
  reading_t *reading = TS__CONTAINER(work, reading_t, work);
  fill(&reading->draft, reading->list);
}

static void on_filled(ts__work_t *work, int error) {
  reading_t *reading = TS__CONTAINER(work, reading_t, work);
  reading->error = reading->error != 0 ? reading->error : error;
  finish(reading);
}

static void on_parse(ts__work_t *work) {
  reading_t *reading = TS__CONTAINER(work, reading_t, work);
  reading->error = parse(&reading->draft, ts__buf_str(&reading->body));
}

static void on_parsed(ts__work_t *work, int error) {
  reading_t *reading = TS__CONTAINER(work, reading_t, work);
  ts__env_t *env = reading->context->env;
  reading->error = reading->error != 0 ? reading->error : error;
  ts__buf_deinit(&reading->body);
  if (reading->error == 0 && reading->listing != NULL) {
    reading->list = ts__metadata_new(
        reading->context->mem, &reading->draft.plan, ts__str(reading->etag));
    reading->error = reading->list != NULL ? 0 : TS__ENOMEM;
  }
  reading->work = (ts__work_t){on_fill, on_filled};
  error = reading->draft.doc != NULL ? env->ops->work(env, work) : TS_EPARSE;
  if (error != 0) {
    on_filled(work, error);
  }
}

static int start(ts__listing_t *listing, ts__list_kind_t kind, ts__buf_t *body,
                 const char *etag) {
  const ts__context_t *context = listing->context;
  reading_t *reading = ts__calloc(context->mem, 1, sizeof *reading);
  if (reading == NULL) {
    return TS__ENOMEM;
  }
  *reading = (reading_t){.work = {on_parse, on_parsed},
                         .context = context,
                         .listing = listing,
                         .draft.kind = kind,
                         .body = *body,
                         .etag = ts__strdup(context->mem, etag)};
  const int error = etag != NULL && reading->etag == NULL
                        ? TS__ENOMEM
                        : context->env->ops->work(context->env, &reading->work);
  if (error != 0) {
    ts__free(context->mem, reading->etag);
    ts__free(context->mem, reading);
    return error;
  }
  (void)ts__buf_take(body, NULL);
  listing->reading = reading;
  return 0;
}

void ts__listing_init(ts__listing_t *listing, const ts__context_t *context,
                      void (*done)(void *owner, int error, ts_metadata_t *list),
                      void *owner) {
  *listing = (ts__listing_t){.context = context, .done = done, .owner = owner};
}

void ts__listing_start(ts__listing_t *listing, ts__list_kind_t kind,
                       ts__buf_t *body, const char *etag) {
  const ts__context_t *context = listing->context;
  const bool is_short = body->len <= SHORT_BODY;
  ts_metadata_t *list = NULL;
  ts__listing_cancel(listing);
  const int error = is_short
                        ? ts__listing_read(&list, context->mem, context->log,
                                           kind, ts__buf_str(body), etag)
                        : start(listing, kind, body, etag);
  ts__buf_deinit(body);
  if (is_short || error != 0) {
    listing->done(listing->owner, error, list);
  }
}

void ts__listing_cancel(ts__listing_t *listing) {
  if (listing->reading != NULL) {
    listing->reading->listing = NULL;
    listing->reading = NULL;
  }
}

/* ------------------------------------------------------------------ status */

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
  const int error = ts__json_parse(&doc, body, MAX_STATUS);
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
