/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_POINTS_H
#define TS_PLANE_POINTS_H

/*
 * The samples of one breaker, in order of arrival: a ring that grows on demand
 * up to a cap, beyond which the oldest go first. A view is the part of it that
 * a measurement looks at.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

/* Samples kept for one breaker. At 24 bytes each that is 2.4 MB. */
#define TS__MAX_POINTS 100000u

typedef struct ts__point_s {
  int64_t t_ms; /* when it happened, never after it arrived */
  double value;
  bool ok;
} ts__point_t;

typedef struct ts__points_s {
  const ts__mem_t *mem;
  ts__point_t *items;
  size_t capacity;
  size_t head;
  size_t count;
  int64_t lost_ms; /* newest t_ms given up for room; INT64_MIN: none */
} ts__points_t;

/* From after_ms, excluded, to upto_ms, included, and not before floor_ms. */
typedef struct ts__view_s {
  const ts__points_t *points;
  int64_t after_ms;
  int64_t upto_ms;
  int64_t floor_ms; /* INT64_MIN: none */
} ts__view_t;

void ts__points_init(ts__points_t *points, const ts__mem_t *mem);
void ts__points_deinit(ts__points_t *points);

/* Make sure that the next `more` additions need no memory. 0 or TS__ENOMEM. */
int ts__points_reserve(ts__points_t *points, size_t more);

/* Add one; there must be room, by reserve. */
void ts__points_add(ts__points_t *points, const ts__point_t *point);

/* Forget from the front what happened at or before this time. */
void ts__points_expire(ts__points_t *points, int64_t upto_ms);

/* The next one in view, or NULL; start with *cursor 0. */
const ts__point_t *ts__view_next(const ts__view_t *view, size_t *cursor);

#endif /* TS_PLANE_POINTS_H */
