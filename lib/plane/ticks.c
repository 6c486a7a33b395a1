/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plane's time. Each breaker has a timer of its own for its next tick, over
 * the plane's schedule; a tick that comes late happens once, and ticks that are
 * late together come in the order in which they were due.
 *
 * The wall clock says when a tick is due, the monotonic one wakes us up. A
 * clock that was set back does not keep a breaker waiting for longer than its
 * interval, nor does one that goes too slowly make a tick come early.
 *
 * A test may stop the clock. Then no timer runs, and it is moved by hand: every
 * tick that is due on the way happens at its own moment.
 */
#include "base/err.h"
#include "plane/internal.h"

#define MAX_ADVANCE_MS INT64_C(86400000)

int64_t ts__plane_now_ms(const ts_plane_t *plane) {
  return plane->is_frozen ? plane->frozen_ms : ts__wall_ms(plane->env);
}

/* Milliseconds until the next tick; a clock set back does not lengthen it. */
static int64_t wait_of(const ts__evaluator_t *evaluator, int64_t now_ms) {
  int64_t wait = evaluator->next_tick_ms - now_ms;
  return wait < 0 || wait > evaluator->rule.eval_interval_ms ? 0 : wait;
}

static void start_timer(ts__plane_breaker_t *breaker) {
  ts_plane_t *plane = breaker->plane;
  int64_t now_ms = ts__plane_now_ms(plane);
  if (plane->is_frozen || plane->is_closing) {
    return;
  }
  int64_t wait = wait_of(&breaker->evaluator, now_ms);
  ts__timer_start(&plane->schedule, &breaker->tick,
                  ts__deadline(ts__mono_ns(plane->env), wait));
}

/* Afterwards the breaker may be removed, or the plane be closing. */
static void tick(ts_plane_t *plane, ts__plane_breaker_t *breaker,
                 int64_t now_ms) {
  ts__change_t change;
  bool changed = ts__evaluator_tick(&breaker->evaluator, now_ms, &change);
  ts__history_tick(&breaker->history, &breaker->evaluator, now_ms);
  start_timer(breaker);
  if (changed) {
    ts__plane_announce(plane, breaker, &change);
  }
}

static void on_tick(void *owner) {
  ts__plane_breaker_t *breaker = owner;
  int64_t now_ms = ts__plane_now_ms(breaker->plane);
  if (wait_of(&breaker->evaluator, now_ms) > 0) {
    start_timer(breaker);
  } else {
    tick(breaker->plane, breaker, now_ms);
  }
}

void ts__plane_begin_ticks(ts_plane_t *plane, ts__plane_breaker_t *breaker) {
  ts__timer_stop(&plane->schedule, &breaker->tick);
  ts__timer_init(&breaker->tick, on_tick, breaker);
  breaker->plane = plane;
  start_timer(breaker);
}

typedef void (*visit_cb)(ts_plane_t *plane, ts__plane_breaker_t *breaker,
                         void *arg);

static void for_each_breaker(ts_plane_t *plane, visit_cb visit, void *arg) {
  TS__EACH_PROJECT(plane, i) {
    const ts__table_t *breakers = &ts__plane_project_at(plane, i)->breakers;
    for (size_t k = 0; k < breakers->count; k++) {
      visit(plane, breakers->items[k], arg);
    }
  }
}

static void arm(ts_plane_t *plane, ts__plane_breaker_t *breaker, void *arg) {
  (void)arg;
  if (!ts__timer_is_active(&breaker->tick)) {
    ts__plane_begin_ticks(plane, breaker);
  }
}

void ts__plane_arm_ticks(ts_plane_t *plane) {
  for_each_breaker(plane, arm, NULL);
}

static void disarm(ts_plane_t *plane, ts__plane_breaker_t *breaker, void *arg) {
  (void)arg;
  ts__timer_stop(&plane->schedule, &breaker->tick);
}

void ts__plane_stop_ticks(ts_plane_t *plane) {
  for_each_breaker(plane, disarm, NULL);
}

/*
 * A clock moved by hand
 */

int ts_plane_freeze_clock(ts_plane_t *plane, int64_t now_ms) {
  if (plane->is_closing) {
    return TS_ECLOSED;
  }
  if (now_ms < 0) {
    return TS__EINVAL;
  }
  plane->frozen_ms = now_ms > 0 ? now_ms : ts__plane_now_ms(plane);
  plane->is_frozen = true;
  ts__plane_stop_ticks(plane);
  return 0;
}

int ts_plane_release_clock(ts_plane_t *plane) {
  if (plane->is_closing) {
    return TS_ECLOSED;
  }
  plane->is_frozen = false;
  ts__plane_arm_ticks(plane);
  return 0;
}

int64_t ts_plane_now_ms(const ts_plane_t *plane) {
  return ts__plane_now_ms(plane);
}

static void find_earliest(ts_plane_t *plane, ts__plane_breaker_t *breaker,
                          void *arg) {
  int64_t *earliest_ms = arg;
  int64_t due_ms =
      plane->frozen_ms + wait_of(&breaker->evaluator, plane->frozen_ms);
  *earliest_ms = due_ms < *earliest_ms ? due_ms : *earliest_ms;
}

static void queue_due(ts_plane_t *plane, ts__plane_breaker_t *breaker,
                      void *arg) {
  if (wait_of(&breaker->evaluator, plane->frozen_ms) == 0) {
    ts__list_remove(&breaker->due);
    ts__list_push(arg, &breaker->due);
  }
}

/* All ticks of one moment. A removal takes a breaker from the list. */
static void tick_all_due(ts_plane_t *plane) {
  ts__list_t due;
  ts__list_t *node;
  ts__list_init(&due);
  for_each_breaker(plane, queue_due, &due);
  while ((node = ts__list_pop(&due))) {
    if (!plane->is_closing) {
      tick(plane, TS__CONTAINER(node, ts__plane_breaker_t, due),
           plane->frozen_ms);
    }
  }
}

int ts_plane_advance_clock(ts_plane_t *plane, int64_t ms) {
  if (plane->is_closing) {
    return TS_ECLOSED;
  }
  if (!plane->is_frozen || plane->is_advancing || ms < 0 ||
      ms > MAX_ADVANCE_MS) {
    return TS__EINVAL;
  }
  int64_t until_ms = plane->frozen_ms + ms;
  plane->is_advancing = true;
  while (plane->is_frozen && !plane->is_closing) {
    int64_t due_ms = INT64_MAX;
    for_each_breaker(plane, find_earliest, &due_ms);
    if (due_ms > until_ms) {
      plane->frozen_ms = until_ms;
      break;
    }
    plane->frozen_ms = due_ms;
    tick_all_due(plane);
  }
  plane->is_advancing = false;
  return plane->is_closing ? TS_ECLOSED : 0;
}
