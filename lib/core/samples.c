/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record is a head, a stem that it may share with others, and its metric,
 * without terminators, and padded so that the next head is aligned.
 * Records stand one after another in blocks, blocks hang in a chain from their
 * batch. A block that is full is left with a little room unused; a record that
 * no common block could hold gets one of its own size. Blocks and batches that
 * come back are kept, up to a bound, so a steady flow asks for no memory.
 */
#include "core/samples.h"

#include <assert.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/err.h"

/* Kept between uses: a batch of long samples, and one for each request under
 * way with some to spare. */
#define MAX_SPARE_BLOCKS 16u
#define MAX_SPARE_BATCHES 8u

#define MAX_BLOCK_SIZE 8192u
#define MIN_BLOCK_SIZE 256u

/* A usual record, for the size of the blocks of small batches. */
#define USUAL_RECORD 128u

struct ts__sample_block_s {
  ts__sample_block_t *next;
  uint32_t size; /* of `bytes` */
  uint32_t used;
  _Alignas(int64_t) char bytes[];
};

typedef struct head_s {
  int64_t ts_ms;
  double value;
  uint32_t metric_len;
  uint32_t ok;
} head_t;

/* Behind it: router, trace id, tags. Copied as it is. */
typedef struct stem_s {
  uint32_t router_len;
  uint32_t trace_id_len;
  uint32_t tags_len;
  uint32_t tag_count;
} stem_t;

#define TOO_LONG SIZE_MAX

static inline size_t padded(size_t size) {
  return (size + sizeof(int64_t) - 1) & ~(sizeof(int64_t) - 1);
}

/* Bytes of `bytes` in a block of the common size. */
static size_t common_room(const ts__samples_t *samples) {
  return samples->block_size - sizeof(ts__sample_block_t);
}

static ts__sample_block_t *block_new(ts__samples_t *samples, size_t room) {
  ts__sample_block_t *block = samples->spare_blocks;
  if (room <= common_room(samples)) {
    room = common_room(samples);
    if (block != NULL) {
      samples->spare_blocks = block->next;
      samples->spare_block_count--;
      block->next = NULL;
      return block;
    }
  }
  block = ts__malloc(samples->mem, sizeof(*block) + room);
  if (block != NULL) {
    *block = (ts__sample_block_t){.size = (uint32_t)room};
  }
  return block;
}

static void block_free(ts__samples_t *samples, ts__sample_block_t *block) {
  if (block->size != common_room(samples) ||
      samples->spare_block_count == MAX_SPARE_BLOCKS) {
    ts__free(samples->mem, block);
    return;
  }
  block->used = 0;
  block->next = samples->spare_blocks;
  samples->spare_blocks = block;
  samples->spare_block_count++;
}

static void free_chain(ts__samples_t *samples, ts__sample_block_t *block) {
  while (block != NULL) {
    ts__sample_block_t *next = block->next;
    block_free(samples, block);
    block = next;
  }
}

static ts__batch_t *batch_new(ts__samples_t *samples, uint64_t began_ns) {
  ts__list_t *node = ts__list_pop(&samples->spare_batches);
  ts__batch_t *batch = NULL;
  if (node != NULL) {
    samples->spare_batch_count--;
    batch = TS__CONTAINER(node, ts__batch_t, node);
  } else {
    batch = ts__malloc(samples->mem, sizeof(*batch));
  }
  if (batch != NULL) {
    *batch = (ts__batch_t){.began_ns = began_ns};
    ts__list_init(&batch->node);
  }
  return batch;
}

void ts__batch_free(ts__samples_t *samples, ts__batch_t *batch) {
  free_chain(samples, batch->first);
  batch->first = NULL;
  if (samples->spare_batch_count == MAX_SPARE_BATCHES) {
    ts__free(samples->mem, batch);
    return;
  }
  ts__list_push(&samples->spare_batches, &batch->node);
  samples->spare_batch_count++;
}

/* All lengths' bits together are no more than their sum, which then cannot
 * overflow. */
size_t ts__stem_size(const ts__sample_t *sample) {
  const size_t bits =
      sample->router.len | sample->trace_id.len | sample->tags.len;
  return bits > TS__MAX_SAMPLE ? 0
                               : sizeof(stem_t) + sample->router.len +
                                     sample->trace_id.len + sample->tags.len;
}

/* Of the record, or TOO_LONG. */
static inline size_t record_size(const ts__sample_t *sample) {
  const size_t stem_len =
      sample->stem.len > 0 ? sample->stem.len : ts__stem_size(sample);
  const size_t len = stem_len + sample->metric.len;
  return stem_len == 0 || len > sizeof(stem_t) + TS__MAX_SAMPLE
             ? TOO_LONG
             : padded(sizeof(head_t) + len);
}

static inline char *put(char *at, ts__str_t text) {
  if (text.len > 0) {
    memcpy(at, text.ptr, text.len);
  }
  return at + text.len;
}

static inline char *stem_write(const ts__sample_t *sample, char *at) {
  const stem_t stem = {.router_len = (uint32_t)sample->router.len,
                       .trace_id_len = (uint32_t)sample->trace_id.len,
                       .tags_len = (uint32_t)sample->tags.len,
                       .tag_count = sample->tag_count};
  memcpy(at, &stem, sizeof stem);
  at = put(at + sizeof stem, sample->router);
  at = put(at, sample->trace_id);
  return put(at, sample->tags);
}

void ts__stem_write(const ts__sample_t *sample, char *stem) {
  (void)stem_write(sample, stem);
}

static inline void record_write(ts__sample_block_t *block,
                                const ts__sample_t *sample, size_t size) {
  head_t *head = (head_t *)(void *)(block->bytes + block->used);
  char *at = (char *)(head + 1);
  head->ts_ms = sample->ts_ms;
  head->value = sample->value;
  head->metric_len = (uint32_t)sample->metric.len;
  head->ok = sample->ok;
  at = sample->stem.len > 0 ? put(at, sample->stem) : stem_write(sample, at);
  (void)put(at, sample->metric);
  block->used += (uint32_t)size;
}

/* A batch's last block, with room for this much more; NULL when out of memory,
 * and then the batch is as before. */
static ts__sample_block_t *batch_block(ts__samples_t *samples,
                                       ts__batch_t *batch, size_t size) {
  ts__sample_block_t *block = block_new(samples, size);
  if (block == NULL) {
    return NULL;
  }
  if (batch->last == NULL) {
    batch->first = block;
  } else {
    batch->last->next = block;
  }
  batch->last = block;
  return block;
}

/* Returns 0 or TS__ENOMEM, and then the batch is as before. */
static int batch_add(ts__samples_t *samples, ts__batch_t *batch,
                     const ts__sample_t *sample, size_t size) {
  ts__sample_block_t *block = batch->last;
  if (block == NULL || block->size - block->used < size) {
    block = batch_block(samples, batch, size);
    if (block == NULL) {
      return TS__ENOMEM;
    }
  }
  record_write(block, sample, size);
  batch->count++;
  return 0;
}

void ts__samples_init(ts__samples_t *samples, const ts__mem_t *mem,
                      size_t capacity, size_t batch_size) {
  assert(capacity > 0 && batch_size > 0);
  size_t block_size = MAX_BLOCK_SIZE;
  if (batch_size < MAX_BLOCK_SIZE / USUAL_RECORD) {
    block_size = batch_size * USUAL_RECORD;
  }
  *samples = (ts__samples_t){
      .mem = mem,
      .capacity = capacity,
      .batch_size = batch_size,
      .block_size = block_size < MIN_BLOCK_SIZE ? MIN_BLOCK_SIZE : block_size,
  };
  ts__list_init(&samples->batches);
  ts__list_init(&samples->spare_batches);
}

void ts__samples_deinit(ts__samples_t *samples) {
  ts__list_t *node = NULL;
  ts__list_move(&samples->spare_batches, &samples->batches);
  while ((node = ts__list_pop(&samples->spare_batches)) != NULL) {
    ts__batch_t *batch = TS__CONTAINER(node, ts__batch_t, node);
    free_chain(samples, batch->first);
    ts__free(samples->mem, batch);
  }
  while (samples->spare_blocks != NULL) {
    ts__sample_block_t *next = samples->spare_blocks->next;
    ts__free(samples->mem, samples->spare_blocks);
    samples->spare_blocks = next;
  }
  samples->spare_block_count = 0;
  samples->spare_batch_count = 0;
  samples->count = 0;
  samples->filling = NULL;
}

/* The first sample of a batch. */
static int begin_batch(ts__samples_t *samples, const ts__sample_t *sample,
                       size_t size, uint64_t now_ns) {
  ts__batch_t *batch = batch_new(samples, now_ns);
  if (batch == NULL) {
    return TS__ENOMEM;
  }
  const int error = batch_add(samples, batch, sample, size);
  if (error != 0) {
    ts__batch_free(samples, batch);
    return error;
  }
  ts__list_push(&samples->batches, &batch->node);
  samples->filling = batch;
  return 0;
}

/* Where a new block or a new batch is needed, if it may be added at all. */
static int add_at_an_end(ts__samples_t *samples, const ts__sample_t *sample,
                         size_t size, uint64_t now_ns) {
  ts__batch_t *batch = samples->filling;
  if (size == TOO_LONG) {
    return TS__EINVAL;
  }
  if (samples->count >= samples->capacity) {
    return TS__ENOBUFS;
  }
  const int error = batch != NULL && batch->count < samples->batch_size
                        ? batch_add(samples, batch, sample, size)
                        : begin_batch(samples, sample, size, now_ns);
  if (error == 0) {
    samples->count++;
  }
  return error;
}

int ts__samples_add(ts__samples_t *samples, const ts__sample_t *sample,
                    uint64_t now_ns) {
  const size_t size = record_size(sample);
  ts__batch_t *batch = samples->filling;
  if (samples->count >= samples->capacity || batch == NULL ||
      batch->count >= samples->batch_size ||
      batch->last->size - batch->last->used < size) {
    return add_at_an_end(samples, sample, size, now_ns);
  }
  record_write(batch->last, sample, size);
  batch->count++;
  samples->count++;
  return 0;
}

static ts__batch_t *oldest_batch(const ts__samples_t *samples) {
  if (ts__list_empty(&samples->batches)) {
    return NULL;
  }
  return TS__CONTAINER(samples->batches.next, ts__batch_t, node);
}

ts__batch_t *ts__samples_take(ts__samples_t *samples) {
  ts__batch_t *batch = oldest_batch(samples);
  if (batch != NULL) {
    ts__list_remove(&batch->node);
    samples->count -= batch->count;
    if (samples->filling == batch) {
      samples->filling = NULL;
    }
  }
  return batch;
}

uint64_t ts__samples_oldest_ns(const ts__samples_t *samples) {
  const ts__batch_t *batch = oldest_batch(samples);
  return batch != NULL ? batch->began_ns : TS__NEVER;
}

static ts__str_t get(const char **at, uint32_t len) {
  ts__str_t text = {*at, len};
  *at += len;
  return text;
}

bool ts__batch_next(const ts__batch_t *batch, ts__batch_cursor_t *cursor,
                    ts__sample_t *sample) {
  if (cursor->index == batch->count) {
    return false;
  }
  if (cursor->block == NULL) {
    cursor->block = batch->first;
  } else if (cursor->offset == cursor->block->used) {
    cursor->block = cursor->block->next;
    cursor->offset = 0;
  }
  const head_t *head =
      (const head_t *)(const void *)(cursor->block->bytes + cursor->offset);
  const stem_t *stem = (const stem_t *)(head + 1);
  const char *at = (const char *)(stem + 1);
  *sample = (ts__sample_t){.tag_count = stem->tag_count,
                           .ok = head->ok != 0,
                           .ts_ms = head->ts_ms,
                           .value = head->value};
  sample->router = get(&at, stem->router_len);
  sample->trace_id = get(&at, stem->trace_id_len);
  sample->tags = get(&at, stem->tags_len);
  sample->metric = get(&at, head->metric_len);
  cursor->offset = padded((size_t)(at - cursor->block->bytes));
  cursor->index++;
  return true;
}

/* Nothing of a batch is left behind the cursor. */
static void cut_behind(ts__samples_t *samples, ts__batch_t *batch,
                       const ts__batch_cursor_t *cursor) {
  ts__sample_block_t *last = batch->first;
  while (last != cursor->block) {
    last = last->next;
  }
  free_chain(samples, last->next);
  last->next = NULL;
  last->used = (uint32_t)cursor->offset;
  batch->last = last;
  batch->count = cursor->index;
}

ts__batch_t *ts__batch_split(ts__samples_t *samples, ts__batch_t *batch) {
  assert(batch->count >= 2);
  ts__batch_t *second = batch_new(samples, batch->began_ns);
  if (second == NULL) {
    return NULL;
  }
  size_t half = batch->count - batch->count / 2;
  ts__batch_cursor_t cursor = {0};
  ts__batch_cursor_t middle = {0};
  ts__sample_t sample;
  while (ts__batch_next(batch, &cursor, &sample)) {
    if (cursor.index == half) {
      middle = cursor;
    } else if (cursor.index > half &&
               batch_add(samples, second, &sample, record_size(&sample)) != 0) {
      ts__batch_free(samples, second);
      return NULL;
    }
  }
  cut_behind(samples, batch, &middle);
  return second;
}
