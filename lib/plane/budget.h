/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_BUDGET_H
#define TS_PLANE_BUDGET_H

/* Requests allowed in each minute of the clock. */

#include <stdbool.h>
#include <stdint.h>

/* Zeroed first. */
typedef struct ts__budget_s {
  int64_t minute;
  int64_t spent;
} ts__budget_t;

/* Is one left? A limit of 0 is none. */
bool ts__budget_has(ts__budget_t *budget, int64_t limit, int64_t now_ms);

void ts__budget_spend(ts__budget_t *budget);

/* Whole seconds to the end of the minute, 1..60. */
int ts__budget_retry_after_s(int64_t now_ms);

#endif /* TS_PLANE_BUDGET_H */
