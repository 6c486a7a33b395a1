/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_DRAW_H
#define TEST_SUPPORT_DRAW_H

/* Choosing what a generator draws, for tests of single decisions. */

#include "base/rng.h"

#define DRAW_END (UINT64_C(1) << 53)

/* The next ts__rng_draw53 gives u53 (below DRAW_END); later ones anything. */
void draw_next(ts__rng_t *rng, uint64_t u53);

/* Well-spread state from a small number, the same on every run. */
void draw_seed(ts__rng_t *rng, uint64_t seed);

#endif /* TEST_SUPPORT_DRAW_H */
