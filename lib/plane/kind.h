/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_KIND_H
#define TS_PLANE_KIND_H

/*
 * The kinds of breakers: what each measures, and what it needs before its
 * measurement is a verdict. A new kind is one function and one row of the table
 * in kind.c; the state machine (evaluator.h) knows only what is said here.
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

typedef struct ts__measure_s {
  bool has_value;
  double value;
  uint64_t count; /* samples in view */
} ts__measure_t;

typedef struct ts__kind_s {
  const char *name; /* on the wire */
  ts__evidence_t evidence;
  uint64_t fewest; /* samples without which there is no measurement at all */

  /* Fill *measure from the view and the failure streak. NULL: the kind is
   * known, but not implemented yet. */
  void (*measure)(const ts__view_t *view, uint64_t streak,
                  ts__measure_t *measure);
} ts__kind_t;

/* The kind, or NULL for a number that is none. */
const ts__kind_t *ts__kind_find(ts_plane_kind_t kind);

/* value op threshold, plain double comparison. */
bool ts__op_holds(ts_plane_op_t op, double value, double threshold);
bool ts__op_is_valid(ts_plane_op_t op);

#endif /* TS_PLANE_KIND_H */
