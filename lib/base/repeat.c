/* SPDX-License-Identifier: Apache-2.0 */
#include "base/repeat.h"

/* A kind beyond those there is room for is like the others. */
static bool is_new_kind(ts__repeat_t *repeat, int kind) {
  for (unsigned i = 0; i < repeat->kind_count; i++) {
    if (repeat->kinds[i] == kind) {
      return false;
    }
  }
  if (repeat->kind_count == TS__REPEAT_KINDS) {
    return false;
  }
  repeat->kinds[repeat->kind_count++] = kind;
  return true;
}

bool ts__repeat_is_news(ts__repeat_t *repeat, int kind) {
  const uint64_t count = ++repeat->count;
  const bool is_power_of_two = (count & (count - 1)) == 0;
  return is_new_kind(repeat, kind) || is_power_of_two;
}

void ts__repeat_end(ts__repeat_t *repeat) { *repeat = (ts__repeat_t){0}; }
