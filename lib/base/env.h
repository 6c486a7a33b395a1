/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_ENV_H
#define TS_BASE_ENV_H

/*
 * The outside world as one struct of functions: clocks, randomness, and the
 * loop's promise to call back later. net/loop_env.c makes one over libuv; tests
 * make one whose time they move by hand.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fork.h"
#include "base/list.h"

#define TS__NEVER UINT64_MAX
#define TS__NS_PER_MS UINT64_C(1000000)

struct uv_loop_s;

typedef struct ts__env_s ts__env_t;

/*
 * A piece of work for another thread, part of some object of its owner. Only
 * what that object keeps for it may be touched in `run`: no log, no clock, and
 * no allocator but the C library's, since a user's need not be thread-safe.
 */
typedef struct ts__work_s {
  void (*run)(struct ts__work_s *work); /* on any thread, the loop's included */

  /* From the loop, never inside the call that asked for it. 0: it ran;
   * TS__ECANCELED: it did not. */
  void (*done)(struct ts__work_s *work, int error);
} ts__work_t;

typedef struct ts__env_ops_s {
  /* Monotonic nanoseconds. */
  uint64_t (*mono_ns)(ts__env_t *env);

  /* Monotonic milliseconds, as of the loop's turn: costs nothing. */
  int64_t (*turn_ms)(ts__env_t *env);

  /* Unix time in milliseconds. */
  int64_t (*wall_ms)(ts__env_t *env);

  /* The same for a recent moment of the monotonic clock, and cheap: how far the
   * clocks are apart is asked once for each turn of the loop. The loop's thread
   * only. */
  int64_t (*wall_ms_at)(ts__env_t *env, uint64_t mono_ns);

  /* Bytes fit for seeding. */
  void (*random)(ts__env_t *env, void *bytes, size_t size);

  /*
   * Call owner's on_wake once, from the loop, at or after this monotonic time;
   * replaces the previous deadline. TS__NEVER: not at all.
   */
  void (*arm)(ts__env_t *env, uint64_t deadline_ns);

  /* Call on_turn once, on the loop's next turn. Repeated calls count once. */
  void (*turn)(ts__env_t *env);

  /* Keep the loop alive, or not (the initial state). */
  void (*hold)(ts__env_t *env, bool hold);

  /* Call on_signal, from the loop, at least once after this. Any thread may
   * ask for it, as it may for mono_ns and wall_ms; not after close. */
  void (*signal)(ts__env_t *env);

  /*
   * Have this work done. Returns 0 or an error, and then done does not come,
   * nor does it in a forked child, where the thread is missing: the work's
   * memory is lost there. Nothing ends work that has begun; its owner may only
   * forget what it gives.
   */
  int (*work)(ts__env_t *env, ts__work_t *work);

  /* We are in a forked child, and this, the same loop, is its own: go on.
   * Returns 0, or TS__EINVAL for another loop. */
  int (*after_fork)(ts__env_t *env, struct uv_loop_s *loop);

  /*
   * Give everything back; no on_wake or on_turn after this. Work that has
   * begun is waited for, the rest is cancelled. on_closed comes from the loop,
   * once; the env may be freed inside it.
   */
  void (*close)(ts__env_t *env);
} ts__env_ops_t;

struct ts__env_s {
  const ts__env_ops_t *ops;
  ts__fork_t fork; /* in a forked child nothing is called back */
  void *owner;     /* the owner fills these; on_signal may be left out */
  void (*on_wake)(void *owner);
  void (*on_turn)(void *owner);
  void (*on_signal)(void *owner);
  void (*on_closed)(void *owner);
};

static inline uint64_t ts__mono_ns(ts__env_t *env) {
  return env->ops->mono_ns(env);
}

static inline int64_t ts__turn_ms(ts__env_t *env) {
  return env->ops->turn_ms(env);
}

static inline int64_t ts__wall_ms(ts__env_t *env) {
  return env->ops->wall_ms(env);
}

static inline int64_t ts__wall_ms_at(ts__env_t *env, uint64_t mono_ns) {
  return env->ops->wall_ms_at(env, mono_ns);
}

/* now + ms, never wrapping around. */
static inline uint64_t ts__deadline(uint64_t now_ns, int64_t ms) {
  if (ms <= 0) {
    return now_ns;
  }
  if ((uint64_t)ms >= (TS__NEVER - now_ns) / TS__NS_PER_MS) {
    return TS__NEVER;
  }
  return now_ns + (uint64_t)ms * TS__NS_PER_MS;
}

static inline uint64_t ts__earlier(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

#endif /* TS_BASE_ENV_H */
