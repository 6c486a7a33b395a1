/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_FAKE_ENV_H
#define TEST_SUPPORT_FAKE_ENV_H

/*
 * An environment without a loop: time stands still until the test moves it, and
 * a loop's turn happens when the test asks for one. Random bytes are zero, or
 * come from a seed. What the owner promised not to do fails the test.
 *
 *   fake_env_t env;
 *   fake_env_init(&env);
 *   ts__schedule_init(&schedule, &env.env);
 *   ...
 *   fake_env_advance_ms(&env, 15000);
 */

#include <stdbool.h>

#include "base/env.h"
#include "base/rng.h"

#define FAKE_ENV_HOOKS 4
#define FAKE_ENV_WORKS 8

/* The moments at which a fake environment begins. */
#define FAKE_ENV_START_NS (UINT64_C(1000) * 1000 * TS__NS_PER_MS)
#define FAKE_ENV_START_WALL_MS INT64_C(1700000000000)

/* Something else that has work for the loop. True if it did some. */
typedef bool (*fake_env_hook_cb)(void *arg);

typedef struct fake_env_s {
  ts__env_t env; /* what the object under test gets */

  /* For tests to read. */
  uint64_t now_ns;
  uint64_t deadline_ns; /* armed; TS__NEVER if not */
  int64_t turn_lag_ms;  /* the loop's own time is so far behind; 0 */
  bool turn_pending;
  bool signal_pending;
  bool held; /* the owner wants the loop kept alive */
  bool closing;
  bool closed;
  ts__work_t *works[FAKE_ENV_WORKS]; /* given, oldest first; then NULL */
  bool work_ran;                     /* the first; its done is due */
  unsigned wakes;                    /* on_wake calls so far */
  unsigned turns;                    /* on_turn calls so far */
  unsigned reads;                    /* of either clock so far */

  /* Private. */
  int work_error;
  int64_t wall_offset_ms; /* wall clock minus monotonic clock */
  ts__rng_t rng;
  struct {
    fake_env_hook_cb run;
    void *arg;
  } hooks[FAKE_ENV_HOOKS];
  unsigned hook_count;
} fake_env_t;

void fake_env_init(fake_env_t *env);

/* Random bytes from this seed from now on; 0: zeros. */
void fake_env_seed(fake_env_t *env, uint64_t seed);

/* The wall clock jumps; the monotonic one does not notice. */
void fake_env_set_wall(fake_env_t *env, int64_t wall_ms);

/*
 * One turn of the loop: the hooks, then on_turn if asked for, then a step of the
 * work given to other threads (it runs, it is done), then on_closed if closing. True if anything ran. For tests that stop at every turn.
 */
bool fake_env_step(fake_env_t *env);

/* Turns until none is left. Fails the test if that never happens. */
void fake_env_turn(fake_env_t *env);

/* The next work that is asked for is refused with this error. */
void fake_env_fail_work(fake_env_t *env, int error);

/* Move the clock on, waking the owner at each deadline on the way, with all
 * turns that are asked for before, between and after. */
void fake_env_advance_ms(fake_env_t *env, int64_t ms);

/* To the armed deadline and over it; false (and nothing) if there is none. */
bool fake_env_advance_to_deadline(fake_env_t *env);

/* Milliseconds since fake_env_init. */
int64_t fake_env_elapsed_ms(const fake_env_t *env);

/* Called on every turn, also after the environment was closed. */
void fake_env_add_hook(fake_env_t *env, fake_env_hook_cb run, void *arg);

#endif /* TEST_SUPPORT_FAKE_ENV_H */
