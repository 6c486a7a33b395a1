/* SPDX-License-Identifier: Apache-2.0 */
#include "base/schedule.h"

#include <assert.h>

/*
 * Happy path: starting the earliest timer arms the environment; its wake moves
 * all due timers to a list of its own, fires them one by one, and then tells
 * the environment the next deadline. Tasks likewise, on the loop's next turn.
 *
 * A fire or a run may start, stop, post or cancel anything, itself and its
 * neighbours included: every entry is unlinked before it runs, and those still
 * waiting are unlinked from whichever list holds them. What is started inside
 * a wake waits for the next one, so that a wake always ends.
 *
 * Failure modes: none; nothing allocates. A wake that comes early finds
 * nothing due and arms again.
 *
 * Close is the environment's: after it neither wake nor turn comes. One that
 * begins inside a fire lets the wake end over valid memory.
 */

static void tell_env(ts__schedule_t *schedule) {
  uint64_t earliest = TS__NEVER;
  if (!ts__list_empty(&schedule->timers)) {
    earliest =
        TS__CONTAINER(schedule->timers.next, ts__timer_t, node)->deadline_ns;
  }
  if (schedule->running || earliest == schedule->armed_ns) {
    return;
  }
  schedule->armed_ns = earliest;
  schedule->env->ops->arm(schedule->env, earliest);
}

static void move_due(ts__schedule_t *schedule, uint64_t now_ns,
                     ts__list_t *due) {
  while (!ts__list_empty(&schedule->timers)) {
    ts__list_t *node = schedule->timers.next;
    if (TS__CONTAINER(node, ts__timer_t, node)->deadline_ns > now_ns) {
      return;
    }
    ts__list_remove(node);
    ts__list_push(due, node);
  }
}

static void on_wake(void *owner) {
  ts__schedule_t *schedule = owner;
  ts__list_t due;
  ts__list_init(&due);
  schedule->running = true;
  schedule->armed_ns = TS__NEVER; /* an environment that fired is disarmed */
  move_due(schedule, ts__mono_ns(schedule->env), &due);

  ts__list_t *node;
  while ((node = ts__list_pop(&due)) != NULL) {
    ts__timer_t *timer = TS__CONTAINER(node, ts__timer_t, node);
    timer->fire(timer->owner);
  }
  schedule->running = false;
  tell_env(schedule);
}

static void on_turn(void *owner) {
  ts__schedule_t *schedule = owner;
  ts__list_t now;
  ts__list_init(&now);
  ts__list_move(&now, &schedule->tasks);

  ts__list_t *node;
  while ((node = ts__list_pop(&now)) != NULL) {
    ts__task_t *task = TS__CONTAINER(node, ts__task_t, node);
    task->run(task->owner);
  }
}

/* From the tail: most timers are started later than those already there. Equal
 * deadlines keep their order. */
static void insert_sorted(ts__schedule_t *schedule, ts__timer_t *timer) {
  ts__list_t *before = schedule->timers.prev;
  while (before != &schedule->timers &&
         TS__CONTAINER(before, ts__timer_t, node)->deadline_ns >
             timer->deadline_ns) {
    before = before->prev;
  }
  /* Pushing in front of a node is pushing at the end of a list it heads. */
  ts__list_push(before->next, &timer->node);
}

void ts__schedule_init(ts__schedule_t *schedule, ts__env_t *env) {
  schedule->env = env;
  ts__list_init(&schedule->timers);
  ts__list_init(&schedule->tasks);
  schedule->armed_ns = TS__NEVER;
  schedule->holds = 0;
  schedule->running = false;
  env->owner = schedule;
  env->on_wake = on_wake;
  env->on_turn = on_turn;
}

void ts__timer_init(ts__timer_t *timer, void (*fire)(void *owner),
                    void *owner) {
  ts__list_init(&timer->node);
  timer->deadline_ns = TS__NEVER;
  timer->fire = fire;
  timer->owner = owner;
}

void ts__timer_start(ts__schedule_t *schedule, ts__timer_t *timer,
                     uint64_t deadline_ns) {
  ts__list_remove(&timer->node);
  timer->deadline_ns = deadline_ns;
  insert_sorted(schedule, timer);
  tell_env(schedule);
}

void ts__timer_stop(ts__schedule_t *schedule, ts__timer_t *timer) {
  if (ts__timer_is_active(timer)) {
    ts__list_remove(&timer->node);
    tell_env(schedule);
  }
}

void ts__task_init(ts__task_t *task, void (*run)(void *owner), void *owner) {
  ts__list_init(&task->node);
  task->run = run;
  task->owner = owner;
}

void ts__task_post(ts__schedule_t *schedule, ts__task_t *task) {
  if (!ts__list_empty(&task->node)) {
    return;
  }
  bool is_first = ts__list_empty(&schedule->tasks);
  ts__list_push(&schedule->tasks, &task->node);
  if (is_first) {
    schedule->env->ops->turn(schedule->env);
  }
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
