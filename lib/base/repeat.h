/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_REPEAT_H
#define TS_BASE_REPEAT_H

/*
 * Trouble that repeats itself, and which occurrences of it are worth a line:
 * the first of each kind, then the second, fourth, eighth ... of all, so that
 * the log of an outage grows with the logarithm of its length.
 */

#include <stdbool.h>
#include <stdint.h>

#define TS__REPEAT_KINDS 8u

typedef struct ts__repeat_s {
  uint64_t count;
  int kinds[TS__REPEAT_KINDS]; /* those that were told */
  unsigned kind_count;
} ts__repeat_t;

/* It happened again, for this reason (any number). Is it worth a line? */
bool ts__repeat_is_news(ts__repeat_t *repeat, int kind);

/* It is over: what comes next is news. */
void ts__repeat_end(ts__repeat_t *repeat);

#endif /* TS_BASE_REPEAT_H */
