/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/points.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

#define FIRST_CAPACITY 64u

void ts__points_init(ts__points_t *points, const ts__mem_t *mem) {
  *points = (ts__points_t){.mem = mem, .lost_ms = INT64_MIN};
}

void ts__points_deinit(ts__points_t *points) {
  ts__free(points->mem, points->items);
  ts__points_init(points, points->mem);
}

/* The i-th oldest. */
static ts__point_t *point_at(const ts__points_t *points, size_t i) {
  size_t at = points->head + i;
  return &points->items[at < points->capacity ? at : at - points->capacity];
}

static int grow(ts__points_t *points, size_t capacity) {
  ts__point_t *items = ts__malloc(points->mem, capacity * sizeof(*items));
  if (!items) {
    return TS__ENOMEM;
  }
  for (size_t i = 0; i < points->count; i++) {
    items[i] = *point_at(points, i);
  }
  ts__free(points->mem, points->items);
  points->items = items;
  points->capacity = capacity;
  points->head = 0;
  return 0;
}

int ts__points_reserve(ts__points_t *points, size_t more) {
  size_t wanted = TS__MAX_POINTS;
  if (more < TS__MAX_POINTS - points->count) {
    wanted = points->count + more;
  }
  if (wanted <= points->capacity) {
    return 0;
  }
  size_t capacity = points->capacity ? points->capacity : FIRST_CAPACITY;
  while (capacity < wanted) {
    capacity *= 2;
  }
  return grow(points, capacity < TS__MAX_POINTS ? capacity : TS__MAX_POINTS);
}

static void drop_first(ts__points_t *points) {
  points->head = points->head + 1 == points->capacity ? 0 : points->head + 1;
  points->count--;
}

void ts__points_add(ts__points_t *points, const ts__point_t *point) {
  assert(points->capacity > 0);
  if (points->count == points->capacity) {
    /* Room was reserved, so only the cap can be the reason. */
    assert(points->capacity == TS__MAX_POINTS);
    int64_t lost_ms = point_at(points, 0)->t_ms;
    points->lost_ms = lost_ms > points->lost_ms ? lost_ms : points->lost_ms;
    drop_first(points);
  }
  points->count++;
  *point_at(points, points->count - 1) = *point;
}

void ts__points_expire(ts__points_t *points, int64_t upto_ms) {
  while (points->count > 0 && point_at(points, 0)->t_ms <= upto_ms) {
    drop_first(points);
  }
}

const ts__point_t *ts__view_next(const ts__view_t *view, size_t *cursor) {
  while (*cursor < view->points->count) {
    const ts__point_t *point = point_at(view->points, (*cursor)++);
    if (point->t_ms > view->after_ms && point->t_ms <= view->upto_ms &&
        point->t_ms >= view->floor_ms) {
      return point;
    }
  }
  return NULL;
}
