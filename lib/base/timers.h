/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_TIMERS_H
#define TS_BASE_TIMERS_H

/*
 * The started timers, earliest first: a binary heap of intrusive nodes, so that
 * a hundred thousand of them cost little more than ten, and nothing here
 * allocates or fails. Equal deadlines keep the order of their start.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ts__timer_s {
  struct ts__timer_s *parent;
  struct ts__timer_s *children[2];
  uint64_t deadline_ns;
  uint64_t order; /* place among all that were ever started; 0: not started */
  void (*fire)(void *owner);
  void *owner;
} ts__timer_t;

typedef struct ts__timers_s {
  ts__timer_t *first;
  size_t count;
  uint64_t started; /* so far */
} ts__timers_t;

/* The timer is in no heap; its deadline is set. */
void ts__timers_add(ts__timers_t *timers, ts__timer_t *timer);

/* The timer is in this heap; it is in none afterwards. */
void ts__timers_remove(ts__timers_t *timers, ts__timer_t *timer);

#endif /* TS_BASE_TIMERS_H */
