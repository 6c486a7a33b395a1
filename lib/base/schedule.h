/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_SCHEDULE_H
#define TS_BASE_SCHEDULE_H

/*
 * Everything that waits, over the environment's single deadline: timers, tasks
 * for the loop's next turn, and the count of reasons to keep the loop alive.
 * All entries are intrusive, so nothing here allocates or fails.
 */

#include "base/env.h"
#include "base/list.h"
#include "base/timers.h"

typedef struct ts__task_s {
  ts__list_t node;
  void (*run)(void *owner);
  void *owner;
} ts__task_t;

typedef struct ts__schedule_s {
  ts__env_t *env;
  ts__timers_t timers;
  ts__list_t tasks;
  ts__list_t slices; /* tasks too, but one a turn */
  uint64_t armed_ns; /* the deadline the environment knows */
  unsigned holds;
  bool running;     /* inside a wake: the deadline is told at its end */
  uint64_t wake_ns; /* when that began */
} ts__schedule_t;

/* Takes over the environment's owner, on_wake and on_turn. */
void ts__schedule_init(ts__schedule_t *schedule, ts__env_t *env);

void ts__timer_init(ts__timer_t *timer, void (*fire)(void *owner), void *owner);

/* Start, or move. Due timers never fire inside this call. */
void ts__timer_start(ts__schedule_t *schedule, ts__timer_t *timer,
                     uint64_t deadline_ns);

/* Safe when not started. */
void ts__timer_stop(ts__schedule_t *schedule, ts__timer_t *timer);

static inline bool ts__timer_is_active(const ts__timer_t *timer) {
  return timer->order != 0;
}

void ts__task_init(ts__task_t *task, void (*run)(void *owner), void *owner);

/* Run on the loop's next turn, once however often it is posted before. */
void ts__task_post(ts__schedule_t *schedule, ts__task_t *task);

/* The same for a piece of long work: of all these, whoever posted them, one is
 * run each turn, so that they never add up. */
void ts__task_post_slice(ts__schedule_t *schedule, ts__task_t *task);

void ts__task_cancel(ts__task_t *task);

/* Keep the loop alive while there are more holds than releases. */
void ts__schedule_hold(ts__schedule_t *schedule);
void ts__schedule_release(ts__schedule_t *schedule);

#endif /* TS_BASE_SCHEDULE_H */
