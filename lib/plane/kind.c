/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/kind.h"

#include <math.h>

static bool measure_error_rate(const ts__view_t *view, double *value) {
  *value = (double)view->points->failed / (double)view->points->count;
  return true;
}

static bool measure_avg(const ts__view_t *view, double *value) {
  *value = ts__points_mean(view->points);
  return true;
}

static bool measure_sum(const ts__view_t *view, double *value) {
  *value = ts__points_sum(view->points);
  return true;
}

static bool measure_count(const ts__view_t *view, double *value) {
  *value = (double)view->points->count;
  return true;
}

static bool measure_consecutive_failures(const ts__view_t *view,
                                         double *value) {
  *value = (double)view->streak;
  return true;
}

/* Of the population, in two passes: the difference of large squares is no
 * deviation. */
static bool measure_stddev(const ts__view_t *view, double *value) {
  const ts__points_t *points = view->points;
  double mean = ts__points_mean(points);
  double squares = 0;
  for (size_t i = 0; i < points->count; i++) {
    double distance = points->items[i].value - mean;
    squares += distance * distance;
  }
  *value = sqrt(squares / (double)points->count);
  return true;
}

/* Means of the values in the newest quarter of the window, and of the rest. */
typedef struct parts_s {
  double sum, recent_sum;
  size_t count, recent_count;
} parts_t;

static parts_t add_parts(const ts__view_t *view, double divisor) {
  const ts__points_t *points = view->points;
  parts_t parts = {0};
  for (size_t i = 0; i < points->count; i++) {
    if (points->items[i].t_ms > view->recent_ms) {
      parts.recent_sum += points->items[i].value / divisor;
      parts.recent_count++;
    } else {
      parts.sum += points->items[i].value / divisor;
      parts.count++;
    }
  }
  return parts;
}

/* The mean of the newest quarter less the mean of the rest. */
static bool measure_delta(const ts__view_t *view, double *value) {
  double divisor = 1;
  parts_t parts = add_parts(view, divisor);
  if (parts.count == 0 || parts.recent_count == 0) {
    return false;
  }
  if (!isfinite(parts.sum) || !isfinite(parts.recent_sum)) {
    /* Values too large to be added up; their shares are not. */
    divisor = (double)view->points->count;
    parts = add_parts(view, divisor);
  }
  *value = parts.recent_sum / (double)parts.recent_count * divisor -
           parts.sum / (double)parts.count * divisor;
  return true;
}

/*
 * By rank
 */

static size_t rank_first(const ts__view_t *view) {
  (void)view;
  return 1;
}

static size_t rank_last(const ts__view_t *view) { return view->points->count; }

static size_t rank_p95(const ts__view_t *view) {
  return (95 * view->points->count + 99) / 100;
}

/* The product first, and a little less than it: otherwise p = 7 of 100 would be
 * the eighth. */
static size_t rank_percentile(const ts__view_t *view) {
  double count = (double)view->points->count;
  double rank = ceil(view->percentile * count / 100.0 - 1e-9);
  return rank < 1.0 ? 1 : rank > count ? view->points->count : (size_t)rank;
}

/* In the order of the enum, which begins with 1. */
static const ts__kind_t kinds[] = {
    {"error_rate", TS__EVIDENCE_SAMPLES, 1, measure_error_rate, NULL},
    {"avg", TS__EVIDENCE_SAMPLES, 1, measure_avg, NULL},
    {"p95", TS__EVIDENCE_SAMPLES, 1, NULL, rank_p95},
    {"max", TS__EVIDENCE_SAMPLES, 1, NULL, rank_last},
    {"min", TS__EVIDENCE_SAMPLES, 1, NULL, rank_first},
    {"sum", TS__EVIDENCE_BUDGET, 0, measure_sum, NULL},
    {"stddev", TS__EVIDENCE_SAMPLES, 2, measure_stddev, NULL},
    {"count", TS__EVIDENCE_BUDGET, 0, measure_count, NULL},
    {"percentile", TS__EVIDENCE_SAMPLES, 1, NULL, rank_percentile},
    {"consecutive_failures", TS__EVIDENCE_STREAK, 0,
     measure_consecutive_failures, NULL},
    {"delta", TS__EVIDENCE_SAMPLES, 2, measure_delta, NULL},
};

const ts__kind_t *ts__kind_find(ts_plane_kind_t kind) {
  size_t i = (size_t)kind - 1;
  return i < sizeof(kinds) / sizeof(kinds[0]) ? &kinds[i] : NULL;
}

ts__measure_t ts__kind_measure(const ts__kind_t *kind, const ts__view_t *view) {
  ts__measure_t measure = {.count = view->points->count};
  if (measure.count < kind->fewest) {
    return measure;
  }
  if (kind->rank) {
    measure.has_value = true;
    measure.value = ts__points_ranked(view->points, kind->rank(view));
  } else {
    measure.has_value = kind->measure(view, &measure.value);
  }
  return measure;
}

/* Of the values in order those for which the comparison holds are the last
 * ones, or for "less" the first ones: so it is enough to know how many. */
static bool ranked_holds(const ts__points_t *points, size_t rank) {
  if (points->op == TS_PLANE_OP_GT || points->op == TS_PLANE_OP_GTE) {
    return points->count - points->holding < rank;
  }
  return points->holding >= rank;
}

bool ts__kind_judge(const ts__kind_t *kind, const ts__view_t *view,
                    bool *holds) {
  const ts__points_t *points = view->points;
  if (points->count < kind->fewest) {
    return false;
  }
  if (kind->rank) {
    *holds = ranked_holds(points, kind->rank(view));
    return true;
  }
  ts__measure_t measure = ts__kind_measure(kind, view);
  *holds = ts__op_holds(points->op, measure.value, points->threshold);
  return measure.has_value;
}
