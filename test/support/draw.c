/* SPDX-License-Identifier: Apache-2.0 */
#include "support/draw.h"

#include <assert.h>

/* 5 and 9 are odd, so they have inverses modulo 2^64. */
#define INVERSE_OF_5 UINT64_C(0xcccccccccccccccd)
#define INVERSE_OF_9 UINT64_C(0x8e38e38e38e38e39)

/* The generator's result is rotl(s[1] * 5, 7) * 9; this is the way back. */
void draw_next(ts__rng_t *rng, uint64_t u53) {
  assert(u53 < DRAW_END);
  uint64_t rotated = (u53 << 11) * INVERSE_OF_9;
  rng->s[1] = (rotated >> 7 | rotated << 57) * INVERSE_OF_5;
}

/* splitmix64, as the authors of xoshiro advise. */
void draw_seed(ts__rng_t *rng, uint64_t seed) {
  for (int i = 0; i < 4; i++) {
    seed += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = seed;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    rng->s[i] = z ^ z >> 31;
  }
}
