/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/names.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* In the order of their enums, which begin with 1. */
static const char *const ops[] = {"gt", "gte", "lt", "lte"};
static const char *const policies[] = {"optimistic", "conservative",
                                       "pessimistic"};
static const struct {
  ts_breaker_state_t state;
  const char *name;
} states[] = {{TS_BREAKER_CLOSED, "closed"},
              {TS_BREAKER_OPEN, "open"},
              {TS_BREAKER_HALF_OPEN, "half_open"}};

static const char *name_at(const char *const *names, size_t count, size_t i) {
  return i < count ? names[i] : "unknown";
}

/* The place of a name, or the count. */
static size_t place_of(const char *const *names, size_t count, ts__str_t name) {
  size_t i = 0;
  while (i < count && !ts__str_eq(name, ts__str(names[i]))) {
    i++;
  }
  return i;
}

const char *ts__kind_name(ts_plane_kind_t kind) {
  const ts__kind_t *found = ts__kind_find(kind);
  return found ? found->name : "unknown";
}

const char *ts__op_name(ts_plane_op_t op) {
  return name_at(ops, COUNT(ops), (size_t)op - 1);
}

const char *ts__policy_name(ts_plane_policy_t policy) {
  return name_at(policies, COUNT(policies), (size_t)policy - 1);
}

const char *ts__plane_state_name(ts_breaker_state_t state) {
  for (size_t i = 0; i < COUNT(states); i++) {
    if (states[i].state == state) {
      return states[i].name;
    }
  }
  return "unknown";
}

bool ts__kind_by_name(ts__str_t name, ts_plane_kind_t *kind) {
  for (int i = 1; ts__kind_find((ts_plane_kind_t)i); i++) {
    if (ts__str_eq(name, ts__str(ts__kind_find((ts_plane_kind_t)i)->name))) {
      *kind = (ts_plane_kind_t)i;
      return true;
    }
  }
  return false;
}

bool ts__op_by_name(ts__str_t name, ts_plane_op_t *op) {
  size_t i = place_of(ops, COUNT(ops), name);
  if (i < COUNT(ops)) {
    *op = (ts_plane_op_t)(i + 1);
  }
  return i < COUNT(ops);
}

bool ts__policy_by_name(ts__str_t name, ts_plane_policy_t *policy) {
  size_t i = place_of(policies, COUNT(policies), name);
  if (i < COUNT(policies)) {
    *policy = (ts_plane_policy_t)(i + 1);
  }
  return i < COUNT(policies);
}

bool ts__plane_state_by_name(ts__str_t name, ts_breaker_state_t *state) {
  for (size_t i = 0; i < COUNT(states); i++) {
    if (ts__str_eq(name, ts__str(states[i].name))) {
      *state = states[i].state;
      return true;
    }
  }
  return false;
}

bool ts__kind_is_unsupported(ts__str_t name) {
  return ts__str_eq(name, TS__STR("ratio")) ||
         ts__str_eq(name, TS__STR("slope"));
}

bool ts__kind_params_read(ts_plane_kind_t kind, const ts__json_t *params,
                          double *percentile) {
  double value = 0;
  if (kind == TS_PLANE_KIND_PERCENTILE) {
    const ts__json_t *member = ts__json_get(params, "percentile");
    if (!member) {
      member = ts__json_get(params, "p");
    }
    if (!ts__json_number(member, &value) || !(value > 0.0 && value <= 100.0)) {
      return false;
    }
  }
  *percentile = value;
  return true;
}
