/* SPDX-License-Identifier: Apache-2.0 */
#include "base/schedule.h"

#include <assert.h>

/*
 * Happy path: starting the earliest timer arms the environment; its wake fires
 * all due timers one by one, and then tells the environment the next deadline.
 * Tasks likewise, on the loop's next turn, and after them one slice.
 *
 * A fire or a run may start, stop, post or cancel anything, itself and its
 * neighbours included: every entry is unlinked before it runs. What is started
 * inside a wake waits for the next one, so that a wake always ends: it is not
 * due before the wake began, and so stands behind all that the wake may fire.
 *
 * Failure modes: none; nothing allocates. A wake that comes early finds
 * nothing due and arms again.
 *
 * Close is the environment's: after it neither wake nor turn comes. One that
 * begins inside a fire lets the wake end over valid memory.
 */

static void tell_env(ts__schedule_t *schedule) {
  const ts__timer_t *first = schedule->timers.first;
  const uint64_t earliest = first != NULL ? first->deadline_ns : TS__NEVER;
  if (schedule->running || earliest == schedule->armed_ns) {
    return;
  }
  schedule->armed_ns = earliest;
  schedule->env->ops->arm(schedule->env, earliest);
}

static void on_wake(void *owner) {
  ts__schedule_t *schedule = owner;
  const uint64_t last = schedule->timers.started;
  schedule->running = true;
  schedule->armed_ns = TS__NEVER; /* an environment that fired is disarmed */
  schedule->wake_ns = ts__mono_ns(schedule->env);

  ts__timer_t *timer = NULL;
  while ((timer = schedule->timers.first) != NULL && timer->order <= last &&
         timer->deadline_ns <= schedule->wake_ns) {
    ts__timers_remove(&schedule->timers, timer);
    timer->fire(timer->owner);
  }
  schedule->running = false;
  tell_env(schedule);
}

static bool is_at_rest(const ts__schedule_t *schedule) {
  return ts__list_empty(&schedule->tasks) && ts__list_empty(&schedule->slices);
}

/* Whatever was posted while there was a slice asked for no turn. */
static void run_slice(ts__schedule_t *schedule, bool was_there) {
  ts__list_t *node = ts__list_pop(&schedule->slices);
  if (was_there && !is_at_rest(schedule)) {
    schedule->env->ops->turn(schedule->env);
  }
  if (node != NULL) {
    ts__task_t *task = TS__CONTAINER(node, ts__task_t, node);
    task->run(task->owner);
  }
}

static void on_turn(void *owner) {
  ts__schedule_t *schedule = owner;
  const bool slicing = !ts__list_empty(&schedule->slices);
  ts__list_t now;
  ts__list_init(&now);
  ts__list_move(&now, &schedule->tasks);

  ts__list_t *node;
  while ((node = ts__list_pop(&now)) != NULL) {
    ts__task_t *task = TS__CONTAINER(node, ts__task_t, node);
    task->run(task->owner);
  }
  run_slice(schedule, slicing);
}

void ts__schedule_init(ts__schedule_t *schedule, ts__env_t *env) {
  schedule->env = env;
  schedule->timers = (ts__timers_t){NULL, 0, 0};
  ts__list_init(&schedule->tasks);
  ts__list_init(&schedule->slices);
  schedule->armed_ns = TS__NEVER;
  schedule->holds = 0;
  schedule->running = false;
  schedule->wake_ns = 0;
  env->owner = schedule;
  env->on_wake = on_wake;
  env->on_turn = on_turn;
}

void ts__timer_init(ts__timer_t *timer, void (*fire)(void *owner),
                    void *owner) {
  timer->order = 0;
  timer->deadline_ns = TS__NEVER;
  timer->fire = fire;
  timer->owner = owner;
}

void ts__timer_start(ts__schedule_t *schedule, ts__timer_t *timer,
                     uint64_t deadline_ns) {
  if (ts__timer_is_active(timer)) {
    ts__timers_remove(&schedule->timers, timer);
  }
  timer->deadline_ns = schedule->running && deadline_ns < schedule->wake_ns
                           ? schedule->wake_ns
                           : deadline_ns;
  ts__timers_add(&schedule->timers, timer);
  tell_env(schedule);
}

void ts__timer_stop(ts__schedule_t *schedule, ts__timer_t *timer) {
  if (ts__timer_is_active(timer)) {
    ts__timers_remove(&schedule->timers, timer);
    tell_env(schedule);
  }
}

void ts__task_init(ts__task_t *task, void (*run)(void *owner), void *owner) {
  ts__list_init(&task->node);
  task->run = run;
  task->owner = owner;
}

static void post(ts__schedule_t *schedule, ts__list_t *list, ts__task_t *task) {
  if (!ts__list_empty(&task->node)) {
    return;
  }
  bool is_first = is_at_rest(schedule);
  ts__list_push(list, &task->node);
  if (is_first) {
    schedule->env->ops->turn(schedule->env);
  }
}

void ts__task_post(ts__schedule_t *schedule, ts__task_t *task) {
  post(schedule, &schedule->tasks, task);
}

void ts__task_post_slice(ts__schedule_t *schedule, ts__task_t *task) {
  post(schedule, &schedule->slices, task);
}

void ts__task_cancel(ts__task_t *task) { ts__list_remove(&task->node); }

void ts__schedule_hold(ts__schedule_t *schedule) {
  if (schedule->holds++ == 0) {
    schedule->env->ops->hold(schedule->env, true);
  }
}

void ts__schedule_release(ts__schedule_t *schedule) {
  assert(schedule->holds > 0);
  if (--schedule->holds == 0) {
    schedule->env->ops->hold(schedule->env, false);
  }
}
