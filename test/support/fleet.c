/* SPDX-License-Identifier: Apache-2.0 */
#include "support/fleet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

void fleet_init(fleet_t *fleet) { memset(fleet, 0, sizeof *fleet); }

static uint64_t now_of(const fleet_t *fleet) {
  for (size_t i = 0; i < FLEET_SIZE; i++) {
    if (fleet->used[i]) {
      return fleet->envs[i].now_ns;
    }
  }
  return FAKE_ENV_START_NS;
}

fake_env_t *fleet_env(fleet_t *fleet, size_t i) {
  const uint64_t now_ns = now_of(fleet);
  fake_env_t *env = &fleet->envs[i];
  assert_true(i < FLEET_SIZE && !fleet->used[i]);
  fake_env_init(env);
  fake_env_seed(env, 1000 + i);
  env->now_ns = now_ns;
  fleet->used[i] = true;
  return env;
}

void fleet_drop(fleet_t *fleet, size_t i) { fleet->used[i] = false; }

static bool turn_once(fleet_t *fleet) {
  bool ran = false;
  for (size_t i = 0; i < FLEET_SIZE; i++) {
    if (fleet->used[i] && fake_env_step(&fleet->envs[i])) {
      ran = true;
    }
  }
  return ran;
}

void fleet_turn(fleet_t *fleet) {
  unsigned left = 100000;
  while (turn_once(fleet)) {
    assert_true(left-- > 0);
  }
}

static uint64_t first_deadline(const fleet_t *fleet, uint64_t end_ns) {
  uint64_t first_ns = end_ns;
  for (size_t i = 0; i < FLEET_SIZE; i++) {
    if (fleet->used[i] && fleet->envs[i].deadline_ns < first_ns) {
      first_ns = fleet->envs[i].deadline_ns;
    }
  }
  return first_ns;
}

void fleet_pass(fleet_t *fleet, int64_t ms) {
  uint64_t now_ns = now_of(fleet);
  const uint64_t end_ns = now_ns + (uint64_t)ms * TS__NS_PER_MS;
  fleet_turn(fleet);
  while (now_ns < end_ns) {
    const uint64_t first_ns = first_deadline(fleet, end_ns);
    const uint64_t step_ns =
        first_ns > now_ns + TS__NS_PER_MS ? first_ns - now_ns : TS__NS_PER_MS;
    const int64_t step_ms = (int64_t)(step_ns / TS__NS_PER_MS);
    for (size_t i = 0; i < FLEET_SIZE; i++) {
      if (fleet->used[i]) {
        fake_env_advance_ms(&fleet->envs[i], step_ms);
      }
    }
    fleet_turn(fleet);
    now_ns += (uint64_t)step_ms * TS__NS_PER_MS;
  }
}
