/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking in a batch: signature, encoding, JSON, every sample checked, and only
 * then all of them applied, in that order. A batch is answered 202 exactly when
 * it was applied, because clients send it again otherwise: so all memory that
 * applying needs is reserved before, and nothing can fail after.
 *
 * A short batch is read at once. A long one is copied and read on another
 * thread (reading a hundred kilobytes of JSON takes milliseconds), while the
 * connection waits; what is read comes back to the loop, is applied there, and
 * is freed on the other thread again. If the connection has ended meanwhile, or
 * the plane is closing, nothing is applied; if the project is gone, it is not
 * found. Without memory or threads the answer is 503.
 *
 * A body of a few kilobytes may take fifty megabytes to read, and half a second,
 * so only some are read at once, and fewer of those that say that they are
 * large; whoever says less than it has is refused. The others wait where they
 * are, in their connections, and are not copied before it is their turn.
 *
 * Callbacks may change breakers or close the plane. They come when all samples
 * are applied; the breakers to evaluate wait in a list that a removal leaves.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "plane/batch.h"
#include "plane/internal.h"

#define MAX_SKEW_MS 300000

/* Batches on other threads at once, the large ones among them, and those of
 * either kind that wait for it. libuv has four threads, unless it is told
 * otherwise. */
#define MAX_READING 4u
#define MAX_LARGE_READING 2u
#define MAX_WAITING 256u

/* More than this is large: five hundred samples have some 100 KiB. */
#define USUAL_LEN (1024u * 1024u)

typedef struct intake_s {
  ts__work_t work;
  ts_plane_t *plane;
  ts__project_t *project;
  ts__http_conn_t *conn; /* NULL: it has ended */
  int64_t now_ms;        /* when the samples are applied */
  ts__batch_t batch;

  /* Of one that is read elsewhere. */
  ts__list_t node; /* among those that wait, until its turn */
  ts__readers_t *readers;
  ts__mem_t mem;
  char *project_id;
  char *body;
} intake_t;

/* Always false, to be returned. */
static bool refuse(intake_t *intake, int status, const char *code,
                   const char *message) {
  intake->batch.refusal = (ts__refusal_t){status, code, message, -1};
  return false;
}

static bool refuse_memory(intake_t *intake) {
  return refuse(intake, 503, "unavailable", "Out of memory");
}

static bool refuse_threads(intake_t *intake) {
  return refuse(intake, 503, "unavailable", "There is no thread");
}

/*
 * The request
 */

static bool copy_text(char *to, size_t size, ts__str_t text) {
  if (text.len >= size) {
    return false;
  }
  memcpy(to, text.ptr, text.len);
  to[text.len] = '\0';
  return true;
}

static bool read_timestamp(intake_t *intake, ts__str_t text) {
  ts__batch_t *batch = &intake->batch;
  uint64_t ms = 0;
  if (!text.ptr || !ts__str_to_u64(text, &ms) || ms > INT64_MAX ||
      (int64_t)ms < intake->now_ms - MAX_SKEW_MS ||
      (int64_t)ms > intake->now_ms + MAX_SKEW_MS ||
      !copy_text(batch->timestamp, sizeof(batch->timestamp), text)) {
    return refuse(intake, 401, "timestamp_out_of_range",
                  "X-EB-Timestamp is missing or too far from the server's "
                  "clock");
  }
  return true;
}

static bool read_signature(intake_t *intake, const ts__http_head_t *head) {
  const ts__project_t *project = intake->project;
  ts__batch_t *batch = &intake->batch;
  ts__str_t signature = ts__http_head_get(head, TS__STR("x-eb-signature"));
  if (!signature.ptr) {
    return !project->config.wants_signature ||
           refuse(intake, 401, "invalid_signature", "A signature is required");
  }
  if (!read_timestamp(intake,
                      ts__http_head_get(head, TS__STR("x-eb-timestamp")))) {
    return false;
  }
  batch->is_signed = true;
  batch->has_secret =
      project->has_secret &&
      copy_text(batch->signature, sizeof(batch->signature), signature);
  memcpy(batch->secret, project->secret, sizeof(batch->secret));
  return true;
}

static ts__coding_t coding_of(const ts__http_head_t *head) {
  ts__str_t coding = ts__http_head_get(head, TS__STR("content-encoding"));
  if (!coding.ptr || ts__str_eq_nocase(coding, TS__STR("identity"))) {
    return TS__CODING_IDENTITY;
  }
  return ts__str_eq_nocase(coding, TS__STR("gzip")) ? TS__CODING_GZIP
                                                    : TS__CODING_OTHER;
}

static bool read_request(intake_t *intake,
                         const ts__http_incoming_t *incoming) {
  if (incoming->body_too_large) {
    return refuse(intake, 413, "body_too_large", "The body exceeds 1 MiB");
  }
  intake->batch.body = incoming->body;
  intake->batch.coding = coding_of(incoming->head);
  intake->batch.received_ms = intake->now_ms;
  return read_signature(intake, incoming->head);
}

/* The rest of what is to check, and the first violation of all. */
static bool find_routers(intake_t *intake) {
  ts__batch_t *batch = &intake->batch;
  for (size_t i = 0; i < batch->count; i++) {
    ts__record_t *record = &batch->records[i];
    record->router =
        record->router_id.ptr
            ? ts__project_router(intake->project, record->router_id)
            : NULL;
    const char *fault = record->router ? record->fault : "invalid_router_id";
    if (fault) {
      refuse(intake, 422, fault, "A sample is invalid");
      batch->refusal.index = (int64_t)i;
      return false;
    }
  }
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
  for (size_t i = 0; i < intake->batch.count; i++) {
    const ts__record_t *record = &intake->batch.records[i];
    const ts__table_t *links = &record->router->links;
    for (size_t k = 0; record->router->config.is_enabled && k < links->count;
         k++) {
      ts__plane_breaker_t *breaker = links->items[k];
      if (strcmp(breaker->config.metric, record->metric.ptr) == 0) {
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
  if (!intake->batch.records[index].ok) {
    breaker->last_failure = index + 1;
  }
}

static void apply_delivery(intake_t *intake, ts__plane_breaker_t *breaker,
                           size_t index, ts__list_t *touched) {
  const ts__record_t *record = &intake->batch.records[index];
  uint64_t *lost = &breaker->evaluator.points.lost_count;
  uint64_t lost_before = *lost;
  (void)touched;
  ts__evaluator_add(&breaker->evaluator, record->ts_ms, record->value,
                    record->ok, intake->now_ms);
  intake->plane->stats.samples_forgotten += *lost - lost_before;
  if (*lost > 0 && lost_before == 0) {
    TS__LOG(&intake->plane->log, TS_LOG_WARN,
            "a breaker's window does not hold all its samples",
            {"breaker", breaker->config.name});
  }
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

/* Details that may be missing for want of memory. */
static void remember_failure(const intake_t *intake,
                             ts__plane_breaker_t *breaker) {
  const ts__mem_t *mem = &intake->plane->mem;
  ts_tag_t tags[TS__MAX_SAMPLE_TAGS];
  if (breaker->last_failure == 0) {
    return;
  }
  const ts__record_t *record =
      &intake->batch.records[breaker->last_failure - 1];
  ts__breaker_forget_failure(breaker);
  breaker->failure_ts_ms = record->ts_ms;
  breaker->failure_trace_id = ts__strdup(mem, record->trace_id);
  (void)ts__pairs_copy(&breaker->failure_tags, mem, tags,
                       ts__record_tags(record, tags));
}

static void tell_samples(intake_t *intake) {
  ts_plane_t *plane = intake->plane;
  ts_tag_t tags[TS__MAX_SAMPLE_TAGS];
  for (size_t i = 0; plane->on_sample && i < intake->batch.count; i++) {
    const ts__record_t *record = &intake->batch.records[i];
    ts_plane_sample_t sample = {.router_id = record->router_id.ptr,
                                .metric = record->metric.ptr,
                                .ts_ms = record->ts_ms,
                                .value = record->value,
                                .ok = record->ok,
                                .trace_id = record->trace_id,
                                .tags = tags,
                                .tag_count = ts__record_tags(record, tags)};
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
  intake->plane->stats.samples_accepted += intake->batch.count;
  tell_samples(intake);
  evaluate(intake, &touched);
  return true;
}

/*
 * The answer
 */

static void answer_accepted(ts__http_conn_t *conn, size_t count) {
  char body[48];
  int len = snprintf(body, sizeof(body), "{\"accepted\":%zu}", count);
  ts__http_conn_answer(
      conn, &(ts__http_answer_t){.status = 202, .body = {body, (size_t)len}});
}

static void answer_refused(const intake_t *intake) {
  const ts__refusal_t *refusal = &intake->batch.refusal;
  intake->plane->stats.batches_refused++;
  ts__plane_refuse(intake->plane, intake->conn, refusal->status, refusal->code,
                   refusal->message, refusal->index);
}

/* What was read is applied, or refused. */
static void conclude(intake_t *intake) {
  if (intake->batch.refusal.status == 0 && find_routers(intake) &&
      apply(intake)) {
    if (intake->conn) {
      answer_accepted(intake->conn, intake->batch.count);
    }
  } else {
    answer_refused(intake);
  }
}

/*
 * On another thread
 */

static void free_intake(intake_t *intake) {
  ts__mem_t mem = intake->mem;
  ts__batch_deinit(&intake->batch);
  ts__free(&mem, intake->project_id);
  ts__free(&mem, intake->body);
  ts__free(&mem, intake);
}

static void read_batch(ts__work_t *work) {
  (void)ts__batch_read(&TS__CONTAINER(work, intake_t, work)->batch);
}

static void deinit_batch(ts__work_t *work) {
  intake_t *intake = TS__CONTAINER(work, intake_t, work);
  ts__batch_deinit(&intake->batch);
  ts__batch_init(&intake->batch, &intake->mem);
  intake->batch.doc = NULL;
  intake->batch.records = NULL;
}

static ts__readers_t *readers_of(const intake_t *intake) {
  bool is_large = ts__batch_len(&intake->batch) > USUAL_LEN;
  return &intake->plane->batches[is_large];
}

static void read_next(ts_plane_t *plane);

/* One that was being read is out of memory again. */
static void end_reading(intake_t *intake) {
  ts_plane_t *plane = intake->plane;
  intake->readers->count--;
  free_intake(intake);
  read_next(plane);
}

static void on_deinit(ts__work_t *work, int error) {
  (void)error;
  end_reading(TS__CONTAINER(work, intake_t, work));
}

static void on_read(ts__work_t *work, int error) {
  intake_t *intake = TS__CONTAINER(work, intake_t, work);
  ts_plane_t *plane = intake->plane;
  if (!intake->conn || plane->is_closing) {
    plane->stats.batches_refused++;
  } else {
    intake->now_ms = ts__plane_now_ms(plane);
    intake->project =
        ts__directory_project(&plane->directory, ts__str(intake->project_id));
    if (error) {
      refuse_threads(intake);
    } else if (!intake->project) {
      refuse(intake, 404, "not_found", "There is nothing here");
    }
    conclude(intake);
  }
  *work = (ts__work_t){deinit_batch, on_deinit};
  if (plane->env->ops->work(plane->env, work)) {
    end_reading(intake);
  }
}

static char *copy_body(const ts__mem_t *mem, ts__str_t body) {
  char *copy = ts__malloc(mem, body.len + 1);
  if (copy && body.len > 0) {
    memcpy(copy, body.ptr, body.len);
  }
  return copy;
}

/* False: out of memory, or of threads. */
static bool start_reading(intake_t *intake) {
  ts_plane_t *plane = intake->plane;
  intake->body = copy_body(&intake->mem, intake->batch.body);
  if (!intake->body) {
    return refuse_memory(intake);
  }
  intake->batch.body.ptr = intake->body;
  intake->work = (ts__work_t){read_batch, on_read};
  if (plane->env->ops->work(plane->env, &intake->work)) {
    return refuse_threads(intake);
  }
  intake->readers->count++;
  return true;
}

static bool has_room(const ts_plane_t *plane, const ts__readers_t *readers) {
  const ts__readers_t *large = &plane->batches[1];
  return plane->batches[0].count + large->count < MAX_READING &&
         (readers != large || large->count < MAX_LARGE_READING);
}

/* Whose turn it is, the usual ones' first, or NULL. */
static intake_t *pop_next(ts_plane_t *plane) {
  for (size_t i = 0; i < 2; i++) {
    ts__readers_t *readers = &plane->batches[i];
    if (readers->waiting_count > 0 && has_room(plane, readers)) {
      readers->waiting_count--;
      return TS__CONTAINER(ts__list_pop(&readers->waiting), intake_t, node);
    }
  }
  return NULL;
}

/* An answer may bring the connection's next batch, and that may end anything. */
static void read_next(ts_plane_t *plane) {
  intake_t *intake;
  while ((intake = pop_next(plane))) {
    if (!start_reading(intake)) {
      answer_refused(intake);
      free_intake(intake);
    }
  }
}

static void on_gone(void *arg) {
  intake_t *intake = arg;
  intake->conn = NULL;
  if (!ts__list_empty(&intake->node)) {
    intake->plane->stats.batches_refused++;
    intake->readers->waiting_count--;
    ts__list_remove(&intake->node);
    free_intake(intake);
  }
}

/* A copy that lasts, or NULL when out of memory. */
static intake_t *keep(const intake_t *request) {
  ts__mem_t mem;
  ts__mem_init(&mem, NULL); /* on other threads the caller's may not do */
  intake_t *intake = ts__malloc(&mem, sizeof(*intake));
  if (!intake) {
    return NULL;
  }
  *intake = *request;
  intake->mem = mem;
  ts__list_init(&intake->node);
  ts__batch_init(&intake->batch, &intake->mem);
  intake->project_id = ts__strdup(&mem, intake->project->item.id);
  if (!intake->project_id) {
    free_intake(intake);
    return NULL;
  }
  return intake;
}

/* False: it is refused. */
static bool read_elsewhere(intake_t *request) {
  ts__readers_t *readers = readers_of(request);
  if (readers->waiting_count == MAX_WAITING) {
    return refuse(request, 503, "unavailable", "Too many batches wait");
  }
  intake_t *intake = keep(request);
  if (!intake) {
    return refuse_memory(request);
  }
  intake->readers = readers;
  if (has_room(intake->plane, readers)) {
    if (!start_reading(intake)) {
      request->batch.refusal = intake->batch.refusal;
      free_intake(intake);
      return false;
    }
  } else {
    readers->waiting_count++;
    ts__list_push(&readers->waiting, &intake->node);
  }
  ts__http_conn_defer(intake->conn, on_gone, intake);
  return true;
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
                     .now_ms = ts__plane_now_ms(plane)};
  ts__batch_init(&intake.batch, &plane->mem);
  bool is_good = read_request(&intake, incoming);
  if (is_good && !ts__batch_is_short(&intake.batch)) {
    if (read_elsewhere(&intake)) {
      ts__batch_deinit(&intake.batch);
      return;
    }
  } else if (is_good) {
    (void)ts__batch_read(&intake.batch);
  }
  conclude(&intake);
  ts__batch_deinit(&intake.batch);
}
