/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/kind.h"

static void measure_error_rate(const ts__view_t *view, uint64_t streak,
                               ts__measure_t *measure) {
  (void)streak;
  uint64_t failed = 0;
  size_t cursor = 0;
  const ts__point_t *point;
  *measure = (ts__measure_t){0};
  while ((point = ts__view_next(view, &cursor))) {
    measure->count++;
    failed += point->ok ? 0 : 1;
  }
  if (measure->count > 0) {
    measure->has_value = true;
    measure->value = (double)failed / (double)measure->count;
  }
}

static void measure_consecutive_failures(const ts__view_t *view,
                                         uint64_t streak,
                                         ts__measure_t *measure) {
  size_t cursor = 0;
  *measure = (ts__measure_t){.has_value = true, .value = (double)streak};
  while (ts__view_next(view, &cursor)) {
    measure->count++;
  }
}

/* In the order of the enum, which begins with 1. */
static const ts__kind_t kinds[] = {
    {"error_rate", TS__EVIDENCE_SAMPLES, 1, measure_error_rate},
    {"avg", TS__EVIDENCE_SAMPLES, 1, NULL},
    {"p95", TS__EVIDENCE_SAMPLES, 1, NULL},
    {"max", TS__EVIDENCE_SAMPLES, 1, NULL},
    {"min", TS__EVIDENCE_SAMPLES, 1, NULL},
    {"sum", TS__EVIDENCE_BUDGET, 0, NULL},
    {"stddev", TS__EVIDENCE_SAMPLES, 2, NULL},
    {"count", TS__EVIDENCE_BUDGET, 0, NULL},
    {"percentile", TS__EVIDENCE_SAMPLES, 1, NULL},
    {"consecutive_failures", TS__EVIDENCE_STREAK, 0,
     measure_consecutive_failures},
    {"delta", TS__EVIDENCE_SAMPLES, 2, NULL},
};

const ts__kind_t *ts__kind_find(ts_plane_kind_t kind) {
  size_t i = (size_t)kind - 1;
  return i < sizeof(kinds) / sizeof(kinds[0]) ? &kinds[i] : NULL;
}

bool ts__op_is_valid(ts_plane_op_t op) {
  return (int)op >= (int)TS_PLANE_OP_GT && (int)op <= (int)TS_PLANE_OP_LTE;
}

bool ts__op_holds(ts_plane_op_t op, double value, double threshold) {
  switch (op) {
  case TS_PLANE_OP_GT:
    return value > threshold;
  case TS_PLANE_OP_GTE:
    return value >= threshold;
  case TS_PLANE_OP_LT:
    return value < threshold;
  case TS_PLANE_OP_LTE:
    return value <= threshold;
  }
  return false;
}
