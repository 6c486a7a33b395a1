/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_POINTS_H
#define TS_PLANE_POINTS_H

/*
 * The samples that one breaker looks at: exactly those in its view, in a heap
 * whose root is the oldest. So whatever the order of arrival, taking one in
 * and letting the oldest go costs little, and what most kinds measure is kept
 * up to date on the way. Beyond a cap the oldest go first; that is counted.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "tripswitch/plane.h"

/* Samples kept for one breaker. At 24 bytes each that is 2.4 MB. */
#define TS__MAX_POINTS 100000u

typedef struct ts__point_s {
  int64_t t_ms; /* when it happened, never after it arrived */
  double value;
  uint32_t arrival; /* of two of the same time the earlier is the older */
  bool ok;
} ts__point_t;

/* A sum that does not forget what is small beside what is large (Neumaier). */
typedef struct ts__sum_s {
  double total;
  double lost; /* what the total could not hold */
} ts__sum_t;

typedef struct ts__points_s {
  const ts__mem_t *mem;
  ts__point_t *items; /* the heap */
  size_t capacity;
  size_t count;
  uint32_t arrivals;
  int64_t lost_ms;     /* newest t_ms given up for room; INT64_MIN: none */
  uint64_t lost_count; /* how many were, ever */

  /* Of all points. */
  uint64_t failed;
  uint64_t holding; /* value op threshold is true */
  ts__sum_t sum;
  unsigned updates; /* of the sum since it was made anew */

  ts_plane_op_t op;
  double threshold;
} ts__points_t;

/* value op threshold, plain double comparison. */
bool ts__op_holds(ts_plane_op_t op, double value, double threshold);

void ts__sum_add(ts__sum_t *sum, double value);
double ts__sum_value(const ts__sum_t *sum);

void ts__points_init(ts__points_t *points, const ts__mem_t *mem);
void ts__points_deinit(ts__points_t *points);

/* What `holding` counts from now on. */
void ts__points_watch(ts__points_t *points, ts_plane_op_t op, double threshold);

/* Make sure that the next `more` additions need no memory. 0 or TS__ENOMEM. */
int ts__points_reserve(ts__points_t *points, size_t more);

/* Add one; there must be room, by reserve. */
void ts__points_add(ts__points_t *points, int64_t t_ms, double value, bool ok);

/* Forget what happened at or before this time. */
void ts__points_expire(ts__points_t *points, int64_t upto_ms);

void ts__points_clear(ts__points_t *points);

/* Give back memory that a burst needed and its end left unused. */
void ts__points_trim(ts__points_t *points);

/* The clock was set back: what would lie in the future is of now. */
void ts__points_clamp(ts__points_t *points, int64_t now_ms);

/* The sum, and the mean of one or more; never NaN. */
double ts__points_sum(const ts__points_t *points);
double ts__points_mean(const ts__points_t *points);

/* The rank-th smallest value, 1..count. */
double ts__points_ranked(const ts__points_t *points, size_t rank);

#endif /* TS_PLANE_POINTS_H */
