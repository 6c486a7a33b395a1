/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/schedule.h"

/* An environment of plain fields, and timers that write down their letter. */

static struct {
  ts__env_t env;
  uint64_t now;
  uint64_t armed;
  unsigned arms;
  unsigned turns;
  int held;
} world;

static ts__schedule_t schedule;
static char record[64];

static uint64_t world_now(ts__env_t *env) {
  (void)env;
  return world.now;
}

static void world_arm(ts__env_t *env, uint64_t deadline_ns) {
  (void)env;
  world.armed = deadline_ns;
  world.arms++;
}

static void world_turn(ts__env_t *env) {
  (void)env;
  world.turns++;
}

static void world_hold(ts__env_t *env, bool hold) {
  (void)env;
  world.held += hold ? 1 : -1;
}

static const ts__env_ops_t world_ops = {
    .mono_ns = world_now,
    .arm = world_arm,
    .turn = world_turn,
    .hold = world_hold,
};

static void wake_at(uint64_t now) {
  world.now = now;
  world.armed = TS__NEVER;
  world.env.on_wake(world.env.owner);
}

typedef struct entry_s {
  ts__timer_t timer;
  ts__task_t task;
  char letter;
  void (*then)(struct entry_s *self);
} entry_t;

static entry_t a, b, c;

static void on_event(void *owner) {
  entry_t *entry = owner;
  strncat(record, &entry->letter, 1);
  if (entry->then) {
    entry->then(entry);
  }
}

static void entry_init(entry_t *entry, char letter) {
  entry->letter = letter;
  entry->then = NULL;
  ts__timer_init(&entry->timer, on_event, entry);
  ts__task_init(&entry->task, on_event, entry);
}

static int setup(void **state) {
  (void)state;
  memset(&world, 0, sizeof(world));
  world.env.ops = &world_ops;
  world.armed = TS__NEVER;
  record[0] = '\0';
  ts__schedule_init(&schedule, &world.env);
  entry_init(&a, 'a');
  entry_init(&b, 'b');
  entry_init(&c, 'c');
  return 0;
}

/* Timers fire in the order of their deadlines, equal ones in the order of
 * their start, and only those that are due. */
static void test_fires_in_order(void **state) {
  (void)state;
  ts__timer_start(&schedule, &c.timer, 30);
  ts__timer_start(&schedule, &a.timer, 10);
  ts__timer_start(&schedule, &b.timer, 10);
  wake_at(10);
  assert_string_equal(record, "ab");
  assert_false(ts__timer_is_active(&a.timer));
  assert_true(ts__timer_is_active(&c.timer));
  wake_at(40);
  assert_string_equal(record, "abc");
}

/* The environment knows the earliest deadline, and hears of changes only. */
static void test_tells_the_earliest_deadline(void **state) {
  (void)state;
  ts__timer_start(&schedule, &a.timer, 20);
  assert_true(world.armed == 20);
  ts__timer_start(&schedule, &b.timer, 30);
  assert_int_equal(world.arms, 1);
  ts__timer_start(&schedule, &c.timer, 10);
  assert_true(world.armed == 10);
  ts__timer_start(&schedule, &c.timer, 40);
  assert_true(world.armed == 20);
  ts__timer_stop(&schedule, &a.timer);
  assert_true(world.armed == 30);
  ts__timer_stop(&schedule, &a.timer);
  ts__timer_stop(&schedule, &b.timer);
  ts__timer_stop(&schedule, &c.timer);
  assert_true(world.armed == TS__NEVER);
  assert_int_equal(world.arms, 6);
}

/* A wake that comes too early fires nothing and arms again. */
static void test_early_wake_arms_again(void **state) {
  (void)state;
  ts__timer_start(&schedule, &a.timer, 20);
  wake_at(19);
  assert_string_equal(record, "");
  assert_true(world.armed == 20);
  wake_at(20);
  assert_string_equal(record, "a");
  assert_int_equal(world.arms, 2);
}

static void restart_self(entry_t *self) {
  ts__timer_start(&schedule, &self->timer, world.now);
}

/* A timer that starts itself again, already due, waits for the next wake. */
static void test_restart_waits_for_the_next_wake(void **state) {
  (void)state;
  a.then = restart_self;
  ts__timer_start(&schedule, &a.timer, 5);
  ts__timer_start(&schedule, &b.timer, 6);
  wake_at(7);
  assert_string_equal(record, "ab");
  assert_true(world.armed == 7);
  assert_int_equal(world.arms, 2);
  wake_at(7);
  assert_string_equal(record, "aba");
}

static void start_c_in_the_past(entry_t *self) {
  (void)self;
  ts__timer_start(&schedule, &c.timer, 1);
}

/* One that was due long ago stands behind those whose turn it is. */
static void test_started_late_waits_behind_the_due(void **state) {
  (void)state;
  a.then = start_c_in_the_past;
  ts__timer_start(&schedule, &a.timer, 5);
  ts__timer_start(&schedule, &b.timer, 7);
  wake_at(7);
  assert_string_equal(record, "ab");
  assert_true(world.armed <= 7);
  wake_at(7);
  assert_string_equal(record, "abc");
}

static void stop_b_move_c(entry_t *self) {
  (void)self;
  ts__timer_stop(&schedule, &b.timer);
  ts__timer_start(&schedule, &c.timer, 50);
}

/* A timer that is due may still be stopped or moved by one that fires first. */
static void test_due_timers_can_be_stopped_and_moved(void **state) {
  (void)state;
  a.then = stop_b_move_c;
  ts__timer_start(&schedule, &a.timer, 1);
  ts__timer_start(&schedule, &b.timer, 2);
  ts__timer_start(&schedule, &c.timer, 3);
  wake_at(10);
  assert_string_equal(record, "a");
  assert_true(world.armed == 50);
  wake_at(50);
  assert_string_equal(record, "ac");
}

static void post_self(entry_t *self) { ts__task_post(&schedule, &self->task); }

static void cancel_b(entry_t *self) {
  (void)self;
  ts__task_cancel(&b.task);
}

/* Tasks run once on the next turn, however often posted; what they post waits
 * for the turn after. */
static void test_tasks_run_on_the_next_turn(void **state) {
  (void)state;
  a.then = post_self;
  ts__task_post(&schedule, &a.task);
  ts__task_post(&schedule, &b.task);
  ts__task_post(&schedule, &a.task);
  assert_string_equal(record, "");
  assert_int_equal(world.turns, 1);
  world.env.on_turn(world.env.owner);
  assert_string_equal(record, "ab");
  assert_int_equal(world.turns, 2);
  a.then = NULL;
  world.env.on_turn(world.env.owner);
  assert_string_equal(record, "aba");
  assert_int_equal(world.turns, 2);
}

/* A cancelled task does not run, also when it was next in this very turn. */
static void test_tasks_can_be_cancelled(void **state) {
  (void)state;
  a.then = cancel_b;
  ts__task_post(&schedule, &a.task);
  ts__task_post(&schedule, &b.task);
  ts__task_post(&schedule, &c.task);
  ts__task_cancel(&c.task);
  ts__task_cancel(&c.task);
  world.env.on_turn(world.env.owner);
  assert_string_equal(record, "a");
}

/* Of the slices one runs each turn, after the tasks, in the order of posting;
 * each turn asks for the next as long as there are some. */
static void test_slices_run_one_a_turn(void **state) {
  (void)state;
  ts__task_post_slice(&schedule, &a.task);
  ts__task_post_slice(&schedule, &b.task);
  ts__task_post_slice(&schedule, &a.task);
  ts__task_post(&schedule, &c.task);
  assert_int_equal(world.turns, 1);
  world.env.on_turn(world.env.owner);
  assert_string_equal(record, "ca");
  assert_int_equal(world.turns, 2);
  world.env.on_turn(world.env.owner);
  assert_string_equal(record, "cab");
  assert_int_equal(world.turns, 2);
}

static void post_c_instead_of_b(entry_t *self) {
  (void)self;
  ts__task_post(&schedule, &c.task);
  ts__task_cancel(&b.task);
}

/* A task posted while the only slice is cancelled has its turn. */
static void test_slices_can_be_cancelled(void **state) {
  (void)state;
  a.then = post_c_instead_of_b;
  ts__task_post(&schedule, &a.task);
  ts__task_post_slice(&schedule, &b.task);
  world.env.on_turn(world.env.owner);
  assert_string_equal(record, "a");
  assert_int_equal(world.turns, 2);
  world.env.on_turn(world.env.owner);
  assert_string_equal(record, "ac");
}

/* The loop is held from the first hold to the last release. */
static void test_holds_are_counted(void **state) {
  (void)state;
  ts__schedule_hold(&schedule);
  ts__schedule_hold(&schedule);
  assert_int_equal(world.held, 1);
  ts__schedule_release(&schedule);
  assert_int_equal(world.held, 1);
  ts__schedule_release(&schedule);
  assert_int_equal(world.held, 0);
}

/* Deadlines saturate instead of wrapping around. */
static void test_deadlines_saturate(void **state) {
  (void)state;
  assert_true(ts__deadline(5, 2) == 5 + 2 * TS__NS_PER_MS);
  assert_true(ts__deadline(5, 0) == 5);
  assert_true(ts__deadline(5, -1) == 5);
  assert_true(ts__deadline(5, INT64_MAX) == TS__NEVER);
  assert_true(ts__deadline(TS__NEVER - 1, 1) == TS__NEVER);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_fires_in_order, setup),
      cmocka_unit_test_setup(test_tells_the_earliest_deadline, setup),
      cmocka_unit_test_setup(test_early_wake_arms_again, setup),
      cmocka_unit_test_setup(test_restart_waits_for_the_next_wake, setup),
      cmocka_unit_test_setup(test_started_late_waits_behind_the_due, setup),
      cmocka_unit_test_setup(test_due_timers_can_be_stopped_and_moved, setup),
      cmocka_unit_test_setup(test_tasks_run_on_the_next_turn, setup),
      cmocka_unit_test_setup(test_tasks_can_be_cancelled, setup),
      cmocka_unit_test_setup(test_slices_run_one_a_turn, setup),
      cmocka_unit_test_setup(test_slices_can_be_cancelled, setup),
      cmocka_unit_test_setup(test_holds_are_counted, setup),
      cmocka_unit_test(test_deadlines_saturate),
  };
  return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
