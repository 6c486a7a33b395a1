/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CLIENT_KEEP_H
#define TS_CLIENT_KEEP_H

/*
 * What a call or a guard keeps of its options: the caller may change or free
 * them once it runs. Copies are made in one go into the room there is; when
 * they do not fit, whoever gave the room tries again with twice as much.
 */

#include "base/str.h"
#include "core/samples.h"
#include "core/tags.h"
#include "tripswitch/call.h"

/* Memory being filled: what is aligned from the front, texts from the back. */
typedef struct ts__room_s {
  char *front;
  char *back;
} ts__room_t;

/* Bytes for whatever needs no more alignment than a number, or NULL. */
static inline void *ts__room_take(ts__room_t *room, size_t size) {
  const size_t step = sizeof(uint64_t);
  char *at = room->front;
  if ((size_t)(room->back - at) < size + step) {
    return NULL;
  }
  room->front = at + (size + step - 1) / step * step;
  return at;
}

/* Copy with the NUL; NULL is kept as the empty string. False: no room. */
static inline bool ts__room_copy(ts__room_t *room, const char *text,
                                 ts__str_t *copy) {
  *copy = TS__STR_EMPTY;
  if (text == NULL) {
    return true;
  }
  const size_t len = strlen(text);
  if ((size_t)(room->back - room->front) <= len) {
    return false;
  }
  room->back -= len + 1;
  memcpy(room->back, text, len + 1);
  *copy = (ts__str_t){room->back, len};
  return true;
}

/* Pack these tags over those the sample has (core/tags.h). The front is not
 * aligned any more, so only texts may follow. False: no room. */
bool ts__room_pack(ts__room_t *room, const ts_tag_t *tags, size_t count,
                   ts__sample_t *sample);

/* Without tags and stem; what else it needs is written by who knows it. */
static inline void ts__sample_begin(ts__sample_t *sample) {
  sample->tags = TS__STR_EMPTY;
  sample->tag_count = 0;
  sample->stem = TS__STR_EMPTY;
}

/* Write the sample's stem, unless it is too long to be sent anyway. */
bool ts__room_stem(ts__room_t *room, ts__sample_t *sample);

/* How a call is judged and what it reports. */
typedef struct ts__plan_s {
  const ts_metric_t *metrics;
  const int *ignore_errors;
  size_t metric_count;
  size_t ignore_count;
  ts_deferred_metrics_cb deferred_metrics;
  ts_error_evaluator_cb error_evaluator;
  bool report_cancelled;
  bool asks; /* there are functions that give metrics */
} ts__plan_t;

static inline bool ts__metrics_ask(const ts_metric_t *metrics, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (metrics[i].kind == TS_METRIC_CALLBACK) {
      return true;
    }
  }
  return false;
}

/* A plan of what the options hold: they must outlive it. */
static inline ts__plan_t ts__plan_over(const ts_call_options_t *options) {
  return (ts__plan_t){
      .metrics = options->metrics,
      .ignore_errors = options->ignore_errors,
      .metric_count = options->metric_count,
      .ignore_count = options->ignore_error_count,
      .deferred_metrics = options->deferred_metrics,
      .error_evaluator = options->error_evaluator,
      .report_cancelled = options->report_cancelled,
      .asks = options->deferred_metrics != NULL ||
              ts__metrics_ask(options->metrics, options->metric_count)};
}

/* The same of copies. False: no room. */
bool ts__plan_copy(ts__plan_t *plan, const ts_call_options_t *options,
                   ts__room_t *room);

#endif /* TS_CLIENT_KEEP_H */
