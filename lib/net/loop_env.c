/* SPDX-License-Identifier: Apache-2.0 */
#include "net/loop_env.h"

#include <time.h>

#include <uv.h>
#include <sodium.h>

#include "base/err.h"

/*
 * The environment over libuv.
 *
 * Three handles: a timer for the one deadline, an idle handle for the next
 * turn, and an async handle that other threads may use. The idle handle runs only while a turn is due; as long as it runs the
 * loop does not sleep, and being referenced it keeps the loop alive. The timer
 * is referenced only while the owner holds the loop; a hold without a deadline
 * runs it far in the future, because a handle that does not run holds nothing.
 *
 * The loop's clock is the monotonic one cut to milliseconds. A deadline rounded
 * up to a millisecond of that clock is therefore never early.
 *
 * In a forked child the handles still fire when the child runs the loop; they
 * do nothing until after_fork, which starts again what was started.
 *
 * Work goes to libuv's queue in a job, which is of the C library's memory: in a
 * forked child it may come back, or not, when the environment is gone.
 *
 * close() closes the handles and cancels the jobs that have not begun, and all
 * must be gone before on_closed; nothing can fail on that way. Closing from
 * inside on_wake, on_turn or a done is fine, since what follows there looks for
 * no more than what a closing environment has left.
 */

/* Our layers below name these without libuv's header. */
_Static_assert(TS__EINVAL == UV_EINVAL, "EINVAL differs from libuv's");
_Static_assert(TS__ENOMEM == UV_ENOMEM, "ENOMEM differs from libuv's");
_Static_assert(TS__ENOBUFS == UV_ENOBUFS, "ENOBUFS differs from libuv's");
_Static_assert(TS__ECANCELED == UV_ECANCELED, "ECANCELED differs from libuv's");
_Static_assert(TS__EEXIST == UV_EEXIST, "EEXIST differs from libuv's");
_Static_assert(TS__E2BIG == UV_E2BIG, "E2BIG differs from libuv's");
_Static_assert(TS__EALREADY == UV_EALREADY, "EALREADY differs from libuv's");
_Static_assert(TS__ECONNRESET == UV_ECONNRESET,
               "ECONNRESET differs from libuv's");
_Static_assert(TS__EPIPE == UV_EPIPE, "EPIPE differs from libuv's");
_Static_assert(TS__ENOTSUP == UV_ENOTSUP, "ENOTSUP differs from libuv's");
_Static_assert(TS__ETIMEDOUT == UV_ETIMEDOUT, "ETIMEDOUT differs from libuv's");

/* A century, in milliseconds: longer than any process, short enough to add. */
#define FAR_MS (UINT64_C(100) * 366 * 24 * 3600 * 1000)

typedef struct ts__loop_env_s {
  ts__env_t base; /* first, so that the two convert */
  ts__mem_t mem;
  uv_timer_t timer;
  uv_idle_t idle;
  uv_async_t async;
  uint64_t deadline_ns;
  int64_t apart_ns;  /* wall clock minus monotonic clock, */
  uint64_t apart_at; /* as it was at this time of the loop */
  unsigned handles;  /* not closed yet */
  ts__list_t jobs;   /* on libuv's work queue, or coming back from it */
  bool held;
  bool closing;
} ts__loop_env_t;

/* libuv's clock. On Linux that is this one, and asked twice by each call it is
 * worth a shorter way. */
static uint64_t loop_mono_ns(ts__env_t *env) {
  (void)env;
#ifdef __linux__
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
#else
  return uv_hrtime();
#endif
}

static int64_t loop_turn_ms(ts__env_t *base) {
  const ts__loop_env_t *env = (const ts__loop_env_t *)base;
  return (int64_t)uv_now(env->timer.loop);
}

static int64_t loop_wall_ms(ts__env_t *env) {
  uv_timeval64_t now;
  (void)env;
  if (uv_gettimeofday(&now)) {
    return 0;
  }
  return now.tv_sec * 1000 + now.tv_usec / 1000;
}

/* The loop's time stands still within a turn. Two turns in one millisecond may
 * share what the first has found. */
static int64_t loop_wall_ms_at(ts__env_t *base, uint64_t mono_ns) {
  ts__loop_env_t *env = (ts__loop_env_t *)base;
  const uint64_t loop_ms = uv_now(env->timer.loop);
  uv_timeval64_t now;
  if (env->apart_at != loop_ms && uv_gettimeofday(&now) == 0) {
    env->apart_ns = now.tv_sec * INT64_C(1000000000) +
                    now.tv_usec * INT64_C(1000) - (int64_t)uv_hrtime();
    env->apart_at = loop_ms;
  }
  return ((int64_t)mono_ns + env->apart_ns) / (int64_t)TS__NS_PER_MS;
}

static void loop_random(ts__env_t *env, void *bytes, size_t size) {
  (void)env;
  randombytes_buf(bytes, size);
}

static void on_timer(uv_timer_t *timer);

/* Bring the timer in line with the deadline and the hold. */
static void update_timer(ts__loop_env_t *env) {
  uint64_t now_ms = uv_now(env->timer.loop);
  uint64_t due_ms = 0;
  if (env->deadline_ns == TS__NEVER && !env->held) {
    uv_timer_stop(&env->timer);
    return;
  }
  if (env->deadline_ns == TS__NEVER) {
    due_ms = now_ms + FAR_MS;
  } else {
    due_ms = env->deadline_ns / TS__NS_PER_MS +
             (env->deadline_ns % TS__NS_PER_MS ? 1 : 0);
  }
  /* Fails only without a callback or while closing. */
  (void)uv_timer_start(&env->timer, on_timer,
                       due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

static void on_timer(uv_timer_t *timer) {
  ts__loop_env_t *env = timer->data;
  bool due = env->deadline_ns != TS__NEVER;
  if (ts__forked(&env->base.fork)) {
    return;
  }
  env->deadline_ns = TS__NEVER;
  update_timer(env);
  if (due) {
    env->base.on_wake(env->base.owner);
  }
}

static void loop_arm(ts__env_t *base, uint64_t deadline_ns) {
  ts__loop_env_t *env = (ts__loop_env_t *)base;
  if (env->closing) {
    return;
  }
  env->deadline_ns = deadline_ns;
  update_timer(env);
}

static void on_idle(uv_idle_t *idle) {
  ts__loop_env_t *env = idle->data;
  uv_idle_stop(idle);
  if (!ts__forked(&env->base.fork)) {
    env->base.on_turn(env->base.owner);
  }
}

static void on_async(uv_async_t *async) {
  ts__loop_env_t *env = async->data;
  if (!ts__forked(&env->base.fork) && env->base.on_signal) {
    env->base.on_signal(env->base.owner);
  }
}

static void loop_turn(ts__env_t *base) {
  ts__loop_env_t *env = (ts__loop_env_t *)base;
  if (!env->closing) {
    uv_idle_start(&env->idle, on_idle);
  }
}

static void loop_hold(ts__env_t *base, bool hold) {
  ts__loop_env_t *env = (ts__loop_env_t *)base;
  if (env->closing || env->held == hold) {
    return;
  }
  env->held = hold;
  if (hold) {
    uv_ref((uv_handle_t *)&env->timer);
  } else {
    uv_unref((uv_handle_t *)&env->timer);
  }
  update_timer(env);
}

static void loop_signal(ts__env_t *base) {
  ts__loop_env_t *env = (ts__loop_env_t *)base;
  (void)uv_async_send(&env->async); /* fails for no handle of this kind */
}

static void free_env(ts__loop_env_t *env) {
  ts__mem_t mem = env->mem;
  ts__fork_deinit(&env->base.fork);
  ts__free(&mem, env);
}

/* One handle or job less; the last ends a close. */
static void end_when_empty(ts__loop_env_t *env) {
  if (env->handles == 0 && ts__list_empty(&env->jobs)) {
    env->base.on_closed(env->base.owner);
    free_env(env);
  }
}

static void on_handle_closed(uv_handle_t *handle) {
  ts__loop_env_t *env = handle->data;
  env->handles--;
  end_when_empty(env);
}

typedef struct job_s {
  uv_work_t req;
  ts__list_t node;
  ts__loop_env_t *env; /* NULL: it belongs to a parent process */
  ts__work_t *work;
} job_t;

static void on_job(uv_work_t *req) {
  ts__work_t *work = ((job_t *)req->data)->work;
  work->run(work);
}

static void on_job_done(uv_work_t *req, int status) {
  job_t *job = req->data;
  ts__loop_env_t *env = job->env;
  ts__work_t *work = job->work;
  ts__mem_t mem;
  if (env && ts__forked(&env->base.fork)) {
    return;
  }
  ts__list_remove(&job->node);
  ts__mem_init(&mem, NULL);
  ts__free(&mem, job);
  if (env) {
    work->done(work, status ? TS__ECANCELED : 0);
    end_when_empty(env);
  }
}

static int loop_work(ts__env_t *base, ts__work_t *work) {
  ts__loop_env_t *env = (ts__loop_env_t *)base;
  ts__mem_t mem;
  int r = 0;
  if (env->closing) {
    return TS__ECANCELED;
  }
  ts__mem_init(&mem, NULL);
  job_t *job = ts__calloc(&mem, 1, sizeof(*job));
  if (!job) {
    return TS__ENOMEM;
  }
  job->req.data = job;
  job->env = env;
  job->work = work;
  r = uv_queue_work(env->timer.loop, &job->req, on_job, on_job_done);
  if (r) {
    ts__free(&mem, job);
    return r;
  }
  ts__list_push(&env->jobs, &job->node);
  return 0;
}

static void cancel_jobs(ts__loop_env_t *env) {
  for (ts__list_t *node = env->jobs.next; node != &env->jobs;
       node = node->next) {
    /* Refused when it runs already; it comes back either way. */
    (void)uv_cancel((uv_req_t *)&TS__CONTAINER(node, job_t, node)->req);
  }
}

/* The threads that had them are the parent's. */
static void forget_jobs(ts__loop_env_t *env) {
  ts__list_t *node = NULL;
  while ((node = ts__list_pop(&env->jobs))) {
    TS__CONTAINER(node, job_t, node)->env = NULL;
  }
}

static int loop_after_fork(ts__env_t *base, struct uv_loop_s *loop) {
  ts__loop_env_t *env = (ts__loop_env_t *)base;
  if (loop != env->timer.loop) {
    return TS__EINVAL;
  }
  ts__fork_renew(&base->fork);
  forget_jobs(env);
  if (!env->closing) {
    update_timer(env);
    uv_idle_start(&env->idle, on_idle);
  }
  return 0;
}

static void loop_close(ts__env_t *base) {
  ts__loop_env_t *env = (ts__loop_env_t *)base;
  if (env->closing) {
    return;
  }
  env->closing = true;
  cancel_jobs(env);
  uv_close((uv_handle_t *)&env->timer, on_handle_closed);
  uv_close((uv_handle_t *)&env->idle, on_handle_closed);
  uv_close((uv_handle_t *)&env->async, on_handle_closed);
}

static const ts__env_ops_t loop_ops = {
    .mono_ns = loop_mono_ns,
    .turn_ms = loop_turn_ms,
    .wall_ms = loop_wall_ms,
    .wall_ms_at = loop_wall_ms_at,
    .random = loop_random,
    .arm = loop_arm,
    .turn = loop_turn,
    .hold = loop_hold,
    .signal = loop_signal,
    .work = loop_work,
    .after_fork = loop_after_fork,
    .close = loop_close,
};

/* For an environment that never reached its caller. */
static void on_orphan_closed(uv_handle_t *handle) {
  ts__loop_env_t *env = handle->data;
  env->handles--;
  if (env->handles == 0) {
    free_env(env);
  }
}

/* The handles, unreferenced but for the idle one. An error may leave some to be
 * closed, which frees the environment then. */
static int init_handles(ts__loop_env_t *env, uv_loop_t *loop) {
  int r = uv_timer_init(loop, &env->timer);
  if (r) {
    free_env(env);
    return r;
  }
  uv_unref((uv_handle_t *)&env->timer);
  r = uv_idle_init(loop, &env->idle);
  if (r) {
    env->handles = 1;
    uv_close((uv_handle_t *)&env->timer, on_orphan_closed);
    return r;
  }
  r = uv_async_init(loop, &env->async, on_async);
  if (r) {
    env->handles = 2;
    uv_close((uv_handle_t *)&env->timer, on_orphan_closed);
    uv_close((uv_handle_t *)&env->idle, on_orphan_closed);
    return r;
  }
  uv_unref((uv_handle_t *)&env->async);
  return 0;
}

int ts__loop_env_new(ts__env_t **result, const ts__mem_t *mem,
                     struct uv_loop_s *loop) {
  ts__loop_env_t *env = NULL;
  int r = ts__loop_check_abi();
  *result = NULL;
  if (r) {
    return r;
  }
  if (sodium_init() < 0) {
    return UV_ENOSYS;
  }
  env = ts__calloc(mem, 1, sizeof(*env));
  if (!env) {
    return TS__ENOMEM;
  }
  env->base.ops = &loop_ops;
  env->mem = *mem;
  env->deadline_ns = TS__NEVER;
  env->apart_at = TS__NEVER;
  env->handles = 3;
  ts__list_init(&env->jobs);
  env->timer.data = env;
  env->idle.data = env;
  env->async.data = env;
  ts__fork_init(&env->base.fork);
  r = init_handles(env, loop);
  if (r) {
    return r;
  }
  *result = &env->base;
  return 0;
}

void ts__loop_random(void *bytes, size_t size) { randombytes_buf(bytes, size); }

int ts__loop_check_abi(void) {
  bool same = uv_version() >> 16 == UV_VERSION_MAJOR &&
              uv_loop_size() == sizeof(uv_loop_t) &&
              uv_handle_size(UV_TCP) == sizeof(uv_tcp_t) &&
              uv_handle_size(UV_TIMER) == sizeof(uv_timer_t) &&
              uv_handle_size(UV_IDLE) == sizeof(uv_idle_t) &&
              uv_handle_size(UV_POLL) == sizeof(uv_poll_t) &&
              uv_handle_size(UV_ASYNC) == sizeof(uv_async_t) &&
              uv_req_size(UV_GETADDRINFO) == sizeof(uv_getaddrinfo_t) &&
              uv_req_size(UV_WORK) == sizeof(uv_work_t);
  return same ? 0 : TS_EABI;
}
