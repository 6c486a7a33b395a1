/* SPDX-License-Identifier: Apache-2.0 */
#include "support/fake_env.h"

#include <stdarg.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/draw.h"

/* More turns or wakes than this at one moment never end. */
#define ENDLESS 100000u

static fake_env_t *fake(ts__env_t *env) { return (fake_env_t *)(void *)env; }

static uint64_t on_mono_ns(ts__env_t *env) {
  fake(env)->reads++;
  return fake(env)->now_ns;
}

static int64_t on_turn_ms(ts__env_t *env) {
  return (int64_t)(fake(env)->now_ns / TS__NS_PER_MS) - fake(env)->turn_lag_ms;
}

static int64_t on_wall_ms(ts__env_t *env) {
  fake(env)->reads++;
  return (int64_t)(fake(env)->now_ns / TS__NS_PER_MS) +
         fake(env)->wall_offset_ms;
}

static int64_t on_wall_ms_at(ts__env_t *env, uint64_t mono_ns) {
  return (int64_t)(mono_ns / TS__NS_PER_MS) + fake(env)->wall_offset_ms;
}

static void on_random(ts__env_t *env, void *bytes, size_t size) {
  unsigned char *at = bytes;
  for (size_t i = 0; i < size; i++) {
    at[i] = (unsigned char)(ts__rng_next(&fake(env)->rng) >> 56);
  }
}

static void on_arm(ts__env_t *env, uint64_t deadline_ns) {
  if (fake(env)->closing) {
    fail_msg("armed after close");
  }
  fake(env)->deadline_ns = deadline_ns;
}

static void on_turn(ts__env_t *env) {
  if (fake(env)->closing) {
    fail_msg("a turn was asked for after close");
  }
  fake(env)->turn_pending = true;
}

static void on_hold(ts__env_t *env, bool hold) { fake(env)->held = hold; }

static void on_signal(ts__env_t *env) {
  if (fake(env)->closing) {
    fail_msg("signalled after close");
  }
  fake(env)->signal_pending = true;
}

static int on_work(ts__env_t *env, ts__work_t *work) {
  fake_env_t *world = fake(env);
  size_t count = 0;
  const int error = world->closing ? TS__ECANCELED : world->work_error;
  world->work_error = 0;
  if (error != 0) {
    return error;
  }
  while (world->works[count] != NULL) {
    count++;
  }
  assert_true(count + 1 < FAKE_ENV_WORKS);
  world->works[count] = work;
  return 0;
}

static int on_after_fork(ts__env_t *env, struct uv_loop_s *loop) {
  (void)loop;
  ts__fork_renew(&env->fork);
  memset(fake(env)->works, 0, sizeof fake(env)->works);
  fake(env)->work_ran = false;
  return 0;
}

static void on_close(ts__env_t *env) {
  if (fake(env)->closing) {
    fail_msg("closed twice");
  }
  fake(env)->closing = true;
  fake(env)->turn_pending = false;
  fake(env)->deadline_ns = TS__NEVER;
}

static const ts__env_ops_t ops = {
    .mono_ns = on_mono_ns,
    .turn_ms = on_turn_ms,
    .wall_ms = on_wall_ms,
    .wall_ms_at = on_wall_ms_at,
    .random = on_random,
    .arm = on_arm,
    .turn = on_turn,
    .hold = on_hold,
    .signal = on_signal,
    .work = on_work,
    .after_fork = on_after_fork,
    .close = on_close,
};

void fake_env_init(fake_env_t *env) {
  *env = (fake_env_t){
      .env.ops = &ops,
      .now_ns = FAKE_ENV_START_NS,
      .deadline_ns = TS__NEVER,
  };
  fake_env_set_wall(env, FAKE_ENV_START_WALL_MS);
}

void fake_env_seed(fake_env_t *env, uint64_t seed) {
  env->rng = (ts__rng_t){{0}};
  if (seed != 0) {
    draw_seed(&env->rng, seed);
  }
}

void fake_env_set_wall(fake_env_t *env, int64_t wall_ms) {
  env->wall_offset_ms = wall_ms - (int64_t)(env->now_ns / TS__NS_PER_MS);
}

static bool run_hooks(fake_env_t *env) {
  bool ran = false;
  for (unsigned i = 0; i < env->hook_count; i++) {
    if (env->hooks[i].run(env->hooks[i].arg)) {
      ran = true;
    }
  }
  return ran;
}

void fake_env_fail_work(fake_env_t *env, int error) { env->work_error = error; }

/* Work runs on one turn and is done on a later one, as if it took its time; if
 * the owner closes before it ran, it never does. */
static void work_step(fake_env_t *env) {
  ts__work_t *work = env->works[0];
  if (!env->work_ran && !env->closing) {
    env->work_ran = true;
    work->run(work);
    return;
  }
  const int error = env->work_ran ? 0 : TS__ECANCELED;
  env->work_ran = false;
  memmove(env->works, env->works + 1, sizeof env->works - sizeof work);
  work->done(work, error);
}

bool fake_env_step(fake_env_t *env) {
  bool ran = run_hooks(env);
  if (env->signal_pending && env->env.on_signal != NULL) {
    env->signal_pending = false;
    env->env.on_signal(env->env.owner);
    return true;
  }
  if (env->turn_pending) {
    env->turn_pending = false;
    env->turns++;
    env->env.on_turn(env->env.owner);
    return true;
  }
  if (env->works[0] != NULL) {
    work_step(env);
    return true;
  }
  if (env->closing && !env->closed) {
    env->closed = true;
    if (env->env.on_closed != NULL) {
      env->env.on_closed(env->env.owner);
    }
    return true;
  }
  return ran;
}

void fake_env_turn(fake_env_t *env) {
  for (unsigned i = 0; fake_env_step(env); i++) {
    if (i == ENDLESS) {
      fail_msg("the loop never comes to rest");
    }
  }
}

static void wake(fake_env_t *env) {
  if (env->deadline_ns > env->now_ns) {
    env->now_ns = env->deadline_ns;
  }
  env->deadline_ns = TS__NEVER;
  env->wakes++;
  env->env.on_wake(env->env.owner);
  fake_env_turn(env);
}

static void advance_to(fake_env_t *env, uint64_t end_ns) {
  unsigned at_once = 0;
  fake_env_turn(env);
  while (env->deadline_ns <= end_ns && env->deadline_ns != TS__NEVER) {
    at_once = env->deadline_ns > env->now_ns ? 0 : at_once + 1;
    if (at_once == ENDLESS) {
      fail_msg("woken again and again at the same moment");
    }
    wake(env);
  }
  env->now_ns = end_ns;
  fake_env_turn(env);
}

void fake_env_advance_ms(fake_env_t *env, int64_t ms) {
  assert_true(ms >= 0);
  advance_to(env, env->now_ns + (uint64_t)ms * TS__NS_PER_MS);
}

bool fake_env_advance_to_deadline(fake_env_t *env) {
  fake_env_turn(env);
  if (env->deadline_ns == TS__NEVER) {
    return false;
  }
  uint64_t deadline_ns = env->deadline_ns;
  advance_to(env, deadline_ns > env->now_ns ? deadline_ns : env->now_ns);
  return true;
}

int64_t fake_env_elapsed_ms(const fake_env_t *env) {
  return (int64_t)((env->now_ns - FAKE_ENV_START_NS) / TS__NS_PER_MS);
}

void fake_env_add_hook(fake_env_t *env, fake_env_hook_cb run, void *arg) {
  assert_true(env->hook_count < FAKE_ENV_HOOKS);
  env->hooks[env->hook_count].run = run;
  env->hooks[env->hook_count++].arg = arg;
}
