/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ingest.h"

#include "base/err.h"
#include "core/backoff.h"
#include "service/sample_json.h"
#include "wire/json_read.h"

/*
 * Happy path:
 *   add        copied into the buffer
 *   pump       a full batch, or any when the flush timer fired or a flush was
 *              asked for: taken by a free upload
 *   on_slice   a few samples a loop turn: JSON, deflate
 *   send       timestamp and signature for this attempt, then the request
 *   on_done    2xx: delivered, the upload is free, pump again
 *
 * Failure modes:
 *   the buffer is full             the new sample is dropped, counted
 *   no memory for a body           the batch is dropped, counted
 *   no answer, 408, 425, 429, 5xx  retried on the schedule, then dropped
 *   429 or 503 with Retry-After    the same, and nothing is sent until then
 *   413                            halved; each half is a batch of its own
 *   any other status               dropped
 *
 * Closing drains: the pause is lifted for one attempt, everything goes out, a
 * retry is made only if it fits before the deadline. Abort counts the rest.
 */

/* Samples encoded in one loop turn, and the text after which it is enough. */
#define SLICE 16
#define SLICE_TEXT (16u * 1024u)

/* Room for the JSON of one slice, the last sample of which may be of the
 * longest, with global tags as long: every byte may take six (\u00xx). */
#define SCRATCH_MAX (SLICE_TEXT + 2u * TS__MAX_SAMPLE * 6u + 512u)

/* The answer to a batch is {"accepted": count}; longer ones are not read. */
#define MAX_ANSWER 4096u

/* At most one line about overflow in this time; while nothing is delivered, in
 * ever longer times up to the second. */
#define OVERFLOW_LOG_MS 10000
#define OVERFLOW_LOG_MAX_MS 3600000

static void pump(ts__ingest_t *ingest);

static uint64_t now_of(const ts__ingest_t *ingest) {
  return ts__mono_ns(ingest->context->env);
}

static const ts__log_t *log_of(const ts__ingest_t *ingest) {
  return ingest->context->log;
}

/* -------------------------------------------------------- ends of a batch */

/* Give the upload's things back; the batch's samples are counted already. */
static void release(ts__upload_t *upload) {
  ts__ingest_t *ingest = upload->ingest;
  ingest->in_flight_samples -= upload->batch->count;
  ingest->in_flight_batches--;
  if (ingest->encoding == upload) {
    ingest->encoding = NULL;
  }
  ts__batch_free(&ingest->samples, upload->batch);
  ts__timer_stop(ingest->context->schedule, &upload->wait);
  ts__buf_deinit(&upload->body);
  upload->batch = NULL;
  upload->state = TS__UPLOAD_FREE;
}

static void settle(ts__upload_t *upload) {
  ts__ingest_t *ingest = upload->ingest;
  release(upload);
  pump(ingest);
  ingest->settled(ingest->owner);
}

static void count_dropped(ts__ingest_t *ingest, size_t count) {
  ingest->dropped += count;
  ingest->flush_failures++;
}

static bool mentions(ts__str_t text, ts__str_t word) {
  for (size_t i = 0; i + word.len <= text.len; i++) {
    if (memcmp(text.ptr + i, word.ptr, word.len) == 0) {
      return true;
    }
  }
  return false;
}

/* What an operator may look at first. */
static const char *hint_of(const ts__response_t *response) {
  if (response->status == 401 || response->status == 403) {
    return "the ingest secret is probably wrong";
  }
  if (response->status == 422 && mentions(response->body, TS__STR("ts_ms_"))) {
    return "the clock of this machine may be wrong";
  }
  return "none";
}

static const ts__response_t no_response = {.retry_after_ms = -1};

/* In an outage every batch ends here: the lines become rare, and each tells how
 * many samples are lost so far. */
static void give_up(ts__upload_t *upload, int error,
                    const ts__response_t *response) {
  ts__ingest_t *ingest = upload->ingest;
  const int kind = error != 0 ? error : response->status;
  const ts_log_level_t level =
      ts__repeat_is_news(&ingest->given_up, kind) ? TS_LOG_ERROR : TS_LOG_DEBUG;
  const bool is_told = response->status == 422; /* which sample, and why */
  char answer[TS__MAX_LOGGED_BODY + 1];
  TS__LOG(log_of(ingest), level, "gave up a batch of samples",
          {"samples", TS__NUM(upload->batch->count)},
          {"dropped_so_far", TS__NUM(ingest->dropped + upload->batch->count)},
          {"attempts", TS__NUM(upload->attempts)},
          {"why", error != 0 ? ts_err_name(error) : "status"},
          {"status", TS__NUM(response->status)}, {"hint", hint_of(response)},
          {"answer", ts__log_text(answer, sizeof answer,
                                  is_told ? response->body : TS__STR_EMPTY)});
  count_dropped(ingest, upload->batch->count);
  settle(upload);
}

/* ---------------------------------------------------------------- sending */

static void wait_until(ts__upload_t *upload, uint64_t deadline_ns) {
  upload->state = TS__UPLOAD_WAITING;
  ts__timer_start(upload->ingest->context->schedule, &upload->wait,
                  deadline_ns);
}

/* The wait before the next attempt, or false when there is none. */
static bool next_wait(const ts__upload_t *upload, int64_t retry_after_ms,
                      int64_t *wait_ms) {
  const ts__ingest_options_t *options = &upload->ingest->options;
  if (upload->attempts > options->retry_count) {
    return false;
  }
  *wait_ms = ts__jitter_ms(options->retry_backoff_ms[upload->attempts - 1], 20,
                           upload->ingest->context->rng);
  if (retry_after_ms > *wait_ms) {
    *wait_ms = retry_after_ms;
  }
  return true;
}

/* Of several answers the one that asks for the longest pause rules. */
static void pause_until(ts__ingest_t *ingest, uint64_t deadline_ns) {
  if (deadline_ns > ingest->paused_until_ns) {
    ingest->paused_until_ns = deadline_ns;
  }
}

/* What may be better later. */
static void retry(ts__upload_t *upload, int error,
                  const ts__response_t *response) {
  ts__ingest_t *ingest = upload->ingest;
  const uint64_t now = now_of(ingest);
  const bool pauses = (response->status == 429 || response->status == 503) &&
                      response->retry_after_ms >= 0;
  int64_t wait_ms = 0;
  if (pauses && !ingest->draining) {
    pause_until(ingest, ts__deadline(now, response->retry_after_ms));
  }
  if (!next_wait(upload, pauses ? response->retry_after_ms : -1, &wait_ms)) {
    give_up(upload, error, response);
    return;
  }
  const uint64_t deadline_ns = ts__deadline(now, wait_ms);
  if (ingest->draining && deadline_ns >= ingest->drain_deadline_ns) {
    ingest->gave_up_for_time = true;
    give_up(upload, TS_ETIMEDOUT, response);
    return;
  }
  wait_until(upload, deadline_ns);
}

static bool is_temporary(int status) {
  return status == 408 || status == 425 || status == 429 ||
         (status >= 500 && status <= 599);
}

/* Halve a batch the service found too large. */
static void split(ts__upload_t *upload, const ts__response_t *response) {
  ts__ingest_t *ingest = upload->ingest;
  const uint64_t place = upload->batch->place;
  ts__batch_t *second = upload->batch->count > 1
                            ? ts__batch_split(&ingest->samples, upload->batch)
                            : NULL;
  if (second == NULL) {
    give_up(upload, 0, response);
    return;
  }
  second->place = place + upload->batch->count;
  ts__list_push(&ingest->halves, &second->node);
  ingest->in_flight_batches++;
  TS__LOG(log_of(ingest), TS_LOG_DEBUG, "halved a batch found too large",
          {"samples", TS__NUM(upload->batch->count + second->count)});
  upload->attempts = 0;
  upload->cursor = (ts__batch_cursor_t){0};
  ts__buf_deinit(&upload->body);
  upload->state = TS__UPLOAD_ENCODING;
  pump(ingest);
  ts__task_post(ingest->context->schedule, &ingest->slice);
}

/* A well-formed answer may say that fewer samples were accepted. */
static void check_accepted(const ts__upload_t *upload,
                           const ts__response_t *response) {
  const ts__log_t *log = log_of(upload->ingest);
  ts__json_doc_t *doc = NULL;
  int64_t accepted = 0;
  if (!ts__log_is_on(log, TS_LOG_WARN) ||
      ts__json_parse(&doc, response->body, MAX_ANSWER) != 0) {
    return;
  }
  if (ts__json_integer(ts__json_get(ts__json_root(doc), "accepted"),
                       &accepted) &&
      accepted < (int64_t)upload->batch->count) {
    TS__LOG(log, TS_LOG_WARN, "the service accepted fewer samples than sent",
            {"sent", TS__NUM(upload->batch->count)},
            {"accepted", TS__NUM(accepted)});
  }
  ts__json_free(doc);
}

static void on_done(void *owner, int error, const ts__response_t *response) {
  ts__upload_t *upload = owner;
  ts__ingest_t *ingest = upload->ingest;
  const int status = response->status;

  if (error != 0 || is_temporary(status)) {
    retry(upload, error, response);
  } else if (status >= 200 && status < 300) {
    check_accepted(upload, response);
    ingest->delivered += upload->batch->count;
    ingest->overflow_quiet_ms = OVERFLOW_LOG_MS;
    ts__repeat_end(&ingest->given_up);
    ingest->last_success_ms = ts__wall_ms(ingest->context->env);
    TS__LOG(log_of(ingest), TS_LOG_DEBUG, "sent a batch of samples",
            {"samples", TS__NUM(upload->batch->count)});
    settle(upload);
  } else if (status == 413) {
    split(upload, response);
  } else {
    give_up(upload, 0, response);
  }
}

static const ts__exchange_events_t exchange_events = {NULL, NULL, on_done};

static void sign(ts__upload_t *upload, ts__request_t *request) {
  const ts__ingest_t *ingest = upload->ingest;
  request->timestamp = ts__str(
      ts__log_number(upload->timestamp, ts__wall_ms(ingest->context->env)));
  if (ingest->options.secret != NULL) {
    ts__sign(upload->signature, ingest->options.secret, request->timestamp,
             request->body);
    request->signature = ts__str(upload->signature);
  }
}

/* One attempt, now or when the pause is over. Timestamp and signature are new
 * each time, so that a late retry does not carry an old time. */
static void send_upload(ts__upload_t *upload) {
  ts__ingest_t *ingest = upload->ingest;
  if (now_of(ingest) < ingest->paused_until_ns) {
    wait_until(upload, ingest->paused_until_ns);
    return;
  }
  ts__request_t request = {
      .method = TS__STR("POST"),
      .path = TS__STR("/ingest"),
      .body = ts__buf_str(&upload->body),
      .gzip = ingest->options.gzip,
      .head_timeout_ms = ingest->options.timeout_ms,
      .total_timeout_ms = ingest->options.timeout_ms,
  };
  sign(upload, &request);
  upload->attempts++;
  upload->state = TS__UPLOAD_SENDING;
  const int error = ts__exchange_start(&upload->exchange, &request);
  if (error != 0) {
    retry(upload, error, &no_response);
  }
}

static void on_wait_over(void *owner) { send_upload(owner); }

/* --------------------------------------------------------------- encoding */

static int encode_text(ts__ingest_t *ingest, ts__upload_t *upload,
                       ts__str_t text) {
  return ingest->options.gzip ? ts__gzip_add(ingest->gzip, text, &upload->body)
                              : ts__buf_append(&upload->body, text);
}

/* A few samples more. *complete: that was all of them. */
static int encode_slice(ts__ingest_t *ingest, ts__upload_t *upload,
                        bool *complete) {
  ts__buf_t *json = &ingest->scratch;
  ts__sample_t sample;
  int error = 0;

  ts__buf_clear(json);
  *complete = false;
  for (int i = 0; i < SLICE && json->len < SLICE_TEXT && error == 0; i++) {
    const bool first = upload->cursor.index == 0;
    if (!ts__batch_next(upload->batch, &upload->cursor, &sample)) {
      *complete = true;
      error = ts__buf_append(json, TS__STR("]}"));
      break;
    }
    error =
        ts__buf_append(json, first ? TS__STR("{\"samples\":[") : TS__STR(","));
    if (error == 0) {
      error = ts__sample_json(json, &sample, ingest->options.global_tags);
    }
  }
  if (error == 0) {
    error = encode_text(ingest, upload, ts__buf_str(json));
  }
  if (error == 0 && *complete && ingest->options.gzip) {
    error = ts__gzip_end(ingest->gzip, &upload->body);
  }
  return error;
}

/* The upload in hand, or the oldest that needs encoding. */
static ts__upload_t *next_to_encode(ts__ingest_t *ingest) {
  ts__upload_t *oldest = NULL;
  if (ingest->encoding != NULL) {
    return ingest->encoding;
  }
  for (size_t i = 0; i < TS__MAX_INFLIGHT; i++) {
    ts__upload_t *upload = &ingest->uploads[i];
    if (upload->state == TS__UPLOAD_ENCODING &&
        (oldest == NULL || upload->batch->place < oldest->batch->place)) {
      oldest = upload;
    }
  }
  ingest->encoding = oldest;
  if (oldest != NULL && ingest->options.gzip) {
    ts__gzip_begin(ingest->gzip);
  }
  return oldest;
}

static void on_slice(void *owner) {
  ts__ingest_t *ingest = owner;
  ts__upload_t *upload = next_to_encode(ingest);
  bool complete = false;
  if (upload == NULL) {
    return;
  }
  ts__task_post(ingest->context->schedule, &ingest->slice);
  const int error = encode_slice(ingest, upload, &complete);
  if (error != 0 || complete) {
    ingest->encoding = NULL;
  }
  if (error != 0) {
    give_up(upload, error, &no_response);
  } else if (complete) {
    send_upload(upload);
  }
}

/* ------------------------------------------------------------ the buffer */

static ts__upload_t *free_upload(ts__ingest_t *ingest) {
  for (size_t i = 0; i < TS__MAX_INFLIGHT; i++) {
    if (ingest->uploads[i].state == TS__UPLOAD_FREE) {
      return &ingest->uploads[i];
    }
  }
  return NULL;
}

/* Everything buffered is to go out as soon as possible. */
static bool is_due(const ts__ingest_t *ingest) {
  return ingest->draining || ingest->taken < ingest->drain_until;
}

/* Halves first: they are the oldest. Then what is complete or due. */
static ts__batch_t *next_batch(ts__ingest_t *ingest) {
  ts__list_t *half = ts__list_pop(&ingest->halves);
  if (half != NULL) {
    return TS__CONTAINER(half, ts__batch_t, node);
  }
  if (now_of(ingest) < ingest->paused_until_ns) {
    return NULL; /* the buffer goes on filling under its bound */
  }
  if (!is_due(ingest) && !ts__samples_has_full_batch(&ingest->samples)) {
    return NULL;
  }
  ts__batch_t *batch = ts__samples_take(&ingest->samples);
  if (batch != NULL) {
    batch->place = ingest->taken;
    ingest->taken += batch->count;
    ingest->in_flight_samples += batch->count;
    ingest->in_flight_batches++;
  }
  return batch;
}

/*
 * Wake when the oldest buffered sample has waited long enough, or a pause ends
 * for which something waits. What waits for a free upload needs no timer.
 */
static void arm_flush(ts__ingest_t *ingest) {
  const bool paused = now_of(ingest) < ingest->paused_until_ns;
  uint64_t deadline_ns = TS__NEVER;
  if (ingest->started && ingest->samples.count > 0) {
    if (!is_due(ingest)) {
      deadline_ns = ts__deadline(ts__samples_oldest_ns(&ingest->samples),
                                 ingest->options.flush_interval_ms);
    }
    if (paused &&
        (is_due(ingest) || ts__samples_has_full_batch(&ingest->samples))) {
      deadline_ns = ts__earlier(deadline_ns, ingest->paused_until_ns);
    }
  }
  if (deadline_ns == TS__NEVER) {
    ts__timer_stop(ingest->context->schedule, &ingest->flush);
  } else {
    ts__timer_start(ingest->context->schedule, &ingest->flush, deadline_ns);
  }
}

/* Hand waiting batches to free uploads. */
static void pump(ts__ingest_t *ingest) {
  ts__upload_t *upload = NULL;
  ts__batch_t *batch = NULL;
  while (ingest->started && (upload = free_upload(ingest)) != NULL &&
         (batch = next_batch(ingest)) != NULL) {
    upload->state = TS__UPLOAD_ENCODING;
    upload->batch = batch;
    upload->attempts = 0;
    upload->cursor = (ts__batch_cursor_t){0};
    ts__task_post(ingest->context->schedule, &ingest->slice);
  }
  arm_flush(ingest);
}

static void on_flush(void *owner) {
  ts__ingest_t *ingest = owner;
  const uint64_t due_ns = ts__deadline(ts__samples_oldest_ns(&ingest->samples),
                                       ingest->options.flush_interval_ms);
  if (due_ns <= now_of(ingest)) {
    ingest->drain_until = ingest->queued;
  }
  pump(ingest);
}

/* ------------------------------------------------------------------ public */

int ts__ingest_init(ts__ingest_t *ingest, const ts__context_t *context,
                    const ts__ingest_options_t *options,
                    void (*settled)(void *owner), void *owner) {
  *ingest = (ts__ingest_t){.context = context,
                           .options = *options,
                           .settled = settled,
                           .owner = owner};
  if (options->gzip && (ingest->gzip = ts__gzip_new(context->mem)) == NULL) {
    return TS__ENOMEM;
  }
  ts__samples_init(&ingest->samples, context->mem, options->buffer_capacity,
                   options->batch_size);
  ts__list_init(&ingest->halves);
  ts__buf_init(&ingest->scratch, context->mem, SCRATCH_MAX);
  ts__task_init(&ingest->slice, on_slice, ingest);
  ts__timer_init(&ingest->flush, on_flush, ingest);
  for (size_t i = 0; i < TS__MAX_INFLIGHT; i++) {
    ts__upload_t *upload = &ingest->uploads[i];
    upload->ingest = ingest;
    ts__buf_init(&upload->body, context->mem, TS__MAX_BATCH_BYTES);
    ts__timer_init(&upload->wait, on_wait_over, upload);
    ts__exchange_init(&upload->exchange, context, &exchange_events, upload);
  }
  return 0;
}

void ts__ingest_deinit(ts__ingest_t *ingest) {
  ts__ingest_abort(ingest);
  for (size_t i = 0; i < TS__MAX_INFLIGHT; i++) {
    ts__exchange_deinit(&ingest->uploads[i].exchange);
  }
  ts__samples_deinit(&ingest->samples);
  ts__buf_deinit(&ingest->scratch);
  ts__gzip_free(ingest->gzip);
}

void ts__ingest_start(ts__ingest_t *ingest) {
  ingest->started = true;
  pump(ingest);
}

void ts__ingest_refuse(ts__ingest_t *ingest) { ingest->dropped++; }

static int64_t next_quiet_ms(const ts__ingest_t *ingest) {
  if (ingest->overflow_logged_ns == 0) {
    return OVERFLOW_LOG_MS;
  }
  return ingest->overflow_quiet_ms < OVERFLOW_LOG_MAX_MS / 2
             ? ingest->overflow_quiet_ms * 2
             : OVERFLOW_LOG_MAX_MS;
}

static void count_overflow(ts__ingest_t *ingest, int error, uint64_t count) {
  const uint64_t now = now_of(ingest);
  ingest->dropped += count;
  ingest->overflow_count += count;
  if (ingest->overflow_logged_ns != 0 &&
      now <
          ts__deadline(ingest->overflow_logged_ns, ingest->overflow_quiet_ms)) {
    return;
  }
  TS__LOG(
      log_of(ingest), TS_LOG_WARN, "dropped samples",
      {"why", error == TS__ENOBUFS ? "the buffer is full" : "out of memory"},
      {"count", TS__NUM(ingest->overflow_count)});
  ingest->overflow_quiet_ms = next_quiet_ms(ingest);
  ingest->overflow_count = 0;
  ingest->overflow_logged_ns = now;
}

void ts__ingest_drop(ts__ingest_t *ingest, uint64_t count) {
  if (count > 0) {
    count_overflow(ingest, TS__ENOBUFS, count);
  }
}

int ts__ingest_add(ts__ingest_t *ingest, const ts__sample_t *sample,
                   uint64_t now_ns) {
  const int error = ts__samples_add(&ingest->samples, sample, now_ns);
  if (error == TS__EINVAL) {
    return error;
  }
  if (error != 0) {
    count_overflow(ingest, error, 1);
    return error;
  }
  ingest->queued++;
  if (ingest->draining || ts__samples_has_full_batch(&ingest->samples)) {
    pump(ingest);
  } else if (ingest->samples.count == 1) {
    arm_flush(ingest);
  }
  return 0;
}

void ts__ingest_flush(ts__ingest_t *ingest) {
  ingest->drain_until = ingest->queued;
  pump(ingest);
}

bool ts__ingest_is_done_until(const ts__ingest_t *ingest, uint64_t queued) {
  if (ingest->taken < queued) {
    return false;
  }
  for (size_t i = 0; i < TS__MAX_INFLIGHT; i++) {
    const ts__batch_t *batch = ingest->uploads[i].batch;
    if (batch != NULL && batch->place < queued) {
      return false;
    }
  }
  for (ts__list_t *node = ingest->halves.next; node != &ingest->halves;
       node = node->next) {
    if (TS__CONTAINER(node, ts__batch_t, node)->place < queued) {
      return false;
    }
  }
  return true;
}

/* A wait that a pause imposed, or that ends too late, is cut short: there is
 * time for one attempt now, and none later. */
static void hurry(ts__ingest_t *ingest, bool was_paused) {
  for (size_t i = 0; i < TS__MAX_INFLIGHT; i++) {
    ts__upload_t *upload = &ingest->uploads[i];
    if (upload->state == TS__UPLOAD_WAITING &&
        (was_paused || upload->wait.deadline_ns >= ingest->drain_deadline_ns)) {
      wait_until(upload, now_of(ingest));
    }
  }
}

void ts__ingest_drain(ts__ingest_t *ingest, uint64_t deadline_ns) {
  const bool was_paused = now_of(ingest) < ingest->paused_until_ns;
  ingest->started = true; /* what was buffered before a start goes out too */
  ingest->draining = true;
  ingest->drain_deadline_ns = deadline_ns;
  ingest->paused_until_ns = 0;
  hurry(ingest, was_paused);
  pump(ingest);
}

bool ts__ingest_is_idle(const ts__ingest_t *ingest) {
  return ingest->samples.count == 0 && ingest->in_flight_batches == 0;
}

void ts__ingest_abort(ts__ingest_t *ingest) {
  ts__schedule_t *schedule = ingest->context->schedule;
  ts__list_t *half = NULL;
  for (size_t i = 0; i < TS__MAX_INFLIGHT; i++) {
    ts__upload_t *upload = &ingest->uploads[i];
    ts__exchange_cancel(&upload->exchange);
    if (upload->state != TS__UPLOAD_FREE) {
      count_dropped(ingest, upload->batch->count);
      release(upload);
    }
  }
  while ((half = ts__list_pop(&ingest->halves)) != NULL) {
    ts__batch_t *batch = TS__CONTAINER(half, ts__batch_t, node);
    count_dropped(ingest, batch->count);
    ingest->in_flight_samples -= batch->count;
    ingest->in_flight_batches--;
    ts__batch_free(&ingest->samples, batch);
  }
  ts__batch_t *batch = NULL;
  while ((batch = ts__samples_take(&ingest->samples)) != NULL) {
    ingest->taken += batch->count;
    ingest->dropped += batch->count;
    ts__batch_free(&ingest->samples, batch);
  }
  ts__timer_stop(schedule, &ingest->flush);
  ts__task_cancel(&ingest->slice);
}

void ts__ingest_forget(ts__ingest_t *ingest) {
  ts__ingest_abort(ingest);
  ingest->delivered = 0;
  ingest->dropped = 0;
  ingest->flush_failures = 0;
  ingest->last_success_ms = 0;
  ingest->paused_until_ns = 0;
  ingest->overflow_count = 0;
  ingest->gave_up_for_time = false;
}
