/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_RNG_H
#define TS_BASE_RNG_H

/*
 * A small fast generator (xoshiro256**, public domain by Blackman and Vigna)
 * for draws and jitter. Never for keys.
 */

#include <stdint.h>

#include "base/env.h"

typedef struct ts__rng_s {
  uint64_t s[4];
} ts__rng_t;

/* Seed from the environment's random bytes. */
void ts__rng_seed(ts__rng_t *rng, ts__env_t *env);

uint64_t ts__rng_next(ts__rng_t *rng);

/* 53 random bits: u / 2^53 is uniform in [0, 1). */
static inline uint64_t ts__rng_draw53(ts__rng_t *rng) {
  return ts__rng_next(rng) >> 11;
}

/* Uniform in 0..max, both included. */
uint64_t ts__rng_upto(ts__rng_t *rng, uint64_t max);

#endif /* TS_BASE_RNG_H */
