/* SPDX-License-Identifier: Apache-2.0 */
#include "service/pool.h"

/*
 * Happy path: an exchange puts its pipe here when the answer is read whole; the
 * next one takes it and writes at once.
 *
 * Failure modes: the server ends the pipe, or says something nobody asked for;
 * or it has waited for long enough that the server, or something between, may
 * be about to forget it. Each closes the pipe, and nobody is told.
 */

/* Shorter than what servers and load balancers commonly allow (60 s). */
#define IDLE_MS 30000

static void on_expiry(void *owner);

static void arm(ts__pool_t *pool) {
  uint64_t first_ns = TS__NEVER;
  for (size_t i = 0; i < TS__POOL_SIZE; i++) {
    if (pool->idle[i].pipe != NULL) {
      first_ns = ts__earlier(first_ns, pool->idle[i].until_ns);
    }
  }
  if (first_ns == TS__NEVER) {
    ts__timer_stop(pool->schedule, &pool->expiry);
  } else {
    ts__timer_start(pool->schedule, &pool->expiry, first_ns);
  }
}

static void drop(ts__idle_t *idle) {
  ts__pipe_t *pipe = idle->pipe;
  idle->pipe = NULL;
  pipe->transport->ops->close(pipe);
}

static void on_expiry(void *owner) {
  ts__pool_t *pool = owner;
  const uint64_t now_ns = ts__mono_ns(pool->env);
  for (size_t i = 0; i < TS__POOL_SIZE; i++) {
    if (pool->idle[i].pipe != NULL && pool->idle[i].until_ns <= now_ns) {
      drop(&pool->idle[i]);
    }
  }
  arm(pool);
}

/* ---------------------------------------------------------- pipe's events */

static void on_opened(void *owner) { (void)owner; /* it is open already */ }

static void on_received(void *owner, ts__str_t bytes) {
  ts__idle_t *idle = owner;
  (void)bytes;
  drop(idle);
  arm(idle->pool);
}

static void on_closed(void *owner, int error) {
  ts__idle_t *idle = owner;
  (void)error;
  idle->pipe = NULL;
  arm(idle->pool);
}

static const ts__pipe_events_t pipe_events = {on_opened, on_received,
                                              on_closed};

/* ------------------------------------------------------------------ public */

void ts__pool_init(ts__pool_t *pool, ts__env_t *env, ts__schedule_t *schedule) {
  *pool = (ts__pool_t){.env = env, .schedule = schedule};
  for (size_t i = 0; i < TS__POOL_SIZE; i++) {
    pool->idle[i].pool = pool;
  }
  ts__timer_init(&pool->expiry, on_expiry, pool);
}

void ts__pool_put(ts__pool_t *pool, ts__pipe_t *pipe) {
  ts__idle_t *idle = &pool->idle[0];
  for (size_t i = 1; i < TS__POOL_SIZE && idle->pipe != NULL; i++) {
    ts__idle_t *other = &pool->idle[i];
    if (other->pipe == NULL || other->until_ns < idle->until_ns) {
      idle = other;
    }
  }
  if (idle->pipe != NULL) {
    drop(idle);
  }
  idle->pipe = pipe;
  idle->until_ns = ts__deadline(ts__mono_ns(pool->env), IDLE_MS);
  pipe->transport->ops->give(pipe, &pipe_events, idle);
  arm(pool);
}

ts__pipe_t *ts__pool_take(ts__pool_t *pool) {
  ts__idle_t *newest = NULL;
  for (size_t i = 0; i < TS__POOL_SIZE; i++) {
    ts__idle_t *idle = &pool->idle[i];
    if (idle->pipe != NULL &&
        (newest == NULL || idle->until_ns > newest->until_ns)) {
      newest = idle;
    }
  }
  if (newest == NULL) {
    return NULL;
  }
  ts__pipe_t *pipe = newest->pipe;
  newest->pipe = NULL;
  arm(pool);
  return pipe;
}

void ts__pool_close(ts__pool_t *pool) {
  for (size_t i = 0; i < TS__POOL_SIZE; i++) {
    if (pool->idle[i].pipe != NULL) {
      drop(&pool->idle[i]);
    }
  }
  arm(pool);
}
