/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/budget.h"

#define MINUTE_MS 60000

bool ts__budget_has(ts__budget_t *budget, int64_t limit, int64_t now_ms) {
  int64_t minute = now_ms / MINUTE_MS;
  if (budget->minute != minute) {
    *budget = (ts__budget_t){.minute = minute};
  }
  return limit == 0 || budget->spent < limit;
}

void ts__budget_spend(ts__budget_t *budget) { budget->spent++; }

int ts__budget_retry_after_s(int64_t now_ms) {
  return (int)((MINUTE_MS - now_ms % MINUTE_MS + 999) / 1000);
}
