/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

static uint64_t rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

/* An all-zero seed is kept: it draws zeros for ever, which tests rely on. From
 * real random bytes it has a chance of 2^-256. */
void ts__rng_seed(ts__rng_t *rng, ts__env_t *env) {
  env->ops->random(env, rng->s, sizeof(rng->s));
}

uint64_t ts__rng_next(ts__rng_t *rng) {
  uint64_t *s = rng->s;
  uint64_t result = rotl(s[1] * 5, 7) * 9;
  uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotl(s[3], 45);
  return result;
}

/* Draws past the last whole multiple of max + 1 are refused, so that every
 * result is equally likely. A draw of zero is never refused. */
uint64_t ts__rng_upto(ts__rng_t *rng, uint64_t max) {
  if (max == UINT64_MAX) {
    return ts__rng_next(rng);
  }
  uint64_t n = max + 1;
  uint64_t limit = UINT64_MAX - (UINT64_MAX % n + 1) % n;
  uint64_t draw;
  do {
    draw = ts__rng_next(rng);
  } while (draw > limit);
  return draw % n;
}
