/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_SERVICE_ENCODER_H
#define TS_SERVICE_ENCODER_H

/*
 * A batch of samples to the body of a request, in slices short enough for one
 * turn of the loop each: JSON, and gzip if wanted. One batch after another.
 */

#include "core/samples.h"
#include "wire/gzip.h"

typedef struct ts__encoder_s {
  ts__str_t global_tags; /* packed; borrowed */
  ts__gzip_t *gzip;      /* NULL: the body is plain JSON */
  ts__buf_t json;        /* of the samples in hand */
  size_t encoded;        /* bytes of it that are in the body */
  const ts__batch_t *batch;
  ts__batch_cursor_t cursor;
  bool is_written; /* the JSON is complete */
} ts__encoder_t;

/* 0 or TS__ENOMEM, and then nothing is left to free. */
int ts__encoder_init(ts__encoder_t *encoder, const ts__mem_t *mem, bool gzip,
                     ts__str_t global_tags);
void ts__encoder_deinit(ts__encoder_t *encoder);

/* Begin with a batch, which is borrowed until it is complete or another one
 * begins. */
void ts__encoder_begin(ts__encoder_t *encoder, const ts__batch_t *batch);

/* One slice more, appended to the body. Returns 0 or the buffer's error;
 * *complete: the body is whole. */
int ts__encoder_step(ts__encoder_t *encoder, ts__buf_t *body, bool *complete);

#endif /* TS_SERVICE_ENCODER_H */
