/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_SERVICE_INGEST_H
#define TS_SERVICE_INGEST_H

/*
 * The way of the samples: buffered, taken as batches, encoded a few a loop
 * turn, signed, posted, retried, and counted to the last one.
 */

#include "base/bounds.h"
#include "base/repeat.h"
#include "core/samples.h"
#include "service/encoder.h"
#include "service/exchange.h"
#include "tripswitch/client.h"
#include "wire/sign.h"

#define TS__MAX_RETRIES 16u

/* How many reasons of ts_drop_reason_t there are. */
#define TS__DROP_REASONS (TS_DROP_OFFLINE + 1)

typedef struct ts__ingest_options_s {
  const unsigned char *secret; /* TS__SECRET_BYTES, or NULL: unsigned */
  ts__str_t global_tags;       /* packed; borrowed */
  bool gzip;
  size_t batch_size;
  size_t buffer_capacity;
  int64_t flush_interval_ms;
  int64_t timeout_ms;
  int64_t retry_backoff_ms[TS__MAX_RETRIES];
  size_t retry_count;
  size_t high_water; /* SIZE_MAX: nobody asks */
  size_t low_water;
  bool offline; /* nothing is kept, nothing is sent */
} ts__ingest_options_t;

typedef enum ts__upload_state_e {
  TS__UPLOAD_FREE,
  TS__UPLOAD_ENCODING, /* in the encoder, or waiting for it */
  TS__UPLOAD_SIGNING,
  TS__UPLOAD_WAITING, /* for a retry, or for the end of a pause */
  TS__UPLOAD_SENDING
} ts__upload_state_t;

/* One batch on its way. */
typedef struct ts__upload_s {
  struct ts__ingest_s *ingest;
  ts__upload_state_t state;
  ts__batch_t *batch;
  ts__buf_t body;
  unsigned attempts;
  ts__signer_t signer;
  size_t signed_bytes; /* of the body */
  ts__timer_t wait;
  ts__exchange_t exchange;
  char timestamp[24];
  char signature[TS__SIGNATURE_LEN + 1];
} ts__upload_t;

typedef struct ts__ingest_s {
  const ts__context_t *context;
  ts__ingest_options_t options;
  /* A batch was delivered or given up; anything may have become idle. */
  void (*settled)(void *owner);
  /* Samples were dropped, or the buffer passed a water mark: from inside of
   * whatever did it. NULL: nobody asks. */
  void (*noticed)(void *owner);
  void *owner;

  ts__samples_t samples;
  bool is_high;         /* reached the high mark, not yet down to the low one */
  uint64_t queued;      /* samples that ever entered the buffer */
  uint64_t taken;       /* of these, samples that left it */
  uint64_t drain_until; /* flush until this many were taken */
  ts__upload_t uploads[TS__MAX_INFLIGHT];
  ts__list_t halves;      /* of refused batches, waiting for a free upload */
  ts__upload_t *encoding; /* the one that the encoder has */
  ts__encoder_t encoder;
  ts__task_t work; /* the uploads' steps, one a turn */
  ts__timer_t flush;
  uint64_t paused_until_ns; /* by Retry-After; 0: not paused */
  bool started;
  bool draining; /* closing: everything goes out at once */
  uint64_t drain_deadline_ns;

  uint64_t delivered; /* statistics, see ts_stats_t */
  uint64_t dropped;
  uint64_t drops[TS__DROP_REASONS]; /* the same by ts_drop_reason_t */
  uint64_t flush_failures;
  uint64_t in_flight_samples;
  uint64_t in_flight_batches;
  int64_t last_success_ms;
  bool gave_up_for_time; /* a batch was dropped because of the close limit */

  uint64_t overflow_count; /* dropped since the last line about it */
  uint64_t overflow_logged_ns;
  int64_t overflow_quiet_ms; /* until the next such line */
  ts__repeat_t given_up;     /* batches, since one was delivered */
} ts__ingest_t;

/* 0 or TS__ENOMEM, and then nothing is left to free. */
int ts__ingest_init(ts__ingest_t *ingest, const ts__context_t *context,
                    const ts__ingest_options_t *options,
                    void (*settled)(void *owner), void *owner);
void ts__ingest_deinit(ts__ingest_t *ingest);

/* Begin to send; before, samples are only buffered. */
void ts__ingest_start(ts__ingest_t *ingest);

/* Take one sample. 0, or TS__ENOBUFS, TS__ENOMEM: counted as dropped; or
 * TS__EINVAL: too long, not counted. Offline it is dropped, with 0. */
int ts__ingest_add(ts__ingest_t *ingest, const ts__sample_t *sample,
                   uint64_t now_ns);

/* Count valid samples that could not be taken. */
void ts__ingest_drop(ts__ingest_t *ingest, ts_drop_reason_t reason,
                     uint64_t samples);

/* In a forked child: everything here is the parent's, figures too. Nothing is
 * sent, counted or told. */
void ts__ingest_forget(ts__ingest_t *ingest);

/* Send everything buffered now. */
void ts__ingest_flush(ts__ingest_t *ingest);

/* True if every sample queued before the given count of `queued` is delivered
 * or dropped. */
bool ts__ingest_is_done_until(const ts__ingest_t *ingest, uint64_t queued);

/* Closing: everything out, retries only while they fit before the deadline. */
void ts__ingest_drain(ts__ingest_t *ingest, uint64_t deadline_ns);

/* Nothing buffered and nothing in flight. */
bool ts__ingest_is_idle(const ts__ingest_t *ingest);

/* Give everything up, counted. No event. */
void ts__ingest_abort(ts__ingest_t *ingest);

#endif /* TS_SERVICE_INGEST_H */
