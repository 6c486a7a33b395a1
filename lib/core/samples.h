/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CORE_SAMPLES_H
#define TS_CORE_SAMPLES_H

/*
 * The bounded sample buffer. A sample is copied once, as a compact record, into
 * the block being filled; blocks belong to a batch, batches queue up first in,
 * first out. When the buffer is full the new sample is refused and the older
 * ones stay. A sender takes whole batches.
 */

#include "base/env.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"

/* One sample, borrowed: on the way in from the caller, on the way out from the
 * record. */
typedef struct ts__sample_s {
  ts__str_t router;
  ts__str_t metric;
  ts__str_t trace_id; /* empty: none */
  ts__str_t tags;     /* packed: key NUL value NUL, tag_count times */
  uint32_t tag_count;
  bool ok;
  int64_t ts_ms;
  double value;
  ts__str_t stem; /* on the way in: router, trace id and tags once more, as
                     ts__stem_write writes them; empty: not written yet */
} ts__sample_t;

typedef struct ts__sample_block_s ts__sample_block_t;

typedef struct ts__batch_s {
  ts__list_t node;
  ts__sample_block_t *first;
  ts__sample_block_t *last;
  size_t count;
  uint64_t began_ns; /* when its first sample came */
  uint64_t place;    /* the sender's: place of its first sample among all */
} ts__batch_t;

typedef struct ts__samples_s {
  const ts__mem_t *mem;
  ts__list_t batches;   /* oldest first */
  ts__batch_t *filling; /* the last of them; NULL if that was taken */
  size_t count;         /* samples in all of them */
  size_t capacity;
  size_t batch_size;
  size_t block_size; /* smaller for small batches, which fill no large one */
  ts__sample_block_t *spare_blocks; /* kept for reuse, so that a steady flow */
  size_t spare_block_count;         /* allocates nothing; bounded */
  ts__list_t spare_batches;
  size_t spare_batch_count;
} ts__samples_t;

void ts__samples_init(ts__samples_t *samples, const ts__mem_t *mem,
                      size_t capacity, size_t batch_size);

/* Frees everything, also what is still buffered. */
void ts__samples_deinit(ts__samples_t *samples);

/* What many samples have in common can be written down once: this many bytes,
 * or 0 if it is too long for a sample. */
size_t ts__stem_size(const ts__sample_t *sample);
void ts__stem_write(const ts__sample_t *sample, char *stem);

/* Copy one sample in. Returns 0, TS__ENOBUFS when full, TS__ENOMEM, or
 * TS__EINVAL when longer than TS__MAX_SAMPLE. */
int ts__samples_add(ts__samples_t *samples, const ts__sample_t *sample,
                    uint64_t now_ns);

/* The oldest batch, which now belongs to the caller, or NULL. Its samples no
 * longer count as buffered. */
ts__batch_t *ts__samples_take(ts__samples_t *samples);

/* True if the oldest batch is complete, as all but the last are. */
static inline bool ts__samples_has_full_batch(const ts__samples_t *samples) {
  return samples->count >= samples->batch_size;
}

/* When the oldest buffered sample came, or TS__NEVER. */
uint64_t ts__samples_oldest_ns(const ts__samples_t *samples);

/* Reading a taken batch from the start; the cursor is zeroed by the caller. */
typedef struct ts__batch_cursor_s {
  const ts__sample_block_t *block;
  size_t offset;
  size_t index;
} ts__batch_cursor_t;

/* False at the end. The sample is borrowed from the batch. */
bool ts__batch_next(const ts__batch_t *batch, ts__batch_cursor_t *cursor,
                    ts__sample_t *sample);

/*
 * Move the second half of a taken batch (of 2 samples or more) to a new one.
 * NULL when out of memory; the batch is then as before.
 */
ts__batch_t *ts__batch_split(ts__samples_t *samples, ts__batch_t *batch);

/* Give a taken batch's memory back. */
void ts__batch_free(ts__samples_t *samples, ts__batch_t *batch);

#endif /* TS_CORE_SAMPLES_H */
