/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ingest.h"

#include "base/err.h"
#include "service/upload.h"

/*
 * Happy path:
 *   add        copied into the buffer
 *   pump       a full batch, or any when the flush timer fired or a flush was
 *              asked for: taken by a free upload
 *   on_work    one step of one upload a loop turn
 *   settled    the upload is free, pump again
 *
 * Failure modes: the buffer is full, or there is no memory: the new sample is
 * dropped, counted. What becomes of a batch on its way is in upload.c.
 *
 * Closing drains: the pause is lifted for one attempt, everything goes out, a
 * retry is made only if it fits before the deadline. Abort counts the rest.
 */

/* At most one line about overflow in this time; while nothing is delivered, in
 * ever longer times up to the second. */
#define OVERFLOW_LOG_MS 10000
#define OVERFLOW_LOG_MAX_MS 3600000

static uint64_t now_of(const ts__ingest_t *ingest) {
  return ts__mono_ns(ingest->context->env);
}

/* ------------------------------------------------------------- the books */

static void notice(ts__ingest_t *ingest) {
  if (ingest->noticed != NULL) {
    ingest->noticed(ingest->owner);
  }
}

static void count_drop(ts__ingest_t *ingest, ts_drop_reason_t reason,
                       uint64_t samples) {
  ingest->dropped += samples;
  ingest->drops[reason] += samples;
  notice(ingest);
}

void ts__ingest_gave_up(ts__ingest_t *ingest, ts_drop_reason_t reason,
                        size_t count) {
  count_drop(ingest, reason, count);
  ingest->flush_failures++;
}

/* High when it is reached, then low when it is reached, and so on. */
static inline void note_level(ts__ingest_t *ingest) {
  const size_t count = ingest->samples.count;
  const ts__ingest_options_t *options = &ingest->options;
  if (ingest->is_high ? count <= options->low_water
                      : count >= options->high_water) {
    ingest->is_high = !ingest->is_high;
    notice(ingest);
  }
}

/* ------------------------------------------------- the uploads' turns */

/* The next to have a step: whatever is being signed will soon be away; then the
 * one in the encoder, then the oldest that waits for it. */
static ts__upload_t *next_to_work(ts__ingest_t *ingest) {
  ts__upload_t *oldest = ingest->encoding;
  for (size_t i = 0; i < TS__MAX_INFLIGHT; i++) {
    ts__upload_t *upload = &ingest->uploads[i];
    if (upload->state == TS__UPLOAD_SIGNING) {
      return upload;
    }
    if (ingest->encoding == NULL && upload->state == TS__UPLOAD_ENCODING &&
        (oldest == NULL || upload->batch->place < oldest->batch->place)) {
      oldest = upload;
    }
  }
  return oldest;
}

static void on_work(void *owner) {
  ts__ingest_t *ingest = owner;
  ts__upload_t *upload = next_to_work(ingest);
  if (upload != NULL) {
    ts__task_post_slice(ingest->context->schedule, &ingest->work);
    ts__upload_step(upload);
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
    note_level(ingest);
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

void ts__ingest_pump(ts__ingest_t *ingest) {
  ts__upload_t *upload = NULL;
  ts__batch_t *batch = NULL;
  while (ingest->started && (upload = free_upload(ingest)) != NULL &&
         (batch = next_batch(ingest)) != NULL) {
    ts__upload_begin(upload, batch);
  }
  arm_flush(ingest);
}

void ts__ingest_delivered(ts__ingest_t *ingest, size_t count) {
  ingest->delivered += count;
  ingest->overflow_quiet_ms = OVERFLOW_LOG_MS;
  ts__repeat_end(&ingest->given_up);
  ingest->last_success_ms = ts__wall_ms(ingest->context->env);
}

void ts__ingest_settled(ts__ingest_t *ingest) {
  ts__ingest_pump(ingest);
  ingest->settled(ingest->owner);
}

static void on_flush(void *owner) {
  ts__ingest_t *ingest = owner;
  const uint64_t due_ns = ts__deadline(ts__samples_oldest_ns(&ingest->samples),
                                       ingest->options.flush_interval_ms);
  if (due_ns <= now_of(ingest)) {
    ingest->drain_until = ingest->queued;
  }
  ts__ingest_pump(ingest);
}

/* ------------------------------------------------------------------ public */

int ts__ingest_init(ts__ingest_t *ingest, const ts__context_t *context,
                    const ts__ingest_options_t *options,
                    void (*settled)(void *owner), void *owner) {
  *ingest = (ts__ingest_t){.context = context,
                           .options = *options,
                           .settled = settled,
                           .owner = owner};
  const int error = ts__encoder_init(&ingest->encoder, context->mem,
                                     options->gzip, options->global_tags);
  if (error != 0) {
    return error;
  }
  ts__samples_init(&ingest->samples, context->mem, options->buffer_capacity,
                   options->batch_size);
  if (options->offline) {
    ingest->samples.capacity = 0; /* each is checked, and finds no room */
  }
  ts__list_init(&ingest->halves);
  ts__task_init(&ingest->work, on_work, ingest);
  ts__timer_init(&ingest->flush, on_flush, ingest);
  for (size_t i = 0; i < TS__MAX_INFLIGHT; i++) {
    ts__upload_init(&ingest->uploads[i], ingest);
  }
  return 0;
}

void ts__ingest_deinit(ts__ingest_t *ingest) {
  ts__ingest_abort(ingest);
  for (size_t i = 0; i < TS__MAX_INFLIGHT; i++) {
    ts__upload_deinit(&ingest->uploads[i]);
  }
  ts__samples_deinit(&ingest->samples);
  ts__encoder_deinit(&ingest->encoder);
}

void ts__ingest_start(ts__ingest_t *ingest) {
  ingest->started = true;
  ts__ingest_pump(ingest);
}

static int64_t next_quiet_ms(const ts__ingest_t *ingest) {
  if (ingest->overflow_logged_ns == 0) {
    return OVERFLOW_LOG_MS;
  }
  return ingest->overflow_quiet_ms < OVERFLOW_LOG_MAX_MS / 2
             ? ingest->overflow_quiet_ms * 2
             : OVERFLOW_LOG_MAX_MS;
}

static void log_overflow(ts__ingest_t *ingest, ts_drop_reason_t reason,
                         uint64_t samples) {
  const uint64_t now = now_of(ingest);
  ingest->overflow_count += samples;
  if (ingest->overflow_logged_ns != 0 &&
      now <
          ts__deadline(ingest->overflow_logged_ns, ingest->overflow_quiet_ms)) {
    return;
  }
  TS__LOG(
      ingest->context->log, TS_LOG_WARN, "dropped samples",
      {"why", reason == TS_DROP_FULL ? "the buffer is full" : "out of memory"},
      {"count", TS__NUM(ingest->overflow_count)});
  ingest->overflow_quiet_ms = next_quiet_ms(ingest);
  ingest->overflow_count = 0;
  ingest->overflow_logged_ns = now;
}

void ts__ingest_drop(ts__ingest_t *ingest, ts_drop_reason_t reason,
                     uint64_t samples) {
  if (samples == 0) {
    return;
  }
  count_drop(ingest, reason, samples);
  if (reason == TS_DROP_FULL || reason == TS_DROP_MEMORY) {
    log_overflow(ingest, reason, samples);
  }
}

/* A sample that the buffer did not take. */
static int on_refused(ts__ingest_t *ingest, int error) {
  if (error == TS__EINVAL) {
    return error;
  }
  if (error == TS__ENOBUFS && ingest->options.offline) {
    ts__ingest_drop(ingest, TS_DROP_OFFLINE, 1);
    return 0;
  }
  ts__ingest_drop(ingest, error == TS__ENOBUFS ? TS_DROP_FULL : TS_DROP_MEMORY,
                  1);
  return error;
}

int ts__ingest_add(ts__ingest_t *ingest, const ts__sample_t *sample,
                   uint64_t now_ns) {
  const int error = ts__samples_add(&ingest->samples, sample, now_ns);
  if (error != 0) {
    return on_refused(ingest, error);
  }
  ingest->queued++;
  note_level(ingest);
  if (ingest->draining || ts__samples_has_full_batch(&ingest->samples)) {
    ts__ingest_pump(ingest);
  } else if (ingest->samples.count == 1) {
    arm_flush(ingest);
  }
  return 0;
}

void ts__ingest_flush(ts__ingest_t *ingest) {
  ingest->drain_until = ingest->queued;
  ts__ingest_pump(ingest);
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

void ts__ingest_drain(ts__ingest_t *ingest, uint64_t deadline_ns) {
  const bool was_paused = now_of(ingest) < ingest->paused_until_ns;
  ingest->started = true; /* what was buffered before a start goes out too */
  ingest->draining = true;
  ingest->drain_deadline_ns = deadline_ns;
  ingest->paused_until_ns = 0;
  for (size_t i = 0; i < TS__MAX_INFLIGHT; i++) {
    ts__upload_hurry(&ingest->uploads[i], was_paused);
  }
  ts__ingest_pump(ingest);
}

bool ts__ingest_is_idle(const ts__ingest_t *ingest) {
  return ingest->samples.count == 0 && ingest->in_flight_batches == 0;
}

void ts__ingest_abort(ts__ingest_t *ingest) {
  ts__schedule_t *schedule = ingest->context->schedule;
  ts__list_t *half = NULL;
  for (size_t i = 0; i < TS__MAX_INFLIGHT; i++) {
    ts__upload_abort(&ingest->uploads[i]);
  }
  while ((half = ts__list_pop(&ingest->halves)) != NULL) {
    ts__batch_t *batch = TS__CONTAINER(half, ts__batch_t, node);
    ts__ingest_gave_up(ingest, TS_DROP_CLOSE, batch->count);
    ingest->in_flight_samples -= batch->count;
    ingest->in_flight_batches--;
    ts__batch_free(&ingest->samples, batch);
  }
  ts__batch_t *batch = NULL;
  while ((batch = ts__samples_take(&ingest->samples)) != NULL) {
    ingest->taken += batch->count;
    count_drop(ingest, TS_DROP_CLOSE, batch->count);
    ts__batch_free(&ingest->samples, batch);
  }
  ts__timer_stop(schedule, &ingest->flush);
  ts__task_cancel(&ingest->work);
}

void ts__ingest_forget(ts__ingest_t *ingest) {
  ts__ingest_abort(ingest);
  ingest->delivered = 0;
  ingest->dropped = 0;
  memset(ingest->drops, 0, sizeof ingest->drops);
  ingest->is_high = false;
  ingest->flush_failures = 0;
  ingest->last_success_ms = 0;
  ingest->paused_until_ns = 0;
  ingest->overflow_count = 0;
  ingest->gave_up_for_time = false;
}
