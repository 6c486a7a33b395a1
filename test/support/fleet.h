/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_FLEET_H
#define TEST_SUPPORT_FLEET_H

/*
 * Many fake environments whose time passes together: one for each process of a
 * test, and one for what they meet at.
 */

#include "support/fake_env.h"

#define FLEET_SIZE 201

typedef struct fleet_s {
  fake_env_t envs[FLEET_SIZE];
  bool used[FLEET_SIZE];
} fleet_t;

void fleet_init(fleet_t *fleet);

/* Number `i`, begun anew: the clock of the others, randomness of its own. */
fake_env_t *fleet_env(fleet_t *fleet, size_t i);

/* It is closed, and nobody's any more. */
void fleet_drop(fleet_t *fleet, size_t i);

/* Turns until none of them has one left. */
void fleet_turn(fleet_t *fleet);

/* Time passes, a millisecond after the other where something happens. */
void fleet_pass(fleet_t *fleet, int64_t ms);

#endif /* TEST_SUPPORT_FLEET_H */
