/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/record.h"

/* The enumerations' texts, in the order of their values. */

#define NAMES(name, ...)                                                       \
  static const char *const name##_texts[] = {NULL, __VA_ARGS__};               \
  const ts__names_t ts__##name##_names = {                                     \
      name##_texts, sizeof name##_texts / sizeof name##_texts[0]};

NAMES(kind, "error_rate", "avg", "p95", "max", "min", "sum", "stddev", "count",
      "percentile", "consecutive_failures", "delta")
NAMES(op, "gt", "lt", "gte", "lte")
NAMES(policy, "optimistic", "conservative", "pessimistic")
NAMES(mode, "static", "canary", "weighted")
NAMES(channel, "slack", "pagerduty", "email", "webhook")
NAMES(notice, "trip", "recover")
NAMES(state, "closed", "open", "half_open")

int ts__names_find(const ts__names_t *names, ts__str_t text) {
  for (int i = 1; i < names->count; i++) {
    if (ts__str_eq(text, ts__str(names->texts[i]))) {
      return i;
    }
  }
  return 0;
}
