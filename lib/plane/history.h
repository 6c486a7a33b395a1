/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_HISTORY_H
#define TS_PLANE_HISTORY_H

/*
 * What a breaker measured in the last minutes, for those who watch: a ring of
 * fixed size, one moment every few seconds and at each change of state.
 */

#include "plane/evaluator.h"

/* Between two moments of the same state. */
#define TS__HISTORY_STEP_MS 5000

#define TS__HISTORY_MOMENTS 120u

/* Between two looks at the measurement, and beyond how many samples in view it
 * is as long as a step: a percentile has to be searched for among them. */
#define TS__HISTORY_LOOK_MS 1000
#define TS__HISTORY_LARGE 10000u

typedef struct ts__moment_s {
  int64_t t_ms;
  float value; /* for a chart, that is exact enough */
  bool has_value;
  uint8_t state;
} ts__moment_t;

typedef struct ts__history_s {
  ts__moment_t moments[TS__HISTORY_MOMENTS];
  size_t first;
  size_t count;
  ts__measure_t measure; /* the last one */
  int64_t looked_ms;
  bool has_looked;
} ts__history_t;

/* Zeroed first. After each tick: look, if it is time, and take it down. */
void ts__history_tick(ts__history_t *history, ts__evaluator_t *evaluator,
                      int64_t now_ms);

/* The i-th, oldest first. */
const ts__moment_t *ts__history_at(const ts__history_t *history, size_t i);

#endif /* TS_PLANE_HISTORY_H */
