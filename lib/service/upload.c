/* SPDX-License-Identifier: Apache-2.0 */
#include "service/upload.h"

#include "base/err.h"
#include "core/backoff.h"
#include "wire/json_read.h"

/*
 * Happy path, a step a loop turn:
 *   begin      the batch waits for the encoder, which has one at a time
 *   encode     a few samples: JSON, deflate
 *   sign       timestamp and signature for this attempt, a piece of the body
 *   send       the request
 *   on_done    2xx: delivered
 *
 * Failure modes:
 *   no memory for a body           the batch is dropped, counted
 *   no answer, 408, 425, 429, 5xx  retried on the schedule, then dropped
 *   429 or 503 with Retry-After    the same, and nothing is sent until then
 *   413                            halved; each half is a batch of its own
 *   any other status               dropped
 *
 * A client that closes makes a retry only if it fits before its deadline. Abort
 * counts the batch as dropped.
 */

/* Bytes signed in one loop turn. */
#define SIGN_SLICE 8192u

/* The answer to a batch is {"accepted": count}; longer ones are not read. */
#define MAX_ANSWER 4096u

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
  ts__wipe(&upload->signer, sizeof upload->signer);
  upload->batch = NULL;
  upload->state = TS__UPLOAD_FREE;
}

static void settle(ts__upload_t *upload) {
  ts__ingest_t *ingest = upload->ingest;
  release(upload);
  ts__ingest_settled(ingest);
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

static bool is_temporary(int status) {
  return status == 408 || status == 425 || status == 429 ||
         (status >= 500 && status <= 599);
}

/* Who may still try, and does not, has no time left before the close limit. */
static ts_drop_reason_t reason_of(const ts__upload_t *upload, int error,
                                  int status) {
  if (upload->attempts == 0) {
    return TS_DROP_MEMORY;
  }
  if (error == 0 && !is_temporary(status)) {
    return TS_DROP_REFUSED;
  }
  return upload->attempts > upload->ingest->options.retry_count
             ? TS_DROP_RETRIES
             : TS_DROP_CLOSE;
}

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
  ts__ingest_gave_up(ingest, reason_of(upload, error, response->status),
                     upload->batch->count);
  settle(upload);
}

/* --------------------------------------------------- answers, and no answer */

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
  ts__upload_begin(upload, upload->batch);
  ts__ingest_pump(ingest);
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
    ts__ingest_delivered(ingest, upload->batch->count);
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

/* ---------------------------------------------------------------- sending */

static void send_upload(ts__upload_t *upload) {
  const ts__ingest_options_t *options = &upload->ingest->options;
  const ts__request_t request = {
      .method = TS__STR("POST"),
      .path = TS__STR("/ingest"),
      .body = ts__buf_str(&upload->body),
      .gzip = options->gzip,
      .timestamp = ts__str(upload->timestamp),
      .signature =
          options->secret != NULL ? ts__str(upload->signature) : TS__STR_EMPTY,
      .head_timeout_ms = options->timeout_ms,
      .total_timeout_ms = options->timeout_ms,
  };
  upload->attempts++;
  upload->state = TS__UPLOAD_SENDING;
  const int error = ts__exchange_start(&upload->exchange, &request);
  if (error != 0) {
    retry(upload, error, &no_response);
  }
}

/* ---------------------------------------------------------------- signing */

static void stamp(ts__upload_t *upload) {
  const ts__ingest_t *ingest = upload->ingest;
  ts__log_number(upload->timestamp, ts__wall_ms(ingest->context->env));
  upload->signed_bytes = 0;
  if (ingest->options.secret != NULL) {
    ts__sign_begin(&upload->signer, ingest->options.secret,
                   ts__str(upload->timestamp));
  }
}

static void sign_slice(ts__upload_t *upload) {
  const size_t left = upload->body.len - upload->signed_bytes;
  const size_t size = left < SIGN_SLICE ? left : SIGN_SLICE;
  ts__sign_add(&upload->signer,
               (ts__str_t){upload->body.ptr + upload->signed_bytes, size});
  upload->signed_bytes += size;
}

static void sign(ts__upload_t *upload) {
  if (upload->ingest->options.secret == NULL) {
    send_upload(upload);
  } else if (upload->signed_bytes < upload->body.len) {
    sign_slice(upload);
  } else {
    ts__sign_end(&upload->signer, upload->signature);
    send_upload(upload);
  }
}

/* One attempt, now or when the pause is over. Timestamp and signature are new
 * each time, so that a late retry does not carry an old time. */
static void attempt(ts__upload_t *upload) {
  ts__ingest_t *ingest = upload->ingest;
  if (now_of(ingest) < ingest->paused_until_ns) {
    wait_until(upload, ingest->paused_until_ns);
    return;
  }
  stamp(upload);
  upload->state = TS__UPLOAD_SIGNING;
  ts__task_post_slice(ingest->context->schedule, &ingest->work);
}

static void on_wait_over(void *owner) { attempt(owner); }

/* --------------------------------------------------------------- encoding */

static void encode(ts__upload_t *upload) {
  ts__ingest_t *ingest = upload->ingest;
  bool complete = false;
  if (ingest->encoding != upload) {
    ingest->encoding = upload;
    ts__encoder_begin(&ingest->encoder, upload->batch);
  }
  const int error =
      ts__encoder_step(&ingest->encoder, &upload->body, &complete);
  if (error != 0 || complete) {
    ingest->encoding = NULL;
  }
  if (error != 0) {
    give_up(upload, error, &no_response);
  } else if (complete) {
    attempt(upload);
  }
}

/* ------------------------------------------------------------------ public */

void ts__upload_init(ts__upload_t *upload, ts__ingest_t *ingest) {
  upload->ingest = ingest;
  ts__buf_init(&upload->body, ingest->context->mem, TS__MAX_BATCH_BYTES);
  ts__timer_init(&upload->wait, on_wait_over, upload);
  ts__exchange_init(&upload->exchange, ingest->context, &exchange_events,
                    upload);
}

void ts__upload_deinit(ts__upload_t *upload) {
  ts__exchange_deinit(&upload->exchange);
}

void ts__upload_begin(ts__upload_t *upload, ts__batch_t *batch) {
  upload->state = TS__UPLOAD_ENCODING;
  upload->batch = batch;
  upload->attempts = 0;
  ts__buf_deinit(&upload->body);
  ts__task_post_slice(upload->ingest->context->schedule, &upload->ingest->work);
}

void ts__upload_step(ts__upload_t *upload) {
  if (upload->state == TS__UPLOAD_SIGNING) {
    sign(upload);
  } else {
    encode(upload);
  }
}

void ts__upload_hurry(ts__upload_t *upload, bool was_paused) {
  const ts__ingest_t *ingest = upload->ingest;
  if (upload->state == TS__UPLOAD_WAITING &&
      (was_paused || upload->wait.deadline_ns >= ingest->drain_deadline_ns)) {
    wait_until(upload, now_of(ingest));
  }
}

void ts__upload_abort(ts__upload_t *upload) {
  ts__exchange_cancel(&upload->exchange);
  if (upload->state != TS__UPLOAD_FREE) {
    ts__ingest_gave_up(upload->ingest, TS_DROP_CLOSE, upload->batch->count);
    release(upload);
  }
}
