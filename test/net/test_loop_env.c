/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "base/env.h"
#include "net/loop_env.h"
#include "support/heap.h"

typedef struct fixture_s {
  uv_loop_t loop;
  heap_t heap;
  ts__env_t *env;
  int wakes;
  int turns;
  int closed;
  uint64_t woken_ns;
  int turns_wanted;  /* ask again inside on_turn until so many */
  int close_on_wake; /* close from within */
  int close_on_turn;
  int rearms; /* arm again inside on_wake, so often */
} fixture_t;

static void close_env(fixture_t *f) { f->env->ops->close(f->env); }

static void on_wake(void *owner) {
  fixture_t *f = owner;
  f->wakes++;
  f->woken_ns = ts__mono_ns(f->env);
  if (f->rearms > 0) {
    f->rearms--;
    f->env->ops->arm(f->env, f->woken_ns + 1);
  }
  if (f->close_on_wake) {
    close_env(f);
  }
}

static void on_turn(void *owner) {
  fixture_t *f = owner;
  f->turns++;
  if (f->turns < f->turns_wanted) {
    f->env->ops->turn(f->env);
  }
  if (f->close_on_turn) {
    close_env(f);
  }
}

static void on_closed(void *owner) {
  fixture_t *f = owner;
  f->closed++;
}

static int set_up(void **state) {
  static fixture_t fixture;
  fixture_t *f = &fixture;
  ts__mem_t mem;
  memset(f, 0, sizeof(*f));
  heap_init(&f->heap);
  ts__mem_init(&mem, &f->heap.allocator);
  assert_int_equal(uv_loop_init(&f->loop), 0);
  assert_int_equal(ts__loop_env_new(&f->env, &mem, &f->loop), 0);
  f->env->owner = f;
  f->env->on_wake = on_wake;
  f->env->on_turn = on_turn;
  f->env->on_closed = on_closed;
  *state = f;
  return 0;
}

/* Every test ends here: closed once, nothing left on the loop or the heap. */
static int tear_down(void **state) {
  fixture_t *f = *state;
  if (!f->close_on_wake && !f->close_on_turn) {
    close_env(f);
  }
  assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(f->closed, 1);
  assert_int_equal(heap_balance(&f->heap), 0);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  return 0;
}

/* The header's layout is that of the libuv we run on. */
static void test_abi(void **state) {
  (void)state;
  assert_int_equal(ts__loop_check_abi(), 0);
}

/* A deadline wakes its owner once, and not before it. */
static void test_wake(void **state) {
  fixture_t *f = *state;
  uint64_t deadline = ts__mono_ns(f->env) + 3 * TS__NS_PER_MS + 1;
  f->env->ops->arm(f->env, deadline);
  f->env->ops->hold(f->env, true);
  while (f->wakes == 0) {
    uv_run(&f->loop, UV_RUN_NOWAIT);
  }
  assert_true(f->woken_ns >= deadline);
  for (int i = 0; i < 3; i++) {
    uv_run(&f->loop, UV_RUN_NOWAIT);
  }
  assert_int_equal(f->wakes, 1);
}

/* A deadline in the past wakes too, though never inside arm. */
static void test_wake_late(void **state) {
  fixture_t *f = *state;
  f->env->ops->hold(f->env, true);
  f->env->ops->arm(f->env, 0);
  assert_int_equal(f->wakes, 0);
  uv_run(&f->loop, UV_RUN_NOWAIT);
  uv_run(&f->loop, UV_RUN_NOWAIT);
  assert_int_equal(f->wakes, 1);
}

/* A deadline that is taken back does not wake. */
static void test_disarm(void **state) {
  fixture_t *f = *state;
  f->env->ops->arm(f->env, ts__mono_ns(f->env));
  f->env->ops->arm(f->env, TS__NEVER);
  f->env->ops->hold(f->env, true);
  uv_run(&f->loop, UV_RUN_NOWAIT);
  assert_int_equal(f->wakes, 0);
}

/* The owner may set the next deadline while it is woken. */
static void test_rearm_inside(void **state) {
  fixture_t *f = *state;
  f->rearms = 3;
  f->env->ops->hold(f->env, true);
  f->env->ops->arm(f->env, 0);
  while (f->wakes < 4) {
    uv_run(&f->loop, UV_RUN_NOWAIT);
  }
  uv_run(&f->loop, UV_RUN_NOWAIT);
  assert_int_equal(f->wakes, 4);
}

/* Asking for a turn often gives one, with no hold at all. */
static void test_turn_once(void **state) {
  fixture_t *f = *state;
  f->env->ops->turn(f->env);
  f->env->ops->turn(f->env);
  assert_int_equal(f->turns, 0);
  assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(f->turns, 1);
}

/* A turn asked for inside a turn is the following one. */
static void test_turn_inside_turn(void **state) {
  fixture_t *f = *state;
  f->turns_wanted = 3;
  f->env->ops->turn(f->env);
  for (int i = 1; i <= 3; i++) {
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_equal(f->turns, i);
  }
  uv_run(&f->loop, UV_RUN_NOWAIT);
  assert_int_equal(f->turns, 3);
}

/* Unheld, neither the environment nor its deadline keeps the loop alive; held,
 * it does without a deadline, before a wake and after it. */
static void test_hold(void **state) {
  fixture_t *f = *state;
  f->env->ops->arm(f->env, ts__mono_ns(f->env) + UINT64_C(60000000000));
  assert_false(uv_loop_alive(&f->loop));
  f->env->ops->hold(f->env, true);
  assert_true(uv_loop_alive(&f->loop));
  f->env->ops->arm(f->env, TS__NEVER);
  assert_true(uv_loop_alive(&f->loop));
  f->env->ops->arm(f->env, 0);
  while (f->wakes == 0) {
    uv_run(&f->loop, UV_RUN_NOWAIT);
  }
  assert_true(uv_loop_alive(&f->loop));
  f->env->ops->hold(f->env, false);
  assert_false(uv_loop_alive(&f->loop));
}

/* Closing from within a wake ends it all. */
static void test_close_on_wake(void **state) {
  fixture_t *f = *state;
  f->close_on_wake = 1;
  f->env->ops->hold(f->env, true);
  f->env->ops->turn(f->env);
  f->env->ops->arm(f->env, 0);
  assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(f->wakes, 1);
}

/* Closing from within a turn ends it all, the deadline too. */
static void test_close_on_turn(void **state) {
  fixture_t *f = *state;
  f->close_on_turn = 1;
  f->turns_wanted = 5;
  f->env->ops->arm(f->env, ts__mono_ns(f->env) + TS__NS_PER_MS);
  f->env->ops->turn(f->env);
  assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(f->turns, 1);
  assert_int_equal(f->wakes, 0);
}

/* Clocks move, randomness is not the same twice. */
static void test_clocks(void **state) {
  fixture_t *f = *state;
  unsigned char a[16] = {0};
  unsigned char b[16] = {0};
  uint64_t before = ts__mono_ns(f->env);
  assert_true(ts__mono_ns(f->env) >= before);
  assert_true(ts__wall_ms(f->env) > INT64_C(1600000000000));
  assert_true(ts__wall_ms_at(f->env, before) > INT64_C(1600000000000));
  f->env->ops->random(f->env, a, sizeof(a));
  f->env->ops->random(f->env, b, sizeof(b));
  assert_memory_not_equal(a, b, sizeof(a));
}

/* Moments of one turn of the loop are as far apart on both clocks. */
static void test_wall_of_a_moment(void **state) {
  fixture_t *f = *state;
  const uint64_t now = ts__mono_ns(f->env);
  const int64_t wall = ts__wall_ms_at(f->env, now);
  assert_true(ts__wall_ms_at(f->env, now + 7 * TS__NS_PER_MS) == wall + 7);
  assert_true(ts__wall_ms_at(f->env, now - 7 * TS__NS_PER_MS) == wall - 7);
}

typedef struct job_s {
  ts__work_t work;
  fixture_t *fixture;
  uv_thread_t thread;
  uv_sem_t *gate; /* waited for in run; NULL: none */
  int runs;
  int dones;
  int error;
} job_t;

static void on_run(ts__work_t *work) {
  job_t *job = TS__CONTAINER(work, job_t, work);
  if (job->gate) {
    uv_sem_wait(job->gate);
  }
  job->thread = uv_thread_self();
  job->runs++;
}

static void on_done(ts__work_t *work, int error) {
  job_t *job = TS__CONTAINER(work, job_t, work);
  assert_int_equal(job->fixture->closed, 0);
  job->dones++;
  job->error = error;
}

static void job_start(job_t *job, fixture_t *f) {
  *job = (job_t){.work = {on_run, on_done}, .fixture = f, .gate = job->gate};
  assert_int_equal(f->env->ops->work(f->env, &job->work), 0);
  assert_int_equal(job->dones, 0);
}

/* Work is done on another thread, and its end told from the loop. */
static void test_work(void **state) {
  fixture_t *f = *state;
  uv_thread_t self = uv_thread_self();
  job_t job = {.gate = NULL};
  job_start(&job, f);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(job.runs, 1);
  assert_int_equal(job.dones, 1);
  assert_int_equal(job.error, 0);
  assert_int_equal(uv_thread_equal(&job.thread, &self), 0);
}

/* More jobs than there are threads, and a close: those that have begun are
 * waited for, the others do not run, and all are told before the end. */
static void test_close_with_work(void **state) {
  fixture_t *f = *state;
  static job_t jobs[200];
  uv_sem_t gate;
  int runs = 0;
  assert_int_equal(uv_sem_init(&gate, 0), 0);
  for (size_t i = 0; i < 200; i++) {
    jobs[i].gate = &gate;
    job_start(&jobs[i], f);
  }
  close_env(f);
  f->close_on_turn = 1; /* it is done */
  assert_int_equal(f->env->ops->work(f->env, &jobs[0].work), UV_ECANCELED);
  for (size_t i = 0; i < 200; i++) {
    uv_sem_post(&gate);
  }
  uv_run(&f->loop, UV_RUN_DEFAULT);
  for (size_t i = 0; i < 200; i++) {
    assert_int_equal(jobs[i].dones, 1);
    assert_int_equal(jobs[i].error, jobs[i].runs ? 0 : UV_ECANCELED);
    runs += jobs[i].runs;
  }
  assert_true(runs < 200);
  assert_int_equal(f->closed, 1);
  uv_sem_destroy(&gate);
}

/* Out of memory is an error code. */
static void test_no_memory(void **state) {
  fixture_t *f = *state;
  ts__env_t *env = NULL;
  ts__mem_t mem;
  ts__mem_init(&mem, &f->heap.allocator);
  heap_fail(&f->heap, 1, 1);
  assert_int_equal(ts__loop_env_new(&env, &mem, &f->loop), UV_ENOMEM);
  assert_null(env);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_abi, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_wake, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_wake_late, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_disarm, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_rearm_inside, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_turn_once, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_turn_inside_turn, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_hold, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_close_on_wake, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_close_on_turn, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_clocks, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_wall_of_a_moment, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_work, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_close_with_work, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
