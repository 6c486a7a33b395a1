/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_KIND_H
#define TS_PLANE_KIND_H

/*
 * The kinds of breakers: what each measures, and what it needs before its
 * measurement is a verdict. A new kind is one row of the table in kind.c and a
 * function or two; the state machine (evaluator.h) knows only what is said
 * here.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plane/points.h"
#include "tripswitch/plane.h"

/* What it takes to trust a measurement. */
typedef enum ts__evidence_e {
  /* Enough samples in view; in half-open more of them at each stage, and a
   * fresh one. */
  TS__EVIDENCE_SAMPLES,

  /* Nothing: a budget over the plain window, whatever happened in between; the
   * floor of the recovery does not apply. */
  TS__EVIDENCE_BUDGET,

  /* Nothing when closed; in half-open one fresh sample, and then any failure
   * streak at all is unhealthy. */
  TS__EVIDENCE_STREAK
} ts__evidence_t;

/* What is looked at. */
typedef struct ts__view_s {
  const ts__points_t *points; /* all of them, none other */
  uint64_t streak;            /* failures in a row, by arrival */
  int64_t recent_ms;          /* later than this is current, for delta */
  double percentile;          /* for percentile: 0 < p <= 100 */
} ts__view_t;

typedef struct ts__measure_s {
  bool has_value;
  double value;
  uint64_t count; /* samples in view */
} ts__measure_t;

typedef struct ts__kind_s {
  const char *name; /* on the wire */
  ts__evidence_t evidence;
  uint64_t fewest; /* samples without which there is no measurement at all */

  /* False: not to be measured, though there are `fewest` samples. */
  bool (*measure)(const ts__view_t *view, double *value);

  /* For kinds that measure the rank-th smallest value: that rank, 1..count.
   * NULL: another kind. */
  size_t (*rank)(const ts__view_t *view);
} ts__kind_t;

/* The kind, or NULL for a number that is none. */
const ts__kind_t *ts__kind_find(ts_plane_kind_t kind);

/* The measurement. */
ts__measure_t ts__kind_measure(const ts__kind_t *kind, const ts__view_t *view);

/* Is there a measurement, and if so, does *holds tell that it op threshold of
 * the points? The same as measuring and comparing, but without going through
 * all points where counting them was enough. */
bool ts__kind_judge(const ts__kind_t *kind, const ts__view_t *view,
                    bool *holds);

#endif /* TS_PLANE_KIND_H */
